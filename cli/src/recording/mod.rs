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
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use engine::{Onlooker, Output, Plan, Tap, TapLimits, counted, tap};
use operators::files::mcap::{Disk, Store, Writer};
use tempfile::TempPath;

use crate::{
    catalog::catalog,
    exit::{Exit, Failure, io_words},
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
/// So much is written at once.
const PIECE_BYTES: usize = 64 << 10;
/// A disk that takes nothing for so long at the end is not waited for.
const HANGS: Duration = Duration::from_secs(30);
/// Outputs of all sessions together.
const OUTPUTS_MAX: usize = 4_096;

/// Taps as they are opened: session, label, the tap.
type Opened = Arc<Mutex<Vec<(u32, String, Tap)>>>;

/// How much of an output may wait, if it is recorded.
type Limits = dyn Fn(&Output<'_>) -> Option<TapLimits> + Send + Sync;

/// A recording that goes on.
pub(crate) struct Recording {
    path: PathBuf,
    /// Where it is until the run has begun, if another file lies in its place; else whether that was new.
    begun: Begun,
    /// How many outputs.
    outputs: usize,
    ended: Arc<Mutex<Option<String>>>,
    is_over: Arc<AtomicBool>,
    opened: Opened,
    limits: Arc<Limits>,
    /// Changes with whatever the disk takes.
    taken: Arc<AtomicU64>,
    recorder: Option<Recorder<Counted>>,
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
        let (file, begun) = create(wanted)?;
        let (schemas, channels) = topic::described(&topics, sessions > 1);
        let taken = Arc::<AtomicU64>::default();
        let disk = Counted { disk: Disk(file), taken: taken.clone() };
        let writer =
            Writer::begin(disk, &schemas, &channels, &about.metadata(plan, sessions, speed));
        let writer = writer.map_err(|error| {
            if matches!(begun, Begun::New) {
                let _ = std::fs::remove_file(&wanted.path);
            }
            unwritable(&wanted.path, &error)
        })?;
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
            begun,
            outputs,
            ended: Arc::default(),
            is_over: Arc::default(),
            opened: Opened::default(),
            limits: Arc::new(limits),
            taken,
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

    /// The run has begun: what was in the place of the recording gives way.
    pub(crate) fn settle(&mut self) -> Result<(), Failure> {
        if let Begun::Beside(other) = std::mem::replace(&mut self.begun, Begun::There) {
            let whole = std::fs::canonicalize(&self.path);
            let whole = whole.map_err(|error| unwritable(&self.path, &error))?;
            other.persist(whole).map_err(|failed| unwritable(&self.path, &failed.error))?;
        }
        Ok(())
    }

    /// Writes the rest and the end, unless somebody has had enough. A disk that takes nothing is not waited for.
    pub(crate) fn finish(mut self, ending: Ending, is_enough: impl FnMut() -> bool) -> Recorded {
        self.end(ending, is_enough)
    }

    fn end(&mut self, ending: Ending, mut is_enough: impl FnMut() -> bool) -> Recorded {
        *lock(&self.ended) = Some(ending.word().to_owned());
        self.is_over.store(true, Ordering::Release);
        let Some(thread) = self.thread.take() else { return Recorded::default() };
        thread.thread().unpark();
        let (mut taken, mut since) = (0, Instant::now());
        while !thread.is_finished() {
            std::thread::park_timeout(recorder::LOOK);
            let now = self.taken.load(Ordering::Relaxed);
            if now != taken {
                (taken, since) = (now, Instant::now());
            }
            let cut = if is_enough() {
                "nobody waited until the rest was written".to_owned()
            } else if since.elapsed() > HANGS {
                format!("the disk took nothing for {} s", HANGS.as_secs())
            } else {
                continue;
            };
            let bytes = std::fs::metadata(&self.path).map_or(0, |facts| facts.len());
            return Recorded { bytes, cut: Some(cut), ..Recorded::default() };
        }
        thread.join().unwrap_or_else(|_| Recorded {
            cut: Some("the thread that wrote it died".to_owned()),
            ..Recorded::default()
        })
    }

    /// What is said of it at the end.
    pub(crate) fn told(path: &Path, outputs: usize, recorded: &Recorded) -> String {
        let Recorded { frames, missed, bytes, cut } = recorded;
        let megabytes = *bytes as f64 / 1e6;
        // Of one that was given up nobody has counted them.
        let frames = match (cut, frames) {
            (Some(_), 0) => String::new(),
            _ => format!("{} of ", counted(*frames, "frame")),
        };
        let (path, outputs) = (path.display(), counted(outputs, "output"));
        let mut text = format!("  record   {path}: {frames}{outputs}, {megabytes:.1} MB");
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
    /// Where a run fails behind its start the recording has its end, too; of one that never began nothing is left.
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.end(Ending::Failed, || false);
        }
        if matches!(self.begun, Begun::New) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// What was in the place of a recording when it began.
enum Begun {
    /// Nothing.
    New,
    /// A file, which stays until the run has begun; the recording is in this one, which goes if that never happens.
    Beside(TempPath),
    /// Nothing that must give way any more, or what is no file.
    There,
}

/// A file that tells others how much it has taken.
struct Counted {
    disk: Disk,
    /// It changes with everything that is taken.
    taken: Arc<AtomicU64>,
}

impl Store for Counted {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        // Little by little, so that a slow disk is seen to be at work.
        for piece in bytes.chunks(PIECE_BYTES) {
            self.disk.append(piece)?;
            self.taken.fetch_add(piece.len() as u64, Ordering::Relaxed);
        }
        Ok(())
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.taken.fetch_add(1, Ordering::Relaxed);
        self.disk.truncate(len)
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

/// The file, and what was in its place.
fn create(wanted: &Wanted) -> Result<(File, Begun), Failure> {
    let path = &wanted.path;
    let failed = |error: io::Error| unwritable(path, &error);
    // What is no file, such as `/dev/null`, has nothing to lose.
    let is_special = std::fs::metadata(path).is_ok_and(|is| !is.is_file() && !is.is_dir());
    if is_special {
        return Ok((File::create(path).map_err(failed)?, Begun::There));
    }
    if wanted.force && path.is_file() {
        // Of a link what it leads to; and may that be written?
        let whole = std::fs::canonicalize(path).map_err(failed)?;
        let file = OpenOptions::new().write(true).open(&whole).map_err(failed)?;
        let folder = whole.parent().unwrap_or(Path::new("."));
        let beside =
            tempfile::Builder::new().prefix(".afferent-").suffix(".mcap").tempfile_in(folder);
        let Ok(beside) = beside else {
            // Where nothing may be put beside it, it is written over.
            file.set_len(0).map_err(failed)?;
            return Ok((file, Begun::There));
        };
        if let Ok(facts) = file.metadata() {
            // Who might read it may go on to.
            let _ = beside.as_file().set_permissions(facts.permissions());
        }
        let (file, beside) = beside.into_parts();
        return Ok((file, Begun::Beside(beside)));
    }
    if wanted.force && path.is_symlink() {
        // What it leads to is made, as by any other program.
        return Ok((File::create(path).map_err(failed)?, Begun::There));
    }
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    Ok((file.map_err(failed)?, Begun::New))
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    let hint = match error.kind() {
        ErrorKind::AlreadyExists => "name another file, or let this one go with `--force`",
        ErrorKind::NotFound => "create the folder, or write to another",
        ErrorKind::StorageFull => "make room, or write to another disk",
        _ => "write where this user may",
    };
    let message = format!("cannot record to `{}`: {}", path.display(), io_words(error));
    Failure::new(Exit::Io, &message, hint)
}

fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
