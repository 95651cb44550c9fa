//! [`Key`]: what makes two questions the same.

use xxhash_rust::xxh3::{Xxh3, xxh3_128};

/// Changes with what is kept, so that no version reads another's answers.
const VERSION: u8 = 1;

/// Who is asked, and how: everything that decides an answer besides the question's own bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity(u128);

impl Identity {
    /// The identity of what these parts say, in this order.
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut hash = Xxh3::new();
        hash.update(&[VERSION]);
        // What a release makes of a model's numbers, the next may make something else of.
        hash.update(env!("CARGO_PKG_VERSION").as_bytes());
        for part in parts {
            // Lengths keep "ab", "c" and "a", "bc" apart.
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Self(hash.digest128())
    }
}

impl Identity {
    /// Of the same way to ask, of the version with this content.
    #[must_use]
    pub fn of_content(self, content: u64) -> Self {
        // Hashed once already; another content moves both halves.
        let content = u128::from(content);
        Self(self.0 ^ (content << 64 | content))
    }
}

/// A question to somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    way: u128,
    question: u128,
}

impl Key {
    /// The question with these bytes. 30 ns for 1 KiB.
    pub fn of(way: Identity, question: &[u8]) -> Self {
        Self { way: way.0, question: xxh3_128(question) }
    }

    /// Its bytes: 16 of who is asked, 16 of what.
    pub(super) fn bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&self.way.to_le_bytes());
        bytes[16..].copy_from_slice(&self.question.to_le_bytes());
        bytes
    }

    /// The name under which a store of names keeps its answer.
    pub(super) fn name(&self, prefix: &str) -> String {
        format!("{prefix}:{VERSION}:{:032x}:{:032x}", self.way, self.question)
    }

    /// A number below `count`, equal for equal keys.
    pub(super) const fn part(&self, count: usize) -> usize {
        (self.way ^ self.question) as usize % count
    }
}

impl std::hash::Hash for Key {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        // Both are hashes already.
        state.write_u64((self.way ^ self.question) as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_in_a_bit_is_another_question() {
        let way = Identity::of(&[b"model", b"x"]);
        let key = |numbers: &[f32]| {
            let bytes: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
            Key::of(way, &bytes)
        };
        assert_eq!(key(&[1.0, f32::NAN]), key(&[1.0, f32::NAN]));
        assert_ne!(key(&[0.0]), key(&[-0.0]));
        assert_ne!(key(&[0.0]), key(&[0.0, 0.0]));
        assert_ne!(Key::of(way, b"q"), Key::of(Identity::of(&[b"modelx", b""]), b"q"));
        assert_ne!(Identity::of(&[b"ab", b"c"]), Identity::of(&[b"a", b"bc"]));
    }
}
