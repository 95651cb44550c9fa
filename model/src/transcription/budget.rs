//! How much of a model a piece of audio needs: positions of the encoder, tokens, and when to try again.

/// Positions of the encoder per second of audio.
const POSITIONS_PER_S: f64 = 50.0;
/// Beyond what the audio takes; without it words at the end get lost
/// (<https://github.com/ggml-org/whisper.cpp/issues/1855>).
const MARGIN: usize = 128;
/// Fewer positions make an unmodified model repeat itself
/// (<https://github.com/ggml-org/whisper.cpp/issues/1951>).
pub const FLOOR: usize = 256;
/// Most tokens of a prompt: half of what a model reads. Of a longer one the last count.
pub const PROMPT_TOKENS_MAX: usize = 223;
/// Positions come in blocks of that.
const BLOCK: usize = 64;

/// Positions of the encoder for so many seconds, for a model that has `most`: 1 500 for 30 s. Longer audio takes
/// several windows of all.
pub fn positions(seconds: f64, floor: usize, most: usize) -> usize {
    let needed = (seconds.max(0.0) * POSITIONS_PER_S).ceil().min(1e9) as usize + MARGIN;
    needed.max(floor).next_multiple_of(BLOCK).min(most)
}

/// Languages that are not written in Latin letters, or with many marks on them: a word of theirs is several times as many
/// tokens as one of English, as the vocabulary has few of their letters together, and of some each letter is several.
const MANY_TOKENS: &[&str] = &[
    "zh", "ru", "ko", "ja", "ar", "hi", "vi", "he", "uk", "el", "ta", "th", "ur", "bg", "ml", "te",
    "fa", "bn", "sr", "kn", "mk", "hy", "ne", "mn", "kk", "mr", "pa", "si", "km", "yo", "ka", "be",
    "tg", "sd", "gu", "am", "yi", "lo", "ps", "sa", "my", "bo", "as", "tt", "ba", "yue",
];
/// Tokens a second in Latin letters: read English has some 4, German 5; who speaks fast twice that.
const TOKENS_PER_S: f64 = 12.0;
/// Tokens that any audio may have, however short.
const TOKENS_MIN: usize = 16;
/// Tokens that take at least a second in any language: Burmese, which has most, has some 39.
pub const TOKENS_PER_S_MAX: usize = 50;

/// Most tokens that so many seconds of speech in that language can have, of a model that says `most` at once: that many
/// where the vocabulary has little of its letters.
pub fn tokens_max(seconds: f64, language: &str, most: usize) -> usize {
    if MANY_TOKENS.contains(&language) {
        return most;
    }
    most.min(TOKENS_MIN + (TOKENS_PER_S * seconds.clamp(0.0, 30.0)).ceil() as usize)
}

/// Seconds of new audio until the next partial: at least `step_s`, and three times what the last one took, so that
/// a session takes at most a third of a core.
pub fn step_s(step_s: f64, last_cost_s: f64) -> f64 {
    step_s.max(3.0 * last_cost_s)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_follow_the_audio_between_floor_and_all() {
        for (seconds, want) in [
            (0.0, 256),
            (1.0, 256),
            (2.0, 256),
            (5.0, 384),
            (10.0, 640),
            (28.0, 1_500),
            (1e12, 1_500),
        ] {
            assert_eq!(positions(seconds, FLOOR, 1_500), want, "{seconds} s");
        }
        // A model trained for it may have a lower floor.
        assert_eq!(positions(1.0, 64, 1_500), 192);
        assert_eq!(positions(-1.0, FLOOR, 100), 100);
    }

    #[test]
    fn tokens_are_capped_by_the_time_there_is() {
        let of = |seconds, language| tokens_max(seconds, language, 217);
        assert_eq!((of(0.0, "en"), of(2.5, "en"), of(300.0, "en")), (16, 46, 217));
        // Tokens a second as read, with the vocabulary of Whisper.
        for (language, per_s) in
            [("en", 3.6), ("el", 7.8), ("th", 11.0), ("ta", 12.0), ("hi", 17.0), ("my", 39.0)]
        {
            for seconds in [1.0, 2.0, 5.0] {
                assert!(of(seconds, language) as f64 >= 1.1 * per_s * seconds, "{language}");
            }
        }
        for code in MANY_TOKENS {
            assert!(crate::transcription::languages::is_known(code), "{code}");
        }
    }

    #[test]
    fn partials_come_less_often_where_they_cost_more() {
        assert_eq!((step_s(1.0, 0.1), step_s(1.0, 0.7)), (1.0, 3.0 * 0.7));
    }
}
