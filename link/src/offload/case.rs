//! [`Case`]: one question, and who has been asked.

use std::{
    cmp::Ordering,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use engine::{Answer, Doubt, Fault, Frame, Relay, Reply};

use super::{Decision, Side, desk::Desk, figures::Counters};

/// A question until it is answered. Whoever was asked keeps it; alarms do not.
pub(super) struct Case {
    desk: Arc<Desk>,
    /// When it came, in nanoseconds of the desk's clock.
    pub(super) began: i64,
    /// How long its answer may take.
    pub(super) left_ns: Option<i64>,
    /// Bytes of the question.
    bytes: usize,
    decision: Decision,
    standing: Mutex<Standing>,
}

struct Standing {
    /// Until it is answered, as is the question.
    reply: Option<Reply>,
    question: Option<Frame>,
    asked: [Asked; 2],
    /// An answer that counts if there is no better one.
    standby: Option<(Side, Answer)>,
    /// Why home had none.
    fault: Option<Fault>,
    /// What was asked first is late: whatever comes counts.
    is_late: bool,
}

/// What became of a side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Not,
    /// Since when.
    Since(i64),
    /// It was given up: what comes still counts.
    Late(i64),
    Over,
}

/// What follows from an answer.
enum Next {
    Wait,
    /// There is an answer, and a better one may come.
    Hold,
    Give(Side, Answer),
    Ask(Side, Why),
    Fail(Fault),
}

/// Why a second side is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Doubt,
    Failed,
}

impl Standing {
    const fn of(&self, side: Side) -> Asked {
        self.asked[side.at()]
    }

    const fn is_open(&self, side: Side) -> bool {
        matches!(self.of(side), Asked::Since(_) | Asked::Late(_))
    }

    /// The better of what there is and what has come. Of two that are sure that of the side that was `chosen`;
    /// of two in doubt that of the other host, which was asked because of the first.
    fn best(&mut self, came: (Side, Answer), chosen: Side) -> (Side, Answer) {
        let Some(known) = self.standby.take() else { return came };
        let better = if came.1.doubt() == Doubt::None { chosen } else { Side::There };
        match known.1.doubt().cmp(&came.1.doubt()) {
            Ordering::Less => known,
            Ordering::Equal if known.0 == better => known,
            _ => came,
        }
    }
}

impl Case {
    pub(super) fn new(
        desk: &Arc<Desk>,
        question: &Frame,
        reply: Reply,
        began: i64,
        decision: Decision,
    ) -> Arc<Self> {
        let left_ns = reply.left().map(|left| i64::try_from(left.as_nanos()).unwrap_or(i64::MAX));
        let standing = Standing {
            reply: Some(reply),
            question: Some(question.clone()),
            asked: [Asked::Not; 2],
            standby: None,
            fault: None,
            is_late: false,
        };
        let bytes = question.buffer().bytes_len();
        let (desk, standing) = (desk.clone(), Mutex::new(standing));
        Arc::new(Self { desk, began, left_ns, bytes, decision, standing })
    }

    fn lock(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long its answer may still take.
    fn left_ns(&self, now: i64) -> Option<i64> {
        self.left_ns.map(|left| left.saturating_sub(now - self.began).max(0))
    }

    /// Asks as was decided.
    pub(super) fn begin(self: &Arc<Self>) -> Result<(), Fault> {
        let Decision { side, probes, hedge_ns, .. } = self.decision;
        let is_there = (side == Side::There || probes) && self.ask_there();
        // Also to know whether who is only measured answers at all.
        let probe_ns = is_there.then(|| self.desk.patience_ns(self.bytes, self.left_ns));
        if let Some(look_ns) = hedge_ns.or(probe_ns) {
            self.look_later(look_ns);
        }
        if side == Side::There && is_there && !probes { Ok(()) } else { self.ask_here() }
    }

    fn look_later(self: &Arc<Self>, after_ns: i64) {
        let this = Arc::downgrade(self);
        self.desk.later(after_ns, move || {
            if let Some(this) = this.upgrade() {
                this.is_late();
            }
        });
    }

    /// Asks this host, unless it was, or nobody waits any more.
    fn ask_here(self: &Arc<Self>) -> Result<(), Fault> {
        let now = self.desk.now();
        let Some(question) = self.begin_side(Side::Here, now) else { return Ok(()) };
        let left = self.left_ns(now).map(|left| Duration::from_nanos(left.unsigned_abs()));
        let reply = Reply::through(Arc::new(FromHere(self.clone()))).within(left);
        self.desk.here().ask(&question, reply)
    }

    /// Asks the other host, unless it was; says whether it is asked.
    fn ask_there(self: &Arc<Self>) -> bool {
        let now = self.desk.now();
        let Some(question) = self.begin_side(Side::There, now) else {
            return self.lock().is_open(Side::There);
        };
        let is_sent = self.desk.send(self, &question, self.left_ns(now));
        if !is_sent {
            self.lock().asked[Side::There.at()] = Asked::Over;
        }
        is_sent
    }

    /// The question for a side that was not asked yet, which it is from now on.
    fn begin_side(&self, side: Side, now: i64) -> Option<Frame> {
        let mut standing = self.lock();
        let question = standing.question.clone().filter(|_| standing.of(side) == Asked::Not)?;
        standing.asked[side.at()] = Asked::Since(now);
        Some(question)
    }

    /// A side has answered, or will not.
    pub(super) fn heard(self: &Arc<Self>, side: Side, answer: Result<Answer, Fault>) {
        let now = self.desk.now();
        if let (Side::There, Err(fault)) = (side, &answer) {
            self.desk.note_trouble(fault);
        }
        let next = {
            let mut standing = self.lock();
            let (Asked::Since(since) | Asked::Late(since)) = standing.of(side) else {
                return Counters::add(&self.desk.counters.strange);
            };
            let was_missed = matches!(standing.of(side), Asked::Late(_));
            standing.asked[side.at()] = Asked::Over;
            let (took_ns, link_ns) = (now - since, self.decision.link_ns);
            match &answer {
                Ok(answer) if answer.doubt() < Doubt::All => {
                    self.desk.learn(side, took_ns, link_ns);
                }
                _ if was_missed => {}
                // What fails or knows nothing is as good as what comes at the last moment.
                _ => self.desk.miss(side, self.left_ns.unwrap_or(took_ns), link_ns),
            }
            if standing.reply.is_none() {
                return;
            }
            self.weigh(&mut standing, side, answer, now)
        };
        self.go_on(next, now);
    }

    /// What follows from what a side has said.
    fn weigh(
        &self,
        standing: &mut Standing,
        side: Side,
        answer: Result<Answer, Fault>,
        now: i64,
    ) -> Next {
        let other = side.other();
        let other_is_open = standing.is_open(other);
        let may_ask = standing.of(other) == Asked::Not && self.may_ask(other, now);
        match answer {
            Ok(answer) => {
                let doubt = answer.doubt();
                let best = standing.best((side, answer), self.decision.side);
                let is_sure = best.1.doubt() == Doubt::None;
                // Of two that were asked, one only to be measured, the one that was chosen counts.
                let is_spare = is_sure && side != self.decision.side;
                // What the other host doubts home knows no better, if it knows anything.
                let asks = !is_sure && may_ask && (side == Side::Here || doubt == Doubt::All);
                match () {
                    () if asks => {
                        standing.standby = Some(best);
                        Next::Ask(other, Why::Doubt)
                    }
                    () if (is_spare || !is_sure)
                        && other_is_open
                        && (!standing.is_late || best.1.doubt() == Doubt::All) =>
                    {
                        standing.standby = Some(best);
                        Next::Hold
                    }
                    () => Next::Give(best.0, best.1),
                }
            }
            Err(fault) => match standing.standby.take() {
                Some((side, answer)) => Next::Give(side, answer),
                None if other_is_open || may_ask => {
                    if side == Side::Here {
                        standing.fault = Some(fault);
                    }
                    if other_is_open { Next::Wait } else { Next::Ask(other, Why::Failed) }
                }
                // Of two faults that of home says more to who reads it here.
                None => Next::Fail(standing.fault.take().unwrap_or(fault)),
            },
        }
    }

    /// Whether a side that was not asked may still answer in time.
    fn may_ask(&self, side: Side, now: i64) -> bool {
        let left_ns = self.left_ns(now);
        match side {
            Side::Here => left_ns.is_none_or(|left| left > 0),
            Side::There => self.desk.is_worth_asking(self.bytes, left_ns),
        }
    }

    fn go_on(self: &Arc<Self>, next: Next, now: i64) {
        match next {
            Next::Wait => {}
            Next::Hold => {
                self.look_later(self.desk.patience_ns(self.bytes, self.left_ns(now)));
            }
            Next::Give(side, answer) => self.give(side, answer),
            Next::Fail(fault) => {
                if let Some(reply) = self.close() {
                    reply.fail(fault);
                }
            }
            Next::Ask(side, why) => {
                let counters = &self.desk.counters;
                Counters::add(if why == Why::Doubt { &counters.doubted } else { &counters.hedged });
                self.look_later(self.desk.patience_ns(self.bytes, self.left_ns(now)));
                match side {
                    Side::Here => self.ask_here_apart(),
                    Side::There if self.ask_there() => {}
                    Side::There => self.give_up(),
                }
            }
        }
    }

    /// Asks this host from where nobody may wait for it.
    fn ask_here_apart(self: &Arc<Self>) {
        let this = self.clone();
        self.desk.apart(move || drop(this.ask_here()));
    }

    /// Nobody else can be asked: what there is counts.
    fn give_up(&self) {
        let (standby, fault) = {
            let mut standing = self.lock();
            (standing.standby.take(), standing.fault.take())
        };
        if let Some((side, answer)) = standby {
            return self.give(side, answer);
        }
        if let (Some(fault), Some(reply)) = (fault, self.close()) {
            reply.fail(fault);
        }
    }

    /// What was asked is not back when it should be: what there is counts, and if there is nothing the side
    /// that was not asked is.
    fn is_late(self: &Arc<Self>) {
        let now = self.desk.now();
        let (standby, idle) = {
            let mut standing = self.lock();
            for side in [Side::Here, Side::There] {
                if let Asked::Since(since) = standing.of(side) {
                    standing.asked[side.at()] = Asked::Late(since);
                    self.desk.miss(side, now - since, self.decision.link_ns);
                }
            }
            if !standing.reply.as_ref().is_some_and(Reply::is_wanted) {
                return;
            }
            standing.is_late = true;
            let sides = [Side::Here, Side::There];
            let idle = sides.into_iter().find(|side| standing.of(*side) == Asked::Not);
            (standing.standby.take(), idle)
        };
        if let Some((side, answer)) = standby {
            return self.give(side, answer);
        }
        if let Some(idle) = idle.filter(|idle| self.may_ask(*idle, now)) {
            Counters::add(&self.desk.counters.hedged);
            match idle {
                Side::Here => self.ask_here_apart(),
                Side::There => drop(self.ask_there()),
            }
        }
    }

    /// Where the answer goes, once; the question is needed no more.
    fn close(&self) -> Option<Reply> {
        let mut standing = self.lock();
        standing.question = None;
        standing.reply.take()
    }

    fn give(&self, side: Side, answer: Answer) {
        if let Some(reply) = self.close() {
            Counters::add(&self.desk.counters.answers[side.at()]);
            self.desk.give(side, answer, self.began, reply);
        }
    }

    /// Whether somebody waits for an answer from here, if only to know how long it takes.
    fn is_wanted_here(&self) -> bool {
        let standing = self.lock();
        let measures = self.decision.probes
            && self.left_ns.is_none_or(|left| self.desk.now() - self.began < left);
        standing.reply.as_ref().is_some_and(Reply::is_wanted) || measures
    }
}

/// The way of an answer from this host.
struct FromHere(Arc<Case>);

impl Relay for FromHere {
    fn pass_on(&self, answer: Result<Answer, Fault>) {
        self.0.heard(Side::Here, answer);
    }

    fn is_wanted(&self) -> bool {
        self.0.is_wanted_here()
    }
}
