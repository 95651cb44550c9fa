//! `edr`: breath from an electrocardiogram.
//!
//! Breathing moves the heart and the lungs between it and the electrodes, and so QRS complexes grow and
//! shrink with it. Of each beat
//!
//! ```text
//! e = √( Σ (x − mean)² / n )    over the ECG x from 80 ms before R to 80 ms after
//! ```
//!
//! and between beats a straight line. (The height of R alone is known to a few per cent only, at 100
//! samples per second hardly.)
//!
//! | port    | carries                                                                    |
//! |---------|----------------------------------------------------------------------------|
//! | `beats` | beats: as from `qrs`, or from `beat_class`, of which only normal ones count |
//! | `ecg`   | the ECG they were found in, its first channel; any unit                    |
//! | `out`   | a signal of `rate_hz`, at its whole multiples, in the unit of the ECG      |
//!
//! Which way it goes with breathing in depends on the lead. `bandpass` from 0.1 to 0.4 Hz shows the
//! breath alone, `breath` finds it.
//!
//! **Losses.** NaN where nothing is known: before the first beat, behind the last, and between beats 3 s
//! and more apart. A NaN in the ECG counts as
//! the last good sample; a beat with one part in twenty of its surroundings lost, or whose e is less than
//! half or more than twice the median of the last nine, does not count. A gap begins anew.
//!
//! **Delay.** None declared; a sample waits for the next beat, and is never older than 3.2 s
//! (`look_back`). **Cost**: a copy of every sample of the ECG, 100 operations a beat.

use engine::{
    Body, Channel, EventReader, Fault, FieldValue, Format, GapNotice, Io, Kind, Operator, Outline,
    Param, Policy, Port, Rate, SignalFormat, Timestamp,
};

use super::past::Past;
use crate::{
    bodies::load,
    math::state::{State, StateError},
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "edr",
    summary: "Breath from an ECG: how QRS complexes grow and shrink with it.",
    doc: "Of every beat the standard deviation of the ECG from 80 ms before R to 80 ms after, in its unit; \
          between beats a straight line, given at whole multiples of 1/rate_hz. Whether it rises or falls with \
          breathing in depends on the lead; `bandpass` from 0.1 to 0.4 Hz shows the breath alone. Where \
          beats have a class, only N count; nor does one whose value is less than half or more than twice \
          the median of the last nine, or of whose ECG a twentieth is lost. NaN before the first beat, behind the last and between beats 3 s and more \
          apart; a NaN in the ECG counts as the last good sample; a gap begins anew. Delay: none, but a \
          sample waits for the next beat (look-back 3.2 s). neurokit2's ecg_rsp takes the heart rate instead, \
          which breathes with the young only. On three recordings with a belt the rate of breaths differs by \
          1 % at most. Cost: a copy of every sample, 100 operations a beat. Source: Moody et al. 1985.",
    example: "rate_hz = 4.0",
    inputs: &[Port::event("beats").fed_by(&["qrs"]), Port::signal("ecg")],
    outputs: &[Port::signal("out")],
    params: &[&RATE_HZ],
    policy: Policy::Merge,
    timers: true,
    plan: |node| {
        super::watch::check_rate(node, "ecg", [60.0, 20_000.0], "QRS complexes")?;
        let rate = Rate::new(node.get(&RATE_HZ)?).expect("within range");
        let unit = node.signal("ecg").channels[0].unit;
        let channels = vec![Channel { name: "respiration".to_owned(), unit }];
        let frame_len = frame_len(rate);
        let format = SignalFormat { channels, rate, frame_len };
        Ok(Outline::of([Format::Signal(format.into())]).looking_back(WAIT_NS))
    },
    build: |node| {
        let signal = node.signal("ecg");
        let beats = node.input("beats").as_event().expect("the port takes events");
        let field = |name: &str| beats.fields.iter().position(|field| field.name == name);
        let past = Past::new(signal.rate, signal.frame_len);
        Ok(Body::operator(Derived {
            around: (AROUND_S * past.rate_hz()).round() as usize,
            past,
            rate: Rate::new(node.get(&RATE_HZ)?).expect("within range"),
            class: field("class"),
            is_beat: field("is_beat"),
            waiting: [0; WAITING],
            count: 0,
            recent: [0.0; RECENT],
            known: 0,
            last: None,
            next: None,
        }))
    },
    ..Kind::BASE
};

const RATE_HZ: Param<f64> =
    Param::with_default("rate_hz", 4.0, "Samples per second of what comes out.").within(1.0, 20.0);

/// Around R, on either side.
const AROUND_S: f64 = 0.080;
/// Beats so far apart have none known between them.
const APART_NS: i64 = 3_000_000_000;
/// From then on it is sure that no beat comes any more that ends such a time, with the ECG behind it.
const WAIT_NS: i64 = 3_200_000_000;
/// More beats than can wait for the ECG behind them.
const WAITING: usize = 16;
/// Beats whose median says what is usual, and how far off another may be.
const RECENT: usize = 9;
const USUAL: std::ops::RangeInclusive<f64> = 0.5..=2.0;
/// Of the surroundings of a beat, what may be lost.
const LOST_SHARE: f64 = 0.05;

/// What lies between two beats.
fn frame_len(rate: Rate) -> usize {
    (rate.hz() * APART_NS as f64 / 1e9).ceil() as usize + 1
}

struct Derived {
    past: Past,
    rate: Rate,
    /// Samples kept of the ECG on either side of R.
    around: usize,
    /// Fields of the beats.
    class: Option<usize>,
    is_beat: Option<usize>,
    /// When the beats were that wait for the ECG behind them, oldest first.
    waiting: [i64; WAITING],
    count: usize,
    /// What the last beats had, in a ring, and of how many it is known.
    recent: [f64; RECENT],
    known: u32,
    /// When the last beat that counts was, and what it had.
    last: Option<(i64, f64)>,
    /// Number of the next sample to come out.
    next: Option<i64>,
}

impl Derived {
    fn counts(&self, event: &EventReader<'_>) -> bool {
        let field = |number: Option<usize>| number.and_then(|number| event.field(number));
        let is_normal = match field(self.class) {
            Some(FieldValue::Text(class)) => class == "N",
            _ => true,
        };
        is_normal && field(self.is_beat) != Some(FieldValue::Bool(false))
    }

    fn beat(&mut self, io: &mut Io<'_>) {
        if !self.counts(&io.event()) {
            return;
        }
        if self.count == WAITING {
            self.drop_first();
        }
        self.waiting[self.count] = io.frame().header.time.nanos();
        self.count += 1;
    }

    fn drop_first(&mut self) -> i64 {
        let first = self.waiting[0];
        self.waiting.copy_within(1..self.count, 0);
        self.count -= 1;
        first
    }

    /// Measures the beats whose surroundings are known.
    fn measure_known(&mut self, io: &mut Io<'_>) {
        while self.count > 0 {
            let Some(r) = self.past.place(self.waiting[0]) else { return };
            if !self.past.has(r + self.around as i64) {
                return;
            }
            let time_ns = self.drop_first();
            if let Some(height) = self.height(r).filter(|height| self.is_usual(*height)) {
                self.tell_until(time_ns, height, io);
            }
        }
    }

    fn height(&self, r: i64) -> Option<f64> {
        let around = self.around as i64;
        let ecg = self.past.around(r, self.around, self.around)?;
        let lost = self.past.lost_until(r + around)? - self.past.lost_until(r - around)?;
        if lost as f64 > LOST_SHARE * ecg.len() as f64 {
            return None;
        }
        let mean = ecg.iter().map(|x| f64::from(*x)).sum::<f64>() / ecg.len() as f64;
        let square = ecg.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>();
        Some((square / ecg.len() as f64).sqrt()).filter(|height| *height > 0.0)
    }

    /// Whether the beats before had about as much.
    fn is_usual(&mut self, height: f64) -> bool {
        let known = self.recent.len().min(self.known as usize);
        let mut sorted = self.recent;
        sorted[..known].sort_by(f64::total_cmp);
        let median = if known == 0 { height } else { sorted[known / 2] };
        self.recent[self.known as usize % RECENT] = height;
        // Past the ring only the place in it counts.
        self.known =
            if self.known as usize + 1 == 2 * RECENT { RECENT as u32 } else { self.known + 1 };
        USUAL.contains(&(height / median))
    }

    /// Sends what lies between the last beat and this one.
    fn tell_until(&mut self, time_ns: i64, height: f64, io: &mut Io<'_>) {
        let (last_ns, last) = self.last.unwrap_or((i64::MIN, 0.0));
        let apart_ns = time_ns.saturating_sub(last_ns);
        let slope = (height - last) / apart_ns as f64;
        let value = |number: i64| {
            let since_ns = self.rate.span_ns(number).saturating_sub(last_ns);
            let is_known = apart_ns < APART_NS && since_ns >= 0;
            if is_known { (last + slope * since_ns as f64) as f32 } else { f32::NAN }
        };
        let end = self.number_from(time_ns + 1);
        self.send(end, value, io);
        self.next = self.next.map(|next| next.max(end));
        self.last = Some((time_ns, height));
    }

    /// Sends the samples before this number that were not sent.
    fn send(&self, end: i64, value: impl Fn(i64) -> f32, io: &mut Io<'_>) {
        let Some(mut first) = self.next else { return };
        while first < end {
            let len = (end - first).min(frame_len(self.rate) as i64);
            let mut buffer = io.signal(0, len as usize);
            let samples = buffer.floats_mut().expect("a fresh buffer has one holder");
            for (sample, number) in samples.iter_mut().zip(first..) {
                *sample = value(number);
            }
            io.send_buffer(0, Timestamp::from_nanos(self.rate.span_ns(first)), buffer);
            first += len;
        }
    }

    /// Number of the first sample that is not before a moment.
    fn number_from(&self, time_ns: i64) -> i64 {
        let near = (time_ns as f64 / self.rate.period_ns()).floor() as i64;
        let is_there = |number: &i64| self.rate.span_ns(*number) >= time_ns;
        (near - 1..).find(is_there).expect("numbers go on")
    }

    fn forget(&mut self) {
        (self.count, self.known, self.last, self.next) = (0, 0, None, None);
    }

    fn visit(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        self.past.visit(state)?;
        let mut count = self.count as u32;
        state.u32(&mut count)?;
        self.count = count as usize;
        self.waiting.iter_mut().try_for_each(|time_ns| state.i64(time_ns))?;
        self.recent.iter_mut().try_for_each(|height| state.f64(height))?;
        state.u32(&mut self.known)?;
        let (mut time_ns, mut height) =
            (self.last.map(|last| last.0), self.last.map_or(0.0, |l| l.1));
        state.time(&mut time_ns)?;
        state.f64(&mut height)?;
        self.last = time_ns.map(|time_ns| (time_ns, height));
        state.time(&mut self.next)?;
        state.demand(self.count <= WAITING && (self.known as usize) < 2 * RECENT)
    }
}

impl Operator for Derived {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        if io.port() == 0 {
            self.beat(io);
        } else {
            // Of this very frame: others may have come that wait for a beat.
            let time_ns = io.frame().header.time.nanos();
            // Also where nobody told of it: after a restart the state is that of the last save.
            if !self.past.goes_on_at(time_ns) {
                self.past.begin(time_ns);
                (self.count, self.last) = (0, None);
                let first = self.number_from(time_ns);
                self.next = Some(first.max(self.next.unwrap_or(first)));
            }
            self.past.take(io.frame().channel(0));
        }
        self.measure_known(io);
        Ok(())
    }

    fn due(&self) -> Option<Timestamp> {
        self.next.map(|next| Timestamp::from_nanos(self.rate.span_ns(next)).plus_nanos(WAIT_NS))
    }

    fn on_due(&mut self, _: Timestamp, io: &mut Io<'_>) -> Result<(), Fault> {
        if let Some(next) = self.next {
            self.send(next + 1, |_| f32::NAN, io);
            self.next = Some(next + 1);
        }
        Ok(())
    }

    fn flush(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        if let Some(end_ns) = self.past.end_ns() {
            let end = self.number_from(end_ns);
            self.send(end, |_| f32::NAN, io);
            self.next = self.next.map(|next| next.max(end));
        }
        Ok(())
    }

    fn gap(&mut self, _: &GapNotice, io: &mut Io<'_>) -> Result<(), Fault> {
        if io.port() == 1 {
            self.past.reset();
            self.forget();
        }
        // Without beats time goes on.
        (self.count, self.last) = (0, None);
        Ok(())
    }

    fn reset(&mut self) {
        self.past.reset();
        self.forget();
        (self.waiting, self.recent) = ([0; WAITING], [0.0; RECENT]);
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(1);
        let mut copy = Self { past: self.past.clone(), ..*self };
        copy.visit(&mut State::Save(into)).expect("only loading can fail");
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        load("is no state of `edr`", 1, from, |state| self.visit(state))
    }
}

#[cfg(test)]
mod tests {
    use engine::{EventWriter, Field, Frame, Header, testing::Bench};

    use super::*;

    const RATE_HZ: f64 = 250.0;

    /// R grows and shrinks by a tenth, every four seconds; beats at these moments.
    fn breathing(beats_s: &[f64], seconds: f64) -> Vec<f32> {
        let sample = |n: usize| {
            let now_s = n as f64 / RATE_HZ;
            let wave = |beat_s: &f64| {
                let height = 1.0 + 0.1 * (beat_s * std::f64::consts::TAU / 4.0).sin();
                height * (-0.5 * ((now_s - beat_s) / 0.012).powi(2)).exp()
            };
            beats_s.iter().map(wave).sum::<f64>() as f32
        };
        (0..(seconds * RATE_HZ) as usize).map(sample).collect()
    }

    /// Time and value of what comes out.
    fn derived(beats_s: &[f64], ecg: &[f32], frame: usize) -> Vec<(f64, f32)> {
        let format = Format::event(vec![Field::f64("rr_ms")], 10.0);
        let inputs = [("beats", format.clone()), ("ecg", Bench::channels(1, RATE_HZ))];
        let mut bench = Bench::with(&KIND, &inputs, "").expect("valid");
        let mut next = beats_s.iter().copied().peekable();
        let mut now_s = 0.0;
        for part in ecg.chunks(frame) {
            bench.push_samples(1, part);
            now_s += part.len() as f64 / RATE_HZ;
            while let Some(beat_s) = next.next_if(|beat_s| beat_s + 0.2 < now_s) {
                let event = EventWriter::new(format.as_event().expect("events")).finish();
                let time = Timestamp::from_nanos((beat_s * 1e9).round() as i64);
                bench.push(0, Frame::new(Header::at(time), event));
            }
            bench.promise(0, Timestamp::from_nanos(((now_s - 0.2) * 1e9) as i64));
            bench.run();
        }
        bench.flush();
        assert_eq!(bench.late(), 0);
        let samples = bench.take().into_iter().flat_map(|seen| {
            let first_s = seen.time().secs_f64();
            let samples = seen.frame.samples().to_vec();
            samples.into_iter().zip(0..).map(move |(x, n)| (first_s + f64::from(n) * 0.25, x))
        });
        samples.collect()
    }

    fn every(interval_s: f64, beats: usize) -> Vec<f64> {
        (0..beats).map(|n| 0.52 + interval_s * n as f64).collect()
    }

    #[test]
    fn it_goes_as_the_breath_goes_however_the_ecg_is_cut() {
        let beats_s = every(0.8, 40);
        let ecg = breathing(&beats_s, 34.0);
        let want = derived(&beats_s, &ecg, 5);
        // A bell of 1 mV and 12 ms has this standard deviation over 160 ms.
        let (mean, square) =
            (0.012 * std::f64::consts::TAU.sqrt(), 0.012 * std::f64::consts::PI.sqrt());
        let one = (square / 0.164 - (mean / 0.164).powi(2)).sqrt();
        for (now_s, value) in want.iter().filter(|(_, value)| !value.is_nan()) {
            let breath = 1.0 + 0.1 * (now_s * std::f64::consts::TAU / 4.0).sin();
            // A line between beats 0.8 s apart is off by 0.1 (0.8 · 2π/4)² / 8 at most.
            assert!((f64::from(*value) / one - breath).abs() < 0.025, "{now_s} s: {value}");
        }
        // Of 34 s those from the first beat at 0.52 s to the last at 31.72 s.
        let known = want.iter().filter(|(_, value)| !value.is_nan()).count();
        assert_eq!((want.len(), known), (136, 124));
        let bits = |signal: &[(f64, f32)]| -> Vec<u32> {
            signal.iter().map(|(_, value)| value.to_bits()).collect()
        };
        for frame in [1, 100, 2_000, 8_500] {
            assert_eq!(bits(&derived(&beats_s, &ecg, frame)), bits(&want), "frames of {frame}");
        }
    }

    #[test]
    fn where_no_beat_is_nothing_is_known_but_time_goes_on() {
        let mut beats_s = every(0.8, 10);
        beats_s.extend(every(0.8, 10).iter().map(|beat_s| beat_s + 13.0));
        let ecg = breathing(&beats_s, 22.0);
        let got = derived(&beats_s, &ecg, 10);
        for (n, (now_s, value)) in got.iter().enumerate() {
            assert_eq!(*now_s, got[0].0 + 0.25 * n as f64, "a sample every quarter of a second");
            let is_known = (0.52..=7.72).contains(now_s) || (13.52..=20.72).contains(now_s);
            assert_eq!(!value.is_nan(), is_known, "{now_s} s");
        }
    }

    #[test]
    fn a_beat_like_no_other_does_not_count() {
        let beats_s = every(0.8, 40);
        let mut ecg = breathing(&beats_s, 34.0);
        let at = (beats_s[20] * RATE_HZ) as usize;
        ecg[at - 20..at + 20].iter_mut().for_each(|x| *x *= 5.0);
        let got = derived(&beats_s, &ecg, 100);
        let most = got.iter().fold(0.0_f32, |most, (_, x)| most.max(*x));
        let least = got.iter().fold(f32::MAX, |least, (_, x)| least.min(*x));
        assert!(most / least < 1.3, "{least} to {most}");
    }
}
