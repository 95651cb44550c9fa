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
    bodies::{self, Counted},
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
    inputs: &[Port::signal("in").fed_by(&["eeg"])],
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
            counted: Counted::NONE,
            taken: 0,
            began: 0,
            passed: 0,
            rejected: 0,
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
    /// Says where samples are missing that nobody told of.
    counted: Counted,
    /// Samples taken, and those of them before the present frame.
    taken: u64,
    began: u64,
    /// Of samples of all channels, since the body was built, how many there were and were rejected.
    passed: u64,
    rejected: u64,
}

/// Where more than this share is rejected, something is wrong with the signal or its unit.
const REJECTED_SHARE: f64 = 0.5;

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
            self.passed += 1;
            self.rejected += u64::from(is_bad);
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
        self.counted.load(state)?;
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
        if !self.counted.enter(io) {
            self.forget();
        }
        self.began = self.taken;
        self.take(io.frame().len(), true, io);
        self.counted.leave(io);
        Ok(())
    }

    fn gap(&mut self, _: &GapNotice, io: &mut Io<'_>) -> Result<(), Fault> {
        self.drain(io);
        self.reset();
        Ok(())
    }

    fn flush(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        self.drain(io);
        self.reset();
        Ok(())
    }

    fn remark(&self) -> Option<String> {
        let share = self.rejected as f64 / (self.passed as f64).max(1.0);
        (share > REJECTED_SHARE).then(|| {
            let pct = (100.0 * share).round();
            format!(
                "{pct} % of the samples were rejected: are they in the unit their channels say?"
            )
        })
    }

    fn reset(&mut self) {
        self.counted = Counted::NONE;
        self.forget();
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(VERSION);
        self.counted.save(into);
        let mut numbers = [self.taken, self.began];
        let mut state = State::Save(into);
        numbers.iter_mut().try_for_each(|n| state.u64(n)).expect("saving never fails");
        for watched in &self.channels {
            watched.save(into);
        }
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        self.reset();
        let refused = "is no state of `reject`";
        bodies::load(refused, VERSION, from, |state| self.load_all(state))
    }
}

const VERSION: u8 = 1;

#[cfg(test)]
mod tests;
