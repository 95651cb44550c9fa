//! [`SpeechModel`]: a `[model.NAME]` whose file is a model of speech, as the service that nodes find by its name.

use std::{any::Any, sync::Arc};

use engine::{Figures, Series, Service};

use crate::cache::Cache;

use super::{cascade::Cascade, pool::Pool, steps::StepDone};

/// A model of speech, or several from small to large.
#[derive(Clone)]
pub struct SpeechModel {
    /// Who understands.
    pub cascade: Arc<Cascade>,
    /// On which threads.
    pub pool: Pool,
    /// Where answers are kept, if they are.
    pub cache: Option<Arc<Cache>>,
}

impl SpeechModel {
    /// Understands on these threads.
    pub fn new(cascade: Cascade, pool: Pool) -> Self {
        Self { cascade: Arc::new(cascade), pool, cache: None }
    }

    /// The same; its answers are kept there.
    #[must_use]
    pub fn cached(mut self, cache: Arc<Cache>) -> Self {
        self.cache = Some(cache);
        self
    }
}

impl Service for SpeechModel {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn remark(&self) -> Option<String> {
        let done = self.pool.done();
        let mut all = Vec::new();
        // Of one alone there is nothing to wonder about.
        let steps = self.cascade.done();
        if steps.len() > 1 {
            let names = self.cascade.names();
            all.extend(steps.iter().zip(names).filter_map(|(step, name)| step.told(name)));
        }
        if done.dropped > 0 {
            let asked = done.decodes + done.dropped;
            all.push(format!("{} of {asked} pieces of speech were not heard again while they grew: the machine had no time", done.dropped));
        }
        if let (1.., Some(why)) = (done.failed, self.pool.failed_last()) {
            all.push(format!(
                "{} pieces of speech were not understood, the last one as {why}",
                done.failed
            ));
        }
        (!all.is_empty()).then(|| all.join("\n"))
    }

    fn figures(&self, model: &str, to: &mut dyn Figures) {
        let done = self.pool.done();
        let labels = &[("model", model)];
        for (name, help, count) in [
            (
                "afferent_speech_decodes_total",
                "Pieces of speech that were understood.",
                done.decodes,
            ),
            (
                "afferent_speech_stopped_total",
                "Pieces of speech that were begun and not finished.",
                done.stopped,
            ),
            (
                "afferent_speech_dropped_total",
                "Partials that gave way to what was more urgent.",
                done.dropped,
            ),
            (
                "afferent_speech_failed_total",
                "Pieces of speech that the model has failed at.",
                done.failed,
            ),
            (
                "afferent_speech_panics_total",
                "Panics of models of speech, and of whoever was told.",
                done.panicked,
            ),
        ] {
            to.counter(Series { name, help, labels }, count);
        }
        let seconds = |ns: u64| ns as f64 / 1e9;
        let help = "Seconds of work on pieces of speech.";
        let series = Series { name: "afferent_speech_busy_seconds", help, labels };
        to.gauge(series, seconds(done.busy_ns));
        for (number, step) in self.cascade.done().into_iter().enumerate() {
            of_step(number + 1, model, step, to);
        }
    }
}

/// What one model of a cascade has done; they are numbered as `segments` has them.
fn of_step(number: usize, model: &str, step: StepDone, to: &mut dyn Figures) {
    let at = number.to_string();
    let labels = &[("model", model), ("segment", at.as_str())];
    for (name, help, count) in [
        ("afferent_speech_kept_total", "Finals that a model of a cascade has told.", step.kept),
        (
            "afferent_speech_passed_on_total",
            "Pieces that a model of a cascade was not sure enough of, so that the next one was asked.",
            step.passed_on,
        ),
        (
            "afferent_speech_partials_total",
            "Partials that a model of a cascade has understood.",
            step.partials,
        ),
    ] {
        to.counter(Series { name, help, labels }, count);
    }
    let help = "Seconds of work of a model of a cascade on pieces that it has understood.";
    let series = Series { name: "afferent_speech_segment_busy_seconds", help, labels };
    to.gauge(series, step.busy_s);
}
