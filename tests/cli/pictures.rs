//! `--report` and `--view`: what a run looks like.

use std::fs;

use crate::program::{Ended, Folder, HEART, afferent};

/// Every tag that is opened is closed, in order; gives the elements and the texts.
fn read(svg: &str) -> (Vec<String>, Vec<String>) {
    let (mut open, mut elements, mut texts) = (Vec::new(), Vec::new(), Vec::new());
    for piece in svg.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').expect("a tag ends");
        let name = tag.trim_start_matches('/').split([' ', '/']).next().expect("a name").to_owned();
        match tag.starts_with('/') {
            true => assert_eq!(open.pop(), Some(name), "<{piece}"),
            false => {
                if !tag.ends_with('/') {
                    open.push(name.clone());
                }
                elements.push(name);
            }
        }
        texts.extend((!text.trim().is_empty()).then(|| text.to_owned()));
    }
    assert!(open.is_empty(), "{open:?}");
    (elements, texts)
}

#[test]
fn a_report_draws_every_beat_that_the_lines_tell() {
    let folder = Folder::with(&[("heart.toml", HEART)]);
    let run = ["run", "heart.toml", "--speed", "max", "--json", "--report", "run.svg"];
    let Ended { code, stdout, stderr, .. } = afferent(&folder, &run);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("report   run.svg"), "{stderr}");

    let svg = fs::read_to_string(folder.0.join("run.svg")).expect("it was written");
    let (elements, texts) = read(&svg);
    let has = |text: &str| texts.iter().any(|told| told.contains(text));
    for head in
        ["ecg (mV)", "ecg: first seconds", "Tachogram", "Poincar", "SD1", "Latency at `out`"]
    {
        assert!(has(head), "{head}: {texts:?}");
    }
    let beats = stdout.lines().filter(|line| line.contains("\"node\":\"beats\"")).count();
    assert!(beats > 10 && has(&format!("{beats} beats")), "{beats}: {texts:?}");
    // Each interval and the next: one point less than intervals, which are one less than beats.
    let dots = elements.iter().filter(|element| *element == "circle").count();
    assert!(dots >= beats - 2, "{dots} dots, {beats} beats");
    assert!(has("dropped  nothing"), "the summary stands below: {texts:?}");
}

#[test]
fn a_profile_draws_every_node_and_says_where_the_time_went() {
    let folder = Folder::with(&[("heart.toml", HEART)]);
    let run = ["run", "heart.toml", "--speed", "max", "--json", "--profile", "where.svg"];
    let Ended { code, stderr, .. } = afferent(&folder, &run);
    assert_eq!(code, Some(0), "{stderr}");
    for told in ["profile  where.svg", "  time     `out`", "waiting", "computing", "  limit    "] {
        assert!(stderr.contains(told), "{told}: {stderr}");
    }

    let svg = fs::read_to_string(folder.0.join("where.svg")).expect("it was written");
    let (_, texts) = read(&svg);
    // Nodes that take little share a box.
    for told in ["where the time goes", "Latency, from the door", "ecg", "beats", "core 0: "] {
        assert!(texts.iter().any(|text| text.contains(told)), "{told}: {texts:?}");
    }
}

#[test]
fn a_profile_and_a_report_are_two_files() {
    let folder = Folder::with(&[("heart.toml", HEART)]);
    let both = ["--profile", "run.svg", "--report", "./run.svg"];
    let run = [&["run", "heart.toml", "--speed", "max", "--json"][..], &both].concat();
    let Ended { code, stderr, .. } = afferent(&folder, &run);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("both be"), "{stderr}");
    let run = ["run", "heart.toml", "--json", "--profile", "nowhere/where.svg"];
    let Ended { code, stderr, .. } = afferent(&folder, &run);
    assert_eq!(code, Some(74), "{stderr}");
    assert!(stderr.contains("the profile `nowhere/where.svg`"), "{stderr}");
}

#[test]
fn what_is_slow_is_told_by_its_number_and_the_graph_stays_the_graph() {
    let folder = Folder::with(&[("heart.toml", HEART)]);
    let slow = ["run", "--speed", "max", "--json", "--slow-ms", "1000", "heart.toml"];
    let Ended { code, stderr, .. } = afferent(&folder, &slow);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("slow     no call longer than"), "{stderr}");
    let Ended { code, stderr, .. } = afferent(&folder, &["run", "--slow-ms", "heart.toml"]);
    assert_eq!(code, Some(2), "{stderr}");
}

#[test]
fn a_graph_without_a_heart_is_drawn_too() {
    let graph = "[graph]\nname = \"a <b> & c\"\n[node.wave]\nop = \"sine\"\nseconds = 30.0\nchannels = 2\n\
                 [node.out]\nop = \"null\"\nfrom = \"wave\"\n";
    let folder = Folder::with(&[("wave.toml", graph)]);
    let Ended { code, stderr, .. } =
        afferent(&folder, &["run", "wave.toml", "--speed", "max", "--report", "wave.svg"]);
    assert_eq!(code, Some(0), "{stderr}");
    let svg = fs::read_to_string(folder.0.join("wave.svg")).expect("it was written");
    let (_, texts) = read(&svg);
    assert!(texts.iter().any(|text| text == "a &lt;b&gt; &amp; c"), "{texts:?}");
    assert_eq!(texts.iter().filter(|text| text.starts_with("wave ·")).count(), 2, "{texts:?}");
}

#[test]
fn a_report_that_cannot_be_written_is_told_before_anything_runs() {
    let folder = Folder::with(&[("heart.toml", HEART)]);
    let Ended { code, stdout, stderr, .. } =
        afferent(&folder, &["run", "heart.toml", "--json", "--report", "nowhere/run.svg"]);
    assert_eq!((code, stdout.as_str()), (Some(74), ""), "{stderr}");
    assert!(stderr.contains("`nowhere/run.svg` cannot be written"), "{stderr}");

    // What was there stays where nothing ran.
    fs::write(folder.0.join("old.svg"), "old").expect("a folder of our own");
    let wrong = ["run", "heart.toml", "--set", "clean.high_hz=999", "--report", "old.svg"];
    assert_eq!(afferent(&folder, &wrong).code, Some(78));
    assert_eq!(fs::read_to_string(folder.0.join("old.svg")).expect("there"), "old");
}

#[test]
fn a_whole_screen_wants_a_terminal() {
    let folder = Folder::with(&[("heart.toml", HEART)]);
    let Ended { code, stderr, .. } = afferent(&folder, &["run", "heart.toml", "--view"]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("needs a terminal") && stderr.contains("--report"), "{stderr}");
    let both = afferent(&folder, &["run", "heart.toml", "--view", "--json"]);
    assert_eq!(both.code, Some(2), "{}", both.stderr);
}

#[test]
fn a_report_takes_the_place_of_nothing_that_the_graph_is_or_has() {
    let graph = format!("{HEART}file = \"beats.jsonl\"\n");
    let folder = Folder::with(&[("heart.toml", &graph)]);
    for (report, word) in [
        ("heart.toml", "is this graph"),
        ("./beats.jsonl", "`out` writes"),
        ("run.png", "call it `run.svg`"),
    ] {
        let run = ["run", "heart.toml", "--speed", "max", "--report", report];
        let Ended { code, stderr, .. } = afferent(&folder, &run);
        assert_eq!(code, Some(2), "{report}: {stderr}");
        assert!(stderr.contains(word), "{stderr}");
        assert!(!folder.0.join("beats.jsonl").exists(), "nothing ran");
    }
    let there = fs::read_to_string(folder.0.join("heart.toml")).expect("it is there");
    assert_eq!(there, graph);
}

#[test]
fn two_hearts_are_told_apart() {
    let two = HEART.replace("[node.out]", "[node.out_1]")
        + &HEART[HEART.find("[node.ecg]").expect("it is there")..]
            .replace("[node.ecg]", "[node.other]\nseed = 7")
            .replace("\"ecg\"\nlow", "\"other\"\nlow")
            .replace("[node.clean]", "[node.other_clean]")
            .replace("\"clean\"", "\"other_clean\"")
            .replace("[node.beats]", "[node.other_beats]")
            .replace("\"beats\"", "\"other_beats\"");
    let folder = Folder::with(&[("two.toml", &two)]);
    let run =
        ["run", "two.toml", "--speed", "max", "--set", "other.seconds=10", "--report", "two.svg"];
    let Ended { code, stderr, .. } = afferent(&folder, &run);
    assert_eq!(code, Some(0), "{stderr}");
    let (_, texts) = read(&fs::read_to_string(folder.0.join("two.svg")).expect("it was written"));
    for heart in ["beats", "other_beats"] {
        let has = |start: &str| texts.iter().any(|text| text.starts_with(start));
        assert!(has(&format!("{heart}: ")) && has(&format!("Tachogram of `{heart}`")), "{texts:?}");
    }
    assert!(
        texts.iter().any(|text| text.contains("two.toml · other.seconds=10 · afferent ")),
        "{texts:?}"
    );
}
