//! Versions of a model: the one that serves, the one before, and one on trial.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use crate::calibrate::top;

use super::chain::Chain;

/// One version of a model, with its weights in memory.
pub(super) struct Version {
    /// Counts the versions of a model, from 1.
    pub(super) number: u32,
    pub(super) chain: Chain,
}

/// What the version that serves was made of, for whoever keeps answers.
#[derive(Debug)]
pub struct Content {
    hash: AtomicU64,
    /// How often another took its place.
    turns: AtomicU64,
}

impl Content {
    pub(super) fn new(hash: u64) -> Arc<Self> {
        Arc::new(Self { hash: hash.into(), turns: 0.into() })
    }

    /// A version with that hash serves from now on.
    pub(super) fn turn(&self, hash: u64) {
        if self.hash() == hash {
            return;
        }
        // Pairs with the Acquire in `now`, which looks at the turns first: whoever sees this turn sees its hash,
        // and whoever sees the hash alone finds a turn later that it did not know of.
        self.hash.store(hash, Ordering::Release);
        self.turns.fetch_add(1, Ordering::Release);
    }

    /// Its hash; 0 where nobody said.
    pub fn hash(&self) -> u64 {
        self.hash.load(Ordering::Acquire)
    }

    /// What serves now.
    pub fn now(self: &Arc<Self>) -> Moment {
        // Pairs with the Release in `turn`.
        let turns = self.turns.load(Ordering::Acquire);
        Moment { hash: self.hash(), turns, content: self.clone() }
    }
}

/// What served when somebody asked.
#[derive(Clone, Debug)]
pub struct Moment {
    content: Arc<Content>,
    hash: u64,
    turns: u64,
}

impl Moment {
    /// The hash of the version that served.
    pub const fn hash(&self) -> u64 {
        self.hash
    }

    /// Whether another version may have answered since, even if the first is back.
    pub fn is_over(&self) -> bool {
        self.content.turns.load(Ordering::Acquire) != self.turns
    }
}

/// How a new version proves itself before it serves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trial {
    /// Of how many questions its answers are compared with those of the version that serves.
    pub questions: u64,
    /// So many of them must agree, as a share.
    pub agreement: f64,
    /// The share of questions it is asked as well meanwhile.
    pub share: f64,
}

impl Default for Trial {
    fn default() -> Self {
        Self { questions: 200, agreement: 0.95, share: 0.1 }
    }
}

/// A version on trial.
pub(super) struct OnTrial {
    pub(super) version: Arc<Version>,
    terms: Trial,
    compared: u64,
    agreed: u64,
    /// Questions since the trial began.
    seen: u64,
    /// Somebody is asking it: one worker at most waits for what may never come.
    is_asked: bool,
}

/// How a trial stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Goes,
    Passed,
    Failed,
}

impl OnTrial {
    pub(super) fn new(version: Arc<Version>, terms: Trial) -> Self {
        Self { version, terms, compared: 0, agreed: 0, seen: 0, is_asked: false }
    }

    /// Whether the questions that are run now are put to it as well.
    pub(super) fn is_due(&mut self, questions: usize) -> bool {
        self.seen += questions as u64;
        let is_due = !self.is_asked && self.compared as f64 <= self.terms.share * self.seen as f64;
        self.is_asked |= is_due;
        is_due
    }

    /// Whoever asked it may have been given up.
    pub(super) fn is_asked_no_more(&mut self) {
        self.is_asked = false;
    }

    /// Takes note of so many comparisons.
    pub(super) fn compared(&mut self, questions: u64, agreed: u64) -> Standing {
        self.is_asked = false;
        self.compared += questions;
        self.agreed += agreed;
        // What cannot come back to the agreement any more has failed already.
        let disagreed = (self.compared - self.agreed) as f64;
        if disagreed > (1.0 - self.terms.agreement) * self.terms.questions as f64 + 1e-9 {
            Standing::Failed
        } else if self.compared >= self.terms.questions {
            Standing::Passed
        } else {
            Standing::Goes
        }
    }

    /// How it went, as a fragment.
    pub(super) fn told(&self) -> String {
        let share = 100.0 * self.agreed as f64 / self.compared.max(1) as f64;
        format!("{share:.1} % of {} answers agree", self.compared)
    }
}

/// Largest difference of two answers that agree, as a share of the larger one's length.
const DIFFERENCE: f64 = 0.05;

/// Whether two versions say the same: the same class, or nearly the same numbers.
pub(super) fn agree(one: &[f32], other: &[f32]) -> bool {
    if one.len() != other.len() || one.iter().chain(other).any(|number| number.is_nan()) {
        return false;
    }
    // Where all are alike no class stands out.
    let has_class = |numbers: &[f32]| numbers.iter().any(|number| *number != numbers[0]);
    if has_class(one) && has_class(other) && top(one) == top(other) {
        return true;
    }
    let length =
        |numbers: &mut dyn Iterator<Item = f64>| numbers.map(|x| x * x).sum::<f64>().sqrt();
    let apart = length(&mut one.iter().zip(other).map(|(a, b)| f64::from(*a) - f64::from(*b)));
    let long = length(&mut one.iter().map(|&x| f64::from(x)));
    let also = length(&mut other.iter().map(|&x| f64::from(x)));
    apart <= DIFFERENCE * long.max(also)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::mock::{Behaviour, Cost, Mock};

    fn on_trial(terms: Trial) -> OnTrial {
        let chain = Chain::one(Arc::new(Mock::new(2, Cost::default(), Behaviour::Doubles)));
        OnTrial::new(Arc::new(Version { number: 2, chain }), terms)
    }

    #[test]
    fn a_trial_ends_with_its_questions_or_once_it_cannot_pass_any_more() {
        let terms = Trial { questions: 100, agreement: 0.95, share: 0.5 };
        let mut trial = on_trial(terms);
        assert_eq!(trial.compared(99, 94), Standing::Goes);
        assert_eq!(trial.compared(1, 1), Standing::Passed);
        let mut trial = on_trial(terms);
        assert_eq!(trial.compared(10, 5), Standing::Goes);
        assert_eq!(trial.compared(1, 0), Standing::Failed);
        assert_eq!(trial.told(), "45.5 % of 11 answers agree");
    }

    #[test]
    fn only_its_share_is_asked() {
        let mut trial = on_trial(Trial { questions: 1_000, agreement: 0.9, share: 0.25 });
        let mut asked = 0;
        for _ in 0..400 {
            if trial.is_due(2) {
                trial.compared(2, 2);
                asked += 2;
            }
        }
        assert!((195..=205).contains(&asked), "{asked}");
    }

    #[test]
    fn answers_agree_in_class_or_nearly_in_numbers() {
        assert!(agree(&[0.1, 3.0], &[-4.0, 0.2]));
        assert!(!agree(&[0.1, 3.0], &[4.0, 0.2]));
        assert!(!agree(&[9.0, 0.0], &[0.0, 0.0]), "nothing is no class");
        assert!(agree(&[100.0], &[104.0]));
        assert!(!agree(&[100.0], &[106.0]));
        assert!(agree(&[1.0, 1.001], &[1.001, 1.0]), "a tie but for rounding");
        assert!(agree(&[0.0], &[0.0]));
        assert!(!agree(&[f32::NAN], &[f32::NAN]));
    }
}
