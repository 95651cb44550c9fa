//! What is between a heart and a number. Every value is a function of seed and sample alone.

use super::wave::exp_of_negative;
use crate::math::random::hash;

/// Standard deviation of a uniform 16-bit number: √((65 536² − 1) / 12).
const DEVIATION_16: f64 = 18_918.613_6;
const MEAN_16: f64 = 32_767.5;

/// An independent stream of hashes for every purpose.
fn key(seed: u64, purpose: u64) -> u64 {
    hash(hash(seed) ^ purpose)
}

/// The sum of a word's four 16-bit numbers.
#[inline]
fn sum_of_four(word: u64) -> u64 {
    (word & 0xffff) + (word >> 16 & 0xffff) + (word >> 32 & 0xffff) + (word >> 48)
}

/// White noise of variance 1.
pub(crate) struct White {
    key: u64,
}

impl White {
    pub(crate) fn new(seed: u64) -> Self {
        Self { key: key(seed, 1) }
    }

    /// Each value is a sum of eight even ones: kurtosis 2.85 where a normal distribution has 3, and
    /// none beyond 4.9; five times as fast as Box and Muller.
    pub(crate) fn add(&self, first: u64, deviation: f64, out: &mut [f64]) {
        let scale = deviation / (8.0_f64.sqrt() * DEVIATION_16);
        for (sample, out) in (first..).zip(out) {
            let counter = self.key.wrapping_add(sample.wrapping_mul(2));
            let sum = sum_of_four(hash(counter)) + sum_of_four(hash(counter.wrapping_add(1)));
            *out += scale * (sum as f64 - 8.0 * MEAN_16);
        }
    }
}

/// Smooth noise: a cubic B-spline over random nodes, with next to nothing above half their rate.
pub(crate) struct Spline {
    key: u64,
    nodes_per_sample: f64,
    scale: f64,
}

impl Spline {
    fn new(key: u64, nodes_hz: f64, rate_hz: f64) -> Self {
        // Between nodes of variance 1, the variance of the spline is on average the integral of the
        // squared B-spline, 151/315. A node is a sum of four even numbers.
        let scale = 1.0 / ((151.0_f64 / 315.0).sqrt() * 2.0 * DEVIATION_16);
        Self { key, nodes_per_sample: nodes_hz / rate_hz, scale }
    }

    /// Drift of the baseline: minutes, not seconds; its root mean square is 1/2.
    pub(crate) fn drift(seed: u64, rate_hz: f64) -> Self {
        let spline = Self::new(key(seed, 2), 0.1, rate_hz);
        Self { scale: 0.5 * spline.scale, ..spline }
    }

    fn node(&self, index: u64) -> f64 {
        self.scale * (sum_of_four(hash(self.key.wrapping_add(index))) as f64 - 4.0 * MEAN_16)
    }

    pub(crate) fn add(&self, first: u64, amplitude: f64, out: &mut [f64]) {
        let mut sample = first;
        let mut out = out;
        while !out.is_empty() {
            let place = sample as f64 * self.nodes_per_sample;
            let segment = place.floor();
            let [a, b, c, d] = [0, 1, 2, 3].map(|ahead| self.node(segment as u64 + ahead));
            // The uniform cubic B-spline in powers of 0 ≤ u < 1.
            let constant = (a + 4.0 * b + c) / 6.0;
            let linear = (c - a) / 2.0;
            let square = (a - 2.0 * b + c) / 2.0;
            let cube = (d - a + 3.0 * (b - c)) / 6.0;
            let mut used = 0;
            for value in out.iter_mut() {
                let u = (sample + used) as f64 * self.nodes_per_sample - segment;
                if u >= 1.0 {
                    break;
                }
                *value += amplitude * (constant + u * (linear + u * (square + u * cube)));
                used += 1;
            }
            out = &mut out[used as usize..];
            sample += used;
        }
    }
}

/// Motion of an electrode: noise of 1 to 8 Hz in bursts of some seconds, of variance 1.
pub(crate) struct Electrode {
    fast: Spline,
    burst: Spline,
}

impl Electrode {
    pub(crate) fn new(seed: u64, rate_hz: f64) -> Self {
        Self {
            fast: Spline::new(key(seed, 3), 16.0, rate_hz),
            burst: Spline::new(key(seed, 4), 0.25, rate_hz),
        }
    }

    pub(crate) fn add(&self, first: u64, deviation: f64, out: &mut [f64]) {
        let (mut fast, mut burst) = ([0.0; super::BLOCK], [0.0; super::BLOCK]);
        let (fast, burst) = (&mut fast[..out.len()], &mut burst[..out.len()]);
        self.fast.add(first, deviation, fast);
        self.burst.add(first, 1.0, burst);
        for ((out, fast), burst) in out.iter_mut().zip(fast).zip(burst) {
            *out += *fast * *burst;
        }
    }
}

/// Muscles near an electrode: white noise in bursts of some seconds, of variance 1.
pub(crate) struct Muscle {
    white: White,
    burst: Spline,
}

impl Muscle {
    pub(crate) fn new(seed: u64, rate_hz: f64) -> Self {
        let white = White { key: key(seed, 5) };
        Self { white, burst: Spline::new(key(seed, 6), 0.25, rate_hz) }
    }

    pub(crate) fn add(&self, first: u64, deviation: f64, out: &mut [f64]) {
        let (mut white, mut burst) = ([0.0; super::BLOCK], [0.0; super::BLOCK]);
        let (white, burst) = (&mut white[..out.len()], &mut burst[..out.len()]);
        self.white.add(first, deviation, white);
        self.burst.add(first, 1.0, burst);
        for ((out, white), burst) in out.iter_mut().zip(white).zip(burst) {
            *out += *white * *burst;
        }
    }
}

/// Jumps of the baseline that decay: an electrode is touched, and an amplifier's high-pass answers.
///
/// Time is cut into slots, and every second one has a jump.
pub(crate) struct Jumps {
    key: u64,
    slot_s: f64,
    rate_hz: f64,
}

/// A jump, in seconds and parts of the deviation.
struct Jump {
    at_s: f64,
    decay_s: f64,
    height: f64,
}

impl Jumps {
    /// Longest time to decay to 1/e, and so many of it until nothing is left.
    const DECAY_S_MAX: f64 = 1.0;
    const DECAYS: f64 = 12.0;

    pub(crate) fn new(seed: u64, per_min: f64, rate_hz: f64) -> Self {
        Self { key: key(seed, 7), slot_s: 30.0 / per_min, rate_hz }
    }

    fn of_slot(&self, slot: u64) -> Option<Jump> {
        let what = hash(self.key.wrapping_add(2 * slot));
        let share = |shift: u32| (what >> shift & 0xffff) as f64 / 65_536.0;
        let height = hash(self.key.wrapping_add(2 * slot + 1));
        let height = (sum_of_four(height) as f64 - 4.0 * MEAN_16) / (2.0 * DEVIATION_16);
        let at_s = (slot as f64 + share(0)) * self.slot_s;
        // Evenly spread by its logarithm, from 0.05 s on.
        let decay_s = 0.05 * 20.0_f64.powf(share(16));
        (share(32) < 0.5).then_some(Jump { at_s, decay_s, height })
    }

    pub(crate) fn add(&self, first: u64, deviation: f64, out: &mut [f64]) {
        let time_s = |sample: u64| sample as f64 / self.rate_hz;
        let reach_s = Self::DECAY_S_MAX * Self::DECAYS;
        let from = ((time_s(first) - reach_s).max(0.0) / self.slot_s) as u64;
        let until = (time_s(first + out.len() as u64) / self.slot_s) as u64;
        for jump in (from..=until).filter_map(|slot| self.of_slot(slot)) {
            for (sample, out) in (first..).zip(out.iter_mut()) {
                let decays = (time_s(sample) - jump.at_s) / jump.decay_s;
                if (0.0..Self::DECAYS).contains(&decays) {
                    *out += deviation * jump.height * exp_of_negative(-decays);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(values: &[f64]) -> (f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        (mean, (values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n).sqrt())
    }

    #[test]
    fn each_kind_has_the_size_asked_for() {
        let mut white = vec![0.0; 100_000];
        White::new(5).add(0, 0.2, &mut white);
        let (mean, deviation) = moments(&white);
        // Standard errors 0.2/√n = 0.0006 and 0.2/√(2n) = 0.00045; four of each.
        assert!(mean.abs() < 0.0026 && (deviation - 0.2).abs() < 0.0018, "{mean} {deviation}");

        // 40 000 s at 50 per second: 4 000 nodes of drift, 10 000 of bursts.
        let mut drift = vec![0.0; 2_000_000];
        Spline::drift(5, 50.0).add(0, 1.0, &mut drift);
        let (mean, deviation) = moments(&drift);
        assert!(mean.abs() < 0.04 && (deviation - 0.5).abs() < 0.04, "{mean} {deviation}");
        let mut electrode = vec![0.0; 2_000_000];
        for (block, first) in electrode.chunks_mut(super::super::BLOCK).zip((0..).step_by(256)) {
            Electrode::new(5, 50.0).add(first, 1.0, block);
        }
        let (mean, deviation) = moments(&electrode);
        assert!(mean.abs() < 0.02 && (deviation - 1.0).abs() < 0.08, "{mean} {deviation}");
    }

    #[test]
    fn muscles_are_as_loud_as_asked() {
        let mut muscle = vec![0.0; 2_000_000];
        for (block, first) in muscle.chunks_mut(super::super::BLOCK).zip((0..).step_by(256)) {
            Muscle::new(5, 50.0).add(first, 1.0, block);
        }
        // 10 000 nodes of bursts, as for an electrode.
        let (mean, deviation) = moments(&muscle);
        assert!(mean.abs() < 0.02 && (deviation - 1.0).abs() < 0.08, "{mean} {deviation}");
    }

    #[test]
    fn jumps_come_as_often_and_as_high_as_asked() {
        let rate_hz = 100.0;
        let mut jumps = vec![0.0; 3_600_000];
        for (block, first) in jumps.chunks_mut(256).zip((0..).step_by(256)) {
            Jumps::new(5, 12.0, rate_hz).add(first, 1.0, block);
        }
        // What rises or falls within one sample by more than a decay of 0.05 s could: 0.2 of the height
        // before, which is hardly ever above 3.
        let steps: Vec<f64> = jumps.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let high = steps.iter().filter(|step| step.abs() > 0.6).count() as f64;
        // 7 200 in 36 000 s, of which a normal height is beyond 0.6 of its deviation in 0.55 (and up to a
        // fifth less after a sample of the fastest decay): 3 500 to 4 000, standard error 60.
        assert!((3_300.0..4_300.0).contains(&high), "{high}");
        let highest = jumps.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
        // Four even numbers are at most 3.5 deviations from their mean; two may add up.
        assert!(highest < 7.0, "{highest}");
    }

    #[test]
    fn smooth_noise_has_no_corners_and_no_block_borders() {
        let spline = Spline::new(9, 16.0, 1_000.0);
        let mut whole = vec![0.0; 1_000];
        spline.add(0, 1.0, &mut whole);
        let mut parts = vec![0.0; 1_000];
        for (index, part) in parts.chunks_mut(37).enumerate() {
            spline.add(index as u64 * 37, 1.0, part);
        }

        assert_eq!(whole, parts);
        // The second derivative of the spline is at most 4 largest nodes (2 · √3 / √(151/315) =
        // 5.0) per (1/16 s)², so second differences at 1 ms are at most 20 · (0.016)² = 0.0051.
        assert!(
            whole.windows(3).all(|three| (three[0] - 2.0 * three[1] + three[2]).abs() < 0.0052)
        );
    }
}
