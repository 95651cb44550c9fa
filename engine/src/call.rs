//! [`Call`]: a node that asks something asynchronous and gives answers in order.
//!
//! ```text
//! frames ─ring─▶ process ─▶ questions ─▶ ask ─▶ (a worker, a service) ─▶ Reply ─▶ answers, in order
//! ```
//!
//! A call stands on a data core and never waits: it hands a question out with a [`Reply`], and
//! whoever has the answer gives it to that, from whatever thread; it wakes the core. At most
//! `in_flight` questions are open, each asked as soon as it may be; answers leave in the order
//! of the questions, whichever came first, and the bound behind the call is the oldest question still
//! open.
//!
//! | What happens | Then |
//! |---|---|
//! | no answer at the deadline, or whoever is asked gives up before ([`Reply::give_up`]) | the fallback, else `dropped(late)` |
//! | the answer is a fault, or will never come | asked again, `retries` times at most (none unless the node says so) and not beyond the deadline; then the fallback, else `dropped(poison)` |
//! | the call itself faults or panics | the question is `dropped(poison)`, the body put in anew behind a gap `restart`; if that happens too often, `on_fault` decides, as for every body. What was asked before is answered still |

mod reply;

use std::{sync::Arc, time::Duration};

use smallvec::{SmallVec, smallvec};

use crate::{
    body::GapNotice,
    buffer::Buffer,
    fault::Fault,
    frame::{Frame, Gap},
    io::Io,
    kind::Node,
    time::Timestamp,
};

pub(crate) use reply::{Letter, Letters};
pub use reply::{Relay, Reply};

/// Asks something asynchronous: a model, a remote service.
pub trait Call: Send {
    /// Makes questions of a frame, or of the aligned frames of one moment: whatever it sends, on
    /// port 0, is asked about, in that order. Unless said otherwise the frame itself is the question.
    ///
    /// # Errors
    /// A [`Fault`] if it cannot go on; the frame counts as poison, the body is rebuilt.
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let frame = io.take();
        io.send(0, frame);
        Ok(())
    }

    /// Content is missing before the next frame. Does nothing unless said otherwise; the answer to the
    /// next question says so in any case.
    fn gap(&mut self, _gap: &GapNotice) {}

    /// The input has ended; sends the questions that are left. Called once.
    ///
    /// # Errors
    /// As `process`.
    fn flush(&mut self, _io: &mut Io<'_>) -> Result<(), Fault> {
        Ok(())
    }

    /// A node above has taken back what it had sent: what the body keeps of frames before is void, and
    /// the questions made of them are given up. Told as a gap unless said otherwise.
    fn void(&mut self) {
        self.gap(&GapNotice { reason: Gap::Flush, until: Timestamp::MAX });
    }

    /// Asks about one question. Must not wait: the answer goes to `reply`. The runtime gives it
    /// the question's time, tag and clock.
    ///
    /// # Errors
    /// A [`Fault`] if it cannot even ask.
    fn ask(&mut self, question: &Frame, reply: Reply) -> Result<(), Fault>;

    /// Most questions open at once; further frames wait in the ring. Looked at with every question.
    fn in_flight(&self) -> usize {
        1
    }

    /// How long an answer may take, from when the question was asked first.
    fn deadline(&self) -> Option<Duration> {
        None
    }

    /// What stands in for an answer that did not come in time or failed.
    fn fallback(&mut self, _question: &Frame) -> Option<Answer> {
        None
    }

    /// Changes live parameters between frames.
    ///
    /// # Errors
    /// If the parameter cannot be changed to that; nothing has changed then.
    fn retune(&mut self, _node: &Node<'_>) -> Result<(), Fault> {
        Err(Fault::new("none of its parameters can change while it runs"))
    }

    /// Why it cannot be asked on either of two hosts by turns, if it cannot: questions that hang together
    /// must be asked at one place.
    fn keeps_here(&self) -> Option<&'static str> {
        None
    }

    /// Another host has answered a question in its place. Does nothing unless said otherwise.
    fn hear(&mut self, _answer: &Answer) {}

    /// What to tell the user once at the end, such as how many answers were missing.
    fn remark(&self) -> Option<String> {
        None
    }

    /// As [`Operator::save`](crate::Operator::save): what questions are made of, as far as they hang together.
    fn save(&self, _into: &mut Vec<u8>) {}

    /// As [`Operator::load`](crate::Operator::load). Where it is refused, the runtime puts nothing in its place:
    /// what was half taken up must be forgotten.
    ///
    /// # Errors
    /// As there.
    fn load(&mut self, _from: &[u8]) -> Result<(), Fault> {
        Err(Fault::new("this kind saves no state"))
    }
}

/// What is said to one question: payloads for output ports, mostly one for the first.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub(crate) payloads: SmallVec<[(usize, Buffer); 1]>,
    /// Moments of payloads that are not about that of the question.
    pub(crate) times: SmallVec<[(usize, Timestamp); 1]>,
    by: Option<Arc<str>>,
    doubt: Doubt,
}

/// How far an answer is to be trusted by whoever could ask somebody else: the less the better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// It is what whoever was asked has to say.
    #[default]
    None,
    /// Somebody better may know more.
    Some,
    /// Whoever was asked knows nothing, as where a model is missing.
    All,
}

impl Answer {
    /// No frame at all: there is nothing to say, as where a picture shows nobody.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// The same, and a frame on `port`.
    #[must_use]
    pub fn and(mut self, port: usize, buffer: Buffer) -> Self {
        self.payloads.push((port, buffer));
        self
    }

    /// The same, and a frame on `port` that is about another moment than the question: not older than the kind's look-back
    /// allows, nor than what went out there before. Caches and links keep no such moments: it is for kinds that use
    /// neither.
    #[must_use]
    pub fn and_at(mut self, port: usize, time: Timestamp, buffer: Buffer) -> Self {
        self.times.push((self.payloads.len(), time));
        self.and(port, buffer)
    }

    /// The moment that a payload is about, by its place, if that is not the question's.
    pub fn time_of(&self, payload: usize) -> Option<Timestamp> {
        self.times.iter().find(|(place, _)| *place == payload).map(|(_, time)| *time)
    }

    /// The same, said by another host or another part of this one: events of a call that may move say so in
    /// their field `host`.
    #[must_use]
    pub fn by(mut self, host: &Arc<str>) -> Self {
        self.by = Some(host.clone());
        self
    }

    /// The same, so far to be doubted.
    #[must_use]
    pub const fn in_doubt(mut self, doubt: Doubt) -> Self {
        self.doubt = doubt;
        self
    }

    /// How far it is to be doubted.
    pub const fn doubt(&self) -> Doubt {
        self.doubt
    }

    /// Who said it, where that may be several.
    pub fn host(&self) -> Option<&str> {
        self.by.as_deref()
    }

    /// The frames' payloads, each with its port.
    pub fn payloads(&self) -> &[(usize, Buffer)] {
        &self.payloads
    }
}

impl From<Buffer> for Answer {
    /// One frame on the first port.
    fn from(buffer: Buffer) -> Self {
        Self { payloads: smallvec![(0, buffer)], ..Self::default() }
    }
}
