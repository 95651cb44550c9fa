//! What screens have in common: what this terminal can show, and that it is left as it was found.

use ratatui::{
    buffer::Buffer,
    style::{Color, Style},
};

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
