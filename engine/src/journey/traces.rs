//! Steps of followed frames, kept for what they may still cause: the oldest go, never all of a moment.

use std::collections::{BTreeMap, HashMap};

use smallvec::SmallVec;

use crate::{
    steps::{Missing, Step},
    time::Timestamp,
};

/// Steps that are kept of one frame. What shares its stamp counts as one: as fast as it goes, those of a turn.
const STEPS_MAX: usize = 1 << 15;
/// Room for all of them together, in steps.
pub(super) const ROOM: usize = 1 << 16;
/// A frame takes so much besides its steps.
const FRAME: usize = 8;
/// What is older goes once there is more than this share of the room in use.
const CROWDED: usize = ROOM / 8;

/// A followed frame: its stamp at the door, and its session.
pub(super) type Origin = (Timestamp, u32);

/// Places of steps among those of their frame.
type Places = SmallVec<[u32; 4]>;

/// The steps of one followed frame, in the order in which they were noted.
#[derive(Default)]
pub(super) struct Trace {
    pub(super) steps: Vec<Step>,
    /// Places of the steps of each node, and of the calls of each stage.
    of_node: HashMap<u32, Places>,
    of_stage: HashMap<usize, Places>,
    /// Some step is missing: of what it has caused nothing can be said.
    broken: bool,
}

impl Trace {
    pub(super) const fn is_whole(&self) -> bool {
        !self.broken
    }

    fn put(&mut self, step: Step, stage: Option<usize>) {
        let place = self.steps.len() as u32;
        self.of_node.entry(step.node).or_default().push(place);
        if let Some(stage) = stage {
            self.of_stage.entry(stage).or_default().push(place);
        }
        self.steps.push(step);
    }

    /// Places of a node's steps before `end`, the last first.
    pub(super) fn back_at(&self, node: usize, end: usize) -> impl Iterator<Item = usize> {
        let places = self.of_node.get(&(node as u32)).map_or(&[][..], |places| places);
        let before = places.partition_point(|&place| (place as usize) < end);
        places[..before].iter().rev().map(|&place| place as usize)
    }

    /// Places of the calls of a stage, the first first.
    pub(super) fn calls_of(&self, stage: usize) -> &[u32] {
        self.of_stage.get(&stage).map_or(&[][..], |places| places)
    }

    fn weight(&self) -> usize {
        FRAME + self.steps.len()
    }
}

/// See the module.
pub(super) struct Traces {
    kept: BTreeMap<Origin, Trace>,
    /// What came in up to this one is not kept any more.
    gone: Origin,
    weight: usize,
    /// All frames and steps that have come so far, weighed alike.
    pub(super) came: u64,
    pub(super) frames: u64,
}

impl Default for Traces {
    fn default() -> Self {
        Self { kept: BTreeMap::new(), gone: (Timestamp::MIN, 0), weight: 0, came: 0, frames: 0 }
    }
}

impl Traces {
    /// What is kept, in steps.
    pub(super) const fn weight(&self) -> usize {
        self.weight
    }

    /// What is known of a frame; nothing if it is not kept any more.
    pub(super) fn of(&mut self, origin: Origin) -> Option<&mut Trace> {
        if origin <= self.gone {
            return None;
        }
        let trace = self.kept.entry(origin).or_insert_with(|| {
            self.weight += FRAME;
            self.came += FRAME as u64;
            self.frames += 1;
            Trace::default()
        });
        Some(trace)
    }

    /// Takes note of a step, which was a call of this stage.
    pub(super) fn put(&mut self, origin: Origin, step: Step, stage: Option<usize>) {
        let Some(trace) = self.of(origin) else { return };
        if trace.steps.len() == STEPS_MAX {
            self.give_up(origin);
        } else if trace.is_whole() {
            trace.put(step, stage);
            self.weight += 1;
        }
        self.came += 1;
    }

    /// Some step of a frame is missing: nothing will be said of what it causes from now on.
    fn give_up(&mut self, origin: Origin) {
        let Some(trace) = self.of(origin) else { return };
        let steps = trace.steps.len();
        *trace = Trace { broken: true, ..Trace::default() };
        self.weight -= steps;
    }

    /// Some steps have found no room on their way to here.
    pub(super) fn miss(&mut self, missing: Missing) {
        match missing {
            Missing::Step { entered, session, .. } => self.give_up((entered, session)),
            Missing::AnyUpTo(entered) => self.forget_up_to((entered, u32::MAX)),
        }
    }

    /// The oldest go: those that came in `keep_ns` ago once there are many, others where there is no room.
    pub(super) fn make_room(&mut self, now: Timestamp, keep_ns: i64) {
        while let Some((&origin, _)) = self.kept.first_key_value() {
            let is_old = now.since(origin.0) > keep_ns;
            if self.weight <= CROWDED || (self.weight <= ROOM && !is_old) {
                return;
            }
            self.forget_up_to(origin);
        }
    }

    fn forget_up_to(&mut self, origin: Origin) {
        self.gone = self.gone.max(origin);
        while let Some(first) = self.kept.first_entry().filter(|first| *first.key() <= origin) {
            self.weight -= first.remove().weight();
        }
    }
}
