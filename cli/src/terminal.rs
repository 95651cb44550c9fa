//! What is known of the terminal: whether there is one, its colours, its columns, its letters.

use std::{
    io::{IsTerminal, stderr, stdin, stdout},
    time::Duration,
};

use terminal_size::{Width, terminal_size_of};

use crate::exit::Exit;

/// Between two looks whether a terminal is still there.
const LOOK: Duration = Duration::from_millis(500);

/// Colours, or nothing.
#[derive(Clone, Copy)]
pub(crate) struct Ink {
    pub(crate) error: &'static str,
    pub(crate) warning: &'static str,
    pub(crate) good: &'static str,
    pub(crate) bold: &'static str,
    pub(crate) faint: &'static str,
    pub(crate) off: &'static str,
}

impl Ink {
    pub(crate) const OFF: Self =
        Self { error: "", warning: "", good: "", bold: "", faint: "", off: "" };
    const ON: Self = Self {
        error: "\x1b[1;31m",
        warning: "\x1b[1;33m",
        good: "\x1b[32m",
        bold: "\x1b[1m",
        faint: "\x1b[2m",
        off: "\x1b[0m",
    };

    /// For text on stderr.
    pub(crate) fn of_stderr() -> Self {
        if stderr().is_terminal() && colours_are_wanted() { Self::ON } else { Self::OFF }
    }

    /// For text on stdout.
    pub(crate) fn of_stdout() -> Self {
        if stdout().is_terminal() && colours_are_wanted() { Self::ON } else { Self::OFF }
    }

    pub(crate) const fn is_on(self) -> bool {
        !self.off.is_empty()
    }
}

/// See <https://no-color.org>.
fn colours_are_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && !is_dumb()
}

/// Whether the terminal cannot move its cursor.
pub(crate) fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Ends the process once the terminal that it reads keys from is gone, whoever ignores the signal that comes with
/// that: waiting for a key there never ends. For those who have nothing to finish.
pub(crate) fn end_without() {
    if !stdin().is_terminal() {
        return;
    }
    let look = || {
        while stdin().is_terminal() {
            std::thread::park_timeout(LOOK);
        }
        std::process::exit(Exit::Fault as i32);
    };
    // Without a thread to spare the signal has to do.
    let _ = std::thread::Builder::new().name("afferent-terminal".to_owned()).spawn(look);
}

/// Columns of the terminal behind stderr.
pub(crate) fn columns() -> usize {
    // A serial line may say that it has none.
    let known = terminal_size_of(stderr()).map(|(Width(columns), _)| usize::from(columns));
    known.filter(|&columns| columns > 0).unwrap_or(80)
}

/// Columns for what is said on stderr; where that is no terminal, as many as it takes.
pub(crate) fn said_columns() -> usize {
    let known = terminal_size_of(stderr()).map(|(Width(columns), _)| usize::from(columns));
    known.filter(|&columns| columns > 0).unwrap_or(usize::MAX)
}

/// Columns for a table on stdout; where that is no terminal, as many as it takes.
pub(crate) fn table_columns() -> usize {
    let known = terminal_size_of(stdout()).map(|(Width(columns), _)| usize::from(columns));
    known.filter(|&columns| columns > 0).map_or(usize::MAX, |columns| columns.max(40))
}

/// Columns for text on stdout, which wraps at most at 100 so that it can be read.
pub(crate) fn text_columns() -> usize {
    let known = terminal_size_of(stdout()).map(|(Width(columns), _)| usize::from(columns));
    known.filter(|&columns| columns > 0).unwrap_or(100).clamp(40, 100)
}

/// Whether the locale can show more than ASCII.
pub(crate) fn speaks_unicode() -> bool {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    match set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")) {
        Some(locale) => {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        }
        // Windows and macOS set none and can; a bare Unix without a locale cannot be trusted.
        None => cfg!(any(windows, target_os = "macos")),
    }
}

/// The same text for a locale that can show nothing else.
pub(crate) fn ascii(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            letter if letter.is_ascii() => plain.push(letter),
            '×' => plain.push('x'),
            'µ' | 'μ' => plain.push('u'),
            '→' => plain.push_str("->"),
            '♥' => plain.push_str("heart"),
            '–' | '—' | '−' => plain.push('-'),
            '±' => plain.push_str("+-"),
            '…' => plain.push_str("..."),
            '█' => plain.push('#'),
            '░' => plain.push('.'),
            '▒' => plain.push('+'),
            '·' => plain.push(','),
            _ => plain.push('?'),
        }
    }
    plain
}

/// Whether what goes to stdout may end up in the same window as stderr: a pipe leads to a
/// program that may print there.
pub(crate) fn stdout_may_show() -> bool {
    !stdout().is_terminal() && stdout_is_pipe()
}

#[cfg(unix)]
fn stdout_is_pipe() -> bool {
    use std::os::{fd::AsFd, unix::fs::FileTypeExt};

    let file = stdout().as_fd().try_clone_to_owned().map(std::fs::File::from);
    let kind = file.and_then(|file| file.metadata()).map(|metadata| metadata.file_type());
    kind.is_ok_and(|kind| kind.is_fifo() || kind.is_socket())
}

#[cfg(not(unix))]
fn stdout_is_pipe() -> bool {
    // Not worth a system call of our own: without a status line nothing is lost but comfort.
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_ascii_is_left() {
        assert_eq!(ascii("♥ 78 bpm, 61 µs, 3 × → … ü"), "heart 78 bpm, 61 us, 3 x -> ... ?");
    }
}
