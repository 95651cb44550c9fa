//! The waves of one beat, and where their sum is highest.

/// A bell-shaped wave, relative to the middle of its beat's R wave.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Wave {
    pub(super) offset_s: f64,
    pub(super) width_s: f64,
    /// Relative to the R wave.
    pub(super) height: f64,
}

/// Waves of a beat: five, a second hill of T, and a notch of R.
pub(super) const WAVES: usize = 7;

/// The waves of a beat; of one that is not there the height is 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shape {
    pub(super) waves: [Wave; WAVES],
}

/// Beyond this many widths a wave is below e^-18 = 1.5e-8 of its height, less than f32 resolves
/// beside an R peak.
const REACH: f64 = 6.0;

/// Table I of McSharry 2003 for P, Q, R, S and T: angle in degrees, a, and b in radians.
pub(super) const EVENTS: [(f64, f64, f64); 5] = [
    (-70.0, 1.2, 0.25),
    (-15.0, -5.0, 0.1),
    (0.0, 30.0, 0.1),
    (15.0, -7.5, 0.1),
    (100.0, 0.75, 0.4),
];

impl Shape {
    /// The wave that stands at offset 0.
    pub(super) fn main(&self) -> Wave {
        let main = self.waves.iter().find(|wave| wave.offset_s == 0.0 && wave.height != 0.0);
        *main.expect("every beat has an R wave")
    }

    pub(super) fn reach_before_s(&self) -> f64 {
        self.waves.iter().map(|wave| REACH * wave.width_s - wave.offset_s).fold(0.0, f64::max)
    }

    pub(super) fn reach_behind_s(&self) -> f64 {
        self.waves.iter().map(|wave| REACH * wave.width_s + wave.offset_s).fold(0.0, f64::max)
    }
}

/// Height of a normal beat's peak at 60 beats a minute: Q and S lower R a little.
pub(super) fn normal_peak() -> f64 {
    let at_r = |(degrees, a, b): (f64, f64, f64)| {
        let angle = degrees.to_radians() / b;
        a * b * b / (EVENTS[2].1 * EVENTS[2].2 * EVENTS[2].2) * (-0.5 * angle * angle).exp()
    };
    // At the middle of R; the peak is 50 µs beside it, 1e-5 of the height.
    EVENTS.into_iter().map(at_r).sum()
}

/// Adds a wave of a beat at `time_ns` to samples `first..`.
///
/// Which samples it reaches, and its value at each, depend on the sample's number alone.
pub(super) fn add_wave(
    wave: &Wave,
    time_ns: i64,
    height_mv: f64,
    rate_hz: f64,
    first: u64,
    out: &mut [f64],
) {
    if wave.height == 0.0 {
        return;
    }
    // The middle as a whole sample and a rest, so that nothing is rounded after days.
    let seconds = (time_ns.div_euclid(1_000_000_000)) as f64 * rate_hz;
    let rest = time_ns.rem_euclid(1_000_000_000) as f64 * 1e-9 * rate_hz + wave.offset_s * rate_hz;
    let whole = seconds.floor();
    let rest = rest + (seconds - whole);
    let middle = whole as i64 + rest.floor() as i64;
    let rest = rest - rest.floor();

    let width = wave.width_s * rate_hz;
    let reach = (REACH * width).ceil() as i64;
    let first = first.cast_signed();
    let start = (middle - reach).clamp(first, first + out.len() as i64);
    // The middle lies up to a sample behind its whole part, and the end is not included.
    let end = (middle + reach + 2).clamp(start, first + out.len() as i64);
    let height = wave.height * height_mv;
    let per_width = 1.0 / width;
    let out = &mut out[(start - first) as usize..(end - first) as usize];
    // Small numbers, so exact as f64; a plain count lets the loop become vector instructions.
    let from = (start - middle) as f64 - rest;
    for (index, out) in (0i32..).zip(out) {
        let widths = (from + f64::from(index)) * per_width;
        *out += height * exp_of_negative(-0.5 * widths * widths);
    }
}

/// e^x for −700 < x ≤ 0, to 1e-13: 2^k times a Taylor series over half a power of two.
///
/// In place of `f64::exp` because it becomes vector instructions, four times as fast, and gives the
/// same bits on every platform.
#[inline]
pub(super) fn exp_of_negative(x: f64) -> f64 {
    // Adding 1.5 · 2^52 rounds to a whole number and leaves it in the low bits.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    let shifted = x * std::f64::consts::LOG2_E + ROUND;
    let k = shifted - ROUND;
    let r = x - k * std::f64::consts::LN_2;
    let series = 1.0 / 39_916_800.0;
    let series = series * r + 1.0 / 3_628_800.0;
    let series = series * r + 1.0 / 362_880.0;
    let series = series * r + 1.0 / 40_320.0;
    let series = series * r + 1.0 / 5_040.0;
    let series = series * r + 1.0 / 720.0;
    let series = series * r + 1.0 / 120.0;
    let series = series * r + 1.0 / 24.0;
    let series = series * r + 1.0 / 6.0;
    let series = series * r + 0.5;
    let series = series * r + 1.0;
    let series = series * r + 1.0;
    let power = f64::from_bits(shifted.to_bits().wrapping_add(1_023) << 52);
    series * power
}

/// Where, in seconds from the middle of a beat, the sum of beats is highest, or lowest where the
/// `main` wave points down: each as seconds from that middle, height and shape.
pub(super) fn peak(beats: impl Iterator<Item = (f64, f64, Shape)> + Clone, main: Wave) -> f64 {
    let width_s = main.width_s;
    // Value, slope and bend of the sum.
    let sum = |at_s: f64| {
        let (mut value, mut slope, mut bend) = (0.0, 0.0, 0.0);
        for (middle_s, height_mv, shape) in beats.clone() {
            for wave in shape.waves.iter().filter(|wave| wave.height != 0.0) {
                let widths = (at_s - middle_s - wave.offset_s) / wave.width_s;
                let here = height_mv * wave.height * (-0.5 * widths * widths).exp();
                value += here;
                slope -= here * widths / wave.width_s;
                bend += here * (widths * widths - 1.0) / (wave.width_s * wave.width_s);
            }
        }
        (main.height.signum() * value, slope, bend)
    };
    // A notch may pull the top of a drawn wave by most of its width; that of the textbook's is in the
    // middle to a hundredth.
    let (mut from_s, mut most) = (0.0, sum(0.0).0);
    for step in (-10..=10).filter(|step| *step != 0) {
        let (at_s, value) =
            (0.1 * f64::from(step) * width_s, sum(0.1 * f64::from(step) * width_s).0);
        if value > most {
            (from_s, most) = (at_s, value);
        }
    }
    // Newton's method for the zero of the slope. It starts within a tenth of a width, where the wave is
    // close to a parabola: three steps reach rounding, six are taken.
    let mut at_s = from_s;
    for _ in 0..6 {
        let (_, slope, bend) = sum(at_s);
        if bend * main.height >= 0.0 {
            return from_s;
        }
        at_s = (at_s - slope / bend).clamp(from_s - 0.2 * width_s, from_s + 0.2 * width_s);
    }
    at_s
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_right() {
        for step in 0..200_000 {
            let x = -f64::from(step) * 1e-4;
            let want = x.exp();
            // Missing term: (ln 2 / 2)^12 / 12! = 6e-15; rounding of x · log2(e) · ln 2 for |x| <
            // 20: some 20 · 2^-53 = 2e-15.
            assert!((exp_of_negative(x) / want - 1.0).abs() < 2e-14, "{x}");
        }
    }

    #[test]
    fn waves_far_from_the_block_leave_it_alone() {
        let wave = Wave { offset_s: 0.0, width_s: 0.01, height: 1.0 };
        for time_ns in [-5_000_000_000, 0, 900_000_000, 90_000_000_000_000] {
            let mut out = [0.0; 10];
            add_wave(&wave, time_ns, 1.0, 100.0, 5_000, &mut out);
            assert_eq!(out, [0.0; 10]);
        }
    }
}
