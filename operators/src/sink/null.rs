//! `null`: take frames and forget them.
//!
//! For measuring, and for keeping a branch alive that nobody reads. Latency is counted as at any sink.

use engine::{Body, Fault, Frame, Kind, Port, Sink};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "null",
    summary: "Take frames and forget them.",
    doc: "Takes any number of inputs of any format, NaN or not. Runs on the data core and costs nothing but the \
          counting of frames and latency.",
    inputs: &[Port::any("in").variadic()],
    build: |_| Ok(Body::sink(Null)),
    ..Kind::BASE
};

struct Null;

impl Sink for Null {
    fn take(&mut self, _: usize, _: &Frame) -> Result<(), Fault> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use super::*;

    #[test]
    fn frames_of_any_format_are_taken() {
        let events = engine::Format::event(vec![engine::Field::f64("x")], 1.0);
        let inputs = [("in", Bench::channels(2, 100.0)), ("in", events)];
        let mut null = Bench::with(&KIND, &inputs, "").expect("valid");
        null.push_samples(0, &[1.0, 2.0]);
        null.push(1, Bench::event_at(engine::Timestamp::ZERO));
        null.flush();
        assert!(null.take().is_empty() && null.warnings().is_empty());
    }
}
