//! Where something was written: a text with a name, and a span of bytes in it.

use std::ops::Range;
use std::sync::Arc;

/// What the text of one `--set` is known by.
pub(super) const COMMAND_LINE: &str = "--set";

/// A text that graphs are read from, with the name a reader knows it by.
///
/// The name is the path of a file as the user gave it, or `--set` for the command line. Nothing
/// here reads files: whoever does hands the text in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceText {
    name: String,
    text: String,
    /// Byte offset at which each line begins. Kept because a file with ten thousand problems asks
    /// for ten thousand line numbers.
    line_starts: Vec<usize>,
    /// The include that it was read for, by its whole name, and where that is written.
    included: Option<(String, Option<Place>)>,
}

impl SourceText {
    /// Takes a text in and counts its lines.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        let text = text.into();
        let after_breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let line_starts = std::iter::once(0).chain(after_breaks.map(|(at, _)| at + 1)).collect();
        Arc::new(Self { name: name.into(), text, line_starts, included: None })
    }

    /// The same text as that of the include of this whole name, which is written at `place`.
    pub(super) fn included(self: Arc<Self>, include: &str, place: &Option<Place>) -> Arc<Self> {
        let mut this = Arc::unwrap_or_clone(self);
        this.included = Some((include.to_owned(), place.clone()));
        Arc::new(this)
    }

    /// The whole name of the include that it was read for, if there is one.
    pub fn included_as(&self) -> Option<&str> {
        self.included.as_ref().map(|(include, _)| include.as_str())
    }

    /// Where the include that it was read for is written.
    pub(super) fn includer(&self) -> Option<&Place> {
        self.included.as_ref()?.1.as_ref()
    }

    /// What a reader knows the text by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All of it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The bytes of the line that holds `offset`, without its line break, and its number from 1.
    pub(super) fn line_at(&self, offset: usize) -> (usize, Range<usize>) {
        let index = self.line_starts.partition_point(|start| *start <= offset) - 1;
        let start = self.line_starts[index];
        let end = self.line_starts.get(index + 1).map_or(self.text.len(), |next| next - 1);
        let line = self.text[start..end].trim_end_matches('\r');
        (index + 1, start..start + line.len())
    }
}

/// A span of bytes in a text. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The text.
    pub file: Arc<SourceText>,
    /// The bytes in it.
    pub span: Range<usize>,
}

impl Place {
    /// The bytes `span` of a text.
    pub fn new(file: &Arc<SourceText>, span: Range<usize>) -> Self {
        Self { file: Arc::clone(file), span }
    }

    /// The part of this place that `within` names, counted in bytes from its beginning.
    pub fn part(&self, within: Range<usize>) -> Self {
        let (start, end) = (self.span.start + within.start, self.span.start + within.end);
        Self { file: Arc::clone(&self.file), span: start..end.min(self.span.end.max(start)) }
    }

    /// Where exactly `text` stands, should this be the place of a literal that holds it without
    /// escapes: then parts of the text have places too.
    pub(super) fn inside(&self, text: &str) -> Option<Self> {
        let written = self.file.text.get(self.span.clone())?;
        let quoted = || written.get(1..written.len().checked_sub(1)?);
        if written == text {
            Some(self.clone())
        } else if quoted() == Some(text) {
            Some(self.part(1..1 + text.len()))
        } else {
            None
        }
    }

    /// The line and column, both from 1; columns count characters.
    pub fn line_and_column(&self) -> (usize, usize) {
        let offset = self.offset();
        let (number, line) = self.file.line_at(offset);
        let before = &self.file.text[line.start..offset.clamp(line.start, line.end)];
        (number, before.chars().count() + 1)
    }

    /// The first byte, moved onto a character of the text should it lie outside or inside one.
    pub(super) fn offset(&self) -> usize {
        self.file.text.floor_char_boundary(self.span.start)
    }
}

/// A value and where it was written. Values from Rust code have no place.
///
/// Two are equal when their values are: the same graph written in a file and in Rust is the same.
#[derive(Clone, Debug)]
pub struct Spanned<T> {
    /// What was written.
    pub value: T,
    /// Where.
    pub place: Option<Place>,
}

impl<T> Spanned<T> {
    /// A value written at a place.
    pub fn new(value: T, place: Option<Place>) -> Self {
        Self { value, place }
    }

    /// The same place with a value made from this one.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned { value: change(self.value), place: self.place }
    }
}

impl<T: PartialEq> PartialEq for Spanned<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T> From<T> for Spanned<T> {
    fn from(value: T) -> Self {
        Self { value, place: None }
    }
}

impl From<&str> for Spanned<String> {
    fn from(value: &str) -> Self {
        Self { value: value.to_owned(), place: None }
    }
}
