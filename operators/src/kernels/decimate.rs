//! A low-pass filter that keeps every M-th output and computes no other.
//!
//! ```text
//! y[m] = h[0] · x[mM] + h[1] · x[mM−1] + … + h[N−1] · x[mM−N+1]
//! ```
//!
//! Bit for bit every M-th output of [`Fir`](super::fir::Fir), the first, the one at M, and so on,
//! wherever frames end. For vectors across outputs the samples that meet the same tap must be
//! neighbours, so M streams are dealt out first, like cards:
//!
//! ```text
//! x0 x1 x2 x3 x4 x5 …   ──▶   x0 x3 x6 …   x1 x4 x7 …   x2 x5 x8 …      (M = 3)
//! ```

use std::sync::Arc;

use super::{
    Kernel,
    level::{Level, Work},
};
use crate::math::state::{StateError, StateReader};

/// The version of what `save` writes.
const VERSION: u8 = 1;

/// Outputs whose samples are dealt out at once.
pub(super) const OUTPUTS: usize = 64;

/// Outputs that are summed at once.
const AT_ONCE: usize = 32;

/// Outputs that are summed at once where fewer are left.
const NARROW: usize = 16;

/// So few outputs are summed one beside the other.
const FEW: usize = 3;

/// A decimating filter for a number of channels.
#[derive(Clone, Debug)]
pub struct Decimate {
    level: Level,
    taps: Arc<[f32]>,
    factor: usize,
    channels: usize,
    /// Samples that come in before the one at which the next output is due.
    to_skip: usize,
    /// The last `taps − 1` samples of each channel.
    history: Box<[f32]>,
    /// History and first samples of one channel, side by side.
    joint: Box<[f32]>,
    /// The streams of `OUTPUTS` outputs of one channel.
    streams: Box<[f32]>,
}

impl Decimate {
    /// The filter at rest. `taps` can be shared by any number of filters.
    ///
    /// # Panics
    ///
    /// If there is no tap or no channel, or the factor is 0 or above 65 536.
    pub fn new(taps: impl Into<Arc<[f32]>>, factor: usize, channels: usize) -> Self {
        let taps = taps.into();
        assert!(!taps.is_empty() && channels > 0, "a filter has a tap and a channel");
        assert!((1..=65_536).contains(&factor), "a factor is between 1 and 65536");
        let past = taps.len() - 1;
        Self {
            level: Level::best(),
            factor,
            channels,
            to_skip: 0,
            history: vec![0.0; past * channels].into(),
            joint: vec![0.0; window_len(past, factor, OUTPUTS)].into(),
            streams: streams(past, factor),
            taps,
        }
    }

    /// The same filter at another level of this machine. The bits do not change.
    #[must_use]
    pub fn at_level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }
}

impl Kernel for Decimate {
    fn factor(&self) -> usize {
        self.factor
    }

    fn to_skip(&self) -> usize {
        self.to_skip
    }

    fn output_len(&self, len: usize) -> usize {
        len.saturating_sub(self.to_skip).div_ceil(self.factor)
    }

    fn run(&mut self, input: &[f32], output: &mut [f32]) {
        let len = input.len() / self.channels;
        let count = self.output_len(len);
        assert_eq!(input.len(), len * self.channels, "all channels are equally long");
        assert_eq!(output.len(), count * self.channels, "`output_len` says how many come out");
        let past = self.taps.len() - 1;
        for channel in 0..self.channels {
            // 512 bits deal out 1.5 times more slowly: more shuffles than they save additions.
            self.level.at_most_256_bits().run(Channel {
                taps: &self.taps,
                factor: self.factor,
                to_skip: self.to_skip,
                history: &mut self.history[channel * past..(channel + 1) * past],
                joint: &mut self.joint,
                streams: &mut self.streams,
                input: &input[channel * len..(channel + 1) * len],
                output: &mut output[channel * count..(channel + 1) * count],
            });
        }
        self.to_skip = self.to_skip + count * self.factor - len;
    }

    fn reset(&mut self) {
        self.history.fill(0.0);
        self.to_skip = 0;
    }

    /// Appends the state: version, samples to skip (u32), then for each channel the last samples,
    /// oldest first.
    fn save(&self, bytes: &mut Vec<u8>) {
        bytes.push(VERSION);
        bytes.extend((self.to_skip as u32).to_le_bytes());
        bytes.extend(self.history.iter().flat_map(|sample| sample.to_le_bytes()));
    }

    fn load(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        let numbers = StateReader::new(bytes, VERSION)?.numbers(1 + self.history.len())?;
        let (to_skip, samples) = numbers.split_first().expect("one number at least");
        let to_skip = u32::from_le_bytes(*to_skip) as usize;
        if to_skip >= self.factor {
            return Err(StateError::Content);
        }

        self.to_skip = to_skip;
        for (to, from) in self.history.iter_mut().zip(samples) {
            *to = f32::from_le_bytes(*from);
        }
        Ok(())
    }
}

/// Samples that `outputs` outputs are made of.
fn window_len(past: usize, factor: usize, outputs: usize) -> usize {
    past + (outputs - 1) * factor + 1
}

/// Room for the streams of `OUTPUTS` outputs.
pub(super) fn streams(past: usize, factor: usize) -> Box<[f32]> {
    vec![0.0; factor * stream_len(past, factor)].into()
}

/// Room for one stream of `OUTPUTS` outputs, a multiple of both numbers of sums.
fn stream_len(past: usize, factor: usize) -> usize {
    past / factor + OUTPUTS
}

/// One call for one channel.
struct Channel<'a> {
    taps: &'a [f32],
    factor: usize,
    to_skip: usize,
    history: &'a mut [f32],
    joint: &'a mut [f32],
    streams: &'a mut [f32],
    input: &'a [f32],
    output: &'a mut [f32],
}

impl Work for Channel<'_> {
    #[inline(always)]
    fn run<const BITS: usize>(self) {
        let Self { taps, factor, to_skip, history, joint, streams, input, output } = self;
        let (past, len) = (history.len(), input.len());
        // The windows of all outputs lie in history and input, side by side; the first from here.
        let mut from = to_skip;
        for output in output.chunks_mut(OUTPUTS) {
            let wanted = window_len(past, factor, output.len());
            let window = if from >= past {
                &input[from - past..][..wanted]
            } else {
                let (old, new) = (past - from, (from + wanted).saturating_sub(past));
                let old = old.min(wanted);
                joint[..old].copy_from_slice(&history[from..from + old]);
                joint[old..wanted].copy_from_slice(&input[..new]);
                &joint[..wanted]
            };
            of_window(taps, factor, window, streams, output);
            from += output.len() * factor;
        }

        if len >= past {
            history.copy_from_slice(&input[len - past..]);
        } else {
            history.copy_within(len.., 0);
            history[past - len..].copy_from_slice(input);
        }
    }
}

/// Up to `OUTPUTS` outputs of the samples they are made of, side by side.
#[inline(always)]
pub(super) fn of_window(
    taps: &[f32],
    factor: usize,
    window: &[f32],
    streams: &mut [f32],
    output: &mut [f32],
) {
    if output.len() <= FEW {
        few(taps, factor, window, output);
    } else {
        deal(window, factor, streams);
        many(taps, factor, streams, output);
    }
}

/// Short frames: dealing out the history would take longer than the sums.
#[inline(always)]
fn few(taps: &[f32], factor: usize, window: &[f32], output: &mut [f32]) {
    // Where there are fewer outputs, the last is summed again.
    let last = output.len() - 1;
    let windows: [&[f32]; FEW] =
        std::array::from_fn(|n| &window[n.min(last) * factor..][..taps.len()]);
    let mut sums = [0.0; FEW];
    for (k, tap) in taps.iter().enumerate() {
        for (sum, samples) in sums.iter_mut().zip(windows) {
            *sum += tap * samples[taps.len() - 1 - k];
        }
    }
    output.copy_from_slice(&sums[..=last]);
}

/// Every `factor`-th sample to the same stream. The usual factors as constants, for which the
/// optimiser finds vectors.
#[inline(always)]
fn deal(window: &[f32], factor: usize, streams: &mut [f32]) {
    match factor {
        2 => deal_by::<2>(window, streams),
        3 => deal_by::<3>(window, streams),
        4 => deal_by::<4>(window, streams),
        8 => deal_by::<8>(window, streams),
        _ => {
            let room = streams.len() / factor;
            for (first, stream) in streams.chunks_exact_mut(room).enumerate() {
                deal_one(window.get(first..).unwrap_or(&[]).iter().step_by(factor), stream);
            }
        }
    }
}

#[inline(always)]
fn deal_by<const FACTOR: usize>(window: &[f32], streams: &mut [f32]) {
    let room = streams.len() / FACTOR;
    let (rows, rest) = window.as_chunks::<FACTOR>();
    for (n, stream) in streams.chunks_exact_mut(room).enumerate() {
        deal_one(rows.iter().map(|row| &row[n]), stream);
        if let Some(sample) = rest.get(n) {
            stream[rows.len()] = *sample;
        }
    }
}

#[inline(always)]
fn deal_one<'a>(samples: impl Iterator<Item = &'a f32>, stream: &mut [f32]) {
    for (to, sample) in stream.iter_mut().zip(samples) {
        *to = *sample;
    }
}

#[inline(always)]
fn many(taps: &[f32], factor: usize, streams: &[f32], output: &mut [f32]) {
    let mut at = 0;
    while output.len() - at >= AT_ONCE {
        let sums = sums::<AT_ONCE>(taps, factor, streams, at);
        output[at..at + AT_ONCE].copy_from_slice(&sums);
        at += AT_ONCE;
    }
    while at < output.len() {
        // Sums beyond the last output are of old samples, and dropped.
        let sums = sums::<NARROW>(taps, factor, streams, at);
        let count = NARROW.min(output.len() - at);
        output[at..at + count].copy_from_slice(&sums[..count]);
        at += count;
    }
}

/// `COUNT` neighbouring outputs from the one numbered `at` on.
#[inline(always)]
fn sums<const COUNT: usize>(
    taps: &[f32],
    factor: usize,
    streams: &[f32],
    at: usize,
) -> [f32; COUNT] {
    let room = streams.len() / factor;
    // The first tap meets the last sample of the window of output 0, here; the next tap the one
    // before.
    let (mut row, mut stream) = ((taps.len() - 1) / factor, (taps.len() - 1) % factor);
    let mut sums = [0.0; COUNT];
    for tap in taps {
        let samples: &[f32] = &streams[stream * room + row + at..][..COUNT];
        for (sum, x) in sums.iter_mut().zip(samples) {
            *sum += tap * x;
        }
        if stream > 0 {
            stream -= 1;
        } else {
            // After the last tap this is one row before the first, and not used.
            (row, stream) = (row.wrapping_sub(1), factor - 1);
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::fir::Fir;

    fn signal(seed: usize, len: usize) -> Vec<f32> {
        (0..len).map(|n| ((n * (13 + seed) % 997) as f32 * 0.1).sin()).collect()
    }

    fn bits(samples: &[f32]) -> Vec<u32> {
        samples.iter().map(|sample| sample.to_bits()).collect()
    }

    #[test]
    fn every_level_and_every_frame_length_keeps_every_mth_output_of_the_filter() {
        let planes = [signal(0, 1500), signal(1, 1500)];
        for (tap_count, factor) in [(1, 1), (1, 7), (5, 8), (64, 4), (65, 2), (200, 3), (31, 31)] {
            let taps = signal(5, tap_count);
            let mut whole = vec![0.0; 3000];
            Fir::new(taps.clone(), 2).run(&planes.concat(), &mut whole);

            for level in Level::available() {
                for frame in [1, 10, 64, 333, 1500] {
                    let mut filter = Decimate::new(taps.clone(), factor, 2).at_level(level);
                    let mut got = [vec![], vec![]];
                    for from in (0..1500).step_by(frame) {
                        let span = from..(from + frame).min(1500);
                        let count = filter.output_len(span.len());
                        let mut output = vec![0.0; 2 * count];
                        let input = planes.each_ref().map(|plane| &plane[span.clone()]).concat();
                        filter.run(&input, &mut output);
                        got[0].extend(&output[..count]);
                        got[1].extend(&output[count..]);
                    }

                    for (got, whole) in got.iter().zip(whole.chunks(1500)) {
                        let want: Vec<f32> = whole.iter().step_by(factor).copied().collect();
                        let at = (level.name(), tap_count, factor, frame);
                        assert_eq!(bits(got), bits(&want), "{at:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_saved_state_goes_on_as_if_nothing_had_happened() {
        let (mut first, mut second) =
            (Decimate::new([0.3; 9], 3, 1), Decimate::new([0.3; 9], 3, 1));
        first.run(&signal(0, 20), &mut [0.0; 7]);
        let mut bytes = Vec::new();
        first.save(&mut bytes);

        second.load(&bytes).expect("same taps, factor and channels");

        let (mut on, mut anew) = ([0.0; 6], [0.0; 6]);
        first.run(&signal(1, 19), &mut on);
        second.run(&signal(1, 19), &mut anew);
        assert_eq!(bits(&on), bits(&anew));
        assert_eq!(Decimate::new([0.3; 9], 1, 1).load(&bytes), Err(StateError::Content));
    }

    #[test]
    fn a_reset_filter_is_a_new_one() {
        let mut filter = Decimate::new([0.3; 9], 3, 1);
        filter.run(&signal(0, 20), &mut [0.0; 7]);
        filter.reset();
        let (mut again, mut anew) = ([0.0; 7], [0.0; 7]);

        filter.run(&signal(1, 20), &mut again);
        Decimate::new([0.3; 9], 3, 1).run(&signal(1, 20), &mut anew);

        assert_eq!(bits(&again), bits(&anew));
    }
}
