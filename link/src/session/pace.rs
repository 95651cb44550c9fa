//! [`Pace`]: how fast an edge catches up, so that live frames do not notice.

use engine::Timestamp;

use super::io::Path;

const MS: i64 = 1_000_000;
/// Least and most bytes per second.
const RATE: std::ops::RangeInclusive<f64> = 64e3..=1e9;
/// What may be sent at once: enough that a stream is worth it, little enough that what comes next
/// does not wait long behind it.
const BURST: std::ops::RangeInclusive<f64> = 2e3..=16e3;
const BURST_S: f64 = 0.005;
/// Round trips may take this much longer than the quickest of the last while, and a quarter.
const DELAY_NS: i64 = 10 * MS;
/// How long the quickest round trip is remembered, at most twice.
const MEMORY_NS: i64 = 10_000 * MS;
const STEP_NS: i64 = 10 * MS;
const FASTER: f64 = 1.25;
const SLOWER: f64 = 0.7;

/// Bytes of the past that may be sent, by the delay that they cause: what is sent beyond what the way
/// carries waits in a queue, the live frames behind it, and round trips tell (as in LEDBAT, RFC 6817).
/// Of what the way carries, live frames take theirs first; so this finds what they leave.
#[derive(Debug)]
pub(super) struct Pace {
    rate: f64,
    bytes: f64,
    at: Timestamp,
    /// Whether the rate was what kept us back since it was changed.
    was_short: bool,
    changed: Timestamp,
    quickest_ns: [i64; 2],
    turned: Timestamp,
}

impl Pace {
    /// For a new connection.
    pub(super) fn new(now: Timestamp, path: &Path) -> Self {
        Self {
            rate: (path.bytes_per_s / 2.0).clamp(*RATE.start(), *RATE.end()),
            bytes: *BURST.start(),
            at: now,
            was_short: false,
            changed: now,
            quickest_ns: [i64::MAX; 2],
            turned: now,
        }
    }

    /// Most bytes to send now; 0 where it is too early.
    pub(super) fn allow(&mut self, now: Timestamp, path: &Path) -> usize {
        self.adapt(now, path);
        let since = now.since(self.at).max(0) as f64 / 1e9;
        (self.at, self.bytes) = (now, (self.bytes + since * self.rate).min(self.burst()));
        let is_enough = self.bytes >= self.least();
        self.was_short |= !is_enough;
        if is_enough { self.bytes as usize } else { 0 }
    }

    pub(super) fn spend(&mut self, bytes: usize) {
        self.bytes -= bytes as f64;
    }

    /// When there is something to send again.
    pub(super) fn wake(&self) -> Timestamp {
        let missing = (self.least() - self.bytes).max(0.0);
        self.at.plus_nanos((missing / self.rate * 1e9).ceil() as i64 + 1)
    }

    /// What may gather while nobody looks.
    fn burst(&self) -> f64 {
        (self.rate * BURST_S).clamp(*BURST.start(), *BURST.end()) * 2.0
    }

    fn least(&self) -> f64 {
        self.burst() / 2.0
    }

    fn adapt(&mut self, now: Timestamp, path: &Path) {
        if path.rtt_ns <= 0 {
            return;
        }
        if now.since(self.turned) > MEMORY_NS {
            (self.quickest_ns, self.turned) = ([i64::MAX, self.quickest_ns[0]], now);
        }
        self.quickest_ns[0] = self.quickest_ns[0].min(path.rtt_ns);
        if now.since(self.changed) < path.rtt_ns.max(STEP_NS) {
            return;
        }
        let quickest = self.quickest_ns[0].min(self.quickest_ns[1]);
        let factor = if path.rtt_ns - quickest > DELAY_NS + quickest / 4 {
            SLOWER
        } else if self.was_short {
            FASTER
        } else {
            1.0
        };
        self.rate = (self.rate * factor).clamp(*RATE.start(), *RATE.end());
        (self.changed, self.was_short) = (now, false);
    }
}
