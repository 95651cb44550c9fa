//! `detect`: where in a picture, or another question, a model finds something.
//!
//! | field               | meaning                                                          |
//! |---------------------|------------------------------------------------------------------|
//! | `label`             | name of the class                                                 |
//! | `score`             | 0 to 1                                                            |
//! | `x0` `y0` `x1` `y1` | corners of the box in shares of width and height; of a list of boxes as the model gives them |
//! | `landmarks`         | of faces, where the model gives them: x and y of both eyes, nose and both corners of the mouth, in shares |
//!
//! What a model's numbers mean, `decode` says. Of boxes of one class that overlap by more than `overlap`
//! (intersection over union), the likeliest stays.

mod decode;
mod found;
mod grid;
mod yolo;
mod yunet;

use std::sync::Arc;

use engine::{
    Answer, Body, BuildError, Diagnostics, EventFormat, EventWriter, Fault, Field, FieldKind,
    Format, Kind, Node, Param, Placement, Port,
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
    labels::{LABELS, LABELS_FILE, labels},
    stand_in::FALLBACK,
};
use decode::{ACTIVATION, BACKGROUND, BOX_FORMAT, BOX_UNIT, BOXES, DECODE, Decoder, SCORES};
use found::{LANDMARKS, likeliest};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "detect",
    summary: "Where in a picture a model finds something, a box each.",
    doc: "An event for every thing found: `label`, `score` from 0 to 1, and the box `x0`, `y0`, `x1`, \
          `y1` in shares of width and height; none where nothing is found. `decode` says what the model's \
          numbers mean. \"boxes\": a list of `boxes`, four numbers each, which stay as they are (in mostly \
          shares) unless `box_unit` says \"pixels\", and for each of them the `scores` of its classes, \
          such as those of the SSD family and UltraFace: with `box_format` \"corners\" x0, y0, x1, y1, with \
          \"center\" the middle, width and height; class number `background`, where there is one, is \
          nothing; `activation` as in `classify`. \"yunet\": faces of YuNet with `landmarks`, five points: \
          both eyes, nose, both corners of the mouth. \"fastestdet\": the one grid of FastestDet. \
          \"yolov5\" and \"yolov8\": anchors with and without an objectness, in either layout. \"auto\" goes \
          by names and shapes of the outputs. Boxes below `min_score` are left out; of those of one class \
          that overlap by more than `overlap`, intersection over union, the likeliest stays; `most` are \
          told, the likeliest first. Questions are made as by `infer`; how a model wants its pixels, its \
          makers say: YuNet wants `colours = \"bgr\"` and 0 to 255, `normalize = \"given\"`, `std = \
          [0.00392156862745098]`. The events have the moment of what was asked about. What is not \
          answered within `within_ms`, or fails, gets `fallback` (\"nothing\" for no event), else it is \
          dropped, counted and told at the end. NaN goes into the model as it is; a model that gives NaN \
          has failed. Delay: none. Cost: the model's, on threads of its own, and for n boxes above \
          `min_score` at most n times `most` overlaps.",
    example: "model = \"m\"\nlabels = [\"one\", \"two\", \"three\", \"four\"]\n\n[model.m]\nfile = \"detector.onnx\"",
    inputs: &[Port::any("in")],
    outputs: &[Port::event("out")],
    params: &[
        &MODEL,
        &INPUT,
        &DECODE,
        &BOXES,
        &SCORES,
        &BOX_FORMAT,
        &BOX_UNIT,
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
        let events = |rate_max| Ok(Some(Format::event(fields(), rate_max)));
        if let Some(outline) = absent::outline(node, events)? {
            return Ok(outline);
        }
        let planned = Planned::of(node)?;
        ASKS.stand_in_of(node, &planned)?;
        let format = Format::Event(Detect::of(node, &planned)?.format);
        Ok(planned.outline(format))
    },
    build: |node| {
        if let Some(body) = absent::body(node, true).map_err(BuildError::Graph)? {
            return Ok(body);
        }
        Ok(Body::call(ASKS.call(node)?))
    },
    ..Kind::BASE
};

static ASKS: Asks = Asks {
    read: |node, planned| Ok(Box::new(Detect::of(node, planned)?)),
    stand_in: |_, _, written| Ok((written == "nothing").then(Answer::nothing)),
    stand_ins: "\"nothing\"",
};

const MIN_SCORE: Param<f64> =
    Param::with_default("min_score", 0.5, "Boxes with a lower score are left out.")
        .within(0.0, 1.0)
        .live();
const OVERLAP: Param<f64> =
    Param::with_default("overlap", 0.45, "Of boxes that overlap by more, the likeliest stays.")
        .within(0.0, 1.0)
        .live();
const MOST: Param<i64> = Param::with_default("most", 32, "Most things told of one question.")
    .within(1.0, 1_024.0)
    .live();

fn fields() -> Vec<Field> {
    let numbers = ["score", "x0", "y0", "x1", "y1"].map(Field::f64);
    [Field::text("label", 128)].into_iter().chain(numbers).collect()
}

#[derive(Debug)]
struct Detect {
    decoder: Decoder,
    labels: Vec<String>,
    min_score: f64,
    overlap: f64,
    most: usize,
    format: Arc<EventFormat>,
    span_ns: i64,
}

impl Detect {
    fn of(node: &Node<'_>, planned: &Planned) -> Result<Self, Diagnostics> {
        let decoder = Decoder::of(node, planned)?;
        let mut fields = fields();
        if decoder.has_landmarks() {
            let kind = FieldKind::Floats { max: 2 * LANDMARKS };
            fields.push(Field { name: "landmarks", kind });
        }
        Ok(Self {
            labels: labels(node, decoder.classes())?,
            decoder,
            min_score: node.get(&MIN_SCORE)?,
            overlap: node.get(&OVERLAP)?,
            most: node.get(&MOST)? as usize,
            format: Arc::new(EventFormat { fields, rate_max: planned.rate_max }),
            span_ns: planned.span_ns,
        })
    }
}

impl Rowwise for Detect {
    fn read(&self, row: &Row<'_>) -> Result<Answer, Fault> {
        let found = self.decoder.found(row, self.min_score)?;
        let told = likeliest(found, self.overlap, self.most).into_iter().map(|found| {
            let event = EventWriter::new(&self.format).duration_ns(self.span_ns);
            let event = event.text(0, &self.labels[found.class]).f64(1, found.score);
            let corners = found.corners.into_iter().enumerate();
            let event = corners.fold(event, |event, (n, corner)| event.f64(2 + n, corner));
            if !self.decoder.has_landmarks() {
                return event.finish();
            }
            event.floats(6, &found.landmarks.map(|place| place as f32)).finish()
        });
        Ok(told.fold(Answer::nothing(), |answer, event| answer.and(0, event)))
    }
}
