//! A graph file to a [`GraphSpec`].

use std::collections::HashMap;
use std::sync::Arc;

use super::bind::{Giver, bind, substitute};
use super::code::Code;
use super::declare::{InletSpec, OutletSpec, ParamSpec};
use super::diagnostic::{Diagnostic, Diagnostics};
use super::keys;
use super::overrides::Override;
use super::place::{Place, SourceText, Spanned};
use super::read::{Reader, bad_name, listed};
use super::source::is_name;
use super::spec::{GraphSpec, NodeSpec, SectionSpec};
use super::suggest::nearest;
use super::toml;
use super::value::Value;

/// Longest graph file. Ten thousand nodes are 0.7 MB; reading takes up to 180 bytes per byte.
pub const FILE_BYTES_MAX: usize = 4 << 20;

/// Most `[table]` headers in a file. A hostile order of them costs the square of their number.
const HEADERS_MAX: usize = 25_000;

const TABLES: &[&str] =
    &["graph", "node", "model", "cache", "host", "test", "include", "param", "input", "output"];

impl GraphSpec {
    /// Reads a graph file. An error means that the text is no TOML; everything else that is wrong
    /// waits in the spec, so that `plan` can report it together with what only it can find.
    pub fn parse(file: &Arc<SourceText>) -> Result<Self, Diagnostics> {
        Self::parse_given(file, &[])
    }

    /// As [`GraphSpec::parse`], with the values that `changes` give to the file's parameters.
    pub(super) fn parse_given(
        file: &Arc<SourceText>,
        changes: &[Override],
    ) -> Result<Self, Diagnostics> {
        within_limits(file.name(), file.text().as_bytes())?;
        Self::parse_with(file, &Self::given(changes), Giver::CommandLine)
    }

    /// Reads a file whose parameters have the values that are `given`. What an included file says of its
    /// own tests and hosts is left out.
    pub(super) fn parse_with(
        file: &Arc<SourceText>,
        given: &[(Spanned<String>, Spanned<Value>)],
        giver: Giver<'_>,
    ) -> Result<Self, Diagnostics> {
        let mut problems = Vec::new();
        let mut read = toml::read(file, &mut problems);
        if let Giver::Include(..) = giver {
            read.entries.retain(|(key, _)| !matches!(key.value.as_str(), "test" | "host"));
        }
        let params = params(&mut read.entries, &mut problems);
        let given = if has_node(&read.entries, "param") { &[] } else { given };
        let values = bind(&params, given, file.name(), giver, &mut problems);
        match values {
            Some(values) if !params.is_empty() => {
                substitute(&mut read.entries, &params, &values, &mut problems);
            }
            Some(_) => {}
            None if matches!(giver, Giver::Include(..)) => return Err(Diagnostics(problems)),
            None => {
                // Tests may give what is lacking; all else is told once it is there.
                read.entries.retain(|(key, _)| matches!(key.value.as_str(), "graph" | "test"));
            }
        }
        let mut spec = Self::read(file, read.entries);
        spec.params = params;
        if !read.is_partial {
            spec.problems.append(&mut problems);
            return Ok(spec);
        }
        // What is missing may have stood in a line that was left out.
        let proves_nothing = [Code::MissingParameter, Code::EmptyGraph];
        problems.extend(spec.problems());
        problems.retain(|problem| !proves_nothing.contains(&problem.code));
        Err(Diagnostics(problems))
    }

    /// Reads a graph file that may not even be text.
    pub fn parse_bytes(name: &str, bytes: &[u8]) -> Result<Self, Diagnostics> {
        Self::parse(&text_of(name, bytes)?)
    }

    /// What is wrong with the spec as far as this layer can tell, in no particular order.
    pub fn problems(&self) -> Vec<Diagnostic> {
        let mut problems = self.problems.clone();
        problems.extend(self.nodes.iter().flat_map(|node| node.problems.iter().cloned()));
        if !self.is_expanded {
            self.add_own_problems(&mut problems);
        }
        problems
    }

    /// What is wrong with the file as a whole and with its names; what is known to be wrong with its nodes
    /// stands in `problems` already, or with them.
    pub(super) fn add_own_problems(&self, problems: &mut Vec<Diagnostic>) {
        let empty = self.nodes.is_empty() && self.includes.is_empty() && self.inlets.is_empty();
        let is_sound = problems.is_empty() && self.nodes.iter().all(|node| !node.is_broken());
        if empty && is_sound {
            let message = format!("the graph `{}` has no nodes", self.name.value);
            let problem = Diagnostic::error(Code::EmptyGraph, message).at(&self.name.place);
            problems.push(problem.hint("write a table `[node.NAME]` for each node"));
        }
        let nodes = self.nodes.iter().map(|node| ("node", &node.name));
        let inlets = self.inlets.iter().map(|inlet| ("input", &inlet.name));
        let includes = self.includes.iter().map(|section| ("include", &section.name));
        // A `from` could not tell these apart.
        name_problems(nodes.chain(inlets).chain(includes), problems);
        for (what, sections) in
            [("model", &self.models), ("cache", &self.caches), ("host", &self.hosts)]
        {
            name_problems(sections.iter().map(|section| (what, &section.name)), problems);
        }
        let params = self.params.iter().map(|param| ("parameter", &param.name));
        name_problems(params, problems);
        let outlets = self.outlets.iter().map(|outlet| ("output", &outlet.name));
        name_problems(outlets, problems);
    }

    fn read(file: &Arc<SourceText>, entries: Vec<(Spanned<String>, Spanned<Value>)>) -> Self {
        let stem = file.name().rsplit(['/', '\\']).next().unwrap_or_default();
        let mut spec = Self::new(stem.strip_suffix(".toml").unwrap_or(stem));
        // The place of a graph that names itself nowhere is the beginning of its file.
        spec.name.place = Some(Place::new(file, 0..0));
        for (key, value) in entries {
            spec.read_table(key, value);
        }
        spec
    }

    fn read_table(&mut self, key: Spanned<String>, value: Spanned<Value>) {
        let name = key.value.as_str();
        match name {
            "graph" => {
                for (key, value) in self.table(name, "`[graph]`", value) {
                    self.assign(&key, value);
                }
            }
            "node" => {
                let tables = self.named_tables(name, value);
                self.nodes.extend(
                    tables.map(|(name, place, entries)| NodeSpec::read(name, &place, entries)),
                );
            }
            "model" => self.models = self.sections(name, value),
            "cache" => self.caches = self.sections(name, value),
            "host" => self.hosts = self.sections(name, value),
            "include" => self.includes = self.sections(name, value),
            "input" => {
                for (name, place, entries) in self.named_tables(name, value) {
                    let problems = &mut self.problems;
                    self.inlets.push(InletSpec::read(name, &place, entries, problems));
                }
            }
            "output" => {
                for (name, place, entries) in self.named_tables(name, value) {
                    let problems = &mut self.problems;
                    self.outlets.push(OutletSpec::read(name, &place, entries, problems));
                }
            }
            "test" => self.read_tests(value),
            _ => self.refuse_table(&key, &value),
        }
    }

    /// Sets a key of `[graph]`.
    pub(super) fn assign(&mut self, key: &Spanned<String>, value: Spanned<Value>) {
        let mut reader = Reader { origin: "the graph", problems: &mut self.problems };
        let name = key.value.as_str();
        match name {
            "name" => {
                if let Some(name) = reader.text(name, value) {
                    self.name = name;
                }
            }
            "deadline_ms" => self.deadline_ms = reader.span_ms(name, value),
            "doc" => self.doc = reader.text(name, value),
            _ => reader.unknown_key(key, "`[graph]`", &keys::GRAPH),
        }
    }

    fn table(
        &mut self,
        name: &str,
        form: &str,
        value: Spanned<Value>,
    ) -> Vec<(Spanned<String>, Spanned<Value>)> {
        match value.value {
            Value::Table(entries) => entries,
            other => {
                let message = format!("`{name}` is {}, not a table", other.type_name());
                let problem = Diagnostic::error(Code::WrongType, message).at(&value.place);
                self.problems.push(problem.hint(format!("write {form}")));
                Vec::new()
            }
        }
    }

    /// The tables `[what.NAME]`, each with its place.
    fn named_tables(
        &mut self,
        what: &str,
        value: Spanned<Value>,
    ) -> impl Iterator<Item = NamedTable> + use<> {
        let form = format!("`[{what}.NAME]`");
        let entries = self.table(what, &form, value);
        let tables = entries.into_iter().filter_map(|(name, value)| match value.value {
            Value::Table(entries) => Some((name, value.place, entries)),
            other => {
                let message =
                    format!("`{what}.{}` is {}, not a table", name.value, other.type_name());
                let problem = Diagnostic::error(Code::WrongType, message).at(&name.place);
                self.problems.push(problem.hint(format!("write {form} above it, with its name")));
                None
            }
        });
        tables.collect::<Vec<_>>().into_iter()
    }

    fn sections(&mut self, what: &str, value: Spanned<Value>) -> Vec<SectionSpec> {
        let tables = self.named_tables(what, value);
        tables.map(|(name, _, params)| SectionSpec { name, params }).collect()
    }

    fn refuse_table(&mut self, key: &Spanned<String>, value: &Spanned<Value>) {
        let name = &key.value;
        let message = format!("`{name}` is not a table of a graph file");
        let problem = Diagnostic::error(Code::UnknownKey, message).at(&key.place);
        let hint = match (&value.value, nearest(name, TABLES.iter().copied())) {
            (Value::Table(entries), None) if entries.iter().any(|(key, _)| key.value == "op") => {
                format!("write nodes as `[node.{name}]`")
            }
            (_, None) if is_graph_key(name) => format!("write `{name}` below `[graph]`"),
            (_, Some(near)) => format!("did you mean `{near}`?"),
            (_, None) => format!("the tables are {}", listed(TABLES.iter().copied())),
        };
        self.problems.push(problem.hint(hint));
    }
}

type Entries = Vec<(Spanned<String>, Spanned<Value>)>;

type NamedTable = (Spanned<String>, Option<Place>, Entries);

fn is_graph_key(name: &str) -> bool {
    keys::GRAPH.names().any(|key| key == name)
}

/// Takes the declared parameters out of what a file holds.
fn params(entries: &mut Entries, problems: &mut Vec<Diagnostic>) -> Vec<ParamSpec> {
    let Some(at) = entries.iter().position(|(key, _)| key.value == "param") else {
        return Vec::new();
    };
    let (_, value) = entries.remove(at);
    let mut reader = GraphSpec::new("");
    let tables = reader.named_tables("param", value);
    problems.append(&mut reader.problems);
    let read = |(name, place, entries)| ParamSpec::read(name, &place, entries, problems);
    tables.filter_map(read).collect()
}

fn has_node(entries: &Entries, name: &str) -> bool {
    let nodes = entries.iter().find(|(key, _)| key.value == "node").map(|(_, value)| &value.value);
    matches!(nodes, Some(Value::Table(nodes)) if nodes.iter().any(|(key, _)| key.value == name))
}

/// The bytes of a graph file as text.
pub(super) fn text_of(name: &str, bytes: &[u8]) -> Result<Arc<SourceText>, Diagnostics> {
    within_limits(name, bytes)?;
    let error = match std::str::from_utf8(bytes) {
        Ok(text) => return Ok(SourceText::new(name, text)),
        Err(error) => error,
    };
    let at = error.valid_up_to();
    let hint = match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "save it as UTF-8; it looks like UTF-16",
        _ => "save it as UTF-8",
    };
    let file = SourceText::new(name, String::from_utf8_lossy(bytes));
    let message = format!("byte {:#04x} is not UTF-8 text", bytes[at]);
    let problem = Diagnostic::error(Code::NotText, message).hint(hint);
    Err(problem.at(&Some(Place::new(&file, at..at + '\u{fffd}'.len_utf8()))).into())
}

fn within_limits(name: &str, bytes: &[u8]) -> Result<(), Diagnostics> {
    let refuse = |message: String, hint: &str| {
        Err(Diagnostic::error(Code::TooLarge, message).of(name).hint(hint).into())
    };
    if bytes.len() > FILE_BYTES_MAX {
        let message = format!(
            "the file has {} bytes; a graph file has at most {FILE_BYTES_MAX}",
            bytes.len()
        );
        return refuse(message, "name a graph file; keep recordings in files of their own");
    }
    let headers =
        bytes.split(|byte| *byte == b'\n').filter(|line| line.trim_ascii_start().starts_with(b"["));
    let headers = headers.count();
    if headers > HEADERS_MAX {
        let message =
            format!("the file has {headers} tables; a graph file has at most {HEADERS_MAX}");
        return refuse(message, "start sessions in place of copying nodes");
    }
    Ok(())
}

/// Names that are none, and names given twice, which only graphs built in Rust can have.
fn name_problems<'s>(
    names: impl Iterator<Item = (&'static str, &'s Spanned<String>)>,
    problems: &mut Vec<Diagnostic>,
) {
    let mut seen: HashMap<&str, &str> = HashMap::new();
    for (what, name) in names {
        let origin = format!("{what} `{}`", name.value);
        if matches!(what, "node" | "input" | "include") && name.value == "graph" {
            let problem = Diagnostic::error(Code::BadName, "`graph` cannot name a node");
            let hint = "choose another name: `--set graph.…` means the graph itself";
            problems.push(problem.at(&name.place).of(origin).hint(hint));
        } else if !is_name(&name.value) {
            problems.push(bad_name(name).of(origin));
        } else if seen.contains_key(name.value.as_str()) {
            let message = match seen[name.value.as_str()] {
                other if other == what => format!("{origin} is there twice"),
                other => format!("{origin} has the name of {other} `{}`", name.value),
            };
            let problem = Diagnostic::error(Code::DuplicateName, message).at(&name.place);
            problems.push(problem.of(origin).hint("give one of them another name"));
        } else {
            seen.insert(&name.value, what);
        }
    }
}
