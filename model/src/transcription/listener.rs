//! [`Listener`]: from audio and turns to questions and what is told: the body of the kind `transcribe`, without the
//! graph around it.
//!
//! | turn | what is done |
//! |---|---|
//! | start | audio is kept from then on, with what lies in front |
//! | goes on | every `step` a partial, unless one is under way; what two in a row begin with is stable |
//! | speculate | the final is begun, for nobody yet, so that it is there when the turn ends, and no sooner |
//! | resume | it is stopped |
//! | end | it is told, at once if it is done; without it the audio is understood now |
//!
//! Without turns the audio is heard in windows, one after the other (`windows`).
//!
//! The language, where it is to be found out, is found out anew with every question until it is sure, and with every
//! final. A text that has become long is told in parts, as is a turn: each a final of the same number.

mod windows;

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicI64, Ordering},
};

use engine::{Answer, Fault, Reply};

use crate::cache::Cache;

use smallvec::SmallVec;

use super::{
    budget::step_s,
    cascade::Cascade,
    decoder::{RATE_HZ, SoFar, Task, Way},
    hypothesis::Hypothesis,
    pace::{Frames, Pauses},
    pool::{Outcome, Pool, Ticket},
    queue::Class,
    transcript::{SILENCE_S, Told, Transcript, WINDOW_S},
};

use windows::{Row, Window};

/// How a listener is to be.
#[derive(Clone, Debug)]
pub struct Manner {
    /// How audio is understood.
    pub way: Way,
    /// Words to be expected, told to the model in front of every turn.
    pub prompt: Arc<str>,
    /// New audio from one partial to the next, in seconds; none without.
    pub step_s: Option<f64>,
    /// Whether finals are begun before the end of a turn is certain.
    pub speculates: bool,
    /// Audio behind the end of a turn that is heard, too, in seconds.
    pub tail_s: f64,
    /// Longest turn, in seconds; then it is told and goes on as another part.
    pub turn_max_s: f64,
    /// How long before it is told a turn may begin: so much audio is kept while nobody speaks, 64 kB a second.
    pub lead_s: f64,
    /// Whether somebody tells the turns.
    pub has_turns: bool,
}

impl Default for Manner {
    /// Turns of up to a minute with partials every second, and finals begun early.
    fn default() -> Self {
        Self {
            way: Way::default(),
            prompt: "".into(),
            step_s: Some(1.0),
            speculates: true,
            tail_s: 0.1,
            turn_max_s: 60.0,
            lead_s: 3.0,
            has_turns: true,
        }
    }
}

/// What happens to a turn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// It began then, in seconds.
    Start(f64),
    /// It may have ended then.
    Speculate(f64),
    /// It has not.
    Resume,
    /// It has ended then, by a pause.
    End(f64),
    /// It has ended then, whether the speaker paused or not: it was too long, or what follows is missing.
    Cut(f64),
}

/// What is told about a turn.
#[derive(Clone, Debug, PartialEq)]
pub struct News {
    /// Whether the turn is over.
    pub is_final: bool,
    /// Its number.
    pub turn: i64,
    /// Its first moment, in seconds.
    pub start_s: f64,
    /// Its last moment so far.
    pub end_s: f64,
    /// What was said.
    pub told: Told,
    /// The final was begun before the end was certain.
    pub is_early: bool,
    /// Understanding has failed: this is what was heard of the turn before. Or the model had more to say than it may, or
    /// was stopped as it repeated itself.
    pub is_incomplete: bool,
}

/// Makes answers of what is told.
pub type Says = Arc<dyn Fn(&[News]) -> Answer + Send + Sync>;

/// Whom a listener asks.
#[derive(Clone)]
pub struct Asks {
    /// The threads.
    pub pool: Pool,
    /// The models.
    pub cascade: Arc<Cascade>,
    /// Where answers are kept.
    pub cache: Option<Arc<Cache>>,
    /// Makes answers.
    pub says: Says,
}

/// Bytes of text that are told at once: what was committed before goes as a part of its own. With the words that are not
/// committed yet, 28 s of speech at most, it stays below what an event holds.
pub const PART_BYTES: usize = 6_144;
/// The shortest audio that is worth a partial.
const PARTIAL_MIN_S: f64 = 1.0;
/// How long before the turn is likely to end a final is to be there, besides the longest frame in which audio comes: what
/// a detector hears at once, as turns end with one of these.
const SPARE_S: f64 = 0.03;
/// Silence that stands for missing audio, at most.
const FILL_S: f64 = 2.0;
/// Audio within which the times of frames may be off.
const SLACK_S: f64 = 0.02;

/// Audio, and when it begins, in seconds.
type Piece = (Arc<[f32]>, f64);

/// Something to ask.
#[must_use]
pub struct Question {
    what: What,
    turn: Arc<Turn>,
    /// The audio and where it begins; of a window what the one before has not.
    audio: Piece,
    end_s: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Partial,
    /// With the number of the try.
    Speculation(u64),
    Final,
    /// Whether it is the last one.
    Window(bool),
}

/// A turn, as the listener and the workers see it.
pub struct Turn {
    /// Its number; of windows that of the next one told.
    number: Arc<AtomicI64>,
    start_s: f64,
    shared: Mutex<Shared>,
}

#[derive(Default)]
struct Shared {
    transcript: Transcript,
    /// The part of the turn before, as long as that is not over.
    before: Option<Arc<Turn>>,
    /// Where what is to be told begins, once a part was told.
    part_s: Option<f64>,
    partial: Option<Ticket>,
    /// How many partials were asked or given up: what comes of another than the last one is void.
    partials: u64,
    /// What the last partial took, in seconds.
    cost_s: f64,
    tries: u64,
    early: Early,
    /// The turn may have ended: partials would add nothing.
    pauses: bool,
    row: Row,
}

/// A final that was begun before the end was certain.
#[derive(Default)]
enum Early {
    #[default]
    None,
    /// It runs; once the turn has ended, then, somebody waits for it.
    Runs(Ticket, Arc<Waits>, Option<f64>),
    /// It is there, about audio from then on.
    Done(Box<Hypothesis>, f64),
}

/// Hears audio and turns.
pub struct Listener {
    desk: Arc<Desk>,
    /// Audio from the sample `from` on.
    audio: Vec<f32>,
    from: i64,
    turn: Option<Arc<Turn>>,
    /// The sample behind which a partial, or a window, is due.
    next: i64,
    /// A final that will be begun for nobody.
    due: Option<Due>,
    /// Something was heard since windows ended last.
    in_windows: bool,
    /// Samples that were missing.
    missing: i64,
    /// Pauses that have ended turns, and frames in which audio came.
    pauses: Pauses,
    frames: Frames,
}

/// A final that is begun once the audio has come to a sample, unless the speaker goes on.
struct Due {
    at: i64,
    turn: Arc<Turn>,
    /// Of the try.
    number: u64,
    end_s: f64,
}

/// What every question needs, of whatever turn.
struct Desk {
    manner: Manner,
    asks: Asks,
    /// Most samples that have waited for the window before.
    behind: AtomicI64,
}

fn samples(seconds: f64) -> i64 {
    (seconds * f64::from(RATE_HZ)).round() as i64
}

fn seconds(samples: i64) -> f64 {
    samples as f64 / f64::from(RATE_HZ)
}

impl Turn {
    fn new(number: i64, start_s: f64, from_s: f64, keeps: bool) -> Arc<Self> {
        let mut shared = Shared::default();
        if keeps {
            shared.transcript.keep();
        }
        shared.transcript.skip_to(from_s);
        let number = Arc::new(number.into());
        Arc::new(Self { number, start_s, shared: Mutex::new(shared) })
    }

    /// The same turn, or row of windows, from then on, of which nothing was heard yet.
    fn anew(self: &Arc<Self>, from_s: f64, was_silence: bool) -> Arc<Self> {
        let mut shared = Shared::default();
        let before = self.lock();
        shared.transcript = Transcript::after(&before.transcript);
        shared.cost_s = before.cost_s;
        drop(before);
        shared.transcript.skip_to(from_s);
        if !was_silence {
            shared.before = Some(self.clone());
        }
        let number = self.number.clone();
        Arc::new(Self { number, start_s: from_s, shared: Mutex::new(shared) })
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn news(&self, is_final: bool, end_s: f64, told: Told) -> News {
        let (turn, start_s) = (self.number.load(Ordering::Relaxed), self.start_s);
        News { is_final, turn, start_s, end_s, told, is_early: false, is_incomplete: false }
    }

    /// What is to be told, in parts where it is long: only what ends before `until_s` goes as one.
    fn parts(&self, shared: &mut Shared, until_s: f64, last: News) -> Vec<News> {
        let mut all = Vec::new();
        while let Some(part) = shared.transcript.part_off(PART_BYTES, until_s) {
            let start_s = shared.part_s.unwrap_or(self.start_s);
            let end_s = part.span_s.map_or(start_s, |(_, end_s)| end_s);
            shared.part_s = Some(end_s);
            all.push(News { start_s, is_early: last.is_early, ..self.news(true, end_s, part) });
        }
        let words = last.told.words.clone();
        let told = match all.is_empty() {
            true => last.told.clone(),
            false => Told { words, ..shared.transcript.so_far() },
        };
        all.push(News { start_s: shared.part_s.unwrap_or(last.start_s), told, ..last });
        all
    }
}

impl Question {
    /// Up to when it hears, in seconds.
    pub const fn end_s(&self) -> f64 {
        self.end_s
    }
}

impl Listener {
    /// Nothing heard yet.
    pub fn new(manner: Manner, asks: Asks) -> Self {
        Self {
            desk: Arc::new(Desk { manner, asks, behind: AtomicI64::new(0) }),
            audio: Vec::new(),
            from: 0,
            turn: None,
            next: 0,
            due: None,
            in_windows: false,
            missing: 0,
            pauses: Pauses::default(),
            frames: Frames::default(),
        }
    }

    /// Most questions open at once. Windows follow from each other and wait for each other here, so that audio is taken
    /// in meanwhile: five minutes of it.
    pub fn in_flight(&self) -> usize {
        if self.desk.manner.has_turns { 64 } else { self.windows_most() }
    }

    /// What was missing in what it heard, if anything was.
    pub fn remark(&self) -> Option<String> {
        if self.missing == 0 {
            return None;
        }
        let waited_s = self.desk.waited_s();
        let waited = match waited_s > WINDOW_S {
            true => format!("; as much as {waited_s:.0} s waited for the model, of 300 s that may"),
            false => String::new(),
        };
        let missing_s = seconds(self.missing);
        Some(format!("{missing_s:.1} s of audio were missing in what it heard{waited}"))
    }

    fn to(&self) -> i64 {
        self.from + self.audio.len() as i64
    }

    /// Audio that begins at `time_s`. Numbers that are none are silence.
    pub fn hear(&mut self, time_s: f64, heard: &[f32]) -> SmallVec<[Question; 2]> {
        let mut questions = SmallVec::new();
        questions.extend(self.meet(time_s));
        self.frames.came(seconds(heard.len() as i64));
        self.audio.extend(heard.iter().map(|x| if x.is_finite() { *x } else { 0.0 }));
        if self.desk.manner.has_turns {
            questions.extend(self.begin());
            questions.extend(self.hear_turn());
        } else {
            questions.extend(self.hear_windows());
        }
        questions
    }

    fn hear_turn(&mut self) -> Option<Question> {
        let to = self.to();
        let Some(turn) = self.turn.clone() else {
            self.keep_from(to - samples(self.desk.manner.lead_s));
            return None;
        };
        let (from, cost_s, pauses) = {
            let shared = turn.lock();
            (samples(shared.transcript.from_s()), shared.cost_s, shared.pauses)
        };
        self.keep_from(from);
        let most = from + samples(self.desk.manner.turn_max_s);
        if to >= most {
            {
                // What was begun in a pause before has not heard all of it.
                let mut shared = turn.lock();
                shared.tries += 1;
                shared.give_up_early();
            }
            let (audio, end_s) = (self.piece(from, most), seconds(most));
            (self.turn, self.due) = (Some(turn.anew(end_s, false)), None);
            return Some(Question { what: What::Final, turn, audio, end_s });
        }
        let step = self.desk.manner.step_s?;
        let at = self.next.max(from + samples(PARTIAL_MIN_S));
        if pauses || to < at {
            return None;
        }
        let audio = self.piece(from, at);
        self.next = at + samples(step_s(step, cost_s));
        if self.next <= to {
            // So long a frame has several in it: one is enough.
            self.next = to + samples(step);
        }
        Some(Question { what: What::Partial, turn, audio, end_s: seconds(at) })
    }

    /// Where audio is missing, silence stands for up to 2 s of it; longer gaps end what was heard before.
    fn meet(&mut self, time_s: f64) -> Option<Question> {
        let at = samples(time_s);
        let missing = at - self.to();
        let has_turns = self.desk.manner.has_turns;
        let is_heard = if has_turns { self.turn.is_some() } else { self.in_windows };
        if self.audio.is_empty() && !is_heard {
            self.from = at.max(self.from);
            return None;
        }
        if missing < -samples(SLACK_S) {
            // The device counts faster than the time line.
            self.from += missing;
            return None;
        }
        if missing <= samples(SLACK_S) {
            return None;
        }
        self.missing += missing;
        if missing <= samples(FILL_S) {
            self.audio.resize(self.audio.len() + missing as usize, 0.0);
            return None;
        }
        let turn = self.turn.clone();
        let question = self.end();
        self.audio.clear();
        self.from = at;
        if has_turns {
            self.next = at + samples(self.desk.manner.step_s.unwrap_or(0.0));
            self.turn = turn.map(|turn| turn.anew(time_s, true));
        }
        question
    }

    fn keep_from(&mut self, sample: i64) {
        let gone = (sample - self.from).clamp(0, self.audio.len() as i64);
        // Moved now and then, not with every frame.
        if gone as usize > self.audio.len() / 2 || gone > i64::from(RATE_HZ) {
            self.audio.drain(..gone as usize);
            self.from += gone;
        }
    }

    /// A copy of the audio between two samples, and where it begins.
    fn piece(&self, from: i64, to: i64) -> Piece {
        let inside = |sample: i64| (sample - self.from).clamp(0, self.audio.len() as i64) as usize;
        let (first, last) = (inside(from), inside(to));
        let piece = self.audio[first..last.max(first)].into();
        (piece, seconds(self.from + first as i64))
    }

    /// Something has happened to the turn of that number.
    pub fn tell(&mut self, turn: i64, event: Event) -> Option<Question> {
        match event {
            Event::Start(at_s) => {
                let unfinished = self.finish(seconds(self.to()));
                let from_s = at_s.max(seconds(self.from));
                self.turn = Some(Turn::new(turn, at_s, from_s, self.desk.asks.cascade.compares()));
                self.next = samples(from_s) + samples(self.desk.manner.step_s.unwrap_or(0.0));
                unfinished
            }
            Event::Speculate(end_s) => {
                let turn = self.turn.clone().filter(|_| self.desk.manner.speculates)?;
                let number = {
                    let mut shared = turn.lock();
                    shared.tries += 1;
                    shared.pauses = true;
                    // Where word of a `Resume` was lost, it has not heard all of what is understood now.
                    shared.give_up_early();
                    // The final hears all that it would have heard.
                    shared.give_up_partial();
                    shared.tries
                };
                let at = self.begins(&turn, end_s);
                self.due = Some(Due { at, turn, number, end_s });
                self.begin()
            }
            Event::Resume => {
                self.due = None;
                let turn = self.turn.as_ref()?;
                let mut shared = turn.lock();
                // One that was not asked yet is not asked any more.
                shared.tries += 1;
                shared.pauses = false;
                shared.give_up_early();
                None
            }
            Event::End(end_s) => {
                if self.turn.as_ref().is_some_and(|turn| turn.lock().pauses) {
                    self.pauses.ended(seconds(self.to()) - end_s);
                }
                self.finish(end_s)
            }
            Event::Cut(end_s) => self.finish(end_s),
        }
    }

    /// The audio of a turn that ended then.
    fn up_to(&self, turn: &Turn, end_s: f64) -> Piece {
        let from_s = turn.lock().transcript.from_s();
        self.piece(samples(from_s), samples(end_s + self.desk.manner.tail_s))
    }

    /// The sample from which on a final of a turn that may have ended then is understood, so that it is there when the end
    /// is told: after a pause as short as the shortest of late.
    fn begins(&self, turn: &Turn, end_s: f64) -> i64 {
        let len_s = end_s + self.desk.manner.tail_s - turn.lock().transcript.from_s();
        let pace = self.desk.asks.cascade.pace();
        let enough_s = pace.enough_s(len_s, self.desk.manner.way.floor);
        let spare_s = SPARE_S + self.frames.longest_s();
        let known = self.pauses.shortest_s().zip(enough_s);
        known.map_or(self.to(), |(pause, enough)| samples(end_s + pause - enough - spare_s))
    }

    /// What is due.
    fn begin(&mut self) -> Option<Question> {
        let to = self.to();
        let Due { turn, number, end_s, .. } = self.due.take_if(|due| due.at <= to)?;
        let audio = self.up_to(&turn, end_s);
        Some(Question { what: What::Speculation(number), turn, audio, end_s })
    }

    fn finish(&mut self, end_s: f64) -> Option<Question> {
        self.due = None;
        let turn = self.turn.take()?;
        let audio = self.up_to(&turn, end_s);
        Some(Question { what: What::Final, turn, audio, end_s })
    }

    /// There will be no more audio, or none that has to do with this.
    pub fn end(&mut self) -> Option<Question> {
        if self.desk.manner.has_turns {
            return self.finish(seconds(self.to()));
        }
        self.end_windows()
    }

    /// Asks. Must not wait.
    pub fn ask(&mut self, question: Question, reply: Reply) {
        let Question { what, turn, audio, end_s } = question;
        match what {
            What::Partial => self.desk.ask_partial(turn, audio, end_s, reply),
            What::Speculation(number) => {
                self.desk.speculate(&turn, number, audio);
                reply.answer(Answer::nothing());
            }
            What::Final => self.desk.ask_final(turn, audio, end_s, reply),
            What::Window(is_last) => self.desk.ask_window(&turn, Window { audio, is_last, reply }),
        }
    }
}

impl Desk {
    /// Audio to be understood; the last of a turn, or not.
    fn task(&self, turn: &Shared, audio: Arc<[f32]>, offset_s: f64, is_final: bool) -> Task {
        // What goes on from a part of the turn knows that by now, perhaps.
        let parts = turn.before.as_ref().map(|before| before.lock());
        let mut before = turn.transcript.prompt(offset_s);
        let mut language = turn.transcript.language();
        if let Some(part) = &parts {
            language = language.or_else(|| part.transcript.language());
            if before.is_empty() {
                before = part.transcript.prompt(offset_s);
            }
        }
        if begins_silent(&audio) {
            before.clear();
        }
        let prompt = match (self.manner.prompt.trim(), before.as_str()) {
            (expected, "") => expected.into(),
            ("", before) => before.into(),
            (expected, before) => format!("{expected} {before}").into(),
        };
        let mut way = self.manner.way.clone();
        if way.language.is_none() && !is_final {
            way.language = language.map(Into::into);
        }
        Task { audio, prompt, way }
    }

    /// Has a piece understood as long as somebody may wait for it.
    fn submit(
        &self,
        task: Task,
        class: Class,
        waits: &Arc<Waits>,
        done: impl FnOnce(Outcome) + Send + 'static,
    ) -> Ticket {
        let Asks { pool, cascade, cache, .. } = &self.asks;
        let waits = waits.clone();
        pool.submit_while(cascade, cache.as_ref(), (task, class), move || waits.is_wanted(), done)
    }

    fn ask_partial(&self, turn: Arc<Turn>, audio: Piece, end_s: f64, reply: Reply) {
        let (audio, offset_s) = audio;
        let len_s = seconds(audio.len() as i64);
        let (task, number) = {
            let mut shared = turn.lock();
            if shared.partial.is_some() {
                // It falls behind: the next one hears all of it.
                return reply.answer(Answer::nothing());
            }
            shared.partials += 1;
            (self.task(&shared, audio, offset_s, false), shared.partials)
        };
        let (own, says) = (turn.clone(), self.asks.says.clone());
        let waits = Waits::with(reply);
        let guard = Guarded(waits.clone());
        let gate = Gate::new(move |outcome| {
            let Some(reply) = guard.open() else { return };
            match own.hear_partial(number, outcome, (offset_s, len_s, end_s)) {
                Ok(news) if news.is_empty() => reply.answer(Answer::nothing()),
                Ok(news) => reply.answer(says(&news)),
                Err(fault) => reply.fail(fault),
            }
        });
        let passed = gate.clone();
        // No lock is held meanwhile: where no thread can be started, this fails all that wait, here.
        let ticket = self.submit(task, Class::Partial, &waits, move |outcome| passed.pass(outcome));
        turn.lock().partial = Some(ticket);
        gate.open();
    }

    fn speculate(&self, turn: &Arc<Turn>, number: u64, (audio, offset_s): Piece) {
        let task = {
            let mut shared = turn.lock();
            if shared.tries != number {
                return;
            }
            shared.give_up_early();
            self.task(&shared, audio, offset_s, true)
        };
        let (own, says) = (turn.clone(), self.asks.says.clone());
        let waits = Arc::<Waits>::default();
        let done = move |outcome| {
            let mut shared = own.lock();
            if shared.tries != number {
                return;
            }
            let Early::Runs(_, waits, end_s) = std::mem::take(&mut shared.early) else { return };
            match (outcome, end_s, waits.take()) {
                (outcome, Some(end_s), Some(reply)) => {
                    conclude(&own, &mut shared, outcome, (offset_s, end_s, true), &says, reply);
                }
                (Outcome::Said(said), ..) => shared.early = Early::Done(Box::new(said), offset_s),
                // It is asked again when the turn ends.
                (Outcome::Failed(_) | Outcome::Dropped, ..) => {}
            }
        };
        // Known answers come before `submit` returns.
        let gate = Gate::new(done);
        let passed = gate.clone();
        let ticket =
            self.submit(task, Class::Speculation, &waits, move |outcome| passed.pass(outcome));
        turn.lock().early = Early::Runs(ticket, waits, None);
        gate.open();
    }

    fn ask_final(&self, turn: Arc<Turn>, audio: Piece, end_s: f64, reply: Reply) {
        let mut shared = turn.lock();
        shared.give_up_partial();
        match std::mem::take(&mut shared.early) {
            Early::Done(said, offset_s) => {
                let outcome = Outcome::Said(*said);
                let how = (offset_s, end_s, true);
                return conclude(&turn, &mut shared, outcome, how, &self.asks.says, reply);
            }
            Early::Runs(ticket, waits, _) => {
                waits.put(reply);
                shared.early = Early::Runs(ticket.clone(), waits, Some(end_s));
                drop(shared);
                return ticket.promote();
            }
            Early::None => {}
        }
        let (audio, offset_s) = audio;
        if audio.is_empty() {
            let told = shared.transcript.give_up();
            let news = turn.parts(&mut shared, f64::INFINITY, turn.news(true, end_s, told));
            shared.before = None;
            drop(shared);
            return reply.answer((self.asks.says)(&news));
        }
        let task = self.task(&shared, audio, offset_s, true);
        if self.asks.cascade.compares() {
            let (number, start_s) = (turn.number.load(Ordering::Relaxed), turn.start_s);
            let transcript = shared.transcript.clone();
            self.asks.cascade.goes_on(&SoFar { turn: number, start_s, offset_s, transcript });
        }
        drop(shared);
        let says = self.asks.says.clone();
        let waits = Waits::with(reply);
        let waiting = waits.clone();
        self.submit(task, Class::Final, &waits, move |outcome| {
            let Some(reply) = waiting.take() else { return };
            let mut shared = turn.lock();
            conclude(&turn, &mut shared, outcome, (offset_s, end_s, false), &says, reply);
        });
    }
}

impl Listener {
    /// What was heard so far is void: nothing is told of it any more.
    pub fn void(&mut self) {
        self.give_up();
        // Windows count on.
        let is_row = !self.desk.manner.has_turns;
        self.turn = self.turn.take().filter(|_| is_row).map(|turn| turn.row());
        self.due = None;
        self.from = self.to();
        self.next = self.from;
        self.in_windows = false;
        self.audio.clear();
    }

    fn give_up(&self) {
        if let Some(turn) = &self.turn {
            let mut shared = turn.lock();
            shared.tries += 1;
            shared.give_up_early();
            shared.give_up_partial();
        }
    }
}

impl Drop for Listener {
    /// Nobody hears what was begun for nobody yet.
    fn drop(&mut self) {
        self.give_up();
    }
}

impl Shared {
    fn give_up_early(&mut self) {
        if let Early::Runs(ticket, ..) = std::mem::take(&mut self.early) {
            ticket.cancel();
        }
    }

    fn give_up_partial(&mut self) {
        // One that is on its way back, too.
        self.partials += 1;
        if let Some(ticket) = self.partial.take() {
            ticket.cancel();
        }
    }
}

impl Turn {
    /// What comes of the partial of that number: what is to be told, which is nothing once it was given up.
    fn hear_partial(
        self: &Arc<Self>,
        number: u64,
        outcome: Outcome,
        (offset_s, len_s, end_s): (f64, f64, f64),
    ) -> Result<Vec<News>, Fault> {
        let mut shared = self.lock();
        if shared.partials != number {
            return Ok(Vec::new());
        }
        shared.partial = None;
        let said = match outcome {
            Outcome::Said(said) => said,
            Outcome::Dropped => return Ok(Vec::new()),
            Outcome::Failed(fault) => return Err(fault),
        };
        shared.cost_s = said.cost_s;
        let told = shared.transcript.partial(&said, offset_s);
        shared.transcript.heard(&said, len_s);
        if let Some(at_s) = shared.transcript.cut_at(&said, offset_s, len_s) {
            shared.transcript.skip_to(at_s);
        }
        let until_s = shared.transcript.from_s();
        Ok(self.parts(&mut shared, until_s, self.news(false, end_s, told)))
    }
}

/// The turn is over: tells what was understood of it.
fn conclude(
    turn: &Turn,
    shared: &mut Shared,
    outcome: Outcome,
    (offset_s, end_s, is_early): (f64, f64, bool),
    says: &Says,
    reply: Reply,
) {
    let is_incomplete = !matches!(&outcome, Outcome::Said(said) if said.is_whole());
    let told = match &outcome {
        Outcome::Said(said) => shared.transcript.last(said, offset_s),
        // What was heard before stands.
        Outcome::Dropped | Outcome::Failed(_) => shared.transcript.give_up(),
    };
    shared.before = None;
    if let Outcome::Failed(fault) = outcome
        && told.text.is_empty()
    {
        return reply.fail(fault);
    }
    let last = News { is_early, is_incomplete, ..turn.news(true, end_s, told) };
    let news = turn.parts(shared, f64::INFINITY, last);
    reply.answer(says(&news));
}

/// Whether a piece begins with silence long enough that what was said before is no prompt for it: 2 s without a tenth of
/// a second that has more than a thousandth of the power of the loudest.
fn begins_silent(audio: &[f32]) -> bool {
    let len = RATE_HZ as usize / 10;
    let power = |tenth: &[f32]| tenth.iter().map(|x| x * x).sum::<f32>() / tenth.len() as f32;
    let most = audio.chunks_exact(len).map(power).fold(0.0, f32::max);
    let quiet = audio.chunks_exact(len).take_while(|tenth| power(tenth) <= 1e-3 * most).count();
    quiet as f64 * 0.1 >= SILENCE_S
}

/// Where a reply waits until there is something to say, if somebody waits.
#[derive(Default)]
struct Waits(Mutex<Option<Reply>>);

impl Waits {
    fn with(reply: Reply) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Some(reply))))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Reply>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, reply: Reply) {
        *self.lock() = Some(reply);
    }

    fn take(&self) -> Option<Reply> {
        self.lock().take()
    }

    /// Whether somebody waits, or may come to.
    fn is_wanted(&self) -> bool {
        self.lock().as_ref().is_none_or(Reply::is_wanted)
    }
}

/// A reply that is answered with nothing where nobody answers: partials that were given up.
struct Guarded(Arc<Waits>);

impl Guarded {
    fn open(&self) -> Option<Reply> {
        self.0.take()
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if let Some(reply) = self.0.take() {
            reply.answer(Answer::nothing());
        }
    }
}

/// Holds an outcome back until it is opened.
struct Gate<F>(Mutex<(bool, Option<Outcome>, Option<F>)>);

impl<F: FnOnce(Outcome)> Gate<F> {
    fn new(done: F) -> Arc<Self> {
        Arc::new(Self(Mutex::new((false, None, Some(done)))))
    }

    fn lock(&self) -> MutexGuard<'_, (bool, Option<Outcome>, Option<F>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pass(&self, outcome: Outcome) {
        let mut inner = self.lock();
        if !inner.0 {
            inner.1 = Some(outcome);
            return;
        }
        let done = inner.2.take();
        drop(inner);
        if let Some(done) = done {
            done(outcome);
        }
    }

    fn open(&self) {
        let mut inner = self.lock();
        inner.0 = true;
        let Some(outcome) = inner.1.take() else { return };
        let done = inner.2.take();
        drop(inner);
        if let Some(done) = done {
            done(outcome);
        }
    }
}

#[cfg(test)]
mod tests;
