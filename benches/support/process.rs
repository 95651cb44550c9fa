//! What the system says about this machine and this process. Zero where it does not tell.

use std::time::Instant;

/// The processor, its cores and the load, in one line.
pub(crate) fn machine() -> String {
    let info = read("/proc/cpuinfo");
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name))
        .unwrap_or("an unknown processor");
    format!("{} cores of {model}, load {}", cores(), load())
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The load average of the last minute: above 0.5 before a run, the figures are disturbed.
pub(crate) fn load() -> f64 {
    let load = read("/proc/loadavg");
    load.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0.0)
}

/// Ticks of `/proc/stat` per second, on every Linux of today.
const TICKS_PER_S: f64 = 100.0;

/// Processor seconds of the machine, of this process with its ended children, and of others.
pub(crate) struct Usage {
    at: Instant,
    busy_s: f64,
    stolen_s: f64,
    own_s: f64,
}

impl Usage {
    /// All of them since the machine started.
    pub(crate) fn now() -> Self {
        let numbers = |text: &str| -> Vec<f64> {
            text.split_whitespace().filter_map(|word| word.parse().ok()).collect()
        };
        // user nice system idle iowait irq softirq steal …
        let all = numbers(read("/proc/stat").lines().next().unwrap_or_default());
        let of = |at: usize| all.get(at).copied().unwrap_or(0.0) / TICKS_PER_S;
        // The name, in brackets, may hold anything; utime stime cutime cstime are 11 numbers on.
        let stat = read("/proc/self/stat");
        let own = numbers(stat.rsplit(')').next().unwrap_or_default());
        Self {
            at: Instant::now(),
            busy_s: of(0) + of(1) + of(2) + of(5) + of(6),
            stolen_s: of(7),
            own_s: own.iter().skip(10).take(4).sum::<f64>() / TICKS_PER_S,
        }
    }

    /// Shares of the machine since then, in per cent: of other processes and of the hypervisor.
    pub(crate) fn others_pct(&self) -> (f64, f64) {
        let now = Self::now();
        let all_s = (now.at - self.at).as_secs_f64() * cores() as f64 / 100.0;
        let others_s = (now.busy_s - self.busy_s) - (now.own_s - self.own_s);
        // Ticks are coarse: over a short span the difference may be off by a few.
        ((others_s / all_s).clamp(0.0, 100.0), (now.stolen_s - self.stolen_s) / all_s)
    }
}

/// Resident memory of a process in bytes; `self` or a number.
pub(crate) fn rss_bytes(process: &str) -> f64 {
    memory_bytes(process, "Rss:")
}

/// As [`rss_bytes`], with what it shares with others divided among them.
pub(crate) fn pss_bytes(process: &str) -> f64 {
    memory_bytes(process, "Pss:")
}

fn memory_bytes(process: &str, key: &str) -> f64 {
    let memory = read(&format!("/proc/{process}/smaps_rollup"));
    let line = memory.lines().find_map(|line| line.strip_prefix(key));
    let kib: f64 = line
        .and_then(|line| line.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0.0);
    kib * 1_024.0
}

/// Number of threads of a process.
pub(crate) fn threads(process: &str) -> usize {
    std::fs::read_dir(format!("/proc/{process}/task")).map_or(0, Iterator::count)
}

/// Processor seconds that all threads of a process that are alive have had.
pub(crate) fn cpu_s(process: &str) -> f64 {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{process}/task")) else { return 0.0 };
    let of = |task: std::fs::DirEntry| {
        let text = read(task.path().join("schedstat").to_str()?);
        text.split_whitespace().next()?.parse::<f64>().ok()
    };
    tasks.filter_map(Result::ok).filter_map(of).sum::<f64>() / 1e9
}

/// How often threads of a process have given the processor up, to be woken later.
pub(crate) fn wake_ups(process: &str) -> f64 {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{process}/task")) else { return 0.0 };
    let of = |task: std::fs::DirEntry| {
        let text = read(task.path().join("status").to_str()?);
        let line = text.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        line.trim().parse::<f64>().ok()
    };
    tasks.filter_map(Result::ok).filter_map(of).sum()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Processor seconds the calling thread has had; a tick of the scheduler (4 ms) behind at most.
pub(crate) fn thread_cpu_s() -> f64 {
    let text = read("/proc/thread-self/schedstat");
    text.split_whitespace().next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}

/// Lets another process run for a while, to see what it uses meanwhile.
#[expect(clippy::disallowed_methods, reason = "there is nothing of another process to wait on")]
pub(crate) fn let_run(span: std::time::Duration) {
    std::thread::sleep(span);
}
