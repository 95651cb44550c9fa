//! A pair of sessions with one edge of each sort, and what is checked at every step.

use engine::{Field, Format, Frame, Header, Rate, Timestamp, Unit};

use crate::{
    session::{Delivery, EdgeConfig, Priority, Session, SessionConfig, TimeLine, Timing},
    testing::{HostClock, Pair, Way, Weather},
};

pub(super) use crate::testing::seeds;

pub(super) const MS: i64 = 1_000_000;
pub(super) const S: i64 = 1_000 * MS;

/// Edges in the order of their numbers: what the first side sends to the second, and one back.
pub(super) const SENSOR: u16 = 0;
pub(super) const EVENTS: u16 = 1;
pub(super) const BULK: u16 = 2;
pub(super) const BACK: u16 = 3;
pub(super) const KEPT: usize = 100;
pub(super) const GRANTED: usize = 64;
pub(super) const DEADLINE_NS: i64 = 150 * MS;

pub(super) fn config(side: usize, life: u64) -> SessionConfig {
    let rate = Rate::new(250.0).expect("possible");
    let droppable = |deadline_ns| Delivery::Droppable { deadline_ns };
    let edge = |name: &str, format: Format, delivery, priority, sender: usize| EdgeConfig {
        name: name.to_owned(),
        format,
        receives: side != sender,
        delivery,
        priority,
        line: TimeLine::Clock,
        packed: true,
        may_void: true,
        // Less is granted than could be kept, so that each limit shows.
        frames_max: if side == sender { KEPT } else { GRANTED },
        bytes_max: 4 << 20,
    };
    let signal = Format::signal(1, Unit::MILLIVOLT, rate, 10);
    let picture = Format::signal(1, Unit::UNKNOWN, rate, 20_000);
    let event = Format::event(vec![Field::i64("n")], 100.0);
    let edges = vec![
        edge("ecg -> clean", signal, droppable(DEADLINE_NS), Priority::Sensor, 0),
        edge("beats -> store", event.clone(), Delivery::Durable, Priority::Sensor, 0),
        edge("camera -> see", picture, droppable(S), Priority::Bulk, 0),
        edge("see -> show", event, Delivery::Durable, Priority::Sensor, 1),
    ];
    let (graph, session) = ([1; 16], [2; 16]);
    SessionConfig { graph, session, life, calls: side == 0, edges, timing: Timing::default() }
}

pub(super) fn clocks() -> [HostClock; 2] {
    [
        HostClock { offset_ns: 5 * S, drift: 20e-6 },
        HostClock { offset_ns: -3_000 * S, drift: -40e-6 },
    ]
}

pub(super) fn pair(weathers: [Weather; 2], seed: u64) -> Pair {
    let ways = [0, 1].map(|n| Way::new(weathers[n], seed * 2 + n as u64));
    let sessions = [0, 1].map(|side| Session::new(config(side, side as u64 + 10)));
    Pair::new(sessions, ways, clocks())
}

/// A signal of ten samples, numbered by its tag.
pub(super) fn signal(time: Timestamp, number: u64) -> Frame {
    let samples: Vec<f32> = (0..10).map(|n| (number as f32 * 10.0 + n as f32) / 200.0).collect();
    let mut frame = Frame::signal(time, 1, &samples);
    frame.header = Header { tag: number, entered: time, ..frame.header };
    frame
}

/// An event with its number.
pub(super) fn event(time: Timestamp, number: u64) -> Frame {
    let format = config(0, 0).edges[1].format.clone();
    let format = format.as_event().expect("an event");
    let event = engine::EventWriter::new(format).i64(0, number as i64).finish();
    let header = Header { tag: number, entered: time, ..Header::at(time) };
    Frame::new(header, event)
}

/// Something large.
pub(super) fn bulk(time: Timestamp, number: u64) -> Frame {
    let mut frame = Frame::signal(time, 1, &vec![number as f32 + 0.1; 20_000]);
    let noise = frame.buffer_mut().floats_mut().expect("fresh").iter_mut().enumerate();
    // Not to be packed away.
    noise.for_each(|(n, x)| *x = f32::from_bits((n as u32).wrapping_mul(2_654_435_761) >> 2));
    frame.header.tag = number;
    frame
}

/// Holds at every step: each frame is somewhere, counted once; memory is bounded.
pub(super) fn check(pair: &Pair) {
    for session in &pair.sessions {
        assert!(session.out.is_empty(), "all was taken");
        if let Some(connection) = &session.connection {
            assert!(connection.streams.len() <= 16, "{}", connection.streams.len());
            // A frame of bulk, and what of a message is still to come.
            assert!(connection.held() <= 16 * 81_000, "{}", connection.held());
            assert!(connection.answers.len() <= 8);
        }
    }
    for edge in 0..4 {
        for session in &pair.sessions {
            if let Some(sent) = session.sent(edge) {
                assert!(sent.is_balanced(), "edge {edge}: {sent:?}");
                assert!(sent.inside <= KEPT as u64 + 1, "edge {edge}: {sent:?}");
                assert_eq!(sent.behind_bulk, 0, "edge {edge}: {sent:?}");
            }
            if let Some(received) = session.received(edge) {
                assert!(received.is_balanced(), "edge {edge}: {received:?}");
                // Each place was given out or told to be missing, once.
                let is_told = received.next == received.delivered + received.lost + received.void;
                assert!(is_told || received.restarts > 0, "edge {edge}: {received:?}");
                assert!(received.inside <= GRANTED as u64, "edge {edge}: {received:?}");
            }
        }
    }
}
