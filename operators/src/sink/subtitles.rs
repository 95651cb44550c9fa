//! `subtitles`: what was said as SubRip (SRT) or WebVTT.
//!
//! ```text
//! 1
//! 00:00:00,320 --> 00:00:02,100
//! And so my fellow Americans,
//! ```
//!
//! Of events with a field `what` those count that say "final", as those of `transcribe`; others all. The text is
//! the field `text`, else all fields as `print` shows them; when is said by `start_s` and `end_s`, else by the
//! event's own moment and duration. A text is shown in at most two lines of 42 characters; of a longer one each
//! part is shown as long as its share of the characters.
//!
//! | port | carries |
//! |------|---------|
//! | `in` | events  |

use std::{
    fmt::Write as _,
    io::{BufWriter, Write},
    sync::Arc,
};

use engine::{
    Body, Code, EventReader, Fault, FieldValue, Format, Frame, Kind, Node, Param, Placement, Port,
    Sink, Used,
};

use super::{
    place::{self, FILE},
    print::describe,
};
use crate::lines::{self, Line, Lines};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "subtitles",
    summary: "Write what was said as SRT or WebVTT.",
    doc: "A subtitle for each event whose field `what`, where it has one, says \"final\", as those of `transcribe`: the \
          field `text` or `word`, else all fields as `print` shows them, from `start_s` to `end_s`, else from the event's moment for as long as \
          it lasts, 1 s at least. At most two lines of 42 characters; a longer text is shown in parts, each as long as \
          its share of the characters. A time that is NaN is told as if it were absent. Without `file` to standard output, where there is room for one session and nothing \
          else; with it, sessions beyond the first write to out.session1.srt, out.session2.srt, … where `file` is out.srt. Runs on the I/O runtime. Cost: some \
          microseconds an event.",
    example: "file = \"out.srt\"",
    inputs: &[Port::event("in").fed_by(&["transcribe"])],
    params: &[&FILE, &FORMAT],
    placement: Placement::Waits,
    plan: |node| Ok(place::outline(node, Used::Alone)?),
    build: |node| {
        let input = &node.inputs()[0];
        if input.format.as_event().is_none() {
            return Err(Fault::new("it takes events").into());
        }
        let to = match place::create(node)? {
            Some(file) => To::File(file),
            None if node.session() > 0 => {
                let message = "several sessions cannot write subtitles to standard output";
                let problem = node.problem(Code::MissingParameter, FILE.name(), message);
                return Err(problem.hint("write `file`").into());
            }
            None => To::Lines(lines::out(), input.label.clone()),
        };
        let is_vtt = is_vtt(node)?;
        let text = if is_vtt { "WEBVTT\n\n".to_owned() } else { String::new() };
        Ok(Body::sink(Subtitles {
            to,
            format: input.format.clone(),
            is_vtt,
            count: 0,
            text,
            shown: Shown::default(),
            all: String::new(),
        }))
    },
    ..Kind::BASE
};

const FORMAT: Param<&str> = Param::with_default(
    "format",
    "auto",
    "What is written, \"srt\" or \"vtt\"; \"auto\" goes by the end of `file`, and is \"srt\" for any other.",
)
.one_of(&["auto", "srt", "vtt"]);

fn is_vtt(node: &Node<'_>) -> Result<bool, engine::Diagnostic> {
    Ok(match node.get(&FORMAT)? {
        "auto" => node.get_optional(&FILE)?.is_some_and(|file| file.ends_with(".vtt")),
        format => format == "vtt",
    })
}

/// Characters of a line.
const LINE_CHARS: usize = 42;
/// Lines of a subtitle.
const LINES: usize = 2;

struct Subtitles {
    to: To,
    format: Format,
    is_vtt: bool,
    count: u64,
    /// What is still to be written.
    text: String,
    shown: Shown,
    /// All fields of an event without a text.
    all: String,
}

enum To {
    File(BufWriter<Box<dyn Write + Send>>),
    Lines(Arc<dyn Lines>, String),
}

impl Sink for Subtitles {
    fn take(&mut self, _: usize, frame: &Frame) -> Result<(), Fault> {
        let Self { to, format, is_vtt, count, text: written, shown, all } = self;
        let event = EventReader::new(format.as_event().expect("checked when it was built"), frame);
        let field = |name: &str| event.index(name).and_then(|at| event.field(at));
        if matches!(field("what"), Some(FieldValue::Text(what)) if what != "final") {
            return Ok(());
        }
        let text = match field("text").or_else(|| field("word")) {
            Some(FieldValue::Text(text)) => text,
            _ => {
                all.clear();
                describe(all, format, frame);
                all
            }
        };
        let number = |name: &str| {
            event.index(name).and_then(|at| event.f64(at)).filter(|number| number.is_finite())
        };
        let from_s = number("start_s").unwrap_or_else(|| frame.header.time.secs_f64());
        let lasts_s = event.duration_ns() as f64 / 1e9;
        let to_s = number("end_s").unwrap_or(from_s + lasts_s.max(1.0));
        shown.lay_out(text);
        shown.each(from_s, to_s, |from_s, to_s, lines| {
            *count += 1;
            push(written, (!*is_vtt).then_some(*count), (from_s, to_s), lines);
        });
        match to {
            To::File(file) => file.write_all(written.as_bytes()),
            To::Lines(to, node) => {
                to.line(&Line { node, session: 0, text: written, format, frame })
            }
        }
        .map_err(unwritable)?;
        written.clear();
        Ok(())
    }

    fn idle(&mut self) -> Result<(), Fault> {
        match &mut self.to {
            To::File(file) => {
                // The head of a file in which nothing is said.
                file.write_all(self.text.as_bytes()).map_err(unwritable)?;
                self.text.clear();
                file.flush()
            }
            To::Lines(to, _) => to.idle(),
        }
        .map_err(unwritable)
    }
}

/// Writes a subtitle, with a number for SRT, without one for WebVTT.
fn push(to: &mut String, number: Option<u64>, (from_s, to_s): (f64, f64), text: &str) {
    let mark = if number.is_some() { ',' } else { '.' };
    if let Some(number) = number {
        let _ = writeln!(to, "{number}");
    }
    clock(to, from_s, mark);
    to.push_str(" --> ");
    clock(to, to_s, mark);
    to.push('\n');
    for c in text.chars() {
        match (c, mark) {
            ('&', '.') => to.push_str("&amp;"),
            ('<', '.') => to.push_str("&lt;"),
            ('>', '.') => to.push_str("&gt;"),
            // No arrow that would be read as one of ours.
            ('>', _) => {
                while to.ends_with("--") {
                    to.pop();
                }
                to.push('>');
            }
            _ => to.push(c),
        }
    }
    to.push_str("\n\n");
}

fn unwritable(error: std::io::Error) -> Fault {
    Fault::io("cannot write", error)
}

/// A moment as such files have it, to the millisecond.
fn clock(to: &mut String, seconds: f64, mark: char) {
    let ms = (seconds.max(0.0) * 1e3).round() as u64;
    let (s, ms) = (ms / 1_000, ms % 1_000);
    let _ = write!(to, "{:02}:{:02}:{:02}{mark}{ms:03}", s / 3_600, s / 60 % 60, s % 60);
}

/// A text in lines.
#[derive(Default)]
struct Shown {
    /// With a line break in place of the blank between two lines.
    text: String,
    /// Where each line begins, and its characters.
    lines: Vec<(usize, usize)>,
}

impl Shown {
    fn lay_out(&mut self, text: &str) {
        self.text.clear();
        self.lines.clear();
        for word in text.split_whitespace() {
            let mut word = word;
            let mut goes_on = false;
            while !word.is_empty() {
                // Words longer than a line, as where a script has no blanks, are cut.
                let cut = word.char_indices().nth(LINE_CHARS).map_or(word.len(), |(at, _)| at);
                let (piece, rest) = word.split_at(cut);
                let chars = piece.chars().count();
                match self.lines.last_mut() {
                    Some((_, line)) if !goes_on && *line + 1 + chars <= LINE_CHARS => {
                        self.text.push(' ');
                        *line += 1 + chars;
                    }
                    last => {
                        if last.is_some() {
                            self.text.push('\n');
                        }
                        self.lines.push((self.text.len(), chars));
                    }
                }
                self.text.push_str(piece);
                (word, goes_on) = (rest, true);
            }
        }
    }

    /// Each part: from when until when it is shown, and its lines.
    fn each(&self, from_s: f64, to_s: f64, mut told: impl FnMut(f64, f64, &str)) {
        let to_s = to_s.max(from_s + 1e-3);
        let all = self.lines.iter().map(|(_, chars)| chars).sum::<usize>().max(1) as f64;
        let at = |count: usize| from_s + (to_s - from_s) * count as f64 / all;
        let mut count = 0;
        for (number, lines) in self.lines.chunks(LINES).enumerate() {
            let next = self.lines.get((number + 1) * LINES).map_or(self.text.len() + 1, |it| it.0);
            let begins = at(count);
            count += lines.iter().map(|(_, chars)| chars).sum::<usize>();
            told(begins, at(count), &self.text[lines[0].0..next - 1]);
        }
    }
}

#[cfg(test)]
mod tests {
    use engine::{
        EventFormat, EventWriter, Field, Header, Services, Timestamp,
        testing::{Bench, MemoryFiles},
    };

    use super::*;

    fn said() -> EventFormat {
        let fields = vec![
            Field::text("what", 8),
            Field::f64("start_s"),
            Field::f64("end_s"),
            Field::text("text", 500),
        ];
        EventFormat { fields, rate_max: 10.0 }
    }

    fn written(file: &str, told: &[(&str, f64, f64, &str)]) -> String {
        let files = MemoryFiles::new();
        let inputs = [("in", Format::event(said().fields, 10.0))];
        let params = format!("file = \"{file}\"");
        let world = Arc::new(files.clone());
        let mut bench = Bench::in_world(&KIND, &inputs, &params, world, Services::default())
            .unwrap_or_else(|problem| panic!("{problem}"));
        for (what, from_s, to_s, text) in told {
            let event = EventWriter::new(&said()).text(0, what).f64(1, *from_s).f64(2, *to_s);
            let header = Header::at(Timestamp::from_nanos((to_s * 1e9) as i64));
            bench.push(0, Frame::new(header, event.text(3, text).finish()));
        }
        bench.flush();
        files.text(file).expect("written")
    }

    #[test]
    fn finals_are_numbered_and_partials_left_out() {
        let told = [
            ("partial", 0.3, 1.0, "And so"),
            ("final", 0.32, 2.1, "And so my fellow Americans,"),
            ("final", 3_725.25, 3_726.5, " ask not ---> this\n\nway "),
            ("final", 3_727.0, 3_728.0, ""),
        ];
        let want = "1\n00:00:00,320 --> 00:00:02,100\nAnd so my fellow Americans,\n\n\
                    2\n01:02:05,250 --> 01:02:06,500\nask not -> this way\n\n";
        assert_eq!(written("said.srt", &told), want);
    }

    #[test]
    fn webvtt_has_a_head_points_and_no_marks_of_its_own_in_the_text() {
        let told = [("final", 1.0, 2.0, "a < b & c --> d")];
        let want = "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\na &lt; b &amp; c --&gt; d\n\n";
        assert_eq!(written("said.vtt", &told), want);
    }

    #[test]
    fn words_are_shown_one_by_one() {
        let fields = vec![Field::i64("turn"), Field::f64("start_s"), Field::text("word", 64)];
        let format = EventFormat { fields, rate_max: 10.0 };
        let files = MemoryFiles::new();
        let inputs = [("in", Format::event(format.fields.clone(), 10.0))];
        let world = Arc::new(files.clone());
        let mut bench =
            Bench::in_world(&KIND, &inputs, "file = \"w.srt\"", world, Services::default())
                .unwrap_or_else(|problem| panic!("{problem}"));
        let event = EventWriter::new(&format).i64(0, 7).f64(1, 1.5).text(2, "Americans,");
        bench.push(0, Frame::new(Header::at(Timestamp::from_nanos(2_000_000_000)), event.finish()));
        bench.flush();
        let want = "1\n00:00:01,500 --> 00:00:02,500\nAmericans,\n\n";
        assert_eq!(files.text("w.srt").expect("written"), want);
    }

    fn parts(text: &str) -> Vec<(f64, f64, String)> {
        let mut shown = Shown::default();
        shown.lay_out(text);
        let mut parts = Vec::new();
        shown.each(10.0, 20.0, |from_s, to_s, text| parts.push((from_s, to_s, text.to_owned())));
        parts
    }

    #[test]
    fn a_long_text_is_shown_in_parts_of_two_lines() {
        let text = "one two three four five six seven eight nine ten ".repeat(4);
        let parts = parts(&text);
        assert!(parts.len() >= 3);
        assert_eq!((parts[0].0, parts[parts.len() - 1].1), (10.0, 20.0));
        for pair in parts.windows(2) {
            assert_eq!(pair[0].1, pair[1].0);
        }
        let lines: Vec<&str> = parts.iter().flat_map(|part| part.2.lines()).collect();
        assert!(parts.iter().all(|part| part.2.lines().count() <= LINES));
        assert!(lines.iter().all(|line| line.chars().count() <= LINE_CHARS));
        assert_eq!(lines.join(" "), text.trim());
        // No spaces at all.
        let cut = super::tests::parts(&"字".repeat(100));
        assert_eq!(cut.iter().map(|part| part.2.lines().count()).sum::<usize>(), 3);
    }
}
