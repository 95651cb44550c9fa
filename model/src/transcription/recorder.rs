//! [`Recorder`]: a model that has all models of a cascade understand every turn, and keeps what each has said and what would
//! have been told of it. The largest model's word is what goes on.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use engine::Fault;
use xxhash_rust::xxh3::xxh3_128;

use super::{
    cascade::{Cascade, found_out},
    decoder::{Decoder, Decoding, SoFar, Task},
    hypothesis::{Hypothesis, Word},
    pool::States,
};

/// A turn, or a part of one, and what was made of it.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    /// The number of the turn.
    pub(crate) turn: i64,
    /// When the piece begins, in seconds.
    pub(crate) start_s: f64,
    /// How long the audio is that is heard at its end.
    pub(crate) seconds: f64,
    /// By model, from small to large; each of them by what it was told before, first by nothing. Where the largest is heard
    /// alone, that one.
    pub(crate) said: Vec<Vec<Said>>,
}

/// What a model has said.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    /// The language that a smaller one has found out.
    pub(crate) told: Option<String>,
    /// The language that those behind it need not find out any more.
    pub(crate) tells: Option<String>,
    /// What it has said, with what that took (`cost_s`).
    pub(crate) said: Hypothesis,
    /// What would be told of the piece: this, behind what partials have told that is not taken back.
    pub(crate) text: String,
    /// Its words, in seconds of the recording.
    pub(crate) words: Vec<Word>,
}

/// Stands in for a cascade, of which the largest model answers, and the first one partials.
pub(crate) struct Recorder {
    cascade: Arc<Cascade>,
    kept: Arc<Kept>,
}

#[derive(Default)]
struct Kept {
    inner: Mutex<Inner>,
    /// The largest model alone is to be heard.
    is_alone: AtomicBool,
    /// It shall end.
    is_over: AtomicBool,
}

#[derive(Default)]
struct Inner {
    /// What the final goes on from that is asked next.
    next: Option<SoFar>,
    pieces: Vec<Piece>,
    failed: Option<Fault>,
    /// What was understood before of a recording: by model, language, prompt and audio.
    known: HashMap<u128, Hypothesis>,
}

impl Kept {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recorder {
    /// Of that cascade.
    pub(crate) fn new(cascade: Arc<Cascade>) -> Self {
        Self { cascade, kept: Arc::default() }
    }

    /// Whether from now on the largest model is heard alone.
    pub(crate) fn hear_alone(&self, is_alone: bool) {
        self.kept.is_alone.store(is_alone, Ordering::Relaxed);
    }

    /// Nothing more is understood.
    pub(crate) fn end(&self) {
        self.kept.is_over.store(true, Ordering::Relaxed);
    }

    /// What was said so far, in order, and nothing of it is kept.
    ///
    /// # Errors
    /// What a model has failed of.
    pub(crate) fn take(&self) -> Result<Vec<Piece>, Fault> {
        let mut inner = self.kept.lock();
        let pieces = std::mem::take(&mut inner.pieces);
        inner.failed.take().map_or(Ok(pieces), Err)
    }

    /// Another recording comes, of which nothing is known.
    pub(crate) fn forget(&self) {
        self.kept.lock().known.clear();
    }
}

impl Decoder for Recorder {
    fn name(&self) -> &str {
        "all"
    }

    fn content(&self) -> u64 {
        0
    }

    fn is_multilingual(&self) -> bool {
        self.cascade.english().next().is_none()
    }

    fn compares(&self) -> bool {
        true
    }

    fn goes_on(&self, so_far: SoFar) {
        self.kept.lock().next = Some(so_far);
    }

    fn open(&self) -> Result<Box<dyn Decoding>, Fault> {
        let (cascade, kept) = (self.cascade.clone(), self.kept.clone());
        Ok(Box::new(Worker { cascade, kept, states: States::new() }))
    }
}

struct Worker {
    cascade: Arc<Cascade>,
    kept: Arc<Kept>,
    states: States,
}

impl Decoding for Worker {
    fn decode(
        &mut self,
        task: &Task,
        stops: &dyn Fn() -> bool,
    ) -> Result<Option<Hypothesis>, Fault> {
        let so_far = self.kept.lock().next.take();
        let kept = self.kept.clone();
        let stops = || stops() || kept.is_over.load(Ordering::Relaxed);
        let said = match &so_far {
            None => self.ask(task, 0, &stops),
            Some(so_far) => self.hear(task, so_far, &stops),
        };
        said.inspect_err(|fault| {
            self.kept.lock().failed = Some(Fault::new(fault.to_string()));
        })
    }
}

impl Worker {
    /// What all models say of a final, and the last one's answer.
    fn hear(
        &mut self,
        task: &Task,
        so_far: &SoFar,
        stops: &dyn Fn() -> bool,
    ) -> Result<Option<Hypothesis>, Fault> {
        let count = self.cascade.names().count();
        let is_alone = self.kept.is_alone.load(Ordering::Relaxed);
        let first = if is_alone { count - 1 } else { 0 };
        let (mut languages, mut all) = (vec![None::<String>], Vec::new());
        for number in first..count {
            let mut said = Vec::new();
            for told in languages.clone() {
                let mut task = task.clone();
                task.way.language = told.as_deref().map(Into::into).or(task.way.language);
                let Some(one) = self.ask(&task, number, stops)? else { return Ok(None) };
                let tells = found_out(&task, &one).map(str::to_owned);
                if tells.is_some() && !languages.contains(&tells) {
                    languages.push(tells.clone());
                }
                said.push(of(so_far, told, tells, one));
            }
            all.push(said);
        }
        let last = all.last().map(|said| said[0].said.clone());
        let seconds = task.seconds();
        let piece = Piece { turn: so_far.turn, start_s: so_far.start_s, seconds, said: all };
        self.kept.lock().pieces.push(piece);
        Ok(last)
    }

    /// What one says, anew only where it was not asked before.
    fn ask(
        &mut self,
        task: &Task,
        number: usize,
        stops: &dyn Fn() -> bool,
    ) -> Result<Option<Hypothesis>, Fault> {
        let audio: Vec<u8> = task.audio.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let how = format!("{number} {:?} {:?}", task.way, task.prompt);
        let key = xxh3_128(&audio) ^ xxh3_128(how.as_bytes()).rotate_left(1);
        let known = self.kept.lock().known.get(&key).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let said = self.cascade.ask(&mut self.states, task, number, stops)?;
        if let Some(said) = &said {
            self.kept.lock().known.insert(key, said.clone());
        }
        Ok(said)
    }
}

fn of(so_far: &SoFar, told: Option<String>, tells: Option<String>, said: Hypothesis) -> Said {
    let text = so_far.transcript.clone().last(&said, so_far.offset_s).text;
    let text = [so_far.transcript.gone(), &text].concat();
    let words = said.words.iter().cloned().map(|word| word.later(so_far.offset_s)).collect();
    Said { told, tells, said, text, words }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcription::{
        Way,
        mock::{MockDecoder, hypothesis},
    };

    /// Knows the language, with such a certainty, where it is not told; then says something else.
    fn model(name: &'static str, language: &'static str, p: f64) -> Arc<MockDecoder> {
        Arc::new(MockDecoder::new(name, move |task| {
            let told = task.way.language.as_deref();
            let text = told.map_or_else(|| name.to_owned(), |told| format!("{name} {told}"));
            let (language, language_p) = (told.unwrap_or(language).to_owned(), Some(p));
            let language_p = language_p.filter(|_| told.is_none());
            Ok(Hypothesis { language, language_p, ..hypothesis(&text, 0.5, 0.9) })
        }))
    }

    fn task() -> Task {
        Task { audio: vec![0.5; 16_000].into(), prompt: "".into(), way: Way::default() }
    }

    fn told(recorder: &Recorder) -> Vec<Vec<(Option<String>, String)>> {
        let of = |said: &Said| (said.told.clone(), said.text.clone());
        let piece = recorder.take().expect("nothing has failed").remove(0);
        piece.said.iter().map(|all| all.iter().map(of).collect()).collect()
    }

    #[test]
    fn a_model_is_heard_by_itself_and_told_what_each_before_it_found_out() {
        let models =
            [model("tiny", "cy", 0.9), model("base", "en", 0.95), model("small", "en", 1.0)];
        let all: Vec<Arc<dyn Decoder>> = models.iter().map(|model| model.clone() as _).collect();
        let gates = vec![crate::calibrate::Gate::SHUT; 2];
        let recorder = Recorder::new(Arc::new(Cascade::gated(all, gates).unwrap()));
        let mut worker = recorder.open().expect("nothing is opened");

        // A partial is the first one's, and no piece.
        let said = worker.decode(&task(), &|| false).unwrap().unwrap();
        assert_eq!(said.model, "tiny");
        assert!(recorder.take().unwrap().is_empty());

        recorder.goes_on(SoFar::default());
        let said = worker.decode(&task(), &|| false).unwrap().unwrap();
        assert_eq!(said.model, "small");
        let [none, cy, en] = [None, Some("cy".to_owned()), Some("en".to_owned())];
        let with = |told: &Option<String>, text: &str| (told.clone(), text.to_owned());
        let want = vec![
            vec![with(&none, "tiny")],
            vec![with(&none, "base"), with(&cy, "base cy")],
            vec![with(&none, "small"), with(&cy, "small cy"), with(&en, "small en")],
        ];
        assert_eq!(told(&recorder), want);
        assert_eq!(models[0].begun(), 1, "what it said of the partial stands");

        // Alone it is asked once, and with the others not again.
        recorder.forget();
        let before = models[2].begun();
        for is_alone in [true, false] {
            recorder.hear_alone(is_alone);
            recorder.goes_on(SoFar::default());
            worker.decode(&task(), &|| false).unwrap();
            assert_eq!(told(&recorder).len(), if is_alone { 1 } else { 3 });
        }
        assert_eq!(models[2].begun(), before + 3);
    }

    #[test]
    fn what_partials_have_told_stands_whoever_is_heard_in_the_end() {
        let models: Vec<Arc<dyn Decoder>> = ["one too", "one two three"]
            .map(|text| {
                let says = move |_: &Task| Ok(hypothesis(text, 0.5, 0.9));
                Arc::new(MockDecoder::new(text, says)) as _
            })
            .into();
        let gates = vec![crate::calibrate::Gate::SHUT];
        let recorder = Recorder::new(Arc::new(Cascade::gated(models, gates).unwrap()));
        let mut worker = recorder.open().expect("nothing is opened");
        let mut so_far = SoFar { turn: 3, start_s: 7.0, offset_s: 7.0, ..SoFar::default() };
        for _ in 0..2 {
            so_far.transcript.partial(&hypothesis("one too", 0.5, 0.9), 7.0);
        }
        recorder.goes_on(so_far);
        worker.decode(&task(), &|| false).unwrap();
        let piece = recorder.take().unwrap().remove(0);
        assert_eq!((piece.turn, piece.start_s, piece.seconds), (3, 7.0, 1.0));
        let texts: Vec<&str> = piece.said.iter().map(|all| &*all[0].text).collect();
        assert_eq!(texts, ["one too", "one too three"]);
        assert_eq!(piece.said[1][0].words[2].start_s, 8.0);

        // What was told as a part of its own before belongs to it, too.
        let mut so_far = SoFar::default();
        so_far.transcript.keep();
        for _ in 0..2 {
            so_far.transcript.partial(&hypothesis("zero and", 0.5, 0.9), 0.0);
        }
        so_far.transcript.part_off(5, 9.0).expect("there is more");
        recorder.goes_on(SoFar { offset_s: 1.0, ..so_far });
        worker.decode(&task(), &|| false).unwrap();
        let piece = recorder.take().unwrap().remove(0);
        assert_eq!(piece.said[1][0].text, "zero and one two three");
    }

    #[test]
    fn what_shall_end_understands_nothing_more() {
        let slow = MockDecoder::counting(0.5).taking(std::time::Duration::from_secs(60));
        let recorder = Recorder::new(Arc::new(Cascade::single(Arc::new(slow))));
        let mut worker = recorder.open().expect("nothing is opened");
        recorder.end();
        assert_eq!(worker.decode(&task(), &|| false).unwrap(), None);
    }
}
