//! `--watch`: a graph that runs follows its file.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc,
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread::JoinHandle,
    time::{Duration, SystemTime},
};

use engine::{Plan, ReloadError, ReloadReport, RolledBack, Running, counted};

use crate::{
    arguments::GraphArguments,
    exit::{Exit, Failure},
    graph::Graph,
    status::Screen,
};

/// Between two looks at the files. No service of the system is asked: a look costs two system calls for each
/// file, and sees what editors do that write beside a file and rename.
const LOOK: Duration = Duration::from_millis(200);
/// Looks after which a graph that could not be read is read again, though no file that is known has changed: it
/// may include one that was not there.
const LOOKS_AT_BAD: u32 = 10;

/// Follows the file until it is dropped.
pub(crate) struct Reloads {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Reloads {
    pub(crate) fn start(
        asked: &GraphArguments,
        cores: usize,
        running: &Arc<Running>,
        screen: &Arc<Screen>,
    ) -> Result<Self, Failure> {
        let (stop, stopped) = channel();
        let mut follows = Follows {
            asked: asked.clone(),
            cores,
            running: running.clone(),
            screen: screen.clone(),
            seen: Files::default(),
            coming: Files::default(),
            told: String::new(),
            bad_for: None,
        };
        follows.seen = follows.files();
        let thread =
            std::thread::Builder::new().name("afferent-watch".to_owned()).spawn(move || {
                while stopped.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                    follows.look();
                }
            });
        let thread = thread.map_err(|error| {
            Failure::new(Exit::Io, &format!("cannot watch the graph: {error}"), "")
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Reloads {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The files a graph is read from, each with what it was like when it was looked at.
type Files = BTreeMap<PathBuf, Option<(SystemTime, u64, u64)>>;

struct Follows {
    asked: GraphArguments,
    cores: usize,
    running: Arc<Running>,
    screen: Arc<Screen>,
    /// As they were when they were read last.
    seen: Files,
    /// As they were a look ago, where that is not how they were read.
    coming: Files,
    /// What was said of a graph that is bad, so that it is said once.
    told: String,
    /// Looks since a graph was bad.
    bad_for: Option<u32>,
}

impl Follows {
    fn look(&mut self) {
        if let Some(RolledBack { node, fault }) = self.running.rolled_back() {
            self.screen.say(&format!(
                "error: `{node}` failed within a second: {fault}; what ran before the change runs again"
            ));
        }
        if let Some(looks) = &mut self.bad_for {
            *looks += 1;
        }
        let reads_again = self.bad_for.is_some_and(|looks| looks % LOOKS_AT_BAD == 0);
        let files = self.files();
        if files == self.seen && !reads_again {
            return;
        }
        if files != self.seen && files != self.coming {
            // It may still be written: a look later it is whole.
            self.coming = files;
            return;
        }
        let is_saved = files != self.seen;
        self.seen = files;
        self.read(is_saved);
        // It may include others by now.
        for (path, like) in self.files() {
            self.seen.entry(path).or_insert(like);
        }
    }

    fn files(&self) -> Files {
        let plan = self.running.plan();
        let included = plan.spec().included().iter().map(|file| PathBuf::from(file.name()));
        let known = self.seen.keys().cloned();
        [self.asked.file.clone()].into_iter().chain(included).chain(known).map(look_at).collect()
    }

    /// Reads the graph, which somebody has saved or which may have become good without that.
    fn read(&mut self, is_saved: bool) {
        let file = self.asked.file.display().to_string();
        match self.reload() {
            Ok(None) => {}
            Ok(Some(report)) => {
                self.screen.say(&format!("reloaded {file}: {}", told(&report)));
                self.told.clear();
                self.bad_for = None;
            }
            Err(failure) => {
                // What is in the way was not to be started.
                let text = failure.text().replace("; nothing was started", "");
                let note = format!("note: {file} changes nothing; the graph runs on");
                if text != self.told {
                    self.screen.say(&format!("{text}{note}"));
                    self.told = text;
                } else if is_saved {
                    self.screen.say(&format!("{note}: the same problem as before"));
                }
                self.bad_for = Some(0);
            }
        }
    }

    /// Reads the graph and puts it in; nothing if it says what runs already.
    fn reload(&self) -> Result<Option<ReloadReport>, Failure> {
        let graph = Graph::load(&self.asked)?;
        let now = self.running.plan();
        let plan: Arc<Plan> = graph.plan_after(&now, self.cores)?;
        let known = now.warnings();
        // They stand in another text now.
        let is_known = |text: &str| known.iter().any(|warning| warning.message == text);
        let warnings = plan.warnings().iter().filter(|warning| !is_known(&warning.message));
        let new: Vec<_> = warnings.cloned().collect();
        match self.running.reload(&plan) {
            Ok(report) => {
                if !new.is_empty() {
                    self.screen.say(Failure::graph(&new.into()).text());
                }
                Ok(Some(report))
            }
            Err(ReloadError::Refused(problems)) => Err(Failure::graph(&problems)),
            Err(ReloadError::Build(error)) => Err(Failure::open(&error)),
            Err(ReloadError::Ended) => Ok(None),
            Err(error) => Err(Failure::new(Exit::Fault, &error.to_string(), "")),
        }
    }
}

fn look_at(path: PathBuf) -> (PathBuf, Option<(SystemTime, u64, u64)>) {
    let like = std::fs::metadata(&path).ok().map(|found| {
        let written = found.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        (written, found.len(), number_of(&found))
    });
    (path, like)
}

/// Another file under the same name has another number.
#[cfg(unix)]
fn number_of(found: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(found)
}

#[cfg(not(unix))]
fn number_of(_: &std::fs::Metadata) -> u64 {
    0
}

/// What a reload has changed, in one line.
fn told(report: &ReloadReport) -> String {
    let mut parts = Vec::new();
    for (node, keys) in &report.tuned {
        parts.push(format!("`{node}` tuned ({})", keys.join(", ")));
    }
    for renewed in &report.rebuilt {
        let how = if renewed.has_state { "rebuilt with its state" } else { "begun anew" };
        parts.push(format!("`{}` {how}", renewed.node));
    }
    for (nodes, how) in [(&report.added, "added"), (&report.removed, "removed")] {
        parts.extend(nodes.iter().map(|node| format!("`{node}` {how}")));
    }
    if parts.is_empty() {
        return "nothing in it is different".to_owned();
    }
    parts.push(format!("{} kept", counted(report.kept.len(), "node")));
    parts.push(format!("held {:.1} ms", report.held_ns as f64 / 1e6));
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use engine::Renewed;

    use super::*;

    #[test]
    fn a_line_says_what_became_of_the_nodes() {
        let mut report = ReloadReport::default();
        assert_eq!(told(&report), "nothing in it is different");

        report.kept = vec!["ecg".to_owned(), "out".to_owned()];
        report.tuned = vec![("clean".to_owned(), vec!["low_hz".to_owned(), "high_hz".to_owned()])];
        report.added = vec!["print".to_owned()];
        report.rebuilt = [("beats", true), ("hrv", false)]
            .map(|(node, has_state)| Renewed { node: node.to_owned(), has_state })
            .to_vec();
        report.held_ns = 1_234_567;
        assert_eq!(
            told(&report),
            "`clean` tuned (low_hz, high_hz), `beats` rebuilt with its state, `hrv` begun anew, \
             `print` added, 2 nodes kept, held 1.2 ms"
        );
    }
}
