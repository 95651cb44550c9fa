//! `infer`, `classify`, `embed` and `detect` over a model whose answers are known.

use std::{sync::Arc, time::Duration};

use afferent_suite::{
    kinds::{tallied, tally},
    onnx,
};
use engine::{
    EventFormat, EventReader, Field, FieldValue, Frame, GraphSpec, ManualRun, Service, Services,
    SourceText, Timestamp,
};
use model::{
    backend::{
        Options,
        mock::{Behaviour, Cost, Mock},
        rten,
    },
    host::{Model, ModelService},
};

use crate::{cold, edge, model, plan_of, plan_with, run_plan};

fn graph(name: &str, node: &str) -> String {
    crate::graph(name, "", &format!("model = \"m\"\n{node}"))
}

const FREE: Cost = Cost { first: Duration::ZERO, more: Duration::ZERO };

#[test]
fn pieces_of_a_signal_come_back_in_order_and_together() {
    // A run takes so long that others have come by then.
    let cost = Cost { first: Duration::from_millis(1), more: Duration::ZERO };
    let mock = Mock::new(20, cost, Behaviour::Doubles);
    let asked = model(mock.clone(), 8, &cold(1));
    let text = graph("pieces", "op = \"infer\"\nin_flight = 16");
    let (running, _) = run_plan(&plan_with(&text, &asked).expect("a plan"), 1);

    let (numbers, headers) = tallied("pieces");
    assert_eq!(numbers, (0..400).map(|n| 2.0 * n as f32).collect::<Vec<_>>());
    let times: Vec<i64> = headers.iter().map(|(time, _)| *time).collect();
    assert_eq!(times, (0..20).map(|n| n * 20_000_000).collect::<Vec<i64>>());
    // Two frames of ten samples are a piece.
    assert_eq!(edge(&running, "count", "ask").frames.taken, 40);
    assert_eq!(mock.questions(), 20);
    assert!(mock.runs() < 20, "{} runs", mock.runs());
}

#[test]
fn pieces_may_overlap_or_leave_something_out() {
    for (hop_s, firsts) in [(0.01, 39), (0.05, 8)] {
        let asked = model(Mock::new(20, FREE, Behaviour::Doubles), 4, &cold(1));
        let name = format!("hop_{firsts}");
        let text = graph(&name, &format!("op = \"infer\"\nhop_s = {hop_s}"));
        run_plan(&plan_with(&text, &asked).expect("a plan"), 1);

        let frames = tally(&name);
        let hop = (hop_s * 1e3) as usize;
        let got: Vec<f32> = frames.iter().map(|(_, frame)| frame.samples()[0]).collect();
        assert_eq!(got, (0..firsts).map(|n| 2.0 * (n * hop) as f32).collect::<Vec<_>>());
        let times: Vec<i64> = frames.iter().map(|(_, frame)| frame.header.time.nanos()).collect();
        assert_eq!(
            times,
            (0..firsts as i64).map(|n| n * hop as i64 * 1_000_000).collect::<Vec<_>>()
        );
    }
}

#[test]
fn sessions_share_a_model_and_keep_apart() {
    let mock =
        Mock::new(10, Cost { first: Duration::from_micros(200), ..FREE }, Behaviour::Doubles);
    let asked = model(mock.clone(), 16, &cold(2));
    let text = graph("shared", "op = \"infer\"");
    run_plan(&plan_with(&text, &asked).expect("a plan"), 8);

    assert_eq!(mock.questions(), 8 * 40);
    assert!(mock.runs() < 8 * 40, "{} runs", mock.runs());
    let tally = asked.tally();
    assert_eq!((tally.runs, tally.answered), (mock.runs() as u64, 320));
    assert_eq!((tally.failed, tally.refused, tally.late), (0, 0, 0));
}

#[test]
fn numbers_can_be_named() {
    let asked = model(Mock::new(2, FREE, Behaviour::Doubles), 4, &cold(1));
    let text = graph("named", "op = \"infer\"\nfields = [\"one\", \"two\"]\nhop_s = 0.1");
    run_plan(&plan_with(&text, &asked).expect("a plan"), 1);

    let frames = tally("named");
    assert_eq!(frames.len(), 4);
    let format = EventFormat { fields: vec![Field::f64("one"), Field::f64("two")], rate_max: 1.0 };
    let event = EventReader::new(&format, &frames[1].1);
    assert_eq!((event.f64(0), event.f64(1)), (Some(200.0), Some(202.0)));
    assert_eq!(event.duration_ns(), 2_000_000);
}

/// `label`, `index` and `score` of a classification.
fn class(frame: &Frame) -> (String, i64, f64) {
    let fields = vec![
        Field::text("label", 128),
        Field::i64("index"),
        Field::f64("score"),
        Field::f64("margin"),
    ];
    let format = EventFormat { fields, rate_max: 1.0 };
    let event = EventReader::new(&format, frame);
    let (Some(FieldValue::Text(label)), Some(FieldValue::I64(index))) =
        (event.field(0), event.field(1))
    else {
        panic!("no class");
    };
    (label.to_owned(), index, event.f64(2).expect("a score"))
}

#[test]
fn the_likeliest_class_is_told_by_name() {
    let asked = model(Mock::new(2, FREE, Behaviour::Doubles), 4, &cold(1));
    let node = "op = \"classify\"\nlabels = [\"low\", \"high\"]\nhop_s = 0.1";
    run_plan(&plan_with(&graph("likeliest", node), &asked).expect("a plan"), 1);
    // The softmax of x and x + 2, however large x is.
    let want = 1.0 / (1.0 + (-2.0_f64).exp());
    for (_, frame) in tally("likeliest") {
        let (label, index, score) = class(&frame);
        assert_eq!((label.as_str(), index), ("high", 1));
        assert!((score - want).abs() < 1e-12, "{score}");
    }

    let node = format!("{node}\nmin_score = 0.9");
    run_plan(&plan_with(&graph("unsure", &node), &asked).expect("a plan"), 1);
    assert!(tally("unsure").iter().all(|(_, frame)| class(frame).0 == "unknown"));
}

#[test]
fn a_vector_has_length_one() {
    let asked = model(Mock::new(2, FREE, Behaviour::Doubles), 4, &cold(1));
    let node = "op = \"embed\"\nhop_s = 0.1";
    run_plan(&plan_with(&graph("unit", node), &asked).expect("a plan"), 1);

    let frames = tally("unit");
    assert_eq!(frames.len(), 4);
    for (_, frame) in frames {
        let square: f32 = frame.samples().iter().map(|x| x * x).sum();
        assert!((square - 1.0).abs() < 1e-6, "{square}");
    }
}

#[test]
fn on_manual_time_the_clock_waits_for_answers() {
    let cost = Cost { first: Duration::from_millis(2), more: Duration::ZERO };
    let asked = model(Mock::new(20, cost, Behaviour::Doubles), 4, &cold(1));
    let text = graph("manual", "op = \"infer\"\nwithin_ms = 1.0");
    let plan = plan_with(&text, &asked).expect("a plan");
    let mut run = ManualRun::new(&plan, 1, Some(1.0)).expect("bodies can be built");

    // Each answer takes twice the time it has, on a clock that stands still meanwhile.
    assert!(run.run_until(Timestamp::from_nanos(1_000_000_000)), "it ends");
    assert_eq!(tally("manual").len(), 20);
    assert!(run.faults.is_empty() && run.remarks.is_empty(), "{:?}", run.remarks);
    for (from, to, frames) in run.edges() {
        assert_eq!((frames.in_flight, frames.dropped_in_all()), (0, 0), "{from} → {to}");
    }
}

#[test]
fn nodes_that_feed_different_inputs_are_not_run_together() {
    // A model of two inputs, of which each node feeds one: had they been mixed, some answers would be
    // the other node's.
    let bytes = onnx::subtract(&[None, Some(10)]);
    let loaded = rten::load(bytes, &Options::default()).expect("a model");
    let subtract = Model::new("m", loaded, 32, &cold(1));
    let text = r#"
        [graph]
        name = "asks"
        [node.count]
        op = "count"
        samples = 4_000
        [node.plus]
        op = "infer"
        from = "count"
        model = "m"
        input = "a"
        in_flight = 32
        [node.minus]
        op = "infer"
        from = "count"
        model = "m"
        input = "b"
        in_flight = 32
        [node.plain]
        op = "tally"
        from = "plus"
        [node.negative]
        op = "tally"
        from = "minus"
        "#;
    let fixed = ["a", "b"].map(|name| (name.to_owned(), 0.0)).to_vec();
    let service: Arc<dyn Service> = Arc::new(ModelService::new(subtract, fixed));
    let spec = GraphSpec::parse(&SourceText::new("models.toml", text)).expect("a graph");
    let services = Services::new([("m".to_owned(), service)]);
    run_plan(&plan_of(&spec, services).expect("a plan"), 1);

    let want = (0..4_000).map(|n| n as f32);
    assert_eq!(tallied("plain").0, want.clone().collect::<Vec<_>>());
    assert_eq!(tallied("negative").0, want.map(|n| 0.0 - n).collect::<Vec<_>>());
}
