//! The part of a spectrum that a kind looks at.

use engine::{Code, Diagnostic, Diagnostics, Node, Outline, Param};

use super::{
    cut::Cut,
    estimate::{self, Averaging},
};

pub(crate) const LOW_HZ: Param<f64> =
    Param::with_default("low_hz", 0.0, "Frequencies below this do not count.").within(0.0, 1e6);
pub(crate) const HIGH_HZ: Param<f64> =
    Param::optional("high_hz", "Nor those above this; half the rate unless written.")
        .within(1e-3, 1e6);

/// Bins from `first` on whose frequencies count, and how far apart they are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    first: usize,
    end: usize,
    bin_hz: f64,
}

impl Range {
    pub(super) fn read(node: &Node<'_>, cut: &Cut) -> Result<Self, Diagnostic> {
        let low_hz = node.get(&LOW_HZ)?;
        let high_hz = node.get_optional(&HIGH_HZ)?;
        node.check_up_to_nyquist(&HIGH_HZ, high_hz.unwrap_or(0.0), "in")?;
        let bin_hz = cut.bin_hz();
        // A bin on an edge counts, whichever way its frequency is rounded.
        let first = (low_hz / bin_hz - 1e-9).ceil().max(0.0) as usize;
        let end = high_hz.map_or(cut.bins(), |hz| (hz / bin_hz + 1e-9).floor() as usize + 1);
        let end = end.min(cut.bins());
        if first + 1 < end {
            return Ok(Self { first, end, bin_hz });
        }
        let message = format!("`low_hz` = {low_hz:?} leaves fewer than two frequencies to look at");
        let problem = node.problem(Code::OutOfRange, LOW_HZ.name(), message);
        let hint =
            format!("they are {bin_hz:.3} Hz apart: choose a wider range or a longer window");
        Err(problem.hint(hint))
    }

    /// The powers that count.
    pub(super) fn of<'a>(&self, spectrum: &'a [f64]) -> &'a [f64] {
        &spectrum[self.first..self.end]
    }

    /// The frequency of the `n`-th of them.
    pub(super) fn hz(&self, n: f64) -> f64 {
        (self.first as f64 + n) * self.bin_hz
    }
}

/// What a kind plans that says one number called `name` of each channel.
pub(super) fn outline(node: &Node<'_>, name: &str) -> Result<Outline, Diagnostics> {
    let cut = Cut::read(node, "in")?;
    Range::read(node, &cut)?;
    estimate::outline(node, &cut, Averaging::read(node, &cut)?, &[name.to_owned()])
}
