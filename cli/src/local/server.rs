//! The end of a local socket in the process that runs a graph.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::{
        fs::PermissionsExt,
        net::{UnixListener, UnixStream},
    },
    path::PathBuf,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, Builder, JoinHandle},
    time::{Duration, Instant},
};

use engine::{ControlError, Plan, Running, TapLimits};
use link::host::Links;
use rustix::process::getuid;
use tokio::{runtime, sync::Notify};

use crate::followers::{Followers, Follows};

use super::{
    About, folder, formats, frames, look,
    message::{ASKED_BYTES_MAX, Asked, End, Hello, Look, PROTOCOL, Refused, SAID_BYTES_MAX, Said},
    times,
};

/// Who may look at once; more are mistakes.
const CLIENTS_MAX: usize = 8;
/// What it takes to answer is made up on the heap.
const STACK_BYTES: usize = 256 << 10;
/// Between two looks of one client: adding up what many sessions count takes a while.
const LOOK_APART: Duration = Duration::from_millis(10);
/// For whoever asks nothing for so long, though he may look every minute, nobody is followed: he may be stopped.
const SILENCE: Duration = Duration::from_millis(if cfg!(test) { 2_000 } else { 150_000 });
/// So long the end of a run waits for those who are still being told of it.
const FAREWELL: Duration = Duration::from_millis(300);
/// What may wait for somebody who taps and does not read.
const TAP_LIMITS: TapLimits =
    TapLimits { frames: 8_192, bytes: 8 << 20, patience: Duration::ZERO, every_bound: false };

/// Lets `top` and `tap` look in until it is dropped.
pub(crate) struct Server {
    path: PathBuf,
    inside: Arc<Inside>,
    thread: Option<JoinHandle<()>>,
}

/// What the threads of a server share.
struct Inside {
    about: About,
    plan: Arc<Plan>,
    // The run ends when whoever started it lets it go, whoever looks in.
    running: Weak<Running>,
    links: Option<Links>,
    followers: Arc<Followers>,
    is_draining: AtomicBool,
    over: Notify,
    clients: Mutex<Clients>,
    left: Condvar,
}

#[derive(Default)]
struct Clients {
    next: u64,
    here: BTreeMap<u64, Arc<Client>>,
}

/// Who looks in.
pub(super) struct Client {
    stream: UnixStream,
    /// Held while a line is on its way.
    line: Mutex<()>,
}

impl Server {
    /// Makes the socket. The words say why there can be none.
    pub(crate) fn start(
        about: About,
        plan: &Arc<Plan>,
        running: &Arc<Running>,
        links: Option<Links>,
        followers: &Arc<Followers>,
    ) -> Result<Self, String> {
        let path = folder::made()?.join(format!("{}.sock", std::process::id()));
        Self::at(path, about, plan, running, links, followers)
    }

    pub(super) fn at(
        path: PathBuf,
        about: About,
        plan: &Arc<Plan>,
        running: &Arc<Running>,
        links: Option<Links>,
        followers: &Arc<Followers>,
    ) -> Result<Self, String> {
        let says = |error: io::Error| format!("`{}`: {error}", path.display());
        // Left behind by a process that had our number before. One that lives has it in a container beside ours.
        if folder::is_refused(&path) {
            let _ = fs::remove_file(&path);
        }
        let listener = UnixListener::bind(&path).map_err(says)?;
        // Nobody could enter the folder meanwhile.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(says)?;
        listener.set_nonblocking(true).map_err(says)?;
        let inside = Arc::new(Inside {
            about,
            plan: plan.clone(),
            running: Arc::downgrade(running),
            links,
            followers: followers.clone(),
            is_draining: AtomicBool::new(false),
            over: Notify::new(),
            clients: Mutex::default(),
            left: Condvar::new(),
        });
        // Tokio's, as it tells on every system who calls; it waits in the system like any other.
        let runtime = runtime::Builder::new_current_thread().enable_io().build().map_err(says)?;
        let shared = inside.clone();
        let builder = Builder::new().name("local".to_owned()).stack_size(STACK_BYTES);
        let thread = builder.spawn(move || runtime.block_on(accept(&shared, listener)));
        let thread = Some(thread.map_err(says)?);
        Ok(Self { path, inside, thread })
    }

    /// The run was asked to end.
    pub(crate) fn drains(&self) {
        self.inside.is_draining.store(true, Ordering::Relaxed);
    }

    /// Tells everybody how the run has ended.
    pub(crate) fn end(self, how: &str, after_s: f64, fault: Option<String>) {
        let end = End { how: how.to_owned(), after_s, fault, missed: 0 };
        // Those who tap get what passed last, and their end, from their own threads.
        let taps = self.inside.tapping();
        let (clients, _) = self
            .inside
            .left
            .wait_timeout_while(self.inside.lock(), FAREWELL, |clients| {
                taps.iter().any(|tap| clients.here.contains_key(tap))
            })
            .unwrap_or_else(PoisonError::into_inner);
        for client in clients.here.values() {
            if let Ok(_line) = client.line.try_lock() {
                let _ = client.stream.set_write_timeout(Some(FAREWELL));
                let _ = client.write(&Said::End(end.clone()));
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.inside.over.notify_one();
        if let Some(thread) = self.thread.take() {
            // It has panicked at worst, which was told when it happened.
            let _ = thread.join();
        }
        let _ = fs::remove_file(&self.path);
        for client in self.inside.lock().here.values() {
            // Whoever waits in a read or a write is woken by this.
            let _ = client.stream.shutdown(std::net::Shutdown::Both);
        }
    }
}

impl Inside {
    fn lock(&self) -> MutexGuard<'_, Clients> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Clients that are being sent frames: they hold their line all the time.
    fn tapping(&self) -> Vec<u64> {
        let clients = self.lock();
        let busy = clients.here.iter().filter(|(_, client)| client.line.try_lock().is_err());
        busy.map(|(number, _)| *number).collect()
    }
}

/// Takes in who calls, until the run is over.
async fn accept(inside: &Arc<Inside>, listener: UnixListener) {
    let Ok(listener) = tokio::net::UnixListener::from_std(listener) else { return };
    loop {
        let called = tokio::select! {
            called = listener.accept() => called,
            () = inside.over.notified() => return,
        };
        let Ok((stream, _)) = called else {
            // Out of file handles, or the caller is gone already: the next may fare better.
            tokio::task::yield_now().await;
            thread::park_timeout(Duration::from_millis(10));
            continue;
        };
        let is_ours = stream.peer_cred().is_ok_and(|peer| peer.uid() == getuid().as_raw());
        let Ok(stream) = stream.into_std() else { continue };
        if !is_ours || stream.set_nonblocking(false).is_err() {
            // Dropping it hangs up.
            continue;
        }
        let client = Arc::new(Client { stream, line: Mutex::default() });
        let number = {
            let mut clients = inside.lock();
            if clients.here.len() >= CLIENTS_MAX {
                drop(clients);
                let message = format!("{CLIENTS_MAX} look at this process already");
                let _ = client.stream.set_nonblocking(true);
                let _ = client.write(&Said::Refused(Refused::plain(message)));
                continue;
            }
            clients.next += 1;
            let number = clients.next;
            clients.here.insert(number, client.clone());
            number
        };
        let place = Place { inside: inside.clone(), number };
        let builder = Builder::new().name("local".to_owned()).stack_size(STACK_BYTES);
        // Where no thread can be had, the caller is hung up on and comes again.
        drop(builder.spawn(move || {
            // Nobody is told of a caller that hung up.
            let _ = serve(&place.inside, &client);
            let _ = client.stream.shutdown(std::net::Shutdown::Both);
        }));
    }
}

/// A client's place among those there may be.
struct Place {
    inside: Arc<Inside>,
    number: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.inside.lock().here.remove(&self.number);
        self.inside.left.notify_all();
    }
}

impl Client {
    /// Says something, in one piece.
    fn write(&self, said: &Said) -> io::Result<()> {
        let mut line = serde_json::to_vec(said)?;
        line.push(b'\n');
        if line.len() > SAID_BYTES_MAX {
            let message = "the graph is too large to be told of in one line".to_owned();
            return self.write(&Said::Refused(Refused::plain(message)));
        }
        (&self.stream).write_all(&line)
    }

    fn say(&self, said: &Said) -> io::Result<()> {
        let _line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        self.write(said)
    }
}

impl Refused {
    fn plain(message: String) -> Self {
        Self { message, outputs: Vec::new(), sessions: Vec::new() }
    }
}

/// Answers a client until it hangs up, or the run is over.
fn serve(inside: &Inside, client: &Client) -> io::Result<()> {
    let about = &inside.about;
    let Some(running) = inside.running.upgrade() else { return Ok(()) };
    let hello = Hello {
        protocol: PROTOCOL,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        graph: inside.plan.name().to_owned(),
        file: about.file.clone(),
        host: about.host.clone(),
        running_s: running.clock_now().nanos() as f64 / 1e9,
    };
    drop(running);
    client.say(&Said::Hello(hello))?;
    let mut asked = BufReader::new(&client.stream);
    let mut line = Vec::new();
    let mut looked = None::<Instant>;
    let mut follows = None;
    loop {
        line.clear();
        if !heard(client, &mut asked, &mut line, &mut follows)? {
            return Ok(());
        }
        let asked = match serde_json::from_slice(&line) {
            Ok(asked) if line.ends_with(b"\n") => asked,
            _ => {
                let message = "this is no question of this protocol".to_owned();
                return client.say(&Said::Refused(Refused::plain(message)));
            }
        };
        let Some(running) = inside.running.upgrade() else { return Ok(()) };
        match asked {
            Asked::Shape {} => {
                let report = running.report();
                let shape = look::shape(&running.plan(), &report, about.cores, about.speed);
                client.say(&Said::Shape(shape))?;
            }
            Asked::Look { time } => {
                if !time {
                    follows = None;
                } else if follows.is_none() {
                    follows = Some(inside.followers.ask());
                }
                let soon =
                    looked.map_or(Duration::ZERO, |at| LOOK_APART.saturating_sub(at.elapsed()));
                thread::park_timeout(soon);
                let is_draining = inside.is_draining.load(Ordering::Relaxed);
                // First: what is added up for it is good for the rest.
                let time = follows.as_ref().and_then(|_| times::look(&running)).map(Box::new);
                let (report, health) = (running.glance(), running.health());
                let look = look::look(&report, &health, inside.links.as_ref(), is_draining);
                looked = Some(Instant::now());
                client.say(&Said::Look(Look { time, ..look }))?;
            }
            Asked::Tap { output, session } => match tapped(&running, &output, session) {
                Ok((tap, said, clock)) => {
                    drop(follows.take());
                    client.stream.set_read_timeout(None)?;
                    let plan = running.plan();
                    let format = plan.output(&said.label).map(|output| output.format);
                    drop(running);
                    let _line = client.line.lock().unwrap_or_else(PoisonError::into_inner);
                    client.write(&Said::Tapped(said))?;
                    let format = format.expect("it is tapped");
                    return frames::send(tap, format, &client.stream, &clock);
                }
                Err(refused) => client.say(&Said::Refused(refused))?,
            },
        }
    }
}

/// Reads the next question; says whether there is one. Whoever asks nothing for long is followed no more until then.
fn heard(
    client: &Client,
    asked: &mut BufReader<&UnixStream>,
    line: &mut Vec<u8>,
    follows: &mut Option<Follows>,
) -> io::Result<bool> {
    loop {
        client.stream.set_read_timeout(follows.is_some().then_some(SILENCE))?;
        let room = (ASKED_BYTES_MAX - line.len().min(ASKED_BYTES_MAX)) as u64;
        match asked.by_ref().take(room).read_until(b'\n', line) {
            Ok(_) => return Ok(!line.is_empty()),
            // What has come of it stays.
            Err(error) if frames::is_over_time(&error) => *follows = None,
            Err(error) => return Err(error),
        }
    }
}

/// A tap where it is wanted, and what is said of it.
fn tapped(
    running: &Running,
    label: &str,
    session: Option<u32>,
) -> Result<(engine::Tap, super::message::Tapped, engine::Clock), Refused> {
    let plan = running.plan();
    let Some(output) = plan.output(label) else {
        return Err(Refused {
            outputs: look::outputs(&plan, None),
            ..Refused::plain(format!("the graph has no output `{label}`"))
        });
    };
    let open = running.sessions();
    let session = match session.or_else(|| open.first().copied()) {
        Some(session) => session,
        None => return Err(Refused::plain("no session is open".to_owned())),
    };
    let tap = running.tap(session, label, TAP_LIMITS).map_err(|error| Refused {
        sessions: if matches!(error, ControlError::UnknownSession(_)) { open } else { Vec::new() },
        ..Refused::plain(error.to_string())
    })?;
    let format = formats::told(output.format);
    let said = super::message::Tapped { label: output.label(), session, format };
    Ok((tap, said, running.clock()))
}
