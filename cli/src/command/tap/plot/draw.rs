//! Strips as cells of a terminal, one below the other.

use std::{collections::VecDeque, ops::Range, time::Duration};

use engine::counted;
use ratatui::{
    Frame,
    layout::Rect,
    style::{Color, Modifier, Style},
    symbols::Marker,
    text::{Line, Span},
    widgets::{Axis, Chart, Dataset, GraphType, Paragraph},
};
use unicode_width::UnicodeWidthStr;

use super::{
    super::Tally,
    Strips,
    strips::{Marked, Strip},
};
use crate::drawing::{Looks, beside, clipped, out_of_sight};

/// What stands beside the drawing.
pub(crate) struct Caption<'a> {
    pub(crate) label: &'a str,
    pub(crate) session: u32,
    pub(crate) window_s: f64,
    pub(crate) is_frozen: bool,
    pub(crate) tally: &'a Tally,
}

/// Rows that a strip of numbers takes at least, with the line that names it.
const ROWS_MIN: usize = 5;
/// And those that words take: the line that names them, and one on which they stand where they were said.
const ROWS_OF_WORDS: usize = 2;

/// Draws the strips that there is room for from `first` on, and says which was the first: where all others have
/// room, earlier ones are shown as well.
pub(crate) fn draw(
    frame: &mut Frame<'_>,
    strips: &Strips,
    caption: &Caption<'_>,
    first: usize,
    now: Option<Duration>,
    looks: Looks,
) -> usize {
    let area = frame.area();
    if area.width < 30 || area.height < 8 {
        frame.render_widget(Paragraph::new("30 columns and 8 rows are needed"), area);
        return first;
    }
    let row = |y: u16| Rect { y, height: 1, ..area };
    let edge = strips.edge(now);
    let since = edge - caption.window_s;
    let rows = usize::from(area.height) - 2;
    let shown = if strips.has_numbers() { fitting(&strips.all, first, rows) } else { 0..0 };
    put(frame, head(caption), row(0));
    let all = strips.all.len() + strips.more;
    let below = if strips.has_numbers() { all - shown.end } else { 0 };
    put(frame, foot((shown.start, below), caption, area.width), row(area.height - 1));
    if !strips.has_any() {
        let text = "nothing has come by yet";
        let place =
            Rect { x: area.width.saturating_sub(text.len() as u16) / 2, ..row(area.height / 2) };
        frame.render_widget(Paragraph::new(text), place);
    } else if !strips.has_numbers() {
        marks(frame, strips, Rect { y: 1, height: rows as u16, ..area }, since);
    }
    let mut y = 1;
    let heights = heights(&strips.all[shown.clone()], rows);
    let last = shown.clone().rfind(|&n| strips.all[n].words.is_none());
    // Names without lines would tell nothing.
    for (n, height) in shown.clone().zip(heights).filter(|_| strips.has_any()) {
        let (strip, place) = (&strips.all[n], Rect { y, height, ..area });
        match &strip.words {
            Some(said) => words(frame, &strip.name, said, place, (since, edge)),
            None => one(frame, strips, strip, place, (since, edge), last == Some(n), looks),
        }
        y += height;
    }
    looks.apply(frame.buffer_mut());
    shown.start
}

const fn least(strip: &Strip) -> usize {
    if strip.words.is_some() { ROWS_OF_WORDS } else { ROWS_MIN }
}

/// Strips that have room on so many rows, from `first` or before.
fn fitting(all: &[Strip], first: usize, rows: usize) -> Range<usize> {
    let count = |strips: &mut dyn Iterator<Item = &Strip>| {
        let mut left = rows;
        let fits =
            |strip: &&Strip| left.checked_sub(least(strip)).map(|rest| left = rest).is_some();
        strips.take_while(fits).count().max(1)
    };
    let last_first = all.len().saturating_sub(count(&mut all.iter().rev()));
    let first = first.min(last_first);
    first..(first + count(&mut all[first..].iter())).min(all.len())
}

/// Rows of each: what words leave is for the numbers.
fn heights(shown: &[Strip], rows: usize) -> Vec<u16> {
    let numbers = shown.iter().filter(|strip| strip.words.is_none()).count();
    let left = rows.saturating_sub((shown.len() - numbers) * ROWS_OF_WORDS);
    let mut nth = 0;
    let height = |strip: &Strip| match strip.words {
        Some(_) => ROWS_OF_WORDS as u16,
        None => {
            nth += 1;
            (left / numbers + usize::from(nth <= left % numbers)) as u16
        }
    };
    shown.iter().map(height).collect()
}

fn put(frame: &mut Frame<'_>, line: Line<'_>, place: Rect) {
    frame.render_widget(Paragraph::new(clipped(line, usize::from(place.width))), place);
}

fn head<'a>(caption: &Caption<'_>) -> Line<'a> {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let session = match caption.session {
        0 => String::new(),
        session => format!(" of session {session}"),
    };
    let frames = format!("{session}   {}", counted(caption.tally.frames, "frame"));
    let mut spans = vec![Span::styled(caption.label.to_owned(), bold), Span::raw(frames)];
    let warning = Style::new().fg(Color::Yellow).add_modifier(Modifier::BOLD);
    let gaps: u64 = caption.tally.gaps.iter().map(|(_, frames)| frames).sum();
    if gaps > 0 {
        spans.push(Span::styled(format!("   {}", counted(gaps, "gap")), warning));
    }
    if caption.tally.missed > 0 {
        spans.push(Span::styled(format!("   {} missed", caption.tally.missed), warning));
    }
    if let Some(over) = &caption.tally.over {
        spans.push(Span::styled(format!("   {over}"), warning));
    }
    Line::from(spans)
}

/// What is out of sight, and the keys; where there is no room the least wanted of them are left out.
fn foot<'a>((above, below): (usize, usize), caption: &Caption<'_>, columns: u16) -> Line<'a> {
    let faint = Style::new().add_modifier(Modifier::DIM);
    let warning = Style::new().fg(Color::Yellow).add_modifier(Modifier::BOLD);
    let window = format!("the last {} s ", caption.window_s);
    let mut parts = Vec::new();
    if caption.is_frozen {
        parts.push(("FROZEN ".to_owned(), warning, 0));
    }
    if let Some(others) = out_of_sight(above, below) {
        parts.push((others + " ", Style::new(), 1));
        parts.push(("↑ ↓ others".to_owned(), faint, 2));
    }
    let keys = [(window, 4), ("+ closer  - wider".to_owned(), 5), ("p freeze".to_owned(), 3)];
    parts.extend(keys.map(|(text, rank)| (text, faint, rank)));
    parts.push(("q quit".to_owned(), faint, 0));
    beside(parts, usize::from(columns))
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
    put(frame, name, Rect { height: 1, ..area });
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

/// Columns before a drawing, which numbers at its side take.
const SIDE: u16 = 9;

/// A strip of words: its name with what was said last, and all of them where they were said.
fn words(
    frame: &mut Frame<'_>,
    name: &str,
    said: &VecDeque<Marked>,
    area: Rect,
    (since, edge): (f64, f64),
) {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let faint = Style::new().add_modifier(Modifier::DIM);
    let seen = || said.iter().filter(|mark| mark.t_s >= since && mark.t_s <= edge);
    let last = match seen().next_back() {
        Some(mark) => format!("   {}", mark.words),
        None => "   nothing in this window".to_owned(),
    };
    let name = Line::from(vec![Span::styled(name.to_owned(), bold), Span::styled(last, faint)]);
    put(frame, name, Rect { height: 1, ..area });
    let columns = area.width.saturating_sub(SIDE + 1);
    // Of those that stand on each other the newest is seen; each ends before the next.
    let mut end = area.width;
    for mark in seen().rev() {
        let share = (mark.t_s - since) / (edge - since).max(1e-9);
        let x = SIDE + (share * f64::from(columns)).round() as u16;
        // The newest stands whole at the edge; between two others is a blank.
        let (x, room) = match end == area.width {
            true => {
                let x = x.min(area.width.saturating_sub(mark.words.width() as u16)).max(SIDE);
                (x, end - x)
            }
            false => (x, end.saturating_sub(x + 1)),
        };
        if room > 0 {
            let place = Rect { x: area.x + x, y: area.y + 1, width: room, height: 1 };
            put(frame, Line::from(Span::styled(mark.words.clone(), Color::Green)), place);
            end = x;
        }
    }
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
