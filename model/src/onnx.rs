//! Whether the bytes of a file can be an ONNX model: walked once before anybody loads them.
//!
//! Loaders trust a file more than they should: one of them loops for ever over a number that does not
//! end. Here the numbers, lengths and nesting of all that describes the graph are checked; what the operators
//! mean is the loaders' business, and what is only for training is passed over. Fields as in [onnx.proto](https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).

use engine::Fault;

/// Graphs in graphs and what is in them, at most.
const DEPTH_MAX: usize = 64;

/// The field of a tensor that says in which other file its numbers are.
const EXTERNAL_DATA: u64 = 13;

/// The messages of a model that hold others, or lists of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Message {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    SparseTensor,
    ValueInfo,
    Type,
    TensorType,
    /// A type of something that holds values of another type.
    TypeOfTypes,
    Shape,
    Function,
    /// Numbers and texts only.
    Flat,
}

/// What a field with a length holds.
enum Holds {
    Message(Message),
    /// Whole numbers, one after the other.
    Numbers,
    /// Text, or bytes that mean something else.
    Bytes,
}

impl Message {
    fn holds(self, field: u64) -> Holds {
        use Holds::{Bytes, Message as Of, Numbers};
        match (self, field) {
            (Self::Model, 7) | (Self::Attribute, 6 | 11) => Of(Self::Graph),
            (Self::Model, 8 | 14) | (Self::Function, 9 | 14) | (Self::Shape, 1) => Of(Self::Flat),
            (Self::Graph, 14 | 16) | (Self::Node, 9 | 10) | (Self::ValueInfo, 4) => Of(Self::Flat),
            (Self::Model, 25) => Of(Self::Function),
            (Self::Graph, 1) | (Self::Function, 7) => Of(Self::Node),
            (Self::Graph, 5) | (Self::Attribute, 5 | 10) | (Self::SparseTensor, 1 | 2) => {
                Of(Self::Tensor)
            }
            (Self::Graph, 11..=13) | (Self::Function, 12) => Of(Self::ValueInfo),
            (Self::Graph, 15) | (Self::Attribute, 22 | 23) => Of(Self::SparseTensor),
            (Self::Node, 5) | (Self::Function, 11) => Of(Self::Attribute),
            (Self::ValueInfo, 2) | (Self::Attribute, 14 | 15) => Of(Self::Type),
            (Self::Type, 1 | 8) => Of(Self::TensorType),
            (Self::Type, 4 | 5 | 9) => Of(Self::TypeOfTypes),
            (Self::TypeOfTypes, 1 | 2) => Of(Self::Type),
            (Self::TensorType, 2) => Of(Self::Shape),
            (Self::Attribute, 8) | (Self::Tensor, 1 | 5 | 7 | 11) | (Self::SparseTensor, 3) => {
                Numbers
            }
            (Self::Tensor, 3 | 13 | 16) => Of(Self::Flat),
            _ => Bytes,
        }
    }
}

/// Checks that the bytes are put together as those of a model.
///
/// # Errors
/// Where and how they are not.
pub fn check(bytes: &[u8]) -> Result<(), Fault> {
    let (mut has_graph, mut is_elsewhere) = (false, false);
    walk(bytes, 0, Message::Model, 0, &mut |message, field, _| {
        has_graph |= message == Message::Model && field == 7;
        is_elsewhere |= message == Message::Tensor && field == EXTERNAL_DATA;
    })
    .map_err(|(at, what)| {
        let len = bytes.len();
        Fault::data(format!(
            "the file is no ONNX model, nor one of Whisper's in ggml format, or cut short: {what} at byte {at} of {len}"
        ))
    })?;
    if !has_graph {
        return Err(Fault::data(
            "the file is no ONNX model, nor one of Whisper's in ggml format: it has no graph",
        ));
    }
    if is_elsewhere {
        return Err(Fault::data(
            "the model keeps constants in a file beside it, which is not read: save it as one file, as \
             `onnx.save(onnx.load(FILE), OTHER)` of the Python package onnx does",
        ));
    }
    Ok(())
}

/// Operators whose outputs are as large as the shapes of their inputs say, and that take a time by those. All
/// others may make as much as numbers of the question say (`Range`, `Tile`, `HannWindow`), or run as long
/// (`Loop`). Sorted.
const BOUNDED: &[&str] = &[
    "Abs",
    "Acos",
    "Acosh",
    "Add",
    "And",
    "ArgMax",
    "ArgMin",
    "Asin",
    "Asinh",
    "Atan",
    "Atanh",
    "AveragePool",
    "BatchNormalization",
    "BitShift",
    "Cast",
    "CastLike",
    "Ceil",
    "Celu",
    "Clip",
    "Concat",
    "Constant",
    "Conv",
    "ConvInteger",
    "ConvTranspose",
    "Cos",
    "Cosh",
    "CumSum",
    "DepthToSpace",
    "DequantizeLinear",
    "Div",
    "Dropout",
    "DynamicQuantizeLinear",
    "Einsum",
    "Elu",
    "Equal",
    "Erf",
    "Exp",
    "EyeLike",
    "Flatten",
    "Floor",
    "GRU",
    "Gather",
    "GatherElements",
    "GatherND",
    "Gelu",
    "Gemm",
    "GlobalAveragePool",
    "GlobalLpPool",
    "GlobalMaxPool",
    "Greater",
    "GreaterOrEqual",
    "GroupNormalization",
    "HardSigmoid",
    "HardSwish",
    "Hardmax",
    "Identity",
    "If",
    "InstanceNormalization",
    "IsInf",
    "IsNaN",
    "LRN",
    "LSTM",
    "LayerNormalization",
    "LeakyRelu",
    "Less",
    "LessOrEqual",
    "Log",
    "LogSoftmax",
    "LpNormalization",
    "LpPool",
    "MatMul",
    "MatMulInteger",
    "Max",
    "MaxPool",
    "Mean",
    "MeanVarianceNormalization",
    "Min",
    "Mish",
    "Mod",
    "Mul",
    "Neg",
    "Not",
    "Or",
    "PRelu",
    "Pow",
    "QLinearConv",
    "QLinearMatMul",
    "QuantizeLinear",
    "RMSNormalization",
    "RNN",
    "Reciprocal",
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSum",
    "ReduceLogSumExp",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceSum",
    "ReduceSumSquare",
    "Relu",
    "Reshape",
    "Round",
    "ScatterElements",
    "ScatterND",
    "Selu",
    "Shape",
    "Shrink",
    "Sigmoid",
    "Sign",
    "Sin",
    "Sinh",
    "Size",
    "Slice",
    "Softmax",
    "Softplus",
    "Softsign",
    "SpaceToDepth",
    "Split",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Sum",
    "Swish",
    "Tan",
    "Tanh",
    "ThresholdedRelu",
    "TopK",
    "Transpose",
    "Trilu",
    "Unsqueeze",
    "Where",
    "Xor",
];

/// Whether what a run of the model costs is bounded by the shapes of its inputs: all its operators are known
/// for that, and none is one that only some runtimes have. Some models that are bounded are not known to be
/// so.
pub(crate) fn is_bounded(bytes: &[u8]) -> bool {
    let mut bounded = true;
    let walked = walk(bytes, 0, Message::Model, 0, &mut |message, field, part| {
        bounded &= match (message, field) {
            (Message::Node, 4) => {
                BOUNDED.binary_search_by(|name| name.as_bytes().cmp(part)).is_ok()
            }
            (Message::Node, 7) => matches!(part, b"" | b"ai.onnx"),
            _ => true,
        };
    });
    bounded && walked.is_ok()
}

/// Where something is wrong, and what.
type Wrong = (usize, &'static str);

fn walk(
    bytes: &[u8],
    offset: usize,
    message: Message,
    depth: usize,
    seen: &mut impl FnMut(Message, u64, &[u8]),
) -> Result<(), Wrong> {
    if depth > DEPTH_MAX {
        return Err((offset, "graphs are nested too deeply"));
    }
    let mut at = 0;
    while at < bytes.len() {
        let began = offset + at;
        let key = number(bytes, &mut at).ok_or((began, "a number does not end"))?;
        let field = key >> 3;
        let skip = match key & 7 {
            0 => {
                number(bytes, &mut at).ok_or((began, "a number does not end"))?;
                0
            }
            1 => 8,
            5 => 4,
            2 => {
                let len = number(bytes, &mut at).ok_or((began, "a number does not end"))?;
                let end = usize::try_from(len).ok().and_then(|len| at.checked_add(len));
                let end = end.filter(|&end| end <= bytes.len());
                let end = end.ok_or((began, "a part is longer than the rest of the file"))?;
                let part = &bytes[at..end];
                seen(message, field, part);
                match message.holds(field) {
                    Holds::Message(inner) => walk(part, offset + at, inner, depth + 1, seen)?,
                    Holds::Numbers => {
                        let mut inner = 0;
                        while inner < part.len() {
                            let place = offset + at + inner;
                            number(part, &mut inner).ok_or((place, "a number does not end"))?;
                        }
                    }
                    Holds::Bytes => {}
                }
                end - at
            }
            _ => return Err((began, "a field is of no known type")),
        };
        at += skip;
        if field == 0 || at > bytes.len() {
            return Err((began, "a field is not what it says"));
        }
    }
    Ok(())
}

/// A number of 7 bits a byte, 64 in all.
pub(crate) fn number(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && byte > 1 {
            return None;
        }
        value |= bits << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(bytes: &[u8]) -> String {
        check(bytes).unwrap_err().to_string()
    }

    #[test]
    fn numbers_without_end_and_parts_without_room_are_found() {
        assert!(said(&[0xff; 64]).contains("a number does not end at byte 0 of 64"));
        assert!(said(&[7 << 3 | 2, 0x7f, 1]).contains("longer than the rest"));
        assert!(said(b"not a model").contains("no ONNX model"));
        assert!(said(&[]).contains("has no graph"));
        // A graph with a node with an attribute with a list of numbers without end.
        let numbers = [[8 << 3 | 2, 11].as_slice(), &[0xff; 11]].concat();
        let wrap = |field: u8, inner: &[u8]| [&[field << 3 | 2, inner.len() as u8], inner].concat();
        let model = wrap(7, &wrap(1, &wrap(5, &numbers)));
        assert!(said(&model).contains("a number does not end at byte 8"), "{}", said(&model));
    }

    #[test]
    fn what_may_run_for_ever_is_not_bounded() {
        let wrap = |field: u8, inner: &[u8]| [&[field << 3 | 2, inner.len() as u8], inner].concat();
        let node = |op: &[u8], domain: &[u8]| {
            wrap(
                1,
                &[wrap(4, op), if domain.is_empty() { Vec::new() } else { wrap(7, domain) }]
                    .concat(),
            )
        };
        let model = |node: &[u8]| wrap(7, node);
        assert!(is_bounded(&model(&node(b"MatMul", b""))));
        assert!(!is_bounded(&model(&node(b"Loop", b""))));
        assert!(!is_bounded(&model(&node(b"MatMul", b"com.example"))));
        // In a branch of another node.
        let inner = wrap(1, &[wrap(4, b"If"), wrap(5, &wrap(6, &node(b"Scan", b"")))].concat());
        assert!(!is_bounded(&model(&inner)));
        assert!(!is_bounded(&[0xff; 8]));
    }

    #[test]
    fn constants_in_another_file_are_told() {
        let wrap = |field: u8, inner: &[u8]| [&[field << 3 | 2, inner.len() as u8], inner].concat();
        // A graph with a tensor with an entry of where it is, and that it is there.
        let tensor = [wrap(13, &wrap(1, b"location")), vec![14 << 3, 1]].concat();
        let text = said(&wrap(7, &wrap(5, &tensor)));
        assert!(text.contains("in a file beside it") && text.contains("onnx.save"), "{text}");
        assert!(check(&wrap(7, &wrap(5, &wrap(9, &[0; 4])))).is_ok());
    }

    #[test]
    fn nesting_has_an_end() {
        // An attribute's graph in a node in a graph in … each two bytes of wrapping, long ones more.
        let mut inner = Vec::new();
        let wrap = |field: u8, inner: &[u8]| {
            let mut len = inner.len();
            let mut out = vec![field << 3 | 2];
            while len >= 0x80 {
                out.push(len as u8 | 0x80);
                len >>= 7;
            }
            out.push(len as u8);
            [out, inner.to_vec()].concat()
        };
        for _ in 0..40 {
            inner = wrap(1, &wrap(5, &wrap(6, &inner)));
        }
        assert!(said(&wrap(7, &inner)).contains("nested too deeply"));
    }
}
