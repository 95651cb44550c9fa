//! `nlms`: take out of a signal whatever a reference explains.
//!
//! An adaptive filter: a reference that has the disturbance and not the signal (an accelerometer beside
//! a pulse sensor, an eye channel beside the brain's) is filtered so that it resembles the input as much
//! as it can, and taken away from it. The filter follows slow changes by the normalised
//! least-mean-squares rule:
//!
//! ```text
//! e[n] = d[n] − Σ wₖ x[n−k]          what comes out
//! wₖ  += step · e[n] · x[n−k] / Σ x²[n−k]
//! ```
//!
//! with the `taps` last samples of each channel of the reference in one sum; each channel of the input has
//! its own weights.
//!
//! | port        | carries                                         |
//! |-------------|-------------------------------------------------|
//! | `in`        | any signal                                      |
//! | `reference` | a signal of the same rate, any number of channels |
//! | `out`       | the input without what the reference explains   |
//!
//! `step_ratio` near 1 learns within some `taps` samples and follows the input too; 0.01 takes a hundred
//! times as long and leaves a tenth as much of its own noise. **Delay**: none; a disturbance that
//! reaches the reference later than the input cannot be taken out: `delay` the input then. **Gap**: the
//! weights stay, the past of the reference is forgotten. **NaN**: where the input is not finite, NaN
//! comes out and nothing is learnt; a sample of the reference that is not finite counts as 0, and nothing
//! is learnt as long as it is among the taps. A reference that stands at zero explains nothing.
//! **Cost**: a few ns a sample, channel, and tap of each channel of the reference. **Source**: Haykin, *Adaptive Filter Theory*, chapter
//! 7.

use engine::{Body, Fault, GapNotice, Io, Kind, Operator, Outline, Param, Policy, Port};

use crate::{
    bodies,
    math::nlms::{Nlms, Past},
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "nlms",
    summary: "Take out of a signal whatever a reference explains.",
    doc: "Adaptive filter, normalised least mean squares: e[n] = d[n] - sum of w[k] x[n-k] over the `taps` last \
          samples of every channel of the reference; w[k] += step_ratio e[n] x[n-k] / sum of x^2. What comes \
          out is e. step_ratio near 1 learns at once and follows the input too, 0.01 takes a hundred \
          times as long. Each channel of the input has its own weights; the reference has the rate of the \
          input. No delay; a disturbance that reaches the reference later than the input cannot be taken \
          out: delay the input then. After a gap the weights stay. NaN: where the input is not finite, \
          NaN comes out and nothing is learnt; in the reference it counts as 0, and nothing is learnt \
          while it is among the taps. Cost: a few ns a sample, channel, and tap of each channel of the reference. Source: Haykin, \
          Adaptive Filter Theory, chapter 7.",
    example: "taps = 8",
    inputs: &[Port::signal("in"), Port::signal("reference").fed_by(&["highpass"])],
    outputs: &[Port::like("out", "in")],
    params: &[&TAPS, &STEP_RATIO],
    policy: Policy::Exact,
    plan: Outline::like_ports,
    build: |node| {
        let taps = node.get(&TAPS)? as usize;
        let (channels, references) =
            (node.signal("in").channels.len(), node.signal("reference").channels.len());
        let step = node.get(&STEP_RATIO)?;
        Ok(Body::operator(Adaptive {
            past: Past::new(taps, references),
            filters: vec![Nlms::new(taps * references); channels],
            step,
            row: vec![0.0; references],
        }))
    },
    ..Kind::BASE
};

const TAPS: Param<i64> = Param::with_default(
    "taps",
    16,
    "Samples of each reference channel that may explain the input.",
)
.within(1.0, 4_096.0);
const STEP_RATIO: Param<f64> =
    Param::with_default("step_ratio", 0.1, "How much of an error is corrected at once: mu.")
        .within(0.0, 1.99)
        .live();

/// The version of what `save` writes.
const VERSION: u8 = 1;

struct Adaptive {
    past: Past,
    /// One for each channel.
    filters: Vec<Nlms>,
    step: f64,
    /// One sample of each channel of the reference.
    row: Vec<f32>,
}

impl Operator for Adaptive {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let (time, len) = (io.frame().header.time, io.frame().len());
        let mut buffer = io.signal(0, len);
        let output = buffer.floats_mut().expect("a fresh buffer has one holder");
        let input = io.frame().samples();
        let reference =
            io.aligned(1).expect("every input has a frame, of NaN if need be").samples();
        for n in 0..len {
            for (sample, plane) in self.row.iter_mut().zip(reference.chunks_exact(len)) {
                *sample = plane[n];
            }
            self.past.push(&self.row);
            for (channel, filter) in self.filters.iter_mut().enumerate() {
                let at = channel * len + n;
                output[at] = filter.step(&self.past, input[at], self.step);
            }
        }
        io.send_buffer(0, time, buffer);
        Ok(())
    }

    fn gap(&mut self, _: &GapNotice, _: &mut Io<'_>) -> Result<(), Fault> {
        self.past.reset();
        Ok(())
    }

    fn retune(&mut self, node: &engine::Node<'_>) -> Result<(), Fault> {
        self.step = bodies::tuned(node, &STEP_RATIO)?;
        Ok(())
    }

    fn reset(&mut self) {
        self.past.reset();
        self.filters.iter_mut().for_each(Nlms::reset);
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(VERSION);
        self.past.save(into);
        self.filters.iter().for_each(|filter| filter.save(into));
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        bodies::load("is no state of `nlms`", VERSION, from, |state| {
            self.past.load(state)?;
            self.filters.iter_mut().try_for_each(|filter| filter.load(state))
        })
    }
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use super::*;
    use crate::math::random::Random;

    #[test]
    fn what_the_reference_explains_goes_and_the_rest_stays() {
        let inputs = [("in", Bench::channels(2, 100.0)), ("reference", Bench::channels(2, 100.0))];
        let mut nlms = Bench::with(&KIND, &inputs, "taps = 4\nstep_ratio = 0.05").expect("valid");
        let mut random = Random::new(3);
        let len = 60_000;
        let mut noise =
            || -> Vec<f32> { (0..len).map(|_| random.uniform() as f32 - 0.5).collect() };
        let (a, b) = (noise(), noise());
        let heart = |n: usize| (n as f32 * 0.11).sin() * 0.1;
        let past = |of: &[f32], n: usize, k: usize| n.checked_sub(k).map_or(0.0, |n| of[n]);
        let one: Vec<f32> = (0..len).map(|n| heart(n) + 3.0 * a[n] - past(&b, n, 2)).collect();
        let two: Vec<f32> = (0..len).map(|n| heart(n) + 0.5 * past(&a, n, 3)).collect();
        nlms.push_samples(0, &[one, two].concat());
        nlms.push_samples(1, &[a, b].concat());
        nlms.run();
        let seen = nlms.take();
        for channel in 0..2 {
            let output = seen[0].frame.channel(channel);
            let left = |n: usize| f64::from(output[n] - heart(n)).powi(2);
            let rms = ((30_000..len).map(left).sum::<f64>() / 30_000.0).sqrt();
            // The misadjustment of NLMS: step / (2 − step) of the power of what is not explained, 0.05 / 1.95
            // of 0.1² / 2: 0.011.
            assert!(rms < 0.016, "channel {channel}: {rms}");
        }
    }

    #[test]
    fn what_is_missing_teaches_nothing() {
        let inputs = [("in", Bench::channels(1, 100.0)), ("reference", Bench::channels(1, 100.0))];
        let mut nlms = Bench::with(&KIND, &inputs, "taps = 2\nstep_ratio = 1.0").expect("valid");
        let lost = f32::NAN;
        nlms.push_samples(0, &[2.0, 2.0, lost, 2.0, 2.0, 2.0, 2.0]);
        nlms.push_samples(1, &[1.0, 0.0, 1.0, lost, 0.0, 1.0, 1.0]);
        nlms.run();
        let output: Vec<f32> = nlms.take()[0].frame.samples().to_vec();
        // w = (2, 0) after the first sample, (2, 2) after the second. The lost one of the reference counts as 0
        // and teaches nothing while it is among the taps.
        assert_eq!(output[..2], [2.0, 2.0]);
        assert!(output[2].is_nan());
        assert_eq!(output[3..], [0.0, 2.0, 0.0, -2.0]);
    }
}
