//! [`State`]: what the workers know together, under one lock.

use engine::Fault;

use super::{
    asked::{Asked, Priority},
    counts::{Counts, Shed},
    door::Place,
    family::Family,
    lane::Next,
    rest::Resting,
    run::{Job, Served},
    seat::{NEVER, Refusal, Seat},
    short,
    workers::Ran,
};

/// A worker that is alone does what nobody waits for once nobody has asked for so many times as long as it takes.
const QUIET: i64 = 4;

/// What the workers know together.
pub(super) struct State {
    pub(super) seats: Vec<Seat>,
    pub(super) families: Vec<Family>,
    /// Workers there may be.
    pub(super) threads: usize,
    /// Where to look first: models take turns.
    next: usize,
    /// Workers that sleep, and those that look out for questions.
    pub(super) asleep: Resting,
    pub(super) looking: Resting,
    pub(super) started: usize,
    /// Threads that are there and not given up.
    pub(super) alive: usize,
    /// Workers that were given up and have not come back.
    lost: Vec<usize>,
    pub(super) busy: Vec<Busy>,
    pub(super) ended: bool,
    /// Somebody looks whether runs end.
    pub(super) is_watched: bool,
    /// Runs of low priority may take so long at most: half of the shortest time that was promised.
    pub(super) patience_ns: i64,
    /// When somebody asked last who waits for the answer.
    asked: i64,
    /// Counts what there is to warm up or to forget.
    pub(super) cold: u64,
    /// Workers that run something before anybody asks.
    pub(super) warming: usize,
}

impl State {
    /// Of so many workers at most.
    pub(super) fn new(threads: usize) -> Self {
        Self {
            seats: Vec::new(),
            families: Vec::new(),
            threads,
            next: 0,
            asleep: Resting::default(),
            looking: Resting::default(),
            started: 0,
            alive: 0,
            lost: Vec::new(),
            busy: Vec::new(),
            ended: false,
            is_watched: false,
            patience_ns: i64::MAX,
            asked: i64::MIN / 2,
            cold: 0,
            warming: 0,
        }
    }
}

/// A worker in a run.
pub(super) struct Busy {
    worker: usize,
    seat: usize,
    version: u32,
    since: i64,
    /// Nobody waits for what it runs.
    is_watch: bool,
    /// When the run is expected to end at the latest; its beginning where nobody knows.
    ends: i64,
}

impl Busy {
    pub(super) const fn new(worker: usize, seat: usize, version: u32, since: i64) -> Self {
        Self { worker, seat, version, since, is_watch: false, ends: since }
    }
}

impl State {
    /// Lets a question wait for the last of these places that takes it, each cheaper than the next, or says
    /// why not even the first does. Gives the place.
    pub(super) fn admit(
        &mut self,
        now: i64,
        places: &[Place],
        mut asked: Asked,
    ) -> Result<Place, Box<(Asked, Refusal)>> {
        if asked.priority != Priority::Spare {
            self.asked = now;
        }
        let mut better = places.iter().rev().peekable();
        loop {
            let &place = better.next().expect("a place at least");
            let seat = &mut self.seats[place.seat];
            match seat.admit(now, place.lane, asked) {
                Ok(()) => {
                    seat.counts.asked.add(1);
                    return Ok(place);
                }
                Err(refused) if better.peek().is_some() => {
                    asked = refused.0;
                    asked.reply.by_another();
                }
                Err(refused) => {
                    seat.counts.asked.add(1);
                    seat.counts.shed(match refused.1 {
                        Refusal::Late(_) => Shed::Late,
                        Refusal::Closed(reason, _) => reason,
                    });
                    return Err(refused);
                }
            }
        }
    }

    /// Has cheaper variants answer what would be too late for this one: those of `late` from `from` on.
    fn hand_on(&mut self, seat: usize, now: i64, late: &mut Vec<Asked>, from: usize) {
        if self.seats[seat].cheaper.is_none() || late.len() == from {
            return;
        }
        let mut handed = 0;
        'questions: for mut asked in late.split_off(from) {
            let mut next = self.seats[seat].cheaper;
            while let Some(cheaper) = next.filter(|_| asked.reply.is_wanted()) {
                let to = &mut self.seats[cheaper];
                next = to.cheaper;
                asked.reply.by_another();
                match to.take_over(now, asked) {
                    Ok(()) => {
                        to.counts.asked.add(1);
                        handed += 1;
                        continue 'questions;
                    }
                    Err(refused) => asked = *refused,
                }
            }
            late.push(asked);
        }
        self.seats[seat].counts.handed.add(handed);
    }

    /// Whether questions wait at a place for more to come, and somebody will look after them.
    pub(super) fn gathers(&self, Place { seat, lane }: Place, now: i64) -> bool {
        let lane = &self.seats[seat].lanes[lane];
        // The first of them has called somebody, who sleeps until they are due.
        lane.len() > 1 && lane.gathers(now).is_some()
    }

    /// Workers in a run.
    pub(super) fn occupied(&self) -> usize {
        self.busy.iter().filter(|busy| !short::is_guest(busy.worker)).count()
    }

    /// What runs that are going on are expected to take still, together.
    pub(super) fn running_ns(&self, now: i64) -> i64 {
        self.busy.iter().map(|busy| (busy.ends - now).max(0)).sum()
    }

    /// Whether anything waits that somebody waits for.
    pub(super) fn has_work(&self) -> bool {
        self.seats.iter().any(Seat::has_work)
    }

    /// The next batch, of one model, the most urgent priority first; else when to look again.
    pub(super) fn take(
        &mut self,
        worker: usize,
        now: i64,
        into: &mut Vec<Asked>,
        late: &mut Vec<Asked>,
    ) -> (Option<Job>, Option<i64>) {
        let mut until = self.seats.iter().filter_map(|seat| seat.gathers(now)).min();
        loop {
            let count = self.seats.len();
            let ranked = (0..count).filter_map(|turn| {
                let number = (self.next + turn) % count;
                let rank = self.seats[number].rank(now)?;
                // What nobody waits for begins only where it is in nobody's way.
                if rank >= Priority::Spare as usize
                    && let Some(at) = self.may_spare(number, now)
                {
                    until = at.map(|at| until.map_or(at, |known: i64| known.min(at))).or(until);
                    return None;
                }
                Some((rank, turn, number))
            });
            let Some((_, _, number)) = ranked.min() else { return (None, until) };
            let dropped = late.len();
            let (lane, next) = self.seats[number].next(now, self.patience_ns, into, late);
            self.hand_on(number, now, late, dropped);
            let given_up = (late.len() - dropped) as u64;
            let forgotten = self.seats[number].take_forgotten();
            let counts = &self.seats[number].counts;
            counts.late.add(given_up);
            counts.forgotten.add(forgotten);
            if next == Next::Batch {
                if self.seats[number].model.strong_count() > 0 {
                    // A model whose runs are smaller than they might be gets no less for it.
                    self.next = number + usize::from(!self.seats[number].is_owed(lane));
                    return (Some(self.job(worker, number, lane, now, into)), None);
                }
                into.clear();
            }
            if let Next::At(at) = next {
                until = Some(at);
                return (None, until);
            }
        }
    }

    /// Why what nobody waits for may not run now, if it may not; and when to look again, if not when somebody else
    /// has done. It may where a worker is left for what may come. Where there is one alone, it may if it is back
    /// soon enough for the shortest time that was promised, or else once nobody has asked for [`QUIET`] times as
    /// long as it takes: who asks then waits for it, a fifth of the time at most.
    fn may_spare(&self, seat: usize, now: i64) -> Option<Option<i64>> {
        if self.threads > 1 {
            return (self.occupied() + 1 >= self.threads).then_some(None);
        }
        let lanes = self.seats[seat].lanes.iter().filter(|lane| lane.len() > 0);
        let takes = lanes.map(|lane| lane.upper(1)).max().unwrap_or(0);
        if takes <= self.patience_ns {
            return None;
        }
        let at = self.asked.saturating_add(takes.saturating_mul(QUIET));
        (now < at).then_some(Some(at))
    }

    pub(super) fn job(
        &mut self,
        worker: usize,
        number: usize,
        lane: usize,
        now: i64,
        asked: &[Asked],
    ) -> Job {
        let seat = &mut self.seats[number];
        let version = seat.serving.clone();
        let is_watch = asked.iter().all(Asked::is_followed);
        let here = &seat.lanes[lane];
        let ends = now.saturating_add(here.upper(asked.len()));
        let busy = Busy::new(worker, number, version.number, now);
        self.busy.push(Busy { is_watch, ends, ..busy });
        let (way, segment, next) = (here.way.clone(), here.segment, here.next_lane());
        let is_due =
            segment == 0 && seat.trial.as_mut().is_some_and(|trial| trial.is_due(asked.len()));
        let trial = seat.trial.as_ref().filter(|_| is_due).map(|trial| {
            let mut ways = vec![way.clone()];
            let mut at = next;
            while let Some(lane) = at {
                ways.push(seat.lanes[lane].way.clone());
                at = seat.lanes[lane].next_lane();
            }
            (trial.version.clone(), ways)
        });
        let (counts, before) = (seat.counts.clone(), seat.before());
        Job { seat: number, lane, segment, way, next, counts, version, before, trial }
    }

    /// Frees the places of workers whose run does not end; the versions they run are taken back, or their
    /// models not asked again, and what waits for those has failed. Gives what to tell.
    pub(super) fn give_up_stuck(&mut self, now: i64, limit: i64) -> Vec<String> {
        let mut told = Vec::new();
        for busy in self.busy.extract_if(.., |busy| now - busy.since > limit) {
            let seat = &mut self.seats[busy.seat];
            let (waited, news) = if busy.is_watch {
                seat.watched_in_vain(busy.version)
            } else {
                seat.wedged(busy.version)
            };
            fail_all(&seat.counts, waited);
            // A version may have gone.
            self.cold += u64::from(news.is_some() && !busy.is_watch);
            told.extend(news);
            // One who asks is no worker.
            if !short::is_guest(busy.worker) {
                self.started -= 1;
                self.alive -= 1;
                self.lost.push(busy.worker);
            }
        }
        told
    }

    /// A worker's thread ends.
    pub(super) fn leave(&mut self, worker: usize) {
        match self.lost.iter().position(|&lost| lost == worker) {
            Some(at) => drop(self.lost.swap_remove(at)),
            None => self.alive -= 1,
        }
    }

    /// Another run begins within the same piece of work.
    pub(super) fn begins_again(&mut self, worker: usize, now: i64) {
        if let Some(busy) = self.busy.iter_mut().find(|busy| busy.worker == worker) {
            busy.since = now;
        }
    }

    /// A worker is out of its run. Says no if it was given up meanwhile.
    pub(super) fn done(&mut self, worker: usize) -> bool {
        let at = self.busy.iter().position(|busy| busy.worker == worker);
        at.map(|at| self.busy.swap_remove(at)).is_some()
    }

    /// Notes how a run ended. Says no if the worker was given up meanwhile.
    pub(super) fn ran(
        &mut self,
        worker: usize,
        job: &Job,
        served: Served,
        ran: Ran,
        now: i64,
        tell: &dyn Fn(&str),
    ) -> bool {
        let here = self.done(worker);
        let seat = &mut self.seats[job.seat];
        let Served { failed, further, again, faulty, mixes: served_mixes, .. } = served;
        if seat.stuck {
            fail_all(&seat.counts, further.into_iter().chain(again));
            return here;
        }
        if job.version.chain.is_shut() {
            seat.has_shut();
        }
        let is_sound = faulty.is_none();
        if let Some(why) = faulty
            && let Some(told) = seat.roll_back(job.version.number, &why)
        {
            tell(&told);
            self.cold += 1;
        }
        if served_mixes && let Some(lane) = seat.lanes.get_mut(job.lane) {
            lane.one_by_one = true;
        }
        let had_before = seat.before().is_some();
        seat.ran(now, failed);
        // Its sessions are needed no more.
        self.cold += u64::from(had_before && seat.before().is_none());
        if let (true, Some(took_ns), Some(lane)) =
            (is_sound, ran.took_ns, seat.lanes.get_mut(job.lane))
        {
            lane.ran(ran.rows, took_ns, ran.late);
        }
        // What another version has begun is begun again.
        let is_same = is_sound && seat.serving.number == job.version.number;
        for mut asked in further {
            if asked.is_followed() && !job.version.chain.is_watched() {
                continue;
            }
            asked.since = now;
            match job.next.filter(|_| is_same) {
                Some(next) => seat.lanes[next].push(asked),
                None => seat.put_back(asked),
            }
        }
        for mut asked in again {
            asked.since = now;
            seat.put_back(asked);
        }
        here
    }
}

/// Tells whoever waits that a run of the model never ended.
fn fail_all(counts: &Counts, waited: impl IntoIterator<Item = Asked>) {
    for asked in waited.into_iter().filter(|asked| !asked.is_followed()) {
        counts.failed.add(1);
        asked.reply.fail(Fault::new(NEVER));
    }
}

#[cfg(test)]
mod tests;
