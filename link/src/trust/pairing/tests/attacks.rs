//! Somebody between the two, without the code.

use super::{
    super::{Fresh, Guest, MESSAGE_MAX, Message, Offer, PairError},
    support::{
        ANSWER, GREETING, GUEST_PROOF, HOST_PROOF, LATER, NOW, Outcome, Party, code, exchange,
        offer, wrong_code,
    },
};
use crate::trust::Identity;

fn parties() -> (Party, Party) {
    (Party::new(1, "edge"), Party::new(2, "cloud"))
}

/// Neither side believes what was changed before its own last look.
fn refused(outcome: &Outcome, changed: usize) {
    assert!(outcome.guest.is_err(), "message {changed}: {:?}", outcome.guest);
    // The last message is of no use to the host any more.
    assert!(outcome.host.is_err() || changed == HOST_PROOF, "message {changed}");
}

#[test]
fn a_man_in_the_middle_cannot_put_his_key_in() {
    let (edge, cloud) = parties();
    let (ours, his) = (
        [edge.identity.key(), cloud.identity.key()].map(|key| *key.as_bytes()),
        *Identity::from_seed(&[9; 32]).key().as_bytes(),
    );
    for changed in [GREETING, ANSWER] {
        let outcome = exchange(&edge, &code(), &cloud, &mut offer(), |n, bytes| {
            if n == changed {
                let at = bytes.windows(32).position(|key| key == ours[n]).expect("its key");
                bytes[at..at + 32].copy_from_slice(&his);
            }
        });
        assert_eq!(outcome.host, Err(PairError::WrongCode), "he may as well have guessed");
        refused(&outcome, changed);
    }
}

#[test]
fn a_man_in_the_middle_cannot_be_both_hosts() {
    // He speaks to either side with a code of his own.
    let (edge, cloud) = parties();
    let him = Party::new(9, "him");
    let mut real = offer();
    let mut his = Offer::new(wrong_code(), LATER);

    let to_him = exchange(&edge, &code(), &him, &mut his, |_, _| ());
    assert_eq!(to_him.host, Err(PairError::WrongCode));
    assert!(to_him.guest.is_err());
    let from_him = exchange(&him, &wrong_code(), &cloud, &mut real, |_, _| ());
    assert!(from_him.host.is_err() && from_him.guest.is_err());
    assert_eq!(real.is_open(NOW), Err(PairError::Burned), "he had one guess");
}

#[test]
fn a_key_of_which_one_has_no_private_half_is_not_believed() {
    // Somebody who knows the code says he is a third.
    let (edge, cloud) = parties();
    let third = Party::new(7, "third");
    let mut offer = offer();
    let (guest, greeting) = edge.greets(&code());
    let mut forged = greeting.clone();
    let at = greeting
        .windows(32)
        .position(|key| key == edge.identity.key().as_bytes())
        .expect("its key");
    forged[at..at + 32].copy_from_slice(third.identity.key().as_bytes());
    let (host, answer) = offer.greeted(NOW, cloud.me(), &forged, Fresh::new()).expect("answered");
    let (_, proof) = guest.answered(&answer).expect("an answer");

    assert_eq!(offer.proved(NOW, host, &proof).map(drop), Err(PairError::WrongCode));
}

#[test]
fn every_changed_bit_is_noticed() {
    let (edge, cloud) = parties();
    let mut lengths = [0; 4];
    exchange(&edge, &code(), &cloud, &mut offer(), |n, bytes| lengths[n] = bytes.len());

    for (changed, len) in lengths.into_iter().enumerate() {
        for bit in 0..len * 8 {
            let outcome = exchange(&edge, &code(), &cloud, &mut offer(), |n, bytes| {
                if n == changed {
                    bytes[bit / 8] ^= 1 << (bit % 8);
                }
            });
            refused(&outcome, changed);
        }
    }
}

#[test]
fn what_is_cut_short_or_too_long_is_noticed() {
    let (edge, cloud) = parties();
    let mut lengths = [0; 4];
    exchange(&edge, &code(), &cloud, &mut offer(), |n, bytes| lengths[n] = bytes.len());

    for (changed, whole) in lengths.into_iter().enumerate() {
        for len in (0..whole).chain([whole + 1, MESSAGE_MAX + 1, 70_000]) {
            let outcome = exchange(&edge, &code(), &cloud, &mut offer(), |n, bytes| {
                if n == changed {
                    bytes.resize(len, 0);
                }
            });
            refused(&outcome, changed);
        }
    }
    assert!(Message::body_len(*b"AP\x01\x01\xff\xff").is_err(), "refused before it is read");
}

#[test]
fn nothing_can_be_played_back() {
    let (edge, cloud) = parties();
    let mut heard = vec![Vec::new(); 4];
    exchange(&edge, &code(), &cloud, &mut offer(), |n, bytes| heard[n].clone_from(bytes))
        .host
        .expect("paired");

    // To the host, who offers the same code once more.
    let mut again = offer();
    let (host, _) =
        again.greeted(NOW, cloud.me(), &heard[GREETING], Fresh::new()).expect("answered");
    let proved = again.proved(NOW, host, &heard[GUEST_PROOF]).map(drop);
    assert_eq!(proved, Err(PairError::WrongCode));

    // To the guest, who types the same code once more.
    let (guest, _) = Guest::new(edge.me(), &code(), Fresh::new());
    let (proving, _) = guest.answered(&heard[ANSWER]).expect("an answer");
    assert_eq!(proving.proved(&heard[HOST_PROOF]).map(drop), Err(PairError::WrongCode));
}

#[test]
fn roles_cannot_be_swapped() {
    let (edge, cloud) = parties();
    let as_kind = |bytes: &[u8], kind| {
        let mut bytes = bytes.to_vec();
        bytes[3] = kind;
        bytes
    };
    let as_answer = |greeting: &[u8]| {
        let mut answer = as_kind(greeting, 2);
        answer.drain(6..22);
        let len = (answer.len() - 6) as u16;
        answer[4..6].copy_from_slice(&len.to_le_bytes());
        answer
    };

    // A guest hears itself.
    let (guest, greeting) = edge.greets(&code());
    assert_eq!(guest.answered(&as_answer(&greeting)).map(drop), Err(PairError::OwnKey));

    // Two guests that typed the same code hear each other, and neither takes the other for a host.
    let other = Party::new(3, "other");
    let ((one, greeting_1), (two, greeting_2)) = (edge.greets(&code()), other.greets(&code()));
    let (one, proof_1) = one.answered(&as_answer(&greeting_2)).expect("an answer");
    let (two, proof_2) = two.answered(&as_answer(&greeting_1)).expect("an answer");
    assert_eq!(one.proved(&as_kind(&proof_2, 4)).map(drop), Err(PairError::WrongCode));
    assert_eq!(two.proved(&as_kind(&proof_1, 4)).map(drop), Err(PairError::WrongCode));

    // A guest's own proof is not a host's.
    let mut proof = Vec::new();
    let outcome = exchange(&edge, &code(), &cloud, &mut offer(), |n, bytes| match n {
        GUEST_PROOF => proof.clone_from(bytes),
        HOST_PROOF => *bytes = as_kind(&proof, 4),
        _ => {}
    });
    assert_eq!(outcome.guest, Err(PairError::WrongCode));

    // A message of the other role is out of turn.
    for (changed, kind) in [(GREETING, 3), (GREETING, 5), (GUEST_PROOF, 4), (HOST_PROOF, 3)] {
        let outcome = exchange(&edge, &code(), &cloud, &mut offer(), |n, bytes| {
            if n == changed {
                bytes[3] = kind;
            }
        });
        refused(&outcome, changed);
    }
}

#[test]
fn names_that_no_peer_can_have_are_refused() {
    let (edge, cloud) = parties();
    for name in ["Edge", "", "a\u{1b}[31m", "../../x", "ä", "a b", "a\n"] {
        let mut liar = Party::new(1, "edge");
        liar.name = name.to_owned();
        let outcome = exchange(&liar, &code(), &cloud, &mut offer(), |_, _| ());
        assert!(matches!(outcome.host, Err(PairError::Malformed(_))), "{name:?}");
        let outcome = exchange(&edge, &code(), &liar_host(name), &mut offer(), |_, _| ());
        assert!(matches!(outcome.guest, Err(PairError::Malformed(_))), "{name:?}");
    }
}

fn liar_host(name: &str) -> Party {
    let mut liar = Party::new(2, "cloud");
    liar.name = name.to_owned();
    liar
}
