//! A kind that flushes and says when, and a sink that holds on to what it is given.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    task::Waker,
};

use engine::{Body, Fault, Frame, Gap, Io, Kind, Operator, Param, Placement, Port, Sink};

use super::{IN, OUT};

/// Passes `in` and flushes with every event of `on`; what it did is in [`passed`].
pub(super) static GATE: Kind = Kind {
    name: "gate",
    inputs: &[Port::signal("in"), Port::event("on")],
    outputs: OUT,
    flushes_on: Some("on"),
    build: |node| Ok(Body::operator(Gate { name: node.name().to_owned() })),
    ..Kind::BASE
};

struct Gate {
    name: String,
}

/// What a gate did: the first sample of each frame it passed, nothing for a flush.
static PASSED: Mutex<BTreeMap<String, Vec<Option<i64>>>> = Mutex::new(BTreeMap::new());

/// What the gate of this name has done; asked once.
pub(crate) fn passed(name: &str) -> Vec<Option<i64>> {
    let mut passed = PASSED.lock().unwrap_or_else(PoisonError::into_inner);
    passed.remove(name).unwrap_or_default()
}

impl Operator for Gate {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let is_frame = io.port() == 0;
        if is_frame {
            let frame = io.take();
            io.send(0, frame);
        } else {
            io.flush();
        }
        let did = is_frame.then(|| io.frame().samples()[0] as i64);
        let mut passed = PASSED.lock().unwrap_or_else(PoisonError::into_inner);
        passed.entry(self.name.clone()).or_default().push(did);
        Ok(())
    }

    fn reset(&mut self) {}
}

const ROOM: Param<i64> = Param::with_default("room", 4, "Frames it holds.").within(1.0, 1e6);

/// Holds frames until a test takes them or they are flushed.
pub(super) static HOLDER: Kind = Kind {
    name: "holder",
    inputs: IN,
    params: &[&ROOM],
    placement: Placement::Waits,
    build: |node| {
        let room = node.get(&ROOM)? as usize;
        Ok(Body::sink(Holder { name: node.name().to_owned(), room }))
    },
    ..Kind::BASE
};

struct Holder {
    name: String,
    room: usize,
}

/// What a holder has.
#[derive(Default)]
pub(crate) struct Held {
    /// First samples and gaps of the frames it holds.
    pub(crate) frames: VecDeque<(i64, Option<Gap>)>,
    /// How many it let go by a flush.
    pub(crate) flushed: usize,
    waker: Option<Waker>,
}

static HELD: Mutex<BTreeMap<String, Held>> = Mutex::new(BTreeMap::new());

/// What a holder has; nobody else may look meanwhile.
pub(crate) fn held<T>(name: &str, look: impl FnOnce(&mut Held) -> T) -> T {
    let mut all: MutexGuard<'_, _> = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    let held = all.entry(name.to_owned()).or_default();
    let seen = look(held);
    if let Some(waker) = held.waker.take() {
        waker.wake();
    }
    seen
}

impl Sink for Holder {
    fn has_room(&mut self, waker: &Waker) -> bool {
        let mut all = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        let held = all.entry(self.name.clone()).or_default();
        let has_room = held.frames.len() < self.room;
        if !has_room {
            held.waker = Some(waker.clone());
        }
        has_room
    }

    fn take(&mut self, _: usize, frame: &Frame) -> Result<(), Fault> {
        let first = frame.samples()[0] as i64;
        held(&self.name, |held| held.frames.push_back((first, frame.header.gap.get())));
        Ok(())
    }

    fn flush(&mut self, _: usize) -> Result<(), Fault> {
        held(&self.name, |held| {
            held.flushed += held.frames.len();
            held.frames.clear();
        });
        Ok(())
    }
}

/// The sum of all samples so far, with a state.
pub(super) static TOTAL: Kind = Kind {
    name: "total",
    inputs: IN,
    outputs: OUT,
    build: |node| Ok(Body::operator(Total { name: node.name().to_owned(), sum: 0.0 })),
    ..Kind::BASE
};

struct Total {
    name: String,
    sum: f32,
}

impl Operator for Total {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let mut buffer = io.frame().buffer().copied();
        for sample in buffer.floats_mut().expect("a copy has one holder") {
            // Dies once, at the first sample from 1 000 on.
            assert!(*sample < 1_000.0 || !super::is_first(self.name.clone()), "on purpose");
            self.sum += *sample;
            *sample = self.sum;
        }
        let time = io.frame().header.time;
        io.send_buffer(0, time, buffer);
        Ok(())
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.sum.to_le_bytes());
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        self.sum = f32::from_le_bytes(from.try_into().map_err(|_| Fault::new("no sum"))?);
        Ok(())
    }

    fn reset(&mut self) {
        self.sum = 0.0;
    }
}
