//! Beats, their classes, breath and quality in the electrocardiograms of people.

use std::path::Path;

use afferent_suite::{
    data::{ANNOTATED, folder},
    motion::{checksum, electrode_motion, mixed},
    record::Lead,
    score::Score,
};
use engine::{
    Timestamp,
    testing::{Bench, Seen},
};
use operators::{
    biosignal::{beat_class, ecg_quality, edr, qrs},
    math::{band::Band, butterworth, sos::Section},
};

const TOLERANCE_S: f64 = 0.150;

/// What `qrs` says of what was recorded.
fn beat_events(ecg: &[f32], rate_hz: f64) -> Vec<Seen> {
    let mut bench = Bench::build(&qrs::KIND, rate_hz, "input = \"raw\"").expect("valid");
    let mut seen = Vec::new();
    for part in ecg.chunks(1 << 14) {
        bench.push_samples(0, part);
        bench.run();
        seen.extend(bench.take());
    }
    bench.flush();
    seen.extend(bench.take());
    seen
}

/// When `qrs` finds beats, in seconds.
fn beats(ecg: &[f32], rate_hz: f64) -> Vec<f64> {
    beat_events(ecg, rate_hz).iter().map(|seen| seen.time().secs_f64()).collect()
}

/// What a kind makes of the beats of `qrs` and of the ECG they were found in.
fn beside(kind: &'static engine::Kind, ecg: &[f32], rate_hz: f64) -> Vec<Seen> {
    let mut waiting = beat_events(ecg, rate_hz).into_iter().peekable();
    let format = waiting.peek().expect("a beat").format.clone();
    let inputs = [("beats", format), ("ecg", Bench::channels(1, rate_hz))];
    let mut bench = Bench::with(kind, &inputs, kind.example).unwrap_or_else(|why| panic!("{why}"));
    let (mut seen, mut samples) = (Vec::new(), 0);
    for part in ecg.chunks(rate_hz as usize) {
        bench.push_samples(1, part);
        samples += part.len();
        let now = Timestamp::from_nanos((samples as f64 / rate_hz * 1e9) as i64);
        while let Some(beat) = waiting.next_if(|beat| beat.time() < now) {
            bench.push(0, beat.frame);
        }
        bench.promise(0, now);
        bench.run();
        seen.extend(bench.take());
    }
    bench.flush();
    seen.extend(bench.take());
    seen
}

/// One case of `electrode_motion.py`: what neurokit2 scored, and the sum of the samples it scored on.
struct Case {
    record: &'static str,
    snr_db: u32,
    sum: u64,
    neurokit2: Score,
}

fn cases() -> Vec<Case> {
    let text = include_str!("../golden/electrode_motion.json");
    let field = |case: &'static str, name: &str| {
        let (_, value) = case.split_once(&format!("\"{name}\": ")).expect("a field");
        value.split([',', '}']).next().expect("a value").trim_matches('"')
    };
    let number = |case, name| field(case, name).parse().expect("a number");
    let read = |case| Case {
        record: field(case, "record"),
        snr_db: number(case, "snr_db") as u32,
        sum: u64::from_str_radix(field(case, "sum"), 16).expect("a sum"),
        neurokit2: Score {
            hit: number(case, "hit"),
            missed: number(case, "missed"),
            invented: number(case, "invented"),
        },
    };
    text.lines().map(read).collect()
}

/// The ECG of a case, and the moments of its beats in seconds.
fn ecg_of(case: &Case, data: &Path) -> (Vec<f32>, Vec<f64>) {
    let path = data.join(case.record);
    let seconds = |sample: usize| sample as f64 / 360.0;
    let Some(place) = ANNOTATED.iter().position(|record| *record == case.record) else {
        let lines = |ending| std::fs::read_to_string(format!("{}{ending}", path.display()));
        let (ecg, beats) = (lines(".csv").expect("its ECG"), lines("_ann.csv").expect("its beats"));
        let number = |line: &str| line.trim().parse::<f64>().expect("a number");
        let beats = beats.lines().map(|line| seconds(number(line) as usize));
        return (ecg.lines().map(|line| number(line) as f32).collect(), beats.collect());
    };
    let lead = Lead::read(&path, 0);
    let steps: Vec<i64> =
        lead.samples.iter().map(|mv| (f64::from(*mv) * 200.0).round() as i64).collect();
    let places: Vec<usize> = lead.beats.iter().map(|(sample, _)| *sample).collect();
    let ratio = match case.snr_db {
        12 => 15.848_931_924_611_133,
        6 => 3.981_071_705_534_972_2,
        _ => 1.0,
    };
    let motion = electrode_motion(place as u64 + 1, steps.len());
    (mixed(&steps, &motion, &places, ratio), places.into_iter().map(seconds).collect())
}

#[test]
fn in_electrode_motion_beats_are_found_as_well_as_by_neurokit2() {
    let Some(data) = folder() else { return };
    let mut levels = std::collections::BTreeMap::<u32, (Score, Score)>::new();
    for case in cases() {
        let (ecg, truth) = ecg_of(&case, &data);
        assert_eq!(checksum(&ecg), case.sum, "{} is not what neurokit2 read", case.record);
        let ours = Score::of(&truth, &beats(&ecg, 360.0), TOLERANCE_S);
        let Case { record, snr_db, neurokit2, .. } = case;
        println!(
            "{record} at {snr_db} dB: F1 {:.4}, neurokit2 {:.4}; {ours:?}",
            ours.f1(),
            neurokit2.f1()
        );
        let (all, theirs) = levels.entry(snr_db).or_default();
        (*all, *theirs) = (*all + ours, *theirs + neurokit2);
    }
    assert_eq!(levels.len(), 4);
    for (snr_db, (ours, theirs)) in levels {
        println!("at {snr_db} dB: {ours:?}, F1 {:.4}; neurokit2 F1 {:.4}", ours.f1(), theirs.f1());
        assert!(ours.f1() >= theirs.f1(), "{snr_db} dB: {ours:?} against {theirs:?}");
    }
}

/// How many beats of a class that people marked are told to be of another; found ones only.
#[derive(Clone, Copy, Debug, Default)]
struct Confusion {
    /// By what people marked (normal, premature supraventricular, ventricular) and what is told of it.
    told: [[u32; 4]; 3],
}

impl Confusion {
    fn of(marked: &[(usize, &str)], told: &[(f64, String)], rate_hz: f64) -> Self {
        let mut confusion = Self::default();
        for (time_s, class) in told {
            let off = |beat: &&(usize, &str)| (beat.0 as f64 / rate_hz - time_s).abs();
            let nearest = marked.iter().min_by(|a, b| off(a).total_cmp(&off(b)));
            let Some((_, mark)) = nearest.filter(|beat| off(beat) <= TOLERANCE_S) else { continue };
            let truth = match *mark {
                "N" | "L" | "R" | "e" | "j" => 0,
                "A" | "a" | "J" | "S" => 1,
                "V" | "E" => 2,
                _ => continue,
            };
            let said = "NSVQ".find(class.as_str()).expect("a class");
            confusion.told[truth][said] += 1;
        }
        confusion
    }

    fn add(&mut self, other: Self) {
        let rows = self.told.iter_mut().flatten().zip(other.told.as_flattened());
        rows.for_each(|(sum, count)| *sum += count);
    }

    /// Of those marked so, how many are told so; of those told so, how many are.
    fn shares(&self, class: usize) -> (f64, f64) {
        let right = f64::from(self.told[class][class]);
        let marked: u32 = self.told[class].iter().sum();
        let told: u32 = self.told.iter().map(|row| row[class]).sum();
        (right / f64::from(marked), right / f64::from(told))
    }
}

#[test]
fn premature_beats_are_told_from_normal_ones() {
    let Some(data) = folder() else { return };
    let mut all = Confusion::default();
    let others = ["DeepPSP+torch_ecg/sample-data/cpsc2021/data_8_2"];
    for record in ANNOTATED.iter().chain(&others) {
        let lead = Lead::read(&data.join(record), 0);
        let told: Vec<(f64, String)> = beside(&beat_class::KIND, &lead.samples, lead.rate_hz)
            .iter()
            .map(|seen| (seen.time().secs_f64(), seen.text("class").expect("a class").to_owned()))
            .collect();
        let confusion = Confusion::of(&lead.beats, &told, lead.rate_hz);
        println!("{record}: N, S, V as N, S, V, Q: {:?}", confusion.told);
        all.add(confusion);
    }
    let [normal, early, ventricular] = [0, 1, 2].map(|class| all.shares(class));
    println!("in all N {normal:?}, S {early:?}, V {ventricular:?}; {:?}", all.told);
    // Measured 0.93 (104 is paced, a quarter of it unknown), 0.97 of 33, 0.99 and 0.9.
    assert!(normal.0 > 0.9 && normal.1 > 0.99, "{normal:?}");
    assert!(early.0 > 0.9, "{early:?}");
    assert!(ventricular.0 > 0.97 && ventricular.1 > 0.85, "{ventricular:?}");
}

/// Forwards through a filter.
fn filtered(sections: &[Section], signal: &[f64]) -> Vec<f64> {
    let mut output = signal.to_vec();
    for Section { b, a } in sections {
        let (mut s0, mut s1) = (0.0, 0.0);
        for x in &mut output {
            let y = b[0] * *x + s0;
            s0 = b[1] * *x - a[0] * y + s1;
            s1 = b[2] * *x - a[1] * y;
            *x = y;
        }
    }
    output
}

/// Upward crossings of zero a minute, once the filter has settled.
fn rate_per_min(signal: &[f64], rate_hz: f64) -> f64 {
    let upward = signal.windows(2).filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0).count();
    upward as f64 / (signal.len() as f64 / rate_hz) * 60.0
}

#[test]
fn breath_from_the_ecg_goes_with_the_belt() {
    let Some(data) = folder() else { return };
    let table = data.join("mixue-t+NeuroKit/data/bio_eventrelated_100hz.csv");
    let text = std::fs::read_to_string(table).expect("a table");
    let column = |number: usize| -> Vec<f64> {
        let cell = |line: &str| line.split(',').nth(number)?.parse().ok();
        text.lines().skip(1).filter_map(cell).collect()
    };
    let (ecg, belt) = (column(0), column(3));
    let ecg: Vec<f32> = ecg.iter().map(|x| *x as f32).collect();
    let seen = beside(&edr::KIND, &ecg, 100.0);
    let samples: Vec<f64> =
        seen.iter().flat_map(|seen| seen.frame.samples()).map(|x| f64::from(*x)).collect();
    // Before the first beat and behind the last nothing is known, and between them all.
    let first = samples.iter().position(|x| x.is_finite()).expect("something is known");
    let last = samples.iter().rposition(|x| x.is_finite()).expect("something is known");
    let first_s = seen[0].time().secs_f64() + 0.25 * first as f64;
    let derived = samples[first..=last].to_vec();
    assert!(derived.iter().all(|x| x.is_finite()) && derived.len() > 590);
    let belt: Vec<f64> =
        (0..derived.len()).map(|n| belt[((first_s + 0.25 * n as f64) * 100.0) as usize]).collect();

    let band = Band::BandPass { low_hz: 0.1, high_hz: 0.4 };
    let sections = butterworth::design(2, band, 4.0).expect("valid");
    // The first 20 s are the filter settling on an offset.
    let [derived, belt] = [derived, belt].map(|signal| {
        let offset = signal[0];
        let signal: Vec<f64> = signal.iter().map(|x| x - offset).collect();
        filtered(&sections, &signal)[80..].to_vec()
    });
    let correlation = |late: usize, early: usize| {
        let pairs = || derived[late..].iter().zip(&belt[early..]);
        let sum = |of: fn(f64, f64) -> f64| pairs().map(|(x, y)| of(*x, *y)).sum::<f64>();
        sum(|x, y| x * y) / (sum(|x, _| x * x) * sum(|_, y| y * y)).sqrt()
    };
    let shifts = (0..8).flat_map(|n| [correlation(n, 0), correlation(0, n)]);
    let best = shifts.fold(0.0_f64, |best, r| if r.abs() > best.abs() { r } else { best });
    let (ours, theirs) = (rate_per_min(&derived, 4.0), rate_per_min(&belt, 4.0));
    println!("r = {best:.3}; {ours:.1} breaths a minute, the belt {theirs:.1}");
    assert!(best.abs() > 0.75, "{best}");
    assert!((ours - theirs).abs() < 0.05 * theirs, "{ours} against {theirs}");
}

/// Mean quality of an ECG from 10 s on.
fn mean_quality(ecg: &[f32], rate_hz: f64) -> f64 {
    let mut bench =
        Bench::build(&ecg_quality::KIND, rate_hz, "").unwrap_or_else(|why| panic!("{why}"));
    let (mut sum, mut count) = (0.0, 0.0);
    for part in ecg.chunks(1 << 14) {
        bench.push_samples(0, part);
        bench.run();
        for seen in bench.take() {
            let is_late = seen.port == 0 && seen.time().secs_f64() > 10.0;
            if let Some(quality) = seen.number("quality").filter(|_| is_late) {
                (sum, count) = (sum + quality, count + 1.0);
            }
        }
    }
    sum / count
}

#[test]
fn quality_falls_with_noise() {
    let Some(data) = folder() else { return };
    let mut by_snr = std::collections::BTreeMap::<u32, Vec<f64>>::new();
    for record in ANNOTATED {
        let lead = Lead::read(&data.join(record), 0);
        let clean = mean_quality(&lead.samples, lead.rate_hz);
        println!("{record} as recorded: {clean:.3}");
        by_snr.entry(99).or_default().push(clean);
    }
    for case in cases().into_iter().filter(|case| case.snr_db < 24) {
        let quality = mean_quality(&ecg_of(&case, &data).0, 360.0);
        println!("{} at {} dB: {quality:.3}", case.record, case.snr_db);
        by_snr.entry(case.snr_db).or_default().push(quality);
    }
    let means: Vec<f64> =
        by_snr.values().map(|all| all.iter().sum::<f64>() / all.len() as f64).collect();
    println!("mean at 0, 6, 12 dB, as recorded: {means:?}");
    assert!(means.is_sorted(), "{means:?}");
    assert!(means[0] < 0.3 && means[3] > 0.9, "{means:?}");
}
