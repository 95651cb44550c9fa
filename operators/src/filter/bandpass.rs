//! `bandpass`: keep what lies between two frequencies.
//!
//! A recursive filter of one of five families as second-order sections, designed as SciPy's
//! `iirfilter(order, [low_hz, high_hz], rp, rs, "bandpass", ftype=family, fs=rate, output="sos")` and
//! run forward, with coefficients and state in f64; see [`crate::math::iir`] for the families.
//!
//! | port  | carries               |
//! |-------|-----------------------|
//! | `in`  | any signal            |
//! | `out` | the same, band-passed |
//!
//! **Delay**: the group delay at the geometric centre of the band; the runtime subtracts it from the
//! times, so what comes out lies where it was. **Start**: from zeros; with `settle` as if the first
//! finite sample had been there for ever, and again after each gap. **NaN**: a sample that is not
//! finite comes out as NaN while the filter sees the last finite one. **Cost**: about 0.4 ns a sample,
//! channel and section with 8 channels. **Source**: Oppenheim and Schafer, *Discrete-Time Signal
//! Processing*, chapter 7.

use engine::{Diagnostic, Kind, Node, Param, Passed, Port};

use super::recursive::{self, ATTENUATION_DB, FAMILY, ORDER, RIPPLE_DB, SETTLE};
use crate::math::{band::Band, iir, sos::Section};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "bandpass",
    summary: "Keep what lies between two frequencies.",
    doc: "Recursive band-pass filter as second-order sections, SciPy's iirfilter(order, [low_hz, \
          high_hz], rp, rs, 'bandpass', ftype=family), run forward, coefficients and state in f64. At \
          both edges the gain is -3 dB (butterworth), -ripple_db (chebyshev1, elliptic) or \
          -attenuation_db (chebyshev2); of bessel, norm='phase', it is neither. `order` sections. Delay: \
          the group delay at sqrt(low_hz * high_hz), subtracted from the times by the runtime. Starts \
          from zeros, or with settle = true as if the first finite sample had been there for ever, and \
          so again after each gap. NaN: a sample that is not finite comes out as NaN while the filter \
          sees the last finite one. Cost: about 0.4 ns a sample, channel and section with 8 channels. \
          Source: Oppenheim and Schafer, Discrete-Time Signal Processing, chapter 7.",
    example: "low_hz = 5.0\nhigh_hz = 15.0",
    inputs: &[Port::signal("in")],
    outputs: &[Port::like("out", "in")],
    params: &[&LOW_HZ, &HIGH_HZ, &ORDER, &FAMILY, &RIPPLE_DB, &ATTENUATION_DB, &SETTLE],
    plan: |node| {
        let sections = recursive::sections(node, band(node)?, HIGH_HZ.name())?;
        let centre_hz = (node.get(&LOW_HZ)? * node.get(&HIGH_HZ)?).sqrt();
        recursive::outline_of(node, &sections, centre_hz, (band(node)?, LOW_HZ.name()))
    },
    build: |node| recursive::body(node, recursive::sections(node, band(node)?, HIGH_HZ.name())?),
    ..Kind::BASE
};

const LOW_HZ: Param<f64> =
    Param::required("low_hz", "Lower edge of what passes.").within(1e-4, 1e6);
const HIGH_HZ: Param<f64> =
    Param::required("high_hz", "Upper edge of what passes.").within(1e-4, 1e6);

fn band(node: &Node<'_>) -> Result<Band, Diagnostic> {
    let (low_hz, high_hz) = (node.get(&LOW_HZ)?, node.get(&HIGH_HZ)?);
    node.check_below_nyquist(&LOW_HZ, low_hz, "in")?;
    node.check_below_nyquist(&HIGH_HZ, high_hz, "in")?;
    Ok(Band::BandPass { low_hz, high_hz })
}

/// The sections of a `bandpass` that a stream has passed, whatever its family, for who undoes it.
pub(crate) fn sections_of(passed: &Passed, rate_hz: f64) -> Result<Vec<Section>, Diagnostic> {
    let params = &passed.params;
    let (ripple_db, attenuation_db) =
        (params.read_optional(&RIPPLE_DB)?, params.read_optional(&ATTENUATION_DB)?);
    let family = recursive::family(params.read(&FAMILY)?, ripple_db, attenuation_db);
    let (low_hz, high_hz) = (params.read(&LOW_HZ)?, params.read(&HIGH_HZ)?);
    let (band, order) = (Band::BandPass { low_hz, high_hz }, params.read(&ORDER)? as usize);
    let family = family.expect("the `bandpass` itself was planned with it");
    Ok(iir::design(family, order, band, rate_hz)
        .expect("the `bandpass` itself was planned with it"))
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use engine::testing::Bench;

    use super::*;
    use crate::math::golden;

    const PARAMS: &str = "low_hz = 5.0\nhigh_hz = 15.0";
    const RATE_HZ: f64 = 200.0;

    /// SciPy's sections for these parameters at this rate, b then a, from `tests/golden`.
    fn golden_sections() -> Vec<[f64; 6]> {
        let text = include_str!("../../../tests/golden/butterworth.json");
        let is_ours = |case: &&str| {
            golden::word(case, "kind") == "bandpass"
                && golden::numbers(case, "order") == [2.0]
                && golden::numbers(case, "rate_hz") == [RATE_HZ]
        };
        let case = golden::cases(text).find(is_ours).expect("the script writes it");
        let numbers = golden::numbers(case, "sections");
        numbers.chunks_exact(6).map(|six| six.try_into().expect("six")).collect()
    }

    /// What the difference equations of the sections make of a signal, written down anew.
    fn filtered(input: &[f64]) -> Vec<f64> {
        let mut signal = input.to_vec();
        for [b0, b1, b2, _, a1, a2] in golden_sections() {
            let mut output = vec![0.0; signal.len()];
            for n in 0..signal.len() {
                let past = |of: &[f64], k: usize| n.checked_sub(k).map_or(0.0, |n| of[n]);
                output[n] = b0 * signal[n] + b1 * past(&signal, 1) + b2 * past(&signal, 2)
                    - a1 * past(&output, 1)
                    - a2 * past(&output, 2);
            }
            signal = output;
        }
        signal
    }

    #[test]
    fn the_impulse_response_is_scipys() {
        let mut impulse = [0.0; 400];
        impulse[0] = 1.0;
        let mut bandpass = Bench::build(&KIND, RATE_HZ, PARAMS).expect("valid");
        let response = bandpass.feed(&impulse.map(|x| x as f32));

        // Outputs below 1/8 are rounded to f32; coefficients agree to some 1e-15.
        for (n, (got, want)) in response.into_iter().zip(filtered(&impulse)).enumerate() {
            assert!((f64::from(got) - want).abs() < 2f64.powi(-27), "n = {n}: {got} is not {want}");
        }
    }

    #[test]
    fn the_delay_is_the_group_delay_in_the_middle_of_the_band() {
        let phase = |hz: f64| {
            golden_sections().iter().fold(0.0, |sum, [b0, b1, b2, a0, a1, a2]| {
                let w = TAU * hz / RATE_HZ;
                let angle = |c0: &f64, c1: &f64, c2: &f64| {
                    let re = c0 + c1 * w.cos() + c2 * (2.0 * w).cos();
                    (-c1 * w.sin() - c2 * (2.0 * w).sin()).atan2(re)
                };
                sum + angle(b0, b1, b2) - angle(a0, a1, a2)
            })
        };
        let (centre_hz, step_hz) = (75f64.sqrt(), 1e-3);
        let fall = phase(centre_hz - step_hz) - phase(centre_hz + step_hz);
        let delay_s = fall / (TAU * 2.0 * step_hz);
        let bandpass = Bench::build(&KIND, RATE_HZ, PARAMS).expect("valid");
        // The difference quotient is off by step² / 6 times the curvature of the delay, some 0.01 s
        // per Hz²: 2e-9 s. Rounding of the phases adds 1e-15 / 1e-3.
        assert!((bandpass.delay_ns() as f64 * 1e-9 - delay_s).abs() < 1e-8, "{delay_s}");
    }

    #[test]
    fn nan_comes_out_as_nan_and_the_filter_sees_the_last_good_sample() {
        let signal: Vec<f32> = (0..50).map(|n| (n as f32 * 0.3).sin()).collect();
        let (mut lost, mut held) = (signal.clone(), signal);
        lost[20] = f32::NAN;
        held[20] = held[19];
        let mut bandpass = Bench::build(&KIND, RATE_HZ, PARAMS).expect("valid");
        let got = bandpass.feed(&lost);
        bandpass.reset();
        let mut want = bandpass.feed(&held);

        assert!(got[20].is_nan());
        want[20] = got[20];
        assert!(got.iter().zip(&want).all(|(got, want)| got.to_bits() == want.to_bits()));
    }

    #[test]
    fn edges_that_cannot_be_are_explained() {
        for (params, told) in [
            ("low_hz = 5.0", "`high_hz` is missing"),
            ("low_hz = 5.0\nhigh_hz = 101.0", "`high_hz` = 101.0 is above half the sample rate"),
            ("low_hz = 15.0\nhigh_hz = 5.0", "hint: choose 0 < low_hz < high_hz"),
            ("low_hz = 5.0\nhigh_hz = 15.0\norder = 11", "`order` = 11 is outside 1 to 10"),
        ] {
            let problem = Bench::build(&KIND, RATE_HZ, params).err().expect("refused").to_string();
            assert!(problem.contains(told), "{params}: {problem}");
        }
    }
}
