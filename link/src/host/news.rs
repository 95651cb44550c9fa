//! [`News`]: what a person should hear of links.

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

/// Tells somebody. Called on the links' thread; must not wait.
pub type Tell = Arc<dyn Fn(&News) + Send + Sync>;

/// Something happened to the link of a session. As text it is one line for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of the sentences they stand in")]
pub enum News {
    /// There is a link; `again` after it was gone.
    Up { session: u32, peer: String, at: Option<SocketAddr>, again: bool },
    /// There was none since the start.
    Alone { peer: String, addresses: Vec<String>, why: Option<String> },
    /// It is gone. A host that was called keeps the session for a while.
    Down { session: u32, peer: String, why: Option<String>, kept: Option<Duration> },
    /// The graph waits because an edge that loses nothing has no room left.
    Waits { session: u32, peer: String, edge: String },
    /// The two cannot work together.
    Refused { peer: String, at: Option<SocketAddr>, why: String },
    /// Somebody who called was not let in. `untold` others were not either since the last such line.
    TurnedAway { at: SocketAddr, why: String, remedy: String, untold: u64 },
    /// What was consumed for a host that calls cannot be noted, or was not.
    Unnoted { peer: String, why: String },
    /// The session of a host that called has ended.
    Ended { session: u32, peer: String, why: String },
}

impl fmt::Display for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why =
            |why: &Option<String>| why.as_ref().map_or(String::new(), |why| format!(" ({why})"));
        let at = |at: &Option<SocketAddr>| {
            at.map_or(String::new(), |at| {
                // As it was written, where one socket serves both kinds of addresses.
                format!(" at {}", SocketAddr::new(at.ip().to_canonical(), at.port()))
            })
        };
        match self {
            Self::Up { session, peer, at: address, again } => {
                let is = if *again { "is back" } else { "is there" };
                write!(f, "session {session}: `{peer}`{} {is}", at(address))
            }
            Self::Alone { peer, addresses, why: reason } => {
                let addresses = addresses.join(", ");
                let reason = why(reason);
                write!(
                    f,
                    "`{peer}` does not answer at {addresses}{reason}; going on without it, and calling"
                )
            }
            Self::Down { session, peer, why: reason, kept: None } => {
                let reason = why(reason);
                write!(
                    f,
                    "session {session}: `{peer}` is gone{reason}; going on without it, and calling"
                )
            }
            Self::Down { session, peer, why: reason, kept: Some(kept) } => {
                let (reason, kept_s) = (why(reason), kept.as_secs());
                write!(
                    f,
                    "session {session}: `{peer}` is gone{reason}; its session is kept for {kept_s} s"
                )
            }
            Self::Waits { session, peer, edge } => write!(
                f,
                "session {session}: the graph waits for `{peer}`: `{edge}` may lose nothing and is full; \
                 an `on_full` other than \"block\" would let it go on"
            ),
            Self::Refused { peer, at: address, why } => {
                write!(f, "`{peer}`{} and this host cannot work together: {why}", at(address))
            }
            Self::TurnedAway { at: address, why, remedy, untold } => {
                write!(f, "a host{} was turned away: {why}", at(&Some(*address)))?;
                if !remedy.is_empty() {
                    write!(f, "; {remedy}")?;
                }
                if *untold > 0 {
                    write!(f, " (and {untold} times more since this was said last)")?;
                }
                Ok(())
            }
            Self::Unnoted { peer, why } => write!(
                f,
                "`{peer}`: {why}; after a restart of this host some of its frames may come twice"
            ),
            Self::Ended { session, peer, why } => {
                write!(f, "session {session} of `{peer}` has ended: {why}")
            }
        }
    }
}
