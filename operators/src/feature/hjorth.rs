//! `hjorth`: how strong, how fast and how irregular a signal is (Hjorth 1970).
//!
//! Over a sliding window of N samples, with the differences x′ of neighbours and x″ of those,
//!
//! ```text
//! activity   = var x
//! mobility   = √( var x′ / var x )
//! complexity = √( var x″ / var x′ ) / mobility
//! ```
//!
//! | port         | carries                                                        |
//! |--------------|----------------------------------------------------------------|
//! | `in`         | any signal                                                     |
//! | `activity`   | its variance, in its unit squared                              |
//! | `mobility`   | its mean frequency, in radians per sample; times the rate, per second |
//! | `complexity` | the width of its spectrum: 1 for a sine, larger for all else   |
//!
//! **Delay**: `(N − 1) / 2` samples, the middle of the window; subtracted by the runtime. **Flat**:
//! what has no variance has mobility and complexity 0. **NaN**: a sample that is not finite, and
//! the differences it is part of, do not count; where none of the window does, NaN comes out.

use engine::{Body, Fault, Io, Kind, Operator, Port, Unit};

use super::window::{WINDOW_S, centred, samples, with_unit};
use crate::{
    bodies::load,
    math::{
        sliding::{Merge, Moments, Sliding},
        state::put_f64,
    },
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "hjorth",
    summary: "How strong, how fast and how irregular a signal is.",
    doc: "activity = var(x), mobility = sqrt(var(x') / var(x)), complexity = sqrt(var(x'') / \
          var(x')) / mobility over a sliding window of N = window_s * rate samples, with x' = \
          diff(x) and x'' = diff(x') within it and variances that divide by their number, as \
          neurokit2's complexity_hjorth. mobility is in radians per sample; times the rate, per \
          second. complexity is 1 for a sine. What has no variance has mobility and complexity 0. \
          Delay: (N - 1) / 2 samples, the middle of the window, subtracted by the runtime. While \
          the window fills, over what is there. NaN: a sample that is not finite, and the \
          differences it is part of, do not count; where none in the window does, NaN comes out. \
          Cost: about 40 ns a sample, and every N samples one more pass over them. Source: Hjorth \
          1970, EEG analysis based on time domain properties.",
    example: "window_s = 0.5",
    inputs: &[Port::signal("in")],
    outputs: &[Port::signal("activity"), Port::signal("mobility"), Port::signal("complexity")],
    params: &[&WINDOW_S],
    plan: |node| {
        let outputs = [Unit::UNKNOWN, Unit::named("1"), Unit::named("1")];
        let outputs = outputs.map(|unit| with_unit(node, unit));
        Ok(centred(node, samples(node, &WINDOW_S, 3)?, outputs))
    },
    build: |node| {
        let len = samples(node, &WINDOW_S, 3)?;
        let channel = Channel {
            past: [f64::NAN; 2],
            moments: [0, 1, 2].map(|differences| Sliding::new(len - differences)),
        };
        Ok(Body::operator(Hjorth(vec![channel; node.signal("in").channels.len()])))
    },
    ..Kind::BASE
};

struct Hjorth(Vec<Channel>);

#[derive(Clone)]
struct Channel {
    /// The last sample and the last difference; NaN where there was none.
    past: [f64; 2],
    /// Of the samples, their differences, and the differences of those.
    moments: [Sliding<Moments>; 3],
}

impl Channel {
    /// Activity, mobility and complexity with one sample more.
    fn push(&mut self, x: f32) -> [f32; 3] {
        let x = f64::from(x);
        let step = x - self.past[0];
        let values = [x, step, step - self.past[1]];
        self.past = [x, step];
        let mut variances = [0.0; 3];
        for (n, variance) in variances.iter_mut().enumerate() {
            let value = values[n];
            let item = if value.is_finite() { Moments::of(value) } else { Moments::NOTHING };
            *variance = self.moments[n].push(item).variance();
        }
        let [activity, first, second] = variances;
        if activity.is_nan() {
            return [f32::NAN; 3];
        }
        // Where nothing varies, or too few samples are there to say how.
        let mobility = if first > 0.0 { (first / activity).sqrt() } else { 0.0 };
        let complexity = if second > 0.0 { (second / first).sqrt() / mobility } else { 0.0 };
        [activity, mobility, complexity].map(|value| value as f32)
    }

    fn load(
        &mut self,
        state: &mut crate::math::state::State<'_>,
    ) -> Result<(), crate::math::state::StateError> {
        self.past.iter_mut().try_for_each(|past| state.f64(past))?;
        self.moments.iter_mut().try_for_each(|moments| moments.load(state))
    }
}

impl Operator for Hjorth {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let frame = io.take();
        let len = frame.len();
        let mut outputs = [0, 1, 2].map(|port| io.signal(port, len));
        {
            let [activity, mobility, complexity] = outputs
                .each_mut()
                .map(|output| output.floats_mut().expect("a fresh buffer has one holder"));
            for (n, &x) in frame.samples().iter().enumerate() {
                [activity[n], mobility[n], complexity[n]] = self.0[n / len].push(x);
            }
        }
        for (port, output) in outputs.into_iter().enumerate() {
            io.send_buffer(port, frame.header.time, output);
        }
        Ok(())
    }

    fn reset(&mut self) {
        for channel in &mut self.0 {
            channel.past = [f64::NAN; 2];
            channel.moments.iter_mut().for_each(Sliding::reset);
        }
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(1);
        for channel in &self.0 {
            channel.past.iter().for_each(|past| put_f64(into, *past));
            channel.moments.iter().for_each(|moments| moments.save(into));
        }
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        load("is no state of `hjorth`", 1, from, |state| {
            self.0.iter_mut().try_for_each(|channel| channel.load(state))
        })
    }
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use super::*;
    use crate::feature::golden;

    #[test]
    fn values_are_those_of_neurokit2() {
        // Rounded to f32 once; variances lose some digits of f64, not of f32.
        golden::check(&KIND, "hjorth", 2f64.powi(-24));
    }

    #[test]
    fn a_sine_has_its_own_frequency_and_no_width() {
        let mut hjorth = Bench::build(&KIND, 1_000.0, "window_s = 1.0").expect("valid");
        let sine: Vec<f32> =
            (0..3_000).map(|n| (n as f32 * std::f32::consts::TAU * 0.02).sin() * 3.0).collect();
        hjorth.feed(&sine);
        let seen = hjorth.take();
        let last = |port: usize| {
            let mut frames = seen.iter().rev().filter(|seen| seen.port == port);
            f64::from(*frames.next().expect("one each").frame.samples().last().expect("samples"))
        };
        // A difference of a sine of w per sample is 2 sin(w / 2) times as large. The window of
        // differences lacks one or two of a thousand samples, so means of squares are off by as
        // much.
        let w = 0.02 * std::f64::consts::TAU;
        assert!((last(0) / 4.5 - 1.0).abs() < 1e-3, "{}", last(0));
        assert!((last(1) / (2.0 * (w / 2.0).sin()) - 1.0).abs() < 1e-3, "{}", last(1));
        assert!((last(2) - 1.0).abs() < 2e-3, "{}", last(2));
    }

    #[test]
    fn what_is_flat_does_not_move_and_what_is_missing_is_not_known() {
        let mut hjorth = Bench::build(&KIND, 1_000.0, "window_s = 0.003").expect("valid");
        hjorth.feed(&[5.0, 5.0, 5.0, f32::NAN, f32::NAN, f32::NAN, 1.0]);
        for seen in hjorth.take() {
            let samples = seen.frame.samples();
            assert!(samples[..5].iter().all(|&y| y == 0.0), "{samples:?}");
            assert!(samples[5].is_nan() && samples[6] == 0.0, "{samples:?}");
        }
    }
}
