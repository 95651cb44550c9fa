//! How well detected beats agree with annotated ones.

/// Beats found, missed and invented.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// Annotated beats with a detected one within the tolerance.
    pub hit: usize,
    /// Annotated beats without.
    pub missed: usize,
    /// Detected beats without an annotated one.
    pub invented: usize,
}

impl Score {
    /// Matches one to one, nearest pairs first in time order; both lists in seconds, ascending.
    pub fn of(annotated: &[f64], detected: &[f64], tolerance_s: f64) -> Self {
        let (mut a, mut d, mut hit) = (0, 0, 0);
        while a < annotated.len() && d < detected.len() {
            let distance = detected[d] - annotated[a];
            if distance.abs() <= tolerance_s {
                // A neighbour that fits better keeps its partner.
                let next_fits_better = d + 1 < detected.len()
                    && (detected[d + 1] - annotated[a]).abs() < distance.abs();
                if !next_fits_better {
                    hit += 1;
                    a += 1;
                }
                d += 1;
            } else if distance < 0.0 {
                d += 1;
            } else {
                a += 1;
            }
        }
        Self { hit, missed: annotated.len() - hit, invented: detected.len() - hit }
    }

    /// Share of annotated beats that were found.
    pub fn sensitivity(self) -> f64 {
        self.hit as f64 / (self.hit + self.missed) as f64
    }

    /// Share of detected beats that are beats.
    pub fn predictivity(self) -> f64 {
        self.hit as f64 / (self.hit + self.invented) as f64
    }

    /// The harmonic mean of both.
    pub fn f1(self) -> f64 {
        2.0 * self.hit as f64 / (2 * self.hit + self.missed + self.invented) as f64
    }
}

impl std::ops::Add for Score {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            hit: self.hit + other.hit,
            missed: self.missed + other.missed,
            invented: self.invented + other.invented,
        }
    }
}
