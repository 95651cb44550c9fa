//! A path that takes questions: what each must pass, and the way to its answer.

use std::{
    net::SocketAddr,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    body::{Body as HttpBody, Bytes},
    http::{
        HeaderMap, Method, Response, StatusCode,
        header::{CONTENT_LENGTH, CONTENT_TYPE},
        request::Parts,
    },
};
use engine::{BuildError, Entrance, Format, Gap, Node};
use futures_util::StreamExt;
use hyper::body::Incoming;
use serde_json::Map;

use super::{
    gives::{response, wants_raw},
    hall::{Hall, Shown},
    house::{Outcome, Room},
    limits::{Rates, Token},
    params::{Bounds, token},
    refusal::Refusal,
    source::http::{IN_FLIGHT, WITHIN_MS},
    takes::Takes,
};

/// A path that takes questions, for all sessions.
pub(super) struct HttpRoute {
    pub(super) token: Option<Token>,
    takes: Takes,
    bounds: Bounds,
    rates: Option<Rates>,
    within: Duration,
    in_flight: usize,
    open: AtomicUsize,
    seats: RwLock<Vec<Arc<Seat>>>,
    /// Told when somebody sits down.
    sat: tokio::sync::Notify,
    /// Everybody who sat here has left.
    has_left: AtomicBool,
}

/// The node in one session.
pub(super) struct Seat {
    pub(super) way: Entrance,
    pub(super) number: usize,
    pub(super) room: Arc<Room>,
    pub(super) open: AtomicUsize,
}

/// One question more, until this is dropped.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn up_to(counter: &'a AtomicUsize, most: usize) -> Option<Self> {
        // Made first, so that it is counted back where there are too many.
        let counted = Self(counter);
        (counter.fetch_add(1, Ordering::Relaxed) < most).then_some(counted)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl HttpRoute {
    pub(super) fn new(node: &Node<'_>) -> Result<Self, BuildError> {
        let in_flight = node.get(&IN_FLIGHT)? as usize;
        let takes = Takes::of(node, 10.0 * in_flight as f64)?;
        let bounds = Bounds::of(node, &takes)?;
        Ok(Self {
            token: token(node)?,
            rates: bounds.per_second.map(Rates::new),
            takes,
            bounds,
            within: Duration::from_secs_f64(node.get(&WITHIN_MS)? / 1e3),
            in_flight,
            open: AtomicUsize::new(0),
            seats: RwLock::default(),
            sat: tokio::sync::Notify::new(),
            has_left: AtomicBool::new(false),
        })
    }

    /// Lets questions come to a session.
    pub(super) fn sit_down(&self, seat: Arc<Seat>) {
        let mut seats = self.seats.write().unwrap_or_else(PoisonError::into_inner);
        seats.push(seat);
        self.has_left.store(false, Ordering::Relaxed);
        drop(seats);
        self.sat.notify_waiters();
    }

    /// No more questions come to a session.
    pub(super) fn get_up(&self, seat: &Arc<Seat>) {
        let mut seats = self.seats.write().unwrap_or_else(PoisonError::into_inner);
        seats.retain(|other| !Arc::ptr_eq(other, seat));
        self.has_left.store(seats.is_empty(), Ordering::Relaxed);
        drop(seats);
        self.sat.notify_waiters();
    }

    pub(super) fn show(&self) -> Shown {
        let mut more = Map::new();
        more.insert("within_ms".to_owned(), (self.within.as_secs_f64() * 1e3).into());
        more.insert("bytes_max".to_owned(), self.bounds.bytes_max.into());
        Shown { method: "POST", takes: self.takes.describe(), more }
    }

    /// Asks the graph, and waits for its answer.
    pub(super) async fn ask(
        &self,
        hall: &Hall,
        caller: SocketAddr,
        parts: &Parts,
        body: Incoming,
    ) -> Result<Response<HttpBody>, Refusal> {
        if parts.method != Method::POST {
            return Err(Refusal::method("POST").with("takes", self.takes.describe()));
        }
        if let Some(rates) = &self.rates {
            let admitted = rates.admit(caller.ip(), Instant::now());
            admitted.map_err(|wait| Refusal::too_often(wait).and_hang_up())?;
        }
        let bytes = self.read(&parts.headers, body).await?;
        let question = self.question(&parts.headers, &bytes)?;
        let Some(_counted) = Counted::up_to(&self.open, self.in_flight) else {
            return Err(Refusal::busy("too many questions are open"));
        };
        let seat = self.seated(hall).await?;
        let _here = Counted::up_to(&seat.open, usize::MAX);
        let tag = hall.house.tag();
        let (_waiting, outcome) = seat.room.wait(tag);
        // Each piece of a signal stands for itself.
        let gap = matches!(self.takes.format, Format::Signal(_)).then_some(Gap::Source);
        let bound = seat.way.enter(0, tag, gap, question).map_err(Refusal::lost)?;
        seat.room.promise_at_others(seat.number, bound);
        match tokio::time::timeout(self.within, outcome).await {
            Ok(Ok(Outcome::Answer(format, frame))) => {
                hall.house.tally.count(&hall.house.tally.answered);
                Ok(response(&format, &frame, wants_raw(&parts.headers)))
            }
            Ok(Ok(Outcome::Lost(reason))) => Err(Refusal::lost(reason)),
            Ok(Ok(Outcome::Ended) | Err(_)) => Err(Refusal::ended()),
            Err(_) => Err(Refusal::late(self.within)),
        }
    }

    /// The session to ask. At the start, and while a node is put in anew, there may be none yet.
    async fn seated(&self, hall: &Hall) -> Result<Arc<Seat>, Refusal> {
        let until = tokio::time::Instant::now() + self.within;
        loop {
            // Before looking: who sits down just then is not missed.
            let sat = self.sat.notified();
            if let Some(seat) = self.seat() {
                return Ok(seat);
            }
            if self.has_left.load(Ordering::Relaxed) || hall.is_closing() {
                return Err(Refusal::lost(Gap::Closed));
            }
            if tokio::time::timeout_at(until, sat).await.is_err() {
                return Err(Refusal::late(self.within));
            }
        }
    }

    /// The session with the fewest questions open.
    fn seat(&self) -> Option<Arc<Seat>> {
        let seats = self.seats.read().unwrap_or_else(PoisonError::into_inner);
        seats.iter().min_by_key(|seat| seat.open.load(Ordering::Relaxed)).cloned()
    }

    async fn read(&self, headers: &HeaderMap, body: Incoming) -> Result<Bytes, Refusal> {
        let most = self.bounds.bytes_max;
        let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        let length: Option<usize> = length.and_then(|length| length.parse().ok());
        if length.is_some_and(|length| length > most) {
            return Err(Refusal::too_long(most));
        }
        let mut parts = HttpBody::new(body).into_data_stream();
        let read = async {
            let mut first = Bytes::new();
            let mut all = Vec::new();
            while let Some(part) = parts.next().await {
                let part = part.map_err(|_| {
                    Refusal::new(StatusCode::BAD_REQUEST, "the body broke off").and_hang_up()
                })?;
                if first.len().max(all.len()) + part.len() > most {
                    return Err(Refusal::too_long(most));
                }
                if first.is_empty() && all.is_empty() {
                    first = part;
                    continue;
                }
                if all.is_empty() {
                    all.reserve(length.unwrap_or(0).max(first.len() + part.len()));
                    all.extend_from_slice(&first);
                }
                all.extend_from_slice(&part);
            }
            Ok(if all.is_empty() { first } else { all.into() })
        };
        tokio::time::timeout(self.bounds.patience, read).await.unwrap_or_else(|_| {
            let refusal =
                Refusal::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time");
            Err(refusal.and_hang_up())
        })
    }

    fn question(&self, headers: &HeaderMap, bytes: &[u8]) -> Result<engine::Buffer, Refusal> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let is_raw = text(CONTENT_TYPE.as_str()).is_some_and(|kind| {
            let kind = kind.split(';').next().unwrap_or_default().trim();
            kind.eq_ignore_ascii_case("application/octet-stream")
        });
        let read = match text("afferent-type").filter(|_| is_raw) {
            Some(element) if element != "f32" => {
                Err(format!("`afferent-type` is {element:?}, not \"f32\""))
            }
            _ if is_raw => self.takes.read_raw(bytes, text("afferent-shape")),
            _ => self.takes.read_json(bytes),
        };
        read.map_err(|why| {
            let refusal = Refusal::new(StatusCode::BAD_REQUEST, why);
            refusal.expecting(self.takes.describe())
        })
    }
}
