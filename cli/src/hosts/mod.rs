//! Links of a run to other hosts.

mod crowd;

use std::{
    io::{Write, stderr},
    net::SocketAddr,
};

use engine::{ControlError, Running, counted};
use link::{
    carrier::LinkCarrier,
    host::{
        DialError, Dialing, Keys, Left, Links, Part, ServeError, ServeSettings, Serving,
        ShelfError, Tell,
    },
    quic,
    trust::Limits,
};

use crate::exit::{Exit, Failure};

pub(crate) use crowd::Crowd;

/// The links of a run.
pub(crate) enum Linked {
    /// It calls others.
    Calls(Dialing),
    /// Others call it.
    Serves(Box<Serving>),
}

impl Linked {
    /// Opens so many sessions and calls the other hosts for each.
    pub(crate) fn call(
        part: &Part,
        running: &Running,
        carrier: &LinkCarrier,
        sessions: u32,
        tell: Tell,
    ) -> Result<Self, Failure> {
        let dialing = Dialing::start(part, keys()?, running, carrier, sessions, tell);
        dialing.map(Self::Calls).map_err(|error| match error {
            DialError::Open(ControlError::Open(error)) => Failure::open(&error),
            DialError::Shelf(ShelfError::Spool(error)) => {
                Failure::new(Exit::Io, &error.to_string(), &error.hint())
            }
            error => Failure::new(Exit::Io, &error.to_string(), ""),
        })
    }

    /// Listens, and opens a session for everybody who calls.
    pub(crate) fn serve(
        part: Part,
        running: &Running,
        carrier: &LinkCarrier,
        (listen, sessions_max): (SocketAddr, usize),
        tell: Tell,
    ) -> Result<Self, Failure> {
        let mut limits = Limits::for_connections(sessions_max.saturating_add(64));
        if listen.ip().is_loopback() {
            // Processes of one user have one key.
            limits.connections_per_peer = limits.connections_max;
            limits.sessions_per_peer = sessions_max;
        }
        let quic = quic::Settings { limits, ..quic::Settings::default() };
        let settings = ServeSettings { listen, sessions_max, quic };
        let serving = Serving::start(part, &keys()?, &settings, running, carrier, tell);
        serving.map(|serving| Self::Serves(Box::new(serving))).map_err(|error| match error {
            ServeError::Io(error) => Failure::new(
                Exit::Io,
                &format!("cannot listen at {listen}: {error}"),
                "choose another address or port with `--listen`",
            ),
            ServeError::Notes(error) => Failure::new(Exit::Io, &error.to_string(), &error.hint()),
            ServeError::Trust(error) => Failure::new(Exit::Io, &error.to_string(), &error.hint()),
        })
    }

    /// Where it listens, if it does.
    pub(crate) const fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Calls(_) => None,
            Self::Serves(serving) => Some(serving.address()),
        }
    }

    /// How the links are.
    pub(crate) fn links(&self) -> &Links {
        match self {
            Self::Calls(dialing) => dialing.links(),
            Self::Serves(serving) => serving.links(),
        }
    }

    /// Whether a host that was called runs something else.
    pub(crate) fn is_refused(&self) -> bool {
        self.links().refused().is_some()
    }

    /// The run was asked to end.
    pub(crate) fn leave(&self) {
        match self {
            Self::Calls(dialing) => dialing.leave(),
            Self::Serves(serving) => serving.leave(),
        }
    }

    /// Once the run has ended: what is under way arrives, unless it was stopped. Gives how the
    /// program ends.
    pub(crate) fn close(
        self,
        stopped: bool,
        is_urgent: impl FnMut() -> bool,
    ) -> Result<Exit, Failure> {
        let refused = self.links().refused();
        let left = match self {
            Self::Calls(dialing) => dialing.close(stopped, is_urgent),
            Self::Serves(serving) => {
                serving.close();
                Left::default()
            }
        };
        if let Some(why) = refused {
            let hint = "give both hosts the same graph file, and the same `--set` for what crosses";
            return Err(Failure::new(Exit::Graph, &format!("the hosts differ: {why}"), hint));
        }
        if left.has_failed {
            let hint =
                "what it held may not have got through; please report this with what stands above";
            return Err(Failure::new(Exit::Internal, "a link to another host has failed", hint));
        }
        let message = |frames: u64| {
            format!("{} that may not be lost did not get through", counted(frames, "frame"))
        };
        let Left { frames, too_late, kept, .. } = left;
        let hint = match kept {
            Some(_) => "they came when the link to the other host was over",
            None => {
                "the other host was gone, or did not take them, until this one ended; a `spool` would keep them"
            }
        };
        let lost = match kept {
            Some(folder) => {
                if frames > 0 {
                    let (message, folder) = (message(frames), folder.display());
                    // Where stderr is closed there is nobody to tell.
                    let _ = writeln!(stderr(), "note: {message}; they wait in `{folder}`");
                }
                too_late
            }
            None => frames + too_late,
        };
        if lost > 0 {
            return Err(Failure::new(Exit::Io, &message(lost), hint));
        }
        Ok(Exit::Done)
    }
}

fn keys() -> Result<Keys, Failure> {
    Keys::open().map_err(|error| Failure::new(Exit::Io, &error.to_string(), &error.hint()))
}
