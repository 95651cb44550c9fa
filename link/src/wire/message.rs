//! What the two sides say to each other besides frames.

use engine::{Gap, Timestamp};

use super::{
    Hello, WireError,
    bytes::{Cursor, put_text},
    frame::gap_of,
    record::{RecordKind, put_record},
};

/// Longest text of a farewell, in bytes.
const TEXT_MAX: usize = 1_024;

/// A control message. Those about one edge say which beside it, in [`Record::edge`](super::Record).
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Who we are and what we have; the first thing on the control stream.
    Hello(Box<Hello>),
    /// The other side's hello suits, and its clock is known well enough to begin.
    Ready,
    /// The sender may send the frames before this place, as long as so many bytes are under way.
    Credit {
        /// The first place that it may not send.
        frames: u64,
        /// Most bytes of content that are sent and not acknowledged; one frame may always be.
        bytes: u64,
    },
    /// All frames before this place are taken in, or told to be missing.
    Ack {
        /// The first place that is not.
        next: u64,
        /// The newest bound that was heard.
        bound: Timestamp,
    },
    /// Places for which nothing will ever come: as many frames, but for `Restart`, where who sends has
    /// forgotten how many there were.
    Gap {
        /// Place of the first.
        from: u64,
        /// Place after the last.
        to: u64,
        /// Why.
        reason: Gap,
    },
    /// Behind the frames before `next`, nothing older than `bound` will come.
    Bound {
        /// Place of the next frame.
        next: u64,
        /// In the sender's time.
        bound: Timestamp,
    },
    /// The edge has ended before this place.
    End {
        /// How many frames it had.
        next: u64,
    },
    /// Frames of an older epoch are void: what is under way, and what they have caused by now.
    Flush {
        /// The epoch that begins.
        epoch: u32,
    },
    /// Asks for the other clock.
    Probe {
        /// Comes back with the answer.
        id: u32,
        /// When it was sent, by the asker's clock.
        sent: Timestamp,
    },
    /// Tells the clock that was asked for.
    Answer {
        /// Of the probe.
        id: u32,
        /// Of the probe.
        sent: Timestamp,
        /// When the probe came, by the answerer's clock.
        received: Timestamp,
        /// When the answer left, by the answerer's clock.
        replied: Timestamp,
    },
    /// We are still there.
    Ping,
    /// We leave, and why.
    Bye {
        /// What a program looks at.
        reason: ByeReason,
        /// What a person reads.
        text: String,
    },
}

/// Why a side leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ByeReason {
    /// All edges have ended.
    Done = 1,
    /// It is being shut down.
    Stopped,
    /// The two do not run the same graph, or do not agree on the edges' formats.
    Graph,
    /// It does not read our version.
    Version,
    /// We said what has no meaning.
    Protocol,
    /// It has no room for us.
    Busy,
}

impl ByeReason {
    const ALL: [Self; 6] =
        [Self::Done, Self::Stopped, Self::Graph, Self::Version, Self::Protocol, Self::Busy];

    /// Whether coming back could end otherwise.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Graph | Self::Version)
    }
}

impl Message {
    /// Appends the record.
    pub fn put(&self, out: &mut Vec<u8>, edge: u16) {
        put_record(out, self.kind(), edge, |out| match self {
            Self::Hello(hello) => hello.put(out),
            Self::Ready | Self::Ping => {}
            Self::Credit { frames, bytes } => put(out, [*frames, *bytes]),
            Self::Ack { next, bound } => put(out, [*next, bits(*bound)]),
            Self::Gap { from, to, reason } => {
                put(out, [*from, *to]);
                out.push(*reason as u8);
            }
            Self::Bound { next, bound } => put(out, [*next, bits(*bound)]),
            Self::End { next } => put(out, [*next]),
            Self::Flush { epoch } => out.extend_from_slice(&epoch.to_le_bytes()),
            Self::Probe { id, sent } => {
                out.extend_from_slice(&id.to_le_bytes());
                put(out, [bits(*sent)]);
            }
            Self::Answer { id, sent, received, replied } => {
                out.extend_from_slice(&id.to_le_bytes());
                put(out, [bits(*sent), bits(*received), bits(*replied)]);
            }
            Self::Bye { reason, text } => {
                out.push(*reason as u8);
                put_text(out, &text[..text.floor_char_boundary(TEXT_MAX)]);
            }
        });
    }

    /// Reads a record's body; `None` for a frame.
    ///
    /// # Errors
    /// What has no meaning, before anything is allocated for it.
    pub fn read(kind: RecordKind, body: &[u8]) -> Result<Option<Self>, WireError> {
        let mut cursor = Cursor::new("a message", body);
        let read = &mut cursor;
        let message = match kind {
            RecordKind::Frame => return Ok(None),
            RecordKind::Hello => Self::Hello(Box::new(Hello::read(read)?)),
            RecordKind::Ready => Self::Ready,
            RecordKind::Credit => Self::Credit { frames: place(read)?, bytes: read.u64()? },
            RecordKind::Ack => Self::Ack { next: place(read)?, bound: time(read)? },
            RecordKind::Gap => {
                let (from, to, reason) = (place(read)?, place(read)?, read.u8()?);
                if from >= to {
                    return Err(WireError::TooLong {
                        what: "the start of a gap",
                        is: from,
                        max: to,
                    });
                }
                let unknown = WireError::Unknown { what: "the reason of a gap", is: reason.into() };
                Self::Gap { from, to, reason: gap_of(reason)?.get().ok_or(unknown)? }
            }
            RecordKind::Bound => Self::Bound { next: place(read)?, bound: time(read)? },
            RecordKind::End => Self::End { next: place(read)? },
            RecordKind::Flush => Self::Flush { epoch: read.u32()? },
            RecordKind::Probe => Self::Probe { id: read.u32()?, sent: time(read)? },
            RecordKind::Answer => Self::Answer {
                id: read.u32()?,
                sent: time(read)?,
                received: time(read)?,
                replied: time(read)?,
            },
            RecordKind::Ping => Self::Ping,
            RecordKind::Bye => {
                let number = read.u8()?;
                let reason = ByeReason::ALL.get(usize::from(number).wrapping_sub(1)).copied();
                let unknown = WireError::Unknown { what: "a farewell", is: number.into() };
                let text = read.text(TEXT_MAX)?.to_owned();
                Self::Bye { reason: reason.ok_or(unknown)?, text }
            }
        };
        cursor.end()?;
        Ok(Some(message))
    }

    const fn kind(&self) -> RecordKind {
        match self {
            Self::Hello(_) => RecordKind::Hello,
            Self::Ready => RecordKind::Ready,
            Self::Credit { .. } => RecordKind::Credit,
            Self::Ack { .. } => RecordKind::Ack,
            Self::Gap { .. } => RecordKind::Gap,
            Self::Bound { .. } => RecordKind::Bound,
            Self::End { .. } => RecordKind::End,
            Self::Flush { .. } => RecordKind::Flush,
            Self::Probe { .. } => RecordKind::Probe,
            Self::Answer { .. } => RecordKind::Answer,
            Self::Ping => RecordKind::Ping,
            Self::Bye { .. } => RecordKind::Bye,
        }
    }
}

fn put<const N: usize>(out: &mut Vec<u8>, numbers: [u64; N]) {
    for number in numbers {
        out.extend_from_slice(&number.to_le_bytes());
    }
}

const fn bits(time: Timestamp) -> u64 {
    time.nanos().cast_unsigned()
}

/// A place on an edge, far from where counting would overflow.
pub(super) fn place(cursor: &mut Cursor<'_>) -> Result<u64, WireError> {
    const PLACE_MAX: u64 = 1 << 62;
    let place = cursor.u64()?;
    let too_long = WireError::TooLong { what: "a place", is: place, max: PLACE_MAX };
    if place <= PLACE_MAX { Ok(place) } else { Err(too_long) }
}

fn time(cursor: &mut Cursor<'_>) -> Result<Timestamp, WireError> {
    cursor.i64().map(Timestamp::from_nanos)
}
