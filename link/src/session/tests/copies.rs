//! Small frames that may not be lost, where packets are.

use super::support::*;
use crate::testing::{Delivered, Pair, Weather};

/// Ages of durable sensor frames that come every 20 ms over 80 ms there and back, and the pair.
fn ages(loss: f64, seed: u64) -> (Vec<i64>, Pair) {
    let weather = Weather { loss, ..Weather::calm(40 * MS) };
    ages_in(pair([weather; 2], seed))
}

fn ages_in(mut pair: Pair) -> (Vec<i64>, Pair) {
    pair.run(2 * S, check);
    let mut handed = Vec::new();
    for number in 0..1_000 {
        handed.push(pair.now_ns());
        let time = pair.clock(0);
        assert!(pair.send(0, EVENTS, event(time, number)));
        pair.run(pair.now_ns() + 20 * MS, check);
    }
    pair.run(pair.now_ns() + 5 * S, check);
    let came = pair.delivered[1].iter().filter_map(|given| match given {
        Delivered::Frame { at_ns, edge: EVENTS, frame } => Some((frame.header.tag, *at_ns)),
        _ => None,
    });
    let came: Vec<_> = came.collect();
    assert!(came.iter().map(|(tag, _)| *tag).eq(0..1_000), "each once, in order");
    (came.iter().map(|(tag, at)| at - handed[*tag as usize]).collect(), pair)
}

#[test]
fn a_packet_that_is_lost_does_not_keep_the_frames_behind_it_waiting() {
    let mut late = 0;
    for seed in seeds(5) {
        let (ages, pair) = ages(0.02, seed);
        // What lost its packet comes 5 ms later; a round trip is lost only where both are: 4 in 10 000.
        late += ages.iter().filter(|age| **age > 40 * MS + 10 * MS).count();
        let sent = pair.sessions[0].sent(EVENTS).expect("it sends");
        assert_eq!(sent.copied, 1_000);
        let received = pair.sessions[1].received(EVENTS).expect("it receives");
        assert!(received.is_balanced(), "{received:?}");
        assert!(received.duplicate > 10, "some come by the second way first: {received:?}");
    }
    // Without the second one, each of 20 losses delays some five: 500 in all.
    assert!(late < 60, "{late} of 5 000");
}

#[test]
fn nothing_goes_twice_where_nothing_is_lost() {
    let (ages, pair) = ages(0.0, 1);
    assert!(ages.iter().all(|age| *age < 41 * MS));
    assert_eq!(pair.sessions[0].sent(EVENTS).expect("it sends").copied, 0);
    assert_eq!(pair.sessions[1].received(EVENTS).expect("it receives").duplicate, 0);
}

#[test]
fn a_side_that_reads_version_1_alone_is_sent_nothing_twice() {
    let weather = Weather { loss: 0.02, ..Weather::calm(40 * MS) };
    let mut pair = pair([weather; 2], 1);
    pair.sessions[1].newest = 1;
    let (_, pair) = ages_in(pair);
    assert_eq!(pair.sessions[0].sent(EVENTS).expect("it sends").copied, 0);
}
