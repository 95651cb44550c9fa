//! The few words of protobuf that messages here are made of.

/// A value that varies in length.
pub(super) const VARINT: u8 = 0;
/// Eight bytes.
pub(super) const EIGHT: u8 = 1;
/// As many bytes as are told before them.
pub(super) const BYTES: u8 = 2;
/// Four bytes.
pub(super) const FOUR: u8 = 5;

pub(super) fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(super) fn key(out: &mut Vec<u8>, field: u32, kind: u8) {
    varint(out, u64::from(field) << 3 | u64::from(kind));
}

pub(super) fn number(out: &mut Vec<u8>, field: u32, value: u64) {
    key(out, field, VARINT);
    varint(out, value);
}

pub(super) fn eight(out: &mut Vec<u8>, field: u32, value: [u8; 8]) {
    key(out, field, EIGHT);
    out.extend_from_slice(&value);
}

pub(super) fn four(out: &mut Vec<u8>, field: u32, value: u32) {
    key(out, field, FOUR);
    out.extend_from_slice(&value.to_le_bytes());
}

pub(super) fn bytes(out: &mut Vec<u8>, field: u32, value: &[u8]) {
    key(out, field, BYTES);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// A message within a message.
pub(super) fn nested(out: &mut Vec<u8>, field: u32, write: impl FnOnce(&mut Vec<u8>)) {
    let mut inner = Vec::new();
    write(&mut inner);
    bytes(out, field, &inner);
}

/// One field as it stands in a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Varint(u64),
    Eight([u8; 8]),
    Bytes(&'a [u8]),
    Four([u8; 4]),
}

/// The fields of a message, as they stand there; `None` for what cannot be read, after which nothing comes.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Option<(u32, Value<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Option<(u32, Value<'a>)> {
        let key = self.varint()?;
        let value = match (key & 7) as u8 {
            VARINT => Value::Varint(self.varint()?),
            EIGHT => Value::Eight(self.take(8)?.try_into().ok()?),
            BYTES => {
                let len = usize::try_from(self.varint()?).ok()?;
                Value::Bytes(self.take(len)?)
            }
            FOUR => Value::Four(self.take(4)?.try_into().ok()?),
            _ => return None,
        };
        Some((u32::try_from(key >> 3).ok()?, value))
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..70).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_is_read() {
        let mut out = Vec::new();
        number(&mut out, 1, u64::MAX);
        eight(&mut out, 2, 7_i64.to_le_bytes());
        bytes(&mut out, 300, b"abc");
        four(&mut out, 4, 9);
        let read: Option<Vec<_>> = Fields(&out).collect();
        let all = [
            (1, Value::Varint(u64::MAX)),
            (2, Value::Eight(7_i64.to_le_bytes())),
            (300, Value::Bytes(b"abc")),
            (4, Value::Four(9_u32.to_le_bytes())),
        ];
        assert_eq!(read.as_deref(), Some(&all[..]));
    }

    #[test]
    fn bytes_that_were_made_up_are_refused_and_end() {
        let mut out = Vec::new();
        bytes(&mut out, 3, b"abcdef");
        number(&mut out, 1, 1 << 40);
        for cut in 1..out.len() {
            let read: Vec<_> = Fields(&out[..cut]).collect();
            assert!(cut == 8 || read.last() == Some(&None), "{cut}: {read:?}");
        }
        for wrong in [&[0xff; 20][..], &[3 << 3 | 3], &[2, 0xff, 0xff, 0xff, 0xff, 0x0f]] {
            assert_eq!(Fields(wrong).next(), Some(None));
        }
    }
}
