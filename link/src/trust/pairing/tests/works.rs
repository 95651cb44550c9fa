//! What is meant to happen, and how long a code lives.

use super::{
    super::{Fresh, GREETINGS_MAX, MESSAGE_MAX, Message, PairError, Refusal},
    support::{ANSWER, GREETING, LATER, NOW, Party, code, exchange, offer, wrong_code},
};

#[test]
fn the_right_code_makes_each_know_the_other() {
    let (edge, cloud, mut offer) = (Party::new(1, "edge"), Party::new(2, "cloud"), offer());
    let mut lengths = Vec::new();

    let outcome =
        exchange(&edge, &code(), &cloud, &mut offer, |_, bytes| lengths.push(bytes.len()));

    assert_eq!(outcome.guest, Ok(cloud.paired()));
    assert_eq!(outcome.host, Ok(edge.paired()));
    assert!(lengths.len() == 4 && lengths.iter().all(|len| *len <= MESSAGE_MAX), "{lengths:?}");
}

#[test]
fn a_code_is_used_once() {
    let (edge, cloud, mut offer) = (Party::new(1, "edge"), Party::new(2, "cloud"), offer());
    exchange(&edge, &code(), &cloud, &mut offer, |_, _| ()).host.expect("paired");

    let again = exchange(&Party::new(3, "other"), &code(), &cloud, &mut offer, |_, _| ());

    assert_eq!(again.host, Err(PairError::Used));
    assert_eq!(again.guest, Err(PairError::Refused(Refusal::Closed)));
}

#[test]
fn a_wrong_code_fails_on_both_sides_and_burns_the_right_one() {
    let (edge, cloud, mut offer) = (Party::new(1, "edge"), Party::new(2, "cloud"), offer());

    let wrong = exchange(&edge, &wrong_code(), &cloud, &mut offer, |_, _| ());
    assert_eq!(wrong.host, Err(PairError::WrongCode));
    assert_eq!(wrong.guest, Err(PairError::Refused(Refusal::WrongCode)));

    let right = exchange(&edge, &code(), &cloud, &mut offer, |_, _| ());
    assert_eq!(right.host, Err(PairError::Burned));
    assert_eq!(right.guest, Err(PairError::Refused(Refusal::Closed)));
}

#[test]
fn a_code_expires_also_between_greeting_and_proof() {
    let (edge, cloud, mut offer) = (Party::new(1, "edge"), Party::new(2, "cloud"), offer());
    let (guest, greeting) = edge.greets(&code());
    let (host, answer) = offer.greeted(NOW, cloud.me(), &greeting, Fresh::new()).expect("in time");
    let (_, proof) = guest.answered(&answer).expect("an answer");

    assert_eq!(offer.proved(LATER, host, &proof).map(drop), Err(PairError::Expired));
    let late = offer.greeted(LATER, cloud.me(), &greeting, Fresh::new());
    assert_eq!(late.map(drop), Err(PairError::Expired));
}

#[test]
fn who_only_connects_burns_nothing() {
    let (edge, cloud, mut offer) = (Party::new(1, "edge"), Party::new(2, "cloud"), offer());
    for bytes in [&b""[..], b"GET / HTTP/1.1\r\n\r\n", &[0xff; 5_000]] {
        let met = offer.greeted(NOW, cloud.me(), bytes, Fresh::new()).map(drop);
        assert!(matches!(met, Err(PairError::Malformed(_))), "{met:?}");
    }
    // One greets and goes away, one greets and then talks nonsense.
    let (_, greeting) = Party::new(3, "other").greets(&wrong_code());
    offer.greeted(NOW, cloud.me(), &greeting, Fresh::new()).map(drop).expect("answered");
    let (host, _) = offer.greeted(NOW, cloud.me(), &greeting, Fresh::new()).expect("answered");
    assert!(offer.proved(NOW, host, b"nonsense").is_err());

    exchange(&edge, &code(), &cloud, &mut offer, |_, _| ()).host.expect("still open");
}

#[test]
fn a_share_outside_the_group_is_refused_and_is_no_guess() {
    let (edge, cloud) = (Party::new(1, "edge"), Party::new(2, "cloud"));
    for (changed, at) in [(GREETING, 22), (ANSWER, 6)] {
        for share in [[0; 32], [0xff; 32]] {
            let mut offer = offer();
            let outcome = exchange(&edge, &code(), &cloud, &mut offer, |n, bytes| {
                if n == changed {
                    bytes[at..at + 32].copy_from_slice(&share);
                }
            });
            let found = if changed == GREETING { &outcome.host } else { &outcome.guest };
            assert_eq!(*found, Err(PairError::NoPoint));
            assert!(outcome.guest.is_err() && outcome.host.is_err());
            assert_eq!(offer.is_open(NOW), Ok(()));
        }
    }
}

#[test]
fn so_many_may_greet_and_no_more() {
    let (cloud, mut offer) = (Party::new(2, "cloud"), offer());
    let (_, greeting) = Party::new(3, "other").greets(&wrong_code());
    for _ in 0..GREETINGS_MAX {
        offer.greeted(NOW, cloud.me(), &greeting, Fresh::new()).map(drop).expect("answered");
    }
    let one_more = offer.greeted(NOW, cloud.me(), &greeting, Fresh::new()).map(drop);
    assert_eq!(one_more, Err(PairError::TooMany));
    assert_eq!(offer.is_open(NOW), Err(PairError::TooMany));
}

#[test]
fn one_host_is_not_paired_with_itself() {
    let (edge, mut offer) = (Party::new(1, "edge"), offer());

    let alone = exchange(&edge, &code(), &Party::new(1, "cloud"), &mut offer, |_, _| ());

    assert_eq!(alone.host, Err(PairError::OwnKey));
    assert_eq!(alone.guest, Err(PairError::Refused(Refusal::OwnKey)));
    exchange(&edge, &code(), &Party::new(2, "cloud"), &mut offer, |_, _| ()).host.expect("open");
}

#[test]
fn a_guest_that_gives_up_says_so() {
    let (edge, cloud, mut offer) = (Party::new(1, "edge"), Party::new(2, "cloud"), offer());
    let gives_up = Message::Refusal(Refusal::Failed).to_bytes();

    let outcome = exchange(&edge, &code(), &cloud, &mut offer, |n, bytes| {
        if n == ANSWER {
            bytes.clone_from(&gives_up);
        }
    });

    assert_eq!(outcome.guest, Err(PairError::Refused(Refusal::Failed)));
    assert_eq!(outcome.host, Err(PairError::Refused(Refusal::Closed)));
    assert_eq!(offer.is_open(NOW), Ok(()), "nothing was guessed");
}
