//! [`ModelService`]: what a `[model.NAME]` is to nodes: one model or its variants, and whom else it asks.

use std::{any::Any, sync::Arc, time::Duration};

use engine::{Figures, Service};

use crate::{backend::rten, cache::Cache};

use super::{
    asked::Terms,
    door::Door,
    model::Model,
    rows::Rows,
    shadow::{Compared, Shadow},
    split::Split,
    variants::Quality,
    way::Way,
};

/// A model as the service that nodes find by its name.
#[derive(Clone)]
pub struct ModelService {
    /// The model; of several variants the most accurate one.
    pub model: Arc<Model>,
    /// What stands in inputs that no node feeds, by name.
    pub fixed: Vec<(String, f64)>,
    /// Where its answers are kept, if they are.
    pub cache: Option<Arc<Cache>>,
    /// How fast it was where that was measured; of several variants the fastest.
    pub speed: Option<Speed>,
    pub(super) front: Option<Front>,
    /// Sessions of this share are answered by another model.
    pub(super) ab: Option<(Arc<Model>, Split)>,
    pub(super) shadow: Option<(Arc<Model>, Split, Arc<Compared>)>,
}

/// How fast a model was with nothing else to do, as its profile says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed {
    /// Milliseconds of one question alone, in the median.
    pub latency_ms: f64,
    /// Questions in a second, with the workers and batches that were best, where that was measured.
    pub per_s: Option<f64>,
}

/// Variants of a model.
#[derive(Clone)]
pub(super) struct Front {
    /// The cheapest first.
    pub(super) models: Vec<Arc<Model>>,
    /// Their number among the workers' families.
    family: usize,
    /// Unless a node says otherwise.
    quality: Quality,
}

impl ModelService {
    /// A model whose answers are not kept.
    pub fn new(model: Arc<Model>, fixed: Vec<(String, f64)>) -> Self {
        Self { model, fixed, cache: None, speed: None, front: None, ab: None, shadow: None }
    }

    /// Variants of one model, the cheapest first, all of them run by the same workers. Which one answers goes
    /// by `quality` unless a node says otherwise; one that was too much is tried again after `dwell`.
    ///
    /// # Panics
    /// If there is none.
    pub fn of_variants(
        models: Vec<Arc<Model>>,
        fixed: Vec<(String, f64)>,
        quality: Quality,
        dwell: Duration,
    ) -> Self {
        let best = models.last().expect("a front has a model").clone();
        let family = best.workers.relate(models.iter().map(|model| model.number).collect(), dwell);
        Self { front: Some(Front { models, family, quality }), ..Self::new(best, fixed) }
    }

    /// The same; it was measured to be so fast.
    #[must_use]
    pub fn measured(mut self, speed: Option<Speed>) -> Self {
        self.speed = speed;
        self
    }

    /// The same; its answers are kept there.
    #[must_use]
    pub fn cached(mut self, cache: Arc<Cache>) -> Self {
        self.cache = Some(cache);
        self
    }

    /// The same; sessions of this share are answered by `other`.
    #[must_use]
    pub fn with_ab(mut self, other: Arc<Model>, split: Split) -> Self {
        self.ab = Some((other, split));
        self
    }

    /// The same; what sessions of this share ask is put to `other` as well, whose answers are compared.
    #[must_use]
    pub fn with_shadow(mut self, other: Arc<Model>, split: Split) -> Self {
        self.shadow = Some((other, split, Arc::default()));
        self
    }

    /// Where questions put that way by the session of that name are asked; `quality` is what the node says,
    /// if it does.
    ///
    /// # Errors
    /// If a model cannot be fed.
    pub fn door(
        &self,
        way: Way,
        terms: Terms,
        quality: Option<Quality>,
        session: &str,
    ) -> Result<Door, String> {
        let (way, fixed) = (Arc::new(way), &self.fixed);
        let door = match (&self.ab, &self.front) {
            (Some((other, split)), _) if split.takes(session) => {
                Door::open(std::slice::from_ref(other), None, way.clone(), terms, fixed)?
            }
            (_, Some(Front { models, family, quality: usual })) => {
                let variants = Some((*family, quality.unwrap_or(*usual)));
                Door::open(models, variants, way.clone(), terms, fixed)?
            }
            (_, None) => {
                let own = std::slice::from_ref(&self.model);
                Door::open(own, None, way.clone(), terms, fixed)?
            }
        };
        match &self.shadow {
            Some((other, split, compared)) if split.takes(session) => {
                Ok(door.shadowed(Shadow::open(other, compared, &way, fixed)?))
            }
            _ => Ok(door),
        }
    }

    /// How questions are put to that input row by row: as [`Model::by_rows`], if it is so for all whom questions may
    /// be put to.
    pub fn by_rows(&self, input: usize) -> Option<Arc<Rows>> {
        let others = [
            self.ab.as_ref().map(|(other, _)| other),
            self.shadow.as_ref().map(|(other, ..)| other),
        ];
        let rows = self.model.by_rows(input, &self.fixed)?;
        let all = self.variants().iter().chain(others.into_iter().flatten());
        let is_so = |model: &Arc<Model>| {
            model.by_rows(input, &self.fixed).is_some_and(|found| found.count == rows.count)
        };
        all.filter(|model| !Arc::ptr_eq(model, &self.model)).all(is_so).then_some(rows)
    }

    /// The variants, the cheapest first; the model alone where there are none.
    pub fn variants(&self) -> &[Arc<Model>] {
        self.front.as_ref().map_or(std::slice::from_ref(&self.model), |front| &front.models)
    }

    /// How answers of the shadow compare, if there is one.
    pub fn compared(&self) -> Option<&Arc<Compared>> {
        self.shadow.as_ref().map(|(.., compared)| compared)
    }
}

impl Service for ModelService {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn remark(&self) -> Option<String> {
        self.told()
    }

    fn figures(&self, name: &str, to: &mut dyn Figures) {
        self.all_figures(name, to);
    }

    /// The pure-Rust backend hands its runs to threads of its own: short runs are made by the cores, so those
    /// are such threads.
    fn carry(&self, run: &mut (dyn FnMut() + Send)) {
        let others = self.ab.iter().map(|(other, _)| other);
        let is_rten = self.variants().iter().chain(others).any(|model| model.backend() == "rten");
        if is_rten && !rten::is_own_thread() {
            rten::on_own_thread(run);
        } else {
            run();
        }
    }
}
