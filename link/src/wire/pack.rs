//! Signals made shorter, with every bit back.
//!
//! ```text
//! channel   ┌────────┬────────────────────┬─────────────┐┌───────┬────────────────┐
//!           │ coding │ steps per unit     │ first value ││ width │ 32 differences │ …
//!           │ u8     │ varint, f64 or none│ varint      ││ u8    │ width bits each│
//!           └────────┴────────────────────┴─────────────┘└───────┴────────────────┘
//! ```
//!
//! Each channel of a frame is coded by itself, and a frame needs no other, as any may be lost. What
//! is coded are whole numbers: *steps*, where every sample is exactly `(k / steps_per_unit) as f32`,
//! as converters and files make them; otherwise the samples' bits, ordered as the samples are. Of
//! these go the first or second differences, folded to positive numbers (zigzag) and packed in
//! blocks of 32 with as many bits as the largest needs (frame of reference; Lemire and Boytsov 2015,
//! <https://doi.org/10.1002/spe.2203>). Steps are taken only if all samples come back to the bit;
//! NaN and −0.0 do not, and go by their bits.

use engine::Frame;

use super::{
    WireError,
    bytes::{Cursor, put_varint},
    steps::{Steps, find_steps},
};

const BLOCK: usize = 32;
/// Differences of second order of 33-bit numbers, folded.
const WIDTH_MAX: u8 = 36;

/// How a channel is coded: where its whole numbers come from, and which differences go.
const RAW: u8 = 0;
const BITS: u8 = 1;
const STEPS_WHOLE: u8 = 2;
const STEPS_F64: u8 = 3;
/// Set in a coding for differences of differences.
const SECOND: u8 = 0x10;

/// Packs frames of one edge; remembers how the last ones went.
#[derive(Clone, Debug)]
pub(crate) struct Packer {
    channels: Vec<Memory>,
    numbers: Vec<i64>,
}

/// What a channel's last frames have shown.
#[derive(Clone, Copy, Debug, Default)]
struct Memory {
    steps: Option<Steps>,
    /// Frames until steps are looked for again, and how many it will be the next time.
    wait: u32,
    patience: u32,
}

impl Packer {
    pub(crate) fn new(channels: usize) -> Self {
        Self { channels: vec![Memory::default(); channels], numbers: Vec::new() }
    }

    /// Appends the packed samples, or nothing where that would not be shorter.
    pub(crate) fn pack(&mut self, frame: &Frame, out: &mut Vec<u8>) -> bool {
        let at = out.len();
        for (n, memory) in self.channels.iter_mut().enumerate() {
            put_channel(frame.channel(n), memory, &mut self.numbers, out);
        }
        let is_shorter = out.len() - at < frame.buffer().bytes_len();
        if !is_shorter {
            out.truncate(at);
        }
        is_shorter
    }
}

fn put_channel(samples: &[f32], memory: &mut Memory, numbers: &mut Vec<i64>, out: &mut Vec<u8>) {
    let at = out.len();
    match memory.steps_of(samples, numbers) {
        Some(Steps(steps)) if steps.fract() == 0.0 && steps < 4e9 => {
            out.push(STEPS_WHOLE);
            put_varint(out, steps as u64);
        }
        Some(Steps(steps)) => {
            out.push(STEPS_F64);
            out.extend_from_slice(&steps.to_le_bytes());
        }
        None => {
            out.push(BITS);
            numbers.clear();
            numbers.extend(samples.iter().map(|&x| ordered(x)));
        }
    }
    let Some((&first, _)) = numbers.split_first() else { return };
    put_varint(out, zigzag(first));
    let second = cost(numbers, true) < cost(numbers, false);
    if second {
        out[at] |= SECOND;
    }
    let mut last = Last::new(first, second);
    for block in numbers[1..].chunks(BLOCK) {
        let mut folded = [0; BLOCK];
        for (to, &number) in folded.iter_mut().zip(block) {
            *to = zigzag(last.difference(number));
        }
        put_block(&folded[..block.len()], out);
    }
    if out.len() - at > samples.len() * 4 {
        out.truncate(at);
        out.push(RAW);
        out.extend(samples.iter().flat_map(|x| x.to_le_bytes()));
    }
}

impl Memory {
    /// Steps that all samples are whole multiples of; `numbers` then holds these.
    fn steps_of(&mut self, samples: &[f32], numbers: &mut Vec<i64>) -> Option<Steps> {
        if let Some(steps) = self.steps.filter(|steps| steps.count(samples, numbers)) {
            return Some(steps);
        }
        if self.wait > 0 {
            self.wait -= 1;
            return None;
        }
        self.steps = find_steps(samples).filter(|steps| steps.count(samples, numbers));
        // What has no steps is asked ever more rarely, at most every 256 frames.
        self.patience = if self.steps.is_some() { 0 } else { (2 * self.patience + 1).min(255) };
        self.wait = self.patience;
        self.steps
    }
}

/// Difference from what the last two samples foretell.
#[derive(Clone, Copy)]
struct Last {
    number: i64,
    slope: i64,
    second: bool,
}

impl Last {
    const fn new(first: i64, second: bool) -> Self {
        Self { number: first, slope: 0, second }
    }

    fn difference(&mut self, number: i64) -> i64 {
        let slope = number - self.number;
        let difference = if self.second { slope - self.slope } else { slope };
        (self.number, self.slope) = (number, slope);
        difference
    }

    fn number(&mut self, difference: i64) -> i64 {
        // Bytes from outside may hold anything; the samples' range is checked where they are made.
        let slope = if self.second { self.slope.wrapping_add(difference) } else { difference };
        (self.number, self.slope) = (self.number.wrapping_add(slope), slope);
        self.number
    }
}

/// Bits that the differences need, widths aside.
fn cost(numbers: &[i64], second: bool) -> u64 {
    let mut last = Last::new(numbers[0], second);
    numbers[1..]
        .chunks(BLOCK)
        .map(|block| {
            let all = block.iter().fold(0, |all, &number| all | zigzag(last.difference(number)));
            u64::from(bits_of(all)) * block.len() as u64
        })
        .sum()
}

fn put_block(folded: &[u64], out: &mut Vec<u8>) {
    let width = bits_of(folded.iter().fold(0, |all, &number| all | number));
    out.push(width);
    let (mut held, mut bits) = (0u64, 0u32);
    for &number in folded {
        held |= number << bits;
        bits += u32::from(width);
        while bits >= 8 {
            out.push(held as u8);
            held >>= 8;
            bits -= 8;
        }
    }
    if bits > 0 {
        out.push(held as u8);
    }
}

/// Whether packed content can hold `count` samples in `bytes` bytes: a bit per sample is the least a
/// difference can take, but for blocks without any.
pub(crate) fn check(packed: &[u8], count: usize, bytes: usize) -> Result<(), WireError> {
    let channels = bytes / 4 / count.max(1);
    let least = channels * (1 + count.saturating_sub(1).div_ceil(BLOCK));
    if packed.len() < least {
        let what = "a packed signal";
        return Err(WireError::Short { what, need: least, have: packed.len() });
    }
    Ok(())
}

/// Unpacks `samples.len() / count` channels of `count` samples.
pub(crate) fn unpack(packed: &[u8], count: usize, samples: &mut [f32]) -> Result<(), WireError> {
    let mut cursor = Cursor::new("a packed signal", packed);
    if count > 0 {
        for channel in samples.chunks_exact_mut(count) {
            read_channel(&mut cursor, channel)?;
        }
    }
    cursor.end()
}

fn read_channel(cursor: &mut Cursor<'_>, samples: &mut [f32]) -> Result<(), WireError> {
    let coding = cursor.u8()?;
    let steps = match coding & !SECOND {
        RAW => {
            let raw = cursor.take(samples.len() * 4)?;
            for (to, raw) in samples.iter_mut().zip(raw.chunks_exact(4)) {
                *to = f32::from_le_bytes(raw.try_into().expect("four bytes"));
            }
            return Ok(());
        }
        BITS => None,
        STEPS_WHOLE => Some(Steps(cursor.varint()? as f64)),
        STEPS_F64 => Some(Steps(f64::from_le_bytes(cursor.array()?))),
        _ => {
            let what = "the coding of a channel";
            return Err(WireError::Unknown { what, is: coding.into() });
        }
    };
    let sample = |number: i64| match steps {
        Some(steps) => steps.sample(number),
        None => unordered(number),
    };
    let first = unzigzag(cursor.varint()?);
    let mut last = Last::new(first, coding & SECOND != 0);
    samples[0] = sample(first);
    for block in samples[1..].chunks_mut(BLOCK) {
        let width = cursor.u8()?;
        if width > WIDTH_MAX {
            let (is, max) = (width.into(), WIDTH_MAX.into());
            return Err(WireError::TooLong { what: "the width of a block", is, max });
        }
        let mut raw = cursor.take((block.len() * usize::from(width)).div_ceil(8))?.iter();
        let (mut held, mut bits) = (0u64, 0u32);
        for to in block {
            while bits < u32::from(width) {
                held |= u64::from(*raw.next().expect("as many as were taken")) << bits;
                bits += 8;
            }
            let folded = held & ((1 << width) - 1);
            held >>= width;
            bits -= u32::from(width);
            *to = sample(last.number(unzigzag(folded)));
        }
    }
    Ok(())
}

const fn bits_of(number: u64) -> u8 {
    (u64::BITS - number.leading_zeros()) as u8
}

const fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

const fn unzigzag(folded: u64) -> i64 {
    (folded >> 1) as i64 ^ -((folded & 1) as i64)
}

/// The bits of a sample as a whole number that grows as the sample does.
fn ordered(sample: f32) -> i64 {
    let bits = sample.to_bits();
    let turned = if bits >> 31 == 0 { bits | 1 << 31 } else { !bits };
    i64::from(turned)
}

fn unordered(number: i64) -> f32 {
    let turned = number as u32;
    f32::from_bits(if turned >> 31 == 1 { turned & !(1 << 31) } else { !turned })
}

#[cfg(test)]
mod tests;
