//! A question that is open, and its answer.

use tokio::{
    task::JoinHandle,
    time::{Instant, timeout_at},
};

use crate::{buffer::Buffer, call::Answer, frame::Frame};

pub(super) struct Question {
    pub(super) frame: Frame,
    /// Not later than this; counts from when it was asked first.
    pub(super) until: Option<Instant>,
    /// Times it may be asked again if the answer fails.
    pub(super) retries: u32,
    pub(super) answer: Answering,
}

pub(super) enum Answering {
    Open(JoinHandle<Result<Frame, Missing>>),
    /// The body died when it was asked.
    Died,
    /// No body is left to ask.
    Ready(Option<Buffer>),
}

/// Why there is no answer.
#[derive(Clone, Copy)]
pub(super) enum Missing {
    Late,
    Failed,
}

impl Drop for Question {
    fn drop(&mut self) {
        if let Answering::Open(answer) = &self.answer {
            answer.abort();
        }
    }
}

impl Question {
    /// Safe to cancel: an answer that has come is kept.
    pub(super) async fn answered(&mut self) -> Result<Frame, Missing> {
        match &mut self.answer {
            // A panic of the answer is its failure; the body that gave it is whole.
            Answering::Open(answer) => answer.await.unwrap_or(Err(Missing::Failed)),
            Answering::Died => Err(Missing::Failed),
            Answering::Ready(Some(buffer)) => Ok(Frame::new(self.frame.header, buffer.clone())),
            Answering::Ready(None) => Err(Missing::Failed),
        }
    }
}

/// Waits for an answer, but not longer than until then.
pub(super) async fn in_time(answer: Answer, until: Option<Instant>) -> Result<Frame, Missing> {
    let answered = match until {
        None => answer.await,
        Some(until) => timeout_at(until, answer).await.map_err(|_| Missing::Late)?,
    };
    answered.map_err(|_| Missing::Failed)
}
