//! Who runs a model: a pure-Rust runtime that is always there, ONNX Runtime where its library is, or a
//! mock.

pub mod mock;
pub mod onnxruntime;
pub mod rten;

use std::sync::Arc;

use engine::Fault;

use crate::{onnx, signature::Signature};

/// A model with its weights in memory, which runners share.
pub trait Loaded: Send + Sync {
    /// The name of the backend, as in a graph file.
    fn backend(&self) -> &'static str;

    /// What it takes and gives.
    fn signature(&self) -> &Signature;

    /// One thread's way to run it.
    ///
    /// # Errors
    /// If the backend cannot make one.
    fn runner(&self) -> Result<Box<dyn Runner>, Fault>;

    /// Whether what a run costs is bounded by the shapes of its inputs, whatever is in them.
    fn is_bounded(&self) -> bool {
        false
    }
}

/// One thread's way to run a model. May keep buffers for the shapes it has seen.
pub trait Runner: Send {
    /// Runs the model once. `outputs` has one list per output of the signature and is overwritten.
    ///
    /// # Errors
    /// If the model does not run on that.
    fn run(&mut self, inputs: &[Array], outputs: &mut [Vec<f32>]) -> Result<(), Fault>;

    /// The calling thread runs it from now on. Says no if it would hand each run to another thread.
    fn come_here(&mut self) -> bool {
        true
    }
}

/// An input of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Lengths of its dimensions, outermost first.
    pub shape: Vec<usize>,
    /// As many numbers as the shape says.
    pub values: Values,
}

/// The numbers of an input.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// 32-bit floats.
    F32(Vec<f32>),
    /// Whole numbers.
    Whole(Vec<i64>),
}

/// How a model is to be loaded.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Where to run, the first that is there; `cpu` always is.
    pub providers: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { providers: vec!["cpu".to_owned()] }
    }
}

/// The backends a graph file can ask for.
pub const NAMES: &[&str] = &["auto", "rten", "onnxruntime"];

/// Loads a model from the bytes of its file with the backend of that name; `auto` is ONNX Runtime
/// where its library can be loaded, else the one that is always there.
///
/// # Errors
/// If the bytes are no model, the backend cannot run it, or is not there.
pub fn load(backend: &str, bytes: Vec<u8>, options: &Options) -> Result<Arc<dyn Loaded>, Fault> {
    onnx::check(&bytes)?;
    match backend {
        "rten" => rten::load(bytes, options),
        "onnxruntime" => onnxruntime::load(bytes, options),
        _ if onnxruntime::is_there() => onnxruntime::load(bytes, options),
        _ => rten::load(bytes, options),
    }
}
