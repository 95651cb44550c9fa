//! The end of a process and of the power, at any point.

use engine::Gap;

use super::support::*;
use crate::{
    spool::{Keeper, Settings, State, Sync, WhenFull},
    testing::{Random, SimDisk},
};

/// What one life did, for the next to be compared with.
#[derive(Debug, Default)]
struct Truth {
    /// Tags by place, as handed in.
    handed: std::collections::BTreeMap<u64, u64>,
    /// The place before which all must be there.
    safe: u64,
    /// The most that may have been acknowledged.
    acknowledged: u64,
    number: u64,
    /// Whether the power goes, or only the process.
    power: bool,
}

impl Truth {
    /// Hands in, acknowledges, lets time go by, in an order of the seed's.
    fn live(&mut self, process: &mut Process, random: &mut Random, steps: u64) {
        for _ in 0..steps {
            match random.below(10) {
                0..=5 => {
                    let place = process.append(self.number);
                    self.handed.insert(place, self.number);
                    self.number += 1;
                }
                6..=7 => process.work(random.below(100) as i64 * MS),
                8 => {
                    // Only what was handed in is acknowledged, mostly little at once.
                    let share = if random.happens(0.1) { 1.0 } else { random.uniform() * 0.2 };
                    let open = process.next - self.acknowledged.min(process.next);
                    self.acknowledged += (open as f64 * share) as u64;
                    process.spool.acknowledge(self.acknowledged);
                }
                _ => {}
            }
            let status = process.spool.status();
            let safe = if self.power { status.synced } else { status.written };
            self.safe = self.safe.max(safe);
        }
    }

    /// The next life has all that was safe, in order, and nothing that was never handed in.
    fn check(&self, process: &mut Process, context: &str) {
        let opened = process.spool.opened().clone();
        // Power loss takes what was not synced in any order, a process only the end.
        assert!(self.power || opened.damage.is_empty(), "{context}: {opened:?}");
        assert!(opened.first <= self.acknowledged, "{context}: {opened:?}");
        let newest = self.handed.last_key_value().map_or(0, |(place, _)| place + 1);
        assert!(opened.start >= newest, "{context}: a place never names two frames");
        let mut found = 0;
        for (place, item) in process.read(opened.first) {
            match item {
                Ok(tag) => {
                    assert_eq!(self.handed.get(&place), Some(&tag), "{context}");
                    found += 1;
                }
                Err((to, reason)) => {
                    let is_acknowledged = to <= self.acknowledged;
                    let is_end = place >= self.safe;
                    let open = place.max(self.acknowledged)..to.min(self.safe);
                    let lost = self.handed.keys().find(|at| open.contains(at));
                    assert_eq!(lost, None, "{context}: {place}..{to} {reason:?}");
                    assert!(is_acknowledged || is_end || reason == Gap::Restart, "{context}");
                }
            }
        }
        assert_eq!(found, opened.frames.count(), "{context}");
    }
}

fn crash(seed: u64, power: bool) -> u64 {
    let mut random = Random::new(seed);
    let disk = SimDisk::new(seed);
    let sync = match random.below(3) {
        0 => Sync::Always,
        1 => Sync::Every(50 * MS),
        _ => Sync::Every(250 * MS),
    };
    let settings = Settings { sync, ..settings(WhenFull::Block) };
    let mut truth = Truth { power, ..Truth::default() };
    let mut found = 0;
    for life in 0..4 {
        disk.set_short(random.uniform() * 0.2);
        disk.set_forgets(0.0);
        let mut process = Process::start(&disk, &settings, seed * 10 + life);
        let context = format!("seed {seed}, life {life}, power {power}");
        truth.check(&mut process, &context);
        found += process.spool.opened().frames.count();
        // What can be read is then not all that is kept. Not before a place is reserved: without one
        // places are counted anew, which is another counting.
        disk.set_forgets(if power && random.happens(0.5) { 0.1 } else { 0.0 });
        // Anything from now on may be the last.
        disk.die_at(disk.operations() + random.below(400));
        truth.live(&mut process, &mut random, 300);
        if power {
            disk.cut_power()
        } else {
            disk.kill()
        }
        drop(process);
    }
    found
}

fn seeds(usual: u64) -> std::ops::Range<u64> {
    let times = std::env::var("AFFERENT_SEEDS").ok().and_then(|times| times.parse().ok());
    0..usual * times.unwrap_or(1)
}

#[test]
fn all_that_was_written_survives_the_process() {
    let found: u64 = seeds(300).map(|seed| crash(seed, false)).sum();
    assert!(found > 1_000, "there was something to find: {found}");
}

#[test]
fn all_that_was_synced_survives_the_power() {
    let found: u64 = seeds(300).map(|seed| crash(seed, true)).sum();
    assert!(found > 1_000, "there was something to find: {found}");
}

#[test]
fn a_clean_end_leaves_no_hole() {
    let disk = SimDisk::new(1);
    let settings = settings(WhenFull::Block);
    for life in 0..3u64 {
        let mut process = Process::start(&disk, &settings, life);
        let opened = process.spool.opened().clone();
        assert_eq!((opened.first, opened.start), (0, life * 10));
        for number in 0..10 {
            process.append(life * 10 + number);
        }
        assert_eq!(process.tags(0), (0..life * 10 + 10).collect::<Vec<_>>());
        let all = process.read(0);
        assert!(all.iter().all(|(_, item)| item.is_ok()), "{all:?}");
        let Process { keeper, spool, .. } = process;
        drop(spool);
        keeper.turn(0);
    }
}

#[test]
fn what_all_was_acknowledged_leaves_nothing_behind() {
    let disk = SimDisk::new(1);
    let mut process = Process::start(&disk, &settings(WhenFull::Block), 0);
    for number in 0..2_000 {
        process.append(number);
        process.work(MS);
        process.spool.acknowledge(number + 1);
    }
    process.work(MS);
    assert!(process.spool.status().bytes < 40 << 10, "{:?}", process.spool.status());
    let Process { keeper, spool, .. } = process;
    drop(spool);
    keeper.turn(0);
    assert_eq!(segments(&disk), Vec::<std::path::PathBuf>::new());

    let next = Process::start(&disk, &settings(WhenFull::Block), 0);
    let opened = next.spool.opened();
    assert_eq!((opened.first, opened.start, opened.frames.count()), (2_000, 2_000, 0));
}

#[test]
fn two_processes_do_not_share_a_spool() {
    let disk = SimDisk::new(1);
    let settings = settings(WhenFull::Block);
    let first = Process::start(&disk, &settings, 0);
    let error = Process::try_start(&disk, &settings, 0).err().expect("refused");
    assert_eq!(error.to_string(), "/spool: another process has this spool open");
    drop(first);
    Process::start(&disk, &settings, 0);
}

#[test]
fn times_of_another_life_are_brought_to_this_one_s_clock() {
    use crate::{
        session::TimeLine,
        spool::{Kept, Moment},
    };
    let disk = SimDisk::new(1);
    let at = |clock: i64, wall_ns| Moment { clock: engine::Timestamp::from_nanos(clock), wall_ns };
    let subject = crate::spool::Subject { line: TimeLine::Clock, ..subject() };
    let open = |now| {
        let keeper = Keeper::manual(std::sync::Arc::new(disk.clone()));
        let spool = keeper.open(&settings(WhenFull::Block), &subject, now).expect("it opens");
        (keeper, spool)
    };
    let (keeper, spool) = open(at(7_000, 1_000_000));
    spool.append(0, Kept::Frame(event(3)));
    keeper.turn(0);
    disk.kill();

    // An hour later by the wall, and the process's clock begins anew.
    let hour = 3_600_000 * MS;
    let (keeper, spool) = open(at(0, 1_000_000 + hour));
    spool.want(0);
    keeper.turn(0);
    let piece = spool.take_piece().expect("it was asked for");
    let Kept::Frame(frame) = &piece.items[0].1 else { panic!("a frame") };
    assert_eq!(frame.header.time.nanos(), 3 * MS - 7_000 - hour);
    assert_eq!(frame.header.uncertainty_ns, 10_000_000);
}

#[test]
fn who_gets_the_lock_late_does_not_write_over_what_another_did() {
    let disk = SimDisk::new(1);
    let settings = settings(WhenFull::Block);
    let with = |count: u64| {
        let mut process = Process::start(&disk, &settings, 0);
        (0..count).for_each(|number| _ = process.append(number));
        process.work(MS);
        let Process { keeper, spool, .. } = process;
        drop(spool);
        keeper.turn(0);
    };
    with(10);
    disk.refuse(Some(std::io::ErrorKind::ReadOnlyFilesystem));
    let mut late = Process::start(&disk, &settings, 0);
    disk.refuse(None);
    with(20);
    late.append(7);
    late.work(1_000 * MS);
    let State::Memory(cause) = late.spool.status().state else { panic!("it writes") };
    assert!(cause.starts_with("another process has used this folder"), "{cause}");
    let next = Process::start(&disk, &settings, 0);
    let opened = next.spool.opened();
    assert_eq!((opened.start, opened.frames.count()), (30, 30), "{opened:?}");
}

#[test]
fn a_memory_s_file_is_there_after_the_power_was_gone() {
    for seed in 0..20 {
        let disk = SimDisk::new(seed);
        let keeper = Keeper::manual(std::sync::Arc::new(disk.clone()));
        let memory = keeper.remember("/memory", Sync::Always).expect("it opens");
        memory.note(7, 5);
        keeper.turn(0);
        assert_eq!(memory.noted(), (7, 5));
        disk.cut_power();
        let keeper = Keeper::manual(std::sync::Arc::new(disk.clone()));
        let memory = keeper.remember("/memory", Sync::Always).expect("it opens");
        assert_eq!(memory.noted(), (7, 5), "seed {seed}");
    }
}
