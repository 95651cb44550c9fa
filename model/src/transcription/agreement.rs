//! [`Agreement`]: which words of growing hypotheses are told for good.
//!
//! LocalAgreement-2 (Macháček, Dabre, Bojar: "Turning Whisper into Real-Time Transcription System", 2023,
//! <https://arxiv.org/abs/2307.14743>), as its authors' program does it: what two hypotheses in a row begin with is
//! committed and never retracted.
//!
//! | step | rule |
//! |---|---|
//! | insert | of the new hypothesis only words count that begin later than 0.1 s before the end of what is committed |
//! | | if the first of them begins within 1 s of that end, look for the smallest n up to 5 such that the last n committed words are its first n: those are dropped |
//! | commit | the longest common beginning of what was left of the hypothesis before and of this one |

use super::hypothesis::Word;

/// Words that begin earlier than so much before the end of what is committed are known already.
pub(super) const OVERLAP_S: f64 = 0.1;
/// Only words that begin so near may repeat what is committed.
const NEAR_S: f64 = 1.0;
/// Most words that are looked for.
const WORDS_MAX: usize = 5;

/// Compares hypotheses about audio that grows.
#[derive(Clone, Debug, Default)]
pub struct Agreement {
    /// Of what was committed, the words that the audio still holds.
    committed: Vec<Word>,
    /// What is left of the last hypothesis.
    rest: Vec<Word>,
    /// What is left of the new one.
    new: Vec<Word>,
    /// End of the last committed word.
    until_s: f64,
}

impl Agreement {
    /// Takes a hypothesis about audio that begins at `offset_s`.
    pub fn insert(&mut self, words: impl IntoIterator<Item = Word>, offset_s: f64) {
        let words = words.into_iter().map(|word| word.later(offset_s));
        self.new = words.filter(|word| word.start_s > self.until_s - OVERLAP_S).collect();
        let Some(first) = self.new.first() else { return };
        if (first.start_s - self.until_s).abs() >= NEAR_S {
            return;
        }
        let most = self.committed.len().min(self.new.len()).min(WORDS_MAX);
        let joined = |words: &[Word]| {
            words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
        };
        let is_known = |n: &usize| {
            joined(&self.committed[self.committed.len() - n..]) == joined(&self.new[..*n])
        };
        if let Some(known) = (1..=most).find(is_known) {
            self.new.drain(..known);
        }
    }

    /// Commits what the last two hypotheses agree about.
    pub fn commit(&mut self) -> Vec<Word> {
        let agree = self.new.iter().zip(&self.rest).take_while(|(new, old)| new.text == old.text);
        let count = agree.count();
        let agreed: Vec<Word> = self.new.drain(..count).collect();
        if let Some(last) = agreed.last() {
            self.until_s = last.end_s;
        }
        self.rest = std::mem::take(&mut self.new);
        self.committed.extend_from_slice(&agreed);
        agreed
    }

    /// Commits all of the new hypothesis: there will be no other about this audio.
    pub fn commit_all(&mut self) -> Vec<Word> {
        let all = std::mem::take(&mut self.new);
        self.commit_as(all)
    }

    /// Commits what the last hypothesis says behind what is committed: there will be no other.
    pub fn commit_rest(&mut self) -> Vec<Word> {
        let rest = std::mem::take(&mut self.rest);
        self.commit_as(rest)
    }

    /// The same, but for words that begin at `until_s` or behind it: one that lies across it is heard again as its end
    /// alone.
    pub fn commit_until(&mut self, until_s: f64) -> Vec<Word> {
        let rest = std::mem::take(&mut self.rest);
        self.commit_as(rest.into_iter().take_while(|word| word.start_s < until_s).collect())
    }

    /// Commits these words, in place of whatever was heard behind what is committed.
    pub fn commit_as(&mut self, words: Vec<Word>) -> Vec<Word> {
        self.new.clear();
        self.rest.clear();
        if let Some(last) = words.last() {
            self.until_s = last.end_s;
        }
        self.committed.extend_from_slice(&words);
        words
    }

    /// What the last hypothesis says behind what is committed.
    pub fn rest(&self) -> &[Word] {
        &self.rest
    }

    /// End of the last committed word, in seconds; 0 before there is one.
    pub const fn until_s(&self) -> f64 {
        self.until_s
    }

    /// The committed words that the audio still holds.
    pub fn held(&self) -> &[Word] {
        &self.committed
    }

    /// The audio up to then is gone: so are the words.
    pub fn forget_until(&mut self, time_s: f64) {
        let gone = self.committed.iter().take_while(|word| word.end_s <= time_s).count();
        self.committed.drain(..gone);
    }
}

#[cfg(test)]
mod tests {
    use xxhash_rust::xxh3::Xxh3;

    use super::*;

    fn words(texts: &str, from_s: f64) -> Vec<Word> {
        let word = |(at, text): (usize, &str)| {
            let start_s = from_s + 0.5 * at as f64;
            Word { start_s, end_s: start_s + 0.4, text: text.to_owned(), probability: 1.0 }
        };
        texts.split_whitespace().enumerate().map(word).collect()
    }

    fn texts(words: &[Word]) -> Vec<&str> {
        words.iter().map(|word| word.text.as_str()).collect()
    }

    #[test]
    fn what_two_in_a_row_begin_with_is_committed() {
        let mut agreement = Agreement::default();
        agreement.insert(words("the cat sad", 0.0), 0.0);
        assert!(agreement.commit().is_empty());
        agreement.insert(words("the cat sat on", 0.0), 0.0);
        assert_eq!(texts(&agreement.commit()), ["the", "cat"]);
        assert_eq!(texts(agreement.rest()), ["sat", "on"]);
        agreement.insert(words("the cat sat on a", 0.0), 0.0);
        assert_eq!(texts(&agreement.commit()), ["sat", "on"]);
        agreement.insert(words("a mat", 2.0), 0.0);
        assert_eq!(texts(&agreement.commit_all()), ["a", "mat"]);
    }

    #[test]
    fn words_that_moved_behind_what_is_committed_are_known() {
        let mut agreement = Agreement::default();
        for _ in 0..2 {
            agreement.insert(words("one two three", 0.0), 0.0);
            agreement.commit();
        }
        assert_eq!(agreement.until_s(), 1.4);
        // The same words, told to be later: the last two are known.
        agreement.insert(words("two three four", 1.5), 0.0);
        assert_eq!(texts(&agreement.commit_all()), ["four"]);
    }

    /// The scripts that the reference was run on: `benches/peers/local_agreement.py` makes the same.
    struct Dice(u64);

    impl Dice {
        /// A number below `below`; splitmix64.
        fn roll(&mut self, below: u64) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (z ^ (z >> 31)) % below
        }
    }

    /// Commits of one script as lines.
    fn script(number: u64) -> String {
        const VOCABULARY: [&str; 6] = ["a", "b", "c", "a b", " d", "b c"];
        let mut dice = Dice(number);
        let mut agreement = Agreement::default();
        let mut told = String::new();
        let mut truth: Vec<(u64, u64, usize)> = Vec::new();
        let (mut offset, mut at) = (0, 0);
        for _ in 0..3 + dice.roll(10) {
            for _ in 0..dice.roll(5) {
                at += dice.roll(60);
                let end = at + 5 + dice.roll(60);
                truth.push((at, end, dice.roll(6) as usize));
                at = end;
            }
            let mut heard = Vec::new();
            for &(start, end, word) in &truth {
                if start < offset {
                    continue;
                }
                // Mostly as it was said; else another word, moved, or missing.
                let (mut start, mut end, mut word) = (start, end, word);
                match dice.roll(12) {
                    0 => word = dice.roll(6) as usize,
                    1 => {
                        let by = dice.roll(80);
                        (start, end) = (start + by, end + by);
                    }
                    2 => continue,
                    _ => {}
                }
                let seconds = |hundredths: u64| (hundredths - offset) as f64 / 100.0;
                heard.push(Word {
                    start_s: seconds(start),
                    end_s: seconds(end),
                    text: VOCABULARY[word].to_owned(),
                    probability: 1.0,
                });
            }
            agreement.insert(heard, offset as f64 / 100.0);
            let committed = agreement.commit();
            let line =
                |word: &Word| format!("{:.6} {:.6} {}|", word.start_s, word.end_s, word.text);
            told.extend(committed.iter().map(line));
            told += "/";
            told.extend(agreement.rest().iter().map(line));
            told += "\n";
            if dice.roll(4) == 0 {
                let until = (agreement.until_s() * 100.0).round() as u64;
                offset = until.max(offset);
                agreement.forget_until(offset as f64 / 100.0);
            }
        }
        told
    }

    /// The digest is of what the authors' program commits on these scripts:
    /// `python benches/peers/local_agreement.py whisper_online.py`.
    #[test]
    fn commits_are_those_of_the_published_program() {
        let mut hash = Xxh3::new();
        let mut lines = 0;
        for number in 0..10_000 {
            let told = script(number);
            lines += told.lines().count();
            hash.update(told.as_bytes());
        }
        if let Ok(path) = std::env::var("AFFERENT_AGREEMENT_SCRIPTS") {
            let all: String = (0..10_000).map(script).collect();
            std::fs::write(path, all).unwrap();
        }
        let digest = format!("{:032x}", hash.digest128());
        assert_eq!((lines, digest.as_str()), (74_705, "719867472a0dafb1540a95dd0be74cae"));
    }
}
