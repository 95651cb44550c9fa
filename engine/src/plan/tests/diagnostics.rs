//! Every diagnostic of the planner as a person reads it.
//!
//! `diagnostics.txt` holds the cases: `=== what is claimed`, the graph file, `---`, the answer.
//! Lines `#! --set …` in a graph are applied to it. After a change of words, look at what
//! `AFFERENT_BLESS=1 cargo test -p afferent-engine plan::tests::diagnostics` makes of the file.

use std::{collections::HashSet, fmt::Write};

use crate::graph::{Code, Diagnostics};

use super::plan;

const CASES: &str = include_str!("diagnostics.txt");
const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/plan/tests/diagnostics.txt");

/// Claim, graph and answer.
fn cases() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    CASES.split("=== ").skip(1).map(|case| {
        let (claim, rest) = case.split_once('\n').expect("a claim is a line");
        let (graph, answer) = rest.split_once("---\n").unwrap_or((rest, ""));
        (claim, graph, answer)
    })
}

fn problems(graph: &str) -> Diagnostics {
    plan(graph).map_or_else(|problems| problems, |plan| Diagnostics(plan.warnings().to_vec()))
}

#[test]
fn every_answer_reads_as_written() {
    let mut blessed = String::new();
    let mut wrong = Vec::new();
    for (claim, graph, expected) in cases() {
        let answer = problems(graph).render(false) + "\n";
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

#[test]
fn every_code_of_the_planner_has_a_case() {
    let shown: HashSet<Code> =
        cases().flat_map(|(_, graph, _)| problems(graph).0).map(|problem| problem.code).collect();

    let ours = [
        Code::AboveNyquist,
        Code::BudgetTooSmall,
        Code::CannotBypass,
        Code::Cycle,
        Code::DeadLock,
        Code::FileClash,
        Code::FormatMismatch,
        Code::MissingInput,
        Code::MissingParameter,
        Code::NeverSettles,
        Code::NoEffect,
        Code::NoOutput,
        Code::NothingLeaves,
        Code::OutOfRange,
        Code::RateMismatch,
        Code::StageConflict,
        Code::StageNotConvex,
        Code::TakesNoInput,
        Code::TooManyInputs,
        Code::UnitMismatch,
        Code::UnknownChannel,
        Code::UnknownHost,
        Code::UnknownKey,
        Code::UnknownKind,
        Code::UnknownNode,
        Code::UnknownPort,
        Code::UnusedOutput,
        Code::WrongType,
    ];
    let lacking: Vec<_> = ours.iter().filter(|code| !shown.contains(code)).collect();
    assert!(lacking.is_empty(), "{lacking:?}");
}
