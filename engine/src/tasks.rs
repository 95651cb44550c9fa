//! Bodies that wait: sinks, live sources and calls, each a task of the I/O runtime.
//!
//! [`SinkTask::turn`] is plain, like a core's turn, so whole graphs can be
//! driven by hand; the actors around the tasks (see `run`) repeat it.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, atomic::AtomicBool},
};

use tokio::{sync::Notify, task::JoinHandle};

use crate::{
    align::{Aligner, Released},
    body::{Body, LiveSource, Sink},
    call::Call,
    fault::{Fault, FaultClass},
    frame::{Frame, Gap, Header},
    live::{LiveIo, LivePort, LivePorts},
    plan::Plan,
    ring::{Receiver, Sender, Wake},
    stage::{Ends, Wiring, build_body, pick},
    stats::{EdgeCounts, Histogram, NodeCounts},
    supervise::{Record, Verdict},
    time::{Clock, Grid, Timestamp},
};

/// Wakes a task of the I/O runtime.
#[derive(Default)]
pub(crate) struct TaskWake(pub(crate) Notify);

impl Wake for TaskWake {
    fn wake(&self) {
        self.0.notify_one();
    }
}

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

/// A sink with the rings that lead to it.
pub(crate) struct SinkTask {
    pub(crate) node: usize,
    pub(crate) wake: Arc<TaskWake>,
    plan: Arc<Plan>,
    session: u32,
    sink: Option<Box<dyn Sink>>,
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
    /// Not before this moment is a new body put in.
    rebuild_at: Option<Timestamp>,
    finished: bool,
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
            wake,
            plan: wiring.plan.clone(),
            session: wiring.session,
            sink: Some(sink),
            rings: take_receivers(wiring.plan, node, ends),
            grids: edges().map(|e| e.format.as_signal().map(|s| Grid::new(s.rate))).collect(),
            picks: edges().map(|edge| edge.pick.clone()).collect(),
            bounds: vec![Timestamp::MIN; planned.in_edges.len()],
            aligner: planned.align.map(|spec| Aligner::new(spec, channels)),
            edges: planned.in_edges.iter().map(|&e| wiring.counts.edges[e].clone()).collect(),
            counts: wiring.counts.nodes[node].clone(),
            latency: wiring.counts.latency[node].clone(),
            clock: wiring.clock.clone(),
            record: Record::new(planned.on_fault, planned.retries),
            rebuild_at: None,
            finished: false,
        }
    }

    /// Takes a new ring in the place of one whose producer was given up. What came through is
    /// taken first; what had not been passed on is lost and counted here.
    pub(crate) fn rewire(&mut self, line: usize, ring: Receiver) {
        let mut left = usize::MAX;
        let outcome = catch_unwind(AssertUnwindSafe(|| self.drain(&mut left)));
        if let Ok(Err(fault)) = outcome {
            let _ = self.failed(fault);
        }
        self.rings[line] = ring;
        let held = self.aligner.as_ref().map_or(0, |aligner| aligner.waiting(line)) as u64;
        let counts = &self.edges[line];
        counts.dropped(Gap::Wedged, counts.in_flight().saturating_sub(held));
    }

    /// The clock the sink runs on.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Takes what is there. Body panics and faults are handled here: it may build, it may wait.
    pub(crate) fn turn(&mut self) -> TaskTurn {
        if self.finished {
            return TaskTurn::Done;
        }
        if let Some(at) = self.rebuild_at {
            if self.clock.now() < at {
                return TaskTurn::Until(at);
            }
            self.rebuild_at = None;
            if let Err(fault) = self.rebuild() {
                return self.failed(fault);
            }
        }
        let mut left = FRAMES_PER_TURN;
        let outcome = catch_unwind(AssertUnwindSafe(|| self.drain(&mut left)));
        for ring in &mut self.rings {
            ring.release();
        }
        match outcome {
            Ok(Ok(())) if left == 0 => TaskTurn::More,
            Ok(Ok(())) if self.finished => TaskTurn::Done,
            Ok(Ok(())) => self.rest(),
            Ok(Err(fault)) => self.failed(fault),
            Err(payload) => self.failed(Fault::panic(payload.as_ref())),
        }
    }

    /// Says what to wait for; `More` if it came meanwhile.
    fn rest(&mut self) -> TaskTurn {
        let wanted = self.aligner.as_ref().and_then(|aligner| aligner.wanted(&self.bounds));
        for (line, ring) in self.rings.iter().enumerate() {
            let bound = match wanted {
                Some((wanted_line, bound)) if wanted_line == line => bound,
                _ => Timestamp::MAX,
            };
            if ring.want(bound) {
                return TaskTurn::More;
            }
        }
        TaskTurn::Idle
    }

    fn drain(&mut self, left: &mut usize) -> Result<(), Fault> {
        for line in 0..self.rings.len() {
            // Read before draining: what it covers is in the ring by now.
            let bound = self.rings[line].bound();
            while let Some(mut frame) = self.rings[line].pop() {
                if let Some(pick_from) = &self.picks[line] {
                    pick(&mut frame, pick_from);
                }
                self.bounds[line] = self.bounds[line].max(frame.header.time);
                self.enter(line, frame)?;
                *left -= 1;
                if *left == 0 {
                    return Ok(());
                }
            }
            self.bounds[line] = self.bounds[line].max(bound);
        }
        self.join()?;
        let sink = self.sink.as_mut().expect("a sink stands here while it drains");
        if self.bounds.iter().all(|&bound| bound == Timestamp::MAX) {
            self.finished = true;
            return sink.finish();
        }
        sink.idle()
    }

    fn enter(&mut self, line: usize, frame: Frame) -> Result<(), Fault> {
        let Some(aligner) = &mut self.aligner else { return self.take(line, &frame) };
        if let Some(grid) = &mut self.grids[line] {
            grid.enter(frame.header.time, frame.buffer().count());
        }
        if aligner.enter(line, frame, self.grids[line].as_ref()).is_some() {
            self.edges[line].dropped(Gap::Late, 1);
        }
        Ok(())
    }

    fn join(&mut self) -> Result<(), Fault> {
        while let Some(aligner) = &mut self.aligner {
            match aligner.release(&self.bounds, &mut []) {
                Some(Released::One(line, frame)) => self.take(line, &frame)?,
                Some(Released::Together) => unreachable!("sinks merge"),
                None => return Ok(()),
            }
        }
        Ok(())
    }

    fn take(&mut self, line: usize, frame: &Frame) -> Result<(), Fault> {
        let sink = self.sink.as_mut().expect("a sink stands here while it drains");
        // Counted as poison first and as taken if it comes back: a panic leaves by another way.
        let taken = catch_unwind(AssertUnwindSafe(|| sink.take(line, frame)));
        match taken {
            Ok(Ok(())) => {
                if let Some(latency) = &self.latency {
                    latency.record(self.clock.now().since(frame.header.entered));
                }
                self.edges[line].taken.add(1);
                Ok(())
            }
            Ok(Err(fault)) => {
                self.poisoned(line);
                Err(fault)
            }
            Err(payload) => {
                self.poisoned(line);
                Err(Fault::panic(payload.as_ref()))
            }
        }
    }

    fn poisoned(&self, line: usize) {
        self.counts.poison.add(1);
        self.edges[line].dropped(Gap::Poison, 1);
    }

    fn failed(&mut self, fault: Fault) -> TaskTurn {
        self.sink = None;
        let verdict = match fault.class() {
            // A full disk or a closed pipe is not mended by another body, and opening
            // the file again would destroy what was written.
            FaultClass::Io | FaultClass::Closed => Verdict::Stop,
            FaultClass::Body | FaultClass::Panic => self.record.fault(self.clock.now()),
        };
        if let Verdict::Restart(at) = verdict {
            self.rebuild_at = Some(at);
            return TaskTurn::Until(at);
        }
        self.finished = true;
        for ring in &mut self.rings {
            ring.abandon(Gap::Poison);
        }
        TaskTurn::Failed(fault)
    }

    fn rebuild(&mut self) -> Result<(), Fault> {
        match build_body(&self.plan, self.node, self.session) {
            Ok(Body::Sink(sink)) => {
                self.counts.restarts.add(1);
                self.sink = Some(sink);
                Ok(())
            }
            Ok(_) => Err(Fault::new("the kind built another sort of body")),
            Err(error) => Err(Fault::new("cannot be built again").because(error)),
        }
    }
}

fn take_receivers(plan: &Plan, node: usize, ends: &mut Ends) -> Vec<Receiver> {
    let edges = plan.nodes[node].in_edges.iter();
    edges.map(|&edge| ends.receivers[edge].take().expect("one end per edge")).collect()
}

fn live_ports(wiring: Wiring<'_>, node: usize, ends: &mut Ends) -> Vec<LivePort> {
    let planned = &wiring.plan.nodes[node];
    let port = |(edges, format): (&Vec<usize>, &crate::Format)| LivePort {
        format: format.clone(),
        edges: edges
            .iter()
            .map(|&edge| {
                let sender = ends.senders[edge].take().expect("one end per edge");
                (sender, wiring.counts.edges[edge].clone())
            })
            .collect(),
        seq: 0,
        bound: Timestamp::MIN,
        grid: format.as_signal().map(|signal| Grid::new(signal.rate)),
    };
    planned.out_edges.iter().zip(&planned.outputs).map(port).collect()
}

/// A source that waits, with the rings that lead from it.
pub(crate) struct LiveTask {
    pub(crate) node: usize,
    pub(crate) paused: Arc<AtomicBool>,
    pub(crate) ports: Arc<LivePorts>,
    /// Ends the source as if its device had.
    pub(crate) stop: Arc<Notify>,
    plan: Arc<Plan>,
    session: u32,
    body: Option<Box<dyn LiveSource>>,
    io: LiveIo,
    counts: Arc<NodeCounts>,
    record: Record,
}

impl LiveTask {
    pub(crate) fn new(
        wiring: Wiring<'_>,
        node: usize,
        body: Box<dyn LiveSource>,
        ends: &mut Ends,
        wake: Arc<TaskWake>,
    ) -> Self {
        let planned = &wiring.plan.nodes[node];
        let ports = Arc::new(LivePorts(Mutex::new(live_ports(wiring, node, ends))));
        let paused = Arc::new(AtomicBool::new(false));
        let io = LiveIo {
            ports: ports.clone(),
            clock: wiring.clock.clone(),
            start: wiring.pace.start,
            source: planned.source,
            gap: None,
            tag: 0,
            paused: paused.clone(),
            wake,
        };
        Self {
            node,
            paused,
            ports,
            stop: Arc::default(),
            plan: wiring.plan.clone(),
            session: wiring.session,
            body: Some(body),
            io,
            counts: wiring.counts.nodes[node].clone(),
            record: Record::new(planned.on_fault, planned.retries),
        }
    }

    /// Runs the source, rebuilding it when it fails, until it ends or is given up.
    pub(crate) async fn run(mut self) -> Result<(), Fault> {
        let stop = self.stop.clone();
        let outcome = tokio::select! {
            biased;
            // Dropping the body at an `.await` is part of its contract.
            () = stop.notified() => Ok(()),
            outcome = self.run_on() => outcome,
        };
        self.ports.end();
        outcome
    }

    async fn run_on(&mut self) -> Result<(), Fault> {
        let idle_ns = self.plan.nodes[self.node].idle_ns;
        loop {
            let mut body = self.body.take().expect("there is a body at the loop's top");
            let outcome = {
                let running = CatchUnwind(body.run(&mut self.io));
                tokio::select! {
                    outcome = running => outcome,
                    () = raise_when_idle(self.ports.clone(), idle_ns) => unreachable!("runs for ever"),
                }
            };
            let fault = match outcome {
                Ok(()) => return Ok(()),
                Err(fault) => fault,
            };
            match self.record.fault(self.io.clock.now()) {
                Verdict::Restart(at) => {
                    let left = at.since(self.io.clock.now()).max(0) as u64;
                    tokio::time::sleep(std::time::Duration::from_nanos(left)).await;
                }
                _ => return Err(fault),
            }
            match build_body(&self.plan, self.node, self.session) {
                Ok(Body::Live(body)) => {
                    self.counts.restarts.add(1);
                    self.io.gap(Gap::Restart);
                    self.body = Some(body);
                }
                _ => return Err(fault),
            }
        }
    }
}

/// Lets the clock raise the bounds of a source that has been silent for `idle_ns`.
async fn raise_when_idle(ports: Arc<LivePorts>, idle_ns: Option<i64>) {
    let Some(idle_ns) = idle_ns else { return std::future::pending().await };
    let step = std::time::Duration::from_nanos((idle_ns / 4).max(1_000_000) as u64);
    let (mut known, mut silent_ns) = (ports.bound(), 0);
    loop {
        tokio::time::sleep(step).await;
        let bound = ports.bound();
        if bound != known {
            (known, silent_ns) = (bound, 0);
            continue;
        }
        silent_ns += step.as_nanos() as i64;
        if silent_ns >= idle_ns && known > Timestamp::MIN {
            ports.raise(known.plus_nanos(step.as_nanos() as i64));
            known = ports.bound();
        }
    }
}

/// Turns a panic of a future into a fault.
struct CatchUnwind<'a>(crate::body::Waiting<'a>);

impl Future for CatchUnwind<'_> {
    type Output = Result<(), Fault>;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(context)))
            .unwrap_or_else(|payload| std::task::Poll::Ready(Err(Fault::panic(payload.as_ref()))))
    }
}

/// A call with the ring that leads to it and those that lead from it.
pub(crate) struct CallTask {
    pub(crate) node: usize,
    pub(crate) wake: Arc<TaskWake>,
    call: Box<dyn Call>,
    ring: Receiver,
    edge: Arc<EdgeCounts>,
    pick: Option<Arc<[u16]>>,
    out: Vec<(Sender, Arc<EdgeCounts>)>,
    seq: u64,
    /// Why the next answer follows missing ones.
    gap: Option<Gap>,
    open: VecDeque<Question>,
}

struct Question {
    frame: Frame,
    /// Comes at the deadline at the latest, which counts from when it was asked.
    answer: JoinHandle<Result<Frame, Fault>>,
}

impl Drop for Question {
    fn drop(&mut self) {
        self.answer.abort();
    }
}

impl CallTask {
    pub(crate) fn new(
        wiring: Wiring<'_>,
        node: usize,
        call: Box<dyn Call>,
        ends: &mut Ends,
        wake: Arc<TaskWake>,
    ) -> Self {
        let planned = &wiring.plan.nodes[node];
        let out = planned.out_edges.iter().flatten();
        let out = out.map(|&edge| {
            let sender = ends.senders[edge].take().expect("one end per edge");
            (sender, wiring.counts.edges[edge].clone())
        });
        let out = out.collect();
        Self {
            node,
            wake,
            call,
            ring: take_receivers(wiring.plan, node, ends).pop().expect("a call has one input"),
            edge: wiring.counts.edges[planned.in_edges[0]].clone(),
            pick: wiring.plan.edges[planned.in_edges[0]].pick.clone(),
            out,
            seq: 0,
            gap: None,
            open: VecDeque::new(),
        }
    }

    /// Asks and answers in order until the input ends.
    pub(crate) async fn run(mut self) -> Result<(), Fault> {
        loop {
            let bound = self.ring.bound();
            self.ask()?;
            let Some(mut question) = self.open.pop_front() else {
                self.publish(bound);
                if bound == Timestamp::MAX {
                    return Ok(());
                }
                if !self.ring.want(bound.plus_nanos(1)) {
                    self.wake.0.notified().await;
                }
                continue;
            };
            // The oldest open question is the bound behind the call.
            self.publish(question.frame.header.time);
            let header = question.frame.header;
            let answered = match (&mut question.answer).await {
                Ok(Ok(answer)) => Some(answer),
                _ => self.call.fallback(&question.frame),
            };
            match answered {
                Some(answer) => {
                    self.edge.taken.add(1);
                    self.send(header, answer).await;
                }
                None => {
                    self.edge.dropped(Gap::Late, 1);
                    self.gap = self.gap.or(header.gap).or(Some(Gap::Late));
                }
            }
        }
    }

    fn ask(&mut self) -> Result<(), Fault> {
        while self.open.len() < self.call.in_flight().max(1) {
            let Some(mut frame) = self.ring.pop() else { break };
            if let Some(pick_from) = &self.pick {
                pick(&mut frame, pick_from);
            }
            let answer = in_time(self.call.ask(frame.clone())?, self.call.deadline());
            let answer = tokio::spawn(answer);
            self.open.push_back(Question { frame, answer });
        }
        self.ring.release();
        Ok(())
    }

    async fn send(&mut self, question: Header, answer: Frame) {
        let gap = self.gap.take().or(question.gap);
        let header = Header { seq: self.seq, gap, ..question };
        self.seq += 1;
        let (_, buffer) = answer.into_parts();
        for (sender, counts) in &mut self.out {
            counts.sent.add(1);
            let mut frame = Frame::new(header, buffer.clone());
            while let Err(back) = sender.push(frame) {
                frame = back;
                sender.publish(header.time);
                if !sender.wait_for_room() {
                    self.wake.0.notified().await;
                }
            }
            sender.publish(header.time);
        }
    }

    fn publish(&mut self, bound: Timestamp) {
        for (sender, _) in &mut self.out {
            sender.publish(bound);
        }
    }
}

async fn in_time(
    answer: crate::call::Answer,
    deadline: Option<std::time::Duration>,
) -> Result<Frame, Fault> {
    match deadline {
        None => answer.await,
        Some(deadline) => tokio::time::timeout(deadline, answer)
            .await
            .unwrap_or_else(|_| Err(Fault::new("the answer did not come in time"))),
    }
}

/// Whether a sink's fault ends the run without blame.
pub(crate) fn is_closed(fault: &Fault) -> bool {
    fault.class() == FaultClass::Closed
}
