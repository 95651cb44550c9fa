//! `http`: what reaches it answers the question that caused it.

use std::sync::Arc;

use engine::{Body, Code, Diagnostic, Fault, Format, Frame, Kind, Outline, Port, Sink};

use crate::serve::house::{Answerer, House, Outcome, Room};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "http",
    summary: "Answer requests over HTTP.",
    doc: "The first frame with the tag of a question is its response; see the source of the same \
          name. What comes when nobody waits any more is taken and forgotten. NaN is null in JSON.",
    inputs: &[Port::any("in").variadic().fed_by(&["http"])],
    answers: true,
    plan: |node| {
        if node.inputs().iter().any(|input| matches!(input.format, Format::Image(_))) {
            let message = "pictures are not sent as answers";
            let problem = Diagnostic::error(Code::FormatMismatch, message);
            return Err(problem.hint("send what was found in them").into());
        }
        Ok(Outline::default())
    },
    build: |node| {
        let house = node.common::<House>();
        for input in node.inputs() {
            house.give(&input.label, &input.format);
        }
        let room = house.room(node.session());
        let formats = node.inputs().iter().map(|input| Arc::new(input.format.clone()));
        Ok(Body::sink(Answers {
            answerer: Some(room.answerer()),
            room,
            formats: formats.collect(),
        }))
    },
    ..Kind::BASE
};

/// Answers, in one session. Stands on a data core: it hands frames to whoever waits and does nothing else.
struct Answers {
    room: Arc<Room>,
    answerer: Option<Answerer>,
    /// By the number of the edge.
    formats: Vec<Arc<Format>>,
}

impl Sink for Answers {
    fn take(&mut self, line: usize, frame: &Frame) -> Result<(), Fault> {
        let answer = Outcome::Answer(self.formats[line].clone(), frame.clone());
        self.room.settle(frame.header.tag, answer);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Fault> {
        self.answerer = None;
        Ok(())
    }
}
