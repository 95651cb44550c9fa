//! The status line as text.

use engine::counted;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::{
    terminal::{Ink, ascii},
    wrapping::visible,
};

use super::units::{clock, per_second, span, times};

/// What the status line shows.
#[derive(Debug, Default)]
pub(crate) struct View {
    /// Seconds of content done, and in all where that is known.
    pub(crate) progress: Option<(f64, f64)>,
    /// Seconds since the start.
    pub(crate) elapsed_s: f64,
    /// Sessions open, if there are or were several.
    pub(crate) sessions: Option<u64>,
    /// Whether there is a heart, even if nothing is known of its rate yet.
    pub(crate) has_heart: bool,
    /// Beats per minute.
    pub(crate) heart_bpm: Option<f64>,
    /// Measure and milliseconds.
    pub(crate) variability: Option<(&'static str, f64)>,
    /// The newest line, where there is no heart; cut to what room there is.
    pub(crate) newest: Option<String>,
    /// Nanoseconds that frames spent in the engine, at the slowest sink: median and 99 %.
    pub(crate) latency_ns: Option<(i64, i64)>,
    /// Whether that is above the deadline.
    pub(crate) is_late: bool,
    /// Seconds of content per second of clock.
    pub(crate) speed: Option<f64>,
    /// Frames that enter per second.
    pub(crate) frames_per_second: f64,
    /// Frames dropped so far.
    pub(crate) dropped: u64,
    /// How the links to other hosts are, in words.
    pub(crate) links: Option<String>,
    /// What is wrong with a core, in words.
    pub(crate) trouble: Option<String>,
    /// Whether the graph was asked to end.
    pub(crate) drains: bool,
}

/// One line of at most so many columns: what is most wanted comes first, what does not fit is
/// left out.
pub(crate) fn line(view: &View, columns: usize, ink: Ink, unicode: bool) -> String {
    const BETWEEN: &str = "   ";
    // As it is shown: in ASCII some take more columns.
    let shown = |text: String| if unicode { text } else { ascii(&text) };
    let mut line = String::new();
    let (parts, newest) = parts(view, columns, ink, unicode);
    let mut parts: Vec<String> = parts.into_iter().map(shown).collect();
    if let Some((at, text)) = newest {
        // As much of it as there is room for beside the others, or for a few words instead of the last of these.
        let others: usize = parts.iter().map(|part| visible(part) + BETWEEN.len()).sum();
        let before: usize = parts[..at].iter().map(|part| visible(part) + BETWEEN.len()).sum();
        let room = columns.saturating_sub(others).max(TEXT_MIN).min(columns.saturating_sub(before));
        parts.insert(at, end_of(&shown(text), room, if unicode { "…" } else { "..." }));
    }
    for part in parts.into_iter().filter(|part| !part.is_empty()) {
        let between = if line.is_empty() { "" } else { BETWEEN };
        let longer = format!("{line}{between}{part}");
        if visible(&longer) <= columns {
            line = longer;
        }
    }
    line
}

/// Room for what is newest, at least, where there is so much.
const TEXT_MIN: usize = 30;

/// The end of a text that takes at most so many columns, with a mark where it was cut.
pub(crate) fn end_of(text: &str, columns: usize, mark: &str) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let room = columns.saturating_sub(mark.width());
    // By its letters alone first, as the width of all is theirs, nearly, and takes long to find out.
    let mut width = 0;
    let letters = text.char_indices().rev().take_while(|(_, letter)| {
        width += letter.width().unwrap_or(1);
        width <= room
    });
    let from = letters.last().map_or(text.len(), |(at, _)| at);
    // No mark above a letter that was cut off begins it.
    let mut ends = text[from..].char_indices().map(|(at, letter)| (&text[from + at..], letter));
    let fits = |end: &str, letter: char| end.width() <= room && letter.width() != Some(0);
    let end = ends.find(|(end, letter)| fits(end, *letter)).map_or("", |(end, _)| end);
    let mark: String = mark.chars().take(columns).collect();
    mark + end
}

/// What is shown, in order; and what is newest, with its place among that.
fn parts(
    view: &View,
    columns: usize,
    ink: Ink,
    unicode: bool,
) -> (Vec<String>, Option<(usize, String)>) {
    let Ink { error, warning, good, faint, off, .. } = ink;
    let mut parts = Vec::new();
    match view.progress {
        Some((done_s, all_s)) => {
            let bar = bar(done_s / all_s, if columns < 80 { 10 } else { 20 }, unicode);
            parts.push(format!("{good}{bar}{off} {} / {}", clock(done_s), clock(all_s)));
        }
        None => parts.push(clock(view.elapsed_s)),
    }
    if view.drains {
        parts.push(format!("{warning}draining{off}"));
    }
    parts.extend(view.trouble.as_ref().map(|trouble| format!("{error}{trouble}{off}")));
    parts.extend(view.links.clone());
    parts.extend(view.sessions.map(|open| counted(open, "session")));
    let heart = if unicode { format!("{error}♥{off}") } else { "heart".to_owned() };
    match view.heart_bpm {
        Some(bpm) => parts.push(format!("{heart} {bpm:.0} bpm")),
        None if view.has_heart => parts.push(format!("{heart} learning")),
        None => {}
    }
    parts.extend(view.variability.map(|(name, ms)| format!("{name} {ms:.0} ms")));
    let newest = view.newest.clone().map(|text| (parts.len(), text));
    parts.extend(view.latency_ns.map(|(p50, p99)| {
        let ink = if view.is_late { error } else { "" };
        format!("engine latency {} {faint}p99{off} {ink}{}{off}", span(p50), span(p99))
    }));
    parts.push(match view.speed {
        Some(speed) => format!("{} real time", times(speed)),
        None => per_second(view.frames_per_second, "frames"),
    });
    if view.dropped > 0 {
        parts.push(format!("{warning}{} dropped{off}", view.dropped));
    }
    (parts, newest)
}

fn bar(share: f64, columns: usize, unicode: bool) -> String {
    let (full, empty) = if unicode { ("█", "░") } else { ("#", ".") };
    let done = (share.clamp(0.0, 1.0) * columns as f64) as usize;
    full.repeat(done) + &empty.repeat(columns - done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heart() -> View {
        View {
            progress: Some((42.3, 120.0)),
            elapsed_s: 42.3,
            heart_bpm: Some(73.6),
            variability: Some(("RMSSD", 41.7)),
            latency_ns: Some((61_000, 420_000)),
            speed: Some(1.0),
            ..View::default()
        }
    }

    #[test]
    fn a_heart_and_a_progress_bar() {
        assert_eq!(
            line(&heart(), 120, Ink::OFF, true),
            "███████░░░░░░░░░░░░░ 0:42 / 2:00   ♥ 74 bpm   RMSSD 42 ms   \
             engine latency 61 µs p99 420 µs   1.0 × real time"
        );
    }

    #[test]
    fn a_heart_of_which_nothing_is_known_yet_is_being_learnt() {
        let view = View { has_heart: true, speed: Some(1.0), ..View::default() };

        assert_eq!(line(&view, 80, Ink::OFF, false), "0:00   heart learning   1.0 x real time");
    }

    #[test]
    fn a_narrow_terminal_gets_what_is_most_wanted() {
        for (columns, wanted) in [(40, "###....... 0:42 / 2:00   heart 74 bpm"), (20, "")] {
            let line = line(&heart(), columns, Ink::OFF, false);
            assert!(line.starts_with(wanted) && visible(&line) <= columns, "{line}");
        }
    }

    #[test]
    fn what_was_said_is_cut_to_the_line() {
        let text = "And so my fellow Americans ask not what your country can do for you".to_owned();
        let view = View {
            elapsed_s: 9.0,
            newest: Some(text.clone()),
            latency_ns: Some((61_000, 420_000)),
            speed: Some(1.0),
            ..View::default()
        };
        assert_eq!(
            line(&view, 100, Ink::OFF, true),
            "0:09   …ask not what your country can do for you   engine latency 61 µs p99 420 µs   1.0 × real time"
        );
        // Where there is no room for both a few words of it come first.
        assert_eq!(
            line(&view, 60, Ink::OFF, true),
            "0:09   …t your country can do for you   1.0 × real time"
        );
        for columns in 0..200 {
            let line = line(&view, columns, Ink::OFF, true);
            assert!(visible(&line) <= columns, "{columns}: {line}");
        }
        assert!(line(&view, 200, Ink::OFF, true).contains(&text));
    }

    /// What terminals take for each letter: two columns for the wide ones, none for marks above others.
    fn columns_of(text: &str) -> usize {
        let wide = |letter| ('\u{2e80}'..='\u{ffe6}').contains(&letter);
        let each = text.chars().map(|letter| match letter {
            '\u{300}'..='\u{36f}' => 0,
            letter => 1 + usize::from(wide(letter)),
        });
        each.sum()
    }

    #[test]
    fn what_was_said_fits_in_whatever_letters_and_locale() {
        let texts = [
            "And so my fellow Americans ask not what your country can do for you … and so on",
            "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。",
            "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다. 인간은 천부적으로",
            // Marks of their own on every letter.
            &"e\u{301}u\u{308} ".repeat(40),
        ];
        for text in texts.map(|text| text.repeat(3)) {
            for unicode in [true, false] {
                for columns in 0..120 {
                    let view = View {
                        elapsed_s: 9.0,
                        newest: Some(text.clone()),
                        links: Some("edge → cloud".to_owned()),
                        ..View::default()
                    };
                    let line = line(&view, columns, Ink::OFF, unicode);
                    assert!(columns_of(&line) <= columns, "{columns}: {line}");
                    assert!(unicode || line.is_ascii(), "{line}");
                    // Nearly all of the room is used: a wide letter may be too wide for it.
                    let spare = if columns > 80 { columns - columns_of(&line) } else { 0 };
                    assert!(spare <= 1, "{columns}: {line}");
                    assert!(!line.contains("…\u{301}") && !line.contains("…\u{308}"), "{line}");
                }
            }
        }
    }

    #[test]
    fn no_letter_beyond_ascii_where_the_locale_has_none() {
        assert!(line(&heart(), 120, Ink::OFF, false).is_ascii());
    }

    #[test]
    fn many_live_sessions_in_trouble() {
        let view = View {
            elapsed_s: 3.0,
            sessions: Some(1_000),
            trouble: Some("core 1 slow in `clean`".to_owned()),
            frames_per_second: 25_000.0,
            dropped: 7,
            ..View::default()
        };

        assert_eq!(
            line(&view, 120, Ink::OFF, true),
            "0:03   core 1 slow in `clean`   1000 sessions   25.0 k frames/s   7 dropped"
        );
    }
}
