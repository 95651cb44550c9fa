//! `merge`: several streams of one format become one, in order of time.
//!
//! For events of several detectors, or a signal that comes from one device at a time. Frames pass
//! unchanged; of two at the same moment the one listed first in `from` comes first.
//!
//! | port  | carries                                         |
//! |-------|-------------------------------------------------|
//! | `in`  | any number of streams, all of one format        |
//! | `out` | every frame of all of them, in order of time    |
//!
//! Delay: none; a frame waits until the others' bounds say that nothing older can come. NaN passes
//! as it is. Cost: a few nanoseconds a frame; no sample is copied.

use engine::{Body, Code, Diagnostics, Fault, Format, Io, Kind, Node, Operator, Outline, Port};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "merge",
    summary: "Make one stream of several of the same format, in order of time.",
    doc: "Passes every frame of every input, ordered by event time; of two at the same moment the \
          one listed first in `from` comes first. Inputs are events with the same fields, or \
          signals with the same channels and rate. No delay, but a frame waits until nothing older \
          can come; `max_wait_ms` on the node limits that, in event time. NaN passes as it is. \
          Cost: a few nanoseconds a frame; no sample is copied.",
    inputs: &[Port::any("in").variadic().fed_by(&["ecg", "lowpass"])],
    outputs: &[Port::like("out", "in")],
    plan,
    build: |_| Ok(Body::operator(Merge)),
    ..Kind::BASE
};

fn plan(node: &Node<'_>) -> Result<Outline, Diagnostics> {
    let first = &node.inputs()[0];
    let mut merged = first.format.clone();
    let mut problems = Vec::new();
    for other in &node.inputs()[1..] {
        match joint(&merged, &other.format) {
            Some(joint) => merged = joint,
            None => {
                let message = format!(
                    "`{}` delivers {}, but `{}` delivers {}",
                    other.label, other.format, first.label, first.format,
                );
                let problem =
                    engine::Diagnostic::error(Code::FormatMismatch, message).at(&other.place);
                problems.push(
                    problem.hint(
                        "merge streams of one format; a sink takes different ones side by side",
                    ),
                );
            }
        }
    }
    if problems.is_empty() { Ok(Outline::of([merged])) } else { Err(problems.into()) }
}

/// The format of both, if frames of one could be the other's.
fn joint(one: &Format, other: &Format) -> Option<Format> {
    match (one, other) {
        (Format::Event(one), Format::Event(other)) if one.fields == other.fields => {
            Some(Format::event(one.fields.clone(), one.rate_max + other.rate_max))
        }
        (Format::Signal(one), Format::Signal(other))
            if one.channels == other.channels && one.rate == other.rate =>
        {
            let longer = if one.frame_len >= other.frame_len { one } else { other };
            Some(Format::Signal(longer.clone()))
        }
        _ => (one == other).then(|| one.clone()),
    }
}

/// The runtime puts frames in order; this passes them on.
struct Merge;

impl Operator for Merge {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let frame = io.take();
        io.send(0, frame);
        Ok(())
    }

    fn reset(&mut self) {}
}

#[cfg(test)]
mod tests {
    use engine::{EventWriter, Field, Frame, Header, Timestamp, testing::Bench};

    use super::*;

    fn events(field: &'static str) -> Format {
        Format::event(vec![Field::f64(field)], 5.0)
    }

    fn event(format: &Format, ms: i64, value: f64) -> Frame {
        let format = format.as_event().expect("events");
        let time = Timestamp::from_nanos(ms * 1_000_000);
        Frame::new(Header::at(time), EventWriter::new(format).f64(0, value).finish())
    }

    #[test]
    fn events_come_in_order_of_time_and_of_the_list() {
        let format = events("x");
        let inputs = [("in", format.clone()), ("in", format.clone())];
        let mut merge = Bench::with(&KIND, &inputs, "").expect("valid");
        assert_eq!(merge.output(0).as_event().expect("events").rate_max, 10.0);

        for (line, ms, value) in [(1, 5, 1.5), (1, 20, 1.2), (0, 5, 0.5), (0, 10, 0.1)] {
            merge.push(line, event(&format, ms, value));
        }
        merge.run();
        let values = |seen: Vec<engine::testing::Seen>| {
            seen.iter().filter_map(|seen| seen.number("x")).collect::<Vec<_>>()
        };
        // At 20 ms the first input may still say something, and would come first.
        assert_eq!(values(merge.take()), [0.5, 1.5, 0.1]);
        merge.flush();
        assert_eq!(values(merge.take()), [1.2]);
    }

    #[test]
    fn signals_pass_frame_by_frame() {
        let inputs = [("in", Bench::channels(1, 1_000.0)), ("in", Bench::channels(1, 1_000.0))];
        let mut merge = Bench::with(&KIND, &inputs, "").expect("valid");
        merge.push_samples(0, &[1.0, 2.0]);
        merge.push(1, Frame::signal(Timestamp::from_nanos(2_000_000), 1, &[3.0]));
        assert_eq!(merge.flush(), [1.0, 2.0, 3.0]);
    }

    #[test]
    fn different_formats_are_refused_with_both_names() {
        let inputs = [("in", events("x")), ("in", events("y")), ("in", Bench::channels(1, 100.0))];
        let problem = Bench::with(&KIND, &inputs, "").err().expect("refused").to_string();
        assert!(problem.contains("`in1` delivers events {y}, but `in0` delivers events {x}"));
        assert!(problem.contains("`in2` delivers 1 ch @ 100 Hz"), "all at once: {problem}");
    }
}
