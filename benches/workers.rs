//! What the threads that run models cost: memory for weights they share, wake-ups while nobody asks, two
//! of them against two processes, and what it takes to decide what to run next.
//!
//! Memory, wake-ups and throughput are those of processes of their own, which this program starts as itself.

mod support;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    collections::VecDeque,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use afferent_suite::onnx;
use engine::{
    Answer, Buffer, Fault,
    testing::{Awaited, Outcome, reply},
};
use model::{
    backend::{Options, load, onnxruntime},
    batch::{Decision, Policy, Queue, Waiting, Window},
    host::{Door, Manner, Model, Row, Rowwise, Terms, Way, Workers},
};
use support::{Bench, Spread, hand_over::HandOver, process};

/// Counts what is allocated.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

#[expect(unsafe_code, reason = "an allocator that counts, and leaves the work to the system's")]
// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Set in a process that is measured: what it is to do.
const CHILD: &str = "AFFERENT_BENCH_WORKERS";
const MIB: f64 = 1_048_576.0;
/// The model of which answers are counted.
const LAYERS: usize = 4;
const SIZE: usize = 256;

fn main() {
    if let Ok(task) = std::env::var(CHILD) {
        return child(&task);
    }
    let bench = Bench::start("workers");
    decisions(&bench);
    let backends: &[&str] =
        if onnxruntime::is_there() { &["rten", "onnxruntime"] } else { &["rten"] };
    if backends.len() < 2 {
        eprintln!("  SKIPPED ONNX Runtime: set ORT_DYLIB_PATH");
    }
    // 25 layers of 4 MiB.
    let (layers, size) = if bench.test { (3, 256) } else { (25, 1_024) };
    for backend in backends {
        let memory =
            |workers: usize| ask_child(&format!("memory {backend} {workers} {layers} {size}"))[0];
        let [one, four] = bench.interleaved([
            ("memory, one worker", &mut || memory(1)),
            ("memory, four workers", &mut || memory(4)),
        ]);
        let (one, four) = (one.of(|&mb| mb), four.of(|&mb| mb));
        bench.report("memory", &[("backend", backend)], &[("one_mb", &one), ("four_mb", &four)]);
        bench.verdict(
            &format!("{backend}: memory of four workers, times one"),
            &four.over(&one),
            1.3,
        );
        together_and_apart(&bench, backend);
    }
    let span_ms = bench.scale(5_000, 100);
    let [idle] = bench.interleaved([("eight models idle", &mut || {
        ask_child(&format!("idle rten 2 {span_ms}"))[0]
    })]);
    let idle = idle.of(|&wakes| wakes);
    bench.report("eight models idle", &[], &[("wake_ups_per_s", &idle)]);
    bench.verdict("eight models idle, wake-ups a second", &idle, 10.0);
}

/// Two workers against two processes of one worker each; beside them the same with the least that can lie between
/// one who asks and a thread.
fn together_and_apart(bench: &Bench, backend: &str) {
    let span_ms = bench.scale(2_000, 100);
    let one = |task: &str, threads: usize| {
        Answers::of(&ask_child(&format!("{task} {backend} {threads} {span_ms}")))
    };
    let both = |task: &str| {
        let task = format!("{task} {backend} 1 {span_ms}");
        let both = [start_child(&task), start_child(&task)];
        Answers::of_both(both.map(|child| Answers::of(&numbers_of(child))))
    };
    let runs = bench.interleaved([
        ("two workers", &mut || one("answers", 2)),
        ("two processes", &mut || both("answers")),
        ("two bare threads", &mut || one("bare", 2)),
        ("two bare processes", &mut || both("bare")),
    ]);
    let [together, apart, threads, processes] =
        &runs.each_ref().map(|runs| runs.of(|answers| answers.rate));
    let params = [("backend", backend)];
    let rates = [("two_workers", together), ("two_processes", apart)];
    bench.report("answers a second", &params, &rates);
    let rates = [("two_threads", threads), ("two_processes", processes)];
    bench.report("answers a second, bare", &params, &rates);
    let promise = format!("{backend}: two workers, times two processes");
    bench.verdict_least(&promise, &together.over(apart), 0.9);
    for (what, times) in [
        ("two bare threads, times two bare processes", threads.over(processes)),
        ("two workers, times two bare threads", together.over(threads)),
    ] {
        bench.report(what, &params, &[("times", &times)]);
    }
    // Says the same where others have much of the machine.
    let figures: [(&str, Figure); 2] = [
        ("processor time an answer, us", |answers| answers.cost_us),
        ("wake-ups an answer", |answers| answers.wakes),
    ];
    for (what, figure) in figures {
        let of = runs.each_ref().map(|runs| runs.of(figure));
        let names = ["two_workers", "two_processes", "bare_threads", "bare_processes"];
        let figures: Vec<_> = names.into_iter().zip(&of).filter(|(_, of)| !of.is_empty()).collect();
        bench.report(what, &params, &figures);
    }
}

/// One figure of such.
type Figure = fn(&Answers) -> f64;

/// What a measured process did.
struct Answers {
    /// A second.
    rate: f64,
    /// Microseconds of processor time of each, whoever asks included.
    cost_us: f64,
    /// Times that a thread slept, of each.
    wakes: f64,
}

impl Answers {
    fn of(numbers: &[f64]) -> Self {
        Self { rate: numbers[0], cost_us: numbers[1], wakes: numbers[2] }
    }

    /// Of two processes beside each other: the mean of what an answer costs, as each counts.
    fn of_both([a, b]: [Self; 2]) -> Self {
        let rate = a.rate + b.rate;
        let mean = |of: fn(&Self) -> f64| (a.rate * of(&a) + b.rate * of(&b)) / rate;
        Self { rate, cost_us: mean(|it| it.cost_us), wakes: mean(|it| it.wakes) }
    }
}

/// What it costs to let a question wait and to decide about it, of a policy that knows its costs.
fn decisions(bench: &Bench) {
    let count = bench.scale(2_000_000, 5_000);
    let mut allocated = 0.0_f64;
    let [ns] = bench.interleaved([("decision", &mut || {
        let mut policy = Window::new(32);
        (1..=32).for_each(|rows| policy.ran(rows, 1_000 + rows as i64, 0));
        let mut queue = Queue::default();
        // Memory for the queue is there after the first questions.
        let (mut now, mut asked, mut run) = (0, 0, 0);
        let mut before = 0;
        let mut began = Instant::now();
        while run < count {
            // Two come for each decision.
            for _ in 0..2 {
                let question = Waiting { id: asked, arrived: now, deadline: now + 1_000_000 };
                assert!(policy.admits(now, &question, &queue));
                queue.push(question);
                asked += 1;
            }
            now += 100;
            match policy.decide(now, &mut queue) {
                Decision::Run(rows) => {
                    queue.skip(rows);
                    run += rows;
                }
                decision => panic!("{decision:?} with questions waiting"),
            }
            if run == 64 {
                (before, began) = (ALLOCATIONS.load(Ordering::Relaxed), Instant::now());
            }
        }
        let took = began.elapsed().as_secs_f64();
        allocated = allocated.max((ALLOCATIONS.load(Ordering::Relaxed) - before) as f64);
        assert_eq!(asked as usize, run, "every question is run once");
        1e9 * took / (run - 64) as f64
    })]);
    let ns = ns.of(|&ns| ns);
    let allocated = Spread::one(allocated);
    bench.report("decision", &[], &[("ns_a_question", &ns), ("allocations", &allocated)]);
    bench.verdict("a question admitted and decided about, ns", &ns, 300.0);
}

fn start_child(task: &str) -> std::process::Child {
    let this = std::env::current_exe().expect("a bench is a program");
    let child = Command::new(this).env(CHILD, task).stdout(Stdio::piped()).spawn();
    child.expect("it can be started again")
}

fn numbers_of(child: std::process::Child) -> Vec<f64> {
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "the measured process failed");
    let text = String::from_utf8(output.stdout).expect("numbers");
    text.split_whitespace().map(|number| number.parse().expect("a number")).collect()
}

fn ask_child(task: &str) -> Vec<f64> {
    numbers_of(start_child(task))
}

/// What a process that is measured does; it prints what it measured.
fn child(task: &str) {
    let words: Vec<&str> = task.split_whitespace().collect();
    let number = |at: usize| words[at].parse::<usize>().expect("a number");
    let (backend, threads) = (words[1], number(2));
    if words[0] == "bare" {
        return answers(threads, number(3), bare(backend, threads));
    }
    let workers = Workers::with(Manner { threads, ..Manner::default() });
    match words[0] {
        "memory" => println!("{}", memory(backend, threads, &workers, number(3), number(4))),
        "answers" => {
            let (_model, door) = door(backend, &workers, LAYERS, SIZE);
            answers(threads, number(3), |question| ask(&door, question));
        }
        _ => println!("{}", idle(backend, &workers, number(3))),
    }
}

/// Gives an output as it is.
struct Whole;

impl Rowwise for Whole {
    fn read(&self, row: &Row<'_>) -> Result<Answer, Fault> {
        Ok(buffer(row.output(0)).into())
    }
}

fn buffer(numbers: &[f32]) -> Buffer {
    Buffer::of_floats(numbers, numbers.len())
}

fn door(backend: &str, workers: &Workers, layers: usize, size: usize) -> (Arc<Model>, Door) {
    let loaded = load(backend, onnx::layers(layers, size), &Options::default()).expect("it loads");
    let model = Model::new("layers", loaded, 1, workers);
    let way = Way::new(model.signature(), 0, vec![size], &[], Box::new(Whole)).expect("a way");
    let door = model.door(way, Terms::default(), &[]).expect("a door");
    (model, door)
}

fn ask(door: &Door, numbers: &Buffer) -> Awaited {
    let (reply, awaited) = reply(None);
    door.ask(numbers.clone(), reply);
    awaited
}

/// Waits for an answer, which must be the question shifted by so many places.
fn check(awaited: &Awaited, question: &Buffer, shift: usize) {
    let Outcome::Answer(Some(answer)) = awaited.wait(Duration::from_secs(60)) else {
        panic!("no answer")
    };
    let (got, asked) = (answer.floats(), question.floats());
    assert!((0..asked.len()).all(|n| got[n] == asked[(n + shift) % asked.len()]));
}

/// MB of this process once every worker has run the model.
fn memory(backend: &str, threads: usize, workers: &Workers, layers: usize, size: usize) -> f64 {
    let (_model, door) = door(backend, workers, layers, size);
    let question = buffer(&(0..size).map(|n| n as f32).collect::<Vec<_>>());
    check(&ask(&door, &question), &question, layers);
    // Workers run the model by themselves when they start; they have once nothing runs any more.
    let mut before = process::cpu_s("self");
    let began = Instant::now();
    while process::threads("self") < threads + 1 || began.elapsed() < Duration::from_millis(300) {
        process::let_run(Duration::from_millis(20));
    }
    loop {
        process::let_run(Duration::from_millis(200));
        let now = process::cpu_s("self");
        if now - before < 0.002 {
            break;
        }
        before = now;
    }
    process::rss_bytes("self") / MIB
}

/// To ask threads with nothing but a queue in between.
fn bare(backend: &str, threads: usize) -> impl Fn(&Buffer) -> Awaited {
    let loaded = load(backend, onnx::layers(LAYERS, SIZE), &Options::default()).expect("it loads");
    let hand_over = HandOver::new(&loaded, threads, 1);
    move |question| {
        let (reply, awaited) = reply(None);
        hand_over.ask(question.clone(), reply);
        awaited
    }
}

/// Prints answers a second with two questions open for each worker, microseconds of processor time of each, whoever
/// asks included, and how often a thread slept for it.
fn answers(threads: usize, span_ms: usize, ask: impl Fn(&Buffer) -> Awaited) {
    let question = buffer(&(0..SIZE).map(|n| n as f32).collect::<Vec<_>>());
    check(&ask(&question), &question, LAYERS);
    process::let_run(Duration::from_millis(100));
    let mut open: VecDeque<Awaited> = (0..2 * threads).map(|_| ask(&question)).collect();
    let (busy_s, wakes) = (process::cpu_s("self"), process::wake_ups("self"));
    let (mut answered, began) = (0_u64, Instant::now());
    while began.elapsed() < Duration::from_millis(span_ms as u64) {
        check(&open.pop_front().expect("some are open"), &question, LAYERS);
        open.push_back(ask(&question));
        answered += 1;
    }
    let took_s = began.elapsed().as_secs_f64();
    let (busy_s, wakes) = (process::cpu_s("self") - busy_s, process::wake_ups("self") - wakes);
    let each = answered as f64;
    println!("{} {} {}", each / took_s, 1e6 * busy_s / each, wakes / each);
}

/// Times that a thread of this process woke up, a second, with eight models loaded and nobody asking.
fn idle(backend: &str, workers: &Workers, span_ms: usize) -> f64 {
    let doors: Vec<_> = (0..8).map(|n| door(backend, workers, 2, 64 + n)).collect();
    for (n, (_, door)) in doors.iter().enumerate() {
        let question = buffer(&(0..64 + n).map(|n| n as f32).collect::<Vec<_>>());
        check(&ask(door, &question), &question, 2);
    }
    process::let_run(Duration::from_millis(500));
    let before = process::wake_ups("self");
    let began = Instant::now();
    process::let_run(Duration::from_millis(span_ms as u64));
    // This thread woke up once itself.
    let woken = (process::wake_ups("self") - before - 1.0).max(0.0);
    woken / began.elapsed().as_secs_f64()
}
