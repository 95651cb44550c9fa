//! Calls: questions in, answers out, in order and several open at once.

mod outlets;
mod question;

use std::{collections::VecDeque, future::pending, sync::Arc};

use tokio::time::{Duration, Instant, sleep_until};

use crate::{
    body::Body,
    buffer::Buffer,
    call::Call,
    fault::Fault,
    frame::{Frame, Gap},
    graph::OnFault,
    plan::Plan,
    ring::Receiver,
    stage::{Ends, Wiring, pick},
    stats::{EdgeCounts, NodeCounts},
    supervise::{Record, Verdict},
    time::{Clock, Timestamp},
};

use super::{CatchUnwind, TaskWake, built_again, bury, caught, take_receivers};

use outlets::Outlets;
use question::{Answering, Missing, Question, in_time};

/// A call with the ring that leads to it and those that lead from it.
pub(crate) struct CallTask {
    pub(crate) node: usize,
    pub(crate) wake: Arc<TaskWake>,
    plan: Arc<Plan>,
    session: u32,
    clock: Clock,
    asks: Asks,
    /// Most questions open at once, as the body said last.
    in_flight: usize,
    record: Record,
    counts: Arc<NodeCounts>,
    ring: Receiver,
    edge: Arc<EdgeCounts>,
    pick: Option<Arc<[u16]>>,
    out: Outlets,
    open: VecDeque<Question>,
    /// The last answer, where `on_fault` may want it once more.
    last: Option<Buffer>,
}

/// Who deals with questions.
enum Asks {
    Body(Box<dyn Call>),
    /// The body failed; not before this moment is a new one put in.
    Resting(Instant),
    /// It failed too often: questions pass as their own answers.
    Bypass,
    /// It failed too often: the last answer is given again and again.
    HoldLast,
}

impl CallTask {
    pub(crate) fn new(
        wiring: Wiring<'_>,
        node: usize,
        call: Box<dyn Call>,
        ends: &mut Ends,
        wake: Arc<TaskWake>,
    ) -> Self {
        let planned = &wiring.plan.nodes[node];
        let edges = planned.out_edges.iter().flatten();
        let edges = edges.map(|&edge| {
            let sender = ends.senders[edge].take().expect("one end per edge");
            (sender, wiring.counts.edges[edge].clone())
        });
        let out = Outlets::new(planned, edges.collect(), &wake);
        Self {
            node,
            wake,
            plan: wiring.plan.clone(),
            session: wiring.session,
            clock: wiring.clock.clone(),
            asks: Asks::Body(call),
            in_flight: 1,
            record: Record::new(planned.on_fault, planned.retries),
            counts: wiring.counts.nodes[node].clone(),
            ring: take_receivers(wiring.plan, node, ends).pop().expect("a call has one input"),
            edge: wiring.counts.edges[planned.in_edges[0]].clone(),
            pick: wiring.plan.edges[planned.in_edges[0]].pick.clone(),
            out,
            open: VecDeque::new(),
            last: None,
        }
    }

    /// Asks and answers in order until the input ends.
    pub(crate) async fn run(mut self) -> Result<(), Fault> {
        let outcome = CatchUnwind::new(self.run_on()).await;
        if outcome.is_err() {
            self.edge.dropped(Gap::Poison, self.open.len() as u64);
            self.ring.abandon(Gap::Poison);
        }
        outcome
    }

    async fn run_on(&mut self) -> Result<(), Fault> {
        loop {
            let bound = self.ring.bound();
            self.wake_up()?;
            self.ask_more()?;
            let more = self.open.len() < self.in_flight;
            let resting = match self.asks {
                Asks::Resting(until) => Some(until),
                _ => None,
            };
            let Some(oldest) = self.open.front_mut() else {
                if resting.is_none() {
                    self.out.publish(bound);
                    if bound == Timestamp::MAX {
                        return Ok(());
                    }
                }
                if !self.ring.want(bound.plus_nanos(1)) || resting.is_some() {
                    tokio::select! {
                        () = self.wake.0.notified() => {}
                        () = reached(resting) => {}
                    }
                }
                continue;
            };
            // The oldest open question is the bound behind the call.
            self.out.publish(oldest.frame.header.time);
            let answered = tokio::select! {
                biased;
                answered = oldest.answered() => answered,
                // Another question may have come, and need not wait for this answer.
                () = self.wake.0.notified(), if more => continue,
                () = reached(resting) => continue,
            };
            let question = self.open.pop_front().expect("it was answered");
            self.settle(question, answered).await?;
        }
    }

    /// Puts in a new body when it is time. One that cannot be built is one more fault.
    fn wake_up(&mut self) -> Result<(), Fault> {
        let Asks::Resting(until) = self.asks else { return Ok(()) };
        if Instant::now() < until {
            return Ok(());
        }
        match built_again(&self.plan, self.node, self.session) {
            Ok(Body::Call(call)) => {
                self.counts.restarts.add(1);
                self.asks = Asks::Body(call);
                Ok(())
            }
            Ok(_) => self.decide(Fault::new("the kind built another sort of body")),
            Err(fault) => self.decide(fault),
        }
    }

    /// Asks whatever has come, as far as questions may be open.
    fn ask_more(&mut self) -> Result<(), Fault> {
        while self.open.len() < self.in_flight && !matches!(self.asks, Asks::Resting(_)) {
            let Some(mut frame) = self.ring.pop() else { break };
            if let Some(pick_from) = &self.pick {
                pick(&mut frame, pick_from);
            }
            let retries = self.plan.nodes[self.node].retries.unwrap_or(0);
            let question = Question { frame, until: None, retries, answer: Answering::Died };
            let question = self.ask(question)?;
            self.open.push_back(question);
        }
        self.ring.release();
        Ok(())
    }

    fn ask(&mut self, mut question: Question) -> Result<Question, Fault> {
        let frame = question.frame.clone();
        let call = match &mut self.asks {
            Asks::Body(call) => call,
            Asks::Bypass => {
                question.answer = Answering::Ready(Some(frame.buffer().clone()));
                return Ok(question);
            }
            Asks::HoldLast => {
                question.answer = Answering::Ready(self.last.clone());
                return Ok(question);
            }
            Asks::Resting(_) => return Ok(question),
        };
        match caught(|| Ok((call.in_flight().max(1), call.deadline(), call.ask(frame)?))) {
            Ok((in_flight, deadline, answer)) => {
                self.in_flight = in_flight;
                question.until = question.until.or(deadline.map(|limit| Instant::now() + limit));
                question.answer = Answering::Open(tokio::spawn(in_time(answer, question.until)));
            }
            Err(fault) => self.failed(fault)?,
        }
        Ok(question)
    }

    /// Sends the answer or what stands in for it, or counts the question as dropped.
    async fn settle(
        &mut self,
        mut question: Question,
        answered: Result<Frame, Missing>,
    ) -> Result<(), Fault> {
        let died = matches!(question.answer, Answering::Died);
        let missing = match answered {
            Ok(answer) => return self.answer(&question, answer).await,
            Err(missing) => missing,
        };
        let in_time = question.until.is_none_or(|until| Instant::now() < until);
        let may_ask = matches!(self.asks, Asks::Body(_)) && question.retries > 0 && in_time;
        if let (Missing::Failed, false, true) = (missing, died, may_ask) {
            question.retries -= 1;
            question.answer = Answering::Died;
            let question = self.ask(question)?;
            self.open.push_front(question);
            return Ok(());
        }
        let stands_in = match &mut self.asks {
            Asks::Body(call) if !died => caught(|| Ok(call.fallback(&question.frame))),
            _ => Ok(None),
        };
        let mut reason = match (missing, died) {
            (Missing::Late, _) => Gap::Late,
            (Missing::Failed, false) => Gap::Poison,
            (Missing::Failed, true) => Gap::Restart,
        };
        match stands_in {
            Ok(Some(answer)) => return self.answer(&question, answer).await,
            Ok(None) => {}
            Err(fault) => {
                reason = Gap::Restart;
                self.failed(fault)?;
            }
        }
        if reason == Gap::Late {
            self.edge.dropped(Gap::Late, 1);
        } else {
            self.counts.poison.add(1);
            self.edge.dropped(Gap::Poison, 1);
        }
        self.out.miss(question.frame.header.gap.get().unwrap_or(reason));
        Ok(())
    }

    async fn answer(&mut self, question: &Question, answer: Frame) -> Result<(), Fault> {
        let (_, buffer) = answer.into_parts();
        if self.plan.nodes[self.node].on_fault == OnFault::HoldLast {
            self.last = Some(buffer.clone());
        }
        self.edge.taken.add(1);
        self.out.send(question.frame.header, buffer).await;
        Ok(())
    }

    /// The body has failed over a question: its policy decides.
    fn failed(&mut self, fault: Fault) -> Result<(), Fault> {
        self.decide(fault).inspect_err(|_| {
            self.counts.poison.add(1);
            self.edge.dropped(Gap::Poison, 1);
        })
    }

    /// What the policy says to a fault. What was asked already is answered still.
    fn decide(&mut self, fault: Fault) -> Result<(), Fault> {
        let now = self.clock.now();
        let asks = match self.record.fault(now) {
            Verdict::Restart(at) => {
                let pause = Duration::from_nanos(at.since(now).max(0) as u64);
                Asks::Resting(Instant::now() + pause)
            }
            Verdict::Bypass => Asks::Bypass,
            Verdict::HoldLast => Asks::HoldLast,
            Verdict::Stop => return Err(fault),
        };
        bury(std::mem::replace(&mut self.asks, asks));
        Ok(())
    }
}

/// Waits for a moment if there is one, else for ever.
async fn reached(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
    }
}
