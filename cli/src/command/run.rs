//! `afferent run`: a graph from start to summary.

use std::{
    io::{Write, stderr},
    num::NonZero,
    thread::available_parallelism,
};

use link::host::Role;

use crate::{
    arguments::RunArguments,
    exit::{Exit, Failure},
    graph::{Graph, OnHost},
    hosts::Linked,
};

use super::live::Live;

/// Runs a graph until its sources end, its reader goes away, or somebody interrupts.
pub(crate) fn run(asked: &RunArguments) -> Result<Exit, Failure> {
    let graph = Graph::load_on(&asked.graph, asked.host.as_deref())?;
    let sessions = asked.sessions;
    let cores = cores(asked.live.cores, sessions, &graph);
    let (graph_asked, host) = (&asked.graph, asked.host.as_deref());
    let (file, set) = (&*graph_asked.file, &*graph_asked.set);
    let follows = asked.watch;
    let live = |plan, tells_session| {
        let asked = &asked.live;
        let (record, watch) = (None, None);
        let follows = follows.then_some(graph_asked);
        Live { plan, asked, cores, tells_session, file, set, host, record, watch, follows }
    };
    let Some(host) = &asked.host else {
        return live(graph.plan(cores)?, sessions > 1).run(sessions, |_, _| Ok(None));
    };
    let OnHost { plan, part, carrier } = graph.plan_on(host, cores, Vec::new())?;
    if let Some(caller) = part.peers.iter().find(|peer| peer.role == Role::IsCalled) {
        let message =
            format!("`{host}` is called by `{}`, and `run` calls others", caller.host.name);
        let file = asked.graph.file.display();
        let hint = format!("let it be called: `afferent serve {file} --host {host}`");
        return Err(Failure::new(Exit::Usage, &message, &hint));
    }
    if part.peers.is_empty() {
        return live(plan, sessions > 1).run(sessions, |_, _| Ok(None));
    }
    live(plan, sessions > 1)
        .run(0, |running, tell| Linked::call(&part, running, &carrier, sessions, tell).map(Some))
}

/// One core for one session, which lives on one; all of them for many sessions; at least what
/// `core` in the graph asks for.
pub(super) fn cores(asked: Option<u16>, sessions: u32, graph: &Graph) -> usize {
    let processors = available_parallelism().map_or(1, NonZero::get);
    if let Some(cores) = asked.map(usize::from) {
        if cores > processors {
            // Where stderr is closed there is nobody to tell.
            let _ =
                writeln!(stderr(), "note: {cores} data cores share {processors} processors here");
        }
        return cores;
    }
    let useful = match sessions {
        1 if !graph.has_door() => 1,
        1 => processors,
        sessions => processors.min(sessions as usize),
    };
    let cores = useful.max(graph.cores());
    if cores > processors.max(useful) {
        let _ = writeln!(
            stderr(),
            "note: `core` in the graph asks for {cores} data cores, which share {} here",
            engine::counted(processors as u64, "processor")
        );
    }
    cores
}
