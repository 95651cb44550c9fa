//! What the other side says, as it may be shown to a person.

/// Characters that are shown.
const CHARS_MAX: usize = 2_000;

/// Text that another host sent, within one line: nothing of it steers a terminal or reorders what stands
/// around it, and what is very long is cut.
pub(crate) fn printable(text: &str) -> String {
    let mut shown: String =
        text.chars().take(CHARS_MAX).map(|c| if is_shown(c) { c } else { ' ' }).collect();
    if text.chars().nth(CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

fn is_shown(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_a_terminal_and_all_of_it_fits() {
        assert_eq!(
            printable("é → 1\u{1b}[2J\r\n\u{202e}x\u{9b}y\u{2028}\u{200f}z"),
            "é → 1 [2J   x y  z"
        );
        assert_eq!(printable(&"a".repeat(CHARS_MAX)).len(), CHARS_MAX);
        assert_eq!(printable(&"a".repeat(1 << 20)).chars().count(), CHARS_MAX + 1);
    }
}
