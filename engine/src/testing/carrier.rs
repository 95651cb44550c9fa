//! A link that leads back into the same process.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{
    Mutex as Shared,
    mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};

use crate::{
    body::{LiveSource, Sink, Waiting},
    carrier::{Carrier, CutEdge},
    fault::Fault,
    frame::Frame,
    graph::OnFull,
    live::LiveIo,
};

/// A link that leads back into the same process: what one end takes, the other brings. Clones are
/// the same link, so that both hosts of a test can have it.
///
/// Nothing is lost on it and what waits has no limit, which is right for a double alone.
#[derive(Clone, Default)]
pub struct LoopbackCarrier(Arc<Mutex<BTreeMap<Key, Ends>>>);

/// Producer, consumer with its line, and session.
type Key = (String, (String, usize), u32);

enum Passed {
    Frame(Frame),
    /// What was passed before is void.
    Void,
    End,
}

#[derive(Clone)]
struct Ends {
    into: UnboundedSender<Passed>,
    out: Arc<Shared<UnboundedReceiver<Passed>>>,
}

impl LoopbackCarrier {
    fn ends(&self, edge: &CutEdge) -> Ends {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (edge.from.clone(), edge.to.clone(), edge.session);
        let fresh = || {
            let (into, out) = unbounded_channel();
            Ends { into, out: Arc::new(Shared::new(out)) }
        };
        known.entry(key).or_insert_with(fresh).clone()
    }
}

impl Carrier for LoopbackCarrier {
    fn send(&self, edge: &CutEdge) -> Result<Box<dyn Sink>, Fault> {
        Ok(Box::new(Inlet(self.ends(edge).into)))
    }

    fn receive(&self, edge: &CutEdge) -> Result<Box<dyn LiveSource>, Fault> {
        let lossless = edge.on_full == OnFull::Block;
        Ok(Box::new(Outlet { out: self.ends(edge).out, lossless }))
    }
}

/// The producing end.
struct Inlet(UnboundedSender<Passed>);

impl Inlet {
    fn pass(&self, passed: Passed) -> Result<(), Fault> {
        self.0.send(passed).map_err(|_| Fault::new("the other end is gone"))
    }
}

impl Sink for Inlet {
    fn take(&mut self, _: usize, frame: &Frame) -> Result<(), Fault> {
        self.pass(Passed::Frame(frame.clone()))
    }

    fn flush(&mut self, _: usize) -> Result<(), Fault> {
        self.pass(Passed::Void)
    }

    fn finish(&mut self) -> Result<(), Fault> {
        self.pass(Passed::End)
    }
}

/// The consuming end.
struct Outlet {
    out: Arc<Shared<UnboundedReceiver<Passed>>>,
    lossless: bool,
}

impl LiveSource for Outlet {
    fn run<'a>(&'a mut self, io: &'a mut LiveIo) -> Waiting<'a> {
        Box::pin(async move {
            let mut out = self.out.lock().await;
            while let Some(passed) = out.recv().await {
                let frame = match passed {
                    Passed::Frame(frame) => frame,
                    Passed::Void => {
                        io.flush();
                        continue;
                    }
                    Passed::End => break,
                };
                let (header, buffer) = frame.into_parts();
                if let Some(gap) = header.gap.get() {
                    io.gap(gap);
                }
                if self.lossless {
                    io.room(0).await;
                }
                io.tag(header.tag);
                io.send(0, header.time, header.uncertainty_ns, buffer);
            }
            Ok(())
        })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::{
        format::{Format, Unit},
        time::{Rate, Timestamp},
    };

    #[test]
    fn what_enters_a_loop_waits_at_its_other_end() {
        let carrier = LoopbackCarrier::default();
        let edge = CutEdge {
            from: "a".to_owned(),
            to: ("b".to_owned(), 0),
            hosts: ["edge".to_owned(), "cloud".to_owned()],
            session: 0,
            format: Format::signal(1, Unit::UNKNOWN, Rate::new(100.0).expect("valid"), 1),
            on_full: OnFull::Block,
            capacity_ms: None,
            deadline_ns: None,
            behind_device: false,
            call: None,
            may_void: false,
            lag_ns: 0,
        };

        let mut into = carrier.send(&edge).expect("always open");
        into.take(0, &Frame::signal(Timestamp::ZERO, 1, &[1.0])).expect("open");
        into.finish().expect("open");

        let ends = carrier.clone().ends(&edge);
        let mut out = ends.out.try_lock().expect("nobody receives");
        let mut next = || out.try_recv().expect("waiting");
        assert!(matches!(next(), Passed::Frame(frame) if frame.samples() == [1.0]));
        assert!(matches!(next(), Passed::End), "the end of the stream");
    }
}
