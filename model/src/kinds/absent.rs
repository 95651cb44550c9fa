//! What becomes of questions to a model that need not be there and is not: they pass unanswered.
//!
//! A section with `optional = true` whose model cannot be used gives an [`AbsentModel`] in its place.
//! Kinds whose answers are events pass one without any field for each question, at its moment; the
//! planner warns of it once for each node.

use std::sync::Arc;

use engine::{
    Answer, Body, Call, Code, Diagnostic, Diagnostics, Doubt, EventFormat, EventWriter, Fault,
    Format, Frame, GapNotice, Io, Node, Outline, Reply, Service,
};

use super::{
    asking::{MODEL, Made},
    cut::{Cut, Layout, Order, Scale},
};

/// Stands for a model that cannot be used and need not be.
#[derive(Clone, Debug)]
pub struct AbsentModel {
    /// What keeps it from being used, as a sentence fragment.
    pub why: String,
    /// What helps against that, beginning with a verb.
    pub remedy: String,
}

impl AbsentModel {
    /// What helps against being told about it.
    pub fn hint(&self) -> String {
        format!("{}; the graph runs without it, as `optional = true` allows that", self.remedy)
    }
}

impl Service for AbsentModel {
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

fn model<'a>(node: &Node<'a>) -> Result<Option<&'a AbsentModel>, Diagnostic> {
    Ok(node.services().find(node.get(&MODEL)?))
}

/// What a node gives that asks such a model: events, whose format is that for so many a second.
///
/// # Errors
/// If that cannot be said without the model.
pub(super) fn outline(
    node: &Node<'_>,
    format: impl FnOnce(f64) -> Result<Option<Format>, Diagnostics>,
) -> Result<Option<Outline>, Diagnostics> {
    let Some(absent) = model(node)? else { return Ok(None) };
    let why = &absent.why;
    let name = node.get(&MODEL)?;
    let made = Made::of(node, None)?;
    let Some(format) = format(made.rate_max)? else {
        let message = format!("only the model `{name}` knows what comes out, and {why}");
        let problem = node.problem(Code::FormatMismatch, MODEL.name(), message);
        let hint = "name the numbers with `fields` of `infer`, or make the model usable";
        return Err(problem.hint(hint).into());
    };
    let message =
        format!("`{}` passes without an answer from the model `{name}`: {why}", node.name());
    let warning = Diagnostic::warning(Code::BadFile, message);
    let mut outline = Outline::of([format]).looking_back(made.span_ns);
    outline.warnings.push(warning.hint(absent.hint()));
    Ok(Some(outline))
}

/// The body that passes an event for every question, if the node asks such a model; with `tells_nothing`
/// none at all, where an event would be a finding.
///
/// # Errors
/// As [`outline`].
pub(super) fn body(node: &Node<'_>, tells_nothing: bool) -> Result<Option<Body>, Diagnostics> {
    if model(node)?.is_none() {
        return Ok(None);
    }
    let Made { cut, span_ns, lens, .. } = Made::of(node, None)?;
    let Format::Event(format) = node.output(0) else { return Ok(None) };
    let order = Order {
        channels: lens[0],
        layout: Layout::ChannelsFirst,
        scale: Scale::None,
        is_bgr: false,
    };
    let format = format.clone();
    Ok(Some(Body::call(Unasked { cut, order, format, span_ns, tells_nothing })))
}

/// Answers every question itself, and says nothing.
struct Unasked {
    cut: Cut,
    order: Order,
    format: Arc<EventFormat>,
    span_ns: i64,
    tells_nothing: bool,
}

impl Call for Unasked {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        self.cut.process(io, &self.order);
        Ok(())
    }

    fn gap(&mut self, gap: &GapNotice) {
        self.cut.gap(gap);
    }

    fn ask(&mut self, _: &Frame, reply: Reply) -> Result<(), Fault> {
        let answer = match self.tells_nothing {
            true => Answer::nothing(),
            false => EventWriter::new(&self.format).duration_ns(self.span_ns).finish().into(),
        };
        reply.answer(answer.in_doubt(Doubt::All));
        Ok(())
    }
}
