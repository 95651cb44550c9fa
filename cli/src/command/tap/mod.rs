//! `afferent tap`: what passes at an output of a running graph.
//!
//! ```text
//! Client ──▶ Frames ──┬──▶ Writer (rows, JSON, CSV) ──▶ stdout or a file
//!                     └──▶ plot
//! ```

mod arguments;
mod plot;
mod table;
#[cfg(test)]
mod tests;
mod write;

use std::{
    fs::File,
    io::{self, ErrorKind, IsTerminal, Write, stderr, stdout},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use engine::{counted, nearest};

use super::attach;
use crate::{
    drawing::Looks,
    exit::{Exit, Failure},
    interrupt,
    local::{Came, Frames, Trouble, message::Refused},
    terminal,
};

pub(crate) use arguments::TapArguments;
use write::{Form, Writer};

/// Between two looks at the clock while nothing comes.
const WAIT: Duration = Duration::from_millis(100);

/// Shows or writes what passes at an output.
pub(crate) fn tap(asked: &TapArguments) -> Result<Exit, Failure> {
    if asked.plot && !(stdout().is_terminal() && io::stdin().is_terminal()) {
        let hint = "`--json` and `--csv` write what passes to anywhere";
        return Err(Failure::new(
            Exit::Usage,
            "`--plot` draws on a terminal, and there is none",
            hint,
        ));
    }
    let form = form(asked)?;
    attach::stand_back();
    let client = attach::only(asked.what.as_deref(), &format!("afferent tap {}", asked.output))?;
    let frames = client.tap(&asked.output, asked.session).map_err(|trouble| match trouble {
        Trouble::Refused(refused) => self::refused(&asked.output, &refused),
        trouble => attach::failure(&trouble),
    })?;
    // After the connection is made: until then Ctrl-C ends the process as it always does.
    let ended = interrupt::flag().map_err(|error| {
        Failure::new(Exit::Io, &format!("cannot listen for signals: {error}"), "")
    })?;
    if asked.plot {
        return plot::plot(frames, asked, &ended);
    }
    let to: Box<dyn Write> = match &asked.out {
        None => Box::new(stdout().lock()),
        Some(path) => Box::new(File::create(path).map_err(|error| unwritable(path, &error))?),
    };
    let writer = Writer::new(
        io::BufWriter::with_capacity(64 << 10, to),
        form,
        &frames.label,
        &frames.format,
    );
    let session = frames.session;
    let told = copied(frames, writer, asked, &ended);
    match told {
        Ok(tally) => {
            tally.tell(asked, session);
            Ok(Exit::Done)
        }
        // A reader that has gone away has read what it wanted.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Exit::Done),
        Err(error) => {
            let path = asked.out.as_deref().unwrap_or(Path::new("stdout"));
            Err(unwritable(path, &error))
        }
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    let message = format!("cannot write `{}`: {error}", path.display());
    Failure::new(Exit::Io, &message, "make room, or name another file with `--out`")
}

/// How it is written: as asked, else as the file's ending says, else for people.
fn form(asked: &TapArguments) -> Result<Form, Failure> {
    let ending = asked.out.as_deref().and_then(Path::extension).and_then(|ending| ending.to_str());
    Ok(match (asked.json, asked.csv, ending) {
        (true, ..) => Form::Json,
        (_, true, _) => Form::Csv,
        (_, _, None) => Form::Rows,
        (_, _, Some("json" | "jsonl")) => Form::Json,
        (_, _, Some("csv")) => Form::Csv,
        (_, _, Some("txt" | "log")) => Form::Rows,
        (_, _, Some(ending)) => {
            let message = format!("how to write a file that ends in `.{ending}` is not said");
            return Err(Failure::new(Exit::Usage, &message, "say `--csv` or `--json`"));
        }
    })
}

/// Why nothing can be tapped there, and where something can.
fn refused(output: &str, refused: &Refused) -> Failure {
    if !refused.sessions.is_empty() {
        let open: Vec<String> = refused.sessions.iter().take(20).map(u32::to_string).collect();
        let more = refused.sessions.len().saturating_sub(20);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let hint = format!("sessions that are open: {}{more}", open.join(", "));
        return Failure::new(Exit::Usage, &refused.message, &hint);
    }
    if refused.outputs.is_empty() {
        return Failure::new(Exit::Io, &refused.message, "");
    }
    let labels = || refused.outputs.iter().map(|output| output.label.as_str());
    let near = match nearest(output, labels()) {
        Some(near) => format!("did you mean `{near}`? "),
        None => String::new(),
    };
    let longest = labels().map(str::len).max().unwrap_or(0);
    let line = |port: &crate::local::message::PortShape| {
        format!("      {:<longest$}  {}", port.label, port.format)
    };
    let lines = refused.outputs.iter().map(line).collect::<Vec<_>>().join("\n");
    let hint = format!("{near}its outputs are:\n{lines}");
    let hint = if terminal::speaks_unicode() { hint } else { terminal::ascii(&hint) };
    Failure::new(Exit::Usage, &refused.message, &hint)
}

/// What came by.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    frames: u64,
    missed: u64,
    /// Frames behind a gap, by reason.
    gaps: Vec<(String, u64)>,
    /// Frames that were too long to be told.
    untold: u64,
    lasted: Duration,
    /// Why no more came, if that was not asked.
    over: Option<String>,
}

impl Tally {
    pub(super) fn count(&mut self, came: &Came) {
        self.frames += 1;
        self.missed += came.told.missed;
        self.untold += u64::from(came.frame.is_none());
        if let Some(reason) = &came.told.gap {
            match self.gaps.iter_mut().find(|(known, _)| known == reason) {
                Some((_, frames)) => *frames += 1,
                None => self.gaps.push((reason.clone(), 1)),
            }
        }
    }

    pub(super) fn end(&mut self, trouble: &Trouble) {
        if let Trouble::Ended(end) = trouble {
            self.missed += end.missed;
            let is_session = end.how == "over";
            let words = || attach::words(trouble);
            self.over = Some(if is_session { "the session is over".to_owned() } else { words() });
        } else {
            self.over = Some(attach::words(trouble));
        }
    }

    fn tell(&self, asked: &TapArguments, session: u32) {
        let text = self.text(&asked.output, session);
        let text = if terminal::speaks_unicode() { text } else { terminal::ascii(&text) };
        // Where stderr is closed there is nobody to tell.
        let _ = writeln!(stderr(), "{text}");
    }

    pub(super) fn text(&self, output: &str, session: u32) -> String {
        let session = if session > 0 { format!(" of session {session}") } else { String::new() };
        let frames = counted(self.frames, "frame");
        let mut text =
            format!("`{output}`{session}: {frames} in {:.1} s", self.lasted.as_secs_f64());
        let gaps: u64 = self.gaps.iter().map(|(_, frames)| frames).sum();
        if gaps > 0 {
            let reasons = self.gaps.iter().map(|(reason, frames)| format!("{frames} {reason}"));
            let reasons = reasons.collect::<Vec<_>>().join(", ");
            text += &format!(", {} ({reasons})", counted(gaps, "gap"));
        }
        text += &match self.missed {
            0 => ", none missed".to_owned(),
            missed => format!(", {missed} missed as this tap could not keep up"),
        };
        if self.untold > 0 {
            text += &format!(", {} too long to be shown", self.untold);
        }
        if let Some(over) = &self.over {
            text += &format!("; {over}");
        }
        text
    }
}

/// Copies frames until enough have come, or no more will.
fn copied(
    mut frames: Frames,
    mut writer: Writer<impl Write>,
    asked: &TapArguments,
    ended: &AtomicBool,
) -> io::Result<Tally> {
    let (mut tally, began) = (Tally::default(), Instant::now());
    let until = asked.seconds.map(|span| began + span.0);
    while !ended.load(Ordering::Relaxed) {
        let now = Instant::now();
        if until.is_some_and(|until| now >= until) || asked.frames == Some(tally.frames) {
            break;
        }
        let wait = until.map_or(WAIT, |until| until.saturating_duration_since(now).min(WAIT));
        match frames.next(wait) {
            Ok(Some(came)) => {
                tally.count(&came);
                writer.write(&came)?;
            }
            Ok(None) => {}
            Err(trouble) => {
                tally.end(&trouble);
                if let Trouble::Ended(end) = &trouble {
                    writer.missed(end.missed)?;
                }
                break;
            }
        }
        // Shown as it comes, and written in pieces where much comes.
        if !frames.has_more() {
            writer.flush()?;
        }
    }
    writer.flush()?;
    tally.lasted = began.elapsed();
    Ok(tally)
}

/// What this terminal can show.
fn looks() -> Looks {
    Looks::of_stdout()
}
