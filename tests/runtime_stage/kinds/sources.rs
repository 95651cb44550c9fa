//! Sources: of written events, of frames too short, of very many.

use std::time::{Duration, Instant};

use engine::{
    Body, Buffer, BuildError, Fault, Flow, Format, Io, Kind, Node, Outline, Param, Port, Source,
    Timestamp, Unit,
};

use super::{AT, event, rate};

const TIMES: Param<&str> = Param::with_default("times", "", "Milliseconds; `t` for `tick`.");
const FRAMES: Param<i64> = Param::with_default("frames", 100, "How many.").within(1.0, 1e9);

/// Events at written times, `what` = their number; those with a `t` leave by `tick`.
pub(super) static SCRIPT: Kind = Kind {
    name: "script",
    outputs: &[Port::event("out"), Port::event("tick")],
    params: &[&TIMES],
    plan: |_| Ok(Outline::of([event(), event()])),
    build: |node| {
        let times = node.get(&TIMES)?.split_whitespace().map(|time| {
            let ms: i64 = time.trim_end_matches('t').parse().expect("a time");
            (usize::from(time.ends_with('t')), Timestamp::from_nanos(ms * 1_000_000))
        });
        Ok(Body::source(Script { times: times.collect(), next: 0 }))
    },
    ..Kind::BASE
};

struct Script {
    times: Vec<(usize, Timestamp)>,
    next: usize,
}

impl Source for Script {
    fn next(&mut self, io: &mut Io<'_>) -> Result<Flow, Fault> {
        let (port, time) = self.times[self.next];
        let event = io.event_for(port).i64(0, self.next as i64);
        io.send_event(port, time, event);
        self.next += 1;
        Ok(if self.next == self.times.len() { Flow::End } else { Flow::More })
    }

    fn reset(&mut self) -> Result<(), Fault> {
        self.next = 0;
        Ok(())
    }
}

/// Counts in frames of ten samples on two channels, but sends one channel in the frame from `at`.
pub(super) static SHORT: Kind = Kind {
    name: "short",
    outputs: &[Port::signal("out")],
    params: &[&FRAMES, &AT],
    plan: |_| Ok(Outline::of([Format::signal(2, Unit::UNKNOWN, rate(), 10)])),
    build: |node| counter(node, 10, Duration::ZERO),
    ..Kind::BASE
};

/// As `short`, but has a fault instead of the frame from `at`.
pub(super) static TORN: Kind = Kind {
    name: "torn",
    build: |node| {
        let torn_at = node.get(&AT)?;
        let Body::Source(whole) = counter(node, 10, Duration::ZERO)? else { unreachable!() };
        Ok(Body::source(Torn { whole, left: torn_at / 10 }))
    },
    ..SHORT
};

/// A source that has a fault after so many frames.
struct Torn {
    whole: Box<dyn Source>,
    left: i64,
}

impl Source for Torn {
    fn next(&mut self, io: &mut Io<'_>) -> Result<Flow, Fault> {
        self.left -= 1;
        if self.left < 0 { Err(Fault::data("it is torn")) } else { self.whole.next(io) }
    }

    fn reset(&mut self) -> Result<(), Fault> {
        self.whole.reset()
    }
}

/// Counts in frames of one sample, each of which takes a microsecond to make.
pub(super) static TOIL: Kind = Kind {
    name: "toil",
    outputs: &[Port::signal("out")],
    params: &[&FRAMES],
    plan: |_| Ok(Outline::of([Format::signal(1, Unit::UNKNOWN, rate(), 1)])),
    build: |node| counter(node, 1, Duration::from_micros(1)),
    ..Kind::BASE
};

fn counter(node: &Node<'_>, len: i64, toil: Duration) -> Result<Body, BuildError> {
    let channels = node.output(0).as_signal().expect("planned so").channels.len();
    let short_at = if channels > 1 { node.get(&AT)? } else { -1 };
    let end = node.get(&FRAMES)? * len;
    Ok(Body::source(Counter { next: 0, len, end, channels, short_at, toil }))
}

struct Counter {
    next: i64,
    len: i64,
    end: i64,
    channels: usize,
    short_at: i64,
    toil: Duration,
}

impl Source for Counter {
    fn next(&mut self, io: &mut Io<'_>) -> Result<Flow, Fault> {
        let began = Instant::now();
        let channels = if self.next == self.short_at { 1 } else { self.channels };
        let mut buffer = Buffer::signal(channels, self.len as usize);
        for plane in buffer.floats_mut().expect("fresh").chunks_exact_mut(self.len as usize) {
            plane.iter_mut().zip(self.next..).for_each(|(sample, n)| *sample = n as f32);
        }
        io.send_buffer(0, Timestamp::from_nanos(rate().span_ns(self.next)), buffer);
        self.next += self.len;
        while began.elapsed() < self.toil {
            std::hint::spin_loop();
        }
        Ok(if self.next == self.end { Flow::End } else { Flow::More })
    }

    fn reset(&mut self) -> Result<(), Fault> {
        self.next = 0;
        Ok(())
    }
}
