//! Bodies that have something to say at the end.

use engine::{
    Block, Body, Fault, Format, Io, Kind, LiveIo, LiveSource, Operator, Outline, Param, Placement,
    Rate, Timestamp, Unit, Waiting,
};

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

/// Sends three frames and says that there were three; then it ends, unless it stays.
pub(super) static TELLS_LIVE: Kind = Kind {
    name: "tells_live",
    outputs: OUT,
    params: &[&STAYS],
    placement: Placement::Waits,
    live: true,
    plan: |_| {
        let rate = Rate::new(100.0).expect("a rate");
        Ok(Outline::of([Format::signal(1, Unit::UNKNOWN, rate, 1)]))
    },
    build: |node| Ok(Body::live(TellsLive { sent: 0, stays: node.get(&STAYS)? })),
    ..Kind::BASE
};

const STAYS: Param<bool> = Param::with_default("stays", false, "It never ends.");

struct TellsLive {
    sent: i64,
    stays: bool,
}

impl LiveSource for TellsLive {
    fn run<'a>(&'a mut self, io: &'a mut LiveIo) -> Waiting<'a> {
        Box::pin(async move {
            while self.sent < 3 {
                let buffer = io.signal(0, 1);
                io.send(0, Timestamp::from_nanos(self.sent * 10_000_000), 0, buffer);
                self.sent += 1;
            }
            if self.stays {
                std::future::pending::<()>().await;
            }
            Ok(())
        })
    }

    fn remark(&self) -> Option<String> {
        Some(format!("{} frames went by", self.sent))
    }
}

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
