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
//! order. Some are left as they are:
//!
//! | what | why |
//! |---|---|
//! | models of quantised numbers | what is made for these takes signals |
//! | convolutions whose weights are an input of their graph | they would be turned anew with every run |
//! | those in front of a normalisation that ONNX Runtime takes into their weights | it would find them no more |

use std::collections::{HashMap, HashSet};

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
    // From the fourth on whoever runs a model may give what it has itself otherwise.
    let gives = fields.iter().rfind(|it| it.number == 1).is_some_and(|it| it.value >= 4);
    let outside = Scope { gives, ..Scope::default() };
    let mut found = 0;
    for graph in fields.iter().filter(|field| field.number == 7) {
        found += count(graph.bytes, &outside)?;
    }
    if found == 0 {
        return None;
    }
    let mut changes = Changes::default();
    let mut out = Vec::with_capacity(model.len() + 4_096);
    for field in fields {
        match field.number {
            7 => put(&mut out, 7, &changes.graph(field.bytes, &outside)?),
            _ => out.extend_from_slice(field.whole),
        }
    }
    debug_assert_eq!(changes.count, found);
    Some(out)
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

/// A node as it is read.
struct Node<'a> {
    parts: Vec<Field<'a>>,
    operator: &'a [u8],
}

impl<'a> Node<'a> {
    fn of(bytes: &'a [u8]) -> Option<Self> {
        let parts = fields(bytes)?;
        let is_own = parts.iter().all(|it| it.number != 7 || is_usual(it.bytes));
        let operator = parts.iter().rfind(|it| it.number == 4).map_or(&b""[..], |it| it.bytes);
        // What others call the same is something else.
        Some(Self { parts, operator: if is_own { operator } else { b"" } })
    }

    fn is_quantised(&self) -> bool {
        [&b"QuantizeLinear"[..], b"DequantizeLinear"].contains(&self.operator)
    }

    /// Names: inputs are 1, outputs 2.
    fn names(&self, number: u64) -> impl Iterator<Item = &'a [u8]> {
        self.parts.iter().filter(move |part| part.number == number).map(|part| part.bytes)
    }

    /// Graphs in it: branches, bodies of loops.
    fn graphs(&self) -> Option<Vec<&'a [u8]>> {
        let mut all = Vec::new();
        for part in self.parts.iter().filter(|part| part.number == 5) {
            let inner = fields(part.bytes)?.into_iter().filter(|it| matches!(it.number, 6 | 11));
            all.extend(inner.map(|it| it.bytes));
        }
        Some(all)
    }
}

/// The names that nodes of a graph know.
#[derive(Default)]
struct Scope<'a> {
    /// Whether whoever runs the model may give what the graph itself has, if it is an input, too.
    gives: bool,
    inputs: HashSet<&'a [u8]>,
    constants: HashSet<&'a [u8]>,
    /// Of what comes of a convolution, where all of it goes to a normalisation: what that adds and multiplies with.
    normalised: HashMap<&'a [u8], Vec<&'a [u8]>>,
    outside: Option<&'a Scope<'a>>,
}

impl<'a> Scope<'a> {
    fn of(graph: &[Field<'a>], outside: &'a Self) -> Option<Self> {
        let mut scope = Self { gives: outside.gives, outside: Some(outside), ..Self::default() };
        let mut uses: HashMap<&[u8], usize> = HashMap::new();
        let mut normalised = HashMap::new();
        for field in graph {
            let named = |number| {
                let parts = fields(field.bytes)?;
                Some(
                    parts.iter().find(|part| part.number == number).map_or(&b""[..], |it| it.bytes),
                )
            };
            match field.number {
                1 => {
                    let node = Node::of(field.bytes)?;
                    if node.operator == b"Constant" {
                        scope.constants.extend(node.names(2));
                    }
                    let inputs: Vec<&[u8]> = node.names(1).collect();
                    if node.operator == b"BatchNormalization"
                        && node.names(2).count() == 1
                        && let Some((first, others)) = inputs.split_first()
                    {
                        normalised.insert(*first, others.to_vec());
                    }
                    inputs.iter().for_each(|name| *uses.entry(name).or_default() += 1);
                    for graph in node.graphs()? {
                        used(graph, &mut uses)?;
                    }
                }
                5 => drop(scope.constants.insert(named(8)?)),
                11 => drop(scope.inputs.insert(named(1)?)),
                12 => *uses.entry(named(1)?).or_default() += 1,
                _ => {}
            }
        }
        match scope.gives {
            true => scope.constants.retain(|name| !scope.inputs.contains(name)),
            false => scope.inputs.retain(|name| !scope.constants.contains(name)),
        }
        normalised.retain(|name, _| uses.get(name) == Some(&1));
        scope.normalised = normalised;
        Some(scope)
    }

    fn all(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |scope| scope.outside)
    }

    fn is_input(&self, name: &[u8]) -> bool {
        self.all().any(|scope| scope.inputs.contains(name))
    }

    fn is_constant(&self, name: &[u8]) -> bool {
        self.all().any(|scope| scope.constants.contains(name))
    }

    /// The convolution over signals that a node is, if it is to be changed.
    fn convolution<'n>(&self, node: &Node<'n>) -> Option<Convolution<'n>> {
        let found = Some(node).filter(|node| node.operator == b"Conv");
        let found = Convolution::of(&found?.parts)?;
        // As ONNX Runtime's ConvBNFusion has it.
        let is_normalised = self.normalised.get(found.output).is_some_and(|others| {
            found.inputs[1..].iter().chain(others).all(|name| self.is_constant(name))
        });
        (!is_normalised && !self.is_input(found.inputs[1])).then_some(found)
    }
}

/// Counts what the nodes of a graph use.
fn used<'a>(graph: &'a [u8], uses: &mut HashMap<&'a [u8], usize>) -> Option<()> {
    for field in fields(graph)? {
        match field.number {
            1 => {
                let node = Node::of(field.bytes)?;
                node.names(1).for_each(|name| *uses.entry(name).or_default() += 1);
                node.graphs()?.into_iter().try_for_each(|graph| used(graph, uses))?;
            }
            12 => {
                let parts = fields(field.bytes)?;
                let name =
                    parts.iter().find(|part| part.number == 1).map_or(&b""[..], |it| it.bytes);
                *uses.entry(name).or_default() += 1;
            }
            _ => {}
        }
    }
    Some(())
}

/// How many convolutions of a graph are to be changed; nothing if it has what is left as it is, or is none.
fn count(graph: &[u8], outside: &Scope<'_>) -> Option<usize> {
    let fields = fields(graph)?;
    let scope = Scope::of(&fields, outside)?;
    let mut found = 0;
    for field in fields.iter().filter(|field| field.number == 1) {
        let node = Node::of(field.bytes)?;
        if node.is_quantised() {
            return None;
        }
        if scope.convolution(&node).is_some() {
            found += 1;
            continue;
        }
        for graph in node.graphs()? {
            found += count(graph, &scope)?;
        }
    }
    Some(found)
}

#[derive(Default)]
struct Changes {
    /// Convolutions so far.
    count: usize,
}

impl Changes {
    /// A graph, changed; nothing if it is none.
    fn graph(&mut self, graph: &[u8], outside: &Scope<'_>) -> Option<Vec<u8>> {
        let fields = fields(graph)?;
        let scope = Scope::of(&fields, outside)?;
        let mut out = Vec::with_capacity(graph.len());
        for field in fields {
            match field.number {
                1 => self.node(&field, &scope, &mut out)?,
                _ => out.extend_from_slice(field.whole),
            }
        }
        Some(out)
    }

    fn node(&mut self, whole: &Field<'_>, scope: &Scope<'_>, out: &mut Vec<u8>) -> Option<()> {
        let read = Node::of(whole.bytes)?;
        if let Some(convolution) = scope.convolution(&read) {
            self.count += 1;
            convolution.put(&format!("{PREFIX}{}.", self.count), out);
            return Some(());
        }
        let mut node = Vec::with_capacity(whole.bytes.len());
        for part in read.parts {
            match part.number {
                5 => {
                    let mut attribute = Vec::with_capacity(part.bytes.len());
                    for inner in fields(part.bytes)? {
                        match inner.number {
                            6 | 11 => {
                                let graph = self.graph(inner.bytes, scope)?;
                                put(&mut attribute, inner.number, &graph);
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
        // What is given with every run is turned with every run; what is a default may be given, too, but in old models.
        let named = |number, name: &[u8]| wrap(number, &wrap(1, name));
        let own = |name: &[u8]| wrap(5, &wrap(8, name));
        let weights = |parts: &[&[u8]], version: u8| {
            let graph = [&[&*known][..], parts].concat().concat();
            [vec![1 << 3, version], model(&graph, 13)].concat()
        };
        assert!(side_by_side(&weights(&[&own(b"w")], 8)).is_some());
        assert!(side_by_side(&weights(&[&named(11, b"w")], 8)).is_none());
        assert!(side_by_side(&weights(&[&own(b"w"), &named(11, b"w")], 8)).is_none());
        assert!(side_by_side(&weights(&[&own(b"w"), &named(11, b"w")], 3)).is_some());
        let mut inside = node("If", &[b"which"], b"y");
        put(&mut inside, 5, &wrap(6, &known));
        let inside = [wrap(1, &inside), named(11, b"w")].concat();
        assert!(side_by_side(&model(&inside, 16)).is_none(), "an input of the graph around it");
        // A normalisation that ONNX Runtime takes into the weights.
        let normal = wrap(1, &node("BatchNormalization", &[b"y", b"s", b"b", b"m", b"v"], b"z"));
        let constants = [b"w", b"s", b"b", b"m", b"v"].map(|name| own(name)).concat();
        let behind = |more: &[u8]| model(&[&*known, &normal, &constants, more].concat(), 13);
        assert!(side_by_side(&behind(&[])).is_none());
        let other = wrap(1, &node("Relu", &[b"y"], b"other"));
        assert!(side_by_side(&behind(&other)).is_some(), "another needs what it is made of");
        assert!(side_by_side(&behind(&named(12, b"y"))).is_some(), "it is told");
        let given = [vec![1 << 3, 8], behind(&named(11, b"s"))].concat();
        assert!(side_by_side(&given).is_some(), "what it multiplies with may be given");
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
