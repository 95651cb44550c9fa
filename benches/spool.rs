//! What a spool costs: the live path of a durable edge with one and without, how fast frames get to
//! disk while the link is down, and how fast they come back.
//!
//! Two sessions hand each other what they send, with no network between; the disk is this host's. What
//! was sent is compared with what came, once each, in order.

mod support;

use std::{
    path::{Path as FilePath, PathBuf},
    time::Instant,
};

use engine::{Format, Frame, Header, Rate, Timestamp, Unit};
use link::{
    session::{
        Delivery, EdgeConfig, Input, Output, Path, Priority, Session, SessionConfig, StreamKey,
        TimeLine, Timing,
    },
    spool::{Keeper, Moment, Settings, Subject},
};
use support::{Bench, Runs};

const CHANNELS: usize = 8;
const SAMPLES: usize = 25;
/// Of a frame's samples.
const BYTES: usize = CHANNELS * SAMPLES * 4;

fn main() {
    let bench = Bench::start("spool");
    let frames = bench.scale(100_000, 1_000) as u64;
    let runs = bench.interleaved([
        ("live_without", &mut || live(frames, false)),
        ("live_with", &mut || live(frames, true)),
        ("outage", &mut || outage(frames)),
    ]);
    let [without, with, down]: &[Runs<Run>; 3] = &runs;
    for (name, runs) in [("live_without", without), ("live_with", with)] {
        let ns = runs.of(|run| run.sent_s / frames as f64 * 1e9);
        bench.report("spool", &[("case", name)], &[("ns_per_frame", &ns)]);
    }
    let rate = |seconds: f64| frames as f64 / seconds;
    bench.report(
        "spool",
        &[("case", "outage"), ("frame_bytes", &BYTES.to_string())],
        &[
            ("handed_in_ns_per_frame", &down.of(|run| run.sent_s / frames as f64 * 1e9)),
            ("written_frames_per_s", &down.of(|run| rate(run.written_s))),
            ("written_mb_per_s", &down.of(|run| rate(run.written_s) * BYTES as f64 / 1e6)),
            ("opened_s", &down.of(|run| run.opened_s)),
            ("back_frames_per_s", &down.of(|run| rate(run.back_s))),
        ],
    );
}

/// Seconds that each part took.
#[derive(Default)]
struct Run {
    sent_s: f64,
    written_s: f64,
    opened_s: f64,
    back_s: f64,
}

fn format() -> Format {
    let rate = Rate::new(250.0).expect("possible");
    Format::signal(CHANNELS, Unit::MILLIVOLT, rate, SAMPLES)
}

/// Frames of a converter with noise, made before anything is measured.
fn frames() -> Vec<Frame> {
    let sample = |n: usize| ((n.wrapping_mul(2_654_435_761) >> 7) % 4_001) as f32 / 200.0;
    let frame = |n: usize| {
        let samples: Vec<f32> = (0..CHANNELS * SAMPLES).map(|k| sample(n * 977 + k)).collect();
        Frame::signal(Timestamp::ZERO, CHANNELS, &samples)
    };
    (0..256).map(frame).collect()
}

fn numbered(frames: &[Frame], number: u64) -> Frame {
    let mut frame = frames[number as usize % frames.len()].clone();
    frame.header = Header { tag: number, ..frame.header };
    frame
}

fn session(side: usize, life: u64) -> Session {
    let edge = EdgeConfig {
        name: "ecg -> store".to_owned(),
        format: format(),
        receives: side == 1,
        delivery: Delivery::Durable,
        priority: Priority::Sensor,
        line: TimeLine::Shared,
        packed: true,
        may_void: false,
        frames_max: 4_096,
        bytes_max: 16 << 20,
    };
    Session::new(SessionConfig {
        graph: [1; 16],
        session: [2; 16],
        life,
        calls: side == 0,
        edges: vec![edge],
        timing: Timing::default(),
    })
}

fn keep(keeper: &Keeper, dir: &FilePath, session: &mut Session) {
    let subject = Subject {
        edge: "ecg -> store".to_owned(),
        format: format(),
        line: TimeLine::Shared,
        packed: true,
    };
    let now = Moment { clock: Timestamp::ZERO, wall_ns: 0 };
    let spool = keeper.open(&Settings::new(dir, 1 << 30), &subject, now).expect("it opens");
    session.keep(0, spool);
}

/// A folder beside what was built: a real disk where that is one.
fn folder() -> PathBuf {
    let dir =
        FilePath::new(env!("CARGO_TARGET_TMPDIR")).join(format!("spool-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    dir
}

/// Two sessions in one room.
struct Room {
    sessions: [Session; 2],
    now_ns: i64,
    next: u64,
}

impl Room {
    fn path(side: usize) -> Path {
        Path {
            rtt_ns: 1_000_000,
            bytes_per_s: 1e9,
            datagram_max: 1_200,
            datagram_room: 1 << 16,
            stream_room: 1 << 20,
            bulk_room: if side == 0 { 1 << 20 } else { 1 << 16 },
            loss: 0.0,
        }
    }

    fn connect(sessions: [Session; 2]) -> Self {
        let mut room = Self { sessions, now_ns: 0, next: 0 };
        for side in [0, 1] {
            room.sessions[side].handle(room.now(), Input::Up(Self::path(side)));
        }
        for _ in 0..8 {
            room.exchange();
        }
        room
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.now_ns)
    }

    /// Everything that both have to say, a millisecond later.
    fn exchange(&mut self) {
        self.now_ns += 1_000_000;
        let now = self.now();
        for side in [0, 1] {
            self.sessions[side].handle(now, Input::Path(Self::path(side)));
            while let Some(output) = self.sessions[side].poll(now) {
                let to = &mut self.sessions[1 - side];
                match output {
                    Output::Datagram(bytes) => to.handle(now, Input::Datagram(&bytes)),
                    Output::Stream { stream, bytes, end, .. } => {
                        let stream = if stream == StreamKey::Control { 0 } else { 1 };
                        to.handle(now, Input::Stream { stream, bytes: &bytes, end });
                    }
                    Output::Deliver { frame, .. } => {
                        assert_eq!(frame.header.tag, self.next, "once each, in order");
                        self.next += 1;
                        self.sessions[side].consumed(now, 0, 1);
                    }
                    _ => {}
                }
            }
        }
    }
}

/// What a frame costs that goes at once.
fn live(count: u64, has_spool: bool) -> Run {
    let (dir, frames) = (folder(), frames());
    let keeper = Keeper::start().expect("a thread");
    let mut sessions = [session(0, 1), session(1, 2)];
    if has_spool {
        keep(&keeper, &dir, &mut sessions[0]);
    }
    let mut room = Room::connect(sessions);
    let begun = Instant::now();
    for number in 0..count {
        let mut frame = numbered(&frames, number);
        while let Err(refused) = room.sessions[0].send(room.now(), 0, frame) {
            frame = refused.0;
            room.exchange();
        }
        // One in four milliseconds, as at 250 Hz in frames of 1.
        if number % 4 == 3 {
            room.exchange();
        }
    }
    while room.next < count {
        room.exchange();
    }
    let sent_s = begun.elapsed().as_secs_f64();
    drop((room, keeper));
    let _ = std::fs::remove_dir_all(&dir);
    Run { sent_s, ..Run::default() }
}

/// What a frame costs that goes to disk, and comes back after a restart.
fn outage(count: u64) -> Run {
    let (dir, frames) = (folder(), frames());
    let keeper = Keeper::start().expect("a thread");
    let mut sender = session(0, 1);
    keep(&keeper, &dir, &mut sender);
    let mut run = Run::default();
    let now = Timestamp::ZERO;
    let begun = Instant::now();
    let mut waited_s = 0.0;
    for number in 0..count {
        let mut frame = numbered(&frames, number);
        while let Err(refused) = sender.send(now, 0, frame) {
            let from = Instant::now();
            frame = refused.0;
            sender.handle(now, Input::Tick);
            std::thread::yield_now();
            waited_s += from.elapsed().as_secs_f64();
        }
    }
    run.sent_s = begun.elapsed().as_secs_f64() - waited_s;
    let is_written = |sender: &Session| sender.spool(0).expect("spooled").0.queue == 0;
    while !is_written(&sender) {
        std::thread::yield_now();
    }
    drop((sender, keeper));
    run.written_s = begun.elapsed().as_secs_f64();

    let keeper = Keeper::start().expect("a thread");
    let begun = Instant::now();
    let mut sessions = [session(0, 3), session(1, 2)];
    keep(&keeper, &dir, &mut sessions[0]);
    run.opened_s = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    let mut room = Room::connect(sessions);
    while room.next < count {
        room.exchange();
    }
    run.back_s = begun.elapsed().as_secs_f64();
    drop((room, keeper));
    let _ = std::fs::remove_dir_all(&dir);
    run
}
