//! Sinks that wait: a turn takes what is there.

mod faults;
mod stepping;
mod void;

use std::{collections::VecDeque, sync::Arc, task::Waker};

use crate::{
    align::{Aligner, Released},
    body::Sink,
    fault::Fault,
    frame::{Frame, Gap},
    plan::Plan,
    ring::Receiver,
    stage::{Ends, Wiring, pick},
    stats::{EdgeCounts, Histogram, NodeCounts},
    steps::StepKind,
    supervise::Record,
    time::{Clock, Grid, Timestamp},
};

use super::{TaskWake, bury, caught, take_receivers};

use faults::lost_to;
use stepping::Stepping;
use void::Void;

/// What a sink's turn leaves behind.
#[derive(Debug)]
pub(crate) enum TaskTurn {
    /// More is waiting.
    More,
    /// Nothing to do until woken.
    Idle,
    /// Nothing to do before this moment of the clock.
    Until(Timestamp),
    /// Everything has been taken out.
    Done,
    /// It cannot go on and will not be rebuilt.
    Failed(Fault),
}

/// Frames one turn takes at most.
const FRAMES_PER_TURN: usize = 256;

/// How far the bound of a sink behind a link rises before that is looked at, where no frame comes: the
/// other host keeps so much more.
const REACHED_NS: i64 = 100_000_000;

/// A sink with the rings that lead to it.
pub(crate) struct SinkTask {
    pub(crate) node: usize,
    pub(crate) wake: Arc<TaskWake>,
    /// The same for the sink, which uses it when it has room again.
    waker: Waker,
    plan: Arc<Plan>,
    session: u32,
    sink: Option<Box<dyn Sink>>,
    /// The sink wants to be told of bounds.
    tells_bounds: bool,
    /// How far a bound must rise to be worth a turn of its own.
    bound_step_ns: Option<i64>,
    /// The sink has no room; it will wake us.
    is_held: bool,
    rings: Vec<Receiver>,
    grids: Vec<Option<Grid>>,
    picks: Vec<Option<Arc<[u16]>>>,
    bounds: Vec<Timestamp>,
    aligner: Option<Aligner>,
    edges: Vec<Arc<EdgeCounts>>,
    counts: Arc<NodeCounts>,
    latency: Option<Arc<Histogram>>,
    clock: Clock,
    record: Record,
    /// What came through rings that were replaced while there was no body to take it, or that a flush
    /// has emptied.
    kept: VecDeque<(usize, Frame)>,
    void: Void,
    state: State,
    stepping: Stepping,
    /// Frames one turn takes at most.
    pub(crate) per_turn: usize,
}

/// Where a sink stands.
enum State {
    /// It takes frames.
    Takes,
    /// Its body failed; not before this moment is a new one put in.
    Rests(Timestamp),
    /// It failed too often and is done without: `on_fault` says that the rest goes on.
    Idles,
    /// Its last body failed for good, and nobody has been told.
    Failed(Fault),
    /// Nothing will be taken any more; what comes all the same is dropped for this reason.
    Over(Gap),
}

impl SinkTask {
    pub(crate) fn new(
        wiring: Wiring<'_>,
        node: usize,
        sink: Box<dyn Sink>,
        ends: &mut Ends,
        wake: Arc<TaskWake>,
    ) -> Self {
        let planned = &wiring.plan.nodes[node];
        let edges = || planned.in_edges.iter().map(|&edge| &wiring.plan.edges[edge]);
        let channels = edges().map(|edge| edge.format.as_signal().map_or(1, |s| s.channels.len()));
        let channels = channels.collect();
        Self {
            node,
            waker: Waker::from(wake.clone()),
            wake,
            plan: wiring.plan.clone(),
            session: wiring.session,
            tells_bounds: sink.wants_bounds().is_some(),
            bound_step_ns: sink.wants_bounds().or(planned.tells_reached.then_some(REACHED_NS)),
            is_held: false,
            sink: Some(sink),
            rings: take_receivers(wiring.plan, node, ends),
            grids: edges().map(|e| e.format.as_signal().map(|s| Grid::new(s.rate))).collect(),
            picks: edges().map(|edge| edge.pick.clone()).collect(),
            bounds: vec![Timestamp::MIN; planned.in_edges.len()],
            aligner: planned
                .align
                .filter(|spec| spec.waits(wiring.pace.speed.is_some()))
                .map(|spec| Aligner::new(spec, channels)),
            edges: planned.in_edges.iter().map(|&e| wiring.counts.edges[e].clone()).collect(),
            counts: wiring.counts.nodes[node].clone(),
            latency: wiring.counts.latency[node].clone(),
            clock: wiring.clock.clone(),
            record: Record::new(planned.on_fault, planned.retries),
            kept: VecDeque::new(),
            void: Void::new(wiring, node),
            state: State::Takes,
            stepping: Stepping::new(wiring, node),
            per_turn: FRAMES_PER_TURN,
        }
    }

    /// Takes a new ring in the place of one whose producer was given up. What came through is
    /// taken first; what else had been `admitted` was not passed on, is lost, and counted here.
    pub(crate) fn rewire(&mut self, line: usize, mut ring: Receiver, admitted: u64) {
        match self.state {
            State::Takes | State::Idles => {
                if let Err(fault) = caught(|| self.drain(&mut { usize::MAX })) {
                    self.failed(fault);
                }
            }
            State::Rests(_) | State::Failed(_) | State::Over(_) => {}
        }
        match &self.state {
            // The body was not there, died in between, or has no room: what is left is taken later.
            State::Takes | State::Idles if !self.is_held => {}
            State::Rests(_) | State::Takes | State::Idles => {
                while let Some(frame) = self.rings[line].pop() {
                    self.keep(line, frame);
                }
            }
            State::Failed(fault) => ring.abandon(lost_to(fault)),
            State::Over(reason) => ring.abandon(*reason),
        }
        self.rings[line] = ring;
        let held = self.aligner.as_ref().map_or(0, |aligner| aligner.waiting(line));
        let kept = self.kept.iter().filter(|(kept_line, _)| *kept_line == line).count();
        self.edges[line].lost(admitted, (held + kept) as u64);
    }

    /// Goes on with another body, as `plan` has it; what the other has taken is finished. Gives what that has
    /// to say.
    ///
    /// # Errors
    /// If it cannot be finished. The new one is put in all the same.
    pub(crate) fn succeed(
        &mut self,
        sink: Box<dyn Sink>,
        plan: &Arc<Plan>,
    ) -> Result<Vec<(usize, String)>, Fault> {
        if matches!(self.state, State::Failed(_) | State::Over(_)) {
            return Ok(Vec::new());
        }
        let finished = self.sink.as_mut().map_or(Ok(()), |old| caught(|| old.finish()));
        let remarks = self.remarks();
        bury(self.sink.take());
        let planned = &plan.nodes[self.node];
        self.record = Record::new(planned.on_fault, planned.retries);
        self.tells_bounds = sink.wants_bounds().is_some();
        self.bound_step_ns = sink.wants_bounds().or(planned.tells_reached.then_some(REACHED_NS));
        (self.sink, self.plan) = (Some(sink), plan.clone());
        (self.state, self.is_held) = (State::Takes, false);
        finished.map(|()| remarks)
    }

    /// Frames of a line that are in its ring, kept, or waiting to be joined, counted one by one.
    pub(crate) fn inside(&self, line: usize) -> usize {
        let kept = self.kept.iter().filter(|(kept_line, _)| *kept_line == line).count();
        let held = self.aligner.as_ref().map_or(0, |aligner| aligner.waiting(line));
        self.rings[line].len() + kept + held
    }

    /// What the sink has to say once it has taken everything, by node.
    pub(crate) fn remarks(&self) -> Vec<(usize, String)> {
        let remark = self.sink.as_ref().map(|sink| caught(|| Ok(sink.remark())));
        // A body that cannot say what it counted does not undo what it took.
        remark
            .and_then(Result::ok)
            .flatten()
            .map(|remark| (self.node, remark))
            .into_iter()
            .collect()
    }

    /// The clock the sink runs on.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Takes what is there. Body panics and faults are handled here: it may build, it may wait.
    pub(crate) fn turn(&mut self) -> TaskTurn {
        self.stepping.begin_turn(&self.clock);
        self.drop_void();
        if let State::Rests(at) = self.state {
            if self.clock.now() < at {
                return TaskTurn::Until(at);
            }
            self.state = State::Takes;
            if let Err(fault) = self.rebuild() {
                self.failed(fault);
            }
        }
        let mut left = self.per_turn;
        if matches!(self.state, State::Takes | State::Idles) {
            let outcome = caught(|| self.drain(&mut left));
            for ring in &mut self.rings {
                ring.release();
            }
            if let Err(fault) = outcome {
                self.failed(fault);
            }
        }
        match std::mem::replace(&mut self.state, State::Idles) {
            State::Failed(fault) => {
                self.state = State::Over(lost_to(&fault));
                TaskTurn::Failed(fault)
            }
            State::Over(reason) => {
                self.state = State::Over(reason);
                TaskTurn::Done
            }
            State::Rests(at) => {
                self.state = State::Rests(at);
                TaskTurn::Until(at)
            }
            state => {
                self.state = state;
                self.stepping.end_turn(left > 0);
                match left {
                    _ if self.is_held => TaskTurn::Idle,
                    0 => TaskTurn::More,
                    _ => self.rest(),
                }
            }
        }
    }

    /// Says what to wait for; `More` if it came meanwhile.
    fn rest(&mut self) -> TaskTurn {
        let wanted = self.aligner.as_ref().and_then(|aligner| aligner.wanted(&self.bounds));
        for (line, ring) in self.rings.iter().enumerate() {
            let bound = match wanted {
                Some((wanted_line, bound)) if wanted_line == line => bound,
                _ => self
                    .bound_step_ns
                    .map_or(Timestamp::MAX, |step_ns| self.bounds[line].plus_nanos(step_ns.max(1))),
            };
            if ring.want(bound) {
                return TaskTurn::More;
            }
        }
        TaskTurn::Idle
    }

    /// Whether the sink takes a frame now.
    fn has_room(&mut self) -> bool {
        self.is_held = self.sink.as_mut().is_some_and(|sink| !sink.has_room(&self.waker));
        !self.is_held
    }

    fn drain(&mut self, left: &mut usize) -> Result<(), Fault> {
        self.flush_body()?;
        self.take_kept(left)?;
        if *left == 0 || self.is_held {
            return self.pause();
        }
        for line in 0..self.rings.len() {
            // Read before draining: what it covers is in the ring by now.
            let bound = self.rings[line].bound();
            while self.has_room()
                && let Some(frame) = self.rings[line].pop()
            {
                *left -= 1;
                if self.stepping.is_on() {
                    self.rings[line].count();
                    self.stepping.taken(&frame.header, &self.clock);
                }
                match self.not_void(line, frame)? {
                    Some(frame) => self.let_in(line, frame)?,
                    None => self.take_kept(left)?,
                }
                if *left == 0 {
                    return Ok(());
                }
            }
            if self.is_held {
                return self.pause();
            }
            self.raise(line, bound)?;
        }
        self.join()?;
        let ended = self.bounds.iter().all(|&bound| bound == Timestamp::MAX);
        if ended {
            // First, so that a fault of `finish` finds it over: no other body has what this one
            // did not write.
            self.state = State::Over(Gap::Closed);
        }
        match &mut self.sink {
            Some(sink) if ended => sink.finish(),
            Some(sink) => sink.idle(),
            None => Ok(()),
        }?;
        // Only what is written out has been reached.
        let reached = self.bounds.iter().min().copied();
        self.counts.reached.raise(reached.unwrap_or(Timestamp::MIN));
        Ok(())
    }

    /// Takes what came before what is in the rings.
    fn take_kept(&mut self, left: &mut usize) -> Result<(), Fault> {
        while *left > 0
            && self.has_room()
            && let Some((line, frame)) = self.kept.pop_front()
        {
            *left -= 1;
            self.let_in(line, frame)?;
        }
        Ok(())
    }

    /// What was taken is passed on while the sink has no room for more.
    fn pause(&mut self) -> Result<(), Fault> {
        match &mut self.sink {
            Some(sink) if self.is_held => sink.idle(),
            _ => Ok(()),
        }
    }

    fn raise(&mut self, line: usize, bound: Timestamp) -> Result<(), Fault> {
        let told = self.bounds[line];
        self.bounds[line] = told.max(bound);
        match &mut self.sink {
            // The end is told by `finish`.
            Some(sink) if self.tells_bounds && bound < Timestamp::MAX => {
                if bound > Timestamp::MIN {
                    sink.bound(line, bound)
                } else {
                    Ok(())
                }
            }
            _ => Ok(()),
        }
    }

    fn let_in(&mut self, line: usize, mut frame: Frame) -> Result<(), Fault> {
        if let Some(pick_from) = &self.picks[line] {
            pick(&mut frame, pick_from);
        }
        self.bounds[line] = self.bounds[line].max(frame.header.time);
        let Some(aligner) = &mut self.aligner else { return self.take(line, &frame) };
        if let Some(grid) = &mut self.grids[line] {
            grid.enter(frame.header.time, frame.buffer().count());
        }
        self.stepping.held(line, &frame.header, &self.clock);
        if let Some(late) = aligner.enter(line, frame, self.grids[line].as_ref()) {
            self.edges[line].lose(Gap::Late, &late.header);
        }
        Ok(())
    }

    fn join(&mut self) -> Result<(), Fault> {
        while let Some(aligner) = &mut self.aligner {
            match aligner.release(&self.bounds, &mut []) {
                Some(Released::One(line, frame, _)) => self.take(line, &frame)?,
                Some(Released::Together(_)) => unreachable!("sinks merge"),
                None => return Ok(()),
            }
        }
        Ok(())
    }

    fn take(&mut self, line: usize, frame: &Frame) -> Result<(), Fault> {
        let Some(sink) = &mut self.sink else {
            self.edges[line].lose(Gap::Poison, &frame.header);
            return Ok(());
        };
        let began = self.stepping.begins(&frame.header, &self.clock);
        let taken = caught(|| sink.take(line, frame));
        match &taken {
            Ok(()) => {
                if let Some(latency) = &self.latency {
                    let ended = self.clock.now();
                    latency.record(ended.since(frame.header.entered));
                    if let Some(began) = began {
                        let kind = StepKind::Sink;
                        self.stepping.put(kind, line, &frame.header, (began, ended));
                    }
                }
                self.edges[line].taken.add(1);
            }
            Err(fault) => {
                let reason = lost_to(fault);
                self.counts.poison.add(u64::from(reason == Gap::Poison));
                self.edges[line].lose(reason, &frame.header);
            }
        }
        taken
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
