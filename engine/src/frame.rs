//! [`Frame`]: a header and a buffer; what one hop carries.

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
    pub gap: Option<Gap>,
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
}

impl Gap {
    /// Every reason, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::Full,
        Self::Late,
        Self::Poison,
        Self::Restart,
        Self::Wedged,
        Self::Paused,
        Self::Source,
        Self::Closed,
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
            gap: None,
        }
    }

    /// The header of something this frame caused, at `time`: clock, tag and
    /// source are inherited.
    #[must_use]
    pub const fn causes(&self, time: Timestamp) -> Self {
        Self { seq: 0, time, gap: None, ..*self }
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
