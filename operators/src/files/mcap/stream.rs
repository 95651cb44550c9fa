//! [`Records`]: the records of an MCAP file from its beginning on, those in chunks as the others.
//!
//! Files that were cut short or damaged are read too, so this takes nothing for granted: what is allocated grows with
//! the bytes that are there, never with a length that was merely said.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

use super::records::{Cursor, MAGIC, op};

/// Bytes that are asked of the system at once.
const READ_BYTES: usize = 256 << 10;
/// No record is longer.
const RECORD_BYTES_MAX: u64 = 1 << 30;
/// An opcode and a length.
const HEAD: u64 = 9;

/// Why no record follows.
#[derive(Debug)]
pub(super) enum Stop {
    /// The file ends in the middle.
    Cut,
    /// Bytes are not what was written.
    Damaged(String),
    /// A chunk is compressed by this.
    Compressed(String),
    /// It does not begin as it should.
    NotMcap,
    /// The system says so.
    Io(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Cut,
            _ => Self::Io(error),
        }
    }
}

/// See the module.
pub(super) struct Records {
    file: BufReader<File>,
    bytes: u64,
    has_begun: bool,
    chunk: Option<Chunk>,
    body: Vec<u8>,
}

/// The chunk that is being read.
struct Chunk {
    left: u64,
    check: crc32fast::Hasher,
    /// What it is to be; 0 where nobody has said.
    wanted: u32,
}

impl Records {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        let file = BufReader::with_capacity(READ_BYTES, file);
        Ok(Self { file, bytes, has_begun: false, chunk: None, body: Vec::new() })
    }

    /// Length of the file.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What `take` makes of the next record. None follows behind the footer.
    pub(super) fn next<T>(&mut self, take: impl FnOnce(u8, &[u8]) -> T) -> Result<Option<T>, Stop> {
        if !self.has_begun {
            let mut magic = [0; MAGIC.len()];
            let read = self.file.read_exact(&mut magic);
            if read.is_err() || magic != *MAGIC {
                return Err(Stop::NotMcap);
            }
            self.has_begun = true;
        }
        let op = loop {
            if self.chunk.as_ref().is_some_and(|chunk| chunk.left == 0) {
                self.leave_chunk()?;
            }
            let op = self.read()?;
            match op {
                op::CHUNK if self.chunk.is_none() => self.enter_chunk()?,
                op => break op,
            }
        };
        if op == op::FOOTER {
            let mut magic = [0; MAGIC.len()];
            self.file.read_exact(&mut magic)?;
            if magic != *MAGIC {
                return Err(Stop::Damaged("it does not end as MCAP does".to_owned()));
            }
            return Ok(None);
        }
        Ok(Some(take(op, &self.body)))
    }

    /// Reads a record, but of a chunk its head alone.
    fn read(&mut self) -> Result<u8, Stop> {
        let mut head = [0; HEAD as usize];
        if self.chunk.as_ref().is_some_and(|chunk| chunk.left < HEAD) {
            return Err(Stop::Damaged("a chunk ends in the middle of a record".to_owned()));
        }
        self.file.read_exact(&mut head)?;
        let (op, len) = (head[0], u64::from_le_bytes(head[1..].try_into().expect("eight bytes")));
        if len > RECORD_BYTES_MAX {
            return Err(Stop::Damaged(format!("a record of {len} bytes")));
        }
        match &mut self.chunk {
            None if op == op::CHUNK => return Ok(op),
            None => self.fill(len)?,
            // Behind a length that is wrong stands what no chunk holds.
            Some(_) if !matches!(op, op::SCHEMA | op::CHANNEL | op::MESSAGE | 0x80..) => {
                return Err(Stop::Damaged("a chunk holds what none does".to_owned()));
            }
            Some(chunk) if chunk.left - HEAD < len => {
                return Err(Stop::Damaged("a record is longer than its chunk".to_owned()));
            }
            Some(chunk) => {
                chunk.left -= HEAD + len;
                chunk.check.update(&head);
                self.fill(len)?;
                if let Some(chunk) = &mut self.chunk {
                    chunk.check.update(&self.body);
                }
            }
        }
        Ok(op)
    }

    fn fill(&mut self, len: u64) -> Result<(), Stop> {
        self.body.clear();
        let read = (&mut self.file).take(len).read_to_end(&mut self.body)?;
        if (read as u64) < len { Err(Stop::Cut) } else { Ok(()) }
    }

    fn enter_chunk(&mut self) -> Result<(), Stop> {
        // Both times, the length unpacked, the check, and the length of the word for how it is packed.
        self.fill(8 + 8 + 8 + 4 + 4)?;
        let mut cursor = Cursor(&self.body[24..]);
        let (wanted, word) = (cursor.u32().unwrap_or(0), cursor.u32().unwrap_or(0));
        self.fill(u64::from(word))?;
        if word > 0 {
            return Err(Stop::Compressed(String::from_utf8_lossy(&self.body).into_owned()));
        }
        self.fill(8)?;
        let left = Cursor(&self.body).u64().unwrap_or(0);
        self.chunk = Some(Chunk { left, check: crc32fast::Hasher::new(), wanted });
        Ok(())
    }

    fn leave_chunk(&mut self) -> Result<(), Stop> {
        let Some(Chunk { check, wanted, .. }) = self.chunk.take() else { return Ok(()) };
        if wanted != 0 && check.finalize() != wanted {
            return Err(Stop::Damaged("the check of a chunk does not fit".to_owned()));
        }
        Ok(())
    }
}
