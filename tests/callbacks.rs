#![cfg(target_os = "linux")]
//! A sound card's callback may not wait for anybody: ten million of them allocate nothing, take no lock
//! that anybody holds, and ask nothing of the system.
//!
//! The callbacks run in a process of their own, in a thread that has given up every system call but `read`
//! and `write` (seccomp's strict mode): one more, be it the wait for a lock, and the system ends the process.
//! Another thread takes out what they hand over all the while, so that a lock would be met.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    thread,
};

use afferent_suite::allocations::{Counting, asked};
use engine::Clock;
use operators::audio::device::handover;
use rustix::thread::{SecureComputingMode, set_secure_computing_mode};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const CALLBACKS: u64 = 10_000_000;
const MODE: &str = "AFFERENT_CALLBACKS";
const SAYS: &str = "callbacks done, allocations: ";

#[test]
fn ten_million_callbacks_ask_nobody_for_anything() {
    if let Ok(mode) = std::env::var(MODE) {
        call_back(&mode);
    }
    assert_eq!(told("clean").as_deref(), Some("0"));
    // That the guard guards: one callback in a million gives way to other threads.
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
    let clock = Clock::system();
    let (mut ear, mut heard) = handover(2, 1 << 16, 1 << 10);
    thread::spawn(move || {
        let mut planes = vec![Vec::with_capacity(1 << 16); 2];
        loop {
            planes.iter_mut().for_each(Vec::clear);
            let _ = heard.take(&mut planes);
        }
    });
    let block = [0.25; 128];
    let (yields, allocates) = (mode == "yields", mode == "allocates");
    let mut line = [0; 64];
    let mut kept = [const { Vec::<u8>::new() }; 16];
    set_secure_computing_mode(SecureComputingMode::Strict).expect("Linux has it");

    let before = asked();
    for number in 0..CALLBACKS {
        ear.hear(&block, clock.now());
        if number % 1_000_000 == 999_999 {
            if yields {
                thread::yield_now();
            }
            if allocates {
                kept[(number / 1_000_000) as usize] = Vec::with_capacity(16);
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
