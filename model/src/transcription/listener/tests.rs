//! Turns and windows with a model that says what it is told to, on real threads: nothing here depends on how long
//! that takes.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize},
    time::Duration,
};

use engine::{
    Fault,
    testing::{Awaited, Outcome as Came, reply},
};

use super::*;
use crate::{
    cache::CacheOptions,
    transcription::{
        hypothesis::Word,
        mock::{MockDecoder, hypothesis},
    },
};

const LIMIT: Duration = Duration::from_secs(30);

struct Room {
    listener: Listener,
    pool: Pool,
    news: Arc<Mutex<Vec<News>>>,
    awaited: Vec<Awaited>,
    heard: usize,
}

fn room(model: &MockDecoder, manner: Manner) -> Room {
    room_with(model, manner, Pool::new(1), None)
}

fn room_with(model: &MockDecoder, manner: Manner, pool: Pool, cache: Option<Arc<Cache>>) -> Room {
    room_of(Arc::new(Cascade::single(Arc::new(model.clone()))), manner, pool, cache)
}

fn room_of(cascade: Arc<Cascade>, manner: Manner, pool: Pool, cache: Option<Arc<Cache>>) -> Room {
    let news = Arc::new(Mutex::new(Vec::new()));
    let all = news.clone();
    let says: Says = Arc::new(move |news| {
        all.lock().unwrap().extend_from_slice(news);
        Answer::nothing()
    });
    let asks = Asks { pool: pool.clone(), cascade, cache, says };
    Room { listener: Listener::new(manner, asks), pool, news, awaited: Vec::new(), heard: 0 }
}

/// Half a second of audio is a word: its number is what every sample of it is.
fn sample(at: usize) -> f32 {
    (at / 8_000) as f32
}

impl Room {
    /// Hears the next seconds in frames of 20 ms, waiting for each answer.
    fn hear(&mut self, to_s: f64) {
        self.hear_in(to_s, 320);
    }

    fn hear_in(&mut self, to_s: f64, len: usize) {
        let to = samples(to_s) as usize;
        while self.heard < to {
            let frame: Vec<f32> = (self.heard..(self.heard + len).min(to)).map(sample).collect();
            let at_s = seconds(self.heard as i64);
            self.heard += frame.len();
            for question in self.listener.hear(at_s, &frame) {
                self.ask(question);
                self.settle();
            }
        }
    }

    fn ask(&mut self, question: Question) {
        let (reply, awaited) = reply(None);
        self.listener.ask(question, reply);
        self.awaited.push(awaited);
    }

    fn tell(&mut self, turn: i64, event: Event) {
        if let Some(question) = self.listener.tell(turn, event) {
            self.ask(question);
        }
    }

    /// Waits for all answers.
    fn settle(&mut self) -> Vec<Came> {
        let came: Vec<Came> = self.awaited.drain(..).map(|it| it.wait(LIMIT)).collect();
        assert!(!came.iter().any(|it| matches!(it, Came::Nothing)), "an answer is missing");
        came
    }

    fn news(&mut self) -> Vec<News> {
        self.settle();
        std::mem::take(&mut self.news.lock().unwrap())
    }

    fn finals(&mut self) -> Vec<(i64, String)> {
        let news = self.news().into_iter().filter(|news| news.is_final);
        news.map(|news| (news.turn, news.told.text)).collect()
    }
}

fn words(range: std::ops::Range<usize>) -> String {
    range.map(|n| format!("w{n}")).collect::<Vec<_>>().join(" ")
}

#[test]
fn partials_grow_and_the_final_begins_with_what_was_stable() {
    let model = MockDecoder::counting(0.5);
    let mut room = room(&model, Manner::default());
    room.hear(1.2);
    room.tell(7, Event::Start(0.5));
    room.hear(4.7);
    room.tell(7, Event::End(4.5));
    let news = room.news();
    let (last, partials) = news.split_last().unwrap();
    assert_eq!(partials.len(), 4, "one a second");
    for pair in news.windows(2) {
        assert!(pair[1].told.stable.starts_with(&pair[0].told.stable), "{pair:?}");
    }
    assert_eq!(partials[1].told.stable, words(1..3));
    assert_eq!((last.is_final, last.turn, last.start_s, last.end_s), (true, 7, 0.5, 4.5));
    assert_eq!(last.told.text, words(1..9));
    assert_eq!(last.told.stable, last.told.text);
    // Each word is told once.
    let told: Vec<String> =
        news.iter().flat_map(|it| &it.told.words).map(|it| it.text.trim().to_owned()).collect();
    assert_eq!(told.join(" "), words(1..9));
}

#[test]
fn a_final_that_was_begun_early_is_there_at_the_end_and_was_made_once() {
    let model = MockDecoder::counting(0.5);
    let manner = Manner { step_s: None, ..Manner::default() };
    let mut room = room(&model, manner);
    room.tell(1, Event::Start(0.0));
    room.hear(2.2);
    room.tell(1, Event::Speculate(2.0));
    while room.pool.done().decodes == 0 {
        std::thread::yield_now();
    }
    // The decoder is done; what became of it is noted within the same turn of the worker.
    room.hear(2.6);
    room.tell(1, Event::End(2.0));
    let news = room.news();
    assert_eq!(news.len(), 1);
    assert!(news[0].is_early && news[0].told.text == words(0..4), "{news:?}");
    assert_eq!(model.begun(), 1);
}

#[test]
fn a_final_that_was_begun_in_a_pause_before_is_not_told_though_nobody_said_that_it_was_over() {
    let model = MockDecoder::counting(0.5);
    let mut room = room(&model, Manner { step_s: None, ..Manner::default() });
    let decoded = |room: &Room, count| {
        while room.pool.done().decodes < count {
            std::thread::yield_now();
        }
    };
    room.tell(1, Event::Start(0.0));
    room.hear(2.2);
    room.tell(1, Event::Speculate(2.0));
    decoded(&room, 1);
    // So long is the pause that is known.
    room.hear(12.0);
    room.tell(1, Event::End(2.0));
    room.tell(2, Event::Start(12.0));
    room.hear(14.2);
    room.tell(2, Event::Speculate(14.0));
    room.hear(24.2);
    decoded(&room, 2);
    room.settle();
    room.tell(2, Event::Speculate(24.0));
    room.tell(2, Event::End(24.0));
    room.settle();
    let news = room.news();
    assert_eq!(news.last().map(|news| &*news.told.text), Some(&*words(24..48)), "{news:?}");
}

#[test]
fn a_final_is_begun_no_sooner_than_it_must_be() {
    let model = MockDecoder::counting(0.5);
    let mut room = room(&model, Manner { step_s: None, ..Manner::default() });
    room.tell(1, Event::Start(0.0));
    room.hear(2.2);
    // Nothing is known yet.
    room.tell(1, Event::Speculate(2.0));
    room.settle();
    while room.pool.done().decodes == 0 {
        std::thread::yield_now();
    }
    room.hear(12.0);
    room.tell(1, Event::End(2.0));
    assert_eq!((room.finals().len(), model.begun()), (1, 1));
    // Turns end after 10 s of silence, and finals take next to nothing, or a second on a busy machine.
    room.tell(2, Event::Start(13.0));
    room.hear(15.2);
    room.tell(2, Event::Speculate(15.0));
    room.hear(17.0);
    assert_eq!(model.begun(), 1, "there is time");
    room.tell(2, Event::Resume);
    room.hear(18.2);
    room.tell(2, Event::Speculate(18.0));
    room.hear(20.0);
    assert_eq!(model.begun(), 1, "what was taken back is not begun");
    room.hear(27.96);
    while room.pool.done().decodes == 1 {
        std::thread::yield_now();
    }
    room.hear(28.0);
    room.tell(2, Event::End(18.0));
    let news = room.news();
    assert!(news.len() == 1 && news[0].is_early, "{news:?}");
    assert_eq!((model.begun(), news[0].told.text.as_str()), (2, &*words(26..36)));
    // Where pauses come to be shorter, it is begun sooner: here at once.
    room.tell(3, Event::Start(29.0));
    room.hear(31.2);
    room.tell(3, Event::Speculate(31.0));
    room.tell(3, Event::End(31.0));
    assert_eq!(room.news().len(), 1);
    room.tell(4, Event::Start(33.0));
    room.hear(35.2);
    room.tell(4, Event::Speculate(35.0));
    while room.pool.done().decodes == 3 {
        std::thread::yield_now();
    }
}

#[test]
fn what_was_begun_early_is_told_as_soon_as_it_is_there() {
    let open = Arc::new(AtomicBool::new(false));
    let gate = open.clone();
    let model = MockDecoder::new("slow", move |_| {
        while !gate.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        Ok(hypothesis("at last", 0.5, 0.9))
    });
    let mut room = room(&model, Manner { step_s: None, ..Manner::default() });
    room.tell(1, Event::Start(0.0));
    room.hear(2.2);
    room.tell(1, Event::Speculate(2.0));
    room.tell(1, Event::End(2.0));
    open.store(true, Ordering::Relaxed);
    let news = room.news();
    assert!(news.len() == 1 && news[0].is_early, "{news:?}");
    assert_eq!(model.begun(), 1);
}

#[test]
fn a_speaker_who_goes_on_stops_it() {
    let model = MockDecoder::counting(0.5).taking(Duration::from_millis(50));
    let mut room = room(&model, Manner { step_s: None, ..Manner::default() });
    room.tell(1, Event::Start(0.0));
    room.hear(2.2);
    room.tell(1, Event::Speculate(2.0));
    while model.begun() == 0 {
        std::thread::yield_now();
    }
    room.tell(1, Event::Resume);
    room.hear(4.2);
    room.tell(1, Event::Speculate(4.0));
    room.tell(1, Event::Resume);
    room.hear(5.2);
    room.tell(1, Event::End(5.0));
    let news = room.news();
    assert!(news.len() == 1 && !news[0].is_early, "{news:?}");
    assert_eq!(news[0].told.text, words(0..10));
    assert_eq!(model.stopped(), model.begun() - 1, "all but the last");
    let done = room.pool.done();
    assert_eq!((done.decodes, done.dropped), (1, 0));
}

#[test]
fn a_model_that_fails_costs_one_turn() {
    let count = Arc::new(AtomicUsize::new(0));
    let model = MockDecoder::new("failing", move |_| match count.fetch_add(1, Ordering::Relaxed) {
        0 => Err(Fault::new("no")),
        1 => panic!("as planned"),
        _ => Ok(hypothesis("well", 0.5, 0.9)),
    });
    let mut room = room(&model, Manner { step_s: None, ..Manner::default() });
    for turn in 0..3 {
        room.tell(turn, Event::Start(2.0 * turn as f64));
        room.hear(2.0 * turn as f64 + 1.5);
        room.tell(turn, Event::End(2.0 * turn as f64 + 1.0));
        let came = room.settle();
        assert_eq!(matches!(came[0], Came::Failed(_)), turn < 2, "{came:?}");
    }
    assert_eq!(room.finals(), [(2, "well".to_owned())]);
}

#[test]
fn missing_audio_is_silence_and_a_long_gap_ends_a_turn() {
    let model = MockDecoder::counting(0.5);
    let mut room = room(&model, Manner { step_s: None, ..Manner::default() });
    room.tell(1, Event::Start(0.0));
    room.hear(1.0);
    // One second is missing: the words behind it keep their moments.
    room.heard += 16_000;
    room.hear(3.0);
    // Ten are.
    room.heard += 160_000;
    room.hear(14.0);
    room.tell(1, Event::End(14.0));
    let finals = room.finals();
    assert_eq!(finals, [(1, words(0..6)), (1, words(26..28))]);
}

#[test]
fn numbers_that_are_none_are_silence() {
    let model = MockDecoder::new("ears", |task| {
        let finite = task.audio.iter().all(|sample| sample.is_finite());
        Ok(hypothesis(if finite { "clean" } else { "poisoned" }, 0.5, 0.9))
    });
    let mut room = room(&model, Manner { step_s: None, ..Manner::default() });
    room.tell(1, Event::Start(0.0));
    let heard = [f32::NAN, f32::INFINITY, 0.5].repeat(8_000);
    for question in room.listener.hear(0.0, &heard) {
        room.ask(question);
    }
    room.tell(1, Event::End(1.5));
    assert_eq!(room.finals(), [(1, "clean".to_owned())]);
}

#[test]
fn a_turn_without_end_is_told_in_parts() {
    let model = MockDecoder::counting(0.5);
    let mut room = room(&model, Manner { step_s: None, turn_max_s: 10.0, ..Manner::default() });
    room.tell(1, Event::Start(0.0));
    room.hear(25.0);
    if let Some(question) = room.listener.end() {
        room.ask(question);
    }
    assert_eq!(room.finals(), [(1, words(0..20)), (1, words(20..40)), (1, words(40..50))]);
}

#[test]
fn windows_tell_every_word_once_however_long_frames_are() {
    for step_s in [None, Some(2.0)] {
        let hear = |len| {
            let model = MockDecoder::counting(0.5);
            let manner = Manner { has_turns: false, step_s, ..Manner::default() };
            let mut room = room(&model, manner);
            room.hear_in(120.0, len);
            if let Some(question) = room.listener.end() {
                room.ask(question);
            }
            room.news()
        };
        let news = hear(320);
        let finals = news.iter().filter(|news| news.is_final);
        let all: Vec<&str> = finals.map(|news| news.told.text.as_str()).collect();
        assert_eq!(all.join(" "), words(0..240), "{step_s:?}");
        let told = news.iter().flat_map(|it| &it.told.words).map(|it| it.text.trim().to_owned());
        assert_eq!(told.collect::<Vec<_>>().join(" "), words(0..240), "{step_s:?}");
        assert_eq!(hear(480), news);
    }
}

#[test]
fn an_hour_of_silence_tells_nothing_and_keeps_nothing() {
    let model = MockDecoder::new("nobody", |_| Ok(hypothesis("", 0.5, 0.9)));
    let mut room = room(&model, Manner { has_turns: false, step_s: None, ..Manner::default() });
    room.hear_in(3_600.0, 16_000);
    assert!(room.finals().is_empty());
    assert!(room.listener.audio.len() < 60 * 16_000, "{}", room.listener.audio.len());
    // Nor does one who waits for turns.
    let mut room = self::room(&model, Manner::default());
    room.hear_in(3_600.0, 16_000);
    assert!(room.listener.audio.len() < 16_000 * 10, "{}", room.listener.audio.len());
}

#[test]
fn what_was_heard_before_is_not_heard_again() {
    let cache = Cache::new(&CacheOptions {
        entries: 10,
        bytes: 1 << 20,
        lasts: Duration::from_secs(600),
        redis: None,
    })
    .unwrap();
    let model = MockDecoder::new("ears", |_| Ok(hypothesis("lights on", 0.5, 0.9)));
    for speculates in [false, true] {
        let manner = Manner { step_s: None, speculates, ..Manner::default() };
        let mut room = room_with(&model, manner, Pool::new(1), Some(cache.clone()));
        for turn in 0..3 {
            let from_s = 10.0 * turn as f64;
            // The same every time, to the bit.
            for question in room.listener.hear(from_s, &[0.25; 32_000]) {
                room.ask(question);
            }
            room.tell(turn, Event::Start(from_s));
            room.tell(turn, Event::Speculate(from_s + 1.5));
            room.tell(turn, Event::End(from_s + 1.5));
            assert_eq!(room.finals(), [(turn, "lights on".to_owned())]);
        }
    }
    assert_eq!(model.begun(), 1);
    assert_eq!(cache.counts().hits, 5);
}

#[test]
fn under_load_every_final_comes_and_partials_give_way() {
    let model = MockDecoder::counting(0.5).taking(Duration::from_millis(3));
    let pool = Pool::new(1);
    let mut rooms: Vec<Room> =
        (0..20).map(|_| room_with(&model, Manner::default(), pool.clone(), None)).collect();
    for (turn, room) in rooms.iter_mut().enumerate() {
        room.tell(turn as i64, Event::Start(0.0));
    }
    for _ in 0..40 {
        for room in &mut rooms {
            let heard: Vec<f32> = (room.heard..room.heard + 1_600).map(sample).collect();
            let at_s = seconds(room.heard as i64);
            room.heard += 1_600;
            for question in room.listener.hear(at_s, &heard) {
                room.ask(question);
            }
        }
    }
    for (turn, room) in rooms.iter_mut().enumerate() {
        room.tell(turn as i64, Event::End(3.5));
    }
    for (turn, room) in rooms.iter_mut().enumerate() {
        assert_eq!(room.finals(), [(turn as i64, words(0..7))]);
    }
    let done = pool.done();
    let asked = done.decodes + done.dropped + done.stopped;
    assert!(done.dropped + done.stopped > 0 || asked < 80, "{done:?}");
}

/// What a model was asked, in order.
#[derive(Clone, Default)]
struct Asked(Arc<Mutex<Vec<Task>>>);

impl Asked {
    /// Counts as [`MockDecoder::counting`] does, and notes what it is asked.
    fn counting(&self) -> MockDecoder {
        self.saying(|task| counted(task, |n| format!("w{n}")))
    }

    fn saying(&self, says: impl Fn(&Task) -> Hypothesis + Send + Sync + 'static) -> MockDecoder {
        let all = self.clone();
        MockDecoder::new("mock", move |task| {
            all.0.lock().unwrap().push(task.clone());
            Ok(says(task))
        })
    }

    fn prompts(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|task| task.prompt.to_string()).collect()
    }
}

/// Two words a second, each made of its number.
fn counted(task: &Task, word: impl Fn(usize) -> String) -> Hypothesis {
    let first = task.audio.first().copied().unwrap_or(0.0) as usize;
    let count = (task.seconds() / 0.5 + 1e-6).floor() as usize;
    let all: Vec<String> = (first..first + count).map(word).collect();
    hypothesis(&all.join(" "), 0.5, 0.9)
}

#[test]
fn a_language_is_found_out_until_it_is_sure_and_anew_by_a_final() {
    let asked = Asked::default();
    let model = asked.saying(|task| {
        // Of little it says anything, and is sure of it; of more it finds another.
        let (found, p) = match task.seconds() {
            ..1.5 => ("cy", 0.95),
            ..3.5 => ("nn", 0.5),
            _ => ("en", 0.9),
        };
        let language_p = task.way.language.is_none().then_some(p);
        let language = task.way.language.as_deref().unwrap_or(found).to_owned();
        Hypothesis { language, language_p, ..counted(task, |n| format!("w{n}")) }
    });
    let mut room = room(&model, Manner::default());
    room.tell(1, Event::Start(0.0));
    room.hear(6.2);
    room.tell(1, Event::End(6.0));
    let news = room.news();
    let told: Vec<&str> = news.iter().map(|it| it.told.language.as_deref().unwrap()).collect();
    assert_eq!(told, ["cy", "nn", "nn", "en", "en", "en", "en"]);
    let asked = asked.0.lock().unwrap();
    let asked: Vec<Option<&str>> = asked.iter().map(|it| it.way.language.as_deref()).collect();
    assert_eq!(asked, [None, None, None, None, Some("en"), Some("en"), None]);
}

#[test]
fn what_nobody_waits_for_any_more_is_stopped() {
    let model = MockDecoder::counting(0.5).taking(LIMIT);
    for class in ["partial", "final", "early"] {
        let mut room = room(&model, Manner::default());
        room.tell(1, Event::Start(0.0));
        let heard: Vec<f32> = (0..24_000).map(sample).collect();
        let questions = room.listener.hear(0.0, &heard);
        if class == "partial" {
            questions.into_iter().for_each(|question| room.ask(question));
        }
        if class == "early" {
            room.tell(1, Event::Speculate(1.2));
        }
        if class != "partial" {
            room.tell(1, Event::End(1.2));
        }
        while model.begun() == model.stopped() {
            std::thread::yield_now();
        }
        // The session is gone.
        room.awaited.iter().for_each(Awaited::forget);
        let began = std::time::Instant::now();
        while model.begun() > model.stopped() {
            assert!(began.elapsed() < LIMIT / 3, "{class}: it runs to its end");
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_partial_that_comes_back_when_it_was_given_up_changes_nothing() {
    let turn = Turn::new(1, 0.0, 0.0, false);
    let said = |text: &str| Outcome::Said(hypothesis(text, 0.5, 0.9));
    let number = {
        let mut shared = turn.lock();
        shared.partials += 1;
        shared.partials
    };
    // It was on its way when the turn ended.
    turn.lock().give_up_partial();
    turn.lock().transcript.last(&hypothesis("all of it", 0.5, 0.9), 0.0);
    let told = turn.hear_partial(number, said("all off"), (0.0, 1.0, 1.0)).unwrap();
    assert_eq!(told, []);
    assert_eq!(turn.lock().transcript.so_far().text, "all of it");
    // One that was not is told.
    let number = {
        let mut shared = turn.lock();
        shared.partials += 1;
        shared.partials
    };
    let told = turn.hear_partial(number, said("more"), (2.0, 1.0, 3.0)).unwrap();
    assert_eq!(told.len(), 1);
}

#[test]
fn where_understanding_fails_at_the_end_what_was_heard_is_told() {
    for has_turns in [true, false] {
        let model = MockDecoder::new("failing", |task| match task.seconds() {
            ..4.0 => Ok(counted(task, |n| format!("w{n}"))),
            _ => Err(Fault::new("no")),
        });
        let manner = Manner { has_turns, step_s: Some(1.0), ..Manner::default() };
        let mut room = room(&model, manner);
        room.tell(1, Event::Start(0.0));
        room.hear(3.9);
        room.hear(4.2);
        let question = match has_turns {
            true => room.listener.tell(1, Event::End(4.2)),
            false => room.listener.end(),
        };
        room.ask(question.unwrap());
        let news = room.news();
        let last = news.iter().find(|it| it.is_final).expect("a final");
        assert!(last.is_incomplete && last.told.text == words(0..6), "{news:?}");
        let told = news.iter().flat_map(|it| &it.told.words).map(|it| it.text.trim().to_owned());
        assert_eq!(told.collect::<Vec<_>>().join(" "), words(0..6));
        let done = room.pool.done();
        assert!(done.failed > 0 && room.pool.failed_last().unwrap() == "no");
    }
}

#[test]
fn a_long_text_is_told_in_parts_none_of_which_is_too_long() {
    let word = |n: usize| format!("{n:0>90}");
    for step_s in [None, Some(1.0)] {
        let model = MockDecoder::new("long", move |task| Ok(counted(task, word)));
        let manner = Manner { step_s, turn_max_s: 600.0, ..Manner::default() };
        let mut room = room(&model, manner);
        room.tell(3, Event::Start(0.0));
        room.hear_in(150.2, 3_200);
        room.tell(3, Event::End(150.0));
        let news = room.news();
        let finals: Vec<&News> = news.iter().filter(|it| it.is_final).collect();
        assert!(finals.len() > 3 && finals.iter().all(|it| it.turn == 3));
        let all: Vec<String> = (0..300).map(word).collect();
        let texts: Vec<&str> = finals.iter().map(|it| &*it.told.text).collect();
        assert_eq!(texts.join(" "), all.join(" "), "{step_s:?}");
        // A partial has what is not committed besides.
        assert!(news.iter().all(|it| it.told.text.len() <= 8_192), "{step_s:?}");
        assert!(texts.iter().all(|text| text.len() <= PART_BYTES), "{step_s:?}");
        assert!(finals.windows(2).all(|pair| pair[0].end_s <= pair[1].start_s + 1e-9));
        let told = news.iter().flat_map(|it| &it.told.words).map(|it| it.text.trim().to_owned());
        assert_eq!(told.collect::<Vec<_>>(), all);
    }
}

#[test]
fn parts_of_a_turn_know_what_was_said_before_and_in_which_language() {
    let asked = Asked::default();
    let model = asked.saying(|task| {
        let language_p = task.way.language.is_none().then_some(0.9);
        Hypothesis { language_p, ..counted(task, |n| format!("w{n}")) }
    });
    let manner = Manner { step_s: Some(4.0), turn_max_s: 10.0, ..Manner::default() };
    let mut room = room(&model, manner);
    room.tell(1, Event::Start(0.0));
    room.hear(15.0);
    // A gap ends the part: what follows has nothing to do with it, but the language.
    room.heard += 160_000;
    room.hear(30.0);
    room.settle();
    let asked = asked.0.lock().unwrap().clone();
    let behind = |at: f64| {
        let first = asked.iter().find(|task| f64::from(task.audio[0]) == 2.0 * at).expect("asked");
        (first.prompt.ends_with(&words(18..20)), first.way.language.as_deref() == Some("en"))
    };
    assert_eq!(behind(10.0), (true, true));
    assert_eq!(behind(25.0), (false, true));
}

#[test]
fn windows_carry_no_prompt_across_a_silence() {
    let asked = Asked::default();
    let model = asked.counting();
    let manner = Manner { has_turns: false, step_s: None, ..Manner::default() };
    let mut room = room(&model, manner);
    room.hear(40.0);
    let spoken = asked.prompts();
    assert!(spoken[1..].iter().all(|prompt| !prompt.is_empty()), "{spoken:?}");
    // Half a minute without a sound, in which nothing is said.
    let model = asked.saying(|task| match task.audio.iter().all(|x| *x == 0.0) {
        true => hypothesis("", 0.5, 0.9),
        false => counted(task, |n| format!("w{n}")),
    });
    asked.0.lock().unwrap().clear();
    let manner = Manner { has_turns: false, step_s: None, ..Manner::default() };
    let mut room = self::room(&model, manner);
    room.hear(20.0);
    let silence = vec![0.0; 16_000 * 32];
    for question in room.listener.hear(20.0, &silence) {
        room.ask(question);
        room.settle();
    }
    room.heard += silence.len();
    room.hear(90.0);
    let asked = asked.0.lock().unwrap();
    let first = asked.iter().find(|task| begins_silent(&task.audio)).expect("a silent one");
    assert_eq!(&*first.prompt, "");
    assert!(asked.last().unwrap().prompt.contains('w'), "speech goes on");
}

#[test]
fn who_had_more_to_say_than_he_may_or_was_stopped_is_told_to_be_incomplete() {
    for (has_turns, capped) in [(true, true), (true, false), (false, true), (false, false)] {
        let model = MockDecoder::new("mock", move |task| {
            Ok(Hypothesis { capped, looped: !capped, ..counted(task, |n| format!("w{n}")) })
        });
        let manner = Manner { has_turns, step_s: None, ..Manner::default() };
        let mut room = room(&model, manner);
        room.tell(1, Event::Start(0.0));
        room.hear(32.0);
        let last = room.listener.end();
        room.ask(last.unwrap());
        let news = room.news();
        assert!(!news.is_empty() && news.iter().all(|it| it.is_final && it.is_incomplete));
    }
}

/// What was told as text, and word by word.
fn told(news: &[News]) -> (String, String) {
    let texts: Vec<&str> =
        news.iter().filter(|it| it.is_final).map(|it| it.told.text.as_str()).collect();
    let words: Vec<&str> =
        news.iter().flat_map(|it| &it.told.words).map(|it| it.text.trim()).collect();
    (texts.join(" "), words.join(" "))
}

#[test]
fn while_a_window_is_understood_audio_is_taken_in_and_no_word_is_lost() {
    for step_s in [None, Some(1.0)] {
        let open = Arc::new(AtomicBool::new(false));
        let gate = open.clone();
        let model = MockDecoder::new("slow", move |task| {
            while !gate.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
            Ok(counted(task, |n| format!("w{n}")))
        });
        let manner = Manner { has_turns: false, step_s, ..Manner::default() };
        let mut room = room(&model, manner);
        // As a microphone: whatever was asked, it goes on; once it is away for ten seconds.
        for (until, away) in [(130, 10), (280, 0)] {
            while room.heard < until * 16_000 {
                let frame: Vec<f32> = (room.heard..room.heard + 320).map(sample).collect();
                let at_s = seconds(room.heard as i64);
                room.heard += 320;
                for question in room.listener.hear(at_s, &frame) {
                    room.ask(question);
                }
            }
            room.heard += away * 16_000;
        }
        let most = room.listener.in_flight();
        assert!(room.awaited.len() < most, "{} of {most}", room.awaited.len());
        assert!(room.listener.audio.len() <= 14 * 16_000);
        assert!(model.begun() <= 1);
        let last = room.listener.end();
        room.ask(last.unwrap());
        open.store(true, Ordering::Relaxed);
        let (texts, words) = told(&room.news());
        let all = format!("{} {}", self::words(0..260), self::words(280..560));
        assert_eq!((&texts, &words), (&all, &all), "{step_s:?}");
        // Partials are what is left out: there are not more windows than without them, nearly.
        assert!(model.begun() < 40, "{}", model.begun());
        let remark = room.listener.remark().unwrap();
        assert!(remark.contains("10.0 s of audio were missing"), "{remark}");
        assert!(remark.contains("s waited for the model, of 300 s that may"), "{remark}");
    }
}

#[test]
fn what_may_wait_for_windows_has_a_bound() {
    for step_s in [None, Some(0.2), Some(1.0), Some(60.0)] {
        let model = MockDecoder::counting(0.5);
        let manner = Manner { has_turns: false, step_s, ..Manner::default() };
        let listener = room(&model, manner).listener;
        let waits_s = listener.in_flight() as f64 * step_s.unwrap_or(14.0).min(14.0);
        assert!((300.0..=314.0).contains(&waits_s), "{waits_s}");
    }
}

#[test]
fn words_that_lie_across_the_end_of_a_segment_are_told_once() {
    for (step_s, agrees) in [(None, true), (Some(2.0), true), (Some(2.0), false)] {
        let count = AtomicUsize::new(0);
        let model = MockDecoder::new("mock", move |task| {
            let number = count.fetch_add(1, Ordering::Relaxed);
            // What is cut within a word is heard as that word.
            let mut words: Vec<Word> = Vec::new();
            for (at, run) in task.audio.chunk_by(|one, next| one == next).scan(0, |at, run| {
                *at += run.len();
                Some((*at, run))
            }) {
                let (start_s, end_s) = ((at - run.len()) as f64 / 16e3, at as f64 / 16e3);
                let text = match agrees {
                    true => format!(" w{}", run[0]),
                    false => format!(" w{}v{number}", run[0]),
                };
                words.push(Word { start_s, end_s, text, probability: 0.9 });
            }
            // A sentence ends every 1.3 s, words every half.
            let ends = (1..).map(|n| 1.3 * f64::from(n)).take_while(|end| *end < task.seconds());
            let segment_ends_s = ends.chain([task.seconds()]).collect();
            let said = Hypothesis { words, segment_ends_s, ..hypothesis("", 0.5, 0.9) };
            Ok(said)
        });
        let manner = Manner { has_turns: false, step_s, ..Manner::default() };
        let mut room = room(&model, manner);
        room.hear(130.0);
        let last = room.listener.end();
        room.ask(last.unwrap());
        let (texts, words) = told(&room.news());
        assert_eq!(texts, words, "{step_s:?}");
        if agrees {
            assert_eq!(texts, self::words(0..260), "{step_s:?}");
        }
    }
}

#[test]
fn windows_with_partials_keep_up_with_frames_that_are_longer() {
    let model = MockDecoder::counting(0.5);
    let manner = Manner { has_turns: false, step_s: Some(0.2), ..Manner::default() };
    let mut room = room(&model, manner);
    room.hear_in(120.0, 16_000);
    let news = room.news();
    let last = news.iter().map(|it| it.end_s).fold(0.0, f64::max);
    assert!(last > 119.0, "it has heard {last} s of 120");
    assert!(room.listener.audio.len() < 16_000);
}

#[test]
fn a_part_that_is_cut_by_length_is_heard_to_its_end() {
    let model = MockDecoder::counting(0.5);
    let mut room = room(&model, Manner { step_s: None, turn_max_s: 10.0, ..Manner::default() });
    room.tell(1, Event::Start(0.0));
    room.hear(9.4);
    // A pause, in which the part becomes too long.
    room.tell(1, Event::Speculate(9.0));
    while room.pool.done().decodes == 0 {
        std::thread::yield_now();
    }
    room.hear(12.2);
    room.tell(1, Event::End(12.0));
    assert_eq!(room.finals(), [(1, words(0..20)), (1, words(20..24))]);
}

#[test]
fn windows_count_on_when_what_was_heard_is_void() {
    let model = MockDecoder::counting(0.5);
    let manner = Manner { has_turns: false, step_s: None, ..Manner::default() };
    let mut room = room(&model, manner);
    room.hear(60.0);
    room.settle();
    room.listener.void();
    room.hear(120.0);
    let last = room.listener.end();
    room.ask(last.unwrap());
    let finals = room.finals();
    assert!(finals.len() > 4 && finals.windows(2).all(|pair| pair[1].0 == pair[0].0 + 1));
    assert!(finals.last().unwrap().1.ends_with("w239"), "{finals:?}");
}

#[test]
fn where_no_thread_can_be_started_everything_asked_has_failed_and_nothing_hangs() {
    for has_turns in [true, false] {
        let (tell, told) = std::sync::mpsc::channel();
        // On a thread of its own, which may hang.
        std::thread::spawn(move || {
            let model = MockDecoder::counting(0.5);
            let manner = Manner { has_turns, ..Manner::default() };
            let mut room = room_with(&model, manner, Pool::without_threads(), None);
            room.tell(1, Event::Start(0.0));
            for question in room.listener.hear(0.0, &[0.5; 24_000]) {
                room.ask(question);
            }
            room.tell(1, Event::Speculate(1.4));
            let last = match has_turns {
                true => room.listener.tell(1, Event::End(1.4)),
                false => room.listener.end(),
            };
            room.ask(last.unwrap());
            let failed = room.settle().iter().filter(|it| matches!(it, Came::Failed(_))).count();
            tell.send(failed).unwrap();
        });
        let failed = told.recv_timeout(LIMIT).expect("it hangs");
        assert!(failed >= 2, "{failed}");
    }
}

/// Takes as long as the door is closed, unless it is stopped.
#[derive(Clone)]
struct Doored {
    model: MockDecoder,
    open: Arc<AtomicBool>,
    came: Arc<AtomicUsize>,
}

impl Doored {
    fn new(model: MockDecoder, open: bool) -> Self {
        Self { model, open: Arc::new(open.into()), came: Arc::default() }
    }

    /// Waits until as many stood before it.
    fn wait(&self, count: usize) {
        while self.came.load(Ordering::Relaxed) < count {
            std::thread::yield_now();
        }
    }
}

impl super::super::Decoder for Doored {
    fn name(&self) -> &str {
        self.model.name()
    }

    fn content(&self) -> u64 {
        1
    }

    fn open(&self) -> Result<Box<dyn super::super::Decoding>, Fault> {
        Ok(Box::new(self.clone()))
    }
}

impl super::super::Decoding for Doored {
    fn decode(
        &mut self,
        task: &Task,
        stops: &dyn Fn() -> bool,
    ) -> Result<Option<Hypothesis>, Fault> {
        self.came.fetch_add(1, Ordering::Relaxed);
        while !self.open.load(Ordering::Relaxed) && !stops() {
            std::thread::yield_now();
        }
        self.model.decode(task, stops)
    }
}

#[test]
fn a_window_that_is_heard_again_gives_way_to_a_final_and_none_of_it_is_lost() {
    let (pool, slow) = (Pool::new(1), Doored::new(MockDecoder::counting(0.5), false));
    let cascade = Cascade::single(Arc::new(slow.clone()));
    let manner = Manner { has_turns: false, step_s: Some(1.0), ..Manner::default() };
    let mut windows = room_of(Arc::new(cascade), manner, pool.clone(), None);
    let heard: Vec<f32> = (0..24_000).map(sample).collect();
    windows.heard = heard.len();
    for question in windows.listener.hear(0.0, &heard) {
        windows.ask(question);
    }
    slow.wait(1);
    let mut turns = room_with(&MockDecoder::counting(0.5), Manner::default(), pool.clone(), None);
    turns.tell(1, Event::Start(0.0));
    let _ = turns.listener.hear(0.0, &heard);
    turns.tell(1, Event::End(1.0));
    assert_eq!(turns.finals(), [(1, words(0..2))]);
    assert_eq!((pool.done().stopped, slow.model.stopped()), (1, 1));
    slow.open.store(true, Ordering::Relaxed);
    windows.hear(20.0);
    let last = windows.listener.end();
    windows.ask(last.unwrap());
    let (texts, told) = told(&windows.news());
    assert_eq!((texts, told), (words(0..40), words(0..40)));
}

#[test]
fn windows_of_which_more_is_heard_than_is_heard_again_are_asked_as_finals() {
    let pool = Pool::new(1);
    // What two in a row say is never the same.
    let count = AtomicUsize::new(0);
    let model = MockDecoder::new("mock", move |task| {
        let number = count.fetch_add(1, Ordering::Relaxed);
        Ok(counted(task, |n| format!("w{n}v{number}")))
    });
    let slow = Doored::new(model, true);
    let cascade = Cascade::single(Arc::new(slow.clone()));
    let manner = Manner { has_turns: false, step_s: Some(1.0), ..Manner::default() };
    let mut windows = room_of(Arc::new(cascade), manner, pool.clone(), None);
    windows.hear(15.9);
    windows.settle();
    slow.open.store(false, Ordering::Relaxed);
    let came = slow.came.load(Ordering::Relaxed);
    let begun = pool.done().decodes;
    let heard: Vec<f32> = (windows.heard..windows.heard + 1_600).map(sample).collect();
    for question in windows.listener.hear(15.9, &heard) {
        windows.ask(question);
    }
    slow.wait(came + 1);
    let mut turns = room_with(&MockDecoder::counting(0.5), Manner::default(), pool.clone(), None);
    turns.tell(1, Event::Start(0.0));
    let _ = turns.listener.hear(0.0, &[0.0; 24_000]);
    turns.tell(1, Event::End(1.0));
    slow.open.store(true, Ordering::Relaxed);
    windows.settle();
    assert_eq!(turns.finals().len(), 1);
    assert_eq!((pool.done().stopped, pool.done().decodes), (0, begun + 2));
}

#[test]
fn a_last_window_that_gives_way_tells_what_was_heard_of_it_before() {
    for is_known in [true, false] {
        let row = Turn::new(0, 0.0, 0.0, false);
        let hear = |outcome, is_last| row.hear_window(outcome, (0.0, 3.0, is_last, true)).unwrap();
        if is_known {
            let _ = hear(Outcome::Said(hypothesis("as far as that", 0.5, 0.9)), false);
        }
        assert_eq!(hear(Outcome::Dropped, false), [], "the next one hears it");
        let news = hear(Outcome::Dropped, true);
        assert_eq!(news.len(), 1);
        assert!(news[0].is_final && news[0].is_incomplete);
        assert_eq!(news[0].told.text, if is_known { "as far as that" } else { "" });
        assert_eq!(news[0].told.words.len(), if is_known { 4 } else { 0 });
    }
}

/// What windows with partials, if they have any, say about so long a piece that it is cut off, of which nothing is agreed.
fn cut_off(said: Hypothesis, has_partials: bool, is_last: bool) -> (Arc<Turn>, Vec<News>) {
    let row = Turn::new(0, 0.0, 0.0, false);
    let how = (0.0, 28.5, is_last, has_partials);
    let news = row.hear_window(Outcome::Said(said), how).unwrap();
    (row, news.into_iter().filter(|news| news.is_final).collect())
}

#[test]
fn a_window_that_is_cut_off_where_the_model_was_stopped_is_told_to_be_incomplete() {
    for text in ["as far as that", ""] {
        for (has_partials, is_last) in [(true, false), (true, true), (false, false), (false, true)]
        {
            for (looped, capped) in [(true, false), (false, true), (false, false)] {
                let said = Hypothesis { looped, capped, ..hypothesis(text, 0.5, 0.9) };
                let said = Hypothesis { segment_ends_s: vec![28.5], ..said };
                let (row, news) = cut_off(said, has_partials, is_last);
                let case = format!("{text:?} {has_partials} {is_last} {looped} {capped}: {news:?}");
                let is_stopped = looped || capped;
                assert_eq!(news.len(), usize::from(is_stopped || !text.is_empty()), "{case}");
                let numbers = row.number.load(Ordering::Relaxed);
                assert_eq!(numbers, news.len() as i64, "each has a number of its own: {case}");
                let Some(news) = news.first() else { continue };
                assert_eq!((news.is_incomplete, &*news.told.text), (is_stopped, text), "{case}");
                let want_s = if text.is_empty() { 28.5 } else { 2.0 };
                assert_eq!((news.start_s, news.end_s), (0.0, want_s), "{case}");
            }
        }
    }
}

#[test]
fn a_word_that_goes_on_behind_what_is_cut_off_is_neither_lost_nor_told_twice() {
    let word = |text: &str, start_s: f64, end_s: f64| Word {
        start_s,
        end_s,
        text: format!(" {text}"),
        probability: 0.9,
    };
    let said = |words: &[Word]| Hypothesis {
        words: words.to_vec(),
        segment_ends_s: vec![28.5],
        ..hypothesis("", 0.5, 0.9)
    };
    // It is too long to be heard again as a whole, and ends behind what was heard.
    let first = said(&[word("so", 1.0, 1.4), word("looong", 26.0, 28.9)]);
    for (next, want) in [
        (said(&[word("looong", 0.0, 0.4), word("ago", 0.6, 1.0)]), "so looong ago"),
        (said(&[word("ago", 0.6, 1.0)]), "so looong ago"),
        (said(&[word("Ong,", 0.1, 0.4), word("ago", 0.6, 1.0)]), "so looong ago"),
        (said(&[]), "so looong"),
    ] {
        let (row, mut news) = cut_off(first.clone(), true, false);
        let from_s = row.lock().transcript.from_s();
        assert_eq!(from_s, 28.5);
        let last = row.hear_window(Outcome::Said(next), (from_s, 1.5, true, true)).unwrap();
        news.extend(last);
        assert_eq!(told(&news), (want.to_owned(), want.to_owned()), "{news:?}");
    }
}

#[test]
fn a_word_that_lies_across_the_end_of_a_window_is_told_once_and_whole() {
    // Words of 0.6 s, of which no window, and no sentence, is a multiple.
    const WORD: usize = 9_600;
    for step_s in [None, Some(2.0)] {
        for (sentence_s, agrees) in
            [(1.3, true), (1.3, false), (7.1, true), (f64::INFINITY, true), (f64::INFINITY, false)]
        {
            let count = AtomicUsize::new(0);
            let model = MockDecoder::new("mock", move |task| {
                let number = count.fetch_add(1, Ordering::Relaxed);
                let (mut words, mut at): (Vec<Word>, _) = (Vec::new(), 0);
                for run in task.audio.chunk_by(|one, next| one == next) {
                    let (start_s, end_s) = (at as f64 / 16e3, (at + run.len()) as f64 / 16e3);
                    at += run.len();
                    // What is cut within a word is heard as another one.
                    let whole = if run.len() == WORD { "w" } else { "part" };
                    let other = if agrees { String::new() } else { format!("v{number}") };
                    let text = format!(" {whole}{}{other}", run[0]);
                    words.push(Word { start_s, end_s, text, probability: 0.9 });
                }
                let ends = (1..).map(|n| sentence_s * f64::from(n));
                let ends = ends.take_while(|end| *end < task.seconds());
                let segment_ends_s = ends.chain([task.seconds()]).collect();
                Ok(Hypothesis { words, segment_ends_s, ..hypothesis("", 0.5, 0.9) })
            });
            let manner = Manner { has_turns: false, step_s, ..Manner::default() };
            let mut room = room(&model, manner);
            for at in (0..200 * WORD).step_by(320) {
                let frame: Vec<f32> = (at..at + 320).map(|at| (at / WORD) as f32).collect();
                for question in room.listener.hear(seconds(at as i64), &frame) {
                    room.ask(question);
                    room.settle();
                }
            }
            let last = room.listener.end();
            room.ask(last.unwrap());
            let (texts, words) = told(&room.news());
            let case = format!("{step_s:?}, {sentence_s}, {agrees}");
            assert_eq!(texts, words, "{case}");
            let heard: Vec<&str> =
                texts.split(' ').map(|word| word.split('v').next().unwrap()).collect();
            assert_eq!(heard.join(" "), self::words(0..200), "{case}");
        }
    }
}

/// Says a turn that lasts from `from_s` on for two seconds, and a pause behind it; says how many pieces were begun before
/// the frame came with which it ended, and tells that.
fn turn(room: &mut Room, from_s: f64, pause_s: f64, frame: usize, event: fn(f64) -> Event) -> u64 {
    let end_s = from_s + 2.0;
    room.tell(1, Event::Start(from_s));
    room.hear_in(end_s + 0.2, frame);
    room.tell(1, Event::Speculate(end_s));
    room.hear_in(end_s + pause_s - seconds(frame as i64), frame);
    room.settle();
    let begun = room.pool.done().decodes;
    room.hear_in(end_s + pause_s, frame);
    room.tell(1, event(end_s));
    room.settle();
    begun
}

/// Waits until as many pieces were understood.
fn decoded(room: &Room, count: u64) {
    let began = std::time::Instant::now();
    while room.pool.done().decodes < count {
        assert!(began.elapsed() < LIMIT, "it is not begun");
        std::thread::yield_now();
    }
}

#[test]
fn pauses_are_those_of_a_session_and_none_that_was_cut_short() {
    let cascade = Arc::new(Cascade::single(Arc::new(MockDecoder::counting(0.5))));
    let manner = Manner { step_s: None, ..Manner::default() };
    let [mut slow, mut quick] =
        [(), ()].map(|()| room_of(cascade.clone(), manner.clone(), Pool::new(1), None));
    turn(&mut slow, 0.0, 10.0, 320, Event::End);
    turn(&mut quick, 0.0, 0.2, 320, Event::End);
    // Another's pauses are short, and this one was cut.
    turn(&mut slow, 20.0, 0.2, 320, Event::Cut);
    let begun = slow.pool.done().decodes;
    slow.tell(1, Event::Start(30.0));
    slow.hear(32.2);
    slow.tell(1, Event::Speculate(32.0));
    slow.hear(40.0);
    slow.settle();
    assert_eq!(slow.pool.done().decodes, begun, "there is time");
    slow.hear(41.96);
    decoded(&slow, begun + 1);
    // The quick one's begin at once.
    let begun = quick.pool.done().decodes;
    quick.tell(1, Event::Start(30.0));
    quick.hear(32.2);
    quick.tell(1, Event::Speculate(32.0));
    decoded(&quick, begun + 1);
}

#[test]
fn with_long_frames_a_final_is_begun_a_frame_before_the_end() {
    let mut room = room(&MockDecoder::counting(0.5), Manner { step_s: None, ..Manner::default() });
    // Frames of 0.4 s.
    turn(&mut room, 0.0, 10.0, 6_400, Event::End);
    let begun = room.pool.done().decodes;
    room.tell(2, Event::Start(20.0));
    room.hear_in(22.4, 6_400);
    room.tell(2, Event::Speculate(22.0));
    room.hear_in(31.2, 6_400);
    room.settle();
    assert_eq!(room.pool.done().decodes, begun, "there is time");
    // It ends with the frame up to 32.0.
    room.hear_in(31.6, 6_400);
    decoded(&room, begun + 1);
    room.hear_in(32.0, 6_400);
    room.tell(2, Event::End(22.0));
    let news = room.news();
    assert!(news.last().unwrap().is_early, "{news:?}");
}
