//! `barge_in`: passes what comes until it is interrupted, and takes back what it has passed by then.
//!
//! | port  | carries                                            |
//! |-------|----------------------------------------------------|
//! | `in`  | anything: text to be spoken, sound to be played    |
//! | `on`  | events; those that interrupt                       |
//! | `out` | what came by `in`                                  |
//!
//! Whoever talks to a machine expects it to be silent as soon as they speak up. By then the answer is
//! half way: sentences wait for a voice, sound for a loudspeaker, a model has not answered. With every
//! event on `on` that counts, all of it is void at once: what waits in rings and behind them, at joins,
//! in open questions and in what sinks hold, whatever was made of it. Bodies behind forget what they know,
//! void frames count as `dropped(flush)`, and what comes next says that something is missing before it.
//! On other hosts the same is void, as soon as the news is there, which goes before all that waits; what an edge with
//! a spool keeps is not taken back.
//!
//! What has not come through the node yet is not its business and passes: it stands best above
//! whatever makes much of little, as a voice does of text. The inputs meet as they come, not in the order of
//! their times, and events are heard even while what is behind has no room. **Delay**: none. **Cost**: a
//! hand-over to a stage of its own; an interruption wakes each stage and sink behind and costs what it drops.

use engine::{
    Body, BuildError, Code, Diagnostic, Fault, FieldKind, FieldValue, GapNotice, Io, Kind,
    NameOrNumber, Node, Operator, Outline, Param, Port, counted,
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "barge_in",
    summary: "Passes what comes, and takes it back when interrupted.",
    doc: "Frames of in pass unchanged. With every event of on that counts, everything that has passed and all \
          that it has caused further down is void at once: in rings, at joins, in open questions, in what \
          sinks hold, on other hosts too, half a round trip later; what a spool keeps is not taken back. Bodies behind forget what they know, void frames count as \
          dropped(flush), and the next frame says that something is missing before it. Without field \
          every event counts; with field alone those in which that flag is true; with equals those in which \
          the field has that value. What has not come through yet passes, so the node stands best above \
          whatever makes much of little, as a voice does of text. Events are heard at once, whatever their \
          time, even while there is no room behind. Delay: none. NaN passes. Cost: a hand-over to a stage of \
          its own; an interruption wakes each stage and sink behind and costs what it drops.",
    example: "",
    inputs: &[Port::any("in"), Port::event("on").fed_by(&["threshold", "qrs"])],
    outputs: &[Port::like("out", "in")],
    params: &[&FIELD, &EQUALS],
    flushes_on: Some("on"),
    plan: |node| {
        which(node)?;
        Outline::like_ports(node)
    },
    build: |node| {
        let which = which(node).map_err(BuildError::from)?;
        Ok(Body::operator(BargeIn { which, counts: [0; 2] }))
    },
    ..Kind::BASE
};

const FIELD: Param<&str> = Param::optional(
    "field",
    "The field of events that says which of them interrupt; without, all do.",
);
const EQUALS: Param<NameOrNumber> = Param::optional(
    "equals",
    "The value that makes them: a text, a whole number, or \"true\" or \"false\"; without, true.",
);

const IN: usize = 0;
const OUT: usize = 0;

/// The events that interrupt.
#[derive(Clone, Debug, PartialEq)]
enum Which {
    All,
    /// Those in which a field has a value.
    Text(usize, String),
    Number(usize, i64),
    Flag(usize, bool),
}

fn which(node: &Node<'_>) -> Result<Which, Diagnostic> {
    let (field, equals) = (node.get_optional(&FIELD)?, node.get_optional(&EQUALS)?);
    let Some(name) = field else {
        let Some(equals) = equals else { return Ok(Which::All) };
        let message = format!("`equals` = {equals:?} says nothing without a field");
        let problem = node.problem(Code::NoEffect, EQUALS.name(), message);
        return Err(problem.hint("write `field`, or leave `equals` out"));
    };
    let fields = &node.input("on").as_event().expect("the port takes events").fields;
    let Some(at) = fields.iter().position(|known| known.name == name) else {
        let names: Vec<&str> = fields.iter().map(|field| field.name).collect();
        let message = format!("the events of `on` have no field `{name}`");
        let problem = node.problem(Code::OutOfRange, FIELD.name(), message);
        return Err(match &names[..] {
            [] => problem.hint("they have none; leave it out, and every event interrupts"),
            names => problem.hint(format!("choose one of {}", names.join(", "))),
        });
    };
    let refused = |what: &str, hint: &str| {
        let message = format!("`{name}` is {what}");
        let param = if equals.is_some() { EQUALS.name() } else { FIELD.name() };
        Err(node.problem(Code::OutOfRange, param, message).hint(hint))
    };
    match (fields[at].kind, equals.as_deref()) {
        (FieldKind::Bool, None | Some("true")) => Ok(Which::Flag(at, true)),
        (FieldKind::Bool, Some("false")) => Ok(Which::Flag(at, false)),
        (FieldKind::Bool, Some(_)) => refused("a flag", "choose \"true\" or \"false\""),
        (FieldKind::I64, Some(number)) => match number.parse() {
            Ok(number) => Ok(Which::Number(at, number)),
            Err(_) => refused("a whole number", "choose one"),
        },
        (FieldKind::Text { .. }, Some(text)) => Ok(Which::Text(at, text.to_owned())),
        (FieldKind::I64 | FieldKind::Text { .. }, None) => {
            refused("no flag", "write `equals`, the value that interrupts")
        }
        _ => refused("no text, whole number or flag", "choose a field that is one of them"),
    }
}

struct BargeIn {
    which: Which,
    /// Events that came, and those of them that interrupted.
    counts: [u64; 2],
}

impl BargeIn {
    /// Whether the event at hand interrupts.
    fn is_meant(&self, io: &Io<'_>) -> bool {
        let event = io.event();
        match &self.which {
            Which::All => true,
            Which::Text(field, text) => event.field(*field) == Some(FieldValue::Text(text)),
            Which::Number(field, number) => event.field(*field) == Some(FieldValue::I64(*number)),
            Which::Flag(field, flag) => event.field(*field) == Some(FieldValue::Bool(*flag)),
        }
    }
}

impl Operator for BargeIn {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        if io.port() == IN {
            let frame = io.take();
            // Whoever joins behind need not wait for events to come.
            io.promise(OUT, frame.header.time);
            io.send(OUT, frame);
        } else {
            let is_meant = self.is_meant(io);
            self.counts[0] += 1;
            self.counts[1] += u64::from(is_meant);
            if is_meant {
                io.flush();
            }
        }
        Ok(())
    }

    /// There is nothing to forget.
    fn gap(&mut self, _: &GapNotice, _: &mut Io<'_>) -> Result<(), Fault> {
        Ok(())
    }

    fn reset(&mut self) {}

    fn remark(&self) -> Option<String> {
        let [came, interrupted] = self.counts;
        match (came, interrupted) {
            (0, _) => None,
            (came, 0) => Some(format!("none of {} interrupted", counted(came, "event"))),
            (_, count) => Some(format!("interrupted {}", counted(count, "time"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use engine::{Field, Format, Frame, Gap, Timestamp, testing::Bench};

    use super::*;

    fn events() -> Format {
        let fields =
            vec![Field::text("what", 16), Field::i64("n"), Field::bool("is_on"), Field::f64("p")];
        Format::event(fields, 100.0)
    }

    fn bench(params: &str) -> Result<Bench, String> {
        let inputs = [("in", Bench::channels(1, 1_000.0)), ("on", events())];
        Bench::with(&KIND, &inputs, params).map_err(|refused| refused.to_string())
    }

    fn event(what: &str, n: i64, is_on: bool) -> Frame {
        let format = events();
        let format = format.as_event().expect("events");
        let event = engine::EventWriter::new(format).text(0, what).i64(1, n).bool(2, is_on);
        Frame::new(engine::Header::at(Timestamp::ZERO), event.finish())
    }

    /// Whether the frame behind an event follows what was flushed.
    fn interrupts(params: &str, event: Frame) -> bool {
        let mut bench = bench(params).expect("valid");
        bench.feed(&[1.0, 2.0]);
        bench.push(1, event);
        bench.run();
        bench.feed(&[3.0]);
        let seen = bench.take();
        assert_eq!(seen.len(), 2, "the bench had taken the first");
        let gap = seen[1].frame.header.gap.get();
        assert!(gap.is_none_or(|gap| gap == Gap::Flush), "{gap:?}");
        assert_eq!(seen[1].frame.header.epoch, u32::from(gap.is_some()));
        gap.is_some()
    }

    #[test]
    fn the_events_that_are_meant_interrupt() {
        let start = || event("start", 3, true);
        let end = || event("end", 4, false);
        for (params, by_start, by_end) in [
            ("", true, true),
            ("field = \"what\"\nequals = \"start\"", true, false),
            ("field = \"n\"\nequals = 4", false, true),
            ("field = \"is_on\"", true, false),
            ("field = \"is_on\"\nequals = \"false\"", false, true),
        ] {
            assert_eq!(interrupts(params, start()), by_start, "{params}");
            assert_eq!(interrupts(params, end()), by_end, "{params}");
        }
    }

    #[test]
    fn how_often_it_was_interrupted_is_told_in_the_end() {
        let remark = |equals: &str, events: &[&str]| {
            let mut bench =
                bench(&format!("field = \"what\"\nequals = {equals:?}")).expect("valid");
            for what in events {
                bench.push(1, event(what, 0, false));
            }
            bench.run();
            bench.remark()
        };
        assert_eq!(remark("start", &[]), None);
        let told = remark("start", &["start", "end", "start"]);
        assert_eq!(told.as_deref(), Some("interrupted 2 times"));
        let told = remark("begin", &["start", "end"]);
        assert_eq!(told.as_deref(), Some("none of 2 events interrupted"));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_what_to_do() {
        for (params, wanted) in [
            ("equals = \"start\"", "says nothing without a field"),
            ("field = \"when\"", "no field `when`"),
            ("field = \"what\"", "is no flag"),
            ("field = \"n\"\nequals = \"four\"", "is a whole number"),
            ("field = \"is_on\"\nequals = \"yes\"", "is a flag"),
            ("field = \"p\"\nequals = \"1\"", "no text, whole number or flag"),
        ] {
            let problem = bench(params).err().expect("to be refused");
            assert!(problem.contains(wanted), "{params}: {problem}");
        }
    }
}
