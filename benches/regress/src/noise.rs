//! Noise that was recorded: what equal programs did beside each other on a real machine.
//!
//! ```text
//! # how and where it was made
//! case biofeedback
//! cpu 121 -35 …          second run over first, logarithms in 1e-5, a number a round
//! wall …
//! memory …
//! instructions 42333869 42255090 …
//! ```

use std::fmt::Write as _;

use crate::{counts::Counted, judge::FIGURES};

/// One hundred-thousandth is far below any noise.
const UNIT: f64 = 1e-5;

/// Of one case.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Noise {
    pub(crate) case: String,
    /// For each figure: logarithms of the second run through the first, by round.
    pub(crate) second_over_first: [Vec<f64>; FIGURES.len()],
    /// Instructions of equal programs.
    pub(crate) instructions: Vec<f64>,
}

impl Noise {
    pub(crate) fn of(
        case: &str,
        second_over_first: &[Vec<f64>; FIGURES.len()],
        counted: Option<&Counted>,
    ) -> Self {
        let both = |counted: &Counted| [&counted.old[..], &counted.new[..]].concat();
        Self {
            case: case.to_owned(),
            second_over_first: second_over_first.clone(),
            instructions: counted.map(both).unwrap_or_default(),
        }
    }
}

/// As text.
pub(crate) fn written(remarks: &[String], noise: &[Noise]) -> String {
    let mut text = String::new();
    for remark in remarks {
        let _ = writeln!(text, "# {remark}");
    }
    for of in noise {
        let _ = writeln!(text, "case {}", of.case);
        for (figure, values) in FIGURES.iter().zip(&of.second_over_first) {
            line(&mut text, figure.name(), values.iter().map(|value| value / UNIT));
        }
        line(&mut text, "instructions", of.instructions.iter().copied());
    }
    text
}

fn line(text: &mut String, name: &str, values: impl Iterator<Item = f64>) {
    *text += name;
    for value in values {
        let _ = write!(text, " {value:.0}");
    }
    *text += "\n";
}

/// From text.
#[cfg(test)]
pub(crate) fn read(text: &str) -> Result<Vec<Noise>, String> {
    let mut noise: Vec<Noise> = Vec::new();
    let lines = text.lines().enumerate().filter(|(_, line)| !line.starts_with('#'));
    for (number, line) in lines {
        let mut words = line.split_whitespace();
        let Some(name) = words.next() else { continue };
        if name == "case" {
            let case = words.next().unwrap_or_default().to_owned();
            noise.push(Noise { case, ..Noise::default() });
            continue;
        }
        let wrong = |what: &str| format!("line {}: {what}", number + 1);
        let of = noise.last_mut().ok_or_else(|| wrong("no case yet"))?;
        let values: Result<Vec<f64>, _> = words.map(str::parse).collect();
        let values = values.map_err(|_| wrong("not all of it is numbers"))?;
        match FIGURES.iter().position(|figure| figure.name() == name) {
            Some(at) => of.second_over_first[at] = values.iter().map(|n| n * UNIT).collect(),
            None if name == "instructions" => of.instructions = values,
            None => return Err(wrong("neither a figure nor a case")),
        }
    }
    Ok(noise)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let noise = Noise {
            case: "join".to_owned(),
            second_over_first: [vec![0.001, -0.02], vec![0.3, 0.0], vec![0.0, 1e-5]],
            instructions: vec![12.0, 13.0],
        };
        let text = written(&["made so".to_owned()], std::slice::from_ref(&noise));

        let read = read(&text).expect("it is right");

        assert_eq!(read[0].case, noise.case);
        assert_eq!(read[0].instructions, noise.instructions);
        let pairs = read[0].second_over_first.iter().flatten();
        for (got, want) in pairs.zip(noise.second_over_first.iter().flatten()) {
            // Half a unit.
            assert!((got - want).abs() <= 0.5e-5, "{got} is not {want}");
        }
    }

    #[test]
    fn a_wrong_line_is_named() {
        assert_eq!(read("case a\ncpu 1 x"), Err("line 2: not all of it is numbers".to_owned()));
        assert_eq!(read("cpu 1"), Err("line 1: no case yet".to_owned()));
    }
}
