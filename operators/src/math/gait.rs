//! Steps of a walking body, in the length of its acceleration.
//!
//! Each time a foot lands the body is pushed up, whichever way the sensor is turned: the length of the
//! acceleration, band-passed from 0.7 to 3.5 Hz (Butterworth, order 2), has one peak a step. A peak counts
//! if it is above `threshold_g` and above half the running height of peaks before it, and is the highest
//! within [`REFRACTORY_S`]; the height forgets by half a second of silence, from two seconds on.
//!
//! The form follows Zhao 2010, *Full-featured pedometer design*, with the filter in place of its means.

use std::f64::consts::TAU;

use super::{
    band::Band,
    butterworth,
    cascade::Cascade,
    sos::{Section, response},
    state::{State, StateError},
};

/// Nobody steps faster.
pub const REFRACTORY_S: f64 = 0.25;
/// Who stands for longer has stopped walking.
pub const PAUSE_S: f64 = 2.0;

const BAND: Band = Band::BandPass { low_hz: 0.7, high_hz: 3.5 };
/// Most people walk like this: what the first step of a walk is taken for.
const CADENCE_HZ: f64 = 1.9;
/// Slower and faster ones are taken for these: where the filter cuts, its delay means little.
const CADENCES_HZ: [f64; 2] = [1.0, 3.5];
/// Part of the running height that a peak must reach, and how fast that follows the peaks.
const SHARE: f64 = 0.5;
const FOLLOW: f64 = 0.25;

/// A step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Step {
    /// The sample nearest to its peak, without the delay of the filter.
    pub sample: i64,
    /// How much later the peak itself is, in samples.
    pub offset: f64,
    /// Its height.
    pub height_g: f64,
}

/// Finds steps.
#[derive(Clone, Debug)]
pub struct Steps {
    band: Cascade,
    sections: Box<[Section]>,
    rate_hz: f64,
    threshold_g: f64,
    refractory: i64,
    pause: i64,
    forgets: f64,
    taken: i64,
    /// The last two outputs of the filter, the newest last.
    past: [f64; 2],
    height_g: f64,
    candidate: Option<Step>,
    last: i64,
}

impl Steps {
    /// For so many samples per second, of which 20 at least.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn new(rate_hz: f64, threshold_g: f64) -> Self {
        let sections = butterworth::design(2, BAND, rate_hz).expect("the rate is high enough");
        Self {
            sections: sections.clone().into(),
            band: Cascade::new(sections),
            rate_hz,
            threshold_g,
            refractory: (REFRACTORY_S * rate_hz).round() as i64,
            pause: (PAUSE_S * rate_hz).round() as i64,
            forgets: 0.5f64.powf(2.0 / rate_hz),
            taken: 0,
            past: [0.0; 2],
            height_g: 0.0,
            candidate: None,
            last: 0,
        }
    }

    /// How late the tops of a wave with a top every so often leave the filter: its phase delay, from
    /// −0.15 s for slow steps to 0.07 s for fast ones.
    pub fn delay_s(&self, interval_s: Option<f64>) -> f64 {
        let [least_hz, most_hz] = CADENCES_HZ;
        let hz =
            interval_s.map_or(CADENCE_HZ, |interval_s| (1.0 / interval_s).clamp(least_hz, most_hz));
        let through = response(&self.sections, self.rate_hz, hz);
        -through.im.atan2(through.re) / (TAU * hz)
    }

    /// Takes the length of the next acceleration, in g, and says which step is certain now: one that lies
    /// [`REFRACTORY_S`] back.
    pub fn push(&mut self, length_g: f64) -> Option<Step> {
        if self.taken == 0 {
            self.band.settle(length_g);
        }
        let new = self.band.push(length_g);
        let [old, top] = self.past;
        let at = self.taken - 1;
        let enough = self.threshold_g.max(SHARE * self.height_g);
        if self.taken >= 2 && top >= old && top > new && top > enough {
            let bend = old - 2.0 * top + new;
            let step = Step { sample: at, offset: 0.5 * (old - new) / bend, height_g: top };
            match &mut self.candidate {
                // Too near to both be steps: the higher one is.
                Some(candidate) if top > candidate.height_g => *candidate = step,
                Some(_) => {}
                None => self.candidate = Some(step),
            }
        }
        self.past = [top, new];
        self.taken += 1;
        if at - self.last > self.pause {
            self.height_g *= self.forgets;
        }
        let is_certain = |step: &Step| at - step.sample >= self.refractory;
        let step = self.candidate.take_if(|step| is_certain(step))?;
        self.last = step.sample;
        let follow = if self.height_g < self.threshold_g { 1.0 } else { FOLLOW };
        self.height_g += follow * (step.height_g - self.height_g);
        Some(step)
    }

    /// As made.
    pub fn reset(&mut self) {
        self.band.reset();
        (self.taken, self.past, self.height_g) = (0, [0.0; 2], 0.0);
        (self.candidate, self.last) = (None, 0);
    }

    pub(crate) fn visit(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        self.band.visit(state)?;
        state.i64(&mut self.taken)?;
        self.past.iter_mut().try_for_each(|past| state.f64(past))?;
        state.f64(&mut self.height_g)?;
        state.optional(&mut self.candidate, visit_step)?;
        state.i64(&mut self.last)
    }
}

pub(crate) fn visit_step(state: &mut State<'_>, step: &mut Step) -> Result<(), StateError> {
    state.i64(&mut step.sample)?;
    state.f64(&mut step.offset)?;
    state.f64(&mut step.height_g)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(rate_hz: f64, length_g: impl Fn(f64) -> f64) -> Vec<f64> {
        let mut steps = Steps::new(rate_hz, 0.05);
        let mut last = None;
        let found = (0..(20.0 * rate_hz) as i64).filter_map(|n| {
            let step = steps.push(length_g(n as f64 / rate_hz))?;
            let at = (step.sample as f64 + step.offset) / rate_hz;
            let interval_s = last.replace(at).map(|last| at - last);
            Some(at - steps.delay_s(interval_s))
        });
        found.collect()
    }

    #[test]
    fn a_wave_has_a_step_at_each_of_its_tops() {
        for (rate_hz, cadence_hz) in [(50.0, 1.9), (100.0, 1.5), (204.8, 2.4), (1_000.0, 3.0)] {
            let found = steps(rate_hz, |t| 1.0 + 0.2 * (TAU * cadence_hz * t).cos());
            let settled: Vec<f64> =
                found.into_iter().filter(|at| *at > 4.0 && *at < 19.0).collect();
            assert!((settled.len() as f64 - 15.0 * cadence_hz).abs() <= 1.0, "{}", settled.len());
            for at in settled {
                // Exact but for the parabola, through samples that are a tenth of a period apart at most,
                // and for what is left of the beginning after 4 s: exp(-2π · 0.7 Hz · 4 s / √2).
                let phase = at * cadence_hz;
                let off_s = (phase - phase.round()) / cadence_hz;
                assert!(off_s.abs() < 0.005, "{cadence_hz} Hz: {off_s} s off");
            }
        }
    }

    #[test]
    fn who_stands_or_trembles_does_not_step() {
        assert_eq!(steps(100.0, |_| 1.0), [0.0; 0]);
        assert_eq!(steps(100.0, |t| 1.0 + 0.03 * (TAU * 1.9 * t).cos()), [0.0; 0]);
        // The beginning of a tremor is a bump.
        let tremor = steps(100.0, |t| 1.0 + 0.2 * (TAU * 12.0 * t).cos());
        assert!(tremor.len() <= 1 && tremor.iter().all(|at| *at < 1.0), "{tremor:?}");
    }
}
