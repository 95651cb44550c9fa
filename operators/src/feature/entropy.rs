//! `entropy`: how irregular a signal is.
//!
//! Of the last N samples, every `every_s`, one of
//!
//! ```text
//! permutation  −Σ p log p / log(m!)   over the orders of size of m samples in a row (0 to 1)
//! sample       −ln(A / B)             pairs of m samples in a row that stay alike with one more
//! approximate  Φ(m) − Φ(m + 1)        the same with every stretch like itself
//! shannon      −Σ p log2 p            over `bins` equal parts of the window's range, in bits
//! ```
//!
//! Alike are samples that differ by no more than `tolerance_ratio` standard deviations of the
//! window.
//!
//! | port  | carries                                                             |
//! |-------|---------------------------------------------------------------------|
//! | `in`  | a signal; of several channels the first is looked at                |
//! | `out` | every `every_s` an event with the `entropy` of the window before it |
//!
//! **Delay**: none; the first value comes when the window is full. **NaN**: stretches with a sample
//! that is not finite do not count; where nothing is left the field is absent, as where no two
//! stretches are alike. **Gap**: the window begins anew. **Cost**: `permutation` and `shannon` some
//! operations a sample; `sample` and `approximate` N² / 2 and N² comparisons a value, at once.

use engine::{
    Body, Code, Diagnostic, Fault, Field, Format, Io, Kind, Node, Operator, Outline, Param, Port,
};

use super::window::samples;
use crate::{
    bodies::{Counted, load},
    math::{
        entropy::{self, Permutations},
        sliding::{Merge, Moments},
    },
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "entropy",
    summary: "How irregular a signal is.",
    doc: "Every every_s of the last N = window_s * rate samples, once there are so many. method = \
          \"permutation\": -sum p log p / log(m!) over the orders of size of m = order samples in \
          a row, 0 to 1, equal ones in their order of time (neurokit2 leaves theirs to chance); \
          \"sample\": -ln(A / B), with B pairs of stretches of m samples that differ by no more \
          than r anywhere and A of them that still do with one more sample; \"approximate\": \
          Phi(m) - Phi(m + 1), every stretch like itself; \"shannon\": -sum p log2 p over `bins` \
          equal parts of the window's range, in bits. r = tolerance_ratio times the window's \
          standard deviation (ddof 1). As neurokit2's entropy_permutation, entropy_sample, \
          entropy_approximate (tolerance='sd') and numpy's histogram. order is 3 for permutations \
          and 2 else unless written. Looks at the first channel. Delay: none. NaN: stretches with \
          a sample that is not finite do not count; without any, and where no two are alike, the \
          field is absent. After a gap the window begins anew. Cost: permutation about 20 ns a \
          sample; shannon 2 ns for each of the window a value; sample 1 ns times N^2 / 2, \
          approximate 1 ns times N^2 a value, at once: N is at most 4096 for these. Source: Bandt \
          and Pompe 2002; Richman and Moorman 2000; Pincus 1991.",
    example: "method = \"permutation\"\nwindow_s = 2.0",
    inputs: &[Port::signal("in").of_one_channel()],
    outputs: &[Port::event("out")],
    params: &[&METHOD, &WINDOW_S, &EVERY_S, &ORDER, &TOLERANCE_RATIO, &BINS],
    plan: |node| {
        method(node)?;
        window(node)?;
        let out =
            Format::event(vec![Field::f64("entropy")], node.rate_hz("in") / every(node)? as f64);
        Ok(Outline::of([out]))
    },
    build: |node| {
        let len = window(node)?;
        Ok(Body::operator(Entropy {
            method: method(node)?,
            window: vec![f32::NAN; 2 * len],
            len,
            seen: 0,
            every: every(node)?,
            counts: Vec::with_capacity(BINS_MAX as usize),
            counted: Counted::NONE,
        }))
    },
    ..Kind::BASE
};

const METHOD: Param<&str> = Param::with_default("method", "permutation", "Which entropy.")
    .one_of(&["permutation", "sample", "approximate", "shannon"]);
const WINDOW_S: Param<f64> =
    Param::with_default("window_s", 2.0, "Length of the sliding window.").within(1e-3, 3_600.0);
const EVERY_S: Param<f64> =
    Param::with_default("every_s", 1.0, "Time between two values.").within(1e-3, 86_400.0);
const ORDER: Param<i64> =
    Param::optional("order", "Samples in a row that are looked at, neurokit2's dimension.")
        .within(2.0, 7.0);
const TOLERANCE_RATIO: Param<f64> = Param::with_default(
    "tolerance_ratio",
    0.2,
    "What is alike, in standard deviations of the window.",
)
.within(1e-3, 10.0);
const BINS_MAX: f64 = 4_096.0;
const BINS: Param<i64> =
    Param::with_default("bins", 16, "Parts of the range for shannon.").within(2.0, BINS_MAX);

/// Pairs of this many are compared within some ten milliseconds.
const PAIRED_MAX: usize = 4_096;

enum Method {
    Permutation(Permutations),
    Sample { order: usize, tolerance: f64 },
    Approximate { order: usize, tolerance: f64 },
    Shannon { bins: usize },
}

fn method(node: &Node<'_>) -> Result<Method, Diagnostic> {
    let name = node.get(&METHOD)?;
    let tolerance = node.get(&TOLERANCE_RATIO)?;
    let order = node.get_optional(&ORDER)?.map(|order| order as usize);
    Ok(match name {
        "permutation" => Method::Permutation(Permutations::new(order.unwrap_or(3))),
        "sample" => Method::Sample { order: order.unwrap_or(2), tolerance },
        "approximate" => Method::Approximate { order: order.unwrap_or(2), tolerance },
        _ => Method::Shannon { bins: node.get(&BINS)? as usize },
    })
}

fn window(node: &Node<'_>) -> Result<usize, Diagnostic> {
    let len = samples(node, &WINDOW_S, 10)?;
    let is_paired = matches!(node.get(&METHOD)?, "sample" | "approximate");
    if is_paired && len > PAIRED_MAX {
        let message = format!("`window_s` is {len} samples, each of which is compared with each");
        let hint = format!("choose at most {} s", PAIRED_MAX as f64 / node.rate_hz("in"));
        return Err(node.problem(Code::OutOfRange, WINDOW_S.name(), message).hint(hint));
    }
    Ok(len)
}

/// Samples between two values.
fn every(node: &Node<'_>) -> Result<u64, Diagnostic> {
    Ok((node.get(&EVERY_S)? * node.rate_hz("in")).round().max(1.0) as u64)
}

struct Entropy {
    method: Method,
    /// The last samples twice: every sample stands at its place and `len` behind it, so that the
    /// window always lies in one piece.
    window: Vec<f32>,
    len: usize,
    seen: u64,
    every: u64,
    counts: Vec<u32>,
    counted: Counted,
}

impl Entropy {
    fn push(&mut self, x: f32) {
        let (place, len) = ((self.seen % self.len as u64) as usize, self.len);
        // Those that never came are not finite, so that their stretches neither enter nor leave.
        if let Method::Permutation(permutations) = &mut self.method {
            permutations.leave(&self.window[place..place + permutations.order()]);
        }
        (self.window[place], self.window[place + len]) = (x, x);
        self.seen += 1;
        if let Method::Permutation(permutations) = &mut self.method {
            let end = place + len + 1;
            permutations.enter(&self.window[end - permutations.order()..end]);
        }
    }

    /// The samples of the window, the oldest first.
    fn ordered(&self) -> &[f32] {
        let from = (self.seen % self.len as u64) as usize;
        &self.window[from..from + self.len]
    }

    fn value(&mut self) -> Option<f64> {
        let mut counts = std::mem::take(&mut self.counts);
        let window = self.ordered();
        let deviation = || {
            let finite = window.iter().filter(|x| x.is_finite());
            let moments = finite.fold(Moments::NOTHING, |all, &x| all.merge(Moments::of(x.into())));
            (moments.squares / (moments.count - 1.0)).sqrt()
        };
        let value = match &self.method {
            Method::Permutation(permutations) => permutations.value(),
            Method::Sample { order, tolerance } => {
                entropy::sample(window, *order, tolerance * deviation())
            }
            Method::Approximate { order, tolerance } => {
                entropy::approximate(window, *order, tolerance * deviation())
            }
            Method::Shannon { bins } => entropy::shannon(window, *bins, &mut counts),
        };
        self.counts = counts;
        value
    }

    fn forget(&mut self) {
        self.seen = 0;
        self.window.fill(f32::NAN);
        if let Method::Permutation(permutations) = &mut self.method {
            permutations.reset();
        }
    }
}

impl Operator for Entropy {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        if !self.counted.enter(io) {
            self.forget();
        }
        let frame = io.take();
        for (n, &x) in frame.channel(0).iter().enumerate() {
            self.push(x);
            if self.seen >= self.len as u64
                && (self.seen - self.len as u64).is_multiple_of(self.every)
            {
                let event = io.event_for(0).f64_or_absent(0, self.value());
                io.send_event(0, io.time_of(n as i64), event);
            }
        }
        self.counted.leave(io);
        Ok(())
    }

    fn reset(&mut self) {
        self.forget();
        self.counted = Counted::NONE;
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(1);
        self.counted.save(into);
        into.extend_from_slice(&self.seen.to_le_bytes());
        self.ordered().iter().for_each(|sample| into.extend_from_slice(&sample.to_le_bytes()));
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        self.forget();
        load("is no state of `entropy`", 1, from, |state| {
            self.counted.load(state)?;
            state.u64(&mut self.seen)?;
            let len = self.len;
            let from = (self.seen % len as u64) as usize;
            for place in (from..len).chain(0..from) {
                state.f32(&mut self.window[place])?;
                self.window[place + len] = self.window[place];
            }
            if let Method::Permutation(permutations) = &mut self.method {
                let window = &self.window[from..from + len];
                window
                    .windows(permutations.order())
                    .for_each(|stretch| permutations.enter(stretch));
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use super::*;
    use crate::{
        feature::golden,
        math::golden::{cases, numbers, word},
    };

    fn values(bench: &mut Bench, signal: &[f32]) -> Vec<(f64, Option<f64>)> {
        bench.feed(signal);
        let told = bench.take();
        let told =
            told.iter().map(|seen| (seen.time().nanos() as f64 / 1e6, seen.number("entropy")));
        told.collect()
    }

    #[test]
    fn values_are_those_of_neurokit2_and_numpy() {
        let text = include_str!("../../../tests/golden/entropies.json");
        let mut checked = 0;
        for case in cases(text) {
            let params = word(case, "params").replace("; ", "\n").replace('\'', "\"");
            let params = format!("{params}\nevery_s = 0.001");
            let mut bench = Bench::build(&KIND, 1_000.0, &params).expect("valid");
            let got = values(&mut bench, &golden::signal(200));
            for (at, want) in numbers(case, "at").into_iter().zip(numbers(case, "want")) {
                let value = got.iter().find(|(ms, _)| *ms == at).expect("one a sample").1;
                let value = value.expect("something is alike");
                // Sums of a hundred logarithms below 10, each rounded to 16 digits.
                assert!((value - want).abs() < 1e-12, "{params} at {at}: {value} is not {want}");
                checked += 1;
            }
        }
        assert!(checked > 20, "{checked} values");
    }

    #[test]
    fn values_come_when_the_window_is_full_and_every_so_often() {
        let params = "window_s = 0.02\nevery_s = 0.03\nmethod = \"shannon\"";
        let mut entropy = Bench::build(&KIND, 1_000.0, params).expect("valid");
        let told = values(&mut entropy, &golden::signal(100));
        assert_eq!(told.iter().map(|told| told.0).collect::<Vec<_>>(), [19.0, 49.0, 79.0]);
    }

    #[test]
    fn what_is_missing_does_not_count_and_nothing_is_not_known() {
        for method in ["permutation", "sample", "approximate", "shannon"] {
            let params = format!("window_s = 0.02\nevery_s = 0.001\nmethod = {method:?}");
            let mut entropy = Bench::build(&KIND, 1_000.0, &params).expect("valid");
            let mut signal: Vec<f32> = (0..40).map(|n| (n % 4) as f32).collect();
            signal[10] = f32::NAN;
            let told = values(&mut entropy, &signal);
            assert!(told.iter().all(|told| told.1.is_some_and(f64::is_finite)), "{method}");
            let told = values(&mut entropy, &[f32::NAN; 30]);
            assert_eq!(told.last().expect("one a sample").1, None, "{method}");
        }
    }

    #[test]
    fn too_many_pairs_are_refused() {
        let refused = Bench::build(&KIND, 1_000.0, "method = \"sample\"\nwindow_s = 5.0").err();
        let text = refused.expect("refused").to_string();
        assert!(text.contains("`window_s` is 5000 samples") && text.contains("hint:"), "{text}");
    }
}
