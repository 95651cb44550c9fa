//! Bodies that have something to say at the end.

use engine::{Block, Body, Fault, Io, Kind, Operator};

use super::{IN, OUT};

/// Passes frames on and says how many there were.
pub(super) static TELLS: Kind = Kind {
    name: "tells",
    inputs: IN,
    outputs: OUT,
    build: |_| Ok(Body::operator(Tells(0))),
    ..Kind::BASE
};

/// As `tells`, for blocks.
pub(super) static TELLS_BLOCK: Kind =
    Kind { name: "tells_block", build: |_| Ok(Body::block(Tells(0))), ..TELLS };

struct Tells(usize);

impl Operator for Tells {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        self.0 += 1;
        let frame = io.take();
        io.send(0, frame);
        Ok(())
    }

    fn remark(&self) -> Option<String> {
        (self.0 > 0).then(|| format!("{} frames went by", self.0))
    }

    fn reset(&mut self) {}
}

impl Block for Tells {
    fn block(&mut self, _: usize, input: &[f32], output: &mut [f32]) {
        self.0 += 1;
        output.copy_from_slice(input);
    }

    fn remark(&self) -> Option<String> {
        Operator::remark(self)
    }

    fn reset(&mut self) {}
}
