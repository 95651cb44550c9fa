//! The list of peers: kept whole whatever happens, never emptied, never guessed at.

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::trust::{Identity, Peer, PeerKey, Peers, TrustError, as_name, read_peers};

fn key(n: u8) -> PeerKey {
    Identity::from_seed(&[n; 32]).key()
}

fn moment() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_772_357_400)
}

fn names(peers: &Peers) -> Vec<String> {
    peers.list().expect("readable").into_iter().map(|peer| peer.name).collect()
}

#[test]
fn what_was_added_is_there_with_when_and_from_where() {
    let home = tempfile::tempdir().expect("a folder");
    let peers = Peers::at(&home.path().join("afferent"));
    assert_eq!(names(&peers), [""; 0], "at first, nobody is trusted");

    peers.add("lab", key(1), moment(), "192.0.2.7").expect("added");
    peers.add("cart", key(2), moment(), "by hand").expect("added");

    let lab = Peer {
        name: "lab".to_owned(),
        key: key(1),
        since: Some("2026-03-01T09:30:00Z".to_owned()),
        from: Some("192.0.2.7".to_owned()),
    };
    assert_eq!(peers.with_name("lab").expect("there"), lab);
    assert_eq!(peers.with_key(key(1)).expect("readable"), Some(lab));
    assert_eq!(peers.with_key(key(3)).expect("readable"), None);
    assert_eq!(names(&peers), ["lab", "cart"]);
}

#[test]
fn names_and_keys_stand_for_one_peer_each() {
    let home = tempfile::tempdir().expect("a folder");
    let peers = Peers::at(home.path());
    peers.add("lab", key(1), moment(), "by hand").expect("added");

    let taken = peers.add("lab", key(2), moment(), "by hand").expect_err("refused");
    assert!(matches!(&taken, TrustError::NameTaken { name } if name == "lab"), "{taken}");
    let listed = peers.add("cart", key(1), moment(), "by hand").expect_err("refused");
    assert!(matches!(&listed, TrustError::KeyListed { name } if name == "lab"), "{listed}");
    for name in ["", "Lab", "2nd", "a b", "a\u{1b}[31m", "../x", &"a".repeat(65)] {
        let bad = peers.add(name, key(2), moment(), "by hand").expect_err("refused");
        assert!(matches!(bad, TrustError::BadName { .. }), "{bad}");
    }
    assert_eq!(names(&peers), ["lab"]);
}

#[test]
fn a_proved_key_finds_a_name() {
    let home = tempfile::tempdir().expect("a folder");
    let peers = Peers::at(home.path());
    let long = "a".repeat(64);
    let prove = |name: &str, n| peers.add_proved(name, key(n), moment(), "::1").expect("added");

    assert_eq!(prove("lab", 1), "lab");
    assert_eq!(prove("lab", 2), "lab_2", "another host of that name");
    assert_eq!(prove("lab", 3), "lab_3");
    assert_eq!(prove("other", 1), "lab", "paired again, it keeps its name");
    assert_eq!(prove(&long, 4), long);
    assert_eq!(prove(&long, 5), format!("{}_2", "a".repeat(62)));
    assert_eq!(peers.list().expect("readable").len(), 5);
}

#[test]
fn peers_are_removed_and_renamed_and_comments_stay() {
    let home = tempfile::tempdir().expect("a folder");
    let peers = Peers::at(home.path());
    peers.add("lab", key(1), moment(), "by hand").expect("added");
    peers.add("cart", key(2), moment(), "by hand").expect("added");
    let text = fs::read_to_string(peers.path()).expect("there");
    let text = text.replace("[peer.cart]", "# in the hall\n[peer.cart]");
    fs::write(peers.path(), text).expect("writable");

    assert_eq!(peers.remove("lab").expect("there").key, key(1));
    peers.rename("cart", "trolley").expect("there");
    peers.rename("trolley", "trolley").expect("the same name is no other's");

    assert_eq!(names(&peers), ["trolley"]);
    assert!(fs::read_to_string(peers.path()).expect("there").contains("# in the hall"));
    let missing = peers.remove("troley").expect_err("refused");
    assert_eq!(missing.hint(), "did you mean `trolley`?");
}

#[test]
fn a_list_that_is_not_understood_is_named_by_line_and_never_changed() {
    let home = tempfile::tempdir().expect("a folder");
    let peers = Peers::at(home.path());
    peers.add("lab", key(1), moment(), "by hand").expect("added");
    let good = fs::read_to_string(peers.path()).expect("there");
    let lines = good.lines().count();
    let twice = good.replace("lab", "cart");
    let broken = [
        (format!("{good}[peer.lab"), lines + 1, "unclosed table"),
        (format!("{good}[peer.x]\nkey = 1"), lines + 1, "peer `x`: `key` is a text"),
        (format!("{good}[peer.x]\nsince = 1979-05-27"), lines + 1, "peer `x`: `key` is missing"),
        (format!("{good}[peer.x]\nkey = \"abc\""), lines + 1, "peer `x`: `key`: a key has 55"),
        (
            good.replace("since", "sinse"),
            4,
            "peer `lab`: `sinse` is unknown; did you mean `since`?",
        ),
        (good.replace("[peer.lab]", "[peers.lab]"), 4, "`peers` is unknown"),
        (good.replace("[peer.lab]", "[peer.Lab]"), 4, "peer `Lab`: names begin"),
        (format!("{good}{twice}"), lines + 4, "`lab` and `cart` have the same key"),
        (format!("{good}[peer.lab]\n"), lines + 1, "duplicate key"),
    ];
    for (text, line, why) in broken {
        fs::write(peers.path(), &text).expect("writable");

        let problem = peers.list().expect_err("refused");
        let said = problem.to_string();
        assert!(said.contains("peers.toml:") && said.contains(why), "{said}");
        assert!(said.contains(&format!(":{line}: ")), "line {line} of\n{text}\n{said}");
        assert!(peers.with_key(key(1)).is_err(), "nobody is trusted by half a list");
        assert!(peers.add("x", key(9), moment(), "by hand").is_err());
        assert!(peers.remove("lab").is_err());
        assert_eq!(fs::read_to_string(peers.path()).expect("there"), text, "it stays for mending");
    }
    fs::write(peers.path(), [0xff, 0xfe]).expect("writable");
    assert!(peers.list().expect_err("refused").to_string().contains("not UTF-8"));

    fs::write(peers.path(), good).expect("writable");
    assert_eq!(names(&peers), ["lab"], "mended, it counts again");
}

#[test]
fn those_who_write_at_once_lose_nothing() {
    let home = tempfile::tempdir().expect("a folder");
    thread::scope(|scope| {
        for n in 0..8 {
            let folder: &Path = home.path();
            // As if each were a process of its own.
            scope.spawn(move || {
                Peers::at(folder)
                    .add(&format!("host_{n}"), key(n), moment(), "::1")
                    .expect("added");
            });
        }
    });
    assert_eq!(Peers::at(home.path()).list().expect("readable").len(), 8);
}

#[test]
fn a_process_that_runs_sees_what_another_changes() {
    let home = tempfile::tempdir().expect("a folder");
    let (runs, other) = (Peers::at(home.path()), Peers::at(home.path()));
    assert_eq!(runs.with_key(key(1)).expect("readable"), None);

    other.add("lab", key(1), moment(), "::1").expect("added");
    assert!(runs.with_key(key(1)).expect("readable").is_some());
    other.remove("lab").expect("there");
    assert_eq!(runs.with_key(key(1)).expect("readable"), None);
    other.add("lab", key(2), moment(), "::1").expect("added");
    other.rename("lab", "bal").expect("there");
    assert_eq!(runs.with_key(key(2)).expect("readable").map(|peer| peer.name), Some("bal".into()));
}

#[cfg(unix)]
#[test]
fn a_list_that_others_may_write_to_is_refused() {
    use std::os::unix::fs::PermissionsExt;

    let home = tempfile::tempdir().expect("a folder");
    let peers = Peers::at(home.path());
    peers.add("lab", key(1), moment(), "by hand").expect("added");
    let set = |mode| fs::set_permissions(peers.path(), PermissionsExt::from_mode(mode));
    set(0o644).expect("ours");
    assert_eq!(names(&Peers::at(home.path())), ["lab"], "it holds no secret");

    set(0o664).expect("ours");
    let problem = Peers::at(home.path()).list().expect_err("refused");
    assert!(matches!(problem, TrustError::Shared { mode: 0o664, .. }), "{problem}");
}

#[test]
fn more_peers_than_a_host_can_have_are_refused() {
    let mut text = String::new();
    for n in 0..=crate::trust::PEERS_MAX {
        text += &format!("[peer.a{n}]\nkey = \"{}\"\n", PeerKey::from_bytes([n as u8; 32]));
    }
    assert!(read_peers(&text).expect_err("refused").why.contains("more than 4096 peers"));
}

#[test]
fn a_host_is_called_by_what_names_can_hold() {
    assert_eq!(as_name("Lab-PC.example.org"), "lab_pc_example_org");
    assert_eq!(as_name("2nd host"), "nd_host");
    assert_eq!(as_name(&"Ab".repeat(40)), "ab".repeat(32));
    assert_eq!(as_name("\u{1b}[31m…"), "m");
    assert_eq!(as_name(""), "host");
}
