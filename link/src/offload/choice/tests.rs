//! Which side answers, on a clock moved by hand.

use super::*;

const MS: i64 = 1_000_000;
const UP: Way = Way { is_up: true, rtt_ns: 20 * MS, bytes_per_s: 1e6 };
/// What the link takes of 1 000 bytes, when it is up.
const LINK: i64 = 21 * MS;
const DOWN: Way = Way { is_up: false, ..UP };

/// Asks every `every` nanoseconds until `ends`; `cost` says what a side takes at that moment. Gives what was waited for
/// in all.
fn play(
    choice: &mut Choice,
    [mut now, ends, every]: [i64; 3],
    left: Option<i64>,
    way: impl Fn(i64) -> Way,
    cost: impl Fn(Side, i64) -> i64,
) -> i64 {
    let mut waited = 0;
    while now < ends {
        let decision = choice.decide(now, left, 1_000, &way(now));
        let took = cost(decision.side, now);
        choice.answered(decision.side, took, decision.link_ns);
        if decision.probes {
            let other = decision.side.other();
            choice.answered(other, cost(other, now), decision.link_ns);
        }
        waited += took;
        now += every;
    }
    waited
}

fn sides(here: i64, there: i64) -> impl Fn(Side, i64) -> i64 {
    move |side, _| if side == Side::Here { here } else { there }
}

#[test]
fn questions_go_where_they_are_answered_sooner() {
    for (here, there, want) in [
        (100 * MS, 30 * MS, Side::There),
        (30 * MS, 100 * MS, Side::Here),
        (50 * MS, 45 * MS, Side::Here),
    ] {
        let mut choice = Choice::new(Terms::default());
        play(&mut choice, [0, 2_000 * MS, 10 * MS], None, |_| UP, sides(here, there));
        assert_eq!(choice.side(), want, "{here} here, {there} there");
        assert!(choice.changes() <= 1);
    }
}

#[test]
fn while_the_link_is_down_this_host_answers_alone_and_afterwards_it_learns_anew() {
    let mut choice = Choice::new(Terms::default());
    play(&mut choice, [0, 1_000 * MS, 10 * MS], None, |_| UP, sides(100 * MS, 30 * MS));
    assert_eq!(choice.side(), Side::There);
    choice.lost();
    let decision = choice.decide(1_000 * MS, None, 1_000, &DOWN);
    let alone = Decision {
        side: Side::Here,
        reason: Reason::Down,
        probes: false,
        hedge_ns: None,
        link_ns: 0,
    };
    assert_eq!(decision, alone);
    play(&mut choice, [1_010 * MS, 3_000 * MS, 10 * MS], None, |_| DOWN, sides(100 * MS, i64::MAX));
    assert_eq!((choice.side(), choice.estimate(Side::There).is_known()), (Side::Here, false));
    play(&mut choice, [3_000 * MS, 9_000 * MS, 10 * MS], None, |_| UP, sides(100 * MS, 30 * MS));
    assert_eq!(choice.side(), Side::There);
}

#[test]
fn a_deadline_that_only_one_side_can_keep_is_kept_at_once() {
    let mut choice = Choice::new(Terms::default());
    for _ in 0..50 {
        choice.answered(Side::Here, 100 * MS, LINK);
        choice.answered(Side::There, 90 * MS, LINK);
    }
    assert_eq!(choice.decide(0, Some(120 * MS), 1_000, &UP).side, Side::Here);
    let decision = choice.decide(1, Some(95 * MS), 1_000, &UP);
    assert_eq!((decision.side, decision.reason), (Side::There, Reason::Deadline));
    // Where neither can, nobody moves.
    assert_eq!(choice.decide(2, Some(10 * MS), 1_000, &UP).reason, Reason::Stays);
}

#[test]
fn who_is_quick_enough_at_home_stays_there_and_comes_back() {
    let mut choice = Choice::new(Terms::default());
    let left = Some(200 * MS);
    play(&mut choice, [0, 1_000 * MS, 10 * MS], left, |_| UP, sides(40 * MS, 5 * MS));
    assert_eq!((choice.side(), choice.changes()), (Side::Here, 0), "sooner there, for nothing");
    // As it would without a deadline.
    play(&mut choice, [1_000 * MS, 3_000 * MS, 10 * MS], left, |_| UP, sides(90 * MS, 30 * MS));
    assert_eq!(choice.side(), Side::There);
    play(&mut choice, [3_000 * MS, 60_000 * MS, 10 * MS], left, |_| UP, sides(40 * MS, 30 * MS));
    assert_eq!((choice.side(), choice.changes()), (Side::Here, 2));
}

#[test]
fn what_does_not_come_back_is_asked_here_as_well_while_that_is_in_time() {
    let mut choice = Choice::new(Terms::default());
    for _ in 0..50 {
        choice.answered(Side::Here, 60 * MS, LINK);
        choice.answered(Side::There, 30 * MS, LINK);
    }
    let hedged = |choice: &mut Choice, left| {
        let now = i64::from(choice.asked) * 1_000 * MS;
        let decision = choice.decide(now, left, 1_000, &UP);
        (decision.side, decision.hedge_ns)
    };
    assert_eq!(hedged(&mut choice, None), (Side::Here, None));
    hedged(&mut choice, None);
    // When it usually is back …
    let usual = choice.estimate(Side::There).upper() + LINK;
    assert!((usual - 30 * MS).abs() < MS / 10);
    assert_eq!(hedged(&mut choice, None), (Side::There, Some(usual)));
    // … or when an answer from here would just be in time.
    let last = 80 * MS - choice.estimate(Side::Here).upper();
    assert!((last - 20 * MS).abs() < MS / 10);
    assert_eq!(hedged(&mut choice, Some(80 * MS)), (Side::There, Some(last)));

    let mut home = Choice::new(Terms::default());
    (0..50).for_each(|_| home.answered(Side::There, 30 * MS, LINK));
    (0..50).for_each(|_| home.answered(Side::Here, 5 * MS, LINK));
    let expected = home.estimate(Side::There).upper() + LINK;
    assert_eq!(hedged(&mut home, Some(80 * MS)), (Side::Here, Some(80 * MS - expected)));
    assert_eq!(hedged(&mut home, Some(25 * MS)), (Side::Here, None), "it would be late");
}

#[test]
fn what_is_missed_counts_as_long_as_it_was_waited_for() {
    let mut choice = Choice::new(Terms::default());
    (0..50).for_each(|_| choice.answered(Side::There, 30 * MS, LINK));
    choice.missed(Side::There, 20 * MS, LINK);
    assert_eq!(choice.estimate(Side::There).mean(), 9 * MS, "that says nothing");
    choice.missed(Side::There, 200 * MS, LINK);
    assert!(choice.estimate(Side::There).upper() > 100 * MS);
}

#[test]
fn a_bandwidth_that_swings_by_half_makes_it_change_seldom() {
    // Over there the work takes 15 ms, and what is sent 13 to 40; here it takes 45. So either side is the better one by
    // a quarter at times.
    for period_s in [1.0, 2.0, 5.0, 10.0, 20.0] {
        let swing =
            |now: i64| 1.0 + 0.5 * (std::f64::consts::TAU * now as f64 / (period_s * 1e9)).sin();
        let way = |now: i64| Way { is_up: true, rtt_ns: 4 * MS, bytes_per_s: 5e4 * swing(now) };
        let cost = |side: Side, now: i64| match side {
            Side::Here => 45 * MS,
            Side::There => 15 * MS + (20.0 * MS as f64 / swing(now)) as i64 + 4 * MS,
        };
        let mut choice = Choice::new(Terms::default());
        let spans = [0, 120_000 * MS, 10 * MS];
        let waited = play(&mut choice, spans, None, way, cost);
        assert!(choice.changes() <= 24, "{period_s} s: {} changes in 120 s", choice.changes());
        // Either side alone, and whoever knew the future and could change at will.
        let moments = || (0..12_000).map(|n| n * 10 * MS);
        let alone = |side| moments().map(|now| cost(side, now)).sum::<i64>();
        let better = alone(Side::Here).min(alone(Side::There));
        let best: i64 =
            moments().map(|now| cost(Side::Here, now).min(cost(Side::There, now))).sum();
        let (to_better, to_best) = (waited as f64 / better as f64, waited as f64 / best as f64);
        println!(
            "{period_s} s: {to_better:.3} of the better side, {to_best:.3} of the best, {} changes",
            choice.changes()
        );
        assert!(to_better <= 1.05, "{period_s} s: {to_better} of the better side alone");
    }
}

#[test]
fn the_idle_side_is_asked_once_in_a_hundred() {
    let mut choice = Choice::new(Terms::default());
    choice.answered(Side::Here, 10 * MS, LINK);
    choice.answered(Side::There, 100 * MS, LINK);
    let probes = (0..1_000).filter(|&n| choice.decide(n * MS, None, 1_000, &UP).probes).count();
    assert_eq!(probes, 10);
}

#[test]
fn one_late_answer_stops_no_doubts_and_silence_is_looked_at_now_and_then() {
    let (left, way) = (Some(245 * MS), UP);
    let mut choice = Choice::new(Terms::default());
    (0..20).for_each(|_| choice.answered(Side::There, 5 * MS + LINK, LINK));
    choice.missed(Side::There, 240 * MS + LINK, LINK);
    assert!(choice.may_doubt(0, left, 1_000, &way), "it was late once");
    (0..5).for_each(|_| choice.missed(Side::There, 240 * MS + LINK, LINK));
    let asked = |choice: &mut Choice| {
        (0..300).filter(|n| choice.may_doubt(n * 100 * MS, left, 1_000, &way)).count()
    };
    // Thirty seconds of questions, of which one in five seconds is put to who does not answer.
    assert!((3..=8).contains(&asked(&mut choice)), "{}", asked(&mut choice));
    choice.answered(Side::There, 5 * MS + LINK, LINK);
    assert!(choice.may_doubt(40_000 * MS, left, 1_000, &way), "it has answered");
    assert!(!choice.may_doubt(40_000 * MS, left, 1_000, &DOWN));
}
