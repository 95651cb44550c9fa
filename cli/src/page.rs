//! [`Page`]: text for a person, wrapped to the terminal.

use std::fmt::Write;

use crate::terminal::{Ink, text_columns};

/// Text that grows line by line.
pub(crate) struct Page {
    pub(crate) text: String,
    pub(crate) ink: Ink,
    columns: usize,
}

impl Page {
    /// An empty page for stdout.
    pub(crate) fn of_stdout() -> Self {
        Self { text: String::new(), ink: Ink::of_stdout(), columns: text_columns() }
    }

    /// An empty line and a heading.
    pub(crate) fn title(&mut self, title: &str) {
        let Ink { bold, off, .. } = self.ink;
        self.line("");
        self.line(&format!("{bold}{title}{off}"));
    }

    /// Text in which paragraphs may be wrapped; indented lines, tables and lists stay as they are.
    pub(crate) fn prose(&mut self, doc: &str) {
        let mut paragraph = String::new();
        for line in doc.lines() {
            let is_set = line.is_empty() || line.starts_with([' ', '|', '-', '`']);
            if is_set {
                self.paragraph(&std::mem::take(&mut paragraph), "");
                self.line(line);
            } else {
                let blank = if paragraph.is_empty() { "" } else { " " };
                paragraph += &format!("{blank}{line}");
            }
        }
        self.paragraph(&paragraph, "");
    }

    /// Text that may be wrapped, all of it behind `indent`.
    pub(crate) fn paragraph(&mut self, text: &str, indent: &str) {
        if !text.is_empty() {
            self.paragraph_after(indent, indent.chars().count(), text, indent);
        }
    }

    /// Wraps `text` behind `start`, which takes so many columns; later lines after `indent`.
    pub(crate) fn paragraph_after(
        &mut self,
        start: &str,
        start_columns: usize,
        text: &str,
        indent: &str,
    ) {
        let (mut line, mut columns) = (start.to_owned(), start_columns);
        let mut is_first = true;
        for word in text.split_whitespace() {
            let needed = word.chars().count() + usize::from(!is_first);
            if !is_first && columns + needed > self.columns {
                self.line(&line);
                (line, columns) = (indent.to_owned(), indent.chars().count());
                is_first = true;
            }
            if !is_first {
                line.push(' ');
                columns += 1;
            }
            line += word;
            columns += word.chars().count();
            is_first = false;
        }
        self.line(&line);
    }

    /// One line, whatever its length.
    pub(crate) fn line(&mut self, line: &str) {
        writeln!(self.text, "{}", line.trim_end()).expect("writing to a String cannot fail");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_wrap_behind_an_indent() {
        let mut page = Page { text: String::new(), ink: Ink::OFF, columns: 16 };

        page.paragraph_after("  name  ", 8, "one two three four", "        ");

        assert_eq!(page.text, "  name  one two\n        three\n        four\n");
    }
}
