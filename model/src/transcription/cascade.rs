//! [`Cascade`]: models of speech from small to large: what the small one is not sure of, the next one hears.

use std::sync::Arc;

use engine::Fault;

use super::{
    decoder::{Decoder, Task},
    hypothesis::Hypothesis,
    pace::Pace,
    pool::States,
    transcript::LANGUAGE_SURE,
};

/// Models from small to large, and how sure each but the last must be.
pub struct Cascade {
    models: Vec<Arc<dyn Decoder>>,
    thresholds: Vec<f64>,
    pace: Pace,
}

impl Cascade {
    /// These models; one threshold, 0 to 1, for each but the last.
    ///
    /// # Errors
    /// If there is no model, or the thresholds do not fit.
    pub fn new(models: Vec<Arc<dyn Decoder>>, thresholds: Vec<f64>) -> Result<Self, Fault> {
        if models.is_empty() || thresholds.len() + 1 != models.len() {
            let (models, thresholds) = (models.len(), thresholds.len());
            return Err(Fault::data(format!("{thresholds} thresholds for {models} models")));
        }
        Ok(Self { models, thresholds, pace: Pace::default() })
    }

    /// One model alone.
    pub fn single(model: Arc<dyn Decoder>) -> Self {
        Self { models: vec![model], thresholds: Vec::new(), pace: Pace::default() }
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
        format!("{models:x?} {:?}", self.thresholds)
    }

    /// Has a piece understood by the first model that is sure enough; a partial by the first alone.
    pub(super) fn decode(
        &self,
        states: &mut States,
        task: &Task,
        is_partial: bool,
        stops: &dyn Fn() -> bool,
    ) -> Result<Option<Hypothesis>, Fault> {
        let mut task = task.clone();
        let mut found = None;
        for (number, model) in self.models.iter().enumerate() {
            let name = (model.name().to_owned(), model.content());
            let state = match states.entry(name) {
                std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::hash_map::Entry::Vacant(entry) => entry.insert(model.open()?),
            };
            let Some(mut said) = state.decode(&task, stops)? else { return Ok(None) };
            // What a smaller one has found out is as likely as that one has said.
            said.language_p = said.language_p.or(found);
            let is_sure = self
                .thresholds
                .get(number)
                .is_none_or(|&threshold| said.confidence >= threshold && said.is_whole());
            if is_sure || is_partial {
                return Ok(Some(said));
            }
            if task.way.language.is_none() && said.language_p.is_some_and(|p| p >= LANGUAGE_SURE) {
                // Found out once.
                task.way.language = Some(said.language.as_str().into());
                found = said.language_p;
            }
        }
        unreachable!("the last model is always sure enough")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcription::{
        decoder::Way,
        mock::{MockDecoder, hypothesis},
    };

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
        assert!(Cascade::new(all, vec![0.5]).is_err());
        assert!(Cascade::new(Vec::new(), Vec::new()).is_err());
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
