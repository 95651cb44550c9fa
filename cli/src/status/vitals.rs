//! [`Vitals`]: what the lines of a graph say about the person at its sensor.

use std::collections::VecDeque;

use engine::{EventReader, FieldValue};
use operators::lines::Line;

/// Beats the shown heart rate is the mean of: steady enough to read, quick enough to follow.
const BEATS: usize = 8;

/// The newest values worth showing, picked from events by the names of their fields.
#[derive(Debug, Default)]
pub(crate) struct Vitals {
    rr_ms: VecDeque<f64>,
    heart_bpm: Option<f64>,
    rmssd_ms: Option<f64>,
    sdnn_ms: Option<f64>,
    /// Whether an event came that tells of a heart, be its rate known yet or not.
    has_heart: bool,
    /// Events that each are a beat.
    beats: u64,
    /// For graphs without a heart: the newest event in a few words.
    newest: Option<String>,
    /// Lines that nobody has seen, as only what they say was shown.
    unseen: u64,
}

impl Vitals {
    /// Takes what a line was made from.
    pub(crate) fn take(&mut self, line: &Line<'_>) {
        let Some(format) = line.format.as_event() else { return };
        let event = EventReader::new(format, line.frame);
        let has = |name: &str| format.fields.iter().any(|field| field.name == name);
        self.beats += u64::from(has("rr_ms"));
        self.has_heart |= has("rr_ms") || has("heart_rate_bpm");
        let (mut first, mut said) = (None, None);
        for (number, field) in format.fields.iter().enumerate() {
            let Some(value) = event.field(number) else { continue };
            match (field.name, &value) {
                (_, FieldValue::F64(number)) if !number.is_finite() => {}
                ("rr_ms", FieldValue::F64(rr_ms)) if *rr_ms > 0.0 => {
                    self.rr_ms.truncate(BEATS - 1);
                    self.rr_ms.push_front(*rr_ms);
                }
                ("heart_rate_bpm", FieldValue::F64(bpm)) => self.heart_bpm = Some(*bpm),
                ("rmssd_ms", FieldValue::F64(ms)) => self.rmssd_ms = Some(*ms),
                ("sdnn_ms", FieldValue::F64(ms)) => self.sdnn_ms = Some(*ms),
                // What somebody has said, rather than whether that is all of it.
                ("text", FieldValue::Text(text)) => said = Some(harmless(text, TEXT_MAX)),
                _ => first = first.or_else(|| Some((field.name, word(&value)?))),
            }
        }
        self.newest = match (said, first) {
            (Some(said), _) if said.is_empty() => self.newest.take(),
            (Some(said), _) => Some(said),
            // A word says what it is about itself.
            (None, Some((_, Word::Text(text)))) => Some(text),
            (None, Some((name, Word::Other(value)))) => {
                Some(format!("{} {name} {value}", line.node))
            }
            (None, None) => self.newest.take(),
        };
    }

    /// Notes that a line is not printed.
    pub(crate) fn hide_one(&mut self) {
        self.unseen += 1;
    }

    /// Lines that were not printed.
    pub(crate) const fn unseen(&self) -> u64 {
        self.unseen
    }

    /// Beats so far.
    pub(crate) const fn beats(&self) -> u64 {
        self.beats
    }

    /// Whether there is a heart.
    pub(crate) const fn has_heart(&self) -> bool {
        self.has_heart
    }

    /// Beats per minute.
    pub(crate) fn heart_bpm(&self) -> Option<f64> {
        match self.rr_ms.len() {
            0 => self.heart_bpm,
            beats => Some(60_000.0 * beats as f64 / self.rr_ms.iter().sum::<f64>()),
        }
    }

    /// Heart-rate variability in milliseconds, and by which measure.
    pub(crate) fn variability(&self) -> Option<(&'static str, f64)> {
        let rmssd = self.rmssd_ms.map(|rmssd| ("RMSSD", rmssd));
        rmssd.or(self.sdnn_ms.map(|sdnn| ("SDNN", sdnn)))
    }

    /// The newest event in a few words.
    pub(crate) fn newest(&self) -> Option<&str> {
        self.newest.as_deref()
    }
}

#[cfg(test)]
impl Vitals {
    /// As after so many beats that nobody has seen.
    pub(crate) fn of_unseen_beats(beats: u64, rr_ms: f64, rmssd_ms: f64) -> Self {
        let rr_ms = VecDeque::from([rr_ms]);
        let rmssd_ms = Some(rmssd_ms);
        Self { rr_ms, rmssd_ms, has_heart: true, beats, unseen: beats, ..Self::default() }
    }
}

/// Most letters of a word, and of a text, of which the end is what is newest.
const WORD_MAX: usize = 20;
const TEXT_MAX: usize = 240;

/// The last letters of a text from outside.
pub(super) fn harmless(text: &str, most: usize) -> String {
    let letters = text.chars().filter(|letter| !letter.is_control());
    let past = letters.clone().count().saturating_sub(most);
    letters.skip(past).collect::<String>().trim().to_owned()
}

/// A value as it is shown.
enum Word {
    Text(String),
    Other(String),
}

/// A single value as it is shown; lists are not.
fn word(value: &FieldValue<'_>) -> Option<Word> {
    Some(match value {
        FieldValue::Bool(yes) => Word::Other(yes.to_string()),
        FieldValue::I64(number) => Word::Other(number.to_string()),
        FieldValue::F64(number) => Word::Other(format!("{number:.2}")),
        // Text comes from outside, and a terminal obeys control characters.
        FieldValue::Text(text) => {
            let letters = text.chars().filter(|letter| !letter.is_control());
            Word::Text(letters.take(WORD_MAX).collect())
        }
        FieldValue::Bytes(_) | FieldValue::Floats(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use engine::{EventWriter, Field, Format, Frame, Header, Timestamp};

    use super::*;

    fn take(vitals: &mut Vitals, field: Field, write: impl FnOnce(EventWriter) -> EventWriter) {
        let format = Format::event(vec![field], 1.0);
        let event = EventWriter::new(format.as_event().expect("an event"));
        let frame = Frame::new(Header::at(Timestamp::ZERO), write(event).finish());
        vitals.take(&Line { node: "x", session: 0, text: "{}\n", format: &format, frame: &frame });
    }

    #[test]
    fn the_heart_rate_is_the_mean_of_the_last_beats() {
        let mut vitals = Vitals::default();
        assert_eq!(vitals.heart_bpm(), None);

        take(&mut vitals, Field::f64("rr_ms"), |event| event.f64(0, 100.0));
        for _ in 0..BEATS {
            take(&mut vitals, Field::f64("rr_ms"), |event| event.f64(0, 750.0));
        }
        take(&mut vitals, Field::f64("rr_ms"), |event| event);

        // 750 is exact in binary, and so is the sum of eight of it.
        assert_eq!(vitals.heart_bpm(), Some(80.0));
    }

    #[test]
    fn a_first_beat_has_no_interval_and_is_a_beat() {
        let mut vitals = Vitals::default();

        take(&mut vitals, Field::f64("rr_ms"), |event| event);

        assert_eq!((vitals.beats(), vitals.has_heart(), vitals.heart_bpm()), (1, true, None));
    }

    #[test]
    fn rmssd_is_shown_rather_than_sdnn() {
        let mut vitals = Vitals::default();

        take(&mut vitals, Field::f64("sdnn_ms"), |event| event.f64(0, 50.0));
        assert_eq!(vitals.variability(), Some(("SDNN", 50.0)));
        take(&mut vitals, Field::f64("rmssd_ms"), |event| event.f64(0, 40.0));
        assert_eq!(vitals.variability(), Some(("RMSSD", 40.0)));
        take(&mut vitals, Field::f64("rmssd_ms"), |event| event.f64(0, f64::NAN));
        assert_eq!(vitals.variability(), Some(("RMSSD", 40.0)));
    }

    #[test]
    fn what_was_said_is_shown_rather_than_what_it_is() {
        let mut vitals = Vitals::default();
        let format = Format::event(vec![Field::text("what", 8), Field::text("text", 900)], 1.0);
        let mut take = |text: &str| {
            let event = EventWriter::new(format.as_event().expect("an event"));
            let event = event.text(0, "final").text(1, text).finish();
            let frame = Frame::new(Header::at(Timestamp::ZERO), event);
            vitals.take(&Line {
                node: "x",
                session: 0,
                text: "{}\n",
                format: &format,
                frame: &frame,
            });
            vitals.newest().map(str::to_owned)
        };
        assert_eq!(take(" and so\x1b[2J my fellow").as_deref(), Some("and so[2J my fellow"));
        assert_eq!(take("").as_deref(), Some("and so[2J my fellow"), "nothing was said since");
        let long = take(&"word ".repeat(170)).expect("shown");
        assert!((230..=240).contains(&long.len()) && long.ends_with("word"), "{long}");
    }

    #[test]
    fn other_graphs_show_their_newest_event_without_what_a_terminal_obeys() {
        let mut vitals = Vitals::default();

        take(&mut vitals, Field::text("phase", 9), |event| event.text(0, "i\x1b[2Jn"));

        assert_eq!(vitals.newest(), Some("i[2Jn"));

        take(&mut vitals, Field::i64("press"), |event| event.i64(0, 3));

        assert_eq!(vitals.newest(), Some("x press 3"));
    }
}
