//! A plan in the making, and the order in which it is made.
//!
//! Each pass adds what it finds out and passes over what is already known to be wrong, so that
//! one mistake is told once and hides no other.
//!
//! ```text
//! spec ─ kinds ─▶ params ─▶ connect ─▶ order ─▶ agree ─▶ cut ─▶ rings ─▶ check ─▶ plan
//!          └────────┴──────────┴──── problems ────┴───────┴───────┴────────┘
//! ```

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    carrier::Carrier,
    common::Common,
    files::Files,
    flush::Roots,
    format::Format,
    graph::{Code, Diagnostic, Diagnostics, GraphSpec, InputSpec, NodeSpec, OnFault},
    kind::{Catalog, Input, Kind, Outline},
    param::Params,
    service::Services,
};

use super::{
    Home, Plan, PlanEdge, PlanNode, PlanStage, RingPlan,
    hosts::{is_root, waits_for_sinks, wants_bound},
    words::listed,
};

/// What planning needs to know besides the graph.
#[derive(Clone)]
pub struct PlanOptions {
    /// The file system, for kinds that read headers.
    pub files: Arc<dyn Files>,
    /// Services of the host that nodes may use.
    pub services: Services,
    /// Path of the graph file, which relative paths in it start from.
    pub graph_file: Option<String>,
    /// Data cores there will be; `core` must be below. One unless set.
    pub cores: usize,
    /// The host to plan for; without one, everything runs here.
    pub host: Option<String>,
    /// What takes edges to other hosts and brings them from there.
    pub carrier: Option<Arc<dyn Carrier>>,
}

impl PlanOptions {
    /// One data core, one host, no services, paths relative to the current folder.
    pub fn new(files: Arc<dyn Files>) -> Self {
        Self {
            files,
            services: Services::default(),
            graph_file: None,
            cores: 1,
            host: None,
            carrier: None,
        }
    }
}

impl GraphSpec {
    /// Resolves kinds, agrees formats, checks with knowledge of signals, sizes rings, cuts
    /// stages. Reads headers of files, nothing else of the world; starts nothing.
    ///
    /// # Errors
    /// Every problem of the graph, with warnings among them.
    pub fn plan(&self, catalog: &Catalog, options: &PlanOptions) -> Result<Plan, Diagnostics> {
        if self.wants_expansion() {
            let whole = self.expanded(&*options.files, options.graph_file.as_deref());
            return whole.plan(catalog, options);
        }
        let once = |problems| match self.included() {
            [] => Diagnostics(problems),
            _ => Diagnostics(problems).once(),
        };
        if let Some(host) = &options.host {
            return super::hosts::plan_on(self, host, catalog, options);
        }
        let mut draft = Draft::new(self, catalog);
        draft.check_hosts();
        draft.check_moves();
        draft.check_params();
        draft.connect();
        draft.sort();
        draft.agree(options);
        draft.check_nodes(options);
        let homes = draft.cut();
        if let Some(homes) = homes.filter(|_| !draft.has_errors()) {
            let mut rings = draft.rings(&homes.of_node);
            draft.check_graph(&mut rings);
            if !draft.has_errors() {
                draft.problems = once(draft.problems).0;
                return Ok(draft.finish(options, homes, rings));
            }
        }
        Err(once(draft.problems))
    }
}

/// A plan in the making.
pub(super) struct Draft<'a> {
    pub(super) spec: &'a GraphSpec,
    /// Enabled nodes: in the order of the file, once sorted in topological order.
    pub(super) nodes: Vec<DraftNode<'a>>,
    pub(super) edges: Vec<DraftEdge<'a>>,
    pub(super) problems: Vec<Diagnostic>,
    /// What nodes share that name the same hosts, or none.
    pub(super) commons: BTreeMap<Vec<&'a str>, Common>,
    /// Files that are read and written, by identity, and by whom.
    pub(super) taken: BTreeMap<String, String>,
}

/// A node in the making.
pub(super) struct DraftNode<'a> {
    pub(super) spec: &'a NodeSpec,
    pub(super) kind: Option<&'static Kind>,
    pub(super) params: Params,
    /// Whether it can be planned: nothing known is wrong with it.
    pub(super) sound: bool,
    /// Whether its kind and all edges into it are known.
    pub(super) connected: bool,
    /// In the order of the ports, within one port in the order of `from`.
    pub(super) in_edges: Vec<usize>,
    pub(super) out_edges: Vec<usize>,
    pub(super) inputs: Vec<Input>,
    /// How far its outputs are behind the sources, once the kind was asked.
    pub(super) delay_ns: i64,
    /// What the kind said, once it was asked.
    pub(super) outline: Option<Outline>,
    /// What its body gives, where the graph gets more.
    pub(super) own_outputs: Option<Vec<Format>>,
}

/// An edge in the making.
pub(super) struct DraftEdge<'a> {
    pub(super) written: &'a InputSpec,
    /// Node and port.
    pub(super) from: (usize, usize),
    /// Node and port.
    pub(super) to: (usize, usize),
    pub(super) format: Option<Format>,
    pub(super) pick: Option<Arc<[u16]>>,
    pub(super) delay_ns: i64,
}

/// Where the nodes run.
pub(super) struct Homes {
    pub(super) of_node: Vec<Home>,
    pub(super) stages: Vec<PlanStage>,
}

impl<'a> Draft<'a> {
    /// The enabled nodes with their kinds.
    fn new(spec: &'a GraphSpec, catalog: &Catalog) -> Self {
        let mut problems = spec.problems();
        problems.extend(unfed_inlets(spec));
        let enabled = spec.nodes.iter().filter(|node| is_enabled(node));
        let nodes = enabled.map(|node| {
            let kind = kind_of(node, catalog, &mut problems);
            DraftNode {
                spec: node,
                kind,
                params: Params::default(),
                sound: kind.is_some() && !node.is_broken(),
                connected: kind.is_some() && !node.is_broken(),
                in_edges: Vec::new(),
                out_edges: Vec::new(),
                inputs: Vec::new(),
                delay_ns: 0,
                outline: None,
                own_outputs: None,
            }
        });
        let nodes = nodes.collect();
        let (edges, commons, taken) = Default::default();
        Self { spec, nodes, edges, problems, commons, taken }
    }

    /// Whether it cannot become a plan: of a node whose model has problems that are told elsewhere,
    /// nothing more is told here.
    pub(super) fn has_errors(&self) -> bool {
        self.nodes.iter().any(|node| node.outline.is_none())
            || self.problems.iter().any(|problem| problem.level == crate::graph::Level::Error)
    }

    fn finish(self, options: &PlanOptions, homes: Homes, rings: Vec<Option<RingPlan>>) -> Plan {
        let awaited = self.awaited();
        let watched = self.watched(&awaited);
        let settlings = self.settlings();
        let mut edges: Vec<PlanEdge> = Vec::with_capacity(self.edges.len());
        for (edge, ring) in self.edges.into_iter().zip(rings) {
            edges.push(PlanEdge {
                from: edge.from,
                to: edge.to,
                format: edge.format.expect("all formats are agreed"),
                pick: edge.pick,
                ring,
                delay_ns: edge.delay_ns,
            });
        }
        let mut sources = 0;
        let mut roots = Vec::new();
        let mut nodes: Vec<PlanNode> = Vec::with_capacity(self.nodes.len());
        for (number, node) in self.nodes.into_iter().enumerate() {
            let kind = node.kind.expect("all kinds are known");
            for (line, &edge) in node.in_edges.iter().enumerate() {
                edges[edge].to.1 = line;
            }
            let mut out_edges = vec![Vec::new(); kind.outputs.len()];
            for &edge in &node.out_edges {
                out_edges[edges[edge].from.1].push(edge);
            }
            let planned = plan_node(node, kind, out_edges, homes.of_node[number]);
            // Producers come before consumers.
            let above = planned.in_edges.iter().map(|&edge| nodes[edges[edge].from.0].roots);
            let mut subject_to = above.fold(Roots::NONE, Roots::and);
            if is_root(kind) {
                subject_to = subject_to.and(Roots::one(roots.len()));
                roots.push(number);
            }
            let source = if kind.is_source() { sources } else { 0 };
            sources += u32::from(kind.is_source());
            nodes.push(PlanNode {
                watched: watched[number],
                settling: settlings[number],
                tells_reached: awaited[number],
                source,
                roots: subject_to,
                ..planned
            });
        }
        Plan {
            name: self.spec.name.value.clone(),
            deadline_ns: self.spec.deadline_ms.as_ref().map(|ms| nanos(ms.value)),
            nodes,
            edges,
            stages: homes.stages,
            roots,
            files: options.files.clone(),
            services: options.services.clone(),
            common: Common::default(),
            graph_file: options.graph_file.clone(),
            taken: self.taken.into(),
            spec: Arc::new(self.spec.clone()),
            warnings: self.problems,
            placed: Vec::new(),
        }
    }

    /// Sinks of which another host waits to hear how far they are: those behind a link.
    fn awaited(&self) -> Vec<bool> {
        let mut behind = vec![false; self.nodes.len()];
        for (number, node) in self.nodes.iter().enumerate() {
            let above = node.in_edges.iter().any(|&edge| behind[self.edges[edge].from.0]);
            behind[number] = above || node.kind.is_some_and(waits_for_sinks);
        }
        let sinks = self.nodes.iter().map(|node| node.kind.is_some_and(Kind::is_sink));
        behind.into_iter().zip(sinks).map(|(behind, is_sink)| behind && is_sink).collect()
    }

    /// Which nodes somebody asks for their bound: joins, nodes with timers, sinks that are `awaited`,
    /// all above them.
    fn watched(&self, awaited: &[bool]) -> Vec<bool> {
        let mut watched = vec![false; self.nodes.len()];
        for (number, node) in self.nodes.iter().enumerate().rev() {
            let joins = node.outline.as_ref().is_some_and(|outline| outline.align.is_some());
            let times = node.kind.is_some_and(|kind| kind.timers || wants_bound(kind));
            watched[number] |= joins || times || awaited[number];
            if watched[number] {
                for &edge in &node.in_edges {
                    watched[self.edges[edge].from.0] = true;
                }
            }
        }
        watched
    }
}

/// Inputs of a file that runs by itself, and for which nothing stands in.
fn unfed_inlets(spec: &GraphSpec) -> impl Iterator<Item = Diagnostic> {
    let is_unfed = |name: &str| spec.find(name).is_some_and(|node| node.op.value.is_empty());
    let bare = spec.inlets.iter().filter(|inlet| inlet.stand_in.is_none());
    let unfed = bare.filter(move |inlet| is_unfed(&inlet.name.value));
    unfed.map(|inlet| {
        let name = &inlet.name.value;
        let message = format!("`{name}` is an input, and nobody feeds it");
        let problem = Diagnostic::error(Code::MissingInput, message).at(&inlet.name.place);
        let hint = format!(
            "include this file in another, or write an `op` in `[input.{name}]` that stands in where it runs by itself"
        );
        problem.of(format!("input `{name}`")).hint(hint)
    })
}

/// Whether a node takes part at all.
pub(super) fn is_enabled(node: &NodeSpec) -> bool {
    node.options.enabled.as_ref().is_none_or(|enabled| enabled.value)
}

/// Nanoseconds in `ms`, rounded to the nearest.
pub(super) fn nanos(ms: f64) -> i64 {
    (ms * 1e6).round() as i64
}

fn kind_of(
    node: &NodeSpec,
    catalog: &Catalog,
    problems: &mut Vec<Diagnostic>,
) -> Option<&'static Kind> {
    let op = &node.op;
    if op.value.is_empty() {
        return None;
    }
    let Some(kind) = catalog.find(&op.value) else {
        let message = format!("`{}` is not a kind of the catalogue", op.value);
        let problem = Diagnostic::error(Code::UnknownKind, message).at(&op.place);
        let near = catalog.nearest(&op.value).filter(|_| !FORMATS.contains(&op.value.as_str()));
        problems.push(
            problem.of_node(&node.name.value).hint(what_there_is(catalog)).did_you_mean(near),
        );
        return None;
    };
    match kind.when_fed {
        // Whether the node has a `from` is not known when that could not be read.
        Some(_) if node.is_broken() && node.from.is_empty() => None,
        Some(fed) if !node.from.is_empty() => Some(fed),
        _ => Some(kind),
    }
}

/// Names of file formats that people ask for and no kind has; no slip of the pen for another.
const FORMATS: &[&str] =
    &["bdf", "edf", "flac", "h5", "json", "mat", "mp3", "parquet", "wav", "xdf"];

/// Where to look for a kind; who names an unknown file format learns which are read.
fn what_there_is(catalog: &Catalog) -> String {
    let reads = |kind: &&Kind| kind.is_source() && kind.param("file").is_some();
    let readers: Vec<_> = catalog.iter().filter(reads).map(|kind| kind.name).collect();
    let list = "choose one of those that `afferent list` prints";
    if readers.is_empty() {
        list.to_owned()
    } else {
        format!("{list}; files are read by {}", listed(readers))
    }
}

/// Turns that take longer count as wedged.
const WEDGE_NS: i64 = 1_000_000_000;

fn plan_node(
    node: DraftNode<'_>,
    kind: &'static Kind,
    out_edges: Vec<Vec<usize>>,
    home: Home,
) -> PlanNode {
    let options = &node.spec.options;
    let outline = node.outline.expect("all nodes are planned");
    let span = |ms: &Option<crate::graph::Spanned<f64>>| ms.as_ref().map(|ms| nanos(ms.value));
    PlanNode {
        name: node.spec.name.value.clone(),
        kind,
        params: node.params,
        op_place: node.spec.op.place.clone(),
        inputs: node.inputs,
        outputs: outline.outputs,
        own_outputs: node.own_outputs,
        in_edges: node.in_edges,
        out_edges,
        delay_ns: outline.delay_ns,
        look_back_ns: outline.look_back_ns,
        look_back_usual_ns: outline.look_back_usual_ns,
        duration_ns: outline.duration_ns,
        settling: (0, 0),
        align: outline.align,
        home,
        on_fault: options.on_fault.as_ref().map_or(OnFault::Restart, |fault| fault.value),
        retries: options.retries.as_ref().map(|retries| retries.value),
        wedge_ns: span(&options.wedge_ms).unwrap_or(WEDGE_NS),
        deadline_ns: span(&options.deadline_ms),
        idle_ns: span(&options.idle_ms),
        frame_ms: options.frame_ms.as_ref().map(|ms| ms.value),
        watched: false,
        tells_reached: false,
        source: 0,
        roots: Roots::NONE,
        stage_name: options.stage.as_ref().map(|stage| stage.value.clone()),
        gone: false,
        is_apart: false,
    }
}
