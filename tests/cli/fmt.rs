//! `afferent fmt`: files laid out, told of, and left alone.

use std::{
    fs,
    io::Write,
    process::{Command, Stdio},
};

use crate::program::{Folder, HEART, afferent, binary};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

const UNTIDY: &str = "[node.ecg]   # a heart\nop=\"ecg\"\nseconds = 2.0\n[node.out]\nop = \"jsonl\"\nfrom=[ \"ecg.truth\"]\n";
const TIDY: &str = "[node.ecg]                      # a heart\nop      = \"ecg\"\nseconds = 2.0\n\n[node.out]\nop   = \"jsonl\"\nfrom = [\"ecg.truth\"]\n";

#[test]
fn files_are_laid_out_once_and_listed() {
    let folder = Folder::with(&[("b.toml", UNTIDY), ("a.toml", TIDY), ("c.txt", UNTIDY)]);

    let ended = afferent(&folder, &["fmt", "."]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "./b.toml\n"), "{}", ended.stderr);
    let text = |name: &str| fs::read_to_string(folder.0.join(name)).expect("it is there");
    assert_eq!((text("b.toml").as_str(), text("a.toml").as_str()), (TIDY, TIDY));
    assert_eq!(text("c.txt"), UNTIDY, "no graph file");
    let left = fs::read_dir(&folder.0).expect("it is there").count();
    assert_eq!(left, 3, "nothing is left beside them");

    let ended = afferent(&folder, &["fmt", "."]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""));
}

#[test]
fn check_changes_nothing_and_says_where() {
    let folder = Folder::with(&[("a.toml", TIDY), ("b.toml", UNTIDY)]);

    let ended = afferent(&folder, &["fmt", "--check", "a.toml", "b.toml"]);

    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(1), "would change b.toml, from line 1\n")
    );
    let text = fs::read_to_string(folder.0.join("b.toml")).expect("it is there");
    assert_eq!(text, UNTIDY);
    assert_eq!(afferent(&folder, &["fmt", "--check", "a.toml"]).code, Some(0));
}

#[test]
fn what_is_no_toml_is_told_and_left_and_others_are_laid_out() {
    let folder = Folder::with(&[("a.toml", "[node.ecg\n"), ("b.toml", UNTIDY)]);

    let ended = afferent(&folder, &["fmt", "a.toml", "b.toml", "c.toml"]);

    assert_eq!(ended.code, Some(78), "{}", ended.stderr);
    assert!(ended.stderr.contains("error[syntax]"), "{}", ended.stderr);
    assert!(ended.stderr.contains("cannot read `c.toml`"), "{}", ended.stderr);
    assert_eq!(ended.stdout, "b.toml\n");
    assert_eq!(fs::read_to_string(folder.0.join("a.toml")).expect("it is there"), "[node.ecg\n");
}

#[cfg(unix)]
#[test]
fn a_file_keeps_its_permissions_and_a_link_stays_one() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = Folder::with(&[("b.toml", UNTIDY)]);
    let path = folder.0.join("b.toml");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("it is ours");
    symlink("b.toml", folder.0.join("link.toml")).expect("there is room");

    let ended = afferent(&folder, &["fmt", "link.toml"]);

    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(fs::read_to_string(&path).expect("it is there"), TIDY);
    assert_eq!(fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o640);
    assert!(fs::symlink_metadata(folder.0.join("link.toml")).expect("there").is_symlink());
}

#[test]
fn standard_input_is_laid_out_on_standard_output() {
    let piped = |arguments: &[&str], text: &str| {
        let mut command = Command::new(binary());
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it is read");
        let output = child.wait_with_output().expect("it ends");
        (output.status.code(), String::from_utf8(output.stdout).expect("text"))
    };

    assert_eq!(piped(&["fmt", "-"], UNTIDY), (Some(0), TIDY.to_owned()));
    assert_eq!(piped(&["fmt", "--check", "-"], UNTIDY), (Some(1), String::new()));
    assert_eq!(piped(&["fmt", "-"], "\u{0}").0, Some(78));
}

/// Laid out anew, every delivered graph is what it is; one that is not says the same, and runs the same.
#[test]
fn the_delivered_graphs_are_laid_out() {
    let folder = Folder::with(&[("heart.toml", HEART)]);
    let folders = ["graphs", "graphs/parts", "graphs/models/train", "examples"];
    let folders: Vec<String> = folders.iter().map(|part| format!("{ROOT}/{part}")).collect();
    let mut arguments = vec!["fmt", "--check"];
    arguments.extend(folders.iter().map(String::as_str));

    let ended = afferent(&folder, &arguments);

    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "run `afferent fmt` on them");
    let table = |folder: &Folder| afferent(folder, &["check", "heart.toml"]).stdout;
    let before = table(&folder);
    assert_eq!(afferent(&folder, &["fmt", "heart.toml"]).stdout, "heart.toml\n");
    assert_eq!(table(&folder), before);
}
