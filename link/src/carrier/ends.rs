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
    host::random,
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
    too_late: TooLate,
    leaving: Leaving,
    look: Look,
}

/// Frames of edges that may lose nothing that came for a link when it was over. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct TooLate(Arc<AtomicU64>);

impl TooLate {
    /// How many.
    pub fn frames(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    fn count(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
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
    /// Frames that found no room on the way to the link, or that were taken back on the way from it.
    pub(super) dropped: Arc<AtomicU64>,
    pub(super) manner: Manner,
    pub(super) coming: Coming,
    pub(super) parked: Parked,
    too_late: TooLate,
    pub(super) handle: Handle,
    /// Of a call's questions: the number of the next, which no other body and no other life has given.
    pub(super) next: AtomicU64,
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
            // Answers end only after what they answer.
            let answers = plan.edge.call.is_some_and(|call| call.answers);
            if inlet.is_some() && !answers {
                self.coming.add();
            }
            let end = End {
                coming: if answers { Coming::default() } else { self.coming.clone() },
                next: AtomicU64::new(random()),
                parked: self.parked.clone(),
                too_late: self.too_late.clone(),
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

    /// Counts what comes when the link is over.
    pub fn too_late(&self) -> TooLate {
        self.too_late.clone()
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

    /// Counts a frame that found the link over.
    pub(super) fn drop_late(&self) {
        self.drop_one();
        if self.is_durable {
            self.too_late.count();
        }
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
        let (end, port) = self.end(out)?;
        let Port::Out(outlet) = port else {
            return Err(Fault::new(format!("`{}` comes in here", out.name())));
        };
        // Dropped, it goes back.
        let outlet = LentOutlet::new(end, outlet);
        let (end, port) = self.end(back)?;
        let Port::In(inlet) = port else {
            return Err(Fault::new(format!("`{}` goes out here", back.name())));
        };
        Ok((outlet, LentInlet::new(end, inlet)))
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
        // A body that was given up may still have the ends, and those of a link that is over are gone:
        // home answers alone then.
        let ends = self.lent(&moving.question, &moving.answer).ok();
        let away = ends.zip(self.0.runtime.get().cloned());
        Ok(Box::new(Asker::new(call, moving, away, self.0.calls.clone())))
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

#[cfg(test)]
mod tests {
    use engine::{EventWriter, Field, Format, Header};

    use super::*;
    use crate::{
        driver::{Driver, Settings},
        session::{EdgeConfig, Priority, Session, SessionConfig, Timing},
    };

    /// Two edges, durable and droppable, of a link whose driver is gone.
    fn sinks_of_a_link_that_is_over() -> (Vec<LinkSink>, TooLate, Arc<AtomicU64>) {
        let format = Format::event(vec![Field::i64("n")], 100.0);
        let deliveries = [Delivery::Durable, Delivery::Droppable { deadline_ns: 1_000_000_000 }];
        let edges = deliveries.map(|delivery| EdgeConfig {
            name: "a -> b".to_owned(),
            format: format.clone(),
            receives: false,
            delivery,
            priority: Priority::Sensor,
            line: TimeLine::Shared,
            packed: true,
            may_void: false,
            frames_max: 16,
            bytes_max: 1 << 20,
        });
        let (graph, session, life, timing) = ([1; 16], [2; 16], 1, Timing::default());
        let edges = edges.to_vec();
        let config = SessionConfig { graph, session, life, calls: true, edges, timing };
        let (driver, ports) = Driver::new(Session::new(config), Settings::default());
        drop(driver);
        let (too_late, dropped) = (TooLate::default(), Arc::<AtomicU64>::default());
        let sink = |(outlet, delivery): (Option<Outlet>, Delivery)| {
            let end = End {
                is_durable: delivery == Delivery::Durable,
                room: 16,
                behind_device: false,
                times: Times::new(Lines::default(), TimeLine::Shared),
                dropped: dropped.clone(),
                manner: Manner::Leaves,
                coming: Coming::default(),
                parked: Parked::default(),
                too_late: too_late.clone(),
                handle: ports.handle.clone(),
                next: AtomicU64::new(0),
                leaving: Leaving::default(),
                look: Look::default(),
                port: Mutex::default(),
            };
            LinkSink::new(Arc::new(end), outlet.expect("sent here"))
        };
        let sinks = ports.outlets.into_iter().zip(deliveries).map(sink).collect();
        (sinks, too_late, dropped)
    }

    #[tokio::test]
    async fn what_comes_when_a_link_is_over_is_counted_as_not_got_through_where_it_may_not_be_lost()
    {
        let (mut sinks, too_late, dropped) = sinks_of_a_link_that_is_over();
        let format = Format::event(vec![Field::i64("n")], 100.0);
        let format = format.as_event().expect("an event").clone();
        for sink in &mut sinks {
            for n in 0..3 {
                let event = EventWriter::new(&format).i64(0, n).finish();
                sink.take(0, &Frame::new(Header::at(Timestamp::ZERO), event)).expect("no fault");
            }
        }
        assert_eq!(dropped.load(Ordering::Relaxed), 6);
        assert_eq!(too_late.frames(), 3, "of the durable edge alone");
    }
}
