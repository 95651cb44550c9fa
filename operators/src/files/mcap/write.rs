//! [`Writer`]: a recording on its way to a disk that may be slow or full.
//!
//! ```text
//! magic │ header │ about, graph │ schemas, channels │ chunk, its index │ chunk, its index │ … │ summary │ magic
//! ```
//!
//! Messages are gathered to chunks, and a chunk gets there whole or not at all: what finds no room is taken back, its
//! messages are lost and told to the caller, and the next chunk is tried anew. So a disk that was full for a while
//! leaves a hole in the recording and nothing else, and a file that ends anywhere can be read up to there.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Seek, SeekFrom, Write},
    time::{Duration, Instant},
};

use super::{
    ENCODING, Schema,
    records::{self, MAGIC, op, record},
};

/// A chunk is written once it is so long; viewers read whole ones.
const CHUNK_BYTES: usize = 1 << 20;

/// Where a recording goes.
pub trait Store: Send {
    /// Appends all of it, or as much as there is room for.
    ///
    /// # Errors
    /// As the system says.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Takes back what lies behind so many bytes.
    ///
    /// # Errors
    /// As the system says.
    fn truncate(&mut self, len: u64) -> io::Result<()>;
}

/// A file.
#[derive(Debug)]
pub struct Disk(pub File);

impl Store for Disk {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        // What is no file, such as a pipe, has nothing to take back.
        if self.0.metadata().is_ok_and(|metadata| metadata.is_file()) {
            self.0.set_len(len)?;
            self.0.seek(SeekFrom::Start(len))?;
        }
        Ok(())
    }
}

/// A topic.
#[derive(Clone, Debug)]
pub struct Channel {
    /// Its name.
    pub topic: String,
    /// Number of its schema.
    pub schema: usize,
    /// What else there is to say.
    pub metadata: BTreeMap<String, String>,
}

/// What did not get onto the disk.
#[derive(Debug)]
pub struct Lost {
    /// Why.
    pub error: io::Error,
    /// Of which channels.
    pub of: Vec<LostOf>,
}

/// What did not get onto the disk of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostOf {
    /// The channel.
    pub channel: u16,
    /// Messages of it.
    pub messages: u64,
    /// Frames that these stood for.
    pub frames: u64,
}

/// When something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The content, by the clock of the world.
    pub log_ns: u64,
    /// It came in.
    pub publish_ns: u64,
}

/// Writes a recording.
pub struct Writer<S> {
    store: S,
    /// Bytes that are whole.
    len: u64,
    /// The bytes behind could not be taken back, so nothing can follow.
    is_broken: bool,
    chunk: Chunk,
    written: Vec<Written>,
    /// Schemas and channels, for both ends of the file.
    schemas: Vec<u8>,
    channels: Vec<u8>,
    counts: (u16, u32),
    metadata: Vec<(u64, u64, String)>,
    /// What is being put together.
    spare: Vec<u8>,
}

/// Messages on their way.
#[derive(Default)]
struct Chunk {
    records: Vec<u8>,
    /// Log time and place of each message, by channel.
    places: Vec<Vec<(u64, u64)>>,
    /// Frames in it and those that they say are missing, by channel.
    frames: Vec<u64>,
    from_ns: u64,
    to_ns: u64,
    began: Option<Instant>,
}

/// A chunk that is there.
struct Written {
    at: u64,
    len: u64,
    from_ns: u64,
    to_ns: u64,
    records: u64,
    /// Where the index of each channel lies.
    indexes: Vec<(u16, u64)>,
    index_len: u64,
    messages: Vec<LostOf>,
}

impl<S: Store> Writer<S> {
    /// Begins a recording of these channels. All that is known by now is written at once.
    ///
    /// # Errors
    /// As the system says.
    pub fn begin(
        store: S,
        schemas: &[Schema],
        channels: &[Channel],
        metadata: &[(String, BTreeMap<String, String>)],
    ) -> io::Result<Self> {
        let mut this = Self {
            store,
            len: 0,
            is_broken: false,
            chunk: Chunk {
                places: vec![Vec::new(); channels.len()],
                frames: vec![0; channels.len()],
                ..Chunk::default()
            },
            written: Vec::new(),
            schemas: Vec::new(),
            channels: Vec::new(),
            counts: (schemas.len() as u16, channels.len() as u32),
            metadata: Vec::new(),
            spare: Vec::new(),
        };
        for (number, schema) in schemas.iter().enumerate() {
            record(&mut this.schemas, op::SCHEMA, |out| {
                records::u16(out, number as u16 + 1);
                records::text(out, &schema.name);
                records::text(out, ENCODING);
                records::list(out, |out| out.extend_from_slice(&schema.descriptors));
            });
        }
        for (number, channel) in channels.iter().enumerate() {
            record(&mut this.channels, op::CHANNEL, |out| {
                records::u16(out, number as u16);
                records::u16(out, channel.schema as u16 + 1);
                records::text(out, &channel.topic);
                records::text(out, ENCODING);
                records::texts(out, &channel.metadata);
            });
        }
        let mut head = MAGIC.to_vec();
        record(&mut head, op::HEADER, |out| {
            records::text(out, "");
            records::text(out, concat!("afferent ", env!("CARGO_PKG_VERSION")));
        });
        for (name, texts) in metadata {
            let indexed = put_metadata(&mut head, 0, name, texts);
            this.metadata.push(indexed);
        }
        head.extend_from_slice(&this.schemas);
        head.extend_from_slice(&this.channels);
        this.append(&head)?;
        Ok(this)
    }

    /// Takes a message of a channel, which `write` appends. It stands for so many `frames`: those that it says are
    /// missing before it are lost with it.
    ///
    /// # Errors
    /// What is lost, as the disk did not take it.
    pub fn message(
        &mut self,
        channel: u16,
        sequence: u32,
        at: Moment,
        frames: u64,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), Lost> {
        let chunk = &mut self.chunk;
        if chunk.began.is_none() {
            chunk.began = Some(Instant::now());
            (chunk.from_ns, chunk.to_ns) = (u64::MAX, 0);
        }
        let place = chunk.records.len() as u64;
        record(&mut chunk.records, op::MESSAGE, |out| {
            records::u16(out, channel);
            records::u32(out, sequence);
            records::u64(out, at.log_ns);
            records::u64(out, at.publish_ns);
            write(out);
        });
        chunk.places[usize::from(channel)].push((at.log_ns, place));
        chunk.frames[usize::from(channel)] += frames;
        chunk.from_ns = chunk.from_ns.min(at.log_ns);
        chunk.to_ns = chunk.to_ns.max(at.log_ns);
        if chunk.records.len() >= CHUNK_BYTES { self.flush() } else { Ok(()) }
    }

    /// Writes what is held if it has been held so long.
    ///
    /// # Errors
    /// As [`Writer::message`].
    pub fn flush_if_older(&mut self, than: Duration) -> Result<(), Lost> {
        if self.chunk.began.is_some_and(|began| began.elapsed() >= than) {
            return self.flush();
        }
        Ok(())
    }

    /// Writes what is held.
    ///
    /// # Errors
    /// As [`Writer::message`].
    pub fn flush(&mut self) -> Result<(), Lost> {
        if self.chunk.began.is_none() {
            return Ok(());
        }
        let mut bytes = std::mem::take(&mut self.spare);
        bytes.clear();
        let written = self.chunk.put(&mut bytes, self.len);
        let appended = self.append(&bytes);
        self.spare = bytes;
        let of = written.messages.clone();
        self.chunk.clear();
        match appended {
            Ok(()) => {
                self.written.push(written);
                Ok(())
            }
            Err(error) => Err(Lost { error, of }),
        }
    }

    /// Ends the recording: with what is held, `metadata` and a summary by which viewers find their way. Where there is
    /// no room for these, chunks make room, the last first: a recording without its end counts as cut short.
    ///
    /// `metadata` is asked anew each time, and told what was lost so.
    ///
    /// # Errors
    /// There is no room at all; all that is there can be read.
    pub fn finish(
        &mut self,
        mut metadata: impl FnMut(&[LostOf]) -> (String, BTreeMap<String, String>),
    ) -> io::Result<()> {
        let mut lost = Vec::new();
        if let Err(last) = self.flush() {
            lost.extend(last.of);
        }
        loop {
            let (name, texts) = metadata(&lost);
            let mut end = Vec::new();
            let indexed = put_metadata(&mut end, self.len, &name, &texts);
            self.metadata.push(indexed);
            self.put_summary(&mut end);
            let Err(error) = self.append(&end) else { return Ok(()) };
            self.metadata.pop();
            let is_full = is_full(&error) && !self.is_broken;
            let Some(last) = self.written.pop_if(|_| is_full) else { return Err(error) };
            self.store.truncate(last.at)?;
            self.len = last.at;
            lost.extend(last.messages);
        }
    }

    /// Bytes that are there.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing is there.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.is_broken {
            return Err(io::Error::other("an earlier write could not be taken back"));
        }
        let appended = self.store.append(bytes);
        match &appended {
            Ok(()) => self.len += bytes.len() as u64,
            Err(_) => self.is_broken = self.store.truncate(self.len).is_err(),
        }
        appended
    }

    /// Everything behind the data.
    fn put_summary(&self, out: &mut Vec<u8>) {
        record(out, op::DATA_END, |out| records::u32(out, 0));
        let (from, before) = (self.len + out.len() as u64, out.len());
        let at = |out: &Vec<u8>| from + (out.len() - before) as u64;
        let mut groups = Vec::new();
        let mut group = |out: &mut Vec<u8>, op: u8, put: &dyn Fn(&mut Vec<u8>)| {
            let began = at(out);
            put(out);
            groups.push((op, began, at(out) - began));
        };
        group(out, op::SCHEMA, &|out| out.extend_from_slice(&self.schemas));
        group(out, op::CHANNEL, &|out| out.extend_from_slice(&self.channels));
        group(out, op::STATISTICS, &|out| self.put_statistics(out));
        group(out, op::CHUNK_INDEX, &|out| self.written.iter().for_each(|chunk| chunk.put(out)));
        group(out, op::METADATA_INDEX, &|out| {
            for (at, len, name) in &self.metadata {
                record(out, op::METADATA_INDEX, |out| {
                    records::u64(out, *at);
                    records::u64(out, *len);
                    records::text(out, name);
                });
            }
        });
        let offsets = at(out);
        for (op, began, len) in groups.into_iter().filter(|(.., len)| *len > 0) {
            record(out, op::SUMMARY_OFFSET, |out| {
                out.push(op);
                records::u64(out, began);
                records::u64(out, len);
            });
        }
        record(out, op::FOOTER, |out| {
            records::u64(out, from);
            records::u64(out, offsets);
        });
        // The check is over the summary and the footer up to it, whose length counts it already.
        let length = out.len() - 24..out.len() - 16;
        out[length].copy_from_slice(&20_u64.to_le_bytes());
        let crc = crc32fast::hash(&out[before..]);
        records::u32(out, crc);
        out.extend_from_slice(MAGIC);
    }

    fn put_statistics(&self, out: &mut Vec<u8>) {
        let mut messages = BTreeMap::<u16, u64>::new();
        for of in self.written.iter().flat_map(|chunk| &chunk.messages) {
            *messages.entry(of.channel).or_default() += of.messages;
        }
        let (schemas, channels) = self.counts;
        record(out, op::STATISTICS, |out| {
            records::u64(out, messages.values().sum());
            records::u16(out, schemas);
            records::u32(out, channels);
            records::u32(out, 0);
            records::u32(out, self.metadata.len() as u32);
            records::u32(out, self.written.len() as u32);
            records::u64(out, self.written.iter().map(|chunk| chunk.from_ns).min().unwrap_or(0));
            records::u64(out, self.written.iter().map(|chunk| chunk.to_ns).max().unwrap_or(0));
            records::list(out, |out| {
                for (channel, count) in messages {
                    records::u16(out, channel);
                    records::u64(out, count);
                }
            });
        });
    }
}

impl Chunk {
    /// Appends the chunk and the indexes of its channels, which will lie at `at`.
    fn put(&self, out: &mut Vec<u8>, at: u64) -> Written {
        record(out, op::CHUNK, |out| {
            let bytes = self.records.len() as u64;
            records::u64(out, self.from_ns);
            records::u64(out, self.to_ns);
            records::u64(out, bytes);
            records::u32(out, crc32fast::hash(&self.records));
            records::text(out, "");
            records::u64(out, bytes);
            out.extend_from_slice(&self.records);
        });
        let len = out.len() as u64;
        let numbered = || (0_u16..).zip(&self.places).filter(|(_, places)| !places.is_empty());
        let mut indexes = Vec::new();
        for (channel, places) in numbered() {
            indexes.push((channel, at + out.len() as u64));
            record(out, op::MESSAGE_INDEX, |out| {
                records::u16(out, channel);
                records::list(out, |out| {
                    for (log_ns, place) in places {
                        records::u64(out, *log_ns);
                        records::u64(out, *place);
                    }
                });
            });
        }
        Written {
            at,
            len,
            from_ns: self.from_ns,
            to_ns: self.to_ns,
            records: self.records.len() as u64,
            indexes,
            index_len: out.len() as u64 - len,
            messages: numbered()
                .map(|(channel, places)| LostOf {
                    channel,
                    messages: places.len() as u64,
                    frames: self.frames[usize::from(channel)],
                })
                .collect(),
        }
    }

    fn clear(&mut self) {
        self.records.clear();
        self.places.iter_mut().for_each(Vec::clear);
        self.frames.fill(0);
        self.began = None;
    }
}

impl Written {
    /// Appends where it lies.
    fn put(&self, out: &mut Vec<u8>) {
        record(out, op::CHUNK_INDEX, |out| {
            records::u64(out, self.from_ns);
            records::u64(out, self.to_ns);
            records::u64(out, self.at);
            records::u64(out, self.len);
            records::list(out, |out| {
                for (channel, at) in &self.indexes {
                    records::u16(out, *channel);
                    records::u64(out, *at);
                }
            });
            records::u64(out, self.index_len);
            records::text(out, "");
            records::u64(out, self.records);
            records::u64(out, self.records);
        });
    }
}

/// Whether there is no room, on the disk, for this user, or in a file.
fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

/// Appends metadata behind `base` bytes; gives where it lies, how long it is, and its name.
fn put_metadata(
    out: &mut Vec<u8>,
    base: u64,
    name: &str,
    texts: &BTreeMap<String, String>,
) -> (u64, u64, String) {
    let before = out.len();
    record(out, op::METADATA, |out| {
        records::text(out, name);
        records::texts(out, texts);
    });
    (base + before as u64, (out.len() - before) as u64, name.to_owned())
}

#[cfg(test)]
mod tests;
