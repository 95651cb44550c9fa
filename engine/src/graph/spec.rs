//! What a graph file says, typed: names, nodes, inputs and reserved keys, each with its place.
//!
//! A `GraphSpec` comes from [`GraphSpec::parse`] or is built in Rust; both give equal specs. It
//! knows no kinds: whether an `op` exists and what its parameters mean is the planner's business.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::declare::{InletSpec, OutletSpec, ParamSpec};
use super::overrides::Override;
use super::place::{SourceText, Spanned};
use super::source::SourceRef;
use super::test::TestSpec;
use super::value::Value;
use super::{Code, Diagnostic, Diagnostics, nearest};
use crate::param::{AnyParam, Params, missing};

/// A graph as written.
///
/// A spec may hold problems that were found while it was read or built. They wait here so that
/// the planner can report them together with its own: it starts from [`GraphSpec::problems`].
#[derive(Clone, Debug, PartialEq)]
pub struct GraphSpec {
    /// From `[graph]`, else the file's name without its ending.
    pub name: Spanned<String>,
    /// The latency that every output may have.
    pub deadline_ms: Option<Spanned<f64>>,
    /// A sentence for people.
    pub doc: Option<Spanned<String>>,
    /// In the order of the file.
    pub nodes: Vec<NodeSpec>,
    /// `[model.NAME]`
    pub models: Vec<SectionSpec>,
    /// `[cache.NAME]`
    pub caches: Vec<SectionSpec>,
    /// `[host.NAME]`
    pub hosts: Vec<SectionSpec>,
    /// `[include.NAME]`: of a graph that was loaded, those within others too, by their whole names, and
    /// what they stand for is among the nodes.
    pub includes: Vec<SectionSpec>,
    /// `[param.NAME]`, whose values stand in their places already.
    pub params: Vec<ParamSpec>,
    /// `[input.NAME]`
    pub inlets: Vec<InletSpec>,
    /// `[output.NAME]`
    pub outlets: Vec<OutletSpec>,
    /// `[[test]]`
    pub tests: Vec<TestSpec>,
    /// Problems that belong to no node.
    pub(super) problems: Vec<Diagnostic>,
    /// Whether all that is included is in its place.
    pub(super) is_expanded: bool,
    /// Changes of what is not in its place yet.
    pub(super) pending: Vec<Override>,
    /// What is known of each include, by its whole name.
    pub(super) scopes: BTreeMap<String, Scope>,
    /// Whole names of includes that could not be read, which is among the problems.
    pub(super) lost: Vec<String>,
    pub(super) included: Vec<Arc<SourceText>>,
}

/// An include: what feeds its inputs and where its outputs come from, by paths from the outermost graph.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scope {
    pub(super) fed: Vec<(String, Vec<InputSpec>)>,
    pub(super) outlets: Vec<OutletSpec>,
}

impl GraphSpec {
    /// The node of this name. Looks through all; whoever asks often makes an index.
    pub fn find(&self, name: &str) -> Option<&NodeSpec> {
        self.nodes.iter().find(|node| node.name.value == name)
    }

    /// Refuses a spec in which errors were found; for those who do not plan it.
    pub fn checked(self) -> Result<Self, Diagnostics> {
        let problems = Diagnostics(self.problems());
        if problems.has_errors() { Err(problems) } else { Ok(self) }
    }
}

/// One node as written.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeSpec {
    /// Unique among the nodes.
    pub name: Spanned<String>,
    /// The kind. Empty only where it was not written, which is then among the problems.
    pub op: Spanned<String>,
    /// One entry per edge, in the order of the file.
    pub from: Vec<InputSpec>,
    /// The other reserved keys.
    pub options: NodeOptions,
    /// Everything that is not a reserved key, in the order of the file.
    pub params: Vec<(Spanned<String>, Spanned<Value>)>,
    pub(super) problems: Vec<Diagnostic>,
}

impl NodeSpec {
    /// Whether a problem of this node was found already. What hangs on it (a missing input, an
    /// unknown format) is then better left unsaid.
    pub fn is_broken(&self) -> bool {
        !self.problems.is_empty()
    }

    /// What is written for a parameter.
    pub fn param(&self, name: &str) -> Option<&Spanned<Value>> {
        self.params.iter().find(|(key, _)| key.value == name).map(|(_, value)| value)
    }
}

/// The reserved keys of a node, except `op` and `from`. What is not written is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeOptions {
    /// Hosts that may run the node; empty for where its producers run.
    pub on: Vec<Spanned<String>>,
    /// Nodes with one stage name share an actor.
    pub stage: Option<Spanned<String>>,
    /// Number of the data core, from 0.
    pub core: Option<Spanned<u32>>,
    /// Asks the system for real-time scheduling.
    pub realtime: Option<Spanned<bool>>,
    /// Room on every input, in milliseconds of data.
    pub capacity_ms: Option<Spanned<f64>>,
    /// For every input that does not say otherwise.
    pub on_full: Option<Spanned<OnFull>>,
    /// What happens when it keeps failing.
    pub on_fault: Option<Spanned<OnFault>>,
    /// How long a join waits for a late input, in event time; 0 never waits.
    pub max_wait_ms: Option<Spanned<f64>>,
    /// Silence after which the clock raises a live source's bound.
    pub idle_ms: Option<Spanned<f64>>,
    /// Latency the node's output may have.
    pub deadline_ms: Option<Spanned<f64>>,
    /// Length of the frames a source makes.
    pub frame_ms: Option<Spanned<f64>>,
    /// Length of a turn after which the node counts as wedged.
    pub wedge_ms: Option<Spanned<f64>>,
    /// Restarts before `on_fault` decides, or attempts of a call.
    pub retries: Option<Spanned<u32>>,
    /// `false` leaves the node out.
    pub enabled: Option<Spanned<bool>>,
    /// A sentence for people.
    pub doc: Option<Spanned<String>>,
}

/// One edge, named by its consumer.
#[derive(Clone, Debug, PartialEq)]
pub struct InputSpec {
    /// The consumer's port, where one is named; several inputs may name one variadic port.
    pub port: Option<Spanned<String>>,
    /// Where the edge begins.
    pub source: Spanned<SourceRef>,
    /// For this edge, whatever the node says.
    pub on_full: Option<Spanned<OnFull>>,
    /// For this edge, whatever the node says; in milliseconds of data.
    pub capacity_ms: Option<Spanned<f64>>,
    /// What the file that has the node calls the source, where the way to it leads through an include.
    pub named: Option<String>,
}

/// A `[model.NAME]`, `[cache.NAME]`, `[host.NAME]` or `[include.NAME]`, as written.
#[derive(Clone, Debug, PartialEq)]
pub struct SectionSpec {
    /// The `NAME`.
    pub name: Spanned<String>,
    /// All keys, in the order of the file.
    pub params: Vec<(Spanned<String>, Spanned<Value>)>,
}

impl SectionSpec {
    /// What is written for a key.
    pub fn param(&self, name: &str) -> Option<&Spanned<Value>> {
        self.params.iter().find(|(key, _)| key.value == name).map(|(_, value)| value)
    }

    /// The parameters of a model's section, as [`SectionSpec::checked_as`].
    ///
    /// # Errors
    /// Every problem, at its place.
    pub fn checked(&self, known: &[&'static dyn AnyParam]) -> Result<Params, Diagnostics> {
        self.checked_as("model", known)
    }

    /// The section's parameters, if they are all among `known`, fit, and lack none that must be. Problems
    /// call it a `what`, such as "model".
    ///
    /// # Errors
    /// Every problem, at its place.
    pub fn checked_as(
        &self,
        what: &str,
        known: &[&'static dyn AnyParam],
    ) -> Result<Params, Diagnostics> {
        let mut problems = Vec::new();
        let names = || known.iter().map(|param| param.name());
        for (key, value) in &self.params {
            match known.iter().find(|param| param.name() == key.value) {
                Some(param) => problems.extend(param.check(value)),
                None => {
                    let message = format!("a {what} has no parameter `{}`", key.value);
                    let problem = Diagnostic::error(Code::UnknownKey, message).at(&key.place);
                    let all: Vec<String> = names().map(|name| format!("`{name}`")).collect();
                    let problem = problem.hint(format!("its parameters are {}", all.join(", ")));
                    problems.push(problem.did_you_mean(nearest(&key.value, names())));
                }
            }
        }
        for param in known.iter().filter(|param| param.is_required()) {
            let is_written = self.param(param.name()).is_some()
                || self
                    .params
                    .iter()
                    .any(|(key, _)| nearest(&key.value, names()) == Some(param.name()));
            if !is_written {
                problems.push(missing(param.name(), param.doc()).at(&self.name.place));
            }
        }
        if !problems.is_empty() {
            let origin = format!("{what} `{}`", self.name.value);
            let of = |problem: Diagnostic| problem.of(origin.as_str());
            return Err(Diagnostics(problems.into_iter().map(of).collect()));
        }
        let written = self.params.iter();
        Ok(Params::new(written.map(|(key, value)| (key.value.clone(), value.clone()))))
    }
}

fn word_of<T: PartialEq>(words: &[(&'static str, T)], policy: T) -> &'static str {
    let mut of = words.iter().filter(|(_, named)| *named == policy).map(|(word, _)| word);
    of.next().expect("every policy has its word")
}

/// What happens to a frame when the ring is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OnFull {
    /// The producer waits. Nothing is lost; everything upstream slows down.
    Block,
    /// The frame that finds no room is dropped and counted. Keeps what is oldest.
    DropNewest,
    /// The oldest frame is dropped and counted. For live sensors.
    DropOldest,
    /// Only the newest frame is kept; each one it replaces is dropped and counted. For displays
    /// and controllers, which care for now.
    Latest,
}

impl OnFull {
    /// Every policy with the word for it in a graph file.
    pub const WORDS: &[(&'static str, Self)] = &[
        ("block", Self::Block),
        ("drop_newest", Self::DropNewest),
        ("drop_oldest", Self::DropOldest),
        ("latest", Self::Latest),
    ];

    /// The word for it in a graph file.
    pub fn word(self) -> &'static str {
        word_of(Self::WORDS, self)
    }
}

/// What happens to a node that has failed more often than its budget allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OnFault {
    /// Its input passes through unchanged.
    Bypass,
    /// It goes on saying what it said last.
    HoldLast,
    /// It is rebuilt again and again, at the longest back-off.
    Restart,
    /// The session ends: what was said comes to its sinks, what still comes to the node is lost.
    Stop,
}

impl OnFault {
    /// Every policy with the word for it in a graph file.
    pub const WORDS: &[(&'static str, Self)] = &[
        ("bypass", Self::Bypass),
        ("hold_last", Self::HoldLast),
        ("restart", Self::Restart),
        ("stop", Self::Stop),
    ];

    /// The word for it in a graph file.
    pub fn word(self) -> &'static str {
        word_of(Self::WORDS, self)
    }
}
