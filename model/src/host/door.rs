//! [`Door`]: where one node asks a model, or the variants of one.

use std::{sync::Arc, time::Duration};

use engine::{Buffer, Reply};

use super::{
    asked::{Note, Question, Terms},
    model::Model,
    shadow::Shadow,
    variants::{Quality, place_of},
    way::Way,
};

/// Where one node asks a model, or the variants of one.
#[derive(Clone)]
pub struct Door {
    /// The cheapest first.
    models: Arc<[Arc<Model>]>,
    /// Where questions to each wait.
    places: Arc<[Place]>,
    aim: Aim,
    way: Arc<Way>,
    terms: Terms,
    shadow: Option<Arc<Shadow>>,
}

/// Where questions to a model wait: among the workers' models, and among its lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) seat: usize,
    pub(super) lane: usize,
}

/// Which of several variants a question is put to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aim {
    /// This one; a cheaper one where its answer would be too late.
    Best(usize),
    /// As this family of the workers chooses.
    Auto(usize),
}

impl Door {
    /// Where questions to these models are asked, the cheapest first; `family` and quality say which of
    /// them.
    pub(super) fn open(
        models: &[Arc<Model>],
        variants: Option<(usize, Quality)>,
        way: Arc<Way>,
        terms: Terms,
        fixed: &[(String, f64)],
    ) -> Result<Self, String> {
        let place = |model: &Arc<Model>| {
            let lane = model.workers.open(model.number, &way, fixed)?;
            Ok(Place { seat: model.number, lane })
        };
        let places: Vec<Place> = models.iter().map(place).collect::<Result<_, String>>()?;
        let aim = match variants {
            None => Aim::Best(0),
            Some((family, Quality::Auto)) => Aim::Auto(family),
            Some((_, Quality::At(quality))) => Aim::Best(place_of(quality, models.len())),
        };
        if let Some(within) = terms.within {
            models[0].workers.promise(terms.priority, within);
        }
        Ok(Self { models: models.into(), places: places.into(), aim, way, terms, shadow: None })
    }

    /// The same; what is asked here is put to another model as well.
    #[must_use]
    pub(super) fn shadowed(mut self, shadow: Shadow) -> Self {
        self.shadow = Some(Arc::new(shadow));
        self
    }

    /// Asks: `samples` are as many as the way's shape says. Its answer is due when the reply says so.
    pub fn ask(&self, samples: Buffer, reply: Reply) {
        self.ask_about(samples, Note::default(), reply);
    }

    /// As [`Door::ask`], with a note for whoever reads the answer.
    pub fn ask_about(&self, samples: Buffer, note: Note, reply: Reply) {
        self.put(self.aim, samples, note, reply);
    }

    /// As [`Door::ask`], put to the model at a place that [`Door::choose`] gave. A cheaper one that answers what
    /// would be too late there says so ([`Reply::by_another`]).
    pub fn ask_at(&self, place: usize, samples: Buffer, reply: Reply) {
        self.put(Aim::Best(place), samples, Note::default(), reply);
    }

    fn put(&self, aim: Aim, samples: Buffer, note: Note, reply: Reply) {
        let Self { models, places, way, terms, shadow, .. } = self;
        let ask = |samples, pair| {
            let question = Question { way, samples, note, priority: terms.priority, pair };
            models[0].workers.ask(places, aim, question, reply);
        };
        let Some(shadow) = shadow else { return ask(samples, None) };
        let pair = shadow.pair();
        ask(samples.clone(), Some(pair.of_true()));
        shadow.ask(way, samples, note, &pair);
    }

    /// The place of the model that a question asked now would be put to, if it had so long; for whoever has
    /// to know before it is asked.
    pub fn choose(&self, left: Option<Duration>) -> usize {
        match self.aim {
            Aim::Best(at) => at,
            Aim::Auto(family) => {
                self.models[0].workers.choose(family, &self.places, self.terms.priority, left)
            }
        }
    }

    /// Numbers that a question has.
    pub fn takes(&self) -> usize {
        self.way.count()
    }

    /// Other terms from now on.
    pub fn set_terms(&mut self, terms: Terms) {
        self.terms = terms;
    }

    /// The model: of several variants the one at the place of its quality, or the best.
    pub fn model(&self) -> &Arc<Model> {
        self.model_at(match self.aim {
            Aim::Best(at) => at,
            Aim::Auto(_) => self.models.len() - 1,
        })
    }

    /// The model at a place.
    ///
    /// # Panics
    /// If there is none: [`Door::choose`] gives places.
    pub fn model_at(&self, place: usize) -> &Arc<Model> {
        &self.models[place]
    }
}
