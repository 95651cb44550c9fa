//! [`Asked`]: a question on its way through the host, and what is said about its urgency.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use engine::{Buffer, Reply};

use super::{drift::Slot, shadow::Side, way::Way};

/// Which questions go first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Before all others.
    High,
    /// Unless said otherwise.
    #[default]
    Normal,
    /// When nothing else waits, or beside it where that costs nothing.
    Low,
    /// What nobody waits for, as an answer that is compared with another: when all else is done and a
    /// worker is left for what may come.
    Spare,
}

impl Priority {
    pub(super) const COUNT: usize = 4;
    /// As written in a graph.
    pub const NAMES: &[&str] = &["high", "normal", "low"];

    /// The priority of that name; the normal one where there is none.
    pub fn named(name: &str) -> Self {
        match name {
            "high" => Self::High,
            "low" => Self::Low,
            _ => Self::Normal,
        }
    }
}

/// How urgent the questions of a node are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terms {
    /// How long answers may take as a rule: so long, less urgent work may not be in the way.
    pub within: Option<Duration>,
    /// Which questions go first.
    pub priority: Priority,
}

/// What whoever asks notes on a question, for whoever reads the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Note {
    /// The moment of its first sample, in nanoseconds.
    pub time_ns: i64,
    /// How long a signal it is made of, where that differs from question to question.
    pub span_ns: Option<i64>,
    /// More of the same will be asked about.
    pub grows: bool,
}

/// A question as it is put.
pub(super) struct Question<'a> {
    pub(super) way: &'a Arc<Way>,
    pub(super) samples: Buffer,
    pub(super) note: Note,
    pub(super) priority: Priority,
    pub(super) pair: Option<Side>,
}

/// A question that waits.
pub(super) struct Asked {
    pub(super) way: Arc<Way>,
    /// What was asked.
    pub(super) question: Buffer,
    /// What the segment it waits for is fed, if that is not the question itself, as at first.
    pub(super) samples: Option<Buffer>,
    pub(super) reply: Reply,
    pub(super) note: Note,
    pub(super) priority: Priority,
    /// What else is asked the same, to be compared.
    pub(super) pair: Option<Side>,
    /// When it came, on the system's clock.
    pub(super) began: Instant,
    /// When it came, and when its answer is too late: nanoseconds of the workers' clock.
    pub(super) arrived: i64,
    /// Since when it waits for the segment it waits for.
    pub(super) since: i64,
    pub(super) deadline: i64,
    /// It is of the sample by which early exits are watched.
    pub(super) watched: Option<Slot>,
}

/// Of questions by their urgency, the highest first: the priorities, and what is watched.
pub(super) const RANKS: usize = Priority::COUNT + 1;
/// What is watched has its answer and waits for all others.
pub(super) const WATCHED: usize = Priority::COUNT;

impl Asked {
    /// What the segment it waits for is fed.
    pub(super) fn fed(&self) -> &[f32] {
        self.samples.as_ref().unwrap_or(&self.question).floats()
    }

    /// It has its answer, and is followed to the end for the sample alone.
    pub(super) fn is_followed(&self) -> bool {
        self.watched.as_ref().is_some_and(Slot::has_left)
    }

    /// Its place among [`RANKS`].
    pub(super) fn rank(&self) -> usize {
        if self.is_followed() { WATCHED } else { self.priority as usize }
    }

    /// Its answer is given: the same question, which goes on to be compared.
    pub(super) fn followed(&self, slot: Slot, samples: Option<Buffer>) -> Self {
        Self {
            way: self.way.clone(),
            question: self.question.clone(),
            samples,
            reply: Reply::through(slot.relay()),
            note: self.note,
            priority: Priority::Low,
            pair: None,
            began: self.began,
            arrived: self.arrived,
            since: self.since,
            deadline: i64::MAX,
            watched: Some(slot),
        }
    }
}
