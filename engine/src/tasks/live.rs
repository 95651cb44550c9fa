//! Sources that wait: one future each, with a watch on their silence.

use std::{
    sync::{Arc, Mutex, PoisonError, atomic::AtomicBool},
    time::Duration,
};

use tokio::sync::Notify;

use crate::{
    body::{Body, LiveSource},
    fault::Fault,
    frame::Gap,
    live::{LiveIo, LivePort, LivePorts, Progress},
    plan::Plan,
    stage::{Ends, Wiring},
    stats::NodeCounts,
    steps::Chooser,
    supervise::{Record, Verdict},
    tap::TapEnd,
    time::{Clock, Grid, Timestamp},
};

use super::{CatchUnwind, TaskWake, built_again, bury, caught};

fn live_ports(wiring: Wiring<'_>, node: usize, ends: &mut Ends) -> Vec<LivePort> {
    let planned = &wiring.plan.nodes[node];
    let measured = wiring.measured(node);
    let onlooker_at = |number: usize| {
        let output = wiring.plan.outputs_of_node(node).nth(number);
        let ends = wiring.onlooker.zip(output).map(|(look, at)| look(wiring.session, &at));
        ends.into_iter().flatten().map(TapEnd::impatient).collect()
    };
    let port = |(number, (edges, format)): (usize, (&Vec<usize>, &crate::Format))| LivePort {
        format: format.clone(),
        edges: edges
            .iter()
            .map(|&edge| {
                let sender = ends.senders[edge].take().expect("one end per edge");
                (sender, wiring.counts.edges[edge].clone())
            })
            .collect(),
        taps: onlooker_at(number),
        seq: 0,
        bound: Timestamp::MIN,
        heard: wiring.pace.start,
        gap: None,
        grid: format.as_signal().map(|signal| Grid::new(signal.rate)),
        measured: (measured == Some(number)).then(|| wiring.counts.nodes[node].clone()),
        chooser: Chooser::new(
            (u64::from(wiring.session) << 32 | (node << 8) as u64) + number as u64,
        ),
        steps: wiring.counts.steps.clone(),
    };
    planned.out_edges.iter().zip(&planned.outputs).enumerate().map(port).collect()
}

/// How far the sinks behind a node are.
fn progress(wiring: Wiring<'_>, node: usize) -> Progress {
    let plan = wiring.plan;
    let mut behind = vec![false; plan.nodes.len()];
    behind[node] = true;
    for edge in plan.nodes.iter().flat_map(|node| node.in_edges.iter()) {
        let edge = &plan.edges[*edge];
        behind[edge.to.0] |= behind[edge.from.0];
    }
    let sinks = (0..plan.nodes.len()).filter(|&n| behind[n] && plan.nodes[n].kind.is_sink());
    Progress(sinks.map(|sink| wiring.counts.nodes[sink].clone()).collect())
}

/// A body, and the plan that it was built by.
type Brought = (Box<dyn LiveSource>, Arc<Plan>);

/// Another body for a live source, on its way there.
#[derive(Default)]
pub(crate) struct Successor {
    body: Mutex<Option<Brought>>,
    is_here: Notify,
}

impl Successor {
    /// The source goes on with this body, as this plan has it.
    pub(crate) fn bring(&self, body: Box<dyn LiveSource>, plan: &Arc<Plan>) {
        let body = Some((body, plan.clone()));
        *self.body.lock().unwrap_or_else(PoisonError::into_inner) = body;
        self.is_here.notify_one();
    }
}

/// A source that waits, with the rings that lead from it.
pub(crate) struct LiveTask {
    pub(crate) node: usize,
    pub(crate) paused: Arc<AtomicBool>,
    pub(crate) ports: Arc<LivePorts>,
    /// Ends the source as if its device had.
    pub(crate) stop: Arc<Notify>,
    pub(crate) successor: Arc<Successor>,
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
            tag: 0,
            paused: paused.clone(),
            wake,
            losses: wiring.counts.losses.clone(),
            progress: progress(wiring, node),
            flushes: wiring
                .plan
                .root_number(node)
                .map(|root| (wiring.counts.flushes.clone(), root)),
            epoch: 0,
        };
        Self {
            node,
            paused,
            ports,
            stop: Arc::default(),
            successor: Arc::default(),
            plan: wiring.plan.clone(),
            session: wiring.session,
            body: Some(body),
            io,
            counts: wiring.counts.nodes[node].clone(),
            record: Record::new(planned.on_fault, planned.retries),
        }
    }

    /// Runs the source, rebuilding it when it fails, until it ends or is given up; gives what it has to say
    /// at its end.
    pub(crate) async fn run(mut self) -> Result<Vec<(usize, String)>, Fault> {
        let stop = self.stop.clone();
        let idle_ns = self.plan.nodes[self.node].idle_ns;
        let (ports, clock) = (self.ports.clone(), self.io.clock.clone());
        let patience = self.body.as_ref().and_then(|body| body.ends_within());
        let stopped = async {
            stop.notified().await;
            if let Some(patience) = patience {
                tokio::time::sleep(patience).await;
            }
        };
        let outcome = tokio::select! {
            biased;
            // Dropping the body at an `.await` is part of its contract.
            () = stopped => Ok(()),
            outcome = CatchUnwind::new(self.run_on()) => outcome,
            () = raise_when_idle(&ports, &clock, idle_ns) => unreachable!("runs for ever"),
        };
        let remarks = self.remarks();
        // It lets go of its device before its stream ends.
        bury(self.body.take());
        self.ports.end();
        outcome.map(|()| remarks)
    }

    fn remarks(&self) -> Vec<(usize, String)> {
        let remark = self.body.as_ref().map(|body| caught(|| Ok(body.remark())));
        remark.and_then(Result::ok).flatten().map(|text| (self.node, text)).into_iter().collect()
    }

    async fn run_on(&mut self) -> Result<(), Fault> {
        loop {
            let body = self.body.as_mut().expect("one was put in");
            let io = &mut self.io;
            let successor = self.successor.clone();
            let outcome = tokio::select! {
                biased;
                () = successor.is_here.notified() => None,
                outcome = CatchUnwind::new(async { body.run(io).await }) => Some(outcome),
            };
            let fault = match outcome {
                Some(Ok(())) => return Ok(()),
                Some(Err(fault)) => fault,
                None => {
                    self.succeed();
                    continue;
                }
            };
            // It lets go of its device before the next one asks for it.
            bury(self.body.take());
            self.body = Some(self.successor(fault).await?);
            self.counts.restarts.add(1);
            self.io.gap(Gap::Restart);
        }
    }

    /// Goes on with the body that was brought.
    fn succeed(&mut self) {
        let brought = self.successor.body.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((body, plan)) = brought else { return };
        // It lets go of its device before the next one asks for it.
        bury(self.body.take());
        let planned = &plan.nodes[self.node];
        self.record = Record::new(planned.on_fault, planned.retries);
        (self.body, self.plan) = (Some(body), plan);
        self.io.gap(Gap::Restart);
    }

    /// A new body after the pause its policy sets. One that cannot be built is one more fault: the
    /// device may be there again after a while.
    async fn successor(&mut self, mut fault: Fault) -> Result<Box<dyn LiveSource>, Fault> {
        loop {
            let now = self.io.clock.now();
            let Verdict::Restart(at) = self.record.fault(now) else { return Err(fault) };
            tokio::time::sleep(Duration::from_nanos(at.since(now) as u64)).await;
            fault = match built_again(&self.plan, self.node, self.session) {
                Ok(Body::Live(body)) => return Ok(body),
                Ok(_) => Fault::new("the kind built another sort of body"),
                Err(fault) => fault,
            };
        }
    }
}

/// Lets the clock raise the bound of every port that has been silent for `idle_ns`, however often
/// its body is put in anew meanwhile.
async fn raise_when_idle(ports: &LivePorts, clock: &Clock, idle_ns: Option<i64>) {
    let Some(idle_ns) = idle_ns else { return std::future::pending().await };
    let step = Duration::from_nanos((idle_ns / 4).max(1_000_000) as u64);
    loop {
        tokio::time::sleep(step).await;
        ports.raise_silent(clock.now(), idle_ns);
    }
}
