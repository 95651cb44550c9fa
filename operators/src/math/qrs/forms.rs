//! The forms a patient's beats take: a few averaged waves, each with its R marked.
//!
//! They serve twice. How well a new wave correlates with the best form says whether it is a beat;
//! and because every beat of one form gets its R at the same place of that form, the R of a
//! complex with two or three swings of like size does not jump between them from beat to beat.

use super::equalizer::{LANES, dot};
use super::wave::Around;
use crate::math::state::{State, StateError};

/// Room for a wave at the highest inner rate, 240 Hz: 2·24 + 1 samples, padded to whole lanes.
const WAVE_MAX: usize = 56;

/// Normal beats, two kinds of ectopic ones, and one place for newcomers to be tried in.
pub(super) const FORMS: usize = 4;

/// Half the length of a form.
const HALF_S: f64 = 0.100;

/// How far from its usual place, relative to the peak of the envelope, a form is looked for.
const SHIFT_S: f64 = 0.030;

/// Distance of the two neighbours an extremum is compared with for its sharpness. R is sharp; the
/// S of a bundle branch block and the waves of an ectopic beat may be larger, but are blunt.
const SHARP_S: f64 = 0.020;

/// Share of either neighbour that is taken off an extremum: at 0 only its height would count, at
/// 1/2 only its sharpness times its height, and a pacemaker's spike would beat the R it causes.
const BLUNT: f32 = 0.35;

/// An extremum this far from the middle of the complex counts 1/e of one there.
const CENTRE_S: f64 = 0.032;

/// By so much before the centre it counts most: of two like swings R is the first, the other is R′.
const EARLY_S: f64 = 0.010;

/// What an upward swing counts more than an equal downward one: R is by definition the upward
/// swing, but a lead may be inverted, so this breaks ties only.
const UPWARD: f32 = 1.5;

/// What another extremum of a form must count more than the marked one to become the mark.
const REMARK: f32 = 1.25;

/// Correlation from which a wave is of that form.
pub(super) const SAME_FORM: f32 = 0.80;

/// Weight of the newest wave in its form.
const FORM_GAIN: f32 = 0.125;

/// What a form in full use gains over one without. Of two forms alike the wave goes to the usual
/// one, or beats would go now to one, now to the other, each with its own R.
const OF_USE: f32 = 0.015;

/// A form's use counts up by 2 with its beats, down by 1 with others; the least used is replaced.
const USES_MAX: u32 = 40;

#[derive(Clone, Copy, Debug)]
struct Form {
    /// Unit energy, zero beyond its length.
    wave: [f32; WAVE_MAX],
    /// Mean level of its beats.
    level: f32,
    uses: u32,
    /// Where R is, relative to the centre.
    mark: i32,
    /// Where the envelope's peak is, relative to the centre.
    lean: i32,
}

#[derive(Clone, Debug)]
pub(super) struct Forms {
    forms: [Form; FORMS],
    half: i32,
    shift: i32,
    rule: Rule,
}

/// Where a wave fits best.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fit {
    pub(super) correlation: f32,
    pub(super) form: u8,
    /// Of the form, relative to the envelope's peak.
    pub(super) centre: i32,
    /// Of the form's R, relative to the envelope's peak.
    pub(super) mark: i32,
    pub(super) upward: bool,
    /// Of the form's beats.
    pub(super) level: f32,
}

impl Forms {
    pub(super) fn new(inner_hz: f64) -> Self {
        let samples = |span_s: f64| (span_s * inner_hz).round() as i32;
        Self {
            forms: [Form { wave: [0.0; WAVE_MAX], level: 0.0, uses: 0, mark: 0, lean: 0 }; FORMS],
            half: samples(HALF_S),
            shift: samples(SHIFT_S),
            rule: Rule::new(inner_hz),
        }
    }

    pub(super) fn rule(&self) -> Rule {
        self.rule
    }

    /// The best fit of any form to the wave around a peak.
    pub(super) fn fit(&self, around: &Around) -> Option<Fit> {
        let count = self.count();
        let mut best: Option<Fit> = None;
        let mut best_score = f32::NEG_INFINITY;
        for (number, form) in self.forms.iter().enumerate().filter(|(_, form)| form.uses > 0) {
            for centre in -form.lean - self.shift..=-form.lean + self.shift {
                let Some(part) = around.part(centre - self.half, count) else { continue };
                let energy = energy(&part[..count]);
                let product = dot(&form.wave[..part.len()], part);
                let correlation = if energy > 0.0 { product / energy.sqrt() } else { -1.0 };
                let score = correlation + OF_USE * form.uses as f32 / USES_MAX as f32;
                if score > best_score {
                    best_score = score;
                    let upward = form.wave[(self.half + form.mark) as usize] > 0.0;
                    let mark = centre + form.mark;
                    let (form, level) = (number as u8, form.level);
                    best = Some(Fit { correlation, form, centre, mark, upward, level });
                }
            }
        }
        best
    }

    /// Averages an accepted beat into its form, or lets it found one. `centre` comes from the fit,
    /// or is where R is if the wave is of no known form.
    pub(super) fn learn(&mut self, around: &Around, centre: i32, level: f32, known: Option<u8>) {
        let count = self.count();
        // A beat learnt from or searched back for may lie too far back; there will be others.
        let Some(part) = around.part(centre - self.half, count) else { return };
        let part = &part[..count];
        let energy = energy(part);
        // Also refuses the subnormal energies whose root could not be divided by.
        if energy < f32::MIN_POSITIVE {
            return;
        }
        let number = known.map_or_else(|| self.least_used(), usize::from);
        for (other, form) in self.forms.iter_mut().enumerate() {
            form.uses = match (other == number, known) {
                (true, None) => 2,
                (true, Some(_)) => (form.uses + 2).min(USES_MAX),
                // Not to 0: that would mean that the form is empty.
                (false, _) if form.uses > 1 => form.uses - 1,
                (false, _) => form.uses,
            };
        }
        let form = &mut self.forms[number];
        let gain = if known.is_some() { FORM_GAIN } else { 1.0 };
        for (y, x) in form.wave[..count].iter_mut().zip(part) {
            *y += gain * (x / energy.sqrt() - *y);
        }
        form.level += gain * (level - form.level);
        let scale = self::energy(&form.wave[..count]).sqrt().recip();
        form.wave.iter_mut().for_each(|y| *y *= scale);
        if known.is_none() {
            form.mark = 0;
            form.lean = -centre;
        }
        form.remark(self.half, self.rule);
    }

    pub(super) fn visit(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        let (half, count) = (self.half, self.count());
        for form in &mut self.forms {
            state.f32s(&mut form.wave[..count])?;
            state.f32(&mut form.level)?;
            state.u32(&mut form.uses)?;
            state.i32_within(&mut form.mark, half)?;
            state.i32_within(&mut form.lean, half)?;
        }
        Ok(())
    }

    fn count(&self) -> usize {
        2 * self.half as usize + 1
    }

    fn least_used(&self) -> usize {
        (0..FORMS).min_by_key(|&form| self.forms[form].uses).expect("there is more than one form")
    }
}

impl Form {
    fn remark(&mut self, half: i32, rule: Rule) {
        let at = |i: i32| self.wave[(half + i) as usize];
        let count =
            |i: i32| rule.count(at(i - rule.sharp), at(i), at(i + rule.sharp), i - self.lean);
        let mut best = REMARK * count(self.mark);
        let mut mark = self.mark;
        for i in -(half - rule.sharp)..=half - rule.sharp {
            if count(i) > best {
                best = count(i);
                mark = i;
            }
        }
        self.mark = mark;
    }
}

/// What makes an extremum the R: large, sharp, central, upward.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    pub(super) sharp: i32,
    centre: f32,
    early: f32,
}

impl Rule {
    fn new(inner_hz: f64) -> Self {
        Self {
            sharp: (SHARP_S * inner_hz).round().max(1.0) as i32,
            centre: (CENTRE_S * inner_hz) as f32,
            early: (EARLY_S * inner_hz) as f32,
        }
    }

    /// For a sample, its neighbours `sharp` before and after, and its distance from the centre.
    #[inline]
    pub(super) fn count(self, before: f32, here: f32, after: f32, distance: i32) -> f32 {
        let off = (distance as f32 + self.early) / self.centre;
        let upward = if here > 0.0 { UPWARD } else { 1.0 };
        here * (here - BLUNT * (before + after)) * upward * (-off * off).exp()
    }
}

#[inline]
fn energy(wave: &[f32]) -> f32 {
    let whole = wave.len() / LANES * LANES;
    let rest: f32 = wave[whole..].iter().map(|x| x * x).sum();
    dot(&wave[..whole], &wave[..whole]) + rest
}
