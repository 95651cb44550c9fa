//! Breaths of people, beside neurokit2's (`rsp_process`, khodadad2018, batch).

use afferent_suite::data::folder;
use engine::testing::Bench;
use operators::biosignal::breath;

use crate::tables::{column, heard, numbers, times};

#[test]
fn breaths_of_people_are_where_neurokit2_finds_them() {
    let Some(data) = folder() else { return };
    let golden = include_str!("../golden/recordings.json");
    let reference = std::fs::read_to_string(data.join("reference/signals.json")).expect("results");
    // Of its troughs, how many have one of ours within half a second, and by how much the number
    // may differ. The second breathes as he likes: neurokit2 leaves out breaths shallower than 0.3
    // of the mean of the whole recording, which is not known while it runs.
    for (name, file, at, skip, rate_hz, found, more) in [
        (
            "nk-eventrelated",
            "mixue-t+NeuroKit/data/bio_eventrelated_100hz.csv",
            3,
            1,
            100.0,
            0.95,
            2,
        ),
        ("biosppy-resp", "PIA-Group+BioSPPy/examples/resp.txt", 0, 4, 1_000.0, 0.9, 6),
    ] {
        let samples = column(&data.join(file), at, skip);
        let mut bench = Bench::build(&breath::KIND, rate_hz, "").expect("valid");
        let seen = heard(&mut bench, &samples, rate_hz);
        let ends = times(&seen);
        // The low in which the first breath begins is no event, but known from its length.
        let length_s = 60.0 / seen[0].number("rate_bpm").expect("told");
        let lows: Vec<f64> =
            std::iter::once(ends[0] - length_s).chain(ends.iter().copied()).collect();
        let case = &golden[golden.find(name).expect("a case")..];
        let troughs = numbers(case, &["troughs"]);
        let hit = troughs.iter().filter(|t| lows.iter().any(|low| (*t - low).abs() <= 0.5)).count();
        let rates: Vec<f64> = seen.iter().filter_map(|seen| seen.number("rate_bpm")).collect();
        let mean = 60.0 * rates.len() as f64 / rates.iter().map(|rate| 60.0 / rate).sum::<f64>();
        let theirs = numbers(&reference, &["rsp", name, "mean_rate_bpm"])[0];
        println!(
            "{name}: {} breaths, {mean:.2} a minute; neurokit2 {} and {theirs:.2}; {hit} of its {} lows",
            ends.len(),
            numbers(&reference, &["rsp", name, "breaths"])[0],
            troughs.len()
        );
        assert!(hit as f64 >= found * troughs.len() as f64, "{name}: {hit} of {}", troughs.len());
        assert!(lows.len().abs_diff(troughs.len()) <= more, "{name}: {} lows", lows.len());
    }
}
