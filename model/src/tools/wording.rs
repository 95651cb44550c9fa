//! How far one wording is from another: errors of words, as transcripts are judged by, and which part of a text a piece is of.

use std::ops::Range;

/// Up to so many words a piece may be of any part of a text; of longer texts it is of so many more than what was heard.
const FREE_WORDS: usize = 400;
const MORE_WORDS: usize = 60;

/// The words of a text, so that what is only written differently is the same: small letters, no punctuation, no apostrophes
/// ("don't" is "dont"). In scripts without spaces every character is a word. Numbers stay as they are written.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut word = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        if is_a_word(c) {
            all.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
            all.push(c.to_string());
        } else if c.is_alphanumeric() {
            word.push(c);
        } else if !matches!(c, '\'' | '’' | 'ʼ' | '\u{300}'..='\u{36f}') {
            all.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
        }
    }
    all.extend((!word.is_empty()).then_some(word));
    all
}

fn is_a_word(c: char) -> bool {
    matches!(c, '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}')
}

/// Words that are wrong, missing or too many (Levenshtein 1966).
pub(super) fn errors(said: &[String], reference: &[String]) -> usize {
    from(said, reference)[reference.len()]
}

/// The errors against every beginning of a text.
fn from(said: &[String], reference: &[String]) -> Vec<usize> {
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
/// all of them together make the fewest errors, so that none is favoured. Nothing where what was heard is too little for so long
/// a text. Takes time in proportion to the text, its longest part and what was said.
pub(super) fn parts(reference: &[String], said: &[Vec<Vec<String>>]) -> Option<Vec<Range<usize>>> {
    let len = reference.len();
    // By piece: the fewest errors when it ends there, and where it then begins.
    let mut best = vec![None; len + 1];
    best[0] = Some(0);
    let mut begins: Vec<Vec<usize>> = Vec::new();
    for models in said {
        let heard = models.iter().map(Vec::len).max().unwrap_or(0);
        let most = if len <= FREE_WORDS { len } else { 4 * heard + MORE_WORDS };
        let (mut next, mut begun) = (vec![None::<usize>; len + 1], vec![0; len + 1]);
        for (first, before) in best.iter().enumerate() {
            let Some(before) = before else { continue };
            let part = &reference[first..len.min(first + most)];
            let mut sums = vec![*before; part.len() + 1];
            for said in models {
                sums.iter_mut().zip(from(said, part)).for_each(|(sum, errors)| *sum += errors);
            }
            for (more, sum) in sums.into_iter().enumerate() {
                if next[first + more].is_none_or(|known| sum < known) {
                    next[first + more] = Some(sum);
                    begun[first + more] = first;
                }
            }
        }
        best = next;
        begins.push(begun);
    }
    best[len]?;
    let mut end = len;
    let mut parts: Vec<Range<usize>> = begins
        .iter()
        .rev()
        .map(|begun| {
            let part = begun[end]..end;
            end = begun[end];
            part
        })
        .collect();
    parts.reverse();
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_only_written_differently_is_the_same() {
        assert_eq!(words(" Don’t ask -- WHAT, grüße!"), ["dont", "ask", "what", "grüße"]);
        assert_eq!(words("今日は ok"), ["今", "日", "は", "ok"]);
        assert_eq!(words("… ?"), [""; 0]);
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
        let parts = parts(&text, &said.iter().map(models).collect::<Vec<_>>())?;
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

    #[test]
    fn a_long_text_of_which_hardly_anything_was_heard_has_no_parts() {
        let long = "word ".repeat(FREE_WORDS + 1);
        assert_eq!(cut(&long, &[&["word word"]]), None);
        let said = "word ".repeat(FREE_WORDS / 2);
        assert!(cut(&long, &[&[&said], &[&said]]).is_some());
    }
}
