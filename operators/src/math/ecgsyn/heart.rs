//! What the beats of one heart look like in one lead: the textbook's, or drawn by seed.
//!
//! Everything here is for an interval of 1 s. The ranges that waves are drawn from are those of
//! standard leads of adults in rest (Surawicz and Knilans, *Chou's Electrocardiography in Clinical
//! Practice*, 2008): every fifth heart conducts slowly, as with a bundle branch block or a pacemaker,
//! and three in ten leads see the main wave downwards.

use super::{
    BeatClass,
    wave::{EVENTS, Shape, WAVES, Wave, normal_peak},
};
use crate::math::random::{Random, hash};

/// Shapes that a heart's ventricular beats take.
pub(crate) const FORMS: usize = 3;
/// Tells what is drawn here from what the rhythm draws.
const PURPOSE: u64 = 0x4ea7;
/// Width of the textbook's R wave.
const R_WIDTH_S: f64 = 0.1 / std::f64::consts::TAU;

/// The shapes of a heart's beats.
#[derive(Clone, Debug)]
pub(super) struct Heart {
    normal: [Wave; WAVES],
    supraventricular: [Wave; WAVES],
    ventricular: [[Wave; WAVES]; FORMS],
    /// Height of a normal beat's peak, where that of R is 1.
    pub(super) peak: f64,
}

impl Heart {
    /// The heart of a seed, so far from the textbook's: 0 is that one, 1 as people's differ.
    pub(super) fn new(seed: u64, variety_share: f64) -> Self {
        let (normal, ventricular) = textbook();
        let mut early = normal;
        // From elsewhere in the atria: P comes the other way, and later.
        early[0] = Wave { offset_s: -50.0 / 360.0, height: -0.6 * normal[0].height, ..normal[0] };
        if variety_share == 0.0 {
            let ventricular = [ventricular; FORMS];
            return Self { normal, supraventricular: early, ventricular, peak: normal_peak() };
        }
        let mut draw = Draw(Random::new(hash(seed) ^ PURPOSE));
        let mut drawn = draw.normal();
        let is_down = draw.happens(0.3 * variety_share);
        let mut p = draw.p();
        p.height *= if draw.happens(0.5) { -1.0 } else { 1.0 };
        let stretch = if draw.happens(0.15) { draw.within(1.3, 1.9) } else { 1.0 };
        drawn = blend(&normal, &drawn, variety_share);
        let mut supraventricular = drawn;
        supraventricular[0] = blend(&[early[0]; WAVES], &[p; WAVES], variety_share)[0];
        for index in [1, 2, 3, 6] {
            supraventricular[index].offset_s *= stretch;
            supraventricular[index].width_s *= stretch;
        }
        let forms = [(); FORMS].map(|()| {
            let mut form = blend(&ventricular, &draw.ventricular(), variety_share);
            flip(&mut form, draw.happens(0.4 * variety_share));
            form
        });
        flip(&mut drawn, is_down);
        flip(&mut supraventricular, is_down);
        let peak = height_at_middle(&drawn);
        Self { normal: drawn, supraventricular, ventricular: forms, peak }
    }

    /// The shape of a beat whose interval, were it normal, would be `rr_s`; `form` is that of a
    /// ventricular one.
    pub(super) fn shape(&self, class: BeatClass, form: usize, rr_s: f64) -> Shape {
        let root = rr_s.sqrt();
        let waves = match class {
            BeatClass::Normal => &self.normal,
            BeatClass::Supraventricular => &self.supraventricular,
            BeatClass::Ventricular => &self.ventricular[form % FORMS],
        };
        let mut stretched = *waves;
        for (index, wave) in stretched.iter_mut().enumerate() {
            // ECGSYN multiplies angles of Q, S and all b by √(rate/60), those of P and T by its root;
            // an angle θ stands for θ/2π of an interval.
            let is_far = class != BeatClass::Ventricular && matches!(index, 0 | 4 | 5);
            wave.offset_s *= if is_far { rr_s.powf(0.75) } else { root };
            wave.width_s *= root;
        }
        Shape { waves: stretched }
    }
}

/// A normal and a ventricular beat. In both the waves are P, Q, R, S, T, the second hill of T, and a
/// notch; the ventricular one's first three are R, S and T.
fn textbook() -> ([Wave; WAVES], [Wave; WAVES]) {
    let mut normal = [Wave::default(); WAVES];
    for (wave, (degrees, a, b)) in normal.iter_mut().zip(EVENTS) {
        *wave = Wave {
            offset_s: degrees / 360.0,
            width_s: b / std::f64::consts::TAU,
            // A wave's height is a b² / ω, and that of R the unit.
            height: a * b * b / (EVENTS[2].1 * EVENTS[2].2 * EVENTS[2].2),
        };
    }
    // No P, a high and wide R, a deep S, and T against R: conduction from cell to cell takes twice as
    // long as by the bundle.
    let mut ventricular = [Wave::default(); WAVES];
    ventricular[..3].copy_from_slice(&[
        Wave { offset_s: 0.0, width_s: 0.032, height: 1.3 },
        Wave { offset_s: 0.085, width_s: 0.035, height: -0.55 },
        Wave { offset_s: 0.29, width_s: 0.06, height: -0.4 },
    ]);
    (normal, ventricular)
}

/// Waves on the way from some to others; one that is on one side only grows or shrinks.
fn blend(from: &[Wave; WAVES], to: &[Wave; WAVES], share: f64) -> [Wave; WAVES] {
    let mut waves = [Wave::default(); WAVES];
    for (wave, (from, to)) in waves.iter_mut().zip(from.iter().zip(to)) {
        let between = |from: f64, to: f64| from + share * (to - from);
        *wave = match (from.height == 0.0, to.height == 0.0) {
            (true, _) => Wave { height: share * to.height, ..*to },
            (_, true) => Wave { height: (1.0 - share) * from.height, ..*from },
            _ => Wave {
                offset_s: between(from.offset_s, to.offset_s),
                width_s: between(from.width_s, to.width_s),
                height: between(from.height, to.height),
            },
        };
    }
    waves
}

fn flip(waves: &mut [Wave; WAVES], is_down: bool) {
    if is_down {
        waves.iter_mut().for_each(|wave| wave.height = -wave.height);
    }
}

fn height_at_middle(waves: &[Wave; WAVES]) -> f64 {
    let waves = waves.iter().filter(|wave| wave.height != 0.0);
    let at_middle = waves.map(|wave| {
        let widths = wave.offset_s / wave.width_s;
        wave.height * (-0.5 * widths * widths).exp()
    });
    at_middle.sum::<f64>().abs()
}

/// Draws waves.
struct Draw(Random);

impl Draw {
    fn within(&mut self, least: f64, most: f64) -> f64 {
        least + (most - least) * self.0.uniform()
    }

    fn happens(&mut self, chance: f64) -> bool {
        self.0.uniform() < chance
    }

    fn wave(&mut self, offset_s: [f64; 2], width_s: [f64; 2], height: [f64; 2]) -> Wave {
        Wave {
            offset_s: self.within(offset_s[0], offset_s[1]),
            width_s: self.within(width_s[0], width_s[1]),
            height: self.within(height[0], height[1]),
        }
    }

    fn p(&mut self) -> Wave {
        let mut p = self.wave([-0.22, -0.12], [0.014, 0.03], [0.02, 0.25]);
        p.height *= if self.happens(0.15) { -1.0 } else { 1.0 };
        // None to be seen, as in every seventh lead.
        p.height *= if self.happens(0.15) { 1e-3 } else { 1.0 };
        p
    }

    fn normal(&mut self) -> [Wave; WAVES] {
        let is_slow = self.happens(0.2);
        let (least, most) = if is_slow { (1.7, 2.8) } else { (0.55, 1.3) };
        let width_s = R_WIDTH_S * self.within(least, most);
        let [q, s] = [-1.0, 1.0].map(|side| {
            let deepest = if self.happens(0.15) { 0.9 } else { 0.4 };
            let offset_s = [1.6 * side * width_s, 2.7 * side * width_s];
            self.wave(offset_s, [0.5 * width_s, 1.2 * width_s], [-deepest, 0.0])
        });
        let heights = if is_slow { [-0.6, -0.05] } else { [-0.2, 0.5] };
        let t = self.wave([0.2, 0.32], [0.03, 0.06], heights);
        let hill = self.after(t);
        let notch = if self.happens(if is_slow { 0.7 } else { 0.15 }) { 0.8 } else { 0.0 };
        let notch =
            self.wave([1.5 * width_s, 2.6 * width_s], [0.5 * width_s, width_s], [0.0, notch]);
        [self.p(), q, Wave { offset_s: 0.0, width_s, height: 1.0 }, s, t, hill, notch]
    }

    /// The second hill of a wave, which makes it lean.
    fn after(&mut self, wave: Wave) -> Wave {
        let height = wave.height * self.within(0.0, 0.6);
        let offset_s = wave.offset_s + self.within(0.03, 0.07);
        Wave { offset_s, width_s: 0.8 * wave.width_s, height }
    }

    fn ventricular(&mut self) -> [Wave; WAVES] {
        let width_s = self.within(0.023, 0.05);
        let height = self.within(0.6, 2.2);
        let s = self.wave(
            [1.5 * width_s, 2.6 * width_s],
            [0.7 * width_s, 1.3 * width_s],
            [-0.8 * height, 0.0],
        );
        let t = self.wave([0.24, 0.38], [0.045, 0.08], [-0.6 * height, -0.15 * height]);
        let hill = self.after(t);
        let notch = if self.happens(0.4) { 0.7 * height } else { 0.0 };
        let notch =
            self.wave([1.4 * width_s, 2.4 * width_s], [0.5 * width_s, width_s], [0.0, notch]);
        let q = self.wave(
            [-2.4 * width_s, -1.5 * width_s],
            [0.5 * width_s, width_s],
            [-0.4 * height, 0.0],
        );
        [Wave { offset_s: 0.0, width_s, height }, s, t, q, hill, notch, Wave::default()]
    }
}
