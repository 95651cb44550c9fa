//! [`Stopwatch`]: moments within a turn, read from the processor's tick counter.
//!
//! A sink asks for the moment once per frame, and the system's clock takes 25 ns for the answer,
//! the counter seven. The first moment of a turn comes from the clock, the others are that plus the
//! ticks since; after a million ticks the clock is asked anew. So nothing adds up: within those
//! 0.3 ms the rate of the counter, measured over ten milliseconds, is off by some nanoseconds.
//!
//! Used on x86-64 where the counter runs at one rate whatever the processor does (the *invariant
//! TSC*, `CPUID` 8000_0007h); elsewhere, and for a clock moved by hand, the clock is asked each time.

use std::{
    sync::{Mutex, OnceLock},
    time::{Duration, Instant},
};

use crate::time::{Clock, Timestamp};

/// Ticks after which the clock is asked anew.
const TICKS_MAX: u64 = 1 << 20;
/// Ticks within which clock and counter must have been read to belong together.
const APART_MAX: u64 = 1 << 10;
/// The rate of the counter is measured over this at least.
const MEASURED_OVER: Duration = Duration::from_millis(10);
/// And over this at most.
const MEASURED_WITHIN: Duration = Duration::from_secs(1);
/// A busy machine may come in between for a while.
const FAILED_MAX: u32 = 64;
/// Ticks are turned into nanoseconds by a product and a shift.
const SHIFT: u32 = 32;

/// Tells moments of one thread and one turn.
#[derive(Debug, Default)]
pub(crate) struct Stopwatch {
    began: Timestamp,
    at: u64,
    /// Nanoseconds per tick, times two to the power of [`SHIFT`]; 0 where the clock must be asked.
    ns_per_tick: u64,
}

impl Stopwatch {
    /// What `clock` says now, to some nanoseconds.
    #[inline]
    pub(crate) fn now(&mut self, clock: &Clock) -> Timestamp {
        if self.ns_per_tick > 0 {
            let ticks = ticks().wrapping_sub(self.at);
            if ticks < TICKS_MAX {
                return self.began.plus_nanos(((ticks * self.ns_per_tick) >> SHIFT) as i64);
            }
        }
        self.start(clock)
    }

    /// The next moment comes from the clock.
    pub(crate) fn stop(&mut self) {
        self.ns_per_tick = 0;
    }

    fn start(&mut self, clock: &Clock) -> Timestamp {
        self.ns_per_tick = 0;
        if let Clock::System(_) = clock
            && let Some(ns_per_tick) = ns_per_tick()
        {
            let before = ticks();
            self.began = clock.now();
            self.at = ticks();
            if self.at.wrapping_sub(before) < APART_MAX {
                self.ns_per_tick = ns_per_tick;
            }
            return self.began;
        }
        clock.now()
    }
}

/// The rate of the counter, once it is known. Where it cannot be had, however often it is tried, the clock is asked
/// from then on.
fn ns_per_tick() -> Option<u64> {
    static RATE: OnceLock<Option<u64>> = OnceLock::new();
    static MEASURING: Mutex<Measuring> = Mutex::new(Measuring { began: None, failed: 0 });
    if let Some(known) = RATE.get() {
        return *known;
    }
    // Else another thread is at it.
    let found = MEASURING.try_lock().ok()?.look()?;
    *RATE.get_or_init(|| found)
}

/// On the way to the rate of the counter.
struct Measuring {
    began: Option<(Instant, u64)>,
    failed: u32,
}

impl Measuring {
    /// The rate, nothing if it cannot be had, or neither as yet.
    fn look(&mut self) -> Option<Option<u64>> {
        if !is_steady() || self.failed == FAILED_MAX {
            return Some(None);
        }
        match self.began {
            // So long ago that the machine may have slept in between.
            Some((then, _)) if then.elapsed() > MEASURED_WITHIN => self.began = None,
            Some((then, _)) if then.elapsed() < MEASURED_OVER => return None,
            Some(began) => {
                self.began = None;
                if let Some(rate) = rate_since(began) {
                    return Some(Some(rate));
                }
                self.failed += 1;
            }
            None => {}
        }
        self.began = read_both();
        self.failed += u32::from(self.began.is_none());
        None
    }
}

fn rate_since((then, at): (Instant, u64)) -> Option<u64> {
    let (now, ticks) = read_both()?;
    let ns = now.duration_since(then).as_nanos();
    let rate = (ns << SHIFT).checked_div(u128::from(ticks.wrapping_sub(at)))?;
    // A counter of 62 MHz to 16 GHz: anything else is none.
    let likely = 1 << (SHIFT - 4)..1 << (SHIFT + 4);
    u64::try_from(rate).ok().filter(|rate| likely.contains(rate))
}

/// The clock and the counter at one moment, unless something came in between each time.
fn read_both() -> Option<(Instant, u64)> {
    (0..8).find_map(|_| {
        let before = ticks();
        let now = Instant::now();
        let after = ticks();
        (after.wrapping_sub(before) < APART_MAX).then_some((now, before.midpoint(after)))
    })
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn ticks() -> u64 {
    #![expect(unsafe_code, reason = "an intrinsic without preconditions on this architecture")]
    // SAFETY: every x86-64 processor has the instruction. (A program that has forbidden it to itself
    // ends here with a signal, which is what it asked for.)
    unsafe { std::arch::x86_64::_rdtsc() }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn ticks() -> u64 {
    0
}

/// Whether the counter runs at one rate, whatever the processor does. Asked once: on a virtual machine the
/// instruction goes to whoever runs that, and takes microseconds.
#[cfg(target_arch = "x86_64")]
fn is_steady() -> bool {
    use std::arch::x86_64::__cpuid;
    const POWER: u32 = 0x8000_0007;
    static IS: OnceLock<bool> = OnceLock::new();
    *IS.get_or_init(|| __cpuid(0x8000_0000).eax >= POWER && __cpuid(POWER).edx & (1 << 8) != 0)
}

#[cfg(not(target_arch = "x86_64"))]
fn is_steady() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::ManualClock;

    #[test]
    fn it_says_what_the_clock_says() {
        let clock = Clock::system();
        let mut watch = Stopwatch::default();
        let (briefly, at_last) = (Duration::from_millis(60), Duration::from_secs(10));
        let (briefly, at_last) = (clock.now() + briefly, clock.now() + at_last);
        let (mut last, mut counted) = (Timestamp::MIN, 0);
        while last < briefly || (counted == 0 && is_steady() && last < at_last) {
            let before = clock.now();
            let told = watch.now(&clock);
            let after = clock.now();
            counted += usize::from(watch.ns_per_tick > 0);
            // One part in a thousand of a third of a millisecond, and what two clocks differ by.
            assert!(told.since(before) > -1_000 && told.since(after) < 1_000, "{told:?}");
            last = after;
        }
        let is_fast = read_both().is_some();
        assert_eq!(counted > 0, is_steady() && is_fast, "the counter is used where it can be");
    }

    #[test]
    fn a_clock_moved_by_hand_is_asked_each_time() {
        let manual = ManualClock::new();
        let clock = Clock::Manual(manual.clone());
        let mut watch = Stopwatch::default();
        for _ in 0..100 {
            assert_eq!(watch.now(&clock), clock.now());
            manual.advance(Duration::from_nanos(7));
        }
    }
}
