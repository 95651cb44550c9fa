//! Artefacts in a row of heart beats, found and corrected after Lipponen and Tarvainen 2019 (J Med Eng
//! Technol 43:173), as neurokit2's `signal_fixpeaks(method = "kubios", iterative = False)`.
//!
//! ```text
//! dRR[i]  RR[i] − RR[i−1], over Th1    Th1 = 5.2 · QD(|dRR|)     QD: half the interquartile range
//! mRR[i]  RR[i] − median of the 11 around it, doubled below 0;  Th2 = 5.2 · QD(|mRR|)
//! s12, s22  what neighbours of dRR say: the greater (or lesser) of those beside it, the lesser (or
//!           greater) of the two behind it
//! ```
//!
//! | class     | means                        | becomes                                         |
//! |-----------|------------------------------|-------------------------------------------------|
//! | ectopic   | early or late, then the rest | moved halfway between its neighbours            |
//! | longshort | long or short for no reason  | moved halfway between its neighbours, after those |
//! | missed    | a beat was not detected      | one more, halfway                               |
//! | extra     | a beat that was none         | none                                            |
//!
//! **In one pass.** Quartiles are those of 91 beats. The paper takes 45 on either side, and 5 more for
//! the median: its decision comes a minute late. Here `ahead_beats` says how many are waited for; the
//! window then reaches so much further back. With 50 it is the paper's. A beat is decided five later:
//! three of them for the neighbours of the rule, two for what is moved.
//!
//! **The beginning** differs from neurokit2, which takes the mean of all intervals for the first: here
//! the first has no change, and nothing is judged before the quartiles rest on 20 beats. Where they
//! are equal (a pacemaker, coarse clocks) nothing is judged either. Behind the second beat that it
//! leaves out, neurokit2 loses count and moves the neighbour of a beat; here the beat itself is moved.

mod correction;
mod saved;

use std::collections::VecDeque;

use super::sorted::{Sorted, quantile};

pub use correction::Corrected;
use correction::Correction;

/// Beats whose quartiles make a threshold.
const WINDOW: usize = 91;
/// Beats on either side of one that its median rests on.
const MEDIAN_SIDE: usize = 5;
/// Quartiles of fewer mean nothing.
const TRUSTED_MIN: usize = 20;
/// Threshold over quartile deviation: what 3.4 standard deviations of a normal distribution are.
const ALPHA: f64 = 5.2;
/// Slope and offset of the border of ectopic beats.
const BORDER: [f64; 2] = [0.13, 0.17];
/// Beats behind one that its rule looks at.
const BEHIND: usize = 3;

/// How many beats may be waited for.
pub const AHEAD_BEATS: [usize; 2] = [MEDIAN_SIDE, WINDOW / 2 + MEDIAN_SIDE];
/// Beats between one and its decision, besides those waited for.
pub const DECISION_BEATS: usize = BEHIND + 2;

/// What a beat is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Class {
    /// Nothing is wrong with it.
    #[default]
    Normal,
    /// Early, then a pause; or late, then early.
    Ectopic,
    /// Its interval is far too long or short, and it is nothing of the others.
    LongShort,
    /// Before it one was missed.
    Missed,
    /// It is none.
    Extra,
}

/// Finds artefacts in beats, and corrects them, some beats later.
#[derive(Clone, Debug)]
pub struct Artefacts {
    ahead: usize,
    points: VecDeque<Point>,
    /// The number of the first point.
    base: usize,
    /// How many beats have a median, thresholds, and a class.
    medians: usize,
    judged: usize,
    classified: usize,
    changes: Window,
    deviations: Window,
    /// The class of the next beat, where it was found with the one before.
    next: Option<Class>,
    correction: Correction,
}

/// A beat with what is known of it.
#[derive(Clone, Copy, Debug, Default)]
struct Point {
    time_ns: i64,
    rr_ns: i64,
    change_ns: i64,
    /// Twice the median, and twice the deviation from it.
    median_2: i64,
    deviation_2: i64,
    /// Change over its threshold, deviation over its; NaN where nothing is judged.
    change: f64,
    deviation: f64,
    /// The threshold of the deviation.
    reach_ns: f64,
}

/// Magnitudes in order, of the beats from one number to another.
#[derive(Clone, Debug)]
struct Window {
    sorted: Sorted<i64>,
    from: usize,
    to: usize,
}

impl Artefacts {
    /// Waits for so many beats behind the one that is judged.
    ///
    /// # Panics
    /// If they are not within [`AHEAD_BEATS`].
    pub fn new(ahead_beats: usize) -> Self {
        assert!((AHEAD_BEATS[0]..=AHEAD_BEATS[1]).contains(&ahead_beats), "{ahead_beats} beats");
        let window = || Window { sorted: Sorted::with_capacity(WINDOW + 1), from: 0, to: 0 };
        Self {
            ahead: ahead_beats,
            points: VecDeque::with_capacity(2 * WINDOW),
            base: 0,
            medians: 0,
            judged: 0,
            classified: 0,
            changes: window(),
            deviations: window(),
            next: None,
            correction: Correction::default(),
        }
    }

    /// Takes a beat, which is after all others; gives what has become certain.
    pub fn push(&mut self, time_ns: i64, out: &mut impl FnMut(Corrected)) {
        let before = self.points.back().copied().unwrap_or(Point { time_ns, ..Point::default() });
        let rr_ns = time_ns.saturating_sub(before.time_ns);
        // Neither the first interval nor its change is known.
        let change_ns = if self.count() < 2 { 0 } else { rr_ns - before.rr_ns };
        self.points.push_back(Point { time_ns, rr_ns, change_ns, ..Point::default() });
        if self.count() == 2 {
            self.points[0].rr_ns = rr_ns;
        }
        self.go_on(false, out);
        let oldest = self.judged.saturating_sub(WINDOW + 2).min(self.classified.saturating_sub(2));
        while self.base < oldest {
            self.points.pop_front();
            self.base += 1;
        }
    }

    /// Gives what is still waiting, judged by what is there; the next beat is the first.
    pub fn end(&mut self, out: &mut impl FnMut(Corrected)) {
        self.go_on(true, out);
        self.correction.end(out);
        self.reset();
    }

    /// Whether beats wait for their decision.
    pub fn is_waiting(&self) -> bool {
        self.count() > 0
    }

    /// As made.
    pub fn reset(&mut self) {
        self.points.clear();
        (self.base, self.medians, self.judged, self.classified) = (0, 0, 0, 0);
        self.changes.clear();
        self.deviations.clear();
        self.next = None;
        self.correction = Correction::default();
    }

    fn count(&self) -> usize {
        self.base + self.points.len()
    }

    fn go_on(&mut self, is_end: bool, out: &mut impl FnMut(Corrected)) {
        let count = self.count();
        let is_known = |number: usize, behind: usize, of: usize| {
            number + behind < of || (is_end && number < count)
        };
        while is_known(self.medians, MEDIAN_SIDE, count) {
            self.find_median(self.medians);
            self.medians += 1;
        }
        while is_known(self.judged, self.ahead, count) {
            self.judge(self.judged);
            self.judged += 1;
        }
        while is_known(self.classified, BEHIND, self.judged) {
            let class = self.next.take().unwrap_or_else(|| self.classify(self.classified));
            let time_ns = self.point(self.classified).time_ns;
            self.classified += 1;
            self.correction.push(time_ns, class, out);
        }
    }

    fn point(&self, number: usize) -> &Point {
        &self.points[number - self.base]
    }

    fn find_median(&mut self, number: usize) {
        let from = number.saturating_sub(MEDIAN_SIDE).max(self.base) - self.base;
        let to = (number + MEDIAN_SIDE + 1).min(self.count()) - self.base;
        let mut around = [0; 2 * MEDIAN_SIDE + 1];
        let around = &mut around[..to - from];
        for (rr_ns, point) in around.iter_mut().zip(self.points.range(from..to)) {
            *rr_ns = point.rr_ns;
        }
        around.sort_unstable();
        let median_2 = around[around.len() / 2] + around[(around.len() - 1) / 2];
        let point = &mut self.points[number - self.base];
        let off_2 = 2 * point.rr_ns - median_2;
        point.median_2 = median_2;
        point.deviation_2 = if off_2 < 0 { 2 * off_2 } else { off_2 };
    }

    fn judge(&mut self, number: usize) {
        let (count, medians, base) = (self.count(), self.medians, self.base);
        let side = WINDOW / 2;
        let (points, changes) = (&self.points, &mut self.changes);
        let of = |number: usize| points[number - base].change_ns.abs();
        let change_max = changes.threshold(number, self.ahead.min(side), count, of);
        let of = |number: usize| points[number - base].deviation_2.abs();
        let ahead = (self.ahead - MEDIAN_SIDE).min(side);
        let deviation_max_2 = self.deviations.threshold(number, ahead, medians, of);
        let point = &mut self.points[number - self.base];
        point.change = point.change_ns as f64 / change_max;
        point.deviation = point.deviation_2 as f64 / deviation_max_2;
        point.reach_ns = deviation_max_2 / 2.0;
    }

    /// The change of a beat over its threshold; at the ends as if time turned there.
    fn change(&self, number: usize, step: isize) -> f64 {
        let last = self.count() as isize - 1;
        let number = (number as isize + step).abs();
        let number = if number > last { 2 * last - number } else { number };
        self.point(number.max(0) as usize).change
    }

    fn classify(&mut self, number: usize) -> Class {
        let change = self.change(number, 0);
        if number + 2 >= self.count() || change.is_nan() || change.abs() <= 1.0 {
            return Class::Normal;
        }
        let [slope, offset] = BORDER;
        // A beat beside it that is not judged says nothing.
        let (before, behind) = (self.change(number, -1), self.change(number, 1));
        let is_ectopic = if change > 0.0 {
            before.max(behind) < -slope * change - offset
        } else {
            before.min(behind) > -slope * change + offset
        };
        if is_ectopic {
            return Class::Ectopic;
        }
        if self.change(number, 1).abs() < self.change(number, 2).abs() {
            self.next = Some(self.long_or_short(number + 1));
        }
        self.long_or_short(number)
    }

    fn long_or_short(&self, number: usize) -> Class {
        let (change, point) = (self.change(number, 0), self.point(number));
        let (one, two) = (self.change(number, 1), self.change(number, 2));
        let is_long = change > 1.0 && one.min(two) < -1.0;
        let is_short = change < -1.0 && one.max(two) > 1.0;
        if !(is_long || is_short || point.deviation.abs() > 3.0) {
            return Class::Normal;
        }
        let (rr_ns, median_ns) = (point.rr_ns as f64, point.median_2 as f64 / 2.0);
        let next_ns = if number + 1 < self.count() { self.point(number + 1).rr_ns } else { 0 };
        let is_within = |sum_ns: f64| (sum_ns - median_ns).abs() < point.reach_ns;
        if is_short && is_within(rr_ns + next_ns as f64) {
            Class::Extra
        } else if is_long && is_within(rr_ns / 2.0) {
            Class::Missed
        } else {
            Class::LongShort
        }
    }
}

impl Window {
    /// Moves on to the beats around one, of those known, and gives their threshold; NaN where they are
    /// too few or too much alike.
    fn threshold(
        &mut self,
        number: usize,
        ahead: usize,
        known: usize,
        of: impl Fn(usize) -> i64,
    ) -> f64 {
        let from = (number + ahead + 1).saturating_sub(WINDOW);
        let to = (number + ahead + 1).min(known);
        while self.from < from {
            self.sorted.remove(of(self.from));
            self.from += 1;
        }
        while self.to < to {
            self.sorted.insert(of(self.to));
            self.to += 1;
        }
        let sorted = self.sorted.as_slice();
        let quartiles = quantile(sorted, 0.25).zip(quantile(sorted, 0.75));
        match quartiles {
            Some((low, high)) if sorted.len() >= TRUSTED_MIN && high > low => {
                ALPHA * (high - low) / 2.0
            }
            _ => f64::NAN,
        }
    }

    fn clear(&mut self) {
        self.sorted.clear();
        (self.from, self.to) = (0, 0);
    }
}

#[cfg(test)]
mod tests;
