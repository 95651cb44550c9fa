//! `bandpass`: keep what lies between two frequencies.
//!
//! A Butterworth band-pass as second-order sections, designed as SciPy's
//! `butter(order, [low_hz, high_hz], "bandpass", fs=rate, output="sos")` and run
//! forward from zero state, with coefficients and state in f64.
//!
//! | port  | carries               |
//! |-------|-----------------------|
//! | `in`  | any signal            |
//! | `out` | the same, band-passed |
//!
//! **Delay**: the group delay at the geometric centre of the band; the runtime
//! subtracts it from the times, so what comes out lies where it was. **NaN**: a
//! sample that is not finite comes out as NaN while the filter sees the last
//! finite one. **Cost**: about 0.4 ns a sample, channel and section with 8 channels.

use std::sync::Arc;

use engine::{Block, Body, Diagnostic, Fault, Kind, Node, Outline, Param, Port};

use crate::{
    designs::{Designs, refused},
    kernels::biquad::Biquad,
    math::{
        band::Band,
        butterworth,
        sos::{Section, group_delay_s},
    },
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "bandpass",
    summary: "Keep what lies between two frequencies.",
    doc: "Butterworth band-pass as second-order sections, SciPy's butter(order, [low_hz, high_hz], \
          'bandpass'), run forward from zero state, coefficients and state in f64. Delay: the group \
          delay at sqrt(low_hz * high_hz), subtracted from the times by the runtime. NaN: a sample \
          that is not finite comes out as NaN while the filter sees the last finite one. Cost: about \
          0.4 ns a sample, channel and section with 8 channels. Source: Oppenheim and Schafer, \
          Discrete-Time Signal Processing, chapter 7.",
    example: "low_hz = 5.0\nhigh_hz = 15.0",
    inputs: &[Port::signal("in")],
    outputs: &[Port::like("out", "in")],
    params: &[&LOW_HZ, &HIGH_HZ, &ORDER],
    plan: |node| {
        let rate_hz = node.rate_hz("in");
        let sections = sections(node, rate_hz)?;
        let centre_hz = (node.get(&LOW_HZ)? * node.get(&HIGH_HZ)?).sqrt();
        let delay_s = group_delay_s(&sections, rate_hz, centre_hz);
        Ok(Outline::like_ports(node)?.delayed((delay_s * 1e9).round() as i64))
    },
    build: |node| {
        let signal = node.signal("in");
        let sections = sections(node, signal.rate.hz())?;
        Ok(Body::block(BandPass(Biquad::new(sections, signal.channels.len()))))
    },
    ..Kind::BASE
};

pub(crate) const LOW_HZ: Param<f64> =
    Param::required("low_hz", "Lower edge, where power is halved.").within(1e-4, 1e6);
pub(crate) const HIGH_HZ: Param<f64> =
    Param::required("high_hz", "Upper edge, where power is halved.").within(1e-4, 1e6);
pub(crate) const ORDER: Param<i64> =
    Param::with_default("order", 2, "SciPy's N; the filter has N second-order sections.")
        .within(1.0, 10.0);

/// Designs the filter. All sessions with the same design share its coefficients.
fn sections(node: &Node<'_>, rate_hz: f64) -> Result<Arc<[Section]>, Diagnostic> {
    static DESIGNED: Designs<(u64, u64, u64, i64), Section> = Designs::new();

    let (low_hz, high_hz, order) = (node.get(&LOW_HZ)?, node.get(&HIGH_HZ)?, node.get(&ORDER)?);
    node.check_below_nyquist(&LOW_HZ, low_hz, "in")?;
    node.check_below_nyquist(&HIGH_HZ, high_hz, "in")?;
    let key = (low_hz.to_bits(), high_hz.to_bits(), rate_hz.to_bits(), order);
    let band = Band::BandPass { low_hz, high_hz };
    DESIGNED
        .find_or(key, || butterworth::design(order as usize, band, rate_hz))
        .map_err(|error| refused(node, HIGH_HZ.name(), error))
}

struct BandPass(Biquad);

impl Block for BandPass {
    fn block(&mut self, _: usize, input: &[f32], output: &mut [f32]) {
        self.0.run(input, output);
    }

    fn reset(&mut self) {
        self.0.reset();
    }

    fn save(&self, into: &mut Vec<u8>) {
        self.0.save(into);
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        self.0.load(from).map_err(|error| Fault::new("is no state of this filter").because(error))
    }
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
