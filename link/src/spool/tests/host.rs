//! The file system of this host.

use std::{os::unix::fs::PermissionsExt, time::SystemTime};

use engine::{Field, Format, Timestamp};

use super::support::*;
use crate::spool::{Keeper, Kept, Moment, Settings, Spool, SpoolError, Subject, Sync, WhenFull};

fn open(dir: &std::path::Path, subject: &Subject) -> Result<(Keeper, Spool), SpoolError> {
    let keeper = Keeper::start().expect("a thread");
    let settings = Settings {
        when_full: WhenFull::EvictOldest,
        sync: Sync::Always,
        ..Settings::new(dir, 1 << 20)
    };
    let now = Moment::new(Timestamp::ZERO, SystemTime::UNIX_EPOCH);
    let spool = keeper.open(&settings, subject, now)?;
    Ok((keeper, spool))
}

#[test]
fn a_spool_is_for_its_owner_alone_and_is_found_again() {
    let temp = tempfile::tempdir().expect("a folder");
    let dir = temp.path().join("a").join("spool");
    let (keeper, spool) = open(&dir, &subject()).expect("it opens");
    for number in 0..1_000 {
        spool.append(number, Kept::Frame(event(number)));
    }
    drop(spool);
    drop(keeper);

    assert_eq!(std::fs::metadata(&dir).expect("there").permissions().mode() & 0o777, 0o700);
    for entry in std::fs::read_dir(&dir).expect("there") {
        let entry = entry.expect("readable");
        let mode = entry.metadata().expect("there").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.path());
    }

    let (_keeper, spool) = open(&dir, &subject()).expect("it opens");
    let opened = spool.opened();
    assert_eq!((opened.first, opened.start, opened.frames.count()), (0, 1_000, 1_000));
    let error = open(&dir, &subject()).expect_err("refused");
    assert!(error.to_string().ends_with("another process has this spool open"), "{error}");
}

#[test]
fn another_edge_or_format_is_refused_with_what_differs_and_what_to_do() {
    let temp = tempfile::tempdir().expect("a folder");
    let (keeper, spool) = open(temp.path(), &subject()).expect("it opens");
    spool.append(0, Kept::Frame(event(0)));
    drop((spool, keeper));

    let other = Subject { edge: "ecg -> store".to_owned(), ..subject() };
    let error = open(temp.path(), &other).expect_err("refused");
    let text = error.to_string();
    assert!(
        text.ends_with("this spool is of edge `beats -> store`, not of `ecg -> store`"),
        "{text}"
    );
    assert!(error.hint().contains("afferent spool drain"), "{}", error.hint());

    let format = Format::event(vec![Field::i64("n")], 100.0);
    let error = open(temp.path(), &Subject { format, ..subject() }).expect_err("refused");
    let text = error.to_string();
    assert!(text.contains("fields is `1` here and `2` there"), "{text}");

    let settings = Settings::new(temp.path(), 1_000);
    let keeper = Keeper::start().expect("a thread");
    let now = Moment::new(Timestamp::ZERO, SystemTime::UNIX_EPOCH);
    let error = keeper.open(&settings, &subject(), now).expect_err("refused");
    assert!(error.to_string().contains("a spool of 1000 bytes is too small"), "{error}");
}
