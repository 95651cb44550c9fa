use super::*;
use crate::testing::Random;

fn limits() -> Limits {
    Limits {
        handshakes_max: 8,
        retry_above: 4,
        handshakes_per_source: 2,
        handshakes_per_s: 1.0,
        connections_per_peer: 2,
        sessions_per_peer: 1,
        ..Limits::default()
    }
}

fn ip(n: u8) -> IpAddr {
    [192, 0, 2, n].into()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_nanos(seconds * 1_000_000_000)
}

fn accepted(verdict: Verdict) -> Ticket {
    match verdict {
        Verdict::Accept(ticket) => ticket,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_flood_must_prove_its_addresses_and_ends_at_the_limit() {
    let mut gate = Gate::new(limits());
    let tickets: Vec<_> = (0..4).map(|n| accepted(gate.knock(at(0), ip(n), false))).collect();

    for n in 0..100 {
        assert_eq!(gate.knock(at(0), ip(n), false), Verdict::Retry, "keeps nothing");
    }
    let proved: Vec<_> = (10..14).map(|n| accepted(gate.knock(at(0), ip(n), true))).collect();
    assert_eq!(gate.knock(at(0), ip(14), true), Verdict::Refuse(Reason::Crowded));
    assert_eq!(gate.knock(at(0), ip(14), false), Verdict::Refuse(Reason::Crowded));
    let refused = gate.refused();
    assert_eq!((refused.retried, refused.of(Reason::Crowded)), (100, 2));

    tickets.into_iter().chain(proved).for_each(|ticket| gate.give_up(ticket));
    assert_eq!(gate.handshakes(), 0);
}

#[test]
fn one_address_takes_its_share_and_no_more() {
    let mut gate = Gate::new(limits());
    let tickets = [(); 2].map(|()| accepted(gate.knock(at(0), ip(1), true)));
    assert_eq!(gate.knock(at(0), ip(1), true), Verdict::Refuse(Reason::Source), "two at once");
    let other = accepted(gate.knock(at(0), ip(2), true));

    for ticket in tickets.into_iter().chain([other]) {
        gate.give_up(ticket);
    }
    // Four seconds' worth at once, of which two are gone, then one a second.
    for _ in 0..2 {
        let ticket = accepted(gate.knock(at(0), ip(1), true));
        gate.give_up(ticket);
    }
    assert_eq!(gate.knock(at(0), ip(1), true), Verdict::Refuse(Reason::Source), "too often");
    let later = accepted(gate.knock(at(1), ip(1), true));
    gate.give_up(later);
    assert_eq!(gate.knock(at(1), ip(1), true), Verdict::Refuse(Reason::Source));
    assert_eq!(
        gate.knock(at(-50), ip(1), true),
        Verdict::Refuse(Reason::Source),
        "a clock that jumps pays nothing"
    );
}

#[test]
fn whose_address_is_forged_is_not_shut_out() {
    let mut gate = Gate::new(limits());
    for _ in 0..50 {
        let forged = accepted(gate.knock(at(0), ip(1), false));
        gate.give_up(forged);
    }
    let real = accepted(gate.knock(at(0), ip(1), true));
    gate.give_up(real);
}

#[test]
fn addresses_of_one_network_are_one() {
    let mut gate = Gate::new(limits());
    let v6 = |text: &str| text.parse().expect("an address");
    let first = accepted(gate.knock(at(0), v6("2001:db8::1"), true));
    let second = accepted(gate.knock(at(0), v6("2001:db8::2"), true));
    assert_eq!(gate.knock(at(0), v6("2001:db8::3"), true), Verdict::Refuse(Reason::Source));
    let other = accepted(gate.knock(at(0), v6("2001:db8:0:1::1"), true));
    let mapped = [v6("::ffff:192.0.2.9"), ip(9)].map(|ip| accepted(gate.knock(at(0), ip, true)));
    assert_eq!(gate.knock(at(0), ip(9), true), Verdict::Refuse(Reason::Source), "the same address");
    [first, second, other].into_iter().chain(mapped).for_each(|ticket| gate.give_up(ticket));
}

#[test]
fn a_peer_has_so_many_connections_and_sessions() {
    let mut gate = Gate::new(limits());
    let (key, other) = (PeerKey::from_bytes([1; 32]), PeerKey::from_bytes([2; 32]));
    let mut enter = |key| {
        let ticket = accepted(gate.knock(at(0), ip(1), false));
        gate.enter(ticket, key)
    };
    assert_eq!([enter(key), enter(key), enter(key)], [Ok(()), Ok(()), Err(OverQuota)]);
    assert_eq!(enter(other), Ok(()));
    assert_eq!(gate.handshakes(), 0, "also the refused one is over");
    assert_eq!([gate.open_session(key), gate.open_session(key)], [Ok(()), Err(OverQuota)]);

    gate.leave(key);
    gate.close_session(key);
    assert_eq!(gate.open_session(key), Ok(()));
    assert_eq!(gate.refused().of(Reason::Quota), 2);
}

#[test]
fn whatever_comes_counts_stay_bounded_and_end_at_zero() {
    for seed in 0..20 {
        let mut random = Random::new(seed);
        let mut gate = Gate::new(limits());
        let (mut tickets, mut inside) = (Vec::new(), Vec::new());
        for step in 0..20_000 {
            let n = random.next_u64();
            let address = IpAddr::from((u128::from(n) << 64 | u128::from(n)).to_be_bytes());
            let now = Timestamp::from_nanos(step * 1_000_000 + (n % 3_000_000) as i64);
            let key = PeerKey::from_bytes([(n % 5) as u8; 32]);
            match random.below(4) {
                0 | 1 => {
                    if let Verdict::Accept(ticket) = gate.knock(now, address, !n.is_multiple_of(3))
                    {
                        tickets.push(ticket);
                    }
                }
                2 => {
                    if let Some(ticket) = tickets.pop() {
                        inside.extend(gate.enter(ticket, key).map(|()| key));
                    }
                }
                _ => inside.pop().into_iter().for_each(|key| gate.leave(key)),
            }
            assert_eq!(gate.handshakes(), tickets.len());
            assert!(tickets.len() <= 8 && gate.sources.len() <= SOURCES_MAX);
            assert!(inside.len() <= 10 && gate.peers.len() <= 5);
        }
        tickets.into_iter().for_each(|ticket| gate.give_up(ticket));
        inside.into_iter().for_each(|key| gate.leave(key));
        assert_eq!((gate.handshakes(), gate.peers.len()), (0, 0));
        assert!(gate.sources.values().all(|source| source.handshakes == 0), "seed {seed}");
    }
}
