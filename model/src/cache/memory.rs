//! Answers in memory, bounded in number, bytes and age.

use std::time::{Duration, Instant};

use engine::Answer;
use quick_cache::{Weighter, sync};

use super::Key;

/// Bytes of an entry besides its answer's: the key, the entry itself, the heads of its buffers.
const ENTRY_BYTES: u64 = 192;
/// The shortest block of a buffer.
const BLOCK_BYTES_MIN: usize = 64;

/// An answer that is kept.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) answer: Answer,
    /// Not given any more from then on.
    pub(super) until: Instant,
    /// What it took to get it.
    pub(super) cost_ns: u64,
}

impl Kept {
    /// A copy that holds no more memory than the answer needs: an event's buffer has room for the longest
    /// texts of its fields.
    pub(super) fn compact(answer: &Answer, until: Instant, cost_ns: u64) -> Self {
        let doubt = answer.doubt();
        let copies = answer.payloads().iter().map(|(port, buffer)| (*port, buffer.copied()));
        let answer = copies.fold(Answer::nothing(), |all, (port, buffer)| all.and(port, buffer));
        Self { answer: answer.in_doubt(doubt), until, cost_ns }
    }

    /// Bytes of its payloads.
    pub(super) fn bytes(&self) -> u64 {
        self.answer.payloads().iter().map(|(_, buffer)| buffer.bytes_len() as u64).sum()
    }

    /// Bytes of memory that it holds.
    fn memory(&self) -> u64 {
        let block = |len: usize| len.max(BLOCK_BYTES_MIN).next_power_of_two() + BLOCK_BYTES_MIN;
        let blocks = self.answer.payloads().iter().map(|(_, buffer)| block(buffer.bytes_len()));
        ENTRY_BYTES + blocks.sum::<usize>() as u64
    }
}

/// Weighs an entry in bytes, at least its equal share, so that neither the number of entries nor their
/// bytes go beyond their bounds.
#[derive(Clone, Debug)]
struct Share(u64);

impl Weighter<Key, Kept> for Share {
    fn weight(&self, _: &Key, kept: &Kept) -> u64 {
        kept.memory().max(self.0)
    }
}

/// The answers in memory.
pub(super) struct Memory(sync::Cache<Key, Kept, Share>);

impl Memory {
    /// Room for so many answers of so many bytes together.
    pub(super) fn new(entries: usize, bytes: u64) -> Self {
        let entries = entries.max(1);
        // Half a share more than all entries need: a shard takes none that would fill it to the brim.
        let share = (2 * bytes / (2 * entries as u64 + 1)).max(1);
        Self(sync::Cache::with_weighter(entries, bytes.max(2), Share(share)))
    }

    /// The answer, unless it is too old.
    pub(super) fn get(&self, key: &Key, now: Instant) -> Option<Kept> {
        let kept = self.0.get(key)?;
        if kept.until > now {
            return Some(kept);
        }
        // Not one that has come meanwhile.
        self.0.remove_if(key, |there| there.until <= now);
        None
    }

    pub(super) fn put(&self, key: Key, kept: Kept) {
        self.0.insert(key, kept);
    }

    /// How many answers there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Bytes that they take, their bookkeeping included. Looks at each of them.
    pub(super) fn bytes(&self) -> u64 {
        self.0.iter().map(|(_, kept)| kept.memory()).sum()
    }
}

/// When an answer given now is too old.
pub(super) fn until(now: Instant, lasts: Duration) -> Instant {
    // Beyond what the clock can say is for ever.
    now.checked_add(lasts).unwrap_or_else(|| now + Duration::from_secs(1 << 30))
}

#[cfg(test)]
mod tests {
    use engine::Buffer;

    use super::{super::Identity, *};

    fn key(n: usize) -> Key {
        Key::of(Identity::of(&[b"test"]), &n.to_le_bytes())
    }

    fn kept(bytes: usize, until: Instant) -> Kept {
        Kept::compact(&Buffer::with_bytes(bytes, 1).into(), until, 1)
    }

    #[test]
    fn neither_entries_nor_bytes_go_beyond_their_bounds() {
        let now = Instant::now();
        let later = until(now, Duration::from_secs(60));
        for (entries, bytes, each) in [(100, 1 << 20, 8), (10_000, 1 << 20, 4_000), (1, 1 << 20, 8)]
        {
            let memory = Memory::new(entries, bytes);
            for n in 0..4 * entries {
                memory.put(key(n), kept(each, later));
            }
            assert!((1..=entries).contains(&memory.len()), "{} of {entries}", memory.len());
            assert!(memory.bytes() <= bytes, "{} of {bytes}", memory.bytes());
            let there = (0..4 * entries).filter(|&n| memory.get(&key(n), now).is_some()).count();
            assert_eq!(there, memory.len());
        }
    }

    #[test]
    fn an_answer_is_given_until_it_is_too_old() {
        let now = Instant::now();
        let memory = Memory::new(4, 1 << 20);
        memory.put(key(1), kept(8, until(now, Duration::from_secs(1))));

        assert!(memory.get(&key(1), now + Duration::from_millis(999)).is_some());
        assert!(memory.get(&key(2), now).is_none());
        assert!(memory.get(&key(1), now + Duration::from_secs(1)).is_none());
        assert_eq!(memory.len(), 0);
    }

    #[test]
    fn a_copy_holds_no_more_than_it_needs() {
        let mut wide = Buffer::with_bytes(1 << 16, 1);
        wide.truncate(24, 1);
        let kept = Kept::compact(&wide.into(), Instant::now(), 0);
        assert_eq!((kept.bytes(), kept.memory()), (24, ENTRY_BYTES + 128));
    }
}
