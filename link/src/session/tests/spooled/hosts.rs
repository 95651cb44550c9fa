//! Two hosts with disks, an edge of samples and one of events that may not be lost.

use std::sync::Arc;

use engine::{Field, Format, Frame, Gap, Header, Rate, Timestamp, Unit};

use super::super::support::{DEADLINE_NS, MS, clocks, signal};
use crate::{
    session::{
        Delivery, EdgeConfig, Priority, Session, SessionConfig, TimeLine, Timing, machine::Edge,
    },
    spool::{Keeper, Moment, Settings, Subject, Sync, WhenFull},
    testing::{Delivered, Pair, SimDisk, Way, Weather},
};

pub(super) const SENSOR: u16 = 0;
pub(super) const EVENTS: u16 = 1;
pub(super) const KEPT: usize = 64;

/// A sensor's samples, and events of some 600 bytes that may not be lost.
pub(super) fn config(side: usize, life: u64) -> SessionConfig {
    let edge = |name: &str, format, delivery| EdgeConfig {
        name: name.to_owned(),
        format,
        receives: side == 1,
        delivery,
        priority: Priority::Sensor,
        line: TimeLine::Clock,
        packed: true,
        may_void: false,
        frames_max: KEPT,
        bytes_max: 1 << 20,
    };
    let rate = Rate::new(250.0).expect("possible");
    let signal = Format::signal(1, Unit::MILLIVOLT, rate, 10);
    let droppable = Delivery::Droppable { deadline_ns: DEADLINE_NS };
    let edges = vec![
        edge("ecg -> clean", signal, droppable),
        edge("beats -> store", events(), Delivery::Durable),
    ];
    let (graph, session) = ([1; 16], [2; 16]);
    SessionConfig { graph, session, life, calls: side == 0, edges, timing: Timing::default() }
}

pub(super) fn events() -> Format {
    Format::event(vec![Field::i64("n"), Field::text("pad", 600)], 100.0)
}

pub(super) fn event(time: Timestamp, number: u64) -> Frame {
    let format = events();
    let format = format.as_event().expect("an event");
    let event = engine::EventWriter::new(format).i64(0, number as i64).text(1, &"x".repeat(500));
    let header = Header { tag: number, entered: time, ..Header::at(time) };
    Frame::new(header, event.finish())
}

pub(super) fn samples(time: Timestamp, number: u64) -> Frame {
    signal(time, number)
}

/// Two hosts with disks.
pub(super) struct Hosts {
    pub(super) pair: Pair,
    pub(super) disks: [SimDisk; 2],
    pub(super) settings: Settings,
    pub(super) remembers: bool,
    pub(super) lives: u64,
    /// Numbers of events in the order they were handed in, with the life that took them.
    pub(super) handed: Vec<u64>,
    pub(super) refused: u64,
    pub(super) number: u64,
    /// When each number was made, in the simulation's time.
    pub(super) made_ns: Vec<i64>,
    pub(super) most_held: usize,
}

impl Hosts {
    pub(super) fn new(weather: Weather, seed: u64, bytes_max: u64, when_full: WhenFull) -> Self {
        let sync = Sync::Every(250 * MS);
        let settings = Settings { sync, when_full, ..Settings::new("/spool", bytes_max) };
        let ways = [0, 1].map(|n| Way::new(weather, seed * 2 + n));
        let sessions = [0, 1].map(|side| Session::new(config(side, side as u64 + 10)));
        let mut hosts = Self {
            pair: Pair::new(sessions, ways, clocks()),
            disks: [0, 1].map(|n| SimDisk::new(seed * 2 + n)),
            settings,
            remembers: true,
            lives: 0,
            handed: Vec::new(),
            refused: 0,
            number: 0,
            made_ns: Vec::new(),
            most_held: 0,
        };
        hosts.start(0);
        hosts.start(1);
        hosts
    }

    /// Starts the process of a side anew.
    pub(super) fn start(&mut self, side: usize) {
        self.lives += 1;
        let keeper = Keeper::manual(Arc::new(self.disks[side].clone()));
        keeper.seed(self.lives * 100);
        let mut session = Session::new(config(side, self.lives * 7 + 100));
        if side == 0 {
            let now = Moment { clock: self.pair.clock(0), wall_ns: self.pair.now_ns() };
            let subject = Subject {
                edge: "beats -> store".to_owned(),
                format: events(),
                line: TimeLine::Clock,
                packed: true,
            };
            let spool = keeper.open(&self.settings, &subject, now).expect("it opens");
            session.keep(EVENTS, spool);
        } else if self.remembers {
            let memory = keeper.remember("/memory", self.settings.sync).expect("it opens");
            session.remember(EVENTS, memory);
        }
        self.pair.replace(side, session);
        self.pair.keepers[side] = Some(keeper);
    }

    /// `kill -9` while the disk is `ns` behind, and a start anew.
    pub(super) fn kill(&mut self, side: usize, ns: i64) {
        let keeper = self.pair.keepers[side].take();
        self.run(ns);
        drop(keeper);
        self.disks[side].kill();
        self.start(side);
    }

    pub(super) fn outage(&mut self, ns: i64) {
        let from = self.pair.now_ns();
        for way in &mut self.pair.transport.ways {
            way.outages.push([from, from + ns]);
        }
    }

    /// An event each 20 ms, samples each 40.
    pub(super) fn run(&mut self, ns: i64) {
        let until = self.pair.now_ns() + ns;
        while self.pair.now_ns() < until {
            self.pair.run(self.pair.now_ns() + 20 * MS, check);
            let time = self.pair.clock(0);
            self.made_ns.push(self.pair.now_ns());
            if self.number.is_multiple_of(2) {
                self.pair.send(0, SENSOR, samples(time, self.number));
            }
            if self.pair.send(0, EVENTS, event(time, self.number)) {
                self.handed.push(self.number);
            } else {
                self.refused += 1;
            }
            self.number += 1;
            self.most_held = self.most_held.max(self.held());
        }
    }

    pub(super) fn rest(&mut self, ns: i64) {
        self.pair.run(self.pair.now_ns() + ns, check);
    }

    pub(super) fn held(&self) -> usize {
        match &self.pair.sessions[0].edges[usize::from(EVENTS)] {
            Edge::DurableOut(out, _) => out.held(),
            _ => unreachable!("it is sent here"),
        }
    }

    pub(super) fn tags(&self) -> Vec<u64> {
        let tag = |given: &Delivered| match given {
            Delivered::Frame { edge: EVENTS, frame, .. } => Some(frame.header.tag),
            _ => None,
        };
        self.pair.delivered[1].iter().filter_map(tag).collect()
    }

    pub(super) fn gaps(&self) -> Vec<(Gap, u64)> {
        let gap = |given: &Delivered| match given {
            Delivered::Gap { edge: EVENTS, reason, frames, .. } => Some((*reason, *frames)),
            _ => None,
        };
        self.pair.delivered[1].iter().filter_map(gap).collect()
    }

    /// How late samples were that came in a time, in ascending order.
    pub(super) fn lateness(&self, from: i64, to: i64) -> Vec<i64> {
        let late = |given: &Delivered| match given {
            Delivered::Frame { at_ns, edge: SENSOR, frame } if (from..to).contains(at_ns) => {
                Some(at_ns - self.made_ns[frame.header.tag as usize])
            }
            _ => None,
        };
        let mut all: Vec<i64> = self.pair.delivered[1].iter().filter_map(late).collect();
        all.sort_unstable();
        all
    }
}

pub(super) fn check(pair: &Pair) {
    for session in &pair.sessions {
        if let Some(sent) = session.sent(EVENTS) {
            assert!(sent.is_balanced(), "{sent:?}");
        }
        if let Some(received) = session.received(EVENTS) {
            assert!(received.is_balanced(), "{received:?}");
        }
    }
}

/// 20 Mbit/s with a queue of 20 ms, rounds of 80 ms.
pub(super) fn narrow() -> Weather {
    Weather { bytes_per_s: 2.5e6, queue_bytes: 50e3, ..Weather::calm(40 * MS) }
}
