//! A graph with one planted limit, and the world it is run in.

use std::{fmt::Write as _, path::PathBuf};

use super::told::Told;

/// Causes, in the words of the program.
pub(crate) const CAUSES: [&str; 9] =
    ["compute", "core", "ring", "sink", "join", "answer", "source", "moving", "nothing"];

/// Somebody who reads too slowly what a sink writes.
#[derive(Clone)]
pub(crate) struct Reader {
    /// The pipe of this name, else what the program prints.
    pub(crate) pipe: Option<String>,
    pub(crate) bytes_per_s: f64,
}

/// A service that answers questions over HTTP.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) answer_ms: f64,
    /// It works on one question at a time.
    pub(crate) one_by_one: bool,
}

/// A graph, and what limits it.
#[derive(Clone)]
pub(crate) struct Planted {
    pub(crate) cause: &'static str,
    /// Which variety of the cause, for the table.
    pub(crate) kind: &'static str,
    /// Any of these is right; none where no node is to blame.
    pub(crate) nodes: Vec<String>,
    pub(crate) text: String,
    /// More words for `afferent run`.
    pub(crate) words: Vec<String>,
    pub(crate) reader: Option<Reader>,
    pub(crate) service: Option<Service>,
    /// The graph is this file instead, and is stopped after a while.
    pub(crate) at: Option<PathBuf>,
    /// A file beside the graph.
    pub(crate) file: Option<(String, String)>,
    /// Where the advice is to do less: a key of the graph and the number that is to take its place.
    pub(crate) lighter: Option<(String, String)>,
}

impl Planted {
    pub(crate) fn new(cause: &'static str, kind: &'static str) -> Self {
        Self {
            cause,
            kind,
            nodes: Vec::new(),
            text: "[graph]\nname = \"planted\"\n".to_owned(),
            words: Vec::new(),
            reader: None,
            service: None,
            at: None,
            file: None,
            lighter: None,
        }
    }

    /// Whether this is what a run says of itself first.
    pub(crate) fn is_named_by(&self, told: &Told) -> bool {
        let is_node = self.nodes.is_empty() || self.nodes.contains(&told.node);
        let is_advised = !told.change.is_empty();
        told.cause == self.cause && is_node && is_advised == (self.cause != "nothing")
    }

    pub(crate) fn limited_at(mut self, node: &str) -> Self {
        self.nodes = vec![node.to_owned()];
        self
    }

    pub(crate) fn words(&mut self, words: &[&str]) {
        self.words.extend(words.iter().map(|word| (*word).to_owned()));
    }

    /// Puts a node into the graph: a name, a kind, producers and further lines.
    pub(crate) fn put(&mut self, name: &str, op: &str, from: &str, keys: &str) {
        let from = if from.is_empty() { String::new() } else { format!("from = {from}\n") };
        let _ = writeln!(self.text, "[node.{name}]\nop = \"{op}\"\n{from}{keys}");
    }
}
