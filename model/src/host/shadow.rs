//! [`Shadow`]: another model that is asked the same, to be compared: its answers go to nobody.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use engine::{Answer, Buffer, Fault, Histogram, Relay, Reply};

use super::{
    asked::{Note, Priority, Question, Terms},
    door::{Aim, Place},
    model::Model,
    version::agree,
    way::{Row, Way},
    workers::nanos,
};

/// How the answers of a model and of its shadow compare so far.
#[derive(Debug, Default)]
pub struct Compared {
    sums: Mutex<Sums>,
    /// From a question to the answer that was given.
    pub(super) true_answers: Histogram,
    /// From a question to the answer of the shadow.
    pub(super) other_answers: Histogram,
}

/// Sums over all questions to which both gave an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sums {
    /// Questions that both answered.
    pub compared: u64,
    /// Those of them with the same class, or numbers within 5 %.
    pub agreed: u64,
    /// Numbers that were compared.
    pub numbers: u64,
    /// How far apart they were, together.
    pub difference: f64,
}

impl Sums {
    /// The share of answers that agree, once there are any.
    pub fn agreement(&self) -> Option<f64> {
        (self.compared > 0).then(|| self.agreed as f64 / self.compared as f64)
    }

    /// The mean absolute difference of the numbers in answers, once there are any.
    pub fn mean_difference(&self) -> Option<f64> {
        (self.numbers > 0).then(|| self.difference / self.numbers as f64)
    }
}

impl Compared {
    /// The sums so far.
    pub fn sums(&self) -> Sums {
        *self.sums.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn compare(&self, one: &Told, other: &Told) {
        let (a, b) = match (&one.numbers[..], &other.numbers[..]) {
            (a, b) if a.len() == b.len() => (a, b),
            // What left at an early exit has the answer alone.
            (a, b) => (&a[..one.first], &b[..other.first]),
        };
        self.true_answers.record(nanos(one.took));
        self.other_answers.record(nanos(other.took));
        let mut sums = self.sums.lock().unwrap_or_else(PoisonError::into_inner);
        sums.compared += 1;
        sums.agreed += u64::from(agree(a, b));
        if a.len() == b.len() {
            sums.numbers += a.len() as u64;
            let apart = |(a, b): (&f32, &f32)| (f64::from(*a) - f64::from(*b)).abs();
            sums.difference += a.iter().zip(b).map(apart).sum::<f64>();
        }
    }
}

/// Where one node's questions are asked again.
pub(super) struct Shadow {
    model: Arc<Model>,
    place: [Place; 1],
    compared: Arc<Compared>,
}

impl Shadow {
    pub(super) fn open(
        model: &Arc<Model>,
        compared: &Arc<Compared>,
        way: &Arc<Way>,
        fixed: &[(String, f64)],
    ) -> Result<Self, String> {
        let lane = model.workers.open(model.number, way, fixed)?;
        let place = [Place { seat: model.number, lane }];
        Ok(Self { model: model.clone(), place, compared: compared.clone() })
    }

    /// For the two answers to one question.
    pub(super) fn pair(&self) -> Arc<Pair> {
        Arc::new(Pair { told: Mutex::default(), compared: self.compared.clone() })
    }

    /// Asks once more, behind all that somebody waits for.
    pub(super) fn ask(&self, way: &Arc<Way>, samples: Buffer, note: Note, pair: &Arc<Pair>) {
        let terms = Terms { within: None, priority: Priority::Spare };
        let side = Side { pair: pair.clone(), is_other: true };
        let question = Question { way, samples, note, priority: terms.priority, pair: Some(side) };
        let reply = Reply::through(pair.clone());
        self.model.workers.ask(&self.place, Aim::Best(0), question, reply);
    }
}

/// The two answers to one question.
pub(super) struct Pair {
    /// That which is given, and that which is not.
    told: Mutex<[Option<Told>; 2]>,
    compared: Arc<Compared>,
}

struct Told {
    numbers: Vec<f32>,
    /// Numbers of the first output.
    first: usize,
    took: Duration,
}

impl Pair {
    pub(super) fn of_true(self: &Arc<Self>) -> Side {
        Side { pair: self.clone(), is_other: false }
    }
}

/// Takes the answer of the shadow, which is read already: where it fails its model counts that.
impl Relay for Pair {
    fn pass_on(&self, _: Result<Answer, Fault>) {}

    fn is_wanted(&self) -> bool {
        true
    }
}

/// One of the two who are asked the same.
pub(super) struct Side {
    pair: Arc<Pair>,
    is_other: bool,
}

impl Side {
    /// What a model gave to the question, asked then.
    pub(super) fn told(&self, row: &Row<'_>, began: Instant) {
        let outputs = (0..row.outputs.len()).map(|number| row.output(number));
        let told = Told {
            numbers: outputs.flatten().copied().collect(),
            first: row.output(0).len(),
            took: began.elapsed(),
        };
        let mut both = self.pair.told.lock().unwrap_or_else(PoisonError::into_inner);
        both[usize::from(self.is_other)] = Some(told);
        if let [Some(one), Some(other)] = &*both {
            self.pair.compared.compare(one, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(numbers: &[f32], first: usize) -> Told {
        Told { numbers: numbers.to_vec(), first, took: Duration::from_millis(1) }
    }

    #[test]
    fn answers_are_compared_number_by_number() {
        let compared = Compared::default();
        compared.compare(&told(&[0.0, 1.0], 2), &told(&[0.5, 0.75], 2));
        compared.compare(&told(&[1.0, 0.0], 2), &told(&[0.0, 1.0], 2));
        // At an early exit there is the answer alone.
        compared.compare(&told(&[3.0, 0.0], 2), &told(&[3.0, 0.0, 9.0, 9.0], 2));
        let sums = compared.sums();
        assert_eq!((sums.compared, sums.agreed, sums.numbers), (3, 2, 6));
        assert!((sums.difference - 2.75).abs() < 1e-12, "0.5 + 0.25 + 1 + 1");
        assert_eq!(compared.other_answers.count(), 3);
        // Answers of different lengths agree in nothing.
        compared.compare(&told(&[3.0], 1), &told(&[3.0, 0.0], 2));
        assert_eq!((compared.sums().compared, compared.sums().agreed), (4, 2));
        assert_eq!(compared.sums().numbers, 6);
    }
}
