//! What tensors and pictures are about, for those who cannot see all of one.

use engine::{Element, Format, Frame};
use serde_json::{Value, json};

/// Shape, least, mean and largest of a frame as JSON.
pub(crate) fn about(label: &str, format: &Format, frame: &Frame) -> Value {
    let numbers = numbers(format, frame);
    let (min, mean, max) = extent(&numbers);
    let t_s = frame.header.time.nanos() as f64 / 1e9;
    let shape = shape(format, numbers.len());
    json!({ "node": label, "t_s": t_s, "shape": shape, "min": min, "mean": mean, "max": max })
}

/// Least, mean and largest of those that are numbers.
pub(crate) fn extent(numbers: &[f64]) -> (Option<f64>, Option<f64>, Option<f64>) {
    let known = || numbers.iter().copied().filter(|number| number.is_finite());
    let count = known().count().max(1) as f64;
    let (min, max) = (known().reduce(f64::min), known().reduce(f64::max));
    (min, min.map(|_| known().sum::<f64>() / count), max)
}

/// The numbers of a tensor or a picture.
pub(crate) fn numbers(format: &Format, frame: &Frame) -> Vec<f64> {
    let bytes = frame.buffer().bytes();
    match format {
        Format::Tensor(tensor) if tensor.element == Element::F32 => bytes
            .chunks_exact(4)
            .map(|raw| f64::from(f32::from_le_bytes(raw.try_into().expect("four bytes"))))
            .collect(),
        Format::Tensor(tensor) if tensor.element == Element::I64 => bytes
            .chunks_exact(8)
            .map(|raw| i64::from_le_bytes(raw.try_into().expect("eight bytes")) as f64)
            .collect(),
        _ => bytes.iter().map(|byte| f64::from(*byte)).collect(),
    }
}

/// Lengths of dimensions; one that is open is what is left.
fn shape(format: &Format, numbers: usize) -> Vec<usize> {
    match format {
        Format::Image(image) => {
            let colours = numbers / (image.width * image.height).max(1);
            vec![image.height, image.width, colours]
        }
        Format::Tensor(tensor) => {
            let fixed = |dimension: &engine::Dimension| match *dimension {
                engine::Dimension::Fixed(len) => Some(len),
                engine::Dimension::Open { .. } => None,
            };
            let known: usize = tensor.shape.iter().filter_map(fixed).product();
            let open = tensor.shape.iter().filter(|dimension| fixed(dimension).is_none()).count();
            match open {
                0 | 1 => {
                    let left = numbers / known.max(1);
                    tensor.shape.iter().map(|dimension| fixed(dimension).unwrap_or(left)).collect()
                }
                _ => vec![numbers],
            }
        }
        _ => vec![numbers],
    }
}
