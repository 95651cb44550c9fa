//! What a body is told of missing content, and when.

use super::*;
use crate::{Body, Kind, Port, testing::Bench};

/// Sends every frame when the next one comes, or none will.
static LAGS: Kind = Kind {
    name: "lags",
    inputs: &[Port::signal("in")],
    outputs: &[Port::like("out", "in")],
    build: |_| Ok(Body::operator(Lags(None))),
    ..Kind::BASE
};

struct Lags(Option<Frame>);

impl Lags {
    fn send(&mut self, io: &mut Io<'_>, first: i64) {
        if let Some(frame) = self.0.take() {
            io.send_buffer(0, io.time_of(first), frame.buffer().clone());
        }
    }
}

impl Operator for Lags {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let len = self.0.as_ref().map_or(0, Frame::len);
        self.send(io, -(len as i64));
        self.0 = Some(io.take());
        Ok(())
    }

    fn gap(&mut self, _: &GapNotice, io: &mut Io<'_>) -> Result<(), Fault> {
        self.send(io, 0);
        Ok(())
    }

    fn flush(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        self.send(io, 0);
        Ok(())
    }

    fn reset(&mut self) {
        self.0 = None;
    }
}

#[test]
fn what_a_body_still_holds_lies_before_the_gap() {
    let mut lags = Bench::build(&LAGS, 1_000.0, "").expect("valid");
    for (ms, gap) in [(0, None), (10, None), (50, Some(Gap::Source)), (60, None)] {
        let time = Timestamp::from_nanos(ms * 1_000_000);
        let (_, buffer) = Frame::signal(time, 1, &[ms as f32; 10]).into_parts();
        lags.push(0, Frame::new(Header { gap: gap.into(), ..Header::at(time) }, buffer));
    }
    lags.flush();

    let seen = lags.take();
    let told: Vec<_> =
        seen.iter().map(|seen| (seen.time().nanos() / 1_000_000, seen.frame.header.gap.get())).collect();
    assert_eq!(told, [(0, None), (10, None), (50, Some(Gap::Source)), (60, None)]);
    assert!(
        seen.iter().all(|seen| seen.frame.samples()[0] == (seen.time().nanos() / 1_000_000) as f32)
    );
}
