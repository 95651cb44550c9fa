//! What the delays look like: as a bell, or with a sharp lower end.

/// Fewer say nothing of the shape.
pub(super) const JUDGED: usize = 48;
/// So many are enough to trust a bell.
pub(super) const SURE: usize = 512;
/// `(q₂₅ − q₂) / (q₅₀ − q₂₅)` of a normal distribution.
const BELL: f64 = 2.046;
/// Its standard error is this over the root of the number of residuals.
const BELL_ERROR: f64 = 5.9;
/// Standard errors off a bell at which it is none: of twenty looks at each of a thousand bells, one
/// is mistaken.
const BELL_SURE: f64 = 3.5;
/// The same of skewness, which few residuals of a bell exceed more often than its error says.
const SKEW_SURE: f64 = 4.0;
/// A standard error above this it is one again.
const BELL_AGAIN: f64 = 1.52;

/// Quantiles of residuals.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shape {
    n: usize,
    pub(super) middle_ns: f64,
    quarter_ns: f64,
    least_ns: f64,
    is_crooked: bool,
}

impl Shape {
    /// That of some residuals, at least one, which are put into another order.
    pub(super) fn of(residuals: &mut [f64]) -> Self {
        let n = residuals.len();
        let is_crooked = n < SURE && is_crooked(residuals);
        let mut quantile = |share: f64| {
            let rank = ((n - 1) as f64 * share).round() as usize;
            *residuals.select_nth_unstable_by(rank, f64::total_cmp).1
        };
        let [middle_ns, quarter_ns, least_ns] = [0.5, 0.25, 0.02].map(&mut quantile);
        Self { n, middle_ns, quarter_ns, least_ns, is_crooked }
    }

    /// Standard deviation of the bell that the lower half is half of: by Φ⁻¹(0.25) and Φ⁻¹(0.02),
    /// whichever says more.
    pub(super) fn scale_ns(&self) -> f64 {
        let quarter_ns = (self.middle_ns - self.quarter_ns) / 0.674_5;
        quarter_ns.max((self.middle_ns - self.least_ns) / 2.053_7)
    }

    /// Whether there is an edge, given whether one was seen before.
    pub(super) fn has_edge(&self, before: bool) -> bool {
        let shape = (self.quarter_ns - self.least_ns) / (self.middle_ns - self.quarter_ns);
        let error = BELL_ERROR / (self.n as f64).sqrt();
        if shape < BELL - BELL_SURE * error || self.is_crooked {
            return true;
        }
        let is_bell_again = self.n >= SURE / 4 && shape > BELL_AGAIN + error;
        before && !is_bell_again
    }
}

/// Whether residuals are too skew, or too flat, for a bell: their third or fourth moment is so many
/// standard errors off. Stalls of a bell look skew as well; the quantiles tell once they are sure.
fn is_crooked(residuals: &[f64]) -> bool {
    let n = residuals.len() as f64;
    let mean = residuals.iter().sum::<f64>() / n;
    let moment = |k: i32| residuals.iter().map(|r| (r - mean).powi(k)).sum::<f64>() / n;
    let variance = moment(2).max(f64::MIN_POSITIVE);
    let skew = moment(3) / variance.powf(1.5);
    let excess = moment(4) / (variance * variance) - 3.0;
    skew > SKEW_SURE * (6.0 / n).sqrt() || excess < -BELL_SURE * (24.0 / n).sqrt()
}
