//! Answers that were given before, by what was asked: the same bytes to the same service.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use engine::Buffer;
use quick_cache::sync::Cache;
use xxhash_rust::xxh3::xxh3_128;

/// Answers of one service. Shared by whoever asks it.
#[derive(Debug)]
pub(super) struct Answers {
    cache: Cache<u128, (Instant, Buffer)>,
    lasts: Duration,
}

impl Answers {
    pub(super) fn new(entries: usize, lasts: Duration) -> Arc<Self> {
        Arc::new(Self { cache: Cache::new(entries), lasts })
    }

    pub(super) fn key(question: &[u8]) -> u128 {
        xxh3_128(question)
    }

    /// The answer, unless it is too old.
    pub(super) fn get(&self, key: u128) -> Option<Buffer> {
        let (given, answer) = self.cache.get(&key)?;
        (given.elapsed() < self.lasts).then_some(answer)
    }

    pub(super) fn put(&self, key: u128, answer: Buffer) {
        self.cache.insert(key, (Instant::now(), answer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_kept_as_long_as_it_lasts() {
        let key = Answers::key(b"question");
        for (lasts, is_there) in [(Duration::from_secs(60), true), (Duration::ZERO, false)] {
            let answers = Answers::new(4, lasts);
            answers.put(key, Buffer::signal(1, 1));
            assert_eq!(answers.get(key).is_some(), is_there);
            assert!(answers.get(Answers::key(b"another")).is_none());
        }
    }
}
