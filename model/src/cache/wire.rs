//! How an answer lies in a store of others.
//!
//! ```text
//! 0      4           20        28        30
//! ┌──────┬───────────┬─────────┬─────────┬── … for each payload ─────────────────────┐
//! │ AFC1 │ checksum  │ cost ns │ how many│ port u16 │ count u32 │ bytes u32 │ bytes … │
//! └──────┴───────────┴─────────┴─────────┴───────────────────────────────────────────┘
//! ```
//!
//! Little-endian. The checksum is XXH3 of 128 bits over the key and all behind the checksum: a value that
//! was cut, damaged, or belongs to another question is refused. It proves no origin: whoever may write to
//! the store can answer.

use engine::{Answer, Buffer};
use xxhash_rust::xxh3::Xxh3;

use super::Key;

const MAGIC: &[u8; 4] = b"AFC1";
const BODY_AT: usize = 20;
/// Longest value that is written or read.
pub(super) const VALUE_BYTES_MAX: usize = 4 << 20;

/// The value of an answer, unless it is too long.
pub(super) fn write(key: &Key, answer: &Answer, cost_ns: u64) -> Option<Vec<u8>> {
    let payloads = answer.payloads();
    let mut value = vec![0; BODY_AT];
    value[..4].copy_from_slice(MAGIC);
    value.extend(cost_ns.to_le_bytes());
    value.extend(u16::try_from(payloads.len()).ok()?.to_le_bytes());
    for (port, buffer) in payloads {
        value.extend(u16::try_from(*port).ok()?.to_le_bytes());
        value.extend(u32::try_from(buffer.count()).ok()?.to_le_bytes());
        value.extend(u32::try_from(buffer.bytes_len()).ok()?.to_le_bytes());
        if value.len() + buffer.bytes_len() > VALUE_BYTES_MAX {
            return None;
        }
        value.extend_from_slice(buffer.bytes());
    }
    let sum = checksum(key, &value[BODY_AT..]);
    value[4..BODY_AT].copy_from_slice(&sum);
    Some(value)
}

/// The answer in a value, and what it took; none if it is not one of this version to this question.
pub(super) fn read(key: &Key, value: &[u8]) -> Option<(Answer, u64)> {
    let (magic, rest) = value.split_first_chunk::<4>()?;
    let (sum, body) = rest.split_first_chunk::<16>()?;
    if magic != MAGIC || *sum != checksum(key, body) {
        return None;
    }
    let (cost, rest) = body.split_first_chunk()?;
    let (many, mut rest) = rest.split_first_chunk()?;
    let mut answer = Answer::nothing();
    for _ in 0..u16::from_le_bytes(*many) {
        let (port, after) = rest.split_first_chunk()?;
        let (count, after) = after.split_first_chunk()?;
        let (len, after) = after.split_first_chunk()?;
        let (bytes, after) = after.split_at_checked(u32::from_le_bytes(*len) as usize)?;
        let mut buffer = Buffer::with_bytes(bytes.len(), u32::from_le_bytes(*count) as usize);
        buffer.bytes_mut().expect("fresh").copy_from_slice(bytes);
        answer = answer.and(u16::from_le_bytes(*port).into(), buffer);
        rest = after;
    }
    rest.is_empty().then_some((answer, u64::from_le_bytes(*cost)))
}

fn checksum(key: &Key, body: &[u8]) -> [u8; 16] {
    let mut hash = Xxh3::new();
    hash.update(&key.bytes());
    hash.update(body);
    hash.digest128().to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::{super::Identity, *};

    fn key(question: &[u8]) -> Key {
        Key::of(Identity::of(&[b"test"]), question)
    }

    fn answer() -> Answer {
        let mut buffer = Buffer::signal(1, 3);
        buffer.floats_mut().expect("fresh").copy_from_slice(&[1.0, -0.0, f32::NAN]);
        Answer::nothing().and(0, buffer).and(1, Buffer::with_bytes(0, 0))
    }

    #[test]
    fn what_is_written_is_read_to_the_bit() {
        let value = write(&key(b"q"), &answer(), 1_234).expect("short");
        let (read, cost_ns) = read(&key(b"q"), &value).expect("sound");
        assert_eq!(cost_ns, 1_234);
        let parts = |answer: &Answer| {
            let payloads = answer.payloads().iter();
            payloads
                .map(|(port, buffer)| (*port, buffer.count(), buffer.bytes().to_vec()))
                .collect::<Vec<_>>()
        };
        assert_eq!(parts(&read), parts(&answer()));
        assert!(write(&key(b"q"), &Buffer::with_bytes(VALUE_BYTES_MAX, 1).into(), 0).is_none());
    }

    #[test]
    fn what_is_foreign_or_damaged_is_refused() {
        let value = write(&key(b"q"), &answer(), 0).expect("short");
        assert!(read(&key(b"another"), &value).is_none());
        for len in 0..value.len() {
            assert!(read(&key(b"q"), &value[..len]).is_none(), "cut at {len}");
        }
        for at in 0..value.len() {
            let mut bent = value.clone();
            bent[at] ^= 1;
            assert!(read(&key(b"q"), &bent).is_none(), "bent at {at}");
        }
        assert!(read(&key(b"q"), &[value, vec![0]].concat()).is_none());
    }

    #[test]
    fn lengths_that_lie_harm_nobody() {
        // Sound by its checksum, yet it says that more follows than there is.
        for lie in [u32::MAX, 1 << 31, 13] {
            let mut value = write(&key(b"q"), &answer(), 0).expect("short");
            value[36..40].copy_from_slice(&lie.to_le_bytes());
            let sum = checksum(&key(b"q"), &value[BODY_AT..]);
            value[4..BODY_AT].copy_from_slice(&sum);
            assert!(read(&key(b"q"), &value).is_none(), "{lie}");
        }
    }
}
