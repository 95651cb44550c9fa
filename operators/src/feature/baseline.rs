//! `baseline`: how a signal differs from what it was at rest.
//!
//! For its first `learn_s` the signal is only watched; from then on every sample is told relative
//! to what was learnt, which stays as it is:
//!
//! ```text
//! zscore:      (x − centre) / spread
//! difference:   x − centre
//! change_pct:  100 (x − centre) / |centre|
//! ```
//!
//! with median and 1.4826 times the median distance from it (`robust`), or mean and standard
//! deviation (`standard`).
//!
//! | port  | carries                                     |
//! |-------|---------------------------------------------|
//! | `in`  | any signal; every channel has its own rest  |
//! | `out` | the same, relative to it                    |
//!
//! Setting `learn_s`, even to what it is, learns anew from then on. **Delay**: none. **NaN**: comes
//! out while it learns, for samples that are not finite, and where a spread or centre to divide by
//! is 0. What is not finite does not count: it learns from so many samples that are. **Gap**: what
//! was learnt stays. **Cost**: O(log n) a sample while it learns, then a division.

use engine::{
    Body, Diagnostic, Fault, GapNotice, Io, Kind, Node, Operator, Outline, Param, Port, Unit,
};

use super::window::{samples, with_unit};
use crate::{
    bodies::load,
    math::{
        ordered::{NORMAL_MAD, Ordered},
        sliding::{Merge, Moments},
        state::{put_f64, put_u64},
    },
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "baseline",
    summary: "How a signal differs from what it was at rest.",
    doc: "Learns centre and spread of each channel from the first learn_s of samples that are \
          finite, then tells every sample relative to them: relative = \"zscore\": (x - centre) / \
          spread; \"difference\": x - centre; \"change_pct\": 100 (x - centre) / |centre|. method \
          = \"robust\": median and 1.4826 times the median distance from it, which an artefact \
          while it learns does not move; \"standard\": mean and standard deviation (ddof 0). What \
          was learnt stays, also across gaps, until learn_s is set, be it to what it is: then it \
          learns anew from that moment. Delay: none. NaN: comes out while it learns, for samples \
          that are not finite, and where what it would divide by is 0. Cost: O(log n) a sample \
          while it learns, then about 1 ns. Source: Leys et al. 2013, Detecting outliers.",
    example: "learn_s = 2.0",
    inputs: &[Port::signal("in")],
    outputs: &[Port::signal("out")],
    params: &[&LEARN_S, &RELATIVE, &METHOD],
    plan: |node| {
        samples(node, &LEARN_S, 2)?;
        let out = match node.get(&RELATIVE)? {
            "difference" => node.input("in").clone(),
            "zscore" => with_unit(node, Unit::named("1")),
            _ => with_unit(node, Unit::named("%")),
        };
        Ok(Outline::of([out]))
    },
    build: |node| {
        let relative = match node.get(&RELATIVE)? {
            "difference" => Relative::Difference,
            "zscore" => Relative::Score,
            _ => Relative::Change,
        };
        let rests = vec![rest(node)?; node.signal("in").channels.len()];
        Ok(Body::operator(Baseline { rests, relative }))
    },
    ..Kind::BASE
};

const LEARN_S: Param<f64> =
    Param::with_default("learn_s", 60.0, "How long rest is; set, it is learnt anew.")
        .within(1e-3, 3_600.0)
        .live();
const RELATIVE: Param<&str> = Param::with_default("relative", "zscore", "How it is told.")
    .one_of(&["zscore", "difference", "change_pct"]);
const METHOD: Param<&str> =
    Param::with_default("method", "robust", "What is the centre, and what the spread.")
        .one_of(&["robust", "standard"]);

#[derive(Clone, Copy)]
enum Relative {
    Score,
    Difference,
    Change,
}

/// What was learnt of one channel, or is being learnt.
#[derive(Clone)]
struct Rest {
    /// Samples that are still to come.
    left: u64,
    len: u64,
    ordered: Option<Ordered>,
    moments: Moments,
    centre: f64,
    spread: f64,
}

fn rest(node: &Node<'_>) -> Result<Rest, Diagnostic> {
    let len = samples(node, &LEARN_S, 2)?;
    let ordered = (node.get(&METHOD)? == "robust").then(|| Ordered::new(len));
    let (left, len) = (len as u64, len as u64);
    Ok(Rest { left, len, ordered, moments: Moments::NOTHING, centre: 0.0, spread: 0.0 })
}

impl Rest {
    fn learn(&mut self, x: f32) {
        if !x.is_finite() {
            return;
        }
        self.left -= 1;
        let ends = self.left == 0;
        match &mut self.ordered {
            Some(ordered) => {
                ordered.push(x);
                if ends {
                    self.centre = ordered.median();
                    self.spread = ordered.median_deviation(self.centre) / NORMAL_MAD;
                }
            }
            None => {
                self.moments = self.moments.merge(Moments::of(f64::from(x)));
                (self.centre, self.spread) = (self.moments.mean, self.moments.variance().sqrt());
            }
        }
    }

    fn reset(&mut self) {
        (self.left, self.moments, self.centre, self.spread) =
            (self.len, Moments::NOTHING, 0.0, 0.0);
        self.ordered.iter_mut().for_each(Ordered::reset);
    }
}

struct Baseline {
    rests: Vec<Rest>,
    relative: Relative,
}

impl Baseline {
    fn map(rest: &mut Rest, relative: Relative, input: &[f32], output: &mut [f32]) {
        for (&x, y) in input.iter().zip(output) {
            if rest.left > 0 {
                rest.learn(x);
                *y = f32::NAN;
                continue;
            }
            let off = f64::from(x) - rest.centre;
            let by = match relative {
                Relative::Score => rest.spread,
                Relative::Difference => 1.0,
                Relative::Change => rest.centre.abs() / 100.0,
            };
            *y = if by > 0.0 && off.is_finite() { (off / by) as f32 } else { f32::NAN };
        }
    }
}

impl Operator for Baseline {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let frame = io.take();
        let len = frame.len();
        let mut output = io.signal(0, len);
        let planes = output.floats_mut().expect("a fresh buffer has one holder");
        for (n, rest) in self.rests.iter_mut().enumerate() {
            let plane = &mut planes[n * len..(n + 1) * len];
            Self::map(rest, self.relative, frame.channel(n), plane);
        }
        io.send_buffer(0, frame.header.time, output);
        Ok(())
    }

    fn gap(&mut self, _: &GapNotice, _: &mut Io<'_>) -> Result<(), Fault> {
        // Who was calibrated once need not be again because a cable was loose.
        Ok(())
    }

    fn retune(&mut self, node: &Node<'_>) -> Result<(), Fault> {
        let fresh = rest(node).map_err(|problem| Fault::new(problem.message))?;
        self.rests.fill(fresh);
        Ok(())
    }

    fn reset(&mut self) {
        self.rests.iter_mut().for_each(Rest::reset);
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(1);
        for rest in &self.rests {
            put_u64(into, rest.len);
            put_u64(into, rest.left);
            let mut moments = rest.moments;
            let numbers = moments.numbers().map(|number| *number);
            numbers.chain([rest.centre, rest.spread]).for_each(|number| put_f64(into, number));
            // Once it has learnt, nobody asks from what.
            rest.ordered.iter().filter(|_| rest.left > 0).for_each(|ordered| ordered.save(into));
        }
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        load("is no state of `baseline`", 1, from, |state| {
            for rest in &mut self.rests {
                let mut len = 0;
                state.u64(&mut len)?;
                state.demand(len == rest.len)?;
                state.u64(&mut rest.left)?;
                state.demand(rest.left <= rest.len)?;
                rest.moments.numbers().try_for_each(|number| state.f64(number))?;
                state.f64(&mut rest.centre)?;
                state.f64(&mut rest.spread)?;
                if let Some(ordered) = rest.ordered.as_mut().filter(|_| rest.left > 0) {
                    ordered.load(state)?;
                }
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use engine::{Gap, testing::Bench};

    use super::*;

    fn bench(params: &str) -> Bench {
        Bench::build(&KIND, 1_000.0, params).unwrap_or_else(|problem| panic!("{problem}"))
    }

    /// Median 3 and distances 2, 1, 0, 1, 97; mean 22.
    const REST: [f32; 5] = [1.0, 2.0, 3.0, 4.0, 100.0];

    #[test]
    fn what_comes_is_told_relative_to_rest() {
        for (params, want) in [
            ("", NORMAL_MAD * 2.0),
            ("relative = \"difference\"", 2.0),
            ("relative = \"change_pct\"", 200.0 / 3.0),
            ("method = \"standard\"\nrelative = \"difference\"", 5.0 - 22.0),
        ] {
            let mut baseline = bench(&format!("learn_s = 0.005\n{params}"));
            assert!(baseline.feed(&REST).iter().all(|y| y.is_nan()), "{params}");
            let got = baseline.feed(&[5.0, f32::NAN]);
            assert_eq!(got[0], want as f32, "{params}");
            assert!(got[1].is_nan(), "{params}");
        }
        let mut standard = bench("learn_s = 0.004\nmethod = \"standard\"");
        standard.feed(&[1.0, 3.0, 1.0, 3.0]);
        assert_eq!(standard.feed(&[5.0]), [3.0]);
    }

    #[test]
    fn it_learns_from_what_is_there_and_keeps_it_across_a_gap() {
        let mut baseline = bench("learn_s = 0.003\nrelative = \"difference\"");
        let first = baseline.feed(&[f32::NAN, 10.0, f32::INFINITY, 20.0, 30.0, 21.0]);
        assert!(first[..5].iter().all(|y| y.is_nan()) && first[5] == 1.0, "{first:?}");

        let time = engine::Timestamp::from_nanos(1_000_000_000);
        let mut frame = engine::Frame::signal(time, 1, &[25.0]);
        frame.header.gap = Some(Gap::Source).into();
        baseline.push(0, frame);
        baseline.run();
        assert_eq!(baseline.take().last().expect("one").frame.samples(), [5.0]);
    }

    #[test]
    fn setting_how_long_rest_is_learns_it_anew() {
        let mut baseline = bench("learn_s = 0.002\nrelative = \"difference\"");
        assert_eq!(baseline.feed(&[1.0, 1.0, 5.0])[2], 4.0);
        baseline.set("learn_s", 0.002).expect("live");
        assert_eq!(baseline.feed(&[8.0, 8.0, 5.0])[2], -3.0);
    }

    #[test]
    fn rest_without_spread_has_no_measure() {
        let mut baseline = bench("learn_s = 0.002");
        assert!(baseline.feed(&[1.0, 1.0, 5.0])[2].is_nan());
    }
}
