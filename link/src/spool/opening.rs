//! How a log begins: with what is in its folder.

use std::{collections::VecDeque, io, sync::Arc};

use super::{
    error::{Cause, SpoolError},
    fs::Fs,
    log::{Before, LOCK, Log},
    position::{self, Position, PositionFile},
    recover::{self, Damage},
    runs::Runs,
    settings::{Moment, Settings, Subject},
};
use crate::wire::{FRAMES, FrameWriter};

/// What was found in a folder.
#[derive(Clone, Debug, Default)]
pub struct Opened {
    /// Which counting the places belong to.
    pub count: u64,
    /// The first place that is not acknowledged.
    pub first: u64,
    /// The first place of this process.
    pub start: u64,
    /// Frames that are not acknowledged.
    pub frames: Runs,
    /// Bytes of a record that was being written when the last process died.
    pub torn_bytes: u64,
    /// What could not be read.
    pub damage: Vec<Damage>,
}

impl Log {
    /// Reads what is there, and keeps other processes out. A disk that takes nothing is no error:
    /// that shows with the first write.
    ///
    /// # Errors
    /// Another process, another edge or format, a newer version, a folder that may not be read.
    pub(crate) fn open(
        fs: Arc<dyn Fs>,
        settings: &Settings,
        subject: &Subject,
        now: Moment,
        fresh: u64,
    ) -> Result<(Self, Opened), SpoolError> {
        let dir = settings.dir.clone();
        let io = |error| SpoolError::new(&dir, Cause::Io(error));
        let mut log = Self {
            fs: fs.clone(),
            settings: settings.clone(),
            subject: subject.clone(),
            writer: FrameWriter::new(&subject.format, FRAMES, subject.packed),
            lock: None,
            position: Position { count: fresh, ..Position::default() },
            file: PositionFile::unread(fs, dir.join(position::NAME)),
            segments: VecDeque::new(),
            active: None,
            next: 0,
            start: 0,
            begun: now,
            is_synced: true,
            kept: 0,
            unsure: None,
            before: Before::default(),
            bytes: 0,
            buffer: Vec::new(),
            has_dir: false,
            is_read: false,
            dir: dir.clone(),
        };
        match log.prepare() {
            Ok(()) => {}
            Err(error) if is_of_disk(&error) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(SpoolError::new(&dir, Cause::Locked));
            }
            Err(error) => return Err(io(error)),
        }
        // Behind the lock, so that nobody writes to it any more.
        log.file.read().map_err(io)?;
        log.is_read = true;
        let opened = log.recover()?;
        // What cannot be reserved now is reserved before the first write.
        let _ = log.reserve();
        Ok((log, opened))
    }

    /// The folder and its lock, if they are not there yet.
    pub(super) fn prepare(&mut self) -> io::Result<()> {
        if !self.has_dir {
            self.fs.make_dir(&self.dir)?;
            self.has_dir = true;
        }
        if self.lock.is_none() {
            let lock = self.fs.lock(&self.dir.join(LOCK))?;
            let lock = lock.ok_or(io::ErrorKind::WouldBlock)?;
            if self.is_read {
                self.file.reread()?;
            }
            self.lock = Some(lock);
        }
        Ok(())
    }

    fn recover(&mut self) -> Result<Opened, SpoolError> {
        let count = self.file.on_disk.unwrap_or(self.position).count;
        let guess = self.head(count, 0);
        let found = recover::read_dir(&*self.fs, &self.dir, Some(&guess), self.lock.is_some())?;
        for segment in &found.segments {
            let head = &segment.head;
            if head.edge != self.subject.edge {
                let (theirs, ours) = (head.edge.clone(), self.subject.edge.clone());
                return Err(SpoolError::new(&self.dir, Cause::Edge { theirs, ours }));
            }
            let ours = engine::describe(&self.subject.format);
            let differing = engine::differences(&ours, &head.format, ["here", "there"]);
            if !differing.is_empty() {
                return Err(SpoolError::new(&self.dir, Cause::Format(differing)));
            }
        }
        self.segments = found.segments.into();
        self.bytes = self.segments.iter().map(|segment| segment.len).sum();
        let front = self.segments.front();
        self.next = self.segments.iter().map(|segment| segment.next).max().unwrap_or(0);
        match self.file.on_disk {
            Some(position) => self.position = position,
            // Whoever reads the places counts anew if the counting is another.
            None => {
                if let Some(front) = front {
                    let (count, next) = (front.head.count, front.head.first);
                    let reserved = self.next.saturating_add(1 << 32);
                    self.position = Position { count, next, reserved, lost: 0 };
                }
            }
        }
        self.next = self.next.max(self.position.reserved);
        (self.start, self.kept) = (self.next, self.next);
        self.drop_acknowledged();
        let mut frames = Runs::default();
        for segment in &self.segments {
            frames.extend(&segment.frames);
        }
        frames.take_below(self.position.next);
        Ok(Opened {
            count: self.position.count,
            first: self.position.next,
            start: self.start,
            frames,
            torn_bytes: found.torn_bytes,
            damage: found.damage,
        })
    }
}

/// Whether a folder may get better: no room, read-only, broken.
pub(crate) fn is_of_disk(error: &io::Error) -> bool {
    !matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::WouldBlock)
}
