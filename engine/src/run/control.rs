//! What a program asks of a running graph, as messages to the supervisor.
//!
//! The supervisor never waits for a stage, whose bodies may take their time or never return: such
//! answers are waited for in a task of their own.

use std::{any::Any, sync::Arc};

use kameo::{
    message::{Context, Message},
    reply::DelegatedReply,
};

use crate::{
    cell::Command,
    graph::{Spanned, Value},
    plan::Home,
    tap::TapEnd,
    time::Timestamp,
};

use super::{
    ControlError, Snapshot, Supervisor,
    actors::{LoadNode, SaveStage, SetParams, ask_stage},
    opened::OpenSession,
};

/// A message to the supervisor and what it answers.
pub(crate) trait Question: Send + 'static {
    type Ok: Send + 'static;
}

/// The answer, now or later.
pub(crate) type Answer<T> = DelegatedReply<Result<T, ControlError>>;
type Asked<'a, T> = &'a mut Context<Supervisor, Answer<T>>;

impl Supervisor {
    fn session(&mut self, session: u32) -> Result<&mut OpenSession, ControlError> {
        self.sessions.get_mut(&session).ok_or(ControlError::UnknownSession(session))
    }

    /// The node of this name and the stage it runs in.
    fn place_of(&self, name: &str) -> Result<(usize, usize), ControlError> {
        let node = self.plan().nodes.iter().position(|node| node.name == name);
        match node.map(|node| (node, self.plan().nodes[node].home)) {
            Some((node, Home::Stage(stage))) => Ok((node, stage)),
            _ => Err(ControlError::UnknownNode(name.to_owned())),
        }
    }
}

/// Opens one more session.
#[derive(Default)]
pub(crate) struct Open {
    /// Zero of its time line; the moment it is opened without one.
    pub(crate) zero: Option<Timestamp>,
    /// Called with its number before its bodies are built; gives what is to be dropped when it is over.
    pub(crate) told: Option<Told>,
}

pub(crate) type Told = Box<dyn FnOnce(u32) -> Box<dyn Any + Send> + Send>;

impl Question for Open {
    type Ok = u32;
}

impl Message<Open> for Supervisor {
    type Reply = Answer<u32>;

    async fn handle(&mut self, open: Open, asked: Asked<'_, u32>) -> Answer<u32> {
        let (later, reply) = asked.reply_sender();
        self.build(open, reply);
        later
    }
}

/// Ends the sources of a session; what is inside is finished.
pub(crate) struct DrainOne(pub(crate) u32);

impl Question for DrainOne {
    type Ok = ();
}

impl Message<DrainOne> for Supervisor {
    type Reply = Answer<()>;

    async fn handle(&mut self, drain: DrainOne, asked: Asked<'_, ()>) -> Answer<()> {
        let done = self.session(drain.0).map(OpenSession::drain);
        asked.reply(done)
    }
}

/// Closes a session now.
pub(crate) struct Close(pub(crate) u32);

impl Question for Close {
    type Ok = ();
}

impl Message<Close> for Supervisor {
    type Reply = Answer<()>;

    async fn handle(&mut self, close: Close, asked: Asked<'_, ()>) -> Answer<()> {
        if let Err(error) = self.session(close.0) {
            return asked.reply(Err(error));
        }
        self.finish(close.0);
        self.end_if_empty(false);
        asked.reply(Ok(()))
    }
}

/// Changes a live parameter.
pub(crate) struct Set {
    pub(crate) session: u32,
    pub(crate) node: String,
    pub(crate) param: String,
    pub(crate) value: Spanned<Value>,
}

impl Question for Set {
    type Ok = ();
}

impl Message<Set> for Supervisor {
    type Reply = Answer<()>;

    async fn handle(&mut self, set: Set, asked: Asked<'_, ()>) -> Answer<()> {
        let Set { session, node: name, param, value } = set;
        let place = self.place_of(&name);
        let open = match self.session(session) {
            Ok(open) => open,
            Err(error) => return asked.reply(Err(error)),
        };
        let (node, at) = match place {
            Ok(place) => place,
            Err(error) => return asked.reply(Err(error)),
        };
        let (knobs, stage) = (open.knobs.clone(), open.stages[at].clone());
        let plan = self.plan().clone();
        if let Err(why) = plan.check_live(node, &param, &value) {
            return asked.reply(Err(ControlError::Refused(why)));
        }
        asked.spawn(async move {
            // One after the other: each begins with what the one before has left.
            let turn = knobs.turn_in(at);
            let _turn = turn.lock().await;
            let mut params = knobs.of(&plan, node);
            params.set(&param, value);
            // The kind's own checks, such as a frequency against the rate, count here too.
            (plan.nodes[node].kind.plan)(&plan.view(node, &params, session))
                .map_err(|problems| ControlError::Refused(problems.to_string()))?;
            ask_stage(&stage, SetParams { node, params: Arc::new(params.clone()) }).await?;
            knobs.turn(node, params);
            Ok(())
        })
    }
}

/// Stops the sources of a session, or lets them go on.
pub(crate) struct Pause {
    pub(crate) session: u32,
    pub(crate) paused: bool,
}

impl Question for Pause {
    type Ok = ();
}

impl Message<Pause> for Supervisor {
    type Reply = Answer<()>;

    async fn handle(&mut self, pause: Pause, asked: Asked<'_, ()>) -> Answer<()> {
        let now = self.shared.clock.now();
        let done = self.session(pause.session).map(|open| open.pause(pause.paused, now));
        asked.reply(done)
    }
}

/// Shows what passes at an output.
pub(crate) struct TapAt {
    pub(crate) session: u32,
    pub(crate) node: usize,
    pub(crate) port: usize,
    pub(crate) end: TapEnd,
}

impl Question for TapAt {
    type Ok = ();
}

impl Message<TapAt> for Supervisor {
    type Reply = Answer<()>;

    async fn handle(&mut self, at: TapAt, asked: Asked<'_, ()>) -> Answer<()> {
        let TapAt { session, node, port, end } = at;
        let home = self.plan().nodes[node].home;
        let done = self.session(session).map(|open| match home {
            Home::Stage(stage) => {
                open.command(stage, Command::Tap { node, port, end: Box::new(end) });
            }
            Home::Io => {
                if let Some(live) = open.lives.iter().find(|live| live.node == node) {
                    live.ports.tap(port, end);
                }
            }
        });
        asked.reply(done)
    }
}

/// Tells the state of every body.
pub(crate) struct Save(pub(crate) u32);

impl Question for Save {
    type Ok = Snapshot;
}

impl Message<Save> for Supervisor {
    type Reply = Answer<Snapshot>;

    async fn handle(&mut self, save: Save, asked: Asked<'_, Snapshot>) -> Answer<Snapshot> {
        let stages = match self.session(save.0) {
            Ok(open) => open.stages.clone(),
            Err(error) => return asked.reply(Err(error)),
        };
        let plan = self.plan().clone();
        asked.spawn(async move {
            let asks =
                stages.into_iter().map(|stage| async move { ask_stage(&stage, SaveStage).await });
            // All at once: a stage that does not answer is waited for once.
            let asks: Vec<_> = asks.map(tokio::spawn).collect();
            let mut snapshot = Snapshot::new();
            for ask in asks {
                for (node, state) in ask.await.unwrap_or(Err(ControlError::Ended))? {
                    snapshot.insert(plan.nodes[node].name.clone(), state);
                }
            }
            Ok(snapshot)
        })
    }
}

/// Gives bodies saved states.
pub(crate) struct Load {
    pub(crate) session: u32,
    pub(crate) snapshot: Snapshot,
}

impl Question for Load {
    type Ok = ();
}

impl Message<Load> for Supervisor {
    type Reply = Answer<()>;

    async fn handle(&mut self, load: Load, asked: Asked<'_, ()>) -> Answer<()> {
        let Load { session, snapshot } = load;
        let places: Result<Vec<_>, _> =
            snapshot.into_iter().map(|(name, state)| Ok((self.place_of(&name)?, state))).collect();
        let stages = self.session(session).map(|open| open.stages.clone());
        let (stages, places) = match (stages, places) {
            (Ok(stages), Ok(places)) => (stages, places),
            (Err(error), _) | (_, Err(error)) => return asked.reply(Err(error)),
        };
        asked.spawn(async move {
            for ((node, stage), state) in places {
                ask_stage(&stages[stage], LoadNode { node, state }).await?;
            }
            Ok(())
        })
    }
}
