//! One websocket: from the upgrade to the last word.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    extract::{
        FromRequestParts,
        ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code},
    },
    http::{Method, Response, StatusCode, request::Parts},
    response::IntoResponse,
};
use engine::{Buffer, BuildError, Entrance, Format, Frame, Gap, Node, Opener, Timestamp};
use futures_util::{SinkExt, StreamExt, stream::SplitSink};
use serde_json::Map;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::remote::question::written;

use super::{
    hall::{Hall, Shown, runtime},
    house::{Room, Said, Speech},
    limits::{Rates, Token},
    params::{Bounds, token},
    refusal::Refusal,
    source::websocket::{QUEUE, SESSIONS_MAX},
    takes::Takes,
};

/// A silence after which the next piece of a signal does not go on where the one before it ended.
const SILENCE_NS: i64 = 1_000_000_000;
/// How long a visitor waits for its session to be built.
const OPENS_WITHIN: Duration = Duration::from_secs(10);

/// A path that takes websockets.
pub(super) struct SocketRoute {
    pub(super) token: Option<Token>,
    takes: Takes,
    bounds: Bounds,
    opener: Opener,
    places: Arc<Semaphore>,
    queue: usize,
}

/// Somebody at the door, with no session yet.
pub(super) struct Visit {
    number: u64,
    pub(super) outbox: mpsc::Sender<Said>,
    pub(super) seat: oneshot::Sender<Result<Seat, String>>,
}

/// What a visitor has once its session is open.
pub(super) struct Seat {
    pub(super) way: Entrance,
    pub(super) room: Arc<Room>,
    /// Dropped when the visitor says nothing more.
    pub(super) ended: oneshot::Sender<()>,
    /// Tells that the source has ended.
    pub(super) leaves: oneshot::Receiver<()>,
}

/// Those who wait for a session. Every session that is opened takes one, the first first.
#[derive(Default)]
pub(super) struct Porch {
    waiting: Mutex<VecDeque<Visit>>,
    came: tokio::sync::Notify,
    numbers: AtomicU64,
}

impl Porch {
    /// The next visitor, once there is one.
    pub(super) async fn next(&self) -> Visit {
        loop {
            let next = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            if let Some(visit) = next {
                return visit;
            }
            self.came.notified().await;
        }
    }

    fn come(&self, outbox: mpsc::Sender<Said>) -> (u64, oneshot::Receiver<Result<Seat, String>>) {
        let (seat, seated) = oneshot::channel();
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let visit = Visit { number, outbox, seat };
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push_back(visit);
        self.came.notify_one();
        (number, seated)
    }

    /// There is no session for one of those who wait: this one, unless another's took it.
    fn turn_away(&self, number: u64, why: String) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let at = waiting.iter().position(|visit| visit.number == number).unwrap_or(0);
        if let Some(visit) = waiting.remove(at) {
            let _ = visit.seat.send(Err(why));
        }
    }
}

impl SocketRoute {
    pub(super) fn new(node: &Node<'_>, opener: Opener) -> Result<Self, BuildError> {
        let takes = Takes::of(node, 1.0)?;
        Ok(Self {
            token: token(node)?,
            bounds: Bounds::of(node, &takes)?,
            takes,
            opener,
            places: Arc::new(Semaphore::new(node.get(&SESSIONS_MAX)? as usize)),
            queue: node.get(&QUEUE)? as usize,
        })
    }

    pub(super) fn show(&self) -> Shown {
        let mut more = Map::new();
        more.insert("bytes_max".to_owned(), self.bounds.bytes_max.into());
        Shown { method: "GET, as a websocket", takes: self.takes.describe(), more }
    }

    /// Opens a session and lets the caller talk to it.
    pub(super) async fn visit(
        self: Arc<Self>,
        hall: &Arc<Hall>,
        _caller: SocketAddr,
        mut parts: Parts,
    ) -> Result<Response<Body>, Refusal> {
        if parts.method != Method::GET {
            return Err(Refusal::method("GET").with("hint", "open a websocket"));
        }
        let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &()).await;
        let upgrade = upgrade.map_err(|rejection| {
            let refusal = Refusal::new(StatusCode::UPGRADE_REQUIRED, rejection.body_text());
            refusal.with("hint", "open a websocket").with("takes", self.takes.describe())
        })?;
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            return Err(Refusal::busy("too many sessions are open"));
        };
        if hall.is_closing() {
            return Err(Refusal::lost(Gap::Closed));
        }
        let (outbox, said) = mpsc::channel(self.queue);
        let seat = self.open(hall, outbox).await?;
        hall.house.tally.count(&hall.house.tally.visits);
        let most = self.bounds.bytes_max;
        let upgrade = upgrade.max_message_size(most).max_frame_size(most);
        let hall = hall.clone();
        let converse = move |socket| Conversation::new(self, hall, seat, place).run(socket, said);
        Ok(upgrade.on_upgrade(converse).into_response())
    }

    async fn open(&self, hall: &Arc<Hall>, outbox: mpsc::Sender<Said>) -> Result<Seat, Refusal> {
        let (number, seated) = hall.house.porch.come(outbox);
        let (opener, house) = (self.opener.clone(), hall.house.clone());
        // By itself: a caller that hangs up now must leave no session behind that waits for it.
        drop(runtime().spawn(async move {
            if let Err(error) = opener.open().await {
                house.porch.turn_away(number, error.to_string());
            }
        }));
        match tokio::time::timeout(OPENS_WITHIN, seated).await {
            Ok(Ok(Ok(seat))) => Ok(seat),
            Ok(Ok(Err(why))) => Err(Refusal::busy(&format!("no session can be opened: {why}"))),
            Ok(Err(_)) | Err(_) => Err(Refusal::busy("no session can be opened")),
        }
    }
}

/// A visitor and its session.
struct Conversation {
    route: Arc<SocketRoute>,
    hall: Arc<Hall>,
    way: Entrance,
    room: Arc<Room>,
    /// Until the visitor has said all.
    ended: Option<oneshot::Sender<()>>,
    leaves: oneshot::Receiver<()>,
    rates: Option<Rates>,
    messages: u64,
    /// Where the signal so far ends.
    end: Option<Timestamp>,
    _place: OwnedSemaphorePermit,
}

/// How it ends: nothing where nobody is left to be told.
type Parting = Option<(u16, &'static str)>;

impl Conversation {
    fn new(
        route: Arc<SocketRoute>,
        hall: Arc<Hall>,
        seat: Seat,
        place: OwnedSemaphorePermit,
    ) -> Self {
        let Seat { way, room, ended, leaves } = seat;
        let rates = route.bounds.per_second.map(Rates::new);
        let ended = Some(ended);
        Self { route, hall, way, room, ended, leaves, rates, messages: 0, end: None, _place: place }
    }

    async fn run(mut self, socket: WebSocket, mut said: mpsc::Receiver<Said>) {
        let _open = self.hall.house.connection();
        let (mut out, mut heard) = socket.split();
        let patience = self.route.bounds.patience;
        let mut ping = tokio::time::interval_at(tokio::time::Instant::now() + patience, patience);
        let mut heard_last = Instant::now();
        let mut has_left = false;
        let parting: Parting = loop {
            tokio::select! {
                message = heard.next(), if !has_left => {
                    heard_last = Instant::now();
                    let taken = match message {
                        Some(Ok(Message::Text(text))) => self.take(text.as_str().as_bytes(), false).await,
                        Some(Ok(Message::Binary(bytes))) => self.take(&bytes, true).await,
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(None),
                        Some(Ok(Message::Close(_))) | None => break None,
                        Some(Err(error)) => break parting(&error),
                    };
                    match taken {
                        Ok(None) => {}
                        Ok(Some(refusal)) => {
                            let text = Message::Text(refusal.text().into());
                            if !self.send(&mut out, text).await {
                                break None;
                            }
                        }
                        Err(why) => break Some((close_code::POLICY, why)),
                    }
                }
                frame = said.recv() => match frame {
                    Some(Said { speech, frame }) => {
                        let Some(message) = message(&speech, &frame) else { continue };
                        if !self.send(&mut out, message).await {
                            break None;
                        }
                    }
                    None if self.room.is_slow.load(Ordering::Relaxed) => {
                        self.hall.house.tally.count(&self.hall.house.tally.slow);
                        break Some((close_code::POLICY, "slow reader: too many answers wait"));
                    }
                    // It has not said its last word: it is the graph that ends.
                    None if self.ended.is_some() => {
                        break Some((close_code::AWAY, "the graph is ending"));
                    }
                    None => break Some((close_code::NORMAL, "the stream has ended")),
                },
                _ = &mut self.leaves, if !has_left => has_left = true,
                _ = ping.tick() => {
                    if heard_last.elapsed() >= 2 * patience && !has_left {
                        break Some((close_code::POLICY, "silent to two pings"));
                    }
                    if !self.send(&mut out, Message::Ping(Vec::new().into())).await {
                        break None;
                    }
                }
            }
        };
        // The session ends by itself once nothing more comes.
        self.ended = None;
        drop(said);
        if let Some((code, reason)) = parting {
            let close = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
            if self.send(&mut out, close).await {
                // The other side says goodbye as well, or is hung up on.
                let goodbye = async { while let Some(Ok(_)) = heard.next().await {} };
                let _ = tokio::time::timeout(patience.min(Duration::from_secs(1)), goodbye).await;
            }
        }
    }

    /// Makes a frame of a message; tells what was wrong with it, or why the visitor must go.
    async fn take(&mut self, bytes: &[u8], is_raw: bool) -> Result<Option<Refusal>, &'static str> {
        if self.ended.is_none() {
            return Err("the stream was ended before");
        }
        if let Some(rates) = &self.rates
            && rates.admit(std::net::Ipv4Addr::LOCALHOST.into(), Instant::now()).is_err()
        {
            return Err("too many messages in a second");
        }
        if bytes.is_empty() && !is_raw {
            self.ended = None;
            return Ok(None);
        }
        let takes = &self.route.takes;
        let read = if is_raw { takes.read_raw(bytes, None) } else { takes.read_json(bytes) };
        let buffer = match read {
            Ok(buffer) => buffer,
            Err(why) => {
                let refusal = Refusal::new(StatusCode::BAD_REQUEST, why);
                return Ok(Some(refusal.expecting(takes.describe())));
            }
        };
        self.way.room(0).await;
        Ok(self.enter(buffer))
    }

    fn enter(&mut self, buffer: Buffer) -> Option<Refusal> {
        let is_signal = matches!(self.route.takes.format, Format::Signal(_));
        let silent = self.end.is_some_and(|end| self.way.now().since(end) > SILENCE_NS);
        self.messages += 1;
        match self.way.enter(0, self.messages, (is_signal && silent).then_some(Gap::Source), buffer)
        {
            Ok(end) => {
                self.end = Some(end);
                None
            }
            // The next one says why nothing comes any more.
            Err(Gap::Closed) => None,
            Err(reason) => Some(Refusal::lost(reason)),
        }
    }

    /// Sends a message; says no if the reader is gone, or too slow to be waited for.
    async fn send(&self, out: &mut SplitSink<WebSocket, Message>, message: Message) -> bool {
        let sent = tokio::time::timeout(self.route.bounds.patience, out.send(message));
        let sent = tokio::select! {
            biased;
            sent = sent => sent.ok(),
            // While this one waits, too many others have come to wait behind it.
            () = self.room.slowed.notified() => None,
        };
        if sent.is_none() {
            self.hall.house.tally.count(&self.hall.house.tally.slow);
        }
        matches!(sent, Some(Ok(())))
    }
}

/// What a broken message deserves.
fn parting(error: &axum::Error) -> Parting {
    // The library's error is not public here; its words are.
    let is_long = error.to_string().contains("too l") || error.to_string().contains("too big");
    is_long.then_some((close_code::SIZE, "a message is longer than `bytes_max`"))
}

fn message(speech: &Speech, frame: &Frame) -> Option<Message> {
    let (bytes, _) = written(&speech.format, frame, !speech.is_raw).ok()?;
    Some(match speech.is_raw {
        true => Message::Binary(bytes.into()),
        false => Message::Text(String::from_utf8(bytes).ok()?.into()),
    })
}
