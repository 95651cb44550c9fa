//! [`Server`]: the topics, and who looks at them.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::{SocketAddr, TcpListener},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::files::mcap::{ENCODING, Schema};

use super::{
    Kept,
    viewer::{self, Viewer},
};

/// Viewers at the same time, those that have not said yet what they want among them.
const VIEWERS_MAX: usize = 16;
/// Between two looks whether the server is still wanted.
const LOOK: Duration = Duration::from_millis(50);

/// The servers of a plan, by the address that was asked for: sessions share them.
#[derive(Default)]
pub(super) struct Hall {
    servers: Mutex<BTreeMap<SocketAddr, (String, Kept)>>,
}

impl Hall {
    /// The server at an address, opened where there is none.
    pub(super) fn open(
        &self,
        node: &str,
        address: SocketAddr,
        origins: Vec<String>,
    ) -> io::Result<Arc<Server>> {
        let origins: BTreeSet<String> = origins.into_iter().filter(|it| !it.is_empty()).collect();
        let mut servers = lock(&self.servers);
        if let Some(server) = servers.get(&address).and_then(|(_, kept)| kept.upgrade()) {
            if server.house.origins != origins {
                let other = &servers[&address].0;
                let why =
                    format!("`{other}` listens there for other `origins`; give both the same");
                return Err(io::Error::other(why));
            }
            return Ok(server);
        }
        let server = Server::open(address, origins)?;
        servers.insert(address, (node.to_owned(), Arc::downgrade(&server)));
        Ok(server)
    }

    pub(super) fn addresses(&self) -> Vec<(String, String)> {
        let servers = lock(&self.servers);
        let open = servers.values().filter_map(|(node, kept)| Some((node, kept.upgrade()?)));
        open.map(|(node, server)| (node.clone(), format!("ws://{}", server.address))).collect()
    }
}

/// Topics, and who looks at them. Dropped, it lets its viewers go.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    house: Arc<House>,
    welcomes: Option<JoinHandle<()>>,
}

/// What the server and the threads of its viewers share.
pub(super) struct House {
    channels: Mutex<Channels>,
    viewers: Mutex<Vec<Arc<Viewer>>>,
    /// Connections that somebody talks with.
    guests: AtomicUsize,
    /// Pages of others that may look.
    pub(super) origins: BTreeSet<String>,
    missed: AtomicU64,
    is_closed: AtomicBool,
}

/// The topics there are, by their numbers, which are given once.
#[derive(Default)]
struct Channels {
    known: BTreeMap<u32, Value>,
    given: u32,
}

impl Server {
    /// Listens for viewers.
    pub(super) fn open(address: SocketAddr, origins: BTreeSet<String>) -> io::Result<Arc<Self>> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        listener.set_nonblocking(true)?;
        let house = Arc::new(House {
            channels: Mutex::default(),
            viewers: Mutex::default(),
            guests: AtomicUsize::new(0),
            origins,
            missed: AtomicU64::new(0),
            is_closed: AtomicBool::new(false),
        });
        let inside = house.clone();
        let named = std::thread::Builder::new().name("afferent-foxglove".to_owned());
        let welcomes = Some(named.spawn(move || inside.welcome(&listener))?);
        Ok(Arc::new(Self { address, house, welcomes }))
    }

    /// Tells everybody of a topic; gives its number.
    pub(super) fn advertise(&self, topic: &str, schema: &Schema) -> u32 {
        let mut channels = lock(&self.house.channels);
        let id = channels.given;
        channels.given += 1;
        let channel = json!({
            "id": id,
            "topic": topic,
            "encoding": ENCODING,
            "schemaName": schema.name,
            "schemaEncoding": ENCODING,
            "schema": BASE64.encode(&schema.descriptors),
        });
        channels.known.insert(id, channel.clone());
        // Under the lock: who comes now hears of it once.
        let text = json!({"op": "advertise", "channels": [channel]}).to_string();
        lock(&self.house.viewers).iter().for_each(|viewer| viewer.say(text.clone()));
        id
    }

    /// Tells everybody that these topics have gone.
    pub(super) fn withdraw(&self, ids: &[u32]) {
        let mut channels = lock(&self.house.channels);
        channels.known.retain(|id, _| !ids.contains(id));
        let text = json!({"op": "unadvertise", "channelIds": ids}).to_string();
        lock(&self.house.viewers).iter().for_each(|viewer| viewer.forget(ids, text.clone()));
    }

    /// Whether somebody looks at a topic.
    pub(super) fn is_watched(&self, channel: u32) -> bool {
        lock(&self.house.viewers).iter().any(|viewer| viewer.watches(channel))
    }

    /// Shows a message to everybody who looks at its topic. Never waits.
    pub(super) fn show(&self, channel: u32, log_ns: u64, message: &[u8]) {
        for viewer in lock(&self.house.viewers).iter() {
            let missed = viewer.show(channel, log_ns, message);
            self.house.missed.fetch_add(missed, Ordering::Relaxed);
        }
    }

    /// Messages that viewers were too slow for.
    pub(super) fn missed(&self) -> u64 {
        self.house.missed.load(Ordering::Relaxed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.house.is_closed.store(true, Ordering::Release);
        // Whoever comes next may want the address.
        if let Some(welcomes) = self.welcomes.take() {
            welcomes.thread().unpark();
            let _ = welcomes.join();
        }
    }
}

impl House {
    /// Lets viewers in until the server is closed.
    fn welcome(self: Arc<Self>, listener: &TcpListener) {
        while !self.is_closed() {
            let Ok((stream, _)) = listener.accept() else {
                std::thread::park_timeout(LOOK);
                continue;
            };
            if self.guests.load(Ordering::Acquire) >= VIEWERS_MAX {
                continue;
            }
            let guest = Guest::of(&self);
            let named = std::thread::Builder::new().name("afferent-viewer".to_owned());
            // Where there is no thread for it, it finds the connection closed.
            let _ = named.spawn(move || viewer::serve(stream, &guest.0));
        }
    }

    /// Whether there is such a topic.
    pub(super) fn has(&self, channel: u32) -> bool {
        lock(&self.channels).known.contains_key(&channel)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// A viewer has come; it hears what there is.
    pub(super) fn enter(&self, viewer: &Arc<Viewer>) {
        let channels = lock(&self.channels);
        let mut viewers = lock(&self.viewers);
        viewer.say(json!({"op": "serverInfo", "name": "afferent", "capabilities": []}).to_string());
        viewer.say(
            json!({"op": "advertise", "channels": channels.known.values().collect::<Vec<_>>()})
                .to_string(),
        );
        viewers.push(viewer.clone());
    }

    /// A viewer has gone.
    pub(super) fn leave(&self, viewer: &Arc<Viewer>) {
        lock(&self.viewers).retain(|other| !Arc::ptr_eq(other, viewer));
    }

    pub(super) fn count_missed(&self, messages: u64) {
        self.missed.fetch_add(messages, Ordering::Relaxed);
    }
}

/// A connection that somebody talks with, counted as long as it is there.
struct Guest(Arc<House>);

impl Guest {
    fn of(house: &Arc<House>) -> Self {
        house.guests.fetch_add(1, Ordering::AcqRel);
        Self(house.clone())
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.0.guests.fetch_sub(1, Ordering::AcqRel);
    }
}

pub(super) fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
