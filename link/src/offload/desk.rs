//! [`Desk`]: what an asking call shares with whoever answers it, on whatever thread.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant},
};

use engine::{Answer, Call, Fault, Format, Frame, MovingCall, Reply};
use tokio::runtime::Handle as Runtime;

use super::{
    Choice, Side, Terms, Way,
    case::Case,
    figures::{Counters, Register},
    letter::{put_question, read_answer},
};
use crate::{
    carrier::{LentInlet, LentOutlet},
    driver::{Arrived, Handle},
};

/// Questions over there that nobody has answered are forgotten after so long, and twice their deadline.
const FORGET_NS: i64 = 10_000_000_000;
/// An answer that has to wait for a better one is given so long before the last moment at least.
const MARGIN_NS: i64 = 1_000_000;

/// The questions of one call of one session.
///
/// Locks are taken in this order: a case, then the state. The call itself is asked under none of them.
pub(super) struct Desk {
    node: String,
    hosts: [Arc<str>; 2],
    outputs: Vec<Format>,
    /// Longest question, in bytes.
    most: usize,
    link: Handle,
    runtime: Runtime,
    began: Instant,
    here: Mutex<Box<dyn Call>>,
    state: Mutex<State>,
    /// Where answers come from; whoever is told of news takes them out.
    answers: Mutex<Option<LentInlet>>,
    has_news: AtomicBool,
    register: Register,
    pub(super) counters: Arc<Counters>,
}

struct State {
    choice: Choice,
    questions: Option<LentOutlet>,
    open: BTreeMap<u64, Arc<Case>>,
    next: u64,
    was_up: bool,
}

impl Desk {
    pub(super) fn new(
        call: Box<dyn Call>,
        moving: &MovingCall,
        (questions, answers): (LentOutlet, LentInlet),
        most: usize,
        runtime: Runtime,
        register: Register,
    ) -> Arc<Self> {
        let counters = register.open(&moving.node, &moving.hosts);
        let state = State {
            choice: Choice::new(Terms::default()),
            open: BTreeMap::new(),
            next: 0,
            was_up: false,
            questions: None,
        };
        let this = Arc::new(Self {
            node: moving.node.clone(),
            hosts: [0, 1].map(|n: usize| Arc::from(&moving.hosts[n][..])),
            outputs: moving.outputs.clone(),
            most,
            link: questions.handle().clone(),
            runtime,
            began: Instant::now(),
            here: Mutex::new(call),
            state: Mutex::new(state),
            answers: Mutex::new(Some(answers)),
            has_news: AtomicBool::new(false),
            register,
            counters,
        });
        this.state().questions = Some(questions);
        this.clone().hear();
        this
    }

    /// The ends go back to where the next body finds them; what is open is answered by nobody.
    pub(super) fn close(&self) {
        let (questions, open) = {
            let mut state = self.state();
            (state.questions.take(), std::mem::take(&mut state.open))
        };
        drop((questions, open));
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(answers);
        self.register.close(&self.node, &self.counters);
    }

    /// Nanoseconds since it was made.
    pub(super) fn now(&self) -> i64 {
        self.began.elapsed().as_nanos() as i64
    }

    /// The call as it is asked here.
    pub(super) fn here(&self) -> MutexGuard<'_, Box<dyn Call>> {
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn hosts(&self) -> &[Arc<str>; 2] {
        &self.hosts
    }

    /// Asks about one question.
    pub(super) fn ask(self: &Arc<Self>, question: &Frame, reply: Reply) -> Result<(), Fault> {
        let now = self.now();
        let way = self.link.way();
        let left_ns = reply.left().map(|left| i64::try_from(left.as_nanos()).unwrap_or(i64::MAX));
        let decision = {
            let mut state = self.state();
            if state.was_up && !way.is_up {
                state.choice.lost();
            }
            state.was_up = way.is_up;
            let decision = state.choice.decide(now, left_ns, question.buffer().bytes_len(), &way);
            self.counters.note_side(state.choice.side(), state.choice.changes());
            decision
        };
        Case::new(self, question, reply, now, decision).begin()
    }

    /// Sends a question to the other host; says whether it is on its way.
    pub(super) fn send(&self, case: &Arc<Case>, left_ns: Option<i64>) -> bool {
        let left = left_ns.map(|left| Duration::from_nanos(left.max(0).unsigned_abs()));
        let now = self.now();
        let mut state = self.state();
        let state = &mut *state;
        // The oldest are those that nobody answers any more.
        while let Some(oldest) = state.open.first_entry() {
            let waits_ns = oldest.get().left_ns.unwrap_or(0).saturating_mul(2).max(FORGET_NS);
            if now - oldest.get().began < waits_ns {
                break;
            }
            drop(oldest.remove());
        }
        let number = state.next;
        let frame = put_question(number, left, &case.question, self.most);
        let sent = frame.zip(state.questions.as_mut()).is_some_and(|(frame, to)| to.send(frame));
        if sent {
            state.next += 1;
            state.open.insert(number, case.clone());
        }
        sent
    }

    /// A side has answered.
    pub(super) fn learn(&self, side: Side, took_ns: i64, link_ns: i64) {
        self.state().choice.answered(side, took_ns, link_ns);
    }

    /// A side has not answered within so long.
    pub(super) fn miss(&self, side: Side, waited_ns: i64, link_ns: i64) {
        Counters::add(&self.counters.missed[side.at()]);
        self.state().choice.missed(side, waited_ns, link_ns);
    }

    /// Whether the other host may know better, and in time.
    pub(super) fn is_worth_asking(&self, question: &Frame, left_ns: Option<i64>) -> bool {
        let way = self.link.way();
        way.is_up && left_ns.is_none_or(|left| self.expected_ns(question, &way) < left)
    }

    /// How long an answer from over there is waited for where there is one from here already.
    pub(super) fn patience_ns(&self, question: &Frame, left_ns: Option<i64>) -> i64 {
        match left_ns {
            Some(left) => left - (left / 20).max(MARGIN_NS),
            None => self.expected_ns(question, &self.link.way()).saturating_mul(4),
        }
    }

    fn expected_ns(&self, question: &Frame, way: &Way) -> i64 {
        self.state().choice.expected_there(question.buffer().bytes_len(), way)
    }

    /// Gives the answer that counts.
    pub(super) fn give(&self, side: Side, answer: Answer, reply: Reply) {
        if side == Side::There {
            // Whoever keeps answers under the name of the model here must not keep this one.
            reply.by_another();
            self.here().hear(&answer);
        }
        reply.answer(answer.by(&self.hosts[side.at()]));
    }

    /// Does something later, on the thread of the links.
    pub(super) fn later(&self, after_ns: i64, work: impl FnOnce() + Send + 'static) {
        let after = Duration::from_nanos(after_ns.max(0).unsigned_abs());
        drop(self.runtime.spawn(async move {
            if !after.is_zero() {
                tokio::time::sleep(after).await;
            }
            // A body that panics must not take the link with it; its question is not answered.
            drop(catch_unwind(AssertUnwindSafe(work)));
        }));
    }

    /// Takes what has come. Told again while it does, it looks once more.
    fn hear(self: Arc<Self>) {
        self.has_news.store(true, Ordering::Release);
        let waker = Waker::from(self.clone());
        while self.has_news.load(Ordering::Acquire) {
            let mut answers = match self.answers.try_lock() {
                Ok(answers) => answers,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                // Whoever has it looks again before letting go, or just after.
                Err(TryLockError::WouldBlock) => return,
            };
            self.has_news.store(false, Ordering::Release);
            let mut came = Vec::new();
            if let Some(inlet) = &mut *answers {
                let mut context = Context::from_waker(&waker);
                while let Poll::Ready(arrived) = inlet.poll(&mut context) {
                    match arrived {
                        Some(Arrived::Frame(frame)) => came.push(frame),
                        Some(Arrived::Gap { .. } | Arrived::Bound(_)) => {}
                        Some(Arrived::End) | None => {
                            inlet.end();
                            break;
                        }
                    }
                }
            }
            drop(answers);
            came.into_iter().for_each(|frame| self.read(&frame));
        }
    }

    fn read(&self, frame: &Frame) {
        let Ok((number, answer)) = read_answer(frame, &self.outputs) else {
            return Counters::add(&self.counters.strange);
        };
        let case = self.state().open.remove(&number);
        match case {
            Some(case) => case.heard(Side::There, answer),
            None => Counters::add(&self.counters.strange),
        }
    }
}

impl Wake for Desk {
    fn wake(self: Arc<Self>) {
        self.hear();
    }
}
