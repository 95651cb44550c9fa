//! A simulation that puts arrivals to variants of a model on one executor.

use model::{
    batch::{Decision, Policy, Queue, Waiting, Window},
    host::variants::{Choice, Outlook},
};

/// A variant: what its runs cost, and how often it is right.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Variant {
    pub(crate) first_ms: f64,
    pub(crate) more_ms: f64,
    pub(crate) accuracy: f64,
}

impl Variant {
    fn cost(&self, rows: usize) -> i64 {
        (1e6 * (self.first_ms + self.more_ms * (rows as f64 - 1.0))) as i64
    }

    /// Questions a nanosecond that it answers at most.
    pub(crate) fn most_per_ns(&self, batch_max: usize) -> f64 {
        let rate = |rows: usize| rows as f64 / self.cost(rows) as f64;
        (1..=batch_max).map(rate).fold(0.0, f64::max)
    }
}

/// What became of questions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Served {
    asked: usize,
    /// Answered in time, and the accuracies of who answered, together.
    good: usize,
    right: f64,
    /// Let in, and answered too late or dropped.
    pub(crate) missed: usize,
    changes: usize,
    lasted_ns: i64,
}

impl Served {
    pub(crate) fn add(&mut self, other: &Self) {
        self.asked += other.asked;
        self.good += other.good;
        self.right += other.right;
        self.missed += other.missed;
        self.changes += other.changes;
        self.lasted_ns += other.lasted_ns;
    }

    /// Share of all questions answered in time.
    pub(crate) fn attained(&self) -> f64 {
        self.good as f64 / self.asked.max(1) as f64
    }

    /// Mean accuracy of the answers in time.
    pub(crate) fn accuracy(&self) -> f64 {
        self.right / self.good.max(1) as f64
    }

    /// How often a question was put to another variant than the one before.
    pub(crate) fn changes_per_s(&self) -> f64 {
        1e9 * self.changes as f64 / self.lasted_ns.max(1) as f64
    }
}

/// Variants with their queues.
pub(crate) struct Plays<'a> {
    variants: &'a [Variant],
    policies: Vec<Window>,
    queues: Vec<Queue>,
    choice: Choice,
    only: Option<usize>,
    /// Whose turn it is, as models take turns at the workers.
    turn: usize,
    free_at: i64,
    last: usize,
    served: Served,
}

impl<'a> Plays<'a> {
    /// With `only` all is put to that variant.
    pub(crate) fn new(
        variants: &'a [Variant],
        mut policies: Vec<Window>,
        choice: Choice,
        only: Option<usize>,
    ) -> Self {
        // As before anybody asks.
        for (policy, variant) in policies.iter_mut().zip(variants) {
            let most = policy.costs().most();
            for rows in (0..6).map(|power| 1 << power).filter(|&rows| rows <= most) {
                policy.ran(rows, variant.cost(rows), 0);
            }
        }
        let queues = variants.iter().map(|_| Queue::default()).collect();
        let last = variants.len() - 1;
        let served = Served::default();
        Self { variants, policies, queues, choice, only, turn: 0, free_at: 0, last, served }
    }

    /// Each answer is due `limit` after its question.
    pub(crate) fn play(mut self, arrivals: &[i64], limit: i64) -> Served {
        self.served.asked = arrivals.len();
        self.served.lasted_ns = arrivals.last().copied().unwrap_or(0);
        for (number, &now) in arrivals.iter().enumerate() {
            // The executor goes on until somebody comes.
            while self.free_at <= now && self.run(self.free_at) {}
            let question = Waiting { id: number as u64, arrived: now, deadline: now + limit };
            self.ask(now, question);
            if self.free_at <= now {
                self.free_at = now;
                self.run(now);
            }
        }
        while self.run(self.free_at) {}
        self.served
    }

    fn ask(&mut self, now: i64, question: Waiting) {
        let at = match self.only {
            Some(at) => at,
            None => self.choose(now, question.deadline - now),
        };
        self.served.changes += usize::from(at != self.last);
        self.last = at;
        self.put(now, at, question);
    }

    /// Puts a question to a variant or, where that is too late, to a cheaper one; not if it is the only one.
    fn put(&mut self, now: i64, at: usize, question: Waiting) -> bool {
        let cheapest = if self.only.is_some() { at } else { 0 };
        for at in (cheapest..=at).rev() {
            if self.policies[at].admits(now, &question, &self.queues[at]) {
                self.queues[at].push(question);
                return true;
            }
        }
        false
    }

    fn choose(&mut self, now: i64, left: i64) -> usize {
        let work = |at: usize| {
            let (costs, waiting) = (self.policies[at].costs(), self.queues[at].len());
            let full = (waiting / costs.most()) as i64 * costs.upper(costs.most());
            let rest = waiting % costs.most();
            (full, full + if rest > 0 { costs.upper(rest) } else { 0 }, rest)
        };
        let waiting: i64 = (0..self.queues.len()).map(|at| work(at).1).sum();
        let running = (self.free_at - now).max(0);
        self.choice.choose(now, left, |at| {
            let (full, own, rest) = work(at);
            let run = match rest {
                0 => self.policies[at].expected(now),
                rest => self.policies[at].costs().upper(rest + 1),
            };
            Some(Outlook { wait: waiting - own + full + running, run })
        })
    }

    /// Runs the next batch at `now`; no if nothing waits.
    fn run(&mut self, now: i64) -> bool {
        let count = self.queues.len();
        loop {
            let ready = (0..count).map(|turn| (self.turn + turn) % count);
            let Some(at) = ready.into_iter().find(|&at| !self.queues[at].is_empty()) else {
                return false;
            };
            let decision = self.policies[at].decide(now, &mut self.queues[at]);
            let dropped: Vec<Waiting> = self.queues[at].take_dropped().collect();
            for question in dropped {
                if self.only.is_some() || at == 0 || !self.put(now, at - 1, question) {
                    self.served.missed += 1;
                }
            }
            if let Decision::Run(rows) = decision {
                let mut batch = Vec::new();
                self.queues[at].take(rows, &mut batch);
                let took = self.variants[at].cost(batch.len());
                self.free_at = now + took;
                let late = batch.iter().filter(|it| it.deadline < self.free_at).count();
                let good = batch.len() - late;
                self.served.good += good;
                self.served.right += good as f64 * self.variants[at].accuracy;
                self.served.missed += late;
                self.policies[at].ran(batch.len(), took, late);
                self.turn = at + 1;
                return true;
            }
        }
    }
}
