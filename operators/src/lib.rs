//! Sources, operators and sinks of Afferent: everything between a raw sensor and a decision.
//!
//! Each kind is one file with its catalogue entry, documentation and tests;
//! [`CATALOG`] lists them. What others could use without a graph stands in
//! [`math`], [`kernels`] and [`files`].

pub mod biosignal;
mod designs;
pub mod files;
pub mod filter;
pub mod fusion;
pub mod kernels;
pub mod lines;
pub mod math;
pub mod rate;
pub mod sink;
pub mod source;

use engine::Kind;

/// Every kind of this crate, in the order of the manual.
pub static CATALOG: &[&Kind] = &[
    // source
    &source::ecg::KIND,
    &source::sine::KIND,
    &source::wfdb::KIND,
    &source::csv::KIND,
    // filter
    &filter::bandpass::KIND,
    &filter::smooth::KIND,
    &filter::fir::KIND,
    &filter::copy::KIND,
    // rate
    &rate::decimate::KIND,
    // fusion
    &fusion::align::KIND,
    &fusion::merge::KIND,
    // biosignal
    &biosignal::qrs::KIND,
    &biosignal::hrv::KIND,
    &biosignal::pacer::KIND,
    // sink
    &sink::jsonl::KIND,
    &sink::print::KIND,
    &sink::collect::KIND,
    &sink::null::KIND,
];

/// Length of a source's frames unless the graph says `frame_ms`: short beside a deadline of 50 ms.
pub(crate) const FRAME_MS: f64 = 20.0;

/// No heart beats faster; sizes rings.
pub(crate) const BEATS_PER_SECOND_MAX: f64 = 10.0;
