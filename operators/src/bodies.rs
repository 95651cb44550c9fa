//! What bodies of several kinds do alike: take up a state, a knob, the number of a sample.

use engine::{Fault, Io, Node, Param, Rate, Timestamp};

use crate::math::state::{State, StateError, StateReader, put_i64};

/// Reads a saved state to its end; `refused` says that it is none.
pub(crate) fn load(
    refused: &'static str,
    version: u8,
    from: &[u8],
    read: impl FnOnce(&mut State<'_>) -> Result<(), StateError>,
) -> Result<(), Fault> {
    let loaded = || {
        let mut state = State::Load(StateReader::new(from, version)?);
        read(&mut state)?;
        state.end()
    };
    loaded().map_err(|error| Fault::new(refused).because(error))
}

/// A number as a body that is retuned sees it.
pub(crate) fn tuned(node: &Node<'_>, param: &Param<f64>) -> Result<f64, Fault> {
    node.get(param).map_err(|problem| Fault::new(problem.message))
}

/// A level as a sample would have it, so that 0.6 is met by 0.6.
pub(crate) fn as_sample(level: f64) -> f64 {
    f64::from(level as f32)
}

/// Whether a frame that begins so far from where the last one ended goes on from there.
///
/// A gap is told by the runtime. But after a restart the state is that of the last save, which may be
/// older than the frame, and nobody tells: then it must begin where the state ends. Otherwise frames
/// may lie beside the grid of their rate, as those stamped on arrival do, by a second; what is further
/// off is a source that did not say that it lost something.
pub(crate) fn goes_on(off_ns: u64, is_loaded: bool, period_ns: f64) -> bool {
    let beside_ns = if is_loaded { 0.0 } else { 1e9 };
    off_ns as f64 <= (1.5 * period_ns).max(beside_ns)
}

/// Where a state ends, to know whether it belongs to what was before a frame (see [`goes_on`]).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Seam {
    /// The moment just after the present frame.
    pub(crate) end: Timestamp,
    /// Taken up from a saved state, with no frame since.
    is_loaded: bool,
}

impl Seam {
    /// Of a fresh state.
    pub(crate) const NONE: Self = Self { end: Timestamp::MIN, is_loaded: false };

    /// Of a state that was saved when the last frame had ended then.
    pub(crate) fn loaded(end: Timestamp) -> Self {
        Self { end, is_loaded: end > Timestamp::MIN }
    }

    /// Whether the frame to process goes on where the state ends.
    pub(crate) fn is_followed(self, io: &Io<'_>) -> bool {
        let off_ns = io.time_of(0).since(self.end).unsigned_abs();
        let period_ns = io.input_format(io.line()).rate().map_or(0.0, Rate::period_ns);
        self.end == Timestamp::MIN || goes_on(off_ns, self.is_loaded, period_ns)
    }

    /// Whether the state was taken up from a save that does not reach the frame to process. Nothing else
    /// counts, however far off the frame is.
    pub(crate) fn is_outdated(self, io: &Io<'_>) -> bool {
        self.is_loaded && !self.is_followed(io)
    }

    /// The frame to process belongs to the state from here on.
    pub(crate) fn advance(&mut self, io: &Io<'_>) {
        *self = Self { end: io.end(), is_loaded: false };
    }
}

/// Counts the samples of a signal, so that what is decided late knows when it was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Counted {
    /// Samples in the frames before the present one, since the beginning or the last gap.
    before: i64,
    seam: Seam,
}

impl Counted {
    /// None so far.
    pub(crate) const NONE: Self = Self { before: 0, seam: Seam::NONE };

    /// Enters the frame to process, and says whether it goes on where the state ends (see [`Seam`]).
    /// If not, counting begins anew.
    pub(crate) fn enter(&mut self, io: &Io<'_>) -> bool {
        let goes_on = self.seam.is_followed(io);
        self.before = if goes_on { self.before } else { 0 };
        self.seam.advance(io);
        goes_on
    }

    /// The present frame has been processed.
    pub(crate) fn leave(&mut self, io: &Io<'_>) {
        self.before += io.frame().len() as i64;
    }

    /// When the sample with this number was.
    pub(crate) fn time(self, number: i64, io: &Io<'_>) -> Timestamp {
        io.time_of(number - self.before)
    }

    /// Appends the state.
    pub(crate) fn save(self, into: &mut Vec<u8>) {
        put_i64(into, self.before);
        put_i64(into, self.seam.end.nanos());
    }

    /// Goes on from a saved state.
    pub(crate) fn load(&mut self, from: &mut State<'_>) -> Result<(), StateError> {
        let mut numbers = [0; 2];
        numbers.iter_mut().try_for_each(|number| from.i64(number))?;
        *self = Self { before: numbers[0], seam: Seam::loaded(Timestamp::from_nanos(numbers[1])) };
        Ok(())
    }
}
