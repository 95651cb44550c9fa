//! Saving and loading: one list of the fields serves both ways, so they cannot disagree.

use std::fmt;

/// Why a saved state was refused. The detector must then be reset.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum StateError {
    /// A value that no detector can have.
    Corrupt,
    /// Not as long as a state is.
    Length,
    /// Saved at another rate, or from another kind of input.
    Other,
    /// Saved by a version that is not known here.
    Version(u8),
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Corrupt => write!(f, "the saved state holds an impossible value"),
            Self::Length => write!(f, "the saved state is too short or too long"),
            Self::Other => write!(f, "the state was saved at another rate or for another input"),
            Self::Version(found) => write!(f, "the saved state has the unknown version {found}"),
        }
    }
}

impl std::error::Error for StateError {}

/// Passes over the fields in order, writing or reading each, little-endian.
pub(super) enum State<'a> {
    Load(&'a [u8]),
    Save(&'a mut Vec<u8>),
}

impl State<'_> {
    /// Refuses a loaded state that breaks what the rest relies on. A state that is saved is what
    /// it is: saving never fails.
    pub(super) fn demand(&self, holds: bool) -> Result<(), StateError> {
        if holds || matches!(self, Self::Save(_)) { Ok(()) } else { Err(StateError::Corrupt) }
    }

    pub(super) fn u8(&mut self, value: &mut u8) -> Result<(), StateError> {
        [*value] = self.bytes([*value])?;
        Ok(())
    }

    pub(super) fn bool(&mut self, value: &mut bool) -> Result<(), StateError> {
        let mut byte = u8::from(*value);
        self.u8(&mut byte)?;
        *value = match byte {
            0 => false,
            1 => true,
            _ => return Err(StateError::Corrupt),
        };
        Ok(())
    }

    pub(super) fn u32(&mut self, value: &mut u32) -> Result<(), StateError> {
        *value = u32::from_le_bytes(self.bytes(value.to_le_bytes())?);
        Ok(())
    }

    pub(super) fn i32_within(&mut self, value: &mut i32, limit: i32) -> Result<(), StateError> {
        *value = i32::from_le_bytes(self.bytes(value.to_le_bytes())?);
        self.demand((-limit..=limit).contains(value))
    }

    pub(super) fn u64(&mut self, value: &mut u64) -> Result<(), StateError> {
        *value = u64::from_le_bytes(self.bytes(value.to_le_bytes())?);
        Ok(())
    }

    pub(super) fn f64(&mut self, value: &mut f64) -> Result<(), StateError> {
        *value = f64::from_le_bytes(self.bytes(value.to_le_bytes())?);
        Ok(())
    }

    pub(super) fn f32(&mut self, value: &mut f32) -> Result<(), StateError> {
        *value = f32::from_le_bytes(self.bytes(value.to_le_bytes())?);
        Ok(())
    }

    pub(super) fn f32s(&mut self, values: &mut [f32]) -> Result<(), StateError> {
        values.iter_mut().try_for_each(|value| self.f32(value))
    }

    /// That nothing is left over.
    pub(super) fn end(self) -> Result<(), StateError> {
        match self {
            Self::Load(rest) if !rest.is_empty() => Err(StateError::Length),
            _ => Ok(()),
        }
    }

    fn bytes<const N: usize>(&mut self, value: [u8; N]) -> Result<[u8; N], StateError> {
        match self {
            Self::Save(into) => {
                into.extend_from_slice(&value);
                Ok(value)
            }
            Self::Load(from) => {
                let (value, rest) = from.split_first_chunk().ok_or(StateError::Length)?;
                *from = rest;
                Ok(*value)
            }
        }
    }
}
