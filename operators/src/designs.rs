//! Coefficients that all sessions share, and what is wrong with asking for them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use engine::{Code, Diagnostic, Node};

use crate::math::band::DesignError;

/// Coefficients by what they were designed from, for as long as a filter uses them: a thousand
/// sessions of one graph hold them once.
pub(crate) struct Designs<K, T>(Mutex<BTreeMap<K, Weak<[T]>>>);

impl<K: Ord, T> Designs<K, T> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    /// What was designed from `key`, or what `design` makes of it now.
    pub(crate) fn find_or<E>(
        &self,
        key: K,
        design: impl FnOnce() -> Result<Vec<T>, E>,
    ) -> Result<Arc<[T]>, E> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(design) = known.get(&key).and_then(Weak::upgrade) {
            return Ok(design);
        }
        let made: Arc<[T]> = design()?.into();
        known.retain(|_, design| design.strong_count() > 0);
        known.insert(key, Arc::downgrade(&made));
        Ok(made)
    }
}

/// A design that cannot be made, told at the place of a parameter.
pub(crate) fn refused(node: &Node<'_>, param: &str, error: DesignError) -> Diagnostic {
    let hint = match error {
        DesignError::Decibels { .. } => "choose 0 < ripple_db < attenuation_db",
        DesignError::EdgeOutside { nyquist_hz, .. } => {
            let hint = format!("choose above 0 and below {nyquist_hz:?}");
            return node.problem(Code::OutOfRange, param, error.to_string()).hint(hint);
        }
        DesignError::EdgesNotRising { .. } => "choose 0 < low_hz < high_hz < half the sample rate",
        DesignError::Quality { .. } => "choose a larger quality: a narrower notch",
        DesignError::TapsEven { .. } => "choose an odd number of taps",
        DesignError::Silent { .. } => "choose more taps",
        DesignError::Transition { .. } => "choose a narrower transition, above 0",
        DesignError::Undetermined { .. } => "choose fewer taps, or a narrower transition",
        _ => "choose a value within these limits",
    };
    node.problem(Code::OutOfRange, param, error.to_string()).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_design_is_made_once_while_it_is_used() {
        static DESIGNS: Designs<i32, f64> = Designs::new();
        let make = |key| DESIGNS.find_or(key, || Ok::<_, ()>(vec![f64::from(key)]));

        let first = make(1).expect("made");
        let second = make(1).expect("found");
        assert!(Arc::ptr_eq(&first, &second));

        drop((first, second));
        make(2).expect("made").first().expect("one");
        assert!(!DESIGNS.0.lock().expect("sound").contains_key(&1), "forgotten when unused");
    }
}
