//! Whisper models, run by whisper.cpp; built with the feature `whisper`.
//!
//! whisper.cpp is named here, in `raw.rs`, in `stop.rs` and in `products` alone. The spectrogram that it hears is made here (`mel.rs`),
//! ten times as fast and so that it can be stopped, and so are the times of words (`times.rs`).

#![expect(unsafe_code, reason = "callbacks of a C library")]

// 1. `Steered` outlives the call of `full` that it is handed to: it lies on the stack below it. whisper.cpp calls back
//    on the same thread, within that call alone.
// 2. whisper.cpp hands the callback the logits of one position: as many numbers as the vocabulary has words, which
//    `n_vocab` was read from the same model; and the tokens sampled so far, as many as it says.

mod mel;
#[cfg(target_arch = "x86_64")]
mod products;
mod raw;
mod stop;
mod times;

use std::{
    cell::Cell,
    ffi::{CStr, c_int, c_void},
    fs::File,
    path::Path,
    slice,
    sync::{Arc, Once},
};

use engine::Fault;
use whisper_rs::{
    WhisperTokenData, WhisperTokenId, install_logging_hooks,
    whisper_rs_sys::{whisper_context, whisper_state},
};

use crate::transcription::{
    Decoder, Decoding, Hypothesis, RATE_HZ, Task, Word,
    budget::{PROMPT_TOKENS_MAX, TOKENS_PER_S_MAX, positions, tokens_max},
    hypothesis::geometric_mean,
    model_file::mel_filters,
    repeats::loop_from,
};

use mel::{Filters, Mel};
use raw::{Context, State};
use times::{Clock, Loudness, Token};

/// The shortest audio that whisper.cpp looks at, in samples; shorter pieces get silence behind them.
const SAMPLES_MIN: usize = RATE_HZ as usize / 5;

/// A loaded model.
pub struct Whisper {
    name: String,
    content: u64,
    context: Arc<Context>,
    filters: Arc<Filters>,
}

impl Whisper {
    /// Loads the model of a file that [`ModelFile`](crate::transcription::model_file::ModelFile) has found to be whole.
    ///
    /// # Errors
    /// If this processor lacks what whisper.cpp was built for, or whisper.cpp refuses the file.
    pub fn load(name: &str, path: &Path, content: u64) -> Result<Self, Fault> {
        static QUIET: Once = Once::new();
        QUIET.call_once(install_logging_hooks);
        if let Some(missing) = stop::missing_feature() {
            return Err(Fault::new(format!(
                "whisper.cpp was built for processors with {missing}, which this one lacks; build with GGML_AVX2=OFF \
                 GGML_FMA=OFF GGML_F16C=OFF GGML_BMI2=OFF"
            )));
        }
        stop::install();
        #[cfg(target_arch = "x86_64")]
        products::device::install();
        let file = File::open(path).map_err(|error| Fault::io("cannot open it", error))?;
        let (bands, weights) =
            mel_filters(file).map_err(|error| Fault::io("it has no mel filters", error))?;
        let context =
            Context::load(path).ok_or_else(|| Fault::data("whisper.cpp cannot load it"))?;
        let filters = Arc::new(Filters::new(bands, &weights));
        Ok(Self { name: name.to_owned(), content, context: Arc::new(context), filters })
    }

    /// Whether what runs can be stopped between two steps of the computation, rather than after the whole encoder.
    pub fn stops_soon() -> bool {
        stop::install()
    }

    /// Products of matrices so far, of all models, that were computed here rather than by whisper.cpp; it keeps to
    /// itself what is quantised, and all of them on processors for which nothing better is at hand.
    pub fn products() -> u64 {
        #[cfg(target_arch = "x86_64")]
        return products::device::products();
        #[cfg(not(target_arch = "x86_64"))]
        0
    }

    /// Has whisper.cpp compute everything that `run` asks for on this thread: to compare with.
    pub fn by_itself<T>(run: impl FnOnce() -> T) -> T {
        #[cfg(target_arch = "x86_64")]
        return products::device::refusing(run);
        #[cfg(not(target_arch = "x86_64"))]
        run()
    }
}

impl Decoder for Whisper {
    fn name(&self) -> &str {
        &self.name
    }

    fn content(&self) -> u64 {
        self.content
    }

    fn is_multilingual(&self) -> bool {
        self.context.is_multilingual()
    }

    fn open(&self) -> Result<Box<dyn Decoding>, Fault> {
        let state = self
            .context
            .state()
            .ok_or_else(|| Fault::new("whisper.cpp has no memory to work in"))?;
        Ok(Box::new(Worker {
            name: self.name.clone(),
            content: self.content,
            context: self.context.clone(),
            state,
            mel: Mel::new(self.filters.clone()),
            bands: self.filters.len(),
            audio: Vec::new(),
        }))
    }
}

/// A worker's state of a model.
struct Worker {
    name: String,
    content: u64,
    context: Arc<Context>,
    state: State,
    mel: Mel,
    bands: usize,
    /// Audio that was too short, with silence behind it, or too loud.
    audio: Vec<f32>,
}

/// What happens between two tokens.
struct Steered {
    /// Words of the vocabulary.
    words: usize,
    end_of_text: WhisperTokenId,
    /// The first moment; others follow in steps of 20 ms.
    first_time: WhisperTokenId,
    /// The moment at which the audio ends.
    last_time: WhisperTokenId,
    /// Most tokens that the audio can have.
    most: usize,
    /// Most tokens that the model says about one window.
    at_once: usize,
    exactly: Option<usize>,
    looped: Cell<bool>,
    capped: Cell<bool>,
}

impl Steered {
    /// Changes how likely each next token is.
    fn steer(&self, said: &[WhisperTokenData], logits: &mut [f32]) {
        let is_time = |token: WhisperTokenId| token >= self.first_time;
        let allow = |logits: &mut [f32], only: WhisperTokenId| {
            logits.fill(f32::NEG_INFINITY);
            if let Some(logit) = logits.get_mut(only as usize) {
                *logit = 0.0;
            }
        };
        if let Some(count) = self.exactly {
            if said.len() < count {
                logits[self.end_of_text as usize..].fill(f32::NEG_INFINITY);
                return;
            }
        } else if said.len() < self.most {
            let texts: Vec<WhisperTokenId> =
                said.iter().rev().take_while(|it| !is_time(it.id)).map(|it| it.id).collect();
            // A loop is one in either direction.
            if loop_from(&texts.into_iter().rev().collect::<Vec<_>>()).is_none() {
                return;
            }
            self.looped.set(true);
        } else if self.most >= self.at_once {
            return self.go_on(said, logits);
        } else if said.last().is_some_and(|last| !is_time(last.id)) {
            self.capped.set(true);
        }
        // A text ends with a moment, else it is not told; then it ends.
        let ends = said.last().is_some_and(|last| is_time(last.id));
        allow(logits, if ends { self.end_of_text } else { self.last_time });
    }

    /// Ends a window whose text goes on where the model says that this one ends: two moments in a row, behind which
    /// whisper.cpp has it say the rest. One alone would end all of it.
    fn go_on(&self, said: &[WhisperTokenData], logits: &mut [f32]) {
        let time = |back: usize| {
            let token = said.len().checked_sub(back).and_then(|at| said.get(at));
            token.map(|token| token.id).filter(|id| *id >= self.first_time)
        };
        // No language is so quick that less was said, and no window so short that there is no end of them.
        let least = self.first_time + (50 * self.at_once / TOKENS_PER_S_MAX) as WhisperTokenId;
        let (first, last) = match (time(1), time(2)) {
            (Some(one), Some(_)) if one >= least.min(self.last_time) => {
                (self.end_of_text, self.end_of_text)
            }
            (Some(one), _) => {
                let moment = one.max(least).min(self.last_time);
                (moment, moment)
            }
            (None, _) => {
                let before = said.iter().rev().map(|it| it.id).find(|id| *id >= self.first_time);
                (before.unwrap_or(least).max(least).min(self.last_time), self.last_time)
            }
        };
        for (id, logit) in logits.iter_mut().enumerate() {
            let id = id as WhisperTokenId;
            if id < first || id > last {
                *logit = f32::NEG_INFINITY;
            } else if first == last {
                *logit = 0.0;
            }
        }
    }
}

unsafe extern "C" fn steer(
    _: *mut whisper_context,
    _: *mut whisper_state,
    tokens: *const WhisperTokenData,
    count: c_int,
    logits: *mut f32,
    data: *mut c_void,
) {
    let Ok(count) = usize::try_from(count) else { return };
    if data.is_null() || logits.is_null() || (tokens.is_null() && count > 0) {
        return;
    }
    // SAFETY: 1.
    let steered = unsafe { &*data.cast::<Steered>() };
    // SAFETY: 2.
    let said = if count == 0 { &[] } else { unsafe { slice::from_raw_parts(tokens, count) } };
    // SAFETY: 2.
    let logits = unsafe { slice::from_raw_parts_mut(logits, steered.words) };
    steered.steer(said, logits);
}

/// A language, by its number and code, and how likely it is where it was found out.
struct Language {
    code: &'static CStr,
    likely: Option<f64>,
}

impl Worker {
    /// The language that was named, or that is heard, where the model knows several.
    fn language(
        &mut self,
        named: Option<&str>,
        trimmed: (c_int, c_int),
    ) -> Result<Language, Fault> {
        if !self.context.is_multilingual() {
            return Ok(Language { code: c"en", likely: None });
        }
        let (number, likely) = match named {
            Some(named) => {
                let unknown = || Fault::new(format!("Whisper knows no language `{named}`"));
                (raw::language(named).ok_or_else(unknown)?, None)
            }
            None => {
                self.state.trim(trimmed.0, trimmed.1);
                let (number, likely) = self.state.language().map_err(failed)?;
                (number, Some(f64::from(likely)))
            }
        };
        Ok(Language { code: raw::code(number).unwrap_or(c"en"), likely })
    }

    /// What was understood of that audio.
    fn said(
        &self,
        audio: &[f32],
        (looped, capped): (bool, bool),
        language: &Language,
    ) -> Hypothesis {
        let (end_of_text, first_time) = (self.context.end_of_text(), self.context.first_time());
        let sound = Loudness::of(audio);
        // What was forced to end may do so behind it.
        let len = (audio.len() * 100).div_ceil(RATE_HZ as usize) as i64;
        let mut count = 0;
        let mut clock = Clock::default();
        let mut window = 0;
        let mut segment_ends_s = Vec::new();
        let mut tokens: Vec<(WhisperTokenData, &[u8])> = Vec::new();
        for mut segment in self.state.segments() {
            segment.span = (segment.span.0.min(len), segment.span.1.min(len));
            count += segment.tokens.len();
            let moment = |token: WhisperTokenId| 2 * i64::from(token - first_time);
            // A window begins with a moment, which may be later than its beginning.
            if let Some(first) = segment.tokens.first().filter(|token| token.id >= first_time) {
                clock.window();
                window = segment.span.0 - moment(first.id);
            }
            let texts = segment.tokens.iter().filter(|token| token.id < end_of_text);
            let texts: Vec<_> = texts.map(|token| (*token, self.context.bytes(token.id))).collect();
            let said: Vec<Token> = texts
                .iter()
                .map(|(token, bytes)| Token {
                    moment: moment(token.tid).max(0),
                    likely: (token.pt, token.ptsum),
                    weight: times::weight(bytes),
                })
                .collect();
            let times = clock.times(&said, (segment.span.0, segment.span.1, window), &sound);
            for ((token, bytes), (t0, t1)) in texts.into_iter().zip(times) {
                tokens
                    .push((WhisperTokenData { t0: t0.min(len), t1: t1.min(len), ..token }, bytes));
            }
            segment_ends_s.push(segment.span.1.max(0) as f64 / 100.0);
        }
        if looped {
            let ids: Vec<WhisperTokenId> = tokens.iter().map(|(data, _)| data.id).collect();
            tokens.truncate(loop_from(&ids).unwrap_or(ids.len()));
        }
        let mut words: Vec<Word> = Vec::new();
        let mut spelled = Spelled::default();
        for (data, bytes) in &tokens {
            spelled.push(data, bytes, &mut words);
        }
        spelled.finish(&mut words);
        let confidence = geometric_mean(tokens.iter().map(|(data, _)| f64::from(data.p)));
        Hypothesis {
            words,
            segment_ends_s,
            language: language.code.to_string_lossy().into_owned(),
            language_p: language.likely,
            confidence,
            model: self.name.clone(),
            looped,
            tokens: count,
            capped,
            cost_s: 0.0,
        }
    }
}

fn failed(code: c_int) -> Fault {
    Fault::new(format!("whisper.cpp has failed with {code}"))
}

/// Puts words together from parts of words, which may end within a character.
#[derive(Default)]
struct Spelled {
    bytes: Vec<u8>,
    probabilities: Vec<f64>,
    span_s: (f64, f64),
}

impl Spelled {
    fn push(&mut self, data: &WhisperTokenData, bytes: &[u8], words: &mut Vec<Word>) {
        let whole = std::str::from_utf8(&self.bytes).is_ok();
        if whole && !self.bytes.is_empty() && begins_word(bytes) {
            self.finish(words);
        }
        let seconds = |hundredths: i64| hundredths.max(0) as f64 / 100.0;
        if self.bytes.is_empty() {
            self.span_s.0 = seconds(data.t0);
        }
        self.span_s.1 = seconds(data.t1).max(self.span_s.0);
        self.bytes.extend_from_slice(bytes);
        self.probabilities.push(f64::from(data.p));
    }

    fn finish(&mut self, words: &mut Vec<Word>) {
        let text = String::from_utf8_lossy(&self.bytes).into_owned();
        let probabilities = std::mem::take(&mut self.probabilities);
        self.bytes.clear();
        if text.trim().is_empty() {
            return;
        }
        let (start_s, end_s) = self.span_s;
        let probability = geometric_mean(probabilities);
        words.push(Word { start_s, end_s, text, probability });
    }
}

/// Whether a part begins a word: with a space, or in a script that has none between words.
fn begins_word(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let is_without_spaces = |c: char| matches!(c, '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}');
    text.chars().next().is_some_and(|c| c == ' ' || is_without_spaces(c))
}

impl Decoding for Worker {
    fn decode(
        &mut self,
        task: &Task,
        stops: &dyn Fn() -> bool,
    ) -> Result<Option<Hypothesis>, Fault> {
        let polled = stop::Polled::new(stops);
        let prompt = match task.prompt.trim() {
            "" => Vec::new(),
            text => self.context.tokens(&format!(" {text}")),
        };
        let prompt = &prompt[prompt.len().saturating_sub(PROMPT_TOKENS_MAX)..];
        // Taken out, as the worker is changed meanwhile.
        let mut padded = std::mem::take(&mut self.audio);
        let is_whole = task.audio.iter().all(|x| x.abs() <= 1.0);
        let audio: &[f32] = if task.audio.len() < SAMPLES_MIN || !is_whole {
            padded.clear();
            // Beyond full scale there is nothing, and what is no number is silence.
            padded.extend(
                task.audio.iter().map(|x| if x.is_nan() { 0.0 } else { x.clamp(-1.0, 1.0) }),
            );
            padded.resize(task.audio.len().max(SAMPLES_MIN), 0.0);
            &padded
        } else {
            &task.audio
        };
        let done = self.understand(audio, task, prompt, &polled);
        self.audio = padded;
        if polled.has_stopped() { Ok(None) } else { done }
    }
}

impl Worker {
    fn understand(
        &mut self,
        audio: &[f32],
        task: &Task,
        prompt: &[WhisperTokenId],
        polled: &stop::Polled<'_>,
    ) -> Result<Option<Hypothesis>, Fault> {
        let seconds = audio.len() as f64 / f64::from(RATE_HZ);
        let context = positions(seconds, task.way.floor, self.context.positions());
        // The last window may begin with the last frame.
        let Some(mel) = self.mel.of(audio, 2 * context, || polled.stops()) else {
            return Ok(None);
        };
        if !self.state.hear(mel, mel.len() / self.bands, self.bands) {
            return Err(Fault::new("whisper.cpp hears other bands than its file says"));
        }
        // Hundredths of a second are frames.
        let (context, duration_ms) = (context as c_int, 10 * Mel::frames(audio.len()) as c_int);
        let named = task.way.language.as_deref();
        let language = polled.during(|| self.language(named, (context, duration_ms)))?;
        let first_time = self.context.first_time();
        // Half hundredths: moments come in steps of 20 ms, up to 30 s.
        let last = ((50.0 * seconds).ceil() as i64).clamp(1, 1_500) as WhisperTokenId;
        // As whisper.cpp has it, less two moments and the end.
        let at_once = (self.context.text_positions() / 2).saturating_sub(4 + 3);
        let steered = Steered {
            words: self.context.words(),
            end_of_text: self.context.end_of_text(),
            first_time,
            last_time: first_time + last,
            most: tokens_max(seconds, &language.code.to_string_lossy(), at_once),
            at_once,
            exactly: task.way.tokens,
            looped: Cell::new(false),
            capped: Cell::new(false),
        };
        let mut params = raw::params();
        params.language = language.code.as_ptr();
        params.translate = task.way.translates;
        params.duration_ms = duration_ms;
        params.audio_ctx = context;
        params.prompt_tokens = prompt.as_ptr();
        params.prompt_n_tokens = prompt.len() as c_int;
        params.logits_filter_callback = Some(steer);
        params.logits_filter_callback_user_data = (&raw const steered).cast_mut().cast();
        polled.watch(&mut params);
        // SAFETY: 1, and `polled` lies below this call, too; the prompt does as well.
        polled.during(|| unsafe { self.state.full(params) }).map_err(failed)?;
        let how = (steered.looped.get(), steered.capped.get());
        Ok(Some(self.said(audio, how, &language)))
    }
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("content", &self.content).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: WhisperTokenId = 300;
    const TIMES: WhisperTokenId = 301;

    /// What is said by a model that would never stop, and thinks that it has said it up to that moment.
    fn said(
        most: usize,
        at_once: usize,
        exactly: Option<usize>,
        moment: usize,
    ) -> (Vec<i32>, bool) {
        let steered = Steered {
            words: TIMES as usize + 1_501,
            end_of_text: END,
            first_time: TIMES,
            last_time: TIMES + 1_400,
            most,
            at_once,
            exactly,
            looped: Cell::new(false),
            capped: Cell::new(false),
        };
        let mut said: Vec<WhisperTokenData> = Vec::new();
        while said.last().is_none_or(|last| last.id != END) {
            assert!(said.len() < 1_000, "it has no end");
            let mut logits = vec![0.0; steered.words];
            // No loop: each word follows another one.
            for (at, logit) in logits[TIMES as usize..].iter_mut().enumerate() {
                *logit = 5.0 - 1e-3 * (at as f32 - moment as f32).abs();
            }
            let next = if said.is_empty() { TIMES as usize } else { said.len() * 7 % 293 };
            logits[next] = 9.0;
            steered.steer(&said, &mut logits);
            let best = logits.iter().enumerate().max_by(|one, other| one.1.total_cmp(other.1));
            let id = best.unwrap().0 as WhisperTokenId;
            // SAFETY: numbers, of which zero is one.
            said.push(WhisperTokenData { id, ..unsafe { std::mem::zeroed() } });
        }
        (said.iter().map(|it| it.id).collect(), steered.capped.get())
    }

    #[test]
    fn a_text_that_is_too_long_ends_with_the_audio_and_says_so() {
        let (ids, capped) = said(40, 217, None, 700);
        assert_eq!((ids.len(), capped), (42, true));
        assert_eq!(ids[40..], [TIMES + 1_400, END]);
        // As many as asked for are neither.
        let (ids, capped) = said(40, 217, Some(12), 700);
        assert_eq!((ids.len(), capped), (14, false));
    }

    #[test]
    fn where_a_model_cannot_say_more_at_once_the_rest_is_another_window() {
        for (moment, goes_on) in [(700, 700), (10, 217), (1_450, 1_400)] {
            let (ids, capped) = said(217, 217, None, moment);
            assert_eq!((ids.len(), capped), (220, false));
            assert_eq!(ids[217..], [TIMES + goes_on, TIMES + goes_on, END], "{moment}");
        }
    }
}
