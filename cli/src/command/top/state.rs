//! [`State`]: what the screen shows, and what keys do to it. Knows no terminal.

use crate::local::message::{Hello, Look, Shape};

use super::{
    detail,
    figures::{Figures, History},
    help,
    pages::{Page, Seen, troubles},
    table::Line,
};

/// A key, as far as it means something here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Home,
    End,
    Enter,
    Back,
    Erase,
    Letter(char),
}

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Stay,
    Quit,
}

/// What is known of a process, and where in it somebody looks.
pub(super) struct State {
    pub(super) hello: Hello,
    pub(super) shape: Shape,
    history: History,
    /// What is shown: the newest, or what was newest when it was frozen.
    shown: Option<(Look, Figures)>,
    /// How it had been when it was frozen.
    held: Option<History>,
    /// Whether it was asked and has not answered.
    pub(super) is_silent: bool,
    /// How it ended, in words.
    pub(super) ended: Option<String>,
    pub(super) page: Page,
    pub(super) has_help: bool,
    /// The node that is looked into.
    pub(super) inside: Option<usize>,
    /// Order of each page, among its orders.
    orders: [usize; Page::ALL.len()],
    pub(super) filter: String,
    pub(super) is_typing: bool,
    /// Number of the chosen one among the lines that can be.
    chosen: usize,
    /// First line that is shown.
    first: usize,
}

/// What stands in the middle of the screen.
pub(super) struct Body {
    pub(super) lines: Vec<Line>,
    /// The line that is chosen.
    pub(super) chosen: Option<usize>,
    /// How many lines there are above and below.
    pub(super) above: usize,
    pub(super) below: usize,
}

impl State {
    pub(super) fn new(hello: Hello, shape: Shape) -> Self {
        Self {
            hello,
            shape,
            history: History::default(),
            shown: None,
            held: None,
            is_silent: false,
            ended: None,
            page: Page::default(),
            has_help: false,
            inside: None,
            orders: [0; Page::ALL.len()],
            filter: String::new(),
            is_typing: false,
            chosen: 0,
            first: 0,
        }
    }

    /// Takes in a look.
    pub(super) fn see(&mut self, look: Look) {
        self.history.add(look);
        if !self.is_frozen() || self.shown.is_none() {
            self.show_newest();
        }
    }

    pub(super) const fn is_frozen(&self) -> bool {
        self.held.is_some()
    }

    fn show_newest(&mut self) {
        let figures = self.history.figures(&self.shape);
        self.shown = self.history.newest().cloned().zip(figures);
    }

    pub(super) fn seen(&self) -> Option<Seen<'_>> {
        let (look, figures) = self.shown.as_ref()?;
        Some(Seen { shape: &self.shape, look, figures })
    }

    pub(super) fn order(&self) -> &'static str {
        self.page.orders()[self.orders[self.page as usize]]
    }

    /// What is wrong, in a sentence each.
    pub(super) fn troubles(&self) -> Vec<String> {
        self.seen().map(troubles).unwrap_or_default()
    }

    /// The lines of the page, so many columns wide and so many lines high.
    pub(super) fn body(&mut self, width: usize, height: usize) -> Body {
        let lines = self.lines(width);
        let choices: Vec<usize> = (0..lines.len()).filter(|&n| lines[n].node.is_some()).collect();
        let can_choose = self.inside.is_none() && !self.has_help;
        self.chosen = self.chosen.min(choices.len().saturating_sub(1));
        let chosen = choices.get(self.chosen).copied().filter(|_| can_choose);
        let last_first = lines.len().saturating_sub(height);
        if let Some(chosen) = chosen {
            // With what stands over the first choice, and one more line than needed.
            let top = if self.chosen == 0 { 0 } else { chosen.saturating_sub(1) };
            self.first = self.first.clamp((chosen + 2).saturating_sub(height).min(top), top);
        }
        self.first = self.first.min(last_first);
        let below = last_first - self.first;
        let above = self.first;
        let shown = lines.into_iter().skip(above).take(height).collect();
        Body { lines: shown, chosen: chosen.and_then(|n| n.checked_sub(above)), above, below }
    }

    fn lines(&self, width: usize) -> Vec<Line> {
        if self.has_help {
            return help::lines(width);
        }
        let Some(seen) = self.seen() else {
            return vec![Line::plain("nothing has been heard yet")];
        };
        if let Some(node) = self.inside {
            return detail::lines(seen, self.held.as_ref().unwrap_or(&self.history), node, width);
        }
        self.page.lines(seen, self.orders[self.page as usize], &self.filter, width)
    }

    /// The node of the line that is chosen.
    fn node_chosen(&self, width: usize) -> Option<usize> {
        self.lines(width).iter().filter_map(|line| line.node).nth(self.chosen)
    }

    /// Does what a key asks, on a screen of so many columns.
    pub(super) fn press(&mut self, key: Key, width: usize, height: usize) -> Wish {
        if self.is_typing {
            self.type_into_filter(key);
            return Wish::Stay;
        }
        let page = height.saturating_sub(1).max(1);
        match key {
            Key::Letter('q') => return Wish::Quit,
            Key::Back | Key::Erase if self.has_help => self.has_help = false,
            Key::Back | Key::Erase | Key::Left | Key::Letter('h') if self.inside.is_some() => {
                self.inside = None;
                self.first = 0;
            }
            Key::Back if !self.filter.is_empty() => self.filter.clear(),
            Key::Letter('?') => {
                self.has_help = !self.has_help;
                self.first = 0;
            }
            Key::Up | Key::Letter('k') => self.go(-1),
            Key::Down | Key::Letter('j') => self.go(1),
            Key::PageUp => self.go(-(page as isize)),
            Key::PageDown | Key::Letter(' ') => self.go(page as isize),
            Key::Home | Key::Letter('g') => self.go(isize::MIN / 2),
            Key::End | Key::Letter('G') => self.go(isize::MAX / 2),
            Key::Left | Key::Letter('h') => self.turn(Page::ALL.len() - 1),
            Key::Right | Key::Letter('l' | '\t') => self.turn(1),
            Key::Letter(digit @ '1'..='8') => {
                self.leaf(Page::ALL[digit as usize - '1' as usize]);
            }
            Key::Enter if !self.has_help && self.inside.is_none() => {
                self.inside = self.node_chosen(width);
                self.first = 0;
            }
            Key::Letter('s') => {
                let order = &mut self.orders[self.page as usize];
                *order = (*order + 1) % self.page.orders().len();
            }
            Key::Letter('/') => {
                self.is_typing = true;
                self.inside = None;
                self.has_help = false;
            }
            Key::Letter('p') => {
                self.held = if self.is_frozen() { None } else { Some(self.history.clone()) };
                if !self.is_frozen() {
                    self.show_newest();
                }
            }
            _ => {}
        }
        Wish::Stay
    }

    fn type_into_filter(&mut self, key: Key) {
        match key {
            Key::Letter(letter) if !letter.is_control() && self.filter.len() < 64 => {
                self.filter.push(letter);
            }
            Key::Erase => {
                self.filter.pop();
            }
            Key::Back => {
                self.filter.clear();
                self.is_typing = false;
            }
            Key::Enter => self.is_typing = false,
            _ => {}
        }
        self.chosen = 0;
        self.first = 0;
    }

    /// Moves the choice, or what is shown where there is nothing to choose. Ends are held in `body`.
    fn go(&mut self, by: isize) {
        if self.inside.is_some() || self.has_help {
            self.first = self.first.saturating_add_signed(by);
        } else {
            self.chosen = self.chosen.saturating_add_signed(by);
        }
    }

    fn turn(&mut self, by: usize) {
        let at = (self.page as usize + by) % Page::ALL.len();
        self.leaf(Page::ALL[at]);
    }

    fn leaf(&mut self, page: Page) {
        self.page = page;
        self.inside = None;
        self.has_help = false;
        self.chosen = 0;
        self.first = 0;
    }
}
