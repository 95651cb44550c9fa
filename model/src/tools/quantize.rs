//! `afferent model quantize`: a smaller variant of a model, kept only if it is faster and right enough.
//!
//! [ONNX Runtime's quantiser](https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html)
//! does the work, in Python. *Dynamic* makes weights int8 and finds the range of the numbers between them in every run:
//! no data is needed, and it suits nets of matrix products. *Static* finds the ranges once, from data: for
//! convolutions. Then old and new are run in turn, in the backend that would serve them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value as Json, json};
use tempfile::{NamedTempFile, TempDir};

use crate::backend::{Array, Loaded, Values};

use super::{
    accuracy::{Agreement, Score},
    data::Dataset,
    feed::Feed,
    latency::span,
    machine::Machine,
    profile::{Judge, ProfileOptions, load_all},
    python,
    sidecar::{Accuracy, Point, Profile, hash},
    subject::Subject,
    trouble::Trouble,
    watch::Watch,
};

const SCRIPT: &str = include_str!("quantize.py");

/// Questions that calibrate at most; more change little and take memory.
const CALIBRATION_ROWS: usize = 512;
/// Shares of whole counts differ by so much in how they are rounded.
const ROUNDING: f64 = 1e-9;
/// Questions in a run of the calibration.
const CALIBRATION_AT_ONCE: usize = 16;
/// What dynamic quantisation makes int8: operators for which every backend has int8 kernels. Convolutions want
/// static quantisation.
const DYNAMIC_OPS: &[&str] = &["MatMul", "Gemm", "Gather"];

/// What is asked of `quantize`.
#[derive(Clone, Debug)]
pub struct QuantizeOptions {
    /// The model, its data, and how it is asked. The most questions of `batches` are those it is served with.
    pub profile: ProfileOptions,
    /// Where the variant goes.
    pub out: PathBuf,
    /// When ranges are found.
    pub mode: Mode,
    /// A range for every channel of a weight, rather than for all of it.
    pub per_channel: bool,
    /// Weights of 7 bits: on processors without VNNI sums of 8 bit products can overflow.
    pub reduce_range: bool,
    /// Operators to quantise; none means those that usually gain.
    pub ops: Vec<String>,
    /// The share of answers that may become wrong, or, without labels, other.
    pub loss: f64,
    /// Keep the variant whatever it is like.
    pub keep_anyway: bool,
}

/// When the ranges of numbers are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// In every run.
    Dynamic,
    /// Once, from data.
    Static(Calibration),
}

/// How ranges are found from data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calibration {
    /// From the least to the largest number seen.
    MinMax,
    /// Such that the distribution of the numbers changes least.
    Entropy,
    /// Without the outermost of them.
    Percentile,
}

impl Calibration {
    const fn name(self) -> &'static str {
        match self {
            Self::MinMax => "MinMax",
            Self::Entropy => "Entropy",
            Self::Percentile => "Percentile",
        }
    }
}

/// What became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantized {
    /// The variant, beside the original.
    pub profile: Profile,
    /// Bytes of the original.
    pub old_bytes: u64,
    /// Operators of the variant that the original has not, and how many of each.
    pub made: Vec<(String, u64)>,
    /// Why the variant is no good; empty if it is.
    pub reasons: Vec<String>,
    /// The files that were written; empty if the variant was not kept.
    pub written: Vec<PathBuf>,
}

impl Quantized {
    /// As one JSON object: the profile, `old_bytes`, `made`, `reasons`, `written`.
    pub fn to_json(&self) -> String {
        let made: serde_json::Map<String, Json> =
            self.made.iter().map(|(op, count)| (op.clone(), (*count).into())).collect();
        json!({
            "profile": self.profile, "old_bytes": self.old_bytes, "made": made,
            "reasons": self.reasons, "written": self.written,
        })
        .to_string()
    }
}

/// Makes a variant and keeps it if it is no slower and right enough, or if that does not matter.
///
/// # Errors
/// If the model or the data cannot be read or do not fit each other, Python or its packages are missing or fail, no backend
/// runs the variant, or the place for it cannot be written.
pub fn quantize(options: &QuantizeOptions, watch: &Watch<'_>) -> Result<Quantized, Trouble> {
    let asked = &options.profile;
    let subject = Subject::read(&asked.file)?;
    let data = asked.data.as_deref().map(|data| Dataset::read(data, asked.truth.as_deref()));
    let data = data.transpose()?;
    let (calibration, scored) = split(options, data)?;
    writable(options)?;
    let python = python::find()?;
    let mut notes = Vec::new();
    let old = load_all(&subject, &asked.backends, &mut notes)?.swap_remove(0);
    let judge = Judge { options: asked, data: scored.as_ref(), watch };
    let old_feed = Feed::new(old.signature(), scored.as_ref(), &asked.given)?;
    let (old_answers, old_score) = judge.answers(old.as_ref(), &old_feed)?;

    (watch.says)("quantising");
    let folder = tempfile::tempdir().map_err(|error| {
        Trouble::file(
            format!("there is no place for temporary files: {error}"),
            "make room in /tmp",
        )
    })?;
    let variant = folder.path().join("variant.onnx");
    let made = make(options, &python, old.as_ref(), calibration.as_ref(), &folder, watch)?;
    notes.extend(made.notes);

    let new_subject = Subject::read(&variant)?;
    let new = new_subject.load(old.backend()).map_err(|trouble| {
        let why = trouble.message.replace(&variant.display().to_string(), "the variant");
        let hint = "quantise other operators: `--ops MatMul,Gemm`, or `--static` with data";
        Trouble::refused(format!("no variant is kept: {why}"), hint)
    })?;
    let new_feed = Feed::new(new.signature(), scored.as_ref(), &asked.given)?;
    let (new_answers, new_score) = judge.answers(new.as_ref(), &new_feed)?;
    let agreement = Agreement::new(&old_answers, &new_answers)?;
    let most = asked.batches.iter().copied().max().unwrap_or(1);
    let ratios = judge.ratios((old.as_ref(), &old_feed), (new.as_ref(), &new_feed), most)?;

    let against = judge.against(&subject, new.backend(), &ratios);
    let against = against.with(&agreement, old_score.as_ref());
    let mut profile = Profile {
        format: Profile::FORMAT,
        file: options.out.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        content: hash(new_subject.content),
        bytes: new_subject.bytes.len() as u64,
        takes: new.signature().inputs.iter().map(ToString::to_string).collect(),
        gives: new.signature().outputs.iter().map(ToString::to_string).collect(),
        asked: against.asked.clone(),
        notes,
        machine: Machine::this(),
        latency: Vec::new(),
        memory: Vec::new(),
        accuracy: None,
        against: Some(against),
    };
    points(&judge, new.as_ref(), &new_feed, most, &mut profile)?;
    if let (Some(score), Some(data)) = (&new_score, &scored) {
        profile.accuracy = Some(accuracy(asked, data, new.as_ref(), score)?);
    }
    let is_judged = scored.is_some();
    if let Some(data) = scored.as_ref().filter(|data| (data.rows as f64) * options.loss < 1.0) {
        let (rows, one) = (data.rows, 100.0 / data.rows as f64);
        profile.notes.push(format!(
            "of {rows} questions one is {one:.1} %: a loss of {:.2} % wants more of them to be told",
            100.0 * options.loss
        ));
    }
    let reasons =
        reasons(&profile, options.loss, is_judged, new_score.as_ref(), old_score.as_ref());
    let mut quantized = Quantized {
        profile,
        old_bytes: subject.bytes.len() as u64,
        made: made.made,
        reasons,
        written: Vec::new(),
    };
    watch.goes_on()?;
    if quantized.reasons.is_empty() || options.keep_anyway {
        let sidecar = sidecar_of(&options.out);
        write(&options.out, &new_subject.bytes)?;
        write(&sidecar, quantized.profile.to_toml().as_bytes())?;
        quantized.written = vec![options.out.clone(), sidecar];
    }
    Ok(quantized)
}

/// Where the profile of a model stands: `beats.int8.profile.toml` beside `beats.int8.onnx`.
pub fn sidecar_of(model: &Path) -> PathBuf {
    model.with_extension("profile.toml")
}

/// Writes the profile of a model beside it and says where.
///
/// # Errors
/// If that place cannot be written.
pub fn save(profile: &Profile, model: &Path) -> Result<PathBuf, Trouble> {
    let path = sidecar_of(model);
    write(&path, profile.to_toml().as_bytes())?;
    Ok(path)
}

/// What calibrates and what is scored: never the same questions.
fn split(
    options: &QuantizeOptions,
    data: Option<Dataset>,
) -> Result<(Option<Dataset>, Option<Dataset>), Trouble> {
    match (options.mode, data) {
        (Mode::Dynamic, data) => Ok((None, data)),
        (Mode::Static(_), None) => {
            let hint =
                "give some: `--data questions.npz` with an array `x`; a few hundred are enough";
            Err(Trouble::asked(
                "static quantisation finds its ranges from data, and there is none",
                hint,
            ))
        }
        (Mode::Static(_), Some(data)) if data.rows < 2 => {
            let message = format!(
                "`{}` has one question, which cannot both calibrate and be scored",
                data.path
            );
            Err(Trouble::file(message, "give a few hundred"))
        }
        (Mode::Static(_), Some(data)) => Ok((Some(data.part(0, 2)), Some(data.part(1, 2)))),
    }
}

/// Whether the variant can be put where it shall go, before anybody waits for it.
fn writable(options: &QuantizeOptions) -> Result<(), Trouble> {
    let [file, out] = [&options.profile.file, &options.out];
    let same = fs::canonicalize(file).ok().zip(fs::canonicalize(out).ok());
    if file == out || same.is_some_and(|(file, out)| file == out) {
        let message = format!("the variant would replace the model `{}`", file.display());
        return Err(Trouble::asked(message, "name another file: `--out model.int8.onnx`"));
    }
    if out.is_dir() {
        let message = format!("`{}` is a folder", out.display());
        return Err(Trouble::file(message, "name a file: `--out model.int8.onnx`"));
    }
    temporary(out).map(drop)
}

fn unwritable(path: &Path, error: &std::io::Error) -> Trouble {
    let message = format!("cannot write `{}`: {error}", path.display());
    Trouble::file(message, "name a place that can be written, with `--out`")
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// A file beside `path`, gone if it is dropped.
fn temporary(path: &Path) -> Result<NamedTempFile, Trouble> {
    NamedTempFile::new_in(folder_of(path)).map_err(|error| unwritable(path, &error))
}

/// Puts all of a file in its place at once.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), Trouble> {
    let file = temporary(path)?;
    fs::write(file.path(), bytes).map_err(|error| unwritable(path, &error))?;
    readable(&file).map_err(|error| unwritable(path, &error))?;
    file.persist(path).map(drop).map_err(|error| unwritable(path, &error.error))
}

/// Temporary files are for their owner alone; models are not.
fn readable(file: &NamedTempFile) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
    }
    let _ = file;
    Ok(())
}

/// What Python says it did.
struct Made {
    made: Vec<(String, u64)>,
    notes: Vec<String>,
}

fn make(
    options: &QuantizeOptions,
    python: &PathBuf,
    loaded: &dyn Loaded,
    calibration: Option<&Dataset>,
    folder: &TempDir,
    watch: &Watch<'_>,
) -> Result<Made, Trouble> {
    let is_static = matches!(options.mode, Mode::Static(_));
    let (runs, inputs) = match calibration {
        Some(data) => {
            let feed = Feed::new(loaded.signature(), Some(data), &options.profile.given)?;
            calibrate(&feed, loaded, data.rows, folder)?
        }
        None => (0, Vec::new()),
    };
    let ops: Vec<&str> = match &options.ops[..] {
        [] if is_static => Vec::new(),
        [] => DYNAMIC_OPS.to_vec(),
        ops => ops.iter().map(String::as_str).collect(),
    };
    let calibration = match options.mode {
        Mode::Static(calibration) => calibration.name(),
        Mode::Dynamic => "",
    };
    let asked = json!({
        "model": options.profile.file, "out": folder.path().join("variant.onnx"), "folder": folder.path(),
        "static": is_static, "calibration": calibration, "runs": runs, "inputs": inputs, "ops": ops,
        "per_channel": options.per_channel, "reduce_range": options.reduce_range,
    });
    let said = python::run(python, SCRIPT, &asked, watch)?;
    if let Some(missing) = said.get("missing").and_then(Json::as_str) {
        let message = format!("`{}` cannot quantise: {missing}", python.display());
        return Err(Trouble::program(message, "`pip install onnx onnxruntime` there"));
    }
    if let Some(why) = said.get("failed").and_then(Json::as_str) {
        let message =
            format!("ONNX Runtime does not quantise `{}`: {why}", options.profile.file.display());
        let hint = "quantise other operators (`--ops`), or export the model with opset 13 or later";
        return Err(Trouble::program(message, hint));
    }
    let counts = |key: &str| -> Vec<(String, u64)> {
        let all = said.get(key).and_then(Json::as_object).into_iter().flatten();
        all.map(|(op, count)| (op.clone(), count.as_u64().unwrap_or(0))).collect()
    };
    let is_int8 = |op: &str| {
        let op = op.to_ascii_lowercase();
        ["integer", "quant", "qlinear"].iter().any(|part| op.contains(part))
    };
    let made: Vec<(String, u64)> =
        counts("made").into_iter().filter(|(op, _)| is_int8(op)).collect();
    if made.is_empty() {
        let before: Vec<String> =
            counts("before").into_iter().map(|(op, n)| format!("{n} {op}")).collect();
        let message = format!(
            "nothing of the model can be quantised so; it is made of {}",
            before.join(", ")
        );
        let hint = if is_static {
            "look at `--ops`, or leave the model as it is"
        } else {
            "convolutions want static quantisation: `--static --data questions.npz`"
        };
        return Err(Trouble::refused(message, hint));
    }
    let notes = said.get("notes").and_then(Json::as_array).into_iter().flatten();
    Ok(Made { made, notes: notes.filter_map(|note| Some(note.as_str()?.to_owned())).collect() })
}

/// Puts the questions that calibrate into files of raw numbers, run by run.
fn calibrate(
    feed: &Feed<'_>,
    loaded: &dyn Loaded,
    rows: usize,
    folder: &TempDir,
) -> Result<(usize, Vec<Json>), Trouble> {
    let rows = rows.min(CALIBRATION_ROWS);
    let at_once = if feed.batches() { CALIBRATION_AT_ONCE.min(rows) } else { 1 };
    // All runs are of one shape: what is left over is left out.
    let runs = rows / at_once;
    let mut inputs: Vec<(Array, Vec<u8>)> = Vec::new();
    for run in 0..runs {
        for (number, array) in feed.arrays(run * at_once, at_once)?.into_iter().enumerate() {
            if inputs.len() == number {
                inputs.push((array.clone(), Vec::new()));
            }
            let bytes = &mut inputs[number].1;
            match &array.values {
                Values::F32(values) => bytes.extend(values.iter().flat_map(|x| x.to_le_bytes())),
                Values::Whole(values) => bytes.extend(values.iter().flat_map(|x| x.to_le_bytes())),
            }
        }
    }
    let write = |(number, (array, bytes)): (usize, &(Array, Vec<u8>))| {
        let file = folder.path().join(format!("input{number}"));
        fs::write(&file, bytes).map_err(|error| unwritable(&file, &error))?;
        let kind = if matches!(array.values, Values::F32(_)) { "<f4" } else { "<i8" };
        let name = &loaded.signature().inputs[number].name;
        Ok(json!({ "name": name, "file": file, "type": kind, "shape": array.shape }))
    };
    Ok((runs, inputs.iter().enumerate().map(write).collect::<Result<_, Trouble>>()?))
}

/// The variant's own latencies, as `profile` has them: what a choice between variants reads.
fn points(
    judge: &Judge<'_>,
    new: &dyn Loaded,
    feed: &Feed<'_>,
    most: usize,
    profile: &mut Profile,
) -> Result<(), Trouble> {
    let spend = std::time::Duration::from_secs_f64(judge.options.seconds);
    let mut batches = if feed.batches() { vec![1, most] } else { vec![1] };
    batches.dedup();
    let mut alone = f64::NAN;
    for batch in batches {
        judge.watch.goes_on()?;
        let inputs = feed.arrays(0, batch)?;
        let took = super::latency::latency(new, &inputs, batch, 1, spend, judge.watch);
        let took = took.map_err(|fault| Trouble::model(&profile.file, &fault))?;
        judge.watch.goes_on()?;
        if batch == 1 {
            alone = took.p50_us;
        }
        profile.latency.push(Point::new(new.backend(), 1, batch, &took, alone));
    }
    Ok(())
}

fn accuracy(
    asked: &ProfileOptions,
    data: &Dataset,
    loaded: &dyn Loaded,
    score: &Score,
) -> Result<Accuracy, Trouble> {
    let output = super::accuracy::output(loaded.signature(), asked.output.as_deref())?;
    Ok(Accuracy {
        data: data.path.clone(),
        data_content: hash(data.content),
        backend: loaded.backend().to_owned(),
        output: loaded.signature().outputs[output].name.clone(),
        rows: score.rows,
        top1: score.top1(),
        labels: asked.labels.clone().unwrap_or_default(),
        confusion: score.confusion.clone(),
    })
}

/// Why a variant is no good, with figures.
fn reasons(
    profile: &Profile,
    loss_max: f64,
    is_judged: bool,
    new: Option<&Score>,
    old: Option<&Score>,
) -> Vec<String> {
    let Some(against) = &profile.against else { return Vec::new() };
    let mut reasons = Vec::new();
    for ratio in against.latency.iter().filter(|ratio| ratio.is_slower()) {
        let rows = if ratio.batch == 1 {
            "one question".to_owned()
        } else {
            format!("{} questions", ratio.batch)
        };
        reasons.push(format!(
            "it is slower: a run of {rows} takes {:.2} times as long ({:.2} to {:.2}; {}, not {}) in {}",
            ratio.median, ratio.low, ratio.high, span(ratio.new_us), span(ratio.old_us), against.backend
        ));
    }
    match (new, old) {
        (Some(new), Some(old)) => {
            let loss = old.top1() - new.top1();
            if loss > loss_max + ROUNDING {
                reasons.push(format!(
                    "it is too inaccurate: {:.2} % of {} answers are right, not {:.2} %: {:.2} points less, {:.2} are allowed",
                    100.0 * new.top1(), new.rows, 100.0 * old.top1(), 100.0 * loss, 100.0 * loss_max
                ));
            }
        }
        _ if is_judged => {
            let other = 1.0 - against.same;
            if other > loss_max + ROUNDING {
                reasons.push(format!(
                    "it is too inaccurate: {:.2} % of {} answers are other than the model's own, {:.2} % are allowed",
                    100.0 * other, against.rows, 100.0 * loss_max
                ));
            }
        }
        _ => {}
    }
    reasons
}
