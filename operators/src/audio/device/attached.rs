//! [`Attached`]: a device that is opened again whenever it has vanished.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel},
    thread,
    time::Duration,
};

use super::cards::{Fate, Setup, Stream, Trouble};

/// A device that a thread of its own opens, watches, and opens again. The thread closes it and ends once this is dropped.
pub(in crate::audio) struct Attached<End> {
    news: Receiver<News<End>>,
    _lives: Sender<()>,
}

/// What has become of the device.
pub(in crate::audio) enum News<End> {
    /// It is open; what it hears, or says, passes through this end.
    Here { end: End, setup: Setup, fate: Fate },
    /// It is gone, and looked for again.
    Gone,
    /// It could not be opened in the first place, and is not looked for.
    Never(Trouble),
}

/// An open stream, its end on our side, and how it is set up.
pub(in crate::audio) type Opened<End> = (Box<dyn Stream>, End, Setup);

/// How often the thread looks whether the stream is over.
const WATCH: Duration = Duration::from_millis(50);
/// How long a device that is gone is given; each time half as long again.
const AGAIN: Duration = Duration::from_secs(1);
const AGAIN_MAX: Duration = Duration::from_secs(5);

impl<End: Send + 'static> Attached<End> {
    /// Opens a device by calling `open`, now and whenever it was gone. How the stream ends, it learns by the
    /// fate that `open` is given.
    ///
    /// # Errors
    /// If the system has no thread for it.
    pub(in crate::audio) fn new(
        open: impl FnMut(Fate) -> Result<Opened<End>, Trouble> + Send + 'static,
    ) -> std::io::Result<Self> {
        let (tell, news) = channel();
        let (lives, lived) = channel();
        thread::Builder::new()
            .name("afferent-sound".to_owned())
            .spawn(move || attend(open, &tell, &lived))?;
        Ok(Self { news, _lives: lives })
    }

    /// What has happened since it was asked last; the oldest first.
    pub(in crate::audio) fn news(&self) -> Option<News<End>> {
        match self.news.try_recv() {
            Ok(news) => Some(news),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Self::ended()),
        }
    }

    /// As [`Attached::news`], and waits a while for it.
    pub(in crate::audio) fn wait(&self, most: Duration) -> Option<News<End>> {
        match self.news.recv_timeout(most) {
            Ok(news) => Some(news),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Self::ended()),
        }
    }

    fn ended() -> News<End> {
        // The thread ends by itself after `Never` alone, or by a panic of the cards'.
        News::Never(Trouble {
            what: "what attends to the sound card has ended".to_owned(),
            remedy: "this is a defect of its driver, or of ours".to_owned(),
        })
    }
}

fn attend<End>(
    mut open: impl FnMut(Fate) -> Result<Opened<End>, Trouble>,
    tell: &Sender<News<End>>,
    lived: &Receiver<()>,
) {
    let mut pause = AGAIN;
    let mut was_here = false;
    loop {
        let fate = Fate::default();
        match open(fate.clone()) {
            Ok((stream, end, setup)) => {
                (was_here, pause) = (true, AGAIN);
                if tell.send(News::Here { end, setup, fate: fate.clone() }).is_err() {
                    return;
                }
                while fate.over().is_none() {
                    if is_left(lived, WATCH) {
                        return;
                    }
                }
                // Nothing is put into the ring any more once this has returned.
                drop(stream);
                if tell.send(News::Gone).is_err() {
                    return;
                }
            }
            Err(trouble) if !was_here => {
                let _ = tell.send(News::Never(trouble));
                return;
            }
            Err(_) => pause = (pause * 3 / 2).min(AGAIN_MAX),
        }
        if is_left(lived, pause) {
            return;
        }
    }
}

/// Waits a while, or until nobody wants the device any more.
fn is_left(lived: &Receiver<()>, wait: Duration) -> bool {
    lived.recv_timeout(wait) == Err(RecvTimeoutError::Disconnected)
}
