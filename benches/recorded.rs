//! What it costs a graph to be recorded, all of it.
//!
//! 2 848 frames a second of 1 024 samples through eight operators on one core: nine outputs, 105 MB a second, to a file in
//! the folder of temporary files. The sink is off the data core, as what writes to a disk is. Throughput and latency are
//! those of the seconds between two looks, from the counters that anybody can read; a quantile is interpolated inside its
//! step of 3 %. At the end the process is interrupted, and the recording is looked through: nothing may be missing, and
//! every sample is judged. Where cores are few, what is written takes them from the graph whoever writes it, so the graph is run
//! beside a stranger as well: a thread of another process that writes as much to a file of its own and knows nothing of the graph. This program is what it measures: it calls itself as `afferent`.

mod support;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{ExitCode, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use operators::files::mcap::{End, Recording, read::Item};
use support::{
    Bench, Runs,
    graph::{Chain, uncut},
    kinds::KINDS,
    process,
    program::{AS_PROGRAM, Helper, counted, program, quantile},
};

const FRAME_LEN: usize = 1_024;
const FRAMES_PER_S: f64 = 2_848.0;
const OPERATORS: usize = 8;

fn main() -> ExitCode {
    if std::env::var_os(AS_PROGRAM).is_some() {
        return afferent::main(KINDS);
    }
    let bench = Bench::start("recorded");
    let folder = std::env::temp_dir().join(format!("afferent-recorded-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the graph");
    std::fs::write(folder.join("chain.toml"), text()).expect("the graph can be written");
    let span = Duration::from_millis(bench.scale(4_000, 300) as u64);
    let [plain, recorded, beside] = bench.interleaved([
        ("nobody looks", &mut || run(&folder, span, false)),
        ("all edges recorded", &mut || run(&folder, span, true)),
        ("beside a stranger", &mut || {
            let _stranger = Stranger::start(&folder);
            run(&folder, span, false)
        }),
    ]);
    let p99 = |runs: &Runs<Ran>| runs.of(|run| run.p99_us);
    for (variant, runs) in [
        ("nobody looks", &plain),
        ("all edges recorded", &recorded),
        ("beside a stranger", &beside),
    ] {
        bench.report(
            "recorded",
            &[("variant", variant)],
            &[
                ("frames_per_s", &runs.of(|run| run.frames_per_s)),
                ("p50_us", &runs.of(|run| run.p50_us)),
                ("p99_us", &p99(runs)),
                ("cpu_pct", &runs.of(|run| run.cpu_pct)),
                ("mb_per_s", &runs.of(|run| run.mb_per_s)),
            ],
        );
    }
    bench.verdict("p99 recorded, to that without", &p99(&recorded).over(&p99(&plain)), 1.03);
    let ratio = p99(&beside).over(&p99(&plain));
    bench.report("p99 beside a stranger, to that without", &[], &[("times", &ratio)]);
    let ratio = p99(&recorded).over(&p99(&beside));
    bench.report("p99 recorded, to that beside a stranger", &[], &[("times", &ratio)]);
    let _ = std::fs::remove_dir_all(&folder);
    ExitCode::SUCCESS
}

fn text() -> String {
    let rate_hz = FRAMES_PER_S * FRAME_LEN as f64;
    let chain = Chain {
        source: &format!(
            "op = \"bench_ramp\"\nrate_hz = {rate_hz:?}\nframes = 1_000_000_000_000\n\
             frame_len = {FRAME_LEN}"
        ),
        node: "op = \"bench_add\"",
        count: OPERATORS,
        sink: "op = \"bench_taken_off\"",
        stage: uncut,
    };
    chain.text()
}

/// Writes as much as a recording of the graph, to a file of its own.
struct Stranger {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    path: PathBuf,
}

impl Stranger {
    fn start(folder: &Path) -> Self {
        let path = folder.join("stranger");
        let mut file = std::fs::File::create(&path).expect("there is room");
        let is_over = Arc::<AtomicBool>::default();
        let over = is_over.clone();
        let writes = move || {
            // As whoever records.
            let _ = rustix::process::nice(5);
            let a_second = FRAMES_PER_S * (FRAME_LEN * size_of::<f32>() * (OPERATORS + 1)) as f64;
            let bytes = vec![7; 1 << 20];
            let (began, mut written) = (Instant::now(), 0.0);
            while !over.load(Ordering::Relaxed) {
                let due = began.elapsed().as_secs_f64() * a_second - written;
                let due = &bytes[..(due as usize).min(bytes.len())];
                file.write_all(due).expect("there is room");
                written += due.len() as f64;
                if due.len() < bytes.len() {
                    process::let_run(Duration::from_millis(5));
                }
            }
        };
        Self { is_over, thread: Some(std::thread::spawn(writes)), path }
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("no panic");
        }
        let _ = std::fs::remove_file(&self.path);
    }
}

#[derive(Clone, Copy)]
struct Ran {
    frames_per_s: f64,
    p50_us: f64,
    p99_us: f64,
    /// Of the whole process, the thread that writes included.
    cpu_pct: f64,
    mb_per_s: f64,
}

fn run(folder: &Path, span: Duration, is_recorded: bool) -> Ran {
    let out = folder.join("all.mcap");
    let mut words = vec!["run", "chain.toml", "--cores", "1"];
    if is_recorded {
        words[0] = "record";
        words.extend(["--all", "--force", "--out", "all.mcap"]);
    }
    let child = program(folder, &words).stderr(Stdio::piped()).spawn();
    let mut child = Helper(child.expect("the program can be run"));
    let id = child.0.id().to_string();
    process::let_run(Duration::from_millis(300) + span / 4);
    let before = counted(folder, &id);
    let written = || std::fs::metadata(&out).map_or(0, |file| file.len()) as f64 / 1e6;
    let (cpu_before, mb_before) = (process::cpu_s(&id), written());
    let began = Instant::now();
    process::let_run(span);
    let (cpu_s, mb) = (process::cpu_s(&id) - cpu_before, written() - mb_before);
    let lasted_s = began.elapsed().as_secs_f64();
    let after = counted(folder, &id);
    let pid = i32::try_from(child.0.id()).ok().and_then(rustix::process::Pid::from_raw);
    let pid = pid.expect("it runs");
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it is ours");
    let status = child.0.wait().expect("a child");
    assert!(status.success(), "it ends well, and with a recording that lacks nothing");
    if is_recorded {
        judge(&out, after.frames as u64);
    }
    Ran {
        frames_per_s: (after.frames - before.frames) / (after.at_s - before.at_s),
        p50_us: quantile(&before.steps, &after.steps, 0.5) / 1e3,
        p99_us: quantile(&before.steps, &after.steps, 0.99) / 1e3,
        cpu_pct: 100.0 * cpu_s / lasted_s,
        mb_per_s: if is_recorded { mb / lasted_s } else { 0.0 },
    }
}

/// Every sample of frame n is n at the source, and one more behind each operator.
fn judge(path: &Path, least: u64) {
    let recording = Recording::open(path).expect("it can be read");
    assert!(recording.end == End::Whole && recording.is_complete());
    assert_eq!(recording.outputs.len(), OPERATORS + 1, "all of them");
    let frames = recording.outputs[0].counts.frames;
    assert!(frames >= least, "{frames} of {least}");
    assert!(recording.outputs.iter().all(|output| output.counts.frames == frames));
    let all: Vec<usize> = (0..=OPERATORS).collect();
    let mut player = recording.play(&all).expect("it can be read");
    let mut next = vec![0_i64; all.len()];
    while let Some((output, item)) = player.read_next().expect("it is whole") {
        let Item::Frame(told) = item else { continue };
        let frame = told.frame;
        assert_eq!((frame.header.seq as i64, frame.len()), (next[output], FRAME_LEN));
        let wanted = (next[output] + output as i64) as f32;
        assert!(frame.samples().iter().all(|&sample| sample == wanted), "output {output}");
        next[output] += 1;
    }
    assert!(next.iter().all(|&count| count as u64 == frames));
}
