//! Graphs within graphs: what each command makes of them, and what is said of those that are wrong.

use std::fs;

use crate::{
    program::{Ended, Folder, afferent},
    scrape::{get, value},
};

const PART: &str = r#"
[param.low_hz]
default = 5.0
min = 1.0

[param.table]
default = "heights.csv"

[input.signal]
op = "ecg"
seconds = 20.0

[output.beats]
from = "beats"

[node.clean]
op = "bandpass"
from = "signal"
low_hz = "$low_hz"
high_hz = 15.0

[node.beats]
op = "qrs"
from = "clean"

[node.keep]
op = "csv"
from = "clean"
file = "$table"
enabled = false

[[test]]
name = "of the part itself"
set = { "param.low_hz" = 8.0, "signal.heart_rate_bpm" = 60 }
[[test.expect]]
from = "beats"
count_min = 18
count_max = 21

[[test]]
name = "what stands in is replaced"
[test.input.signal]
rate_hz = 100.0
samples = [0.0, 0.0, 0.0, 0.0]
[[test.expect]]
from = "clean"
is = 0.0
"#;

const WHOLE: &str = r#"
[node.one]
op = "ecg"
seconds = 20.0
heart_rate_bpm = 60.0

[node.two]
op = "ecg"
seconds = 20.0
heart_rate_bpm = 90.0

[include.left]
file = "parts/heart.toml"
from = "one"

[include.right]
file = "parts/heart.toml"
from = "two"
low_hz = 8.0

[node.out]
op = "jsonl"
from = ["left.beats", "right"]

[[test]]
name = "each at its pace"
set = { "left.low_hz" = 6.0, "include.right.low_hz" = 7.0, "left/clean.high_hz" = 16.0 }
[[test.expect]]
from = "left.beats"
count_max = 21
[[test.expect]]
from = "right/beats"
count_min = 27
"#;

fn folder() -> Folder {
    let folder = Folder::with(&[("whole.toml", WHOLE)]);
    fs::create_dir(folder.0.join("parts")).expect("there is room");
    fs::write(folder.0.join("parts/heart.toml"), PART).expect("there is room");
    folder
}

fn shown(folder: &Folder, arguments: &[&str]) -> String {
    let Ended { code, stdout, stderr, .. } = afferent(folder, arguments);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{arguments:?}");
    stdout
}

#[test]
fn lines_are_by_whole_names() {
    let ended = afferent(&folder(), &["run", "whole.toml", "--speed", "max", "--json"]);

    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let of = |name: &str| ended.stdout.matches(&format!("{{\"node\":\"{name}\",")).count();
    assert!((18..=21).contains(&of("left/beats")), "{}", ended.stdout);
    assert!((27..=31).contains(&of("right/beats")), "{}", ended.stdout);
}

#[test]
fn check_and_draw_show_what_is_inside() {
    let folder = folder();

    let table = shown(&folder, &["check", "whole.toml"]);
    assert!(table.contains("left/clean → left/beats"), "{table}");

    let picture = shown(&folder, &["draw", "whole.toml"]);
    assert!(picture.contains("subgraph i0[\"left (parts/heart.toml)\"]\n    n"), "{picture}");
    assert!(picture.contains("[\"clean<br/>bandpass\"]"), "{picture}");
}

#[test]
fn tests_are_those_of_the_file_itself() {
    let folder = folder();

    let said = shown(&folder, &["test", "whole.toml"]);
    assert_eq!(said, "whole.toml\n  passed  each at its pace\n1 passed, 0 failed\n");
    let said = shown(&folder, &["test", "parts"]);
    assert!(said.ends_with("2 passed, 0 failed\n"), "{said}");
}

#[test]
fn set_reaches_parameters_nodes_and_files_of_includes() {
    let folder = folder();
    let sets = |sets: &[&str]| {
        let sets = sets.iter().flat_map(|set| ["--set", set]);
        let all: Vec<&str> =
            ["run", "whole.toml", "--speed", "max"].into_iter().chain(sets).collect();
        afferent(&folder, &all)
    };

    // From the folder of the part where it stands there, from ours where we give it.
    let ended =
        sets(&["left/keep.enabled=true", "right/keep.enabled=true", "right.table=mine.csv"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(folder.0.join("parts/heights.csv").exists() && folder.0.join("mine.csv").exists());

    let ended = sets(&["left.low_hz=0.1"]);
    assert_eq!(ended.code, Some(78), "{}", ended.stderr);
    assert!(ended.stderr.contains("in `--set left.low_hz=…`"), "{}", ended.stderr);
    assert!(ended.stderr.contains("is outside 1.0 and above"), "{}", ended.stderr);

    let ended = sets(&["left/claen.high_hz=20"]);
    assert!(ended.stderr.contains("did you mean `left/clean`?"), "{}", ended.stderr);
}

#[test]
fn a_part_runs_by_itself() {
    let folder = folder();

    let table = shown(&folder, &["check", "parts/heart.toml", "--deny-warnings"]);
    assert!(table.contains("signal → clean"), "{table}");
    let table = shown(&folder, &["check", "parts/heart.toml", "--set", "param.low_hz=6"]);
    assert!(table.contains("signal → clean"), "{table}");
}

#[test]
fn a_mistake_in_a_part_is_told_there_and_who_includes_it() {
    let folder = folder();
    let wrong = PART.replace("high_hz = 15.0", "hihg_hz = 15.0");
    fs::write(folder.0.join("parts/heart.toml"), wrong).expect("there is room");

    let ended = afferent(&folder, &["check", "whole.toml"]);

    assert_eq!(ended.code, Some(78));
    let said = &ended.stderr;
    assert!(said.contains("--> parts/heart.toml:20:1"), "{said}");
    assert!(said.contains("did you mean `high_hz`?"), "{said}");
    assert!(said.contains("note: included here as `left`\n  --> whole.toml:12:10"), "{said}");
    assert_eq!(said.matches("hihg_hz = 15.0").count(), 1, "{said}");
}

#[test]
fn figures_have_whole_names() {
    let folder = folder();
    let mut child =
        crate::program::start(&folder, &["run", "whole.toml", "--metrics", "127.0.0.1:0"]);
    let mut said = std::io::BufReader::new(child.stderr.take().expect("a pipe"));
    let mut line = String::new();
    std::io::BufRead::read_line(&mut said, &mut line).expect("stderr is text");
    let address = line.trim().strip_prefix("metrics at http://").expect("it says where");
    let address = address.strip_suffix("/metrics").expect("it says where").to_owned();
    let mut lines = std::io::BufReader::new(child.stdout.take().expect("a pipe"));
    std::io::BufRead::read_line(&mut lines, &mut String::new()).expect("lines are text");

    let page = get(&address);
    child.kill().expect("it runs");
    crate::program::end_of(&mut child);

    let series = "afferent_edge_in_frames_total{graph=\"whole\",edge=\"left/clean->left/beats\"}";
    assert!(value(&page, series) > 0.0, "{page}");
}

#[test]
fn an_include_runs_on_a_host() {
    let folder = folder();
    let hosts = "[host.edge]\n[host.cloud]\naddress = [\"127.0.0.1:24533\"]\n";
    let graph = format!("{hosts}{WHOLE}")
        .replace("op = \"ecg\"", "op = \"ecg\"\non = \"edge\"")
        .replace("op = \"jsonl\"", "op = \"jsonl\"\non = \"edge\"")
        .replace("[include.right]", "[include.right]\non = \"cloud\"");
    fs::write(folder.0.join("hosts.toml"), graph).expect("there is room");

    let table = shown(&folder, &["check", "hosts.toml"]);
    assert!(table.contains("host     cloud: right/clean, right/beats\n"), "{table}");
    let table = shown(&folder, &["check", "hosts.toml", "--host", "cloud"]);
    assert!(table.contains("link     two -> right/clean: edge to cloud"), "{table}");
    let picture = shown(&folder, &["draw", "hosts.toml"]);
    assert!(picture.contains("  subgraph h1[\"cloud\"]\n    subgraph i"), "{picture}");
}

/// What a parameter calls an input is what its own file calls it.
#[test]
fn parameters_name_inputs_as_their_own_file_does() {
    let part = "[input.beats]\n[output.stress]\nfrom = \"stress\"\n[node.hrv]\nop = \"hrv\"\nfrom = \"beats\"\n\
                window_s = 10.0\nevery_s = 5.0\n[node.stress]\nop = \"index\"\nfrom = [\"hrv\", \"beats\"]\n\
                features = \"hrv.rmssd_ms, beats.rr_ms\"\nweights = [1.0, 1.0]\nlow = [0.0, 0.0]\nhigh = [100.0, 2000.0]\n";
    let graph = "[node.ecg]\nop = \"ecg\"\nseconds = 20.0\n[node.clean]\nop = \"bandpass\"\nfrom = \"ecg\"\nlow_hz = 5.0\n\
                 high_hz = 15.0\n[node.found]\nop = \"qrs\"\nfrom = \"clean\"\n[include.mind]\nfile = \"part.toml\"\n\
                 from = \"found\"\n[node.out]\nop = \"jsonl\"\nfrom = \"mind\"\n";
    let folder = Folder::with(&[("part.toml", part), ("g.toml", graph)]);

    let ended = afferent(&folder, &["run", "g.toml", "--speed", "max"]);

    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("{\"node\":\"mind/stress\","), "{}", ended.stdout);
}

#[test]
fn a_test_may_give_what_a_part_lacks() {
    let part = PART.replace("[param.low_hz]\ndefault = 5.0", "[param.low_hz]\ntype = \"number\"");
    let part = part.replace(
        "name = \"what stands in is replaced\"",
        "set = { \"param.low_hz\" = 5.0 }\nname = \"replaced\"",
    );
    let folder = Folder::with(&[("part.toml", &part)]);

    let said = shown(&folder, &["test", "part.toml"]);
    assert!(said.ends_with("2 passed, 0 failed\n"), "{said}");
    let ended = afferent(&folder, &["check", "part.toml"]);
    assert_eq!(ended.code, Some(78), "{}", ended.stdout);
    assert!(ended.stderr.contains("write `--set param.low_hz=…`"), "{}", ended.stderr);
    assert!(ended.stderr.ends_with("1 problem; nothing was started\n"), "{}", ended.stderr);
}

#[test]
fn what_a_test_looks_at_may_hang_on_what_it_sets() {
    let part = r#"
[param.which]
default = "low"
[output.out]
from = "$which"
[node.low]
op = "sine"
rate_hz = 100
seconds = 1
amplitude = 0.0
offset = 1.0
[node.high]
op = "sine"
rate_hz = 100
seconds = 1
amplitude = 0.0
offset = 5.0
"#;
    let whole = r#"
[include.left]
file = "part.toml"
[node.out]
op = "null"
from = "left"
[[test]]
name = "as it is"
[[test.expect]]
from = "left.out"
is = 1.0
[[test]]
name = "set"
set = { "left.which" = "high" }
[[test.expect]]
from = "left.out"
is = 5.0
"#;
    let folder = Folder::with(&[("part.toml", part), ("whole.toml", whole)]);
    let ended = afferent(&folder, &["test", "whole.toml"]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
}
