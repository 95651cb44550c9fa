//! Calls, sinks and devices that fail on purpose, or speak on several ports.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use engine::{
    Answer, Body, BuildError, Call, Fault, Format, Frame, Gap, Kind, LiveIo, LiveSource, Node,
    Outline, Param, Placement, Port, Rate, Reply, Sink, Timestamp, Unit, Waiting,
};

/// Every kind of this file.
pub(crate) static KINDS: &[&Kind] = &[&FAILING_CALL, &FAILING_SINK, &PAIR, &UNPLUGGED];

const PLACE: Param<&str> = Param::with_default("place", "", "Where it fails.");
const AT: Param<i64> =
    Param::with_default("at", 0, "The first sample of what it fails on.").within(0.0, 1e9);
const TIMES: Param<i64> = Param::with_default("times", 1, "How often.").within(0.0, 1e9);
const IN_FLIGHT: Param<i64> =
    Param::with_default("in_flight", 1, "Most questions open at once.").within(1.0, 100.0);
const DELAY_MS: Param<f64> =
    Param::with_default("delay_ms", 0.0, "The delay it declares.").within(0.0, 1e3);

const UNBUILT: Param<i64> =
    Param::with_default("unbuilt", 0, "Builds after the first that fail.").within(0.0, 1e9);

/// How often each node has failed, or was built; outlives its bodies.
static FAILED: Mutex<BTreeMap<String, i64>> = Mutex::new(BTreeMap::new());

/// How often a node has failed, or was built.
pub(crate) fn failed(node: &str) -> i64 {
    FAILED.lock().unwrap_or_else(PoisonError::into_inner).get(node).copied().unwrap_or(0)
}

fn count(name: &str) -> i64 {
    let mut failed = FAILED.lock().unwrap_or_else(PoisonError::into_inner);
    let count = failed.entry(name.to_owned()).or_insert(0);
    *count += 1;
    *count
}

#[derive(Clone)]
struct Plot {
    name: String,
    place: String,
    at: i64,
    times: i64,
}

impl Plot {
    fn of(node: &Node<'_>) -> Result<Self, BuildError> {
        let (at, times) = (node.get(&AT)?, node.get(&TIMES)?);
        let place = node.get(&PLACE)?.to_owned();
        Ok(Self { name: node.name().to_owned(), place, at, times })
    }

    fn fails(&self, place: &str, frame: &Frame) -> bool {
        if self.place != place || (frame.samples()[0] as i64) < self.at {
            return false;
        }
        count(&self.name) <= self.times
    }
}

/// Gives every question back. From the frame that begins with `at` on it fails `times` times in
/// `place`: panics in `in_flight`, `ask` or `fallback`, refuses in `refuses`, gives a wrong
/// `answer`. In `waits` each answer waits for the next question instead, up to the hundredth sample.
static FAILING_CALL: Kind = Kind {
    name: "failing_call",
    inputs: &[Port::signal("in")],
    outputs: &[Port::like("out", "in")],
    params: &[&PLACE, &AT, &TIMES, &IN_FLIGHT, &DELAY_MS, &UNBUILT],
    placement: Placement::Asks,
    plan: |node| {
        let delay_ns = (node.get(&DELAY_MS)? * 1e6) as i64;
        Ok(Outline::of([node.input("in").clone()]).delayed(delay_ns))
    },
    build: |node| {
        if (2..2 + node.get(&UNBUILT)?).contains(&count(&format!("builds of {}", node.name()))) {
            return Err(Fault::new("there is no model").into());
        }
        let in_flight = node.get(&IN_FLIGHT)? as usize;
        let asked = Arc::default();
        Ok(Body::call(FailingCall { plot: Plot::of(node)?, in_flight, asked, last: None }))
    },
    ..Kind::BASE
};

struct FailingCall {
    plot: Plot,
    in_flight: usize,
    asked: Arc<AtomicUsize>,
    last: Option<Frame>,
}

impl Call for FailingCall {
    fn ask(&mut self, question: &Frame, reply: Reply) -> Result<(), Fault> {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        assert!(!self.plot.fails("ask", question), "on purpose");
        if self.plot.fails("refuses", question) {
            return Err(Fault::new("on purpose"));
        }
        let fails = self.plot.fails("answer", question) || self.plot.place == "fallback";
        let waits = self.plot.place == "waits" && question.samples()[0] < 90.0;
        self.last = Some(question.clone());
        let (asked, question) = (self.asked.clone(), question.clone());
        reply.spawn(async move {
            poll_fn(|context| {
                if !waits || asked.load(Ordering::Relaxed) > number + 1 {
                    return Poll::Ready(());
                }
                context.waker().wake_by_ref();
                Poll::Pending
            })
            .await;
            if fails { Err(Fault::new("on purpose")) } else { Ok(question.buffer().clone().into()) }
        });
        Ok(())
    }

    fn in_flight(&self) -> usize {
        let fails = self.last.as_ref().is_some_and(|last| self.plot.fails("in_flight", last));
        assert!(!fails, "on purpose");
        self.in_flight
    }

    fn fallback(&mut self, question: &Frame) -> Option<Answer> {
        assert!(!self.plot.fails("fallback", question), "on purpose");
        (self.plot.place == "fallback").then(|| question.buffer().clone().into())
    }
}

/// Takes frames, waiting. Fails in `take` from the frame that begins with `at` on, or at the end:
/// by a fault in `finish`, by a panic in `panic`; or its reader has gone in `closed`.
static FAILING_SINK: Kind = Kind {
    name: "failing_sink",
    inputs: &[Port::any("in").variadic()],
    params: &[&PLACE, &AT, &TIMES],
    placement: Placement::Waits,
    build: |node| Ok(Body::sink(FailingSink(Plot::of(node)?))),
    ..Kind::BASE
};

struct FailingSink(Plot);

impl Sink for FailingSink {
    fn take(&mut self, _: usize, frame: &Frame) -> Result<(), Fault> {
        if self.0.fails("closed", frame) {
            return Err(Fault::io("cannot write", std::io::ErrorKind::BrokenPipe.into()));
        }
        if self.0.fails("take", frame) { Err(Fault::new("on purpose")) } else { Ok(()) }
    }

    fn finish(&mut self) -> Result<(), Fault> {
        match self.0.place.as_str() {
            "finish" => Err(Fault::new("the end is not written")),
            "panic" => panic!("the end is not written"),
            _ => Ok(()),
        }
    }
}

/// Two signals of 1 000 samples per second on a line of its own, frames of ten. The first port
/// speaks every 10 ms, the second at 0 and from then on at multiples of `every`. After ten frames
/// of the first it tells a gap.
static PAIR: Kind = Kind {
    name: "pair",
    outputs: &[Port::signal("often"), Port::signal("seldom")],
    params: &[&EVERY, &FIRST],
    placement: Placement::Waits,
    live: true,
    plan: |_| {
        let rate = Rate::new(1_000.0).expect("a rate");
        let signal = || Format::signal(1, Unit::UNKNOWN, rate, 10);
        Ok(Outline::of([signal(), signal()]))
    },
    build: |node| Ok(Body::live(Pair { every: node.get(&EVERY)?, first: node.get(&FIRST)? })),
    ..Kind::BASE
};

const EVERY: Param<i64> =
    Param::with_default("every", 4, "Frames of the first for one of the second.").within(1.0, 1e9);
const FIRST: Param<i64> =
    Param::with_default("first", 0, "The first frame of the second.").within(0.0, 1e9);

struct Pair {
    every: i64,
    first: i64,
}

impl LiveSource for Pair {
    fn run<'a>(&'a mut self, io: &'a mut LiveIo) -> Waiting<'a> {
        Box::pin(async move {
            for frame in 0.. {
                io.sleep_until(Timestamp::from_nanos((frame + 1) * 10_000_000)).await;
                if frame == 10 {
                    io.gap(Gap::Source);
                }
                let time = Timestamp::from_nanos(frame * 10_000_000);
                let mut buffer = io.signal(0, 10);
                let samples = buffer.floats_mut().expect("fresh").iter_mut();
                samples.zip(frame * 10..).for_each(|(sample, n)| *sample = n as f32);
                io.send(0, time, 0, buffer.clone());
                if frame >= self.first && (frame - self.first) % self.every == 0 {
                    io.send(1, time, 0, buffer);
                }
            }
            Ok(())
        })
    }
}

/// Sends ten samples every time it is built, of a device that is pulled out after the first and is
/// not there for the next `times` builds.
static UNPLUGGED: Kind = Kind {
    name: "unplugged",
    outputs: &[Port::signal("out")],
    params: &[&TIMES],
    placement: Placement::Waits,
    live: true,
    plan: |_| {
        let rate = Rate::new(1_000.0).expect("a rate");
        Ok(Outline::of([Format::signal(1, Unit::UNKNOWN, rate, 10)]))
    },
    build: |node| {
        let count = count(node.name());
        if (2..2 + node.get(&TIMES)?).contains(&count) {
            return Err(Fault::new("there is no device").into());
        }
        Ok(Body::live(Unplugged { pulled: count == 1 }))
    },
    ..Kind::BASE
};

struct Unplugged {
    pulled: bool,
}

impl LiveSource for Unplugged {
    fn run<'a>(&'a mut self, io: &'a mut LiveIo) -> Waiting<'a> {
        Box::pin(async move {
            io.send(0, io.now(), 0, io.signal(0, 10));
            if self.pulled { Err(Fault::new("the device is gone")) } else { Ok(()) }
        })
    }
}

/// Longer than a fault and its first pauses take.
pub(crate) const SOON: Duration = Duration::from_secs(30);
