//! [`Door`]: a [`Gate`] that several tasks share, and that nobody forgets to tell.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use engine::Timestamp;

use super::{Gate, Limits, OverQuota, PeerKey, Reason, Refused, Ticket, Verdict};

/// A gate for all tasks of a listener. What was counted is given back when it is dropped, so a
/// task that ends anywhere leaves nothing behind.
#[derive(Clone, Debug)]
pub struct Door(Arc<Mutex<Gate>>);

/// What becomes of somebody who knocks.
#[derive(Debug)]
pub enum Knocked {
    /// The handshake may begin; it is over when this is dropped.
    Accept(Handshake),
    /// It must come again with a token that proves its address.
    Retry,
    /// It is turned away.
    Refuse(Reason),
}

/// A handshake under way.
#[derive(Debug)]
pub struct Handshake {
    door: Door,
    ticket: Option<Ticket>,
}

/// A connection of a peer, for as long as this is kept.
#[derive(Debug)]
pub struct Inside {
    door: Door,
    key: PeerKey,
}

impl Door {
    /// A door with these limits.
    pub fn new(limits: Limits) -> Self {
        Self(Arc::new(Mutex::new(Gate::new(limits))))
    }

    fn gate(&self) -> MutexGuard<'_, Gate> {
        // Each change is whole, so a panic elsewhere has left the counts right.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody asks for a handshake; see [`Gate::knock`].
    pub fn knock(&self, now: Timestamp, address: IpAddr, is_proved: bool) -> Knocked {
        match self.gate().knock(now, address, is_proved) {
            Verdict::Accept(ticket) => {
                Knocked::Accept(Handshake { door: self.clone(), ticket: Some(ticket) })
            }
            Verdict::Retry => Knocked::Retry,
            Verdict::Refuse(reason) => Knocked::Refuse(reason),
        }
    }

    /// How often somebody was turned away.
    pub fn refused(&self) -> Refused {
        self.gate().refused()
    }

    /// Counts somebody who is turned away; see [`Gate::turn_away`].
    pub fn turn_away(&self, reason: Reason) {
        self.gate().turn_away(reason);
    }

    /// Handshakes under way.
    pub fn handshakes(&self) -> usize {
        self.gate().handshakes()
    }
}

impl Handshake {
    /// The handshake is over, and showed a key that is trusted.
    ///
    /// # Errors
    /// If the peer has all the connections it may have.
    pub fn enter(mut self, key: PeerKey) -> Result<Inside, OverQuota> {
        let ticket = self.ticket.take().expect("only taken here and at the end");
        let door = self.door.clone();
        door.gate().enter(ticket, key)?;
        Ok(Inside { door, key })
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.door.gate().give_up(ticket);
        }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.door.gate().leave(self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_dropped_is_given_back() {
        let door = Door::new(Limits { connections_per_peer: 1, ..Limits::default() });
        let key = PeerKey::from_bytes([1; 32]);
        let knock = || match door.knock(Timestamp::ZERO, [192, 0, 2, 1].into(), false) {
            Knocked::Accept(handshake) => handshake,
            other => panic!("{other:?}"),
        };
        let begun = knock();
        assert_eq!(door.handshakes(), 1);
        drop(begun);
        assert_eq!(door.handshakes(), 0);

        let inside = knock().enter(key).expect("the first");
        assert_eq!(knock().enter(key).map(drop), Err(OverQuota));
        assert_eq!((door.handshakes(), door.refused().of(Reason::Quota)), (0, 1));
        drop(inside);
        knock().enter(key).map(drop).expect("the place is free again");
    }
}
