//! What remains of a net's speed when others ask for it: answers a second of nets in ONNX files, asked through the
//! host with 64 questions open, beside a bare loop over the same runtime at its best batch size.
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
    Answer, Buffer, Fault,
    testing::{Awaited, Outcome, reply},
};
use model::{
    backend::{Array, Loaded, Options, Values, load, onnxruntime},
    host::{Door, Model, Row, Rowwise, Terms, Way, Workers},
};
use support::Bench;

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
            let [asked, bare] = bench.interleaved([
                ("asked", &mut || net.asked(threads, span)),
                ("bare", &mut || net.bare(threads, span)),
            ]);
            let (asked, bare) = (asked.of(|&rate| rate), bare.of(|&rate| rate));
            let threads = threads.to_string();
            let params = [("net", name.as_str()), ("threads", threads.as_str())];
            bench.report("answers a second", &params, &[("asked", &asked), ("bare", &bare)]);
            let promise = format!("{name}: {threads} asked, times as many bare");
            bench.verdict_least(&promise, &asked.over(&bare), 0.9);
        }
    }
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

    /// Answers a second, of so many workers.
    fn asked(&self, threads: usize, span: Duration) -> f64 {
        let workers = Workers::new(threads);
        let model = Model::new("net", self.loaded.clone(), BATCH_MAX, &workers);
        let shape = array(&self.loaded, 1, Vec::new()).shape[1..].to_vec();
        let way = Way::new(model.signature(), 0, shape, &[], Box::new(First)).expect("a way");
        let door = model.door(way, Terms::default(), &[]).expect("a door");
        let mut open: VecDeque<_> = (0..OPEN).map(|n| self.ask(&door, n)).collect();
        let (mut next, mut warm_until) = (OPEN, Some(Instant::now() + span / 4));
        let (mut began, mut answered) = (Instant::now(), 0_u64);
        loop {
            let (number, awaited) = open.pop_front().expect("some are open");
            self.check(number, &awaited);
            answered += 1;
            open.push_back(self.ask(&door, next));
            next += 1;
            let now = Instant::now();
            if warm_until.is_some_and(|until| now >= until) {
                (warm_until, began, answered) = (None, now, 0);
            }
            if warm_until.is_none() && now - began >= span {
                break;
            }
        }
        answered as f64 / began.elapsed().as_secs_f64()
    }

    fn ask(&self, door: &Door, number: usize) -> (usize, Awaited) {
        let (reply, awaited) = reply(None);
        door.ask(self.questions[number % self.questions.len()].clone(), reply);
        (number, awaited)
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

    /// Answers a second of so many threads, each with a runner of its own, at the best batch size.
    fn bare(&self, threads: usize, span: Duration) -> f64 {
        let sizes: Vec<usize> = (0..).map(|n| 1 << n).take_while(|&n| n <= BATCH_MAX).collect();
        let part = span / sizes.len() as u32;
        let rate = |&rows: &usize| {
            thread::scope(|scope| {
                let each: Vec<_> =
                    (0..threads).map(|_| scope.spawn(move || self.bare_at(rows, part))).collect();
                each.into_iter().map(|one| one.join().expect("it runs")).sum::<f64>()
            })
        };
        sizes.iter().map(rate).fold(0.0, f64::max)
    }

    fn bare_at(&self, rows: usize, span: Duration) -> f64 {
        let mut runner = self.loaded.runner().expect("it runs");
        let numbers: Vec<f32> = (0..rows)
            .flat_map(|row| self.questions[row % self.questions.len()].floats().to_vec())
            .collect();
        let inputs = [array(&self.loaded, rows, numbers)];
        let mut outputs = vec![Vec::new(); self.loaded.signature().outputs.len()];
        for _ in 0..4 {
            runner.run(&inputs, &mut outputs).expect("it runs");
        }
        let (mut runs, began) = (0_u64, Instant::now());
        while began.elapsed() < span {
            runner.run(&inputs, &mut outputs).expect("it runs");
            runs += 1;
        }
        let rate = (runs * rows as u64) as f64 / began.elapsed().as_secs_f64();
        let each = outputs[0].len() / rows;
        for (row, got) in outputs[0].chunks(each).enumerate() {
            self.compare(row, got);
        }
        rate
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
