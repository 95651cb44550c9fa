//! Poincaré plot, detrended fluctuations and sample entropy of one window.

use super::{Interval, Measures, dfa::Dfa, entropy::SampleEntropy, poincare::Pairs};

pub use super::poincare::Poincare;

/// What is kept for [`NonlinearValues`].
#[derive(Clone, Debug)]
pub struct Nonlinear {
    pairs: Pairs,
    dfa: Dfa,
    entropy: SampleEntropy,
}

/// Values of one window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NonlinearValues {
    /// The ellipse of the Poincaré plot; needs two pairs.
    pub poincare: Option<Poincare>,
    /// Short-term scaling exponent; needs 12 intervals.
    pub dfa_alpha1: Option<f64>,
    /// Sample entropy; absent where nothing is alike.
    pub sample_entropy: Option<f64>,
}

impl Nonlinear {
    /// For so many intervals at most.
    pub fn new(capacity: usize) -> Self {
        Self {
            pairs: Pairs::default(),
            dfa: Dfa::new(capacity),
            entropy: SampleEntropy::new(capacity),
        }
    }

    pub(super) fn values(&mut self, sdnn_ms: Option<f64>) -> NonlinearValues {
        NonlinearValues {
            poincare: self.pairs.values(),
            dfa_alpha1: self.dfa.alpha1(),
            sample_entropy: sdnn_ms.and_then(|sdnn_ms| self.entropy.value(sdnn_ms * 1e6)),
        }
    }
}

impl Measures for Nonlinear {
    fn add(&mut self, interval: &Interval) {
        if let Some(difference_ns) = interval.difference_ns {
            self.pairs.change(interval, difference_ns, 1);
        }
        self.dfa.add(interval.rr_ns);
        self.entropy.add(interval.rr_ns);
    }

    fn remove(&mut self, interval: &Interval) {
        if let Some(difference_ns) = interval.difference_ns {
            self.pairs.change(interval, difference_ns, -1);
        }
        self.dfa.remove();
        self.entropy.remove();
    }

    fn remove_difference(&mut self, first: &Interval, difference_ns: i64) {
        self.pairs.change(first, difference_ns, -1);
    }

    fn clear(&mut self) {
        self.pairs = Pairs::default();
        self.dfa.clear();
        self.entropy.clear();
    }
}
