//! Where lines go that are meant for standard output.
//!
//! All sinks and sessions of a process share one place, so that lines are never
//! mixed. A program that has something better to do with them, such as a status
//! line on a terminal, puts its own [`Lines`] there before it starts a graph.

use std::{
    io::{self, BufWriter, Stdout, Write},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use engine::{Format, Frame};

/// One line, and what it was made from.
pub struct Line<'a> {
    /// Where the frame comes from: `node` or `node.port`.
    pub node: &'a str,
    /// The session.
    pub session: u32,
    /// The line with its line break.
    pub text: &'a str,
    /// What the frame carries.
    pub format: &'a Format,
    /// The frame.
    pub frame: &'a Frame,
}

/// A place for lines. Called from several threads.
pub trait Lines: Send + Sync {
    /// Takes a line.
    ///
    /// # Errors
    /// If it cannot be written; a closed pipe ends the run cleanly.
    fn line(&self, line: &Line<'_>) -> io::Result<()>;

    /// Nothing is to be written for the moment: show what is buffered.
    ///
    /// # Errors
    /// As [`Lines::line`].
    fn idle(&self) -> io::Result<()>;
}

static OUT: Mutex<Option<Arc<dyn Lines>>> = Mutex::new(None);
static TELLS_SESSION: AtomicBool = AtomicBool::new(false);
static ARE_JSON: AtomicBool = AtomicBool::new(false);

/// Sends all lines of sinks built from now on to `lines`.
pub fn set(lines: Arc<dyn Lines>) {
    *OUT.lock().unwrap_or_else(PoisonError::into_inner) = Some(lines);
}

/// Says whether lines carry the number of their session.
pub fn tell_session(tell: bool) {
    TELLS_SESSION.store(tell, Ordering::Relaxed);
}

pub(crate) fn tells_session() -> bool {
    TELLS_SESSION.load(Ordering::Relaxed)
}

/// Says whether sinks built from now on write JSON for programs where they would write for people.
pub fn want_json(want: bool) {
    ARE_JSON.store(want, Ordering::Relaxed);
}

pub(crate) fn are_json() -> bool {
    ARE_JSON.load(Ordering::Relaxed)
}

/// The place lines go to: standard output unless [`set`] said otherwise.
pub fn out() -> Arc<dyn Lines> {
    let mut out = OUT.lock().unwrap_or_else(PoisonError::into_inner);
    out.get_or_insert_with(|| Arc::new(Standard(Mutex::new(BufWriter::new(io::stdout()))))).clone()
}

/// Standard output, written a buffer at a time, shown whenever nothing is to be written.
struct Standard(Mutex<BufWriter<Stdout>>);

impl Lines for Standard {
    fn line(&self, line: &Line<'_>) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.text.as_bytes())
    }

    fn idle(&self) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}
