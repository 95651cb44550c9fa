//! What screens have in common: what this terminal can show, and that it is left as it was found.

use ratatui::{
    buffer::Buffer,
    style::{Color, Style},
    text::{Line, Span},
};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::terminal;

/// What a terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Looks {
    pub(crate) has_colours: bool,
    pub(crate) has_unicode: bool,
}

impl Looks {
    /// Those of stdout.
    pub(crate) fn of_stdout() -> Self {
        Self {
            has_colours: terminal::Ink::of_stdout().is_on(),
            has_unicode: terminal::speaks_unicode(),
        }
    }

    /// Takes from a picture what the terminal cannot show; whatever is bold, faint or reversed stays so.
    pub(crate) fn apply(self, buffer: &mut Buffer) {
        for cell in &mut buffer.content {
            if !self.has_colours {
                cell.set_style(Style::new().fg(Color::Reset).bg(Color::Reset));
            }
            if !self.has_unicode && !cell.symbol().is_ascii() {
                let plain = cell.symbol().chars().next().map_or(' ', ascii);
                cell.set_char(plain);
            }
        }
    }
}

/// A line on so many columns, with a mark where it was cut.
pub(crate) fn clipped(line: Line<'_>, columns: usize) -> Line<'_> {
    if line.width() <= columns {
        return line;
    }
    let mut left = columns.saturating_sub(1);
    let mut shown: Vec<Span<'_>> = Vec::with_capacity(line.spans.len());
    let (style, alignment) = (line.style, line.alignment);
    for span in line.spans {
        let width = span.content.width();
        if width <= left {
            left -= width;
            shown.push(span);
            continue;
        }
        let fits = |letter: &char| {
            let width = letter.width().unwrap_or(0);
            left.checked_sub(width).map(|rest| left = rest).is_some()
        };
        let mut text: String = span.content.chars().take_while(fits).collect();
        text.push_str(if columns > 0 { "…" } else { "" });
        shown.push(Span::styled(text, span.style));
        break;
    }
    Line { spans: shown, style, alignment }
}

/// Parts beside each other; where there is no room for all, those of the highest rank are left out. One of rank 0
/// always stays.
pub(crate) fn beside<'a>(mut parts: Vec<(String, Style, u8)>, columns: usize) -> Line<'a> {
    const BETWEEN: &str = "  ";
    let width = |parts: &[(String, Style, u8)]| {
        let texts: usize = parts.iter().map(|(text, ..)| text.width()).sum();
        texts + BETWEEN.len() * parts.len().saturating_sub(1)
    };
    while width(&parts) > columns {
        let most = parts.iter().map(|(.., rank)| *rank).max().unwrap_or(0);
        if most == 0 {
            break;
        }
        parts.retain(|(.., rank)| *rank < most);
    }
    let mut spans = Vec::with_capacity(2 * parts.len());
    for (text, style, _) in parts {
        if !spans.is_empty() {
            spans.push(Span::raw(BETWEEN));
        }
        spans.push(Span::styled(text, style));
    }
    clipped(Line::from(spans), columns)
}

/// How much of a list is out of sight, in words.
pub(crate) fn out_of_sight(above: usize, below: usize) -> Option<String> {
    Some(match (above, below) {
        (0, 0) => return None,
        (0, below) => format!("{below} more below"),
        (above, 0) => format!("{above} more above"),
        (above, below) => format!("{above} above, {below} below"),
    })
}

/// One letter for another, so that nothing moves.
fn ascii(letter: char) -> char {
    match letter {
        '→' => '>',
        '←' => '<',
        '↑' => '^',
        '↓' => 'v',
        'µ' | 'μ' => 'u',
        '×' => 'x',
        '…' => '~',
        '–' | '—' | '−' => '-',
        '█' | '▇' | '▆' | '▉' | '▊' | '▋' => '#',
        '▅' | '▄' | '▌' => '=',
        '▃' | '▂' | '▍' => '-',
        '▁' => '_',
        '▎' | '▏' => ' ',
        '░' => '.',
        '▒' => '+',
        '♥' => '*',
        '·' | '•' => '.',
        '─' | '━' => '-',
        '│' | '┃' => '|',
        '╭' | '╮' | '╰' | '╯' | '└' | '┌' | '┐' | '┘' | '┼' | '├' | '┤' | '┬' | '┴' => {
            '+'
        }
        '\u{2800}' => ' ',
        '\u{2801}'..='\u{28ff}' => '*',
        _ => '?',
    }
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;

    use super::*;

    #[test]
    fn what_has_no_room_is_left_out_or_marked() {
        let text = |line: Line<'_>| -> String {
            line.spans.iter().map(|span| span.content.to_string()).collect()
        };
        let line = || Line::from(vec![Span::raw("three "), Span::raw("心 words")]);
        assert_eq!(text(clipped(line(), 14)), "three 心 words");
        assert_eq!(text(clipped(line(), 13)), "three 心 wor…");
        assert_eq!(text(clipped(line(), 8)), "three …", "no half of a wide letter");
        assert_eq!([1, 0].map(|columns| text(clipped(line(), columns))), ["…", ""]);
        let parts = || {
            let part = |text: &str, rank| (text.to_owned(), Style::new(), rank);
            vec![part("FROZEN", 0), part("? help", 2), part("p freeze", 1), part("q quit", 0)]
        };
        assert_eq!(text(beside(parts(), 80)), "FROZEN  ? help  p freeze  q quit");
        assert_eq!(text(beside(parts(), 31)), "FROZEN  p freeze  q quit");
        assert_eq!(text(beside(parts(), 20)), "FROZEN  q quit");
        assert_eq!(text(beside(parts(), 10)), "FROZEN  q…");
    }

    #[test]
    fn nothing_moves_where_letters_are_plain() {
        let text = "a → b…  5 µs  2 ×  ██░░  ▁▃▅█  ⠀⣿";
        let area = Rect::new(0, 0, text.chars().count() as u16, 1);
        let mut buffer = Buffer::empty(area);
        buffer.set_string(0, 0, text, Style::new().fg(Color::Red).bold());

        Looks { has_colours: false, has_unicode: false }.apply(&mut buffer);

        let shown: String = buffer.content.iter().map(ratatui::buffer::Cell::symbol).collect();
        assert_eq!(shown, "a > b~  5 us  2 x  ##..  _-=#   *");
        assert!(buffer.content.iter().all(|cell| cell.fg == Color::Reset));
        assert!(buffer.content[0].modifier.contains(ratatui::style::Modifier::BOLD));
    }
}
