//! `hrv_frequency`: power of heart-rate variability by frequency, over a sliding window.
//!
//! With `method = "lomb"` the spectrum of the intervals after Lomb and Scargle, which needs no resampling
//! and is brought up to date with each beat; with `"welch"` that of the intervals put on a grid of 4 Hz by
//! a quadratic spline, in segments of half the window, as neurokit2 has it with `interpolation_rate=4` and
//! `normalize=False`, found when it is told. Formulas stand in
//! `operators::math::hrv`. Bands, by neurokit2's
//! `hrv_frequency` and the Task Force of 1996:
//!
//! ```text
//! ulf 0 to 0.0033   vlf to 0.04   lf to 0.15   hf to 0.4   vhf to 0.5 Hz     in ms²
//! tp  all of them   lf_hf = lf / hf   lfn = lf / tp   hfn = hf / tp   ln_hf = ln(hf)
//! ```
//!
//! | port  | carries                                                            |
//! |-------|--------------------------------------------------------------------|
//! | `in`  | beats: as from `qrs`, the truth of `ecg`, or annotations of `wfdb` |
//! | `out` | one event every `every_s`, at its whole multiples                  |
//!
//! Frequencies of `"lomb"` are multiples of 1 / (5 · `window_s`), from four cycles a window (0.013 Hz of five
//! minutes) to 0.5 Hz: what is slower is not told apart from a trend. neurokit2 divides powers by the
//! greatest of the spectrum unless told otherwise, which changes no ratio; its `lomb` of the intervals
//! themselves has the same LF/HF to 1 %.
//!
//! Powers are absent of fewer than 16 intervals, and of a band that the spectrum reaches less than half
//! of (`"welch"`: that holds less than two of its frequencies, 2 / `window_s` apart); `tp` is of the bands that are
//! told. Of `"lomb"` ULF takes a window of 41 minutes, VLF of 185 s, LF of 43 s, HF of 15 s. 100 s reach all of LF, and of a
//! band that is reached in part the power of that part is told. While the window
//! fills (`span_s`), what is there counts in its place.

use engine::{EventWriter, Kind, Param, Port};

use super::nn::{
    COMMON_FIELDS, EVERY_S, RR_CHANGE_MAX_PCT, RR_MAX_MS, RR_MIN_MS, body, outline, parameters,
};
use crate::math::hrv::{BandPowers, LombScargle, WINDOW_S_MAX, Welch};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "hrv_frequency",
    summary: "Power of heart-rate variability by frequency, over a sliding window.",
    doc: "method = \"lomb\": Lomb-Scargle spectrum (with a mean of its own per frequency, as astropy's), brought \
          up to date with each beat; \"welch\": neurokit2's psd_method=\"welch\" with interpolation_rate=4 \
          and normalize=False (quadratic spline, three segments of half the window), found when it is told, \
          some 150 us of five minutes; of the intervals in the last `window_s`, every `every_s` of event time: power in ms² from 0 to 0.0033 (ulf), to \
          0.04 (vlf), to 0.15 (lf), to 0.4 (hf) and to 0.5 Hz (vhf), all of it (tp), lf_hf, lfn and hfn \
          (shares of tp) and ln_hf, defined as in neurokit2's hrv_frequency, without dividing by the \
          greatest power. Frequencies of \"lomb\" are multiples of 1 / (5 window_s), from four cycles a window to \
          0.5 Hz; absent of fewer than 16 intervals, or where they reach less than half of a band (lomb: of lf below 43 s, of \
          vlf below 185 s; a window of 100 s reaches all of lf); tp is of the bands that are told. An interval outside rr_min_ms to \
          rr_max_ms, or more than rr_change_max_pct off the last one counted, is not believed, as in \
          `hrv`; `removed` says how many, `span_s` how long those that count are together. Events \
          whose `is_beat` is false are passed over; intervals next to a beat whose `class` is not N, L, R, e \
          or j do not count, nor does one across a gap, such as before an event without `rr_ms`, or with one \
          that is NaN or infinite. Delay: none, but values \
          wait for the first beat behind their time. Cost: per frequency (750 of five minutes) some 20 ns a \
          beat and 10 ns a value, never computed afresh (lomb). Source: Zechmeister and Kürster 2009; Task \
          Force 1996.",
    example: "window_s = 60.0\nevery_s = 5.0",
    inputs: &[Port::event("in").fed_by(&["qrs", "pulse"])],
    outputs: &[Port::event("out")],
    params: &[&METHOD, &WINDOW_S, &EVERY_S, &RR_MIN_MS, &RR_MAX_MS, &RR_CHANGE_MAX_PCT],
    timers: true,
    plan: |node| outline(node, &WINDOW_S, NUMBERS),
    build: |node| {
        let window_s = parameters(node, &WINDOW_S)?.window_s;
        match node.get(&METHOD)? {
            "welch" => body(
                node,
                &WINDOW_S,
                |capacity| Welch::new(capacity, window_s),
                |hrv, _, event| tell(hrv.measures_mut().bands(), event),
            ),
            _ => body(
                node,
                &WINDOW_S,
                |capacity| LombScargle::new(capacity, window_s),
                |hrv, _, event| tell(hrv.measures_mut().bands(), event),
            ),
        }
    },
    ..Kind::BASE
};

const METHOD: Param<&str> =
    Param::with_default("method", "lomb", "How the spectrum is found.").one_of(&["lomb", "welch"]);
const WINDOW_S: Param<f64> =
    Param::with_default("window_s", 300.0, "Length of the window.").within(16.0, WINDOW_S_MAX);

const NUMBERS: [&str; 10] =
    ["ulf_ms2", "vlf_ms2", "lf_ms2", "hf_ms2", "vhf_ms2", "tp_ms2", "lf_hf", "lfn", "hfn", "ln_hf"];

fn tell(powers: Option<BandPowers>, event: EventWriter) -> EventWriter {
    let Some(powers) = powers else { return event };
    let (lf, hf, tp) = (powers.lf_ms2(), powers.hf_ms2(), powers.total_ms2());
    let numbers = powers.bands_ms2.into_iter().chain([tp, lf / hf, lf / tp, hf / tp, hf.ln()]);
    numbers.enumerate().fold(event, |event, (n, number)| {
        // A window too short for a band has no power there, a heart without any variability no ratios.
        event.f64_or_absent(COMMON_FIELDS + n, Some(number).filter(|it| it.is_finite()))
    })
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use engine::{Field, Format, Frame, Header, Timestamp, testing::Bench};

    use super::*;

    /// Beats of a heart that swings by 40 ms at one frequency and 20 ms at another.
    fn swinging(slow_hz: f64, fast_hz: f64) -> Vec<engine::testing::Seen> {
        swinging_with("every_s = 300.0", slow_hz, fast_hz)
    }

    fn swinging_with(params: &str, slow_hz: f64, fast_hz: f64) -> Vec<engine::testing::Seen> {
        let format = Format::event(vec![Field::f64("rr_ms")], 10.0);
        let mut bench = Bench::with(&KIND, &[("in", format.clone())], params).expect("valid");
        let mut at_s = 0.0;
        while at_s < 301.0 {
            let event = EventWriter::new(format.as_event().expect("events")).f64(0, 800.0);
            let time = Timestamp::from_nanos((at_s * 1e9) as i64);
            bench.push(0, Frame::new(Header::at(time), event.finish()));
            bench.run();
            let swing = |hz: f64| (TAU * hz * at_s).sin();
            at_s += 0.8 + 0.04 * swing(slow_hz) + 0.02 * swing(fast_hz);
        }
        bench.take()
    }

    #[test]
    fn a_swing_has_half_its_square_in_its_band() {
        let seen = swinging(0.1, 0.25);
        let of = |field: &str| seen[0].number(field).expect("present");

        // Power of a sine is half its amplitude squared: 800 and 200 ms². An interval sees the mean of
        // a swing over its length, sin(π f T)/(π f T): 1 % less at 0.1 Hz, 6 % at 0.25; and the beats
        // follow the swing, which spreads some of it to sums and differences.
        assert!((of("lf_ms2") - 800.0).abs() < 40.0, "{}", of("lf_ms2"));
        assert!((of("hf_ms2") - 200.0).abs() < 30.0, "{}", of("hf_ms2"));
        assert!((of("lf_hf") - of("lf_ms2") / of("hf_ms2")).abs() < 1e-12);
        assert!((of("lfn") * of("tp_ms2") - of("lf_ms2")).abs() < 1e-9);
        assert!((of("ln_hf") - of("hf_ms2").ln()).abs() < 1e-12);
    }

    #[test]
    fn both_methods_tell_the_same_swing() {
        let welch = swinging_with("every_s = 300.0\nmethod = \"welch\"", 0.1, 0.25);
        let of = |field: &str| welch[0].number(field).expect("present");
        // Hann's window spreads a line over five frequencies, all inside the band; as above.
        assert!((of("lf_ms2") - 800.0).abs() < 40.0, "{}", of("lf_ms2"));
        assert!((of("hf_ms2") - 200.0).abs() < 30.0, "{}", of("hf_ms2"));
        assert_eq!(welch[0].number("ulf_ms2"), None, "five minutes reach none of it");
    }

    #[test]
    fn a_window_too_short_for_a_band_does_not_tell_it() {
        let seen = swinging_with("every_s = 300.0\nwindow_s = 30.0", 0.1, 0.25);
        for field in ["ulf_ms2", "vlf_ms2", "lf_ms2", "lf_hf", "lfn"] {
            assert_eq!(seen[0].number(field), None, "{field}");
        }
        assert!(seen[0].number("hf_ms2").is_some_and(|hf_ms2| hf_ms2 > 100.0));
    }

    #[test]
    fn bands_tell_swings_apart() {
        let seen = swinging(0.02, 0.45);
        let of = |field: &str| seen[0].number(field).expect("present");
        assert!(of("vlf_ms2") > 700.0 && of("vhf_ms2") > 100.0);
        assert!(of("lf_ms2") < 20.0 && of("hf_ms2") < 20.0, "{} {}", of("lf_ms2"), of("hf_ms2"));
    }
}
