//! `classify`: which of several classes a model finds in pieces of a signal, tensors or pictures.
//!
//! | field    | meaning                                                                      |
//! |----------|------------------------------------------------------------------------------|
//! | `label`  | name of the likeliest class; `unknown` where its score is below `min_score`   |
//! | `index`  | its number, from 0                                                            |
//! | `score`  | its score, 0 to 1                                                             |
//! | `margin` | by how much it is ahead of the second                                         |
//! | `scores` | of all classes, with `all_scores`                                              |
//!
//! Scores are the softmax of what the model gives, unless that is scores already.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use engine::{
    Answer, Body, Buffer, BuildError, Code, Diagnostic, Diagnostics, Dimension, Doubt, Element,
    EventFormat, EventWriter, Fault, Field, FieldKind, Format, Kind, Node, Param, Placement, Port,
    TensorFormat,
};

use crate::{
    cache::unchanged::{SKIP_UNCHANGED, UNCHANGED},
    host::{Row, Rowwise},
    signature::Slot,
};

use super::{
    absent,
    asking::{
        COLOURS, GROW_S, HOP_S, IN_FLIGHT, INPUT, LAYOUT, MEAN, MODEL, NORMALIZE, PRIORITY,
        Planned, QUALITY, SESSION, STD, WINDOW_S, WITHIN_MS,
    },
    call::Asks,
    infer::{named, output},
    labels::{LABELS, LABELS_FILE, labels},
    stand_in::FALLBACK,
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "classify",
    summary: "Which of several classes a model finds in what it is asked about.",
    doc: "An event for every question: `label`, the likeliest class by name (its number without \
          `labels`), `index`, `score` from 0 to 1, and `margin`, by how much it is ahead of the second. \
          Where the score is below `min_score` the label is \"unknown\". With `all_scores` also \
          `scores`, a list. `activation` says what turns the model's numbers into scores: \"softmax\", \
          \"sigmoid\" for classes that do not exclude each other, \"none\"; \"auto\" takes them as \
          they are where all lie in 0 to 1 and add up to 1 (one alone: where it lies in 0 to 1), else the softmax (one alone: the sigmoid). Questions \
          are made as by `infer`: pieces of a signal, tensors, pictures, with `normalize`. The event \
          has the moment of its piece's first sample and the piece's length: the look-back. What is \
          not answered within `within_ms`, or fails, gets `fallback`, a label with score 0 (number −1 \
          where it is \"unknown\"), else it is dropped, counted and told at the end. NaN goes \
          into the model as it is; a model that gives NaN has failed. Without a model that is `optional` \
          the events have no fields. Delay: none. Cost: the model's, \
          on threads of its own. A model of several segments has `exit` as well, the number of the segment \
          at whose end a question left, from 1. With `hard` what is below `min_score` leaves by that port \
          instead, to be asked elsewhere: as it was asked (\"question\"), or what the model gave besides, by \
          the name of its output. With `grow_s` a piece of a signal is asked about while it grows, with \
          zeros for what is still to come, and told as soon as the score is `sure` (arXiv 2402.00857): \
          the event has the length that it took, and the rest of the piece is not asked about; pieces must \
          not overlap.",
    example: "model = \"m\"\nlabels = [\"calm\", \"tense\"]\n\n[model.m]\nfile = \"model.onnx\"",
    inputs: &[Port::any("in")],
    outputs: &[Port::event("out"), Port::tensor("hard")],
    params: &[
        &MODEL,
        &INPUT,
        &OUTPUT,
        &LABELS,
        &LABELS_FILE,
        &MIN_SCORE,
        &ACTIVATION,
        &ALL_SCORES,
        &HARD,
        &WINDOW_S,
        &HOP_S,
        &GROW_S,
        &SURE,
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
        let events = |rate_max| Ok(Some(Format::event(fields(node)?, rate_max)));
        if let Some(mut outline) = absent::outline(node, events)? {
            outline.outputs.push(tensor(vec![1]));
            return Ok(outline);
        }
        let planned = Planned::of(node)?;
        ASKS.stand_in_of(node, &planned)?;
        let format = Format::Event(Classify::of(node, &planned)?.format);
        let hard = Hard::format(node, &planned)?;
        let mut outline = planned.outline(format);
        outline.outputs.push(hard);
        Ok(outline)
    },
    build: |node| {
        if let Some(body) = absent::body(node, false).map_err(BuildError::Graph)? {
            return Ok(body);
        }
        Ok(Body::call(ASKS.call(node)?))
    },
    ..Kind::BASE
};

static ASKS: Asks = Asks {
    read: |node, planned| Ok(Box::new(Classify::of(node, planned)?)),
    stand_in: |node, planned, written| {
        let classify = Classify::of(node, planned)?;
        let index = classify.labels.iter().position(|label| label == written);
        let is_known = index.is_some() || written == UNKNOWN;
        let index = index.map_or(-1, |index| index as i64);
        let span_ns = classify.span_ns;
        Ok(is_known.then(|| classify.event(written, index, (0.0, 0.0), &[], (span_ns, 0)).into()))
    },
    stand_ins: "one of the labels, or \"unknown\"",
};

const OUTPUT: Param<&str> =
    Param::optional("output", "The model's output with the scores; the first unless written.");
const MIN_SCORE: Param<f64> =
    Param::with_default("min_score", 0.0, "Below this score the label is \"unknown\".")
        .within(0.0, 1.0)
        .live();
const ACTIVATION: Param<&str> = Param::with_default(
    "activation",
    "auto",
    "What turns the model's numbers into scores: \"softmax\", \"sigmoid\", \"none\", or \"auto\".",
)
.one_of(&["auto", "softmax", "sigmoid", "none"]);
const HARD: Param<&str> = Param::optional(
    "hard",
    "What leaves by the port `hard` in place of \"unknown\": \"question\", or an output of the model.",
);
const SURE: Param<f64> = Param::with_default(
    "sure",
    0.9,
    "With `grow_s`: the score from which on a piece is told before it is whole.",
)
.within(0.0, 1.0)
.live();
const ALL_SCORES: Param<bool> =
    Param::with_default("all_scores", false, "Whether the scores of all classes are told as well.");

/// Longest name of a class, in bytes.
const LABEL_BYTES_MAX: usize = 128;
/// Most classes whose scores are all told.
const CLASSES_MAX: usize = 4 << 10;
const UNKNOWN: &str = "unknown";

/// What turns a model's numbers into scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Activation {
    Auto,
    Softmax,
    Sigmoid,
    None,
}

impl Activation {
    /// As written in a graph.
    pub(super) fn named(name: &str) -> Self {
        match name {
            "softmax" => Self::Softmax,
            "sigmoid" => Self::Sigmoid,
            "none" => Self::None,
            _ => Self::Auto,
        }
    }

    /// The scores of these numbers.
    pub(super) fn scores(self, numbers: &[f32]) -> Vec<f64> {
        let numbers: Vec<f64> = numbers.iter().map(|&number| f64::from(number)).collect();
        let is_single = numbers.len() == 1;
        let known = match self {
            Self::Auto if are_scores(&numbers) => Self::None,
            Self::Auto if is_single => Self::Sigmoid,
            Self::Auto => Self::Softmax,
            known => known,
        };
        match known {
            Self::None | Self::Auto => numbers,
            Self::Sigmoid => numbers.iter().map(|number| 1.0 / (1.0 + (-number).exp())).collect(),
            Self::Softmax => softmax(&numbers),
        }
    }
}

/// exp(x − max) / Σ exp(x − max), which does not overflow.
fn softmax(numbers: &[f64]) -> Vec<f64> {
    let most = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let parts: Vec<f64> = numbers.iter().map(|number| (number - most).exp()).collect();
    let sum: f64 = parts.iter().sum();
    parts.into_iter().map(|part| part / sum).collect()
}

/// Whether these are scores already. A sum of rounded half-precision scores is off by some 1e-3.
fn are_scores(numbers: &[f64]) -> bool {
    let all_lie_in = numbers.iter().all(|number| (0.0..=1.0).contains(number));
    all_lie_in && (numbers.len() == 1 || (numbers.iter().sum::<f64>() - 1.0).abs() < 2e-3)
}

#[derive(Debug)]
struct Classify {
    output: usize,
    labels: Vec<String>,
    activation: Activation,
    min_score: f64,
    all_scores: bool,
    format: Arc<EventFormat>,
    /// Number of the field with the exit, where there are several.
    exit: Option<usize>,
    hard: Option<Hard>,
    /// From which score on a piece is told before it is whole.
    sure: Option<f64>,
    told: Told,
    span_ns: i64,
}

impl Classify {
    fn of(node: &Node<'_>, planned: &Planned) -> Result<Self, Diagnostics> {
        let outputs = planned.outputs();
        let output = output(node, &OUTPUT, outputs)?;
        let Some(classes) = outputs.get(output).and_then(crate::signature::Slot::count) else {
            let message = "the model does not say how many classes it has";
            let problem = node.problem(Code::FormatMismatch, MODEL.name(), message);
            let hint = "name the output with one number a class: `output`";
            return Err(problem.hint(hint).into());
        };
        Ok(Self {
            output,
            labels: labels(node, classes)?,
            activation: Activation::named(node.get(&ACTIVATION)?),
            min_score: node.get(&MIN_SCORE)?,
            all_scores: node.get(&ALL_SCORES)?,
            format: Arc::new(EventFormat {
                fields: all_fields(node, planned)?,
                rate_max: planned.rate_max,
            }),
            exit: (planned.service.model.segments() > 1).then(|| exit_field(node)).transpose()?,
            hard: Hard::of(node, outputs)?,
            sure: planned.told.is_some().then(|| node.get(&SURE)).transpose()?,
            told: Told(planned.told.clone()),
            span_ns: planned.span_ns,
        })
    }

    fn event(
        &self,
        label: &str,
        index: i64,
        (score, margin): (f64, f64),
        all: &[f64],
        (span_ns, exit): (i64, usize),
    ) -> Buffer {
        let event = EventWriter::new(&self.format)
            .duration_ns(span_ns)
            .text(0, label)
            .i64(1, index)
            .f64(2, score)
            .f64(3, margin);
        let event = match self.exit {
            Some(field) => event.i64(field, exit as i64),
            None => event,
        };
        if !self.all_scores {
            return event.finish();
        }
        let all: Vec<f32> = all.iter().map(|&score| score as f32).collect();
        event.floats(4, &all).finish()
    }
}

/// What leaves by the second port.
#[derive(Clone, Copy, Debug)]
enum Hard {
    /// What was asked.
    Question,
    /// This output of the model.
    Output(usize),
}

impl Hard {
    fn of(node: &Node<'_>, outputs: &[Slot]) -> Result<Option<Self>, Diagnostic> {
        Ok(match node.get_optional(&HARD)? {
            None => None,
            Some("question") => Some(Self::Question),
            Some(name) => Some(Self::Output(named(node, &HARD, name, outputs)?)),
        })
    }

    /// The format of the second port.
    fn format(node: &Node<'_>, planned: &Planned) -> Result<Format, Diagnostics> {
        let outputs = planned.outputs();
        let Some(Self::Output(output)) = Self::of(node, outputs)? else {
            return Ok(tensor(planned.shape.clone()));
        };
        let lens: Option<Vec<usize>> = outputs[output].question().into_iter().collect();
        lens.map(tensor).ok_or_else(|| {
            let slot = &outputs[output];
            let message = format!("the model does not say how long its output `{slot}` is");
            let problem = node.problem(Code::FormatMismatch, HARD.name(), message);
            problem.hint("export the model with fixed lengths, or write \"question\"").into()
        })
    }
}

fn tensor(lens: Vec<usize>) -> Format {
    let shape = lens.into_iter().map(Dimension::Fixed).collect();
    Format::Tensor(TensorFormat { element: Element::F32, shape }.into())
}

/// Which piece was told last; what is asked about it then is answered with nothing.
#[derive(Clone, Default)]
struct Told(Option<Arc<AtomicI64>>);

impl std::fmt::Debug for Told {
    /// Nothing that an answer depends on.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Told")
    }
}

/// The number of the field with the exit: the last.
fn exit_field(node: &Node<'_>) -> Result<usize, Diagnostic> {
    Ok(fields(node)?.len())
}

fn all_fields(node: &Node<'_>, planned: &Planned) -> Result<Vec<Field>, Diagnostic> {
    let mut fields = fields(node)?;
    if planned.service.model.segments() > 1 {
        fields.push(Field::i64("exit"));
    }
    Ok(fields)
}

fn fields(node: &Node<'_>) -> Result<Vec<Field>, Diagnostic> {
    let mut fields = vec![
        Field::text("label", LABEL_BYTES_MAX),
        Field::i64("index"),
        Field::f64("score"),
        Field::f64("margin"),
    ];
    if node.get(&ALL_SCORES)? {
        fields.push(Field { name: "scores", kind: FieldKind::Floats { max: CLASSES_MAX } });
    }
    Ok(fields)
}

impl Rowwise for Classify {
    fn read(&self, row: &Row<'_>) -> Result<Answer, Fault> {
        let numbers = row.output(self.output);
        if numbers.len() != self.labels.len() {
            let (got, wanted) = (numbers.len(), self.labels.len());
            return Err(Fault::data(format!("the model gave {got} scores, not {wanted}")));
        }
        let scores = self.activation.scores(numbers);
        let best =
            (0..scores.len()).fold(0, |best, n| if scores[n] > scores[best] { n } else { best });
        let others = (0..scores.len()).filter(|&n| n != best).map(|n| scores[n]);
        let second = others.reduce(f64::max).unwrap_or(0.0);
        let score = scores[best];
        if !score.is_finite() {
            return Err(Fault::data("the model gave scores that are not finite"));
        }
        let note = row.note();
        if let (Some(sure), Some(told)) = (self.sure, &self.told.0) {
            if score < sure && note.grows {
                return Ok(Answer::nothing());
            }
            told.store(note.time_ns, Ordering::Relaxed);
        }
        if let Some(hard) = self.hard.filter(|_| score < self.min_score) {
            let numbers = match hard {
                Hard::Question => row.question(),
                Hard::Output(output) => row.output(output),
            };
            let hard = Answer::nothing().and(1, Buffer::of_floats(numbers, numbers.len()));
            return Ok(hard.in_doubt(Doubt::Some));
        }
        let is_unknown = score < self.min_score;
        let label = if is_unknown { UNKNOWN } else { &self.labels[best] };
        let about = (note.span_ns.unwrap_or(self.span_ns), row.exit() + 1);
        let event = self.event(label, best as i64, (score, score - second), &scores, about);
        Ok(Answer::from(event).in_doubt(if is_unknown { Doubt::Some } else { Doubt::None }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_taken_as_they_are_and_others_made() {
        assert_eq!(Activation::Auto.scores(&[0.25, 0.75]), [0.25, 0.75]);
        let made = Activation::Auto.scores(&[0.0, 0.0, f32::MIN]);
        assert_eq!(made, [0.5, 0.5, 0.0]);
        assert_eq!(Activation::Auto.scores(&[0.0]), [0.0]);
        assert_eq!(Activation::Sigmoid.scores(&[0.0]), [0.5]);
        assert!(Activation::Auto.scores(&[1e30, -1e30]).iter().all(|score| score.is_finite()));
    }
}
