//! Electrode motion as the noise of an ECG: bit for bit that of `tests/golden/electrode_motion.py`,
//! which says what it is like and where signal and noise power come from.

/// Samples per second of everything here.
const RATE_HZ: f64 = 360.0;
const SECOND: usize = 360;

/// SplitMix64.
struct Draws(u64);

impl Draws {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = self.0;
        let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn within(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    fn samples(&mut self, low_s: f64, high_s: f64) -> usize {
        (self.within(low_s, high_s) * RATE_HZ) as usize
    }
}

/// Jumps, rises towards where it jumped and falls back to nothing.
struct Swing {
    level: f64,
    value: f64,
    rise: f64,
    fall: f64,
}

impl Swing {
    const AT_REST: Self = Self { level: 0.0, value: 0.0, rise: 0.1, fall: 0.1 };

    fn jump(&mut self, height: f64, rise: f64, fall: f64) {
        self.level += height;
        (self.rise, self.fall) = (1.0 / rise, 1.0 / fall);
    }

    fn next(&mut self) -> f64 {
        self.level -= self.fall * self.level;
        self.value += self.rise * (self.level - self.value);
        self.value
    }
}

/// Electrode motion at 360 Hz, in units of its own.
pub fn electrode_motion(seed: u64, samples: usize) -> Vec<i64> {
    let mut draws = Draws(seed);
    let (mut first, mut second) = (Swing::AT_REST, Swing::AT_REST);
    let (mut slow, mut wander, mut rough, mut smooth) = (0.0, 0.0, 0.0, 0.0);
    let (mut is_moving, mut spell_end, mut step, mut echo) = (false, 0, 0, usize::MAX);
    let (mut pace_s, mut echo_height) = (0.0, 0.0);
    let sample = |n: usize| {
        if n == spell_end {
            is_moving = !is_moving;
            spell_end +=
                if is_moving { draws.samples(5.0, 25.0) } else { draws.samples(2.0, 10.0) };
            pace_s = draws.within(0.7, 1.3);
            step = n;
        }
        if n == step {
            step += (pace_s * draws.within(0.85, 1.15) * RATE_HZ) as usize;
            let height = if is_moving { draws.within(0.4, 1.0) } else { draws.within(0.0, 0.4) };
            let height = if draws.unit() < 0.2 { -height } else { height };
            first.jump(height, draws.within(5.0, 12.0), draws.within(30.0, 80.0));
            echo = n + draws.samples(0.25, 0.45);
            echo_height = 0.6 * height * draws.within(0.4, 1.0);
        }
        if n == echo {
            second.jump(echo_height, draws.within(3.0, 8.0), draws.within(8.0, 25.0));
        }
        let white = draws.unit() - 0.5;
        slow += (white - slow) * 0.004;
        wander += (slow - wander) * 0.004;
        rough += (white - rough) * 0.3;
        smooth += (rough - smooth) * 0.06;
        let swing = first.next() + second.next();
        ((swing + 6.0 * wander + smooth + 0.03 * rough) * 4096.0 + 0.5).floor() as i64
    };
    (0..samples).map(sample).collect()
}

/// An ECG at 360 Hz in steps of its converter, 200 of them a millivolt, with electrode motion of
/// 1/`ratio` of its power, in millivolts.
pub fn mixed(adc: &[i64], motion: &[i64], beats: &[usize], ratio: f64) -> Vec<f32> {
    let gain = (signal_power(adc, beats) / noise_power(motion) / ratio).sqrt();
    let both = adc.iter().zip(motion);
    both.map(|(x, noise)| ((*x as f64 + gain * *noise as f64) / 200.0) as f32).collect()
}

/// The mean of what is left without the least and the largest twentieth.
fn middle_mean(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let cut = values.len() / 20;
    let kept = &values[cut..values.len() - cut];
    kept.iter().sum::<f64>() / kept.len() as f64
}

fn signal_power(adc: &[i64], beats: &[usize]) -> f64 {
    let height = |beat: &usize| {
        let part = &adc[beat.saturating_sub(18)..(beat + 19).min(adc.len())];
        let (most, least) = (part.iter().max(), part.iter().min());
        (most.expect("not empty") - least.expect("not empty")) as f64
    };
    let height = middle_mean(beats.iter().map(height).collect());
    height * height / 8.0
}

fn noise_power(motion: &[i64]) -> f64 {
    let level = |part: &[i64]| {
        let total: i64 = part.iter().sum();
        let squares: i64 = part.iter().map(|x| x * x).sum();
        ((SECOND as i64 * squares - total * total) as f64).sqrt() / SECOND as f64
    };
    let level = middle_mean(motion.chunks_exact(SECOND).map(level).collect());
    level * level
}

/// Of the bits of every sample times its number, modulo 2^64: equal only for the same samples.
pub fn checksum(ecg: &[f32]) -> u64 {
    let terms = ecg.iter().zip(1_u64..);
    terms.fold(0, |sum, (x, n)| sum.wrapping_add(u64::from(x.to_bits()).wrapping_mul(n)))
}
