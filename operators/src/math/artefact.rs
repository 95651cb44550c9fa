//! What is no brain in an electroencephalogram: seven things that give themselves away.
//!
//! Samples are in microvolts; each limit of 0 is no limit.
//!
//! | reason     | seen by                                                                       |
//! |------------|-------------------------------------------------------------------------------|
//! | `flat`     | peak to peak over `flat_s` at most `flat_uv`: an electrode that is off          |
//! | `rail`     | a sample at least `rail_uv` from zero: an amplifier at its end                  |
//! | `swing`    | peak to peak over `window_s` above `peak_to_peak_uv`                            |
//! | `gradient` | a step steeper than `gradient_uv_per_ms`: an electrode that pops                |
//! | `mains`    | amplitude at `mains_hz` over 0.2 s above `mains_uv`                             |
//! | `muscle`   | root mean square above 30 Hz, less the hum, over 0.2 s above `muscle_uv`        |
//! | `blink`    | 1 to 10 Hz, where blinks are, further from zero than `blink_uv`                 |
//! | `missing`  | no number                                                                      |
//!
//! A sample that is no number is the last good one for everything else. Windows that are not full yet
//! see what they have; `flat` waits. Each window forgets exactly, the filters within seconds.

use super::{
    band::Band,
    butterworth,
    cascade::Cascade,
    sine::Sine,
    sliding::{Merge, Sliding, Sum},
    sliding_sum::SlidingSum,
    sos::magnitude,
    state::{State, StateError},
};

/// What gave itself away: a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reasons(pub u8);

/// All reasons, each with its bit, in order.
pub const REASONS: [&str; 8] =
    ["flat", "rail", "swing", "gradient", "mains", "muscle", "blink", "missing"];

const FLAT: u8 = 0;
const RAIL: u8 = 1;
const SWING: u8 = 2;
const GRADIENT: u8 = 3;
const MAINS: u8 = 4;
const MUSCLE: u8 = 5;
const BLINK: u8 = 6;
const MISSING: u8 = 7;

impl Reasons {
    /// Nothing.
    pub const NONE: Self = Self(0);

    /// What is in one or the other.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Their names.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        REASONS.into_iter().enumerate().filter(move |(n, _)| self.0 >> n & 1 == 1).map(|(_, r)| r)
    }

    fn add(&mut self, reason: u8, is_so: bool) {
        self.0 |= u8::from(is_so) << reason;
    }
}

/// Where brain ends.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "the table above says what they are")]
pub struct Limits {
    pub flat_uv: f64,
    pub flat_s: f64,
    pub rail_uv: f64,
    pub peak_to_peak_uv: f64,
    pub window_s: f64,
    pub gradient_uv_per_ms: f64,
    pub mains_uv: f64,
    pub mains_hz: f64,
    pub muscle_uv: f64,
    pub blink_uv: f64,
}

/// Watches one channel.
#[derive(Clone, Debug)]
pub struct Watch {
    limits: Limits,
    /// The largest step from one sample to the next.
    step_uv: f64,
    flat: Sliding<Extent>,
    swing: Sliding<Extent>,
    fast: Option<Cascade>,
    /// Of what is fast: cosine and sine parts, and the sine itself with its quadrature.
    hum: Option<(SlidingSum, [Sine; 2])>,
    /// How much of a hum is fast.
    hum_gain: f64,
    muscle_power: Sliding<Sum>,
    blink: Option<Cascade>,
    seen: u64,
    last: f64,
    /// The first good sample: filters begin as if it had been there before.
    first: Option<f64>,
}

const FAST_HZ: f64 = 30.0;
const FAST_S: f64 = 0.2;
const BLINK_HZ: [f64; 2] = [1.0, 10.0];
/// Beyond this no electrode is: what is larger would ring in the filters for longer.
const LARGEST_UV: f64 = 1e7;

impl Watch {
    /// For so many samples per second. What lies above half of them is not looked for.
    pub fn new(limits: Limits, rate_hz: f64) -> Self {
        let samples = |seconds: f64| ((seconds * rate_hz).round() as usize).max(1);
        let room = |is_used: bool, seconds: f64| if is_used { samples(seconds) } else { 1 };
        let filter = |is_used: bool, band: Band| {
            let sections = is_used.then(|| butterworth::design(2, band, rate_hz));
            sections.and_then(Result::ok).map(Cascade::new)
        };
        let [low_hz, high_hz] = BLINK_HZ;
        let hum_hz = limits.mains_hz;
        let is_fast = limits.mains_uv > 0.0 || limits.muscle_uv > 0.0;
        let band = Band::HighPass { cutoff_hz: FAST_HZ };
        let has_hum = is_fast && hum_hz < 0.5 * rate_hz;
        let sections = is_fast.then(|| butterworth::design(2, band, rate_hz).ok()).flatten();
        let hum_gain = sections.as_ref().map_or(1.0, |fast| magnitude(fast, rate_hz, hum_hz));
        let power_s = if limits.muscle_uv > 0.0 { FAST_S } else { 0.0 };
        Self {
            step_uv: limits.gradient_uv_per_ms * 1e3 / rate_hz,
            flat: Sliding::new(room(limits.flat_uv > 0.0, limits.flat_s)),
            swing: Sliding::new(room(limits.peak_to_peak_uv > 0.0, limits.window_s)),
            hum: has_hum.then(|| {
                let sines = [0.25, 0.0].map(|phase| Sine::new(hum_hz, rate_hz, phase));
                (SlidingSum::new(samples(FAST_S), 2), sines)
            }),
            hum_gain,
            fast: sections.map(Cascade::new),
            muscle_power: Sliding::new(samples(power_s)),
            blink: filter(limits.blink_uv > 0.0, Band::BandPass { low_hz, high_hz }),
            seen: 0,
            last: 0.0,
            first: None,
            limits,
        }
    }

    /// Takes the next sample and says what it gives away.
    pub fn push(&mut self, sample: f64) -> Reasons {
        let mut found = Reasons::NONE;
        let is_number = sample.is_finite();
        found.add(MISSING, !is_number);
        let sample = if is_number { sample.clamp(-LARGEST_UV, LARGEST_UV) } else { self.last };
        if self.first.is_none() && is_number {
            self.begin(sample);
        }
        if self.first.is_none() {
            return found;
        }

        let Limits { flat_uv, rail_uv, peak_to_peak_uv, mains_uv, muscle_uv, .. } = self.limits;
        found.add(GRADIENT, self.step_uv > 0.0 && (sample - self.last).abs() > self.step_uv);
        found.add(RAIL, rail_uv > 0.0 && sample.abs() >= rail_uv);
        self.last = sample;
        self.seen += 1;
        let flat = self.flat.push(Extent::of(sample)).width();
        let is_full = self.seen >= self.flat.len() as u64;
        found.add(FLAT, flat_uv > 0.0 && is_full && flat <= flat_uv);
        let swing = self.swing.push(Extent::of(sample)).width();
        found.add(SWING, peak_to_peak_uv > 0.0 && swing > peak_to_peak_uv);
        if let Some(fast) = &mut self.fast {
            let fast = fast.push(sample);
            let hum_uv = self.hum(fast);
            found.add(MAINS, mains_uv > 0.0 && hum_uv > mains_uv * self.hum_gain);
            let power = self.muscle_power.push(Sum::of(fast * fast)).mean();
            // A hum in it has half the square of its amplitude.
            let rest = power - 0.5 * hum_uv * hum_uv;
            found.add(MUSCLE, muscle_uv > 0.0 && rest > muscle_uv * muscle_uv);
        }
        if let Some(blink) = &mut self.blink {
            found.add(BLINK, blink.push(sample).abs() > self.limits.blink_uv);
        }
        found
    }

    fn begin(&mut self, sample: f64) {
        (self.first, self.last) = (Some(sample), sample);
        for filter in [&mut self.fast, &mut self.blink].into_iter().flatten() {
            filter.settle(sample);
        }
    }

    /// The amplitude of the hum in the last 0.2 s of what is fast.
    fn hum(&mut self, sample: f64) -> f64 {
        let Some((sums, sines)) = &mut self.hum else { return 0.0 };
        let mut parts = sines.map(|sine| sample * sine.at(self.seen));
        sums.push(&mut parts);
        2.0 / sums.count() as f64 * parts[0].hypot(parts[1])
    }

    /// As made.
    pub fn reset(&mut self) {
        self.flat.reset();
        self.swing.reset();
        self.muscle_power.reset();
        if let Some((sums, _)) = &mut self.hum {
            sums.reset();
        }
        for filter in [&mut self.fast, &mut self.blink].into_iter().flatten() {
            filter.reset();
        }
        (self.seen, self.last, self.first) = (0, 0.0, None);
    }

    /// Appends the state: always as many bytes.
    pub(crate) fn save(&self, into: &mut Vec<u8>) {
        self.flat.save(into);
        self.swing.save(into);
        self.muscle_power.save(into);
        if let Some((sums, _)) = &self.hum {
            sums.save(into);
        }
        let mut state = State::Save(into);
        let mut copy = (self.fast.clone(), self.blink.clone(), self.seen, self.last, self.first);
        let (fast, blink, seen, last, first) = &mut copy;
        visit(&mut state, [fast, blink], seen, last, first).expect("saving never fails");
    }

    /// Goes on from a saved state.
    pub(crate) fn load(&mut self, from: &mut State<'_>) -> Result<(), StateError> {
        self.flat.load(from)?;
        self.swing.load(from)?;
        self.muscle_power.load(from)?;
        if let Some((sums, _)) = &mut self.hum {
            sums.load(from)?;
        }
        let filters = [&mut self.fast, &mut self.blink];
        visit(from, filters, &mut self.seen, &mut self.last, &mut self.first)
    }
}

fn visit(
    state: &mut State<'_>,
    filters: [&mut Option<Cascade>; 2],
    seen: &mut u64,
    last: &mut f64,
    first: &mut Option<f64>,
) -> Result<(), StateError> {
    for filter in filters.into_iter().flatten() {
        filter.visit(state)?;
    }
    state.u64(seen)?;
    state.f64(last)?;
    state.optional(first, |state, first| state.f64(first))
}

/// How far samples reach.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Extent {
    low: f64,
    high: f64,
}

impl Extent {
    fn of(sample: f64) -> Self {
        Self { low: sample, high: sample }
    }

    fn width(self) -> f64 {
        self.high - self.low
    }
}

impl Merge for Extent {
    const NOTHING: Self = Self { low: f64::INFINITY, high: f64::NEG_INFINITY };

    fn merge(self, later: Self) -> Self {
        Self { low: self.low.min(later.low), high: self.high.max(later.high) }
    }

    fn numbers(&mut self) -> impl Iterator<Item = &mut f64> {
        [&mut self.low, &mut self.high].into_iter()
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;
    use crate::math::random::Random;

    const LIMITS: Limits = Limits {
        flat_uv: 1.0,
        flat_s: 0.5,
        rail_uv: 3_000.0,
        peak_to_peak_uv: 150.0,
        window_s: 0.5,
        gradient_uv_per_ms: 50.0,
        mains_uv: 30.0,
        mains_hz: 50.0,
        muscle_uv: 20.0,
        blink_uv: 75.0,
    };
    const RATE_HZ: f64 = 250.0;

    /// Four seconds of quiet brain: white noise of 5 µV and alpha of 20 µV on an offset.
    fn brain() -> Vec<f64> {
        let mut random = Random::new(3);
        let alpha = |n: usize| 20.0 * (TAU * 10.0 * n as f64 / RATE_HZ).sin();
        (0..1_000).map(|n| 1_500.0 + 5.0 * random.normals().0 + alpha(n)).collect()
    }

    /// What is found from the third second on, with the sample of the first.
    fn found(limits: Limits, disturb: impl Fn(usize, f64) -> f64) -> (Reasons, Option<usize>) {
        let mut watch = Watch::new(limits, RATE_HZ);
        let (mut all, mut first) = (Reasons::NONE, None);
        for (n, sample) in brain().into_iter().enumerate() {
            let sample = if n < 500 { sample } else { disturb(n - 500, sample) };
            let found = watch.push(sample);
            assert!(n >= 500 || found == Reasons::NONE, "{found:?} at {n}");
            all = all.or(found);
            first = first.or((found != Reasons::NONE).then_some(n.saturating_sub(500)));
        }
        (all, first)
    }

    fn names(reasons: Reasons) -> Vec<&'static str> {
        reasons.names().collect()
    }

    #[test]
    fn a_quiet_brain_gives_nothing_away() {
        assert_eq!(found(LIMITS, |_, x| x), (Reasons::NONE, None));
    }

    #[test]
    fn each_disturbance_is_found_for_what_it_is() {
        let wave = |hz: f64, n: usize| (TAU * hz * n as f64 / RATE_HZ).sin();
        let (flat, at) = found(LIMITS, |_, _| 1_500.0);
        assert_eq!(names(flat), ["flat"]);
        assert_eq!(at, Some(124), "half a second is 125 samples");
        // Alpha and this hum together swing by less than 150 µV.
        assert_eq!(names(found(LIMITS, |n, x| x + 40.0 * wave(50.0, n)).0), ["mains"]);
        let random = std::cell::RefCell::new(Random::new(9));
        let muscle = found(LIMITS, |_, x| x + 30.0 * random.borrow_mut().normals().0).0;
        assert!(names(muscle).contains(&"muscle") && !names(muscle).contains(&"mains"));
        // A blink: 120 µV for 0.3 s.
        let blink =
            |n: usize| if n < 75 { 60.0 - 60.0 * (TAU * n as f64 / 75.0).cos() } else { 0.0 };
        assert!(names(found(LIMITS, |n, x| x + blink(n)).0).contains(&"blink"));
        let steep = found(LIMITS, |n, x| if n == 3 { x + 260.0 } else { x });
        assert!(names(steep.0).starts_with(&["swing", "gradient"]) && steep.1 == Some(3));
        assert!(names(found(LIMITS, |_, _| 3_000.0).0).contains(&"rail"));
        assert_eq!(names(found(LIMITS, |n, x| if n == 7 { f64::NAN } else { x }).0), ["missing"]);
    }

    #[test]
    fn what_is_off_finds_nothing() {
        let off = Limits {
            flat_uv: 0.0,
            rail_uv: 0.0,
            peak_to_peak_uv: 0.0,
            gradient_uv_per_ms: 0.0,
            mains_uv: 0.0,
            muscle_uv: 0.0,
            blink_uv: 0.0,
            ..LIMITS
        };
        assert_eq!(found(off, |n, _| 1e5 * (n % 7) as f64), (Reasons::NONE, None));
    }

    #[test]
    fn a_hum_counts_from_its_amplitude_on() {
        for (amplitude, is_found) in [(29.99, false), (30.01, true)] {
            let mut watch = Watch::new(LIMITS, RATE_HZ);
            let hum = |n: usize| 1e4 + amplitude * (TAU * 50.0 * n as f64 / RATE_HZ + 0.4).sin();
            let found = (0..500).map(|n| watch.push(hum(n))).last().expect("some");
            // 0.2 s have a whole number of periods, and the high-pass has forgotten the offset.
            assert_eq!(names(found).contains(&"mains"), is_found, "{amplitude}");
        }
    }
}
