//! What happens between threads, without a clock: gates hold models until a test has seen what it waits for.

use std::{
    sync::{Barrier, mpsc::channel},
    time::Duration,
};

use super::*;
use crate::{
    cache::CacheOptions,
    transcription::{
        decoder::Way,
        mock::{MockDecoder, hypothesis},
    },
};

const LIMIT: Duration = Duration::from_secs(30);

fn task(number: u16) -> Task {
    Task { audio: vec![f32::from(number); 1_600].into(), prompt: "".into(), way: Way::default() }
}

fn single(model: &MockDecoder) -> Arc<Cascade> {
    Arc::new(Cascade::single(Arc::new(model.clone())))
}

#[test]
fn who_panics_costs_one_piece_and_no_thread() {
    let model = MockDecoder::new("mock", |task| match task.audio[0] {
        0.0 => panic!("as planned"),
        _ => Ok(hypothesis("well", 0.5, 0.9)),
    });
    let (pool, cascade) = (Pool::new(1), single(&model));
    let (tell, told) = channel();
    let hears = |panics: bool| {
        let tell = tell.clone();
        move |outcome| {
            tell.send(matches!(outcome, Outcome::Said(_))).unwrap();
            assert!(!panics, "as planned");
        }
    };
    // The model; whoever hears of it; nobody.
    for (number, panics, said) in [(0, false, false), (1, true, true), (2, false, true)] {
        pool.submit(&cascade, None, task(number), Class::Final, hears(panics));
        assert_eq!(told.recv_timeout(LIMIT), Ok(said), "{number}");
    }
    let done = pool.done();
    assert_eq!((done.decodes, done.failed, done.panicked), (2, 1, 2));
    assert_eq!(pool.failed_last().as_deref(), Some("the model has panicked"));
}

#[test]
fn two_pieces_at_once_have_two_threads() {
    // Whether one thread is still on its way to the first when the second comes is up to chance: often enough it is.
    for _ in 0..30 {
        let both = Arc::new(Barrier::new(2));
        let meets = both.clone();
        let model = MockDecoder::new("mock", move |task| {
            if task.audio[0] > 0.0 {
                meets.wait();
            }
            Ok(hypothesis("well", 0.5, 0.9))
        });
        let (pool, cascade) = (Pool::new(2), single(&model));
        let (tell, told) = channel();
        let ask = |number| {
            let tell = tell.clone();
            pool.submit(&cascade, None, task(number), Class::Final, move |_| {
                tell.send(()).unwrap();
            });
        };
        ask(0);
        told.recv_timeout(LIMIT).unwrap();
        // Idle again.
        while pool.0.shared.lock().idle == 0 {
            std::thread::yield_now();
        }
        ask(1);
        ask(2);
        let came = (0..2).filter(|_| told.recv_timeout(LIMIT / 6).is_ok()).count();
        if came < 2 {
            both.wait();
        }
        assert_eq!(came, 2, "one waited for a thread that the other held");
    }
}

#[test]
fn who_joins_a_question_lends_it_his_urgency() {
    let options = CacheOptions { entries: 10, bytes: 1 << 20, lasts: LIMIT, redis: None };
    let cache = Cache::new(&options).unwrap();
    let order = Arc::new(Mutex::new(Vec::new()));
    let gate = Arc::new(Barrier::new(2));
    let (noted, waits) = (order.clone(), gate.clone());
    let model = MockDecoder::new("mock", move |task| {
        if task.audio[0] == 0.0 {
            waits.wait();
        }
        noted.lock().unwrap().push(task.audio[0]);
        Ok(hypothesis("well", 0.5, 0.9))
    });
    let (pool, cascade) = (Pool::new(1), single(&model));
    let (tell, told) = channel();
    let ask = |number, class| {
        let tell = tell.clone();
        pool.submit(&cascade, Some(&cache), task(number), class, move |_| tell.send(()).unwrap())
    };
    // The only thread is held.
    ask(0, Class::Final);
    while pool.0.shared.lock().running.is_empty() {
        std::thread::yield_now();
    }
    ask(1, Class::Speculation);
    ask(2, Class::Speculation);
    // Somebody waits for what another session has begun for nobody yet.
    ask(2, Class::Final);
    gate.wait();
    (0..4).for_each(|_| told.recv_timeout(LIMIT).unwrap());
    assert_eq!(*order.lock().unwrap(), [0.0, 2.0, 1.0]);
    // Once it is answered it lends no more.
    while pool.0.shared.lock().idle == 0 {
        std::thread::yield_now();
    }
    assert!(pool.0.shared.lanes.lock().unwrap().is_empty());
}

#[test]
fn what_waits_when_a_pool_ends_is_answered() {
    let cache =
        Cache::new(&CacheOptions { entries: 10, bytes: 1 << 20, lasts: LIMIT, redis: None });
    let cache = cache.unwrap();
    let model = MockDecoder::counting(0.5).taking(LIMIT);
    let (pool, cascade) = (Pool::new(1), single(&model));
    let (tell, told) = channel();
    for number in 0..3 {
        let tell = tell.clone();
        drop(pool.submit(&cascade, Some(&cache), task(number), Class::Final, move |outcome| {
            tell.send(!matches!(outcome, Outcome::Said(_))).unwrap();
        }));
    }
    drop(pool);
    for _ in 0..3 {
        assert_eq!(told.recv_timeout(LIMIT), Ok(true));
    }
}

#[test]
fn what_an_answer_has_waited_for_a_thread_is_not_what_a_cache_saves() {
    let options = CacheOptions { entries: 10, bytes: 1 << 20, lasts: LIMIT, redis: None };
    let cache = Cache::new(&options).unwrap();
    let takes = Duration::from_millis(100);
    let model = MockDecoder::new("mock", |_| Ok(hypothesis("well", 0.5, 0.9))).taking(takes);
    let (pool, cascade) = (Pool::new(1), single(&model));
    let (tell, told) = channel();
    let ask = |number| {
        let tell = tell.clone();
        drop(pool.submit(&cascade, Some(&cache), task(number), Class::Final, move |_| {
            tell.send(()).unwrap();
        }));
    };
    // The last of five has waited for four.
    (0..5).for_each(ask);
    (0..5).for_each(|_| told.recv_timeout(LIMIT).unwrap());
    ask(4);
    told.recv_timeout(LIMIT).unwrap();
    let counts = cache.counts();
    let saved = Duration::from_nanos(counts.saved_ns);
    assert_eq!(counts.hits, 1);
    assert!(saved >= takes && saved < 4 * takes, "{saved:?}");
}

#[test]
fn windows_are_kept_and_a_final_that_waits_with_one_that_gave_way_is_understood() {
    let options = CacheOptions { entries: 10, bytes: 1 << 20, lasts: LIMIT, redis: None };
    let cache = Cache::new(&options).unwrap();
    let gate = Arc::new(Barrier::new(2));
    let waits = gate.clone();
    let model = MockDecoder::new("mock", move |task| {
        if task.audio[0] == 0.0 {
            waits.wait();
        }
        Ok(hypothesis("well", 0.5, 0.9))
    });
    let (says, news) = channel();
    let pool = Pool::new(1).telling(move |text| says.send(text.to_owned()).unwrap());
    let cascade = single(&model);
    let (tell, told) = channel();
    let ask = |number, class| {
        let tell = tell.clone();
        drop(pool.submit(&cascade, Some(&cache), task(number), class, move |outcome| {
            tell.send((number, class, matches!(outcome, Outcome::Said(_)))).unwrap();
        }));
    };
    // What is heard twice is understood once; partials every time.
    for (class, hits) in [(Class::Window, 1), (Class::Partial, 1)] {
        for _ in 0..2 {
            ask(1, class);
            assert_eq!(told.recv_timeout(LIMIT), Ok((1, class, true)));
        }
        assert_eq!(cache.counts().hits, hits);
    }
    assert_eq!(model.begun(), 3);
    // The only thread is held; of five windows the first gives way, and nobody is told so yet.
    ask(0, Class::Final);
    while pool.0.shared.lock().running.is_empty() {
        std::thread::yield_now();
    }
    (2..6).for_each(|number| ask(number, Class::Window));
    assert!(news.try_recv().is_err(), "four have room");
    ask(6, Class::Window);
    assert_eq!(news.try_iter().collect::<Vec<_>>(), [NO_TIME], "told at once");
    ask(2, Class::Final);
    gate.wait();
    let mut all: Vec<_> = (0..7).map(|_| told.recv_timeout(LIMIT).unwrap()).collect();
    all.sort();
    // Whether the final, asked again, finds the next window still waiting and takes its place, is a matter of moments.
    all.retain(|(number, ..)| *number != 3);
    let windows = [2, 4, 5, 6].map(|number| (number, Class::Window, number > 3));
    let finals = [0, 2].map(|number| (number, Class::Final, true));
    let mut want: Vec<_> = finals.into_iter().chain(windows).collect();
    want.sort();
    assert_eq!(all, want);
}
