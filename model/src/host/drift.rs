//! [`Drift`]: whether what leaves early is still answered as at the end. A sample of the questions is followed there once
//! their answers are given.
//!
//! ```text
//! question ─▶ segment 1 ─┬─ sure: reply; of the sample also ┄┄▶ segment 2 … last ─▶ the same answer?
//!                        └─ not sure ──────────────────────▶ segment 2 … last ─▶ reply
//! ```
//!
//! The sample is drawn from all questions, whether they leave or not, by a hash of their number: what is promised is promised of
//! all. One that goes on by itself loses nothing; one that leaves is followed. So each of the sample is a draw of the
//! very risk that was promised, with nothing to weigh.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
};

use engine::{Answer, Fault, Relay};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::calibrate::{Evidence, Share, Since, top};

use super::{
    slots::{Slots, Watched},
    watch::{Seen, Watch},
};

/// Questions that left and wait to be followed: more are not taken up, as the workers have no time for them.
const FOLLOWED_MAX: usize = 64;
/// Questions of the sample whose fate is not known.
const OPEN_MAX: usize = 1_024;
/// The sample is so many times as large while stakes against the promise (see [`Evidence`]) are no less than …
const CLOSER: f64 = 5.0;
/// … this, as they seldom are where the promise is kept.
const SUSPICION: f64 = 0.3;

/// See the module.
pub(super) struct Drift {
    watch: Watch,
    seed: u64,
    /// Of the hashes, those below are of the sample.
    below: AtomicU64,
    questions: AtomicU64,
    /// Questions that left and are not at the end.
    followed: AtomicUsize,
    skipped: AtomicU64,
    is_shut: AtomicBool,
    has_news: AtomicBool,
    book: Mutex<Book>,
}

struct Book {
    slots: Slots,
    evidence: Option<Evidence>,
    differs: Share,
    early: Vec<Since>,
    gone: u64,
    /// What was seen when the promise broke, until somebody is told.
    news: Option<Since>,
}

/// A question of the sample. Dropped before it has stayed or ended, it is given up.
pub(super) struct Slot {
    drift: Arc<Drift>,
    number: u64,
    /// At which segment it left, with which answer.
    left: Option<(usize, usize)>,
    /// What became of it has been said.
    is_known: bool,
}

impl Drift {
    /// Of a model with so many segments.
    pub(super) fn new(watch: Watch, segments: usize, seed: u64) -> Arc<Self> {
        let evidence =
            watch.promised.map(|promised| Evidence::new(promised.differs, promised.confidence));
        let book = Book {
            slots: Slots::with_room(OPEN_MAX),
            evidence,
            differs: Share::default(),
            early: vec![Since::default(); segments.saturating_sub(1)],
            gone: 0,
            news: None,
        };
        Arc::new(Self {
            watch,
            seed,
            below: AtomicU64::new(hashes(watch.share)),
            questions: AtomicU64::new(0),
            followed: AtomicUsize::new(0),
            skipped: AtomicU64::new(0),
            is_shut: AtomicBool::new(false),
            has_news: AtomicBool::new(false),
            book: Mutex::new(book),
        })
    }

    /// Whether a question that has come to the first exit is of the sample; to be asked once for each. Some nanoseconds; for one
    /// that is of it a lock.
    pub(super) fn takes(self: &Arc<Self>) -> Option<Slot> {
        let number = self.questions.fetch_add(1, Ordering::Relaxed);
        let hash = xxh3_64_with_seed(&number.to_le_bytes(), self.seed);
        if hash >= self.below.load(Ordering::Relaxed) || self.is_shut() {
            return None;
        }
        // What is left out is left out before anybody knows whether the question leaves: else the sample would be a choice.
        let is_busy = self.followed.load(Ordering::Relaxed) >= FOLLOWED_MAX;
        let mut book = self.book();
        if is_busy || book.slots.len() >= OPEN_MAX {
            self.skipped.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(Slot { drift: self.clone(), number: book.slots.open(), left: None, is_known: false })
    }

    /// Whether no question leaves early any more.
    pub(super) fn is_shut(&self) -> bool {
        self.is_shut.load(Ordering::Relaxed)
    }

    /// Looks at nothing any more.
    pub(super) fn end(&self) {
        self.below.store(0, Ordering::Relaxed);
    }

    /// Whether it looks at nothing any more.
    pub(super) fn has_ended(&self) -> bool {
        self.below.load(Ordering::Relaxed) == 0
    }

    /// Whether the promise is broken.
    pub(super) fn is_broken(&self) -> bool {
        self.book().evidence.as_ref().is_some_and(Evidence::is_broken)
    }

    /// Whether something was promised.
    pub(super) fn has_promise(&self) -> bool {
        self.watch.promised.is_some()
    }

    /// What a person should know, once.
    pub(super) fn news(&self, model: &str) -> Option<String> {
        if !self.has_news.swap(false, Ordering::Relaxed) {
            return None;
        }
        let since = self.book().news.take()?;
        Some(self.watch.told(model, self.watch.promised?, since))
    }

    pub(super) fn seen(&self) -> Seen {
        let book = self.book();
        let promised = self.watch.promised;
        let confidence = promised.map_or(0.95, |promised| promised.confidence);
        Seen {
            watched: book.differs.seen(),
            open: book.slots.len() as u64,
            early: book.early.clone(),
            skipped: self.skipped.load(Ordering::Relaxed),
            gone: book.gone,
            differs: book.differs.value(),
            bounds: book.differs.bounds(confidence),
            promised,
            holds: book.evidence.as_ref().map(|evidence| !evidence.is_broken()),
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settle(&self, number: u64, what: Watched) {
        let mut guard = self.book();
        let book = &mut *guard;
        book.slots.settle(number, what);
        while let Some(what) = book.slots.next() {
            let is_lost = match what {
                Watched::Stayed => false,
                Watched::Left { segment, differs } => {
                    book.early[segment].seen += 1;
                    book.early[segment].lost += u64::from(differs);
                    differs
                }
                Watched::Gone => {
                    book.gone += 1;
                    continue;
                }
            };
            book.differs.saw(is_lost);
            let Some(evidence) = book.evidence.as_mut().filter(|evidence| !evidence.is_broken())
            else {
                continue;
            };
            evidence.saw(is_lost);
            let mut share = self.watch.share;
            if evidence.is_broken() {
                book.news = Some(evidence.lately());
                self.is_shut.store(self.watch.goes_whole, Ordering::Relaxed);
                self.has_news.store(true, Ordering::Relaxed);
            } else if evidence.stakes() >= SUSPICION {
                share *= CLOSER;
            }
            self.look_at(share);
        }
    }

    fn look_at(&self, share: f64) {
        // Once ended it stays so.
        let new = hashes(share);
        let keep = |below: u64| (below > 0).then_some(new);
        let _ = self.below.fetch_update(Ordering::Relaxed, Ordering::Relaxed, keep);
    }
}

/// Below which hash a share of all are.
fn hashes(share: f64) -> u64 {
    // Beyond the largest number `as` stays there.
    (share * 2.0_f64.powi(64)) as u64
}

impl Slot {
    /// Whether the question has left, so that it is followed for the sample alone.
    pub(super) const fn has_left(&self) -> bool {
        self.left.is_some()
    }

    /// The question leaves at the end of this segment with these scores.
    pub(super) fn leaves(&mut self, segment: usize, scores: &[f32]) {
        self.left = Some((segment, top(scores)));
        self.drift.followed.fetch_add(1, Ordering::Relaxed);
    }

    /// The question passes the last exit: it loses nothing.
    pub(super) fn stays(mut self) {
        self.is_known = true;
        self.drift.settle(self.number, Watched::Stayed);
    }

    /// Takes whatever becomes of a question that is followed: its answer was given long ago.
    pub(super) fn relay(&self) -> Arc<dyn Relay> {
        self.drift.clone()
    }

    /// The last segment gave these scores.
    pub(super) fn ends(mut self, scores: &[f32]) {
        // What is no answer says nothing.
        if scores.iter().all(|score| score.is_finite())
            && let Some((segment, answer)) = self.left.take()
        {
            self.drift.followed.fetch_sub(1, Ordering::Relaxed);
            let differs = top(scores) != answer;
            self.is_known = true;
            self.drift.settle(self.number, Watched::Left { segment, differs });
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if self.left.take().is_some() {
            self.drift.followed.fetch_sub(1, Ordering::Relaxed);
        }
        if !self.is_known {
            self.drift.settle(self.number, Watched::Gone);
        }
    }
}

/// Nobody waits for the answer to a question that is followed.
impl Relay for Drift {
    fn pass_on(&self, _: Result<Answer, Fault>) {}

    fn is_wanted(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
