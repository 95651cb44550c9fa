//! [`Feed`]: what is put to each input of a model: data, a fixed number, or noise.

use crate::{
    backend::{Array, Values},
    calibrate,
    signature::{Element, Signature, Slot},
};

use super::{
    data::{Column, Dataset},
    trouble::Trouble,
};

/// What somebody says about inputs that no data feeds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Given {
    /// One number for all of an input, by its name.
    pub fixed: Vec<(String, f64)>,
    /// The shape of one question, by the name of the input: needed where a length is open.
    pub shapes: Vec<(String, Vec<usize>)>,
}

/// How a model is fed.
#[derive(Debug)]
pub struct Feed<'a> {
    inputs: Vec<Input<'a>>,
    /// Questions there are; endless without data.
    rows: Option<usize>,
    batches: bool,
}

#[derive(Debug)]
struct Input<'a> {
    slot: &'a Slot,
    /// The shape of one question.
    shape: Vec<usize>,
    numbers: Numbers<'a>,
}

#[derive(Debug)]
enum Numbers<'a> {
    Column(&'a Column),
    Fixed(f64),
    Noise,
}

/// Most numbers of one question: a mistyped shape takes no memory.
const COUNT_MAX: usize = 1 << 28;

impl<'a> Feed<'a> {
    /// Feeds a model of this signature: inputs that are fixed first, then columns called like an input; one
    /// called `x` feeds the only input that is left. Without data what is left gets noise.
    ///
    /// # Errors
    /// If a name is none of the model's, an input is left, or a shape does not fit.
    pub fn new(
        signature: &'a Signature,
        data: Option<&'a Dataset>,
        given: &Given,
    ) -> Result<Self, Trouble> {
        let named = given.fixed.iter().map(|(name, _)| name);
        for name in named.chain(given.shapes.iter().map(|(name, _)| name)) {
            if !signature.inputs.iter().any(|slot| slot.name == *name) {
                let message = format!("the model has no input `{name}`");
                return Err(Trouble::asked(message, format!("it takes {signature}")));
            }
        }
        let free = |slot: &&Slot| !given.fixed.iter().any(|(name, _)| *name == slot.name);
        let only = signature.inputs.iter().filter(free).count() == 1;
        let input = |slot: &'a Slot| {
            let fixed = given.fixed.iter().find(|(name, _)| *name == slot.name);
            let find = |name: &str| data?.columns.iter().find(|column| column.name == name);
            let column = find(&slot.name).or_else(|| only.then(|| find("x")).flatten());
            let numbers = match (fixed, column, data) {
                (Some((_, value)), ..) => Numbers::Fixed(*value),
                (None, Some(column), _) => Numbers::Column(column),
                (None, None, None) => Numbers::Noise,
                (None, None, Some(data)) => return Err(unfed(slot, data)),
            };
            if slot.element == Element::Other {
                let message = format!("the input `{slot}` is of a type that is not run here");
                return Err(Trouble::file(
                    message,
                    "export the model with inputs of float32 or int64",
                ));
            }
            let shape = shape_of(slot, &numbers, given)?;
            Ok(Input { slot, shape, numbers })
        };
        let inputs = signature.inputs.iter().map(input).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { inputs, rows: data.map(|data| data.rows), batches: signature.batches() })
    }

    /// Questions there are; none where they are made up.
    pub const fn rows(&self) -> Option<usize> {
        self.rows
    }

    /// Whether several questions can be asked at once.
    pub const fn batches(&self) -> bool {
        self.batches
    }

    /// The inputs of a run with `rows` questions from the one of number `first` on; where there are no so many,
    /// it begins anew with the first.
    ///
    /// # Errors
    /// If numbers do not fit the input's type.
    pub fn arrays(&self, first: usize, rows: usize) -> Result<Vec<Array>, Trouble> {
        self.inputs.iter().map(|input| input.array(first, rows, self.rows)).collect()
    }
}

fn unfed(slot: &Slot, data: &Dataset) -> Trouble {
    let names: Vec<&str> = data.columns.iter().map(|column| column.name.as_str()).collect();
    let (path, names) = (&data.path, names.join("`, `"));
    let message = format!("`{path}` has `{names}`, and nothing for the input `{slot}`");
    let hint =
        format!("call the array `{0}`, or give the input a number: `--fixed {0}=0`", slot.name);
    Trouble::file(message, hint)
}

/// The shape of one question.
fn shape_of(slot: &Slot, numbers: &Numbers<'_>, given: &Given) -> Result<Vec<usize>, Trouble> {
    let question = slot.question();
    let fits = |shape: &[usize]| {
        shape.len() == question.len()
            && shape.iter().zip(&question).all(|(len, wanted)| wanted.is_none_or(|n| n == *len))
    };
    let wanted = || {
        let lens = question.iter().map(|len| len.map_or("?".to_owned(), |len| len.to_string()));
        format!("[{}]", lens.collect::<Vec<_>>().join(", "))
    };
    if let Numbers::Column(column) = numbers {
        if fits(&column.shape) {
            return Ok(column.shape.clone());
        }
        let (name, shape) = (&column.name, &column.shape);
        let message = format!(
            "a question of `{name}` has the shape {shape:?}, but the input `{slot}` takes {}",
            wanted()
        );
        let hint = "the first dimension of the data counts questions; reshape the rest";
        return Err(Trouble::file(message, hint));
    }
    let shape = match given.shapes.iter().find(|(name, _)| *name == slot.name) {
        Some((name, shape)) if !fits(shape) => {
            let message = format!(
                "`--shape {name}` is {shape:?}, but a question of `{slot}` is {}",
                wanted()
            );
            return Err(Trouble::asked(message, "leave out the dimension that counts questions"));
        }
        Some((_, shape)) => shape.clone(),
        None => {
            let whole: Option<Vec<usize>> = question.iter().copied().collect();
            whole.ok_or_else(|| {
                let message = format!("the input `{slot}` leaves lengths open");
                let lens = vec!["64"; question.len()].join(",");
                let hint = format!("say the shape of one question: `--shape {}={lens}`", slot.name);
                Trouble::asked(message, hint)
            })?
        }
    };
    let count = shape.iter().try_fold(1_usize, |count, &len| count.checked_mul(len));
    if count.is_none_or(|count| count > COUNT_MAX) {
        let message = format!("a question of `{slot}` would be of more than {COUNT_MAX} numbers");
        return Err(Trouble::asked(message, "say a smaller `--shape`"));
    }
    Ok(shape)
}

impl Input<'_> {
    fn array(&self, first: usize, rows: usize, all: Option<usize>) -> Result<Array, Trouble> {
        let axis = self.slot.batch_axis();
        let mut shape = self.shape.clone();
        match axis {
            Some(axis) => shape.insert(axis.min(shape.len()), rows),
            None if shape.len() + 1 == self.slot.shape.len() => shape.insert(0, 1),
            None => {}
        }
        // Along any but the first dimension, questions lie interleaved.
        let axis = axis.unwrap_or(0).min(self.shape.len());
        let outer: usize = self.shape[..axis].iter().product();
        let inner: usize = self.shape[axis..].iter().product();
        let rows = if self.slot.batch_axis().is_some() { rows } else { 1 };
        let places = (0..outer).flat_map(|part| {
            (first..first + rows).flat_map(move |row| {
                let row = all.map_or(row, |all| row % all);
                (0..inner).map(move |n| (row, part * inner + n))
            })
        });
        let len = outer * inner;
        let values = match (self.slot.element, &self.numbers) {
            (Element::Whole, Numbers::Fixed(value)) => {
                Values::Whole(vec![*value as i64; len * rows])
            }
            (_, Numbers::Fixed(value)) => Values::F32(vec![*value as f32; len * rows]),
            // The numbers of words, most often: the first two there are in any list.
            (Element::Whole, Numbers::Noise) => {
                Values::Whole(places.map(|(row, n)| i64::from(noise(row, n) > 0.0)).collect())
            }
            (_, Numbers::Noise) => Values::F32(places.map(|(row, n)| noise(row, n)).collect()),
            (element, Numbers::Column(column)) => match (&column.values, element) {
                (Values::Whole(all), Element::Whole) => {
                    Values::Whole(places.map(|(row, n)| all[row * len + n]).collect())
                }
                (Values::Whole(all), _) => {
                    Values::F32(places.map(|(row, n)| all[row * len + n] as f32).collect())
                }
                (Values::F32(all), Element::Whole) => {
                    let whole = |(row, n)| {
                        let value: f32 = all[row * len + n];
                        let is_whole = value.fract() == 0.0;
                        is_whole.then_some(value as i64).ok_or_else(|| {
                            let (name, slot) = (&column.name, self.slot);
                            let message = format!(
                                "question {row} of `{name}` has {value}, but `{slot}` takes whole numbers"
                            );
                            Trouble::file(message, "save the array as int64")
                        })
                    };
                    Values::Whole(places.map(whole).collect::<Result<_, _>>()?)
                }
                (Values::F32(all), _) => {
                    Values::F32(places.map(|(row, n)| all[row * len + n]).collect())
                }
            },
        };
        Ok(Array { shape, values })
    }
}

/// A number from −1 to 1 that depends on where it stands alone.
fn noise(row: usize, n: usize) -> f32 {
    calibrate::noise(((row as u64) << 32) ^ n as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(name: &str, element: Element, shape: &[i64]) -> Slot {
        let shape = shape.iter().map(|&len| usize::try_from(len).ok()).collect();
        Slot { name: name.to_owned(), element, shape }
    }

    fn signature(inputs: Vec<Slot>) -> Signature {
        Signature { inputs, outputs: vec![slot("out", Element::F32, &[-1, 2])] }
    }

    fn data(shape: &[usize], values: Values, rows: usize) -> Dataset {
        let column = Column { name: "x".to_owned(), shape: shape.to_vec(), values };
        Dataset { path: "d.npz".to_owned(), content: 0, rows, columns: vec![column], truth: None }
    }

    #[test]
    fn questions_interleave_where_an_inner_dimension_counts_them() {
        let signature = signature(vec![slot("state", Element::F32, &[2, -1, 2])]);
        let data = data(&[2, 2], Values::F32((0..8).map(|n| n as f32).collect()), 2);
        let feed = Feed::new(&signature, Some(&data), &Given::default()).expect("fits");

        let arrays = feed.arrays(0, 2).expect("floats");

        assert_eq!(arrays[0].shape, [2, 2, 2]);
        let values = Values::F32(vec![0.0, 1.0, 4.0, 5.0, 2.0, 3.0, 6.0, 7.0]);
        assert_eq!(arrays[0].values, values);
        assert_eq!(feed.arrays(1, 1), feed.arrays(3, 1), "it begins anew");
    }

    #[test]
    fn the_same_question_is_the_same_noise_in_every_batch() {
        let signature = signature(vec![slot("x", Element::F32, &[-1, 3])]);
        let feed = Feed::new(&signature, None, &Given::default()).expect("fits");
        let [two, second] = [feed.arrays(0, 2), feed.arrays(1, 1)].map(|made| {
            let Values::F32(values) = &made.expect("floats")[0].values else { panic!("floats") };
            values.clone()
        });

        assert_eq!(two[3..], second);
        assert!(two.iter().all(|x| x.abs() <= 1.0) && two[0] != two[1]);
    }

    #[test]
    fn what_does_not_fit_says_what_would() {
        let signature = signature(vec![
            slot("x", Element::F32, &[-1, 3]),
            slot("sr", Element::Whole, &[]),
            slot("state", Element::F32, &[-1, -1]),
        ]);
        let said = |data: Option<&Dataset>,
                    fixed: &[(&str, f64)],
                    shapes: &[(&str, Vec<usize>)]| {
            let given = Given {
                fixed: fixed.iter().map(|(name, x)| ((*name).to_owned(), *x)).collect(),
                shapes: shapes.iter().map(|(name, s)| ((*name).to_owned(), s.clone())).collect(),
            };
            let trouble = Feed::new(&signature, data, &given).expect_err("does not fit");
            format!("{} | {}", trouble.message, trouble.hint)
        };
        let four = data(&[4], Values::F32(vec![0.0; 8]), 2);
        assert!(said(None, &[("y", 0.0)], &[]).contains("no input `y`"));
        assert!(said(None, &[], &[]).contains("`--shape state=64`"));
        assert!(
            said(None, &[], &[("state", vec![1, 2])])
                .contains("a question of `state f32[?, ?]` is [?]")
        );
        let trouble = said(Some(&four), &[("sr", 16e3), ("state", 0.0)], &[("state", vec![4])]);
        assert!(
            trouble.contains("the shape [4], but the input `x f32[?, 3]` takes [3]"),
            "{trouble}"
        );
        let three = data(&[3], Values::F32(vec![0.0; 6]), 2);
        let trouble = said(Some(&three), &[("state", 0.0)], &[("state", vec![4])]);
        assert!(trouble.contains("nothing for the input `sr i64[]`"), "{trouble}");
        assert!(trouble.contains("`--fixed sr=0`"), "{trouble}");
        assert!(said(None, &[], &[("state", vec![usize::MAX])]).contains("smaller `--shape`"));
    }
}
