//! "Did you mean": the known word nearest to one that is not known.

/// The candidate that `asked` was most likely meant to be, if one is near enough.
///
/// Distance counts single letters added, left out, replaced or swapped with their neighbour
/// (optimal string alignment); letter case counts for nothing. A word may be wrong in every third
/// letter; two wrong letters make another word of a short one. Of equally near candidates one that has
/// the same letters wins, else the first. Where none is near, a word that only goes on (`deadline` for `deadline_ms`) is what
/// was meant.
///
/// Costs a few hundred nanoseconds per candidate of similar length. Who asks for thousands of
/// wrong words among thousands of candidates should stop asking after the first hundred.
pub fn nearest<'c, C>(asked: &str, candidates: C) -> Option<&'c str>
where
    C: IntoIterator<Item = &'c str>,
{
    const BEGINNING_MIN: usize = 3;
    let asked: Vec<char> = lower(asked);
    if asked.len() > LENGTH_MAX {
        return None;
    }
    // Its distance, and whether it has other letters.
    let mut best: Option<((usize, bool), &str)> = None;
    let mut longer: Option<&str> = None;
    for candidate in candidates {
        let limit = match best {
            Some(((0, _), _)) => break,
            // As near, it would have to have the same letters.
            Some(((distance, has_others), _)) => distance - usize::from(!has_others),
            None => (asked.len() / 3).max(1),
        };
        // Every letter too many or too few is a mistake of its own.
        if candidate.len() > 4 * LENGTH_MAX {
            continue;
        }
        let candidate_letters = lower(candidate);
        if asked.len() + limit < candidate_letters.len() {
            let goes_on = asked.len() >= BEGINNING_MIN && candidate_letters.starts_with(&asked);
            longer = longer.or(goes_on.then_some(candidate));
            continue;
        }
        if candidate_letters.len() + limit < asked.len() {
            continue;
        }
        let distance = distance(&asked, &candidate_letters);
        // A word of which nothing is left is a different word.
        if distance <= limit && distance < asked.len().max(candidate_letters.len()) {
            let rank = (distance, sorted(&asked) != sorted(&candidate_letters));
            if best.is_none_or(|(best, _)| rank < best) {
                best = Some((rank, candidate));
            }
        }
    }
    best.map(|(_, candidate)| candidate).or(longer)
}

/// Longer words are no names, and the work grows with the square of the length.
const LENGTH_MAX: usize = 64;

fn lower(word: &str) -> Vec<char> {
    word.chars().flat_map(char::to_lowercase).collect()
}

fn sorted(word: &[char]) -> Vec<char> {
    let mut letters = word.to_vec();
    letters.sort_unstable();
    letters
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

    const KINDS: [&str; 7] = ["bandpass", "smooth", "fir", "decimate", "qrs", "hrv", "copy"];

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
        for asked in ["", "x", "xyz", "nope", "edf", "resample", "fourier"] {
            assert_eq!(nearest(asked, KINDS), None, "{asked}");
        }
    }

    #[test]
    fn the_nearest_wins_and_then_the_first() {
        assert_eq!(nearest("node_b", ["node_ab", "node_b2", "node_b"]), Some("node_b"));
        assert_eq!(nearest("n0", ["n1", "n2"]), Some("n1"));
        assert_eq!(
            nearest("egc", ["agc", "ecg", "eeg"]),
            Some("ecg"),
            "swapped sooner than replaced"
        );
    }

    #[test]
    fn a_word_that_only_goes_on_was_meant() {
        assert_eq!(nearest("deadline", ["doc", "deadline_ms"]), Some("deadline_ms"));
        assert_eq!(nearest("drop_old", ["drop_newest", "drop_oldest"]), Some("drop_oldest"));
        assert_eq!(nearest("dr", ["drop_newest", "drop_oldest"]), None);
    }

    #[test]
    fn endless_words_are_not_compared() {
        let endless = "x".repeat(1_000_000);

        assert_eq!(nearest(&endless, KINDS), None);
        assert_eq!(nearest("qrs", [endless.as_str()]), None);
    }
}
