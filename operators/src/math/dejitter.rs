//! When samples were taken, from when their frames arrived.
//!
//! Sample number i of a device whose clock is off by a drift d was taken at `o + i P (1 + d)`, with
//! the nominal period P; its frame arrives later, by a delay that is never negative but for errors
//! of the stamps. With `e = stamp − i P` on the nominal clock, what is wanted is the line
//! `o + d x` that belongs to the points (x, e). Two are known, and the shape of the delays says
//! which one holds:
//!
//! ```text
//! e │     ·      ·  ·                   edge: delays have a sharp lower end, as those of queues
//!   │ ·    · ·  ·   ·  · ··             and radio intervals. The line under the least e of each
//!   │ ·──·───·────·───────·──  edge     second that is highest in the middle of them.
//!   │
//!   │   · ·   ·  ·  ·                   bell: as many are early as are late. Least squares without
//!   │ ─·──·─·───·──·───·─·───  bell     outliers, in which older points fade.
//!   │   ·  ·   ·   ·  ·  ·
//!   └───────────────────────── x
//! ```
//!
//! The **edge** (Moon, Skelly, Towsley 1999, Estimation and removal of clock skew from network delay
//! measurements) is the line of greatest likelihood for exponential delays; its error falls with
//! the number of frames, not with its root. The **bell** is liblsl's recursive least squares with a
//! half-life of 120 s and a drift that is known to be small. Which one: `(q₂₅ − q₂) / (q₅₀ − q₂₅)`
//! of the residuals is 2.05 for a bell; exponential, uniform and gamma (4) delays are at 0.66, 0.92
//! and 1.3. While few frames are known, skewness and kurtosis help; what is not sure is a bell.
//!
//! Stamps that go back are believed after three frames within `step_s`, those that go on when
//! everything was late for so long. Both by eight standard deviations.

mod line;
mod shape;
mod state;
#[cfg(test)]
mod tests;

use line::{Block, EXACT_NS, Line, Point, Prior, Sums, edge};
use shape::{JUDGED, SURE, Shape};

/// Least points of so many blocks make the edge.
const BLOCKS: usize = 128;
/// How long a block is at least, and how many frames are in it.
const BLOCK_S: f64 = 1.0;
const BLOCK_FRAMES: f64 = 4.0;
/// Residuals the shape is judged by, and how far they reach back if there are enough.
const RING: usize = 2_048;
const RING_S: f64 = 60.0;
/// Once the shape is sure, it is looked at again after so many blocks.
const JUDGED_EVERY: u64 = 8;
/// Residuals beyond so many standard deviations do not count for the bell, unless so few frames are
/// known that nobody can say what is usual.
const OUTLIER: f64 = 4.0;
const FEW: f64 = 8.0;
/// So many frames before what is known, by so many standard deviations, make a step.
const EARLY: usize = 3;
const STEP: f64 = 8.0;
/// So many frames must be late before a step is believed.
const LATE: u64 = 8;

/// What a [`Dejitter`] is told once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DejitterParameters {
    /// Samples per second the device says it has.
    pub rate_hz: f64,
    /// Farthest that its clock is off, in parts per million; above zero.
    pub drift_max_ppm: f64,
    /// So long everything must be late to be believed.
    pub step_s: f64,
    /// Farthest that a frame is moved.
    pub delay_max_s: f64,
}

/// What is known of a frame's time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// When its first sample was taken.
    pub time_ns: i64,
    /// How far that may be off either way, apart from the part of the delay that every frame has.
    pub uncertainty_ns: f64,
}

/// Capture times from arrival stamps.
#[derive(Clone, Debug)]
pub struct Dejitter {
    parameters: DejitterParameters,
    period_s: f64,
    /// The first stamp; everything else counts from it.
    origin_ns: Option<i64>,
    /// Samples since the origin.
    samples: u64,
    /// When the last sample was said to be taken.
    last_ns: Option<i64>,
    line: Line,
    is_edge: bool,
    prior: Prior,
    sums: Sums,
    /// The newest last, and the one that is still open with the second it began in.
    blocks: Vec<Block>,
    open: Option<(f64, Block)>,
    /// Frames in all of these, and blocks that were closed.
    known: f64,
    closed: u64,
    /// Points the shape is judged by; where it is full, the oldest stands at `ring_at`.
    ring: Vec<Point>,
    ring_at: usize,
    /// Every so many frames go into the ring.
    stride: u64,
    frames: u64,
    /// Standard deviation of a bell, and how far the least of a block is above the edge.
    scale_ns: f64,
    slack_ns: f64,
    /// Enough frames were seen to say what is usual, and to say of which shape delays are.
    is_judged: bool,
    is_sure: bool,
    /// Frames too early for what is known.
    early: Vec<Point>,
    /// Where a frame was not late last, and how many were since.
    near_s: f64,
    late: u64,
    steps: u64,
    hull: Vec<Point>,
    residuals: Vec<f64>,
    again: Vec<Point>,
}

impl Dejitter {
    /// One that knows nothing yet.
    pub fn new(parameters: DejitterParameters) -> Self {
        let drift_max = parameters.drift_max_ppm * 1e3;
        Self {
            parameters,
            period_s: 1.0 / parameters.rate_hz,
            origin_ns: None,
            samples: 0,
            last_ns: None,
            line: Line::default(),
            is_edge: false,
            prior: Prior { drift: 0.0, sigma: 0.5 * drift_max, drift_max },
            sums: Sums::default(),
            blocks: Vec::with_capacity(BLOCKS),
            open: None,
            known: 0.0,
            closed: 0,
            ring: Vec::with_capacity(RING),
            ring_at: 0,
            stride: 1,
            frames: 0,
            scale_ns: 0.0,
            slack_ns: 0.0,
            is_judged: false,
            is_sure: false,
            early: Vec::with_capacity(EARLY),
            near_s: 0.0,
            late: 0,
            steps: 0,
            hull: Vec::with_capacity(BLOCKS + 1),
            residuals: Vec::with_capacity(RING),
            again: Vec::with_capacity(RING),
        }
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        *self = Self::new(self.parameters);
    }

    /// An unknown number of samples is missing: where the line lies is unknown, its drift and the
    /// shape of the delays stay.
    pub fn gap(&mut self) {
        self.origin_ns = None;
        self.forget();
    }

    /// By how much the device's clock is too slow, in parts per million.
    pub fn drift_ppm(&self) -> f64 {
        self.line.drift / 1e3
    }

    /// Steps of the stamps that were believed.
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    /// Whether times follow the lower edge of the delays, or their middle.
    pub const fn is_edge(&self) -> bool {
        self.is_edge
    }

    /// A frame of `len` samples whose first is stamped `stamp_ns`: its last arrived `len − 1`
    /// nominal periods later.
    pub fn push(&mut self, stamp_ns: i64, len: u64) -> Moment {
        let period_ns = self.period_s * 1e9;
        if self.origin_ns.is_none() {
            self.samples = 0;
            self.line = Line { drift: self.prior.drift, ..Line::default() };
        }
        let origin_ns = *self.origin_ns.get_or_insert(stamp_ns);
        let behind = len.max(1) - 1;
        let first_ns = self.samples as f64 * period_ns;
        let e_ns = stamp_ns.saturating_sub(origin_ns) as f64 - first_ns;
        self.learn(Point { x_s: (self.samples + behind) as f64 * self.period_s, e_ns });
        self.frames += 1;

        // Inside a frame samples lie at the nominal rate: its middle is put right.
        let half_s = 0.5 * behind as f64 * self.period_s;
        let mut off_ns = self.line.at(self.samples as f64 * self.period_s + half_s);
        // What is exact stays so, to the nanosecond.
        if (e_ns - off_ns).abs() <= EXACT_NS {
            off_ns = e_ns;
        }
        let delay_max_ns = self.parameters.delay_max_s * 1e9;
        let off_ns = off_ns.clamp(e_ns - delay_max_ns, e_ns + delay_max_ns);
        self.samples += len;
        Moment {
            time_ns: origin_ns.saturating_add((first_ns + off_ns).round() as i64),
            uncertainty_ns: self.uncertainty_ns() + half_s * self.line.drift.abs(),
        }
    }

    /// When to say that samples were taken which are due at `due_ns`, and how many of the `len` that
    /// follow each other from there on go along: all of them, or one that has to wait, since the last
    /// was said to be later. An eighth of a period lies between any two.
    pub fn place(&mut self, due_ns: i64, len: u64) -> (i64, u64) {
        let soonest_ns = self.soonest_ns();
        let (time_ns, len) =
            if due_ns >= soonest_ns { (due_ns, len) } else { (soonest_ns, len.min(1)) };
        let span_ns = (len.max(1) - 1) as f64 * self.period_s * 1e9;
        self.last_ns = Some(time_ns.saturating_add(span_ns.round() as i64));
        (time_ns, len)
    }

    /// No sample will be placed before this.
    pub fn soonest_ns(&self) -> i64 {
        let apart_ns = (0.125e9 * self.period_s).max(1.0) as i64;
        self.last_ns.map_or(i64::MIN, |last_ns| last_ns.saturating_add(apart_ns))
    }

    fn uncertainty_ns(&self) -> f64 {
        match (self.is_sure, self.is_edge) {
            // Of one frame nothing is known but that it came.
            _ if self.known < JUDGED as f64 => {
                (3.0 * self.scale_ns).max(1e9 * self.period_s / self.known.max(1.0))
            }
            // It may be an edge, three deviations further down.
            (false, _) => 3.0 * self.scale_ns,
            (true, true) => 2.0 * self.slack_ns,
            // The end of a line of n points is twice as uncertain as their mean; three of these.
            (true, false) => 6.0 * self.scale_ns / self.sums.w.max(1.0).sqrt(),
        }
    }

    fn learn(&mut self, point: Point) {
        let off_ns = point.e_ns - self.line.at(point.x_s);
        let reach_ns = STEP * self.scale_ns.max(EXACT_NS);
        if !self.is_judged || self.open.is_none() || off_ns.abs() <= reach_ns {
            (self.near_s, self.late) = (point.x_s, 0);
        } else if off_ns < 0.0 {
            self.early.retain(|early| point.x_s - early.x_s < self.parameters.step_s);
            self.early.push(point);
            if self.early.len() == EARLY {
                self.step_back();
            }
            return;
        } else {
            self.late += 1;
            if point.x_s - self.near_s > self.parameters.step_s && self.late >= LATE {
                self.step_on(point.x_s);
            }
        }
        self.take(point, off_ns);
    }

    /// Where the line lies is unknown again.
    fn forget(&mut self) {
        if self.is_judged {
            self.prior.drift = self.line.drift;
            self.prior.sigma = 0.1 * self.prior.drift_max;
        }
        self.sums = Sums::default();
        self.blocks.clear();
        self.open = None;
        self.known = 0.0;
        self.ring.clear();
        self.ring_at = 0;
        self.early.clear();
        self.late = 0;
    }

    /// The stamps went back: what came too early is the truth.
    fn step_back(&mut self) {
        self.again.clear();
        self.again.extend_from_slice(&self.early);
        self.begin_again();
    }

    /// The stamps went on: what was known before does not hold. The first that were late may have been
    /// so by chance, before the step.
    fn step_on(&mut self, now_s: f64) {
        let from_s = now_s - 0.5 * self.parameters.step_s;
        self.again.clear();
        let (newer, older) = self.ring.split_at(self.ring_at);
        self.again.extend(older.iter().chain(newer).filter(|point| point.x_s > from_s));
        self.begin_again();
    }

    fn begin_again(&mut self) {
        let again = std::mem::take(&mut self.again);
        let stride = std::mem::replace(&mut self.stride, 1);
        let drift = self.line.drift;
        self.forget();
        self.steps += 1;
        if let Some(first) = again.first() {
            self.line = Line { at_s: first.x_s, offset_ns: first.e_ns, drift };
        }
        for &point in &again {
            self.near_s = point.x_s;
            self.take(point, 0.0);
        }
        self.stride = stride;
        self.again = again;
    }

    fn take(&mut self, point: Point, off_ns: f64) {
        let usual_ns = OUTLIER * self.scale_ns.max(EXACT_NS);
        if self.is_edge || self.known < FEW || off_ns.abs() <= usual_ns {
            self.sums.add(point);
        }
        self.remember(point);
        let is_closed = self.enter(point);
        let is_due = is_closed && (!self.is_sure || self.closed.is_multiple_of(JUDGED_EVERY));
        if is_due || self.known < 64.0 {
            self.judge();
        }
        if !self.is_edge {
            self.line = self.sums.line(self.scale_ns, self.prior);
        } else if is_closed || off_ns <= 0.0 {
            // A point above the line takes nothing from it.
            self.line = self.edge();
        }
    }

    /// Puts a point into the ring: every one, or one in so many that the ring reaches far enough.
    fn remember(&mut self, point: Point) {
        if !self.frames.is_multiple_of(self.stride) {
            return;
        }
        if self.ring.len() < RING {
            self.ring.push(point);
            return;
        }
        let is_short = point.x_s - self.ring[self.ring_at].x_s < RING_S;
        if is_short && self.stride < 1 << 20 {
            self.stride *= 2;
        }
        self.ring[self.ring_at] = point;
        self.ring_at = (self.ring_at + 1) % RING;
    }

    /// Puts a point into its block; says whether another was closed by that.
    fn enter(&mut self, point: Point) -> bool {
        let second = (point.x_s / BLOCK_S).floor();
        let is_full =
            |(of, block): &mut (f64, Block)| *of != second && block.frames >= BLOCK_FRAMES;
        let closed = self.open.take_if(is_full);
        if let Some((_, block)) = closed {
            if self.blocks.len() == BLOCKS {
                self.known -= self.blocks.remove(0).frames;
            }
            self.blocks.push(block);
            self.closed += 1;
        }
        let fresh = || (second, Block { least: point, ..Block::default() });
        let (_, block) = self.open.get_or_insert_with(fresh);
        if point.e_ns < block.least.e_ns {
            block.least = point;
        }
        block.frames += 1.0;
        self.known += 1.0;
        block.x_sum += point.x_s;
        block.e_sum += point.e_ns;
        closed.is_some()
    }

    /// Says of which shape the delays are, and how wide.
    fn judge(&mut self) {
        let line = self.line;
        self.residuals.clear();
        self.residuals.extend(self.ring.iter().map(|point| point.e_ns - line.at(point.x_s)));
        let n = self.residuals.len();
        if n == 0 {
            return;
        }
        let shape = Shape::of(&mut self.residuals);
        // After a step the width is known better than so few residuals tell it.
        if n >= JUDGED || !self.is_judged {
            self.scale_ns = shape.scale_ns();
        }
        let is_far = shape.middle_ns.abs() > 2.0 * self.scale_ns.max(EXACT_NS);
        let was_edge = self.is_edge;
        if n >= JUDGED {
            self.is_edge = shape.has_edge(was_edge);
            self.is_judged = true;
            self.is_sure |= self.is_edge || n >= SURE;
        }
        match (was_edge, self.is_edge) {
            (false, true) => self.line = self.edge(),
            (true, false) => self.refit(shape.middle_ns),
            (false, false) if !self.is_sure || is_far => self.refit(shape.middle_ns),
            _ => {}
        }
        let over = |block: &Block| block.least.e_ns - self.line.at(block.least.x_s);
        let slack_ns: f64 = self.blocks.iter().map(over).sum();
        self.slack_ns = if self.is_edge { slack_ns / self.blocks.len().max(1) as f64 } else { 0.0 };
    }

    /// Begins the bell anew around the middle of the residuals.
    fn refit(&mut self, middle_ns: f64) {
        let usual_ns = OUTLIER * self.scale_ns.max(EXACT_NS);
        self.sums = Sums::default();
        let (newer, older) = self.ring.split_at(self.ring_at);
        for &point in older.iter().chain(newer) {
            let off_ns = point.e_ns - self.line.at(point.x_s) - middle_ns;
            if off_ns.abs() <= usual_ns {
                self.sums.add(point);
            }
        }
    }

    fn edge(&mut self) -> Line {
        let open = self.open.map(|(_, block)| block);
        edge(self.blocks.iter().chain(&open), &mut self.hull, self.line, self.prior)
    }
}
