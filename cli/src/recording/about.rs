//! [`About`]: what a recording says about itself, so that it can be replayed without the graph file.

use std::{collections::BTreeMap, path::Path, time::UNIX_EPOCH};

use engine::Plan;
use operators::files::mcap::{ABOUT, GRAPH};

use crate::graph::Graph;

/// What is known of a run before it starts.
#[derive(Clone, Debug)]
pub(crate) struct About {
    /// The graph file and those that it includes: whole path and text.
    files: Vec<(String, String)>,
    /// What was `--set`.
    set: Vec<String>,
    hash: String,
    /// The clock of the world at zero of the time line, in nanoseconds since 1970.
    pub(crate) origin_ns: i64,
    cores: usize,
}

impl About {
    pub(crate) fn new(graph: &Graph, set: &[String], cores: usize) -> Self {
        let whole = |name: &str| {
            let path = std::path::absolute(Path::new(name));
            path.map_or_else(|_| name.to_owned(), |path| path.to_string_lossy().into_owned())
        };
        let files = graph.files();
        let files = files.into_iter().map(|(name, text)| (whole(&name), text)).collect();
        Self { files, set: set.to_vec(), hash: graph.hash_text(), origin_ns: origin_ns(), cores }
    }

    /// As it stands in the file, with the names that it stands under.
    pub(crate) fn metadata(
        &self,
        plan: &Plan,
        sessions: u32,
        speed: Option<f64>,
    ) -> Vec<(String, BTreeMap<String, String>)> {
        let about = [
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
            ("graph", plan.name().to_owned()),
            ("graph_hash", self.hash.clone()),
            ("set", self.set.join("\n")),
            ("start_utc_ns", self.origin_ns.to_string()),
            ("speed", speed.map_or("max".to_owned(), |speed| speed.to_string())),
            ("cores", self.cores.to_string()),
            ("sessions", sessions.to_string()),
            ("plan", plan.table()),
        ];
        let about = about.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let files = self.files.iter().enumerate().map(|(n, (name, text))| {
            let file = [("file", name), ("text", text)];
            let file = file.map(|(key, value)| (key.to_owned(), value.clone()));
            (
                format!("{GRAPH}{}", if n == 0 { String::new() } else { format!(" {n}") }),
                file.into(),
            )
        });
        std::iter::once((ABOUT.to_owned(), about)).chain(files).collect()
    }
}

#[expect(clippy::disallowed_methods, reason = "viewers show when it was; nothing is decided by it")]
fn origin_ns() -> i64 {
    let since = std::time::SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
