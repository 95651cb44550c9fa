//! The state of a detector as bytes.

use super::detector::{Qrs, SEARCH_BACKS};
use crate::math::state::{State, StateError, StateReader};

const STATE_VERSION: u8 = 3;

impl Qrs {
    /// Appends the complete state, its version first.
    pub fn save(&self, into: &mut Vec<u8>) {
        into.push(STATE_VERSION);
        self.clone().visit(&mut State::Save(into)).expect("only loading can fail");
    }

    /// Continues from a saved state of the same rate behind the same filters.
    ///
    /// # Errors
    ///
    /// If the bytes are not such a state; then nothing is changed.
    pub fn load(&mut self, from: &[u8]) -> Result<(), StateError> {
        let mut state = State::Load(StateReader::new(from, STATE_VERSION)?);
        let mut loaded = self.clone();
        loaded.reset();
        loaded.visit(&mut state)?;
        state.end()?;
        *self = loaded;
        Ok(())
    }

    pub(crate) fn visit(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        let own = (self.settings.rate_hz, self.settings.delay_s, self.equalizer.fingerprint());
        let mut saved = own;
        state.f64(&mut saved.0)?;
        state.f64(&mut saved.1)?;
        state.u64(&mut saved.2)?;
        state.demand(saved == own)?;
        for count in [&mut self.seen, &mut self.inner, &mut self.found, &mut self.judged] {
            state.u64(count)?;
        }
        state.u32(&mut self.summed)?;
        state.u32(&mut self.searched_back)?;
        state.u32(&mut self.flushed)?;
        state.bool(&mut self.learning)?;
        for value in [&mut self.held, &mut self.sum, &mut self.last_level] {
            state.f32(value)?;
        }
        state.f32s(self.equalizer.past())?;
        self.wave.visit(state)?;
        self.equalizer.resume(self.inner);
        self.second_left = self.settings.second - self.inner % self.settings.second;
        self.envelope.visit(state)?;
        self.forms.visit(state)?;
        self.levels.visit(state)?;
        self.rhythm.visit(state)?;
        self.candidates.iter_mut().try_for_each(|candidate| candidate.visit(state))?;
        for judged in [&mut self.missed, &mut self.doubted] {
            let mut is_some = judged.is_some();
            let (mut candidate, mut log_odds) = judged.unwrap_or_default();
            state.bool(&mut is_some)?;
            candidate.visit(state)?;
            state.f32(&mut log_odds)?;
            *judged = is_some.then_some((candidate, log_odds));
        }
        state.demand(self.is_possible())
    }

    /// Whether a loaded state keeps the promises that the rest relies on.
    fn is_possible(&self) -> bool {
        let kept =
            [self.missed, self.doubted].into_iter().flatten().map(|(candidate, _)| candidate);
        // No stream is longer, and sums of these cannot overflow.
        let counts = [self.seen, self.inner, self.found];
        counts.iter().all(|count| *count < 1 << 62)
            && self.judged <= self.found
            // While it learns none is judged, and those that were pushed out never will be.
            && self.found <= self.inner
            && self.summed < self.settings.decimation
            && self.searched_back <= SEARCH_BACKS
            && self.flushed <= self.flush_steps()
            && self.candidates.into_iter().chain(kept).all(|c| c.peak <= self.inner)
    }
}
