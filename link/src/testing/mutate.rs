//! Bytes damaged the way that finds most.

use super::Random;

/// Bytes that readers treat in a way of their own: ends of ranges, lengths, first letters.
const TELLING: [u8; 12] = [0, 1, 2, 4, 0x10, 0x7f, 0x80, 0xfe, 0xff, b'A', b'"', b'\n'];

/// Damages bytes in a few places: flips, extremes, numbers of two and four bytes, pieces cut out, doubled,
/// or taken from `other`. They are at most `max` long afterwards.
pub fn mutate(random: &mut Random, bytes: &mut Vec<u8>, other: &[u8], max: usize) {
    for _ in 0..=random.below(8) {
        let len = bytes.len();
        let at = random.below(len as u64) as usize;
        let end = at + random.below((len - at).min(64) as u64 + 1) as usize;
        match random.below(10) {
            0 | 1 if len > 0 => bytes[at] ^= 1 << random.below(8),
            2 | 3 if len > 0 => bytes[at] = TELLING[random.below(TELLING.len() as u64) as usize],
            4 if at + 2 <= len => {
                let number = (random.next_u64() as u16) >> random.below(16);
                bytes[at..at + 2].copy_from_slice(&number.to_le_bytes());
            }
            5 if at + 4 <= len => {
                let number = (random.next_u64() as u32) >> random.below(32);
                bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
            }
            6 => bytes.drain(at..end).for_each(drop),
            7 => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece).for_each(drop);
            }
            8 => {
                let from = random.below(other.len() as u64) as usize;
                let piece = &other[from..other.len().min(from + random.below(64) as usize)];
                bytes.splice(at..end, piece.iter().copied()).for_each(drop);
            }
            _ => bytes.truncate(at),
        }
        bytes.truncate(max);
    }
}
