//! [`Gate`]: who may begin a handshake, and how many connections and sessions a peer has.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
};

use engine::Timestamp;

use super::{Limits, PeerKey, Reason, Refused};

/// Addresses that are remembered for how often they came. Only proved ones are, so they cannot be
/// made up; beyond so many, the one that came least is forgotten.
const SOURCES_MAX: usize = 1_024;
/// Seconds of handshakes that an address may save up.
const SAVED_S: f64 = 4.0;

/// Counts handshakes, connections and sessions against [`Limits`]. Knows no socket and no clock.
///
/// Every [`Ticket`] comes back by [`Gate::enter`] or [`Gate::give_up`], every connection by
/// [`Gate::leave`], every session by [`Gate::close_session`]: then all counts are zero again.
#[derive(Debug)]
pub struct Gate {
    limits: Limits,
    handshakes: usize,
    sources: HashMap<IpAddr, Source>,
    peers: HashMap<PeerKey, Held>,
    refused: Refused,
}

/// What is known of a proved address.
#[derive(Clone, Copy, Debug)]
struct Source {
    handshakes: usize,
    /// Handshakes that it may begin, as of `at`.
    saved: f64,
    at: Timestamp,
}

/// What a peer has.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    connections: usize,
    sessions: usize,
}

/// What becomes of somebody who knocks.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The handshake may begin.
    Accept(Ticket),
    /// It must come again with a token that proves its address.
    Retry,
    /// It is turned away. Costs less than saying why.
    Refuse(Reason),
}

/// One handshake under way.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a ticket that is not handed back counts for ever"]
pub struct Ticket(Option<IpAddr>);

/// A peer has all that it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverQuota;

impl std::fmt::Display for OverQuota {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("this peer has all the connections or sessions it may have")
    }
}

impl std::error::Error for OverQuota {}

impl Gate {
    /// A gate with these limits.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            handshakes: 0,
            sources: HashMap::new(),
            peers: HashMap::new(),
            refused: Refused::default(),
        }
    }

    /// Its limits.
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Handshakes under way.
    pub const fn handshakes(&self) -> usize {
        self.handshakes
    }

    /// How often somebody was turned away.
    pub const fn refused(&self) -> Refused {
        self.refused
    }

    /// Counts somebody who is turned away for what the gate does not see.
    pub const fn turn_away(&mut self, reason: Reason) {
        self.refused.count(reason);
    }

    const fn refuse(&mut self, reason: Reason) -> Verdict {
        self.turn_away(reason);
        Verdict::Refuse(reason)
    }

    /// Somebody asks for a handshake; `is_proved` says that its address is known to be its own.
    ///
    /// What is not proved is not counted by address: whoever writes another's address on its packets
    /// would shut that one out.
    pub fn knock(&mut self, now: Timestamp, address: IpAddr, is_proved: bool) -> Verdict {
        if self.handshakes >= self.limits.handshakes_max {
            return self.refuse(Reason::Crowded);
        }
        if !is_proved {
            if self.handshakes >= self.limits.retry_above {
                self.refused.retried += 1;
                return Verdict::Retry;
            }
            self.handshakes += 1;
            return Verdict::Accept(Ticket(None));
        }
        let address = source_of(address);
        if !self.source(now, address) {
            return self.refuse(Reason::Source);
        }
        self.handshakes += 1;
        Verdict::Accept(Ticket(Some(address)))
    }

    /// Whether one more handshake may come from a proved address; counts it if so.
    fn source(&mut self, now: Timestamp, address: IpAddr) -> bool {
        let most = self.limits.handshakes_per_s * SAVED_S;
        if !self.sources.contains_key(&address) && self.sources.len() >= SOURCES_MAX {
            self.forget_one();
        }
        let fresh = Source { handshakes: 0, saved: most, at: now };
        let source = self.sources.entry(address).or_insert(fresh);
        let passed_s = now.since(source.at).max(0) as f64 / 1e9;
        source.saved = (source.saved + passed_s * self.limits.handshakes_per_s).min(most);
        source.at = source.at.max(now);
        if source.handshakes >= self.limits.handshakes_per_source || source.saved < 1.0 {
            return false;
        }
        source.saved -= 1.0;
        source.handshakes += 1;
        true
    }

    fn forget_one(&mut self) {
        // One with a handshake under way is kept if another can go: its count would start at zero.
        let least = |source: &Source| (source.handshakes, -source.saved);
        let idle = self
            .sources
            .iter()
            .min_by(|(_, a), (_, b)| least(a).partial_cmp(&least(b)).expect("savings are numbers"));
        if let Some(address) = idle.map(|(address, _)| *address) {
            self.sources.remove(&address);
        }
    }

    /// A handshake is over, and showed a key that is trusted.
    ///
    /// # Errors
    /// If the peer has all the connections it may have. The handshake is over all the same.
    pub fn enter(&mut self, ticket: Ticket, key: PeerKey) -> Result<(), OverQuota> {
        self.give_up(ticket);
        let most = self.limits.connections_per_peer;
        let held = self.peers.entry(key).or_default();
        if held.connections >= most {
            self.refused.count(Reason::Quota);
            return Err(OverQuota);
        }
        held.connections += 1;
        Ok(())
    }

    /// A handshake is over without a connection.
    pub fn give_up(&mut self, ticket: Ticket) {
        self.handshakes -= 1;
        // An address may have been forgotten meanwhile.
        if let Some(source) = ticket.0.and_then(|address| self.sources.get_mut(&address)) {
            source.handshakes = source.handshakes.saturating_sub(1);
        }
    }

    /// A connection of a peer is gone.
    pub fn leave(&mut self, key: PeerKey) {
        self.drop_one(key, |held| &mut held.connections);
    }

    /// A peer opens a session that it did not have.
    ///
    /// # Errors
    /// If it has all it may have.
    pub fn open_session(&mut self, key: PeerKey) -> Result<(), OverQuota> {
        let held = self.peers.entry(key).or_default();
        if held.sessions >= self.limits.sessions_per_peer {
            self.refused.count(Reason::Quota);
            return Err(OverQuota);
        }
        held.sessions += 1;
        Ok(())
    }

    /// A session of a peer is no more.
    pub fn close_session(&mut self, key: PeerKey) {
        self.drop_one(key, |held| &mut held.sessions);
    }

    fn drop_one(&mut self, key: PeerKey, count: impl FnOnce(&mut Held) -> &mut usize) {
        if let Some(held) = self.peers.get_mut(&key) {
            let count = count(held);
            *count = count.saturating_sub(1);
            if held.connections == 0 && held.sessions == 0 {
                self.peers.remove(&key);
            }
        }
    }
}

/// What counts as one address: a host has all addresses of an IPv6 network.
fn source_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests;
