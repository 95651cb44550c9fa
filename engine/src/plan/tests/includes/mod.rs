//! Graphs of several files: what they become, and what is said of those that are wrong.
//!
//! `diagnostics.txt` holds the cases: `=== what is claimed`, each file behind `>>> its name`, the
//! graph itself first, `---`, the answer. Lines `#! --set …` of the graph are applied.
//! `AFFERENT_BLESS=1 cargo test -p afferent-engine plan::tests::includes` writes the answers.

mod whole;

use std::{fmt::Write, sync::Arc};

use crate::{
    graph::{Diagnostics, GraphSpec, Override},
    testing::MemoryFiles,
};

use super::{Plan, PlanOptions, kinds};

const CASES: &str = include_str!("diagnostics.txt");
const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/plan/tests/includes/diagnostics.txt");

/// The files of a text, the graph itself first.
fn files(text: &str) -> Vec<(&str, &str)> {
    let files = text.split(">>> ").skip(1);
    files.map(|file| file.split_once('\n').unwrap_or((file, ""))).collect()
}

fn load(text: &str) -> Result<GraphSpec, Diagnostics> {
    let all = files(text);
    let memory =
        all.iter().fold(MemoryFiles::new(), |memory, (name, content)| memory.with(name, *content));
    let (name, graph) = all[0];
    let sets = graph.lines().filter_map(|line| line.strip_prefix("#! --set "));
    let sets: Vec<Override> = sets.map(|set| Override::parse(set).expect("a `--set`")).collect();
    Ok(GraphSpec::load(name, graph.as_bytes(), &memory, None, &sets)?.spec)
}

/// Loads and plans files in memory.
fn plan(text: &str) -> Result<Plan, Diagnostics> {
    let name = files(text)[0].0.to_owned();
    let options = PlanOptions {
        graph_file: Some(name),
        cores: 2,
        ..PlanOptions::new(Arc::new(MemoryFiles::new()))
    };
    load(text)?.plan(&kinds::catalog(), &options)
}

#[test]
fn every_answer_reads_as_written() {
    let mut blessed = String::new();
    let mut wrong = Vec::new();
    for case in CASES.split("=== ").skip(1) {
        let (claim, rest) = case.split_once('\n').expect("a claim is a line");
        let (graph, expected) = rest.split_once("---\n").unwrap_or((rest, ""));
        let problems = plan(graph)
            .map_or_else(|problems| problems, |plan| Diagnostics(plan.warnings().to_vec()));
        let answer = problems.render(false) + "\n";
        write!(blessed, "=== {claim}\n{graph}---\n{answer}").expect("a String");
        if answer != expected {
            wrong.push(format!("{claim}\n{answer}instead of\n{expected}"));
        }
    }

    if std::env::var_os("AFFERENT_BLESS").is_some() {
        std::fs::write(PATH, blessed).expect("the cases can be written");
        return;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
