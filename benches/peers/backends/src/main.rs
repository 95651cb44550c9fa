//! The runtimes that could stand behind a model, on the same files and the same numbers: whether they
//! load it, whether they agree with ONNX Runtime, how long a run takes, each on one thread.
//!
//!     ORT_DYLIB_PATH=…/libonnxruntime.so cargo run --release [--features tract] -- FILE.onnx …

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Instant,
};

/// Seconds each case is repeated for.
const SECONDS: f64 = 0.3;

#[derive(Clone)]
struct Tensor {
    name: String,
    shape: Vec<usize>,
    values: Values,
}

#[derive(Clone)]
enum Values {
    F32(Vec<f32>),
    I64(Vec<i64>),
}

/// What a runtime gives: outputs in the order of the model, as f32 (others left out as empty).
type Outputs = Vec<Vec<f32>>;

type Runner = Box<dyn FnMut() -> Result<Outputs, String>>;

fn main() {
    let library = std::env::var("ORT_DYLIB_PATH").expect("ORT_DYLIB_PATH names the library");
    let environment = ort::init_from(library).expect("the library loads").with_telemetry(false);
    let environment = environment.build().expect("an environment");
    for path in std::env::args().skip(1) {
        for batch in [1, 8, 32] {
            let Some(inputs) = inputs(&environment, &path, batch) else { continue };
            let truth = case("ort", &path, batch, None, || ort_runner(&environment, &path, &inputs));
            case("rten", &path, batch, truth.as_ref(), || rten_runner(&path, &inputs));
            #[cfg(feature = "tract")]
            case("tract", &path, batch, truth.as_ref(), || tract_runner(&path, &inputs));
        }
    }
}

fn case(
    name: &str,
    path: &str,
    batch: usize,
    truth: Option<&Outputs>,
    load: impl FnOnce() -> Result<Runner, String>,
) -> Option<Outputs> {
    let file = path.rsplit('/').next().unwrap_or(path);
    let say = |what: String| println!("{file}\t{batch}\t{name}\t{what}");
    let began = Instant::now();
    let mut run = match catch_unwind(AssertUnwindSafe(load)) {
        Ok(Ok(run)) => run,
        Ok(Err(why)) => {
            say(format!("does not load: {}", first_line(&why)));
            return None;
        }
        Err(_) => {
            say("panics when it loads".to_owned());
            return None;
        }
    };
    let load_ms = began.elapsed().as_secs_f64() * 1e3;
    let answer = match catch_unwind(AssertUnwindSafe(&mut run)) {
        Ok(Ok(answer)) => answer,
        Ok(Err(why)) => {
            say(format!("does not run: {}", first_line(&why)));
            return None;
        }
        Err(_) => {
            say("panics when it runs".to_owned());
            return None;
        }
    };
    let error = truth.map_or(0.0, |truth| difference(truth, &answer));
    let mut times = Vec::new();
    let began = Instant::now();
    while began.elapsed().as_secs_f64() < SECONDS || times.len() < 9 {
        let at = Instant::now();
        let _ = run();
        times.push(at.elapsed().as_secs_f64() * 1e6);
    }
    times.sort_by(f64::total_cmp);
    let p50 = times[times.len() / 2];
    say(format!("{p50:.1} us\toff by {error:.1e}\tloads in {load_ms:.0} ms"));
    Some(answer)
}

fn first_line(why: &str) -> String {
    why.replace('\n', " ").chars().take(140).collect()
}

/// Largest difference, in parts of the largest value where that is above one.
fn difference(truth: &Outputs, answer: &Outputs) -> f64 {
    if truth.len() != answer.len() || truth.iter().zip(answer).any(|(a, b)| a.len() != b.len()) {
        return f64::INFINITY;
    }
    let scale = truth.iter().flatten().fold(1.0_f64, |most, value| most.max(f64::from(value.abs())));
    let pairs = truth.iter().flatten().zip(answer.iter().flatten());
    pairs.map(|(a, b)| f64::from((a - b).abs()) / scale).fold(0.0, f64::max)
}

fn noise(count: usize) -> Vec<f32> {
    let mut state: u32 = 7;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// Inputs as the model declares them; none where the batch is fixed and another is asked for.
fn inputs(
    environment: &ort::environment::Environment,
    path: &str,
    batch: usize,
) -> Option<Vec<Tensor>> {
    let session = ort::session::Session::builder(environment).ok()?.commit_from_file(path).ok()?;
    let mut open = false;
    let mut inputs = Vec::new();
    for input in session.inputs() {
        let ort::value::ValueType::Tensor { ty, shape, .. } = input.dtype() else { return None };
        let recurrent = path.contains("silero");
        let shape: Vec<usize> = shape
            .iter()
            .enumerate()
            .map(|(n, &len)| match (len, n, input.name()) {
                (-1, 0, _) | (-1, 1, "state") => {
                    open = true;
                    batch
                }
                (-1, 1, "input") if recurrent => 576,
                (-1, _, _) => 320,
                (len, ..) => len as usize,
            })
            .collect();
        let count = shape.iter().product();
        let values = match ty {
            ort::value::TensorElementType::Float32 => Values::F32(noise(count)),
            ort::value::TensorElementType::Int64 => Values::I64(vec![16_000; count]),
            _ => return None,
        };
        inputs.push(Tensor { name: input.name().to_owned(), shape, values });
    }
    (open || batch == 1).then_some(inputs)
}

fn ort_runner(
    environment: &ort::environment::Environment,
    path: &str,
    inputs: &[Tensor],
) -> Result<Runner, String> {
    let say = |error: ort::Error| error.to_string();
    let builder = ort::session::Session::builder(environment).map_err(say)?;
    let builder = builder.with_intra_threads(1).map_err(|error| error.to_string())?;
    let mut builder = builder.with_intra_op_spinning(false).map_err(|error| error.to_string())?;
    let mut session = builder.commit_from_file(path).map_err(say)?;
    let inputs = inputs.to_vec();
    Ok(Box::new(move || {
        let mut fed: Vec<(std::borrow::Cow<'_, str>, ort::session::SessionInputValue<'_>)> = Vec::new();
        for input in &inputs {
            let value = match &input.values {
                Values::F32(values) => ort::value::Tensor::from_array((input.shape.clone(), values.clone()))
                    .map_err(|error| error.to_string())?
                    .into_dyn(),
                Values::I64(values) => ort::value::Tensor::from_array((input.shape.clone(), values.clone()))
                    .map_err(|error| error.to_string())?
                    .into_dyn(),
            };
            fed.push((input.name.as_str().into(), value.into()));
        }
        let outputs = session.run(fed).map_err(|error| error.to_string())?;
        Ok(outputs
            .values()
            .map(|output| output.try_extract_tensor::<f32>().map_or(Vec::new(), |(_, data)| data.to_vec()))
            .collect())
    }))
}

fn rten_runner(path: &str, inputs: &[Tensor]) -> Result<Runner, String> {
    let model = rten::ModelOptions::with_all_ops()
        .prepack_weights(true)
        .load_file(path)
        .map_err(|error| error.to_string())?;
    let pool = std::sync::Arc::new(rten::ThreadPool::with_num_threads(1));
    let inputs = inputs.to_vec();
    let outputs = model.output_ids().to_vec();
    let run = move |pool: &std::sync::Arc<rten::ThreadPool>| {
        let mut fed = Vec::new();
        for input in &inputs {
            let id = model.node_id(&input.name).map_err(|error| error.to_string())?;
            let value: rten::Value = match &input.values {
                Values::F32(values) => {
                    rten_tensor::Tensor::from_data(&input.shape[..], values.clone()).into()
                }
                Values::I64(values) => {
                    let values: Vec<i32> = values.iter().map(|&value| value as i32).collect();
                    rten_tensor::Tensor::from_data(&input.shape[..], values).into()
                }
            };
            fed.push((id, value.into()));
        }
        let options = rten::RunOptions::default().with_thread_pool(Some(pool.clone()));
        let answer = model.run(fed, &outputs, Some(options)).map_err(|error| error.to_string())?;
        Ok(answer
            .into_iter()
            .map(|value| value.into_tensor::<f32>().map_or(Vec::new(), |tensor| tensor.into_data()))
            .collect())
    };
    Ok(Box::new(move || run(&pool)))
}

#[cfg(feature = "tract")]
fn tract_runner(path: &str, inputs: &[Tensor]) -> Result<Runner, String> {
    use tract_onnx::prelude::*;
    let say = |error: TractError| format!("{error:#}");
    let mut model = tract_onnx::onnx().model_for_path(path).map_err(say)?;
    for (n, input) in inputs.iter().enumerate() {
        let kind = match input.values {
            Values::F32(_) => f32::fact(&input.shape),
            Values::I64(_) => i64::fact(&input.shape),
        };
        model.set_input_fact(n, kind.into()).map_err(say)?;
    }
    let model = model.into_optimized().map_err(say)?.into_runnable().map_err(say)?;
    let inputs = inputs.to_vec();
    Ok(Box::new(move || {
        let mut fed = tvec!();
        for input in &inputs {
            let tensor: tract_onnx::prelude::Tensor = match &input.values {
                Values::F32(values) => {
                    tract_ndarray::ArrayD::from_shape_vec(input.shape.clone(), values.clone())
                        .expect("as many as the shape says")
                        .into()
                }
                Values::I64(values) => {
                    tract_ndarray::ArrayD::from_shape_vec(input.shape.clone(), values.clone())
                        .expect("as many as the shape says")
                        .into()
                }
            };
            fed.push(tensor.into_tvalue());
        }
        let outputs = model.run(fed).map_err(|error| format!("{error:#}"))?;
        Ok(outputs
            .iter()
            .map(|output| {
                let view = output.to_plain_array_view::<f32>();
                view.map_or(Vec::new(), |view| view.iter().copied().collect())
            })
            .collect())
    }))
}
