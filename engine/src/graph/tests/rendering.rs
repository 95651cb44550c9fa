//! How diagnostics look, whatever the text they are about.

use crate::graph::{Code, Diagnostic, Diagnostics, Place, SourceText};

/// A problem at `marked` in a file that consists of `text`.
fn problem_at(text: &str, marked: &str) -> Diagnostic {
    let start = text.find(marked).expect("part of the text");
    let file = SourceText::new("g.toml", text);
    let place = Place::new(&file, start..start + marked.len());
    Diagnostic::error(Code::OutOfRange, "too much").at(&Some(place))
}

#[test]
fn the_sample_of_the_design_looks_as_printed() {
    let text = "\n".repeat(17) + "high_hz = 80.0\n";
    let start = text.find("80.0").expect("written");
    let place = Place::new(&SourceText::new("graphs/pulse.toml", text), start..start + 4);
    let problem = Diagnostic::error(
        Code::AboveNyquist,
        "`high_hz` = 80.0 is above half the sample rate of `ecg` (25.0)",
    )
    .at(&Some(place))
    .hint("`ecg` delivers 50 samples per second; choose at most 25.0");

    assert_eq!(
        problem.render(false),
        "\
error[above-nyquist]: `high_hz` = 80.0 is above half the sample rate of `ecg` (25.0)
  --> graphs/pulse.toml:18:11
   |
18 | high_hz = 80.0
   |           ^^^^
   = hint: `ecg` delivers 50 samples per second; choose at most 25.0
"
    );
}

#[test]
fn colour_comes_only_when_asked_for() {
    let problem = problem_at("a = 1", "1").hint("less");

    assert!(problem.render(true).contains("\x1b[1;31merror"));
    assert!(!problem.render(false).contains('\x1b'));
}

#[test]
fn carets_stand_below_wide_letters_and_tabs() {
    let rendered = problem_at("\t名 = \"日本\" # e\u{301}", "日本").render(false);

    assert!(rendered.contains("1:7\n"), "columns count characters: {rendered}");
    assert!(
        rendered.contains("1 |     名 = \"日本\" # e\u{301}\n  |           ^^^^\n"),
        "{rendered}"
    );
}

#[test]
fn what_steers_a_terminal_does_not_reach_it() {
    let file = SourceText::new("g\x1b[2J.toml", "a = \"\x1b[31m\u{202e}\x07\"");
    let problem = Diagnostic::error(Code::BadName, "`\x1b[31m\n`")
        .at(&Some(Place::new(&file, 4..5)))
        .hint("\u{202e}");

    let rendered = problem.render(false);

    assert!(rendered.chars().all(|c| c == '\n' || !c.is_control()), "{rendered:?}");
    assert!(!rendered.contains('\u{202e}'));
}

#[test]
fn a_span_over_lines_says_where_it_ends() {
    let text = "a = [\n  1,\n  2,\n]\n";
    let rendered = problem_at(text, "[\n  1,\n  2,\n]").render(false);

    assert!(rendered.contains("1 | a = [\n  |     ^… to line 4\n"), "{rendered}");
}

#[test]
fn a_long_line_is_cut_around_the_place() {
    let text = format!("a = [{}77, {}]", "1, ".repeat(100_000), "2, ".repeat(100_000));
    let rendered = problem_at(&text, "77").render(false);

    let lines: Vec<_> = rendered.lines().collect();
    assert!(lines[3].chars().count() < 110, "{}", lines[3]);
    assert!(lines[3].starts_with("1 | …") && lines[3].ends_with('…'), "{}", lines[3]);
    let caret = lines[4].find("^^").expect("marked");
    let marked: String = lines[3].chars().skip(caret).take(2).collect();
    assert_eq!(marked, "77");
}

#[test]
fn places_at_the_end_and_outside_are_shown_at_the_end() {
    let file = SourceText::new("g.toml", "a = 1\r\nb =");
    for span in [10..10, 10..20, 99..120] {
        let problem = Diagnostic::error(Code::Syntax, "x").at(&Some(Place::new(&file, span)));
        let rendered = problem.render(false);
        assert!(rendered.contains("g.toml:2:4\n"), "{rendered}");
        assert!(rendered.contains("2 | b =\n  |    ^\n"), "{rendered}");
    }

    let empty = Place::new(&SourceText::new("e.toml", ""), 0..0);
    let rendered = Diagnostic::error(Code::Syntax, "x").at(&Some(empty)).render(false);
    assert!(rendered.contains("e.toml:1:1\n"), "{rendered}");
}

#[test]
fn a_place_inside_a_letter_is_moved_onto_it() {
    let file = SourceText::new("g.toml", "ä日");
    for start in 0..5 {
        for end in start..6 {
            let place = Place::new(&file, start..end);
            let _ = Diagnostic::error(Code::Syntax, "x").at(&Some(place)).render(true);
        }
    }
}

#[test]
fn problems_come_in_the_order_of_the_text_and_are_counted() {
    let file = SourceText::new("g.toml", "a = 1\nb = 2\n");
    let at = |line: usize| Some(Place::new(&file, 6 * line..6 * line + 1));
    let problems = Diagnostics(vec![
        Diagnostic::error(Code::Cycle, "nowhere"),
        Diagnostic::warning(Code::UnitMismatch, "second").at(&at(1)),
        Diagnostic::error(Code::BadName, "first").at(&at(0)),
    ]);

    let rendered = problems.render(false);

    let order =
        ["error[bad-name]: first", "warning[unit-mismatch]: second", "error[cycle]: nowhere"];
    let found: Vec<_> = order.iter().map(|line| rendered.find(line).expect("shown")).collect();
    assert!(found.is_sorted());
    assert!(rendered.ends_with("\n2 problems and 1 warning; nothing was started\n"), "{rendered}");
}

#[test]
fn warnings_alone_start_the_graph() {
    let warnings = Diagnostics(vec![Diagnostic::warning(Code::UnitMismatch, "x")]);

    assert!(!warnings.has_errors());
    assert!(warnings.render(false).ends_with("\n1 warning\n"));
    assert_eq!(Diagnostics::default().render(false), "");
}
