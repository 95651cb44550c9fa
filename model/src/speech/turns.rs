//! [`Turns`]: whose turn it is, told at the moment it is decided.
//!
//! ```text
//!            ≥ threshold                 < low                    pause over
//!  Quiet ──▶ Starting ──start──▶ Speaking ──▶ Stopping ──end──▶ Quiet
//!    ▲          │ < low             ▲             │ ≥ threshold
//!    ╰──────────╯                   ╰──resume─────╯   (resume only where speculate was told)
//! ```
//!
//! `start` is sent after `start_ns` at or above the threshold, and says where the turn begins: `pre_roll_ns` before that, so that
//! no onset is clipped, but not within the turn before. `speculate` is sent once a pause has lasted
//! `speculate_ns`: the end is likely, and whoever works ahead may begin. `resume` voids it. `end` confirms
//! it, once the pause has lasted as long as the rules say:
//!
//! | what was spoken, and what a model of turns says | pause that ends the turn |
//! |---|---|
//! | the model says it is the end | `sure_silence_ns` |
//! | the model says it is not | `hard_stop_ns` |
//! | no model; less than `short_speech_ns` was spoken | `long_silence_ns`: who has just begun goes on |
//! | no model; `long_speech_ns` or more was spoken | `short_silence_ns` |
//! | no model; anything else | `silence_ns` |
//!
//! A turn is no longer than `turn_ns`, pre-roll and all; who speaks on begins another at once. An end of that sort, or one
//! before a gap or the end of the stream, is told to be cut.

use engine::Fault;

use super::{Chunk, Levels, Mean, state::State};

/// When a turn begins and ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TurnRule {
    /// What is speech.
    pub levels: Levels,
    /// So long it must be speech before a turn begins; one chunk at least.
    pub start_ns: i64,
    /// So long before the first chunk of speech a turn begins.
    pub pre_roll_ns: i64,
    /// A pause after which the end is likely.
    pub speculate_ns: i64,
    /// The pause that ends a turn.
    pub silence_ns: i64,
    /// The same where less than `short_speech_ns` was spoken.
    pub long_silence_ns: i64,
    /// See `long_silence_ns`.
    pub short_speech_ns: i64,
    /// The same where `long_speech_ns` or more was spoken.
    pub short_silence_ns: i64,
    /// See `short_silence_ns`.
    pub long_speech_ns: i64,
    /// What a model of turns must say for the end.
    pub end_probability: f32,
    /// The pause that ends a turn if it says so, and if it does not.
    pub sure_silence_ns: i64,
    /// See `sure_silence_ns`.
    pub hard_stop_ns: i64,
    /// The longest turn.
    pub turn_ns: i64,
}

impl TurnRule {
    /// The pause that ends a turn, usually and at most. A model that `judges` says mostly that a turn is over where it is.
    pub fn pauses_ns(&self, judges: bool) -> [i64; 2] {
        let by_rule_ns = self.silence_ns.max(self.long_silence_ns).max(self.short_silence_ns);
        match judges {
            true => [self.sure_silence_ns, by_rule_ns.max(self.hard_stop_ns)],
            false => [self.silence_ns, by_rule_ns],
        }
    }
}

/// What is told of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Somebody has begun to speak.
    Start,
    /// The end is likely, not certain.
    Speculate,
    /// It was not the end.
    Resume,
    /// The turn is over.
    End,
}

impl What {
    /// The word in events.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Speculate => "speculate",
            Self::Resume => "resume",
            Self::End => "end",
        }
    }
}

/// What is told of a turn, when.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TurnEvent {
    /// When it was decided.
    pub at_ns: i64,
    /// What.
    pub what: What,
    /// The number of the turn, from 0.
    pub turn: i64,
    /// Where it begins, with its pre-roll.
    pub start_ns: i64,
    /// Where what was spoken so far ends.
    pub end_ns: i64,
    /// The mean of what was spoken so far.
    pub probability: f64,
    /// Of an end: it was none of the speaker's. The turn was too long, what follows is missing, or there is nothing more.
    pub is_cut: bool,
}

/// Follows turns. See the module.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Turns {
    state: Where,
    /// Number of the present turn, or of the next.
    turn: i64,
    /// First chunk of speech, the beginning with the pre-roll, the end of what was spoken.
    onset_ns: i64,
    start_ns: i64,
    end_ns: i64,
    mean: Mean,
    /// Where a turn may begin.
    free_ns: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Where {
    Quiet,
    Starting,
    Speaking,
    Stopping(Stopping),
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Stopping {
    since_ns: i64,
    /// `speculate` was told.
    is_told: bool,
    /// What a model of turns says; NaN as long as it says nothing.
    verdict: Option<f32>,
}

impl Turns {
    /// Nobody has spoken yet.
    pub const NONE: Self = Self {
        state: Where::Quiet,
        turn: 0,
        onset_ns: 0,
        start_ns: 0,
        end_ns: 0,
        mean: Mean { sum: 0.0, count: 0 },
        free_ns: None,
    };

    /// Whether there was one.
    pub const fn has_begun(&self) -> bool {
        self.turn > 0 || matches!(self.state, Where::Speaking | Where::Stopping(_))
    }

    /// Takes a chunk and tells what follows from it: two things at most.
    pub fn hear(&mut self, chunk: Chunk, rule: &TurnRule, mut tell: impl FnMut(TurnEvent)) {
        self.free_ns.get_or_insert(chunk.start_ns);
        let (is_speech, is_none) = (rule.levels.is_speech(chunk), rule.levels.is_none(chunk));
        match self.state {
            Where::Quiet if is_speech => {
                (self.state, self.onset_ns, self.mean) =
                    (Where::Starting, chunk.start_ns, Mean::default());
                self.start_if_sure(chunk, rule, &mut tell);
            }
            Where::Quiet => {}
            Where::Starting if is_none => self.state = Where::Quiet,
            Where::Starting => self.start_if_sure(chunk, rule, &mut tell),
            Where::Speaking if is_none => {
                let stopping = Stopping { since_ns: chunk.start_ns, ..Stopping::default() };
                self.pause(stopping, chunk, rule, &mut tell);
            }
            Where::Speaking => self.go_on(chunk),
            Where::Stopping(stopping) if is_speech => {
                self.state = Where::Speaking;
                self.go_on(chunk);
                if stopping.is_told {
                    tell(self.event(What::Resume, chunk.end_ns));
                }
            }
            Where::Stopping(stopping) => self.pause(stopping, chunk, rule, &mut tell),
        }
        if self.is_open() && chunk.end_ns - self.start_ns >= rule.turn_ns {
            self.close(chunk.end_ns, true, &mut tell);
        }
    }

    /// Whether somebody is to say whether this pause is the end: `speculate` was told, and nobody has.
    pub fn wants_verdict(&self) -> bool {
        matches!(self.state, Where::Stopping(Stopping { is_told: true, verdict: None, .. }))
    }

    /// What a model of turns says to the pause: how likely it is the end, if it says anything. Counts from the next
    /// chunk on.
    pub fn judge(&mut self, verdict: Option<f32>) {
        if let Where::Stopping(stopping) = &mut self.state {
            stopping.verdict = Some(verdict.unwrap_or(f32::NAN));
        }
    }

    /// The stream ends at a moment, or what follows is missing: whoever speaks has spoken.
    pub fn end(&mut self, at_ns: i64, mut tell: impl FnMut(TurnEvent)) {
        if self.is_open() {
            self.close(at_ns, true, &mut tell);
        }
        (self.state, self.free_ns) = (Where::Quiet, None);
    }

    /// Whether a turn has begun and not ended.
    pub const fn is_open(&self) -> bool {
        matches!(self.state, Where::Speaking | Where::Stopping(_))
    }

    fn start_if_sure(&mut self, chunk: Chunk, rule: &TurnRule, tell: &mut impl FnMut(TurnEvent)) {
        self.go_on(chunk);
        if chunk.end_ns - self.onset_ns < rule.start_ns {
            return;
        }
        let free_ns = self.free_ns.unwrap_or(self.onset_ns);
        self.start_ns = self.onset_ns.saturating_sub(rule.pre_roll_ns).max(free_ns);
        self.state = Where::Speaking;
        tell(self.event(What::Start, chunk.end_ns));
    }

    fn go_on(&mut self, chunk: Chunk) {
        self.mean.add(chunk);
        self.end_ns = chunk.end_ns;
    }

    fn pause(
        &mut self,
        mut stopping: Stopping,
        chunk: Chunk,
        rule: &TurnRule,
        tell: &mut impl FnMut(TurnEvent),
    ) {
        let lasted = chunk.end_ns - stopping.since_ns;
        if lasted >= self.needed_ns(stopping, rule) {
            self.close(chunk.end_ns, false, tell);
            return;
        }
        if lasted >= rule.speculate_ns && !stopping.is_told {
            stopping.is_told = true;
            tell(self.event(What::Speculate, chunk.end_ns));
        }
        self.state = Where::Stopping(stopping);
    }

    /// The pause that ends the turn.
    fn needed_ns(&self, stopping: Stopping, rule: &TurnRule) -> i64 {
        let spoken = self.end_ns - self.onset_ns;
        match stopping.verdict.filter(|verdict| !verdict.is_nan()) {
            Some(verdict) if verdict >= rule.end_probability => rule.sure_silence_ns,
            Some(_) => rule.hard_stop_ns,
            None if spoken < rule.short_speech_ns => rule.long_silence_ns,
            None if spoken >= rule.long_speech_ns => rule.short_silence_ns,
            None => rule.silence_ns,
        }
    }

    fn close(&mut self, at_ns: i64, is_cut: bool, tell: &mut impl FnMut(TurnEvent)) {
        tell(TurnEvent { is_cut, ..self.event(What::End, at_ns) });
        self.state = Where::Quiet;
        self.turn += 1;
        self.free_ns = Some(self.end_ns);
    }

    fn event(&self, what: What, at_ns: i64) -> TurnEvent {
        let Self { turn, start_ns, end_ns, mean, .. } = *self;
        let probability = mean.value();
        TurnEvent { at_ns, what, turn, start_ns, end_ns, probability, is_cut: false }
    }

    pub(super) fn visit(&mut self, state: &mut State<'_>) -> Result<(), Fault> {
        let (mut place, mut stopping) = match self.state {
            Where::Quiet => (0, Stopping::default()),
            Where::Starting => (1, Stopping::default()),
            Where::Speaking => (2, Stopping::default()),
            Where::Stopping(stopping) => (3, stopping),
        };
        state.i64(&mut place)?;
        state.demand((0..=3).contains(&place))?;
        state.i64(&mut stopping.since_ns)?;
        state.bool(&mut stopping.is_told)?;
        let (mut is_judged, mut verdict) =
            (stopping.verdict.is_some(), stopping.verdict.unwrap_or_default());
        state.bool(&mut is_judged)?;
        state.f32(&mut verdict)?;
        stopping.verdict = is_judged.then_some(verdict);
        self.state = match place {
            0 => Where::Quiet,
            1 => Where::Starting,
            2 => Where::Speaking,
            _ => Where::Stopping(stopping),
        };
        for moment in [&mut self.turn, &mut self.onset_ns, &mut self.start_ns, &mut self.end_ns] {
            state.i64(moment)?;
        }
        self.mean.visit(state)?;
        state.time(&mut self.free_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;
    const RULE: TurnRule = TurnRule {
        levels: Levels { threshold: 0.5, low: 0.35 },
        start_ns: 0,
        pre_roll_ns: 500 * MS,
        speculate_ns: 120 * MS,
        silence_ns: 550 * MS,
        long_silence_ns: 550 * MS,
        short_speech_ns: 0,
        short_silence_ns: 550 * MS,
        long_speech_ns: 10_000 * MS,
        end_probability: 0.5,
        sure_silence_ns: 200 * MS,
        hard_stop_ns: 3_000 * MS,
        turn_ns: 30_000 * MS,
    };

    /// A follower of turns with chunks of 32 ms.
    struct Told {
        turns: Turns,
        rule: TurnRule,
        until_ns: i64,
        events: Vec<TurnEvent>,
    }

    impl Told {
        fn new(rule: TurnRule) -> Self {
            Self { turns: Turns::NONE, rule, until_ns: 0, events: Vec::new() }
        }

        fn hear(&mut self, probability: f32, count: usize) -> &mut Self {
            for _ in 0..count {
                let (start_ns, end_ns) = (self.until_ns, self.until_ns + 32 * MS);
                let before = self.events.len();
                let chunk = Chunk { start_ns, end_ns, probability };
                self.turns.hear(chunk, &self.rule, |event| self.events.push(event));
                assert!(self.events[before..].iter().all(|event| event.at_ns == end_ns));
                assert!(self.events.len() <= before + 2);
                self.until_ns = end_ns;
            }
            self
        }

        /// What, when it was decided, and beginning and end, in milliseconds.
        fn told(&self) -> Vec<(&'static str, i64, i64, i64)> {
            let told = self.events.iter().map(|event| {
                let TurnEvent { at_ns, what, start_ns, end_ns, .. } = *event;
                (what.word(), at_ns / MS, start_ns / MS, end_ns / MS)
            });
            told.collect()
        }
    }

    #[test]
    fn a_turn_is_started_speculated_about_and_ended() {
        let mut told = Told::new(RULE);
        told.hear(0.0, 30).hear(0.9, 20).hear(0.0, 30);
        // Onset 960, pre-roll 500; the pause begins at 1600: 128 ms of it are over at 1728, 576 at 2176.
        assert_eq!(
            told.told(),
            [("start", 992, 460, 992), ("speculate", 1728, 460, 1600), ("end", 2176, 460, 1600)]
        );
    }

    #[test]
    fn speech_that_goes_on_voids_what_was_speculated() {
        let mut told = Told::new(RULE);
        told.hear(0.9, 10).hear(0.0, 3).hear(0.9, 10).hear(0.0, 5).hear(0.9, 5).hear(0.0, 20);
        let told: Vec<_> = told.told().iter().map(|told| (told.0, told.1)).collect();
        assert_eq!(
            told,
            [
                ("start", 32),
                ("speculate", 864),
                ("resume", 928),
                ("speculate", 1184),
                ("end", 1632)
            ]
        );
    }

    #[test]
    fn a_turn_does_not_begin_in_the_one_before() {
        let mut told = Told::new(RULE);
        told.hear(0.0, 30).hear(0.9, 5).hear(0.0, 18).hear(0.9, 5).hear(0.0, 20);
        let starts: Vec<_> = told.told().into_iter().filter(|told| told.0 == "start").collect();
        // The first ends at 1120, and 500 ms before the second's onset at 1696 is 1196.
        assert_eq!(starts, [("start", 992, 460, 992), ("start", 1728, 1196, 1728)]);
        let long = TurnRule { pre_roll_ns: 2_000 * MS, ..RULE };
        let mut told = Told::new(long);
        told.hear(0.0, 3).hear(0.9, 5).hear(0.0, 18).hear(0.9, 5);
        let starts: Vec<_> = told.told().into_iter().filter(|told| told.0 == "start").collect();
        assert_eq!((starts[0].2, starts[1].2), (0, 256), "the beginning, and the end before");
    }

    #[test]
    fn a_start_may_have_to_last() {
        let mut told = Told::new(TurnRule { start_ns: 90 * MS, ..RULE });
        told.hear(0.9, 2).hear(0.0, 2).hear(0.9, 2).hear(0.4, 1).hear(0.9, 1);
        assert_eq!(told.told(), [("start", 224, 0, 224)]);
    }

    #[test]
    fn how_long_a_pause_must_be_goes_by_what_was_spoken() {
        let rule = TurnRule {
            short_speech_ns: 300 * MS,
            long_silence_ns: 800 * MS,
            long_speech_ns: 2_000 * MS,
            short_silence_ns: 300 * MS,
            ..RULE
        };
        let pause = |chunks| {
            let mut told = Told::new(rule);
            told.hear(0.9, chunks).hear(0.0, 40);
            let end = told.told().pop().expect("over");
            end.1 - end.3
        };
        assert_eq!((pause(5), pause(20), pause(70)), (800, 576, 320));
    }

    #[test]
    fn a_model_of_turns_ends_them_sooner_or_later() {
        let pause = |verdict: Option<f32>| {
            let mut told = Told::new(RULE);
            told.hear(0.9, 20);
            for _ in 0..120 {
                if told.turns.wants_verdict() {
                    told.turns.judge(verdict);
                }
                told.hear(0.0, 1);
            }
            let end = told.told().pop().expect("over");
            end.1 - end.3
        };
        assert_eq!((pause(Some(0.9)), pause(Some(0.1))), (224, 3008));
        assert_eq!((pause(None), pause(Some(f32::NAN))), (576, 576), "by the rules");
    }

    #[test]
    fn speech_that_never_ends_is_cut_into_turns_that_meet() {
        let mut told = Told::new(TurnRule { turn_ns: 1_000 * MS, ..RULE });
        told.hear(0.9, 200);
        let told = told.told();
        assert!(told.len() > 8);
        for pair in told.chunks_exact(2).collect::<Vec<_>>().windows(2) {
            let [(end, _, _, ended), (start, _, began, _)] = [pair[0][1], pair[1][0]];
            assert_eq!((end, start, ended), ("end", "start", began));
        }
        assert!(told.iter().all(|told| told.1 - told.2 <= 1_024));
    }

    #[test]
    fn an_end_that_is_none_of_the_speakers_is_told_to_be_cut() {
        let ends = |told: &Told| -> Vec<bool> {
            let ends = told.events.iter().filter(|event| event.what == What::End);
            ends.map(|event| event.is_cut).collect()
        };
        let mut told = Told::new(TurnRule { turn_ns: 1_000 * MS, ..RULE });
        told.hear(0.9, 5).hear(0.0, 40);
        assert_eq!(ends(&told), [false], "a pause");
        // In the middle of a pause, too.
        told.hear(0.9, 20).hear(0.0, 10);
        assert_eq!(ends(&told), [false, true], "its length");
        told.hear(0.9, 5);
        let Told { turns, events, until_ns, .. } = &mut told;
        turns.end(*until_ns, |event| events.push(event));
        assert_eq!(ends(&told), [false, true, true], "the end of the stream, or a gap");
        assert!(told.events.iter().all(|event| event.what == What::End || !event.is_cut));
    }

    #[test]
    fn an_hour_of_silence_and_nan_say_nothing() {
        let mut told = Told::new(RULE);
        told.hear(0.0, 112_500).hear(f32::NAN, 1_000).hear(0.49, 1_000);
        assert!(told.events.is_empty());
        // Nobody knows: it neither ends nor goes on for ever.
        told.hear(0.9, 5).hear(f32::NAN, 2_000);
        assert!(told.told().iter().map(|told| told.0).eq(["start", "end"]));
    }

    #[test]
    fn whatever_comes_turns_are_well_formed() {
        let mut state = 1_u64;
        let mut random = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as u32
        };
        let mut seen = [0; 4];
        for script in 0..500 {
            let mut told = Told::new(TurnRule {
                start_ns: i64::from(random() % 4) * 40 * MS,
                speculate_ns: i64::from(random() % 700) * MS,
                short_speech_ns: 300 * MS,
                long_silence_ns: 900 * MS,
                turn_ns: 3_000 * MS,
                ..RULE
            });
            for _ in 0..60 {
                let probability = match random() % 16 {
                    15 => f32::NAN,
                    n => n as f32 / 14.0,
                };
                if told.turns.wants_verdict() && random() % 2 == 0 {
                    told.turns.judge(Some((random() % 3) as f32 / 2.0));
                }
                told.hear(probability, 1 + random() as usize % 20);
            }
            let at_ns = told.until_ns;
            told.turns.end(at_ns, |event| told.events.push(event));

            let (mut before, mut turn, mut free_ns) = (What::End, 0, 0);
            for event in &told.events {
                let follows = match event.what {
                    What::Start => before == What::End,
                    What::Speculate => matches!(before, What::Start | What::Resume),
                    What::Resume => before == What::Speculate,
                    What::End => before != What::End,
                };
                assert!(follows, "script {script}: {before:?}, then {event:?}");
                assert_eq!(event.turn, turn, "script {script}");
                assert!(free_ns <= event.start_ns && event.start_ns < event.end_ns);
                assert!(event.end_ns <= event.at_ns);
                if event.what == What::End {
                    (turn, free_ns) = (turn + 1, event.end_ns);
                }
                before = event.what;
                seen[event.what as usize] += 1;
            }
            assert_eq!(before, What::End, "script {script}: the end of the stream ends a turn");
        }
        assert!(seen.iter().all(|&count| count > 200), "{seen:?}");
    }
}
