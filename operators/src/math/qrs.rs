//! Heart beats in an ECG: causal, one pass, decided within a quarter of a second.
//!
//! For an ECG behind the causal Butterworth band-pass of 5 to 15 Hz (`butter(2, [5, 15])`) that
//! Pan and Tompkins (1985) made usual, behind any other filters that are known ([`Qrs::behind`]), or
//! as recorded ([`Qrs::raw`]). Any unit, either polarity, 100 Hz to 4 kHz, 30 to 220 beats a minute.
//!
//! 1. Decimate by averaging to an inner rate of 120 to 240 Hz.
//! 2. Show what lies between about 4 and 40 Hz, the filters in front undone (`equalizer`): v, the
//!    raw recording without baseline.
//! 3. Envelope: q = s² + c² over 80 ms, with slope s = (v(n+h) − v(n−h))/2, curvature
//!    c = v(n) − (v(n−h) + v(n+h))/2 and h = 22 ms: together 4 sin²(ωh/2), most sensitive near
//!    23 Hz, where QRS stands out best from both movement and muscle. Its peaks are candidates.
//! 4. For each candidate a logarithm of odds that it is a beat (`odds`), linear in: its level
//!    against that of recent beats (Hamilton 2002 takes their median, here the lower middle) and of
//!    recent noise, its correlation with the known forms (`forms`), its distance from the last
//!    beat, for T waves (`rhythm`), and how far beats stand above what lies between them, for
//!    noise (`levels`). A candidate counts as noise to the degree that it is thought not to be a
//!    beat.
//! 5. Above 0 it is a beat. If none comes for 1.66 mean intervals, the best one since the last
//!    beat is searched back for (Pan and Tompkins 1985); if none comes for 3.2 s, the level of a
//!    beat is learnt anew, and the last candidates are judged again.
//! 6. R is the extremum of v that is large, sharp, central and preferably upward; for beats of a
//!    known form, that of the form. A parabola gives the fraction of a sample.
//! 7. Its height comes from v by another finite filter (`height`).
//!
//! The first three seconds are for learning; their beats come after, in order.
//!
//! **Weights.** Those of the odds were fitted on five MIT-BIH records and two more (`odds`), so what
//! is found in these five, 99.87 % of the beats and 99.95 % beats, is no forecast. In leads beside
//! those it was 99.8 and 98.4 % of the beats, and in a recording from intensive care two leads agree
//! on nine in ten; but what was set by hand was set with these in sight too. Plain noise gives 4
//! beats a minute at most; for three or four seconds after an electrode has fallen off it gives more.
//!
//! **T waves.** A candidate sooner than 0.55 mean intervals after a beat, 0.4 s at most, may be its T
//! wave if it has less of a level. In a heart of 220 a minute that leaves no time for one, and none
//! is looked for; beyond, where the refractory time of 0.2 s begins to count, nothing is promised.
//!
//! **Delay.** A beat is decided 0.23 s after its R, unless it was learnt from or searched back for:
//! 0.08 s for the filter, 0.06 s for the envelope, 0.07 s to see that it was a peak, and what R
//! lies before it. [`Beat::sample`] is that of R plus the delay of the filters in front. A beat in
//! the last 0.05 s of a stream is not seen.
//!
//! **Cost.** Some tens of operations per inner sample, under a thousand per candidate; nothing is
//! allocated after construction, nor in it: the state is one contiguous struct below 5 KiB. Making one
//! solves two systems of equations, half a millisecond.
//!
//! **Not a number**, an infinity or anything beyond 1e15 is taken as the last good sample, so that
//! one costs a short flat piece and many a flat line. On a flat line nothing is found.

mod candidate;
mod detector;
mod envelope;
mod equalizer;
mod forms;
mod height;
mod least_squares;
mod levels;
mod odds;
mod rhythm;
mod saved;
mod state;
#[cfg(test)]
mod tests;
mod wave;

pub use detector::{Beat, Qrs, RATES_HZ};
pub use equalizer::Passed;
pub use state::StateError;
