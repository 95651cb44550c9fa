//! What is measured rather than read: the price of the clock, and how late a sleeper wakes.

use std::time::{Duration, Instant};

use crate::status::span;

use super::{Finding, Verdict};

const AREA: &str = "time";
/// Readings of the clock.
const READINGS: u32 = 20_000;
/// Naps, and how long each is.
const NAPS: usize = 250;
const NAP: Duration = Duration::from_millis(1);
/// A reading that takes longer is a call into the system.
const READING_NS: u128 = 250;
/// A wake-up that is later costs a 1 kHz graph its pace.
const LATE_NS: i64 = 1_000_000;

pub(super) fn look() -> Vec<Finding> {
    vec![reading(), naps()]
}

fn reading() -> Finding {
    let began = Instant::now();
    for _ in 0..READINGS {
        std::hint::black_box(Instant::now());
    }
    let each_ns = began.elapsed().as_nanos() / u128::from(READINGS);
    let finding = Finding::good(AREA, "reading", format!("reading the clock takes {each_ns} ns"));
    match each_ns > READING_NS {
        true => finding.but(
            Verdict::Bad,
            "each frame that is measured pays for it: let the system use the processor's own counter (clock source tsc)",
        ),
        false => finding,
    }
}

#[expect(clippy::disallowed_methods, reason = "how late a sleeper wakes is what is measured")]
fn naps() -> Finding {
    let mut late_ns: Vec<i64> = (0..NAPS)
        .map(|_| {
            let began = Instant::now();
            std::thread::sleep(NAP);
            (began.elapsed() - NAP).as_nanos() as i64
        })
        .collect();
    late_ns.sort_unstable();
    let (p50, p99) = (late_ns[NAPS / 2], late_ns[NAPS * 99 / 100]);
    let told =
        format!("who sleeps for 1 ms wakes {} late, 1 of 100 times {}", span(p50), span(p99));
    let finding = Finding::good(AREA, "wake", told);
    match p99 > LATE_NS {
        true => finding.but(
            Verdict::Bad,
            "the machine is busy, saves power, or is a virtual one that others share: loops of a millisecond will not be kept",
        ),
        false => finding,
    }
}
