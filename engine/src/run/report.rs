//! What a run has counted: the ledger of every edge, the work of every node, latency at sinks.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
};

use crate::{
    cell::Cell,
    frame::{Frame, Gap},
    kind::Policy,
    plan::{Plan, PlanNode},
    session::{Counts, EdgeTotals},
    stats::{Histogram, NodeCounts, StageState},
    time::{Rate, Timestamp},
};

use super::Shared;

/// Remarks of bodies that are kept; a thousand sessions of one file say one thing.
const REMARKS_MAX: usize = 32;

/// The counts of sessions, open and closed.
pub(crate) struct Sessions {
    open: BTreeMap<u32, (Vec<Arc<Cell>>, Arc<Counts>)>,
    opened: u64,
    closed_edges: Vec<EdgeTotals>,
    closed_nodes: Vec<NodeTotals>,
    last_poison: Option<(usize, Frame)>,
    remarks: Vec<(usize, String)>,
    last_faults: BTreeMap<usize, LastFault>,
}

#[derive(Clone, Copy, Default)]
pub(crate) struct NodeTotals {
    restarts: u64,
    poison: u64,
    timed: u64,
    timed_ns: u64,
    timed_frames: u64,
    late: u64,
    samples: u64,
    gaps: u64,
}

impl NodeTotals {
    pub(crate) fn add(&mut self, counts: &NodeCounts) {
        self.restarts += counts.restarts.value();
        self.poison += counts.poison.value();
        self.timed += counts.timed.value();
        self.timed_ns += counts.timed_ns.value();
        self.timed_frames += counts.timed_frames.value();
        self.late += counts.late.value();
        self.samples += counts.samples.value();
        self.gaps += counts.gaps.value();
    }
}

impl NodeTotals {
    pub(crate) fn mean_ns(&self) -> Option<f64> {
        (self.timed > 0).then(|| self.timed_ns as f64 / self.timed as f64)
    }

    /// Calls of the body: frames tell, and what was timed tells how many calls those are.
    pub(crate) fn calls(&self, frames: u64) -> u64 {
        match self.timed_frames {
            0 => frames,
            timed => (frames as f64 * self.timed as f64 / timed as f64) as u64,
        }
    }
}

/// Frames that a node's calls are about.
pub(crate) fn frames_of(planned: &PlanNode, edges: &[EdgeTotals]) -> u64 {
    let is_together = planned.align.is_some_and(|align| align.policy != Policy::Merge);
    match planned.kind.is_source() {
        true => planned.out_edges.iter().flatten().take(1).map(|&edge| edges[edge].sent).sum(),
        // Frames of the first input meet partners from the others.
        false if is_together => {
            planned.in_edges.iter().take(1).map(|&edge| edges[edge].taken).sum()
        }
        false => planned.in_edges.iter().map(|&edge| edges[edge].taken).sum(),
    }
}

impl Sessions {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            open: BTreeMap::new(),
            opened: 0,
            closed_edges: vec![EdgeTotals::default(); plan.edges.len()],
            closed_nodes: vec![NodeTotals::default(); plan.nodes.len()],
            last_poison: None,
            remarks: Vec::new(),
            last_faults: BTreeMap::new(),
        }
    }

    /// Keeps what went wrong in a node last.
    pub(crate) fn fault(&mut self, node: usize, what: String, at: Timestamp) {
        self.last_faults.insert(node, LastFault { what, at_ns: at.nanos() });
    }

    pub(crate) fn open(&mut self, number: u32, cells: &[Arc<Cell>], counts: &Arc<Counts>) {
        self.opened += 1;
        self.open.insert(number, (cells.to_vec(), counts.clone()));
    }

    /// The plan has grown.
    pub(crate) fn grow(&mut self, plan: &Plan) {
        self.closed_edges.resize(plan.edges.len(), EdgeTotals::default());
        self.closed_nodes.resize(plan.nodes.len(), NodeTotals::default());
    }

    /// A session has grown.
    pub(crate) fn regrow(&mut self, number: u32, cells: &[Arc<Cell>], counts: &Arc<Counts>) {
        self.open.insert(number, (cells.to_vec(), counts.clone()));
    }

    /// Keeps what bodies had to say, each thing once and not without end.
    pub(crate) fn remark(&mut self, remarks: Vec<(usize, String)>) {
        for remark in remarks {
            if self.remarks.len() < REMARKS_MAX && !self.remarks.contains(&remark) {
                self.remarks.push(remark);
            }
        }
    }

    /// Shows the counts of some open sessions; says how many are open.
    pub(crate) fn look_at(&self, most: usize, mut look: impl FnMut(u32, &Counts)) -> usize {
        self.open.iter().take(most).for_each(|(number, (_, counts))| look(*number, counts));
        self.open.len()
    }

    /// Sessions that are open.
    pub(crate) fn numbers(&self) -> Vec<u32> {
        self.open.keys().copied().collect()
    }

    /// A cell has taken the place of another.
    pub(crate) fn replace(&mut self, number: u32, stage: usize, cell: &Arc<Cell>) {
        if let Some((cells, _)) = self.open.get_mut(&number) {
            self.last_poison = cells[stage].poison.last().or(self.last_poison.take());
            cells[stage] = cell.clone();
        }
    }

    pub(crate) fn close(&mut self, number: u32, counts: &Counts) {
        for (total, edge) in self.closed_edges.iter_mut().zip(&counts.edges) {
            total.add_closed(edge);
        }
        for (total, node) in self.closed_nodes.iter_mut().zip(&counts.nodes) {
            total.add(node);
        }
        if let Some((cells, _)) = self.open.remove(&number) {
            let last = cells.iter().find_map(|cell| cell.poison.last());
            self.last_poison = last.or(self.last_poison.take());
        }
    }

    pub(crate) fn last_poison(&self, number: u32) -> Option<(usize, Frame)> {
        match self.open.get(&number) {
            Some((cells, _)) => cells.iter().find_map(|cell| cell.poison.last()),
            None => self.last_poison.clone(),
        }
    }
}

/// What a run has counted.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Sessions opened, and those of them that are open.
    pub sessions: (u64, u64),
    /// Nodes, producers before consumers.
    pub nodes: Vec<NodeReport>,
    /// Every edge, in the order of its consumers.
    pub edges: Vec<EdgeReport>,
    /// Stages, in the order of their numbers.
    pub stages: Vec<StageReport>,
    /// Sinks and their latency.
    pub sinks: Vec<SinkReport>,
    /// What bodies had to say at their end: node and what, such as a recording cut short.
    pub remarks: Vec<(String, String)>,
    /// What services tell, by name in the graph; those of a cache begin with `cache.`.
    pub services: Vec<(String, String)>,
    /// Nanoseconds the run has lasted on its clock.
    pub lasted_ns: i64,
}

/// One node over all sessions.
#[derive(Clone, Debug)]
pub struct NodeReport {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: &'static str,
    /// Times a body was put in anew.
    pub restarts: u64,
    /// Frames a body died on.
    pub poison: u64,
    /// Frames stamped older than the node's own bound.
    pub late: u64,
    /// Mean nanoseconds of a call, from about one turn in 256 and the frames that were followed.
    pub mean_ns: Option<f64>,
    /// Those calls, and how many nanoseconds they took together.
    pub timed: (u64, u64),
    /// Calls of its body, by the frames that it had and what those calls were about.
    pub calls: u64,
    /// Frames that it had: of a source those of its first output that is taken, of a join those of its first input.
    pub frames: u64,
    /// Of those, how many the timed calls were about.
    pub timed_frames: u64,
    /// For sources: what came in.
    pub entered: Option<Entered>,
    /// What went wrong in it last, if something did.
    pub last_fault: Option<LastFault>,
}

/// Why a body could not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastFault {
    /// As a sentence fragment that can follow `node x: `.
    pub what: String,
    /// When, in nanoseconds on the run's clock.
    pub at_ns: i64,
}

/// What a source brought in over all sessions, told by its first output that somebody takes.
#[derive(Clone, Copy, Debug)]
pub struct Entered {
    /// Frames.
    pub frames: u64,
    /// Samples in them, if it is a signal.
    pub samples: u64,
    /// Samples per second that its format promises, if it is a signal.
    pub rate_hz: Option<f64>,
    /// Nanoseconds of signal in those frames, at that rate.
    pub content_ns: Option<i64>,
    /// Frames that said that something before them is missing.
    pub gaps: u64,
}

/// One edge over all sessions.
#[derive(Clone, Debug)]
pub struct EdgeReport {
    /// `node` or `node.port`.
    pub from: String,
    /// The consuming node.
    pub to: String,
    /// The frames.
    pub frames: EdgeTotals,
}

/// One stage over all sessions.
#[derive(Clone, Debug)]
pub struct StageReport {
    /// The name its nodes give it with `stage`, else its number.
    pub name: String,
    /// Its nodes, producers before consumers.
    pub nodes: Vec<String>,
    /// Times a body of it was put in anew.
    pub restarts: u64,
    /// Open sessions in which it is in each state, in the order of [`StageState::ALL`].
    pub states: [u64; StageState::ALL.len()],
    /// From the host's door to the end of the stage; goes on counting.
    pub latency: Arc<Histogram>,
}

/// One sink over all sessions.
#[derive(Clone, Debug)]
pub struct SinkReport {
    /// Its name.
    pub name: String,
    /// Frames taken.
    pub frames: u64,
    /// Latency in nanoseconds: median, 99 %, largest. `None` before the first frame.
    pub latency_ns: Option<(i64, i64, i64)>,
    /// The same, from the host's door to the sink, in full; goes on counting.
    pub latency: Arc<Histogram>,
    /// What the graph allows.
    pub deadline_ns: Option<i64>,
}

impl Report {
    /// Frames that entered at sources: those of a port count once, however many nodes take them.
    pub fn frames_in(&self, plan: &Plan) -> u64 {
        let mut ports = BTreeMap::new();
        for (edge, report) in plan.edges.iter().zip(&self.edges) {
            if plan.nodes[edge.from.0].kind.is_source() {
                let sent = ports.entry(edge.from).or_insert(0);
                *sent = report.frames.sent.max(*sent);
            }
        }
        ports.into_values().sum()
    }

    /// Frames that left at sinks.
    pub fn frames_out(&self) -> u64 {
        self.sinks.iter().map(|sink| sink.frames).sum()
    }

    /// Frames dropped anywhere, by reason; reasons without any are left out.
    pub fn dropped(&self) -> Vec<(Gap, u64)> {
        let of = |gap: Gap| self.edges.iter().map(|edge| edge.frames.dropped[gap.index()]).sum();
        Gap::ALL.iter().map(|&gap| (gap, of(gap))).filter(|&(_, frames)| frames > 0).collect()
    }

    /// Whether every frame on every edge is accounted for.
    pub fn is_balanced(&self) -> bool {
        self.edges.iter().all(|edge| edge.frames.is_balanced())
    }

    /// The edge between two nodes.
    pub fn edge(&self, from: &str, to: &str) -> Option<&EdgeReport> {
        self.edges.iter().find(|edge| edge.from == from && edge.to == to)
    }

    /// A node by name.
    pub fn node(&self, name: &str) -> Option<&NodeReport> {
        self.nodes.iter().find(|node| node.name == name)
    }
}

pub(super) fn report(shared: &Shared) -> Report {
    let plan = &shared.plan();
    let (edges, nodes, states, count, remarks, last_faults) = {
        let sessions = shared.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut edges, mut nodes) = (sessions.closed_edges.clone(), sessions.closed_nodes.clone());
        let mut states = vec![[0; StageState::ALL.len()]; plan.stages.len()];
        for (_, counts) in sessions.open.values() {
            for (states, stage) in states.iter_mut().zip(&counts.stages) {
                states[stage.state() as usize] += 1;
            }
            for (total, edge) in edges.iter_mut().zip(&counts.edges) {
                total.add(edge);
            }
            for (total, node) in nodes.iter_mut().zip(&counts.nodes) {
                total.add(node);
            }
        }
        let named = |(node, text): &(usize, String)| (plan.nodes[*node].name.clone(), text.clone());
        let remarks: Vec<_> = sessions.remarks.iter().map(named).collect();
        let count = (sessions.opened, sessions.open.len() as u64);
        (edges, nodes, states, count, remarks, sessions.last_faults.clone())
    };
    let stages = stages(plan, &nodes, &states, shared);
    let mut report = Report { remarks, stages, ..assemble(plan, &edges, &nodes, count, shared) };
    for (node, fault) in last_faults {
        report.nodes[node].last_fault = Some(fault);
    }
    report
}

fn stages(
    plan: &Plan,
    nodes: &[NodeTotals],
    states: &[[u64; StageState::ALL.len()]],
    shared: &Shared,
) -> Vec<StageReport> {
    let report = |(number, stage): (usize, &crate::plan::PlanStage)| {
        let named = stage.nodes.iter().find_map(|&node| plan.nodes[node].stage_name.clone());
        StageReport {
            name: named.unwrap_or_else(|| number.to_string()),
            nodes: stage.nodes.iter().map(|&node| plan.nodes[node].name.clone()).collect(),
            restarts: stage.nodes.iter().map(|&node| nodes[node].restarts).sum(),
            states: states[number],
            latency: shared.latency().stages[number].clone(),
        }
    };
    plan.stages.iter().enumerate().map(report).collect()
}

fn assemble(
    plan: &Plan,
    edges: &[EdgeTotals],
    nodes: &[NodeTotals],
    sessions: (u64, u64),
    shared: &Shared,
) -> Report {
    let node_report = |(planned, totals): (&PlanNode, &NodeTotals)| NodeReport {
        name: planned.name.clone(),
        kind: planned.kind.name,
        restarts: totals.restarts,
        poison: totals.poison,
        late: totals.late,
        mean_ns: totals.mean_ns(),
        timed: (totals.timed, totals.timed_ns),
        calls: totals.calls(frames_of(planned, edges)),
        frames: frames_of(planned, edges),
        timed_frames: totals.timed_frames,
        entered: planned.kind.is_source().then(|| entered(plan, planned, totals, edges)),
        last_fault: None,
    };
    let edge_report = |(planned, totals): (&crate::plan::PlanEdge, &EdgeTotals)| EdgeReport {
        from: plan.output_label(planned.from.0, planned.from.1),
        to: plan.nodes[planned.to.0].name.clone(),
        frames: *totals,
    };
    // Who only answers a call's questions takes no frame of the graph.
    let takes = |node: &PlanNode| node.kind.is_sink() && !node.in_edges.is_empty();
    let sinks = plan.nodes.iter().enumerate().filter(|(_, node)| takes(node));
    Report {
        sessions,
        nodes: plan.nodes.iter().zip(nodes).map(node_report).collect(),
        edges: plan.edges.iter().zip(edges).map(edge_report).collect(),
        sinks: sinks
            .map(|(number, node)| {
                let latency = shared.latency().sinks[number].clone().expect("a sink has one");
                let quantile = |share: f64| latency.quantile(share);
                SinkReport {
                    name: node.name.clone(),
                    frames: node.in_edges.iter().map(|&edge| edges[edge].taken).sum(),
                    latency_ns: quantile(0.5)
                        .zip(quantile(0.99))
                        .zip(latency.max())
                        .map(|((median, most), max)| (median, most, max)),
                    latency,
                    deadline_ns: node.deadline_ns.or(plan.deadline_ns),
                }
            })
            .collect(),
        stages: Vec::new(),
        remarks: Vec::new(),
        services: plan.services.remarks(),
        lasted_ns: shared.clock.now().nanos(),
    }
}

fn entered(plan: &Plan, source: &PlanNode, totals: &NodeTotals, edges: &[EdgeTotals]) -> Entered {
    let taken = source.out_edges.iter().flatten().next();
    let rate = taken.and_then(|&edge| Some(plan.edges[edge].format.as_signal()?.rate));
    let samples = totals.samples;
    Entered {
        frames: taken.map_or(0, |&edge| edges[edge].sent),
        samples,
        rate_hz: rate.map(Rate::hz),
        content_ns: rate.map(|rate| rate.span_ns(samples as i64)),
        gaps: totals.gaps,
    }
}
