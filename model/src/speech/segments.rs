//! [`Segments`]: what was spoken, each stretch once it is over.
//!
//! The rule of Silero's `get_speech_timestamps`, chunk by chunk instead of over a whole recording: a segment begins with
//! the first chunk at or above the threshold. A pause begins with the first chunk below the lower level and is over
//! with the next at or above the threshold; the chunk below the lower level that begins `silence_ns` or more behind the
//! beginning of the pause ends the segment there. What is not longer than `speech_ns` is none. Both ends are moved out by `pad_ns`, but not
//! into another segment.
//!
//! One thing is added, as nothing here may grow for ever: a pause between both levels ends a segment after
//! [`HOVER_NS`] more. Silero would wait for a chunk below the lower level.

use engine::Fault;

use super::{Chunk, Levels, Mean, state::State};

/// How long a probability may stay between both levels.
pub const HOVER_NS: i64 = 1_000_000_000;

/// When a segment is one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SegmentRule {
    /// What is speech.
    pub levels: Levels,
    /// A pause that ends a segment.
    pub silence_ns: i64,
    /// What is no longer is no segment.
    pub speech_ns: i64,
    /// By so much both ends are moved out.
    pub pad_ns: i64,
}

impl SegmentRule {
    /// How far before the end of the newest chunk a segment may end that is told with it.
    pub const fn look_back_ns(&self, chunk_ns: i64) -> i64 {
        self.silence_ns + HOVER_NS + 2 * chunk_ns
    }
}

/// A stretch of speech that is over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Segment {
    /// Its number, from 0.
    pub number: i64,
    /// Its first moment, and the first behind it.
    pub start_ns: i64,
    /// See `start_ns`.
    pub end_ns: i64,
    /// The mean of its chunks.
    pub probability: f64,
}

/// Finds segments. See the module.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Segments {
    open: Option<Open>,
    number: i64,
    /// Where the next may begin: behind the one before, and not before the stream does.
    free_ns: Option<i64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Open {
    start_ns: i64,
    pause_ns: Option<i64>,
    mean: Mean,
    /// Since the pause began.
    pause_mean: Mean,
}

impl Segments {
    /// None so far.
    pub const NONE: Self = Self { open: None, number: 0, free_ns: None };

    /// Takes a chunk; gives the segment that is over with it.
    pub fn hear(&mut self, chunk: Chunk, rule: &SegmentRule) -> Option<Segment> {
        self.free_ns.get_or_insert(chunk.start_ns);
        let is_speech = rule.levels.is_speech(chunk);
        let Some(open) = &mut self.open else {
            if is_speech {
                let mut open = Open { start_ns: chunk.start_ns, ..Open::default() };
                open.mean.add(chunk);
                self.open = Some(open);
            }
            return None;
        };
        if is_speech {
            open.mean.merge(std::mem::take(&mut open.pause_mean));
            open.pause_ns = None;
            open.mean.add(chunk);
            return None;
        }
        let is_none = rule.levels.is_none(chunk);
        if open.pause_ns.is_none() && !is_none {
            open.mean.add(chunk);
            return None;
        }
        let pause_ns = *open.pause_ns.get_or_insert(chunk.start_ns);
        open.pause_mean.add(chunk);
        let lasted = chunk.start_ns - pause_ns;
        let is_over =
            (is_none && lasted >= rule.silence_ns) || lasted >= rule.silence_ns + HOVER_NS;
        if is_over { self.close(pause_ns, chunk.end_ns, rule) } else { None }
    }

    /// The stream ends, or what follows is missing: gives the segment that is open. It ends there, whatever pause there
    /// was.
    pub fn end(&mut self, at_ns: i64, rule: &SegmentRule) -> Option<Segment> {
        let segment = self.close(at_ns, at_ns, rule);
        self.free_ns = None;
        segment
    }

    /// No segment that is still to be told ends before this moment, if all chunks until `until_ns` were heard.
    pub fn bound_ns(&self, until_ns: i64) -> i64 {
        self.open.and_then(|open| open.pause_ns).unwrap_or(until_ns)
    }

    /// Whether there was one.
    pub const fn has_found(&self) -> bool {
        self.number > 0
    }

    fn close(&mut self, end_ns: i64, limit_ns: i64, rule: &SegmentRule) -> Option<Segment> {
        let open = self.open.take()?;
        if end_ns - open.start_ns <= rule.speech_ns {
            return None;
        }
        let free_ns = self.free_ns.unwrap_or(open.start_ns);
        let segment = Segment {
            number: self.number,
            start_ns: (open.start_ns - rule.pad_ns).max(free_ns),
            end_ns: (end_ns + rule.pad_ns).min(limit_ns),
            probability: open.mean.value(),
        };
        self.number += 1;
        self.free_ns = Some(segment.end_ns);
        Some(segment)
    }

    pub(super) fn visit(&mut self, state: &mut State<'_>) -> Result<(), Fault> {
        let (mut is_open, mut open) = (self.open.is_some(), self.open.unwrap_or_default());
        state.bool(&mut is_open)?;
        state.i64(&mut open.start_ns)?;
        state.time(&mut open.pause_ns)?;
        open.mean.visit(state)?;
        open.pause_mean.visit(state)?;
        self.open = is_open.then_some(open);
        state.i64(&mut self.number)?;
        state.time(&mut self.free_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;
    const RULE: SegmentRule = SegmentRule {
        levels: Levels { threshold: 0.5, low: 0.35 },
        silence_ns: 100 * MS,
        speech_ns: 250 * MS,
        pad_ns: 30 * MS,
    };

    /// Segments in milliseconds, of chunks of 32 ms.
    fn found(script: &[(f32, usize)]) -> Vec<(i64, i64)> {
        let mut segments = Segments::NONE;
        let mut told = Vec::new();
        let all = script.iter().flat_map(|&(p, count)| std::iter::repeat_n(p, count));
        let mut until = 0;
        for probability in all {
            let chunk = Chunk { start_ns: until, end_ns: until + 32 * MS, probability };
            until = chunk.end_ns;
            let bound = segments.bound_ns(chunk.start_ns);
            let heard = segments.hear(chunk, &RULE);
            assert!(heard.is_none_or(|segment| segment.end_ns >= bound), "{heard:?}, {bound}");
            told.extend(heard);
            assert!(until - segments.bound_ns(until) <= RULE.look_back_ns(32 * MS));
        }
        told.extend(segments.end(until, &RULE));
        told.iter().map(|segment| (segment.start_ns / MS, segment.end_ns / MS)).collect()
    }

    #[test]
    fn a_pause_splits_once_a_chunk_begins_so_long_behind_its_beginning() {
        // 10 chunks of speech from 320 to 640; the fifth chunk of the pause begins 128 ms behind it.
        assert_eq!(
            found(&[(0.0, 10), (0.9, 10), (0.0, 5), (0.9, 10), (0.0, 9)]),
            [(290, 670), (770, 1150)]
        );
        assert_eq!(found(&[(0.0, 10), (0.9, 10), (0.0, 4), (0.9, 10), (0.0, 9)]), [(290, 1118)]);
    }

    #[test]
    fn between_the_levels_it_stays_what_it_was() {
        assert_eq!(found(&[(0.4, 20)]), []);
        assert_eq!(found(&[(0.9, 10), (0.4, 20), (0.9, 1), (0.0, 9)]), [(0, 1022)]);
        // In a pause only what is below both levels ends it, but not for ever.
        assert_eq!(found(&[(0.9, 10), (0.0, 1), (0.4, 10), (0.9, 10), (0.0, 9)]), [(0, 1022)]);
        assert_eq!(
            found(&[(0.9, 10), (0.0, 1), (0.4, 60), (0.9, 10), (0.0, 9)]),
            [(0, 350), (2242, 2622)]
        );
    }

    #[test]
    fn what_is_short_is_none_and_numbers_count_those_that_are() {
        // 7 chunks are 224 ms, 8 are 256.
        assert_eq!(found(&[(0.9, 7), (0.0, 9)]), []);
        assert_eq!(found(&[(0.9, 8), (0.0, 9)]), [(0, 286)]);
    }

    #[test]
    fn the_end_of_the_stream_ends_a_segment_in_the_middle_of_a_pause() {
        assert_eq!(found(&[(0.0, 3), (0.9, 10), (0.0, 3)]), [(66, 512)]);
    }

    #[test]
    fn nan_is_neither_speech_nor_silence() {
        assert_eq!(found(&[(f32::NAN, 20)]), []);
        assert_eq!(found(&[(0.9, 10), (f32::NAN, 20), (0.9, 1), (0.0, 9)]), [(0, 1022)]);
    }

    #[test]
    fn the_probability_is_the_mean_without_the_pause_at_the_end() {
        let mut segments = Segments::NONE;
        let script = [0.5, 0.7, 0.9, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.1, 0.1, 0.1, 0.1, 0.1];
        let told = script.iter().enumerate().find_map(|(n, &probability)| {
            let start_ns = n as i64 * 32 * MS;
            segments.hear(Chunk { start_ns, end_ns: start_ns + 32 * MS, probability }, &RULE)
        });
        // Nine numbers of f32 with a mean of 0.7.
        assert!((told.expect("over").probability - 0.7).abs() < 1e-6);
    }
}
