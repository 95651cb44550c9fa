//! Annotations (`.atr` and relatives) in the MIT format.
//!
//! A file is a list of 16-bit words, low byte first: six bits of code, ten bits of samples since
//! the last annotation. Codes above 58 carry on:
//!
//! | code | word | adds |
//! |---|---|---|
//! | 59 SKIP | two words follow, the high one first | samples since the last annotation |
//! | 60 NUM, 62 CHN | low byte | a number, a channel; valid until the next |
//! | 61 SUB | low byte | a subtype, of this annotation only |
//! | 63 AUX | low byte counts the bytes that follow, filled up to even | a text |
//!
//! The word 0 ends the list. A list that lacks it was cut off: its whole annotations are given, and
//! [`Annotations::shortfall`] says so.

use crate::files::error::FileError;

/// The annotations of a recording, one after the other. Borrows its bytes and allocates nothing.
///
/// Ends after the first error.
#[derive(Clone, Debug)]
pub struct Annotations<'a> {
    file: &'a str,
    bytes: &'a [u8],
    end: End,
    at: usize,
    sample: i64,
    number: i8,
    channel: u8,
    rate_hz: Option<f64>,
}

/// How far the list has been read.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// Not to its end.
    Ahead,
    /// To the word 0, or to an error.
    Whole,
    /// To where it was cut off, and in the middle of what.
    CutOff { at: usize, inside: Option<&'static str> },
}

/// Something a person or a program marked in a recording.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Annotation<'a> {
    /// The sample it is about, counted from 0 at [`Annotations::rate_hz`] or the record's rate.
    pub sample: i64,
    /// What it is, as a number; [`Annotation::mnemonic`] has the usual sign.
    pub code: u8,
    /// Free use by code.
    pub subtype: i8,
    /// Free use by annotator.
    pub number: i8,
    /// Channel of the record it is about.
    pub channel: u8,
    /// Bytes of the text that belongs to it; often ends in a zero.
    pub aux: &'a [u8],
}

/// The sign of each code, in order; blank where none is defined.
const MNEMONICS: [&str; 42] = [
    " ", "N", "L", "R", "a", "V", "F", "J", "A", "S", "E", "j", "/", "Q", "~", " ", "|", " ", "s",
    "T", "*", "D", "\"", "=", "p", "B", "^", "t", "+", "u", "?", "!", "[", "]", "e", "n", "@", "x",
    "f", "(", ")", "r",
];
const NOTE: u8 = 22;

impl Annotation<'_> {
    /// The sign that programs and papers use, such as `N`, `V` or `+`.
    pub fn mnemonic(&self) -> &'static str {
        MNEMONICS.get(usize::from(self.code)).copied().unwrap_or(" ")
    }

    /// Whether it marks a beat, by the table `isqrs` of the WFDB library.
    pub fn is_beat(&self) -> bool {
        matches!(self.code, 1..=13 | 25 | 30 | 31 | 34 | 35 | 38 | 41)
    }

    /// Its text, without trailing zeros.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        let end = self.aux.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        String::from_utf8_lossy(&self.aux[..end])
    }
}

impl<'a> Annotations<'a> {
    /// The annotations in `bytes`, the content of `file`.
    pub fn new(bytes: &'a [u8], file: &'a str) -> Self {
        let end = End::Ahead;
        let fresh =
            Self { file, bytes, end, at: 0, sample: 0, number: 0, channel: 0, rate_hz: None };
        // Definitions stand in front, as notes at sample 0 whose text begins with `## `.
        let mut annotations = fresh.clone();
        let mut ahead = fresh;
        while let Some(Ok(Annotation { sample: 0, code: NOTE, aux, .. })) = ahead.next() {
            let text = String::from_utf8_lossy(aux);
            let Some(definition) = text.strip_prefix("## ") else { break };
            annotations = ahead.clone();
            if let Some(rate) = definition.strip_prefix("time resolution:") {
                let rate = rate.trim_matches(['\0', ' ']).parse().ok();
                annotations.rate_hz = rate.filter(|hz: &f64| hz.is_finite() && *hz > 0.0);
                ahead.rate_hz = annotations.rate_hz;
            }
        }
        annotations
    }

    /// The rate its samples are counted at, where it differs from the record's and the file says
    /// so.
    pub fn rate_hz(&self) -> Option<f64> {
        self.rate_hz
    }

    /// What the list lacks, once it has been read: a file that was copied in part.
    pub fn shortfall(&self) -> Option<String> {
        let End::CutOff { at, inside } = self.end else { return None };
        let file = self.file;
        Some(match inside {
            None => format!("{file} lacks its end mark: annotations may be missing"),
            Some(part) => {
                format!("{file} is cut off inside {part} at byte {at}: annotations are missing")
            }
        })
    }

    fn cut_off(&mut self, at: usize, inside: Option<&'static str>) {
        self.end = End::CutOff { at, inside };
        self.at = self.bytes.len();
    }

    fn word(&mut self) -> Option<u16> {
        let two = self.bytes.get(self.at..self.at + 2)?;
        self.at += 2;
        Some(u16::from_le_bytes([two[0], two[1]]))
    }

    /// Parts behind an annotation, up to the next one.
    fn parts(&mut self, annotation: &mut Annotation<'a>) -> Option<()> {
        loop {
            let start = self.at;
            let Some(word) = self.word() else { return Some(()) };
            let [low, _] = word.to_le_bytes();
            match word >> 10 {
                60 => self.number = low as i8,
                61 => annotation.subtype = low as i8,
                62 => self.channel = low,
                63 => {
                    let length = usize::from(low);
                    annotation.aux = self.bytes.get(self.at..self.at + length)?;
                    self.at += length + length % 2;
                }
                _ => {
                    self.at = start;
                    break;
                }
            }
        }
        annotation.number = self.number;
        annotation.channel = self.channel;
        Some(())
    }

    fn broken(&mut self, what: &str) -> FileError {
        let message = format!("{what} at byte {} of {}", self.at, self.bytes.len());
        (self.at, self.end) = (self.bytes.len(), End::Whole);
        FileError::new(
            self.file,
            message,
            "fetch the annotation file again, or move it away to do without",
        )
    }
}

impl<'a> Iterator for Annotations<'a> {
    type Item = Result<Annotation<'a>, FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.end != End::Ahead {
            return None;
        }
        let start = self.at;
        let word = loop {
            match self.word() {
                Some(0) => {
                    self.end = End::Whole;
                    return None;
                }
                None => {
                    let is_border = self.at >= self.bytes.len();
                    self.cut_off(self.at, (!is_border).then_some("a word"));
                    return None;
                }
                Some(word) if word >> 10 == 59 => {
                    let (Some(high), Some(low)) = (self.word(), self.word()) else {
                        self.cut_off(start, Some("a skip"));
                        return None;
                    };
                    self.sample += i64::from((u32::from(high) << 16 | u32::from(low)) as i32);
                }
                Some(word) => break word,
            }
        };
        let code = (word >> 10) as u8;
        if code > 59 {
            return Some(Err(self.broken("a part that belongs to no annotation ends")));
        }
        self.sample += i64::from(word & 0x3ff);
        let (number, channel) = (self.number, self.channel);
        let mut annotation =
            Annotation { sample: self.sample, code, subtype: 0, number, channel, aux: &[] };
        if self.parts(&mut annotation).is_none() {
            self.cut_off(start, Some("a text"));
            return None;
        }
        Some(Ok(annotation))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::testing::{data, reference};
    use crate::math::random::Random;

    fn word(code: u16, low: u16) -> [u8; 2] {
        (code << 10 | low).to_le_bytes()
    }

    #[test]
    fn parts_belong_to_the_annotation_before_them() {
        let bytes = [
            &word(28, 18)[..],
            &word(63, 3),
            b"(N\0\0",
            &word(59, 0),
            &[1, 0, 2, 0],
            &word(5, 1),
            &word(61, 0xff),
            &word(62, 1),
            &word(60, 7),
            &word(1, 4),
            &[0, 0],
            &word(1, 9),
        ]
        .concat();

        let got: Vec<_> = Annotations::new(&bytes, "t.atr").map(|a| a.expect("valid")).collect();

        assert_eq!(got.len(), 3);
        assert_eq!((got[0].sample, got[0].mnemonic(), &*got[0].text()), (18, "+", "(N"));
        assert!(!got[0].is_beat());
        // A skip of 1 · 65536 + 2, and the ten bits of the word.
        assert_eq!((got[1].sample, got[1].mnemonic()), (18 + 65_538 + 1, "V"));
        assert_eq!((got[1].subtype, got[1].channel, got[1].number), (-1, 1, 7));
        // Channel and number stay, the subtype does not.
        assert_eq!((got[2].subtype, got[2].channel, got[2].number), (0, 1, 7));
    }

    #[test]
    fn a_time_resolution_is_a_rate_and_no_annotation() {
        let text = b"## time resolution: 250";
        let bytes = [
            &word(u16::from(NOTE), 0)[..],
            &word(63, text.len() as u16),
            text,
            &[0],
            &word(1, 5),
            &[0, 0],
        ]
        .concat();

        let annotations = Annotations::new(&bytes, "t.atr");

        assert_eq!(annotations.rate_hz(), Some(250.0));
        let samples: Vec<i64> = annotations.map(|a| a.expect("valid").sample).collect();
        assert_eq!(samples, [5]);
    }

    #[test]
    fn a_cut_file_gives_what_is_whole_and_then_says_where_it_is_cut() {
        let whole = [&word(1, 5)[..], &word(5, 3), &word(63, 3), b"abc\0", &[0, 0]].concat();
        let told = |len: usize| {
            let mut annotations = Annotations::new(&whole[..len], "t.atr");
            let samples: Vec<i64> =
                annotations.by_ref().map(|a| a.expect("valid").sample).collect();
            assert!(annotations.next().is_none());
            (samples, annotations.shortfall())
        };
        let inside = |part, at| {
            format!("t.atr is cut off inside {part} at byte {at}: annotations are missing")
        };
        let border = "t.atr lacks its end mark: annotations may be missing".to_owned();

        assert_eq!(told(12), (vec![5, 8], None));
        assert_eq!(told(11), (vec![5, 8], Some(inside("a word", 10))));
        assert_eq!(told(10), (vec![5, 8], Some(border.clone())));
        assert_eq!(told(7), (vec![5], Some(inside("a text", 2))));
        assert_eq!(told(3), (vec![5], Some(inside("a word", 2))));
        assert_eq!(told(2), (vec![5], Some(border.clone())));
        assert_eq!(told(0), (vec![], Some(border)));

        let skip = [&word(1, 5)[..], &word(59, 0), &[1, 0]].concat();
        let mut annotations = Annotations::new(&skip, "t.atr");
        assert_eq!(annotations.by_ref().count(), 1);
        assert_eq!(annotations.shortfall(), Some(inside("a skip", 2)));
    }

    #[test]
    fn no_bytes_make_it_panic_or_run_for_ever() {
        let mut random = Random::new(5);
        for _ in 0..5_000 {
            let bytes: Vec<u8> = (0..random.below(60)).map(|_| random.next_u64() as u8).collect();
            assert!(Annotations::new(&bytes, "t.atr").count() <= bytes.len());
        }
    }

    #[test]
    fn real_records_have_the_beats_of_the_reference() {
        for (key, path) in [
            ("mitdb-100", "MIT-LCP+wfdb-python/sample-data/100.atr"),
            ("mitdb-104", "derived-mitdb-wfdb/104.atr"),
            ("mitdb-106", "derived-mitdb-wfdb/106.atr"),
            ("mitdb-114", "derived-mitdb-wfdb/114.atr"),
            ("mitdb-123", "derived-mitdb-wfdb/123.atr"),
            ("cpsc2021-data_8_2", "DeepPSP+torch_ecg/sample-data/cpsc2021/data_8_2.atr"),
        ] {
            let Some(path) = data(path) else { return };
            let bytes = std::fs::read(path).expect("readable");
            let beats: Vec<_> = Annotations::new(&bytes, "r.atr")
                .map(|a| a.expect("valid"))
                .filter(Annotation::is_beat)
                .collect();

            let count = |sign| beats.iter().filter(|beat| beat.mnemonic() == sign).count() as f64;
            assert_eq!(Some(beats.len() as f64), reference("ecg.json", &[key, "annotated_beats"]));
            assert_eq!(Some(count("V")), reference("ecg.json", &[key, "beat_types", "V"]));
        }
    }
}
