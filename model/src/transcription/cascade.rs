//! [`Cascade`]: models of speech from small to large: what the small one is not sure of, the next one hears.

use std::{sync::Arc, time::Instant};

use engine::Fault;

use crate::calibrate::Gate;

use super::{
    decoder::{Decoder, Task, Way},
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
    pace: Pace,
}

impl Cascade {
    /// These models; one threshold of their own confidence, 0 to 1, for each but the last.
    ///
    /// # Errors
    /// If there is no model, or the thresholds do not fit.
    pub fn new(models: Vec<Arc<dyn Decoder>>, thresholds: Vec<f64>) -> Result<Self, Fault> {
        let gate = |threshold| Gate { worth: None, threshold };
        Self::gated(models, thresholds.into_iter().map(gate).collect())
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
        Ok(Self { models, gates, made_for: None, pace: Pace::default() })
    }

    /// One model alone.
    pub fn single(model: Arc<dyn Decoder>) -> Self {
        Self { models: vec![model], gates: Vec::new(), made_for: None, pace: Pace::default() }
    }

    /// The same; its gates were made for this language, or "auto", and for translating or not.
    #[must_use]
    pub fn made_for(mut self, language: &str, translates: bool) -> Self {
        self.made_for = Some((language.to_owned(), translates));
        self
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
        self.each(states, task, &asked, stops, |number, said| {
            let gate = self.gates.get(number);
            is_partial || gate.is_none_or(|gate| said.is_whole() && gate.takes(said.confidence))
        })
    }

    fn is_shut(&self, number: usize) -> bool {
        self.gates.get(number).is_some_and(Gate::is_shut)
    }

    /// Has a piece understood by all of its models, from small to large, each as if those before had not been sure enough;
    /// `heard` is told what each has said.
    pub(super) fn decode_all(
        &self,
        states: &mut States,
        task: &Task,
        stops: &dyn Fn() -> bool,
        mut heard: impl FnMut(&Hypothesis),
    ) -> Result<Option<Hypothesis>, Fault> {
        let all: Vec<usize> = (0..self.models.len()).collect();
        self.each(states, task, &all, stops, |_, said| {
            heard(said);
            false
        })
    }

    /// Has a piece understood by these models, one after the other, until one's answer is taken; the last one's is.
    fn each(
        &self,
        states: &mut States,
        task: &Task,
        numbers: &[usize],
        stops: &dyn Fn() -> bool,
        mut takes: impl FnMut(usize, &Hypothesis) -> bool,
    ) -> Result<Option<Hypothesis>, Fault> {
        let mut task = task.clone();
        let (mut found, mut last) = (None, None);
        for &number in numbers {
            let model = &self.models[number];
            let name = (model.name().to_owned(), model.content());
            let state = match states.entry(name) {
                std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::hash_map::Entry::Vacant(entry) => entry.insert(model.open()?),
            };
            let began = Instant::now();
            let Some(mut said) = state.decode(&task, stops)? else { return Ok(None) };
            said.cost_s = began.elapsed().as_secs_f64();
            // What a smaller one has found out is as likely as that one has said.
            said.language_p = said.language_p.or(found);
            if takes(number, &said) {
                return Ok(Some(said));
            }
            if task.way.language.is_none() && said.language_p.is_some_and(|p| p >= LANGUAGE_SURE) {
                // Found out once.
                task.way.language = Some(said.language.as_str().into());
                found = said.language_p;
            }
            last = Some(said);
        }
        Ok(last)
    }
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
            Gate { worth: worth(9.0), threshold: 2.0 },
            // Half a confidence is worth more than nine tenths.
            Gate { worth: worth(2.5), threshold: 0.9 },
        ];
        let cascade = Cascade::gated(all, gates).unwrap();
        let said = |is_partial| {
            let mut states = States::new();
            cascade.decode(&mut states, &task(), is_partial, &|| false).unwrap().unwrap().model
        };
        assert_eq!(said(false), "base");
        assert_eq!([0, 1, 2].map(|at| models[at].begun()), [0, 1, 0]);
        assert_eq!(said(true), "tiny");
        let mut heard = Vec::new();
        let told = cascade.decode_all(&mut States::new(), &task(), &|| false, |said| {
            heard.push(said.model.clone());
        });
        assert_eq!(told.unwrap().unwrap().model, "small");
        assert_eq!(heard, ["tiny", "base", "small"]);
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
