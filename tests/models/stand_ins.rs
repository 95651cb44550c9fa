//! `fallback`: what stands in for an answer that is late or has failed.

use afferent_suite::kinds::{tallied, tally};
use engine::{EventFormat, EventReader, Field, FieldValue, Frame};
use model::backend::mock::{Behaviour, Cost, Mock};

use crate::{cold, edge, model, plan_with, run_plan};

fn graph(name: &str, node: &str) -> String {
    crate::graph(name, "", &format!("model = \"m\"\nin_flight = 1\n{node}"))
}

fn run(name: &str, node: &str, behaviour: Behaviour) -> Vec<(usize, Frame)> {
    let asked = model(Mock::new(10, Cost::default(), behaviour), 1, &cold(1));
    let plan =
        plan_with(&graph(name, node), &asked).unwrap_or_else(|problems| panic!("{problems}"));
    let (running, _) = run_plan(&plan, 1);
    assert_eq!(edge(&running, "count", "ask").frames.dropped_in_all(), 0, "{name}");
    let told = format!("{:?}", running.report().remarks);
    assert!(told.contains("not answered"), "{told}");
    tally(name)
}

#[test]
fn a_number_stands_in_for_all_of_them() {
    let frames = run("number", "op = \"infer\"\nfallback = \"-1.5\"", Behaviour::Fails);
    assert_eq!(frames.len(), 40);
    assert!(frames.iter().all(|(_, frame)| frame.samples() == [-1.5; 10]));
    assert!(frames.iter().all(|(_, frame)| frame.header.gap.is_none()));

    let names: Vec<String> = (0..10).map(|n| format!("\"f{n}\"")).collect();
    let node = format!("op = \"infer\"\nfields = [{}]\nfallback = \"7\"", names.join(", "));
    let frames = run("fields", &node, Behaviour::Fails);
    let format = EventFormat { fields: vec![Field::f64("a"); 10], rate_max: 1.0 };
    let event = EventReader::new(&format, &frames[0].1);
    assert_eq!((event.f64(0), event.f64(9)), (Some(7.0), Some(7.0)));
    assert_eq!(event.duration_ns(), 10_000_000);
}

#[test]
fn a_label_stands_in_with_score_zero() {
    let labels: Vec<String> = (0..10).map(|n| format!("\"l{n}\"")).collect();
    for (fallback, index) in [("unknown", -1), ("l3", 3)] {
        let node = format!(
            "op = \"classify\"\nlabels = [{}]\nfallback = \"{fallback}\"",
            labels.join(", ")
        );
        let frames = run("label", &node, Behaviour::Fails);
        assert_eq!(frames.len(), 40);
        let fields = vec![Field::text("label", 128), Field::i64("index"), Field::f64("score")];
        let format = EventFormat { fields, rate_max: 1.0 };
        let event = EventReader::new(&format, &frames[39].1);
        assert_eq!(event.field(0), Some(FieldValue::Text(fallback)));
        assert_eq!(event.field(1), Some(FieldValue::I64(index)));
        assert_eq!(event.f64(2), Some(0.0));
    }
}

#[test]
fn vectors_are_zeros_and_boxes_none() {
    let frames = run("zeros", "op = \"embed\"\nfallback = \"zeros\"", Behaviour::Fails);
    assert!(frames.len() == 40 && frames.iter().all(|(_, frame)| frame.samples() == [0.0; 10]));
}

#[test]
fn the_last_answer_stands_in_once_there_was_one() {
    // Every third fails: 2, 5, 8, …
    run("last", "op = \"infer\"\nfallback = \"last\"", Behaviour::FailsEvery(3));
    let asked = model(Mock::new(10, Cost::default(), Behaviour::FailsEvery(3)), 1, &cold(1));
    let text = graph("last", "op = \"infer\"\nfallback = \"last\"");
    run_plan(&plan_with(&text, &asked).expect("a plan"), 1);
    let firsts: Vec<f32> = tallied("last").0.into_iter().step_by(10).collect();
    let answered = |n: usize| if n % 3 == 2 { n - 1 } else { n };
    let want: Vec<f32> = (0..40).map(|n| 20.0 * answered(n) as f32).collect();
    assert_eq!(firsts, want);

    // Where there was none yet nothing stands in.
    let asked = model(Mock::new(10, Cost::default(), Behaviour::Fails), 1, &cold(1));
    let (running, _) = run_plan(&plan_with(&text, &asked).expect("a plan"), 1);
    assert_eq!(edge(&running, "count", "ask").frames.dropped_in_all(), 40);
}

#[test]
fn what_cannot_stand_in_is_refused_with_what_can() {
    let said = |node: &str| {
        let mock = Mock::new(10, Cost::default(), Behaviour::Doubles);
        let asked = model(mock, 1, &cold(1));
        plan_with(&graph("wrong", node), &asked).map(|_| ()).unwrap_err().to_string()
    };
    let text = said("op = \"infer\"\nfallback = \"none\"");
    assert!(text.contains("`fallback` = \"none\" is no answer of `infer`"), "{text}");
    assert!(text.contains("write \"last\", or one number"), "{text}");
    let text = said("op = \"classify\"\nfallback = \"calm\"");
    assert!(text.contains("or one of the labels, or \"unknown\""), "{text}");
    assert!(said("op = \"embed\"\nfallback = \"0\"").contains("or \"zeros\""));
}
