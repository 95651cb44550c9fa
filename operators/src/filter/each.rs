//! [`EachChannel`]: a filter of all channels from one that takes a sample of one channel at a time.

use crate::{
    kernels::Kernel,
    math::state::{State, StateError, StateReader},
};

/// The version of what `save` writes.
const VERSION: u8 = 1;

/// A filter of one channel.
pub(super) trait Step: Clone + Send {
    /// Takes the next sample and gives one.
    fn step(&mut self, sample: f32) -> f32;

    /// Back to rest.
    fn reset(&mut self);

    /// Appends the state: always as many bytes.
    fn save(&self, into: &mut Vec<u8>);

    /// Goes on from a saved state.
    fn load(&mut self, from: &mut State<'_>) -> Result<(), StateError>;
}

/// One for each channel.
pub(super) struct EachChannel<S>(Vec<S>);

impl<S: Step> EachChannel<S> {
    /// `channels` copies of a filter at rest.
    pub(super) fn new(filter: S, channels: usize) -> Self {
        Self(vec![filter; channels])
    }
}

impl<S: Step> Kernel for EachChannel<S> {
    fn run(&mut self, input: &[f32], output: &mut [f32]) {
        assert_eq!(input.len(), output.len(), "as many samples come out as go in");
        let len = input.len() / self.0.len();
        assert_eq!(input.len(), len * self.0.len(), "all channels are equally long");
        if len == 0 {
            return;
        }
        let planes = input.chunks_exact(len).zip(output.chunks_exact_mut(len));
        for (filter, (input, output)) in self.0.iter_mut().zip(planes) {
            for (x, y) in input.iter().zip(output) {
                *y = filter.step(*x);
            }
        }
    }

    fn reset(&mut self) {
        self.0.iter_mut().for_each(S::reset);
    }

    fn save(&self, bytes: &mut Vec<u8>) {
        bytes.push(VERSION);
        for filter in &self.0 {
            filter.save(bytes);
        }
    }

    fn load(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        let mut state = State::Load(StateReader::new(bytes, VERSION)?);
        let mut loaded = self.0.clone();
        loaded.iter_mut().try_for_each(|filter| filter.load(&mut state))?;
        state.end()?;
        self.0 = loaded;
        Ok(())
    }
}
