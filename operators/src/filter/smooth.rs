//! `smooth`: remove detail faster than a cutoff frequency.
//!
//! A one-pole low-pass filter. With `a = 1 − exp(−2π · cutoff / rate)`,
//!
//! ```text
//! y[n] = y[n−1] + a · (x[n] − y[n−1])
//! ```
//!
//! | port  | carries            |
//! |-------|--------------------|
//! | `in`  | any signal         |
//! | `out` | the same, smoothed |
//!
//! Low frequencies arrive `(1 − a) / a` samples late, which the runtime subtracts. A delay is agreed
//! before anything runs, so the cutoff stays while it does. Power is halved at the cutoff as far as
//! that is well below the rate: 0.3 dB off at a tenth of it. A sample that is not finite is taken as
//! the last output. Never allocates after it is built.

use std::f64::consts::TAU;

use engine::{Body, Fault, Kind, Map, Outline, Param, Port};

use super::sense;
use crate::math::band::Band;

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "smooth",
    summary: "Remove detail faster than a cutoff frequency.",
    doc: "One-pole low-pass: y[n] = y[n-1] + a (x[n] - y[n-1]), a = 1 - exp(-2 pi cutoff_hz / rate). \
          Delay: (1 - a) / a samples, that of low frequencies, subtracted by the runtime; agreed \
          before anything runs, so cutoff_hz stays while it does. Power is halved at cutoff_hz as \
          far as that is well below the rate. NaN: a sample that is not finite is taken as the last \
          output. Cost: about 1 ns a sample.",
    example: "cutoff_hz = 10.0",
    inputs: &[Port::signal("in")],
    outputs: &[Port::like("out", "in")],
    params: &[&CUTOFF_HZ],
    plan: |node| {
        let cutoff_hz = node.get(&CUTOFF_HZ)?;
        node.check_up_to_nyquist(&CUTOFF_HZ, cutoff_hz, "in")?;
        let rate_hz = node.rate_hz("in");
        let gain = Smooth::new(cutoff_hz, rate_hz).gain;
        let delay_s = (1.0 - gain) / gain / rate_hz;
        // ln 100 time constants, of 1 / (2 π cutoff_hz) each.
        let settling_s = 100f64.ln() / (TAU * cutoff_hz);
        let mut outline = Outline::like_ports(node)?.delayed((delay_s * 1e9).round() as i64);
        outline.settling_ns = (settling_s * 1e9).round() as i64;
        outline.warnings.extend(sense::useless(
            node,
            Band::LowPass { cutoff_hz },
            CUTOFF_HZ.name(),
        ));
        Ok(outline)
    },
    build: |node| Ok(Body::map(Smooth::new(node.get(&CUTOFF_HZ)?, node.rate_hz("in")))),
    ..Kind::BASE
};

const CUTOFF_HZ: Param<f64> =
    Param::required("cutoff_hz", "Frequency at which power is halved, well below the rate.")
        .within(1e-3, 1e6);

#[derive(Clone)]
struct Smooth {
    gain: f64,
    last: f64,
}

impl Smooth {
    fn new(cutoff_hz: f64, rate_hz: f64) -> Self {
        Self { gain: 1.0 - (-TAU * cutoff_hz / rate_hz).exp(), last: 0.0 }
    }
}

impl Map for Smooth {
    fn map(&mut self, input: &[f32], output: &mut [f32]) {
        for (x, y) in input.iter().zip(output) {
            if x.is_finite() {
                self.last += self.gain * (f64::from(*x) - self.last);
            }
            // A decaying tail must not become endless subnormals, which cost a hundred times more.
            if self.last.abs() < f64::from(f32::MIN_POSITIVE) {
                self.last = 0.0;
            }
            *y = self.last as f32;
        }
    }

    fn reset(&mut self) {
        self.last = 0.0;
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(1);
        into.extend_from_slice(&self.last.to_le_bytes());
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        let state = from.strip_prefix(&[1]).and_then(|state| state.try_into().ok());
        self.last = f64::from_le_bytes(state.ok_or(Fault::new("is no state of `smooth`"))?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use super::*;

    #[test]
    fn a_step_follows_the_closed_form() {
        let mut smooth = Bench::build(&KIND, 1_000.0, "cutoff_hz = 10.0").expect("valid");
        let response = smooth.feed(&[1.0; 200]);

        // The state is f64 and outputs below 1 are rounded to f32: half a unit in the last of 24
        // bits. Being one sample late would be wrong by 2e-7 even at the end.
        for (n, got) in response.into_iter().enumerate() {
            let want = 1.0 - (-TAU * 10.0 * (n + 1) as f64 / 1_000.0).exp();
            assert!((f64::from(got) - want).abs() < 2f64.powi(-25) + 1e-13, "n = {n}: {got}");
        }
    }

    #[test]
    fn a_ramp_comes_out_where_it_was() {
        for cutoff_hz in [1.0, 10.0, 100.0] {
            let params = format!("cutoff_hz = {cutoff_hz:?}");
            let mut smooth = Bench::build(&KIND, 1_000.0, &params).expect("valid");
            let ramp: Vec<f32> = (0..4_000).map(|n| n as f32).collect();
            let lag = 3_999.0 - f64::from(smooth.feed(&ramp)[3_999]);
            let delay = smooth.delay_ns() as f64 / 1e6;
            // f32 resolves 2.4e-4 near 4 000, and the delay is rounded to 1e-6 of a sample; at 1 Hz
            // the beginning has died down to 160 · exp(−25).
            assert!((lag - delay).abs() < 2.5e-4, "{cutoff_hz} Hz: {lag} is not {delay}");
        }
    }

    #[test]
    fn power_is_halved_at_a_cutoff_well_below_the_rate() {
        // |H|² = a² / (1 − 2 (1 − a) cos w + (1 − a)²) at w = 2π cutoff / rate.
        let power = |part: f64| {
            let (w, a) = (TAU * part, Smooth::new(part, 1.0).gain);
            a * a / (1.0 - 2.0 * (1.0 - a) * w.cos() + (1.0 - a) * (1.0 - a))
        };
        assert!((10.0 * power(0.001).log10() + 3.0103).abs() < 1e-4);
        assert!((10.0 * power(0.1).log10() + 3.0103).abs() < 0.3, "{}", 10.0 * power(0.1).log10());
    }

    #[test]
    fn nan_is_taken_as_the_last_output() {
        let mut smooth = Bench::build(&KIND, 1_000.0, "cutoff_hz = 10.0").expect("valid");
        let output = smooth.feed(&[1.0, f32::NAN, f32::INFINITY, 1.0]);
        assert!(output[1] == output[0] && output[2] == output[0] && output[3] > output[0]);
    }

    #[test]
    fn a_cutoff_stays_as_the_delay_that_was_agreed_with_it() {
        let mut smooth = Bench::build(&KIND, 1_000.0, "cutoff_hz = 10.0").expect("valid");
        let told = smooth.set("cutoff_hz", 100.0).expect_err("fixed");
        assert_eq!(told, "`cutoff_hz` cannot change while the graph runs");
    }

    #[test]
    fn a_missing_cutoff_is_explained() {
        let problem = Bench::build(&KIND, 1_000.0, "").err().expect("refused");
        assert_eq!(
            problem.to_string(),
            "`cutoff_hz` is missing\n  hint: Frequency at which power is halved, well below the rate."
        );
    }
}
