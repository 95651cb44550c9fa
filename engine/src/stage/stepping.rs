//! What a stage notes of followed frames: see [`steps`](crate::steps).

use std::sync::Arc;

use crate::{
    frame::Header,
    io::Sent,
    steps::{Chooser, NO_FRAME, Passed, Step, StepKind, Steps, is_followed},
    time::{Clock, Timestamp},
};

use super::{Slot, Stage};

/// What is kept while somebody follows frames.
pub(super) struct Stepping {
    steps: Arc<Steps>,
    session: u32,
    /// The followed frame that came in last, while what it causes is at work.
    origin: Option<Timestamp>,
    /// When the input at work was taken out of its ring.
    taken: Timestamp,
    /// Since when the core has been at work.
    pub(super) woke: Timestamp,
    choosers: Box<[Chooser]>,
}

impl Stepping {
    fn put(&self, step: Step) {
        self.steps.put(Step { taken: self.taken, woke: self.woke, ..step });
    }

    /// Notes a call of the body in `here`; `out` is what it has sent and the runtime not yet taken.
    #[cold]
    pub(super) fn passed(&self, here: &Slot, passed: &Passed<'_>, out: &[Sent]) {
        let Some(origin) = self.origin else { return };
        let entered = passed.cause.entered;
        if !is_followed(entered) {
            let step = passed.step(self.session, origin);
            return self.put(Step { kind: StepKind::Other, in_seq: NO_FRAME, ..step });
        }
        let step = passed.step(self.session, entered);
        let mut any = false;
        for (port, &seq) in here.seqs.iter().enumerate() {
            let outs = out.iter().filter(|sent| sent.port == port).count() as u32;
            if outs > 0 {
                let kind = if any { StepKind::Also } else { step.kind };
                self.put(Step { kind, out_port: port as u16, out_seq: seq, outs, ..step });
                any = true;
            }
        }
        if !any {
            self.put(step);
        }
    }

    /// Notes a call of the block in `here`, before what it has written is numbered.
    #[cold]
    pub(super) fn passed_block(&self, here: &Slot, passed: &Passed<'_>) {
        let Some(origin) = self.origin else { return };
        let entered = passed.cause.entered;
        let is_own = is_followed(entered);
        let step = passed.step(self.session, if is_own { entered } else { origin });
        let kind = if is_own { step.kind } else { StepKind::Other };
        self.put(Step { kind, out_port: 0, out_seq: here.seqs[0], outs: 1, ..step });
    }
}

/// Counts and notes a call of an operator; `out` is what it has sent. Like those below it stands apart, so that
/// frames that are not timed do not pay for its registers.
#[cold]
#[inline(never)]
pub(super) fn timed_operator(
    stepping: Option<&Stepping>,
    clock: &Clock,
    here: &mut Slot,
    line: usize,
    began: Timestamp,
    out: &[Sent],
) {
    let (ended, cause) = (clock.now(), here.ports.cause);
    here.timed(began, ended, cause.time);
    if let Some(stepping) = stepping {
        let (kind, node, in_seq) = (StepKind::Body, here.node, cause.seq);
        let passed = Passed { kind, node, line, cause: &cause, in_seq, began, ended };
        stepping.passed(here, &passed, out);
    }
}

/// Counts and notes a call of a block, before what it has written is numbered.
#[cold]
#[inline(never)]
pub(super) fn timed_block(
    stepping: Option<&Stepping>,
    clock: &Clock,
    here: &mut Slot,
    line: usize,
    cause: &Header,
    began: Timestamp,
) {
    let ended = clock.now();
    here.timed(began, ended, cause.time);
    if let Some(stepping) = stepping {
        let (kind, node, in_seq) = (StepKind::Body, here.node, cause.seq);
        let passed = Passed { kind, node, line, cause, in_seq, began, ended };
        stepping.passed_block(here, &passed);
    }
}

/// Counts and notes a call of a sink, up to where its latency counts.
#[cold]
#[inline(never)]
pub(super) fn timed_sink(
    stepping: Option<&Stepping>,
    here: &mut Slot,
    line: usize,
    cause: &Header,
    (began, ended): (Timestamp, Timestamp),
) {
    here.timed(began, ended, cause.time);
    if let Some(stepping) = stepping {
        let (kind, node, in_seq) = (StepKind::Sink, here.node, cause.seq);
        let passed = Passed { kind, node, line, cause, in_seq, began, ended };
        stepping.passed(here, &passed, &[]);
    }
}

impl Stage {
    /// At the beginning of a turn in which somebody follows frames.
    #[cold]
    pub(super) fn begin_following(&mut self) {
        let (session, sources) = (self.session, self.sources.len());
        let seed = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(u64::from(session) + 1);
        let chooser = |n| Chooser::new(seed.rotate_left(n as u32) ^ (n as u64) << 20);
        let stepping = self.stepping.get_or_insert_with(|| {
            Box::new(Stepping {
                steps: self.steps.clone(),
                session,
                origin: None,
                taken: Timestamp::MIN,
                woke: Timestamp::MIN,
                choosers: (0..sources).map(chooser).collect(),
            })
        });
        stepping.origin = None;
    }

    /// At the beginning of the first turn in which nobody follows frames any more.
    #[cold]
    pub(super) fn end_following(&mut self) {
        self.stepping = None;
    }

    /// Whether somebody follows frames, as of this turn.
    pub(crate) const fn is_following(&self) -> bool {
        self.following
    }

    /// Tells since when the core has been at work.
    pub(crate) fn woken_at(&mut self, woke: Timestamp) {
        self.stepping.iter_mut().for_each(|stepping| stepping.woke = woke);
    }

    /// The stamp of what a source releases at `entered`; what that causes is followed, or not.
    #[inline]
    pub(super) fn choose(&mut self, source: usize, entered: Timestamp) -> Timestamp {
        let Some(stepping) = &mut self.stepping else { return entered };
        let entered = stepping.choosers[source].stamp(entered, &stepping.steps);
        if is_followed(entered) {
            // As fast as it goes, the stamp is that of the turn; it has waited since.
            stepping.taken = self.clock.now();
        }
        self.look_at(entered);
        entered
    }

    /// What comes next was caused by what came in with this stamp.
    #[inline]
    pub(super) fn look_at(&mut self, entered: Timestamp) {
        let is_followed = is_followed(entered);
        self.timing = is_followed || self.is_timed_turn();
        if let Some(stepping) = &mut self.stepping {
            stepping.origin = is_followed.then_some(entered);
        }
        if is_followed {
            // Its sink looks at the clock for it alone.
            self.together = 1;
        }
    }

    /// As [`Stage::look_at`], for what was just taken out of a ring.
    #[inline]
    pub(super) fn look_at_taken(&mut self, entered: Timestamp) {
        self.look_at(entered);
        if is_followed(entered) {
            self.taken_now();
        }
    }

    #[cold]
    fn taken_now(&mut self) {
        let now = self.clock.now();
        self.stepping.iter_mut().for_each(|stepping| stepping.taken = now);
    }

    /// The frame at work that is followed, if there is one: to be put back after another was looked at.
    pub(super) fn looked_at(&self) -> Option<Timestamp> {
        self.stepping.as_ref()?.origin
    }

    /// What comes next was caused by what was at work before.
    pub(super) fn look_back_at(&mut self, origin: Option<Timestamp>) {
        if self.following {
            self.look_at(origin.unwrap_or(Timestamp::ZERO));
        }
    }

    /// Notes that a frame passes a node that has no body any more, before it is numbered: that takes no time.
    #[cold]
    pub(super) fn passed_by(&self, slot: usize, line: usize, cause: &Header) {
        let (Some(stepping), here) = (&self.stepping, &self.slots[slot]) else { return };
        stepping.passed_block(here, &self.at_once(slot, line, cause));
    }

    /// Notes that what a node said last is said once more.
    #[cold]
    pub(super) fn said_again(&self, slot: usize, line: usize, cause: &Header) {
        let (Some(stepping), here) = (&self.stepping, &self.slots[slot]) else { return };
        stepping.passed(here, &self.at_once(slot, line, cause), &self.out);
    }

    fn at_once<'a>(&self, slot: usize, line: usize, cause: &'a Header) -> Passed<'a> {
        let (kind, node, now) = (StepKind::Body, self.slots[slot].node, self.clock.now());
        Passed { kind, node, line, cause, in_seq: cause.seq, began: now, ended: now }
    }

    /// Counts and notes a call about no frame: a timer, a gap.
    #[cold]
    pub(super) fn timed_beside(&mut self, slot: usize, began: Timestamp) {
        let ended = self.clock.now();
        let here = &mut self.slots[slot];
        here.timed_beside(began, ended, here.ports.cause.time);
        self.passed_unasked(slot, began, ended);
    }

    /// Notes a call about no frame, if it is on the way of one that is followed.
    #[cold]
    pub(super) fn passed_unasked(&mut self, slot: usize, began: Timestamp, ended: Timestamp) {
        let cause = self.slots[slot].ports.cause;
        if !(self.following && is_followed(cause.entered)) {
            return;
        }
        self.look_at(cause.entered);
        let (Some(stepping), here) = (&self.stepping, &self.slots[slot]) else { return };
        let (line, node, kind) = (here.ports.line, here.node, StepKind::Body);
        let passed = Passed { kind, node, line, cause: &cause, in_seq: NO_FRAME, began, ended };
        stepping.passed(here, &passed, &self.out);
    }

    /// Notes that a frame has come to a join.
    #[cold]
    pub(super) fn held(&self, slot: usize, line: usize, header: &Header) {
        let here = &self.slots[slot];
        let wanted = here.aligner.as_ref().and_then(|aligner| aligner.wanted(&here.line_bounds));
        let Some(stepping) = &self.stepping else { return };
        if is_followed(header.entered) {
            let (kind, now) = (StepKind::Held, self.clock.now());
            let (node, cause, in_seq) = (here.node, header, header.seq);
            let passed = Passed { kind, node, line, cause, in_seq, began: now, ended: now };
            let outs = wanted.map_or(0, |(line, _)| line as u32 + 1);
            stepping.put(Step { outs, ..passed.step(self.session, header.entered) });
        }
    }

    /// Notes that an answer goes on, with what is sent of it.
    #[cold]
    pub(super) fn answered_step(&mut self, slot: usize, question: &Header) {
        self.look_at_taken(question.entered);
        let (kind, now) = (StepKind::Answered, self.clock.now());
        let (Some(stepping), here) = (&self.stepping, &self.slots[slot]) else { return };
        let (line, node, cause, in_seq) = (0, here.node, question, question.seq);
        let passed = Passed { kind, node, line, cause, in_seq, began: now, ended: now };
        stepping.passed(here, &passed, &self.out);
    }
}
