//! What the parts of a run share.

use std::{
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::mpsc;

use crate::{
    core::CoreShared,
    plan::Plan,
    session::{Latencies, latencies},
    stage::Pace,
    tap::Onlooker,
    time::Clock,
};

use super::{Happened, Outcome, RolledBack, leaving::Leaving, report::Sessions};

/// What the run's parts share.
pub(crate) struct Shared {
    plan: Mutex<Arc<Plan>>,
    pub(crate) clock: Clock,
    pub(crate) cores: Vec<Arc<CoreShared>>,
    latency: Mutex<Arc<Latencies>>,
    /// Of sinks that came while it ran.
    pub(super) runtimes: Mutex<Vec<tokio::runtime::Runtime>>,
    pub(crate) speed: Option<f64>,
    pub(crate) events: mpsc::UnboundedSender<Happened>,
    pub(crate) sessions: Mutex<Sessions>,
    pub(crate) leaving: Arc<Leaving>,
    pub(crate) onlooker: Option<Onlooker>,
    rolled_back: Mutex<Option<RolledBack>>,
    outcome: Mutex<Option<Outcome>>,
    ended: Condvar,
}

impl Shared {
    pub(super) fn new(
        plan: &Arc<Plan>,
        clock: Clock,
        cores: Vec<Arc<CoreShared>>,
        speed: Option<f64>,
        onlooker: Option<Onlooker>,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<Happened>) {
        let (events, happened) = mpsc::unbounded_channel();
        let shared = Self {
            plan: Mutex::new(plan.clone()),
            clock,
            cores,
            latency: Mutex::new(Arc::new(latencies(plan))),
            runtimes: Mutex::default(),
            speed,
            events,
            sessions: Mutex::new(Sessions::new(plan)),
            leaving: Arc::default(),
            onlooker,
            rolled_back: Mutex::new(None),
            outcome: Mutex::new(None),
            ended: Condvar::new(),
        };
        (Arc::new(shared), happened)
    }

    /// The plan that runs.
    pub(crate) fn plan(&self) -> Arc<Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Latencies by the numbers of the plan.
    pub(crate) fn latency(&self) -> Arc<Latencies> {
        self.latency.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The plan has grown. Told before it is [adopted](Shared::adopt): who looks at it finds all there.
    pub(super) fn grow(&self, latency: Latencies) {
        *self.latency.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(latency);
    }

    /// Another plan runs from now on, whose nodes, edges and stages have the numbers they had.
    pub(super) fn adopt(&self, plan: &Arc<Plan>) {
        *self.plan.lock().unwrap_or_else(PoisonError::into_inner) = plan.clone();
    }

    /// Keeps why a plan was taken out again, until somebody asks.
    pub(super) fn roll_back(&self, why: RolledBack) {
        *self.rolled_back.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }

    /// Why the last plan was taken out again; told once.
    pub(super) fn rolled_back(&self) -> Option<RolledBack> {
        self.rolled_back.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(crate) fn pace(&self) -> Pace {
        Pace { start: self.clock.now(), speed: self.speed }
    }

    /// A session was opened: the run has not ended after all.
    pub(crate) fn go_on(&self) {
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(crate) fn end(&self, outcome: Outcome) {
        let mut ended = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        ended.get_or_insert(outcome);
        self.ended.notify_all();
    }

    /// Waits until every session has ended, but no longer than `limit`.
    pub(super) fn wait_for(&self, limit: Duration) -> Option<Outcome> {
        let outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        let (outcome, _) = self
            .ended
            .wait_timeout_while(outcome, limit, |outcome| outcome.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        outcome.clone()
    }
}
