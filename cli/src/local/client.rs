//! The end of a local socket in a process that looks on.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use engine::{Format, Frame};

use super::{
    folder, formats, frames,
    message::{Asked, End, Hello, Look, PROTOCOL, Refused, SAID_BYTES_MAX, Said, Shape, TapFrame},
};

/// A process that is asked says who it is within so long, unless it is stopped.
const HELLO: Duration = Duration::from_millis(1_000);
/// And answers within so long, on a machine that has too much to do, too.
const ANSWER: Duration = Duration::from_secs(10);

/// A process that runs a graph.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) hello: Hello,
    path: PathBuf,
}

/// All processes of this user that run a graph and let others look, by number; and those that are there and
/// cannot be looked into.
pub(crate) fn find() -> (Vec<Found>, Vec<(u32, Trouble)>) {
    let folders = folder::folders();
    let trusted = folders.iter().filter(|folder| folder::checked(folder).is_ok());
    let sockets = trusted.flat_map(|folder| folder::sockets(folder));
    let (mut found, mut closed) = (Vec::new(), Vec::new());
    for (pid, path) in sockets {
        match Client::open(&path) {
            Ok(client) => found.push(Found { hello: client.hello, path }),
            // Left behind.
            Err(Trouble::Gone) => {}
            Err(trouble) => closed.push((pid, trouble)),
        }
    }
    found.sort_by_key(|found| found.hello.pid);
    (found, closed)
}

impl Found {
    /// Connects.
    pub(crate) fn attach(&self) -> Result<Client, Trouble> {
        Client::open(&self.path)
    }
}

/// Why nothing can be heard, or no more.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The run is over, and said so.
    Ended(End),
    /// The process is gone, and said nothing.
    Gone,
    /// It is there, and does not answer.
    Silent,
    /// It does not do what was asked.
    Refused(Refused),
    /// It speaks another protocol: its version.
    Foreign(String),
    /// The system has something against it.
    Io(io::Error),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            _ if frames::is_over_time(&error) => Self::Silent,
            io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::NotFound
            | io::ErrorKind::UnexpectedEof => Self::Gone,
            _ => Self::Io(error),
        }
    }
}

/// A connection to a process that runs a graph.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) hello: Hello,
    said: BufReader<UnixStream>,
    line: Vec<u8>,
}

impl Client {
    pub(super) fn open(path: &Path) -> Result<Self, Trouble> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(HELLO))?;
        let mut said = BufReader::new(stream);
        let mut line = Vec::new();
        match next(&mut said, &mut line)? {
            Said::Hello(hello) if hello.protocol == PROTOCOL => {
                said.get_ref().set_read_timeout(Some(ANSWER))?;
                Ok(Self { hello, said, line })
            }
            Said::Hello(hello) => Err(Trouble::Foreign(hello.version)),
            said => Err(trouble(said)),
        }
    }

    /// What does not change while it runs.
    pub(crate) fn shape(&mut self) -> Result<Shape, Trouble> {
        match self.ask(&Asked::Shape {})? {
            Said::Shape(shape) => Ok(shape),
            said => Err(trouble(said)),
        }
    }

    /// What is counted, as of now.
    #[cfg(test)]
    pub(crate) fn look(&mut self) -> Result<Look, Trouble> {
        self.looked(false)
    }

    /// What is counted, as of now, and where the time of frames goes: they are followed until this one hangs up.
    pub(crate) fn look_with_time(&mut self) -> Result<Look, Trouble> {
        self.looked(true)
    }

    fn looked(&mut self, time: bool) -> Result<Look, Trouble> {
        match self.ask(&Asked::Look { time })? {
            Said::Look(look) => Ok(look),
            said => Err(trouble(said)),
        }
    }

    /// The answer to a question that was asked before and has not been answered.
    pub(crate) fn look_that_is_due(&mut self) -> Result<Look, Trouble> {
        match resumed(&mut self.said, &mut self.line)? {
            Said::Look(look) => Ok(look),
            said => Err(trouble(said)),
        }
    }

    /// Waits no longer than this for answers.
    pub(crate) fn be_patient(&mut self, wait: Duration) -> Result<(), Trouble> {
        Ok(self.said.get_ref().set_read_timeout(Some(wait))?)
    }

    /// Frames of an output from now on.
    pub(crate) fn tap(mut self, output: &str, session: Option<u32>) -> Result<Frames, Trouble> {
        let asked = Asked::Tap { output: output.to_owned(), session };
        match self.ask(&asked)? {
            Said::Tapped(tapped) => {
                let Some(format) = formats::understood(&tapped.format) else {
                    return Err(Trouble::Foreign(self.hello.version));
                };
                let (label, session) = (tapped.label, tapped.session);
                Ok(Frames { label, session, format, client: self })
            }
            said => Err(trouble(said)),
        }
    }

    fn ask(&mut self, asked: &Asked) -> Result<Said, Trouble> {
        let mut line = serde_json::to_vec(asked).map_err(io::Error::from)?;
        line.push(b'\n');
        let asked = self.said.get_mut().write_all(&line);
        // Where it could not be asked, it may have said why before it hung up.
        let said = next(&mut self.said, &mut self.line);
        match (asked, said) {
            (Err(error), Err(_)) => Err(error.into()),
            (_, said) => said,
        }
    }
}

/// What passes at an output.
#[derive(Debug)]
pub(crate) struct Frames {
    /// As it is written in `from`.
    pub(crate) label: String,
    pub(crate) session: u32,
    pub(crate) format: Format,
    client: Client,
}

/// A frame that came by.
#[derive(Debug)]
pub(crate) struct Came {
    pub(crate) told: TapFrame,
    /// None where it was too long to be told.
    pub(crate) frame: Option<Frame>,
}

impl Frames {
    /// The next frame; none if none came within `wait`.
    pub(crate) fn next(&mut self, wait: Duration) -> Result<Option<Came>, Trouble> {
        self.client.said.get_ref().set_read_timeout(Some(wait.max(Duration::from_millis(1))))?;
        let Client { said, line, .. } = &mut self.client;
        match resumed(said, line) {
            Ok(Said::Frame(mut told)) => {
                let frame = frames::frame(&told, &self.format);
                told.data.clear();
                Ok(Some(Came { told, frame }))
            }
            Ok(said) => Err(trouble(said)),
            Err(Trouble::Silent) => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    /// Whether another frame is here already.
    pub(crate) fn has_more(&self) -> bool {
        self.client.said.buffer().contains(&b'\n')
    }
}

fn trouble(said: Said) -> Trouble {
    match said {
        Said::End(end) => Trouble::Ended(end),
        Said::Refused(refused) => Trouble::Refused(refused),
        _ => Trouble::Foreign("unknown".to_owned()),
    }
}

fn next(said: &mut BufReader<UnixStream>, line: &mut Vec<u8>) -> Result<Said, Trouble> {
    line.clear();
    resumed(said, line)
}

/// The next line, of which a part may have come before.
fn resumed(said: &mut BufReader<UnixStream>, line: &mut Vec<u8>) -> Result<Said, Trouble> {
    if line.ends_with(b"\n") {
        line.clear();
    }
    let room = (SAID_BYTES_MAX - line.len().min(SAID_BYTES_MAX)) as u64;
    let read = said.by_ref().take(room).read_until(b'\n', line);
    let is_whole = line.ends_with(b"\n");
    read?;
    if line.is_empty() || (!is_whole && line.len() < SAID_BYTES_MAX) {
        return Err(Trouble::Gone);
    }
    let understood = serde_json::from_slice(line);
    line.clear();
    understood.map_err(|_| Trouble::Foreign("unknown".to_owned()))
}
