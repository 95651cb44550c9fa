//! `speech`: who speaks when, and whose turn it is.
//!
//! | port          | carries                                                                                  |
//! |---------------|------------------------------------------------------------------------------------------|
//! | `in`          | sound at 16 kHz, its first channel, −1 to 1; with a model of Silero also at 8 kHz         |
//! | `out`         | every stretch of speech once it is over, stamped with its end                             |
//! | `turns`       | turns as they begin, may be over, go on and are over, stamped with the moment of decision |
//! | `probability` | how likely each chunk is speech, stamped with its first sample                            |
//!
//! | field of `out`                    | meaning                                                            |
//! |-----------------------------------|--------------------------------------------------------------------|
//! | `start_s` `end_s`                 | the stretch, in seconds of the session's time line                   |
//! | `segment`                         | its number, from 0                                                  |
//! | `probability`                     | the mean of its chunks                                              |
//!
//! | field of `turns`                  | meaning                                                            |
//! |-----------------------------------|--------------------------------------------------------------------|
//! | `what`                            | `start`, `speculate`, `resume` or `end`                             |
//! | `turn`                            | its number, from 0                                                  |
//! | `start_s` `end_s`                 | where it begins, with pre-roll, and where what was spoken so far ends |
//! | `probability`                     | the mean of what was spoken so far                                  |
//! | `cut`                             | of an end: not by a pause, but by `max_turn_s`, a gap or the end     |
//!
//! The rules are those of [`crate::speech::segments`] and [`crate::speech::turns`]. Without `model` a chunk is 16 ms and
//! [`crate::speech::ear`] says how likely it is speech; with one of Silero's it is 32 ms, and the chunks of all sessions are
//! run together.
//!
//! **NaN**: samples that are not finite are silence, and counted. **Gap**: one shorter than `min_silence_ms` is passed over; a
//! longer one ends segment and turn.

mod alone;
mod asking;
mod params;
mod tally;

use engine::{
    Body, BuildError, Channel, Code, Diagnostic, Diagnostics, Field, Format, Kind, Node, Outline,
    Placement, Port, Rate, SignalFormat, Unit,
};

use crate::speech::{
    detector,
    listener::{Rules, Told},
};

pub(crate) use params::LEAD_MAX_S;
use params::rules;

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "speech",
    summary: "Who speaks when, and whose turn it is.",
    doc: "The port `out` has an event for every stretch of speech once it is over, stamped with its end: start_s and end_s in \
          seconds of the session's line, segment (its number), probability (the mean of its chunks). `turns` tells what is \
          decided at the moment it is: what is \"start\" when somebody begins (start_s lies pre_roll_ms before the \
          onset, so that nothing is clipped, but not in the turn before), \"speculate\" after a pause of speculate_ms (the end is \
          likely: work ahead), \"resume\" if speech goes on after all, \"end\" after min_silence_ms; with turn, start_s, end_s \
          (where what was spoken so far ends), probability and cut, whether it ended without such a pause: by max_turn_s, a gap or the end. Every turn is start, any number of speculate and resume \
          by turns, end. `probability` has a value a chunk. A chunk is speech from threshold on and none below threshold - \
          hysteresis; between them it stays what it was. A segment ends where a chunk begins below that segment_silence_ms or more \
          behind the first such; what is not longer than min_speech_ms is none; both ends are moved out by pad_ms: Silero's own \
          rule. A turn ends after short_silence_ms where long_speech_s or more was spoken, after long_silence_ms where less \
          than short_speech_s was, and in any case after max_turn_s. Without `model` speech is heard by a net in the program (earshot, 16 kHz, chunks of 16 ms, \
          6 us each), less seriously where it is hardly louder than what lies around. On 21 recordings of 226 s with reference segments of Silero its \
          segments agree with them in 96 % of the time, with one false start in 81 s without speech, and it tells 29 of 30 turns that begin behind silence, \
          27 of them within 64 ms of the beginning, all within 80 ms \
          (its numbers were chosen on these same recordings); with Silero as `model` in 100 %, and all 30 within 64 ms, with one false start \
          (of its own threshold for all, 0.5, there would be three). `model = \"silero\"` asks a file of Silero VAD, version 5 or 6, at 16 kHz (chunks of 32 \
          ms) or 8 kHz: [model.silero] file = \"silero_vad.onnx\"; chunks of all sessions are run together, those that come within gather_ms \
          of each other where that pays, and the state goes with each stream. A `turn_model` is asked with each \"speculate\" \
          about the last seconds of sound, as many as it takes (8 where that is open): what it gives, 0 to 1, says whether it is the end; from end_probability on the turn ends \
          after sure_silence_ms, below it after hard_stop_ms; where it does not answer, the rules hold. NaN: samples that are no \
          numbers are silence, and counted; `probability` is NaN where a model did not answer. What the net in the program heard long ago \
          moves what it says of quiet sound for good, by 0.28 at most on recordings, mostly by a few hundredths. A gap shorter than min_silence_ms is passed over; a longer one ends segment and turn. \
          Delay: none; a segment looks back as far as the pause that ended it.",
    example: "threshold = 0.5",
    inputs: &[Port::signal("in").of_one_channel().fed_by(&["audio", "resample"])],
    outputs: &[Port::event("out"), Port::event("turns"), Port::signal("probability")],
    params: params::ALL,
    placement: Placement::Own,
    plan: |node| {
        let rules = rules(node)?;
        let chunk = match asking::plan(node)? {
            Some(chunk) => chunk,
            None => {
                check_rate(node, &[EAR_HZ])?;
                detector::CHUNK
            }
        };
        let mut outline = outline(node, &rules, chunk, asking::judges_turns(node)?);
        outline.warnings.extend(asking::warnings(node)?);
        Ok(outline)
    },
    build: |node| match asking::build(node).map_err(BuildError::Graph)? {
        Some(body) => Ok(body),
        None => Ok(Body::operator(alone::Alone::of(node)?)),
    },
    ..Kind::BASE
};

/// Ports by number.
const OUT: usize = 0;
const TURNS: usize = 1;
const PROBABILITY: usize = 2;

/// What the net in the program hears.
const EAR_HZ: f64 = 16_000.0;

/// How far before the newest chunk something may be stamped.
fn look_back_ns(rules: &Rules, rate: Rate, chunk: usize) -> i64 {
    rules.segments.look_back_ns(rate.span_ns(chunk as i64))
}

fn outline(node: &Node<'_>, rules: &Rules, chunk: usize, has_turn_model: bool) -> Outline {
    let rate = node.signal("in").rate;
    let chunks_hz = rate.hz() / chunk as f64;
    let out = vec![
        Field::f64("start_s"),
        Field::f64("end_s"),
        Field::i64("segment"),
        Field::f64("probability"),
    ];
    let turns = vec![
        Field::text("what", 9),
        Field::i64("turn"),
        Field::f64("start_s"),
        Field::f64("end_s"),
        Field::f64("probability"),
        Field::bool("cut"),
    ];
    let probability = SignalFormat {
        channels: vec![Channel { name: "probability".to_owned(), unit: Unit::named("1") }],
        rate: Rate::new(chunks_hz).expect("a chunk has samples"),
        frame_len: 1,
    };
    let formats = [
        Format::event(out, chunks_hz),
        Format::event(turns, 2.0 * chunks_hz),
        Format::Signal(probability.into()),
    ];
    let pauses_ns = rules.turns.pauses_ns(has_turn_model).map(|ns| ns + rate.span_ns(chunk as i64));
    Outline::of(formats)
        .looking_back(look_back_ns(rules, rate, chunk))
        .deciding_after(TURNS, pauses_ns)
}

/// Refuses sound of another rate.
fn check_rate(node: &Node<'_>, takes_hz: &[f64]) -> Result<(), Diagnostics> {
    let hz = node.rate_hz("in");
    if takes_hz.contains(&hz) {
        return Ok(());
    }
    let takes: Vec<String> = takes_hz.iter().map(|hz| format!("{hz:?}")).collect();
    let input = node.inputs().first();
    let label = input.map_or("", |input| &input.label);
    let message = format!(
        "`{}` hears {} samples per second, and `{label}` delivers {hz:?}",
        node.name(),
        takes.join(" or ")
    );
    let problem = Diagnostic::error(Code::FormatMismatch, message)
        .at(&input.and_then(|input| input.place.clone()))
        .of_node(node.name());
    let hint = format!(
        "put a node between: op = \"resample\", from = \"{label}\", rate_hz = {}, filter = \"steep\"",
        takes[0]
    );
    Err(problem.hint(hint).into())
}

/// An event as it is told: port, moment and payload.
fn payload(formats: &[&engine::EventFormat; 2], told: Told) -> (usize, i64, engine::Buffer) {
    let seconds = |ns: i64| ns as f64 / 1e9;
    match told {
        Told::Segment(segment) => {
            let event = engine::EventWriter::new(formats[OUT])
                .f64(0, seconds(segment.start_ns))
                .f64(1, seconds(segment.end_ns))
                .i64(2, segment.number)
                .f64(3, segment.probability);
            (OUT, segment.end_ns, event.finish())
        }
        Told::Turn(turn) => {
            let event = engine::EventWriter::new(formats[TURNS])
                .text(0, turn.what.word())
                .i64(1, turn.turn)
                .f64(2, seconds(turn.start_ns))
                .f64(3, seconds(turn.end_ns))
                .f64(4, turn.probability)
                .bool(5, turn.is_cut);
            (TURNS, turn.at_ns, event.finish())
        }
    }
}
