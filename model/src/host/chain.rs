//! [`Chain`]: a model of one or several segments. Each gives its answer first; what is not sure enough goes
//! on into the next, which takes what the segment before gave besides, or the question itself.

use std::sync::Arc;

use engine::{Answer, Fault};

use crate::{
    backend::Loaded,
    signature::{Signature, Slot},
};

use super::{
    drift::Drift,
    exits::Exits,
    watch::Watch,
    way::{Row, Rowwise, Way},
};

/// A model as a chain of segments, mostly one.
pub struct Chain {
    pub(super) segments: Vec<Segment>,
    exits: Exits,
    /// Watches them.
    pub(super) drift: Option<Arc<Drift>>,
    /// What it takes and gives as a whole.
    signature: Signature,
    /// Tells its answers from those of others.
    content: u64,
}

/// A part of a model.
pub(super) struct Segment {
    pub(super) loaded: Arc<dyn Loaded>,
    /// The input that is fed from before.
    input: usize,
    pub(super) feed: Feed,
}

/// What a segment is fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Feed {
    /// What was asked.
    Question,
    /// This output of the segment before.
    Output(usize),
}

impl Chain {
    /// No model at all.
    pub(super) fn none() -> Self {
        let signature = Signature { inputs: Vec::new(), outputs: Vec::new() };
        let exits = Exits::default();
        Self { segments: Vec::new(), exits, drift: None, signature, content: 0 }
    }

    /// A model in one piece.
    pub fn one(loaded: Arc<dyn Loaded>) -> Self {
        let signature = loaded.signature().clone();
        let segment = Segment { loaded, input: 0, feed: Feed::Question };
        let exits = Exits::default();
        Self { segments: vec![segment], exits, drift: None, signature, content: 0 }
    }

    /// A model of segments, each with its answer as first output. A segment takes the output of the one
    /// before that has the name of its input, or its second output if that has the shape of its input; else,
    /// if its input is shaped as that of the first segment, the question itself, as in a cascade of whole
    /// models.
    ///
    /// # Errors
    /// What does not fit, as a fragment.
    pub fn new(segments: Vec<Arc<dyn Loaded>>, exits: Exits) -> Result<Self, String> {
        let [first, ..] = &segments[..] else { return Err("it has no segments".to_owned()) };
        if segments.len() == 1 {
            return Ok(Self { exits, ..Self::one(first.clone()) });
        }
        let classes =
            |loaded: &Arc<dyn Loaded>| loaded.signature().outputs.first().map(Slot::count);
        let mut chain = Vec::with_capacity(segments.len());
        for (number, loaded) in segments.iter().enumerate() {
            let Some((before, question)) = number.checked_sub(1).map(|n| (&segments[n], first))
            else {
                chain.push(Segment { loaded: loaded.clone(), input: 0, feed: Feed::Question });
                continue;
            };
            if classes(loaded) != classes(first) {
                return Err(format!(
                    "segment {} answers with `{}`, the first with `{}`",
                    number + 1,
                    loaded.signature().outputs[0],
                    first.signature().outputs[0]
                ));
            }
            let (input, feed) = fed(loaded.signature(), before.signature(), question.signature())
                .ok_or_else(|| {
                format!(
                    "segment {} takes `{}`, which is neither an output of the segment before nor what the first segment takes",
                    number + 1,
                    loaded.signature().inputs[0]
                )
            })?;
            let slot = &loaded.signature().inputs[input];
            if feed != Feed::Question && slot.question().contains(&None) {
                return Err(format!(
                    "segment {}: its input `{slot}` has an open length",
                    number + 1
                ));
            }
            chain.push(Segment { loaded: loaded.clone(), input, feed });
        }
        let outputs = vec![first.signature().outputs[0].clone()];
        let signature = Signature { inputs: first.signature().inputs.clone(), outputs };
        Ok(Self { segments: chain, exits, drift: None, signature, content: 0 })
    }

    /// The same, made of files with this hash: its answers are kept apart from those of others.
    #[must_use]
    pub fn with_content(mut self, content: u64) -> Self {
        self.content = content;
        self
    }

    /// Whether what a run costs is bounded by what goes in, whatever the numbers are.
    pub(super) fn is_bounded(&self) -> bool {
        !self.segments.is_empty() && self.segments.iter().all(|part| part.loaded.is_bounded())
    }

    /// The same; its exits are watched. To be said after [`Chain::with_content`], which decides about the sample.
    #[must_use]
    pub fn watched(mut self, watch: Watch) -> Self {
        let is_left_early = self.segments.len() > 1 && watch.share > 0.0;
        self.drift = is_left_early.then(|| Drift::new(watch, self.segments.len(), self.content));
        self
    }

    /// The hash of what it was made of; 0 where nobody said. Another one once no question leaves early any more, as answers are
    /// others then.
    pub fn content(&self) -> u64 {
        if self.content != 0 && self.is_shut() { !self.content } else { self.content }
    }

    /// Whether a question leaves at the end of this segment, whose head gave these numbers.
    pub(super) fn leaves(&self, segment: usize, logits: &[f32]) -> bool {
        !self.is_shut() && self.exits.leaves(segment, logits)
    }

    /// What a person should know of its exits, once.
    pub(super) fn news(&self, model: &str) -> Option<String> {
        self.drift.as_ref()?.news(model)
    }

    /// Whether its exits are watched still.
    pub(super) fn is_watched(&self) -> bool {
        self.drift.as_ref().is_some_and(|drift| !drift.has_ended())
    }

    /// Its exits were open and are no more.
    pub(super) fn is_shut(&self) -> bool {
        self.drift.as_ref().is_some_and(|drift| drift.is_shut())
    }

    /// What it takes and gives as a whole.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Who runs it.
    pub fn backend(&self) -> &'static str {
        self.segments[0].loaded.backend()
    }

    /// A segment: its model, which of its inputs is fed, and with which output of the segment before; with the question
    /// where that is none.
    pub(crate) fn segment(&self, number: usize) -> (&dyn Loaded, usize, Option<usize>) {
        let Segment { loaded, input, feed } = &self.segments[number];
        let output = match feed {
            Feed::Question => None,
            Feed::Output(output) => Some(*output),
        };
        (loaded.as_ref(), *input, output)
    }

    /// How many segments it has.
    pub fn segments(&self) -> usize {
        self.segments.len()
    }

    /// Whether several questions can be asked at once.
    pub fn batches(&self) -> bool {
        self.segments.iter().all(|segment| segment.loaded.signature().batches())
    }

    /// Whether another can take its place without anybody noticing but by the answers.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let signatures = |chain: &Self| {
            chain.segments.iter().map(|s| s.loaded.signature().clone()).collect::<Vec<_>>()
        };
        signatures(self) == signatures(other)
    }

    /// How questions that came by `way` are put to a later segment.
    pub(super) fn further(
        &self,
        segment: usize,
        way: &Way,
        fixed: &[(String, f64)],
    ) -> Result<Way, String> {
        let Segment { loaded, input, feed } = &self.segments[segment];
        let signature = loaded.signature();
        let shape = match feed {
            Feed::Question => way.shape().to_vec(),
            Feed::Output(_) => signature.inputs[*input].question().into_iter().flatten().collect(),
        };
        let way = Way::new(signature, *input, shape, fixed, Box::new(Unread));
        way.map_err(|why| format!("segment {}: {why}", segment + 1))
    }
}

/// The input of a segment that is fed, and with what.
fn fed(this: &Signature, before: &Signature, first: &Signature) -> Option<(usize, Feed)> {
    let named = this.inputs.iter().enumerate().find_map(|(input, slot)| {
        let output = before.outputs.iter().skip(1).position(|output| output.name == slot.name)?;
        Some((input, Feed::Output(output + 1)))
    });
    // By the place: what it gives besides its answer, if that is of one shape with an input.
    let placed = || {
        let hidden = before.outputs.get(1)?;
        let same = |slot: &Slot| slot.shape.len() > 1 && slot.question() == hidden.question();
        Some((this.inputs.iter().position(same)?, Feed::Output(1)))
    };
    let asked = || {
        let same = |slot: &Slot| slot.shape == first.inputs[0].shape;
        Some((this.inputs.iter().position(same)?, Feed::Question))
    };
    named.or_else(placed).or_else(asked)
}

/// Of a later segment, or a trial run: answers are read as the node that asked says, or by nobody.
pub(super) struct Unread;

impl Rowwise for Unread {
    fn read(&self, _: &Row<'_>) -> Result<Answer, Fault> {
        Err(Fault::new("nobody asked here"))
    }
}
