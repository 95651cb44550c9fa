//! Bytes that are not what was written.

use super::support::*;
use crate::{
    spool::WhenFull,
    testing::{Random, SimDisk},
};

/// A spool of some 64 KiB in four segments, closed cleanly, and how many events are in it.
fn sample() -> (SimDisk, u64) {
    let disk = SimDisk::new(5);
    let mut process = Process::start(&disk, &settings(WhenFull::Block), 0);
    for number in 0..180 {
        process.append(number);
        process.work(MS);
    }
    process.work(1_000 * MS);
    let Process { keeper, spool, .. } = process;
    drop(spool);
    keeper.turn(0);
    assert_eq!(segments(&disk).len(), 4);
    (disk, 180)
}

/// All that is read is as it was, in its place, and `lost` at most is not.
fn check(disk: &SimDisk, count: u64, lost: u64, context: &str) -> u64 {
    let mut process = Process::start(disk, &settings(WhenFull::Block), 0);
    let opened = process.spool.opened().clone();
    let all = process.read(opened.first);
    let mut found = 0;
    for (place, item) in &all {
        if let Ok(tag) = item {
            assert_eq!(place, tag, "{context}");
            found += 1;
        }
    }
    assert_eq!(found, opened.frames.count(), "{context}");
    assert!(count - found <= lost, "{context}: {found} of {count} {opened:?}");
    let is_told = !opened.damage.is_empty()
        || opened.torn_bytes > 0
        || all.iter().any(|(_, item)| item.is_err());
    assert!(found == count || is_told, "{context}: what is missing is told");
    found
}

#[test]
fn a_byte_that_is_wrong_costs_one_record_at_most() {
    let (disk, count) = sample();
    // Each byte of the first segment and of the last; of those between as many as there is time for.
    let paths = segments(&disk);
    let mut whole = 0;
    for path in [&paths[0], &paths[3]] {
        let good = disk.bytes(path).expect("it is there");
        for at in (0..good.len()).step_by(3) {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            let spoiled = copy(&disk);
            spoiled.put(path, bad);
            let found = check(&spoiled, count, 1, &format!("{} {at}", path.display()));
            whole += u64::from(found == count);
        }
    }
    // Only heads of segments can be spoiled without a loss, as a neighbour's serves.
    assert!(whole < 1_500, "{whole}");
}

#[test]
fn a_file_may_end_anywhere() {
    let (disk, count) = sample();
    let paths = segments(&disk);
    let (first, last) = (&paths[0], &paths[3]);
    for (path, step) in [(first, 7), (last, 1)] {
        let good = disk.bytes(path).expect("it is there");
        for len in (0..good.len()).step_by(step) {
            let spoiled = copy(&disk);
            spoiled.put(path, good[..len].to_vec());
            let most = (good.len() - len) as u64 / 150 + 1;
            check(&spoiled, count, most, &format!("{} {len}", path.display()));
        }
    }
}

#[test]
fn holes_cost_what_was_in_them() {
    let (disk, count) = sample();
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let spoiled = copy(&disk);
        let paths = segments(&disk);
        let path = &paths[random.below(4) as usize];
        let mut bytes = disk.bytes(path).expect("it is there");
        let at = random.below(bytes.len() as u64 - 1_024) as usize;
        bytes[at..at + 1_024].iter_mut().for_each(|byte| *byte = random.next_u64() as u8);
        spoiled.put(path, bytes);
        // Records take 150 bytes at least, so 1 KiB touches nine.
        check(&spoiled, count, 9, &format!("seed {seed}"));
    }
}

#[test]
fn a_position_that_is_lost_loses_no_frame() {
    let (disk, count) = sample();
    let path = position_path();
    let good = disk.bytes(&path).expect("it is there");
    for at in 0..good.len().min(64) {
        let spoiled = copy(&disk);
        let mut bad = good.clone();
        bad[at] ^= 4;
        let other = 4096 + at;
        if other < bad.len() {
            bad[other] ^= 4;
        }
        spoiled.put(&path, bad);
        assert_eq!(check(&spoiled, count, 0, &format!("position {at}")), count);
    }
}

fn copy(disk: &SimDisk) -> SimDisk {
    let other = SimDisk::new(9);
    for path in disk.paths() {
        other.put(&path, disk.bytes(&path).expect("it is there"));
    }
    other
}
