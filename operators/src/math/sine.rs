//! Sines that neither drift nor show where a block begins.
//!
//! Phase is counted in units of 2^-64 of a turn and wraps by itself: that of sample n is
//! n · step mod 2^64, exact for every n. The rounding of the step shifts the frequency by less than
//! one part in 10^15, or 10^-19 of the rate where that is more.

/// A sine, evaluated at the samples of a rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sine {
    step: u64,
    start: u64,
}

impl Sine {
    /// The sine of `frequency_hz` at `rate_hz` samples per second, `phase_turns` at sample 0.
    pub fn new(frequency_hz: f64, rate_hz: f64, phase_turns: f64) -> Self {
        Self { step: turns(frequency_hz / rate_hz), start: turns(phase_turns) }
    }

    /// Its value at a sample, to 1e-11.
    #[inline]
    pub fn at(&self, sample: u64) -> f64 {
        sine_of_turns(self.step.wrapping_mul(sample).wrapping_add(self.start))
    }

    /// `out[i] = offset + amplitude · sin(phase of sample first + i)`.
    pub fn fill(&self, first: u64, amplitude: f64, offset: f64, out: &mut [f32]) {
        for (sample, out) in (first..).zip(out) {
            *out = (offset + amplitude * self.at(sample)) as f32;
        }
    }

    /// Adds `amplitude · sin(phase of sample first + i)` to `out[i]`.
    pub fn add(&self, first: u64, amplitude: f64, out: &mut [f64]) {
        for (sample, out) in (first..).zip(out) {
            *out += amplitude * self.at(sample);
        }
    }

    /// This sine until `sample`, and `next`'s frequency from then on, without a jump in phase.
    pub fn followed_by(&self, sample: u64, next: Self) -> Self {
        let phase = self.step.wrapping_mul(sample).wrapping_add(self.start);
        Self { step: next.step, start: phase.wrapping_sub(next.step.wrapping_mul(sample)) }
    }
}

/// Turns in units of 2^-64, whole ones dropped.
fn turns(turns: f64) -> u64 {
    let part = turns - turns.floor();
    // Both steps are exact but for the last; 1.0, which rounding can give, saturates to almost 1.
    (part * 18_446_744_073_709_551_616.0) as u64
}

/// The Taylor series to x^17 on a quarter turn either way: its first missing term is
/// (π/2)^19 / 19! = 4.4e-14. Written out because it becomes vector instructions, which `f64::sin`
/// does not, and because it gives the same bits on every platform.
#[inline]
fn sine_of_turns(turns: u64) -> f64 {
    // As a signed number, −½ ≤ turns < ½; what is beyond a quarter is folded back.
    let signed = turns.cast_signed();
    let quarter = 1i64 << 62;
    let half = i64::MIN;
    let folded =
        if (-quarter..=quarter).contains(&signed) { signed } else { half.wrapping_sub(signed) };
    let x = folded as f64 * (std::f64::consts::TAU / 18_446_744_073_709_551_616.0);
    let y = x * x;
    let series = 1.0 / 355_687_428_096_000.0;
    let series = series * y - 1.0 / 1_307_674_368_000.0;
    let series = series * y + 1.0 / 6_227_020_800.0;
    let series = series * y - 1.0 / 39_916_800.0;
    let series = series * y + 1.0 / 362_880.0;
    let series = series * y - 1.0 / 5_040.0;
    let series = series * y + 1.0 / 120.0;
    let series = series * y - 1.0 / 6.0;
    x + x * y * series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_sine() {
        let sine = Sine::new(7.3, 1_000.0, 0.1);
        for sample in 0..10_000 {
            let want = (std::f64::consts::TAU * (0.0073 * sample as f64 + 0.1)).sin();
            // The argument of the formula on the left has an error of 73 turns · 2π · 2^-53 =
            // 5e-14, the series one of 5e-14.
            assert!((sine.at(sample) - want).abs() < 2e-13, "sample {sample}");
        }
    }

    #[test]
    fn after_a_year_the_phase_is_where_it_should_be() {
        // 10 Hz at 250 per second repeats every 25 samples.
        let sine = Sine::new(10.0, 250.0, 0.0);
        let year = 250 * 86_400 * 365;
        for sample in 0..25 {
            // The step is wrong by at most 2^-58 of a turn (0.04 has an exponent of −5), times 8e9.
            let bound = std::f64::consts::TAU * year as f64 / 2.0_f64.powi(58) + 1e-13;
            assert!((sine.at(year + sample) - sine.at(sample)).abs() < bound);
        }
    }

    #[test]
    fn blocks_leave_no_trace() {
        let sine = Sine::new(3.0, 100.0, 0.0);
        let mut whole = [0.0; 100];
        sine.fill(1_000, 2.0, 0.5, &mut whole);

        let mut parts = [0.0; 100];
        let (a, b) = parts.split_at_mut(37);
        sine.fill(1_000, 2.0, 0.5, a);
        sine.fill(1_037, 2.0, 0.5, b);

        assert_eq!(whole, parts);
    }

    #[test]
    fn a_new_frequency_goes_on_from_the_phase_of_the_old_one() {
        let old = Sine::new(3.0, 100.0, 0.3);
        let new = old.followed_by(1_234, Sine::new(5.0, 100.0, 0.0));
        assert_eq!(old.at(1_234), new.at(1_234));
        assert!((new.at(1_254) - new.at(1_234)).abs() < 1e-12, "5 Hz repeats after 20 samples");
    }
}
