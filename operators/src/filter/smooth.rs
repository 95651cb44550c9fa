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
//! Low frequencies arrive `1 / (2π · cutoff)` seconds late, which the runtime subtracts. A sample
//! that is not finite is taken as the last output. Never allocates after it is built.

use std::f64::consts::TAU;

use engine::{Body, Fault, Kind, Map, Node, Outline, Param, Port};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "smooth",
    summary: "Remove detail faster than a cutoff frequency.",
    doc: "One-pole low-pass: y[n] = y[n-1] + a (x[n] - y[n-1]), a = 1 - exp(-2 pi cutoff_hz / rate). \
          Delay: 1 / (2 pi cutoff_hz) seconds, that of low frequencies, subtracted by the runtime. \
          NaN: a sample that is not finite is taken as the last output. Cost: about 1 ns a sample.",
    example: "cutoff_hz = 10.0",
    inputs: &[Port::signal("in")],
    outputs: &[Port::like("out", "in")],
    params: &[&CUTOFF_HZ],
    plan: |node| {
        let cutoff_hz = node.get(&CUTOFF_HZ)?;
        node.check_below_nyquist(&CUTOFF_HZ, cutoff_hz, "in")?;
        let delay_s = 1.0 / (TAU * cutoff_hz);
        Ok(Outline::like_ports(node)?.delayed((delay_s * 1e9).round() as i64))
    },
    build: |node| Ok(Body::map(Smooth::new(node.get(&CUTOFF_HZ)?, node.rate_hz("in")))),
    ..Kind::BASE
};

const CUTOFF_HZ: Param<f64> =
    Param::required("cutoff_hz", "Frequency at which power is halved.").within(1e-3, 1e6).live();

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

    fn retune(&mut self, node: &Node<'_>) -> Result<(), Fault> {
        let cutoff_hz = node.get(&CUTOFF_HZ).map_err(|problem| Fault::new(problem.message))?;
        self.gain = Self::new(cutoff_hz, node.rate_hz("in")).gain;
        Ok(())
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
