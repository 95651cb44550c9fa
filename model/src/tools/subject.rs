//! [`Subject`]: a model file under a tool.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Arc,
};

use engine::Fault;
use xxhash_rust::xxh3::xxh3_128;

use crate::backend::{self, Array, Loaded, Options, Runner, rten};

use super::{data::read_file, trouble::Trouble};

/// Longest model that is read.
const FILE_BYTES_MAX: u64 = 2 << 30;

/// A model's file.
#[derive(Clone)]
pub(super) struct Subject {
    pub(super) path: String,
    pub(super) bytes: Arc<[u8]>,
    /// xxh3-128 of the bytes, by which the host of models knows it, too.
    pub(super) content: u128,
}

impl Subject {
    pub(super) fn read(path: &Path) -> Result<Self, Trouble> {
        let bytes = read_file(path, FILE_BYTES_MAX)?;
        let content = xxh3_128(&bytes);
        Ok(Self { path: path.display().to_string(), bytes: bytes.into(), content })
    }

    pub(super) fn load(&self, backend: &str) -> Result<Arc<dyn Loaded>, Trouble> {
        let loaded = backend::load(backend, self.bytes.to_vec(), &Options::default());
        loaded.map_err(|fault| Trouble::model(&self.path, &fault))
    }
}

/// A runner whose panics are faults.
pub(super) struct Careful {
    runner: Box<dyn Runner>,
    pub(super) outputs: Vec<Vec<f32>>,
}

impl Careful {
    pub(super) fn new(loaded: &dyn Loaded) -> Result<Self, Fault> {
        let outputs = vec![Vec::new(); loaded.signature().outputs.len()];
        Ok(Self { runner: guarded(|| loaded.runner())?, outputs })
    }

    pub(super) fn run(&mut self, inputs: &[Array]) -> Result<(), Fault> {
        guarded(|| self.runner.run(inputs, &mut self.outputs))
    }
}

fn guarded<T>(work: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    let done = catch_unwind(AssertUnwindSafe(work));
    done.unwrap_or_else(|_| Err(Fault::data("the model panics over what it is asked")))
}

/// Does `work` where models are served from: on a thread that hands a model's work to nobody.
pub(super) fn as_served<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let mut done = None;
    rten::on_own_thread(|| done = Some(work()));
    done.expect("the thread has done it")
}
