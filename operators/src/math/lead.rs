//! Whether a lead is on: one that has fallen off does not move.

use super::state::{State, StateError};

/// Watches one lead.
#[derive(Clone, Copy, Debug)]
pub struct Lead {
    /// So many samples without any movement are off, with it on again.
    len: u64,
    is_on: bool,
    /// Whether that was seen since the beginning or the last gap.
    is_known: bool,
    held: f32,
    /// Samples in a row: unmoved, of those missing and at a rail, and not yet so many unmoved.
    still: u64,
    missing: u64,
    clipped: u64,
    moving: u64,
    samples_off: u64,
}

/// The lead fell off, or is on again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Whether it is on.
    pub is_on: bool,
    /// When that began.
    pub samples_ago: u64,
    /// What was seen: `missing`, `rail`, `flat` or `moves`.
    pub reason: &'static str,
}

impl Lead {
    /// Off after so many samples without movement, on after as many that moved; that is told at the
    /// beginning, too.
    pub const fn new(len: u64) -> Self {
        Self {
            len,
            is_on: true,
            is_known: false,
            held: f32::NAN,
            still: 0,
            missing: 0,
            clipped: 0,
            moving: 0,
            samples_off: 0,
        }
    }

    /// Takes the next sample.
    pub fn push(&mut self, sample: f32, is_clipped: bool) -> Option<Change> {
        let is_missing = !sample.is_finite();
        if is_missing && self.still == 1 && self.missing == 0 {
            // The last good sample is none of those that are missing.
            self.still = 0;
        }
        let is_still = is_missing || sample == self.held || is_clipped && self.clipped > 0;
        if is_still {
            self.still += 1;
        } else {
            // Of a run of equal samples the first is one too.
            (self.still, self.missing, self.clipped) = (1, 0, 0);
        }
        self.missing += u64::from(is_missing);
        self.clipped += u64::from(is_clipped);
        if !is_missing {
            self.held = sample;
        }
        let is_off = self.still >= self.len.max(2);
        self.moving = if is_off { 0 } else { self.moving + 1 };
        self.samples_off += u64::from(!self.is_on);
        if is_off && self.is_on {
            (self.is_on, self.is_known) = (false, true);
            self.samples_off += self.still;
            let reason = match () {
                () if 2 * self.missing > self.still => "missing",
                () if 2 * self.clipped > self.still => "rail",
                () => "flat",
            };
            return Some(Change { is_on: false, samples_ago: self.still - 1, reason });
        }
        if !(self.is_on && self.is_known) && self.moving >= self.len {
            if !self.is_on {
                self.samples_off -= self.moving.min(self.samples_off);
            }
            (self.is_on, self.is_known) = (true, true);
            return Some(Change { is_on: true, samples_ago: self.moving - 1, reason: "moves" });
        }
        None
    }

    /// Whether it is on, as far as is known.
    pub const fn is_on(&self) -> bool {
        self.is_on
    }

    /// For how many samples it was off.
    pub const fn samples_off(&self) -> u64 {
        self.samples_off
    }

    /// Samples are missing before the next one.
    pub fn gap(&mut self) {
        (self.held, self.still, self.missing, self.clipped) = (f32::NAN, 0, 0, 0);
        (self.moving, self.is_known) = (0, !self.is_on);
    }

    /// As made.
    pub fn reset(&mut self) {
        *self = Self::new(self.len);
    }

    pub(crate) fn visit(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        state.bool(&mut self.is_on)?;
        state.bool(&mut self.is_known)?;
        state.f32(&mut self.held)?;
        let counts = [&mut self.still, &mut self.missing, &mut self.clipped, &mut self.moving];
        counts.into_iter().chain([&mut self.samples_off]).try_for_each(|count| {
            state.u64(count)?;
            state.demand(*count < 1 << 62)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(samples: impl IntoIterator<Item = f32>) -> Vec<(usize, Change)> {
        let mut lead = Lead::new(4);
        let told = samples.into_iter().enumerate().filter_map(|(n, x)| {
            let change = lead.push(x, x >= 5.0)?;
            Some((n, change))
        });
        told.collect()
    }

    #[test]
    fn what_stands_still_is_off_from_where_it_began() {
        let off = |reason| Change { is_on: false, samples_ago: 3, reason };
        let on = Change { is_on: true, samples_ago: 3, reason: "moves" };
        let moves = [0.1, 0.2, 0.1, 0.3, 0.2];
        for (still, reason) in [
            ([0.7, 0.7, 0.7, 0.7, 0.7], "flat"),
            ([5.0, 5.1, 5.0, 5.2, 5.0], "rail"),
            ([f32::NAN; 5], "missing"),
        ] {
            let seen = changes(moves.into_iter().chain(still).chain(moves));
            assert_eq!(seen, [(3, on), (5 + 3, off(reason)), (10 + 3, on)], "{reason}");
        }
    }

    #[test]
    fn what_moves_is_on() {
        let on = Change { is_on: true, samples_ago: 3, reason: "moves" };
        assert_eq!(changes([0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 2.0, 2.0]), [(3, on)]);
    }
}
