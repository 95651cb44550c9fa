//! `afferent pair` and `afferent peers`: two users of one machine, each with keys of its own.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::program::{Ended, Folder, afferent, binary, end_of};

/// Starts `afferent pair` as one of the users, with what is typed on its stdin.
fn pair(folder: &Folder, arguments: &[&str]) -> Child {
    Command::new(binary())
        .arg("pair")
        .args(arguments)
        .current_dir(&folder.0)
        .env("AFFERENT_HOME", folder.0.join("home"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
}

fn types(child: &mut Child, text: &str) {
    let mut stdin = child.stdin.take().expect("a pipe");
    writeln!(stdin, "{text}").expect("it reads");
}

/// A host that shows a code: itself, its lines, the code, where it waits.
fn shows(folder: &Folder, arguments: &[&str]) -> (Child, BufReader<impl Read>, String, String) {
    let mut child = pair(folder, &[&["--json", "--listen", "127.0.0.1:0"], arguments].concat());
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe"));
    let shown = json_line(&mut lines);
    let (code, address) = (text(&shown, "code"), text(&shown, "address"));
    (child, lines, code, address)
}

fn json_line(lines: &mut impl BufRead) -> Value {
    let mut line = String::new();
    lines.read_line(&mut line).expect("stdout is text");
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"))
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_else(|| panic!("{key} in {value}")).to_owned()
}

fn json(ended: &Ended) -> Value {
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    serde_json::from_str(&ended.stdout).expect("one JSON object")
}

/// Calls with a code; how that ended, and what stood on stdout.
fn calls(folder: &Folder, address: &str, code: &str, arguments: &[&str]) -> (Ended, String) {
    let mut child = pair(folder, &[&[address], arguments].concat());
    types(&mut child, code);
    let mut said = child.stdout.take().expect("a pipe");
    let (status, stderr) = end_of(&mut child);
    let mut stdout = String::new();
    said.read_to_string(&mut stdout).expect("stdout is text");
    let ended = Ended {
        code: status.code(),
        stdout: stdout.clone(),
        stderr,
        took: std::time::Duration::ZERO,
    };
    (ended, stdout)
}

#[test]
fn two_hosts_pair_and_list_each_other() {
    let (edge, cloud) = (Folder::with(&[]), Folder::with(&[]));
    let (mut waits, mut lines, code, address) = shows(&cloud, &["--as", "cloud"]);

    // Typed by a person: small letters, no dashes.
    let typed = code.replace('-', "").to_lowercase();
    let (called, _) = calls(&edge, &address, &typed, &["--as", "edge"]);
    let known = json_line(&mut lines);
    let (status, stderr) = end_of(&mut waits);

    assert_eq!((called.code, called.stderr.as_str()), (Some(0), ""), "{}", called.stdout);
    assert_eq!((status.code(), stderr.as_str()), (Some(0), ""));
    let (at_edge, at_cloud) = (
        json(&afferent(&edge, &["peers", "--json"])),
        json(&afferent(&cloud, &["peers", "--json"])),
    );
    for (list, name, of) in [(&at_edge, "cloud", &cloud), (&at_cloud, "edge", &edge)] {
        let peers = list["peers"].as_array().expect("a list");
        assert_eq!(peers.len(), 1, "{list}");
        let own = json(&afferent(of, &["peers", "key", "--json"]));
        assert_eq!((text(&peers[0], "name"), &peers[0]["key"]), (name.to_owned(), &own["key"]));
        assert_eq!(text(&peers[0], "from"), "127.0.0.1");
    }
    // Each side shows what the other is known by, so that people can compare.
    let fingerprint = text(&at_edge["peers"][0], "fingerprint");
    assert!(
        called.stdout.starts_with(&format!("paired with cloud  {fingerprint}\n")),
        "{}",
        called.stdout
    );
    assert_eq!(text(&known, "own_fingerprint"), fingerprint);
    assert!(called.stdout.contains(&text(&known, "fingerprint")), "{}", called.stdout);
}

#[test]
fn a_wrong_code_fails_on_both_sides_and_the_right_one_is_too_late() {
    let (edge, cloud) = (Folder::with(&[]), Folder::with(&[]));
    let (mut waits, _lines, code, address) = shows(&cloud, &[]);
    let wrong = if code.starts_with('0') { "1" } else { "0" }.to_owned() + &code[1..];

    let (called, _) = calls(&edge, &address, &wrong, &[]);
    let (status, stderr) = end_of(&mut waits);

    assert_eq!(called.code, Some(1), "{}", called.stderr);
    assert!(called.stderr.contains("the code is wrong"), "{}", called.stderr);
    assert!(called.stderr.contains("hint: a new code is needed"), "{}", called.stderr);
    assert_eq!(status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("a wrong code was tried"), "{stderr}");
    let (late, _) = calls(&edge, &address, &code, &[]);
    assert_eq!(late.code, Some(74), "nobody waits any more: {}", late.stderr);
    for folder in [&edge, &cloud] {
        assert_eq!(json(&afferent(folder, &["peers", "--json"]))["peers"], Value::Array(vec![]));
    }
}

#[test]
fn a_code_that_was_tried_where_nobody_pairs_is_used_up_and_that_is_said() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    let hangs_up = std::thread::spawn(move || drop(listener.accept()));
    let edge = Folder::with(&[]);

    let (called, _) = calls(&edge, &address, &link::trust::pairing::Code::new().to_string(), &[]);

    hangs_up.join().expect("no panic");
    assert_eq!(called.code, Some(74), "{}", called.stderr);
    assert!(called.stderr.contains("hint: the code is used up"), "{}", called.stderr);
    assert!(called.stderr.contains("anew on both hosts"), "{}", called.stderr);
}

#[test]
fn peers_are_added_renamed_and_removed_by_hand() {
    let (edge, cloud) = (Folder::with(&[]), Folder::with(&[]));
    let printed = afferent(&cloud, &["peers", "key"]);
    let key = printed.stdout.trim_end();
    assert_eq!(key.len(), 55, "{key}");

    let added = afferent(&edge, &["peers", "add", "cloud", key]);
    assert_eq!(added.code, Some(0), "{}", added.stderr);
    let fingerprint = printed.stderr.trim_end().strip_prefix("fingerprint: ").expect("it says");
    assert_eq!(added.stdout, format!("added cloud  {fingerprint}\n"));
    assert_eq!(afferent(&edge, &["peers", "rename", "cloud", "lab"]).code, Some(0));
    let list = afferent(&edge, &["peers"]).stdout;
    assert!(list.contains(&format!("lab   {fingerprint}")) && list.contains("by hand"), "{list}");

    let refused = [
        (&["peers", "add", "other", key][..], "listed already, as `lab`", "peers rename lab NEW"),
        (&["peers", "add", "a b", key], "\"a b\" is no name", "small letter"),
        (&["peers", "add", "x", "5N4W"], "a key has 55 letters", "peers key"),
        (&["peers", "remove", "lap"], "no peer is called `lap`", "did you mean `lab`?"),
        (&["peers", "rename", "cloud", "x"], "no peer is called `cloud`", "lists those there are"),
        (&["pair", "127.0.0.1:1", "--name", "lab"], "`lab` is listed already", "another name"),
    ];
    for (arguments, says, hint) in refused {
        let ended = afferent(&edge, arguments);
        assert_eq!(ended.code, Some(2), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(says), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(hint), "{arguments:?}: {}", ended.stderr);
    }
    let own = afferent(&edge, &["peers", "key"]);
    let own = afferent(&edge, &["peers", "add", "me", own.stdout.trim_end()]);
    assert!(own.code == Some(2) && own.stderr.contains("our own key"), "{}", own.stderr);

    assert_eq!(afferent(&edge, &["peers", "remove", "lab"]).code, Some(0));
    assert!(afferent(&edge, &["peers"]).stdout.contains("no peers yet"));
}

#[test]
fn what_is_wrong_with_keys_and_lists_is_told_with_place_and_remedy() {
    let folder = Folder::with(&[]);
    assert_eq!(afferent(&folder, &["peers", "key"]).code, Some(0));
    let (list, identity) = ("home/peers.toml", "home/identity.key");
    fs::write(folder.0.join(list), "[peer.lab]\nkey = 5\n").expect("writable");

    for arguments in [&["peers"][..], &["peers", "remove", "lab"], &["pair", "127.0.0.1:1"]] {
        let ended = afferent(&folder, arguments);
        assert_eq!(ended.code, Some(74), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains("peers.toml:1: peer `lab`: `key`"), "{}", ended.stderr);
        assert!(ended.stderr.contains("hint: mend it"), "{}", ended.stderr);
    }
    assert_eq!(fs::read_to_string(folder.0.join(list)).expect("there").len(), 19, "it stays");

    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;

        fs::set_permissions(folder.0.join(identity), PermissionsExt::from_mode(0o644))
            .expect("ours");
        let ended = afferent(&folder, &["peers", "key"]);
        assert_eq!(ended.code, Some(74), "{}", ended.stderr);
        assert!(ended.stderr.contains("identity.key is open to others"), "{}", ended.stderr);
        assert!(ended.stderr.contains("hint: `chmod 600 "), "{}", ended.stderr);
    }
}

#[test]
fn what_is_typed_wrong_is_told_before_anybody_is_called() {
    let folder = Folder::with(&[]);
    // Port 1 answers nobody; it is not even asked.
    for (typed, says) in
        [("K7QF", "a code has 12 letters"), ("K7QF-2M9D-XWU1", "no code has"), ("", "a code has")]
    {
        let (ended, _) = calls(&folder, "127.0.0.1:1", typed, &[]);
        assert_eq!(ended.code, Some(2), "{typed}: {}", ended.stderr);
        assert!(ended.stderr.contains(says), "{typed}: {}", ended.stderr);
    }
    let (unreachable, _) = calls(&folder, "127.0.0.1:1", "K7QF-2M9D-XW3T", &[]);
    assert_eq!(unreachable.code, Some(74), "{}", unreachable.stderr);
    assert!(unreachable.stderr.contains("cannot reach 127.0.0.1:1"), "{}", unreachable.stderr);

    for arguments in [
        &["pair", "--listen", "127.0.0.1:0", "192.0.2.7"][..],
        &["pair", "192.0.2.7:port"],
        &["pair", "--as", "Lab PC"],
    ] {
        assert_eq!(afferent(&folder, arguments).code, Some(2), "{arguments:?}");
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    let ended = afferent(&folder, &["pair", "--listen", &address]);
    assert_eq!(ended.code, Some(74), "{}", ended.stderr);
    assert!(ended.stderr.contains(&format!("cannot listen on {address}")), "{}", ended.stderr);
}
