//! [`Transcript`]: what has been told of a turn, and what a new hypothesis adds to it.

use super::{
    agreement::Agreement,
    alignment,
    hypothesis::{Hypothesis, Word, text_of},
};

/// Longest audio that is heard again and again: then what is committed is cut off.
pub const BUFFER_S: f64 = 15.0;
/// Longest audio there may be: the model hears 30 s at once.
pub const WINDOW_S: f64 = 28.0;
/// Characters of committed text that the model is told came before the audio.
const PROMPT_CHARS: usize = 200;

/// A language that is at least so likely is taken for the one that is spoken.
pub const LANGUAGE_SURE: f64 = 0.8;
/// Audio that must have been heard for that, in seconds: of less, models say any language, and are sure of it.
const LANGUAGE_HEARD_S: f64 = 3.0;
/// Silence behind what was said before, in seconds, from which on it is no prompt: told of it all the same, models
/// repeat it (<https://github.com/ggml-org/whisper.cpp/issues/2510>).
pub const SILENCE_S: f64 = 2.0;

/// What has been told of a turn. What is `stable` is never taken back.
#[derive(Clone, Debug, Default)]
pub struct Transcript {
    agreement: Agreement,
    /// All words that are committed and were not cut off with [`Transcript::cut`].
    said: Vec<Word>,
    /// Committed text in front of the audio, its last part.
    before: String,
    /// When that ends, in seconds.
    before_s: f64,
    /// Where the audio begins that is still heard, in seconds.
    from_s: f64,
    /// The language, as it was found out last.
    language: Option<String>,
    /// It will hardly be another.
    language_is_sure: bool,
    /// As the last hypothesis said.
    confidence: f64,
    model: String,
    /// The text that was taken off, where it is kept.
    gone: Option<String>,
}

/// What is told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    /// All that was understood so far.
    pub text: String,
    /// What of it will not be taken back.
    pub stable: String,
    /// Words that were committed just now.
    pub words: Vec<Word>,
    /// The language, if it is known.
    pub language: Option<String>,
    /// How sure the model was, 0 to 1.
    pub confidence: f64,
    /// The model.
    pub model: String,
    /// When the first and the last word were said, where there is one, in seconds.
    pub span_s: Option<(f64, f64)>,
}

impl Transcript {
    /// The language, once it is sure: until then it is found out anew with all that was heard.
    pub fn language(&self) -> Option<&str> {
        self.language.as_deref().filter(|_| self.language_is_sure)
    }

    /// Where the audio begins that is still to be heard, in seconds.
    pub const fn from_s(&self) -> f64 {
        self.from_s
    }

    /// What goes on from `before`: in the same language.
    pub fn after(before: &Self) -> Self {
        Self {
            language: before.language.clone(),
            language_is_sure: before.language_is_sure,
            gone: before.gone.as_ref().map(|_| String::new()),
            ..Self::default()
        }
    }

    /// What the model is told came before audio that begins at `offset_s`; nothing behind a silence.
    pub fn prompt(&self, offset_s: f64) -> String {
        let outside = self.said.iter().take_while(|word| word.end_s <= offset_s);
        let until_s = outside.clone().last().map_or(self.before_s, |word| word.end_s);
        if offset_s - until_s >= SILENCE_S {
            return String::new();
        }
        let all =
            format!("{}{}", self.before, outside.map(|it| it.text.as_str()).collect::<String>());
        last_part(&all).trim().to_owned()
    }

    /// A hypothesis about audio from `offset_s` on that goes on: what it shares with the one before is committed.
    pub fn partial(&mut self, said: &Hypothesis, offset_s: f64) -> Told {
        self.note(said);
        self.agreement.insert(said.words.iter().cloned(), offset_s);
        let words = self.agreement.commit();
        self.said.extend_from_slice(&words);
        self.told(words)
    }

    /// The hypothesis about the whole of the audio: all of it is committed. What it begins with is what was committed
    /// before, in perhaps other words and at other times: that stands as it was told.
    pub fn last(&mut self, said: &Hypothesis, offset_s: f64) -> Told {
        self.note(said);
        let until_s = self.agreement.until_s();
        let held = self.agreement.held().iter().filter(|word| word.end_s > offset_s);
        let known = alignment::known(&held.collect::<Vec<_>>(), &said.words, until_s - offset_s);
        let words: Vec<Word> = if let Some(known) = known {
            let rest = said.words[known..].iter().cloned();
            let rest = rest.map(|word| {
                let word = word.later(offset_s);
                Word { start_s: word.start_s.max(until_s), end_s: word.end_s.max(until_s), ..word }
            });
            self.agreement.commit_as(rest.collect())
        } else {
            self.agreement.insert(said.words.iter().cloned(), offset_s);
            self.agreement.commit_all()
        };
        self.said.extend_from_slice(&words);
        self.told(words)
    }

    /// Nothing more will be understood: what the last hypothesis said stands.
    pub fn give_up(&mut self) -> Told {
        let words = self.agreement.commit_rest();
        self.said.extend_from_slice(&words);
        self.told(words)
    }

    /// The same, but for words that begin at `until_s` or behind it: these will be heard again.
    pub fn give_up_until(&mut self, until_s: f64) -> Told {
        let words = self.agreement.commit_until(until_s);
        self.said.extend_from_slice(&words);
        self.told(words)
    }

    /// Where to cut audio that begins at `offset_s` and lasts `len_s`, if it has become long: at the last but
    /// one end of a segment that lies before the last committed word; at that word where the audio is too long.
    pub fn cut_at(&self, said: &Hypothesis, offset_s: f64, len_s: f64) -> Option<f64> {
        if len_s <= BUFFER_S {
            return None;
        }
        let until_s = self.agreement.until_s();
        let ends = said.segment_ends_s.iter().map(|end| end + offset_s);
        let before: Vec<f64> = ends.rev().skip(1).filter(|end| *end <= until_s).collect();
        // A word that lies across it is heard again as a whole, not as its end.
        let held = self.agreement.held();
        let across = |end: f64| held.iter().find(|word| word.start_s < end && word.end_s > end);
        let before = before.first().map(|&end| across(end).map_or(end, |word| word.start_s));
        if let Some(end) = before.filter(|end| *end > offset_s) {
            return Some(end);
        }
        (len_s > WINDOW_S && until_s > offset_s).then_some(until_s)
    }

    /// Takes the words that lie before `at_s` out of the turn, and tells them.
    pub fn cut(&mut self, at_s: f64) -> Told {
        self.agreement.forget_until(at_s);
        let gone = self.said.iter().take_while(|word| word.end_s <= at_s).count();
        self.take_off(gone)
    }

    /// Takes as many of the first words out of the turn as have at most `bytes`, if there are more, and tells them; none that
    /// ends behind `until_s`, as it is still heard.
    pub fn part_off(&mut self, bytes: usize, until_s: f64) -> Option<Told> {
        let mut len = 0;
        let count = self.said.iter().take_while(|word| {
            len += word.text.len();
            len <= bytes
        });
        let count = count.count();
        if count == self.said.len() {
            return None;
        }
        // A word that is longer alone goes alone.
        let heard = self.said.iter().take_while(|word| word.end_s <= until_s).count();
        let count = count.max(1).min(heard);
        (count > 0).then(|| self.take_off(count))
    }

    /// What is taken off is kept from now on.
    pub fn keep(&mut self) {
        self.gone.get_or_insert_default();
    }

    /// What was taken off, where that is kept.
    pub fn gone(&self) -> &str {
        self.gone.as_deref().unwrap_or("")
    }

    /// What there is to tell of the turn.
    pub fn so_far(&self) -> Told {
        self.told(Vec::new())
    }

    fn take_off(&mut self, count: usize) -> Told {
        let gone: Vec<Word> = self.said.drain(..count).collect();
        self.before.extend(gone.iter().map(|word| word.text.as_str()));
        self.before = last_part(&self.before).to_owned();
        self.before_s = gone.last().map_or(self.before_s, |word| word.end_s);
        let text = text_of(&gone);
        if let Some(all) = &mut self.gone {
            all.extend([&*text, " "]);
        }
        Told { text: text.clone(), stable: text, span_s: span(&gone), ..self.told(Vec::new()) }
    }

    /// Notes how much audio the last hypothesis was about: of enough of it the language may be sure.
    pub fn heard(&mut self, said: &Hypothesis, len_s: f64) {
        let is_likely = said.language_p.is_some_and(|p| p >= LANGUAGE_SURE);
        self.language_is_sure |= is_likely && len_s >= LANGUAGE_HEARD_S;
    }

    /// The audio before `at_s` is not heard any more; its words stay, as part of the turn.
    pub fn skip_to(&mut self, at_s: f64) {
        self.from_s = self.from_s.max(at_s);
        self.agreement.forget_until(at_s);
    }

    fn note(&mut self, said: &Hypothesis) {
        if !said.language.is_empty() {
            self.language = Some(said.language.clone());
        }
        self.confidence = said.confidence;
        self.model.clone_from(&said.model);
    }

    fn told(&self, words: Vec<Word>) -> Told {
        let text = text_of(self.said.iter().chain(self.agreement.rest()));
        let stable = text_of(&self.said);
        Told {
            text,
            stable,
            words,
            language: self.language.clone(),
            confidence: self.confidence,
            model: self.model.clone(),
            span_s: span(&self.said),
        }
    }
}

/// As much of the end of a text as models are told.
fn last_part(text: &str) -> &str {
    let from = text.char_indices().rev().nth(PROMPT_CHARS - 1).map_or(0, |(at, _)| at);
    &text[from..]
}

fn span(words: &[Word]) -> Option<(f64, f64)> {
    Some((words.first()?.start_s, words.last()?.end_s))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcription::mock::hypothesis;

    fn said(text: &str) -> Hypothesis {
        hypothesis(text, 0.5, 0.9)
    }

    #[test]
    fn what_is_stable_is_never_taken_back() {
        let mut turn = Transcript::default();
        let first = turn.partial(&said("the cat sad"), 0.0);
        assert_eq!((first.text.as_str(), first.stable.as_str()), ("the cat sad", ""));
        let second = turn.partial(&said("the cat sat on"), 0.0);
        assert_eq!((second.text.as_str(), second.stable.as_str()), ("the cat sat on", "the cat"));
        assert_eq!(second.words.len(), 2);
        // Even where the last hypothesis has it otherwise.
        let last = turn.last(&said("a cat sat on it"), 0.0);
        assert_eq!(last.stable, last.text);
        assert!(last.text.starts_with("the cat "), "{}", last.text);
        assert!(last.text.ends_with("sat on it"), "{}", last.text);
    }

    #[test]
    fn a_last_hypothesis_that_begins_with_what_is_stable_adds_the_rest() {
        let mut turn = Transcript::default();
        for _ in 0..2 {
            turn.partial(&said("one two three"), 0.0);
        }
        // Its words are told to be said later than they were committed.
        // What was heard behind that is replaced.
        turn.partial(&said("one two three tree floor"), 0.0);
        let last = turn.last(&said("one two three three four"), 0.0);
        assert_eq!((&*last.text, &*last.stable), ("one two three three four", &*last.text));
        assert_eq!(last.words.len(), 2);
        assert_eq!(last.span_s, Some((0.0, 2.5)));
    }

    /// These words, each half a second, so much later.
    fn said_later(text: &str, by_s: f64) -> Hypothesis {
        let mut said = said(text);
        for word in &mut said.words {
            word.start_s = (word.start_s + by_s).max(0.0);
            word.end_s = (word.end_s + by_s).max(word.start_s);
        }
        said
    }

    /// What is told once `committed` was and the last hypothesis says `last`, that much later.
    fn joined(committed: &str, last: &str, by_s: f64) -> String {
        let mut turn = Transcript::default();
        for _ in 0..2 {
            turn.partial(&said(committed), 0.0);
        }
        let stable = turn.so_far().stable;
        let told = turn.last(&said_later(last, by_s), 0.0);
        assert!(told.text.starts_with(&stable), "{stable:?} was taken back: {told:?}");
        assert!(turn.so_far().span_s.is_none_or(|(from, to)| from <= to));
        told.text
    }

    #[test]
    fn a_last_hypothesis_in_other_words_is_joined_where_it_goes_on() {
        for by_s in [-0.4, -0.15, 0.0, 0.15, 0.4] {
            for (committed, last, want) in [
                (
                    "And so my fellow",
                    "And so, my fellow Americans ask not",
                    "And so my fellow Americans ask not",
                ),
                ("and SO My fellow", "And so my fellow.", "and SO My fellow"),
                ("ask not", "Ask not - what your", "ask not - what your"),
                // As often as it was said.
                ("no no", "No, no, no!", "no no no!"),
                ("we will we", "We will, we will rock you", "we will we will rock you"),
                // A word more in front, one less, another one, one that is two.
                ("see what I mean", "you see what I mean here", "see what I mean here"),
                ("oh you see what", "you see what I mean", "oh you see what I mean"),
                ("the cat sad down", "the cat sat down again", "the cat sad down again"),
                ("an ice cream for", "An icecream for me", "an ice cream for me"),
                ("всем привет", "Всем привет, друзья", "всем привет друзья"),
                ("one two", "", "one two"),
            ] {
                assert_eq!(joined(committed, last, by_s), want, "{last:?} {by_s} s later");
            }
        }
    }

    #[test]
    fn where_nothing_is_the_same_times_tell_what_is_new() {
        assert_eq!(joined("one two", "eins zwei drei vier", 0.0), "one two drei vier");
        assert_eq!(joined("one two", "eins zwei drei vier", 0.05), "one two drei vier");
    }

    #[test]
    fn whatever_is_committed_and_whenever_every_word_is_told_once() {
        let words = ["the", "a", "Cat", "sat", "on", "it", "no", "no,", "well", "so"];
        let mut state = 1_u64;
        let mut roll = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        for _ in 0..5_000 {
            let all: Vec<&str> = (0..1 + roll(12)).map(|_| words[roll(10) as usize]).collect();
            let count = roll(all.len() as u64 + 1) as usize;
            let by_s = roll(80) as f64 / 100.0 - 0.4;
            // The last one writes it otherwise.
            let last: Vec<String> = all
                .iter()
                .map(|word| match roll(4) {
                    0 => word.to_uppercase(),
                    1 => format!("{word}."),
                    2 => format!("\u{201c}{word}"),
                    _ => (*word).to_owned(),
                })
                .collect();
            let told = joined(&all[..count].join(" "), &last.join(" "), by_s);
            let want =
                [&all[..count].join(" "), &last[count..].join(" ")].map(String::as_str).join(" ");
            assert_eq!(told, want.trim(), "{by_s} s later");
        }
    }

    #[test]
    fn without_partials_the_last_hypothesis_is_the_text() {
        let told = Transcript::default().last(&said("all at once"), 3.0);
        assert_eq!((told.text.as_str(), told.stable.as_str()), ("all at once", "all at once"));
        assert_eq!(told.span_s, Some((3.0, 4.5)));
        assert_eq!(
            Transcript::default().last(&said(""), 0.0),
            Told { language: Some("en".into()), model: "mock".into(), ..Told::default() }
        );
    }

    #[test]
    fn what_is_given_up_keeps_what_was_heard_last() {
        let mut turn = Transcript::default();
        turn.partial(&said("the cat sad"), 0.0);
        turn.partial(&said("the cat sat"), 0.0);
        let told = turn.give_up();
        assert_eq!((told.text.as_str(), told.stable.as_str()), ("the cat sat", "the cat sat"));
    }

    #[test]
    fn long_audio_is_cut_where_a_sentence_ends_and_its_words_go_before() {
        let mut turn = Transcript::default();
        let text: String = (0..32).map(|n| format!("w{n} ")).collect();
        let long = Hypothesis { segment_ends_s: vec![5.0, 10.0, 16.0], ..said(&text) };
        for _ in 0..2 {
            turn.partial(&long, 0.0);
        }
        assert_eq!(turn.cut_at(&long, 0.0, 14.0), None);
        assert_eq!(turn.cut_at(&long, 0.0, 16.0), Some(10.0));
        let told = turn.cut(10.0);
        assert!(told.text.starts_with("w0 w1 ") && told.text.ends_with(" w19"), "{}", told.text);
        assert_eq!(told.span_s, Some((0.0, 10.0)));
        turn.skip_to(10.0);
        assert_eq!(turn.from_s(), 10.0);
        assert!(turn.prompt(10.0).ends_with("w18 w19"));
        assert!(turn.prompt(10.0).chars().count() <= 200);
        // Without a segment it is cut at the last committed word, once it is too long.
        let run_on = Hypothesis { segment_ends_s: vec![30.0], ..said("x") };
        assert_eq!(turn.cut_at(&run_on, 10.0, 20.0), None);
        assert_eq!(turn.cut_at(&run_on, 10.0, 29.0), Some(16.0));
    }
}
