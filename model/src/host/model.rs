//! [`Model`]: one loaded model, shared by all sessions of a host.

use std::sync::Arc;

use crate::{backend::Loaded, signature::Signature};

use super::{
    asked::Terms,
    chain::Chain,
    counts::{Counts, Tally},
    door::Door,
    rows::Found,
    version::{Content, Trial},
    watch::Seen,
    way::Way,
    workers::Workers,
};

/// A loaded model that can be asked.
pub struct Model {
    name: String,
    /// What tells it from other models of the same section.
    variant: Option<String>,
    backend: &'static str,
    signature: Signature,
    segments: usize,
    pub(super) batch_max: usize,
    pub(super) workers: Workers,
    /// Its number among the workers' models.
    pub(super) number: usize,
    pub(super) counts: Arc<Counts>,
    /// The content of the version that serves.
    pub(super) content: Arc<Content>,
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
        Self::variant_of(name, None, chain, batch_max, workers)
    }

    /// One of several models of a section, told from the others by the name of its variant.
    pub fn variant_of(
        name: &str,
        variant: Option<&str>,
        chain: Chain,
        batch_max: usize,
        workers: &Workers,
    ) -> Arc<Self> {
        let segments = chain.segments();
        let own = workers.clone();
        let batch_max = if chain.batches() { batch_max.max(1) } else { 1 };
        let (backend, signature) = (chain.backend(), chain.signature().clone());
        let content = Content::new(chain.content());
        let rows = (0..signature.inputs.len()).filter_map(|input| signature.rows(input)).max();
        let sizes = batch_max.max(rows.unwrap_or(1));
        workers.enrol(chain, |number| Self {
            name: name.to_owned(),
            variant: variant.map(str::to_owned),
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

    /// What tells it from other models of its section, if there are any.
    pub fn variant(&self) -> Option<&str> {
        self.variant.as_deref()
    }

    /// What people call it: its name, behind it its variant.
    pub fn called(&self) -> String {
        match &self.variant {
            Some(variant) => format!("{}/{variant}", self.name),
            None => self.name.clone(),
        }
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
        Door::open(std::slice::from_ref(self), None, Arc::new(way), terms, fixed)
    }

    /// Has another version take its place once it has proved itself; until then it is asked a share of
    /// the questions beside this one.
    ///
    /// # Errors
    /// If it takes or gives something else, or mixes the questions of a run where this one does not.
    pub fn offer(&self, chain: Chain, trial: Trial) -> Result<(), String> {
        if !self.goes_by_rows(&chain) {
            return Err(
                "it does not give each row of a run its own answer, as the one that serves does"
                    .to_owned(),
            );
        }
        self.workers.offer(self.number, chain, trial)
    }

    /// The version that serves, counted from 1.
    pub fn version(&self) -> u32 {
        self.workers.version(self.number)
    }

    /// What the version that serves was made of.
    pub fn content(&self) -> &Arc<Content> {
        &self.content
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
