//! [`Table`]: rows of words on as many columns as there are.
//!
//! What does not fit is left out column by column, the least wanted first, and names are cut last.

use super::detail::wrapped;

/// What a word means, for those who see colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tone {
    #[default]
    Plain,
    Faint,
    Bold,
    Good,
    Warning,
    Error,
    /// Parts of a latency, told apart by their signs.
    Parts,
}

/// A word with its tone.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Cell(pub(super) String, pub(super) Tone);

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self(text.into(), Tone::Plain)
    }
}

impl Cell {
    pub(super) fn new(text: impl Into<String>, tone: Tone) -> Self {
        Self(text.into(), tone)
    }

    /// A count that is worth a look as soon as there is any.
    pub(super) fn count(count: u64) -> Self {
        match count {
            0 => Self::new("0", Tone::Faint),
            _ => Self::new(count.to_string(), Tone::Warning),
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) head: &'static str,
    pub(super) is_right: bool,
    /// Columns of the highest rank go first where there is no room; those of rank 0 never.
    pub(super) rank: u8,
}

/// A column of words.
pub(super) const fn left(head: &'static str, rank: u8) -> Column {
    Column { head, is_right: false, rank }
}

/// A column of numbers.
pub(super) const fn right(head: &'static str, rank: u8) -> Column {
    Column { head, is_right: true, rank }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    pub(super) cells: Vec<Cell>,
    /// The node that can be looked into from here.
    pub(super) node: Option<usize>,
}

#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) title: String,
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Row>,
    /// What is said where there are no rows.
    pub(super) empty: &'static str,
}

/// A line of words with their tones.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Line {
    pub(super) cells: Vec<Cell>,
    pub(super) node: Option<usize>,
    /// Whether it names columns.
    pub(super) is_head: bool,
}

impl Line {
    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self { cells: vec![text.into().into()], ..Self::default() }
    }

    pub(super) fn toned(text: impl Into<String>, tone: Tone) -> Self {
        Self { cells: vec![Cell::new(text, tone)], ..Self::default() }
    }

    pub(super) fn text(&self) -> String {
        let text: String = self.cells.iter().map(|cell| cell.0.as_str()).collect();
        // What a fault or another host says steers no terminal.
        text.trim_end().replace(char::is_control, " ")
    }
}

const BETWEEN: usize = 2;
/// A name keeps so many letters.
const NAME_MIN: usize = 6;
/// And so many while there are columns that can be left out.
const NAME_WANTED: usize = 20;

impl Table {
    /// Rows in which some cell contains `wanted`, whatever its case.
    pub(super) fn filtered(mut self, wanted: &str) -> Self {
        let wanted = wanted.to_lowercase();
        let has = |row: &Row| row.cells.iter().any(|cell| cell.0.to_lowercase().contains(&wanted));
        if !wanted.is_empty() {
            self.rows.retain(has);
            self.empty = "nothing matches the filter";
        }
        self
    }

    /// Title, heads and rows on so many columns.
    pub(super) fn lines(&self, width: usize) -> Vec<Line> {
        let mut lines = Vec::with_capacity(self.rows.len() + 2);
        if self.rows.is_empty() {
            lines.push(Line::toned(&self.title, Tone::Bold));
            let said = wrapped(&format!("  {}", self.empty), width).into_iter();
            lines.extend(said.map(|line| Line::toned(line.text(), Tone::Faint)));
            return lines;
        }
        let shown = self.fitting(width);
        let widths = self.widths(&shown, width);
        let heads: Vec<Cell> = shown
            .iter()
            .map(|&column| {
                let (head, tone) = match column {
                    // The title stands over the first column, which needs no other head.
                    0 => (self.title.as_str(), Tone::Bold),
                    _ => (self.columns[column].head, Tone::Faint),
                };
                Cell::new(head, tone)
            })
            .collect();
        lines.push(Line { is_head: true, ..self.line(&heads, &shown, &widths, None) });
        for row in &self.rows {
            let cells: Vec<Cell> =
                shown.iter().map(|&n| row.cells.get(n).cloned().unwrap_or_default()).collect();
            lines.push(self.line(&cells, &shown, &widths, row.node));
        }
        lines
    }

    fn line(&self, cells: &[Cell], shown: &[usize], widths: &[usize], node: Option<usize>) -> Line {
        let mut words = Vec::with_capacity(cells.len());
        for ((cell, &column), &width) in cells.iter().zip(shown).zip(widths) {
            let between = if words.is_empty() { 0 } else { BETWEEN };
            let text = cut(&cell.0, width);
            let blank = " ".repeat(width - len(&text));
            let text = match self.columns[column].is_right {
                true => format!("{}{blank}{text}", " ".repeat(between)),
                false => format!("{}{text}{blank}", " ".repeat(between)),
            };
            words.push(Cell::new(text, cell.1));
        }
        Line { cells: words, node, is_head: false }
    }

    fn natural(&self, column: usize) -> usize {
        let head = if column == 0 { len(&self.title) } else { len(self.columns[column].head) };
        let cells = self.rows.iter().filter_map(|row| row.cells.get(column));
        cells.map(|cell| len(&cell.0)).fold(head, usize::max)
    }

    /// A column of names may be cut to so many letters; never what heads it.
    fn least(&self, column: usize) -> usize {
        let head = if column == 0 { len(&self.title) } else { len(self.columns[column].head) };
        head.max(NAME_MIN)
    }

    /// Columns that fit, with names cut as far as they may be.
    fn fitting(&self, width: usize) -> Vec<usize> {
        let mut shown: Vec<usize> = (0..self.columns.len()).collect();
        loop {
            let least: usize = shown
                .iter()
                .map(|&n| match self.columns[n] {
                    Column { is_right: false, rank: 0, .. } => {
                        self.natural(n).min(self.least(n).max(NAME_WANTED))
                    }
                    _ => self.natural(n),
                })
                .sum();
            let most = shown.iter().map(|&n| self.columns[n].rank).max().unwrap_or(0);
            if least + BETWEEN * shown.len().saturating_sub(1) <= width || most == 0 {
                return shown;
            }
            // The last of those that are wanted least.
            let at = shown.iter().rposition(|&n| self.columns[n].rank == most);
            shown.remove(at.expect("there is one of that rank"));
        }
    }

    /// Widths of the shown columns: the longest names give way.
    fn widths(&self, shown: &[usize], width: usize) -> Vec<usize> {
        let mut widths: Vec<usize> = shown.iter().map(|&n| self.natural(n)).collect();
        let room = width.saturating_sub(BETWEEN * shown.len().saturating_sub(1));
        while widths.iter().sum::<usize>() > room {
            let cuttable = (0..shown.len()).filter(|&at| !self.columns[shown[at]].is_right);
            let Some(widest) = cuttable
                .filter(|&at| widths[at] > self.least(shown[at]))
                .max_by_key(|&at| widths[at])
            else {
                break;
            };
            widths[widest] -= 1;
        }
        widths
    }
}

fn len(text: &str) -> usize {
    text.chars().count()
}

/// The first letters, with a mark where the others were cut.
pub(super) fn cut(text: &str, width: usize) -> String {
    match len(text) {
        long if long > width => {
            text.chars().take(width.saturating_sub(1)).chain(std::iter::once('…')).collect()
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let row = |name: &str, kind: &str, rate: &str| Row {
            cells: vec![name.into(), kind.into(), rate.into()],
            node: None,
        };
        Table {
            title: "Nodes".to_owned(),
            columns: vec![left("", 0), left("kind", 2), right("calls/s", 1)],
            rows: vec![row("a_rather_long_name", "bandpass", "250"), row("b", "qrs", "1.2")],
            empty: "none",
        }
    }

    fn text(table: &Table, width: usize) -> Vec<String> {
        table.lines(width).iter().map(Line::text).collect()
    }

    #[test]
    fn columns_go_before_names_are_cut() {
        assert_eq!(
            text(&table(), 60),
            [
                "Nodes               kind      calls/s",
                "a_rather_long_name  bandpass      250",
                "b                   qrs           1.2"
            ]
        );
        assert_eq!(
            text(&table(), 29)[1..],
            ["a_rather_long_name      250".to_owned(), "b                       1.2".to_owned()]
        );
        assert_eq!(text(&table(), 22)[1], "a_rather_long_name");
        assert_eq!(text(&table(), 12)[1], "a_rather_lo…");
        for width in 0..70 {
            for line in text(&table(), width) {
                assert!(line.chars().count() <= width.max(15), "{width}: {line}");
            }
        }
    }

    #[test]
    fn a_filter_keeps_what_it_names() {
        assert_eq!(text(&table().filtered("QRS"), 60).len(), 2);
        assert_eq!(text(&table().filtered("zz"), 60)[1], "  nothing matches the filter");
    }
}
