//! `websocket`: each connection is a session of the graph; its messages are frames, and so are answers.
//!
//! | A message in        | becomes                                                     |
//! |---------------------|-------------------------------------------------------------|
//! | text                | a frame, from JSON, as declared                              |
//! | binary              | a frame, from f32 little-endian, channel after channel       |
//! | empty text          | the end of the stream: what is inside is finished and sent    |

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use engine::{
    Body, BuildError, Fault, Format, Frame, Kind, LiveIo, LiveSource, Node, Outline, Param,
    Placement, Port, Sink, Waiting,
};
use tokio::sync::{mpsc, oneshot};

use super::{
    hall::{Door, Route},
    house::{Answerer, House, Room, Speech},
    params::{
        ADDRESS, BYTES_MAX, Bounds, PATH, PATIENCE_S, PER_SECOND, PORT, Place, TOKEN_ENV,
        TOKEN_FILE, open_to_all,
    },
    takes::{CHANNELS, FIELDS, RATE_HZ, SAMPLES_MAX, SHAPE, Takes},
    visit::{Seat, SocketRoute},
};

/// The catalog entry of the source.
pub static KIND: Kind = Kind {
    name: "websocket",
    summary: "A session of the graph for each websocket; frames go out where it has a `from`.",
    doc: "Without `from`: listens on `address`, `port` and `path`, and opens a session of the graph for \
          every websocket, which has no other; the run begins with none and goes on without one. \
          `channels` with `rate_hz` declares messages that are pieces of one signal, each going on \
          where the one before it ended, unless a second passed without one: then a gap lies between. `shape` declares tensors of f32, `fields` events, at the moment they come. Text is JSON \
          (`samples` or `values` as lists, an object with the fields), binary is f32 little-endian, channel after channel. An \
          empty text ends the stream: what is inside is finished and sent, then the connection closed. With `from`: every frame is \
          sent, as JSON or, with `send = \"raw\"`, as f32. A message that is not what is declared is \
          answered with what is. Closing a connection ends its session and nothing else. A reader for which more than `queue` \
          answers wait, or that takes none for `patience_s`, is dropped as a slow reader and counted; who is silent to \
          two pings, `patience_s` apart, is hung up on. At most `sessions_max` at once. Cost: some 10 us of processor time a \
          message, and a session's memory.",
    example: "channels = [\"ecg\"]\nrate_hz = 250.0\nport = 0",
    outputs: &[Port::any("out")],
    params: &[
        &CHANNELS,
        &RATE_HZ,
        &SAMPLES_MAX,
        &SHAPE,
        &FIELDS,
        &ADDRESS,
        &PORT,
        &PATH,
        &SESSIONS_MAX,
        &QUEUE,
        &BYTES_MAX,
        &PER_SECOND,
        &PATIENCE_S,
        &TOKEN_ENV,
        &TOKEN_FILE,
    ],
    placement: Placement::Waits,
    live: true,
    when_fed: Some(&OUT),
    door: Some(|node, opener| {
        let (house, place) = (node.common::<House>(), Place::of(node)?);
        let door = Door::at(&house, &place, Duration::from_secs_f64(node.get(&PATIENCE_S)?))?;
        door.hall.route(node, &place.path, || {
            Ok(Route::Socket(Arc::new(SocketRoute::new(node, opener)?)))
        })?;
        house.serve(node.name(), format!("ws://{}{}", door.hall.address, place.path));
        Ok(Box::new(door))
    }),
    plan: |node| {
        let takes = Takes::of(node, EVENTS_PER_SECOND)?;
        Bounds::of(node, &takes)?;
        let mut outline = Outline::of([takes.format]);
        outline.burst = BURST;
        outline.warnings.extend(open_to_all(node)?);
        Ok(outline)
    },
    build: |node| {
        let house = node.common::<House>();
        Ok(Body::live(Hears { room: house.room(node.session()), house }))
    },
    ..Kind::BASE
};

/// The catalog entry of the sink.
pub static OUT: Kind = Kind {
    name: "websocket",
    summary: "Send frames to the websocket of the session.",
    doc: "Every frame is a message: JSON, as `jsonl` writes it, or with `send = \"raw\"` f32 little-endian, \
          channel after channel; events are always JSON. See the source of the same name.",
    inputs: &[Port::any("in").variadic()],
    params: &[&SEND],
    answers: true,
    build: |node| Ok(Body::sink(Speaks::new(node)?)),
    ..Kind::BASE
};

const SEND: Param<&str> =
    Param::with_default("send", "json", "How frames are sent.").one_of(&["json", "raw"]);
pub(super) const SESSIONS_MAX: Param<i64> =
    Param::with_default("sessions_max", 256, "Most connections at once.").within(1.0, 65_536.0);
pub(super) const QUEUE: Param<i64> = Param::with_default(
    "queue",
    1_024,
    "Most answers that may wait for their reader, before it is dropped.",
)
.within(1.0, 65_536.0);

/// What rings are sized for.
const EVENTS_PER_SECOND: f64 = 1_000.0;
/// Messages that may come at once.
const BURST: usize = 64;

/// Lets a visitor in, in one session.
struct Hears {
    house: Arc<House>,
    room: Arc<Room>,
}

impl LiveSource for Hears {
    fn run<'a>(&'a mut self, io: &'a mut LiveIo) -> Waiting<'a> {
        Box::pin(async move {
            let visit = self.house.porch.next().await;
            let (ended, has_ended) = oneshot::channel();
            // Dropped when the source ends: the visitor sees that it need not speak any more.
            let (_stays, leaves) = oneshot::channel();
            self.room.speak_to(visit.outbox);
            let seat = Seat { way: io.entrance(), room: self.room.clone(), ended, leaves };
            if visit.seat.send(Ok(seat)).is_ok() {
                let _ = has_ended.await;
            }
            Ok(())
        })
    }
}

/// Sends frames, in one session. Stands on a data core and waits for nobody.
struct Speaks {
    room: Arc<Room>,
    answerer: Option<Answerer>,
    outbox: Option<mpsc::Sender<(Arc<Speech>, Frame)>>,
    /// By the number of the edge.
    speeches: Vec<Arc<Speech>>,
}

impl Speaks {
    fn new(node: &Node<'_>) -> Result<Self, BuildError> {
        let house = node.common::<House>();
        let wants_raw = node.get(&SEND)? == "raw";
        let speech = |format: &Format| {
            let is_raw = match format {
                Format::Event(_) => false,
                Format::Image(_) => true,
                Format::Signal(_) | Format::Tensor(_) => wants_raw,
            };
            Arc::new(Speech { format: format.clone(), is_raw })
        };
        for input in node.inputs() {
            house.give(&input.label, &input.format);
        }
        let room = house.room(node.session());
        Ok(Self {
            answerer: Some(room.answerer()),
            room,
            outbox: None,
            speeches: node.inputs().iter().map(|input| speech(&input.format)).collect(),
        })
    }
}

impl Sink for Speaks {
    fn take(&mut self, line: usize, frame: &Frame) -> Result<(), Fault> {
        if self.outbox.is_none() {
            self.outbox = self.room.outbox();
        }
        let Some(outbox) = &self.outbox else { return Ok(()) };
        match outbox.try_send((self.speeches[line].clone(), frame.clone())) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.room.is_slow.store(true, Ordering::Relaxed);
                self.room.slowed.notify_one();
                self.room.be_silent();
                self.outbox = None;
            }
            // The visitor has gone, which ends the session in good order.
            Err(mpsc::error::TrySendError::Closed(_)) => {
                self.room.be_silent();
                self.outbox = None;
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Fault> {
        (self.answerer, self.outbox) = (None, None);
        Ok(())
    }
}
