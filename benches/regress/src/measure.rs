//! One run of a program, measured from outside.
//!
//! The system tells what all ended children of a process have used together, and the most memory that
//! any of them had. So every run has a process of its own between it and us, which starts one
//! program and tells: ours, called with `one`. Both stand in a process group of their own, so that
//! they can be ended together and Ctrl-C reaches us alone.

use std::{
    fs::File,
    io::Read as _,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{RecvTimeoutError, channel},
    },
    time::{Duration, Instant},
};

use nix::{
    sys::{
        resource::{UsageWho, getrusage},
        signal::{Signal, killpg},
    },
    unistd::Pid,
};
use serde_json::{Value, json};

use crate::{answer::Answer, judge::Ratios, trouble::Trouble};

/// A run takes a fraction of a second, ten times that on a busy machine, and fifty times that under callgrind.
pub(crate) const RUN_MOST: Duration = Duration::from_secs(300);
/// How soon Ctrl-C is seen.
const LOOK: Duration = Duration::from_millis(100);

/// What one run used and answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Used {
    pub(crate) cpu_s: f64,
    pub(crate) wall_s: f64,
    pub(crate) memory_kib: f64,
    pub(crate) answer: Answer,
}

impl Used {
    /// Logarithms of its figures through another's.
    pub(crate) fn over(&self, other: &Self) -> Ratios {
        let figures = |used: &Self| [used.cpu_s, used.wall_s, used.memory_kib];
        let (mine, others) = (figures(self), figures(other));
        std::array::from_fn(|n| (mine[n] / others[n]).ln())
    }
}

/// The process between: runs a command so many times and tells what it used.
pub(crate) fn one(times: u32, output: &Path, command: &[String]) -> Result<Value, String> {
    let began = Instant::now();
    for _ in 0..times {
        let out = File::create(output).map_err(|error| error.to_string())?;
        let mut child = Command::new(&command[0]);
        // What runs before `main` depends on the size of the environment, and so does where the stack lies.
        child.args(&command[1..]).env_clear().stdin(Stdio::null()).stdout(out);
        let ended = child.output().map_err(|error| format!("{}: {error}", command[0]))?;
        if !ended.status.success() {
            let said = String::from_utf8_lossy(&ended.stderr);
            return Err(format!("ended with {}: {}", ended.status, said.trim()));
        }
    }
    let wall_s = began.elapsed().as_secs_f64();
    let used = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|error| error.to_string())?;
    let seconds = |time: nix::sys::time::TimeVal| {
        time.tv_sec() as f64 + f64::from(i32::try_from(time.tv_usec()).unwrap_or(0)) / 1e6
    };
    let text = std::fs::read(output).map_err(|error| error.to_string())?;
    let answer = Answer::of(&String::from_utf8_lossy(&text));
    Ok(json!({
        "cpu_s": seconds(used.user_time()) + seconds(used.system_time()),
        "wall_s": wall_s,
        "memory_kib": used.max_rss(),
        "lines": answer.lines,
        "bits": answer.bits,
        "words": answer.words,
        "sum": answer.sum,
        "size": answer.size,
    }))
}

fn used(told: &Value) -> Option<Used> {
    let number = |key: &str| told.get(key)?.as_f64();
    let whole = |key: &str| told.get(key)?.as_u64();
    let answer = Answer {
        lines: whole("lines")?,
        bits: whole("bits")?,
        words: whole("words")?,
        sum: number("sum")?,
        size: number("size")?,
    };
    Some(Used {
        cpu_s: number("cpu_s")?,
        wall_s: number("wall_s")?,
        memory_kib: number("memory_kib")?,
        answer,
    })
}

/// Where runs take place.
pub(crate) struct Place<'a> {
    /// This program.
    ours: PathBuf,
    /// What a run reads and writes is here.
    pub(crate) folder: PathBuf,
    output: PathBuf,
    interrupted: &'a AtomicBool,
}

impl<'a> Place<'a> {
    /// In a folder that is ours.
    pub(crate) fn new(folder: &Path, interrupted: &'a AtomicBool) -> Result<Self, Trouble> {
        let ours = std::env::current_exe()
            .map_err(|error| Trouble::Machine(format!("where this program is: {error}")))?;
        let (folder, output) = (folder.to_owned(), folder.join("answer"));
        Ok(Self { ours, folder, output, interrupted })
    }

    /// Runs a program so many times in a row.
    pub(crate) fn run(
        &self,
        program: &Path,
        words: &[String],
        times: u32,
    ) -> Result<Result<Used, String>, Trouble> {
        let mut command = Command::new(&self.ours);
        command.arg("one").arg(times.to_string()).arg(&self.output).arg(program).args(words);
        let (succeeded, told, said) = self.watch(&mut command, RUN_MOST)?;
        if !succeeded {
            return Ok(Err(said));
        }
        let told = serde_json::from_str(&told).ok().as_ref().and_then(used);
        told.map(Ok).ok_or_else(|| Trouble::Machine("a run told nothing".to_owned()))
    }

    /// Runs a command in a process group of its own until it ends, takes too long or Ctrl-C is pressed: whether it
    /// succeeded, and what it wrote to both streams.
    pub(crate) fn watch(
        &self,
        command: &mut Command,
        most: Duration,
    ) -> Result<(bool, String, String), Trouble> {
        self.follow(command.stderr(Stdio::piped()), most)
    }

    /// As [`Place::watch`]; what it says on stderr goes where the command says.
    pub(crate) fn follow(
        &self,
        command: &mut Command,
        most: Duration,
    ) -> Result<(bool, String, String), Trouble> {
        let child =
            command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(
                |error| Trouble::Machine(format!("{:?}: {error}", command.get_program())),
            )?;
        let group = Pid::from_raw(child.id().cast_signed());
        let end = || {
            // It may have ended by itself meanwhile.
            let _ = killpg(group, Signal::SIGKILL);
        };
        let began = Instant::now();
        let (tell, told) = channel();
        let reader = std::thread::spawn(move || drop(tell.send(wait(child))));
        let ended = loop {
            match told.recv_timeout(LOOK) {
                Ok(ended) => break ended,
                Err(RecvTimeoutError::Disconnected) => break Err("its reader panicked".to_owned()),
                Err(RecvTimeoutError::Timeout) if self.interrupted.load(Ordering::Relaxed) => {
                    end();
                    drop(reader.join());
                    return Err(Trouble::Interrupted);
                }
                Err(RecvTimeoutError::Timeout) if began.elapsed() > most => {
                    end();
                    drop(reader.join());
                    return Ok((false, String::new(), format!("not through after {most:?}")));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        };
        drop(reader.join());
        ended.map_err(Trouble::Machine)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        // Nothing may have run.
        let _ = std::fs::remove_file(&self.output);
    }
}

/// What a process says until it ends.
fn wait(mut child: Child) -> Result<(bool, String, String), String> {
    let said = child.stderr.take();
    let errors = std::thread::spawn(move || {
        let mut text = Vec::new();
        drop(said.map(|mut said| said.read_to_end(&mut text)));
        String::from_utf8_lossy(&text).into_owned()
    });
    let mut text = Vec::new();
    let out = child.stdout.as_mut().expect("piped");
    out.read_to_end(&mut text).map_err(|error| error.to_string())?;
    let status = child.wait().map_err(|error| error.to_string())?;
    let errors = errors.join().unwrap_or_default();
    Ok((status.success(), String::from_utf8_lossy(&text).into_owned(), errors))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a process is there and has not ended.
    fn lives(id: &str) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z"))
    }

    /// A shell that starts another process, tells which in a file, and waits for it.
    fn waiting(file: &Path) -> Command {
        let mut shell = Command::new("sh");
        let script =
            format!("sleep 1000 & echo $! > {0}.half; mv {0}.half {0}; wait", file.display());
        shell.args(["-c", &script]);
        shell
    }

    fn id_in(file: &Path) -> String {
        loop {
            match std::fs::read_to_string(file) {
                Ok(id) => return id.trim().to_owned(),
                Err(_) => std::thread::yield_now(),
            }
        }
    }

    fn empty(name: &str) -> PathBuf {
        let name = format!("afferent-regress-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("a folder for the test");
        folder
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn ctrl_c_ends_all_that_a_run_has_started() {
        let folder = empty("ends");
        let file = folder.join("id");
        let interrupted = AtomicBool::new(false);
        let place = Place::new(&folder, &interrupted).expect("we are somewhere");

        let (ended, id) = std::thread::scope(|threads| {
            let run = threads.spawn(|| place.watch(&mut waiting(&file), RUN_MOST));
            let id = id_in(&file);
            assert!(lives(&id), "it runs");
            interrupted.store(true, Ordering::Relaxed);
            (run.join().expect("no panic"), id)
        });

        assert!(matches!(ended, Err(Trouble::Interrupted)), "{ended:?}");
        // It is killed before its pipes are closed, which we waited for, and gone a little after.
        let gone = (0..100_000).any(|_| {
            std::thread::yield_now();
            !lives(&id)
        });
        assert!(gone, "{id} runs on");
        std::fs::remove_dir_all(folder).expect("it was made");
    }

    #[test]
    fn what_hangs_is_ended_and_told() {
        let folder = empty("hangs");
        let interrupted = AtomicBool::new(false);
        let place = Place::new(&folder, &interrupted).expect("we are somewhere");

        let ended = place.watch(Command::new("sleep").arg("1000"), Duration::ZERO);

        let (succeeded, _, said) = ended.expect("no trouble");
        assert!(!succeeded && said.contains("not through after"), "{said}");
        std::fs::remove_dir_all(folder).expect("it was made");
    }

    #[test]
    fn a_run_tells_what_it_used_and_answered() {
        let folder = empty("tells");
        let words = ["sh", "-c", "echo 1; echo 2"].map(str::to_owned);

        let told = one(3, &folder.join("answer"), &words).expect("it succeeds");

        let used = used(&told).expect("all of it is told");
        assert_eq!(used.answer.lines, 2, "of the last of three");
        assert!(used.wall_s > 0.0 && used.memory_kib > 0.0, "{used:?}");
        std::fs::remove_dir_all(folder).expect("it was made");
    }

    #[test]
    fn a_run_that_fails_says_why() {
        let folder = empty("fails");
        let words = ["sh", "-c", "echo no such kind >&2; exit 78"].map(str::to_owned);

        let said = one(1, &folder.join("answer"), &words).expect_err("it fails");

        assert!(said.contains("78") && said.contains("no such kind"), "{said}");
        std::fs::remove_dir_all(folder).expect("it was made");
    }
}
