//! `detect`: where in a picture, or another question, a model finds something.
//!
//! | field               | meaning                                                          |
//! |---------------------|------------------------------------------------------------------|
//! | `label`             | name of the class                                                 |
//! | `score`             | 0 to 1                                                            |
//! | `x0` `y0` `x1` `y1` | corners of the box, as the model gives them: mostly in 0 to 1       |
//!
//! Made for models that give a list of boxes and for each the scores of its classes, such as those of
//! the SSD family. Of boxes of one class that overlap by more than `overlap` (intersection over union),
//! the likeliest stays.

use std::sync::Arc;

use engine::{
    Answer, Body, BuildError, Code, Diagnostics, EventFormat, EventWriter, Fault, Field, Format,
    Kind, Node, Param, Placement, Port,
};

use crate::host::{Row, Rowwise};

use super::{
    absent,
    asking::{
        HOP_S, IN_FLIGHT, INPUT, LAYOUT, MEAN, MODEL, NORMALIZE, Planned, STD, WINDOW_S, WITHIN_MS,
    },
    classify::Activation,
    infer::named,
    labels::{LABELS, LABELS_FILE, labels},
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "detect",
    summary: "Where in a picture a model finds something, a box each.",
    doc: "An event for every thing found: `label`, `score` from 0 to 1, and the box `x0`, `y0`, `x1`, \
          `y1` as the model gives it, mostly in shares of width and height; none where nothing is found. \
          For models that give a list of `boxes`, four numbers each, and for each of them the `scores` \
          of its classes, such as those of the SSD family: with `box_format` \"corners\" x0, y0, x1, y1, \
          with \"center\" the middle, width and height. Class number `background`, where there is one, is \
          nothing. Boxes below `min_score` are left out; of those of one class that overlap by more \
          than `overlap`, intersection over union, the likeliest stays; `most` are told, the likeliest first. \
          `activation` as in `classify`. Questions are made as by `infer`. The events have the moment \
          of what was asked about. What is not answered within `within_ms`, or fails, is dropped, \
          counted and told at the end. NaN goes into the model as it is; a model that gives NaN has \
          failed. Delay: none. Cost: the model's, on threads of its own, and for n boxes above \
          `min_score` some n² / 2 overlaps.",
    example: "model = \"m\"\nlabels = [\"one\", \"two\", \"three\", \"four\"]\n\n[model.m]\nfile = \"detector.onnx\"",
    inputs: &[Port::any("in")],
    outputs: &[Port::event("out")],
    params: &[
        &MODEL,
        &INPUT,
        &BOXES,
        &SCORES,
        &BOX_FORMAT,
        &BACKGROUND,
        &LABELS,
        &LABELS_FILE,
        &MIN_SCORE,
        &OVERLAP,
        &MOST,
        &ACTIVATION,
        &WINDOW_S,
        &HOP_S,
        &LAYOUT,
        &NORMALIZE,
        &MEAN,
        &STD,
        &WITHIN_MS,
        &IN_FLIGHT,
    ],
    placement: Placement::Asks,
    plan: |node| {
        let events = |rate_max| Ok(Some(Format::event(fields(), rate_max)));
        if let Some(outline) = absent::outline(node, events)? {
            return Ok(outline);
        }
        let planned = Planned::of(node)?;
        let format = Format::Event(Detect::of(node, &planned)?.format);
        Ok(planned.outline(format))
    },
    build: |node| {
        if let Some(body) = absent::body(node, true).map_err(BuildError::Graph)? {
            return Ok(body);
        }
        let planned = Planned::of(node).map_err(BuildError::Graph)?;
        let detect = Detect::of(node, &planned).map_err(BuildError::Graph)?;
        Ok(Body::call(planned.call(node, Box::new(detect))?))
    },
    ..Kind::BASE
};

const BOXES: Param<&str> =
    Param::with_default("boxes", "boxes", "The model's output with the boxes.");
const SCORES: Param<&str> =
    Param::with_default("scores", "scores", "The model's output with the scores of each box.");
const BOX_FORMAT: Param<&str> =
    Param::with_default("box_format", "corners", "What the four numbers of a box are.")
        .one_of(&["corners", "center"]);
const BACKGROUND: Param<i64> =
    Param::optional("background", "The class that means nothing is there.").within(0.0, 1e6);
const MIN_SCORE: Param<f64> =
    Param::with_default("min_score", 0.5, "Boxes with a lower score are left out.")
        .within(0.0, 1.0);
const OVERLAP: Param<f64> =
    Param::with_default("overlap", 0.45, "Of boxes that overlap by more, the likeliest stays.")
        .within(0.0, 1.0);
const MOST: Param<i64> =
    Param::with_default("most", 32, "Most things told of one question.").within(1.0, 1_024.0);
const ACTIVATION: Param<&str> = Param::with_default(
    "activation",
    "none",
    "What turns the model's numbers into scores: \"softmax\", \"sigmoid\", \"none\", or \"auto\".",
)
.one_of(&["none", "auto", "softmax", "sigmoid"]);

fn fields() -> Vec<Field> {
    let numbers = ["score", "x0", "y0", "x1", "y1"].map(Field::f64);
    [Field::text("label", 128)].into_iter().chain(numbers).collect()
}

struct Detect {
    boxes: usize,
    scores: usize,
    is_center: bool,
    background: Option<usize>,
    labels: Vec<String>,
    min_score: f64,
    overlap: f64,
    most: usize,
    activation: Activation,
    format: Arc<EventFormat>,
    span_ns: i64,
}

/// Something found.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Found {
    class: usize,
    score: f64,
    /// x0, y0, x1, y1.
    corners: [f64; 4],
}

impl Found {
    /// Intersection over union.
    fn overlap(&self, other: &Self) -> f64 {
        let side = |low: usize, high: usize| {
            let from = self.corners[low].max(other.corners[low]);
            (self.corners[high].min(other.corners[high]) - from).max(0.0)
        };
        let common = side(0, 2) * side(1, 3);
        let union = self.area() + other.area() - common;
        if union > 0.0 { common / union } else { 0.0 }
    }

    fn area(&self) -> f64 {
        let [x0, y0, x1, y1] = self.corners;
        (x1 - x0).max(0.0) * (y1 - y0).max(0.0)
    }
}

impl Detect {
    fn of(node: &Node<'_>, planned: &Planned) -> Result<Self, Diagnostics> {
        let outputs = planned.outputs();
        let boxes = named(node, &BOXES, node.get(&BOXES)?, outputs)?;
        let scores = named(node, &SCORES, node.get(&SCORES)?, outputs)?;
        let last = |output: usize| outputs[output].question().last().copied().flatten();
        let (Some(4), Some(classes)) = (last(boxes), last(scores)) else {
            let message = format!(
                "`{}` and `{}` are not boxes of four numbers and their scores",
                outputs[boxes], outputs[scores]
            );
            let problem = node.problem(Code::FormatMismatch, MODEL.name(), message);
            return Err(problem.hint("take `infer` for models that give something else").into());
        };
        Ok(Self {
            boxes,
            scores,
            is_center: node.get(&BOX_FORMAT)? == "center",
            background: node.get_optional(&BACKGROUND)?.map(|class| class as usize),
            labels: labels(node, classes)?,
            min_score: node.get(&MIN_SCORE)?,
            overlap: node.get(&OVERLAP)?,
            most: node.get(&MOST)? as usize,
            activation: Activation::named(node.get(&ACTIVATION)?),
            format: Arc::new(EventFormat { fields: fields(), rate_max: planned.rate_max }),
            span_ns: planned.span_ns,
        })
    }

    /// What is found, likeliest first.
    fn found(&self, boxes: &[f32], scores: &[f32]) -> Vec<Found> {
        let classes = self.labels.len();
        let mut found: Vec<Found> = Vec::new();
        for (place, scores) in boxes.chunks_exact(4).zip(scores.chunks_exact(classes)) {
            let [a, b, c, d] = [place[0], place[1], place[2], place[3]].map(f64::from);
            let corners = match self.is_center {
                true => [a - c / 2.0, b - d / 2.0, a + c / 2.0, b + d / 2.0],
                false => [a, b, c, d],
            };
            for (class, score) in self.activation.scores(scores).into_iter().enumerate() {
                if score >= self.min_score && Some(class) != self.background {
                    found.push(Found { class, score, corners });
                }
            }
        }
        found.sort_by(|one, other| other.score.total_cmp(&one.score));
        let mut kept: Vec<Found> = Vec::new();
        for one in found {
            let hides =
                |other: &Found| other.class == one.class && other.overlap(&one) > self.overlap;
            if kept.len() < self.most && !kept.iter().any(hides) {
                kept.push(one);
            }
        }
        kept
    }
}

impl Rowwise for Detect {
    fn read(&self, row: &Row<'_>) -> Result<Answer, Fault> {
        let (boxes, scores) = (row.output(self.boxes), row.output(self.scores));
        if boxes.len() / 4 != scores.len() / self.labels.len() {
            let (boxes, scores) = (boxes.len() / 4, scores.len() / self.labels.len());
            return Err(Fault::data(format!(
                "the model gave {boxes} boxes and scores of {scores}"
            )));
        }
        let told = self.found(boxes, scores).into_iter().map(|found| {
            let event = EventWriter::new(&self.format).duration_ns(self.span_ns);
            let event = event.text(0, &self.labels[found.class]).f64(1, found.score);
            let corners = found.corners.into_iter().enumerate();
            corners.fold(event, |event, (n, corner)| event.f64(2 + n, corner)).finish()
        });
        Ok(told.fold(Answer::nothing(), |answer, event| answer.and(0, event)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlap_is_intersection_over_union() {
        let found = |corners| Found { class: 0, score: 1.0, corners };
        let one = found([0.0, 0.0, 2.0, 2.0]);
        assert_eq!(one.overlap(&found([1.0, 0.0, 3.0, 2.0])), 2.0 / 6.0);
        assert_eq!(one.overlap(&found([5.0, 5.0, 6.0, 6.0])), 0.0);
        assert_eq!(found([1.0, 1.0, 1.0, 1.0]).overlap(&found([1.0, 1.0, 1.0, 1.0])), 0.0);
    }
}
