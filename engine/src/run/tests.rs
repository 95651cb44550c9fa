//! The watchdog under a processor and a clock that a test holds, and numbers of cells that are not
//! lost when a session cannot be opened.

use std::{
    cell::Cell as Held,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};

use super::{
    Happened, Health, Shared, What,
    leaving::Leaving,
    watchdog::{Processor, Watch, look},
};
use crate::{
    Block, Body, Catalog, Clock, Flow, Format, GraphSpec, Io, Kind, ManualClock, OpenError,
    Outline, Plan, PlanOptions, Port, Rate, SourceText, Timestamp, Unit,
    core::{CELLS_MAX, Core, CoreShared, NO_CELL, Observer},
    session::{Ground, Latencies, Session},
    stage::{NOBODY, Turn},
    testing::MemoryFiles,
};

static BEATS: Kind = Kind {
    name: "beats",
    outputs: &[Port::signal("out")],
    plan: |_| {
        Ok(Outline::of([Format::signal(1, Unit::UNKNOWN, Rate::new(1_000.0).expect("valid"), 10)]))
    },
    build: |_| Ok(Body::source(Beats)),
    ..Kind::BASE
};

struct Beats;

impl crate::Source for Beats {
    fn next(&mut self, _: &mut Io<'_>) -> Result<Flow, crate::Fault> {
        Ok(Flow::End)
    }

    fn reset(&mut self) -> Result<(), crate::Fault> {
        Ok(())
    }
}

static COPIES: Kind = Kind {
    name: "copies",
    inputs: &[Port::signal("in")],
    outputs: &[Port::like("out", "in")],
    build: |_| Ok(Body::block(Copies)),
    ..Kind::BASE
};

struct Copies;

impl Block for Copies {
    fn block(&mut self, _: usize, input: &[f32], output: &mut [f32]) {
        output.copy_from_slice(input);
    }

    fn reset(&mut self) {}
}

/// Its bodies are dropped only while nobody has [`HELD`].
static LINGERS: Kind = Kind { name: "lingers", build: |_| Ok(Body::block(Lingers)), ..COPIES };

static HELD: Mutex<()> = Mutex::new(());

struct Lingers;

impl Block for Lingers {
    fn block(&mut self, _: usize, input: &[f32], output: &mut [f32]) {
        output.copy_from_slice(input);
    }

    fn reset(&mut self) {}
}

impl Drop for Lingers {
    fn drop(&mut self) {
        drop(HELD.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

struct Deaf;

impl Observer for Deaf {
    fn happened(&self, _: &Arc<crate::cell::Cell>, _: crate::cell::Event) {}
}

/// Two stages: a source, and a node that is wedged after 400 ms.
fn plan() -> Arc<Plan> {
    planned("[node.copies]\nop = \"copies\"\nfrom = \"beats\"\nstage = \"b\"\nwedge_ms = 400\n")
}

/// A source and these nodes.
pub(super) fn planned(nodes: &str) -> Arc<Plan> {
    let text = format!("[graph]\nname = \"run\"\n[node.beats]\nop = \"beats\"\n{nodes}");
    let spec = GraphSpec::parse(&SourceText::new("run.toml", text)).expect("a graph");
    let catalog = Catalog::new(&[&[&BEATS, &COPIES, &LINGERS]]);
    let options = PlanOptions::new(Arc::new(MemoryFiles::new()));
    Arc::new(spec.plan(&catalog, &options).unwrap_or_else(|problems| panic!("{problems}")))
}

/// What the system would tell.
#[derive(Default)]
struct Told {
    cpu_ms: Held<Option<u64>>,
    runnable: Held<bool>,
}

impl Processor for Told {
    fn cpu_ns(&self, _: usize) -> Option<u64> {
        self.cpu_ms.get().map(|ms| ms * 1_000_000)
    }

    fn is_runnable(&self, _: usize) -> bool {
        self.runnable.get()
    }
}

/// One core whose thread has been in a body of `copies` since zero.
struct Bench {
    shared: Arc<Shared>,
    happened: tokio::sync::mpsc::UnboundedReceiver<Happened>,
    clock: ManualClock,
    session: Session,
    watch: Option<Watch>,
    told: Told,
}

impl Bench {
    fn new(cpu_ms: Option<u64>, runnable: bool) -> Self {
        let (plan, clock) = (plan(), ManualClock::new());
        let cores = vec![CoreShared::new()];
        let (shared, happened) =
            Shared::new(&plan, Clock::Manual(clock.clone()), cores, None, None);
        let session = Session::build(&ground(&shared, &shared.plan(), &shared.latency()), 0)
            .expect("bodies can be built");
        for cell in &session.cells {
            cell.door.core.place(cell.door.number, Some(cell.clone()));
        }
        let told = Told { cpu_ms: cpu_ms.into(), runnable: runnable.into() };
        let mut this = Self { shared, happened, clock, session, watch: None, told };
        this.enter();
        assert_eq!(this.look(0, cpu_ms), Health::Well, "the first look knows nothing");
        this
    }

    fn cell(&self) -> &Arc<crate::cell::Cell> {
        &self.session.cells[1]
    }

    fn enter(&self) {
        self.shared.cores[0].at_cell.store(self.cell().door.number, Ordering::Relaxed);
        self.cell().mark.slot.store(0, Ordering::Relaxed);
    }

    fn look(&mut self, at_ms: i64, cpu_ms: Option<u64>) -> Health {
        self.clock.set(Timestamp::from_nanos(at_ms * 1_000_000));
        self.told.cpu_ms.set(cpu_ms);
        look(&self.shared, 0, &mut self.watch, &self.told)
    }

    fn wedged(&mut self) -> bool {
        let event = self.happened.try_recv().ok();
        matches!(event, Some(Happened { session: Some(0), what: What::Wedged { stage: 1, .. } }))
    }
}

fn ground<'a>(shared: &'a Shared, plan: &'a Arc<Plan>, latency: &'a Latencies) -> Ground<'a> {
    Ground {
        plan,
        cores: &shared.cores,
        clock: &shared.clock,
        pace: shared.pace(),
        latency,
        onlooker: None,
    }
}

fn slow(ms: u64) -> Health {
    Health::Slow { node: "copies".to_owned(), ms }
}

fn gone() -> Health {
    Health::Wedged { node: "copies".to_owned() }
}

#[test]
fn a_body_that_computes_is_slow_and_then_wedged() {
    let mut bench = Bench::new(Some(0), true);
    assert_eq!(bench.look(100, Some(90)), slow(100));
    assert_eq!(bench.look(399, Some(300)), slow(399));
    assert!(!bench.cell().is_abandoned());

    assert_eq!(bench.look(400, Some(301)), gone());
    assert!(bench.cell().is_abandoned() && bench.wedged());
}

#[test]
fn a_body_that_hangs_in_the_system_is_wedged_without_processor_time() {
    let mut bench = Bench::new(Some(7), false);
    assert_eq!(bench.look(399, Some(7)), slow(399));
    assert_eq!(bench.look(400, Some(7)), gone());
    assert!(bench.wedged());
}

#[test]
fn where_the_system_tells_nothing_the_clock_decides() {
    let mut bench = Bench::new(None, false);
    assert_eq!(bench.look(399, None), slow(399));
    assert_eq!(bench.look(400, None), gone());
}

#[test]
fn a_thread_that_gets_no_processor_is_starved_and_its_body_not_to_blame() {
    let mut bench = Bench::new(Some(0), true);
    for (at_ms, cpu_ms) in [(100, 10), (1_000, 100), (10_000, 399)] {
        assert_eq!(bench.look(at_ms, Some(cpu_ms)), Health::Starved, "{at_ms} ms");
    }
    assert!(!bench.cell().is_abandoned() && !bench.wedged());

    // A frame is done: it only took so long.
    bench.cell().mark.steps.fetch_add(1, Ordering::Relaxed);
    assert_eq!(bench.look(10_100, Some(400)), Health::Well);
}

#[test]
fn a_body_that_spins_on_a_crowded_machine_is_wedged_once_it_had_its_time() {
    let mut bench = Bench::new(Some(0), true);
    assert_eq!(bench.look(1_000, Some(200)), Health::Starved);
    assert_eq!(bench.look(1_999, Some(399)), Health::Starved);
    // A fifth of a processor all along, and 400 ms of it by now.
    assert_eq!(bench.look(2_000, Some(400)), gone());
    assert!(bench.wedged());
}

#[test]
fn between_bodies_there_is_none_to_blame() {
    let mut bench = Bench::new(Some(0), true);
    bench.cell().mark.slot.store(NOBODY, Ordering::Relaxed);
    let nobody = Health::Slow { node: String::new(), ms: 5_000 };
    assert_eq!(bench.look(5_000, Some(5_000)), nobody);

    bench.shared.cores[0].at_cell.store(NO_CELL, Ordering::Relaxed);
    assert_eq!(bench.look(6_000, Some(6_000)), Health::Well);
}

#[test]
fn the_body_of_a_closed_session_is_found_although_no_table_holds_it() {
    let mut bench = Bench::new(Some(0), true);
    let cell = bench.cell().clone();
    // As the supervisor does it: kept first, then taken off the core, whose loop never looks.
    assert!(bench.shared.leaving.add([cell.clone()]));
    cell.door.core.place(cell.door.number, None);

    assert_eq!(bench.look(100, Some(100)), slow(100));
    assert_eq!(bench.look(400, Some(400)), gone());
    assert!(bench.wedged());
}

#[test]
fn a_session_that_finds_no_room_leaves_the_numbers_it_had_taken() {
    let core = CoreShared::new();
    let clock = Clock::Manual(ManualClock::new());
    let (shared, _happened) = Shared::new(&plan(), clock, vec![core.clone()], None, None);
    for number in 0..CELLS_MAX - 1 {
        assert_eq!(core.number(), Some(number));
    }
    // Two stages, and room for one.
    assert!(matches!(
        Session::build(&ground(&shared, &shared.plan(), &shared.latency()), 0),
        Err(OpenError::Full)
    ));

    let mut looped = Core::new(core.clone(), 0, Arc::new(Deaf));
    looped.turn(Timestamp::ZERO);
    assert_eq!(core.number(), Some(CELLS_MAX - 1));
    assert_eq!(core.number(), None);
}

#[test]
fn a_cell_that_is_emptied_before_its_end_tells_none() {
    for ends in [false, true] {
        let clock = Clock::Manual(ManualClock::new());
        let (shared, _happened) = Shared::new(&plan(), clock, vec![CoreShared::new()], None, None);
        let session = Session::build(&ground(&shared, &shared.plan(), &shared.latency()), 0)
            .expect("bodies can be built");
        let [beats, copies] = &session.cells[..] else { panic!("two stages") };
        if ends {
            assert_eq!(beats.turn(Timestamp::ZERO, drop), Turn::Done);
        }
        drop(beats.empty().expect("no turn is going on"));

        // A turn of its consumer that nobody could stop any more.
        assert_eq!(copies.turn(Timestamp::ZERO, drop) == Turn::Done, ends);
    }
}

#[test]
fn a_body_that_hangs_while_it_is_dropped_is_left_behind_at_the_end() {
    let plan = planned("[node.lingers]\nop = \"lingers\"\nfrom = \"beats\"\n");
    let clock = Clock::Manual(ManualClock::new());
    let (shared, _happened) = Shared::new(&plan, clock, vec![CoreShared::new()], None, None);
    let session = Session::build(&ground(&shared, &shared.plan(), &shared.latency()), 0)
        .expect("bodies can be built");
    let leaving = Leaving::default();
    leaving.add(session.cells);

    let _held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    // It comes back.
    leaving.empty(Duration::from_millis(10));
}
