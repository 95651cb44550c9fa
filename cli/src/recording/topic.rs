//! [`Topic`]: one output of one session on its way into a recording.

use std::collections::VecDeque;

use engine::{Output, Seen, Tap, Tapped, Timestamp};
use operators::files::mcap::{
    Codec, LostOf, Schema,
    read::{Recorded, Role},
    write::{Channel, Moment},
};

/// Bounds that come without frames are written once they are so far ahead.
const REACHED_NS: i64 = 50_000_000;

/// One output of one session.
pub(super) struct Topic {
    pub(super) output: Recorded,
    pub(super) codec: Codec,
    /// The second stands in for a stage that never returned.
    pub(super) taps: VecDeque<Tap>,
    /// What is to be written next.
    pub(super) next: Option<Tapped>,
    pub(super) sequence: u32,
    /// Frames that are missing, of which nothing has been written yet.
    pub(super) missed: u64,
    pub(super) reached: Reached,
    pub(super) frames: u64,
    pub(super) missed_in_all: u64,
    /// Of these, what the tap in front has told by what came behind.
    told_by_tap: u64,
    origin_ns: i64,
    /// When the last message happened.
    last: Moment,
}

/// How far an output is.
pub(super) struct Reached {
    known: Timestamp,
    pub(super) written: Timestamp,
}

impl Reached {
    /// What is known and not written yet.
    pub(super) fn pending(&self) -> Option<Timestamp> {
        (self.known > self.written).then_some(self.known)
    }
}

impl Topic {
    pub(super) fn new(session: u32, output: &Output<'_>, is_live: bool, origin_ns: i64) -> Self {
        Self {
            codec: Codec::new(output.format),
            output: Recorded::new(session, output, is_live),
            taps: VecDeque::new(),
            next: None,
            sequence: 0,
            missed: 0,
            reached: Reached { known: Timestamp::MIN, written: Timestamp::MIN },
            frames: 0,
            missed_in_all: 0,
            told_by_tap: 0,
            origin_ns,
            last: Moment { log_ns: 0, publish_ns: 0 },
        }
    }

    /// Takes the next of what came by, unless something waits already; gives when it happened.
    pub(super) fn peek(&mut self) -> Option<Timestamp> {
        while self.next.is_none() {
            // Where another stands behind it, its stage never returned, and shows nothing more.
            let is_replaced = self.taps.len() > 1;
            let tap = self.taps.front_mut()?;
            self.next = tap.try_next();
            if self.next.is_none() {
                if !tap.has_ended() && !is_replaced {
                    return None;
                }
                // What was told of by nothing that came behind it.
                let untold = tap.missed();
                self.taps.pop_front();
                self.note_the_last(untold);
            }
        }
        self.next.as_ref().map(|tapped| match &tapped.what {
            Seen::Frame(frame) => frame.header.time,
            Seen::Bound(bound) => *bound,
        })
    }

    /// Counts frames that the tap had no room for before what came by.
    pub(super) fn miss_at_tap(&mut self, frames: u64) {
        self.told_by_tap += frames;
        self.miss(frames);
    }

    /// Messages did not get there: of the frames that they stood for, some were missing before.
    pub(super) fn take_back(&mut self, of: LostOf) {
        self.missed += of.frames;
        if of.channel.is_multiple_of(2) {
            self.missed_in_all += of.messages;
            self.frames -= of.messages;
        }
    }

    /// Counts frames that are not written.
    pub(super) fn miss(&mut self, frames: u64) {
        self.missed += frames;
        self.missed_in_all += frames;
    }

    /// A tap that has ended has missed so many in all.
    fn note_the_last(&mut self, all: u64) {
        let told = std::mem::take(&mut self.told_by_tap);
        self.miss(all.saturating_sub(told));
    }

    /// Takes note of a bound; says whether it is to be written by itself.
    pub(super) fn reach(&mut self, bound: Timestamp) -> bool {
        let is_second = self.reached.pending().is_some();
        self.reached.known = bound.max(self.reached.known);
        let ahead_ns = bound.since(self.reached.written.max(Timestamp::ZERO));
        bound == Timestamp::MAX || (is_second && ahead_ns >= REACHED_NS)
    }

    /// When something on the session's line happened by the clock of the world, and came in.
    pub(super) fn moment(&mut self, time: Timestamp, entered: Option<Timestamp>) -> Moment {
        let world = |time: Timestamp| self.origin_ns.saturating_add(time.nanos()).max(0) as u64;
        // The end of a stream is no moment.
        let log_ns = if time == Timestamp::MAX { self.last.log_ns } else { world(time) };
        let publish_ns = entered.map_or(self.last.publish_ns.max(log_ns), world);
        self.last = Moment { log_ns, publish_ns };
        self.last
    }

    /// As a viewer calls it.
    fn name(&self, tells_session: bool) -> String {
        match tells_session {
            true => format!("/{}/{}", self.output.session, self.output.label),
            false => format!("/{}", self.output.label),
        }
    }
}

/// The channels of topics, two for each, and their schemas.
pub(super) fn described(topics: &[Topic], tells_session: bool) -> (Vec<Schema>, Vec<Channel>) {
    let mut schemas = vec![Schema::of_reached()];
    let mut channels = Vec::new();
    for topic in topics {
        let schema = Schema::of(&topic.output.label, &topic.output.format);
        let number = schemas.iter().position(|known| *known == schema).unwrap_or_else(|| {
            schemas.push(schema);
            schemas.len() - 1
        });
        let name = topic.name(tells_session);
        for (role, topic_name, schema) in
            [(Role::Frames, name.clone(), number), (Role::Reached, format!("{name}/reached"), 0)]
        {
            channels.push(Channel {
                topic: topic_name,
                schema,
                metadata: topic.output.metadata(role),
            });
        }
    }
    (schemas, channels)
}
