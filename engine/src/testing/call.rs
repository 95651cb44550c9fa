//! A call whose answers are planned.

use std::time::Duration;

use crate::{
    body::Body,
    call::{Answer, Call, Doubt, Reply},
    fault::Fault,
    frame::Frame,
    kind::{Kind, Node, Placement, Port},
    param::Param,
};

use super::service::MockService;

/// How one question is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MockAnswer {
    /// With the question's samples times `gain`, after this long.
    After(Duration),
    /// With a fault, after this long.
    FailsAfter(Duration),
    /// Never.
    Never,
}

/// A call whose answers are planned: the question's samples times `gain`, later, failed or never.
#[derive(Clone, Debug)]
pub struct MockCall {
    /// How questions are answered, in turn; begins anew at the end.
    pub answers: Vec<MockAnswer>,
    /// What samples are multiplied by.
    pub gain: f32,
    /// Most questions open at once.
    pub in_flight: usize,
    /// How long an answer may take.
    pub deadline: Option<Duration>,
    /// What every sample is where an answer did not come.
    pub fallback: Option<f32>,
    /// Counts the questions.
    pub service: Option<MockService>,
    /// How far its answers are to be doubted.
    pub doubt: Doubt,
    /// Questions so far.
    pub asked: usize,
}

impl Default for MockCall {
    /// Gives every question back at once, one at a time.
    fn default() -> Self {
        Self {
            answers: vec![MockAnswer::After(Duration::ZERO)],
            gain: 1.0,
            in_flight: 1,
            deadline: None,
            fallback: None,
            service: None,
            doubt: Doubt::None,
            asked: 0,
        }
    }
}

impl Call for MockCall {
    fn ask(&mut self, question: &Frame, reply: Reply) -> Result<(), Fault> {
        let planned = self.answers[self.asked % self.answers.len().max(1)];
        self.asked += 1;
        let open = self.service.as_ref().map(MockService::ask);
        let (gain, doubt, question) = (self.gain, self.doubt, question.clone());
        reply.spawn(async move {
            let _open = open;
            match planned {
                MockAnswer::After(after) => {
                    wait(after).await;
                    Ok(each_sample(&question, |sample| gain * sample).in_doubt(doubt))
                }
                MockAnswer::FailsAfter(after) => {
                    wait(after).await;
                    Err(Fault::new("the answer fails, as planned"))
                }
                MockAnswer::Never => std::future::pending().await,
            }
        });
        Ok(())
    }

    fn in_flight(&self) -> usize {
        self.in_flight
    }

    fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    fn fallback(&mut self, question: &Frame) -> Option<Answer> {
        self.fallback.map(|sample| each_sample(question, |_| sample))
    }
}

async fn wait(span: Duration) {
    if span > Duration::ZERO {
        tokio::time::sleep(span).await;
    }
}

fn each_sample(frame: &Frame, change: impl Fn(f32) -> f32) -> Answer {
    let mut buffer = frame.buffer().copied();
    for sample in buffer.floats_mut().expect("a copy has one holder") {
        *sample = change(*sample);
    }
    buffer.into()
}

/// [`MockCall`] as a kind, for whole graphs.
pub static MOCK_CALL: Kind = Kind {
    name: "mock_call",
    summary: "Answer with the question's samples, later, failed or never.",
    doc: "A double for tests. The n-th answer comes after the n-th number of `after_ms`, which \
          begins anew at its end; below zero it never comes. Every `fails_every`-th fails.",
    example: "after_ms = [20.0, 0.0]\nin_flight = 2",
    inputs: &[Port::signal("in")],
    outputs: &[Port::like("out", "in")],
    params: &[&AFTER_MS, &FAILS_EVERY, &GAIN, &IN_FLIGHT, &WITHIN_MS, &FALLBACK, &SERVICE, &DOUBTS],
    placement: Placement::Asks,
    build: |node| Ok(Body::call(planned(node)?)),
    ..Kind::BASE
};

const AFTER_MS: Param<&[f64]> = Param::with_default(
    "after_ms",
    &[0.0] as &[f64],
    "How long answers take; below zero for ever.",
)
.within(-1.0, 60_000.0);
const FAILS_EVERY: Param<i64> =
    Param::with_default("fails_every", 0, "Which answers fail; 0 for none.").within(0.0, 1e9);
const GAIN: Param<f64> =
    Param::with_default("gain", 1.0, "What samples are multiplied by.").within(-1e9, 1e9);
const IN_FLIGHT: Param<i64> =
    Param::with_default("in_flight", 1, "Most questions open at once.").within(1.0, 1_024.0);
const WITHIN_MS: Param<f64> =
    Param::optional("within_ms", "How long an answer may take.").within(0.001, 60_000.0);
const FALLBACK: Param<f64> =
    Param::optional("fallback", "What every sample is where an answer did not come.")
        .within(-1e9, 1e9);
const SERVICE: Param<&str> =
    Param::optional("service", "The mock service that counts the questions.");

const DOUBTS: Param<&str> =
    Param::with_default("doubts", "none", "How far answers are to be doubted.")
        .one_of(&["none", "some", "all"]);

fn planned(node: &Node<'_>) -> Result<MockCall, crate::BuildError> {
    let fails_every = node.get(&FAILS_EVERY)? as usize;
    let after_ms = node.get(&AFTER_MS)?;
    let answer = |n: usize| {
        let ms = after_ms[n % after_ms.len()];
        let after = Duration::from_secs_f64(ms.max(0.0) / 1e3);
        match (ms < 0.0, fails_every > 0 && (n + 1).is_multiple_of(fails_every)) {
            (true, _) => MockAnswer::Never,
            (false, true) => MockAnswer::FailsAfter(after),
            (false, false) => MockAnswer::After(after),
        }
    };
    let service = node.get_optional(&SERVICE)?;
    Ok(MockCall {
        answers: (0..after_ms.len() * fails_every.max(1)).map(answer).collect(),
        gain: node.get(&GAIN)? as f32,
        in_flight: node.get(&IN_FLIGHT)? as usize,
        deadline: node.get_optional(&WITHIN_MS)?.map(|ms| Duration::from_secs_f64(ms / 1e3)),
        fallback: node.get_optional(&FALLBACK)?.map(|sample| sample as f32),
        service: service.and_then(|name| node.services().find::<MockService>(name).cloned()),
        doubt: match node.get(&DOUBTS)? {
            "some" => Doubt::Some,
            "all" => Doubt::All,
            _ => Doubt::None,
        },
        asked: 0,
    })
}
