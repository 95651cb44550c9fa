//! Sources, operators and sinks of Afferent: everything between a raw sensor and a decision.
//!
//! Each kind is one file with its catalogue entry, documentation and tests;
//! [`CATALOG`] lists them. What others could use without a graph stands in
//! [`math`], [`kernels`] and [`files`].

pub mod audio;
pub mod biosignal;
mod bodies;
mod designs;
pub mod eeg;
pub mod feature;
pub mod feedback;
pub mod files;
pub mod filter;
pub mod fusion;
pub mod kernels;
pub mod lines;
pub mod math;
pub mod motion;
pub mod rate;
pub mod sink;
pub mod source;
pub mod spectrum;

use engine::Kind;

/// Every kind of this crate, in the order of the manual.
pub static CATALOG: &[&Kind] = &[
    // source
    &source::ecg::KIND,
    &source::eeg::KIND,
    &source::imu::KIND,
    &source::ppg::KIND,
    &source::respiration::KIND,
    &source::skin::KIND,
    &source::muscle::KIND,
    &source::sine::KIND,
    &source::tone::KIND,
    &source::speech_like::KIND,
    &source::wfdb::KIND,
    &source::csv::KIND,
    &source::audio::KIND,
    // filter
    &filter::lowpass::KIND,
    &filter::highpass::KIND,
    &filter::bandpass::KIND,
    &filter::bandstop::KIND,
    &filter::notch::KIND,
    &filter::smooth::KIND,
    &filter::fir::KIND,
    &filter::average::KIND,
    &filter::median::KIND,
    &filter::savgol::KIND,
    &filter::detrend::KIND,
    &filter::differentiate::KIND,
    &filter::delay::KIND,
    &filter::nlms::KIND,
    &filter::copy::KIND,
    // audio
    &audio::microphone::KIND,
    &audio::speaker::KIND,
    &audio::downmix::KIND,
    &audio::agc::KIND,
    &audio::denoise::KIND,
    // rate
    &rate::decimate::KIND,
    &rate::resample::KIND,
    &rate::regrid::KIND,
    &rate::interpolate::KIND,
    &rate::throttle::KIND,
    &rate::window::KIND,
    &rate::epoch::KIND,
    &rate::dejitter::KIND,
    // feature
    &feature::rms::KIND,
    &feature::envelope::KIND,
    &feature::line_length::KIND,
    &feature::zero_crossings::KIND,
    &feature::slope::KIND,
    &feature::hjorth::KIND,
    &feature::percentile::KIND,
    &feature::zscore::KIND,
    &feature::peaks::KIND,
    &feature::threshold::KIND,
    &feature::entropy::KIND,
    &feature::baseline::KIND,
    &feature::quality::KIND,
    // audio
    &audio::barge_in::KIND,
    // spectrum
    &spectrum::stft::KIND,
    &spectrum::power::KIND,
    &spectrum::band_power::KIND,
    &spectrum::mel::KIND,
    &spectrum::log_mel::KIND,
    &spectrum::mfcc::KIND,
    &spectrum::centroid::KIND,
    &spectrum::edge::KIND,
    &spectrum::flatness::KIND,
    &spectrum::coherence::KIND,
    &spectrum::goertzel::KIND,
    &spectrum::analytic::KIND,
    // fusion
    &fusion::align::KIND,
    &fusion::merge::KIND,
    &fusion::join::KIND,
    &fusion::select::KIND,
    &fusion::weighted::KIND,
    &fusion::kalman::KIND,
    &fusion::complementary::KIND,
    &fusion::evidence::KIND,
    &fusion::vote::KIND,
    &fusion::index::KIND,
    // biosignal
    &biosignal::qrs::KIND,
    &biosignal::beat_class::KIND,
    &biosignal::ecg_quality::KIND,
    &biosignal::edr::KIND,
    &biosignal::pulse::KIND,
    &biosignal::spo2::KIND,
    &biosignal::breath::KIND,
    &biosignal::eda::KIND,
    &biosignal::emg::KIND,
    &biosignal::correct_beats::KIND,
    &biosignal::hrv::KIND,
    &biosignal::hrv_frequency::KIND,
    &biosignal::hrv_nonlinear::KIND,
    &biosignal::pacer::KIND,
    // eeg
    &eeg::rhythm::KIND,
    &eeg::reject::KIND,
    // motion
    &motion::orientation::KIND,
    &motion::gravity::KIND,
    &motion::steps::KIND,
    &motion::posture::KIND,
    // feedback
    &feedback::map::KIND,
    &feedback::hysteresis::KIND,
    &feedback::dwell::KIND,
    &feedback::adaptive_threshold::KIND,
    &feedback::reward::KIND,
    &feedback::resonance::KIND,
    &feedback::colour::KIND,
    // sink
    &sink::jsonl::KIND,
    &sink::subtitles::KIND,
    &sink::print::KIND,
    &sink::foxglove::KIND,
    &sink::collect::KIND,
    &sink::null::KIND,
];

/// Length of a source's frames unless the graph says `frame_ms`: short beside a deadline of 50 ms.
pub(crate) const FRAME_MS: f64 = 20.0;

/// No heart beats faster; sizes rings.
pub(crate) const BEATS_PER_SECOND_MAX: f64 = 10.0;
