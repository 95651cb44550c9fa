#![cfg(target_os = "linux")]
//! A sound card's callback may not wait for anybody: ten million of them allocate nothing, take no lock
//! that anybody holds, and ask nothing of the system.
//!
//! The callbacks run in a process of their own, in a thread that has given up every system call but `read`
//! and `write` (seccomp's strict mode): one more, be it the wait for a lock, and the system ends the thread.
//! What moment it is they are told: most systems let a clock be read without a call, but not all.
//! Another thread takes out what they hand over all the while, so that a lock would be met.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use afferent_suite::allocations::{Counting, asked};
use engine::Timestamp;
use operators::audio::device::handover;
use rustix::thread::{SecureComputingMode, set_secure_computing_mode};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const CALLBACKS: u64 = 10_000_000;
/// Longer than a callback takes on a busy machine.
const SILENCE: Duration = Duration::from_secs(5);
const MODE: &str = "AFFERENT_CALLBACKS";
const SAYS: &str = "callbacks done, allocations: ";

#[test]
fn ten_million_callbacks_ask_nobody_for_anything() {
    if let Ok(mode) = std::env::var(MODE) {
        call_back(&mode);
    }
    assert_eq!(told("clean").as_deref(), Some("0"));
    // That the guard guards: one callback in 100 000 gives way to other threads, or
    // asks for memory.
    assert_eq!(told("yields"), None);
    assert_eq!(told("allocates").as_deref(), Some("10"));
}

/// What a process of this mode says of its allocations; nothing if the system ended it.
fn told(mode: &str) -> Option<String> {
    let name = "ten_million_callbacks_ask_nobody_for_anything";
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(MODE, mode)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a process can be started");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut lines = lines.map_while(Result::ok);
    let said = lines.find_map(|line| line.split(SAYS).nth(1).map(str::to_owned));
    // It waits for a word that never comes, as it may not even end.
    let _ = child.kill();
    child.wait().expect("it has ended");
    said
}

/// Never returns.
fn call_back(mode: &str) -> ! {
    let (mut ear, mut heard) = handover(2, 1 << 16, 1 << 10);
    thread::spawn(move || {
        let mut planes: Vec<_> = (0..2).map(|_| Vec::with_capacity(1 << 16)).collect();
        let mut last = Instant::now();
        // The system ends a thread, not its process: that is left to whoever hears nothing any more.
        while last.elapsed() < SILENCE {
            planes.iter_mut().for_each(Vec::clear);
            if heard.take(&mut planes).is_some() {
                last = Instant::now();
            }
        }
        std::process::exit(3);
    });
    let block = [0.25; 32];
    // What is not meant to last is told sooner.
    let callbacks = if mode == "clean" { CALLBACKS } else { CALLBACKS / 10 };
    let (yields, allocates) = (mode == "yields", mode == "allocates");
    let mut line = [0; 64];
    let mut kept = [const { Vec::<u8>::new() }; 16];
    set_secure_computing_mode(SecureComputingMode::Strict).expect("Linux has it");

    let before = asked();
    for number in 0..callbacks {
        ear.hear(&block, Timestamp::from_nanos(number as i64));
        if number % 100_000 == 99_999 {
            if yields {
                thread::yield_now();
            }
            if allocates {
                kept[(number / 100_000) as usize % 16] = Vec::with_capacity(16);
            }
        }
    }
    let allocations = asked() - before;

    // Written without memory of its own: ten at most, by what is tried here.
    let digits = [b'0' + (allocations / 10 % 10) as u8, b'0' + (allocations % 10) as u8];
    let digits = if allocations < 10 { &digits[1..] } else { &digits[..] };
    let mut len = 0;
    for &byte in b"\n".iter().chain(SAYS.as_bytes()).chain(digits).chain(b"\n") {
        line[len] = byte;
        len += 1;
    }
    // The two calls that are left.
    let stdout = rustix::stdio::stdout();
    let _ = rustix::io::write(stdout, &line[..len]);
    loop {
        let _ = rustix::io::read(rustix::stdio::stdin(), &mut [0; 1]);
    }
}
