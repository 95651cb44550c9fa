//! Processes that die on either side.

use super::{
    super::support::{MS, S, seeds},
    hosts::{EVENTS, Hosts},
};
use crate::{
    spool::WhenFull,
    testing::{Delivered, Random, Weather},
};

#[test]
fn processes_that_die_lose_nothing_that_was_written() {
    let (mut kills, mut twice) = ([0; 2], 0);
    for seed in seeds(40) {
        let mut random = Random::new(seed);
        let weather = Weather {
            loss: random.uniform() * 0.05,
            reorder: random.uniform() * 0.05,
            duplicate: random.uniform() * 0.05,
            ..Weather::calm((1.0 + random.uniform() * 40.0) as i64 * MS)
        };
        let mut hosts = Hosts::new(weather, seed, 4 << 20, WhenFull::Block);
        let mut unsure = Vec::new();
        for _ in 0..12 {
            hosts.run((random.uniform() * 3.0 * S as f64) as i64);
            if random.happens(0.4) {
                hosts.outage((random.uniform() * 8.0 * S as f64) as i64);
            }
            if random.happens(0.6) {
                let side = random.below(2) as usize;
                kills[side] += 1;
                let slow_ns = random.below(3) as i64 * 20 * MS;
                let before = hosts.handed.len();
                hosts.kill(side, slow_ns);
                if side == 0 {
                    // What was handed in since the last turn of the disk is not written, and may be
                    // missing; what went to the other side at once is not.
                    let unwritten = hosts.handed.split_off(before.saturating_sub(1));
                    unsure.extend(unwritten);
                }
            }
        }
        hosts.rest(30 * S);

        let tags = hosts.tags();
        let mut once = tags.clone();
        once.sort_unstable();
        once.dedup();
        let missing = hosts.handed.iter().find(|tag| once.binary_search(tag).is_err());
        assert_eq!(missing, None, "seed {seed}");
        twice += tags.len() - once.len();
        let known = |tag: &u64| hosts.handed.contains(tag) || unsure.contains(tag);
        assert!(once.iter().all(known), "seed {seed}");
        let lost = hosts.gaps().iter().map(|(_, frames)| frames).sum::<u64>();
        assert_eq!(lost, 0, "seed {seed}: {:?}", hosts.gaps());
    }
    println!("{kills:?} deaths, {twice} events twice");
    assert!(kills[0] > 50 && kills[1] > 50, "{kills:?}");
    // What was consumed in the 40 ms in which the process died, and not noted: two events and those
    // that an outage had kept back.
    assert!(twice > 0, "a slow disk shows");
}

#[test]
fn without_a_memory_a_receiver_that_dies_is_given_more_twice_and_misses_nothing() {
    let mut hosts = Hosts::new(Weather::calm(10 * MS), 3, 4 << 20, WhenFull::Block);
    hosts.remembers = false;
    hosts.start(1);
    for _ in 0..10 {
        hosts.run(S);
        hosts.kill(1, 0);
    }
    hosts.rest(5 * S);
    let mut tags = hosts.tags();
    tags.sort_unstable();
    tags.dedup();
    assert_eq!(tags, hosts.handed);
}

#[test]
fn times_from_before_a_restart_are_right_within_what_is_said() {
    let mut hosts = Hosts::new(Weather::calm(10 * MS), 3, 4 << 20, WhenFull::Block);
    hosts.run(5 * S);
    hosts.outage(10 * S);
    hosts.run(5 * S);
    hosts.disks[0].kill();
    // The new process's clock begins elsewhere.
    hosts.pair.clocks[0].offset_ns -= 1_000 * S;
    hosts.start(0);
    hosts.rest(20 * S);

    assert_eq!(hosts.tags(), hosts.handed);
    for given in &hosts.pair.delivered[1] {
        let Delivered::Frame { edge: EVENTS, frame, .. } = given else { continue };
        // Events are made each 20 ms.
        let made = (frame.header.tag as i64 + 1) * 20 * MS;
        let error = frame.header.time.since(hosts.pair.clocks[1].at(made)).abs();
        let said = i64::from(frame.header.uncertainty_ns);
        assert!(error <= said, "{}: {error} is not within {said}", frame.header.tag);
    }
}

#[test]
fn a_sender_that_has_forgotten_what_it_sent_counts_anew() {
    let mut hosts = Hosts::new(Weather::calm(10 * MS), 3, 4 << 20, WhenFull::Block);
    hosts.run(2 * S);
    // The whole disk as it was: a backup that was put back, or one that lied about what it kept.
    let paths = hosts.disks[0].paths();
    let old: Vec<_> = paths.iter().map(|path| hosts.disks[0].bytes(path).expect("there")).collect();
    // A life of which the disk knows nothing, with places beyond those that it has reserved.
    hosts.kill(0, 0);
    hosts.run(2 * S);
    hosts.rest(S);
    let first = hosts.handed.len();
    hosts.disks[0].kill();
    for path in hosts.disks[0].paths() {
        hosts.disks[0].put(&path, Vec::new());
    }
    for (path, bytes) in paths.iter().zip(old) {
        hosts.disks[0].put(path, bytes);
    }
    // As far as the disk knows it goes on at a place that the other side has behind it.
    hosts.start(0);
    hosts.run(2 * S);
    hosts.rest(2 * S);

    let tags = hosts.tags();
    let new = &hosts.handed[first..];
    assert!(tags.ends_with(new), "{:?} does not end with {new:?}", &tags[tags.len() - 10..]);
    let mut once = tags.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once, hosts.handed);
}
