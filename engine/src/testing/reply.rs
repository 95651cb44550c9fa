//! [`reply`]: to ask without a graph around it.

use std::{
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};

use crate::{
    Buffer, FaultClass,
    call::{Answer, Letter, Letters, Reply},
    ring::Wake,
};

/// Where the answer to one question arrives.
pub struct Awaited {
    letter: Arc<Letter>,
    bell: Arc<Bell>,
}

/// What came of a question.
#[derive(Debug)]
pub enum Outcome {
    /// The first payload on the first port; none where there was nothing to say.
    Answer(Option<Buffer>),
    /// Whoever was asked gave up, and why.
    Late(String),
    /// There will be no answer, and why.
    Failed(String),
    /// Nothing came in time.
    Nothing,
}

#[derive(Default)]
struct Bell {
    rings: Mutex<Rings>,
    rang: Condvar,
}

#[derive(Default)]
struct Rings {
    has_rung: bool,
    /// Somebody waits. Else nobody is woken, which takes a call to the system.
    is_awaited: bool,
}

impl Wake for Bell {
    fn wake(&self) {
        let mut rings = self.rings.lock().unwrap_or_else(PoisonError::into_inner);
        rings.has_rung = true;
        let is_awaited = rings.is_awaited;
        drop(rings);
        if is_awaited {
            self.rang.notify_all();
        }
    }
}

/// A reply to hand to whoever is asked, who has so long, and where its answer arrives.
pub fn reply(within: Option<Duration>) -> (Reply, Awaited) {
    let bell = Arc::new(Bell::default());
    let (letter, reply) = Letters::new(bell.clone()).open();
    (reply.within(within), Awaited { letter, bell })
}

impl Awaited {
    /// Waits for the answer, but no longer than `limit`.
    pub fn wait(&self, limit: Duration) -> Outcome {
        let mut rings = self.bell.rings.lock().unwrap_or_else(PoisonError::into_inner);
        rings.is_awaited = true;
        let waited = self.bell.rang.wait_timeout_while(rings, limit, |rings| !rings.has_rung);
        drop(waited);
        match self.letter.take() {
            Some(Ok(Answer { payloads, .. })) => {
                let first = payloads.into_iter().find(|(port, _)| *port == 0);
                Outcome::Answer(first.map(|(_, buffer)| buffer))
            }
            Some(Err(why)) if why.class() == FaultClass::Late => Outcome::Late(why.to_string()),
            Some(Err(why)) => Outcome::Failed(why.to_string()),
            None => Outcome::Nothing,
        }
    }

    /// Says that nobody waits any more.
    pub fn forget(&self) {
        self.letter.refuse();
    }
}
