//! A peak of the envelope and what was found there.

use super::forms::FORMS;
use super::wave::WAVE;
use crate::math::state::{State, StateError};

/// Positions relative to the peak.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Candidate {
    /// Inner index of the envelope's peak.
    pub(super) peak: u64,
    pub(super) r: f32,
    /// Height of R in the recording.
    pub(super) amplitude: f32,
    /// Square root of the mean of q.
    pub(super) level: f32,
    /// Mean level of the beats of its form, or the largest number if it has none.
    pub(super) usual: f32,
    pub(super) correlation: f32,
    /// Where the form's centre is, or R if there is no form.
    pub(super) centre: i32,
    /// Number of the form, or `NO_FORM`.
    pub(super) form: u8,
}

/// Candidates kept to be judged, or judged again: 3.2 s of the closest spacing that noise gives.
pub(super) const CANDIDATES: usize = 32;

/// A candidate was like no known form.
pub(super) const NO_FORM: u8 = u8::MAX;

impl Candidate {
    /// R, in inner samples.
    pub(super) fn r_at(&self) -> f64 {
        self.peak as f64 + f64::from(self.r)
    }

    pub(super) fn visit(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        state.u64(&mut self.peak)?;
        let Self { r, amplitude, level, usual, correlation, .. } = self;
        for value in [r, amplitude, level, usual, correlation] {
            state.f32(value)?;
        }
        state.i32_within(&mut self.centre, WAVE as i32)?;
        state.u8(&mut self.form)?;
        let known = usize::from(self.form) < FORMS || self.form == NO_FORM;
        state.demand(known)
    }
}
