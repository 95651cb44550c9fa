//! `websocket`: each connection is a session of the graph; its messages are frames, and so are answers.
//!
//! | A message in        | becomes                                                     |
//! |---------------------|-------------------------------------------------------------|
//! | text                | a frame, from JSON, as declared                              |
//! | binary              | a frame, from f32 little-endian, channel after channel       |
//! | empty text          | the end of the stream: what is inside is finished and sent    |

use std::{sync::Arc, time::Duration};

use engine::{Body, Kind, LiveIo, LiveSource, Outline, Param, Placement, Port, Waiting};
use tokio::sync::oneshot;

use crate::serve::{
    hall::{Door, Route},
    house::{House, Room},
    params::{
        ADDRESS, BYTES_MAX, Bounds, PATH, PATIENCE_S, PORT, Place, QUESTIONS_PER_S, TOKEN_ENV,
        TOKEN_FILE, open_to_all,
    },
    sink,
    takes::{CHANNELS, FIELDS, RATE_HZ, SAMPLES_MAX, SHAPE, Takes},
    visit::{Seat, SocketRoute},
};

/// The catalog entry.
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
        &QUESTIONS_PER_S,
        &PATIENCE_S,
        &TOKEN_ENV,
        &TOKEN_FILE,
    ],
    placement: Placement::Waits,
    live: true,
    when_fed: Some(&sink::websocket::KIND),
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

pub(in crate::serve) const SESSIONS_MAX: Param<i64> =
    Param::with_default("sessions_max", 256, "Most connections at once.").within(1.0, 65_536.0);
pub(in crate::serve) const QUEUE: Param<i64> = Param::with_default(
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
