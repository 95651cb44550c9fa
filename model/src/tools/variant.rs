//! The variant itself, which ONNX Runtime's quantiser makes in Python.

use std::{fs, path::Path};

use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::backend::{Array, Loaded, Values};

use super::{
    data::Dataset,
    feed::Feed,
    python,
    quantize::{Mode, QuantizeOptions},
    trouble::Trouble,
    watch::Watch,
    write::unwritable,
};

const SCRIPT: &str = include_str!("quantize.py");

/// Questions that calibrate at most; more change little and take memory.
const CALIBRATION_ROWS: usize = 512;
/// Questions in a run of the calibration.
const CALIBRATION_AT_ONCE: usize = 16;
/// What dynamic quantisation makes int8: operators for which every backend has int8 kernels. Convolutions want
/// static quantisation.
const DYNAMIC_OPS: &[&str] = &["MatMul", "Gemm", "Gather"];

/// What Python says it did.
pub(super) struct Made {
    pub(super) made: Vec<(String, u64)>,
    pub(super) notes: Vec<String>,
}

/// Makes `variant.onnx` in the folder.
pub(super) fn make(
    options: &QuantizeOptions,
    python: &Path,
    loaded: &dyn Loaded,
    calibration: Option<&Dataset>,
    folder: &TempDir,
    watch: &Watch<'_>,
) -> Result<Made, Trouble> {
    let is_static = matches!(options.mode, Mode::Static(_));
    let (runs, inputs) = match calibration {
        Some(data) => {
            let feed = Feed::new(loaded.signature(), Some(data), &options.profile.given)?;
            calibrate(&feed, loaded, data.rows, folder)?
        }
        None => (0, Vec::new()),
    };
    let ops: Vec<&str> = match &options.ops[..] {
        [] if is_static => Vec::new(),
        [] => DYNAMIC_OPS.to_vec(),
        ops => ops.iter().map(String::as_str).collect(),
    };
    let calibration = match options.mode {
        Mode::Static(calibration) => calibration.name(),
        Mode::Dynamic => "",
    };
    let asked = json!({
        "model": options.profile.file, "out": folder.path().join("variant.onnx"), "folder": folder.path(),
        "static": is_static, "calibration": calibration, "runs": runs, "inputs": inputs, "ops": ops,
        "per_channel": options.per_channel, "reduce_range": options.reduce_range,
    });
    let said = python::run(python, SCRIPT, &asked, watch)?;
    if let Some(missing) = said.get("missing").and_then(Json::as_str) {
        let message = format!("`{}` cannot quantise: {missing}", python.display());
        return Err(Trouble::program(message, "`pip install onnx onnxruntime` there"));
    }
    if let Some(why) = said.get("failed").and_then(Json::as_str) {
        let message =
            format!("ONNX Runtime does not quantise `{}`: {why}", options.profile.file.display());
        let hint = "quantise other operators (`--ops`), or export the model with opset 13 or later";
        return Err(Trouble::program(message, hint));
    }
    let counts = |key: &str| -> Vec<(String, u64)> {
        let all = said.get(key).and_then(Json::as_object).into_iter().flatten();
        all.map(|(op, count)| (op.clone(), count.as_u64().unwrap_or(0))).collect()
    };
    let is_int8 = |op: &str| {
        let op = op.to_ascii_lowercase();
        ["integer", "quant", "qlinear"].iter().any(|part| op.contains(part))
    };
    let made: Vec<(String, u64)> =
        counts("made").into_iter().filter(|(op, _)| is_int8(op)).collect();
    if made.is_empty() {
        let before: Vec<String> =
            counts("before").into_iter().map(|(op, n)| format!("{n} {op}")).collect();
        let message = format!(
            "nothing of the model can be quantised so; it is made of {}",
            before.join(", ")
        );
        let hint = if is_static {
            "look at `--ops`, or leave the model as it is"
        } else {
            "convolutions want static quantisation: `--static --data questions.npz`"
        };
        return Err(Trouble::refused(message, hint));
    }
    let notes = said.get("notes").and_then(Json::as_array).into_iter().flatten();
    Ok(Made { made, notes: notes.filter_map(|note| Some(note.as_str()?.to_owned())).collect() })
}

/// Puts the questions that calibrate into files of raw numbers, run by run.
fn calibrate(
    feed: &Feed<'_>,
    loaded: &dyn Loaded,
    rows: usize,
    folder: &TempDir,
) -> Result<(usize, Vec<Json>), Trouble> {
    let rows = rows.min(CALIBRATION_ROWS);
    let at_once = if feed.batches() { CALIBRATION_AT_ONCE.min(rows) } else { 1 };
    // All runs are of one shape: what is left over is left out.
    let runs = rows / at_once;
    let mut inputs: Vec<(Array, Vec<u8>)> = Vec::new();
    for run in 0..runs {
        for (number, array) in feed.arrays(run * at_once, at_once)?.into_iter().enumerate() {
            if inputs.len() == number {
                inputs.push((array.clone(), Vec::new()));
            }
            let bytes = &mut inputs[number].1;
            match &array.values {
                Values::F32(values) => bytes.extend(values.iter().flat_map(|x| x.to_le_bytes())),
                Values::Whole(values) => bytes.extend(values.iter().flat_map(|x| x.to_le_bytes())),
            }
        }
    }
    let write = |(number, (array, bytes)): (usize, &(Array, Vec<u8>))| {
        let file = folder.path().join(format!("input{number}"));
        fs::write(&file, bytes).map_err(|error| unwritable(&file, &error))?;
        let kind = if matches!(array.values, Values::F32(_)) { "<f4" } else { "<i8" };
        let name = &loaded.signature().inputs[number].name;
        Ok(json!({ "name": name, "file": file, "type": kind, "shape": array.shape }))
    };
    Ok((runs, inputs.iter().enumerate().map(write).collect::<Result<_, Trouble>>()?))
}
