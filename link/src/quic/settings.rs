//! [`Settings`]: limits of an endpoint.

use std::time::Duration;

/// Limits of an endpoint.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Connections whose handshake or hello goes on at the same time; more are refused.
    pub handshakes_max: usize,
    /// Connections at the same time; more are refused.
    pub connections_max: usize,
    /// How long handshake and hello may take together.
    pub hello_within: Duration,
    /// Whether a caller must show that it has the address it calls from before anything is kept of it.
    pub retry: bool,
    /// Bytes of the socket's buffers, both ways, as far as the system allows.
    pub socket_bytes: usize,
    /// Bytes of streams that the other side may have sent and we not taken, of one connection.
    pub stream_bytes: u32,
    /// Bytes of datagrams that came and are not taken, of one connection; of more the oldest are lost.
    pub datagram_bytes: usize,
    /// How long datagrams may wait for the way within a connection; what would wait longer waits with
    /// the session, which drops what comes too late.
    pub datagram_delay: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            handshakes_max: 64,
            connections_max: 1_024,
            hello_within: Duration::from_secs(3),
            retry: false,
            socket_bytes: 4 << 20,
            stream_bytes: 16 << 20,
            datagram_bytes: 4 << 20,
            datagram_delay: Duration::from_millis(10),
        }
    }
}
