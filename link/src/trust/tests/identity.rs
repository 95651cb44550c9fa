//! The key of this host: made once, shared by all who start at once, refused where others may read it.

use std::{fs, sync::Barrier, thread};

use crate::trust::{Identity, TrustError};

#[test]
fn made_on_first_run_and_the_same_from_then_on() {
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join("a").join("afferent");

    let made = Identity::open(&folder).expect("made");
    let read = Identity::open(&folder).expect("read");

    assert_eq!(made.key(), read.key());
    let other = Identity::open(&home.path().join("b")).expect("made");
    assert_ne!(made.key(), other.key(), "each has its own");
    let names: Vec<_> = fs::read_dir(&folder).expect("there").flatten().collect();
    assert_eq!(names.len(), 1, "nothing is left lying about: {names:?}");
}

#[test]
fn those_who_start_at_once_get_one_key() {
    for _ in 0..20 {
        let home = tempfile::tempdir().expect("a folder");
        let folder = home.path().join("afferent");
        let start = Barrier::new(8);
        let keys: Vec<_> = thread::scope(|scope| {
            let open = || {
                start.wait();
                Identity::open(&folder).expect("made or read").key()
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    }
}

#[test]
fn a_file_that_is_no_key_is_named_and_stays() {
    let home = tempfile::tempdir().expect("a folder");
    Identity::open(home.path()).expect("made");
    let path = home.path().join("identity.key");
    let whole = fs::read_to_string(&path).expect("there");
    let another_kind = whole.replace("MC4CAQAwBQYDK2VwBCIEI", "MC4CAQAwBQYDK2VuBCIEI");
    assert_ne!(another_kind, whole, "it is X25519 now");
    let texts = ["", "no key", &whole[..60], &another_kind, &"x".repeat(10_000)];

    for text in texts {
        fs::write(&path, text).expect("writable");
        let problem = Identity::open(home.path()).expect_err("refused");
        assert!(matches!(problem, TrustError::Broken { .. }), "{problem}");
        assert!(problem.to_string().contains("identity.key"), "{problem}");
        assert_eq!(fs::read_to_string(&path).expect("there"), text, "nothing is overwritten");
    }
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_it_and_one_that_others_can_is_refused() {
    use std::os::unix::fs::PermissionsExt;

    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join("afferent");
    Identity::open(&folder).expect("made");
    let path = folder.join("identity.key");
    let mode = |path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    let set = |path, mode| fs::set_permissions(path, PermissionsExt::from_mode(mode));
    assert_eq!((mode(&folder), mode(&path)), (0o700, 0o600));

    for open in [0o640, 0o604, 0o660, 0o601] {
        set(&path, open).expect("ours");
        let problem = Identity::open(&folder).expect_err("refused");
        let hint = problem.hint();
        assert!(problem.to_string().contains(&format!("mode {open:o}")), "{problem}");
        assert!(hint.starts_with(&format!("`chmod 600 {}`", path.display())), "{hint}");
    }
    set(&path, 0o400).expect("ours");
    Identity::open(&folder).expect("less than ours is enough");

    set(&folder, 0o770).expect("ours");
    let problem = Identity::open(&folder).expect_err("refused");
    assert!(problem.hint().starts_with("`chmod 700"), "{problem}");
    set(&folder, 0o700).expect("ours");
}

/// Only the system's own user can give a file away, so elsewhere there is nothing to see.
#[cfg(unix)]
#[test]
fn a_key_that_was_given_to_somebody_else_is_refused() {
    let home = tempfile::tempdir().expect("a folder");
    Identity::open(home.path()).expect("made");
    let path = home.path().join("identity.key");
    let us = rustix::process::geteuid();
    let given = std::os::unix::fs::chown(&path, Some(us.as_raw() + 1), None);
    assert_eq!(given.is_ok(), us.is_root(), "{given:?}");
    let opened = Identity::open(home.path());
    match given {
        Ok(()) => assert!(matches!(opened, Err(TrustError::Strange { .. })), "{opened:?}"),
        Err(_) => drop(opened.expect("ours")),
    }
}

#[test]
fn the_private_half_is_never_shown() {
    let identity = Identity::from_seed(&[7; 32]);
    let shown = format!("{identity:?}");
    assert!(shown.contains(&identity.key().fingerprint().to_string()), "{shown}");
    assert!(!shown.contains("7, 7"), "{shown}");
}
