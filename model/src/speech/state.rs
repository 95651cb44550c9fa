//! Saved state: numbers in a row, little-endian. One list of fields serves both ways.

use engine::Fault;

/// Passes over fields in order, writing or reading each.
pub(crate) enum State<'a> {
    Save(&'a mut Vec<u8>),
    Load(&'a [u8]),
}

impl State<'_> {
    fn bytes<const N: usize>(&mut self, value: [u8; N]) -> Result<[u8; N], Fault> {
        match self {
            Self::Save(into) => {
                into.extend_from_slice(&value);
                Ok(value)
            }
            Self::Load(from) => {
                let (bytes, rest) = from.split_first_chunk().ok_or_else(wrong)?;
                *from = rest;
                Ok(*bytes)
            }
        }
    }

    pub(crate) fn u8(&mut self, value: &mut u8) -> Result<(), Fault> {
        [*value] = self.bytes([*value])?;
        Ok(())
    }

    pub(crate) fn i64(&mut self, value: &mut i64) -> Result<(), Fault> {
        *value = i64::from_le_bytes(self.bytes(value.to_le_bytes())?);
        Ok(())
    }

    pub(crate) fn f64(&mut self, value: &mut f64) -> Result<(), Fault> {
        *value = f64::from_le_bytes(self.bytes(value.to_le_bytes())?);
        Ok(())
    }

    pub(crate) fn f32(&mut self, value: &mut f32) -> Result<(), Fault> {
        *value = f32::from_le_bytes(self.bytes(value.to_le_bytes())?);
        Ok(())
    }

    pub(crate) fn f32s(&mut self, values: &mut [f32]) -> Result<(), Fault> {
        values.iter_mut().try_for_each(|value| self.f32(value))
    }

    pub(crate) fn bool(&mut self, value: &mut bool) -> Result<(), Fault> {
        let [byte] = self.bytes([u8::from(*value)])?;
        *value = byte == 1;
        self.demand(byte <= 1)
    }

    pub(crate) fn time(&mut self, value: &mut Option<i64>) -> Result<(), Fault> {
        let (mut is_there, mut time) = (value.is_some(), value.unwrap_or(0));
        self.bool(&mut is_there)?;
        self.i64(&mut time)?;
        *value = is_there.then_some(time);
        Ok(())
    }

    /// Bytes that are what they are.
    pub(crate) fn raw(&mut self, value: &mut [u8]) -> Result<(), Fault> {
        match self {
            Self::Save(into) => into.extend_from_slice(value),
            Self::Load(from) => {
                let (bytes, rest) = from.split_at_checked(value.len()).ok_or_else(wrong)?;
                value.copy_from_slice(bytes);
                *from = rest;
            }
        }
        Ok(())
    }

    /// Refuses a loaded state that breaks what the rest relies on.
    pub(crate) fn demand(&self, holds: bool) -> Result<(), Fault> {
        if holds || matches!(self, Self::Save(_)) { Ok(()) } else { Err(wrong()) }
    }

    /// That nothing is left over.
    pub(crate) fn end(&self) -> Result<(), Fault> {
        self.demand(matches!(self, Self::Load([])))
    }
}

pub(crate) fn wrong() -> Fault {
    Fault::new("is no state of `speech`")
}
