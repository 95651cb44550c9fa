//! The parts of a `[[test]]`, typed.

use crate::graph::{Override, SourceRef, Spanned, Value};

/// One `[[test]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct TestSpec {
    /// What the test claims; `test 1` where it is not written.
    pub name: Spanned<String>,
    /// Event time to run; `None` runs until the sources end.
    pub seconds: Option<Spanned<f64>>,
    /// Applied before the graph is planned.
    pub set: Vec<Override>,
    /// What stands in for sources.
    pub inputs: Vec<TestInput>,
    /// What must be seen; at least one.
    pub expect: Vec<Expectation>,
}

/// What stands in for a source during a test.
#[derive(Clone, Debug, PartialEq)]
pub struct TestInput {
    /// The source, with a port if one of several outputs is meant; never with channels.
    pub target: Spanned<SourceRef>,
    /// Where its frames come from.
    pub feed: Feed,
}

/// Where the frames of a replaced source come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Feed {
    /// Inline events, in the order of their times.
    Events(Vec<TestEvent>),
    /// Another kind in place of the written one.
    Kind {
        /// Its name.
        op: Spanned<String>,
        /// Its parameters, and any reserved keys.
        params: Vec<(Spanned<String>, Spanned<Value>)>,
    },
    /// Inline samples, beginning at time zero.
    Samples {
        /// Samples per second.
        rate_hz: Spanned<f64>,
        /// Empty, or as many as there are lists of samples.
        channels: Vec<Spanned<String>>,
        /// Of all channels.
        unit: Option<Spanned<String>>,
        /// One list per channel, all of one length, none empty; may hold NaN.
        samples: Spanned<Vec<Vec<f64>>>,
    },
}

/// One inline event of a [`Feed`].
#[derive(Clone, Debug, PartialEq)]
pub struct TestEvent {
    /// Its instant on the session's time line.
    pub t_s: Spanned<f64>,
    /// Everything else, in the order of the text.
    pub fields: Vec<(Spanned<String>, Spanned<Value>)>,
}

/// One `[[test.expect]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// The output it looks at.
    pub from: Spanned<SourceRef>,
    /// What it wants to see there; its place is the whole `[[test.expect]]`.
    pub check: Spanned<Check>,
}

/// What an expectation wants to see.
#[derive(Clone, Debug, PartialEq)]
pub enum Check {
    /// So many frames of a signal, or events; an exact count is a range of one.
    Count {
        /// At least.
        min: Option<u64>,
        /// At most.
        max: Option<u64>,
    },
    /// Such samples.
    Sample(At, Wanted),
    /// Such values in a field of events; `t_s` is their own time.
    Field(Spanned<String>, At, Wanted),
}

/// Which of the events or samples an expectation looks at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum At {
    /// All of them; fails if there is none.
    Every,
    /// The first.
    First,
    /// Counted from 0.
    Index(u64),
    /// The last.
    Last,
    /// The sample nearest to this time of the session, in seconds. Never for fields.
    Time(f64),
}

/// Which values an expectation accepts.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted {
    /// Within bounds, of which at least one is given; the bounds themselves fit.
    Between {
        /// Not below.
        min: Option<f64>,
        /// Not above.
        max: Option<f64>,
    },
    /// This very value: never a list or a table. A whole number equals the same with a point.
    Is(Value),
    /// At most `within` away from `value`.
    Near {
        /// The middle.
        value: f64,
        /// Not negative.
        within: f64,
    },
}
