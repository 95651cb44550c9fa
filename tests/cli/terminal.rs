//! What a terminal gets to see: the program on a pseudo-terminal that answers where its cursor is.
#![cfg(unix)]

use std::{
    fs::File,
    io::{Read, Write},
    process::Stdio,
};

use rustix::{
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

use crate::program::{Folder, HEART, command, end_of};

/// Runs `afferent` to its end on a terminal of this size; gives its exit code and what the terminal got.
fn on_terminal(folder: &Folder, arguments: &[&str], cols: u16, rows: u16) -> (Option<i32>, String) {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("there are terminals");
    grantpt(&terminal).expect("it is ours");
    unlockpt(&terminal).expect("it is ours");
    let size = Winsize { ws_row: rows, ws_col: cols, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&terminal, size).expect("it has a size");
    let name = ptsname(&terminal, Vec::new()).expect("it has a name").into_string();
    let path = name.expect("a path in ASCII");
    let side = || File::options().read(true).write(true).open(&path).expect("its other side");
    let mut child = command(folder, arguments)
        .stdin(Stdio::from(side()))
        .stdout(Stdio::from(side()))
        .stderr(Stdio::from(side()))
        .env("TERM", "xterm-256color")
        .spawn()
        .expect("the program starts");

    let mut terminal = File::from(terminal);
    let hears = std::thread::spawn(move || {
        let (mut all, mut some) = (Vec::new(), [0; 4096]);
        // Linux tells an error rather than an end when nobody is on the other side any more.
        while let Ok(count @ 1..) = terminal.read(&mut some) {
            let from = all.len().saturating_sub(3);
            all.extend_from_slice(&some[..count]);
            if all[from..].windows(4).any(|asks| asks == b"\x1b[6n") {
                terminal.write_all(b"\x1b[1;1R").expect("it listens");
            }
        }
        all
    });
    let (status, _) = end_of(&mut child);
    let all = hears.join().expect("it heard everything");
    (status.code(), String::from_utf8_lossy(&all).into_owned())
}

#[test]
fn the_full_view_has_the_terminal_for_itself() {
    let folder = Folder::with(&[("heart.toml", HEART)]);
    let run = ["run", "heart.toml", "--speed", "4", "--view"];
    let (code, seen) = on_terminal(&folder, &run, 80, 30);

    assert_eq!(code, Some(0), "{seen}");
    assert!(seen.contains("\x1b[?1049h"), "it draws on a screen of its own: {seen}");
    assert!(seen.contains("ecg"), "the signal has a name: {seen}");
    assert!(!seen.contains("{\"node\""), "no line stands in the picture: {seen}");
}

#[test]
fn the_status_line_takes_the_place_of_lines_on_a_terminal_and_not_of_json() {
    let folder = Folder::with(&[("heart.toml", HEART)]);
    let run = ["run", "heart.toml", "--speed", "4"];
    let (code, seen) = on_terminal(&folder, &run, 80, 30);
    assert_eq!(code, Some(0), "{seen}");
    assert!(!seen.contains("{\"node\""), "{seen}");

    let (code, seen) = on_terminal(&folder, &[&run[..], &["--json"]].concat(), 80, 30);
    assert_eq!(code, Some(0), "{seen}");
    assert!(seen.contains("{\"node\":\"beats\""), "{seen}");
}
