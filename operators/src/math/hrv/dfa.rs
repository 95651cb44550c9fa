//! Detrended fluctuation analysis, α1: scales of 4 to 11 beats (Peng 1995, Chaos 5:82).
//!
//! ```text
//! profile   y(i) = Σ up to i of (NN − mean)
//! F(w)      root mean square of what straight lines leave of y in segments of w beats, that begin
//!           every ⌊w/2⌋ beats from the first interval of the window on
//! α1        slope of log F over log w
//! ```
//!
//! As neurokit2 has it: segments overlap, that which would end with the last interval is left out,
//! and those in which a line leaves no more than 1e-8 ms² do not count. What the mean adds to the
//! profile is a straight line, which each segment takes out again: so a segment's rest follows from
//! its own beats, and stays as the window slides. Rests are kept as sums per scale and per phase of
//! the segments' grid: an interval that enters makes one new segment per scale, one that leaves takes
//! one along. With whole nanoseconds all of it is exact.

use std::collections::VecDeque;

/// Segments of so many beats.
pub(super) const SCALES: [usize; 8] = [4, 5, 6, 7, 8, 9, 10, 11];
const LONGEST: usize = SCALES[SCALES.len() - 1];
/// neurokit2 computes nothing of fewer.
const INTERVALS_MIN: usize = 12;

#[derive(Clone, Debug)]
pub(super) struct Dfa {
    intervals: VecDeque<i64>,
    /// How many have left since the window was empty, over what all grids repeat after.
    first: u32,
    /// Per scale and phase: rests of the segments that begin there, and how many leave one.
    rests: [[Rests; LONGEST / 2]; SCALES.len()],
}

#[derive(Clone, Copy, Debug, Default)]
struct Rests {
    sum: i128,
    count: i64,
}

impl Dfa {
    pub(super) fn new(capacity: usize) -> Self {
        let intervals = VecDeque::with_capacity(capacity);
        Self { intervals, first: 0, rests: Default::default() }
    }

    pub(super) fn add(&mut self, rr_ns: i64) {
        self.intervals.push_back(rr_ns);
        // The segment that ends in front of the new one is complete, and no longer the last.
        let behind = self.intervals.len() - 1;
        for (scale, width) in SCALES.into_iter().enumerate() {
            if let Some(start) = behind.checked_sub(width) {
                self.change(scale, width, start, 1);
            }
        }
    }

    pub(super) fn remove(&mut self) {
        for (scale, width) in SCALES.into_iter().enumerate() {
            if self.intervals.len() > width {
                self.change(scale, width, 0, -1);
            }
        }
        self.intervals.pop_front();
        self.first = (self.first + 1) % REPEAT;
    }

    pub(super) fn clear(&mut self) {
        self.intervals.clear();
        self.first = 0;
        self.rests = Default::default();
    }

    fn change(&mut self, scale: usize, width: usize, start: usize, sign: i64) {
        let rest = rest(self.intervals.range(start..start + width), width);
        if is_counted(rest, width) {
            let rests = &mut self.rests[scale][phase(self.first as usize + start, width)];
            rests.sum += i128::from(sign) * rest;
            rests.count += sign;
        }
    }

    /// The slope; `None` of too few intervals, or where a scale leaves nothing.
    pub(super) fn alpha1(&self) -> Option<f64> {
        if self.intervals.len() < INTERVALS_MIN {
            return None;
        }
        let mut points = [(0.0, 0.0); SCALES.len()];
        for (scale, width) in SCALES.into_iter().enumerate() {
            let Rests { sum, count } = self.rests[scale][phase(self.first as usize, width)];
            if count == 0 {
                return None;
            }
            let variance = sum as f64 / (whole(width) * width as i128) as f64 / count as f64;
            points[scale] = ((width as f64).ln(), 0.5 * variance.ln());
        }
        Some(slope(&points))
    }
}

/// Segments of two to five beats apart lie alike after so many.
const REPEAT: u32 = 60;

/// On which of the grids of a scale a segment lies. 32 bits divide fast.
fn phase(number: usize, width: usize) -> usize {
    (number as u32 % (width as u32 / 2)) as usize
}

/// What a straight line leaves, as a sum of squares, is a whole number of ns² over this.
fn whole(width: usize) -> i128 {
    let w = width as i128;
    w * (w * w - 1)
}

/// The sum of squares that a straight line leaves of the profile of a segment, times [`whole`]:
/// with x = 2i − (w − 1), A = w Σy² − (Σy)² and B = Σ x y, it is A (w² − 1) − 3 B².
fn rest<'a>(intervals: impl Iterator<Item = &'a i64>, width: usize) -> i128 {
    let (mut profile, mut sum, mut squared, mut sloped) = (0_i64, 0_i64, 0_i128, 0_i64);
    let mut x = 1 - width as i64;
    for rr_ns in intervals {
        profile += rr_ns;
        sum += profile;
        squared += i128::from(profile) * i128::from(profile);
        sloped += x * profile;
        x += 2;
    }
    let w = width as i128;
    let (sum, sloped) = (i128::from(sum), i128::from(sloped));
    (w * squared - sum * sum) * (w * w - 1) - 3 * sloped * sloped
}

/// Whether the variance is above 1e-8 ms², 1e4 ns².
fn is_counted(rest: i128, width: usize) -> bool {
    rest > 10_000 * whole(width) * width as i128
}

/// The slope of the straight line through points that fits best.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let of = |f: &dyn Fn(f64, f64) -> f64| points.iter().map(|p| f(p.0 - x, p.1 - y)).sum::<f64>();
    of(&|dx, dy| dx * dy) / of(&|dx, _| dx * dx)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::random::Random;

    #[test]
    fn what_a_line_leaves_is_what_least_squares_say() {
        // The profile 1 3 6 10 has the line 0.5 + 3 (i − 1.5) + …: left are 0.5, −0.5, −0.5, 0.5.
        let left = rest([1, 2, 3, 4].iter(), 4) as f64 / whole(4) as f64;
        assert_eq!(left, 1.0);
        assert_eq!(rest([5, 5, 5, 5, 5].iter(), 5), 0, "what grows evenly is a line");
    }

    #[test]
    fn noise_scales_with_a_half_and_its_sum_with_one_and_a_half() {
        let mut random = Random::new(8);
        let (mut noise, mut walk) = (Dfa::new(40_000), Dfa::new(40_000));
        let mut level = 0.0;
        for _ in 0..40_000 {
            let step = random.normals().0;
            level += step;
            noise.add((8e8 + 4e7 * step) as i64);
            walk.add((8e8 + 1e6 * level) as i64);
        }
        // Short scales of DFA are known to read 0.1 to 0.2 high (Kantelhardt 2001); 40 000 beats leave
        // an error of some 0.01.
        let (noise, walk) = (noise.alpha1().expect("many"), walk.alpha1().expect("many"));
        assert!((0.5..0.75).contains(&noise), "{noise}");
        assert!((1.4..1.65).contains(&walk), "{walk}");
    }

    #[test]
    fn a_window_that_slid_is_as_one_filled_afresh() {
        let mut random = Random::new(2);
        let mut dfa = Dfa::new(64);
        let beats: Vec<i64> = (0..300).map(|_| (8e8 + 5e7 * random.normals().0) as i64).collect();
        for end in 1..=beats.len() {
            dfa.add(beats[end - 1]);
            if end > 50 {
                dfa.remove();
            }
            let mut fresh = Dfa::new(64);
            beats[end.saturating_sub(50)..end].iter().for_each(|rr_ns| fresh.add(*rr_ns));
            assert_eq!(dfa.alpha1(), fresh.alpha1(), "{end}");
        }
    }
}
