//! [`Reply`]: where the answer to one question goes.

use std::{
    borrow::Cow,
    collections::VecDeque,
    future::Future,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    runtime::{Builder, Runtime},
    task::AbortHandle,
};

use crate::{fault::Fault, ring::Wake};

use super::Answer;

/// Where the answer to one question goes: kept by whoever will have it, on whatever thread.
///
/// One that is dropped without an answer is a failed question.
#[derive(Debug)]
pub struct Reply {
    to: To,
    left: Option<Duration>,
}

enum To {
    /// The stage that asked.
    Stage(Arc<Letter>),
    Relay(Arc<dyn Relay>),
    /// It is answered.
    Nobody,
}

impl std::fmt::Debug for To {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stage(letter) => letter.fmt(f),
            Self::Relay(_) => f.write_str("Relay"),
            Self::Nobody => f.write_str("Nobody"),
        }
    }
}

/// Takes an answer for others: for all who ask the same at once, or to keep it.
pub trait Relay: Send + Sync {
    /// What became of the question. Called once, on whatever thread; must neither wait nor ask
    /// anything: whoever answers may hold a lock.
    fn pass_on(&self, answer: Result<Answer, Fault>);

    /// Whether somebody still waits. Once it says no it is never asked again.
    fn is_wanted(&self) -> bool;

    /// Somebody else will answer than the one who was asked: the answer is not to be kept under that one's
    /// name. May be told more than once, before the answer.
    fn by_another(&self) {}
}

impl Reply {
    /// A reply that `relay` takes.
    pub fn through(relay: Arc<dyn Relay>) -> Self {
        Self { to: To::Relay(relay), left: None }
    }

    /// Gives the answer.
    pub fn answer(mut self, answer: impl Into<Answer>) {
        self.close(Ok(answer.into()));
    }

    /// Says that there will be no answer.
    pub fn fail(mut self, fault: Fault) {
        self.close(Err(fault));
    }

    /// Says that there will be no answer in time, and why, as a fragment: counts as one whose deadline has
    /// passed, but nobody waits until then.
    pub fn give_up(mut self, why: impl Into<Cow<'static, str>>) {
        self.close(Err(Fault::late(why)));
    }

    /// Gives the answer of a future, which runs on the runtime that all calls of the process share, and
    /// is dropped once nobody waits for the answer any more, unless a [`Relay`] takes it: then it runs to
    /// its end. A panic in it is a failed question.
    pub fn spawn<F>(self, answer: F)
    where
        F: Future<Output = Result<Answer, Fault>> + Send + 'static,
    {
        let letter = match &self.to {
            To::Stage(letter) => Some(letter.clone()),
            To::Relay(_) | To::Nobody => None,
        };
        let task = runtime().spawn(async move {
            let reply = self;
            match answer.await {
                Ok(answer) => reply.answer(answer),
                Err(fault) => reply.fail(fault),
            }
        });
        if let Some(letter) = letter {
            letter.abort_with(task.abort_handle());
        }
    }

    /// How long the answer may take, as of when the question was asked; nothing where it may take as long as
    /// it likes, as on manual time.
    pub const fn left(&self) -> Option<Duration> {
        self.left
    }

    /// The same, for an answer that may take so long.
    #[must_use]
    pub const fn within(mut self, left: Option<Duration>) -> Self {
        self.left = left;
        self
    }

    /// Whether somebody still waits: not after the deadline, nor once the session is over.
    pub fn is_wanted(&self) -> bool {
        match &self.to {
            To::Stage(letter) => letter.wanted.load(Ordering::Relaxed),
            To::Relay(relay) => relay.is_wanted(),
            To::Nobody => false,
        }
    }

    /// Says that somebody else will answer than the one who was asked, for whoever keeps answers.
    pub fn by_another(&self) {
        if let To::Relay(relay) = &self.to {
            relay.by_another();
        }
    }

    fn close(&mut self, answer: Result<Answer, Fault>) {
        match std::mem::replace(&mut self.to, To::Nobody) {
            To::Stage(letter) => letter.fill(answer),
            To::Relay(relay) => relay.pass_on(answer),
            To::Nobody => {}
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if !matches!(self.to, To::Nobody) {
            self.close(Err(Fault::new("the question was given up")));
        }
    }
}

/// What lies between the one who asked and the one who answers.
pub(crate) struct Letter {
    /// Set after the answer is there.
    done: AtomicBool,
    wanted: AtomicBool,
    answer: Mutex<Option<Result<Answer, Fault>>>,
    /// The future that has it, if there is one.
    task: Mutex<Option<AbortHandle>>,
    wake: Arc<dyn Wake>,
}

impl std::fmt::Debug for Letter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Letter").field("done", &self.done).finish_non_exhaustive()
    }
}

impl Letter {
    fn fill(&self, answer: Result<Answer, Fault>) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
        // Pairs with the Acquire in `take`.
        self.done.store(true, Ordering::Release);
        self.wake.wake();
    }

    /// The answer, once it is there.
    pub(crate) fn take(&self) -> Option<Result<Answer, Fault>> {
        if !self.done.load(Ordering::Acquire) {
            return None;
        }
        self.answer.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Nobody waits for the answer any more.
    pub(crate) fn refuse(&self) {
        self.wanted.store(false, Ordering::Relaxed);
        if let Some(task) = self.task.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }

    fn abort_with(&self, task: AbortHandle) {
        *self.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
        // Refused while it was on its way here.
        if !self.wanted.load(Ordering::Relaxed) {
            self.refuse();
        }
    }
}

/// Letters to be used again: a question allocates nothing once enough have been asked.
pub(crate) struct Letters {
    wake: Arc<dyn Wake>,
    /// Those that are done with, the oldest first; of the newest somebody may still hold the other end.
    used: VecDeque<Arc<Letter>>,
}

impl Letters {
    pub(crate) fn new(wake: Arc<dyn Wake>) -> Self {
        Self { wake, used: VecDeque::new() }
    }

    /// A letter, and where its answer goes.
    pub(crate) fn open(&mut self) -> (Arc<Letter>, Reply) {
        let letter = self.again().unwrap_or_else(|| {
            Arc::new(Letter {
                done: AtomicBool::new(false),
                wanted: AtomicBool::new(true),
                answer: Mutex::new(None),
                task: Mutex::new(None),
                wake: self.wake.clone(),
            })
        });
        let reply = Reply { to: To::Stage(letter.clone()), left: None };
        (letter, reply)
    }

    /// Takes back a letter that is done with.
    pub(crate) fn put_back(&mut self, letter: Arc<Letter>) {
        self.used.push_back(letter);
    }

    fn again(&mut self) -> Option<Arc<Letter>> {
        let mut letter = self.used.pop_front()?;
        let Some(inner) = Arc::get_mut(&mut letter) else {
            self.used.push_back(letter);
            return None;
        };
        *inner.done.get_mut() = false;
        *inner.wanted.get_mut() = true;
        *inner.answer.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
        *inner.task.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
        Some(letter)
    }
}

/// The runtime for answers that are futures; made when the first is asked for, and never ended.
fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("afferent-calls")
            .thread_stack_size(512 << 10)
            .enable_all()
            .build()
            .expect("the system has a thread to spare")
    })
}
