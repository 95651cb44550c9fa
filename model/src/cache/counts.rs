//! What a cache has done so far.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use engine::{Figures, Series};

/// A counter that many threads add to.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, number: u64) {
        self.0.fetch_add(number, Ordering::Relaxed);
    }

    fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counters of a cache.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) hits: Count,
    pub(super) misses: Count,
    pub(super) waits: Count,
    pub(super) failed: Count,
    pub(super) saved_ns: Count,
    pub(super) saved_bytes: Count,
    pub(super) redis_hits: Count,
    pub(super) redis_misses: Count,
    pub(super) redis_late: Count,
    pub(super) redis_failed: Count,
    pub(super) redis_refused: Count,
    pub(super) redis_unwritten: Count,
    pub(super) redis_openings: Count,
}

/// What a cache has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheCounts {
    /// Questions answered from memory.
    pub hits: u64,
    /// Questions that were asked of the model or service.
    pub misses: u64,
    /// Questions that waited for the same one, which ran.
    pub waits: u64,
    /// Questions whose answer never came, those that waited included.
    pub failed: u64,
    /// Nanoseconds that the answers which were not asked for again had taken when they were.
    pub saved_ns: u64,
    /// Bytes of questions and answers that did not travel.
    pub saved_bytes: u64,
    /// Questions answered from Redis.
    pub redis_hits: u64,
    /// Questions that Redis had no answer to.
    pub redis_misses: u64,
    /// Lookups that Redis did not answer within their budget.
    pub redis_late: u64,
    /// Lookups and writes that failed, as where it cannot be reached.
    pub redis_failed: u64,
    /// Values that were not this cache's, damaged, or of another shape.
    pub redis_refused: u64,
    /// Answers that were not written, because too many waited to be or Redis was left alone.
    pub redis_unwritten: u64,
    /// Times Redis was left alone for a while after failures.
    pub redis_openings: u64,
    /// Answers in memory.
    pub entries: u64,
}

impl Counts {
    pub(super) fn snapshot(&self, entries: u64) -> CacheCounts {
        CacheCounts {
            hits: self.hits.value(),
            misses: self.misses.value(),
            waits: self.waits.value(),
            failed: self.failed.value(),
            saved_ns: self.saved_ns.value(),
            saved_bytes: self.saved_bytes.value(),
            redis_hits: self.redis_hits.value(),
            redis_misses: self.redis_misses.value(),
            redis_late: self.redis_late.value(),
            redis_failed: self.redis_failed.value(),
            redis_refused: self.redis_refused.value(),
            redis_unwritten: self.redis_unwritten.value(),
            redis_openings: self.redis_openings.value(),
            entries,
        }
    }
}

impl CacheCounts {
    /// Questions that came.
    pub const fn questions(&self) -> u64 {
        self.hits + self.waits + self.redis_hits + self.misses
    }

    /// The share of questions that were not asked of the model or service, 0 to 1.
    pub fn hit_rate(&self) -> f64 {
        let spared = self.hits + self.waits + self.redis_hits;
        spared as f64 / self.questions().max(1) as f64
    }
}

impl CacheCounts {
    /// Tells them for Prometheus; `name` is what the graph calls the cache.
    pub(super) fn figures(&self, name: &str, to: &mut dyn Figures) {
        let labels = &[("cache", name)];
        let counters = [
            ("afferent_cache_hits_total", "Questions answered from memory.", self.hits),
            (
                "afferent_cache_misses_total",
                "Questions that were asked of the model or service.",
                self.misses,
            ),
            (
                "afferent_cache_waits_total",
                "Questions that waited for the same one, which ran.",
                self.waits,
            ),
            (
                "afferent_cache_failed_total",
                "Questions whose answer never came, those that waited included.",
                self.failed,
            ),
            (
                "afferent_cache_saved_bytes_total",
                "Bytes of questions and answers that did not travel.",
                self.saved_bytes,
            ),
            (
                "afferent_cache_redis_openings_total",
                "Times Redis was left alone for a while after failures.",
                self.redis_openings,
            ),
            (
                "afferent_cache_redis_unwritten_total",
                "Answers not written, because too many waited to be or Redis was left alone.",
                self.redis_unwritten,
            ),
        ];
        for (name, help, value) in counters {
            to.counter(Series { name, help, labels }, value);
        }
        for (result, value) in [
            ("hit", self.redis_hits),
            ("miss", self.redis_misses),
            ("late", self.redis_late),
            ("failed", self.redis_failed),
            ("refused", self.redis_refused),
        ] {
            let help = "What came of asking Redis: lookups, and writes that failed.";
            let labels = &[("cache", name), ("result", result)];
            to.counter(Series { name: "afferent_cache_redis_total", help, labels }, value);
        }
        let help = "What the answers that were not asked for again had taken when they were.";
        let series = Series { name: "afferent_cache_saved_seconds", help, labels };
        to.gauge(series, self.saved_ns as f64 / 1e9);
        let series = Series { name: "afferent_cache_entries", help: "Answers in memory.", labels };
        to.gauge(series, self.entries as f64);
    }
}

impl fmt::Display for CacheCounts {
    /// One line for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (questions, share) = (self.questions(), 100.0 * self.hit_rate());
        write!(f, "{questions} questions, {share:.1} % not asked: {} in memory", self.hits)?;
        if self.waits > 0 {
            write!(f, ", {} waited for the same", self.waits)?;
        }
        let redis = [
            (self.redis_hits, "in Redis"),
            (self.redis_late, "lookups late"),
            (self.redis_failed, "requests failed"),
            (self.redis_refused, "values refused"),
            (self.redis_unwritten, "answers not written"),
            (self.redis_openings, "times left alone"),
        ];
        for (count, what) in redis.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, ", {count} {what}")?;
        }
        let saved = Duration::from_nanos(self.saved_ns);
        write!(f, "; saved {} and {}", span(saved), size(self.saved_bytes))?;
        write!(f, "; holds {} answers", self.entries)
    }
}

fn span(span: Duration) -> String {
    match span.as_secs_f64() {
        seconds if seconds >= 1.0 => format!("{seconds:.1} s"),
        seconds => format!("{:.1} ms", 1e3 * seconds),
    }
}

fn size(bytes: u64) -> String {
    match bytes as f64 {
        bytes if bytes >= 1e6 => format!("{:.1} MB", bytes / 1e6),
        bytes if bytes >= 1e3 => format!("{:.1} kB", bytes / 1e3),
        bytes => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_says_what_was_spared_and_what_went_wrong() {
        let counts = Counts::default();
        counts.hits.add(6);
        counts.waits.add(1);
        counts.misses.add(3);
        counts.redis_late.add(2);
        counts.saved_ns.add(2_500_000_000);
        counts.saved_bytes.add(1_500);
        assert_eq!(
            counts.snapshot(3).to_string(),
            "10 questions, 70.0 % not asked: 6 in memory, 1 waited for the same, 2 lookups late; \
             saved 2.5 s and 1.5 kB; holds 3 answers"
        );
    }
}
