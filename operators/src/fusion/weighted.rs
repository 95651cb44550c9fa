//! `weighted`: one estimate of several, each weighed by its quality.
//!
//! ```text
//! y = Σ wᵢ xᵢ / Σ wᵢ        wᵢ = weightᵢ · qualityᵢ ^ exponent
//! quality = Σ wᵢ qualityᵢ / Σ wᵢ
//! ```
//!
//! | port      | carries                                                                     |
//! |-----------|-----------------------------------------------------------------------------|
//! | `in`      | estimates of one thing: signals with the same channels, of any rates         |
//! | `quality` | how good each is, 0 to 1, in the same order; none: all are as good as can be |
//! | `out`     | their mean, at the moments of the first                                      |
//! | `agreed`  | the weighted mean of the qualities: how good the mean is                     |
//!
//! With exponent 1 and qualities that go with the inverse variances (as shares of the best there can be:
//! they are limited to 0 and 1) the mean has the least variance there is;
//! a higher exponent takes the say from all but the best. **Missing**: an input that is NaN, or older
//! than `max_age_ms`, has no weight. Without any weight, or with less than `quality_min_share` in
//! `agreed`, what comes out is NaN, and `agreed` says 0. **Delay**: none; `max_wait_ms` on the node
//! bounds how long a slow input is waited for. **Cost**: some 10 ns for each sample of each input.

use engine::{
    Body, Code, Diagnostic, Fault, Format, Io, Kind, Node, Operator, Outline, Param, Policy, Port,
    Unit,
};

use super::voices::{IN, MAX_AGE_MS, QUALITY, Voices};
use crate::feature::window::with_unit;

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "weighted",
    summary: "One estimate of several, each weighed by its quality.",
    doc: "y = sum w x / sum w over the inputs, with w = weight quality^exponent, for every channel at \
          the moments of the first input; of the others the latest sample, at most max_age_ms old. \
          `agreed` is sum w quality / sum w. With qualities in proportion to inverse variances, between 0 and 1, and exponent 1 \
          the mean has the least variance. `weights` has a number for each input, all 1 unless \
          written. An input that is NaN, infinite or too old has no weight; without any weight, or where \
          `agreed` is below quality_min_share, y is NaN and `agreed` 0. Delay: none; `max_wait_ms` on \
          the node limits how long a slow input is waited for. Cost: about 10 ns for each sample of \
          each input.",
    example: "exponent = 1.0",
    inputs: &[IN, QUALITY],
    outputs: &[Port::like("out", "in"), Port::signal("agreed")],
    params: &[&WEIGHTS, &EXPONENT, &QUALITY_MIN_SHARE, &MAX_AGE_MS],
    policy: Policy::Hold,
    plan: |node| {
        let voices = Voices::of(node)?;
        weights(node, voices.len())?;
        let like = Format::Signal(node.signal("in").clone().into());
        let mut outline = Outline::of([like, with_unit(node, Unit::named("1"))]);
        outline.align = Some(Voices::align(node)?);
        Ok(outline)
    },
    build: |node| {
        let voices = Voices::of(node).map_err(engine::BuildError::Graph)?;
        Ok(Body::operator(Weighted {
            weights: weights(node, voices.len())?,
            voices,
            exponent: node.get(&EXPONENT)?,
            quality_min: node.get(&QUALITY_MIN_SHARE)?,
        }))
    },
    ..Kind::BASE
};

pub(super) const WEIGHTS: Param<&[f64]> =
    Param::optional("weights", "Weight of each input, in their order.").within(0.0, 1e9);
const EXPONENT: Param<f64> =
    Param::with_default("exponent", 1.0, "Power of the quality in the weight.").within(0.0, 16.0);
const QUALITY_MIN_SHARE: Param<f64> =
    Param::with_default("quality_min_share", 0.0, "Least quality of a mean that is told.")
        .within(0.0, 1.0);

/// A weight for each input.
pub(super) fn weights(node: &Node<'_>, inputs: usize) -> Result<Vec<f64>, Diagnostic> {
    let weights = node.get_optional(&WEIGHTS)?.unwrap_or_else(|| vec![1.0; inputs]);
    if weights.len() == inputs {
        return Ok(weights);
    }
    let message = format!("`weights` has {} numbers for {inputs} inputs", weights.len());
    let problem = node.problem(Code::OutOfRange, WEIGHTS.name(), message);
    Err(problem.hint("write one weight for each input, in the order of `from`"))
}

struct Weighted {
    voices: Voices,
    weights: Vec<f64>,
    exponent: f64,
    quality_min: f64,
}

impl Weighted {
    /// The mean of one channel at one moment, and how good it is.
    fn mean(&self, io: &Io<'_>, channel: usize, n: usize) -> (f64, f64) {
        let (mut sum, mut of_quality, mut all) = (0.0, 0.0, 0.0);
        for (voice, weight) in self.weights.iter().enumerate() {
            let (value, quality) = self.voices.say(io, voice, channel, n);
            if quality > 0.0 {
                let weight = weight * quality.powf(self.exponent);
                sum += weight * value;
                of_quality += weight * quality;
                all += weight;
            }
        }
        let agreed = of_quality / all;
        // Also where there is no weight at all.
        if agreed.is_nan() || agreed < self.quality_min {
            (f64::NAN, 0.0)
        } else {
            (sum / all, agreed)
        }
    }
}

impl Operator for Weighted {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let (len, time) = (io.frame().len(), io.frame().header.time);
        let (mut out, mut agreed) = (io.signal(0, len), io.signal(1, len));
        let means = out.floats_mut().expect("a fresh buffer has one holder");
        let qualities = agreed.floats_mut().expect("a fresh buffer has one holder");
        for (at, (y, q)) in means.iter_mut().zip(qualities).enumerate() {
            let (mean, quality) = self.mean(io, at / len, at % len);
            (*y, *q) = (mean as f32, quality as f32);
        }
        io.send_buffer(0, time, out);
        io.send_buffer(1, time, agreed);
        Ok(())
    }

    fn reset(&mut self) {}
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use super::*;

    fn bench(inputs: usize, with_quality: bool, params: &str) -> Bench {
        let one = Bench::channels(1, 100.0);
        let mut ports = vec![("in", one.clone()); inputs];
        if with_quality {
            ports.extend(vec![("quality", one); inputs]);
        }
        Bench::with(&KIND, &ports, params).unwrap_or_else(|problem| panic!("{problem}"))
    }

    /// Both outputs, of one sample per input.
    fn weigh(bench: &mut Bench, samples: &[f32]) -> [f32; 2] {
        for (line, sample) in samples.iter().enumerate() {
            bench.push_samples(line, &[*sample]);
        }
        bench.flush();
        let seen = bench.take();
        [seen[0].frame.samples()[0], seen[1].frame.samples()[0]]
    }

    #[test]
    fn the_mean_is_that_of_the_formula() {
        let got = weigh(&mut bench(3, true, ""), &[1.0, 2.0, 4.0, 0.5, 0.25, 0.25]);
        // (0.5 + 0.5 + 1) / 1 and (0.25 + 0.0625 + 0.0625) / 1, exact in binary.
        assert_eq!(got, [2.0, 0.375]);
        let got = weigh(
            &mut bench(2, true, "exponent = 2.0\nweights = [1.0, 4.0]"),
            &[3.0, 8.0, 1.0, 0.5],
        );
        // Weights 1 and 4 · 0.25.
        assert_eq!(got, [5.5, 0.75]);
        assert_eq!(weigh(&mut bench(2, false, ""), &[1.0, 2.0]), [1.5, 1.0]);
    }

    #[test]
    fn who_is_bad_or_missing_has_no_say() {
        let nan = f32::NAN;
        assert_eq!(weigh(&mut bench(2, true, ""), &[1.0, 9.0, 0.5, 0.0]), [1.0, 0.5]);
        assert_eq!(weigh(&mut bench(2, true, ""), &[1.0, 9.0, 0.5, nan])[0], 1.0);
        assert_eq!(weigh(&mut bench(2, true, ""), &[nan, 9.0, 1.0, 0.5]), [9.0, 0.5]);
        assert_eq!(weigh(&mut bench(2, true, ""), &[1.0, f32::INFINITY, 1.0, 1.0])[0], 1.0);
        let none = weigh(&mut bench(2, true, ""), &[1.0, 9.0, 0.0, 0.0]);
        assert!(none[0].is_nan() && none[1] == 0.0);
        let poor = weigh(&mut bench(1, true, "quality_min_share = 0.5"), &[1.0, 0.4]);
        assert!(poor[0].is_nan() && poor[1] == 0.0);
    }

    #[test]
    fn an_input_that_fell_silent_is_held_as_long_as_its_age_allows() {
        let mut bench = bench(2, false, "max_age_ms = 25.0");
        bench.push_samples(0, &[1.0; 6]);
        bench.push_samples(1, &[3.0]);
        bench.flush();
        let seen = bench.take();
        // At 0, 10 and 20 ms the other's sample at 0 still stands.
        assert_eq!(seen[0].frame.samples(), [2.0, 2.0, 2.0, 1.0, 1.0, 1.0]);
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let one = Bench::channels(1, 100.0);
        let refused = |inputs: &[(&str, Format)], params: &str| {
            Bench::with(&KIND, inputs, params).err().expect("refused").to_string()
        };
        let two = [("in", one.clone()), ("in", one.clone())];
        let problem = refused(&two, "weights = [1.0]");
        assert!(problem.contains("`weights` has 1 numbers for 2 inputs"), "{problem}");
        let problem = refused(&[two[0].clone(), two[1].clone(), ("quality", one.clone())], "");
        assert!(problem.contains("has 2 inputs and 1 qualities"), "{problem}");
        let problem = refused(&[two[0].clone(), ("in", Bench::channels(2, 100.0))], "");
        assert!(problem.contains("has 2 channels, but"), "{problem}");
    }
}
