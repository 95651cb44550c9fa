//! Backends give the same answers, on every model there is.

use std::{
    fs,
    path::{Path, PathBuf},
};

use afferent_suite::{data, onnx};
use model::{
    backend::{Array, Loaded, Options, Values, load, onnxruntime, rten},
    signature::{Element, Slot},
};

/// Files below a folder with this ending, in order.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Numbers between −1 and 1 from a congruential generator.
/// Other numbers for every seed.
fn noise_of(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// Something to feed a model with: the first open dimension two long, others as long as such models
/// take.
fn input(slot: &Slot) -> Array {
    input_of(slot, 7)
}

fn input_of(slot: &Slot, seed: u32) -> Array {
    let mut opens = [2, 576, 64, 64].into_iter();
    let shape: Vec<usize> =
        slot.shape.iter().map(|len| len.unwrap_or_else(|| opens.next().unwrap_or(64))).collect();
    let count = shape.iter().product();
    let values = match slot.element {
        Element::Whole => Values::Whole(vec![16_000; count]),
        _ => Values::F32(noise_of(count, seed)),
    };
    Array { shape, values }
}

fn answer(loaded: &dyn Loaded, inputs: &[Array]) -> Result<Vec<Vec<f32>>, String> {
    let mut outputs = vec![Vec::new(); loaded.signature().outputs.len()];
    let mut runner = loaded.runner().map_err(|fault| fault.to_string())?;
    // Twice: what a runner keeps from the first run must not show in the second.
    runner.run(inputs, &mut outputs).map_err(|fault| fault.to_string())?;
    runner.run(inputs, &mut outputs).map_err(|fault| fault.to_string())?;
    Ok(outputs)
}

/// Largest difference, in parts of the largest value where that is above one.
fn difference(one: &[Vec<f32>], other: &[Vec<f32>]) -> f64 {
    let same_lengths = one.len() == other.len()
        && one.iter().zip(other).all(|(one, other)| one.len() == other.len());
    assert!(same_lengths, "answers of different shapes");
    let all = one.iter().flatten().zip(other.iter().flatten());
    let scale = one.iter().flatten().fold(1.0_f64, |most, x| most.max(f64::from(x.abs())));
    all.map(|(x, y)| f64::from((x - y).abs()) / scale).fold(0.0, f64::max)
}

#[test]
fn the_pure_rust_backend_agrees_with_onnx_runtime() {
    let Some(folder) = data::folder() else { return };
    if !onnxruntime::is_there() {
        eprintln!("SKIPPED: no ONNX Runtime (set ORT_DYLIB_PATH)");
        return;
    }
    let (mut agree, mut refused) = (0, Vec::new());
    for path in files(&folder, "onnx") {
        // Those of ONNX's own tests have a test of their own.
        if path.components().any(|part| part.as_os_str() == "onnx+onnx") {
            continue;
        }
        let name = path.file_name().expect("a file").to_string_lossy().into_owned();
        let bytes = fs::read(&path).expect("readable");
        let truth = onnxruntime::load(bytes.clone(), &Options::default()).expect("it is a model");
        if truth.signature().inputs.iter().any(|slot| slot.element == Element::Other) {
            refused.push(name);
            continue;
        }
        let inputs: Vec<Array> = truth.signature().inputs.iter().map(input).collect();
        let Ok(ours) = rten::load(bytes, &Options::default()) else {
            refused.push(name);
            continue;
        };
        let inputs_agree = ours.signature().inputs.iter().zip(&truth.signature().inputs);
        assert!(
            inputs_agree.clone().all(|(a, b)| a.name == b.name && a.shape == b.shape),
            "{name}"
        );
        let want = answer(truth.as_ref(), &inputs).unwrap_or_else(|why| panic!("{name}: {why}"));
        let got = answer(ours.as_ref(), &inputs).unwrap_or_else(|why| panic!("{name}: {why}"));
        let off = difference(&want, &got);
        assert!(off < 1e-4, "{name}: off by {off:e}");
        agree += 1;
    }
    // An LSTM with peepholes, and an operator of 2017.
    assert_eq!(refused, ["model_1.onnx", "candy.onnx"]);
    assert!(agree >= 13, "{agree}");
}

#[test]
fn models_of_onnx_s_own_tests_give_what_those_want() {
    let Some(folder) = data::folder() else { return };
    let (mut passed, mut others, mut wrong) = (0, Vec::new(), Vec::new());
    for path in files(&folder.join("onnx+onnx"), "onnx") {
        let test = path.parent().expect("a folder");
        let name = test.file_name().expect("a name").to_string_lossy().into_owned();
        let read = |file: String| {
            let bytes = fs::read(test.join("test_data_set_0").join(file)).ok()?;
            onnx::tensor(&bytes)
        };
        let Ok(loaded) = rten::load(fs::read(&path).expect("readable"), &Options::default()) else {
            others.push(name);
            continue;
        };
        let signature = loaded.signature();
        let inputs: Option<Vec<Array>> = (0..signature.inputs.len())
            .map(|n| {
                let (shape, values) = read(format!("input_{n}.pb"))?;
                Some(Array { shape, values: Values::F32(values) })
            })
            .collect();
        let wanted: Option<Vec<Vec<f32>>> = (0..signature.outputs.len())
            .map(|n| read(format!("output_{n}.pb")).map(|(_, values)| values))
            .collect();
        let (Some(inputs), Some(wanted)) = (inputs, wanted) else {
            others.push(name);
            continue;
        };
        let got = answer(loaded.as_ref(), &inputs).unwrap_or_else(|why| panic!("{name}: {why}"));
        let off = difference(&wanted, &got);
        if off < 1e-5 {
            passed += 1;
        } else {
            wrong.push(name);
        }
    }
    eprintln!("{passed} passed; of others, or not loaded: {others:?}");
    assert!(passed >= 13, "{passed}, not {others:?}");
    // It erases from a sequence of tensors and inserts into it, and takes the sign of zero, in which
    // the backend counts otherwise.
    assert_eq!(wrong, ["test_sequence_model3", "test_sign_model"]);
}

#[test]
fn what_is_no_model_is_refused_whoever_is_to_run_it() {
    let whole = onnx::unary("Relu", &[None, Some(4)]);
    let hostile = [
        Vec::new(),
        b"not a model".to_vec(),
        whole[..whole.len() / 2].to_vec(),
        vec![0xff; 4_096],
        onnx::unary("NoSuchOperator", &[None, Some(4)]),
    ];
    for (n, bytes) in hostile.into_iter().enumerate() {
        for backend in ["rten", "auto"] {
            let said = load(backend, bytes.clone(), &Options::default()).map(|_| ()).unwrap_err();
            let said = said.to_string();
            let known =
                said.starts_with("the file is no ONNX model") || said.contains("cannot load it");
            assert!(known, "{n}, {backend}: {said}");
        }
    }
}

#[test]
fn a_provider_that_is_missing_is_named() {
    let bytes = onnx::unary("Relu", &[None, Some(4)]);
    let options = |providers: &[&str]| Options {
        providers: providers.iter().map(|&provider| provider.to_owned()).collect(),
    };
    let said = |result: Result<std::sync::Arc<dyn Loaded>, engine::Fault>| {
        result.map(|_| ()).unwrap_err().to_string()
    };
    assert!(said(rten::load(bytes.clone(), &options(&["cuda"]))).contains("not on `cuda`"));
    assert!(rten::load(bytes.clone(), &options(&["cuda", "cpu"])).is_ok());
    if onnxruntime::is_there() {
        let unknown = said(onnxruntime::load(bytes, &options(&["quantum"])));
        assert!(unknown.contains("`quantum` is none of"), "{unknown}");
    }
}

#[test]
fn an_answer_may_be_longer_or_shorter_than_the_one_before() {
    if !onnxruntime::is_there() {
        eprintln!("SKIPPED: no ONNX Runtime (set ORT_DYLIB_PATH)");
        return;
    }
    // As many numbers as there are different ones, whatever the input's length.
    let bytes = onnx::unary("Unique", &[None]);
    let loaded = onnxruntime::load(bytes, &Options::default()).expect("it loads");
    let mut runner = loaded.runner().expect("a runner");
    let mut outputs = vec![Vec::new()];
    for (asked, want) in [
        ([1.0, 1.0, 2.0, 2.0], &[1.0, 2.0][..]),
        ([1.0, 2.0, 3.0, 4.0], &[1.0, 2.0, 3.0, 4.0]),
        ([7.0; 4], &[7.0]),
    ] {
        let input = Array { shape: vec![4], values: Values::F32(asked.to_vec()) };
        runner.run(&[input], &mut outputs).expect("it runs");
        assert_eq!(outputs, [want]);
    }
}

#[test]
fn threads_that_run_a_model_at_once_get_what_one_alone_gets() {
    // What runs share is the session, or the weights; each has numbers of its own, and its own count of them where
    // that may differ.
    let alike = |name: &str, loaded: &dyn Loaded, fed: &[Vec<Array>], repeats: usize| {
        let mut runner = loaded.runner().expect("a runner");
        let mut once = |inputs: &[Array]| {
            let mut outputs = vec![Vec::new(); loaded.signature().outputs.len()];
            runner.run(inputs, &mut outputs).map(|()| outputs)
        };
        let want: Vec<_> = fed.iter().map_while(|inputs| once(inputs).ok()).collect();
        std::thread::scope(|scope| {
            // One that does not run on such numbers has nothing to give.
            for (inputs, want) in fed.iter().zip(&want) {
                scope.spawn(move || {
                    let mut runner = loaded.runner().expect("a runner");
                    let mut outputs = vec![Vec::new(); loaded.signature().outputs.len()];
                    for _ in 0..repeats {
                        runner.run(inputs, &mut outputs).expect("it has run");
                        assert!(outputs == *want, "{name}: others get something else");
                    }
                });
            }
        });
        want.len()
    };
    let numbers = |rows: usize| Array {
        shape: vec![rows, 128],
        values: Values::F32(noise_of(128 * rows, rows as u32)),
    };
    let sizes: Vec<Vec<Array>> = (1..=4).map(|rows| vec![numbers(rows)]).collect();
    let backends: &[&str] =
        if onnxruntime::is_there() { &["rten", "onnxruntime"] } else { &["rten"] };
    for &backend in backends {
        let bytes = onnx::layers(3, 128);
        let loaded = load(backend, bytes, &Options::default()).expect("it loads");
        assert_eq!(alike(backend, &*loaded, &sizes, 300), 4);
        // What they share outlives the model that they came from.
        let mut runner = loaded.runner().expect("a runner");
        drop(loaded);
        let mut outputs = vec![Vec::new()];
        runner.run(&sizes[0], &mut outputs).expect("it runs");
        let Values::F32(asked) = &sizes[0][0].values else { unreachable!("just made so") };
        let shifted: Vec<f32> = (0..128).map(|n| asked[(n + 3) % 128]).collect();
        assert_eq!(outputs, [shifted], "{backend}");
    }
    let Some(folder) = data::folder() else { return };
    if backends.len() < 2 {
        eprintln!("SKIPPED: no ONNX Runtime (set ORT_DYLIB_PATH)");
        return;
    }
    let mut ran = 0;
    for path in files(&folder, "onnx") {
        let name = path.to_string_lossy();
        let bytes = fs::read(&path).expect("readable");
        let Ok(loaded) = onnxruntime::load(bytes, &Options::default()) else { continue };
        let signature = loaded.signature();
        if signature.inputs.iter().any(|slot| slot.element == Element::Other) {
            continue;
        }
        let of = |seed| signature.inputs.iter().map(|slot| input_of(slot, seed)).collect();
        let fed: [Vec<Array>; 2] = [of(7), of(8)];
        ran += usize::from(alike(&name, &*loaded, &fed, 8) == 2);
    }
    assert!(ran >= 13, "{ran}");
}
