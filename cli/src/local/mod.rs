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

mod client;
mod folder;
mod frames;
mod look;
pub(crate) mod message;
mod server;
#[cfg(test)]
mod tests;

pub(crate) use client::{Came, Client, Found, Frames, Trouble, find};
pub(crate) use server::{About, Server};
