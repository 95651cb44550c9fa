//! Names, docs and examples: what a user reads.

use std::{fs, path::PathBuf};

use engine::Shape;

use crate::subject::{every_kind, everyone};

/// The files that hold a catalog entry: name of the file and text.
fn entries() -> Vec<(String, String)> {
    let mut entries = Vec::new();
    let crates = ["operators", "model"].map(|name| PathBuf::from(name).join("src"));
    let mut folders =
        crates.map(|src| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(src)).to_vec();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the source tree") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).expect("source text");
            if text.contains("pub static KIND: Kind") {
                let stem = path.file_stem().expect("a file's name").to_string_lossy();
                entries.push((stem.into_owned(), text));
            }
        }
    }
    entries
}

#[test]
fn a_kind_is_called_like_its_file() {
    for (file, text) in entries() {
        assert!(text.contains(&format!("name: \"{file}\",")), "{file}.rs holds another kind");
        assert!(text.contains(&format!("//! `{file}`")), "{file}.rs begins with its name");
    }
}

#[test]
fn every_kind_is_in_the_catalogue() {
    let mut files: Vec<String> = entries().into_iter().map(|(file, _)| file).collect();
    let mut kinds: Vec<&str> = every_kind().map(|kind| kind.name).collect();
    files.sort_unstable();
    kinds.sort_unstable();

    assert_eq!(files, kinds);
}

#[test]
fn docs_are_sentences() {
    for kind in every_kind() {
        for text in [kind.summary, kind.doc] {
            let first = text.chars().next().unwrap_or(' ');
            // A formula may begin with its symbol.
            assert!(first.is_uppercase() || text.contains('='), "{}: {text}", kind.name);
            assert!(text.ends_with('.'), "{}: {text}", kind.name);
            assert!(!text.contains("  "), "{}: two blanks in {text}", kind.name);
        }
        assert!(kind.doc.len() > kind.summary.len(), "{} has no more to say", kind.name);
        for param in kind.params {
            let (name, doc) = (param.name(), param.doc());
            assert!(doc.starts_with(char::is_uppercase) && doc.ends_with('.'), "{name}: {doc}");
        }
        let mut ports = kind.inputs.iter().chain(kind.outputs);
        assert!(ports.all(|port| engine::is_name(port.name)), "{}", kind.name);
    }
}

#[test]
fn every_page_says_what_becomes_of_nan() {
    for kind in every_kind().filter(|kind| !kind.inputs.is_empty()) {
        assert!(kind.doc.contains("NaN"), "{} does not say", kind.name);
    }
}

#[test]
fn an_example_shows_what_must_be_written_and_builds() {
    for subject in everyone() {
        let (kind, example) = (subject.kind, subject.kind.example);
        // What it can show are fields of events that nobody has here; without, it works as it is.
        let needs_none = kind.params.is_empty() || kind.name == "barge_in";
        assert!(!example.is_empty() || needs_none, "{} has no example", kind.name);
        for line in example.lines() {
            let key = line.split(" =").next().unwrap_or_default();
            assert!(kind.param(key).is_some(), "{}: {line}", kind.name);
        }
        subject.bench();
    }
}

#[test]
fn quantities_end_in_their_unit() {
    // Whole numbers count, texts name; a number without a unit must be a share, a ratio or one of
    // those that carry the unit of the signal itself.
    let bare = [
        "amplitude",
        "offset",
        "noise",
        "height",
        "prominence",
        "level",
        "hysteresis",
        "flat_band",
        "floor_power",
        "rail_low",
        "rail_high",
        "from_low",
        "from_high",
        "to_low",
        "to_high",
        "process",
        "deviation_max",
        "turn",
        "exponent",
        "min_score",
        "sure",
        "overlap",
        "skip_unchanged",
        "threshold",
        "turn_threshold",
        "end_probability",
    ];
    for kind in every_kind() {
        for param in kind.params.iter().filter(|param| param.type_name() == "a number") {
            let name = param.name();
            let units = [
                "_hz",
                "_s",
                "_ms",
                "_mv",
                "_uv",
                "_uv_per_ms",
                "_microsiemens",
                "_g",
                "_ut",
                "_dps",
                "_per_s",
                "_per_s2",
                "_spm",
                "_bpm",
                "_pct",
                "_per_min",
                "_turns",
                "_deg",
                "_share",
                "_ratio",
                "_db",
                "_dbfs",
                "_ppm",
            ];
            let has_unit = name == "seconds" || units.iter().any(|unit| name.ends_with(unit));
            assert!(has_unit || bare.contains(&name), "{}: {name} has no unit", kind.name);
        }
    }
}

#[test]
fn what_feeds_a_port_is_in_the_catalogue_and_every_port_for_events_is_fed() {
    for kind in every_kind() {
        for port in kind.inputs {
            assert!(
                port.shape != Shape::Event || !port.fed_by.is_empty(),
                "{} {}",
                kind.name,
                port.name
            );
            for source in port.fed_by {
                let name = source.split(['.', '[']).next().unwrap_or_default();
                let known = every_kind().any(|known| known.name == name && !known.is_sink());
                assert!(
                    known || std::env::var_os("AFFERENT_KIND").is_some(),
                    "{}: {source}",
                    kind.name
                );
            }
        }
    }
}
