//! What a person is told of a spool, whole and damaged.

use std::{
    fs,
    path::{Path, PathBuf},
};

use engine::{EventWriter, Field, Format, Frame, Header, Rate, Timestamp, Unit};
use link::{
    session::{Delivery, EdgeConfig, Priority, Session, SessionConfig, TimeLine, Timing},
    spool::{Keeper, Moment, Settings, Subject, Sync},
};

use super::{
    arguments::{DrainArguments, SpoolArguments, What},
    drain::drain_one,
    inspect::{Told, when},
    repair::told,
};
use crate::exit::Exit;

/// Fills a spool through a session that has no connection.
fn fill(dir: &Path, edge: &str, format: &Format, line: TimeLine, frames: Vec<Frame>) {
    let keeper = Keeper::start().expect("a thread");
    let settings = Settings { sync: Sync::Always, ..Settings::new(dir, 1 << 20) };
    let subject = Subject { edge: edge.to_owned(), format: format.clone(), line, packed: true };
    // The clock of the process shows 0 at noon of the first of March 2024.
    let now = Moment { clock: Timestamp::ZERO, wall_ns: 1_709_294_400_000_000_000 };
    let spool = keeper.open(&settings, &subject, now).expect("it opens");
    let mut session = Session::new(SessionConfig {
        graph: [0; 16],
        session: [0; 16],
        life: 1,
        calls: true,
        edges: vec![EdgeConfig {
            name: edge.to_owned(),
            format: format.clone(),
            receives: false,
            delivery: Delivery::Durable,
            priority: Priority::Sensor,
            line,
            packed: true,
            may_void: false,
            frames_max: 1_000,
            bytes_max: 1 << 20,
        }],
        timing: Timing::default(),
    });
    session.keep(0, spool);
    for frame in frames {
        session.send(Timestamp::ZERO, 0, frame).expect("there is room");
    }
    drop(session);
    drop(keeper);
}

fn events(dir: &Path) {
    let format = Format::event(vec![Field::f64("rr_ms"), Field::text("label", 40)], 4.0);
    let event = |n: u64| {
        let layout = format.as_event().expect("an event");
        let words = ["normal", "a \"quoted\", one"][n as usize % 2];
        let content = EventWriter::new(layout).f64(0, 800.0 + n as f64).text(1, words).finish();
        let time = Timestamp::from_nanos(n as i64 * 500_000_000);
        Frame::new(Header { seq: n, ..Header::at(time) }, content)
    };
    fill(dir, "beats -> store", &format, TimeLine::Clock, (0..10).map(event).collect());
}

fn drain(dir: &Path, csv: bool) -> (String, String) {
    let asked = DrainArguments { dir: dir.to_owned(), csv, out: None, all: false };
    let mut out = Vec::new();
    let told = drain_one(dir, &asked, &mut out).expect("it can be read");
    (String::from_utf8(out).expect("text"), told)
}

fn segment(dir: &Path) -> PathBuf {
    dir.join("0000000000000000.seg")
}

#[test]
fn a_spool_is_told_as_it_is_and_its_frames_come_out() {
    let temp = tempfile::tempdir().expect("a folder");
    let dir = temp.path().join("beats");
    events(&dir);

    let spool = Told::read(&dir).expect("it can be read");
    assert!(spool.is_whole());
    let text = spool.text();
    for wanted in [
        "  edge      beats -> store (event)\n",
        "  waiting   10 frames, ",
        "  times     2024-03-01 12:00:00.000 UTC to 2024-03-01 12:00:04.500 UTC (4.5 s)\n",
        "  places    acknowledged before 0; 0 frames lost here so far\n",
        "  segment   0000000000000000.seg  places 0 to 10, 10 frames waiting, ",
    ] {
        assert!(text.contains(wanted), "{wanted:?} is not in\n{text}");
    }
    let json = spool.json();
    for wanted in [
        "\"edge\":\"beats -> store\"",
        "\"frames\":10",
        "\"first_t_s\":1709294400,",
        "\"damage\":[]",
    ] {
        assert!(json.contains(wanted), "{wanted:?} is not in\n{json}");
    }

    let (lines, told) = drain(&dir, false);
    assert_eq!(lines.lines().count(), 10);
    assert_eq!(
        lines.lines().nth(1),
        Some(
            "{\"node\":\"beats\",\"t_s\":1709294400.5,\"rr_ms\":801,\"label\":\"a \\\"quoted\\\", one\"}"
        )
    );
    assert!(told.ends_with("10 frames of beats -> store\n"), "{told}");
    let (table, _) = drain(&dir, true);
    assert_eq!(
        table.lines().take(3).collect::<Vec<_>>(),
        ["t_s,rr_ms,label", "1709294400,800,normal", "1709294400.5,801,\"a \"\"quoted\"\", one\""]
    );
}

#[test]
fn a_signal_is_a_row_for_each_sample() {
    let temp = tempfile::tempdir().expect("a folder");
    let rate = Rate::new(250.0).expect("possible");
    let format = Format::signal(2, Unit::MILLIVOLT, rate, 2);
    let frame = Frame::signal(Timestamp::from_nanos(1_000_000_000), 2, &[0.5, 0.25, -1.0, 2.0]);
    fill(temp.path(), "ecg -> store", &format, TimeLine::Shared, vec![frame]);
    let (table, _) = drain(temp.path(), true);
    assert_eq!(table, "t_s,0,1\n1,0.5,-1\n1.004,0.25,2\n");
}

#[test]
fn what_is_damaged_is_told_and_left_out_and_kept_beside() {
    let temp = tempfile::tempdir().expect("a folder");
    let dir = temp.path().join("beats");
    events(&dir);
    let mut bytes = fs::read(segment(&dir)).expect("there");
    let middle = bytes.len() * 3 / 4;
    bytes[middle] ^= 1;
    bytes.truncate(bytes.len() - 5);
    fs::write(segment(&dir), &bytes).expect("writable");

    let spool = Told::read(&dir).expect("it can be read");
    assert!(!spool.is_whole());
    let text = spool.text();
    assert!(text.contains("  torn      ") && text.contains(": 1 frame lost\n"), "{text}");
    assert!(text.ends_with(&format!("  remedy    `afferent spool repair {}`\n", dir.display())));

    let done = link::spool::repair(&dir).expect("it can be mended");
    let text = told(&dir, &done);
    assert!(text.contains("  cut       ") && text.contains("  lost      1 frame: "), "{text}");
    assert!(text.contains("  kept      8 frames\n"), "{text}");
    let backup = temp.path().canonicalize().expect("there").join("beats.backup-1");
    assert!(text.ends_with(&format!("  backup    {}\n", backup.display())), "{text}");
    assert_eq!(fs::read(segment(&backup)).expect("kept"), bytes);

    let found = link::spool::find(&temp.path().canonicalize().expect("there"));
    assert_eq!(found.expect("one"), std::slice::from_ref(&dir), "what was put aside is none");
    let again = Told::read(&dir).expect("it can be read");
    assert!(again.is_whole(), "{}", again.text());
    let (lines, told_) = drain(&dir, false);
    assert_eq!(lines.lines().count(), 8);
    assert!(told_.contains("  nothing from place ") && told_.ends_with(": damaged\n"), "{told_}");
    let done = link::spool::repair(&dir).expect("it can be read");
    assert!(told(&dir, &done).ends_with(": nothing is wrong; 8 frames\n"));
}

#[test]
fn a_folder_without_a_spool_is_told_so() {
    let temp = tempfile::tempdir().expect("a folder");
    let asked = SpoolArguments {
        what: What::Drain(DrainArguments {
            dir: temp.path().to_owned(),
            csv: false,
            out: None,
            all: false,
        }),
    };
    let failure = super::spool(&asked).expect_err("there is none");
    assert_eq!(failure.tell(), Exit::Io);
    let error = link::spool::find(temp.path()).expect_err("there is none");
    assert!(error.to_string().contains("this is no spool: there is neither a segment"), "{error}");
}

#[test]
fn times_on_the_wall_are_dates() {
    for (seconds, wanted) in [
        (0, "1970-01-01 00:00:00.000 UTC"),
        (951_782_400, "2000-02-29 00:00:00.000 UTC"),
        (4_107_542_399, "2100-02-28 23:59:59.000 UTC"),
        (4_107_542_400, "2100-03-01 00:00:00.000 UTC"),
        (-1, "1969-12-31 23:59:59.000 UTC"),
    ] {
        assert_eq!(when(seconds * 1_000_000_000, TimeLine::Clock), wanted);
    }
    assert_eq!(when(1_500_000_000, TimeLine::Shared), "1.5 s");
}
