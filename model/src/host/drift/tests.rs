//! The sample, and what it says.

use super::{super::watch::Promised, *};

const PROMISED: Promised = Promised { loss: 0.005, differs: 0.005, confidence: 0.95 };

fn drift(share: f64, promised: Option<Promised>, seed: u64) -> Arc<Drift> {
    Drift::new(Watch { share, promised, goes_whole: true }, 3, seed)
}

/// A question that leaves at the first exit or not, and differs or not; whether it was of the sample.
fn one(drift: &Arc<Drift>, leaves: bool, differs: bool) -> bool {
    let Some(mut slot) = drift.takes() else { return false };
    if leaves {
        slot.leaves(0, &[1.0, 0.0]);
        slot.ends(if differs { &[0.0, 1.0] } else { &[5.0, 0.0] });
    } else {
        slot.stays();
    }
    true
}

/// Chance in thousandths, the same in every run.
fn thousandths(n: u64, seed: u64) -> u64 {
    xxh3_64_with_seed(&n.to_le_bytes(), seed ^ 0x5eed) % 1_000
}

#[test]
fn the_sample_is_its_share_of_all_questions_and_no_pattern_escapes_it() {
    for share in [0.01, 0.02, 0.5, 1.0] {
        let drift = drift(share, None, 7);
        let mut by_session = [0_u64; 50];
        for n in 0..100_000_u64 {
            by_session[(n % 50) as usize] += u64::from(one(&drift, n % 3 == 0, false));
        }
        let seen = drift.seen();
        let want = share * 1e5;
        // Four standard deviations of a binomial count.
        let apart = 4.0 * (want * (1.0 - share)).sqrt();
        assert!((seen.watched as f64 - want).abs() <= apart, "{share}: {}", seen.watched);
        let third = seen.early[0].seen as f64 - want / 3.0;
        assert!(third.abs() <= 4.0 * (want / 3.0).sqrt(), "{share}: {third}");
        // Fifty sessions that take turns are all seen, as one in fifty of all would not be.
        assert!(by_session.iter().all(|count| *count > 0), "{share}: {by_session:?}");
        assert_eq!((seen.skipped, seen.gone, seen.open), (0, 0, 0));
    }
    assert!(drift(0.0, None, 7).takes().is_none());
}

#[test]
fn the_risk_is_that_of_all_questions_and_not_of_those_that_leave() {
    // A fifth leaves, of these a tenth differs: two of a hundred.
    let drift = drift(1.0, None, 1);
    for n in 0..10_000_u64 {
        assert!(one(&drift, n % 5 == 0, n % 50 == 0));
    }
    let seen = drift.seen();
    assert_eq!(seen.differs, Some(0.02));
    assert_eq!(seen.early[0], Since { seen: 2_000, lost: 200 });
    assert!(seen.bounds[0] < 0.02 && seen.bounds[1] > 0.02 && seen.bounds[1] < 0.03);
    assert_eq!(seen.holds, None, "nothing was promised");
}

/// Questions, of which half leave; of those so many thousandths differ, twice their share of all. After how many
/// the promise is broken.
fn breaks(drift: &Arc<Drift>, count: u64, differing: u64, seed: u64) -> Option<u64> {
    (0..count).find(|&n| {
        let (leaves, differs) = (thousandths(n, seed) < 500, thousandths(n, seed + 1) < differing);
        one(drift, leaves, differs);
        drift.is_shut()
    })
}

#[test]
fn a_shift_is_seen_within_some_hundred_questions_at_two_in_a_hundred_and_nothing_before() {
    let (mut early, mut soon, mut later) = (0, 0, 0);
    for seed in 0..100 {
        let drift = drift(0.02, Some(PROMISED), seed);
        // Kept: 0.4 % of all.
        if breaks(&drift, 20_000, 8, 3 * seed).is_some() {
            early += 1;
            continue;
        }
        assert_eq!(drift.news("m"), None);
        // Then every second that leaves differs: a quarter of all.
        match breaks(&drift, 5_000, 500, 5 * seed + 1) {
            Some(n) if n < 500 => soon += 1,
            Some(n) if n < 2_000 => later += 1,
            _ => {}
        }
        let news = drift.news("m").expect("it is told");
        assert!(news.starts_with("model `m`: what was promised"), "{news}");
        assert_eq!((drift.news("m"), drift.takes().is_none()), (None, true), "once");
    }
    assert!(early <= 5, "{early} of 100 false alarms");
    assert!(soon >= 50 && soon + later >= 90, "{soon} within 500, {later} within 2000");
}

#[test]
fn where_too_many_wait_no_more_are_taken_whatever_would_become_of_them() {
    let drift = drift(1.0, Some(PROMISED), 3);
    let wait = |_| {
        let mut slot = drift.takes()?;
        slot.leaves(1, &[1.0, 0.0]);
        Some(slot)
    };
    let waiting: Vec<Slot> = (0..200).map_while(wait).collect();
    assert_eq!(waiting.len(), FOLLOWED_MAX);
    (0..100).for_each(|_| assert!(!one(&drift, false, false)));
    assert_eq!((drift.seen().skipped, drift.seen().watched), (101, 0));
    // What was given up says nothing, and makes room.
    drop(waiting);
    assert!(one(&drift, false, false));
    let seen = drift.seen();
    assert_eq!((seen.gone, seen.watched, seen.open), (FOLLOWED_MAX as u64, 1, 0));
}

#[test]
fn answers_that_are_none_say_nothing() {
    let drift = drift(1.0, None, 3);
    let mut slot = drift.takes().expect("all are of the sample");
    slot.leaves(0, &[1.0, 0.0]);
    slot.ends(&[f32::NAN, 1.0]);
    assert_eq!((drift.seen().gone, drift.seen().watched), (1, 0));
    drift.end();
    assert!(drift.takes().is_none());
}
