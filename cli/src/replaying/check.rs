//! [`Check`]: whether other nodes give what they gave when they were recorded.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use engine::{Format, Frame, Onlooker, Plan, Seen, Tap, TapLimits, counted, describe, tap};
use operators::files::mcap::{
    Codec, Recording,
    read::{Item, Player},
};

use crate::exit::{Exit, Failure};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(5);
/// A run waits so long for who compares, a frame.
const PATIENCE: Duration = Duration::from_secs(10);
/// Frames of other outputs that are read before their turn, and their bytes.
const AHEAD_FRAMES: usize = 200_000;
const AHEAD_BYTES: usize = 256 << 20;

type Opened = Arc<Mutex<Vec<(usize, Tap)>>>;

/// What is to be compared.
pub(crate) struct Check {
    recording: Arc<Recording>,
    /// Numbers of outputs in the recording.
    outputs: Vec<usize>,
    opened: Opened,
    is_over: Arc<AtomicBool>,
}

impl Check {
    /// All outputs of a plan that were recorded and are none of a source.
    pub(crate) fn of(
        recording: &Arc<Recording>,
        plan: &Plan,
        sessions: u32,
    ) -> Result<Self, Failure> {
        let is_comparable = |(_, output): &(usize, &operators::files::mcap::read::Recorded)| {
            !output.is_source && output.session < sessions && plan.output(&output.label).is_some()
        };
        let outputs: Vec<usize> = recording
            .outputs
            .iter()
            .enumerate()
            .filter(is_comparable)
            .map(|(number, _)| number)
            .collect();
        if outputs.is_empty() {
            let message = "the recording holds no output of this graph that could be compared";
            let hint = "record more than sources: afferent record GRAPH --out FILE.mcap --all";
            return Err(Failure::new(Exit::Usage, message, hint));
        }
        let this = Self {
            recording: recording.clone(),
            outputs,
            opened: Opened::default(),
            is_over: Arc::default(),
        };
        Ok(this)
    }

    /// Looks on at what is compared.
    pub(crate) fn onlooker(&self) -> Onlooker {
        let (recording, outputs, opened) =
            (self.recording.clone(), self.outputs.clone(), self.opened.clone());
        Arc::new(move |session, output| {
            let label = output.label();
            let is_it = |number: &&usize| {
                let recorded = &recording.outputs[**number];
                recorded.session == session && recorded.label == label
            };
            let Some(&number) = outputs.iter().find(is_it) else { return Vec::new() };
            let (end, tap) = tap(TapLimits { patience: PATIENCE, ..TapLimits::default() });
            opened.lock().unwrap_or_else(PoisonError::into_inner).push((number, tap));
            vec![end]
        })
    }

    /// Begins to compare; gives what finds out how it ends.
    pub(crate) fn start(&self, plan: &Plan) -> Result<impl FnOnce() -> Compared + use<>, Failure> {
        let failed = |error: &dyn std::fmt::Display| {
            Failure::new(Exit::Io, &format!("cannot compare: {error}"), "")
        };
        let player = self.recording.play(&self.outputs).map_err(|error| failed(&error))?;
        let lanes: Vec<Lane> = self
            .outputs
            .iter()
            .map(|&number| {
                let recorded = &self.recording.outputs[number];
                let now = plan.output(&recorded.label).map(|output| output.format.clone());
                Lane::new(number, recorded.label.clone(), recorded.session, &recorded.format, now)
            })
            .collect();
        let mut comparing = Comparing { player: Some(player), lanes, ahead: (0, 0) };
        let (opened, is_over) = (self.opened.clone(), self.is_over.clone());
        let work = move || {
            loop {
                let is_last = is_over.load(Ordering::Acquire);
                for (number, tap) in opened.lock().unwrap_or_else(PoisonError::into_inner).drain(..)
                {
                    let mut lanes = comparing.lanes.iter_mut();
                    if let Some(lane) = lanes.find(|lane| lane.number == number) {
                        lane.taps.push_back(tap);
                    }
                }
                let any = comparing.look();
                if is_last {
                    return comparing.finish();
                }
                if !any {
                    std::thread::park_timeout(LOOK);
                }
            }
        };
        let thread = std::thread::Builder::new().name("afferent-check".to_owned()).spawn(work);
        let thread = thread.map_err(|error| failed(&error))?;
        let is_over = self.is_over.clone();
        Ok(move || {
            is_over.store(true, Ordering::Release);
            thread.thread().unpark();
            thread.join().unwrap_or_else(|_| Compared {
                equal: 0,
                differing: vec!["the thread that compares died".to_owned()],
            })
        })
    }
}

/// What came of it.
pub(crate) struct Compared {
    /// Frames that are equal.
    equal: u64,
    /// What differs, a sentence for each output.
    pub(crate) differing: Vec<String>,
}

impl Compared {
    /// For a person.
    pub(crate) fn told(&self) -> String {
        let equal = counted(self.equal, "frame");
        match &self.differing[..] {
            [] => format!("  check    {equal} equal to the bit"),
            all => format!(
                "  check    DIFFERS: {}\n           ({equal} equal)",
                all.join("\n           ")
            ),
        }
    }
}

struct Comparing {
    player: Option<Player>,
    lanes: Vec<Lane>,
    /// Frames that wait in lanes, and their bytes.
    ahead: (usize, usize),
}

/// One output.
struct Lane {
    number: usize,
    label: String,
    session: u32,
    codec: Codec,
    format: Format,
    taps: VecDeque<Tap>,
    /// What it gave then, and has not given now.
    then: VecDeque<Frame>,
    equal: u64,
    /// How it differs, if it does.
    differs: Option<String>,
    /// Nothing more comes now.
    is_over: bool,
}

impl Lane {
    fn new(number: usize, label: String, session: u32, then: &Format, now: Option<Format>) -> Self {
        let is_same = now.as_ref().is_some_and(|now| describe(now) == describe(then));
        let differs = (!is_same).then(|| {
            let now = now.map_or("nothing".to_owned(), |now| now.to_string());
            format!("`{label}` was {then} and is {now}")
        });
        Self {
            number,
            label,
            session,
            codec: Codec::new(then),
            format: then.clone(),
            taps: VecDeque::new(),
            then: VecDeque::new(),
            equal: 0,
            differs,
            is_over: false,
        }
    }

    fn say(&mut self, what: &str) {
        let session = match self.session {
            0 => String::new(),
            session => format!(" of session {session}"),
        };
        let text = format!("`{}`{session}: {what}", self.label);
        self.differs.get_or_insert(text);
    }

    /// Compares a frame with the one of then; messages of both are equal where all that counts is.
    fn compare(&mut self, then: &Frame, now: &Frame) {
        let message = |frame: &Frame| {
            let mut bytes = Vec::new();
            // When it came in is another time each time, and numbers go on where frames were missing.
            let (mut header, buffer) = frame.clone().into_parts();
            header.entered = engine::Timestamp::ZERO;
            (header.seq, header.epoch, header.source) = (0, 0, 0);
            self.codec.put(&mut bytes, &Frame::new(header, buffer), 0, 0, None);
            bytes
        };
        if message(then) == message(now) {
            self.equal += 1;
            return;
        }
        let at_s = then.header.time.secs_f64();
        let what = if then.header.time != now.header.time {
            format!("a frame at {at_s} s came at {} s", now.header.time.secs_f64())
        } else if then.header.gap != now.header.gap {
            format!("the gap before {at_s} s is {:?} and was {:?}", now.header.gap, then.header.gap)
        } else if then.len() != now.len() {
            format!("the frame at {at_s} s has {} samples and had {}", now.len(), then.len())
        } else {
            let pairs = then.samples().iter().zip(now.samples());
            let sample = pairs.clone().position(|(then, now)| then.to_bits() != now.to_bits());
            match (&self.format, sample) {
                (Format::Signal(_), Some(sample)) => {
                    let (channel, number) =
                        (sample / then.len().max(1), sample % then.len().max(1));
                    let (was, is) = (then.samples()[sample], now.samples()[sample]);
                    format!(
                        "sample {number} of channel {channel} at {at_s} s is {is} and was {was}"
                    )
                }
                _ => format!("the content at {at_s} s is another"),
            }
        };
        self.say(&what);
    }
}

impl Comparing {
    /// Compares what came by.
    fn look(&mut self) -> bool {
        let mut any = false;
        for number in 0..self.lanes.len() {
            while let Some(tapped) = self.lanes[number].taps.front_mut().and_then(Tap::try_next) {
                any = true;
                if tapped.missed > 0 {
                    let missed = counted(tapped.missed, "frame");
                    self.lanes[number].say(&format!("{missed} came too fast to be compared"));
                }
                let Seen::Frame(now) = tapped.what else { continue };
                match self.then(number) {
                    Some(then) if self.lanes[number].differs.is_none() => {
                        self.lanes[number].compare(&then, &now);
                    }
                    Some(_) => {}
                    None => {
                        let at_s = now.header.time.secs_f64();
                        self.lanes[number].say(&format!("a frame at {at_s} s was not there"));
                    }
                }
            }
            let taps = &mut self.lanes[number].taps;
            // Where another stands behind it, its stage never returned, and shows nothing more.
            if taps.len() > 1 {
                taps.pop_front();
                any = true;
            }
        }
        any
    }

    /// What an output gave then.
    fn then(&mut self, number: usize) -> Option<Frame> {
        while self.lanes[number].then.is_empty() {
            if self.ahead.0 >= AHEAD_FRAMES || self.ahead.1 >= AHEAD_BYTES {
                let (label, frames) = (&self.lanes[number].label, counted(self.ahead.0, "frame"));
                let text = format!(
                    "`{label}`: {frames} of other outputs were written before its next, too many to be held"
                );
                self.lanes[number].differs.get_or_insert(text);
                return None;
            }
            match self.player.as_mut()?.read_next() {
                Ok(Some((lane, Item::Frame(told)))) => {
                    if told.missed > 0 {
                        self.lanes[lane].say("frames are missing in the recording");
                    }
                    if self.lanes[lane].is_over {
                        continue;
                    }
                    self.ahead = (self.ahead.0 + 1, self.ahead.1 + told.frame.buffer().bytes_len());
                    self.lanes[lane].then.push_back(told.frame);
                }
                Ok(Some(_)) => {}
                Ok(None) => self.player = None,
                Err(error) => {
                    self.player = None;
                    self.lanes[number].say(&error.to_string());
                }
            }
        }
        let then = self.lanes[number].then.pop_front();
        if let Some(then) = &then {
            self.ahead = (self.ahead.0 - 1, self.ahead.1 - then.buffer().bytes_len());
        }
        then
    }

    fn finish(mut self) -> Compared {
        for number in 0..self.lanes.len() {
            if let Some(then) = self.then(number) {
                let at_s = then.header.time.secs_f64();
                self.lanes[number].say(&format!("a frame at {at_s} s did not come"));
            }
            // Nothing of it is asked for any more.
            self.lanes[number].then.clear();
            self.ahead = self
                .lanes
                .iter()
                .flat_map(|lane| &lane.then)
                .fold((0, 0), |sum, frame| (sum.0 + 1, sum.1 + frame.buffer().bytes_len()));
            self.lanes[number].is_over = true;
        }
        Compared {
            equal: self.lanes.iter().map(|lane| lane.equal).sum(),
            differing: self.lanes.into_iter().filter_map(|lane| lane.differs).collect(),
        }
    }
}
