//! Moments, rates and the one place that reads a clock.
//!
//! Everything below this module is *told* the time: a [`Timestamp`] comes in as
//! an argument, so a whole graph can run on a [`ManualClock`] in a test.

use std::{
    fmt,
    ops::{Add, Sub},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

/// Nanoseconds on a time line: the session's for content, the host's monotonic
/// one for latency.
///
/// Covers 292 years either side of zero; arithmetic saturates at the ends,
/// which also serve as "before everything" and "after everything".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The start of the time line.
    pub const ZERO: Self = Self(0);
    /// Before everything.
    pub const MIN: Self = Self(i64::MIN);
    /// After everything: the bound of a stream that has ended.
    pub const MAX: Self = Self(i64::MAX);

    /// The moment `nanos` nanoseconds after zero.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// The moment `seconds` after zero, rounded to the nearest nanosecond.
    pub fn from_secs_f64(seconds: f64) -> Self {
        Self((seconds * 1e9).round() as i64)
    }

    /// Nanoseconds since zero.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Seconds since zero; exact to a nanosecond for 104 days either side.
    pub fn secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// This moment moved by a signed number of nanoseconds.
    #[must_use]
    pub const fn plus_nanos(self, nanos: i64) -> Self {
        Self(self.0.saturating_add(nanos))
    }

    /// Signed nanoseconds from `earlier` to this moment.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        self.plus_nanos(nanos_of(span))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        self.plus_nanos(-nanos_of(span))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::MIN => f.write_str("MIN"),
            Self::MAX => f.write_str("MAX"),
            Self(nanos) => write!(f, "{nanos} ns"),
        }
    }
}

fn nanos_of(span: Duration) -> i64 {
    i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)
}

/// Samples per second: finite and above zero.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Rate(f64);

impl Rate {
    /// The rate `hz`, or `None` unless it is finite and lies in 1e-6 ..= 1e9.
    pub fn new(hz: f64) -> Option<Self> {
        (1e-6..=1e9).contains(&hz).then_some(Self(hz))
    }

    /// Samples per second.
    pub const fn hz(self) -> f64 {
        self.0
    }

    /// The time between two samples in nanoseconds.
    pub fn period_ns(self) -> f64 {
        1e9 / self.0
    }

    /// The time `samples` samples take, in nanoseconds rounded to nearest.
    ///
    /// Exact for every whole rate and every count below 2⁶³ / 10⁹ seconds of
    /// data; for other rates the error stays below one nanosecond for 2⁵³
    /// nanoseconds (104 days) and grows by rounding of `f64` beyond.
    pub fn span_ns(self, samples: i64) -> i64 {
        let rate = self.0 as i64;
        if rate as f64 == self.0 {
            // What fits needs one division instead of two.
            if samples.unsigned_abs() < 1 << 33 {
                return (samples * 1_000_000_000 + rate / 2).div_euclid(rate);
            }
            let (whole, rest) = (samples.div_euclid(rate), samples.rem_euclid(rate));
            // `rest < rate <= 1e9`, so the product stays below 1e18.
            whole
                .saturating_mul(1_000_000_000)
                .saturating_add((rest * 1_000_000_000 + rate / 2) / rate)
        } else {
            (samples as f64 * 1e9 / self.0).round() as i64
        }
    }

    /// Whole samples in a span, rounded to nearest; never negative.
    pub fn samples_in(self, span: Duration) -> usize {
        (self.0 * span.as_secs_f64()).round() as usize
    }
}

/// As written where that is short; of what was measured or divided, five digits.
impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const LETTERS_MAX: usize = 9;
        let exact = self.0.to_string();
        if exact.len() <= LETTERS_MAX {
            return f.write_str(&exact);
        }
        let rounded: f64 = format!("{:.4e}", self.0).parse().expect("a number as Rust writes it");
        write!(f, "{rounded}")
    }
}

/// Where the samples of a stream lie in time, independent of how the stream is
/// cut into frames.
///
/// Frame times are rounded to nanoseconds, so adding a rounded span to a
/// rounded start would depend on where frames begin. The grid counts samples
/// from the first one instead. A frame that is further off than rounding can
/// explain (a gap, a clock that was corrected) starts the grid anew.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    rate: Rate,
    /// Nanoseconds per sample where that is a whole number, else 0: a product
    /// is cheaper than a division.
    period_ns: i64,
    anchor: Timestamp,
    start: i64,
    next: i64,
    /// The moment of sample `next`: asked for more often than it changes.
    end: Timestamp,
}

impl Grid {
    /// Two roundings to the nanosecond, one here and one where the frame was made.
    const ROUNDING_NS: i64 = 2;

    /// A grid that waits for its first frame.
    pub fn new(rate: Rate) -> Self {
        let period = rate.period_ns();
        let whole = period.fract() == 0.0 && period * rate.hz() == 1e9;
        let period_ns = if whole { period as i64 } else { 0 };
        Self { rate, period_ns, anchor: Timestamp::MIN, start: 0, next: 0, end: Timestamp::MIN }
    }

    /// The time `samples` samples take.
    pub(crate) fn span_ns(&self, samples: i64) -> i64 {
        if self.period_ns == 0 { self.rate.span_ns(samples) } else { self.period_ns * samples }
    }

    /// Takes note of a frame of `len` samples whose first lies at `time`.
    pub fn enter(&mut self, time: Timestamp, len: usize) {
        if self.anchor == Timestamp::MIN || time.since(self.end).abs() > Self::ROUNDING_NS {
            self.anchor = time;
            self.next = 0;
        }
        self.start = self.next;
        self.go_to(self.next + len as i64);
    }

    fn go_to(&mut self, next: i64) {
        self.next = next;
        self.end = self.anchor.plus_nanos(self.span_ns(next));
    }

    /// Forgets the frame entered last, of `len` samples, so that its parts can be entered.
    pub(crate) fn rewind(&mut self, len: usize) {
        self.go_to(self.next - len as i64);
    }

    /// The moment of the sample `offset` samples after the first of the frame
    /// entered last; negative offsets reach back into earlier frames.
    pub fn time_of(&self, offset: i64) -> Timestamp {
        self.anchor.plus_nanos(self.span_ns(self.start + offset))
    }

    /// As [`Grid::time_of`], with a part of a sample added.
    pub fn time_between(&self, offset: i64, part: f64) -> Timestamp {
        self.time_of(offset).plus_nanos((part * self.rate.period_ns()).round() as i64)
    }

    /// The moment just after the frame entered last.
    pub const fn end(&self) -> Timestamp {
        self.end
    }

    /// The rate of the stream.
    pub const fn rate(&self) -> Rate {
        self.rate
    }
}

/// A monotonic clock: the system's, or one that a test moves by hand.
#[derive(Clone, Debug)]
pub enum Clock {
    /// Counts from the moment it was made.
    System(Instant),
    /// Stands still until told otherwise.
    Manual(ManualClock),
}

impl Clock {
    /// Whether it stands still until somebody sets it.
    pub const fn is_manual(&self) -> bool {
        matches!(self, Self::Manual(_))
    }

    /// The system's clock, zero now.
    pub fn system() -> Self {
        Self::System(Instant::now())
    }

    /// The same clock, counting from a moment of this one; not for one that a test moves, which stays as
    /// it is.
    #[must_use]
    pub fn counting_from(&self, zero: Timestamp) -> Self {
        let Self::System(start) = self else { return self.clone() };
        let by = Duration::from_nanos(zero.0.unsigned_abs());
        let moved = if zero.0 < 0 { start.checked_sub(by) } else { start.checked_add(by) };
        Self::System(moved.unwrap_or(*start))
    }

    /// Nanoseconds since the clock was made. About 25 ns for the system's.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System(start) => Timestamp(nanos_of(start.elapsed())),
            Self::Manual(clock) => clock.now(),
        }
    }
}

/// A clock that only moves when told. Clones show the same time.
#[derive(Clone, Debug, Default)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// A clock that stands at zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// The time it was set to.
    pub fn now(&self) -> Timestamp {
        // Pairs with the Release in `set`: what was done before the clock moved is visible.
        Timestamp(self.0.load(Ordering::Acquire))
    }

    /// Moves the clock; it never goes backwards.
    pub fn set(&self, now: Timestamp) {
        // Pairs with the Acquire in `now`.
        self.0.fetch_max(now.0, Ordering::Release);
    }

    /// Goes to the time of somebody else, who may be behind: of another core that is simulated.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn go_to(&self, now: Timestamp) {
        self.0.store(now.0, Ordering::Release);
    }

    /// Moves the clock forward by `span`.
    pub fn advance(&self, span: Duration) {
        self.set(self.now() + span);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_rate_is_exact_after_a_century() {
        let rate = Rate::new(360.0).expect("valid");
        let century_s = 100 * 365 * 86_400;

        assert_eq!(rate.span_ns(360 * century_s), century_s * 1_000_000_000);
        assert_eq!(rate.span_ns(1), 2_777_778);
        assert_eq!(rate.span_ns(-1), -2_777_778);
    }

    #[test]
    fn sample_times_do_not_depend_on_where_frames_begin() {
        let rate = Rate::new(360.0).expect("valid");
        let mut whole = Grid::new(rate);
        whole.enter(Timestamp::ZERO, 1_000);

        let mut cut = Grid::new(rate);
        let mut at = 0;
        for len in [7, 13, 1, 479, 500] {
            cut.enter(Timestamp::from_nanos(rate.span_ns(at)), len as usize);
            for offset in 0..len {
                assert_eq!(cut.time_of(offset), whole.time_of(at + offset));
            }
            at += len;
        }
        assert_eq!(cut.end(), whole.end());
    }

    #[test]
    fn a_gap_starts_the_grid_anew() {
        let mut grid = Grid::new(Rate::new(250.0).expect("valid"));
        grid.enter(Timestamp::ZERO, 10);
        grid.enter(Timestamp::from_nanos(1_000_000_001), 10);

        assert_eq!(grid.time_of(1), Timestamp::from_nanos(1_004_000_001));
    }

    #[test]
    fn a_rate_is_written_with_the_digits_that_count() {
        let written = [250.0, 16_000.0, 128.125, 204.799_987_669_615_04, 1e6 / 7.0, 1.0 / 3.0, 1e9];
        let written = written.map(|hz| Rate::new(hz).expect("possible").to_string());

        let short = ["250", "16000", "128.125", "204.8", "142860", "0.33333", "1000000000"];
        assert_eq!(written, short);
    }

    #[test]
    fn impossible_rates_are_refused() {
        for hz in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e10] {
            assert_eq!(Rate::new(hz), None, "{hz}");
        }
    }
}
