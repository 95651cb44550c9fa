//! The parts of a plan, for whoever shows them: nodes with what they were given, edges with their room.

use crate::{
    format::Format,
    graph::{OnFault, OnFull},
    kind::Kind,
    param::Params,
};

use super::{Home, Plan};

/// One node of a plan.
#[derive(Clone, Copy, Debug)]
pub struct NodePart<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its kind.
    pub kind: &'static Kind,
    /// What it was given; see [`Params::written`].
    pub params: &'a Params,
    /// Number of its stage, in the order of a report; none where it waits for the world, off the data cores.
    pub stage: Option<usize>,
    /// The data core its stage asks for.
    pub core: Option<u32>,
    /// By how many nanoseconds what it says lags behind the sources, by construction.
    pub delay_ns: i64,
    /// Latency in nanoseconds that the graph allows.
    pub deadline_ns: Option<i64>,
    /// What happens when it keeps failing.
    pub on_fault: OnFault,
}

/// One edge of a plan.
#[derive(Clone, Debug)]
pub struct EdgePart<'a> {
    /// `node` or `node.port`, with the channels that are picked.
    pub from: String,
    /// The node it begins at.
    pub producer: &'a str,
    /// The node it ends at.
    pub consumer: &'a str,
    /// The port it ends at.
    pub port: &'a str,
    /// What passes.
    pub format: &'a Format,
    /// Frames that find room, in each session; none where both nodes are fused.
    pub capacity: Option<usize>,
    /// What happens to a frame that finds none.
    pub on_full: Option<OnFull>,
}

impl Plan {
    /// Every node, in the order of a report.
    pub fn node_parts(&self) -> impl Iterator<Item = NodePart<'_>> {
        self.nodes.iter().map(|node| {
            let stage = match node.home {
                Home::Stage(number) => Some(number),
                Home::Io => None,
            };
            NodePart {
                name: &node.name,
                kind: node.kind,
                params: &node.params,
                stage,
                core: stage.and_then(|number| self.stages[number].core),
                delay_ns: node.delay_ns,
                deadline_ns: node.deadline_ns.or(self.deadline_ns),
                on_fault: node.on_fault,
            }
        })
    }

    /// Every edge, in the order of a report.
    pub fn edge_parts(&self) -> impl Iterator<Item = EdgePart<'_>> {
        self.edges.iter().map(|edge| EdgePart {
            from: self.source_label(edge),
            producer: &self.nodes[edge.from.0].name,
            consumer: &self.nodes[edge.to.0].name,
            port: self.nodes[edge.to.0].inputs.get(edge.to.1).map_or("in", |input| input.port),
            format: &edge.format,
            capacity: edge.ring.map(|ring| ring.capacity),
            on_full: edge.ring.map(|ring| ring.on_full),
        })
    }
}
