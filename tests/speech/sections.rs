//! `[model.NAME]` with files of speech: what is wrong with them is told with its place and what to do.

use std::{fs, path::PathBuf, sync::Arc};

use afferent_suite::data;
use engine::{Catalog, Diagnostics, Disk, GraphSpec, PlanOptions, ServiceKind, SourceText};
use model::section;

const TINY: &str = "ggml-org+whisper.cpp/models/for-tests-ggml-tiny.bin";

/// A file of this test run, with this content.
fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("afferent-speech-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder for temporary files");
    let path = folder.join(name);
    fs::write(&path, bytes).expect("room for a small file");
    path
}

fn said(section: &str) -> String {
    let text = format!("[graph]\nname = \"voice\"\n[model.voice]\n{section}\n");
    let spec = GraphSpec::parse(&SourceText::new("voice.toml", &text)).expect("it parses");
    section::services(&spec, Arc::new(Disk), None, |_| ()).1.to_string()
}

#[test]
fn a_file_that_is_cut_damaged_or_too_large_is_told() {
    let Some(data) = data::folder() else { return };
    let whole = fs::read(data.join(TINY)).expect("it is there");

    let cut = file("cut.bin", &whole[..whole.len() / 2]);
    let told = said(&format!("file = {cut:?}"));
    assert!(told.contains("is no model of speech: it ends too early"), "{told}");
    assert!(told.contains("voice.toml:4:8") && told.contains("ggml-tiny.bin"), "{told}");

    let mut damaged = whole.clone();
    // n_audio_state: whisper.cpp would take the memory for it.
    damaged[12..16].copy_from_slice(&i32::MAX.to_le_bytes());
    let damaged = file("damaged.bin", &damaged);
    let told = said(&format!("file = {damaged:?}"));
    assert!(told.contains("n_audio_state = 2147483647"), "{told}");

    // The sizes of a model that nobody has memory for, but possible ones.
    let mut large = whole.clone();
    let sizes = [51_865, 1_500, 8_192, 64, 256, 4_096, 8_192, 64, 256, 80, 1];
    for (at, size) in sizes.into_iter().enumerate() {
        large[4 + 4 * at..8 + 4 * at].copy_from_slice(&i32::to_le_bytes(size));
    }
    let large = file("large.bin", &large);
    let told = said(&format!("file = {large:?}"));
    assert!(told.contains("MB of memory"), "{told}");

    let whole = file("whole.bin", &whole);
    // One alone has none.
    let told = said(&format!("segments = [{whole:?}]\nthresholds = []"));
    assert!(!told.contains("thresholds"), "{told}");
    let told = said(&format!("segments = [{whole:?}]\nthresholds = [0.5]"));
    assert!(told.contains("or leave `thresholds` out"), "{told}");
    for (thresholds, many) in [("[0.5, 0.6]", "2 numbers"), ("[]", "0 numbers")] {
        let told = said(&format!("segments = [{whole:?}, {whole:?}]\nthresholds = {thresholds}"));
        let why = format!("`thresholds` has {many} for 1 early exits");
        assert!(told.contains(&why) && told.contains("write one for each segment but"), "{told}");
    }
    let told = said(&format!("segments = [{whole:?}, {whole:?}]\nthresholds = [1.5]"));
    assert!(told.contains("`thresholds`") && told.contains("1.5"), "{told}");
    // Whether it may be left out has nothing to do with that.
    for optional in ["", "optional = true"] {
        let told = said(&format!("file = {whole:?}\nbatch_max = 4\n{optional}"));
        assert!(told.contains("`batch_max` means nothing to a model of speech"), "{told}");
    }
}

#[test]
fn a_model_that_may_be_missing_is_told_once_with_what_helps() {
    let none = file("poem.bin", b"not a model at all, but longer than any header");
    let none = none.display().to_string();
    for (path, why, helps) in [
        (
            "no/such.bin",
            "cannot read `no/such.bin`: there is no such file",
            "check the path: it starts from",
        ),
        (
            &*none,
            "is no model of speech: it is no ggml file",
            "name a Whisper model in ggml format",
        ),
    ] {
        for (optional, level) in [(false, "error"), (true, "warning")] {
            let text = format!(
                "[graph]\nname = \"voice\"\n[model.voice]\nfile = {path:?}\noptional = {optional}\n\
                 [node.heard]\nop = \"tone\"\nrate_hz = 16000.0\nseconds = 1.0\n{ASKS}\n\
                 [node.out]\nop = \"jsonl\"\nfrom = \"text\"\n"
            );
            let spec = GraphSpec::parse(&SourceText::new("voice.toml", &text)).expect("it parses");
            let (services, problems) = section::services(&spec, Arc::new(Disk), None, |_| ());
            let options = PlanOptions { services, ..PlanOptions::new(Arc::new(Disk)) };
            let catalog = Catalog::new(&[operators::CATALOG, model::CATALOG]);
            let planned = spec.plan(&catalog, &options);
            let warnings = planned.map_or_else(|all| all.0, |plan| plan.warnings().to_vec());
            let told = Diagnostics([problems.0, warnings].concat()).to_string();
            assert!(told.contains(&format!("{level}[")) && told.contains(helps), "{told}");
            assert_eq!(
                (told.matches(why).count(), told.matches(path).count() >= 1),
                (1, true),
                "{told}"
            );
            assert_eq!(told.contains("as `optional = true` allows"), optional, "{told}");
        }
    }
}

fn said_of(section: &str, nodes: &str) -> String {
    let text = format!("[graph]\nname = \"voice\"\n[model.voice]\n{section}\n{nodes}\n");
    let spec = GraphSpec::parse(&SourceText::new("voice.toml", &text)).expect("it parses");
    section::services(&spec, Arc::new(Disk), None, |_| ()).1.to_string()
}

const ASKS: &str = "[node.text]\nop = \"transcribe\"\nfrom = \"heard\"\nmodel = \"voice\"";

#[test]
fn a_file_that_is_no_model_is_judged_by_who_asks() {
    let none = file("none.bin", b"not a model at all, but longer than any header");
    let section = format!("file = {none:?}");
    let told = said_of(&section, ASKS);
    assert!(told.contains("is no model of speech: it is no ggml file"), "{told}");
    assert!(told.contains("ggml-tiny.bin") && !told.contains("ONNX"), "{told}");
    assert!(told.contains("none.bin"), "{told}");
    // Where nobody asks for speech it may be either.
    let told = said_of(&section, "");
    assert!(
        told.contains("none.bin") && told.contains("no ONNX model, nor one of Whisper's"),
        "{told}"
    );
}

#[test]
fn silero_in_ggml_format_is_refused_with_the_file_that_is_taken() {
    let Some(data) = data::folder() else { return };
    let silero = data.join("ggml-org+whisper.cpp/models/for-tests-silero-v6.2.0-ggml.bin");
    let nodes = "[node.who]\nop = \"speech\"\nfrom = \"heard\"\nmodel = \"voice\"";
    let told = said_of(&format!("file = {silero:?}"), nodes);
    assert!(told.contains("error[bad-file]") && told.contains("silero-v6.2.0-ggml.bin"), "{told}");
    assert!(told.contains("is no model of speech") && told.contains("voice.toml:4:8"), "{told}");
    assert!(told.contains("ONNX file") && told.contains("silero_vad.onnx"), "{told}");
    // Who asks for speech is told what understands that.
    let told = said_of(&format!("file = {silero:?}"), ASKS);
    assert!(told.contains("ggml-tiny.bin") && !told.contains("ONNX"), "{told}");
}

#[test]
fn what_helps_where_a_model_does_not_start_goes_by_what_it_is() {
    let Some(data) = data::folder() else { return };
    let remedy = |file: PathBuf| {
        let text = format!("[graph]\nname = \"voice\"\n[model.voice]\nfile = {file:?}\n");
        let spec = GraphSpec::parse(&SourceText::new("voice.toml", &text)).expect("it parses");
        section::ModelServices::new(Arc::new(Disk), None).remedy(&spec.models[0])
    };
    assert!(remedy(data.join(TINY)).contains("ggml-tiny.bin"));
    let other = remedy(file("other.onnx", b"whatever it is"));
    assert!(other.contains("ONNX") && !other.contains("ggml"), "{other}");
}

#[cfg(feature = "whisper")]
#[test]
fn a_file_that_whisper_refuses_is_told_with_what_helps() {
    let Some(data) = data::folder() else { return };
    let micro = fs::read(data.join("derived-models/ggml-micro-random.en.bin")).expect("there");
    // The name of a tensor in the middle of the file.
    let at = micro.windows(8).position(|name| name == b"decoder.").expect("it has a decoder");
    let mut bent = micro;
    bent[at..at + 8].copy_from_slice(b"decoded!");
    let bent = file("bent.bin", &bent);
    let told = said_of(&format!("file = {bent:?}"), ASKS);
    assert!(told.contains("bent.bin") && told.contains("whisper.cpp"), "{told}");
    assert!(!told.contains("ONNX") && told.contains("voice.toml:4:8"), "{told}");
    assert_eq!(said_of(&format!("file = {bent:?}\noptional = true"), ASKS), "");
}

#[cfg(not(feature = "whisper"))]
#[test]
fn a_program_without_whisper_says_how_to_build_one() {
    let Some(data) = data::folder() else { return };
    let told = said(&format!("file = {:?}", data.join(TINY)));
    assert!(told.contains("--features whisper") && told.contains("cmake"), "{told}");
    assert_eq!(said(&format!("file = {:?}\noptional = true", data.join(TINY))), "");
}
