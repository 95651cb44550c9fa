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

/// Counts the samples of a signal, so that what is decided late knows when it was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Counted {
    /// Samples in the frames before the present one, since the beginning or the last gap.
    before: i64,
    /// The moment just after the present frame.
    end: Timestamp,
}

impl Counted {
    /// None so far.
    pub(crate) const NONE: Self = Self { before: 0, end: Timestamp::MIN };

    /// Enters the frame to process, and says whether it goes on where the last one ended. If not,
    /// nobody told: after a restart the state is that of the last save. Counting begins anew then.
    pub(crate) fn enter(&mut self, io: &Io<'_>) -> bool {
        let (hole_ns, end) = (io.time_of(0).since(self.end), io.end());
        let period_ns = io.input_format(io.line()).rate().map_or(0.0, Rate::period_ns);
        let goes_on = self.before == 0 || hole_ns.unsigned_abs() as f64 <= 1.5 * period_ns;
        *self = Self { before: if goes_on { self.before } else { 0 }, end };
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
        put_i64(into, self.end.nanos());
    }

    /// Goes on from a saved state.
    pub(crate) fn load(&mut self, from: &mut State<'_>) -> Result<(), StateError> {
        let mut numbers = [0; 2];
        numbers.iter_mut().try_for_each(|number| from.i64(number))?;
        *self = Self { before: numbers[0], end: Timestamp::from_nanos(numbers[1]) };
        Ok(())
    }
}
