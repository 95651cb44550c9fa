//! `rms`: how strong a signal is, as the root of its mean square.
//!
//! Over a sliding window of N samples,
//!
//! ```text
//! y[n] = √( (x[n]² + … + x[n−N+1]²) / N )
//! ```
//!
//! | port  | carries                                  |
//! |-------|------------------------------------------|
//! | `in`  | any signal, of mean 0 to mean its spread |
//! | `out` | its strength, in the same unit           |
//!
//! **Delay**: `(N − 1) / 2` samples, as the value is about the middle of its window; subtracted by
//! the runtime. While the window fills, over what is there. **NaN**: a sample that is not finite
//! does not count; where none of the window does, NaN comes out. **Cost**: four additions and a
//! root a sample; every N samples one more pass over them. Nothing is subtracted, so nothing
//! drifts.

use engine::{Body, Fault, Kind, Map, Port};

use super::window::{WINDOW_S, centred, samples};
use crate::{
    bodies::load,
    math::sliding::{Merge, Sliding, Sum},
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "rms",
    summary: "How strong a signal is: the root of its mean square.",
    doc: "y[n] = sqrt((x[n]^2 + ... + x[n-N+1]^2) / N) over a sliding window of N = window_s * \
          rate samples; in the unit of the signal. Put a high-pass in front where a mean is no \
          strength. Delay: (N - 1) / 2 samples, the middle of the window, subtracted by the \
          runtime. While the window fills, over what is there. NaN: a sample that is not finite \
          does not count; where none in the window does, NaN comes out. Cost: about 3 ns a \
          sample, and every N samples one more pass over them. Never subtracts, so nothing \
          drifts. Source: the definition; for the window, van Herk 1992.",
    example: "window_s = 0.5",
    inputs: &[Port::signal("in")],
    outputs: &[Port::like("out", "in")],
    params: &[&WINDOW_S],
    plan: |node| Ok(centred(node, samples(node, &WINDOW_S, 1)?, [node.input("in").clone()])),
    build: |node| Ok(Body::map(Rms(Sliding::new(samples(node, &WINDOW_S, 1)?)))),
    ..Kind::BASE
};

#[derive(Clone)]
struct Rms(Sliding<Sum>);

impl Map for Rms {
    fn map(&mut self, input: &[f32], output: &mut [f32]) {
        for (&x, y) in input.iter().zip(output) {
            let square = f64::from(x) * f64::from(x);
            let item = if x.is_finite() { Sum::of(square) } else { Sum::NOTHING };
            *y = self.0.push(item).mean().sqrt() as f32;
        }
    }

    fn reset(&mut self) {
        self.0.reset();
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(1);
        self.0.save(into);
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        load("is no state of `rms`", 1, from, |state| self.0.load(state))
    }
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use super::*;
    use crate::feature::golden;

    #[test]
    fn values_are_those_of_numpy() {
        // Rounded to f32 once: half a unit in the last of 24 bits.
        golden::check(&KIND, "rms", 2f64.powi(-24));
    }

    #[test]
    fn a_sine_has_its_amplitude_over_the_root_of_two() {
        let mut rms = Bench::build(&KIND, 1_000.0, "window_s = 0.1").expect("valid");
        let sine = |n: u32| (0.2 * std::f64::consts::PI * f64::from(n)).sin() as f32;
        let sine: Vec<f32> = (0..1_000).map(sine).collect();
        // Ten whole periods; samples are rounded to f32, which is 6e-8 of each.
        for y in &rms.feed(&sine)[100..] {
            assert!((y - 0.5f32.sqrt()).abs() < 2e-7, "{y}");
        }
        assert_eq!(rms.delay_ns(), 49_500_000);
    }

    #[test]
    fn what_is_missing_does_not_count() {
        let mut rms = Bench::build(&KIND, 1_000.0, "window_s = 0.002").expect("valid");
        let output = rms.feed(&[3.0, f32::NAN, f32::INFINITY, -4.0]);
        assert!(output[..2] == [3.0, 3.0] && output[2].is_nan() && output[3] == 4.0, "{output:?}");
    }

    #[test]
    fn a_window_without_room_is_refused() {
        let problem = Bench::build(&KIND, 100.0, "window_s = 0.001").err().expect("refused");
        let text = problem.to_string();
        assert!(text.contains("`window_s` = 0.001 is 0 samples of 100 a second"), "{text}");
        assert!(text.contains("hint: choose 0.01 to"), "{text}");
    }
}
