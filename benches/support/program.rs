//! The program `afferent` as a process of its own, and what its counters say. A bench is the program it measures: it
//! calls itself.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

/// Says that this process is to be `afferent`.
pub(crate) const AS_PROGRAM: &str = "AFFERENT_BENCH_AS_PROGRAM";

/// A process that ends with what it is for.
pub(crate) struct Helper(pub(crate) Child);

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The program with these words, without a sound.
pub(crate) fn program(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a bench is a program"));
    command.args(words).current_dir(folder);
    command.env(AS_PROGRAM, "1").env("XDG_RUNTIME_DIR", folder);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// What is counted.
pub(crate) struct Counts {
    pub(crate) at_s: f64,
    pub(crate) frames: f64,
    /// Ends of steps in nanoseconds, and how many fell into each.
    pub(crate) steps: Vec<(f64, f64)>,
}

/// What a running process has counted by now, by its socket.
pub(crate) fn counted(folder: &Path, id: &str) -> Counts {
    let told = program(folder, &["top", id, "--json"]).stdout(Stdio::piped()).output();
    let told = told.expect("the program can be run");
    let told: Value = serde_json::from_slice(&told.stdout).expect("an object");
    let counts = &told["counts"];
    let number = |value: &Value| value.as_f64().expect("a number");
    let sink = &counts["sinks"][0];
    let steps = sink["latency"]["steps"].as_array().expect("steps").iter();
    Counts {
        at_s: number(&counts["at_s"]),
        frames: number(&sink["frames"]),
        steps: steps.map(|step| (number(&step[0]), number(&step[1]))).collect(),
    }
}

/// The latency that `share` of what was counted between two looks does not exceed, in nanoseconds.
pub(crate) fn quantile(before: &[(f64, f64)], after: &[(f64, f64)], share: f64) -> f64 {
    let known =
        |end: f64| before.iter().find(|(at, _)| *at == end).map_or(0.0, |(_, count)| *count);
    let steps: Vec<(f64, f64)> =
        after.iter().map(|(end, count)| (*end, count - known(*end))).collect();
    let rank = share * steps.iter().map(|(_, count)| count).sum::<f64>();
    let (mut seen, mut start) = (0.0, 0.0_f64);
    for (end, count) in steps {
        // A step is as wide as 1/32 of the factor of two it lies in.
        let width = 2.0_f64.powf((end * (1.0 - 1e-9)).log2().floor()) / 32.0;
        if seen + count >= rank && count > 0.0 {
            let start = start.max(end - width);
            return start + (end - start) * (rank - seen) / count;
        }
        seen += count;
        start = end;
    }
    f64::NAN
}
