//! `index`: one number from named features: stress, fatigue, effort.
//!
//! ```text
//! zᵢ = (xᵢ − lowᵢ) / (highᵢ − lowᵢ), at least 0 and at most 1
//! uᵢ = zᵢ where weightᵢ > 0, else 1 − zᵢ               a negative weight: less is more
//! index = Σ |weightᵢ| qᵢ uᵢ / Σ |weightᵢ| qᵢ           over the features that are known
//! coverage_share = Σ |weightᵢ| qᵢ / Σ |weightᵢ|
//! ```
//!
//! | port  | carries                                                                       |
//! |-------|-------------------------------------------------------------------------------|
//! | `in`  | events, any number of streams, with the features as fields; their `quality` is qᵢ |
//! | `out` | `index`, `coverage_share`, `lead`, `parts`, every `every_s` at its whole multiples |
//!
//! `features` names fields, `FIELD` or, for those of one stream alone, `NODE.FIELD`; of several streams
//! with the field, whichever told it last counts. `weights`, `low` and `high` go with them in order. `lead` is the feature that moves the index furthest from the
//! middle, `parts` are all uᵢ, NaN where unknown. With one feature each of weight 1 the index is its
//! share of the range; indices are comparable between people only as far as low and high are theirs:
//! `baseline` and `percentile` tell them.
//!
//! **Missing**: a feature that was told as NaN, infinite or of quality 0 last, or is older than
//! `max_age_s`, does not count (an event without the field says nothing of it); where less than `coverage_min_share` is known there is no `index`. **Delay**: none: a
//! value tells what came before its time. A **gap** is time that passes. **Cost**: some 30 ns an event
//! and feature.

use engine::{
    Body, BuildError, Code, Diagnostic, Diagnostics, Fault, Field, FieldKind, Format, GapNotice,
    Io, Kind, Node, Operator, Outline, Param, Port, Timestamp,
};

use super::fields::number_field;
use crate::{
    bodies::load,
    math::state::{State, StateError},
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "index",
    summary: "One number from named features, such as stress or fatigue.",
    doc: "index = sum |w| q u / sum |w| q over the features that are known, with u = z for a weight above 0, \
          else 1 - z, and z = (x - low) / (high - low) limited to 0..1; coverage_share = sum |w| q / sum |w|. \
          `features` names number fields of the inputs with commas between, FIELD or NODE.FIELD (of several \
          inputs with the field, the one that told it last counts); \
          `weights`, `low` and `high` have a number for each. q is the event's own `quality` if its stream has \
          that field, else 1. Told every every_s: index, coverage_share, lead (the feature with the largest \
          |w| q |u - 0.5|), parts (every u, NaN where unknown). A feature told as NaN, infinite or of quality 0 last, or older than \
          max_age_s, does not count (an event without the field says nothing of it); below coverage_min_share there is no index. Delay: none. A gap is time \
          that passes. Cost: about 30 ns an event and feature.",
    example: "features = \"rr_ms\"\nweights = [-1.0]\nlow = [600.0]\nhigh = [1000.0]",
    inputs: &[Port::event("in").variadic().fed_by(&["qrs"])],
    outputs: &[Port::event("out")],
    params: &[&FEATURES, &WEIGHTS, &LOW, &HIGH, &MAX_AGE_S, &COVERAGE_MIN_SHARE, &EVERY_S],
    timers: true,
    plan: |node| {
        let features = features(node)?;
        let fields = vec![
            Field::f64("index"),
            Field::f64("coverage_share"),
            Field::text("lead", NAME_BYTES),
            Field { name: "parts", kind: FieldKind::Floats { max: features.len() } },
        ];
        Ok(Outline::of([Format::event(fields, 1.0 / node.get(&EVERY_S)?)]))
    },
    build: |node| {
        let features = features(node).map_err(BuildError::Graph)?;
        Ok(Body::operator(Index {
            parts: Vec::with_capacity(features.len()),
            features,
            max_age_ns: (node.get(&MAX_AGE_S)? * 1e9).round() as i64,
            coverage_min: node.get(&COVERAGE_MIN_SHARE)?,
            every_ns: (node.get(&EVERY_S)? * 1e9).round() as i64,
            due: None,
        }))
    },
    ..Kind::BASE
};

const FEATURES: Param<&str> =
    Param::required("features", "Names of the fields, with commas between.");
const WEIGHTS: Param<&[f64]> =
    Param::required("weights", "For each, how much it counts; below 0 where less is more.")
        .within(-1e9, 1e9);
const LOW: Param<&[f64]> =
    Param::required("low", "For each, where its range begins.").within(-1e12, 1e12);
const HIGH: Param<&[f64]> =
    Param::required("high", "For each, where its range ends.").within(-1e12, 1e12);
const MAX_AGE_S: Param<f64> =
    Param::with_default("max_age_s", 60.0, "How long a feature stands.").within(1e-3, 1e6);
const COVERAGE_MIN_SHARE: Param<f64> =
    Param::with_default("coverage_min_share", 0.5, "Least part of all weight for an index.")
        .within(0.0, 1.0);
const EVERY_S: Param<f64> =
    Param::with_default("every_s", 1.0, "Time between two values.").within(1e-3, 86_400.0);

const NAME_BYTES: usize = 64;
const FEATURES_MAX: usize = 64;

struct Feature {
    name: String,
    /// Where it comes in.
    places: Vec<Place>,
    weight: f64,
    low: f64,
    high: f64,
    /// When it was told last, how far in its range it was and how good.
    seen: Option<(i64, f64, f64)>,
}

/// A line, its field, and the field of its quality.
struct Place {
    line: usize,
    field: usize,
    quality: Option<usize>,
}

impl Feature {
    fn part(&self, value: f64) -> f64 {
        let z = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        if self.weight < 0.0 { 1.0 - z } else { z }
    }
}

fn features(node: &Node<'_>) -> Result<Vec<Feature>, Diagnostics> {
    let names: Vec<&str> = node.get(&FEATURES)?.split(',').map(str::trim).collect();
    let lists =
        [(&WEIGHTS, node.get(&WEIGHTS)?), (&LOW, node.get(&LOW)?), (&HIGH, node.get(&HIGH)?)];
    let mut problems = Vec::new();
    for (param, list) in &lists {
        if list.len() != names.len() {
            let message = format!(
                "`{}` has {} numbers for {} features",
                param.name(),
                list.len(),
                names.len()
            );
            let problem = node.problem(Code::OutOfRange, param.name(), message);
            problems.push(problem.hint("write a number for each feature, in their order"));
        }
    }
    if names.len() > FEATURES_MAX {
        let message = format!("`features` names {}", names.len());
        let problem = node.problem(Code::OutOfRange, FEATURES.name(), message);
        problems.push(problem.hint(format!("name at most {FEATURES_MAX}")));
    }
    if !problems.is_empty() {
        return Err(Diagnostics(problems));
    }
    let [(_, weights), (_, low), (_, high)] = lists;
    let mut features = Vec::new();
    for (n, name) in names.into_iter().enumerate() {
        match find(node, name) {
            Ok(places) => features.push(Feature {
                name: name.to_owned(),
                places,
                weight: weights[n],
                low: low[n],
                high: high[n],
                seen: None,
            }),
            Err(problem) => problems.push(problem),
        }
        if low[n] == high[n] {
            let message = format!("the range of `{name}` is empty");
            let problem = node.problem(Code::OutOfRange, HIGH.name(), message);
            problems.push(problem.hint("write a `high` other than `low`; below it, less is more"));
        }
    }
    if problems.is_empty() && weights.iter().all(|weight| *weight == 0.0) {
        let problem = node.problem(Code::OutOfRange, WEIGHTS.name(), "no feature has a weight");
        problems.push(problem.hint("write a weight other than 0"));
    }
    if problems.is_empty() { Ok(features) } else { Err(Diagnostics(problems)) }
}

/// Where a feature comes in: by the input that is named, or by all that have it.
fn find(node: &Node<'_>, name: &str) -> Result<Vec<Place>, Diagnostic> {
    let inputs = || node.inputs().iter().enumerate();
    let place = |line: usize, input: &engine::Input, field: &str| {
        let events = input.format.as_event().expect("the port takes events");
        let quality = events.fields.iter().position(|field| field.name == "quality");
        let field = number_field(node, input, FEATURES.name(), field)?;
        Ok(Place { line, field, quality })
    };
    let of_label = inputs().find_map(|(line, input)| {
        let of = |label: &str| name.strip_prefix(label)?.strip_prefix('.');
        let field = of(&input.named).or_else(|| of(&input.label))?;
        Some((line, input, field))
    });
    if let Some((line, input, field)) = of_label {
        return Ok(vec![place(line, input, field)?]);
    }
    let mut problem = None;
    let mut places = Vec::new();
    for (line, input) in inputs() {
        match place(line, input, name) {
            Ok(found) => places.push(found),
            Err(why) => problem = problem.or(Some(why)),
        }
    }
    match problem.filter(|_| places.is_empty()) {
        Some(problem) => Err(problem),
        None => Ok(places),
    }
}

struct Index {
    features: Vec<Feature>,
    max_age_ns: i64,
    coverage_min: f64,
    every_ns: i64,
    due: Option<Timestamp>,
    /// For work.
    parts: Vec<f32>,
}

impl Operator for Index {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let (time, line, event) = (io.frame().header.time, io.line(), io.event());
        for feature in &mut self.features {
            let Some(place) = feature.places.iter().find(|place| place.line == line) else {
                continue;
            };
            // An event without the field says nothing about it.
            let Some(value) = event.f64(place.field) else { continue };
            let quality = place.quality.map_or(1.0, |field| event.f64(field).unwrap_or(0.0));
            // NaN is not above 0.
            let is_known = value.is_finite() && quality > 0.0;
            feature.seen = is_known.then(|| (time.nanos(), feature.part(value), quality.min(1.0)));
        }
        let next_ns = (time.nanos().div_euclid(self.every_ns) + 1).saturating_mul(self.every_ns);
        self.due.get_or_insert(Timestamp::from_nanos(next_ns));
        Ok(())
    }

    fn due(&self) -> Option<Timestamp> {
        self.due
    }

    fn on_due(&mut self, due: Timestamp, io: &mut Io<'_>) -> Result<(), Fault> {
        let (mut sum, mut known, mut whole) = (0.0, 0.0, 0.0);
        let mut lead: Option<(f64, &str)> = None;
        self.parts.clear();
        for feature in &self.features {
            let weight = feature.weight.abs();
            whole += weight;
            let fresh = |seen: &(i64, f64, f64)| due.nanos() - seen.0 <= self.max_age_ns;
            let Some((_, part, quality)) = feature.seen.filter(fresh) else {
                self.parts.push(f32::NAN);
                continue;
            };
            sum += weight * quality * part;
            known += weight * quality;
            self.parts.push(part as f32);
            let moves = weight * quality * (part - 0.5).abs();
            if lead.is_none_or(|(most, _)| moves > most) {
                lead = Some((moves, &feature.name));
            }
        }
        let coverage = known / whole;
        let is_told = known > 0.0 && coverage >= self.coverage_min;
        let mut event = io.event_for(0).f64_or_absent(0, is_told.then(|| sum / known));
        event = event.f64(1, coverage);
        if let Some((_, name)) = lead {
            event = event.text(2, name);
        }
        io.send_event(0, due, event.floats(3, &self.parts));
        self.due = Some(due.plus_nanos(self.every_ns));
        Ok(())
    }

    fn gap(&mut self, _: &GapNotice, _: &mut Io<'_>) -> Result<(), Fault> {
        // Time passes, and features grow old.
        Ok(())
    }

    fn reset(&mut self) {
        self.features.iter_mut().for_each(|feature| feature.seen = None);
        self.due = None;
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(1);
        let mut state = State::Save(into);
        let mut pass = || {
            state.time(&mut self.due.map(Timestamp::nanos))?;
            self.features.iter().try_for_each(|feature| seen(&mut feature.seen.clone(), &mut state))
        };
        pass().expect("only loading can fail");
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        self.reset();
        let mut due = None;
        load("is no state of `index`", 1, from, |state| {
            state.time(&mut due)?;
            self.features.iter_mut().try_for_each(|feature| seen(&mut feature.seen, state))
        })?;
        self.due = due.map(Timestamp::from_nanos);
        Ok(())
    }
}

fn seen(seen: &mut Option<(i64, f64, f64)>, state: &mut State<'_>) -> Result<(), StateError> {
    state.optional(seen, |state, (time, part, quality)| {
        state.i64(time)?;
        state.f64(part)?;
        state.f64(quality)
    })
}

#[cfg(test)]
mod tests {
    use engine::{EventWriter, Frame, Header, testing::Bench};

    use super::*;

    const PARAMS: &str = "features = \"rate_bpm, in1.level\"\nweights = [2.0, -1.0]\n\
                          low = [60.0, 0.0]\nhigh = [100.0, 4.0]\nmax_age_s = 10.0";

    fn hearts() -> Format {
        Format::event(vec![Field::f64("rate_bpm"), Field::f64("quality")], 10.0)
    }

    fn others() -> Format {
        Format::event(vec![Field::f64("level")], 10.0)
    }

    /// A line for each value told: second, index, coverage, lead.
    type Told = (f64, Option<f64>, f64, Option<String>);

    fn told(params: &str, events: &[(f64, usize, &[f64])]) -> Vec<Told> {
        let formats = [hearts(), others()];
        let ports = [("in", formats[0].clone()), ("in", formats[1].clone())];
        let mut bench = Bench::with(&KIND, &ports, params).unwrap_or_else(|e| panic!("{e}"));
        for &(at_s, line, numbers) in events {
            let mut event = EventWriter::new(formats[line].as_event().expect("events"));
            for (field, number) in numbers.iter().enumerate() {
                event = event.f64(field, *number);
            }
            let time = Timestamp::from_secs_f64(at_s);
            bench.push(line, Frame::new(Header::at(time), event.finish()));
            bench.promise(1 - line, time);
            bench.run();
        }
        let seen = bench.take();
        let row = |seen: &engine::testing::Seen| {
            let lead = seen.text("lead").map(str::to_owned);
            let coverage = seen.number("coverage_share").expect("told");
            (seen.time().secs_f64(), seen.number("index"), coverage, lead)
        };
        seen.iter().map(row).collect()
    }

    #[test]
    fn the_index_is_that_of_the_formula() {
        let told = told(
            PARAMS,
            &[(0.1, 0, &[80.0, 1.0]), (0.2, 1, &[1.0]), (1.5, 0, &[200.0, 0.5]), (3.0, 1, &[1.0])],
        );
        // (2 · 0.5 + 1 · 0.75) / 3; then (2 · 0.5 · 1 + 0.75) / 2 of 2 / 3 coverage.
        assert_eq!(told[0].0, 1.0);
        assert!((told[0].1.expect("told") - 1.75 / 3.0).abs() < 1e-15);
        assert_eq!((told[0].2, told[0].3.as_deref()), (1.0, Some("in1.level")));
        assert_eq!(told[1].1, Some(0.875));
        assert!((told[1].2 - 2.0 / 3.0).abs() < 1e-15);
        assert_eq!(told[1].3.as_deref(), Some("rate_bpm"));
    }

    #[test]
    fn what_is_unknown_or_old_does_not_count() {
        let told = told(
            PARAMS,
            &[
                (0.1, 1, &[1.0]),
                (1.1, 0, &[80.0, f64::NAN]),
                (2.1, 0, &[f64::INFINITY, 1.0]),
                (3.1, 0, &[80.0, 1.0]),
                (12.5, 1, &[f64::NAN]),
                (14.0, 1, &[0.0]),
            ],
        );
        let third = 1.0 / 3.0;
        assert!(told[..3].iter().all(|told| told.1.is_none() && told.2 == third), "{told:?}");
        assert_eq!(told[3].1.map(|index| (index * 12.0).round()), Some(7.0));
        // The level is older than 10 s at 11 s, the heart at 14 s.
        assert_eq!((told[10].0, told[10].1, told[10].2), (11.0, Some(0.5), 2.0 / 3.0));
        assert_eq!((told[13].0, told[13].1, told[13].2), (14.0, None, 0.0));
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let refused = |params: &str| {
            let ports = [("in", hearts()), ("in", hearts())];
            Bench::with(&KIND, &ports, params).err().expect("refused").to_string()
        };
        let rest = "weights = [1.0]\nlow = [0.0]\nhigh = [1.0]";
        let problem = refused(&format!("features = \"x\"\n{rest}"));
        assert!(problem.contains("has no number `x`"), "{problem}");
        let problem = refused(&format!("features = \"in0.rate_bpm, in1.rate_bpm\"\n{rest}"));
        assert!(problem.contains("`weights` has 1 numbers for 2 features"), "{problem}");
        let problem =
            refused("features = \"in0.quality\"\nweights = [1.0]\nlow = [1.0]\nhigh = [1.0]");
        assert!(problem.contains("the range of `in0.quality` is empty"), "{problem}");
    }
}
