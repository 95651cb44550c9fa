//! A model whose answers and costs are planned, for tests and for benches of what is around a model.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use engine::Fault;

use crate::signature::{Element, Signature, Slot};

use super::{Array, Loaded, Runner, Values};

/// What a run costs: `first` and for every further question of the batch `more`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// What a run with one question takes.
    pub first: Duration,
    /// What every further one adds.
    pub more: Duration,
}

/// What a mock does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Gives every number times two.
    Doubles,
    /// Gives NaN.
    GivesNan,
    /// Does not run.
    Fails,
    /// Does not run every so many times.
    FailsEvery(usize),
    /// Panics.
    Panics,
    /// Never returns, from the run of this number on.
    NeverReturns(usize),
}

/// A model of one input and one output of `len` numbers. Clones count together.
#[derive(Clone, Debug)]
pub struct Mock {
    signature: Signature,
    cost: Cost,
    behaviour: Behaviour,
    runs: Arc<AtomicUsize>,
    questions: Arc<AtomicUsize>,
}

impl Mock {
    /// A model that takes and gives `len` numbers.
    pub fn new(len: usize, cost: Cost, behaviour: Behaviour) -> Self {
        let slot = |name: &str| Slot {
            name: name.to_owned(),
            element: Element::F32,
            shape: vec![None, Some(len)],
        };
        let signature = Signature { inputs: vec![slot("x")], outputs: vec![slot("y")] };
        Self { signature, cost, behaviour, runs: Arc::default(), questions: Arc::default() }
    }

    /// Runs so far.
    pub fn runs(&self) -> usize {
        self.runs.load(Ordering::Relaxed)
    }

    /// Questions that were in them.
    pub fn questions(&self) -> usize {
        self.questions.load(Ordering::Relaxed)
    }
}

impl Loaded for Mock {
    fn backend(&self) -> &'static str {
        "mock"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn runner(&self) -> Result<Box<dyn Runner>, Fault> {
        Ok(Box::new(self.clone()))
    }

    fn is_bounded(&self) -> bool {
        !matches!(self.behaviour, Behaviour::NeverReturns(_))
    }
}

impl Runner for Mock {
    fn run(&mut self, inputs: &[Array], outputs: &mut [Vec<f32>]) -> Result<(), Fault> {
        let number = self.runs.fetch_add(1, Ordering::Relaxed);
        let [input] = inputs else { return Err(Fault::new("the mock takes one input")) };
        let rows = input.shape[0];
        self.questions.fetch_add(rows, Ordering::Relaxed);
        let cost = self.cost.first + self.cost.more * rows.saturating_sub(1) as u32;
        if cost > Duration::ZERO {
            let began = Instant::now();
            // A model keeps its processor busy.
            while began.elapsed() < cost {
                std::hint::spin_loop();
            }
        }
        let Values::F32(values) = &input.values else {
            return Err(Fault::new("the mock takes floats"));
        };
        outputs[0].clear();
        match self.behaviour {
            Behaviour::Fails => return Err(Fault::new("the mock fails, as planned")),
            Behaviour::FailsEvery(times) if (number + 1).is_multiple_of(times) => {
                return Err(Fault::new("the mock fails this time, as planned"));
            }
            Behaviour::Panics => panic!("the mock panics, as planned"),
            Behaviour::NeverReturns(from) if number >= from => loop {
                std::thread::park();
            },
            Behaviour::GivesNan => outputs[0].resize(values.len(), f32::NAN),
            _ => outputs[0].extend(values.iter().map(|value| 2.0 * value)),
        }
        Ok(())
    }
}
