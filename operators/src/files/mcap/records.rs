//! The records of an MCAP file, as bytes; see the [specification](https://mcap.dev/spec).

use std::collections::BTreeMap;

/// What a file begins and ends with.
pub(super) const MAGIC: &[u8; 8] = b"\x89MCAP0\r\n";

/// What a record is.
pub(super) mod op {
    pub(crate) const HEADER: u8 = 0x01;
    pub(crate) const FOOTER: u8 = 0x02;
    pub(crate) const SCHEMA: u8 = 0x03;
    pub(crate) const CHANNEL: u8 = 0x04;
    pub(crate) const MESSAGE: u8 = 0x05;
    pub(crate) const CHUNK: u8 = 0x06;
    pub(crate) const MESSAGE_INDEX: u8 = 0x07;
    pub(crate) const CHUNK_INDEX: u8 = 0x08;
    pub(crate) const STATISTICS: u8 = 0x0b;
    pub(crate) const METADATA: u8 = 0x0c;
    pub(crate) const METADATA_INDEX: u8 = 0x0d;
    pub(crate) const SUMMARY_OFFSET: u8 = 0x0e;
    pub(crate) const DATA_END: u8 = 0x0f;
}

/// Reads the body of a record from its front.
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl<'a> Cursor<'a> {
    pub(super) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    pub(super) fn text(&mut self) -> Option<String> {
        let len = self.u32()? as usize;
        String::from_utf8(self.take(len)?.to_vec()).ok()
    }

    pub(super) fn texts(&mut self) -> Option<BTreeMap<String, String>> {
        let len = self.u32()? as usize;
        let mut pairs = Cursor(self.take(len)?);
        let mut texts = BTreeMap::new();
        while !pairs.0.is_empty() {
            texts.insert(pairs.text()?, pairs.text()?);
        }
        Some(texts)
    }
}

/// Appends a record whose body `write` appends.
pub(super) fn record(out: &mut Vec<u8>, op: u8, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(op);
    let at = out.len();
    out.extend_from_slice(&[0; 8]);
    write(out);
    let len = (out.len() - at - 8) as u64;
    out[at..at + 8].copy_from_slice(&len.to_le_bytes());
}

pub(super) fn text(out: &mut Vec<u8>, text: &str) {
    list(out, |out| out.extend_from_slice(text.as_bytes()));
}

pub(super) fn texts(out: &mut Vec<u8>, texts: &BTreeMap<String, String>) {
    list(out, |out| {
        for (key, value) in texts {
            text(out, key);
            text(out, value);
        }
    });
}

/// Appends what `write` does behind the number of its bytes.
pub(super) fn list(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out);
    let len = (out.len() - at - 4) as u32;
    out[at..at + 4].copy_from_slice(&len.to_le_bytes());
}

pub(super) fn u16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_le_bytes());
}

pub(super) fn u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

pub(super) fn u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}
