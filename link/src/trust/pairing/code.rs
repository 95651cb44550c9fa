//! [`Code`]: what one person reads out and another types.

use std::{fmt, str::FromStr};

use zeroize::Zeroizing;

use crate::trust::{identity::fill, letters};

/// Letters of a code, five bits each: one of 2^60, of which an attacker may try one.
pub const CODE_LETTERS: usize = 12;

/// A one-time code: `K7QF-2M9D-XW3T`. Neither shown by `Debug` nor left in memory.
#[derive(Clone, PartialEq, Eq)]
pub struct Code(Zeroizing<String>);

impl Code {
    /// A new one, from the system's randomness.
    #[expect(clippy::new_without_default, reason = "each is another")]
    pub fn new() -> Self {
        let mut random = Zeroizing::new([0; CODE_LETTERS]);
        fill(&mut *random);
        // 32 letters divide 256 evenly, so each is as likely as any other.
        let letter = |byte: &u8| char::from(letters::ALPHABET[usize::from(byte % 32)]);
        Self(Zeroizing::new(random.iter().map(letter).collect()))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Zeroizing::new(letters::grouped(&self.0)))
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(…)")
    }
}

/// Why a text is no code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeTextError {
    /// A character that no code has.
    Letter(char),
    /// Too few or too many letters.
    Length,
}

impl fmt::Display for CodeTextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Letter(letter) => write!(f, "no code has the character {letter:?}"),
            Self::Length => write!(f, "a code has {CODE_LETTERS} letters"),
        }
    }
}

impl std::error::Error for CodeTextError {}

impl FromStr for Code {
    type Err = CodeTextError;

    fn from_str(text: &str) -> Result<Self, CodeTextError> {
        let plain = letters::plain(text, CODE_LETTERS);
        let plain =
            plain.map_err(|wrong| wrong.map_or(CodeTextError::Length, CodeTextError::Letter))?;
        let code = Self(Zeroizing::new(plain));
        if code.0.len() == CODE_LETTERS { Ok(code) } else { Err(CodeTextError::Length) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_read_however_they_are_typed() {
        let code: Code = "K7QF-2M9D-XW01".parse().expect("a code");
        assert_eq!(code.to_string(), "K7QF-2M9D-XW01");
        for typed in ["k7qf2m9dxw01", " K7QF 2M9D XW01\n", "k7qf-2m9d-xwoi", "K7QF--2M9D-XWOL"] {
            assert_eq!(typed.parse(), Ok(code.clone()), "{typed:?}");
        }
        assert_eq!("K7QF-2M9D-XW0".parse::<Code>(), Err(CodeTextError::Length));
        assert_eq!("K7QF-2M9D-XW011".parse::<Code>(), Err(CodeTextError::Length));
        assert_eq!("K7QF-2M9D-XWU1".parse::<Code>(), Err(CodeTextError::Letter('U')));
        assert_eq!("".parse::<Code>(), Err(CodeTextError::Length));
    }

    #[test]
    fn new_codes_use_all_letters_and_differ() {
        let codes: HashSet<String> = (0..1_000).map(|_| Code::new().to_string()).collect();
        assert_eq!(codes.len(), 1_000);
        // That one of 32 letters is missing in 12 000 has a probability of 32 · (31/32)^12000 < 1e-160.
        let letters: HashSet<char> = codes.iter().flat_map(|code| code.chars()).collect();
        assert_eq!(letters.len(), 33, "32 and the dash: {letters:?}");
        assert!(codes.iter().all(|code| code.len() == 14));
    }

    #[test]
    fn a_code_does_not_get_into_logs() {
        assert_eq!(format!("{:?}", Code::new()), "Code(…)");
    }
}
