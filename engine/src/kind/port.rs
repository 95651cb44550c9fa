//! [`Port`]: what goes in and out of a kind, where its body runs and how inputs meet.

use crate::format::Format;

/// Where a body runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// On a data core, fused with its neighbours.
    Fused,
    /// On a data core, in a stage of its own: a turn of it takes long.
    Own,
    /// On a data core, in a stage of its own: a [`Call`](crate::Call), which hands its questions out.
    Asks,
    /// On the I/O runtime: it waits.
    Waits,
}

/// How frames of several inputs meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// One by one, in the order of their times, ties in the order of the inputs.
    Merge,
    /// Signals of one rate: to every sample of the first input, that of the same moment of the
    /// others; NaN where one has none.
    Exact,
    /// To every sample of the first input, the nearest in time of the others.
    Nearest,
    /// To every sample of the first input, what lies straight between the two of the others around
    /// it.
    Linear,
    /// To every sample of the first input, the latest of the others not after it.
    Hold,
}

impl Policy {
    /// The word for it in graph files and messages.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Merge => "merge",
            Self::Exact => "exact",
            Self::Nearest => "nearest",
            Self::Linear => "linear",
            Self::Hold => "hold",
        }
    }
}

/// A named opening of a kind.
#[derive(Clone, Copy, Debug)]
pub struct Port {
    /// Its name in `from` tables and after the dot of a source.
    pub name: &'static str,
    /// What it carries.
    pub shape: Shape,
    /// Whether any number of edges may enter.
    pub variadic: bool,
    /// Whether no edge need enter.
    pub optional: bool,
    /// Whether of several channels only the first counts, of which the planner warns.
    pub one_channel: bool,
    /// What delivers what it is for, as `from` would name it if nodes were called like their kinds:
    /// `qrs`, `quality.quality`, `imu[acc_x]`. Where one edge enters, any of them, the first for
    /// examples; where many may, all of them together. Empty where any will do.
    pub fed_by: &'static [&'static str],
    /// Kinds that do the same with what this port does not take.
    pub others_by: &'static [&'static str],
}

/// What a port carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A signal.
    Signal,
    /// Events.
    Event,
    /// Pictures.
    Image,
    /// Tensors.
    Tensor,
    /// Anything.
    Any,
    /// For outputs: what the named input carries.
    Like(&'static str),
}

impl Port {
    const fn new(name: &'static str, shape: Shape) -> Self {
        Self {
            name,
            shape,
            variadic: false,
            optional: false,
            one_channel: false,
            fed_by: &[],
            others_by: &[],
        }
    }

    /// A port for signals.
    pub const fn signal(name: &'static str) -> Self {
        Self::new(name, Shape::Signal)
    }

    /// A port for events.
    pub const fn event(name: &'static str) -> Self {
        Self::new(name, Shape::Event)
    }

    /// A port for tensors.
    pub const fn tensor(name: &'static str) -> Self {
        Self::new(name, Shape::Tensor)
    }

    /// A port for anything.
    pub const fn any(name: &'static str) -> Self {
        Self::new(name, Shape::Any)
    }

    /// An output that carries what `input` carries.
    pub const fn like(name: &'static str, input: &'static str) -> Self {
        Self::new(name, Shape::Like(input))
    }

    /// Lets any number of edges enter.
    #[must_use]
    pub const fn variadic(mut self) -> Self {
        self.variadic = true;
        self
    }

    /// Says that of several channels only the first counts: whoever brings more is told to pick one.
    #[must_use]
    pub const fn of_one_channel(mut self) -> Self {
        self.one_channel = true;
        self
    }

    /// Lets the port stay without an edge.
    #[must_use]
    pub const fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// Says what kinds do the same with what the port does not take.
    #[must_use]
    pub const fn others_by(mut self, others_by: &'static [&'static str]) -> Self {
        self.others_by = others_by;
        self
    }

    /// Says what delivers what the port is for.
    #[must_use]
    pub const fn fed_by(mut self, fed_by: &'static [&'static str]) -> Self {
        self.fed_by = fed_by;
        self
    }
}

impl Shape {
    /// Whether frames of `format` may enter.
    pub const fn takes(self, format: &Format) -> bool {
        matches!(
            (self, format),
            (Self::Any | Self::Like(_), _)
                | (Self::Signal, Format::Signal(_))
                | (Self::Event, Format::Event(_))
                | (Self::Image, Format::Image(_))
                | (Self::Tensor, Format::Tensor(_))
        )
    }

    /// In words, for messages.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Signal => "a signal",
            Self::Event => "events",
            Self::Image => "images",
            Self::Tensor => "tensors",
            Self::Any => "anything",
            Self::Like(_) => "what its input carries",
        }
    }
}
