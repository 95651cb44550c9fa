//! Where a SOURCE of a whole graph leads: through inputs and outputs of includes to a node.

use std::cell::Cell;
use std::collections::HashSet;

use crate::graph::code::Code;
use crate::graph::diagnostic::Diagnostic;
use crate::graph::place::Spanned;
use crate::graph::read::listed;
use crate::graph::source::{ChannelRef, SourceRef};
use crate::graph::spec::{GraphSpec, InputSpec, Scope};
use crate::graph::suggest::nearest;

/// Inputs and outputs on one way; more of them go in a circle.
const STEPS_MAX: usize = 64;

/// Looks that all edges take together. Where each of many inputs is fed by many outputs, a page of text is more edges
/// than any memory holds.
const LOOKS_MAX: usize = 400_000;

impl GraphSpec {
    /// Leads every input, the outputs of the graph and what tests look at to nodes.
    pub(super) fn resolve_all(&mut self) {
        let mut problems = Vec::new();
        let mut nodes = std::mem::take(&mut self.nodes);
        let names: HashSet<String> = nodes.iter().map(|node| node.name.value.clone()).collect();
        let ways = Ways { spec: self, names: &names, looks: Cell::new(0) };
        for node in &mut nodes {
            let mut from = Vec::with_capacity(node.from.len());
            for mut input in std::mem::take(&mut node.from) {
                // Those of included files are called as they are there.
                let source = &input.source.value;
                if input.named.is_none() && !names.contains(&source.node()) {
                    input.named = Some(source.output());
                }
                match ways.all(&input, 0) {
                    Ok(inputs) => from.extend(inputs),
                    Err(problem) => node.problems.push(problem.of_node(&node.name.value)),
                }
            }
            node.from = from;
        }
        let mut tests = self.tests.clone();
        for wanted in tests.iter_mut().flat_map(|test| &mut test.expect) {
            match ways.one(&wanted.from) {
                Ok(from) => wanted.from = from,
                Err(problem) => problems.push(problem),
            }
        }
        let mut outlets = self.outlets.clone();
        for outlet in &mut outlets {
            outlet.from = match outlet.from.as_ref().map(|from| ways.one(from)) {
                Some(Ok(from)) => Some(from),
                Some(Err(problem)) => {
                    problems.push(problem.of(format!("output `{}`", outlet.name.value)));
                    None
                }
                None => None,
            };
        }
        ways.check_outlets(&outlets, &mut problems);
        for scope in self.scopes.values() {
            ways.check_outlets(&scope.outlets, &mut problems);
        }
        (self.nodes, self.tests, self.outlets) = (nodes, tests, outlets);
        self.problems.extend(problems);
    }

    /// Nodes that outputs of files come from: there for whoever wants them.
    pub(crate) fn offered(&self) -> HashSet<String> {
        let of_scopes = self.scopes.values().flat_map(|scope| &scope.outlets);
        let outlets = self.outlets.iter().chain(of_scopes);
        outlets.filter_map(|outlet| Some(outlet.from.as_ref()?.value.node())).collect()
    }

    /// What an output of an include is called as one of a node: `left.beats` is `left/detector.beats`.
    pub(crate) fn leads_to(&self, label: &str) -> Option<String> {
        let names = self.nodes.iter().map(|node| node.name.value.clone()).collect();
        let ways = Ways { spec: self, names: &names, looks: Cell::new(0) };
        let source: SourceRef = label.parse().ok()?;
        Some(ways.one(&Spanned::from(source)).ok()?.value.to_string())
    }

    /// Whether a name leads into an include that could not be read.
    pub(crate) fn is_lost(&self, name: &str) -> bool {
        let leads = |lost: &String| {
            name.strip_prefix(lost.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.lost.iter().any(leads)
    }
}

struct Ways<'a> {
    spec: &'a GraphSpec,
    names: &'a HashSet<String>,
    looks: Cell<usize>,
}

impl Ways<'_> {
    fn one(&self, from: &Spanned<SourceRef>) -> Result<Spanned<SourceRef>, Diagnostic> {
        let input = InputSpec {
            port: None,
            source: from.clone(),
            on_full: None,
            capacity_ms: None,
            named: None,
        };
        let mut all = self.all(&input, 0)?;
        match all.len() {
            1 => Ok(all.remove(0).source),
            count => {
                let message = format!("`{}` leads to {count} outputs", from.value);
                let problem = Diagnostic::error(Code::BadTest, message).at(&from.place);
                Err(problem.hint("name one of them"))
            }
        }
    }

    /// The edges that an input is: one, but where the input of an include is fed by several, or by none.
    fn all(&self, input: &InputSpec, steps: usize) -> Result<Vec<InputSpec>, Diagnostic> {
        let source = &input.source.value;
        let name = source.node();
        self.looks.set(self.looks.get() + 1);
        if self.looks.get() > LOOKS_MAX {
            let message = "the inputs of includes multiply to too many edges".to_owned();
            let problem = Diagnostic::error(Code::TooLarge, message).at(&source.path.place);
            return Err(problem.hint("feed fewer outputs into one input of an include"));
        }
        if self.names.contains(&name) {
            return Ok(vec![input.clone()]);
        }
        if steps > STEPS_MAX {
            let message = format!("`{name}` feeds itself through inputs and outputs of includes");
            let problem = Diagnostic::error(Code::Cycle, message).at(&source.path.place);
            return Err(problem.hint("take it from a node"));
        }
        if let Some(scope) = self.spec.scopes.get(&name) {
            let Some(from) = self.outlet(&name, scope, source)? else { return Ok(Vec::new()) };
            let next = InputSpec { source: picked(source, from)?, ..input.clone() };
            return self.all(&next, steps + 1);
        }
        let (outer, last) = name.rsplit_once('/').unwrap_or(("", &name));
        let fed = self.spec.scopes.get(outer).and_then(|scope| {
            scope.fed.iter().find(|(inlet, _)| inlet == last).map(|(_, inputs)| inputs)
        });
        // What leads nowhere is for the planner to tell.
        let Some(fed) = fed.filter(|_| !self.spec.is_lost(&name)) else {
            return Ok(vec![input.clone()]);
        };
        if let Some(port) = &source.port {
            let message = format!("`{last}` is an input, which has no output `{}`", port.value);
            let problem = Diagnostic::error(Code::UnknownPort, message).at(&port.place);
            return Err(problem.hint("whoever includes the file chooses the output that feeds it"));
        }
        let mut all = Vec::new();
        for feed in fed {
            let next = InputSpec {
                port: input.port.clone(),
                source: picked(source, &feed.source)?,
                on_full: input.on_full.clone().or_else(|| feed.on_full.clone()),
                capacity_ms: input.capacity_ms.clone().or_else(|| feed.capacity_ms.clone()),
                named: input.named.clone(),
            };
            all.extend(self.all(&next, steps + 1)?);
        }
        Ok(all)
    }

    /// Where the output of an include that a SOURCE names comes from; nothing where that is told to be wrong.
    fn outlet<'s>(
        &self,
        name: &str,
        scope: &'s Scope,
        source: &SourceRef,
    ) -> Result<Option<&'s Spanned<SourceRef>>, Diagnostic> {
        let names = || scope.outlets.iter().map(|outlet| outlet.name.value.as_str());
        let found = match &source.port {
            None => scope.outlets.first(),
            Some(port) => scope.outlets.iter().find(|outlet| outlet.name.value == port.value),
        };
        if let Some(outlet) = found {
            return Ok(outlet.from.as_ref());
        }
        let (message, place) = match &source.port {
            None => (format!("`{name}` is an include that declares no output"), &source.path.place),
            Some(port) => (format!("`{name}` has no output `{}`", port.value), &port.place),
        };
        let code = if source.port.is_some() { Code::UnknownPort } else { Code::NoOutput };
        let problem = Diagnostic::error(code, message).at(place);
        let problem = match scope.outlets.is_empty() {
            true => problem.hint(format!(
                "declare one in its file: `[output.NAME]`; or name a node in it: `{name}/NODE`"
            )),
            false => problem.hint(format!("its outputs are {}", listed(names()))),
        };
        let near = source.port.as_ref().and_then(|port| nearest(&port.value, names()));
        Err(problem.did_you_mean(near))
    }

    /// Outputs must come from something, whether or not somebody takes them.
    fn check_outlets(
        &self,
        outlets: &[crate::graph::declare::OutletSpec],
        problems: &mut Vec<Diagnostic>,
    ) {
        for outlet in outlets {
            let Some(from) = &outlet.from else { continue };
            let name = from.value.node();
            let (outer, last) = name.rsplit_once('/').unwrap_or(("", &name));
            let is_inlet = self
                .spec
                .scopes
                .get(outer)
                .is_some_and(|scope| scope.fed.iter().any(|(inlet, _)| inlet == last));
            if is_inlet
                || self.names.contains(&name)
                || self.spec.scopes.contains_key(&name)
                || self.spec.is_lost(&name)
            {
                continue;
            }
            let message = format!("there is no node `{name}`");
            let problem = Diagnostic::error(Code::UnknownNode, message).at(&from.value.path.place);
            let names = self.names.iter().map(String::as_str);
            // In the order of the alphabet, as names of a set have none.
            let mut names: Vec<&str> = names.collect();
            names.sort_unstable();
            let problem = problem.of(format!("output `{}`", outlet.name.value));
            problems.push(problem.did_you_mean(nearest(&name, names)));
        }
    }
}

/// What `from` is, with the channels that `source` picks out of it.
fn picked(source: &SourceRef, from: &Spanned<SourceRef>) -> Result<Spanned<SourceRef>, Diagnostic> {
    let mut picked = from.clone();
    let Some(wanted) = &source.channels else { return Ok(picked) };
    let channels = match &from.value.channels {
        None => wanted.value.clone(),
        Some(there) => of_channels(&there.value, &wanted.value).ok_or_else(|| {
            let message = format!("`{source}` picks channels that `{}` has not picked", from.value);
            Diagnostic::error(Code::UnknownChannel, message)
                .at(&wanted.place)
                .hint("count channels from 0, or name one of those")
                .see("picked here", &there.place)
        })?,
    };
    picked.value.channels = Some(Spanned::new(channels, wanted.place.clone()));
    Ok(picked)
}

/// `wanted` out of the channels that `there` has picked already.
fn of_channels(there: &[ChannelRef], wanted: &[ChannelRef]) -> Option<Vec<ChannelRef>> {
    let each = |channel: &ChannelRef| match channel {
        ChannelRef::Range(range) => range.clone().map(ChannelRef::Index).collect(),
        one => vec![one.clone()],
    };
    let there: Vec<ChannelRef> = there.iter().flat_map(each).collect();
    let wanted = wanted.iter().flat_map(each);
    let found = wanted.map(|channel| match channel {
        ChannelRef::Index(index) => there.get(index).cloned(),
        name => there.contains(&name).then_some(name),
    });
    found.collect()
}
