//! What tensors and pictures are about, for those who cannot see all of one.

use engine::{Element, Format, Frame};
use serde::Serialize;

/// Shape, least, mean and largest of a frame. As JSON its keys stand in this order: where and when come first, as in
/// every line.
#[derive(Debug, Serialize)]
pub(crate) struct About<'a> {
    node: &'a str,
    t_s: f64,
    pub(crate) shape: Vec<usize>,
    min: Option<f64>,
    mean: Option<f64>,
    max: Option<f64>,
    /// All of it, where somebody wants that; what is no number is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<Vec<Option<f64>>>,
}

impl<'a> About<'a> {
    pub(crate) fn new(label: &'a str, format: &Format, frame: &Frame) -> Self {
        let numbers = numbers(format, frame);
        let (min, mean, max) = extent(&numbers);
        let t_s = frame.header.time.nanos() as f64 / 1e9;
        let shape = shape(format, numbers.len());
        Self { node: label, t_s, shape, min, mean, max, values: None }
    }

    /// With every number of it.
    pub(crate) fn in_full(self, numbers: &[f64]) -> Self {
        let known = numbers.iter().map(|number| number.is_finite().then_some(*number));
        Self { values: Some(known.collect()), ..self }
    }

    /// As a line of JSON without its break.
    pub(crate) fn json(&self) -> String {
        // Nothing in it can fail to be written.
        serde_json::to_string(self).unwrap_or_default()
    }
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
pub(crate) fn shape(format: &Format, numbers: usize) -> Vec<usize> {
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
