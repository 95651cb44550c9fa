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

const GRAPH: &str = include_str!("../graphs/biofeedback.toml");

fn main() {
    let bench = Bench::start("biofeedback");
    let Some(folder) = data::folder() else { return };
    let plans = data::ANNOTATED.map(|record| {
        let file = folder.join(record).with_extension("hea");
        let file = format!("ecg.file={}", file.display());
        // The lines go nowhere, so that the terminal is not what is measured.
        plan_with("biofeedback.toml", GRAPH, &["ecg.op=wfdb", &file, "out.op=null"], 1)
    });
    let length_s = |plan: &Arc<Plan>| plan.duration().expect("records have a length").secs_f64();
    let content_s: f64 = plans.iter().map(length_s).sum();
    let [runs] = bench.interleaved([("biofeedback", &mut || {
        seconds(|| {
            for plan in &plans {
                let report = run_to_end(plan, &at_max(1));
                let beats = report.edges.iter().find(|edge| edge.from == "beats");
                assert!(beats.expect("an edge").frames.sent > 50, "beats are found");
            }
        })
    })]);
    let times = runs.of(|took_s| content_s / took_s);
    bench.report(
        "biofeedback",
        &[("records", "5")],
        &[("content_s", &Spread::one(content_s)), ("times_real_time", &times)],
    );
    bench.verdict_least("times real time on one core", &times, 20_000.0);
}
