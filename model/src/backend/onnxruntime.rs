//! [ONNX Runtime](https://onnxruntime.ai) through `ort`: its library is loaded when it is needed.
//!
//! Looked for in `ORT_DYLIB_PATH`, then where systems keep libraries, then in the Python wheel
//! `onnxruntime` of the Python in the path. On the processor all workers run one session; each has its own
//! memory for inputs and outputs.

mod abreast;
mod library;
mod session;

use std::{collections::BTreeMap, sync::Arc};

use engine::Fault;
use ort::{
    session::Session,
    value::{DynTensor, Tensor, TensorElementType, ValueType},
};

use crate::{
    onnx,
    signature::{Element, Signature, Slot},
};

use self::session::{Binding, Sessions};
use super::{Array, Loaded, Options, Runner, Values};

/// Shapes of batches a runner keeps memory for.
const SHAPES_MAX: usize = 16;

/// What a message of Protocol Buffers may have.
const BYTES_MAX: usize = i32::MAX as usize;

/// Whether its library can be loaded.
pub fn is_there() -> bool {
    library::environment().is_ok()
}

/// Loads a model.
///
/// # Errors
/// If the library is not there, the bytes are no model it can run, or a provider that is asked for is
/// missing.
pub fn load(bytes: Vec<u8>, options: &Options) -> Result<Arc<dyn Loaded>, Fault> {
    // Whoever has no library is told that first.
    library::environment()?;
    if bytes.len() > BYTES_MAX {
        let gib = bytes.len() as f64 / (1_u64 << 30) as f64;
        return Err(Fault::data(format!(
            "ONNX Runtime cannot load it: the file has {gib:.1} GiB, and one file of ONNX may have 2; make it smaller, \
             as with `afferent model quantize`, or divide it into `segments`"
        )));
    }
    let is_bounded = onnx::is_bounded(&bytes);
    let (sessions, session) = Sessions::load(bytes, library::provider(&options.providers)?)?;
    let slots = |outlets: &[ort::value::Outlet]| outlets.iter().map(slot).collect();
    let signature =
        Signature { inputs: slots(session.inputs()), outputs: slots(session.outputs()) };
    if signature.inputs.is_empty() || signature.outputs.is_empty() {
        return Err(Fault::data("ONNX Runtime cannot load it: it has no inputs or no outputs"));
    }
    Ok(Arc::new(Ort { sessions, signature, is_bounded }))
}

fn slot(outlet: &ort::value::Outlet) -> Slot {
    let (element, shape) = match outlet.dtype() {
        ValueType::Tensor { ty, shape, .. } => {
            let element = match ty {
                TensorElementType::Float32 => Element::F32,
                TensorElementType::Int64 => Element::Whole,
                _ => Element::Other,
            };
            (element, shape.iter().map(|&len| usize::try_from(len).ok()).collect())
        }
        _ => (Element::Other, Vec::new()),
    };
    Slot { name: outlet.name().to_owned(), element, shape }
}

struct Ort {
    sessions: Sessions,
    signature: Signature,
    is_bounded: bool,
}

impl Loaded for Ort {
    fn backend(&self) -> &'static str {
        "onnxruntime"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn runner(&self) -> Result<Box<dyn Runner>, Fault> {
        let session = self.sessions.get()?;
        Ok(Box::new(OrtRunner {
            session,
            is_apart: self.sessions.is_apart(),
            signature: self.signature.clone(),
            bound: BTreeMap::new(),
        }))
    }

    fn is_bounded(&self) -> bool {
        self.is_bounded
    }
}

struct OrtRunner {
    session: Arc<Session>,
    is_apart: bool,
    signature: Signature,
    bound: BTreeMap<Vec<usize>, Bound>,
}

/// Memory for inputs of one shape, bound to the session once.
struct Bound {
    binding: Binding,
    inputs: Vec<DynTensor>,
}

fn failed(error: ort::Error) -> Fault {
    Fault::new("the model does not run").because(error)
}

impl OrtRunner {
    fn bind(&self, inputs: &[Array]) -> ort::Result<Bound> {
        let mut binding = Binding::new(&self.session, &self.signature.outputs, self.is_apart)?;
        let mut held = Vec::with_capacity(inputs.len());
        for (input, slot) in inputs.iter().zip(&self.signature.inputs) {
            let shape = input.shape.clone();
            let tensor = match &input.values {
                Values::F32(values) => Tensor::from_array((shape, values.clone()))?.upcast(),
                Values::Whole(values) => Tensor::from_array((shape, values.clone()))?.upcast(),
            };
            binding.input(&slot.name, &tensor)?;
            held.push(tensor);
        }
        Ok(Bound { binding, inputs: held })
    }
}

impl Runner for OrtRunner {
    fn run(&mut self, inputs: &[Array], outputs: &mut [Vec<f32>]) -> Result<(), Fault> {
        let key: Vec<usize> = inputs.iter().flat_map(|input| input.shape.iter().copied()).collect();
        if !self.bound.contains_key(&key) {
            if self.bound.len() >= SHAPES_MAX {
                self.bound.clear();
            }
            let bound = self.bind(inputs).map_err(failed)?;
            self.bound.insert(key.clone(), bound);
        }
        let Bound { binding, inputs: held } = self.bound.get_mut(&key).expect("just put there");
        for ((input, held), slot) in inputs.iter().zip(held).zip(&self.signature.inputs) {
            match &input.values {
                Values::F32(values) => {
                    let (_, memory) = held.try_extract_tensor_mut::<f32>().map_err(failed)?;
                    memory.copy_from_slice(values);
                }
                Values::Whole(values) => {
                    let (_, memory) = held.try_extract_tensor_mut::<i64>().map_err(failed)?;
                    memory.copy_from_slice(values);
                }
            }
            binding.changed(&slot.name, held).map_err(failed)?;
        }
        let answers = binding.run().map_err(failed)?;
        for ((answer, output), slot) in answers.iter().zip(outputs).zip(&self.signature.outputs) {
            output.clear();
            match slot.element {
                Element::F32 => {
                    let (_, values) = answer.try_extract_tensor::<f32>().map_err(failed)?;
                    output.extend_from_slice(values);
                }
                Element::Whole => {
                    if let Ok((_, values)) = answer.try_extract_tensor::<i64>() {
                        output.extend(values.iter().map(|&value| value as f32));
                    }
                }
                Element::Other => {}
            }
        }
        Ok(())
    }
}
