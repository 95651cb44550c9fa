//! The main job as fast as it goes: `graphs/biofeedback.toml` over five annotated records.

mod support;

use std::sync::Arc;

use afferent_suite::{data, plan_with};
use engine::Plan;
use support::{
    Bench, Spread,
    graph::{at_max, run_to_end},
    seconds,
};

/// Beats that people marked in the five records.
const MARKED: u64 = 9_926;
const GRAPH: &str = include_str!("../graphs/biofeedback.toml");

/// The chain without its model.
const UNLABELLED: [&str; 5] = [
    "kind.enabled=false",
    "pieces.enabled=false",
    "slow.enabled=false",
    "level.enabled=false",
    "out.from=[\"beats\", \"hrv\"]",
];

fn main() {
    let bench = Bench::start("biofeedback");
    let Some(folder) = data::folder() else { return };
    let lines = std::env::temp_dir().join(format!("afferent-bench-{}.jsonl", std::process::id()));
    let planned = |sets: &[&str]| {
        data::ANNOTATED.map(|record| {
            let file = folder.join(record).with_extension("hea");
            let file = format!("ecg.file={}", file.display());
            let sets = [&["ecg.op=wfdb", file.as_str()], sets].concat();
            plan_with("graphs/biofeedback.toml", GRAPH, &sets, 1)
        })
    };
    let to_file = format!("out.file={}", lines.display());
    let silent = planned(&[&UNLABELLED[..], &["out.op=null"]].concat());
    let told = planned(&[&UNLABELLED[..], &[to_file.as_str()]].concat());
    let labelled = planned(&["out.op=null"]);
    let length_s = |plan: &Arc<Plan>| plan.duration().expect("records have a length").secs_f64();
    let content_s: f64 = silent.iter().map(length_s).sum();
    let run = |plans: &[Arc<Plan>]| {
        let mut found = 0;
        let took_s = seconds(|| {
            for plan in plans {
                let report = run_to_end(plan, &at_max(1));
                let beats = report.edges.iter().find(|edge| edge.from == "beats");
                found += beats.expect("an edge").frames.sent;
            }
        });
        // To one in a hundred as many as people marked.
        assert!(found.abs_diff(MARKED) < MARKED / 100, "{found} beats");
        took_s
    };
    let variants =
        ["lines written to a file", "lines to nobody", "every beat labelled by the model"];
    let [written, nobody, by_model] = bench.interleaved([
        (variants[0], &mut || {
            let took_s = run(&told);
            let text = std::fs::read_to_string(&lines).expect("the lines were written");
            assert!(text.lines().count() > 1_000, "of the last record");
            took_s
        }),
        (variants[1], &mut || run(&silent)),
        (variants[2], &mut || run(&labelled)),
    ]);
    let _ = std::fs::remove_file(&lines);
    for (variant, runs) in variants.into_iter().zip([written, nobody, by_model]) {
        let times = runs.of(|took_s| content_s / took_s);
        bench.report(
            "biofeedback",
            &[("variant", variant), ("records", "5")],
            &[("content_s", &Spread::one(content_s)), ("times_real_time", &times)],
        );
        if variant == variants[2] {
            // The promise is the chain's; the model runs on threads of its own.
            continue;
        }
        bench.verdict_least("times real time on one core", &times, 20_000.0);
    }
}
