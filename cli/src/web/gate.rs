//! [`Gate`]: who is let in, and what a browser is told to keep to.

use std::net::IpAddr;

use axum::http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{AUTHORIZATION, HOST},
};
use model::serve::Token;

/// Who is let in.
pub(super) struct Gate {
    token: Token,
    /// Whether this machine alone reaches the page.
    is_here_alone: bool,
    /// The name in `--web NAME:PORT`.
    name: Option<String>,
}

impl Gate {
    pub(super) fn new(token: Token, is_here_alone: bool, name: Option<String>) -> Self {
        Self { token, is_here_alone, name }
    }

    /// Whether a request is meant for this page. A name that somebody else's server gives out for our address
    /// (DNS rebinding) is not ours: his page would be let in as ours.
    pub(super) fn is_meant(&self, headers: &HeaderMap) -> bool {
        let mut hosts = headers.get_all(HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
        host.to_str().is_ok_and(|host| self.is_ours(host))
    }

    fn is_ours(&self, host: &str) -> bool {
        let name = match host.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => host.split(':').next().unwrap_or_default(),
        };
        if let Ok(ip) = name.parse::<IpAddr>() {
            return ip.is_loopback() || !self.is_here_alone;
        }
        name.eq_ignore_ascii_case("localhost")
            || self.name.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(name))
    }

    /// Whether a request bears the token.
    pub(super) fn opens(&self, headers: &HeaderMap) -> bool {
        self.token.opens(headers.get(AUTHORIZATION).map(HeaderValue::as_bytes))
    }
}

/// Scripts, styles and connections of our own alone, in no frame of others.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What stands in the head of every answer.
const HEADS: [(&str, &str); 7] = [
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cache-control", "no-store"),
];

/// Adds what every answer says to browsers.
pub(super) fn guard(headers: &mut HeaderMap) {
    for (name, value) in HEADS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
}

/// Why somebody is turned away: a status, what was wrong, what helps.
pub(super) type Refusal = (StatusCode, String, &'static str);

/// It came by a name that is not ours.
pub(super) fn foreign() -> Refusal {
    let said = "this page is not served under that name".to_owned();
    (StatusCode::MISDIRECTED_REQUEST, said, "open it by the address that `--web` printed")
}

/// It has no token, or a wrong one.
pub(super) fn closed() -> Refusal {
    let said = "the token is missing or wrong".to_owned();
    (StatusCode::UNAUTHORIZED, said, "send the header `Authorization: Bearer …`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(is_here_alone: bool, name: Option<&str>) -> Gate {
        let token = Token::of("0123456789abcdef").expect("a token");
        Gate::new(token, is_here_alone, name.map(str::to_owned))
    }

    #[test]
    fn names_of_others_are_not_ours() {
        let here = gate(true, Some("127.0.0.1"));
        for host in ["127.0.0.1:8080", "127.0.0.1", "localhost:9000", "LOCALHOST", "[::1]:8080"] {
            assert!(here.is_ours(host), "{host}");
        }
        for host in [
            "evil.example:8080",
            "192.168.1.7:8080",
            "localhost.evil.example",
            "",
            "127.0.0.1.nip.io",
        ] {
            assert!(!here.is_ours(host), "{host}");
        }
        let everywhere = gate(false, Some("box.local"));
        for host in ["192.168.1.7:8080", "box.local:8080", "Box.Local"] {
            assert!(everywhere.is_ours(host), "{host}");
        }
        assert!(!everywhere.is_ours("evil.example"));
    }

    #[test]
    fn a_request_says_once_for_whom_it_is() {
        let gate = gate(true, None);
        let mut headers = HeaderMap::new();
        assert!(!gate.is_meant(&headers));
        headers.insert(HOST, HeaderValue::from_static("localhost:1"));
        assert!(gate.is_meant(&headers));
        headers.append(HOST, HeaderValue::from_static("localhost:1"));
        assert!(!gate.is_meant(&headers));
    }
}
