//! Starting `afferent` and hearing what it says.

use std::{
    ffi::OsStr,
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

/// Anything a test waits for takes a fraction of this, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program that was built with these tests.
pub(crate) fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("a test is a program");
    let profile = test.parent().and_then(Path::parent).expect("tests lie in target/*/deps");
    let binary = profile.join(format!("afferent{}", std::env::consts::EXE_SUFFIX));
    assert!(
        binary.exists(),
        "there is no {}: `cargo build -p afferent-cli` with the profile of this test makes it",
        binary.display()
    );
    binary
}

/// What a run left behind.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

/// Runs `afferent` to its end in `folder`.
pub(crate) fn afferent(folder: &Folder, arguments: &[&str]) -> Ended {
    afferent_with(folder, arguments, &[])
}

/// As [`afferent`], with these variables in its environment.
pub(crate) fn afferent_with(
    folder: &Folder,
    arguments: &[&str],
    variables: &[(&str, &OsStr)],
) -> Ended {
    let start = Instant::now();
    let mut command = command(folder, arguments);
    command.envs(variables.iter().copied()).stdin(Stdio::null());
    let Output { status, stdout, stderr } = command.output().expect("the program starts");
    Ended {
        code: status.code(),
        stdout: String::from_utf8(stdout).expect("stdout is text"),
        stderr: String::from_utf8(stderr).expect("stderr is text"),
        took: start.elapsed(),
    }
}

/// Starts `afferent` in `folder` with pipes at all its ends.
pub(crate) fn start(folder: &Folder, arguments: &[&str]) -> Child {
    start_with(folder, arguments, &[])
}

/// As [`start`], with these variables in its environment.
pub(crate) fn start_with(
    folder: &Folder,
    arguments: &[&str],
    variables: &[(&str, &OsStr)],
) -> Child {
    command(folder, arguments)
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
}

pub(crate) fn command(folder: &Folder, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments).current_dir(&folder.0).env_remove("NO_COLOR");
    // Keys and peers of whoever runs the tests are left alone.
    command.env("AFFERENT_HOME", folder.0.join("home"));
    command
}

/// Waits for the end of a program; one that does not end is killed and fails the test.
#[expect(clippy::disallowed_methods, reason = "std cannot wait for a process with a limit")]
pub(crate) fn end_of(child: &mut Child) -> (ExitStatus, String) {
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("it is our child") {
            break status;
        }
        if start.elapsed() > PATIENCE {
            let _ = child.kill();
            panic!("the program does not end");
        }
        thread::sleep(Duration::from_millis(5));
    };
    let mut stderr = String::new();
    if let Some(mut pipe) = child.stderr.take() {
        pipe.read_to_string(&mut stderr).expect("stderr is text");
    }
    (status, stderr)
}

/// A folder of one test's own, gone with it.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    /// A folder with these files.
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("afferent-test-{}-{number}", std::process::id());
        let this = Self(std::env::temp_dir().join(name));
        fs::create_dir_all(&this.0).expect("there is room for a folder");
        for (name, text) in files {
            fs::write(this.0.join(name), text).expect("there is room for a file");
        }
        this
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Twenty seconds of the built-in heart.
pub(crate) const HEART: &str = r#"
[graph]
name = "heart"
deadline_ms = 500

[node.ecg]
op = "ecg"
seconds = 20.0

[node.clean]
op = "bandpass"
from = "ecg"
low_hz = 5.0
high_hz = 15.0

[node.beats]
op = "qrs"
from = "clean"

[node.out]
op = "jsonl"
from = "beats"
"#;
