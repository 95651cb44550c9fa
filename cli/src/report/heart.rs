//! A heart: its intervals over time, and each against the next.

use crate::scope::{Events, Series};

use super::canvas::{Page, Panel, RIGHT, range};

/// Height of both.
const HIGH: f64 = 260.0;
/// Room between them.
const BETWEEN: f64 = 76.0;

/// How intervals differ from one to the next, and over longer times.
struct Poincare {
    mean_ms: f64,
    /// Standard deviation across the line of identity, in milliseconds.
    sd1_ms: f64,
    /// The same along it.
    sd2_ms: f64,
}

/// Of pairs of neighbours. Source: Brennan, Palaniswami, Kamen 2001, Do existing measures of Poincaré plot geometry
/// reflect nonlinear features of heart rate variability?
fn poincare(rr: &Series) -> Option<Poincare> {
    let pairs: Vec<(f64, f64)> = rr.pairs().collect();
    if pairs.len() < 2 {
        return None;
    }
    let deviation = |values: &dyn Fn(&(f64, f64)) -> f64| {
        let count = pairs.len() as f64;
        let mean = pairs.iter().map(values).sum::<f64>() / count;
        let squares = pairs.iter().map(|pair| (values(pair) - mean).powi(2)).sum::<f64>();
        (squares / (count - 1.0)).sqrt()
    };
    let root = std::f64::consts::SQRT_2;
    Some(Poincare {
        mean_ms: pairs.iter().map(|(one, next)| (one + next) / 2.0).sum::<f64>()
            / pairs.len() as f64,
        sd1_ms: deviation(&|(one, next)| (next - one) / root),
        sd2_ms: deviation(&|(one, next)| (next + one) / root),
    })
}

/// The heart in numbers.
pub(super) fn figures(beats: &Events) -> Vec<String> {
    let Some(rr) = beats.number("rr_ms") else { return Vec::new() };
    let values: Vec<f64> = rr.values().map(|(_, rr_ms)| rr_ms).collect();
    let count = values.len() as f64;
    let mean_ms = values.iter().sum::<f64>() / count;
    let sdnn_ms = (values.iter().map(|ms| (ms - mean_ms).powi(2)).sum::<f64>()
        / (count - 1.0).max(1.0))
    .sqrt();
    let steps: Vec<f64> = rr.pairs().map(|(one, next)| (next - one).powi(2)).collect();
    let rmssd_ms = (steps.iter().sum::<f64>() / (steps.len() as f64).max(1.0)).sqrt();
    vec![
        engine::counted(beats.count, "beat"),
        format!("{:.1} bpm on average", 60_000.0 / mean_ms),
        format!("SDNN {sdnn_ms:.1} ms"),
        format!("RMSSD {rmssd_ms:.1} ms (all intervals, as they were told)"),
    ]
}

/// Tachogram and Poincaré plot, side by side.
/// Draws both; where there are `several`, with whose they are.
pub(super) fn draw(page: &mut Page, beats: &Events, several: bool, end_s: f64) {
    let Some(rr) = beats.number("rr_ms") else { return };
    let square = RIGHT - HIGH;
    let y = range(rr.values().map(|(_, rr_ms)| rr_ms));
    let cut = if rr.is_cut() { ", the newest of them" } else { "" };
    let of = if several { format!(" of `{}`", beats.label) } else { String::new() };
    let head = format!("Tachogram{of}: intervals between beats (ms){cut}");
    let top = page.y;
    let mut tachogram = Panel::below(page, &head, HIGH, [0.0, end_s], y);
    tachogram.right = square - BETWEEN;
    tachogram.rule_y(page);
    tachogram.rule_time(page);
    page.path(
        "signal",
        rr.points().map(|(time_s, rr_ms)| tachogram.at((time_s, rr_ms.unwrap_or(f64::NAN)))),
    );

    page.text("head", square, top + 16.0, "Poincaré plot (ms)");
    let plot = Panel { left: square, right: RIGHT, x: tachogram.y, ..tachogram };
    plot.rule_y(page);
    plot.rule_x(page);
    let [low, high] = plot.y;
    page.path("grid", [(low, low), (high, high)].into_iter().map(|at| plot.at(at)));
    for pair in rr.pairs() {
        let (x, y) = plot.at(pair);
        page.put(format_args!("<circle class=\"dot\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"1.6\"/>"));
    }
    if let Some(Poincare { mean_ms, sd1_ms, sd2_ms }) = poincare(rr) {
        let ((x, y), unit) = (plot.at((mean_ms, mean_ms)), HIGH / (high - low));
        page.put(format_args!(
            "<ellipse class=\"more\" cx=\"{x:.1}\" cy=\"{y:.1}\" rx=\"{:.1}\" ry=\"{:.1}\" transform=\"rotate(-45 {x:.1} {y:.1})\"/>",
            sd2_ms * unit,
            sd1_ms * unit
        ));
        let told = format!("SD1 {sd1_ms:.1} ms, SD2 {sd2_ms:.1} ms");
        page.text("faint", square + 6.0, plot.top + 14.0, &told);
    }
}
