//! What a run was seen doing.

use crate::{graph::OnFull, journey::Attribution, session::EdgeTotals};

use super::cores::share_of;

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Generates frames.
    Source,
    /// Brings frames of a device.
    Live,
    /// Computes.
    Operator,
    /// Asks.
    Call,
    /// Takes frames out, on a data core.
    Sink,
    /// Takes frames out beside the cores.
    WaitingSink,
}

/// One node over all sessions.
#[derive(Clone, Debug)]
pub struct NodeLoad {
    /// Its name.
    pub name: String,
    /// What it is.
    pub role: Role,
    /// Its stage, if it runs on a data core.
    pub stage: Option<usize>,
    /// The core of that stage; none where sessions are spread over all of them.
    pub core: Option<usize>,
    /// The model it asks.
    pub model: Option<String>,
    /// Whether it stands in the graph file: the ends of links do not.
    pub is_written: bool,
    /// Whether it says by name which stage it runs in: all of that stage run on one core.
    pub is_in_named_stage: bool,
    /// Keys of its kind that are about answers or about how much a source makes, as they are now, where they have a
    /// default or are written.
    pub keys: Vec<(&'static str, Option<String>)>,
    /// Whether it waits for several inputs.
    pub joins: bool,
    /// Frames that its body was called with, or made.
    pub calls: u64,
    /// Mean nanoseconds of a call.
    pub mean_ns: f64,
    /// Of a source that is paced: the share of its pace that it kept.
    pub pace: Option<f64>,
    /// Whether it was taken out while the graph ran.
    pub is_gone: bool,
}

/// The ring of an edge.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RingLoad {
    /// Frames it holds.
    pub capacity: usize,
    /// What happens when it is full.
    pub on_full: OnFull,
    /// Looks at it. Of few nothing is told, and the shares are 0.
    pub looks: u64,
    /// The share of looks at which it was full.
    pub full: f64,
    /// The share of looks at which it was empty.
    pub empty: f64,
    /// The most frames that were in it, or waited for room in it, at a look.
    pub most: u64,
}

/// One edge over all sessions.
#[derive(Clone, Debug)]
pub struct EdgeLoad {
    /// The producing node.
    pub from: usize,
    /// The consuming node.
    pub to: usize,
    /// The frames.
    pub frames: EdgeTotals,
    /// Whether the input itself says how much its ring holds, whatever the node says.
    pub is_written: bool,
    /// Frames per second by its format; 0 where that is not known.
    pub frames_per_s: f64,
    /// How far what it carries is behind the sources, by construction.
    pub delay_ns: i64,
    /// Its ring; none where it is fused.
    pub ring: Option<RingLoad>,
}

/// One sink.
#[derive(Clone, Copy, Debug)]
pub struct SinkLoad {
    /// The node.
    pub node: usize,
    /// Latency in nanoseconds that one frame in a hundred exceeds.
    pub p99_ns: i64,
    /// What the graph allows.
    pub deadline_ns: Option<i64>,
}

/// What a run was seen doing over a while.
#[derive(Clone, Debug, Default)]
pub struct Load {
    /// For so long a session was open, in nanoseconds.
    pub lasted_ns: i64,
    /// As fast as it goes.
    pub is_fast: bool,
    /// Sessions that were open on the mean while any was.
    pub sessions: u64,
    /// Processors of the machine.
    pub processors: usize,
    /// Nodes, producers before consumers.
    pub nodes: Vec<NodeLoad>,
    /// Edges, in the order of the plan.
    pub edges: Vec<EdgeLoad>,
    /// The share of the time in which each core was at work, or would have been had others not had the processor.
    pub cores: Vec<f64>,
    /// The part of that in which others had it.
    pub waited: Vec<f64>,
    /// Sinks that got something.
    pub sinks: Vec<SinkLoad>,
    /// Where the time of followed frames went.
    pub time: Attribution,
}

impl NodeLoad {
    /// Nanoseconds in its body, in all.
    pub fn busy_ns(&self) -> f64 {
        self.calls as f64 * self.mean_ns
    }

    /// Whether it runs on a data core.
    pub const fn is_on_core(&self) -> bool {
        self.stage.is_some()
    }
}

impl Load {
    /// The share of one core's time that a node takes.
    pub fn share(&self, node: usize) -> f64 {
        self.nodes[node].busy_ns() / (self.lasted_ns.max(1) as f64)
    }

    /// The share of the time that a core was at work, or would have been had the machine let it: what bodies took
    /// on the clock counts even where others had the processor meanwhile.
    pub(super) fn busy(&self, core: usize) -> f64 {
        self.cores.get(core).copied().unwrap_or(0.0).max(self.bodies(core).min(1.0))
    }

    /// The share of the time that bodies on a core took. Of sessions that are spread each core has its part.
    pub(super) fn bodies(&self, core: usize) -> f64 {
        self.on_core(core).map(|node| share_of(self, node)).sum()
    }

    /// Nodes that a core serves.
    pub(super) fn on_core(&self, core: usize) -> impl Iterator<Item = usize> {
        let here = move |node: &NodeLoad| node.is_on_core() && node.core.is_none_or(|c| c == core);
        (0..self.nodes.len()).filter(move |&node| here(&self.nodes[node]))
    }
}
