//! Another plan for the sessions that are open: see [`reload`](super::super::reload).

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
    time::Duration,
};

use kameo::{
    message::{Context, Message},
    reply::{DelegatedReply, ReplySender},
};

use crate::{
    cell::Command,
    fault::Fault,
    plan::{Becomes, Change, Plan},
    session::{Latencies, OpenError},
    stage::Pace,
    time::Timestamp,
};

use super::{
    super::{
        ReloadError, ReloadReport, RolledBack,
        control::Open,
        opened::OpenSession,
        reload::{self, Bodies, Done, Ground, NotDone, Part, TRIAL, WaitingBodies},
    },
    Happened, Supervisor, What,
};

/// Between two looks whether all cells can be held.
const LOOK: Duration = Duration::from_millis(1);
/// Looks before it is given up: a body does not return.
const LOOKS: u32 = 2_000;

/// Who is told what has become of a reload.
type Told = ReplySender<Result<ReloadReport, ReloadError>>;

/// A session that was asked for, and who is told.
type Asked = (Open, Option<ReplySender<Result<u32, super::ControlError>>>);

/// A plan on its way in.
pub(crate) struct Reloading {
    change: Change,
    why: Why,
    /// What stood there before, by session, where it leads back.
    before: BTreeMap<u32, Bodies>,
    /// Nothing until they are built.
    bodies: Option<BTreeMap<u32, (Bodies, WaitingBodies)>>,
    looks: u32,
}

impl Reloading {
    fn new(change: Change, why: Why, before: BTreeMap<u32, Bodies>) -> Self {
        Self { change, why, before, bodies: None, looks: 0 }
    }
}

/// Why a plan is put in.
enum Why {
    /// Somebody wants it.
    Asked(Told),
    /// The last one has failed.
    Back(RolledBack),
}

/// A plan that was put in just now.
pub(super) struct Trial {
    until: Timestamp,
    /// What ran before.
    plan: Arc<Plan>,
    /// By node, whether its body is new.
    is_new: Vec<bool>,
    /// What stood there before, by session.
    before: BTreeMap<u32, Bodies>,
}

/// What the supervisor keeps of reloads.
#[derive(Default)]
pub(super) struct Reloads {
    /// One is under way.
    is_under_way: bool,
    /// What it takes out again, where it leads back: new bodies, by node.
    goes_back: Option<Vec<bool>>,
    trial: Option<Trial>,
    /// Counts the plans that were put in: what is to end the trial of one is nothing to the next.
    version: u32,
    /// Sessions that were asked for meanwhile.
    opens: Vec<Asked>,
}

/// Put another plan in.
pub(crate) struct Reload(pub(crate) Arc<Plan>);

impl Message<Reload> for Supervisor {
    type Reply = DelegatedReply<Result<ReloadReport, ReloadError>>;

    async fn handle(
        &mut self,
        reload: Reload,
        asked: &mut Context<Self, Self::Reply>,
    ) -> Self::Reply {
        if self.reloads.is_under_way {
            return asked.reply(Err(ReloadError::Busy));
        }
        if self.has_ended() {
            return asked.reply(Err(ReloadError::Ended));
        }
        let change = match self.plan().change_to(&reload.0) {
            Ok(change) => change,
            Err(problems) => return asked.reply(Err(ReloadError::Refused(problems))),
        };
        let (later, told) = asked.reply_sender();
        if let Some(told) = told {
            // What came before has proved itself.
            self.end_trial();
            self.begin(Reloading::new(change, Why::Asked(told), BTreeMap::new()));
        }
        later
    }
}

impl Supervisor {
    /// Keeps a session that is asked for while a plan is on its way in until it is; gives it back else.
    pub(super) fn hold_open(
        &mut self,
        open: Open,
        reply: Option<ReplySender<Result<u32, super::ControlError>>>,
    ) -> Option<Asked> {
        if self.reloads.is_under_way {
            self.reloads.opens.push((open, reply));
            return None;
        }
        Some((open, reply))
    }

    /// Has the new bodies built, once no session is being built with those of the plan that runs.
    fn begin(&mut self, mut reloading: Reloading) {
        self.reloads.is_under_way = true;
        if self.building > 0 {
            self.look_again(reloading);
            return;
        }
        let params =
            |open: &OpenSession| reload::params(&open.knobs, &self.plan, &reloading.change);
        let there: Vec<_> =
            self.sessions.iter().map(|(&session, open)| (session, params(open))).collect();
        let events = self.shared.events.clone();
        drop(tokio::task::spawn_blocking(move || {
            let (mut failed, mut all) = (None, BTreeMap::new());
            for (session, params) in there {
                let mut bodies = reloading.before.remove(&session).unwrap_or_default();
                match reload::build(&reloading.change, session, &params, &bodies) {
                    Ok((new, waiting)) => {
                        bodies.extend(new);
                        all.insert(session, (bodies, waiting));
                    }
                    Err(error) => {
                        failed = Some(error);
                        break;
                    }
                }
            }
            reloading.bodies = Some(all);
            let what = What::Renewed(Box::new(reloading), failed);
            let _ = events.send(Happened { session: None, what });
        }));
    }

    fn look_again(&self, mut reloading: Reloading) {
        reloading.looks += 1;
        let events = self.shared.events.clone();
        drop(tokio::spawn(async move {
            tokio::time::sleep(LOOK).await;
            let what = What::ReloadDue(Box::new(reloading));
            let _ = events.send(Happened { session: None, what });
        }));
    }

    /// Its bodies are built, or one cannot be.
    pub(super) fn renewed(&mut self, reloading: Reloading, failed: Option<OpenError>) {
        match failed {
            Some(error) => self.not_reloaded(reloading, ReloadError::Build(error)),
            None => self.put_in(reloading),
        }
    }

    /// Another look whether it can be put in.
    pub(super) fn reload_due(&mut self, reloading: Reloading) {
        if reloading.looks >= LOOKS {
            self.not_reloaded(reloading, ReloadError::Busy);
        } else if reloading.bodies.is_none() {
            self.begin(reloading);
        } else {
            self.put_in(reloading);
        }
    }

    fn put_in(&mut self, mut reloading: Reloading) {
        let Self { sessions, plan, shared, .. } = self;
        let latency = shared.latency().grown(&reloading.change.plan);
        let (now, speed) = (shared.clock.now(), shared.speed);
        let bodies = reloading.bodies.as_mut().expect("they were built");
        // Those that were closed meanwhile need none.
        bodies.retain(|session, _| sessions.contains_key(session));
        let parts = bodies.iter_mut().map(|(&session, (bodies, waiting))| {
            let open = &sessions[&session];
            Part {
                session,
                cells: &open.cells,
                counts: &open.counts,
                knobs: &open.knobs,
                epoch: open.epoch,
                pace: Pace { start: open.course.start(now), speed },
                wakes: &open.wakes,
                lives: open.lives.iter().map(|live| (live.node, live.ports.clone())).collect(),
                bodies,
                waiting,
            }
        });
        let mut parts: Vec<_> = parts.collect();
        let ground = Ground {
            cores: &shared.cores,
            clock: &shared.clock,
            latency: &latency,
            onlooker: shared.onlooker.as_ref(),
        };
        match reload::apply(&ground, plan, &reloading.change, &mut parts) {
            Ok(done) => self.was_put_in(reloading, done, latency),
            Err(NotDone::Busy) => self.look_again(reloading),
            Err(NotDone::Never(error)) => self.not_reloaded(reloading, error),
        }
    }

    fn was_put_in(&mut self, reloading: Reloading, mut done: Done, latency: Latencies) {
        let Reloading { change, why, bodies, .. } = reloading;
        let before = std::mem::replace(&mut self.plan, change.plan.clone());
        let is_of_shape = change.is_of_shape();
        if is_of_shape {
            self.shared.grow(latency);
            let mut sessions = self.shared.sessions.lock().unwrap_or_else(PoisonError::into_inner);
            sessions.grow(&change.plan);
        }
        for (session, grown) in std::mem::take(&mut done.grown) {
            self.grow(session, grown);
        }
        self.shared.adopt(&change.plan);
        for (session, (_, waiting)) in bodies.into_iter().flatten() {
            let open = self.sessions.get_mut(&session).expect("those that were closed need none");
            for (node, body) in waiting {
                open.succeed_waiting(&change.plan, node, body);
            }
            for (node, becomes) in change.nodes.iter().enumerate() {
                if *becomes != Becomes::Kept {
                    open.records.remove(&node);
                }
            }
            open.renew(&change);
            change.leaving().for_each(|(stage, slot)| open.command(stage, Command::Close { slot }));
        }
        for (session, stage, slot) in done.troubles {
            self.restart(session, stage, slot);
        }
        self.reloads.version += 1;
        match why {
            Why::Asked(told) => {
                let until = self.now().plus_nanos(TRIAL.as_nanos() as i64);
                let is_new = (0..change.nodes.len()).map(|node| change.renews(node)).collect();
                let trial = Trial { until, plan: before, is_new, before: done.before };
                self.reloads.trial = Some(trial);
                let (events, version) = (self.shared.events.clone(), self.reloads.version);
                drop(tokio::spawn(async move {
                    tokio::time::sleep(TRIAL).await;
                    let what = What::TrialOver { version };
                    let _ = events.send(Happened { session: None, what });
                }));
                told.send(Ok(done.report));
            }
            Why::Back(why) => {
                self.shared.roll_back(why);
                drop_aside(done.before);
            }
        }
        self.go_on_opening();
    }

    fn not_reloaded(&mut self, reloading: Reloading, error: ReloadError) {
        match reloading.why {
            Why::Asked(told) => told.send(Err(error)),
            Why::Back(why) => {
                let fault =
                    format!("{}; what was there before cannot be put back: {error}", why.fault);
                self.shared.roll_back(RolledBack { fault, ..why });
                // What waits for a body gets one of the new version; one that is there is not disturbed.
                for (node, becomes) in reloading.change.nodes.iter().enumerate() {
                    let place = self.plan.place_of(node);
                    if let (Becomes::Rebuilt { .. } | Becomes::Added, Some((stage, slot))) =
                        (becomes, place)
                    {
                        self.sessions
                            .keys()
                            .for_each(|&session| self.restart(session, stage, slot));
                    }
                }
            }
        }
        drop_aside(reloading.bodies);
        self.go_on_opening();
    }

    fn go_on_opening(&mut self) {
        (self.reloads.is_under_way, self.reloads.goes_back) = (false, None);
        for (open, reply) in std::mem::take(&mut self.reloads.opens) {
            self.build(open, reply);
        }
    }

    /// A body on trial has failed: what stood there before comes back. Says whether that is so.
    pub(super) fn fails_on_trial(&mut self, node: usize, fault: &Fault) -> bool {
        let now = self.now();
        let has = |all: &Vec<bool>| all.get(node).copied().unwrap_or(false);
        if self.reloads.goes_back.as_ref().is_some_and(has) {
            return true;
        }
        let is_new = |trial: &mut Trial| now <= trial.until && has(&trial.is_new);
        let Some(trial) = self.reloads.trial.take_if(is_new) else { return false };
        let node = self.plan.nodes[node].name.clone();
        let mut why = RolledBack { node, fault: fault.to_string() };
        match self.plan.change_to(&trial.plan) {
            Ok(back) => {
                self.reloads.goes_back = Some(trial.is_new);
                self.begin(Reloading::new(back, Why::Back(why), trial.before));
                true
            }
            Err(problems) => {
                why.fault += &format!("; what was there before cannot be put back: {problems}");
                self.shared.roll_back(why);
                drop_aside(trial.before);
                false
            }
        }
    }

    /// The trial of a plan is over, unless another has come.
    pub(super) fn trial_over(&mut self, version: u32) {
        if version == self.reloads.version && !self.reloads.is_under_way {
            self.end_trial();
        }
    }

    fn end_trial(&mut self) {
        if let Some(trial) = self.reloads.trial.take() {
            drop_aside(trial.before);
        }
    }
}

/// Bodies may take their time to be dropped.
fn drop_aside<T: Send + 'static>(bodies: T) {
    drop(tokio::task::spawn_blocking(move || {
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(bodies)));
    }));
}
