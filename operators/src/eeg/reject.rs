//! `reject`: what is no brain in an EEG is marked, and taken out.
//!
//! Each channel is watched for what electrodes, amplifiers, eyes and muscles do; see
//! [`crate::math::artefact`] for how each is seen.
//!
//! ```text
//! in       ~~~~~~~~~~/\/\/\~~~~~~~~~~~~~~~~~~~
//! bad               ├────┤
//! rejected      ├───┴────┴──────┤
//!            before_ms     after_ms
//! ```
//!
//! | port     | carries                                                                        |
//! |----------|--------------------------------------------------------------------------------|
//! | `in`     | an EEG in V, mV or µV, any number of channels                                    |
//! | `out`    | the same; what is rejected is NaN, or the last good sample, or as it was         |
//! | `marks`  | per channel 0, or the sum of its reasons: 1 flat, 2 rail, 4 swing, 8 gradient, 16 mains, 32 muscle, 64 blink, 128 missing |
//! | `events` | where a stretch begins and ends                                                 |
//!
//! **Delay**: `before_ms`, by which the runtime puts the times back; the output spans what the input
//! does. **NaN**: is `missing`. **Cost**: some 50 ns a sample and channel.

use engine::{
    Body, Channel, Code, Diagnostic, Diagnostics, Fault, Field, Format, GapNotice, Io, Kind, Node,
    Operator, Outline, Param, Port, SignalFormat, Unit,
};

use crate::{
    bodies,
    math::{
        artefact::{Limits, Reasons, Watch},
        state::{State, StateError},
    },
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "reject",
    summary: "What is no brain in an EEG is marked, and taken out.",
    doc: "Each channel is watched for `flat` (peak to peak over flat_s at most flat_uv, MNE's flat), \
          `rail` (rail_uv from zero), `swing` (peak to peak over window_s above peak_to_peak_uv, MNE's \
          reject), `gradient` (a step above gradient_uv_per_ms, as Brain Vision Analyzer has it), \
          `mains` (amplitude at mains_hz in the last 0.2 s above mains_uv), `muscle` (root mean square \
          above 30 Hz less the hum, over 0.2 s, above muscle_uv), `blink` (1 to 10 Hz further from zero \
          than blink_uv) and `missing` (NaN); a limit of 0 is none, and what lies above half the sample \
          rate is not looked for. From before_ms before to after_ms after, out is NaN (`action = \
          \"nan\"`), the last good sample (`\"hold\"`) or as it was (`\"mark\"`); with `scope = \"all\"` in \
          all channels. `marks` is the sum of 1 flat, 2 rail, 4 swing, 8 gradient, 16 mains, 32 muscle, \
          64 blink, 128 missing; `events` tells where a stretch begins (with its first reasons) and ends \
          (with all of them and its length). Slow drifts are swing: put a `bandpass` or high-pass in \
          front. A channel without a unit is in microvolts. Delay: before_ms, subtracted from the times \
          by the runtime. NaN: is missing. Cost: about 50 ns a sample and channel.",
    example: "action = \"mark\"\npeak_to_peak_uv = 400.0\nwindow_s = 0.2\nafter_ms = 100.0\n\
              muscle_uv = 0.0\nblink_uv = 0.0",
    inputs: &[Port::signal("in")],
    outputs: &[Port::like("out", "in"), Port::signal("marks"), Port::event("events")],
    params: &[
        &ACTION,
        &SCOPE,
        &FLAT_UV,
        &FLAT_S,
        &RAIL_UV,
        &PEAK_TO_PEAK_UV,
        &WINDOW_S,
        &GRADIENT_UV_PER_MS,
        &MAINS_UV,
        &MAINS_HZ,
        &MUSCLE_UV,
        &BLINK_UV,
        &BEFORE_MS,
        &AFTER_MS,
    ],
    plan,
    build: |node| {
        let signal = node.signal("in");
        let rate_hz = signal.rate.hz();
        let samples = |ms: f64| (ms * rate_hz / 1e3).round() as usize;
        let (before, limits) = (samples(node.get(&BEFORE_MS)?), limits(node)?);
        let channels = signal.channels.iter().map(|channel| Watched {
            name: channel.name.clone(),
            uv: microvolts(channel.unit).unwrap_or(1.0),
            watch: Watch::new(limits, rate_hz),
            past: vec![0.0; before].into(),
            held: 0.0,
            stretch: Stretch::default(),
        });
        Ok(Body::operator(Reject {
            channels: channels.collect(),
            action: match node.get(&ACTION)? {
                "hold" => Action::Hold,
                "mark" => Action::Mark,
                _ => Action::Nan,
            },
            together: node.get(&SCOPE)? == "all",
            after: (before + samples(node.get(&AFTER_MS)?)) as u64,
            frame_len: signal.frame_len,
            period_ms: 1e3 / rate_hz,
            taken: 0,
            began: 0,
        }))
    },
    ..Kind::BASE
};

const ACTION: Param<&str> =
    Param::with_default("action", "nan", "What becomes of what is rejected.")
        .one_of(&["nan", "hold", "mark"]);
const SCOPE: Param<&str> =
    Param::with_default("scope", "each", "Whether a bad channel rejects itself or all.")
        .one_of(&["each", "all"]);
const FLAT_UV: Param<f64> =
    Param::with_default("flat_uv", 1.0, "Peak to peak of an electrode that is off.")
        .within(0.0, 1e6);
const FLAT_S: Param<f64> =
    Param::with_default("flat_s", 0.5, "For so long it is flat.").within(0.01, 60.0);
const RAIL_UV: Param<f64> = Param::with_default(
    "rail_uv",
    0.0,
    "End of the amplifier's range on both sides; 0 where it is not known.",
)
.within(0.0, 1e7);
const PEAK_TO_PEAK_UV: Param<f64> =
    Param::with_default("peak_to_peak_uv", 150.0, "Brain swings no further.").within(0.0, 1e7);
const WINDOW_S: Param<f64> =
    Param::with_default("window_s", 0.5, "Within so long.").within(0.001, 60.0);
const GRADIENT_UV_PER_MS: Param<f64> =
    Param::with_default("gradient_uv_per_ms", 50.0, "Brain is no steeper.").within(0.0, 1e6);
const MAINS_UV: Param<f64> =
    Param::with_default("mains_uv", 30.0, "Largest amplitude of hum.").within(0.0, 1e6);
const MAINS_HZ: Param<f64> =
    Param::with_default("mains_hz", 50.0, "Frequency of hum.").within(1.0, 1e5);
const MUSCLE_UV: Param<f64> =
    Param::with_default("muscle_uv", 20.0, "Largest root mean square above 30 Hz.")
        .within(0.0, 1e6);
const BLINK_UV: Param<f64> =
    Param::with_default("blink_uv", 75.0, "Largest deflection from 1 to 10 Hz.").within(0.0, 1e6);
const BEFORE_MS: Param<f64> = Param::with_default(
    "before_ms",
    0.0,
    "So much before something is rejected too, and all is told so much later.",
)
.within(0.0, 10_000.0);
const AFTER_MS: Param<f64> =
    Param::with_default("after_ms", 300.0, "So much after something is rejected too.")
        .within(0.0, 60_000.0);

fn limits(node: &Node<'_>) -> Result<Limits, Diagnostic> {
    Ok(Limits {
        flat_uv: node.get(&FLAT_UV)?,
        flat_s: node.get(&FLAT_S)?,
        rail_uv: node.get(&RAIL_UV)?,
        peak_to_peak_uv: node.get(&PEAK_TO_PEAK_UV)?,
        window_s: node.get(&WINDOW_S)?,
        gradient_uv_per_ms: node.get(&GRADIENT_UV_PER_MS)?,
        mains_uv: node.get(&MAINS_UV)?,
        mains_hz: node.get(&MAINS_HZ)?,
        muscle_uv: node.get(&MUSCLE_UV)?,
        blink_uv: node.get(&BLINK_UV)?,
    })
}

/// How many microvolts one of a unit is; an unknown unit is a microvolt.
fn microvolts(unit: Unit) -> Option<f64> {
    if unit == Unit::UNKNOWN { Some(1.0) } else { unit.factor_to(Unit::named("uV")) }
}

/// Nobody blinks as often, and electrodes that pop for longer are one stretch.
const EVENTS_PER_SECOND_MAX: f64 = 20.0;

fn plan(node: &Node<'_>) -> Result<Outline, Diagnostics> {
    let input = node.signal("in");
    if let Some(odd) = input.channels.iter().find(|channel| microvolts(channel.unit).is_none()) {
        let place = &node.inputs()[0].place;
        let message = format!("`{}` is in {}, not in volts", odd.name, odd.unit);
        let problem = Diagnostic::error(Code::UnitMismatch, message).at(place).of_node(node.name());
        return Err(problem
            .hint("pick the channels that are an EEG: `from = \"x[Fz,Cz]\"`")
            .into());
    }
    let rate = input.rate;
    let before = (node.get(&BEFORE_MS)? * rate.hz() / 1e3).round() as i64;
    let mark = |channel: &Channel| Channel { unit: Unit::UNKNOWN, ..channel.clone() };
    let marks = input.channels.iter().map(mark).collect();
    let longest = input.channels.iter().map(|channel| channel.name.len()).max().unwrap_or(0);
    let fields = vec![
        Field::text("what", 5),
        Field::text("channel", longest.max(3)),
        Field::text("reason", NAMES_MAX),
        Field::f64("for_ms"),
    ];
    let rate_max = EVENTS_PER_SECOND_MAX * input.channels.len() as f64;
    let outline = Outline::of([
        node.input("in").clone(),
        Format::Signal(SignalFormat { channels: marks, ..input.clone() }.into()),
        Format::event(fields, rate_max),
    ]);
    Ok(outline.delayed(rate.span_ns(before)))
}

#[derive(Clone, Copy, PartialEq)]
enum Action {
    Nan,
    Hold,
    Mark,
}

/// What is being rejected.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Stretch {
    /// The sample with which it began, if it did.
    since: Option<u64>,
    /// The last bad sample.
    bad: u64,
    reasons: Reasons,
}

struct Watched {
    name: String,
    /// Microvolts of one of its unit.
    uv: f64,
    watch: Watch,
    /// The last samples, as many as come out late, in a circle.
    past: Box<[f32]>,
    /// The last sample that was good when it came out.
    held: f32,
    stretch: Stretch,
}

struct Reject {
    channels: Vec<Watched>,
    action: Action,
    together: bool,
    /// So many samples after a bad one have come, those of the delay among them, are rejected.
    after: u64,
    frame_len: usize,
    period_ms: f64,
    /// Samples taken, and those of them before the present frame.
    taken: u64,
    began: u64,
}

impl Reject {
    fn delay(&self) -> usize {
        self.channels[0].past.len()
    }

    /// Takes one sample of every channel (at the end: none), and gives what comes out.
    fn push(&mut self, column: Option<(&[f32], usize)>, out: Out<'_>, io: &mut Io<'_>) {
        let n = self.taken;
        self.taken += 1;
        let mut all = Reasons::NONE;
        for channel in 0..self.channels.len() {
            let watched = &mut self.channels[channel];
            let found = column.map_or(Reasons::NONE, |(planes, stride)| {
                watched.watch.push(f64::from(planes[channel * stride]) * watched.uv)
            });
            all = all.or(found);
            if !self.together {
                self.judge(channel, n, found, io);
            }
        }
        if self.together {
            // One stretch for all, kept with the first channel.
            self.judge(0, n, all, io);
        }
        self.pass(n, column, out);
    }

    /// Begins, goes on with or ends a stretch.
    fn judge(&mut self, channel: usize, n: u64, found: Reasons, io: &mut Io<'_>) {
        let mut stretch = self.channels[channel].stretch;
        if found != Reasons::NONE {
            stretch.bad = n;
            stretch.reasons = stretch.reasons.or(found);
            if stretch.since.is_none() {
                stretch.since = Some(n);
                self.tell("begin", channel, n, stretch, io);
            }
        } else if stretch.since.is_some() && n > stretch.bad + self.after {
            self.tell("end", channel, n, stretch, io);
            stretch = Stretch::default();
        }
        self.channels[channel].stretch = stretch;
    }

    fn tell(&self, what: &str, channel: usize, n: u64, stretch: Stretch, io: &mut Io<'_>) {
        let mut text = [0; NAMES_MAX];
        let reason = joined(stretch.reasons, &mut text);
        let name = if self.together { "all" } else { &self.channels[channel].name };
        let mut event = io.event_for(2).text(0, what).text(1, name).text(2, reason);
        if let ("end", Some(since)) = (what, stretch.since) {
            event = event.f64(3, (n - since) as f64 * self.period_ms);
        }
        io.send_event(2, io.time_of(n as i64 - self.began as i64), event);
    }

    /// Puts the sample of `before_ms` ago where it comes out.
    fn pass(&mut self, n: u64, column: Option<(&[f32], usize)>, mut out: Out<'_>) {
        let delay = self.delay() as u64;
        let together = self.together.then_some(self.channels[0].stretch);
        for (number, watched) in self.channels.iter_mut().enumerate() {
            let new = column.map_or(f32::NAN, |(planes, stride)| planes[number * stride]);
            let sample = if delay == 0 {
                new
            } else {
                std::mem::replace(&mut watched.past[(n % delay) as usize], new)
            };
            if n < delay {
                continue;
            }
            let stretch = together.unwrap_or(watched.stretch);
            let is_bad = stretch.since.is_some();
            if !is_bad {
                watched.held = sample;
            }
            let passed = match self.action {
                Action::Nan if is_bad => f32::NAN,
                Action::Hold if is_bad => watched.held,
                _ => sample,
            };
            let mark = if is_bad { f32::from(stretch.reasons.0) } else { 0.0 };
            out.put(number, passed, mark);
        }
    }
}

/// Where a sample of every channel and its mark go.
struct Out<'a> {
    samples: &'a mut [f32],
    marks: &'a mut [f32],
    len: usize,
    at: usize,
}

impl Out<'_> {
    fn put(&mut self, channel: usize, sample: f32, mark: f32) {
        self.samples[channel * self.len + self.at] = sample;
        self.marks[channel * self.len + self.at] = mark;
    }
}

/// All names of reasons and the blanks between them, rounded up.
const NAMES_MAX: usize = 64;

/// The names of reasons with blanks between them.
fn joined(reasons: Reasons, text: &mut [u8; NAMES_MAX]) -> &str {
    let mut end = 0;
    for name in reasons.names() {
        if end > 0 {
            text[end] = b' ';
            end += 1;
        }
        text[end..end + name.len()].copy_from_slice(name.as_bytes());
        end += name.len();
    }
    std::str::from_utf8(&text[..end]).unwrap_or_default()
}

impl Reject {
    /// Takes `len` samples, of a frame or of nothing, and sends what comes out.
    fn take(&mut self, len: usize, is_frame: bool, io: &mut Io<'_>) {
        let skipped = (self.delay() as u64).saturating_sub(self.taken).min(len as u64) as usize;
        let room = (len - skipped).max(1);
        let (mut signal, mut marks) = (io.signal(0, room), io.signal(1, room));
        let first = self.taken + skipped as u64;
        let samples = signal.floats_mut().expect("a fresh buffer has one holder");
        let flags = marks.floats_mut().expect("a fresh buffer has one holder");
        let frame = is_frame.then(|| io.take());
        for n in 0..len {
            let at = n.wrapping_sub(skipped);
            let out = Out { samples: &mut *samples, marks: &mut *flags, len: len - skipped, at };
            let column = frame.as_ref().map(|frame| (&frame.samples()[n..], len));
            self.push(column, out, io);
        }
        if len > skipped {
            let time = io.time_of(first as i64 - self.began as i64);
            io.send_buffer(0, time, signal);
            io.send_buffer(1, time, marks);
        }
    }

    /// Sends what is left of the delay, and ends what has not ended.
    fn drain(&mut self, io: &mut Io<'_>) {
        let mut left = if self.taken > 0 { self.delay() } else { 0 };
        while left > 0 {
            let len = left.min(self.frame_len);
            self.take(len, false, io);
            left -= len;
        }
        for channel in 0..self.channels.len() {
            let stretch = self.channels[channel].stretch;
            if stretch.since.is_some() {
                self.tell("end", channel, self.taken, stretch, io);
            }
        }
    }

    fn forget(&mut self) {
        for watched in &mut self.channels {
            watched.watch.reset();
            watched.past.fill(0.0);
            (watched.held, watched.stretch) = (0.0, Stretch::default());
        }
        (self.taken, self.began) = (0, 0);
    }

    fn load_all(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        state.u64(&mut self.taken)?;
        state.u64(&mut self.began)?;
        let (taken, began) = (self.taken, self.began);
        state.demand(began <= taken)?;
        for watched in &mut self.channels {
            watched.load(state)?;
            state.demand(watched.stretch.bad <= taken)?;
            state.demand(watched.stretch.since.is_none_or(|since| since <= taken))?;
        }
        Ok(())
    }
}

impl Watched {
    fn save(&self, into: &mut Vec<u8>) {
        self.watch.save(into);
        into.extend(self.past.iter().flat_map(|sample| sample.to_le_bytes()));
        let (mut held, mut stretch) = (self.held, self.stretch);
        visit(&mut State::Save(into), &mut held, &mut stretch).expect("saving never fails");
    }

    fn load(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        self.watch.load(state)?;
        state.f32s(&mut self.past)?;
        visit(state, &mut self.held, &mut self.stretch)
    }
}

fn visit(state: &mut State<'_>, held: &mut f32, stretch: &mut Stretch) -> Result<(), StateError> {
    state.f32(held)?;
    state.optional(&mut stretch.since, |state, since| state.u64(since))?;
    state.u64(&mut stretch.bad)?;
    state.u8(&mut stretch.reasons.0)
}

impl Operator for Reject {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        self.began = self.taken;
        self.take(io.frame().len(), true, io);
        Ok(())
    }

    fn gap(&mut self, _: &GapNotice, io: &mut Io<'_>) -> Result<(), Fault> {
        self.drain(io);
        self.forget();
        Ok(())
    }

    fn flush(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        self.drain(io);
        self.forget();
        Ok(())
    }

    fn reset(&mut self) {
        self.forget();
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(VERSION);
        let mut numbers = [self.taken, self.began];
        let mut state = State::Save(into);
        numbers.iter_mut().try_for_each(|n| state.u64(n)).expect("saving never fails");
        for watched in &self.channels {
            watched.save(into);
        }
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        self.forget();
        let refused = "is no state of `reject`";
        let loaded = bodies::load(refused, VERSION, from, |state| self.load_all(state));
        if loaded.is_err() {
            self.forget();
        }
        loaded
    }
}

const VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use engine::{
        Rate,
        testing::{Bench, Seen},
    };

    use super::*;

    const RATE_HZ: f64 = 250.0;

    fn bench(channels: usize, unit: &str, params: &str) -> Bench {
        let rate = Rate::new(RATE_HZ).expect("a rate");
        let format = Format::signal(channels, Unit::named(unit), rate, 4_096);
        Bench::with(&KIND, &[("in", format)], params).unwrap_or_else(|told| panic!("{told}"))
    }

    /// A wave of 10 µV peak to peak on every channel.
    fn quiet(channels: usize, len: usize) -> Vec<f32> {
        let wave = |n: usize| 5.0 * (std::f32::consts::TAU * 0.04 * n as f32).sin();
        (0..channels).flat_map(|_| (0..len).map(wave)).collect()
    }

    fn port(seen: &[Seen], port: usize, channel: usize) -> Vec<f32> {
        let frames = seen.iter().filter(|seen| seen.port == port);
        frames.flat_map(|seen| seen.frame.channel(channel).to_vec()).collect()
    }

    /// Milliseconds, what, channel, reason and length of every event.
    fn events(seen: &[Seen]) -> Vec<(f64, String, String, String, Option<f64>)> {
        let text = |seen: &Seen, field| seen.text(field).expect("present").to_owned();
        let event = |seen: &Seen| {
            let ms = seen.time().nanos() as f64 / 1e6;
            let words = ["what", "channel", "reason"].map(|field| text(seen, field));
            let [what, channel, reason] = words;
            (ms, what, channel, reason, seen.number("for_ms"))
        };
        seen.iter().filter(|seen| seen.port == 2).map(event).collect()
    }

    #[test]
    fn a_pop_is_taken_out_from_before_until_after() {
        let mut samples = quiet(2, 1_000);
        samples[500] = 400.0;
        let params = "before_ms = 40.0\nafter_ms = 100.0\nwindow_s = 0.1\nmuscle_uv = 0.0";
        let mut reject = bench(2, "uV", params);
        reject.feed(&samples);
        reject.flush();
        let seen = reject.take();

        // Steep at 500 and 501, and within the window of 25 samples until 524; blinks ring on.
        let (first, other) = (port(&seen, 0, 0), port(&seen, 0, 1));
        assert_eq!((seen[0].time().nanos(), first.len()), (0, 1_000));
        let lost: Vec<usize> = (0..1_000).filter(|&n| first[n].is_nan()).collect();
        assert_eq!(lost[0], 490, "40 ms are 10 samples");
        let last = *lost.last().expect("some");
        assert!((524 + 25..600).contains(&last) && lost.len() == last - 490 + 1, "{lost:?}");
        assert_eq!(other, samples[1_000..], "the other channel is as it was");
        assert!((0..1_000).all(|n| lost.contains(&n) || first[n] == samples[n]));

        let marks = port(&seen, 1, 0);
        assert_eq!(marks[490], 12.0, "swing and gradient");
        assert!((0..1_000).all(|n| (marks[n] > 0.0) == lost.contains(&n)));
        let events = events(&seen);
        assert_eq!(events.len(), 2);
        let (began, ended) = (&events[0], &events[1]);
        assert_eq!((began.0, began.1.as_str(), began.2.as_str()), (1_960.0, "begin", "0"));
        assert_eq!((began.3.as_str(), began.4), ("swing gradient", None));
        assert_eq!(ended.0, began.0 + 4.0 * lost.len() as f64);
        assert_eq!(ended.4, Some(4.0 * lost.len() as f64));
        assert!(ended.1 == "end" && ended.3.starts_with("swing gradient"), "{ended:?}");
    }

    #[test]
    fn together_one_bad_channel_rejects_all_and_holding_keeps_the_last_good() {
        let mut samples = quiet(2, 1_000);
        samples[1_500] = 400.0;
        let mut reject = bench(2, "uV", "scope = \"all\"\naction = \"hold\"\nblink_uv = 0.0");
        reject.feed(&samples);
        reject.flush();
        let seen = reject.take();

        // 0.5 s of swing and 0.3 s after it, from sample 500 on.
        let held = port(&seen, 0, 0);
        assert!((500..700).all(|n| held[n] == samples[499]), "{:?}", &held[498..510]);
        assert_eq!(held[700..], samples[700..1_000]);
        let events = events(&seen);
        assert!(events.iter().all(|event| event.2 == "all") && events.len() == 2);
    }

    #[test]
    fn millivolts_are_a_thousand_microvolts_and_metres_are_none() {
        let samples: Vec<f32> = quiet(1, 1_000).into_iter().map(|x| x / 1e3).collect();
        let mut reject = bench(1, "mV", "");
        let output = reject.feed(&samples);
        assert_eq!(output, samples);
        // In microvolts it would be flat: 0.01 of them peak to peak.
        assert!(bench(1, "uV", "").feed(&samples).iter().any(|x| x.is_nan()));

        let format = Format::signal(1, Unit::named("g"), Rate::new(RATE_HZ).expect("one"), 64);
        let problem = Bench::with(&KIND, &[("in", format)], "").err().expect("refused").to_string();
        assert!(problem.contains("`0` is in g, not in volts"), "{problem}");
    }

    #[test]
    fn what_is_missing_is_rejected_and_a_mark_changes_nothing() {
        let mut samples = quiet(1, 600);
        samples[300] = f32::NAN;
        let mut reject = bench(1, "uV", "action = \"mark\"\nafter_ms = 20.0");
        let output = reject.feed(&samples);
        assert!(output[300].is_nan() && output.iter().filter(|x| x.is_nan()).count() == 1);
        let marks = port(&reject.take(), 1, 0);
        let marked: Vec<usize> = (0..600).filter(|&n| marks[n] == 128.0).collect();
        assert_eq!(marked, (300..306).collect::<Vec<_>>());
    }

    #[test]
    fn less_than_the_delay_comes_out_all_the_same() {
        let samples = quiet(1, 7);
        let mut reject = bench(1, "uV", "before_ms = 100.0");
        reject.feed(&samples);
        assert_eq!(reject.flush(), samples);
    }
}
