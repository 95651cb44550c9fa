//! What was said, a line for each final of `transcribe`: on a terminal that is what somebody looks for.

use std::fmt::Write as _;

use engine::{EventReader, FieldValue};
use operators::lines::Line;

use super::vitals::harmless;

/// Most letters of a line: as much as an event holds.
const LETTERS_MAX: usize = 8_192;

/// When it was said and what, if a line is of a final with words.
pub(crate) fn said(line: &Line<'_>, tells_session: bool) -> Option<String> {
    let event = EventReader::new(line.format.as_event()?, line.frame);
    let field = |name: &str| event.index(name).and_then(|at| event.field(at));
    let (Some(FieldValue::Text("final")), Some(FieldValue::Text(text))) =
        (field("what"), field("text"))
    else {
        return None;
    };
    let text = harmless(text, LETTERS_MAX);
    if text.is_empty() {
        return None;
    }
    let mut told = String::new();
    if tells_session {
        let _ = write!(told, "session {} ", line.session);
    }
    let moment = |name: &str| match field(name) {
        Some(FieldValue::F64(seconds)) if seconds.is_finite() => Some(tenths(seconds)),
        _ => None,
    };
    if let (Some(from), Some(to)) = (moment("start_s"), moment("end_s")) {
        let _ = write!(told, "[{from} - {to}] ");
    }
    Some(told + &text)
}

/// `1:05.3`, with hours where there are any.
fn tenths(seconds: f64) -> String {
    let tenths = (seconds.max(0.0) * 10.0).round() as u64;
    format!("{}.{}", super::clock((tenths / 10) as f64), tenths % 10)
}

#[cfg(test)]
mod tests {
    use engine::{EventWriter, Field, Format, Frame, Header, Timestamp};

    use super::*;

    fn told(what: &str, text: &str, tells_session: bool) -> Option<String> {
        let fields = vec![
            Field::text("what", 8),
            Field::f64("start_s"),
            Field::f64("end_s"),
            Field::text("text", 99),
        ];
        let format = Format::event(fields, 1.0);
        let event = EventWriter::new(format.as_event().expect("an event")).text(0, what);
        let event = event.f64(1, 62.96).f64(2, 3_725.25).text(3, text).finish();
        let frame = Frame::new(Header::at(Timestamp::ZERO), event);
        let line = Line { node: "text", session: 3, text: "{}\n", format: &format, frame: &frame };
        said(&line, tells_session)
    }

    #[test]
    fn finals_are_told_with_their_times_and_without_what_a_terminal_obeys() {
        let want = "[1:03.0 - 1:02:05.3] so[2J it is";
        assert_eq!(told("final", " so\x1b[2J it is\n", false).as_deref(), Some(want));
        let want = "session 3 [1:03.0 - 1:02:05.3] well";
        assert_eq!(told("final", "well", true).as_deref(), Some(want));
        assert_eq!(told("partial", "well", false), None);
        assert_eq!(told("final", " ", false), None, "nothing was said");
    }
}
