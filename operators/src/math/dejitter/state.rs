//! Saving and taking up what a [`Dejitter`] knows.

use super::{
    BLOCKS, Dejitter, EARLY, RING,
    line::{Block, Line, Point, Sums},
};
use crate::math::state::{State, StateError, StateReader};

/// Layout of the saved state.
const VERSION: u8 = 1;
/// Bytes of everything but lists, rounded up; of a point and of a block.
const OTHERS: usize = 512;
const POINT: usize = 16;
const BLOCK: usize = 40;

impl Dejitter {
    /// Appends what it knows. Reserves for the most there can be, so that nothing grows later.
    pub fn save(&self, into: &mut Vec<u8>) {
        into.reserve(OTHERS + POINT * (RING + EARLY) + BLOCK * BLOCKS);
        into.push(VERSION);
        self.clone().pass(&mut State::Save(into)).expect("only loading can fail");
    }

    /// Takes up what one of the same parameters knew.
    ///
    /// # Errors
    /// If the bytes are of another version or length, or damaged; it is then as after a reset.
    pub fn load(&mut self, from: &[u8]) -> Result<(), StateError> {
        self.reset();
        let loaded = StateReader::new(from, VERSION).and_then(|reader| {
            let mut state = State::Load(reader);
            self.pass(&mut state)?;
            state.end()
        });
        loaded.inspect_err(|_| self.reset())
    }

    fn pass(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        state.time(&mut self.origin_ns)?;
        state.time(&mut self.last_ns)?;
        for count in [&mut self.samples, &mut self.stride, &mut self.frames, &mut self.late] {
            state.u64(count)?;
        }
        state.u64(&mut self.steps)?;
        state.u64(&mut self.closed)?;
        for flag in [&mut self.is_edge, &mut self.is_judged, &mut self.is_sure] {
            state.bool(flag)?;
        }
        for number in [&mut self.scale_ns, &mut self.slack_ns, &mut self.near_s, &mut self.known] {
            state.f64(number)?;
        }
        state.f64(&mut self.prior.drift)?;
        state.f64(&mut self.prior.sigma)?;
        self.line.pass(state)?;
        self.sums.pass(state)?;
        state.optional(&mut self.open, |state, (second, block)| {
            state.f64(second)?;
            block.pass(state)
        })?;
        list(state, &mut self.blocks, BLOCKS, Block::pass)?;
        list(state, &mut self.early, EARLY, Point::pass)?;
        list(state, &mut self.ring, RING, Point::pass)?;
        let mut ring_at = self.ring_at as u64;
        state.u64(&mut ring_at)?;
        self.ring_at = ring_at as usize;
        state.demand(self.stride > 0 && (self.ring_at == 0 || self.ring_at < self.ring.len()))
    }
}

/// A list of at most `limit`, which has room for them.
fn list<T: Copy + Default>(
    state: &mut State<'_>,
    items: &mut Vec<T>,
    limit: usize,
    mut pass: impl FnMut(&mut T, &mut State<'_>) -> Result<(), StateError>,
) -> Result<(), StateError> {
    let mut count = items.len() as u64;
    state.u64(&mut count)?;
    state.demand(count <= limit as u64)?;
    items.resize(count as usize, T::default());
    items.iter_mut().try_for_each(|item| pass(item, state))
}

impl Point {
    fn pass(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        state.f64(&mut self.x_s)?;
        state.f64(&mut self.e_ns)
    }
}

impl Line {
    fn pass(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        let numbers = [&mut self.at_s, &mut self.offset_ns, &mut self.drift];
        numbers.into_iter().try_for_each(|number| state.f64(number))
    }
}

impl Sums {
    fn pass(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        let Self { at_s, w, u, uu, e, ue } = self;
        [at_s, w, u, uu, e, ue].into_iter().try_for_each(|number| state.f64(number))
    }
}

impl Block {
    fn pass(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        self.least.pass(state)?;
        let numbers = [&mut self.frames, &mut self.x_sum, &mut self.e_sum];
        numbers.into_iter().try_for_each(|number| state.f64(number))
    }
}
