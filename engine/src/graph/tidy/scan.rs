//! The lines of a TOML text that is known to be sound: what is a header, a key, a value, a comment.

/// A line, or the lines of one value.
#[derive(Debug)]
pub(super) enum Statement<'t> {
    Blank,
    Comment(&'t str),
    Header { text: String, comment: Option<&'t str> },
    Entry { key: String, value: &'t str, comment: Option<&'t str> },
}

pub(super) fn statements(text: &str) -> Vec<Statement<'_>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let line = &rest[..rest.find('\n').unwrap_or(rest.len())];
        let start = line.trim_start();
        let (statement, length) = match start.chars().next() {
            None => (Statement::Blank, line.len()),
            Some('#') => (Statement::Comment(start.trim_end()), line.len()),
            Some('[') => {
                let end = comment_at(line);
                let comment = line.get(end..).filter(|comment| !comment.is_empty());
                let text = unblanked(&line[..end]);
                (Statement::Header { text, comment: comment.map(str::trim_end) }, line.len())
            }
            Some(_) => entry(rest),
        };
        found.push(statement);
        at += length + 1;
    }
    while matches!(found.last(), Some(Statement::Blank)) {
        found.pop();
    }
    found
}

/// A key with its value, and the bytes of both up to the end of the line.
fn entry(text: &str) -> (Statement<'_>, usize) {
    let equals = Scan::new(text).find(|(_, c, _)| *c == '=').map_or(text.len(), |(at, ..)| at);
    let after = equals + 1;
    let value_at = after + text[after..].len() - text[after..].trim_start().len();
    let mut end = text.len();
    let mut comment = None;
    for (at, c, depth) in Scan::new(&text[value_at..]) {
        let at = value_at + at;
        if depth == 0 && (c == '\n' || c == '#') {
            let line = text[at..].find('\n').map_or(text.len(), |length| at + length);
            comment = (c == '#').then(|| text[at..line].trim_end());
            end = at;
            let value = text[value_at..end].trim_end();
            return (Statement::Entry { key: unblanked(&text[..equals]), value, comment }, line);
        }
    }
    let value = text[value_at..end].trim_end();
    (Statement::Entry { key: unblanked(&text[..equals]), value, comment }, end)
}

/// Where the comment of a line begins, or its end.
fn comment_at(line: &str) -> usize {
    Scan::new(line).find(|(_, c, _)| *c == '#').map_or(line.len(), |(at, ..)| at)
}

/// A key or a header without blanks around its parts.
pub(super) fn unblanked(text: &str) -> String {
    let mut out = String::new();
    let mut last = 0;
    for (at, c, _) in Scan::new(text) {
        // Texts in quotes are passed over, and stand as they are.
        out.push_str(&text[last..at]);
        if !c.is_whitespace() {
            out.push(c);
        }
        last = at + c.len_utf8();
    }
    out.push_str(&text[last..]);
    out
}

/// Goes through a text past what stands in quotes, and in comments but for their `#`; with the
/// depth of brackets before each character.
pub(super) struct Scan<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl<'t> Scan<'t> {
    pub(super) const fn new(text: &'t str) -> Self {
        Self { text, at: 0, depth: 0 }
    }

    /// The end of the text in quotes that begins here.
    fn end_of_quoted(&self) -> Option<usize> {
        let rest = &self.text[self.at..];
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let three = if quote == '"' { "\"\"\"" } else { "'''" };
        let marks = if rest.starts_with(three) { three } else { &three[..1] };
        let mut at = marks.len();
        while at < rest.len() {
            if quote == '"' && rest[at..].starts_with('\\') {
                at += 1 + rest[at + 1..].chars().next().map_or(0, char::len_utf8);
            } else if rest[at..].starts_with(marks) {
                at += marks.len();
                // Up to two more quotes belong to a text in three of them.
                while marks.len() == 3 && rest[at..].starts_with(quote) {
                    at += 1;
                }
                return Some(self.at + at);
            } else {
                at += rest[at..].chars().next().map_or(1, char::len_utf8);
            }
        }
        Some(self.text.len())
    }
}

impl Iterator for Scan<'_> {
    type Item = (usize, char, usize);

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(end) = self.end_of_quoted() {
            self.at = end;
        }
        let (at, depth) = (self.at, self.depth);
        let c = self.text[at..].chars().next()?;
        self.at += c.len_utf8();
        match c {
            '[' | '{' => self.depth += 1,
            ']' | '}' => self.depth = self.depth.saturating_sub(1),
            '#' => {
                let rest = &self.text[self.at..];
                self.at += rest.find('\n').unwrap_or(rest.len());
            }
            _ => {}
        }
        Some((at, c, depth))
    }
}
