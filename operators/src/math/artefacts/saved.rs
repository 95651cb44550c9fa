//! The state of a search for artefacts, as bytes.

use super::{Artefacts, Class, Corrected, Point, WINDOW, Window, correction::Mover};
use crate::math::state::{State, StateError, StateReader};

const VERSION: u8 = 1;
/// Bytes of a point, and of everything else at most.
const POINT_BYTES: usize = 64;
const HEAD_BYTES: usize = 256;
/// No more points are ever kept.
const POINTS_MAX: usize = 2 * WINDOW;
/// Beyond, times could not be told apart from damage: 36 years.
const TIME_MAX: i64 = 1 << 60;

impl Artefacts {
    /// Appends the state.
    pub fn save(&self, into: &mut Vec<u8>) {
        // At once what a full window needs, so that a buffer used again never grows.
        into.reserve(HEAD_BYTES + POINT_BYTES * POINTS_MAX);
        into.push(VERSION);
        let mut copy = self.clone();
        let saved = copy.fields(&mut State::Save(into));
        debug_assert!(saved.is_ok(), "saving never fails");
    }

    /// Goes on from a saved state; unchanged where that does not fit.
    pub fn load(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        let mut state = State::Load(StateReader::new(bytes, VERSION)?);
        let mut loaded = Self::new(self.ahead);
        loaded.fields(&mut state)?;
        state.end()?;
        *self = loaded;
        Ok(())
    }

    fn fields(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        let mut ahead = self.ahead;
        number(state, &mut ahead)?;
        state.demand(ahead == self.ahead)?;
        let mut len = self.points.len();
        number(state, &mut len)?;
        state.demand(len <= POINTS_MAX)?;
        self.points.resize(len, Point::default());
        for point in &mut self.points {
            fields_of(point, state)?;
        }
        for cursor in [&mut self.base, &mut self.medians, &mut self.judged, &mut self.classified] {
            number(state, cursor)?;
        }
        let known = [self.classified, self.judged, self.medians, self.count()];
        state.demand(self.base <= self.classified && known.is_sorted())?;
        let points = &self.points;
        let (base, count) = (self.base, self.base + points.len());
        window(&mut self.changes, state, base, count, |n| points[n - base].change_ns.abs())?;
        window(&mut self.deviations, state, base, self.medians, |n| {
            points[n - base].deviation_2.abs()
        })?;
        let mut next = self.next.map_or(NO_CLASS, code);
        state.u8(&mut next)?;
        self.next = if next == NO_CLASS { None } else { Some(class(next)?) };
        let correction = &mut self.correction;
        state.time(&mut correction.last_ns)?;
        state.u32(&mut correction.extra)?;
        mover(&mut correction.ectopic, state)?;
        mover(&mut correction.long_short, state)
    }
}

fn fields_of(point: &mut Point, state: &mut State<'_>) -> Result<(), StateError> {
    let whole = [
        &mut point.time_ns,
        &mut point.rr_ns,
        &mut point.change_ns,
        &mut point.median_2,
        &mut point.deviation_2,
    ];
    for number in whole {
        state.i64(number)?;
        state.demand((-TIME_MAX..=TIME_MAX).contains(number))?;
    }
    state.f64(&mut point.change)?;
    state.f64(&mut point.deviation)?;
    state.f64(&mut point.reach_ns)
}

fn number(state: &mut State<'_>, number: &mut usize) -> Result<(), StateError> {
    let mut value = *number as u64;
    state.u64(&mut value)?;
    *number = usize::try_from(value).map_err(|_| StateError::Content)?;
    state.demand(value < 1 << 60)
}

fn window(
    window: &mut Window,
    state: &mut State<'_>,
    base: usize,
    count: usize,
    of: impl Fn(usize) -> i64,
) -> Result<(), StateError> {
    let (mut from, mut to) = (window.from, window.to);
    number(state, &mut from)?;
    number(state, &mut to)?;
    let is_inside = (from == to && from <= count) || (base <= from && from < to && to <= count);
    state.demand(is_inside && to - from <= WINDOW)?;
    window.clear();
    (window.from, window.to) = (from, to);
    (from..to).for_each(|number| window.sorted.insert(of(number)));
    Ok(())
}

fn mover(mover: &mut Mover, state: &mut State<'_>) -> Result<(), StateError> {
    state.time(&mut mover.before_ns)?;
    let mut is_waiting = mover.waiting.is_some();
    state.bool(&mut is_waiting)?;
    let mut waiting = mover.waiting.unwrap_or_default();
    let Corrected { time_ns, was_ns, class: known, extra } = &mut waiting;
    state.i64(time_ns)?;
    state.i64(was_ns)?;
    let mut byte = code(*known);
    state.u8(&mut byte)?;
    *known = class(byte)?;
    state.u32(extra)?;
    mover.waiting = is_waiting.then_some(waiting);
    Ok(())
}

const NO_CLASS: u8 = 0xff;
const CLASSES: [Class; 5] =
    [Class::Normal, Class::Ectopic, Class::LongShort, Class::Missed, Class::Extra];

fn code(class: Class) -> u8 {
    CLASSES.iter().position(|known| *known == class).map_or(NO_CLASS, |at| at as u8)
}

fn class(code: u8) -> Result<Class, StateError> {
    CLASSES.get(usize::from(code)).copied().ok_or(StateError::Content)
}
