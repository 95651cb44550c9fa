//! What is wrong in a graph, told to the person who wrote it.

use std::collections::HashSet;
use std::fmt;

use super::code::Code;
use super::place::Place;
use super::render;

/// Whether a problem keeps the graph from starting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// It does.
    Error,
    /// It does not, but somebody should look.
    Warning,
}

/// One problem of a graph: what, where, and what to do about it.
///
/// The message is lower case, with names in backticks, and states the value *and* the limit. The
/// hint starts with a verb, or with the fact the reader lacks.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    /// What sort of problem it is.
    pub code: Code,
    /// Whether the graph can start in spite of it.
    pub level: Level,
    /// What is wrong, in one line.
    pub message: String,
    /// Where it was written.
    pub place: Option<Place>,
    /// What the problem belongs to, such as ``node `ecg` ``. Shown when there is no place, as for
    /// a graph built in Rust.
    pub origin: Option<Box<str>>,
    /// What to do about it, in one line.
    pub hint: Option<String>,
    /// Other places that explain the problem, each with what stands there.
    pub related: Vec<(String, Place)>,
}

impl Diagnostic {
    /// A problem that keeps the graph from starting.
    pub fn error(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            level: Level::Error,
            message: message.into(),
            place: None,
            origin: None,
            hint: None,
            related: Vec::new(),
        }
    }

    /// A problem that does not keep the graph from starting.
    pub fn warning(code: Code, message: impl Into<String>) -> Self {
        Self { level: Level::Warning, ..Self::error(code, message) }
    }

    /// Takes a place if there is one, so that callers need not ask whether a graph has a text.
    pub fn at(mut self, place: &Option<Place>) -> Self {
        self.place.clone_from(place);
        self
    }

    /// Says which node the problem belongs to, for when there is no place.
    pub fn of_node(self, name: &str) -> Self {
        self.of(format!("node `{name}`"))
    }

    /// Says what the problem belongs to, for when there is no place.
    pub fn of(mut self, origin: impl Into<Box<str>>) -> Self {
        self.origin = Some(origin.into());
        self
    }

    /// Says what to do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds ``did you mean `near`?`` if there is something near.
    pub fn did_you_mean(self, near: Option<&str>) -> Self {
        match near {
            Some(near) => self.hint(format!("did you mean `{near}`?")),
            None => self,
        }
    }

    /// Adds another place that explains the problem; nothing if there is no place.
    pub fn see(mut self, label: impl Into<String>, place: &Option<Place>) -> Self {
        self.related.extend(place.clone().map(|place| (label.into(), place)));
        self
    }

    /// The text a person reads, with the line it is about; in colour if `styled`.
    pub fn render(&self, styled: bool) -> String {
        let mut out = String::new();
        render::diagnostic(self, styled, &mut out);
        out
    }
}

/// All problems of a graph. As an error it says that nothing was started.
///
/// `Display` is plain text; `render` chooses.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl Diagnostics {
    /// Whether one of them keeps the graph from starting.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|problem| problem.level == Level::Error)
    }

    /// The same without what is said of one place twice: a file that is included twice is wrong but once.
    #[must_use]
    pub fn once(mut self) -> Self {
        let mut seen = HashSet::new();
        self.0.retain(|problem| {
            let place = problem.place.as_ref();
            let at = place.map(|at| (at.file.name().to_owned(), at.span.clone()));
            at.is_none_or(|at| seen.insert((problem.message.clone(), at)))
        });
        self
    }

    /// Every problem in the order of the text, then one line that counts them.
    pub fn render(&self, styled: bool) -> String {
        self.render_saying(styled, "nothing was started")
    }

    /// The same; where one of them is an error the last line says what became of it.
    pub fn render_saying(&self, styled: bool, outcome: &str) -> String {
        render::all(&self.0, styled, outcome)
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}

impl From<Vec<Diagnostic>> for Diagnostics {
    fn from(problems: Vec<Diagnostic>) -> Self {
        Self(problems)
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(problem: Diagnostic) -> Self {
        Self(vec![problem])
    }
}
