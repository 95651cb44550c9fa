//! `afferent explain`: one kind in full, or what the code of a diagnostic means.

use engine::{AnyParam, Catalog, Code, Format, Key, KeyTable, Kind, Policy, Port, nearest};
use link::carrier;
use model::{cache::section as cache, section};

use crate::{
    arguments::ExplainArguments,
    catalog::catalog,
    exit::{Exit, Failure, print},
    page::Page,
    terminal::Ink,
};

use super::example::Example;

/// Prints what there is to know about a kind or a code.
pub(crate) fn explain(asked: &ExplainArguments) -> Result<Exit, Failure> {
    let (what, catalog) = (asked.what.as_str(), catalog());
    let mut page = Page::of_stdout();
    if let Some(kind) = catalog.find(what) {
        page.kind(kind, &catalog);
        if let Some(fed) = kind.when_fed {
            page.line("");
            page.line(&format!("With a `from` it is a sink: {}", fed.summary));
            page.line("");
            page.kind(fed, &catalog);
        }
    } else if let Some(code) = Code::ALL.iter().find(|code| code.name() == what) {
        page.code(*code);
    } else if KeyTable::ALL.iter().any(|table| table.name == what) {
        let mut count = 0;
        for table in KeyTable::ALL.iter().filter(|table| table.name == what) {
            page.next_of(&mut count);
            page.table(table);
        }
    } else if what == MODEL {
        page.section(MODEL, section::DOC, section::PARAMS, section::EXAMPLE);
    } else if what == CACHE {
        page.section(CACHE, cache::DOC, cache::PARAMS, cache::EXAMPLE);
    } else if what == HOST {
        page.section(HOST, carrier::DOC, carrier::PARAMS, carrier::EXAMPLE);
    } else if !page.all_called(what, &catalog) {
        let codes = Code::ALL.iter().map(|code| code.name());
        let keys = KeyTable::ALL.iter().flat_map(|table| table.names().chain([table.name]));
        let keys = keys.chain([MODEL, CACHE, HOST]);
        let params = sections().into_iter().flat_map(|(_, params)| params);
        let params = params.chain(catalog.iter().flat_map(|kind| kind.params));
        let params: Vec<_> = params.map(|param| param.name()).collect();
        let keys = keys.chain(params);
        let meant = |word: &str| SYNONYMS.iter().find(|(others, _)| others.contains(&word));
        let other_words = || SYNONYMS.iter().flat_map(|(others, _)| others.iter().copied());
        let near = meant(&what.to_lowercase())
            .map(|(_, kind)| *kind)
            .or_else(|| catalog.nearest(what))
            .or_else(|| nearest(what, other_words()).and_then(meant).map(|(_, kind)| *kind))
            .or_else(|| nearest(what, codes.chain(keys)));
        let hint = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "choose a kind that `afferent list` prints, the word in the brackets of a \
                     diagnostic, `graph`, `node`, `model`, `cache`, `host`, `include`, `test`, or one of their keys or a kind's"
                .to_owned(),
        };
        let message = format!("`{what}` is no kind, no code of a diagnostic, no table and no key");
        return Err(Failure::new(Exit::Usage, &message, &hint));
    }
    print(&page.text)?;
    Ok(Exit::Done)
}

/// What others call what a kind does, in words that are no slip of its name.
const SYNONYMS: &[(&[&str], &str)] = &[
    (&["vad", "voice", "voice_activity", "silero", "turn", "turns", "endpointing"], "speech"),
    (&["stt", "asr", "whisper", "dictation", "speech_to_text"], "transcribe"),
    (&["srt", "vtt", "webvtt", "captions"], "subtitles"),
    (&["gain", "volume", "loudness"], "agc"),
    (&["mic", "capture", "listen"], "microphone"),
    (&["play", "playback", "loudspeaker"], "speaker"),
    (&["wav", "flac", "mp3", "ogg", "sound"], "audio"),
    (&["mono"], "downmix"),
    (&["rnnoise", "noise_suppression"], "denoise"),
];

/// What to ask for about `[model.NAME]`.
const MODEL: &str = "model";
/// What to ask for about `[cache.NAME]`.
const CACHE: &str = "cache";

/// What to ask for about `[host.NAME]`.
const HOST: &str = "host";

/// Tables with parameters, as kinds have them.
fn sections() -> [(&'static str, &'static [&'static dyn AnyParam]); 3] {
    [(MODEL, section::PARAMS), (CACHE, cache::PARAMS), (HOST, carrier::PARAMS)]
}

impl Page {
    /// All keys and parameters of this name, each with the table or the kinds that have it; says whether there
    /// are any.
    fn all_called(&mut self, name: &str, catalog: &Catalog) -> bool {
        let Ink { bold, off, .. } = self.ink;
        let mut count = 0;
        let keys =
            KeyTable::ALL.iter().flat_map(|table| table.keys.iter().map(|key| (*table, key)));
        for (table, key) in keys.filter(|(_, key)| key.name == name) {
            self.next_of(&mut count);
            self.key(table, key);
        }
        let called = |params: &[&'static dyn AnyParam]| {
            params.iter().copied().find(|param| param.name() == name)
        };
        for (section, params) in sections() {
            let Some(param) = called(params) else { continue };
            self.next_of(&mut count);
            self.line(&format!("{bold}{name}{off}, a key of [{section}.NAME]"));
            self.param(param);
        }
        // Kinds that mean the same by it stand together.
        let mut kinds: Vec<(Vec<&str>, &dyn AnyParam)> = Vec::new();
        for kind in catalog.iter() {
            let Some(param) = called(kind.params) else { continue };
            let same = |known: &&mut (Vec<&str>, &dyn AnyParam)| {
                known.1.doc() == param.doc() && param_facts(known.1) == param_facts(param)
            };
            match kinds.iter_mut().find(same) {
                Some((names, _)) => names.push(kind.name),
                None => kinds.push((vec![kind.name], param)),
            }
        }
        for (names, param) in kinds {
            self.next_of(&mut count);
            let names = names.join("`, `");
            self.paragraph(&format!("{bold}{name}{off}, a parameter of `{names}`"), "");
            self.param(param);
        }
        count > 0
    }

    /// A blank line before all but the first.
    fn next_of(&mut self, count: &mut usize) {
        if *count > 0 {
            self.line("");
        }
        *count += 1;
    }

    fn param(&mut self, param: &dyn AnyParam) {
        self.line("");
        self.paragraph(param.doc(), "  ");
        self.paragraph(&param_facts(param), "  ");
    }

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
        if let Some(example) = table.example() {
            example.lines().for_each(|line| self.line(format!("  {line}").trim_end()));
            return;
        }
        let keys = table.keys.iter().map(|key| key.example).filter(|key| !key.starts_with('['));
        match table.header.split_once('{') {
            // A table within a line.
            Some((before, _)) => {
                let keys = keys.collect::<Vec<_>>().join(", ");
                self.line(&format!("  {before}{{ {keys} }}"));
            }
            None => {
                self.line(&format!("  {}", table.header));
                keys.for_each(|key| self.line(&format!("  {key}")));
            }
        }
    }

    fn section(&mut self, name: &str, doc: &str, params: &[&dyn AnyParam], example: &str) {
        let Ink { bold, off, .. } = self.ink;
        self.paragraph(&format!("{bold}[{name}.NAME]{off}: {doc}"), "");
        self.params(params);
        self.title("Example");
        for line in example.lines() {
            self.line(format!("  {line}").trim_end());
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

    fn kind(&mut self, kind: &Kind, catalog: &Catalog) {
        let Ink { bold, off, .. } = self.ink;
        let example = Example::of(kind, catalog);
        self.line(&format!("{bold}{}{off}: {}", kind.name, kind.summary));
        if !kind.doc.trim().is_empty() {
            self.line("");
            self.prose(kind.doc.trim_matches('\n'));
        }
        self.ports("Inputs", kind.inputs, Some(kind.policy), &[]);
        self.ports("Outputs", kind.outputs, None, &example.outputs(catalog));
        self.params(kind.params);
        if kind.live {
            self.line("");
            self.line("A live source: it keeps its own time, and `--speed` does not hold for it.");
        }
        self.title("Example");
        for line in example.text.lines() {
            self.line(&format!("  {line}"));
        }
    }

    /// The ports, and the fields of the events that leave them, by their formats in the example.
    fn ports(&mut self, title: &str, ports: &[Port], policy: Option<Policy>, formats: &[Format]) {
        if ports.is_empty() {
            return;
        }
        self.title(title);
        let width = ports.iter().map(|port| port.name.len()).max().unwrap_or(0);
        for (number, port) in ports.iter().enumerate() {
            let many = if port.variadic { ", any number of edges" } else { "" };
            let optional = if port.optional { ", may be left out" } else { "" };
            let shape = port.shape.word();
            self.line(&format!("  {:width$}  {shape}{many}{optional}", port.name));
            if let Some(events) = formats.get(number).and_then(Format::as_event) {
                let fields: Vec<&str> = events.fields.iter().map(|field| field.name).collect();
                let indent = " ".repeat(width + 4);
                self.paragraph(&format!("in the example with {}", fields.join(", ")), &indent);
            }
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
pub(super) fn param_facts(param: &dyn AnyParam) -> String {
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
fn unit(name: &str) -> Option<String> {
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
        ("ppm", "parts per million"),
        ("s", "seconds"),
        ("samples", "samples"),
        ("share", "parts of one"),
        ("spm", "steps per minute"),
        ("turns", "turns"),
        ("us", "microseconds"),
        ("ut", "microtesla"),
        ("uv", "microvolt"),
    ];
    const TIMES: &[(&str, &str)] =
        &[("min", "minute"), ("ms", "millisecond"), ("s", "second"), ("s2", "second squared")];
    if let Some((what, time)) = name.rsplit_once("_per_") {
        let (_, time) = TIMES.iter().find(|(suffix, _)| *suffix == time)?;
        return Some(match unit(what) {
            Some(unit) => format!("{unit} per {time}"),
            None if *time == "minute" => "times a minute".to_owned(),
            None => format!("units per {time}"),
        });
    }
    let (_, suffix) = name.rsplit_once('_')?;
    UNITS.iter().find(|(known, _)| *known == suffix).map(|(_, unit)| (*unit).to_owned())
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
        for (name, words) in [
            ("low_hz", "hertz"),
            ("window_s", "seconds"),
            ("gain_per_s", "units per second"),
            ("breaths_per_min", "times a minute"),
            ("gradient_uv_per_ms", "microvolt per millisecond"),
            ("slope_max_microsiemens_per_s", "microsiemens per second"),
        ] {
            assert_eq!(unit(name).as_deref(), Some(words), "{name}");
        }
        assert_eq!((unit("order"), unit("file")), (None, None));
    }
}
