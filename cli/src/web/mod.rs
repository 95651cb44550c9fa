//! `--web ADDRESS`: a page on which the graph is seen alive, in any browser.
//!
//! ```text
//! Running ── report, taps ──▶ lookout (a thread) ── a queue each ──▶ server (a thread, tokio) ──▶ browsers
//!    ▲                            sleeps while nobody looks             page, token, server-sent events
//!    └── set, pause, finish, stop ◀── control ◀── POST, with `--allow-control` alone
//! ```
//!
//! What is counted is what `afferent top` shows ([`crate::figures`]), and what passes comes by the same taps as
//! `afferent tap` uses: they are open while somebody looks, one for all who look at the same output, and wait for
//! nobody. A browser that is slow loses what is oldest and is told how much.
//!
//! The page is plain HTML, CSS and JavaScript in `assets`, put into the program as they are; it asks nobody else
//! for anything.

mod address;
mod assets;
mod content;
mod control;
mod gate;
mod lookout;
mod message;
mod offer;
mod server;
mod taps;
#[cfg(test)]
mod tests;
mod viewers;
mod wave;

use std::{
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use engine::Running;
use link::host::Links;
use tokio::sync::watch;

use crate::{
    followers::Followers,
    interrupt::Wish,
    local::{About, message::End},
};

pub(crate) use address::{Opened, open};
use gate::Gate;
use message::SetDone;
use viewers::Viewers;

/// So long the end of a run waits for those who are still being told of it.
const FAREWELL: Duration = Duration::from_millis(300);

/// Serves the page until it is dropped.
pub(crate) struct Web {
    inside: Arc<Inside>,
    lookout: Option<JoinHandle<()>>,
    server: Option<JoinHandle<()>>,
    closing: watch::Sender<bool>,
}

/// What the threads of a page share.
struct Inside {
    about: About,
    // The run ends when whoever started it lets it go, whoever looks on.
    running: Weak<Running>,
    links: Option<Links>,
    followers: Arc<Followers>,
    gate: Gate,
    may_control: bool,
    viewers: Viewers,
    is_draining: AtomicBool,
    /// What somebody on the page wants of the whole run.
    wish: Mutex<Option<Wish>>,
    /// What was set on the page, the newest of each parameter.
    sets: Mutex<Vec<SetDone>>,
    end: Mutex<Option<End>>,
    /// Taps that are open.
    taps: AtomicUsize,
}

impl Web {
    /// Begins to serve where [`open`] listens already. The words say why it cannot.
    pub(crate) fn start(
        opened: Opened,
        about: About,
        running: &Arc<Running>,
        links: Option<Links>,
        followers: &Arc<Followers>,
    ) -> Result<Self, String> {
        let Opened { listener, gate, may_control, .. } = opened;
        let says = |error: std::io::Error| format!("cannot serve the page: {error}");
        let inside = Arc::new(Inside {
            about,
            running: Arc::downgrade(running),
            links,
            followers: followers.clone(),
            gate,
            may_control,
            viewers: Viewers::default(),
            is_draining: AtomicBool::new(false),
            wish: Mutex::default(),
            sets: Mutex::default(),
            end: Mutex::default(),
            taps: AtomicUsize::new(0),
        });
        let (closing, closed) = watch::channel(false);
        let mut this = Self { inside, lookout: None, server: None, closing };
        this.lookout = Some(lookout::start(&this.inside).map_err(says)?);
        this.server = Some(server::start(&this.inside, listener, closed).map_err(says)?);
        Ok(this)
    }

    /// The run was asked to end.
    pub(crate) fn drains(&self) {
        self.inside.is_draining.store(true, Ordering::Relaxed);
    }

    /// What somebody on the page wants of the run, told once.
    pub(crate) fn wish(&self) -> Option<Wish> {
        self.inside.wish.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Tells everybody how the run has ended.
    pub(crate) fn end(mut self, how: &str, after_s: f64, fault: Option<String>) {
        let end = End { how: how.to_owned(), after_s, fault, missed: 0 };
        *self.inside.end.lock().unwrap_or_else(PoisonError::into_inner) = Some(end);
        self.close();
    }

    /// Ends both threads: the lookout's last word is on its way before the server hangs up.
    fn close(&mut self) {
        self.inside.viewers.end();
        if let Some(lookout) = self.lookout.take() {
            // It has panicked at worst, which was told when it happened.
            let _ = lookout.join();
        }
        self.inside.viewers.wait_until_gone(FAREWELL);
        let _ = self.closing.send(true);
        if let Some(server) = self.server.take() {
            let _ = server.join();
        }
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.close();
    }
}

/// Whoever looks on comes after the graph. Not last of all: blocks of long frames go back to where data cores take
/// theirs from, and must not be held up for long.
fn stand_back() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(5);
}
