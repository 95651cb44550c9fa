//! Convolutions over short signals, for many questions at once.
//!
//! ONNX Runtime convolves the signals of a batch one after the other, each as a product of matrices with as many columns
//! as the signal has places: four, one, where its vectors hold sixteen numbers. Laid side by side as the rows of
//! one image they are one product, and the kernels made for images take them: a run of 32 chunks of Silero takes 0.4 of
//! the time, one of 32 heart beats 0.6, and one of one hardly less or more.
//!
//! ```text
//! [batch, channels, places] ─transpose─▶ [channels, batch, places] ─▶ [1, channels, batch, places]
//!                                                                               │ 1 × k, weights [out, in, 1, k]
//! [batch, out, places]      ◀─transpose─ [out, batch, places]      ◀─ [1, out, batch, places]
//! ```
//!
//! What is put between others in the same order of channels ONNX Runtime takes out again. Sums are those of before, in another
//! order. Models of quantised numbers are left as they are: what is made for these takes signals.

use crate::onnx::number;

/// The first version of ONNX's operators that takes axes as an input.
const VERSION_MIN: u64 = 13;
/// Larger files are not copied.
const BYTES_MAX: usize = 256 << 20;
/// In front of the names of what is put in.
const PREFIX: &str = "afferent.abreast.";
const INTS: u64 = 7;

/// The bytes of a model with its convolutions over signals side by side; nothing if there is none to change. The bytes
/// have been [checked](crate::onnx::check).
pub(super) fn side_by_side(model: &[u8]) -> Option<Vec<u8>> {
    let fields = fields(model)?;
    let version = fields.iter().filter(|field| field.number == 8).find_map(|field| {
        let import = self::fields(field.bytes)?;
        let is_own = import.iter().all(|it| it.number != 1 || is_usual(it.bytes));
        is_own.then(|| import.iter().rfind(|it| it.number == 2).map(|it| it.value))?
    })?;
    if version < VERSION_MIN || model.len() > BYTES_MAX {
        return None;
    }
    let mut changes = Changes::default();
    let mut out = Vec::with_capacity(model.len() + 4_096);
    for field in fields {
        match field.number {
            7 => put(&mut out, 7, &changes.graph(field.bytes)?),
            _ => out.extend_from_slice(field.whole),
        }
    }
    (changes.count > 0).then_some(out)
}

/// A field of a message: all of it, and what it holds.
struct Field<'a> {
    number: u64,
    whole: &'a [u8],
    bytes: &'a [u8],
    value: u64,
}

/// The fields of a message; nothing if it is none.
fn fields(message: &[u8]) -> Option<Vec<Field<'_>>> {
    let (mut at, mut all) = (0, Vec::new());
    while at < message.len() {
        let began = at;
        let key = number(message, &mut at)?;
        let (mut bytes, mut value) = (&message[..0], 0);
        match key & 7 {
            0 => value = number(message, &mut at)?,
            1 => at += 8,
            2 => {
                let len = usize::try_from(number(message, &mut at)?).ok()?;
                bytes = message.get(at..at.checked_add(len)?)?;
                at += len;
            }
            5 => at += 4,
            _ => return None,
        }
        all.push(Field { number: key >> 3, whole: message.get(began..at)?, bytes, value });
    }
    Some(all)
}

fn is_usual(domain: &[u8]) -> bool {
    matches!(domain, b"" | b"ai.onnx")
}

fn put_number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    put_number(out, field << 3 | 2);
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// An attribute that is a list of whole numbers.
fn put_ints(node: &mut Vec<u8>, name: &str, values: &[u64]) {
    let mut attribute = Vec::new();
    put(&mut attribute, 1, name.as_bytes());
    for value in values {
        put_number(&mut attribute, 8 << 3);
        put_number(&mut attribute, *value);
    }
    put_number(&mut attribute, 20 << 3);
    put_number(&mut attribute, INTS);
    put(node, 5, &attribute);
}

/// A node of a graph, less its attributes.
fn node(operator: &str, inputs: &[&[u8]], output: &[u8]) -> Vec<u8> {
    let mut node = Vec::new();
    inputs.iter().for_each(|input| put(&mut node, 1, input));
    put(&mut node, 2, output);
    put(&mut node, 4, operator.as_bytes());
    node
}

#[derive(Default)]
struct Changes {
    /// Convolutions so far.
    count: usize,
}

impl Changes {
    /// A graph, changed; nothing if it has what is left as it is, or is none.
    fn graph(&mut self, graph: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(graph.len());
        for field in fields(graph)? {
            match field.number {
                1 => self.node(&field, &mut out)?,
                _ => out.extend_from_slice(field.whole),
            }
        }
        Some(out)
    }

    fn node(&mut self, whole: &Field<'_>, out: &mut Vec<u8>) -> Option<()> {
        let parts = fields(whole.bytes)?;
        let operator = parts.iter().rfind(|it| it.number == 4).map_or(&b""[..], |it| it.bytes);
        if [&b"QuantizeLinear"[..], b"DequantizeLinear"].contains(&operator) {
            return None;
        }
        let is_own = parts.iter().all(|it| it.number != 7 || is_usual(it.bytes));
        if operator == b"Conv"
            && is_own
            && let Some(convolution) = Convolution::of(&parts)
        {
            self.count += 1;
            convolution.put(&format!("{PREFIX}{}.", self.count), out);
            return Some(());
        }
        // Graphs in it: branches, bodies of loops.
        let mut node = Vec::with_capacity(whole.bytes.len());
        for part in parts {
            match part.number {
                5 => {
                    let mut attribute = Vec::with_capacity(part.bytes.len());
                    for inner in fields(part.bytes)? {
                        match inner.number {
                            6 | 11 => {
                                put(&mut attribute, inner.number, &self.graph(inner.bytes)?);
                            }
                            _ => attribute.extend_from_slice(inner.whole),
                        }
                    }
                    put(&mut node, 5, &attribute);
                }
                _ => node.extend_from_slice(part.whole),
            }
        }
        put(out, 1, &node);
        Some(())
    }
}

/// A convolution over signals.
struct Convolution<'a> {
    /// Signals, weights and, perhaps, what is added.
    inputs: Vec<&'a [u8]>,
    output: &'a [u8],
    kernel: u64,
    stride: u64,
    dilation: u64,
    pads: [u64; 2],
    /// As it is written.
    group: Option<&'a [u8]>,
}

impl<'a> Convolution<'a> {
    /// If it is one, and all that is said of it is known.
    fn of(parts: &[Field<'a>]) -> Option<Self> {
        let of =
            |number| parts.iter().filter(move |part| part.number == number).map(|part| part.bytes);
        let (inputs, mut outputs): (Vec<_>, _) = (of(1).collect(), of(2));
        let output = outputs.next()?;
        if !(2..=3).contains(&inputs.len()) || outputs.next().is_some() {
            return None;
        }
        let (mut kernel, mut stride, mut dilation, mut pads) = (None, 1, 1, [0, 0]);
        let mut group = None;
        for part in parts.iter().filter(|part| part.number == 5) {
            let attribute = fields(part.bytes)?;
            let name = attribute.iter().find(|it| it.number == 1)?.bytes;
            let ints = ints(&attribute)?;
            match (name, &*ints) {
                (b"kernel_shape", [len]) => kernel = Some(*len),
                (b"strides", [by]) => stride = *by,
                (b"dilations", [by]) => dilation = *by,
                (b"pads", [before, behind]) => pads = [*before, *behind],
                (b"group", []) => group = Some(part.whole),
                (b"auto_pad", []) => {
                    let said = attribute.iter().find(|it| it.number == 4)?.bytes;
                    (said == b"NOTSET").then_some(())?;
                }
                _ => return None,
            }
        }
        Some(Self { inputs, output, kernel: kernel?, stride, dilation, pads, group })
    }

    /// Puts what does the same into a graph.
    fn put(&self, prefix: &str, graph: &mut Vec<u8>) {
        let name = |what: &str| [prefix.as_bytes(), what.as_bytes()].concat();
        let (first, third) = (name("first"), name("third"));
        let (weights, turned) = (name("weights"), name("turned"));
        let (image, convolved, flat) = (name("image"), name("convolved"), name("flat"));
        for (axis, value) in [(&first, 0), (&third, 2)] {
            let mut constant = node("Constant", &[], axis);
            put_ints(&mut constant, "value_ints", &[value]);
            put(graph, 1, &constant);
        }
        put(graph, 1, &node("Unsqueeze", &[self.inputs[1], &third], &weights));
        self::transpose(self.inputs[0], &turned, graph);
        put(graph, 1, &node("Unsqueeze", &[&turned, &first], &image));
        let mut inputs = vec![&*image, &*weights];
        inputs.extend(self.inputs.get(2));
        let mut convolution = node("Conv", &inputs, &convolved);
        put_ints(&mut convolution, "kernel_shape", &[1, self.kernel]);
        put_ints(&mut convolution, "strides", &[1, self.stride]);
        put_ints(&mut convolution, "dilations", &[1, self.dilation]);
        put_ints(&mut convolution, "pads", &[0, self.pads[0], 0, self.pads[1]]);
        convolution.extend_from_slice(self.group.unwrap_or_default());
        put(graph, 1, &convolution);
        put(graph, 1, &node("Squeeze", &[&convolved, &first], &flat));
        self::transpose(&flat, self.output, graph);
    }
}

/// Swaps the first two axes.
fn transpose(from: &[u8], to: &[u8], graph: &mut Vec<u8>) {
    let mut transpose = node("Transpose", &[from], to);
    put_ints(&mut transpose, "perm", &[1, 0, 2]);
    put(graph, 1, &transpose);
}

/// The whole numbers of an attribute, packed or one by one.
fn ints(attribute: &[Field<'_>]) -> Option<Vec<u64>> {
    let mut all = Vec::new();
    for field in attribute.iter().filter(|field| field.number == 8) {
        if field.bytes.is_empty() {
            all.push(field.value);
            continue;
        }
        let mut at = 0;
        while at < field.bytes.len() {
            all.push(number(field.bytes, &mut at)?);
        }
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::{Array, Options, Values, onnxruntime};

    fn shipped(name: &str) -> Vec<u8> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../graphs/models");
        std::fs::read(format!("{folder}/{name}")).expect("a model that comes with the program")
    }

    /// How many convolutions over signals, over images.
    fn convolutions(graph: &[u8]) -> (usize, usize) {
        let nodes = fields(graph).unwrap().into_iter().filter(|field| field.number == 1);
        let shapes = nodes.filter_map(|node| {
            let parts = fields(node.bytes).unwrap();
            if !parts.iter().any(|it| it.number == 4 && it.bytes == b"Conv") {
                return None;
            }
            let shape = parts.iter().filter(|it| it.number == 5).find_map(|part| {
                let attribute = fields(part.bytes).unwrap();
                let is_shape = attribute.iter().any(|it| it.bytes == b"kernel_shape");
                is_shape.then(|| ints(&attribute).unwrap().len())
            });
            Some(shape.unwrap())
        });
        shapes.fold((0, 0), |(one, two), len| match len {
            1 => (one + 1, two),
            _ => (one, two + 1),
        })
    }

    fn graph(model: &[u8]) -> &[u8] {
        fields(model).unwrap().into_iter().find(|field| field.number == 7).unwrap().bytes
    }

    #[test]
    fn convolutions_over_signals_become_such_over_images() {
        let model = shipped("beats.onnx");
        let (one, two) = convolutions(graph(&model));
        assert!(one > 0 && two == 0);
        let changed = side_by_side(&model).unwrap();
        assert_eq!(convolutions(graph(&changed)), (0, one));
        crate::onnx::check(&changed).unwrap();
        assert!(side_by_side(&changed).is_none(), "nothing is left to change");
        assert!(side_by_side(&shipped("beats.int8.onnx")).is_none(), "it is quantised");
    }

    #[test]
    fn those_in_branches_are_found_and_what_is_not_known_is_left() {
        let wrap = |field: u64, bytes: &[u8]| {
            let mut out = Vec::new();
            put(&mut out, field, bytes);
            out
        };
        let convolution = |attributes: &[(&str, &[u64])]| {
            let mut node = node("Conv", &[b"x", b"w"], b"y");
            attributes.iter().for_each(|(name, values)| put_ints(&mut node, name, values));
            wrap(1, &node)
        };
        let model =
            |graph: &[u8], version: u8| [wrap(8, &[2 << 3, version]), wrap(7, graph)].concat();
        let known = convolution(&[("kernel_shape", &[3]), ("pads", &[1, 2])]);
        assert!(side_by_side(&model(&known, 13)).is_some());
        assert!(side_by_side(&model(&known, 12)).is_none(), "too old");
        let mut branching = node("If", &[b"which"], b"y");
        put(&mut branching, 5, &wrap(6, &known));
        assert!(side_by_side(&model(&wrap(1, &branching), 16)).is_some());
        for unknown in [
            convolution(&[]),
            convolution(&[("kernel_shape", &[3, 3])]),
            convolution(&[("kernel_shape", &[3]), ("pads", &[1])]),
            convolution(&[("kernel_shape", &[3]), ("shiny", &[1])]),
            wrap(1, &[known[2..].to_vec(), wrap(7, b"com.example")].concat()),
        ] {
            assert!(side_by_side(&model(&unknown, 13)).is_none());
        }
        let broken = model(&known, 13);
        for len in 0..broken.len() {
            // No panic.
            let _ = side_by_side(&broken[..len]);
        }
    }

    #[test]
    fn answers_are_those_of_before() {
        if !onnxruntime::is_there() {
            eprintln!("SKIPPED: ONNX Runtime is not there (set ORT_DYLIB_PATH)");
            return;
        }
        for (name, len) in [("beats.onnx", 256), ("quality.onnx", 500)] {
            let model = shipped(name);
            let loaded = onnxruntime::load(model.clone(), &Options::default()).unwrap();
            let rten = crate::backend::rten::load(model, &Options::default()).unwrap();
            let (mut ours, mut theirs) = (loaded.runner().unwrap(), rten.runner().unwrap());
            for rows in [1, 2, 5, 16] {
                let values = (0..rows * len).map(|n| ((n * n) as f32 * 0.01).sin()).collect();
                let inputs = [Array { shape: vec![rows, 1, len], values: Values::F32(values) }];
                let outputs = vec![Vec::new(); loaded.signature().outputs.len()];
                let (mut got, mut want) = (outputs.clone(), outputs);
                ours.run(&inputs, &mut got).unwrap();
                theirs.run(&inputs, &mut want).unwrap();
                for (got, want) in got.concat().iter().zip(want.concat()) {
                    // Sums of some hundred numbers in another order.
                    assert!((got - want).abs() < 1e-4, "{name}, {rows}: {got}, not {want}");
                }
            }
        }
    }
}
