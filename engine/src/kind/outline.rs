//! [`Outline`]: what a kind says about one node before it is built.

use crate::{
    align::AlignSpec,
    format::Format,
    graph::{Diagnostic, Diagnostics},
};

use super::{Node, Shape};

/// What a kind says about one node before it is built.
#[derive(Clone, Debug, Default)]
pub struct Outline {
    /// Format of each output port, in order.
    pub outputs: Vec<Format>,
    /// By how much outputs lag behind what they are about; the runtime subtracts it.
    pub delay_ns: i64,
    /// How far before the newest input an output may still be stamped.
    pub look_back_ns: i64,
    /// How far it mostly is, where that says more than the farthest: for people, no promise.
    pub look_back_usual_ns: Option<i64>,
    /// What comes from one output, by its number, so long after the moment that it is about, usually and at most, and is stamped
    /// with that of its decision: a pause must last until it is one. For people, no promise.
    pub decides_after_ns: Option<(usize, [i64; 2])>,
    /// How long after its first sample, and after each gap, what comes out still shows where it began: a
    /// filter to a hundredth of a step, a window until it is full. For people, no promise.
    pub settling_ns: i64,
    /// How long an answer took where that was measured, in the median and with nothing else to do; 0 where nobody
    /// knows. For people, no promise.
    pub answer_ns: i64,
    /// Frames a source may send at once: the rings that lead from it hold at least so many.
    pub burst: usize,
    /// How long a source delivers, where that is known: for progress.
    pub duration_ns: Option<i64>,
    /// How the inputs meet, where that depends on parameters; see [`Node::join`](crate::Node::join). Without it,
    /// by the kind's policy. Counts for nothing where there is one input.
    pub align: Option<AlignSpec>,
    /// Warnings that do not keep the graph from starting.
    pub warnings: Vec<Diagnostic>,
    /// What it reads and writes outside the graph, so that no node destroys another's.
    pub uses: Vec<Use>,
}

/// Something outside the graph that a node reads or writes, and the parameter that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// The parameter that names it.
    pub param: &'static str,
    /// What it is.
    pub what: Used,
}

/// What a node reads or writes outside the graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Used {
    /// A file it reads.
    Read(String),
    /// A file it writes, whatever that held before.
    Written(String),
    /// Standard output, for lines that may stand among others.
    Lines,
    /// Standard output, for a text that nothing may stand in.
    Alone,
}

impl Outline {
    /// Outputs of these formats, without delay.
    pub fn of(outputs: impl IntoIterator<Item = Format>) -> Self {
        Self { outputs: outputs.into_iter().collect(), ..Self::default() }
    }

    /// Outputs like the inputs their ports name.
    ///
    /// # Errors
    /// Never; the signature is that of a kind's `plan`.
    ///
    /// # Panics
    /// If an output port is not declared `like` an input.
    pub fn like_ports(node: &Node<'_>) -> Result<Self, Diagnostics> {
        Ok(Self::of(node.kind().outputs.iter().map(|port| match port.shape {
            Shape::Like(input) => node.input(input).clone(),
            _ => panic!("kind `{}` has an output it does not plan", node.kind().name),
        })))
    }

    /// The same, late by `delay_ns`.
    #[must_use]
    pub fn delayed(mut self, delay_ns: i64) -> Self {
        self.delay_ns = delay_ns;
        self
    }

    /// The same, settled after `settling_ns`.
    #[must_use]
    pub fn settling(mut self, settling_ns: i64) -> Self {
        self.settling_ns = settling_ns;
        self
    }

    /// The same, deciding on this output so long after the moment itself, usually and at most.
    #[must_use]
    pub fn deciding_after(mut self, output: usize, usual_and_most_ns: [i64; 2]) -> Self {
        self.decides_after_ns = Some((output, usual_and_most_ns));
        self
    }

    /// The same, with inputs that meet so.
    #[must_use]
    pub fn joining(mut self, align: AlignSpec) -> Self {
        self.align = Some(align);
        self
    }

    /// The same, with a warning if there is one.
    #[must_use]
    pub fn warning(mut self, warning: Option<Diagnostic>) -> Self {
        self.warnings.extend(warning);
        self
    }

    /// The same, answering after `answer_ns`.
    #[must_use]
    pub fn answering_after(mut self, answer_ns: i64) -> Self {
        self.answer_ns = answer_ns;
        self
    }

    /// The same, using what `param` names.
    #[must_use]
    pub fn using(mut self, param: &'static str, what: Used) -> Self {
        self.uses.push(Use { param, what });
        self
    }

    /// The same, stamping up to `look_back_ns` into the past.
    #[must_use]
    pub fn looking_back(mut self, look_back_ns: i64) -> Self {
        self.look_back_ns = look_back_ns;
        self
    }

    /// The same, mostly stamping `look_back_ns` into the past.
    #[must_use]
    pub fn looking_back_mostly(mut self, look_back_ns: i64) -> Self {
        self.look_back_usual_ns = Some(look_back_ns);
        self
    }
}
