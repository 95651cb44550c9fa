//! A session whose other side sends whatever it likes.

use std::collections::HashMap;

use engine::{Field, Format, Frame, Rate, Timestamp, Unit};
use link::{
    session::{
        Delivery, EdgeConfig, Input, Output, Path, Priority, Session, SessionConfig, StreamKey,
        TimeLine, Timing,
    },
    testing::{Random, mutate, seeds},
};

use crate::heap;

const MS: i64 = 1_000_000;
/// What two edges may hold by their settings, and their streams while records are not complete.
const MEMORY_MAX: usize = 4 << 20;

fn config(side: usize) -> SessionConfig {
    let rate = Rate::new(250.0).expect("possible");
    let edge = |name: &str, format, delivery| EdgeConfig {
        name: name.to_owned(),
        format,
        receives: side == 1,
        delivery,
        priority: Priority::Sensor,
        line: TimeLine::Clock,
        packed: true,
        may_void: true,
        frames_max: 32,
        bytes_max: 64 << 10,
    };
    let droppable = Delivery::Droppable { deadline_ns: 100 * MS };
    let edges = vec![
        edge("ecg -> filter", Format::signal(1, Unit::MILLIVOLT, rate, 10), droppable),
        edge("beats -> hrv", Format::signal(1, Unit::UNKNOWN, rate, 1), Delivery::Durable),
        edge("note -> log", Format::event(vec![Field::i64("n")], 10.0), Delivery::Durable),
    ];
    let timing = Timing::default();
    SessionConfig { graph: [1; 16], session: [2; 16], life: 7, calls: side == 0, edges, timing }
}

/// A datagram, or a stream by its number and whether this ends it.
type Way = Option<(u64, bool)>;

/// One end of the connection: its session, and numbers of the streams that it sends.
struct End {
    session: Session,
    streams: HashMap<StreamKey, u64>,
    next: u64,
    /// Whether it has given the connection up.
    has_closed: bool,
}

impl End {
    fn new(side: usize, life: u64) -> Self {
        Self {
            session: Session::new(SessionConfig { life, ..config(side) }),
            streams: HashMap::new(),
            next: 0,
            has_closed: false,
        }
    }

    /// What it sends now.
    fn sends(&mut self, now: Timestamp) -> Vec<(Way, Vec<u8>)> {
        let mut sent = Vec::new();
        while let Some(output) = self.session.poll(now) {
            match output {
                Output::Datagram(bytes) => sent.push((None, bytes)),
                Output::Stream { stream, bytes, end, .. } => {
                    let next = &mut self.next;
                    let number = *self.streams.entry(stream).or_insert_with(|| {
                        *next += 1;
                        *next
                    });
                    if end {
                        self.streams.remove(&stream);
                    }
                    sent.push((Some((number, end)), bytes.to_vec()));
                }
                Output::Close => self.has_closed = true,
                _ => {}
            }
            assert!(sent.len() < 10_000, "it never stops");
        }
        sent
    }
}

fn path(loss: f64) -> Path {
    let (datagram_max, room) = (1_200, 64 << 10);
    Path {
        rtt_ns: 10 * MS,
        bytes_per_s: 1e6,
        datagram_max,
        datagram_room: room,
        stream_room: room,
        bulk_room: room,
        loss,
    }
}

#[test]
fn whatever_comes_is_refused_or_absorbed() {
    let mut malformed = 0;
    for seed in seeds(150) {
        let ((), taken) = heap::peak_of(|| malformed += one(seed));
        assert!(taken <= MEMORY_MAX, "seed {seed}: {taken} bytes");
    }
    assert!(malformed > 100, "damage was seen: {malformed}");
}

/// A minute of talk of which a part is damaged; how often the victim has noticed.
fn one(seed: u64) -> u64 {
    let mut random = Random::new(seed);
    let mut lives = 1;
    let mut ends = [End::new(0, 1), End::new(1, 1)];
    // Where packets are lost, small frames go once more beside their stream.
    let loss = [0.0, 0.05][random.below(2) as usize];
    let damage = [0.002, 0.02, 0.2][random.below(3) as usize];
    let mut heard: Vec<Vec<u8>> = vec![vec![0; 16]];
    let (mut is_up, mut malformed) = (false, 0);
    for step in 0..1_500 {
        let now = Timestamp::from_nanos(step * 40 * MS);
        if !is_up {
            for end in &mut ends {
                end.streams.clear();
                end.has_closed = false;
                end.session.handle(now, Input::Up(path(loss)));
            }
            is_up = true;
        }
        let samples: Vec<f32> = (0..10).map(|n| (step + n) as f32 / 200.0).collect();
        let _ = ends[0].session.send(now, 0, Frame::signal(now, 1, &samples));
        let _ = ends[0].session.send(now, 1, Frame::signal(now, 1, &samples[..1]));
        if random.happens(0.02) {
            ends[0].session.flush(random.below(3) as u16, step as u32 + 1, 0);
        }
        for side in [0, 1] {
            for (stream, mut bytes) in ends[side].sends(now) {
                // The victim is side 1; what it says arrives whole.
                if side == 0 && random.happens(damage) {
                    let other = &heard[random.below(heard.len() as u64) as usize];
                    mutate(&mut random, &mut bytes, other, 65_536);
                } else if heard.len() < 64 {
                    heard.push(bytes.clone());
                }
                let input = match stream {
                    None => Input::Datagram(&bytes),
                    Some((stream, end)) => Input::Stream { stream, bytes: &bytes, end },
                };
                ends[1 - side].session.handle(now, input);
            }
        }
        for end in &mut ends {
            end.session.handle(now, Input::Tick);
        }
        let victim = &mut ends[1].session;
        for edge in 0..3 {
            victim.consumed(now, edge, 1);
            let received = victim.received(edge).expect("it receives");
            assert!(received.is_balanced(), "seed {seed}, edge {edge}: {received:?}");
            assert!(received.inside <= 32, "seed {seed}, edge {edge}: {received:?}");
        }
        // Given up by one, or gone by itself: a new one is made.
        let is_over = ends.iter().any(|end| end.has_closed) || random.happens(0.02);
        if is_over {
            ends.iter_mut().for_each(|end| end.session.handle(now, Input::Down));
            is_up = false;
            if random.happens(0.2) {
                // Another process in place of one of them.
                let side = random.below(2) as usize;
                malformed += if side == 1 { ends[1].session.totals().malformed } else { 0 };
                lives += 1;
                ends[side] = End::new(side, lives);
            }
        }
    }
    malformed + ends[1].session.totals().malformed
}
