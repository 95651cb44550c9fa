//! Graph files that were damaged at random: never a panic, never a hang, and every problem has its
//! place. What passes is run.
//!
//! A seed makes all of it, so whatever fails, fails again.

use std::{
    fmt::Write,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{
        Arc, LazyLock,
        mpsc::{Sender, channel},
    },
    thread,
    time::Duration,
};

use engine::{
    Catalog, Diagnostics, FaultClass, GraphSpec, Level, Plan, PlanOptions, RunOptions, Services,
    testing::MemoryFiles,
};
use model::section::ModelServices;
use operators::{
    lines::{Line, Lines},
    math::random::Random,
};

use crate::program::{Ended, Folder, afferent};

/// No graph takes a hundredth of this, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// What damaged places are filled with.
const BITS: [&str; 44] = [
    "",
    " ",
    "\n",
    "\0",
    "\"",
    "'",
    "\"\"\"",
    "#",
    "=",
    ".",
    ",",
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "\\",
    "\u{feff}",
    "é",
    "心",
    "\u{202e}",
    "a.b",
    "-1",
    "0",
    "1e308",
    "1e-308",
    "nan",
    "inf",
    "-inf",
    "9223372036854775807",
    "99999999999999999999",
    "1979-05-27T07:32:00Z",
    "true",
    "[]",
    "{}",
    "\"ecg\"",
    "\"clean.out\"",
    "\"ecg[0..9]\"",
    "[\"ecg\", \"beats\"]",
    "\"none\"",
    "op = \"ecg\"\n",
    "[node.ecg]\n",
    "enabled = false\n",
];

/// Swallows lines.
struct Nowhere;

impl Lines for Nowhere {
    fn line(&self, _: &Line<'_>) -> std::io::Result<()> {
        Ok(())
    }

    fn idle(&self) -> std::io::Result<()> {
        Ok(())
    }
}

fn delivered() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("graphs");
    let mut paths: Vec<_> = fs::read_dir(folder)
        .expect("it is there")
        .map(|entry| entry.expect("read").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
        .collect();
    paths.sort();
    paths.iter().map(|path| fs::read_to_string(path).expect("it is text")).collect()
}

/// A short record, so that graphs which read one can pass.
fn files() -> MemoryFiles {
    let header = "100 1 250 2500\n100.dat 16 200/mV 16 0 0 0 0 ECG\n";
    let samples = (0..2_500_i16).flat_map(|n| ((n % 200) * (n % 3)).to_le_bytes());
    // One beat, and the end of the list.
    let beats = [100, 4, 0, 0];
    MemoryFiles::new()
        .with("100.hea", header)
        .with("100.dat", samples.collect::<Vec<_>>())
        .with("100.atr", beats)
}

/// One to four wounds.
fn mutate(text: &str, random: &mut Random) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=random.below(4) {
        let mut lines: Vec<Vec<u8>> = bytes.split(|&b| b == b'\n').map(<[u8]>::to_vec).collect();
        let mut pick = |limit: usize| random.below(limit.max(1) as u64) as usize;
        let (one, other) = (pick(lines.len()), pick(lines.len()));
        match pick(9) {
            // A byte.
            0 if !bytes.is_empty() => {
                let at = pick(bytes.len());
                bytes[at] = pick(256) as u8;
                continue;
            }
            1 => drop(lines.remove(one)),
            2 => lines.swap(one, other),
            3 => lines.insert(one, lines[other].clone()),
            // The value of one key for another.
            4 => {
                let value = lines[other]
                    .iter()
                    .position(|&b| b == b'=')
                    .map(|at| lines[other][at..].to_vec());
                let key = lines[one].iter().position(|&b| b == b'=');
                if let (Some(value), Some(key)) = (value, key) {
                    lines[one].truncate(key);
                    lines[one].extend(value);
                }
            }
            // Another value, or none.
            5 | 6 => {
                if let Some(key) = lines[one].iter().position(|&b| b == b'=') {
                    lines[one].truncate(key + 1);
                    lines[one].extend(BITS[pick(BITS.len())].bytes());
                }
            }
            // Something in the middle.
            7 => {
                let at = pick(lines[one].len() + 1);
                let bit = BITS[pick(BITS.len())].bytes();
                lines[one].splice(at..at, bit);
            }
            // A whole table again.
            _ => lines.extend_from_within(one.min(other)..one.max(other)),
        }
        bytes = lines.join(&b'\n');
    }
    bytes
}

/// Models of files that are not there: the optional ones are done without, others are problems.
static MODELS: LazyLock<ModelServices> =
    LazyLock::new(|| ModelServices::new(Arc::new(files()), Some("g.toml".to_owned())));

/// What planning makes of a file: a plan, or problems with a place each.
fn planned(bytes: &[u8]) -> Result<Arc<Plan>, Diagnostics> {
    let spec = GraphSpec::parse_bytes("g.toml", bytes)?;
    let options = PlanOptions {
        graph_file: Some("g.toml".to_owned()),
        ..PlanOptions::new(Arc::new(files()))
    };
    let (services, mut problems) = Services::open_sound(&*MODELS, &spec.models);
    let options = PlanOptions { services, ..options };
    let plan = spec.plan(&Catalog::new(&[operators::CATALOG, model::CATALOG]), &options);
    let plan = match plan {
        Ok(plan) if problems.0.is_empty() => plan,
        Ok(_) => return Err(problems),
        Err(others) => {
            problems.0.extend(others.0);
            return Err(problems);
        }
    };
    // What `check` and `draw` show.
    assert!(!plan.table_within(80).is_empty() && !plan.mermaid().is_empty());
    Ok(Arc::new(plan))
}

/// Runs a graph to its end; one that has none, or a far one, until it is drained.
fn run(plan: &Arc<Plan>) {
    let options = RunOptions { speed: None, cores: 1, sessions: 1 };
    let running = match plan.start(&options) {
        Ok(running) => running,
        Err(error) => return assert!(!error.to_string().contains("panicked"), "{error}"),
    };
    let outcome = running.wait_for(Duration::from_millis(100)).unwrap_or_else(|| {
        running.drain();
        running.wait_for(PATIENCE).expect("a graph that is drained ends")
    });
    let panicked = outcome.fault.is_some_and(|(_, _, class)| class == FaultClass::Panic);
    assert!(!panicked, "a body panicked, which is told above");
}

/// Sees to one file; says whether it passed.
fn endures(bytes: &[u8], runs: bool) -> bool {
    match planned(bytes) {
        Ok(plan) => {
            if runs {
                run(&plan);
            }
            true
        }
        Err(problems) => {
            for problem in problems.0.iter().filter(|problem| problem.level == Level::Error) {
                assert!(problem.place.is_some(), "no place: {problem:?}");
                assert!(!problem.message.is_empty());
            }
            assert!(!problems.render(true).is_empty() && !problems.0.is_empty());
            false
        }
    }
}

/// Does some work apart, and fails if it takes longer between two of its files than any may.
fn watched(work: impl FnOnce(&Sender<Vec<u8>>) + Send + 'static) {
    let (send, files) = channel();
    let worker = thread::spawn(move || work(&send));
    let mut last = Vec::new();
    loop {
        match files.recv_timeout(2 * PATIENCE) {
            Ok(file) => last = file,
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
            Err(_) => panic!("it hangs on\n{}", String::from_utf8_lossy(&last)),
        }
    }
    worker.join().expect("what went wrong is told above");
}

/// Sees to a file, and shows it if that goes wrong.
fn survives(bytes: Vec<u8>, runs: bool, now: &Sender<Vec<u8>>) -> bool {
    now.send(bytes.clone()).expect("somebody watches");
    let outcome = catch_unwind(AssertUnwindSafe(|| endures(&bytes, runs)));
    outcome.unwrap_or_else(|_| panic!("the file was\n{}", String::from_utf8_lossy(&bytes)))
}

#[test]
fn no_damage_makes_it_panic_or_hang_and_every_problem_has_its_place() {
    operators::lines::set(Arc::new(Nowhere));
    watched(|now| {
        let mut random = Random::new(31);
        let graphs = delivered();
        let (mut passed, mut failed) = (0, 0);
        for _ in 0..600 {
            for graph in &graphs {
                // Comments hide most wounds.
                let bare: String = graph
                    .lines()
                    .filter(|line| !line.starts_with('#'))
                    .flat_map(|line| [line, "\n"])
                    .collect();
                let bytes = mutate(&bare, &mut random);
                let runs = random.below(4) == 0;
                match survives(bytes, runs, now) {
                    true => passed += 1,
                    false => failed += 1,
                }
            }
        }
        assert!(passed > 100 && failed > 100, "{passed} passed, {failed} did not");
    });
}

#[test]
fn the_program_answers_damaged_files_with_the_codes_it_promises() {
    let mut random = Random::new(32);
    let mut codes = [0; 2];
    for graph in delivered() {
        for _ in 0..25 {
            let folder = Folder::with(&[]);
            fs::write(folder.0.join("g.toml"), mutate(&graph, &mut random)).expect("room");
            let Ended { code, stderr, .. } = afferent(&folder, &["check", "g.toml"]);
            match code {
                Some(0) => codes[0] += 1,
                Some(74 | 78) => {
                    assert!(stderr.contains("--> g.toml:"), "{stderr}");
                    codes[1] += 1;
                }
                _ => panic!("{code:?}: {stderr}"),
            }
        }
    }
    assert!(codes.iter().all(|&count| count > 0), "{codes:?}");
}

/// So many nodes, each fed as `from` says.
fn nodes(count: usize, from: impl Fn(usize) -> String) -> String {
    let mut text = "[node.n0]\nop = \"sine\"\nseconds = 0.1\n".to_owned();
    for n in 1..count {
        writeln!(text, "[node.n{n}]\nop = \"copy\"\nfrom = {}", from(n)).expect("a String");
    }
    text
}

#[test]
fn monsters_are_answered() {
    operators::lines::set(Arc::new(Nowhere));
    watched(|now| {
        let out = |text: String, n: usize| {
            text + &format!("[node.out]\nop = \"null\"\nfrom = \"n{n}\"\n")
        };
        let chain = |n: usize| format!("\"n{}\"", n - 1);
        let deep = |open: &str, close: &str| {
            format!("[node.a]\nop = {}1{}\n", open.repeat(50_000), close.repeat(50_000))
        };
        for (name, text, passes) in [
            ("a long chain", out(nodes(10_000, chain), 9_999), true),
            ("a wide fan", out(nodes(2_000, |_| "\"n0\"".to_owned()), 1), true),
            ("one large circle", nodes(10_000, |n| format!("\"n{}\"", n % 9_999 + 1)), false),
            ("many small circles", nodes(10_000, |n| format!("\"n{}\"", (n ^ 1).max(1))), false),
            ("all feed themselves", nodes(10_000, |n| format!("\"n{n}\"")), false),
            ("all from nowhere", nodes(10_000, |n| format!("\"x{n}\"")), false),
            ("lists in lists", deep("[", "]"), false),
            ("tables in tables", deep("{a=", "}"), false),
            ("a name of many parts", format!("[node.{}a]\nop = 1\n", "a.".repeat(50_000)), false),
            ("a long name", format!("[node.{}]\nop = \"ecg\"\n", "a".repeat(1 << 20)), false),
            ("no name", "[node.\"\"]\nop = \"ecg\"\n".to_owned(), false),
            ("names with blanks and points", "[node.\"a b\"]\n[node.\"a.b\"]\n".to_owned(), false),
            (
                "one list of all",
                {
                    let all: Vec<String> = (0..5_000).map(|n| format!("\"n{n}\"")).collect();
                    let text = nodes(5_000, |_| "\"n0\"".to_owned());
                    format!("{text}[node.all]\nop = \"jsonl\"\nfrom = [{}]\n", all.join(","))
                },
                true,
            ),
        ] {
            assert_eq!(survives(text.into_bytes(), true, now), passes, "{name}");
        }
    });
}
