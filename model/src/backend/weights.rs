//! The large constants of a model's file, so that sessions that would each keep their own can share them.

use std::collections::HashSet;

/// A constant of a model as its file has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Weight<'a> {
    pub(super) name: &'a str,
    pub(super) kind: Kind,
    /// Its numbers, little-endian, in the order of the last dimension first.
    pub(super) raw: &'a [u8],
}

/// Type of a constant's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    F32,
    I8,
    U8,
}

impl Kind {
    /// Of `TensorProto.DataType`.
    const fn of(number: u64) -> Option<Self> {
        match number {
            1 => Some(Self::F32),
            2 => Some(Self::U8),
            3 => Some(Self::I8),
            _ => None,
        }
    }

    pub(super) const fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::I8 | Self::U8 => 1,
        }
    }
}

/// A constant and its lengths.
pub(super) type Shaped<'a> = (Weight<'a>, Vec<usize>);

/// Operators whose kernels can share what they make of a constant.
const SHARING: [&str; 5] = ["MatMul", "Gemm", "MatMulInteger", "DynamicQuantizeMatMul", "Gather"];

/// The constants of a whole model of at least so many bytes that only operators use whose kernels can share
/// them. What does not add up is left out.
pub(super) fn weights(model: &[u8], bytes_min: usize) -> Vec<Shaped<'_>> {
    let (mut found, mut unshared) = (Vec::new(), HashSet::new());
    for (field, part) in Fields(model) {
        let (7, Part::Bytes(graph)) = (field, part) else { continue };
        for (field, part) in Fields(graph) {
            match (field, part) {
                (1, Part::Bytes(node)) => {
                    let texts = |wanted: u64| {
                        Fields(node).filter_map(move |(field, part)| match part {
                            Part::Bytes(text) if field == wanted => std::str::from_utf8(text).ok(),
                            _ => None,
                        })
                    };
                    if !texts(4).all(|operator| SHARING.contains(&operator)) {
                        unshared.extend(texts(1));
                    }
                }
                (5, Part::Bytes(tensor)) => {
                    found
                        .extend(weight(tensor).filter(|(weight, _)| weight.raw.len() >= bytes_min));
                }
                _ => {}
            }
        }
    }
    found.retain(|(weight, _)| !unshared.contains(weight.name));
    found
}

fn weight(tensor: &[u8]) -> Option<Shaped<'_>> {
    let (mut name, mut kind, mut raw, mut lens) = (None, None, None, Vec::new());
    for (field, part) in Fields(tensor) {
        match (field, part) {
            (1, Part::Number(len)) => lens.push(usize::try_from(len).ok()?),
            (1, Part::Bytes(mut packed)) => {
                while !packed.is_empty() {
                    lens.push(usize::try_from(number(&mut packed)?).ok()?);
                }
            }
            (2, Part::Number(number)) => kind = Kind::of(number),
            (8, Part::Bytes(text)) => name = std::str::from_utf8(text).ok(),
            (9, Part::Bytes(bytes)) => raw = Some(bytes),
            // In a file of its own.
            (14, Part::Number(place)) if place != 0 => return None,
            _ => {}
        }
    }
    let weight = Weight { name: name.filter(|name| !name.is_empty())?, kind: kind?, raw: raw? };
    let count = lens.iter().try_fold(1_usize, |count, &len| count.checked_mul(len))?;
    (count.checked_mul(weight.kind.bytes())? == weight.raw.len()).then_some((weight, lens))
}

/// The fields of a message, as far as it is whole.
struct Fields<'a>(&'a [u8]);

enum Part<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Other,
}

impl<'a> Iterator for Fields<'a> {
    type Item = (u64, Part<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let key = number(&mut self.0)?;
        let part = match key & 7 {
            0 => Part::Number(number(&mut self.0)?),
            1 => self.skip(8)?,
            5 => self.skip(4)?,
            2 => {
                let len = usize::try_from(number(&mut self.0)?).ok()?;
                let (part, rest) = self.0.split_at_checked(len)?;
                self.0 = rest;
                Part::Bytes(part)
            }
            _ => return None,
        };
        Some((key >> 3, part))
    }
}

impl<'a> Fields<'a> {
    fn skip(&mut self, bytes: usize) -> Option<Part<'a>> {
        self.0 = self.0.split_at_checked(bytes)?.1;
        Some(Part::Other)
    }
}

/// A number of 7 bits a byte.
fn number(bytes: &mut &[u8]) -> Option<u64> {
    let mut at = 0;
    let value = crate::onnx::number(bytes, &mut at)?;
    *bytes = &bytes[at..];
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, part: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, part.len() as u8], part].concat()
    }

    fn model(tensor: &[u8]) -> Vec<u8> {
        field(7, &field(5, tensor))
    }

    #[test]
    fn constants_are_found_with_their_lengths() {
        let raw: Vec<u8> = (0..24).collect();
        let tensor = [vec![8, 2, 8, 3, 16, 1], field(8, b"w"), field(9, &raw)].concat();
        let weight = Weight { name: "w", kind: Kind::F32, raw: &raw };
        assert_eq!(weights(&model(&tensor), 24), [(weight, vec![2, 3])]);
        assert_eq!(weights(&model(&tensor), 25), []);
        // Lengths in one piece.
        let packed = [field(1, &[2, 3]), vec![16, 1], field(8, b"w"), field(9, &raw)].concat();
        assert_eq!(weights(&model(&packed), 0), [(weight, vec![2, 3])]);
    }

    #[test]
    fn what_a_kernel_packs_for_itself_is_left_out() {
        let tensor = [vec![8, 4, 16, 1], field(8, b"w"), field(9, &[0; 16])].concat();
        let used_by = |operator: &[u8]| {
            let node = [field(1, b"x"), field(1, b"w"), field(4, operator)].concat();
            weights(&field(7, &[field(1, &node), field(5, &tensor)].concat()), 0).len()
        };
        assert_eq!(used_by(b"MatMul"), 1);
        assert_eq!(used_by(b"Conv"), 0);
    }

    #[test]
    fn what_does_not_add_up_is_left_out() {
        let raw: Vec<u8> = (0..24).collect();
        let of = |head: &[u8], name: &[u8]| {
            weights(&model(&[head.to_vec(), field(8, name), field(9, &raw)].concat()), 0).len()
        };
        assert_eq!(of(&[8, 2, 8, 3, 16, 1], b"w"), 1);
        assert_eq!(of(&[8, 2, 8, 4, 16, 1], b"w"), 0, "other lengths");
        assert_eq!(of(&[8, 24, 16, 7], b"w"), 0, "another type");
        assert_eq!(of(&[8, 2, 8, 3, 16, 1], b""), 0, "no name");
        assert_eq!(of(&[8, 2, 8, 3, 16, 1, 112, 1], b"w"), 0, "elsewhere");
        assert_eq!(weights(&[7 << 3 | 2, 100, 1], 0).len(), 0, "cut short");
    }
}
