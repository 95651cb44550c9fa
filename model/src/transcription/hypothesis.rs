//! [`Hypothesis`]: what a model has understood of a piece of audio.

use std::time::Duration;

use engine::{Answer, Buffer, Dimension, Element, Fault, Format, TensorFormat};
use serde::{Deserialize, Serialize};

use crate::calibrate::Sure;

/// A word and when it was said, in seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Word {
    /// When it begins.
    pub start_s: f64,
    /// When it ends.
    pub end_s: f64,
    /// As the model gives it, with the space in front where its language has one.
    pub text: String,
    /// How sure the model is, 0 to 1: the geometric mean over its parts.
    pub probability: f64,
}

impl Word {
    /// The same, so many seconds later.
    #[must_use]
    pub fn later(mut self, by_s: f64) -> Self {
        self.start_s += by_s;
        self.end_s += by_s;
        self
    }
}

/// What a model has understood of a piece of audio. Times count from the beginning of the piece.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Hypothesis {
    /// The words in order.
    pub words: Vec<Word>,
    /// Where the model's segments end, in seconds: sentences, mostly.
    pub segment_ends_s: Vec<f64>,
    /// Language, as two or three letters.
    pub language: String,
    /// How likely that language is, 0 to 1, where the model has found it out; none where it was told.
    #[serde(default)]
    pub language_p: Option<f64>,
    /// How sure the model is, 0 to 1: the geometric mean over the parts of words; 0 where there are none.
    pub confidence: f64,
    /// The model that has said it.
    pub model: String,
    /// The model had begun to repeat itself and was stopped.
    pub looped: bool,
    /// Parts of words and moments that it has said.
    #[serde(default)]
    pub tokens: usize,
    /// It had more to say than it may: [`tokens_max`](super::budget::tokens_max).
    #[serde(default)]
    pub capped: bool,
    /// What it took to understand it, in seconds.
    pub cost_s: f64,
}

impl Hypothesis {
    /// Whether the model has said all that it had to say.
    pub const fn is_whole(&self) -> bool {
        !self.looped && !self.capped
    }

    /// How sure the model is, as those before it are judged.
    pub fn sure(&self) -> Sure {
        match (self.is_whole(), self.words.is_empty()) {
            (false, _) => Sure::Never,
            (true, true) => Sure::Silent,
            (true, false) => Sure::Of(self.confidence),
        }
    }

    /// As an answer that caches keep.
    pub fn to_answer(&self) -> Answer {
        let bytes = serde_json::to_vec(self).unwrap_or_default();
        let mut buffer = Buffer::with_bytes(bytes.len(), bytes.len());
        buffer.bytes_mut().expect("fresh").copy_from_slice(&bytes);
        buffer.into()
    }

    /// From such an answer.
    ///
    /// # Errors
    /// If it is none.
    pub fn of_answer(answer: &Answer) -> Result<Self, Fault> {
        let [(0, buffer)] = answer.payloads() else {
            return Err(Fault::data("an answer that holds no text"));
        };
        serde_json::from_slice(buffer.bytes())
            .map_err(|error| Fault::data(format!("an answer that holds no text: {error}")))
    }

    /// What it took to understand what such an answer says.
    pub fn cost_of(answer: &Answer) -> Option<Duration> {
        Duration::try_from_secs_f64(Self::of_answer(answer).ok()?.cost_s).ok()
    }

    /// What such answers look like.
    pub fn format() -> Format {
        let shape = vec![Dimension::Open { max: 1 << 20 }];
        Format::Tensor(TensorFormat { element: Element::U8, shape }.into())
    }
}

/// The words as one text.
pub fn text_of<'a>(words: impl IntoIterator<Item = &'a Word>) -> String {
    let all: String = words.into_iter().map(|word| word.text.as_str()).collect();
    all.trim().to_owned()
}

/// The geometric mean of probabilities, 0 of none.
pub fn geometric_mean(probabilities: impl IntoIterator<Item = f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0_u32);
    for probability in probabilities {
        // A part of probability 0 does not make the whole unheard of.
        sum += probability.clamp(1e-6, 1.0).ln();
        count += 1;
    }
    if count == 0 { 0.0 } else { (sum / f64::from(count)).exp() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Fit;

    #[test]
    fn what_a_cache_keeps_is_what_was_said() {
        let word =
            Word { start_s: 0.1, end_s: 0.5, text: " grüße".to_owned(), probability: 0.25 };
        let said = Hypothesis {
            words: vec![word],
            segment_ends_s: vec![0.5],
            language: "de".to_owned(),
            language_p: Some(0.75),
            confidence: 0.25,
            model: "tiny".to_owned(),
            looped: false,
            tokens: 3,
            capped: true,
            cost_s: 0.1,
        };
        let answer = said.to_answer();
        assert_eq!(Hypothesis::of_answer(&answer).unwrap(), said);
        assert_eq!(Hypothesis::cost_of(&answer), Some(Duration::from_millis(100)));
        assert!(Fit::of(vec![Hypothesis::format()]).takes(&answer));
        assert!(Hypothesis::of_answer(&Answer::nothing()).is_err());
        assert!(Hypothesis::of_answer(&Buffer::with_bytes(8, 8).into()).is_err());
    }

    #[test]
    fn the_mean_of_probabilities_is_that_of_their_logarithms() {
        assert!((geometric_mean([0.5, 0.125]) - 0.25).abs() < 1e-12, "one rounding each");
        assert_eq!(geometric_mean([]), 0.0);
        assert!(geometric_mean([0.0, 1.0]) > 0.0);
    }
}
