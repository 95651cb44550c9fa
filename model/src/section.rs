//! `[model.NAME]` in a graph file: which model, who runs it, on what.

use std::{io::Read, sync::Arc};

use engine::{
    AnyParam, Code, Diagnostic, Diagnostics, Fault, Files, Param, Params, SectionSpec, Service,
    ServiceKind, Value, path_from,
};
use xxhash_rust::xxh3::xxh3_128;

use crate::{
    backend::{self, Options},
    host::{Model, ModelService, Workers},
    kinds::absent::AbsentModel,
};

/// What a section is, for the manual.
pub const DOC: &str = "A model of the graph, in a section of its own; nodes ask it by its NAME: `infer`, \
    `classify`, `embed`, `detect`. It is loaded once for all sessions of a host, and what they ask is \
    run together, on threads of its own. A relative `file` starts from the folder of the graph. Inputs of \
    the model that no node feeds get a number each: `fixed = { sr = 16000 }`. `afferent check` says what \
    does not fit.";
/// A section, for the manual.
pub const EXAMPLE: &str = "[model.beats]\nfile = \"beats.onnx\"\n\n[node.kind]\nop = \"classify\"\n\
    from = \"pieces\"\nmodel = \"beats\"\nlabels = [\"normal\", \"premature\", \"artefact\"]";

/// The parameters of a section, in the order of the manual.
pub static PARAMS: &[&dyn AnyParam] = &[&FILE, &BACKEND, &PROVIDER, &BATCH_MAX, &OPTIONAL];

const FILE: Param<&str> = Param::required("file", "The model: an ONNX file.");
const BACKEND: Param<&str> = Param::with_default(
    "backend",
    "auto",
    "Who runs it: \"rten\", always there, or \"onnxruntime\", faster, where it is installed; \"auto\" \
     takes the faster one that is there.",
)
.one_of(backend::NAMES);
const PROVIDER: Param<&[&str]> = Param::with_default(
    "provider",
    &["cpu"] as &[&str],
    "Where to run, the first that is there: \"cuda\", \"coreml\", \"cpu\".",
);
const BATCH_MAX: Param<i64> =
    Param::with_default("batch_max", 32, "Most questions to run at once.").within(1.0, 1_024.0);
const OPTIONAL: Param<bool> = Param::with_default(
    "optional",
    false,
    "Whether the graph also runs where the model cannot be used: what would be asked then passes as \
     events without fields, and stderr says so once.",
);
/// A table, which no parameter type holds: checked here.
const FIXED: &str = "fixed";

/// Longest file that is read.
const FILE_BYTES_MAX: u64 = 2 << 30;

/// Opens the models that graphs describe. Sections of one content and settings share a model, and all
/// share the workers.
pub struct ModelServices {
    files: Arc<dyn Files>,
    graph_file: Option<String>,
    workers: Workers,
}

impl ModelServices {
    /// Models from `files`, relative paths from the folder of the graph file.
    pub fn new(files: Arc<dyn Files>, graph_file: Option<String>) -> Self {
        Self { files, graph_file, workers: Workers::of_machine() }
    }

    fn path(&self, section: &SectionSpec, params: &Params) -> Result<String, Diagnostic> {
        let place = section.param(FILE.name()).and_then(|file| file.place.clone());
        Ok(path_from(params.read(&FILE)?, &place, self.graph_file.as_deref()))
    }

    fn bytes(&self, path: &str) -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.files.open(path)?.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// A section's settings, checked.
struct Settings {
    params: Params,
    fixed: Vec<(String, f64)>,
}

fn settings(section: &SectionSpec) -> Result<Settings, Diagnostics> {
    let mut plain = section.clone();
    plain.params.retain(|(key, _)| key.value != FIXED);
    let params = plain.checked(PARAMS)?;
    let mut fixed = Vec::new();
    if let Some(written) = section.param(FIXED) {
        let wrong = || {
            let message = "`fixed` takes a table of numbers by the name of the input";
            let problem = Diagnostic::error(Code::WrongType, message).at(&written.place);
            problem.hint("write such as `fixed = { sr = 16000 }`")
        };
        let Value::Table(entries) = &written.value else { return Err(wrong().into()) };
        for (name, value) in entries {
            fixed.push((name.value.clone(), value.value.as_number().ok_or_else(wrong)?));
        }
    }
    Ok(Settings { params, fixed })
}

impl ServiceKind for ModelServices {
    fn plan(&self, section: &SectionSpec) -> Result<String, Diagnostics> {
        let Settings { params, fixed } = settings(section)?;
        let path = self.path(section, &params)?;
        let bytes = self.bytes(&path);
        if let (Err(error), true) = (&bytes, params.read(&OPTIONAL)?) {
            return Ok(format!("absent {path} {error}"));
        }
        let bytes = bytes.map_err(|error| {
            let message = format!("cannot read `{path}`: {error}");
            let problem = Diagnostic::error(Code::of_io(&error), message);
            let place = section.param(FILE.name()).and_then(|file| file.place.clone());
            let problem = problem.at(&place).of(format!("model `{}`", section.name.value));
            problem.hint("check the path; it starts from the folder of the graph file")
        })?;
        let content = xxh3_128(&bytes);
        let identity = format!(
            "{content:032x} {} {:?} {} {} {fixed:?}",
            params.read(&BACKEND)?,
            params.read(&PROVIDER)?,
            params.read(&BATCH_MAX)?,
            params.read(&OPTIONAL)?,
        );
        Ok(identity)
    }

    fn open(&self, section: &SectionSpec) -> Result<Arc<dyn Service>, Fault> {
        let unplanned = |_| Fault::new("its section is wrong");
        let Settings { params, fixed } = settings(section).map_err(unplanned)?;
        let refused = |problem: Diagnostic| Fault::new(problem.message);
        match self.load(section, &params) {
            Ok(model) => Ok(Arc::new(ModelService { model, fixed })),
            Err(fault) if params.read(&OPTIONAL).map_err(refused)? => {
                Ok(Arc::new(AbsentModel { why: fault.to_string() }))
            }
            Err(fault) => Err(fault),
        }
    }
}

impl ModelServices {
    fn load(&self, section: &SectionSpec, params: &Params) -> Result<Arc<Model>, Fault> {
        let refused = |problem: Diagnostic| Fault::new(problem.message);
        let path = self.path(section, params).map_err(refused)?;
        let bytes = self
            .bytes(&path)
            .map_err(|error| Fault::io(format!("`{path}` cannot be read"), error))?;
        let providers = params.read(&PROVIDER).map_err(refused)?;
        let options = Options { providers: providers.into_iter().map(str::to_owned).collect() };
        let loaded = backend::load(params.read(&BACKEND).map_err(refused)?, bytes, &options)?;
        let batch_max = params.read(&BATCH_MAX).map_err(refused)? as usize;
        Ok(Model::new(&section.name.value, loaded, batch_max, &self.workers))
    }
}
