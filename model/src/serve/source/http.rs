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
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use engine::{
    Body, BuildError, Entrance, Fault, Kind, LiveIo, LiveSource, Node, Outline, Param, Placement,
    Port, Waiting,
};

use crate::serve::{
    ask::{HttpRoute, Seat},
    hall::{Door, Route},
    house::{House, Outcome, Room},
    params::{
        ADDRESS, BYTES_MAX, Bounds, PATH, PATIENCE_S, PORT, Place, QUESTIONS_PER_S, TOKEN_ENV,
        TOKEN_FILE, open_to_all,
    },
    sink,
    takes::{CHANNELS, FIELDS, RATE_HZ, SAMPLES_MAX, SHAPE, Takes},
};

/// The catalog entry.
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
          token; 413: longer than `bytes_max`; 429: more than `questions_per_s`; 400: not what is taken, \
          with what is; 503: more than `in_flight` open, or the graph ends. `GET /` tells what there \
          is to ask. Nodes of one address and port share a listener, sessions share a path: \
          the one with the fewest questions open gets the next. Each piece of a signal follows a gap: it has nothing to do \
          with the one before it. `drain` accepts nothing new and answers what is open. Time: the moment the question came, or the end \
          of the piece before it. Cost: some 20 us of processor time a question.",
    example: "shape = [1, 250]\nport = 0\n\n[node.answer]\nop = \"http\"\nfrom = \"http\"",
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
        &QUESTIONS_PER_S,
        &PATIENCE_S,
        &TOKEN_ENV,
        &TOKEN_FILE,
    ],
    placement: Placement::Waits,
    live: true,
    answers: true,
    when_fed: Some(&sink::http::KIND),
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

pub(in crate::serve) const WITHIN_MS: Param<f64> =
    Param::with_default("within_ms", 1_000.0, "How long a question waits for its answer.")
        .within(1.0, 600_000.0);
pub(in crate::serve) const IN_FLIGHT: Param<i64> =
    Param::with_default("in_flight", 256, "Most questions open at once, over all sessions.")
        .within(1.0, 65_536.0);

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
        route.sit_down(seat.clone());
        Self { route, seat }
    }
}

impl Drop for Sits<'_> {
    fn drop(&mut self) {
        self.seat.room.leave_by(self.seat.number);
        self.route.get_up(&self.seat);
    }
}
