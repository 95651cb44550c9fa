//! What of a new hypothesis was told before: its beginning, in perhaps other words and at other times.
//!
//! Words are compared without case and punctuation. Of all beginnings of the hypothesis the one is taken that is the
//! cheapest to make of the committed words (Wagner and Fischer 1974, <https://doi.org/10.1145/321796.321811>), where times decide
//! between what costs the same:
//!
//! | what | costs |
//! |---|---|
//! | a word that is the same | 0 |
//! | a committed word that the hypothesis lacks, or has otherwise | 1 |
//! | the same, where that one is said later than all that is committed | 1.5 |
//! | one more in the hypothesis | 0.6; later 1.5 |
//! | a word behind that beginning, which is said before the end of what is committed | 0.4 |

use super::{agreement::OVERLAP_S, hypothesis::Word};

const LACKS: f64 = 1.0;
const MORE: f64 = 0.6;
const LATER: f64 = 1.5;
const EARLY: f64 = 0.4;
/// What is punctuation alone hardly counts.
const MARK: f64 = 0.02;

/// How many of the first words say what is committed, which ends at `until_s`; nothing if none of them is the same.
pub(super) fn known(committed: &[&Word], words: &[Word], until_s: f64) -> Option<usize> {
    let known: Vec<String> = committed.iter().map(|word| plain(&word.text)).collect();
    let said: Vec<String> = words.iter().map(|word| plain(&word.text)).collect();
    let is_early: Vec<bool> =
        words.iter().map(|word| word.start_s <= until_s - OVERLAP_S).collect();
    let weight = |text: &String| if text.is_empty() { MARK } else { 1.0 };
    // Of each beginning: what it costs, and how many words are the same.
    let mut row: Vec<(f64, usize)> = vec![(0.0, 0)];
    for (at, text) in said.iter().enumerate() {
        let more = weight(text) * if is_early[at] { MORE } else { LATER };
        row.push((row[at].0 + more, 0));
    }
    for old in &known {
        let mut next = vec![(row[0].0 + LACKS * weight(old), row[0].1)];
        for (at, text) in said.iter().enumerate() {
            let lacks = (row[at + 1].0 + LACKS * weight(old), row[at + 1].1);
            let more = weight(text) * if is_early[at] { MORE } else { LATER };
            let more = (next[at].0 + more, next[at].1);
            let both = match old == text {
                true => (row[at].0, row[at].1 + usize::from(!text.is_empty())),
                false => {
                    let other = if is_early[at] { LACKS } else { LATER };
                    (row[at].0 + other * weight(old).max(weight(text)), row[at].1)
                }
            };
            let cheapest =
                [both, lacks, more].into_iter().min_by(|one, other| one.0.total_cmp(&other.0));
            next.extend(cheapest);
        }
        row = next;
    }
    let mut behind = 0.0;
    let mut best: Option<(f64, usize, usize)> = None;
    // The longest first: of those that cost the same the shortest stays.
    for at in (0..row.len()).rev() {
        if at < said.len() && is_early[at] {
            behind += EARLY * weight(&said[at]);
        }
        let (cost, same) = row[at];
        if best.is_none_or(|(least, ..)| cost + behind <= least) {
            best = Some((cost + behind, same, at));
        }
    }
    best.filter(|(_, same, _)| *same > 0).map(|(.., at)| at)
}

/// A word without case and punctuation.
fn plain(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_alphanumeric() || is_mark(*c))
        .flat_map(char::to_lowercase)
        .collect()
}

/// Vowel signs of Indic scripts and their like, which are letters to whoever reads them.
pub(crate) const fn is_mark(c: char) -> bool {
    matches!(c, '\u{0300}'..='\u{036f}' | '\u{0591}'..='\u{05c7}' | '\u{064b}'..='\u{065f}' | '\u{0900}'..='\u{109f}' | '\u{1780}'..='\u{17d3}')
}
