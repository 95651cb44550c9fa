//! [`Desk`]: what an asking call shares with whoever answers it, on whatever thread.

use std::{
    collections::BTreeMap,
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
    wire::content_most,
};

/// Questions over there that nobody has answered are forgotten after so long, and twice their deadline.
const FORGET_NS: i64 = 10_000_000_000;
/// Questions that are waited for over there; of more the oldest are forgotten.
const OPEN_MAX: usize = 1 << 10;
/// An answer that has to wait for a better one is given so long before the last moment at least.
const MARGIN_NS: i64 = 1_000_000;
/// How long a better answer is waited for where there is no deadline and nothing is known.
const PATIENCE_NS: i64 = 1_000_000_000;

/// The questions of one call of one session.
///
/// Locks are taken in this order: a case, then the state. The call itself is asked under none of them, and
/// no answer waits for it: whoever answers may hold what the call needs.
pub(super) struct Desk {
    node: String,
    hosts: [Arc<str>; 2],
    outputs: Vec<Format>,
    /// Longest question, in bytes.
    most: usize,
    away: Option<Away>,
    began: Instant,
    here: Mutex<Box<dyn Call>>,
    /// What the other host has said last, for the call here to hear: when its question came, and the answer.
    heard: Mutex<Option<(i64, Answer)>>,
    state: Mutex<State>,
    /// Where answers come from; whoever is told of news takes them out.
    answers: Mutex<Option<LentInlet>>,
    has_news: AtomicBool,
    /// Nothing comes back any more.
    is_deaf: AtomicBool,
    trouble: Mutex<Option<String>>,
    register: Register,
    pub(super) counters: Arc<Counters>,
}

/// The other host.
struct Away {
    link: Handle,
    runtime: Runtime,
}

struct State {
    choice: Choice,
    questions: Option<LentOutlet>,
    open: BTreeMap<u64, Arc<Case>>,
    was_up: bool,
}

impl Desk {
    pub(super) fn new(
        call: Box<dyn Call>,
        moving: &MovingCall,
        away: Option<((LentOutlet, LentInlet), Runtime)>,
        register: Register,
    ) -> Arc<Self> {
        let counters = register.open(&moving.node, &moving.hosts);
        let (ends, runtime) = away.unzip();
        let (questions, answers) = ends.unzip();
        let link = questions.as_ref().map(|questions| questions.handle().clone());
        let choice = Choice::new(Terms::default());
        let state = State { choice, open: BTreeMap::new(), was_up: false, questions };
        let this = Arc::new(Self {
            node: moving.node.clone(),
            hosts: [0, 1].map(|n: usize| Arc::from(&moving.hosts[n][..])),
            outputs: moving.outputs.clone(),
            most: content_most(&moving.question.format).unwrap_or(usize::MAX),
            away: link.zip(runtime).map(|(link, runtime)| Away { link, runtime }),
            began: Instant::now(),
            here: Mutex::new(call),
            heard: Mutex::new(None),
            state: Mutex::new(state),
            answers: Mutex::new(answers),
            has_news: AtomicBool::new(false),
            is_deaf: AtomicBool::new(false),
            trouble: Mutex::new(None),
            register,
            counters,
        });
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

    /// What the link can do now.
    fn way(&self) -> Way {
        match &self.away {
            Some(away) if !self.is_deaf.load(Ordering::Relaxed) => away.link.way(),
            _ => Way { is_up: false, rtt_ns: 0, bytes_per_s: 0.0 },
        }
    }

    /// Has the call here hear what the other host has said. Not while answers are given: those must wait
    /// for nobody.
    pub(super) fn tell_here(&self) {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((_, answer)) = heard {
            self.here().hear(&answer);
        }
    }

    /// What was wrong with the other host last.
    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn note_trouble(&self, why: &dyn std::fmt::Display) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.to_string());
    }

    pub(super) fn hosts(&self) -> &[Arc<str>; 2] {
        &self.hosts
    }

    /// Asks about one question.
    pub(super) fn ask(self: &Arc<Self>, question: &Frame, reply: Reply) -> Result<(), Fault> {
        let now = self.now();
        let way = self.way();
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
    pub(super) fn send(&self, case: &Arc<Case>, question: &Frame, left_ns: Option<i64>) -> bool {
        let left = left_ns.map(|left| Duration::from_nanos(left.max(0).unsigned_abs()));
        let now = self.now();
        let mut forgotten = Vec::new();
        let sent = {
            let mut state = self.state();
            let state = &mut *state;
            // The oldest are those that nobody answers any more.
            while let Some(oldest) = state.open.first_entry() {
                let waits_ns = oldest.get().left_ns.unwrap_or(0).saturating_mul(2).max(FORGET_NS);
                if now - oldest.get().began < waits_ns && state.open.len() < OPEN_MAX {
                    break;
                }
                forgotten.extend(state.open.pop_first());
            }
            state.questions.as_mut().is_some_and(|questions| {
                let number = questions.number();
                let frame = put_question(number, left, question, self.most);
                let is_sent = frame.is_some_and(|frame| questions.send(frame));
                if is_sent {
                    state.open.insert(number, case.clone());
                }
                is_sent
            })
        };
        for (_, case) in forgotten {
            case.heard(Side::There, Err(Fault::late("it was never answered")));
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
    pub(super) fn is_worth_asking(&self, bytes: usize, left_ns: Option<i64>) -> bool {
        let way = self.way();
        let now = self.now();
        self.state().choice.may_doubt(now, left_ns, bytes, &way)
    }

    /// How long a better answer is waited for where there is one already.
    pub(super) fn patience_ns(&self, bytes: usize, left_ns: Option<i64>) -> i64 {
        match left_ns {
            Some(left) => left - (left / 20).max(MARGIN_NS),
            None => self.usual_ns(bytes, &self.way()).saturating_mul(4).max(PATIENCE_NS),
        }
    }

    fn usual_ns(&self, bytes: usize, way: &Way) -> i64 {
        self.state().choice.usual_there(bytes, way)
    }

    /// Gives the answer that counts, to a question that came at `began`.
    pub(super) fn give(&self, side: Side, answer: Answer, began: i64, reply: Reply) {
        if side == Side::There {
            // Whoever keeps answers under the name of the model here must not keep this one.
            reply.by_another();
            let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            if heard.as_ref().is_none_or(|(known, _)| *known <= began) {
                *heard = Some((began, answer.clone()));
            }
        }
        reply.answer(answer.by(&self.hosts[side.at()]));
    }

    /// Does something later, on the thread of the links: it must be short.
    pub(super) fn later(&self, after_ns: i64, work: impl FnOnce() + Send + 'static) {
        let Some(Away { runtime, .. }) = &self.away else { return };
        let after = Duration::from_nanos(after_ns.max(0).unsigned_abs());
        drop(runtime.spawn(async move {
            tokio::time::sleep(after).await;
            work();
        }));
    }

    /// Does something at once, on a thread of its own: a body may take its time, or panic.
    pub(super) fn apart(&self, work: impl FnOnce() + Send + 'static) {
        if let Some(Away { runtime, .. }) = &self.away {
            drop(runtime.spawn_blocking(work));
        }
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
                        // Questions and answers are not taken back.
                        Some(
                            Arrived::Gap { .. }
                            | Arrived::Bound(_)
                            | Arrived::Flush
                            | Arrived::Void,
                        ) => {}
                        Some(Arrived::End) | None => {
                            self.is_deaf.store(true, Ordering::Relaxed);
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
        let (number, answer) = match read_answer(frame, &self.outputs) {
            Ok(read) => read,
            Err(error) => {
                self.note_trouble(&format!("an answer cannot be read: {error}"));
                return Counters::add(&self.counters.strange);
            }
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
