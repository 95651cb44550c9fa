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

use super::slots::{Slots, Watched};

/// Questions that left and wait to be followed: more are not taken up, as the workers have no time for them.
const FOLLOWED_MAX: usize = 64;
/// Questions of the sample whose fate is not known.
const OPEN_MAX: usize = 1_024;
/// The sample is so many times as large while stakes against the promise (see [`Evidence`]) are no less than …
const CLOSER: f64 = 5.0;
/// … this, as they seldom are where the promise is kept.
const SUSPICION: f64 = 0.3;

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

/// A question of the sample. Dropped, it has stayed; or, once it has left, is given up.
pub(super) struct Slot {
    drift: Arc<Drift>,
    number: u64,
    /// At which segment it left, with which answer.
    left: Option<(usize, usize)>,
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
        Some(Slot { drift: self.clone(), number: book.slots.open(), left: None })
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
        let (since, promised) = (self.book().news.take()?, self.watch.promised?);
        let Promised { loss, differs, confidence } = promised.in_percent();
        let Since { seen, lost } = since;
        let share = 100.0 * lost as f64 / seen.max(1) as f64;
        let then = if self.watch.goes_whole {
            "; until then no question leaves early"
        } else {
            "; until then nothing is promised"
        };
        Some(format!(
            "model `{model}`: what was promised of leaving early holds no more: with a loss of at most {loss} % \
             ({confidence} % confidence) at most {differs} % of all answers may be others than the whole model's, and \
             of the last {seen} that were watched {lost} are, {share:.1} %; what is asked has changed: calibrate \
             anew with recent questions (`afferent calibrate GRAPH --data FILE`){then}"
        ))
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

impl Promised {
    /// The same in per cent, with four digits that count.
    fn in_percent(self) -> Self {
        let round = |share: f64| (share * 1e6).round() / 1e4;
        Self {
            loss: round(self.loss),
            differs: round(self.differs),
            confidence: round(self.confidence),
        }
    }
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
            self.drift.settle(self.number, Watched::Left { segment, differs });
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let what = match self.left.take() {
            None => Watched::Stayed,
            Some(_) => {
                self.drift.followed.fetch_sub(1, Ordering::Relaxed);
                Watched::Gone
            }
        };
        self.drift.settle(self.number, what);
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
mod tests {
    use super::*;

    const PROMISED: Promised = Promised { loss: 0.005, differs: 0.005, confidence: 0.95 };

    fn drift(share: f64, promised: Option<Promised>, seed: u64) -> Arc<Drift> {
        Drift::new(Watch { share, promised, goes_whole: true }, 3, seed)
    }

    /// A question that leaves at the first exit or not, and differs or not; whether it was of the sample.
    fn one(drift: &Arc<Drift>, leaves: bool, differs: bool) -> bool {
        let Some(mut slot) = drift.takes() else { return false };
        if leaves {
            slot.leaves(0, &[1.0, 0.0]);
            slot.ends(if differs { &[0.0, 1.0] } else { &[5.0, 0.0] });
        }
        true
    }

    /// Chance in thousandths, the same in every run.
    fn thousandths(n: u64, seed: u64) -> u64 {
        xxh3_64_with_seed(&n.to_le_bytes(), seed ^ 0x5eed) % 1_000
    }

    #[test]
    fn the_sample_is_its_share_of_all_questions_and_no_pattern_escapes_it() {
        for share in [0.01, 0.02, 0.5, 1.0] {
            let drift = drift(share, None, 7);
            let mut by_session = [0_u64; 50];
            for n in 0..100_000_u64 {
                by_session[(n % 50) as usize] += u64::from(one(&drift, n % 3 == 0, false));
            }
            let seen = drift.seen();
            let want = share * 1e5;
            // Four standard deviations of a binomial count.
            let apart = 4.0 * (want * (1.0 - share)).sqrt();
            assert!((seen.watched as f64 - want).abs() <= apart, "{share}: {}", seen.watched);
            let third = seen.early[0].seen as f64 - want / 3.0;
            assert!(third.abs() <= 4.0 * (want / 3.0).sqrt(), "{share}: {third}");
            // Fifty sessions that take turns are all seen, as one in fifty of all would not be.
            assert!(by_session.iter().all(|count| *count > 0), "{share}: {by_session:?}");
            assert_eq!((seen.skipped, seen.gone, seen.open), (0, 0, 0));
        }
        assert!(drift(0.0, None, 7).takes().is_none());
    }

    #[test]
    fn the_risk_is_that_of_all_questions_and_not_of_those_that_leave() {
        // A fifth leaves, of these a tenth differs: two of a hundred.
        let drift = drift(1.0, None, 1);
        for n in 0..10_000_u64 {
            assert!(one(&drift, n % 5 == 0, n % 50 == 0));
        }
        let seen = drift.seen();
        assert_eq!(seen.differs, Some(0.02));
        assert_eq!(seen.early[0], Since { seen: 2_000, lost: 200 });
        assert!(seen.bounds[0] < 0.02 && seen.bounds[1] > 0.02 && seen.bounds[1] < 0.03);
        assert_eq!(seen.holds, None, "nothing was promised");
    }

    /// Questions, of which half leave; of those so many thousandths differ, twice their share of all. After how many
    /// the promise is broken.
    fn breaks(drift: &Arc<Drift>, count: u64, differing: u64, seed: u64) -> Option<u64> {
        (0..count).find(|&n| {
            let (leaves, differs) =
                (thousandths(n, seed) < 500, thousandths(n, seed + 1) < differing);
            one(drift, leaves, differs);
            drift.is_shut()
        })
    }

    #[test]
    fn a_shift_is_seen_within_some_hundred_questions_at_two_in_a_hundred_and_nothing_before() {
        let (mut early, mut soon, mut later) = (0, 0, 0);
        for seed in 0..100 {
            let drift = drift(0.02, Some(PROMISED), seed);
            // Kept: 0.4 % of all.
            if breaks(&drift, 20_000, 8, 3 * seed).is_some() {
                early += 1;
                continue;
            }
            assert_eq!(drift.news("m"), None);
            // Then every second that leaves differs: a quarter of all.
            match breaks(&drift, 5_000, 500, 5 * seed + 1) {
                Some(n) if n < 500 => soon += 1,
                Some(n) if n < 2_000 => later += 1,
                _ => {}
            }
            let news = drift.news("m").expect("it is told");
            assert!(news.starts_with("model `m`: what was promised"), "{news}");
            assert_eq!((drift.news("m"), drift.takes().is_none()), (None, true), "once");
        }
        assert!(early <= 5, "{early} of 100 false alarms");
        assert!(soon >= 50 && soon + later >= 90, "{soon} within 500, {later} within 2000");
    }

    #[test]
    fn where_too_many_wait_no_more_are_taken_whatever_would_become_of_them() {
        let drift = drift(1.0, Some(PROMISED), 3);
        let wait = |_| {
            let mut slot = drift.takes()?;
            slot.leaves(1, &[1.0, 0.0]);
            Some(slot)
        };
        let waiting: Vec<Slot> = (0..200).map_while(wait).collect();
        assert_eq!(waiting.len(), FOLLOWED_MAX);
        (0..100).for_each(|_| assert!(!one(&drift, false, false)));
        assert_eq!((drift.seen().skipped, drift.seen().watched), (101, 0));
        // What was given up says nothing, and makes room.
        drop(waiting);
        assert!(one(&drift, false, false));
        let seen = drift.seen();
        assert_eq!((seen.gone, seen.watched, seen.open), (FOLLOWED_MAX as u64, 1, 0));
    }

    #[test]
    fn answers_that_are_none_say_nothing() {
        let drift = drift(1.0, None, 3);
        let mut slot = drift.takes().expect("all are of the sample");
        slot.leaves(0, &[1.0, 0.0]);
        slot.ends(&[f32::NAN, 1.0]);
        assert_eq!((drift.seen().gone, drift.seen().watched), (1, 0));
        drift.end();
        assert!(drift.takes().is_none());
    }

    #[test]
    fn throwaway_cost() {
        use crate::host::{Exits, Head, Signal};
        let exits = Exits {
            signal: Signal::Score,
            heads: vec![Head { temperature: 0.7, threshold: 0.95 }],
        };
        let logits = [2.0_f32, 0.5, -1.0];
        for share in [0.0, 0.02] {
            let drift = (share > 0.0).then(|| drift(share, Some(PROMISED), 7));
            let mut left = 0;
            let began = std::time::Instant::now();
            for n in 0..3_000_000_u64 {
                let slot = drift.as_ref().and_then(|drift| drift.takes());
                let l = std::hint::black_box(logits);
                let leaves = exits.leaves(0, &l);
                left += u64::from(leaves);
                if let (Some(mut slot), true) = (slot, n % 4 > 0) {
                    slot.leaves(0, &l);
                    slot.ends(&l);
                }
            }
            eprintln!("{share}: {:.1} ns {left}", began.elapsed().as_nanos() as f64 / 3e6);
        }
    }
}
