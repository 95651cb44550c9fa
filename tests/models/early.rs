//! Classes that are told early: after a segment, while a piece grows, or somewhere else.

use afferent_suite::{
    kinds::{tallied, tally},
    onnx,
};
use engine::{EventFormat, EventReader, Field, Frame};
use model::{
    backend::{Options, load},
    host::{Chain, Exits, Head, Model, Signal},
};

use crate::{cold, host::Made, plan_with, run_plan};

fn read(frame: &Frame) -> (String, f64, i64, i64) {
    let fields = vec![
        Field::text("label", 128),
        Field::i64("index"),
        Field::f64("score"),
        Field::f64("margin"),
        Field::i64("exit"),
    ];
    let format = EventFormat { fields, rate_max: 1.0 };
    let event = EventReader::new(&format, frame);
    let Some(engine::FieldValue::Text(label)) = event.field(0) else { panic!("no label") };
    let exit = match event.field(4) {
        Some(engine::FieldValue::I64(exit)) => exit,
        _ => 0,
    };
    (label.to_owned(), event.f64(2).expect("a score"), exit, event.duration_ns())
}

/// The sum of ten numbers less 1000, against its negative; and what a second segment makes of that.
fn sums() -> [Made; 2] {
    let first = Made::new(("x", 10), &[("logits", 2), ("hidden", 1)], |_, x| {
        let sums: Vec<f32> = x.chunks_exact(10).map(|x| x.iter().sum::<f32>() - 1_000.0).collect();
        Ok(vec![sums.iter().flat_map(|sum| [*sum, -*sum]).collect(), sums])
    });
    let second = Made::new(("hidden", 1), &[("logits", 2)], |_, x| {
        Ok(vec![x.iter().flat_map(|sum| [0.0, sum.abs()]).collect()])
    });
    [first, second]
}

#[test]
fn an_event_says_at_which_exit_it_left() {
    let [first, second] = sums();
    // The sum of piece n is 100 n + 45: 45 at n = 10 is the nearest to 1000.
    let exits =
        Exits { signal: Signal::Margin, heads: vec![Head { temperature: 50.0, threshold: 0.98 }] };
    let chain = Chain::new(vec![std::sync::Arc::new(first), std::sync::Arc::new(second)], exits);
    let model = Model::chained("m", chain.expect("they fit"), 8, &cold(1));
    let node = "op = \"classify\"\nmodel = \"m\"\nwindow_s = 0.01\nlabels = [\"more\", \"less\"]";
    let text = crate::graph("exits", "", node);
    run_plan(&plan_with(&text, &model).unwrap_or_else(|problems| panic!("{problems}")), 1);
    let events = tally("exits");
    assert_eq!(events.len(), 40);
    for (n, (_, frame)) in events.iter().enumerate() {
        let sum = 100.0 * n as f64 + 45.0 - 1_000.0;
        let (label, _, exit, _) = read(frame);
        // tanh(|s| / 50) ≥ 0.98 where |s| ≥ 114.9.
        let is_sure = sum.abs() > 114.9;
        let want = match (is_sure, sum > 0.0) {
            (true, true) => ("more", 1),
            (true, false) => ("less", 1),
            (false, _) => ("less", 2),
        };
        assert_eq!((label.as_str(), exit), want, "{n}");
    }
    assert_eq!(model.tally().exits, [38, 2]);
}

#[test]
fn what_is_hard_leaves_by_another_port() {
    let bytes = onnx::model(&[("Relu", "y"), ("Neg", "hidden")], &[None, Some(20)]);
    let loaded = load("rten", bytes, &Options::default()).expect("it loads");
    for (hard, factor) in [("hidden", -1.0), ("question", 1.0)] {
        let model = Model::new("m", loaded.clone(), 8, &cold(1));
        // Above 200 the largest of twenty, one apart, has a score of 0.63; below all are alike.
        let node = format!(
            "op = \"classify\"\nmodel = \"m\"\nmin_score = 0.6\nhard = \"{hard}\"\n\
             normalize = \"given\"\nmean = [200.0]"
        );
        let name = format!("easy_{hard}");
        let text = crate::graph(&name, "", &node)
            + &format!("\n[node.{name}_not]\nop = \"tally\"\nfrom = \"ask.hard\"\n");
        run_plan(&plan_with(&text, &model).unwrap_or_else(|problems| panic!("{problems}")), 1);
        let easy = tally(&name);
        assert_eq!(easy.len(), 10);
        assert!(easy.iter().all(|(_, frame)| read(frame).0 == "19"));
        let (numbers, _) = tallied(&format!("{name}_not"));
        let want: Vec<f32> = (0..200).map(|n| factor * (n as f32 - 200.0)).collect();
        assert_eq!(numbers, want);
    }
}

#[test]
fn a_piece_that_grows_is_told_as_soon_as_it_is_sure() {
    // Sure once the sum is above fifty.
    let made = Made::new(("x", 20), &[("y", 2)], |_, x| {
        let sure = |x: &[f32]| if x.iter().sum::<f32>() > 50.0 { 10.0 } else { 0.0 };
        Ok(vec![x.chunks_exact(20).flat_map(|x| [sure(x), 0.0]).collect()])
    });
    let model = Model::new("m", std::sync::Arc::new(made), 8, &cold(2));
    let node = "op = \"classify\"\nmodel = \"m\"\nlabels = [\"yes\", \"no\"]\ngrow_s = 0.005";
    let text = crate::graph("grows", "", node);
    run_plan(&plan_with(&text, &model).unwrap_or_else(|problems| panic!("{problems}")), 1);
    let events = tally("grows");
    assert_eq!(events.len(), 20, "one for each piece");
    for (n, (_, frame)) in events.iter().enumerate() {
        // 0 + 1 + … reaches fifty with eleven samples: after fifteen; later pieces with their first five.
        let len = if n == 0 { 15 } else { 5 };
        let (label, score, _, duration) = read(frame);
        assert_eq!((label.as_str(), duration), ("yes", len * 1_000_000), "{n}");
        assert!(score > 0.99);
        assert_eq!(frame.header.time.nanos(), n as i64 * 20_000_000);
    }
    // Nothing is asked about a piece that was told.
    assert_eq!(model.tally().answered, 3 + 19);

    // What is never sure is told when it is whole.
    let made = Made::new(("x", 20), &[("y", 2)], |rows, _| Ok(vec![vec![0.0; 2 * rows]]));
    let model = Model::new("m", std::sync::Arc::new(made), 8, &cold(2));
    let text = crate::graph("grown", "", node);
    run_plan(&plan_with(&text, &model).unwrap_or_else(|problems| panic!("{problems}")), 1);
    let events = tally("grown");
    assert_eq!(events.len(), 20);
    assert!(events.iter().all(|(_, frame)| read(frame).3 == 20_000_000));
    assert_eq!(model.tally().answered, 4 * 20);
}

#[test]
fn pieces_that_cannot_grow_are_told() {
    let made = Made::new(("x", 20), &[("y", 2)], |rows, _| Ok(vec![vec![0.0; 2 * rows]]));
    let model = Model::new("m", std::sync::Arc::new(made), 8, &cold(1));
    let said = |node: &str| {
        let node = format!("op = \"classify\"\nmodel = \"m\"\ngrow_s = 0.005\n{node}");
        let planned = plan_with(&crate::graph("wrong", "", &node), &model);
        planned.map(|_| ()).unwrap_err().to_string()
    };
    assert!(said("hop_s = 0.01").contains("pieces that grow may not overlap"));
    assert!(said("grow_s = 100000.0").contains("`grow_s`"));
}
