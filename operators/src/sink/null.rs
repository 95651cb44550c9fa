//! `null`: take frames and forget them.
//!
//! For measuring, and for keeping a branch alive that nobody reads. Latency is counted as at any sink.

use engine::{Body, Fault, Frame, Kind, Port, Sink};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "null",
    summary: "Take frames and forget them.",
    doc: "Takes any number of inputs of any format. Runs on the data core and costs nothing but the \
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
