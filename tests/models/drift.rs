//! Early exits are watched: beside the answers, which never wait for it, and until the promise is broken.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Instant,
};

use engine::{Fault, Service};
use model::host::{
    Chain, Door, Exits, Head, Model, ModelService, Promised, Seen, Signal, Terms, Trial, Watch,
    Workers,
};

use crate::{
    LIMIT,
    figures::Page,
    host::{Gate, Made, answer, ask, door, told},
};

/// What the last segment does besides answering.
type Last = dyn Fn(usize) -> Result<(), Fault> + Send + Sync;

/// Two segments and numbers `a + b / 4`, whole, `b` below 4: the first answers by the sign of `a`, and is sure from 1 on; the
/// last otherwise where `b` is 1.
fn chain(last: impl Fn(usize) -> Result<(), Fault> + Send + Sync + 'static) -> Chain {
    let first = Made::new(("x", 1), &[("logits", 2), ("hidden", 1)], |_, x| {
        let logits = x.iter().flat_map(|x| [x.floor(), -x.floor()]).collect();
        Ok(vec![logits, x.to_vec()])
    });
    let last: Box<Last> = Box::new(last);
    let second = Made::new(("hidden", 1), &[("logits", 2)], move |rows, x| {
        last(rows)?;
        let sign = |x: &f32| if x.fract() == 0.25 { -x.floor() } else { x.floor() };
        Ok(vec![x.iter().flat_map(|x| [9.0 * sign(x), -9.0 * sign(x)]).collect()])
    });
    // softmax(1, −1) = 0.88.
    let heads = vec![Head { temperature: 1.0, threshold: 0.8 }];
    let exits = Exits { signal: Signal::Score, heads };
    Chain::new(vec![Arc::new(first), Arc::new(second)], exits).expect("they fit")
}

const PROMISED: Promised = Promised { loss: 0.02, differs: 0.02, confidence: 0.95 };

fn watch(share: f64, goes_whole: bool) -> Watch {
    Watch { share, promised: Some(PROMISED), goes_whole }
}

fn model(chain: Chain, batch_max: usize, workers: &Workers) -> (Arc<Model>, Door) {
    let model = Model::chained("m", chain, batch_max, workers);
    let door = door(&model, Terms::default());
    (model, door)
}

/// What was seen once nothing is open.
fn seen(model: &Model) -> Seen {
    let began = Instant::now();
    loop {
        let seen = model.seen().expect("it is watched");
        if seen.open == 0 {
            return seen;
        }
        assert!(began.elapsed() < LIMIT, "it stays open: {seen:?}");
        std::thread::yield_now();
    }
}

#[test]
fn what_is_watched_is_counted_apart_and_answers_are_the_same() {
    for (threads, batch_max) in [(1, 1), (2, 8)] {
        let (workers, news) = told(threads);
        let (model, door) =
            model(chain(|_| Ok(())).watched(watch(1.0, false)), batch_max, &workers);
        // Of every four one is not sure.
        let numbers: Vec<f32> = (0..400).map(|n| (n % 4) as f32).collect();
        for &x in &numbers {
            let want = if x > 0.0 { [x, -x, 0.0] } else { [0.0, -0.0, 1.0] };
            assert_eq!(answer(&ask(&door, &[x])), want);
        }
        let seen = seen(&model);
        assert_eq!((seen.watched + seen.skipped, seen.gone), (400, 0));
        // So many may wait at once; more are taken only as time is left, which a busy machine may not have.
        assert!(seen.watched >= 64, "{seen:?}");
        assert_eq!((seen.early[0].lost, seen.differs, seen.holds), (0, Some(0.0), Some(true)));
        let tally = model.tally();
        assert_eq!((tally.asked, tally.answered, tally.inside), (400, 400, 0));
        assert_eq!(tally.exits, [300, 100]);
        assert_eq!(news.lock().expect("whole")[..], [""; 0]);
    }
}

#[test]
fn a_shift_is_told_once_and_with_whole_no_question_leaves_until_a_new_version() {
    for goes_whole in [false, true] {
        let (workers, news) = told(2);
        let whole = chain(|_| Ok(())).with_content(5).watched(watch(0.5, goes_whole));
        let (model, door) = model(whole, 8, &workers);
        for n in 0..1_000 {
            answer(&ask(&door, &[(n % 3) as f32]));
        }
        assert_eq!(seen(&model).holds, Some(true));
        assert_eq!(news.lock().expect("whole").len(), 0, "nothing before the shift");

        let shifted = |n: usize| 1.0 + 0.25 * (n % 2) as f32;
        let at = (0..500).find(|&n| {
            answer(&ask(&door, &[shifted(n)]));
            seen(&model).holds == Some(false)
        });
        // Promised are 2 %, half of all differ, half of them are looked at.
        let at = at.expect("it is seen");
        assert!(at < 60, "after {at} questions");
        let is_told = || !news.lock().expect("whole").is_empty();
        let began = Instant::now();
        while !is_told() {
            assert!(began.elapsed() < LIMIT, "nobody is told");
            answer(&ask(&door, &[2.0]));
        }
        let left = model.tally().exits[0];
        let want = if goes_whole { [9.0, -9.0, 1.0] } else { [1.0, -1.0, 0.0] };
        for _ in 0..50 {
            assert_eq!(answer(&ask(&door, &[1.0])), want);
        }
        assert_eq!(model.tally().exits[0] - left, if goes_whole { 0 } else { 50 });
        // Answers that are kept of early exits are not for these questions.
        assert_eq!(model.content().hash() != 5, goes_whole);
        let told = news.lock().expect("whole").clone();
        let [said] = &told[..] else { panic!("once: {told:?}") };
        assert!(said.contains("at most 2 % of all answers may be others"), "{said}");
        assert!(said.contains("95 % confidence") && said.contains("afferent calibrate"), "{said}");
        assert_eq!(said.contains("no question leaves early"), goes_whole, "{said}");

        let trial = Trial { questions: 20, agreement: 0.9, share: 0.5 };
        let renewed = chain(|_| Ok(())).with_content(6).watched(watch(0.5, goes_whole));
        model.offer(renewed, trial).expect("it is alike");
        let began = Instant::now();
        while model.version() == 1 {
            assert!(began.elapsed() < LIMIT, "it never serves");
            answer(&ask(&door, &[1.0]));
        }
        assert_eq!(answer(&ask(&door, &[1.0])), [1.0, -1.0, 0.0], "it leaves early again");
        assert_eq!((seen(&model).holds, model.content().hash()), (Some(true), 6));
        let told = news.lock().expect("whole").join("\n");
        assert!(told.contains("leaving early is watched anew"), "{told}");
    }
}

#[test]
fn answers_do_not_wait_for_what_is_watched_and_under_load_it_is_left_out_first() {
    let (workers, _) = told(2);
    let gate = Arc::new(Gate::default());
    let own = gate.clone();
    let held = chain(move |_| {
        own.pass();
        Ok(())
    });
    let (model, door) = model(held.watched(watch(1.0, false)), 1, &workers);
    // All leave early, and the last segment answers nobody.
    for n in 0..500 {
        assert_eq!(answer(&ask(&door, &[1.0 + n as f32]))[2], 0.0);
    }
    gate.wait_for_one();
    assert_eq!(gate.count(), 1, "one worker remains for those who ask");
    let skipped = model.seen().expect("it is watched").skipped;
    assert!(skipped >= 400, "{skipped} were left out");
    gate.open();
    let seen = seen(&model);
    assert_eq!((seen.watched + seen.skipped, seen.gone), (500, 0));
    assert_eq!(model.tally().answered, 500);
}

#[test]
fn a_last_segment_that_fails_or_panics_fails_no_answer_that_left_early() {
    let fails: [fn() -> Result<(), Fault>; 2] =
        [|| Err(Fault::new("no")), || std::panic::resume_unwind(Box::new("on purpose"))];
    for fails in fails {
        let (workers, news) = told(2);
        let (model, door) = model(chain(move |_| fails()).watched(watch(1.0, true)), 4, &workers);
        for n in 0..100 {
            assert_eq!(answer(&ask(&door, &[1.0 + n as f32]))[2], 0.0);
        }
        let seen = seen(&model);
        assert_eq!((seen.watched, seen.gone + seen.skipped, seen.differs), (0, 100, None));
        let tally = model.tally();
        assert_eq!((tally.answered, tally.failed, tally.refused), (100, 0, 0));
        assert_eq!(news.lock().expect("whole").len(), 0);
    }
}

#[test]
fn a_last_segment_that_hangs_is_watched_no_more_and_the_model_answers() {
    let (workers, news) = told(2);
    let hangs = Arc::new(AtomicBool::new(true));
    let (own, runs) = (hangs.clone(), Arc::new(AtomicUsize::new(0)));
    let counted = runs.clone();
    let held = chain(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        while own.load(Ordering::SeqCst) {
            std::thread::park();
        }
        Ok(())
    });
    let (model, door) = model(held.watched(watch(1.0, false)), 4, &workers);
    let began = Instant::now();
    while news.lock().expect("whole").is_empty() {
        assert!(began.elapsed() < LIMIT, "nobody is told");
        assert_eq!(answer(&ask(&door, &[1.0])), [1.0, -1.0, 0.0]);
    }
    let said = Mutex::lock(&news).expect("whole").join("\n");
    assert!(said.contains("its early exits are watched no more"), "{said}");
    hangs.store(false, Ordering::SeqCst);
    for n in 0..100 {
        assert_eq!(answer(&ask(&door, &[(n % 2) as f32]))[2], (1 - n % 2) as f32);
    }
    let tally = model.tally();
    assert_eq!((tally.failed, tally.refused), (0, 0));
    // Only those who went there by themselves came to the last segment since.
    let runs = runs.load(Ordering::SeqCst);
    assert!(runs <= 1 + 50, "{runs}");
}

#[test]
fn what_is_not_watched_is_not_followed() {
    let (workers, _) = told(2);
    let runs = Arc::new(AtomicUsize::new(0));
    let own = runs.clone();
    let counted = chain(move |rows| {
        own.fetch_add(rows, Ordering::SeqCst);
        Ok(())
    });
    let (model, door) = model(counted.watched(watch(0.0, false)), 4, &workers);
    for n in 0..200 {
        answer(&ask(&door, &[(n % 2) as f32]));
    }
    assert_eq!((runs.load(Ordering::SeqCst), model.seen()), (100, None));
}

#[test]
fn what_was_seen_stands_in_the_metrics_and_in_the_line_for_people() {
    let (workers, _) = told(2);
    let (model, door) = model(chain(|_| Ok(())).watched(watch(1.0, false)), 4, &workers);
    // Each is seen before the next is asked; a quarter goes on by itself, from the second half on a third of the others differs.
    for n in 0..80 {
        let differs = n >= 40 && n % 4 == 1;
        answer(&ask(&door, &[(n % 4) as f32 + if differs { 0.25 } else { 0.0 }]));
        seen(&model);
    }
    let (page, seen) = (Page::of(&model), seen(&model));
    assert_eq!([page.get("watched_total"), page.get("watch_skipped_total")], [80.0, 0.0]);
    assert_eq!(page.get("watched_early_total segment=1"), 60.0);
    assert_eq!(page.get("differed_total segment=1"), 10.0);
    assert_eq!(page.get("differing_ratio bound=estimate"), 0.125);
    assert_eq!(page.get("differing_ratio bound=promised"), 0.02);
    let [least, most] = ["least", "most"].map(|b| page.get(&format!("differing_ratio bound={b}")));
    assert!([least, most] == seen.bounds && least < 0.125 && most > 0.125, "{least} {most}");
    assert_eq!(page.get("guarantee"), 0.0, "ten of forty, where one of fifty may");
    let line = Service::remark(&ModelService::new(model, Vec::new())).expect("it was asked");
    let said = "10 of 80 watched differ from the whole model, 12.50 %";
    assert!(line.contains(said) && line.ends_with("it was at most 2 %"), "{line}");
}
