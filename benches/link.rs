//! A link between two hosts beside bare quinn, and what becomes of frames on a bad network.
//!
//! Both rivals run over the loopback, each side on a thread of its own with a current-thread runtime,
//! with the same socket buffers. A frame of ours carries its whole header besides its content, is put in
//! order and counted; the rival sends the content alone. Each side makes every message anew.

#[path = "link/bare.rs"]
mod bare;
#[path = "link/common.rs"]
mod common;
#[path = "link/ours.rs"]
mod ours;
#[path = "link/scenes.rs"]
mod scenes;
mod support;

use std::time::Duration;

use scenes::Crowded;
use support::{Bench, Runs, Spread};

/// Bytes of content, as in the rivals' harnesses.
const BYTES: usize = 1_100;
const SMALL: usize = 256;

fn main() {
    let bench = Bench::start("link");
    echo(&bench);
    rate(&bench);
    bulk(&bench);
    crowded(&bench);
    healed(&bench);
}

fn echo(bench: &Bench) {
    let count = bench.scale(20_000, 200);
    let runs = bench.interleaved([
        ("echo, ours", &mut || ours::echo(count, BYTES)),
        ("echo, bare", &mut || bare::echo(count, BYTES)),
    ]);
    let [[p50, p99], [bare_p50, bare_p99]] =
        runs.map(|runs| [runs.of(|us| us[0]), runs.of(|us| us[1])]);
    for (name, p50, p99) in [("ours", &p50, &p99), ("bare quinn", &bare_p50, &bare_p99)] {
        bench.report("echo of 1 100 bytes", &[("of", name)], &[("p50_us", p50), ("p99_us", p99)]);
    }
    bench.verdict("echo p50, times bare quinn", &p50.over(&bare_p50), 1.15);
    bench.verdict("echo p99, times bare quinn", &p99.over(&bare_p99), 1.3);
}

fn rate(bench: &Bench) {
    let span = Duration::from_millis(bench.scale(1_500, 100) as u64);
    let runs = bench.interleaved([
        ("rate, ours", &mut || ours::rate(span, BYTES)),
        ("rate, bare", &mut || bare::rate(span, BYTES)),
        ("small, ours", &mut || ours::rate(span, SMALL)),
    ]);
    let [ours, bare, small] = runs.map(|runs| runs.of(|&rate| rate));
    bench.report("frames of 1 100 bytes", &[("of", "ours")], &[("per_s", &ours)]);
    bench.report("datagrams of 1 100 bytes", &[("of", "bare quinn")], &[("per_s", &bare)]);
    bench.report("frames of 256 bytes, coalesced", &[("of", "ours")], &[("per_s", &small)]);
    bench.verdict_least("frames a second, of bare quinn's", &ours.over(&bare), 0.8);
}

fn bulk(bench: &Bench) {
    let total = bench.scale(1 << 30, 32 << 20);
    let runs = bench.interleaved([
        ("bulk, ours", &mut || ours::bulk(total, 256 << 10)),
        ("bulk, bare", &mut || bare::bulk(total, 1 << 20)),
    ]);
    let [ours, bare] = runs.map(|runs| runs.of(|&rate| rate));
    bench.report("bulk", &[("of", "ours, durable")], &[("bytes_per_s", &ours)]);
    bench.report("bulk", &[("of", "bare quinn, a stream")], &[("bytes_per_s", &bare)]);
    bench.verdict_least("bulk, of bare quinn's", &ours.over(&bare), 0.9);
}

fn crowded(bench: &Bench) {
    let span = Duration::from_secs(bench.scale(20, 1) as u64);
    let mut seed = 0;
    let runs: [Runs<Crowded>; 1] = bench.interleaved([("crowded", &mut || {
        seed += 1;
        scenes::crowded(span, seed)
    })]);
    let [runs] = runs;
    let of = |figure: fn(&Crowded) -> f64| runs.of(figure);
    let share = of(|run| run.sensor_share);
    let (p99, control_p95) = (of(|run| run.sensor_p99_ms), of(|run| run.control_ms[0]));
    let control_p99 = of(|run| run.control_ms[1]);
    let (bits, behind) = (of(|run| run.bulk_bits), of(|run| run.behind_bulk as f64));
    let metrics: [(&str, &Spread); 6] = [
        ("sensor_share", &share),
        ("sensor_p99_ms", &p99),
        ("control_p95_ms", &control_p95),
        ("control_p99_ms", &control_p99),
        ("bulk_bits_per_s", &bits),
        ("behind_bulk", &behind),
    ];
    bench.report("20 Mbit/s, 20 ms of queue, 80 ms there and back, 1 % lost, bulk", &[], &metrics);
    bench.verdict_least("sensor's frames delivered", &share, 0.985);
    bench.verdict("sensor p99, ms (half a round trip and 25)", &p99, 65.0);
    bench.verdict("control p95, ms (the same)", &control_p95, 65.0);
    bench.verdict("control p99, ms (one and a half, and 30)", &control_p99, 150.0);
    bench.verdict("frames behind bulk in our queues", &behind, 0.0);
}

fn healed(bench: &Bench) {
    let span = Duration::from_secs(bench.scale(30, 3) as u64);
    let mut seed = 0;
    // Each takes half a minute, and hardly varies.
    let runs: [Runs<[f64; 2]>; 1] = bench.interleaved([("healed", &mut || {
        seed += 1;
        scenes::healed(80, if seed > 2 { span.min(Duration::from_secs(4)) } else { span }, seed)
    })]);
    let [there, back] = [0, 1].map(|way: usize| runs[0].of(|ms| ms[way]));
    let metrics = [("there_ms", &there), ("back_ms", &back)];
    bench.report("after an outage, 80 ms there and back: the first frame", &[], &metrics);
    bench.verdict("resumed there, ms (a round trip and 250)", &there, 330.0);
    bench.verdict("resumed back, ms", &back, 330.0);
}
