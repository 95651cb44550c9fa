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
    transcription::mock::{MockDecoder, hypothesis},
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
    let news = Arc::new(Mutex::new(Vec::new()));
    let all = news.clone();
    let says: Says = Arc::new(move |news| {
        all.lock().unwrap().extend_from_slice(news);
        Answer::nothing()
    });
    let cascade = Arc::new(Cascade::single(Arc::new(model.clone())));
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
