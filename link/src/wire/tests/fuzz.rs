//! No bytes make a reader panic, or allocate more than their edge's format allows.

use engine::Format;

use super::samples;
use crate::{
    testing::Random,
    wire::{Assembler, Datagram, FrameWriter, Message, NEWEST, OLDEST, put_preamble, read_frame},
};

/// Reads whatever it is, as a datagram and as a stream, each frame as every format.
fn read_all(bytes: &[u8], formats: &[Format]) -> usize {
    let mut understood = 0;
    for record in Datagram::open(bytes).into_iter().flatten().flatten() {
        for format in formats {
            for version in OLDEST..=NEWEST {
                if let Ok((_, frame)) = read_frame(version, record.body, format) {
                    let most = crate::wire::longest(format).expect("has a limit");
                    assert!(frame.buffer().bytes_len() <= most);
                    understood += 1;
                }
            }
        }
        understood += usize::from(Message::read(record.kind, record.body).is_ok());
    }
    let mut assembler = Assembler::default();
    for piece in bytes.chunks(11) {
        assembler.push(piece);
        while let Ok(Some((_, record))) = assembler.next(10_000) {
            understood += usize::from(Message::read(record.kind, record.body).is_ok());
        }
        assert!(assembler.held() <= bytes.len());
    }
    understood
}

fn whole_datagram(version: u8) -> (Vec<u8>, Vec<Format>) {
    let (mut bytes, mut formats) = (Vec::new(), Vec::new());
    put_preamble(&mut bytes, version);
    for (format, frame) in samples::all() {
        FrameWriter::new(&format, version, true).put(&mut bytes, 0, 1, &frame);
        formats.push(format);
    }
    for message in samples::messages() {
        message.put(&mut bytes, 0);
    }
    (bytes, formats)
}

#[test]
fn truncated_at_every_byte() {
    for version in OLDEST..=NEWEST {
        let (bytes, formats) = whole_datagram(version);
        for len in 0..bytes.len() {
            read_all(&bytes[..len], &formats);
        }
        // The claim is worth something only if the whole is understood.
        assert!(read_all(&bytes, &formats) > 20);
    }
}

#[test]
fn every_bit_flipped() {
    for version in OLDEST..=NEWEST {
        let (mut bytes, formats) = whole_datagram(version);
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            read_all(&bytes, &formats);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

#[test]
fn anything_at_all() {
    let (whole, formats) = whole_datagram(NEWEST);
    for seed in 0..20_000 {
        let mut random = Random::new(seed);
        let mut bytes = match seed % 3 {
            0 => (0..random.below(300)).map(|_| random.next_u64() as u8).collect(),
            _ => whole.clone(),
        };
        for _ in 0..random.below(12) {
            let at = random.below(bytes.len() as u64) as usize;
            if let Some(byte) = bytes.get_mut(at) {
                // Small numbers and extremes get further than even noise does.
                *byte = [0, 1, 0x7f, 0xff, random.next_u64() as u8][random.below(5) as usize];
            }
        }
        if seed % 3 == 0 && bytes.len() > 5 {
            bytes[..2].copy_from_slice(&[b'A', 1 + (seed % 2) as u8]);
            bytes[4] %= 14;
        }
        read_all(&bytes, &formats);
    }
}
