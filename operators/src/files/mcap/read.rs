//! [`Recording`]: what is in a recording, and [`Player`]: all of it once more, in the order it was written.
//!
//! A recording is looked through before it is used: how it ends, what it has missed, and up to where it is whole.
//! One that was cut short is read up to there, one that is damaged up to the chunk that is.

use std::{
    collections::BTreeMap,
    fmt, io,
    path::{Path, PathBuf},
};

use engine::{Format, Timestamp, describe, parse_format};

use super::{
    ABOUT, AT_END,
    message::{self, Codec, Told},
    records::{Cursor, op},
    stream::{Records, Stop},
};

/// What is in a recording.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The file.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// What it says about itself, by name.
    pub metadata: BTreeMap<String, BTreeMap<String, String>>,
    /// The outputs that were recorded.
    pub outputs: Vec<Recorded>,
    /// How it ends.
    pub end: End,
    /// Messages that can be used.
    messages: u64,
}

/// A file that says more was made up: no run has so many sessions.
const SESSIONS_MAX: u32 = 100_000;

/// How a recording ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// As it should.
    Whole,
    /// In the middle: the process was killed, the machine went out, the disk was full.
    Cut,
    /// Bytes are not what was written; what follows them is not used.
    Damaged(String),
}

/// An output that was recorded, of one session.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Number of the session.
    pub session: u32,
    /// As it is written in `from`.
    pub label: String,
    /// The node.
    pub node: String,
    /// The port.
    pub port: String,
    /// The kind of the node.
    pub op: String,
    /// Whether the node is a source.
    pub is_source: bool,
    /// Whether it follows a clock that cannot be made to wait.
    pub is_live: bool,
    /// What passed.
    pub format: Format,
    /// How much of it.
    pub counts: Counts,
    /// What comes next on its channels; frames, and how far it is.
    channels: [Option<u16>; 2],
}

/// How much of an output was recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames that are there.
    pub frames: u64,
    /// Frames that passed and are not there.
    pub missed: u64,
    /// Bytes of messages.
    pub bytes: u64,
    /// Time of the first frame and of the last one.
    pub span: Option<(Timestamp, Timestamp)>,
}

impl Recorded {
    /// What a channel says of the output that it is about.
    pub fn metadata(&self, role: Role) -> BTreeMap<String, String> {
        let rate_max = self.format.as_event().map(|event| event.rate_max.to_string());
        let own = [
            ("afferent", role.word().to_owned()),
            ("session", self.session.to_string()),
            ("output", self.label.clone()),
            ("node", self.node.clone()),
            ("port", self.port.clone()),
            ("op", self.op.clone()),
            ("source", self.is_source.to_string()),
            ("live", self.is_live.to_string()),
        ];
        let own = own.into_iter().map(|(key, value)| (key.to_owned(), value));
        let rate_max = rate_max.map(|rate_max| ("events_per_s_max".to_owned(), rate_max));
        describe(&self.format).into_iter().chain(own).chain(rate_max).collect()
    }

    /// What a channel is about, if it says so.
    fn of(metadata: &BTreeMap<String, String>) -> Option<(Role, Self)> {
        let said = |key: &str| metadata.get(key).cloned();
        let role = Role::ALL
            .into_iter()
            .find(|role| said("afferent").is_some_and(|is| is == role.word()))?;
        let pairs: Vec<_> = metadata.clone().into_iter().collect();
        let mut format = parse_format(&pairs)?;
        if let (Format::Event(event), Some(rate_max)) = (&format, said("events_per_s_max")) {
            format = Format::event(event.fields.clone(), rate_max.parse().ok()?);
        }
        let this = Self {
            session: said("session")?.parse().ok().filter(|session| *session < SESSIONS_MAX)?,
            label: said("output")?,
            node: said("node")?,
            port: said("port")?,
            op: said("op")?,
            is_source: said("source")? == "true",
            is_live: said("live")? == "true",
            format,
            counts: Counts::default(),
            channels: [None; 2],
        };
        Some((role, this))
    }

    /// An output that nothing has passed yet.
    pub fn new(session: u32, output: &engine::Output<'_>, is_live: bool) -> Self {
        Self {
            session,
            label: output.label(),
            node: output.node.to_owned(),
            port: output.port.to_owned(),
            op: output.kind.to_owned(),
            is_source: output.is_source,
            is_live,
            format: output.format.clone(),
            counts: Counts::default(),
            channels: [None; 2],
        }
    }
}

/// What a channel tells of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Its frames.
    Frames,
    /// How far it is.
    Reached,
}

impl Role {
    const ALL: [Self; 2] = [Self::Frames, Self::Reached];

    const fn word(self) -> &'static str {
        match self {
            Self::Frames => "frames",
            Self::Reached => "reached",
        }
    }
}

/// Why a recording cannot be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadError {
    /// The system says so.
    Io(io::Error),
    /// It does not begin as MCAP does.
    NotMcap,
    /// It is MCAP, but none of a graph.
    NotOurs,
    /// Its chunks are compressed by this.
    Compressed(String),
    /// Bytes are not what was written.
    Damaged(String),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::NotMcap => f.write_str("it is no MCAP file"),
            Self::NotOurs => {
                f.write_str("it is an MCAP file that `afferent record` has not written")
            }
            Self::Compressed(how) => write!(f, "it is compressed by `{how}`, which is not read"),
            Self::Damaged(why) => write!(f, "it is damaged: {why}"),
        }
    }
}

impl std::error::Error for ReadError {}

impl Recording {
    /// Looks through a recording.
    ///
    /// # Errors
    /// Why it cannot be used at all.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let mut records = Records::open(path).map_err(ReadError::Io)?;
        let bytes = records.bytes();
        let mut this = Self {
            path: path.to_owned(),
            bytes,
            metadata: BTreeMap::new(),
            outputs: Vec::new(),
            end: End::Cut,
            messages: 0,
        };
        let mut look = Look::default();
        this.end = loop {
            let looked = records.next(|op, body| look.take(&mut this, op, body));
            let why = match looked {
                Ok(Some(Ok(()))) => continue,
                Ok(None) => break End::Whole,
                Err(Stop::Cut) => break End::Cut,
                Err(Stop::Io(error)) => return Err(ReadError::Io(error)),
                Err(Stop::NotMcap) => return Err(ReadError::NotMcap),
                Err(Stop::Compressed(how)) => return Err(ReadError::Compressed(how)),
                Ok(Some(Err(why))) | Err(Stop::Damaged(why)) => why,
            };
            // Of a chunk that is damaged somewhere nothing is sure.
            look.take_back(&mut this);
            break End::Damaged(why);
        };
        if !this.metadata.contains_key(ABOUT) {
            let is_empty = bytes == 0;
            return Err(if is_empty { ReadError::NotMcap } else { ReadError::NotOurs });
        }
        this.messages = look.messages;
        this.count_what_came_last();
        Ok(this)
    }

    /// Frames that were missed after the last that is there are told at the end.
    fn count_what_came_last(&mut self) {
        let Some(end) = self.metadata.get(AT_END) else { return };
        for output in &mut self.outputs {
            let key = format!("missed at the end of {}:{}", output.session, output.label);
            output.counts.missed += end.get(&key).and_then(|count| count.parse().ok()).unwrap_or(0);
        }
    }

    /// All of these outputs, by their numbers, once more.
    ///
    /// # Errors
    /// As [`Recording::open`].
    pub fn play(&self, outputs: &[usize]) -> Result<Player, ReadError> {
        let mut channels = BTreeMap::new();
        for (nth, &number) in outputs.iter().enumerate() {
            let codec = Codec::new(&self.outputs[number].format);
            for (role, channel) in Role::ALL.into_iter().zip(self.outputs[number].channels) {
                channels.extend(channel.map(|channel| (channel, (nth, role, codec.clone()))));
            }
        }
        let player = Player {
            records: Records::open(&self.path).map_err(ReadError::Io)?,
            channels,
            left: self.messages,
        };
        Ok(player)
    }

    /// Whether it lacks nothing.
    pub fn is_complete(&self) -> bool {
        self.end == End::Whole && self.outputs.iter().all(|output| output.counts.missed == 0)
    }
}

/// The first look.
#[derive(Default)]
struct Look {
    /// The output of a channel, with what reads its frames.
    channels: BTreeMap<u16, (usize, Role, Codec)>,
    messages: u64,
    /// All of it as it was before the chunk that is being looked at.
    before: Option<(u64, Vec<Counts>)>,
}

impl Look {
    fn take(&mut self, to: &mut Recording, op: u8, body: &[u8]) -> Result<(), String> {
        if op == op::MESSAGE {
            let counts = || to.outputs.iter().map(|output| output.counts).collect();
            self.before.get_or_insert_with(|| (self.messages, counts()));
            self.messages += 1;
            return self.message(to, body);
        }
        if !matches!(op, op::SCHEMA | op::CHANNEL) {
            self.before = None;
        }
        let mut cursor = Cursor(body);
        if op == op::METADATA {
            let read = cursor.text().zip(cursor.texts());
            let (name, texts) = read.ok_or("metadata that says nothing")?;
            to.metadata.insert(name, texts);
        } else if op == op::CHANNEL {
            let head = (cursor.u16(), cursor.u16(), cursor.text(), cursor.text());
            let (Some(id), Some(_), Some(_), Some(_)) = head else {
                return Err("a channel without a name".to_owned());
            };
            let texts = cursor.texts().ok_or("a channel that says nothing")?;
            self.channel(to, id, &texts);
        }
        Ok(())
    }

    fn channel(&mut self, to: &mut Recording, id: u16, texts: &BTreeMap<String, String>) {
        // Others may stand in the file, and channels are told once more at its end.
        let Some((role, output)) = Recorded::of(texts) else { return };
        if self.channels.contains_key(&id) {
            return;
        }
        let is_same =
            |known: &Recorded| (known.session, &known.label) == (output.session, &output.label);
        let number = to.outputs.iter().position(is_same).unwrap_or_else(|| {
            to.outputs.push(output);
            to.outputs.len() - 1
        });
        to.outputs[number].channels[role as usize] = Some(id);
        let codec = Codec::new(&to.outputs[number].format);
        self.channels.insert(id, (number, role, codec));
    }

    fn message(&mut self, to: &mut Recording, body: &[u8]) -> Result<(), String> {
        let (channel, data) = message_of(body).ok_or("a message without a head")?;
        let Some((number, role, codec)) = self.channels.get(&channel) else {
            return Ok(());
        };
        let output = &mut to.outputs[*number];
        let (label, counts) = (&output.label, &mut output.counts);
        counts.bytes += data.len() as u64;
        let no_message = || format!("no message of `{label}`");
        match role {
            Role::Frames => {
                let told = codec.read(data).ok_or_else(no_message)?;
                let time = told.frame.header.time;
                counts.frames += 1;
                counts.missed += told.missed;
                let (first, last) = counts.span.unwrap_or((time, time));
                counts.span = Some((first.min(time), last.max(time)));
            }
            Role::Reached => {
                let (_, missed) = message::read_reached(data).ok_or_else(no_message)?;
                counts.missed += missed;
            }
        }
        Ok(())
    }

    fn take_back(&mut self, to: &mut Recording) {
        if let Some((messages, counts)) = self.before.take() {
            self.messages = messages;
            to.outputs.iter_mut().zip(counts).for_each(|(output, counts)| output.counts = counts);
        }
    }
}

/// What comes next of an output.
#[derive(Clone, Debug)]
pub enum Item {
    /// A frame.
    Frame(Told),
    /// Nothing older will come; and so many frames are missing before that.
    Reached(Timestamp, u64),
}

/// A recording once more.
pub struct Player {
    records: Records,
    channels: BTreeMap<u16, (usize, Role, Codec)>,
    /// Messages that can be used.
    left: u64,
}

impl Player {
    /// What was written next, and of which output, counted as they were asked for.
    ///
    /// # Errors
    /// The file is not any more what it was when it was opened.
    pub fn read_next(&mut self) -> Result<Option<(usize, Item)>, ReadError> {
        let Self { records, channels, left } = self;
        while *left > 0 {
            let read = records.next(|op, body| {
                if op != op::MESSAGE {
                    return Ok(None);
                }
                *left -= 1;
                let (channel, data) = message_of(body).ok_or_else(changed)?;
                let Some((output, role, codec)) = channels.get(&channel) else { return Ok(None) };
                let item = match role {
                    Role::Frames => codec.read(data).map(Item::Frame),
                    Role::Reached => {
                        message::read_reached(data).map(|(at, missed)| Item::Reached(at, missed))
                    }
                };
                Ok(Some((*output, item.ok_or_else(changed)?)))
            });
            match read {
                Ok(Some(Ok(None))) => {}
                Ok(Some(found)) => return found,
                Err(Stop::Io(error)) => return Err(ReadError::Io(error)),
                Err(Stop::Damaged(why)) => return Err(ReadError::Damaged(why)),
                Ok(None) | Err(Stop::Cut | Stop::NotMcap | Stop::Compressed(_)) => {
                    return Err(changed());
                }
            }
        }
        Ok(None)
    }
}

fn changed() -> ReadError {
    ReadError::Damaged("it has changed since it was opened".to_owned())
}

/// The channel of a message, and what it says.
fn message_of(body: &[u8]) -> Option<(u16, &[u8])> {
    let mut cursor = Cursor(body);
    let channel = cursor.u16()?;
    // Its number and times are for viewers.
    cursor.take(4 + 8 + 8)?;
    Some((channel, cursor.0))
}

#[cfg(test)]
mod tests;
