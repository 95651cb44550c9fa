//! [`Choice`]: which side answers a question.
//!
//! Both sides are measured by whole answers, as mean and deviation; of those from over there what the link took is left
//! out, as it is known anew for each question from its round-trip time and bandwidth. A question goes where it is
//! expected sooner, with hysteresis: the other side must have been better by a fifth for three questions in
//! a row, and some time must have passed since the last change, more of it the more often sides are changed. This host
//! is the better one where it mostly takes no more than a quarter of what the deadline leaves, and seldom more than all
//! of it: to be sooner still is worth no bytes. Where the side at hand cannot keep a deadline that the other can, the
//! question goes there at once. While the link is down nothing is asked there. One question in a hundred, and one every
//! five seconds, is put to the idle side as well, so that its figures stay fresh.
//!
//! What was asked over there and is not back when it usually is, or when an answer from here would just be in time, is
//! asked here, too: the first answer counts. What was asked here is asked over there when that would just be in time.
//!
//! The comparison of sides by mean and deviation is Neurosurgeon's (ASPLOS'17) without its division of the model; hedged
//! requests are Dean and Barroso's ("The Tail at Scale", 2013).

use super::Estimate;

/// The side that answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// This host.
    Here,
    /// The other one.
    There,
}

impl Side {
    /// The other side.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Here => Self::There,
            Self::There => Self::Here,
        }
    }

    pub(super) const fn at(self) -> usize {
        match self {
            Self::Here => 0,
            Self::There => 1,
        }
    }
}

/// Why a question goes where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is where questions go for the time being.
    Stays,
    /// The link is down.
    Down,
    /// The other side cannot keep the deadline.
    Deadline,
    /// It has been sooner for a while.
    Sooner,
    /// This host has been quick enough for a while.
    Home,
}

/// What a choice goes by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// The side that is better by less than this share is not gone over to.
    pub gain: f64,
    /// Within this share of what the deadline leaves, this host is quick enough.
    pub ease: f64,
    /// Questions in a row for which it must be.
    pub in_a_row: u32,
    /// Nanoseconds from one change to the next, at least.
    pub dwell_ns: i64,
    /// And at most: each change that soon follows another doubles it.
    pub dwell_most_ns: i64,
    /// One question in so many is put to the idle side as well.
    pub probe_every: u32,
    /// And one after so many nanoseconds; of a side that nothing is known of none sooner than a fifth of that.
    pub probe_ns: i64,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            gain: 0.2,
            ease: 0.25,
            in_a_row: 3,
            dwell_ns: 500_000_000,
            dwell_most_ns: 8_000_000_000,
            probe_every: 100,
            probe_ns: 5_000_000_000,
        }
    }
}

/// What the link can do now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Way {
    /// Whether there is a connection.
    pub is_up: bool,
    /// Round-trip time in nanoseconds.
    pub rtt_ns: i64,
    /// Bytes a second that get through; 0 where unknown.
    pub bytes_per_s: f64,
}

/// What becomes of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Who is asked.
    pub side: Side,
    /// Why.
    pub reason: Reason,
    /// The other side is asked as well, only to be measured.
    pub probes: bool,
    /// The other side is asked as well if there is no answer so many nanoseconds after the question.
    pub hedge_ns: Option<i64>,
    /// What the link is expected to take of an answer from over there; to be given back with the answer.
    pub link_ns: i64,
}

/// Which side answers the questions of one call of one session.
#[derive(Clone, Debug)]
pub struct Choice {
    terms: Terms,
    side: Side,
    took: [Estimate; 2],
    /// Questions in a row for which the other side would have been better.
    better: u32,
    changed: Option<i64>,
    dwell_ns: i64,
    asked: u32,
    /// When the idle side was asked last to be measured.
    probed: Option<i64>,
    changes: u64,
}

/// What the other host must be ahead of a deadline at least to be asked for it.
const MARGIN_NS: i64 = 1_000_000;
/// Nanoseconds of a second.
const SECOND: f64 = 1e9;

impl Choice {
    /// Begins here.
    pub fn new(terms: Terms) -> Self {
        Self {
            terms,
            side: Side::Here,
            took: [Estimate::default(); 2],
            better: 0,
            changed: None,
            dwell_ns: terms.dwell_ns,
            asked: 0,
            probed: None,
            changes: 0,
        }
    }

    /// Where a question of so many bytes goes that comes now and has `left` nanoseconds, if it has a deadline.
    pub fn decide(&mut self, now: i64, left: Option<i64>, bytes: usize, way: &Way) -> Decision {
        self.asked = self.asked.wrapping_add(1);
        if !way.is_up {
            self.better = 0;
            let side = Side::Here;
            if self.side != side {
                self.go(now, side);
            }
            return Decision {
                side,
                reason: Reason::Down,
                probes: false,
                // The link may be up by then.
                hedge_ns: self.hedge([0, 0], left),
                link_ns: 0,
            };
        }
        let link_ns = link_ns(bytes, way);
        let expected = [Side::Here, Side::There].map(|side| self.expected(side, link_ns));
        let own = expected[self.side.at()];
        let other = expected[self.side.other().at()];
        let fits = |expected: i64| left.is_none_or(|left| expected <= left);
        let mut reason = Reason::Stays;
        if !fits(own) && fits(other) {
            self.go(now, self.side.other());
            reason = Reason::Deadline;
        } else {
            let here = self.took[Side::Here.at()];
            let quick = |left: i64| {
                here.mean() as f64 <= self.terms.ease * left as f64 && here.upper() <= left
            };
            let is_quick = left.is_some_and(quick);
            let is_sooner = (other as f64) < (1.0 - self.terms.gain) * own as f64;
            let is_better = match self.side {
                Side::Here => is_sooner && fits(other) && !is_quick,
                Side::There => is_quick || (is_sooner && fits(other)),
            };
            self.better = if is_better { self.better + 1 } else { 0 };
            let rests = self.changed.is_some_and(|changed| now - changed < self.dwell_ns);
            if self.better >= self.terms.in_a_row && !rests {
                reason = if is_quick { Reason::Home } else { Reason::Sooner };
                self.go(now, self.side.other());
            }
        }
        let probes = self.probes(now);
        // Of a side that is as good as unknown nothing is said by the one that does not answer.
        let own =
            |side: Side, link_ns| if self.knows(side) { expected[side.at()] } else { link_ns };
        let hedge_ns = self.hedge([own(Side::Here, 0), own(Side::There, link_ns)], left);
        Decision { side: self.side, reason, probes, hedge_ns, link_ns }
    }

    /// When an answer from the idle side is wanted as well: at the last moment at which that can still keep the
    /// deadline; where the other host is asked also when it is later than it usually is.
    fn hedge(&self, expected: [i64; 2], left: Option<i64>) -> Option<i64> {
        let [here, there] = expected;
        match (self.side, left) {
            (Side::There, None) => Some(there),
            // Whoever would be late is not asked for being in time.
            (Side::There, Some(left)) if here >= left => Some(there.min(left)),
            (Side::There, Some(left)) => Some(there.min(left - here)),
            (Side::Here, None) => None,
            (Side::Here, Some(left)) => {
                Some(left - there.max(left / 20).max(MARGIN_NS)).filter(|hedge| *hedge > 0)
            }
        }
    }

    /// Whether the idle side is asked as well, so that its figures are fresh.
    fn probes(&mut self, now: i64) -> bool {
        let Terms { probe_every, probe_ns, .. } = self.terms;
        if probe_every == 0 {
            return false;
        }
        let knows = self.knows(self.side.other());
        let by_count = knows && self.asked.is_multiple_of(probe_every);
        let by_time = self.is_time(now, if knows { probe_ns } else { probe_ns / 5 }, knows);
        if by_count {
            self.probed = Some(now);
        }
        by_count || by_time
    }

    /// Whether the idle side was asked so long ago that it is again; then it is. What is known without that is
    /// fresh.
    fn is_time(&mut self, now: i64, after_ns: i64, knows: bool) -> bool {
        let since = match self.probed {
            Some(probed) => now - probed,
            None if knows => now - *self.probed.insert(now),
            None => i64::MAX,
        };
        if since >= after_ns {
            self.probed = Some(now);
        }
        since >= after_ns
    }

    /// Whether the other host is worth asking about what this one doubts: in time as a rule, and not silent
    /// but for a look now and then.
    pub fn may_doubt(&mut self, now: i64, left: Option<i64>, bytes: usize, way: &Way) -> bool {
        let in_time = left.is_none_or(|left| self.usual_there(bytes, way) < left);
        let is_silent = self.took[Side::There.at()].is_silent();
        way.is_up && in_time && (!is_silent || self.is_time(now, self.terms.probe_ns, true))
    }

    /// How long an answer from over there takes as a rule, the link included.
    pub fn usual_there(&self, bytes: usize, way: &Way) -> i64 {
        self.took[Side::There.at()].mean().saturating_add(link_ns(bytes, way))
    }

    /// A side has answered, so many nanoseconds after it was asked; `link_ns` as its [`Decision`] said.
    pub fn answered(&mut self, side: Side, took_ns: i64, link_ns: i64) {
        self.took[side.at()].learn(own_ns(side, took_ns, link_ns));
    }

    /// A side has not answered within so many nanoseconds: it takes that long at least.
    pub fn missed(&mut self, side: Side, waited_ns: i64, link_ns: i64) {
        let waited_ns = own_ns(side, waited_ns, link_ns);
        self.took[side.at()].learn_at_least(waited_ns);
    }

    /// There was no connection: what is known of the other side may be true no more.
    pub fn lost(&mut self) {
        self.took[Side::There.at()].forget();
    }

    /// The side that is asked for the time being.
    pub const fn side(&self) -> Side {
        self.side
    }

    /// How often it has changed.
    pub const fn changes(&self) -> u64 {
        self.changes
    }

    /// What is known of a side, without the link.
    pub const fn estimate(&self, side: Side) -> Estimate {
        self.took[side.at()]
    }

    const fn knows(&self, side: Side) -> bool {
        self.took[side.at()].is_known()
    }

    /// What a side seldom exceeds. Of one that has not been asked yet: that it works as fast as the other.
    fn expected(&self, side: Side, link_ns: i64) -> i64 {
        let [here, there] = self.took;
        let own = |side: Estimate, other: Estimate| {
            if side.is_known() { side.upper() } else { other.upper() }
        };
        match side {
            Side::Here => own(here, there),
            Side::There => own(there, here).saturating_add(link_ns),
        }
    }

    fn go(&mut self, now: i64, side: Side) {
        let soon = self.changed.is_some_and(|changed| now - changed < 4 * self.dwell_ns);
        self.dwell_ns = match soon {
            true => (2 * self.dwell_ns).min(self.terms.dwell_most_ns),
            false => self.terms.dwell_ns,
        };
        (self.side, self.changed, self.better) = (side, Some(now), 0);
        self.changes += 1;
    }
}

/// What the link takes of an answer: a round trip, and the way of the question's bytes. What comes back is short.
fn link_ns(bytes: usize, way: &Way) -> i64 {
    let bytes_ns = match way.bytes_per_s {
        rate if rate > 0.0 => (bytes as f64 / rate * SECOND) as i64,
        _ => 0,
    };
    way.rtt_ns.saturating_add(bytes_ns)
}

/// What a side itself took.
fn own_ns(side: Side, took_ns: i64, link_ns: i64) -> i64 {
    match side {
        Side::Here => took_ns,
        Side::There => took_ns.saturating_sub(link_ns).max(0),
    }
}

#[cfg(test)]
mod tests;
