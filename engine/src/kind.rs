//! [`Kind`]: what a node can be an instance of, as one constant per file; and the [`Catalog`].

mod catalog;
mod node;
mod outline;
mod port;

use std::any::Any;

use crate::{
    body::Body,
    fault::Fault,
    graph::{Diagnostic, Diagnostics},
    param::AnyParam,
    run::Opener,
};

pub use catalog::Catalog;
pub use node::{Input, Node, Passed};
pub use outline::{Outline, Use, Used};
pub use port::{Placement, Policy, Port, Shape};

/// Everything known about one kind of node before it is built.
pub struct Kind {
    /// The `op` in graph files, and the name of the file it stands in.
    pub name: &'static str,
    /// One sentence for `afferent list`.
    pub summary: &'static str,
    /// What `afferent explain` prints: formula, delay, cost, what happens to NaN, source.
    pub doc: &'static str,
    /// Parameters, and inputs if need be, for trying the kind out, as TOML.
    pub example: &'static str,
    /// Input ports in order.
    pub inputs: &'static [Port],
    /// Output ports in order.
    pub outputs: &'static [Port],
    /// Parameters in the order of the manual.
    pub params: &'static [&'static dyn AnyParam],
    /// Where its body runs.
    pub placement: Placement,
    /// How frames of several inputs meet.
    pub policy: Policy,
    /// Whether the body uses event-time timers (`due`).
    pub timers: bool,
    /// Whether its source follows a clock that cannot be made to wait.
    pub live: bool,
    /// Whether a source asks and waits for answers, or a sink answers: what reaches the sink settles what
    /// the source asked, which hears of it when a frame with its tag is dropped on the way there. A source
    /// that asks needs such a sink behind it.
    pub answers: bool,
    /// The port whose frames make its operator flush (see [`Io::flush`](crate::Io::flush)), if it does. The
    /// node then has a stage of its own, its inputs meet as they come, and frames of that port are taken
    /// even while what it has sent finds no room. It has no timers.
    pub flushes_on: Option<&'static str>,
    /// For sources: sessions come and go at its door. It is opened once, when the run starts; the run
    /// begins without a session and goes on without one until it is drained. The door is dropped then.
    pub door: Option<OpenDoor>,
    /// For sources: the kind that takes this one's place where a node has a `from`, so that a
    /// file format has one name in both directions.
    pub when_fed: Option<&'static Kind>,
    /// Gives output formats, delay and look-back; reads headers of files.
    pub plan: fn(&Node<'_>) -> Result<Outline, Diagnostics>,
    /// Makes a body.
    pub build: fn(&Node<'_>) -> Result<Body, BuildError>,
    /// For kinds made at run time: what their `build` finds by [`Node::kind`].
    pub data: Option<&'static (dyn Any + Send + Sync)>,
}

/// Opens the door of a node: begins to listen for whoever wants a session, and gives what must be kept
/// as long as it shall.
pub type OpenDoor = fn(&Node<'_>, Opener) -> Result<Box<dyn Any + Send>, BuildError>;

impl Kind {
    /// A kind without anything, to be completed: `Kind { name: …, ..Kind::BASE }`.
    pub const BASE: Self = Self {
        name: "",
        summary: "",
        doc: "",
        example: "",
        inputs: &[],
        outputs: &[],
        params: &[],
        placement: Placement::Fused,
        policy: Policy::Merge,
        timers: false,
        live: false,
        answers: false,
        flushes_on: None,
        door: None,
        when_fed: None,
        plan: Outline::like_ports,
        build: |_| Err(BuildError::Fault(Fault::new("this kind has no body"))),
        data: None,
    };

    /// The parameter called `name`.
    pub fn param(&self, name: &str) -> Option<&'static dyn AnyParam> {
        self.params.iter().copied().find(|param| param.name() == name)
    }

    /// Whether frames enter here.
    pub const fn is_source(&self) -> bool {
        self.inputs.is_empty()
    }

    /// Whether frames leave here.
    pub const fn is_sink(&self) -> bool {
        self.outputs.is_empty()
    }
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kind({})", self.name)
    }
}

/// What `build` may complain about.
#[derive(Debug)]
pub enum BuildError {
    /// The author of the graph must act.
    Graph(Diagnostics),
    /// Something outside must change: a file, a device.
    Fault(Fault),
}

impl From<Diagnostic> for BuildError {
    fn from(problem: Diagnostic) -> Self {
        Self::Graph(problem.into())
    }
}

impl From<Fault> for BuildError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl std::fmt::Display for BuildError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Graph(problems) => problems.fmt(f),
            Self::Fault(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for BuildError {}
