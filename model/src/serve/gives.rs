//! What an answer is: a frame as JSON, or as numbers as they lie in memory.

use axum::{
    body::Body,
    http::{HeaderMap, Response, StatusCode, header::ACCEPT},
};
use engine::{Format, Frame};

use crate::remote::question::written;

use super::refusal::Refusal;

/// Whether a caller takes numbers as they lie in memory: it names them, and not JSON before them.
pub(super) fn wants_raw(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut kinds = accepted.flat_map(|value| value.split(','));
    kinds
        .find_map(|kind| match kind.split(';').next().unwrap_or_default().trim() {
            "application/octet-stream" => Some(true),
            "application/json" => Some(false),
            _ => None,
        })
        .unwrap_or(false)
}

/// The response that a frame is.
pub(super) fn response(format: &Format, frame: &Frame, is_raw: bool) -> Response<Body> {
    let is_raw = match format {
        Format::Event(_) => false,
        Format::Image(_) => true,
        Format::Signal(_) | Format::Tensor(_) => is_raw,
    };
    match written(format, frame, !is_raw) {
        Ok((bytes, headers)) => {
            let mut response = Response::new(Body::from(bytes));
            *response.headers_mut() = headers;
            response
        }
        Err(fault) => {
            let error = format!("the answer cannot be sent: {fault}");
            Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error).response()
        }
    }
}
