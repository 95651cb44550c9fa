//! `afferent test`: the `[[test]]` blocks of graph files.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
};

use engine::{Diagnostics, TestSpec};

use crate::{
    arguments::TestArguments,
    exit::{Exit, Failure, print},
    graph::Graph,
    graph_test,
    terminal::Ink,
};

/// Runs every test of every file, and says of each whether it passed.
pub(crate) fn test(asked: &TestArguments) -> Result<Exit, Failure> {
    let (mut passed, mut failed, mut wrong) = (0, 0, None);
    for file in &asked.files {
        let graph = match Graph::read(file) {
            Ok(graph) => graph,
            Err(failure) => {
                // The other files are tested all the same.
                wrong = wrong.or(Some(failure.tell()));
                continue;
            }
        };
        print(&format!("{}\n", file.display()))?;
        if let Err(problems) = graph.spec.clone().checked() {
            wrong = wrong.or(Some(refuse(&problems)));
            continue;
        }
        if graph.spec.tests.is_empty() {
            print("  has no tests\n")?;
        }
        for test in &graph.spec.tests {
            match graph_test::run(&graph, test) {
                Ok(unmet) if unmet.is_empty() => {
                    passed += 1;
                    verdict("passed", test, Ink::of_stdout().good)?;
                }
                Ok(unmet) => {
                    failed += 1;
                    verdict("FAILED", test, Ink::of_stdout().error)?;
                    print(&unmet.iter().map(explained).collect::<String>())?;
                }
                Err(problems) => {
                    failed += 1;
                    verdict("FAILED", test, Ink::of_stdout().error)?;
                    wrong = wrong.or(Some(refuse(&problems)));
                }
            }
        }
    }
    print(&format!("{passed} passed, {failed} failed\n"))?;
    Ok(wrong.unwrap_or(if failed > 0 { Exit::Fault } else { Exit::Done }))
}

fn verdict(word: &str, test: &TestSpec, ink: &str) -> Result<(), Failure> {
    let off = if ink.is_empty() { "" } else { Ink::of_stdout().off };
    print(&format!("  {ink}{word}{off}  {}\n", test.name.value))
}

fn explained(unmet: &graph_test::Unmet) -> String {
    let mut text = format!("          {}\n", unmet.text);
    if let Some(place) = &unmet.place {
        let (line, column) = place.line_and_column();
        writeln!(text, "          --> {}:{line}:{column}", place.file.name())
            .expect("writing to a String cannot fail");
    }
    text
}

fn refuse(problems: &Diagnostics) -> Exit {
    let text = problems.render(Ink::of_stderr().is_on());
    // Where stderr is closed, too, the code must do.
    let _ = io::stderr().write_all(text.as_bytes());
    Exit::of_problems(problems)
}
