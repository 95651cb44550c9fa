//! Bytes that never change: peers and spools of another version hold them.

use super::{round_trip::read, samples};
use crate::wire::{Datagram, FLUSHES, FrameWriter, Message, NEWEST, OLDEST, put_preamble};

/// What a version wrote, by the sample's name.
fn golden(name: &str, version: u8) -> Vec<u8> {
    let key = format!("{name} {version} ");
    let line = include_str!("golden.txt").lines().find_map(|line| line.strip_prefix(&key));
    let digits = line.expect("a line for each sample and version").as_bytes();
    let digit = |c: u8| (c as char).to_digit(16).expect("hexadecimal") as u8;
    digits.chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

#[test]
fn every_version_writes_frames_as_it_always_did_and_reads_them() {
    let names = ["signal", "event", "tensor", "picture"];
    for version in OLDEST..=NEWEST {
        for (name, (format, frame)) in names.into_iter().zip(samples::all()) {
            let wanted = golden(name, version);

            let mut written = Vec::new();
            put_preamble(&mut written, version);
            FrameWriter::new(&format, version, true).put(&mut written, 5, 99, &frame);
            assert_eq!(written, wanted, "{name} {version}");

            let (place, back) = read(&format, &wanted).expect("it was written");
            let uncertainty_ns = if version > 1 { frame.header.uncertainty_ns } else { 0 };
            assert_eq!(back.header, engine::Header { uncertainty_ns, ..frame.header });
            assert_eq!((place, back.len()), (99, frame.len()));
            assert_eq!(back.buffer().bytes(), frame.buffer().bytes(), "{name} {version}");
        }
    }
}

#[test]
fn messages_are_written_as_they_always_were_and_read() {
    let mut said = samples::messages();
    // A version 1 said the same things in the same words as 2.
    for (version, golden) in [(1, "messages 2"), (2, "messages 2"), (3, "messages 3")] {
        if version == FLUSHES {
            said.push(Message::Flush { epoch: 7 });
        }
        let (name, of) = golden.split_once(' ').expect("two words");
        let mut bytes = self::golden(name, of.parse().expect("a version"));
        bytes[1] = version;
        let mut written = Vec::new();
        put_preamble(&mut written, version);
        for (n, message) in said.iter().enumerate() {
            message.put(&mut written, n as u16);
        }
        assert_eq!(written, bytes);

        let records = Datagram::open(&bytes).expect("a datagram").map(|r| r.expect("a record"));
        let read: Vec<Message> = records
            .map(|record| {
                Message::read(record.kind, record.body).expect("legal").expect("no frame")
            })
            .collect();
        assert_eq!(read, said);
    }
}

#[test]
fn a_hello_says_its_countings_behind_what_was_always_there() {
    let wanted = golden("counted", 2);
    let mut hello = samples::hello();
    hello.edges[0].count = Some(0xc047);

    let mut written = Vec::new();
    put_preamble(&mut written, 2);
    Message::Hello(Box::new(hello.clone())).put(&mut written, 0);
    assert_eq!(written, wanted);

    // What comes later still is read over.
    let mut newer = wanted.clone();
    newer.extend_from_slice(&[9, 0, 3, 0, 0, 0, 1, 2, 3]);
    newer[8] += 9;
    for bytes in [wanted, newer] {
        let record = Datagram::open(&bytes).expect("a datagram").next().expect("a record");
        let record = record.expect("whole");
        let read = Message::read(record.kind, record.body).expect("legal");
        assert_eq!(read, Some(Message::Hello(Box::new(hello.clone()))));
    }
}
