//! "Did you mean": the known word nearest to one that is not known.

/// The candidate that `asked` was most likely meant to be, if one is near enough.
///
/// Distance counts single letters added, left out, replaced or swapped with their neighbour
/// (optimal string alignment); letter case counts for nothing. A word may be wrong in about every
/// third letter. Of equally near candidates the first wins.
///
/// Costs a few hundred nanoseconds per candidate of similar length. Who asks for thousands of
/// wrong words among thousands of candidates should stop asking after the first hundred.
pub fn nearest<'c, C>(asked: &str, candidates: C) -> Option<&'c str>
where
    C: IntoIterator<Item = &'c str>,
{
    let asked: Vec<char> = lower(asked);
    if asked.len() > LENGTH_MAX {
        return None;
    }
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let limit = match best {
            Some((0, _)) => break,
            Some((distance, _)) => distance - 1,
            None => asked.len().div_ceil(3),
        };
        // Every letter too many or too few is a mistake of its own.
        if candidate.len() > 4 * LENGTH_MAX || asked.len() + limit < candidate.chars().count() {
            continue;
        }
        let candidate_letters = lower(candidate);
        if candidate_letters.len() + limit < asked.len() {
            continue;
        }
        let distance = distance(&asked, &candidate_letters);
        // A word of which nothing is left is a different word.
        if distance <= limit && distance < asked.len().max(candidate_letters.len()) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Longer words are no names, and the work grows with the square of the length.
const LENGTH_MAX: usize = 64;

fn lower(word: &str) -> Vec<char> {
    word.chars().flat_map(char::to_lowercase).collect()
}

/// Optimal string alignment distance, kept in three rows of the usual table.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut row: Vec<usize> = vec![0; b.len() + 1];

    for i in 1..=a.len() {
        row[0] = i;
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        std::mem::swap(&mut before, &mut last);
        std::mem::swap(&mut last, &mut row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [&str; 6] = ["bandpass", "smooth", "fir", "decimate", "qrs", "hrv"];

    #[test]
    fn one_slip_of_any_sort_is_understood() {
        for asked in ["bandpas", "bandpasss", "bandpazs", "badnpass", "Bandpass"] {
            assert_eq!(nearest(asked, KINDS), Some("bandpass"), "{asked}");
        }
    }

    #[test]
    fn a_swap_is_one_mistake() {
        assert_eq!(distance(&lower("qsr"), &lower("qrs")), 1);
        assert_eq!(distance(&lower("ca"), &lower("abc")), 3);
    }

    #[test]
    fn a_different_word_stays_unexplained() {
        for asked in ["", "x", "xyz", "resample", "fourier"] {
            assert_eq!(nearest(asked, KINDS), None, "{asked}");
        }
    }

    #[test]
    fn the_nearest_wins_and_then_the_first() {
        assert_eq!(nearest("node_b", ["node_ab", "node_b2", "node_b"]), Some("node_b"));
        assert_eq!(nearest("n0", ["n1", "n2"]), Some("n1"));
    }

    #[test]
    fn endless_words_are_not_compared() {
        let endless = "x".repeat(1_000_000);

        assert_eq!(nearest(&endless, KINDS), None);
        assert_eq!(nearest("qrs", [endless.as_str()]), None);
    }
}
