//! Bytes as letters that people read out to each other.
//!
//! Crockford's alphabet: ten digits and 22 letters, without I, L, O and U. Reading takes small
//! letters, takes O for 0 and I and L for 1, and passes over dashes and blanks.

use std::sync::LazyLock;

use data_encoding::{Encoding, Specification};

/// Five bits each.
pub(super) const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static LETTERS: LazyLock<Encoding> = LazyLock::new(|| {
    let mut letters = Specification::new();
    letters.symbols.push_str(str::from_utf8(ALPHABET).expect("ASCII"));
    letters.encoding().expect("32 different letters")
});

/// The bytes as letters, five bits each, the last one filled with zeros.
pub(super) fn write(bytes: &[u8]) -> String {
    LETTERS.encode(bytes)
}

/// The bytes behind letters that [`plain`] gave; none if there are none.
pub(super) fn read(letters: &str) -> Option<Vec<u8>> {
    LETTERS.decode(letters.as_bytes()).ok()
}

/// Letters as they would have been written.
///
/// # Errors
/// The first character that stands for none, or `None` for more than `max` letters.
pub(super) fn plain(text: &str, max: usize) -> Result<String, Option<char>> {
    let mut letters = String::with_capacity(max);
    for letter in text.chars() {
        let plain = match letter.to_ascii_uppercase() {
            '-' | ' ' | '\t' | '\r' | '\n' => continue,
            'O' => '0',
            'I' | 'L' => '1',
            other if other.is_ascii() && ALPHABET.contains(&(other as u8)) => other,
            _ => return Err(Some(letter)),
        };
        if letters.len() == max {
            return Err(None);
        }
        letters.push(plain);
    }
    Ok(letters)
}

/// Letters in groups of four.
pub(super) fn grouped(letters: &str) -> String {
    let groups: Vec<&str> =
        letters.as_bytes().chunks(4).map(|group| str::from_utf8(group).expect("ASCII")).collect();
    groups.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_however_it_is_typed() {
        let bytes = [0x00, 0xff, 0x10, 0x42, 0x77];
        let letters = write(&bytes);
        assert_eq!(letters, "03ZH0GKQ");

        for typed in ["03ZH0GKQ", "03zh-0gkq", " o3ZH OgkQ\n", "O3zhogkq"] {
            let plain = plain(typed, 8).expect("letters");
            assert_eq!(read(&plain).as_deref(), Some(&bytes[..]), "{typed:?}");
        }
    }

    #[test]
    fn what_is_no_letter_is_named() {
        assert_eq!(plain("03ZU", 8), Err(Some('U')));
        assert_eq!(plain("03Zé", 8), Err(Some('é')));
        assert_eq!(plain("03ZH0", 4), Err(None));
        assert_eq!(read("Z"), None, "five bits are no byte");
        assert_eq!(read("01"), None, "the bits that fill up are zeros");
    }

    #[test]
    fn groups_of_four() {
        assert_eq!(grouped("ABCDEFGHJ"), "ABCD-EFGH-J");
    }
}
