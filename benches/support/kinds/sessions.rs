//! A recording for thousands of sessions, and the ages of its frames.

use std::sync::{
    LazyLock,
    atomic::{AtomicU32, Ordering},
};

use engine::{
    Body, Buffer, Fault, Flow, Format, Frame, Histogram, Io, Kind, Outline, Port, Rate, Sink,
    Source, Timestamp, Unit,
};

use super::ends::bench_ns;

/// Samples per frame and channels of [`REPLAY`], whatever the session.
pub(crate) const REPLAY_LEN: usize = 10;
const REPLAY_CHANNELS: usize = 8;
const REPLAY_HZ: f64 = 250.0;
/// Ten seconds: beats at 72 a minute, one bump of 40 ms each, a little hum beside them.
static REPLAYED: LazyLock<Vec<Buffer>> = LazyLock::new(|| {
    let sample = |n: usize, channel: usize| {
        let t = n as f64 / REPLAY_HZ;
        let from_beat = (t % (60.0 / 72.0)) - 0.4;
        let beat = (-(from_beat / 0.012).powi(2)).exp();
        (beat + 0.02 * (t * 7.0 + channel as f64).sin()) as f32
    };
    let frame = |frame: usize| {
        let mut buffer = Buffer::signal(REPLAY_CHANNELS, REPLAY_LEN);
        let planes = buffer.floats_mut().expect("fresh");
        for (at, value) in planes.iter_mut().enumerate() {
            *value = sample(frame * REPLAY_LEN + at % REPLAY_LEN, at / REPLAY_LEN);
        }
        buffer
    };
    (0..250).map(frame).collect()
});

/// Eight channels at 250 Hz out of one buffer that all sessions share.
pub(crate) static REPLAY: Kind = Kind {
    name: "bench_replay",
    outputs: &[Port::signal("out")],
    plan: |_| {
        let rate = Rate::new(REPLAY_HZ).expect("a rate");
        Ok(Outline::of([Format::signal(REPLAY_CHANNELS, Unit::UNKNOWN, rate, REPLAY_LEN)]))
    },
    build: |_| Ok(Body::source(Replay { next: 0 })),
    ..Kind::BASE
};

struct Replay {
    next: usize,
}

impl Source for Replay {
    fn next(&mut self, io: &mut Io<'_>) -> Result<Flow, Fault> {
        let frames = &*REPLAYED;
        // A frame every 40 ms.
        let time = Timestamp::from_nanos(self.next as i64 * 40_000_000);
        io.send_buffer(0, time, frames[self.next % frames.len()].clone());
        self.next += 1;
        Ok(Flow::More)
    }

    fn reset(&mut self) -> Result<(), Fault> {
        self.next = 0;
        Ok(())
    }
}

/// Ages of all frames that [`AGE`] sinks took, in nanoseconds.
pub(crate) static AGES: LazyLock<Histogram> = LazyLock::new(Histogram::default);
/// Frames a session learns its zero from.
const LEARNING: u32 = 10;

/// Notes how much later than the session's most punctual frame each frame arrives.
pub(crate) static AGE: Kind = Kind {
    name: "bench_age",
    inputs: &[Port::any("in").variadic()],
    build: |_| Ok(Body::sink(Age { zero: i64::MAX, seen: 0 })),
    ..Kind::BASE
};

struct Age {
    zero: i64,
    seen: u32,
}

impl Sink for Age {
    fn take(&mut self, _: usize, frame: &Frame) -> Result<(), Fault> {
        // Times differ by whole frames, so the last sample's is the first's plus a constant.
        let since = bench_ns() - frame.header.time.nanos();
        self.zero = self.zero.min(since);
        self.seen += 1;
        if self.seen > LEARNING {
            AGES.record(since - self.zero);
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Fault> {
        SEEN_LEAST.fetch_min(self.seen, Ordering::Relaxed);
        Ok(())
    }
}

/// Frames of the session that has had the fewest, of those that have ended.
pub(crate) static SEEN_LEAST: AtomicU32 = AtomicU32::new(u32::MAX);
