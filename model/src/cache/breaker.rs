//! [`Breaker`]: leaves alone what keeps failing, and tries it again from time to time. A state machine: it is
//! told the time.

use std::time::{Duration, Instant};

/// Failures in a row after which it is left alone.
const FAILURES_MAX: u32 = 5;
/// How long it is left alone first; each time that it has not recovered twice as long.
const REST: Duration = Duration::from_millis(500);
/// How long at most.
const REST_MAX: Duration = Duration::from_secs(30);

/// Whether to ask something that may be down.
#[derive(Clone, Debug)]
pub struct Breaker {
    state: State,
    rest: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Asked, after so many failures in a row.
    Closed(u32),
    /// Left alone.
    Open { until: Instant },
    /// One request is on its way, since then, to find out.
    Probed(Instant),
}

impl Default for Breaker {
    fn default() -> Self {
        Self { state: State::Closed(0), rest: REST }
    }
}

impl Breaker {
    /// Whether a request may be made now. Who makes it says how it ended.
    pub fn admits(&mut self, now: Instant) -> bool {
        match self.state {
            State::Closed(_) => true,
            State::Open { until } if now >= until => {
                self.state = State::Probed(now);
                true
            }
            // The one that went to find out may have been lost.
            State::Probed(since) if now.duration_since(since) >= REST_MAX => {
                self.state = State::Probed(now);
                true
            }
            State::Open { .. } | State::Probed(_) => false,
        }
    }

    /// Whether it is left alone, or being found out about.
    pub const fn is_open(&self) -> bool {
        !matches!(self.state, State::Closed(_))
    }

    /// A request went well.
    pub fn succeeded(&mut self) {
        // One that was made before says nothing about now.
        if !matches!(self.state, State::Open { .. }) {
            *self = Self::default();
        }
    }

    /// A request failed, or took too long. Says whether it is left alone from now on.
    pub fn failed(&mut self, now: Instant) -> bool {
        match self.state {
            State::Closed(failures) if failures + 1 < FAILURES_MAX => {
                self.state = State::Closed(failures + 1);
                false
            }
            State::Closed(_) => {
                self.state = State::Open { until: now + self.rest };
                true
            }
            State::Probed(_) => {
                self.rest = (2 * self.rest).min(REST_MAX);
                self.state = State::Open { until: now + self.rest };
                true
            }
            State::Open { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_failures_in_a_row_and_only_then() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..3 {
            for _ in 1..FAILURES_MAX {
                assert!(!breaker.failed(now));
            }
            breaker.succeeded();
        }
        for _ in 1..FAILURES_MAX {
            breaker.failed(now);
        }
        assert!(breaker.admits(now));
        assert!(breaker.failed(now));
        assert!(!breaker.admits(now));
        // Those that were on their way come back, well or not.
        assert!(!breaker.failed(now));
        breaker.succeeded();
        assert!(!breaker.admits(now + REST - Duration::from_nanos(1)));
    }

    #[test]
    fn one_request_finds_out_and_decides() {
        let mut now = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..FAILURES_MAX {
            breaker.failed(now);
        }
        now += REST;
        assert!(breaker.admits(now));
        assert!(!breaker.admits(now));
        // Not yet: twice as long.
        assert!(breaker.failed(now));
        assert!(!breaker.admits(now + REST));
        now += 2 * REST;
        assert!(breaker.admits(now));
        breaker.succeeded();
        assert!(breaker.admits(now) && breaker.admits(now));
        for _ in 0..FAILURES_MAX {
            breaker.failed(now);
        }
        // It begins again with the short rest.
        assert!(breaker.admits(now + REST));
    }

    #[test]
    fn a_probe_that_is_lost_is_made_again() {
        let mut now = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..FAILURES_MAX {
            breaker.failed(now);
        }
        now += REST;
        assert!(breaker.admits(now) && !breaker.admits(now));
        assert!(breaker.admits(now + REST_MAX));
    }
}
