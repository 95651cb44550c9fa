//! [`Model`]: one loaded model, shared by all sessions of a host.

use std::{
    any::Any,
    sync::{Arc, atomic::AtomicU64},
};

use engine::{Answer, Buffer, Fault, Reply, Service};

use crate::{backend::Loaded, cache::Cache, signature::Signature};

use super::workers::Workers;

/// A loaded model that can be asked.
pub struct Model {
    name: String,
    loaded: Arc<dyn Loaded>,
    batch_max: usize,
    workers: Workers,
    /// Its number among the workers' models.
    pub(super) number: usize,
    pub(super) counts: Counts,
}

/// What became of questions.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) runs: AtomicU64,
    pub(super) answered: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) refused: AtomicU64,
}

/// How the questions of one node are put to the model and its answers read.
pub struct Way {
    /// The input that questions are put to.
    pub(super) input: usize,
    shape: Vec<usize>,
    /// Shapes of the other inputs of one question, by number; that of `input` is empty.
    pub(super) others: Vec<Vec<usize>>,
    /// What stands in the other inputs.
    pub(super) fixed: Vec<f64>,
    read: Box<dyn Rowwise>,
}

/// Reads what a model gave to one question.
pub trait Rowwise: Send + Sync {
    /// The answer.
    ///
    /// # Errors
    /// If that is no answer.
    fn read(&self, row: &Row<'_>) -> Result<Answer, Fault>;
}

/// What a model gave to one question: numbers per output.
#[derive(Debug)]
pub struct Row<'a> {
    /// Of all questions of the run.
    pub(super) outputs: &'a [Vec<f32>],
    pub(super) row: usize,
    pub(super) rows: usize,
}

impl<'a> Row<'a> {
    /// The numbers of an output.
    pub fn output(&self, number: usize) -> &'a [f32] {
        let numbers = &self.outputs[number];
        let len = numbers.len() / self.rows;
        &numbers[self.row * len..(self.row + 1) * len]
    }
}

/// A question that waits.
pub struct Asked {
    pub(super) way: Arc<Way>,
    samples: Buffer,
    pub(super) reply: Reply,
}

impl Asked {
    pub(super) fn samples(&self) -> &[f32] {
        self.samples.floats()
    }
}

impl Way {
    /// Questions of `shape` put to input number `input`; what stands in the other inputs is `fixed`,
    /// by name.
    ///
    /// # Errors
    /// If another input has no fixed value, or an open dimension besides that of the batch.
    pub fn new(
        signature: &Signature,
        input: usize,
        shape: Vec<usize>,
        fixed: &[(String, f64)],
        read: Box<dyn Rowwise>,
    ) -> Result<Self, String> {
        let (mut others, mut values) = (Vec::new(), Vec::new());
        for (number, slot) in signature.inputs.iter().enumerate() {
            if number == input {
                others.push(Vec::new());
                values.push(0.0);
                continue;
            }
            let value = fixed.iter().find(|(name, _)| *name == slot.name);
            let Some((_, value)) = value else {
                return Err(format!("nothing is said about its input `{slot}`"));
            };
            let shape: Option<Vec<usize>> = slot.question().into_iter().collect();
            others.push(shape.ok_or_else(|| format!("its input `{slot}` has an open length"))?);
            values.push(*value);
        }
        Ok(Self { input, shape, others, fixed: values, read })
    }

    /// Whether questions of both can be in one run: put to the same input, beside the same numbers.
    pub(super) fn goes_with(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
            || (self.input == other.input
                && self.shape == other.shape
                && self.others == other.others
                && self
                    .fixed
                    .iter()
                    .map(|x| x.to_bits())
                    .eq(other.fixed.iter().map(|x| x.to_bits())))
    }

    pub(super) fn shape(&self) -> &[usize] {
        &self.shape
    }

    pub(super) fn read(&self, row: &Row<'_>) -> Result<Answer, Fault> {
        self.read.read(row)
    }
}

impl Model {
    /// A model called `name` that `workers` run, at most `batch_max` questions at once.
    pub fn new(
        name: &str,
        loaded: Arc<dyn Loaded>,
        batch_max: usize,
        workers: &Workers,
    ) -> Arc<Self> {
        let batches = loaded.signature().batches();
        let make = |number| Self {
            name: name.to_owned(),
            loaded,
            batch_max: if batches { batch_max.max(1) } else { 1 },
            workers: workers.clone(),
            number,
            counts: Counts::default(),
        };
        workers.enrol(make)
    }

    /// Its name in the graph.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who runs it.
    pub fn backend(&self) -> &'static str {
        self.loaded.backend()
    }

    /// What it takes and gives.
    pub fn signature(&self) -> &Signature {
        self.loaded.signature()
    }

    pub(super) fn loaded(&self) -> &dyn Loaded {
        self.loaded.as_ref()
    }

    pub(super) const fn batch_max(&self) -> usize {
        self.batch_max
    }

    /// Asks: `samples` are as many as the way's shape says.
    pub fn ask(&self, way: &Arc<Way>, samples: Buffer, reply: Reply) {
        self.workers.ask(self.number, Asked { way: way.clone(), samples, reply });
    }

    /// Runs so far, questions answered, failed, and refused at the door.
    pub fn counts(&self) -> [u64; 4] {
        let Counts { runs, answered, failed, refused } = &self.counts;
        [runs, answered, failed, refused]
            .map(|count| count.load(std::sync::atomic::Ordering::Relaxed))
    }
}

/// A model as the service that nodes find by its name.
#[derive(Clone)]
pub struct ModelService {
    /// The model.
    pub model: Arc<Model>,
    /// What stands in inputs that no node feeds, by name.
    pub fixed: Vec<(String, f64)>,
    /// A hash of the model's file, which tells its answers from those of others.
    pub content: u128,
    /// Where its answers are kept, if they are.
    pub cache: Option<Arc<Cache>>,
}

impl ModelService {
    /// A model whose answers are not kept.
    pub fn new(model: Arc<Model>, fixed: Vec<(String, f64)>) -> Self {
        Self { model, fixed, content: 0, cache: None }
    }

    /// The same; answers of the model with this content are kept there.
    #[must_use]
    pub fn cached(mut self, content: u128, cache: Arc<Cache>) -> Self {
        (self.content, self.cache) = (content, Some(cache));
        self
    }
}

impl Service for ModelService {
    fn as_any(&self) -> &dyn Any {
        self
    }
}
