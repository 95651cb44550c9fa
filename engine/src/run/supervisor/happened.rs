//! What the supervisor hears of.

use std::any::Any;

use kameo::reply::ReplySender;

use crate::{
    body::Body, fault::Fault, kind::BuildError, run::ControlError, session::OpenError,
    stage::SlotBody, time::Timestamp,
};

use super::Reloading;

/// Something that happened in a session, or (without one) is wanted of all.
pub(crate) struct Happened {
    pub(crate) session: Option<u32>,
    pub(crate) what: What,
}

/// What happened.
pub(crate) enum What {
    /// A body on a data core failed.
    Trouble { stage: usize, slot: usize, fault: Fault },
    /// The pause before a restart is over.
    RestartDue { stage: usize, slot: usize, version: u32 },
    /// A body to take the place of the one that failed, or none.
    Rebuilt { stage: usize, slot: usize, version: u32, body: Result<Body, BuildError> },
    /// Every stream of a stage has ended.
    StageDone {
        /// What bodies have to say about it, by node.
        remarks: Vec<(usize, String)>,
    },
    /// A sink or live source has ended.
    TaskDone {
        /// What its body has to say about it, by node.
        remarks: Vec<(usize, String)>,
    },
    /// A sink or live source has failed for good.
    TaskFailed { node: usize, fault: Fault },
    /// A body never returned; its cell was given up.
    Wedged { stage: usize, node: Option<usize> },
    /// The pause before a stage that was given up is built again is over.
    ReplaceDue { stage: usize, version: u32 },
    /// Bodies for a stage that was given up, or the node that has none.
    Replaced { stage: usize, version: u32, bodies: Result<Vec<SlotBody>, (usize, Fault)> },
    /// The neighbours of a new cell know it.
    Settled { stage: usize, version: u32 },
    /// What was inside when a fault ended the session should be through.
    Overdue,
    /// The bodies of a new session, or why it has none.
    Built(NewSession),
    /// What a sink had to say that another has taken the place of, by node.
    Remarked { remarks: Vec<(usize, String)> },
    /// A sink that another has taken the place of could not be finished.
    Unfinished { node: usize, fault: Fault },
    /// The bodies of another plan are built, or one cannot be.
    Renewed(Box<Reloading>, Option<OpenError>),
    /// It may be possible by now to put another plan in.
    ReloadDue(Box<Reloading>),
    /// The plan that was put in has proved itself.
    TrialOver { version: u32 },
    /// The sessions a run begins with are open.
    Opened,
    /// Sessions come and go from now on; none is there yet.
    DoorsOpen,
    /// No session will come any more.
    NoMore,
    /// End all sources.
    DrainAll,
    /// End everything now.
    HaltAll,
}

/// A session that was asked for.
pub(crate) struct NewSession {
    pub(super) bodies: Result<Vec<Option<Body>>, OpenError>,
    /// Zero of its time line, if that is not when it begins.
    pub(super) zero: Option<Timestamp>,
    /// Dropped when it is over.
    pub(super) guest: Option<Box<dyn Any + Send>>,
    pub(super) reply: Option<ReplySender<Result<u32, ControlError>>>,
    /// What had been asked of all sessions when it was asked for.
    pub(super) asked: Asked,
}

/// How often all sessions were asked to drain, and to halt.
#[derive(Clone, Copy, Default)]
pub(super) struct Asked {
    pub(super) drains: u32,
    pub(super) halts: u32,
}
