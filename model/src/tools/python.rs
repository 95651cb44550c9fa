//! The Python that has ONNX Runtime's quantiser.

use std::{
    env,
    ffi::OsString,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{RecvTimeoutError, channel},
    thread,
    time::Duration,
};

use serde_json::Value;

use super::{trouble::Trouble, watch::Watch};

/// Which one to take, if somebody says so.
const CHOSEN: &str = "AFFERENT_PYTHON";
/// How often somebody who interrupts is heard.
const LOOK: Duration = Duration::from_millis(50);
const INSTALL: &str = "`python3 -m venv .venv && .venv/bin/pip install onnx onnxruntime`, or name a Python that has \
    both in AFFERENT_PYTHON";
/// Prints what is missing.
const ASK: &str = "import importlib.util as u; print(*[n for n in ('onnx', 'onnxruntime') if u.find_spec(n) is None])";

/// A Python that has `onnx` and `onnxruntime`: the one that is chosen, else that of an active or near virtual
/// environment, else the one in the path.
pub(super) fn find() -> Result<PathBuf, Trouble> {
    let mut tried = Vec::new();
    for python in candidates() {
        let shown = python.display();
        let output = Command::new(&python).args(["-c", ASK]).stdin(Stdio::null()).output();
        match output {
            Ok(output) if output.status.success() => {
                let missing = String::from_utf8_lossy(&output.stdout).trim().replace(' ', " and ");
                if missing.is_empty() {
                    return Ok(python);
                }
                tried.push(format!("`{shown}` lacks {missing}"));
            }
            Ok(_) => tried.push(format!("`{shown}` is no Python 3 that works")),
            Err(error) => tried.push(format!("`{shown}` does not start ({error})")),
        }
    }
    let tried = tried.join(", ");
    Err(Trouble::program(
        format!("quantising wants a Python with onnx and onnxruntime: {tried}"),
        INSTALL,
    ))
}

fn candidates() -> Vec<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value: &OsString| !value.is_empty());
    if let Some(chosen) = set(CHOSEN) {
        return vec![chosen.into()];
    }
    let inside = if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" };
    let active = set("VIRTUAL_ENV").map(PathBuf::from);
    let folders = active.into_iter().chain([".venv".into(), "venv".into()]);
    let mut found: Vec<PathBuf> =
        folders.map(|folder| folder.join(inside)).filter(|python| python.exists()).collect();
    found.push(if cfg!(windows) { "python" } else { "python3" }.into());
    found
}

/// Ends its process if it is dropped before that has ended.
struct Guarded(Child);

impl Drop for Guarded {
    fn drop(&mut self) {
        // It may have ended; then there is nothing to kill and little to wait for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a script that takes a JSON object on stdin and gives one on stdout.
pub(super) fn run(
    python: &Path,
    script: &str,
    asked: &Value,
    watch: &Watch<'_>,
) -> Result<Value, Trouble> {
    let shown = python.display();
    let failed = |why: String| Trouble::program(format!("`{shown}` {why}"), INSTALL);
    let child = Command::new(python)
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = Guarded(child.map_err(|error| failed(format!("does not start: {error}")))?);
    let mut stdin = child.0.stdin.take().expect("it is piped");
    // One that has died already says why on stderr.
    let _ = stdin.write_all(asked.to_string().as_bytes());
    drop(stdin);
    let (sender, receiver) = channel();
    let pipes: [Box<dyn Read + Send>; 2] = [
        Box::new(child.0.stdout.take().expect("it is piped")),
        Box::new(child.0.stderr.take().expect("it is piped")),
    ];
    for (number, mut pipe) in pipes.into_iter().enumerate() {
        let sender = sender.clone();
        thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = pipe.read_to_end(&mut bytes);
            // Whoever has given up does not hear it.
            let _ = sender.send((number, bytes));
        });
    }
    let mut said = [Vec::new(), Vec::new()];
    let mut open = said.len();
    while open > 0 {
        match receiver.recv_timeout(LOOK) {
            Ok((number, bytes)) => {
                said[number] = bytes;
                open -= 1;
            }
            Err(RecvTimeoutError::Timeout) => watch.goes_on()?,
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let status = child.0.wait().map_err(|error| failed(format!("is lost: {error}")))?;
    watch.goes_on()?;
    let [stdout, stderr] = said.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let answer = stdout.lines().last().and_then(|line| serde_json::from_str(line).ok());
    answer.ok_or_else(|| {
        let last = stderr.lines().rev().find(|line| !line.trim().is_empty());
        let why = last.map_or_else(|| status.to_string(), str::to_owned);
        failed(format!("ended without an answer: {why}"))
    })
}
