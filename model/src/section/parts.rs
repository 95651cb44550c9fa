//! The files of a section: one model, or its segments, and when questions leave them early.

use std::{fmt::Write, io::Read, sync::Arc};

use engine::{Code, Diagnostic, Diagnostics, Fault, Files, Param, Params, SectionSpec, path_from};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use crate::{
    backend::{self, Options},
    host::{Chain, Exits, Head, Promised, Signal, Watch},
    sidecar::{Promise, Sidecar},
};

pub(super) const FILE: Param<&str> =
    Param::optional("file", "The model: an ONNX file, or a Whisper model in ggml format.");
pub(super) const SEGMENTS: Param<&[&str]> = Param::optional(
    "segments",
    "Instead of `file`: the parts of a model that can be left early, or whole models from small to large, \
     ONNX files, in order. The first output of each is its answer; what is not sure goes on into the \
     next, which takes the output of the same name as its input, else what was asked.",
);
pub(super) const EXITS: Param<&str> = Param::optional(
    "exits",
    "When questions leave early, or which of several models of speech answers: a file that `afferent calibrate` writes.",
);
pub(super) const THRESHOLDS: Param<&[f64]> = Param::optional(
    "thresholds",
    "Instead of `exits`: the score, 0 to 1, from which on questions leave, for each segment but the \
     last; without both none leaves. Of models of speech it is their own word, which nobody has calibrated.",
)
.within(0.0, 1.0);
pub(super) const WATCH: Param<f64> = Param::optional(
    "watch",
    "Share of the questions, 0 to 1, that are followed to the last segment once they were answered, when there is time to \
     spare: where their early answers differ from those of the whole model more often than `exits` \
     promises, stderr and the metrics say so. Each question to the model counts, also about a piece that grows; what a \
     cache answers is none. 0 for none; unless said otherwise 0.02 where `exits` promises \
     something, else 0.",
)
.within(0.0, 1.0);
pub(super) const ON_DRIFT: Param<&str> = Param::with_default(
    "on_drift",
    "tell",
    "What is done once `watch` finds that the promise of `exits` holds no more: \"tell\" says so, \"whole\" also has \
     all questions go to the end until the file of exits is renewed.",
)
.one_of(&["tell", "whole"]);

/// What is watched of a promise unless said otherwise.
const WATCH_SHARE: f64 = 0.02;
/// Longest file that is read.
const FILE_BYTES_MAX: u64 = 2 << 30;
/// Longest file of exits.
pub(super) const EXITS_BYTES_MAX: u64 = 1 << 20;

/// Where the files of a section are.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Paths {
    pub(super) segments: Vec<String>,
    pub(super) exits: Option<String>,
    thresholds: Option<Vec<f64>>,
    /// Share that is watched, if that was said, and whether questions are then asked as a whole.
    watch: (Option<f64>, bool),
}

/// What stands in them.
pub(super) struct Parts {
    segments: Vec<Vec<u8>>,
    exits: Exits,
    watch: Option<Watch>,
    /// Of all that decides about answers, in hex.
    pub(super) content: String,
}

impl Paths {
    /// Of a section whose parameters fit; relative ones start from the folder of the graph.
    pub(super) fn of(
        section: &SectionSpec,
        params: &Params,
        graph_file: Option<&str>,
    ) -> Result<Self, Diagnostics> {
        let from = |name: &str, written: &str| {
            let place = section.param(name).and_then(|value| value.place.clone());
            path_from(written, &place, graph_file)
        };
        let problem = |code, name: &str, message: &str| {
            let place = section.param(name).map_or(&section.name.place, |value| &value.place);
            let problem = Diagnostic::error(code, message.to_owned()).at(place);
            problem.of(format!("model `{}`", section.name.value))
        };
        let (file, segments) = (params.read_optional(&FILE)?, params.read_optional(&SEGMENTS)?);
        let segments = match (file, segments) {
            (Some(file), None) => vec![from(FILE.name(), file)],
            (None, Some(segments)) if !segments.is_empty() => {
                segments.iter().map(|segment| from(SEGMENTS.name(), segment)).collect()
            }
            (None, Some(_)) => {
                let problem = problem(Code::OutOfRange, SEGMENTS.name(), "`segments` is empty");
                return Err(problem.hint("name one ONNX file or more").into());
            }
            (Some(_), Some(_)) => {
                let what = "`file` and `segments` exclude each other";
                let problem = problem(Code::OutOfRange, SEGMENTS.name(), what);
                return Err(problem.hint("name the model's parts in `segments` alone").into());
            }
            (None, None) => return Err(missing(section).into()),
        };
        let exits = params.read_optional(&EXITS)?.map(|exits| from(EXITS.name(), exits));
        // None at all is one for each segment but the last of one.
        let is_whole = |all: &[f64]| all.is_empty() && segments.len() == 1;
        let thresholds = params.read_optional(&THRESHOLDS)?.filter(|all| !is_whole(all));
        let early = [(EXITS.name(), exits.is_some()), (THRESHOLDS.name(), thresholds.is_some())];
        if exits.is_some() && thresholds.is_some() {
            let what = "`exits` and `thresholds` exclude each other";
            let problem = problem(Code::OutOfRange, THRESHOLDS.name(), what);
            return Err(problem.hint("leave `thresholds` out: `exits` has them").into());
        }
        if let Some((name, _)) = early.iter().find(|(_, is_written)| *is_written)
            && segments.len() == 1
        {
            let what = format!("`{name}` needs `segments`: a model in one piece has no early exit");
            let problem = problem(Code::OutOfRange, name, &what);
            let hint = format!("name the model's parts in `segments`, or leave `{name}` out");
            return Err(problem.hint(hint).into());
        }
        if let Some(thresholds) = &thresholds
            && thresholds.len() != segments.len() - 1
        {
            let (given, wanted) = (thresholds.len(), segments.len() - 1);
            let what = format!("`thresholds` has {given} numbers for {wanted} early exits");
            let problem = problem(Code::OutOfRange, THRESHOLDS.name(), &what);
            return Err(problem.hint("write one for each segment but the last").into());
        }
        let watch = params.read_optional(&WATCH)?;
        let goes_whole = params.read(&ON_DRIFT)? == "whole";
        if watch.is_some_and(|watch| watch > 0.0) && exits.is_none() && thresholds.is_none() {
            let what = "`watch` needs `exits`: no question leaves this model early";
            let problem = problem(Code::OutOfRange, WATCH.name(), what);
            return Err(problem
                .hint("leave `watch` out, or name what `afferent calibrate` writes")
                .into());
        }
        if goes_whole && (exits.is_none() || watch == Some(0.0)) {
            let what = "`on_drift` needs `exits` that promise something, and `watch` above 0";
            let problem = problem(Code::OutOfRange, ON_DRIFT.name(), what);
            return Err(problem.hint("`afferent calibrate` writes such exits").into());
        }
        Ok(Self { segments, exits, thresholds, watch: (watch, goes_whole) })
    }

    /// Of a model in one file.
    pub(super) fn single(path: &str) -> Self {
        Self {
            segments: vec![path.to_owned()],
            exits: None,
            thresholds: None,
            watch: (None, false),
        }
    }

    /// Reads them; what cannot be read or makes no sense is told with the path it has.
    pub(super) fn read(&self, files: &dyn Files) -> Result<Parts, (String, std::io::Error)> {
        let read = |path: &String, most: u64| {
            let mut bytes = Vec::new();
            let opened = files.open(path).and_then(|file| file.take(most).read_to_end(&mut bytes));
            opened.map(|_| bytes).map_err(|error| (path.clone(), error))
        };
        let segments: Vec<Vec<u8>> = self
            .segments
            .iter()
            .map(|path| read(path, FILE_BYTES_MAX))
            .collect::<Result<_, _>>()?;
        let weights = weights_of(&segments);
        let mut promised = None;
        let exits = match (&self.exits, &self.thresholds) {
            (Some(path), _) => {
                let invalid = |why: String| {
                    (path.clone(), std::io::Error::new(std::io::ErrorKind::InvalidData, why))
                };
                let text = String::from_utf8(read(path, EXITS_BYTES_MAX)?)
                    .map_err(|_| invalid("it is no text".to_owned()))?;
                let sidecar = Sidecar::parse(&text).map_err(invalid)?;
                if sidecar.exits.heads.len() >= segments.len() {
                    let (exits, segments) = (sidecar.exits.heads.len(), segments.len());
                    return Err(invalid(format!("it has {exits} exits for {segments} segments")));
                }
                if sidecar.weights.is_some_and(|made_for| made_for != weights) {
                    let why = "it was made for other weights; run `afferent calibrate` again";
                    return Err(invalid(why.to_owned()));
                }
                promised = sidecar.promise.and_then(promised_of);
                if promised.is_none() && self.watch.1 {
                    let why = "it does not say how many answers may differ (`differs`), so that no drift is seen; run `afferent \
                               calibrate` again, or leave `on_drift` out";
                    return Err(invalid(why.to_owned()));
                }
                sidecar.exits
            }
            (None, thresholds) => Exits {
                signal: Signal::Score,
                heads: thresholds
                    .iter()
                    .flatten()
                    .map(|&threshold| Head { temperature: 1.0, threshold })
                    .collect(),
            },
        };
        let mut content = format!("{weights} {exits:?}");
        if let Some(promised) = promised {
            // A promise that is renewed is a new version.
            let _ = write!(content, " {promised:?}");
        }
        let (share, goes_whole) = self.watch;
        let share = share.unwrap_or(if promised.is_some() { WATCH_SHARE } else { 0.0 });
        let watch = (share > 0.0).then_some(Watch { share, promised, goes_whole });
        Ok(Parts { segments, exits, watch, content })
    }
}

/// What drift is seen by, where a file says it.
fn promised_of(promise: Promise) -> Option<Promised> {
    let Promise { loss, confidence, differs, .. } = promise;
    differs.map(|differs| Promised { loss, differs, confidence })
}

/// A section names no file.
pub(super) fn missing(section: &SectionSpec) -> Diagnostic {
    let problem = Diagnostic::error(Code::MissingParameter, "`file` is missing");
    let problem = problem.at(&section.name.place).of(format!("model `{}`", section.name.value));
    problem.hint("name an ONNX file, the parts of a model in `segments`, or models to choose from in `variants`")
}

/// What identifies the weights of a model: the content of its files, in hex.
pub fn weights_of(segments: &[Vec<u8>]) -> String {
    let hashes = segments.iter().map(|bytes| xxh3_128(bytes));
    let all: Vec<u8> = hashes.flat_map(u128::to_le_bytes).collect();
    format!("{:032x}", xxh3_128(&all))
}

impl Parts {
    /// How early exits are watched, if they are.
    pub(super) const fn watch(&self) -> Option<Watch> {
        self.watch
    }

    /// The content of its first file.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.segments[0]
    }

    /// Loads the model.
    pub(super) fn load(self, backend: &str, options: &Options) -> Result<Chain, Fault> {
        let Self { segments, exits, watch, content } = self;
        let count = segments.len();
        let load = |(number, bytes): (usize, Vec<u8>)| {
            backend::load(backend, bytes, options).map_err(|fault| {
                if count == 1 {
                    return fault;
                }
                Fault::data(format!("segment {}: {fault}", number + 1))
            })
        };
        let loaded: Vec<_> =
            segments.into_iter().enumerate().map(load).collect::<Result<Vec<Arc<_>>, _>>()?;
        let chain = Chain::new(loaded, exits).map_err(Fault::data)?;
        let chain = chain.with_content(xxh3_64(content.as_bytes()));
        Ok(match watch {
            Some(watch) => chain.watched(watch),
            None => chain,
        })
    }
}
