use super::*;
use crate::math::ecgsyn::EcgParameters;

const RATE_HZ: f64 = 200.0;

fn ppg(perfusion_pct: f64) -> Ppg {
    let parameters = PpgParameters {
        heart: EcgParameters::default(),
        perfusion_pct,
        spo2_pct: 97.5,
        wander_share: 0.0,
        motion_share: 0.0,
        noise_share: 0.0,
    };
    Ppg::new(parameters, RATE_HZ)
}

fn skin(noise_microsiemens: f64) -> Skin {
    let parameters = SkinParameters {
        level_microsiemens: 5.0,
        drift_microsiemens: 0.0,
        responses_per_min: 4.0,
        amplitude_microsiemens: 0.5,
        noise_microsiemens,
        seed: 1,
    };
    Skin::new(parameters, RATE_HZ)
}

fn respiration() -> Respiration {
    let parameters = RespirationParameters {
        rate_bpm: 15.0,
        variation_share: 0.1,
        inhale_share: 0.4,
        depth: 2.0,
        wander_share: 0.0,
        noise_share: 0.0,
        seed: 1,
    };
    Respiration::new(parameters, RATE_HZ)
}

fn muscle() -> Muscle {
    let parameters =
        MuscleParameters { amplitude_mv: 0.2, noise_mv: 0.01, work_s: 1.0, rest_s: 2.0, seed: 1 };
    Muscle::new(parameters, RATE_HZ)
}

fn filled<M: Model>(
    model: &mut M,
    channels: usize,
    seconds: usize,
) -> (Vec<f32>, Vec<(i64, M::Truth)>) {
    let mut samples = vec![0.0; channels * seconds * RATE_HZ as usize];
    model.fill(&mut samples);
    (samples, std::iter::from_fn(|| model.pop()).collect())
}

#[test]
fn the_highest_point_of_a_pulse_is_where_the_truth_says() {
    let (samples, truth) = filled(&mut ppg(2.0), 2, 60);
    let infrared = &samples[..60 * RATE_HZ as usize];
    assert!((65..75).contains(&truth.len()), "{}", truth.len());
    for (time_ns, _) in &truth[1..truth.len() - 1] {
        let at = *time_ns as f64 / 1e9 * RATE_HZ;
        let near = at as usize - 20..at as usize + 20;
        let top = near.max_by(|a, b| infrared[*a].total_cmp(&infrared[*b])).expect("not empty");
        // Half a sample, and what f32 cannot tell: 6e-8 of 1 on a bend of 0.02 / (0.1 s)² is
        // √(2 · 6e-8 / 2) s = 0.05 samples.
        assert!((top as f64 - at).abs() <= 0.6, "{top} is not {at}");
        assert!((infrared[top] - 1.02).abs() < 0.002, "{}", infrared[top]);
    }
}

#[test]
fn red_pulses_by_the_ratio_of_the_saturation() {
    let (samples, _) = filled(&mut ppg(2.0), 2, 10);
    let (infrared, red) = samples.split_at(samples.len() / 2);
    for (infrared, red) in infrared.iter().zip(red) {
        // R = (110 − 97.5) / 25 = 0.5, of sums rounded to f32.
        assert!((red / 0.8 - 1.0 - 0.5 * (infrared - 1.0)).abs() < 3e-7);
    }
}

#[test]
fn a_breath_has_the_depth_and_the_lows_of_the_truth() {
    let (samples, truth) = filled(&mut respiration(), 1, 120);
    assert!((26..34).contains(&truth.len()), "{}", truth.len());
    for pair in truth.windows(2) {
        let at = |ns: i64| (ns as f64 / 1e9 * RATE_HZ).round() as usize;
        let breath = pair[1].1.before.expect("it ended");
        let of = &samples[at(pair[0].0)..at(pair[1].0)];
        let high = of.iter().copied().fold(0.0, f32::max);
        // Half a sample from the top of a cosine of 1 s and more: (π · 0.0025)² / 4 of the depth.
        assert!((f64::from(high) / breath.depth - 1.0).abs() < 1e-4, "{breath:?} {high}");
        let length_s = (pair[1].0 - pair[0].0) as f64 / 1e9;
        assert!((breath.inspiration_s + breath.expiration_s - length_s).abs() < 2e-9);
        assert!(samples[at(pair[0].0)] < 1e-3, "a low");
    }
}

#[test]
fn a_response_rises_from_its_onset_by_its_height() {
    let (samples, truth) = filled(&mut skin(0.0), 1, 600);
    assert!((25..60).contains(&truth.len()), "{}", truth.len());
    let far = |pair: &[(i64, SkinTruth)]| pair[1].0 - pair[0].0 > 12_000_000_000;
    let alone = truth.windows(3).find(|three| far(&three[..2]) && far(&three[1..]));
    let (onset_ns, response) = &alone.expect("some are alone")[1];
    let at =
        |seconds: f64| samples[((*onset_ns as f64 / 1e9 + seconds) * RATE_HZ).round() as usize];
    let rise = f64::from(at(response.rise_s) - at(0.0));
    // What is left of one before after 12 s is exp(−4) / 0.497 of 0.75, of which a third goes
    // meanwhile: 0.01, and as much again of those before it.
    assert!((rise - response.amplitude_microsiemens).abs() < 0.02, "{rise}");
    assert!(at(response.rise_s) > at(response.rise_s - 0.2));
    assert!(at(response.rise_s) > at(response.rise_s + 0.2));
}

#[test]
fn a_muscle_is_loud_between_onset_and_offset() {
    let (samples, truth) = filled(&mut muscle(), 1, 120);
    assert!((60..110).contains(&truth.len()), "{}", truth.len());
    let rms = |from_s: f64, to_s: f64| {
        let part = &samples[(from_s * RATE_HZ) as usize..(to_s * RATE_HZ) as usize];
        (part.iter().map(|x| f64::from(x * x)).sum::<f64>() / part.len() as f64).sqrt()
    };
    for pair in truth.windows(2) {
        let [from_s, to_s] = [pair[0].0, pair[1].0].map(|ns| ns as f64 / 1e9);
        let rms = rms(from_s + 0.03, to_s - 0.03);
        // 80 samples at least: a standard error of 1/√160 = 8 %; four of them.
        let want = if pair[0].1 == Contraction::Onset { 0.2 } else { 0.01 };
        assert!((rms / want - 1.0).abs() < 0.35, "{rms} is not {want}");
    }
}

#[test]
fn blocks_leave_no_trace_and_a_reset_begins_again() {
    fn check<M: Model>(mut model: M, channels: usize, new: impl Fn() -> M)
    where
        M::Truth: PartialEq + std::fmt::Debug,
    {
        let (whole, truth) = filled(&mut model, channels, 20);
        let len = whole.len() / channels;
        let mut parts = new();
        let mut told = Vec::new();
        let mut at = 0;
        for size in [1, 2, 3, 255, 256, 257, 700].into_iter().cycle() {
            let size = size.min(len - at);
            let mut part = vec![0.0; channels * size];
            parts.fill(&mut part);
            for channel in 0..channels {
                let want = &whole[channel * len + at..channel * len + at + size];
                assert_eq!(&part[channel * size..(channel + 1) * size], want, "from {at}");
            }
            told.extend(std::iter::from_fn(|| parts.pop()));
            at += size;
            if at == len {
                break;
            }
        }
        assert_eq!(told, truth);
        model.reset();
        assert_eq!(filled(&mut model, channels, 20), (whole, truth));
    }
    check(ppg(2.0), 2, || ppg(2.0));
    check(skin(0.01), 1, || skin(0.01));
    check(respiration(), 1, respiration);
    check(muscle(), 1, muscle);
}
