//! [`LinkCarrier`]: where bodies of the engine find their ends of the links.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{runtime::Handle as Runtime, sync::watch};

use engine::{Call, Carrier, CutEdge, Fault, Frame, LiveSource, MovingCall, Sink, Timestamp};

use super::{
    EdgePlan,
    lent::{LentInlet, LentOutlet},
    sink::LinkSink,
    source::LinkSource,
};
use crate::{
    driver::{Handle, Inlet, Outlet, Ports},
    offload::{Answerer, Asker, Register},
    session::{Delivery, TimeLine},
    wire::content_most,
};

/// The ends of all links of a process, by session of the engine. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct LinkCarrier(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    sessions: Mutex<BTreeMap<u32, Ends>>,
    /// Whether all sessions are asked to end.
    leaves: AtomicBool,
    /// Where calls that move set their alarms.
    runtime: OnceLock<Runtime>,
    calls: Register,
}

/// Keeps the ends of a session where its bodies find them; dropped when the session is over.
#[derive(Debug)]
#[must_use = "without it the ends are gone"]
pub struct Berth {
    carrier: LinkCarrier,
    session: u32,
}

/// The graph's ends of all links of one session.
#[derive(Debug, Default)]
pub struct Ends {
    ends: BTreeMap<(String, usize), Arc<End>>,
    coming: Coming,
    parked: Parked,
    leaving: Leaving,
    look: Look,
}

/// How often it is looked how far the sinks are, while something is to be acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Look {
    /// Often enough for who sends to go on.
    #[default]
    Seldom,
    /// What lies between two looks comes twice after a restart of this host.
    Often,
}

impl Look {
    pub(super) const fn after(self) -> Duration {
        match self {
            Self::Seldom => Duration::from_millis(50),
            Self::Often => Duration::from_millis(10),
        }
    }
}

/// Asks the bodies of a session to take nothing more of streams that go on elsewhere. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Leaving(Arc<watch::Sender<bool>>);

impl Leaving {
    /// Asks.
    pub fn ask(&self) {
        self.0.send_replace(true);
    }

    pub(super) fn asked(&self) -> watch::Receiver<bool> {
        self.0.subscribe()
    }
}

/// Outlets of streams that do not end with this process: the one that takes its place goes on with
/// them. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Parked(Arc<Mutex<Vec<Outlet>>>);

impl Parked {
    pub(super) fn park(&self, outlet: Outlet) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(outlet);
    }
}

/// Streams that come in and have not ended. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Coming(Arc<[AtomicU64; 2]>);

impl Coming {
    /// Whether there were any, and all have ended.
    pub fn have_ended(&self) -> bool {
        let [all, ended] = &*self.0;
        let ended = ended.load(Ordering::Acquire);
        ended > 0 && ended == all.load(Ordering::Acquire)
    }

    fn add(&self) {
        self.0[0].fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn end(&self) {
        self.0[1].fetch_add(1, Ordering::AcqRel);
    }
}

/// One end of an edge, while no body has it.
#[derive(Debug)]
pub(super) struct End {
    pub(super) is_durable: bool,
    /// Frames that each side keeps.
    pub(super) room: usize,
    /// Who brings it cannot wait.
    pub(super) behind_device: bool,
    pub(super) times: Times,
    /// Frames that found no room on the way to the link.
    pub(super) dropped: Arc<AtomicU64>,
    pub(super) manner: Manner,
    pub(super) coming: Coming,
    pub(super) parked: Parked,
    pub(super) handle: Handle,
    pub(super) leaving: Leaving,
    pub(super) look: Look,
    port: Mutex<Option<Port>>,
}

/// What becomes of streams that come in when this process is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Their other end stops, too, once what goes there has ended: wait for it so long at most.
    Awaits(Duration),
    /// They go on, for whoever takes this process's place: take nothing more of them.
    Leaves,
}

#[derive(Debug)]
pub(super) enum Port {
    Out(Outlet),
    In(Inlet),
}

/// How times of the link turn into times of the run: what is to be added, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// From the link's clock to the run's.
    pub clock_ns: i64,
    /// From the link's clock to the session's time line.
    pub line_ns: i64,
}

/// [`Lines`] for one edge: times of a shared line stay as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    entered_ns: i64,
    time_ns: i64,
}

impl Times {
    fn new(lines: Lines, line: TimeLine) -> Self {
        let time_ns = if line == TimeLine::Clock { lines.line_ns } else { 0 };
        Self { entered_ns: lines.clock_ns, time_ns }
    }

    /// A frame of the session as it travels.
    pub(super) fn go_out(self, frame: &mut Frame) {
        let header = &mut frame.header;
        header.time = header.time.plus_nanos(-self.time_ns);
        header.entered = header.entered.plus_nanos(-self.entered_ns);
    }

    /// A frame that came as one of the session.
    pub(super) fn come_in(self, frame: &mut Frame) {
        let header = &mut frame.header;
        header.time = header.time.plus_nanos(self.time_ns);
        header.entered = header.entered.plus_nanos(self.entered_ns);
    }

    /// A bound of the session as it travels.
    pub(super) fn bound_out(self, bound: Timestamp) -> Timestamp {
        moved(bound, -self.time_ns)
    }

    /// A bound that came as one of the session.
    pub(super) fn bound_in(self, bound: Timestamp) -> Timestamp {
        moved(bound, self.time_ns)
    }
}

/// The ends of the line stay what they are.
fn moved(bound: Timestamp, by_ns: i64) -> Timestamp {
    match bound {
        Timestamp::MIN | Timestamp::MAX => bound,
        bound => bound.plus_nanos(by_ns),
    }
}

impl Ends {
    /// Ends that are none yet, and how often bodies look.
    pub fn looking(look: Look) -> Self {
        Self { look, ..Self::default() }
    }

    /// Adds the ends of the link to one more host. Gives the counts of frames that found no room, by
    /// edge.
    pub fn add(
        &mut self,
        plans: &[EdgePlan],
        ports: Ports,
        lines: Lines,
        manner: Manner,
    ) -> Vec<Arc<AtomicU64>> {
        let Ports { outlets, inlets, handle } = ports;
        let mut dropped = Vec::with_capacity(plans.len());
        for ((plan, outlet), inlet) in plans.iter().zip(outlets).zip(inlets) {
            if inlet.is_some() {
                self.coming.add();
            }
            let end = End {
                coming: self.coming.clone(),
                parked: self.parked.clone(),
                is_durable: plan.config.delivery == Delivery::Durable,
                room: plan.config.frames_max,
                behind_device: plan.edge.behind_device,
                times: Times::new(lines, plan.config.line),
                dropped: Arc::default(),
                manner,
                handle: handle.clone(),
                leaving: self.leaving.clone(),
                look: self.look,
                port: Mutex::new(outlet.map(Port::Out).or(inlet.map(Port::In))),
            };
            dropped.push(end.dropped.clone());
            self.ends.insert(plan.edge.to.clone(), Arc::new(end));
        }
        dropped
    }
}

impl Ends {
    /// Tells whether all streams that come in have ended.
    pub fn coming(&self) -> Coming {
        self.coming.clone()
    }

    /// Ends this session as if the process were asked to end.
    pub fn leaving(&self) -> Leaving {
        self.leaving.clone()
    }

    /// What is to be held until the link is over.
    pub fn parked(&self) -> Parked {
        self.parked.clone()
    }
}

impl End {
    /// Gives the port back for the body that comes next.
    pub(super) fn give_back(&self, port: Port) {
        *self.port.lock().unwrap_or_else(PoisonError::into_inner) = Some(port);
    }

    fn take(&self) -> Option<Port> {
        self.port.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Counts a frame that found no room.
    pub(super) fn drop_one(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

impl LinkCarrier {
    /// Has the bodies of a session find their ends.
    pub fn moor(&self, session: u32, ends: Ends) -> Berth {
        let leaving = ends.leaving();
        self.lock().insert(session, ends);
        // One that was asked meanwhile has not seen these.
        if self.0.leaves.load(Ordering::SeqCst) {
            leaving.ask();
        }
        Berth { carrier: self.clone(), session }
    }

    /// Where calls that move set their alarms: where links are driven. Counts the first time.
    pub fn runs_on(&self, runtime: &Runtime) {
        // It stays what it is: a carrier belongs to one host.
        let _ = self.0.runtime.set(runtime.clone());
    }

    pub(crate) fn register(&self) -> Register {
        self.0.calls.clone()
    }

    /// This process is asked to end: what comes in is no more taken where that is its [`Manner`].
    pub fn leave(&self) {
        self.0.leaves.store(true, Ordering::SeqCst);
        self.lock().values().for_each(|ends| ends.leaving.ask());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<u32, Ends>> {
        self.0.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Both ends of a call that moves.
    fn lent(&self, out: &CutEdge, back: &CutEdge) -> Result<(LentOutlet, LentInlet), Fault> {
        let (out_end, out_port) = self.end(out)?;
        let (back_end, back_port) = self.end(back)?;
        match (out_port, back_port) {
            (Port::Out(outlet), Port::In(inlet)) => {
                Ok((LentOutlet::new(out_end, outlet), LentInlet::new(back_end, inlet)))
            }
            _ => Err(Fault::new(format!("`{}` leads the other way", out.name()))),
        }
    }

    fn end(&self, edge: &CutEdge) -> Result<(Arc<End>, Port), Fault> {
        let end = self.lock().get(&edge.session).and_then(|ends| ends.ends.get(&edge.to).cloned());
        let end = end.and_then(|end| end.take().map(|port| (end, port)));
        end.ok_or_else(|| Fault::new(format!("`{}` has no link in this session", edge.name())))
    }
}

impl Drop for Berth {
    fn drop(&mut self) {
        // Ends that no body holds end here.
        let ends = self.carrier.lock().remove(&self.session);
        drop(ends);
    }
}

impl Carrier for LinkCarrier {
    fn send(&self, edge: &CutEdge) -> Result<Box<dyn Sink>, Fault> {
        match self.end(edge)? {
            (end, Port::Out(outlet)) => Ok(Box::new(LinkSink::new(end, outlet))),
            _ => Err(Fault::new(format!("`{}` comes in here", edge.name()))),
        }
    }

    fn moves(&self, call: Box<dyn Call>, moving: &MovingCall) -> Result<Box<dyn Call>, Fault> {
        let runtime = self.0.runtime.get().cloned();
        let runtime = runtime.ok_or_else(|| Fault::new("nobody drives the links yet"))?;
        let most = content_most(&moving.question.format).unwrap_or(usize::MAX);
        let ends = self.lent(&moving.question, &moving.answer)?;
        let register = self.0.calls.clone();
        Ok(Box::new(Asker::new(call, moving, ends, most, runtime, register)))
    }

    fn answers(
        &self,
        call: Box<dyn Call>,
        moving: &MovingCall,
    ) -> Result<Box<dyn LiveSource>, Fault> {
        let most = content_most(&moving.answer.format).unwrap_or(usize::MAX);
        let (answers, questions) = self.lent(&moving.answer, &moving.question)?;
        Ok(Box::new(Answerer::new(call, questions, answers, most)))
    }

    fn receive(&self, edge: &CutEdge) -> Result<Box<dyn LiveSource>, Fault> {
        match self.end(edge)? {
            (end, Port::In(inlet)) => Ok(Box::new(LinkSource::new(end, inlet))),
            _ => Err(Fault::new(format!("`{}` goes out here", edge.name()))),
        }
    }
}
