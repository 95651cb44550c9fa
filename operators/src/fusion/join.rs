//! `join`: what belongs to an event: another event, or the samples of its moment.
//!
//! ```text
//! in    ───A────────B──────C──       tolerance_ms ├──┤
//! with  ─────1──2──────3──────       nearest: A1, B3, C alone
//!
//! with  ╲___╱‾‾‾╲___╱‾‾‾╲___╱       a signal: its samples at A, B, C, straight between two or the
//!                                    nearest
//! ```
//!
//! | port   | carries                                                                        |
//! |--------|--------------------------------------------------------------------------------|
//! | `in`   | events                                                                         |
//! | `with` | events, or a signal                                                            |
//! | `out`  | every event of `in` at its own moment, with the fields, or channels, of the other |
//!
//! Fields of `with` keep their names, with `with_` in front where `in` has the same; channels become
//! fields of their names. `offset_ms` says how much later the other is. With `key`, a field of both,
//! only events of the same value belong together. The nearest in time is taken, the earlier of two,
//! and one may belong to several.
//!
//! **Missing**: an event without a partner within `tolerance_ms` comes out alone, or not at all with
//! `alone = "drop"`. Of a signal, samples that are not finite are no partners. A **gap** ends what
//! may belong together. **Delay**: none, but an event waits until nothing nearer can come, for
//! `tolerance_ms` at most (`look_back`). **Cost**: some 100 ns an event, a copy of every sample.

mod partners;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Mutex, PoisonError},
};

use engine::{
    Body, Code, Diagnostic, Diagnostics, EventFormat, EventReader, EventWriter, Fault, Field,
    FieldKind, FieldValue, Format, Frame, GapNotice, Io, Kind, Node, Operator, Outline, Param,
    Port, Timestamp,
};

use crate::{bodies::load, math::state::State};
use partners::{Events, Samples, put_frame, read_frame};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "join",
    summary: "What belongs to an event: another event, or the samples of its moment.",
    doc: "Every event of `in` comes out at its own moment with the fields of the nearest event of `with` \
          within tolerance_ms, or with the samples of a signal there: policy = \"linear\" straight between \
          the two around the moment, both within tolerance_ms, \"nearest\" the nearest. offset_ms tells how much later the other \
          is. Fields keep their names, with `with_` in front where both have the same; channels become fields. \
          side = \"after\" takes only events that are not before it, such as the response to a stimulus, \"before\" only \
          those that are not after. With `key`, a field of both, only events of equal value belong together. The earlier of two that are \
          equally near is taken; one may belong to several. An event without a partner comes out alone, or not at \
          all with alone = \"drop\". Samples that are NaN or infinite are no partners. Delay: none, but an \
          event waits for tolerance_ms until nothing nearer can come. After a gap nothing before it is a \
          partner. Cost: about 100 ns an event, and a copy of every sample.",
    example: "tolerance_ms = 100.0",
    inputs: &[Port::event("in").fed_by(&["qrs", "pulse"]), Port::any("with").fed_by(&["pulse"])],
    outputs: &[Port::event("out")],
    params: &[&TOLERANCE_MS, &SIDE, &POLICY, &KEY, &ALONE],
    timers: true,
    plan: |node| {
        let events = merged(node)?;
        keys(node)?;
        let reach_ns = reach_ns(node)?;
        sides(node, reach_ns)?;
        check_memory(node, reach_ns)?;
        Ok(Outline::of([Format::Event(events.into())]).looking_back(reach_ns + 1))
    },
    build: |node| {
        let with = match &with(node).format {
            Format::Event(_) => {
                With::Events(Events::new(keys(node)?, sides(node, reach_ns(node)?)?))
            }
            other => {
                let rate = other.rate().expect("only signals are planned");
                With::Samples(Samples::new(node.get(&POLICY)? == "linear", rate))
            }
        };
        Ok(Body::operator(Join {
            line: node.inputs().iter().position(|input| input.port == "in").expect("it is fed"),
            with,
            reach_ns: reach_ns(node)?,
            drops: node.get(&ALONE)? == "drop",
            waiting: VecDeque::new(),
            samples: Vec::new(),
        }))
    },
    ..Kind::BASE
};

const TOLERANCE_MS: Param<f64> =
    Param::required("tolerance_ms", "How far the other may be.").within(0.0, 1e7);
const SIDE: Param<&str> =
    Param::with_default("side", "both", "On which side of an event another one belongs to it.")
        .one_of(&["after", "before", "both"]);
const POLICY: Param<&str> =
    Param::with_default("policy", "linear", "What a signal is at the moment of an event.")
        .one_of(&["linear", "nearest"]);
const KEY: Param<&str> =
    Param::optional("key", "A field of both, whose values must be equal to belong together.");
const ALONE: Param<&str> =
    Param::with_default("alone", "pass", "What becomes of an event without a partner.")
        .one_of(&["pass", "drop"]);

fn reach_ns(node: &Node<'_>) -> Result<i64, Diagnostic> {
    Ok((node.get(&TOLERANCE_MS)? * 1e6).round() as i64)
}

/// How far before an event and behind it another may be.
fn sides(node: &Node<'_>, reach_ns: i64) -> Result<[i64; 2], Diagnostic> {
    let side = node.get(&SIDE)?;
    if side != "both" && matches!(with(node).format, Format::Signal(_)) {
        let message = "`side` changes nothing where a signal enters `with`";
        let problem = node.problem(Code::NoEffect, SIDE.name(), message);
        return Err(problem.hint("leave `side` out"));
    }
    let reach = |other: &str| if side == other { 0 } else { reach_ns };
    // Nothing that is after lies before, but what is at the very moment lies on both sides.
    Ok([reach("after"), reach("before")])
}

/// Most numbers of a signal that may be kept for events.
const KEPT_MAX: f64 = 16_777_216.0;

fn check_memory(node: &Node<'_>, reach_ns: i64) -> Result<(), Diagnostic> {
    let Some(signal) = with(node).format.as_signal() else { return Ok(()) };
    let kept = 2e-9 * reach_ns as f64 * signal.rate.hz() * signal.channels.len() as f64;
    if kept <= KEPT_MAX {
        return Ok(());
    }
    let message =
        format!("`tolerance_ms` = {} ms are {kept} numbers to keep", reach_ns / 1_000_000);
    let problem = node.problem(Code::WindowTooLong, TOLERANCE_MS.name(), message);
    Err(problem.hint("choose a shorter one, fewer channels, or `decimate` in front"))
}

fn with<'a>(node: &Node<'a>) -> &'a engine::Input {
    node.inputs().iter().find(|input| input.port == "with").expect("the port must be fed")
}

fn events<'a>(node: &Node<'a>) -> &'a EventFormat {
    node.input("in").as_event().expect("the port takes events")
}

/// Numbers of the key in both streams.
fn keys(node: &Node<'_>) -> Result<Option<[usize; 2]>, Diagnostic> {
    let Some(key) = node.get_optional(&KEY)? else { return Ok(None) };
    let Some(others) = with(node).format.as_event() else {
        let problem = node.problem(Code::NoEffect, KEY.name(), "a signal has no key");
        return Err(problem.hint("leave `key` out"));
    };
    let find = |events: &EventFormat| events.fields.iter().position(|field| field.name == key);
    match (find(events(node)), find(others)) {
        (Some(one), Some(other)) => Ok(Some([one, other])),
        _ => {
            let message = format!("not both streams have a field `{key}`");
            let names = |events: &EventFormat| -> Vec<_> {
                events.fields.iter().map(|field| field.name).collect()
            };
            let (ours, theirs) = (names(events(node)).join(", "), names(others).join(", "));
            let problem = node.problem(Code::OutOfRange, KEY.name(), message);
            Err(problem.hint(format!("`in` has {ours}; `with` has {theirs}")))
        }
    }
}

/// The fields of both, and how far apart they are.
fn merged(node: &Node<'_>) -> Result<EventFormat, Diagnostics> {
    let ours = events(node);
    let mut fields = ours.fields.clone();
    let mut add = |name: &str, kind| {
        let is_taken = |name: &str| fields.iter().any(|field| field.name == name);
        let name = if is_taken(name) { lasting(&format!("with_{name}")) } else { lasting(name) };
        fields.push(Field { name, kind });
    };
    match &with(node).format {
        Format::Event(others) => {
            others.fields.iter().for_each(|field| add(field.name, field.kind));
        }
        Format::Signal(signal) => {
            signal.channels.iter().for_each(|channel| add(&channel.name, FieldKind::F64));
        }
        other => {
            let message = format!("`with` takes events or a signal, but is fed {other}");
            let problem = Diagnostic::error(Code::FormatMismatch, message).at(&with(node).place);
            return Err(problem.hint("join events or a signal").into());
        }
    }
    add("offset_ms", FieldKind::F64);
    let mut names = BTreeSet::new();
    let double = fields.iter().find(|field| !names.insert(field.name));
    if let Some(problem) =
        double.map(|field| format!("two fields would be called `{}`", field.name))
    {
        let problem = Diagnostic::error(Code::FormatMismatch, problem).at(&with(node).place);
        return Err(problem.hint("give channels names of their own").into());
    }
    if fields.len() > FIELDS_MAX {
        let message = format!("an event would have {} fields", fields.len());
        let problem = Diagnostic::error(Code::OutOfRange, message).at(&with(node).place);
        return Err(problem.hint(format!("pick channels; at most {FIELDS_MAX} fit")).into());
    }
    Ok(EventFormat { fields, rate_max: ours.rate_max })
}

const FIELDS_MAX: usize = 64;

/// A name that lasts as long as the program, as those of fields do. Each is kept once: there are as
/// few as fields in graphs.
fn lasting(name: &str) -> &'static str {
    static KNOWN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(name) = known.get(name) {
        return name;
    }
    let lasting: &'static str = Box::leak(name.to_owned().into_boxed_str());
    known.insert(lasting);
    lasting
}

/// What may belong to an event.
enum With {
    Events(Events),
    Samples(Samples),
}

struct Join {
    /// Where the events come in.
    line: usize,
    with: With,
    reach_ns: i64,
    drops: bool,
    /// Events nearer to which something may come, in order of time.
    waiting: VecDeque<Frame>,
    /// What a signal is at the moment of an event.
    samples: Vec<f32>,
}

impl Join {
    /// Sends the event that waits longest.
    fn tell_first(&mut self, io: &mut Io<'_>) {
        let Some(frame) = self.waiting.pop_front() else { return };
        let time = frame.header.time;
        let Format::Event(format) = io.input_format(self.line).clone() else { return };
        let event = EventReader::new(&format, &frame);
        let ours = format.fields.len();
        let mut writer = copied(io.event_for(0), 0, &event, ours);
        let mut partner = None;
        match &self.with {
            With::Events(events) => {
                let Format::Event(others) = io.input_format(1 - self.line) else { return };
                if let Some(found) = events.nearest(&event, time.nanos(), others) {
                    let fields = others.fields.len();
                    writer = copied(writer, ours, &EventReader::new(others, found), fields);
                    partner = Some((ours + fields, found.header.time.since(time)));
                }
            }
            With::Samples(samples) => {
                let found = samples.at(time.nanos(), self.reach_ns, &mut self.samples);
                if let Some(offset_ns) = found {
                    for (n, &sample) in self.samples.iter().enumerate() {
                        writer = writer.f64(ours + n, f64::from(sample));
                    }
                    partner = Some((ours + self.samples.len(), offset_ns));
                }
            }
        }
        if let Some((field, offset_ns)) = partner {
            writer = writer.f64(field, offset_ns as f64 / 1e6);
        } else if self.drops {
            return;
        }
        let buffer = writer.duration_ns(event.duration_ns()).finish();
        io.send(0, Frame::new(frame.header.causes(time), buffer));
    }

    /// Forgets partners that no event from `time` on can have.
    fn forget_before(&mut self, time: Timestamp) {
        let first = self.waiting.front().map_or(time, |frame| frame.header.time.min(time));
        let from_ns = first.plus_nanos(-self.reach_ns).nanos();
        match &mut self.with {
            With::Events(events) => events.forget_before(from_ns),
            With::Samples(samples) => samples.forget_before(from_ns),
        }
    }

    fn forget(&mut self) {
        match &mut self.with {
            With::Events(events) => events.clear(),
            With::Samples(samples) => samples.clear(),
        }
    }
}

/// Copies the fields of an event behind those that were written.
fn copied(mut to: EventWriter, at: usize, from: &EventReader<'_>, fields: usize) -> EventWriter {
    for field in 0..fields {
        let Some(value) = from.field(field) else { continue };
        to = match value {
            FieldValue::Bool(flag) => to.bool(at + field, flag),
            FieldValue::I64(number) => to.i64(at + field, number),
            FieldValue::F64(number) => to.f64(at + field, number),
            FieldValue::Text(text) => to.text(at + field, text),
            FieldValue::Bytes(bytes) => to.bytes(at + field, bytes),
            FieldValue::Floats(floats) => to.floats(at + field, &floats),
        };
    }
    to
}

impl Operator for Join {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let time = io.frame().header.time;
        if io.line() == self.line {
            self.waiting.push_back(io.take());
        } else {
            match &mut self.with {
                With::Events(events) => events.push(io.take()),
                With::Samples(samples) => samples.push(io),
            }
        }
        self.forget_before(time);
        Ok(())
    }

    fn due(&self) -> Option<Timestamp> {
        self.waiting.front().map(|frame| frame.header.time.plus_nanos(self.reach_ns + 1))
    }

    fn on_due(&mut self, due: Timestamp, io: &mut Io<'_>) -> Result<(), Fault> {
        while self.due() == Some(due) {
            self.tell_first(io);
        }
        Ok(())
    }

    fn gap(&mut self, _: &GapNotice, io: &mut Io<'_>) -> Result<(), Fault> {
        self.flush(io)?;
        self.forget();
        Ok(())
    }

    fn flush(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        while !self.waiting.is_empty() {
            self.tell_first(io);
        }
        Ok(())
    }

    fn reset(&mut self) {
        self.waiting.clear();
        self.forget();
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(1);
        let mut state = State::Save(into);
        state.u64(&mut (self.waiting.len() as u64)).expect("only loading can fail");
        self.waiting.iter().for_each(|frame| put_frame(&mut state, frame));
        match &self.with {
            With::Events(events) => events.save(&mut state),
            With::Samples(samples) => samples.save(&mut state),
        }
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        self.reset();
        load("is no state of `join`", 1, from, |state| {
            let mut count = 0;
            state.u64(&mut count)?;
            for _ in 0..count {
                self.waiting.push_back(read_frame(state)?);
            }
            match &mut self.with {
                With::Events(events) => events.load(state),
                With::Samples(samples) => samples.load(state),
            }
        })
    }
}
