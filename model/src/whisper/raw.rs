//! [`Context`] and [`State`]: what of whisper.cpp's interface in C is used, and no more.
//!
//! whisper-rs wraps it as well, but always has whisper.cpp make the spectrogram, which cannot be stopped, and leaks a
//! language for every set of parameters.

// 6. A context is made by whisper.cpp, not null, used by nobody else, and freed once, with the last state, each of which
//    holds on to it. After it was loaded whisper.cpp only reads it, from however many threads.
// 7. A state is made for that context, not null, freed once, and used by one thread at a time, as its methods that change it
//    take it mutably. Segments and tokens are read between calls that make them, by numbers below their counts.
// 8. Strings of whisper.cpp end with a zero; those of tokens live as long as the context, those of languages for ever.
// 9. Parameters hold pointers that the caller keeps alive for the call: a prompt, a language of 8, callbacks and their data.

use std::{
    ffi::{CStr, CString, c_int, c_void},
    path::Path,
    ptr::{NonNull, null_mut},
    sync::Arc,
};

use whisper_rs::whisper_rs_sys as sys;

use sys::{whisper_context, whisper_full_params as Params, whisper_state, whisper_token};

/// A loaded model.
pub(super) struct Context(NonNull<whisper_context>);

// SAFETY: 6.
unsafe impl Send for Context {}
// SAFETY: 6.
unsafe impl Sync for Context {}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: 6.
        unsafe { sys::whisper_free(self.0.as_ptr()) }
    }
}

/// What a worker computes with.
pub(super) struct State {
    context: Arc<Context>,
    state: NonNull<whisper_state>,
}

// SAFETY: 7: it may be handed to another thread.
unsafe impl Send for State {}

impl Drop for State {
    fn drop(&mut self) {
        // SAFETY: 7.
        unsafe { sys::whisper_free_state(self.state.as_ptr()) }
    }
}

impl Context {
    /// Loads a file; nothing where whisper.cpp does not take it.
    pub(super) fn load(path: &Path) -> Option<Self> {
        let path = CString::new(path.as_os_str().as_encoded_bytes()).ok()?;
        // SAFETY: makes a plain structure.
        let mut how = unsafe { sys::whisper_context_default_params() };
        how.use_gpu = cfg!(target_os = "macos");
        // It attends to keys up to the next multiple of 256 without a mask: with a trimmed encoder to what an earlier
        // piece has left there, be it of another session.
        how.flash_attn = false;
        // SAFETY: the path ends with a zero.
        let made = unsafe { sys::whisper_init_from_file_with_params_no_state(path.as_ptr(), how) };
        NonNull::new(made).map(Self)
    }

    /// Something to compute with; nothing where there is no memory for it.
    pub(super) fn state(self: &Arc<Self>) -> Option<State> {
        // SAFETY: 6.
        let made = unsafe { sys::whisper_init_state(self.0.as_ptr()) };
        NonNull::new(made).map(|state| State { context: self.clone(), state })
    }

    /// Sizes and special tokens, by the function of whisper.cpp that tells them.
    fn number(&self, of: unsafe extern "C" fn(*mut whisper_context) -> c_int) -> c_int {
        // SAFETY: 6; these read one number.
        unsafe { of(self.0.as_ptr()) }
    }

    /// Words of the vocabulary.
    pub(super) fn words(&self) -> usize {
        self.number(sys::whisper_model_n_vocab).max(0) as usize
    }

    pub(super) fn positions(&self) -> usize {
        self.number(sys::whisper_model_n_audio_ctx).max(1) as usize
    }

    /// Tokens that the decoder reads, prompt and all.
    pub(super) fn text_positions(&self) -> usize {
        self.number(sys::whisper_model_n_text_ctx).max(0) as usize
    }

    pub(super) fn is_multilingual(&self) -> bool {
        self.number(sys::whisper_is_multilingual) != 0
    }

    pub(super) fn end_of_text(&self) -> whisper_token {
        self.number(sys::whisper_token_eot)
    }

    pub(super) fn first_time(&self) -> whisper_token {
        self.number(sys::whisper_token_beg)
    }

    /// The bytes of a token, which may end within a character.
    pub(super) fn bytes(&self, token: whisper_token) -> &[u8] {
        if !(0..self.number(sys::whisper_n_vocab)).contains(&token) {
            return &[];
        }
        // SAFETY: 6, 8; it is one of the vocabulary.
        unsafe {
            let text = sys::whisper_token_to_str(self.0.as_ptr(), token);
            if text.is_null() { &[] } else { CStr::from_ptr(text).to_bytes() }
        }
    }

    /// The tokens of a text.
    pub(super) fn tokens(&self, text: &str) -> Vec<whisper_token> {
        // Every character has fewer tokens than bytes.
        let mut tokens = vec![0; text.len() + 8];
        let Ok(text) = CString::new(text.replace('\0', " ")) else { return Vec::new() };
        let room = c_int::try_from(tokens.len()).unwrap_or(c_int::MAX);
        // SAFETY: 6, 8; there is room for as many as it is told.
        let count = unsafe {
            sys::whisper_tokenize(self.0.as_ptr(), text.as_ptr(), tokens.as_mut_ptr(), room)
        };
        tokens.truncate(usize::try_from(count).unwrap_or(0));
        tokens
    }
}

/// The number of a language that whisper.cpp knows by its code.
pub(super) fn language(code: &str) -> Option<c_int> {
    let text = CString::new(code).ok()?;
    // SAFETY: 8.
    let number = unsafe { sys::whisper_lang_id(text.as_ptr()) };
    (number >= 0).then_some(number)
}

/// Its code.
pub(super) fn code(language: c_int) -> Option<&'static CStr> {
    // SAFETY: 8.
    unsafe {
        let text = sys::whisper_lang_str(language);
        (!text.is_null()).then(|| CStr::from_ptr(text))
    }
}

/// Parameters by which one hypothesis is made, without a second look at what is unlikely.
pub(super) fn params() -> Params {
    // SAFETY: makes a plain structure.
    let mut params = unsafe {
        sys::whisper_full_default_params(sys::whisper_sampling_strategy_WHISPER_SAMPLING_GREEDY)
    };
    params.n_threads = 1;
    params.greedy.best_of = 1;
    params.no_context = true;
    params.temperature = 0.0;
    params.temperature_inc = 0.0;
    params.print_progress = false;
    params.print_realtime = false;
    params.print_special = false;
    params.print_timestamps = false;
    params
}

/// A segment of what was understood: its span in hundredths of a second, and its tokens.
pub(super) struct Segment {
    pub(super) span: (i64, i64),
    pub(super) tokens: Vec<sys::whisper_token_data>,
}

impl State {
    /// Lets it hear that spectrogram of so many frames, band by band.
    pub(super) fn hear(&mut self, mel: &[f32], frames: usize, bands: usize) -> bool {
        assert_eq!(mel.len(), frames * bands, "a spectrogram has all bands of all frames");
        let (frames, bands) = (frames as c_int, bands as c_int);
        let (context, state) = (self.context.0.as_ptr(), self.state.as_ptr());
        // SAFETY: 6, 7; it copies as many numbers as were counted.
        unsafe { sys::whisper_set_mel_with_state(context, state, mel.as_ptr(), frames, bands) == 0 }
    }

    /// Understands what it hears.
    ///
    /// # Safety
    /// What the parameters point to lives and is what they say, 9.
    pub(super) unsafe fn full(&mut self, params: Params) -> Result<(), c_int> {
        let (context, state) = (self.context.0.as_ptr(), self.state.as_ptr());
        // SAFETY: 6, 7, 9; without samples it takes the spectrogram that it hears.
        match unsafe { sys::whisper_full_with_state(context, state, params, std::ptr::null(), 0) } {
            0 => Ok(()),
            code => Err(code),
        }
    }

    /// Has it take so many positions of its encoder from now on, which nothing but the beginning of [`State::full`]
    /// does.
    pub(super) fn trim(&mut self, positions: c_int, duration_ms: c_int) {
        unsafe extern "C" fn no_more(
            _: *mut whisper_context,
            _: *mut whisper_state,
            _: *mut c_void,
        ) -> bool {
            false
        }
        let mut params = params();
        params.audio_ctx = positions;
        params.duration_ms = duration_ms;
        params.language = c"en".as_ptr();
        params.encoder_begin_callback = Some(no_more);
        params.encoder_begin_callback_user_data = null_mut();
        // SAFETY: 9: it points to nothing but a text of this program.
        let _ = unsafe { self.full(params) };
    }

    /// Which language it hears, and how likely that is.
    pub(super) fn language(&mut self) -> Result<(c_int, f32), c_int> {
        // SAFETY: a number of whisper.cpp.
        let most = unsafe { sys::whisper_lang_max_id() };
        let mut likely = vec![0.0; most.max(0) as usize + 1];
        let (context, state) = (self.context.0.as_ptr(), self.state.as_ptr());
        // SAFETY: 6, 7; there is room for all languages.
        let found = unsafe {
            sys::whisper_lang_auto_detect_with_state(context, state, 0, 1, likely.as_mut_ptr())
        };
        let at = usize::try_from(found).map_err(|_| found)?;
        Ok((found, likely.get(at).copied().unwrap_or(0.0)))
    }

    /// What was understood last.
    pub(super) fn segments(&self) -> impl Iterator<Item = Segment> {
        let state = self.state.as_ptr();
        // SAFETY: 7.
        let count = unsafe { sys::whisper_full_n_segments_from_state(state) };
        (0..count).map(move |number| {
            // SAFETY: 7.
            unsafe {
                let tokens = sys::whisper_full_n_tokens_from_state(state, number);
                let token = |at| sys::whisper_full_get_token_data_from_state(state, number, at);
                Segment {
                    span: (
                        sys::whisper_full_get_segment_t0_from_state(state, number),
                        sys::whisper_full_get_segment_t1_from_state(state, number),
                    ),
                    tokens: (0..tokens).map(token).collect(),
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcription::languages::LANGUAGES;

    #[test]
    fn the_languages_are_those_of_whisper() {
        for (number, (known, _)) in (0..).zip(LANGUAGES) {
            assert_eq!(language(known), Some(number), "{known}");
            assert_eq!(code(number).unwrap().to_str(), Ok(known));
        }
        assert!(code(LANGUAGES.len() as c_int).is_none() && language("xx").is_none());
    }
}
