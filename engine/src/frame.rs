//! [`Frame`]: a header and a buffer; what one hop carries.

use std::fmt;

use crate::{buffer::Buffer, time::Timestamp};

/// Header and payload; 64 bytes, moved without allocating.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct Frame {
    /// Everything but the content.
    pub header: Header,
    buffer: Buffer,
}

/// What is known about a frame besides its content; 48 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Header {
    /// Number of this frame among those its producer put on the edge, from zero.
    /// A jump means that frames are missing.
    pub seq: u64,
    /// When the content happened: the first sample of a signal, the instant of an event.
    pub time: Timestamp,
    /// The host's monotonic clock when the content came through its door.
    pub entered: Timestamp,
    /// Set by a source, copied to whatever a frame causes: request, call or trace id.
    pub tag: u64,
    /// How far `time` may be off, in nanoseconds either way; 0 where it is exact.
    pub uncertainty_ns: u32,
    /// Counts flushes and abandoned bodies; frames of an older epoch are void.
    pub epoch: u32,
    /// Number of the source node among the sources of its plan.
    pub source: u32,
    /// Why something is missing just before this frame, if something is.
    pub gap: MaybeGap,
}

const _: () = assert!(size_of::<Header>() == 48);
const _: () = assert!(size_of::<Frame>() == 64);
const _: () = assert!(size_of::<Option<Frame>>() == 64);

/// Why content is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Gap {
    /// An edge was full and its policy drops.
    Full = 1,
    /// The frame (or its place in a window) came too late to be joined.
    Late,
    /// An operator died on it.
    Poison,
    /// A body was put in anew and forgot what it knew.
    Restart,
    /// It was inside a body that never returned.
    Wedged,
    /// Its source or graph was paused.
    Paused,
    /// The device, file or link did not deliver.
    Source,
    /// It was still inside when its session was closed.
    Closed,
    /// A node above took back what it had passed on.
    Flush,
}

/// An `Option<Gap>` in which nothing else can be hidden.
///
/// `Option<Frame>` tells its absence by the impossible value of some field. Were that this one, in
/// the middle, then every frame that may be none would be moved in overlapping parts, and every such
/// move waits for the stores of the one before; so it is the last one, the buffer's address.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct MaybeGap(u32);

impl MaybeGap {
    /// Nothing is missing.
    pub const NONE: Self = Self(0);

    /// The reason, if something is missing.
    pub fn get(self) -> Option<Gap> {
        Gap::ALL.get((self.0 as usize).wrapping_sub(1)).copied()
    }

    /// Whether something is missing.
    pub const fn is_some(self) -> bool {
        self.0 != 0
    }

    /// Whether nothing is missing.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// This, or if nothing is missing here, `other`.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        if self.is_some() { self } else { other }
    }

    /// Notes a reason unless there is one already.
    pub fn note(&mut self, gap: Gap) {
        *self = self.or(gap.into());
    }

    /// The reason, which is then forgotten.
    pub fn take(&mut self) -> Option<Gap> {
        std::mem::take(self).get()
    }
}

impl From<Gap> for MaybeGap {
    fn from(gap: Gap) -> Self {
        Self(gap as u32)
    }
}

impl From<Option<Gap>> for MaybeGap {
    fn from(gap: Option<Gap>) -> Self {
        gap.map_or(Self::NONE, Self::from)
    }
}

impl PartialEq<Option<Gap>> for MaybeGap {
    fn eq(&self, other: &Option<Gap>) -> bool {
        self.get() == *other
    }
}

impl fmt::Debug for MaybeGap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

impl Gap {
    /// Every reason, in the order of their numbers.
    pub const ALL: [Self; 9] = [
        Self::Full,
        Self::Late,
        Self::Poison,
        Self::Restart,
        Self::Wedged,
        Self::Paused,
        Self::Source,
        Self::Closed,
        Self::Flush,
    ];

    /// The word used in metrics, summaries and recordings.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Late => "late",
            Self::Poison => "poison",
            Self::Restart => "restart",
            Self::Wedged => "wedged",
            Self::Paused => "paused",
            Self::Source => "source",
            Self::Closed => "closed",
            Self::Flush => "flush",
        }
    }

    pub(crate) const fn index(self) -> usize {
        self as usize - 1
    }
}

impl Header {
    /// The header of content that happened at `time`, everything else unset.
    pub const fn at(time: Timestamp) -> Self {
        Self {
            seq: 0,
            time,
            entered: Timestamp::ZERO,
            tag: 0,
            uncertainty_ns: 0,
            epoch: 0,
            source: 0,
            gap: MaybeGap::NONE,
        }
    }

    /// The header of something this frame caused, at `time`: clock, tag and
    /// source are inherited.
    #[must_use]
    pub const fn causes(&self, time: Timestamp) -> Self {
        Self { seq: 0, time, gap: MaybeGap::NONE, ..*self }
    }
}

impl Frame {
    /// A frame of `buffer` under `header`.
    pub const fn new(header: Header, buffer: Buffer) -> Self {
        Self { header, buffer }
    }

    /// A signal frame from planar samples: `samples.len() / channels` per channel.
    pub fn signal(time: Timestamp, channels: usize, samples: &[f32]) -> Self {
        let mut buffer = Buffer::signal(channels, samples.len() / channels.max(1));
        let plane = buffer.floats_mut().expect("a fresh buffer has one holder");
        plane.copy_from_slice(&samples[..plane.len()]);
        Self::new(Header::at(time), buffer)
    }

    /// The payload.
    pub const fn buffer(&self) -> &Buffer {
        &self.buffer
    }

    /// The payload, to be replaced or written in place.
    pub const fn buffer_mut(&mut self) -> &mut Buffer {
        &mut self.buffer
    }

    /// Takes the frame apart.
    pub fn into_parts(self) -> (Header, Buffer) {
        (self.header, self.buffer)
    }

    /// Samples per channel of a signal.
    pub fn len(&self) -> usize {
        self.buffer.count()
    }

    /// Whether a signal frame has no samples.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All samples, plane after plane.
    pub fn samples(&self) -> &[f32] {
        self.buffer.floats()
    }

    /// The samples of one channel.
    ///
    /// # Panics
    /// If the frame has no such channel.
    pub fn channel(&self, channel: usize) -> &[f32] {
        let len = self.len();
        &self.buffer.floats()[channel * len..(channel + 1) * len]
    }
}
