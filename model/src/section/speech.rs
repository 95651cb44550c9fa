//! Models of speech: sections whose file is one of Whisper, told by how it begins.

use std::{
    collections::BTreeMap,
    io::Read,
    sync::{Arc, PoisonError},
};

use engine::{Code, Diagnostic, Diagnostics, Fault, GraphSpec, Params, SectionSpec, Value};

use crate::{
    calibrate::Gate,
    kinds::{absent::AbsentModel, transcribe},
    tools::Listening,
    transcription::{
        Cascade, Decoder, Pool, SpeechModel,
        exits::SpeechExits,
        model_file::{ModelFile, memory_free},
    },
};

use super::{
    CACHE, ModelServices, OPTIONAL,
    load::{CHECK_PATH, Unread, cannot_read},
    parts::{EXITS, EXITS_BYTES_MAX, FILE, Paths, SEGMENTS, THRESHOLDS},
};

/// What counts for a model of speech.
const PARAMS: [&str; 6] =
    [FILE.name(), SEGMENTS.name(), EXITS.name(), THRESHOLDS.name(), CACHE.name(), OPTIONAL.name()];

/// What to do where a file is none.
const REMEDY: &str = "name a Whisper model in ggml format, such as ggml-tiny.bin, and load it anew if it is not whole";

/// The same where nobody asks it to understand speech.
const REMEDY_UNASKED: &str = "what other nodes than `transcribe` ask is an ONNX file, of Silero's silero_vad.onnx: name that; or name \
                              a whole Whisper model in ggml format, such as ggml-tiny.bin";

/// The files of a model of speech, from small to large.
pub(super) struct Speech {
    pub(super) paths: Vec<String>,
    /// Where it stands when each but the last answers.
    pub(super) exits: Option<String>,
    /// The same by hand.
    thresholds: Option<Vec<f64>>,
    /// Whether a node asks it to understand speech.
    is_asked: bool,
}

impl Speech {
    /// What to do where a file is none.
    pub(super) const fn remedy(&self) -> &'static str {
        if self.is_asked { REMEDY } else { REMEDY_UNASKED }
    }
}

impl ModelServices {
    /// The files, if the first of them is a model of speech, or is asked to be one.
    pub(super) fn speech(&self, section: &SectionSpec, params: &Params) -> Option<Speech> {
        let speech = self.speech_anyway(section, params)?;
        let mut head = Vec::new();
        let first = self.files.open(speech.paths.first()?);
        let is_read = first.and_then(|file| file.take(4).read_to_end(&mut head)).is_ok();
        (is_read && ModelFile::is_one(&head) || speech.is_asked).then_some(speech)
    }

    /// The files, whatever they are.
    pub(super) fn speech_anyway(&self, section: &SectionSpec, params: &Params) -> Option<Speech> {
        let thresholds = params.read_optional(&THRESHOLDS).ok()?.map(|all| all.to_vec());
        let Paths { segments: paths, exits, .. } =
            Paths::of(section, params, self.graph_file.as_deref()).ok()?;
        let is_asked = self.speech_asked.contains_key(&section.name.value);
        Some(Speech { paths, exits, thresholds, is_asked })
    }

    /// What identifies it.
    pub(super) fn plan_speech(
        &self,
        section: &SectionSpec,
        params: &Params,
        speech: &Speech,
    ) -> Result<String, Unread> {
        let named = |problem: Diagnostic| problem.of(format!("model `{}`", section.name.value));
        let mut problems = Vec::new();
        for (key, _) in section.params.iter().filter(|(key, _)| !PARAMS.contains(&&*key.value)) {
            let message = format!("`{}` means nothing to a model of speech", key.value);
            let problem = Diagnostic::error(Code::NoEffect, message).at(&key.place);
            let all = PARAMS.map(|name| format!("`{name}`")).join(", ");
            problems.push(named(problem.hint(format!("leave it out; what counts is {all}"))));
        }
        // What is written wrong is so with a model, too.
        let wrong = problems.len();
        let is_optional = params.read(&OPTIONAL)?;
        let written = if speech.paths.len() > 1 { SEGMENTS.name() } else { FILE.name() };
        let place = section.param(written).and_then(|file| file.place.clone());
        let bad = |message: String, hint: &str| {
            named(Diagnostic::error(Code::BadFile, message).at(&place).hint(hint.to_owned()))
        };
        let mut files = Vec::new();
        let states = self.speech_pool().threads();
        for path in &speech.paths {
            match self.files.open(path).map(ModelFile::read) {
                Ok(Ok(file)) => files.push(file),
                Ok(Err(why)) => {
                    problems.push(bad(
                        format!("`{path}` is no model of speech: {why}"),
                        speech.remedy(),
                    ));
                }
                Err(error) => {
                    let problem = Diagnostic::error(Code::of_io(&error), cannot_read(path, &error));
                    let hint = format!(
                        "{CHECK_PATH}; models of speech are yours to bring, such as ggml-tiny.bin"
                    );
                    problems.push(named(problem.at(&place).hint(hint)));
                }
            }
        }
        let mut needs = self.speech_needs.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = needs.add(&files, states);
        if let Some(free) = memory_free().filter(|free| bytes > *free) {
            needs.remove(&files);
            let message = format!(
                "the models of speech need {} MB of memory with {states} threads, and {} MB are free",
                bytes >> 20,
                free >> 20
            );
            problems.push(bad(
                message,
                "take a smaller model, such as ggml-tiny.bin or a quantised one",
            ));
        }
        drop(needs);
        if cfg!(not(feature = "whisper")) && problems.is_empty() {
            let message = "this program was built without what runs models of speech";
            let hint = "build it with `cargo build --release --features whisper`, which needs cmake and a C++ compiler";
            let hint = if is_optional {
                hint.to_owned()
            } else {
                format!("{hint}; or write `optional = true`")
            };
            problems.push(bad(message.to_owned(), &hint));
        }
        if problems.is_empty() {
            // Whether whisper.cpp takes it only that can say.
            for (path, file) in speech.paths.iter().zip(&files) {
                if let Err(fault) = self.loaded(path, file.content) {
                    let hint = "load it anew, or another one: whisper.cpp's own, ggml-tiny.bin to ggml-large-v3.bin, it takes";
                    problems.push(bad(format!("`{path}` cannot be used: {fault}"), hint));
                }
            }
        }
        let contents: Vec<u64> = files.iter().map(|file| file.content).collect();
        let mut gates = Vec::new();
        // Beside models that are there, exits that are not theirs are a mistake, not a lack.
        let are_there = problems.len() == wrong;
        if are_there {
            match self.gates(speech, &contents) {
                Ok((found, _)) => gates = found,
                Err((code, message)) => {
                    problems.push(named(self.bad_exits(section, code, message)))
                }
            }
        }
        if is_optional && wrong > 0 {
            // Whether a file is there, that may be missing, is another matter.
            problems.truncate(wrong);
        }
        match problems.first() {
            None => Ok(format!("speech {contents:x?} {gates:?}")),
            Some(first) if is_optional && wrong == 0 && !are_there => {
                let remedy = first.hint.clone().unwrap_or_default();
                Err(AbsentModel { why: first.message.clone(), remedy }.into())
            }
            Some(_) => Err(Diagnostics(problems).into()),
        }
    }

    /// When each model but the last answers, and what file says so, if one does.
    fn gates(
        &self,
        speech: &Speech,
        contents: &[u64],
    ) -> Result<(Vec<Gate>, Option<SpeechExits>), (Code, String)> {
        let Some(path) = &speech.exits else {
            let by_hand = speech.thresholds.iter().flatten();
            let gates = by_hand.map(|&threshold| Gate::by_hand(threshold)).collect();
            // Without thresholds only the last one answers.
            let none = || vec![Gate::SHUT; speech.paths.len() - 1];
            return Ok((if speech.thresholds.is_some() { gates } else { none() }, None));
        };
        let mut text = String::new();
        let read = self.files.open(path);
        let read = read.and_then(|file| file.take(EXITS_BYTES_MAX).read_to_string(&mut text));
        read.map_err(|error| (Code::of_io(&error), cannot_read(path, &error)))?;
        let bad = |why: String| (Code::BadFile, format!("`{path}` cannot be used: {why}"));
        let exits = SpeechExits::parse(&text).map_err(bad)?;
        exits.fits(contents).map_err(bad)?;
        Ok((exits.gates.clone(), Some(exits)))
    }

    fn bad_exits(&self, section: &SectionSpec, code: Code, message: String) -> Diagnostic {
        let place = section.param(EXITS.name()).and_then(|exits| exits.place.clone());
        let graph = self.graph_file.as_deref().unwrap_or("GRAPH");
        let hint = format!(
            "`afferent calibrate {graph} --data FOLDER`, of recordings, writes it anew; or {CHECK_PATH}"
        );
        Diagnostic::error(code, message).at(&place).hint(hint)
    }

    /// The threads of all models of speech.
    fn speech_pool(&self) -> Pool {
        self.speech.get_or_init(Pool::of_machine).clone()
    }

    /// A file, which is loaded once.
    fn loaded(&self, path: &str, content: u64) -> Result<Arc<dyn Decoder>, Fault> {
        let mut all = self.speech_loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = all.get(&(path.to_owned(), content)) {
            return Ok(found.clone());
        }
        let stem = std::path::Path::new(path).file_stem().unwrap_or_default();
        let model = decoder(&stem.to_string_lossy(), path, content)?;
        all.insert((path.to_owned(), content), model.clone());
        Ok(model)
    }

    /// Loads it.
    pub(super) fn load_speech(&self, name: &str, speech: &Speech) -> Result<SpeechModel, Fault> {
        let models = self.load_models(speech)?;
        let contents: Vec<u64> = models.iter().map(|model| model.content()).collect();
        let (gates, exits) = self.gates(speech, &contents).map_err(|(_, why)| Fault::data(why))?;
        let cascade = Cascade::gated(models, gates)?;
        let cascade = match exits {
            Some(exits) => {
                let otherwise = match self.speech_asked.get(name) {
                    Some(Ok(now)) => exits.heard_otherwise(now),
                    Some(Err(why)) => Some(why.clone()),
                    None => None,
                };
                cascade.made_for(&exits.language, exits.translates).hears_otherwise(otherwise)
            }
            None => cascade,
        };
        Ok(SpeechModel::new(cascade, self.speech_pool()))
    }

    /// Its models, from small to large.
    pub(super) fn load_models(&self, speech: &Speech) -> Result<Vec<Arc<dyn Decoder>>, Fault> {
        let load = |path: &String| {
            let file = self.files.open(path).map_err(|error| Fault::io("cannot open it", error))?;
            let content = ModelFile::read(file).map_err(Fault::data)?.content;
            self.loaded(path, content)
        };
        speech.paths.iter().map(load).collect()
    }
}

/// How models are heard: what of that is written, or why nothing can be promised of it.
pub(super) type Hearings = BTreeMap<String, Result<[Vec<String>; 2], String>>;

/// The models that the nodes of a graph ask to understand speech, and how.
pub(super) fn asked(spec: &GraphSpec) -> Hearings {
    let asking = spec.nodes.iter().filter(|node| node.op.value == transcribe::KIND.name);
    let named = asking.filter_map(|node| match &node.param("model")?.value {
        Value::Text(name) => {
            let how = Listening::of(spec, name, None);
            Some((name.clone(), how.map(|how| how.written()).map_err(|trouble| trouble.message)))
        }
        _ => None,
    });
    named.collect()
}

#[cfg(feature = "whisper")]
fn decoder(name: &str, path: &str, content: u64) -> Result<Arc<dyn Decoder>, Fault> {
    let model = crate::whisper::Whisper::load(name, std::path::Path::new(path), content)?;
    Ok(Arc::new(model))
}

#[cfg(not(feature = "whisper"))]
fn decoder(_: &str, _: &str, _: u64) -> Result<Arc<dyn Decoder>, Fault> {
    Err(Fault::new("this program was built without what runs models of speech"))
}
