//! What the documentation tells people to type does what it says there: README's commands, the
//! examples as their own first lines run them, and the tests of the delivered graphs.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::program::{Ended, Folder, afferent, binary};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The commands in the ```` ```sh ```` blocks of a text, one per line.
fn commands(text: &str) -> Vec<&str> {
    let blocks = text.split("```sh\n").skip(1).filter_map(|rest| rest.split_once("```"));
    let lines = blocks.flat_map(|(block, _)| block.lines());
    let lines = lines.map(|line| line.trim_start_matches("//!").trim());
    lines.filter(|line| !line.is_empty()).collect()
}

/// Whole commands in the middle of a text: no placeholder stands in them.
fn commands_in_passing(text: &str) -> impl Iterator<Item = &str> {
    let spans = text.split('`').filter(|span| span.starts_with("afferent "));
    spans.filter(|span| !span.contains(|letter: char| letter.is_uppercase() || letter == '\n'))
}

/// The words of a command; quotes hold one together, and what goes to a file is no word.
fn words(command: &str) -> Vec<String> {
    let command = command.split(" #").next().unwrap_or_default();
    let command = command.split(" > ").next().unwrap_or_default();
    let parts = command.split('\'').enumerate();
    let words = parts.flat_map(|(n, part)| match n % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect(),
        _ => vec![part.to_owned()],
    });
    words.collect()
}

/// The delivered graphs and examples, and recordings as a reader has them: `100.hea`, `mine.csv`.
fn home() -> Folder {
    let folder = Folder::with(&[]);
    let parts = [
        ("graphs", "toml"),
        ("graphs/models", "onnx"),
        ("graphs/parts", "toml"),
        ("examples", "toml"),
    ];
    for (part, ending) in parts {
        fs::create_dir(folder.0.join(part)).expect("there is room");
        for path in files(part, ending) {
            let name = path.file_name().expect("a file has a name");
            fs::copy(&path, folder.0.join(part).join(name)).expect("there is room");
        }
    }
    let graph = "[node.ecg]\nop = \"ecg\"\nseconds = 20.0\n\
                 [node.out]\nop = \"csv\"\nfrom = \"ecg\"\nfile = \"mine.csv\"\n";
    fs::write(folder.0.join("record.toml"), graph).expect("there is room");
    succeeded(afferent(&folder, &["run", "record.toml", "--speed", "max"]), "record.toml");
    write_wfdb(&folder.0);
    folder
}

/// Makes a WFDB record of the CSV: 16-bit samples, 200 units per millivolt.
fn write_wfdb(folder: &Path) {
    let table = fs::read_to_string(folder.join("mine.csv")).expect("it was just written");
    let samples = table.lines().skip(1).map(|row| {
        let mv: f64 = row.split(',').nth(1).expect("two columns").parse().expect("a number");
        (mv * 200.0).round() as i16
    });
    let samples: Vec<i16> = samples.collect();
    let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let mut header = format!("100 1 250 {}\n", samples.len());
    writeln!(header, "100.dat 16 200/mV 16 0 0 0 0 ECG").expect("writing to a String cannot fail");
    fs::write(folder.join("100.dat"), bytes).expect("there is room");
    fs::write(folder.join("100.hea"), header).expect("there is room");
}

fn files(part: &str, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(Path::new(ROOT).join(part)).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    let mut paths: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|found| found == ending)).collect();
    paths.sort();
    assert!(!paths.is_empty(), "no {ending} in {part}");
    paths
}

fn succeeded(ended: Ended, command: &str) {
    assert_eq!(ended.code, Some(0), "{command}: {}", ended.stderr);
}

#[test]
fn every_command_of_the_readme_does_what_it_says() {
    let readme = fs::read_to_string(Path::new(ROOT).join("README.md")).expect("it is there");
    let folder = home();
    let mut run = 0;

    for command in commands(&readme).into_iter().chain(commands_in_passing(&readme)) {
        let words = words(command);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let arguments = match &words[..] {
            ["cargo", "run", "--release", "--", arguments @ ..] | ["afferent", arguments @ ..] => {
                arguments
            }
            _ => continue,
        };
        // At the pace of life it would take minutes.
        let hurry: &[&str] = match arguments {
            ["run", ..] if !arguments.contains(&"--speed") => &["--speed", "max"],
            _ => &[],
        };
        let ended = afferent(&folder, &[arguments, hurry].concat());
        // What is bad about this machine is not the README's.
        if !(arguments.contains(&"doctor") && ended.code == Some(1)) {
            succeeded(ended, command);
        }
        run += 1;
    }

    assert!(run >= 6, "README has lost its commands");
}

#[test]
fn every_example_runs_as_its_first_lines_say() {
    let folder = home();
    let examples = binary().with_file_name("examples");

    for path in files("examples", "rs") {
        let name = path.file_stem().expect("it has a name").to_str().expect("it is text");
        let text = fs::read_to_string(&path).expect("it can be read");
        let program = examples.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
        assert!(program.exists(), "`cargo build --examples` makes {}", program.display());
        let commands = commands(&text);
        assert!(!commands.is_empty(), "{name} does not say how it is run");
        for command in commands {
            let words = words(command);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let ["cargo", "run", "--release", "--example", called, arguments @ ..] = &words[..]
            else {
                panic!("{name}: {command}");
            };
            assert_eq!(*called, name);
            let arguments = arguments.strip_prefix(&["--"]).unwrap_or(arguments);
            let ended = Command::new(&program).args(arguments).current_dir(&folder.0).output();
            let ended = ended.expect("it starts");
            let said = String::from_utf8_lossy(&ended.stderr);
            assert!(ended.status.success(), "{command}: {said}");
            assert!(!(ended.stdout.is_empty() && ended.stderr.is_empty()), "{command} is silent");
        }
    }
}

#[test]
fn the_delivered_graphs_pass_their_tests() {
    let folder = home();

    let ended = afferent(&folder, &["test", "graphs", "graphs/parts"]);

    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{}", ended.stdout);
    assert!(!ended.stdout.contains("has no tests"), "{}", ended.stdout);
}
