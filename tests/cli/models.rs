//! `afferent model profile` and `afferent model quantize`.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use afferent_suite::onnx;
use model::tools::Profile;

use crate::program::{Ended, Folder, afferent, afferent_with};
#[cfg(target_os = "linux")]
use crate::program::{end_of, start};

/// Long enough to see that something is measured.
const BRIEF: [&str; 2] = ["--seconds", "0.01"];

fn folder(files: &[(&str, Vec<u8>)]) -> Folder {
    let folder = Folder::with(&[]);
    for (name, bytes) in files {
        fs::write(folder.0.join(name), bytes).expect("there is room for a file");
    }
    folder
}

/// A model that gives what it is given, three numbers.
fn identity() -> Vec<u8> {
    onnx::unary("Identity", &[None, Some(3)])
}

/// An `.npy` of 32-bit floats.
pub(crate) fn npy(shape: &str, values: &[f32]) -> Vec<u8> {
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    bytes
}

/// Four questions whose largest numbers stand at 0, 1, 2 and 2.
fn questions() -> Vec<u8> {
    npy("(4, 3)", &[9.0, 0.0, 0.0, 0.0, 9.0, 0.0, 0.0, 0.0, 9.0, 0.0, 1.0, 9.0])
}

fn profile(folder: &Folder, more: &[&str]) -> Ended {
    let own = ["model", "profile", "m.onnx", "--backend", "rten", "--threads", "1"];
    afferent(folder, &[&own[..], &BRIEF, more].concat())
}

#[test]
fn a_profile_says_what_goes_in_and_out_and_how_long_runs_take() {
    let folder = folder(&[("m.onnx", identity())]);

    let told = profile(&folder, &["--batch", "1,4"]);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    for said in
        ["takes  x f32[?, 3]", "gives  y f32[?, 3]", "noise from -1 to 1", "economy", "Batching "]
    {
        assert!(told.stdout.contains(said), "{said}: {}", told.stdout);
    }
    assert!(!folder.0.join("m.profile.toml").exists(), "nobody asked for it");

    let told = profile(&folder, &["--batch", "1,4", "--json", "--save"]);
    assert_eq!(told.stdout.lines().count(), 1, "{}", told.stdout);
    let saved = fs::read_to_string(folder.0.join("m.profile.toml")).expect("it was asked for");
    let saved = Profile::parse(&saved).expect("a profile");
    assert_eq!(saved.to_json(), told.stdout.trim(), "both say the same");
    let sizes: Vec<usize> = saved.latency.iter().map(|point| point.batch).collect();
    assert_eq!(sizes, [1, 4]);
    for point in &saved.latency {
        assert!(point.runs >= 5 && point.p50_us > 0.0 && point.p99_us >= point.p50_us, "{point:?}");
        let economy = point.batch as f64 * saved.latency[0].p50_us / point.p50_us;
        assert!((point.economy - economy).abs() < 1e-9 * economy, "{point:?}");
    }
    assert_eq!(saved.bytes, identity().len() as u64);
}

#[test]
fn answers_are_counted_by_class_and_compared() {
    let folder = folder(&[
        ("m.onnx", identity()),
        ("other.onnx", onnx::unary("Neg", &[None, Some(3)])),
        ("x.npy", questions()),
        ("y.txt", b"a\nb\nc\na\n".to_vec()),
    ]);
    let data = ["--data", "x.npy", "--truth", "y.txt", "--labels", "a,b,c", "--batch", "1"];

    let told = profile(&folder, &[&data[..], &["--against", "other.onnx"]].concat());

    assert_eq!(told.code, Some(0), "{}", told.stderr);
    for said in [
        "75.00 % of 4 right, by `y` in rten on x.npy",
        "Beside other.onnx",
        // The negative has its largest number elsewhere in every question.
        "0.00 % of 4 questions answered the same; numbers differ by 200.00 % (RMS)",
        "75.00 % right, not 25.00 %",
    ] {
        assert!(told.stdout.contains(said), "{said}: {}", told.stdout);
    }
    let json = profile(&folder, &[&data[..], &["--json"]].concat()).stdout;
    assert!(json.contains("\"confusion\":[[1,0,1],[0,1,0],[0,0,1]]"), "{json}");
}

#[test]
fn lines_of_the_sink_are_data_too() {
    let lines = "{\"node\":\"pieces\",\"t_s\":1,\"shape\":[3],\"values\":[9,0,0],\"y\":0}\n\
                 {\"node\":\"pieces\",\"t_s\":2,\"shape\":[3],\"values\":[0,9,0],\"y\":2}\n";
    let folder = folder(&[("m.onnx", identity()), ("x.jsonl", lines.into())]);

    let told = profile(&folder, &["--data", "x.jsonl", "--batch", "1"]);

    assert!(told.stdout.contains("50.00 % of 2 right"), "{}{}", told.stdout, told.stderr);
}

#[test]
fn what_is_wrong_with_models_and_data_is_named() {
    let folder = folder(&[
        ("m.onnx", identity()),
        ("text.onnx", b"not a model at all".to_vec()),
        ("cut.onnx", identity()[..40].to_vec()),
        ("log.onnx", onnx::unary("Log", &[None, Some(3)])),
        ("open.onnx", onnx::unary("Identity", &[None, None])),
        ("x.npy", questions()),
        ("four.npy", npy("(2, 4)", &[0.0; 8])),
        ("empty.npy", npy("(0, 3)", &[])),
        ("cut.npy", questions()[..40].to_vec()),
        ("nan.npy", npy("(2, 3)", &[0.0, 0.0, 0.0, 0.0, f32::NAN, 0.0])),
        ("nan.jsonl", b"{\"values\":[0,NaN]}".to_vec()),
        ("odd.jsonl", b"{\"values\":[0,0,0]}\n{\"values\":[0,0]}\n".to_vec()),
        ("empty.jsonl", Vec::new()),
        ("y3.txt", b"0\n1\n3\n2\n".to_vec()),
        ("y2.txt", b"0\n1\n".to_vec()),
        ("names.txt", b"a\nb\nd\na\n".to_vec()),
    ]);
    let cases: &[(&[&str], i32, &str)] = &[
        (&["none.onnx"], 74, "cannot read `none.onnx`"),
        (&["."], 74, "cannot read `.`"),
        (&["text.onnx"], 74, "no ONNX model"),
        (&["cut.onnx"], 74, "in ggml format, or cut short"),
        (&["log.onnx"], 74, "the model gives NaN in `y` to question 0"),
        (&["open.onnx"], 2, "say the shape of one question: `--shape x=64`"),
        (&["open.onnx", "--shape", "x=2,3"], 2, "a question of `x f32[?, ?]` is [?]"),
        (&["m.onnx", "--shape", "z=3"], 2, "no input `z`"),
        (&["m.onnx", "--output", "z"], 2, "no output `z`"),
        (&["m.onnx", "--data", "m.onnx"], 2, "must end in .npz, .npy or .jsonl"),
        (&["m.onnx", "--data", "none.npz"], 74, "cannot read `none.npz`"),
        (&["m.onnx", "--data", "four.npy"], 74, "takes [3]"),
        (&["m.onnx", "--data", "empty.npy"], 74, "it has no questions"),
        (&["m.onnx", "--data", "cut.npy"], 74, "cut short"),
        (&["m.onnx", "--data", "nan.npy"], 74, "gives NaN in `y` to question 1"),
        (&["m.onnx", "--data", "nan.jsonl"], 74, "line 1: "),
        (&["m.onnx", "--data", "odd.jsonl"], 74, "line 2: its shape is [2]"),
        (&["m.onnx", "--data", "empty.jsonl"], 74, "it has no questions"),
        (&["m.onnx", "--data", "x.npy", "--truth", "y3.txt"], 74, "`y` of question 2 is 3"),
        (&["m.onnx", "--data", "x.npy", "--truth", "y2.txt"], 74, "4 questions, but `y` has 2"),
        (&["m.onnx", "--data", "x.npy", "--truth", "names.txt"], 2, "`--labels"),
        (
            &["m.onnx", "--data", "x.npy", "--truth", "names.txt", "--labels", "a,b,c"],
            74,
            "`y` of question 2 is `d`",
        ),
        (&["m.onnx", "--data", "x.npy", "--labels", "a,b"], 2, "2 labels for 3 classes"),
        (&["m.onnx", "--against", "none.onnx"], 74, "cannot read `none.onnx`"),
    ];
    for (arguments, code, said) in cases {
        let own = ["model", "profile", "--backend", "rten", "--batch", "1", "--threads", "1"];
        let ended = afferent(&folder, &[&own[..], &BRIEF, arguments].concat());
        assert_eq!(ended.code, Some(*code), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.starts_with("error: "), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(said), "{arguments:?}: {}", ended.stderr);
        assert_eq!(ended.stdout, "", "{arguments:?}");
    }
}

/// Whether the program listens to a request to end, as Linux tells it.
#[cfg(target_os = "linux")]
fn listens(pid: u32) -> bool {
    const TERM: u32 = 15;
    let told = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let caught = told.lines().find_map(|line| line.strip_prefix("SigCgt:")).expect("Linux tells");
    let caught = u64::from_str_radix(caught.trim(), 16).expect("a mask");
    caught >> (TERM - 1) & 1 == 1
}

#[test]
#[cfg(target_os = "linux")]
fn an_interrupted_measurement_ends_at_once_and_says_so() {
    let folder = folder(&[("m.onnx", identity())]);
    let arguments =
        ["model", "profile", "m.onnx", "--backend", "rten", "--seconds", "600", "--save"];
    let mut child = start(&folder, &arguments);
    while !listens(child.id()) {
        std::thread::yield_now();
    }
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(sent.expect("every Unix has `kill`").success());

    let (status, stderr) = end_of(&mut child);

    assert_eq!(status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("interrupted; nothing was written"), "{stderr}");
    assert!(!folder.0.join("m.profile.toml").exists());
}

#[test]
fn without_python_nothing_is_quantised_and_the_remedy_is_told() {
    let folder = folder(&[("m.onnx", identity())]);
    let python = OsStr::new("/nowhere/python");

    let asked = ["model", "quantize", "m.onnx"];
    let ended = afferent_with(&folder, &asked, &[("AFFERENT_PYTHON", python)]);

    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    for said in
        ["wants a Python with onnx and onnxruntime", "`/nowhere/python`", "pip install onnx"]
    {
        assert!(ended.stderr.contains(said), "{said}: {}", ended.stderr);
    }
    assert!(!folder.0.join("m.int8.onnx").exists());
}

#[test]
fn what_cannot_be_quantised_is_said_before_anybody_waits() {
    let folder = folder(&[("m.onnx", identity()), ("one.npy", npy("(1, 3)", &[0.0; 3]))]);
    let cases: &[(&[&str], i32, &str)] = &[
        (&["--out", "m.onnx"], 2, "would replace the model"),
        (&["--out", "./m.onnx"], 2, "would replace the model"),
        (&["--out", "none/m.int8.onnx"], 74, "cannot write `none/m.int8.onnx`"),
        (&["--out", "."], 74, "is a folder"),
        (&["--static"], 2, "--data"),
        (&["--static", "--data", "one.npy"], 74, "cannot both calibrate and be scored"),
        (&["--loss", "-1"], 2, "loss"),
    ];
    for (arguments, code, said) in cases {
        let asked = [&["model", "quantize", "m.onnx"], *arguments].concat();
        // Were Python looked for first, its absence would be told.
        let ended = afferent_with(&folder, &asked, &[("AFFERENT_PYTHON", OsStr::new("/nowhere"))]);
        assert_eq!(ended.code, Some(*code), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(said), "{arguments:?}: {}", ended.stderr);
    }
}

/// A Python that can quantise: as the program finds it, or as `make setup` made it.
fn python() -> Option<PathBuf> {
    let made = concat!(env!("CARGO_MANIFEST_DIR"), "/target/python/bin/python").into();
    let chosen = std::env::var_os("AFFERENT_PYTHON").map(PathBuf::from);
    let is_chosen = chosen.is_some();
    let python: PathBuf = chosen.unwrap_or(made);
    let mut asks = Command::new(&python);
    asks.args(["-c", "import onnx, onnxruntime"]).stdout(Stdio::null()).stderr(Stdio::null());
    let has = asks.status().is_ok_and(|status| status.success());
    assert!(has || !is_chosen, "AFFERENT_PYTHON is {}, which cannot quantise", python.display());
    if !has {
        eprintln!("SKIPPED: no Python with onnx and onnxruntime (make setup, or AFFERENT_PYTHON)");
    }
    has.then_some(python)
}

fn quantize(folder: &Folder, python: &Path, more: &[&str]) -> Ended {
    let own = ["model", "quantize", "m.onnx", "--backend", "rten"];
    let asked = [&own[..], &BRIEF, more].concat();
    afferent_with(folder, &asked, &[("AFFERENT_PYTHON", python.as_os_str())])
}

/// Weights of which the first is far larger than the others: in int8, with one range for all, the others vanish.
fn lopsided() -> Vec<u8> {
    let mut weights = vec![vec![0.0; 3]; 4];
    weights[0][0] = 1_000.0;
    (0..3).for_each(|n| weights[n + 1][n] = 1.0);
    onnx::product(&weights)
}

#[test]
fn a_variant_that_answers_otherwise_is_refused_and_leaves_no_file() {
    let Some(python) = python() else { return };
    // The first number is always 0, so that the model answers with the largest of the others.
    let rows = (0..12).flat_map(|n| {
        let mut row = [0.0_f32; 4];
        row[1 + n % 3] = 1.0;
        row
    });
    let rows: Vec<f32> = rows.collect();
    let truth: String = (0..12).map(|n| format!("{}\n", n % 3)).collect();
    let files = [("m.onnx", lopsided()), ("x.npy", npy("(12, 4)", &rows)), ("y.txt", truth.into())];
    let folder = folder(&files);
    let before = fs::read_dir(&folder.0).expect("a folder").count();

    let other = quantize(&folder, &python, &["--data", "x.npy"]);
    let wrong = quantize(&folder, &python, &["--data", "x.npy", "--truth", "y.txt"]);

    for (ended, said) in [
        (&other, "66.67 % of 12 answers are other"),
        (&wrong, "33.33 % of 12 answers are right, not 100.00 %"),
    ] {
        assert_eq!(ended.code, Some(1), "{}{}", ended.stdout, ended.stderr);
        assert!(ended.stderr.contains("it is too inaccurate"), "{}", ended.stderr);
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
    }
    assert_eq!(fs::read_dir(&folder.0).expect("a folder").count(), before, "a file was left");

    // One range per channel keeps the others apart; and whoever insists gets what was refused.
    let good = quantize(
        &folder,
        &python,
        &["--data", "x.npy", "--per-channel", "--keep-anyway", "--out", "good.onnx"],
    );
    assert!(
        good.stdout.contains("100.00 % of 12 questions answered the same"),
        "{}{}",
        good.stdout,
        good.stderr
    );
    let kept = quantize(&folder, &python, &["--data", "x.npy", "--keep-anyway"]);
    assert_eq!(kept.code, Some(0), "{}", kept.stderr);
    assert!(kept.stdout.contains("kept anyway, though"), "{}", kept.stdout);
    let profile = fs::read_to_string(folder.0.join("m.int8.profile.toml")).expect("beside it");
    let profile = Profile::parse(&profile).expect("a profile");
    let against = profile.against.expect("the original");
    assert_eq!((profile.file.as_str(), against.file.as_str()), ("m.int8.onnx", "m.onnx"));
    assert_eq!(profile.bytes, fs::metadata(folder.0.join("m.int8.onnx")).expect("kept").len());
    assert!((against.same - 1.0 / 3.0).abs() < 1e-12, "{against:?}");
}

#[test]
fn a_variant_with_more_to_do_is_refused_as_slower() {
    let Some(python) = python() else { return };
    // Four products, and three further operators about them: more work, whatever the machine.
    let folder = folder(&[("m.onnx", onnx::product(&[vec![1.0, 0.5], vec![0.5, 1.0]]))]);

    let ended = quantize(&folder, &python, &["--batch-max", "1"]);

    assert_eq!(ended.code, Some(1), "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stderr.contains("it is slower: a run of one question takes"), "{}", ended.stderr);
    assert!(ended.stdout.contains("was not measured: that wants questions"), "{}", ended.stdout);
    assert!(
        !folder.0.join("m.int8.onnx").exists() && !folder.0.join("m.int8.profile.toml").exists()
    );
}

#[test]
fn static_ranges_come_from_data_and_what_is_not_quantised_is_said() {
    let Some(python) = python() else { return };
    let weights: Vec<Vec<f32>> =
        (0..8).map(|row| (0..8).map(|n| ((row * 5 + n * 3) % 7) as f32 - 3.0).collect()).collect();
    let rows: Vec<f32> = (0..64 * 8).map(|n| ((n * 37) % 101) as f32 / 101.0).collect();
    let folder = folder(&[
        ("m.onnx", onnx::product(&weights)),
        ("none.onnx", identity()),
        ("x.npy", npy("(64, 8)", &rows)),
    ]);

    let asked = ["--static", "--data", "x.npy", "--keep-anyway", "--json"];
    let ended = quantize(&folder, &python, &asked);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("\"DequantizeLinear\":"), "{}", ended.stdout);
    // Half of the questions calibrate.
    assert!(ended.stdout.contains("\"rows\":32,"), "{}", ended.stdout);

    let asked = ["model", "quantize", "none.onnx", "--backend", "rten"];
    let ended = afferent_with(&folder, &asked, &[("AFFERENT_PYTHON", python.as_os_str())]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("nothing of the model can be quantised so; it is made of 1 Identity"),
        "{}",
        ended.stderr
    );
}
