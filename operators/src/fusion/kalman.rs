//! `kalman`: the best estimate of something that changes slowly, from measurements of any quality.
//!
//! ```text
//! model = "level"      it stays, but wanders: by `process` units after a second
//! model = "velocity"   it moves evenly, but its velocity wanders: by `process` units a second
//!                      after a second
//! a measurement of quality q has the variance noise² / q
//! ```
//!
//! See [`crate::math::kalman`] for the equations.
//!
//! | port      | carries                                                                            |
//! |-----------|------------------------------------------------------------------------------------|
//! | `in`      | signals that measure the same, or events with a number in `field`                   |
//! | `quality` | of signals: how good each is, 0 to 1, in the same order                             |
//! | `out`     | of signals: for each channel `NAME`, `NAME.velocity` and `NAME.deviation`, at the moments of the first; of events: `value`, `velocity`, `deviation` behind each |
//!
//! Steps of time are those between samples or events, as irregular as they are. Of signals, all
//! inputs update one estimate; a sample of an input slower than the first stands until the next one, and
//! counts once in all. An event may tell its own `quality`. `surprise_max_ratio` leaves out
//! measurements that are further off than so many deviations of what is expected; behind ten of them in a
//! row the estimate begins anew.
//!
//! **Missing**: a measurement that is NaN, infinite or of quality 0 is none: the estimate goes on and
//! its deviation grows, up to `deviation_max`; beyond that NaN comes out (no `value` of events). A **gap** is
//! time that passes. **Delay**: none; a level follows a step with a lag of some noise / (process ·
//! √rate) seconds. **Cost**: some 15 ns for each sample of each input.

use engine::{
    Body, BuildError, Channel, Code, Diagnostic, Diagnostics, Fault, Field, Format, GapNotice,
    Grid, Io, Kind, Node, Operator, Outline, Param, Port, SignalFormat, Timestamp, Unit,
};

use super::{
    fields::number_field,
    voices::{IN, MAX_AGE_MS, QUALITY, Voices},
};
use crate::{
    bodies::load,
    math::{
        kalman::{Kalman, Motion},
        state::{State, StateError},
    },
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "kalman",
    summary: "The best estimate of something that changes slowly, from measurements of any quality.",
    doc: "A Kalman filter of one number (model = \"level\": a random walk of `process` units after a \
          second) or of a number and its velocity (\"velocity\": Q = process^2 (dt^3/3, dt^2/2; dt^2/2, \
          dt)), with measurements of variance noise^2 / quality at any times. `in` takes signals, which \
          all update one estimate for each channel, or events with a number in `field`, whose own \
          `quality` counts if they have one. Signals come out as NAME, NAME.velocity (of \
          model = \"velocity\") and NAME.deviation, events as value, velocity, deviation. A measurement more than surprise_max_ratio deviations off \
          is left out; behind ten of them in a row the estimate begins anew. NaN, infinite or of quality 0 is no measurement: the estimate goes on and its \
          deviation grows; beyond deviation_max there is none. A gap is time that passes. Delay: \
          none; lag after a step is some noise / (process sqrt(rate)) seconds. Cost: about 15 ns for each sample of \
          each input. Source: Bar-Shalom, Li, Kirubarajan 2001, Estimation with Applications to \
          Tracking and Navigation, sections 5.2 and 6.2.",
    example: "field = \"rr_ms\"\nnoise = 20.0\nprocess = 5.0",
    inputs: &[Port::any("in").variadic().fed_by(&["qrs"]), QUALITY],
    outputs: &[Port::any("out")],
    params: &[&FIELD, &MODEL, &NOISE, &PROCESS, &SURPRISE_MAX_RATIO, &DEVIATION_MAX, &MAX_AGE_MS],
    plan,
    build,
    ..Kind::BASE
};

const FIELD: Param<&str> =
    Param::optional("field", "The number of events that is measured, such as \"rr_ms\".");
const MODEL: Param<&str> =
    Param::with_default("model", "level", "What is believed of what is measured.")
        .one_of(&["level", "velocity"]);
const NOISE: Param<f64> =
    Param::required("noise", "Standard deviation of a measurement of quality 1, in its own unit.")
        .within(1e-12, 1e12);
const PROCESS: Param<f64> =
    Param::required("process", "By how much the level, or velocity, wanders in a second.")
        .within(0.0, 1e12);
const SURPRISE_MAX_RATIO: Param<f64> =
    Param::optional("surprise_max_ratio", "Measurements so many deviations off are left out.")
        .within(1.0, 1e6);
const DEVIATION_MAX: Param<f64> =
    Param::optional("deviation_max", "An estimate that is less certain than this is none.")
        .within(1e-12, 1e12);

fn of_events(node: &Node<'_>) -> bool {
    node.inputs()[0].format.as_event().is_some()
}

fn plan(node: &Node<'_>) -> Result<Outline, Diagnostics> {
    if of_events(node) {
        numbers(node)?;
        let fields = vec![Field::f64("value"), Field::f64("velocity"), Field::f64("deviation")];
        let rate_max = node.inputs().iter().filter_map(|input| input.format.as_event());
        let rate_max = rate_max.map(|events| events.rate_max).sum();
        return Ok(Outline::of([Format::event(fields, rate_max)]));
    }
    if node.get_optional(&FIELD)?.is_some() {
        let problem = node.problem(Code::NoEffect, FIELD.name(), "signals have no fields");
        return Err(problem.hint("leave `field` out, or feed events").into());
    }
    if let Some(other) = node.inputs().iter().find(|input| input.format.as_signal().is_none()) {
        let message =
            format!("`{}` delivers no signal, but `{}` does", other.label, node.inputs()[0].label);
        let problem = Diagnostic::error(Code::FormatMismatch, message).at(&other.place);
        return Err(problem.hint("feed signals alone, or events alone").into());
    }
    Voices::of(node)?;
    let signal = node.signal("in");
    let has_velocity = node.get(&MODEL)? == "velocity";
    let channels = signal.channels.iter().flat_map(|channel| {
        let named = |end: &str, unit| Channel { name: format!("{}.{end}", channel.name), unit };
        let velocity = has_velocity.then(|| named("velocity", Unit::UNKNOWN));
        [Some(channel.clone()), velocity, Some(named("deviation", channel.unit))]
    });
    let channels = channels.flatten().collect();
    let mut outline =
        Outline::of([Format::Signal(SignalFormat { channels, ..signal.clone() }.into())]);
    outline.align = Some(Voices::align(node)?);
    Ok(outline)
}

/// Of each line of events, its number and its quality, if it has one.
fn numbers(node: &Node<'_>) -> Result<Vec<(usize, Option<usize>)>, Diagnostics> {
    let Some(field) = node.get_optional(&FIELD)? else {
        let problem = Diagnostic::error(
            Code::MissingParameter,
            "`field` is missing: which number of the events is measured",
        )
        .at(node.place(FIELD.name()))
        .of_node(node.name());
        return Err(problem.hint("write the name of a field, such as \"rr_ms\"").into());
    };
    let mut problems = Vec::new();
    let mut numbers = Vec::new();
    for input in node.inputs() {
        match number_field(node, input, FIELD.name(), field) {
            Ok(number) => {
                let events = input.format.as_event().expect("it has a field");
                let is_quality = |field: &Field| field.name == "quality";
                numbers.push((number, events.fields.iter().position(is_quality)));
            }
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(numbers) } else { Err(Diagnostics(problems)) }
}

fn build(node: &Node<'_>) -> Result<Body, BuildError> {
    let (q, noise) = (node.get(&PROCESS)?, node.get(&NOISE)?);
    let motion = if node.get(&MODEL)? == "level" { Motion::Level(q) } else { Motion::Velocity(q) };
    let rules = Rules {
        variance: noise * noise,
        surprise_max: node.get_optional(&SURPRISE_MAX_RATIO)?.unwrap_or(f64::INFINITY),
        deviation_max: node.get_optional(&DEVIATION_MAX)?.unwrap_or(f64::INFINITY),
        has_velocity: matches!(motion, Motion::Velocity(_)),
    };
    let fresh = Kalman::new(motion);
    if of_events(node) {
        let numbers = numbers(node).map_err(BuildError::Graph)?;
        let track = Track::new(rules, vec![fresh]);
        return Ok(Body::operator(OfEvents { numbers, track }));
    }
    let voices = Voices::of(node).map_err(BuildError::Graph)?;
    let track = Track::new(rules, vec![fresh; voices.channels()]);
    let rate = node.signal("in").rate;
    let rates = node.inputs().iter().filter(|input| input.port == IN.name);
    let rates = rates.map(|input| input.format.rate().expect("the port takes signals"));
    let shares = rates.map(|of| (of.hz() / rate.hz()).min(1.0)).collect();
    Ok(Body::operator(OfSignals { voices, shares, track, grid: Grid::new(rate) }))
}

struct Rules {
    /// Of a measurement of quality 1.
    variance: f64,
    surprise_max: f64,
    deviation_max: f64,
    has_velocity: bool,
}

/// What both bodies keep.
struct Track {
    rules: Rules,
    filters: Vec<Kalman>,
    /// Measurements left out in a row, of each: parts of one where a sample stands for part of one.
    surprises: Vec<f64>,
    /// Up to where time has passed.
    now: Option<i64>,
}

/// After so many measurements left out in a row it is the estimate that was wrong: the next one begins
/// anew.
const SURPRISES_MAX: f64 = 10.0;

impl Track {
    fn new(rules: Rules, filters: Vec<Kalman>) -> Self {
        Self { rules, surprises: vec![0.0; filters.len()], filters, now: None }
    }

    fn pass_until(&mut self, time: Timestamp) {
        // Events of the past change nothing that has passed.
        let before = self.now.unwrap_or(time.nanos());
        self.now = Some(before.max(time.nanos()));
        let dt_s = (time.nanos() - before).max(0) as f64 / 1e9;
        self.filters.iter_mut().for_each(|filter| filter.predict(dt_s));
    }

    /// Takes in a measurement, of which this is a `share`.
    fn measure(&mut self, channel: usize, value: f64, quality: f64, share: f64) {
        let filter = &mut self.filters[channel];
        let variance = self.rules.variance / quality;
        let is_measured = value.is_finite() && variance.is_finite() && variance > 0.0;
        if !is_measured {
            return;
        }
        let surprises = &mut self.surprises[channel];
        if filter.surprise(value, variance) <= self.rules.surprise_max {
            *surprises = 0.0;
        } else if *surprises + 1e-9 < SURPRISES_MAX {
            *surprises += share;
            return;
        } else {
            *surprises = 0.0;
            filter.reset();
        }
        filter.update(value, variance / share);
    }

    /// The estimate, if there is one that is certain enough.
    fn told(&self, channel: usize) -> Option<[f64; 3]> {
        let filter = &self.filters[channel];
        let told = [filter.value()?, filter.velocity(), filter.deviation()];
        (told[2] <= self.rules.deviation_max).then_some(told)
    }

    fn reset(&mut self) {
        self.filters.iter_mut().for_each(Kalman::reset);
        self.surprises.fill(0.0);
        self.now = None;
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(2);
        let (mut now, mut state) = (self.now, State::Save(into));
        state.time(&mut now).expect("only loading can fail");
        for (filter, mut surprises) in self.filters.iter().zip(self.surprises.iter().copied()) {
            filter.clone().pass(&mut state).expect("only loading can fail");
            state.f64(&mut surprises).expect("only loading can fail");
        }
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        self.reset();
        let read = |state: &mut State<'_>| -> Result<(), StateError> {
            state.time(&mut self.now)?;
            for (filter, surprises) in self.filters.iter_mut().zip(&mut self.surprises) {
                filter.pass(state)?;
                state.f64(surprises)?;
            }
            Ok(())
        };
        load("is no state of `kalman`", 2, from, read)
    }
}

struct OfSignals {
    voices: Voices,
    /// What a sample of each says at a moment of the first: one of a slower voice is held for several,
    /// which together are one measurement.
    shares: Vec<f64>,
    track: Track,
    /// Of the frames that were joined: others may have come in since.
    grid: Grid,
}

impl Operator for OfSignals {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let (len, time) = (io.frame().len(), io.frame().header.time);
        self.grid.enter(time, len);
        let mut out = io.signal(0, len);
        let planes = out.floats_mut().expect("a fresh buffer has one holder");
        for n in 0..len {
            self.track.pass_until(self.grid.time_of(n as i64));
            let mut plane = n;
            for channel in 0..self.voices.channels() {
                for voice in 0..self.voices.len() {
                    let (value, quality) = self.voices.say(io, voice, channel, n);
                    self.track.measure(channel, value, quality, self.shares[voice]);
                }
                let [x, v, deviation] = self.track.told(channel).unwrap_or([f64::NAN; 3]);
                let velocity = self.track.rules.has_velocity.then_some(v);
                for number in [Some(x), velocity, Some(deviation)].into_iter().flatten() {
                    planes[plane] = number as f32;
                    plane += len;
                }
            }
        }
        io.send_buffer(0, time, out);
        Ok(())
    }

    fn gap(&mut self, _: &GapNotice, _: &mut Io<'_>) -> Result<(), Fault> {
        // Time passes, and the estimate becomes less certain.
        Ok(())
    }

    fn reset(&mut self) {
        self.track.reset();
        self.grid = Grid::new(self.grid.rate());
    }

    fn save(&self, into: &mut Vec<u8>) {
        self.track.save(into);
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        self.track.load(from)
    }
}

struct OfEvents {
    /// Of each line.
    numbers: Vec<(usize, Option<usize>)>,
    track: Track,
}

impl Operator for OfEvents {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let time = io.frame().header.time;
        let (value, quality) = self.numbers[io.line()];
        let event = io.event();
        let quality = quality.map_or(1.0, |field| event.f64(field).unwrap_or(0.0).clamp(0.0, 1.0));
        self.track.pass_until(time);
        self.track.measure(0, event.f64(value).unwrap_or(f64::NAN), quality, 1.0);
        let [x, v, deviation] = match self.track.told(0) {
            Some(told) => told.map(Some),
            None => [None; 3],
        };
        let v = v.filter(|_| self.track.rules.has_velocity);
        let event = io.event_for(0).f64_or_absent(0, x).f64_or_absent(1, v);
        io.send_event(0, time, event.f64_or_absent(2, deviation));
        Ok(())
    }

    fn gap(&mut self, _: &GapNotice, _: &mut Io<'_>) -> Result<(), Fault> {
        Ok(())
    }

    fn reset(&mut self) {
        self.track.reset();
    }

    fn save(&self, into: &mut Vec<u8>) {
        self.track.save(into);
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        self.track.load(from)
    }
}

#[cfg(test)]
mod tests;
