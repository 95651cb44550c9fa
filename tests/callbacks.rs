#![cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")
))]
//! A sound card's callback may not wait for anybody: ten million of them allocate nothing, take no lock
//! that anybody holds, and ask nothing of the system.
//!
//! What is called is what cards are given, `Ear::callback` and `Mouth::callback` in every encoding, with the clock
//! that a `microphone` in a running graph hands to its card.
//!
//! The callbacks run in a process of their own, in a thread that has given up every system call but `read`
//! and `write` (a seccomp filter): one more, be it the wait for a lock, and the system ends the process.
//! Where a clock cannot be read without a call, which most systems let, the callbacks are told what moment it is.
//! Another thread takes out what they hand over and puts in what they play all the while, so that a lock would be met.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use afferent_suite::allocations::{Counting, asked};
use engine::{Catalog, Disk, GraphSpec, PlanOptions, RunOptions, Services, SourceText, Timestamp};
use operators::audio::device::{
    Cards, Device, Ear, Encoded, Encoding, Fate, Heard, Mouth, Now, Offer, Setup, Stream, Trouble,
    Voice, Way, as_service, handover, outlet,
};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// `read` and `write`, by number.
#[cfg(target_arch = "x86_64")]
const CALLS: [i64; 2] = [0, 1];
#[cfg(not(target_arch = "x86_64"))]
const CALLS: [i64; 2] = [63, 64];

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
    let clock = if told("clock").is_some() { "clock" } else { "" };
    if clock.is_empty() {
        eprintln!("SKIPPED the session's clock: this system lets none be read without a call");
    }
    assert_eq!(told(&format!("clean {clock}")).as_deref(), Some("0"));
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

/// A card that keeps the clock it is given.
#[derive(Default)]
struct Clocked(Mutex<Option<Now>>);

struct Open;

impl Stream for Open {}

impl Cards for Clocked {
    fn devices(&self, _: Way) -> Result<Vec<Device>, Trouble> {
        let offer = Offer { channels: 2, min_hz: 48_000, max_hz: 48_000, encoding: Encoding::I16 };
        let name = "clocked".to_owned();
        Ok(vec![Device { title: name.clone(), name, is_default: true, offers: vec![offer] }])
    }

    fn hear(
        &self,
        _: &str,
        _: Setup,
        _: Ear,
        now: Now,
        _: Fate,
    ) -> Result<Box<dyn Stream>, Trouble> {
        *self.0.lock().expect("nobody panics") = Some(now);
        Ok(Box::new(Open))
    }

    fn speak(&self, _: &str, _: Setup, _: Mouth, _: Fate) -> Result<Box<dyn Stream>, Trouble> {
        unreachable!("the graph has no speaker")
    }
}

/// The clock that a microphone gives its card. The graph runs until the process ends.
fn clock_of_a_microphone() -> Now {
    let text = "[graph]\nname = \"clock\"\n[node.mic]\nop = \"microphone\"\n\
                [node.out]\nop = \"null\"\nfrom = \"mic\"\n";
    let cards = Arc::new(Clocked::default());
    let mut options = PlanOptions::new(Arc::new(Disk));
    options.services = Services::new([as_service(cards.clone())]);
    let spec = GraphSpec::parse(&SourceText::new("clock.toml", text)).expect("it is well written");
    let plan = Arc::new(spec.plan(&Catalog::new(&[operators::CATALOG]), &options).expect("sound"));
    let running = plan.start(&RunOptions { speed: None, ..RunOptions::default() });
    std::mem::forget(running.expect("bodies can be built"));
    let begun = Instant::now();
    loop {
        if let Some(now) = cards.0.lock().expect("nobody panics").clone() {
            return now;
        }
        assert!(begun.elapsed() < SILENCE, "no microphone asked for its card");
        thread::yield_now();
    }
}

/// What a card calls in one encoding, with what it heard and for what it plays.
fn callbacks<S: Encoded>(now: &Now, ends: &mut Vec<(Heard, Voice)>) -> impl FnMut() + use<S> {
    let (ear, heard) = handover(2, 1 << 16, 1 << 10);
    let (voice, mouth) = outlet(1, 2, 1 << 12, 64);
    ends.push((heard, voice));
    let (mut hear, mut speak) = (ear.callback(now.clone()), mouth.callback());
    let (block, mut played) = ([S::encoded(0.25); 32], [S::encoded(0.0); 32]);
    move || {
        hear(&block);
        speak(&mut played);
    }
}

/// The graph's side of all callbacks, until nothing comes of them any more.
fn attend(mut ends: Vec<(Heard, Voice)>) {
    let mut planes: Vec<_> = (0..2).map(|_| Vec::with_capacity(1 << 16)).collect();
    let mut last = Instant::now();
    let mut turns = 0u32;
    // Who waits for a word of this process may have been ended.
    while last.elapsed() < SILENCE {
        for (heard, voice) in &mut ends {
            planes.iter_mut().for_each(Vec::clear);
            let is_heard = heard.take(&mut planes).is_some();
            let is_said = voice.say(&[0.5; 128]) > 0;
            turns = turns.wrapping_add(1);
            if turns.is_multiple_of(1_000) {
                voice.forget();
            }
            if is_heard || is_said {
                last = Instant::now();
            }
        }
    }
    std::process::exit(3);
}

/// Lets a thread do nothing but `read` and `write`. Not the strict mode that allows the same: that forbids
/// a thread the processor's own clock, too.
fn filter() -> BpfProgram {
    let allowed = CALLS.map(|call| (call, Vec::new()));
    let arch = std::env::consts::ARCH.try_into().expect("a processor that seccompiler knows");
    let (others, these) = (SeccompAction::KillProcess, SeccompAction::Allow);
    let filter = SeccompFilter::new(allowed.into_iter().collect(), others, these, arch);
    filter.and_then(TryInto::try_into).expect("a short program")
}

/// Never returns.
fn call_back(mode: &str) -> ! {
    let now = if mode.contains("clock") {
        clock_of_a_microphone()
    } else {
        Arc::new(|| Timestamp::from_nanos(7))
    };
    let mut ends = Vec::new();
    let mut of_f32 = callbacks::<f32>(&now, &mut ends);
    let mut of_i32 = callbacks::<i32>(&now, &mut ends);
    let mut of_i16 = callbacks::<i16>(&now, &mut ends);
    let mut of_u16 = callbacks::<u16>(&now, &mut ends);
    thread::spawn(move || attend(ends));
    let rounds = match mode {
        "clock" => 1,
        // What is not meant to last is told sooner.
        "yields" | "allocates" => CALLBACKS / 10,
        _ => CALLBACKS,
    };
    let (yields, allocates) = (mode == "yields", mode == "allocates");
    let filter = filter();
    let mut line = [0; 64];
    let mut kept = [const { Vec::<u8>::new() }; 16];
    seccompiler::apply_filter(&filter).expect("Linux has it");

    let before = asked();
    for number in 0..rounds {
        match number % 4 {
            0 => of_f32(),
            1 => of_i32(),
            2 => of_i16(),
            _ => of_u16(),
        }
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
