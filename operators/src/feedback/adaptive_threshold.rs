//! `adaptive_threshold`: a goal that is met as often as one wants, however good one gets.
//!
//! The threshold is the quantile of the last `window_s` at which `target_pct` of them would have
//! met it; what comes is judged by those before it:
//!
//! ```text
//! above:  θ[n] = quantile(x[n−N] … x[n−1], 1 − target),   success where x[n] > θ[n]
//! below:  θ[n] = quantile(x[n−N] … x[n−1], target),       success where x[n] < θ[n]
//! ```
//!
//! | port        | carries                                             |
//! |-------------|-----------------------------------------------------|
//! | `in`        | a signal: what is trained                           |
//! | `out`       | 1 where it succeeds, else 0                         |
//! | `threshold` | the goal, in the signal's unit; NaN before the first |
//!
//! Of samples whose order carries nothing, a share within 1 / (N + 1) of the target succeeds; a
//! trend the wanted way succeeds more often, until the window has followed it. `every_s` lets a
//! goal stand for a while before it follows. **Delay**: none. **NaN**: does not count and does not
//! succeed. **Gap**: it begins anew. **Cost**: O(log N) a sample.

use engine::{Body, Fault, Io, Kind, Node, Operator, Outline, Param, Port, Unit};

use crate::{
    bodies::{load, tuned},
    feature::window::{samples, with_unit},
    math::{
        ordered::Ordered,
        state::{put_f64, put_u64},
    },
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "adaptive_threshold",
    summary: "A goal that is met as often as one wants, however good one gets.",
    doc: "The threshold is the quantile (NumPy's linear) of the last N = window_s * rate samples \
          before the one that is judged, at 1 - target_pct / 100 where success = \"above\" it, at \
          target_pct / 100 where \"below\". Of samples whose order carries nothing a share within \
          1 / (N + 1) of the target succeeds; a trend the wanted way succeeds more often until \
          the window has followed. With every_s the threshold stands for so long before it \
          follows. target_pct may change while it runs. `out` is 1 where it succeeds, else 0; \
          `threshold` the goal, NaN while there is none. Delay: none. NaN: a sample that is not \
          finite does not count and does not succeed. After a gap it begins anew. Cost: O(log N), \
          about 0.3 us a sample for a window of 1000. Source: Sherlin et al. 2011, Neurofeedback \
          and basic learning theory.",
    example: "window_s = 10.0\ntarget_pct = 70.0",
    inputs: &[Port::signal("in")],
    outputs: &[Port::signal("out"), Port::like("threshold", "in")],
    params: &[&TARGET_PCT, &WINDOW_S, &EVERY_S, &SUCCESS],
    plan: |node| {
        samples(node, &WINDOW_S, 2)?;
        Ok(Outline::of([with_unit(node, Unit::named("1")), node.input("in").clone()]))
    },
    build: |node| {
        let past = Ordered::new(samples(node, &WINDOW_S, 2)?);
        let goal = Goal { past, threshold: f64::NAN };
        Ok(Body::operator(Trained {
            goals: vec![goal; node.signal("in").channels.len()],
            is_above: node.get(&SUCCESS)? == "above",
            target: node.get(&TARGET_PCT)? / 100.0,
            every: (node.get(&EVERY_S)? * node.rate_hz("in")).round().max(1.0) as u64,
            seen: 0,
        }))
    },
    ..Kind::BASE
};

const TARGET_PCT: Param<f64> =
    Param::with_default("target_pct", 70.0, "How much of the time it succeeds.")
        .within(0.0, 100.0)
        .live();
const WINDOW_S: Param<f64> =
    Param::with_default("window_s", 60.0, "What a sample is judged by.").within(1e-3, 3_600.0);
const EVERY_S: Param<f64> =
    Param::with_default("every_s", 0.0, "For so long a threshold stands before it follows.")
        .within(0.0, 3_600.0);
const SUCCESS: Param<&str> = Param::with_default("success", "above", "On which side it succeeds.")
    .one_of(&["above", "below"]);

struct Trained {
    goals: Vec<Goal>,
    is_above: bool,
    target: f64,
    every: u64,
    seen: u64,
}

#[derive(Clone)]
struct Goal {
    past: Ordered,
    threshold: f64,
}

impl Operator for Trained {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let frame = io.take();
        let len = frame.len();
        let mut outputs = [io.signal(0, len), io.signal(1, len)];
        let [out, thresholds] = outputs
            .each_mut()
            .map(|output| output.floats_mut().expect("a fresh buffer has one holder"));
        let share = if self.is_above { 1.0 - self.target } else { self.target };
        for (channel, goal) in self.goals.iter_mut().enumerate() {
            let first = channel * len;
            for (n, &x) in frame.channel(channel).iter().enumerate() {
                if (self.seen + n as u64).is_multiple_of(self.every) || goal.threshold.is_nan() {
                    goal.threshold = goal.past.quantile(share);
                }
                let off = f64::from(x) - goal.threshold;
                let succeeds = x.is_finite() && if self.is_above { off > 0.0 } else { off < 0.0 };
                out[first + n] = f32::from(u8::from(succeeds));
                thresholds[first + n] = goal.threshold as f32;
                goal.past.push(x);
            }
        }
        self.seen += len as u64;
        for (port, output) in outputs.into_iter().enumerate() {
            io.send_buffer(port, frame.header.time, output);
        }
        Ok(())
    }

    fn retune(&mut self, node: &Node<'_>) -> Result<(), Fault> {
        self.target = tuned(node, &TARGET_PCT)? / 100.0;
        Ok(())
    }

    fn reset(&mut self) {
        self.seen = 0;
        for goal in &mut self.goals {
            goal.past.reset();
            goal.threshold = f64::NAN;
        }
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(1);
        put_u64(into, self.seen);
        for goal in &self.goals {
            put_f64(into, goal.threshold);
            goal.past.save(into);
        }
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        load("is no state of `adaptive_threshold`", 1, from, |state| {
            state.u64(&mut self.seen)?;
            self.goals.iter_mut().try_for_each(|goal| {
                state.f64(&mut goal.threshold)?;
                goal.past.load(state)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use super::*;
    use crate::math::random::Random;

    fn bench(params: &str) -> Bench {
        Bench::build(&KIND, 100.0, params).unwrap_or_else(|problem| panic!("{problem}"))
    }

    /// The share of samples that succeed once the window is full.
    fn rate(params: &str, signal: &[f32]) -> f64 {
        let output = bench(params).feed(signal);
        let judged = &output[1_000..];
        judged.iter().map(|&y| f64::from(y)).sum::<f64>() / judged.len() as f64
    }

    #[test]
    fn noise_succeeds_as_often_as_it_should() {
        let mut random = Random::new(5);
        let noise: Vec<f32> = (0..41_000).map(|_| random.normals().0 as f32).collect();
        for target_pct in [10.0, 50.0, 70.0, 95.0] {
            for success in ["above", "below"] {
                let params =
                    format!("window_s = 10.0\ntarget_pct = {target_pct:?}\nsuccess = {success:?}");
                let got = rate(&params, &noise);
                // Four standard errors of 40 000 draws, at most 0.01, some more for the thresholds
                // of forty windows, each of 1 000 draws: √(p (1 − p) / 40 000), and 1 / 1 001.
                assert!((got - target_pct / 100.0).abs() < 0.012, "{params}: {got}");
            }
        }
    }

    #[test]
    fn who_gets_better_is_followed() {
        let mut random = Random::new(6);
        let rising: Vec<f32> =
            (0..41_000).map(|n| random.normals().0 as f32 + n as f32 * 1e-4).collect();
        let got = rate("window_s = 10.0\ntarget_pct = 70.0", &rising);
        // Half a window of trend, 0.05 deviations at a density of 0.35: 0.017 above the target.
        assert!((got - 0.717).abs() < 0.012, "{got}");
    }

    #[test]
    fn a_goal_is_what_was_before_and_stands_as_long_as_asked() {
        let mut goal = bench("window_s = 0.04\ntarget_pct = 50.0\nevery_s = 0.02");
        let out = goal.feed(&[1.0, 2.0, 3.0, f32::NAN, 5.0, 0.0]);
        let seen = goal.take();
        let thresholds = seen.iter().find(|seen| seen.port == 1).expect("one").frame.samples();
        assert!(thresholds[0].is_nan());
        // With none there yet it does not wait; then every other sample, of those before it.
        assert_eq!(thresholds[1..], [1.0, 1.5, 1.5, 2.0, 2.0]);
        assert_eq!(out, [0.0, 1.0, 1.0, 0.0, 1.0, 0.0]);
    }
}
