//! [`Decoder`]: from a model's numbers to boxes with a class and a score each.
//!
//! | `decode`       | outputs of a question                                                       |
//! |----------------|------------------------------------------------------------------------------|
//! | `"boxes"`      | boxes \[n, 4\] and scores \[n, classes\]                                        |
//! | `"yunet"`      | `cls_S` \[n, 1\], `obj_S` \[n, 1\], `bbox_S` \[n, 4\], `kps_S` \[n, 10\] for each stride S |
//! | `"fastestdet"` | \[5 + classes, rows, columns\]                                                |
//! | `"yolov5"`     | \[n, 5 + classes\], or turned                                                  |
//! | `"yolov8"`     | \[4 + classes, n\], or turned                                                  |

use engine::{Code, Diagnostic, Diagnostics, Fault, Node, Param};

use crate::{host::Row, signature::Slot};

use super::{
    super::{
        asking::{MODEL, Planned},
        classify::Activation,
        infer::named,
        labels::LABELS,
    },
    found::Found,
    grid::Grid,
    yolo::Yolo,
    yunet::Yunet,
};

pub(super) const DECODE: Param<&str> = Param::with_default(
    "decode",
    "auto",
    "What the model's outputs mean: \"boxes\", \"yunet\", \"fastestdet\", \"yolov5\" or \"yolov8\"; \"auto\" goes \
     by their names and shapes.",
)
.one_of(&["auto", "boxes", "yunet", "fastestdet", "yolov5", "yolov8"]);
pub(super) const BOXES: Param<&str> =
    Param::with_default("boxes", "boxes", "The model's output with the boxes, of a list of boxes.");
pub(super) const SCORES: Param<&str> =
    Param::with_default("scores", "scores", "The model's output with the scores of each box.");
pub(super) const BOX_FORMAT: Param<&str> =
    Param::with_default("box_format", "corners", "What the four numbers of a list's box are.")
        .one_of(&["corners", "center"]);
pub(super) const BOX_UNIT: Param<&str> = Param::with_default(
    "box_unit",
    "auto",
    "What a model's places count: \"shares\" of the picture, or its \"pixels\", which become shares; \"auto\": a \
     list's boxes stay as they are, those of \"yolov5\" and \"yolov8\" are pixels.",
)
.one_of(&["auto", "shares", "pixels"]);
pub(super) const BACKGROUND: Param<i64> =
    Param::optional("background", "The class that means nothing is there.").within(0.0, 1e6);
pub(super) const ACTIVATION: Param<&str> = Param::with_default(
    "activation",
    "none",
    "What turns the scores of a list of boxes into such: \"softmax\", \"sigmoid\", \"none\", or \"auto\".",
)
.one_of(&["none", "auto", "softmax", "sigmoid"]);

/// How outputs become boxes.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Decoder {
    Boxes(Boxes),
    Grid(Grid),
    Yolo(Yolo),
    Yunet(Yunet),
}

impl Decoder {
    /// As the node says, for what its model gives.
    pub(super) fn of(node: &Node<'_>, planned: &Planned) -> Result<Self, Diagnostics> {
        let outputs = planned.outputs();
        let written = node.get(&DECODE)?;
        let decode = if written == "auto" { recognised(node, outputs)? } else { written };
        let size = || {
            planned.size().ok_or_else(|| {
                let message = "what the model is asked about has no height and width";
                node.problem(Code::FormatMismatch, MODEL.name(), message)
                    .hint("give it pictures, or tensors laid out like them")
            })
        };
        let misfit = |why: String| {
            let problem = node.problem(Code::FormatMismatch, DECODE.name(), why);
            problem.hint(format!("the model gives {}", listed(outputs)))
        };
        Ok(match decode {
            "yunet" => Self::Yunet(Yunet::of(outputs, size()?).map_err(misfit)?),
            "fastestdet" => Self::Grid(Grid::of(outputs).map_err(misfit)?),
            "yolov5" | "yolov8" => {
                let labels = node.get_optional(&LABELS)?.map(|labels| labels.len());
                let size = match node.get(&BOX_UNIT)? {
                    "shares" => (1, 1),
                    _ => size()?,
                };
                let has_objectness = match (decode, written) {
                    (known, "yolov5" | "yolov8") => Some(known == "yolov5"),
                    _ => None,
                };
                Self::Yolo(Yolo::of(outputs, size, has_objectness, labels).map_err(misfit)?)
            }
            _ => Self::Boxes(Boxes::of(node, planned)?),
        })
    }

    /// Classes that it tells apart.
    pub(super) fn classes(&self) -> usize {
        match self {
            Self::Boxes(boxes) => boxes.classes,
            Self::Grid(grid) => grid.classes,
            Self::Yolo(yolo) => yolo.classes,
            Self::Yunet(_) => 1,
        }
    }

    /// Whether it gives landmarks as well.
    pub(super) fn has_landmarks(&self) -> bool {
        matches!(self, Self::Yunet(yunet) if yunet.has_landmarks())
    }

    /// Everything that is at least so likely, in any order.
    pub(super) fn found(&self, row: &Row<'_>, least: f64) -> Result<Vec<Found>, Fault> {
        match self {
            Self::Boxes(boxes) => boxes.found(row, least),
            Self::Grid(grid) => grid.found(row.output(grid.output), least),
            Self::Yolo(yolo) => yolo.found(row.output(yolo.output), least),
            Self::Yunet(yunet) => yunet.found(&|output| row.output(output), least),
        }
    }
}

/// The outputs of a model, for people.
fn listed(outputs: &[Slot]) -> String {
    outputs.iter().map(|slot| format!("`{slot}`")).collect::<Vec<_>>().join(", ")
}

/// What outputs of these names and shapes are.
fn recognised(node: &Node<'_>, outputs: &[Slot]) -> Result<&'static str, Diagnostic> {
    let is_there = |name: &str| outputs.iter().any(|slot| slot.name == name);
    if is_there(node.get(&BOXES)?) || is_there(node.get(&SCORES)?) {
        return Ok("boxes");
    }
    if Yunet::strides(outputs).next().is_some() {
        return Ok("yunet");
    }
    if let [only] = outputs {
        let is_long = |len: Option<usize>| len.is_none_or(|len| len > 4);
        match only.question()[..] {
            [Some(features), rows, columns] if features > 5 && rows == columns => {
                return Ok("fastestdet");
            }
            [one, other] if one.or(other).is_some() && is_long(one) && is_long(other) => {
                return Ok("yolov8");
            }
            _ => {}
        }
    }
    let message =
        format!("it is not known what the outputs of the model mean: {}", listed(outputs));
    let problem = node.problem(Code::FormatMismatch, MODEL.name(), message);
    let hint = "name the outputs with `boxes` and `scores`, or say what they are with `decode`; take \
                `infer` for models that give something else";
    Err(problem.hint(hint))
}

/// A list of boxes, and for each the scores of its classes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Boxes {
    boxes: usize,
    scores: usize,
    classes: usize,
    is_center: bool,
    background: Option<usize>,
    activation: Activation,
    /// Height and width that places are divided by.
    size: (usize, usize),
}

impl Boxes {
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
        let size = match (node.get(&BOX_UNIT)?, planned.size()) {
            ("pixels", Some(size)) => size,
            _ => (1, 1),
        };
        Ok(Self {
            boxes,
            scores,
            classes,
            is_center: node.get(&BOX_FORMAT)? == "center",
            background: node.get_optional(&BACKGROUND)?.map(|class| class as usize),
            activation: Activation::named(node.get(&ACTIVATION)?),
            size,
        })
    }

    fn found(&self, row: &Row<'_>, least: f64) -> Result<Vec<Found>, Fault> {
        let (boxes, scores) = (row.output(self.boxes), row.output(self.scores));
        let (count, scored) = (boxes.len() / 4, scores.len() / self.classes);
        if count != scored {
            return Err(Fault::data(format!(
                "the model gave {count} boxes and scores of {scored}"
            )));
        }
        let mut found = Vec::new();
        for (place, scores) in boxes.chunks_exact(4).zip(scores.chunks_exact(self.classes)) {
            let [a, b, c, d] = [place[0], place[1], place[2], place[3]].map(f64::from);
            for (class, score) in self.activation.scores(scores).into_iter().enumerate() {
                if score >= least && Some(class) != self.background {
                    let one = match self.is_center {
                        true => Found::around(class, score, [a, b, c, d]),
                        false => Found::between(class, score, [a, b, c, d]),
                    };
                    found.push(one.over(self.size));
                }
            }
        }
        Ok(found)
    }
}
