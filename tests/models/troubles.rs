//! Models that fail, give NaN, panic, or never return: named, left alone, and nobody else's trouble.

use std::time::Duration;

use afferent_suite::kinds::tally;
use engine::Gap;
use model::{
    backend::mock::{Behaviour, Cost, Mock},
    host::{Manner, Workers},
};

use crate::{cold, edge, model, plan_with, run_plan};

fn graph(name: &str, params: &str) -> String {
    crate::graph(name, "", &format!("op = \"infer\"\nmodel = \"m\"\n{params}"))
}

#[test]
fn what_fails_is_counted_and_told_with_its_reason() {
    let troubles = [
        ("nan", Behaviour::GivesNan, "the model gave NaN in `y`"),
        ("fails", Behaviour::Fails, "the mock fails, as planned"),
        ("panics", Behaviour::Panics, "the model panicked"),
    ];
    for (name, behaviour, why) in troubles {
        let asked = model(Mock::new(10, Cost::default(), behaviour), 4, &cold(1));
        let (running, _) = run_plan(&plan_with(&graph(name, ""), &asked).expect("a plan"), 1);

        let frames = edge(&running, "count", "ask").frames;
        assert_eq!((frames.taken, frames.dropped_in_all()), (0, 40), "{name}");
        assert_eq!(frames.dropped[2], 40, "{name}");
        assert_eq!(Gap::ALL[2], Gap::Poison);
        assert!(tally(name).is_empty());
        let told = format!("{:?}", running.report().remarks);
        assert!(told.contains("40 questions were not answered"), "{told}");
        // The last ones may have been refused, once the model had failed too often.
        let is_told = told.contains(why) || told.contains("left alone");
        assert!(is_told, "{name}: {told}");
        assert_eq!(running.report().node("ask").expect("a node").restarts, 0, "{name}");
    }
}

#[test]
fn a_model_that_fails_again_and_again_is_left_alone() {
    let mock = Mock::new(10, Cost::default(), Behaviour::Fails);
    let asked = model(mock.clone(), 1, &cold(1));
    run_plan(&plan_with(&graph("alone", "in_flight = 1"), &asked).expect("a plan"), 1);

    assert!((8..40).contains(&mock.runs()), "{} runs", mock.runs());
    let tally = asked.tally();
    assert_eq!((tally.answered, tally.failed + tally.refused), (0, 40));
}

#[test]
fn a_run_that_never_ends_holds_up_no_other_model() {
    let stuck = Duration::from_millis(1_500);
    let workers = Workers::with(Manner { threads: 1, stuck, warms_up: false, ..Manner::default() });
    let stuck = model(Mock::new(10, Cost::default(), Behaviour::NeverReturns(0)), 4, &workers);
    let sound = model(Mock::new(10, Cost::default(), Behaviour::Doubles), 4, &workers);

    // Its one worker is lost in it; each question waits its 300 ms at most.
    let text = graph("never", "within_ms = 300.0\nin_flight = 40");
    let (running, _) = run_plan(&plan_with(&text, &stuck).expect("a plan"), 1);
    assert_eq!(edge(&running, "count", "ask").frames.dropped[1], 40);
    assert_eq!(Gap::ALL[1], Gap::Late);

    run_plan(&plan_with(&graph("other", ""), &sound).expect("a plan"), 1);
    assert_eq!(tally("other").len(), 40);

    let (running, _) = run_plan(&plan_with(&graph("again", ""), &stuck).expect("a plan"), 1);
    let told = format!("{:?}", running.report().remarks);
    assert!(told.contains("a run of the model never ended"), "{told}");
}
