//! [`Wave`]: a signal on its way to a page, no finer than a screen shows it.

use std::collections::VecDeque;

use data_encoding::BASE64;
use engine::{Frame, Header, Rate, SignalFormat, Timestamp};
use serde::Serialize;

/// Signals up to this rate go sample by sample; of faster ones the least and the largest of each while.
const RATE_MAX_HZ: f64 = 1_000.0;
/// Whiles in a second: five seconds on twice as many points as the widest screen is likely to have.
const WHILES_HZ: f64 = 500.0;
/// Channels that are shown of one signal.
pub(super) const CHANNELS_MAX: usize = 8;
/// Values of a channel that wait for the next tick; at full speed the newest are shown.
const VALUES_MAX: usize = 8_192;
/// Parts of it that wait: of a signal that is torn at every frame the newest.
const PARTS_MAX: usize = 512;
/// A frame goes on where the one before ended if it begins within so long of that, besides one sample and a half.
const JITTER_NS: i64 = 100_000;

/// See the module.
pub(super) struct Wave {
    rate: Rate,
    channels: usize,
    /// Samples of a while; one where every sample goes.
    width: usize,
    parts: VecDeque<Part>,
    /// Values of a channel in all parts.
    waits: usize,
    /// Where the next frame begins if nothing is missing before it.
    due: Option<Timestamp>,
    /// The while that is being filled: how many samples it has, when it began, least and largest by channel.
    filled: usize,
    began: Timestamp,
    extents: Vec<(f32, f32)>,
}

/// Values that follow each other.
struct Part {
    start: Timestamp,
    /// Whether it goes on where the one before ended.
    follows: bool,
    gap: Option<&'static str>,
    channels: Vec<Vec<f32>>,
}

/// As it is told.
#[derive(Serialize)]
pub(super) struct Told {
    step_s: f64,
    /// Whether values come in pairs of the least and the largest.
    pairs: bool,
    parts: Vec<ToldPart>,
}

#[derive(Serialize)]
struct ToldPart {
    t_s: f64,
    follows: bool,
    gap: Option<&'static str>,
    /// Little endian, as base64.
    channels: Vec<String>,
}

const NOTHING: (f32, f32) = (f32::INFINITY, f32::NEG_INFINITY);

impl Wave {
    pub(super) fn new(format: &SignalFormat) -> Self {
        let channels = format.channels.len().min(CHANNELS_MAX);
        let rate_hz = format.rate.hz();
        let whiles = (rate_hz / WHILES_HZ).ceil();
        Self {
            rate: format.rate,
            channels,
            width: if rate_hz <= RATE_MAX_HZ { 1 } else { whiles as usize },
            parts: VecDeque::new(),
            waits: 0,
            due: None,
            filled: 0,
            began: Timestamp::MIN,
            extents: vec![NOTHING; channels],
        }
    }

    /// Takes a frame, before which frames may have been missed.
    pub(super) fn take(&mut self, frame: &Frame, missed: u64) {
        let Header { time, gap, .. } = frame.header;
        let near = self.rate.span_ns(3) / 2 + JITTER_NS;
        let is_due = self.due.is_some_and(|due| (time.nanos() - due.nanos()).abs() <= near);
        let follows = is_due && missed == 0 && gap.is_none();
        if !follows {
            let missing =
                if missed > 0 { Some("missed here") } else { gap.get().map(|g| g.word()) };
            self.filled = 0;
            self.extents.fill(NOTHING);
            self.part(time, false, missing);
        } else if self.parts.is_empty() {
            let start = if self.filled > 0 { self.began } else { time };
            self.part(start, true, None);
        }
        match self.width {
            1 => self.whole(frame),
            _ => self.whiles(frame),
        }
        self.due =
            Some(Timestamp::from_nanos(time.nanos() + self.rate.span_ns(frame.len() as i64)));
        self.make_room();
    }

    fn part(&mut self, start: Timestamp, follows: bool, gap: Option<&'static str>) {
        let channels = vec![Vec::new(); self.channels];
        // What has begun and brought nothing gives way to what begins now.
        let is_empty = |part: &Part| part.channels.first().is_none_or(Vec::is_empty);
        let before = self.parts.pop_back_if(|part| is_empty(part));
        let follows = follows && before.as_ref().is_none_or(|part| part.follows);
        let gap = gap.or(before.and_then(|part| part.gap));
        self.parts.push_back(Part { start, follows, gap, channels });
    }

    /// Every sample.
    fn whole(&mut self, frame: &Frame) {
        let part = self.parts.back_mut().expect("there is one by now");
        for (number, channel) in part.channels.iter_mut().enumerate() {
            channel.extend_from_slice(frame.channel(number));
        }
        self.waits += frame.len();
    }

    /// The least and the largest of each while.
    fn whiles(&mut self, frame: &Frame) {
        let part = self.parts.back_mut().expect("there is one by now");
        let len = frame.len();
        for (number, values) in part.channels.iter_mut().enumerate() {
            let mut samples = frame.channel(number);
            let (mut extent, mut filled) = (self.extents[number], self.filled);
            while !samples.is_empty() {
                let (now, rest) = samples.split_at(samples.len().min(self.width - filled));
                extent = extent_of(extent, now);
                filled += now.len();
                samples = rest;
                if filled == self.width {
                    // Where no sample was a number there is nothing to draw.
                    let is_known = extent.0 <= extent.1;
                    let (low, high) = if is_known { extent } else { (f32::NAN, f32::NAN) };
                    values.extend([low, high]);
                    (extent, filled) = (NOTHING, 0);
                }
            }
            self.extents[number] = extent;
        }
        let whiles = (self.filled + len) / self.width;
        if whiles > 0 || self.filled == 0 {
            let ahead = (whiles * self.width) as i64 - self.filled as i64;
            let began = frame.header.time.nanos() + self.rate.span_ns(ahead.max(0));
            self.began = Timestamp::from_nanos(began);
        }
        self.filled = (self.filled + len) % self.width;
        self.waits += 2 * whiles;
    }

    /// Lets the oldest go where too much waits.
    fn make_room(&mut self) {
        let each = if self.width == 1 { 1 } else { 2 };
        while self.parts.len() > PARTS_MAX {
            let gone = self.parts.pop_front();
            self.waits -= gone.and_then(|part| Some(part.channels.first()?.len())).unwrap_or(0);
        }
        while self.waits > VALUES_MAX {
            let is_last = self.parts.len() == 1;
            let Some(part) = self.parts.front_mut() else { return };
            let has = part.channels.first().map_or(0, Vec::len);
            let over = (self.waits - VALUES_MAX).next_multiple_of(each);
            if has <= over && !is_last {
                self.parts.pop_front();
                self.waits -= has;
                continue;
            }
            let over = over.min(has);
            part.channels.iter_mut().for_each(|channel| drop(channel.drain(..over)));
            let samples = (over / each * self.width) as i64;
            part.start = Timestamp::from_nanos(part.start.nanos() + self.rate.span_ns(samples));
            self.waits -= over;
        }
        if let Some(first) = self.parts.front_mut() {
            first.follows &= self.waits < VALUES_MAX;
        }
    }

    /// What has come since it was told last, if something has.
    pub(super) fn told(&mut self) -> Option<Told> {
        let each = if self.width == 1 { 1 } else { 2 };
        let part = |part: Part| ToldPart {
            t_s: part.start.secs_f64(),
            follows: part.follows,
            gap: part.gap,
            channels: part.channels.iter().map(|channel| encoded(channel)).collect(),
        };
        let told: Vec<ToldPart> = self.parts.drain(..).map(part).collect();
        self.waits = 0;
        (!told.is_empty()).then(|| Told {
            step_s: self.width as f64 / self.rate.hz(),
            pairs: each == 2,
            parts: told,
        })
    }
}

/// Least and largest of samples and what was before; what is no number does not count.
fn extent_of(before: (f32, f32), samples: &[f32]) -> (f32, f32) {
    samples.iter().fold(before, |(low, high), &sample| (low.min(sample), high.max(sample)))
}

fn encoded(values: &[f32]) -> String {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    BASE64.encode(&bytes)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use engine::{Format, Gap, Unit};

    use super::*;

    fn wave(rate_hz: f64) -> Wave {
        let rate = Rate::new(rate_hz).expect("a rate");
        let Format::Signal(format) = Format::signal(1, Unit::UNKNOWN, rate, 1 << 16) else {
            unreachable!("it is one")
        };
        Wave::new(&Arc::unwrap_or_clone(format))
    }

    fn frame(time_s: f64, samples: &[f32]) -> Frame {
        Frame::signal(Timestamp::from_nanos((time_s * 1e9).round() as i64), 1, samples)
    }

    /// Start, whether it follows, why not, and values of each part.
    fn parts(wave: &mut Wave) -> Vec<(f64, bool, Option<&'static str>, Vec<f32>)> {
        let told = wave.told().map_or(Vec::new(), |told| told.parts);
        let part = |part: ToldPart| {
            let bytes = BASE64.decode(part.channels[0].as_bytes()).expect("base64");
            let value = |raw: &[u8]| f32::from_le_bytes(raw.try_into().expect("four bytes"));
            (part.t_s, part.follows, part.gap, bytes.chunks(4).map(value).collect())
        };
        told.into_iter().map(part).collect()
    }

    #[test]
    fn slow_signals_go_sample_by_sample_and_go_on_over_ticks() {
        let mut wave = wave(100.0);
        wave.take(&frame(0.0, &[1.0, 2.0]), 0);
        wave.take(&frame(0.02, &[3.0]), 0);
        assert_eq!(parts(&mut wave), [(0.0, false, None, vec![1.0, 2.0, 3.0])]);
        assert_eq!(parts(&mut wave), []);
        wave.take(&frame(0.03, &[4.0]), 0);
        assert_eq!(parts(&mut wave), [(0.03, true, None, vec![4.0])]);
    }

    #[test]
    fn what_is_missing_begins_a_part_and_says_why() {
        let mut wave = wave(100.0);
        wave.take(&frame(0.0, &[1.0]), 0);
        wave.take(&frame(1.0, &[2.0]), 0);
        wave.take(&frame(1.01, &[3.0]), 4);
        let mut behind = frame(1.02, &[4.0]);
        behind.header.gap = Some(Gap::Source).into();
        wave.take(&behind, 0);
        let said: Vec<_> = parts(&mut wave).into_iter().map(|part| (part.0, part.2)).collect();
        let source = Some(Gap::Source.word());
        assert_eq!(said, [(0.0, None), (1.0, None), (1.01, Some("missed here")), (1.02, source)]);
    }

    #[test]
    fn of_fast_signals_nothing_narrow_is_overlooked_wherever_frames_end() {
        let samples: Vec<f32> = (0..10_000).map(|n| ((n * 37) % 1_009) as f32).collect();
        let mut all = Vec::new();
        for lengths in [vec![10_000], vec![1; 10_000], vec![7, 100, 9_893]] {
            let mut wave = wave(10_000.0);
            let (mut at, mut values) = (0, Vec::new());
            for length in lengths {
                wave.take(&frame(at as f64 / 1e4, &samples[at..at + length]), 0);
                at += length;
                if at % 3 == 0 {
                    values.extend(parts(&mut wave).into_iter().flat_map(|part| part.3));
                }
            }
            values.extend(parts(&mut wave).into_iter().flat_map(|part| part.3));
            all.push(values);
        }
        let extents = samples.chunks(20).map(|of| extent_of(NOTHING, of));
        let want: Vec<f32> = extents.flat_map(|(low, high)| [low, high]).collect();
        assert!(all.iter().all(|values| *values == want), "{} values", all[0].len());
    }

    #[test]
    fn a_while_that_was_begun_before_a_tick_stands_where_it_began() {
        let mut wave = wave(10_000.0);
        wave.take(&frame(0.0, &[0.0; 30]), 0);
        parts(&mut wave);
        wave.take(&frame(0.003, &[1.0; 30]), 0);
        assert_eq!(parts(&mut wave), [(0.002, true, None, vec![0.0, 1.0, 1.0, 1.0])]);
    }

    #[test]
    fn what_is_torn_at_every_frame_is_bounded() {
        // Frames of less than a while each, and of one sample, none of which goes on.
        for (rate_hz, len) in [(16_000.0, 16), (250.0, 1)] {
            let mut wave = wave(rate_hz);
            for n in 0..100_000 {
                wave.take(&frame(f64::from(n), &vec![1.0; len]), 0);
            }
            assert!(wave.parts.len() <= PARTS_MAX, "{}", wave.parts.len());
            let told = parts(&mut wave);
            assert_eq!(told.last().map(|part| part.0), Some(99_999.0), "the newest");
            assert!(told.iter().all(|part| !part.1), "none goes on");
        }
    }

    #[test]
    fn at_full_speed_the_newest_are_kept() {
        let mut wave = wave(250.0);
        for second in 0..1_000 {
            let samples = [second as f32; 250];
            wave.take(&frame(f64::from(second), &samples), 0);
        }
        let told = parts(&mut wave);
        let values: usize = told.iter().map(|part| part.3.len()).sum();
        assert_eq!(values, VALUES_MAX);
        let first = &told[0];
        assert!((first.0 - (1_000.0 - VALUES_MAX as f64 / 250.0)).abs() < 1e-9, "{}", first.0);
        assert!(!first.1 && first.3[0] == first.0.floor() as f32);
    }
}
