//! Rings: how much room the edges between stages have, and what happens when it is used up.

use crate::{
    format::Format,
    graph::{Code, Diagnostic, OnFull, Spanned},
};

use super::{Home, RingPlan, draft::Draft};

/// Room on an edge that says nothing about it.
const CAPACITY_MS: f64 = 100.0;
/// Fewest frames: two turns of both ends, whatever the rate.
const FRAMES_MIN: usize = 16;
/// Pictures are large.
const IMAGES_MIN: usize = 4;
/// Most frames. Whoever wants more than this wants a file.
pub(super) const FRAMES_MAX: usize = 65_536;

/// The ring of an edge that says nothing, and that nobody has looked at whole.
pub(super) fn usual(format: &Format) -> RingPlan {
    let frames = (CAPACITY_MS * format.frames_per_second() / 1e3).ceil().max(0.0) as usize;
    RingPlan { capacity: frames.clamp(FRAMES_MIN, FRAMES_MAX), on_full: OnFull::Block }
}

impl Draft<'_> {
    /// A ring for every edge between stages or to the I/O runtime.
    pub(super) fn rings(&mut self, homes: &[Home]) -> Vec<Option<RingPlan>> {
        let mut problems = Vec::new();
        let rings = (0..self.edges.len()).map(|number| {
            let edge = &self.edges[number];
            let (producer, consumer) = (homes[edge.from.0], homes[edge.to.0]);
            if producer == consumer && producer != Home::Io {
                return None;
            }
            let on_full = self.on_full(number);
            problems.extend(self.larger_than_written(number, on_full));
            let capacity = match (on_full, self.ring(number)) {
                (OnFull::Latest, _) => 1,
                (_, Ok(capacity)) => capacity,
                (_, Err(problem)) => {
                    problems.push(problem);
                    FRAMES_MAX
                }
            };
            Some(RingPlan { capacity, on_full })
        });
        let rings = rings.collect();
        self.problems.extend(problems);
        rings
    }

    /// What was written about the room of an edge, on it or on its consumer.
    pub(super) fn capacity_ms(&self, edge: usize) -> Option<&Spanned<f64>> {
        let edge = &self.edges[edge];
        let of_node = self.nodes[edge.to.0].spec.options.capacity_ms.as_ref();
        edge.written.capacity_ms.as_ref().or(of_node)
    }

    fn on_full(&self, edge: usize) -> OnFull {
        let edge = &self.edges[edge];
        let of_node = self.nodes[edge.to.0].spec.options.on_full.as_ref();
        let live = self.nodes[edge.from.0].kind.is_some_and(|kind| kind.live);
        match edge.written.on_full.as_ref().or(of_node) {
            Some(written) => written.value,
            // A device cannot wait, and what is new matters more than what is old.
            None if live => OnFull::DropOldest,
            None => OnFull::Block,
        }
    }

    /// Frames that a ring has at least.
    fn least(&self, number: usize) -> usize {
        let edge = &self.edges[number];
        let is_image = matches!(edge.format, Some(Format::Image(_)));
        let least = if is_image { IMAGES_MIN } else { FRAMES_MIN };
        let from = self.nodes[edge.from.0].outline.as_ref();
        least.max(from.map_or(0, |outline| outline.burst)).min(FRAMES_MAX)
    }

    /// Who drops what does not fit wants nothing old behind it, and gets more of that than was written.
    fn larger_than_written(&self, number: usize, on_full: OnFull) -> Option<Diagnostic> {
        let edge = &self.edges[number];
        let (written, per_second) =
            (self.capacity_ms(number)?, edge.format.as_ref()?.frames_per_second());
        let least = self.least(number);
        let least_ms = least as f64 * 1e3 / per_second;
        let drops = matches!(on_full, OnFull::DropNewest | OnFull::DropOldest);
        // Frames of less than a microsecond each are nobody's worry.
        if !drops || !least_ms.is_finite() || written.value >= least_ms - 1e-3 {
            return None;
        }
        let source = &edge.written.source.value;
        let message = format!(
            "`capacity_ms` = {:?} is less than a ring has: {least} frames of `{source}`, {least_ms:.0} ms",
            written.value
        );
        let problem = Diagnostic::warning(Code::NoEffect, message).at(&written.place);
        let problem = problem.of_node(&self.nodes[edge.to.0].spec.name.value);
        Some(problem.hint("`on_full = \"latest\"` keeps the newest frame alone; shorter frames make the ring shorter"))
    }

    fn ring(&self, number: usize) -> Result<usize, Diagnostic> {
        let edge = &self.edges[number];
        let format = edge.format.as_ref().expect("rings are planned when formats are agreed");
        let written = self.capacity_ms(number);
        let capacity_ms = written.map_or(CAPACITY_MS, |written| written.value);
        let per_second = format.frames_per_second();
        let frames = (capacity_ms * per_second / 1e3 - 1e-9).ceil().max(0.0);
        let least = self.least(number);
        match written {
            Some(written) if frames > FRAMES_MAX as f64 => {
                let name = &self.nodes[edge.to.0].spec.name.value;
                let source = &edge.written.source.value;
                let message = format!(
                    "`capacity_ms` = {capacity_ms:?} is {frames} frames of `{source}`; a ring has \
                     at most {FRAMES_MAX}"
                );
                let most_ms = (FRAMES_MAX as f64 * 1e3 / per_second).floor();
                let problem = Diagnostic::error(Code::OutOfRange, message).at(&written.place);
                Err(problem.of_node(name).hint(format!("choose at most {most_ms:?}")))
            }
            _ => Ok((frames as usize).clamp(least, FRAMES_MAX)),
        }
    }
}
