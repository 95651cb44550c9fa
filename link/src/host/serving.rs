//! [`Serving`]: a host that is called: a session of the engine for everybody who calls.

use std::{
    collections::BTreeMap,
    fmt, io,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use engine::{Clock, Opener, Running, Timestamp, counted};
use tokio::{
    sync::{Notify, oneshot, watch},
    task::JoinSet,
};

use super::{
    LOOK, LinkThread, Links, News, Part, Peer, Tell,
    incoming::{Door, Incoming},
    is_empty,
    keys::Keys,
    notes::{Notes, forget, kept_counts},
    random,
    turned_away::TurnsAway,
};
use crate::{
    carrier::{Coming, Ends, Leaving, Lines, LinkCarrier, Look, Manner},
    driver::{Driver, Ended, Handle, Settings, turn_away},
    quic::{self, Arrival, Listener},
    session::Session,
    spool::SpoolError,
    trust::{Reason, TrustError},
    wire::{ByeReason, Hello},
};

/// Who calls must know our clock, and we its, within this.
const AGREES_WITHIN: Duration = Duration::from_secs(5);
/// How long a session that is over may take to get its last frames and farewells through.
const FLUSH: Duration = Duration::from_secs(5);

/// How a host is called.
#[derive(Clone, Debug)]
pub struct ServeSettings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Sessions at the same time; who calls for one more is turned away.
    pub sessions_max: usize,
    /// Limits of the socket.
    pub quic: quic::Settings,
}

/// Why a host cannot be called.
#[derive(Debug)]
pub enum ServeError {
    /// The address cannot be had.
    Io(io::Error),
    /// Nobody is known who may come in.
    Trust(TrustError),
    /// What was consumed cannot be noted as the graph asks.
    Notes(SpoolError),
}

impl From<io::Error> for ServeError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Trust(error) => error.fmt(f),
            Self::Notes(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ServeError {}

/// The links of a host that is called.
pub struct Serving {
    thread: LinkThread,
    shared: Arc<Shared>,
    sessions: Arc<Mutex<JoinSet<()>>>,
    endpoint: quic::Endpoint,
    address: SocketAddr,
}

struct Shared {
    part: Part,
    caller: Peer,
    carrier: LinkCarrier,
    opener: Opener,
    clock: Clock,
    sessions_max: usize,
    sessions_per_peer: usize,
    tell: Tell,
    links: Links,
    known: Mutex<BTreeMap<[u8; 16], Known>>,
    turns_away: Arc<TurnsAway>,
    leaves: AtomicBool,
    /// Where it stands what was consumed, if the graph asks for that.
    notes: Option<Notes>,
}

/// A session that may be called for again.
struct Known {
    door: Door,
    /// The certificate of who called first: no other gets in.
    peer: Option<Vec<u8>>,
    /// Counts of its edges that are kept on the caller's disk.
    counts: Vec<u64>,
    /// Another process has what it had on disk: it ends.
    yields: Arc<Notify>,
    has_yielded: bool,
    /// Closed when it has ended.
    gone: watch::Receiver<()>,
}

impl Serving {
    /// Begins to listen. The run was started without sessions; one is opened for everybody who calls.
    ///
    /// # Errors
    /// If the address cannot be had, nobody is known who may come in there, or the folder for notes cannot be
    /// used.
    ///
    /// # Panics
    /// If nobody calls this host.
    pub fn start(
        part: Part,
        keys: &Keys,
        settings: &ServeSettings,
        running: &Running,
        carrier: &LinkCarrier,
        tell: Tell,
    ) -> Result<Self, ServeError> {
        let server = keys.server(settings.listen).map_err(ServeError::Trust)?;
        let caller = part.callers().next().expect("somebody calls a host that listens").clone();
        let spool = part.here.spool.as_ref();
        let notes = spool.map(|spool| Notes::start(&spool.folder)).transpose();
        let notes = notes.map_err(ServeError::Notes)?;
        let thread = LinkThread::start()?;
        carrier.runs_on(thread.handle());
        let inside = thread.handle().enter();
        let succession = Some(keys.succession(settings.listen));
        let quic = quic::Settings { succession, ..settings.quic.clone() };
        let endpoint = quic::Endpoint::bind(settings.listen, Some(server), quic)?;
        drop(inside);
        let address = endpoint.local_addr()?;
        let links = Links::of(carrier);
        let listener = endpoint.listener();
        links.come_in_by(listener.door().clone());
        let turns_away =
            Arc::new(TurnsAway::new(keys, running.clock(), listener.door().clone(), tell.clone()));
        let tells = turns_away.clone();
        let listener = listener.telling(move |turned| tells.tell(&turned));
        let shared = Arc::new(Shared {
            part,
            caller,
            carrier: carrier.clone(),
            opener: running.opener(),
            clock: running.clock(),
            sessions_max: settings.sessions_max,
            sessions_per_peer: settings.quic.limits.sessions_per_peer,
            tell,
            links,
            known: Mutex::default(),
            turns_away,
            leaves: AtomicBool::new(false),
            notes,
        });
        let sessions = Arc::<Mutex<JoinSet<()>>>::default();
        drop(thread.handle().spawn(accept(listener, shared.clone(), sessions.clone())));
        Ok(Self { thread, shared, sessions, endpoint, address })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How the links are.
    pub fn links(&self) -> &Links {
        &self.shared.links
    }

    /// The run was asked to end: nobody gets in any more, what is inside is finished and acknowledged.
    pub fn leave(&self) {
        self.shared.leaves.store(true, Ordering::Relaxed);
        self.shared.carrier.leave();
    }

    /// Once the run has ended: says farewell to everybody.
    pub fn close(self) {
        self.leave();
        let handle = self.thread.handle().clone();
        handle.block_on(async {
            let mut sessions =
                std::mem::take(&mut *self.sessions.lock().unwrap_or_else(PoisonError::into_inner));
            let all = async { while sessions.join_next().await.is_some() {} };
            drop(tokio::time::timeout(FLUSH, all).await);
            self.endpoint.close(Duration::from_secs(1)).await;
        });
    }
}

async fn accept(mut listener: Listener, shared: Arc<Shared>, sessions: Arc<Mutex<JoinSet<()>>>) {
    while let Some(arrival) = listener.accept().await {
        if shared.leaves.load(Ordering::Relaxed) {
            let text = "it is being shut down and lets nobody in".to_owned();
            drop(tokio::spawn(turn_away(arrival.connection, ByeReason::Stopped, text)));
            continue;
        }
        let mut sessions = sessions.lock().unwrap_or_else(PoisonError::into_inner);
        while sessions.try_join_next().is_some() {}
        if let Some(guest) = shared.let_in(arrival) {
            sessions.spawn(guest.stay());
        }
    }
}

impl Shared {
    /// Brings who calls to its session; gives a guest if that is a new one.
    fn let_in(self: &Arc<Self>, arrival: Arrival) -> Option<Guest> {
        let Arrival { hello, peer, from, connection } = arrival;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(&hello.session) {
            // A session is its caller's: whoever else knows its name gets nothing.
            if known.peer == peer {
                // Full, it has enough to choose from.
                let _ = known.door.try_send(connection);
            } else {
                self.turns_away.turn_away(from, peer.as_deref(), Reason::Session, String::new());
            }
            return None;
        }
        // A spool is one process's at a time: whoever had it before this one is no more.
        let counts = kept_counts(&hello);
        let Taken { before, of_peer, all } = taken(&mut known, &peer, &counts);
        let most = if all >= self.sessions_max {
            let why = format!("{} open, all there may be", counted(all, "session"));
            Some((Reason::Sessions, why))
        } else if of_peer >= self.sessions_per_peer {
            let why =
                format!("it has {}, which is all one host may have", counted(of_peer, "session"));
            Some((Reason::Quota, why))
        } else {
            None
        };
        if let Some((reason, why)) = most {
            drop(tokio::spawn(turn_away(connection, ByeReason::Busy, why.clone())));
            self.turns_away.turn_away(from, peer.as_deref(), reason, why);
            return None;
        }
        let (door, calls) = Incoming::new();
        let _ = door.try_send(connection);
        let (yields, (here, gone)) = (Arc::new(Notify::new()), watch::channel(()));
        let known_as = Known {
            door,
            peer: peer.clone(),
            counts,
            yields: yields.clone(),
            has_yielded: false,
            gone,
        };
        known.insert(hello.session, known_as);
        let (shared, calls) = (self.clone(), Some(calls));
        Some(Guest { shared, hello, peer, from, calls, before, yields, _here: here })
    }

    fn forget(&self, name: &[u8; 16]) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }
}

/// What those who called before leave to one that calls now.
struct Taken {
    /// Closed when sessions have ended whose place it takes.
    before: Vec<watch::Receiver<()>>,
    /// Sessions of its host, and of all, beside it.
    of_peer: usize,
    all: usize,
}

/// Asks the sessions to end that a process of `peer` with these counts goes on with. It takes the place of one;
/// who calls in its name again and again has one place more each time.
fn taken(known: &mut BTreeMap<[u8; 16], Known>, peer: &Option<Vec<u8>>, counts: &[u64]) -> Taken {
    let all = known.len();
    let (mut of_peer, mut yielding, mut before) = (0, 0, Vec::new());
    for known in known.values_mut().filter(|known| known.peer == *peer) {
        of_peer += 1;
        if known.counts.iter().any(|count| counts.contains(count)) {
            known.yields.notify_one();
            yielding += usize::from(!std::mem::replace(&mut known.has_yielded, true));
            before.push(known.gone.clone());
        }
    }
    Taken { before, of_peer: of_peer - yielding, all: all - yielding }
}

/// Who called, and the session that was opened for it.
struct Guest {
    shared: Arc<Shared>,
    hello: Hello,
    /// Its certificate.
    peer: Option<Vec<u8>>,
    from: SocketAddr,
    calls: Option<Incoming>,
    /// Closed when sessions whose places this one goes on with have ended.
    before: Vec<watch::Receiver<()>>,
    /// Rung when this is such a session.
    yields: Arc<Notify>,
    /// Let go when it is over.
    _here: watch::Sender<()>,
}

/// What it takes to look after an open session.
struct Open<'a> {
    session: u32,
    handle: &'a Handle,
    /// Rung when the engine has let go of it.
    over: &'a Notify,
    coming: &'a Coming,
    leaving: &'a Leaving,
}

/// Dropped by the engine when the session is over.
struct Room {
    #[expect(dead_code, reason = "kept as long as the session is open")]
    berth: crate::carrier::Berth,
    over: Arc<Notify>,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.over.notify_one();
    }
}

impl Drop for Guest {
    /// However it ended, by a panic too, its place is free.
    fn drop(&mut self) {
        self.shared.forget(&self.hello.session);
    }
}

impl Guest {
    /// From the first call to the end of the session.
    async fn stay(mut self) {
        let shared = self.shared.clone();
        let name = self.hello.session;
        for mut before in std::mem::take(&mut self.before) {
            // What it has consumed is noted by then, and not sent again.
            drop(
                tokio::time::timeout(2 * FLUSH, async { while before.changed().await.is_ok() {} })
                    .await,
            );
        }
        let config = shared.part.session(&shared.caller, name, random());
        let mut session = Session::new(config);
        let noted = self.remember(&mut session).await;
        let settings =
            Settings { clock: shared.clock.clone(), flush: FLUSH, ..Settings::default() };
        let (driver, ports) = Driver::new(session, settings);
        let handle = ports.handle.clone();
        let calls = self.calls.take().expect("it comes once");
        let (told, mut ended) = oneshot::channel();
        drop(tokio::spawn(async move {
            let _ = told.send(driver.run(calls).await);
        }));
        let Some(zero) = self.agree(&handle, &mut ended).await else {
            handle.stop();
            return;
        };
        let lines = Lines { clock_ns: 0, line_ns: zero.nanos().saturating_neg() };
        let mut ends = Ends::looking(if noted.is_empty() { Look::Seldom } else { Look::Often });
        let dropped = ends.add(&shared.caller.edges, ports, lines, Manner::Leaves);
        let (coming, leaving) = (ends.coming(), ends.leaving());
        // Held until the driver has said farewell: let go, they would end streams that go on.
        let _parked = ends.parked();
        let over = Arc::new(Notify::new());
        let (carrier, heard) = (shared.carrier.clone(), over.clone());
        let room = move |number| Room { berth: carrier.moor(number, ends), over: heard };
        match shared.opener.open_at(Some(zero), room).await {
            Ok(session) => {
                let peer = &shared.caller.host.name;
                let number = shared.links.add(session, peer, handle.clone(), dropped);
                let (handle, over) = (&handle, &*over);
                let open = Open { session, handle, over, coming: &coming, leaving: &leaving };
                let reason = self.host(&open, &mut ended).await;
                if reason == ByeReason::Done {
                    drop(tokio::task::spawn_blocking(move || forget(noted)).await);
                }
                shared.links.remove(number);
            }
            Err(error) => {
                self.refuse(error.to_string());
                handle.stop();
                drop(tokio::time::timeout(FLUSH, ended).await);
            }
        }
    }

    /// Has what the session consumes noted, and goes on where it stands. Gives where that is.
    async fn remember(&self, session: &mut Session) -> Vec<PathBuf> {
        let Some(notes) = self.shared.notes.clone() else { return Vec::new() };
        let (peer, hello) = (self.peer.clone(), self.hello.clone());
        let caller = self.shared.caller.clone();
        let opened =
            tokio::task::spawn_blocking(move || notes.open(peer.as_deref(), &hello, &caller));
        let (notes, problems) = opened.await.unwrap_or_default();
        for problem in problems {
            let (peer, why) = (self.shared.caller.host.name.clone(), problem.to_string());
            self.tell(&News::Unnoted { peer, why });
        }
        notes
            .into_iter()
            .map(|note| {
                let folder = note.folder();
                session.remember(note.edge, note.memory);
                folder
            })
            .collect()
    }

    /// Waits until the two have agreed, and gives zero of the session's line on the run's clock.
    async fn agree(
        &self,
        handle: &Handle,
        ended: &mut oneshot::Receiver<Ended>,
    ) -> Option<Timestamp> {
        let agreed = async {
            loop {
                tokio::select! {
                    ended = &mut *ended => return Err(ended.ok()),
                    () = tokio::time::sleep(LOOK / 10) => {}
                }
                let status = handle.status();
                if let Some(estimate) = status.clock.filter(|_| status.is_up) {
                    return Ok(Timestamp::from_nanos(estimate.offset_ns.saturating_neg()));
                }
            }
        };
        match tokio::time::timeout(AGREES_WITHIN, agreed).await {
            Ok(Ok(zero)) => Some(zero),
            Ok(Err(Some(ended))) => {
                self.refuse(ended.text);
                None
            }
            Ok(Err(None)) => None,
            Err(_) => {
                self.refuse("it said who it is and then nothing more".to_owned());
                None
            }
        }
    }

    /// Looks after an open session until it and its link are over, and gives how the link ended.
    async fn host(&self, open: &Open<'_>, ended: &mut oneshot::Receiver<Ended>) -> ByeReason {
        let &Open { session, handle, over, coming, .. } = open;
        let peer = || self.shared.caller.host.name.clone();
        self.tell(&News::Up { session, peer: peer(), at: Some(self.from), again: false });
        let resume = self.shared.part.here.resume;
        let mut looks = tokio::time::interval(LOOK);
        let (mut was_up, mut drained) = (true, false);
        let (reason, why) = loop {
            tokio::select! {
                ended = &mut *ended => {
                    let _ = self.shared.opener.drain(session).await;
                    over.notified().await;
                    break parted(ended.ok());
                }
                () = over.notified() => break last_words(handle, ended).await,
                () = self.yields.notified() => {
                    let (reason, _) = self.wind_up(open, ended).await;
                    break (reason, "another process goes on with what it had".to_owned());
                }
                _ = looks.tick() => {}
            }
            if coming.have_ended() && !drained {
                // Sources of our own would go on: the session is its caller's.
                drained = self.shared.opener.drain(session).await.is_ok();
            }
            let status = handle.status();
            // One that has said that all is through is about to end.
            let is_done = matches!(status.refused, Some((ByeReason::Done, _)));
            if status.is_up != was_up && !is_done {
                was_up = status.is_up;
                let (peer, at) = (peer(), status.figures.remote);
                let why = status.trouble.clone();
                self.tell(&match was_up {
                    true => News::Up { session, peer, at, again: true },
                    false => News::Down { session, peer, why, kept: Some(resume) },
                });
            }
            let has_left = matches!(status.refused, Some((ByeReason::Stopped, _)));
            // Not when the snapshot was taken: without a connection nothing renews it.
            let is_late = self.shared.clock.now().since(status.since) >= resume.as_nanos() as i64;
            if !status.is_up && (has_left || is_late) {
                break self.wind_up(open, ended).await;
            }
        };
        self.tell(&News::Ended { session, peer: peer(), why });
        reason
    }

    /// Ends a session whose caller does not come back: what came is brought to the sinks and noted as
    /// consumed, before the link that would be told of it goes.
    async fn wind_up(
        &self,
        open: &Open<'_>,
        ended: &mut oneshot::Receiver<Ended>,
    ) -> (ByeReason, String) {
        open.leaving.ask();
        let _ = self.shared.opener.drain(open.session).await;
        let is_over = tokio::time::timeout(FLUSH, open.over.notified()).await.is_ok();
        open.handle.stop();
        let ended = tokio::time::timeout(FLUSH, ended).await.ok().and_then(Result::ok);
        if !is_over {
            open.over.notified().await;
        }
        parted(ended)
    }

    fn refuse(&self, why: String) {
        self.shared.turns_away.count(Reason::Differs);
        let (peer, at) = (self.shared.caller.host.name.clone(), Some(self.from));
        self.tell(&News::Refused { peer, at, why });
    }

    fn tell(&self, news: &News) {
        (self.shared.tell)(news);
    }
}

/// How a link ended.
fn parted(ended: Option<Ended>) -> (ByeReason, String) {
    ended.map_or_else(
        || (ByeReason::Stopped, "its link failed".to_owned()),
        |ended| (ended.reason, ended.text),
    )
}

/// The graph of a session is over: what it gave last gets through, if somebody takes it. How the link
/// ended.
async fn last_words(handle: &Handle, ended: &mut oneshot::Receiver<Ended>) -> (ByeReason, String) {
    let last = async {
        loop {
            match tokio::time::timeout(LOOK, &mut *ended).await {
                Ok(ended) => return ended.ok(),
                Err(_) if is_empty(&handle.status()) => return None,
                Err(_) => {}
            }
        }
    };
    let last = tokio::time::timeout(FLUSH, last).await;
    if let Ok(Some(ended)) = last {
        return (ended.reason, ended.text);
    }
    handle.stop();
    drop(tokio::time::timeout(FLUSH, ended).await);
    (ByeReason::Stopped, "its graph has ended here".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_takes_the_place_of_one_and_nobody_has_places_by_calling_in_one_name() {
        let mut known = BTreeMap::new();
        let peer = Some(vec![7]);
        let call = |known: &mut BTreeMap<_, _>, n: u8, counts: Vec<u64>| {
            let Taken { before, of_peer, all } = taken(known, &peer, &counts);
            let (door, _) = Incoming::new();
            let (yields, gone) = (Arc::new(Notify::new()), watch::channel(()).1);
            let peer = peer.clone();
            known.insert([n; 16], Known { door, peer, counts, yields, has_yielded: false, gone });
            (before.len(), of_peer, all)
        };

        assert_eq!(call(&mut known, 0, vec![1]), (0, 0, 0));
        assert_eq!(call(&mut known, 1, vec![2]), (0, 1, 1), "another that keeps something");
        assert_eq!(call(&mut known, 2, vec![1, 3]), (1, 1, 1), "in place of the first");
        for n in 3..10 {
            let (_, of_peer, all) = call(&mut known, n, vec![1, 3]);
            assert_eq!((of_peer, all), (usize::from(n) - 1, usize::from(n) - 1));
        }
        assert_eq!(call(&mut known, 10, Vec::new()), (0, 10, 10));
    }
}
