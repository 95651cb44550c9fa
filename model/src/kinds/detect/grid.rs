//! FastestDet, which gives one box a cell of a grid.
//!
//! A cell in row r and column c of R × C has the channels objectness o, box b₀ … b₃ and scores of classes p.
//!
//! ```text
//! score = o^0.6 · max(p)^0.4
//! middle = (c + tanh b₀) / C, (r + tanh b₁) / R    width, height = σ(b₂), σ(b₃)
//! ```
//!
//! All in shares of the picture. Source: dog-qiuqiu/FastestDet, `example/onnx-runtime/runtime.py`.

use engine::Fault;

use crate::signature::Slot;

use super::found::Found;

/// Channels before the classes.
const BEFORE: usize = 5;

/// How FastestDet's output becomes boxes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Grid {
    pub(super) output: usize,
    pub(super) classes: usize,
    /// Columns, where the model says so; else the grid is a square.
    columns: Option<usize>,
}

impl Grid {
    /// For a model with these outputs, or why they are none of FastestDet.
    pub(super) fn of(outputs: &[Slot]) -> Result<Self, String> {
        let find = |(output, slot): (usize, &Slot)| match slot.question()[..] {
            [Some(channels), _, columns] if channels > BEFORE => {
                Some(Self { output, classes: channels - BEFORE, columns })
            }
            _ => None,
        };
        let found = outputs.iter().enumerate().find_map(find);
        found.ok_or_else(|| {
            "it lacks an output [5 + classes, rows, columns] of FastestDet".to_owned()
        })
    }

    /// What is at least so likely.
    pub(super) fn found(&self, numbers: &[f32], least: f64) -> Result<Vec<Found>, Fault> {
        let cells = numbers.len() / (BEFORE + self.classes);
        let columns = self.columns.unwrap_or(cells.isqrt()).max(1);
        let rows = cells / columns;
        if cells * (BEFORE + self.classes) != numbers.len() || rows * columns != cells {
            return Err(Fault::data(format!("the model gave {} numbers, no grid", numbers.len())));
        }
        let mut found = Vec::new();
        for cell in 0..cells {
            let of = |channel: usize| f64::from(numbers[channel * cells + cell]);
            let classes = (0..self.classes).map(|class| (class, of(BEFORE + class)));
            let best = classes.reduce(|best, next| if next.1 > best.1 { next } else { best });
            let (class, likely) = best.unwrap_or_default();
            let score = of(0).max(0.0).powf(0.6) * likely.max(0.0).powf(0.4);
            if score < least {
                continue;
            }
            let (row, column) = ((cell / columns) as f64, (cell % columns) as f64);
            let x = (column + of(1).tanh()) / columns as f64;
            let y = (row + of(2).tanh()) / rows as f64;
            found.push(Found::around(class, score, [x, y, sigmoid(of(3)), sigmoid(of(4))]));
        }
        Ok(found)
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_becomes_a_box_by_the_formula() {
        // Two rows of three cells and two classes; the cell in row 1, column 1.
        let grid = Grid { output: 0, classes: 2, columns: Some(3) };
        let mut numbers = vec![0.0; 7 * 6];
        for (channel, number) in [0.9, 0.0, 0.5, 0.0, 2.0, 0.1, 0.8].into_iter().enumerate() {
            numbers[channel * 6 + 4] = number;
        }
        let found = grid.found(&numbers, 0.5).expect("a grid");
        assert_eq!(found.len(), 1);
        // Rounding of single precision.
        let near = |got: f64, want: f64| assert!((got - want).abs() < 1e-6, "{got} is not {want}");
        assert_eq!(found[0].class, 1);
        near(found[0].score, 0.9_f64.powf(0.6) * 0.8_f64.powf(0.4));
        let (x, y) = (1.0 / 3.0, (1.0 + 0.5_f64.tanh()) / 2.0);
        let high = 1.0 / (1.0 + (-2.0_f64).exp());
        let want = [x - 0.25, y - high / 2.0, x + 0.25, y + high / 2.0];
        found[0].corners.into_iter().zip(want).for_each(|(got, want)| near(got, want));
        assert!(grid.found(&numbers[1..], 0.5).is_err());
    }
}
