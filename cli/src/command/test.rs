//! `afferent test`: the `[[test]]` blocks of graph files.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
    path::Path,
};

use engine::{Diagnostics, TestSpec};

use crate::{
    arguments::TestArguments,
    exit::{Exit, Failure, print},
    graph::{Graph, graphs_in},
    graph_test::{self, Prepared},
    terminal::Ink,
};

/// Runs every test of every file, and says of each whether it passed.
pub(crate) fn test(asked: &TestArguments) -> Result<Exit, Failure> {
    let mut sums = Sums::default();
    for path in &asked.files {
        if !path.is_dir() {
            sums.file(path)?;
            continue;
        }
        let graphs = graphs_in(path);
        if graphs.is_empty() {
            let message = format!("there is no graph file in `{}`", path.display());
            let failure = Failure::new(Exit::Io, &message, "name a file that ends in `.toml`");
            sums.wrong = sums.wrong.or(Some(failure.tell()));
        }
        for name in graphs {
            sums.file(&path.join(name))?;
        }
    }
    let Sums { passed, failed, not_run, wrong } = sums;
    let not_run = if not_run > 0 { format!(", {not_run} not run") } else { String::new() };
    print(&format!("{passed} passed, {failed} failed{not_run}\n"))?;
    Ok(wrong.unwrap_or(if failed > 0 { Exit::Fault } else { Exit::Done }))
}

/// What became of all tests so far.
#[derive(Default)]
struct Sums {
    passed: u32,
    failed: u32,
    not_run: u32,
    /// What to end with where a file or a block was wrong.
    wrong: Option<Exit>,
}

impl Sums {
    fn file(&mut self, path: &Path) -> Result<(), Failure> {
        let graph = match Graph::read(path) {
            Ok(graph) => graph,
            Err(failure) => {
                // The other files are tested all the same.
                self.wrong = self.wrong.or(Some(failure.tell()));
                return Ok(());
            }
        };
        let mut problems = Vec::new();
        // A test that `set`s something reads the file anew, and may give it what it lacks.
        let tests = &graph.spec.tests;
        if tests.is_empty() || tests.iter().any(|test| test.set.is_empty()) {
            graph_test::add(graph.spec.problems(), &mut problems);
        }
        let (prepared, found) = graph_test::prepare(&graph);
        graph_test::add(found, &mut problems);
        if !problems.is_empty() {
            self.wrong = self.wrong.or(Some(refuse(&problems.into())));
        }
        print(&format!("{}\n", path.display()))?;
        if prepared.is_empty() {
            print("  has no tests\n")?;
        }
        for (test, prepared) in graph.spec.tests.iter().zip(prepared) {
            self.one(test, prepared)?;
        }
        Ok(())
    }

    fn one(&mut self, test: &TestSpec, prepared: Option<Prepared>) -> Result<(), Failure> {
        let ink = Ink::of_stdout();
        let Some(prepared) = prepared else {
            self.not_run += 1;
            return verdict("not run", &format!("{}: see above", test.name.value), ink.error);
        };
        let unmet = prepared.run();
        if unmet.is_empty() {
            self.passed += 1;
            return verdict("passed", &test.name.value, ink.good);
        }
        self.failed += 1;
        verdict("FAILED", &test.name.value, ink.error)?;
        print(&unmet.iter().map(explained).collect::<String>())
    }
}

fn verdict(word: &str, name: &str, ink: &str) -> Result<(), Failure> {
    let off = if ink.is_empty() { "" } else { Ink::of_stdout().off };
    print(&format!("  {ink}{word:7}{off} {name}\n"))
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
