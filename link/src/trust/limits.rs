//! [`Limits`]: what those may cost us who have not shown a key yet, and how much each peer may have.

use std::time::Duration;

/// What strangers may cost, and how much each peer may have. Plain numbers: the transport has some of
/// them as settings of its own, [`Gate`](super::Gate) counts the others.
///
/// Memory that strangers can take is at most `handshakes_max × handshake_bytes_max`, or
/// `handshake_bytes_total` if that is less; what one proved address can have us read is at most
/// `handshakes_per_s × handshake_bytes_max` a second.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Handshakes under way at once; further ones are refused.
    pub handshakes_max: usize,
    /// From so many on, an address must prove by a retry token that it is no forgery. Costs one round
    /// trip, and nothing is kept here meanwhile. Well below `connections_max`, among which handshakes count,
    /// so that forged ones keep nobody out.
    pub retry_above: usize,
    /// Handshakes under way at once from one address (an IPv6 address counts by its first 64 bits).
    pub handshakes_per_source: usize,
    /// Handshakes that one address may begin per second, on average; four seconds' worth at once.
    pub handshakes_per_s: f64,
    /// Most bytes kept for one handshake before it is taken up.
    pub handshake_bytes_max: u64,
    /// Most bytes kept for all of them.
    pub handshake_bytes_total: u64,
    /// How long a handshake may take, hello included; half-open peers are given up then.
    pub handshake_timeout: Duration,
    /// How long a retry token is good.
    pub retry_token_lifetime: Duration,
    /// Connections at once, of all peers together.
    pub connections_max: usize,
    /// Connections of one peer at once.
    pub connections_per_peer: usize,
    /// Sessions of one peer at once, connected or waiting to be taken up again.
    pub sessions_per_peer: usize,
}

impl Limits {
    /// The usual ones, with so many connections at once.
    pub fn for_connections(connections_max: usize) -> Self {
        let usual = Self::default();
        let retry_above = usual.retry_above.min(connections_max / 4);
        Self { connections_max, retry_above, ..usual }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshakes_max: 512,
            retry_above: 256,
            // Many edges behind one address come back at once after an outage.
            handshakes_per_source: 256,
            handshakes_per_s: 256.0,
            handshake_bytes_max: 64 << 10,
            handshake_bytes_total: 16 << 20,
            handshake_timeout: Duration::from_secs(5),
            retry_token_lifetime: Duration::from_secs(15),
            connections_max: 4_096,
            connections_per_peer: 512,
            sessions_per_peer: 512,
        }
    }
}
