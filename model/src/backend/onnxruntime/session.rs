#![expect(unsafe_code, reason = "one session run by several threads, which `ort` does not offer")]
//! [`Sessions`]: on the processor one session that all threads run at once, so that the weights of a model are in
//! memory once, whatever the kernels make of them; elsewhere one for each thread.
//!
//! `ort` lends a session to one run at a time, as some providers can do no more. ONNX Runtime itself says of
//! [`InferenceSession::Run`](https://github.com/microsoft/onnxruntime/blob/main/onnxruntime/core/session/inference_session.h)
//! that several threads may be in it, and says the same of the processor's provider where people ask
//! (issues [114](https://github.com/microsoft/onnxruntime/issues/114) and
//! [22967](https://github.com/microsoft/onnxruntime/issues/22967)): kernels are made with the session and only read
//! from then on, and what a run writes is in a frame of its own.
//!
//! Invariants:
//!   1. A session that several threads have is one of the processor's provider alone, without arena, memory
//!      patterns, threads or operators of others: no run writes what another reads. [`Sessions::load`] alone makes
//!      them.
//!   2. A binding is of its session, and one thread has it: [`Binding::new`] alone makes it, and running takes it
//!      mutably.
//!   3. A session lives as long as its bindings: [`Binding`] holds it.

use std::{
    ptr::{self, NonNull},
    slice,
    sync::{Arc, Mutex, PoisonError},
};

use engine::Fault;
use ort::{
    AsPointer, api,
    memory::Allocator,
    session::{IoBinding, Session},
    value::{DynTensor, DynValue},
};

use crate::signature::Slot;

use super::{
    abreast::side_by_side,
    library::{Provider, environment},
};

/// The sessions of a model. See the module.
pub(super) enum Sessions {
    /// All threads run this one.
    One(Arc<Session>),
    /// Each thread has its own.
    Each {
        bytes: Vec<u8>,
        provider: Provider,
        /// The one that was made to see whether the model loads, until somebody wants it.
        first: Mutex<Option<Arc<Session>>>,
    },
}

/// What one thread gives a session and gets from it.
pub(super) struct Binding {
    bound: IoBinding,
    session: Arc<Session>,
    /// Outputs whose lengths may be others in the next run.
    open: Vec<String>,
    /// The device has memory of its own, to which an input is copied as it is bound.
    is_apart: bool,
}

impl Sessions {
    /// Loads a model, and gives a session to look at.
    pub(super) fn load(bytes: Vec<u8>, provider: Provider) -> Result<(Self, Arc<Session>), Fault> {
        let abreast = if provider.name == "cpu" { side_by_side(&bytes) } else { None };
        let quicker = abreast.and_then(|bytes| session(&bytes, &provider).ok());
        let session = Arc::new(quicker.map_or_else(|| session(&bytes, &provider), Ok)?);
        let first = session.clone();
        if provider.name == "cpu" {
            // All that it needs of the file it has.
            return Ok((Self::One(session), first));
        }
        Ok((Self::Each { bytes, provider, first: Mutex::new(Some(session)) }, first))
    }

    /// Whether runs may read inputs elsewhere than where they were written.
    pub(super) const fn is_apart(&self) -> bool {
        matches!(self, Self::Each { .. })
    }

    /// One for a thread.
    pub(super) fn get(&self) -> Result<Arc<Session>, Fault> {
        match self {
            Self::One(session) => Ok(session.clone()),
            Self::Each { bytes, provider, first } => {
                let first = first.lock().unwrap_or_else(PoisonError::into_inner).take();
                first.map_or_else(|| session(bytes, provider).map(Arc::new), Ok)
            }
        }
    }
}

/// One thread, as each worker is one; no spinning, with which two sessions that wait take a whole processor; no
/// arena (see the provider) and no memory patterns, which would grow with every shape.
fn session(bytes: &[u8], provider: &Provider) -> Result<Session, Fault> {
    let builder = Session::builder(environment()?)
        .and_then(|builder| Ok(builder.with_intra_threads(1)?))
        .and_then(|builder| Ok(builder.with_inter_threads(1)?))
        .and_then(|builder| Ok(builder.with_intra_op_spinning(false)?))
        .and_then(|builder| Ok(builder.with_memory_pattern(false)?))
        .and_then(|builder| Ok(builder.with_execution_providers([provider.dispatch.clone()])?));
    let mut builder = builder.map_err(|error| {
        Fault::new(format!("the provider `{}` does not start", provider.name)).because(error)
    })?;
    let loaded = builder.commit_from_memory(bytes);
    loaded.map_err(|error| Fault::data("ONNX Runtime cannot load it").because(error))
}

impl Binding {
    /// A way to run a session that gives these outputs; `is_apart` as of its [`Sessions`].
    pub(super) fn new(
        session: &Arc<Session>,
        outputs: &[Slot],
        is_apart: bool,
    ) -> ort::Result<Self> {
        let mut bound = session.create_binding()?;
        for slot in outputs {
            bound.bind_output_to_device(&*slot.name, session.allocator().memory_info())?;
        }
        let is_open = |slot: &&Slot| slot.shape.is_empty() || slot.shape.contains(&None);
        let open = outputs.iter().filter(is_open).map(|slot| slot.name.clone()).collect();
        Ok(Self { bound, session: session.clone(), open, is_apart })
    }

    /// Lets every further run read this input, as it is in that run; on a device that is apart, as it is now.
    pub(super) fn input(&mut self, name: &str, tensor: &DynTensor) -> ort::Result<()> {
        self.bound.bind_input(name, tensor)
    }

    /// What is in an input has changed.
    pub(super) fn changed(&mut self, name: &str, tensor: &DynTensor) -> ort::Result<()> {
        if self.is_apart { self.input(name, tensor) } else { Ok(()) }
    }

    /// Runs the session once; what it gives, in the order in which the outputs were named.
    pub(super) fn run(&mut self) -> ort::Result<Vec<DynValue>> {
        for name in &self.open {
            // Else a run writes where the one before did, and fails where it has more or less to write.
            self.bound.bind_output_to_device(&**name, self.session.allocator().memory_info())?;
        }
        let (session, bound) = (self.session.ptr().cast_mut(), self.bound.ptr());
        // SAFETY: both are alive (3), no other run has this binding (2), and none writes what this one
        // reads (1).
        let status = unsafe { (api().RunWithBinding)(session, ptr::null(), bound) };
        // SAFETY: the status is fresh from the library.
        unsafe { ort::Error::result_from_status(status) }?;
        self.values(self.session.allocator())
    }

    fn values(&self, allocator: &Allocator) -> ort::Result<Vec<DynValue>> {
        let (mut list, mut count) = (ptr::null_mut(), 0);
        let (bound, memory) = (self.bound.ptr(), allocator.ptr().cast_mut());
        // SAFETY: both are alive (3), and no run of this binding goes on (2).
        let status =
            unsafe { (api().GetBoundOutputValues)(bound, memory, &raw mut list, &raw mut count) };
        // SAFETY: the status is fresh from the library.
        unsafe { ort::Error::result_from_status(status) }?;
        if list.is_null() {
            return Ok(Vec::new());
        }
        // SAFETY: the library has put so many values there, which are ours from now on.
        let found = unsafe { slice::from_raw_parts(list, count) };
        let values = found.iter().filter_map(|&value| NonNull::new(value)).map(|value| {
            // SAFETY: a value that the session gave and nobody else lets go of.
            unsafe { DynValue::from_ptr(value, Some(allocator)) }
        });
        let values = values.collect();
        // SAFETY: the library made the list with this allocator, and nobody looks at it any more.
        unsafe { allocator.free(list) };
        Ok(values)
    }
}
