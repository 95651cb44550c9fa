//! Calls in a stage: questions go out, answers come back in order.
//!
//! ```text
//! process ─▶ [ asked … asked │ waiting … ] ─▶ ask, while fewer than `in_flight` are asked
//!              ▲ oldest: the bound behind the call; its answer is sent next
//! ```

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use crate::{
    buffer::Buffer,
    call::{Answer, Letter, Letters},
    event::with_last_text,
    fault::{Fault, FaultClass},
    flush::Roots,
    format::{EventFormat, Format},
    frame::{Frame, Gap, MaybeGap},
    io::{Io, Sent},
    plan::PlanNode,
    ring::Wake,
    steps::{Passed, StepKind},
    time::Timestamp,
};

use super::{Slot, SlotBody, Stage, Step};

/// What a stage keeps for one of its calls.
pub(crate) struct Asking {
    slot: usize,
    open: VecDeque<Question>,
    /// So many of the open questions, the oldest, have been asked.
    asked: usize,
    /// Most questions asked at once, as the body said last.
    in_flight: usize,
    /// Times a question may be asked again if its answer fails.
    retries: u32,
    /// Of each port the events that say which host has answered, where there may be several.
    tells_host: Box<[Option<Arc<EventFormat>>]>,
    /// The question the body is dealing with, should it die on it, and its place in the row.
    at: Option<(usize, Question)>,
    /// The body has died on a question, and the next one says so.
    is_told: bool,
    /// Why the next question follows missing content.
    gap: MaybeGap,
    letters: Letters,
    missed: Missed,
}

/// Answers that did not come.
#[derive(Default)]
struct Missed {
    late: u64,
    failed: u64,
    /// Why the last one failed.
    fault: Option<Fault>,
    /// Why the last late one was not waited for.
    hopeless: Option<Fault>,
}

struct Question {
    /// What is asked; its gap is what the answer says.
    frame: Frame,
    /// The input by which the frame came that it accounts for: that is in flight until it is settled.
    line: Option<usize>,
    /// The input by which the frame came that it is about; none of a join, whose frames come by all.
    about: Option<usize>,
    /// Not later than this; counts from when it was asked first.
    until: Option<Timestamp>,
    retries: u32,
    letter: Option<Arc<Letter>>,
}

/// Why there is no answer.
enum Missing {
    /// It has not come in time, or would not.
    Late(Option<Fault>),
    /// It will never come.
    Failed(Fault),
}

impl Drop for Question {
    fn drop(&mut self) {
        if let Some(letter) = self.letter.take() {
            letter.refuse();
        }
    }
}

impl Asking {
    pub(super) fn new(slot: usize, planned: &PlanNode, wake: Arc<dyn Wake>) -> Self {
        let retries = planned.retries.unwrap_or(0);
        let tells = |(port, format): (usize, &Format)| match format {
            Format::Event(event) if planned.tells_host(port) => Some(event.clone()),
            _ => None,
        };
        Self {
            tells_host: planned.outputs.iter().enumerate().map(tells).collect(),
            slot,
            open: VecDeque::new(),
            asked: 0,
            in_flight: 1,
            retries,
            at: None,
            is_told: false,
            gap: MaybeGap::NONE,
            letters: Letters::new(wake),
            missed: Missed::default(),
        }
    }

    /// So often a question may be asked again that is asked from now on.
    pub(super) const fn set_retries(&mut self, retries: u32) {
        self.retries = retries;
    }

    /// The slot of the call.
    pub(super) const fn slot(&self) -> usize {
        self.slot
    }

    /// A payload as the graph gets it: the body knows nothing of other hosts.
    fn told(&self, port: usize, payload: &Buffer, host: Option<&str>) -> Buffer {
        match &self.tells_host[port] {
            Some(format) => with_last_text(format, payload, host),
            None => payload.clone(),
        }
    }

    /// What to tell the user about the answers that did not come.
    pub(super) fn remark(&self) -> Option<String> {
        let Missed { late, failed, fault, hopeless } = &self.missed;
        let questions = |count: &u64| match count {
            1 => "1 question was".to_owned(),
            count => format!("{count} questions were"),
        };
        let because = |fault: &Option<Fault>| {
            fault.as_ref().map(|fault| format!("; the last one: {fault}")).unwrap_or_default()
        };
        let late = (*late > 0)
            .then(|| format!("{} not answered in time{}", questions(late), because(hopeless)));
        let failed =
            (*failed > 0).then(|| format!("{} not answered{}", questions(failed), because(fault)));
        match (late, failed) {
            (Some(late), Some(failed)) => Some(format!("{late}, {failed}")),
            (late, failed) => late.or(failed),
        }
    }

    /// Questions that account for a frame of an input.
    pub(super) fn open_from(&self, slot: usize, line: usize) -> usize {
        let open = self.open.iter().filter(|question| question.line == Some(line));
        if self.slot == slot { open.count() } else { 0 }
    }

    /// The moment of the oldest question: what is said to it will be about that.
    fn oldest(&self) -> Timestamp {
        self.open.iter().map(|question| question.frame.header.time).min().unwrap_or(Timestamp::MAX)
    }
}

impl Stage {
    /// Questions that are open in the calls of the stage.
    pub(crate) fn questions(&self) -> usize {
        self.asking.iter().map(|asking| asking.open.len()).sum()
    }

    /// Whether no frame should be taken in: some call has enough questions open, or what stands in for it
    /// would overtake the answers that are still to come.
    pub(super) fn is_asked_enough(&self) -> bool {
        self.asking.iter().any(|asking| match self.slots[asking.slot].body {
            SlotBody::Call(_) => asking.open.len() >= asking.in_flight,
            _ => !asking.open.is_empty(),
        })
    }

    /// Notes how far the answers of a call may still be behind its input.
    pub(super) fn hold_back(&mut self, slot: usize) {
        if let Some(asking) = self.asking.iter().find(|asking| asking.slot == slot) {
            self.slots[slot].held = asking.oldest();
        }
    }

    /// When the next answer will be too late.
    pub(super) fn patience_ends(&self) -> Option<Timestamp> {
        self.asking.iter().filter_map(|asking| asking.open.front()?.until).min()
    }

    /// Takes what a call's `process` or `flush` has sent as questions, and asks what may be asked.
    /// `line` is that of the frame they are about, which the last of them accounts for.
    pub(super) fn question(&mut self, slot: usize, line: Option<usize>) -> Step {
        let is_join = self.slots[slot].aligner.is_some();
        let about = line.or(Some(self.slots[slot].ports.line)).filter(|_| !is_join);
        let number = self.asking_of(slot);
        let asking = &mut self.asking[number];
        let mut left = self.out.len();
        let cause_seq = self.slots[slot].ports.cause.seq;
        for Sent { mut frame, .. } in self.out.drain(..) {
            left -= 1;
            frame.header.gap = asking.gap.take().into();
            // The frame it was made of, for whoever follows that.
            frame.header.seq = cause_seq;
            asking.open.push_back(Question {
                frame,
                line: line.filter(|_| left == 0),
                about,
                until: None,
                retries: asking.retries,
                letter: None,
            });
        }
        // From here on it is the question that counts.
        self.current = None;
        self.ask_more(number)
    }

    /// Gives up the questions of a call that were made of what is void.
    pub(super) fn void_questions(&mut self, slot: usize, risen: Roots) {
        let Some(asking) = self.asking.iter_mut().find(|asking| asking.slot == slot) else {
            return;
        };
        let here = &self.slots[slot];
        let is_void = |question: &Question| match question.about {
            Some(line) => here.line_roots[line].meets(risen),
            None => true,
        };
        let mut kept = 0;
        for (at, question) in std::mem::take(&mut asking.open).into_iter().enumerate() {
            if !is_void(&question) {
                kept += usize::from(at < asking.asked);
                asking.open.push_back(question);
            } else if let Some(line) = question.line {
                here.line_counts[line].lose(Gap::Flush, &question.frame.header);
            }
        }
        asking.asked = kept;
    }

    /// Notes that the body of a call was put in anew, unless the question it died on has told so. What
    /// was asked before is answered still. Says no if there is no call.
    pub(super) fn restart_before_question(&mut self, slot: usize) -> bool {
        let Some(asking) = self.asking.iter_mut().find(|asking| asking.slot == slot) else {
            return false;
        };
        if !std::mem::take(&mut asking.is_told) {
            asking.gap = asking.gap.or(Gap::Restart.into());
        }
        true
    }

    /// Notes that content is missing before the next question.
    pub(super) fn gap_before_question(&mut self, slot: usize, reason: Gap) {
        let number = self.asking_of(slot);
        let gap = &mut self.asking[number].gap;
        *gap = gap.or(reason.into());
    }

    /// What is missing before the next question is missing before the next frame: nothing is asked any
    /// more.
    pub(super) fn gap_without_question(&mut self, slot: usize) {
        if let Some(asking) = self.asking.iter_mut().find(|asking| asking.slot == slot)
            && let Some(reason) = asking.gap.take()
        {
            self.slots[slot].gap(reason);
        }
    }

    /// Sends the answers that have come, in the order of their questions, and asks what may be
    /// asked in their place.
    pub(super) fn take_answers(&mut self, now: Timestamp) -> Step {
        for number in 0..self.asking.len() {
            let mut any = false;
            while self.left > 0 && !self.is_blocked {
                let Some(answered) = self.answered(number, now) else { break };
                any = true;
                self.left -= 1;
                self.mark.step();
                self.deal_with(number, answered, now)?;
                self.run_work()?;
            }
            // A new body may find questions that were not asked yet.
            self.ask_more(number)?;
            if any && (self.any_watched || self.ending) {
                self.settle()?;
            }
        }
        Ok(())
    }

    /// What became of the oldest question of a call, if that is known.
    fn answered(&mut self, number: usize, now: Timestamp) -> Option<Result<Answer, Missing>> {
        let asking = &self.asking[number];
        let oldest = asking.open.front()?;
        if asking.asked == 0 {
            // What was not asked before the call failed for good is asked by nobody.
            let is_over = matches!(
                self.slots[asking.slot].body,
                SlotBody::Bypass | SlotBody::HoldLast(_) | SlotBody::Closed
            );
            let nobody = || Err(Missing::Failed(Fault::new("nobody is left to ask")));
            return is_over.then(nobody);
        }
        let ports = self.slots[asking.slot].routes.len();
        match oldest.letter.as_ref()?.take() {
            Some(Ok(answer)) if answer.payloads.iter().any(|(port, _)| *port >= ports) => {
                Some(Err(Missing::Failed(Fault::new("it answers on a port that there is not"))))
            }
            Some(Ok(answer)) => Some(Ok(answer)),
            Some(Err(fault)) if fault.class() == FaultClass::Late => {
                Some(Err(Missing::Late(Some(fault))))
            }
            Some(Err(fault)) => Some(Err(Missing::Failed(fault))),
            None if oldest.until.is_some_and(|until| until <= now) => {
                Some(Err(Missing::Late(None)))
            }
            None => None,
        }
    }

    /// Settles the oldest question.
    fn deal_with(
        &mut self,
        number: usize,
        answered: Result<Answer, Missing>,
        now: Timestamp,
    ) -> Step {
        let asking = &mut self.asking[number];
        let slot = asking.slot;
        let mut question = asking.open.pop_front().expect("it was answered");
        asking.asked = asking.asked.saturating_sub(1);
        if let Some(letter) = question.letter.take() {
            letter.refuse();
            asking.letters.put_back(letter);
        }
        let missing = match answered {
            Ok(answer) => {
                self.say(number, &question, answer);
                return self.ask_more(number);
            }
            Err(missing) => missing,
        };
        let is_in_time = question.until.is_none_or(|until| now < until);
        let is_there = matches!(self.slots[slot].body, SlotBody::Call(_));
        let has_failed = matches!(missing, Missing::Failed(_));
        if has_failed && question.retries > 0 && is_in_time && is_there {
            question.retries -= 1;
            return self.ask(number, question, 0);
        }
        let missed = &mut self.asking[number].missed;
        let reason = match missing {
            Missing::Late(why) => {
                missed.late += 1;
                missed.hopeless = why.or(missed.hopeless.take());
                Gap::Late
            }
            Missing::Failed(fault) => {
                missed.failed += 1;
                missed.fault = Some(fault);
                Gap::Poison
            }
        };
        self.mark.slot.store(slot as u32, Ordering::Relaxed);
        let here = &mut self.slots[slot];
        let stands_in = match &mut here.body {
            SlotBody::Call(call) => {
                let (_, question) = self.asking[number].at.insert((0, question));
                let stands_in = call.fallback(&question.frame);
                self.mark.check();
                stands_in
            }
            _ => {
                self.asking[number].at = Some((0, question));
                None
            }
        };
        let (_, question) = self.asking[number].at.take().expect("put there before the call");
        match stands_in {
            Some(answer) => self.say(number, &question, answer),
            None => self.miss_answer(number, &question, reason),
        }
        self.ask_more(number)
    }

    /// Sends the answer to a question.
    fn say(&mut self, number: usize, question: &Question, answer: Answer) {
        let slot = self.asking[number].slot;
        self.mark.slot.store(slot as u32, Ordering::Relaxed);
        let header = &question.frame.header;
        self.entered = header.entered;
        let here = &mut self.slots[slot];
        if let Some(reason) = header.gap.get() {
            here.gap(reason);
        }
        let host = answer.host();
        for (place, (port, buffer)) in answer.payloads.iter().enumerate() {
            let (port, buffer) = (*port, self.asking[number].told(*port, buffer, host));
            let time = answer.time_of(place).unwrap_or(header.time);
            let frame = Frame::new(header.causes(time), buffer);
            self.out.push(Sent { port, frame });
        }
        if let Some(line) = question.line {
            here.line_counts[line].taken.add(1);
        }
        if self.following {
            self.answered_step(slot, &question.frame.header);
        }
        self.send_out(slot);
        self.settled &= !(self.any_watched || self.ending);
    }

    /// Counts a question without an answer; the next answer says so.
    fn miss_answer(&mut self, number: usize, question: &Question, reason: Gap) {
        let slot = self.asking[number].slot;
        let here = &mut self.slots[slot];
        if reason == Gap::Poison {
            here.counts.poison.add(1);
            self.poison.keep(here.node, question.frame.clone());
        }
        if let Some(line) = question.line {
            here.line_counts[line].lose(reason, &question.frame.header);
        }
        here.gap(question.frame.header.gap.get().unwrap_or(reason));
        self.settled &= !(self.any_watched || self.ending);
    }

    /// Asks the questions that wait, as far as so many may be open.
    fn ask_more(&mut self, number: usize) -> Step {
        loop {
            let asking = &mut self.asking[number];
            let at = asking.asked;
            let is_there = matches!(self.slots[asking.slot].body, SlotBody::Call(_));
            if at >= asking.open.len() || at >= asking.in_flight || !is_there {
                break;
            }
            let question = asking.open.remove(at).expect("it is there");
            self.ask(number, question, at)?;
        }
        Ok(())
    }

    /// Asks one question, which stands `at` this place in the row from then on.
    fn ask(&mut self, number: usize, question: Question, at: usize) -> Step {
        let slot = self.asking[number].slot;
        self.mark.slot.store(slot as u32, Ordering::Relaxed);
        let SlotBody::Call(call) = &mut self.slots[slot].body else {
            unreachable!("only calls are asked")
        };
        let asking = &mut self.asking[number];
        // Should the body die on it, it is the question that is lost.
        let (_, question) = asking.at.insert((at, question));
        asking.in_flight = call.in_flight().max(1);
        if question.until.is_none()
            && let Some(limit) = call.deadline()
        {
            let limit = i64::try_from(limit.as_nanos()).unwrap_or(i64::MAX);
            question.until = Some(self.clock.now().plus_nanos(limit));
        }
        // A clock that is set waits for answers.
        let until = question.until.filter(|_| !self.clock.is_manual());
        let left = until.map(|until| until.since(self.clock.now()).max(0) as u64);
        let (letter, reply) = asking.letters.open();
        question.letter = Some(letter);
        call.ask(&question.frame, reply.within(left.map(Duration::from_nanos)))?;
        self.mark.check();
        let (at, question) = asking.at.take().expect("put there before the call");
        asking.open.insert(at, question);
        asking.asked += 1;
        Ok(())
    }

    /// The call at work has failed over a question: that is lost, and the next one says so.
    pub(super) fn lose_question(&mut self, slot: usize) {
        let Some(number) = self.asking.iter().position(|asking| asking.slot == slot) else {
            return;
        };
        let asking = &mut self.asking[number];
        let Some((at, question)) = asking.at.take() else { return };
        let here: &mut Slot = &mut self.slots[slot];
        here.counts.poison.add(1);
        if let Some(line) = question.line {
            here.line_counts[line].lose(Gap::Poison, &question.frame.header);
        }
        let next = asking.open.get_mut(at).map(|next| &mut next.frame.header.gap);
        let next = next.unwrap_or(&mut asking.gap);
        *next = next.or(question.frame.header.gap).or(Gap::Restart.into());
        asking.is_told = true;
        self.poison.keep(here.node, question.frame.clone());
    }

    /// Lets a call make questions of the frame in `current`. They account for it if it `counts`: a
    /// join has counted its own.
    pub(super) fn process_questions(&mut self, slot: usize, line: usize, counts: bool) -> Step {
        let here = &mut self.slots[slot];
        let SlotBody::Call(call) = &mut here.body else { unreachable!("only calls ask") };
        let frame = self.current.as_ref().expect("a chain carries a frame");
        here.ports.line = line;
        here.ports.cause = frame.header;
        let began = self.timing.then(|| self.clock.now());
        let mut io = Io { ports: &mut here.ports, frame: Some(frame), out: &mut self.out };
        let done = call.process(&mut io);
        self.mark.check();
        done?;
        let cause = here.ports.cause;
        if counts && self.out.is_empty() {
            here.line_counts[line].taken.add(1);
        }
        if !counts {
            // Counted before anything is asked: what the body dies on then is its question.
            self.count_joined(slot, line);
            self.slots[slot].ports.aligned.fill(None);
        }
        self.question(slot, counts.then_some(line))?;
        if let Some(began) = began {
            let ended = self.clock.now();
            let here = &mut self.slots[slot];
            here.timed(began, ended, cause.time);
            if let Some(stepping) = &self.stepping {
                let (kind, node, in_seq) = (StepKind::Asked, here.node, cause.seq);
                let passed = Passed { kind, node, line, cause: &cause, in_seq, began, ended };
                stepping.passed(here, &passed, &[]);
            }
        }
        Ok(())
    }

    fn asking_of(&self, slot: usize) -> usize {
        let number = self.asking.iter().position(|asking| asking.slot == slot);
        number.expect("a call has its questions")
    }
}
