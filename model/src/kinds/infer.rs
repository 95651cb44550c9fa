//! `infer`: ask a model about pieces of a signal, tensors or pictures.
//!
//! | port  | carries                                                                     |
//! |-------|-----------------------------------------------------------------------------|
//! | `in`  | a signal, tensors of f32, or pictures                                         |
//! | `out` | what the model gives: a tensor of f32, or with `fields` an event of numbers     |
//!
//! Of a signal the model gets pieces, each with the samples of every channel. An answer has the moment of its piece's first sample, and
//! an event the piece's length; that is the look-back. Answers come in order, though many may be asked
//! at once, of all sessions together.

use std::sync::Arc;

use engine::{
    Answer, Body, Buffer, Code, Diagnostic, Diagnostics, Dimension, Element, EventFormat,
    EventWriter, Fault, Field, FieldKind, Format, Kind, Node, Param, Placement, Port, TensorFormat,
};

use crate::{
    cache::unchanged::{SKIP_UNCHANGED, UNCHANGED},
    host::{Row, Rowwise},
    names::kept,
    signature::Slot,
};

use super::{
    absent,
    asking::{
        COLOURS, HOP_S, IN_FLIGHT, INPUT, LAYOUT, MEAN, MODEL, NORMALIZE, PRIORITY, Planned,
        QUALITY, SESSION, STD, WINDOW_S, WITHIN_MS,
    },
    call::Asks,
    stand_in::FALLBACK,
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "infer",
    summary: "Ask a model about pieces of a signal, tensors or pictures.",
    doc: "Gives what the model gives: the numbers of `output` as a tensor of f32, or with `fields` as an \
          event of numbers with these names. Of a signal the model gets pieces of window_s, a new one \
          every hop_s, from the first sample on and from the first behind a gap; a last one that is not \
          full is left out. Without window_s a piece is as long as the model takes. Tensors, such as \
          those of `window`, `epoch` and `stft`, are asked about whole; of pictures each channel goes \
          from 0 to 1. The shape is checked against the model's. `normalize` scales each channel of a \
          question by itself, with \"given\" by `mean` and `std`. An answer has the moment of its \
          piece's first sample, an event the piece's length: the look-back. Questions of all sessions \
          are run together, up to `batch_max` of the model; answers come in order. A model \
          whose file fixes how many questions a run has, as in [8, 256], is asked so many at once; rows that \
          nobody asks for hold questions of low priority, and then the last question again. What is not \
          answered within `within_ms`, or fails, gets `fallback`, else it is dropped, counted and told at \
          the end. NaN goes \
          into the model as it is; a model that gives NaN has failed. Delay: none. Cost: the model's, on \
          threads of its own.",
    example: "model = \"m\"\n\n[model.m]\nfile = \"model.onnx\"",
    inputs: &[Port::any("in")],
    outputs: &[Port::any("out")],
    params: &[
        &MODEL,
        &INPUT,
        &OUTPUT,
        &FIELDS,
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
        if let Some(outline) = absent::outline(node, |rate_max| events(node, rate_max))? {
            return Ok(outline);
        }
        let planned = Planned::of(node)?;
        ASKS.stand_in_of(node, &planned)?;
        let output = output(node, &OUTPUT, planned.outputs())?;
        let format = format(node, &planned, &planned.outputs()[output])?;
        Ok(planned.outline(format))
    },
    build: |node| {
        if let Some(body) = absent::body(node, false).map_err(engine::BuildError::Graph)? {
            return Ok(body);
        }
        Ok(Body::call(ASKS.call(node)?))
    },
    ..Kind::BASE
};

static ASKS: Asks = Asks {
    read: |node, planned| {
        let output = output(node, &OUTPUT, planned.outputs())?;
        let slot = &planned.outputs()[output];
        Ok(match format(node, planned, slot)? {
            Format::Event(format) => Box::new(Numbers { output, format, span_ns: planned.span_ns }),
            _ => {
                let len = slot.question().last().copied().flatten().unwrap_or(1);
                Box::new(Whole { output, len, count: slot.count() })
            }
        })
    },
    stand_in: |node, planned, written| {
        let Some(number) = written.trim().parse().ok().filter(|number: &f64| number.is_finite())
        else {
            return Ok(None);
        };
        let output = output(node, &OUTPUT, planned.outputs())?;
        let slot = &planned.outputs()[output];
        Ok(match format(node, planned, slot)? {
            Format::Event(format) => {
                let empty = EventWriter::new(&format).duration_ns(planned.span_ns);
                let fields = 0..format.fields.len();
                Some(fields.fold(empty, |event, n| event.f64(n, number)).finish().into())
            }
            _ => {
                let len = slot.question().last().copied().flatten().unwrap_or(1);
                Some(
                    Buffer::of_floats(&vec![number as f32; slot.count().unwrap_or(len)], len)
                        .into(),
                )
            }
        })
    },
    stand_ins: "one number for all that the model gives, such as \"0\"",
};

const OUTPUT: Param<&str> =
    Param::optional("output", "The model's output that is given; the first unless written.");
const FIELDS: Param<&[&str]> =
    Param::optional("fields", "Names of the output's numbers; it is an event then.");

/// The number of the output that a parameter names; the first where it is not written.
pub(super) fn output(
    node: &Node<'_>,
    param: &Param<&'static str>,
    outputs: &[Slot],
) -> Result<usize, Diagnostic> {
    let Some(name) = node.get_optional(param)? else { return Ok(0) };
    named(node, param, name, outputs)
}

/// The number of the output that a parameter names.
pub(super) fn named(
    node: &Node<'_>,
    param: &Param<&'static str>,
    name: &str,
    outputs: &[Slot],
) -> Result<usize, Diagnostic> {
    let known = || outputs.iter().map(|slot| slot.name.as_str());
    known().position(|known| known == name).ok_or_else(|| {
        let message = format!("the model has no output `{name}`");
        let problem = node.problem(Code::UnknownPort, param.name(), message);
        let all: Vec<&str> = known().collect();
        let problem = problem.hint(format!("its outputs are `{}`", all.join("`, `")));
        problem.did_you_mean(engine::nearest(name, known()))
    })
}

fn format(node: &Node<'_>, planned: &Planned, slot: &Slot) -> Result<Format, Diagnostics> {
    if let Some(names) = node.get_optional(&FIELDS)? {
        if slot.count().is_some_and(|count| count != names.len()) || names.len() > 64 {
            let message =
                format!("`fields` has {} names for the model's output `{slot}`", names.len());
            let problem = node.problem(Code::OutOfRange, FIELDS.name(), message);
            return Err(problem.hint("name each of its numbers once, 64 at most").into());
        }
        return Ok(named_numbers(&names, planned.rate_max));
    }
    let lens: Option<Vec<usize>> = slot.question().into_iter().collect();
    let Some(lens) = lens else {
        let message = format!("the model does not say how long its output `{slot}` is");
        let problem = node.problem(Code::FormatMismatch, MODEL.name(), message);
        return Err(problem
            .hint("export the model with fixed lengths, or name its numbers with `fields`")
            .into());
    };
    let shape = lens.into_iter().map(Dimension::Fixed).collect();
    Ok(Format::Tensor(TensorFormat { element: Element::F32, shape }.into()))
}

fn named_numbers(names: &[&str], rate_max: f64) -> Format {
    let field = |name: &&str| Field { name: kept(name), kind: FieldKind::F64 };
    Format::event(names.iter().map(field).collect(), rate_max)
}

/// What it gives with `fields`, which need no model to be known.
fn events(node: &Node<'_>, rate_max: f64) -> Result<Option<Format>, Diagnostics> {
    Ok(node.get_optional(&FIELDS)?.map(|names| named_numbers(&names, rate_max)))
}

/// Gives an output as it is.
#[derive(Debug)]
struct Whole {
    output: usize,
    len: usize,
    /// As many numbers as the format says.
    count: Option<usize>,
}

impl Rowwise for Whole {
    fn read(&self, row: &Row<'_>) -> Result<Answer, Fault> {
        let numbers = row.output(self.output);
        if self.count.is_some_and(|count| count != numbers.len()) {
            let (got, wanted) = (numbers.len(), self.count.unwrap_or(0));
            return Err(Fault::data(format!("the model gave {got} numbers, not {wanted}")));
        }
        Ok(Buffer::of_floats(numbers, self.len).into())
    }
}

/// Gives an output as an event of numbers.
#[derive(Debug)]
struct Numbers {
    output: usize,
    format: Arc<EventFormat>,
    span_ns: i64,
}

impl Rowwise for Numbers {
    fn read(&self, row: &Row<'_>) -> Result<Answer, Fault> {
        let numbers = row.output(self.output);
        let wanted = self.format.fields.len();
        if numbers.len() != wanted {
            return Err(Fault::data(format!(
                "the model gave {} numbers, not {wanted}",
                numbers.len()
            )));
        }
        let empty = EventWriter::new(&self.format).duration_ns(self.span_ns);
        let numbers = numbers.iter().enumerate();
        let event = numbers.fold(empty, |event, (n, &number)| event.f64(n, number.into()));
        Ok(event.finish().into())
    }
}
