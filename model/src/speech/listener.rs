//! [`Listener`]: chunks in, segments and turns out, with gaps and the end of the stream.

use engine::Fault;

use super::{
    Chunk,
    segments::{HOVER_NS, Segment, SegmentRule, Segments},
    state::State,
    turns::{TurnEvent, TurnRule, Turns},
};

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Told {
    /// A stretch of speech is over. Told for the moment it ended.
    Segment(Segment),
    /// Something about a turn. Told for the moment it was decided.
    Turn(TurnEvent),
}

/// How to listen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules {
    /// When a segment is one.
    pub segments: SegmentRule,
    /// When a turn begins and ends.
    pub turns: TurnRule,
}

/// Follows segments and turns of one stream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Listener {
    segments: Segments,
    turns: Turns,
    /// The first moment that was not heard.
    until_ns: Option<i64>,
    /// Since when nobody knows whether it is speech.
    unknown_ns: Option<i64>,
}

impl Listener {
    /// Has heard nothing.
    pub const NEW: Self =
        Self { segments: Segments::NONE, turns: Turns::NONE, until_ns: None, unknown_ns: None };

    /// Takes the next chunk. What nobody knows for [`HOVER_NS`] ends whatever is open, as a gap does.
    pub fn hear(&mut self, chunk: Chunk, rules: &Rules, mut tell: impl FnMut(Told)) {
        self.until_ns = Some(chunk.end_ns);
        if chunk.probability.is_nan() {
            let since = *self.unknown_ns.get_or_insert(chunk.start_ns);
            if chunk.end_ns - since >= HOVER_NS {
                self.break_off(since, chunk.end_ns, rules, tell);
                return;
            }
        } else {
            self.unknown_ns = None;
        }
        if let Some(segment) = self.segments.hear(chunk, &rules.segments) {
            tell(Told::Segment(segment));
        }
        self.turns.hear(chunk, &rules.turns, |event| tell(Told::Turn(event)));
    }

    /// Content is missing up to a moment: what was heard before goes on behind it only if that was shorter than a pause.
    /// What is told is no older than `oldest_ns`. Says whether it goes on.
    pub fn gap(
        &mut self,
        until_ns: i64,
        oldest_ns: i64,
        rules: &Rules,
        tell: impl FnMut(Told),
    ) -> bool {
        let Some(heard_ns) = self.until_ns else { return true };
        let missing = until_ns - heard_ns;
        let goes_on = (0..rules.turns.silence_ns).contains(&missing);
        if !goes_on {
            let at_ns = heard_ns.max(oldest_ns);
            self.break_off(at_ns, at_ns, rules, tell);
            self.until_ns = None;
        }
        goes_on
    }

    /// The stream ends at this moment.
    pub fn end(&mut self, at_ns: i64, rules: &Rules, tell: impl FnMut(Told)) {
        self.break_off(at_ns, at_ns, rules, tell);
        self.until_ns = None;
    }

    /// Whether there was any speech so far.
    pub const fn has_heard(&self) -> bool {
        self.segments.has_found() || self.turns.has_begun()
    }

    /// See [`Turns::wants_verdict`].
    pub fn wants_verdict(&self) -> bool {
        self.turns.wants_verdict()
    }

    /// See [`Turns::judge`].
    pub fn judge(&mut self, verdict: Option<f32>) {
        self.turns.judge(verdict);
    }

    /// No segment still to be told ends before this moment.
    pub fn segments_from_ns(&self) -> Option<i64> {
        let bound_ns = self.segments.bound_ns(self.until_ns?);
        Some(self.unknown_ns.map_or(bound_ns, |unknown_ns| unknown_ns.min(bound_ns)))
    }

    /// The first moment that was not heard.
    pub const fn until_ns(&self) -> Option<i64> {
        self.until_ns
    }

    fn break_off(&mut self, end_ns: i64, at_ns: i64, rules: &Rules, mut tell: impl FnMut(Told)) {
        if let Some(segment) = self.segments.end(end_ns, &rules.segments) {
            tell(Told::Segment(segment));
        }
        self.turns.end(at_ns, |event| tell(Told::Turn(event)));
        self.unknown_ns = None;
    }

    pub(crate) fn visit(&mut self, state: &mut State<'_>) -> Result<(), Fault> {
        self.segments.visit(state)?;
        self.turns.visit(state)?;
        state.time(&mut self.until_ns)?;
        state.time(&mut self.unknown_ns)
    }
}
