//! [`Replay`]: the frames and bounds of a node once more.

use std::{collections::VecDeque, sync::Arc};

use engine::{Fault, Flow, Format, Gap, Io, Rate, Source, Timestamp};
use operators::files::mcap::{
    Recording,
    read::{Item, Player, ReadError},
};

/// Looked ahead for the next of every port: more than a recorder writes of one output before the others.
const AHEAD_ITEMS: usize = 100_000;
const AHEAD_BYTES: usize = 256 << 20;

/// Brings what was recorded of one node in one session.
pub(super) struct Replay {
    recording: Arc<Recording>,
    /// Numbers of the recorded outputs.
    outputs: Vec<usize>,
    lanes: Vec<Lane>,
    player: Option<Player>,
    has_ended: bool,
    /// What is waiting in all lanes.
    ahead: (usize, usize),
}

/// One port.
struct Lane {
    port: usize,
    rate: Option<Rate>,
    waiting: VecDeque<Item>,
    /// When the last frame was over.
    end: Timestamp,
    is_over: bool,
    /// Frames that are missing before the next.
    missed: u64,
}

impl Lane {
    /// When a device would deliver what is next here.
    fn due(&self) -> Option<Timestamp> {
        Some(match self.waiting.front()? {
            Item::Reached(reached, _) if *reached == Timestamp::MAX => self.end,
            Item::Reached(reached, _) => *reached,
            Item::Frame(told) => self.end_of(told.frame.header.time, told.frame.len()),
        })
    }

    fn end_of(&self, time: Timestamp, len: usize) -> Timestamp {
        self.rate.map_or(time, |rate| time.plus_nanos(rate.span_ns(len as i64)))
    }

    /// Whether more should be read before this lane is asked.
    fn wants_more(&self) -> bool {
        // Two, as a bound that is told before a frame is brought with the one before that.
        !self.is_over && self.waiting.len() < 2
    }
}

impl Replay {
    pub(super) fn new(recording: Arc<Recording>, ports: &[Option<usize>]) -> Self {
        let recorded =
            ports.iter().enumerate().filter_map(|(port, number)| Some((port, (*number)?)));
        let (lanes, outputs) = recorded
            .map(|(port, number)| {
                let rate = match &recording.outputs[number].format {
                    Format::Signal(signal) => Some(signal.rate),
                    _ => None,
                };
                let waiting = VecDeque::new();
                (
                    Lane { port, rate, waiting, end: Timestamp::MIN, is_over: false, missed: 0 },
                    number,
                )
            })
            .unzip();
        Self { recording, outputs, lanes, player: None, has_ended: false, ahead: (0, 0) }
    }

    /// Reads until every port knows what comes next there.
    fn look_ahead(&mut self) -> Result<(), ReadError> {
        let player = match &mut self.player {
            Some(player) => player,
            None => self.player.insert(self.recording.play(&self.outputs)?),
        };
        while !self.has_ended && self.lanes.iter().any(Lane::wants_more) {
            if self.ahead.0 > AHEAD_ITEMS || self.ahead.1 > AHEAD_BYTES {
                return Ok(());
            }
            let Some((lane, item)) = player.read_next()? else {
                self.has_ended = true;
                return Ok(());
            };
            self.ahead = (self.ahead.0 + 1, self.ahead.1 + bytes(&item));
            let lane = &mut self.lanes[lane];
            lane.is_over |= matches!(item, Item::Reached(Timestamp::MAX, _));
            lane.waiting.push_back(item);
        }
        Ok(())
    }

    /// Brings what is due first; says whether there was something.
    fn bring(&mut self, io: &mut Io<'_>) -> bool {
        let lanes = self.lanes.iter_mut().filter_map(|lane| Some((lane.due()?, lane)));
        let Some((due, lane)) = lanes.min_by_key(|(due, lane)| (*due, lane.port)) else {
            return false;
        };
        // The bound before a frame comes by itself where no frame went before that could bring it.
        if let Some(Item::Frame(told)) = lane.waiting.front_mut()
            && let Some(reached) = told.reached.take()
        {
            io.promise(lane.port, reached);
            return true;
        }
        let Some(item) = lane.waiting.pop_front() else { return false };
        self.ahead = (self.ahead.0 - 1, self.ahead.1 - bytes(&item));
        match item {
            Item::Reached(reached, missed) => {
                io.promise(lane.port, reached);
                lane.missed += missed;
            }
            Item::Frame(told) => {
                let missed = std::mem::take(&mut lane.missed) + told.missed;
                let mut frame = told.frame;
                if missed > 0 {
                    frame.header.gap.note(Gap::Source);
                }
                lane.end = due.max(lane.end);
                io.send(lane.port, frame);
                let next = lane.waiting.front_mut();
                if let Some(Item::Frame(next)) = next
                    && let Some(reached) = next.reached.take()
                {
                    io.promise(lane.port, reached);
                }
            }
        }
        true
    }
}

impl Source for Replay {
    fn next(&mut self, io: &mut Io<'_>) -> Result<Flow, Fault> {
        self.look_ahead().map_err(|error| match error {
            ReadError::Io(error) => Fault::io("the recording cannot be read", error),
            error => Fault::data(format!("the recording: {error}")),
        })?;
        Ok(if self.bring(io) { Flow::More } else { Flow::End })
    }

    fn reset(&mut self) -> Result<(), Fault> {
        self.player = None;
        (self.has_ended, self.ahead) = (false, (0, 0));
        for lane in &mut self.lanes {
            lane.waiting.clear();
            (lane.end, lane.is_over, lane.missed) = (Timestamp::MIN, false, 0);
        }
        Ok(())
    }

    /// Nothing is promised but what was: frames of a device may come before the ones ahead of them are over.
    fn may_be_early_ns(&self) -> i64 {
        i64::MAX
    }
}

fn bytes(item: &Item) -> usize {
    match item {
        Item::Frame(told) => told.frame.buffer().bytes_len(),
        Item::Reached(..) => 0,
    }
}
