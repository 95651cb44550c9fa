//! Reading what is included, and putting it all into one spec.

use std::io::Read;
use std::sync::Arc;

use super::wire::Call;
use crate::files::{Files, path_from};
use crate::graph::bind::Giver;
use crate::graph::code::Code;
use crate::graph::declare::InletSpec;
use crate::graph::diagnostic::Diagnostic;
use crate::graph::overrides::{Override, within};
use crate::graph::parse::{FILE_BYTES_MAX, text_of};
use crate::graph::place::Spanned;
use crate::graph::spec::{GraphSpec, NodeSpec, Scope, SectionSpec};
use crate::graph::value::Value;

/// Files within files within files. Nobody follows more.
const DEPTH_MAX: usize = 16;

/// Includes of a whole graph. Each is read and checked by itself.
const INCLUDES_MAX: usize = 1_000;

/// Nodes of a whole graph that includes others; as many as tables in a file.
const NODES_MAX: usize = 25_000;

/// Bytes of all files together.
const BYTES_MAX: usize = 4 * FILE_BYTES_MAX;

/// What a full name may have. Such names stand on every line of output.
const PATH_BYTES_MAX: usize = 255;

/// A graph while others are put into it.
pub(super) struct Expansion<'a> {
    files: &'a dyn Files,
    graph_file: Option<&'a str>,
    /// With whether it has been applied, and of which layer it is: later ones change what earlier ones left.
    changes: Vec<(&'a Override, bool, usize)>,
    layers: usize,
    whole: GraphSpec,
    /// Identity and name of the files that are being read, the outermost first.
    chain: Vec<(Option<String>, String)>,
    count: usize,
    bytes: usize,
    /// Whether a limit was met; the rest is then left unread.
    is_full: bool,
}

impl<'a> Expansion<'a> {
    pub(super) fn new(
        files: &'a dyn Files,
        graph_file: Option<&'a str>,
        layers: &[&'a [Override]],
    ) -> Self {
        let layered = layers.iter().enumerate();
        let changes = layered
            .flat_map(|(layer, changes)| changes.iter().map(move |change| (change, false, layer)))
            .collect();
        let identity = graph_file.and_then(|path| files.identity(path));
        let name = graph_file.unwrap_or("this graph").to_owned();
        Self {
            files,
            graph_file,
            changes,
            layers: layers.len(),
            whole: GraphSpec::new(""),
            chain: vec![(identity, name)],
            count: 0,
            bytes: 0,
            is_full: false,
        }
    }

    /// Takes the outermost file.
    pub(super) fn root(&mut self, mut spec: GraphSpec) {
        for change in &mut self.changes {
            change.1 |= spec.is_of_param(change.0);
        }
        let mut problems = std::mem::take(&mut spec.problems);
        spec.add_own_problems(&mut problems);
        let includes = std::mem::take(&mut spec.includes);
        // Inputs are fed by their stand-ins.
        for inlet in &spec.inlets {
            spec.nodes.push(stand_in(inlet));
        }
        self.whole = spec;
        self.whole.problems = problems;
        self.whole.is_expanded = true;
        self.includes("", includes);
    }

    /// The whole, and the changes that are about its nodes and sections, layer by layer.
    pub(super) fn finish(self) -> (GraphSpec, Vec<Vec<Override>>) {
        let mut rest = vec![Vec::new(); self.layers];
        for (change, _, layer) in self.changes.into_iter().filter(|(_, is_applied, _)| !is_applied)
        {
            rest[layer].push(change.clone());
        }
        (self.whole, rest)
    }

    fn includes(&mut self, prefix: &str, includes: Vec<SectionSpec>) {
        for mut section in includes {
            section.name.value.insert_str(0, prefix);
            self.change(&mut section);
            self.include(section);
        }
    }

    /// Applies what is said of an include from outside: `left.low_hz`, `include.left.low_hz`.
    fn change(&mut self, section: &mut SectionSpec) {
        let name = section.name.value.clone();
        for (change, is_applied, _) in
            self.changes.iter_mut().filter(|(_, is_applied, _)| !is_applied)
        {
            let words: Vec<&str> = change.path.iter().map(|word| word.value.as_str()).collect();
            let rest = match words[..] {
                ["include", include, _, ..] if include == name => &change.path[2..],
                [include, _, ..] if include == name => &change.path[1..],
                _ => continue,
            };
            *is_applied = true;
            let old = section.param(&rest[0].value).cloned();
            let value = change.value.clone();
            let changed = within(old, &rest[1..], value, &mut self.whole.problems);
            if let Some(value) = changed {
                section.assign(rest[0].clone(), value);
            }
        }
    }

    fn include(&mut self, section: SectionSpec) {
        let name = section.name.clone();
        self.whole.includes.push(section.clone());
        let mut problems = Vec::new();
        let call = Call::read(&section, &mut problems);
        let read = call.as_ref().and_then(|call| self.read(&name, call, &mut problems));
        let origin = format!("include `{}`", name.value);
        let of = |problem: Diagnostic| match problem.origin {
            None => problem.of(origin.as_str()),
            Some(_) => problem,
        };
        self.whole.problems.extend(problems.into_iter().map(of));
        let (Some(call), Some((identity, spec))) = (call, read) else {
            self.whole.lost.push(name.value);
            return;
        };
        // Told for every inclusion, as they may depend on what is given; what is the same is told once in the end.
        let mut problems = spec.problems.clone();
        spec.add_own_problems(&mut problems);
        self.whole.problems.extend(problems);
        self.chain.push((identity, path_from(&call.file.value, &call.file.place, self.graph_file)));
        self.put(&name, &call, spec);
        self.chain.pop();
    }

    /// Reads the file of an include, with its parameters in their places.
    fn read(
        &mut self,
        name: &Spanned<String>,
        call: &Call,
        problems: &mut Vec<Diagnostic>,
    ) -> Option<(Option<String>, GraphSpec)> {
        let mut refuse = |problem: Diagnostic| problems.push(problem);
        if self.is_full {
            return None;
        }
        if name.value.len() > PATH_BYTES_MAX {
            let message =
                format!("the name of the include is longer than {PATH_BYTES_MAX} letters");
            refuse(Diagnostic::error(Code::BadName, message).at(&name.place));
            return None;
        }
        let path = path_from(&call.file.value, &call.file.place, self.graph_file);
        let identity = self.files.identity(&path);
        let known = |(other, name): &(Option<String>, String)| match (other, &identity) {
            (Some(other), Some(identity)) => other == identity,
            _ => *name == path,
        };
        if let Some(at) = self.chain.iter().position(known) {
            let names = self.chain[at..].iter().map(|(_, name)| name.as_str());
            let circle: Vec<&str> = names.chain([path.as_str()]).collect();
            let message = format!("files include each other in a circle: {}", circle.join(" → "));
            let problem = Diagnostic::error(Code::IncludeCycle, message).at(&call.file.place);
            refuse(problem.hint("take one of these includes out"));
            return None;
        }
        if self.chain.len() > DEPTH_MAX {
            let message = format!("includes stand more than {DEPTH_MAX} files deep");
            let problem = Diagnostic::error(Code::TooLarge, message).at(&call.file.place);
            refuse(problem.hint("include the inner files from further out"));
            return None;
        }
        self.count += 1;
        if self.count > INCLUDES_MAX {
            self.is_full = true;
            let message = format!("the graph has more than {INCLUDES_MAX} includes");
            let problem = Diagnostic::error(Code::TooLarge, message).at(&name.place);
            refuse(problem.hint("start sessions in place of copying nodes"));
            return None;
        }
        let bytes = match self.open(&path) {
            Ok(bytes) => bytes,
            Err(error) => {
                refuse(unreadable(&path, &error).at(&call.file.place));
                return None;
            }
        };
        self.bytes += bytes.len();
        if self.bytes > BYTES_MAX {
            self.is_full = true;
            let message =
                format!("all files of the graph together have more than {BYTES_MAX} bytes");
            let problem = Diagnostic::error(Code::TooLarge, message).at(&call.file.place);
            refuse(problem.hint("start sessions in place of copying nodes"));
            return None;
        }
        let read = text_of(&path, &bytes).and_then(|text| {
            let text = text.included(&name.value, &name.place);
            self.whole.included.push(Arc::clone(&text));
            let giver = Giver::Include(&name.value, &name.place);
            GraphSpec::parse_with(&text, &call.params, giver)
        });
        match read {
            Ok(spec) => Some((identity, spec)),
            Err(found) => {
                let placed = |problem: Diagnostic| match problem.place {
                    None => problem.at(&call.file.place),
                    Some(_) => problem,
                };
                problems.extend(found.0.into_iter().map(placed));
                None
            }
        }
    }

    fn open(&self, path: &str) -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = self.files.open(path)?;
        file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Puts a file that was read into the whole, under the name of its include.
    fn put(&mut self, name: &Spanned<String>, call: &Call, mut spec: GraphSpec) {
        let prefix = format!("{}/", name.value);
        let first = self.whole.nodes.len();
        if first + spec.nodes.len() > NODES_MAX {
            if !self.is_full {
                let message = format!("the graph has more than {NODES_MAX} nodes");
                let problem = Diagnostic::error(Code::TooLarge, message).at(&name.place);
                self.whole.problems.push(problem.hint("start sessions in place of copying nodes"));
            }
            self.is_full = true;
            self.whole.lost.push(name.value.clone());
            return;
        }
        let GraphSpec { problems, lost, .. } = &mut self.whole;
        let mut fed = call.feeds(name, &spec.inlets, problems, lost);
        let outer = name.value.rsplit_once('/').map_or("", |(outer, _)| outer);
        for source in fed.iter_mut().flat_map(|(_, inputs)| inputs).map(|input| &mut input.source) {
            source.value.path.value.splice(0..0, parts(outer));
        }
        for mut node in std::mem::take(&mut spec.nodes) {
            node.name.value.insert_str(0, &prefix);
            for input in &mut node.from {
                input.named = Some(input.source.value.output());
                input.source.value.path.value.splice(0..0, parts(&name.value));
            }
            if let Some(stage) = &mut node.options.stage {
                stage.value.insert_str(0, &prefix);
            }
            self.whole.nodes.push(node);
        }
        let mut outlets = std::mem::take(&mut spec.outlets);
        for from in outlets.iter_mut().filter_map(|outlet| outlet.from.as_mut()) {
            from.value.path.value.splice(0..0, parts(&name.value));
        }
        self.whole.scopes.insert(name.value.clone(), Scope { fed, outlets });
        let (models, caches) = (self.whole.models.len(), self.whole.caches.len());
        for (ours, theirs) in [
            (&mut self.whole.models, std::mem::take(&mut spec.models)),
            (&mut self.whole.caches, std::mem::take(&mut spec.caches)),
        ] {
            ours.extend(theirs.into_iter().map(|mut section| {
                section.name.value.insert_str(0, &prefix);
                section
            }));
        }
        self.includes(&prefix, std::mem::take(&mut spec.includes));
        for node in &mut self.whole.nodes[first..] {
            if node.options.on.is_empty() {
                node.options.on.extend(call.on.clone());
            }
            if let Some(enabled) = call.enabled.as_ref().filter(|enabled| !enabled.value) {
                node.options.enabled = Some(enabled.clone());
            }
        }
        if call.enabled.as_ref().is_some_and(|enabled| !enabled.value) {
            self.whole.models.truncate(models);
            self.whole.caches.truncate(caches);
        }
    }
}

/// The names of a path; none of an empty one.
pub(super) fn parts(path: &str) -> Vec<String> {
    path.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// What stands in for an input where its file runs by itself. Without an `op` it is a node that only a
/// test can replace.
fn stand_in(inlet: &InletSpec) -> NodeSpec {
    let bare = || NodeSpec::new(inlet.name.clone(), Spanned::from(""));
    inlet.stand_in.clone().unwrap_or_else(bare)
}

fn unreadable(path: &str, error: &std::io::Error) -> Diagnostic {
    let (why, hint) = match error.kind() {
        std::io::ErrorKind::NotFound => (
            "there is no such file".to_owned(),
            "check the path: it starts from the folder of the file that it is written in",
        ),
        std::io::ErrorKind::IsADirectory => {
            ("it is a folder".to_owned(), "name the graph file in it")
        }
        std::io::ErrorKind::PermissionDenied => {
            ("permission denied".to_owned(), "make it readable for this user")
        }
        _ => (error.to_string(), "check the disk and the file, then try again"),
    };
    let message = format!("`{path}` cannot be included: {why}");
    Diagnostic::error(Code::of_io(error), message).hint(hint)
}

/// Whether a change reads `param.NAME`.
fn is_param(change: &Override) -> bool {
    matches!(&change.path[..], [first, _] if first.value == "param")
}

impl GraphSpec {
    /// Whether a change is about a parameter of the file itself.
    pub(in crate::graph) fn is_of_param(&self, change: &Override) -> bool {
        is_param(change) && self.find("param").is_none()
    }

    /// What changes give to the parameters of the file.
    pub(in crate::graph) fn given(changes: &[Override]) -> Vec<(Spanned<String>, Spanned<Value>)> {
        let of_params = changes.iter().filter(|change| is_param(change));
        of_params.map(|change| (change.path[1].clone(), change.value.clone())).collect()
    }
}
