//! `reward`: which of many successes are rewarded, by a schedule of reinforcement.
//!
//! ```text
//! fixed_ratio        every `ratio`-th success
//! variable_ratio     after a number of successes drawn anew each time from 1 to 2 ratio − 1
//! fixed_interval     the first success `interval_s` after the last reward
//! variable_interval  the same with an interval drawn anew, exponential of mean `interval_s`
//! ```
//!
//! | port  | carries                                                                             |
//! |-------|-------------------------------------------------------------------------------------|
//! | `in`  | events, each a success unless `field` is written and not above 0.5; or a signal that succeeds where it rises above 0.5 |
//! | `out` | an event per reward, at the success it is for                                       |
//!
//! Intervals begin with the last reward; the first with the first frame. Numbers are drawn from
//! `seed`, the same on every machine. **Delay**: none. **NaN**: is no success. **Gap**: the signal
//! must rise anew; counts and intervals go on.

use engine::{
    Body, Diagnostic, Fault, Field, Format, GapNotice, Io, Kind, Node, Operator, Outline, Param,
    Port, Timestamp,
};

use super::value::{FIELD, Intake, intake, number};
use crate::{
    bodies::{load, tuned},
    math::{
        random::hash,
        state::{put_time, put_u64},
    },
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "reward",
    summary: "Which of many successes are rewarded.",
    doc: "schedule = \"fixed_ratio\": every ratio-th success; \"variable_ratio\": after a number \
          of them drawn anew each time, evenly from 1 to 2 ratio - 1; \"fixed_interval\": the \
          first success interval_s after the last reward; \"variable_interval\": the same with an \
          interval drawn anew, exponential of mean interval_s. Each event is a success, or, where \
          `field` is written, each whose field is above 0.5; of a signal, where its first channel \
          rises above 0.5. A reward tells how many there have been, of how many successes since \
          the last (successes), and how long since it (since_s, absent of the first). Numbers are \
          drawn from seed, the same on every machine. interval_s may change while it runs. Delay: \
          none. NaN: is no success. After a gap counts go on. Cost: about 1 ns a sample. Source: \
          Ferster and Skinner 1957, Schedules of reinforcement; Fleshler and Hoffman 1962.",
    example: "ratio = 1",
    inputs: &[Port::any("in").of_one_channel()],
    outputs: &[Port::event("out")],
    params: &[&SCHEDULE, &RATIO, &INTERVAL_S, &SEED, &FIELD],
    plan: |node| {
        successes(node)?;
        let fields = vec![Field::i64("rewards"), Field::i64("successes"), Field::f64("since_s")];
        let rate_max = match node.input("in") {
            Format::Signal(signal) => (signal.rate.hz() / 2.0).min(1_000.0),
            other => other.frames_per_second(),
        };
        Ok(Outline::of([Format::event(fields, rate_max)]))
    },
    build: |node| {
        let ratio = node.get(&RATIO)? as u64;
        let interval_s = node.get(&INTERVAL_S)?;
        let schedule = match node.get(&SCHEDULE)? {
            "fixed_ratio" => Schedule::FixedRatio,
            "variable_ratio" => Schedule::VariableRatio,
            "fixed_interval" => Schedule::FixedInterval,
            _ => Schedule::VariableInterval,
        };
        let seed = hash(node.get(&SEED)?.cast_unsigned());
        let progress = Progress { is_above: true, ..Progress::default() };
        let from = successes(node)?;
        Ok(Body::operator(Reward { from, schedule, ratio, interval_s, seed, progress }))
    },
    ..Kind::BASE
};

const SCHEDULE: Param<&str> =
    Param::with_default("schedule", "fixed_ratio", "What decides which success is rewarded.")
        .one_of(&["fixed_ratio", "variable_ratio", "fixed_interval", "variable_interval"]);
const RATIO: Param<i64> =
    Param::with_default("ratio", 1, "Successes for a reward, or so many in the mean.")
        .within(1.0, 1e6);
const INTERVAL_S: Param<f64> =
    Param::with_default("interval_s", 10.0, "Time between rewards, or so much in the mean.")
        .within(0.0, 86_400.0)
        .live();
const SEED: Param<i64> = Param::with_default("seed", 1, "What numbers are drawn from.");

#[derive(Clone, Copy)]
enum Schedule {
    FixedRatio,
    VariableRatio,
    FixedInterval,
    VariableInterval,
}

/// What is a success.
#[derive(Clone, Copy)]
enum Successes {
    Signal,
    EveryEvent,
    Field(usize),
}

fn successes(node: &Node<'_>) -> Result<Successes, Diagnostic> {
    if matches!(node.input("in"), Format::Event(_)) && node.get_optional(&FIELD)?.is_none() {
        return Ok(Successes::EveryEvent);
    }
    Ok(match intake(node)? {
        Intake::Signal => Successes::Signal,
        Intake::Field(field) => Successes::Field(field),
    })
}

struct Reward {
    from: Successes,
    schedule: Schedule,
    ratio: u64,
    interval_s: f64,
    seed: u64,
    progress: Progress,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Progress {
    /// Rewards so far; with the seed, which numbers were drawn.
    rewards: u64,
    /// Since the last one.
    successes: u64,
    /// When the present interval began, and whether with a reward.
    since: Option<i64>,
    /// Whether the signal was above: only a rise is a success.
    is_above: bool,
}

impl Reward {
    /// A number from 0 to 1, without 1, for the present wait.
    fn chance(&self) -> f64 {
        (hash(self.seed.wrapping_add(self.progress.rewards)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn succeed(&mut self, time: Timestamp, io: &mut Io<'_>) {
        self.progress.successes += 1;
        let Progress { rewards, successes, since, .. } = self.progress;
        let waited_s = since.map_or(0.0, |since| (time.nanos() - since) as f64 / 1e9);
        let is_due = match self.schedule {
            Schedule::FixedRatio => successes >= self.ratio,
            Schedule::VariableRatio => {
                let most = 2 * self.ratio - 1;
                successes > (self.chance() * most as f64) as u64
            }
            Schedule::FixedInterval => waited_s >= self.interval_s,
            Schedule::VariableInterval => waited_s >= -self.interval_s * (1.0 - self.chance()).ln(),
        };
        if !is_due {
            return;
        }
        let event = io.event_for(0).i64(0, rewards as i64 + 1).i64(1, successes as i64);
        let event = event.f64_or_absent(2, (rewards > 0).then_some(waited_s));
        io.send_event(0, time, event);
        let (rewards, since) = (rewards + 1, Some(time.nanos()));
        self.progress = Progress { rewards, successes: 0, since, ..self.progress };
    }
}

impl Operator for Reward {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let frame = io.take();
        let time = frame.header.time;
        self.progress.since.get_or_insert(time.nanos());
        match self.from {
            Successes::EveryEvent => self.succeed(time, io),
            Successes::Field(field) => {
                if number(&io.event(), field).is_some_and(|value| value > 0.5) {
                    self.succeed(time, io);
                }
            }
            Successes::Signal => {
                for (n, &x) in frame.channel(0).iter().enumerate() {
                    let is_above = x > 0.5 || (x.is_nan() && self.progress.is_above);
                    if is_above && !std::mem::replace(&mut self.progress.is_above, is_above) {
                        self.succeed(io.time_of(n as i64), io);
                    }
                    self.progress.is_above = is_above;
                }
            }
        }
        Ok(())
    }

    fn gap(&mut self, _: &GapNotice, _: &mut Io<'_>) -> Result<(), Fault> {
        // Whether it rose or was above all the time nobody knows.
        self.progress.is_above = true;
        Ok(())
    }

    fn retune(&mut self, node: &Node<'_>) -> Result<(), Fault> {
        self.interval_s = tuned(node, &INTERVAL_S)?;
        Ok(())
    }

    fn reset(&mut self) {
        self.progress = Progress { is_above: true, ..Progress::default() };
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.extend([1, u8::from(self.progress.is_above)]);
        put_u64(into, self.progress.rewards);
        put_u64(into, self.progress.successes);
        put_time(into, self.progress.since);
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        let Progress { rewards, successes, since, is_above } = &mut self.progress;
        load("is no state of `reward`", 1, from, |state| {
            state.bool(is_above)?;
            state.u64(rewards)?;
            state.u64(successes)?;
            state.time(since)
        })
    }
}

#[cfg(test)]
mod tests {
    use engine::testing::{Bench, Seen};

    use super::*;

    /// Feeds a success every second.
    fn rewards(params: &str, seconds: usize) -> Vec<Seen> {
        let format = Format::event(Vec::new(), 1.0);
        let mut reward = Bench::with(&KIND, &[("in", format)], params)
            .unwrap_or_else(|problem| panic!("{problem}"));
        for second in 0..seconds {
            reward.push(0, Bench::event_at(Timestamp::from_nanos(second as i64 * 1_000_000_000)));
            reward.run();
        }
        reward.take()
    }

    fn numbers(seen: &[Seen], field: &str) -> Vec<f64> {
        seen.iter().filter_map(|seen| seen.number(field)).collect()
    }

    #[test]
    fn fixed_schedules_reward_by_count_or_by_time() {
        let seen = rewards("ratio = 3", 10);
        let times: Vec<f64> = seen.iter().map(|seen| seen.time().secs_f64()).collect();
        assert_eq!(times, [2.0, 5.0, 8.0]);
        assert_eq!(numbers(&seen, "rewards"), [1.0, 2.0, 3.0]);
        assert_eq!(numbers(&seen, "since_s"), [3.0, 3.0]);

        let seen = rewards("schedule = \"fixed_interval\"\ninterval_s = 2.5", 10);
        let times: Vec<f64> = seen.iter().map(|seen| seen.time().secs_f64()).collect();
        assert_eq!(times, [3.0, 6.0, 9.0]);
        assert_eq!(numbers(&seen, "successes"), [4.0, 3.0, 3.0]);
    }

    #[test]
    fn variable_schedules_have_their_mean_and_their_seed() {
        let seen = rewards("schedule = \"variable_ratio\"\nratio = 5", 50_000);
        let counts = numbers(&seen, "successes");
        assert!(counts.iter().all(|count| (1.0..=9.0).contains(count)));
        assert!((1..=9).all(|count| counts.contains(&f64::from(count))), "every number is drawn");
        // Mean 5, variance (9² − 1) / 12: four standard errors of 10 000 draws are 0.1.
        let mean = counts.iter().sum::<f64>() / counts.len() as f64;
        assert!((mean - 5.0).abs() < 0.11, "{mean}");

        let params = "schedule = \"variable_interval\"\ninterval_s = 20.0";
        let waits = numbers(&rewards(params, 200_000), "since_s");
        // A success every second: rounded up, half a second longer. Four standard errors of nearly
        // 10 000 exponential waits: 0.8.
        let mean = waits.iter().sum::<f64>() / waits.len() as f64;
        assert!((mean - 20.5).abs() < 0.85, "{mean}");

        let times = |seed: u32| {
            let seen = rewards(&format!("{params}\nseed = {seed}"), 1_000);
            seen.iter().map(|seen| seen.time().nanos()).collect::<Vec<_>>()
        };
        assert!(times(1) == times(1) && times(1) != times(2));
    }

    #[test]
    fn of_a_signal_only_a_rise_is_a_success() {
        let signal = [("in", Bench::channels(1, 100.0))];
        let mut reward = Bench::with(&KIND, &signal, "").expect("valid");
        reward.feed(&[1.0, 1.0, 0.0, 1.0, f32::NAN, 1.0, 0.2, f32::NAN, 0.9]);
        let times: Vec<i64> =
            reward.take().iter().map(|seen| seen.time().nanos() / 10_000_000).collect();
        assert_eq!(times, [3, 8]);
    }
}
