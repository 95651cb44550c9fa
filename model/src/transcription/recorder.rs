//! [`Recorder`]: a model that has all models of a cascade understand every piece, and keeps what each has said.

use std::sync::{Arc, Mutex, PoisonError};

use engine::Fault;

use super::{
    cascade::Cascade,
    decoder::{Decoder, Decoding, Task},
    hypothesis::Hypothesis,
    pool::States,
};

/// A piece, and what was said of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Piece {
    /// How long it is.
    pub(crate) seconds: f64,
    /// By model, from small to large, with what each took (`cost_s`).
    pub(crate) said: Vec<Hypothesis>,
}

/// Stands in for a cascade whose largest model answers.
pub(crate) struct Recorder {
    cascade: Arc<Cascade>,
    kept: Arc<Kept>,
}

#[derive(Default)]
struct Kept {
    pieces: Mutex<Vec<Piece>>,
    failed: Mutex<Option<Fault>>,
}

impl Recorder {
    /// Of that cascade.
    pub(crate) fn new(cascade: Arc<Cascade>) -> Self {
        Self { cascade, kept: Arc::default() }
    }

    /// What was said so far, in order, and nothing of it is kept.
    ///
    /// # Errors
    /// What a model has failed of.
    pub(crate) fn take(&self) -> Result<Vec<Piece>, Fault> {
        let failed = self.kept.failed.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut pieces = self.kept.pieces.lock().unwrap_or_else(PoisonError::into_inner);
        failed.map_or_else(|| Ok(std::mem::take(&mut *pieces)), Err)
    }
}

impl Decoder for Recorder {
    fn name(&self) -> &str {
        "all"
    }

    fn content(&self) -> u64 {
        0
    }

    fn is_multilingual(&self) -> bool {
        self.cascade.english().next().is_none()
    }

    fn open(&self) -> Result<Box<dyn Decoding>, Fault> {
        let (cascade, kept) = (self.cascade.clone(), self.kept.clone());
        Ok(Box::new(Worker { cascade, kept, states: States::new() }))
    }
}

struct Worker {
    cascade: Arc<Cascade>,
    kept: Arc<Kept>,
    states: States,
}

impl Decoding for Worker {
    fn decode(
        &mut self,
        task: &Task,
        stops: &dyn Fn() -> bool,
    ) -> Result<Option<Hypothesis>, Fault> {
        let mut said = Vec::new();
        let last = self
            .cascade
            .decode_all(&mut self.states, task, stops, |one| said.push(one.clone()))
            .inspect_err(|fault| {
                let again = Fault::new(fault.to_string());
                *self.kept.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(again);
            })?;
        if last.is_some() {
            let piece = Piece { seconds: task.seconds(), said };
            self.kept.pieces.lock().unwrap_or_else(PoisonError::into_inner).push(piece);
        }
        Ok(last)
    }
}
