//! The main job as fast as it goes: `graphs/biofeedback.toml` over five annotated records.

mod support;

use afferent_suite::{data, plan_with};
use support::{
    Bench,
    graph::{at_max, run_to_end},
    seconds,
};

const GRAPH: &str = include_str!("../graphs/biofeedback.toml");

fn main() {
    let bench = Bench::start("biofeedback");
    let Some(folder) = data::folder() else { return };
    let mut content_s = 0.0;
    let [took] = bench.interleaved([&mut || {
        content_s = 0.0;
        let mut took_s = 0.0;
        for record in data::ANNOTATED {
            let file = folder.join(record).with_extension("hea");
            let file = format!("ecg.file={}", file.display());
            // The lines go nowhere, so that the terminal is not what is measured.
            let sets = ["ecg.op=wfdb", file.as_str(), "out.op=null"];
            let plan = plan_with("biofeedback.toml", GRAPH, &sets, 1);
            content_s += plan.duration().expect("records have a length").secs_f64();
            took_s += seconds(|| {
                let report = run_to_end(&plan, &at_max(1));
                let beats = report.edges.iter().find(|edge| edge.from == "beats");
                assert!(beats.expect("an edge").frames.sent > 50, "beats are found");
            });
        }
        took_s
    }]);
    bench.report(
        "biofeedback",
        &[("records", "5")],
        &[
            ("content_s", content_s),
            ("times_real_time", content_s / took.median()),
            ("min", content_s / took.max()),
            ("max", content_s / took.min()),
        ],
    );
    bench.verdict_least("times real time on one core", content_s / took.median(), 20_000.0);
}
