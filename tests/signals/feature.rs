//! Peaks and features of what people's bodies gave, beside those that SciPy, NumPy and neurokit2 find
//! in the same samples (`tests/golden/feature_recordings.py`).

use std::path::Path;

use afferent_suite::data::folder;
use engine::{
    Kind,
    testing::{Bench, Seen},
};
use operators::feature::{
    entropy, hjorth, line_length, peaks, percentile, quality, rms, slope, zscore,
};

use crate::tables::{column, heard, numbers, times};

/// One line of the script's output.
struct Recording<'a> {
    case: &'a str,
    rate_hz: f64,
    window_s: f64,
    samples: Vec<f32>,
}

impl<'a> Recording<'a> {
    fn new(case: &'a str, data: &Path) -> Self {
        let number = |key| numbers(case, &[key])[0];
        let path = data.join(word(case, "file"));
        let samples = column(&path, number("column") as usize, number("skip") as usize);
        let rate_hz = number("rate_hz");
        Self { case, rate_hz, window_s: number("window") / rate_hz, samples }
    }

    fn hear(&self, kind: &'static Kind, params: &str) -> (Bench, Vec<Seen>) {
        let params = format!("window_s = {:?}\n{params}", self.window_s);
        let mut bench = Bench::build(kind, self.rate_hz, &params)
            .unwrap_or_else(|problem| panic!("{}: {problem}", kind.name));
        let seen = heard(&mut bench, &self.samples, self.rate_hz);
        (bench, seen)
    }

    /// What was expected under `key`, and by how much the output of a port is off at most, as a part
    /// of the largest of these.
    fn off(&self, key: &str, kind: &'static Kind, params: &str, port: usize) -> f64 {
        let (_, seen) = self.hear(kind, params);
        let frames = seen.iter().filter(|seen| seen.port == port);
        let got: Vec<f32> = frames.flat_map(|seen| seen.frame.samples().to_vec()).collect();
        let want = numbers(self.case, &[key]);
        let largest = want.iter().fold(0.0f64, |most, want| most.max(want.abs()));
        let off = numbers(self.case, &["at"]).into_iter().zip(want);
        off.map(|(at, want)| (f64::from(got[at as usize]) - want).abs())
            .fold(0.0, |most: f64, off| if off <= most { most } else { off })
            / largest
    }
}

fn word<'a>(case: &'a str, key: &str) -> &'a str {
    let (_, value) = case.split_once(&format!("\"{key}\": \"")).expect("a field");
    value.split('"').next().expect("a text")
}

fn recordings(data: &Path) -> Vec<Recording<'static>> {
    let text = include_str!("../golden/feature_recordings.json");
    let cases = text.lines().filter(|line| line.contains('{'));
    cases.map(|case| Recording::new(case, data)).collect()
}

#[test]
fn peaks_are_exactly_those_of_scipy() {
    let Some(data) = folder() else { return };
    for recording in recordings(&data) {
        let number = |key: &str| numbers(recording.case, &[key])[0];
        assert_eq!(recording.samples.len() as f64, number("samples"));
        let params = format!("prominence = {:?}", number("prominence"));
        let (_, seen) = recording.hear(&peaks::KIND, &params);
        let at = |second: &f64| (second * recording.rate_hz).round() as u64;
        let found: Vec<u64> = times(&seen).iter().map(at).collect();
        let sum: u64 = found.iter().sum();
        let weighted: u64 = found.iter().zip(1..).map(|(at, n)| at * n).sum();
        let name = word(recording.case, "name");
        println!("{name}: {} peaks; SciPy {}", found.len(), number("peaks"));
        let want = ["peaks", "sum", "weighted"].map(number);
        assert_eq!([found.len() as f64, sum as f64, weighted as f64], want, "{name}");
    }
}

#[test]
fn features_are_those_of_numpy_scipy_and_neurokit2() {
    let Some(data) = folder() else { return };
    for recording in recordings(&data) {
        let name = word(recording.case, "name");
        for (key, kind, params, port) in [
            ("rms", &rms::KIND, "", 0),
            ("line_length", &line_length::KIND, "", 0),
            ("slope", &slope::KIND, "", 0),
            ("percentile", &percentile::KIND, "percentile_pct = 90.0", 0),
            ("zscore", &zscore::KIND, "", 0),
            ("activity", &hjorth::KIND, "", 0),
            ("mobility", &hjorth::KIND, "", 1),
            ("complexity", &hjorth::KIND, "", 2),
        ] {
            let off = recording.off(key, kind, params, port);
            println!("{name}: {key} is off by {off:.1e} of its largest value");
            // Rounded to f32 once, half a unit in the last of 24 bits. Before that f64 on either side:
            // a fit on top of 2 000 times what it measures keeps nine digits at least.
            assert!(off <= 2f64.powi(-24) + 1e-9, "{name}: {key} is off by {off:e}");
        }
    }
}

#[test]
fn entropies_are_those_of_neurokit2() {
    let Some(data) = folder() else { return };
    for recording in recordings(&data) {
        let name = word(recording.case, "name");
        for method in ["sample", "approximate"] {
            // Only what is looked at, one value each: pairs of every window would take long.
            let at = numbers(recording.case, &["at"]);
            for (at, want) in at.into_iter().zip(numbers(recording.case, &[method])).step_by(3) {
                let end = at as usize + 1;
                let len = (recording.window_s * recording.rate_hz).round() as usize;
                let window = &recording.samples[end - len..end];
                let params = format!("window_s = {:?}\nmethod = {method:?}", recording.window_s);
                let bench = Bench::build(&entropy::KIND, recording.rate_hz, &params);
                let mut bench = bench.unwrap_or_else(|problem| panic!("{name}: {problem}"));
                bench.feed(window);
                let got = bench.take()[0].number("entropy").expect("something is alike");
                // Thousands of logarithms below 10 on either side, each rounded to 16 digits.
                assert!((got - want).abs() < 1e-11, "{name} {method} at {at}: {got} is not {want}");
            }
        }
        println!("{name}: sample and approximate entropy within 1e-11");
    }
}

#[test]
fn good_recordings_are_believed_and_what_is_broken_is_named() {
    let Some(data) = folder() else { return };
    for recording in recordings(&data) {
        let name = word(recording.case, "name");
        let part = |samples: &[f32]| {
            let params = "window_s = 4.0\nflat_s = 0.5\nevery_s = 4.0";
            let mut bench = Bench::build(&quality::KIND, recording.rate_hz, params).expect("valid");
            let seen = heard(&mut bench, samples, recording.rate_hz);
            let told: Vec<[f64; 3]> = seen
                .iter()
                .filter(|seen| seen.port == 0)
                .map(|seen| {
                    ["quality", "flat_share", "missing_share"]
                        .map(|field| seen.number(field).expect("always there"))
                })
                .collect();
            let count = told.len() as f64;
            [0, 1, 2].map(|n| told.iter().map(|told| told[n]).sum::<f64>() / count)
        };
        let [good, ..] = part(&recording.samples);
        let mut broken = recording.samples.clone();
        let third = broken.len() / 3;
        broken[..third].fill(f32::NAN);
        let last = broken[third];
        broken[third..2 * third].fill(last);
        let [bad, flat, missing] = part(&broken);
        println!(
            "{name}: quality {good:.3}; broken {bad:.3}, flat {flat:.3}, missing {missing:.3}"
        );
        assert!(good > 0.99, "{name}: {good}");
        // A third each, less what a run is before it is flat, and windows at the borders count for
        // both; quality is what is left of the product.
        assert!((missing - 1.0 / 3.0).abs() < 0.1 && (flat - 1.0 / 3.0).abs() < 0.15, "{name}");
        assert!(bad < 0.5, "{name}: {bad}");
    }
}
