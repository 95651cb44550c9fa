//! What is taken back does not come, what is not does, and the news goes before all that waits.

use engine::Gap;

use super::support::*;
use crate::{
    session::Session,
    testing::{Delivered, Pair, Random, Weather},
};

/// Flushes an edge of the first side.
fn flush(pair: &mut Pair, edge: u16, epoch: u32) {
    pair.sessions[0].flush(edge, epoch, 0);
    pair.run(pair.now_ns(), check);
}

/// Frames with their numbers, and flushes, of one edge.
fn given(delivered: &[Delivered], wanted: u16) -> Vec<Option<u64>> {
    let of = |given: &Delivered| match given {
        Delivered::Frame { edge, frame, .. } if *edge == wanted => Some(Some(frame.header.tag)),
        Delivered::Flush { edge, .. } if *edge == wanted => Some(None),
        _ => None,
    };
    delivered.iter().filter_map(of).collect()
}

/// Numbers of an edge's first frames of each epoch.
type Begins = Vec<u64>;

fn epoch_of(begins: &Begins, number: u64) -> usize {
    begins.partition_point(|&first| first <= number)
}

/// What came is in order; nothing comes of an epoch that is over, and a flush stands before what follows it.
fn is_lawful(given: &[Option<u64>], begins: &Begins, context: &str) {
    let (mut last, mut flushes) = (None, 0);
    for what in given {
        let Some(number) = *what else {
            flushes += 1;
            continue;
        };
        assert!(last.is_none_or(|last| last < number), "{context}: {number} behind {last:?}");
        let before = last.map_or(0, |last| epoch_of(begins, last));
        let epoch = epoch_of(begins, number);
        assert!(epoch == before || flushes > 0, "{context}: no flush before {number}");
        // Several may be told as one.
        assert!(flushes <= epoch - before, "{context}: {flushes} before {number}");
        (last, flushes) = (Some(number), 0);
    }
}

/// Frames on three edges for ten seconds, which are flushed now and then; the line is cut once.
fn talk(pair: &mut Pair, random: &mut Random) -> [Begins; 3] {
    let mut begins: [Begins; 3] = Default::default();
    let mut numbers = [0; 3];
    let start = pair.now_ns();
    for n in 0..250 {
        pair.run(start + n * 40 * MS, check);
        let now = pair.clock(0);
        for (edge, begins) in begins.iter_mut().enumerate() {
            let next = numbers[edge];
            if random.happens(0.03) {
                begins.push(next);
                flush(pair, edge as u16, begins.len() as u32);
            }
            let frame = match edge as u16 {
                SENSOR => signal(now, next),
                EVENTS => event(now, next),
                _ if n % 5 == 0 => bulk(now, next),
                _ => continue,
            };
            numbers[edge] += u64::from(pair.send(0, edge as u16, frame));
        }
        if n == 120 {
            pair.transport.close(0);
        }
    }
    // The last says so although nothing follows.
    for (edge, begins) in begins.iter_mut().enumerate() {
        begins.push(numbers[edge]);
        flush(pair, edge as u16, begins.len() as u32);
    }
    let now = pair.clock(0);
    pair.send(0, EVENTS, event(now, numbers[1]));
    pair.run(pair.now_ns() + 20 * S, check);
    begins
}

#[test]
fn whatever_the_weather_nothing_old_comes_after_a_flush_and_nothing_durable_behind_it_is_lost() {
    let (mut void, mut dropped) = (0, 0);
    for seed in seeds(60) {
        let mut random = Random::new(seed);
        let weather = || Weather {
            delay_ns: 30 * MS,
            jitter_ns: 10 * MS,
            loss: 0.03,
            reorder: 0.05,
            duplicate: 0.02,
            bytes_per_s: 1e6,
            queue_bytes: 40e3,
            ..Weather::calm(0)
        };
        let mut pair = pair([weather(), weather()], seed);
        pair.run(2 * S, check);
        let begins = talk(&mut pair, &mut random);
        let there = &pair.delivered[1];
        for (edge, begins) in begins.iter().enumerate() {
            let (edge, context) = (edge as u16, format!("seed {seed}, edge {edge}"));
            let given = given(there, edge);
            is_lawful(&given, begins, &context);
            let last = given.iter().rposition(Option::is_none).expect("some were told");
            let behind: Vec<u64> = given[last..].iter().copied().flatten().collect();
            let wanted = if edge == EVENTS { vec![begins[begins.len() - 1]] } else { vec![] };
            assert_eq!(behind, wanted, "{context}: what came behind the last flush");
            void += pair.sessions[1].received(edge).expect("it receives").void;
            dropped += pair.sessions[0].sent(edge).expect("it sends").dropped_for(Gap::Flush);
        }
    }
    assert!(void > 20 && dropped > 20, "{void} void under way, {dropped} before");
}

/// A pair on a slow line, and when a flush is heard of while seconds of frames wait.
fn heard_after(newest: u8) -> Option<i64> {
    let weather = Weather { bytes_per_s: 5e5, queue_bytes: 10e3, ..Weather::calm(40 * MS) };
    let mut pair = pair([weather; 2], 1);
    pair.sessions[1].newest = newest;
    pair.run(2 * S, check);
    for number in 0..30 {
        let now = pair.clock(0);
        pair.send(0, BULK, bulk(now, number));
        pair.send(0, EVENTS, event(now, number));
        pair.run(pair.now_ns() + 20 * MS, check);
    }
    let flushed_ns = pair.now_ns();
    flush(&mut pair, BULK, 1);
    pair.run(flushed_ns + 10 * S, check);
    let heard = pair.delivered[1].iter().find_map(|given| match given {
        Delivered::Flush { at_ns, edge: BULK } => Some(*at_ns),
        _ => None,
    });
    let now = pair.clock(0);
    let came = given(&pair.delivered[1], BULK).len();
    pair.send(0, BULK, bulk(now, 30));
    pair.run(pair.now_ns() + 5 * S, check);
    let behind = &given(&pair.delivered[1], BULK)[came..];
    match heard {
        Some(_) => assert_eq!(behind, [Some(30)]),
        None => assert_eq!(behind, [None, Some(30)], "with the next frame"),
    }
    heard.map(|heard_ns| heard_ns - flushed_ns)
}

#[test]
fn the_news_goes_before_all_that_waits() {
    let heard_ns = heard_after(3).expect("at once");
    assert!(heard_ns < 40 * MS + 25 * MS, "{heard_ns} ns");
}

#[test]
fn a_side_that_knows_no_such_message_hears_of_it_with_the_next_frame() {
    assert_eq!(heard_after(2), None);
}

#[test]
fn a_process_that_begins_anew_counts_anew() {
    let mut pair = pair([Weather::calm(MS); 2], 1);
    pair.run(S, check);
    let say = |pair: &mut Pair, number| {
        let now = pair.clock(0);
        pair.send(0, SENSOR, signal(now, number));
        pair.send(0, EVENTS, event(now, number));
        pair.run(pair.now_ns() + S, check);
    };
    for edge in [SENSOR, EVENTS] {
        flush(&mut pair, edge, 7);
    }
    say(&mut pair, 0);
    pair.replace(0, Session::new(config(0, 99)));
    pair.run(pair.now_ns() + 10 * S, check);
    say(&mut pair, 1);
    for edge in [SENSOR, EVENTS] {
        assert_eq!(given(&pair.delivered[1], edge), [None, Some(0), Some(1)], "edge {edge}");
    }
}

#[test]
fn what_has_arrived_is_not_taken_back_while_the_line_is_down() {
    let mut pair = pair([Weather::calm(40 * MS); 2], 3);
    pair.run(2 * S, check);
    for number in 0..10 {
        let time = pair.clock(0);
        assert!(pair.send(0, EVENTS, event(time, number)));
    }
    // They have come, and nothing of that is back yet.
    pair.run(pair.now_ns() + 60 * MS, check);
    assert_eq!(given(&pair.delivered[1], EVENTS).len(), 10);
    pair.transport.close(0);
    pair.sessions[0].handle(pair.clock(0), crate::session::Input::Down);
    flush(&mut pair, EVENTS, 1);
    let time = pair.clock(0);
    assert!(pair.send(0, EVENTS, event(time, 10)));
    pair.run(pair.now_ns() + 10 * S, check);

    let sent = pair.sessions[0].sent(EVENTS).expect("it sends");
    let received = pair.sessions[1].received(EVENTS).expect("it receives");
    assert_eq!((sent.sent, sent.dropped_for(engine::Gap::Flush)), (11, 0));
    assert_eq!((received.delivered, received.lost), (11, 0), "{received:?}");
}
