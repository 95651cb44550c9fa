//! Which processors a core's thread may run on.
//!
//! Two threads that sleep most of the time look light to a scheduler, which leaves both on one
//! processor: then one looks for work where the other should make it, and every frame between them
//! waits for a switch. So the processors the process may use are dealt out in equal parts, and a
//! core's thread moves within its own.

/// Keeps the calling thread on part `core` of `cores`. Where there are fewer processors than cores,
/// or the system cannot be asked, it may run anywhere.
#[cfg(target_os = "linux")]
pub(super) fn stay_on(core: usize, cores: usize) {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    let Ok(allowed) = sched_getaffinity(None) else { return };
    let processors: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|&n| allowed.is_set(n)).collect();
    let Some(part) = part(core, cores, processors.len()) else { return };
    let mut own = CpuSet::new();
    for &processor in &processors[part] {
        own.set(processor);
    }
    // Refused, it runs where it may, only slower.
    let _ = sched_setaffinity(None, &own);
}

#[cfg(not(target_os = "linux"))]
pub(super) fn stay_on(_: usize, _: usize) {}

/// The processors of one core, if there is at least one for each of several cores.
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "nobody to ask elsewhere"))]
fn part(core: usize, cores: usize, processors: usize) -> Option<std::ops::Range<usize>> {
    let share = |n: usize| n * processors / cores;
    (1 < cores && cores <= processors).then(|| share(core)..share(core + 1))
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
    fn a_single_core_and_too_many_run_anywhere() {
        assert_eq!(part(0, 1, 8), None);
        assert_eq!(part(1, 3, 2), None);
    }
}
