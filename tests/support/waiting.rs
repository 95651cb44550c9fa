//! A device for tests: a source that waits for its clock.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use engine::{
    Body, Format, Kind, LiveIo, LiveSource, Outline, Param, Placement, Port, Rate, Timestamp, Unit,
    Waiting,
};

const FRAMES: Param<i64> =
    Param::with_default("frames", 1_000_000, "How many until it ends.").within(0.0, 1e9);
const SILENT_AT: Param<i64> =
    Param::with_default("silent_at", 1_000_000, "The frame it never sends, nor any later.")
        .within(0.0, 1e9);
const PANICS_AT: Param<i64> =
    Param::with_default("panics_at", 1_000_000, "The frame to die on, once.").within(0.0, 1e9);
const EVERY_MS: Param<f64> =
    Param::with_default("every_ms", 10.0, "Pace; 0 is as fast as it goes.").within(0.0, 1e6);

/// Ten samples every 10 ms of its time line, 1 000 per second: sample n is n.
pub static DEVICE: Kind = Kind {
    name: "device",
    outputs: &[Port::signal("out")],
    params: &[&FRAMES, &SILENT_AT, &PANICS_AT, &EVERY_MS],
    placement: Placement::Waits,
    live: true,
    plan: |_| {
        let rate = Rate::new(1_000.0).expect("a rate");
        Ok(Outline::of([Format::signal(1, Unit::UNKNOWN, rate, LEN as usize)]))
    },
    build: |node| {
        Ok(Body::live(Device {
            name: node.name().to_owned(),
            frames: node.get(&FRAMES)?,
            silent_at: node.get(&SILENT_AT)?,
            panics_at: node.get(&PANICS_AT)?,
            every_ns: (node.get(&EVERY_MS)? * 1e6) as i64,
        }))
    },
    ..Kind::BASE
};

const LEN: i64 = 10;
const FRAME_NS: i64 = 10_000_000;

/// Nodes that have died already.
static DIED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

struct Device {
    name: String,
    frames: i64,
    silent_at: i64,
    panics_at: i64,
    every_ns: i64,
}

impl LiveSource for Device {
    fn run<'a>(&'a mut self, io: &'a mut LiveIo) -> Waiting<'a> {
        Box::pin(async move {
            // A device does not wait: who starts it again finds it where it is by then.
            let again = DIED.lock().unwrap_or_else(PoisonError::into_inner).contains(&self.name);
            let first = if again { io.now().nanos() / self.every_ns.max(1) } else { 0 };
            for frame in first..self.frames {
                io.sleep_until(Timestamp::from_nanos((frame + 1) * self.every_ns)).await;
                if frame == self.silent_at {
                    std::future::pending::<()>().await;
                }
                if frame >= self.panics_at {
                    let mut died = DIED.lock().unwrap_or_else(PoisonError::into_inner);
                    assert!(!died.insert(self.name.clone()), "the device dies on purpose");
                }
                let mut buffer = io.signal(0, LEN as usize);
                let samples = buffer.floats_mut().expect("fresh").iter_mut();
                samples.zip(frame * LEN..).for_each(|(sample, n)| *sample = n as f32);
                io.send(0, Timestamp::from_nanos(frame * FRAME_NS), 0, buffer);
            }
            Ok(())
        })
    }
}
