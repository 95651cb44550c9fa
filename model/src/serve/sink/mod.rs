//! Where answers go out.

pub mod http;
pub mod websocket;
