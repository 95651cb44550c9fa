//! Oxygen saturation from two photoplethysmograms: the ratio of ratios.
//!
//! Blood that pulses takes more of the red light (660 nm) the less oxygen it carries, and less of
//! the infrared (940 nm). With the pulsating part (AC) of each between 0.5 and 5 Hz and its mean
//! (DC),
//!
//! ```text
//! R = (AC_red / DC_red) / (AC_ir / DC_ir)        SpO₂ = a − b · R
//! ```
//!
//! AC_red / AC_ir is the slope of a straight line through the samples of both (least squares, red
//! over infrared), which takes all of a window and not two points a beat. How well they lie on it,
//! their correlation, is the quality: motion and light from outside do not pulse alike in both.
//! Webster, *Design of Pulse Oximeters*, 1997; a = 110, b = 25 is the usual straight line there.

use super::{
    band::Band,
    butterworth,
    cascade::Cascade,
    sliding::Merge,
    state::{State, StateError},
    steps::Steps,
};

/// The least rate: twice the band, with some room.
pub const RATE_HZ_MIN: f64 = 12.5;

const BAND_HZ: [f64; 2] = [0.5, 5.0];
/// What is less over the mean is rounding of samples, no pulse: those of people are 1e-4 at least.
const PULSE_MIN: f64 = 1e-6;

/// What a window says.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Saturation {
    /// The ratio of ratios; none without light or pulse.
    pub ratio: Option<f64>,
    /// From lowest to highest of the infrared pulse over its mean, as of a sine of that power.
    pub perfusion_pct: f64,
    /// Correlation of both pulses, 0 where it is negative.
    pub quality: f64,
}

/// Compares two lights.
#[derive(Clone, Debug)]
pub struct Spo2 {
    rate_hz: f64,
    bands: [Cascade; 2],
    window: Steps<Pair>,
    taken: u64,
}

impl Spo2 {
    /// A window of `steps` steps of `step` samples, at `rate_hz` of at least [`RATE_HZ_MIN`].
    ///
    /// # Panics
    /// If the rate is too low, or a number is 0.
    pub fn new(rate_hz: f64, step: usize, steps: usize) -> Self {
        assert!(rate_hz >= RATE_HZ_MIN, "{rate_hz} Hz");
        let [low_hz, high_hz] = BAND_HZ;
        let sections = butterworth::design(2, Band::BandPass { low_hz, high_hz }, rate_hz)
            .expect("the band is below half the rate");
        let bands = [Cascade::new(sections.clone()), Cascade::new(sections)];
        Self { rate_hz, bands, window: Steps::new(step, steps), taken: 0 }
    }

    /// Takes the next sample of both, which must be finite; at the end of a step says what the
    /// window is like.
    pub fn push(&mut self, red: f32, infrared: f32) -> Option<Saturation> {
        let means = [f64::from(red), f64::from(infrared)];
        if self.taken == 0 {
            self.bands.iter_mut().zip(means).for_each(|(band, mean)| band.settle(mean));
        }
        self.taken += 1;
        let pulses = [self.bands[0].push(means[0]), self.bands[1].push(means[1])];
        self.window.push(Pair::of(means, pulses)).then(|| self.window.whole().saturation())
    }

    /// Forgets everything; the first step ends with the `left`th sample.
    pub fn begin(&mut self, left: u64) {
        self.reset();
        self.window.begin(left);
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        self.bands.iter_mut().for_each(Cascade::reset);
        self.window.reset();
        self.taken = 0;
    }

    pub(crate) fn visit(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        let mut rate_hz = self.rate_hz;
        state.f64(&mut rate_hz)?;
        state.demand(rate_hz == self.rate_hz)?;
        self.bands.iter_mut().try_for_each(|band| band.visit(state))?;
        self.window.visit(state)?;
        state.u64(&mut self.taken)?;
        state.demand(self.taken < 1 << 62)
    }
}

/// Sums over samples: how many, both means, squares and products of both pulses.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Pair {
    count: f64,
    means: [f64; 2],
    squares: [f64; 2],
    products: f64,
}

impl Pair {
    fn of(means: [f64; 2], pulses: [f64; 2]) -> Self {
        let [red, infrared] = pulses;
        Self {
            count: 1.0,
            means,
            squares: [red * red, infrared * infrared],
            products: red * infrared,
        }
    }

    fn saturation(self) -> Saturation {
        let means = self.means.map(|sum| sum / self.count);
        let [red, infrared] = [0, 1].map(|light| {
            let swing = (self.squares[light] / self.count).sqrt() / means[light];
            if means[light] > 0.0 && swing > PULSE_MIN { swing } else { 0.0 }
        });
        let perfusion_pct = 100.0 * 8.0_f64.sqrt() * infrared;
        if red == 0.0 || infrared == 0.0 {
            return Saturation { ratio: None, perfusion_pct, quality: 0.0 };
        }
        let correlation = self.products / (self.squares[0] * self.squares[1]).sqrt();
        let ratio = self.products / self.squares[1] * means[1] / means[0];
        Saturation {
            ratio: (ratio > 0.0).then_some(ratio),
            perfusion_pct,
            quality: correlation.clamp(0.0, 1.0),
        }
    }
}

impl Merge for Pair {
    const NOTHING: Self = Self { count: 0.0, means: [0.0; 2], squares: [0.0; 2], products: 0.0 };

    fn merge(self, later: Self) -> Self {
        let add = |a: [f64; 2], b: [f64; 2]| [a[0] + b[0], a[1] + b[1]];
        Self {
            count: self.count + later.count,
            means: add(self.means, later.means),
            squares: add(self.squares, later.squares),
            products: self.products + later.products,
        }
    }

    fn numbers(&mut self) -> impl Iterator<Item = &mut f64> {
        let Self { count, means, squares, products } = self;
        [count].into_iter().chain(means).chain(squares).chain([products])
    }
}

#[cfg(test)]
mod tests;
