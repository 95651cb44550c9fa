//! `afferent model profile`: what a model takes, how fast it is, and how often it is right.

use std::{path::PathBuf, time::Duration};

use crate::backend::{Loaded, onnxruntime};

use super::{
    accuracy::{Agreement, Answers, Score, answers, output},
    data::Dataset,
    feed::{Feed, Given},
    latency::{latency, pairs},
    machine::{Machine, memory_bytes},
    sidecar::{Accuracy, Against, Memory, Point, Profile, hash},
    subject::{Careful, Subject, as_served},
    trouble::Trouble,
    watch::Watch,
};

/// A run that would take longer is not tried.
const RUN_S_MAX: f64 = 5.0;
/// Made up questions by which two models are compared.
const NOISE_ROWS: usize = 64;
/// The spread of their answers says little about classes, but much about broken weights.
const NOISE: &str = "noise";

/// What is asked of `profile`.
#[derive(Clone, Debug, Default)]
pub struct ProfileOptions {
    /// The model.
    pub file: PathBuf,
    /// Questions in a run.
    pub batches: Vec<usize>,
    /// Workers at once.
    pub workers: Vec<usize>,
    /// Names of backends; none means every one that is there, the fastest first.
    pub backends: Vec<String>,
    /// What no data feeds.
    pub given: Given,
    /// Questions; without, they are made up.
    pub data: Option<PathBuf>,
    /// What is right, if it does not stand in the data.
    pub truth: Option<PathBuf>,
    /// Names of the classes.
    pub labels: Option<Vec<String>>,
    /// The output with the answer; else the first.
    pub output: Option<String>,
    /// Another model to compare with.
    pub against: Option<PathBuf>,
    /// Seconds that each measurement takes.
    pub seconds: f64,
}

/// Says what memory the model takes with a backend, in a process of its own; none where that cannot be
/// told.
pub type Weigh<'a> = &'a dyn Fn(&str) -> Option<u64>;

/// Measures a model.
///
/// # Errors
/// If the model or the data cannot be read or do not fit each other, an answer is no number, or `watch` ends it.
pub fn profile(
    options: &ProfileOptions,
    weigh: Weigh<'_>,
    watch: &Watch<'_>,
) -> Result<Profile, Trouble> {
    let subject = Subject::read(&options.file)?;
    let data = options.data.as_deref().map(|data| Dataset::read(data, options.truth.as_deref()));
    let data = data.transpose()?;
    let other = options.against.as_deref().map(Subject::read).transpose()?;
    let mut notes = Vec::new();
    let loaded = load_all(&subject, &options.backends, &mut notes)?;
    let signature = loaded[0].signature();
    let mut profile = Profile {
        format: Profile::FORMAT,
        file: options.file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        content: hash(subject.content),
        bytes: subject.bytes.len() as u64,
        takes: signature.inputs.iter().map(ToString::to_string).collect(),
        gives: signature.outputs.iter().map(ToString::to_string).collect(),
        asked: if data.is_some() { "data".to_owned() } else { NOISE.to_owned() },
        notes,
        machine: Machine::this(),
        latency: Vec::new(),
        memory: Vec::new(),
        accuracy: None,
        against: None,
    };
    let serves = loaded[0].as_ref();
    let feed = Feed::new(serves.signature(), data.as_ref(), &options.given)?;
    // What is cheap and can be wrong comes first: nobody waits a minute to hear of a label.
    let judge = Judge { options, data: data.as_ref(), watch };
    let (own, score) = judge.answers(serves, &feed)?;
    if let (Some(score), Some(data)) = (&score, &data) {
        let output = output(serves.signature(), options.output.as_deref())?;
        profile.accuracy = Some(Accuracy {
            data: data.path.clone(),
            data_content: hash(data.content),
            backend: serves.backend().to_owned(),
            output: serves.signature().outputs[output].name.clone(),
            rows: score.rows,
            top1: score.top1(),
            labels: options.labels.clone().unwrap_or_default(),
            confusion: score.confusion.clone(),
        });
    }
    for loaded in &loaded {
        (watch.says)(&format!("{}: memory", loaded.backend()));
        if let Some(bytes) = weigh(loaded.backend()) {
            profile.memory.push(Memory { backend: loaded.backend().to_owned(), bytes });
        }
        let feed = Feed::new(loaded.signature(), data.as_ref(), &options.given)?;
        judge.grid(loaded.as_ref(), &feed, &mut profile)?;
    }
    if let Some(other) = other {
        let judged = judge.beside(&other, serves, &feed, &own)?;
        profile.against = Some(judged);
    }
    Ok(profile)
}

/// The model in every backend that is asked for; where none is named, in those that can run it.
pub(super) fn load_all(
    subject: &Subject,
    backends: &[String],
    notes: &mut Vec<String>,
) -> Result<Vec<std::sync::Arc<dyn Loaded>>, Trouble> {
    if !backends.is_empty() {
        return backends.iter().map(|backend| subject.load(backend)).collect();
    }
    let known = if onnxruntime::is_there() { &["onnxruntime", "rten"][..] } else { &["rten"] };
    let (mut loaded, mut first) = (Vec::new(), None);
    for backend in known {
        match subject.load(backend) {
            Ok(model) => loaded.push(model),
            Err(trouble) => {
                notes.push(format!("{backend} does not run it: {trouble}"));
                first.get_or_insert(trouble);
            }
        }
    }
    match first {
        Some(trouble) if loaded.is_empty() => Err(trouble),
        _ => Ok(loaded),
    }
}

/// Measures one model after another on the same questions.
pub(super) struct Judge<'a> {
    pub(super) options: &'a ProfileOptions,
    pub(super) data: Option<&'a Dataset>,
    pub(super) watch: &'a Watch<'a>,
}

impl Judge<'_> {
    /// What the model answers, and how often it is right where that is known.
    pub(super) fn answers(
        &self,
        loaded: &dyn Loaded,
        feed: &Feed<'_>,
    ) -> Result<(Answers, Option<Score>), Trouble> {
        (self.watch.says)(&format!("{}: answers", loaded.backend()));
        let output = output(loaded.signature(), self.options.output.as_deref())?;
        let rows = feed.rows().unwrap_or(NOISE_ROWS);
        let all = answers(loaded, feed, output, rows, self.watch)?;
        if let Some(labels) = &self.options.labels
            && labels.len() != all.classes()
        {
            let message = format!("{} labels for {} classes", labels.len(), all.classes());
            let hint = "name every class once, in the order of the model's scores";
            return Err(Trouble::asked(message, hint));
        }
        let truth = self.data.and_then(|data| data.truth.as_ref());
        let score = truth.map(|truth| {
            let right = truth.numbers(all.classes(), self.options.labels.as_deref())?;
            Score::new(&all, &right)
        });
        Ok((all, score.transpose()?))
    }

    fn grid(
        &self,
        loaded: &dyn Loaded,
        feed: &Feed<'_>,
        profile: &mut Profile,
    ) -> Result<(), Trouble> {
        let backend = loaded.backend();
        let mut batches = self.options.batches.clone();
        batches.push(1);
        batches.sort_unstable();
        batches.dedup();
        if !feed.batches() && batches.len() > 1 {
            let note = "it takes one question at a time: its first dimension is fixed";
            if !profile.notes.iter().any(|known| known == note) {
                profile.notes.push(note.to_owned());
            }
            batches = vec![1];
        }
        let spend = Duration::from_secs_f64(self.options.seconds);
        for &workers in &self.options.workers {
            let mut alone = f64::NAN;
            let mut per_question_us: f64 = 0.0;
            for &batch in &batches {
                if batch as f64 * per_question_us > RUN_S_MAX * 1e6 {
                    profile.notes.push(format!(
                        "{backend}, {workers} at once: runs of {batch} would take longer than {RUN_S_MAX} s"
                    ));
                    break;
                }
                self.watch.goes_on()?;
                (self.watch.says)(&format!("{backend}: runs of {batch}, {workers} at once"));
                let inputs = feed.arrays(0, batch)?;
                let took = latency(loaded, &inputs, batch, workers, spend, self.watch);
                self.watch.goes_on()?;
                match took {
                    Ok(took) => {
                        if batch == 1 {
                            alone = took.p50_us;
                        }
                        per_question_us = took.p50_us / batch as f64;
                        profile.latency.push(Point::new(backend, workers, batch, &took, alone));
                    }
                    Err(fault) if batch == 1 => {
                        return Err(Trouble::model(&profile.file, &fault));
                    }
                    Err(fault) => {
                        profile.notes.push(format!("{backend}: a run of {batch} fails: {fault}"));
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// The model `new`, which answered `own`, beside another.
    fn beside(
        &self,
        other: &Subject,
        new: &dyn Loaded,
        feed: &Feed<'_>,
        own: &Answers,
    ) -> Result<Against, Trouble> {
        let old = other.load(new.backend())?;
        let old_feed = Feed::new(old.signature(), self.data, &self.options.given)?;
        let (theirs, score) = self.answers(old.as_ref(), &old_feed)?;
        let agreement = Agreement::new(&theirs, own)?;
        let most = self.options.batches.iter().copied().max().unwrap_or(1);
        let against = self.against(other, new.backend(), &[]);
        let latency = self.ratios((old.as_ref(), &old_feed), (new, feed), most)?;
        Ok(Against { latency, ..against.with(&agreement, score.as_ref()) })
    }

    pub(super) fn against(
        &self,
        other: &Subject,
        backend: &str,
        latency: &[super::latency::Ratio],
    ) -> Against {
        let file = PathBuf::from(&other.path);
        Against {
            file: file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            content: hash(other.content),
            backend: backend.to_owned(),
            asked: if self.data.is_some() { "data".to_owned() } else { NOISE.to_owned() },
            rows: 0,
            same: 0.0,
            error: 0.0,
            top1: None,
            latency: latency.to_vec(),
        }
    }

    /// Both in turn, with one question and with as many as are asked at once.
    pub(super) fn ratios(
        &self,
        old: (&dyn Loaded, &Feed<'_>),
        new: (&dyn Loaded, &Feed<'_>),
        most: usize,
    ) -> Result<Vec<super::latency::Ratio>, Trouble> {
        let spend = Duration::from_secs_f64(3.0 * self.options.seconds);
        let both = old.1.batches() && new.1.batches();
        let mut batches = if both { vec![1, most.max(1)] } else { vec![1] };
        batches.dedup();
        let pair = |batch: usize| {
            (self.watch.says)(&format!("{}: both in turn, runs of {batch}", new.0.backend()));
            let (old_inputs, new_inputs) = (old.1.arrays(0, batch)?, new.1.arrays(0, batch)?);
            pairs((old.0, &old_inputs), (new.0, &new_inputs), batch, spend, self.watch)
        };
        batches.into_iter().map(pair).collect()
    }
}

/// Whether batching pays, by what was measured with one worker of the first backend: the size with the best
/// economy and that economy. None where only runs of one were measured.
pub fn batching(profile: &Profile) -> Option<(usize, f64)> {
    let first = profile.latency.first()?;
    let own = |point: &&Point| point.backend == first.backend && point.workers == first.workers;
    let several = profile.latency.iter().filter(own).filter(|point| point.batch > 1);
    let best = several.max_by(|one, other| one.economy.total_cmp(&other.economy))?;
    Some((best.batch, best.economy))
}

/// What memory this process takes more once the model is loaded and was asked, in bytes; none where the system does
/// not tell. To be called in a process that has done nothing else.
///
/// # Errors
/// If the model cannot be loaded or does not run.
pub fn weigh(options: &ProfileOptions) -> Result<Option<u64>, Trouble> {
    let subject = Subject::read(&options.file)?;
    let data = options.data.as_deref().map(|data| Dataset::read(data, None)).transpose()?;
    let backend = options.backends.first().map_or("auto", String::as_str);
    if backend != "rten" {
        // The runtime's own library is no part of a model.
        onnxruntime::is_there();
    }
    let before = memory_bytes();
    let loaded = subject.load(backend)?;
    let feed = Feed::new(loaded.signature(), data.as_ref(), &options.given)?;
    let inputs = feed.arrays(0, 1)?;
    let ran = as_served(|| -> Result<Option<u64>, engine::Fault> {
        let mut careful = Careful::new(loaded.as_ref())?;
        careful.run(&inputs)?;
        Ok(memory_bytes())
    });
    let after = ran.map_err(|fault| Trouble::model(&subject.path, &fault))?;
    Ok(before.zip(after).map(|(before, after)| after.saturating_sub(before)))
}
