//! Models of Afferent: inference as a service that all sessions share, and services of others.
//!
//! Each kind is one file with its catalogue entry, documentation and tests; [`CATALOG`] lists them.

pub mod backend;
pub mod batch;
pub mod cache;
pub mod calibrate;
pub mod host;
pub mod kinds;
pub mod onnx;
pub mod remote;
pub mod section;
pub mod serve;
pub mod sidecar;
pub mod tools;
pub mod transcription;
#[cfg(feature = "whisper")]
pub mod whisper;

mod names;
pub mod signature;
pub mod speech;

use engine::Kind;

/// Every kind of this crate, in the order of the manual.
pub static CATALOG: &[&Kind] = &[
    // kinds
    &kinds::infer::KIND,
    &kinds::classify::KIND,
    &kinds::embed::KIND,
    &kinds::detect::KIND,
    &kinds::speech::KIND,
    &kinds::transcribe::KIND,
    // remote
    &remote::http_call::KIND,
    // serve
    &serve::source::http::KIND,
    &serve::source::websocket::KIND,
];
