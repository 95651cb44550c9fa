//! Services of others: asked over HTTP.

mod answer;
pub mod http_call;
mod question;
