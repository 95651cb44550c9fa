//! What a driver needs of a network: [`Calls`] give [`Connection`]s.

use std::{
    net::SocketAddr,
    task::{Context, Poll},
};

use bytes::Bytes;

use crate::session::{Path, StreamKey};

/// Where connections come from: a dialer, or whoever finds the session of those who call.
pub trait Calls: Send {
    /// Calls the other side, beside calls that go on already. Who is called does nothing. What becomes
    /// of it is asked for after each call.
    fn call(&mut self);

    /// Nobody waits for calls that go on any more.
    fn stop(&mut self) {}

    /// The next connection, or why a call was in vain; others may still go on.
    fn poll_connection(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Box<dyn Connection>, String>>;
}

/// What came on a connection.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "as in `session::Input`")]
pub enum Event<'a> {
    Datagram(&'a [u8]),
    Stream {
        stream: u64,
        bytes: &'a [u8],
        end: bool,
    },
    StreamReset {
        stream: u64,
    },
    /// It takes more than it did when it was asked last.
    Room,
    /// It is gone, and why. Nothing follows.
    Down(&'a str),
}

/// Counts of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Packets sent.
    pub packets: u64,
    /// Packets taken for lost.
    pub lost: u64,
    /// Who is at the other end.
    pub remote: Option<SocketAddr>,
}

/// A connection to the other side. None of the calls waits; what cannot be sent at once is kept, and
/// [`Connection::path`] tells how little more of it is wanted.
pub trait Connection: Send {
    /// What it can do now.
    fn path(&mut self) -> Path;

    /// What came next. Pending: the context's waker is woken when there is something.
    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Event<'_>>;

    /// Sends a datagram.
    fn datagram(&mut self, bytes: Vec<u8>);

    /// Sends bytes on a stream, which begins with the first of them.
    fn stream(&mut self, stream: StreamKey, bytes: Bytes, priority: i32, end: bool);

    /// Gives a stream up, if it has begun and is not through.
    fn reset(&mut self, stream: StreamKey);

    /// Hands on what is kept; ready when the other side has all that was sent on streams.
    fn poll_flushed(&mut self, context: &mut Context<'_>) -> Poll<()>;

    /// Its counts.
    fn figures(&self) -> Figures;

    /// Ends it at once; what is kept is lost.
    fn close(&mut self);
}
