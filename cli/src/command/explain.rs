//! `afferent explain`: one kind in full, or what the code of a diagnostic means.

use engine::{AnyParam, Code, Key, KeyTable, Kind, Policy, Port, Shape, nearest};

use crate::{
    arguments::ExplainArguments,
    catalog::catalog,
    exit::{Exit, Failure, print},
    page::Page,
    terminal::Ink,
};

/// Prints what there is to know about a kind or a code.
pub(crate) fn explain(asked: &ExplainArguments) -> Result<Exit, Failure> {
    let (what, catalog) = (asked.what.as_str(), catalog());
    let mut page = Page::of_stdout();
    if let Some(kind) = catalog.find(what) {
        page.kind(kind);
        if let Some(fed) = kind.when_fed {
            page.line("");
            page.line(&format!("With a `from` it is a sink: {}", fed.summary));
            page.line("");
            page.kind(fed);
        }
    } else if let Some(code) = Code::ALL.iter().find(|code| code.name() == what) {
        page.code(*code);
    } else if let Some(table) = KeyTable::ALL.iter().find(|table| table.name == what) {
        page.table(table);
    } else if let Some(found) = keys_called(what) {
        for (n, (table, key)) in found.into_iter().enumerate() {
            if n > 0 {
                page.line("");
            }
            page.key(table, key);
        }
    } else {
        let codes = Code::ALL.iter().map(|code| code.name());
        let keys = KeyTable::ALL.iter().flat_map(|table| table.names().chain([table.name]));
        let near = catalog.nearest(what).or_else(|| nearest(what, codes.chain(keys)));
        let hint = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "choose a kind that `afferent list` prints, the word in the brackets of a \
                     diagnostic, `graph`, `node`, `test`, or one of their keys"
                .to_owned(),
        };
        let message = format!("`{what}` is no kind, no code of a diagnostic, no table and no key");
        return Err(Failure::new(Exit::Usage, &message, &hint));
    }
    print(&page.text)?;
    Ok(Exit::Done)
}

/// The keys of this name, each with its table.
fn keys_called(name: &str) -> Option<Vec<(&'static KeyTable, &'static Key)>> {
    let all = KeyTable::ALL.iter().flat_map(|table| table.keys.iter().map(|key| (*table, key)));
    let found: Vec<_> = all.filter(|(_, key)| key.name == name).collect();
    (!found.is_empty()).then_some(found)
}

impl Page {
    fn code(&mut self, code: Code) {
        let Ink { bold, off, .. } = self.ink;
        self.line(&format!("{bold}{}{off}: {}", code.name(), code.explanation()));
        self.title("Example");
        for line in code.example().lines() {
            self.line(&format!("  {line}"));
        }
        self.title("Remedy");
        self.paragraph(code.remedy(), "  ");
    }

    fn table(&mut self, table: &KeyTable) {
        let Ink { bold, off, .. } = self.ink;
        self.paragraph(&format!("{bold}{}{off}: {}", table.header, table.doc), "");
        self.title("Keys");
        for key in table.keys {
            self.one_key(key);
        }
        self.title("Example");
        self.line(&format!("  {}", table.header));
        for key in table.keys.iter().filter(|key| !key.example.starts_with('[')) {
            self.line(&format!("  {}", key.example));
        }
    }

    fn key(&mut self, table: &KeyTable, key: &Key) {
        let Ink { bold, off, .. } = self.ink;
        self.line(&format!("{bold}{}{off}, a key of {}", key.name, table.header));
        self.line("");
        self.one_key(key);
        self.title("Example");
        self.line(&format!("  {}", key.example));
    }

    fn one_key(&mut self, key: &Key) {
        const WIDTH: usize = 11;
        let Ink { bold, off, .. } = self.ink;
        let indent = " ".repeat(WIDTH + 4);
        let name = format!("  {bold}{:WIDTH$}{off}  ", key.name);
        self.paragraph_after(&name, WIDTH + 4, key.doc, &indent);
        self.paragraph(&format!("{} · default {}", key.takes, key.default), &indent);
    }

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
        Policy::Linear => {
            "linear, to every sample of the first what lies straight between two of the others"
        }
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
        (min, max) if min.is_finite() && max.is_finite() => {
            Some(format!("{} to {}", number(min), number(max)))
        }
        (min, _) if min.is_finite() => Some(format!("{} and above", number(min))),
        (_, max) if max.is_finite() => Some(format!("{} and below", number(max))),
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

/// A limit as people write it: without its zeros where they are many.
fn number(limit: f64) -> String {
    let size = limit.abs();
    if size >= 1e6 || (size > 0.0 && size < 1e-4) {
        format!("{limit:e}")
    } else {
        limit.to_string()
    }
}

/// The unit that a name ends in, in words.
fn unit(name: &str) -> Option<&'static str> {
    const UNITS: &[(&str, &str)] = &[
        ("bpm", "beats or breaths per minute"),
        ("db", "decibel"),
        ("deg", "degrees"),
        ("dps", "degrees per second"),
        ("frames", "frames"),
        ("g", "g, 9.80665 m/s2"),
        ("hz", "hertz"),
        ("microsiemens", "microsiemens"),
        ("ms", "milliseconds"),
        ("mv", "millivolt"),
        ("ns", "nanoseconds"),
        ("pct", "per cent"),
        ("per_min", "times a minute"),
        ("per_s", "units per second"),
        ("per_s2", "units per second squared"),
        ("s", "seconds"),
        ("samples", "samples"),
        ("share", "parts of one"),
        ("spm", "steps per minute"),
        ("us", "microseconds"),
        ("ut", "microtesla"),
        ("uv", "microvolt"),
    ];
    // The longest that fits: `gain_per_s` is no time.
    let fits = |suffix: &str| name.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('_'));
    let best = UNITS.iter().filter(|(suffix, _)| fits(suffix)).max_by_key(|(s, _)| s.len());
    best.map(|(_, unit)| *unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_short() {
        let written = [0.5, 1e30, -1e12, 1e-6, 0.0, 999_999.0].map(number);
        assert_eq!(written, ["0.5", "1e30", "-1e12", "1e-6", "0", "999999"]);
    }

    #[test]
    fn units_are_read_off_names() {
        assert_eq!(unit("low_hz"), Some("hertz"));
        assert_eq!(unit("window_s"), Some("seconds"));
        assert_eq!(unit("gain_per_s"), Some("units per second"));
        assert_eq!(unit("order"), None);
        assert_eq!(unit("file"), None);
    }
}
