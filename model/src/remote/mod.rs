//! Services of others: asked over HTTP.

mod answer;
mod cache;
pub mod http_call;
mod question;
