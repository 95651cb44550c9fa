//! The library of ONNX Runtime: found, loaded once, and where it can run models.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, OnceLock, PoisonError},
};

use engine::Fault;
use ort::{
    environment::Environment,
    ep::{self, ExecutionProviderDispatch},
};

/// The one environment of the process, or why there is none.
pub(super) fn environment() -> Result<&'static Environment, Fault> {
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
pub(super) struct Provider {
    pub(super) name: String,
    pub(super) dispatch: ExecutionProviderDispatch,
}

/// The first provider asked for. One that is missing is named, never passed over.
pub(super) fn provider(asked: &[String]) -> Result<Provider, Fault> {
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
