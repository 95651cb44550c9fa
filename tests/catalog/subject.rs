//! One kind with what it needs to be tried: parameters, inputs, files, and what came out.

use std::{
    io::{self, Seek, SeekFrom, Write},
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use engine::{
    Channel, EventFormat, EventWriter, Field, Files, Format, Frame, Header, Kind, Placement, Rate,
    ReadSeek, Services, Shape, SignalFormat, Timestamp, Unit, WriteSeek,
    testing::{Bench, MemoryFiles, Refused},
};
use operators::{
    CATALOG,
    lines::{self, Line, Lines},
    sink::collect::Collected,
};

use crate::{
    cards, known,
    recordings::{self, SECONDS, SLOW_HZ},
};

/// Tag of every frame that is fed, which what it causes must carry.
pub(crate) const TAG: u64 = 7;

/// A kind about to be tried.
pub(crate) struct Subject {
    pub(crate) kind: &'static Kind,
    pub(crate) params: String,
    pub(crate) inputs: Vec<(&'static str, Format)>,
    files: MemoryFiles,
    collected: Collected,
    lines: Arc<Kept>,
    /// What sinks write is thrown away.
    forgets: bool,
}

/// One step of feeding a bench.
pub(crate) enum Step {
    /// The next frame of an input.
    Push(usize, Frame),
    /// An input is as far as this.
    Promise(usize, Timestamp),
    /// All that was fed may be processed; so many whole seconds have been fed.
    Run(usize),
}

/// What came out, as bits: by port the samples of every channel, or events.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Heard {
    pub(crate) samples: Vec<Vec<u32>>,
    pub(crate) events: Vec<(usize, i64, Vec<u8>)>,
    /// What a sink wrote.
    pub(crate) written: String,
}

/// Every kind of the catalogue, and those that stand in for one where it is fed; with `AFFERENT_KIND` only
/// the one of that name.
pub(crate) fn every_kind() -> impl Iterator<Item = &'static Kind> {
    let only = std::env::var("AFFERENT_KIND").ok();
    let is_asked = move |kind: &&Kind| only.as_ref().is_none_or(|only| only == kind.name);
    let kinds = CATALOG.iter().chain(model::CATALOG);
    kinds.flat_map(|kind| [Some(*kind), kind.when_fed]).flatten().filter(is_asked)
}

/// Every kind with its example; operators that take anything once with events and once with a
/// signal. Without those that ask, whose answers are not theirs to say, and those that wait for callers.
/// See `tests/models`.
pub(crate) fn everyone() -> impl Iterator<Item = Subject> {
    let tried = every_kind().filter(|kind| kind.placement != Placement::Asks && !kind.live);
    tried.flat_map(|kind| [Some(Subject::new(kind)), Subject::of_a_signal(kind)]).flatten()
}

/// Operators alone.
pub(crate) fn operators() -> impl Iterator<Item = Subject> {
    everyone().filter(|subject| !subject.kind.is_source() && !subject.kind.is_sink())
}

/// Sources alone.
pub(crate) fn sources() -> impl Iterator<Item = Subject> {
    everyone().filter(|subject| subject.kind.is_source())
}

/// Sinks alone.
pub(crate) fn sinks() -> impl Iterator<Item = Subject> {
    everyone().filter(|subject| subject.kind.is_sink())
}

impl Subject {
    pub(crate) fn new(kind: &'static Kind) -> Self {
        Self {
            kind,
            params: kind.example.to_owned(),
            inputs: inputs(kind),
            files: recordings::files(),
            collected: Collected::default(),
            lines: Arc::default(),
            forgets: false,
        }
    }

    /// An operator that takes anything, fed with a signal.
    fn of_a_signal(kind: &'static Kind) -> Option<Self> {
        let takes_any = |port: &engine::Port| port.shape == Shape::Any && !port.variadic;
        if kind.is_sink() || !kind.inputs.iter().any(takes_any) {
            return None;
        }
        let mut subject = Self::new(kind);
        for ((_, format), port) in subject.inputs.iter_mut().zip(kind.inputs) {
            if takes_any(port) {
                *format = signal(kind, recordings::rate_hz(kind.name));
            }
        }
        Some(subject)
    }

    /// As it was before anything was written or fed.
    pub(crate) fn fresh(&self) -> Self {
        Self { inputs: self.inputs.clone(), ..Self::new(self.kind) }
    }

    /// The same, throwing away what sinks write, so that nothing grows.
    pub(crate) fn forgetting(mut self) -> Self {
        self.forgets = true;
        self
    }

    /// The same with one parameter written, in place of the example's.
    pub(crate) fn with(mut self, param: &str, value: &str) -> Self {
        let others = self.params.lines().filter(|line| !line.starts_with(&format!("{param} =")));
        let others: String = others.map(|line| format!("{line}\n")).collect();
        // In front, as an example may end with a table of its own.
        self.params = format!("{param} = {value}\n{others}");
        self
    }

    pub(crate) fn name(&self) -> &'static str {
        self.kind.name
    }

    pub(crate) fn try_bench(&self) -> Result<Bench, Refused> {
        // Sinks take the place for lines when they are built.
        static LINES: Mutex<()> = Mutex::new(());
        let _guard = LINES.lock().unwrap_or_else(PoisonError::into_inner);
        let (lines, files): (Arc<dyn Lines>, Arc<dyn Files>) = match self.forgets {
            true => (Arc::new(Forgotten), Arc::new(Forgotten)),
            false => (self.lines.clone(), Arc::new(self.files.clone())),
        };
        lines::set(lines);
        let services = Services::new([self.collected.as_service(), cards::still()]);
        Bench::in_world(self.kind, &self.inputs, &self.params, files, services)
    }

    pub(crate) fn bench(&self) -> Bench {
        self.try_bench().unwrap_or_else(|refused| panic!("{}: {refused}", self.name()))
    }

    /// The samples of an input between two moments, if there are any.
    fn samples(&self, line: usize, rate_hz: f64, from_ms: usize, to_ms: usize) -> Option<Step> {
        let content = if rate_hz == recordings::rate_hz(self.name()) {
            self.content()
        } else {
            recordings::slow()
        };
        let at = |ms: usize| (ms as f64 * rate_hz / 1e3).ceil() as usize;
        let (from, to) = (at(from_ms), at(to_ms));
        (from < to).then(|| {
            let rate = Rate::new(rate_hz).expect("a rate");
            let time = Timestamp::from_nanos(rate.span_ns(from as i64));
            let planes = self.planes(&content[from..to]);
            let mut frame = Frame::signal(time, planes.len() / (to - from), &planes);
            frame.header.tag = TAG;
            Step::Push(line, frame)
        })
    }

    /// Samples of a signal as planes of as many channels as the kind needs.
    pub(crate) fn planes(&self, samples: &[f32]) -> Vec<f32> {
        let channels = known::channels(self.name()).iter().enumerate();
        let plane = |(number, (_, lift)): (usize, &(&str, f32))| {
            let share = 1.0 - 0.1 * number as f32;
            samples.iter().map(move |sample| share * sample + lift).collect::<Vec<f32>>()
        };
        channels.flat_map(plane).collect()
    }

    /// Samples of its first signal in a second.
    pub(crate) fn second(&self) -> usize {
        recordings::rate_hz(self.name()) as usize
    }

    /// What its first signal is.
    pub(crate) fn content(&self) -> &'static [f32] {
        recordings::content(self.name())
    }

    pub(crate) fn rate_hz(&self, line: usize) -> Option<f64> {
        self.inputs[line].1.rate().map(Rate::hz)
    }

    /// Feeds the content of all inputs between two seconds, in frames of `frame_ms`.
    pub(crate) fn feed(&self, bench: &mut Bench, seconds: Range<usize>, frame_ms: usize) {
        for step in self.steps(seconds, frame_ms) {
            match step {
                Step::Push(line, frame) => bench.push(line, frame),
                Step::Promise(line, bound) => bench.promise(line, bound),
                Step::Run(_) => bench.run(),
            }
        }
    }

    /// What [`Subject::feed`] does, one by one.
    pub(crate) fn steps(&self, seconds: Range<usize>, frame_ms: usize) -> Vec<Step> {
        let end_ms = seconds.end * 1_000;
        let mut from_ms = seconds.start * 1_000;
        let mut steps = Vec::new();
        while from_ms < end_ms {
            let to_ms = (from_ms + frame_ms).min(end_ms);
            for line in 0..self.inputs.len() {
                match self.rate_hz(line) {
                    Some(rate_hz) => {
                        steps.extend(self.samples(line, rate_hz, from_ms, to_ms));
                    }
                    None => {
                        steps.extend(events(line, from_ms, to_ms));
                        let bound = Timestamp::from_nanos(to_ms as i64 * 1_000_000);
                        steps.push(Step::Promise(line, bound));
                    }
                }
            }
            steps.push(Step::Run(to_ms / 1_000));
            from_ms = to_ms;
        }
        steps
    }

    /// Feeds everything in frames of `frame_ms` and ends it; for sources, takes everything.
    pub(crate) fn play(&self, bench: &mut Bench, frame_ms: usize) -> Heard {
        if self.kind.is_source() {
            while !bench.pull(1_000) {}
        } else {
            self.feed(bench, 0..SECONDS, frame_ms);
            bench.flush();
        }
        self.heard(bench)
    }

    /// What came out since the last time.
    pub(crate) fn heard(&self, bench: &mut Bench) -> Heard {
        let mut heard = Heard::default();
        let channels = |port| bench.output(port).as_signal().map_or(1, |s| s.channels.len());
        let channels: Vec<usize> = (0..self.kind.outputs.len()).map(channels).collect();
        heard.samples = vec![Vec::new(); channels.iter().sum()];
        for seen in bench.take() {
            if seen.format.as_signal().is_none() {
                let bytes = seen.frame.buffer().bytes().to_vec();
                heard.events.push((seen.port, seen.time().nanos(), bytes));
                continue;
            }
            let first: usize = channels[..seen.port].iter().sum();
            for channel in 0..channels[seen.port] {
                let bits = seen.frame.channel(channel).iter().map(|sample| sample.to_bits());
                heard.samples[first + channel].extend(bits);
            }
        }
        // Ports are heard in the order of their frames, which depends on how long frames are.
        heard.events.sort_by_key(|(port, ..)| *port);
        heard.written = std::mem::take(&mut *self.lines.0.lock().expect("sound"));
        for file in ["out.csv", "out.jsonl", "out.srt", "out.wav"] {
            // Every byte a character, as not all of them is text.
            let content = self.files.content(file).unwrap_or_default();
            heard.written.extend(content.into_iter().map(char::from));
        }
        for kept in self.collected.take("bench", 0) {
            heard.written += &format!("{} {:?}\n", kept.label, kept.frame.header);
        }
        heard
    }
}

/// The first signal at every port for signals; events at ports for events. Where any number of
/// edges may enter: two signals of different rates, two streams of events, or one of each.
fn inputs(kind: &'static Kind) -> Vec<(&'static str, Format)> {
    let rate_hz = recordings::rate_hz(kind.name);
    let formats = |port: &engine::Port| match (port.shape, port.variadic, kind.is_sink()) {
        (Shape::Signal, true, _) => vec![signal(kind, rate_hz), signal(kind, SLOW_HZ)],
        (Shape::Signal, false, _) => vec![signal(kind, rate_hz)],
        (_, true, true) => vec![signal(kind, rate_hz), beats()],
        (_, true, false) => vec![beats(), beats()],
        _ => vec![beats()],
    };
    // As a bench does: what need not be fed is not.
    let ports = kind.inputs.iter().filter(|port| !port.optional);
    ports.flat_map(|port| formats(port).into_iter().map(|format| (port.name, format))).collect()
}

fn signal(kind: &Kind, rate_hz: f64) -> Format {
    let rate = Rate::new(rate_hz).expect("a rate");
    let channel = |(number, (unit, _)): (usize, &(&str, f32))| Channel {
        name: number.to_string(),
        unit: Unit::named(unit),
    };
    let channels = known::channels(kind.name).iter().enumerate().map(channel).collect();
    Format::Signal(SignalFormat { channels, rate, frame_len: 1 << 14 }.into())
}

/// The beats of an input between two moments.
fn events(line: usize, from_ms: usize, to_ms: usize) -> impl Iterator<Item = Step> {
    let (from, to) = (from_ms as i64 * 1_000_000, to_ms as i64 * 1_000_000);
    let beats = recordings::heart().1.iter().map(move |beat| beat + line as i64 * 1_000);
    beats
        .filter(move |beat| (from..to).contains(beat))
        .map(move |beat| Step::Push(line, event(beat)))
}

fn beat_format() -> EventFormat {
    EventFormat { fields: vec![Field::f64("rr_ms")], rate_max: 10.0 }
}

fn beats() -> Format {
    Format::event(beat_format().fields, 10.0)
}

fn event(time_ns: i64) -> Frame {
    let event = EventWriter::new(&beat_format()).f64(0, 800.0);
    let header = Header { tag: TAG, ..Header::at(Timestamp::from_nanos(time_ns)) };
    Frame::new(header, event.finish())
}

/// Keeps lines.
#[derive(Default)]
struct Kept(Mutex<String>);

impl Lines for Kept {
    fn line(&self, line: &Line<'_>) -> io::Result<()> {
        self.0.lock().expect("sound").push_str(line.text);
        Ok(())
    }

    fn idle(&self) -> io::Result<()> {
        Ok(())
    }
}

/// A place that keeps nothing.
struct Forgotten;

impl Lines for Forgotten {
    fn line(&self, _: &Line<'_>) -> io::Result<()> {
        Ok(())
    }

    fn idle(&self) -> io::Result<()> {
        Ok(())
    }
}

/// A file that keeps nothing but where it is.
struct Void(u64);

impl Write for Void {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Void {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0 = match to {
            SeekFrom::Start(at) => at,
            SeekFrom::Current(by) | SeekFrom::End(by) => self.0.saturating_add_signed(by),
        };
        Ok(self.0)
    }
}

impl Files for Forgotten {
    fn open(&self, _: &str) -> io::Result<Box<dyn ReadSeek>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn create(&self, _: &str) -> io::Result<Box<dyn Write + Send>> {
        Ok(Box::new(io::sink()))
    }

    fn create_seekable(&self, _: &str) -> io::Result<Box<dyn WriteSeek>> {
        Ok(Box::new(Void(0)))
    }
}
