//! [`Dialing`]: a host that calls the others.

use std::{
    fmt, io,
    net::{Ipv6Addr, SocketAddr},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use engine::{Clock, ControlError, Opener, Running, Timestamp};
use tokio::task::JoinSet;

use super::{
    LOOK, LinkThread, Links, News, Part, Peer, ShelfError, Tell, caller::Caller, is_empty,
    keys::Keys, new_session, random, shelves::Shelves,
};
use crate::{
    carrier::{Ends, Lines, LinkCarrier, Manner, TooLate},
    driver::{Driver, Ended, Handle, Settings, Status},
    quic,
    session::Session,
    wire::ByeReason,
};

/// How long the other side's streams may take to end once ours have.
const ENDS_WITHIN: Duration = Duration::from_secs(3);
/// How long durable frames may take to be consumed once the graph has ended.
const FLUSH: Duration = Duration::from_secs(10);
/// How long a graph that was asked to end waits for a host that is gone.
const PATIENCE_NS: i64 = 5_000_000_000;
/// Looks without anything left to send, once the run is over, after which the link ends: two seconds.
const IDLE_LOOKS: u32 = 20;
/// How long a host may take to answer at the start before that is told.
const FIRST_NS: i64 = 2_000_000_000;

/// The links of a host that calls the others, a session of the engine for each of its own.
pub struct Dialing {
    thread: LinkThread,
    links: Links,
    tasks: JoinSet<u64>,
    shared: Arc<Shared>,
    shelves: Option<Shelves>,
    too_late: Vec<TooLate>,
}

struct Shared {
    tell: Tell,
    links: Links,
    /// What does not get through waits on disk.
    keeps: bool,
    leaves: AtomicBool,
    /// The run is over.
    is_over: AtomicBool,
}

/// What did not get through before the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Frames of edges that lose nothing, which the other side has not acknowledged.
    pub frames: u64,
    /// Frames of such edges that came when their link was over: they wait nowhere.
    pub too_late: u64,
    /// Where the others wait for the next run, if the graph asks for that.
    pub kept: Option<PathBuf>,
    /// A link ended by a defect of ours: nobody knows what it held.
    pub has_failed: bool,
}

/// Why nobody can be called.
#[derive(Debug)]
pub enum DialError {
    /// There is no socket to be had.
    Io(io::Error),
    /// A session cannot be opened.
    Open(ControlError),
    /// What is sent cannot be kept as the graph asks.
    Shelf(ShelfError),
}

impl From<ShelfError> for DialError {
    fn from(error: ShelfError) -> Self {
        Self::Shelf(error)
    }
}

impl From<io::Error> for DialError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ControlError> for DialError {
    fn from(error: ControlError) -> Self {
        Self::Open(error)
    }
}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "no socket can be had: {error}"),
            Self::Open(error) => error.fmt(f),
            Self::Shelf(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for DialError {}

/// What it takes to open a session.
struct Opening<'a> {
    part: &'a Part,
    keys: &'a Arc<Keys>,
    endpoint: quic::Endpoint,
    opener: Opener,
    clock: Clock,
    carrier: &'a LinkCarrier,
}

impl Dialing {
    /// Opens so many sessions of a run that was started with none, and begins to call for each. No more
    /// come after that.
    ///
    /// # Errors
    /// If there is no socket to be had, or a session cannot be opened.
    pub fn start(
        part: &Part,
        keys: Keys,
        running: &Running,
        carrier: &LinkCarrier,
        sessions: u32,
        tell: Tell,
    ) -> Result<Self, DialError> {
        let thread = LinkThread::start()?;
        carrier.runs_on(thread.handle());
        let links = Links::of(carrier);
        let keeps = part.here.spool.is_some();
        let flags = || AtomicBool::new(false);
        let (leaves, is_over) = (flags(), flags());
        let shared = Arc::new(Shared { tell, links: links.clone(), keeps, leaves, is_over });
        let shelves = part.here.spool.clone().map(Shelves::start).transpose()?;
        let (tasks, too_late) = (JoinSet::new(), Vec::new());
        let mut this = Self { links, tasks, shared, shelves, too_late, thread };
        let handle = this.thread.handle().clone();
        let endpoint = {
            let _inside = handle.enter();
            endpoint()?
        };
        let (opener, clock) = (running.opener(), running.clock());
        let keys = &Arc::new(keys);
        let opening = Opening { part, keys, endpoint, opener, clock, carrier };
        for slot in 0..sessions {
            handle.block_on(this.open(slot, &opening))?;
        }
        running.expect_no_more();
        Ok(this)
    }

    async fn open(&mut self, slot: u32, opening: &Opening<'_>) -> Result<(), DialError> {
        let zero = opening.clock.now();
        // The line of the session and the link's clock begin together: the other host finds zero of the
        // one when it knows the other.
        let clock = opening.clock.counting_from(zero);
        let lines = Lines { clock_ns: zero.nanos(), line_ns: 0 };
        let (mut ends, mut drivers) = (Ends::default(), Vec::new());
        let (name, life) = (new_session(), random());
        for peer in &opening.part.peers {
            let mut session = Session::new(opening.part.session(peer, name, life));
            if let Some(shelves) = &self.shelves {
                shelves.keep(&mut session, peer, slot, &clock)?;
            }
            let settings = Settings { clock: clock.clone(), flush: FLUSH, ..Settings::default() };
            let (driver, ports) = Driver::new(session, settings);
            let handle = ports.handle.clone();
            let dropped = ends.add(&peer.edges, ports, lines, Manner::Awaits(ENDS_WITHIN));
            let calls = Caller::new(&opening.endpoint, &peer.host, opening.keys);
            drivers.push((peer.clone(), driver, calls, handle, dropped));
        }
        self.too_late.push(ends.too_late());
        let carrier = opening.carrier.clone();
        let berth = move |number| carrier.moor(number, ends);
        let session = opening.opener.open_at(Some(zero), berth).await?;
        for (peer, driver, calls, handle, dropped) in drivers {
            let number = self.links.add(session, &peer.host.name, handle.clone(), dropped);
            let watch = Watch::new(self.shared.clone(), session, peer, handle);
            self.tasks.spawn_on(watch.run(driver, calls, number), self.thread.handle());
        }
        Ok(())
    }

    /// How the links are.
    pub const fn links(&self) -> &Links {
        &self.links
    }

    /// The graph was asked to end: hosts that are gone are not waited for much longer.
    pub fn leave(&self) {
        self.shared.leaves.store(true, Ordering::Relaxed);
    }

    /// Once the run has ended: lets what lies in the links get through unless it is `stopped`, then
    /// ends them. `is_urgent` is asked again and again whether that takes too long.
    pub fn close(mut self, stopped: bool, mut is_urgent: impl FnMut() -> bool) -> Left {
        self.shared.is_over.store(true, Ordering::Relaxed);
        if stopped {
            self.links.stop();
        }
        let handle = self.thread.handle().clone();
        let (frames, has_failed) = handle.block_on(async {
            let (mut frames, mut has_failed) = (0, false);
            loop {
                match tokio::time::timeout(LOOK, self.tasks.join_next()).await {
                    Ok(Some(Ok(left))) => frames += left,
                    Ok(Some(Err(_))) => has_failed = true,
                    Ok(None) => break (frames, has_failed),
                    Err(_) if is_urgent() => self.links.stop(),
                    Err(_) => {}
                }
            }
        });
        let too_late = self.too_late.iter().map(TooLate::frames).sum();
        let kept = self.shelves.as_ref().map(Shelves::folder);
        Left { frames, too_late, kept, has_failed }
    }
}

/// One socket for all links, for both kinds of addresses where the system has both.
fn endpoint() -> io::Result<quic::Endpoint> {
    let bind = |address: SocketAddr| quic::Endpoint::bind(address, None, quic::Settings::default());
    bind((Ipv6Addr::UNSPECIFIED, 0).into()).or_else(|_| bind(([0, 0, 0, 0], 0).into()))
}

/// Tells what becomes of one link.
struct Watch {
    shared: Arc<Shared>,
    session: u32,
    peer: Peer,
    handle: Handle,
    was_up: bool,
    ever_up: bool,
    told: bool,
    told_waiting: bool,
    idle_looks: u32,
    /// The first look.
    began: Option<Timestamp>,
}

impl Watch {
    fn new(shared: Arc<Shared>, session: u32, peer: Peer, handle: Handle) -> Self {
        let (was_up, ever_up, told, told_waiting) = (false, false, false, false);
        let (idle_looks, began) = (0, None);
        Self {
            shared,
            session,
            peer,
            handle,
            was_up,
            ever_up,
            told,
            told_waiting,
            idle_looks,
            began,
        }
    }

    /// Runs a link to its end, and gives the frames that did not get through.
    async fn run(mut self, driver: Driver, calls: Caller, number: u64) -> u64 {
        let mut looks = tokio::time::interval(LOOK);
        let mut driver = std::pin::pin!(driver.run(calls));
        let ended = loop {
            tokio::select! {
                ended = &mut driver => break ended,
                _ = looks.tick() => self.look(),
            }
        };
        self.parted(&ended);
        self.shared.links.remove(number);
        ended.left
    }

    fn look(&mut self) {
        let status = self.handle.status();
        let is_up = status.is_up && status.clock.is_some();
        // A host that lets nobody in is up again and again, and never agrees.
        let began = *self.began.get_or_insert(status.at);
        let for_ns = status.at.since(began);
        let (session, peer) = (self.session, self.peer.host.name.clone());
        if is_up && !self.was_up {
            let (at, again) = (status.figures.remote, self.ever_up);
            self.tell(&News::Up { session, peer, at, again });
            (self.was_up, self.ever_up) = (true, true);
            (self.told, self.told_waiting) = (false, false);
        } else if status.refused.as_ref().is_some_and(|(reason, _)| *reason == ByeReason::Done) {
            // It has said that all is through, and this link is about to end.
        } else if !status.is_up && self.was_up {
            let refused = status.refused.as_ref().map(|(_, why)| why.clone());
            let why = status.trouble.clone().or(refused);
            self.tell(&News::Down { session, peer, why, kept: None });
            (self.was_up, self.told) = (false, true);
        } else if !is_up && !self.ever_up && !self.told && for_ns > FIRST_NS {
            let addresses = self.peer.host.addresses.clone();
            let refused = status.refused.as_ref().map(|(_, why)| why.clone());
            // That much is said anyway.
            let silent = |why: &String| why.ends_with(" does not answer");
            let why = refused.or_else(|| status.trouble.clone().filter(|why| !silent(why)));
            self.tell(&News::Alone { peer, addresses, why });
            self.told = true;
        }
        if self.is_enough(&status) {
            self.handle.stop();
        }
        if !self.was_up && self.told && !self.told_waiting {
            self.tell_waiting();
        }
    }

    /// Whether nothing more is to be waited for.
    fn is_enough(&mut self, status: &Status) -> bool {
        let for_ns = status.at.since(status.since);
        let [leaves, is_over] =
            [&self.shared.leaves, &self.shared.is_over].map(|flag| flag.load(Ordering::Relaxed));
        if !status.is_up {
            return (leaves && for_ns > PATIENCE_NS) || (is_over && self.shared.keeps);
        }
        // The other side has all of ours, and goes on as if we were there.
        self.idle_looks = if is_over && is_empty(status) { self.idle_looks + 1 } else { 0 };
        self.idle_looks > IDLE_LOOKS
    }

    /// Says so if the graph waits for room on an edge.
    fn tell_waiting(&mut self) {
        let status = self.handle.status();
        let edges = self.peer.edges.iter().zip(&status.edges);
        let full = edges.clone().find(|(plan, status)| {
            let inside = status.sent.map_or(0, |sent| sent.inside);
            let holds = plan.config.delivery == crate::session::Delivery::Durable
                && !plan.edge.behind_device;
            let holds = holds && status.spool.is_none();
            holds && inside as usize >= plan.config.frames_max && status.waiting > 0
        });
        if let Some((plan, _)) = full {
            let (session, peer) = (self.session, self.peer.host.name.clone());
            let edge = plan.config.name.clone();
            self.tell(&News::Waits { session, peer, edge });
            self.told_waiting = true;
        }
    }

    fn parted(&mut self, ended: &Ended) {
        let status = self.handle.status();
        let is_silent = !self.was_up && status.totals.connections > 0;
        if is_silent && ended.reason == ByeReason::Done {
            // All was through before anybody had looked.
            let (session, peer) = (self.session, self.peer.host.name.clone());
            let (at, again) = (status.figures.remote, self.ever_up);
            self.tell(&News::Up { session, peer, at, again });
        }
        if matches!(ended.reason, ByeReason::Graph | ByeReason::Version) {
            let why = ended.text.clone();
            if !self.ever_up {
                self.shared.links.refuse(why.clone());
            }
            let at = status.figures.remote;
            self.tell(&News::Refused { peer: self.peer.host.name.clone(), at, why });
        }
    }

    fn tell(&self, news: &News) {
        (self.shared.tell)(news);
    }
}
