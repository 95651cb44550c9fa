//! The models in `graphs/models`: every file runs, alike on both backends.

use std::{fs, path::PathBuf, sync::Arc};

use model::{
    backend::{Array, Loaded, Options, Values, onnxruntime, rten},
    section::weights_of,
    sidecar::Sidecar,
    signature::Element,
};

fn file(name: &str) -> Vec<u8> {
    fs::read(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("graphs/models")
}

fn names() -> Vec<String> {
    let entries = fs::read_dir(folder()).expect("a folder").flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".onnx")).collect();
    names.sort();
    names
}

/// So many questions at once, like what the models see: waves of a few sines, mean 0, deviation 1.
fn questions(loaded: &dyn Loaded, count: usize) -> Array {
    let slot = &loaded.signature().inputs[0];
    assert_eq!((slot.element, slot.shape[0]), (Element::F32, None), "{slot}: an open batch");
    let len: usize = slot.shape[1..].iter().map(|len| len.expect("fixed")).product();
    let wave = |n: usize| {
        let (question, at) = ((n / len) as f32, (n % len) as f32 / len as f32);
        let sum = (17.0 * at + question).sin() + (41.0 * at * (1.0 + 0.1 * question)).sin();
        sum + (90.0 * at + 2.0 * question).sin()
    };
    // The features of stress are numbers in the tens, and what is between layers is not below 0.
    let scaled = |x: f32| match slot.name.as_str() {
        "features" => 40.0 + 15.0 * x,
        "hidden" => x.max(0.0),
        _ => x / 1.5_f32.sqrt(),
    };
    let values = (0..count * len).map(|n| scaled(wave(n))).collect();
    let mut shape = vec![count];
    shape.extend(slot.shape[1..].iter().flatten());
    Array { shape, values: Values::F32(values) }
}

fn answers(loaded: &dyn Loaded, questions: Array) -> Vec<Vec<f32>> {
    let mut outputs = vec![Vec::new(); loaded.signature().outputs.len()];
    let mut runner = loaded.runner().expect("a runner");
    runner.run(&[questions], &mut outputs).expect("it runs");
    outputs
}

fn farthest(one: &[f32], other: &[f32]) -> f32 {
    assert_eq!(one.len(), other.len());
    assert!(one.iter().chain(other).all(|number| number.is_finite()));
    one.iter().zip(other).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn with_rten(name: &str) -> Arc<dyn Loaded> {
    rten::load(file(name), &Options::default()).unwrap_or_else(|fault| panic!("{name}: {fault}"))
}

#[test]
fn every_shipped_model_runs_and_says_what_it_takes() {
    let names = names();
    for name in ["beats", "beats.1", "beats.2", "beats.3", "quality", "stress"] {
        for file in [format!("{name}.onnx"), format!("{name}.int8.onnx")] {
            assert!(names.contains(&file), "{file} is not among {names:?}");
        }
    }
    let bytes: usize = names.iter().map(|name| file(name).len()).sum();
    assert!(bytes < 1_500_000, "{bytes} bytes in all");
    for name in names {
        let loaded = with_rten(&name);
        let signature = loaded.signature();
        assert_eq!(signature.inputs.len(), 1, "{name}");
        assert_eq!(signature.outputs[0].name, "logits", "{name}");
        let (one, many) = (questions(loaded.as_ref(), 1), questions(loaded.as_ref(), 5));
        let (one, many) = (answers(loaded.as_ref(), one), answers(loaded.as_ref(), many));
        assert!(one.iter().flatten().all(|number| number.is_finite()), "{name}");
        // The first of five is asked the same as the one, and must be told the same.
        for (one, many) in one.iter().zip(&many) {
            assert!(farthest(one, &many[..one.len()]) < 1e-4, "{name}");
            assert_eq!(many.len(), 5 * one.len(), "{name}");
        }
    }
}

#[test]
fn shipped_models_answer_alike_on_both_backends() {
    if !onnxruntime::is_there() {
        eprintln!("SKIPPED: no ONNX Runtime (set ORT_DYLIB_PATH)");
        return;
    }
    for name in names() {
        let (ours, theirs) = (
            with_rten(&name),
            onnxruntime::load(file(&name), &Options::default()).expect("it loads"),
        );
        let asked = || questions(ours.as_ref(), 64);
        let (ours, theirs) = (answers(ours.as_ref(), asked()), answers(theirs.as_ref(), asked()));
        let off = farthest(&ours[0], &theirs[0]);
        // Equal where nothing is asked would be no agreement.
        let classes = ours[0].len() / 64;
        let spread = farthest(&ours[0][..classes], &ours[0][classes..2 * classes]);
        assert!(spread > 0.01, "{name}: one answer to all questions");
        println!("{name}: {off:e}");
        if name.ends_with(".int8.onnx") {
            // A number that lies between two steps of 1/255 may be rounded to either, layer by layer.
            let most = theirs[0].iter().fold(1.0_f32, |most, x| most.max(x.abs()));
            assert!(off < 0.1 * most, "{name}: off by {off} of {most}");
        } else {
            assert!(off < 1e-4, "{name}: off by {off:e}");
        }
    }
}

#[test]
fn what_misses_a_number_is_no_class() {
    for name in names() {
        let loaded = with_rten(&name);
        let mut asked = questions(loaded.as_ref(), 2);
        let Values::F32(values) = &mut asked.values else { unreachable!("made of floats") };
        values[3] = f32::NAN;
        let told = answers(loaded.as_ref(), asked);
        let (lost, whole) = told[0].split_at(told[0].len() / 2);
        assert!(lost.iter().all(|score| *score == 0.0), "{name}: {lost:?}");
        assert!(whole.iter().any(|score| *score != 0.0), "{name}: {whole:?}");
        // The next segment is told that something was missing.
        if let Some(hidden) = told.get(1) {
            let (lost, whole) = hidden.split_at(hidden.len() / 2);
            assert!(lost.iter().all(|number| number.is_nan()), "{name}");
            assert!(whole.iter().all(|number| number.is_finite()), "{name}");
        }
    }
}

#[test]
fn the_segments_are_the_chain() {
    let whole = with_rten("beats.onnx");
    let asked = questions(whole.as_ref(), 16);
    let want = answers(whole.as_ref(), asked.clone());

    let mut given = asked;
    for number in 1..=3 {
        let segment = with_rten(&format!("beats.{number}.onnx"));
        assert_eq!(segment.signature().outputs.len(), if number < 3 { 2 } else { 1 });
        let mut told = answers(segment.as_ref(), given.clone());
        assert_eq!(told[0].len(), 16 * 3, "three scores from every exit");
        if number == 3 {
            assert!(farthest(&told[0], &want[0]) < 1e-4);
            return;
        }
        let next = with_rten(&format!("beats.{}.onnx", number + 1));
        let slot = &next.signature().inputs[0];
        assert_eq!(slot.name, "hidden");
        let mut shape = vec![16];
        shape.extend(slot.shape[1..].iter().flatten());
        given = Array { shape, values: Values::F32(told.swap_remove(1)) };
    }
}

#[test]
fn the_exits_of_beats_were_made_for_these_segments() {
    let text = String::from_utf8(file("beats.exits.toml")).expect("text");
    let sidecar = Sidecar::parse(&text).expect("a file of exits");
    let segments = [1, 2, 3].map(|number| file(&format!("beats.{number}.onnx")));
    let own = weights_of(&segments);
    assert_eq!(
        sidecar.weights,
        Some(own),
        "`afferent calibrate` again, as in graphs/models/README.md"
    );
    assert_eq!(sidecar.exits.heads.len(), 2);
    let promise = sidecar.promise.expect("it promises something");
    assert_eq!((promise.loss, promise.confidence), (0.005, 0.95));
    assert!(sidecar.cost.is_some_and(|cost| cost <= 0.4), "P8: 60 % and more are saved");
}
