//! What a run answered, small enough to be compared with what another one did.
//!
//! Lines of several sessions come in any order, and sums over a batch are rounded by who was in it. So an answer
//! is what its lines are, in whatever order: to the bit, and with the numbers taken out and added up.

use std::{
    collections::hash_map::DefaultHasher,
    fmt::{Display, Formatter},
    hash::{Hash, Hasher},
};

/// How far sums of the numbers may be apart, as a share of their sizes: a model promises 1e-5 across
/// batches.
const ROUNDED: f64 = 1e-5;

/// The lines of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Answer {
    pub(crate) lines: u64,
    /// Of whole lines.
    pub(crate) bits: u64,
    /// Of what is left of them without numbers.
    pub(crate) words: u64,
    /// Of all numbers.
    pub(crate) sum: f64,
    /// Of their sizes.
    pub(crate) size: f64,
}

/// How two answers compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Likeness {
    Same,
    Rounded,
    Different,
}

impl Answer {
    pub(crate) fn of(text: &str) -> Self {
        let mut answer = Self::default();
        for line in text.lines() {
            answer.add(line);
        }
        answer
    }

    fn add(&mut self, line: &str) {
        let is_number = |letter: char| letter.is_ascii_digit() || "+-.eE".contains(letter);
        self.lines += 1;
        self.bits = self.bits.wrapping_add(hash(line));
        let words: Vec<&str> = line
            .split_inclusive(|letter| !is_number(letter))
            .map(|part| match part.trim_end_matches(|letter| !is_number(letter)).parse::<f64>() {
                Ok(number) if number.is_finite() => {
                    self.sum += number;
                    self.size += number.abs();
                    part.trim_start_matches(is_number)
                }
                _ => part,
            })
            .collect();
        self.words = self.words.wrapping_add(hash(&words.concat()));
    }

    pub(crate) fn likeness(&self, other: &Self) -> Likeness {
        if (self.lines, self.bits) == (other.lines, other.bits) {
            Likeness::Same
        } else if (self.lines, self.words) == (other.lines, other.words)
            && (self.sum - other.sum).abs() <= ROUNDED * self.size.max(other.size)
        {
            Likeness::Rounded
        } else {
            Likeness::Different
        }
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

impl Display for Likeness {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Same => "same",
            Self::Rounded => "same but for rounding",
            Self::Different => "DIFFERENT",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn likeness(one: &str, other: &str) -> Likeness {
        Answer::of(one).likeness(&Answer::of(other))
    }

    const LINE: &str = r#"{"node":"kind","t_s":1.5,"label":"normal","score":0.97045}"#;

    #[test]
    fn the_order_of_lines_does_not_matter() {
        assert_eq!(likeness("a 1\nb 2", "b 2\na 1"), Likeness::Same);
    }

    #[test]
    fn the_last_digit_is_rounding_and_the_third_is_not() {
        assert_eq!(likeness(LINE, &LINE.replace("0.97045", "0.970451")), Likeness::Rounded);
        assert_eq!(likeness(LINE, &LINE.replace("0.97045", "0.97")), Likeness::Different);
    }

    #[test]
    fn another_word_is_another_answer() {
        assert_eq!(likeness(LINE, &LINE.replace("normal", "premature")), Likeness::Different);
        assert_eq!(likeness(LINE, ""), Likeness::Different);
    }
}
