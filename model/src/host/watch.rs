//! [`Watch`]: how early exits are watched, [`Seen`]: what was seen of them, and what is said of it.

use crate::calibrate::Since;

/// How a model's early exits are watched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Watch {
    /// Share of the questions that are looked at, 0 to 1.
    pub share: f64,
    /// What was promised; without it is counted, and nothing said.
    pub promised: Option<Promised>,
    /// Whether no question leaves early once the promise is broken.
    pub goes_whole: bool,
}

/// What was promised of leaving early.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Promised {
    /// At most so much accuracy is lost, as a share of all answers.
    pub loss: f64,
    /// At most so many answers are others than the whole model's, as a share of all, above 0 and below 1.
    pub differs: f64,
    /// With so much confidence, above 0 and below 1.
    pub confidence: f64,
}

/// What was seen of the version that serves.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Questions of the sample whose fate is known.
    pub watched: u64,
    /// Questions of the sample whose fate is not known yet, or waits for that of one before.
    pub open: u64,
    /// Those that left, and those of them that the last segment answers otherwise, by the segment they left at.
    pub early: Vec<Since>,
    /// Questions of the sample that were not taken up because too many waited.
    pub skipped: u64,
    /// Questions that were given up on their way to the end: the model changed, or failed.
    pub gone: u64,
    /// Share of all questions that are answered otherwise than by the whole model; nothing before any was seen.
    pub differs: Option<f64>,
    /// Its bounds, which hold at all times together with the promised confidence, or 95 %.
    pub bounds: [f64; 2],
    /// What was promised.
    pub promised: Option<Promised>,
    /// Whether that holds, as far as is known; nothing where nothing was promised.
    pub holds: Option<bool>,
}

impl Watch {
    /// Says that the promise is broken, by what was seen since.
    pub(super) fn told(&self, model: &str, promised: Promised, since: Since) -> String {
        let Promised { loss, differs, confidence } = promised.in_percent();
        let Since { seen, lost } = since;
        let share = 100.0 * lost as f64 / seen.max(1) as f64;
        let then = if self.goes_whole {
            "; until then no question leaves early"
        } else {
            "; until then nothing is promised"
        };
        format!(
            "model `{model}`: what was promised of leaving early holds no more: with a loss of at most {loss} % \
             ({confidence} % confidence) at most {differs} % of all answers may be others than the whole model's, and \
             of the last {seen} that were watched {lost} are, {share:.1} %; what is asked has changed: calibrate \
             anew with recent questions (`afferent calibrate GRAPH --data FILE`){then}"
        )
    }
}

impl Promised {
    /// The same in per cent, with four digits that count.
    pub(super) fn in_percent(self) -> Self {
        let round = |share: f64| (share * 1e6).round() / 1e4;
        Self {
            loss: round(self.loss),
            differs: round(self.differs),
            confidence: round(self.confidence),
        }
    }
}
