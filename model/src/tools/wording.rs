//! How far one wording is from another: errors of words, as transcripts are judged by, and which part of a text a piece is of.

use std::{collections::HashMap, ops::Range};

use unicode_normalization::UnicodeNormalization;

use crate::transcription::is_mark;

/// Up to so many words a piece may be of any part of a text; of longer texts it is of so many more than what was heard.
const FREE_WORDS: usize = 400;
const MORE_WORDS: usize = 60;
/// In longer texts the end of a piece is sought so many words before and behind where it seems to be.
const NEAR_WORDS: usize = 30;

/// The words of a text, so that what is only written differently is the same: small letters, no punctuation, no apostrophes
/// ("don't" is "dont"). In scripts without spaces every character is a word. Numbers stay as they are written.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut word = String::new();
    // A letter with its accent is the same in one character and in two, and a ligature the same as its letters.
    for c in text.nfkc().flat_map(char::to_lowercase) {
        if is_a_word(c) {
            all.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
            all.push(c.to_string());
        } else if c.is_alphanumeric() || is_mark(c) {
            word.push(c);
        } else if !matches!(c, '\'' | '’' | 'ʼ') {
            all.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
        }
    }
    all.extend((!word.is_empty()).then_some(word));
    all
}

fn is_a_word(c: char) -> bool {
    // But not the dot between words.
    c != '\u{30fb}'
        && matches!(c, '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}')
}

/// Words that are wrong, missing or too many (Levenshtein 1966).
pub(super) fn errors<T: PartialEq>(said: &[T], reference: &[T]) -> usize {
    from(said, reference)[reference.len()]
}

/// The errors against every beginning of a text.
fn from<T: PartialEq>(said: &[T], reference: &[T]) -> Vec<usize> {
    let mut row: Vec<usize> = (0..=reference.len()).collect();
    for (number, word) in said.iter().enumerate() {
        let mut corner = row[0];
        row[0] = number + 1;
        for (at, other) in reference.iter().enumerate() {
            let changed = corner + usize::from(word != other);
            corner = row[at + 1];
            row[at + 1] = changed.min(corner + 1).min(row[at] + 1);
        }
    }
    row
}

/// Which part of a text each piece is of, by what several models have said of it (by piece, then by model): the parts under which
/// all of them together make the fewest errors, so that none is favoured. In longer texts that is sought near where the words of
/// the last model stand.
///
/// # Errors
/// If what was heard is too little for so long a text, or it shall end.
///
/// Takes time in proportion to what was said, and to the text times how much of it differs from that.
pub(super) fn parts(
    reference: &[String],
    said: &[Vec<Vec<String>>],
    is_over: &dyn Fn() -> bool,
) -> Result<Vec<Range<usize>>, Unfound> {
    let len = reference.len();
    let heard: usize = said.iter().map(|models| most_words(models)).sum();
    if len > FREE_WORDS && len > 4 * heard + MORE_WORDS * said.len() {
        return Err(Unfound::Words);
    }
    let ends = match len {
        0..=FREE_WORDS => vec![0..len + 1; said.len()],
        _ => near(reference, said),
    };
    // Words as numbers, which are compared sooner.
    let mut numbers = HashMap::new();
    let mut number = |word| {
        let next = numbers.len() as u32;
        *numbers.entry(word).or_insert(next)
    };
    let text: Vec<u32> = reference.iter().map(&mut number).collect();
    // By piece: where it may end, the fewest errors when it ends there, and where it then begins.
    let mut best = (0..1, vec![0_usize]);
    let mut begins: Vec<(Range<usize>, Vec<usize>)> = Vec::new();
    for (at, models) in said.iter().enumerate() {
        let models: Vec<Vec<u32>> =
            models.iter().map(|said| said.iter().map(&mut number).collect()).collect();
        let ends = if at + 1 == said.len() { len..len + 1 } else { ends[at].clone() };
        let (mut errors, mut begun) = (vec![usize::MAX; ends.len()], vec![0; ends.len()]);
        let known = best.0.clone().zip(&best.1);
        let known = known.filter(|(first, sum)| *first < ends.end && **sum < usize::MAX);
        for (first, before) in known {
            if is_over() {
                return Err(Unfound::Over);
            }
            let part = &text[first..ends.end - 1];
            let mut sums = vec![*before; part.len() + 1];
            for said in &models {
                sums.iter_mut().zip(from(said, part)).for_each(|(sum, errors)| *sum += errors);
            }
            for (more, sum) in sums.into_iter().enumerate() {
                let Some(end) = (first + more).checked_sub(ends.start) else { continue };
                if sum < errors[end] {
                    (errors[end], begun[end]) = (sum, first);
                }
            }
        }
        best = (ends.clone(), errors);
        begins.push((ends, begun));
    }
    let mut end = len;
    let mut parts: Vec<Range<usize>> = Vec::new();
    for (ends, begun) in begins.iter().rev() {
        let first = begun[end - ends.start];
        parts.push(first..end);
        end = first;
    }
    parts.reverse();
    Ok(parts)
}

/// Why there are no parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfound {
    /// What was heard is too little for so long a text.
    Words,
    /// It shall end.
    Over,
}

fn most_words(models: &[Vec<String>]) -> usize {
    models.iter().map(Vec::len).max().unwrap_or(0)
}

/// Where each piece may end in a long text: near the words that follow those the last model has said of it, by an alignment of all
/// it has said with the whole text (Myers 1986).
fn near(reference: &[String], said: &[Vec<Vec<String>>]) -> Vec<Range<usize>> {
    let all: Vec<&String> = said.iter().filter_map(|models| models.last()).flatten().collect();
    let text: Vec<&String> = reference.iter().collect();
    let same = similar::capture_diff_slices(similar::Algorithm::Myers, &all, &text);
    let same: Vec<(Range<usize>, usize)> = same
        .iter()
        .filter(|it| it.tag() == similar::DiffTag::Equal)
        .map(|it| (it.old_range(), it.new_range().start))
        .collect();
    // Behind the last word of before that is the same, and in front of the first one after.
    let between = |word: usize| {
        let next = same.partition_point(|(words, _)| words.end < word);
        match same.get(next) {
            Some((words, at)) if words.start < word => {
                let at = at + (word - words.start);
                (at, at)
            }
            following => {
                let (heard, before) = next.checked_sub(1).map_or((0, 0), |last| {
                    let (words, at) = &same[last];
                    (words.end, at + words.len())
                });
                let (until, after) =
                    following.map_or((all.len(), text.len()), |(words, at)| (words.start, *at));
                if after - before <= FREE_WORDS {
                    return (before, after);
                }
                // Of what hardly anybody has heard a word, by how much was said of it.
                let share = (word - heard) as f64 / (until - heard).max(1) as f64;
                let at = before + (share * (after - before) as f64) as usize;
                (before.max(at.saturating_sub(FREE_WORDS / 2)), after.min(at + FREE_WORDS / 2))
            }
        }
    };
    let mut word = 0;
    let mut last = 0;
    said.iter()
        .map(|models| {
            word += models.last().map_or(0, Vec::len);
            let (least, most) = between(word);
            // No end lies before that of the piece before.
            let least = least.saturating_sub(NEAR_WORDS).max(last);
            let most = (most + NEAR_WORDS).clamp(least, reference.len());
            last = least;
            least..most + 1
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_only_written_differently_is_the_same() {
        assert_eq!(words(" Don’t ask -- WHAT, grüße!"), ["dont", "ask", "what", "grüße"]);
        assert_eq!(words("今日は ok"), ["今", "日", "は", "ok"]);
        assert_eq!(words("… ?"), [""; 0]);
        assert_eq!(words("नमस्ते जी"), ["नमस्ते", "जी"]);
        assert_eq!(words("ア・イ"), ["ア", "イ"]);
        assert_eq!(words("re\u{301}sume\u{301} ﬁn"), words("résumé fin"));
        assert_eq!(words("i\u{307}stanbul"), words("i̇stanbul"));
    }

    #[test]
    fn errors_are_words_wrong_missing_and_too_many() {
        let count = |said: &str, text: &str| errors(&words(said), &words(text));
        assert_eq!(count("ask not what", "Ask not: what."), 0);
        assert_eq!(count("ask nut what", "ask not what"), 1);
        assert_eq!(count("ask what", "ask not what"), 1);
        assert_eq!(count("ask not not what your", "ask not what"), 2);
        assert_eq!((count("", "a b c"), count("a b c", "")), (3, 3));
    }

    fn cut(text: &str, said: &[&[&str]]) -> Option<Vec<String>> {
        let (text, models) =
            (words(text), |said: &&[&str]| said.iter().map(|it| words(it)).collect());
        let said = said.iter().map(models).collect::<Vec<_>>();
        let parts = parts(&text, &said, &|| false).ok()?;
        Some(parts.into_iter().map(|part| text[part].join(" ")).collect())
    }

    #[test]
    fn pieces_are_of_the_parts_that_fit_what_was_heard() {
        let text = "and so my fellow americans ask not what your country can do for you";
        let found = cut(
            text,
            &[
                &["and so", "so my fellow americans"],
                &["", "ask not"],
                &["what country can do", "what you country can do for"],
            ],
        );
        let want = ["and so my fellow americans", "ask not", "what your country can do for you"];
        assert_eq!(found.unwrap(), want);
        // Of what nobody has heard all of it is somewhere.
        assert_eq!(cut("one two", &[&["", ""]]).unwrap(), ["one two"]);
        assert_eq!(cut("one two", &[&["one"], &[""], &["two"]]).unwrap().concat(), "onetwo");
        assert_eq!(cut("", &[&["one"], &[]]).unwrap(), ["", ""]);
    }

    /// Words that nobody says twice.
    fn numbered(count: usize) -> Vec<String> {
        (0..count).map(|n| format!("w{n}")).collect()
    }

    #[test]
    fn pieces_of_a_long_text_are_of_their_parts_also_where_much_was_not_heard() {
        let text = numbered(20_000);
        // Pieces of 20 words each, of which the smaller model hears every second one wrong, and of every seventh nobody hears a word;
        // a thousand words are in no recording.
        let mut said = Vec::new();
        let mut want = Vec::new();
        for (n, part) in text.chunks(20).enumerate() {
            if (300..350).contains(&n) {
                continue;
            }
            let heard = if n % 7 == 3 { &[] } else { part };
            let wrong = |(at, word): (usize, &String)| match at % 2 {
                0 => word.clone(),
                _ => "what".to_owned(),
            };
            said.push(vec![heard.iter().enumerate().map(wrong).collect(), heard.to_vec()]);
            want.push(20 * n..20 * (n + 1));
        }
        let found = parts(&text, &said, &|| false).expect("most of it was heard");
        assert_eq!(found.first().map(|part| part.start), Some(0));
        assert_eq!(found.last().map(|part| part.end), Some(20_000));
        assert!(found.windows(2).all(|pair| pair[0].end == pair[1].start));
        let wrong = found.iter().zip(&want).filter(|(found, want)| {
            // What nobody has heard may be of the piece before or behind it.
            !(found.is_empty() || found.start <= want.start && found.end >= want.end)
        });
        let near = |(found, want): &(&Range<usize>, &Range<usize>)| {
            found.start.abs_diff(want.start) <= 20 && found.end.abs_diff(want.end) <= 20
        };
        let far: Vec<_> = wrong.filter(|pair| !near(pair)).collect();
        assert!(far.is_empty(), "{far:?}");
    }

    #[test]
    fn in_a_text_of_any_length_the_parts_are_the_same() {
        // The same pieces, in a text that is searched everywhere and as part of one that is searched near by.
        let text = numbered(390);
        let piece = |part: &[String]| {
            let small: Vec<String> = part.iter().skip(1).cloned().collect();
            vec![small, [part, &["well".to_owned()]].concat()]
        };
        let said: Vec<_> = text.chunks(13).map(piece).collect();
        let short = parts(&text, &said, &|| false).expect("it was heard");
        let more: Vec<String> = (0..390).map(|n| format!("v{n}")).collect();
        let long = [text, more.clone()].concat();
        let longer = [said, more.chunks(13).map(piece).collect()].concat();
        let found = parts(&long, &longer, &|| false).expect("it was heard");
        assert_eq!(found[..short.len() - 1], short[..short.len() - 1]);
    }

    #[test]
    fn a_long_text_of_which_hardly_anything_was_heard_has_no_parts() {
        let long = "word ".repeat(FREE_WORDS + 1);
        assert_eq!(cut(&long, &[&["word word"]]), None);
        let said = "word ".repeat(FREE_WORDS / 2);
        assert!(cut(&long, &[&[&said], &[&said]]).is_some());
    }
}
