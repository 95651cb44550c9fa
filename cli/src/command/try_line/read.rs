//! A line to a graph: `KIND key=value ! KIND  name. ! KIND`.
//!
//! Everything keeps its place in the line, so that whatever is wrong with the graph is told by a caret
//! below it.

use std::{collections::BTreeSet, ops::Range, sync::Arc};

use engine::{
    Code, Diagnostic, Diagnostics, GraphSpec, InputSpec, Override, Place, SourceRef, SourceText,
    Spanned, Value, is_name, nearest,
};

use crate::catalog::catalog;

/// A graph from a line.
pub(super) fn graph(text: &Arc<SourceText>) -> Result<GraphSpec, Diagnostics> {
    let mut line = Line {
        text,
        spec: GraphSpec::new("try"),
        changes: Vec::new(),
        branches: Vec::new(),
        problems: Vec::new(),
        named: BTreeSet::new(),
    };
    let words = words(text.text());
    let seconds = line.chains(&words);
    line.connect();
    let Line { mut spec, changes, problems, .. } = line;
    if !problems.is_empty() {
        return Err(Diagnostics(problems));
    }
    spec.apply(&changes);
    if let Some(seconds) = seconds {
        limit(&mut spec, &seconds)?;
    }
    Ok(spec)
}

/// A word of the line: no blank stands in it but in quotes and brackets.
#[derive(Clone, Debug, PartialEq)]
struct Word<'t> {
    text: &'t str,
    span: Range<usize>,
}

fn words(line: &str) -> Vec<Word<'_>> {
    let mut found = Vec::new();
    let (mut start, mut quote, mut depth) = (None, None, 0_usize);
    for (at, c) in line.char_indices() {
        let is_inside = quote.is_some() || depth > 0;
        if !is_inside && (c.is_whitespace() || c == '!') {
            let begun: Option<usize> = start.take();
            found.extend(begun.map(|begin| Word { text: &line[begin..at], span: begin..at }));
            if c == '!' {
                found.push(Word { text: &line[at..=at], span: at..at + 1 });
            }
            continue;
        }
        start.get_or_insert(at);
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '[' | '{') => depth += 1,
            (None, ']' | '}') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    found.extend(start.map(|begin| Word { text: &line[begin..], span: begin..line.len() }));
    found
}

/// What stands at one end of a `!`.
enum End {
    /// The node of this number.
    Node(usize),
    /// A node by its name, and perhaps a port or channels.
    Reference(Spanned<String>),
}

struct Line<'t> {
    text: &'t Arc<SourceText>,
    spec: GraphSpec,
    /// Parameters, to be set once all nodes are there.
    changes: Vec<Override>,
    /// From where to where, as written.
    branches: Vec<(End, End)>,
    problems: Vec<Diagnostic>,
    /// Nodes that were given a name.
    named: BTreeSet<usize>,
}

impl<'t> Line<'t> {
    fn place(&self, span: &Range<usize>) -> Option<Place> {
        Some(Place::new(self.text, span.clone()))
    }

    fn refuse(&mut self, span: &Range<usize>, message: String, hint: &str) {
        let problem = Diagnostic::error(Code::Syntax, message).at(&self.place(span));
        self.problems.push(problem.hint(hint));
    }

    /// Reads all chains; gives what is said of seconds before the first one.
    fn chains(&mut self, words: &[Word<'t>]) -> Option<Spanned<f64>> {
        let mut seconds = None;
        let mut before: Option<End> = None;
        // Whether a `!` waits for what comes behind it.
        let mut open: Option<Range<usize>> = None;
        let mut has_begun = false;
        for word in words {
            if word.text == "!" {
                if before.is_none() || open.is_some() {
                    let hint = "write `A ! B`: what A delivers goes to B";
                    self.refuse(&word.span, "`!` stands between nothing".to_owned(), hint);
                }
                open = Some(word.span.clone());
                continue;
            }
            let key = word.text.split_once('=').map(|(key, _)| key).filter(|key| is_key(key));
            if let Some(key) = key {
                match (&before, &open) {
                    (_, Some(_)) => {
                        let message = format!("`{}` follows a `!`", word.text);
                        self.refuse(&word.span, message, "write a kind before its parameters");
                    }
                    (Some(End::Node(node)), None) => self.parameter(*node, key, word),
                    (Some(End::Reference(name)), None) => {
                        let hint = format!("write it where `{}` is made", name.value);
                        self.refuse(
                            &word.span,
                            format!("`{}` belongs to no node", word.text),
                            &hint,
                        );
                    }
                    (None, None) if key == "seconds" && !has_begun => {
                        seconds = self.seconds(word);
                    }
                    (None, None) => {
                        let message = format!("`{}` stands before any kind", word.text);
                        self.refuse(&word.span, message, "only `seconds=…` may stand there");
                    }
                }
                continue;
            }
            has_begun = true;
            let end = if is_reference(word.text) {
                let name = Spanned::new(word.text.to_owned(), self.place(&word.span));
                if open.is_none() && matches!(before, Some(End::Reference(_))) {
                    let hint = "write `!` and a kind behind it";
                    self.refuse(&word.span, "a branch leads nowhere".to_owned(), hint);
                }
                End::Reference(name)
            } else {
                End::Node(self.node(word))
            };
            let copy = match &end {
                End::Node(node) => End::Node(*node),
                End::Reference(name) => End::Reference(name.clone()),
            };
            match (before.take(), open.take()) {
                (Some(from), Some(_)) => self.branches.push((from, end)),
                _ => drop(end),
            }
            before = Some(copy);
        }
        if let Some(span) = open {
            let message = "nothing follows the last `!`".to_owned();
            self.refuse(&span, message, "write a kind behind it, such as `print`");
        }
        if !has_begun && self.problems.is_empty() {
            let hint = "write such as `ecg ! qrs ! print`; `afferent list` has the kinds";
            self.refuse(&(0..self.text.text().len()), "the line names no kind".to_owned(), hint);
        }
        seconds
    }

    fn node(&mut self, word: &Word<'t>) -> usize {
        // Until all names are given that are.
        let name = format!("node {}", self.spec.nodes.len());
        let spec = std::mem::replace(&mut self.spec, GraphSpec::new("try"));
        self.spec = spec.node(&name, word.text, |node| node);
        let place = self.place(&word.span);
        let node = self.spec.nodes.last_mut().expect("one was just added");
        (node.name.place, node.op.place) = (place.clone(), place);
        let op = word.text;
        let catalog = catalog();
        if catalog.find(op).is_none() {
            let message = format!("`{op}` is not a kind of the catalogue");
            let problem = Diagnostic::error(Code::UnknownKind, message).at(&self.place(&word.span));
            let problem = problem.hint("choose one of those that `afferent list` prints");
            self.problems.push(problem.did_you_mean(catalog.nearest(op)));
        }
        self.spec.nodes.len() - 1
    }

    /// The value behind `=`, as that of a `--set`, at its place in the line.
    fn value(&mut self, word: &Word<'t>) -> Option<Spanned<Value>> {
        let equals = word.text.find('=').unwrap_or_default();
        match Override::parse(&format!("node.{}", word.text)) {
            Ok(change) => {
                // From the text of the override to the line.
                let moved = word.span.start as isize - "node.".len() as isize;
                Some(self.moved(change.value, moved))
            }
            Err(problem) => {
                let span = word.span.start + equals + 1..word.span.end;
                let place = self.place(&if span.is_empty() { word.span.clone() } else { span });
                self.problems.push(Diagnostic { place, ..problem });
                None
            }
        }
    }

    fn moved(&self, value: Spanned<Value>, by: isize) -> Spanned<Value> {
        let to = |at: usize| at.saturating_add_signed(by);
        let place = value.place.map(|place| {
            let Range { start, end } = place.span;
            Place::new(self.text, to(start)..to(end))
        });
        let value = match value.value {
            Value::List(items) => {
                Value::List(items.into_iter().map(|item| self.moved(item, by)).collect())
            }
            Value::Table(entries) => {
                let entries = entries.into_iter();
                Value::Table(entries.map(|(key, value)| (key, self.moved(value, by))).collect())
            }
            single => single,
        };
        Spanned::new(value, place)
    }

    fn seconds(&mut self, word: &Word<'t>) -> Option<Spanned<f64>> {
        let value = self.value(word)?;
        match value.value.as_number().filter(|seconds| *seconds > 0.0 && seconds.is_finite()) {
            Some(seconds) => Some(Spanned::new(seconds, value.place)),
            None => {
                let message = format!("`seconds` = {} is no number above 0", value.value);
                self.refuse(&word.span, message, "write such as `seconds=10`");
                None
            }
        }
    }

    fn parameter(&mut self, node: usize, key: &str, word: &Word<'t>) {
        let Some(value) = self.value(word) else { return };
        let key_place = self.place(&(word.span.start..word.span.start + key.len()));
        if key == "name" {
            match value.value.as_text().filter(|name| is_name(name)) {
                // What is set there is the graph's.
                Some("graph") => {
                    let message = "no node can be called `graph`".to_owned();
                    self.refuse(&word.span, message, "give it another name");
                }
                Some(name) => {
                    let taken = self.spec.find(name).is_some();
                    if taken {
                        let message = format!("`{name}` is there twice");
                        self.refuse(&word.span, message, "give one of them another name");
                    }
                    self.spec.nodes[node].name = Spanned::new(name.to_owned(), value.place);
                    self.named.insert(node);
                }
                None => {
                    let message = format!("{} is not a name", value.value);
                    let hint = "use lower-case letters, digits and `_`, beginning with a letter";
                    self.refuse(&word.span, message, hint);
                }
            }
            return;
        }
        let value = match (key.ends_with("model"), value.value.as_text()) {
            (true, Some(path)) if path.contains(['.', '/']) => {
                let path = path.to_owned();
                self.model(&path, &value)
            }
            _ => value,
        };
        // The name may still change, and is put in when all are known.
        let of = node.to_string();
        let words = std::iter::once(of.as_str()).chain(key.split('.'));
        let path = words.map(|word| Spanned::new(word.to_owned(), key_place.clone())).collect();
        self.changes.push(Override { path, value });
    }

    /// A section for a model that is named by its file; one for each file.
    fn model(&mut self, path: &str, value: &Spanned<Value>) -> Spanned<Value> {
        let is_file = |section: &&engine::SectionSpec| {
            section.param("file").and_then(|file| file.value.as_text()) == Some(path)
        };
        if let Some(known) = self.spec.models.iter().find(is_file) {
            return Spanned::new(known.name.value.as_str().into(), value.place.clone());
        }
        let name = format!("model_{}", self.spec.models.len() + 1);
        let spec = std::mem::replace(&mut self.spec, GraphSpec::new("try"));
        self.spec = spec.model(&name, |section| section.set("file", path));
        let section = self.spec.models.last_mut().expect("one was just added");
        section.name.place.clone_from(&value.place);
        section.params[0].1.place.clone_from(&value.place);
        Spanned::new(name.as_str().into(), value.place.clone())
    }

    /// Leads what is joined by `!` to nodes by their names.
    fn connect(&mut self) {
        self.name_the_rest();
        for change in &mut self.changes {
            let number: usize = change.path[0].value.parse().expect("the number of a node");
            change.path[0].value.clone_from(&self.spec.nodes[number].name.value);
        }
        for (from, to) in std::mem::take(&mut self.branches) {
            let source = match from {
                End::Node(node) => {
                    let name = &self.spec.nodes[node].name;
                    (name.value.clone(), self.spec.nodes[node].op.place.clone())
                }
                End::Reference(name) => (source_of(&name.value), name.place),
            };
            let Some(source) = self.source(&source.0, source.1) else { continue };
            let (node, port) = match to {
                End::Node(node) => (node, None),
                End::Reference(name) => match self.target(&name) {
                    Some(target) => target,
                    None => continue,
                },
            };
            let input = InputSpec { port, source, on_full: None, capacity_ms: None, named: None };
            self.spec.nodes[node].from.push(input);
        }
    }

    /// A node without a name of its own is called as its kind, a second one with `_2`.
    fn name_the_rest(&mut self) {
        for number in 0..self.spec.nodes.len() {
            if self.named.contains(&number) {
                continue;
            }
            let op = self.spec.nodes[number].op.value.clone();
            let mut name = op.clone();
            let mut count = 1;
            while self.spec.find(&name).is_some() {
                count += 1;
                name = format!("{op}_{count}");
            }
            self.spec.nodes[number].name.value = name;
        }
    }

    fn source(&mut self, text: &str, place: Option<Place>) -> Option<Spanned<SourceRef>> {
        let mut source: SourceRef = match text.parse() {
            Ok(source) => source,
            Err(problem) => {
                self.problems.push(Diagnostic { place, ..problem });
                return None;
            }
        };
        source.path.place.clone_from(&place);
        if let Some(port) = &mut source.port {
            port.place.clone_from(&place);
        }
        if let Some(channels) = &mut source.channels {
            channels.place.clone_from(&place);
        }
        if self.spec.find(&source.node()).is_none() {
            self.unknown(&source.node(), &place);
            return None;
        }
        Some(Spanned::new(source, place))
    }

    fn unknown(&mut self, name: &str, place: &Option<Place>) {
        let names = self.spec.nodes.iter().map(|node| node.name.value.as_str());
        let message = format!("there is no node `{name}` in the line");
        let problem = Diagnostic::error(Code::UnknownNode, message).at(place);
        let problem = problem.hint("give it a name where it is made: `KIND name=…`");
        self.problems.push(problem.did_you_mean(nearest(name, names)));
    }

    fn target(&mut self, name: &Spanned<String>) -> Option<(usize, Option<Spanned<String>>)> {
        let (node, port) = name.value.split_once('.').unwrap_or((&name.value, ""));
        let Some(number) = self.spec.nodes.iter().position(|known| known.name.value == node) else {
            self.unknown(node, &name.place);
            return None;
        };
        let port = (!port.is_empty()).then(|| Spanned::new(port.to_owned(), name.place.clone()));
        Some((number, port))
    }
}

/// `beats.`, `ecg.truth`, `eeg.[Fz,Cz]`, `eeg[0]`: no kind has a point or a bracket in its name.
fn is_reference(word: &str) -> bool {
    word.contains(['.', '['])
}

/// As `from` has it: `eeg.[Fz]` is `eeg[Fz]`.
fn source_of(word: &str) -> String {
    word.trim_end_matches('.').replace(".[", "[")
}

fn is_key(text: &str) -> bool {
    !text.is_empty() && text.split('.').all(is_name)
}

/// Has every source end after so many seconds, if its kind can and the line does not say otherwise.
fn limit(spec: &mut GraphSpec, seconds: &Spanned<f64>) -> Result<(), Diagnostics> {
    let catalog = catalog();
    let takes = |node: &engine::NodeSpec| {
        let kind = catalog.find(&node.op.value).filter(|_| node.from.is_empty());
        kind.is_some_and(|kind| kind.param("seconds").is_some())
    };
    let ends: Vec<String> = spec
        .nodes
        .iter()
        .filter(|node| takes(node) && node.param("seconds").is_none())
        .map(|node| node.name.value.clone())
        .collect();
    if ends.is_empty() {
        let message = "`seconds` ends nothing: no source here takes it";
        let problem = Diagnostic::error(Code::NoEffect, message).at(&seconds.place);
        return Err(problem.hint("leave it out, and end the run by Ctrl-C").into());
    }
    let change = |name: &String| Override {
        path: vec![Spanned::from(name.as_str()), Spanned::from("seconds")],
        value: Spanned::new(Value::Float(seconds.value), seconds.place.clone()),
    };
    spec.apply(&ends.iter().map(change).collect::<Vec<_>>());
    Ok(())
}

#[cfg(test)]
mod tests;
