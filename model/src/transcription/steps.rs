//! [`Steps`]: what each model of a cascade was asked, kept and passed on, and how long it took.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts of the models of a cascade, from small to large.
#[derive(Debug)]
pub(super) struct Steps(Vec<Step>);

#[derive(Debug, Default)]
struct Step {
    partials: AtomicU64,
    kept: AtomicU64,
    passed_on: AtomicU64,
    busy_ns: AtomicU64,
}

/// What one model of a cascade has done so far. What was begun and not finished counts nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StepDone {
    /// Partials it has understood.
    pub partials: u64,
    /// Pieces it was asked for a final, of which its answer was taken.
    pub kept: u64,
    /// The same, of which the next one was asked.
    pub passed_on: u64,
    /// Seconds of work on all of that.
    pub busy_s: f64,
}

/// What became of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Became {
    Partial,
    Kept,
    PassedOn,
}

impl Steps {
    pub(super) fn of(models: usize) -> Self {
        Self((0..models).map(|_| Step::default()).collect())
    }

    /// The model of this number has answered.
    pub(super) fn count(&self, number: usize, became: Became, took_s: f64) {
        let Some(step) = self.0.get(number) else { return };
        let count = match became {
            Became::Partial => &step.partials,
            Became::Kept => &step.kept,
            Became::PassedOn => &step.passed_on,
        };
        count.fetch_add(1, Ordering::Relaxed);
        step.busy_ns.fetch_add((took_s * 1e9) as u64, Ordering::Relaxed);
    }

    /// Of each, from small to large.
    pub(super) fn done(&self) -> Vec<StepDone> {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let done = |step: &Step| StepDone {
            partials: read(&step.partials),
            kept: read(&step.kept),
            passed_on: read(&step.passed_on),
            busy_s: read(&step.busy_ns) as f64 / 1e9,
        };
        self.0.iter().map(done).collect()
    }
}

impl StepDone {
    /// Pieces it was asked for a final.
    pub const fn asked(&self) -> u64 {
        self.kept + self.passed_on
    }

    /// For people: nothing where it was asked nothing.
    pub(super) fn told(&self, name: &str) -> Option<String> {
        if self.asked() + self.partials == 0 {
            return None;
        }
        let Self { partials, kept, passed_on, busy_s } = self;
        let partials = match partials {
            0 => String::new(),
            partials => format!(", besides {}", engine::counted(*partials, "partial")),
        };
        let asked = self.asked();
        Some(format!(
            "{name} asked {asked}, kept {kept}, passed on {passed_on}{partials}, {busy_s:.1} s"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_model_says_what_became_of_what_it_was_asked() {
        let steps = Steps::of(2);
        for (number, became, took_s) in [
            (0, Became::Partial, 0.25),
            (0, Became::Kept, 0.5),
            (0, Became::PassedOn, 0.5),
            (1, Became::Kept, 2.0),
            (7, Became::Kept, 9.0),
        ] {
            steps.count(number, became, took_s);
        }
        let [small, large] = steps.done()[..] else { panic!("two models") };
        assert_eq!(small, StepDone { partials: 1, kept: 1, passed_on: 1, busy_s: 1.25 });
        let told = small.told("tiny").expect("it was asked");
        assert_eq!(told, "tiny asked 2, kept 1, passed on 1, besides 1 partial, 1.2 s");
        assert_eq!(large.told("base").as_deref(), Some("base asked 1, kept 1, passed on 0, 2.0 s"));
        assert_eq!(StepDone::default().told("small"), None);
    }
}
