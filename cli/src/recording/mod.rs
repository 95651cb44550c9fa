//! What `afferent record` does beside a run: taps at its outputs, and a thread that writes what they show to an MCAP
//! file.
//!
//! ```text
//! outputs ──▶ taps ═rings═▶ Recorder (a thread) ──▶ Writer ──▶ disk
//! ```
//!
//! Nobody in the graph waits for it, but for a run at full speed without a device, in which nothing can be late. What
//! taps have no room for, because the disk is slow, and what the disk has no room for, is missing in the recording;
//! what is there next says how much, and so do the end of the recording, the screen, the summary and the exit code.

mod about;
mod recorder;
mod topic;

use std::{
    fs::{File, OpenOptions},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use engine::{Onlooker, Output, Plan, Tap, TapLimits, counted, tap};
use operators::files::mcap::{Disk, Writer};

use crate::{
    catalog::catalog,
    exit::{Exit, Failure},
    status::Screen,
    summary::Ending,
};

pub(crate) use about::About;
use recorder::Recorder;
use topic::Topic;

/// What is to be recorded, and where.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) path: PathBuf,
    /// Outputs by their labels; without any, those of sources.
    pub(crate) edges: Vec<String>,
    /// Every output.
    pub(crate) all: bool,
    /// What stands in the file may go.
    pub(crate) force: bool,
}

/// What may wait for the disk, all outputs together; it is taken only while the disk is behind.
const WAITING_BYTES: usize = 256 << 20;
const WAITING_BYTES_MIN: usize = 1 << 20;
const WAITING_BYTES_MAX: usize = 128 << 20;
/// Frames and bounds that may wait at an output: so many seconds of them.
const WAITING_S: f64 = 4.0;
const WAITING_FRAMES: std::ops::RangeInclusive<usize> = 1_024..=65_536;
/// At full speed a run waits so long for the disk, a frame.
const PATIENCE: Duration = Duration::from_secs(2);
/// Outputs of all sessions together.
const OUTPUTS_MAX: usize = 4_096;

/// Taps as they are opened: session, label, the tap.
type Opened = Arc<Mutex<Vec<(u32, String, Tap)>>>;

/// How much of an output may wait, if it is recorded.
type Limits = dyn Fn(&Output<'_>) -> Option<TapLimits> + Send + Sync;

/// A recording that goes on.
pub(crate) struct Recording {
    path: PathBuf,
    /// Whether there was nothing before.
    is_new: bool,
    /// How many outputs.
    outputs: usize,
    ended: Arc<Mutex<Option<String>>>,
    is_over: Arc<AtomicBool>,
    opened: Opened,
    limits: Arc<Limits>,
    recorder: Option<Recorder>,
    thread: Option<JoinHandle<Recorded>>,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    pub(crate) frames: u64,
    pub(crate) missed: u64,
    pub(crate) bytes: u64,
    /// Why it has no end.
    pub(crate) cut: Option<String>,
}

impl Recorded {
    /// Whether nothing is missing.
    pub(crate) fn is_complete(&self) -> bool {
        self.missed == 0 && self.cut.is_none()
    }
}

impl Recording {
    /// Makes the file and writes what is known before the start.
    pub(crate) fn begin(
        wanted: &Wanted,
        plan: &Plan,
        sessions: u32,
        speed: Option<f64>,
        about: &About,
    ) -> Result<Self, Failure> {
        let chosen = chosen(wanted, plan)?;
        let outputs = chosen.len() * sessions as usize;
        if outputs > OUTPUTS_MAX {
            let message = format!(
                "{} of {} are more than the {OUTPUTS_MAX} that a recording holds",
                counted(chosen.len(), "output"),
                counted(sessions, "session")
            );
            return Err(Failure::new(
                Exit::Usage,
                &message,
                "record fewer `--edges` or `--sessions`",
            ));
        }
        let is_paced = speed.is_some() || plan.outputs().any(|output| is_live(&output));
        let origin_ns = about.origin_ns;
        let topics: Vec<Topic> = (0..sessions)
            .flat_map(|session| {
                plan.outputs()
                    .filter(|output| chosen.contains(&output.label()))
                    .map(move |output| Topic::new(session, &output, is_live(&output), origin_ns))
            })
            .collect();
        if let Some(said) = wanted.path.to_str().and_then(|path| plan.file_taken(path)) {
            let message =
                format!("the recording would replace `{}`, which {said}", wanted.path.display());
            return Err(Failure::new(Exit::Usage, &message, "name another file"));
        }
        let (file, is_new) = create(wanted)?;
        let (schemas, channels) = topic::described(&topics, sessions > 1);
        let writer =
            Writer::begin(Disk(file), &schemas, &channels, &about.metadata(plan, sessions, speed));
        let writer = writer.map_err(|error| unwritable(&wanted.path, &error))?;
        let each = (WAITING_BYTES / outputs.max(1)).clamp(WAITING_BYTES_MIN, WAITING_BYTES_MAX);
        let limits = move |output: &Output<'_>| {
            let frames = 2.0 * WAITING_S * output.format.frames_per_second();
            chosen.contains(&output.label()).then(|| TapLimits {
                frames: (frames as usize).clamp(*WAITING_FRAMES.start(), *WAITING_FRAMES.end()),
                bytes: each,
                patience: if is_paced { Duration::ZERO } else { PATIENCE },
                every_bound: true,
            })
        };
        Ok(Self {
            path: wanted.path.clone(),
            is_new,
            outputs,
            ended: Arc::default(),
            is_over: Arc::default(),
            opened: Opened::default(),
            limits: Arc::new(limits),
            recorder: Some(Recorder::new(writer, topics)),
            thread: None,
        })
    }

    /// Looks on at what is recorded.
    pub(crate) fn onlooker(&self) -> Onlooker {
        let (limits, opened) = (self.limits.clone(), self.opened.clone());
        Arc::new(move |session, output| {
            let Some(limits) = limits(output) else { return Vec::new() };
            let (end, tap) = tap(limits);
            lock(&opened).push((session, output.label(), tap));
            vec![end]
        })
    }

    /// Begins to write; what goes wrong is told on the screen.
    pub(crate) fn start(&mut self, screen: &Arc<Screen>) -> Result<(), Failure> {
        let Some(mut recorder) = self.recorder.take() else { return Ok(()) };
        let (opened, is_over, ended) =
            (self.opened.clone(), self.is_over.clone(), self.ended.clone());
        let (screen, path) = (screen.clone(), self.path.display().to_string());
        let work = move || {
            // It may come after everybody who must be in time.
            #[cfg(target_os = "linux")]
            let _ = rustix::process::nice(5);
            let tell = |text: &str| screen.say(&format!("recording {path}: {text}"));
            loop {
                let is_last = is_over.load(Ordering::Acquire);
                // Sessions may still be opened while others already bring something.
                recorder.open(&mut lock(&opened));
                while recorder.look(&tell) {
                    recorder.open(&mut lock(&opened));
                }
                if is_last {
                    return recorder.finish(&lock(&ended).take().unwrap_or_default());
                }
                std::thread::park_timeout(recorder::LOOK);
            }
        };
        let named = std::thread::Builder::new().name("afferent-record".to_owned());
        let thread = named.spawn(work).map_err(|error| {
            Failure::new(Exit::Io, &format!("the recording has no thread: {error}"), "")
        })?;
        self.thread = Some(thread);
        Ok(())
    }

    /// Writes the rest and the end.
    pub(crate) fn finish(mut self, ending: Ending) -> Recorded {
        *lock(&self.ended) = Some(ending.word().to_owned());
        self.is_over.store(true, Ordering::Release);
        let Some(thread) = self.thread.take() else { return Recorded::default() };
        thread.thread().unpark();
        thread.join().unwrap_or_else(|_| Recorded {
            cut: Some("the thread that wrote it died".to_owned()),
            ..Recorded::default()
        })
    }

    /// Leaves nothing behind of a run that never began.
    pub(crate) fn abandon(self) {
        let (path, is_new) = (self.path.clone(), self.is_new);
        self.finish(Ending::Failed);
        if is_new {
            let _ = std::fs::remove_file(path);
        }
    }

    /// What is said of it at the end.
    pub(crate) fn told(path: &Path, outputs: usize, recorded: &Recorded) -> String {
        let Recorded { frames, missed, bytes, cut } = recorded;
        let megabytes = *bytes as f64 / 1e6;
        let mut text = format!(
            "  record   {}: {} of {}, {megabytes:.1} MB",
            path.display(),
            counted(*frames, "frame"),
            counted(outputs, "output")
        );
        if *missed > 0 {
            text += &format!("; INCOMPLETE: {} missing", are(*missed));
        }
        if let Some(cut) = cut {
            text += &format!("; WITHOUT AN END: {cut}; `afferent replay` reads what is there");
        }
        text
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) const fn outputs(&self) -> usize {
        self.outputs
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
    }
}

/// `1 frame is`, `2 frames are`.
fn are(frames: u64) -> String {
    format!("{} {}", counted(frames, "frame"), if frames == 1 { "is" } else { "are" })
}

/// The outputs that are asked for, by their labels.
fn chosen(wanted: &Wanted, plan: &Plan) -> Result<Vec<String>, Failure> {
    let labels = |of: &dyn Fn(&Output<'_>) -> bool| -> Vec<String> {
        plan.outputs().filter(|output| of(output)).map(|output| output.label()).collect()
    };
    if wanted.all {
        return Ok(labels(&|_| true));
    }
    if wanted.edges.is_empty() {
        return Ok(labels(&|output| output.is_source));
    }
    let mut chosen = Vec::new();
    for edge in &wanted.edges {
        let Some(output) = plan.output(edge) else {
            let all = labels(&|_| true);
            let near = engine::nearest(edge, all.iter().map(String::as_str));
            let hint = near.map_or_else(
                || format!("there are: {}", all.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            let message = format!("the graph has no output `{edge}`");
            return Err(Failure::new(Exit::Usage, &message, &hint));
        };
        let label = output.label();
        if !chosen.contains(&label) {
            chosen.push(label);
        }
    }
    Ok(chosen)
}

/// Whether an output is that of a source that cannot be made to wait.
fn is_live(output: &Output<'_>) -> bool {
    output.is_source && catalog().find(output.kind).is_none_or(|kind| kind.live)
}

/// The file, and whether there was nothing before.
fn create(wanted: &Wanted) -> Result<(File, bool), Failure> {
    let is_new = std::fs::symlink_metadata(&wanted.path).is_err();
    let mut options = OpenOptions::new();
    options.write(true);
    match wanted.force {
        true => options.create(true).truncate(true),
        false => options.create_new(true),
    };
    // What is no file, such as `/dev/null`, has nothing to lose.
    let is_special = std::fs::metadata(&wanted.path).is_ok_and(|is| !is.is_file() && !is.is_dir());
    let file = if is_special { File::create(&wanted.path) } else { options.open(&wanted.path) };
    file.map(|file| (file, is_new)).map_err(|error| unwritable(&wanted.path, &error))
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    let hint = match error.kind() {
        ErrorKind::AlreadyExists => "name another file, or let this one go with `--force`",
        ErrorKind::NotFound => "create the folder, or write to another",
        ErrorKind::StorageFull => "make room, or write to another disk",
        _ => "write where this user may",
    };
    let message = format!("cannot record to `{}`: {error}", path.display());
    Failure::new(Exit::Io, &message, hint)
}

fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
