//! [`Reader`] and [`Writer`]: the two ends of streams.

use std::{
    collections::VecDeque,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;

use super::asked::Asked;
use crate::{driver::Bell, session::StreamKey};

/// Opens a stream as soon as the other side allows one more.
pub(super) type Opening =
    dyn Future<Output = Result<quinn::SendStream, quinn::ConnectionError>> + Send;

/// What comes on one stream.
pub(super) struct Reader {
    pub(super) number: u64,
    pub(super) stream: Asked<quinn::RecvStream>,
    /// What was read and not given out.
    pub(super) read: VecDeque<Bytes>,
}

/// What goes on one stream.
#[derive(Default)]
pub(super) struct Writer {
    pub(super) stream: Option<quinn::SendStream>,
    pub(super) waiting: VecDeque<Bytes>,
    pub(super) is_bulk: bool,
    pub(super) priority: i32,
    pub(super) ends: bool,
    /// Nothing more is taken, by us or by the other side.
    pub(super) is_over: bool,
}

impl Reader {
    pub(super) fn new(stream: quinn::RecvStream, first: Vec<u8>, bell: &Arc<Bell>) -> Self {
        let (number, stream) = (u64::from(stream.id()), Asked::new(stream, bell));
        let read = VecDeque::from_iter((!first.is_empty()).then(|| first.into()));
        Self { number, stream, read }
    }
}

impl Writer {
    /// Hands on what it can; gives how many bytes.
    pub(super) fn write(
        &mut self,
        key: StreamKey,
        connection: &quinn::Connection,
        opening: &mut Option<(StreamKey, Pin<Box<Opening>>)>,
        context: &mut Context<'_>,
    ) -> usize {
        let before = self.held();
        if self.stream.is_none() && !self.open(key, connection, opening, context) {
            return before - self.held();
        }
        let stream = self.stream.as_mut().expect("just opened");
        while !self.waiting.is_empty() {
            let written = {
                let write = pin!(stream.write_chunks(self.waiting.make_contiguous()));
                write.poll(context)
            };
            match written {
                Poll::Ready(Ok(written)) => drop(self.waiting.drain(..written.chunks)),
                Poll::Ready(Err(_)) => {
                    // The other side does not want it, or the connection is gone, as we hear anyway.
                    (self.is_over, self.ends) = (true, false);
                    self.waiting.clear();
                }
                Poll::Pending => break,
            }
        }
        if self.waiting.is_empty() && self.ends {
            self.is_over = true;
            drop(stream.finish());
        }
        before - self.held()
    }

    pub(super) fn set_priority(&mut self, priority: i32) {
        (self.priority, self.is_bulk) = (priority, priority == 0);
        if let Some(stream) = &self.stream {
            drop(stream.set_priority(priority));
        }
    }

    pub(super) fn held(&self) -> usize {
        self.waiting.iter().map(Bytes::len).sum()
    }

    /// Whether it is open now.
    fn open(
        &mut self,
        key: StreamKey,
        connection: &quinn::Connection,
        opening: &mut Option<(StreamKey, Pin<Box<Opening>>)>,
        context: &mut Context<'_>,
    ) -> bool {
        // One after another, so that the first that is asked for has the lowest number.
        let (of, open) = opening.get_or_insert_with(|| {
            let connection = connection.clone();
            (key, Box::pin(async move { connection.open_uni().await }))
        });
        if *of != key {
            return false;
        }
        let Poll::Ready(opened) = open.as_mut().poll(context) else { return false };
        *opening = None;
        match opened {
            Ok(stream) => {
                drop(stream.set_priority(self.priority));
                self.stream = Some(stream);
                true
            }
            Err(_) => {
                self.is_over = true;
                self.waiting.clear();
                false
            }
        }
    }
}
