//! Why a request gets no answer of the graph: always told, as JSON.

use std::time::Duration;

use axum::{
    body::Body,
    http::{
        HeaderValue, Response, StatusCode,
        header::{ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
    },
};
use engine::Gap;
use serde_json::{Value, json};

/// A status, what was wrong, and what helps.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    said: Value,
    header: Option<(axum::http::HeaderName, HeaderValue)>,
    /// Whether what the caller still sends is not worth reading.
    hangs_up: bool,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, error: impl Into<String>) -> Self {
        let error: String = error.into();
        Self { status, said: json!({ "error": error }), header: None, hangs_up: false }
    }

    /// The same, with what is expected.
    pub(super) fn expecting(mut self, expects: Value) -> Self {
        self.said["expects"] = expects;
        self
    }

    pub(super) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.said[key] = value.into();
        self
    }

    fn header(mut self, name: axum::http::HeaderName, value: &str) -> Self {
        self.header = HeaderValue::from_str(value).ok().map(|value| (name, value));
        self
    }

    pub(super) fn and_hang_up(mut self) -> Self {
        self.hangs_up = true;
        self
    }

    pub(super) fn no_token() -> Self {
        let this = Self::new(StatusCode::UNAUTHORIZED, "the token is missing or wrong");
        this.with("hint", "send the header `Authorization: Bearer …`")
            .header(WWW_AUTHENTICATE, "Bearer")
    }

    pub(super) fn method(allowed: &str) -> Self {
        let this = Self::new(StatusCode::METHOD_NOT_ALLOWED, format!("ask with {allowed}"));
        this.header(ALLOW, allowed)
    }

    pub(super) fn too_long(bytes_max: usize) -> Self {
        let error = format!("a question has at most {bytes_max} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, error).and_hang_up()
    }

    pub(super) fn too_often(wait: Duration) -> Self {
        let wait_s = wait.as_secs_f64().ceil().max(1.0);
        let this = Self::new(StatusCode::TOO_MANY_REQUESTS, "too many questions from one address");
        this.header(RETRY_AFTER, &wait_s.to_string())
    }

    pub(super) fn busy(error: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error).header(RETRY_AFTER, "1")
    }

    pub(super) fn late(within: Duration) -> Self {
        let error = format!("no answer within {} ms", within.as_millis());
        Self::new(StatusCode::GATEWAY_TIMEOUT, error)
    }

    /// The question was dropped inside the graph.
    pub(super) fn lost(reason: Gap) -> Self {
        let this = match reason {
            Gap::Late => Self::new(StatusCode::GATEWAY_TIMEOUT, "a node had no answer in time"),
            Gap::Poison => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "a node failed on the question")
            }
            Gap::Full => Self::busy("too many questions wait"),
            Gap::Paused => Self::busy("the graph is paused"),
            Gap::Closed => Self::busy("the graph is ending"),
            Gap::Flush => Self::busy("the question was taken back"),
            Gap::Restart | Gap::Wedged | Gap::Source => Self::busy("a node is being restarted"),
        };
        this.with("reason", reason.word())
    }

    pub(super) fn ended() -> Self {
        Self::busy("the graph ended without an answer").with("reason", Gap::Closed.word())
    }

    /// As the text that a websocket is told.
    pub(super) fn text(&self) -> String {
        self.said.to_string()
    }

    pub(super) fn response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.said.to_string() + "\n"));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.extend(self.header);
        if self.hangs_up {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
