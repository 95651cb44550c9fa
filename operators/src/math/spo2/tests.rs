use std::f64::consts::TAU;

use super::*;

const RATE_HZ: f64 = 100.0;

fn last(seconds: usize, of: impl Fn(f64) -> [f64; 2]) -> Saturation {
    let mut spo2 = Spo2::new(RATE_HZ, 100, 5);
    let mut told = Vec::new();
    for n in 0..seconds * 100 {
        let [red, infrared] = of(n as f64 / RATE_HZ);
        told.extend(spo2.push(red as f32, infrared as f32));
    }
    assert_eq!(told.len(), seconds, "one a second");
    told[seconds - 1]
}

#[test]
fn the_ratio_is_that_of_both_pulses_over_their_means() {
    for (r, mean) in [(0.5, 1.0), (1.0, 40_000.0), (2.0, 0.3)] {
        let pulse = |s: f64| 0.01 * (TAU * 1.2 * s).sin();
        let of = |s: f64| [0.7 * mean * (1.0 + r * pulse(s)), mean * (1.0 + pulse(s))];
        let saturation = last(30, of);
        // Samples are f32: 6e-8 of the mean is 6e-6 of a pulse of 1 %, averaged over 500; means
        // over 5 s of 1.2 Hz are of whole periods.
        let ratio = saturation.ratio.expect("light and pulse");
        assert!((ratio / r - 1.0).abs() < 1e-5, "{saturation:?}");
        assert!((saturation.quality - 1.0).abs() < 1e-9, "{saturation:?}");
        // From lowest to highest 2 %, by the band's gain at 1.2 Hz, 1 to 0.1 %.
        assert!((saturation.perfusion_pct - 2.0).abs() < 0.01, "{saturation:?}");
    }
}

#[test]
fn noise_in_red_lowers_the_quality_and_not_the_ratio() {
    let noise = |s: f64| ((s * 100.0).round() as u64 * 7_919 % 1_009) as f64 / 1_009.0 - 0.5;
    let pulse = |s: f64| 0.01 * (TAU * 1.2 * s).sin();
    let saturation = last(60, |s| [1.0 + 0.5 * pulse(s) + 0.02 * noise(s), 1.0 + pulse(s)]);
    assert!(saturation.quality < 0.98, "{saturation:?}");
    // Noise of 0.02 / √12 = 0.0058, of which the band keeps a tenth of the power, 0.0018, over an
    // infrared pulse of 0.0071 and the 45 independent moments of a band of 4.5 Hz in 5 s: a
    // standard error of 0.04; four of them.
    assert!((saturation.ratio.expect("there") - 0.5).abs() < 0.16, "{saturation:?}");
}

#[test]
fn without_light_or_pulse_there_is_no_ratio() {
    let dark = last(10, |_| [0.0, 0.0]);
    assert_eq!(dark, Saturation { ratio: None, perfusion_pct: 0.0, quality: 0.0 });
    let still = last(10, |_| [1.0, 1.0]);
    assert_eq!((still.ratio, still.quality), (None, 0.0));
    let against = last(20, |s| [1.0 - 0.01 * (7.0 * s).sin(), 1.0 + 0.01 * (7.0 * s).sin()]);
    assert_eq!((against.ratio, against.quality), (None, 0.0));
}
