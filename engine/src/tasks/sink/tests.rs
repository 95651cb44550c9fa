use std::sync::Arc;

use super::TaskTurn;
use crate::{
    Body, Buffer, Catalog, Clock, Fault, Flow, Format, Frame, Gap, GraphSpec, Header, Io, Kind,
    ManualClock, Outline, Placement, PlanOptions, Port, Rate, Sink, Source, SourceText, Timestamp,
    Unit,
    core::CoreShared,
    graph::OnFull,
    ring::{Nobody, ring},
    session::{Ground, Session, latencies},
    stage::Pace,
    testing::MemoryFiles,
};

static MUTE: Kind = Kind {
    name: "mute",
    outputs: &[Port::signal("out")],
    plan: |_| {
        Ok(Outline::of([Format::signal(1, Unit::UNKNOWN, Rate::new(1_000.0).expect("valid"), 10)]))
    },
    build: |_| Ok(Body::source(Mute)),
    ..Kind::BASE
};

struct Mute;

impl Source for Mute {
    fn next(&mut self, _: &mut Io<'_>) -> Result<Flow, Fault> {
        Ok(Flow::End)
    }

    fn reset(&mut self) -> Result<(), Fault> {
        Ok(())
    }
}

/// Its reader has gone.
static PIPE: Kind = Kind {
    name: "pipe",
    inputs: &[Port::any("in")],
    placement: Placement::Waits,
    build: |_| Ok(Body::sink(Pipe)),
    ..Kind::BASE
};

struct Pipe;

impl Sink for Pipe {
    fn take(&mut self, _: usize, _: &Frame) -> Result<(), Fault> {
        Ok(())
    }

    fn idle(&mut self) -> Result<(), Fault> {
        Err(Fault::io("cannot write", std::io::ErrorKind::BrokenPipe.into()))
    }
}

#[test]
fn what_a_new_ring_brings_after_the_reader_went_away_is_closed_too() {
    let text = "[graph]\nname = \"pipe\"\n[node.mute]\nop = \"mute\"\n\
                [node.pipe]\nop = \"pipe\"\nfrom = \"mute\"\n";
    let spec = GraphSpec::parse(&SourceText::new("pipe.toml", text)).expect("a graph");
    let options = PlanOptions::new(Arc::new(MemoryFiles::new()));
    let plan = spec.plan(&Catalog::new(&[&[&MUTE, &PIPE]]), &options);
    let plan = Arc::new(plan.unwrap_or_else(|problems| panic!("{problems}")));
    let ground = Ground {
        plan: &plan,
        cores: &[CoreShared::new()],
        clock: &Clock::Manual(ManualClock::new()),
        pace: Pace { start: Timestamp::ZERO, speed: None },
        latency: &latencies(&plan),
    };
    let mut session = Session::build(&ground, 0).expect("bodies can be built");
    let sink = &mut session.sinks[0];
    assert!(matches!(sink.turn(), TaskTurn::Failed(_)));

    let counts = &session.counts.edges[0];
    let (mut sender, receiver) = ring(4, OnFull::Block, counts, Arc::new(Nobody), Arc::new(Nobody));
    sink.rewire(0, receiver, counts.admitted());
    counts.sent.add(1);
    assert!(sender.push(Frame::new(Header::at(Timestamp::ZERO), Buffer::signal(1, 10))).is_ok());
    sender.publish(Timestamp::ZERO);
    assert_eq!([Gap::Closed, Gap::Poison].map(|gap| counts.dropped_for(gap)), [1, 0]);
    assert!(matches!(sink.turn(), TaskTurn::Done));
}
