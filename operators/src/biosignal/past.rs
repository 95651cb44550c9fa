//! The ECG of a moment ago, found again by time: for kinds that look at it around beats.

use engine::Rate;

use crate::bodies::goes_on;
use crate::math::state::{State, StateError};

/// Means of so many samples are kept that there are this many a second, or up to twice as many.
const INNER_HZ: f64 = 240.0;
/// Unmoved for so long is lost.
const FLAT_S: f64 = 1.0;
/// A beat that comes behind the ECG around it is at most this much older than the last frame.
const BEHIND_S: f64 = 0.5;

/// A ring of samples, and of how many before each were lost.
#[derive(Clone, Debug)]
pub(super) struct Past {
    rate: Rate,
    decimation: usize,
    flat_len: u32,
    /// Every sample twice, so that any part is one slice.
    samples: Vec<f32>,
    lost: Vec<i64>,
    /// Taken up from a saved state, with no frame since.
    is_loaded: bool,
    /// When the first sample was, if there was one.
    start_ns: Option<i64>,
    /// Samples taken since, and what of them makes the next inner one.
    taken: i64,
    sum: f32,
    /// The last good sample, and for how many it has not changed.
    held: f32,
    unmoved: u32,
    /// Samples lost so far.
    lost_so_far: i64,
}

impl Past {
    /// For frames of at most `frame_len` samples.
    pub(super) fn new(rate: Rate, frame_len: usize) -> Self {
        let decimation = (rate.hz() / INNER_HZ).floor().max(1.0) as usize;
        let inner_hz = rate.hz() / decimation as f64;
        let len = frame_len / decimation + (BEHIND_S * inner_hz) as usize + 2;
        Self {
            rate,
            decimation,
            flat_len: (FLAT_S * rate.hz()) as u32,
            samples: vec![0.0; 2 * len],
            lost: vec![0; len],
            is_loaded: false,
            start_ns: None,
            taken: 0,
            sum: 0.0,
            held: 0.0,
            unmoved: 0,
            lost_so_far: 0,
        }
    }

    /// Of the samples kept.
    pub(super) fn rate_hz(&self) -> f64 {
        self.rate.hz() / self.decimation as f64
    }

    /// Whether a frame that begins then goes on where the state ends; `begin` anew if not.
    pub(super) fn goes_on_at(&mut self, time_ns: i64) -> bool {
        let Some(start_ns) = self.start_ns else { return false };
        let off_ns = time_ns.saturating_sub(start_ns).saturating_sub(self.rate.span_ns(self.taken));
        let is_loaded = std::mem::take(&mut self.is_loaded);
        if !goes_on(off_ns.unsigned_abs(), is_loaded, self.rate.period_ns()) {
            return false;
        }
        // Frames stamped on arrival lie beside the grid of their rate: places go by the newest.
        if off_ns.unsigned_abs() as f64 > 0.5 * self.rate.period_ns() {
            self.start_ns = Some(start_ns + off_ns);
        }
        true
    }

    /// The moment just after the last sample, if there was one.
    pub(super) fn end_ns(&self) -> Option<i64> {
        self.start_ns.map(|start_ns| start_ns + self.rate.span_ns(self.taken))
    }

    /// Forgets everything, and goes on with a first sample at that time.
    pub(super) fn begin(&mut self, time_ns: i64) {
        self.reset();
        self.start_ns = Some(time_ns);
    }

    pub(super) fn reset(&mut self) {
        (self.is_loaded, self.start_ns, self.taken, self.sum) = (false, None, 0, 0.0);
        (self.held, self.unmoved, self.lost_so_far) = (0.0, 0, 0);
    }

    pub(super) fn take(&mut self, samples: &[f32]) {
        for sample in samples {
            let is_there = sample.is_finite() && sample.abs() < LARGEST;
            self.unmoved = if is_there && *sample != self.held {
                0
            } else {
                self.unmoved.saturating_add(1).min(self.flat_len)
            };
            self.lost_so_far += i64::from(!is_there || self.unmoved >= self.flat_len);
            if is_there {
                self.held = *sample;
            }
            self.sum += self.held;
            self.taken += 1;
            if self.taken % self.decimation as i64 == 0 {
                self.put(self.sum / self.decimation as f32);
                self.sum = 0.0;
            }
        }
    }

    fn put(&mut self, sample: f32) {
        let len = self.lost.len();
        let at = (self.taken / self.decimation as i64 - 1) as usize % len;
        self.samples[at] = sample;
        self.samples[at + len] = sample;
        self.lost[at] = self.lost_so_far;
    }

    /// The sample kept that is nearest to a moment; it may be still to come.
    pub(super) fn place(&self, time_ns: i64) -> Option<i64> {
        let since_ns = time_ns.checked_sub(self.start_ns?)?;
        let sample = since_ns as f64 / self.rate.period_ns();
        // The mean of some samples is of their middle.
        let decimation = self.decimation as f64;
        Some(((sample - 0.5 * (decimation - 1.0)) / decimation).round() as i64)
    }

    /// Whether a sample kept has been there.
    pub(super) fn has(&self, place: i64) -> bool {
        place < self.taken / self.decimation as i64
    }

    fn is_kept(&self, place: i64) -> bool {
        let end = self.taken / self.decimation as i64;
        place >= (end - self.lost.len() as i64).max(0) && place < end
    }

    /// The samples from `before` before a place to `after` after it, if all are kept.
    pub(super) fn around(&self, place: i64, before: usize, after: usize) -> Option<&[f32]> {
        let (first, last) = (place - before as i64, place + after as i64);
        if !self.is_kept(first) || !self.is_kept(last) {
            return None;
        }
        let first = first as usize % self.lost.len();
        Some(&self.samples[first..=first + before + after])
    }

    /// How many samples kept were lost until this place, in their number.
    pub(super) fn lost_until(&self, place: i64) -> Option<i64> {
        let lost = self.is_kept(place).then(|| self.lost[place as usize % self.lost.len()])?;
        Some(lost / self.decimation as i64)
    }

    pub(super) fn visit(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        state.time(&mut self.start_ns)?;
        self.is_loaded = self.start_ns.is_some();
        state.i64(&mut self.taken)?;
        state.f32(&mut self.sum)?;
        state.f32(&mut self.held)?;
        state.u32(&mut self.unmoved)?;
        state.i64(&mut self.lost_so_far)?;
        let len = self.lost.len();
        let (first, second) = self.samples.split_at_mut(len);
        state.f32s(first)?;
        second.copy_from_slice(first);
        self.lost.iter_mut().try_for_each(|lost| state.i64(lost))?;
        let (taken, lost) = (self.taken, self.lost_so_far);
        state.demand((0..1 << 62).contains(&taken) && (0..=taken).contains(&lost))?;
        state.demand(self.start_ns.is_some() || taken == 0)
    }
}

/// No sensor means more; squares of it must fit into `f32` sums.
const LARGEST: f32 = 1e15;
