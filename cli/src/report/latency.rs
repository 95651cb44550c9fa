//! How long frames took from the host's door to each sink.

use engine::{Report, SinkReport};

use crate::status::span;

use super::canvas::{Page, Panel};

const HIGH: f64 = 90.0;
/// Bars of a power of ten.
const BARS: i32 = 10;

pub(super) fn draw(page: &mut Page, report: &Report) {
    for sink in report.sinks.iter().filter(|sink| sink.latency.count() > 0) {
        one(page, sink);
    }
}

fn one(page: &mut Page, sink: &SinkReport) {
    let (Some((p50, p99, most)), count) = (sink.latency_ns, sink.latency.count()) else { return };
    let limit = |bar: i32| 10_f64.powf(f64::from(bar) / f64::from(BARS));
    // Whole powers of ten that hold everything, the deadline included.
    let largest = most.max(sink.deadline_ns.unwrap_or(0)).max(10) as f64;
    let last = (largest.log10().ceil() as i32) * BARS;
    let below = |bar: i32| sink.latency.count_up_to(limit(bar) as i64);
    let first = (0..last).find(|&bar| below(bar + 1) > 0).unwrap_or(0) / BARS * BARS;
    let shares: Vec<f64> =
        (first..last).map(|bar| (below(bar + 1) - below(bar)) as f64 / count as f64).collect();
    let highest = shares.iter().copied().fold(0.0, f64::max);
    let head = format!(
        "Latency at `{}`, % of {}: median {}, 99 % {}, largest {}",
        sink.name,
        engine::counted(count, "frame"),
        span(p50),
        span(p99),
        span(most)
    );
    let x = [f64::from(first), f64::from(last)];
    let mut panel = Panel::below(page, &head, HIGH, x, [0.0, highest * 100.0]);
    panel.y = [0.0, (highest * 100.0).max(1e-3) * 1.06];
    panel.rule_y(page);
    for tick in (first..=last).filter(|bar| bar % BARS == 0) {
        let (at, top, bottom) = (panel.at_x(f64::from(tick)), panel.top, panel.bottom);
        page.put(format_args!("<path class=\"grid\" d=\"M{at:.1} {top:.1}V{bottom:.1}\"/>"));
        page.text("faint middle", at, panel.bottom + 16.0, &span(limit(tick) as i64));
    }
    for (bar, share) in (first..last).zip(&shares).filter(|(_, share)| **share > 0.0) {
        let (x, y) = panel.at((f64::from(bar), share * 100.0));
        let wide = panel.at_x(f64::from(bar + 1)) - x - 1.0;
        page.put(format_args!(
            "<rect class=\"bar\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{wide:.1}\" height=\"{:.1}\"/>",
            panel.bottom - y
        ));
    }
    if let Some(deadline_ns) = sink.deadline_ns {
        let at = panel.at_x((deadline_ns as f64).log10() * f64::from(BARS));
        let (top, bottom) = (panel.top, panel.bottom);
        page.put(format_args!("<path class=\"mark\" d=\"M{at:.1} {top:.1}V{bottom:.1}\"/>"));
        page.text("faint end", at - 5.0, panel.top + 12.0, "deadline");
    }
}
