//! Audio without turns, in windows: each begins where the one before has ended, which is known once that is understood.
//!
//! | | without partials | with partials |
//! |---|---|---|
//! | a window comes | every 14 s, the first after 28 s | every `step` |
//! | it hears | from the last segment before on | the same |
//! | it tells | all but its last segment, which may go on | what two in a row agree about; that is cut off, too, once it is 15 s |
//! | while the one before runs | it waits | it waits; those that wait are heard as one, up to 10 s |
//! | where the machine has no time | it is understood | up to 15 s it is left out, as the next one hears it, too |
//!
//! It ends where a word does: one that may go on is left to the next one, which hears all of it.
//!
//! So a model that is slow for a while costs no audio, and one that is too slow costs memory only up to [`BEHIND_S`]:
//! from then on nothing is taken in, and what a live source has to say meanwhile is lost where it waits.

use std::{
    collections::VecDeque,
    sync::{Arc, Weak, atomic::Ordering},
};

use engine::{Answer, Fault, Reply};
use smallvec::SmallVec;

use crate::transcription::{
    budget::step_s,
    hypothesis::{Hypothesis, Word},
    pool::Outcome,
    queue::Class,
    transcript::{BUFFER_S, Told, Transcript, WINDOW_S},
};

use super::{Desk, Listener, News, Piece, Question, Shared, Turn, Waits, What, samples, seconds};

/// Audio that waits for the model, at most, in seconds: 19 MB.
pub(super) const BEHIND_S: f64 = 300.0;
/// New audio from one window to the next, at most.
const STEP_S: f64 = WINDOW_S / 2.0;
/// Windows that wait are heard as one up to so much, where partials are told: less often, under load.
const JOINED_S: f64 = 10.0;
/// A word that ends so near the end of a window may go on behind it.
const EDGE_S: f64 = 0.3;
/// No word takes longer.
const WORD_S: f64 = 2.0;

/// Windows that follow from each other.
#[derive(Default)]
pub(super) struct Row {
    waiting: VecDeque<Window>,
    /// One is being understood.
    runs: bool,
    /// Audio that is still heard, from the sample `from` on.
    audio: Vec<f32>,
    from: i64,
    /// The sample up to which it was heard last.
    heard: i64,
    /// What comes has to do with what came.
    goes_on: bool,
    /// Words that are committed and were not told yet.
    untold: Vec<Word>,
}

/// A window to be understood.
pub(super) struct Window {
    /// What the one before has not.
    pub(super) audio: Piece,
    /// Nothing comes behind it, or nothing that has to do with it.
    pub(super) is_last: bool,
    pub(super) reply: Reply,
}

impl Listener {
    fn step(&self) -> i64 {
        samples(self.desk.manner.step_s.map_or(STEP_S, |step_s| step_s.min(STEP_S))).max(1)
    }

    /// Most windows that are asked about and not answered.
    pub(super) fn windows_most(&self) -> usize {
        (BEHIND_S / seconds(self.step())).ceil() as usize
    }

    fn row(&mut self) -> Arc<Turn> {
        let from_s = seconds(self.from);
        self.turn.get_or_insert_with(|| Turn::new(0, from_s, from_s, false)).clone()
    }

    pub(super) fn hear_windows(&mut self) -> SmallVec<[Question; 2]> {
        let step = self.step();
        let has_partials = self.desk.manner.step_s.is_some();
        if !std::mem::replace(&mut self.in_windows, true) {
            self.next = self.from + if has_partials { step } else { samples(WINDOW_S) };
        }
        let mut all = SmallVec::new();
        while self.to() >= self.next {
            if has_partials {
                // So long a frame has several in it: one is enough.
                self.next += (self.to() - self.next) / step * step;
            }
            let to = self.next;
            self.next = to + step;
            all.push(self.window(to, false));
        }
        all
    }

    pub(super) fn end_windows(&mut self) -> Option<Question> {
        let to = self.to();
        std::mem::take(&mut self.in_windows).then(|| self.window(to, true))
    }

    /// Asks about the audio up to that sample, which goes with it.
    fn window(&mut self, to: i64, is_last: bool) -> Question {
        let audio = self.piece(self.from, to);
        self.audio.drain(..audio.0.len());
        self.from += audio.0.len() as i64;
        Question { what: What::Window(is_last), turn: self.row(), audio, end_s: seconds(to) }
    }
}

impl Turn {
    /// A row of windows that has to do with this one by its numbers alone.
    pub(super) fn row(&self) -> Arc<Self> {
        let (number, start_s) = (self.number.clone(), self.start_s);
        Arc::new(Self { number, start_s, shared: std::sync::Mutex::default() })
    }
}

impl Row {
    /// Has a window wait.
    fn push(&mut self, window: Window, joins: bool) {
        if joins
            && let Some(last) = self.waiting.back_mut().filter(|last| !last.is_last)
            && seconds((last.audio.0.len() + window.audio.0.len()) as i64) <= JOINED_S
        {
            let audio = last.audio.0.iter().chain(window.audio.0.iter()).copied().collect();
            last.audio.0 = audio;
            last.is_last = window.is_last;
            std::mem::replace(&mut last.reply, window.reply).answer(Answer::nothing());
            return;
        }
        self.waiting.push_back(window);
    }

    fn waits(&self) -> usize {
        self.waiting.iter().map(|window| window.audio.0.len()).sum()
    }
}

impl Shared {
    /// Takes a window's audio in; without what need not be heard again.
    fn take_in(&mut self, (audio, begins_s): &Piece) {
        let begins = samples(*begins_s);
        let row = &mut self.row;
        if !std::mem::replace(&mut row.goes_on, true) {
            self.transcript = Transcript::after(&self.transcript);
            self.transcript.skip_to(*begins_s);
            row.audio.clear();
            (row.from, row.heard) = (begins, begins);
        }
        // Where the device counts otherwise than the time line, that is right.
        row.from = begins - row.audio.len() as i64;
        row.audio.extend_from_slice(audio);
        let gone = samples(self.transcript.from_s()) - row.from;
        let gone = gone.clamp(0, row.audio.len() as i64);
        row.audio.drain(..gone as usize);
        row.from += gone;
    }

    /// All that is left to tell, as one.
    fn tell_rest(&mut self, turn: &Turn, lost_s: Option<(f64, f64)>) -> Option<News> {
        self.tell_before(turn, f64::INFINITY, lost_s)
    }

    /// What lies before that moment, and is not heard any more, as one. Where some of what was said between two moments is
    /// lost, that is told with it, be it all of it.
    fn tell_before(&mut self, turn: &Turn, at_s: f64, lost_s: Option<(f64, f64)>) -> Option<News> {
        let told = self.transcript.cut(at_s);
        let (start_s, end_s) = told.span_s.or(lost_s)?;
        // Words go with the text that they are in.
        let count = self.row.untold.iter().take_while(|word| word.end_s <= at_s).count();
        let words = self.row.untold.drain(..count).collect();
        let news = turn.news(true, end_s, Told { words, ..told });
        turn.number.fetch_add(1, Ordering::Relaxed);
        Some(News { start_s, is_incomplete: lost_s.is_some(), ..news })
    }
}

/// A window that is being understood: the next one's turn comes when it is gone, whatever became of it.
struct Running {
    desk: Weak<Desk>,
    turn: Arc<Turn>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.turn.lock().row.runs = false;
        if let Some(desk) = self.desk.upgrade() {
            desk.advance(&self.turn);
        }
    }
}

impl Desk {
    /// How much audio has waited at most, in seconds.
    pub(super) fn waited_s(&self) -> f64 {
        seconds(self.behind.load(Ordering::Relaxed))
    }

    pub(super) fn ask_window(self: &Arc<Self>, turn: &Arc<Turn>, window: Window) {
        let mut shared = turn.lock();
        let joins = self.manner.step_s.is_some();
        shared.row.push(window, joins);
        self.behind.fetch_max(shared.row.waits() as i64, Ordering::Relaxed);
        drop(shared);
        self.advance(turn);
    }

    /// Asks about the next window, unless one is being understood.
    fn advance(self: &Arc<Self>, turn: &Arc<Turn>) {
        let mut shared = turn.lock();
        while !shared.row.runs {
            let Some(Window { audio, is_last, reply }) = shared.row.waiting.pop_front() else {
                return;
            };
            shared.take_in(&audio);
            shared.row.goes_on = !is_last;
            let row = &shared.row;
            let len_s = seconds(row.audio.len() as i64);
            let to = row.from + row.audio.len() as i64;
            let is_due = match self.manner.step_s {
                // A session takes at most a third of a processor for partials.
                Some(_) => seconds(to - row.heard) >= step_s(0.0, shared.cost_s).min(JOINED_S),
                // One that is not full yet waits.
                None => len_s >= STEP_S,
            };
            if row.audio.is_empty() || !(is_last || is_due) {
                let rest = if is_last { shared.tell_rest(turn, None) } else { None };
                let rest: SmallVec<[News; 1]> = rest.into_iter().collect();
                reply.answer((self.asks.says)(&rest));
                continue;
            }
            let offset_s = seconds(row.from);
            shared.row.heard = to;
            shared.row.runs = true;
            let audio = shared.row.audio.as_slice().into();
            let task = self.task(&shared, audio, offset_s, false);
            drop(shared);
            let running = Running { desk: Arc::downgrade(self), turn: turn.clone() };
            let (says, has_partials) = (self.asks.says.clone(), self.manner.step_s.is_some());
            let waits = Waits::with(reply);
            let waiting = waits.clone();
            // What is heard again may give way; what is long is not heard much longer.
            let is_passing = has_partials && !is_last && len_s < BUFFER_S;
            let class = if is_passing { Class::Window } else { Class::Final };
            self.submit(task, class, &waits, move |outcome| {
                let running = running;
                let Some(reply) = waiting.take() else { return };
                let how = (offset_s, len_s, is_last, has_partials);
                match running.turn.hear_window(outcome, how) {
                    Ok(news) => reply.answer(says(&news)),
                    Err(fault) => reply.fail(fault),
                }
            });
            return;
        }
    }
}

impl Turn {
    /// What comes of a window.
    pub(super) fn hear_window(
        &self,
        outcome: Outcome,
        (offset_s, len_s, is_last, has_partials): (f64, f64, bool, bool),
    ) -> Result<Vec<News>, Fault> {
        let mut shared = self.lock();
        let shared = &mut *shared;
        let end_s = offset_s + len_s;
        let said = match outcome {
            Outcome::Said(said) => said,
            // The next one hears it, too.
            Outcome::Dropped if !is_last => return Ok(Vec::new()),
            Outcome::Dropped => {
                shared.row.untold.extend(shared.transcript.give_up().words);
                return Ok(shared.tell_rest(self, Some((offset_s, end_s))).into_iter().collect());
            }
            Outcome::Failed(fault) => {
                // Asked about again with the next window it would fail again, and the audio pile up. What was heard of
                // it stands.
                shared.row.untold.extend(shared.transcript.give_up().words);
                let rest = shared.tell_rest(self, None).ok_or(fault);
                shared.transcript.skip_to(end_s);
                return Ok(vec![News { is_incomplete: true, ..rest? }]);
            }
        };
        let mut news = Vec::new();
        shared.cost_s = said.cost_s;
        // What two agree about is told without what comes behind it, which is heard again.
        let mut is_all = is_last || !has_partials;
        let cut_s = if is_last {
            shared.row.untold.extend(shared.transcript.last(&said, offset_s).words);
            Some(f64::INFINITY)
        } else if has_partials {
            let told = shared.transcript.partial(&said, offset_s);
            if told.text != told.stable || !told.words.is_empty() {
                let start_s = shared.transcript.from_s();
                news.push(News { start_s, ..self.news(false, end_s, told) });
            }
            let mut cut = shared.transcript.cut_at(&said, offset_s, len_s);
            if cut.is_none() && len_s > WINDOW_S {
                // Nothing is agreed about, as in silence: it is as it was heard last.
                let until_s = offset_s + whole_until(&said.words, len_s);
                shared.row.untold.extend(shared.transcript.give_up_until(until_s).words);
                cut = Some(until_s);
                is_all = true;
            }
            cut
        } else {
            // All but the last segment, which may go on.
            let ends = &said.segment_ends_s;
            let until_s = match ends.len() {
                0 | 1 => whole_until(&said.words, len_s),
                count => before_word(&said.words, ends[count - 2].min(len_s)),
            };
            let words = said.words.iter().filter(|word| word.start_s < until_s).cloned().collect();
            let known = Hypothesis { words, ..said.clone() };
            shared.row.untold.extend(shared.transcript.last(&known, offset_s).words);
            Some(offset_s + until_s)
        };
        shared.transcript.heard(&said, len_s);
        if let Some(at_s) = cut_s {
            let until_s = at_s.min(end_s);
            let lost_s = (is_all && !said.is_whole()).then_some((offset_s, until_s));
            news.extend(shared.tell_before(self, at_s, lost_s));
            shared.transcript.skip_to(until_s);
        }
        Ok(news)
    }
}

/// Where a piece of audio of that length ends that goes on: in front of its last word, if that may go on, too.
fn whole_until(words: &[Word], len_s: f64) -> f64 {
    let last = words.last().filter(|word| word.end_s > len_s - EDGE_S);
    last.map(|word| word.start_s).filter(|start_s| is_cut(*start_s, len_s)).unwrap_or(len_s)
}

/// The same moment, or where the word begins that it lies in.
fn before_word(words: &[Word], at_s: f64) -> f64 {
    let across = words.iter().find(|word| word.start_s < at_s && word.end_s > at_s);
    across.map(|word| word.start_s).filter(|start_s| is_cut(*start_s, at_s)).unwrap_or(at_s)
}

/// Whether to end at the beginning of a word rather than in it; what began with it would be heard again for ever.
fn is_cut(start_s: f64, at_s: f64) -> bool {
    start_s > at_s - WORD_S && start_s > 0.5 * at_s
}
