//! `websocket`: what reaches it is sent to the visitor whose session it is.

use std::sync::{Arc, atomic::Ordering};

use engine::{Body, BuildError, Fault, Format, Frame, Kind, Node, Param, Port, Sink};
use tokio::sync::mpsc;

use crate::serve::house::{Answerer, House, Room, Said, Speech};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "websocket",
    summary: "Send frames to the websocket of the session.",
    doc: "Every frame is a message: JSON, as `jsonl` writes it, or with `send = \"raw\"` f32 little-endian, \
          channel after channel; events are always JSON, and NaN is null in it. See the source of the same name.",
    inputs: &[Port::any("in").variadic().fed_by(&["websocket"])],
    params: &[&SEND],
    example: "send = \"json\"",
    answers: true,
    build: |node| Ok(Body::sink(Speaks::new(node)?)),
    ..Kind::BASE
};

const SEND: Param<&str> =
    Param::with_default("send", "json", "How frames are sent.").one_of(&["json", "raw"]);

/// Sends frames, in one session. Stands on a data core and waits for nobody.
struct Speaks {
    room: Arc<Room>,
    answerer: Option<Answerer>,
    outbox: Option<mpsc::Sender<Said>>,
    /// By the number of the edge.
    speeches: Vec<Arc<Speech>>,
}

impl Speaks {
    fn new(node: &Node<'_>) -> Result<Self, BuildError> {
        let house = node.common::<House>();
        let wants_raw = node.get(&SEND)? == "raw";
        let speech = |format: &Format| {
            let is_raw = match format {
                Format::Event(_) => false,
                Format::Image(_) => true,
                Format::Signal(_) | Format::Tensor(_) => wants_raw,
            };
            Arc::new(Speech { format: format.clone(), is_raw })
        };
        for input in node.inputs() {
            house.give(&input.label, &input.format);
        }
        let room = house.room(node.session());
        Ok(Self {
            answerer: Some(room.answerer()),
            room,
            outbox: None,
            speeches: node.inputs().iter().map(|input| speech(&input.format)).collect(),
        })
    }
}

impl Sink for Speaks {
    fn take(&mut self, line: usize, frame: &Frame) -> Result<(), Fault> {
        if self.outbox.is_none() {
            self.outbox = self.room.outbox();
        }
        let Some(outbox) = &self.outbox else { return Ok(()) };
        match outbox.try_send(Said { speech: self.speeches[line].clone(), frame: frame.clone() }) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.room.is_slow.store(true, Ordering::Relaxed);
                self.room.slowed.notify_one();
                self.room.be_silent();
                self.outbox = None;
            }
            // The visitor has gone, which ends the session in good order.
            Err(mpsc::error::TrySendError::Closed(_)) => {
                self.room.be_silent();
                self.outbox = None;
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Fault> {
        (self.answerer, self.outbox) = (None, None);
        Ok(())
    }
}
