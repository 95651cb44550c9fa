//! The equalized signal as it was a moment ago.

use super::equalizer::LANES;
use crate::math::state::{State, StateError};

/// The equalized signal of the last half second.
#[derive(Clone, Debug)]
pub(super) struct Wave([f32; WAVE]);

/// Half a second at the highest inner rate, and a power of two.
pub(super) const WAVE: usize = 128;

impl Wave {
    pub(super) fn new() -> Self {
        Self([0.0; WAVE])
    }

    pub(super) fn put(&mut self, index: u64, sample: f32) {
        self.0[index as usize % WAVE] = sample;
    }

    #[inline]
    pub(super) fn at(&self, index: u64) -> f32 {
        self.0[index as usize % WAVE]
    }

    /// What is still known around `peak` when `now` is the newest.
    pub(super) fn around(&self, peak: u64, now: u64) -> Around {
        let first = (now + 1).saturating_sub(WAVE as u64);
        let mut copy = [0.0; WAVE + LANES];
        for (y, index) in copy.iter_mut().zip(first..=now) {
            *y = self.at(index);
        }
        Around {
            copy,
            count: (now + 1 - first) as usize,
            origin: (first as i64 - peak as i64).clamp(-FAR, FAR) as i32,
        }
    }

    pub(super) fn visit(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        state.f32s(&mut self.0)
    }
}

/// A peak searched back for may have left the wave by any number of samples; they need not be told
/// apart, and so positions fit in 32 bits.
const FAR: i64 = 1 << 30;

/// A copy of the wave in one piece, addressed relative to the envelope's peak.
pub(super) struct Around {
    copy: [f32; WAVE + LANES],
    count: usize,
    /// Position of the first sample.
    origin: i32,
}

impl Around {
    /// `count` samples from position `first` on and zeros or further samples up to whole lanes, or
    /// nothing if one of them is not known.
    pub(super) fn part(&self, first: i32, count: usize) -> Option<&[f32]> {
        let first = usize::try_from(first - self.origin).ok()?;
        let known = first + count <= self.count;
        known.then(|| &self.copy[first..first + count.next_multiple_of(LANES)])
    }

    /// Σ of samples from position `first` on times `taps`. What is not known counts as nothing.
    pub(super) fn product(&self, first: i32, taps: &[f32]) -> f32 {
        let from = i64::from(first) - i64::from(self.origin);
        let (skip, at) = ((-from).max(0) as usize, from.max(0) as usize);
        let known = self.copy[..self.count].get(at..).unwrap_or_default();
        let taps = taps.get(skip..).unwrap_or_default();
        known.iter().zip(taps).map(|(x, tap)| x * tap).sum()
    }

    pub(super) fn at(&self, i: i32) -> f32 {
        self.copy[(i - self.origin) as usize]
    }

    /// Positions up to `reach` from the peak whose neighbours at `margin` are known.
    pub(super) fn within(&self, reach: i32, margin: i32) -> std::ops::RangeInclusive<i32> {
        let end = self.origin + self.count as i32 - 1;
        (self.origin + margin).max(-reach)..=(end - margin).min(reach)
    }

    /// Climbs from `from` to the extremum, by `steps` at most.
    pub(super) fn extremum(&self, from: i32, upward: bool, steps: i32) -> i32 {
        let sign = if upward { 1.0 } else { -1.0 };
        let range = self.within(i32::MAX / 2, 1);
        let mut i = from.clamp(*range.start(), *range.end());
        for step in [1, -1] {
            for _ in 0..steps {
                let next = i + step;
                if !range.contains(&next) || sign * self.at(next) <= sign * self.at(i) {
                    break;
                }
                i = next;
            }
        }
        i
    }

    /// From the extremum `i` to the vertex of the parabola through it and its neighbours.
    pub(super) fn vertex(&self, i: i32) -> f32 {
        let (before, here, after) = (self.at(i - 1), self.at(i), self.at(i + 1));
        let bend = before - 2.0 * here + after;
        if bend == 0.0 { 0.0 } else { (0.5 * (before - after) / bend).clamp(-0.5, 0.5) }
    }
}
