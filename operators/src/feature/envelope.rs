//! `envelope`: how far a signal swings, quick to rise and slow to fall.
//!
//! The peak follower of audio: the magnitude, smoothed by one pole with one time constant upwards and
//! another downwards,
//!
//! ```text
//! e[n] = e[n−1] + a · (|x[n]| − e[n−1]),   a = 1 − exp(−1 / (rate · attack))   where |x[n]| > e[n−1]
//!                                          a = 1 − exp(−1 / (rate · release))  elsewhere
//! ```
//!
//! | port  | carries                                  |
//! |-------|------------------------------------------|
//! | `in`  | any signal of mean 0                     |
//! | `out` | its envelope, in the same unit           |
//!
//! An attack of 0 follows every peak at once. How strong a signal is over a window says
//! [`rms`](super::rms), the amplitude of one band [`analytic`](crate::spectrum::analytic).
//!
//! **Delay**: none subtracted; it rises within some `attack_ms` and falls within some `release_ms`.
//! **NaN**: a sample that is not finite comes out as NaN and changes nothing. **Cost**: about 2 ns a
//! sample.

use engine::{Body, Fault, Kind, Map, Node, Param, Port};

use crate::bodies::{load, tuned};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "envelope",
    summary: "How far a signal swings, quick to rise and slow to fall.",
    doc: "A peak follower: e[n] = e[n-1] + a (|x[n]| - e[n-1]) with a = 1 - exp(-1 / (rate attack)) where \
          |x| is above e and release in its place elsewhere. Both may change while it runs; an attack of \
          0 follows every peak at once. Put a high-pass in front of a signal with a mean. The amplitude of \
          one band is `analytic`, a strength over a window `rms`. Delay: none subtracted; it rises within \
          some attack_ms and falls within some release_ms. NaN: a sample that is not finite comes out as \
          NaN and changes nothing. Cost: about 2 ns a sample. Source: Zoelzer, DAFX: Digital Audio \
          Effects, section 4.2 (peak measurement).",
    example: "attack_ms = 5.0\nrelease_ms = 50.0",
    inputs: &[Port::signal("in")],
    outputs: &[Port::like("out", "in")],
    params: &[&ATTACK_MS, &RELEASE_MS],
    build: |node| {
        let [attack, release] = shares(node)?;
        Ok(Body::map(Envelope { attack, release, level: 0.0 }))
    },
    ..Kind::BASE
};

const ATTACK_MS: Param<f64> =
    Param::with_default("attack_ms", 5.0, "Time constant of the rise.").within(0.0, 1e6).live();
const RELEASE_MS: Param<f64> =
    Param::with_default("release_ms", 50.0, "Time constant of the fall.").within(0.0, 1e6).live();

/// What each sample counts for, upwards and downwards.
fn shares(node: &Node<'_>) -> Result<[f64; 2], Fault> {
    let share = |ms: f64| if ms > 0.0 { -(-1e3 / (ms * node.rate_hz("in"))).exp_m1() } else { 1.0 };
    Ok([share(tuned(node, &ATTACK_MS)?), share(tuned(node, &RELEASE_MS)?)])
}

#[derive(Clone)]
struct Envelope {
    attack: f64,
    release: f64,
    level: f64,
}

impl Map for Envelope {
    fn map(&mut self, input: &[f32], output: &mut [f32]) {
        for (&x, y) in input.iter().zip(output) {
            if !x.is_finite() {
                *y = f32::NAN;
                continue;
            }
            let off = f64::from(x.abs()) - self.level;
            self.level += if off > 0.0 { self.attack } else { self.release } * off;
            // What has faded below what an f32 can tell is nothing.
            if self.level < f64::from(f32::MIN_POSITIVE) {
                self.level = 0.0;
            }
            *y = self.level as f32;
        }
    }

    fn reset(&mut self) {
        self.level = 0.0;
    }

    fn retune(&mut self, node: &Node<'_>) -> Result<(), Fault> {
        [self.attack, self.release] = shares(node)?;
        Ok(())
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(1);
        into.extend_from_slice(&self.level.to_le_bytes());
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        load("is no state of `envelope`", 1, from, |state| {
            state.f64(&mut self.level)?;
            state.demand(self.level.is_finite() && self.level >= 0.0)
        })
    }
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use super::*;

    #[test]
    fn it_rises_and_falls_as_the_closed_form_says() {
        let mut envelope =
            Bench::build(&KIND, 1_000.0, "attack_ms = 10.0\nrelease_ms = 100.0").expect("valid");
        let up = envelope.feed(&[-2.0; 50]);
        let down = envelope.feed(&[0.0; 200]);
        for (n, y) in up.iter().enumerate() {
            let want = 2.0 * (1.0 - (-(n as f64 + 1.0) / 10.0).exp());
            // Rounded to f32 once.
            assert!((f64::from(*y) - want).abs() < 2e-7, "{n}: {y} is not {want}");
        }
        let top = 2.0 * (1.0 - (-5.0f64).exp());
        for (n, y) in down.iter().enumerate() {
            let want = top * (-(n as f64 + 1.0) / 100.0).exp();
            assert!((f64::from(*y) - want).abs() < 2e-7, "{n}: {y} is not {want}");
        }
    }

    #[test]
    fn an_attack_of_nothing_holds_every_peak() {
        let mut envelope =
            Bench::build(&KIND, 1_000.0, "attack_ms = 0.0\nrelease_ms = 1e6").expect("valid");
        let got = envelope.feed(&[1.0, -3.0, 2.0, f32::NAN, 0.0]);
        assert!(got[0] == 1.0 && got[1] == 3.0 && got[3].is_nan(), "{got:?}");
        // A millionth of the way down each.
        assert!((got[4] - 3.0).abs() < 1e-5, "{got:?}");
        envelope.set("release_ms", 0.0).expect("live");
        assert_eq!(envelope.feed(&[0.5]), [0.5]);
    }
}
