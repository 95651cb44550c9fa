//! `percentile`: the level that a share of a signal's last samples stays below.
//!
//! Of the N samples of a sliding window in order of size, the one at `percentile / 100 · (N − 1)`,
//! straight between neighbours, as NumPy's `percentile`. 50 is the median, 0 the smallest, 100 the
//! largest.
//!
//! | port  | carries                        |
//! |-------|--------------------------------|
//! | `in`  | any signal                     |
//! | `out` | the level, in the same unit    |
//!
//! **Delay**: `(N − 1) / 2` samples, the middle of the window; subtracted by the runtime. **NaN**:
//! a sample that is not finite does not count; where none of the window does, NaN comes out.
//! **Cost**: O(log N) a sample; see [`crate::math::ordered`].

use engine::{Body, Fault, Kind, Map, Node, Param, Port};

use super::window::{WINDOW_S, centred, samples};
use crate::{
    bodies::{load, tuned},
    math::ordered::Ordered,
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "percentile",
    summary: "The level that a share of a signal's last samples stays below.",
    doc: "Of the last N = window_s * rate samples in order of size the one at percentile_pct / \
          100 * (N - 1), straight between neighbours, exactly as NumPy's percentile(x, q): 50 is \
          the median, 0 the smallest, 100 the largest. percentile_pct may change while it runs. \
          Delay: (N - 1) / 2 samples, the middle of the window, subtracted by the runtime. While \
          the window fills, of what is there. NaN: a sample that is not finite does not count; \
          where none in the window does, NaN comes out. Cost: O(log N), about 0.3 us a sample for \
          a window of 1000. Source: Seidel and Aragon 1996, Randomized search trees.",
    example: "window_s = 0.5\npercentile_pct = 50.0",
    inputs: &[Port::signal("in")],
    outputs: &[Port::like("out", "in")],
    params: &[&WINDOW_S, &PERCENTILE_PCT],
    plan: |node| Ok(centred(node, samples(node, &WINDOW_S, 1)?, [node.input("in").clone()])),
    build: |node| {
        let ordered = Ordered::new(samples(node, &WINDOW_S, 1)?);
        Ok(Body::map(Percentile { ordered, share: node.get(&PERCENTILE_PCT)? / 100.0 }))
    },
    ..Kind::BASE
};

const PERCENTILE_PCT: Param<f64> =
    Param::with_default("percentile_pct", 50.0, "How much of the window stays below the level.")
        .within(0.0, 100.0)
        .live();

#[derive(Clone)]
struct Percentile {
    ordered: Ordered,
    share: f64,
}

impl Map for Percentile {
    fn map(&mut self, input: &[f32], output: &mut [f32]) {
        for (&x, y) in input.iter().zip(output) {
            self.ordered.push(x);
            *y = self.ordered.quantile(self.share) as f32;
        }
    }

    fn reset(&mut self) {
        self.ordered.reset();
    }

    fn retune(&mut self, node: &Node<'_>) -> Result<(), Fault> {
        self.share = tuned(node, &PERCENTILE_PCT)? / 100.0;
        Ok(())
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(1);
        self.ordered.save(into);
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        load("is no state of `percentile`", 1, from, |state| self.ordered.load(state))
    }
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use super::*;
    use crate::feature::golden;

    #[test]
    fn values_are_those_of_numpy() {
        golden::check(&KIND, "percentile", 2f64.powi(-24));
    }

    #[test]
    fn the_share_may_change_and_what_is_missing_does_not_count() {
        let mut level = Bench::build(&KIND, 1_000.0, "window_s = 0.003").expect("valid");
        assert_eq!(level.feed(&[1.0, 5.0, f32::NAN, 9.0]), [1.0, 3.0, 3.0, 7.0]);
        level.set("percentile_pct", 100.0).expect("live");
        assert_eq!(level.feed(&[2.0]), [9.0]);
        level.set("percentile_pct", 0.0).expect("live");
        assert_eq!(level.feed(&[3.0]), [2.0]);
    }
}
