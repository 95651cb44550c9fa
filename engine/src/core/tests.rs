//! One loop after another on the same core, as when the watchdog gives a thread up, on one thread:
//! what the fresh loop does meanwhile happens inside a body of the old one.

use std::{cell::RefCell, sync::Arc};

use super::*;
use crate::{
    Body, Catalog, Flow, Format, GraphSpec, Kind, ManualClock, Outline, Placement, PlanOptions,
    Port, Rate, SourceText, Unit,
    session::{Ground, Session, latencies},
    stage::Pace,
    testing::MemoryFiles,
    time::Clock,
};

/// More than one word of the ready set.
const SESSIONS: usize = 100;
const FRAME_NS: i64 = 10_000_000;

thread_local! {
    /// Called from the next body at work.
    static MEANWHILE: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
}

/// Frames of 10 ms, for ever.
static BEATS: Kind = Kind {
    name: "beats",
    outputs: &[Port::signal("out")],
    plan: |_| {
        Ok(Outline::of([Format::signal(1, Unit::UNKNOWN, Rate::new(1_000.0).expect("valid"), 10)]))
    },
    build: |_| Ok(Body::source(Beats(0))),
    ..Kind::BASE
};

struct Beats(i64);

impl crate::Source for Beats {
    fn next(&mut self, io: &mut crate::Io<'_>) -> Result<Flow, crate::Fault> {
        if let Some(meanwhile) = MEANWHILE.take() {
            meanwhile();
        }
        let buffer = io.signal(0, 10);
        io.send_buffer(0, Timestamp::from_nanos(self.0 * FRAME_NS), buffer);
        self.0 += 1;
        Ok(Flow::More)
    }

    fn reset(&mut self) -> Result<(), crate::Fault> {
        Ok(())
    }
}

static NOTHING: Kind = Kind {
    name: "nothing",
    inputs: &[Port::signal("in")],
    placement: Placement::Fused,
    build: |_| Ok(Body::sink(Nothing)),
    ..Kind::BASE
};

struct Nothing;

impl crate::Sink for Nothing {
    fn take(&mut self, _: usize, _: &crate::Frame) -> Result<(), crate::Fault> {
        Ok(())
    }
}

struct Deaf;

impl Observer for Deaf {
    fn happened(&self, _: &Arc<Cell>, _: Event) {}
}

fn sessions(shared: &Arc<CoreShared>, number: usize, stage: &str) -> Vec<Session> {
    let text = format!(
        "[graph]\nname = \"core\"\n[node.beats]\nop = \"beats\"\n\
         [node.nothing]\nop = \"nothing\"\nfrom = \"beats\"\n{stage}"
    );
    let spec = GraphSpec::parse(&SourceText::new("core", &text)).expect("a graph");
    let options = PlanOptions::new(Arc::new(MemoryFiles::default()));
    let plan = spec.plan(&Catalog::new(&[&[&BEATS, &NOTHING]]), &options).expect("a plan");
    let plan = Arc::new(plan);
    let ground = Ground {
        plan: &plan,
        cores: std::slice::from_ref(shared),
        clock: &Clock::Manual(ManualClock::new()),
        pace: Pace { start: Timestamp::ZERO, speed: Some(1.0) },
        latency: &latencies(&plan),
        onlooker: None,
    };
    (0..number).map(|n| Session::build(&ground, n as u32).expect("bodies can be built")).collect()
}

/// A core with many paced sessions, each of one cell, and the two loops.
struct Scene {
    shared: Arc<CoreShared>,
    sessions: Vec<Session>,
    old: Core,
    fresh: Arc<Mutex<Core>>,
}

impl Scene {
    fn new() -> Self {
        let shared = CoreShared::new();
        let sessions = sessions(&shared, SESSIONS, "");
        for cell in sessions.iter().flat_map(|session| &session.cells) {
            shared.place(cell.door.number, Some(cell.clone()));
        }
        let old = Core::new(shared.clone(), 0, Arc::new(Deaf));
        let fresh = Arc::new(Mutex::new(Core::new(shared.clone(), 1, Arc::new(Deaf))));
        Self { shared, sessions, old, fresh }
    }

    /// Lets the old loop come to its first cell; there it stands while `meanwhile` happens.
    fn old_turn(&mut self, meanwhile: impl FnOnce() + 'static) {
        MEANWHILE.set(Some(Box::new(meanwhile)));
        assert_eq!(self.old.turn(Timestamp::ZERO), CoreTurn::Idle);
        assert!(self.old.superseded);
    }

    /// Turns of the fresh loop until it has nothing to do.
    fn rest(&self, now: Timestamp) -> CoreTurn {
        let mut fresh = self.fresh.lock().expect("no panic");
        loop {
            match fresh.turn(now) {
                CoreTurn::More => {}
                rest => return rest,
            }
        }
    }

    fn delivered(&self) -> Vec<u64> {
        self.sessions.iter().map(|session| session.counts.edges[0].taken.value()).collect()
    }
}

#[test]
fn a_thread_that_never_comes_back_keeps_no_other_cell_from_its_successor() {
    let mut scene = Scene::new();
    let (shared, fresh) = (scene.shared.clone(), scene.fresh.clone());
    let wedged = scene.sessions[0].cells[0].clone();
    let seen = Arc::new(Mutex::new(0));
    let told = seen.clone();
    scene.old_turn(move || {
        wedged.abandon();
        assert_eq!(shared.hand_over(), 1);
        let mut fresh = fresh.lock().expect("no panic");
        assert!(matches!(fresh.turn(Timestamp::ZERO), CoreTurn::Until(_)));
        *told.lock().expect("no panic") = shared.beat.load(Ordering::Relaxed);
    });

    // One turn of the old loop, and one of the fresh one for each cell but that.
    assert_eq!(*seen.lock().expect("no panic"), SESSIONS as u64);
    scene.rest(Timestamp::from_nanos(FRAME_NS));
    assert_eq!(scene.delivered(), [&[0][..], &[1; SESSIONS - 1]].concat());
}

#[test]
fn a_thread_that_comes_back_leaves_what_is_ready_to_its_successor() {
    let mut scene = Scene::new();
    let (shared, fresh) = (scene.shared.clone(), scene.fresh.clone());
    let cells: Vec<_> = scene.sessions.iter().map(|session| session.cells[0].clone()).collect();
    scene.old_turn(move || {
        cells[0].abandon();
        shared.hand_over();
        let mut fresh = fresh.lock().expect("no panic");
        assert!(matches!(fresh.turn(Timestamp::ZERO), CoreTurn::Until(_)));
        // Somebody has news for all of them, just before the old loop goes on.
        cells.iter().for_each(|cell| shared.ready.add_anew(cell.door.number));
    });

    let before = scene.shared.beat.load(Ordering::Relaxed);
    scene.rest(Timestamp::ZERO);
    assert_eq!(scene.shared.beat.load(Ordering::Relaxed) - before, SESSIONS as u64 - 1);
}

#[test]
fn a_cell_in_the_old_threads_hands_goes_on_in_the_fresh_one() {
    let mut scene = Scene::new();
    let (shared, fresh) = (scene.shared.clone(), scene.fresh.clone());
    // Nobody is abandoned: the body returns just as the watchdog gives up another.
    scene.old_turn(move || {
        shared.hand_over();
        let mut fresh = fresh.lock().expect("no panic");
        assert_eq!(fresh.turn(Timestamp::ZERO), CoreTurn::More, "one cell is out of reach");
    });

    assert_eq!(scene.rest(Timestamp::ZERO), CoreTurn::Until(Timestamp::from_nanos(FRAME_NS)));
    for frames in 1..4 {
        scene.rest(Timestamp::from_nanos(frames * FRAME_NS));
        assert_eq!(scene.delivered(), [frames as u64; SESSIONS]);
    }
}

#[test]
fn a_thread_that_was_given_up_between_two_turns_takes_up_nothing() {
    let mut scene = Scene::new();
    scene.shared.hand_over();

    assert_eq!(scene.old.turn(Timestamp::ZERO), CoreTurn::Idle);
    assert!(scene.old.superseded);
    scene.rest(Timestamp::ZERO);
    scene.rest(Timestamp::from_nanos(FRAME_NS));
    assert_eq!(scene.delivered(), [1; SESSIONS]);
}

#[test]
fn of_two_fresh_threads_the_later_one_runs_the_core() {
    let shared = CoreShared::new();
    let (first, second) = (shared.hand_over(), shared.hand_over());

    assert!(first != second);
    assert!(shared.adopt(second));
    assert!(!shared.adopt(first), "it comes late");
}

#[test]
fn a_cell_that_came_and_went_unseen_frees_its_number_once() {
    let shared = CoreShared::new();
    let sessions = sessions(&shared, 1, "");
    let cell = &sessions[0].cells[0];
    shared.place(cell.door.number, Some(cell.clone()));
    shared.place(cell.door.number, None);
    // A loop that was given up before it looked changes nothing.
    let generation = shared.hand_over();
    Core::new(shared.clone(), generation, Arc::new(Deaf)).turn(Timestamp::ZERO);

    assert_eq!(shared.number(), Some(cell.door.number));
    assert_ne!(shared.number(), Some(cell.door.number));
}

#[test]
fn neighbours_of_a_cell_that_is_dropped_before_its_end_read_none() {
    for abandoned in [false, true] {
        let shared = CoreShared::new();
        let mut session = sessions(&shared, 1, "stage = \"apart\"\n").remove(0);
        let (first, second) = (session.cells.remove(0), session.cells.remove(0));
        first.turn(Timestamp::ZERO, |_| {});
        if abandoned {
            first.abandon();
        }
        drop(first);

        assert_ne!(second.turn(Timestamp::ZERO, |_| {}), Turn::Done, "abandoned: {abandoned}");
    }
}
