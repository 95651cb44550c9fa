//! [`Signature`]: what a model takes and gives, as its file says.

use std::fmt;

/// The names, types and shapes of a model's inputs and outputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Signature {
    /// What it takes.
    pub inputs: Vec<Slot>,
    /// What it gives; lengths may be unknown.
    pub outputs: Vec<Slot>,
}

/// One input or output of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Slot {
    /// Its name in the file.
    pub name: String,
    /// Type of its numbers.
    pub element: Element,
    /// Lengths of its dimensions, outermost first; none where a dimension is open.
    pub shape: Vec<Option<usize>>,
}

/// Type of the numbers of an input or output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// 32-bit float.
    F32,
    /// Whole numbers of 64 or 32 bits, or truth values.
    Whole,
    /// Something that is not taken or given here: text, half floats, sequences.
    Other,
}

impl Slot {
    /// The dimension that counts the questions of a batch: the first open one, if there is one.
    pub fn batch_axis(&self) -> Option<usize> {
        self.shape.iter().position(Option::is_none)
    }

    /// The shape of one question: without the dimension that counts questions, which where it is fixed
    /// must be the first and one.
    pub fn question(&self) -> Vec<Option<usize>> {
        let mut shape = self.shape.clone();
        match self.batch_axis() {
            Some(axis) => drop(shape.remove(axis)),
            None if shape.first() == Some(&Some(1)) => drop(shape.remove(0)),
            None => {}
        }
        shape
    }

    /// Numbers of one question, where no further dimension is open.
    pub fn count(&self) -> Option<usize> {
        let lens: Option<Vec<usize>> = self.question().into_iter().collect();
        lens?.into_iter().try_fold(1_usize, usize::checked_mul)
    }
}

impl Signature {
    /// How many questions a run may have at most, as the file fixes it: the length, more than one, that the first
    /// dimension of this input and of every output have in common, where nothing else of the input is open. Whether
    /// that dimension does count questions, the file does not say.
    pub fn rows(&self, input: usize) -> Option<usize> {
        let shape = &self.inputs.get(input)?.shape;
        let rows = shape.first().copied().flatten().filter(|&rows| rows > 1)?;
        let is_fixed = shape.len() > 1 && !shape.contains(&None);
        let counts =
            |slot: &Slot| slot.shape.first().is_some_and(|len| len.is_none_or(|len| len == rows));
        (is_fixed && !self.outputs.is_empty() && self.outputs.iter().all(counts)).then_some(rows)
    }

    /// The same, with first dimensions of this length open, as those that count questions.
    #[must_use]
    pub fn by_rows(&self, rows: usize) -> Self {
        let mut all = self.clone();
        for slot in all.inputs.iter_mut().chain(&mut all.outputs) {
            if slot.shape.first() == Some(&Some(rows)) {
                slot.shape[0] = None;
            }
        }
        all
    }

    /// Whether several questions can be asked at once: every output counts them in its first dimension.
    pub fn batches(&self) -> bool {
        self.inputs.iter().any(|input| input.batch_axis().is_some())
            && self.outputs.iter().all(|output| output.batch_axis() == Some(0))
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let element = match self.element {
            Element::F32 => "f32",
            Element::Whole => "i64",
            Element::Other => "?",
        };
        write!(f, "{} {element}[", self.name)?;
        for (n, len) in self.shape.iter().enumerate() {
            let comma = if n == 0 { "" } else { ", " };
            match len {
                Some(len) => write!(f, "{comma}{len}")?,
                None => write!(f, "{comma}?")?,
            }
        }
        f.write_str("]")
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list =
            |slots: &[Slot]| slots.iter().map(Slot::to_string).collect::<Vec<_>>().join(", ");
        write!(f, "{} → {}", list(&self.inputs), list(&self.outputs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(shape: &[i64]) -> Slot {
        let shape = shape.iter().map(|&len| usize::try_from(len).ok()).collect();
        Slot { name: "x".to_owned(), element: Element::F32, shape }
    }

    #[test]
    fn a_question_is_one_of_a_batch() {
        assert_eq!(slot(&[-1, 1, 256]).question(), [Some(1), Some(256)]);
        assert_eq!(slot(&[1, 3, 8, 8]).question(), [Some(3), Some(8), Some(8)]);
        assert_eq!(slot(&[2, -1, 128]).question(), [Some(2), Some(128)]);
        assert_eq!(slot(&[2, -1, 128]).batch_axis(), Some(1));
        assert_eq!(slot(&[-1, -1]).count(), None);
        assert_eq!(slot(&[-1, 4, 2]).count(), Some(8));
        assert_eq!(slot(&[-1, 4]).to_string(), "x f32[?, 4]");
    }

    #[test]
    fn a_file_may_fix_how_many_questions_a_run_has() {
        let of = |input: &[i64], output: &[i64]| Signature {
            inputs: vec![slot(input)],
            outputs: vec![slot(output)],
        };
        assert_eq!(of(&[8, 256], &[8, 10]).rows(0), Some(8));
        assert_eq!(of(&[8, 256], &[-1, 10]).rows(0), Some(8));
        for (input, output) in [
            (&[1, 256][..], &[1, 10][..]),
            (&[-1, 256], &[-1, 10]),
            (&[8, -1], &[8, 10]),
            (&[8, 256], &[10]),
            (&[8], &[8]),
        ] {
            assert_eq!(of(input, output).rows(0), None, "{input:?} {output:?}");
        }
        assert_eq!(of(&[8, 256], &[8, 10]).by_rows(8), of(&[-1, 256], &[-1, 10]));
    }
}
