//! Lines through and under points: least squares that fade, and the edge below.

/// In this time the weight of a point is halved.
const HALF_LIFE_S: f64 = 120.0;

/// A point: where on the nominal clock, how far off it, both in seconds and nanoseconds since the
/// origin.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Point {
    pub(super) x_s: f64,
    pub(super) e_ns: f64,
}

/// `offset_ns + drift · (x − at)`, the drift in nanoseconds per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Line {
    pub(super) at_s: f64,
    pub(super) offset_ns: f64,
    pub(super) drift: f64,
}

impl Line {
    pub(super) fn at(&self, x_s: f64) -> f64 {
        self.offset_ns + self.drift * (x_s - self.at_s)
    }
}

/// Sums of a fading least-squares line, positions counted from the newest point.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sums {
    pub(super) at_s: f64,
    pub(super) w: f64,
    pub(super) u: f64,
    pub(super) uu: f64,
    pub(super) e: f64,
    pub(super) ue: f64,
}

impl Sums {
    pub(super) fn add(&mut self, point: Point) {
        let step = point.x_s - self.at_s;
        if self.w > 0.0 {
            let fade = (-step / HALF_LIFE_S).exp2();
            self.uu = fade * (self.uu - step * (2.0 * self.u - step * self.w));
            self.ue = fade * (self.ue - step * self.e);
            self.u = fade * (self.u - step * self.w);
            self.w *= fade;
            self.e *= fade;
        }
        self.at_s = point.x_s;
        self.w += 1.0;
        self.e += point.e_ns;
    }

    /// The line, where a residual has the standard deviation `scale_ns`.
    pub(super) fn line(&self, scale_ns: f64, prior: Prior) -> Line {
        let trust = (scale_ns / prior.sigma).powi(2);
        let (mean_u, mean_e) = (self.u / self.w, self.e / self.w);
        let spread = self.uu - self.u * mean_u;
        let joint = self.ue - self.u * mean_e;
        let drift = (joint + trust * prior.drift) / (spread + trust).max(f64::MIN_POSITIVE);
        let drift = drift.clamp(-prior.drift_max, prior.drift_max);
        Line { at_s: self.at_s, offset_ns: mean_e - drift * mean_u, drift }
    }
}

/// Frames of a second or more.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Block {
    pub(super) least: Point,
    pub(super) frames: f64,
    pub(super) x_sum: f64,
    pub(super) e_sum: f64,
}

/// What is believed of the drift before any point, and its limits, in nanoseconds per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Prior {
    pub(super) drift: f64,
    /// How far that may be off, as a standard deviation.
    pub(super) sigma: f64,
    pub(super) drift_max: f64,
}

/// The line under all points, of greatest likelihood for exponential delays: with n points of mean x
/// and mean height τ above `before`, `n h(d) / τ − (d − d₀)² / 2 σ²` is greatest, where h(d) is the
/// height at the mean of x of the highest line of drift d under the points. `hull` is for work.
pub(super) fn edge<'a>(
    blocks: impl Iterator<Item = &'a Block>,
    hull: &mut Vec<Point>,
    before: Line,
    prior: Prior,
) -> Line {
    let (mut n, mut x, mut e) = (0.0, 0.0, 0.0);
    hull.clear();
    for block in blocks {
        (n, x, e) = (n + block.frames, x + block.x_sum, e + block.e_sum);
        while let [.., a, b] = hull[..] {
            if slope(b, block.least) > slope(a, b) {
                break;
            }
            hull.pop();
        }
        hull.push(block.least);
    }
    let mean_s = x / n;
    let height_ns = (e / n - before.at(mean_s)).max(EXACT_NS);
    let pull = prior.sigma * prior.sigma * n / height_ns;
    let mut best = (f64::NEG_INFINITY, before);
    for (k, point) in hull.iter().enumerate() {
        // The drifts at which the line rests on this point.
        let low = if k > 0 { slope(hull[k - 1], *point) } else { f64::NEG_INFINITY };
        let high = hull.get(k + 1).map_or(f64::INFINITY, |next| slope(*point, *next));
        let (low, high) = (low.max(-prior.drift_max), high.min(prior.drift_max));
        if low > high {
            continue;
        }
        let drift = (prior.drift - pull * (point.x_s - mean_s)).clamp(low, high);
        let offset_ns = point.e_ns - drift * (point.x_s - mean_s);
        let off = (drift - prior.drift) / prior.sigma;
        let value = n * offset_ns / height_ns - 0.5 * off * off;
        if value > best.0 {
            best = (value, Line { at_s: mean_s, offset_ns, drift });
        }
    }
    best.1
}

fn slope(a: Point, b: Point) -> f64 {
    (b.e_ns - a.e_ns) / (b.x_s - a.x_s)
}

/// What rounding of stamps and of the grid may make.
pub(super) const EXACT_NS: f64 = 2.0;
