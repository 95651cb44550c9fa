//! Edges: from the ports that `from` names to the ports they feed.

use std::collections::HashMap;

use crate::{
    graph::{Code, Diagnostic, InputSpec, NodeSpec, SourceRef, nearest},
    kind::{Kind, Port},
};

use super::{
    draft::{Draft, DraftEdge, DraftNode, is_enabled},
    from::whole_from,
    words::listed,
};

/// What a name in `from` leads to.
enum Producer {
    Port(usize, usize),
    /// A node that is left out.
    Disabled,
    /// Nothing, and that has been told.
    Nothing,
}

/// Who asks for more is told without a suggestion: each takes a look at every name.
const SUGGESTIONS_MAX: usize = 32;

impl<'a> Draft<'a> {
    /// Makes an edge of every input; tells which ports want more or fewer.
    pub(super) fn connect(&mut self) {
        let numbers: HashMap<&str, usize> = {
            let names = self.nodes.iter().enumerate().rev();
            names.map(|(number, node)| (node.spec.name.value.as_str(), number)).collect()
        };
        let mut unknown = 0;
        for consumer in 0..self.nodes.len() {
            let node = self.nodes[consumer].spec;
            let before = self.problems.len();
            let mut lost = Lost::default();
            for input in &node.from {
                let producer = match self.producer(node, &input.source.value, &numbers) {
                    Ok(producer) => producer,
                    Err(problem) => {
                        unknown += usize::from(problem.code == Code::UnknownNode);
                        let problem = match problem.code {
                            Code::UnknownNode if unknown <= SUGGESTIONS_MAX => {
                                self.suggested(problem, node, &input.source.value.node())
                            }
                            _ => problem,
                        };
                        self.problems.push(problem.of_node(&node.name.value));
                        Producer::Nothing
                    }
                };
                self.join(consumer, input, producer, &mut lost);
            }
            self.check_ports(consumer, &lost);
            let fits = self.problems.len() == before && !lost.any;
            self.nodes[consumer].sound &= fits;
            self.nodes[consumer].connected &= fits;
        }
    }

    /// The node that was probably meant, or which there are.
    fn suggested(&self, problem: Diagnostic, consumer: &NodeSpec, asked: &str) -> Diagnostic {
        let names = self.spec.nodes.iter().map(|node| node.name.value.as_str());
        let feeds = |node: &&DraftNode<'_>| {
            node.spec.name.value != consumer.name.value && !node.kind.is_some_and(Kind::is_sink)
        };
        let others = self.nodes.iter().filter(feeds).map(|node| node.spec.name.value.as_str());
        let others: Vec<&str> = others.collect();
        let problem = match &others[..] {
            [] => problem,
            [one] => problem.hint(format!("there is `{one}`")),
            several => problem.hint(format!("there are {}", listed(several.iter().copied()))),
        };
        problem.did_you_mean(nearest(asked, names))
    }

    /// The node and port that a SOURCE names.
    fn producer(
        &self,
        consumer: &NodeSpec,
        source: &SourceRef,
        numbers: &HashMap<&str, usize>,
    ) -> Result<Producer, Diagnostic> {
        let name = source.node();
        let path = &source.path;
        let Some(&number) = numbers.get(name.as_str()) else {
            if self.spec.find(&name).is_some_and(|node| !is_enabled(node)) {
                return Ok(Producer::Disabled);
            }
            if self.spec.is_lost(&name) {
                return Ok(Producer::Nothing);
            }
            let message = format!("there is no node `{name}`");
            return Err(Diagnostic::error(Code::UnknownNode, message).at(&path.place));
        };
        let Some(kind) = self.nodes[number].kind else { return Ok(Producer::Nothing) };
        if kind.is_sink() {
            let message = format!("nothing comes out of `{name}`: `{}` is a sink", kind.name);
            let problem = Diagnostic::error(Code::NoOutput, message).at(&path.place);
            let above = self.nodes[number]
                .spec
                .from
                .first()
                .filter(|above| above.source.value.node() != consumer.name.value);
            return Err(match above {
                Some(above) => {
                    problem.hint(format!("take what feeds it: `{}`", above.source.value))
                }
                None => problem,
            });
        }
        let Some(port) = &source.port else { return Ok(Producer::Port(number, 0)) };
        match kind.outputs.iter().position(|known| known.name == port.value) {
            Some(position) => Ok(Producer::Port(number, position)),
            None => {
                let problem = unknown_port(&name, "output", &port.value, kind.outputs);
                Err(problem.at(&port.place))
            }
        }
    }

    /// Finds the port an input feeds, and makes the edge if there is something at both ends.
    fn join(&mut self, consumer: usize, input: &'a InputSpec, producer: Producer, lost: &mut Lost) {
        let node = &self.nodes[consumer];
        let name = &node.spec.name.value;
        let Some(kind) = node.kind.filter(|kind| !kind.is_source()) else { return };
        let port = match &input.port {
            None => 0,
            Some(port) => match kind.inputs.iter().position(|known| known.name == port.value) {
                Some(position) => position,
                None => {
                    let problem = unknown_port(name, "input", &port.value, kind.inputs);
                    self.problems.push(problem.at(&port.place).of_node(name));
                    // Which port it was meant for is not known, so none is called empty.
                    lost.any = true;
                    return;
                }
            },
        };
        match producer {
            Producer::Port(from, from_port) => {
                let edge = self.edges.len();
                self.edges.push(DraftEdge {
                    written: input,
                    from: (from, from_port),
                    to: (consumer, port),
                    format: None,
                    pick: None,
                    delay_ns: 0,
                });
                self.nodes[consumer].in_edges.push(edge);
            }
            Producer::Disabled => lost.disabled.push((port, input.source.value.node())),
            Producer::Nothing => lost.any = true,
        }
    }

    /// Every port must have what it takes.
    fn check_ports(&mut self, consumer: usize, lost: &Lost) {
        let node = &self.nodes[consumer];
        let spec = node.spec;
        let name = &spec.name.value;
        let Some(kind) = node.kind else { return };
        if let (true, [first, ..]) = (kind.is_source(), &spec.from[..]) {
            let message = format!("`{name}` has a `from`, but `{}` is a source", kind.name);
            let problem = Diagnostic::error(Code::TakesNoInput, message);
            let problem = problem.at(&first.source.place).of_node(name);
            self.problems.push(problem.hint("leave `from` out, or choose another `op`"));
            return;
        }
        for (number, port) in kind.inputs.iter().enumerate() {
            let edges = node.in_edges.iter().filter(|&&edge| self.edges[edge].to.1 == number);
            let edges: Vec<usize> = edges.copied().collect();
            let problem = match &edges[..] {
                [_, second, ..] if !port.variadic => {
                    let place = &self.edges[*second].written.source.place;
                    too_many(name, kind, port, edges.len()).at(place)
                }
                [] if !port.optional && !lost.any && !spec.is_broken() => {
                    missing_input(spec, kind, number, lost).at(&spec.op.place)
                }
                _ => continue,
            };
            self.problems.push(problem.of_node(name));
        }
    }
}

/// Inputs that became no edge.
#[derive(Default)]
struct Lost {
    /// Whether one was wrong, so that an empty port says nothing.
    any: bool,
    /// Ports and the disabled nodes that would feed them.
    disabled: Vec<(usize, String)>,
}

fn unknown_port(node: &str, what: &str, asked: &str, ports: &'static [Port]) -> Diagnostic {
    let names = || ports.iter().map(|port| port.name);
    let is = if ports.len() == 1 { " is" } else { "s are" };
    Diagnostic::error(Code::UnknownPort, format!("`{node}` has no {what} `{asked}`"))
        .hint(format!("its {what}{is} {}", listed(names())))
        .did_you_mean(nearest(asked, names()))
}

fn too_many(node: &str, kind: &Kind, port: &Port, edges: usize) -> Diagnostic {
    let message = format!("`{}` of `{node}` takes one input, but {edges} are given", port.name);
    let hint = match kind.inputs {
        [first, second, ..] => {
            let (first, second) = (first.name, second.name);
            format!("name the ports: `from = {{ {first} = \"…\", {second} = \"…\" }}`")
        }
        _ => "leave one, or put a node between that takes several".to_owned(),
    };
    Diagnostic::error(Code::TooManyInputs, message).hint(hint)
}

fn missing_input(node: &NodeSpec, kind: &Kind, port: usize, lost: &Lost) -> Diagnostic {
    let name = &node.name.value;
    let wanted = match kind.inputs {
        [_] => format!("`{name}`"),
        ports => format!("`{}` of `{name}`", ports[port].name),
    };
    let disabled: Vec<&str> =
        lost.disabled.iter().filter(|(fed, _)| *fed == port).map(|(_, name)| &name[..]).collect();
    if !disabled.is_empty() {
        let is = if disabled.len() == 1 { "is" } else { "are" };
        let disabled = listed(disabled);
        let message = format!("{wanted} has no input: {disabled} {is} disabled");
        let hint = format!("enable {disabled}, or disable `{name}` as well");
        return Diagnostic::error(Code::MissingInput, message).hint(hint);
    }
    let hint = format!("write `{}`", whole_from(node, kind, None));
    Diagnostic::error(Code::MissingInput, format!("{wanted} has no input")).hint(hint)
}
