//! Saved state: numbers in a row, little-endian, in front of them the version of their layout.

use std::error::Error;
use std::fmt;

/// Saved state that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StateError {
    /// The layout is of another version.
    Version {
        /// The version found.
        found: u8,
        /// The version that can be read.
        known: u8,
    },
    /// There are too few or too many bytes.
    Length,
    /// It was saved by something with other parameters, or is damaged.
    Content,
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version { found, known } => {
                write!(f, "the saved state has version {found}; this program reads {known}")
            }
            Self::Length => f.write_str("the saved state is cut off or too long"),
            Self::Content => {
                f.write_str("the saved state is damaged, or of a node with other parameters")
            }
        }
    }
}

impl Error for StateError {}

/// Reads what the `put_` functions wrote.
#[derive(Debug)]
pub(crate) struct StateReader<'a> {
    rest: &'a [u8],
}

impl<'a> StateReader<'a> {
    /// Checks the version in front.
    pub(crate) fn new(bytes: &'a [u8], known: u8) -> Result<Self, StateError> {
        match bytes.split_first() {
            None => Err(StateError::Length),
            Some((&found, rest)) if found == known => Ok(Self { rest }),
            Some((&found, _)) => Err(StateError::Version { found, known }),
        }
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], StateError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(StateError::Length)?;
        self.rest = rest;
        Ok(*bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, StateError> {
        self.bytes().map(u64::from_le_bytes)
    }

    pub(crate) fn i64(&mut self) -> Result<i64, StateError> {
        self.bytes().map(i64::from_le_bytes)
    }

    /// A time that may be absent.
    pub(crate) fn time(&mut self) -> Result<Option<i64>, StateError> {
        let is_there = self.u64()?;
        let time = self.i64()?;
        match is_there {
            0 => Ok(None),
            1 => Ok(Some(time)),
            _ => Err(StateError::Content),
        }
    }

    /// A number of things, at most `limit`.
    pub(crate) fn count(&mut self, limit: usize) -> Result<usize, StateError> {
        let count = usize::try_from(self.u64()?).map_err(|_| StateError::Content)?;
        if count <= limit { Ok(count) } else { Err(StateError::Content) }
    }

    /// What is left: exactly `count` numbers of `N` bytes.
    pub(crate) fn numbers<const N: usize>(self, count: usize) -> Result<&'a [[u8; N]], StateError> {
        match self.rest.as_chunks() {
            (numbers, []) if numbers.len() == count => Ok(numbers),
            _ => Err(StateError::Length),
        }
    }

    /// Checks that nothing is left.
    pub(crate) fn end(self) -> Result<(), StateError> {
        if self.rest.is_empty() { Ok(()) } else { Err(StateError::Length) }
    }
}

pub(crate) fn put_u64(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&number.to_le_bytes());
}

pub(crate) fn put_i64(out: &mut Vec<u8>, number: i64) {
    out.extend_from_slice(&number.to_le_bytes());
}

pub(crate) fn put_f64(out: &mut Vec<u8>, number: f64) {
    out.extend_from_slice(&number.to_le_bytes());
}

pub(crate) fn put_time(out: &mut Vec<u8>, time: Option<i64>) {
    put_u64(out, u64::from(time.is_some()));
    put_i64(out, time.unwrap_or(0));
}

/// Passes over the fields of something in order, writing or reading each: one list of them serves
/// both ways, so they cannot disagree.
pub(crate) enum State<'a> {
    Load(StateReader<'a>),
    Save(&'a mut Vec<u8>),
}

impl State<'_> {
    /// Refuses a loaded state that breaks what the rest relies on. A state that is saved is what
    /// it is: saving never fails.
    pub(crate) fn demand(&self, holds: bool) -> Result<(), StateError> {
        if holds || matches!(self, Self::Save(_)) { Ok(()) } else { Err(StateError::Content) }
    }

    pub(crate) fn u8(&mut self, value: &mut u8) -> Result<(), StateError> {
        [*value] = self.bytes([*value])?;
        Ok(())
    }

    pub(crate) fn bool(&mut self, value: &mut bool) -> Result<(), StateError> {
        let mut byte = u8::from(*value);
        self.u8(&mut byte)?;
        *value = byte == 1;
        self.demand(byte <= 1)
    }

    pub(crate) fn u32(&mut self, value: &mut u32) -> Result<(), StateError> {
        *value = u32::from_le_bytes(self.bytes(value.to_le_bytes())?);
        Ok(())
    }

    pub(crate) fn i32_within(&mut self, value: &mut i32, limit: i32) -> Result<(), StateError> {
        *value = i32::from_le_bytes(self.bytes(value.to_le_bytes())?);
        self.demand((-limit..=limit).contains(value))
    }

    pub(crate) fn u64(&mut self, value: &mut u64) -> Result<(), StateError> {
        *value = u64::from_le_bytes(self.bytes(value.to_le_bytes())?);
        Ok(())
    }

    pub(crate) fn f64(&mut self, value: &mut f64) -> Result<(), StateError> {
        *value = f64::from_le_bytes(self.bytes(value.to_le_bytes())?);
        Ok(())
    }

    pub(crate) fn f32(&mut self, value: &mut f32) -> Result<(), StateError> {
        *value = f32::from_le_bytes(self.bytes(value.to_le_bytes())?);
        Ok(())
    }

    pub(crate) fn i64(&mut self, value: &mut i64) -> Result<(), StateError> {
        *value = i64::from_le_bytes(self.bytes(value.to_le_bytes())?);
        Ok(())
    }

    /// A time that may be absent.
    pub(crate) fn time(&mut self, value: &mut Option<i64>) -> Result<(), StateError> {
        let mut is_there = u64::from(value.is_some());
        self.u64(&mut is_there)?;
        let time = i64::from_le_bytes(self.bytes(value.unwrap_or(0).to_le_bytes())?);
        *value = (is_there == 1).then_some(time);
        self.demand(is_there <= 1)
    }

    pub(crate) fn f32s(&mut self, values: &mut [f32]) -> Result<(), StateError> {
        values.iter_mut().try_for_each(|value| self.f32(value))
    }

    /// Something that may be absent; `visit` passes over it, or over a default in its place, so that
    /// there are always as many bytes.
    pub(crate) fn optional<T: Default + Copy>(
        &mut self,
        value: &mut Option<T>,
        visit: impl FnOnce(&mut Self, &mut T) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        let (mut is_some, mut content) = (value.is_some(), value.unwrap_or_default());
        self.bool(&mut is_some)?;
        visit(self, &mut content)?;
        *value = is_some.then_some(content);
        Ok(())
    }

    /// That nothing is left over.
    pub(crate) fn end(self) -> Result<(), StateError> {
        match self {
            Self::Load(reader) => reader.end(),
            Self::Save(_) => Ok(()),
        }
    }

    fn bytes<const N: usize>(&mut self, value: [u8; N]) -> Result<[u8; N], StateError> {
        match self {
            Self::Save(into) => {
                into.extend_from_slice(&value);
                Ok(value)
            }
            Self::Load(from) => from.bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_is_read_back() {
        let mut bytes = vec![3];
        put_u64(&mut bytes, 7);
        put_time(&mut bytes, None);
        put_time(&mut bytes, Some(-9));

        let mut reader = StateReader::new(&bytes, 3).expect("the version fits");
        assert_eq!(reader.u64(), Ok(7));
        assert_eq!(reader.time(), Ok(None));
        assert_eq!(reader.time(), Ok(Some(-9)));
        assert_eq!(reader.end(), Ok(()));
    }

    #[test]
    fn another_version_is_named() {
        let error = StateReader::new(&[2], 1).expect_err("refused");
        assert_eq!(error.to_string(), "the saved state has version 2; this program reads 1");
    }
}
