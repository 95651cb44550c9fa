//! Doors: nodes at which sessions come and go while the run goes on.

use std::any::Any;

use kameo::{actor::ActorRef, error::SendError};

use crate::{plan::Plan, session::OpenError};

use super::{ControlError, Supervisor, control};

/// Opens sessions for whoever comes to the door of a node. Cheap to clone.
#[derive(Clone)]
pub struct Opener(pub(super) ActorRef<Supervisor>);

impl Opener {
    /// Opens one more session and gives its number.
    ///
    /// # Errors
    /// If a body cannot be built, the cores are full, or the run has ended.
    pub async fn open(&self) -> Result<u32, ControlError> {
        match self.0.ask(control::Open).await {
            Ok(session) => Ok(session),
            Err(SendError::HandlerError(error)) => Err(error),
            Err(_) => Err(ControlError::Ended),
        }
    }
}

/// What keeps the doors of a run open, until it is dropped.
#[derive(Default)]
pub(super) struct Doors(
    #[expect(dead_code, reason = "dropped to close them")] Vec<Box<dyn Any + Send>>,
);

impl Doors {
    /// Opens the doors of all nodes that have one.
    pub(super) fn open(plan: &Plan, supervisor: &ActorRef<Supervisor>) -> Result<Self, OpenError> {
        let mut doors = Vec::new();
        for (number, planned) in plan.nodes.iter().enumerate() {
            let Some(open) = planned.kind.door else { continue };
            let node = plan.view(number, &planned.params, 0);
            let door = open(&node, Opener(supervisor.clone()));
            doors.push(
                door.map_err(|error| OpenError::Build { node: planned.name.clone(), error })?,
            );
        }
        Ok(Self(doors))
    }
}
