//! When a chain of models may answer early: thresholds with a promise about what that costs in accuracy.
//!
//! A chain has an exit behind each segment. A sample leaves at the first exit that is confident enough; the last
//! one takes the rest. [`calibrate`] finds how confident is enough, from samples for which every exit was
//! asked:
//!
//! 1. Samples are split by a seed: some tune, the others certify. What tunes never certifies.
//! 2. One temperature per exit makes its confidence honest ([`Temperature`]).
//! 3. A path of thresholds is laid from *never leave early* to *always at the first exit*, the next step always where
//!    least is risked per cost saved.
//! 4. The path is walked on the other samples as far as the promise can be kept ([`Promise`]).
//!
//! The risk of a threshold is the share of samples that are answered wrong early and would have been
//! answered right at the end (with labels), or otherwise than at the end (without). The promise holds for samples of
//! the same kind as those given, whatever the models are like; where the data drifts it holds no
//! more. [`Evidence`] says when that is so, from questions that are answered both early and at the end.
//!
//! [`calibrate_cascade`] does the same for whole models from small to large, such as those of speech, whose answers are no
//! classes: what counts is whether one is worse than the largest model's, and whose samples come in groups.
//!
//! Sources: Guo et al. 2017, *On Calibration of Modern Neural Networks* (temperature, expected calibration error);
//! Angelopoulos, Bates et al. 2021, *Learn then Test*, arXiv 2110.01052 (fixed-sequence tests, Hoeffding–Bentkus
//! p-value); Angelopoulos, Bates et al. 2022, *Conformal Risk Control*, arXiv 2208.02814; Jazbec et al. 2024, *Fast yet
//! Safe: Early-Exiting with Risk Control*, arXiv 2405.20915 (both, for exits); Platt 1999, *Probabilistic outputs for support vector machines* ([`Logistic`]);
//! Waudby-Smith and Ramdas 2024, *Estimating means of bounded random variables by betting* (groups).

mod betting;
mod bound;
mod cascade;
#[cfg(test)]
mod cascade_laws;
mod chain;
mod choose;
mod evidence;
mod heard;
#[cfg(test)]
mod laws;
mod logistic;
mod path;
mod share;
mod signal;
mod split;
mod temperature;

pub use bound::{binomial_tail, clopper_pearson, hoeffding_bentkus};
pub use cascade::{Cascaded, Expected, Hopeless, calibrate_cascade, cascade_groups_needed};
pub use chain::{Chain, Loss, Unfit};
pub use choose::{Calibrated, CurvePoint, Options, Promise, calibrate, certify};
pub use evidence::{Evidence, Since};
pub use heard::{Answer, Gate, Goes, Heard, Sure};
pub use logistic::Logistic;
pub use path::{Table, path};
pub use share::Share;
pub use signal::Signal;
pub(crate) use signal::top;
pub(crate) use split::noise;
pub use temperature::{Temperature, expected_calibration_error};
