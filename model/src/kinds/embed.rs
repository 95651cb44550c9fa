//! `embed`: a vector that stands for what a model was asked about, to be compared with others.
//!
//! | port  | carries                                          |
//! |-------|--------------------------------------------------|
//! | `in`  | a signal, tensors of f32, or pictures              |
//! | `out` | a tensor of f32 with one dimension                 |
//!
//! With `unit` a vector has length 1, so that the product of two is the cosine between them.

use engine::{
    Answer, Body, Buffer, Code, Diagnostics, Dimension, Element, Fault, Format, Kind, Node, Param,
    Placement, Port, TensorFormat,
};

use crate::{
    cache::unchanged::{SKIP_UNCHANGED, UNCHANGED},
    host::{Row, Rowwise},
};

use super::{
    absent,
    asking::{
        COLOURS, HOP_S, IN_FLIGHT, INPUT, LAYOUT, MEAN, MODEL, NORMALIZE, PRIORITY, Planned,
        QUALITY, SESSION, STD, WINDOW_S, WITHIN_MS,
    },
    call::Asks,
    infer::output,
    stand_in::FALLBACK,
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "embed",
    summary: "A vector that stands for what a model was asked about.",
    doc: "A tensor of f32 with one dimension for every question: all numbers of `output`, and with `unit` \
          divided by their length, so that the product of two is the cosine between them; a vector of \
          zeros stays. Questions are made as by `infer`: pieces of a signal, tensors, pictures, with \
          `normalize`. The vector has the moment of its piece's first sample: the look-back is the \
          piece's length. What is not answered within `within_ms`, or fails, gets `fallback`, \
          else it is dropped, counted and told at the end. NaN goes into the model as it is; a model that gives NaN has failed. Delay: \
          none. Cost: the model's, on threads of its own.",
    example: "model = \"m\"\n\n[model.m]\nfile = \"model.onnx\"",
    inputs: &[Port::any("in")],
    outputs: &[Port::tensor("out")],
    params: &[
        &MODEL,
        &INPUT,
        &OUTPUT,
        &UNIT,
        &WINDOW_S,
        &HOP_S,
        &LAYOUT,
        &COLOURS,
        &NORMALIZE,
        &MEAN,
        &STD,
        &WITHIN_MS,
        &PRIORITY,
        &QUALITY,
        &SESSION,
        &IN_FLIGHT,
        &FALLBACK,
        &SKIP_UNCHANGED,
        &UNCHANGED,
    ],
    placement: Placement::Asks,
    plan: |node| {
        if let Some(outline) = absent::outline(node, |_| Ok(None))? {
            return Ok(outline);
        }
        let planned = Planned::of(node)?;
        ASKS.stand_in_of(node, &planned)?;
        let embed = Embed::of(node, &planned)?;
        let shape = vec![Dimension::Fixed(embed.len)];
        let format = Format::Tensor(TensorFormat { element: Element::F32, shape }.into());
        Ok(planned.outline(format))
    },
    build: |node| Ok(Body::call(ASKS.call(node)?)),
    ..Kind::BASE
};

static ASKS: Asks = Asks {
    read: |node, planned| Ok(Box::new(Embed::of(node, planned)?)),
    stand_in: |node, planned, written| {
        let len = Embed::of(node, planned)?.len;
        Ok((written == "zeros").then(|| Buffer::of_floats(&vec![0.0; len], len).into()))
    },
    stand_ins: "\"zeros\"",
};

const OUTPUT: Param<&str> =
    Param::optional("output", "The model's output with the vector; the first unless written.");
const UNIT: Param<bool> =
    Param::with_default("unit", true, "Whether vectors are brought to length 1.");

#[derive(Debug)]
struct Embed {
    output: usize,
    len: usize,
    unit: bool,
}

impl Embed {
    fn of(node: &Node<'_>, planned: &Planned) -> Result<Self, Diagnostics> {
        let outputs = planned.outputs();
        let output = output(node, &OUTPUT, outputs)?;
        let Some(len) = outputs.get(output).and_then(crate::signature::Slot::count) else {
            let message = "the model does not say how long its vectors are";
            let problem = node.problem(Code::FormatMismatch, MODEL.name(), message);
            return Err(problem.hint("name an output of fixed length: `output`").into());
        };
        Ok(Self { output, len, unit: node.get(&UNIT)? })
    }
}

impl Rowwise for Embed {
    fn read(&self, row: &Row<'_>) -> Result<Answer, Fault> {
        let numbers = row.output(self.output);
        if numbers.len() != self.len {
            let got = numbers.len();
            return Err(Fault::data(format!("the model gave {got} numbers, not {}", self.len)));
        }
        let mut vector = Buffer::of_floats(numbers, self.len);
        let square = numbers.iter().map(|&number| f64::from(number).powi(2)).sum::<f64>();
        if self.unit && square > 0.0 {
            let factor = (1.0 / square.sqrt()) as f32;
            vector.floats_mut().expect("fresh").iter_mut().for_each(|number| *number *= factor);
        }
        Ok(vector.into())
    }
}
