//! [`Tally`]: what came in all, for who wonders at the end why nothing was told of it.

use engine::Rate;

/// Samples so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    all: u64,
    /// No numbers.
    bad: u64,
    /// The loudest.
    peak: f32,
    /// There was speech before what was heard last was forgotten.
    spoken: bool,
}

/// Whoever hears less has not listened yet.
const HEARD_MIN_S: f64 = 1.0;
/// Below this full scale is far away: speech near a microphone reaches a tenth of it and more.
const QUIET: f32 = 0.02;

impl Tally {
    /// All is forgotten but that; `any` is whether there was speech.
    pub(super) fn forget(&mut self, any: bool) {
        self.spoken |= any;
    }

    /// Writes samples as they are heard: within full scale, and silence where they are no numbers.
    ///
    /// # Panics
    ///
    /// Panics if `to` is not as long as `samples`.
    pub(super) fn hear(&mut self, samples: &[f32], to: &mut [f32]) {
        assert_eq!(samples.len(), to.len(), "as many as there are");
        // Loops that hang on one value only are done many samples at a time.
        self.all += samples.len() as u64;
        let mut bad = 0_u32;
        for (to, &sample) in to.iter_mut().zip(samples) {
            bad += u32::from(!sample.is_finite());
            *to = if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 };
        }
        self.bad += u64::from(bad);
        let peak = to.iter().fold(0, |peak: u32, sample| peak.max(sample.abs().to_bits()));
        self.peak = self.peak.max(f32::from_bits(peak));
    }

    /// What there is to say in the end; `any` is whether there was speech since something was forgotten.
    pub(super) fn remark(&self, rate: Rate, any: bool) -> Option<String> {
        let bad = match self.bad {
            0 => None,
            1 => Some("1 sample was no number and taken as silence".to_owned()),
            bad => Some(format!("{bad} samples were no numbers and taken as silence")),
        };
        let for_s = self.all as f64 / rate.hz();
        let nothing = (!any && !self.spoken && for_s >= HEARD_MIN_S).then(|| self.nothing(for_s));
        let told: Vec<String> = nothing.into_iter().chain(bad).collect();
        (!told.is_empty()).then(|| told.join("; "))
    }

    /// That nobody spoke, and why it may be so.
    fn nothing(&self, for_s: f64) -> String {
        let below_db = 20.0 * self.peak.log10().abs();
        let why = match self.peak {
            0.0 => "all of it silent: is it the right device, file and channel, and not muted?"
                .to_owned(),
            peak if peak < QUIET => format!(
                "and its loudest sample lies {:.0} dB below full scale: raise the level, or put an `agc` before it",
                below_db
            ),
            _ => format!(
                "and its loudest sample lies {:.0} dB below full scale: is it the right file and channel, and speech rather than music or noise? \
                 A lower `threshold` hears more",
                below_db
            ),
        };
        format!("no speech in {for_s:.1} s, {why}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(level: f32, samples: usize, any: bool) -> Option<String> {
        heard(level, samples).remark(rate(), any)
    }

    fn heard(level: f32, samples: usize) -> Tally {
        let mut tally = Tally::default();
        tally.hear(&vec![level; samples], &mut vec![0.0; samples]);
        tally
    }

    fn rate() -> Rate {
        Rate::new(16_000.0).expect("a rate")
    }

    #[test]
    fn who_hears_nobody_says_how_loud_it_was() {
        let said = |level| told(level, 32_000, false).expect("nobody spoke");
        assert!(said(0.0).starts_with("no speech in 2.0 s, all of it silent: "));
        assert!(said(0.01).contains("40 dB below full scale: raise the level"));
        assert!(said(-0.5).contains("6 dB below full scale: is it the right file"));
        assert_eq!(told(0.5, 32_000, true), None);
        assert_eq!(told(0.0, 1_600, false), None, "a tenth of a second says nothing");
    }

    #[test]
    fn who_has_spoken_before_something_was_forgotten_has_spoken() {
        let mut tally = heard(0.5, 32_000);
        tally.forget(false);
        assert!(tally.remark(rate(), false).is_some());
        tally.forget(true);
        assert_eq!(tally.remark(rate(), false), None);
    }

    #[test]
    fn what_is_no_number_is_silence_and_counted() {
        let (mut tally, mut heard) = (Tally::default(), [0.0; 3]);
        tally.hear(&[f32::NAN, 7.0, -0.5], &mut heard);
        assert_eq!(heard, [0.0, 1.0, -0.5]);
        let told = tally.remark(rate(), false);
        assert_eq!(told.as_deref(), Some("1 sample was no number and taken as silence"));
    }
}
