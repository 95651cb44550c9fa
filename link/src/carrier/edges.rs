//! [`EdgePlan`]: how a cut edge travels.

use std::fmt;

use engine::{CutEdge, Format, OnFull};

use crate::{
    session::{Delivery, EdgeConfig, Priority, TimeLine},
    wire::longest,
};

/// What a droppable edge has that says nothing of a deadline: who watches a display notices a second.
const DEADLINE_NS: i64 = 1_000_000_000;
/// What a durable edge keeps that says nothing of its room: a hand-over between two networks.
const ROOM_MS: f64 = 2_000.0;
/// Frames that an edge holds at least, and at most.
const FRAMES: [usize; 2] = [64, 16_384];
/// Pictures are large.
const IMAGES_MIN: usize = 4;
/// Bytes that an edge holds at most; the least is for formats that only say how large a frame may be.
const BYTES: [usize; 2] = [256 << 10, 64 << 20];
/// Frames longer than this would make others wait: at 20 Mbit/s it takes 13 ms.
const BULK_BYTES: usize = 32 << 10;

/// A cut edge, and how it travels.
#[derive(Clone, Debug)]
pub struct EdgePlan {
    /// As the planner cut it.
    pub edge: CutEdge,
    /// As the session carries it.
    pub config: EdgeConfig,
}

/// How each of the cut edges travels, as `here` sees them.
pub fn edge_plans(edges: &[CutEdge], here: &str) -> Vec<EdgePlan> {
    let plan = |edge: &CutEdge| EdgePlan { edge: edge.clone(), config: config(edge, here) };
    edges.iter().map(plan).collect()
}

fn config(edge: &CutEdge, here: &str) -> EdgeConfig {
    let delivery = match edge.on_full {
        OnFull::Block => Delivery::Durable,
        _ => Delivery::Droppable { deadline_ns: edge.deadline_ns.unwrap_or(DEADLINE_NS) },
    };
    let frames_max = frames_max(edge, delivery);
    EdgeConfig {
        name: edge.name(),
        format: edge.format.clone(),
        receives: edge.hosts[1] == here,
        delivery,
        priority: priority(edge),
        line: if edge.behind_device { TimeLine::Clock } else { TimeLine::Shared },
        packed: matches!(edge.format, Format::Signal(_)),
        may_void: edge.may_void,
        frames_max,
        bytes_max: bytes_max(&edge.format, frames_max),
    }
}

/// As much as comes while a frame may be under way. What a durable edge keeps is let go when the last
/// sinks are past it, which are behind it by construction.
fn frames_max(edge: &CutEdge, delivery: Delivery) -> usize {
    let span_ms = match delivery {
        Delivery::Droppable { deadline_ns } => deadline_ns as f64 / 1e6,
        Delivery::Durable => edge.capacity_ms.unwrap_or(ROOM_MS) + edge.lag_ns as f64 / 1e6,
    };
    let frames = (edge.format.frames_per_second() * span_ms / 1e3).ceil() as usize;
    let least = if matches!(edge.format, Format::Image(_)) { IMAGES_MIN } else { FRAMES[0] };
    match edge.on_full {
        OnFull::Latest => 1,
        _ => frames.clamp(least, FRAMES[1]),
    }
}

fn bytes_max(format: &Format, frames: usize) -> usize {
    let bytes = longest(format).map_or(BYTES[1], |bytes| bytes.saturating_mul(frames));
    bytes.clamp(BYTES[0], BYTES[1])
}

/// Events are as long as what happened, which is seldom as long as it may be.
fn priority(edge: &CutEdge) -> Priority {
    let is_long = longest(&edge.format).is_none_or(|bytes| bytes > BULK_BYTES);
    match &edge.format {
        // Their format is as long as a question may be.
        _ if let Some(call) = edge.call => {
            if call.bytes > BULK_BYTES {
                Priority::Bulk
            } else {
                Priority::Sensor
            }
        }
        Format::Event(_) => Priority::Sensor,
        _ if is_long => Priority::Bulk,
        _ => Priority::Sensor,
    }
}

/// `clean -> beats    edge → cloud  durable, 52 frames (2.1 s) until consumed, times of the edge's clock`
impl fmt::Display for EdgePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { edge, config } = self;
        let [from, to] = &edge.hosts;
        write!(f, "{}: {from} to {to}, ", config.name)?;
        let frames = config.frames_max;
        if let (Some(call), Delivery::Droppable { deadline_ns }) = (edge.call, config.delivery) {
            let what = if call.answers { "answers" } else { "questions" };
            let ms = deadline_ns / 1_000_000;
            write!(f, "a stream for each of the {what}, given up after {ms} ms")?;
            return if config.priority == Priority::Bulk {
                f.write_str(", behind smaller frames")
            } else {
                Ok(())
            };
        }
        match (config.delivery, config.priority) {
            (Delivery::Durable, _) => {
                write!(
                    f,
                    "a stream from which nothing is lost, {frames} frames kept until they are through"
                )?;
            }
            (Delivery::Droppable { deadline_ns }, Priority::Sensor) => {
                write!(f, "datagrams, dropped after {} ms", deadline_ns / 1_000_000)?;
            }
            (Delivery::Droppable { deadline_ns }, Priority::Bulk) => {
                let ms = deadline_ns / 1_000_000;
                write!(f, "a stream for each frame, given up after {ms} ms, the newest first")?;
            }
        }
        if config.priority == Priority::Bulk {
            f.write_str(", behind smaller frames")?;
        }
        match config.line {
            TimeLine::Shared => f.write_str(", times as they are"),
            TimeLine::Clock => f.write_str(", times put right from clock to clock"),
        }
    }
}

#[cfg(test)]
mod tests {
    use engine::{Field, Rate, Unit};

    use super::*;

    fn edge(format: Format, on_full: OnFull) -> CutEdge {
        CutEdge {
            from: "clean".to_owned(),
            to: ("beats".to_owned(), 0),
            hosts: ["edge".to_owned(), "cloud".to_owned()],
            session: 0,
            format,
            on_full,
            capacity_ms: None,
            deadline_ns: None,
            behind_device: false,
            call: None,
            may_void: false,
            lag_ns: 0,
        }
    }

    fn ecg() -> Format {
        Format::signal(8, Unit::UNKNOWN, Rate::new(250.0).expect("a rate"), 10)
    }

    #[test]
    fn what_blocks_is_durable_and_holds_what_the_graph_gives_it_room_for() {
        let config = |capacity_ms, lag_ns| {
            let edge = CutEdge { capacity_ms, lag_ns, ..edge(ecg(), OnFull::Block) };
            config(&edge, "cloud")
        };

        let usual = config(None, 0);
        assert_eq!((usual.delivery, usual.receives), (Delivery::Durable, true));
        // 25 frames a second.
        assert_eq!(usual.frames_max, FRAMES[0]);
        assert_eq!(config(Some(10_000.0), 0).frames_max, 250);
        assert_eq!(config(Some(10_000.0), 2_000_000_000).frames_max, 300);
        assert!(!super::config(&edge(ecg(), OnFull::Block), "edge").receives);
    }

    #[test]
    fn what_may_drop_has_the_deadline_of_the_graph() {
        let deadline = |deadline_ns| {
            let edge = CutEdge { deadline_ns, ..edge(ecg(), OnFull::DropOldest) };
            config(&edge, "edge").delivery
        };

        assert_eq!(deadline(None), Delivery::Droppable { deadline_ns: DEADLINE_NS });
        assert_eq!(deadline(Some(50)), Delivery::Droppable { deadline_ns: 50 });
        assert_eq!(config(&edge(ecg(), OnFull::Latest), "edge").frames_max, 1);
    }

    #[test]
    fn large_frames_go_behind_small_ones_and_events_are_small() {
        let audio = Format::signal(2, Unit::UNKNOWN, Rate::new(48_000.0).expect("a rate"), 960);
        let long = Format::signal(64, Unit::UNKNOWN, Rate::new(48_000.0).expect("a rate"), 960);
        let event = Format::event(vec![Field::text("said", 1 << 20)], 1.0);

        assert_eq!(
            [ecg(), audio, long, event].map(|format| priority(&edge(format, OnFull::DropOldest))),
            [Priority::Sensor, Priority::Sensor, Priority::Bulk, Priority::Sensor]
        );
    }

    #[test]
    fn times_behind_a_device_are_those_of_a_clock() {
        let line = |behind_device| {
            config(&CutEdge { behind_device, ..edge(ecg(), OnFull::Block) }, "edge").line
        };
        assert_eq!([false, true].map(line), [TimeLine::Shared, TimeLine::Clock]);
    }
}
