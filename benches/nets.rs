//! What remains of a net's speed when others ask for it: answers a second of nets in ONNX files, asked through the
//! host with 64 questions open, beside a bare loop over the same runtime at its best batch size, and beside threads with
//! nothing but a queue between them and whoever asks.
//!
//! The nets are those of the rivals' servers, `models/*.onnx` in `AFFERENT_PEERS`, else in `../shared/peers`; each has
//! one input, whose first dimension counts questions. One worker against one thread, and two against two.

mod support;

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use engine::{
    Answer, Buffer, Fault, Reply,
    testing::{Awaited, Outcome, reply},
};
use model::{
    backend::{Array, Loaded, Options, Values, load, onnxruntime},
    host::{Model, Row, Rowwise, Terms, Way, Workers},
};
use support::{Bench, hand_over::HandOver, process};

/// Questions open at once.
const OPEN: usize = 64;
/// Most questions of a run.
const BATCH_MAX: usize = 32;

fn main() {
    let bench = Bench::start("nets");
    if !onnxruntime::is_there() {
        return eprintln!("  SKIPPED: no ONNX Runtime, set ORT_DYLIB_PATH");
    }
    let beside = || concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/peers").into();
    let folder = std::env::var_os("AFFERENT_PEERS").map_or_else(beside, PathBuf::from);
    let found = std::fs::read_dir(folder.join("models")).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = found.map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "onnx"));
    files.sort();
    if files.is_empty() {
        eprintln!("  SKIPPED: no nets in {}", folder.join("models").display());
    }
    for file in files {
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        let bytes = std::fs::read(&file).expect("the file can be read");
        let net = Net::new(load("onnxruntime", bytes, &Options::default()).expect("it loads"));
        let span = Duration::from_millis(bench.scale(1_500, 60) as u64);
        for threads in [1, 2] {
            let runs = bench.interleaved([
                ("asked", &mut || net.asked(threads, span)),
                ("bare", &mut || net.bare(threads, span)),
                ("a queue", &mut || net.handed_over(threads, span)),
            ]);
            let [asked, bare, queue] = &runs.each_ref().map(|runs| runs.of(|ran| ran.rate));
            let threads = threads.to_string();
            let params = [("net", name.as_str()), ("threads", threads.as_str())];
            let figures: [(&str, Figure); 3] = [
                ("answers a second", |ran| ran.rate),
                ("processor time an answer, us", |ran| ran.cost_us),
                ("questions a run", |ran| ran.rows),
            ];
            for (what, figure) in figures {
                let of = runs.each_ref().map(|runs| runs.of(figure));
                let figures = ["asked", "bare", "queue"].into_iter().zip(&of);
                let figures: Vec<_> = figures.filter(|(_, of)| !of.is_empty()).collect();
                bench.report(what, &params, &figures);
            }
            let promise = format!("{name}: {threads} asked, times as many bare");
            bench.verdict_least(&promise, &asked.over(bare), 0.9);
            for (what, times) in [
                ("a queue and bare threads, times bare", queue.over(bare)),
                ("asked, times a queue and bare threads", asked.over(queue)),
            ] {
                bench.report(what, &params, &[("times", &times)]);
            }
        }
    }
}

/// One figure of such.
type Figure = fn(&Ran) -> f64;

/// How a net was run.
struct Ran {
    /// Answers a second.
    rate: f64,
    /// Microseconds of processor time of each, whoever asks included.
    cost_us: f64,
    /// Questions a run.
    rows: f64,
}

/// A net, and questions with the answers that it gives to each alone.
struct Net {
    loaded: Arc<dyn Loaded>,
    questions: Vec<Buffer>,
    answers: Vec<Vec<f32>>,
}

impl Net {
    fn new(loaded: Arc<dyn Loaded>) -> Self {
        let len = loaded.signature().inputs[0].count().expect("a shape without questions");
        let mut state = 7_u64;
        let mut number = || {
            // xorshift64, from -1 to 1.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1_u32 << 23) as f32 - 1.0
        };
        let numbers: Vec<Vec<f32>> =
            (0..16).map(|_| (0..len).map(|_| number()).collect()).collect();
        let mut runner = loaded.runner().expect("it runs");
        let mut outputs = vec![Vec::new(); loaded.signature().outputs.len()];
        let alone = |numbers: &Vec<f32>| {
            runner.run(&[array(&loaded, 1, numbers.clone())], &mut outputs).expect("it runs");
            outputs[0].clone()
        };
        let answers = numbers.iter().map(alone).collect();
        let questions = numbers.iter().map(|numbers| buffer(numbers)).collect();
        Self { loaded, questions, answers }
    }

    /// Asks so many workers.
    fn asked(&self, threads: usize, span: Duration) -> Ran {
        let workers = Workers::new(threads);
        let model = Model::new("net", self.loaded.clone(), BATCH_MAX, &workers);
        let shape = array(&self.loaded, 1, Vec::new()).shape[1..].to_vec();
        let way = Way::new(model.signature(), 0, shape, &[], Box::new(First)).expect("a way");
        let door = model.door(way, Terms::default(), &[]).expect("a door");
        let runs = || model.tally().runs;
        self.answered(span, |question, reply| door.ask(question, reply), &runs)
    }

    /// Asks so many threads with nothing but a queue in between, which take what waits.
    fn handed_over(&self, threads: usize, span: Duration) -> Ran {
        let hand_over = HandOver::new(&self.loaded, threads, BATCH_MAX);
        let runs = || hand_over.runs();
        self.answered(span, |question, reply| hand_over.ask(question, reply), &runs)
    }

    /// Asks with so many open; `runs` says how many runs there were so far.
    fn answered(&self, span: Duration, ask: impl Fn(Buffer, Reply), runs: &dyn Fn() -> u64) -> Ran {
        let ask = |number: usize| {
            let (reply, awaited) = reply(None);
            ask(self.questions[number % self.questions.len()].clone(), reply);
            (number, awaited)
        };
        let mut open: VecDeque<_> = (0..OPEN).map(ask).collect();
        let mut next = OPEN;
        let mut go_on = |span: Duration| {
            let (before, runs_before) = (process::cpu_s("self"), runs());
            let (began, mut answered) = (Instant::now(), 0_u64);
            while began.elapsed() < span {
                let (number, awaited) = open.pop_front().expect("some are open");
                self.check(number, &awaited);
                answered += 1;
                open.push_back(ask(next));
                next += 1;
            }
            let (took_s, answered) = (began.elapsed().as_secs_f64(), answered as f64);
            Ran {
                rate: answered / took_s,
                cost_us: 1e6 * (process::cpu_s("self") - before) / answered,
                rows: answered / (runs() - runs_before) as f64,
            }
        };
        go_on(span / 4);
        go_on(span)
    }

    fn check(&self, number: usize, awaited: &Awaited) {
        let Outcome::Answer(Some(answer)) = awaited.wait(Duration::from_secs(60)) else {
            panic!("no answer")
        };
        self.compare(number, answer.floats());
    }

    fn compare(&self, number: usize, got: &[f32]) {
        let want = &self.answers[number % self.answers.len()];
        assert_eq!(got.len(), want.len());
        let near = |(got, want): (&f32, &f32)| (got - want).abs() <= 1e-4 * (1.0 + want.abs());
        assert!(got.iter().zip(want).all(near), "{got:?} for {want:?}");
    }

    /// Runs it on so many threads, each with a runner of its own, at the best batch size.
    fn bare(&self, threads: usize, span: Duration) -> Ran {
        let sizes: Vec<usize> = (0..).map(|n| 1 << n).take_while(|&n| n <= BATCH_MAX).collect();
        let part = span / sizes.len() as u32;
        let ran = |&rows: &usize| {
            let each: Vec<_> = thread::scope(|scope| {
                let each: Vec<_> =
                    (0..threads).map(|_| scope.spawn(move || self.bare_at(rows, part))).collect();
                each.into_iter().map(|one| one.join().expect("it runs")).collect()
            });
            let sum = |of: fn(&(f64, f64)) -> f64| each.iter().map(of).sum::<f64>();
            let (rate, cost_us) = (sum(|it| it.0), sum(|it| it.1) / threads as f64);
            Ran { rate, cost_us, rows: rows as f64 }
        };
        let best = sizes.iter().map(ran).max_by(|a, b| a.rate.total_cmp(&b.rate));
        best.expect("some size")
    }

    /// Answers a second, and microseconds of processor time of each.
    fn bare_at(&self, rows: usize, span: Duration) -> (f64, f64) {
        let mut runner = self.loaded.runner().expect("it runs");
        let numbers: Vec<f32> = (0..rows)
            .flat_map(|row| self.questions[row % self.questions.len()].floats().to_vec())
            .collect();
        let inputs = [array(&self.loaded, rows, numbers)];
        let mut outputs = vec![Vec::new(); self.loaded.signature().outputs.len()];
        for _ in 0..4 {
            runner.run(&inputs, &mut outputs).expect("it runs");
        }
        let (mut runs, began, before) = (0_u64, Instant::now(), process::thread_cpu_s());
        while began.elapsed() < span {
            runner.run(&inputs, &mut outputs).expect("it runs");
            runs += 1;
        }
        let answers = (runs * rows as u64) as f64;
        let rate = answers / began.elapsed().as_secs_f64();
        let cost_us = 1e6 * (process::thread_cpu_s() - before) / answers;
        let each = outputs[0].len() / rows;
        for (row, got) in outputs[0].chunks(each).enumerate() {
            self.compare(row, got);
        }
        (rate, cost_us)
    }
}

/// Gives the first output as it is.
struct First;

impl Rowwise for First {
    fn read(&self, row: &Row<'_>) -> Result<Answer, Fault> {
        Ok(buffer(row.output(0)).into())
    }
}

fn buffer(numbers: &[f32]) -> Buffer {
    Buffer::of_floats(numbers, numbers.len())
}

/// The net's input with so many questions.
fn array(loaded: &Arc<dyn Loaded>, rows: usize, numbers: Vec<f32>) -> Array {
    let mut shape = vec![rows];
    shape.extend(
        loaded.signature().inputs[0].question().iter().map(|len| len.expect("no open length")),
    );
    Array { shape, values: Values::F32(numbers) }
}
