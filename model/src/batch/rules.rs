//! [`Rule`]: what to leave out where not everything can be answered in time.
//!
//! No rule is best everywhere: for a model whose batches cost little more than one question, a whole batch is
//! worth dropping what is in its way; for one that gains little by batches, it is not. So [`judge`]
//! replays what came lately through each.

use super::Costs;

/// Beginnings of a batch that are compared.
const BEGINNINGS: usize = 12;
/// Dropping what is in the way must answer so many more per time.
const GAIN: f64 = 1.02;
/// What a wake-up may add to a run: one part in so many.
const SLACK_SHARE: i64 = 50;

/// What a run takes, with what a wake-up may add.
pub(crate) const fn with_slack(run: i64) -> i64 {
    run + run / SLACK_SHARE
}

/// Deadlines of a row, the earliest first.
pub(super) trait Deadlines {
    fn len(&self) -> usize;
    fn at(&self, place: usize) -> i64;
}

/// What to leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// Begin where, of the whole row, most is answered per time.
    PerTime,
    /// Begin with the first that can bear as large a batch as waits, as Nexus (SOSP'19) does.
    WholeBatch,
    /// Begin where all the rest, up to a whole batch, is in time, as `BentoML` does.
    AtOnce,
}

impl Rule {
    pub(super) const ALL: [Self; 3] = [Self::PerTime, Self::WholeBatch, Self::AtOnce];

    /// How many of the row to drop, and how many then to run together, where the first alone would be in
    /// time.
    pub(super) fn apply(
        self,
        costs: &Costs,
        now: i64,
        row: &(impl Deadlines + ?Sized),
    ) -> (usize, usize) {
        let count = row.len();
        let all = bearable(costs, now, row, 0);
        if all >= count {
            return (0, count);
        }
        let from = match self {
            Self::PerTime => per_time(costs, now, row),
            Self::WholeBatch => {
                let takes = cost(costs, count.min(costs.most()));
                (0..count).find(|&from| now + takes <= row.at(from)).unwrap_or(0)
            }
            Self::AtOnce => {
                let in_time = |&from: &usize| {
                    now + cost(costs, (count - from).min(costs.most())) <= row.at(from)
                };
                (0..count).find(in_time).unwrap_or(0)
            }
        };
        (from, bearable(costs, now, row, from).max(1))
    }
}

/// A run of so many, with what a wake-up may add.
pub(super) fn cost(costs: &Costs, rows: usize) -> i64 {
    with_slack(costs.upper(rows))
}

/// As many of the row from `from` on as end in time for the first of them; 0 where not even that one does.
pub(super) fn bearable(
    costs: &Costs,
    now: i64,
    row: &(impl Deadlines + ?Sized),
    from: usize,
) -> usize {
    if from >= row.len() {
        return 0;
    }
    let most = (row.len() - from).min(costs.most());
    let left = row.at(from) - now;
    if cost(costs, most) <= left {
        return most;
    }
    // The curve rises: halve what is left of the range.
    let (mut fits, mut too_many) = (0, most);
    while too_many - fits > 1 {
        let middle = usize::midpoint(fits, too_many);
        if cost(costs, middle) <= left {
            fits = middle;
        } else {
            too_many = middle;
        }
    }
    fits
}

/// How many of the row are answered in time, and when, if a batch begins at `from` and what then cannot be
/// answered is left out.
fn drained(
    costs: &Costs,
    mut now: i64,
    row: &(impl Deadlines + ?Sized),
    mut from: usize,
) -> (usize, i64) {
    let mut answered = 0;
    while from < row.len() {
        let batch = bearable(costs, now, row, from);
        if batch == 0 {
            from += 1;
            continue;
        }
        now += cost(costs, batch);
        answered += batch;
        from += batch;
    }
    (answered, now)
}

fn per_time(costs: &Costs, now: i64, row: &(impl Deadlines + ?Sized)) -> usize {
    let count = row.len();
    let (answered, ends) = drained(costs, now, row, 0);
    if answered == count {
        return 0;
    }
    let rate = |answered: usize, ends: i64| answered as f64 / (ends - now).max(1) as f64;
    let (mut best, mut best_rate) = (0, rate(answered, ends));
    let step = (count / BEGINNINGS).max(1);
    for from in (1..count).step_by(step).take(BEGINNINGS) {
        let (answered, ends) = drained(costs, now, row, from);
        let rate = rate(answered, ends);
        if rate > best_rate * GAIN {
            (best, best_rate) = (from, rate);
        }
    }
    best
}

/// What came: arrival and deadline.
pub(super) type Came = (i64, i64);

impl Deadlines for [Came] {
    fn len(&self) -> usize {
        <[Came]>::len(self)
    }

    fn at(&self, place: usize) -> i64 {
        self[place].1
    }
}

/// The rule that would have answered most of what came; another than `now` only if it is ahead by one
/// part in two hundred.
pub(super) fn judge(now: Rule, costs: &Costs, came: &[Came]) -> Rule {
    let score = |rule: Rule| replay(rule, costs, came);
    let (mut best, mut most) = (now, score(now) as f64 * 1.005);
    for rule in Rule::ALL.into_iter().filter(|&rule| rule != now) {
        let good = score(rule) as f64;
        if good > most {
            (best, most) = (rule, good);
        }
    }
    best
}

/// How many of those that came one executor answers in time by a rule.
fn replay(rule: Rule, costs: &Costs, came: &[Came]) -> usize {
    let (mut head, mut next, mut good) = (0, 0, 0);
    let Some(&(mut now, _)) = came.first() else { return 0 };
    loop {
        next += came[next..].iter().take_while(|(arrived, _)| *arrived <= now).count();
        let one = cost(costs, 1);
        head += came[head..next].iter().take_while(|(_, due)| now + one > *due).count();
        if head == next {
            match came.get(next) {
                Some(&(arrived, _)) => now = arrived,
                None => return good,
            }
            continue;
        }
        let (drop, run) = rule.apply(costs, now, &came[head..next]);
        now += cost(costs, run);
        head += drop;
        good += came[head..head + run].iter().filter(|(_, due)| now <= *due).count();
        head += run;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn costs(known: &[(usize, i64)]) -> Costs {
        let mut costs = Costs::new(32);
        known.iter().for_each(|&(rows, took)| costs.learn(rows, took));
        costs
    }

    /// So many a time unit of 1000, each due `within` later.
    fn steady(count: i64, a_thousand: i64, within: i64) -> Vec<Came> {
        (0..count).map(|n| (n * 1_000 / a_thousand, n * 1_000 / a_thousand + within)).collect()
    }

    #[test]
    fn where_all_are_in_time_nothing_is_left_out() {
        let costs = costs(&[(1, 100), (32, 200)]);
        let row: Vec<Came> = (0..20).map(|n| (0, 1_000 + n)).collect();
        for rule in Rule::ALL {
            assert_eq!(rule.apply(&costs, 0, &row[..]), (0, 20), "{rule:?}");
        }
    }

    #[test]
    fn each_rule_leaves_out_what_is_in_its_way() {
        // Thirty-two take 204 with the slack; the first four have less.
        let costs = costs(&[(1, 100), (32, 200)]);
        let mut row: Vec<Came> = vec![(0, 110); 4];
        row.extend([(0, 400); 28]);
        assert_eq!(Rule::WholeBatch.apply(&costs, 0, &row[..]), (4, 28));
        assert_eq!(Rule::AtOnce.apply(&costs, 0, &row[..]), (4, 28));
        // Those four first, then the others: all are answered.
        let patient: Vec<Came> = [vec![(0, 115); 4], vec![(0, 900); 28]].concat();
        assert_eq!(Rule::PerTime.apply(&costs, 0, &patient[..]).0, 0);
    }

    #[test]
    fn the_judge_changes_its_mind_only_for_a_better_rule() {
        let costs = costs(&[(1, 100), (32, 3_200)]);
        // Nobody is ahead where everything is answered.
        let idle = steady(500, 1, 10_000);
        for rule in Rule::ALL {
            assert_eq!(judge(rule, &costs, &idle), rule);
        }
        // What a rule answers is what replay counts.
        let busy = steady(500, 20, 1_000);
        let best = judge(Rule::WholeBatch, &costs, &busy);
        let good = |rule| replay(rule, &costs, &busy);
        let most = Rule::ALL.map(good).into_iter().max().expect("some rule");
        assert!(good(best) as f64 * 1.005 >= most as f64);
    }

    #[test]
    fn a_replay_counts_what_is_in_time() {
        let costs = costs(&[(1, 100), (32, 3_200)]);
        // One takes 102: of two that come together with room for one, one is answered.
        assert_eq!(replay(Rule::PerTime, &costs, &[(0, 150), (0, 150)]), 1);
        assert_eq!(replay(Rule::PerTime, &costs, &[(0, 150), (500, 650)]), 2);
        assert_eq!(replay(Rule::PerTime, &costs, &[(0, 50)]), 0);
        assert_eq!(replay(Rule::PerTime, &costs, &[]), 0);
    }
}
