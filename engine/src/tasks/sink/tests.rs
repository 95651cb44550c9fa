use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::Waker,
};

use super::{SinkTask, TaskTurn};
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
        onlooker: None,
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

/// Has room when it is told so, and tells what it was told.
static PICKY: Kind = Kind {
    name: "picky",
    inputs: &[Port::any("in")],
    placement: Placement::Waits,
    build: |node| Ok(Body::sink(Picky(node.common::<Told>()))),
    ..Kind::BASE
};

#[derive(Default)]
struct Told {
    has_room: AtomicBool,
    heard: Mutex<Vec<String>>,
    waker: Mutex<Option<Waker>>,
}

impl Told {
    fn hear(&self, what: String) {
        self.heard.lock().expect("whole").push(what);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.heard.lock().expect("whole"))
    }
}

struct Picky(Arc<Told>);

impl Sink for Picky {
    fn take(&mut self, _: usize, frame: &Frame) -> Result<(), Fault> {
        self.0.hear(format!("frame {}", frame.header.time.nanos()));
        Ok(())
    }

    fn has_room(&mut self, waker: &Waker) -> bool {
        *self.0.waker.lock().expect("whole") = Some(waker.clone());
        self.0.has_room.load(Ordering::Relaxed)
    }

    fn bound(&mut self, _: usize, bound: Timestamp) -> Result<(), Fault> {
        self.0.hear(format!("bound {}", bound.nanos()));
        Ok(())
    }

    fn wants_bounds(&self) -> Option<i64> {
        Some(10)
    }

    fn finish(&mut self) -> Result<(), Fault> {
        self.0.hear("end".to_owned());
        Ok(())
    }
}

#[test]
fn frames_wait_for_a_sink_without_room_and_bounds_come_behind_them() {
    let text = "[graph]\nname = \"picky\"\n[node.mute]\nop = \"mute\"\n\
                [node.picky]\nop = \"picky\"\nfrom = \"mute\"\n";
    let spec = GraphSpec::parse(&SourceText::new("picky.toml", text)).expect("a graph");
    let options = PlanOptions::new(Arc::new(MemoryFiles::new()));
    let plan = spec.plan(&Catalog::new(&[&[&MUTE, &PICKY]]), &options);
    let plan = Arc::new(plan.unwrap_or_else(|problems| panic!("{problems}")));
    let ground = Ground {
        plan: &plan,
        cores: &[CoreShared::new()],
        clock: &Clock::Manual(ManualClock::new()),
        pace: Pace { start: Timestamp::ZERO, speed: None },
        latency: &latencies(&plan),
        onlooker: None,
    };
    let mut session = Session::build(&ground, 0).expect("bodies can be built");
    let (sink, told) = (&mut session.sinks[0], plan.common::<Told>());
    let counts = &session.counts.edges[0];
    let (mut sender, receiver) = ring(4, OnFull::Block, counts, Arc::new(Nobody), Arc::new(Nobody));
    sink.rewire(0, receiver, 0);
    let reached = |sink: &SinkTask| session.counts.nodes[sink.node].reached.value();
    for (seq, time) in [(0, 5), (1, 6)] {
        counts.sent.add(1);
        let header = Header { seq, ..Header::at(Timestamp::from_nanos(time)) };
        assert!(sender.push(Frame::new(header, Buffer::signal(1, 10))).is_ok());
    }

    assert!(matches!(sink.turn(), TaskTurn::Idle));
    assert_eq!((told.take(), sink.inside(0)), (vec![], 2));
    assert!(told.waker.lock().expect("whole").is_some(), "it knows whom to wake");

    told.has_room.store(true, Ordering::Relaxed);
    sender.publish(Timestamp::from_nanos(20));
    assert!(matches!(sink.turn(), TaskTurn::Idle));
    assert_eq!(told.take(), ["frame 5", "frame 6", "bound 20"]);
    assert_eq!(reached(sink), Timestamp::from_nanos(20));

    sender.publish(Timestamp::MAX);
    assert!(matches!(sink.turn(), TaskTurn::Done));
    assert_eq!((told.take(), reached(sink)), (vec!["end".to_owned()], Timestamp::MAX));
}
