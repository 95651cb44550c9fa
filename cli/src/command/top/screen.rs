//! The state as cells of a terminal.

use ratatui::{
    Frame,
    layout::Rect,
    style::{Color, Modifier, Style},
    text::{Line as Drawn, Span},
    widgets::Paragraph,
};

use crate::{
    drawing::{Looks, beside, clipped, out_of_sight},
    status::{clock, per_second, times},
};

use super::{
    pages::{Page, time::SIGNS},
    state::State,
    table::{Cell, Line, Tone, cut},
};

/// Less than this shows nothing that could be read.
const COLUMNS_MIN: u16 = 40;
const ROWS_MIN: u16 = 8;

const fn style(tone: Tone) -> Style {
    match tone {
        Tone::Plain | Tone::Parts => Style::new(),
        Tone::Faint => Style::new().add_modifier(Modifier::DIM),
        Tone::Bold => Style::new().add_modifier(Modifier::BOLD),
        Tone::Good => Style::new().fg(Color::Green),
        Tone::Warning => Style::new().fg(Color::Yellow).add_modifier(Modifier::BOLD),
        Tone::Error => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
    }
}

/// A line of cells as the terminal's library has it.
pub(super) fn drawn(line: &Line) -> Drawn<'_> {
    let mut spans = Vec::with_capacity(line.cells.len());
    for Cell(text, tone) in &line.cells {
        match tone {
            Tone::Parts => spans.extend(parts(text)),
            tone => spans.push(Span::styled(text.as_str(), style(*tone))),
        }
    }
    spans.into()
}

/// Each run of a sign in its colour.
fn parts(text: &str) -> impl Iterator<Item = Span<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let sign = rest.chars().next()?;
        let end = rest.find(|other| other != sign).unwrap_or(rest.len());
        let (run, others) = rest.split_at(end);
        rest = others;
        let colours = [Color::Yellow, Color::Green, Color::Cyan];
        let known = SIGNS.iter().zip(colours).find(|((known, _), _)| *known == sign);
        Some(Span::styled(run, known.map_or(Style::new(), |(_, colour)| Style::new().fg(colour))))
    })
}

/// Room for the body on a screen.
pub(super) fn body_rows(rows: u16, troubles: usize) -> usize {
    usize::from(rows).saturating_sub(3 + trouble_rows(rows, troubles))
}

fn trouble_rows(rows: u16, troubles: usize) -> usize {
    let most = if rows < 20 { 1 } else { 3 };
    troubles.min(most)
}

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, state: &mut State, looks: Looks) {
    let area = frame.area();
    if area.width < COLUMNS_MIN || area.height < ROWS_MIN {
        let text = format!("{COLUMNS_MIN} columns and {ROWS_MIN} rows are needed");
        frame.render_widget(Paragraph::new(text), area);
        return;
    }
    let width = usize::from(area.width);
    let troubles = state.troubles();
    let shown = trouble_rows(area.height, troubles.len());
    let mut at = 0;
    let mut put = |frame: &mut Frame<'_>, line: Drawn<'_>| {
        let line = clipped(line, width);
        frame.render_widget(Paragraph::new(line), Rect { y: at, height: 1, ..area });
        at += 1;
    };
    put(frame, title(state, width));
    put(frame, tabs(state, width));
    for (n, trouble) in troubles.iter().take(shown).enumerate() {
        let more = troubles.len() - shown;
        let more =
            if n + 1 == shown && more > 0 { format!(" (and {more} more)") } else { String::new() };
        let room = width.saturating_sub(more.chars().count() + 2);
        let text = format!("! {}{more}", cut(trouble, room));
        put(frame, Drawn::styled(text, style(Tone::Error)));
    }
    let height = body_rows(area.height, troubles.len());
    let body = state.body(width, height);
    for (n, line) in body.lines.iter().enumerate() {
        let mut line = drawn(line);
        if body.chosen == Some(n) {
            // A bar over the whole width, seen without colours, too.
            let used: usize = line.spans.iter().map(|span| span.content.chars().count()).sum();
            line.push_span(" ".repeat(width.saturating_sub(used)));
            line = line.style(Style::new().add_modifier(Modifier::REVERSED));
        }
        put(frame, line);
    }
    let foot = Rect { y: area.height - 1, height: 1, ..area };
    frame.render_widget(Paragraph::new(footer(state, (body.above, body.below), width)), foot);
    looks.apply(frame.buffer_mut());
}

/// Which graph, since when, how fast.
fn title<'a>(state: &State, width: usize) -> Drawn<'a> {
    let hello = &state.hello;
    let name = match &hello.host {
        Some(host) => format!("{} as `{host}`", hello.graph),
        None => hello.graph.clone(),
    };
    let mut parts = Vec::new();
    let mut tone = Tone::Good;
    let mut word = "running".to_owned();
    if let Some(seen) = state.seen() {
        let figures = seen.figures;
        if seen.look.is_draining {
            (word, tone) = ("draining".to_owned(), Tone::Warning);
        } else if figures.sessions_open == 0 {
            word = "no session".to_owned();
        }
        let paused = |stage: &super::figures::StageFigures| {
            stage.states.iter().any(|(state, _)| state == "paused")
        };
        if figures.stages.iter().any(paused) {
            (word, tone) = ("paused".to_owned(), Tone::Warning);
        }
        parts.push(match (figures.content_s, seen.shape.duration_s) {
            (Some(done), Some(all)) => format!("{} / {}", clock(done.min(all)), clock(all)),
            _ => clock(figures.at_s),
        });
        if figures.sessions_opened > 1 {
            parts
                .push(format!("{} of {} sessions", figures.sessions_open, figures.sessions_opened));
        }
        match figures.pace {
            Some(pace) if figures.sessions_open > 0 => {
                parts.push(format!("{} real time", times(pace)))
            }
            _ => {}
        }
        parts.push(format!("{} in", per_second(figures.frames_in_per_s, "frames")));
        if figures.dropped > 0 {
            parts.push(format!("{} dropped", figures.dropped));
        }
        parts.push(format!("pid {}", hello.pid));
    }
    if state.is_silent {
        (word, tone) = ("does not answer; it may be stopped".to_owned(), Tone::Error);
    }
    if let Some(ended) = &state.ended {
        (word, tone) = (ended.clone(), Tone::Warning);
        if let Some(left) = word.strip_prefix("the process is gone") {
            word = format!("gone{left}");
            tone = Tone::Error;
        }
    }
    let mut text = String::new();
    let used = name.chars().count() + 2;
    let word = cut(&word, width.saturating_sub(used));
    let room = width.saturating_sub(used + word.chars().count());
    for part in parts {
        if text.chars().count() + part.chars().count() + 3 <= room {
            text += &format!("   {part}");
        }
    }
    Drawn::from(vec![
        Span::styled(name, style(Tone::Bold)),
        Span::raw("  "),
        Span::styled(word, style(tone)),
        Span::raw(text),
    ])
}

/// The pages, and which is shown.
fn tabs<'a>(state: &State, width: usize) -> Drawn<'a> {
    let mut spans = Vec::new();
    let mut used = 0;
    // Where there is no room for all names, those of other pages are a digit.
    let inside = state.inside.filter(|_| !state.has_help);
    let inside = inside.and_then(|at| state.shape.nodes.get(at)).map(|node| node.name.as_str());
    let all: usize = Page::ALL.iter().map(|page| page.word().len() + 4).sum();
    let all = all + inside.map_or(0, |name| name.chars().count() + 4);
    for (n, page) in Page::ALL.into_iter().enumerate() {
        let is_here = page == state.page;
        let text = match is_here || all <= width {
            true => format!(" {} {} ", n + 1, page.word()),
            false => format!(" {} ", n + 1),
        };
        used += text.chars().count();
        let tone = if is_here {
            Style::new().add_modifier(Modifier::REVERSED)
        } else {
            style(Tone::Faint)
        };
        spans.push(Span::styled(text, tone));
    }
    if let Some(name) = inside {
        let text = cut(&format!("  > {name}"), width.saturating_sub(used));
        spans.push(Span::styled(text, style(Tone::Bold)));
    }
    Drawn::from(spans)
}

/// What can be done, or what is being typed.
fn footer<'a>(state: &State, (above, below): (usize, usize), width: usize) -> Drawn<'a> {
    if state.is_typing {
        return Drawn::from(vec![
            Span::styled("/", style(Tone::Bold)),
            Span::raw(cut(&state.filter, width.saturating_sub(30))),
            Span::styled("_  Enter keeps it, Esc drops it", style(Tone::Faint)),
        ]);
    }
    let (plain, faint) = (Style::new(), style(Tone::Faint));
    let mut parts = Vec::new();
    let mut put = |text: String, style: Style, rank: u8| parts.push((text, style, rank));
    if state.is_frozen() {
        put("FROZEN, p goes on ".to_owned(), style(Tone::Warning), 0);
    }
    if !state.filter.is_empty() {
        put(format!("only `{}` ", cut(&state.filter, FILTER_MAX)), style(Tone::Warning), 2);
    }
    if let Some(others) = out_of_sight(above, below) {
        put(others + " ", plain, 3);
    }
    // The way out last, and wherever there is room for anything.
    if state.has_help {
        put("? back".to_owned(), faint, 1);
    } else {
        match state.inside {
            Some(_) => put("Esc back".to_owned(), faint, 1),
            None => {
                put("Enter look in".to_owned(), faint, 4);
                if state.page.orders().len() > 1 {
                    put(format!("s order: {}", state.order()), faint, 7);
                }
                put("/ filter".to_owned(), faint, 6);
            }
        }
        put("p freeze".to_owned(), faint, 5);
        put("? help".to_owned(), faint, 1);
    }
    put("q quit".to_owned(), faint, 0);
    beside(parts, width)
}

/// Letters of a filter that the foot tells.
const FILTER_MAX: usize = 20;

/// The text of a buffer, line by line.
#[cfg(test)]
pub(super) fn text_of(buffer: &ratatui::buffer::Buffer) -> String {
    let area = buffer.area;
    let row = |y| {
        let cells = (0..area.width).map(|x| buffer[(x, y)].symbol());
        format!("{}\n", cells.collect::<String>().trim_end())
    };
    (0..area.height).map(row).collect()
}
