//! One number at a time, from a signal or from a field of events: kinds of this group take both.

use engine::{
    Code, Diagnostic, EventReader, Field, FieldKind, FieldValue, Format, Io, Node, Param,
    SignalFormat, Timestamp, Unit,
};

use crate::{
    bodies::Counted,
    math::state::{State, StateError, put_u64},
};

/// Which field of an event counts.
pub(crate) const FIELD: Param<&str> = Param::optional(
    "field",
    "The field of events that counts: a number, or true as 1 and false as 0; \
                              unless written, the first such.",
);

/// Where numbers come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Intake {
    /// The samples of a signal.
    Signal,
    /// A field of events.
    Field(usize),
}

/// What enters `in`, and the field of it that counts.
pub(crate) fn intake(node: &Node<'_>) -> Result<Intake, Diagnostic> {
    let field = node.get_optional(&FIELD)?;
    let events = match node.input("in") {
        Format::Event(events) => events,
        Format::Signal(_) if field.is_none() => return Ok(Intake::Signal),
        Format::Signal(_) => {
            let message = "`field` changes nothing where a signal enters";
            let problem = node.problem(Code::NoEffect, FIELD.name(), message);
            return Err(problem.hint("leave it out, or take events"));
        }
        other => {
            let input = &node.inputs()[0];
            let message = format!("`{}` delivers {other}, not a signal or events", input.label);
            let problem = Diagnostic::error(Code::FormatMismatch, message).at(&input.place);
            return Err(problem.hint("take a signal, or events with a number"));
        }
    };
    let counts =
        |field: &Field| matches!(field.kind, FieldKind::Bool | FieldKind::I64 | FieldKind::F64);
    let wanted = |known: &Field| counts(known) && field.is_none_or(|name| name == known.name);
    events.fields.iter().position(wanted).map(Intake::Field).ok_or_else(|| {
        let message = match field {
            Some(name) => format!("its events have no field `{name}` that is a number"),
            None => "its events have no field that is a number".to_owned(),
        };
        let names: Vec<&str> =
            events.fields.iter().filter(|field| counts(field)).map(|field| field.name).collect();
        let hint = if names.is_empty() {
            "take events with a number, or a signal".to_owned()
        } else {
            format!("choose one of {}", names.join(", "))
        };
        node.problem(Code::OutOfRange, FIELD.name(), message).hint(hint)
    })
}

/// The number in a field; `None` where it is absent or not finite.
pub(crate) fn number(event: &EventReader<'_>, field: usize) -> Option<f64> {
    let value = match event.field(field)? {
        FieldValue::Bool(is_so) => f64::from(u8::from(is_so)),
        FieldValue::I64(number) => number as f64,
        FieldValue::F64(number) => number,
        _ => return None,
    };
    value.is_finite().then_some(value)
}

/// A signal of as many channels as enter `in`, or events with these fields, as often as they come.
pub(crate) fn output(node: &Node<'_>, unit: Unit, fields: Vec<Field>) -> Format {
    match node.input("in") {
        Format::Signal(signal) => {
            let mut signal: SignalFormat = (**signal).clone();
            signal.channels.iter_mut().for_each(|channel| channel.unit = unit);
            Format::Signal(signal.into())
        }
        other => Format::event(fields, other.frames_per_second()),
    }
}

/// How often something is told of a signal.
pub(crate) const EVERY_S: Param<f64> = Param::with_default(
    "every_s",
    0.1,
    "Time between two events of a signal; of events, one comes of each.",
)
.within(1e-3, 86_400.0);

/// Events of a kind that tells every event, and a signal every so often.
pub(crate) fn ticks(node: &Node<'_>, fields: Vec<Field>) -> Result<Format, Diagnostic> {
    let rate_max = match intake(node)? {
        Intake::Signal => 1.0 / node.get(&EVERY_S)?,
        Intake::Field(_) => node.input("in").frames_per_second(),
    };
    Ok(Format::event(fields, rate_max))
}

/// One number for every event, or every so many samples of a signal's first channel.
#[derive(Clone, Debug)]
pub(crate) struct Ticks {
    intake: Intake,
    /// Samples from one to the next, and until the next.
    every: u64,
    until: u64,
    counted: Counted,
}

impl Ticks {
    pub(crate) fn new(node: &Node<'_>) -> Result<Self, Diagnostic> {
        let every_s = node.get(&EVERY_S)?;
        let rate_hz = node.input("in").rate().map_or(0.0, engine::Rate::hz);
        let every = (every_s * rate_hz).round().max(1.0) as u64;
        Ok(Self { intake: intake(node)?, every, until: 1, counted: Counted::NONE })
    }

    /// Tells the numbers of a frame: `None` for what is missing. A signal's first sample is one.
    pub(crate) fn take(
        &mut self,
        io: &mut Io<'_>,
        mut tell: impl FnMut(Option<f64>, Timestamp, &mut Io<'_>),
    ) {
        let frame = io.take();
        if let Intake::Field(field) = self.intake {
            let value = number(&io.event(), field);
            tell(value, frame.header.time, io);
            return;
        }
        if !self.counted.enter(io) {
            self.until = 1;
        }
        let samples = frame.channel(0);
        let mut n = self.until as usize - 1;
        while n < samples.len() {
            let value = Some(f64::from(samples[n])).filter(|value| value.is_finite());
            tell(value, io.time_of(n as i64), io);
            n += self.every as usize;
        }
        self.until = (n - samples.len()) as u64 + 1;
        self.counted.leave(io);
    }

    pub(crate) fn reset(&mut self) {
        (self.until, self.counted) = (1, Counted::NONE);
    }

    pub(crate) fn save(&self, into: &mut Vec<u8>) {
        self.counted.save(into);
        put_u64(into, self.until);
    }

    pub(crate) fn load(&mut self, from: &mut State<'_>) -> Result<(), StateError> {
        self.counted.load(from)?;
        from.u64(&mut self.until)?;
        from.demand((1..=self.every).contains(&self.until))
    }
}

/// Where a number lies between two: 0 at the first or before, 1 at the second or behind.
pub(crate) fn share(x: f64, low: f64, high: f64) -> f64 {
    ((x - low) / (high - low)).clamp(0.0, 1.0)
}

/// The two ends of what is turned into something to see or hear.
pub(crate) const FROM_LOW: Param<f64> =
    Param::with_default("from_low", 0.0, "What becomes the low end.").within(-1e30, 1e30).live();
pub(crate) const FROM_HIGH: Param<f64> =
    Param::with_default("from_high", 1.0, "What becomes the high end.").within(-1e30, 1e30).live();

/// Both ends, which must differ.
pub(crate) fn ends(node: &Node<'_>) -> Result<[f64; 2], Diagnostic> {
    let (low, high) = (node.get(&FROM_LOW)?, node.get(&FROM_HIGH)?);
    if low != high {
        return Ok([low, high]);
    }
    let message = format!("`from_low` and `from_high` are both {low:?}");
    let problem = node.problem(Code::OutOfRange, FROM_HIGH.name(), message);
    Err(problem.hint("choose two numbers that differ; the low end may be the larger one"))
}
