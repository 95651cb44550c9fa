//! What is written is read.

use engine::{Format, Frame, Gap, Unit, describe, differences, parse_format};

use super::samples;
use crate::wire::{
    Assembler, CONTROL_MAX, Datagram, FLUSHES, FrameWriter, Message, NEWEST, WireError, longest,
    put_preamble, read_frame,
};

fn written(format: &Format, frame: &Frame, version: u8) -> Vec<u8> {
    let mut out = Vec::new();
    put_preamble(&mut out, version);
    FrameWriter::new(format, version, true).put(&mut out, 5, 99, frame);
    out
}

pub(super) fn read(format: &Format, bytes: &[u8]) -> Result<(u64, Frame), WireError> {
    let mut datagram = Datagram::open(bytes)?;
    let record = datagram.next().expect("one record")?;
    read_frame(datagram.version, record.body, format)
}

#[test]
fn every_field_of_a_header_and_every_bit_of_the_content_come_back() {
    for (format, frame) in samples::all() {
        let bytes = written(&format, &frame, NEWEST);
        assert!(bytes.len() - 4 <= longest(&format).expect("has a limit"));

        let (place, back) = read(&format, &bytes).expect("just written");

        assert_eq!((place, back.header), (99, frame.header));
        assert_eq!((back.buffer().bytes(), back.len()), (frame.buffer().bytes(), frame.len()));
    }
}

#[test]
fn the_version_before_is_read_and_knows_no_uncertainty() {
    for (format, frame) in samples::all() {
        let (_, back) = read(&format, &written(&format, &frame, 1)).expect("version 1 is read");

        assert_eq!(back.header, engine::Header { uncertainty_ns: 0, ..frame.header });
        assert_eq!(back.buffer().bytes(), frame.buffer().bytes());
    }
}

#[test]
fn a_newer_version_is_refused_with_what_to_do() {
    let (format, frame) = samples::signal();
    let mut bytes = written(&format, &frame, NEWEST);
    bytes[1] = NEWEST + 1;

    let problem = read(&format, &bytes).expect_err("not to be read").to_string();

    let wanted = "the other side speaks version 4 of the link's format, this one reads 1 to 3; \
                  update this side";
    assert_eq!(problem, wanted);
}

#[test]
fn messages_come_back_through_datagrams_and_through_streams_in_any_pieces() {
    let messages = samples::messages();
    let mut bytes = Vec::new();
    put_preamble(&mut bytes, NEWEST);
    for (n, message) in messages.iter().enumerate() {
        message.put(&mut bytes, n as u16);
    }

    let from_datagram: Vec<Message> = Datagram::open(&bytes)
        .expect("a datagram")
        .map(|record| record.expect("a record"))
        .map(|record| Message::read(record.kind, record.body).expect("legal").expect("no frame"))
        .collect();
    assert_eq!(from_datagram, messages);

    for piece in [1, 3, 7, 100, bytes.len()] {
        let mut assembler = Assembler::default();
        let mut from_stream = Vec::new();
        for piece in bytes.chunks(piece) {
            assembler.push(piece);
            while let Some((_, record)) = assembler.next(CONTROL_MAX).expect("legal") {
                assert_eq!(record.edge as usize, from_stream.len());
                let message = Message::read(record.kind, record.body).expect("legal");
                from_stream.push(message.expect("no frame"));
            }
        }
        assert_eq!(from_stream, messages);
        assert_eq!(assembler.held(), 0);
    }
}

#[test]
fn an_announced_length_beyond_the_limit_is_refused_before_its_bytes_come() {
    let mut head = Vec::new();
    put_preamble(&mut head, NEWEST);
    head.extend_from_slice(&[1, 0, 0, 0]);
    head.extend_from_slice(&u32::MAX.to_le_bytes());
    let mut assembler = Assembler::default();

    assembler.push(&head);
    let problem = assembler.next(1_000).expect_err("too long");

    let (is, max) = (u32::MAX.into(), 1_000);
    assert_eq!(problem, WireError::TooLong { what: "the length of a record", is, max });
}

#[test]
fn a_frame_of_another_format_is_refused() {
    let (signal, frame) = samples::signal();
    let bytes = written(&signal, &frame, 1);
    for (other, _) in [samples::event(), samples::picture()] {
        assert!(read(&other, &bytes).is_err(), "{other}");
    }
    let longer = Format::signal(1, Unit::MILLIVOLT, signal.rate().expect("a signal"), 4);
    assert!(read(&longer, &bytes).is_err());
}

#[test]
fn two_hosts_are_told_what_differs_between_their_formats() {
    let (ours, _) = samples::signal();
    let theirs = Format::signal(3, Unit::named("uV"), ours.rate().expect("a signal"), 4);

    assert_eq!(differences(&describe(&ours), &describe(&ours), ["here", "there"]), [""; 0]);
    assert_eq!(
        differences(&describe(&ours), &describe(&theirs), ["here", "there"]),
        [
            "channels is `2` here and `3` there",
            "unit of channel 0 is `mV` here and `uV` there",
            "unit of channel 1 is `mV` here and `uV` there",
            "channel 2 is nothing here and `2` there",
            "unit of channel 2 is nothing here and `uV` there",
        ]
    );
}

#[test]
fn a_description_is_a_format_again() {
    for (format, _) in samples::all() {
        let words = describe(&format);
        let parsed = parse_format(&words).expect("it was one");
        assert_eq!(describe(&parsed), words);
        for n in 0..words.len() {
            let mut fewer = words.clone();
            fewer.remove(n);
            assert!(parse_format(&fewer).is_none(), "{words:?} without {n}");
        }
    }
}

#[test]
fn a_gap_that_a_version_does_not_know_is_told_as_content_that_did_not_come() {
    let (format, mut frame) = samples::signal();
    frame.header.gap = Gap::Flush.into();
    for version in 1..=NEWEST {
        let bytes = written(&format, &frame, version);
        let (_, back) = read(&format, &bytes).expect("any side reads it");
        let known = if version < FLUSHES { Gap::Source } else { Gap::Flush };
        assert_eq!(back.header.gap, Some(known), "{version}");
    }
}
