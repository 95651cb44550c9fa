//! One node: its reserved keys, its inputs, its parameters.

use super::code::Code;
use super::diagnostic::Diagnostic;
use super::keys;
use super::place::{Place, Spanned};
use super::read::{NODE_NAME, Numbers, Reader, bad_name};
use super::source::{SourceRef, is_name};
use super::spec::{InputSpec, NodeOptions, NodeSpec, OnFault, OnFull};
use super::value::Value;

impl NodeSpec {
    pub(crate) fn new(name: Spanned<String>, op: Spanned<String>) -> Self {
        Self {
            name,
            op,
            from: Vec::new(),
            options: NodeOptions::default(),
            params: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// A node from its table in a file; `place` is the table's.
    pub(super) fn read(
        name: Spanned<String>,
        place: &Option<Place>,
        entries: Vec<(Spanned<String>, Spanned<Value>)>,
    ) -> Self {
        let mut node = Self::new(name, Spanned::from(""));
        let has_op = entries.iter().any(|(key, _)| key.value == "op");
        for (key, value) in entries {
            // TOML has seen to it that no key is there twice.
            let param = node.take(key, value);
            node.params.extend(param);
        }
        if !has_op {
            node.refuse_without_op(place);
        }
        node
    }

    /// Sets one key as a file would, in place of what it was.
    pub(super) fn assign(&mut self, key: Spanned<String>, value: Spanned<Value>) {
        let Some((key, value)) = self.take(key, value) else {
            return;
        };
        match self.params.iter_mut().find(|(known, _)| known.value == key.value) {
            Some(entry) => *entry = (key, value),
            None => self.params.push((key, value)),
        }
    }

    /// Adds inputs to one port.
    pub(super) fn add_inputs(&mut self, port: &Spanned<String>, value: Spanned<Value>) {
        let origin = format!("node `{}`", self.name.value);
        let mut reader = Reader { origin: &origin, problems: &mut self.problems };
        self.from.extend(reader.port_inputs(port, value));
    }

    /// Keeps a reserved key; hands back what is a parameter.
    fn take(
        &mut self,
        key: Spanned<String>,
        value: Spanned<Value>,
    ) -> Option<(Spanned<String>, Spanned<Value>)> {
        let origin = format!("node `{}`", self.name.value);
        let reader = &mut Reader { origin: &origin, problems: &mut self.problems };
        let options = &mut self.options;
        let name = key.value.as_str();
        match name {
            "op" => set(&mut self.op, reader.op(value)),
            "from" => set(&mut self.from, reader.inputs(value)),
            "on" => set(&mut options.on, reader.hosts(value)),
            "stage" => keep(&mut options.stage, reader.name(name, value)),
            "core" => keep(&mut options.core, reader.count(name, value)),
            "realtime" => keep(&mut options.realtime, reader.flag(name, value)),
            "capacity_ms" => keep(&mut options.capacity_ms, reader.span_ms(name, value)),
            "on_full" => keep(&mut options.on_full, reader.word(name, value, OnFull::WORDS)),
            "on_fault" => keep(&mut options.on_fault, reader.word(name, value, OnFault::WORDS)),
            "max_wait_ms" => {
                keep(&mut options.max_wait_ms, reader.number(name, value, Numbers::NotNegative));
            }
            "idle_ms" => keep(&mut options.idle_ms, reader.span_ms(name, value)),
            "deadline_ms" => keep(&mut options.deadline_ms, reader.span_ms(name, value)),
            "frame_ms" => keep(&mut options.frame_ms, reader.span_ms(name, value)),
            "wedge_ms" => keep(&mut options.wedge_ms, reader.span_ms(name, value)),
            "retries" => keep(&mut options.retries, reader.count(name, value)),
            "enabled" => keep(&mut options.enabled, reader.flag(name, value)),
            "doc" => keep(&mut options.doc, reader.text(name, value)),
            _ => return Some((key, value)),
        }
        None
    }

    fn refuse_without_op(&mut self, place: &Option<Place>) {
        let name = &self.name.value;
        let problem =
            Diagnostic::error(Code::MissingParameter, format!("node `{name}` has no `op`"))
                .at(place)
                .of_node(name);
        let misnamed = ["kind", "type", "operator"].iter().find_map(|word| {
            let (key, _) = self.params.iter().find(|(key, _)| key.value == *word)?;
            Some((key.place.clone(), *word))
        });
        self.problems.push(match misnamed {
            Some((place, word)) => {
                problem.at(&place).hint(format!("write `op` in place of `{word}`"))
            }
            None => problem.hint("name its kind with `op = \"…\"`"),
        });
    }
}

fn set<T>(slot: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *slot = value;
    }
}

fn keep<T>(slot: &mut Option<T>, value: Option<T>) {
    if value.is_some() {
        *slot = value;
    }
}

impl Reader<'_> {
    fn op(&mut self, value: Spanned<Value>) -> Option<Spanned<String>> {
        let op = self.text("op", value)?;
        if op.value.is_empty() {
            let problem = Diagnostic::error(Code::OutOfRange, "`op` is empty").at(&op.place);
            return self.refuse(problem.hint("name a kind"));
        }
        Some(op)
    }

    pub(super) fn span_ms(&mut self, key: &str, value: Spanned<Value>) -> Option<Spanned<f64>> {
        self.number(key, value, Numbers::Positive)
    }

    fn hosts(&mut self, value: Spanned<Value>) -> Option<Vec<Spanned<String>>> {
        match value.value {
            Value::List(hosts) => {
                Some(hosts.into_iter().filter_map(|host| self.name("on", host)).collect())
            }
            _ => Some(vec![self.name("on", value)?]),
        }
    }

    /// `from`: one SOURCE, a list of them, or a table from ports to either.
    pub(super) fn inputs(&mut self, value: Spanned<Value>) -> Option<Vec<InputSpec>> {
        match value.value {
            Value::Table(ports) if !is_input(&ports) => {
                if ports.is_empty() {
                    return self.no_source(&value.place);
                }
                let inputs = ports.into_iter().flat_map(|(port, value)| {
                    if !is_name(&port.value) {
                        self.refuse::<()>(bad_name(&port));
                    }
                    self.port_inputs(&port, value)
                });
                Some(inputs.collect())
            }
            _ => Some(self.inputs_of(None, value)),
        }
    }

    fn port_inputs(&mut self, port: &Spanned<String>, value: Spanned<Value>) -> Vec<InputSpec> {
        self.inputs_of(Some(port), value)
    }

    /// One input or a list of them, for one port.
    fn inputs_of(
        &mut self,
        port: Option<&Spanned<String>>,
        value: Spanned<Value>,
    ) -> Vec<InputSpec> {
        match value.value {
            Value::List(items) if items.is_empty() => {
                self.no_source::<()>(&value.place);
                Vec::new()
            }
            Value::List(items) => {
                items.into_iter().filter_map(|item| self.input(port, item)).collect()
            }
            _ => self.input(port, value).into_iter().collect(),
        }
    }

    fn no_source<T>(&mut self, place: &Option<Place>) -> Option<T> {
        let problem = Diagnostic::error(Code::BadFrom, "`from` names no source").at(place);
        self.refuse(problem.hint("name a node, or leave `from` out"))
    }

    /// A SOURCE, or `{ node = SOURCE, on_full = …, capacity_ms = … }`.
    fn input(
        &mut self,
        port: Option<&Spanned<String>>,
        value: Spanned<Value>,
    ) -> Option<InputSpec> {
        let port = port.cloned();
        let entries = match value.value {
            Value::Text(text) => {
                let source = self.source(Spanned::new(text, value.place))?;
                let (on_full, capacity_ms) = (None, None);
                return Some(InputSpec { port, source, on_full, capacity_ms, named: None });
            }
            Value::Table(entries) => entries,
            _ => return self.wrong_type("from", value, NODE_NAME),
        };
        let (mut source, mut on_full, mut capacity_ms) = (None, None, None);
        let mut node_is_written = false;
        for (key, value) in entries {
            match key.value.as_str() {
                "node" => {
                    node_is_written = true;
                    source = self.text("node", value).and_then(|text| self.source(text));
                }
                "on_full" => on_full = self.word("on_full", value, OnFull::WORDS),
                "capacity_ms" => capacity_ms = self.span_ms("capacity_ms", value),
                _ => self.unknown_key(&key, "an input", &keys::INPUT),
            }
        }
        if !node_is_written {
            let problem = Diagnostic::error(Code::BadFrom, "an input names no node");
            return self
                .refuse(problem.at(&value.place).hint("write `node = \"NODE.port\"` in it"));
        }
        Some(InputSpec { port, source: source?, on_full, capacity_ms, named: None })
    }

    pub(super) fn source(&mut self, text: Spanned<String>) -> Option<Spanned<SourceRef>> {
        match SourceRef::read(&text.value, &text.place) {
            Ok(source) => Some(Spanned::new(source, text.place)),
            Err(problem) => self.refuse(problem),
        }
    }
}

/// Whether a table is one input with its settings. No port is called like one of its keys.
fn is_input(entries: &[(Spanned<String>, Spanned<Value>)]) -> bool {
    entries.iter().any(|(key, _)| matches!(key.value.as_str(), "node" | "on_full" | "capacity_ms"))
}
