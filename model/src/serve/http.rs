//! `http`: requests from outside become frames, and what reaches the answering sink becomes responses.
//!
//! | A request                         | becomes                                                    |
//! |-----------------------------------|------------------------------------------------------------|
//! | `POST PATH`, JSON                 | an event, a tensor or a piece of a signal, as declared       |
//! | `POST PATH`, `application/octet-stream` | numbers as they lie in memory: f32, little-endian     |
//! | `GET /`, `GET /health`            | what there is to ask, and how it goes                       |
//!
//! A question has a tag, and the first frame with that tag at a sink of this kind is its answer.

use std::{
    net::SocketAddr,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
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
use engine::{
    Body, BuildError, Code, Entrance, Fault, Format, Frame, Gap, Kind, LiveIo, LiveSource, Node,
    Outline, Param, Placement, Port, Sink, Waiting,
};
use futures_util::StreamExt;
use hyper::body::Incoming;
use serde_json::Map;

use super::{
    gives::{response, wants_raw},
    hall::{Door, Hall, Route, Shown},
    house::{Answerer, House, Outcome, Room},
    limits::{Rates, Token},
    params::{
        ADDRESS, BYTES_MAX, Bounds, PATH, PATIENCE_S, PER_SECOND, PORT, Place, TOKEN_ENV,
        TOKEN_FILE, open_to_all, token,
    },
    refusal::Refusal,
    takes::{CHANNELS, FIELDS, RATE_HZ, SAMPLES_MAX, SHAPE, Takes},
};

/// The catalog entry of the source.
pub static KIND: Kind = Kind {
    name: "http",
    summary: "Answer requests over HTTP: questions come in here, and go out where it has a `from`.",
    doc: "Without `from`: listens on `address` and `port` and makes a frame of every POST to `path`. \
          `shape` declares tensors of f32, `fields` events, `channels` with `rate_hz` pieces of a \
          signal. A question is JSON (`values` or `samples` as lists, an object with the fields), or \
          with content-type application/octet-stream f32 little-endian, channel after channel. With \
          `from`: the first frame with a question's tag is its response: JSON as `jsonl` writes it, raw \
          f32 if the caller accepts application/octet-stream. A question that has no answer within `within_ms` gets 504; \
          one that is dropped inside gets 504 (late), 500 (a node failed on it) or 503 at once. 401: no \
          token; 413: longer than `bytes_max`; 429: more than `per_second`; 400: not what is taken, \
          with what is; 503: more than `in_flight` open, or the graph ends. `GET /` tells what there \
          is to ask. Nodes of one address and port share a listener, sessions share a path: \
          the one with the fewest questions open gets the next. Each piece of a signal follows a gap: it has nothing to do \
          with the one before it. `drain` accepts nothing new and answers what is open. Time: the moment the question came, or the end \
          of the piece before it. Cost: some 20 us of processor time a question.",
    example: "shape = [1, 250]\nport = 0",
    outputs: &[Port::any("out")],
    params: &[
        &SHAPE,
        &FIELDS,
        &CHANNELS,
        &RATE_HZ,
        &SAMPLES_MAX,
        &ADDRESS,
        &PORT,
        &PATH,
        &WITHIN_MS,
        &IN_FLIGHT,
        &BYTES_MAX,
        &PER_SECOND,
        &PATIENCE_S,
        &TOKEN_ENV,
        &TOKEN_FILE,
    ],
    placement: Placement::Waits,
    live: true,
    answers: true,
    when_fed: Some(&ANSWER),
    plan: |node| {
        let in_flight = node.get(&IN_FLIGHT)?;
        let takes = Takes::of(node, 10.0 * in_flight as f64)?;
        Bounds::of(node, &takes)?;
        let mut outline = Outline::of([takes.format]);
        outline.burst = in_flight as usize;
        outline.warnings.extend(open_to_all(node)?);
        Ok(outline)
    },
    build: |node| Ok(Body::live(Asks::new(node)?)),
    ..Kind::BASE
};

/// The catalog entry of the sink that answers.
pub static ANSWER: Kind = Kind {
    name: "http",
    summary: "Answer requests over HTTP.",
    doc: "The first frame with the tag of a question is its response; see the source of the same \
          name. What comes when nobody waits any more is taken and forgotten.",
    inputs: &[Port::any("in").variadic()],
    answers: true,
    plan: |node| {
        if node.inputs().iter().any(|input| matches!(input.format, Format::Image(_))) {
            let message = "pictures are not sent as answers";
            let problem = engine::Diagnostic::error(Code::FormatMismatch, message);
            return Err(problem.hint("send what was found in them").into());
        }
        Ok(Outline::default())
    },
    build: |node| {
        let house = node.common::<House>();
        for input in node.inputs() {
            house.give(&input.label, &input.format);
        }
        let room = house.room(node.session());
        let formats = node.inputs().iter().map(|input| Arc::new(input.format.clone()));
        Ok(Body::sink(Answers {
            answerer: Some(room.answerer()),
            room,
            formats: formats.collect(),
        }))
    },
    ..Kind::BASE
};

const WITHIN_MS: Param<f64> =
    Param::with_default("within_ms", 1_000.0, "How long a question waits for its answer.")
        .within(1.0, 600_000.0);
const IN_FLIGHT: Param<i64> =
    Param::with_default("in_flight", 256, "Most questions open at once, over all sessions.")
        .within(1.0, 65_536.0);

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
}

/// The node in one session.
struct Seat {
    way: Entrance,
    number: usize,
    room: Arc<Room>,
    open: AtomicUsize,
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
    fn new(node: &Node<'_>) -> Result<Self, BuildError> {
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
        })
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
        let Some(seat) = self.seat() else { return Err(Refusal::lost(Gap::Closed)) };
        let _here = Counted::up_to(&seat.open, usize::MAX);
        let tag = hall.house.tag();
        let (_waiting, outcome) = seat.room.wait(tag);
        // Each piece of a signal stands for itself.
        let gap = matches!(self.takes.format, Format::Signal(_)).then_some(Gap::Source);
        seat.way.enter(0, tag, gap, question).map_err(Refusal::lost)?;
        seat.room.promise_at_others(seat.number);
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

/// Takes questions, in one session.
struct Asks {
    route: Arc<HttpRoute>,
    room: Arc<Room>,
    /// Keeps the listener open.
    _door: Arc<Door>,
}

impl Asks {
    fn new(node: &Node<'_>) -> Result<Self, BuildError> {
        let (house, place) = (node.common::<House>(), Place::of(node)?);
        let patience = Duration::from_secs_f64(node.get(&PATIENCE_S)?);
        let door = Door::at(&house, &place, patience)?;
        let route = door
            .hall
            .route(node, &place.path, || Ok(Route::Http(Arc::new(HttpRoute::new(node)?))))?;
        let Route::Http(route) = route else {
            return Err(Fault::new("another kind of node is served at its `path`").into());
        };
        house.serve(node.name(), format!("http://{}{}", door.hall.address, place.path));
        Ok(Self { route, room: house.room(node.session()), _door: door })
    }
}

impl LiveSource for Asks {
    fn run<'a>(&'a mut self, io: &'a mut LiveIo) -> Waiting<'a> {
        Box::pin(async move {
            let room = self.room.clone();
            io.on_loss(move |tag, reason| room.settle(tag, Outcome::Lost(reason)));
            let _sits = Sits::down(&self.route, io.entrance(), &self.room);
            std::future::pending().await
        })
    }
}

/// The node takes questions in this session, until this is dropped.
struct Sits<'a> {
    route: &'a HttpRoute,
    seat: Arc<Seat>,
}

impl<'a> Sits<'a> {
    fn down(route: &'a HttpRoute, way: Entrance, room: &Arc<Room>) -> Self {
        let number = room.enter_by(way.clone());
        let seat = Seat { way, number, room: room.clone(), open: AtomicUsize::new(0) };
        let seat = Arc::new(seat);
        route.seats.write().unwrap_or_else(PoisonError::into_inner).push(seat.clone());
        Self { route, seat }
    }
}

impl Drop for Sits<'_> {
    fn drop(&mut self) {
        self.seat.room.leave_by(self.seat.number);
        let mut seats = self.route.seats.write().unwrap_or_else(PoisonError::into_inner);
        seats.retain(|seat| !Arc::ptr_eq(seat, &self.seat));
    }
}

/// Answers, in one session. Stands on a data core: it hands frames to whoever waits and does nothing else.
struct Answers {
    room: Arc<Room>,
    answerer: Option<Answerer>,
    /// By the number of the edge.
    formats: Vec<Arc<Format>>,
}

impl Sink for Answers {
    fn take(&mut self, line: usize, frame: &Frame) -> Result<(), Fault> {
        let answer = Outcome::Answer(self.formats[line].clone(), frame.clone());
        self.room.settle(frame.header.tag, answer);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Fault> {
        self.answerer = None;
        Ok(())
    }
}
