//! What it costs to hand frames from one stage to another, against a bare rtrb loop.
//!
//! Both sides make the same frames (a pooled buffer of 64 samples under a header of 48 bytes),
//! pass the 64-byte handle through a ring of the same capacity and look at the last sample. Ours
//! does it as a graph of two stages, with counters, bounds and sequence numbers.

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering, fence},
    },
    thread::Thread,
};

use engine::{Buffer, Frame, Header, Timestamp};
use support::{
    Bench,
    graph::{Chain, at_max, planned, run_to_end, uncut},
    kinds::{bench_ns, ran},
    seconds,
};

const SAMPLES: usize = 64;
/// Frames a ring holds, and a turn moves.
const CAPACITY: usize = 256;

fn main() {
    let bench = Bench::start("ring");
    let frames = bench.scale(3_000_000, 3_000);
    let rate = |seconds: f64| frames as f64 / seconds;
    let [fused, near, bare, far, parked] = bench.interleaved([
        &mut || rate(graph(frames, fused)),
        &mut || rate(graph(frames, same_core)),
        &mut || rate(bare(frames)),
        &mut || rate(graph(frames, two_cores)),
        &mut || rate(parked(frames)),
    ]);
    for (variant, rates) in [
        ("one core: source and sink in one stage", &fused),
        ("one core: two stages", &near),
        ("one core: bare rtrb", &bare),
        ("two cores: two stages", &far),
        ("two cores: bare rtrb with park", &parked),
    ] {
        bench.report(
            "ring_hop",
            &[("variant", variant)],
            &[
                ("frames_per_s", rates.median()),
                ("min", rates.min()),
                ("max", rates.max()),
                ("ns_per_frame", 1e9 / rates.median()),
            ],
        );
    }
    bench.verdict_least("one core, share of bare rtrb", near.median() / bare.median(), 0.8);
    bench.verdict_least("two cores, share of bare rtrb", far.median() / parked.median(), 0.8);
}

fn fused(_: usize, _: usize) -> Option<(&'static str, usize)> {
    uncut(0, 0)
}

fn same_core(at: usize, _: usize) -> Option<(&'static str, usize)> {
    Some(if at == 0 { ("first", 0) } else { ("second", 0) })
}

fn two_cores(at: usize, _: usize) -> Option<(&'static str, usize)> {
    Some(if at == 0 { ("first", 0) } else { ("second", 1) })
}

fn graph(frames: usize, stage: fn(usize, usize) -> Option<(&'static str, usize)>) -> f64 {
    let chain = Chain {
        // A millisecond of content in 64 samples: 256 of them are the ring's capacity.
        source: &format!("op = \"bench_ramp\"\nrate_hz = 64e3\nframes = {frames}"),
        node: "",
        count: 0,
        sink: &format!("op = \"bench_final\"\ncapacity_ms = {CAPACITY}"),
        stage,
    };
    run_to_end(&planned(&chain.text(), 2), &at_max(2));
    let ran = ran();
    assert_eq!(ran.frames, frames as u64);
    assert_eq!(ran.last, (frames - 1) as f32);
    ran.seconds
}

/// What the source of the graph does for a frame, door stamp included.
fn make(n: usize) -> Frame {
    let mut buffer = Buffer::signal(1, SAMPLES);
    buffer.floats_mut().expect("fresh").fill(n as f32);
    let mut header = Header::at(Timestamp::from_nanos(n as i64 * 1_000_000));
    header.entered = Timestamp::from_nanos(bench_ns());
    header.seq = n as u64;
    Frame::new(header, buffer)
}

fn bare(frames: usize) -> f64 {
    let (mut into, mut out) = rtrb::RingBuffer::new(CAPACITY);
    let mut last = 0.0;
    let seconds = seconds(|| {
        let mut made = 0;
        while made < frames {
            while made < frames && into.push(make(made)).is_ok() {
                made += 1;
                if into.slots() == 0 {
                    break;
                }
            }
            while let Ok(frame) = out.pop() {
                last = look(&frame);
            }
        }
    });
    assert_eq!(last, (frames - 1) as f32);
    seconds
}

fn look(frame: &Frame) -> f32 {
    std::hint::black_box(bench_ns() - frame.header.entered.nanos());
    frame.samples()[SAMPLES - 1]
}

/// One side's word that it sleeps.
struct Sleeper {
    asleep: AtomicBool,
}

impl Sleeper {
    fn wait_until(&self, ready: impl Fn() -> bool) {
        for _ in 0..16 {
            if ready() {
                return;
            }
            std::hint::spin_loop();
        }
        loop {
            self.asleep.store(true, Ordering::Relaxed);
            fence(Ordering::SeqCst);
            if ready() {
                self.asleep.store(false, Ordering::Relaxed);
                return;
            }
            std::thread::park();
        }
    }

    fn wake(&self, thread: &Thread) {
        fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::Relaxed) && self.asleep.swap(false, Ordering::AcqRel) {
            thread.unpark();
        }
    }
}

fn parked(frames: usize) -> f64 {
    let (mut into, mut out) = rtrb::RingBuffer::new(CAPACITY);
    let producer = Arc::new(Sleeper { asleep: AtomicBool::new(false) });
    let consumer = Arc::new(Sleeper { asleep: AtomicBool::new(false) });
    let here = std::thread::current();
    let mut last = 0.0;
    let seconds = seconds(|| {
        let (own, other) = (consumer.clone(), producer.clone());
        let taker = std::thread::spawn(move || {
            let mut last = 0.0;
            for _ in 0..frames {
                own.wait_until(|| !out.is_empty());
                last = look(&out.pop().expect("not empty"));
                other.wake(&here);
            }
            last
        });
        for n in 0..frames {
            let frame = make(n);
            producer.wait_until(|| into.slots() > 0);
            into.push(frame).expect("there is room");
            consumer.wake(taker.thread());
        }
        last = taker.join().expect("no panic");
    });
    assert_eq!(last, (frames - 1) as f32);
    seconds
}
