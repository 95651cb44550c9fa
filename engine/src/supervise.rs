//! What to do about a body that failed: a pure policy, told the time.
//!
//! A sliding window rather than kameo's counter: at most [`BUDGET`] restarts in
//! [`WINDOW_NS`], each after a longer pause, then the node's `on_fault` decides.

use std::collections::VecDeque;

use crate::{graph::OnFault, time::Timestamp};

/// Restarts a node gets within the window unless its `retries` say otherwise.
pub(crate) const BUDGET: u32 = 5;
/// Length of the window.
pub(crate) const WINDOW_NS: i64 = 10_000_000_000;
/// Pauses before the first restart in a window, the second, ….
const BACK_OFF_MS: [i64; 5] = [0, 10, 50, 250, 1_000];

/// What the policy decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Put in a new body, not before this moment.
    Restart(Timestamp),
    /// Let frames pass unchanged from now on.
    Bypass,
    /// Repeat the last output from now on.
    HoldLast,
    /// End the session.
    Stop,
}

/// The faults of one node of one session within the window.
#[derive(Debug)]
pub(crate) struct Record {
    budget: u32,
    on_fault: OnFault,
    faults: VecDeque<Timestamp>,
}

impl Record {
    pub(crate) fn new(on_fault: OnFault, retries: Option<u32>) -> Self {
        Self { budget: retries.unwrap_or(BUDGET), on_fault, faults: VecDeque::new() }
    }

    /// Takes note of a fault and decides.
    pub(crate) fn fault(&mut self, now: Timestamp) -> Verdict {
        while self.faults.front().is_some_and(|&fault| now.since(fault) >= WINDOW_NS) {
            self.faults.pop_front();
        }
        let before = self.faults.len();
        if before < self.budget as usize {
            self.faults.push_back(now);
            return Verdict::Restart(now.plus_nanos(pause_ns(before)));
        }
        match self.on_fault {
            OnFault::Bypass => Verdict::Bypass,
            OnFault::HoldLast => Verdict::HoldLast,
            OnFault::Stop => Verdict::Stop,
            OnFault::Restart => Verdict::Restart(now.plus_nanos(pause_ns(BACK_OFF_MS.len()))),
        }
    }
}

fn pause_ns(faults_before: usize) -> i64 {
    BACK_OFF_MS[faults_before.min(BACK_OFF_MS.len() - 1)] * 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_ms(ms: i64) -> Timestamp {
        Timestamp::from_nanos(ms * 1_000_000)
    }

    #[test]
    fn pauses_grow_and_then_the_node_decides() {
        let mut record = Record::new(OnFault::Bypass, None);
        let pauses: Vec<_> = (0..5).map(|n| record.fault(at_ms(n))).collect();

        let want: Vec<_> = BACK_OFF_MS
            .iter()
            .enumerate()
            .map(|(n, pause)| Verdict::Restart(at_ms(n as i64 + pause)))
            .collect();
        assert_eq!(pauses, want);
        assert_eq!(record.fault(at_ms(5)), Verdict::Bypass);
    }

    #[test]
    fn old_faults_are_forgiven() {
        let mut record = Record::new(OnFault::Stop, Some(1));
        assert_eq!(record.fault(at_ms(0)), Verdict::Restart(at_ms(0)));
        assert_eq!(record.fault(at_ms(9_999)), Verdict::Stop);
        assert_eq!(record.fault(at_ms(10_000)), Verdict::Restart(at_ms(10_000)));
    }

    #[test]
    fn a_node_told_to_restart_goes_on_at_the_longest_pause() {
        let mut record = Record::new(OnFault::Restart, Some(0));
        for n in 0..20 {
            assert_eq!(record.fault(at_ms(n)), Verdict::Restart(at_ms(n + 1_000)));
        }
    }
}
