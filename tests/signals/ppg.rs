//! Pulses in photoplethysmograms of people, beside neurokit2's (Elgendi's method, batch).
//!
//! Nobody marked these pulses: the tables show where both agree, not who is right.

use std::path::Path;

use afferent_suite::{data::folder, score::Score};
use engine::{
    EventReader, FieldValue,
    testing::{Bench, Seen},
};
use operators::{
    biosignal::{hrv, pulse},
    files::wfdb::{Header, Recording},
};

use crate::tables::{column, heard, numbers, times};

struct Record {
    /// As the reference calls it.
    name: &'static str,
    rate_hz: f64,
    samples: Vec<f32>,
    /// How far apart both may place a pulse.
    tolerance_s: f64,
    /// From here on a finger is in the sensor, in seconds.
    from_s: f64,
    /// Of the reference's pulses, least share that is found.
    found: f64,
    /// Of what is found, least share that is in the reference.
    agreed: f64,
}

fn pleth(data: &Path) -> Vec<f32> {
    let folder = data.join("MIT-LCP+wfdb-python/sample-data");
    let header = std::fs::read(folder.join("v102s.hea")).expect("a header");
    let header = Header::parse(&header, "v102s").expect("a header");
    let open = |file: &str| std::fs::File::open(folder.join(file));
    let mut recording = Recording::open(&header, &[2], open).expect("its signal");
    let mut samples = vec![0.0; recording.samples() as usize];
    let count = samples.len();
    recording.read(&mut samples, count).expect("samples");
    samples
}

fn records(data: &Path) -> Vec<Record> {
    let heartpy = data.join("paulvangentcom+heartrate_analysis_python/heartpy/data");
    vec![
        Record {
            name: "heartpy-data",
            rate_hz: 100.0,
            samples: column(&heartpy.join("data.csv"), 0, 0),
            tolerance_s: 0.02,
            from_s: 0.0,
            found: 1.0,
            agreed: 1.0,
        },
        Record {
            // Before that the sensor is moved: neurokit2 finds intervals of 0.3 to 8.6 s there.
            name: "heartpy-data2",
            rate_hz: 116.9878,
            samples: column(&heartpy.join("data2.csv"), 1, 1),
            tolerance_s: 0.05,
            from_s: 42.0,
            found: 0.95,
            agreed: 0.95,
        },
        Record {
            name: "biosppy-ppg",
            rate_hz: 1_000.0,
            samples: column(&data.join("PIA-Group+BioSPPy/examples/ppg.txt"), 0, 4),
            tolerance_s: 0.02,
            from_s: 0.0,
            found: 1.0,
            agreed: 1.0,
        },
        Record {
            // The recorder wrapped what went beyond its range from the bottom to the top, which is
            // where the highest sample of a pulse lies then: 0.04 s off on average.
            name: "challenge2015-v102s-pleth",
            rate_hz: 250.0,
            samples: pleth(data),
            tolerance_s: 0.15,
            from_s: 0.0,
            found: 0.95,
            agreed: 0.95,
        },
    ]
}

fn is_beat(seen: &Seen) -> bool {
    let event = EventReader::new(seen.format.as_event().expect("events"), &seen.frame);
    event.field(event.index("is_beat").expect("a field")) == Some(FieldValue::Bool(true))
}

#[test]
fn pulses_of_people_are_where_neurokit2_finds_them() {
    let Some(data) = folder() else { return };
    let reference = std::fs::read_to_string(data.join("reference/signals.json")).expect("results");
    for record in records(&data) {
        let Record { name, rate_hz, from_s, tolerance_s, .. } = record;
        let peaks = numbers(&reference, &["ppg", name, "peaks"]);
        let behind = |times: Vec<f64>| -> Vec<f64> {
            times.into_iter().filter(|time| *time >= from_s).collect()
        };
        let theirs = behind(peaks.iter().map(|peak| peak / rate_hz).collect());
        let mut bench = Bench::build(&pulse::KIND, rate_hz, "").expect("valid");
        let seen = heard(&mut bench, &record.samples, rate_hz);
        let all = behind(times(&seen));
        let good = seen.iter().filter(|seen| is_beat(seen));
        let good = behind(good.map(|seen| seen.time().secs_f64()).collect());
        let score = Score::of(&theirs, &all, tolerance_s);
        let nearest = |time: &f64| {
            let off = theirs.iter().map(|their| time - their);
            off.min_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(9.0)
        };
        let off: Vec<f64> =
            all.iter().map(nearest).filter(|off| off.abs() <= tolerance_s).collect();
        println!(
            "{name} from {from_s} s: {} pulses, {} of them beats; neurokit2 {}, at {tolerance_s} s {score:?}, \
             mean offset {:.1} ms",
            all.len(),
            good.len(),
            theirs.len(),
            1e3 * off.iter().sum::<f64>() / off.len() as f64
        );
        assert!(score.sensitivity() >= record.found, "{name}: {score:?}");
        assert!(score.predictivity() >= record.agreed, "{name}: {score:?}");
    }
}

#[test]
fn what_is_no_pulse_has_no_quality() {
    let Some(data) = folder() else { return };
    let record = records(&data).into_iter().find(|record| record.name == "heartpy-data2");
    let Record { samples, rate_hz, .. } = record.expect("it is one of them");
    let mut bench = Bench::build(&pulse::KIND, rate_hz, "").expect("valid");
    let seen = heard(&mut bench, &samples, rate_hz);
    let share = |from_s: f64, to_s: f64| {
        let there = seen.iter().filter(|seen| (from_s..to_s).contains(&seen.time().secs_f64()));
        let good = there.clone().filter(|seen| is_beat(seen)).count();
        println!("{from_s} to {to_s} s: {good} of {} are beats", there.clone().count());
        good as f64 / there.count() as f64
    };
    // While the sensor is moved, and behind.
    let (moved, still) = (share(0.0, 36.0), share(42.0, 128.0));
    assert!(moved < 0.5 && still > 0.75, "{moved} {still}");
}

#[test]
fn the_heart_rate_of_pulses_is_neurokit2s() {
    let Some(data) = folder() else { return };
    let reference = std::fs::read_to_string(data.join("reference/signals.json")).expect("results");
    for record in records(&data).into_iter().filter(|record| record.found == 1.0) {
        let Record { name, rate_hz, samples, .. } = record;
        let mut bench = Bench::build(&pulse::KIND, rate_hz, "").expect("valid");
        let format = bench.output(0).clone();
        let seen = heard(&mut bench, &samples, rate_hz);
        let mut hrv = Bench::with(&hrv::KIND, &[("in", format)], "window_s = 60.0\nevery_s = 1.0")
            .expect("fits");
        for seen in seen {
            hrv.push(0, seen.frame);
            hrv.run();
        }
        hrv.flush();
        let values = hrv.take();
        let got = values.last().expect("values").number("mean_nn_ms").expect("told");
        let want = numbers(&reference, &["ppg", name, "elgendi", "mean_rr_ms"])[0];
        println!("{name}: mean interval {got:.1} ms, neurokit2 {want:.1} ms");
        // The first two pulses, which nothing can be compared with, are no beats: two intervals of
        // 23 and more, each within 150 ms of the mean.
        assert!((got - want).abs() < 300.0 / 23.0, "{name}: {got} is not {want}");
    }
}
