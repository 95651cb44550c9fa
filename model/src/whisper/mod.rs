//! Whisper models, run by whisper.cpp; built with the feature `whisper`.
//!
//! whisper-rs is named here and in `stop.rs` alone. What it would leak (a language for every call, a prompt) is made
//! once for each worker; its callback for stopping, which is unsound for closures that hold something, is not used.

#![expect(unsafe_code, reason = "callbacks of a C library")]

// 1. `Steered` outlives the call of `full` that it is handed to: it lies on the stack below it. whisper.cpp calls back
//    on the same thread, within that call alone.
// 2. whisper.cpp hands the callback the logits of one position: as many numbers as the vocabulary has words, which
//    `n_vocab` was read from the same model; and the tokens sampled so far, as many as it says.

mod stop;

use std::{
    cell::Cell,
    collections::HashMap,
    ffi::{c_int, c_void},
    path::Path,
    slice,
    sync::{Arc, Once},
};

use engine::Fault;
use whisper_rs::{
    FullParams, SamplingStrategy, WhisperContext, WhisperContextParameters, WhisperState,
    WhisperTokenData, WhisperTokenId, get_lang_id, get_lang_str, install_logging_hooks,
    whisper_rs_sys::{whisper_context, whisper_state},
};

use crate::transcription::{
    Decoder, Decoding, Hypothesis, RATE_HZ, Task, Word,
    budget::{positions, tokens_max},
    hypothesis::geometric_mean,
    repeats::loop_from,
};

/// The shortest audio that whisper.cpp looks at, in samples; shorter pieces get silence behind them.
const SAMPLES_MIN: usize = RATE_HZ as usize / 5;
/// Most tokens of a prompt: half of what a model reads.
const PROMPT_TOKENS_MAX: usize = 223;

/// A loaded model.
pub struct Whisper {
    name: String,
    content: u64,
    context: Arc<WhisperContext>,
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
        let mut how = WhisperContextParameters::new();
        how.use_gpu(cfg!(target_os = "macos"));
        let context = WhisperContext::new_with_params(path, how)
            .map_err(|error| Fault::data(format!("whisper.cpp cannot load it: {error}")))?;
        Ok(Self { name: name.to_owned(), content, context: Arc::new(context) })
    }

    /// Whether what runs can be stopped between two steps of the computation, rather than after the whole encoder.
    pub fn stops_soon() -> bool {
        stop::install()
    }
}

impl Decoder for Whisper {
    fn name(&self) -> &str {
        &self.name
    }

    fn content(&self) -> u64 {
        self.content
    }

    fn open(&self) -> Result<Box<dyn Decoding>, Fault> {
        let state = self.context.create_state().map_err(|error| {
            Fault::new(format!("whisper.cpp has no memory to work in: {error}"))
        })?;
        let context = self.context.clone();
        Ok(Box::new(Worker {
            name: self.name.clone(),
            content: self.content,
            context,
            state,
            templates: HashMap::new(),
            audio: Vec::new(),
        }))
    }
}

/// A worker's state of a model.
struct Worker {
    name: String,
    content: u64,
    context: Arc<WhisperContext>,
    state: WhisperState,
    /// Parameters by language, as setting one is never undone.
    templates: HashMap<Option<&'static str>, FullParams<'static, 'static>>,
    /// Audio that was too short, with silence behind it.
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
    most: usize,
    exactly: Option<usize>,
    looped: Cell<bool>,
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
        }
        // A text ends with a moment, else it is not told; then it ends.
        let ends = said.last().is_some_and(|last| is_time(last.id));
        allow(logits, if ends { self.end_of_text } else { self.last_time });
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

impl Worker {
    /// Parameters for a language; found out if it is none.
    fn params(&mut self, language: Option<&str>) -> Result<FullParams<'static, 'static>, Fault> {
        let language =
            match language {
                _ if !self.context.is_multilingual() => Some("en"),
                None => None,
                Some(named) => {
                    let known = get_lang_id(named).and_then(get_lang_str);
                    Some(known.ok_or_else(|| {
                        Fault::new(format!("Whisper knows no language `{named}`"))
                    })?)
                }
            };
        let template = self.templates.entry(language).or_insert_with(|| {
            let mut params = FullParams::new(SamplingStrategy::Greedy { best_of: 1 });
            params.set_n_threads(1);
            params.set_language(Some(language.unwrap_or("auto")));
            params.set_no_context(true);
            params.set_temperature(0.0);
            params.set_temperature_inc(0.0);
            params.set_token_timestamps(true);
            params.set_print_progress(false);
            params.set_print_realtime(false);
            params.set_print_special(false);
            params.set_print_timestamps(false);
            params
        });
        Ok(template.clone())
    }

    /// What was understood.
    fn said(&self, looped: bool) -> Hypothesis {
        let end_of_text = self.context.token_eot();
        let mut words: Vec<Word> = Vec::new();
        let mut segment_ends_s = Vec::new();
        let mut spelled = Spelled::default();
        let mut tokens = Vec::new();
        for segment in self.state.as_iter() {
            for number in 0..segment.n_tokens() {
                let Some(token) = segment.get_token(number) else { continue };
                let data = token.token_data();
                if data.id < end_of_text {
                    tokens.push((data, token.to_bytes().unwrap_or_default().to_vec()));
                }
            }
            segment_ends_s.push(segment.end_timestamp().max(0) as f64 / 100.0);
        }
        if looped {
            let ids: Vec<WhisperTokenId> = tokens.iter().map(|(data, _)| data.id).collect();
            tokens.truncate(loop_from(&ids).unwrap_or(ids.len()));
        }
        for (data, bytes) in &tokens {
            spelled.push(data, bytes, &mut words);
        }
        spelled.finish(&mut words);
        let confidence = geometric_mean(tokens.iter().map(|(data, _)| f64::from(data.p)));
        let language = get_lang_str(self.state.full_lang_id_from_state()).unwrap_or_default();
        Hypothesis {
            words,
            segment_ends_s,
            language: language.to_owned(),
            language_p: None,
            confidence,
            model: self.name.clone(),
            looped,
            cost_s: 0.0,
        }
    }
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
        let params = self.params(task.way.language.as_deref())?;
        let prompt = match task.prompt.trim() {
            "" => Vec::new(),
            // Every character has fewer tokens than bytes.
            text => self
                .context
                .tokenize(&format!(" {}", text.replace('\0', " ")), text.len() + 8)
                .unwrap_or_default(),
        };
        let prompt = &prompt[prompt.len().saturating_sub(PROMPT_TOKENS_MAX)..];
        let audio: &[f32] = if task.audio.len() < SAMPLES_MIN {
            self.audio.clear();
            self.audio.extend_from_slice(&task.audio);
            self.audio.resize(SAMPLES_MIN, 0.0);
            &self.audio
        } else {
            &task.audio
        };
        let seconds = audio.len() as f64 / f64::from(RATE_HZ);
        let most = self.context.model_n_audio_ctx().max(1) as usize;
        let first_time = self.context.token_beg();
        // Half hundredths: moments come in steps of 20 ms, up to 30 s.
        let last = ((50.0 * seconds).ceil() as i64).clamp(1, 1_500) as WhisperTokenId;
        let steered = Steered {
            words: self.context.model_n_vocab().max(0) as usize,
            end_of_text: self.context.token_eot(),
            first_time,
            last_time: first_time + last,
            most: tokens_max(seconds),
            exactly: task.way.tokens,
            looped: Cell::new(false),
        };
        let mut params = params;
        params.set_translate(task.way.translates);
        params.set_tokens(prompt);
        params.set_audio_ctx(positions(seconds, task.way.floor, most) as c_int);
        // SAFETY: 1.
        unsafe {
            params.set_filter_logits_callback(Some(steer));
            params.set_filter_logits_callback_user_data((&raw const steered).cast_mut().cast());
        }
        let polled = stop::Polled::new(stops);
        // SAFETY: 1, as `polled` lies beside `steered`.
        unsafe { polled.watch(&mut params) };
        let done = polled.during(|| self.state.full(params, audio));
        if polled.has_stopped() {
            return Ok(None);
        }
        done.map_err(|error| Fault::new(format!("whisper.cpp has failed: {error}")))?;
        Ok(Some(self.said(steered.looped.get())))
    }
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("content", &self.content).finish_non_exhaustive()
    }
}
