//! `hrv_nonlinear`: Poincaré plot, detrended fluctuations and sample entropy of heart beats.
//!
//! ```text
//! sd1_ms, sd2_ms   axes of the ellipse of intervals over those before them
//! sd1_sd2, ellipse_ms2 = π·sd1·sd2, csi = sd2/sd1, cvi = log₁₀(16·sd1·sd2), csi_modified_ms = 4·sd2²/sd1
//! dfa_alpha1       slope of log fluctuation over log scale, scales of 4 to 11 beats
//! sample_entropy   −ln(A/B), m = 2, delay 1, reach 0.2 · SDNN
//! ```
//!
//! | port  | carries                                                            |
//! |-------|--------------------------------------------------------------------|
//! | `in`  | beats: as from `qrs`, the truth of `ecg`, or annotations of `wfdb` |
//! | `out` | one event every `every_s`, at its whole multiples                  |
//!
//! As neurokit2's `hrv_nonlinear` has them, to 1e-9; formulas stand in `operators::math::hrv`. Pairs
//! of the plot share a beat; fluctuations and entropy take the intervals that count as one series, as
//! neurokit2 does. All of it is brought up to date with each beat, exactly.

use engine::{EventWriter, Kind, Param, Port};

use super::nn::{COMMON_FIELDS, EVERY_S, RR_CHANGE_MAX_PCT, RR_MAX_MS, RR_MIN_MS, body, outline};
use crate::math::hrv::{Hrv, HrvValues, Nonlinear};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "hrv_nonlinear",
    summary: "Poincaré plot, detrended fluctuations and sample entropy of heart beats.",
    doc: "Of the intervals in the last `window_s`, every `every_s` of event time, as neurokit2's \
          hrv_nonlinear: the Poincaré ellipse (sd1_ms, sd2_ms, sd1_sd2, its area ellipse_ms2, csi, cvi, \
          csi_modified_ms; after Brennan 2001 and Toichi 1997), DFA alpha 1 over scales of 4 to 11 beats \
          (Peng 1995; absent of fewer than 12 intervals), and sample entropy with m = 2 and r = 0.2 SDNN \
          (Richman and Moorman 2000; absent where nothing is alike). An interval outside rr_min_ms to \
          rr_max_ms, or more than rr_change_max_pct off the last one counted, is not believed, as in \
          `hrv`; `removed` says how many, `span_s` how long those that count are together. Events \
          whose `is_beat` is false are passed over; intervals next to a beat whose `class` is not N, L, R, e \
          or j do not count, nor does one across a gap, such as before an event without `rr_ms`, or with one \
          that is NaN or infinite. Delay: none, but values \
          wait for the first beat behind their time. Cost: O(intervals in the window) a beat, some 2 us \
          of five minutes, and 3 us a value; exact, never computed afresh.",
    example: "window_s = 30.0\nevery_s = 5.0",
    inputs: &[Port::event("in").fed_by(&["qrs", "pulse"])],
    outputs: &[Port::event("out")],
    params: &[&WINDOW_S, &EVERY_S, &RR_MIN_MS, &RR_MAX_MS, &RR_CHANGE_MAX_PCT],
    timers: true,
    plan: |node| outline(node, &WINDOW_S, NUMBERS),
    build: |node| body(node, &WINDOW_S, Nonlinear::new, tell),
    ..Kind::BASE
};

const WINDOW_S: Param<f64> =
    Param::with_default("window_s", 300.0, "Length of the window.").within(10.0, 7_200.0);

const NUMBERS: [&str; 9] = [
    "sd1_ms",
    "sd2_ms",
    "sd1_sd2",
    "ellipse_ms2",
    "csi",
    "cvi",
    "csi_modified_ms",
    "dfa_alpha1",
    "sample_entropy",
];

fn tell(hrv: &mut Hrv<Nonlinear>, _: &HrvValues, event: EventWriter) -> EventWriter {
    let values = hrv.nonlinear_values();
    let ellipse = values.poincare.map(|poincare| {
        [
            poincare.sd1_ms,
            poincare.sd2_ms,
            poincare.ratio(),
            poincare.area_ms2(),
            poincare.csi(),
            poincare.cvi(),
            poincare.csi_modified_ms(),
        ]
    });
    let ellipse = ellipse.map_or([None; 7], |numbers| numbers.map(Some));
    let numbers = ellipse.into_iter().chain([values.dfa_alpha1, values.sample_entropy]);
    numbers.enumerate().fold(event, |event, (n, number)| {
        // A heart without any variability has no ratios.
        event.f64_or_absent(COMMON_FIELDS + n, number.filter(|it| it.is_finite()))
    })
}

#[cfg(test)]
mod tests {
    use engine::{Field, Format, Frame, Header, Timestamp, testing::Bench};

    use super::*;

    fn told(intervals_ms: &[i64]) -> Vec<engine::testing::Seen> {
        let format = Format::event(vec![Field::f64("rr_ms")], 10.0);
        let params = "every_s = 10.0\nwindow_s = 60.0\nrr_change_max_pct = 50.0";
        let mut bench = Bench::with(&KIND, &[("in", format.clone())], params).expect("valid");
        let mut time_ms = 0;
        for rr_ms in intervals_ms {
            time_ms += rr_ms;
            let event = EventWriter::new(format.as_event().expect("events")).f64(0, 800.0);
            let time = Timestamp::from_nanos(time_ms * 1_000_000);
            bench.push(0, Frame::new(Header::at(time), event.finish()));
            bench.run();
        }
        bench.take()
    }

    #[test]
    fn a_heart_that_takes_turns_has_all_its_variability_across_the_diagonal() {
        let seen = told(&[800, 900].repeat(7));
        let of = |field: &str| seen[0].number(field);

        // Pairs (800, 900) and (900, 800): their sum never changes.
        assert_eq!(of("sd2_ms"), Some(0.0));
        assert_eq!((of("csi"), of("cvi"), of("sd1_sd2")), (Some(0.0), None, None));
        // Nine differences until 10 s, five of −100 and four of 100 ms: their variance is 100 000 / 9.
        let sd1_ms = of("sd1_ms").expect("nine pairs");
        assert!((sd1_ms - (50_000.0_f64 / 9.0).sqrt()).abs() < 1e-9, "{sd1_ms}");
        // Wherever two are alike a third is.
        assert_eq!(of("sample_entropy"), Some(0.0));
    }

    #[test]
    fn an_even_heart_has_neither_ratios_nor_a_slope() {
        let seen = told(&[800; 14]);
        let of = |field: &str| seen[0].number(field);
        assert_eq!((of("sd1_ms"), of("ellipse_ms2")), (Some(0.0), Some(0.0)));
        assert_eq!((of("sd1_sd2"), of("dfa_alpha1")), (None, None));
        assert_eq!(of("sample_entropy"), Some(0.0));
    }
}
