//! What is counted of a model, by whoever does it, with no lock and no memory of its own.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use engine::Histogram;

/// Why a question is refused at the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shed {
    /// It would be answered too late.
    Late,
    /// The model failed again and again and is left alone for a while.
    Resting,
    /// A run of the model never ended.
    Stuck,
    /// Too many wait.
    Full,
}

impl Shed {
    /// All, in the order of [`Tally::sheds`].
    pub const ALL: [Self; 4] = [Self::Late, Self::Resting, Self::Stuck, Self::Full];

    /// The word used in metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::Resting => "resting",
            Self::Stuck => "stuck",
            Self::Full => "full",
        }
    }
}

/// What became of questions.
pub(super) struct Counts {
    pub(super) asked: Apart,
    pub(super) answered: Count,
    pub(super) failed: Count,
    pub(super) late: Count,
    pub(super) forgotten: Count,
    pub(super) handed: Count,
    pub(super) sheds: [Count; Shed::ALL.len()],
    pub(super) warm_ups: Count,
    pub(super) short: Count,
    pub(super) compared: Count,
    pub(super) agreed: Count,
    /// From a question to its answer.
    pub(super) answers: Histogram,
    pub(super) segments: Box<[SegmentCounts]>,
}

/// What one segment did.
pub(super) struct SegmentCounts {
    /// Questions that left at its end.
    pub(super) exits: Count,
    /// How long questions waited for it.
    pub(super) queue: Histogram,
    /// How long its runs took.
    pub(super) compute: Histogram,
    /// Rows of its runs without a question.
    pub(super) padded: Count,
    /// Runs by how many questions were in them, from 1 on.
    sizes: Box<[Count]>,
}

/// A counter that many threads add to.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

/// A counter in a cache line of its own: whoever asks adds to it, and workers to those beside it.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Apart(Count);

impl std::ops::Deref for Apart {
    type Target = Count;

    fn deref(&self) -> &Count {
        &self.0
    }
}

impl Count {
    pub(super) fn add(&self, number: u64) {
        self.0.fetch_add(number, Ordering::Relaxed);
    }

    pub(super) fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What became of the questions to a model so far: `asked` is all others together, those that are
/// inside included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Questions that came.
    pub asked: u64,
    /// Questions that wait or are run now.
    pub inside: u64,
    /// Runs of a segment with questions.
    pub runs: u64,
    /// Questions answered.
    pub answered: u64,
    /// Questions whose run failed or never ended, or whose answer could not be read.
    pub failed: u64,
    /// Questions refused at the door.
    pub refused: u64,
    /// The same, by the reason, as [`Shed::ALL`].
    pub sheds: [u64; Shed::ALL.len()],
    /// Questions given up while they waited, as they would have been answered too late.
    pub late: u64,
    /// Questions not run because nobody waited for the answer any more.
    pub forgotten: u64,
    /// Questions that a cheaper variant took over, as they would have been answered too late.
    pub handed: u64,
    /// Questions answered, by the segment at whose end they left.
    pub exits: Vec<u64>,
    /// Runs of a segment without a question, before anybody asked.
    pub warm_ups: u64,
    /// Runs made by whoever asked, as the way to a worker takes longer.
    pub short: u64,
    /// Rows of runs that held no question, where the model's file fixes how many a run has.
    pub padded: u64,
    /// Questions put to a version on trial as well.
    pub compared: u64,
    /// Those of them whose answers agreed.
    pub agreed: u64,
}

impl Counts {
    /// For so many segments and at most so many questions in a run.
    pub(super) fn new(segments: usize, batch_max: usize) -> Self {
        let segment = |_| SegmentCounts {
            exits: Count::default(),
            queue: Histogram::default(),
            compute: Histogram::default(),
            padded: Count::default(),
            sizes: (0..batch_max).map(|_| Count::default()).collect(),
        };
        Self {
            asked: Apart::default(),
            answered: Count::default(),
            failed: Count::default(),
            late: Count::default(),
            forgotten: Count::default(),
            handed: Count::default(),
            answers: Histogram::default(),
            sheds: Default::default(),
            warm_ups: Count::default(),
            short: Count::default(),
            compared: Count::default(),
            agreed: Count::default(),
            segments: (0..segments).map(segment).collect(),
        }
    }

    /// A question was refused.
    pub(super) fn shed(&self, why: Shed) {
        self.sheds[why as usize].add(1);
    }

    pub(super) fn tally(&self) -> Tally {
        let (answered, failed) = (self.answered.value(), self.failed.value());
        let (late, forgotten) = (self.late.value(), self.forgotten.value());
        let handed = self.handed.value();
        let sheds = self.sheds.each_ref().map(Count::value);
        let refused = sheds.iter().sum();
        // Looked at last: whatever came out had come in.
        let asked = self.asked.value();
        Tally {
            asked,
            inside: asked.saturating_sub(answered + failed + late + forgotten + refused + handed),
            runs: self.segments.iter().map(|segment| segment.runs().1).sum(),
            answered,
            failed,
            refused,
            sheds,
            late,
            forgotten,
            handed,
            exits: self.segments.iter().map(|segment| segment.exits.value()).collect(),
            warm_ups: self.warm_ups.value(),
            short: self.short.value(),
            padded: self.segments.iter().map(|segment| segment.padded.value()).sum(),
            compared: self.compared.value(),
            agreed: self.agreed.value(),
        }
    }
}

impl SegmentCounts {
    /// A run of so many questions took so long.
    pub(super) fn ran(&self, rows: usize, took: Duration) {
        let last = self.sizes.len() - 1;
        self.sizes[rows.clamp(1, last + 1) - 1].add(1);
        self.compute.record(i64::try_from(took.as_nanos()).unwrap_or(i64::MAX));
    }

    /// Questions that were run, and runs.
    pub(super) fn runs(&self) -> (u64, u64) {
        let counts = self.sizes.iter().zip(1..).map(|(runs, size)| (size, runs.value()));
        counts.fold((0, 0), |(rows, runs), (size, more)| (rows + size * more, runs + more))
    }

    /// How many runs had no more questions than that: for powers of two and the largest size.
    pub(super) fn runs_up_to(&self) -> Vec<(u64, u64)> {
        let most = self.sizes.len();
        let mut up_to = Vec::new();
        let mut runs = 0;
        for (count, size) in self.sizes.iter().zip(1_usize..) {
            runs += count.value();
            if size.is_power_of_two() || size == most {
                up_to.push((size as u64, runs));
            }
        }
        up_to
    }
}
