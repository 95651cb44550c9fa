//! [`MockDecoder`]: a model of speech for tests, which says what it is told to, after as long as it is told to.
//!
//! Public, as [`engine::testing`] is, for tests of graphs and of programs with kinds of their own. No graph file can name it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use engine::Fault;

use super::{
    decoder::{Decoder, Decoding, Task},
    hypothesis::{Hypothesis, Word, geometric_mean},
};

/// What is said about a piece of audio.
type Says = dyn Fn(&Task) -> Result<Hypothesis, Fault> + Send + Sync;

/// A double for tests.
#[derive(Clone)]
pub struct MockDecoder {
    name: String,
    says: Arc<Says>,
    takes: Duration,
    is_multilingual: bool,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    begun: AtomicUsize,
    stopped: AtomicUsize,
}

impl MockDecoder {
    /// Says that, at once.
    pub fn new(
        name: &str,
        says: impl Fn(&Task) -> Result<Hypothesis, Fault> + Send + Sync + 'static,
    ) -> Self {
        let says = Arc::new(says);
        let (name, takes, counts) = (name.to_owned(), Duration::ZERO, Arc::default());
        Self { name, says, takes, is_multilingual: true, counts }
    }

    /// Says a word for every `word_s` of audio, numbered from the first sample's value on: a piece that begins with
    /// 3.0 begins with "w3". So words follow the audio wherever it is cut at a word.
    pub fn counting(word_s: f64) -> Self {
        Self::new("mock", move |task| {
            let first = task.audio.first().copied().unwrap_or(0.0) as usize;
            let count = (task.seconds() / word_s + 1e-6).floor() as usize;
            Ok(hypothesis(
                (0..count).map(|at| format!(" w{}", first + at)).collect::<String>().trim_start(),
                word_s,
                0.9,
            ))
        })
    }

    /// The same, after so long.
    #[must_use]
    pub const fn taking(mut self, takes: Duration) -> Self {
        self.takes = takes;
        self
    }

    /// The same, that knows English alone.
    #[must_use]
    pub const fn of_english(mut self) -> Self {
        self.is_multilingual = false;
        self
    }

    /// How many pieces it was given.
    pub fn begun(&self) -> usize {
        self.counts.begun.load(Ordering::Relaxed)
    }

    /// How many of them it was stopped at.
    pub fn stopped(&self) -> usize {
        self.counts.stopped.load(Ordering::Relaxed)
    }
}

/// Words of a text, each so long, all of one probability.
pub fn hypothesis(text: &str, word_s: f64, probability: f64) -> Hypothesis {
    let word = |(at, text): (usize, &str)| Word {
        start_s: at as f64 * word_s,
        end_s: (at + 1) as f64 * word_s,
        text: format!(" {text}"),
        probability,
    };
    let words: Vec<Word> = text.split_whitespace().enumerate().map(word).collect();
    Hypothesis {
        segment_ends_s: words.iter().map(|word| word.end_s).collect(),
        language: "en".to_owned(),
        confidence: geometric_mean(words.iter().map(|word| word.probability)),
        model: "mock".to_owned(),
        words,
        ..Hypothesis::default()
    }
}

impl Decoder for MockDecoder {
    fn name(&self) -> &str {
        &self.name
    }

    fn content(&self) -> u64 {
        0
    }

    fn is_multilingual(&self) -> bool {
        self.is_multilingual
    }

    fn open(&self) -> Result<Box<dyn Decoding>, Fault> {
        Ok(Box::new(self.clone()))
    }
}

impl Decoding for MockDecoder {
    fn decode(
        &mut self,
        task: &Task,
        stops: &dyn Fn() -> bool,
    ) -> Result<Option<Hypothesis>, Fault> {
        self.counts.begun.fetch_add(1, Ordering::Relaxed);
        let began = Instant::now();
        loop {
            if stops() {
                self.counts.stopped.fetch_add(1, Ordering::Relaxed);
                return Ok(None);
            }
            let left = self.takes.saturating_sub(began.elapsed());
            if left.is_zero() {
                break;
            }
            std::thread::park_timeout(left.min(Duration::from_millis(1)));
        }
        let said = (self.says)(task)?;
        Ok(Some(Hypothesis { model: self.name.clone(), ..said }))
    }
}
