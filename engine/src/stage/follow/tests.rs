//! What a body is told of missing content, and when.

use super::*;
use crate::{Body, Kind, Policy, Port, testing::Bench};

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
    let told: Vec<_> = seen
        .iter()
        .map(|seen| (seen.time().nanos() / 1_000_000, seen.frame.header.gap.get()))
        .collect();
    assert_eq!(told, [(0, None), (10, None), (50, Some(Gap::Source)), (60, None)]);
    assert!(
        seen.iter().all(|seen| seen.frame.samples()[0] == (seen.time().nanos() / 1_000_000) as f32)
    );
}

/// As `lags`, of two inputs that are merged; what the second brings is not looked at.
static LAGS_MERGED: Kind = Kind {
    name: "lags_merged",
    inputs: &[Port::signal("in"), Port::signal("other")],
    policy: Policy::Merge,
    build: |_| Ok(Body::operator(LagsMerged(Lags(None)))),
    ..LAGS
};

struct LagsMerged(Lags);

impl Operator for LagsMerged {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        assert_eq!(io.time_of(0), io.frame().header.time, "line {}", io.line());
        if io.line() == 0 { self.0.process(io) } else { Ok(()) }
    }

    fn gap(&mut self, notice: &GapNotice, io: &mut Io<'_>) -> Result<(), Fault> {
        self.0.gap(notice, io)
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}

#[test]
fn frames_that_waited_to_be_joined_are_at_their_own_times() {
    let inputs = [("in", Bench::channels(1, 1_000.0)), ("other", Bench::channels(1, 1_000.0))];
    let mut lags = Bench::with(&LAGS_MERGED, &inputs, "").expect("valid");
    let frame = |ms: i64, gap: Option<Gap>| {
        let time = Timestamp::from_nanos(ms * 1_000_000);
        let (_, buffer) = Frame::signal(time, 1, &[ms as f32; 10]).into_parts();
        Frame::new(Header { gap: gap.into(), ..Header::at(time) }, buffer)
    };
    // All of one input comes before anything of the other.
    for (ms, gap) in [(0, None), (10, None), (50, Some(Gap::Source)), (60, None)] {
        lags.push(0, frame(ms, gap));
        lags.run();
    }
    (0..8).for_each(|n| lags.push(1, frame(10 * n, None)));
    lags.run();

    let seen = lags.take();
    let ms: Vec<_> = seen.iter().map(|seen| seen.time().nanos() / 1_000_000).collect();
    assert_eq!(ms, [0, 10, 50]);
    assert!(seen.iter().zip(&ms).all(|(seen, ms)| seen.frame.samples()[0] == *ms as f32));
}
