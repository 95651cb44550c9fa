//! Real processes that are killed: this test starts itself, and ends what it has started.
//!
//! The child hands in events, or notes what it has consumed, and says on stdout what is written.
//! `AFFERENT_KILLS` is how often it is killed, a few times in everyday runs.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    sync::{Mutex, PoisonError, mpsc},
    time::{Duration, Instant, SystemTime},
};

use engine::Timestamp;

use super::support::*;
use crate::{
    spool::{Keeper, Kept, Moment, Settings, Spool, Sync, WhenFull},
    testing::Random,
};

const ROLE: &str = "AFFERENT_KILL_ROLE";
const FOLDER: &str = "AFFERENT_KILL_FOLDER";

fn kills() -> u64 {
    std::env::var("AFFERENT_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(5)
}

fn open(keeper: &Keeper, dir: &Path) -> Spool {
    let (when_full, sync) = (WhenFull::Block, Sync::Every(20 * MS));
    let settings = Settings { when_full, sync, ..Settings::new(dir, 64 << 20) };
    let now = Moment::new(Timestamp::ZERO, SystemTime::UNIX_EPOCH);
    keeper.open(&settings, &subject(), now).expect("it opens")
}

/// Not a test: what the child does, until it is killed.
#[test]
fn child() {
    let (Ok(role), Ok(dir)) = (std::env::var(ROLE), std::env::var(FOLDER)) else { return };
    let keeper = Keeper::start().expect("a thread");
    let mut out = std::io::stdout().lock();
    let begun = Instant::now();
    let say = |out: &mut dyn Write, number: u64| {
        // Nobody listens any more: the test has ended in its own way.
        writeln!(out, "\nis {number}").and_then(|()| out.flush()).is_ok()
    };
    let is_in_time = || begun.elapsed() < Duration::from_secs(60);
    if role == "send" {
        let spool = open(&keeper, Path::new(&dir));
        let start = spool.opened().start;
        let mut next = start;
        while is_in_time() {
            if next - spool.written().max(start) < 500 {
                spool.append(next, Kept::Frame(event(next)));
                next += 1;
            }
            let written = spool.written();
            if next.is_multiple_of(64) && written > start {
                if !say(&mut out, written) {
                    return;
                }
                // Of what was said the other side has all but the last hundred.
                if written > start + 100 {
                    spool.acknowledge(written - 100);
                }
            }
        }
    } else {
        let memory = keeper.remember(&dir, Sync::Every(20 * MS)).expect("it opens");
        let mut next = memory.noted().1;
        while is_in_time() {
            next += 1;
            memory.note(7, next);
            let noted = memory.noted().1;
            if next.is_multiple_of(64) && noted > 0 && !say(&mut out, noted) {
                return;
            }
        }
    }
}

/// Starts the child, kills it after a while, and gives the greatest number it has said.
fn kill(role: &str, dir: &Path, after: Duration) -> u64 {
    let me = std::env::current_exe().expect("a test");
    let mut child = Command::new(me)
        .args(["--exact", "spool::tests::kill::child", "--nocapture"])
        .env(ROLE, role)
        .env(FOLDER, dir)
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let (tell, told) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        let numbers = lines.map_while(Result::ok);
        let numbers = numbers.filter_map(|line| line.strip_prefix("is ")?.parse::<u64>().ok());
        numbers.fold(0, |most, number| {
            let _ = tell.send(());
            most.max(number)
        })
    });
    // From its first word on, so that there is something to lose.
    told.recv_timeout(Duration::from_secs(50)).expect("it says something");
    let until = Instant::now() + after;
    while told.recv_timeout(until.saturating_duration_since(Instant::now())).is_ok() {}
    child.kill().expect("it lives");
    child.wait().expect("it has ended");
    reader.join().expect("it reads to the end")
}

/// Who starts a process lends it all locks for a moment; so these tests take turns.
static TURN: Mutex<()> = Mutex::new(());

fn wait(random: &mut Random) -> Duration {
    Duration::from_micros(random.below(60_000))
}

#[test]
fn a_sender_that_is_killed_has_all_that_it_said_to_be_written() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let temp = tempfile::tempdir().expect("a folder");
    let dir = temp.path().join("spool");
    let mut random = Random::new(u64::from(std::process::id()));
    let mut start = 0;
    for n in 0..kills() {
        let written = kill("send", &dir, wait(&mut random));
        let keeper = Keeper::start().expect("a thread");
        let spool = open(&keeper, &dir);
        let opened = spool.opened();
        assert_eq!(opened.damage, [], "kill {n}");
        assert!(written > start && opened.start >= written, "kill {n}: {written} {opened:?}");
        // What was acknowledged may be gone, and nothing else.
        for place in start.max(written.saturating_sub(100))..written {
            assert!(opened.frames.contains(place), "kill {n}: {place} of {written} {opened:?}");
        }
        start = opened.start;
    }
}

#[test]
fn a_receiver_that_is_killed_has_all_that_it_said_to_have_noted() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let temp = tempfile::tempdir().expect("a folder");
    let dir = temp.path().join("memory");
    let mut random = Random::new(u64::from(std::process::id()));
    for n in 0..kills() {
        let said = kill("receive", &dir, wait(&mut random));
        let keeper = Keeper::start().expect("a thread");
        let memory = keeper.remember(&dir, Sync::default()).expect("it opens");
        let (count, noted) = memory.noted();
        assert!(noted >= said, "kill {n}: {noted} < {said}");
        assert_eq!(count, 7, "kill {n}");
    }
}
