//! [`Trace`]: one channel of a signal. All of it coarsely, as the least and the largest of each while; its first
//! and its newest seconds sample by sample.

use std::collections::VecDeque;

use engine::{Channel, Frame, Rate, Unit};

/// Whiles that the whole is cut into, at most; half of it at least once there is enough.
const WHILES_MAX: usize = 2_048;
/// A while is at least so long: half a pixel of an hour.
const WHILE_NS: i64 = 20_000_000;
/// Seconds, and samples at most, that are kept at either end.
const STRIP_S: f64 = 10.0;
const STRIP_SAMPLES: usize = 200_000;
/// Gaps that are kept.
const GAPS_MAX: usize = 1_000;

/// See the module.
#[derive(Debug)]
pub(crate) struct Trace {
    channel: usize,
    pub(crate) name: String,
    /// Empty where nobody knows.
    pub(crate) unit: String,
    rate: Rate,
    /// The least and the largest of each while from time zero on; nothing where no sample was a number.
    whiles: Vec<Option<(f32, f32)>>,
    while_ns: i64,
    pub(crate) first: Strip,
    pub(crate) last: Strip,
    /// When something was missing, in seconds.
    pub(crate) gaps_s: Vec<f64>,
}

/// Samples in a row, or nearly: where some are missing they are not a number.
#[derive(Debug)]
pub(crate) struct Strip {
    samples: VecDeque<f32>,
    start_s: f64,
    step_s: f64,
    most: usize,
    /// Once it is full the oldest make room; else it stays as it is.
    is_last: bool,
}

impl Strip {
    fn new(rate: Rate, is_last: bool) -> Self {
        let most = ((STRIP_S * rate.hz()).ceil() as usize).clamp(2, STRIP_SAMPLES);
        Self { samples: VecDeque::new(), start_s: 0.0, step_s: 1.0 / rate.hz(), most, is_last }
    }

    /// Takes samples from `time_s` on; what is missing before them is not a number.
    fn push(&mut self, time_s: f64, samples: &[f32]) {
        if self.samples.len() == self.most && !self.is_last {
            return;
        }
        let missing = ((time_s - self.end_s()) / self.step_s).round();
        if self.samples.is_empty() || (self.is_last && missing.abs() > self.most as f64) {
            self.samples.clear();
            self.start_s = time_s;
        } else {
            let missing = missing.clamp(0.0, self.most as f64) as usize;
            (0..missing).for_each(|_| self.push_one(f32::NAN));
        }
        samples.iter().for_each(|&sample| self.push_one(sample));
    }

    fn push_one(&mut self, sample: f32) {
        if self.samples.len() == self.most {
            if !self.is_last {
                return;
            }
            self.samples.pop_front();
            self.start_s += self.step_s;
        }
        self.samples.push_back(sample);
    }

    /// Just behind the last sample.
    pub(crate) fn end_s(&self) -> f64 {
        self.start_s + self.samples.len() as f64 * self.step_s
    }

    /// When it begins.
    pub(crate) const fn start_s(&self) -> f64 {
        self.start_s
    }

    /// Seconds and value of each sample.
    pub(crate) fn samples(&self) -> impl Iterator<Item = (f64, f32)> + '_ {
        let at = |n: usize| self.start_s + n as f64 * self.step_s;
        self.samples.iter().enumerate().map(move |(n, &sample)| (at(n), sample))
    }
}

impl Trace {
    pub(super) fn new(channel: usize, what: &Channel, rate: Rate) -> Self {
        Self {
            channel,
            name: what.name.clone(),
            // A number has none.
            unit: Some(what.unit.to_string())
                .filter(|unit| what.unit != Unit::UNKNOWN && unit != "1")
                .unwrap_or_default(),
            rate,
            whiles: Vec::new(),
            while_ns: WHILE_NS,
            first: Strip::new(rate, false),
            last: Strip::new(rate, true),
            gaps_s: Vec::new(),
        }
    }

    pub(super) fn take(&mut self, frame: &Frame) {
        let (time, samples) = (frame.header.time, frame.channel(self.channel));
        if frame.header.gap.is_some() && self.gaps_s.len() < GAPS_MAX {
            self.gaps_s.push(time.secs_f64());
        }
        self.first.push(time.secs_f64(), samples);
        self.last.push(time.secs_f64(), samples);
        for (n, &sample) in samples.iter().enumerate() {
            self.note(time.nanos() + self.rate.span_ns(n as i64), sample);
        }
    }

    fn note(&mut self, at_ns: i64, sample: f32) {
        let Ok(at_ns) = u64::try_from(at_ns) else { return };
        while at_ns / self.while_ns as u64 >= WHILES_MAX as u64 {
            let both = |pair: &[Option<(f32, f32)>]| pair.iter().copied().reduce(wider).flatten();
            self.whiles = self.whiles.chunks(2).map(both).collect();
            self.while_ns *= 2;
        }
        let number = (at_ns / self.while_ns as u64) as usize;
        if number >= self.whiles.len() {
            self.whiles.resize(number + 1, None);
        }
        if sample.is_finite() {
            let here = &mut self.whiles[number];
            *here = wider(*here, Some((sample, sample)));
        }
    }

    /// When each while begins, in seconds, and its least and largest.
    pub(crate) fn whiles(&self) -> impl Iterator<Item = (f64, Option<(f32, f32)>)> + '_ {
        let step_s = self.while_ns as f64 / 1e9;
        self.whiles.iter().enumerate().map(move |(n, &range)| (n as f64 * step_s, range))
    }
}

/// What holds both.
fn wider(one: Option<(f32, f32)>, other: Option<(f32, f32)>) -> Option<(f32, f32)> {
    match (one, other) {
        (Some(one), Some(other)) => Some((one.0.min(other.0), one.1.max(other.1))),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use engine::{Buffer, Gap, Header, Timestamp};

    use super::*;

    fn trace(rate_hz: f64) -> Trace {
        let channel = Channel { name: "c".to_owned(), unit: Unit::UNKNOWN };
        Trace::new(0, &channel, Rate::new(rate_hz).expect("a rate"))
    }

    fn frame(time_s: f64, samples: &[f32]) -> Frame {
        let time = Timestamp::from_nanos((time_s * 1e9) as i64);
        Frame::new(Header::at(time), Buffer::of_floats(samples, samples.len()))
    }

    #[test]
    fn the_whole_is_kept_in_so_many_whiles_however_long_it_is() {
        let mut trace = trace(10.0);
        for second in 0..4_000 {
            let samples: Vec<f32> = (0..10).map(|n| (second * 10 + n) as f32).collect();
            trace.take(&frame(f64::from(second), &samples));
        }
        let whiles: Vec<_> = trace.whiles().collect();
        assert!(whiles.len() > WHILES_MAX / 2 && whiles.len() <= WHILES_MAX, "{}", whiles.len());
        // A sample every 100 ms.
        let first_from = |at_ns: i64| (at_ns + 99_999_999) / 100_000_000;
        for (number, (_, range)) in (0..).zip(whiles) {
            let (low, high) = range.expect("every while has samples");
            let [begins_ns, ends_ns] = [number, number + 1].map(|n: i64| n * trace.while_ns);
            assert_eq!(low as i64, first_from(begins_ns));
            assert_eq!(high as i64, first_from(ends_ns).min(40_000) - 1);
        }
    }

    #[test]
    fn both_ends_are_kept_sample_by_sample_and_what_is_missing_is_seen() {
        let mut trace = trace(10.0);
        for second in 0..30 {
            let mut frame = frame(f64::from(second), &[second as f32; 10]);
            if second == 25 {
                frame.header.gap = Some(Gap::Source).into();
                continue;
            }
            trace.take(&frame);
        }
        let first: Vec<_> = trace.first.samples().collect();
        assert_eq!((first[0], first.len()), ((0.0, 0.0), 100));
        let last: Vec<_> = trace.last.samples().collect();
        assert_eq!(last.len(), 100);
        assert!((last[0].0 - 20.0).abs() < 1e-6 && last[0].1 == 20.0, "{:?}", last[0]);
        assert_eq!(last.iter().filter(|(_, sample)| sample.is_nan()).count(), 10);
        assert!((last[99].0 - 29.9).abs() < 1e-6 && last[99].1 == 29.0);
    }

    #[test]
    fn a_gap_is_noted_where_it_ends() {
        let mut trace = trace(10.0);
        trace.take(&frame(0.0, &[1.0]));
        let mut behind = frame(5.0, &[1.0]);
        behind.header.gap = Some(Gap::Source).into();
        trace.take(&behind);
        assert_eq!(trace.gaps_s, [5.0]);
    }
}
