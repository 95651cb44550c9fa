//! What it costs to hand frames from one stage to another, against a bare rtrb loop.
//!
//! Both sides make the same frames (a pooled buffer of 64 samples under a header of 48 bytes),
//! pass the 64-byte handle through a ring of the same capacity, look at the last sample and, at
//! the sink, at the clock. Ours does it as a graph of two stages, with counters, bounds and
//! sequence numbers. The bare loops come in several shapes, and the fastest is what counts. Those
//! that never look at the clock do less than ours; they are told beside the others.

mod support;

use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering, fence},
    },
    thread::Thread,
    time::Duration,
};

use engine::{Buffer, Frame, Header, Timestamp};
use support::{
    Bench, Spread,
    graph::{Chain, at_max, planned, run_to_end, uncut},
    kinds::ends::{bench_ns, ran},
    seconds,
};

const SAMPLES: usize = 64;
/// Frames a ring holds, and a turn moves.
const CAPACITY: usize = 256;

fn main() {
    let bench = Bench::start("ring");
    let frames = bench.scale(3_000_000, 3_000);
    let names = [
        "one core: source and sink in one stage",
        "one core: two stages",
        "one core: bare rtrb",
        "one core: bare rtrb, 64 frames at a time",
        "one core: bare rtrb, no clock",
        "one core: no ring, no clock",
        "two cores: two stages",
        "two cores: bare rtrb, both sides park",
        "two cores: bare rtrb, the consumer parks, the producer yields and sleeps",
        "two cores: bare rtrb, both sides park, no clock",
    ];
    let runs = bench.interleaved([
        (names[0], &mut || graph(frames, uncut)),
        (names[1], &mut || graph(frames, same_core)),
        (names[2], &mut || bare(frames, CAPACITY, true)),
        (names[3], &mut || bare(frames, 64, true)),
        (names[4], &mut || bare(frames, CAPACITY, false)),
        (names[5], &mut || straight(frames)),
        (names[6], &mut || graph(frames, two_cores)),
        (names[7], &mut || apart(frames, Full::Park, true)),
        (names[8], &mut || apart(frames, Full::YieldAndSleep, true)),
        (names[9], &mut || apart(frames, Full::Park, false)),
    ]);
    let rates = runs.map(|runs| runs.of(|seconds| frames as f64 / seconds));
    for (variant, rate) in names.into_iter().zip(&rates) {
        let ns = Spread::one(1e9 / rate.median());
        bench.report(
            "ring_hop",
            &[("variant", variant)],
            &[("frames_per_s", rate), ("ns_per_frame", &ns)],
        );
    }
    let [fused, near, bare, bare_64, bare_blind, straight, far, park, sleep, park_blind] = &rates;
    let hop = |with: &Spread, without: &Spread| 1e9 / with.median() - 1e9 / without.median();
    println!(
        "  the hop alone: {:.1} ns a frame between two stages, {:.1} in the bare loop",
        hop(near, fused),
        hop(bare_blind, straight)
    );
    let share = |name: &str, ours: &Spread, rival: &Spread| {
        bench.verdict_least(&format!("{name}, share of bare rtrb"), &ours.over(rival), 0.8);
    };
    share("one core", near, faster(bare, bare_64));
    share("two cores", far, faster(park, sleep));
    share("one core, no clock there", near, bare_blind);
    share("two cores, no clock there", far, park_blind);
}

fn faster<'a>(one: &'a Spread, other: &'a Spread) -> &'a Spread {
    if one.median() > other.median() { one } else { other }
}

fn same_core(at: usize, _: usize) -> Option<(&'static str, usize)> {
    Some(if at == 0 { ("first", 0) } else { ("second", 0) })
}

fn two_cores(at: usize, _: usize) -> Option<(&'static str, usize)> {
    Some(if at == 0 { ("first", 0) } else { ("second", 1) })
}

fn graph(frames: usize, stage: fn(usize, usize) -> Option<(&'static str, usize)>) -> f64 {
    let capacity = match stage(0, 2) {
        // A millisecond of content in 64 samples: 256 of them are the ring's capacity.
        Some(_) => format!("\ncapacity_ms = {CAPACITY}"),
        // A capacity would make two stages of it.
        None => String::new(),
    };
    let chain = Chain {
        source: &format!("op = \"bench_ramp\"\nrate_hz = 64e3\nframes = {frames}"),
        node: "",
        count: 0,
        sink: &format!("op = \"bench_final\"{capacity}"),
        stage,
    };
    run_to_end(&planned(&chain.text(), 2), &at_max(2));
    let ran = ran();
    assert_eq!(ran.frames, frames as u64);
    assert_eq!(ran.last, (frames - 1) as f32);
    ran.seconds
}

/// What the source of the graph does for a frame; at full speed its door stamp is a moment that
/// somebody has read already.
fn make(n: usize, entered: i64) -> Frame {
    let mut buffer = Buffer::signal(1, SAMPLES);
    buffer.floats_mut().expect("fresh").fill(n as f32);
    let mut header = Header::at(Timestamp::from_nanos(n as i64 * 1_000_000));
    header.entered = Timestamp::from_nanos(entered);
    header.seq = n as u64;
    Frame::new(header, buffer)
}

/// What its sink does.
fn look(frame: &Frame, clock: bool) -> f32 {
    if clock {
        black_box(bench_ns() - frame.header.entered.nanos());
    }
    frame.samples()[SAMPLES - 1]
}

/// Makes frames and looks at them, with nothing in between.
fn straight(frames: usize) -> f64 {
    let mut last = 0.0;
    let seconds = seconds(|| {
        for n in 0..frames {
            last = look(&black_box(make(n, 0)), false);
        }
    });
    assert_eq!(last, (frames - 1) as f32);
    seconds
}

/// One thread fills the ring with up to `batch` frames and empties it, and so on.
fn bare(frames: usize, batch: usize, clock: bool) -> f64 {
    let (mut into, mut out) = rtrb::RingBuffer::new(CAPACITY);
    let mut last = 0.0;
    let seconds = seconds(|| {
        let mut made = 0;
        while made < frames {
            let entered = bench_ns();
            let until = frames.min(made + batch);
            for n in made..until {
                into.push(make(n, entered)).expect("there is room");
            }
            made = until;
            while let Ok(frame) = out.pop() {
                last = look(&frame, clock);
            }
        }
    });
    assert_eq!(last, (frames - 1) as f32);
    seconds
}

/// What the producer does when the ring is full.
#[derive(Clone, Copy, PartialEq)]
enum Full {
    /// Sleeps until the consumer wakes it.
    Park,
    /// Yields 64 times, then sleeps for 20 µs, as the peers' control does.
    YieldAndSleep,
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
            // With the fence in `wake`: it sees the word, or this side sees what it did.
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

/// A thread makes frames, another takes them.
fn apart(frames: usize, full: Full, clock: bool) -> f64 {
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
                last = look(&out.pop().expect("not empty"), clock);
                if full == Full::Park {
                    other.wake(&here);
                }
            }
            last
        });
        let entered = bench_ns();
        for n in 0..frames {
            let frame = make(n, entered);
            match full {
                Full::Park => producer.wait_until(|| into.slots() > 0),
                Full::YieldAndSleep => {
                    let mut looks = 0;
                    while into.is_full() {
                        looks += 1;
                        if looks > 64 {
                            std::thread::park_timeout(Duration::from_micros(20));
                        } else {
                            std::thread::yield_now();
                        }
                    }
                }
            }
            into.push(frame).expect("there is room");
            consumer.wake(taker.thread());
        }
        last = taker.join().expect("no panic");
    });
    assert_eq!(last, (frames - 1) as f32);
    seconds
}
