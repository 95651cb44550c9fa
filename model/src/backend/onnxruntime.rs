//! [ONNX Runtime](https://onnxruntime.ai) through `ort`: its library is loaded when it is needed.
//!
//! Looked for in `ORT_DYLIB_PATH`, then where systems keep libraries, then in the Python wheel
//! `onnxruntime` of the Python in the path. One thread a session, no spinning (on: two sessions that
//! wait take a whole processor), no arena, no memory patterns, which would grow with every shape. Each worker
//! has a session of its own, as one is not safe to be run by several; they share the large constants, packed
//! as the kernels like them.

use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use engine::Fault;
use ort::{
    environment::Environment,
    ep::{self, ExecutionProviderDispatch},
    session::{IoBinding, Session, builder::PrepackedWeights},
    value::{DynTensor, DynValue, Tensor, TensorElementType, ValueType},
};

use crate::{
    onnx,
    signature::{Element, Signature, Slot},
};

use super::{
    Array, Loaded, Options, Runner, Values,
    weights::{self, Weight},
};

/// Shapes of batches a runner keeps memory for.
const SHAPES_MAX: usize = 16;

/// Whether its library can be loaded.
pub fn is_there() -> bool {
    environment().is_ok()
}

/// Loads a model.
///
/// # Errors
/// If the library is not there, the bytes are no model it can run, or a provider that is asked for is
/// missing.
pub fn load(bytes: Vec<u8>, options: &Options) -> Result<Arc<dyn Loaded>, Fault> {
    let environment = environment()?;
    let provider = provider(&options.providers)?;
    let is_bounded = onnx::is_bounded(&bytes);
    let mut shared = Shared::new(bytes, provider)?;
    let session = session(environment, &shared).or_else(|fault| {
        // Some kernel that cannot share what it makes of its constants: each session keeps its own.
        if std::mem::take(&mut shared.weights).is_empty() {
            return Err(fault);
        }
        session(environment, &shared)
    })?;
    let slots = |outlets: &[ort::value::Outlet]| outlets.iter().map(slot).collect();
    let signature =
        Signature { inputs: slots(session.inputs()), outputs: slots(session.outputs()) };
    if signature.inputs.is_empty() || signature.outputs.is_empty() {
        return Err(Fault::data("ONNX Runtime cannot load it: it has no inputs or no outputs"));
    }
    Ok(Arc::new(Ort { shared, signature, is_bounded, first: Mutex::new(Some(session)) }))
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

/// The one environment of the process, or why there is none.
fn environment() -> Result<&'static Environment, Fault> {
    static ENVIRONMENT: OnceLock<Result<Environment, String>> = OnceLock::new();
    let made = ENVIRONMENT.get_or_init(|| {
        let mut tried = Vec::new();
        for library in libraries() {
            match ort::init_from(&library) {
                Ok(builder) => {
                    return builder
                        .with_telemetry(false)
                        .build()
                        .map_err(|error| format!("ONNX Runtime does not start: {error}"));
                }
                Err(error) => tried.push(format!("{}: {error}", library.display())),
            }
        }
        Err(match &tried[..] {
            [] => "ONNX Runtime is not there: set ORT_DYLIB_PATH to its library, or install the \
                   Python package onnxruntime"
                .to_owned(),
            tried => format!("ONNX Runtime cannot be loaded: {}", tried.join("; ")),
        })
    });
    made.as_ref().map_err(|why| Fault::data(why.clone()))
}

/// Where the library may be, the likeliest first. What does not exist is left out.
fn libraries() -> Vec<PathBuf> {
    if let Some(path) = env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()) {
        return vec![path.into()];
    }
    let name = format!("{}onnxruntime{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX);
    let folders =
        ["/usr/local/lib", "/usr/lib", "/usr/lib64", "/opt/homebrew/lib", "/opt/onnxruntime/lib"];
    let found = folders.iter().map(|folder| Path::new(folder).join(&name));
    let mut found: Vec<PathBuf> = found.filter(|path| path.exists()).collect();
    found.extend(in_wheel());
    found
}

/// The library in the Python package, if the Python in the path has it.
fn in_wheel() -> Option<PathBuf> {
    let script = "import importlib.util as u; print(u.find_spec('onnxruntime').origin)";
    let python = Command::new("python3")
        .args(["-c", script])
        .stderr(Stdio::null())
        .stdin(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let package = PathBuf::from(String::from_utf8(python.stdout).ok()?.trim());
    let mut files: Vec<PathBuf> = std::fs::read_dir(package.parent()?.join("capi"))
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let prefix =
                format!("{}onnxruntime{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX);
            name.starts_with(&prefix)
                || (name.starts_with("libonnxruntime.") && name.ends_with(".dylib"))
        })
        .collect();
    files.sort();
    files.pop()
}

/// Somewhere to run.
#[derive(Clone)]
struct Provider {
    name: String,
    dispatch: ExecutionProviderDispatch,
}

/// The first provider asked for. One that is missing is named, never passed over.
fn provider(asked: &[String]) -> Result<Provider, Fault> {
    let mut missing = Vec::new();
    for name in asked {
        let made = match name.as_str() {
            "cpu" => Some(ep::CPU::default().with_arena_allocator(false).build()),
            "cuda" => is_available::<ep::CUDA>().then(|| ep::CUDA::default().build()),
            "coreml" => is_available::<ep::CoreML>().then(|| ep::CoreML::default().build()),
            _ => {
                let known = "cpu, cuda or coreml";
                return Err(Fault::new(format!("the provider `{name}` is none of {known}")));
            }
        };
        match made {
            Some(dispatch) => {
                if !missing.is_empty() {
                    let missing = missing.join("`, `");
                    tell_once(&format!(
                        "note: this ONNX Runtime has no provider `{missing}`; models run on `{name}`"
                    ));
                }
                return Ok(Provider { name: name.clone(), dispatch: dispatch.error_on_failure() });
            }
            None => missing.push(name.clone()),
        }
    }
    let missing = missing.join("`, `");
    Err(Fault::new(format!("this ONNX Runtime has no provider `{missing}`")))
}

fn is_available<P: ep::ExecutionProvider>() -> bool {
    P::is_available().unwrap_or(false)
}

/// Tells stderr something that concerns the machine, not a graph.
fn tell_once(text: &str) {
    static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    if !told.iter().any(|known| known == text) {
        told.push(text.to_owned());
        eprintln!("{text}");
    }
}

/// Constants of at least so many bytes are shared between sessions.
const SHARED_BYTES_MIN: usize = 16 << 10;

/// What the sessions of a model share.
struct Shared {
    bytes: Vec<u8>,
    provider: Provider,
    /// Constants by name.
    weights: Vec<(String, Arc<DynValue>)>,
    packed: PrepackedWeights,
}

impl Shared {
    fn new(bytes: Vec<u8>, provider: Provider) -> Result<Self, Fault> {
        let mut shared =
            Self { bytes, provider, weights: Vec::new(), packed: PrepackedWeights::new() };
        // Elsewhere than on the processor each session has to have its own.
        if shared.provider.name == "cpu" {
            for (weight, lens) in weights::weights(&shared.bytes, SHARED_BYTES_MIN) {
                let value = value(&weight, lens).map_err(|error| {
                    Fault::data("ONNX Runtime cannot take its constants").because(error)
                })?;
                shared.weights.push((weight.name.to_owned(), Arc::new(value)));
            }
        }
        Ok(shared)
    }
}

fn value(weight: &Weight<'_>, lens: Vec<usize>) -> ort::Result<DynValue> {
    Ok(match weight.kind {
        weights::Kind::F32 => {
            let numbers = weight.raw.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes));
            Tensor::from_array((lens, numbers.collect::<Vec<_>>()))?.into_dyn()
        }
        weights::Kind::I8 => {
            let numbers = weight.raw.iter().map(|&byte| i8::from_le_bytes([byte]));
            Tensor::from_array((lens, numbers.collect::<Vec<_>>()))?.into_dyn()
        }
        weights::Kind::U8 => Tensor::from_array((lens, weight.raw.to_vec()))?.into_dyn(),
    })
}

fn session(environment: &Environment, shared: &Shared) -> Result<Session, Fault> {
    let Shared { bytes, provider, weights, packed } = shared;
    let refused = |error: ort::Error| Fault::data("ONNX Runtime cannot load it").because(error);
    let builder = Session::builder(environment)
        .and_then(|builder| Ok(builder.with_intra_threads(1)?))
        .and_then(|builder| Ok(builder.with_inter_threads(1)?))
        .and_then(|builder| Ok(builder.with_intra_op_spinning(false)?))
        .and_then(|builder| Ok(builder.with_memory_pattern(false)?))
        .and_then(|builder| Ok(builder.with_execution_providers([provider.dispatch.clone()])?))
        .map_err(|error| {
            Fault::new(format!("the provider `{}` does not start", provider.name)).because(error)
        })?;
    let mut builder =
        builder.with_prepacked_weights(packed).map_err(|error| refused(error.into()))?;
    for (name, weight) in weights {
        let with = builder.with_initializer(name, weight.clone());
        builder = with.map_err(|error| refused(error.into()))?;
    }
    builder.commit_from_memory(bytes).map_err(refused)
}

struct Ort {
    shared: Shared,
    signature: Signature,
    is_bounded: bool,
    /// The session that was made to see whether the model loads, until somebody wants it.
    first: Mutex<Option<Session>>,
}

impl Loaded for Ort {
    fn backend(&self) -> &'static str {
        "onnxruntime"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn runner(&self) -> Result<Box<dyn Runner>, Fault> {
        let first = self.first.lock().unwrap_or_else(PoisonError::into_inner).take();
        let session = match first {
            Some(session) => session,
            None => session(environment()?, &self.shared)?,
        };
        Ok(Box::new(OrtRunner {
            session,
            signature: self.signature.clone(),
            bound: BTreeMap::new(),
        }))
    }

    fn is_bounded(&self) -> bool {
        self.is_bounded
    }
}

struct OrtRunner {
    session: Session,
    signature: Signature,
    bound: BTreeMap<Vec<usize>, Bound>,
}

/// Memory for inputs of one shape, bound to the session once.
struct Bound {
    binding: IoBinding,
    inputs: Vec<DynTensor>,
}

fn failed(error: ort::Error) -> Fault {
    Fault::new("the model does not run").because(error)
}

impl OrtRunner {
    fn bind(session: &Session, signature: &Signature, inputs: &[Array]) -> Result<Bound, Fault> {
        let mut binding = session.create_binding().map_err(failed)?;
        let mut held = Vec::with_capacity(inputs.len());
        for (input, slot) in inputs.iter().zip(&signature.inputs) {
            let tensor = match &input.values {
                Values::F32(values) => Tensor::from_array((input.shape.clone(), values.clone()))
                    .map_err(failed)?
                    .upcast(),
                Values::Whole(values) => Tensor::from_array((input.shape.clone(), values.clone()))
                    .map_err(failed)?
                    .upcast(),
            };
            binding.bind_input(&slot.name, &tensor).map_err(failed)?;
            held.push(tensor);
        }
        for slot in &signature.outputs {
            let memory = session.allocator().memory_info();
            binding.bind_output_to_device(&slot.name, memory).map_err(failed)?;
        }
        Ok(Bound { binding, inputs: held })
    }
}

impl Runner for OrtRunner {
    fn run(&mut self, inputs: &[Array], outputs: &mut [Vec<f32>]) -> Result<(), Fault> {
        let Self { session, signature, bound } = self;
        let key: Vec<usize> = inputs.iter().flat_map(|input| input.shape.iter().copied()).collect();
        if !bound.contains_key(&key) {
            if bound.len() >= SHAPES_MAX {
                bound.clear();
            }
            bound.insert(key.clone(), Self::bind(session, signature, inputs)?);
        }
        let Bound { binding, inputs: held } = bound.get_mut(&key).expect("just put there");
        for (input, held) in inputs.iter().zip(held) {
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
        }
        let answers = session.run_binding(binding).map_err(failed)?;
        for ((answer, output), slot) in answers.values().zip(outputs).zip(&signature.outputs) {
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
