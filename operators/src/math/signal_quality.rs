//! What speaks against a signal: samples that are missing, flat or clipped, and mains hum.

use super::{
    sliding::{Merge, Moments, Sliding},
    state::{State, StateError, put_f64, put_u64},
};

/// Judges one channel over a sliding window.
#[derive(Clone, Debug)]
pub struct Quality {
    window: Sliding<Parts>,
    /// Cosine and sine of the mains at each place of a block; empty where nobody asks.
    carrier: Vec<[f64; 2]>,
    /// By how much the carrier turns in a block.
    turn: [f64; 2],
    /// Fewer samples tell no mains from anything else: two of its periods.
    mains_len: f64,
    /// Runs so long are flat.
    flat_len: u64,
    /// Length, least and largest sample of the present run.
    run: (u64, f32, f32),
}

/// What counts as clipped, and as equal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rails {
    /// At it or below.
    pub low: f32,
    /// At it or above.
    pub high: f32,
    /// Samples that differ by no more are equal.
    pub flat_band: f32,
}

/// Shares of a window, each from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shares {
    /// Not finite.
    pub missing: f64,
    /// In a long run of equal ones.
    pub flat: f64,
    /// At or beyond a rail.
    pub clipped: f64,
    /// Of the variance, at the frequency of the mains.
    pub mains: f64,
}

impl Shares {
    /// All that does not speak against it.
    pub fn quality(&self) -> f64 {
        (1.0 - self.missing) * (1.0 - self.flat) * (1.0 - self.clipped) * (1.0 - self.mains)
    }
}

impl Quality {
    /// Over `len` samples; runs of `flat_len` equal ones are flat; the mains turns so often per
    /// sample.
    ///
    /// # Panics
    /// If `len` is 0.
    pub fn new(len: usize, flat_len: u64, turns: Option<f64>) -> Self {
        let at = |n: usize| turns.map_or([1.0, 0.0], |turns| cos_sin(n as f64 * turns));
        let carrier = (0..len).filter(|_| turns.is_some()).map(at).collect();
        let run = (0, f32::NAN, f32::NAN);
        let mains_len = turns.map_or(f64::INFINITY, |turns| (2.0 / turns).min(len as f64));
        Self { window: Sliding::new(len), carrier, turn: at(len), mains_len, flat_len, run }
    }

    /// The window that ends with the next sample.
    pub fn push(&mut self, x: f32, rails: Rails) -> Shares {
        let item = self.look(x, rails);
        let turn = self.turn;
        let parts = self.window.push_aging(item, |item| item.turned(turn));
        parts.shares(parts.all >= self.mains_len)
    }

    fn look(&mut self, x: f32, rails: Rails) -> Parts {
        if !x.is_finite() {
            self.run = (0, f32::NAN, f32::NAN);
            return Parts { all: 1.0, ..Parts::NOTHING };
        }
        let (len, least, most) = self.run;
        let (least, most) = (least.min(x), most.max(x));
        let goes_on = most - least <= rails.flat_band;
        self.run = if goes_on { (len + 1, least, most) } else { (1, x, x) };
        let share = |is_so: bool| f64::from(u8::from(is_so));
        let [cos, sin] = self.carrier.get(self.window.at()).copied().unwrap_or([0.0; 2]);
        let value = f64::from(x);
        Parts {
            all: 1.0,
            flat: share(self.run.0 >= self.flat_len.max(2)),
            clipped: share(x <= rails.low || x >= rails.high),
            values: Moments::of(value),
            sum: [value * cos, -value * sin],
            carrier: [cos, -sin],
        }
    }

    /// As made.
    pub fn reset(&mut self) {
        self.window.reset();
        self.run = (0, f32::NAN, f32::NAN);
    }

    pub(crate) fn save(&self, into: &mut Vec<u8>) {
        put_u64(into, self.run.0);
        put_f64(into, f64::from(self.run.1));
        put_f64(into, f64::from(self.run.2));
        self.window.save(into);
    }

    pub(crate) fn load(&mut self, from: &mut State<'_>) -> Result<(), StateError> {
        let (mut least, mut most) = (0.0, 0.0);
        from.u64(&mut self.run.0)?;
        from.f64(&mut least)?;
        from.f64(&mut most)?;
        (self.run.1, self.run.2) = (least as f32, most as f32);
        self.window.load(from)
    }
}

fn cos_sin(turns: f64) -> [f64; 2] {
    // Whole turns are taken off first: they would cost digits.
    let (sin, cos) = (std::f64::consts::TAU * turns.fract()).sin_cos();
    [cos, sin]
}

/// Of some samples: how many are what, their moments, and what they have of the mains.
#[derive(Clone, Copy, Debug)]
struct Parts {
    all: f64,
    flat: f64,
    clipped: f64,
    values: Moments,
    /// Σ x e^(−jωt), real and imaginary, with t from the beginning of the block.
    sum: [f64; 2],
    /// Σ e^(−jωt), which a mean brings into `sum`.
    carrier: [f64; 2],
}

impl Parts {
    fn shares(self, is_mains_known: bool) -> Shares {
        let Moments { count, mean, squares } = self.values;
        let off = |part: usize| self.sum[part] - mean * self.carrier[part];
        let hum = 2.0 * (off(0) * off(0) + off(1) * off(1)) / (count * squares);
        let mains = if is_mains_known && squares > 0.0 { hum.clamp(0.0, 1.0) } else { 0.0 };
        Shares {
            missing: 1.0 - count / self.all,
            flat: self.flat / self.all,
            clipped: self.clipped / self.all,
            mains,
        }
    }

    /// As the next block sees it: e^(jωN) times as much.
    fn turned(self, [cos, sin]: [f64; 2]) -> Self {
        let turned = |[re, im]: [f64; 2]| [re * cos - im * sin, re * sin + im * cos];
        Self { sum: turned(self.sum), carrier: turned(self.carrier), ..self }
    }
}

impl Merge for Parts {
    const NOTHING: Self = Self {
        all: 0.0,
        flat: 0.0,
        clipped: 0.0,
        values: Moments::NOTHING,
        sum: [0.0; 2],
        carrier: [0.0; 2],
    };

    fn merge(self, later: Self) -> Self {
        let both = |a: [f64; 2], b: [f64; 2]| [a[0] + b[0], a[1] + b[1]];
        Self {
            all: self.all + later.all,
            flat: self.flat + later.flat,
            clipped: self.clipped + later.clipped,
            values: self.values.merge(later.values),
            sum: both(self.sum, later.sum),
            carrier: both(self.carrier, later.carrier),
        }
    }

    fn numbers(&mut self) -> impl Iterator<Item = &mut f64> {
        let Self { all, flat, clipped, values, sum, carrier } = self;
        [all, flat, clipped].into_iter().chain(values.numbers()).chain(sum).chain(carrier)
    }
}
