//! An oracle for tests: what becomes of a question stands in the question.

use std::time::Duration;

use engine::{
    Answer, Body, Buffer, Call, Fault, Frame, Io, Kind, Operator, Outline, Param, Placement, Port,
    Reply,
};

/// Every kind of this file.
pub(crate) static KINDS: &[&Kind] = &[&ORACLE, &PICKY];

const DEADLINE_MS: Param<f64> =
    Param::with_default("deadline", 60_000.0, "How long an answer may take, in ms.")
        .within(1.0, 1e6);

/// Twice what it is asked. First number: -1 fails, -2 never has an answer, n > 0 takes n ms.
pub(crate) static ORACLE: Kind = Kind {
    name: "oracle",
    inputs: &[Port::any("in")],
    outputs: &[Port::like("out", "in")],
    params: &[&DEADLINE_MS],
    placement: Placement::Asks,
    plan: |node| Ok(Outline::of([node.input("in").clone()])),
    build: |node| {
        let within = Duration::from_secs_f64(node.get(&DEADLINE_MS)? / 1e3);
        Ok(Body::call(Oracle { within, kept: Vec::new() }))
    },
    ..Kind::BASE
};

struct Oracle {
    within: Duration,
    kept: Vec<Reply>,
}

impl Call for Oracle {
    fn ask(&mut self, question: &Frame, reply: Reply) -> Result<(), Fault> {
        let first = question.samples().first().copied().unwrap_or(0.0);
        let mut answer = Buffer::signal(1, question.buffer().bytes_len() / 4);
        let to = answer.floats_mut().expect("fresh");
        to.iter_mut().zip(question.samples()).for_each(|(to, from)| *to = 2.0 * from);
        answer.truncate(question.buffer().bytes_len(), question.len());
        match first {
            -1.0 => reply.fail(Fault::new("the oracle is angry")),
            -2.0 => self.kept.push(reply),
            ms if ms > 0.0 => reply.spawn(async move {
                tokio::time::sleep(Duration::from_secs_f32(ms / 1e3)).await;
                Ok(Answer::from(answer))
            }),
            _ => reply.answer(answer),
        }
        Ok(())
    }

    fn in_flight(&self) -> usize {
        64
    }

    fn deadline(&self) -> Option<Duration> {
        Some(self.within)
    }
}

/// Lets frames pass. First number: -3 is kept, on -4 it panics.
pub(crate) static PICKY: Kind = Kind {
    name: "picky",
    inputs: &[Port::any("in")],
    outputs: &[Port::like("out", "in")],
    build: |_| Ok(Body::operator(Picky)),
    ..Kind::BASE
};

struct Picky;

impl Operator for Picky {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        match io.frame().samples().first() {
            Some(-3.0) => {}
            Some(-4.0) => std::panic::resume_unwind(Box::new("picky")),
            _ => {
                let frame = io.take();
                io.send(0, frame);
            }
        }
        Ok(())
    }

    fn reset(&mut self) {}
}
