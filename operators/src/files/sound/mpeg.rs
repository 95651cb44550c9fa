//! MPEG audio whose frames were damaged: what lies between two sound ones keeps its length.
//!
//! A frame says only how long it is. Where a header is damaged, whoever reads on looks for the next one, and all that
//! follows comes too early by what was passed over, if what is passed over does not look like a header of its own. Here
//! whole frames that hold nothing are put in the place of what lies between: as many as are missing of those that the first
//! frame promises, as its encoder has written there; in files without that, as many as its bytes make at the mean length of
//! those before, which is exact where the bit rate is constant.
//!
//! ```text
//! file:  frame | frame | fr?????????????ame | frame | TAG…
//! read:  frame | frame | lost | lost | lost | frame | TAG…
//! ```
//!
//! Two headers a frame apart that say the same of version, layer, rate and channels are a frame. In front of the first
//! such, and where none follows, bytes are read as they are.

use std::{
    collections::VecDeque,
    io::{self, Read, SeekFrom},
};

use engine::ReadSeek;

/// At the end of a frame that stands for a lost one.
const LOST: &[u8; 8] = b"\0lost\xfe\x01\0";
/// How far the next sound frame is looked for, in bytes.
const REACH: usize = 1 << 20;
/// Bytes of the file read at once.
const PIECE: usize = 1 << 14;

/// Whether a frame stands for a lost one.
pub(super) fn is_lost(frame: &[u8]) -> bool {
    frame.ends_with(LOST)
}

/// Passes the bytes of a file on.
#[derive(Default)]
pub(super) struct Frames {
    /// Bytes that were read and not looked at yet, from `from` on.
    held: Vec<u8>,
    from: usize,
    /// What is passed on next, from `out_from` on.
    out: Vec<u8>,
    out_from: usize,
    /// The last sound header.
    last: Option<Header>,
    /// Sound frames, and their bytes.
    count: u64,
    bytes: u64,
    /// How many the first one promises, itself left out.
    promised: Option<u64>,
    /// How many are missing at each of the places to come, once that was counted.
    missing: Option<VecDeque<u64>>,
    /// The file holds no more than what is held.
    is_all: bool,
    /// What is left is passed on as it is.
    is_plain: bool,
}

/// What a frame's first four bytes say.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Header {
    word: u32,
    len: usize,
}

impl Header {
    /// Nothing if these are none, or do not say how long the frame is.
    fn of(bytes: &[u8]) -> Option<Self> {
        const RATES_HZ: [usize; 3] = [44_100, 48_000, 32_000];
        /// kbit/s of layers 1, 2 and 3 of MPEG 1, and of layer 1 and of 2 and 3 of MPEG 2.
        const KILOBITS: [[usize; 15]; 5] = [
            [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
            [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
            [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
            [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
            [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
        ];
        let word = u32::from_be_bytes(*bytes.first_chunk()?);
        let field = |from: u32, bits: u32| (word >> from & ((1 << bits) - 1)) as usize;
        let (version, layer, kilobits, rate) =
            (field(19, 2), field(17, 2), field(12, 4), field(10, 2));
        if field(21, 11) != 0x7ff || version == 1 || layer == 0 || kilobits == 15 || rate == 3 {
            return None;
        }
        let layer = 4 - layer;
        let table = match (version, layer) {
            (3, layer) => layer - 1,
            (_, 1) => 3,
            _ => 4,
        };
        let bits = 1_000 * KILOBITS[table][kilobits];
        let rate_hz = RATES_HZ[rate] >> [2, 0, 1, 0][version];
        let slots = match (layer, version) {
            (1, _) => 12,
            (3, 0 | 2) => 72,
            _ => 144,
        };
        let slots = slots * bits / rate_hz + field(9, 1);
        let len = if layer == 1 { 4 * slots } else { slots };
        (bits > 0 && len > 4 + LOST.len()).then_some(Self { word, len })
    }

    /// What all frames of a file have in common: version, layer and rate, and whether there is one channel.
    const fn kin(self) -> (u32, bool) {
        (self.word & 0xfffe_0c00, self.word >> 6 & 3 == 3)
    }

    /// How many frames follow, if this one says so: as LAME and others write it behind where a frame's settings lie.
    fn promised(self, frame: &[u8]) -> Option<u64> {
        let frame = frame.get(..self.len)?;
        let at = (4..40).find(|&at| matches!(frame.get(at..at + 4), Some(b"Xing" | b"Info")))?;
        let number = |at: usize| Some(u32::from_be_bytes(*frame.get(at..)?.first_chunk()?));
        (number(at + 4)? & 1 == 1).then(|| number(at + 8).map(u64::from))?
    }

    /// A frame in place of a lost one.
    fn lost(self) -> Vec<u8> {
        let mut frame = vec![0; self.len];
        // Without a checksum.
        frame[..4].copy_from_slice(&(self.word | 1 << 16).to_be_bytes());
        let at = frame.len() - LOST.len();
        frame[at..].copy_from_slice(LOST);
        frame
    }
}

impl Frames {
    /// Reads on.
    pub(super) fn read(&mut self, file: &mut dyn ReadSeek, into: &mut [u8]) -> io::Result<usize> {
        while self.out_from == self.out.len() {
            if self.is_plain && self.held.len() == self.from {
                return file.read(into);
            }
            self.out.clear();
            self.out_from = 0;
            if !self.next(file)? {
                return Ok(0);
            }
        }
        let count = into.len().min(self.out.len() - self.out_from);
        into[..count].copy_from_slice(&self.out[self.out_from..self.out_from + count]);
        self.out_from += count;
        Ok(count)
    }

    /// Finds what is passed on next; says no where nothing is left.
    fn next(&mut self, file: &mut dyn ReadSeek) -> io::Result<bool> {
        let found = if self.is_plain { None } else { self.find(file)? };
        let Some((skipped, header)) = found else {
            self.is_plain = true;
            self.out.extend(self.held.drain(self.from..));
            return Ok(!self.out.is_empty());
        };
        if skipped > 0 {
            match self.last {
                Some(last) => {
                    let count = self.missing(file, skipped, header)?;
                    (0..count).for_each(|_| self.out.extend(last.lost()));
                }
                // A tag, or whatever lies in front of the sound.
                None => self.out.extend_from_slice(&self.held[self.from..self.from + skipped]),
            }
            self.from += skipped;
        }
        if self.last.is_none() {
            self.promised = header.promised(&self.held[self.from..]);
        }
        let end = self.pass(header);
        self.out.extend_from_slice(&self.held[self.from..end]);
        self.from = end;
        Ok(true)
    }

    /// How many bytes lie before the next sound frame, and its header.
    fn find(&mut self, file: &mut dyn ReadSeek) -> io::Result<Option<(usize, Header)>> {
        for skipped in 0..REACH {
            self.have(file, skipped + 4)?;
            if self.held.len() - self.from < skipped + 4 {
                return Ok(None);
            }
            if let Some(header) = self.frame_at(file, skipped)? {
                return Ok(Some((skipped, header)));
            }
        }
        Ok(None)
    }

    /// How many frames are missing in so many bytes, behind which that one comes.
    fn missing(
        &mut self,
        file: &mut dyn ReadSeek,
        skipped: usize,
        header: Header,
    ) -> io::Result<u64> {
        let mean = self.bytes as f64 / self.count as f64;
        let guessed = |bytes: usize| (bytes as f64 / mean).round() as u64;
        let Some(promised) = self.promised else { return Ok(guessed(skipped)) };
        if self.missing.is_none() {
            self.missing = Some(self.count_missing(file, promised, (skipped, header))?);
        }
        let counted = self.missing.as_mut().and_then(VecDeque::pop_front);
        Ok(counted.unwrap_or_else(|| guessed(skipped)))
    }

    /// How many frames are missing there and at each place behind, of those that were promised; nothing where that cannot
    /// be. Looks through the rest of the file once.
    fn count_missing(
        &self,
        file: &mut dyn ReadSeek,
        promised: u64,
        (skipped, header): (usize, Header),
    ) -> io::Result<VecDeque<u64>> {
        let back = file.stream_position()?;
        let mut ahead = Self {
            held: self.held[self.from + skipped..].to_vec(),
            last: Some(header),
            is_all: self.is_all,
            ..Self::default()
        };
        let mut places = vec![skipped];
        while let Some((skipped, header)) = ahead.find(file)? {
            if skipped > 0 {
                places.push(skipped);
            }
            ahead.from += skipped;
            ahead.from = ahead.pass(header);
        }
        file.seek(SeekFrom::Start(back))?;
        // The first one promised the others.
        let there = self.count - 1 + ahead.count;
        let all: usize = places.iter().sum();
        let mean = (self.bytes + ahead.bytes) as f64 / (self.count + ahead.count) as f64;
        let missing = promised.saturating_sub(there) as f64;
        // A promise about something else.
        if missing > 4.0 * all as f64 / mean + 2.0 {
            return Ok(VecDeque::new());
        }
        // In whole frames, so that none gets lost between the places.
        let (mut bytes, mut told) = (0, 0);
        let each = places.iter().map(|place| {
            bytes += place;
            let until = (missing * bytes as f64 / all as f64).round() as u64;
            let own = until - told;
            told = until;
            own
        });
        Ok(each.collect())
    }

    /// Has so many bytes at hand, if there are so many.
    fn have(&mut self, file: &mut dyn ReadSeek, len: usize) -> io::Result<()> {
        while !self.is_all && self.held.len() - self.from < len {
            if self.from > PIECE {
                self.held.drain(..self.from);
                self.from = 0;
            }
            let before = self.held.len();
            let read = file.take(PIECE as u64).read_to_end(&mut self.held)?;
            self.is_all = read == 0;
            debug_assert_eq!(self.held.len(), before + read);
        }
        Ok(())
    }

    /// The header of a frame that begins so far on, and is followed by another, or ends the file.
    fn frame_at(&mut self, file: &mut dyn ReadSeek, at: usize) -> io::Result<Option<Header>> {
        let header = |held: &[u8]| held.get(at..).and_then(Header::of);
        self.have(file, at + 4)?;
        let Some(found) = header(&self.held[self.from..]) else { return Ok(None) };
        if self.last.is_some_and(|last| last.kin() != found.kin()) {
            return Ok(None);
        }
        self.have(file, at + found.len + 4)?;
        let behind = self.held[self.from..].get(at + found.len..);
        // The last frame, which a tag may follow, has another in front of it.
        let is_last = self.last.is_some() && at == 0;
        let is_followed = match behind {
            Some(behind) => Header::of(behind).is_some_and(|next| next.kin() == found.kin()),
            None => false,
        };
        Ok((is_followed || is_last).then_some(found))
    }

    /// Counts a frame and says where it ends, or the file does.
    fn pass(&mut self, header: Header) -> usize {
        self.last = Some(header);
        self.count += 1;
        self.bytes += header.len as u64;
        (self.from + header.len).min(self.held.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads in pieces of odd lengths.
    fn read(bytes: &[u8]) -> Vec<u8> {
        let mut file = io::Cursor::new(bytes.to_vec());
        let (mut frames, mut all) = (Frames::default(), Vec::new());
        loop {
            let mut piece = [0; 777];
            match frames.read(&mut file, &mut piece).unwrap() {
                0 => return all,
                count => all.extend_from_slice(&piece[..count]),
            }
        }
    }

    /// MPEG 1, layer 3, 128 kbit/s, 44.1 kHz: 417 bytes, or 418.
    fn frame(number: usize) -> Vec<u8> {
        let padding = number % 2;
        let mut frame = vec![number as u8; 417 + padding];
        frame[..4].copy_from_slice(&[0xff, 0xfb, 0x90 | (padding as u8) << 1, 0xc4]);
        frame
    }

    #[test]
    fn what_is_whole_is_read_as_it_is() {
        let tag = [&b"ID3\x04\0\0\0\0\0\x05"[..], b"hello"].concat();
        let sound: Vec<u8> = (0..50).flat_map(frame).collect();
        for bytes in [
            sound.clone(),
            [&tag[..], &sound, b"TAG", &[b'x'; 125]].concat(),
            sound[..5_000].to_vec(),
            b"no sound at all".to_vec(),
            Vec::new(),
            vec![0xff; 3_000],
        ] {
            assert_eq!(read(&bytes), bytes);
        }
    }

    #[test]
    fn what_is_damaged_keeps_its_length_in_frames() {
        let sound: Vec<u8> = (0..50).flat_map(frame).collect();
        let starts: Vec<usize> = (0..50).map(|n| (0..n).map(|n| frame(n).len()).sum()).collect();
        for (first, last) in [(10, 10), (10, 13), (20, 40)] {
            let mut damaged = sound.clone();
            // From the header of the one into the header of the other.
            damaged[starts[first]..starts[last] + 2].fill(0xff);
            let got = read(&damaged);
            let lost = got.windows(LOST.len()).filter(|it| it == LOST).count();
            assert_eq!(lost, last - first + 1);
            assert!(got.starts_with(&sound[..starts[first]]));
            assert!(got.ends_with(&sound[starts[last + 1]..]));
        }
    }

    #[test]
    fn what_was_promised_says_how_many_are_missing() {
        // Frames of 104, 208 and 417 bytes in turn, and a first one that promises sixty.
        let frame = |number: usize| {
            let (len, bits) = [(104, 0x10), (208, 0x50), (417, 0x90)][number % 3];
            let mut frame = vec![number as u8; len];
            frame[..4].copy_from_slice(&[0xff, 0xfb, bits, 0xc4]);
            frame
        };
        let mut first = vec![0; 417];
        first[..4].copy_from_slice(&[0xff, 0xfb, 0x90, 0xc4]);
        first[21..33].copy_from_slice(b"Xing\0\0\0\x01\0\0\0\x3c");
        let starts: Vec<usize> =
            (0..60).map(|n| 417 + (0..n).map(|n| frame(n).len()).sum::<usize>()).collect();
        let mut damaged = [first, (0..60).flat_map(frame).collect()].concat();
        // Two short frames, then three, and later one.
        for (first, last) in [(9, 10), (30, 32), (50, 50)] {
            damaged[starts[first]..starts[last] + 2].fill(0xff);
        }
        let got = read(&damaged);
        let lost = got.windows(LOST.len()).filter(|it| it == LOST).count();
        assert_eq!(lost, 6);
    }
}
