//! Hosts: which nodes run here, and what becomes of the edges that lead elsewhere.
//!
//! ```text
//! whole      ecg ──▶ clean ──▶ beats ──▶ out          on = edge  edge  cloud  cloud
//! on edge    ecg ──▶ clean ──▶ to_cloud_beats_0       a sink, made by Carrier::send
//! on cloud   from_edge_clean_0 ──▶ beats ──▶ out      a source, made by Carrier::receive
//! ```
//!
//! Every host plans the whole graph first, so that formats are agreed along every edge wherever
//! its ends are; then it keeps its own nodes and plans those, with link nodes in the others' place.

use std::{any::Any, collections::BTreeMap, sync::Arc};

use crate::{
    carrier::{Carrier, CutEdge},
    graph::{
        Code, Diagnostic, Diagnostics, GraphSpec, InputSpec, NodeSpec, OnFull, Spanned, nearest,
    },
    kind::{BuildError, Catalog, Kind, Node, Outline, Passed, Placement, Port},
    service::Service,
};

use super::{
    Plan,
    draft::{Draft, PlanOptions},
    moves::{ANSWERS, Moving, may_move, moving_call},
    words::listed,
};

/// Takes a cut edge off the graph.
static LINK_OUT: Kind = Kind {
    name: "link_out",
    inputs: &[Port::any("in")],
    placement: Placement::Waits,
    build: |node| {
        let (links, edge) = cut_edge(node);
        Ok(crate::Body::Sink(links.carrier.send(&edge).map_err(BuildError::Fault)?))
    },
    ..Kind::BASE
};

/// Brings a cut edge into the graph.
const IN: Kind = Kind {
    name: "link_in",
    outputs: &[Port::any("out")],
    placement: Placement::Waits,
    plan: |node| {
        let (links, edge) = cut_edge(node);
        let outline = Outline::of([edge.format]);
        // Known further down; a source that waits has nothing subtracted from its times.
        Ok(outline.delayed(links.edges[node.name()].delay_ns))
    },
    build: |node| {
        let (links, edge) = cut_edge(node);
        Ok(crate::Body::Live(links.carrier.receive(&edge).map_err(BuildError::Fault)?))
    },
    ..Kind::BASE
};

static LINK_IN: Kind = IN;

/// Of an edge of which the other host may take back what it has sent.
static LINK_IN_VOIDABLE: Kind = Kind { name: "link_in_voidable", ..IN };

/// What a link node stands for.
pub(super) struct Carried {
    pub(super) edge: CutEdge,
    /// How far what it carries is behind its sources.
    pub(super) delay_ns: i64,
    /// What it has passed on the other host, the nearest first.
    pub(super) through: Vec<Passed>,
}

/// What the node called `name` stands for, if it is a link node.
pub(super) fn carried<'a>(options: &'a PlanOptions, name: &str) -> Option<&'a Carried> {
    options.services.find::<Links>(SERVICE)?.edges.get(name)
}

/// The cut edges of a plan, where link nodes find theirs by name.
pub(super) struct Links {
    pub(super) carrier: Arc<dyn Carrier>,
    edges: BTreeMap<String, Carried>,
    /// By the node that stands for it here.
    pub(super) moves: BTreeMap<String, Moving>,
}

impl Service for Links {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// No section of a graph has this name: it has a blank.
pub(super) const SERVICE: &str = "cut edges";

fn cut_edge<'a>(node: &Node<'a>) -> (&'a Links, CutEdge) {
    let links = node.services().find::<Links>(SERVICE).expect("only split graphs have link nodes");
    let edge = links.edges[node.name()].edge.clone();
    (links, CutEdge { session: node.session(), ..edge })
}

impl Draft<'_> {
    /// Every host that is named must be described.
    pub(super) fn check_hosts(&mut self) {
        let hosts: Vec<&str> = self.spec.hosts.iter().map(|host| &host.name.value[..]).collect();
        for node in &self.spec.nodes {
            for on in node.options.on.iter().filter(|on| !hosts.contains(&&on.value[..])) {
                let problem = unknown_host(&on.value, &hosts).at(&on.place);
                self.problems.push(problem.of_node(&node.name.value));
            }
        }
    }
}

fn unknown_host(name: &str, hosts: &[&str]) -> Diagnostic {
    let problem = Diagnostic::error(Code::UnknownHost, format!("there is no host `{name}`"));
    let problem = match hosts {
        [] => problem.hint(format!("write `[host.{name}]`")),
        _ => problem.hint(format!("the graph has {}", listed(hosts.iter().copied()))),
    };
    problem.did_you_mean(nearest(name, hosts.iter().copied()))
}

/// The part of a graph that runs on one host.
pub(super) fn plan_on(
    spec: &GraphSpec,
    host: &str,
    catalog: &Catalog,
    options: &PlanOptions,
) -> Result<Plan, Diagnostics> {
    let hosts: Vec<&str> = spec.hosts.iter().map(|host| &host.name.value[..]).collect();
    if !hosts.contains(&host) {
        return Err(unknown_host(host, &hosts).into());
    }
    // Another host may have more cores; ours are counted when our part is planned.
    let anywhere = PlanOptions { host: None, cores: usize::MAX, ..options.clone() };
    let whole = Arc::new(spec.plan(catalog, &anywhere)?);
    let homes = homes(spec, &whole)?;
    let placed = homes.iter().map(|(node, host)| (node.clone(), (*host).to_owned())).collect();
    let mut split = Split {
        spec,
        homes,
        host,
        edges: BTreeMap::new(),
        moves: BTreeMap::new(),
        behind_devices: whole.behind_devices(),
        lags_ns: whole.lags_ns(),
        whole: &whole,
    };
    let part = split.part();
    let cut = split.edges.values().map(|cut| &cut.edge);
    let asked = split.moves.values().map(|moving| &moving.call.question);
    if let (None, Some(cut)) = (&options.carrier, cut.chain(asked).next()) {
        let message = format!("`{}` leads to another host, and there is no link", cut.from);
        let hint = "give a carrier, or run all nodes on one host";
        return Err(Diagnostic::error(Code::NoCarrier, message).hint(hint).into());
    }
    let mut here = PlanOptions { host: None, ..options.clone() };
    if let Some(carrier) = &options.carrier {
        let carrier = carrier.clone();
        let links = Links { carrier, edges: split.edges, moves: split.moves };
        here.services = here.services.with(SERVICE, Arc::new(links));
    }
    let mut kinds = catalog.clone();
    kinds.add(&LINK_OUT);
    kinds.add(&LINK_IN);
    kinds.add(&LINK_IN_VOIDABLE);
    kinds.add(&ANSWERS);
    let mut plan = part.plan(&kinds, &here)?;
    plan.spec = Arc::new(spec.clone());
    plan.placed = placed;
    number_sources(&mut plan, &whole);
    Ok(plan)
}

/// A source has the same number on every host, so that what a header says of it means the same.
fn number_sources(plan: &mut Plan, whole: &Plan) {
    let mut others = whole.nodes.iter().map(|node| node.source).max().unwrap_or(0);
    for node in plan.nodes.iter_mut().filter(|node| node.kind.is_source()) {
        let known = whole.nodes.iter().find(|known| known.name == node.name);
        node.source = known.map_or_else(
            || {
                others += 1;
                others
            },
            |known| known.source,
        );
    }
}

/// Whether nodes of this kind have their bound asked for: it goes on on another host.
pub(super) fn wants_bound(kind: &Kind) -> bool {
    std::ptr::eq(kind, &raw const LINK_OUT)
}

/// Whether sources of this kind ask how far the sinks behind them are.
pub(super) fn waits_for_sinks(kind: &Kind) -> bool {
    std::ptr::eq(kind, &raw const LINK_IN) || takes_back(kind)
}

/// Whether sources of this kind flush when another host does.
fn takes_back(kind: &Kind) -> bool {
    std::ptr::eq(kind, &raw const LINK_IN_VOIDABLE)
}

/// Whether nodes of this kind may flush.
pub(super) fn is_root(kind: &Kind) -> bool {
    kind.flushes_on.is_some() || takes_back(kind)
}

impl Plan {
    /// The edges between this host and others, in an order that all hosts of a graph share.
    pub fn cut_edges(&self) -> Vec<CutEdge> {
        let links = self.services.find::<Links>(SERVICE);
        let cut = links.iter().flat_map(|links| links.edges.values());
        let moves = links.iter().flat_map(|links| links.moves.values());
        let asked = moves.flat_map(|Moving { call, .. }| [&call.question, &call.answer]);
        let mut cut: Vec<CutEdge> =
            cut.map(|carried| &carried.edge).chain(asked).cloned().collect();
        cut.sort_by(|a, b| a.to.cmp(&b.to));
        cut
    }

    /// Of a host's part: every node of the whole graph with its host.
    pub fn placement(&self) -> &[(String, String)] {
        &self.placed
    }

    /// Every host of the graph with the nodes it runs.
    ///
    /// # Errors
    /// Nodes of which it is not said where they run.
    pub fn homes(&self) -> Result<Vec<(String, Vec<String>)>, Diagnostics> {
        let homes = homes(&self.spec, self)?;
        let of = |host: &str| {
            let here = self.nodes.iter().filter(|node| homes.get(&node.name) == Some(&host));
            here.map(|node| node.name.clone()).collect()
        };
        let hosts = self.spec.hosts.iter().map(|host| &host.name.value);
        Ok(hosts.map(|host| (host.clone(), of(host))).collect())
    }

    /// Of every node whether a device is among its sources.
    fn behind_devices(&self) -> Vec<bool> {
        let mut behind = vec![false; self.nodes.len()];
        for (number, node) in self.nodes.iter().enumerate() {
            let above = node.in_edges.iter().any(|&edge| behind[self.edges[edge].from.0]);
            behind[number] = node.kind.live || above;
        }
        behind
    }

    /// Of every node how far its outputs are behind the sources at most, by bounds; and how far the last
    /// sink below it is.
    fn lags_ns(&self) -> [Vec<i64>; 2] {
        let mut own = vec![0_i64; self.nodes.len()];
        for (number, node) in self.nodes.iter().enumerate() {
            let above = node.in_edges.iter().map(|&edge| own[self.edges[edge].from.0]);
            let above = above.max().unwrap_or(0);
            own[number] = above.saturating_add(node.delay_ns).saturating_add(node.look_back_ns);
        }
        let mut last = own.clone();
        for (number, node) in self.nodes.iter().enumerate().rev() {
            let below = node.out_edges.iter().flatten().map(|&edge| last[self.edges[edge].to.0]);
            last[number] = below.max().unwrap_or(last[number]);
        }
        [own, last]
    }
}

/// The host of every node: as written, else that of its producers.
fn homes<'a>(spec: &'a GraphSpec, whole: &Plan) -> Result<BTreeMap<String, &'a str>, Diagnostics> {
    let mut homes: BTreeMap<String, &str> = BTreeMap::new();
    let mut problems = Vec::new();
    for node in &whole.nodes {
        let written = spec.find(&node.name).expect("planned from this spec");
        // A call that may move begins where it is named first.
        if let Some(on) = written.options.on.first() {
            homes.insert(node.name.clone(), &on.value);
            continue;
        }
        let above = node.in_edges.iter().map(|&edge| &whole.nodes[whole.edges[edge].from.0].name);
        let mut above: Vec<&str> = above.filter_map(|name| homes.get(name).copied()).collect();
        above.sort_unstable();
        above.dedup();
        match above[..] {
            [home] => drop(homes.insert(node.name.clone(), home)),
            // What feeds it has been complained of.
            [] if !node.in_edges.is_empty() => {}
            _ => {
                let message = format!("where `{}` runs is not said", node.name);
                let problem = Diagnostic::error(Code::NoHost, message).of_node(&node.name);
                let hint = match &above[..] {
                    [] => "name its host: `on = \"…\"`".to_owned(),
                    above => format!(
                        "its producers run on {}; write `on`",
                        listed(above.iter().copied())
                    ),
                };
                problems.push(problem.at(&written.op.place).hint(hint));
            }
        }
    }
    if problems.is_empty() { Ok(homes) } else { Err(Diagnostics(problems)) }
}

/// A graph while it is taken apart.
struct Split<'a> {
    spec: &'a GraphSpec,
    whole: &'a Arc<Plan>,
    homes: BTreeMap<String, &'a str>,
    host: &'a str,
    edges: BTreeMap<String, Carried>,
    moves: BTreeMap<String, Moving>,
    /// By node of the whole.
    behind_devices: Vec<bool>,
    lags_ns: [Vec<i64>; 2],
}

impl Split<'_> {
    /// The nodes of this host, and link nodes.
    fn part(&mut self) -> GraphSpec {
        let mut part = self.spec.clone();
        part.nodes.clear();
        for node in &self.spec.nodes {
            let Some(&home) = self.homes.get(&node.name.value) else { continue };
            let mut node = node.clone();
            if may_move(&node) {
                part.nodes.extend(self.moves(&node, home));
            } else {
                // Hosts have been decided.
                node.options.on.clear();
            }
            let lines = self.lines(&node);
            for (input, line) in node.from.iter_mut().zip(lines) {
                let Some(line) = line else { continue };
                let from = self.homes[&input.source.value.node()];
                if from == home || (from != self.host && home != self.host) {
                    continue;
                }
                let link = self.cut(&node.name.value, line, input, from, home);
                part.nodes.push(link);
            }
            if home == self.host {
                part.nodes.push(node);
            }
        }
        part
    }

    /// Notes a call that may move and has to do with this host; away from home, gives the node that
    /// answers.
    fn moves(&mut self, node: &NodeSpec, home: &str) -> Option<NodeSpec> {
        let name = &node.name.value;
        let other = &node.options.on.iter().find(|on| on.value != home)?.value;
        let whole = self.whole;
        let call = moving_call(self.planned(name), [home, other], whole.deadline_ns);
        if home == self.host {
            self.moves.insert(name.clone(), Moving { call, theirs: None });
            return None;
        }
        if *other != self.host {
            return None;
        }
        let number = whole.nodes.iter().position(|planned| planned.name == *name)?;
        let stands = self.free(&format!("answers_{name}"));
        let theirs = Some((whole.clone(), number));
        self.moves.insert(stands.clone(), Moving { call, theirs });
        let place = node.name.place.clone();
        Some(NodeSpec::new(Spanned::new(stands, place), Spanned::from(ANSWERS.name)))
    }

    /// The line of each input of a node; none for producers that are disabled.
    fn lines(&self, node: &NodeSpec) -> Vec<Option<usize>> {
        let planned = self.planned(&node.name.value);
        let port = |input: &InputSpec| {
            let name = input.port.as_ref().map(|port| &port.value[..]);
            let ports = planned.kind.inputs.iter();
            name.map_or(0, |name| ports.clone().position(|port| port.name == name).unwrap_or(0))
        };
        let there = |input: &InputSpec| self.homes.contains_key(&input.source.value.node());
        let mut order: Vec<usize> =
            (0..node.from.len()).filter(|&n| there(&node.from[n])).collect();
        // Lines stand in the order of the ports, within one port in the order of `from`.
        order.sort_by_key(|&n| port(&node.from[n]));
        let mut lines = vec![None; node.from.len()];
        for (line, n) in order.into_iter().enumerate() {
            lines[n] = Some(line);
        }
        lines
    }

    fn planned(&self, node: &str) -> &super::PlanNode {
        let mut nodes = self.whole.nodes.iter();
        nodes.find(|planned| planned.name == node).expect("planned from this spec")
    }

    /// Cuts one edge and gives the link node for this host; on the consuming side the input is
    /// led to it.
    fn cut(
        &mut self,
        consumer: &str,
        line: usize,
        input: &mut InputSpec,
        from: &str,
        to: &str,
    ) -> NodeSpec {
        let planned = self.planned(consumer);
        let edge = &self.whole.edges[planned.in_edges[line]];
        let written = self.spec.find(consumer).expect("planned from this spec");
        let may_void = !self.whole.nodes[edge.from.0].roots.is_empty();
        let capacity_ms = input.capacity_ms.as_ref().or(written.options.capacity_ms.as_ref());
        let cut = Carried {
            edge: CutEdge {
                from: self.whole.output_label(edge.from.0, edge.from.1),
                to: (consumer.to_owned(), line),
                session: 0,
                format: edge.format.clone(),
                hosts: [from.to_owned(), to.to_owned()],
                on_full: edge.ring.map_or(OnFull::Block, |ring| ring.on_full),
                capacity_ms: capacity_ms.map(|ms| ms.value),
                deadline_ns: planned.deadline_ns.or(self.whole.deadline_ns),
                behind_device: self.behind_devices[edge.from.0],
                call: None,
                may_void,
                lag_ns: self.lags_ns[1][edge.to.0].saturating_sub(self.lags_ns[0][edge.from.0]),
            },
            delay_ns: edge.delay_ns,
            through: planned.inputs[line].through.clone(),
        };
        let sends = from == self.host;
        let name = match sends {
            true => self.free(&format!("to_{to}_{consumer}_{line}")),
            false => {
                self.free(&format!("from_{from}_{}_{line}", self.whole.nodes[edge.from.0].name))
            }
        };
        self.edges.insert(name.clone(), cut);
        let place = input.source.place.clone();
        let named = |kind: &Kind| {
            NodeSpec::new(Spanned::new(name.clone(), place.clone()), Spanned::from(kind.name))
        };
        if sends {
            let mut link = named(&LINK_OUT);
            link.from = vec![InputSpec { port: None, ..input.clone() }];
            return link;
        }
        // What is picked is picked before it is sent.
        let source = &mut input.source.value;
        source.path.value = vec![name.clone()];
        (source.port, source.channels) = (None, None);
        named(if may_void { &LINK_IN_VOIDABLE } else { &LINK_IN })
    }

    /// A name that no node has.
    fn free(&self, wanted: &str) -> String {
        let taken = |name: &str| {
            self.spec.find(name).is_some()
                || self.edges.contains_key(name)
                || self.moves.contains_key(name)
        };
        let mut name = wanted.to_owned();
        while taken(&name) {
            name.push('_');
        }
        name
    }
}
