//! A disk that fails to keep something, and says the next time that it has it.

use super::support::*;
use crate::{
    spool::{Settings, State, Sync, WhenFull},
    testing::SimDisk,
};

fn hand_in(process: &mut Process, numbers: std::ops::Range<u64>) {
    for number in numbers {
        process.append(number);
    }
    process.work(MS);
}

#[test]
fn what_was_not_kept_is_never_said_to_be() {
    let disk = SimDisk::new(1);
    let settings = Settings { sync: Sync::Every(50 * MS), ..settings(WhenFull::Block) };
    let mut process = Process::start(&disk, &settings, 0);
    hand_in(&mut process, 0..10);
    process.work(50 * MS);
    assert_eq!(process.spool.status().synced, 10);

    hand_in(&mut process, 10..20);
    disk.set_forgets(1.0);
    process.work(50 * MS);
    disk.set_forgets(0.0);
    assert!(matches!(process.spool.status().state, State::Memory(_)));
    process.work(1_000 * MS);
    hand_in(&mut process, 20..30);
    process.work(1_000 * MS);
    let status = process.spool.status();
    assert_eq!((status.state, status.written, status.synced), (State::Disk, 30, 10));
    assert_eq!(process.tags(0), (0..30).collect::<Vec<_>>(), "all can be read as yet");

    process.spool.acknowledge(15);
    process.work(MS);
    assert_eq!(process.spool.status().synced, 10);
    process.spool.acknowledge(20);
    process.work(MS);
    assert_eq!(process.spool.status().synced, 30, "what is acknowledged need not be kept");
}

#[test]
fn with_always_it_is_written_again_before_it_counts() {
    for seed in 0..20 {
        let disk = SimDisk::new(seed);
        let settings = Settings { sync: Sync::Always, ..settings(WhenFull::Block) };
        let mut process = Process::start(&disk, &settings, 0);
        let first = seed % 3 * 5;
        hand_in(&mut process, 0..first);
        disk.set_forgets(1.0);
        hand_in(&mut process, first..first + 10);
        let status = process.spool.status();
        assert_eq!((status.written, status.synced, status.queue), (first, first, 10));
        assert_eq!(process.spool.written(), first);

        disk.set_forgets(0.0);
        process.work(250 * MS);
        let status = process.spool.status();
        assert_eq!((status.state, status.queue), (State::Disk, 0));
        assert_eq!((status.written, status.synced), (first + 10, first + 10));
        disk.cut_power();
        let mut next = Process::start(&disk, &settings, 0);
        assert_eq!(next.tags(0), (0..first + 10).collect::<Vec<_>>(), "seed {seed}");
        assert_eq!(next.spool.opened().frames.count(), first + 10);
    }
}

#[test]
fn a_position_that_was_not_kept_is_written_again_and_the_other_slot_is_left_alone() {
    for seed in 0..200 {
        let disk = SimDisk::new(seed);
        let settings = Settings { sync: Sync::Every(50 * MS), ..settings(WhenFull::Block) };
        let mut process = Process::start(&disk, &settings, 0);
        hand_in(&mut process, 0..100);
        process.work(50 * MS);
        process.spool.acknowledge(10);
        process.work(50 * MS);
        for n in 0..seed % 5 {
            disk.set_forgets(1.0);
            process.spool.acknowledge(20 + n);
            hand_in(&mut process, 100 + n..101 + n);
            process.work(50 * MS);
            disk.set_forgets(0.0);
            process.work(300 * MS);
        }
        // Written and not yet kept: the slot that is written to may be torn.
        process.spool.acknowledge(30);
        process.work(MS);
        disk.cut_power();
        let next = Process::start(&disk, &settings, 0);
        let opened = next.spool.opened();
        assert!(opened.start >= 100, "seed {seed}: {opened:?}");
        assert!((opened.first..=30).contains(&opened.first) && opened.start < 3 << 20);
        assert_eq!(opened.count, process.spool.opened().count, "seed {seed}");
    }
}
