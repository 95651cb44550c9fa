//! What detectors on signals have in common: times, losses, bounds, saved states.
//!
//! A detector is told samples and finds things; [`Watch`] is the operator around it. What is
//! missing (NaN, infinite, beyond what the detector believes) is told as the last sample before,
//! until so much is missing, or nothing has moved for so long, that it is a gap: then what was
//! found is told, and the detector begins anew with the next sample.

use engine::{
    Code, Diagnostic, EventWriter, Fault, GapNotice, Io, Node, Operator, Rate, Timestamp, Unit,
};

use crate::{
    bodies::Seam,
    math::state::{State, StateError, StateReader},
};

/// Finds things in `N` signals of one rate, and makes `M` others of them on the way.
pub(super) trait Detect<const N: usize, const M: usize>: Clone + Send {
    /// Something found.
    type Found;
    /// Of the state's layout.
    const VERSION: u8;
    /// Completes "no … in 7.0 s of signal".
    const WHAT: &'static str;

    /// Takes the next samples; where they are missing (`is_there` false), the last ones.
    fn push(&mut self, samples: [f32; N], is_there: bool) -> ([f32; M], Option<Self::Found>);
    /// What was found and not told, one by one: there will be no more samples.
    fn flush(&mut self) -> Option<Self::Found>;
    /// Nothing will be found before this sample any more.
    fn earliest(&self) -> u64;
    /// As made.
    fn reset(&mut self);
    /// Saves or loads.
    fn visit(&mut self, state: &mut State<'_>) -> Result<(), StateError>;

    /// Where it is: number of the sample and part of one.
    fn place(found: &Self::Found) -> (u64, f64);
    /// What there is to say of it.
    fn describe(&self, found: &Self::Found, event: EventWriter) -> EventWriter;

    /// The first sample since it was fresh is about to come, and when it was.
    fn begin(&mut self, _time: Timestamp) {}
    /// Whether a sample can be one.
    fn believes(&self, sample: f32) -> bool {
        sample.abs() < LARGEST
    }
    /// The signals in a gap, from the last samples before it (0 if there were none).
    fn in_gap(_held: [f32; N]) -> [f32; M] {
        [0.0; M]
    }
}

/// No sensor means more, in whatever unit.
const LARGEST: f32 = 1e10;

/// How long what is.
#[derive(Clone, Copy)]
pub(super) struct Spans {
    /// Missing for so long is a gap.
    pub(super) missing_s: f64,
    /// Unmoved for so long is one too.
    pub(super) flat_s: f64,
    /// As the kind declares it.
    pub(super) look_back_ns: i64,
    /// As the kind declares it.
    pub(super) delay_ns: i64,
}

/// The operator around a detector.
pub(super) struct Watch<D, const N: usize, const M: usize> {
    kind: &'static str,
    detector: D,
    rate: Rate,
    spans: Spans,
    missing_max: u64,
    flat_max: u64,
    /// The edges that the detector's inputs come by.
    lines: [usize; N],
    /// Samples taken since the detector was fresh.
    taken: u64,
    /// Where the first of them lies, from the first sample of the frame taken last.
    origin: i64,
    /// In a row: missing, and unmoved.
    missing: u64,
    unmoved: u64,
    held: [f32; N],
    /// Where the last frame ended.
    seam: Seam,
    tally: Tally,
}

/// What to tell at the end.
#[derive(Clone, Copy, Default)]
struct Tally {
    samples: u64,
    missing: u64,
    found: u64,
}

impl<D: Detect<N, M>, const N: usize, const M: usize> Watch<D, N, M> {
    /// Around `detector`, whose inputs enter by these ports, all at one rate.
    pub(super) fn new(node: &Node<'_>, ports: [&str; N], detector: D, spans: Spans) -> Self {
        let rate = node.signal(ports[0]).rate;
        let line = |port: &str| node.inputs().iter().position(|input| input.port == port);
        let samples = |seconds: f64| (seconds * rate.hz()).ceil().max(1.0) as u64;
        Self {
            kind: node.kind().name,
            detector,
            rate,
            spans,
            missing_max: samples(spans.missing_s),
            flat_max: samples(spans.flat_s),
            lines: ports.map(|port| line(port).expect("the planner demands every port")),
            taken: 0,
            origin: 0,
            missing: 0,
            unmoved: 0,
            held: [f32::NAN; N],
            seam: Seam::NONE,
            tally: Tally::default(),
        }
    }

    fn sample(&self, line: usize, n: usize, io: &Io<'_>) -> f32 {
        let frame = if line == 0 { Some(io.frame()) } else { io.aligned(line) };
        frame.expect("every input has a frame, of NaN if need be").channel(0)[n]
    }

    fn take(&mut self, n: usize, io: &mut Io<'_>) -> [f32; M] {
        let samples = self.lines.map(|line| self.sample(line, n, io));
        let is_there = samples.into_iter().all(|sample| self.detector.believes(sample));
        self.tally.samples += 1;
        if is_there {
            self.unmoved = if samples == self.held { self.unmoved + 1 } else { 0 };
            (self.held, self.missing) = (samples, 0);
        } else {
            self.missing += 1;
            self.tally.missing += 1;
        }
        let is_gap = self.missing >= self.missing_max || self.unmoved >= self.flat_max;
        if is_gap || (self.taken == 0 && !is_there) {
            if self.taken > 0 {
                self.drain(io);
                self.forget();
            }
            self.origin = n as i64 + 1;
            return D::in_gap(self.held.map(|held| if held.is_nan() { 0.0 } else { held }));
        }
        if self.taken == 0 {
            self.detector.begin(io.time_of(n as i64));
        }
        self.taken += 1;
        let (signals, found) = self.detector.push(self.held, is_there);
        if let Some(found) = found {
            self.tell(&found, Self::time_in(self.origin, &found, io), io);
        }
        signals
    }

    /// When it was, by the grid of the input: the same bits however it is cut into frames.
    fn time_in(origin: i64, found: &D::Found, io: &Io<'_>) -> Timestamp {
        let (sample, part) = D::place(found);
        io.time_between(origin + sample as i64, part)
    }

    fn tell(&mut self, found: &D::Found, time: Timestamp, io: &mut Io<'_>) {
        let age = self.taken as i64 - 1 - D::place(found).0 as i64;
        if self.rate.span_ns(age) > self.spans.look_back_ns {
            return;
        }
        let event = self.detector.describe(found, io.event_for(0));
        // What is declared as delay the runtime subtracts from events too.
        io.send_event(0, time.plus_nanos(self.spans.delay_ns), event);
        self.tally.found += 1;
    }

    fn drain(&mut self, io: &mut Io<'_>) {
        while let Some(found) = self.detector.flush() {
            self.tell(&found, Self::time_in(self.origin, &found, io), io);
        }
    }

    /// Samples are missing between the last frame and what comes.
    fn begin_anew(&mut self, io: &mut Io<'_>) {
        while let Some(found) = self.detector.flush() {
            // The grid may be that of what follows already.
            let (sample, part) = D::place(&found);
            let back_ns = self.rate.span_ns(self.taken as i64 - sample as i64);
            let part_ns = (part * self.rate.period_ns()).round() as i64;
            self.tell(&found, self.seam.end.plus_nanos(part_ns - back_ns), io);
        }
        self.forget();
        (self.missing, self.unmoved, self.held) = (0, 0, [f32::NAN; N]);
    }

    fn forget(&mut self) {
        self.detector.reset();
        (self.taken, self.origin) = (0, 0);
    }

    fn visit(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        let Tally { samples, missing, found } = &mut self.tally;
        let counts = [samples, missing, found, &mut self.taken, &mut self.missing];
        counts.into_iter().chain([&mut self.unmoved]).try_for_each(|count| state.u64(count))?;
        state.f32s(&mut self.held)?;
        let mut end_ns = self.seam.end.nanos();
        state.i64(&mut end_ns)?;
        self.seam = Seam::loaded(Timestamp::from_nanos(end_ns));
        state.demand(self.taken < 1 << 62 && self.missing < 1 << 62 && self.unmoved < 1 << 62)?;
        self.detector.visit(state)
    }
}

impl<D: Detect<N, M>, const N: usize, const M: usize> Operator for Watch<D, N, M> {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        if !self.seam.is_followed(io) {
            self.begin_anew(io);
        }
        self.seam.advance(io);
        self.origin = -(self.taken as i64);
        let (len, time) = (io.frame().len(), io.frame().header.time);
        let mut buffers: [_; M] = std::array::from_fn(|signal| io.signal(1 + signal, len));
        for n in 0..len {
            let signals = self.take(n, io);
            for (buffer, sample) in buffers.iter_mut().zip(signals) {
                buffer.floats_mut().expect("a fresh buffer has one holder")[n] = sample;
            }
        }
        for (signal, buffer) in buffers.into_iter().enumerate() {
            io.send_buffer(1 + signal, time, buffer);
        }
        // A peak may lie before the middle of its sample.
        let earliest = io.time_of(self.origin + self.detector.earliest() as i64 - 1);
        io.promise(0, earliest.plus_nanos(self.spans.delay_ns));
        Ok(())
    }

    fn flush(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        self.drain(io);
        Ok(())
    }

    fn gap(&mut self, _: &GapNotice, io: &mut Io<'_>) -> Result<(), Fault> {
        self.begin_anew(io);
        Ok(())
    }

    fn remark(&self) -> Option<String> {
        let Tally { samples, missing, found } = self.tally;
        let seconds = |samples: u64| samples as f64 / self.rate.hz();
        if found > 0 || seconds(samples) < 5.0 {
            return None;
        }
        let mut remark = format!("no {} in {:.1} s of signal", D::WHAT, seconds(samples));
        if missing > 0 {
            remark += &format!(", of which {:.1} s cannot be believed", seconds(missing));
        }
        Some(remark)
    }

    fn reset(&mut self) {
        self.forget();
        (self.missing, self.unmoved, self.held) = (0, 0, [f32::NAN; N]);
        (self.seam, self.tally) = (Seam::NONE, Tally::default());
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(D::VERSION);
        let mut copy = Self { detector: self.detector.clone(), ..*self };
        copy.visit(&mut State::Save(into)).expect("only loading can fail");
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        self.reset();
        let mut loaded = Self { detector: self.detector.clone(), ..*self };
        let load = || -> Result<Self, StateError> {
            let mut state = State::Load(StateReader::new(from, D::VERSION)?);
            loaded.visit(&mut state)?;
            state.end()?;
            Ok(loaded)
        };
        let wrong = |error| Fault::new(format!("is no state of `{}`", self.kind)).because(error);
        *self = load().map_err(wrong)?;
        Ok(())
    }
}

/// Refuses a rate at which a detector cannot work.
pub(super) fn check_rate(
    node: &Node<'_>,
    port: &'static str,
    [least, limit]: [f64; 2],
    what: &str,
) -> Result<(), Diagnostic> {
    let rate_hz = node.rate_hz(port);
    let problem = |much: &str, hint: String| {
        let message = format!("{rate_hz} samples per second are too {much} to find {what} in");
        let input = node.inputs().iter().find(|input| input.port == port);
        let place = input.and_then(|input| input.place.clone());
        let problem = Diagnostic::error(Code::OutOfRange, message).at(&place);
        Err(problem.of_node(node.name()).hint(hint))
    };
    if rate_hz < least {
        problem("few", format!("bring a signal of at least {least} Hz"))
    } else if rate_hz > limit {
        problem("many", format!("put a `decimate` in front: at most {limit} samples per second"))
    } else {
        Ok(())
    }
}

/// A field's name with its unit at its end.
pub(super) fn in_unit(name: &'static str, unit: Unit) -> &'static str {
    match (name, unit.name()) {
        ("amplitude", "uV") => "amplitude_uv",
        ("amplitude", "mV") => "amplitude_mv",
        ("amplitude", "V") => "amplitude_v",
        ("depth", "uV") => "depth_uv",
        ("depth", "mV") => "depth_mv",
        ("depth", "V") => "depth_v",
        ("depth", "%") => "depth_pct",
        _ => name,
    }
}

/// Six digits that count: nobody reads more of a derived number, and lines stay short.
pub(super) fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let scale = 10_f64.powi(5 - value.abs().log10().floor() as i32);
    (value * scale).round() / scale
}
