//! How large beats, noise and what lies between are, in the envelope.

use crate::math::state::{State, StateError};

/// The median of the tops of this many seconds is a first level: a beat is in two of them down to
/// 40 per minute, and one may hold an artefact.
pub(super) const SECONDS: usize = 3;

/// What a level learnt after silence must be above the noise, or it is noise: tops of plain noise
/// are twice its mean candidate.
const ABOVE_NOISE: f32 = 1.7;

/// The same above the floor: tops of plain noise are three times that.
const ABOVE_FLOOR: f32 = 3.5;

/// In silence the level of a beat is so many times what is there at most: more than any beat stands
/// out of its own, less than `1 / (ABOVE_FLOOR * FLOOR_MIN)`.
const LOWERED: f32 = 10.0;

/// Levels of so many beats are kept (Hamilton 2002).
const LEVELS: usize = 8;

/// Weight of a new noise level (Pan and Tompkins 1985).
const NOISE_GAIN: f32 = 0.125;

/// A fifth of all samples are below the floor: also at 220 beats a minute that is between beats.
const FLOOR_SHARE: f32 = 0.2;

/// How fast the floor is followed, in nepers of energy a second: while beats come, and at first
/// and in silence.
const FLOOR_NEPERS: f32 = 1.4;
const FLOOR_NEPERS_FAST: f32 = 40.0;

/// As a part of a beat's level.
const FLOOR_MIN: f32 = 0.01;

/// Between beats the envelope falls to the floor. When it has not for so long, there is noise that
/// was not there before.
const ABOVE_S: f64 = 2.5;

#[derive(Clone, Debug)]
pub(super) struct Levels {
    /// Largest envelope in each of the last seconds.
    tops: [f32; SECONDS],
    of_beats: [f32; LEVELS],
    beats: u64,
    /// Of a beat: below the median of the last ones.
    pub(super) signal: f32,
    /// Of a candidate that is none.
    pub(super) noise: f32,
    /// Of the envelope's energy, what is one sample's.
    share: f32,
    /// Such a share of the energy that a fifth of all are below.
    floor: f32,
    /// Inner samples since the envelope was below the floor, and from how many on the floor is that
    /// of quieter times.
    above: u32,
    above_max: u32,
    /// Factors on the floor: up, down, and the same when fast.
    floor_steps: [f32; 4],
}

impl Levels {
    pub(super) fn new(inner_hz: f64, share: f32) -> Self {
        let up = |nepers: f32| (FLOOR_SHARE * nepers / inner_hz as f32).exp();
        let down = |nepers: f32| ((FLOOR_SHARE - 1.0) * nepers / inner_hz as f32).exp();
        Self {
            tops: [0.0; SECONDS],
            of_beats: [0.0; LEVELS],
            beats: 0,
            signal: 0.0,
            noise: 0.0,
            share,
            floor: 0.0,
            above: 0,
            above_max: (ABOVE_S * inner_hz) as u32,
            floor_steps: [
                up(FLOOR_NEPERS),
                down(FLOOR_NEPERS),
                up(FLOOR_NEPERS_FAST),
                down(FLOOR_NEPERS_FAST),
            ],
        }
    }

    /// Takes in the newest energy of the envelope.
    #[inline]
    pub(super) fn follow(&mut self, energy: f32, fast: bool) {
        self.tops[0] = self.tops[0].max(energy);
        let energy = energy * self.share;
        if self.floor == 0.0 {
            self.floor = energy;
        }
        let is_above = energy > self.floor;
        self.above = if is_above { self.above + 1 } else { 0 };
        let fast = fast || self.above > self.above_max;
        let [up, down, up_fast, down_fast] = self.floor_steps;
        self.floor *= match (is_above, fast) {
            (true, false) => up,
            (false, false) => down,
            (true, true) => up_fast,
            (false, true) => down_fast,
        };
        // On a flat line it falls no further, or it could not rise again soon enough.
        let lowest = FLOOR_MIN * FLOOR_MIN * self.signal * self.signal;
        self.floor = self.floor.max(lowest).max(f32::MIN_POSITIVE);
    }

    pub(super) fn end_second(&mut self) {
        self.tops.rotate_right(1);
        self.tops[0] = 0.0;
    }

    pub(super) fn tops_median(&self) -> f32 {
        let mut tops = self.tops;
        tops.sort_by(f32::total_cmp);
        tops[SECONDS / 2]
    }

    pub(super) fn top(&self) -> f32 {
        self.tops[0]
    }

    /// The level of the floor.
    pub(super) fn floor(&self) -> f32 {
        self.floor.sqrt()
    }

    /// Whether `level` may be that of beats that have become smaller.
    pub(super) fn stands_out(&self, level: f32) -> bool {
        level > ABOVE_NOISE * self.noise && level > ABOVE_FLOOR * self.floor()
    }

    /// In silence, however large beats or an artefact were: the floor, which stays within a part of
    /// the level of beats, must come below what is there now, or nothing would stand out of it again.
    pub(super) fn lower(&mut self, level: f32) {
        if level > 0.0 && level < ABOVE_FLOOR * FLOOR_MIN * self.signal {
            self.signal = LOWERED * level;
            self.noise = self.noise.min(0.3 * self.signal);
        }
    }

    /// Begins anew from what beats seem to be.
    pub(super) fn learn(&mut self, level: f32) {
        self.signal = level.max(f32::MIN_POSITIVE);
        self.noise = 0.3 * self.signal;
        self.of_beats = [self.signal; LEVELS];
    }

    pub(super) fn accept(&mut self, level: f32) {
        self.of_beats[self.beats as usize % LEVELS] = level;
        self.beats += 1;
        let mut levels = self.of_beats;
        levels.sort_by(f32::total_cmp);
        // Below the median, or a run of large ectopic beats would hide the normal ones.
        self.signal = (levels[1] + levels[2] + levels[3]) / 3.0;
    }

    /// A candidate counts as noise to the degree that it is thought not to be a beat.
    pub(super) fn reject(&mut self, level: f32, doubt: f32) {
        let level = level.min(3.0 * self.noise);
        self.noise += NOISE_GAIN * doubt * (level - self.noise);
    }

    pub(super) fn visit(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        state.u64(&mut self.beats)?;
        state.demand(self.beats < 1 << 62)?;
        for value in [&mut self.signal, &mut self.noise, &mut self.floor] {
            state.f32(value)?;
        }
        state.u32(&mut self.above)?;
        // An hour is never reached: then the floor has long followed.
        state.demand(self.above < 1 << 31)?;
        state.f32s(&mut self.of_beats)?;
        state.f32s(&mut self.tops)
    }
}
