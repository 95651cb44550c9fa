//! Lines that are too long for a terminal, wrapped at words.

use unicode_width::UnicodeWidthStr;

/// What stands before the second line of a long one takes at most this share of the columns.
const INDENT_SHARE: usize = 3;

/// Text in which lines that take more columns go on below, under what they are about.
pub(crate) fn wrapped(text: &str, columns: usize) -> String {
    let mut wrapped = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
        match visible(line) <= columns {
            true => wrapped.push_str(line),
            false => wrap(line, columns, &mut wrapped),
        }
        wrapped.push_str(end);
    }
    wrapped
}

fn wrap(line: &str, columns: usize, text: &mut String) {
    let indent = hanging(line).min(columns / INDENT_SHARE);
    // Blanks that align are kept where they stand, and go where a line ends.
    let (mut used, mut has_word) = (0, false);
    for part in line.split_inclusive(' ') {
        let word = part.trim_end_matches(' ');
        let width = visible(word);
        if has_word && width > 0 && used + width > columns {
            text.truncate(text.trim_end_matches(' ').len());
            text.push('\n');
            text.extend(std::iter::repeat_n(' ', indent));
            used = indent;
        }
        text.push_str(part);
        used += width + part.len() - word.len();
        has_word |= width > 0;
    }
}

/// Columns before what a line is about: behind its name, where blanks set it off, else a little further in than it
/// begins.
fn hanging(line: &str) -> usize {
    let begins = line.len() - line.trim_start_matches(' ').len();
    match line[begins..].find("  ") {
        Some(at) => {
            let rest = &line[begins + at..];
            let blanks = rest.len() - rest.trim_start_matches(' ').len();
            visible(&line[..begins + at]) + blanks
        }
        // A row that goes on below its name is there already.
        None if begins > 4 => begins,
        None => begins + 2,
    }
}

/// Columns that text with colours in it takes.
pub(crate) fn visible(text: &str) -> usize {
    let mut in_escape = false;
    let shown = text.chars().filter(|&letter| {
        let hidden = in_escape || letter == '\x1b';
        in_escape = hidden && letter != 'm';
        !hidden
    });
    shown.collect::<String>().width()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_goes_on_under_what_it_says() {
        let row = "  engine   latency `out` p50 1.0 ms, p99 20 ms, max 50 ms, \x1b[32mwithin 50 ms\x1b[0m\n";
        assert_eq!(wrapped(row, 80), row);
        assert_eq!(
            wrapped(row, 40),
            "  engine   latency `out` p50 1.0 ms, p99\n           20 ms, max 50 ms, \
             \x1b[32mwithin 50\n           ms\x1b[0m\n"
        );
        let rest = "           ecg → out: 2 full, 1 late, 3 poison\nheart: done after 9.0 s, 60 s of content";
        assert_eq!(
            wrapped(rest, 30),
            "           ecg → out: 2 full,\n          1 late, 3 poison\nheart: done after 9.0 s, 60 s\n  \
             of content"
        );
    }

    #[test]
    fn no_line_is_wider_than_its_words_make_it() {
        let text = "note: rounds differ by 12 %: the machine does other things as well\n\n  a_long_name_alone";
        for columns in 1..90 {
            let wrapped = wrapped(text, columns);
            for line in wrapped.lines() {
                let longest = line.split_whitespace().map(visible).max().unwrap_or(0);
                assert!(
                    visible(line) <= columns.max(columns / INDENT_SHARE + 2 + longest),
                    "{columns}: {line:?}"
                );
            }
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(words(&wrapped), words(text));
        }
    }
}
