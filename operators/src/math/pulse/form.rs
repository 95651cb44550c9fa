//! What pulses look like, and whether one looks like those before.

use crate::math::state::{State, StateError};

/// Points of a form.
const POINTS: usize = 24;
/// From the peak, in intervals.
const BEFORE: f64 = 0.25;
const BEHIND: f64 = 0.4;
const BEHIND_S_MAX: f64 = 0.5;
/// Intervals of which the middle one is the pace.
const PACES: usize = 8;
/// What is not known is that of 75 beats a minute.
const INTERVAL_S: f64 = 0.8;
const INTERVALS_S: [f64; 2] = [0.3, 1.5];
/// A mean forgets like that of so many.
const MEAN_OF: f64 = 8.0;
/// So many that are alike are a form.
const ALIKE: f64 = 3.0;

/// A wave at evenly spaced moments, of mean 0 and sum of squares 1 (or 0).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Form([f64; POINTS]);

impl Form {
    fn dot(&self, other: &Self) -> f64 {
        self.0.iter().zip(&other.0).map(|(a, b)| a * b).sum()
    }

    fn scaled(mut self) -> Self {
        let mean = self.0.iter().sum::<f64>() / POINTS as f64;
        self.0.iter_mut().for_each(|point| *point -= mean);
        let size = self.dot(&self).sqrt();
        if size > 0.0 {
            self.0.iter_mut().for_each(|point| *point /= size);
        }
        self
    }

    fn visit(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        self.0.iter_mut().try_for_each(|point| state.f64(point))
    }
}

/// A mean form and of how many it is.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    form: Form,
    count: f64,
}

impl Mean {
    fn take(&mut self, form: &Form) {
        self.count = (self.count + 1.0).min(MEAN_OF);
        let share = 1.0 / self.count;
        for (mean, point) in self.form.0.iter_mut().zip(form.0) {
            *mean += share * (point - *mean);
        }
        self.form = self.form.scaled();
    }

    fn correlation(&self, form: &Form) -> Option<f64> {
        (self.count > 0.0).then(|| self.form.dot(form))
    }

    fn visit(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        self.form.visit(state)?;
        state.f64(&mut self.count)
    }
}

/// The usual form, one that may become so, and the pace.
#[derive(Clone, Debug, Default)]
pub(super) struct Forms {
    usual: Mean,
    other: Mean,
    intervals_s: [f64; PACES],
    paced: u64,
}

impl Forms {
    /// The middle one of the last intervals, which outliers do not move.
    pub(super) fn interval_s(&self) -> f64 {
        let mut intervals = self.intervals_s;
        let known = &mut intervals[..self.paced.min(PACES as u64) as usize];
        known.sort_unstable_by(f64::total_cmp);
        known.get(known.len() / 2).map_or(INTERVAL_S, |s| s.clamp(INTERVALS_S[0], INTERVALS_S[1]))
    }

    pub(super) fn pace(&mut self, interval_s: f64) {
        self.intervals_s[(self.paced % PACES as u64) as usize] = interval_s;
        self.paced += 1;
    }

    fn behind_s(&self) -> f64 {
        (BEHIND * self.interval_s()).min(BEHIND_S_MAX)
    }

    /// How many samples behind a peak belong to its form.
    pub(super) fn reach_behind(&self, rate_hz: f64) -> u64 {
        (self.behind_s() * rate_hz).ceil() as u64 + 1
    }

    /// The form about a peak, of the samples so far from it.
    pub(super) fn shape(&self, rate_hz: f64, sample: impl Fn(f64) -> f64) -> Form {
        let (before_s, behind_s) = (BEFORE * self.interval_s(), self.behind_s());
        let mut form = Form::default();
        for (n, point) in form.0.iter_mut().enumerate() {
            let part = n as f64 / (POINTS - 1) as f64;
            *point = sample((part * (before_s + behind_s) - before_s) * rate_hz);
        }
        form.scaled()
    }

    /// How well a form fits the usual one, and learns from it.
    pub(super) fn judge(&mut self, form: &Form, least: f64) -> Option<f64> {
        let usual = self.usual.correlation(form);
        if usual.is_some_and(|usual| usual >= least) {
            self.usual.take(form);
            self.other = Mean::default();
            return usual;
        }
        let other = self.other.correlation(form);
        if other.is_none_or(|other| other < least) {
            self.other = Mean::default();
        }
        self.other.take(form);
        if self.other.count >= ALIKE {
            self.usual = std::mem::take(&mut self.other);
            return other;
        }
        usual
    }

    pub(super) fn visit(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        self.usual.visit(state)?;
        self.other.visit(state)?;
        self.intervals_s.iter_mut().try_for_each(|interval| state.f64(interval))?;
        state.u64(&mut self.paced)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(of: impl Fn(f64) -> f64) -> Form {
        Forms::default().shape(100.0, of)
    }

    #[test]
    fn a_form_has_no_height_and_no_size() {
        let small = form(|at| (at / 10.0).sin());
        let large = form(|at| 50.0 + 7.0 * (at / 10.0).sin());
        // 24 points, a few roundings each.
        assert!((small.dot(&large) - 1.0).abs() < 1e-14);
    }

    #[test]
    fn what_is_like_those_before_fits_and_three_alike_are_the_new_form() {
        let mut forms = Forms::default();
        let (one, two) = (form(|at| (at / 10.0).sin()), form(|at| (at / 10.0).cos()));
        assert_eq!(forms.judge(&one, 0.8), None, "nothing to compare with");
        assert_eq!(forms.judge(&one, 0.8), None, "two may be alike by chance");
        assert!(forms.judge(&one, 0.8).is_some_and(|fit| fit > 0.99));
        assert!(forms.judge(&two, 0.8).is_some_and(|fit| fit < 0.8));
        assert!(forms.judge(&one, 0.8).is_some_and(|fit| fit > 0.99), "one unlike changes nothing");
        let fits = [(); 3].map(|()| forms.judge(&two, 0.8).expect("there is a form"));
        assert!(fits[0] < 0.8 && fits[1] < 0.8 && fits[2] > 0.99, "{fits:?}");
        assert!(forms.judge(&one, 0.8).is_some_and(|fit| fit < 0.8));
    }

    #[test]
    fn the_pace_is_the_middle_interval() {
        let mut forms = Forms::default();
        assert_eq!(forms.interval_s(), 0.8);
        [1.0, 1.1, 0.9, 2.9, 1.0].into_iter().for_each(|interval| forms.pace(interval));
        assert_eq!(forms.interval_s(), 1.0);
    }
}
