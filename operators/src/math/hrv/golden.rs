//! Against neurokit2 and astropy; see `tests/golden/hrv.py`.

use super::{BANDS_HZ, Hrv, HrvParameters, LombScargle, Measures, Nonlinear, TimeDomain, Welch};
use crate::math::golden::{cases, numbers, word};

const GOLDEN: &str = include_str!("../../../../tests/golden/hrv.json");

/// A window that holds all intervals of a case and has let others go before.
fn filled<M: Measures>(case: &str, measures: impl Fn(usize, f64) -> M) -> Hrv<M> {
    let window_s = numbers(case, "window_s")[0];
    let parameters = HrvParameters { window_s, rr_change_max_pct: 1_000.0, ..Default::default() };
    let mut hrv = Hrv::with(parameters, |capacity| measures(capacity, window_s)).expect("valid");
    // Another heart, which has left the window when the last interval comes.
    let mut time_ns = 0;
    for n in 0..500 {
        time_ns += 700_000_000 + (n % 7) * 40_000_000;
        hrv.push(time_ns, true);
    }
    hrv.gap();
    time_ns += 2 * (window_s * 1e9) as i64;
    hrv.push(time_ns, true);
    for rr_us in numbers(case, "rr_us") {
        time_ns += rr_us as i64 * 1_000;
        hrv.push(time_ns, true);
    }
    hrv
}

#[track_caller]
fn assert_near(name: &str, got: f64, want: f64, share: f64) {
    // What is 0 is so to the last digit.
    assert!((got - want).abs() <= share * want.abs(), "{name}: {got} is not {want}");
}

/// Sums of whole nanoseconds against sums of doubles.
const SHARE: f64 = 1e-9;

#[test]
fn the_time_domain_is_that_of_neurokit2() {
    for case in cases(GOLDEN) {
        let hrv = filled(case, |capacity, _| TimeDomain::new(capacity, 2_000.0));
        let (sums, time) = (hrv.values().expect("full"), hrv.time_values().expect("full"));
        let name = word(case, "name");
        let of = |key: &str| numbers(case, key)[0];
        assert_eq!(sums.intervals, numbers(case, "rr_us").len(), "{name}");
        let (sdnn, rmssd) = (sums.sdnn_ms.expect("many"), sums.rmssd_ms.expect("many"));
        // neurokit2 divides by one difference more than there are.
        let (m, n) = (sums.differences as f64, sums.intervals as f64);
        for (key, got) in [
            ("MeanNN", sums.mean_ms),
            ("SDNN", sdnn),
            ("RMSSD", rmssd),
            ("SDSD", time.sdsd_ms.expect("many")),
            ("CVNN", sdnn / sums.mean_ms),
            ("CVSD", rmssd / sums.mean_ms),
            ("SDRMSSD", sdnn / rmssd),
            ("MedianNN", time.median_ms),
            ("MadNN", time.mad_ms),
            ("MCVNN", time.mad_ms / time.median_ms),
            ("IQRNN", time.iqr_ms),
            ("Prc20NN", time.prc20_ms),
            ("Prc80NN", time.prc80_ms),
            ("pNN50", sums.pnn50_pct.expect("many") * m / n),
            ("pNN20", time.pnn20_pct.expect("many") * m / n),
            ("MinNN", time.min_ms),
            ("MaxNN", time.max_ms),
            ("HTI", time.hti),
            ("TINN_any", time.tinn_ms),
        ] {
            assert_near(&format!("{name} {key}"), got, of(key), SHARE);
        }
        let count = numbers(case, "rr_us").iter().sum::<f64>() / 60e6;
        for (place, minutes) in [1, 2, 5].into_iter().enumerate() {
            let got = [time.sdann_ms[place], time.sdnni_ms[place]];
            if (count / f64::from(minutes)).round() < 3.0 {
                assert_eq!(got, [None, None], "{name} {minutes}");
                continue;
            }
            let want = numbers(case, &format!("segments{minutes}"));
            for (got, want) in got.into_iter().zip(want) {
                assert_near(
                    &format!("{name} segments of {minutes}"),
                    got.expect("many"),
                    want,
                    SHARE,
                );
            }
        }
    }
}

#[test]
fn nonlinear_measures_are_those_of_neurokit2() {
    for case in cases(GOLDEN) {
        let mut hrv = filled(case, |capacity, _| Nonlinear::new(capacity));
        let values = hrv.nonlinear_values();
        let poincare = values.poincare.expect("many");
        for (key, got) in [
            ("SD1", poincare.sd1_ms),
            ("SD2", poincare.sd2_ms),
            ("SD1SD2", poincare.ratio()),
            ("S", poincare.area_ms2()),
            ("CSI", poincare.csi()),
            ("CVI", poincare.cvi()),
            ("CSI_Modified", poincare.csi_modified_ms()),
            ("DFA_alpha1", values.dfa_alpha1.expect("many")),
            ("SampEn", values.sample_entropy.expect("some are alike")),
        ] {
            let place = format!("{} {key}", word(case, "name"));
            assert_near(&place, got, numbers(case, key)[0], SHARE);
        }
    }
}

#[test]
fn the_spectrum_of_segments_is_that_of_neurokit2() {
    for case in cases(GOLDEN) {
        let name = word(case, "name");
        let mut hrv = filled(case, Welch::new);
        let bands = hrv.measures_mut().bands().expect("many");
        let of = |key: &str| numbers(case, key)[0];
        // Intervals in whole microseconds of some 700 000.
        for (key, got) in [
            ("welch_lf", bands.lf_ms2()),
            ("welch_hf", bands.hf_ms2()),
            ("welch_lfhf", bands.lf_ms2() / bands.hf_ms2()),
        ] {
            assert_near(&format!("{name} {key}"), got, of(key), 1e-5);
        }
    }
}

#[test]
fn the_spectrum_is_that_of_astropy_and_its_bands_those_of_neurokit2() {
    for case in cases(GOLDEN) {
        let name = word(case, "name");
        let mut hrv = filled(case, LombScargle::new);
        let want = numbers(case, "lomb_density");
        let density = hrv.measures_mut().density().expect("many").to_vec();
        let highest = want.iter().copied().fold(0.0, f64::max);
        for (got, want) in density.iter().step_by(density.len() / 20).zip(&want) {
            // Intervals in whole microseconds, cosines of 28 bits.
            assert!((got - want).abs() < 1e-6 * highest, "{name}: {got} is not {want}");
        }
        let bands = hrv.measures_mut().bands().expect("many");
        let first_hz = 4.0 / numbers(case, "window_s")[0];
        let told = bands.bands_ms2.iter().zip(numbers(case, "lomb_bands"));
        for ((got, want), (band, _, high_hz)) in told.zip(BANDS_HZ) {
            // Of a band that the spectrum reaches less than half of nothing is told.
            let is_reached = high_hz - first_hz >= 0.5 * high_hz || band != "ulf";
            assert_eq!(got.is_finite(), is_reached, "{name} {band}: {got} is not {want}");
            if is_reached {
                assert_near(&format!("{name} {band}"), *got, want, 1e-6);
            }
        }
        // Its frequencies lie a little elsewhere, and it takes a faster, rougher way.
        assert_near(name, bands.lf_ms2() / bands.hf_ms2(), numbers(case, "lomb_lfhf")[0], 0.01);
    }
}
