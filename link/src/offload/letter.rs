//! Questions and answers of a call as bytes.
//!
//! ```text
//! question   0      1       4    8         16         24      28
//!            ┌──────┬───────┬────┬─────────┬──────────┬───────┬──────────┐
//!            │ 1    │ 0 0 0 │ 0  │ number  │ left ns  │ count │ content  │
//!            │ u8   │       │u32 │ u64     │ i64      │ u32   │          │
//!            └──────┴───────┴────┴─────────┴──────────┴───────┴──────────┘
//! answer     0      1      2       4    8         16     18      20      24     28
//!            ┌──────┬──────┬───────┬────┬─────────┬──────┬───────┬───────┬──────┬─────────┐
//!            │ 1    │ what │ pieces│doubt│ number │ port │ 0     │ count │ len  │ content │ …
//!            │ u8   │ u8   │ u16   │ u32 │ u64    │ u16  │ u16   │ u32   │ u32  │         │
//!            └──────┴──────┴───────┴────┴─────────┴──────┴───────┴───────┴──────┴─────────┘
//! ```
//!
//! `what` is 0 for an answer, else a text follows: 1 for one that failed, 2 for one that would be late. The frame
//! that carries a question has the header of what is asked about, that of an answer the same. `doubt` is 1 where
//! somebody better may know more, 2 where whoever was asked knows nothing. `left` is
//! how long the answer may take; the greatest number where it may take as long as it likes.

use std::time::Duration;

use engine::{Answer, Buffer, Doubt, Fault, FaultClass, Format, Frame};

use crate::{
    printable::printable,
    wire::{WireError, bytes::Cursor, check_content},
};

const VERSION: u8 = 1;
const ANSWERED: u8 = 0;
const FAILED: u8 = 1;
const LATE: u8 = 2;
/// Bytes of a question before its content.
const QUESTION_HEAD: usize = 28;
/// Bytes of an answer before its pieces, and of a piece before its content.
const ANSWER_HEAD: usize = 16;
const PIECE_HEAD: usize = 12;
/// Most pieces of one answer.
const PIECES_MAX: usize = 1 << 10;
/// By number.
const DOUBTS: [Doubt; 3] = [Doubt::None, Doubt::Some, Doubt::All];
/// Longest reason of a fault, in bytes.
const REASON_MAX: usize = 2 << 10;

/// What is asked.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) number: u64,
    pub(super) left: Option<Duration>,
    pub(super) frame: Frame,
}

/// The frame that carries a question; none if it is longer than `most` bytes.
pub(super) fn put_question(
    number: u64,
    left: Option<Duration>,
    question: &Frame,
    most: usize,
) -> Option<Frame> {
    let content = question.buffer().bytes();
    let whole = QUESTION_HEAD.checked_add(content.len()).filter(|whole| *whole <= most)?;
    let mut buffer = Buffer::with_bytes(whole, 1);
    let bytes = buffer.bytes_mut().expect("fresh");
    bytes[..8].copy_from_slice(&[VERSION, 0, 0, 0, 0, 0, 0, 0]);
    bytes[8..16].copy_from_slice(&number.to_le_bytes());
    let left = left.map_or(i64::MAX, |left| i64::try_from(left.as_nanos()).unwrap_or(i64::MAX));
    bytes[16..24].copy_from_slice(&left.to_le_bytes());
    bytes[24..28].copy_from_slice(&(question.len() as u32).to_le_bytes());
    bytes[QUESTION_HEAD..].copy_from_slice(content);
    Some(Frame::new(question.header, buffer))
}

/// What a frame asks.
///
/// # Errors
/// If it is no question.
pub(super) fn read_question(frame: &Frame) -> Result<Question, WireError> {
    let mut cursor = Cursor::new("a question", frame.buffer().bytes());
    version(&mut cursor)?;
    cursor.take(7)?;
    let number = cursor.u64()?;
    let left = cursor.i64()?;
    let count = cursor.u32()? as usize;
    let content = cursor.rest();
    let mut buffer = Buffer::with_bytes(content.len(), count);
    buffer.bytes_mut().expect("fresh").copy_from_slice(content);
    let left = (left != i64::MAX).then(|| Duration::from_nanos(left.max(0).unsigned_abs()));
    Ok(Question { number, left, frame: Frame::new(frame.header, buffer) })
}

/// The frame that carries what became of a question. What is too long for `most` bytes has failed.
pub(super) fn put_answer(
    number: u64,
    about: &Frame,
    answer: &Result<Answer, Fault>,
    most: usize,
) -> Frame {
    let bytes = match answer {
        Ok(answer) => written(number, answer).filter(|bytes| bytes.len() <= most),
        Err(fault) => {
            let what = if fault.class() == FaultClass::Late { LATE } else { FAILED };
            Some(refusal(number, what, &fault.to_string()))
        }
    };
    let bytes = bytes
        .unwrap_or_else(|| refusal(number, FAILED, "its answer is longer than the link takes"));
    let mut buffer = Buffer::with_bytes(bytes.len(), 1);
    buffer.bytes_mut().expect("fresh").copy_from_slice(&bytes);
    Frame::new(about.header, buffer)
}

fn head(number: u64, what: u8, pieces: usize, doubt: Doubt) -> Vec<u8> {
    let doubt = DOUBTS.iter().position(|known| *known == doubt).unwrap_or_default();
    let mut bytes = vec![VERSION, what];
    bytes.extend_from_slice(&(pieces as u16).to_le_bytes());
    bytes.extend_from_slice(&(doubt as u32).to_le_bytes());
    bytes.extend_from_slice(&number.to_le_bytes());
    bytes
}

fn written(number: u64, answer: &Answer) -> Option<Vec<u8>> {
    let payloads = answer.payloads();
    if payloads.len() > PIECES_MAX {
        return None;
    }
    let mut bytes = head(number, ANSWERED, payloads.len(), answer.doubt());
    for (port, buffer) in payloads {
        bytes.extend_from_slice(&u16::try_from(*port).ok()?.to_le_bytes());
        bytes.extend_from_slice(&[0; 2]);
        bytes.extend_from_slice(&u32::try_from(buffer.count()).ok()?.to_le_bytes());
        bytes.extend_from_slice(&u32::try_from(buffer.bytes_len()).ok()?.to_le_bytes());
        bytes.extend_from_slice(buffer.bytes());
    }
    Some(bytes)
}

fn refusal(number: u64, what: u8, why: &str) -> Vec<u8> {
    let mut bytes = head(number, what, 0, Doubt::None);
    bytes.extend_from_slice(&why.as_bytes()[..why.floor_char_boundary(REASON_MAX)]);
    bytes
}

/// What became of a question, and its number. `outputs` are the formats of the call's ports.
///
/// # Errors
/// If it is no answer of such a call.
pub(super) fn read_answer(
    frame: &Frame,
    outputs: &[Format],
) -> Result<(u64, Result<Answer, Fault>), WireError> {
    let mut cursor = Cursor::new("an answer", frame.buffer().bytes());
    version(&mut cursor)?;
    let what = cursor.u8()?;
    let pieces = usize::from(cursor.u16()?);
    let doubt = cursor.u32()?;
    let number = cursor.u64()?;
    if what == FAILED || what == LATE {
        let why = String::from_utf8_lossy(&cursor.rest()[..cursor.rest().len().min(REASON_MAX)]);
        let why = printable(&why);
        return Ok((number, Err(if what == LATE { Fault::late(why) } else { Fault::new(why) })));
    }
    if what != ANSWERED {
        return Err(WireError::Unknown { what: "the kind of an answer", is: what.into() });
    }
    if pieces > PIECES_MAX {
        let (is, max) = (pieces as u64, PIECES_MAX as u64);
        return Err(WireError::TooLong { what: "the pieces of an answer", is, max });
    }
    let doubt = usize::try_from(doubt).ok().and_then(|doubt| DOUBTS.get(doubt));
    let mut answer = Answer::nothing().in_doubt(doubt.copied().unwrap_or_default());
    for _ in 0..pieces {
        let port = usize::from(cursor.u16()?);
        cursor.take(2)?;
        let count = cursor.u32()? as usize;
        let len = cursor.u32()? as usize;
        let content = cursor.take(len)?;
        let format = outputs.get(port);
        let format =
            format.ok_or(WireError::Unknown { what: "the port of an answer", is: port as u64 })?;
        check_content(format, count, content)?;
        let mut buffer = Buffer::with_bytes(len, count);
        buffer.bytes_mut().expect("fresh").copy_from_slice(content);
        answer = answer.and(port, buffer);
    }
    cursor.end()?;
    Ok((number, Ok(answer)))
}

fn version(cursor: &mut Cursor<'_>) -> Result<(), WireError> {
    match cursor.u8()? {
        VERSION => Ok(()),
        other => Err(WireError::Unknown { what: "the version of a question", is: other.into() }),
    }
}

/// Bytes that a question or an answer takes before its content, at least.
pub(super) const HEAD_LEAST: usize = ANSWER_HEAD + PIECE_HEAD;
const _: () = assert!(HEAD_LEAST >= QUESTION_HEAD);

#[cfg(test)]
mod tests {
    use engine::{EventWriter, Field, Header, Rate, Timestamp, Unit};

    use super::*;
    use crate::testing::{Random, mutate};

    fn outputs() -> Vec<Format> {
        let rate = Rate::new(10.0).expect("a rate");
        vec![
            Format::event(vec![Field::text("label", 16), Field::f64("score")], 1.0),
            Format::signal(2, Unit::UNKNOWN, rate, 8),
        ]
    }

    fn answer() -> Answer {
        let outputs = outputs();
        let event = EventWriter::new(outputs[0].as_event().expect("an event"));
        let event = event.text(0, "calm").f64(1, 0.75).finish();
        Answer::from(event).and(1, Buffer::of_floats(&[1.0, 2.0, 3.0, 4.0], 2))
    }

    fn asked() -> Frame {
        let mut frame = Frame::signal(Timestamp::from_nanos(77), 2, &[0.5; 6]);
        frame.header.tag = 9;
        frame
    }

    #[test]
    fn what_is_asked_and_said_arrives_as_it_was() {
        let left = Some(Duration::from_millis(40));
        let sent = put_question(3, left, &asked(), 1 << 20).expect("it fits");
        let read = read_question(&sent).expect("a question");
        assert_eq!((read.number, read.left), (3, left));
        assert_eq!((read.frame.header, read.frame.len()), (asked().header, asked().len()));
        assert_eq!(read.frame.samples(), asked().samples());
        let sent = put_question(3, None, &asked(), 1 << 20).expect("it fits");
        assert_eq!(read_question(&sent).expect("a question").left, None);
        assert!(put_question(3, None, &asked(), 30).is_none(), "longer than the link takes");

        let unsure = answer().in_doubt(Doubt::Some);
        let said = put_answer(5, &asked(), &Ok(unsure), 1 << 20);
        let (number, read) = read_answer(&said, &outputs()).expect("an answer");
        let read = read.expect("no fault");
        assert_eq!(read.doubt(), Doubt::Some);
        assert_eq!((number, said.header.time), (5, asked().header.time));
        assert_eq!(read.payloads().len(), 2);
        for ((port, buffer), (wanted_port, wanted)) in
            read.payloads().iter().zip(answer().payloads())
        {
            assert_eq!(
                (port, buffer.count(), buffer.bytes()),
                (wanted_port, wanted.count(), wanted.bytes())
            );
        }
    }

    #[test]
    fn faults_keep_their_class_and_what_is_too_long_has_failed() {
        let of = |said: &Frame| read_answer(said, &outputs()).expect("an answer").1;
        let late = of(&put_answer(1, &asked(), &Err(Fault::late("the queue is long")), 1 << 20));
        let failed = of(&put_answer(1, &asked(), &Err(Fault::new("no model")), 1 << 20));
        let long = of(&put_answer(1, &asked(), &Ok(answer()), 40));
        assert_eq!(late.expect_err("a fault").class(), FaultClass::Late);
        let failed = failed.expect_err("a fault");
        assert!(failed.class() != FaultClass::Late && failed.to_string().contains("no model"));
        assert!(long.expect_err("a fault").to_string().contains("longer than"));
    }

    #[test]
    fn damage_is_refused_or_read_and_never_more_than_that() {
        let question = put_question(3, None, &asked(), 1 << 20).expect("it fits");
        let said = put_answer(5, &asked(), &Ok(answer()), 1 << 20);
        let frame = |bytes: &[u8]| {
            let mut buffer = Buffer::with_bytes(bytes.len(), 1);
            buffer.bytes_mut().expect("fresh").copy_from_slice(bytes);
            Frame::new(Header::at(Timestamp::ZERO), buffer)
        };
        let (mut refused, mut random) = (0, Random::new(7));
        let mut damaged = |of: &Frame, other: &Frame| {
            let mut bytes = of.buffer().bytes().to_vec();
            mutate(&mut random, &mut bytes, other.buffer().bytes(), 1 << 12);
            frame(&bytes)
        };
        for _ in 0..2_000 {
            drop(read_question(&damaged(&question, &said)));
            let damaged = damaged(&said, &question);
            if let Ok((_, Ok(answer))) = read_answer(&damaged, &outputs()) {
                for (port, buffer) in answer.payloads() {
                    check_content(&outputs()[*port], buffer.count(), buffer.bytes())
                        .expect("checked when it was read");
                }
            } else {
                refused += 1;
            }
        }
        assert!(refused > 500, "{refused}");
        let other = Format::event(vec![], 1.0);
        assert!(
            read_answer(&said, std::slice::from_ref(&other)).is_err(),
            "a port that there is not"
        );
        assert!(read_answer(&said, &[outputs()[1].clone(), other]).is_err(), "of another format");
    }
}
