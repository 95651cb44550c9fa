//! [`Case`]: one question, and who has been asked.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering};

use engine::{Answer, Fault, Frame, Relay, Reply};

use super::{Decision, Side, desk::Desk, figures::Counters};

/// A question until it is answered.
pub(super) struct Case {
    desk: Arc<Desk>,
    pub(super) question: Frame,
    /// When it came, in nanoseconds of the desk's clock.
    pub(super) began: i64,
    /// How long its answer may take.
    pub(super) left_ns: Option<i64>,
    decision: Decision,
    turn: Mutex<Turn>,
}

struct Turn {
    /// Until it is answered.
    reply: Option<Reply>,
    asked: [Asked; 2],
    /// An answer that counts if there is no better one.
    standby: Option<(Side, Answer)>,
    /// Why a side had none.
    fault: Option<Fault>,
    /// The side that was asked first is late: whatever comes counts.
    is_late: bool,
}

/// What became of a side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Not,
    /// Since when.
    Since(i64),
    Over,
}

/// What follows from an answer.
enum Next {
    Wait,
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

impl Turn {
    const fn of(&self, side: Side) -> Asked {
        self.asked[side.at()]
    }

    const fn is_open(&self, side: Side) -> bool {
        matches!(self.of(side), Asked::Since(_))
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
        let turn = Turn {
            reply: Some(reply),
            asked: [Asked::Not; 2],
            standby: None,
            fault: None,
            is_late: false,
        };
        Arc::new(Self {
            desk: desk.clone(),
            question: question.clone(),
            began,
            left_ns,
            decision,
            turn: Mutex::new(turn),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long its answer may still take.
    fn left_ns(&self, now: i64) -> Option<i64> {
        self.left_ns.map(|left| left.saturating_sub(now - self.began).max(0))
    }

    /// Asks as was decided.
    pub(super) fn begin(self: &Arc<Self>) -> Result<(), Fault> {
        let Decision { side, probes, hedge_ns, .. } = self.decision;
        let is_there = (side == Side::There || probes) && self.ask_there();
        if let Some(hedge_ns) = hedge_ns {
            let this = self.clone();
            self.desk.later(hedge_ns, move || this.is_late());
        }
        if side == Side::There && is_there && !probes { Ok(()) } else { self.ask_here() }
    }

    /// Asks this host, unless it was.
    fn ask_here(self: &Arc<Self>) -> Result<(), Fault> {
        let now = self.desk.now();
        {
            let mut turn = self.lock();
            if turn.of(Side::Here) != Asked::Not {
                return Ok(());
            }
            turn.asked[Side::Here.at()] = Asked::Since(now);
        }
        let left = self.left_ns(now).map(|left| std::time::Duration::from_nanos(left as u64));
        let reply = Reply::through(Arc::new(FromHere(self.clone()))).within(left);
        self.desk.here().ask(&self.question, reply)
    }

    /// Asks the other host, unless it was; says whether it is asked.
    fn ask_there(self: &Arc<Self>) -> bool {
        let now = self.desk.now();
        {
            let mut turn = self.lock();
            if turn.of(Side::There) != Asked::Not {
                return turn.is_open(Side::There);
            }
            turn.asked[Side::There.at()] = Asked::Since(now);
        }
        let is_sent = self.desk.send(self, self.left_ns(now));
        if !is_sent {
            self.lock().asked[Side::There.at()] = Asked::Over;
        }
        is_sent
    }

    /// A side has answered, or will not.
    pub(super) fn heard(self: &Arc<Self>, side: Side, answer: Result<Answer, Fault>) {
        let now = self.desk.now();
        let next = {
            let mut turn = self.lock();
            let Asked::Since(since) = turn.of(side) else {
                return Counters::add(&self.desk.counters.strange);
            };
            turn.asked[side.at()] = Asked::Over;
            let (took_ns, link_ns) = (now - since, self.decision.link_ns);
            match &answer {
                Ok(_) => self.desk.learn(side, took_ns, link_ns),
                // What fails is as good as what comes at the last moment.
                Err(_) => self.desk.miss(side, self.left_ns.unwrap_or(took_ns), link_ns),
            }
            if turn.reply.is_none() {
                return;
            }
            self.weigh(&mut turn, side, answer, now)
        };
        self.go_on(next, now);
    }

    /// What follows from what a side has said.
    fn weigh(&self, turn: &mut Turn, side: Side, answer: Result<Answer, Fault>, now: i64) -> Next {
        let other_is_open = turn.is_open(side.other());
        match answer {
            Ok(answer) => {
                let asks_there = side == Side::Here
                    && answer.is_doubtful()
                    && turn.of(Side::There) == Asked::Not
                    && self.may_ask(Side::There, now);
                let doubts = side == Side::Here && answer.is_doubtful();
                // Of two that were asked, the other one only to be measured, the first that was chosen counts.
                let waits =
                    doubts || (side != self.decision.side && !turn.is_late && other_is_open);
                match () {
                    () if asks_there => {
                        turn.standby = Some((side, answer));
                        Next::Ask(Side::There, Why::Doubt)
                    }
                    () if waits && other_is_open => {
                        turn.standby = Some((side, answer));
                        Next::Wait
                    }
                    () => Next::Give(side, answer),
                }
            }
            Err(fault) => match turn.standby.take() {
                Some((side, answer)) => Next::Give(side, answer),
                None if other_is_open => {
                    turn.fault = Some(fault);
                    Next::Wait
                }
                None if turn.of(side.other()) == Asked::Not && self.may_ask(side.other(), now) => {
                    turn.fault = Some(fault);
                    Next::Ask(side.other(), Why::Failed)
                }
                // Of two faults that of home says more to who reads it here.
                None => {
                    Next::Fail(turn.fault.take().filter(|_| side == Side::There).unwrap_or(fault))
                }
            },
        }
    }

    /// Whether a side that was not asked may still answer in time.
    fn may_ask(&self, side: Side, now: i64) -> bool {
        let left_ns = self.left_ns(now);
        match side {
            Side::Here => left_ns.is_none_or(|left| left > 0),
            Side::There => self.desk.is_worth_asking(&self.question, left_ns),
        }
    }

    fn go_on(self: &Arc<Self>, next: Next, now: i64) {
        match next {
            Next::Wait => {}
            Next::Give(side, answer) => self.give(side, answer),
            Next::Fail(fault) => {
                let reply = self.lock().reply.take();
                if let Some(reply) = reply {
                    reply.fail(fault);
                }
            }
            Next::Ask(side, why) => {
                let counters = &self.desk.counters;
                Counters::add(if why == Why::Doubt { &counters.doubted } else { &counters.hedged });
                let this = self.clone();
                if side == Side::Here {
                    // Whoever tells us must not ask anything.
                    return self.desk.later(0, move || drop(this.ask_here()));
                }
                let wait_ns = self.desk.patience_ns(&self.question, self.left_ns(now));
                match self.ask_there() {
                    true => self.desk.later(wait_ns, move || this.is_late()),
                    false => self.give_up(),
                }
            }
        }
    }

    /// Nobody else can be asked: what there is counts.
    fn give_up(&self) {
        let (standby, fault) = {
            let mut turn = self.lock();
            (turn.standby.take(), turn.fault.take())
        };
        if let Some((side, answer)) = standby {
            return self.give(side, answer);
        }
        let reply = self.lock().reply.take();
        if let (Some(reply), Some(fault)) = (reply, fault) {
            reply.fail(fault);
        }
    }

    /// What was asked is not back when it should be: what there is counts, and if there is nothing this
    /// host is asked.
    fn is_late(self: &Arc<Self>) {
        let now = self.desk.now();
        let standby = {
            let mut turn = self.lock();
            let wanted = turn.reply.as_ref().is_some_and(Reply::is_wanted);
            if !wanted {
                return;
            }
            turn.is_late = true;
            for side in [Side::Here, Side::There] {
                if let Asked::Since(since) = turn.of(side) {
                    self.desk.miss(side, now - since, self.decision.link_ns);
                }
            }
            turn.standby.take()
        };
        if let Some((side, answer)) = standby {
            return self.give(side, answer);
        }
        let asked = self.lock().asked;
        let sides = [Side::Here, Side::There];
        let idle = sides.into_iter().find(|side| asked[side.at()] == Asked::Not);
        if let Some(idle) = idle.filter(|idle| self.may_ask(*idle, now)) {
            Counters::add(&self.desk.counters.hedged);
            match idle {
                Side::Here => drop(self.ask_here()),
                Side::There => drop(self.ask_there()),
            }
        }
    }

    fn give(&self, side: Side, answer: Answer) {
        let Some(reply) = self.lock().reply.take() else { return };
        self.desk.counters.answers[side.at()].fetch_add(1, Ordering::Relaxed);
        self.desk.give(side, answer, reply);
    }

    /// Whether somebody waits for an answer from here, if only to know how long it takes.
    fn is_wanted_here(&self) -> bool {
        let turn = self.lock();
        let measures = self.decision.probes
            && self.left_ns.is_none_or(|left| self.desk.now() - self.began < left);
        turn.reply.as_ref().is_some_and(Reply::is_wanted) || measures
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
