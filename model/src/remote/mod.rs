//! Services of others: asked over HTTP.

pub(crate) mod answer;
pub mod http_call;
pub(crate) mod question;
