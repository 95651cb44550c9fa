//! [`Translation`]: the other host's times in ours, in few steps.

use engine::Timestamp;

use crate::clock::Estimate;

/// Turns times of the other host into times of this one.
///
/// An estimate changes a little with every answer, and samples that are a constant time apart must
/// stay so: the offset is held until it lies further off than the estimate is uncertain. All edges of
/// a session share one, so that frames that belong together stay together.
#[derive(Clone, Copy, Debug, Default)]
pub struct Translation {
    held: Option<i64>,
    uncertainty_ns: u32,
    steps: u64,
}

impl Translation {
    /// Takes note of an estimate; whether the offset was changed, which the first one does too.
    pub fn follow(&mut self, estimate: Estimate) -> bool {
        let off = self.held.map(|held| held.abs_diff(estimate.offset_ns));
        let is_held = off.is_some_and(|off| off <= estimate.uncertainty_ns.into());
        if !is_held {
            self.steps += u64::from(self.held.is_some());
            self.held = Some(estimate.offset_ns);
        }
        let off = if is_held { off.unwrap_or(0) } else { 0 };
        let off = u32::try_from(off).unwrap_or(u32::MAX);
        self.uncertainty_ns = estimate.uncertainty_ns.saturating_add(off);
        !is_held
    }

    /// Forgets the offset: there is another clock to follow.
    pub const fn forget(&mut self) {
        self.held = None;
    }

    /// Whether an offset is known.
    pub const fn is_known(&self) -> bool {
        self.held.is_some()
    }

    /// A time of the other host in ours. The ends of the time line stay what they are.
    pub fn local(&self, theirs: Timestamp) -> Timestamp {
        if theirs == Timestamp::MIN || theirs == Timestamp::MAX {
            return theirs;
        }
        theirs.plus_nanos(self.held.unwrap_or(0).saturating_neg())
    }

    /// How far a translated time may be off, in nanoseconds.
    pub const fn uncertainty_ns(&self) -> u32 {
        self.uncertainty_ns
    }

    /// How often the offset was changed after it was first known.
    pub const fn steps(&self) -> u64 {
        self.steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_held_while_its_estimate_allows_it() {
        let estimate = |offset_ns| Estimate { offset_ns, uncertainty_ns: 100, drift_ppm: 0.0 };
        let mut translation = Translation::default();

        assert!(translation.follow(estimate(1_000)));
        assert!(!translation.follow(estimate(1_090)));
        assert_eq!(translation.local(Timestamp::from_nanos(5_000)), Timestamp::from_nanos(4_000));
        assert_eq!(translation.uncertainty_ns(), 190);

        assert!(translation.follow(estimate(1_101)));
        assert_eq!(translation.local(Timestamp::from_nanos(5_000)), Timestamp::from_nanos(3_899));
        assert_eq!((translation.uncertainty_ns(), translation.steps()), (100, 1));
        assert_eq!(translation.local(Timestamp::MAX), Timestamp::MAX);
    }
}
