//! A signal: all of it at once, and its first and its last seconds.

use crate::scope::{Events, Signal, Strip, Trace};

use super::canvas::{Page, Panel, range};

/// Height of the whole, and of a strip.
const WHOLE_HIGH: f64 = 90.0;
const STRIP_HIGH: f64 = 130.0;

/// Every kept channel of a signal, with `beats` where they are made of it.
pub(super) fn draw(page: &mut Page, signal: &Signal, beats: Option<&Events>, end_s: f64) {
    for trace in &signal.traces {
        let several = signal.traces.len() + signal.others > 1;
        let name = match several {
            true => format!("{} · {}", signal.label, trace.name),
            false => signal.label.clone(),
        };
        let unit = match trace.unit.is_empty() {
            true => String::new(),
            false => format!(" ({})", trace.unit),
        };
        let moments: Vec<f64> = beats
            .and_then(|beats| beats.number("rr_ms"))
            .map(|rr| rr.points().map(|(time_s, _)| time_s).collect())
            .unwrap_or_default();
        whole(page, &format!("{name}{unit}"), trace, &moments, end_s);
        // Of many channels the strips would hide what there is to see.
        if several && beats.is_none() {
            continue;
        }
        let is_long = trace.last.start_s() > trace.first.start_s() + 1e-6;
        let first =
            if is_long { format!("{name}: first seconds") } else { format!("{name}: closely") };
        strip(page, &first, &trace.first, &moments);
        if is_long {
            strip(page, &format!("{name}: last seconds"), &trace.last, &moments);
        }
    }
}

fn whole(page: &mut Page, head: &str, trace: &Trace, beats: &[f64], end_s: f64) {
    let ends = trace.whiles().filter_map(|(_, range)| range);
    let y = range(ends.flat_map(|(low, high)| [f64::from(low), f64::from(high)]));
    let panel = Panel::below(page, head, WHOLE_HIGH, [0.0, end_s], y);
    for &gap_s in &trace.gaps_s {
        let (x, top) = (panel.at_x(gap_s) - 1.5, panel.top);
        page.put(format_args!(
            "<rect class=\"gap\" x=\"{x:.1}\" y=\"{top:.1}\" width=\"3\" height=\"{WHOLE_HIGH}\"><title>something is \
             missing before {gap_s:.3} s</title></rect>"
        ));
    }
    panel.rule_y(page);
    panel.rule_time(page);
    let mut edge = Vec::new();
    let mut pieces = Vec::new();
    for (start_s, range) in trace.whiles() {
        match range {
            Some(range) => edge.push((start_s, range)),
            None => pieces.extend((!edge.is_empty()).then(|| std::mem::take(&mut edge))),
        }
    }
    pieces.extend((!edge.is_empty()).then_some(edge));
    for piece in pieces {
        // Along the largest, and back along the least.
        let high = piece.iter().map(|&(at_s, (_, high))| panel.at((at_s, high.into())));
        let low = piece.iter().rev().map(|&(at_s, (low, _))| panel.at((at_s, low.into())));
        page.path("whole", high.chain(low));
    }
    // Beyond a few hundred, ticks are one bar.
    if beats.len() <= 400 {
        let [top, x] = [panel.top, panel.left];
        let ticks: Vec<f64> =
            beats.iter().map(|&at_s| panel.at_x(at_s)).filter(|at| *at >= x).collect();
        for at in ticks {
            page.put(format_args!("<path class=\"mark\" d=\"M{at:.1} {top:.1}v5\"/>"));
        }
    }
}

fn strip(page: &mut Page, head: &str, strip: &Strip, beats: &[f64]) {
    let [start_s, end_s] = [strip.start_s(), strip.end_s()];
    if end_s <= start_s {
        return;
    }
    let y = range(strip.samples().map(|(_, sample)| f64::from(sample)));
    let panel = Panel::below(page, head, STRIP_HIGH, [start_s, end_s], y);
    panel.rule_y(page);
    panel.rule_time(page);
    let (count, room) = (strip.samples().count(), (panel.right - panel.left) as usize);
    if count <= 4 * room {
        page.path("signal", strip.samples().map(|(at_s, sample)| panel.at((at_s, sample.into()))));
    } else {
        // Sound: of what falls on half a unit, the least and the largest.
        let samples: Vec<_> = strip.samples().collect();
        let ends = samples.chunks(count.div_ceil(2 * room)).flat_map(|piece| {
            let [low, high] = range(piece.iter().map(|(_, sample)| f64::from(*sample)));
            [(piece[0].0, low), (piece[0].0, high)]
        });
        page.path("signal", ends.map(|point| panel.at(point)));
    }
    let here = beats.iter().filter(|at_s| (start_s..end_s).contains(at_s));
    for &at_s in here {
        let (x, top) = (panel.at_x(at_s), panel.top + 2.0);
        page.put(format_args!(
            "<path class=\"beat\" d=\"M{:.1} {top:.1}h8l-4 7z\"><title>beat at {at_s:.3} s</title></path>",
            x - 4.0
        ));
    }
}
