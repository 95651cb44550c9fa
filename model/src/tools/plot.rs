//! A picture of a calibration: accuracy against cost, as SVG that needs nothing else.

use std::fmt::Write;

use super::calibrate::EarlyExits;

const WIDE: f64 = 640.0;
const HIGH: f64 = 400.0;
/// Where the axes are: left, right, top, bottom.
const FRAME: [f64; 4] = [72.0, 616.0, 56.0, 340.0];
/// Ticks of the accuracy axis lie so far apart, in points; the first that leaves few enough.
const STEPS: [f64; 10] = [0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0];

/// The picture: every step of the path as a line, the chosen one, the whole model, and what was promised.
pub(super) fn svg(name: &str, loss: f64, calibration: &EarlyExits) -> String {
    let found = &calibration.found;
    let full = found.cost[1];
    let points: Vec<[f64; 2]> = found
        .curve
        .iter()
        .map(|point| {
            let share = point.accuracy.filter(|_| calibration.is_labelled);
            [100.0 * point.cost / full, 100.0 * share.unwrap_or(1.0 - point.risk)]
        })
        .collect();
    let (whole, chosen) = (points[0], points[found.step]);
    let floor = whole[1] - 100.0 * loss;
    let lowest = points.iter().map(|point| point[1]).fold(floor, f64::min);
    let highest = points.iter().map(|point| point[1]).fold(whole[1], f64::max);
    let step = STEPS.into_iter().find(|step| (highest - lowest) / step <= 6.0).unwrap_or(50.0);
    let (low, high) = ((lowest / step).floor() * step, (highest / step).floor() * step + step);
    let [left, right, top, bottom] = FRAME;
    let x = |cost: f64| left + (right - left) * cost / 100.0;
    let y = |share: f64| bottom - (bottom - top) * (share - low) / (high - low);
    let what = if calibration.is_labelled {
        "right answers, %"
    } else {
        "answers as of the whole model, %"
    };

    let mut svg = String::new();
    let mut put = |text: std::fmt::Arguments<'_>| {
        svg.write_fmt(text).expect("writing to a String cannot fail");
        svg.push('\n');
    };
    put(format_args!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDE} {HIGH}\" width=\"{WIDE}\" height=\"{HIGH}\" role=\"img\">"
    ));
    put(format_args!("<title>{}: {what}, against cost</title>", escaped(name)));
    put(format_args!("{STYLE}"));
    put(format_args!("<rect class=\"paper\" width=\"{WIDE}\" height=\"{HIGH}\"/>"));
    put(format_args!(
        "<text class=\"head\" x=\"{left}\" y=\"24\">{}: {:.1} % of the cost saved, {:.2} % {} instead of {:.2} %</text>",
        escaped(name),
        100.0 - chosen[0],
        chosen[1],
        if calibration.is_labelled { "right" } else { "as the whole" },
        whole[1]
    ));
    put(format_args!(
        "<text x=\"{left}\" y=\"43\">on {} questions that chose no threshold</text>",
        found.samples[1]
    ));
    let ticks = ((high - low) / step).round() as usize;
    for tick in 0..=ticks {
        let share = low + tick as f64 * step;
        let at = y(share);
        put(format_args!("<path class=\"grid\" d=\"M{left} {at:.1}H{right}\"/>"));
        let digits = if step < 0.1 { 2 } else { usize::from(step < 1.0) };
        put(format_args!(
            "<text class=\"end\" x=\"{}\" y=\"{:.1}\">{share:.digits$}</text>",
            left - 8.0,
            at + 4.0
        ));
    }
    for cost in [0.0, 20.0, 40.0, 60.0, 80.0, 100.0] {
        let at = x(cost);
        put(format_args!("<path class=\"grid\" d=\"M{at:.1} {top}V{bottom}\"/>"));
        put(format_args!(
            "<text class=\"middle\" x=\"{at:.1}\" y=\"{}\">{cost:.0}</text>",
            bottom + 18.0
        ));
    }
    let centre = f64::midpoint(left, right);
    put(format_args!(
        "<text class=\"middle\" x=\"{centre}\" y=\"{}\">cost of a question, % of the whole model</text>",
        bottom + 40.0
    ));
    let centre = f64::midpoint(top, bottom);
    put(format_args!(
        "<text class=\"middle\" transform=\"translate(18 {centre}) rotate(-90)\">{what}</text>"
    ));
    put(format_args!("<path class=\"floor\" d=\"M{left} {0:.1}H{right}\"/>", y(floor)));
    put(format_args!(
        "<text class=\"end floored\" x=\"{}\" y=\"{:.1}\">at most {} points lost</text>",
        right - 4.0,
        y(floor) + 14.0,
        (1e4 * loss).round() / 100.0
    ));
    let line: Vec<String> =
        points.iter().map(|[cost, share]| format!("{:.1},{:.1}", x(*cost), y(*share))).collect();
    put(format_args!("<polyline class=\"path\" points=\"{}\"/>", line.join(" ")));
    for ([cost, share], class, label, anchor, off) in [
        (whole, "whole", "whole model", "end", [-8.0, -10.0]),
        (chosen, "chosen", "chosen", "start", [9.0, 16.0]),
    ] {
        let (x, y) = (x(cost), y(share));
        put(format_args!("<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\"/>"));
        put(format_args!(
            "<text class=\"{anchor}\" x=\"{:.1}\" y=\"{:.1}\">{label}</text>",
            x + off[0],
            y + off[1]
        ));
    }
    put(format_args!("</svg>"));
    svg
}

const STYLE: &str = "<style>
text { font: 12px sans-serif; fill: #333 } .head { font-weight: bold; font-size: 14px }
.end { text-anchor: end } .middle { text-anchor: middle } .paper { fill: #fff }
.grid { stroke: #ddd } .floor { stroke: #c0392b; stroke-dasharray: 5 4 } .floored { fill: #c0392b }
.path { fill: none; stroke: #2471a3; stroke-width: 2 } .whole { fill: #333 } .chosen { fill: #1e8449 }
@media (prefers-color-scheme: dark) {
text { fill: #ddd } .paper { fill: #1b1b1b } .grid { stroke: #3a3a3a } .floor { stroke: #ec7063 }
.floored { fill: #ec7063 } .path { stroke: #5dade2 } .whole { fill: #ddd } .chosen { fill: #58d68d }
}
</style>";

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
