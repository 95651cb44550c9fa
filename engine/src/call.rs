//! [`Call`]: a node that asks something asynchronous and gives answers in order.
//!
//! A call ends its stage: frames reach it by ring, its answers leave by ring.
//! Between the two at most `in_flight` questions are open, each asked as soon as
//! it comes; answers leave in the order of the questions, whichever came first,
//! and the bound behind the call is the oldest question still open.
//!
//! | What happens | Then |
//! |---|---|
//! | no answer at the deadline | the fallback, else `dropped(late)` |
//! | the answer is a fault, or panics | asked again, `retries` times at most (none unless the node says so) and not beyond the deadline; then the fallback, else `dropped(poison)` |
//! | the call itself faults or panics | the question is `dropped(poison)`, the body put in anew behind a gap `restart`; if that happens too often, `on_fault` decides, as for every body |

use std::{future::Future, pin::Pin, time::Duration};

use crate::{fault::Fault, frame::Frame};

/// An answer on its way: the payload for the output port, or a fault.
pub type Answer = Pin<Box<dyn Future<Output = Result<Frame, Fault>> + Send>>;

/// Asks something asynchronous: a model, a remote service.
pub trait Call: Send {
    /// Asks about one frame. Must not wait; what waits is the answer. The runtime gives the
    /// answer the question's time, tag and clock.
    ///
    /// # Errors
    /// A [`Fault`] if it cannot even ask.
    fn ask(&mut self, question: Frame) -> Result<Answer, Fault>;

    /// Most questions open at once; further frames wait in the ring. Looked at with every question.
    fn in_flight(&self) -> usize {
        1
    }

    /// How long an answer may take, from when the question was asked first.
    fn deadline(&self) -> Option<Duration> {
        None
    }

    /// What stands in for an answer that did not come in time or failed.
    fn fallback(&mut self, _question: &Frame) -> Option<Frame> {
        None
    }
}
