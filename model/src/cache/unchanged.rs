//! [`Unchanged`]: a sensor that says the same again need not be asked about again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine::{Answer, Buffer, Fault, Node, Param, Relay, Reply};

/// A parameter of kinds that ask.
pub(crate) const SKIP_UNCHANGED: Param<f64> = Param::optional(
    "skip_unchanged",
    "A question none of whose numbers is further than this from the last one asked is not asked; 0 for \
     equal ones only.",
)
.within(0.0, 1e12)
.live();
/// A parameter of kinds that ask.
pub(crate) const UNCHANGED: Param<&str> = Param::with_default(
    "unchanged",
    "repeat",
    "What is said to a question that is not asked because of `skip_unchanged`: \"repeat\", the answer to the \
     last one asked; \"nothing\".",
)
.one_of(&["repeat", "nothing"]);

/// Knows the last question that a node asked, and does not ask one that is nearly the same.
pub(crate) struct Unchanged {
    within: f32,
    repeats: bool,
    last: Option<(Buffer, Arc<Asked>)>,
    skipped: u64,
}

/// The last question that was asked, and all that wait for its answer.
struct Asked(Mutex<State>);

enum State {
    Waits(Vec<Reply>),
    Answered(Answer),
    Failed,
}

impl Unchanged {
    /// As the node says; none if it says nothing.
    pub(crate) fn of(node: &Node<'_>) -> Result<Option<Self>, engine::Diagnostic> {
        let Some(within) = node.get_optional(&SKIP_UNCHANGED)? else { return Ok(None) };
        let repeats = node.get(&UNCHANGED)? == "repeat";
        Ok(Some(Self { within: within as f32, repeats, last: None, skipped: 0 }))
    }

    /// Takes over what another knows.
    pub(crate) fn after(mut self, other: Option<Self>) -> Self {
        if let Some(other) = other {
            (self.last, self.skipped) = (other.last, other.skipped);
        }
        self
    }

    /// Answers the question as the last one, or gives back the reply that its answer is to go to.
    pub(crate) fn meet(&mut self, samples: &Buffer, reply: Reply) -> Option<Reply> {
        let reply = match &self.last {
            Some((old, asked)) if self.is_same(old.floats(), samples.floats()) => {
                let repeats = self.repeats;
                match asked.meet(reply, repeats) {
                    Some(reply) => reply,
                    None => {
                        self.skipped += 1;
                        return None;
                    }
                }
            }
            _ => reply,
        };
        let left = reply.left();
        let asked = Arc::new(Asked(Mutex::new(State::Waits(vec![reply]))));
        self.last = Some((samples.clone(), asked.clone()));
        Some(Reply::through(asked).within(left))
    }

    /// The next question is asked, whatever it is.
    pub(crate) fn forget(&mut self) {
        self.last = None;
    }

    /// What to tell at the end.
    pub(crate) fn remark(&self) -> Option<String> {
        let asked = "not asked, as nothing had changed";
        match self.skipped {
            0 => None,
            1 => Some(format!("1 question was {asked}")),
            many => Some(format!("{many} questions were {asked}")),
        }
    }

    fn is_same(&self, old: &[f32], new: &[f32]) -> bool {
        let is_near = |(old, new): (&f32, &f32)| {
            (old - new).abs() <= self.within || old.to_bits() == new.to_bits()
        };
        old.len() == new.len() && old.iter().zip(new).all(is_near)
    }
}

impl Asked {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the reply the answer, now or later; gives it back if there will be none.
    fn meet(&self, reply: Reply, repeats: bool) -> Option<Reply> {
        match &mut *self.lock() {
            State::Failed => return Some(reply),
            State::Waits(waiting) if repeats => waiting.push(reply),
            State::Answered(answer) if repeats => reply.answer(answer.clone()),
            State::Waits(_) | State::Answered(_) => reply.answer(Answer::nothing()),
        }
        None
    }

    fn land(&self, state: State) -> Vec<Reply> {
        match std::mem::replace(&mut *self.lock(), state) {
            State::Waits(waiting) => waiting,
            State::Answered(_) | State::Failed => Vec::new(),
        }
    }
}

impl Relay for Asked {
    fn pass_on(&self, answer: Result<Answer, Fault>) {
        match answer {
            Ok(answer) => {
                let waiting = self.land(State::Answered(answer.clone()));
                waiting.into_iter().for_each(|reply| reply.answer(answer.clone()));
            }
            Err(fault) => {
                let waiting = self.land(State::Failed);
                waiting.into_iter().for_each(|reply| reply.fail(fault.again()));
            }
        }
    }

    fn is_wanted(&self) -> bool {
        let mut state = self.lock();
        let State::Waits(waiting) = &*state else { return false };
        if waiting.iter().any(Reply::is_wanted) {
            return true;
        }
        // It may be dropped on the strength of the no, so that nobody must wait for it any more.
        let nobody = std::mem::replace(&mut *state, State::Failed);
        drop(state);
        drop(nobody);
        false
    }
}
