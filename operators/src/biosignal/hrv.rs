//! `hrv`: heart-rate variability over a sliding window.
//!
//! Time domain (Task Force 1996): with the intervals RR of the window and the
//! differences d of neighbours that share a beat,
//!
//! ```text
//! sdnn  = √( Σ (RR − mean)² / (n − 1) )
//! rmssd = √( Σ d² / m )
//! pnn50 = 100 · |{ d : |d| > 50 ms }| / m
//! ```
//!
//! `measures = "all"` adds the rest of the time domain; formulas stand in [`crate::math::hrv`].
//! `hrv_frequency` and `hrv_nonlinear` tell the other domains of the same beats.
//!
//! | port  | carries                                                            |
//! |-------|--------------------------------------------------------------------|
//! | `in`  | beats: as from `qrs`, the truth of `ecg`, or annotations of `wfdb` |
//! | `out` | one event every `every_s`, at its whole multiples                  |
//!
//! Of a window, `intervals` count, `span_s` is how long they are together (less than the window at
//! the beginning and after losses), and `removed` were left out.
//!
//! **Artefacts.** An interval that differs by more than `rr_change_max_pct` from the last one counted
//! is left out; see [`crate::math::hrv`].
//!
//! **The end.** Values wait for the first beat behind their time. Where the stream ends before it,
//! those due within one mean interval after the last beat are told all the same: a recording of
//! five minutes has its value at five minutes.
//!
//! Where events have a field `is_beat`, those that are none are passed over; where they have a
//! `class`, intervals next to a beat that does not come from the sinus node (not N, L, R, e or j)
//! do not count. Where they have an `rr_ms`, one without it, or with one that is not finite, follows
//! a gap: nothing is measured across.
//!
//! Exact: sums are whole nanoseconds, so values equal a fresh computation bit for bit. A beat
//! costs some 30 ns, with all measures and their values about 1 µs.

use engine::{EventWriter, Kind, Param, Port};

use super::nn::{
    COMMON_FIELDS, EVERY_S, RR_CHANGE_MAX_PCT, RR_MAX_MS, RR_MIN_MS, body, outline, parameters,
};
use crate::math::hrv::{Hrv, HrvValues, TimeDomain};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "hrv",
    summary: "Heart-rate variability over a sliding window.",
    doc: "Mean interval, SDNN (ddof 1), RMSSD and pNN50 (strictly more than 50 ms) of the beats in the \
          last `window_s`, every `every_s` of event time, after Task Force 1996. `measures = \"all\"` \
          adds what else neurokit2's hrv_time has, by its names: SDSD, CVNN, CVSD, SDRMSSD, pNN20, \
          median, MAD (scaled by 1.4826), MCVNN, IQR, 20th and 80th percentile, least, most, HTI and \
          TINN over bins of 1/128 s, SDANN and SDNNI over segments of 1, 2 and 5 minutes (absent of \
          fewer than three). An interval outside \
          rr_min_ms to rr_max_ms, or more than rr_change_max_pct off the last one counted (Malik 1989; \
          three alike in a row are a new rhythm), is not believed, and no difference is taken across \
          it: `removed` says how many, `span_s` how long those that count are together. Values equal a \
          fresh computation bit for bit. pNN50 and pNN20 divide by the number of differences \
          (neurokit2 by one more), segments keep their last interval (neurokit2 loses it), and TINN \
          is the best triangle of all (neurokit2 tries those that begin with the shortest interval, of \
          an error below 2^14). Events whose `is_beat` is false are passed over; intervals next to a beat whose \
          `class` is not N, L, R, e or j do not count, nor does one across a gap, such as before an event without `rr_ms`, or \
          with one that is NaN or infinite. Delay: none, but \
          values wait for the first beat behind their time; at the end of the stream those due within \
          one mean interval after the last beat come too. Cost: about 30 ns a beat, with all measures \
          about 1 us, values included.",
    example: "window_s = 60.0\nevery_s = 5.0",
    inputs: &[Port::event("in").fed_by(&["qrs", "pulse"])],
    outputs: &[Port::event("out")],
    params: &[&WINDOW_S, &EVERY_S, &MEASURES, &RR_MIN_MS, &RR_MAX_MS, &RR_CHANGE_MAX_PCT],
    timers: true,
    plan: |node| {
        let all = if node.get(&MEASURES)? == "all" { &ALL[..] } else { &[] };
        outline(node, &WINDOW_S, SHORT.iter().chain(all).copied())
    },
    build: |node| {
        if node.get(&MEASURES)? == "short" {
            return body(node, &WINDOW_S, |_| (), |_, values, event| tell(values, event));
        }
        let rr_max_ms = parameters(node, &WINDOW_S)?.rr_max_ms;
        body(node, &WINDOW_S, |capacity| TimeDomain::new(capacity, rr_max_ms), tell_all)
    },
    ..Kind::BASE
};

const WINDOW_S: Param<f64> =
    Param::with_default("window_s", 60.0, "Length of the window.").within(1.0, 86_400.0);
const MEASURES: Param<&str> =
    Param::with_default("measures", "short", "The usual few, or the whole time domain.")
        .one_of(&["short", "all"]);

/// Numbers that are always told.
const SHORT: [&str; 5] = ["mean_nn_ms", "heart_rate_bpm", "sdnn_ms", "rmssd_ms", "pnn50_pct"];

/// Numbers that `measures = "all"` adds.
const ALL: [&str; 21] = [
    "sdsd_ms",
    "cvnn",
    "cvsd",
    "sdrmssd",
    "pnn20_pct",
    "median_nn_ms",
    "mad_nn_ms",
    "mcvnn",
    "iqr_nn_ms",
    "prc20_nn_ms",
    "prc80_nn_ms",
    "min_nn_ms",
    "max_nn_ms",
    "hti",
    "tinn_ms",
    "sdann1_ms",
    "sdann2_ms",
    "sdann5_ms",
    "sdnni1_ms",
    "sdnni2_ms",
    "sdnni5_ms",
];

fn tell(values: &HrvValues, event: EventWriter) -> EventWriter {
    event
        .f64(COMMON_FIELDS, values.mean_ms)
        .f64(COMMON_FIELDS + 1, values.heart_rate_bpm)
        .f64_or_absent(COMMON_FIELDS + 2, values.sdnn_ms)
        .f64_or_absent(COMMON_FIELDS + 3, values.rmssd_ms)
        .f64_or_absent(COMMON_FIELDS + 4, values.pnn50_pct)
}

fn tell_all(hrv: &mut Hrv<TimeDomain>, values: &HrvValues, event: EventWriter) -> EventWriter {
    let Some(time) = hrv.time_values() else { return event };
    let (sdnn, rmssd) = (values.sdnn_ms, values.rmssd_ms);
    let over_mean = |value: Option<f64>| value.map(|value| value / values.mean_ms);
    let ratio = sdnn.zip(rmssd).map(|(sdnn, rmssd)| sdnn / rmssd).filter(|it| it.is_finite());
    let numbers = [
        time.sdsd_ms,
        over_mean(sdnn),
        over_mean(rmssd),
        ratio,
        time.pnn20_pct,
        Some(time.median_ms),
        Some(time.mad_ms),
        Some(time.mad_ms / time.median_ms),
        Some(time.iqr_ms),
        Some(time.prc20_ms),
        Some(time.prc80_ms),
        Some(time.min_ms),
        Some(time.max_ms),
        Some(time.hti),
        Some(time.tinn_ms),
    ];
    let numbers = numbers.into_iter().chain(time.sdann_ms).chain(time.sdnni_ms);
    numbers.enumerate().fold(tell(values, event), |event, (n, number)| {
        event.f64_or_absent(COMMON_FIELDS + SHORT.len() + n, number)
    })
}

#[cfg(test)]
mod tests {
    use engine::{Field, Format, Frame, Header, Timestamp, testing::Bench};

    use super::*;

    fn beats() -> Format {
        Format::event(vec![Field::text("class", 8), Field::bool("is_beat")], 10.0)
    }

    fn event(time_ms: i64, class: &str, is_beat: bool) -> Frame {
        let format = beats();
        let event = EventWriter::new(format.as_event().expect("events"));
        let event = event.text(0, class).bool(1, is_beat).finish();
        Frame::new(Header::at(Timestamp::from_nanos(time_ms * 1_000_000)), event)
    }

    fn bench(params: &str) -> Bench {
        Bench::with(&KIND, &[("in", beats())], params).expect("valid")
    }

    #[test]
    fn values_come_every_few_seconds_and_are_those_of_the_formula() {
        let mut hrv = bench("every_s = 5.0");
        for time_ms in [800, 1_600, 2_500, 3_300, 5_100] {
            hrv.push(0, event(time_ms, "N", true));
            hrv.run();
        }

        let seen = hrv.take();
        assert_eq!(seen.len(), 1, "at 5 s, once the beat behind it is known");
        assert_eq!(seen[0].time(), Timestamp::from_nanos(5_000_000_000));
        // RR: 800, 900, 800; differences 100 and −100. All sums are whole, so only a root rounds.
        let mean_ms = 2_500.0 / 3.0;
        let near = |field: &str, want: f64| {
            let got = seen[0].number(field).expect("present");
            assert!((got - want).abs() < 1e-12 * want, "{field}: {got} is not {want}");
        };
        near("mean_nn_ms", mean_ms);
        near("heart_rate_bpm", 60_000.0 / mean_ms);
        near("rmssd_ms", 100.0);
        near("sdnn_ms", (2.0_f64 * 5_000.0 / 3.0).sqrt());
        assert_eq!(seen[0].number("pnn50_pct"), Some(100.0));
        assert_eq!(seen[0].number("intervals"), Some(3.0));
    }

    #[test]
    fn what_is_no_beat_is_passed_over_and_an_ectopic_beat_makes_no_interval() {
        let mut hrv = bench("every_s = 5.0");
        for (time_ms, class, is_beat) in [
            (800, "N", true),
            (1_000, "+", false),
            (1_600, "N", true),
            (2_000, "V", true),
            (3_200, "N", true),
            (4_000, "L", true),
            (6_000, "N", true),
        ] {
            hrv.push(0, event(time_ms, class, is_beat));
            hrv.run();
        }

        let seen = hrv.take();
        assert_eq!(seen[0].number("intervals"), Some(2.0));
        assert_eq!(seen[0].number("mean_nn_ms"), Some(800.0));
        assert_eq!(seen[0].number("rmssd_ms"), None, "the two intervals share no beat");
    }

    #[test]
    fn a_stream_that_begins_late_does_not_make_up_for_the_time_before() {
        let mut hrv = bench("every_s = 0.1");
        let century_ms = 3_155_760_000_000;
        for n in 0..4 {
            hrv.push(0, event(century_ms + 800 * n, "N", true));
            hrv.run();
        }

        let first = hrv.take().first().expect("values").time().nanos();
        // The first interval ends 800 ms behind the first beat. A timer sees what is older than its
        // time, so the values at 0.8 s itself come before that beat.
        assert_eq!(first, (century_ms + 900) * 1_000_000);
    }

    #[test]
    fn an_empty_window_says_nothing_until_hearts_beat_again() {
        let mut hrv = bench("every_s = 5.0\nwindow_s = 10.0");
        for time_ms in [1_000, 1_800, 101_000, 101_800, 106_000] {
            hrv.push(0, event(time_ms, "N", true));
            hrv.run();
        }

        let seconds: Vec<f64> = hrv.take().iter().map(|seen| seen.time().secs_f64()).collect();
        assert_eq!(seconds, [5.0, 10.0, 105.0]);
    }

    #[test]
    fn a_stream_that_ends_with_its_window_has_its_value() {
        for (beats_ms, want_s) in [
            // The last beat 400 ms before the minute, the next would come behind it.
            (vec![800, 1_600, 2_400, 59_600 - 800, 59_600], vec![60.0]),
            // A beat and more before: nobody knows whether the recording reached the minute.
            (vec![800, 1_600, 2_400, 58_000, 58_800], vec![]),
        ] {
            let mut hrv = bench("every_s = 60.0\nwindow_s = 60.0");
            for time_ms in beats_ms {
                hrv.push(0, event(time_ms, "N", true));
                hrv.run();
            }
            hrv.flush();
            let seen: Vec<f64> = hrv.take().iter().map(|seen| seen.time().secs_f64()).collect();
            assert_eq!(seen, want_s);
        }
    }

    #[test]
    fn what_is_left_out_and_what_is_covered_is_told() {
        let mut hrv = bench("every_s = 5.0");
        for time_ms in [800, 1_600, 2_100, 3_200, 4_000, 5_100] {
            hrv.push(0, event(time_ms, "N", true));
            hrv.run();
        }
        let seen = hrv.take();
        assert_eq!(seen[0].number("intervals"), Some(2.0));
        assert_eq!(seen[0].number("removed"), Some(2.0));
        assert_eq!(seen[0].number("span_s"), Some(1.6));
    }

    #[test]
    fn limits_that_cross_are_a_problem_of_the_graph() {
        let refused = Bench::with(&KIND, &[("in", beats())], "rr_min_ms = 5000.0").err();
        let problem = refused.expect("refused").to_string();
        assert!(problem.contains("5000 to 2000 ms cannot be"), "{problem}");
    }

    #[test]
    fn a_beat_without_an_interval_begins_anew() {
        let format = Format::event(vec![Field::f64("rr_ms")], 10.0);
        let beats = format.as_event().expect("events");
        for unheard in [None, Some(f64::NAN), Some(f64::INFINITY)] {
            let mut hrv =
                Bench::with(&KIND, &[("in", format.clone())], "every_s = 5.0").expect("valid");
            // From 1.6 to 3.0 s nothing was heard: 1.4 s would be believed else.
            let heard = Some(800.0);
            for (time_ms, rr_ms) in
                [(800, None), (1_600, heard), (3_000, unheard), (3_800, heard), (5_100, None)]
            {
                let event = EventWriter::new(beats).f64_or_absent(0, rr_ms);
                let header = Header::at(Timestamp::from_nanos(time_ms * 1_000_000));
                hrv.push(0, Frame::new(header, event.finish()));
                hrv.run();
            }
            let seen = hrv.take();
            assert_eq!(seen[0].number("intervals"), Some(2.0), "{unheard:?}");
            assert_eq!(seen[0].number("removed"), Some(0.0), "{unheard:?}");
        }
    }

    #[test]
    fn all_measures_stand_behind_the_short_ones() {
        let params = "every_s = 5.0\nmeasures = \"all\"";
        let (mut all, mut short) = (bench(params), bench("every_s = 5.0"));
        for time_ms in [800, 1_600, 2_500, 3_300, 5_100] {
            for hrv in [&mut all, &mut short] {
                hrv.push(0, event(time_ms, "N", true));
                hrv.run();
            }
        }
        let (all, short) = (all.take(), short.take());
        for field in ["intervals", "mean_nn_ms", "sdnn_ms", "rmssd_ms", "pnn50_pct"] {
            assert_eq!(all[0].number(field), short[0].number(field), "{field}");
        }
        // 800, 900 and 800 ms: differences of 100 and −100, half of them two bins long.
        for (field, want) in [
            ("sdsd_ms", 20_000.0_f64.sqrt()),
            ("cvnn", (10_000.0_f64 / 3.0).sqrt() / (2_500.0 / 3.0)),
            ("pnn20_pct", 100.0),
            ("median_nn_ms", 800.0),
            ("mad_nn_ms", 0.0),
            ("iqr_nn_ms", 50.0),
            ("prc80_nn_ms", 860.0),
            ("max_nn_ms", 900.0),
            ("hti", 1.5),
        ] {
            let got = all[0].number(field).expect("present");
            assert!((got - want).abs() < 1e-9, "{field}: {got} is not {want}");
        }
        assert_eq!(all[0].number("sdann1_ms"), None, "three minutes are needed");
        assert_eq!(short[0].number("sdsd_ms"), None);
    }
}
