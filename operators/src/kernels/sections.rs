//! The arithmetic of [`Biquad`](super::biquad::Biquad): groups of channels, tiles, sections.
//!
//! ```text
//! state:  ┌ group of 8 channels ───────────────────────┐ ┌ group of 4, 2 or 1 ─ …
//!         held[8]  s0[8] s1[8]  s0[8] s1[8]  …          held[4]  s0[4] s1[4]  …
//!                  └ section 0 ┘ └ section 1 ┘
//! ```

use std::{mem, ops::Range};

use super::level::{Level, Work};
use super::tile;
use crate::math::sos::Section;

/// Samples that are turned into rows at once: with eight channels 1 KiB, which leaves the
/// first-level cache to others and is cleared quickly where frames are short.
const TILE: usize = 16;

/// Samples from one flush of tiny state to the next.
pub(super) const FLUSH_EVERY: usize = 1024;

/// Far above the subnormal numbers (2.2e-308) and far below what any f32 (1.4e-45) leaves in the
/// state of a filter with a gain above 1e-250.
pub(super) const TINY: f64 = 1e-300;

/// Numbers of state that one channel needs.
pub(super) fn per_channel(sections: &[Section]) -> usize {
    1 + 2 * sections.len()
}

/// Where the state of a channel lies: in steps of the second number from the first on, that of its
/// group's width, come its last sample and s0 and s1 of each section.
pub(super) fn place(channel: usize, channels: usize, sections: &[Section]) -> (usize, usize) {
    let mut first = 0;
    for width in [8, 4, 2, 1] {
        // Whole groups of this width, as `Filter` takes them.
        let end = first + (channels - first) / width * width;
        if channel < end {
            let group = (channel - first) / width * width + first;
            return (group * per_channel(sections) + channel - group, width);
        }
        first = end;
    }
    unreachable!("groups of one take every channel that is left")
}

/// One call: planes of `len` samples, of which some are filtered; `input` is what `output` holds if
/// there is none.
pub(super) struct Filter<'a> {
    pub(super) sections: &'a [Section],
    pub(super) state: &'a mut [f64],
    pub(super) input: Option<&'a [f32]>,
    pub(super) output: &'a mut [f32],
    pub(super) len: usize,
    /// The samples of each plane to filter.
    pub(super) part: Range<usize>,
    /// The number of the first of them, modulo `FLUSH_EVERY`.
    pub(super) position: usize,
}

impl Filter<'_> {
    pub(super) fn run(mut self, level: Level) {
        level.run(Eights(&mut self));
        if !self.state.is_empty() {
            // The optimiser fills 512 bits with halves from several sections, and shuffles: 2.4
            // times slower for four channels.
            level.at_most_256_bits().run(Rest(&mut self));
        }
    }
}

/// All whole groups of eight channels.
struct Eights<'a, 'b>(&'a mut Filter<'b>);

impl Work for Eights<'_, '_> {
    #[inline(always)]
    fn run<const BITS: usize>(self) {
        while self.0.group::<8, BITS>() {}
    }
}

/// The channels that are left.
struct Rest<'a, 'b>(&'a mut Filter<'b>);

impl Work for Rest<'_, '_> {
    #[inline(always)]
    fn run<const BITS: usize>(self) {
        while self.0.group::<4, BITS>() {}
        while self.0.group::<2, BITS>() {}
        while self.0.group::<1, BITS>() {}
    }
}

impl Filter<'_> {
    /// Filters the next `L` channels and forgets them, if there are so many.
    #[inline(always)]
    fn group<const L: usize, const BITS: usize>(&mut self) -> bool {
        let numbers = L * per_channel(self.sections);
        if self.state.len() < numbers {
            return false;
        }
        let state = mem::take(&mut self.state).split_at_mut(numbers);
        let output = mem::take(&mut self.output).split_at_mut(L * self.len);
        let input = self.input.map(|planes| planes.split_at(L * self.len));
        (self.state, self.output, self.input) = (state.1, output.1, input.map(|split| split.1));

        let (chunks, _) = state.0.as_chunks_mut();
        let (held, sections) = chunks.split_first_mut().expect("a group holds its last samples");
        let mut lanes = Lanes::<L> { coefficients: self.sections, held, sections };
        let part = self.part.clone();
        lanes.filter::<BITS>(input.map(|split| split.0), output.0, self.len, part, self.position);
        true
    }
}

/// `L` channels that are filtered together.
struct Lanes<'a, const L: usize> {
    coefficients: &'a [Section],
    /// The last finite samples.
    held: &'a mut [f64; L],
    /// s0 and s1, one after the other, of each section.
    sections: &'a mut [[f64; L]],
}

impl<const L: usize> Lanes<'_, L> {
    #[inline(always)]
    fn filter<const BITS: usize>(
        &mut self,
        input: Option<&[f32]>,
        output: &mut [f32],
        len: usize,
        part: Range<usize>,
        position: usize,
    ) {
        let mut tile = [[0.0; L]; TILE];
        let mut at = part.start;
        while at < part.end {
            let to_flush = FLUSH_EVERY - (position + at - part.start) % FLUSH_EVERY;
            let rows = &mut tile[..TILE.min(part.end - at).min(to_flush)];

            tile::load(input.unwrap_or(output), len, at, rows);
            let last = rows[rows.len() - 1];
            if self.cascade::<BITS>(rows) {
                *self.held = last;
            } else {
                tile::load(input.unwrap_or(output), len, at, rows);
                self.bridge::<BITS>(rows);
            }
            tile::store(output, len, at, rows);

            at += rows.len();
            if rows.len() == to_flush {
                for number in self.sections.as_flattened_mut() {
                    *number = if number.abs() < TINY { 0.0 } else { *number };
                }
            }
        }
    }

    /// Filters rows with non-finite samples among them: those come out as NaN.
    #[inline(always)]
    fn bridge<const BITS: usize>(&mut self, rows: &mut [[f64; L]]) {
        let mut broken = [[false; L]; TILE];
        for (row, broken) in rows.iter_mut().zip(&mut broken) {
            for ((sample, held), broken) in row.iter_mut().zip(&mut *self.held).zip(broken) {
                *broken = !sample.is_finite();
                *held = if *broken { *held } else { *sample };
                *sample = *held;
            }
        }
        self.cascade::<BITS>(rows);
        for (row, broken) in rows.iter_mut().zip(&broken) {
            for (sample, broken) in row.iter_mut().zip(broken) {
                *sample = if *broken { f64::NAN } else { *sample };
            }
        }
    }

    /// Sends the rows through all sections, or stops in the middle and returns false if one of the
    /// samples was not finite. The state is as before then.
    ///
    /// As many sections at a time as there are registers for their state: the processor overlaps
    /// one section's latency with the arithmetic of the next.
    #[inline(always)]
    fn cascade<const BITS: usize>(&mut self, rows: &mut [[f64; L]]) -> bool {
        let (mut coefficients, mut states) = (self.coefficients, &mut *self.sections);
        let at_once = match L {
            8 if BITS == 512 => 4,
            8 if BITS == 128 => 1,
            8 | 4 => 2,
            _ => 4,
        };
        (at_once < 4 || sections::<L, 4>(&mut coefficients, &mut states, rows))
            && (at_once < 2 || sections::<L, 2>(&mut coefficients, &mut states, rows))
            && sections::<L, 1>(&mut coefficients, &mut states, rows)
    }
}

/// Sends the rows through the first sections, `K` at a time, while there are so many, and takes
/// those off. Returns false, with the state as before, if a sample was not finite.
#[inline(always)]
fn sections<const L: usize, const K: usize>(
    coefficients: &mut &[Section],
    states: &mut &mut [[f64; L]],
    rows: &mut [[f64; L]],
) -> bool {
    while let Some((here, rest)) = coefficients.split_first_chunk::<K>() {
        let (state, other) = mem::take(states).split_at_mut(2 * K);
        let (pairs, _) = state.as_chunks_mut::<2>();
        let pairs: &mut [[[f64; L]; 2]; K] = pairs.try_into().expect("two rows for each of K");
        let mut now = *pairs;
        for row in &mut *rows {
            let mut sample = *row;
            for (section, state) in here.iter().zip(&mut now) {
                step(section, state, &mut sample);
            }
            *row = sample;
        }

        // Whatever is added to or multiplied with a number that is not finite, the result is not
        // either, so one that came in at any row is still in every section's s0. It is noticed in
        // the first sections, before any state is written.
        if !now[K - 1][0].iter().fold(true, |finite, s0| finite & s0.is_finite()) {
            return false;
        }
        *pairs = now;
        (*coefficients, *states) = (rest, other);
    }
    true
}

/// One section, one instant, `L` channels.
#[inline(always)]
fn step<const L: usize>(section: &Section, [s0, s1]: &mut [[f64; L]; 2], sample: &mut [f64; L]) {
    let ([b0, b1, b2], [a1, a2]) = (section.b, section.a);
    for lane in 0..L {
        let x = sample[lane];
        let y = b0 * x + s0[lane];
        s0[lane] = (b1 * x + s1[lane]) - a1 * y;
        s1[lane] = b2 * x - a2 * y;
        sample[lane] = y;
    }
}
