//! Somebody who interrupts, a voice that is interrupted, and who notes when.

use std::{
    sync::{Mutex, PoisonError},
    task::Waker,
};

use engine::{
    Body, EventFormat, EventWriter, Fault, Field, Flow, Format, Frame, Io, Kind, Outline, Param,
    Placement, Port, Sink, Source, Timestamp,
};

use super::ends::bench_ns;

const PERIOD_MS: Param<f64> =
    Param::required("period_ms", "From one interruption to the next.").within(1.0, 1e6);
const COUNT: Param<i64> = Param::required("count", "How many.").within(1.0, 1e6);

/// What happened when.
#[derive(Clone, Debug, Default)]
pub(crate) struct Talk {
    /// Interruptions, as they came through the door, by the run's clock.
    pub(crate) interrupted: Vec<i64>,
    /// The voice was told to be silent, by [`bench_ns`].
    pub(crate) silenced: Vec<i64>,
    /// Frames that the voice has taken, and of these the first behind a silence that do not say so.
    pub(crate) spoken: usize,
    pub(crate) unmarked: usize,
}

static TALK: Mutex<Option<Talk>> = Mutex::new(None);

fn noted(note: impl FnOnce(&mut Talk)) {
    note(TALK.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default());
}

/// Takes out what was noted.
pub(crate) fn talk() -> Talk {
    TALK.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default()
}

/// An event a period.
pub(crate) static PERSON: Kind = Kind {
    name: "bench_person",
    outputs: &[Port::event("out")],
    params: &[&PERIOD_MS, &COUNT],
    plan: |node| {
        let rate = 1e3 / node.get(&PERIOD_MS)?;
        Ok(Outline::of([Format::event(vec![Field::i64("number")], rate)]))
    },
    build: |node| {
        let period_ns = (node.get(&PERIOD_MS)? * 1e6) as i64;
        let Format::Event(format) = node.output(0).clone() else { unreachable!("planned so") };
        Ok(Body::source(Person { format, period_ns, count: node.get(&COUNT)?, next: 0 }))
    },
    ..Kind::BASE
};

struct Person {
    format: std::sync::Arc<EventFormat>,
    period_ns: i64,
    count: i64,
    next: i64,
}

impl Source for Person {
    fn next(&mut self, io: &mut Io<'_>) -> Result<Flow, Fault> {
        self.next += 1;
        let event = EventWriter::new(&self.format).i64(0, self.next).finish();
        io.send_buffer(0, Timestamp::from_nanos(self.next * self.period_ns), event);
        Ok(if self.next == self.count { Flow::End } else { Flow::More })
    }

    fn reset(&mut self) -> Result<(), Fault> {
        self.next = 0;
        Ok(())
    }
}

/// Notes when events came through the door.
pub(crate) static HEARD: Kind = Kind {
    name: "bench_heard",
    inputs: &[Port::event("in")],
    placement: Placement::Waits,
    build: |_| Ok(Body::sink(Heard)),
    ..Kind::BASE
};

struct Heard;

impl Sink for Heard {
    fn take(&mut self, _: usize, frame: &Frame) -> Result<(), Fault> {
        noted(|talk| talk.interrupted.push(frame.header.entered.nanos()));
        Ok(())
    }
}

/// Frames that the voice takes before it wants no more.
const ROOM: usize = 3;

/// Takes [`ROOM`] frames, so that more wait before it, until it is told to be silent; then again, and all once that has
/// happened as often as it will.
pub(crate) static VOICE: Kind = Kind {
    name: "bench_voice",
    inputs: &[Port::signal("in")],
    params: &[&COUNT],
    placement: Placement::Waits,
    build: |node| {
        let left = node.get(&COUNT)?;
        Ok(Body::sink(Voice { room: ROOM, left, waker: None, was_silenced: false }))
    },
    ..Kind::BASE
};

struct Voice {
    room: usize,
    /// Interruptions to come.
    left: i64,
    waker: Option<Waker>,
    was_silenced: bool,
}

impl Sink for Voice {
    fn take(&mut self, _: usize, frame: &Frame) -> Result<(), Fault> {
        self.room = self.room.saturating_sub(1);
        let is_unmarked = std::mem::take(&mut self.was_silenced) && frame.header.gap.is_none();
        noted(|talk| {
            talk.spoken += 1;
            talk.unmarked += usize::from(is_unmarked);
        });
        Ok(())
    }

    fn has_room(&mut self, waker: &Waker) -> bool {
        self.waker = Some(waker.clone());
        self.room > 0
    }

    fn flush(&mut self, _: usize) -> Result<(), Fault> {
        let at = bench_ns();
        noted(|talk| talk.silenced.push(at));
        self.left -= 1;
        self.room = if self.left > 0 { ROOM } else { usize::MAX };
        self.was_silenced = true;
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
        Ok(())
    }
}
