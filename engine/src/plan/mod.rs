//! [`Plan`]: what will run. Only [`GraphSpec::plan`] makes one, only a plan starts.
//!
//! Planning resolves kinds and ports, agrees formats along every edge, checks
//! what can be known before anything runs, sizes rings, cuts stages and places
//! them. Problems are collected: a wrong file answers with all of them at once.

mod agree;
mod budget;
mod change;
mod check;
mod connect;
mod cut;
mod draft;
mod draw;
mod from;
mod hosts;
mod joins;
mod merging;
mod moves;
mod order;
mod params;
mod parts;
mod rings;
mod settling;
mod signals;
mod table;
mod units;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    align::AlignSpec,
    common::Common,
    files::Files,
    flush::Roots,
    format::Format,
    graph::{Diagnostic, GraphSpec, OnFault, OnFull, Place},
    kind::{Input, Kind, Node},
    param::Params,
    service::Services,
    tap::Output,
    time::Timestamp,
    words,
};

pub(crate) use change::{Becomes, Change};
pub use draft::PlanOptions;
pub use draw::{Arrow, BoxOf, Picture, PictureBox, PictureEdge, PictureNode};
pub(crate) use moves::at_home;
pub use parts::{EdgePart, NodePart};

/// A graph that is known to fit together.
#[derive(Clone)]
pub struct Plan {
    pub(crate) name: String,
    pub(crate) deadline_ns: Option<i64>,
    /// In topological order: producers before consumers.
    pub(crate) nodes: Vec<PlanNode>,
    pub(crate) edges: Vec<PlanEdge>,
    pub(crate) stages: Vec<PlanStage>,
    /// Nodes that may flush, by their number among the roots.
    pub(crate) roots: Vec<usize>,
    pub(crate) files: Arc<dyn Files>,
    pub(crate) services: Services,
    pub(crate) common: Common,
    pub(crate) graph_file: Option<String>,
    /// Files that the first session reads and writes, by identity, and by whom.
    pub(crate) taken: Arc<BTreeMap<String, String>>,
    pub(crate) spec: Arc<GraphSpec>,
    /// What is worth telling but keeps nothing from starting.
    pub(crate) warnings: Vec<Diagnostic>,
    /// Of a part: every node of the whole with its host.
    pub(crate) placed: Vec<(String, String)>,
}

/// One node as it will run.
#[derive(Clone)]
pub(crate) struct PlanNode {
    pub(crate) name: String,
    pub(crate) kind: &'static Kind,
    pub(crate) params: Params,
    pub(crate) op_place: Option<Place>,
    pub(crate) inputs: Vec<Input>,
    pub(crate) outputs: Vec<Format>,
    /// What its body gives, where the graph gets more: who has answered.
    pub(crate) own_outputs: Option<Vec<Format>>,
    pub(crate) in_edges: Vec<usize>,
    /// Edges that leave each output port.
    pub(crate) out_edges: Vec<Vec<usize>>,
    pub(crate) delay_ns: i64,
    pub(crate) look_back_ns: i64,
    pub(crate) look_back_usual_ns: Option<i64>,
    pub(crate) duration_ns: Option<i64>,
    /// How long after the start what comes out shows that it has just begun, the nodes above included; and
    /// the node that most of it is due to.
    pub(crate) settling: (i64, usize),
    /// How several inputs meet; `None` where there is one, or frames pass as they come.
    pub(crate) align: Option<AlignSpec>,
    pub(crate) home: Home,
    pub(crate) on_fault: OnFault,
    pub(crate) retries: Option<u32>,
    pub(crate) wedge_ns: i64,
    pub(crate) deadline_ns: Option<i64>,
    pub(crate) idle_ns: Option<i64>,
    pub(crate) frame_ms: Option<f64>,
    /// Whether somebody downstream (or the node itself) needs to know its bound.
    pub(crate) watched: bool,
    /// Whether another host waits to hear how far it is: a sink behind a link.
    pub(crate) tells_reached: bool,
    /// The roots that what it sends is subject to, itself among them if it is one.
    pub(crate) roots: Roots,
    /// Number among the sources of the plan; 0 for others.
    pub(crate) source: u32,
    /// The stage it asks for, by the name that nodes share.
    pub(crate) stage_name: Option<String>,
    /// It was taken out while the graph ran; its number and what it has counted stay.
    pub(crate) gone: bool,
    /// It was put in while the graph ran, in a stage apart from what it might be fused with.
    pub(crate) is_apart: bool,
}

/// Where a node runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Home {
    /// On a data core, in the stage of this number.
    Stage(usize),
    /// On the I/O runtime.
    Io,
}

/// One output to one input.
#[derive(Clone)]
pub(crate) struct PlanEdge {
    /// Node and port.
    pub(crate) from: (usize, usize),
    /// Node and line, a line being the number of an edge among those of its consumer.
    pub(crate) to: (usize, usize),
    pub(crate) format: Format,
    /// Channels to pick, in order; all if `None`.
    pub(crate) pick: Option<Arc<[u16]>>,
    pub(crate) ring: Option<RingPlan>,
    /// How far what it carries lags behind the sources, by construction.
    pub(crate) delay_ns: i64,
}

/// The ring of an edge between stages.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct RingPlan {
    pub(crate) capacity: usize,
    pub(crate) on_full: OnFull,
}

/// Nodes that run together.
#[derive(Clone, Debug)]
pub(crate) struct PlanStage {
    /// In topological order.
    pub(crate) nodes: Vec<usize>,
    pub(crate) core: Option<u32>,
}

impl Plan {
    /// The services its nodes were made with.
    pub const fn services(&self) -> &Services {
        &self.services
    }

    /// The graph's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is worth telling but keeps nothing from starting.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// The latency the graph allows itself.
    pub const fn deadline_ns(&self) -> Option<i64> {
        self.deadline_ns
    }

    /// Names of the nodes, producers before consumers.
    pub fn node_names(&self) -> impl Iterator<Item = &str> {
        self.nodes.iter().map(|node| node.name.as_str())
    }

    /// What leaves each port of the node called `name`.
    pub fn outputs_of(&self, name: &str) -> Option<&[Format]> {
        self.nodes.iter().find(|node| node.name == name).map(|node| &node.outputs[..])
    }

    /// Names of the nodes that a node takes from, in the order of its inputs; none if there is no such node.
    pub fn producers_of(&self, name: &str) -> impl Iterator<Item = &str> {
        let node = self.nodes.iter().find(|node| node.name == name);
        let edges = node.into_iter().flat_map(|node| &node.in_edges);
        edges.map(|&edge| self.nodes[self.edges[edge].from.0].name.as_str())
    }

    /// What the first session does with a file, or that it is this graph: "`sound` reads", "is this graph".
    pub fn file_taken(&self, path: &str) -> Option<&str> {
        self.taken.get(&self.files.identity(path)?).map(String::as_str)
    }

    /// Whether every source can be made to wait for what stands behind it.
    pub(crate) fn can_wait(&self) -> bool {
        !self.nodes.iter().any(|node| node.kind.live)
    }

    /// Every output, producers before consumers.
    pub fn outputs(&self) -> impl Iterator<Item = Output<'_>> {
        (0..self.nodes.len()).flat_map(|node| self.outputs_of_node(node))
    }

    /// The output that `from` would call so: `node`, `node.port`, or the output of an include.
    pub fn output(&self, label: &str) -> Option<Output<'_>> {
        let (node, port) = self.output_at(label)?;
        self.outputs_of_node(node).nth(port)
    }

    pub(crate) fn outputs_of_node(&self, node: usize) -> impl Iterator<Item = Output<'_>> {
        let node = &self.nodes[node];
        node.outputs.iter().enumerate().map(|(number, format)| Output {
            node: &node.name,
            kind: node.kind.name,
            port: node.kind.outputs.get(number).map_or("out", |port| port.name),
            number,
            format,
            is_source: node.kind.is_source(),
            is_taken: !node.out_edges[number].is_empty(),
        })
    }

    /// Number of the node, and of its port.
    pub(crate) fn output_at(&self, label: &str) -> Option<(usize, usize)> {
        self.node_output(label).or_else(|| self.node_output(&self.spec.leads_to(label)?))
    }

    fn node_output(&self, label: &str) -> Option<(usize, usize)> {
        let (name, port) = label.split_once('.').map_or((label, None), |(n, p)| (n, Some(p)));
        let at = self.nodes.iter().position(|node| node.name == name)?;
        let number = self.outputs_of_node(at).position(|output| match port {
            Some(port) => output.port == port,
            None => output.number == 0,
        })?;
        Some((at, number))
    }

    /// How long the longest source delivers, where all say so.
    pub fn duration(&self) -> Option<Timestamp> {
        let sources = self.nodes.iter().filter(|node| node.kind.is_source());
        sources
            .map(|node| node.duration_ns)
            .collect::<Option<Vec<_>>>()
            .and_then(|all| all.into_iter().max())
            .map(Timestamp::from_nanos)
    }

    /// Number of stages, which is the number of cells of one session.
    pub fn stage_count(&self) -> usize {
        self.stages.len()
    }

    /// The `T` that all bodies of the plan share; see [`Node::common`].
    pub fn common<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        self.common.of()
    }

    /// Whether sessions come and go at the door of a node, rather than being there from the start.
    pub fn has_door(&self) -> bool {
        self.nodes.iter().any(|node| node.kind.door.is_some())
    }

    /// The spec it was made from.
    pub fn spec(&self) -> &GraphSpec {
        &self.spec
    }

    /// A node as its kind sees it.
    pub(crate) fn view<'a>(&'a self, node: usize, params: &'a Params, session: u32) -> Node<'a> {
        let planned = &self.nodes[node];
        Node {
            name: &planned.name,
            kind: planned.kind,
            params,
            inputs: &planned.inputs,
            outputs: planned.own_outputs.as_ref().unwrap_or(&planned.outputs),
            frame_ms: planned.frame_ms,
            files: &self.files,
            services: &self.services,
            common: &self.common,
            session,
            graph_file: self.graph_file.as_deref(),
            taken: Some(&self.taken),
            op_place: &planned.op_place,
        }
    }

    /// Whether a live parameter may become `value`; what is wrong otherwise.
    pub(crate) fn check_live(
        &self,
        node: usize,
        param: &str,
        value: &crate::graph::Spanned<crate::graph::Value>,
    ) -> Result<(), String> {
        let kind = self.nodes[node].kind;
        let known = kind.param(param).ok_or_else(|| {
            format!("`{}` ({}) has no parameter `{param}`", self.nodes[node].name, kind.name)
        })?;
        if !known.is_live() {
            return Err(format!("`{param}` cannot change while the graph runs"));
        }
        match known.check(value) {
            Some(problem) => Err(problem.message),
            None => Ok(()),
        }
    }

    /// Whether an edge leads to or from what was put in while the graph ran.
    pub(crate) fn is_apart(&self, edge: &PlanEdge) -> bool {
        self.nodes[edge.from.0].is_apart || self.nodes[edge.to.0].is_apart
    }

    /// The stage and the slot of a node, where it runs on a data core.
    pub(crate) fn place_of(&self, node: usize) -> Option<(usize, usize)> {
        let Home::Stage(stage) = self.nodes[node].home else { return None };
        let slot = self.stages[stage].nodes.iter().position(|&member| member == node)?;
        Some((stage, slot))
    }

    /// `node` or, where its kind has several outputs, `node.port`.
    pub(crate) fn output_label(&self, node: usize, port: usize) -> String {
        output_label(&self.nodes[node].name, self.nodes[node].kind, port)
    }
}

/// How an output is written in `from`: the first port goes without saying.
pub(crate) fn output_label(name: &str, kind: &Kind, port: usize) -> String {
    if port == 0 { name.to_owned() } else { format!("{name}.{}", kind.outputs[port].name) }
}
