//! [`Glances`]: what is counted, for those who look at it again and again.
//!
//! Whoever reads a counter takes it out of the cache of the core that counts: of thousands of sessions each has its
//! next frame a little later for every look. So whoever looks gets what was added up for another just before, and
//! the more there is to add up, the longer that is good for.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::plan::Plan;

use super::Report;

/// For so long what was counted at one node, or on one edge, of one session is good: about 500 times what it takes to
/// read it, and to take it back into the cache that it was read from. By what there is to read, not by the clock: who
/// has lost the processor meanwhile did not disturb anybody.
const GOOD_EACH_NS: u64 = 50_000;
/// But nobody sees anything older.
const OLDEST: Duration = Duration::from_secs(2);
/// What was added up for another so lately is as of now.
const AS_OF_NOW: Duration = Duration::from_millis(50);

/// The newest.
#[derive(Default)]
pub(super) struct Glances(Mutex<Option<Glance>>);

struct Glance {
    /// Another plan has other nodes.
    plan: Arc<Plan>,
    report: Arc<Report>,
    /// When it was added up.
    at: Instant,
    good_for: Duration,
}

impl Glances {
    /// The newest, or if that is too old another.
    pub(super) fn newest(&self, plan: &Arc<Plan>, add_up: impl FnOnce() -> Report) -> Arc<Report> {
        self.within(OLDEST, plan, add_up)
    }

    /// The newest if it is as of now, or another.
    pub(super) fn now(&self, plan: &Arc<Plan>, add_up: impl FnOnce() -> Report) -> Arc<Report> {
        self.within(AS_OF_NOW, plan, add_up)
    }

    fn within(
        &self,
        oldest: Duration,
        plan: &Arc<Plan>,
        add_up: impl FnOnce() -> Report,
    ) -> Arc<Report> {
        // Whoever comes meanwhile waits for what another adds up.
        let mut newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(glance) = newest.as_ref().filter(|glance| glance.is_good(plan, oldest)) {
            return glance.report.clone();
        }
        let report = Arc::new(add_up());
        let good_for = good_for(&report);
        *newest = Some(Glance {
            plan: plan.clone(),
            report: report.clone(),
            at: Instant::now(),
            good_for,
        });
        report
    }

    /// Whether this is the newest, and not too old.
    pub(super) fn is_newest(&self, plan: &Arc<Plan>, report: &Arc<Report>) -> bool {
        let newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = newest.as_ref().filter(|glance| glance.is_good(plan, OLDEST));
        newest.is_some_and(|glance| Arc::ptr_eq(&glance.report, report))
    }

    /// Whoever asks next sees what is counted then.
    pub(super) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Glance {
    fn is_good(&self, plan: &Arc<Plan>, oldest: Duration) -> bool {
        Arc::ptr_eq(&self.plan, plan) && self.at.elapsed() < self.good_for.min(oldest)
    }
}

fn good_for(report: &Report) -> Duration {
    let counted = (report.nodes.len() + report.edges.len()) as u64;
    let good_ns = report.sessions.1.saturating_mul(counted).saturating_mul(GOOD_EACH_NS);
    Duration::from_nanos(good_ns).min(OLDEST)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::{cell::Cell, thread::park_timeout};

    use super::{super::tests::planned, *};
    use crate::{run::EdgeReport, session::EdgeTotals};

    fn report(sessions: u64) -> Report {
        let (from, to) = ("a".to_owned(), "b".to_owned());
        let edge = EdgeReport { from, to, frames: EdgeTotals::default() };
        Report { sessions: (sessions, sessions), edges: vec![edge; 20], ..Report::default() }
    }

    #[test]
    fn the_more_there_is_to_add_up_the_longer_it_is_good() {
        assert_eq!(good_for(&report(0)), Duration::ZERO);
        assert_eq!(good_for(&report(1)), Duration::from_millis(1));
        assert_eq!(good_for(&report(1_000)), Duration::from_secs(1));
        assert_eq!(good_for(&report(100_000)), OLDEST);
    }

    #[test]
    fn what_was_added_up_for_one_is_good_for_all_until_it_is_too_old() {
        let (one, another) = (planned(""), planned(""));
        let (glances, made) = (Glances::default(), Cell::new(0));
        let add_up = |sessions| {
            let made = &made;
            move || {
                made.set(made.get() + 1);
                report(sessions)
            }
        };
        let first = glances.newest(&one, add_up(10_000));
        assert!(Arc::ptr_eq(&first, &glances.newest(&one, add_up(10_000))) && made.get() == 1);
        assert!(glances.is_newest(&one, &first) && !glances.is_newest(&another, &first));
        // Another plan has other nodes.
        let second = glances.newest(&another, add_up(10_000));
        assert!(!Arc::ptr_eq(&first, &second) && made.get() == 2);
        // As of now: it was there just now, and some time later it is too old for that.
        while made.get() == 2 {
            park_timeout(Duration::from_millis(10));
            glances.now(&another, add_up(1));
        }
        assert!(!glances.is_newest(&another, &second));
        // What there is little of is added up again.
        let third = glances.newest(&another, add_up(1));
        while glances.is_newest(&another, &third) {
            park_timeout(Duration::from_millis(1));
        }
        assert!(!Arc::ptr_eq(&third, &glances.newest(&another, add_up(10_000))));
        let before = made.get();
        glances.forget();
        glances.newest(&another, add_up(10_000));
        assert_eq!(made.get(), before + 1);
    }
}
