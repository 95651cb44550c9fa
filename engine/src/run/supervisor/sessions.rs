//! How a session is opened, and how it leaves.

use std::{collections::BTreeMap, sync::PoisonError};

use kameo::{actor::Spawn, mailbox, reply::ReplySender};
use tokio::runtime::Handle;

use crate::{
    body::Body,
    session::{Ground, OpenError, Session, build_bodies},
    stage::Pace,
    time::Timestamp,
};

use super::{
    super::{
        ControlError,
        actors::{FutureActor, FutureArgs, SinkActor},
        control::Open,
        leaving,
        opened::{Course, Knobs, OpenLive, OpenSession, stage_actor},
    },
    Supervisor, What,
    happened::NewSession,
};

impl Supervisor {
    /// Begins to build a session; who asked is answered when it is open.
    pub(in crate::run) fn build(
        &mut self,
        open: Open,
        reply: Option<ReplySender<Result<u32, ControlError>>>,
    ) {
        if self.comes_and_goes && !self.expects && self.asked.drains > 0 {
            // Whoever came just as the door was closed would keep the run from ending.
            if let Some(reply) = reply {
                reply.send(Err(ControlError::Ended));
            }
            return;
        }
        let Some((open, reply)) = self.hold_open(open, reply) else { return };
        let (session, asked) = (self.next, self.asked);
        self.next += 1;
        self.building += 1;
        let Open { zero, told } = open;
        let guest = told.map(|told| told(session));
        self.aside(session, move |plan| {
            What::Built(NewSession {
                bodies: build_bodies(plan, session),
                zero,
                guest,
                reply,
                asked,
            })
        });
    }

    pub(super) fn open(&mut self, session: u32, new: NewSession) {
        self.building -= 1;
        let NewSession { bodies, zero, guest, reply, asked } = new;
        let opened = if asked.halts == self.asked.halts {
            bodies.and_then(|bodies| self.wire(session, zero, bodies)).map_err(ControlError::Open)
        } else {
            Err(ControlError::Ended)
        };
        if let Some(open) = self.sessions.get_mut(&session) {
            open.guest = guest;
        }
        if opened.is_ok() && asked.drains != self.asked.drains {
            self.drain(session);
        }
        if let Some(reply) = reply {
            reply.send(opened.map(|()| session));
        }
        self.end_if_empty(false);
    }

    fn wire(
        &mut self,
        number: u32,
        zero: Option<Timestamp>,
        bodies: Vec<Option<Body>>,
    ) -> Result<(), OpenError> {
        let (now, latency) = (self.shared.pace(), self.shared.latency());
        let ground = Ground {
            plan: &self.plan,
            cores: &self.shared.cores,
            clock: &self.shared.clock,
            pace: Pace { start: zero.unwrap_or(now.start), ..now },
            latency: &latency,
            onlooker: self.shared.onlooker.as_ref(),
        };
        let (session, course) =
            (Session::wire(&ground, number, bodies)?, Course::new(ground.pace.start));
        self.shared.go_on();
        self.start(session, course);
        Ok(())
    }

    fn start(&mut self, session: Session, course: Course) {
        let Session { number, cells, commands, sinks, lives, counts, wakes } = session;
        let left = cells.len() + sinks.len() + lives.len();
        let events = &self.shared.events;
        let mut open = OpenSession {
            stages: commands.into_iter().map(stage_actor).collect(),
            sinks: Vec::new(),
            tasks: Vec::new(),
            lives: Vec::new(),
            knobs: Knobs::new(),
            records: BTreeMap::new(),
            versions: vec![0; cells.len()],
            guest: None,
            cells,
            counts,
            wakes,
            epoch: 0,
            left,
            course,
        };
        {
            let mut sessions = self.shared.sessions.lock().unwrap_or_else(PoisonError::into_inner);
            sessions.open(number, &open.cells, &open.counts);
        }
        for sink in sinks {
            let node = sink.node;
            let _here = self.sinks.get(&node).map(Handle::enter);
            let args = (sink, number, events.clone());
            open.sinks.push((node, SinkActor::spawn_with_mailbox(args, mailbox::unbounded())));
        }
        let _io = self.io.as_ref().map(Handle::enter);
        let spawn = |args| FutureActor::spawn_with_mailbox(args, mailbox::unbounded());
        for live in lives {
            open.lives.push(OpenLive {
                node: live.node,
                ports: live.ports.clone(),
                stop: live.stop.clone(),
                successor: live.successor.clone(),
            });
            let (node, paused) = (live.node, Some(live.paused.clone()));
            let future = Box::pin(async move {
                match live.run().await {
                    Ok(remarks) => What::TaskDone { remarks },
                    Err(fault) => What::TaskFailed { node, fault },
                }
            });
            let args = FutureArgs { session: number, future, paused, events: events.clone() };
            open.tasks.push(spawn(args));
        }
        for cell in &open.cells {
            cell.door.core.place(cell.door.number, Some(cell.clone()));
        }
        self.sessions.insert(number, open);
    }

    /// Takes a session off the cores and adds up what it counted.
    pub(in crate::run) fn finish(&mut self, session: u32) {
        let Some(open) = self.sessions.remove(&session) else { return };
        // Kept before they leave, so that the watchdog finds them at every moment.
        if self.shared.leaving.add(open.cells.iter().cloned()) {
            drop(tokio::spawn(leaving::sweep(self.shared.leaving.clone())));
        }
        for cell in &open.cells {
            cell.door.core.place(cell.door.number, None);
        }
        for stage in open.stages {
            stage.kill();
        }
        for (_, sink) in open.sinks {
            sink.kill();
        }
        for task in open.tasks {
            task.kill();
        }
        let mut sessions = self.shared.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.close(session, &open.counts);
    }
}
