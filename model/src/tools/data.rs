//! [`Dataset`]: questions for a model, and what is right where somebody knows it.
//!
//! | file | questions | what is right |
//! |---|---|---|
//! | `.npz` | `x`, or arrays called like the model's inputs; the first dimension counts questions | `y`: a class number each, or its name |
//! | `.npy` | the array | a file of its own: `.npy`, or text with one class a line |
//! | `.jsonl` | `"values"` of each line, as the sink `jsonl` writes tensors, or `"x"` | `"y"` of each line, a number or a name |

use std::{fs::File, io::Read, path::Path};

use serde_json::Value;
use xxhash_rust::xxh3::xxh3_128;

use crate::backend::Values;

use super::{
    npy::{Cells, Npy, read_npy, read_npz},
    trouble::Trouble,
};

/// Longest file of data.
const FILE_BYTES_MAX: u64 = 2 << 30;
/// Most dimensions of what stands in a line of JSON.
const NESTED_MAX: usize = 16;

/// Questions and what is right.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Where it came from.
    pub path: String,
    /// xxh3-128 of the file's bytes.
    pub content: u128,
    /// Number of questions.
    pub rows: usize,
    /// Inputs by name; all of `rows` questions.
    pub columns: Vec<Column>,
    /// What is right for each question.
    pub truth: Option<Truth>,
}

/// What is put to one input.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// The name of the input, or `x` for the only one.
    pub name: String,
    /// The shape of one question.
    pub shape: Vec<usize>,
    /// One question after the other.
    pub values: Values,
}

/// The right class of each question.
#[derive(Clone, Debug, PartialEq)]
pub enum Truth {
    /// By number, from 0 on.
    Numbers(Vec<i64>),
    /// By name.
    Names(Vec<String>),
}

impl Truth {
    fn len(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.len(),
            Self::Names(names) => names.len(),
        }
    }

    /// The classes as numbers below `classes`, names as in `labels`.
    ///
    /// # Errors
    /// If one is no class of the model, with the question's number.
    pub fn numbers(
        &self,
        classes: usize,
        labels: Option<&[String]>,
    ) -> Result<Vec<usize>, Trouble> {
        match self {
            Self::Numbers(numbers) => {
                let known = |(row, &number): (usize, &i64)| {
                    let number = usize::try_from(number).ok().filter(|&number| number < classes);
                    number.ok_or_else(|| {
                        let is = numbers[row];
                        let message = format!(
                            "`y` of question {row} is {is}, but the model has the classes 0 to {}",
                            classes.saturating_sub(1)
                        );
                        Trouble::file(
                            message,
                            "count classes from 0, in the order of the model's scores",
                        )
                    })
                };
                numbers.iter().enumerate().map(known).collect()
            }
            Self::Names(names) => {
                let Some(labels) = labels else {
                    let message = "`y` names its classes, and nothing says which number each has";
                    let hint =
                        "name them in the order of the model's scores: `--labels normal,premature`";
                    return Err(Trouble::asked(message, hint));
                };
                let known = |(row, name): (usize, &String)| {
                    labels.iter().position(|label| label == name).ok_or_else(|| {
                        let message = format!(
                            "`y` of question {row} is `{name}`, which is none of the labels {}",
                            labels.join(", ")
                        );
                        Trouble::file(message, "write every class as in `--labels`")
                    })
                };
                names.iter().enumerate().map(known).collect()
            }
        }
    }
}

/// Reads a whole file of at most so many bytes.
pub(super) fn read_file(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Trouble> {
    let shown = path.display();
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(bytes_max + 1).read_to_end(&mut bytes));
    read.map_err(|error| {
        Trouble::file(format!("cannot read `{shown}`: {error}"), "check the path")
    })?;
    if bytes.len() as u64 > bytes_max {
        let message = format!("`{shown}` is larger than {} MiB", bytes_max >> 20);
        return Err(Trouble::file(message, "take a part of it"));
    }
    Ok(bytes)
}

impl Dataset {
    /// Reads questions from `path`, and what is right from there or from `truth`.
    ///
    /// # Errors
    /// If a file cannot be read, is none of the forms above, has no questions, or parts of different lengths.
    pub fn read(path: &Path, truth: Option<&Path>) -> Result<Self, Trouble> {
        let shown = path.display().to_string();
        let bytes = read_file(path, FILE_BYTES_MAX)?;
        let extension = path.extension().and_then(|extension| extension.to_str());
        let form =
            "save arrays by `numpy.savez(file, x=…, y=…)`; the first dimension counts questions";
        let wrong = |why: String| Trouble::file(format!("`{shown}`: {why}"), form);
        let (columns, own) = match extension {
            Some("npz") => npz(read_npz(&bytes).map_err(wrong)?).map_err(wrong)?,
            Some("npy") => {
                let array = read_npy(&bytes).map_err(wrong)?;
                (vec![column("x".to_owned(), array).map_err(wrong)?], None)
            }
            Some("jsonl") => jsonl(&bytes).map_err(|why| {
                let hint = "write a line each such as {\"values\": [0.1, 0.2], \"y\": 1}";
                Trouble::file(format!("`{shown}`: {why}"), hint)
            })?,
            _ => {
                let message = format!(
                    "`{shown}` is of no known form: its name must end in .npz, .npy or .jsonl"
                );
                return Err(Trouble::asked(message, form));
            }
        };
        let count = |column: &Column| match &column.values {
            Values::F32(values) => values.len(),
            Values::Whole(values) => values.len(),
        } / column.shape.iter().product::<usize>().max(1);
        let rows = columns.first().map_or(0, count);
        if let Some(other) = columns.iter().find(|column| count(column) != rows) {
            let (first, name, len) = (&columns[0].name, &other.name, count(other));
            return Err(wrong(format!("`{first}` has {rows} questions, `{name}` has {len}")));
        }
        if rows == 0 || columns.iter().any(|column| column.shape.contains(&0)) {
            return Err(wrong("it has no questions".to_owned()));
        }
        let truth = match truth {
            Some(path) => Some(read_truth(path)?),
            None => own,
        };
        if let Some(truth) = truth.as_ref().filter(|truth| truth.len() != rows) {
            return Err(wrong(format!("{rows} questions, but `y` has {}", truth.len())));
        }
        Ok(Self { path: shown, content: xxh3_128(&bytes), rows, columns, truth })
    }

    /// Every `of`th question from `first` on.
    #[must_use]
    pub fn part(&self, first: usize, of: usize) -> Self {
        let rows: Vec<usize> = (first..self.rows).step_by(of).collect();
        let pick = |column: &Column| {
            let len = column.shape.iter().product::<usize>();
            let range = |row: usize| row * len..(row + 1) * len;
            let values = match &column.values {
                Values::F32(values) => {
                    Values::F32(rows.iter().flat_map(|&row| &values[range(row)]).copied().collect())
                }
                Values::Whole(values) => Values::Whole(
                    rows.iter().flat_map(|&row| &values[range(row)]).copied().collect(),
                ),
            };
            Column { values, ..column.clone() }
        };
        let truth = self.truth.as_ref().map(|truth| match truth {
            Truth::Numbers(all) => Truth::Numbers(rows.iter().map(|&row| all[row]).collect()),
            Truth::Names(all) => Truth::Names(rows.iter().map(|&row| all[row].clone()).collect()),
        });
        Self {
            path: self.path.clone(),
            content: self.content,
            rows: rows.len(),
            columns: self.columns.iter().map(pick).collect(),
            truth,
        }
    }
}

type Read2 = (Vec<Column>, Option<Truth>);

fn npz(arrays: Vec<(String, Npy)>) -> Result<Read2, String> {
    let (mut columns, mut own) = (Vec::new(), None);
    for (name, array) in arrays {
        if name == "y" {
            own = Some(truth_of(array)?);
        } else {
            columns.push(column(name, array)?);
        }
    }
    if columns.is_empty() { Err("it has no array `x`".to_owned()) } else { Ok((columns, own)) }
}

fn column(name: String, array: Npy) -> Result<Column, String> {
    let Some((_, shape)) = array.shape.split_first() else {
        return Err(format!("`{name}` is one number, not one or more a question"));
    };
    let shape = shape.to_vec();
    let values = match array.cells {
        Cells::Floats(values) => Values::F32(values),
        Cells::Whole(values) => Values::Whole(values),
        Cells::Texts(_) => return Err(format!("`{name}` is text, which no model here takes")),
    };
    Ok(Column { name, shape, values })
}

fn truth_of(array: Npy) -> Result<Truth, String> {
    // One column is a list, too: many tools keep the dimension.
    if !matches!(array.shape[..], [_] | [_, 1]) {
        let shape = &array.shape;
        return Err(format!(
            "`y` has the shape {shape:?}, not one class a question; of scores take the largest: `y.argmax(1)`"
        ));
    }
    match array.cells {
        Cells::Whole(numbers) => Ok(Truth::Numbers(numbers)),
        Cells::Texts(names) => Ok(Truth::Names(names)),
        Cells::Floats(numbers) => {
            let whole = |&number: &f32| (number.fract() == 0.0).then_some(number as i64);
            let numbers: Option<Vec<i64>> = numbers.iter().map(whole).collect();
            numbers
                .map(Truth::Numbers)
                .ok_or_else(|| "`y` has numbers that are no classes".to_owned())
        }
    }
}

fn read_truth(path: &Path) -> Result<Truth, Trouble> {
    let shown = path.display();
    let bytes = read_file(path, FILE_BYTES_MAX)?;
    let wrong = |why: String| {
        Trouble::file(
            format!("`{shown}`: {why}"),
            "name an `.npy`, or a text with one class a line",
        )
    };
    if path.extension().is_some_and(|extension| extension == "npy") {
        return truth_of(read_npy(&bytes).map_err(wrong)?).map_err(wrong);
    }
    let text = String::from_utf8(bytes).map_err(|_| wrong("it is no text".to_owned()))?;
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let numbers: Result<Vec<i64>, _> = lines.iter().map(|line| line.parse()).collect();
    Ok(match numbers {
        Ok(numbers) => Truth::Numbers(numbers),
        Err(_) => Truth::Names(lines.into_iter().map(str::to_owned).collect()),
    })
}

fn jsonl(bytes: &[u8]) -> Result<Read2, String> {
    let text = str::from_utf8(bytes).map_err(|_| "it is no text")?;
    let (mut shape, mut values) = (None, Vec::new());
    let (mut numbers, mut names, mut lines) = (Vec::new(), Vec::new(), 0);
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let at = |why: &str| format!("line {}: {why}", number + 1);
        let line: Value = serde_json::from_str(line).map_err(|error| at(&error.to_string()))?;
        let question = line.get("values").or_else(|| line.get("x"));
        let question = question.ok_or_else(|| at("it has neither `values` nor `x`"))?;
        let its = push(question, &mut values, 0).map_err(at)?;
        match &shape {
            None => shape = Some(its),
            Some(first) if *first == its => {}
            Some(first) => {
                return Err(at(&format!("its shape is {its:?}, the first one's {first:?}")));
            }
        }
        match line.get("y") {
            Some(Value::String(name)) => names.push(name.clone()),
            Some(class) => numbers.push(class.as_i64().ok_or_else(|| at("its `y` is no class"))?),
            None => {}
        }
        lines += 1;
    }
    let truth = match (numbers.len(), names.len()) {
        (0, 0) => None,
        (known, 0) if known == lines => Some(Truth::Numbers(numbers)),
        (0, known) if known == lines => Some(Truth::Names(names)),
        _ => {
            return Err(
                "`y` must stand in every line, in all as a number or in all as a name".to_owned()
            );
        }
    };
    let column = Column {
        name: "x".to_owned(),
        shape: shape.unwrap_or_default(),
        values: Values::F32(values),
    };
    Ok((vec![column], truth))
}

/// Adds the numbers of lists in lists and gives their shape.
fn push(value: &Value, into: &mut Vec<f32>, depth: usize) -> Result<Vec<usize>, &'static str> {
    match value {
        Value::Number(number) => {
            into.push(number.as_f64().ok_or("a number is too large")? as f32);
            Ok(Vec::new())
        }
        Value::Array(list) if depth < NESTED_MAX => {
            let mut shape = None;
            for inner in list {
                let its = push(inner, into, depth + 1)?;
                if shape.get_or_insert_with(|| its.clone()) != &its {
                    return Err("its lists are of different lengths");
                }
            }
            Ok([vec![list.len()], shape.unwrap_or_default()].concat())
        }
        _ => Err("its question is no list of numbers"),
    }
}
