//! [`ClockFilter`]: how the other host's clock runs, from questions and answers.
//!
//! ```text
//! here    t0 ──probe──▶            ──answer──▶ t3        t1 − t0 = offset + way there
//! there              t1 ──── t2                          t2 − t3 = offset − way back
//! ```
//!
//! No way takes less than no time, so each answer proves `t2 − t3 ≤ offset ≤ t1 − t0`. Two answers
//! also bound the drift, and a drift carries every old proof to now (sets of lines that fit all
//! bounds: Moon, Skelly and Towsley, INFOCOM 1999; Zhang, Liu and Xia, INFOCOM 2002). What the proofs
//! leave is the uncertainty: no asymmetry of the ways, which no exchange can see, leads beyond it.
//! The estimate lies within: two parallel lines, one below all of `t1 − t0` and one above all of
//! `t2 − t3`, with the slope that keeps them furthest apart, rest on the answers that met the shortest
//! queues of each way (Moon's linear program, for both ways at once); their middle is the offset.
//!
//! Proofs that contradict each other say that a clock has jumped, a host slept, or a clock is
//! steered harder than [`DRIFT_MAX`] allows; then the newest answer alone is believed.

use std::collections::VecDeque;

use engine::Timestamp;

/// Questions that follow each other so closely are one: the best of what they prove counts. A drift of
/// [`DRIFT_MAX`] is 14 µs in it, at most.
const BURST_NS: i64 = 20_000_000;
/// Answers that are kept.
const KEPT: usize = 64;
/// Clocks differ by at most this much: crystals by 200 ppm, steering may add 500.
pub const DRIFT_MAX: f64 = 700e-6;
/// How far a drift itself wanders, with temperature, in the time answers are kept.
const WANDER: f64 = 0.5e-6;
/// A slope is searched for to this: a nanosecond in a thousand seconds.
const SLOPE: f64 = 1e-12;
/// Rounding of halves and of products, in nanoseconds.
const ROUNDING_NS: f64 = 2.0;

/// Follows the clock of another host.
#[derive(Clone, Debug, Default)]
pub struct ClockFilter {
    answers: VecDeque<Answer>,
    /// Drift between the two clocks: least and most that is possible, and the likeliest.
    drift: [f64; 3],
    /// The likeliest offset at the newest answer.
    offset_ns: f64,
    jumps: u64,
}

/// What one answer proves.
#[derive(Clone, Copy, Debug)]
struct Answer {
    /// When it was asked and answered, by our clock.
    asked: Timestamp,
    back: Timestamp,
    /// The offset was at least this when the answer came, and at most that when it was asked.
    least_ns: i64,
    most_ns: i64,
}

impl Answer {
    fn round_ns(&self) -> i64 {
        self.most_ns - self.least_ns
    }

    /// What this one and the next prove together, if they are so close that they count as one.
    fn with(&self, next: &Self) -> Option<Self> {
        let is_close = next.asked.since(self.asked.min(self.back)) <= BURST_NS;
        let (least_ns, back) = (self.least_ns, self.back).max((next.least_ns, next.back));
        let (most_ns, asked) = (self.most_ns, self.asked).min((next.most_ns, next.asked));
        (is_close && least_ns <= most_ns).then_some(Self { asked, back, least_ns, most_ns })
    }
}

/// What an answer did to the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It agrees with those before.
    Fits,
    /// It contradicts them: a clock has jumped, and the filter begins anew.
    Jump,
    /// Its times run backwards; it was not used.
    Impossible,
}

/// The other clock at a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The other clock minus ours, in nanoseconds.
    pub offset_ns: i64,
    /// The offset is off by at most this many nanoseconds; a bound, not a deviation.
    pub uncertainty_ns: u32,
    /// How much faster the other clock runs, in parts per million.
    pub drift_ppm: f64,
}

impl ClockFilter {
    /// Forgets the clock: the other host's process has started anew, and its clock with it.
    pub fn forget(&mut self) {
        *self = Self { jumps: self.jumps, ..Self::default() };
    }

    /// Takes in an answer: when the question left us, came there, when the answer left there, came
    /// back. Compares it with all that are kept, which takes some 40 µs.
    pub fn hear(
        &mut self,
        asked: Timestamp,
        received: Timestamp,
        replied: Timestamp,
        back: Timestamp,
    ) -> Heard {
        let (least_ns, most_ns) = (replied.since(back), received.since(asked));
        // A saturated difference is none; a clock that counts nanoseconds never comes near.
        let is_far = |ns: i64| ns.unsigned_abs() > 1 << 62;
        let runs_back = back < asked || replied < received || least_ns > most_ns;
        let is_before_last = self.answers.back().is_some_and(|last| back < last.back);
        if runs_back || is_before_last || is_far(least_ns) || is_far(most_ns) {
            return Heard::Impossible;
        }
        let answer = Answer { asked, back, least_ns, most_ns };
        let last = self.answers.back();
        if let Some(both) = last.and_then(|last| last.with(&answer)) {
            let last = self.answers.pop_back();
            self.answers.push_back(both);
            if self.fit() {
                return Heard::Fits;
            }
            self.answers.pop_back();
            self.answers.extend(last);
        }
        if self.answers.len() == KEPT {
            self.answers.pop_front();
        }
        self.answers.push_back(answer);
        if self.fit() {
            return Heard::Fits;
        }
        self.answers.drain(..self.answers.len() - 1);
        self.jumps += 1;
        let alone = self.fit();
        debug_assert!(alone, "one answer contradicts nothing");
        Heard::Jump
    }

    /// How often answers contradicted each other.
    pub const fn jumps(&self) -> u64 {
        self.jumps
    }

    /// The shortest round among the answers kept, in nanoseconds.
    pub fn shortest_round_ns(&self) -> Option<i64> {
        self.answers.iter().map(Answer::round_ns).min()
    }

    /// The other clock when ours shows `now`; none before the first answer.
    pub fn at(&self, now: Timestamp) -> Option<Estimate> {
        let newest = self.answers.back()?;
        let (least, most) = self.bounds_at(now);
        let [_, _, drift] = self.drift;
        let likely = self.offset_ns + drift * now.since(newest.back) as f64;
        // Answers that hardly agree may leave less than nothing, by rounding.
        let offset = likely.clamp(least.min(most), most.max(least));
        let uncertainty = (most - offset).max(offset - least) + ROUNDING_NS;
        Some(Estimate {
            offset_ns: offset.round() as i64,
            uncertainty_ns: uncertainty.clamp(0.0, u32::MAX.into()).ceil() as u32,
            drift_ppm: drift * 1e6,
        })
    }

    /// Least and most offset at a moment that all answers allow.
    fn bounds_at(&self, now: Timestamp) -> (f64, f64) {
        let [slow, fast, _] = self.drift;
        let (mut least, mut most) = (f64::NEG_INFINITY, f64::INFINITY);
        for answer in &self.answers {
            let low = carried(answer.least_ns, now.since(answer.back), slow, fast);
            let high = carried(answer.most_ns, now.since(answer.asked), slow, fast);
            (least, most) = (least.max(low.0), most.min(high.1));
        }
        (least, most)
    }

    /// Finds drift and offset; whether all answers agree.
    fn fit(&mut self) -> bool {
        let (mut slow, mut fast) = (-DRIFT_MAX, DRIFT_MAX);
        for (n, late) in self.answers.iter().enumerate() {
            for early in self.answers.iter().take(n) {
                let span = late.back.since(early.asked) as f64;
                if span > 0.0 {
                    slow = slow.max((late.least_ns - early.most_ns) as f64 / span - WANDER);
                }
                let span = late.asked.since(early.back) as f64;
                if span > 0.0 {
                    fast = fast.min((late.most_ns - early.least_ns) as f64 / span + WANDER);
                }
            }
        }
        if slow > fast {
            return false;
        }
        self.drift = [slow, fast, 0.0];
        let Some(newest) = self.answers.back().map(|answer| answer.back) else { return true };
        let (least, most) = self.bounds_at(newest);
        if least > most + ROUNDING_NS {
            return false;
        }
        let (drift, offset) = self.lines(newest);
        (self.drift[2], self.offset_ns) = (drift, offset);
        true
    }

    /// Drift, and offset at `newest`, of the two lines that are furthest apart.
    fn lines(&self, newest: Timestamp) -> (f64, f64) {
        let ages = self.answers.iter().map(|answer| answer.back.since(newest) as f64);
        let middle = ages.sum::<f64>() / self.answers.len() as f64;
        let resting = |drift: f64| {
            let (mut least, mut most) = (f64::NEG_INFINITY, f64::INFINITY);
            for answer in &self.answers {
                let level = |bound: i64, at: Timestamp| {
                    bound as f64 - drift * (at.since(newest) as f64 - middle)
                };
                least = least.max(level(answer.least_ns, answer.back));
                most = most.min(level(answer.most_ns, answer.asked));
            }
            (least, most)
        };
        let apart = |drift: f64| {
            let (least, most) = resting(drift);
            most - least
        };
        // How far they are apart is concave in the slope: a third that is worse than another can go.
        let [mut slow, mut fast, _] = self.drift;
        while fast - slow > SLOPE {
            let third = (fast - slow) / 3.0;
            if apart(slow + third) < apart(fast - third) {
                slow += third;
            } else {
                fast -= third;
            }
        }
        let drift = f64::midpoint(slow, fast);
        let (least, most) = resting(drift);
        (drift, f64::midpoint(least, most) - drift * middle)
    }
}

/// What a bound from `age` ago allows now: least and most.
fn carried(bound_ns: i64, age_ns: i64, slow: f64, fast: f64) -> (f64, f64) {
    let (bound, age) = (bound_ns as f64, age_ns as f64);
    let (a, b) = (age * slow, age * fast);
    let wander = age.abs() * WANDER;
    (bound + a.min(b) - wander, bound + a.max(b) + wander)
}

#[cfg(test)]
mod tests;
