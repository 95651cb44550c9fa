//! Where questions come in.

pub mod http;
pub mod websocket;
