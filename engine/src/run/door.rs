//! Doors: nodes at which sessions come and go while the run goes on.

use std::any::Any;

use kameo::{actor::ActorRef, error::SendError};

use crate::{plan::Plan, session::OpenError, time::Timestamp};

use super::{ControlError, Supervisor, control};

/// Opens sessions for whoever comes: to the door of a node, or over a link. Cheap to clone.
#[derive(Clone)]
pub struct Opener(pub(super) ActorRef<Supervisor>);

impl Opener {
    /// Opens one more session and gives its number.
    ///
    /// # Errors
    /// If a body cannot be built, the cores are full, or the run has ended.
    pub async fn open(&self) -> Result<u32, ControlError> {
        self.open_at(None, |_| ()).await
    }

    /// As [`Opener::open`], with zero of the session's time line at a moment of the run's clock, and
    /// `told` called with its number before its bodies are built. What that gives is dropped when the
    /// session is over, or was never opened.
    ///
    /// # Errors
    /// As there.
    pub async fn open_at<G: Send + 'static>(
        &self,
        zero: Option<Timestamp>,
        told: impl FnOnce(u32) -> G + Send + 'static,
    ) -> Result<u32, ControlError> {
        let told = |session| -> Box<dyn Any + Send> { Box::new(told(session)) };
        let told: Option<control::Told> = Some(Box::new(told));
        answered(self.0.ask(control::Open { zero, told }).await)
    }

    /// Ends the sources of a session; what is inside is finished, then the session ends.
    ///
    /// # Errors
    /// If there is no such session.
    pub async fn drain(&self, session: u32) -> Result<(), ControlError> {
        answered(self.0.ask(control::DrainOne(session)).await)
    }

    /// Closes a session now.
    ///
    /// # Errors
    /// If there is no such session.
    pub async fn close(&self, session: u32) -> Result<(), ControlError> {
        answered(self.0.ask(control::Close(session)).await)
    }
}

fn answered<T, M>(answer: Result<T, SendError<M, ControlError>>) -> Result<T, ControlError> {
    answer.map_err(|error| match error {
        SendError::HandlerError(error) => error,
        _ => ControlError::Ended,
    })
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
