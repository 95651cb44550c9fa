//! [rten](https://github.com/robertknight/rten): pure Rust, always there.

use std::{
    cell::{Cell, RefCell},
    panic::catch_unwind,
    sync::Arc,
};

use ::rten::{
    DataType, Dimension, Model, ModelOptions, NodeId, RunOptions, ThreadPool, ValueOrView,
    ValueType, ValueView,
};
use engine::Fault;
use rten_tensor::AsView;

use crate::{
    onnx,
    signature::{Element, Signature, Slot},
};

use super::{Array, Loaded, Options, Runner, Values};

/// Loads a model.
///
/// # Errors
/// If the bytes are no model it can run, or something else than a processor is asked for.
pub fn load(bytes: Vec<u8>, options: &Options) -> Result<Arc<dyn Loaded>, Fault> {
    if !options.providers.iter().any(|provider| provider == "cpu") {
        let wanted = options.providers.join("`, `");
        return Err(Fault::new(format!(
            "the backend `rten` runs on `cpu` only, not on `{wanted}`"
        )));
    }
    let is_bounded = onnx::is_bounded(&bytes);
    // A file can be such that its loader panics.
    let loaded = catch_unwind(|| ModelOptions::with_all_ops().prepack_weights(true).load(bytes));
    let model = loaded
        .map_err(|_| Fault::data("the backend `rten` cannot load it: it panics over it"))?
        .map_err(|error| Fault::data("the backend `rten` cannot load it").because(error))?;
    let slot = |&id: &NodeId| {
        let info = model.node_info(id);
        let element = match info.as_ref().and_then(::rten::NodeInfo::dtype) {
            Some(ValueType::Tensor(DataType::Float)) | None => Element::F32,
            Some(ValueType::Tensor(DataType::Int32)) => Element::Whole,
            Some(_) => Element::Other,
        };
        let shape = info.as_ref().and_then(::rten::NodeInfo::shape).unwrap_or_default();
        let len = |dimension: Dimension| match dimension {
            Dimension::Fixed(len) => Some(len),
            Dimension::Symbolic(_) => None,
        };
        let name = info.and_then(|info| info.name().map(str::to_owned)).unwrap_or_default();
        Slot { name, element, shape: shape.into_iter().map(len).collect() }
    };
    let signature = Signature {
        inputs: model.input_ids().iter().map(slot).collect(),
        outputs: model.output_ids().iter().map(slot).collect(),
    };
    if signature.inputs.is_empty() || signature.outputs.is_empty() {
        let what = "the backend `rten` cannot load it: it has no inputs or no outputs";
        return Err(Fault::data(what));
    }
    Ok(Arc::new(Rten { model: Arc::new(model), signature, is_bounded }))
}

thread_local! {
    /// The pool whose one thread this is, or to which this thread hands its runs.
    static POOL: RefCell<Option<Arc<ThreadPool>>> = const { RefCell::new(None) };
    /// This thread is that of its pool.
    static IS_OWN: Cell<bool> = const { Cell::new(false) };
}

/// A pool of one thread, so that a model never takes more than the share of its worker.
fn own_pool() -> Arc<ThreadPool> {
    let new = || Arc::new(ThreadPool::with_num_threads(1));
    POOL.with_borrow_mut(|pool| pool.get_or_insert_with(new).clone())
}

/// Does some work on a thread on which this backend runs models without handing them to another.
/// Returns when the work is done.
pub fn on_own_thread(work: impl FnOnce() + Send) {
    let pool = Arc::new(ThreadPool::with_num_threads(1));
    let own = pool.clone();
    pool.run(move || {
        POOL.set(Some(own));
        IS_OWN.set(true);
        work();
        IS_OWN.set(false);
        POOL.set(None);
    });
}

/// Whether this thread is one on which this backend runs models without handing them to another.
pub fn is_own_thread() -> bool {
    IS_OWN.get()
}

struct Rten {
    model: Arc<Model>,
    signature: Signature,
    is_bounded: bool,
}

impl Loaded for Rten {
    fn backend(&self) -> &'static str {
        "rten"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn runner(&self) -> Result<Box<dyn Runner>, Fault> {
        Ok(Box::new(RtenRunner {
            options: RunOptions::default().with_thread_pool(Some(own_pool())),
            model: self.model.clone(),
            narrow: Vec::new(),
        }))
    }

    fn is_bounded(&self) -> bool {
        self.is_bounded
    }
}

struct RtenRunner {
    model: Arc<Model>,
    options: RunOptions,
    /// Whole numbers in the 32 bits that it calculates with.
    narrow: Vec<Vec<i32>>,
}

impl Runner for RtenRunner {
    fn run(&mut self, inputs: &[Array], outputs: &mut [Vec<f32>]) -> Result<(), Fault> {
        let Self { model, options, narrow } = self;
        narrow.resize_with(inputs.len(), Vec::new);
        for (input, narrow) in inputs.iter().zip(&mut *narrow) {
            if let Values::Whole(values) = &input.values {
                narrow.clear();
                narrow.extend(values.iter().map(|&value| value as i32));
            }
        }
        let mut fed: Vec<(NodeId, ValueOrView<'_>)> = Vec::with_capacity(inputs.len());
        for ((input, narrow), &id) in inputs.iter().zip(&*narrow).zip(model.input_ids()) {
            let view = match &input.values {
                Values::F32(values) => ValueView::from_shape(&input.shape, &values[..])
                    .map_err(|error| Fault::new("an input is not of its shape").because(error))?,
                Values::Whole(_) => ValueView::from_shape(&input.shape, &narrow[..])
                    .map_err(|error| Fault::new("an input is not of its shape").because(error))?,
            };
            fed.push((id, view.into()));
        }
        let answers = model
            .run(fed, model.output_ids(), Some(options.clone()))
            .map_err(|error| Fault::new("the model does not run").because(error))?;
        for (answer, output) in answers.into_iter().zip(outputs) {
            output.clear();
            match answer.dtype() {
                ValueType::Tensor(DataType::Float) => {
                    let tensor = answer.into_tensor::<f32>().expect("it is of that type");
                    output.extend(tensor.iter());
                }
                ValueType::Tensor(DataType::Int32) => {
                    let tensor = answer.into_tensor::<i32>().expect("it is of that type");
                    output.extend(tensor.iter().map(|&value| value as f32));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn come_here(&mut self) -> bool {
        if is_own_thread() {
            self.options = RunOptions::default().with_thread_pool(Some(own_pool()));
        }
        is_own_thread()
    }
}
