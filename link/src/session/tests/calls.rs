//! When the other side is called again.

use engine::Timestamp;

use super::support::*;
use crate::{
    session::{Input, Output, Path, Session},
    testing::Weather,
    wire::{ByeReason, Message, OLDEST, put_preamble},
};

const PATH: Path = Path {
    rtt_ns: 2 * MS,
    bytes_per_s: 0.0,
    datagram_max: 1_200,
    datagram_room: 1 << 16,
    stream_room: 1 << 16,
    bulk_room: 1 << 16,
    loss: 0.0,
};

fn outputs(session: &mut Session, now: Timestamp) -> Vec<Output> {
    std::iter::from_fn(|| session.poll(now)).collect()
}

/// When the session calls until `until`, where each call is answered at once and `then` comes of it.
fn calls(
    session: &mut Session,
    until: Timestamp,
    mut then: impl FnMut(&mut Session, Timestamp),
) -> Vec<Timestamp> {
    let mut calls = Vec::new();
    let mut now = Timestamp::ZERO;
    while now < until {
        session.handle(now, Input::Tick);
        if outputs(session, now).iter().any(|output| matches!(output, Output::Call)) {
            calls.push(now);
            session.handle(now, Input::Up(PATH));
            outputs(session, now);
            now = now.plus_nanos(2 * MS);
            then(session, now);
            outputs(session, now);
        }
        now = session.wake(now).expect("it calls on").max(now.plus_nanos(1));
    }
    calls
}

#[test]
fn who_lets_us_in_and_drops_us_is_called_less_and_less_often() {
    let mut session = Session::new(config(0, 10));

    let calls = calls(
        &mut session,
        Timestamp::ZERO + std::time::Duration::from_secs(20),
        |session, now| {
            session.handle(now, Input::Down);
        },
    );

    let pauses: Vec<i64> = calls.windows(2).map(|two| two[1].since(two[0]) / MS).collect();
    assert_eq!(pauses[..5], [150, 300, 600, 1_200, 2_000], "{pauses:?}");
    assert!(pauses[5..].iter().all(|pause| *pause == 2_000), "{pauses:?}");
}

#[test]
fn who_turns_us_away_says_why_and_is_called_again_every_two_seconds() {
    for reason in [ByeReason::Busy, ByeReason::Stopped] {
        let mut session = Session::new(config(0, 10));
        let mut told = 0;
        let mut bye = Vec::new();
        put_preamble(&mut bye, OLDEST);
        Message::Bye { reason, text: "no room".to_owned() }.put(&mut bye, 0);

        let until = Timestamp::ZERO + std::time::Duration::from_secs(20);
        let calls = calls(&mut session, until, |session, now| {
            session.handle(now, Input::Stream { stream: 3, bytes: &bye, end: true });
            let why = outputs(session, now);
            told += why
                .iter()
                .filter(|why| matches!(why, Output::Refused { reason: is, .. } if *is == reason))
                .count();
            assert!(matches!(why.last(), Some(Output::Close)), "{why:?}");
        });

        assert!((9..=10).contains(&calls.len()), "{reason:?}: {calls:?}");
        assert_eq!(told, calls.len());
    }
}

#[test]
fn a_line_that_falls_silent_before_the_two_agree_is_called_again_at_once() {
    let mut session = Session::new(config(0, 10));

    let calls =
        calls(&mut session, Timestamp::ZERO + std::time::Duration::from_secs(20), |_, _| {});

    // Each connection is given up after two seconds without a hello.
    let pauses: Vec<i64> = calls.windows(2).map(|two| two[1].since(two[0]) / MS).collect();
    assert!(pauses.iter().all(|pause| *pause == 2_000), "{pauses:?}");
}

#[test]
fn once_two_agree_all_that_was_in_vain_before_is_forgotten() {
    let mut pair = pair([Weather::calm(MS); 2], 3);
    for _ in 0..10 {
        let now = pair.clock(0);
        pair.sessions[0].handle(now, Input::Up(PATH));
        outputs(&mut pair.sessions[0], now);
        pair.sessions[0].handle(now, Input::Down);
        outputs(&mut pair.sessions[0], now);
    }
    assert!(pair.sessions[0].wake(pair.clock(0)).expect("it calls on") > pair.clock(0));
    pair.run(3 * S, check);
    assert!(pair.sessions[0].is_up() && pair.sessions[0].agreed.is_some());

    let now = pair.clock(0);
    pair.transport.close(0);
    pair.sessions[0].hear(now, Input::Down);
    assert_eq!(pair.sessions[0].wake(now), Some(now), "the first call is made at once");
    let mut session_calls = Vec::new();
    let session = &mut pair.sessions[0];
    let mut at = now;
    for _ in 0..5 {
        session.handle(at, Input::Tick);
        assert_eq!(outputs(session, at).len(), 1, "a call");
        let next = session.wake(at).expect("it calls on");
        session_calls.push(next.since(at) / MS);
        at = next;
    }
    assert_eq!(session_calls, [50, 100, 150, 150, 150]);
}
