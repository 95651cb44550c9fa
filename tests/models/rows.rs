//! Models whose file fixes how many questions a run has: answers are those of a model that takes any number, rows
//! without a question are padding, and what is urgent leaves them to what is not.

use std::sync::{Arc, Mutex};

use afferent_suite::{kinds::tallied, onnx};
use engine::testing::Awaited;
use model::{
    backend::{Loaded, Options, load, onnxruntime},
    host::{Door, Model, Priority, Terms, Way, Workers},
};

use crate::{
    cold,
    host::{Gate, Made, Plain, answer, ask},
    plan_with, run_plan,
};

/// A door to a model that is asked row by row.
fn door(model: &Arc<Model>, priority: Priority) -> Door {
    let rows = model.by_rows(0, &[]).expect("its rows are questions");
    let shape = rows.signature.inputs[0].question().into_iter().flatten().collect();
    let way = Way::new(&rows.signature, 0, shape, &[], Box::new(Plain)).expect("a way");
    let terms = Terms { within: None, priority };
    model.door(way.in_rows(rows.count), terms, &[]).expect("a door")
}

#[test]
fn every_question_gets_its_own_answer_and_the_rest_is_padding() {
    for (threads, workers) in [(1, cold(1)), (3, Workers::new(3))] {
        let made = Made::new(("x", 2), &[("sum", 1), ("both", 2)], |rows, x| {
            assert_eq!(x.len(), 2 * rows, "whole rows");
            let sums = x.chunks_exact(2).map(|row| row[0] + row[1]).collect();
            Ok(vec![sums, x.to_vec()])
        });
        let model = Model::new("m", Arc::new(made.in_rows(4)), 32, &workers);
        let door = door(&model, Priority::Normal);
        let asked: Vec<Awaited> = (0..103).map(|n| ask(&door, &[n as f32, 0.5])).collect();
        for (n, awaited) in asked.iter().enumerate() {
            assert_eq!(answer(awaited), [n as f32 + 0.5, 0.0], "{n}, {threads} threads");
        }
        let tally = model.tally();
        assert_eq!((tally.answered, tally.failed), (103, 0));
        assert_eq!(tally.answered + tally.padded, 4 * tally.runs);
        // One hundred and three are no whole number of runs.
        assert!(tally.padded >= 1);
    }
}

#[test]
fn low_priority_rides_in_the_padding() {
    let (gate, seen) = (Arc::new(Gate::default()), Arc::new(Mutex::new(Vec::new())));
    let (own, noted) = (gate.clone(), seen.clone());
    let made = Made::new(("x", 1), &[("y", 1)], move |_, x| {
        // What is found out about rows is of other numbers.
        if x.iter().all(|x| x.fract() == 0.0) {
            own.pass();
            noted.lock().expect("whole").push(x.to_vec());
        }
        Ok(vec![x.to_vec()])
    });
    let model = Model::new("m", Arc::new(made.in_rows(4)), 1, &cold(1));
    let [normal, low] = [Priority::Normal, Priority::Low].map(|priority| door(&model, priority));
    let first = ask(&normal, &[1.0]);
    gate.wait_for_one();
    let waiting: Vec<Awaited> =
        [(&low, 5.0), (&low, 6.0), (&low, 7.0), (&normal, 2.0), (&normal, 3.0)]
            .map(|(door, x)| ask(door, &[x]))
            .into_iter()
            .collect();
    gate.open();
    assert_eq!(answer(&first), [1.0, 0.0]);
    let want = [5.0, 6.0, 7.0, 2.0, 3.0];
    for (awaited, want) in waiting.iter().zip(want) {
        assert_eq!(answer(awaited), [want, 0.0]);
    }
    // Padding is the last question again.
    let runs = seen.lock().expect("whole").clone();
    assert_eq!(runs, [[1.0; 4], [2.0, 3.0, 5.0, 6.0], [7.0; 4]]);
    assert_eq!(model.tally().padded, 3 + 3);
}

#[test]
fn what_does_not_answer_row_by_row_is_not_asked_so() {
    let of = |run: fn(usize, &[f32]) -> Vec<f32>| {
        let made = Made::new(("x", 3), &[("y", 3)], move |rows, x| Ok(vec![run(rows, x)]));
        let model = Model::new("m", Arc::new(made.in_rows(4)), 1, &cold(1));
        model.by_rows(0, &[]).map(|rows| rows.count)
    };
    assert_eq!(of(|_, x| x.iter().map(|x| x.tanh()).collect()), Some(4));
    let mean = |_: usize, x: &[f32]| -> Vec<f32> {
        let mean = x.iter().sum::<f32>() / x.len() as f32;
        x.iter().map(|x| x - mean).collect()
    };
    assert_eq!(of(mean), None, "what is taken off depends on all");
    assert_eq!(
        of(|_, x| (0..12).map(|n| x[n] + (n / 3) as f32).collect()),
        None,
        "so does a place"
    );
    assert_eq!(of(|_, x| (0..12).map(|n| x[(n + 3) % 12]).collect()), None, "another's answer");
    assert_eq!(of(|_, x| x[..9].to_vec()), None, "fewer answers");
    assert_eq!(of(|_, x| vec![f32::NAN; x.len()]), None);
    assert_eq!(of(|_, _| panic!("as planned")), None);
}

#[test]
fn a_file_of_fixed_rows_answers_in_a_graph_as_one_of_any() {
    let backends: &[&str] =
        if onnxruntime::is_there() { &["rten", "onnxruntime"] } else { &["rten"] };
    if backends.len() < 2 {
        eprintln!("SKIPPED: no ONNX Runtime (set ORT_DYLIB_PATH)");
    }
    for &backend in backends {
        let ask = |name: &str, rows: Option<usize>, source: &str| {
            let bytes = onnx::unary("Sin", &[rows, Some(8)]);
            let loaded: Arc<dyn Loaded> =
                load(backend, bytes, &Options::default()).expect("it loads");
            let model = Model::new("m", loaded, 16, &Workers::new(1));
            let name = format!("{name}_{backend}");
            let text = crate::graph(&name, "", "model = \"m\"\nop = \"infer\"\nin_flight = 16");
            let text = text.replace("samples = 400", source);
            let plan = plan_with(&text, &model).unwrap_or_else(|problems| panic!("{problems}"));
            run_plan(&plan, 1);
            let tally = model.tally();
            (tallied(&name), tally)
        };
        let one = "samples = 400";
        let (any, _) = ask("rows_any", None, one);
        assert_eq!(any.0.len(), 400, "{backend}");
        let (fixed, tally) = ask("rows_fixed", Some(5), one);
        assert_eq!(fixed.1, any.1, "{backend}");
        // Kernels round by their place in a run.
        let close = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-5;
        assert!(fixed.0.iter().zip(&any.0).all(close), "{backend}");
        assert_eq!((tally.answered, tally.failed), (50, 0), "{backend}");
        assert_eq!(tally.answered + tally.padded, 5 * tally.runs, "{backend}");
        // Five channels of eight samples are one question, as they have the lengths of the input.
        let (_, tally) = ask("rows_whole", Some(5), "samples = 400\nchannels = 5");
        assert_eq!((tally.answered, tally.runs, tally.padded), (50, 50, 0), "{backend}");
    }
}
