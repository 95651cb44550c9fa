//! [`Mind`]: what a stream keeps from chunk to chunk, which whoever reads an answer changes.
//!
//! One question of a stream is open at a time, so whoever has its answer has the mind to himself: a worker that reads what the
//! model gave, or the stage where that is late or lost. Each asking has a number; an answer to another number than the last
//! is of yesterday and changes nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine::{Answer, Buffer, EventFormat, Fault, Timestamp};

use crate::{
    host::{Row, Rowwise},
    speech::{
        Chunk,
        detector::CHUNK,
        ear::Ear,
        listener::{Listener, Rules, Told},
        state::State,
    },
};

use super::{
    super::{PROBABILITY, payload},
    LAYERS, Slots,
};

const VERSION: u8 = 1;

/// What a question is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct About {
    pub(super) start_ns: i64,
    pub(super) end_ns: i64,
    /// Content is missing before it.
    pub(super) follows_gap: bool,
    /// The stream ends with it.
    pub(super) is_last: bool,
}

/// Who says how likely a chunk is speech.
pub(super) enum Hears {
    /// The net in the program.
    Ear(Box<Ear>),
    /// A model: its state, and the samples that stand in front of the next chunk.
    Model { state: Vec<f32>, context: Vec<f32> },
}

/// What a stream keeps. See the module.
pub(super) struct Mind {
    pub(super) rules: Rules,
    pub(super) listener: Listener,
    pub(super) hears: Hears,
    formats: [Arc<EventFormat>; 2],
    look_back_ns: i64,
    /// The last samples, for a model of turns; none without one. The oldest at `oldest`.
    recent: Vec<f32>,
    oldest: usize,
    /// The question that was asked last, the number of that asking while its answer is awaited, and what was said.
    about: Option<About>,
    number: i64,
    is_awaited: bool,
    said: Option<Answer>,
    /// What was told before the chunk was heard: a gap ended it.
    early: Vec<Told>,
    /// What is known so far of an asking that asks two models.
    pub(super) heard: Option<f32>,
    pub(super) verdict: Option<f32>,
    asks_verdict: bool,
    /// Taken up from a saved state, with no chunk since.
    is_loaded: bool,
}

/// A mind, shared with whoever has answers.
pub(super) type Shared = Arc<Mutex<Mind>>;

pub(super) fn lock(mind: &Shared) -> MutexGuard<'_, Mind> {
    mind.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Mind {
    pub(super) fn new(
        rules: Rules,
        hears: Hears,
        formats: [Arc<EventFormat>; 2],
        look_back_ns: i64,
        recent: usize,
    ) -> Self {
        Self {
            rules,
            listener: Listener::NEW,
            hears,
            formats,
            look_back_ns,
            recent: vec![0.0; recent],
            oldest: 0,
            about: None,
            number: 0,
            is_awaited: false,
            said: None,
            early: Vec::new(),
            heard: None,
            verdict: None,
            asks_verdict: false,
            is_loaded: false,
        }
    }

    /// A question is asked, perhaps once more.
    pub(super) fn begin(&mut self, about: About, samples: &[f32]) -> i64 {
        if self.about != Some(about) {
            self.about = Some(about);
            self.is_loaded &= !self.misses(about);
            self.keep(samples);
        }
        (self.heard, self.verdict) = (None, None);
        self.asks_verdict = !self.recent.is_empty() && self.listener.wants_verdict();
        self.number += 1;
        self.is_awaited = true;
        self.said = None;
        self.number
    }

    /// Takes note of content that is missing before a question, if it is so.
    fn misses(&mut self, about: About) -> bool {
        let off_ns = self.listener.until_ns().map_or(0, |until| about.start_ns - until);
        let is_outdated = self.is_loaded && off_ns.abs() > 100_000;
        if !(about.follows_gap || is_outdated) {
            return false;
        }
        match &mut self.hears {
            Hears::Ear(ear) => ear.reset(),
            Hears::Model { state, context } => {
                state.fill(0.0);
                context.fill(0.0);
            }
        }
        self.recent.fill(0.0);
        let oldest_ns = about.start_ns.saturating_sub(self.look_back_ns);
        let (early, rules) = (&mut self.early, self.rules);
        self.listener.gap(about.start_ns, oldest_ns, &rules, |told| early.push(told));
        true
    }

    /// Keeps the last samples for a model of turns.
    fn keep(&mut self, samples: &[f32]) {
        if self.recent.is_empty() {
            return;
        }
        for &sample in samples {
            self.recent[self.oldest] = sample;
            self.oldest = (self.oldest + 1) % self.recent.len();
        }
    }

    /// Whether this asking asks a model of turns.
    pub(super) const fn asks_verdict(&self) -> bool {
        self.asks_verdict
    }

    /// The last samples, the oldest first.
    pub(super) fn recent(&self) -> Buffer {
        let mut buffer = Buffer::signal(1, self.recent.len());
        let (to, [first, second]) = (
            buffer.floats_mut().expect("fresh"),
            [&self.recent[self.oldest..], &self.recent[..self.oldest]],
        );
        to[..first.len()].copy_from_slice(first);
        to[first.len()..].copy_from_slice(second);
        buffer
    }

    /// A question for a model: context, chunk and state in a row.
    pub(super) fn question(&self, samples: &[f32]) -> Buffer {
        let Hears::Model { state, context } = &self.hears else {
            unreachable!("only a model is asked")
        };
        let mut buffer = Buffer::signal(1, context.len() + samples.len() + state.len());
        let mut to = buffer.floats_mut().expect("fresh");
        for part in [context, samples, state] {
            to[..part.len()].copy_from_slice(part);
            to = &mut to[part.len()..];
        }
        buffer
    }

    /// Whether this asking is the last, and its answer awaited.
    pub(super) fn awaits(&self, number: i64) -> bool {
        self.is_awaited && self.number == number
    }

    /// The net in the program hears a chunk.
    pub(super) fn hear_alone(&mut self, samples: &[f32]) {
        let Hears::Ear(ear) = &mut self.hears else { return };
        let chunk: &[f32; CHUNK] = samples.try_into().expect("chunks are cut for it");
        self.heard = Some(ear.hear(chunk));
    }

    /// What follows from all that is known of the present question; NaN where nobody knows how likely it is speech.
    pub(super) fn conclude(&mut self) -> Answer {
        self.is_awaited = false;
        let Some(about) = self.about else { return Answer::nothing() };
        let Self { listener, rules, formats, early, .. } = self;
        let mut answer = Answer::nothing();
        let say = |answer: &mut Answer, told: Told| {
            let (port, at_ns, buffer) = payload(&[&formats[0], &formats[1]], told);
            let sofar = std::mem::take(answer);
            *answer = sofar.and_at(port, Timestamp::from_nanos(at_ns), buffer);
        };
        for told in early.drain(..) {
            say(&mut answer, told);
        }
        let About { start_ns, end_ns, is_last, .. } = about;
        if end_ns > start_ns {
            if self.asks_verdict {
                listener.judge(self.verdict);
            }
            let probability = self.heard.unwrap_or(f32::NAN);
            let mut value = Buffer::signal(1, 1);
            value.floats_mut().expect("fresh")[0] = probability;
            answer = answer.and_at(PROBABILITY, Timestamp::from_nanos(start_ns), value);
            let chunk = Chunk { start_ns, end_ns, probability };
            listener.hear(chunk, rules, |told| say(&mut answer, told));
        }
        if is_last {
            listener.end(end_ns, rules, |told| say(&mut answer, told));
        }
        self.said = Some(answer.clone());
        answer
    }

    /// There is no answer, or it was lost on the way: what stands in for it.
    pub(super) fn miss(&mut self) -> Answer {
        if self.is_awaited {
            self.heard = None;
            return self.conclude();
        }
        self.said.take().unwrap_or_default()
    }

    pub(super) fn save(&self, into: &mut Vec<u8>) {
        let mut listener = self.listener;
        let mut state = State::Save(into);
        // Saving never fails.
        let _ = state.u8(&mut { VERSION }).and_then(|()| listener.visit(&mut state));
        match &self.hears {
            Hears::Ear(ear) => ear.save(into),
            Hears::Model { state, context } => {
                let numbers = state.iter().chain(context);
                numbers.for_each(|number| into.extend_from_slice(&number.to_le_bytes()));
            }
        }
    }

    pub(super) fn load(&mut self, state: &mut State<'_>) -> Result<(), Fault> {
        let mut version = VERSION;
        state.u8(&mut version)?;
        state.demand(version == VERSION)?;
        self.listener.visit(state)?;
        match &mut self.hears {
            Hears::Ear(ear) => ear.load(state)?,
            Hears::Model { state: own, context } => {
                state.f32s(own)?;
                state.f32s(context)?;
                state.demand(own.iter().chain(&*context).all(|number| number.is_finite()))?;
            }
        }
        self.is_loaded = true;
        Ok(())
    }

    /// Forgets all.
    pub(super) fn forget(&mut self) {
        self.listener = Listener::NEW;
        match &mut self.hears {
            Hears::Ear(ear) => ear.reset(),
            Hears::Model { state, context } => {
                state.fill(0.0);
                context.fill(0.0);
            }
        }
        (self.is_loaded, self.about) = (false, None);
    }
}

/// Reads what Silero gave.
pub(super) struct Heard {
    pub(super) mind: Shared,
    pub(super) slots: Slots,
}

impl Rowwise for Heard {
    fn read(&self, row: &Row<'_>) -> Result<Answer, Fault> {
        let mut mind = lock(&self.mind);
        if !mind.awaits(row.note().time_ns) {
            return Ok(Answer::nothing());
        }
        let &[probability] = row.output(self.slots.probability) else {
            return Err(Fault::data("the model gives no probability for each chunk"));
        };
        let Hears::Model { state, context } = &mut mind.hears else { return Ok(Answer::nothing()) };
        let layer_len = state.len() / LAYERS;
        let next = row.parts(self.slots.next_state, LAYERS);
        for (layer, next) in state.chunks_exact_mut(layer_len).zip(next) {
            if next.len() != layer_len {
                return Err(Fault::data("the model gives no state for each chunk"));
            }
            layer.copy_from_slice(next);
        }
        let sound = &row.question()[..self.slots.context + self.slots.chunk];
        context.copy_from_slice(&sound[self.slots.chunk..]);
        mind.heard = Some(probability);
        // Of two models the one that answers last concludes.
        if mind.asks_verdict() { Ok(Answer::nothing()) } else { Ok(mind.conclude()) }
    }
}

/// Reads what a model of turns gave: how likely the turn is over, or scores for both.
pub(super) struct Judged {
    pub(super) mind: Shared,
}

impl Rowwise for Judged {
    fn read(&self, row: &Row<'_>) -> Result<Answer, Fault> {
        let verdict = match *row.output(0) {
            [probability] if (0.0..=1.0).contains(&probability) => probability,
            [number] => {
                return Err(Fault::data(format!("the model gives {number}, no probability")));
            }
            [goes_on, is_over] => 1.0 / (1.0 + (goes_on - is_over).exp()),
            _ => return Err(Fault::data("the model gives more than two numbers")),
        };
        let mut mind = lock(&self.mind);
        if mind.awaits(row.note().time_ns) {
            mind.verdict = Some(verdict);
        }
        Ok(Answer::nothing())
    }
}
