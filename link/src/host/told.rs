//! [`Told`]: who was turned away, told now and then.
//!
//! Strangers come as often as they like and under as many keys as they like; what is kept of them and
//! what is said of them has bounds. How often they came is in the counts all the same.

use std::{collections::HashMap, net::IpAddr};

use engine::Timestamp;

use crate::{
    quic::TurnedAway,
    trust::{PeerKey, Reason},
};

/// Between two lines on the same one for the same reason: five minutes.
const AGAIN_NS: i64 = 300_000_000_000;
/// Between two lines on whomever, once those saved up are spent: ten seconds.
const LINE_NS: i64 = 10_000_000_000;
/// Lines that may be saved up.
const SAVED_MAX: i64 = 4;
/// Most that are remembered; of more, the one that was told of longest ago is forgotten.
const SUBJECTS_MAX: usize = 256;

/// Of whom a line speaks: a key says more than an address, and an address that was not proved nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Subject {
    reason: Reason,
    key: Option<PeerKey>,
    at: Option<IpAddr>,
}

/// Decides which of those who are turned away are worth a line.
#[derive(Debug, Default)]
pub(super) struct Told {
    subjects: HashMap<Subject, Timestamp>,
    /// Until when lines are spent, if that is ahead.
    spent: Option<Timestamp>,
    untold: u64,
}

impl Subject {
    pub(super) fn of(turned: &TurnedAway) -> Self {
        let &TurnedAway { from, is_proved, key, reason, .. } = turned;
        // Whoever sends from many ports is one.
        let at = (key.is_none() && is_proved).then(|| from.ip().to_canonical());
        Self { reason, key, at }
    }
}

impl Told {
    /// Whether this one is worth a line now; if so, how often there was none since the last line.
    pub(super) fn may(&mut self, now: Timestamp, subject: Subject) -> Option<u64> {
        let is_new = |told: &Timestamp| now.since(*told) >= AGAIN_NS;
        let is_due = self.subjects.get(&subject).is_none_or(is_new);
        let spent = self.spent.map_or(now, |spent| spent.max(now));
        if !is_due || spent.since(now) > (SAVED_MAX - 1) * LINE_NS {
            self.untold += 1;
            return None;
        }
        self.spent = Some(spent.plus_nanos(LINE_NS));
        if self.subjects.len() >= SUBJECTS_MAX && !self.subjects.contains_key(&subject) {
            let oldest = self.subjects.iter().min_by_key(|(_, told)| **told);
            if let Some(oldest) = oldest.map(|(subject, _)| *subject) {
                self.subjects.remove(&oldest);
            }
        }
        self.subjects.insert(subject, now);
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_s(s: i64) -> Timestamp {
        Timestamp::from_nanos(s * 1_000_000_000)
    }

    fn stranger(n: u32) -> Subject {
        let mut key = [0; 32];
        key[..4].copy_from_slice(&n.to_le_bytes());
        let key = Some(PeerKey::from_bytes(key));
        Subject { reason: Reason::Stranger, key, at: None }
    }

    #[test]
    fn one_that_calls_on_is_told_of_once_in_five_minutes() {
        let mut told = Told::default();
        let lines: Vec<_> = (0..601)
            .filter_map(|s| told.may(at_s(s), stranger(1)).map(|untold| (s, untold)))
            .collect();
        assert_eq!(lines, [(0, 0), (300, 299), (600, 299)]);
    }

    #[test]
    fn many_strangers_get_a_line_every_ten_seconds_and_are_forgotten() {
        let mut told = Told::default();
        let mut lines = 0;
        for n in 0..100_000 {
            // A thousand a second.
            let now = Timestamp::from_nanos(i64::from(n) * 1_000_000);
            lines += u64::from(told.may(now, stranger(n)).is_some());
        }
        // Four were saved up; one more every ten of the hundred seconds.
        assert!((13..=14).contains(&lines), "{lines}");
        for n in 0..1_000 {
            told.may(at_s(200 + 10 * i64::from(n)), stranger(200_000 + n));
        }
        assert_eq!(told.subjects.len(), SUBJECTS_MAX);
    }

    #[test]
    fn an_address_speaks_for_whoever_showed_no_key_and_only_if_it_is_proved() {
        let turned = |from: &str, is_proved, key| TurnedAway {
            from: from.parse().expect("an address"),
            is_proved,
            key,
            reason: Reason::Crowded,
            why: String::new(),
        };
        let of = |from, is_proved, key| Subject::of(&turned(from, is_proved, key));
        let [one, other] = ["192.0.2.7:1", "192.0.2.8:1"];
        let key = Some(PeerKey::from_bytes([1; 32]));
        assert_ne!(of(one, true, None), of(other, true, None));
        assert_eq!(of(one, true, None), of("192.0.2.7:2", true, None), "from many ports");
        assert_eq!(of(one, false, None), of(other, false, None));
        assert_eq!(of(one, true, key), of(other, true, key));
    }
}
