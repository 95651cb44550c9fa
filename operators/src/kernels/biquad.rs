//! Cascades of second-order sections.
//!
//! Transposed direct form II, coefficients as in [`Section`], state in f64 and samples in f32:
//!
//! ```text
//! y  = b0 · x + s0
//! s0 = (b1 · x + s1) − a1 · y
//! s1 = b2 · x − a2 · y          y is the x of the next section
//! ```
//!
//! A recursion cannot be spread over time, so vectors run across channels, eight at a time; a tile
//! of samples is turned into rows of one instant each, filtered where it lies and turned back. The
//! rest of the channels goes by four, two and one.
//!
//! **Non-finite samples.** One NaN would stay in the state for ever. A sample that is NaN or
//! infinite comes out as NaN and the filter sees the channel's last finite sample in its place (0
//! before the first). That costs one look at the state per tile, until it happens: then the tile is
//! filtered twice.
//!
//! **Settled start.** A filter begins at rest, as if there had been zeros for ever, and rings where a
//! signal begins elsewhere. [`Biquad::settled`] begins each channel as if its first finite sample had
//! been there for ever (`sosfilt_zi` of SciPy times that sample), and so again after every `reset`.
//!
//! **Silence.** A filter that rings out comes to subnormal numbers, on which some processors are a
//! hundred times slower, and may stay there. At every 1024th sample of the stream all state below
//! 1e-300 becomes 0, so a section stays there for 1023 samples at most. What comes out is subnormal
//! as f32 for 16 time constants (from 1e-38 to 1e-45), then 0.

use std::{ops::Range, sync::Arc};

use super::level::Level;
use super::sections::{FLUSH_EVERY, Filter, per_channel, place};
use crate::math::sos::{self, Section};
use crate::math::state::{StateError, StateReader};

/// The version of what `save` writes.
const VERSION: u8 = 1;

/// A cascade of sections for a number of channels.
#[derive(Clone, Debug)]
pub struct Biquad {
    level: Level,
    sections: Arc<[Section]>,
    channels: usize,
    /// See `sections` for the layout.
    state: Box<[f64]>,
    /// The number of the next sample, modulo `FLUSH_EVERY`.
    position: usize,
    /// For a settled start.
    start: Option<Start>,
}

/// How a filter with a settled start begins.
#[derive(Clone, Debug)]
struct Start {
    /// The state of each section that has been fed ones for ever.
    settled: Box<[[f64; 2]]>,
    /// Channels that have had no finite sample yet.
    waiting: Box<[bool]>,
}

impl Biquad {
    /// The filter at rest. `sections` can be shared by any number of filters; they must be finite
    /// and stable, or the output is anything.
    ///
    /// # Panics
    ///
    /// If there is no section or no channel.
    pub fn new(sections: impl Into<Arc<[Section]>>, channels: usize) -> Self {
        let sections = sections.into();
        assert!(!sections.is_empty() && channels > 0, "a filter has a section and a channel");
        let state = vec![0.0; channels * per_channel(&sections)].into();
        Self { level: Level::best(), sections, channels, state, position: 0, start: None }
    }

    /// The same filter with a settled start. It must pass constants with a finite gain, which every
    /// stable one does.
    #[must_use]
    pub fn settled(mut self) -> Self {
        self.start = Some(Start {
            settled: sos::settled(&self.sections).into(),
            waiting: vec![true; self.channels].into(),
        });
        self
    }

    /// The same filter at another level of this machine. The bits do not change.
    #[must_use]
    pub fn at_level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// Filters planes of equal length, one per channel, of any length.
    ///
    /// # Panics
    ///
    /// If `input` and `output` differ in length or do not divide into the channels.
    pub fn run(&mut self, input: &[f32], output: &mut [f32]) {
        assert_eq!(input.len(), output.len(), "as many samples come out as go in");
        self.filter(Some(input), output);
    }

    /// Like `run`, with every sample replaced by what comes out.
    ///
    /// # Panics
    ///
    /// If the samples do not divide into the channels.
    pub fn run_in_place(&mut self, samples: &mut [f32]) {
        self.filter(None, samples);
    }

    /// Back to rest.
    pub fn reset(&mut self) {
        self.state.fill(0.0);
        self.position = 0;
        if let Some(start) = &mut self.start {
            start.waiting.fill(true);
        }
    }

    /// Appends the state: version, position (u64), where the start is settled for each channel
    /// whether it still waits (u64), then per group of channels what `state` holds.
    pub fn save(&self, bytes: &mut Vec<u8>) {
        bytes.push(VERSION);
        bytes.extend((self.position as u64).to_le_bytes());
        let waiting = self.start.iter().flat_map(|start| &start.waiting);
        bytes.extend(waiting.flat_map(|waits| u64::from(*waits).to_le_bytes()));
        bytes.extend(self.state.iter().flat_map(|number| number.to_le_bytes()));
    }

    /// Takes over the state of a filter with as many sections and channels. On an error nothing
    /// has changed.
    pub fn load(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        let waiting = self.start.as_ref().map_or(0, |start| start.waiting.len());
        let count = 1 + waiting + self.state.len();
        let numbers = StateReader::new(bytes, VERSION)?.numbers::<8>(count)?;
        let (position, numbers) = numbers.split_first().expect("one number at least");
        let (waits, numbers) = numbers.split_at(waiting);
        let position = u64::from_le_bytes(*position);
        let known = waits.iter().all(|waits| u64::from_le_bytes(*waits) <= 1);
        let finite = numbers.iter().all(|number| f64::from_le_bytes(*number).is_finite());
        if position >= FLUSH_EVERY as u64 || !known || !finite {
            return Err(StateError::Content);
        }

        self.position = position as usize;
        for (to, from) in self.start.iter_mut().flat_map(|start| &mut start.waiting).zip(waits) {
            *to = u64::from_le_bytes(*from) == 1;
        }
        for (to, from) in self.state.iter_mut().zip(numbers) {
            *to = f64::from_le_bytes(*from);
        }
        Ok(())
    }

    fn filter(&mut self, input: Option<&[f32]>, output: &mut [f32]) {
        let len = output.len() / self.channels;
        assert_eq!(len * self.channels, output.len(), "all channels are equally long");
        let mut from = 0;
        while let Some(begins) = self.next_start(input.unwrap_or(output), len, from) {
            self.part(input, output, len, from..begins);
            self.settle(input.unwrap_or(output), len, begins);
            from = begins;
        }
        self.part(input, output, len, from..len);
    }

    fn part(&mut self, input: Option<&[f32]>, output: &mut [f32], len: usize, part: Range<usize>) {
        let position = self.position;
        self.position = (position + part.len()) % FLUSH_EVERY;
        let (sections, state) = (&*self.sections, &mut *self.state);
        Filter { sections, state, input, output, len, part, position }.run(self.level);
    }

    /// The first sample from `from` on at which a channel that waits has a finite one.
    fn next_start(&self, input: &[f32], len: usize, from: usize) -> Option<usize> {
        let waiting = &self.start.as_ref()?.waiting;
        let channels = (0..self.channels).filter(|channel| waiting[*channel]);
        let first = |channel: usize| {
            let rest = &input[channel * len + from..(channel + 1) * len];
            Some(from + rest.iter().position(|sample| sample.is_finite())?)
        };
        channels.filter_map(first).min()
    }

    /// Settles every channel that waits and has a finite sample here.
    fn settle(&mut self, input: &[f32], len: usize, at: usize) {
        let Some(Start { settled, waiting }) = &mut self.start else { return };
        for channel in 0..self.channels {
            let sample = f64::from(input[channel * len + at]);
            if !(waiting[channel] && sample.is_finite()) {
                continue;
            }
            waiting[channel] = false;
            let (first, step) = place(channel, self.channels, &self.sections);
            let mut places = self.state[first..].iter_mut().step_by(step);
            *places.next().expect("a channel holds its last sample") = sample;
            for (unit, place) in settled.as_flattened().iter().zip(places) {
                *place = unit * sample;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sections::TINY;
    use super::*;
    use crate::math::band::Band;
    use crate::math::butterworth::design;

    fn band_pass() -> Vec<Section> {
        design(5, Band::BandPass { low_hz: 1.0, high_hz: 40.0 }, 250.0).expect("valid")
    }

    /// Something with no symmetry, with silence and broken samples in it.
    fn signal(channel: usize, len: usize) -> Vec<f32> {
        let sample = |n: usize| match (n + 3 * channel) % 700 {
            650 => f32::NAN,
            660 | 661 => f32::INFINITY,
            300..500 => 0.0,
            m => ((m * (7 + channel)) as f32 * 0.1).sin() * 1e3,
        };
        (0..len).map(sample).collect()
    }

    /// The formula, one sample of one channel at a time.
    fn plain(sections: &[Section], input: &[f32]) -> Vec<f32> {
        plain_from(sections, vec![[0.0; 2]; sections.len()], input, 0)
    }

    /// The same from a state on, at the sample of this number.
    fn plain_from(
        sections: &[Section],
        mut states: Vec<[f64; 2]>,
        input: &[f32],
        number: usize,
    ) -> Vec<f32> {
        let (mut held, mut output) = (0.0, Vec::new());
        for (n, x) in (number..).zip(input) {
            held = if x.is_finite() { f64::from(*x) } else { held };
            let mut sample = held;
            for (Section { b, a }, s) in sections.iter().zip(&mut states) {
                let y = b[0] * sample + s[0];
                s[0] = (b[1] * sample + s[1]) - a[0] * y;
                s[1] = b[2] * sample - a[1] * y;
                sample = y;
            }
            output.push(if x.is_finite() { sample as f32 } else { f32::NAN });
            if (n + 1) % FLUSH_EVERY == 0 {
                for s in states.as_flattened_mut() {
                    *s = if s.abs() < TINY { 0.0 } else { *s };
                }
            }
        }
        output
    }

    fn bits(samples: &[f32]) -> Vec<u32> {
        samples.iter().map(|sample| sample.to_bits()).collect()
    }

    #[test]
    fn every_level_and_every_frame_length_gives_the_bits_of_the_formula() {
        for (channels, sections) in [(1, 5), (2, 1), (3, 4), (4, 2), (7, 3), (8, 5), (17, 4)] {
            let sections = &band_pass()[..sections];
            let input: Vec<Vec<f32>> = (0..channels).map(|c| signal(c, 2100)).collect();
            let want: Vec<Vec<f32>> = input.iter().map(|plane| plain(sections, plane)).collect();

            for level in Level::available() {
                for frame in [1, 7, 10, 64, 2100] {
                    let mut filter = Biquad::new(sections, channels).at_level(level);
                    for from in (0..2100).step_by(frame) {
                        let to = (from + frame).min(2100);
                        let cut = |planes: &[Vec<f32>]| -> Vec<f32> {
                            planes.iter().flat_map(|plane| &plane[from..to]).copied().collect()
                        };
                        let mut got = vec![0.0; channels * (to - from)];
                        filter.run(&cut(&input), &mut got);

                        let at = (level.name(), channels, frame, from);
                        assert_eq!(bits(&got), bits(&cut(&want)), "{at:?}");
                    }
                }
            }
        }
    }

    /// The formula, begun as if the first finite sample had been there for ever.
    fn plain_settled(sections: &[Section], input: &[f32]) -> Vec<f32> {
        let begins = input.iter().position(|x| x.is_finite()).unwrap_or(input.len());
        let mut output = vec![f32::NAN; begins];
        let first = input.get(begins).map_or(0.0, |x| f64::from(*x));
        let states = sos::settled(sections).into_iter().map(|s| s.map(|number| number * first));
        output.extend(plain_from(sections, states.collect(), &input[begins..], begins));
        output
    }

    #[test]
    fn a_settled_start_is_that_of_a_signal_that_was_always_there() {
        let sections = &band_pass()[..3];
        for (channels, begins) in [(1, [0, 0]), (3, [5, 40]), (8, [0, 3]), (13, [70, 16])] {
            let begin = |c: usize| begins[c % 2] + c / 8;
            let planes: Vec<Vec<f32>> = (0..channels)
                .map(|c| [vec![f32::NAN; begin(c)], signal(c, 1500 - begin(c))].concat())
                .collect();
            let want: Vec<Vec<f32>> =
                planes.iter().map(|plane| plain_settled(sections, plane)).collect();
            for level in Level::available() {
                for frame in [1, 7, 64, 1500] {
                    let mut filter = Biquad::new(sections, channels).at_level(level).settled();
                    for from in (0..1500).step_by(frame) {
                        let to = (from + frame).min(1500);
                        let cut = |planes: &[Vec<f32>]| -> Vec<f32> {
                            planes.iter().flat_map(|plane| &plane[from..to]).copied().collect()
                        };
                        let mut got = cut(&planes);
                        filter.run_in_place(&mut got);
                        let at = (level.name(), channels, frame, from);
                        assert_eq!(bits(&got), bits(&cut(&want)), "{at:?}");
                        let (mut bytes, mut copy) = (Vec::new(), filter.clone());
                        copy.reset();
                        filter.save(&mut bytes);
                        copy.load(&bytes).expect("its own state");
                        filter = copy;
                    }
                }
            }
        }
    }

    #[test]
    fn a_settled_constant_stays_what_it_is() {
        let low_pass = design(4, Band::LowPass { cutoff_hz: 1.0 }, 250.0).expect("valid");
        let mut samples = [5.0; 300];
        Biquad::new(low_pass, 1).settled().run_in_place(&mut samples);
        // A residue of some roundings of 1e-16 a sample, over (2π / 250)⁴ of both poles: 1e-9.
        assert!(samples.iter().all(|y| (y - 5.0).abs() <= 5.0 * f32::EPSILON), "{samples:?}");

        let high_pass = design(4, Band::HighPass { cutoff_hz: 1.0 }, 250.0).expect("valid");
        let mut samples = [5.0; 300];
        Biquad::new(high_pass, 1).settled().run_in_place(&mut samples);
        assert!(samples.iter().all(|y| y.abs() < 1e-8), "{samples:?}");
    }

    #[test]
    fn in_place_gives_the_same() {
        let input = [signal(0, 77), signal(1, 77), signal(2, 77)].concat();
        let (mut beside, mut in_place) = (vec![0.0; 231], input.clone());

        Biquad::new(band_pass(), 3).run(&input, &mut beside);
        Biquad::new(band_pass(), 3).run_in_place(&mut in_place);

        assert_eq!(bits(&beside), bits(&in_place));
    }

    #[test]
    fn a_step_settles_at_the_gain_for_constants() {
        let low_pass = design(4, Band::LowPass { cutoff_hz: 10.0 }, 250.0).expect("valid");
        let mut samples = [3.0; 1000];

        Biquad::new(low_pass, 1).run_in_place(&mut samples);

        // The slowest pole has lost exp(−2π · 10 · cos(67.5°) · 4 s) = 1e-41 by then; what is left
        // is the gain, 1 but for roundings of 1e-16 over (1 − pole)² = 0.06, and a rounding to f32.
        assert!((samples[999] - 3.0).abs() <= 3.0 * f32::EPSILON, "{}", samples[999]);
    }

    #[test]
    fn silence_ends_in_zeros_and_not_in_subnormals() {
        let mut filter = Biquad::new(band_pass(), 8);
        filter.run_in_place(&mut signal(0, 8 * 300));
        let mut subnormal = 0;

        // The slowest pole loses 1e300 within 690 time constants of 1 / (2π · 0.3 · 1 Hz) = 0.5 s.
        for _ in 0..100 * 1024 {
            filter.run_in_place(&mut [0.0; 8]);
            subnormal += usize::from(filter.state.iter().any(|number| number.is_subnormal()));
        }

        assert!(filter.state.iter().all(|number| *number == 0.0));
        // The five sections fall silent one after the other.
        assert!(subnormal <= 5 * FLUSH_EVERY, "subnormal for {subnormal} samples");
    }

    #[test]
    fn a_saved_state_goes_on_as_if_nothing_had_happened() {
        let (mut first, mut second) = (Biquad::new(band_pass(), 3), Biquad::new(band_pass(), 3));
        first.run_in_place(&mut signal(0, 3 * 1000));
        let mut bytes = Vec::new();
        first.save(&mut bytes);

        second.load(&bytes).expect("same sections and channels");

        let (mut on, mut anew) = (signal(1, 3 * 50), signal(1, 3 * 50));
        first.run_in_place(&mut on);
        second.run_in_place(&mut anew);
        assert_eq!(bits(&on), bits(&anew));
    }

    #[test]
    fn a_state_of_something_else_is_refused() {
        let mut bytes = Vec::new();
        Biquad::new(band_pass(), 2).save(&mut bytes);
        let mut filter = Biquad::new(band_pass(), 3);

        assert_eq!(filter.load(&bytes), Err(StateError::Length));
        assert_eq!(filter.load(&[]), Err(StateError::Length));
        assert_eq!(filter.load(&[9; 300]), Err(StateError::Version { found: 9, known: 1 }));
        assert!(filter.state.iter().all(|number| *number == 0.0));
    }

    #[test]
    fn a_reset_filter_is_a_new_one() {
        let mut filter = Biquad::new(band_pass(), 1);
        filter.run_in_place(&mut signal(0, 1500));
        filter.reset();
        let (mut again, mut anew) = (signal(2, 1500), signal(2, 1500));

        filter.run_in_place(&mut again);
        Biquad::new(band_pass(), 1).run_in_place(&mut anew);

        assert_eq!(bits(&again), bits(&anew));
    }
}
