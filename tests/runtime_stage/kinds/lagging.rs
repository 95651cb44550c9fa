//! A kind that holds a frame back.

use engine::{Body, Fault, Frame, GapNotice, Io, Kind, Operator};

use super::{IN, OUT};

/// Sends every frame when the next one comes, or none will.
pub(super) static LAGS: Kind = Kind {
    name: "lags",
    inputs: IN,
    outputs: OUT,
    build: |_| Ok(Body::operator(Lags(None))),
    ..Kind::BASE
};

struct Lags(Option<Frame>);

impl Lags {
    fn send(&mut self, io: &mut Io<'_>) {
        if let Some(frame) = self.0.take() {
            io.send_buffer(0, frame.header.time, frame.buffer().clone());
        }
    }
}

impl Operator for Lags {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        self.send(io);
        self.0 = Some(io.take());
        Ok(())
    }

    fn gap(&mut self, _: &GapNotice, io: &mut Io<'_>) -> Result<(), Fault> {
        self.send(io);
        Ok(())
    }

    fn flush(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        self.send(io);
        Ok(())
    }

    fn reset(&mut self) {
        self.0 = None;
    }
}
