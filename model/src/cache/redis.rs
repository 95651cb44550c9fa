//! Redis as a second level: what other hosts, or this one before it was restarted, were answered.
//!
//! One thread holds one connection, over which requests go one behind the other without waiting for each
//! other's answers. Nobody waits for Redis longer than the budget: then the question is asked as if there
//! were none. What keeps failing is left alone for a while ([`Breaker`]).

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    thread::{Builder, JoinHandle, current},
    time::{Duration, Instant},
};

use engine::{Doubt, Fault, Relay, Reply};
use redis::{
    AsyncConnectionConfig, Client, IntoConnectionInfo, RedisResult, aio::MultiplexedConnection,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::timeout_at,
};

use super::{
    Breaker, Fit, Key,
    counts::Counts,
    flight::Flight,
    memory::{Kept, until},
    shared::Cache,
    wire,
};

/// Requests that may wait for the thread; further questions go on without Redis.
const REQUESTS_MAX: usize = 4 << 10;
/// How long connecting, and writing an answer, may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where a Redis is, and how it is used.
#[derive(Clone)]
pub struct RedisOptions {
    /// `redis://host:port/database` or `unix:///path`.
    pub address: String,
    /// The password, if it wants one. Shown by nobody.
    pub password: Option<String>,
    /// How long a lookup may take.
    pub budget: Duration,
    /// What the names of all keys begin with.
    pub prefix: String,
}

impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redis at {} as {}", self.address, self.prefix)
    }
}

/// The client for these options.
pub(super) fn client(options: &RedisOptions) -> Result<Client, Fault> {
    let wrong = |error| Fault::data("the address of the Redis is none").because(error);
    let mut info = options.address.as_str().into_connection_info().map_err(wrong)?;
    if let Some(password) = &options.password {
        let settings = info.redis_settings().clone().set_password(password);
        info = info.set_redis_settings(settings);
    }
    Client::open(info).map_err(wrong)
}

/// A Redis, as those see it who ask.
pub(super) struct Redis {
    client: Client,
    budget: Duration,
    prefix: String,
    breaker: Arc<Mutex<Breaker>>,
    thread: OnceLock<Thread>,
}

struct Thread {
    requests: Option<mpsc::Sender<Request>>,
    handle: Option<JoinHandle<()>>,
}

enum Request {
    LookUp(Box<LookUp>),
    Write { cache: Weak<Cache>, name: String, value: Vec<u8>, lasts: Duration },
}

/// A question that Redis may know the answer to.
pub(super) struct LookUp {
    flight: Arc<Flight>,
    /// Whoever waits has failed if this is dropped.
    reply: Reply,
    fit: Arc<Fit>,
    ask: Box<dyn FnOnce(Reply) + Send>,
    lasts: Duration,
}

impl LookUp {
    pub(super) fn new(
        flight: Arc<Flight>,
        fit: Arc<Fit>,
        ask: Box<dyn FnOnce(Reply) + Send>,
        lasts: Duration,
    ) -> Self {
        let reply = Reply::through(flight.clone() as Arc<dyn Relay>);
        Self { flight, reply, fit, ask, lasts }
    }

    /// Asks as if there were no Redis.
    fn go_on(self, counts: &Counts) {
        counts.misses.add(1);
        (self.ask)(self.reply.within(self.flight.left()));
    }
}

fn lock(breaker: &Mutex<Breaker>) -> MutexGuard<'_, Breaker> {
    breaker.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes a failure.
fn failed(breaker: &Mutex<Breaker>, counts: &Counts) -> bool {
    let is_opened = lock(breaker).failed(Instant::now());
    counts.redis_openings.add(is_opened.into());
    is_opened
}

impl Redis {
    pub(super) fn new(options: &RedisOptions) -> Result<Self, Fault> {
        Ok(Self {
            client: client(options)?,
            budget: options.budget,
            prefix: options.prefix.clone(),
            breaker: Arc::default(),
            thread: OnceLock::new(),
        })
    }

    /// Whether a lookup may be made now; whoever makes none must not ask.
    pub(super) fn is_asked(&self) -> bool {
        lock(&self.breaker).admits(Instant::now())
    }

    /// Looks the question up, and goes on without an answer if there is none in time.
    pub(super) fn look_up(&self, cache: &Arc<Cache>, look_up: LookUp) {
        let Err(refused) = self.send(Request::LookUp(Box::new(look_up))) else { return };
        cache.counts.redis_late.add(1);
        failed(&self.breaker, &cache.counts);
        if let Request::LookUp(look_up) = refused {
            look_up.go_on(&cache.counts);
        }
    }

    /// Writes an answer, some time.
    pub(super) fn write(&self, cache: &Arc<Cache>, key: &Key, kept: &Kept, lasts: Duration) {
        // Whether it has recovered is found out by lookups.
        // What is in doubt others may know better: it is kept by who has asked alone.
        let is_sure = kept.answer.doubt() == Doubt::None;
        let value = (is_sure && !lock(&self.breaker).is_open())
            .then(|| wire::write(key, &kept.answer, kept.cost_ns))
            .flatten();
        let counts = &cache.counts;
        let sent = value.map(|value| {
            let (cache, name) = (Arc::downgrade(cache), key.name(&self.prefix));
            self.send(Request::Write { cache, name, value, lasts })
        });
        if !matches!(sent, Some(Ok(()))) {
            counts.redis_unwritten.add(1);
        }
    }

    fn send(&self, request: Request) -> Result<(), Request> {
        let thread = self.thread.get_or_init(|| self.start());
        let Some(requests) = &thread.requests else { return Err(request) };
        requests.try_send(request).map_err(mpsc::error::TrySendError::into_inner)
    }

    fn start(&self) -> Thread {
        let (sender, requests) = mpsc::channel(REQUESTS_MAX);
        let line = Arc::new(Line {
            client: self.client.clone(),
            budget: self.budget,
            prefix: self.prefix.clone(),
            breaker: self.breaker.clone(),
            state: watch::Sender::new(State::Idle),
            connects: AtomicBool::new(false),
        });
        let run = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            if let Ok(runtime) = runtime {
                runtime.block_on(serve(&line, requests));
            }
        };
        let handle = Builder::new().name("afferent-redis".to_owned()).spawn(run).ok();
        Thread { requests: Some(sender), handle }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let Some(mut thread) = self.thread.take() else { return };
        drop(thread.requests.take());
        // What is still to be written is, unless it is the thread itself that lets go of the cache.
        if let Some(handle) = thread.handle.filter(|handle| handle.thread().id() != current().id())
        {
            let _ = handle.join();
        }
    }
}

/// The connection, as the thread sees it.
struct Line {
    client: Client,
    budget: Duration,
    prefix: String,
    breaker: Arc<Mutex<Breaker>>,
    state: watch::Sender<State>,
    connects: AtomicBool,
}

#[derive(Clone)]
enum State {
    Idle,
    Connecting,
    Ready(MultiplexedConnection),
}

/// What a lookup has found.
enum Found {
    Answer(Kept),
    Nothing,
    /// Something else under the same name.
    Refused,
    Failed,
}

async fn serve(line: &Arc<Line>, mut requests: mpsc::Receiver<Request>) {
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            // Both are safe to be dropped before they are ready: nothing is taken then.
            request = requests.recv() => match request {
                Some(Request::LookUp(look_up)) => drop(tasks.spawn(line.clone().look_up(*look_up))),
                Some(Request::Write { cache, name, value, lasts }) => {
                    drop(tasks.spawn(line.clone().write(cache, name, value, lasts)));
                }
                None => break,
            },
            Some(_) = tasks.join_next() => {}
        }
    }
    let all = async { while tasks.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(PATIENCE, all).await;
}

impl Line {
    /// The connection, once there is one; none if it cannot be made.
    async fn connection(self: &Arc<Self>) -> Option<MultiplexedConnection> {
        let mut states = self.state.subscribe();
        if matches!(*states.borrow(), State::Idle) && !self.connects.swap(true, Ordering::AcqRel) {
            self.state.send_replace(State::Connecting);
            tokio::spawn(self.clone().connect());
        }
        let known = states.wait_for(|state| !matches!(state, State::Connecting)).await.ok()?;
        match &*known {
            State::Ready(connection) => Some(connection.clone()),
            State::Idle | State::Connecting => None,
        }
    }

    async fn connect(self: Arc<Self>) {
        let settings = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let made = self.client.get_multiplexed_async_connection_with_config(&settings).await;
        self.connects.store(false, Ordering::Release);
        self.state.send_replace(made.map_or(State::Idle, State::Ready));
    }

    /// Another connection is to be made next time.
    fn hang_up(&self) {
        self.state.send_if_modified(|state| {
            let is_ready = matches!(state, State::Ready(_));
            if is_ready {
                *state = State::Idle;
            }
            is_ready
        });
    }

    async fn look_up(self: Arc<Self>, look_up: LookUp) {
        let (flight, fit) = (look_up.flight.clone(), look_up.fit.clone());
        let counts = flight.counts();
        let until = flight.began + self.budget;
        let found = timeout_at(until.into(), self.find(*flight.key(), &fit, look_up.lasts)).await;
        match &found {
            Ok(Found::Answer(_) | Found::Nothing | Found::Refused) => {
                lock(&self.breaker).succeeded();
            }
            Ok(Found::Failed) | Err(_) => {
                if failed(&self.breaker, counts) {
                    self.hang_up();
                }
            }
        }
        let count = match found {
            Ok(Found::Answer(kept)) => return flight.found(&kept),
            Ok(Found::Nothing) => &counts.redis_misses,
            Ok(Found::Refused) => &counts.redis_refused,
            Ok(Found::Failed) => &counts.redis_failed,
            Err(_) => &counts.redis_late,
        };
        count.add(1);
        look_up.go_on(counts);
    }

    async fn find(self: &Arc<Self>, key: Key, fit: &Fit, lasts: Duration) -> Found {
        let Some(mut connection) = self.connection().await else { return Found::Failed };
        let name = key.name(&self.prefix);
        // Of a value longer than any of ours no more than shows it is read.
        let mut pipe = redis::pipe();
        pipe.cmd("GETRANGE").arg(&name).arg(0).arg(wire::VALUE_BYTES_MAX);
        pipe.cmd("PTTL").arg(&name).ignore_errors();
        let said: RedisResult<(RedisResult<Vec<u8>>, i64)> =
            pipe.query_async(&mut connection).await;
        let (value, left_ms) = match said {
            Ok((Ok(value), left_ms)) => (value, left_ms),
            // A list, a set: somebody else's.
            Ok((Err(error), _)) if error.code() == Some("WRONGTYPE") => return Found::Refused,
            Ok((Err(_), _)) => return Found::Failed,
            Err(error) => {
                if error.is_unrecoverable_error() || error.is_connection_dropped() {
                    self.hang_up();
                }
                return Found::Failed;
            }
        };
        if value.is_empty() || left_ms == -2 {
            return Found::Nothing;
        }
        let Some((answer, cost_ns)) = wire::read(&key, &value) else { return Found::Refused };
        if !fit.takes(&answer) {
            return Found::Refused;
        }
        // It is as old as Redis says; what has no age there is taken as new.
        let left = u64::try_from(left_ms).map_or(lasts, Duration::from_millis);
        let until = until(Instant::now(), left.min(lasts));
        Found::Answer(Kept { answer, until, cost_ns })
    }

    async fn write(
        self: Arc<Self>,
        cache: Weak<Cache>,
        name: String,
        value: Vec<u8>,
        lasts: Duration,
    ) {
        let lasts_ms = u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX).clamp(1, 1 << 50);
        let write = async {
            let mut connection = self.connection().await?;
            let mut set = redis::cmd("SET");
            set.arg(&name).arg(&value).arg("PX").arg(lasts_ms);
            set.query_async::<()>(&mut connection).await.ok()
        };
        let written = tokio::time::timeout(PATIENCE, write).await.ok().flatten();
        if let (None, Some(cache)) = (written, cache.upgrade()) {
            cache.counts.redis_failed.add(1);
            if failed(&self.breaker, &cache.counts) {
                self.hang_up();
            }
        }
    }
}
