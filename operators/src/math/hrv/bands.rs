//! Power of heart-rate variability in the bands of the Task Force.

/// Names and limits in Hz, the lower inside: neurokit2's.
pub const BANDS_HZ: [(&str, f64, f64); 5] = [
    ("ulf", 0.0, 0.0033),
    ("vlf", 0.0033, 0.04),
    ("lf", 0.04, 0.15),
    ("hf", 0.15, 0.4),
    ("vhf", 0.4, 0.5),
];

/// Powers in ms²; NaN of bands that the spectrum reaches less than half of.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BandPowers {
    /// In the order of [`BANDS_HZ`].
    pub bands_ms2: [f64; 5],
}

impl BandPowers {
    /// By trapezoids under a density in ms²/Hz at frequencies `step_hz` apart, the first of them at
    /// `first · step_hz`; each band from its first frequency to its last. Where a spectrum begins inside a
    /// band, this is the power of the part it reaches, if that is half of it or more.
    /// `lowest_hz` is what the intervals that are there reach down to, which may be less far.
    pub fn under(density: &[f64], first: usize, step_hz: f64, lowest_hz: f64) -> Self {
        let index = |hz: f64| {
            // The first frequency that is not below; a limit that is one of them must not be missed by
            // rounding.
            let number = (hz / step_hz - 1e-9).ceil() as usize;
            number.saturating_sub(first).min(density.len())
        };
        let first_hz = lowest_hz.max(first as f64 * step_hz);
        let power = |low_hz: f64, high_hz: f64| {
            let inside = &density[index(low_hz)..index(high_hz)];
            let reached = (high_hz - first_hz.max(low_hz)) / (high_hz - low_hz);
            match inside {
                [from, .., to] if reached >= 0.5 => {
                    (inside.iter().sum::<f64>() - 0.5 * (from + to)) * step_hz
                }
                _ => f64::NAN,
            }
        };
        Self { bands_ms2: BANDS_HZ.map(|(_, low_hz, high_hz)| power(low_hz, high_hz)) }
    }

    /// 0.04 to 0.15 Hz.
    pub fn lf_ms2(&self) -> f64 {
        self.bands_ms2[2]
    }

    /// 0.15 to 0.4 Hz.
    pub fn hf_ms2(&self) -> f64 {
        self.bands_ms2[3]
    }

    /// All bands that are known together.
    pub fn total_ms2(&self) -> f64 {
        self.bands_ms2.iter().filter(|power| power.is_finite()).sum()
    }
}
