//! What stands in for an answer that is late or has failed: `fallback`.

use std::sync::{Arc, Mutex, PoisonError};

use engine::{Answer, Fault, Param, Relay, Reply};

pub(super) const FALLBACK: Param<&str> = Param::optional(
    "fallback",
    "What stands in for an answer that is late or has failed: \"last\", the newest answer there was, or what \
     the kind's text says.",
);
/// The word for the newest answer.
pub(super) const LAST: &str = "last";

/// What stands in.
#[derive(Clone)]
pub(super) enum StandIn {
    /// The newest answer there was.
    Last(Arc<Recent>),
    /// Always the same.
    Fixed(Answer),
}

/// The newest answer of a node, in the order of its questions.
#[derive(Default)]
pub(super) struct Recent(Mutex<Newest>);

#[derive(Default)]
struct Newest {
    asked: u64,
    answer: Option<(u64, Answer)>,
}

/// Notes an answer on its way.
struct Watched {
    recent: Arc<Recent>,
    number: u64,
    reply: Mutex<Option<Reply>>,
}

impl StandIn {
    /// What stands in now.
    pub(super) fn answer(&self) -> Option<Answer> {
        match self {
            Self::Last(recent) => recent.lock().answer.as_ref().map(|(_, answer)| answer.clone()),
            Self::Fixed(answer) => Some(answer.clone()),
        }
    }

    /// Somebody else has answered a question, newer than those whose answers are known.
    pub(super) fn hear(&self, answer: &Answer) {
        let Self::Last(recent) = self else { return };
        let mut newest = recent.lock();
        newest.asked += 1;
        newest.answer = Some((newest.asked, answer.clone()));
    }

    /// The reply that the answer of a question is to go to, for it to be known here.
    pub(super) fn watch(&self, reply: Reply) -> Reply {
        let Self::Last(recent) = self else { return reply };
        let number = {
            let mut newest = recent.lock();
            newest.asked += 1;
            newest.asked
        };
        let left = reply.left();
        let reply = Mutex::new(Some(reply));
        Reply::through(Arc::new(Watched { recent: recent.clone(), number, reply })).within(left)
    }
}

impl Recent {
    fn lock(&self) -> std::sync::MutexGuard<'_, Newest> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Relay for Watched {
    fn pass_on(&self, answer: Result<Answer, Fault>) {
        if let Ok(answer) = &answer {
            let mut newest = self.recent.lock();
            // One that was overtaken by a later one is no news.
            if newest.answer.as_ref().is_none_or(|(number, _)| *number < self.number) {
                newest.answer = Some((self.number, answer.clone()));
            }
        }
        let reply = self.reply.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (reply, answer) {
            (Some(reply), Ok(answer)) => reply.answer(answer),
            (Some(reply), Err(fault)) => reply.fail(fault),
            (None, _) => {}
        }
    }

    fn is_wanted(&self) -> bool {
        let reply = self.reply.lock().unwrap_or_else(PoisonError::into_inner);
        reply.as_ref().is_some_and(Reply::is_wanted)
    }
}
