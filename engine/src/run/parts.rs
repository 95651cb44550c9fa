//! Which processors a core's thread may run on.
//!
//! Threads that sleep most of the time look light to a scheduler, which lets them share a processor:
//! good for both, since the way to another that is idle is long. Threads that work should have one
//! each at once, not when the scheduler comes to see it. So the processors the process may use are
//! dealt out in equal parts, and a core's thread keeps to its own while it is busy.

use crate::time::Timestamp;

/// Asleep for less than one part in so many of a while, a core is busy.
const BUSY: i64 = 2;
/// Awake for less than one part in so many, it is not any more.
const CALM: i64 = 4;
/// How long it is watched before that is decided.
const WHILE_NS: i64 = 2_000_000;

/// Where a core's thread may run, and why.
#[derive(Debug)]
pub(super) struct Place {
    /// The part of the core, if there are enough processors.
    own: Option<Processors>,
    is_tied: bool,
    began: Timestamp,
    slept_ns: i64,
}

impl Place {
    /// For the calling thread, which runs core `core` of `cores`. One that follows a thread that never
    /// came back goes where that leaves room.
    pub(super) fn of(core: usize, cores: usize, follows: bool, now: Timestamp) -> Self {
        let own = (cores > 1 && !follows).then(|| own(core, cores)).flatten();
        Self { own, is_tied: false, began: now, slept_ns: 0 }
    }

    /// The thread has slept.
    pub(super) fn slept(&mut self, ns: i64) {
        self.slept_ns += ns;
    }

    /// Ties the thread to its part or lets it go, once it is clear how busy it is.
    #[inline]
    pub(super) fn look(&mut self, now: Timestamp) {
        if now.since(self.began) >= WHILE_NS {
            self.decide(now);
        }
    }

    #[cold]
    fn decide(&mut self, now: Timestamp) {
        let whole_ns = now.since(self.began);
        if let Some(own) = &self.own
            && let Some(tied) = verdict(self.is_tied, self.slept_ns, whole_ns)
        {
            // Refused, it runs where it may, only slower.
            self.is_tied = tied && stay_on(None, own);
            if !tied {
                go_anywhere(None);
            }
        }
        (self.began, self.slept_ns) = (now, 0);
    }
}

/// Whether to tie or to let go, if either.
fn verdict(is_tied: bool, slept_ns: i64, whole_ns: i64) -> Option<bool> {
    let tied = match is_tied {
        false => slept_ns * BUSY < whole_ns,
        true => (whole_ns - slept_ns) * CALM >= whole_ns,
    };
    (tied != is_tied).then_some(tied)
}

#[cfg(target_os = "linux")]
type Processors = rustix::thread::CpuSet;

#[cfg(not(target_os = "linux"))]
type Processors = ();

/// Lets a thread run wherever the process may, by its number or the calling one.
#[cfg(target_os = "linux")]
pub(super) fn go_anywhere(thread: Option<u64>) {
    use rustix::thread::{Pid, sched_getaffinity};
    // What the process is allowed may have changed meanwhile; its first thread is never tied.
    let first = Pid::from_raw(std::process::id().cast_signed());
    if let Ok(all) = sched_getaffinity(first) {
        stay_on(thread.and_then(|thread| Pid::from_raw(i32::try_from(thread).ok()?)), &all);
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn go_anywhere(_: Option<u64>) {}

/// The processors of a core; none where there are too few or the system cannot be asked.
#[cfg(target_os = "linux")]
fn own(core: usize, cores: usize) -> Option<Processors> {
    let all = rustix::thread::sched_getaffinity(None).ok()?;
    let processors: Vec<usize> = (0..Processors::MAX_CPU).filter(|&n| all.is_set(n)).collect();
    // Small graphs live on core 0: those of two processes should not meet on one processor.
    let turned = (core + std::process::id() as usize) % cores;
    let mut own = Processors::new();
    for &processor in &processors[part(turned, cores, processors.len())?] {
        own.set(processor);
    }
    Some(own)
}

#[cfg(not(target_os = "linux"))]
fn own(_: usize, _: usize) -> Option<Processors> {
    None
}

/// Says whether the system agreed.
#[cfg(target_os = "linux")]
fn stay_on(thread: Option<rustix::thread::Pid>, processors: &Processors) -> bool {
    rustix::thread::sched_setaffinity(thread, processors).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn stay_on(_: Option<u64>, _: &Processors) -> bool {
    false
}

/// The processors of one core, if there is at least one for each.
#[cfg_attr(
    not(any(target_os = "linux", test)),
    expect(dead_code, reason = "nobody to ask elsewhere")
)]
fn part(core: usize, cores: usize, processors: usize) -> Option<std::ops::Range<usize>> {
    let share = |n: usize| n * processors / cores;
    (cores <= processors).then(|| share(core)..share(core + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_processor_belongs_to_one_core() {
        for (cores, processors) in [(2, 2), (2, 5), (3, 16), (16, 16)] {
            let parts = (0..cores).map(|core| part(core, cores, processors).expect("enough"));
            let all: Vec<usize> =
                parts.inspect(|part| assert!(!part.is_empty())).flatten().collect();
            assert_eq!(all, (0..processors).collect::<Vec<_>>());
        }
    }

    #[test]
    fn too_many_cores_run_anywhere() {
        assert_eq!(part(1, 3, 2), None);
    }

    #[test]
    fn a_busy_core_is_tied_until_it_sleeps_most_of_the_time() {
        assert_eq!(verdict(false, 40, 100), Some(true));
        assert_eq!(verdict(false, 60, 100), None);
        assert_eq!(verdict(true, 60, 100), None, "what is tied stays so for longer");
        assert_eq!(verdict(true, 80, 100), Some(false));
    }
}
