//! How much of a model a piece of audio needs: positions of the encoder, tokens, and when to try again.

/// Positions of the encoder per second of audio.
const POSITIONS_PER_S: f64 = 50.0;
/// Beyond what the audio takes; without it words at the end get lost
/// (<https://github.com/ggml-org/whisper.cpp/issues/1855>).
const MARGIN: usize = 128;
/// Fewer positions make an unmodified model repeat itself
/// (<https://github.com/ggml-org/whisper.cpp/issues/1951>).
pub const FLOOR: usize = 256;
/// Positions come in blocks of that.
const BLOCK: usize = 64;

/// Positions of the encoder for so many seconds, for a model that has `most`: 1 500 for 30 s. Longer audio takes
/// several windows of all.
pub fn positions(seconds: f64, floor: usize, most: usize) -> usize {
    let needed = (seconds.max(0.0) * POSITIONS_PER_S).ceil().min(1e9) as usize + MARGIN;
    needed.max(floor).next_multiple_of(BLOCK).min(most)
}

/// Most tokens that so many seconds of speech can have: who speaks fast says 6 a second.
pub fn tokens_max(seconds: f64) -> usize {
    8 + (6.0 * seconds.clamp(0.0, 30.0)).ceil() as usize
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
        assert_eq!((tokens_max(0.0), tokens_max(2.5), tokens_max(300.0)), (8, 23, 188));
    }

    #[test]
    fn partials_come_less_often_where_they_cost_more() {
        assert_eq!((step_s(1.0, 0.1), step_s(1.0, 0.7)), (1.0, 3.0 * 0.7));
    }
}
