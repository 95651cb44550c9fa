//! What a section says of its variants, of a rival (`ab`) and of a shadow.

use std::{collections::BTreeSet, path::Path};

use engine::{
    Code, Diagnostic, Diagnostics, Param, ParamType, Params, Place, SectionSpec, Spanned, Value,
    nearest, path_from,
};

use crate::host::{Quality, Split};

use super::parts::{FILE, SEGMENTS};

pub(super) const VARIANTS: Param<VariantList> = Param::optional(
    "variants",
    "Instead of `file`: models that take and give the same, one of which answers each question: ONNX files \
     with their profiles beside them, as `afferent model profile FILE --data FILE --save` writes them, or tables \
     `{ file = \"small.onnx\", latency_ms = 2.0, accuracy = 0.93 }`. Those that another beats in both are \
     not used.",
);
pub(super) const QUALITY: Param<Quality> = Param::with_default(
    "quality",
    Quality::At(1.0),
    "Which of the `variants` is asked, unless a node says otherwise: from 0, the cheapest, to 1, the most \
     accurate; or \"auto\": the most accurate whose answer is expected within the node's `within_ms`, from \
     what waits and what runs take. What would be too late for the one that is asked goes to the next cheaper.",
)
.within(0.0, 1.0);
pub(super) const DWELL_MS: Param<f64> = Param::with_default(
    "dwell_ms",
    100.0,
    "With \"auto\": how long what waits must have been short until a variant that was too much is asked again.",
)
.within(0.0, 60_000.0);
pub(super) const AB: Param<SplitTable> = Param::optional(
    "ab",
    "Another model for a share of the sessions: `{ file = \"new.onnx\", share = 0.1 }`. A session belongs if \
     xxh3-64 of its name (UTF-8; `session` of the node) is below `share` of 2^64, with xxh3-64 of \"NAME ab\" as \
     seed, where NAME is that of the section.",
);
pub(super) const SHADOW: Param<SplitTable> = Param::optional(
    "shadow",
    "Another model that a share of the sessions asks as well (with a `cache`: what is not answered from there), as `ab` says it, with \"NAME shadow\" in \
     the seed. Its answers are compared and go to nobody; it runs when nothing else waits and another worker \
     is free.",
);

/// The type of `variants`.
#[derive(Clone, Copy, Debug)]
pub(super) struct VariantList;

impl ParamType for VariantList {
    const TYPE: &'static str = "a list of files or tables";
    type Read<'a> = &'a [Spanned<Value>];

    fn read(value: &Value) -> Option<&[Spanned<Value>]> {
        let Value::List(items) = value else { return None };
        let is_one = |item: &Spanned<Value>| matches!(item.value, Value::Text(_) | Value::Table(_));
        items.iter().all(is_one).then_some(items)
    }

    fn default_read<'a>(_: Self) -> Self::Read<'a> {
        &[]
    }

    fn show(self) -> String {
        "[]".to_owned()
    }

    fn numbers(_: &Value) -> Vec<f64> {
        Vec::new()
    }
}

/// The type of `ab` and `shadow`.
#[derive(Clone, Copy, Debug)]
pub(super) struct SplitTable;

impl ParamType for SplitTable {
    const TYPE: &'static str = "a table such as `{ file = \"new.onnx\", share = 0.1 }`";
    type Read<'a> = &'a [(Spanned<String>, Spanned<Value>)];

    fn read(value: &Value) -> Option<Self::Read<'_>> {
        if let Value::Table(entries) = value { Some(entries) } else { None }
    }

    fn default_read<'a>(_: Self) -> Self::Read<'a> {
        &[]
    }

    fn show(self) -> String {
        "{}".to_owned()
    }

    fn numbers(_: &Value) -> Vec<f64> {
        Vec::new()
    }
}

/// A variant as written.
#[derive(Clone, Debug)]
pub(super) struct Written {
    /// What it is called in figures.
    pub(super) label: String,
    pub(super) path: String,
    pub(super) latency_ms: Option<f64>,
    pub(super) accuracy: Option<f64>,
    /// Where it was written.
    pub(super) at: Option<Place>,
}

/// Another model for a share of the sessions.
#[derive(Clone, Debug)]
pub(super) struct Other {
    pub(super) label: String,
    pub(super) path: String,
    pub(super) split: Split,
    /// Where it was written.
    pub(super) at: Option<Place>,
}

/// The models of a section besides the one in `file` or `segments`.
#[derive(Clone, Debug, Default)]
pub(super) struct Arms {
    pub(super) variants: Vec<Written>,
    pub(super) ab: Option<Other>,
    pub(super) shadow: Option<Other>,
}

impl Arms {
    /// Of a section whose parameters fit; relative paths start from the folder of the graph.
    pub(super) fn of(
        section: &SectionSpec,
        params: &Params,
        graph_file: Option<&str>,
    ) -> Result<Self, Diagnostics> {
        let reader = Reader { section, graph_file };
        let mut problems = Vec::new();
        let mut variants = Vec::new();
        if let Some(items) = params.read_optional(&VARIANTS)? {
            for (name, what) in
                [(FILE.name(), "a model of its own"), (SEGMENTS.name(), "parts of one")]
            {
                if let Some(written) = section.param(name) {
                    let message = format!("`{name}` and `variants` exclude each other");
                    let problem = reader.problem(Code::OutOfRange, &written.place, &message);
                    problems.push(problem.hint(format!("leave `{name}` out: it names {what}")));
                }
            }
            if items.is_empty() {
                let at = section.param(VARIANTS.name()).map_or(&section.name.place, |it| &it.place);
                let problem = Diagnostic::error(Code::OutOfRange, "`variants` is empty").at(at);
                problems.push(problem.of(reader.owner()).hint("name one ONNX file or more"));
            }
            for item in items {
                match reader.variant(item) {
                    Ok(variant) => variants.push(variant),
                    Err(found) => problems.extend(found),
                }
            }
        } else {
            for name in [QUALITY.name(), DWELL_MS.name()] {
                if let Some(written) = section.param(name) {
                    let message =
                        format!("`{name}` needs `variants`: there is nothing to choose from");
                    let problem = reader.problem(Code::OutOfRange, &written.place, &message);
                    problems.push(problem.hint("name models in `variants` instead of `file`"));
                }
            }
        }
        let mut other = |param: &Param<SplitTable>| -> Result<Option<Other>, Diagnostics> {
            let Some(entries) = params.read_optional(param)? else { return Ok(None) };
            Ok(reader.other(param.name(), entries).map_err(|found| problems.extend(found)).ok())
        };
        let (ab, shadow) = (other(&AB)?, other(&SHADOW)?);
        if !problems.is_empty() {
            return Err(Diagnostics(problems));
        }
        let mut this = Self { variants, ab, shadow };
        this.tell_apart(params.read_optional(&FILE)?);
        Ok(this)
    }

    /// Whether the section has more than one model.
    pub(super) fn are_there(&self) -> bool {
        !self.variants.is_empty() || self.ab.is_some() || self.shadow.is_some()
    }

    /// Where a file has the name of another, its path is its label.
    fn tell_apart(&mut self, file: Option<&str>) {
        let own = file.map(label);
        let others = self.ab.iter().chain(&self.shadow).map(|other| other.label.clone());
        let all: Vec<String> =
            self.variants.iter().map(|it| it.label.clone()).chain(others).chain(own).collect();
        let is_shared = |label: &str| all.iter().filter(|other| *other == label).count() > 1;
        for variant in &mut self.variants {
            if is_shared(&variant.label) {
                variant.label = variant.path.clone();
            }
        }
        for other in self.ab.iter_mut().chain(&mut self.shadow) {
            if is_shared(&other.label) {
                other.label = other.path.clone();
            }
        }
        // One file named twice is two models all the same.
        let others = self.ab.iter_mut().chain(&mut self.shadow).map(|other| &mut other.label);
        let labels = self.variants.iter_mut().map(|variant| &mut variant.label).chain(others);
        let mut taken = BTreeSet::new();
        for label in labels {
            let first = label.clone();
            let mut number = 2;
            while !taken.insert(label.clone()) {
                *label = format!("{first} ({number})");
                number += 1;
            }
        }
    }
}

/// What a file is called in figures: its name without the ending.
pub(super) fn label(path: &str) -> String {
    Path::new(path).file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

struct Reader<'a> {
    section: &'a SectionSpec,
    graph_file: Option<&'a str>,
}

type Entries = [(Spanned<String>, Spanned<Value>)];

impl Reader<'_> {
    fn owner(&self) -> String {
        format!("model `{}`", self.section.name.value)
    }

    fn problem(&self, code: Code, at: &Option<Place>, message: &str) -> Diagnostic {
        Diagnostic::error(code, message.to_owned()).at(at).of(self.owner())
    }

    fn variant(&self, item: &Spanned<Value>) -> Result<Written, Vec<Diagnostic>> {
        let at = item.place.clone();
        let Value::Table(entries) = &item.value else {
            let path =
                path_from(item.value.as_text().unwrap_or_default(), &item.place, self.graph_file);
            let label = label(&path);
            return Ok(Written { label, path, latency_ms: None, accuracy: None, at });
        };
        let keys = ["file", "latency_ms", "accuracy"];
        let mut problems = self.strangers("a variant", entries, &keys);
        let path = self.file("a variant", entries, &at).map_err(|it| problems.push(it)).ok();
        let mut number = |key: &str, most: f64, what: &str| {
            let read = self.number(entries, key, most, what);
            read.map_err(|problem| problems.push(problem)).ok().flatten()
        };
        let latency_ms = number("latency_ms", f64::MAX, "milliseconds of a run, above 0");
        let accuracy = number("accuracy", 1.0, "the share of right answers, above 0 and at most 1");
        let Some(path) = path.filter(|_| problems.is_empty()) else { return Err(problems) };
        Ok(Written { label: label(&path), path, latency_ms, accuracy, at })
    }

    fn other(&self, name: &str, entries: &Entries) -> Result<Other, Vec<Diagnostic>> {
        let at = self.section.param(name).and_then(|written| written.place.clone());
        let what = format!("`{name}`");
        let mut problems = self.strangers(&what, entries, &["file", "share"]);
        let path = self.file(&what, entries, &at).map_err(|it| problems.push(it)).ok();
        let hint = "the share of the sessions, above 0 and at most 1";
        let share = match self.number(entries, "share", 1.0, hint) {
            Ok(Some(share)) => share,
            Ok(None) => {
                let problem =
                    self.problem(Code::MissingParameter, &at, &format!("{what} has no `share`"));
                problems.push(problem.hint(format!("write {hint}, such as `share = 0.1`")));
                0.0
            }
            Err(problem) => {
                problems.push(problem);
                0.0
            }
        };
        let Some(path) = path.filter(|_| problems.is_empty()) else { return Err(problems) };
        let split = Split::new(&format!("{} {name}", self.section.name.value), share);
        Ok(Other { label: label(&path), path, split, at })
    }

    fn strangers(&self, what: &str, entries: &Entries, keys: &[&str]) -> Vec<Diagnostic> {
        let strangers = entries.iter().filter(|(key, _)| !keys.contains(&key.value.as_str()));
        let told = strangers.map(|(key, _)| {
            let message = format!("{what} has no `{}`", key.value);
            let problem = self.problem(Code::UnknownKey, &key.place, &message);
            let problem = problem.hint(format!("its keys are `{}`", keys.join("`, `")));
            problem.did_you_mean(nearest(&key.value, keys.iter().copied()))
        });
        told.collect()
    }

    fn file(
        &self,
        what: &str,
        entries: &Entries,
        at: &Option<Place>,
    ) -> Result<String, Diagnostic> {
        let Some((_, file)) = entries.iter().find(|(key, _)| key.value == "file") else {
            let problem =
                self.problem(Code::MissingParameter, at, &format!("{what} has no `file`"));
            return Err(problem.hint("name an ONNX file"));
        };
        let Some(path) = file.value.as_text() else {
            let message = format!("`file` is {} but takes text", file.value.type_name());
            return Err(self
                .problem(Code::WrongType, &file.place, &message)
                .hint("name an ONNX file"));
        };
        Ok(path_from(path, &file.place, self.graph_file))
    }

    /// A number above 0.
    fn number(
        &self,
        entries: &Entries,
        key: &str,
        most: f64,
        what: &str,
    ) -> Result<Option<f64>, Diagnostic> {
        let Some((_, written)) = entries.iter().find(|(known, _)| known.value == key) else {
            return Ok(None);
        };
        match written.value.as_number() {
            Some(number) if number > 0.0 && number <= most => Ok(Some(number)),
            Some(number) => {
                let message = format!("`{key}` = {number:?} is out of range");
                let problem = self.problem(Code::OutOfRange, &written.place, &message);
                Err(problem.hint(format!("write {what}")))
            }
            None => {
                let message =
                    format!("`{key}` is {} but takes a number", written.value.type_name());
                Err(self
                    .problem(Code::WrongType, &written.place, &message)
                    .hint(format!("write {what}")))
            }
        }
    }
}
