//! [`Heard`]: what the models of a cascade made of a sample, and where it goes through their [`Gate`]s.

use super::logistic::Logistic;

/// What every model said of a sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// Samples of one group resemble each other.
    pub group: usize,
    /// By model, from small to large: its answer to the sample as it is and, where it answers otherwise once another has told it
    /// something, such as the language, what it says then. The first one is that to the sample as it is.
    pub answers: Vec<Vec<Answer>>,
    /// What would be wrong were the last model alone there.
    pub alone: usize,
    /// Of how many that is.
    pub of: usize,
}

/// What one model said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer {
    /// How sure it was.
    pub sure: Sure,
    /// What was wrong with it, in any count.
    pub errors: usize,
    /// What it has cost, for itself.
    pub cost: f64,
    /// What it was told by another one, if anything was.
    pub told: Option<usize>,
    /// What it tells those behind it, if it does.
    pub tells: Option<usize>,
}

/// How sure a model was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sure {
    /// It must not count, whatever it says.
    Never,
    /// It has said nothing, of which there is no confidence.
    Silent,
    /// So much, 0 to 1.
    Of(f64),
}

/// When an answer of one model is taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gate {
    /// What its confidence is worth; nothing where it is compared as it is.
    pub worth: Option<Logistic>,
    /// What it is worth that it says nothing.
    pub silent: f64,
    /// At least so much; above 1 it is never asked.
    pub threshold: f64,
}

impl Gate {
    /// It is never asked.
    pub const SHUT: Self = Self { worth: None, silent: 0.0, threshold: f64::INFINITY };

    /// Its answer is taken from that confidence on.
    pub const fn by_hand(threshold: f64) -> Self {
        Self { worth: None, silent: 0.0, threshold }
    }

    /// Whether the model is never asked.
    pub fn is_shut(&self) -> bool {
        self.threshold > 1.0
    }

    /// Whether an answer that is so sure is taken.
    pub fn takes(&self, sure: Sure) -> bool {
        self.worth_of(sure).is_some_and(|worth| worth >= self.threshold)
    }

    /// What it is worth that it is so sure, 0 to 1; nothing where it must not count.
    pub fn worth_of(&self, sure: Sure) -> Option<f64> {
        match sure {
            Sure::Never => None,
            Sure::Silent => Some(self.silent),
            Sure::Of(confidence) => {
                Some(self.worth.map_or(confidence, |worth| worth.of(confidence)))
            }
        }
    }
}

/// Where a sample goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Goes {
    /// Whose answer is taken.
    pub model: usize,
    /// What is wrong with it.
    pub errors: usize,
    /// What all that were asked have cost.
    pub cost: f64,
}

impl Heard {
    /// Whether the answer of a model to the sample as it is is worse than that of the last model alone.
    pub fn is_worse(&self, model: usize) -> bool {
        self.answers[model][0].errors > self.alone
    }

    /// Where it goes.
    pub fn goes(&self, gates: &[Gate]) -> Goes {
        let asked = |model: &usize| gates.get(*model).is_none_or(|gate| !gate.is_shut());
        let mut goes = Goes { model: gates.len(), errors: self.alone, cost: 0.0 };
        for (model, answer) in self.asks((0..=gates.len()).filter(asked)) {
            goes = Goes { model, errors: answer.errors, cost: goes.cost + answer.cost };
            if gates.get(model).is_some_and(|gate| gate.takes(answer.sure)) {
                break;
            }
        }
        goes
    }

    /// Whether its answer is worse than that of the last model alone.
    pub(super) fn loses(&self, gates: &[Gate]) -> bool {
        self.goes(gates).errors > self.alone
    }

    /// What these models answer, one after the other, each told what those before it tell.
    pub(super) fn asks(
        &self,
        models: impl Iterator<Item = usize>,
    ) -> impl Iterator<Item = (usize, &Answer)> {
        let mut told = None;
        models.map(move |model| {
            let answers = &self.answers[model];
            let answer = answers.iter().find(|it| it.told == told).unwrap_or(&answers[0]);
            told = told.or(answer.tells);
            (model, answer)
        })
    }
}
