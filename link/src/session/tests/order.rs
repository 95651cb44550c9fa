//! What is sent first, when the connection takes little.

use engine::Timestamp;

use super::support::*;
use crate::{
    session::{Delivery, Input, Output, Path, Priority, Session, StreamKey},
    testing::{Delivered, Pair, Way, Weather},
};

/// A pair that has agreed, and the sending side's path with as much room as is said.
fn agreed() -> (Pair, Path) {
    let mut pair = pair([Weather::calm(MS); 2], 1);
    pair.run(S, check);
    let path = Path {
        rtt_ns: 2 * MS,
        bytes_per_s: 0.0,
        datagram_max: 1_200,
        datagram_room: 0,
        stream_room: 1 << 20,
        bulk_room: 1 << 20,
        loss: 0.0,
    };
    (pair, path)
}

/// All that the first side wants done now.
fn outputs(pair: &mut Pair, now: Timestamp) -> Vec<Output> {
    std::iter::from_fn(|| pair.sessions[0].poll(now)).collect()
}

fn is_bulk(output: &Output) -> bool {
    matches!(output, Output::Stream { stream: StreamKey::Frame { edge: BULK, .. }, .. })
}

#[test]
fn no_bulk_is_sent_while_a_sensor_s_frame_waits_for_room() {
    let (mut pair, path) = agreed();
    let now = pair.clock(0);
    let session = &mut pair.sessions[0];
    session.handle(now, Input::Path(path));
    session.send(now, BULK, bulk(now, 0)).expect("taken");
    session.send(now, SENSOR, signal(now, 0)).expect("taken");

    let blocked = outputs(&mut pair, now);
    pair.sessions[0].handle(now, Input::Path(Path { datagram_room: 2_000, ..path }));
    let free = outputs(&mut pair, now);

    assert!(!blocked.iter().any(is_bulk), "{} outputs", blocked.len());
    assert!(matches!(free[0], Output::Datagram(_)), "the sensor's frame is first");
    assert!(free.iter().any(is_bulk));
    assert_eq!(pair.sessions[0].sent(SENSOR).expect("it sends").behind_bulk, 0);
}

#[test]
fn a_frame_that_waited_behind_bulk_would_be_counted() {
    let (mut pair, path) = agreed();
    let now = pair.clock(0);
    let session = &mut pair.sessions[0];
    session.handle(now, Input::Path(path));
    session.send(now, SENSOR, signal(now, 0)).expect("taken");
    session.send(now, EVENTS, event(now, 0)).expect("taken");

    // As if bulk had been sent against the rule.
    session.hand_over_bulk(1);
    // What needs a stream of its own has waited, too.
    session.handle(now, Input::Path(Path { datagram_max: 48, ..path }));
    outputs(&mut pair, now);

    for edge in [SENSOR, EVENTS] {
        assert_eq!(pair.sessions[0].sent(edge).expect("it sends").behind_bulk, 1, "edge {edge}");
    }
    // What came since has not.
    let session = &mut pair.sessions[0];
    session.send(now, SENSOR, signal(now, 1)).expect("taken");
    session.handle(now, Input::Path(Path { datagram_room: 2_000, ..path }));
    outputs(&mut pair, now);
    assert_eq!(pair.sessions[0].sent(SENSOR).expect("it sends").behind_bulk, 1);
}

#[test]
fn small_frames_share_a_datagram() {
    let (mut pair, path) = agreed();
    let now = pair.clock(0);
    let session = &mut pair.sessions[0];
    for number in 0..20 {
        session.send(now, SENSOR, signal(now, number)).expect("taken");
    }
    session.handle(now, Input::Path(Path { datagram_room: 1 << 16, ..path }));

    let datagrams = outputs(&mut pair, now);

    // A record is at most 72 + 40 bytes, so at least ten fit into 1 200.
    assert!(datagrams.len() <= 2, "{}", datagrams.len());
    assert_eq!(pair.sessions[0].sent(SENSOR).expect("it sends").sent, 20);
}

#[test]
fn of_bulk_that_waits_the_newest_goes_and_what_is_begun_is_finished() {
    let (mut pair, path) = agreed();
    let now = pair.clock(0);
    let session = &mut pair.sessions[0];
    session.handle(now, Input::Path(Path { stream_room: 10_000, ..path }));
    for number in 0..4 {
        session.send(now, BULK, bulk(now, number)).expect("taken");
    }
    let mut places = Vec::new();
    for _ in 0..100 {
        let room = Path { stream_room: 10_000, ..path };
        pair.sessions[0].handle(now, Input::Path(room));
        for output in outputs(&mut pair, now) {
            if let Output::Stream { stream: StreamKey::Frame { place, .. }, end: true, .. } = output
            {
                places.push(place);
            }
            let session = &mut pair.sessions[0];
            if places.is_empty() && session.sent(BULK).expect("it sends").taken == 4 {
                // Comes while the first is under way.
                session.send(now, BULK, bulk(now, 4)).expect("taken");
            }
        }
    }

    // The four came at once, so the newest of them went; then the one that came meanwhile.
    assert_eq!(places, [3, 4]);
    let sent = pair.sessions[0].sent(BULK).expect("it sends");
    assert_eq!((sent.sent, sent.dropped_for(engine::Gap::Full), sent.inside), (2, 3, 0));
}

/// The tags of what comes of a burst of frames that are longer than a datagram, on an idle link.
fn burst(priority: Priority) -> Vec<u64> {
    let sessions = [0, 1].map(|side| {
        let mut config = config(side, side as u64 + 10);
        config.edges[0].format = config.edges[2].format.clone();
        config.edges[0].delivery = Delivery::Droppable { deadline_ns: 5 * S };
        config.edges[0].priority = priority;
        Session::new(config)
    });
    let ways = [0, 1].map(|n| Way::new(Weather::calm(MS), n));
    let mut pair = Pair::new(sessions, ways, clocks());
    pair.run(S, check);
    for number in 0..20 {
        let time = pair.clock(0);
        assert!(pair.send(0, SENSOR, bulk(time, number)));
    }
    pair.run(10 * S, check);
    let tag = |given: &Delivered| match given {
        Delivered::Frame { edge: SENSOR, frame, .. } => Some(frame.header.tag),
        _ => None,
    };
    pair.delivered[1].iter().filter_map(tag).collect()
}

#[test]
fn a_burst_of_long_sensor_frames_keeps_its_order_and_its_room_and_one_of_pictures_its_newest() {
    assert_eq!(burst(Priority::Sensor), (0..20).collect::<Vec<_>>());

    let pictures = burst(Priority::Bulk);
    assert!(pictures.len() < 20 && pictures.last() == Some(&19), "{pictures:?}");
}
