//! Several graphs run: which one is looked at.

use ratatui::{
    Frame,
    layout::Rect,
    style::{Modifier, Style},
    widgets::Paragraph,
};

use crate::{
    drawing::{Looks, beside, clipped},
    local::{Client, Found, Trouble},
    status::clock,
};

use super::{
    screen::drawn,
    state::Key,
    table::{Cell, Row, Table, Tone, left, right},
};

pub(super) struct Choice {
    found: Vec<Found>,
    at: usize,
    /// Why the last choice came to nothing.
    pub(super) note: String,
}

impl Choice {
    pub(super) const fn new(found: Vec<Found>) -> Self {
        Self { found, at: 0, note: String::new() }
    }

    /// Whether nobody is left to choose.
    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Connects to the one that is chosen. One that is gone is no choice any more.
    pub(super) fn attach(&mut self) -> Result<Client, Trouble> {
        let attached = self.found[self.at].attach();
        if attached.is_err() {
            self.found.remove(self.at);
            self.at = self.at.min(self.found.len().saturating_sub(1));
        }
        attached
    }

    pub(super) fn press(&mut self, key: Key) {
        match key {
            Key::Up | Key::Letter('k') => self.at = self.at.saturating_sub(1),
            Key::Down | Key::Letter('j') => self.at = (self.at + 1).min(self.found.len() - 1),
            Key::Home => self.at = 0,
            Key::End => self.at = self.found.len() - 1,
            _ => {}
        }
    }

    fn table(&self) -> Table {
        let row = |(at, found): (usize, &Found)| {
            let hello = &found.hello;
            Row {
                cells: vec![
                    hello.graph.as_str().into(),
                    hello.host.as_deref().unwrap_or("-").into(),
                    hello.pid.to_string().into(),
                    clock(hello.running_s).into(),
                    Cell::new(&hello.file, Tone::Faint),
                ],
                node: Some(at),
            }
        };
        Table {
            title: format!("{} graphs run here", self.found.len()),
            columns: vec![
                left("", 0),
                left("host", 2),
                right("pid", 0),
                right("runs for", 1),
                left("file", 1),
            ],
            rows: self.found.iter().enumerate().map(row).collect(),
            empty: "none",
        }
    }

    pub(super) fn draw(&self, frame: &mut Frame<'_>, looks: Looks) {
        let area = frame.area();
        let rows = usize::from(area.height).saturating_sub(1);
        let lines = self.table().lines(usize::from(area.width));
        // The head stays; what is chosen is in sight.
        let first = (self.at + 2).saturating_sub(rows);
        let shown = lines.iter().enumerate().filter(|(n, _)| *n == 0 || *n > first);
        for (y, (n, line)) in shown.take(rows).enumerate() {
            let mut line = clipped(drawn(line), usize::from(area.width));
            if n == self.at + 1 {
                line = line.style(Style::new().add_modifier(Modifier::REVERSED));
            }
            let area = Rect { y: y as u16, height: 1, ..area };
            frame.render_widget(Paragraph::new(line), area);
        }
        let foot = Rect { y: area.height.saturating_sub(1), height: 1.min(area.height), ..area };
        let keys = [("↑ ↓ choose ", 1), ("Enter look at it ", 1), ("q quit", 0)];
        let mut parts = vec![(self.note.clone(), 0)];
        parts.extend(keys.map(|(key, rank)| (key.to_owned(), rank)));
        parts.retain(|(text, _)| !text.is_empty());
        let parts = parts.into_iter().map(|(text, rank)| (text, Style::new(), rank)).collect();
        frame.render_widget(Paragraph::new(beside(parts, usize::from(area.width))), foot);
        looks.apply(frame.buffer_mut());
    }
}
