//! From one sample rate to another: for each output a product with one phase of a filter.
//!
//! The filter and its phases are those of [`crate::math::resampling`]. A sum has eight parts, of
//! every eighth product, and one of the last few, which are added in one order, so every machine gives
//! the same bits. Where every so many-th sample is kept, there is one phase: then outputs are summed
//! beside each other, as [`decimate`] does.

use std::sync::Arc;

use super::{
    decimate::{self, OUTPUTS},
    level::{Level, Work},
};
use crate::math::{
    resampling::{Bank, Steps},
    state::{State, StateError, StateReader, put_u64},
};

/// The version of what `save` writes.
const VERSION: u8 = 1;
/// Parts of a sum.
const PARTS: usize = 8;
/// Samples that are put side by side with what came before them at once.
const AT_ONCE: usize = 1_024;

/// The largest whole ratio of rates whose samples are dealt out: beyond, there is more to deal than to
/// multiply.
const FACTOR_MAX: u64 = 16;

/// A change of rate for a number of channels.
#[derive(Clone, Debug)]
pub struct Polyphase {
    level: Level,
    bank: Bank,
    channels: usize,
    /// The last `width − 1` samples of each channel.
    history: Box<[f32]>,
    /// History and next samples of one channel, side by side.
    joint: Box<[f32]>,
    due: Due,
    /// Where every so many-th sample is kept.
    whole: Option<Whole>,
}

/// One phase.
#[derive(Clone, Debug)]
struct Whole {
    factor: usize,
    /// The newest sample's first.
    taps: Arc<[f32]>,
    streams: Box<[f32]>,
}

impl Whole {
    fn of(bank: &Bank) -> Option<Self> {
        let steps = bank.steps();
        let is_whole = steps.parts() == 1 && (2..=FACTOR_MAX).contains(&steps.step());
        let (taps, next) = bank.phase(0);
        (is_whole && next.is_none()).then(|| {
            let factor = steps.step() as usize;
            let streams = decimate::streams(taps.len() - 1, factor);
            Self { factor, taps: taps.iter().rev().copied().collect(), streams }
        })
    }
}

/// When the next output can be made: with the sample after `samples` others to come, `part` parts
/// behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Due {
    samples: u64,
    part: u64,
}

impl Due {
    fn first(steps: &Steps) -> Self {
        let (middle, parts) = (steps.middle(), steps.parts());
        Self { samples: middle / parts, part: middle % parts }
    }

    /// On by what lies between two outputs: whole samples, fewer parts than one has, and how many it has.
    #[inline(always)]
    fn advance(&mut self, [whole, part, parts]: [u64; 3]) {
        self.samples += whole;
        self.part += part;
        // Without a division: that would take as long as the product.
        if self.part >= parts {
            self.part -= parts;
            self.samples += 1;
        }
    }
}

impl Polyphase {
    /// At rest: the first output lies on the first sample, before which there are zeros.
    ///
    /// # Panics
    ///
    /// If there is no channel.
    pub fn new(bank: Bank, channels: usize) -> Self {
        assert!(channels > 0, "a signal has a channel");
        let past = bank.steps().width() - 1;
        Self {
            level: Level::best(),
            channels,
            history: vec![0.0; past * channels].into(),
            joint: vec![0.0; past + AT_ONCE].into(),
            due: Due::first(bank.steps()),
            whole: Whole::of(&bank),
            bank,
        }
    }

    /// The same at another level of this machine. The bits do not change.
    #[must_use]
    pub fn at_level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// Number of channels.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// How many outputs per channel `len` more samples make.
    pub fn output_len(&self, len: usize) -> usize {
        let until = len as i128 * self.parts() - self.due();
        self.steps_in(until)
    }

    /// Outputs that lie before the next sample to come and are not yet made.
    pub fn pending(&self) -> usize {
        self.steps_in(-self.position_parts())
    }

    /// How many samples the next `count` outputs, at least one, wait for.
    pub fn samples_for(&self, count: usize) -> usize {
        let last = self.due() + (count as i128 - 1) * i128::from(self.bank.steps().step());
        (last / self.parts()) as usize + 1
    }

    /// Where the next output lies, in samples from the next one to come: whole ones and the part of one.
    pub fn position(&self) -> (i64, f64) {
        let (position, parts) = (self.position_parts(), self.parts());
        let part = position.rem_euclid(parts) as f64 / parts as f64;
        (position.div_euclid(parts) as i64, part)
    }

    fn parts(&self) -> i128 {
        self.bank.steps().parts().into()
    }

    fn due(&self) -> i128 {
        i128::from(self.due.samples) * self.parts() + i128::from(self.due.part)
    }

    fn position_parts(&self) -> i128 {
        self.due() - i128::from(self.bank.steps().middle())
    }

    /// Outputs in so many parts from the next one on.
    fn steps_in(&self, parts: i128) -> usize {
        let step = i128::from(self.bank.steps().step());
        ((parts.max(0) + step - 1) / step) as usize
    }

    /// Takes planes of equal length, one per channel.
    ///
    /// # Panics
    ///
    /// If `input` does not divide into the channels, or `output` has not `output_len` samples for
    /// each.
    pub fn run(&mut self, input: &[f32], output: &mut [f32]) {
        let len = input.len() / self.channels;
        let count = self.output_len(len);
        assert_eq!(input.len(), len * self.channels, "all channels are equally long");
        assert_eq!(output.len(), count * self.channels, "`output_len` says how many come out");
        let past = self.bank.steps().width() - 1;
        let mut due = self.due;
        for channel in 0..self.channels {
            due = self.due;
            self.level.at_most_256_bits().run(Channel {
                bank: &self.bank,
                due: &mut due,
                whole: &mut self.whole,
                history: &mut self.history[channel * past..(channel + 1) * past],
                joint: &mut self.joint,
                input: &input[channel * len..(channel + 1) * len],
                output: &mut output[channel * count..(channel + 1) * count],
            });
        }
        self.due = due;
    }

    /// Back to rest.
    pub fn reset(&mut self) {
        self.history.fill(0.0);
        self.due = Due::first(self.bank.steps());
    }

    /// Appends the state: version, when the next output is due, the last samples of each channel.
    pub fn save(&self, bytes: &mut Vec<u8>) {
        bytes.push(VERSION);
        put_u64(bytes, self.due.samples);
        put_u64(bytes, self.due.part);
        bytes.extend(self.history.iter().flat_map(|sample| sample.to_le_bytes()));
    }

    /// Takes over the state of one with the same filter and as many channels; on an error it is at
    /// rest.
    ///
    /// # Errors
    ///
    /// What does not fit.
    pub fn load(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        let loaded = self.take_up(bytes);
        if loaded.is_err() {
            self.reset();
        }
        loaded
    }

    fn take_up(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        let mut state = State::Load(StateReader::new(bytes, VERSION)?);
        let mut due = self.due;
        state.u64(&mut due.samples)?;
        state.u64(&mut due.part)?;
        let first = Due::first(self.bank.steps());
        let most = first.samples.max(self.bank.steps().step() / self.bank.steps().parts() + 1);
        state.demand(due.samples <= most && due.part < self.bank.steps().parts())?;
        self.due = due;
        state.f32s(&mut self.history)?;
        state.end()
    }
}

/// One call for one channel.
struct Channel<'a> {
    bank: &'a Bank,
    due: &'a mut Due,
    whole: &'a mut Option<Whole>,
    history: &'a mut [f32],
    joint: &'a mut [f32],
    input: &'a [f32],
    output: &'a mut [f32],
}

impl Work for Channel<'_> {
    #[inline(always)]
    fn run<const BITS: usize>(self) {
        let Self { bank, due, whole, history, joint, input, output } = self;
        let past = history.len();
        let (step, parts) = (bank.steps().step(), bank.steps().parts());
        let step = [step / parts, step % parts, parts];
        let mut made = 0;
        joint[..past].copy_from_slice(history);
        for input in input.chunks(AT_ONCE) {
            joint[past..past + input.len()].copy_from_slice(input);
            if let Some(Whole { factor, taps, streams }) = whole {
                while (due.samples as usize) < input.len() {
                    let left = (input.len() - due.samples as usize).div_ceil(*factor);
                    let count = left.min(OUTPUTS);
                    let window = &joint[due.samples as usize..][..past + (count - 1) * *factor + 1];
                    let output = &mut output[made..made + count];
                    decimate::of_window(taps, *factor, window, streams, output);
                    due.samples += (count * *factor) as u64;
                    made += count;
                }
            }
            while (due.samples as usize) < input.len() {
                let window = &joint[due.samples as usize..][..past + 1];
                let (taps, next) = bank.phase(due.part);
                let mut value = product(taps, window);
                if let Some((taps, share)) = next {
                    value += share * (product(taps, window) - value);
                }
                output[made] = value;
                made += 1;
                due.advance(step);
            }
            due.samples -= input.len() as u64;
            joint.copy_within(input.len()..input.len() + past, 0);
        }
        history.copy_from_slice(&joint[..past]);
    }
}

/// Σ taps · samples.
#[inline(always)]
fn product(taps: &[f32], samples: &[f32]) -> f32 {
    let ((taps, last_taps), (samples, last)) =
        (taps.as_chunks::<PARTS>(), samples.as_chunks::<PARTS>());
    let mut sums = [0.0; PARTS];
    for (taps, samples) in taps.iter().zip(samples) {
        for n in 0..PARTS {
            sums[n] += taps[n] * samples[n];
        }
    }
    // On their own: where they go into the parts, compilers store part of a register and load it whole,
    // which waits for the store.
    let rest = last_taps.iter().zip(last).fold(0.0, |sum, (tap, sample)| sum + tap * sample);
    // Otherwise the parts are kept in pairs, for the sake of the last sums, and not in one register.
    let [a, b, c, d, e, f, g, h] = std::hint::black_box(sums);
    ((a + e) + (c + g)) + ((b + f) + (d + h)) + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::resampling::Shape;

    fn signal(seed: usize, len: usize) -> Vec<f32> {
        (0..len).map(|n| ((n * (13 + seed) % 997) as f32 * 0.1).sin()).collect()
    }

    fn bits(samples: &[f32]) -> Vec<u32> {
        samples.iter().map(|sample| sample.to_bits()).collect()
    }

    fn bank(from_hz: f64, to_hz: f64) -> Bank {
        let steps = Steps::new(from_hz, to_hz, Shape::SCIPY).expect("fits");
        Bank::new(steps, steps.design().into())
    }

    #[test]
    fn every_level_and_every_frame_length_gives_the_same_bits() {
        let planes = [signal(0, 3_000), signal(1, 3_000)];
        for (from, to) in [(3.0, 1.0), (1.0, 3.0), (36.0, 25.0), (1.0, 2f64.sqrt()), (1.0, 1.0)] {
            let bank = bank(from, to);
            let mut whole = Polyphase::new(bank.clone(), 2);
            let count = whole.output_len(3_000);
            let mut want = vec![0.0; 2 * count];
            whole.run(&planes.concat(), &mut want);
            for level in Level::available() {
                for frame in [1, 10, 333, 1_500] {
                    let mut polyphase = Polyphase::new(bank.clone(), 2).at_level(level);
                    let mut got = [vec![], vec![]];
                    for at in (0..3_000).step_by(frame) {
                        let span = at..(at + frame).min(3_000);
                        let count = polyphase.output_len(span.len());
                        let mut output = vec![0.0; 2 * count];
                        let input = planes.each_ref().map(|plane| &plane[span.clone()]).concat();
                        polyphase.run(&input, &mut output);
                        got[0].extend(&output[..count]);
                        got[1].extend(&output[count..]);
                    }
                    let place = format!("{from} to {to}, {}, frames of {frame}", level.name());
                    assert_eq!(bits(&got.concat()), bits(&want), "{place}");
                }
            }
        }
    }

    #[test]
    fn interpolated_phases_are_near_the_exact_ones() {
        // The same rates, once as a fraction and once as if there were none.
        let exact = bank(360.0, 250.0);
        let free = bank(360.0, 250.0 * (1.0 + 1e-11));
        assert_eq!((exact.steps().parts(), free.steps().parts()), (25, 1 << 48));
        let input = signal(0, 2_000);
        let run = |bank: Bank| {
            let mut polyphase = Polyphase::new(bank, 1);
            let mut output = vec![0.0; polyphase.output_len(input.len())];
            polyphase.run(&input, &mut output);
            output
        };
        for (n, (exact, free)) in run(exact).iter().zip(run(free)).enumerate() {
            // 1.2e-6 of the sum of the taps' sizes, about 2, and their rounding.
            assert!((exact - free).abs() < 4e-6, "{n}: {free} is not {exact}");
        }
    }
}
