//! `afferent explain`: one kind in full, or what the code of a diagnostic means.

use std::fmt::Write;

use engine::{AnyParam, Code, Kind, Policy, Port, Shape, nearest};

use crate::{
    arguments::ExplainArguments,
    catalog::catalog,
    exit::{Exit, Failure, print},
    terminal::{Ink, text_columns},
};

/// Prints what there is to know about a kind or a code.
pub(crate) fn explain(asked: &ExplainArguments) -> Result<Exit, Failure> {
    let (what, catalog) = (asked.what.as_str(), catalog());
    let mut page = Page { text: String::new(), ink: Ink::of_stdout(), columns: text_columns() };
    if let Some(kind) = catalog.find(what) {
        page.kind(kind);
        if let Some(fed) = kind.when_fed {
            page.line("");
            page.line(&format!("With a `from` it is a sink: {}", fed.summary));
            page.line("");
            page.kind(fed);
        }
    } else if let Some(code) = Code::ALL.iter().find(|code| code.name() == what) {
        page.paragraph(&format!("{}: {}", code.name(), code.explanation()), "");
    } else {
        let codes = Code::ALL.iter().map(|code| code.name());
        let near = catalog.nearest(what).or_else(|| nearest(what, codes));
        let hint = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "choose a kind that `afferent list` prints, or the word in the brackets of a \
                     diagnostic"
                .to_owned(),
        };
        let message = format!("`{what}` is neither a kind nor the code of a diagnostic");
        return Err(Failure::new(Exit::Usage, &message, &hint));
    }
    print(&page.text)?;
    Ok(Exit::Done)
}

struct Page {
    text: String,
    ink: Ink,
    columns: usize,
}

impl Page {
    fn kind(&mut self, kind: &Kind) {
        let Ink { bold, off, .. } = self.ink;
        self.line(&format!("{bold}{}{off}: {}", kind.name, kind.summary));
        if !kind.doc.trim().is_empty() {
            self.line("");
            self.prose(kind.doc.trim_matches('\n'));
        }
        self.ports("Inputs", kind.inputs, Some(kind.policy));
        self.ports("Outputs", kind.outputs, None);
        self.params(kind.params);
        if kind.live {
            self.line("");
            self.line("A live source: it keeps its own time, and `--speed` does not hold for it.");
        }
        self.example(kind);
    }

    fn ports(&mut self, title: &str, ports: &[Port], policy: Option<Policy>) {
        if ports.is_empty() {
            return;
        }
        self.title(title);
        let width = ports.iter().map(|port| port.name.len()).max().unwrap_or(0);
        for port in ports {
            let many = if port.variadic { ", any number of edges" } else { "" };
            let optional = if port.optional { ", may be left out" } else { "" };
            let shape = port.shape.word();
            self.line(&format!("  {:width$}  {shape}{many}{optional}", port.name));
        }
        let joins = ports.len() > 1 || ports.iter().any(|port| port.variadic);
        if let Some(policy) = policy.filter(|_| joins) {
            self.line(&format!("  {:width$}  joined: {}", "", how_inputs_meet(policy)));
        }
    }

    fn params(&mut self, params: &[&dyn AnyParam]) {
        if params.is_empty() {
            return;
        }
        self.title("Parameters");
        let width = params.iter().map(|param| param.name().len()).max().unwrap_or(0);
        let indent = " ".repeat(width + 4);
        for param in params {
            let Ink { bold, off, .. } = self.ink;
            let name = format!("  {bold}{:width$}{off}  ", param.name());
            self.paragraph_after(&name, width + 4, param.doc(), &indent);
            self.paragraph(&param_facts(*param), &indent);
        }
    }

    fn example(&mut self, kind: &Kind) {
        self.title("Example");
        self.line(&format!("  [node.{}]", own_name(kind)));
        self.line(&format!("  op = {:?}", kind.name));
        if !kind.is_source() && !kind.example.contains("from") {
            self.line(&format!("  from = {:?}", a_source_for(kind)));
        }
        for line in kind.example.trim().lines() {
            self.line(&format!("  {line}"));
        }
    }

    fn title(&mut self, title: &str) {
        let Ink { bold, off, .. } = self.ink;
        self.line("");
        self.line(&format!("{bold}{title}{off}"));
    }

    /// Text in which paragraphs may be wrapped; indented lines, tables and lists stay as they are.
    fn prose(&mut self, doc: &str) {
        let mut paragraph = String::new();
        for line in doc.lines() {
            let is_set = line.is_empty() || line.starts_with([' ', '|', '-', '`']);
            if is_set {
                self.paragraph(&std::mem::take(&mut paragraph), "");
                self.line(line);
            } else {
                let blank = if paragraph.is_empty() { "" } else { " " };
                paragraph += &format!("{blank}{line}");
            }
        }
        self.paragraph(&paragraph, "");
    }

    fn paragraph(&mut self, text: &str, indent: &str) {
        if !text.is_empty() {
            self.paragraph_after(indent, indent.chars().count(), text, indent);
        }
    }

    /// Wraps `text` behind `start`, which takes so many columns; later lines after `indent`.
    fn paragraph_after(&mut self, start: &str, start_columns: usize, text: &str, indent: &str) {
        let (mut line, mut columns) = (start.to_owned(), start_columns);
        let mut is_first = true;
        for word in text.split_whitespace() {
            let needed = word.chars().count() + usize::from(!is_first);
            if !is_first && columns + needed > self.columns {
                self.line(&line);
                (line, columns) = (indent.to_owned(), indent.chars().count());
                is_first = true;
            }
            if !is_first {
                line.push(' ');
                columns += 1;
            }
            line += word;
            columns += word.chars().count();
            is_first = false;
        }
        self.line(&line);
    }

    fn line(&mut self, line: &str) {
        writeln!(self.text, "{}", line.trim_end()).expect("writing to a String cannot fail");
    }
}

/// The name a node of the kind may have in an example.
fn own_name(kind: &Kind) -> &'static str {
    if kind.is_sink() { "out" } else { kind.name }
}

/// The name of a node that delivers what the kind takes.
fn a_source_for(kind: &Kind) -> &'static str {
    match kind.inputs[0].shape {
        Shape::Event => "beats",
        _ => "ecg",
    }
}

const fn how_inputs_meet(policy: Policy) -> &'static str {
    match policy {
        Policy::Merge => "merge, frames come one by one in the order of their times",
        Policy::Exact => "exact, samples of the same moments",
        Policy::Nearest => "nearest, to every sample of the first the nearest of the others",
        Policy::Hold => "hold, to every sample of the first the latest of the others",
    }
}

/// Type, unit, range, default and liveness in one line.
fn param_facts(param: &dyn AnyParam) -> String {
    let mut facts = vec![param.type_name().to_owned()];
    let choices: Vec<_> = param.choices().iter().map(|word| format!("{word:?}")).collect();
    if !choices.is_empty() {
        facts = vec![format!("one of {}", choices.join(", "))];
    }
    facts.extend(unit(param.name()).map(|unit| format!("in {unit}")));
    facts.extend(match param.range() {
        (min, max) if min.is_finite() && max.is_finite() => Some(format!("{min} to {max}")),
        (min, _) if min.is_finite() => Some(format!("{min} and above")),
        (_, max) if max.is_finite() => Some(format!("{max} and below")),
        _ => None,
    });
    facts.push(match (param.default_text(), param.is_required()) {
        (Some(default), _) => format!("default {default}"),
        (None, true) => "required".to_owned(),
        (None, false) => "may be left out".to_owned(),
    });
    if param.is_live() {
        facts.push("may change while it runs".to_owned());
    }
    facts.join(" · ")
}

/// The unit that a name ends in, in words.
fn unit(name: &str) -> Option<&'static str> {
    const UNITS: &[(&str, &str)] = &[
        ("bpm", "beats per minute"),
        ("db", "decibel"),
        ("deg", "degrees"),
        ("frames", "frames"),
        ("hz", "hertz"),
        ("ms", "milliseconds"),
        ("mv", "millivolt"),
        ("ns", "nanoseconds"),
        ("s", "seconds"),
        ("samples", "samples"),
        ("us", "microseconds"),
        ("uv", "microvolt"),
    ];
    let (_, last) = name.rsplit_once('_')?;
    UNITS.iter().find(|(suffix, _)| *suffix == last).map(|(_, unit)| *unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_wrap_behind_an_indent() {
        let mut page = Page { text: String::new(), ink: Ink::OFF, columns: 16 };

        page.paragraph_after("  name  ", 8, "one two three four", "        ");

        assert_eq!(page.text, "  name  one two\n        three\n        four\n");
    }

    #[test]
    fn units_are_read_off_names() {
        assert_eq!(unit("low_hz"), Some("hertz"));
        assert_eq!(unit("window_s"), Some("seconds"));
        assert_eq!(unit("order"), None);
        assert_eq!(unit("file"), None);
    }
}
