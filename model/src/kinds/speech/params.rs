//! The parameters of `speech`.

use engine::{AnyParam, Code, Diagnostic, Node, Param};

use crate::{
    kinds::absent::AbsentModel,
    speech::{Levels, listener::Rules, segments::SegmentRule, turns::TurnRule},
};

pub(super) const MODEL: Param<&str> = Param::optional(
    "model",
    "A model of Silero VAD, as in `[model.NAME]`, that hears speech in the place of the net in the program.",
);
pub(super) const TURN_MODEL: Param<&str> = Param::optional(
    "turn_model",
    "A model that takes the last seconds of sound and says how likely the turn is over, as in `[model.NAME]`.",
);
const THRESHOLD: Param<f64> =
    Param::with_default("threshold", 0.5, "From this probability on a chunk is speech.")
        .within(0.02, 0.99)
        .live();
const HYSTERESIS: Param<f64> = Param::with_default(
    "hysteresis",
    0.15,
    "So far below the threshold it must fall to be none again.",
)
.within(0.0, 0.9)
.live();
const TURN_THRESHOLD: Param<f64> = Param::optional(
    "turn_threshold",
    "From here on a chunk is speech to `turns`. Unless written `threshold`, and 0.1 above it where a `model` hears: fewer \
     turns begin where nobody speaks, some of them a chunk later.",
)
.within(0.01, 0.99)
.live();
const SEGMENT_SILENCE_MS: Param<f64> = Param::with_default(
    "segment_silence_ms",
    100.0,
    "A pause that ends a segment, as Silero has it.",
)
.within(0.0, 60_000.0);
const MIN_SPEECH_MS: Param<f64> = Param::with_default(
    "min_speech_ms",
    250.0,
    "What is no longer is no segment, as Silero has it.",
)
.within(0.0, 60_000.0)
.live();
const PAD_MS: Param<f64> =
    Param::with_default("pad_ms", 30.0, "By so much both ends of a segment are moved out.")
        .within(0.0, 5_000.0)
        .live();
/// How long before it is told a turn may begin, at most, in seconds: pre-roll, what must be speech before it begins, and a
/// second for the chunks and frames in between.
pub(crate) const LEAD_MAX_S: f64 = (PRE_ROLL_MAX_MS + START_MAX_MS) / 1e3 + 1.0;
const PRE_ROLL_MAX_MS: f64 = 10_000.0;
const START_MAX_MS: f64 = 5_000.0;
const START_MS: Param<f64> = Param::with_default(
    "start_ms",
    0.0,
    "So long it must be speech before a turn begins; one chunk at least.",
)
.within(0.0, START_MAX_MS)
.live();
const PRE_ROLL_MS: Param<f64> = Param::with_default(
    "pre_roll_ms",
    500.0,
    "So long before the first chunk of speech a turn begins, that no onset is clipped.",
)
.within(0.0, PRE_ROLL_MAX_MS)
.live();
const SPECULATE_MS: Param<f64> = Param::with_default(
    "speculate_ms",
    120.0,
    "After such a pause the end of a turn is likely, and \"speculate\" is told.",
)
.within(0.0, 60_000.0)
.live();
const MIN_SILENCE_MS: Param<f64> =
    Param::with_default("min_silence_ms", 550.0, "The pause that ends a turn.")
        .within(0.0, 60_000.0)
        .live();
const SHORT_SILENCE_MS: Param<f64> = Param::optional(
    "short_silence_ms",
    "The same where `long_speech_s` or more was spoken; `min_silence_ms` unless written.",
)
.within(0.0, 60_000.0)
.live();
const LONG_SPEECH_S: Param<f64> =
    Param::with_default("long_speech_s", 5.0, "From here on a turn is long.")
        .within(0.0, 3_600.0)
        .live();
const LONG_SILENCE_MS: Param<f64> = Param::optional(
    "long_silence_ms",
    "The same where less than `short_speech_s` was spoken: who has just begun often goes on. `min_silence_ms` unless \
     written.",
)
.within(0.0, 60_000.0)
.live();
const SHORT_SPEECH_S: Param<f64> =
    Param::with_default("short_speech_s", 0.6, "Below this a turn is short.")
        .within(0.0, 3_600.0)
        .live();
const MAX_TURN_S: Param<f64> = Param::with_default(
    "max_turn_s",
    30.0,
    "No turn is longer, pre-roll and all; who speaks on begins another.",
)
.within(1.0, 3_600.0)
.live();
const END_PROBABILITY: Param<f64> =
    Param::with_default("end_probability", 0.5, "What the `turn_model` must say for the end.")
        .within(0.0, 1.0)
        .live();
const SURE_SILENCE_MS: Param<f64> = Param::with_default(
    "sure_silence_ms",
    200.0,
    "The pause that ends a turn where the `turn_model` says it is the end.",
)
.within(0.0, 60_000.0)
.live();
const HARD_STOP_MS: Param<f64> = Param::with_default(
    "hard_stop_ms",
    3_000.0,
    "The pause that ends a turn where the `turn_model` says it is not.",
)
.within(0.0, 60_000.0)
.live();
pub(super) const GATHER_MS: Param<f64> = Param::with_default(
    "gather_ms",
    4.0,
    "So long the chunks of several sessions wait for each other to be run together, where they come often enough and a run \
     of several costs less.",
)
.within(0.0, 1_000.0);
pub(super) const WITHIN_MS: Param<f64> = Param::with_default(
    "within_ms",
    2_000.0,
    "How long a model may take; then nobody knows whether the chunk is speech.",
)
.within(1.0, 600_000.0);

pub(super) const ALL: &[&dyn AnyParam] = &[
    &MODEL,
    &TURN_MODEL,
    &THRESHOLD,
    &HYSTERESIS,
    &TURN_THRESHOLD,
    &SEGMENT_SILENCE_MS,
    &MIN_SPEECH_MS,
    &PAD_MS,
    &START_MS,
    &PRE_ROLL_MS,
    &SPECULATE_MS,
    &MIN_SILENCE_MS,
    &SHORT_SILENCE_MS,
    &LONG_SPEECH_S,
    &LONG_SILENCE_MS,
    &SHORT_SPEECH_S,
    &MAX_TURN_S,
    &END_PROBABILITY,
    &SURE_SILENCE_MS,
    &HARD_STOP_MS,
    &GATHER_MS,
    &WITHIN_MS,
];

/// Whether a model hears, rather than the net in the program.
fn is_heard_by_a_model(node: &Node<'_>) -> Result<bool, Diagnostic> {
    let name = node.get_optional(&MODEL)?;
    Ok(name.is_some_and(|name| node.services().find::<AbsentModel>(name).is_none()))
}

/// How to listen, as the node says.
pub(super) fn rules(node: &Node<'_>) -> Result<Rules, Diagnostic> {
    let (threshold, hysteresis) = (node.get(&THRESHOLD)?, node.get(&HYSTERESIS)?);
    if hysteresis >= threshold {
        let message =
            format!("`hysteresis` = {hysteresis:?} is not below `threshold` = {threshold:?}");
        let problem = node.problem(Code::OutOfRange, HYSTERESIS.name(), message);
        return Err(problem.hint("no chunk could fall so far; Silero has 0.5 and 0.15"));
    }
    let levels = Levels::new(threshold, hysteresis);
    let usual = match is_heard_by_a_model(node)? {
        true => (threshold + 0.1).min(threshold.max(0.99)),
        false => threshold,
    };
    let turn_threshold = node.get_optional(&TURN_THRESHOLD)?.unwrap_or(usual);
    let turn_levels = Levels { threshold: turn_threshold as f32, ..levels };
    if turn_levels.threshold <= turn_levels.low {
        let message = format!(
            "`turn_threshold` = {turn_threshold:?} is not above {:?}, below which a chunk is no speech",
            turn_levels.low
        );
        let problem = node.problem(Code::OutOfRange, TURN_THRESHOLD.name(), message);
        return Err(problem.hint("leave it out, or write a larger `hysteresis`"));
    }
    let ns = |param: &Param<f64>, unit_ns: f64| Ok((node.get(param)? * unit_ns).round() as i64);
    let ms = |param| ns(param, 1e6);
    let silence_ns = ms(&MIN_SILENCE_MS)?;
    let or_silence = |param| -> Result<i64, Diagnostic> {
        let written = node.get_optional(param)?;
        Ok(written.map_or(silence_ns, |ms: f64| (ms * 1e6).round() as i64))
    };
    Ok(Rules {
        segments: SegmentRule {
            levels,
            silence_ns: ms(&SEGMENT_SILENCE_MS)?,
            speech_ns: ms(&MIN_SPEECH_MS)?,
            pad_ns: ms(&PAD_MS)?,
        },
        turns: TurnRule {
            levels: turn_levels,
            start_ns: ms(&START_MS)?,
            pre_roll_ns: ms(&PRE_ROLL_MS)?,
            speculate_ns: ms(&SPECULATE_MS)?,
            silence_ns,
            long_silence_ns: or_silence(&LONG_SILENCE_MS)?,
            short_speech_ns: ns(&SHORT_SPEECH_S, 1e9)?,
            short_silence_ns: or_silence(&SHORT_SILENCE_MS)?,
            long_speech_ns: ns(&LONG_SPEECH_S, 1e9)?,
            end_probability: node.get(&END_PROBABILITY)? as f32,
            sure_silence_ns: ms(&SURE_SILENCE_MS)?,
            hard_stop_ns: ms(&HARD_STOP_MS)?,
            turn_ns: ns(&MAX_TURN_S, 1e9)?,
        },
    })
}
