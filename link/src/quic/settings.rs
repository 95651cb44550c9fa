//! [`Settings`]: limits of an endpoint.

use std::{fmt, time::Duration};

use crate::trust::Limits;

/// Limits of an endpoint.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What strangers may cost, and how many connections there may be.
    pub limits: Limits,
    /// Bytes of the socket's buffers, both ways, as far as the system allows.
    pub socket_bytes: usize,
    /// Bytes of streams that the other side may have sent and we not taken, of one connection.
    pub stream_bytes: u32,
    /// Bytes of datagrams that came and are not taken, of one connection; of more the oldest are lost.
    pub datagram_bytes: usize,
    /// How long datagrams may wait for the way within a connection; what would wait longer waits with
    /// the session, which drops what comes too late.
    pub datagram_delay: Duration,
    /// What an endpoint that takes the place of one that was killed tells the callers of that one by that
    /// they are to call anew; without it they wait until they have heard nothing for long.
    pub succession: Option<Succession>,
}

/// A secret of all endpoints that take each other's place.
#[derive(Clone)]
pub struct Succession(pub [u8; 32]);

impl fmt::Debug for Succession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Succession")
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            socket_bytes: 4 << 20,
            stream_bytes: 16 << 20,
            datagram_bytes: 4 << 20,
            datagram_delay: Duration::from_millis(10),
            succession: None,
        }
    }
}
