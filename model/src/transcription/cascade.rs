//! [`Cascade`]: models of speech from small to large: what the small one is not sure of, the next one hears.

use std::{sync::Arc, time::Instant};

use engine::Fault;

use crate::calibrate::Gate;

use super::{
    decoder::{Decoder, SoFar, Task, Way},
    hypothesis::Hypothesis,
    pace::Pace,
    pool::States,
    transcript::LANGUAGE_SURE,
};

/// Models from small to large, and how sure each but the last must be.
pub struct Cascade {
    models: Vec<Arc<dyn Decoder>>,
    gates: Vec<Gate>,
    made_for: Option<(String, bool)>,
    otherwise: Option<String>,
    pace: Pace,
}

impl Cascade {
    /// These models; one threshold of their own confidence, 0 to 1, for each but the last.
    ///
    /// # Errors
    /// If there is no model, or the thresholds do not fit.
    pub fn new(models: Vec<Arc<dyn Decoder>>, thresholds: Vec<f64>) -> Result<Self, Fault> {
        Self::gated(models, thresholds.into_iter().map(Gate::by_hand).collect())
    }

    /// These models; for each but the last, when its answer is taken. One whose gate is shut hears partials alone.
    ///
    /// # Errors
    /// If there is no model, or the gates do not fit.
    pub fn gated(models: Vec<Arc<dyn Decoder>>, gates: Vec<Gate>) -> Result<Self, Fault> {
        if models.is_empty() || gates.len() + 1 != models.len() {
            let (models, gates) = (models.len(), gates.len());
            return Err(Fault::data(format!("{gates} thresholds for {models} models")));
        }
        let (made_for, otherwise, pace) = (None, None, Pace::default());
        Ok(Self { models, gates, made_for, otherwise, pace })
    }

    /// One model alone.
    pub fn single(model: Arc<dyn Decoder>) -> Self {
        let (made_for, otherwise, pace) = (None, None, Pace::default());
        Self { models: vec![model], gates: Vec::new(), made_for, otherwise, pace }
    }

    /// The same; its gates were made for this language, or "auto", and for translating or not.
    #[must_use]
    pub fn made_for(mut self, language: &str, translates: bool) -> Self {
        self.made_for = Some((language.to_owned(), translates));
        self
    }

    /// The same; its gates were made for another way of hearing, which these words tell.
    #[must_use]
    pub fn hears_otherwise(mut self, why: Option<String>) -> Self {
        self.otherwise = why;
        self
    }

    /// In which other way it is heard than its gates were made for, as a fragment.
    pub fn is_heard_otherwise(&self) -> Option<&str> {
        self.otherwise.as_deref()
    }

    /// Whether its gates were made for another way of asking: that one's language, and whether it was translated.
    pub fn is_made_for_other(&self, way: &Way) -> Option<(&str, bool)> {
        let (language, translates) = self.made_for.as_ref()?;
        let asked = way.language.as_deref().unwrap_or("auto");
        // Models of English alone find nothing out.
        let knows_others = self.english().count() < self.models.len();
        let differs = knows_others && (language != asked || *translates != way.translates);
        differs.then_some((&**language, *translates))
    }

    /// How long its finals take of late.
    pub fn pace(&self) -> &Pace {
        &self.pace
    }

    /// The names of its models, from small to large.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.models.iter().map(|model| model.name())
    }

    /// The names of those of its models that know English alone.
    pub fn english(&self) -> impl Iterator<Item = &str> {
        self.models.iter().filter(|model| !model.is_multilingual()).map(|model| model.name())
    }

    /// What tells it from others.
    pub fn identity(&self) -> String {
        let models: Vec<u64> = self.models.iter().map(|model| model.content()).collect();
        format!("{models:x?} {:?}", self.gates)
    }

    /// Has a piece understood by the first model that is sure enough; a partial by the first alone.
    pub(super) fn decode(
        &self,
        states: &mut States,
        task: &Task,
        is_partial: bool,
        stops: &dyn Fn() -> bool,
    ) -> Result<Option<Hypothesis>, Fault> {
        let is_asked = |&number: &usize| is_partial || !self.is_shut(number);
        let asked: Vec<usize> = (0..self.models.len()).filter(is_asked).collect();
        let (mut task, mut found) = (task.clone(), None);
        let mut last = None;
        for number in asked {
            let Some(mut said) = self.ask(states, &task, number, stops)? else { return Ok(None) };
            // What a smaller one has found out is as likely as that one has said.
            said.language_p = said.language_p.or(found);
            let gate = self.gates.get(number);
            if is_partial || gate.is_none_or(|gate| gate.takes(said.sure())) {
                return Ok(Some(said));
            }
            if let Some(language) = found_out(&task, &said) {
                task.way.language = Some(language.into());
                found = said.language_p;
            }
            last = Some(said);
        }
        Ok(last)
    }

    fn is_shut(&self, number: usize) -> bool {
        self.gates.get(number).is_some_and(Gate::is_shut)
    }

    /// Has a piece understood by one of its models.
    pub(super) fn ask(
        &self,
        states: &mut States,
        task: &Task,
        number: usize,
        stops: &dyn Fn() -> bool,
    ) -> Result<Option<Hypothesis>, Fault> {
        let model = &self.models[number];
        let name = (model.name().to_owned(), model.content());
        let state = match states.entry(name) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => entry.insert(model.open()?),
        };
        let began = Instant::now();
        let said = state.decode(task, stops)?;
        Ok(said.map(|said| Hypothesis { cost_s: began.elapsed().as_secs_f64(), ..said }))
    }

    /// Whether one of its models compares what might be told: see [`Decoder::compares`].
    pub(super) fn compares(&self) -> bool {
        self.models.iter().any(|model| model.compares())
    }

    /// Tells its models what the next final goes on from.
    pub(super) fn goes_on(&self, so_far: &SoFar) {
        self.models.iter().for_each(|model| model.goes_on(so_far.clone()));
    }
}

/// The language of a piece, where a model has found it out and those behind it need not any more.
pub(super) fn found_out<'a>(task: &Task, said: &'a Hypothesis) -> Option<&'a str> {
    let is_sure = said.language_p.is_some_and(|p| p >= LANGUAGE_SURE);
    (task.way.language.is_none() && is_sure).then_some(&said.language)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::Logistic;
    use crate::transcription::mock::{MockDecoder, hypothesis};

    fn model(name: &'static str, probability: f64) -> Arc<MockDecoder> {
        Arc::new(MockDecoder::new(name, move |_| Ok(hypothesis("well", 0.5, probability))))
    }

    fn task() -> Task {
        Task { audio: vec![0.0; 16_000].into(), prompt: "".into(), way: Way::default() }
    }

    #[test]
    fn what_one_is_not_sure_of_the_next_one_hears() {
        let models = [model("tiny", 0.5), model("base", 0.8), model("small", 0.1)];
        let all: Vec<Arc<dyn Decoder>> = models.iter().map(|model| model.clone() as _).collect();
        let cascade =
            |thresholds: [f64; 2]| Cascade::new(all.clone(), thresholds.to_vec()).unwrap();
        let said = |cascade: &Cascade, is_partial| {
            let mut states = States::new();
            cascade.decode(&mut states, &task(), is_partial, &|| false).unwrap().unwrap().model
        };
        assert_eq!(said(&cascade([0.4, 0.9]), false), "tiny");
        assert_eq!(said(&cascade([0.6, 0.7]), false), "base");
        assert_eq!(said(&cascade([0.6, 0.9]), false), "small");
        assert_eq!(said(&cascade([0.6, 0.9]), true), "tiny", "a partial");
        assert!(Cascade::new(all.clone(), vec![0.5]).is_err());
        assert!(Cascade::new(Vec::new(), Vec::new()).is_err());
    }

    #[test]
    fn what_a_confidence_is_worth_decides_and_who_is_shut_hears_partials_alone() {
        let models = [model("tiny", 0.8), model("base", 0.5), model("small", 0.1)];
        let all: Vec<Arc<dyn Decoder>> = models.iter().map(|model| model.clone() as _).collect();
        let worth = |offset| Some(Logistic { slope: 1.0, offset });
        let gates = vec![
            Gate { worth: worth(9.0), silent: 1.0, threshold: 2.0 },
            // Half a confidence is worth more than nine tenths.
            Gate { worth: worth(2.5), silent: 0.0, threshold: 0.9 },
        ];
        let cascade = Cascade::gated(all, gates).unwrap();
        let said = |is_partial| {
            let mut states = States::new();
            cascade.decode(&mut states, &task(), is_partial, &|| false).unwrap().unwrap().model
        };
        assert_eq!(said(false), "base");
        assert_eq!([0, 1, 2].map(|at| models[at].begun()), [0, 1, 0]);
        assert_eq!(said(true), "tiny");
    }

    #[test]
    fn that_nothing_is_said_is_worth_what_it_is_worth() {
        for (silent, said) in [(0.95, "tiny"), (0.5, "base")] {
            let small = MockDecoder::new("tiny", |_| Ok(hypothesis("", 0.5, 0.9)));
            let models: Vec<Arc<dyn Decoder>> = vec![Arc::new(small), model("base", 0.1)];
            let worth = Some(Logistic { slope: 0.0, offset: 9.0 });
            let gates = vec![Gate { worth, silent, threshold: 0.9 }];
            let cascade = Cascade::gated(models, gates).unwrap();
            let told = cascade.decode(&mut States::new(), &task(), false, &|| false);
            assert_eq!(told.unwrap().unwrap().model, said, "{silent}");
        }
    }

    #[test]
    fn what_one_has_not_told_to_the_end_the_next_one_hears() {
        for (looped, capped) in [(true, false), (false, true)] {
            let small = MockDecoder::new("tiny", move |_| {
                Ok(Hypothesis { looped, capped, ..hypothesis("well", 0.5, 1.0) })
            });
            let models: Vec<Arc<dyn Decoder>> = vec![Arc::new(small), model("base", 0.1)];
            let cascade = Cascade::new(models, vec![0.5]).unwrap();
            let said = cascade.decode(&mut States::new(), &task(), false, &|| false);
            assert_eq!(said.unwrap().unwrap().model, "base");
        }
    }

    #[test]
    fn a_language_that_the_small_one_only_guesses_is_found_out_again() {
        for (p, told) in [(0.3, None), (0.9, Some("cy"))] {
            let small = MockDecoder::new("tiny", move |_| {
                let language = "cy".to_owned();
                Ok(Hypothesis { language, language_p: Some(p), ..hypothesis("well", 0.5, 0.5) })
            });
            let large = MockDecoder::new("base", move |task| {
                assert_eq!(task.way.language.as_deref(), told);
                let (language, language_p) = match &task.way.language {
                    Some(language) => (language.to_string(), None),
                    None => ("en".to_owned(), Some(0.7)),
                };
                Ok(Hypothesis { language, language_p, ..hypothesis("well", 0.5, 0.5) })
            });
            let cascade = Cascade::new(vec![Arc::new(small), Arc::new(large)], vec![0.9]).unwrap();
            let said = cascade.decode(&mut States::new(), &task(), false, &|| false);
            let said = said.unwrap().unwrap();
            // What the small one was sure of stands, as likely as it has said.
            let want = if told.is_some() { ("cy", Some(0.9)) } else { ("en", Some(0.7)) };
            assert_eq!((&*said.language, said.language_p), want);
        }
    }
}
