//! [`Window`]: the policy models are served with.
//!
//! A free executor takes what waits, as many as the most urgent of them can bear: waiting for more pays only
//! where a run costs nearly the same with one question more, and then only as long as nothing is late. It takes
//! fewer where those cost about as little each, if nobody is late for it: they are answered sooner, and a second executor has
//! something to do. Where more
//! waits than can be answered in time, a rule says what is left out, at once rather than answered too
//! late; which rule, what came lately decides.

use super::{
    Costs, Decision, Policy, Queue, Waiting,
    rules::{Came, Deadlines, Rule, bearable, cost, judge},
};

/// Questions between two judgements of the rules, and looked at in one.
const JUDGED: usize = 1_024;
/// After so long without a run, what one costs is found out anew, whatever it was.
const PROBE_NS: i64 = 1_000_000_000;
/// Of so many questions that are run with fewer than they might be, one is in a run that is larger, to see what that
/// costs now: few enough that their waiting is not to be seen in the slowest hundredth.
const TRIED: usize = 128;

/// As long as too little is known of smaller runs, one of so many is one.
const LEARNT: u32 = 8;

/// See the module.
#[derive(Clone, Debug)]
pub struct Window {
    costs: Costs,
    rule: Rule,
    /// What came since the last judgement.
    came: Vec<Came>,
    /// Something was left out since.
    has_dropped: bool,
    /// When something was run last.
    ran_at: Option<i64>,
    /// Questions in runs that were smaller than they might have been, since one was larger.
    smaller: usize,
    /// The larger one was as large as possible.
    was_whole: bool,
    /// Runs that were as large as possible, as they are counted.
    whole: u32,
}

impl Deadlines for Queue {
    fn len(&self) -> usize {
        Self::len(self)
    }

    fn at(&self, place: usize) -> i64 {
        Self::at(self, place).map_or(i64::MAX, |waiting| waiting.deadline)
    }
}

impl Window {
    /// For runs of at most `most` questions.
    pub fn new(most: usize) -> Self {
        Self::knowing(Costs::new(most))
    }

    /// For runs whose costs are like these.
    pub fn knowing(costs: Costs) -> Self {
        Self {
            costs,
            rule: Rule::PerTime,
            came: Vec::with_capacity(JUDGED),
            has_dropped: false,
            ran_at: None,
            smaller: 0,
            was_whole: false,
            whole: 0,
        }
    }

    /// What one question alone takes; nothing where that was found out too long ago to keep anybody out.
    fn one(&self, now: i64) -> i64 {
        let is_stale = self.ran_at.is_some_and(|ran_at| now - ran_at > PROBE_NS);
        if is_stale { 0 } else { cost(&self.costs, 1) }
    }

    /// What a run with one question is expected to take: at most, or, where nothing was run for a while, as
    /// a rule. One run that took long for another reason is not held against it for ever.
    pub fn expected(&self, now: i64) -> i64 {
        let is_stale = self.ran_at.is_some_and(|ran_at| now - ran_at > PROBE_NS);
        if is_stale { self.costs.usual(1) } else { self.costs.upper(1) }
    }

    /// How many of the `most` that may run together do: fewer where those cost about as little each, or that is not
    /// known, unless the others might be late for it.
    fn at_once(&mut self, now: i64, most: usize, queue: &Queue) -> usize {
        let thrifty = self.costs.thrifty(most);
        let due = queue.at(0).map_or(i64::MAX, |first| first.deadline);
        let is_early = || now.saturating_add(cost(&self.costs, most).saturating_mul(2)) <= due;
        let unsure = self.costs.unsure(most);
        if (thrifty == most && unsure.is_none()) || !is_early() {
            return most;
        }
        if let Some(fewer) = unsure.filter(|_| thrifty == most) {
            self.whole = (self.whole + 1) % LEARNT;
            return if self.whole == 0 { fewer } else { most };
        }
        // What larger runs cost may have been another's fault, or may not be so any more.
        let larger = if self.was_whole { most.min(2 * thrifty) } else { most };
        if self.smaller < TRIED * larger {
            self.smaller += thrifty;
            return thrifty;
        }
        (self.smaller, self.was_whole) = (0, !self.was_whole);
        larger
    }

    /// What it has learned.
    pub fn costs(&self) -> &Costs {
        &self.costs
    }

    /// How many can be in a run of `rows` questions for nearly nothing: at most one part in twenty more,
    /// and none of them late because of it.
    pub fn room(&self, now: i64, rows: usize, deadline: i64) -> usize {
        let limit = (self.costs.upper(rows) + self.costs.upper(rows) / 20).min(deadline - now);
        let fits = |&more: &usize| self.costs.upper(more) <= limit;
        (rows + 1..=self.costs.most()).take_while(fits).last().unwrap_or(rows)
    }
}

impl Policy for Window {
    fn admits(&mut self, now: i64, question: &Waiting, _: &Queue) -> bool {
        if self.came.len() == JUDGED {
            if std::mem::take(&mut self.has_dropped) {
                self.rule = judge(self.rule, &self.costs, &self.came);
            }
            self.came.clear();
        }
        self.came.push((now, question.deadline));
        now.saturating_add(self.one(now)) <= question.deadline
    }

    fn decide(&mut self, now: i64, queue: &mut Queue) -> Decision {
        // What is too late already helps nobody.
        let one = self.one(now);
        let late = queue.iter().take_while(|w| now + one > w.deadline).count();
        queue.drop_first(late);
        if queue.is_empty() {
            self.has_dropped |= late > 0;
            return Decision::Idle;
        }
        let most = bearable(&self.costs, now, queue, 0);
        if most >= queue.len() || queue.len() > JUDGED {
            self.has_dropped |= late > 0;
            self.ran_at = Some(now);
            return Decision::Run(self.at_once(now, most.max(1), queue));
        }
        let (drop, run) = self.rule.apply(&self.costs, now, queue);
        queue.drop_first(drop);
        self.has_dropped |= late + drop > 0;
        self.ran_at = Some(now);
        Decision::Run(self.at_once(now, run, queue))
    }

    fn ran(&mut self, rows: usize, took: i64, _: usize) {
        self.costs.learn(rows, took);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A policy that knows what runs cost.
    fn taught(costs: &[(usize, i64)]) -> Window {
        let mut window = Window::new(32);
        costs.iter().for_each(|&(rows, took)| window.ran(rows, took, 0));
        window
    }

    fn queue(deadlines: &[i64]) -> Queue {
        let mut queue = Queue::default();
        for (id, &deadline) in deadlines.iter().enumerate() {
            queue.push(Waiting { id: id as u64, arrived: 0, deadline });
        }
        queue
    }

    #[test]
    fn what_waits_goes_together_as_far_as_the_first_can_bear() {
        let mut window = taught(&[(1, 100), (32, 3_200)]);
        assert_eq!(window.decide(0, &mut queue(&[10_000; 20])), Decision::Run(20));
        assert_eq!(
            window.decide(0, &mut queue(&[520, 10_000, 10_000, 10_000, 10_000, 10_000])),
            Decision::Run(5)
        );
        assert_eq!(window.decide(0, &mut Queue::default()), Decision::Idle);
    }

    #[test]
    fn what_is_too_late_is_dropped_and_refused() {
        let mut window = taught(&[(1, 100)]);
        let mut queue = queue(&[50, 1_000]);
        assert_eq!(window.decide(0, &mut queue), Decision::Run(1));
        assert_eq!(queue.take_dropped().map(|w| w.id).collect::<Vec<_>>(), [0]);
        let question = Waiting { id: 9, arrived: 0, deadline: 90 };
        assert!(!window.admits(0, &question, &queue));
    }

    #[test]
    fn questions_that_cost_more_together_go_in_smaller_runs_as_long_as_nobody_is_late() {
        let costs = [(1, 100_000), (8, 600_000), (16, 1_400_000), (32, 3_200_000)];
        let mut window = taught(&costs.repeat(5));
        let mut decide = |due: i64| window.decide(0, &mut queue(&[due; 20]));
        assert_eq!(decide(i64::MAX), Decision::Run(8));
        assert_eq!(decide(4_000_000), Decision::Run(8));
        // Twenty at once are in time for sure.
        assert_eq!(decide(2_000_000), Decision::Run(20));
        // Now and then it looks whether larger ones are still dearer.
        let runs: Vec<_> = (0..1_280).map(|_| decide(i64::MAX)).collect();
        let count = |rows| runs.iter().filter(|&&run| run == Decision::Run(rows)).count();
        assert_eq!([8, 16, 20].map(count), [1_276, 2, 2]);
    }

    #[test]
    fn what_smaller_runs_cost_is_found_out_where_there_is_time() {
        let mut window = taught(&[(32, 1_650_000)]);
        let runs = |window: &mut Window, due: i64| -> Vec<usize> {
            let mut run = || match window.decide(0, &mut queue(&[due; 32])) {
                Decision::Run(rows) => {
                    window.ran(rows, 50_000 * rows as i64 + 50_000, 0);
                    rows
                }
                other => panic!("{other:?} where some wait"),
            };
            (0..400).map(|_| run()).collect()
        };
        assert!(runs(&mut window, 3_000_000).iter().all(|&rows| rows == 32), "they would be late");
        let tried = runs(&mut window, i64::MAX);
        let count = |rows| tried.iter().filter(|&&run| run == rows).count();
        assert_eq!([1, 2, 4, 8, 16].map(count), [5; 5]);
        assert_eq!(tried[300..], [32; 100]);
    }

    #[test]
    fn one_in_the_way_of_many_is_dropped() {
        // Alone it takes as long as thirty-two together.
        let mut window = taught(&[(1, 100), (2, 110), (32, 130)]);
        let mut deadlines = vec![103];
        deadlines.extend([140; 31]);
        let mut queue = queue(&deadlines);
        assert_eq!(window.decide(0, &mut queue), Decision::Run(31));
        assert_eq!(queue.take_dropped().count(), 1);
    }
}
