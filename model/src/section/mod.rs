//! `[model.NAME]` in a graph file: which model, who runs it, on what.

mod arms;
mod front;
mod load;
mod parts;
mod reload;
mod segmented;
mod speech;
mod spoken;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock},
};

use engine::{
    AnyParam, Code, Diagnostic, Diagnostics, Fault, Files, GraphSpec, Param, Params, SectionSpec,
    Service, ServiceKind, Services, Value,
};

use crate::{
    backend,
    cache::{
        Cache,
        section::{CacheServices, PREFIX, find},
    },
    host::{Manner, Workers},
    kinds::absent::AbsentModel,
    transcription::{Decoder, Pool, model_file::Needs},
};

use arms::{AB, Arms, DWELL_MS, QUALITY, SHADOW, VARIANTS};
use load::Unread;
use parts::{EXITS, FILE, ON_DRIFT, Paths, SEGMENTS, THRESHOLDS, WATCH};

pub use parts::weights_of;
pub use segmented::{Segmented, segmented};
pub use spoken::{Spoken, spoken};

/// What a section is, for the manual.
pub const DOC: &str = "A model of the graph, in a section of its own; nodes ask it by its NAME: `infer`, \
    `classify`, `embed`, `detect`. It is loaded once for all sessions of a host, and what they ask is \
    run together, on threads of its own. A relative `file` starts from the folder of the graph. Inputs of \
    the model that no node feeds get a number each: `fixed = { sr = 16000 }`. A model of `segments` is \
    left early by questions it is sure about: `exits` says when, and `watch` whether what it promises still \
    holds. Of `variants` the one that `quality` names, or that is in time, answers; `ab` gives a share of the \
    sessions another model, `shadow` compares one. With `cache` what was asked before is not \
    asked again. With `reload` a new version takes over \
    while the graph runs, once it has proved itself. A `file` of Whisper in ggml format is a model of speech, \
    which `transcribe` asks; of several in `segments`, from small to large, the next one hears what one is not sure enough \
    of: by `exits`, which `afferent calibrate` makes from recordings, or by its number in `thresholds`, 0 to 1. `afferent check` says what does not fit.";
/// A section, for the manual.
pub const EXAMPLE: &str = "[model.beats]\nfile = \"beats.onnx\"\n\n[node.kind]\nop = \"classify\"\n\
    from = \"pieces\"\nmodel = \"beats\"\nlabels = [\"normal\", \"premature\", \"artefact\"]";

/// The parameters of a section, in the order of the manual.
pub static PARAMS: &[&dyn AnyParam] = &[
    &FILE,
    &SEGMENTS,
    &EXITS,
    &THRESHOLDS,
    &WATCH,
    &ON_DRIFT,
    &VARIANTS,
    &QUALITY,
    &DWELL_MS,
    &AB,
    &SHADOW,
    &BACKEND,
    &PROVIDER,
    &BATCH_MAX,
    &CACHE,
    &OPTIONAL,
    &RELOAD,
    &AGREEMENT,
    &TRIAL_QUESTIONS,
];

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
const CACHE: Param<&str> =
    Param::optional("cache", "Where its answers are kept, as in `[cache.NAME]`.");
const OPTIONAL: Param<bool> = Param::with_default(
    "optional",
    false,
    "Whether the graph also runs where the model cannot be used: what would be asked then passes as \
     events without fields, and stderr says so once.",
);
const RELOAD: Param<bool> = Param::with_default(
    "reload",
    false,
    "Whether a changed file becomes a new version while the graph runs: first a tenth of the questions is \
     put to it as well; if its answers agree with those of the version that serves, it takes over, \
     without a question lost; if it fails within the next 1000 runs, the old one comes back.",
);
const AGREEMENT: Param<f64> = Param::with_default(
    "agreement",
    0.95,
    "Share of the answers of a new version that must agree: the same class, or numbers within 5 %.",
)
.within(0.0, 1.0);
const TRIAL_QUESTIONS: Param<i64> = Param::with_default(
    "trial_questions",
    200,
    "Of how many questions the answers of a new version are compared.",
)
.within(1.0, 1e9);
/// A table, which no parameter type holds: checked here.
const FIXED: &str = "fixed";

/// Opens the models that graphs describe. Sections of one content and settings share a model, and all
/// share the workers.
pub struct ModelServices {
    files: Arc<dyn Files>,
    graph_file: Option<String>,
    caches: Services,
    workers: Workers,
    speech: OnceLock<Pool>,
    speech_needs: Mutex<Needs>,
    /// Models of speech that were loaded to see whether they can be, by path and content.
    speech_loaded: Mutex<BTreeMap<(String, u64), Arc<dyn Decoder>>>,
    /// Names of models that nodes ask to understand speech.
    speech_asked: speech::Hearings,
    tell: Tell,
}

/// Hears what a person should know, in whole sentences.
type Tell = Arc<dyn Fn(&str) + Send + Sync>;

/// The services that a graph describes: its caches, and its models, which use them. And what is wrong with
/// them; those are left out. `tell` hears what becomes of new versions of models.
pub fn services(
    spec: &GraphSpec,
    files: Arc<dyn Files>,
    graph_file: Option<String>,
    tell: impl Fn(&str) + Send + Sync + 'static,
) -> (Services, Diagnostics) {
    let (caches, mut problems) = Services::open_sound(&CacheServices, &spec.caches);
    let mut models = ModelServices::telling(files, graph_file, tell).with_caches(caches.clone());
    models.speech_asked = speech::asked(spec);
    let (models, others) = Services::open_sound(&models, &spec.models);
    problems.0.extend(others.0);
    (models.beside(PREFIX, &caches), problems)
}

impl ModelServices {
    /// Models from `files`, relative paths from the folder of the graph file. Silent about new versions.
    pub fn new(files: Arc<dyn Files>, graph_file: Option<String>) -> Self {
        Self::telling(files, graph_file, |_| ())
    }

    /// As [`ModelServices::new`]; `tell` hears what becomes of new versions, in whole sentences.
    pub fn telling(
        files: Arc<dyn Files>,
        graph_file: Option<String>,
        tell: impl Fn(&str) + Send + Sync + 'static,
    ) -> Self {
        let tell: Tell = Arc::new(tell);
        let workers = Workers::with(Manner { tell: tell.clone(), ..Manner::default() });
        Self {
            files,
            graph_file,
            caches: Services::default(),
            workers,
            speech: OnceLock::new(),
            speech_needs: Mutex::default(),
            speech_loaded: Mutex::default(),
            speech_asked: speech::Hearings::new(),
            tell,
        }
    }

    /// The same; models find these caches by their names.
    #[must_use]
    pub fn with_caches(mut self, caches: Services) -> Self {
        self.caches = caches;
        self
    }

    /// The cache that a section names, if it names one whose section has no problems.
    fn cache(
        &self,
        section: &SectionSpec,
        params: &Params,
    ) -> Result<Option<Arc<Cache>>, Diagnostic> {
        let Some(name) = params.read_optional(&CACHE)? else { return Ok(None) };
        find(&self.caches, "", name).map_err(|problem| {
            let place = section.param(CACHE.name()).and_then(|cache| cache.place.clone());
            problem.at(&place).of(format!("model `{}`", section.name.value))
        })
    }
}

/// Takes what is written of another model out of a section of which one of `file`, `segments` and `variants` was set, and
/// gives the keys that are gone.
pub fn forget(section: &mut SectionSpec, set: &str) -> Vec<String> {
    let others: &[&str] = match set {
        "file" => &[SEGMENTS.name(), VARIANTS.name(), EXITS.name(), THRESHOLDS.name()],
        "segments" => &[FILE.name(), VARIANTS.name()],
        "variants" => &[FILE.name(), SEGMENTS.name(), EXITS.name(), THRESHOLDS.name()],
        _ => &[],
    };
    let gone = |key: &str| others.contains(&key);
    let keys = section.params.iter().map(|(key, _)| key.value.clone());
    let forgotten = keys.filter(|key| gone(key)).collect();
    section.params.retain(|(key, _)| !gone(&key.value));
    forgotten
}

/// A section's settings, checked.
struct Settings {
    params: Params,
    fixed: Vec<(String, f64)>,
}

fn settings(section: &SectionSpec) -> Result<Settings, Diagnostics> {
    let mut plain = section.clone();
    plain.params.retain(|(key, _)| key.value != FIXED);
    let is_named = |(key, _): &(engine::Spanned<String>, _)| {
        let names = PARAMS.iter().map(|param| param.name());
        let meant = engine::nearest(&key.value, names).unwrap_or(&key.value);
        [FILE.name(), SEGMENTS.name(), VARIANTS.name()].contains(&meant)
    };
    let is_missing = !plain.params.iter().any(is_named);
    let params = plain.checked(PARAMS).map_err(|mut problems| {
        problems.0.extend(is_missing.then(|| parts::missing(section)));
        problems
    })?;
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
        if let Some(speech) = self.speech(section, &params) {
            return match self.plan_speech(section, &params, &speech) {
                Ok(identity) => {
                    self.cache(section, &params)?;
                    Ok(format!("{identity} {:?}", params.read_optional(&CACHE)?))
                }
                Err(Unread::Absent(absent)) => Ok(format!("absent {}", absent.why)),
                Err(Unread::Wrong(problems)) => Err(problems),
            };
        }
        let arms = Arms::of(section, &params, self.graph_file.as_deref())?;
        let content = match self.contents(section, &params, &arms) {
            Ok(content) => content,
            Err(Unread::Absent(absent)) => return Ok(format!("absent {}", absent.why)),
            Err(Unread::Wrong(problems)) => return Err(problems),
        };
        // One that is loaded anew is nobody else's.
        self.cache(section, &params)?;
        let own = if params.read(&RELOAD)? { section.name.value.as_str() } else { "" };
        let identity = format!(
            "{} {} {:?} {} {fixed:?} {:?} {} {own}",
            content,
            params.read(&BACKEND)?,
            params.read(&PROVIDER)?,
            params.read(&BATCH_MAX)?,
            params.read_optional(&CACHE)?,
            params.read(&OPTIONAL)?,
        );
        Ok(identity)
    }

    fn open(&self, section: &SectionSpec) -> Result<Arc<dyn Service>, Fault> {
        let unplanned = |_| Fault::new("its section is wrong");
        let Settings { params, fixed } = settings(section).map_err(unplanned)?;
        let refused = |problem: Diagnostic| Fault::new(problem.message);
        if let Some(speech) = self.speech(section, &params) {
            // What keeps it from being used was found by `plan`.
            let found = self.plan_speech(section, &params, &speech);
            if let Err(Unread::Absent(absent)) = found {
                return Ok(Arc::new(absent));
            }
            let model = self.load_speech(&section.name.value, &speech)?;
            return Ok(match self.cache(section, &params).map_err(refused)? {
                Some(cache) => Arc::new(model.cached(cache)),
                None => Arc::new(model),
            });
        }
        let loaded = self.load(section, &params, fixed).map_err(|fault| {
            let paths = Paths::of(section, &params, self.graph_file.as_deref());
            let paths = paths.map(|paths| paths.segments).unwrap_or_default();
            let paths: Vec<String> = paths.iter().map(|path| format!("`{path}`")).collect();
            match paths.is_empty() {
                true => fault,
                false => Fault::data(format!("{}: {fault}", paths.join(", "))),
            }
        });
        let service = match loaded {
            Ok(service) => service,
            Err(fault) if params.read(&OPTIONAL).map_err(refused)? => {
                let arms = Arms::of(section, &params, self.graph_file.as_deref());
                let read = arms.map(|arms| self.contents(section, &params, &arms));
                return Ok(Arc::new(match read {
                    Ok(Err(Unread::Absent(absent))) => absent,
                    _ => AbsentModel { why: fault.to_string(), remedy: self.remedy(section) },
                }));
            }
            Err(fault) => return Err(fault),
        };
        Ok(match self.cache(section, &params).map_err(refused)? {
            Some(cache) => Arc::new(service.cached(cache)),
            None => Arc::new(service),
        })
    }

    fn remedy(&self, section: &SectionSpec) -> String {
        let speech = settings(section).ok().and_then(|it| self.speech(section, &it.params));
        match speech {
            Some(speech) => speech.remedy(),
            None => "name a whole ONNX file; where an operator is missing, try another `backend`: `afferent explain model`",
        }
        .to_owned()
    }
}
