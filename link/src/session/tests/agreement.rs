//! Who may work together, and what becomes of bytes that mean nothing.

use super::support::*;
use crate::{
    session::{Input, Output, Path, STREAMS_MAX, Session},
    testing::{Delivered, Pair, Random, Way, Weather},
    wire::{ByeReason, Message, NEWEST, RecordKind, put_preamble},
};

fn refusals(pair: &Pair, side: usize) -> Vec<(ByeReason, &str)> {
    let refused = |given: &'_ Delivered| matches!(given, Delivered::Refused { .. });
    let all = pair.delivered[side].iter().filter(|given| refused(given));
    all.filter_map(|given| match given {
        Delivered::Refused { reason, text, .. } => Some((*reason, &text[..])),
        _ => None,
    })
    .collect()
}

#[test]
fn hosts_with_different_graphs_are_told_everything_that_differs() {
    let mut other = config(1, 11);
    other.graph = [3; 16];
    other.edges[0].format = config(1, 11).edges[2].format.clone();
    other.edges[1].name = "beats -> count".to_owned();
    let sessions = [Session::new(config(0, 10)), Session::new(other)];
    let ways = [0, 1].map(|n| Way::new(Weather::calm(MS), n));
    let mut pair = Pair::new(sessions, ways, clocks());

    pair.run(10 * S, check);

    let (reason, text) = refusals(&pair, 1)[0];
    assert_eq!(reason, ByeReason::Graph);
    for wanted in [
        "edge `ecg -> clean`: frame_len is `20000` on the called host and `10` on the calling one",
        "edge `beats -> count` on the called host is `beats -> store` on the calling one",
        "the two run different graphs; give both the same file",
    ] {
        assert!(text.contains(wanted), "{wanted:?} is not in {text:?}");
    }
    assert!(pair.sessions[0].totals().calls < 5, "calling again would change nothing");
}

#[test]
fn a_side_that_starts_anew_goes_on_and_says_what_is_gone() {
    for side in 0..2 {
        let mut pair = pair([Weather::calm(10 * MS); 2], 7);
        let mut number = 0;
        let mut send = |pair: &mut Pair, count: u64| {
            for _ in 0..count {
                pair.run(pair.now_ns() + 20 * MS, check);
                let time = pair.clock(0);
                assert!(pair.send(0, EVENTS, event(time, number)));
                number += 1;
            }
        };
        send(&mut pair, 100);
        pair.run(pair.now_ns() + S, |_| {});

        pair.replace(side, Session::new(config(side, 99)));
        pair.run(pair.now_ns() + 5 * S, |_| {});
        send(&mut pair, 50);
        pair.run(pair.now_ns() + 5 * S, |_| {});

        let tags: Vec<u64> = pair.delivered[1]
            .iter()
            .filter_map(|given| match given {
                Delivered::Frame { edge: EVENTS, frame, .. } => Some(frame.header.tag),
                _ => None,
            })
            .collect();
        assert_eq!(tags, (0..150).collect::<Vec<_>>(), "side {side}");
        let gaps = pair.delivered[1].iter();
        let gaps = gaps.filter(|given| matches!(given, Delivered::Gap { edge: EVENTS, .. }));
        assert_eq!(gaps.count(), 1, "side {side}: that it started anew is told once");
    }
}

#[test]
fn answers_that_were_not_asked_for_say_nothing_of_the_clock() {
    let mut pair = pair([Weather::calm(MS); 2], 5);
    pair.run(3 * S, check);
    let now = pair.clock(1);
    let before = (pair.sessions[1].clock(now), pair.sessions[1].clock_jumps());
    for id in 0..1_000 {
        // A clock that runs a thousand seconds ahead.
        let ahead = now.plus_nanos(1_000 * S);
        let answer = Message::Answer { id, sent: now, received: ahead, replied: ahead };
        let mut bytes = Vec::new();
        put_preamble(&mut bytes, NEWEST);
        answer.put(&mut bytes, 0);
        pair.sessions[1].handle(now, Input::Datagram(&bytes));
    }
    assert_eq!((pair.sessions[1].clock(now), pair.sessions[1].clock_jumps()), before);
    assert_eq!(pair.sessions[1].totals().malformed, 0, "one that comes twice is no fault");
}

#[test]
fn nothing_that_comes_makes_a_session_panic_or_grow() {
    let mut refused = 0;
    for seed in seeds(300) {
        let mut random = Random::new(seed);
        let mut pair = pair([Weather::calm(MS); 2], seed);
        pair.run(S, check);
        for _ in 0..200 {
            let len = random.below(200) as usize;
            let mut bytes: Vec<u8> = (0..len).map(|_| random.next_u64() as u8).collect();
            if len > 12 && random.happens(0.9) {
                // Past the preamble and the head, into the messages.
                let version = 1 + random.below(u64::from(NEWEST)) as u8;
                bytes[..4].copy_from_slice(&[b'A', version, 0, 0]);
                bytes[4..8].copy_from_slice(&[
                    1 + random.below(RecordKind::ALL.len() as u64) as u8,
                    0,
                    random.below(4) as u8,
                    0,
                ]);
                bytes[8..12].copy_from_slice(&(len as u32 - 12).to_le_bytes());
                // Numbers at their ends.
                let fill = [0, 0xff, 0x3f, 0x80][random.below(4) as usize];
                let from = 12 + random.below(40) as usize;
                bytes.iter_mut().skip(from).take(8).for_each(|byte| *byte = fill);
            }
            if !pair.sessions[1].is_up() {
                // Refused before; here it is taken back at once.
                let path = Path {
                    rtt_ns: MS,
                    bytes_per_s: 0.0,
                    datagram_max: 1_200,
                    datagram_room: 1 << 16,
                    stream_room: 1 << 16,
                    bulk_room: 1 << 16,
                    loss: 0.0,
                };
                let now = pair.clock(1);
                pair.sessions[1].handle(now, Input::Up(path));
            }
            let (now, stream) = (pair.clock(1), 1_000 + random.below(400));
            let end = random.happens(0.1);
            match random.below(3) {
                0 => pair.sessions[1].handle(now, Input::Datagram(&bytes)),
                1 => pair.sessions[1].handle(now, Input::Stream { stream, bytes: &bytes, end }),
                _ => pair.run(pair.now_ns() + MS, |_| {}),
            }
            while pair.sessions[1].poll(now).is_some() {}
        }
        refused += pair.sessions[1].totals().malformed;
    }
    assert!(refused > 10_000, "{refused}");
}

#[test]
fn as_many_streams_may_be_half_read_as_the_connection_lets_the_other_side_open() {
    let mut pair = pair([Weather::calm(MS); 2], 1);
    pair.run(S, check);
    let now = pair.clock(1);
    // A byte of each is nothing yet; the control stream and those of durable edges are open besides.
    let begun = (0..).find(|n| {
        let stream = 1_000 + n;
        pair.sessions[1].handle(now, Input::Stream { stream, bytes: b"A", end: false });
        !pair.sessions[1].is_up()
    });

    let begun = begun.expect("there is a limit") as usize;
    assert!((STREAMS_MAX - 4..=STREAMS_MAX).contains(&begun), "{begun}");
    let mut refused = None;
    while let Some(output) = pair.sessions[1].poll(now) {
        if let Output::Refused { text, .. } = output {
            refused = Some(text);
        }
    }
    let text = refused.expect("somebody is told");
    assert!(text.contains("the number of open streams is 1025"), "{text}");
}

#[test]
fn a_side_that_reads_version_1_alone_is_written_to_in_it() {
    for old in 0..2 {
        let mut pair = pair([Weather::calm(MS); 2], 3);
        pair.sessions[old].newest = 1;
        pair.run(S, check);
        for number in 0..50 {
            let time = pair.clock(0);
            pair.send(0, SENSOR, signal(time, number));
            pair.run(pair.now_ns() + 10 * MS, check);
        }

        assert!(pair.sessions.iter().all(|session| session.version == 1), "{old}");
        let frames = pair.delivered[1].iter().filter_map(|given| match given {
            Delivered::Frame { frame, .. } => Some(frame),
            _ => None,
        });
        let frames: Vec<_> = frames.collect();
        assert_eq!(frames.len(), 50, "{old}");
        for (number, frame) in frames.into_iter().enumerate() {
            assert_eq!(frame.samples(), signal(frame.header.time, number as u64).samples());
        }
    }
}

#[test]
fn a_side_that_reads_only_what_is_newer_is_refused_with_what_to_do() {
    let mut pair = pair([Weather::calm(MS); 2], 3);
    pair.sessions[1].newest = 0;

    pair.run(5 * S, check);

    let (reason, text) = refusals(&pair, 0)[0];
    assert_eq!(reason, ByeReason::Version);
    assert!(text.ends_with("update the other side"), "{text}");
}

#[test]
fn what_an_earlier_life_sent_is_not_acknowledged_to_the_next() {
    let mut pair = pair([Weather::calm(MS); 2], 3);
    pair.consumes[1] = false;
    let send = |pair: &mut Pair, count: u64| {
        for number in 0..count {
            let time = pair.clock(0);
            assert!(pair.send(0, EVENTS, event(time, number)));
        }
        pair.run(pair.now_ns() + 5 * S, check);
    };
    pair.run(S, check);
    send(&mut pair, 20);
    pair.replace(0, Session::new(config(0, 99)));
    pair.run(pair.now_ns() + 5 * S, check);
    send(&mut pair, 10);

    // The graph consumes what it was given first, which was sent by who is gone.
    for (consumed, kept) in [(20, 10), (4, 6)] {
        let now = pair.clock(1);
        pair.sessions[1].consumed(now, EVENTS, consumed);
        pair.run(pair.now_ns() + S, check);
        assert_eq!(pair.sessions[0].sent(EVENTS).expect("it sends").inside, kept);
    }
}

#[test]
fn damage_that_nothing_below_discards_breaks_no_account() {
    let mut malformed = 0;
    for seed in seeds(40) {
        let weather = Weather { corrupt: 0.03, ..Weather::calm(5 * MS) };
        let mut pair = pair([weather; 2], seed);
        pair.transport.passes_damage = true;
        for number in 0..500 {
            pair.run(pair.now_ns() + 10 * MS, check);
            let times = [pair.clock(0), pair.clock(1)];
            pair.send(0, SENSOR, signal(times[0], number));
            pair.send(0, EVENTS, event(times[0], number));
            pair.send(1, BACK, event(times[1], number));
            if number % 50 == 0 {
                pair.send(0, BULK, bulk(times[0], number));
            }
        }
        malformed += pair.sessions.iter().map(|session| session.totals().malformed).sum::<u64>();
    }
    // What damages a stream ends its connection, so there are a few for each seed.
    assert!(malformed > seeds(40).end, "{malformed}");
}
