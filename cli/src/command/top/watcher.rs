//! [`Watcher`]: asks a process again and again, so that the screen never waits for it.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread::Builder,
    time::Duration,
};

use crate::{
    command::attach::{failure, words},
    exit::{Exit, Failure},
    local::{Client, Trouble, message::Look},
};

/// The second look follows the first so soon, as rates take two.
pub(super) const SECOND: Duration = Duration::from_millis(300);

/// A process that is at work answers within this.
const ANSWER: Duration = Duration::from_secs(2);

/// What is heard of a process.
#[derive(Debug)]
pub(super) enum News {
    Look(Box<Look>),
    /// It is there and does not answer; it may yet.
    Silent,
    /// Nothing more will be heard; why, in words.
    Over(String),
}

/// A thread that asks; dropping it lets it go.
pub(super) struct Watcher {
    pub(super) news: Receiver<News>,
    _stop: Sender<()>,
}

impl Watcher {
    pub(super) fn start(mut client: Client, every: Duration) -> Result<Self, Failure> {
        let (tell, news) = channel();
        let (stop, stopped) = channel();
        client.be_patient(ANSWER).map_err(|trouble| failure(&trouble))?;
        let ask = move || {
            let mut wait = SECOND.min(every);
            let mut is_due = false;
            loop {
                let heard =
                    if is_due { client.look_that_is_due() } else { client.look_with_time() };
                is_due = matches!(heard, Err(Trouble::Silent));
                let said = match heard {
                    Ok(look) => News::Look(Box::new(look)),
                    Err(Trouble::Silent) => News::Silent,
                    Err(trouble) => News::Over(words(&trouble)),
                };
                let is_over = matches!(said, News::Over(_));
                if tell.send(said).is_err() || is_over {
                    return;
                }
                // Nobody says anything: whoever is not wanted any more is let go.
                if stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
                wait = every;
            }
        };
        let thread = Builder::new().name("watcher".to_owned()).spawn(ask);
        thread.map_err(|error| {
            Failure::new(Exit::Io, &format!("the system has no thread to spare: {error}"), "")
        })?;
        Ok(Self { news, _stop: stop })
    }
}
