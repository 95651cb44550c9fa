//! The main job: `graphs/biofeedback.toml` on its own heart and on people's.

use afferent_suite::{
    data::{ANNOTATED, folder},
    kinds::tally,
    plan_with,
    score::Score,
};
use engine::{EventFormat, EventReader, FieldValue, Frame, ManualRun, Timestamp};

const GRAPH: &str = include_str!("../graphs/biofeedback.toml");

/// Runs the graph with its lines kept under `key`; `truth` adds the source's second port.
fn run(key: &str, truth: &str, sets: &[&str], cores: usize) -> (Vec<(usize, Frame)>, ManualRun) {
    let mut graph = GRAPH.replace("op   = \"jsonl\"", &format!("op = \"tally\"\nkey = \"{key}\""));
    if !truth.is_empty() {
        graph.push_str(&format!(
            "\n[node.truth]\nop = \"tally\"\nkey = \"{key}_truth\"\nfrom = \"ecg.{truth}\"\n"
        ));
    }
    let plan = plan_with("graphs/biofeedback.toml", &graph, sets, cores);
    let mut run = ManualRun::new(&plan, cores, None).expect("bodies can be built");
    assert!(run.run_until(Timestamp::from_nanos(i64::MAX - 1)), "the graph waits for ever");
    assert_eq!(run.faults, []);
    for (from, to, frames) in run.edges() {
        assert!(frames.is_balanced() && frames.in_flight == 0, "{from} → {to}: {frames:?}");
        assert_eq!(frames.dropped_in_all(), 0, "{from} → {to}: {frames:?}");
    }
    assert_eq!(run.late("beats"), 0, "the declared look-back is too short");
    (tally(key), run)
}

fn times(frames: &[(usize, Frame)], line: usize) -> Vec<f64> {
    let of_line = frames.iter().filter(|(from, _)| *from == line);
    of_line.map(|(_, frame)| frame.header.time.secs_f64()).collect()
}

/// Times of the annotations that are beats.
fn annotated(frames: &[(usize, Frame)]) -> Vec<f64> {
    let format = EventFormat {
        fields: vec![
            engine::Field::text("class", 8),
            engine::Field::bool("is_beat"),
            engine::Field::i64("sample"),
            engine::Field::text("aux", 64),
        ],
        rate_max: 10.0,
    };
    let is_beat =
        |frame: &Frame| EventReader::new(&format, frame).field(1) == Some(FieldValue::Bool(true));
    let beats = frames.iter().filter(|(_, frame)| is_beat(frame));
    beats.map(|(_, frame)| frame.header.time.secs_f64()).collect()
}

#[test]
fn every_beat_of_the_built_in_heart_is_found_where_it_is() {
    let (lines, _) = run("built_in", "truth", &[], 1);
    let truth = times(&tally("built_in_truth"), 0);
    let beats = times(&lines, 0);

    // The first R lies in the filter's first 125 ms or the last in its last 50 ms at most.
    let score = Score::of(&truth, &beats, 0.025);
    assert!(score.missed <= 2 && score.invented == 0, "{score:?} of {}", truth.len());
    assert!(times(&lines, 1).len() >= 22, "an HRV line every five seconds");
}

#[test]
fn lines_come_in_order_of_time() {
    let (lines, _) = run("ordered", "", &[], 1);
    assert!(lines.is_sorted_by_key(|(line, frame)| (frame.header.time, *line)));
}

/// What `beats` says of each beat.
fn numbers(frames: &[(usize, Frame)], field: &str) -> Vec<Option<f64>> {
    let format = EventFormat {
        fields: vec![
            engine::Field::f64("rr_ms"),
            engine::Field::f64("heart_rate_bpm"),
            engine::Field::f64("amplitude_mv"),
            engine::Field::bool("searched_back"),
        ],
        rate_max: 10.0,
    };
    let read = |frame: &Frame| {
        let event = EventReader::new(&format, frame);
        event.f64(event.index(field).expect("a field of beats"))
    };
    frames.iter().filter(|(line, _)| *line == 0).map(|(_, frame)| read(frame)).collect()
}

#[test]
fn r_is_told_when_and_as_high_as_it_is_behind_any_band() {
    for (n, (low_hz, high_hz, order)) in
        [(5.0, 15.0, 2), (0.5, 40.0, 2), (8.0, 20.0, 2), (1.0, 30.0, 3), (5.0, 15.0, 4)]
            .into_iter()
            .enumerate()
    {
        let key = format!("band_{n}");
        let band = [
            format!("clean.low_hz={low_hz:?}"),
            format!("clean.high_hz={high_hz:?}"),
            format!("clean.order={order}"),
        ];
        let band: Vec<&str> = band.iter().map(String::as_str).collect();
        let (lines, _) = run(&key, "truth", &band, 1);
        let (truth, beats) = (times(&tally(&format!("{key}_truth")), 0), times(&lines, 0));

        // Without noise one sample, 4 ms, is what a parabola through samples of 8 ms may err.
        let score = Score::of(&truth, &beats, 0.004);
        assert!(score.missed <= 2 && score.invented == 0, "{low_hz} to {high_hz}: {score:?}");
        let heights: Vec<f64> = numbers(&lines, "amplitude_mv").into_iter().flatten().collect();
        assert!(
            heights.iter().all(|mv| (mv - 1.0).abs() < 0.1),
            "{low_hz} to {high_hz}: {heights:?}"
        );
    }
}

#[test]
fn fast_and_slow_hearts_are_found() {
    for (n, per_minute) in [30, 40, 150, 180, 200, 220].into_iter().enumerate() {
        let key = format!("pace_{n}");
        let pace = format!("ecg.heart_rate_bpm={per_minute}.0");
        let (lines, _) = run(&key, "truth", &[&pace], 1);
        let truth = times(&tally(&format!("{key}_truth")), 0);
        let score = Score::of(&truth, &times(&lines, 0), 0.025);
        println!("{per_minute} a minute: {score:?}");
        // The heart varies: at 220 on average some intervals are shorter than 0.22 s, and a beat
        // that comes 0.2 s after another is none to the detector.
        let missed_max = 2 + if per_minute > 200 { truth.len() / 20 } else { 0 };
        assert!(score.missed <= missed_max && score.invented <= 1, "{per_minute}: {score:?}");
    }
}

#[test]
fn a_lost_electrode_makes_no_interval() {
    let Some(data) = folder() else { return };
    let file = format!("ecg.file={}", data.join(ANNOTATED[0]).with_extension("hea").display());
    let (lines, _) = run("pauses", "", &["ecg.op=wfdb", &file], 1);
    let intervals = numbers(&lines, "rr_ms");
    assert!(intervals.iter().flatten().all(|rr_ms| *rr_ms <= 3_000.0));
}

/// Leads whose beats people marked, and what of them must be found. The first is another lead of a
/// record that weights were fitted on, the second was a part of the fit: they show that a change has
/// spoilt nothing, not how well strangers are read.
const HELD_OUT: [(&str, &str, f64, f64); 2] = [
    // 99.8 and 100 %: a quarter more of misses than there were is a change for the worse.
    ("MIT-LCP+wfdb-python/sample-data/100", "V5", 0.997, 0.999),
    // Atrial fibrillation, 200 Hz. 98.4 and 100 %: four of 256 missed, of which two while it learns.
    ("DeepPSP+torch_ecg/sample-data/cpsc2021/data_8_2", "II", 0.975, 0.99),
];

#[test]
fn other_leads_and_rates_are_read_as_well() {
    let Some(data) = folder() else { return };
    for (n, (record, lead, sensitivity, predictivity)) in HELD_OUT.into_iter().enumerate() {
        let key = format!("held_out_{n}");
        let file = format!("ecg.file={}", data.join(record).with_extension("hea").display());
        let lead_of = format!("clean.from=ecg[{lead}]");
        let (lines, _) = run(&key, "annotations", &["ecg.op=wfdb", &file, &lead_of], 1);
        let truth = annotated(&tally(&format!("{key}_truth")));
        let score = Score::of(&truth, &times(&lines, 0), 0.150);
        println!("{record}[{lead}]: {score:?}");
        assert!(score.sensitivity() >= sensitivity, "{record}[{lead}]: {score:?}");
        assert!(score.predictivity() >= predictivity, "{record}[{lead}]: {score:?}");
    }
}

#[test]
fn two_leads_of_a_bad_recording_agree_on_most_beats() {
    // 300 s from an intensive care unit, with a false alarm in them; nobody marked its beats. Other
    // detectors find 402, 513 and 526 in lead II.
    let Some(data) = folder() else { return };
    let record = data.join("MIT-LCP+wfdb-python/sample-data/v102s.hea");
    let file = format!("ecg.file={}", record.display());
    let beats = |lead: &str| {
        let lead_of = format!("clean.from=ecg[{lead}]");
        times(&run(&format!("bad_{lead}"), "", &["ecg.op=wfdb", &file, &lead_of], 1).0, 0)
    };
    let score = Score::of(&beats("V"), &beats("II"), 0.150);
    println!("v102s, II against V: {score:?}");
    // Measured 0.91 and 0.96.
    assert!(score.sensitivity() > 0.8 && score.predictivity() > 0.85, "{score:?}");
}

#[test]
fn beats_of_people_are_found_as_promised() {
    let Some(data) = folder() else { return };
    let mut totals = [Score::default(); 3];
    let tolerances = [0.150, 0.075, 0.025];
    for (n, record) in ANNOTATED.into_iter().enumerate() {
        let key = format!("record_{n}");
        let file = format!("ecg.file={}", data.join(record).with_extension("hea").display());
        let (lines, _) = run(&key, "annotations", &["ecg.op=wfdb", &file], 1);
        let truth = annotated(&tally(&format!("{key}_truth")));
        let beats = times(&lines, 0);
        for (total, tolerance_s) in totals.iter_mut().zip(tolerances) {
            let score = Score::of(&truth, &beats, tolerance_s);
            println!("{record} at {tolerance_s} s: {score:?}");
            *total = *total + score;
        }
    }

    // The weights of `qrs` were fitted on these records, among others: how well they do elsewhere is
    // another question, and another test. neurokit2 0.2.12 on the same samples at 150 ms: 99.80 % and 99.85 %.
    let [at_150, at_75, at_25] = totals;
    println!("in all: {at_150:?} {at_75:?} {at_25:?}");
    assert!(at_150.sensitivity() >= 0.9985 && at_150.predictivity() >= 0.9990, "{at_150:?}");
    assert!(at_25.sensitivity() >= 0.99 && at_25.predictivity() >= 0.99, "{at_25:?}");
}

/// Everything a person would notice: times, fields and gaps, as bytes.
fn digest(lines: &[(usize, Frame)]) -> Vec<(usize, i64, Vec<u8>)> {
    let line = |(line, frame): &(usize, Frame)| {
        (*line, frame.header.time.nanos(), frame.buffer().bytes().to_vec())
    };
    lines.iter().map(line).collect()
}

#[test]
fn the_same_recording_gives_the_same_bits_over_runs_cores_and_frame_lengths() {
    let noise = "ecg.noise_mv=0.05";
    let want = digest(&run("bits", "", &[noise, "ecg.rate_hz=360.0"], 1).0);
    assert!(want.len() > 140);

    for (n, frame_ms) in [2.8, 20.0, 21.0, 333.0, 5_000.0].into_iter().enumerate() {
        let frame = format!("ecg.frame_ms={frame_ms}");
        let sets = [noise, "ecg.rate_hz=360.0", &frame];
        let fused = digest(&run(&format!("bits_{n}"), "", &sets, 1).0);
        assert!(fused == want, "frames of {frame_ms} ms differ");

        let cut = ["clean.stage=a", "clean.core=1", "beats.stage=b", "beats.core=0"];
        let sets: Vec<&str> = sets.iter().copied().chain(cut).collect();
        let apart = digest(&run(&format!("bits_cut_{n}"), "", &sets, 2).0);
        assert!(apart == want, "frames of {frame_ms} ms on two cores differ");
    }
}
