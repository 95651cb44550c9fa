//! Files of models that somebody names with `--set`: who types a path means a model that is there and is one. A graph whose
//! model is `optional` runs without its own default, but not for a slip of the keyboard or half a download.

use std::{io::ErrorKind, path::Path};

use engine::{
    Code, Diagnostics, Disk, Files, GraphSpec, NodeSpec, Override, SectionSpec, Value, nearest,
    path_from,
};

/// Keys of a model whose values are paths and nothing else.
const PATHS: [&str; 3] = ["file", "segments", "exits"];

const OPTIONAL: &str = "optional";

/// Keys of models that were `--set`.
#[derive(Default)]
pub(crate) struct Given(Vec<(String, String)>);

/// A path that was `--set` and leads nowhere.
pub(crate) struct Absent {
    model: String,
    path: String,
}

impl Given {
    pub(crate) fn of(overrides: &[Override]) -> Self {
        let of_models = overrides.iter().filter_map(|change| match &change.path[..] {
            [model, name, key] if model.value == "model" => {
                Some((name.value.clone(), key.value.clone()))
            }
            _ => None,
        });
        Self(of_models.collect())
    }

    /// The keys that were set of one model.
    pub(crate) fn of_model<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(model, _)| model == name).map(|(_, key)| &**key)
    }

    /// Takes `optional` from models that were set to other files, unless that was set as well, or only another host asks
    /// them. Gives the files that are not there.
    pub(crate) fn require(
        &self,
        spec: &mut GraphSpec,
        host: Option<&str>,
        graph_file: Option<&str>,
    ) -> Vec<Absent> {
        let mut all = Vec::new();
        let nodes = &spec.nodes;
        for section in &mut spec.models {
            let name = section.name.value.clone();
            let is_set = |key: &str| self.of_model(&name).any(|set| set == key);
            if is_set(OPTIONAL) || !is_asked_on(nodes, &name, host) {
                continue;
            }
            let keys: Vec<&str> = PATHS.into_iter().filter(|key| is_set(key)).collect();
            if keys.is_empty() {
                continue;
            }
            section.params.retain(|(key, _)| key.value != OPTIONAL);
            let absent = keys.into_iter().flat_map(|key| absent(section, key, graph_file));
            all.extend(absent.map(|path| Absent { model: name.clone(), path }));
        }
        all
    }
}

/// Says of each what may have been meant.
pub(crate) fn explain(absent: &[Absent], problems: &mut Diagnostics) {
    for problem in problems.0.iter_mut().filter(|problem| problem.code == Code::NoSuchFile) {
        let is_of = |it: &&Absent| problem.message.contains(&format!("`{}`", it.path));
        let Some(Absent { model, path }) = absent.iter().find(is_of) else { continue };
        let without = format!("to run without it, `--set model.{model}.optional=true` beside it");
        problem.hint = Some(match meant(path) {
            Some(near) => format!("did you mean `{near}`? or, {without}"),
            None => format!("check the path, which starts from the current folder; {without}"),
        });
    }
}

/// Paths under a key that lead nowhere.
fn absent(section: &SectionSpec, key: &str, graph_file: Option<&str>) -> Vec<String> {
    let Some(written) = section.param(key) else { return Vec::new() };
    let texts: Vec<&str> = match &written.value {
        Value::Text(text) => vec![text],
        Value::List(items) => items.iter().filter_map(|item| item.value.as_text()).collect(),
        _ => Vec::new(),
    };
    let paths = texts.into_iter().map(|text| path_from(text, &written.place, graph_file));
    let leads_nowhere =
        |path: &String| Disk.open(path).is_err_and(|error| error.kind() == ErrorKind::NotFound);
    paths.filter(leads_nowhere).collect()
}

/// Whether a node that may run there asks for it.
fn is_asked_on(nodes: &[NodeSpec], model: &str, host: Option<&str>) -> bool {
    let Some(host) = host else { return true };
    let mut asking = nodes
        .iter()
        .filter(|node| node.params.iter().any(|(_, value)| value.value.as_text() == Some(model)));
    asking.any(|node| {
        let on = &node.options.on;
        on.is_empty() || on.iter().any(|on| on.value == host)
    })
}

/// What is there and called nearly so.
fn meant(path: &str) -> Option<String> {
    let path = Path::new(path);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    // Of a huge folder not all.
    let entries = std::fs::read_dir(folder.unwrap_or(Path::new("."))).ok()?.flatten().take(1_000);
    let files = entries.filter(|entry| entry.path().is_file());
    let mut names: Vec<String> =
        files.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    let asked = path.file_name()?.to_string_lossy();
    let near = nearest(&asked, names.iter().map(String::as_str))?;
    Some(path.with_file_name(near).display().to_string())
}
