//! `afferent doctor`: whether this machine can do what graphs ask of it, and what would help.

mod ground;
mod measured;
mod program;
mod rights;
mod system;

use clap::Args;
use serde_json::{Value, json};

use crate::{
    exit::{Exit, Failure, print},
    page::Page,
    terminal::{ascii, speaks_unicode},
};

use ground::Ground;

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct DoctorArguments {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  afferent doctor
  afferent doctor --json | jq '.findings[] | select(.verdict == \"bad\")'

Looks and measures for half a second; changes nothing, opens no device and sends nothing. What is `bad`
costs frames or time in most graphs, a `note` in some. Ends with 1 if something is bad.";

/// One thing that was looked at.
#[derive(Debug, PartialEq)]
pub(super) struct Finding {
    /// Findings of one area stand together.
    pub(super) area: &'static str,
    /// A word for programs.
    pub(super) name: &'static str,
    pub(super) verdict: Verdict,
    /// What it is like.
    pub(super) told: String,
    /// What would help.
    pub(super) remedy: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Good,
    /// Worth knowing; some graphs suffer.
    Note,
    /// Most graphs suffer.
    Bad,
}

impl Verdict {
    const fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Note => "note",
            Self::Bad => "bad",
        }
    }
}

impl Finding {
    pub(super) fn good(area: &'static str, name: &'static str, told: impl Into<String>) -> Self {
        Self { area, name, verdict: Verdict::Good, told: told.into(), remedy: None }
    }

    /// The same, not so good; this would help.
    #[must_use]
    pub(super) fn but(mut self, verdict: Verdict, remedy: impl Into<String>) -> Self {
        self.verdict = verdict;
        self.remedy = Some(remedy.into());
        self
    }
}

/// Looks at the machine and says what it found.
pub(crate) fn doctor(asked: &DoctorArguments) -> Result<Exit, Failure> {
    let ground = Ground::of_machine();
    let mut findings = program::look();
    findings.extend(system::look(&ground));
    findings.extend(measured::look());
    findings.extend(rights::look(&ground));
    let areas: Vec<_> = findings.iter().map(|finding| finding.area).collect();
    findings.sort_by_key(|finding| areas.iter().position(|area| *area == finding.area));
    let text = if asked.json { format!("{}\n", as_json(&findings)) } else { page(&findings) };
    print(&text)?;
    let is_bad = findings.iter().any(|finding| finding.verdict == Verdict::Bad);
    Ok(if is_bad { Exit::Fault } else { Exit::Done })
}

fn as_json(findings: &[Finding]) -> Value {
    let one = |finding: &Finding| {
        json!({
            "area": finding.area,
            "name": finding.name,
            "verdict": finding.verdict.word(),
            "told": finding.told,
            "remedy": finding.remedy,
        })
    };
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "findings": findings.iter().map(one).collect::<Vec<_>>(),
    })
}

fn page(findings: &[Finding]) -> String {
    let mut page = Page::of_stdout();
    let ink = page.ink;
    let mut area = "";
    for finding in findings {
        if finding.area != area {
            area = finding.area;
            page.title(area);
        }
        let colour = match finding.verdict {
            Verdict::Good => ink.good,
            Verdict::Note => ink.warning,
            Verdict::Bad => ink.error,
        };
        let word = finding.verdict.word();
        let start = format!("  {colour}{word:<4}{}  ", ink.off);
        page.paragraph_after(&start, 8, &finding.told, "        ");
        if let Some(remedy) = &finding.remedy {
            page.paragraph_after("        → ", 10, remedy, "          ");
        }
    }
    let of = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let (bad, notes) = (of(Verdict::Bad), of(Verdict::Note));
    page.line("");
    page.line(&match (bad, notes) {
        (0, 0) => "all is good".to_owned(),
        (0, notes) => format!("nothing is bad, {}", engine::counted(notes, "note")),
        (bad, notes) => format!("{bad} bad, {}", engine::counted(notes, "note")),
    });
    let text = page.text.trim_start_matches('\n').to_owned();
    if speaks_unicode() { text } else { ascii(&text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_help_stands_below_what_is_wrong() {
        let findings = [
            Finding::good("processor", "governor", "performance"),
            Finding::good("processor", "quota", "half a processor").but(Verdict::Bad, "allow more"),
        ];
        let page = page(&findings);
        let lines: Vec<&str> = page.lines().map(str::trim_end).collect();
        assert_eq!(
            lines[..4],
            ["processor", "  good  performance", "  bad   half a processor", lines[3]]
        );
        assert!(lines[3].ends_with("allow more"), "{page}");
        assert_eq!(lines.last(), Some(&"1 bad, 0 notes"));
    }
}
