//! Graphs made by chance: whatever they look like, the parts are the whole.

use std::fmt::Write;

use crate::testing::Chance;

use super::run;

/// A graph of one to three sources, two to ten operators, and a sink behind each that leads to no other.
fn graph(chance: &mut Chance) -> (String, Vec<String>) {
    let mut text = String::new();
    let mut leads = Vec::new();
    let mut open: Vec<bool> = Vec::new();
    for _ in 0..=chance.below(3) {
        let len = [10, 20, 50][chance.below(3) as usize];
        let name = format!("n{}", leads.len());
        writeln!(text, "[node.{name}]\nop = \"ticks\"\nlen = {len}").expect("a String");
        leads.push(name);
        open.push(true);
    }
    for _ in 0..2 + chance.below(9) {
        let name = format!("n{}", leads.len());
        let mut pick = || chance.below(leads.len() as u64) as usize;
        let (one, two) = (pick(), pick());
        let cost_us = chance.below(40);
        let ring = match chance.below(3) {
            0 => ", capacity_ms = 400",
            _ => "",
        };
        let (op, from) = match chance.below(6) {
            0 if one != two => (
                "holds",
                format!(
                    "{{ in = {{ node = \"{}\"{ring} }}, other = \"{}\" }}",
                    leads[one], leads[two]
                ),
            ),
            1 if one != two => ("merges", format!("[\"{}\", \"{}\"]", leads[one], leads[two])),
            2 => ("halves", format!("{{ in = {{ node = \"{}\"{ring} }} }}", leads[one])),
            3 => ("asks", format!("{{ in = {{ node = \"{}\"{ring} }} }}", leads[one])),
            _ => ("works", format!("{{ in = {{ node = \"{}\"{ring} }} }}", leads[one])),
        };
        writeln!(text, "[node.{name}]\nop = \"{op}\"\nfrom = {from}\ncost_us = {cost_us}.0")
            .expect("a String");
        open[one] = false;
        open[two] &= !matches!(op, "holds" | "merges");
        leads.push(name);
        open.push(true);
    }
    let mut sinks = Vec::new();
    for (at, _) in open.iter().enumerate().filter(|(_, open)| **open) {
        let op = ["ends", "waits"][chance.below(2) as usize];
        let (name, cost_us) = (format!("s{at}"), chance.below(20));
        writeln!(text, "[node.{name}]\nop = \"{op}\"\nfrom = \"n{at}\"\ncost_us = {cost_us}.0")
            .expect("a String");
        sinks.push(name);
    }
    (text, sinks)
}

#[test]
fn the_parts_are_the_latency_that_sinks_measure_in_any_graph() {
    const SEED: u64 = 0x5eed_0000;
    for number in 0..200 {
        let mut chance = Chance::new(SEED + number);
        let (text, sinks) = graph(&mut chance);
        let (run, told) = run(&text, 1 + (number % 2) as usize);
        for name in &sinks {
            let measured = run.latency(name);
            let Some(sink) = told.sink(name) else {
                assert_eq!(measured.count(), 0, "{name} in graph {number}\n{text}");
                continue;
            };
            assert_eq!(sink.journeys, measured.count(), "{name} in graph {number}\n{text}");
            // Latency at a sink is never negative; the mark, a nanosecond, makes it so where nothing costs.
            let apart = sink.latency_ns.max(0).abs_diff(measured.sum_ns() as i64);
            assert!(apart <= sink.journeys, "{name} in graph {number}: {apart} ns\n{text}");
            let parts: f64 = sink.nodes.iter().map(|(_, parts)| parts.all()).sum();
            let apart = (parts - sink.latency_ns as f64).abs();
            assert!(apart <= sink.journeys as f64, "{name} in graph {number}: {apart} ns\n{text}");
        }
    }
}
