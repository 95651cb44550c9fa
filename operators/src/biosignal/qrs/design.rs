//! The detector that fits what stands in front of a node.

use std::sync::{Mutex, PoisonError};

use engine::{Diagnostic, Node};

use super::INPUT;
use crate::{
    filter::bandpass,
    math::{
        band::Band,
        butterworth,
        qrs::{Passed, Qrs},
        sos::Section,
    },
};

/// The detector for what the input has passed. Designing one takes half a millisecond, so sessions
/// of one graph copy the first.
pub(super) fn detector(node: &Node<'_>) -> Result<Qrs, Diagnostic> {
    static DESIGNED: Mutex<Vec<(Vec<u64>, Qrs)>> = Mutex::new(Vec::new());
    const DESIGNS: usize = 16;

    let rate_hz = node.rate_hz("in");
    let input = node.get(&INPUT)?;
    let mut filters = match input {
        "raw" => Vec::new(),
        _ => band_passes(&node.inputs()[0].through, rate_hz)?,
    };
    if input == "filtered" && filters.is_empty() {
        filters.push(BandPass { low_hz: 5.0, high_hz: 15.0, order: 2, rate_hz, delay_s: 0.0 });
    }
    let mut key = vec![rate_hz.to_bits()];
    key.extend(filters.iter().flat_map(BandPass::key));
    let mut designed = DESIGNED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, qrs)) = designed.iter().find(|(known, _)| *known == key) {
        return Ok(qrs.clone());
    }
    let sections: Vec<Vec<Section>> = filters.iter().map(BandPass::sections).collect();
    let passed: Vec<Passed<'_>> = filters
        .iter()
        .zip(&sections)
        .map(|(filter, sections)| Passed {
            sections,
            rate_hz: filter.rate_hz,
            delay_s: filter.delay_s,
        })
        .collect();
    let qrs = Qrs::behind(&passed, rate_hz);
    designed.truncate(DESIGNS - 1);
    designed.insert(0, (key, qrs.clone()));
    Ok(qrs)
}

/// A `bandpass` in front.
struct BandPass {
    low_hz: f64,
    high_hz: f64,
    order: usize,
    rate_hz: f64,
    delay_s: f64,
}

impl BandPass {
    fn key(&self) -> [u64; 5] {
        let Self { low_hz, high_hz, order, rate_hz, delay_s } = self;
        let [low, high, rate, delay] = [low_hz, high_hz, rate_hz, delay_s].map(|x| x.to_bits());
        [low, high, rate, delay, *order as u64]
    }

    fn sections(&self) -> Vec<Section> {
        let band = Band::BandPass { low_hz: self.low_hz, high_hz: self.high_hz };
        butterworth::design(self.order, band, self.rate_hz)
            .expect("the `bandpass` itself was planned with it")
    }
}

fn band_passes(through: &[engine::Passed], rate_hz: f64) -> Result<Vec<BandPass>, Diagnostic> {
    let band_passes = through.iter().filter(|passed| passed.kind == bandpass::KIND.name);
    let read = |passed: &engine::Passed| {
        Ok(BandPass {
            low_hz: passed.params.read(&bandpass::LOW_HZ)?,
            high_hz: passed.params.read(&bandpass::HIGH_HZ)?,
            order: passed.params.read(&bandpass::ORDER)? as usize,
            rate_hz: passed.rate_hz.unwrap_or(rate_hz),
            delay_s: passed.delay_ns as f64 / 1e9,
        })
    };
    band_passes.map(read).collect()
}
