//! [`Filled`]: from the session's clock to a card's.
//!
//! What a card plays a little faster than it says leaves the ring a little emptier. How full it is before each
//! frame, smoothed over some seconds, stretches what is put in:
//!
//! ```text
//! f += (fill − f) · min(1, span / 2 s)        ε = (target − f) / 10 s        within ±0.1 %
//! ```
//!
//! so that a card which is 100 ppm fast is 1 ms emptier, and stays so.

use super::{mouth::Voice, varied::Varied};

/// How quickly a ring that is too full or empty is brought back.
const PULL_S: f64 = 10.0;
/// Over what the ring's fill is smoothed.
const SMOOTH_S: f64 = 2.0;
/// No clock is so bad.
const STRAY_MAX: f64 = 1e-3;
/// What waits before each frame, for whatever comes late.
pub(in crate::audio) const TARGET_S: f64 = 0.04;

/// Samples of the session on their way to a card.
pub(in crate::audio) struct Filled {
    voice: Voice,
    card_hz: f64,
    rate_hz: f64,
    varied: Varied,
    /// Smoothed, in seconds; nothing while the card is not speaking yet.
    fill_s: Option<f64>,
    stray: f64,
    planes: Vec<Vec<f32>>,
    made: Vec<f32>,
}

impl Filled {
    /// From samples of `rate_hz` to a card of `card_hz`.
    pub(in crate::audio) fn new(voice: Voice, rate_hz: f64, card_hz: f64, channels: usize) -> Self {
        let varied = Varied::new(rate_hz, card_hz, channels);
        let planes = vec![Vec::new(); channels];
        Self { voice, card_hz, rate_hz, varied, fill_s: None, stray: 0.0, planes, made: Vec::new() }
    }

    /// Plays planes, one behind the other; gives for how many seconds there was no room.
    pub(in crate::audio) fn play(&mut self, samples: &[f32]) -> f64 {
        let channels = self.planes.len();
        let len = samples.len() / channels;
        self.steer(len as f64 / self.rate_hz);
        for (channel, plane) in self.planes.iter_mut().enumerate() {
            plane.clear();
            let samples = samples[channel * len..][..len].iter();
            // One number that is none would be heard as a whole filter of them.
            plane.extend(samples.map(|&x| if x.is_finite() { x.clamp(-1.0, 1.0) } else { 0.0 }));
        }
        self.varied.push(&self.planes);
        let ready = self.varied.ready(self.stray);
        self.made.resize(ready * channels, 0.0);
        self.varied.make(&mut self.made, self.stray);
        let said = self.voice.say(&self.made);
        (ready - said) as f64 / self.card_hz / (1.0 + self.stray)
    }

    /// What waits is not played any more, and what comes begins anew.
    pub(in crate::audio) fn forget(&mut self) {
        self.voice.forget();
        self.varied.reset();
        self.fill_s = None;
    }

    /// For how many seconds the card had nothing to play between two frames.
    pub(in crate::audio) fn unsaid_s(&self) -> f64 {
        self.voice.unsaid() as f64 / self.card_hz
    }

    /// Nothing will follow; gives for how many seconds there is to be played yet.
    pub(in crate::audio) fn ends(&self) -> f64 {
        self.voice.ends();
        self.voice.waiting() as f64 / self.card_hz
    }

    fn steer(&mut self, span_s: f64) {
        let now_s = self.voice.waiting() as f64 / self.card_hz;
        let fill_s = self.fill_s.get_or_insert(TARGET_S);
        *fill_s += (now_s - *fill_s) * (span_s / SMOOTH_S).min(1.0);
        self.stray = ((TARGET_S - *fill_s) / PULL_S).clamp(-STRAY_MAX, STRAY_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::{super::mouth::outlet, *};

    #[test]
    fn a_card_with_a_clock_of_its_own_neither_starves_nor_drowns() {
        for fast_ppm in [-100.0, 100.0] {
            let (voice, mut mouth) = outlet(1, 1, 48_000, 1_920 + 960);
            let mut filled = Filled::new(voice, 48_000.0, 48_000.0, 1);
            let frame = vec![0.5; 960];
            let mut owed = 0.0;
            let mut block = vec![0.0f32; 480];
            // Ten minutes, in which an unsteered ring would lose or gain 60 ms, more than the 40 ms it holds.
            for _ in 0..30_000 {
                assert_eq!(filled.play(&frame), 0.0);
                owed += 960.0 * (1.0 + fast_ppm * 1e-6);
                while owed >= 480.0 {
                    mouth.speak(&mut block);
                    owed -= 480.0;
                }
            }
            assert_eq!(filled.unsaid_s(), 0.0, "{fast_ppm} ppm");
            // A ring that is full by what it is to hold, a block of the card's, and 1 ms for 100 ppm.
            let off_s = filled.voice.waiting() as f64 / 48_000.0 - TARGET_S;
            assert!(off_s.abs() < 0.015, "{fast_ppm} ppm: {off_s} s");
        }
    }
}
