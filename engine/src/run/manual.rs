//! [`ManualRun`]: a whole graph driven by hand, on manual time, on one thread.
//!
//! The same stages, rings, policies and sinks as in a live run; only the
//! threads and actors are missing. Live sources, which wait for the
//! world, cannot be driven this way. Answers to calls come from other threads: time stands still
//! until they are there.

mod reloads;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{
    cell::{Cell, Command, Event},
    core::{Core, CoreShared, CoreTurn, Observer},
    fault::Fault,
    frame::Frame,
    graph::{Spanned, Value},
    journey::{Attribution, Collector},
    plan::{Home, Plan},
    session::{EdgeTotals, Ground, OpenError, Session, build_body, latencies},
    stage::{Pace, SlotBody},
    stats::Histogram,
    steps::SlowCall,
    supervise::{Record, Verdict},
    tap::Onlooker,
    tasks::TaskTurn,
    time::{Clock, ManualClock, Timestamp},
};

use super::{RolledBack, opened::Knobs};

/// How often to look whether an answer has come to another core than the first.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// How long to wait for the next answer: then time goes on, and what is late is late.
const PATIENCE: Duration = Duration::from_secs(10);

/// Remembers what happened in cells until the driver looks.
#[derive(Default)]
struct Notes(Mutex<Vec<(usize, Event)>>);

impl Observer for Notes {
    fn happened(&self, cell: &Arc<Cell>, event: Event) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((cell.stage, event));
    }
}

/// A graph with one session, driven by hand.
pub struct ManualRun {
    plan: Arc<Plan>,
    clock: ManualClock,
    cores: Vec<Core>,
    session: Session,
    knobs: Arc<Knobs>,
    pace: Pace,
    notes: Arc<Notes>,
    records: BTreeMap<usize, Record>,
    collector: Option<Collector>,
    restarts: Vec<(Timestamp, usize, usize)>,
    trial: Option<reloads::Trial>,
    rolled_back: Option<RolledBack>,
    /// Faults in the order they happened: node and what.
    pub faults: Vec<(String, String)>,
    /// What bodies had to say at their end: node and what.
    pub remarks: Vec<(String, String)>,
    stages_left: usize,
    sinks_left: Vec<bool>,
}

impl Drop for ManualRun {
    fn drop(&mut self) {
        // A core holds its cells and they, by their doors, the core.
        for core in &self.cores {
            core.shared.clear();
        }
    }
}

impl ManualRun {
    /// Builds the graph on `cores` cores; `speed` as in [`RunOptions`](super::RunOptions).
    ///
    /// # Errors
    /// If a body cannot be built.
    pub fn new(plan: &Arc<Plan>, cores: usize, speed: Option<f64>) -> Result<Self, OpenError> {
        Self::build(plan, cores, speed, None)
    }

    /// As [`ManualRun::new`], and `onlooker` is asked about every output before its first frame.
    ///
    /// # Errors
    /// As [`ManualRun::new`].
    pub fn watched(
        plan: &Arc<Plan>,
        cores: usize,
        speed: Option<f64>,
        onlooker: &Onlooker,
    ) -> Result<Self, OpenError> {
        Self::build(plan, cores, speed, Some(onlooker))
    }

    fn build(
        plan: &Arc<Plan>,
        cores: usize,
        speed: Option<f64>,
        onlooker: Option<&Onlooker>,
    ) -> Result<Self, OpenError> {
        let clock = ManualClock::new();
        let notes = Arc::new(Notes::default());
        let shared: Vec<_> = (0..cores.max(1)).map(|_| CoreShared::new()).collect();
        let ground = Ground {
            plan,
            cores: &shared,
            clock: &Clock::Manual(clock.clone()),
            pace: Pace { start: Timestamp::ZERO, speed },
            latency: &latencies(plan),
            onlooker,
        };
        let session = Session::build(&ground, 0)?;
        for cell in &session.cells {
            cell.door.core.place(cell.door.number, Some(cell.clone()));
        }
        let cores = shared.into_iter().map(|core| Core::new(core, 0, notes.clone())).collect();
        Ok(Self {
            plan: plan.clone(),
            clock,
            cores,
            stages_left: session.cells.len(),
            sinks_left: vec![true; session.sinks.len()],
            session,
            pace: Pace { start: Timestamp::ZERO, speed },
            knobs: Knobs::new(),
            notes,
            records: BTreeMap::new(),
            collector: None,
            restarts: Vec::new(),
            trial: None,
            rolled_back: None,
            faults: Vec::new(),
            remarks: Vec::new(),
        })
    }

    /// The clock the graph runs on.
    pub fn clock(&self) -> &ManualClock {
        &self.clock
    }

    /// Runs until nothing can be done before the clock moves; says when that is worth it:
    /// the next moment something is due, or `None` if the graph has ended or waits for ever.
    pub fn settle(&mut self) -> Option<Timestamp> {
        let mut waited = Duration::ZERO;
        loop {
            let (busy, next) = self.round();
            if busy {
                waited = Duration::ZERO;
            } else if self.is_asking() && waited < PATIENCE {
                self.wait_for_answer();
                waited += LOOK_EVERY;
            } else {
                return next.filter(|_| !self.has_ended());
            }
        }
    }

    /// Waits until an answer has come, or a moment.
    fn wait_for_answer(&self) {
        let any = || self.cores.iter().any(|core| core.shared.has_work());
        let parker = &self.cores[0].shared.parker;
        parker.adopt(|| true);
        parker.park(Some(LOOK_EVERY), any);
    }

    /// Whether some call waits for an answer.
    fn is_asking(&self) -> bool {
        self.session.cells.iter().any(|cell| cell.with_stage(|stage| stage.questions() > 0))
    }

    /// Lets every core and every sink that waits have one turn; says whether more can be done
    /// before the clock moves.
    pub fn step(&mut self) -> bool {
        self.round().0
    }

    fn round(&mut self) -> (bool, Option<Timestamp>) {
        let now = self.clock.now();
        let mut busy = false;
        let mut next: Option<Timestamp> = None;
        let mut at_most = |at: Timestamp| next = Some(next.map_or(at, |known| known.min(at)));
        for core in &mut self.cores {
            match core.turn(now) {
                CoreTurn::More => busy = true,
                CoreTurn::Until(at) => at_most(at),
                CoreTurn::Idle => {}
            }
        }
        for (sink, left) in self.session.sinks.iter_mut().zip(&mut self.sinks_left) {
            if !*left {
                continue;
            }
            match sink.turn() {
                TaskTurn::More => busy = true,
                TaskTurn::Until(at) => at_most(at),
                TaskTurn::Idle => {}
                TaskTurn::Done => {
                    *left = false;
                    let name = |node: usize| self.plan.nodes[node].name.clone();
                    let remarks = sink.remarks().into_iter();
                    self.remarks.extend(remarks.map(|(node, text)| (name(node), text)));
                }
                TaskTurn::Failed(fault) => {
                    *left = false;
                    self.faults.push((self.plan.nodes[sink.node].name.clone(), fault.to_string()));
                }
            }
        }
        busy |= self.look_at_notes(now);
        for (at, stage, slot) in std::mem::take(&mut self.restarts) {
            if at <= now {
                self.restart(now, stage, slot);
                busy = true;
            } else {
                at_most(at);
                self.restarts.push((at, stage, slot));
            }
        }
        self.collect();
        // A sink may have made room, or a turn may have filled a ring, after it was looked at.
        busy |= self.cores.iter().any(|core| core.shared.ready.any());
        (busy, next)
    }

    /// Runs to the end, moving the clock whenever nothing else is left to do. Says whether the
    /// graph ended by itself, rather than waiting for ever or passing `limit`.
    pub fn run_until(&mut self, limit: Timestamp) -> bool {
        while let Some(next) = self.settle() {
            if next > limit {
                return false;
            }
            self.clock.set(next);
        }
        self.has_ended()
    }

    /// Whether every stage and sink has ended.
    pub fn has_ended(&self) -> bool {
        self.stages_left == 0 && !self.sinks_left.contains(&true)
    }

    /// Changes a live parameter of a node.
    ///
    /// # Errors
    /// What the node says against it.
    ///
    /// # Panics
    /// If there is no such node on a data core.
    pub fn set(&mut self, node: &str, param: &str, value: impl Into<Value>) -> Result<(), String> {
        let number = self.number(node);
        let value = Spanned::new(value.into(), None);
        self.plan.check_live(number, param, &value)?;
        let mut params = self.knobs.of(&self.plan, number);
        params.set(param, value);
        // The kind's own checks, such as a frequency against the rate, count here too.
        (self.plan.nodes[number].kind.plan)(&self.plan.view(number, &params, 0))
            .map_err(|problems| problems.to_string())?;
        let (stage, _) = self.place(number);
        let params = Arc::new(params);
        self.session.cells[stage].set(number, &params).map_err(|fault| fault.to_string())?;
        self.knobs.turn(number, Arc::unwrap_or_clone(params));
        Ok(())
    }

    /// Ends all generating sources; what is inside is finished.
    pub fn drain(&mut self) {
        for commands in &self.session.commands {
            assert!(commands.send(Command::Drain).is_ok(), "a fresh command ring has room");
        }
    }

    /// Stops generating sources, or lets them go on, as [`Running::pause`](super::Running::pause).
    pub fn pause(&mut self, paused: bool) {
        for commands in &self.session.commands {
            assert!(commands.send(Command::Pause(paused)).is_ok(), "a fresh command ring has room");
        }
    }

    /// The state of a node's body.
    ///
    /// # Panics
    /// If there is no such node on a data core.
    pub fn save(&self, node: &str) -> Vec<u8> {
        let number = self.number(node);
        let (stage, slot) = self.place(number);
        self.session.cells[stage].with_stage(|stage| {
            let mut state = Vec::new();
            stage.slots[slot].save(&mut state);
            state
        })
    }

    /// Gives a node's body a saved state.
    ///
    /// # Errors
    /// If the body refuses it.
    ///
    /// # Panics
    /// If there is no such node on a data core.
    pub fn load(&mut self, node: &str, state: &[u8]) -> Result<(), Fault> {
        let number = self.number(node);
        let (stage, slot) = self.place(number);
        self.session.cells[stage].with_stage(|stage| stage.slots[slot].load(state))
    }

    /// The frames on the edge between two nodes.
    pub fn edge(&self, from: &str, to: &str) -> Option<EdgeTotals> {
        let edge = self.plan.edges.iter().position(|edge| {
            self.plan.output_label(edge.from.0, edge.from.1) == from
                && self.plan.nodes[edge.to.0].name == to
        })?;
        let mut totals = EdgeTotals::default();
        totals.add(&self.session.counts.edges[edge]);
        Some(totals)
    }

    /// The frames on every edge, with its ends.
    pub fn edges(&self) -> Vec<(String, String, EdgeTotals)> {
        let edges = self.plan.edges.iter().zip(&self.session.counts.edges);
        edges
            .map(|(edge, counts)| {
                let mut totals = EdgeTotals::default();
                totals.add(counts);
                let from = self.plan.output_label(edge.from.0, edge.from.1);
                (from, self.plan.nodes[edge.to.0].name.clone(), totals)
            })
            .collect()
    }

    /// Frames that are on each edge, in the order of [`ManualRun::edges`], counted one by one
    /// where they are: in rings, behind full ones, at joins. What the counters call in flight must
    /// be neither more nor less.
    pub fn audit(&self) -> Vec<u64> {
        (0..self.plan.edges.len()).map(|edge| self.inside(edge) as u64).collect()
    }

    fn inside(&self, edge: usize) -> usize {
        let planned = &self.plan.edges[edge];
        let (from, (to, line)) = (planned.from.0, planned.to);
        let behind = match self.plan.nodes[from].home {
            Home::Stage(stage) => self.session.cells[stage].with_stage(|stage| stage.behind(edge)),
            Home::Io => 0,
        };
        behind
            + match self.plan.nodes[to].home {
                Home::Stage(stage) => self.session.cells[stage].with_stage(|stage| {
                    let slot = stage.slot_of(to).expect("the node is in its stage");
                    stage.inside(slot, line)
                }),
                Home::Io => {
                    let sink = self.session.sinks.iter().find(|sink| sink.node == to);
                    sink.map_or(0, |sink| sink.inside(line))
                }
            }
    }

    /// Times a node's body was put in anew.
    pub fn restarts(&self, node: &str) -> u64 {
        self.session.counts.nodes[self.number(node)].restarts.value()
    }

    /// Frames a node stamped older than its own bound.
    pub fn late(&self, node: &str) -> u64 {
        self.session.counts.nodes[self.number(node)].late.value()
    }

    /// Latency at a sink.
    ///
    /// # Panics
    /// If there is no such sink.
    pub fn latency(&self, sink: &str) -> Arc<Histogram> {
        let latency = self.session.counts.latency[self.number(sink)].clone();
        latency.unwrap_or_else(|| panic!("`{sink}` is no sink"))
    }

    /// The last frame a body died on, with its node.
    pub fn last_poison(&self) -> Option<(String, Frame)> {
        let last = self.session.cells.iter().find_map(|cell| cell.poison.last());
        last.map(|(node, frame)| (self.plan.nodes[node].name.clone(), frame))
    }

    /// Follows a frame every so often from now on, as
    /// [`Running::follow`](super::Running::follow).
    pub fn follow(&mut self, every: Duration) {
        let steps = &self.session.counts.steps;
        steps.follow(Some(i64::try_from(every.as_nanos()).unwrap_or(i64::MAX)));
        steps.thin_out();
        self.collector.get_or_insert_with(|| Collector::new(&self.plan, steps));
    }

    /// What is counted.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn counts(&self) -> &crate::session::Counts {
        &self.session.counts
    }

    /// Keeps calls of bodies that take longer than this, as [`Running::tell_slow`](super::Running::tell_slow).
    pub fn tell_slow(&mut self, limit: Duration) {
        let limit_ns = i64::try_from(limit.as_nanos()).unwrap_or(i64::MAX);
        self.session.counts.steps.tell_slow(Some(limit_ns));
    }

    /// Calls that took long and have not been told yet.
    pub fn slow_calls(&mut self) -> Vec<SlowCall> {
        std::iter::from_fn(|| self.session.counts.steps.take_slow()).collect()
    }

    /// Where the time of the frames that were followed has gone.
    pub fn attribution(&mut self) -> Attribution {
        self.collect();
        self.collector.as_ref().map(Collector::attribution).unwrap_or_default()
    }

    fn collect(&mut self) {
        self.collector.iter_mut().for_each(Collector::collect);
    }

    fn number(&self, node: &str) -> usize {
        let number = self.plan.nodes.iter().position(|planned| planned.name == node);
        number.unwrap_or_else(|| panic!("the graph has no node `{node}`"))
    }

    fn place(&self, node: usize) -> (usize, usize) {
        let places = self.plan.stages.iter().enumerate();
        let mut places = places.filter_map(|(number, stage)| {
            Some((number, stage.nodes.iter().position(|&member| member == node)?))
        });
        places.next().expect("the node runs on a data core")
    }

    fn look_at_notes(&mut self, now: Timestamp) -> bool {
        let notes =
            std::mem::take(&mut *self.notes.0.lock().unwrap_or_else(PoisonError::into_inner));
        let any = !notes.is_empty();
        for (stage, event) in notes {
            match event {
                Event::Done { remarks } => {
                    self.stages_left -= 1;
                    let named =
                        |(node, text): (usize, String)| (self.plan.nodes[node].name.clone(), text);
                    self.remarks.extend(remarks.into_iter().map(named));
                }
                Event::Trouble { slot, fault } => {
                    self.trouble(now, stage, slot, &fault);
                }
            }
        }
        any
    }

    /// A body failed: its policy decides.
    fn trouble(&mut self, now: Timestamp, stage: usize, slot: usize, fault: &Fault) {
        let node = self.plan.stages[stage].nodes[slot];
        let planned = &self.plan.nodes[node];
        self.faults.push((planned.name.clone(), fault.to_string()));
        if self.fails_on_trial(now, node, fault) {
            return;
        }
        let planned = &self.plan.nodes[node];
        if planned.kind.is_source() {
            self.drain();
            return;
        }
        let fresh = || Record::new(planned.on_fault, planned.retries);
        match self.records.entry(node).or_insert_with(fresh).fault(now) {
            Verdict::Restart(at) => self.restarts.push((at, stage, slot)),
            Verdict::Bypass => self.command(stage, Command::Bypass { slot }),
            Verdict::HoldLast => self.command(stage, Command::HoldLast { slot }),
            Verdict::Stop => {
                self.command(stage, Command::Close { slot });
                self.drain();
            }
        }
    }

    /// Builds a new body for the place of the one that failed. One that cannot be built is one more
    /// fault.
    fn restart(&mut self, now: Timestamp, stage: usize, slot: usize) {
        let node = self.plan.stages[stage].nodes[slot];
        match build_body(&self.plan, node, &self.knobs.of(&self.plan, node), 0) {
            Ok(body) => self.command(stage, Command::Put { slot, body: SlotBody::of(body) }),
            Err(error) => {
                let fault = Fault::new("cannot be built again").because(error);
                self.trouble(now, stage, slot, &fault);
            }
        }
    }

    fn command(&self, stage: usize, command: Command) {
        assert!(
            self.session.commands[stage].send(command).is_ok(),
            "the driver sends few commands"
        );
    }
}
