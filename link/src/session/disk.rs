//! What a session's owner asks of durable edges that are kept on disk.

use std::task::Waker;

use super::{
    durable_in::DurableIn,
    machine::{Edge, Session},
};
use crate::spool::{Memory, Spool, Status};

impl Session {
    /// Keeps what a durable edge sends on disk too, and begins with what is there. Before the first
    /// frame and the first connection.
    ///
    /// # Panics
    /// If this side does not send the edge, or it is droppable, or frames were handed in already.
    pub fn keep(&mut self, edge: u16, spool: Spool) {
        match &mut self.edges[usize::from(edge)] {
            Edge::DurableOut(out, _) => out.keep_in(spool),
            _ => panic!("edge {edge} is no durable one that is sent here"),
        }
    }

    /// Notes on disk what the graph has consumed of a durable edge, before it is acknowledged, and
    /// begins where the process before this one was. Before the first connection.
    ///
    /// # Panics
    /// If this side does not receive the edge, or it is droppable.
    pub fn remember(&mut self, edge: u16, memory: Memory) {
        match &mut self.edges[usize::from(edge)] {
            Edge::DurableIn(input) => {
                // What bodies had in mind of the frames before went with their process.
                if memory.noted() != (0, 0) {
                    self.owed[usize::from(edge)].note(DurableIn::RESTART);
                }
                input.remember_in(memory);
            }
            _ => panic!("edge {edge} is no durable one that is received here"),
        }
    }

    /// How the spool of an edge is, and whether its disk is slow: it has written nothing for a second.
    pub fn spool(&self, edge: u16) -> Option<(Status, bool)> {
        let Edge::DurableOut(out, _) = &self.edges[usize::from(edge)] else { return None };
        out.spool().map(|spool| (spool.status(), out.is_slow()))
    }

    /// The memory of an edge.
    pub fn memory(&self, edge: u16) -> Option<&Memory> {
        let Edge::DurableIn(input) = &self.edges[usize::from(edge)] else { return None };
        input.memory()
    }

    /// Has this woken when a disk has done something for an edge: a tick is due then.
    pub fn on_news(&self, waker: &Waker) {
        for edge in &self.edges {
            match edge {
                Edge::DurableOut(out, _) => out.spool().into_iter().for_each(|s| s.on_news(waker)),
                Edge::DurableIn(input) => input.memory().into_iter().for_each(|m| m.on_news(waker)),
                _ => {}
            }
        }
    }
}
