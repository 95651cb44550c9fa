//! Beats in the five annotated records: samples per second on one core, beside sleepecg (C).
//!
//! `SLEEPECG` names a Python that has the rival (see `benches/peers/qrs_sleepecg.py`); without it only
//! ours is measured.

mod support;

use std::{path::Path, process::Command, sync::Arc};

use afferent_suite::{data, plan_with, record::Lead, score::Score};
use engine::Plan;
use operators::math::qrs::{Beat, Qrs};
use support::{
    Bench, Runs,
    graph::{at_max, run_to_end},
    seconds,
};

const GRAPH: &str = r#"
[graph]
name = "qrs"

[node.ecg]
op       = "wfdb"
file     = ""
frame_ms = 1000.0

[node.beats]
op    = "qrs"
from  = "ecg[0]"
input = "raw"

[node.out]
op   = "null"
from = "beats"
"#;

fn main() {
    let bench = Bench::start("qrs");
    let Some(folder) = data::folder() else { return };
    let leads = data::ANNOTATED.map(|record| Lead::read(&folder.join(record), 0));
    let samples: usize = leads.iter().map(|lead| lead.samples.len()).sum();
    let plans = data::ANNOTATED.map(|record| {
        let file = format!("ecg.file={}", folder.join(record).with_extension("hea").display());
        plan_with("qrs.toml", GRAPH, &[&file], 1)
    });

    let rival = std::env::var("SLEEPECG").ok();
    let variants = ["the detector alone", "in a graph, from the files", "sleepecg"];
    let [alone, in_graph, its] = bench.interleaved([
        (variants[0], &mut || samples as f64 / detect(&leads)),
        (variants[1], &mut || samples as f64 / run(&plans)),
        (variants[2], &mut || rival.as_ref().map_or(f64::NAN, |python| ask(python, &folder))),
    ]);
    let rate = |runs: &Runs<f64>| runs.of(|rate| *rate);
    for (variant, runs) in variants.iter().zip([&alone, &in_graph, &its]) {
        if rival.is_some() || *variant != variants[2] {
            let params = [("variant", *variant), ("records", "5")];
            bench.report("qrs", &params, &[("samples_per_s", &rate(runs))]);
        }
    }
    if rival.is_some() {
        bench.verdict_least("the detector beside sleepecg", &rate(&alone).over(&rate(&its)), 1.0);
    }
}

/// Seconds that the detector takes for all leads, once it is seen that it finds the beats.
fn detect(leads: &[Lead]) -> f64 {
    let mut found: Vec<Vec<Beat>> = leads.iter().map(|_| Vec::with_capacity(4_096)).collect();
    let took_s = seconds(|| {
        for (lead, beats) in leads.iter().zip(&mut found) {
            let mut qrs = Qrs::raw(lead.rate_hz);
            for sample in &lead.samples {
                beats.extend(qrs.push(*sample));
            }
            beats.extend(std::iter::from_fn(|| qrs.flush()));
        }
    });
    let scores = leads.iter().zip(&found).map(|(lead, beats)| {
        let marked: Vec<f64> =
            lead.beats.iter().map(|(sample, _)| *sample as f64 / lead.rate_hz).collect();
        let times: Vec<f64> = beats.iter().map(|beat| beat.sample as f64 / lead.rate_hz).collect();
        Score::of(&marked, &times, 0.150)
    });
    let score = scores.fold(Score::default(), |all, one| all + one);
    assert!(score.sensitivity() >= 0.9985 && score.predictivity() >= 0.999, "{score:?}");
    took_s
}

/// Seconds that five graphs take, one after the other on one core.
fn run(plans: &[Arc<Plan>]) -> f64 {
    let mut found = 0;
    let took_s = seconds(|| {
        for plan in plans {
            let report = run_to_end(plan, &at_max(1));
            let beats = report.edges.iter().find(|edge| edge.from == "beats");
            found += beats.expect("an edge").frames.sent;
        }
    });
    assert!(found.abs_diff(9_926) < 30, "{found} beats");
    took_s
}

/// Samples per second of the rival, which looks at its beats itself.
fn ask(python: &str, folder: &Path) -> f64 {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/qrs_sleepecg.py");
    let said = Command::new(python).arg(script).env("AFFERENT_DATA", folder).output();
    let said = said.unwrap_or_else(|error| panic!("{python}: {error}"));
    let line = String::from_utf8_lossy(&said.stdout);
    let rate = line.split_once("\"samples_per_s\": ").and_then(|(_, rest)| {
        rest.split([',', '}']).next().expect("split gives one at least").parse().ok()
    });
    rate.unwrap_or_else(|| panic!("{line}{}", String::from_utf8_lossy(&said.stderr)))
}
