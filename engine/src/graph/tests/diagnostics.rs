//! Every diagnostic of this layer as a person reads it.
//!
//! `diagnostics.txt` holds the cases: `=== what is claimed`, the graph file, `---`, the answer.
//! Lines `#! --set …` in a graph are applied to it. After a change of words, look at what
//! `AFFERENT_BLESS=1 cargo test -p afferent-engine diagnostics` makes of the file.

use std::collections::HashSet;
use std::fmt::Write;

use crate::graph::{Code, Diagnostics, GraphSpec, Override, SourceText};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/graph/tests/diagnostics.txt");

struct Case {
    claim: String,
    graph: String,
    answer: String,
}

fn cases() -> Vec<Case> {
    let text = std::fs::read_to_string(PATH).expect("the cases stand beside this test");
    let cases = text.split("=== ").skip(1).map(|case| {
        let (claim, rest) = case.split_once('\n').expect("a claim is a line");
        let (graph, answer) = rest.split_once("---\n").unwrap_or((rest, ""));
        Case { claim: claim.to_owned(), graph: graph.to_owned(), answer: answer.to_owned() }
    });
    cases.collect()
}

/// All problems of a graph after its `#! --set` lines were applied.
fn problems(graph: &str) -> Diagnostics {
    let mut spec = match GraphSpec::parse(&SourceText::new("g.toml", graph)) {
        Ok(spec) => spec,
        Err(problems) => return problems,
    };
    let mut problems = Vec::new();
    let mut overrides = Vec::new();
    for line in graph.lines().filter_map(|line| line.strip_prefix("#! --set ")) {
        match Override::parse(line) {
            Ok(change) => overrides.push(change),
            Err(problem) => problems.push(problem),
        }
    }
    spec.apply(&overrides);
    problems.extend(spec.problems());
    Diagnostics(problems)
}

#[test]
fn every_answer_reads_as_written() {
    let mut blessed = String::new();
    let mut wrong = Vec::new();
    for case in cases() {
        let answer = problems(&case.graph).render(false) + "\n";
        write!(blessed, "=== {}\n{}---\n{answer}", case.claim, case.graph).expect("a String");
        if answer != case.answer {
            wrong.push(format!("{}\n{answer}instead of\n{}", case.claim, case.answer));
        }
    }

    if std::env::var_os("AFFERENT_BLESS").is_some() {
        std::fs::write(PATH, blessed).expect("the cases can be written");
        return;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_code_of_this_layer_has_a_case() {
    let shown: HashSet<Code> = cases()
        .iter()
        .flat_map(|case| problems(&case.graph).0)
        .map(|problem| problem.code)
        .collect();

    let ours = [
        Code::BadFrom,
        Code::BadName,
        Code::BadTest,
        Code::DuplicateName,
        Code::EmptyGraph,
        Code::MissingParameter,
        Code::OutOfRange,
        Code::Syntax,
        Code::UnknownKey,
        Code::UnknownNode,
        Code::WrongType,
    ];
    for code in ours {
        assert!(shown.contains(&code), "{} is never shown", code.name());
    }
}
