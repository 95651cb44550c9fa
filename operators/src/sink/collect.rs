//! `collect`: keep frames for a program to look at.
//!
//! For tests, and for programs that run a graph and want its results in memory. The program makes a
//! [`Collected`], gives it to the plan as a service, and looks into it whenever it likes:
//!
//! ```
//! use operators::sink::collect::Collected;
//!
//! let collected = Collected::default();
//! let services = engine::Services::new([collected.as_service()]);
//! // … PlanOptions { services, ..PlanOptions::new(files) } … run …
//! for frame in collected.frames("out", 0) {
//!     println!("{:?} {}", frame.frame.header.time, frame.label);
//! }
//! ```
//!
//! | port | carries                                     |
//! |------|---------------------------------------------|
//! | `in` | any number of streams, merged by their time |

use std::{
    any::Any,
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use engine::{
    Body, Code, Diagnostic, EventReader, Fault, FieldValue, Format, Frame, Kind, Outline, Param,
    Port, Service, Sink,
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "collect",
    summary: "Keep frames for the program that runs the graph.",
    doc: "Keeps the last `frames_max` frames of all its inputs, merged by event time, where the \
          program that runs the graph finds them: see operators::sink::collect::Collected. \
          How many were forgotten is counted there too. Without such a program it forgets them, \
          as `null` does, and planning warns. Runs on the data core; frames are kept as they are, \
          NaN too; none is copied.",
    example: "frames_max = 1_000",
    inputs: &[Port::any("in").variadic()],
    params: &[&FRAMES_MAX],
    plan: |node| {
        let mut outline = Outline::default();
        if node.services().find::<Collected>(SERVICE).is_none() {
            let message = format!("nobody looks at what `{}` collects", node.name());
            let warning = Diagnostic::warning(Code::NoEffect, message).of_node(node.name());
            outline.warnings.push(
                warning.at(node.place("op")).hint("give the plan a `Collected`, or use `null`"),
            );
        }
        Ok(outline)
    },
    build: |node| {
        let collected = node.services().find::<Collected>(SERVICE).cloned().unwrap_or_default();
        let room = node.get(&FRAMES_MAX)? as usize;
        let shelf = collected.shelf(node.name(), node.session());
        lock(&shelf).frames.reserve(room.min(ROOM_AT_START));
        let inputs = node.inputs().iter();
        let inputs = inputs.map(|input| (Arc::from(&*input.label), input.format.clone())).collect();
        Ok(Body::sink(Collect { inputs, room, shelf }))
    },
    ..Kind::BASE
};

const FRAMES_MAX: Param<i64> =
    Param::with_default("frames_max", 100_000, "Frames kept; older ones are forgotten.")
        .within(1.0, 1e8);

/// The name under which a plan knows the one [`Collected`] of its host.
const SERVICE: &str = "collected";

/// Room made when a node is built; a shelf that grows beyond allocates.
const ROOM_AT_START: usize = 1_024;

type Shelf = Arc<Mutex<Shelved>>;

#[derive(Default)]
struct Shelved {
    frames: VecDeque<Kept>,
    forgotten: u64,
}

/// What the `collect` nodes of a graph keep. Clones show the same.
#[derive(Clone, Default)]
pub struct Collected {
    shelves: Arc<Mutex<BTreeMap<(String, u32), Shelf>>>,
}

/// A frame that was collected.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Where it comes from: `node` or `node.port`.
    pub label: Arc<str>,
    /// What it carries.
    pub format: Format,
    /// The frame.
    pub frame: Frame,
}

impl Collected {
    /// This, as [`Services::new`](engine::Services::new) takes it.
    pub fn as_service(&self) -> (String, Arc<dyn Service>) {
        (SERVICE.to_owned(), Arc::new(self.clone()))
    }

    /// What the node called `node` has kept in a session, oldest first.
    pub fn frames(&self, node: &str, session: u32) -> Vec<Kept> {
        let shelf = self.find(node, session);
        shelf.map(|shelf| lock(&shelf).frames.iter().cloned().collect()).unwrap_or_default()
    }

    /// As [`Collected::frames`], and forgets them.
    pub fn take(&self, node: &str, session: u32) -> Vec<Kept> {
        let shelf = self.find(node, session);
        shelf.map(|shelf| lock(&shelf).frames.drain(..).collect()).unwrap_or_default()
    }

    /// How many frames that node has forgotten because there were more than `frames_max`.
    pub fn forgotten(&self, node: &str, session: u32) -> u64 {
        self.find(node, session).map_or(0, |shelf| lock(&shelf).forgotten)
    }

    fn find(&self, node: &str, session: u32) -> Option<Shelf> {
        lock(&self.shelves).get(&(node.to_owned(), session)).cloned()
    }

    fn shelf(&self, node: &str, session: u32) -> Shelf {
        lock(&self.shelves).entry((node.to_owned(), session)).or_default().clone()
    }
}

impl Service for Collected {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Kept {
    /// A number field of an event; whole numbers are converted.
    pub fn number(&self, field: &str) -> Option<f64> {
        let event = EventReader::new(self.format.as_event()?, &self.frame);
        event.f64(event.index(field)?)
    }

    /// A text field of an event.
    pub fn text(&self, field: &str) -> Option<String> {
        let event = EventReader::new(self.format.as_event()?, &self.frame);
        match event.field(event.index(field)?)? {
            FieldValue::Text(text) => Some(text.to_owned()),
            _ => None,
        }
    }
}

struct Collect {
    /// Label and format; shared, so that keeping a frame allocates nothing.
    inputs: Box<[(Arc<str>, Format)]>,
    room: usize,
    shelf: Shelf,
}

impl Sink for Collect {
    fn take(&mut self, line: usize, frame: &Frame) -> Result<(), Fault> {
        let (label, format) = &self.inputs[line];
        let kept = Kept { label: label.clone(), format: format.clone(), frame: frame.clone() };
        let mut shelf = lock(&self.shelf);
        if shelf.frames.len() >= self.room {
            shelf.frames.pop_front();
            shelf.forgotten += 1;
        }
        shelf.frames.push_back(kept);
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use engine::{
        EventWriter, Field, Header, Services, Timestamp,
        testing::{Bench, MemoryFiles},
    };

    use super::*;

    fn bench(collected: &Collected, inputs: &[(&str, Format)], params: &str) -> Bench {
        let services = Services::new([collected.as_service()]);
        let files = Arc::new(MemoryFiles::new());
        Bench::in_world(&KIND, inputs, params, files, services)
            .unwrap_or_else(|problem| panic!("{problem}"))
    }

    #[test]
    fn frames_are_found_by_node_with_their_fields() {
        let collected = Collected::default();
        let events = Format::event(vec![Field::i64("beat"), Field::text("class", 2)], 1.0);
        let inputs = [("in", Bench::channels(1, 100.0)), ("in", events.clone())];
        let mut collect = bench(&collected, &inputs, "");
        collect.push_samples(0, &[1.0, 2.0]);
        let event = EventWriter::new(events.as_event().expect("events")).i64(0, 7).text(1, "V");
        collect.push(1, Frame::new(Header::at(Timestamp::from_nanos(5)), event.finish()));
        collect.flush();

        let kept = collected.frames("bench", 0);
        assert_eq!(kept.iter().map(|kept| &*kept.label).collect::<Vec<_>>(), ["in0", "in1"]);
        assert_eq!(kept[0].frame.samples(), [1.0, 2.0]);
        assert_eq!((kept[1].number("beat"), kept[1].text("class")), (Some(7.0), Some("V".into())));
        assert_eq!((kept[1].number("class"), kept[1].text("none")), (None, None));
        assert!(collected.frames("bench", 1).is_empty() && collected.frames("other", 0).is_empty());

        assert_eq!(collected.take("bench", 0).len(), 2);
        assert!(collected.take("bench", 0).is_empty());
    }

    #[test]
    fn what_there_is_no_room_for_is_counted() {
        let collected = Collected::default();
        let mut collect = bench(&collected, &[("in", Bench::channels(1, 10.0))], "frames_max = 3");
        for n in 0..10u8 {
            collect.push_samples(0, &[f32::from(n)]);
        }
        collect.flush();
        let kept: Vec<f32> =
            collected.frames("bench", 0).iter().map(|kept| kept.frame.samples()[0]).collect();
        assert_eq!(kept, [7.0, 8.0, 9.0]);
        assert_eq!(collected.forgotten("bench", 0), 7);
    }

    #[test]
    fn collecting_for_nobody_is_warned_of() {
        let collect = Bench::build(&KIND, 10.0, "").unwrap_or_else(|problem| panic!("{problem}"));
        assert_eq!(collect.warnings(), ["nobody looks at what `bench` collects"]);
    }
}
