//! The local socket of a running graph: how `top` and `tap` look into it.
//!
//! ```text
//! run, serve ── Server ── PID.sock ──┬── Client  top: asks for a Look again and again
//!   (a thread that waits)            └── Client  tap: is sent frames until it hangs up
//! ```
//!
//! One object of JSON per line, both ways; [`message`] says which. Whoever connects is asked for by
//! nobody: the server's thread waits in the system until somebody comes, each who comes has a thread of
//! his own, and what he does not read is held up there and nowhere else. The socket is this user's alone:
//! mode 0600 in a folder of mode 0700 that is checked to be ours, and the system says who calls.

#[cfg(unix)]
mod client;
#[cfg(unix)]
mod folder;
pub(crate) mod formats;
#[cfg(unix)]
mod frames;
pub(crate) mod look;
#[cfg_attr(not(unix), allow(dead_code, reason = "a part is for the page of `--web`, too"))]
pub(crate) mod message;
#[cfg(unix)]
mod server;
#[cfg(all(test, unix))]
mod tests;
#[cfg_attr(not(unix), allow(dead_code, reason = "a part is for `top` alone"))]
pub(crate) mod times;

#[cfg(unix)]
pub(crate) use client::{Came, Client, Found, Frames, Trouble, find};
#[cfg(unix)]
pub(crate) use server::Server;

/// What whoever looks in hears of the process first.
#[derive(Clone, Debug)]
pub(crate) struct About {
    /// The graph file as it was named.
    pub(crate) file: String,
    /// The host of the graph that it is.
    pub(crate) host: Option<String>,
    pub(crate) cores: usize,
    pub(crate) speed: Option<f64>,
}
