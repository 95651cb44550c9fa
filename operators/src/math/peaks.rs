//! Peaks of a signal as they pass: local maxima that stand out by enough, each decided as soon as
//! its surroundings allow.
//!
//! A peak is a sample, or the middle of several equal ones, with a smaller neighbour on either
//! side. Its prominence is how far one must go down from it, on the side where that is less,
//! before one meets a higher sample or has gone `reach` samples:
//!
//! ```text
//!                 ●                 ↕ prominence of b
//!        b ●     ╱ ╲                a's right side ends at b, c's left side at b;
//!   a ●   ╱ ╲   ╱   ╲               a is decided when the signal rises above it,
//!    ╱ ╲ ╱   ╲_╱     ╲              b when it has fallen by enough
//! ```
//!
//! The set of peaks is that of SciPy's `find_peaks(x, height, prominence=…, wlen=2 reach + 1)`.
//! While one waits for the signal to fall, lower ones behind it cannot stand out on their left
//! side, and a higher one ends it: so all that wait are equally high, and peaks are told in order.

use std::collections::VecDeque;

use super::state::{State, StateError, put_f64, put_u64};

/// Finds the peaks of a signal.
#[derive(Clone, Debug)]
pub struct Peaks {
    /// So many samples on either side count.
    reach: usize,
    /// The last `2 reach + 1` samples; sample n at n modulo their number.
    ring: Vec<f32>,
    /// Samples so far.
    seen: u64,
    last: f32,
    /// Where the last sample's value was reached from below.
    risen: Option<u64>,
    /// Peaks that stand out on their left side, all equally high, the first first.
    waiting: VecDeque<u64>,
    height: f32,
    /// The lowest sample since the first of them.
    low: f32,
}

/// What makes a local maximum a peak.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Demands {
    /// It is at least so high.
    pub height: f64,
    /// It stands out by at least so much.
    pub prominence: f64,
}

impl Peaks {
    /// Peaks are decided at most `reach` samples behind them.
    ///
    /// # Panics
    /// If `reach` is 0.
    pub fn new(reach: usize) -> Self {
        assert!(reach > 0, "a peak has neighbours");
        Self {
            reach,
            ring: vec![f32::NAN; 2 * reach + 1],
            seen: 0,
            last: f32::NAN,
            risen: None,
            waiting: VecDeque::with_capacity(reach + 1),
            height: 0.0,
            low: 0.0,
        }
    }

    /// Takes the next sample, and tells number and height of every peak that it decides, in order.
    /// In the place of one that is not finite stands the last one.
    pub fn push(&mut self, x: f32, demands: Demands, mut found: impl FnMut(u64, f32)) {
        let x = if x.is_finite() { x } else { self.last };
        let now = self.seen;
        self.seen += 1;
        let place = self.place(now);
        self.ring[place] = x;
        self.settle(now, x, demands, &mut found);
        let last = std::mem::replace(&mut self.last, x);
        if x > last {
            self.risen = Some(now);
        } else if x < last
            && let Some(from) = self.risen.take()
        {
            self.consider(u64::midpoint(from, now - 1), now, last, demands);
            self.settle(now, x, demands, &mut found);
        }
    }

    /// What the newest sample means to those that wait.
    fn settle(&mut self, now: u64, x: f32, demands: Demands, found: &mut impl FnMut(u64, f32)) {
        while self.waiting.front().is_some_and(|peak| now - peak > self.reach as u64) {
            self.waiting.pop_front();
        }
        if self.waiting.is_empty() {
            return;
        }
        if x > self.height {
            self.waiting.clear();
            return;
        }
        self.low = self.low.min(x);
        if is_below(self.low, self.height, demands.prominence) {
            self.waiting.drain(..).for_each(|peak| found(peak, self.height));
        }
    }

    /// Lets a local maximum wait if it is high enough and stands out on its left side.
    fn consider(&mut self, peak: u64, now: u64, height: f32, demands: Demands) {
        let is_near = now - peak <= self.reach as u64;
        if !is_near || f64::from(height) < demands.height {
            return;
        }
        let left = (peak.saturating_sub(self.reach as u64)..=peak).rev();
        for before in left.map(|number| self.ring[self.place(number)]) {
            if before > height {
                return;
            }
            if is_below(before, height, demands.prominence) {
                if self.waiting.is_empty() {
                    (self.height, self.low) = (height, height);
                }
                // A knob may have moved since a higher one began to wait.
                if self.height == height {
                    self.waiting.push_back(peak);
                }
                return;
            }
        }
    }

    fn place(&self, number: u64) -> usize {
        (number % self.ring.len() as u64) as usize
    }

    /// As made.
    pub fn reset(&mut self) {
        self.ring.fill(f32::NAN);
        self.waiting.clear();
        (self.seen, self.last, self.risen) = (0, f32::NAN, None);
        (self.height, self.low) = (0.0, 0.0);
    }

    /// Appends the state.
    pub(crate) fn save(&self, into: &mut Vec<u8>) {
        put_u64(into, self.seen);
        put_u64(into, self.risen.map_or(u64::MAX, |risen| risen));
        for level in [self.last, self.height, self.low] {
            put_f64(into, f64::from(level));
        }
        self.ring.iter().for_each(|sample| into.extend_from_slice(&sample.to_le_bytes()));
        put_u64(into, self.waiting.len() as u64);
        self.waiting.iter().for_each(|peak| put_u64(into, *peak));
    }

    /// Goes on from a saved state.
    pub(crate) fn load(&mut self, from: &mut State<'_>) -> Result<(), StateError> {
        let (mut risen, mut count) = (0, 0);
        from.u64(&mut self.seen)?;
        from.u64(&mut risen)?;
        from.demand(risen < self.seen || risen == u64::MAX)?;
        self.risen = (risen < self.seen).then_some(risen);
        for level in [&mut self.last, &mut self.height, &mut self.low] {
            let mut number = 0.0;
            from.f64(&mut number)?;
            *level = number as f32;
        }
        from.f32s(&mut self.ring)?;
        from.u64(&mut count)?;
        from.demand(count <= self.reach as u64 + 1)?;
        self.waiting.clear();
        for _ in 0..count {
            let mut peak = 0;
            from.u64(&mut peak)?;
            from.demand(peak < self.seen)?;
            self.waiting.push_back(peak);
        }
        Ok(())
    }
}

fn is_below(sample: f32, height: f32, prominence: f64) -> bool {
    f64::from(height) - f64::from(sample) >= prominence
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::{golden, random::Random};

    fn found(signal: &[f32], reach: usize, demands: Demands) -> Vec<(u64, usize)> {
        let mut peaks = Peaks::new(reach);
        let mut all = Vec::new();
        for (n, &x) in signal.iter().enumerate() {
            peaks.push(x, demands, |peak, height| {
                assert_eq!(height, signal[peak as usize]);
                all.push((peak, n));
            });
        }
        all
    }

    #[test]
    fn the_peaks_are_those_of_scipy() {
        let text = include_str!("../../../tests/golden/peaks.json");
        let mut checked = 0;
        for case in golden::cases(text) {
            let number = |key| golden::numbers(case, key)[0];
            let (step, levels) = (number("step") as usize, number("levels") as usize);
            // The walk of the script: whole numbers, many of them equal.
            let signal: Vec<f32> = (0..600)
                .map(|n| ((n * 7_919 + n * n * step) % levels) as f32 - (n % 90 / 9) as f32)
                .collect();
            let demands = Demands { height: number("height"), prominence: number("prominence") };
            let got = found(&signal, number("wlen") as usize / 2, demands);
            let want = golden::numbers(case, "peaks");
            assert_eq!(got.iter().map(|peak| peak.0 as f64).collect::<Vec<_>>(), want, "{case}");
            checked += want.len();
        }
        assert!(checked > 100, "{checked} peaks");
    }

    #[test]
    fn a_peak_is_decided_when_the_signal_has_fallen_and_never_later_than_its_reach() {
        let signal = [0.0, 2.0, 5.0, 4.0, 3.0, 3.5, 2.0, 0.0];
        let demands = |prominence| Demands { height: 0.0, prominence };
        assert_eq!(found(&signal, 100, demands(3.0)), [(2, 6)]);
        assert_eq!(found(&signal, 100, demands(0.5)), [(2, 3), (5, 6)]);
        assert_eq!(found(&signal, 3, demands(3.0)), [], "it falls by 3 behind its reach");

        let mut random = Random::new(1);
        let noise: Vec<f32> = (0..5_000).map(|_| random.below(40) as f32).collect();
        for reach in [1, 2, 9] {
            let all = found(&noise, reach, demands(7.0));
            assert!(all.len() > 100 && all.is_sorted(), "{reach}");
            assert!(all.iter().all(|(peak, at)| at - *peak as usize <= reach), "{reach}");
        }
    }

    #[test]
    fn a_flat_top_is_one_peak_in_its_middle_and_a_long_one_none() {
        let flat = |len: usize| {
            let mut signal = vec![1.0; len + 2];
            (signal[0], signal[len + 1]) = (0.0, 0.0);
            found(&signal, 10, Demands { height: 0.0, prominence: 0.0 })
        };
        assert_eq!(flat(4), [(2, 5)]);
        assert_eq!(flat(19), [(10, 20)]);
        assert_eq!(flat(21), []);
    }

    #[test]
    fn what_is_missing_is_taken_as_the_last_sample() {
        let demands = Demands { height: 0.0, prominence: 1.0 };
        let signal = [0.0, 3.0, 3.0, 0.0];
        let mut peaks = Peaks::new(5);
        let mut all = Vec::new();
        for x in [0.0, 3.0, f32::NAN, 0.0] {
            peaks.push(x, demands, |peak, _| all.push(peak));
        }
        assert_eq!(all, [found(&signal, 5, demands)[0].0]);
    }
}
