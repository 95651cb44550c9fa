//! What the system says about this machine and this process. Zero where it does not tell.

/// The processor, its cores and the load, in one line.
pub(crate) fn machine() -> String {
    let info = read("/proc/cpuinfo");
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name))
        .unwrap_or("an unknown processor");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{cores} cores of {model}, {}", load())
}

/// The load average of the last minute: above 0.5 before a run, the figures are disturbed.
pub(crate) fn load() -> String {
    let load = read("/proc/loadavg");
    format!("load {}", load.split_whitespace().next().unwrap_or("unknown"))
}

/// Resident memory of a process in bytes; `self` or a number.
pub(crate) fn rss_bytes(process: &str) -> f64 {
    let status = read(&format!("/proc/{process}/status"));
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: f64 = line
        .and_then(|line| line.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0.0);
    kib * 1_024.0
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
