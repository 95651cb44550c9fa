//! `[include.NAME]`: graphs within graphs, made flat before anything is planned.
//!
//! ```text
//! g.toml            [include.left]  file = "clean.toml"  from = "ecg"  low_hz = 4.0
//! clean.toml        [param.low_hz]  [input.signal]  [output.clean]  [node.filter]
//!                            │
//!                            ▼
//! one spec          left/filter   low_hz = 4.0   from = "ecg"          ◀── `from = "left.clean"`
//! ```
//!
//! A name in an included file is `include/name` in the whole. What is written keeps its place, and
//! the text that it stands in knows who included it, so that every diagnostic can tell.

mod expand;
mod resolve;
mod sections;
mod wire;

use std::sync::Arc;

use super::diagnostic::Diagnostics;
use super::overrides::{Forgotten, Override};
use super::parse::text_of;
use super::place::SourceText;
use super::spec::GraphSpec;
use crate::files::Files;

use self::expand::Expansion;

/// A graph file with all that it includes.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The whole, without `[include.…]` that would have to be expanded.
    pub spec: GraphSpec,
    /// What changes of `op` made nodes forget.
    pub forgotten: Vec<Forgotten>,
}

impl GraphSpec {
    /// Reads a graph file that may not even be text, with all that it includes, and changes it: first by
    /// what `[host.NAME]` says is different on `host`, then by `changes`. Those may be about nodes
    /// of includes (`left/clean.low_hz`), about includes (`left.file`, `include.left.low_hz`) and about the
    /// file's own parameters (`param.low_hz`).
    ///
    /// # Errors
    /// If the text is no TOML; everything else that is wrong waits in the spec, so that `plan` can report it together
    /// with what only it can find. Where a parameter of the file lacks its value, nothing else is read but tests.
    pub fn load(
        name: &str,
        bytes: &[u8],
        files: &dyn Files,
        host: Option<&str>,
        changes: &[Override],
    ) -> Result<Loaded, Diagnostics> {
        let file = text_of(name, bytes)?;
        let mut raw = Self::parse_given(&file, changes)?;
        let on_host = host.map_or_else(Vec::new, |host| raw.overrides_of_host(host));
        if on_host.iter().any(|change| raw.is_of_param(change)) {
            raw = Self::parse_given(&file, &[&on_host[..], changes].concat())?;
            if let Some(host) = host {
                // Its problems are those of the second reading.
                raw.overrides_of_host(host);
            }
        }
        Ok(raw.expanded_by(files, Some(name), &[&on_host, changes]))
    }

    /// The same with all that it includes; paths without a place start from the current folder, others from
    /// the folder of the file they stand in, which for this spec's own is that of `graph_file`.
    ///
    /// What is wrong waits in the spec.
    pub fn expanded(&self, files: &dyn Files, graph_file: Option<&str>) -> Self {
        self.clone().expanded_by(files, graph_file, &[]).spec
    }

    /// Whether something in it is yet to be put in its place.
    pub(crate) const fn wants_expansion(&self) -> bool {
        let is_plain =
            self.includes.is_empty() && self.inlets.is_empty() && self.outlets.is_empty();
        !self.is_expanded && !is_plain
    }

    fn expanded_by(
        mut self,
        files: &dyn Files,
        graph_file: Option<&str>,
        layers: &[&[Override]],
    ) -> Loaded {
        let pending = std::mem::take(&mut self.pending);
        let layers = [&[&pending[..]], layers].concat();
        let mut expansion = Expansion::new(files, graph_file, &layers);
        expansion.root(self);
        let (mut spec, layers) = expansion.finish();
        let mut forgotten = Vec::new();
        for changes in layers {
            forgotten.extend(spec.apply(&changes));
        }
        spec.name_sections();
        spec.resolve_all();
        Loaded { spec, forgotten }
    }

    /// Texts of the files that were included, in the order of reading; a name is a path.
    pub fn included(&self) -> &[Arc<SourceText>] {
        &self.included
    }
}
