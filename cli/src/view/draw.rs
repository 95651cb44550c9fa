//! A [`Picture`] on a screen of any size.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    symbols::{Marker, border},
    text::{Line as Text, Span},
    widgets::{Axis, Block, Chart, Dataset, Gauge, GraphType, Paragraph},
};

use crate::{
    drawing::{Looks, clipped},
    status::{clock, span},
};

use super::picture::{Line, Pacer, Picture, Told};

/// Rows of a line's frame at least; below that it is left out.
const LINE_HIGH: u16 = 6;
/// Rows of what events tell, at most.
const TOLD_HIGH_MAX: u16 = 10;

const SIGNAL: Color = Color::Cyan;
const HEART: Color = Color::Red;
const BREATH: Color = Color::Green;

/// Draws it.
pub(crate) fn draw(frame: &mut Frame<'_>, picture: &Picture, looks: Looks) {
    let rows = [Constraint::Length(1), Constraint::Min(0), Constraint::Length(1)];
    let [head, middle, foot] = Layout::vertical(rows).areas(frame.area());
    let columns = usize::from(head.width);
    frame.render_widget(clipped(head_of(picture), columns), head);
    frame.render_widget(clipped(foot_of(picture), columns), foot);

    let mut left = middle.height;
    let mut take = |wanted: u16| {
        let taken = if left >= wanted { wanted } else { 0 };
        left -= taken;
        taken
    };
    // What is most wanted gets its room first.
    let pacer = if picture.pacer.is_some() { take(3) } else { 0 };
    let mut lines: Vec<(&Line, Color)> = Vec::new();
    lines.extend(picture.signals.first().map(|line| (line, SIGNAL)));
    lines.extend(picture.rate.as_ref().map(|line| (line, HEART)));
    lines.extend(picture.signals.iter().skip(1).map(|line| (line, SIGNAL)));
    lines.retain(|_| take(LINE_HIGH) > 0);
    let said = told_lines(&picture.told, usize::from(middle.width.saturating_sub(2)));
    let high = (said.len() as u16 + 2).min(TOLD_HIGH_MAX);
    let told = match said.is_empty() {
        true => 0,
        // As much of it as there is room for.
        false => (3..=high).rev().map(&mut take).find(|taken| *taken > 0).unwrap_or(0),
    };
    let each = lines.iter().map(|_| Constraint::Fill(1));
    let rows = [Constraint::Length(pacer)].into_iter().chain(each);
    let rows: Vec<_> = rows.chain([Constraint::Length(told)]).collect();
    let areas = Layout::vertical(rows).split(middle);
    if let Some(pacer) = picture.pacer.as_ref().filter(|_| pacer > 0) {
        draw_pacer(frame, areas[0], pacer);
    }
    for (n, (line, colour)) in lines.iter().enumerate() {
        draw_line(frame, areas[n + 1], line, *colour);
    }
    if told > 0 {
        draw_told(frame, areas[lines.len() + 1], said);
    }
    if lines.is_empty() && pacer + told == 0 && middle.height > 0 {
        frame.render_widget(Paragraph::new("nothing has come yet"), middle);
    }
    looks.apply(frame.buffer_mut());
}

fn block(title: &str) -> Block<'static> {
    Block::bordered().border_set(border::ROUNDED).title(format!(" {title} "))
}

/// Name, progress, and the heart in numbers.
fn head_of(picture: &Picture) -> Text<'static> {
    let status = &picture.status;
    let mut parts =
        vec![Span::styled(picture.name.clone(), Style::new().add_modifier(Modifier::BOLD))];
    let mut part = |text: String, style: Style| {
        parts.push(Span::raw("   "));
        parts.push(Span::styled(text, style));
    };
    part(
        match status.progress {
            Some((done_s, all_s)) => format!("{} / {}", clock(done_s), clock(all_s)),
            None => clock(status.elapsed_s),
        },
        Style::new(),
    );
    match status.heart_bpm {
        Some(bpm) => part(format!("♥ {bpm:.0} bpm"), Style::new().fg(HEART)),
        None if status.has_heart => part("♥ learning".to_owned(), Style::new().fg(HEART)),
        None => {}
    }
    if let Some((name, ms)) = status.variability {
        part(format!("{name} {ms:.0} ms"), Style::new());
    }
    if let Some(quality) = picture.quality {
        let colour = if quality < 0.5 { Color::Yellow } else { Color::Green };
        part(format!("quality {:.0} %", 100.0 * quality), Style::new().fg(colour));
    }
    Text::from(parts)
}

/// How the engine is, what was said last, and how to leave.
fn foot_of(picture: &Picture) -> Text<'static> {
    let status = &picture.status;
    let mut parts = vec!["q leaves".to_owned()];
    if status.drains {
        parts[0] = "draining what is inside; q again stops at once".to_owned();
    }
    parts.extend(status.trouble.clone());
    parts.extend(status.links.clone());
    if let Some((p50, p99)) = status.latency_ns {
        let late = if status.is_late { " (late)" } else { "" };
        parts.push(format!("engine latency {} p99 {}{late}", span(p50), span(p99)));
    }
    if status.dropped > 0 {
        parts.push(format!("{} dropped", status.dropped));
    }
    parts.extend(picture.note.clone().filter(|_| !status.drains));
    Text::from(Span::styled(parts.join("   "), Style::new().add_modifier(Modifier::DIM)))
}

fn draw_pacer(frame: &mut Frame<'_>, area: Rect, pacer: &Pacer) {
    let label = pacer.cue.as_ref().map_or_else(String::new, |(cue, left_s)| {
        let cue = match cue.as_str() {
            "inhale" => "breathe in",
            "exhale" => "breathe out",
            other => other,
        };
        format!("{cue}   {:.0} s", left_s.ceil())
    });
    let gauge = Gauge::default()
        .block(block("breath"))
        .gauge_style(Style::new().fg(BREATH))
        .use_unicode(true)
        .ratio(pacer.target)
        .label(label);
    frame.render_widget(gauge, area);
}

fn draw_line(frame: &mut Frame<'_>, area: Rect, line: &Line, colour: Color) {
    let values = || line.pieces.iter().flatten().map(|(_, value)| *value);
    let low = values().fold(f64::INFINITY, f64::min);
    let high = values().fold(f64::NEG_INFINITY, f64::max);
    let (low, high) = match low <= high {
        true if high > low => (low, high),
        true => (low - 1.0, high + 1.0),
        false => (0.0, 1.0),
    };
    // Room for the marks of beats above.
    let top = high + if line.beats.is_empty() { 0.0 } else { 0.12 * (high - low) };
    let beats: Vec<(f64, f64)> = line.beats.iter().map(|at_s| (*at_s, top)).collect();
    let mut sets: Vec<Dataset<'_>> = line
        .pieces
        .iter()
        .map(|piece| {
            let set = Dataset::default().marker(Marker::Braille).graph_type(GraphType::Line);
            set.style(Style::new().fg(colour)).data(piece)
        })
        .collect();
    let set = Dataset::default().marker(Marker::Dot).graph_type(GraphType::Scatter);
    sets.push(set.style(Style::new().fg(HEART)).data(&beats));
    let digits = if high - low < 10.0 { 2 } else { 0 };
    let number = |value: f64| format!("{value:.digits$}");
    let times = line.span.map(|at_s| clock(at_s.max(0.0)));
    let chart = Chart::new(sets)
        .block(block(&line.title))
        .x_axis(Axis::default().bounds(line.span).labels(times))
        .y_axis(Axis::default().bounds([low, top]).labels([number(low), number(high)]))
        .legend_position(None);
    frame.render_widget(chart, area);
}

/// A line for each output, or several where there is more than has room on one.
fn told_lines(told: &[Told], columns: usize) -> Vec<Text<'static>> {
    let mut lines: Vec<Text<'static>> = Vec::new();
    let mut last = "";
    for Told { output, what, value } in told {
        if output != last {
            let name = Style::new().add_modifier(Modifier::BOLD);
            lines.push(Text::from(Span::styled(output.clone(), name)));
            last = output;
        }
        let said = Span::raw(format!("   {what} {value}"));
        let line = lines.last_mut().expect("one was begun");
        match line.width() + said.width() <= columns {
            true => line.push_span(said),
            false => lines.push(Text::from(said)),
        }
    }
    lines.into_iter().map(|line| clipped(line, columns)).collect()
}

fn draw_told(frame: &mut Frame<'_>, area: Rect, mut lines: Vec<Text<'static>>) {
    let rows = usize::from(area.height.saturating_sub(2));
    let more = lines.len().saturating_sub(rows);
    lines.truncate(rows);
    let title = if more > 0 { format!("told, {more} more lines") } else { "told".to_owned() };
    frame.render_widget(Paragraph::new(lines).block(block(&title)), area);
}

#[cfg(test)]
mod tests {
    use ratatui::{Terminal, backend::TestBackend};

    use super::*;
    use crate::status::View;

    fn shown(picture: &Picture, wide: u16, high: u16, has_unicode: bool) -> String {
        let mut terminal =
            Terminal::new(TestBackend::new(wide, high)).expect("a test's terminal is always there");
        let looks = Looks { has_colours: false, has_unicode };
        terminal.draw(|frame| draw(frame, picture, looks)).expect("it draws");
        terminal.backend().to_string()
    }

    fn heart() -> Picture {
        let wave = |n: i32| (f64::from(n) * 0.02, (f64::from(n) * 0.1).sin());
        Picture {
            name: "biofeedback".to_owned(),
            status: View {
                progress: Some((42.0, 120.0)),
                heart_bpm: Some(70.2),
                variability: Some(("RMSSD", 46.0)),
                latency_ns: Some((68_000, 92_000)),
                ..View::default()
            },
            rate: Some(Line {
                title: "heart rate (bpm)".to_owned(),
                pieces: vec![vec![(0.0, 68.0), (30.0, 74.0)], vec![(35.0, 71.0), (60.0, 69.0)]],
                span: [0.0, 60.0],
                beats: Vec::new(),
            }),
            signals: vec![Line {
                title: "ecg (mV)".to_owned(),
                pieces: vec![(0..300).map(wave).collect()],
                span: [0.0, 6.0],
                beats: vec![1.0, 2.0],
            }],
            pacer: Some(Pacer { target: 0.5, cue: Some(("inhale".to_owned(), 1.4)) }),
            told: vec![Told {
                output: "hrv".to_owned(),
                what: "RMSSD".to_owned(),
                value: "46.0 ms".to_owned(),
            }],
            quality: Some(0.93),
            note: None,
        }
    }

    #[test]
    fn a_screen_of_any_size_shows_what_is_most_wanted() {
        let picture = heart();
        let whole = shown(&picture, 80, 30, true);
        for part in ["biofeedback", "0:42 / 2:00", "♥ 70 bpm", "quality 93 %", "breathe in   2 s"]
        {
            assert!(whole.contains(part), "{part}\n{whole}");
        }
        for part in ["heart rate (bpm)", "ecg (mV)", "RMSSD 46.0 ms", "q leaves"] {
            assert!(whole.contains(part), "{part}\n{whole}");
        }
        let low = shown(&picture, 60, 12, true);
        assert!(low.contains("ecg (mV)") && !low.contains("heart rate"), "{low}");
        for (wide, high) in [(1, 1), (3, 2), (20, 5), (200, 70)] {
            shown(&picture, wide, high, true);
            shown(&Picture::default(), wide, high, true);
        }
    }

    #[test]
    fn what_is_told_goes_on_below_and_is_never_cut_in_silence() {
        let told = |what: &str, value: &str| Told {
            output: "hrv".to_owned(),
            what: what.to_owned(),
            value: value.to_owned(),
        };
        let fields = [("amplitude", "0.99 mV"), ("pnn50", "12 %"), ("RMSSD", "46.0 ms")];
        let mut picture = heart();
        picture.told = fields.map(|(what, value)| told(what, value)).into();
        let narrow = shown(&picture, 40, 30, true);
        for (what, value) in fields {
            assert!(narrow.contains(&format!("{what} {value}")), "{what}\n{narrow}");
        }
        picture.told = (0..40).map(|n| told("amplitude", &format!("{n} mV"))).collect();
        let narrow = shown(&picture, 40, 24, true);
        assert!(narrow.contains("more lines"), "{narrow}");
        // What has no room at the head and the foot has a mark.
        let edges: Vec<&str> = narrow.lines().filter(|line| line.contains('…')).collect();
        assert_eq!(edges.len(), 2, "{narrow}");
    }

    #[test]
    fn nothing_but_ascii_where_the_locale_has_nothing_else() {
        let shown = shown(&heart(), 80, 30, false);
        // The picture is quoted by the backend, line by line.
        assert!(shown.is_ascii(), "{shown}");
    }
}
