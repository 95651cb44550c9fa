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

#[test]
fn a_folder_of_others_is_refused_and_one_of_ours_is_left_as_it_is() {
    let temp = tempfile::tempdir().expect("a folder");
    let mode_of = |mode: u32| {
        let dir = temp.path().join(format!("{mode:o}"));
        std::fs::create_dir(&dir).expect("made");
        std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(mode)).expect("ours");
        let opened = open(&dir, &subject()).map(drop);
        let mode = std::fs::metadata(&dir).expect("there").permissions().mode() & 0o777;
        (opened, mode)
    };
    for mode in [0o700, 0o750, 0o755] {
        let (opened, after) = mode_of(mode);
        opened.expect("it opens");
        assert_eq!(after, mode);
    }
    for mode in [0o770, 0o707, 0o777] {
        let (opened, after) = mode_of(mode);
        let error = opened.expect_err("refused").to_string();
        assert!(error.contains("others may write to the folder"), "{error}");
        assert_eq!(after, mode);
    }
}

#[test]
fn who_looks_on_keeps_nobody_out() {
    let temp = tempfile::tempdir().expect("a folder");
    drop(open(temp.path(), &subject()).expect("it opens"));
    let path = temp.path().join("lock");
    let file = std::fs::File::open(&path).expect("it is there");
    file.try_lock_shared().expect("free");
    assert!(!crate::spool::fs::is_held(&path), "two may look on");
    // It goes when the other has begun to wait, or at once: both must do.
    let looks = std::thread::spawn(move || {
        std::thread::park_timeout(std::time::Duration::from_millis(2));
        drop(file);
    });
    let opened = open(temp.path(), &subject()).expect("not kept out");
    looks.join().expect("it ends");
    assert!(crate::spool::fs::is_held(&path));
    drop(opened);
}

#[test]
fn times_that_were_guessed_stay_so_when_a_spool_is_repaired() {
    let temp = tempfile::tempdir().expect("a folder");
    let dir = temp.path().join("spool");
    let subject = Subject { line: crate::session::TimeLine::Clock, ..subject() };
    let (keeper, spool) = open(&dir, &subject).expect("it opens");
    for number in 0..10 {
        spool.append(number, Kept::Frame(event(number)));
    }
    drop((spool, keeper));
    // The head of a segment that is not the last is lost.
    let (keeper, spool) = open(&dir, &subject).expect("it opens");
    spool.append(10, Kept::Frame(event(10)));
    drop((spool, keeper));
    let path = dir.join(crate::spool::segment::name(0));
    let mut bytes = std::fs::read(&path).expect("there");
    bytes[20] ^= 1;
    std::fs::write(&path, bytes).expect("ours");

    let repaired = crate::spool::repair(&dir).expect("it can be");
    assert_eq!(repaired.rewritten, [path]);
    assert!(crate::spool::repair(&dir).expect("it can be").rewritten.is_empty(), "once is enough");
    let contents = crate::spool::Contents::read(&dir).expect("it can be read");
    let guessed: Vec<bool> = contents.segments.iter().map(|segment| segment.is_guessed).collect();
    assert_eq!(guessed, [true, false]);

    let keeper = Keeper::manual(std::sync::Arc::new(crate::spool::HostFs));
    let now = Moment::new(Timestamp::ZERO, SystemTime::UNIX_EPOCH);
    let settings = Settings::new(&dir, 1 << 20);
    let spool = keeper.open(&settings, &subject, now).expect("it opens");
    let uncertainty = |place: u64| {
        spool.want(place);
        keeper.turn(0);
        let piece = spool.take_piece().expect("it was asked for");
        let Kept::Frame(frame) = &piece.items[0].1 else { panic!("a frame") };
        frame.header.uncertainty_ns
    };
    assert_eq!((uncertainty(0), uncertainty(10)), (u32::MAX, 10_000_000));
}
