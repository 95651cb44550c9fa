//! A session that runs, as control sees it: its actors, its knobs, and what a successor of one of
//! its stages must know.

use std::{
    any::Any,
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use kameo::{actor::ActorRef, actor::Spawn, mailbox};
use tokio::sync::{Mutex as Turn, Notify};

use crate::{
    cell::{Cell, Command},
    live::LivePorts,
    param::Params,
    plan::{Becomes, Change, Plan},
    session::{CommandLine, Counts},
    supervise::{Record, Verdict},
    tasks::{Successor, TaskWake},
    time::Timestamp,
};

use super::actors::{FutureActor, Order, PauseSource, SinkActor, StageActor};

/// See the module.
pub(super) struct OpenSession {
    pub(super) cells: Vec<Arc<Cell>>,
    pub(super) stages: Vec<ActorRef<StageActor>>,
    pub(super) sinks: Vec<(usize, ActorRef<SinkActor>)>,
    pub(super) tasks: Vec<ActorRef<FutureActor>>,
    pub(super) lives: Vec<OpenLive>,
    pub(super) wakes: Vec<Arc<TaskWake>>,
    pub(super) epoch: u32,
    pub(super) counts: Arc<Counts>,
    pub(super) knobs: Arc<Knobs>,
    pub(super) records: BTreeMap<usize, Record>,
    /// Counts the cells each stage has had: what was meant for one is nothing to the next.
    pub(super) versions: Vec<u32>,
    /// Parts that have not ended.
    pub(super) left: usize,
    pub(super) course: Course,
    /// What who opened it wants dropped when it is over.
    pub(super) guest: Option<Box<dyn Any + Send>>,
}

/// A live source, as control sees it.
pub(super) struct OpenLive {
    pub(super) node: usize,
    pub(super) ports: Arc<LivePorts>,
    /// Ends it.
    pub(super) stop: Arc<Notify>,
    /// Gives it another body.
    pub(super) successor: Arc<Successor>,
}

impl OpenSession {
    /// Asks a stage for something that needs no answer and must not be lost.
    pub(super) fn command(&self, stage: usize, command: Command) {
        // An actor that is gone speaks for a cell that is gone.
        let _ = self.stages[stage].tell(Order(command)).try_send();
    }

    /// Lets the sources end.
    pub(super) fn drain(&mut self) {
        self.course.draining = true;
        for stage in 0..self.stages.len() {
            self.command(stage, Command::Drain);
        }
        // A live source has no end of its own.
        for live in &self.lives {
            live.stop.notify_one();
        }
    }

    /// Stops the sources, or lets them go on.
    pub(super) fn pause(&mut self, paused: bool, now: Timestamp) {
        self.course.pause(paused, now, !self.lives.is_empty());
        for stage in 0..self.stages.len() {
            self.command(stage, Command::Pause(paused));
        }
        for task in &self.tasks {
            let _ = task.tell(PauseSource(paused)).try_send();
        }
    }

    /// Takes note of a fault of a node and says what to do about it.
    pub(super) fn verdict(&mut self, plan: &Plan, node: usize, now: Timestamp) -> Verdict {
        let planned = &plan.nodes[node];
        let fresh = || Record::new(planned.on_fault, planned.retries);
        self.records.entry(node).or_insert_with(fresh).fault(now)
    }

    /// Puts a new cell in the place of another, which is given back with its actor stopped.
    pub(super) fn succeed(
        &mut self,
        stage: usize,
        cell: &Arc<Cell>,
        commands: Arc<CommandLine>,
    ) -> Arc<Cell> {
        let actor = stage_actor(commands);
        std::mem::replace(&mut self.stages[stage], actor).kill();
        std::mem::replace(&mut self.cells[stage], cell.clone())
    }
}

/// The actor of a stage. Its mailbox takes everything: the supervisor never waits for a stage.
pub(super) fn stage_actor(commands: Arc<CommandLine>) -> ActorRef<StageActor> {
    StageActor::spawn_with_mailbox(commands, mailbox::unbounded())
}

/// What all stages of a session were told about time: a successor has heard nothing of it.
pub(super) struct Course {
    /// The clock at zero of the time line, pauses that are over included.
    start: Timestamp,
    paused: bool,
    /// Since when time stands still.
    still_since: Option<Timestamp>,
    draining: bool,
}

impl Course {
    pub(super) fn new(start: Timestamp) -> Self {
        Self { start, paused: false, still_since: None, draining: false }
    }

    /// Time goes on `beside_device`.
    fn pause(&mut self, paused: bool, now: Timestamp, beside_device: bool) {
        if paused == self.paused {
            return;
        }
        self.start = self.start(now);
        self.still_since = (paused && !beside_device).then_some(now);
        self.paused = paused;
    }

    /// The clock at zero of the time line of a stage that begins now.
    pub(super) fn start(&self, now: Timestamp) -> Timestamp {
        self.still_since.map_or(self.start, |at| self.start.plus_nanos(now.since(at)))
    }

    /// What a stage that begins now must be told first.
    pub(super) fn commands(&self) -> impl Iterator<Item = Command> {
        let pause = self.paused.then_some(Command::Pause(true));
        pause.into_iter().chain(self.draining.then_some(Command::Drain))
    }
}

/// Live parameters as they are by now.
pub(super) struct Knobs {
    /// Those of the nodes that were ever turned.
    turned: Mutex<BTreeMap<usize, Params>>,
    /// One change after the other in every stage, however long it takes to answer.
    turns: Mutex<BTreeMap<usize, Arc<Turn<()>>>>,
}

impl Knobs {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { turned: Mutex::default(), turns: Mutex::default() })
    }

    /// Who holds this is the only one who turns knobs in a stage.
    pub(super) fn turn_in(&self, stage: usize) -> Arc<Turn<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.entry(stage).or_default().clone()
    }

    pub(super) fn of(&self, plan: &Plan, node: usize) -> Params {
        self.turned(node).unwrap_or_else(|| plan.nodes[node].params.clone())
    }

    /// Those of a node that was ever turned.
    pub(super) fn turned(&self, node: usize) -> Option<Params> {
        self.turned.lock().unwrap_or_else(PoisonError::into_inner).get(&node).cloned()
    }

    /// The graph says something else: that counts, and what was turned beside it stays.
    pub(super) fn adopt(&self, now: &Plan, change: &Change) {
        let mut turned = self.turned.lock().unwrap_or_else(PoisonError::into_inner);
        for (node, becomes) in change.nodes.iter().enumerate() {
            match becomes {
                Becomes::Rebuilt { is_alike: false } | Becomes::Added | Becomes::Removed => {
                    drop(turned.remove(&node));
                }
                _ => {
                    if let Some(params) = turned.get_mut(&node) {
                        let (before, after) = (&now.nodes[node], &change.plan.nodes[node]);
                        *params = params.over(&before.params, &after.params);
                    }
                }
            }
        }
    }

    pub(super) fn turn(&self, node: usize, params: Params) {
        self.turned.lock().unwrap_or_else(PoisonError::into_inner).insert(node, params);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_ms(ms: i64) -> Timestamp {
        Timestamp::from_nanos(ms * 1_000_000)
    }

    #[test]
    fn a_stage_that_begins_late_begins_where_the_pauses_have_left_its_session() {
        let mut course = Course::new(at_ms(5));
        course.pause(true, at_ms(10), false);
        course.pause(true, at_ms(12), false);
        assert_eq!(course.start(at_ms(30)), at_ms(25), "it stands still since 10");
        assert!(matches!(course.commands().collect::<Vec<_>>()[..], [Command::Pause(true)]));

        course.pause(false, at_ms(40), false);
        assert_eq!(course.start(at_ms(90)), at_ms(35));
        assert_eq!(course.commands().count(), 0);

        course.draining = true;
        assert!(matches!(course.commands().collect::<Vec<_>>()[..], [Command::Drain]));
    }

    #[test]
    fn beside_a_device_a_stage_that_begins_late_begins_where_the_device_is() {
        let mut course = Course::new(at_ms(5));
        course.pause(true, at_ms(10), true);
        assert_eq!(course.start(at_ms(30)), at_ms(5));
        assert!(matches!(course.commands().collect::<Vec<_>>()[..], [Command::Pause(true)]));

        course.pause(false, at_ms(40), true);
        assert_eq!(course.start(at_ms(90)), at_ms(5));
        assert_eq!(course.commands().count(), 0);
    }
}
