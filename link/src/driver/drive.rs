//! [`Driver`]: brings a session what comes, and does what it asks.

use std::time::Duration;

use engine::Clock;

use super::{
    ports::{Ends, Ports},
    transport::Calls,
};
use crate::{session::Session, wire::ByeReason};

/// How a driver works.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The host's monotonic clock, the same that stamps the frames' `entered`.
    pub clock: Clock,
    /// How long what durable edges hold may still be sent after their end.
    pub flush: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { clock: Clock::system(), flush: Duration::from_secs(5) }
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// What a program looks at.
    pub reason: ByeReason,
    /// What a person reads.
    pub text: String,
    /// Frames of durable edges that the other side has not acknowledged.
    pub left: u64,
}

/// A session with the graph's ends of it; see the [module](super).
pub struct Driver {
    session: Session,
    ends: Ends,
    settings: Settings,
}

impl Driver {
    /// A driver of a session that has no connection yet, and the graph's ends.
    pub fn new(session: Session, settings: Settings) -> (Self, Ports) {
        let (ends, ports) = Ends::new(session.config());
        (Self { session, ends, settings }, ports)
    }

    /// Runs to the end. Dropped earlier, it leaves without a word.
    pub async fn run(self, calls: impl Calls) -> Ended {
        let _ = (self.session, self.ends, self.settings, calls);
        std::future::pending().await
    }
}
