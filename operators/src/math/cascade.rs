//! Second-order sections on one number at a time, in f64: the filters inside detectors.
//!
//! Transposed direct form II, as in SciPy's `sosfilt`, in the same order of operations:
//!
//! ```text
//! y  = b0 x + s0      s0 = b1 x − a1 y + s1      s1 = b2 x − a2 y
//! ```

use super::{
    sos::Section,
    state::{State, StateError},
};

/// What is smaller has died away; far above the subnormal numbers, which cost a hundred times more.
const TINY: f64 = 1e-200;

/// A cascade of sections and what they remember.
#[derive(Clone, Debug)]
pub(crate) struct Cascade {
    sections: Box<[(Section, [f64; 2])]>,
}

impl Cascade {
    pub(crate) fn new(sections: Vec<Section>) -> Self {
        Self { sections: sections.into_iter().map(|section| (section, [0.0; 2])).collect() }
    }

    /// Takes the next number, which must be finite.
    pub(crate) fn push(&mut self, number: f64) -> f64 {
        let mut x = number;
        for (Section { b, a }, [s0, s1]) in &mut self.sections {
            let y = b[0] * x + *s0;
            *s0 = b[1] * x - a[0] * y + *s1;
            *s1 = b[2] * x - a[1] * y;
            if s0.abs() < TINY && s1.abs() < TINY {
                (*s0, *s1) = (0.0, 0.0);
            }
            x = y;
        }
        x
    }

    /// As if `number` had come for ever: SciPy's `sosfilt_zi`, scaled.
    pub(crate) fn settle(&mut self, number: f64) {
        let mut x = number;
        for (Section { b, a }, state) in &mut self.sections {
            let y = x * (b[0] + b[1] + b[2]) / (1.0 + a[0] + a[1]);
            *state = [y - b[0] * x, b[2] * x - a[1] * y];
            x = y;
        }
    }

    pub(crate) fn reset(&mut self) {
        self.sections.iter_mut().for_each(|(_, state)| *state = [0.0; 2]);
    }

    pub(crate) fn visit(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        for (_, [s0, s1]) in &mut self.sections {
            state.f64(s0)?;
            state.f64(s1)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::{band::Band, butterworth};

    fn low_pass() -> Cascade {
        let band = Band::LowPass { cutoff_hz: 5.0 };
        Cascade::new(butterworth::design(4, band, 100.0).expect("valid"))
    }

    #[test]
    fn what_is_settled_stays() {
        let mut cascade = low_pass();
        cascade.settle(3.0);
        // The gain at 0 Hz is one to some ten roundings.
        assert!((0..500).all(|_| (cascade.push(3.0) - 3.0).abs() < 1e-13));
    }

    #[test]
    fn what_dies_away_comes_to_rest() {
        let mut cascade = low_pass();
        cascade.push(1.0);
        let last = (0..20_000).map(|_| cascade.push(0.0)).last();
        assert_eq!(last, Some(0.0));
    }
}
