//! Strips as cells of a terminal, one below the other.

use std::time::Duration;

use ratatui::{
    Frame,
    layout::Rect,
    style::{Color, Modifier, Style},
    symbols::Marker,
    text::{Line, Span},
    widgets::{Axis, Chart, Dataset, GraphType, Paragraph},
};

use super::{super::Tally, Strips, strips::Strip};
use crate::drawing::Looks;

/// What stands beside the drawing.
pub(crate) struct Caption<'a> {
    pub(crate) label: &'a str,
    pub(crate) session: u32,
    pub(crate) window_s: f64,
    pub(crate) is_frozen: bool,
    pub(crate) tally: &'a Tally,
}

/// Rows that a strip takes at least, with the line that names it.
const ROWS_MIN: usize = 5;

/// Draws all strips that there is room for.
pub(crate) fn draw(
    frame: &mut Frame<'_>,
    strips: &Strips,
    caption: &Caption<'_>,
    now: Option<Duration>,
    looks: Looks,
) {
    let area = frame.area();
    if area.width < 30 || area.height < 8 {
        frame.render_widget(Paragraph::new("30 columns and 8 rows are needed"), area);
        return;
    }
    let row = |y: u16| Rect { y, height: 1, ..area };
    frame.render_widget(Paragraph::new(head(caption)), row(0));
    frame.render_widget(Paragraph::new(foot(strips, caption)), row(area.height - 1));
    let edge = strips.edge(now);
    let since = edge - caption.window_s;
    let rows = usize::from(area.height) - 2;
    let shown = strips.all.len().min((rows / ROWS_MIN).max(1));
    let mut y = 1;
    for (n, strip) in strips.all.iter().take(shown).enumerate() {
        let height = rows / shown + usize::from(n < rows % shown);
        let is_last = n + 1 == shown;
        let place = Rect { y, height: height as u16, ..area };
        one(frame, strips, strip, place, (since, edge), is_last, looks);
        y += height as u16;
    }
    if shown == 0 {
        let place = Rect { y: 1, height: rows as u16, ..area };
        marks(frame, strips, place, since);
    } else if strips.all.iter().all(|strip| strip.points.is_empty()) {
        let text = "nothing has come by yet";
        let place =
            Rect { x: area.width.saturating_sub(text.len() as u16) / 2, ..row(area.height / 2) };
        frame.render_widget(Paragraph::new(text), place);
    }
    looks.apply(frame.buffer_mut());
}

fn head<'a>(caption: &Caption<'_>) -> Line<'a> {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let session = match caption.session {
        0 => String::new(),
        session => format!(" of session {session}"),
    };
    let frames = format!("{session}   {} frames", caption.tally.frames);
    let mut spans = vec![Span::styled(caption.label.to_owned(), bold), Span::raw(frames)];
    let warning = Style::new().fg(Color::Yellow).add_modifier(Modifier::BOLD);
    let gaps: u64 = caption.tally.gaps.iter().map(|(_, frames)| frames).sum();
    if gaps > 0 {
        spans.push(Span::styled(format!("   {gaps} gaps"), warning));
    }
    if caption.tally.missed > 0 {
        spans.push(Span::styled(format!("   {} missed", caption.tally.missed), warning));
    }
    if let Some(over) = &caption.tally.over {
        spans.push(Span::styled(format!("   {over}"), warning));
    }
    Line::from(spans)
}

fn foot<'a>(strips: &Strips, caption: &Caption<'_>) -> Line<'a> {
    let faint = Style::new().add_modifier(Modifier::DIM);
    let mut spans = Vec::new();
    if caption.is_frozen {
        let warning = Style::new().fg(Color::Yellow).add_modifier(Modifier::BOLD);
        spans.push(Span::styled("FROZEN   ", warning));
    }
    if strips.more > 0 {
        spans.push(Span::raw(format!("{} more have no room   ", strips.more)));
    }
    let keys = format!("the last {} s   + closer  - wider  p freeze  q quit", caption.window_s);
    spans.push(Span::styled(keys, faint));
    Line::from(spans)
}

/// One strip: a line that names it, and its drawing.
fn one(
    frame: &mut Frame<'_>,
    strips: &Strips,
    strip: &Strip,
    area: Rect,
    (since, edge): (f64, f64),
    is_last: bool,
    looks: Looks,
) {
    let points: Vec<(f64, f64)> = strip.since(since).collect();
    let known = || points.iter().filter(|(_, value)| value.is_finite());
    let least = known().map(|(_, value)| *value).reduce(f64::min);
    let most = known().map(|(_, value)| *value).reduce(f64::max);
    let last = known().next_back().map(|(_, value)| *value);
    let unit = if strip.unit.is_empty() { String::new() } else { format!(" {}", strip.unit) };
    let range = match (least, most, last) {
        (Some(least), Some(most), Some(last)) => {
            format!("   {}{unit}   from {} to {}{unit}", short(last), short(least), short(most))
        }
        _ => "   nothing in this window".to_owned(),
    };
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let faint = Style::new().add_modifier(Modifier::DIM);
    let name = Line::from(vec![Span::styled(strip.name.clone(), bold), Span::styled(range, faint)]);
    frame.render_widget(Paragraph::new(name), Rect { height: 1, ..area });
    let (low, high) = bounds(least, most);
    // A point whose neighbour is missing ends a line.
    let lines: Vec<Vec<(f64, f64)>> = points
        .split(|(_, value)| !value.is_finite())
        .filter(|line| !line.is_empty())
        .map(<[(f64, f64)]>::to_vec)
        .collect();
    let gap_at = |at: f64| vec![(at, low), (at, high)];
    let gaps: Vec<Vec<(f64, f64)>> =
        strips.gaps.iter().filter(|gap| gap.t_s >= since).map(|gap| gap_at(gap.t_s)).collect();
    // Events are few, and a dot of a braille letter is easily overlooked.
    let are_dots = strips.is_of_events() || !looks.has_unicode;
    let marker = if are_dots { Marker::Dot } else { Marker::Braille };
    let graph = if strips.is_of_events() { GraphType::Scatter } else { GraphType::Line };
    let drawn = |line: &'_ [(f64, f64)], graph, colour| {
        // Borrowed for as long as the chart is drawn.
        (line.to_vec(), graph, colour)
    };
    let mut sets: Vec<_> =
        gaps.iter().map(|line| drawn(line, GraphType::Line, Color::Red)).collect();
    sets.extend(lines.iter().map(|line| drawn(line, graph, Color::Green)));
    let sets: Vec<Dataset<'_>> = sets
        .iter()
        .map(|(line, graph, colour)| {
            let set = Dataset::default().marker(marker).graph_type(*graph);
            set.style(Style::new().fg(*colour)).data(line)
        })
        .collect();
    let labels = [short(low), short(high)].map(|text| format!("{text:>8}"));
    let span_s = edge - since;
    let times = if is_last {
        vec![
            format!("-{} s", short(span_s)),
            format!("-{} s", short(span_s / 2.0)),
            "now".to_owned(),
        ]
    } else {
        Vec::new()
    };
    let chart = Chart::new(sets)
        .x_axis(Axis::default().bounds([since, edge]).labels(times).style(faint))
        .y_axis(Axis::default().bounds([low, high]).labels(labels).style(faint))
        .legend_position(None);
    let place = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    frame.render_widget(chart, place);
}

/// Where events have no numbers: their words, the newest below.
fn marks(frame: &mut Frame<'_>, strips: &Strips, area: Rect, since: f64) {
    let rows = usize::from(area.height);
    let shown = strips.events.iter().filter(|event| event.t_s >= since);
    let lines: Vec<Line<'_>> =
        shown.map(|event| Line::from(format!("{:>12.3} s  {}", event.t_s, event.words))).collect();
    let first = lines.len().saturating_sub(rows);
    frame.render_widget(Paragraph::new(lines[first..].to_vec()), area);
}

/// A range that holds both with some air, of steps that do not tremble with every sample.
fn bounds(least: Option<f64>, most: Option<f64>) -> (f64, f64) {
    let (Some(least), Some(most)) = (least, most) else { return (-1.0, 1.0) };
    let span = most - least;
    if span <= 0.0 {
        let air = least.abs().max(1.0) * 0.1;
        return (least - air, least + air);
    }
    let step = 10_f64.powf((span / 5.0).log10().floor());
    let step = if span / step > 20.0 { step * 2.0 } else { step };
    ((least / step - 0.2).floor() * step, (most / step + 0.2).ceil() * step)
}

/// A number with about four digits that count.
fn short(value: f64) -> String {
    let text = match value.abs() {
        0.0 => "0".to_owned(),
        size if !(1e-3..1e6).contains(&size) => format!("{value:.2e}"),
        size if size >= 1e3 => format!("{value:.0}"),
        size if size >= 100.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    };
    match text.contains('.') && !text.contains('e') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}
