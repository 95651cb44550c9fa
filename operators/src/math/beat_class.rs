//! Classes of heart beats by form and timing: normal, supraventricular or ventricular premature.
//!
//! Every beat is compared with up to six forms that this heart's beats take, each the mean of some. With
//! x the ECG around R (100 ms before to 120 ms after) without its mean, x′ its slope over 20 ms, and w
//! the form likewise, at the best of the shifts up to 30 ms
//!
//! ```text
//! d² = ½ |x − w|² / |w|² + ½ |x′ − w′|² / |w′|²
//! ```
//!
//! Heights count, other than in a correlation: ventricular beats are large. The slope does not see
//! a wandering baseline, the ECG itself sees how broad a complex is. Half of all beats are as near as
//! `d_usual` to their form, which says how noisy the lead is; from there follows what is near enough:
//!
//! - to be of a form and to be averaged into it: 3 `d_usual` (0.4 to 0.7), else it founds one;
//! - to be normal: 4 `d_usual` (0.45 to 1.2) from the normal form; a beat that comes early only 2
//!   (0.33 at least): it must not be other in anything but its time.
//!
//! The normal form is the one in most use, beats that come early counting little. A beat is early where
//! its interval is shorter than the median of the last nine between normal beats by three times what
//! those differ from it (by 12 % at least, 25 % at most: in atrial fibrillation all differ).
//!
//! | form       | time     | class                                                                |
//! |------------|----------|----------------------------------------------------------------------|
//! | normal     | any      | `N`                                                                  |
//! | normal     | early    | `S`: supraventricular premature                                      |
//! | other      | early    | `V`: ventricular premature                                           |
//! | other      | any      | `V` where one in five beats of its form comes early, else `Q`: unknown |
//!
//! **How well.** Per cent of the beats of a class that are told so, and of those told so that are, at the
//! beats that people marked (fusions of both kinds of beats do not count):
//!
//! | recordings                                        | beats  | N           | S           | V           |
//! |---------------------------------------------------|--------|-------------|-------------|-------------|
//! | MIT-BIH 100, 104, 106, 114, 123, CPSC 8_2         | 10 177 | 91.8 / 100  | 97.0 / 21.9 | 99.7 / 90.9 |
//! | MIT-BIH 102, 105, 108, 116, 119, 121, 200, 208, 800 | 20 225 | 96.1 / 99.9 | 87.5 / 13.0 | 95.0 / 98.8 |
//! | second leads of 100, 208, 800, CPSC 8_2           | 7 147  | 93.8 / 98.5 | 86.2 / 32.4 | 87.0 / 86.0 |
//!
//! The limits were chosen on all of them, which differ more than ten numbers can follow. What is missing
//! from N is mostly Q: a quarter of the paced beats of 104, and noise. Only 100 and 800 have marks for S,
//! 63 in all; elsewhere what comes early and looks normal was marked as normal, so that the
//! second number of S says little: one normal beat in a hundred is told to be S.
//!
//! Source: the classes of AAMI EC57; a heart's forms as in Hamilton 2002.

use super::state::{State, StateError};

mod form;

use form::{Form, Part, Shape};

/// What a beat is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Class {
    /// Normal.
    Normal,
    /// Supraventricular premature: early, of the normal form.
    Supraventricular,
    /// Ventricular premature: of another form.
    Ventricular,
    /// Of another form, but not early; or nothing is known of its form.
    #[default]
    Unknown,
}

impl Class {
    /// The letter of WFDB annotations.
    pub const fn letter(self) -> &'static str {
        match self {
            Self::Normal => "N",
            Self::Supraventricular => "S",
            Self::Ventricular => "V",
            Self::Unknown => "Q",
        }
    }
}

/// What is known of one beat.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Verdict {
    /// Its class.
    pub class: Class,
    /// Its interval, in those that are usual between normal beats.
    pub interval_share: Option<f64>,
    /// d from the normal form.
    pub difference: Option<f64>,
}

/// Forms kept: normal beats, some kinds of ectopic ones, and places for newcomers.
const FORMS: usize = 6;
/// Intervals between normal beats whose median is the usual one.
const INTERVALS: usize = 9;
/// What is assumed before two normal beats in a row are known.
const INTERVAL_S: f64 = 0.8;
/// Intervals beyond are gaps, or artefacts.
const INTERVAL_S_RANGE: std::ops::Range<f64> = 0.25..2.5;

/// Shares of an interval by which a beat must at least and need at most be early.
const EARLY: [f64; 2] = [0.12, 0.25];
/// Times what intervals usually differ.
const EARLY_BY: f64 = 3.0;

/// Times the usual distance, and the least and most of it.
const SAME_FORM: Limit = Limit { times: 3.0, least: 0.4, most: 0.7 };
const NORMAL: Limit = Limit { times: 4.0, least: 0.45, most: 1.2 };
const NORMAL_IF_EARLY: Limit = Limit { times: 2.0, least: 0.33, most: 1.2 };

/// A form of which more come early is none of normal beats.
const EARLY_SHARE: f64 = 0.2;
/// Weight of the newest beat: of a form's mean, and of its use.
const FORM_GAIN: f32 = 0.125;
const USE_GAIN: f64 = 0.025;
/// Steps by which a median is followed.
const DISTANCE_STEP: f64 = 1.02;
const DEVIATION_STEP: f64 = 1.04;
/// How much a form in full use is preferred to one in none.
const OF_USE: f64 = 0.1;

struct Limit {
    times: f64,
    least: f64,
    most: f64,
}

impl Limit {
    fn of(&self, usual: f64) -> f64 {
        (self.times * usual).clamp(self.least, self.most)
    }
}

/// Classifies the beats of one lead, one by one.
#[derive(Clone, Debug)]
pub struct BeatClasses {
    shape: Shape,
    part: Part,
    forms: [Form; FORMS],
    /// Median of the distances of beats from their forms.
    usual_distance: f64,
    intervals_s: [f64; INTERVALS],
    /// How many of them are known, at most all, and where the next goes.
    known: u32,
    next: u32,
    /// Median of the differences of intervals from the usual one, as a share of that.
    deviation: f64,
    after_normal: bool,
}

impl BeatClasses {
    /// For an ECG of this rate.
    pub fn new(rate_hz: f64) -> Self {
        let shape = Shape::new(rate_hz);
        Self {
            part: Part::new(shape),
            forms: std::array::from_fn(|_| Form::empty(shape)),
            shape,
            usual_distance: 0.2,
            intervals_s: [0.0; INTERVALS],
            known: 0,
            next: 0,
            deviation: 0.06,
            after_normal: false,
        }
    }

    /// Samples before and after that of R that [`BeatClasses::push`] wants to see.
    pub fn reach(&self) -> (usize, usize) {
        self.shape.reach()
    }

    /// The next beat: the ECG around its R, that included, if it is known, and the interval since the
    /// beat before, if there is one.
    ///
    /// # Panics
    /// If the ECG is longer or shorter than [`BeatClasses::reach`] says.
    pub fn push(&mut self, ecg: Option<&[f32]>, interval_s: Option<f64>) -> Verdict {
        let interval_share = interval_s.map(|interval_s| interval_s / self.usual_interval_s());
        let part = std::mem::take(&mut self.part);
        let part = self.looked(part, ecg);
        let verdict = match part.is_flat() {
            true => Verdict { interval_share, ..Verdict::default() },
            false => self.judge(&part, interval_share),
        };
        let is_normal = matches!(verdict.class, Class::Normal | Class::Supraventricular);
        if let Some(interval_s) = interval_s.filter(|_| is_normal && self.after_normal) {
            self.learn_interval(interval_s);
        }
        self.after_normal = is_normal;
        self.part = part;
        verdict
    }

    /// The next beat does not follow the last one: some may lie between.
    pub fn gap(&mut self) {
        self.after_normal = false;
    }

    /// As made.
    pub fn reset(&mut self) {
        self.forms.iter_mut().for_each(Form::clear);
        (self.usual_distance, self.deviation) = (0.2, 0.06);
        (self.known, self.next, self.after_normal) = (0, 0, false);
        self.intervals_s = [0.0; INTERVALS];
    }

    fn looked(&self, mut part: Part, ecg: Option<&[f32]>) -> Part {
        part.look(self.shape, ecg);
        part
    }

    fn judge(&mut self, part: &Part, interval_share: Option<f64>) -> Verdict {
        let is_early = interval_share.is_some_and(|share| share < 1.0 - self.early_by());
        let number = self.learn_form(part, is_early);
        let normal = self.normal_form();
        let (_, difference) = self.forms[normal].nearest(part);
        let limit = if is_early { &NORMAL_IF_EARLY } else { &NORMAL };
        // One that is near to its form may still be other than normal where it comes early.
        let is_of_it = number == normal && !is_early;
        let form = &self.forms[number];
        let often_early = form.early > EARLY_SHARE && form.beats > 2;
        let class = match is_of_it || difference < limit.of(self.usual_distance) {
            true if is_early => Class::Supraventricular,
            true => Class::Normal,
            false if is_early || often_early => Class::Ventricular,
            false => Class::Unknown,
        };
        Verdict { class, interval_share, difference: Some(difference) }
    }

    /// Averages a beat into the form nearest to it, or lets it found one; gives its number.
    fn learn_form(&mut self, part: &Part, is_early: bool) -> usize {
        let limit = SAME_FORM.of(self.usual_distance);
        let fits = self.forms.iter().enumerate().filter(|(_, form)| form.beats > 0);
        let fits = fits.map(|(number, form)| {
            let (shift, distance) = form.nearest(part);
            (number, shift, distance, distance - OF_USE * form.usage)
        });
        let best = fits.min_by(|(.., a), (.., b)| a.total_cmp(b));
        let known = best.filter(|(_, _, distance, _)| *distance < limit);
        let number = match known {
            Some((number, shift, distance, _)) => {
                follow(&mut self.usual_distance, distance, DISTANCE_STEP);
                self.forms[number].learn(part, shift, is_early);
                number
            }
            None => {
                let number = self.least_used();
                self.forms[number].found(part, is_early);
                number
            }
        };
        for (other, form) in self.forms.iter_mut().enumerate() {
            let used = f64::from(u8::from(other == number));
            form.usage += USE_GAIN * (used - form.usage);
        }
        number
    }

    fn least_used(&self) -> usize {
        let use_of = |number: &usize| self.forms[*number].usage;
        let all = 0..FORMS;
        all.min_by(|a, b| use_of(a).total_cmp(&use_of(b))).expect("there are some")
    }

    fn normal_form(&self) -> usize {
        let score = |number: &usize| {
            let form = &self.forms[*number];
            form.usage * (1.0 - form.early).powi(2)
        };
        let all = (0..FORMS).rev();
        all.max_by(|a, b| score(a).total_cmp(&score(b))).expect("there are some")
    }

    fn early_by(&self) -> f64 {
        (EARLY_BY * self.deviation).clamp(EARLY[0], EARLY[1])
    }

    fn usual_interval_s(&self) -> f64 {
        if self.known == 0 {
            return INTERVAL_S;
        }
        let mut sorted = self.intervals_s;
        let sorted = &mut sorted[..self.known as usize];
        sorted.sort_by(f64::total_cmp);
        let half = sorted.len() / 2;
        if sorted.len() % 2 == 1 { sorted[half] } else { 0.5 * (sorted[half - 1] + sorted[half]) }
    }

    fn learn_interval(&mut self, interval_s: f64) {
        if !INTERVAL_S_RANGE.contains(&interval_s) {
            return;
        }
        self.intervals_s[self.next as usize] = interval_s;
        self.next = (self.next + 1) % INTERVALS as u32;
        self.known = (self.known + 1).min(INTERVALS as u32);
        let off = (interval_s / self.usual_interval_s() - 1.0).abs();
        follow(&mut self.deviation, off, DEVIATION_STEP);
        self.deviation = self.deviation.max(0.01);
    }

    pub(crate) fn visit(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        self.forms.iter_mut().try_for_each(|form| form.visit(state))?;
        state.f64(&mut self.usual_distance)?;
        self.intervals_s.iter_mut().try_for_each(|interval_s| state.f64(interval_s))?;
        state.u32(&mut self.known)?;
        state.u32(&mut self.next)?;
        state.f64(&mut self.deviation)?;
        state.bool(&mut self.after_normal)?;
        let all = INTERVALS as u32;
        state.demand(self.known <= all && self.next < all)
    }
}

/// A median of positive numbers, one step towards the newest.
fn follow(median: &mut f64, newest: f64, step: f64) {
    *median *= if newest > *median { step } else { step.recip() };
}

#[cfg(test)]
mod tests;
