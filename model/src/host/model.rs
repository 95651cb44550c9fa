//! [`Model`]: one loaded model, shared by all sessions of a host; [`Door`]: where a node asks it.

use std::{
    any::Any,
    sync::{Arc, atomic::AtomicU64, atomic::Ordering},
};

use engine::{Buffer, Figures, Reply, Service};

use crate::{
    backend::{Loaded, rten},
    cache::Cache,
    signature::Signature,
};

use super::{
    asked::{Note, Terms},
    chain::Chain,
    counts::{Counts, Tally},
    rows::Found,
    version::Trial,
    watch::Seen,
    way::Way,
    workers::Workers,
};

/// A loaded model that can be asked.
pub struct Model {
    name: String,
    backend: &'static str,
    signature: Signature,
    segments: usize,
    pub(super) batch_max: usize,
    pub(super) workers: Workers,
    /// Its number among the workers' models.
    pub(super) number: usize,
    pub(super) counts: Arc<Counts>,
    /// The content of the version that serves.
    pub(super) content: Arc<AtomicU64>,
    pub(super) rows: Found,
}

impl Model {
    /// A model in one piece called `name` that `workers` run, at most `batch_max` questions at once.
    pub fn new(
        name: &str,
        loaded: Arc<dyn Loaded>,
        batch_max: usize,
        workers: &Workers,
    ) -> Arc<Self> {
        Self::chained(name, Chain::one(loaded), batch_max, workers)
    }

    /// A model of segments.
    pub fn chained(name: &str, chain: Chain, batch_max: usize, workers: &Workers) -> Arc<Self> {
        let segments = chain.segments();
        let own = workers.clone();
        let batch_max = if chain.batches() { batch_max.max(1) } else { 1 };
        let (backend, signature) = (chain.backend(), chain.signature().clone());
        let content = Arc::new(AtomicU64::new(chain.content()));
        let rows = (0..signature.inputs.len()).filter_map(|input| signature.rows(input)).max();
        let sizes = batch_max.max(rows.unwrap_or(1));
        workers.enrol(chain, |number| Self {
            name: name.to_owned(),
            backend,
            signature,
            segments,
            batch_max,
            workers: own,
            number,
            content,
            counts: Arc::new(Counts::new(segments, sizes)),
            rows: Found::default(),
        })
    }

    /// Its name in the graph.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who runs it.
    pub fn backend(&self) -> &'static str {
        self.backend
    }

    /// What it takes and gives.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// How many segments it has.
    pub fn segments(&self) -> usize {
        self.segments
    }

    /// Where questions put that way are asked; what later segments get besides is `fixed`. The model is run
    /// without a question meanwhile, so that the first one need not wait for memory, and the cost of runs
    /// is known.
    ///
    /// # Errors
    /// If a later segment cannot be fed.
    pub fn door(
        self: &Arc<Self>,
        way: Way,
        terms: Terms,
        fixed: &[(String, f64)],
    ) -> Result<Door, String> {
        let way = Arc::new(way);
        let lane = self.workers.open(self.number, &way, fixed)?;
        if let Some(within) = terms.within {
            self.workers.promise(terms.priority, within);
        }
        Ok(Door { model: self.clone(), way, lane, terms })
    }

    /// Has another version take its place once it has proved itself; until then it is asked a share of
    /// the questions beside this one.
    ///
    /// # Errors
    /// If it takes or gives something else.
    pub fn offer(&self, chain: Chain, trial: Trial) -> Result<(), String> {
        self.workers.offer(self.number, chain, trial)
    }

    /// The version that serves, counted from 1.
    pub fn version(&self) -> u32 {
        self.workers.version(self.number)
    }

    /// The hash of what the version that serves was made of; 0 where nobody said.
    pub fn content(&self) -> u64 {
        self.content.load(Ordering::Relaxed)
    }

    /// What became of questions.
    pub fn tally(&self) -> Tally {
        self.counts.tally()
    }

    /// What was seen of early exits of the version that serves; nothing where they are not watched. Takes some
    /// microseconds.
    pub fn seen(&self) -> Option<Seen> {
        self.workers.drift(self.number).map(|drift| drift.seen())
    }

    /// What runs cost, as learned: by segment, the sizes that were run and the nanoseconds one of that size
    /// takes at most. Questions put in several ways cost what the longest does.
    pub fn costs(&self) -> Vec<Vec<(usize, i64)>> {
        self.workers.costs(self.number, self.segments)
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        self.workers.leave(self.number);
    }
}

/// Where one node asks a model.
#[derive(Clone)]
pub struct Door {
    model: Arc<Model>,
    way: Arc<Way>,
    lane: usize,
    terms: Terms,
}

impl Door {
    /// Asks: `samples` are as many as the way's shape says. Its answer is due when the reply says so.
    pub fn ask(&self, samples: Buffer, reply: Reply) {
        self.ask_about(samples, Note::default(), reply);
    }

    /// As [`Door::ask`], with a note for whoever reads the answer.
    pub fn ask_about(&self, samples: Buffer, note: Note, reply: Reply) {
        let Self { model, way, lane, terms } = self;
        model.counts.asked.add(1);
        model.workers.ask(model.number, *lane, way, (samples, note), reply, terms.priority);
    }

    /// Other terms from now on.
    pub fn set_terms(&mut self, terms: Terms) {
        self.terms = terms;
    }

    /// The model.
    pub fn model(&self) -> &Arc<Model> {
        &self.model
    }
}

/// A model as the service that nodes find by its name.
#[derive(Clone)]
pub struct ModelService {
    /// The model.
    pub model: Arc<Model>,
    /// What stands in inputs that no node feeds, by name.
    pub fixed: Vec<(String, f64)>,
    /// Where its answers are kept, if they are.
    pub cache: Option<Arc<Cache>>,
}

impl ModelService {
    /// A model whose answers are not kept.
    pub fn new(model: Arc<Model>, fixed: Vec<(String, f64)>) -> Self {
        Self { model, fixed, cache: None }
    }

    /// The same; its answers are kept there.
    #[must_use]
    pub fn cached(mut self, cache: Arc<Cache>) -> Self {
        self.cache = Some(cache);
        self
    }
}

impl Service for ModelService {
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn remark(&self) -> Option<String> {
        self.model.remark()
    }

    fn figures(&self, name: &str, to: &mut dyn Figures) {
        self.model.figures(name, to);
    }

    /// The pure-Rust backend hands its runs to threads of its own: short runs are made by the cores, so those
    /// are such threads.
    fn carry(&self, run: &mut (dyn FnMut() + Send)) {
        if self.model.backend() == "rten" && !rten::is_own_thread() {
            rten::on_own_thread(run);
        } else {
            run();
        }
    }
}
