//! What a graph asks of a spool.

use std::{path::PathBuf, time::SystemTime};

use engine::{Format, Timestamp};

use crate::session::TimeLine;

/// Least bytes of a spool: a few segments, so that one can go while the next is written.
pub const BYTES_LEAST: u64 = 256 << 10;
const SEGMENT_BYTES: std::ops::RangeInclusive<u64> = (16 << 10)..=(8 << 20);

/// One edge's spool.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its folder; nobody else keeps anything there.
    pub dir: PathBuf,
    /// Most bytes on disk, at least [`BYTES_LEAST`].
    pub bytes_max: u64,
    /// What becomes of frames when so many bytes are there.
    pub when_full: WhenFull,
    /// How much power loss may take.
    pub sync: Sync,
}

/// What becomes of frames when a spool is full: its folder, or, while the disk takes nothing, the memory
/// in front of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// The oldest go, a segment at once.
    EvictOldest,
    /// Who hands frames in waits.
    #[default]
    Block,
    /// What is handed in is dropped.
    DropNewest,
}

impl WhenFull {
    /// As a graph writes it.
    pub const NAMES: [(&'static str, Self); 3] = [
        ("evict_oldest", Self::EvictOldest),
        ("block", Self::Block),
        ("drop_newest", Self::DropNewest),
    ];
}

/// When the disk is told to keep what was written. The end of the process takes nothing that was
/// written; power loss takes what the disk was not told to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// Each time something was written, before it counts as such.
    Always,
    /// So many nanoseconds after the first frame that it was not told of.
    Every(i64),
}

impl Default for Sync {
    fn default() -> Self {
        Self::Every(250_000_000)
    }
}

/// What is kept: stands at the head of each segment, for whoever reads it.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The edge, as `producer -> consumer`.
    pub edge: String,
    /// What it carries.
    pub format: Format,
    /// Which line its times are on.
    pub line: TimeLine,
    /// Whether signals are packed where that makes them shorter.
    pub packed: bool,
}

/// A moment by two clocks: that of this process, which begins anew each time, and that of the wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// By the clock of this process.
    pub clock: Timestamp,
    /// Nanoseconds since 1970, UTC.
    pub wall_ns: i64,
}

impl Moment {
    /// The moment when the clock of this process shows `clock` and that on the wall `wall`.
    pub fn new(clock: Timestamp, wall: SystemTime) -> Self {
        let since = wall.duration_since(SystemTime::UNIX_EPOCH);
        let wall_ns = since.map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX));
        Self { clock, wall_ns }
    }

    /// What the wall's clock is ahead of the process's.
    pub(crate) const fn ahead_ns(&self) -> i64 {
        self.wall_ns.saturating_sub(self.clock.nanos())
    }
}

impl Settings {
    /// A spool of so many bytes, with the rest as it is where a graph says nothing.
    pub fn new(dir: impl Into<PathBuf>, bytes_max: u64) -> Self {
        let (when_full, sync) = (WhenFull::default(), Sync::default());
        Self { dir: dir.into(), bytes_max, when_full, sync }
    }

    /// Bytes after which the next segment begins.
    pub(crate) fn segment_bytes(&self) -> u64 {
        (self.bytes_max / 16).clamp(*SEGMENT_BYTES.start(), *SEGMENT_BYTES.end())
    }
}
