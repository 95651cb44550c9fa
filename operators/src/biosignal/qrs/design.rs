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
        let band = Band::BandPass { low_hz: 5.0, high_hz: 15.0 };
        let sections = butterworth::design(2, band, rate_hz).expect("the rate is above 30 Hz");
        filters.push(BandPass { sections, rate_hz, delay_s: 0.0 });
    }
    let mut key = vec![rate_hz.to_bits()];
    for filter in &filters {
        key.extend(filter.key());
    }
    let mut designed = DESIGNED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, qrs)) = designed.iter().find(|(known, _)| *known == key) {
        return Ok(qrs.clone());
    }
    let passed: Vec<Passed<'_>> = filters
        .iter()
        .map(|filter| Passed {
            sections: &filter.sections,
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
    sections: Vec<Section>,
    rate_hz: f64,
    delay_s: f64,
}

impl BandPass {
    fn key(&self) -> impl Iterator<Item = u64> {
        let sections = self.sections.iter().flat_map(|section| section.b.iter().chain(&section.a));
        sections.chain([&self.rate_hz, &self.delay_s]).map(|number| number.to_bits())
    }
}

fn band_passes(through: &[engine::Passed], rate_hz: f64) -> Result<Vec<BandPass>, Diagnostic> {
    let band_passes = through.iter().filter(|passed| passed.kind == bandpass::KIND.name);
    let read = |passed: &engine::Passed| {
        let rate_hz = passed.rate_hz.unwrap_or(rate_hz);
        let sections = bandpass::sections_of(passed, rate_hz)?;
        Ok(BandPass { sections, rate_hz, delay_s: passed.delay_ns as f64 / 1e9 })
    };
    band_passes.map(read).collect()
}
