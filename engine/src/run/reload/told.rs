//! What is told of a reload.

use std::fmt;

use crate::{
    fault::Fault,
    graph::Diagnostics,
    plan::{Becomes, Change, Home},
    session::OpenError,
};

/// What has become of a graph that was given another plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReloadReport {
    /// Nodes that were not touched.
    pub kept: Vec<String>,
    /// Nodes whose body went on, with the keys that changed.
    pub tuned: Vec<(String, Vec<String>)>,
    /// Nodes that got a new body.
    pub rebuilt: Vec<Renewed>,
    /// Nodes that are new.
    pub added: Vec<String>,
    /// Nodes that are there no more.
    pub removed: Vec<String>,
    /// Nanoseconds for which those were held that are at work.
    pub held_ns: u64,
}

/// A node that got a new body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewed {
    /// Its name.
    pub node: String,
    /// Whether the new body has taken up what the old one knew, in every session. Otherwise it began
    /// fresh: what it says next follows a gap, of reason `restart`.
    pub has_state: bool,
}

/// Why a graph that runs was not given another plan: it goes on as it was.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReloadError {
    /// What has changed cannot take effect while it runs.
    Refused(Diagnostics),
    /// A body cannot be built.
    Build(OpenError),
    /// A body does not take another value for a parameter.
    Untold {
        /// The node.
        node: String,
        /// What it says.
        fault: Fault,
    },
    /// Another plan is being put in, or a body does not come back from its turn.
    Busy,
    /// The run has ended.
    Ended,
}

impl fmt::Display for ReloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(problems) => problems.fmt(f),
            Self::Build(error) => error.fmt(f),
            Self::Untold { node, fault } => write!(f, "node `{node}`: {fault}"),
            Self::Busy => f.write_str("another change is under way, or a body does not return"),
            Self::Ended => f.write_str("the run has ended"),
        }
    }
}

impl std::error::Error for ReloadError {}

/// A plan that was taken out again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolledBack {
    /// The node whose new body failed.
    pub node: String,
    /// How.
    pub fault: String,
}

/// What has become of the nodes, of which some have begun `fresh`.
pub(super) fn report(change: &Change, fresh: &[usize], held_ns: u64) -> ReloadReport {
    let mut report = ReloadReport { held_ns, ..ReloadReport::default() };
    for (number, (node, becomes)) in change.plan.nodes.iter().zip(&change.nodes).enumerate() {
        let name = node.name.clone();
        match becomes {
            Becomes::Tuned(keys) if keys.is_empty() => report.kept.push(name),
            Becomes::Kept => report.kept.push(name),
            Becomes::Added => report.added.push(name),
            Becomes::Removed => report.removed.push(name),
            Becomes::Gone => {}
            Becomes::Tuned(keys) => report.tuned.push((name, keys.clone())),
            Becomes::Rebuilt { .. } => {
                // Bodies that wait keep nothing for their successors.
                let has_state = node.home != Home::Io && !fresh.contains(&number);
                report.rebuilt.push(Renewed { node: name, has_state });
            }
        }
    }
    // What was told apart by its number is one that another has taken the place of.
    let bare = |name: &String| name.split('~').next().unwrap_or_default().to_owned();
    report.removed = report.removed.iter().map(bare).collect();
    let is_followed = |name: &String| report.removed.contains(name);
    let followed: Vec<_> = report.added.iter().filter(|name| is_followed(name)).cloned().collect();
    report.added.retain(|name| !followed.contains(name));
    report.removed.retain(|name| !followed.contains(name));
    let anew = followed.into_iter().map(|node| Renewed { node, has_state: false });
    report.rebuilt.extend(anew);
    report
}
