//! No room: in the folder, on the disk, or on a disk that refuses.

use std::io::ErrorKind;

use engine::Gap;

use super::support::*;
use crate::{
    spool::{State, WhenFull},
    testing::SimDisk,
};

#[test]
fn the_oldest_segments_make_room() {
    let disk = SimDisk::new(1);
    let mut process = Process::start(&disk, &settings(WhenFull::EvictOldest), 0);
    for number in 0..3_000 {
        process.append(number);
        process.work(MS);
        assert!(process.spool.status().bytes <= 256 << 10);
    }
    let evicted = process.spool.evicted();
    assert!(evicted > 1_000, "{evicted}");
    assert_eq!(process.spool.status().lost, evicted);
    let all = process.read(0);
    assert_eq!(all[0], (0, Err((evicted, Gap::Full))), "told, and how many");
    assert_eq!(process.tags(evicted), (evicted..3_000).collect::<Vec<_>>());
    disk.kill();

    let next = Process::start(&disk, &settings(WhenFull::EvictOldest), 0);
    assert_eq!(next.spool.status().lost, evicted, "a process that dies does not forget it");
}

#[test]
fn a_full_folder_says_so_until_something_is_acknowledged() {
    for when_full in [WhenFull::Block, WhenFull::DropNewest] {
        let disk = SimDisk::new(1);
        let mut process = Process::start(&disk, &settings(when_full), 0);
        let mut number = 0;
        while !process.spool.is_full(400) {
            process.append(number);
            process.work(MS);
            number += 1;
        }
        assert!((500..1_500).contains(&number), "{number}");
        assert!(process.spool.status().bytes <= 256 << 10);
        process.spool.acknowledge(number / 2);
        process.work(MS);
        assert!(!process.spool.is_full(400));
        assert_eq!(process.tags(number / 2), (number / 2..number).collect::<Vec<_>>());
    }
}

#[test]
fn a_disk_that_refuses_is_told_of_and_tried_again() {
    for kind in [ErrorKind::StorageFull, ErrorKind::ReadOnlyFilesystem, ErrorKind::Other] {
        let disk = SimDisk::new(1);
        let mut process = Process::start(&disk, &settings(WhenFull::Block), 0);
        for number in 0..100 {
            process.append(number);
            process.work(MS);
        }
        disk.refuse(Some(kind));
        for number in 100..200 {
            process.append(number);
            process.work(MS);
        }
        let status = process.spool.status();
        assert!(matches!(&status.state, State::Memory(cause) if !cause.is_empty()), "{status:?}");
        assert_eq!((status.queue, process.spool.written()), (100, 100));

        disk.refuse(None);
        process.work(250 * MS);
        let status = process.spool.status();
        assert_eq!((status.state, status.queue), (State::Disk, 0));
        assert_eq!(process.tags(0), (0..200).collect::<Vec<_>>());
    }
}

#[test]
fn a_disk_that_is_full_takes_what_fits_and_the_rest_later() {
    let disk = SimDisk::new(1);
    let mut process = Process::start(&disk, &settings(WhenFull::Block), 0);
    disk.set_capacity(40_000);
    for number in 0..300 {
        process.append(number);
        process.work(10 * MS);
    }
    assert!(matches!(process.spool.status().state, State::Memory(_)));
    assert!(process.spool.written() > 50);
    disk.kill();

    // What was half written is no record.
    disk.set_capacity(usize::MAX);
    let mut next = Process::start(&disk, &settings(WhenFull::Block), 0);
    let found = next.tags(0);
    assert!(found.len() > 50, "{}", found.len());
    assert_eq!(found, (0..found.len() as u64).collect::<Vec<_>>());
}

#[test]
fn on_a_full_disk_the_oldest_make_room_where_they_may() {
    let disk = SimDisk::new(1);
    disk.set_capacity(100_000);
    let mut process = Process::start(&disk, &settings(WhenFull::EvictOldest), 0);
    for number in 0..2_000 {
        process.append(number);
        process.work(10 * MS);
    }
    process.work(300 * MS);
    assert_eq!((process.spool.status().state, process.spool.written()), (State::Disk, 2_000));
    let evicted = process.spool.evicted();
    assert_eq!(process.tags(evicted), (evicted..2_000).collect::<Vec<_>>());
}

#[test]
fn a_disk_that_refuses_from_the_start_is_no_reason_not_to_start() {
    for kind in [ErrorKind::StorageFull, ErrorKind::ReadOnlyFilesystem, ErrorKind::Other] {
        let disk = SimDisk::new(1);
        disk.refuse(Some(kind));
        let mut process = Process::start(&disk, &settings(WhenFull::Block), 0);
        for number in 0..20 {
            process.append(number);
            process.work(MS);
        }
        assert!(matches!(process.spool.status().state, State::Memory(_)));
        disk.refuse(None);
        process.work(250 * MS);
        assert_eq!(process.tags(0), (0..20).collect::<Vec<_>>());
    }
}

#[test]
fn what_was_acknowledged_meanwhile_need_not_be_written() {
    let disk = SimDisk::new(1);
    let mut process = Process::start(&disk, &settings(WhenFull::Block), 0);
    disk.refuse(Some(ErrorKind::StorageFull));
    for number in 0..10_000 {
        process.append(number);
        process.work(MS);
        process.spool.acknowledge((number + 1).saturating_sub(10));
        assert!(process.spool.status().queue <= 11, "memory does not grow while the link is up");
    }
    disk.refuse(None);
    process.work(250 * MS);
    assert_eq!(process.tags(9_990), (9_990..10_000).collect::<Vec<_>>());
}

#[test]
fn what_cannot_be_read_is_passed_over_and_told() {
    let disk = SimDisk::new(1);
    let mut process = Process::start(&disk, &settings(WhenFull::Block), 0);
    for number in 0..200 {
        process.append(number);
        process.work(MS);
    }
    disk.refuse_reads(true);
    process.spool.want(0);
    for _ in 0..480 {
        process.work(250 * MS);
        assert!(process.spool.take_piece().is_none(), "it may come back");
        assert!(process.spool.status().unread.is_some());
    }
    process.work(250 * MS);
    let piece = process.spool.take_piece().expect("given up");
    assert!(matches!(piece.items[0].1, crate::spool::Kept::Gap { reason: Gap::Source, .. }));
    disk.refuse_reads(false);
    let rest = process.tags(piece.to);
    assert_eq!(rest, (piece.to..200).collect::<Vec<_>>());
}

#[test]
fn a_full_disk_takes_what_makes_room() {
    for kind in [ErrorKind::StorageFull, ErrorKind::QuotaExceeded] {
        for copies in [false, true] {
            let disk = SimDisk::new(1);
            let mut process = Process::start(&disk, &settings(WhenFull::Block), 0);
            for number in 0..300 {
                process.append(number);
                process.work(MS);
            }
            disk.fill(kind, copies);
            process.append(300);
            process.work(MS);
            assert!(matches!(process.spool.status().state, State::Memory(_)));
            process.spool.acknowledge(200);
            process.work(1_000 * MS);
            let status = process.spool.status();
            assert_eq!((status.state, status.queue), (State::Disk, 0), "{kind} {copies}");
            assert_eq!(process.tags(200), (200..301).collect::<Vec<_>>());
            disk.kill();
            let next = Process::start(&disk, &settings(WhenFull::Block), 0);
            assert_eq!(next.spool.opened().first, 200, "{kind} {copies}");
        }
    }
}

#[test]
fn on_a_full_disk_the_oldest_go_before_it_is_noted() {
    for kind in [ErrorKind::StorageFull, ErrorKind::QuotaExceeded] {
        let disk = SimDisk::new(1);
        let mut process = Process::start(&disk, &settings(WhenFull::EvictOldest), 0);
        for number in 0..300 {
            process.append(number);
            process.work(MS);
        }
        disk.fill(kind, true);
        for number in 300..600 {
            process.append(number);
            process.work(10 * MS);
        }
        process.work(1_000 * MS);
        let status = process.spool.status();
        assert_eq!((status.state, status.written), (State::Disk, 600), "{kind}");
        let evicted = process.spool.evicted();
        assert_eq!(status.lost, evicted);
        assert_eq!(process.tags(evicted), (evicted..600).collect::<Vec<_>>());
    }
}

#[test]
fn what_cannot_be_read_for_a_while_is_not_given_up() {
    let disk = SimDisk::new(1);
    let mut process = Process::start(&disk, &settings(WhenFull::Block), 0);
    for number in 0..200 {
        process.append(number);
        process.work(MS);
    }
    // Files that cannot be opened may be there again at any time; bytes for two minutes.
    for (opens, seconds) in [(true, 3_600), (false, 110)] {
        disk.refuse_opens(opens);
        disk.refuse_reads(!opens);
        process.spool.want(0);
        for _ in 0..seconds {
            process.work(1_000 * MS);
            assert!(process.spool.take_piece().is_none());
        }
        assert!(process.spool.status().unread.is_some());
        disk.refuse_opens(false);
        disk.refuse_reads(false);
        assert_eq!(process.tags(0), (0..200).collect::<Vec<_>>());
        assert_eq!(process.spool.status().unread, None);
    }
}

#[test]
fn bytes_that_cannot_be_read_cost_what_is_around_them() {
    let disk = SimDisk::new(1);
    let settings = crate::spool::Settings::new(DIR, 64 << 20);
    let mut process = Process::start(&disk, &settings, 0);
    for number in 0..2_000 {
        process.append(number);
    }
    process.work(MS);
    let paths = segments(&disk);
    assert_eq!(paths.len(), 1);
    disk.spoil(&paths[0], 300_000..300_001);
    let (mut from, mut lost) = (0, 0);
    while from < 2_000 {
        process.spool.want(from);
        let piece = loop {
            process.work(250 * MS);
            if let Some(piece) = process.spool.take_piece() {
                break piece;
            }
            assert!(process.now < 1_000_000 * MS, "it comes to an end");
        };
        for (place, kept) in &piece.items {
            match kept {
                crate::spool::Kept::Frame(frame) => assert_eq!(frame.header.tag, *place),
                crate::spool::Kept::Gap { to, .. } => lost += to - place,
            }
        }
        from = piece.to;
    }
    // An event takes some 150 bytes at least, and a step 64 KiB.
    assert!((1..450).contains(&lost), "{lost}");
}
