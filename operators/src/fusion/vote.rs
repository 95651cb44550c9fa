//! `vote`: an event where enough inputs agree on one.
//!
//! Every event of an input is a vote: for the text or number in `label`, if that is written, else for
//! something having happened at all. Votes stand for `window_ms`; where those for one label weigh
//! more than `quorum_share` of all inputs together, an event comes out.
//!
//! ```text
//! in 0  ──┴───────────┴──────┴─        window  ├────┤
//! in 1  ────┴────────────────┴─
//! in 2  ───────────────────┴───
//! out   ────┴────────────────┴─        of three inputs two are enough
//! ```
//!
//! | port  | carries                                                                              |
//! |-------|--------------------------------------------------------------------------------------|
//! | `in`  | events, any number of streams; a field `quality`, 0 to 1, weighs each                 |
//! | `out` | at the vote that decides: `label`, `votes`, `weight_share`, `spread_ms` between first and last |
//!
//! An input has one vote, its latest. What comes for the same label within the window of a decision
//! belongs to it and is not told again. `window_ms` counts from the first vote.
//!
//! **Missing**: an input that is silent does not agree, but its weight still counts in the whole; a
//! vote of quality 0, NaN or none has no weight. **Delay**: none: the last of those who agree decides.
//! **Cost**: some 50 ns a vote.

use engine::{
    Body, BuildError, Code, Diagnostics, EventReader, Fault, Field, FieldKind, FieldValue, Format,
    Io, Kind, Node, Operator, Outline, Param, Port,
};

use super::weighted::{WEIGHTS, weights};
use crate::{
    bodies::load,
    math::state::{State, StateError},
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "vote",
    summary: "An event where enough inputs agree on one.",
    doc: "Each event votes with its input's weight, times its own `quality` if its stream has that field, for the \
          value of `label` (unless written, for any). Votes stand for window_ms, an input's latest only; \
          where those for one label weigh more than quorum_share of all weights, or all there is, an event \
          comes out at the vote that decides, with label, votes, weight_share and spread_ms. Further votes for that \
          label within window_ms of its first belong to it. `weights` has a number for each input, all 1 \
          unless written: 0.5 is a majority. A vote of quality 0, NaN or none has no weight; silence is no \
          vote but counts in the whole. After a gap votes are forgotten. Delay: none. Cost: about 50 ns a vote.",
    example: "window_ms = 150.0",
    inputs: &[Port::event("in").variadic().fed_by(&["qrs", "pulse"])],
    outputs: &[Port::event("out")],
    params: &[&WINDOW_MS, &QUORUM_SHARE, &WEIGHTS, &LABEL],
    plan: |node| {
        voters(node)?;
        let fields = vec![
            Field::text("label", LABEL_BYTES),
            Field::i64("votes"),
            Field::f64("weight_share"),
            Field::f64("spread_ms"),
        ];
        let rates = node.inputs().iter().filter_map(|input| input.format.as_event());
        // Each may decide on a label of its own.
        let rate_max = rates.map(|events| events.rate_max).sum();
        Ok(Outline::of([Format::event(fields, rate_max)]))
    },
    build: |node| {
        let voters = voters(node).map_err(BuildError::Graph)?;
        Ok(Body::operator(Vote {
            whole: voters.iter().map(|voter| voter.weight).sum(),
            voters,
            quorum: node.get(&QUORUM_SHARE)?,
            window_ns: (node.get(&WINDOW_MS)? * 1e6).round() as i64,
            decided: Vec::with_capacity(DECISIONS),
        }))
    },
    ..Kind::BASE
};

const WINDOW_MS: Param<f64> =
    Param::required("window_ms", "How long a vote stands.").within(0.0, 1e9);
const QUORUM_SHARE: Param<f64> =
    Param::with_default("quorum_share", 0.5, "More than this share of all weight decides.")
        .within(0.0, 1.0);
const LABEL: Param<&str> =
    Param::optional("label", "The field that says what is voted for; text, number or flag.");

const LABEL_BYTES: usize = 32;
/// Decisions on different labels whose windows are open at once.
const DECISIONS: usize = 16;

/// What is voted for: a text, or another value as its bytes.
#[derive(Clone, Copy, Default, PartialEq)]
struct Label {
    bytes: [u8; LABEL_BYTES],
    len: u8,
}

impl Label {
    fn of(event: &EventReader<'_>, field: Option<usize>) -> Option<Self> {
        let Some(field) = field else { return Some(Self::default()) };
        match event.field(field)? {
            FieldValue::Text(text) => Some(Self::text(text)),
            FieldValue::I64(number) => Some(Self::number(number)),
            FieldValue::Bool(flag) => Some(Self::text(if flag { "true" } else { "false" })),
            _ => None,
        }
    }

    fn text(text: &str) -> Self {
        let len = text.floor_char_boundary(LABEL_BYTES);
        let mut bytes = [0; LABEL_BYTES];
        bytes[..len].copy_from_slice(&text.as_bytes()[..len]);
        Self { bytes, len: len as u8 }
    }

    /// Its digits, without a text of its own.
    fn number(number: i64) -> Self {
        use std::io::Write as _;
        let mut bytes = [0; LABEL_BYTES];
        let mut rest = &mut bytes[..];
        write!(rest, "{number}").expect("twenty digits fit");
        let left = rest.len();
        Self { bytes, len: (LABEL_BYTES - left) as u8 }
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.len)]).expect("made of text")
    }

    fn pass(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        state.u8(&mut self.len)?;
        self.bytes.iter_mut().try_for_each(|byte| state.u8(byte))?;
        let text = self.bytes.get(..usize::from(self.len));
        state.demand(text.is_some_and(|text| std::str::from_utf8(text).is_ok()))
    }
}

#[derive(Clone, Copy, Default)]
struct Ballot {
    label: Label,
    time: i64,
    weight: f64,
}

impl Ballot {
    fn pass(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        self.label.pass(state)?;
        state.i64(&mut self.time)?;
        state.f64(&mut self.weight)
    }
}

/// One input.
struct Voter {
    weight: f64,
    label: Option<usize>,
    quality: Option<usize>,
    ballot: Option<Ballot>,
}

fn voters(node: &Node<'_>) -> Result<Vec<Voter>, Diagnostics> {
    let inputs = node.inputs();
    let weights = weights(node, inputs.len())?;
    let mut problems = Vec::new();
    let mut voters = Vec::new();
    for (input, weight) in inputs.iter().zip(weights) {
        let fields = &input.format.as_event().expect("the port takes events").fields;
        let find = |name: &str| fields.iter().position(|field| field.name == name);
        let label = node.get_optional(&LABEL)?.map(|name| (name, find(name)));
        if let Some((name, None)) = label {
            let message = format!("`{}` has no field `{name}`", input.label);
            let problem = node.problem(Code::OutOfRange, LABEL.name(), message);
            let names: Vec<&str> = fields.iter().map(|field| field.name).collect();
            problems.push(problem.hint(format!("choose one of {}", names.join(", "))));
        }
        let label = label.and_then(|(_, field)| field);
        let is_sayable = |kind: FieldKind| {
            matches!(kind, FieldKind::Text { .. } | FieldKind::I64 | FieldKind::Bool)
        };
        if let Some(field) = label.map(|field| &fields[field])
            && !is_sayable(field.kind)
        {
            let message = format!("`{}` of `{}` is no label", field.name, input.label);
            let problem = node.problem(Code::OutOfRange, LABEL.name(), message);
            problems.push(problem.hint("choose a text, a whole number or a flag"));
        }
        voters.push(Voter { weight, label, quality: find("quality"), ballot: None });
    }
    if problems.is_empty() { Ok(voters) } else { Err(Diagnostics(problems)) }
}

struct Vote {
    voters: Vec<Voter>,
    /// All weights together.
    whole: f64,
    quorum: f64,
    window_ns: i64,
    /// Label and first vote of what has been decided.
    decided: Vec<Ballot>,
}

impl Vote {
    /// Takes a vote; says whether it belongs to a decision that was made.
    fn cast(&mut self, line: usize, ballot: Ballot) -> bool {
        let from = ballot.time.saturating_sub(self.window_ns);
        self.decided.retain(|decided| decided.time >= from);
        for voter in &mut self.voters {
            voter.ballot.take_if(|ballot| ballot.time < from);
        }
        if self.decided.iter().any(|decided| decided.label == ballot.label) {
            return true;
        }
        self.voters[line].ballot = Some(ballot);
        false
    }

    /// Those who vote for this: how many, with what weight, since when.
    fn count(&self, label: &Label) -> (i64, f64, i64) {
        let ballots = self.voters.iter().filter_map(|voter| voter.ballot);
        let ballots = ballots.filter(|ballot| ballot.label == *label);
        ballots.fold((0, 0.0, i64::MAX), |(votes, weight, since), ballot| {
            (votes + 1, weight + ballot.weight, since.min(ballot.time))
        })
    }
}

impl Operator for Vote {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let (time, line, event) = (io.frame().header.time, io.line(), io.event());
        let voter = &self.voters[line];
        let quality = voter.quality.map_or(1.0, |field| event.f64(field).unwrap_or(0.0));
        let Some(label) = Label::of(&event, voter.label) else { return Ok(()) };
        // NaN is not above 0.
        let weight = if quality > 0.0 { voter.weight * quality.min(1.0) } else { 0.0 };
        if weight <= 0.0 || self.cast(line, Ballot { label, time: time.nanos(), weight }) {
            return Ok(());
        }
        let (votes, weight, since) = self.count(&label);
        let share = weight / self.whole;
        if share <= self.quorum && share < 1.0 - 1e-12 {
            return Ok(());
        }
        for voter in &mut self.voters {
            voter.ballot.take_if(|ballot| ballot.label == label);
        }
        if self.decided.len() == DECISIONS {
            self.decided.remove(0);
        }
        self.decided.push(Ballot { label, time: since, weight });
        let spread_ms = (time.nanos() - since) as f64 / 1e6;
        let mut event = io.event_for(0).i64(1, votes).f64(2, share).f64(3, spread_ms);
        if self.voters[line].label.is_some() {
            event = event.text(0, label.as_str());
        }
        io.send_event(0, time, event);
        Ok(())
    }

    fn reset(&mut self) {
        self.voters.iter_mut().for_each(|voter| voter.ballot = None);
        self.decided.clear();
    }

    fn save(&self, into: &mut Vec<u8>) {
        // For the most there can be at once: it must not grow later.
        into.reserve(64 * (1 + self.voters.len() + DECISIONS));
        into.push(1);
        let mut state = State::Save(into);
        let mut pass = || {
            for voter in &self.voters {
                state.optional(&mut voter.ballot.clone(), |state, ballot| ballot.pass(state))?;
            }
            state.u64(&mut (self.decided.len() as u64))?;
            self.decided.iter().try_for_each(|decided| decided.clone().pass(&mut state))
        };
        pass().expect("only loading can fail");
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        self.reset();
        load("is no state of `vote`", 1, from, |state| {
            for voter in &mut self.voters {
                state.optional(&mut voter.ballot, |state, ballot| ballot.pass(state))?;
            }
            let mut count = 0;
            state.u64(&mut count)?;
            state.demand(count <= DECISIONS as u64)?;
            self.decided.resize(count as usize, Ballot::default());
            self.decided.iter_mut().try_for_each(|decided| decided.pass(state))
        })
    }
}

#[cfg(test)]
mod tests {
    use engine::{EventWriter, Frame, Header, Timestamp, testing::Bench};

    use super::*;

    fn format() -> Format {
        Format::event(vec![Field::text("class", 8), Field::f64("quality")], 10.0)
    }

    /// Decisions in milliseconds, label, votes, share and spread.
    type Told = (i64, Option<String>, f64, f64, f64);

    fn vote(inputs: usize, params: &str, votes: &[(i64, usize, &str, f64)]) -> Vec<Told> {
        let format = format();
        let ports = vec![("in", format.clone()); inputs];
        let mut bench = Bench::with(&KIND, &ports, params).unwrap_or_else(|e| panic!("{e}"));
        for &(ms, line, class, quality) in votes {
            let event = EventWriter::new(format.as_event().expect("events"));
            let event = event.text(0, class).f64(1, quality).finish();
            let time = Timestamp::from_nanos(ms * 1_000_000);
            bench.push(line, Frame::new(Header::at(time), event));
        }
        bench.flush();
        let seen = bench.take();
        seen.iter()
            .map(|seen| {
                let number = |field| seen.number(field).expect("told");
                let label = seen.text("label").map(str::to_owned);
                let ms = seen.time().nanos() / 1_000_000;
                (ms, label, number("votes"), number("weight_share"), number("spread_ms"))
            })
            .collect()
    }

    #[test]
    fn a_majority_within_the_window_decides_once() {
        let told = vote(
            3,
            "window_ms = 100.0",
            &[
                (0, 0, "", 1.0),
                (60, 1, "", 1.0),
                (90, 2, "", 1.0),
                (300, 0, "", 1.0),
                (500, 1, "", 1.0),
                (600, 2, "", 1.0),
            ],
        );
        let third = 2.0 / 3.0;
        assert_eq!(told, [(60, None, 2.0, third, 60.0), (600, None, 2.0, third, 100.0)]);
    }

    #[test]
    fn half_is_no_majority_and_all_is_enough_for_any_quorum() {
        let votes = [(0, 0, "", 1.0), (10, 1, "", 1.0)];
        assert_eq!(vote(4, "window_ms = 100.0", &votes), []);
        assert_eq!(vote(2, "window_ms = 100.0\nquorum_share = 1.0", &votes).len(), 1);
        assert_eq!(vote(2, "window_ms = 100.0\nquorum_share = 0.0", &votes[..1]).len(), 1);
    }

    #[test]
    fn labels_are_counted_apart_and_the_latest_vote_of_an_input_holds() {
        let told = vote(
            3,
            "window_ms = 1000.0\nlabel = \"class\"",
            &[(0, 0, "N", 1.0), (10, 1, "V", 1.0), (20, 0, "V", 1.0), (30, 2, "N", 1.0)],
        );
        assert_eq!(told, [(20, Some("V".to_owned()), 2.0, 2.0 / 3.0, 10.0)]);
    }

    #[test]
    fn weights_and_qualities_decide() {
        let params = "window_ms = 100.0\nweights = [3.0, 1.0, 1.0]";
        let told = vote(3, params, &[(0, 1, "", 1.0), (10, 0, "", 0.5), (20, 2, "", f64::NAN)]);
        // 1 + 1.5 of 5 is half, which is not more; a vote of no quality changes nothing.
        assert_eq!(told, []);
        let told = vote(3, params, &[(0, 1, "", 1.0), (10, 0, "", 0.6)]);
        assert_eq!(told, [(10, None, 2.0, 2.8 / 5.0, 10.0)]);
    }

    #[test]
    fn a_label_that_is_not_there_is_told() {
        let ports = [("in", format())];
        let refused = Bench::with(&KIND, &ports, "window_ms = 1.0\nlabel = \"x\"").err();
        let refused = refused.expect("refused").to_string();
        assert!(refused.contains("has no field `x`") && refused.contains("class, quality"));
    }
}
