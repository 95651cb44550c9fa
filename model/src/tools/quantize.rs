//! `afferent model quantize`: a smaller variant of a model, kept only if it is faster and right enough.
//!
//! [ONNX Runtime's quantiser](https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html)
//! does the work, in Python. *Dynamic* makes weights int8 and finds the range of the numbers between them in every run:
//! no data is needed, and it suits nets of matrix products. *Static* finds the ranges once, from data: for
//! convolutions. Then old and new are run in turn, in the backend that would serve them.

use std::path::PathBuf;

use serde_json::{Value as Json, json};

use crate::backend::Loaded;

use super::{
    accuracy::{Agreement, Score},
    data::Dataset,
    feed::Feed,
    machine::Machine,
    profile::{Judge, ProfileOptions, load_all},
    python,
    sidecar::{Accuracy, Point, Profile, hash},
    subject::Subject,
    trouble::Trouble,
    variant::make,
    verdict::reasons,
    watch::Watch,
    write::{sidecar_of, writable, write},
};

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
    pub(super) const fn name(self) -> &'static str {
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
    writable(&asked.file, &options.out)?;
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
