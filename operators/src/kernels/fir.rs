//! Finite impulse response filters.
//!
//! ```text
//! y[n] = h[0] · x[n] + h[1] · x[n−1] + … + h[N−1] · x[n−N+1]
//! ```
//!
//! Added up in f32, from h\[0\] on, starting at 0: vectors run across output samples, so every output
//! has the same sum whatever the width of a vector and wherever a frame ends. Rounding costs at
//! most `N` units in the last place of the largest partial sum.
//!
//! Before the first sample there were zeros. A NaN or infinity in reaches the `N` outputs it is
//! part of and no other.

use std::sync::Arc;

use super::{
    Kernel,
    level::{Level, Work},
};
use crate::math::state::{StateError, StateReader};

/// The version of what `save` writes.
const VERSION: u8 = 1;

/// Outputs that are summed at once: as many as have their sums in registers.
const WIDE: usize = 64;

/// Outputs that are summed at once where fewer are left.
const NARROW: usize = 16;

/// A filter for a number of channels.
#[derive(Clone, Debug)]
pub struct Fir {
    level: Level,
    taps: Arc<[f32]>,
    channels: usize,
    /// The last `taps − 1` samples of each channel.
    history: Box<[f32]>,
    /// History and first samples of one channel, side by side.
    joint: Box<[f32]>,
}

impl Fir {
    /// The filter at rest. `taps` can be shared by any number of filters.
    ///
    /// # Panics
    ///
    /// If there is no tap or no channel.
    pub fn new(taps: impl Into<Arc<[f32]>>, channels: usize) -> Self {
        let taps = taps.into();
        assert!(!taps.is_empty() && channels > 0, "a filter has a tap and a channel");
        let past = taps.len() - 1;
        Self {
            level: Level::best(),
            channels,
            history: vec![0.0; past * channels].into(),
            joint: vec![0.0; past + head(past) + WIDE].into(),
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

impl Kernel for Fir {
    fn run(&mut self, input: &[f32], output: &mut [f32]) {
        let len = input.len() / self.channels;
        assert_eq!(input.len(), output.len(), "as many samples come out as go in");
        assert_eq!(input.len(), len * self.channels, "all channels are equally long");
        let past = self.taps.len() - 1;
        for channel in 0..self.channels {
            let (plane, kept) = (channel * len..(channel + 1) * len, channel * past);
            self.level.run(Channel {
                taps: &self.taps,
                history: &mut self.history[kept..kept + past],
                joint: &mut self.joint,
                input: &input[plane.clone()],
                output: &mut output[plane],
            });
        }
    }

    fn reset(&mut self) {
        self.history.fill(0.0);
    }

    /// Appends the state: version, then for each channel the last samples, oldest first.
    fn save(&self, bytes: &mut Vec<u8>) {
        bytes.push(VERSION);
        bytes.extend(self.history.iter().flat_map(|sample| sample.to_le_bytes()));
    }

    fn load(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        let samples = StateReader::new(bytes, VERSION)?.numbers(self.history.len())?;
        for (to, from) in self.history.iter_mut().zip(samples) {
            *to = f32::from_le_bytes(*from);
        }
        Ok(())
    }
}

/// How many outputs are computed from history and input side by side: at least all that need the
/// history, and a multiple of `WIDE`.
fn head(past: usize) -> usize {
    past.next_multiple_of(WIDE)
}

/// One call for one channel.
struct Channel<'a> {
    taps: &'a [f32],
    history: &'a mut [f32],
    joint: &'a mut [f32],
    input: &'a [f32],
    output: &'a mut [f32],
}

impl Work for Channel<'_> {
    #[inline(always)]
    fn run<const BITS: usize>(self) {
        // Half the sums where half the registers would hold them.
        if BITS == 128 { self.filter::<{ WIDE / 2 }>() } else { self.filter::<WIDE>() }
    }
}

impl Channel<'_> {
    #[inline(always)]
    fn filter<const AT_ONCE: usize>(self) {
        let Self { taps, history, joint, input, output } = self;
        let (past, len) = (history.len(), input.len());
        // A long frame leaves at least one wide block after its head; a short one is all head.
        let is_long = len >= head(past) + WIDE;
        let count = if is_long { head(past) } else { len };

        joint[..past].copy_from_slice(history);
        joint[past..past + count].copy_from_slice(&input[..count]);
        padded::<AT_ONCE>(taps, joint, &mut output[..count]);
        if is_long {
            exact::<AT_ONCE>(taps, &input[count - past..], &mut output[count..]);
        }

        if len >= past {
            history.copy_from_slice(&input[len - past..]);
        } else {
            history.copy_from_slice(&joint[len..len + past]);
        }
    }
}

/// Outputs of a window that holds `taps − 1` samples more than `output`, and `AT_ONCE` at least.
#[inline(always)]
fn exact<const AT_ONCE: usize>(taps: &[f32], window: &[f32], output: &mut [f32]) {
    let last = output.len() - AT_ONCE;
    // The last block overlaps the one before: the same sums land in the same places.
    for at in (0..last).step_by(AT_ONCE).chain([last]) {
        let sums = sums::<AT_ONCE>(taps, &window[at..][..taps.len() - 1 + AT_ONCE]);
        output[at..at + AT_ONCE].copy_from_slice(&sums);
    }
}

/// Outputs of a window with at least `NARROW` samples of anything after those that matter.
#[inline(always)]
fn padded<const AT_ONCE: usize>(taps: &[f32], window: &[f32], output: &mut [f32]) {
    let mut at = 0;
    while output.len() - at >= AT_ONCE {
        let sums = sums::<AT_ONCE>(taps, &window[at..][..taps.len() - 1 + AT_ONCE]);
        output[at..at + AT_ONCE].copy_from_slice(&sums);
        at += AT_ONCE;
    }
    while at < output.len() {
        let sums = sums::<NARROW>(taps, &window[at..][..taps.len() - 1 + NARROW]);
        let count = NARROW.min(output.len() - at);
        output[at..at + count].copy_from_slice(&sums[..count]);
        at += count;
    }
}

/// `COUNT` neighbouring outputs, the first from the first `taps` samples of the window.
#[inline(always)]
fn sums<const COUNT: usize>(taps: &[f32], window: &[f32]) -> [f32; COUNT] {
    let mut sums = [0.0; COUNT];
    for (tap, samples) in taps.iter().zip(window.array_windows::<COUNT>().rev()) {
        for (sum, x) in sums.iter_mut().zip(samples) {
            *sum += tap * x;
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signal(seed: usize, len: usize) -> Vec<f32> {
        (0..len).map(|n| ((n * (13 + seed) % 997) as f32 * 0.1).sin()).collect()
    }

    /// The formula, one output at a time.
    fn plain(taps: &[f32], input: &[f32]) -> Vec<f32> {
        let output = |n: usize| {
            taps.iter().enumerate().fold(0.0, |sum, (k, tap)| {
                sum + tap * n.checked_sub(k).map_or(0.0, |past| input[past])
            })
        };
        (0..input.len()).map(output).collect()
    }

    fn bits(samples: &[f32]) -> Vec<u32> {
        samples.iter().map(|sample| sample.to_bits()).collect()
    }

    #[test]
    fn every_level_and_every_frame_length_gives_the_bits_of_the_formula() {
        for tap_count in [1, 2, 16, 63, 64, 65, 200] {
            let taps = signal(5, tap_count);
            let input = [signal(0, 700), signal(1, 700)];
            let want = input.each_ref().map(|plane| plain(&taps, plane));

            for level in Level::available() {
                for frame in [1, 10, 64, 129, 300, 700] {
                    let mut filter = Fir::new(taps.clone(), 2).at_level(level);
                    for from in (0..700).step_by(frame) {
                        let span = from..(from + frame).min(700);
                        let mut got = vec![0.0; 2 * span.len()];
                        filter.run(
                            &input.each_ref().map(|plane| &plane[span.clone()]).concat(),
                            &mut got,
                        );

                        let want = want.each_ref().map(|plane| &plane[span.clone()]).concat();
                        let at = (level.name(), tap_count, frame, from);
                        assert_eq!(bits(&got), bits(&want), "{at:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_broken_sample_reaches_as_many_outputs_as_there_are_taps() {
        let mut input = [1.0; 100];
        input[40] = f32::NAN;
        let mut output = [0.0; 100];

        Fir::new([0.1; 7], 1).run(&input, &mut output);

        for (n, y) in output.iter().enumerate() {
            assert_eq!(y.is_nan(), (40..47).contains(&n), "sample {n}");
        }
    }

    #[test]
    fn a_saved_state_goes_on_as_if_nothing_had_happened() {
        let (mut first, mut second) = (Fir::new([0.3; 9], 2), Fir::new([0.3; 9], 2));
        let (mut on, mut anew) = ([0.0; 20], [0.0; 20]);
        first.run(&signal(0, 20), &mut on);
        let mut bytes = Vec::new();
        first.save(&mut bytes);

        second.load(&bytes).expect("same taps and channels");

        first.run(&signal(1, 20), &mut on);
        second.run(&signal(1, 20), &mut anew);
        assert_eq!(bits(&on), bits(&anew));
        assert_eq!(Fir::new([0.3; 9], 1).load(&bytes), Err(StateError::Length));
    }

    #[test]
    fn a_reset_filter_is_a_new_one() {
        let mut filter = Fir::new([0.3; 9], 1);
        let (mut again, mut anew) = ([0.0; 20], [0.0; 20]);
        filter.run(&signal(0, 20), &mut again);
        filter.reset();

        filter.run(&signal(1, 20), &mut again);
        Fir::new([0.3; 9], 1).run(&signal(1, 20), &mut anew);

        assert_eq!(bits(&again), bits(&anew));
    }
}
