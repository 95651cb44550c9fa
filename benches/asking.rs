//! What it costs to ask a model, besides the model: a mock that answers at once.
//!
//! With questions always waiting: nanoseconds each, of a graph from its source to its sink, against a bare
//! loop over the same runner with bound buffers. Paced at 1 kHz: how old an answer is at the sink, which
//! crosses two threads, there and back, against two bare threads that park, which cross once.

mod support;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use afferent_suite::NoFiles;
use engine::{Catalog, GraphSpec, Plan, PlanOptions, RunOptions, Service, Services, SourceText};
use model::{
    backend::{
        Array, Loaded, Values,
        mock::{Behaviour, Cost, Mock},
    },
    host::{Model, ModelService, Workers},
};
use support::{
    Bench,
    graph::{at_max, run_to_end},
    kinds::{KINDS, ends::bench_ns},
    quantile,
};

const LEN: usize = 64;

fn main() {
    let bench = Bench::start("asking");
    let count = bench.scale(300_000, 2_000);
    let paced = bench.scale(2_000, 200);
    let names = [
        "one at a time",
        "up to 32 together",
        "bare runs",
        "paced at 1 kHz, p50",
        "two bare threads that park, p50",
    ];
    let runs = bench.interleaved([
        (names[0], &mut || asked(count, 1)),
        (names[1], &mut || asked(count, 32)),
        (names[2], &mut || bare(count)),
        (names[3], &mut || answered_after(paced)),
        (names[4], &mut || woken_after(paced)),
    ]);
    let ns = runs.map(|runs| runs.of(|&ns| ns));
    for (variant, ns) in names.into_iter().zip(&ns) {
        bench.report("asking", &[("variant", variant)], &[("ns", ns)]);
    }
    let [one, many, bare, paced, parked] = &ns;
    println!(
        "  beyond a bare run: {:.0} ns a question, {:.0} with batches",
        one.median() - bare.median(),
        many.median() - bare.median()
    );
    bench.verdict("a question paced, times one wake-up", &paced.over(parked), 2.5);
}

fn mock() -> Mock {
    Mock::new(LEN, Cost::default(), Behaviour::Doubles)
}

fn planned(frames: usize, batch_max: usize, node: &str) -> Arc<Plan> {
    let text = format!(
        r#"
        [graph]
        name = "asking"
        [node.source]
        op = "bench_ramp"
        rate_hz = 64e3
        frames = {frames}
        [node.ask]
        op = "infer"
        from = "source"
        model = "m"
        {node}
        [node.out]
        op = "bench_taken"
        from = "ask"
        "#
    );
    let spec = GraphSpec::parse(&SourceText::new("asking.toml", text)).expect("a graph");
    let workers = Workers::new(1);
    let model = Model::new("m", Arc::new(mock()), batch_max, &workers);
    let service: Arc<dyn Service> = Arc::new(ModelService::new(model, Vec::new()));
    let services = Services::new([("m".to_owned(), service)]);
    let options = PlanOptions { services, ..PlanOptions::new(Arc::new(NoFiles)) };
    let catalog = Catalog::new(&[KINDS, operators::CATALOG, model::CATALOG]);
    Arc::new(spec.plan(&catalog, &options).unwrap_or_else(|problems| panic!("{problems}")))
}

/// Nanoseconds a question, with many open.
fn asked(count: usize, batch_max: usize) -> f64 {
    let plan = planned(count, batch_max, "in_flight = 64");
    let began = Instant::now();
    let report = run_to_end(&plan, &at_max(1));
    let took = began.elapsed().as_secs_f64();
    let answered = report.edges.iter().find(|edge| edge.to == "out").expect("an edge");
    assert_eq!(answered.frames.taken, count as u64);
    1e9 * took / count as f64
}

/// Nanoseconds a run of the model alone, with its buffers.
fn bare(count: usize) -> f64 {
    let mut runner = mock().runner().expect("a mock");
    let mut input = [Array { shape: vec![1, LEN], values: Values::F32(vec![0.0; LEN]) }];
    let mut outputs = vec![Vec::new()];
    let began = Instant::now();
    for n in 0..count {
        if let Values::F32(values) = &mut input[0].values {
            values.fill(n as f32);
        }
        runner.run(&input, &mut outputs).expect("runs");
        assert_eq!(outputs[0][LEN - 1], 2.0 * n as f32);
    }
    1e9 * began.elapsed().as_secs_f64() / count as f64
}

/// Nanoseconds from the source to the sink with the answer, at 1 kHz; the median.
fn answered_after(frames: usize) -> f64 {
    let plan = planned(frames, 32, "");
    let running = plan
        .start(&RunOptions { speed: Some(1.0), cores: 1, sessions: 1 })
        .expect("bodies can be built");
    running.wait_for(Duration::from_secs(60)).expect("the graph ends");
    let report = running.report();
    support::graph::assert_whole(&report);
    let sink = report.sinks.iter().find(|sink| sink.name == "out").expect("a sink");
    sink.latency_ns.expect("frames came").0 as f64
}

/// Nanoseconds from one thread to another that parks, at 1 kHz; the median.
fn woken_after(frames: usize) -> f64 {
    let (mut into, mut out) = rtrb::RingBuffer::new(frames);
    let mut ages = Vec::with_capacity(frames);
    let began = bench_ns();
    std::thread::scope(|scope| {
        let consumer = scope.spawn(|| {
            while ages.len() < frames {
                match out.pop() {
                    Ok(entered) => ages.push((bench_ns() - entered) as f64),
                    Err(_) => std::thread::park(),
                }
            }
        });
        for n in 1..=frames as i64 {
            let due = began + n * 1_000_000;
            while let Some(wait) = u64::try_from(due - bench_ns()).ok().filter(|&wait| wait > 0) {
                std::thread::park_timeout(Duration::from_nanos(wait));
            }
            into.push(bench_ns()).expect("there is room");
            consumer.thread().unpark();
        }
    });
    ages.sort_by(f64::total_cmp);
    quantile(&ages, 0.5)
}
