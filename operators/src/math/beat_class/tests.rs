use super::*;

const RATE_HZ: f64 = 250.0;

/// An ECG with a QRS complex at each of the beats: narrow, or broad and upside down.
fn ecg(beats: &[(f64, bool)]) -> Vec<f32> {
    let end_s = beats.last().expect("a beat").0 + 1.0;
    let bell = |from_s: f64, width_s: f64| (-0.5 * (from_s / width_s).powi(2)).exp();
    let sample = |n: usize| {
        let now_s = n as f64 / RATE_HZ;
        let wave = |(beat_s, is_broad): &(f64, bool)| match is_broad {
            true => -1.5 * bell(now_s - beat_s, 0.035),
            false => bell(now_s - beat_s, 0.012) - 0.2 * bell(now_s - beat_s - 0.03, 0.012),
        };
        let noise = ((n * 7_919 + n * n * 13) % 1_009) as f64 / 1_009.0 - 0.5;
        let wander = 0.3 * (now_s * 1.7).sin();
        (beats.iter().map(wave).sum::<f64>() + wander + 0.05 * noise) as f32
    };
    (0..(end_s * RATE_HZ) as usize).map(sample).collect()
}

fn verdicts(beats: &[(f64, bool)]) -> Vec<Verdict> {
    let ecg = ecg(beats);
    let mut classes = BeatClasses::new(RATE_HZ);
    let (before, after) = classes.reach();
    let mut last = None;
    let judged = beats.iter().map(|(beat_s, _)| {
        let r = (beat_s * RATE_HZ).round() as usize;
        let part = r.checked_sub(before).and_then(|first| ecg.get(first..=r + after));
        let interval_s = last.replace(*beat_s).map(|last| beat_s - last);
        classes.push(part, interval_s)
    });
    judged.collect()
}

/// Intervals of `interval_s`, with beats of other kinds at some.
fn heart(
    interval_s: f64,
    beats: usize,
    other: impl Fn(usize) -> Option<(f64, bool)>,
) -> Vec<(f64, bool)> {
    let mut at_s = 0.5;
    let beat = |n: usize| {
        let (share, is_broad) = other(n).unwrap_or((1.0, false));
        // What a premature beat comes early, the next comes late.
        let before = n.checked_sub(1).and_then(&other).map_or(1.0, |(share, _)| 2.0 - share);
        at_s += interval_s * if other(n).is_some() { share } else { before };
        (at_s, is_broad)
    };
    (0..beats).map(beat).collect()
}

fn letters(verdicts: &[Verdict]) -> String {
    verdicts.iter().map(|verdict| verdict.class.letter()).collect()
}

#[test]
fn beats_are_told_by_form_and_time() {
    for interval_s in [0.5, 0.8, 1.2] {
        let beats = heart(interval_s, 40, |n| match n {
            10 | 25 => Some((0.6, true)),
            18 | 32 => Some((0.6, false)),
            _ => None,
        });
        let told = letters(&verdicts(&beats));
        let mut want = "N".repeat(40);
        want.replace_range(10..11, "V");
        want.replace_range(25..26, "V");
        want.replace_range(18..19, "S");
        want.replace_range(32..33, "S");
        assert_eq!(told[2..], want[2..], "{interval_s} s");
    }
}

#[test]
fn every_second_beat_may_be_ectopic() {
    let beats = heart(0.9, 100, |n| (n >= 20 && n % 2 == 0).then_some((0.6, true)));
    let told = letters(&verdicts(&beats));
    let want: String = (0..100).map(|n| if n >= 20 && n % 2 == 0 { 'V' } else { 'N' }).collect();
    assert_eq!(told[2..], want[2..]);
}

#[test]
fn an_irregular_heart_has_no_premature_beats() {
    // As in atrial fibrillation: intervals from 0.6 to 1.1 s without any order.
    let mut at_s = 0.5;
    let irregular = |n: usize| {
        at_s += 0.6 + 0.5 * ((n * 7_919) % 1_009) as f64 / 1_009.0;
        (at_s, false)
    };
    let beats: Vec<(f64, bool)> = (0..200).map(irregular).collect();
    let told = letters(&verdicts(&beats));
    let early = told[50..].matches('S').count();
    // An interval is up to 29 % below the median; only the last 4 % of them count as early.
    assert!(early <= 150 / 10, "{early} of 150: {told}");
}

#[test]
fn a_flat_or_unknown_ecg_has_no_class_and_spoils_nothing() {
    let beats = heart(0.8, 30, |_| None);
    let ecg = ecg(&beats);
    let mut classes = BeatClasses::new(RATE_HZ);
    let (before, after) = classes.reach();
    let flat = vec![5.0; before + 1 + after];
    for (n, (beat_s, _)) in beats.iter().enumerate() {
        let r = (beat_s * RATE_HZ).round() as usize;
        let verdict = match n {
            12 => classes.push(Some(&flat), Some(0.8)),
            15 => classes.push(None, Some(0.8)),
            _ => classes.push(Some(&ecg[r - before..=r + after]), Some(0.8)),
        };
        let want = if n == 12 || n == 15 { Class::Unknown } else { Class::Normal };
        assert_eq!(verdict.class, want, "beat {n}");
    }
}
