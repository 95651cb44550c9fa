//! [`SpeechCall`]: cuts sound into chunks and asks about each, one at a time.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use engine::{
    Answer, Buffer, Call, Diagnostics, Fault, Frame, GapNotice, Io, Node, Rate, Relay, Reply,
    Timestamp,
};

use crate::{
    host::{Door, ModelService, Note, Way},
    kinds::speech::{
        OUT, PROBABILITY, TURNS,
        alone::formats,
        look_back_ns,
        params::{MODEL, TURN_MODEL, rules},
        tally::Tally,
    },
    speech::state::{State, wrong},
};

use super::{
    Slots, TurnSlots, fixed,
    mind::{About, Heard, Hears, Judged, Mind, Shared, lock},
    own_chunk, terms, unfed, way, within,
};

const VERSION: u8 = 1;

/// Behind the samples of a question: how many of them are sound, and what else is to be known.
const MARKS: usize = 2;
const FOLLOWS_GAP: u8 = 1;
const IS_LAST: u8 = 2;

/// Asks about chunks. See the module.
pub(super) struct SpeechCall {
    mind: Shared,
    hears: Option<Door>,
    judges: Option<Door>,
    within: Duration,
    rate: Rate,
    chunk: Vec<f32>,
    filled: usize,
    marks: u8,
    /// The moment behind the last sample, and whether it is that of a saved state.
    end_ns: Option<i64>,
    is_loaded: bool,
    tally: Tally,
}

impl SpeechCall {
    pub(super) fn of(
        node: &Node<'_>,
        hears: Option<&ModelService>,
        judges: Option<&ModelService>,
    ) -> Result<Self, Diagnostics> {
        let slots = hears.map(|service| Slots::of(node, service)).transpose()?;
        let turn_slots = judges.map(|service| TurnSlots::of(node, service)).transpose()?;
        let (rules, rate) = (rules(node)?, node.signal("in").rate);
        let chunk = slots.map_or(own_chunk(), |slots| slots.chunk);
        let state = match slots {
            None => Hears::Ear(Box::default()),
            Some(slots) => Hears::Model {
                state: vec![0.0; slots.state_len],
                context: vec![0.0; slots.context],
            },
        };
        let recent = turn_slots.as_ref().map_or(0, |slots| slots.samples);
        let look_back_ns = look_back_ns(&rules, rate, chunk);
        let mind = Mind::new(rules, state, formats(node), look_back_ns, recent);
        let mind: Shared = Arc::new(Mutex::new(mind));
        let (terms, session) = (terms(node)?, node.session().to_string());
        let hears = match (hears, slots) {
            (Some(service), Some(slots)) => {
                let read = Box::new(Heard { mind: mind.clone(), slots });
                let way = way(node, service, slots, read)?;
                let door = service.door(way, terms, None, &session);
                Some(door.map_err(|why| unfed(node, &MODEL, why))?)
            }
            _ => None,
        };
        let judges = match (judges, turn_slots) {
            (Some(service), Some(TurnSlots { sound, shape, .. })) => {
                let fixed = fixed(service, rate.hz());
                let read = Box::new(Judged { mind: mind.clone() });
                let way = Way::new(service.model.signature(), sound, shape, &fixed, read);
                let door = way.and_then(|way| service.door(way, terms, None, &session));
                Some(door.map_err(|why| unfed(node, &TURN_MODEL, why))?)
            }
            _ => None,
        };
        Ok(Self {
            mind,
            hears,
            judges,
            within: within(node)?,
            rate,
            chunk: vec![0.0; chunk],
            filled: 0,
            marks: 0,
            end_ns: None,
            is_loaded: false,
            tally: Tally::default(),
        })
    }

    /// Sends what is in the chunk as a question, which ends at this moment.
    fn send(&mut self, end: Timestamp, io: &mut Io<'_>) {
        let len = self.chunk.len();
        let mut question = Buffer::signal(1, len + MARKS);
        let to = question.floats_mut().expect("fresh");
        self.chunk[self.filled..].fill(0.0);
        to[..len].copy_from_slice(&self.chunk);
        to[len] = self.filled as f32;
        to[len + 1] = f32::from(self.marks);
        (self.filled, self.marks) = (0, 0);
        io.send_buffer(0, end, question);
    }

    /// What a question says about itself.
    fn about(&self, question: &Frame) -> Option<About> {
        let len = self.chunk.len();
        let floats = question.buffer().floats();
        let (&[filled, marks], true) = (floats.last_chunk()?, floats.len() == len + MARKS) else {
            return None;
        };
        let (end_ns, marks) = (question.header.time.nanos(), marks as u8);
        Some(About {
            start_ns: end_ns - self.rate.span_ns(filled as i64),
            end_ns,
            follows_gap: marks & FOLLOWS_GAP != 0,
            is_last: marks & IS_LAST != 0,
        })
    }

    fn miss(&mut self) {
        (self.filled, self.end_ns, self.is_loaded) = (0, None, false);
        self.marks |= FOLLOWS_GAP;
    }

    /// As for [`super::super::alone::Alone`].
    fn goes_on(&self, start_ns: i64) -> bool {
        let Some(end_ns) = self.end_ns else { return true };
        let beside_ns = if self.is_loaded { 1.5 * self.rate.period_ns() } else { 1e9 };
        ((start_ns - end_ns).abs() as f64) <= beside_ns
    }

    fn take_up(&mut self, from: &[u8]) -> Result<(), Fault> {
        let mut state = State::Load(from);
        let mut version = VERSION;
        state.u8(&mut version)?;
        state.demand(version == VERSION)?;
        let mut filled = 0;
        state.i64(&mut filled)?;
        state.demand((0..self.chunk.len() as i64).contains(&filled))?;
        self.filled = filled as usize;
        state.u8(&mut self.marks)?;
        state.f32s(&mut self.chunk)?;
        state.demand(self.chunk.iter().all(|x| x.abs() <= 1.0))?;
        state.time(&mut self.end_ns)?;
        lock(&self.mind).load(&mut state)?;
        state.end().map_err(|_| wrong())?;
        self.is_loaded = true;
        Ok(())
    }
}

impl Call for SpeechCall {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let frame = io.take();
        if !self.goes_on(io.time_of(0).nanos()) {
            self.miss();
        }
        self.is_loaded = false;
        let samples = frame.channel(0);
        let mut at = 0;
        while at < samples.len() {
            let space = &mut self.chunk[self.filled..];
            let some = space.len().min(samples.len() - at);
            self.tally.hear(&samples[at..at + some], &mut space[..some]);
            (self.filled, at) = (self.filled + some, at + some);
            if self.filled == self.chunk.len() {
                self.send(io.time_of(at as i64), io);
            }
        }
        self.end_ns = Some(io.end().nanos());
        let (until_ns, segments_ns) = {
            let mind = lock(&self.mind);
            (mind.listener.until_ns(), mind.listener.segments_from_ns())
        };
        if let (Some(until_ns), Some(segments_ns)) = (until_ns, segments_ns) {
            io.promise(OUT, Timestamp::from_nanos(segments_ns));
            io.promise(TURNS, Timestamp::from_nanos(until_ns));
            io.promise(PROBABILITY, Timestamp::from_nanos(until_ns));
        }
        Ok(())
    }

    fn gap(&mut self, _: &GapNotice) {
        self.miss();
    }

    fn flush(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        if let Some(end_ns) = self.end_ns.take() {
            self.marks |= IS_LAST;
            self.send(Timestamp::from_nanos(end_ns), io);
        }
        Ok(())
    }

    fn ask(&mut self, question: &Frame, reply: Reply) -> Result<(), Fault> {
        let about = self.about(question).ok_or_else(|| Fault::new("that is no chunk"))?;
        let samples = &question.buffer().floats()[..self.chunk.len()];
        let mut mind = lock(&self.mind);
        let number = mind.begin(about, samples);
        if about.start_ns == about.end_ns {
            let answer = mind.conclude();
            drop(mind);
            reply.answer(answer);
            return Ok(());
        }
        let chunk = self.hears.as_ref().map(|door| (door, mind.question(samples)));
        mind.hear_alone(samples);
        let judge = self.judges.as_ref().filter(|_| mind.asks_verdict());
        let turn = judge.map(|door| (door, mind.recent()));
        let alone = (chunk.is_none() && turn.is_none()).then(|| mind.conclude());
        // Whoever answers may hold a lock that asking takes.
        drop(mind);
        let note = Note { time_ns: number, ..Note::default() };
        match (chunk, turn, alone) {
            (_, _, Some(answer)) => reply.answer(answer),
            (Some((door, buffer)), None, _) => door.ask_about(buffer, note, reply),
            (chunk, turn, _) => {
                let asked = [chunk, turn];
                let both = Arc::new(Both {
                    open: AtomicUsize::new(asked.iter().flatten().count()),
                    left: reply.left(),
                    reply: Mutex::new(Some(reply)),
                    mind: self.mind.clone(),
                    number,
                });
                for (door, buffer) in asked.into_iter().flatten() {
                    let reply = Reply::through(both.clone()).within(both.left);
                    door.ask_about(buffer, note, reply);
                }
            }
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Duration> {
        Some(self.within)
    }

    fn fallback(&mut self, _: &Frame) -> Option<Answer> {
        Some(lock(&self.mind).miss())
    }

    fn retune(&mut self, node: &Node<'_>) -> Result<(), Fault> {
        let rules = rules(node).map_err(|problem| Fault::new(problem.message))?;
        lock(&self.mind).rules = rules;
        Ok(())
    }

    fn keeps_here(&self) -> Option<&'static str> {
        Some("each chunk hangs on what was heard before it")
    }

    fn remark(&self) -> Option<String> {
        let has_heard = lock(&self.mind).listener.has_heard();
        self.tally.remark(self.rate, has_heard)
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(VERSION);
        into.extend_from_slice(&(self.filled as i64).to_le_bytes());
        into.push(self.marks);
        for sample in &self.chunk {
            into.extend_from_slice(&sample.to_le_bytes());
        }
        let _ = State::Save(into).time(&mut { self.end_ns });
        lock(&self.mind).save(into);
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        self.take_up(from).inspect_err(|_| {
            (self.filled, self.marks, self.end_ns, self.is_loaded) = (0, 0, None, false);
            lock(&self.mind).forget();
        })
    }
}

/// Waits for the answers of two models, or of one besides what is known already.
struct Both {
    /// Answers that are still to come.
    open: AtomicUsize,
    reply: Mutex<Option<Reply>>,
    left: Option<Duration>,
    mind: Shared,
    number: i64,
}

impl Relay for Both {
    fn pass_on(&self, _: Result<Answer, Fault>) {
        // What they say they have put into the mind. Each of them sees what the other wrote before.
        if self.open.fetch_sub(1, Ordering::AcqRel) > 1 {
            return;
        }
        let Some(reply) = self.reply.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return;
        };
        let mut mind = lock(&self.mind);
        let answer = mind.awaits(self.number).then(|| mind.conclude());
        drop(mind);
        match answer {
            Some(answer) => reply.answer(answer),
            None => reply.fail(Fault::new("it was answered otherwise")),
        }
    }

    fn is_wanted(&self) -> bool {
        let reply = self.reply.lock().unwrap_or_else(PoisonError::into_inner);
        reply.as_ref().is_some_and(Reply::is_wanted)
    }
}
