use super::*;
use crate::math::golden::{cases, numbers, word};
use crate::math::random::Random;
use crate::math::state::StateError;

const GOLDEN: &str = include_str!("../../../../tests/golden/artefacts.json");
const MS: i64 = 1_000_000;

fn found(ahead: usize, peaks_ms: &[f64]) -> Vec<Corrected> {
    let mut artefacts = Artefacts::new(ahead);
    let mut out = Vec::new();
    for peak_ms in peaks_ms {
        artefacts.push(*peak_ms as i64 * MS, &mut |beat| out.push(beat));
    }
    artefacts.end(&mut |beat| out.push(beat));
    out
}

fn of_class(beats: &[Corrected], class: Class) -> Vec<f64> {
    let of = beats.iter().filter(|beat| beat.class == class);
    of.map(|beat| beat.was_ns as f64 / MS as f64).collect()
}

#[test]
fn with_fifty_beats_ahead_all_is_as_neurokit2_has_it() {
    for case in cases(GOLDEN) {
        let name = word(case, "name");
        let beats = found(AHEAD_BEATS[1], &numbers(case, "peaks"));
        assert_eq!(of_class(&beats, Class::Ectopic), numbers(case, "ectopic"), "{name} ectopic");
        assert_eq!(of_class(&beats, Class::LongShort), numbers(case, "longshort"), "{name} long");
        let missed = of_class(&beats, Class::Missed).len();
        assert_eq!(missed, numbers(case, "missed").len(), "{name} missed");
        let extra: u32 = beats.iter().map(|beat| beat.extra).sum();
        assert_eq!(extra as usize, numbers(case, "extra").len(), "{name} extra");
        let want = numbers(case, "corrected");
        assert_eq!(beats.len(), want.len(), "{name}");
        for (beat, want) in beats.iter().zip(want) {
            // neurokit2 keeps whole milliseconds: it cuts what is put in, and then what is moved.
            let off_ms = beat.time_ns as f64 / MS as f64 - want;
            assert!((0.0..=1.0).contains(&off_ms), "{name}: {off_ms} ms off {want}");
        }
    }
}

#[test]
fn with_five_beats_ahead_what_was_put_in_is_found_as_well() {
    let (mut put_in, mut hit, mut paper) = (0, 0, 0);
    for case in cases(GOLDEN) {
        let beats = found(AHEAD_BEATS[0], &numbers(case, "peaks"));
        let wrong: Vec<f64> = numbers(case, "truth");
        let is_found = |at: &&f64| {
            let near = |beat: &Corrected| (beat.was_ns as f64 / MS as f64 - **at).abs() < 1_300.0;
            beats.iter().any(|beat| (beat.class != Class::Normal || beat.extra > 0) && near(beat))
        };
        put_in += wrong.len();
        hit += wrong.iter().filter(is_found).count();
        let all = ["ectopic", "longshort", "missed", "extra"];
        paper += all.iter().map(|class| numbers(case, class).len()).sum::<usize>();
        println!("{}: {hit} of {put_in} so far; the paper's way {paper}", word(case, "name"));
    }
    assert!(put_in > 40 && hit * 100 >= put_in * 95, "{hit} of {put_in}");
}

/// Beats of a heart with some wrong in every way.
fn beats(seed: u64, count: usize) -> Vec<i64> {
    let mut random = Random::new(seed);
    let mut time_ns = 0;
    let mut times = Vec::new();
    while times.len() < count {
        time_ns += ((800.0 + 30.0 * random.normals().0) * MS as f64) as i64;
        match random.below(20) {
            0 => times.extend([time_ns - 300 * MS, time_ns]),
            1 => {}
            2 => times.push(time_ns - 250 * MS),
            _ => times.push(time_ns),
        }
    }
    times
}

#[test]
fn a_saved_state_goes_on_with_the_same_beats() {
    for (seed, ahead) in [(1, 5), (2, 50)] {
        let beats = beats(seed, 400);
        let (mut whole, mut parts) = (Vec::new(), Vec::new());
        let mut first = Artefacts::new(ahead);
        beats.iter().for_each(|time_ns| first.push(*time_ns, &mut |beat| whole.push(beat)));
        let mut one = Artefacts::new(ahead);
        for time_ns in &beats {
            let mut bytes = Vec::new();
            one.save(&mut bytes);
            one = Artefacts::new(ahead);
            one.load(&bytes).expect("fits");
            one.push(*time_ns, &mut |beat| parts.push(beat));
        }
        assert_eq!(whole, parts);
        assert!(whole.iter().any(|beat| beat.class == Class::Missed));
        assert!(whole.is_sorted_by_key(|beat| beat.time_ns));

        let mut bytes = Vec::new();
        one.save(&mut bytes);
        assert_eq!(Artefacts::new(7).load(&bytes), Err(StateError::Content));
        for at in (0..bytes.len()).step_by(3) {
            assert!(Artefacts::new(ahead).load(&bytes[..at]).is_err());
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x40;
            let mut artefacts = Artefacts::new(ahead);
            if artefacts.load(&damaged).is_ok() {
                let later_ns = beats[beats.len() - 1] + 800 * MS;
                artefacts.push(later_ns, &mut |_| ());
                artefacts.end(&mut |_| ());
            }
        }
    }
}

#[test]
fn a_decision_takes_as_many_beats_as_are_said() {
    for ahead in [5, 20, 50] {
        let mut artefacts = Artefacts::new(ahead);
        let mut told = 0;
        for n in 0..200_usize {
            artefacts.push(n as i64 * 800 * MS + (n % 5) as i64 * MS, &mut |_| told += 1);
            assert_eq!(told, n.saturating_sub(ahead + DECISION_BEATS - 1), "beat {n}");
        }
        artefacts.end(&mut |_| told += 1);
        assert_eq!(told, 200);
        assert!(!artefacts.is_waiting());
    }
}

#[test]
fn a_heart_that_never_changes_has_no_artefacts() {
    let even: Vec<f64> = (0..300).map(|n| f64::from(n) * 800.0).collect();
    assert!(found(5, &even).iter().all(|beat| beat.class == Class::Normal && beat.extra == 0));
}
