use engine::testing::{Bench, Seen};

use super::*;
use crate::source::ppg;

/// Infrared and red of somebody with this saturation.
fn lights(spo2_pct: f64, more: &str) -> [Vec<f32>; 2] {
    let params = format!("seconds = 30.0\nspo2_pct = {spo2_pct:?}\n{more}");
    let mut source = Bench::build(&ppg::KIND, 0.0, &params).expect("valid");
    while !source.pull(1_000) {}
    let frames: Vec<Seen> = source.take().into_iter().filter(|seen| seen.port == 0).collect();
    [0, 1].map(|channel| {
        frames.iter().flat_map(|seen| seen.frame.channel(channel).to_vec()).collect()
    })
}

fn told(bench: &mut Bench, [infrared, red]: &[Vec<f32>; 2], len: usize) -> Vec<Seen> {
    for (infrared, red) in infrared.chunks(len).zip(red.chunks(len)) {
        bench.push_samples(0, red);
        bench.push_samples(1, infrared);
        bench.run();
    }
    bench.flush();
    bench.take()
}

fn bench(params: &str) -> Bench {
    Bench::build(&KIND, 100.0, params).expect("valid")
}

#[test]
fn the_saturation_of_the_source_comes_out() {
    for spo2_pct in [70.0, 85.0, 97.5] {
        let seen = told(&mut bench(""), &lights(spo2_pct, ""), 20);
        assert_eq!(seen.len(), 30, "one a second");
        for seen in &seen[5..] {
            // Both lights pulse alike, but means are measured with the pulse: R is off by a factor
            // of 1 + 0.02 · m · (1 − R) where the mean of the wave is m, between 0.35 and 0.5.
            let ratio = (110.0 - spo2_pct) / 25.0;
            let off = 25.0 * ratio * 0.02 * 0.5 * f64::abs(1.0 - ratio) + 1e-3;
            let got = seen.number("spo2_pct").expect("a pulse");
            assert!((got - spo2_pct).abs() < off, "{got} is not {spo2_pct}");
            assert!(seen.number("quality").expect("told") > 0.999_9);
            let perfusion = seen.number("perfusion_pct").expect("told");
            assert!((1.2..2.5).contains(&perfusion), "{perfusion}");
        }
    }
}

#[test]
fn motion_lowers_the_quality() {
    let seen = told(&mut bench(""), &lights(97.5, "motion_share = 1.0\nnoise_share = 0.5"), 20);
    let lowest = seen.iter().filter_map(|seen| seen.number("quality")).fold(1.0, f64::min);
    assert!(lowest < 0.9, "{lowest}");
}

#[test]
fn calibration_is_a_straight_line() {
    let lights = lights(90.0, "");
    let ratio = |seen: &[Seen]| seen[20].number("ratio").expect("told");
    let usual = told(&mut bench(""), &lights, 20);
    let own = told(&mut bench("offset_pct = 104.0\nslope_pct = 17.0"), &lights, 20);
    assert_eq!(ratio(&usual), ratio(&own));
    let want = 104.0 - 17.0 * ratio(&own);
    // Both are told with six digits.
    assert!((own[20].number("spo2_pct").expect("told") - want).abs() < 1e-3);
}

#[test]
fn a_finger_that_is_taken_away_says_nothing() {
    let [mut infrared, mut red] = lights(97.5, "");
    infrared[1_000..2_000].fill(0.0);
    red[1_000..2_000].fill(f32::NAN);
    let whole = told(&mut bench(""), &[infrared.clone(), red.clone()], 3_000);
    let parts = told(&mut bench(""), &[infrared, red], 7);
    assert_eq!(whole.len(), parts.len());
    assert!(whole.iter().zip(&parts).all(|(a, b)| a.time() == b.time()));
    let within = |seen: &&Seen| (11.1..20.0).contains(&seen.time().secs_f64());
    assert_eq!(parts.iter().filter(within).count(), 0);
    let last = parts.last().expect("it goes on").number("spo2_pct").expect("a pulse");
    // As above: 25 · 0.5 · 0.02 · 0.5 · 0.5.
    assert!((last - 97.5).abs() < 0.07, "{last}");
}

#[test]
fn ports_are_told_apart_whatever_their_order() {
    let [infrared, red] = lights(85.0, "");
    let inputs = [("infrared", Bench::channels(1, 100.0)), ("red", Bench::channels(1, 100.0))];
    let mut turned = Bench::with(&KIND, &inputs, "").expect("valid");
    turned.push_samples(0, &infrared);
    turned.push_samples(1, &red);
    turned.flush();
    let last = turned.take();
    let last = last.last().expect("told").number("spo2_pct").expect("a pulse");
    assert!((last - 85.0).abs() < 1e-2, "{last}");
}

#[test]
fn a_window_shorter_than_its_step_is_explained() {
    let problem = Bench::build(&KIND, 100.0, "window_s = 1.0\nevery_s = 2.0").err();
    let problem = problem.expect("refused").to_string();
    assert!(problem.contains("`window_s` = 1.0 is shorter than `every_s` = 2.0"), "{problem}");
}
