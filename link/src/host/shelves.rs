//! [`Shelves`]: the spools of a host that calls.

use std::{path::PathBuf, time::SystemTime};

use engine::{Clock, counted};

use super::Peer;
use crate::{
    carrier::SpoolAt,
    session::{Delivery, Session, TimeLine},
    spool::{Keeper, Moment, Settings, SpoolError, Subject},
};

/// A spool for each edge that may lose nothing, in a folder of its own.
pub(super) struct Shelves {
    at: SpoolAt,
    keeper: Keeper,
}

/// Why a host cannot keep what it sends.
#[derive(Debug)]
pub enum ShelfError {
    /// The folder cannot be used.
    Spool(SpoolError),
    /// An earlier run of a recording has left something there, which begins anew now.
    Leftover {
        /// Frames.
        frames: u64,
        /// Where.
        folder: PathBuf,
    },
}

impl std::fmt::Display for ShelfError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Spool(error) => error.fmt(f),
            Self::Leftover { frames, folder } => write!(
                f,
                "`{folder}` holds {held} of an earlier run, whose recording begins anew now; only \
                 what a device has brought goes on. Read them with `afferent spool drain {folder}` if they matter, and remove \
                 the folder",
                held = counted(*frames, "frame"),
                folder = folder.display()
            ),
        }
    }
}

impl std::error::Error for ShelfError {}

impl Shelves {
    pub(super) fn start(at: SpoolAt) -> std::io::Result<Self> {
        let keeper = Keeper::start()?;
        Ok(Self { at, keeper })
    }

    #[expect(clippy::disallowed_methods, reason = "what lies on disk outlives our clocks")]
    fn now(clock: &Clock) -> Moment {
        Moment::new(clock.now(), SystemTime::now())
    }

    /// Has the edges of a session that may lose nothing kept. `slot` is the number of the session among
    /// those of this process, `clock` that of its link.
    pub(super) fn keep(
        &self,
        session: &mut Session,
        peer: &Peer,
        slot: u32,
        clock: &Clock,
    ) -> Result<(), ShelfError> {
        let sent = |config: &crate::session::EdgeConfig| {
            !config.receives && config.delivery == Delivery::Durable
        };
        let edges = peer.edges.iter().enumerate().filter(|(_, edge)| sent(&edge.config));
        for (number, edge) in edges {
            let config = &edge.config;
            let folder = self.at.folder.join(format!("{slot}")).join(as_folder(&config.name));
            let when_full = self.at.when_full;
            let settings = Settings { when_full, ..Settings::new(&folder, self.at.bytes_max) };
            let subject = Subject {
                edge: config.name.clone(),
                format: config.format.clone(),
                line: config.line,
                packed: config.packed,
            };
            let spool = self
                .keeper
                .open(&settings, &subject, Self::now(clock))
                .map_err(ShelfError::Spool)?;
            let opened = spool.opened();
            let frames = opened.frames.count();
            if config.line == TimeLine::Shared && frames > 0 {
                return Err(ShelfError::Leftover { frames, folder });
            }
            session.keep(number as u16, spool);
        }
        Ok(())
    }

    /// Where they stand.
    pub(super) fn folder(&self) -> PathBuf {
        self.at.folder.clone()
    }
}

/// The name of an edge as that of a folder: `beats -> pieces#1` is `beats-pieces.1`. No name has a `+`, so that
/// `a/b` and `a_b` stay two.
fn as_folder(edge: &str) -> String {
    edge.replace(" -> ", "-")
        .replace('#', ".")
        .replace('/', "+")
        .replace(|c: char| !c.is_ascii_alphanumeric() && !"-._+".contains(c), "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_edges_are_names_of_folders() {
        assert_eq!(as_folder("beats -> pieces#1"), "beats-pieces.1");
        assert_eq!(as_folder("a/b.out -> c"), "a+b.out-c");
        assert_ne!(as_folder("a/b -> c"), as_folder("a_b -> c"));
    }
}
