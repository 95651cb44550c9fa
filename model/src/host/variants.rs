//! [`Choice`]: which of a model's variants a question is put to. A state machine: it is told the time.
//!
//! Variants stand on their front, the cheapest first, each more accurate than the one before. A [`Quality`] from
//! 0 to 1 names a place on it; [`Quality::Auto`] takes the most accurate one whose answer is expected in
//! time, with something to spare: what waits before it and its own run, both as learned. The idea of `SuperServe`'s `SlackFit`
//! (NSDI'25), on costs that are measured while they serve.

use std::cmp::Ordering;

use engine::{ParamType, Value};

use crate::batch::with_slack;

/// How accurate answers are to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Quality {
    /// A place on the front, from 0, the cheapest variant, to 1, the most accurate.
    At(f64),
    /// The most accurate variant whose answer is expected in time.
    Auto,
}

impl Quality {
    /// As written where a word is: "auto".
    pub const AUTO: &str = "auto";
}

impl ParamType for Quality {
    const TYPE: &'static str = "a number from 0 to 1, or \"auto\"";
    type Read<'a> = Self;

    fn read(value: &Value) -> Option<Self> {
        if value.as_text() == Some(Self::AUTO) {
            return Some(Self::Auto);
        }
        value.as_number().map(Self::At)
    }

    fn default_read<'a>(default: Self) -> Self::Read<'a> {
        default
    }

    fn show(self) -> String {
        match self {
            Self::At(place) => format!("{place:?}"),
            Self::Auto => format!("{:?}", Self::AUTO),
        }
    }

    fn numbers(value: &Value) -> Vec<f64> {
        value.as_number().into_iter().collect()
    }
}

/// The place of a quality, 0 to 1, among `count` variants. Never falls as the quality rises.
pub fn place_of(quality: f64, count: usize) -> usize {
    let last = count.saturating_sub(1);
    ((quality.clamp(0.0, 1.0) * last as f64).round() as usize).min(last)
}

/// What was measured of a variant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Of a run with one question.
    pub latency_ms: f64,
    /// Share of right answers, 0 to 1.
    pub accuracy: f64,
}

/// The places of those worth using, the cheapest first: each is more accurate than all that are no slower.
pub fn front(points: &[Point]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by(|&a, &b| {
        let (a, b) = (&points[a], &points[b]);
        let by_latency = a.latency_ms.total_cmp(&b.latency_ms);
        by_latency.then_with(|| b.accuracy.total_cmp(&a.accuracy))
    });
    let mut best = f64::NEG_INFINITY;
    order.retain(|&at| {
        let is_better = points[at].accuracy.partial_cmp(&best) == Some(Ordering::Greater);
        best = best.max(points[at].accuracy);
        is_better
    });
    order
}

/// What a question put to a variant would have to expect, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outlook {
    /// What waits and runs before it.
    pub wait: i64,
    /// Its own run.
    pub run: i64,
}

/// Which variant to ask, for questions of about one deadline.
///
/// A variant is barred as soon as what waits takes more than its part of the time that is left to wait: the
/// rest is for those who come behind. That part is a half for the second cheapest and falls in even steps
/// towards the best, so that under load one is left after the other. It comes back once, for a whole dwell,
/// what waits took no more than half of its part. So none changes more than twice in a dwell, however the
/// load swings. `benches/variants.rs` tells what that is worth; larger parts make answers a little more
/// accurate and more of them late.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    dwell: i64,
    /// Of each variant; the cheapest is never barred.
    bars: Vec<Bar>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Bar {
    is_shut: bool,
    until: i64,
}

impl Choice {
    /// For so many variants; a variant that was too much comes back after `dwell` nanoseconds.
    pub fn new(count: usize, dwell: i64) -> Self {
        Self { dwell, bars: vec![Bar::default(); count] }
    }

    /// The variant for a question that comes now and has `left` nanoseconds; one without an outlook is not
    /// asked now. Allocates nothing.
    pub fn choose(
        &mut self,
        now: i64,
        left: i64,
        outlook: impl Fn(usize) -> Option<Outlook>,
    ) -> usize {
        let count = self.bars.len();
        for variant in (1..count).rev() {
            let Some(Outlook { wait, run }) = outlook(variant) else { continue };
            let spare = left.saturating_sub(with_slack(run));
            if spare < 0 {
                // Too slow with nobody before it: that says nothing about the load.
                continue;
            }
            let bar = &mut self.bars[variant];
            let part = spare / (2 * (count - 1)) as i64 * (count - variant) as i64;
            let allowed = if bar.is_shut { part / 2 } else { part };
            if wait > allowed {
                *bar = Bar { is_shut: true, until: now.saturating_add(self.dwell) };
            } else if !bar.is_shut || now >= bar.until {
                bar.is_shut = false;
                return variant;
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    fn point(latency_ms: f64, accuracy: f64) -> Point {
        Point { latency_ms, accuracy }
    }

    /// Three variants of 1, 4 and 16 ms behind a wait of so much.
    fn behind(wait: i64) -> impl Fn(usize) -> Option<Outlook> {
        move |variant| Some(Outlook { wait, run: MS << (2 * variant) })
    }

    #[test]
    fn the_front_leaves_out_what_another_beats() {
        let points =
            [point(9.0, 0.9), point(1.0, 0.7), point(5.0, 0.7), point(9.0, 0.8), point(4.0, 0.85)];
        assert_eq!(front(&points), [1, 4, 0]);
        assert_eq!(front(&[point(1.0, 0.5), point(1.0, 0.5)]), [0]);
        assert_eq!(front(&[point(1.0, f64::NAN), point(2.0, 0.5)]), [1]);
        assert_eq!(front(&[]), [0_usize; 0]);
    }

    #[test]
    fn the_knob_walks_the_whole_front_and_never_back() {
        for count in 1..=8 {
            let places: Vec<usize> =
                (0..=1_000).map(|q| place_of(f64::from(q) / 1e3, count)).collect();
            assert!(places.is_sorted());
            assert_eq!((places[0], places[1_000]), (0, count - 1));
            let mut seen = places.clone();
            seen.dedup();
            assert_eq!(seen.len(), count, "each is somewhere");
        }
    }

    #[test]
    fn the_most_accurate_that_is_in_time_is_taken() {
        let chosen = |left: i64, wait: i64| Choice::new(3, 0).choose(0, left, behind(wait));
        assert_eq!(chosen(i64::MAX, 0), 2);
        assert_eq!(chosen(20 * MS, 0), 2);
        assert_eq!(chosen(16 * MS, 0), 1, "the slack does not fit");
        assert_eq!(chosen(20 * MS, 4 * MS), 1);
        assert_eq!(chosen(3 * MS, 0), 0);
        assert_eq!(chosen(0, 0), 0, "the cheapest is always there");
        // Every choice but the cheapest is expected in time, and the next better one is not.
        for left in (0..40 * MS).step_by(777_777) {
            for wait in (0..40 * MS).step_by(999_999) {
                let at = chosen(left, wait);
                let fits = |variant: usize| {
                    let Some(Outlook { wait, run }) = behind(wait)(variant) else { return false };
                    let spare = left - with_slack(run);
                    spare >= 0 && wait <= spare / 4 * (3 - variant as i64)
                };
                assert!(at == 0 || fits(at));
                assert!(at == 2 || !fits(at + 1));
            }
        }
    }

    #[test]
    fn it_falls_at_once_and_returns_after_a_dwell_of_calm() {
        let mut choice = Choice::new(3, 100 * MS);
        let mut at = |ms: i64, wait: i64| choice.choose(ms * MS, 50 * MS, behind(wait * MS));
        assert_eq!(at(0, 8), 2);
        assert_eq!(at(1, 9), 1, "8.42 ms are a quarter of what is left to wait");
        assert_eq!(at(2, 0), 1);
        // More than half of them: it is not calm yet.
        assert_eq!(at(60, 5), 1);
        assert_eq!(at(110, 0), 1, "calm since 60 ms alone");
        assert_eq!(at(159, 4), 1);
        assert_eq!(at(160, 4), 2);
        assert_eq!((at(161, 23), at(162, 0)), (0, 0), "22.96 ms are half of it");
    }

    #[test]
    fn one_that_is_closed_is_passed_over_however_long_there_is() {
        let closed = |at: usize| move |variant| behind(0)(variant).filter(|_| variant != at);
        for left in [i64::MAX, 20 * MS] {
            assert_eq!(Choice::new(3, 0).choose(0, left, closed(2)), 1);
            assert_eq!(Choice::new(3, 0).choose(0, left, closed(1)), 2);
        }
    }

    #[test]
    fn a_tight_deadline_bars_nobody() {
        let mut choice = Choice::new(3, 100 * MS);
        assert_eq!(choice.choose(0, 5 * MS, behind(0)), 1);
        assert_eq!(choice.choose(1, 50 * MS, behind(0)), 2);
    }

    #[test]
    fn it_changes_no_more_than_the_dwell_allows() {
        let (dwell, ends) = (50 * MS, 10_000 * MS);
        let mut choice = Choice::new(2, dwell);
        let (mut before, mut changes) = (1, 0);
        // A wait that swings every millisecond between nothing and too much.
        for now in (0..ends).step_by(MS as usize / 4) {
            let wait = if (now / MS) % 60 < 55 { 0 } else { 60 * MS };
            let at = choice.choose(now, 40 * MS, behind(wait));
            changes += i64::from(at != before);
            before = at;
        }
        assert!(changes >= 100, "it goes both ways: {changes}");
        assert!(changes <= 2 * (ends / dwell) + 1, "{changes} changes");
    }

    /// One executor, first come first served, that leaves out what would be late: the share answered in time,
    /// and how accurate those answers are in the mean.
    fn played(mut choose: impl FnMut(i64, i64, i64) -> usize) -> (f64, f64) {
        const ACCURACY: [f64; 3] = [0.7, 0.8, 0.9];
        let (mut free, mut now, mut asked, mut good, mut right) = (0, 0, 0.0, 0.0, 0.0);
        // 20 a second; in every third of a second a burst of 400 a second for 100 ms.
        while now < 30_000 * MS {
            let left = 50 * MS;
            let at = choose(now, left, (free - now).max(0));
            let ends = free.max(now) + (MS << (2 * at));
            asked += 1.0;
            if ends <= now + left {
                free = ends;
                good += 1.0;
                right += ACCURACY[at];
            }
            now += if now % (333 * MS) < 100 * MS { 5 * MS / 2 } else { 50 * MS };
        }
        (good / asked, right / good)
    }

    #[test]
    fn in_bursts_it_is_as_punctual_as_the_cheapest_and_more_accurate() {
        let mut choice = Choice::new(3, 100 * MS);
        let (attained, accuracy) = played(|now, left, wait| choice.choose(now, left, behind(wait)));
        let alone: Vec<(f64, f64)> = (0..3).map(|at| played(|_, _, _| at)).collect();
        assert!(alone[2].0 < 0.5, "the largest is too slow for bursts: {alone:?}");
        assert_eq!(attained, 1.0, "{alone:?}");
        // Of those alone the cheapest answers all.
        let same = alone.iter().rposition(|one| one.0 >= attained);
        assert_eq!(same, Some(0), "{alone:?}");
        assert!(accuracy > alone[0].1 + 0.02, "{accuracy}");
    }
}
