//! Batching policies of others, and a simulation that replays arrivals through any of them.
//!
//! Each follows what its system does for one model on one executor, as far as the system's own source or
//! paper says; defaults are the published ones, and a grid around them is tried as well.

use std::collections::VecDeque;

use model::batch::{Costs, Decision, Policy, Queue, Waiting};

/// Every rival with every setting of its grid: name of the system, setting, and how to make it for runs
/// of at most so many questions and this cost of one alone.
pub(crate) type Make = Box<dyn Fn(usize, i64) -> Box<dyn Policy>>;

pub(crate) fn rivals() -> Vec<(&'static str, String, Make)> {
    let mut all: Vec<(&'static str, String, Make)> = Vec::new();
    let mut add = |name, setting: String, make: Make| all.push((name, setting, make));
    add("none", "-".to_owned(), Box::new(|_, _| Box::new(Fixed { size: 1, wait: 0 })));
    for size in [4, 8, 16, 32] {
        let make: Make =
            Box::new(move |most, _| Box::new(Fixed { size: size.min(most), wait: i64::MAX }));
        add("fixed", format!("{size}"), make);
    }
    // Delays in parts of what one question alone costs, and the published ones in microseconds.
    for part in [0.0, 0.5, 1.0, 2.0, 4.0] {
        let make: Make = Box::new(move |most, one| {
            Box::new(Fixed { size: most, wait: (part * one as f64) as i64 })
        });
        add("Triton", format!("delay {part} × one"), make);
    }
    for (us, of) in [(1_000, "TF Serving"), (2_000, "mosec, litserve")] {
        let make: Make = Box::new(move |most, _| Box::new(Fixed { size: most, wait: us * 1_000 }));
        add("timeout", format!("{us} us, {of}"), make);
    }
    for size in [10, 32] {
        let make: Make = Box::new(move |most, _| Box::new(Fixed { size: size.min(most), wait: 0 }));
        add("Ray Serve", format!("max {size}, wait 0"), make);
    }
    add("Clipper", "AIMD".to_owned(), Box::new(|most, _| Box::new(Clipper { most, cap: 1.0 })));
    add("BentoML", "CORK".to_owned(), Box::new(|most, _| Box::new(Cork::new(most))));
    add("Clockwork", "-".to_owned(), Box::new(|most, _| Box::new(Clockwork(Costs::new(most)))));
    add("Symphony", "-".to_owned(), Box::new(|most, _| Box::new(Symphony(Costs::new(most)))));
    add("Nexus", "-".to_owned(), Box::new(|most, _| Box::new(Nexus(Costs::new(most)))));
    all
}

/// Runs when so many wait, or the oldest has waited so long. With a size of one: no batching. With no
/// wait: whatever has come while the executor was busy.
struct Fixed {
    size: usize,
    wait: i64,
}

impl Policy for Fixed {
    fn decide(&mut self, now: i64, queue: &mut Queue) -> Decision {
        let Some(oldest) = queue.iter().map(|w| w.arrived).min() else { return Decision::Idle };
        if queue.len() >= self.size || now - oldest >= self.wait {
            return Decision::Run(queue.len().min(self.size));
        }
        if self.wait == i64::MAX { Decision::Idle } else { Decision::Wait(oldest + self.wait) }
    }
}

/// NSDI'17: the cap grows by one until a batch misses, then falls to nine tenths; what is late is dropped
/// when it is taken.
struct Clipper {
    most: usize,
    cap: f64,
}

impl Policy for Clipper {
    fn decide(&mut self, now: i64, queue: &mut Queue) -> Decision {
        let late = queue.iter().take_while(|w| w.deadline <= now).count();
        queue.drop_first(late);
        match queue.len() {
            0 => Decision::Idle,
            waiting => Decision::Run(waiting.min(self.cap as usize)),
        }
    }

    fn ran(&mut self, rows: usize, _: i64, late: usize) {
        if late > 0 {
            self.cap = (0.9 * self.cap).max(1.0);
        } else if rows >= self.cap as usize {
            self.cap = (self.cap + 1.0).min(self.most as f64);
        }
    }
}

/// BentoML's `marshal/dispatcher.py`: a line through the last runs; waits while the next arrival is
/// worth it, looking once a millisecond; cancels the oldest that would be late.
struct Cork {
    most: usize,
    runs: Vec<(f64, f64)>,
    wait: f64,
}

impl Cork {
    fn new(most: usize) -> Self {
        Self { most, runs: Vec::new(), wait: 0.0 }
    }

    /// Slope and intercept of the last fifty runs, by least squares.
    fn line(&self) -> (f64, f64) {
        let runs = &self.runs[self.runs.len().saturating_sub(50)..];
        let count = runs.len() as f64;
        let (x, y) = runs.iter().fold((0.0, 0.0), |(x, y), run| (x + run.0, y + run.1));
        let (x, y) = (x / count.max(1.0), y / count.max(1.0));
        let spread: f64 = runs.iter().map(|run| (run.0 - x).powi(2)).sum();
        let slope =
            runs.iter().map(|run| (run.0 - x) * (run.1 - y)).sum::<f64>() / spread.max(1e-9);
        (slope.max(0.0), (y - slope.max(0.0) * x).max(0.0))
    }
}

impl Policy for Cork {
    fn decide(&mut self, now: i64, queue: &mut Queue) -> Decision {
        const TICK: f64 = 1e6;
        let (slope, first) = self.line();
        while let Some(oldest) = queue.at(0) {
            let budget = (oldest.deadline - oldest.arrived) as f64;
            let age = (now - oldest.arrived) as f64;
            let count = queue.len().min(self.most) as f64;
            if queue.len() > 1 && age + slope * count + first >= budget {
                queue.drop_first(1);
            } else {
                break;
            }
        }
        let (Some(newest), count) = (queue.iter().map(|w| w.arrived).max(), queue.len()) else {
            return Decision::Idle;
        };
        let age = (now - newest) as f64;
        if count < self.most
            && count as f64 * (age + TICK + slope) <= 0.95 * self.wait * count as f64
        {
            return Decision::Wait(now + TICK as i64);
        }
        let waited = queue.iter().map(|w| (now - w.arrived) as f64).sum::<f64>() / count as f64;
        self.wait += 0.1 * (waited - self.wait);
        Decision::Run(count.min(self.most))
    }

    fn ran(&mut self, rows: usize, took: i64, _: usize) {
        self.runs.push((rows as f64, took as f64));
    }
}

/// As many of the most urgent as end in time for the first.
fn bearable(costs: &Costs, now: i64, queue: &Queue) -> usize {
    let Some(first) = queue.at(0) else { return 0 };
    let most = queue.len().min(costs.most());
    (1..=most).rev().find(|&rows| now + costs.upper(rows) <= first.deadline).unwrap_or(0)
}

fn drop_late(costs: &Costs, now: i64, queue: &mut Queue) {
    let late = queue.iter().take_while(|w| now + costs.upper(1) > w.deadline).count();
    queue.drop_first(late);
}

/// OSDI'20: refuses at the door what cannot be done in time behind what waits already; runs the largest
/// batch the first can bear.
struct Clockwork(Costs);

impl Policy for Clockwork {
    fn admits(&mut self, now: i64, question: &Waiting, queue: &Queue) -> bool {
        let batches = queue.len() / self.0.most();
        let rest = queue.len() % self.0.most() + 1;
        let ends = now + batches as i64 * self.0.upper(self.0.most()) + self.0.upper(rest);
        ends <= question.deadline
    }

    fn decide(&mut self, now: i64, queue: &mut Queue) -> Decision {
        drop_late(&self.0, now, queue);
        match bearable(&self.0, now, queue) {
            0 => Decision::Idle,
            rows => Decision::Run(rows),
        }
    }

    fn ran(&mut self, rows: usize, took: i64, _: usize) {
        self.0.learn(rows, took);
    }
}

/// arXiv 2308.07470: waits until one more could not join without the first being late.
struct Symphony(Costs);

impl Policy for Symphony {
    fn decide(&mut self, now: i64, queue: &mut Queue) -> Decision {
        drop_late(&self.0, now, queue);
        let rows = bearable(&self.0, now, queue);
        let Some(first) = queue.at(0) else { return Decision::Idle };
        let front = first.deadline - self.0.upper((rows + 1).min(self.0.most()));
        if rows < queue.len() || rows == self.0.most() || now >= front {
            return Decision::Run(rows.max(1));
        }
        Decision::Wait(front)
    }

    fn ran(&mut self, rows: usize, took: i64, _: usize) {
        self.0.learn(rows, took);
    }
}

/// SOSP'19: slides a window of the target batch along the row and drops what is before the first that can
/// bear a whole one.
struct Nexus(Costs);

impl Policy for Nexus {
    fn decide(&mut self, now: i64, queue: &mut Queue) -> Decision {
        let target = queue.len().min(self.0.most());
        if target == 0 {
            return Decision::Idle;
        }
        let cost = self.0.upper(target);
        let bears = queue.iter().position(|w| now + cost <= w.deadline);
        let first = bears.unwrap_or(queue.len());
        queue.drop_first(first);
        match queue.len().min(target) {
            0 => Decision::Idle,
            rows => Decision::Run(rows),
        }
    }

    fn ran(&mut self, rows: usize, took: i64, _: usize) {
        self.0.learn(rows, took);
    }
}

/// What became of the questions of a trace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Played {
    pub(crate) asked: usize,
    /// Answered in time.
    pub(crate) good: usize,
    /// Let in, and answered too late or dropped.
    pub(crate) missed: usize,
    /// From coming to answer, of what was answered, in nanoseconds.
    pub(crate) latencies: Vec<i64>,
}

/// Replays arrivals on one executor whose runs take `cost[rows - 1]`, each answer due `limit` after its question.
pub(crate) fn play(policy: &mut dyn Policy, arrivals: &[i64], cost: &[i64], limit: i64) -> Played {
    let mut queue = Queue::default();
    let mut played = Played { asked: arrivals.len(), ..Played::default() };
    let (mut now, mut next) = (0, 0);
    let mut batch = Vec::new();
    // Every system tries its model before it serves: once alone, once with all.
    for rows in [1, 2, 4, 8, 16, 32] {
        if rows <= cost.len() {
            policy.ran(rows, cost[rows - 1], 0);
        }
    }
    loop {
        while next < arrivals.len() && arrivals[next] <= now {
            let arrived = arrivals[next];
            let question = Waiting { id: next as u64, arrived, deadline: arrived + limit };
            if policy.admits(now, &question, &queue) {
                queue.push(question);
            }
            next += 1;
        }
        let decision = policy.decide(now, &mut queue);
        played.missed += queue.take_dropped().count();
        match decision {
            Decision::Run(rows) => {
                batch.clear();
                queue.take(rows.min(cost.len()).max(1), &mut batch);
                let took = cost[batch.len() - 1];
                now += took;
                let late = batch.iter().filter(|w| w.deadline < now).count();
                played.good += batch.len() - late;
                played.missed += late;
                played.latencies.extend(batch.iter().map(|w| now - w.arrived));
                policy.ran(batch.len(), took, late);
            }
            Decision::Wait(until) => {
                let comes = arrivals.get(next).copied().unwrap_or(i64::MAX);
                now = until.min(comes).max(now + 1);
            }
            Decision::Idle => match arrivals.get(next) {
                Some(&comes) => now = comes.max(now),
                None if queue.is_empty() => return played,
                // Nobody comes any more, and what waits for more goes as it is.
                None => {
                    batch.clear();
                    queue.take(cost.len(), &mut batch);
                    now += cost[batch.len() - 1];
                    let late = batch.iter().filter(|w| w.deadline < now).count();
                    played.good += batch.len() - late;
                    played.missed += late;
                }
            },
        }
    }
}

/// How many questions can be answered in time at most by one executor that knows what will come.
///
/// Batches are of neighbours, as one left out in between could stand for the first; so the earliest end
/// of `n` answered among the first `j` follows from those of fewer. Time: questions × answered × sizes.
pub(crate) fn oracle(arrivals: &[i64], cost: &[i64], limit: i64) -> usize {
    // Earliest ends by number answered, of the last beginnings a batch can have.
    let mut ends: VecDeque<Vec<i64>> = VecDeque::from([vec![0]]);
    for (j, &last) in arrivals.iter().enumerate() {
        let mut best = ends.back().expect("one is there").clone();
        for (rows, takes) in (1..=j + 1).zip(cost) {
            let (before, due) = (&ends[ends.len() - rows], arrivals[j + 1 - rows] + limit);
            if last + takes > due {
                break;
            }
            for (answered, end) in before.iter().enumerate() {
                if end + takes > due {
                    break;
                }
                let (place, end) = (answered + rows, (*end).max(last) + takes);
                best.resize(best.len().max(place + 1), i64::MAX);
                best[place] = best[place].min(end);
            }
        }
        // Fewer are answered no later.
        for place in (1..best.len()).rev() {
            best[place - 1] = best[place - 1].min(best[place]);
        }
        ends.push_back(best);
        if ends.len() > cost.len() {
            ends.pop_front();
        }
    }
    ends.back().expect("one is there").len() - 1
}

/// A generator of uniform numbers, the same for ever.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn uniform(&mut self) -> f64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From one event to the next, where `rate` come a nanosecond.
    fn gap(&mut self, rate: f64) -> f64 {
        -(1.0 - self.uniform()).ln() / rate
    }
}

/// How questions come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Arrivals {
    /// Independently of each other.
    Poisson,
    /// Three times as many for one part in six of the time, 0.6 times as many else; changes as they come.
    Bursts,
    /// From a fifth to nine fifths of the mean and back, as over a day.
    Diurnal,
}

impl Arrivals {
    pub(crate) const ALL: [Self; 3] = [Self::Poisson, Self::Bursts, Self::Diurnal];

    /// So many arrivals, `rate` a nanosecond in the mean.
    pub(crate) fn of(self, count: usize, rate: f64, seed: u64) -> Vec<i64> {
        let mut dice = Dice::new(seed);
        let (mut now, mut arrivals) = (0.0, Vec::with_capacity(count));
        // A burst lasts as long as 200 questions of the mean rate take to come.
        let spell = 200.0 / rate;
        let (mut is_burst, mut changes) = (false, dice.gap(1.0 / (5.0 * spell)));
        let whole = count as f64 / rate;
        while arrivals.len() < count {
            let at = match self {
                Self::Poisson => rate,
                Self::Bursts if is_burst => 3.0 * rate,
                Self::Bursts => 0.6 * rate,
                Self::Diurnal => rate * (1.0 - 0.8 * (std::f64::consts::TAU * now / whole).cos()),
            };
            let then = now + dice.gap(at.max(rate * 0.01));
            if self == Self::Bursts && then > changes {
                now = changes;
                is_burst = !is_burst;
                changes += dice.gap(1.0 / if is_burst { spell } else { 5.0 * spell });
                continue;
            }
            now = then;
            arrivals.push(now as i64);
        }
        arrivals
    }
}
