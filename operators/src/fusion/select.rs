//! `select`: the best of several inputs.
//!
//! ```text
//! in 0  ───────╳╳╳╳╳╳──────────     by = "quality": the best, changed for one that is better by
//! in 1  ───────────────────────                     `margin_share`
//! out   ───────┴────────┴──────     by = "order":   the first that is good enough
//!        in 0     in 1    in 0      by = "input":   the one that `input` names
//! ```
//!
//! | port      | carries                                                                     |
//! |-----------|-----------------------------------------------------------------------------|
//! | `in`      | signals with the same channels, of any rates                                 |
//! | `quality` | how good each is, 0 to 1, in the same order; none: all are as good as can be |
//! | `out`     | the one selected, at the moments of the first                                |
//! | `chosen`  | an event for each change: `input` by its name, `index`, `quality`            |
//!
//! An input is good enough when all its channels are numbers and the least of their qualities is not
//! below `quality_min_share` and above 0. A switch serves as quality: 0 takes an input out. The input
//! that was selected stays while it is good enough and none is better by more than `margin_share`.
//! **Missing**: NaN, or older than `max_age_ms`, is not good; where none is, NaN comes out and
//! `chosen` has no `input`. **Delay**: none. **Cost**: some 10 ns for each sample of each input.

use engine::{
    Body, Code, Diagnostic, Fault, Field, Format, Grid, Io, Kind, NameOrNumber, Node, Operator,
    Outline, Param, Policy, Port,
};

use super::voices::{IN, MAX_AGE_MS, QUALITY, Voices};
use crate::{bodies::load, math::state::put_u64};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "select",
    summary: "The best of several inputs.",
    doc: "Passes one input, at the moments of the first: by = \"quality\" the one of the highest \
          quality, changed only for one that is better by more than margin_share; by = \"order\" the \
          first in the list that is good enough; by = \"input\" the one that `input` names or \
          numbers, from 0. Good enough is one whose channels are all numbers and whose least quality \
          is above 0 and not below quality_min_share. `chosen` tells each change. An input that is \
          NaN, infinite or older than max_age_ms is not good; where none is, NaN comes out. Delay: none; `max_wait_ms` \
          on the node limits how long a slow input is waited for. Cost: about 10 ns for each sample \
          of each input.",
    example: "by = \"order\"",
    inputs: &[IN, QUALITY],
    outputs: &[Port::like("out", "in"), Port::event("chosen")],
    params: &[&BY, &INPUT, &QUALITY_MIN_SHARE, &MARGIN_SHARE, &MAX_AGE_MS],
    policy: Policy::Hold,
    plan: |node| {
        rule(node, &Voices::of(node)?)?;
        let fields =
            vec![Field::text("input", LABEL_BYTES), Field::i64("index"), Field::f64("quality")];
        let signal = node.signal("in");
        let chosen = Format::event(fields, signal.rate.hz().min(EVENTS_PER_SECOND_MAX));
        let mut outline = Outline::of([Format::Signal(signal.clone().into()), chosen]);
        outline.align = Some(Voices::align(node)?);
        Ok(outline)
    },
    build: |node| {
        let voices = Voices::of(node).map_err(engine::BuildError::Graph)?;
        Ok(Body::operator(Select {
            grid: Grid::new(node.signal("in").rate),
            rule: rule(node, &voices)?,
            voices,
            quality_min: node.get(&QUALITY_MIN_SHARE)?,
            margin: node.get(&MARGIN_SHARE)?,
            chosen: None,
            is_told: false,
        }))
    },
    ..Kind::BASE
};

const BY: Param<&str> = Param::with_default("by", "quality", "What decides which input is passed.")
    .one_of(&["quality", "order", "input"]);
const INPUT: Param<NameOrNumber> =
    Param::optional("input", "Name or number of the input, where by = \"input\".");
const QUALITY_MIN_SHARE: Param<f64> =
    Param::with_default("quality_min_share", 0.0, "Least quality that is good enough.")
        .within(0.0, 1.0);
const MARGIN_SHARE: Param<f64> = Param::with_default(
    "margin_share",
    0.1,
    "By so much another must be better, where by = \"quality\".",
)
.within(0.0, 1.0);

const LABEL_BYTES: usize = 64;
/// Sizes rings: where sensors flicker, every sample may come from another.
const EVENTS_PER_SECOND_MAX: f64 = 1_000.0;

#[derive(Clone, Copy)]
enum Rule {
    Quality,
    Order,
    Only(usize),
}

fn rule(node: &Node<'_>, voices: &Voices) -> Result<Rule, Diagnostic> {
    let input = node.get_optional(&INPUT)?;
    let by = node.get(&BY)?;
    match (by, input) {
        ("input", Some(input)) => {
            let named = (0..voices.len()).find(|&n| voices.is_called(n, &input));
            let number = input.parse().ok().filter(|number| *number < voices.len());
            named.or(number).map(Rule::Only).ok_or_else(|| {
                let message = format!("`{}` has no input `{input}`", node.name());
                let labels: Vec<_> = (0..voices.len()).map(|n| voices.label(n)).collect();
                let problem = node.problem(Code::OutOfRange, INPUT.name(), message);
                problem.hint(format!("choose one of {}, or its number", labels.join(", ")))
            })
        }
        ("input", None) => {
            let message = "`by` = \"input\" needs to know which";
            Err(node.problem(Code::MissingParameter, BY.name(), message).hint("write `input`"))
        }
        (_, Some(_)) => {
            let message = "`input` belongs to by = \"input\"";
            let problem = node.problem(Code::NoEffect, INPUT.name(), message);
            Err(problem.hint("write by = \"input\", or leave `input` out"))
        }
        (by, None) => Ok(if by == "order" { Rule::Order } else { Rule::Quality }),
    }
}

struct Select {
    /// Of the frames that were joined: others may have come in since.
    grid: Grid,
    voices: Voices,
    rule: Rule,
    quality_min: f64,
    margin: f64,
    chosen: Option<usize>,
    /// Whether `chosen` has been told of since the beginning.
    is_told: bool,
}

impl Select {
    /// How good an input is at a moment; 0 if not good enough.
    fn quality(&self, io: &Io<'_>, voice: usize, n: usize) -> f64 {
        let of = |channel| self.voices.say(io, voice, channel, n).1;
        let least = (0..self.voices.channels()).map(of).fold(1.0, f64::min);
        if least < self.quality_min { 0.0 } else { least }
    }

    /// Which input is to be passed at a moment, and how good it is.
    fn choose(&self, io: &Io<'_>, n: usize) -> Option<(usize, f64)> {
        let mut good = (0..self.voices.len())
            .map(|voice| (voice, self.quality(io, voice, n)))
            .filter(|(_, quality)| *quality > 0.0);
        match self.rule {
            Rule::Order => good.next(),
            Rule::Only(only) => good.find(|(voice, _)| *voice == only),
            Rule::Quality => {
                // The first of equals.
                let better = |one: (usize, f64), other: (usize, f64)| {
                    if other.1 > one.1 { other } else { one }
                };
                let best = good.reduce(better)?;
                let held = self.chosen.map(|held| (held, self.quality(io, held, n)));
                let stays = held.filter(|held| held.1 > 0.0 && best.1 <= held.1 + self.margin);
                Some(stays.unwrap_or(best))
            }
        }
    }

    fn tell(&self, io: &mut Io<'_>, n: usize, quality: f64) {
        let mut event = io.event_for(1);
        if let Some(chosen) = self.chosen {
            event = event.text(0, self.voices.label(chosen)).i64(1, chosen as i64);
        }
        let time = self.grid.time_of(n as i64);
        io.send_event(1, time, event.f64(2, quality));
    }
}

impl Operator for Select {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let (len, time) = (io.frame().len(), io.frame().header.time);
        self.grid.enter(time, len);
        let mut out = io.signal(0, len);
        let planes = out.floats_mut().expect("a fresh buffer has one holder");
        for n in 0..len {
            let choice = self.choose(io, n);
            let chosen = choice.map(|(voice, _)| voice);
            for channel in 0..self.voices.channels() {
                planes[channel * len + n] = match chosen {
                    Some(voice) => self.voices.say(io, voice, channel, n).0 as f32,
                    None => f32::NAN,
                };
            }
            if chosen != self.chosen || !self.is_told {
                (self.chosen, self.is_told) = (chosen, true);
                self.tell(io, n, choice.map_or(0.0, |(_, quality)| quality));
            }
        }
        io.send_buffer(0, time, out);
        Ok(())
    }

    fn reset(&mut self) {
        (self.chosen, self.is_told) = (None, false);
        self.grid = Grid::new(self.grid.rate());
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(1);
        put_u64(into, u64::from(self.is_told));
        put_u64(into, self.chosen.map_or(0, |chosen| chosen as u64 + 1));
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        self.reset();
        let (mut is_told, mut chosen) = (0, 0);
        let most = self.voices.len() as u64;
        load("is no state of `select`", 1, from, |state| {
            state.u64(&mut is_told)?;
            state.u64(&mut chosen)?;
            state.demand(is_told <= 1 && chosen <= most)
        })?;
        (self.is_told, self.chosen) = (is_told == 1, (chosen as usize).checked_sub(1));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use super::*;

    fn bench(params: &str) -> Bench {
        let one = Bench::channels(1, 100.0);
        let ports = [("in", one.clone()), ("in", one.clone()), ("quality", one.clone())];
        let ports = [&ports[..], &[("quality", one)]].concat();
        Bench::with(&KIND, &ports, params).unwrap_or_else(|problem| panic!("{problem}"))
    }

    /// What comes out of 0, 0, … and 1, 1, … of these qualities, NaN as −1, and the changes.
    fn select(params: &str, qualities: [&[f32]; 2]) -> (Vec<f32>, Vec<(i64, Option<f64>)>) {
        let mut bench = bench(params);
        let len = qualities[0].len();
        bench.push_samples(0, &vec![0.0; len]);
        bench.push_samples(1, &vec![1.0; len]);
        bench.push_samples(2, qualities[0]);
        bench.push_samples(3, qualities[1]);
        let out = bench.flush();
        let seen = bench.take();
        let changes = seen.iter().filter(|seen| seen.port == 1);
        let changes = changes.map(|c| (c.time().nanos() / 10_000_000, c.number("index"))).collect();
        (out.into_iter().map(|x| if x.is_nan() { -1.0 } else { x }).collect(), changes)
    }

    #[test]
    fn the_best_is_passed_and_stays_until_another_is_clearly_better() {
        let one = [0.5, 0.5, 0.5, 0.5, 0.0, 0.0];
        let other = [0.4, 0.55, 0.7, 0.45, 0.3, 0.0];
        let (out, changes) = select("", [&one, &other]);
        assert_eq!(out, [0.0, 0.0, 1.0, 1.0, 1.0, -1.0]);
        assert_eq!(changes, [(0, Some(0.0)), (2, Some(1.0)), (5, None)]);
    }

    #[test]
    fn the_first_that_is_good_enough_is_passed_in_order() {
        let (out, _) = select(
            "by = \"order\"\nquality_min_share = 0.3",
            [&[1.0, 0.2, 0.3, f32::NAN], &[1.0, 1.0, 1.0, 0.1]],
        );
        assert_eq!(out, [0.0, 1.0, 0.0, -1.0]);
    }

    #[test]
    fn the_one_that_is_named_is_passed_while_it_is_good() {
        for input in ["1", "\"in1\""] {
            let params = format!("by = \"input\"\ninput = {input}");
            assert_eq!(select(&params, [&[1.0, 1.0], &[0.1, 0.0]]).0, [1.0, -1.0]);
        }
        let refused = |params: &str| {
            let one = Bench::channels(1, 100.0);
            let bench = Bench::with(&KIND, &[("in", one.clone()), ("in", one)], params);
            bench.err().expect("refused").to_string()
        };
        assert!(refused("by = \"input\"\ninput = \"c\"").contains("has no input `c`"));
        assert!(refused("by = \"input\"").contains("needs to know which"));
        assert!(refused("input = 0").contains("belongs to by = \"input\""));
    }
}
