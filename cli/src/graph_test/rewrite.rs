//! A graph made ready for a test.

use std::collections::{BTreeMap, HashSet};

use engine::{
    Catalog, Code, Diagnostic, Diagnostics, Feed, GraphSpec, InputSpec, Kind, NodeOptions,
    NodeSpec, OnFull, Override, Placement, Port, SourceRef, Spanned, TestInput, TestSpec, nearest,
};

use crate::catalog::catalog;

use super::{
    collect::{self, Collected},
    feed::{self, PortFeed},
};

/// A graph made ready for a test.
pub(crate) struct Rewritten {
    pub(crate) spec: GraphSpec,
    pub(crate) catalog: Catalog,
    /// Where the frames of each expectation arrive.
    pub(crate) collectors: Vec<&'static Collected>,
}

/// Replaces inputs and sinks, attaches a collector for every expectation. What the test `set`s has been.
pub(crate) fn rewrite(spec: GraphSpec, test: &TestSpec) -> Result<Rewritten, Diagnostics> {
    let mut this =
        Rewriting { spec, catalog: catalog(), problems: Vec::new(), replaced: HashSet::new() };
    let had_consumers = this.consumed(test);
    this.replace_inputs(test);
    this.swallow_at_sinks(|_, _| collect::swallow());
    this.prune(test, &had_consumers);
    this.refuse_what_waits();
    let collectors = test.expect.iter().enumerate();
    let collectors = collectors.map(|(n, expectation)| {
        let (kind, collected) = collect::kind(n, expectation);
        this.catalog.add(kind);
        let mut name = format!("expect_{n}");
        while this.spec.find(&name).is_some() {
            name.push('_');
        }
        this.spec = this.spec.clone().node(&name, kind.name, |node| node);
        let node = this.spec.nodes.last_mut().expect("one was just added");
        node.from.push(InputSpec {
            port: None,
            source: expectation.from.clone(),
            on_full: Some(OnFull::Block.into()),
            capacity_ms: None,
            named: None,
        });
        collected
    });
    let collectors = collectors.collect();
    if this.problems.is_empty() {
        Ok(Rewritten { spec: this.spec, catalog: this.catalog, collectors })
    } else {
        Err(this.problems.into())
    }
}

/// What an input is before a test feeds it.
static BARE: Kind = Kind { name: "input", outputs: &[Port::any("out")], ..Kind::BASE };

/// A graph whose sinks swallow what comes, in the order in which they would have taken it, with the kinds for that.
pub(crate) fn without_sinks(spec: &GraphSpec) -> (GraphSpec, Catalog) {
    let mut this = Rewriting {
        spec: spec.clone(),
        catalog: catalog(),
        problems: Vec::new(),
        replaced: HashSet::new(),
    };
    this.swallow_at_sinks(|kind, node| {
        kind.param("order").map_or_else(collect::swallow, |_| {
            let order = node.param("order").and_then(|order| order.value.as_text());
            collect::swallow_as_they_come(order.unwrap_or_default())
        })
    });
    (this.spec, this.catalog)
}

struct Rewriting {
    spec: GraphSpec,
    catalog: Catalog,
    problems: Vec<Diagnostic>,
    replaced: HashSet<String>,
}

impl Rewriting {
    /// Names of the nodes whose outputs somebody takes.
    fn consumed(&self, test: &TestSpec) -> HashSet<String> {
        let edges = self.spec.nodes.iter().flat_map(|node| &node.from);
        let sources = edges.map(|input| &input.source.value);
        let asked = test.expect.iter().map(|expectation| &expectation.from.value);
        sources.chain(asked).map(SourceRef::node).collect()
    }

    fn replace_inputs(&mut self, test: &TestSpec) {
        let mut inline: BTreeMap<String, Vec<&TestInput>> = BTreeMap::new();
        for input in &test.inputs {
            let name = input.target.value.node();
            let Some(node) = self.spec.find(&name) else {
                let message = format!("the graph has no node `{name}`");
                let names = self.spec.nodes.iter().map(|node| node.name.value.as_str());
                let problem = Diagnostic::error(Code::UnknownNode, message);
                let problem = problem.at(&input.target.place).did_you_mean(nearest(&name, names));
                self.problems.push(problem);
                continue;
            };
            self.replaced.insert(name.clone());
            match &input.feed {
                Feed::Kind { op, params } => {
                    if let Some(port) = &input.target.value.port {
                        let problem = "another kind replaces all outputs of a node";
                        let problem = Diagnostic::error(Code::BadTest, problem).at(&port.place);
                        self.problems.push(problem.hint(format!("write `[test.input.{name}]`")));
                    }
                    let node = node.name.clone();
                    self.replace_kind(&node, op, params);
                }
                Feed::Events(_) | Feed::Samples { .. } => {
                    inline.entry(name).or_default().push(input);
                }
            }
        }
        for (name, inputs) in inline {
            self.replace_inline(&name, &inputs, test);
        }
    }

    /// As `--set node.op=K` and the parameters would.
    fn replace_kind(
        &mut self,
        node: &Spanned<String>,
        op: &Spanned<String>,
        params: &[(Spanned<String>, Spanned<engine::Value>)],
    ) {
        let set = |key: Spanned<String>, value| Override { path: vec![node.clone(), key], value };
        let mut overrides = vec![set("op".into(), op.clone().map(Into::into))];
        let params = params.iter().map(|(key, value)| set(key.clone(), value.clone()));
        overrides.extend(params);
        if self.catalog.find(&op.value).is_some_and(Kind::is_source) {
            self.node(&node.value).from.clear();
        }
        // The same kind with other parameters starts afresh, too.
        self.node(&node.value).params.clear();
        self.spec.apply(&overrides);
    }

    fn replace_inline(&mut self, name: &str, inputs: &[&TestInput], test: &TestSpec) {
        let node = self.spec.find(name).expect("its input was found");
        // An input of a file that runs by itself, and for which nothing stands in.
        let is_bare = node.op.value.is_empty() && !node.is_broken();
        let kind = if is_bare { Some(&BARE) } else { self.kind_of(node) };
        let Some(kind) = kind else {
            // What the planner says of an unknown kind tells all.
            return;
        };
        let mut feeds: Vec<Option<&TestInput>> = vec![None; kind.outputs.len()];
        for input in inputs {
            let port = input.target.value.port.as_ref();
            let number = match port {
                None => Some(0).filter(|_| !feeds.is_empty()),
                Some(port) => kind.outputs.iter().position(|known| known.name == port.value),
            };
            let Some(number) = number else {
                let port = port.map_or("", |port| &port.value);
                let message = format!("`{name}` ({}) has no output `{port}`", kind.name);
                let ports = kind.outputs.iter().map(|port| port.name);
                let problem = Diagnostic::error(Code::UnknownPort, message);
                let problem = problem.at(&input.target.place).did_you_mean(nearest(port, ports));
                self.problems.push(problem);
                continue;
            };
            if feeds[number].replace(input).is_some() {
                let message = format!("`{name}` is fed twice at one output");
                let problem = Diagnostic::error(Code::BadTest, message);
                self.problems.push(problem.at(&input.target.place).hint("leave one out"));
            }
        }
        let used = self.used_ports(name, kind, test);
        let mut ports = Vec::new();
        for (port, fed) in kind.outputs.iter().zip(feeds) {
            match fed {
                Some(input) => match PortFeed::read(&input.feed, &input.target) {
                    Ok(feed) => ports.push((port.name, feed)),
                    Err(problem) => self.problems.push(problem),
                },
                None if used.contains(port.name) => {
                    let message = format!("`{name}.{}` is taken, but not fed", port.name);
                    let problem = Diagnostic::error(Code::BadTest, message);
                    let hint = format!("write `[test.input.\"{name}.{}\"]`, too", port.name);
                    self.problems.push(problem.at(&inputs[0].target.place).hint(hint));
                }
                None => ports.push((port.name, PortFeed::nothing())),
            }
        }
        let fed = feed::kind(name, ports);
        self.catalog.add(fed);
        let node = self.node(name);
        node.op.value = fed.name.to_owned();
        node.params.clear();
        node.from.clear();
        let frame_ms = node.options.frame_ms.take();
        node.options = NodeOptions { frame_ms, ..NodeOptions::default() };
    }

    /// Names of the outputs of a node that somebody takes.
    fn used_ports(&self, name: &str, kind: &Kind, test: &TestSpec) -> HashSet<String> {
        let edges = self.spec.nodes.iter().flat_map(|node| &node.from);
        let sources = edges.map(|input| &input.source.value);
        let sources = sources.chain(test.expect.iter().map(|wanted| &wanted.from.value));
        let ours = sources.filter(|source| source.node() == name);
        let port = |source: &SourceRef| match &source.port {
            Some(port) => port.value.clone(),
            None => kind.outputs.first().map_or(String::new(), |port| port.name.to_owned()),
        };
        ours.map(port).collect()
    }

    /// A test writes no file and prints no line.
    fn swallow_at_sinks(&mut self, instead: impl Fn(&Kind, &NodeSpec) -> &'static Kind) {
        for number in 0..self.spec.nodes.len() {
            let sink = self.kind_of(&self.spec.nodes[number]).filter(|kind| kind.is_sink());
            let instead = sink.map(|sink| instead(sink, &self.spec.nodes[number]));
            let node = &mut self.spec.nodes[number];
            if let Some(instead) = instead.filter(|_| !node.is_broken()) {
                self.catalog.add(instead);
                node.op.value = instead.name.to_owned();
                node.params.clear();
                let enabled = node.options.enabled.take();
                node.options = NodeOptions { enabled, ..NodeOptions::default() };
                for input in &mut node.from {
                    input.port = None;
                }
            }
        }
    }

    /// Leaves out what only fed nodes that were replaced.
    fn prune(&mut self, test: &TestSpec, had_consumers: &HashSet<String>) {
        loop {
            let consumed = self.consumed(test);
            let before = self.spec.nodes.len();
            self.spec.nodes.retain(|node| {
                let name = &node.name.value;
                consumed.contains(name) || !had_consumers.contains(name)
            });
            if self.spec.nodes.len() == before {
                return;
            }
        }
    }

    /// Devices and services know no manual time.
    fn refuse_what_waits(&mut self) {
        for node in &self.spec.nodes {
            let is_enabled = node.options.enabled.as_ref().is_none_or(|enabled| enabled.value);
            let Some(kind) = self.kind_of(node).filter(|_| is_enabled) else { continue };
            if kind.live || (kind.placement == Placement::Waits && !kind.is_sink()) {
                let name = &node.name.value;
                let message = format!("`{name}` waits for the world, which a test has none of");
                let problem = Diagnostic::error(Code::BadTest, message).at(&node.op.place);
                let hint = format!("write `[test.input.{name}]` to feed something in its place");
                self.problems.push(problem.hint(hint));
            }
        }
    }

    /// What a node is an instance of, with or without a `from`.
    fn kind_of(&self, node: &NodeSpec) -> Option<&'static Kind> {
        let kind = self.catalog.find(&node.op.value)?;
        Some(kind.when_fed.filter(|_| !node.from.is_empty()).unwrap_or(kind))
    }

    fn node(&mut self, name: &str) -> &mut NodeSpec {
        let mut nodes = self.spec.nodes.iter_mut();
        nodes.find(|node| node.name.value == name).expect("its name was looked up")
    }
}

#[cfg(test)]
mod tests {
    use engine::SourceText;

    use super::*;

    #[test]
    fn a_sink_that_is_left_out_takes_its_inputs_in_the_order_it_would_have() {
        let graph = "[node.a]\nop = \"ecg\"\n[node.x]\nop = \"jsonl\"\nfrom = \"a\"\nfile = \"x\"\n\
                     [node.y]\nop = \"jsonl\"\nfrom = \"a\"\norder = \"time\"\nfile = \"y\"\n\
                     [node.z]\nop = \"jsonl\"\nfrom = \"a\"\norder = \"arrival\"\nfile = \"z\"\n\
                     [node.n]\nop = \"null\"\nfrom = \"a\"\n";
        let spec = GraphSpec::parse(&SourceText::new("g.toml", graph)).expect("a graph");
        let (spec, catalog) = without_sinks(&spec);
        let kinds = ["x", "y", "z", "n"].map(|name| {
            let node = spec.find(name).expect("it is still there");
            assert!(catalog.find(&node.op.value).is_some_and(Kind::is_sink));
            node.op.value.as_str()
        });
        let [paced, ordered, always] =
            ["auto", "time", "arrival"].map(|order| collect::swallow_as_they_come(order).name);
        assert_eq!(kinds, [paced, ordered, always, ordered]);
    }
}
