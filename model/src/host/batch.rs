//! Questions side by side in one run, and the answers apart again.

use engine::Fault;

use crate::{
    backend::{Array, Runner, Values},
    signature::{Element, Signature, Slot},
};

use super::{
    asked::Note,
    way::{Row, Way},
};

/// Memory for the runs of one model on one thread.
pub(super) struct Batch {
    runner: Box<dyn Runner>,
    inputs: Vec<Array>,
    outputs: Vec<Vec<f32>>,
    /// Rows of the last run, and whether the file fixes them.
    rows: usize,
    is_fixed: bool,
}

impl Batch {
    pub(super) fn new(runner: Box<dyn Runner>, signature: &Signature) -> Self {
        let outputs = vec![Vec::new(); signature.outputs.len()];
        Self { runner, inputs: Vec::new(), outputs, rows: 1, is_fixed: false }
    }

    /// See [`Runner::come_here`].
    pub(super) fn come_here(&mut self) -> bool {
        self.runner.come_here()
    }

    /// Runs so many questions put that way together, whose numbers `samples` gives. Rows that are left hold the
    /// last question again: it costs what questions cost, and cannot be what a model fails on.
    pub(super) fn run<'a>(
        &mut self,
        signature: &Signature,
        way: &Way,
        questions: usize,
        samples: impl Fn(usize) -> &'a [f32] + Copy,
    ) -> Result<(), Fault> {
        let rows = way.rows_of(questions);
        if questions > rows {
            return Err(Fault::new(format!("a run has {rows} rows, not {questions}")));
        }
        (self.rows, self.is_fixed) = (rows, way.rows.is_some());
        let samples = move |row: usize| samples(row.min(questions - 1));
        self.inputs.resize_with(signature.inputs.len(), || Array {
            shape: Vec::new(),
            values: Values::F32(Vec::new()),
        });
        for (number, (slot, array)) in signature.inputs.iter().zip(&mut self.inputs).enumerate() {
            let question = if number == way.input { way.shape() } else { &way.others[number] };
            let axis = match way.rows {
                Some(_) if slot.shape.len() > question.len() => Some(0),
                _ => slot.batch_axis(),
            };
            array.shape.clear();
            array.shape.extend(shape_with(slot, question, axis, rows));
            if let Some(begins) = way.begins(number) {
                let part = move |row| &samples(row)[begins..];
                gather(slot, axis, question, rows, part, &mut array.values);
            } else {
                let count: usize = array.shape.iter().product();
                fill(slot, way.fixed[number], count, &mut array.values);
            }
        }
        for output in &mut self.outputs {
            output.clear();
        }
        self.runner.run(&self.inputs, &mut self.outputs)
    }

    /// Whether what the model gave to several questions cannot be an answer for each: outputs whose length of one
    /// answer is known have other than so many of them, as those of a model that suppresses boxes.
    pub(super) fn mixes(&self, signature: &Signature) -> bool {
        let count = |slot: &Slot| match self.is_fixed {
            true => slot.shape[1..].iter().copied().product::<Option<usize>>(),
            false => slot.count(),
        };
        let fits = |(slot, numbers): (&Slot, &Vec<f32>)| {
            count(slot).is_none_or(|count| numbers.len() == self.rows * count)
        };
        self.rows > 1 && !signature.outputs.iter().zip(&self.outputs).all(fits)
    }

    /// What the model gave to question number `row` of the last run.
    pub(super) fn row(
        &self,
        signature: &Signature,
        row: usize,
        exit: usize,
    ) -> Result<Row<'_>, Fault> {
        let (question, note, rows) = (&[][..], Note::default(), self.rows);
        let whole = Row { outputs: &self.outputs, row, rows, exit, question, note };
        for (number, slot) in signature.outputs.iter().enumerate() {
            let (len, name) = (self.outputs[number].len(), &slot.name);
            if len % rows != 0 {
                return Err(Fault::new(format!(
                    "output `{name}` has {len} numbers, which {rows} questions cannot share"
                )));
            }
            if whole.output(number).iter().any(|value| value.is_nan()) {
                return Err(Fault::data(format!("the model gave NaN in `{name}`")));
            }
        }
        Ok(whole)
    }
}

/// The shape of an input with so many questions.
fn shape_with(slot: &Slot, question: &[usize], axis: Option<usize>, rows: usize) -> Vec<usize> {
    let mut shape = question.to_vec();
    match axis {
        Some(axis) => shape.insert(axis.min(shape.len()), rows),
        None if slot.shape.first() == Some(&Some(1)) && shape.len() + 1 == slot.shape.len() => {
            shape.insert(0, 1);
        }
        None => {}
    }
    shape
}

/// Puts the questions beside each other along the dimension that counts them.
fn gather<'a>(
    slot: &Slot,
    axis: Option<usize>,
    question: &[usize],
    rows: usize,
    samples: impl Fn(usize) -> &'a [f32] + Copy,
    into: &mut Values,
) {
    let outer: usize = question[..axis.unwrap_or(0).min(question.len())].iter().product();
    let inner: usize = question[axis.unwrap_or(0).min(question.len())..].iter().product();
    let parts = (0..outer).flat_map(|part| {
        (0..rows).flat_map(move |row| &samples(row)[part * inner..(part + 1) * inner])
    });
    match slot.element {
        Element::Whole => {
            let values = whole(into);
            values.extend(parts.map(|&sample| sample as i64));
        }
        _ => {
            let values = floats(into);
            if outer == 1 {
                (0..rows).for_each(|row| values.extend_from_slice(&samples(row)[..inner]));
            } else {
                values.extend(parts);
            }
        }
    }
}

fn fill(slot: &Slot, value: f64, count: usize, into: &mut Values) {
    match slot.element {
        Element::Whole => whole(into).resize(count, value as i64),
        _ => floats(into).resize(count, value as f32),
    }
}

fn floats(values: &mut Values) -> &mut Vec<f32> {
    if !matches!(values, Values::F32(_)) {
        *values = Values::F32(Vec::new());
    }
    let Values::F32(floats) = values else { unreachable!("just made so") };
    floats.clear();
    floats
}

fn whole(values: &mut Values) -> &mut Vec<i64> {
    if !matches!(values, Values::Whole(_)) {
        *values = Values::Whole(Vec::new());
    }
    let Values::Whole(whole) = values else { unreachable!("just made so") };
    whole.clear();
    whole
}
