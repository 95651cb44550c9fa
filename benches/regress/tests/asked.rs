//! What is answered to a command line that cannot be.

#![cfg(unix)]

use std::process::Command;

fn regress(words: &[&str]) -> (Option<i32>, String) {
    let told = Command::new(env!("CARGO_BIN_EXE_afferent-regress"))
        .args(words)
        // Beside a measurement that somebody makes meanwhile.
        .env("CARGO_TARGET_DIR", env!("CARGO_TARGET_TMPDIR"))
        .output()
        .expect("the program can be run");
    (told.status.code(), String::from_utf8_lossy(&told.stderr).into_owned())
}

/// Whether the sources come from git; an unpacked archive has nothing to compare with.
fn is_a_repository() -> bool {
    let told = Command::new("git").args(["rev-parse", "HEAD"]).output();
    let is = told.is_ok_and(|told| told.status.success());
    if !is {
        println!("SKIPPED: this is no git repository");
    }
    is
}

#[test]
fn a_base_that_does_not_exist_is_told_with_a_remedy() {
    if !is_a_repository() {
        return;
    }
    let (code, said) = regress(&["--base", "no-such-branch"]);

    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("BASE=no-such-branch is no commit of this repository"), "{said}");
    assert!(said.contains("hint: name one that `git log` shows"), "{said}");
}

#[test]
fn a_base_that_looks_like_an_option_is_no_option() {
    if !is_a_repository() {
        return;
    }
    let (code, said) = regress(&["--base=--all"]);

    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("BASE=--all is no commit"), "{said}");
}

#[test]
fn an_unknown_case_is_told_before_anything_is_built() {
    let (code, said) = regress(&["--base", "HEAD", "--cases", "join, joins"]);

    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("there is no case `joins`; there are biofeedback,"), "{said}");
}

#[test]
fn no_pairs_and_far_too_many_are_refused() {
    for pairs in ["0", "100000", "many"] {
        let (code, said) = regress(&["--base", "HEAD", "--pairs", pairs]);

        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("pairs are a number from 1 to 1000"), "{said}");
    }
}
