//! Arrays of NumPy: [`.npy`](https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html), and `.npz`,
//! which is a ZIP file of them.
//!
//! The header is read here, for the readers there are multiply lengths that a hostile file makes
//! overflow.

use std::io::{Cursor, Read};

use zip::ZipArchive;

/// Most bytes of arrays in one file.
const BYTES_MAX: u64 = 2 << 30;
/// Most dimensions; NumPy has no more than 64.
const DIMENSIONS_MAX: usize = 64;

/// An array as it stands in a file, the last dimension fastest.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Npy {
    pub(super) shape: Vec<usize>,
    pub(super) cells: Cells,
}

/// What stands in an array.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cells {
    Floats(Vec<f32>),
    Whole(Vec<i64>),
    Texts(Vec<String>),
}

/// Every array of an `.npz`, by name.
pub(super) fn read_npz(bytes: &[u8]) -> Result<Vec<(String, Npy)>, String> {
    let broken = |error: zip::result::ZipError| format!("it is no `.npz`, or cut short: {error}");
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(broken)?;
    let (mut arrays, mut left) = (Vec::new(), BYTES_MAX);
    for number in 0..archive.len() {
        let entry = archive.by_index(number).map_err(broken)?;
        let name = entry.name().map_err(broken)?.into_owned();
        let Some(name) = name.strip_suffix(".npy") else { continue };
        let mut array = Vec::new();
        let read = entry.take(left + 1).read_to_end(&mut array);
        read.map_err(|error| format!("its array `{name}` cannot be read: {error}"))?;
        left = left.checked_sub(array.len() as u64).ok_or("its arrays are larger than 2 GiB")?;
        let array = read_npy(&array).map_err(|why| format!("its array `{name}`: {why}"))?;
        arrays.push((name.to_owned(), array));
    }
    Ok(arrays)
}

/// The array of an `.npy`.
pub(super) fn read_npy(bytes: &[u8]) -> Result<Npy, String> {
    let header = Header::read(bytes)?;
    let count = header.shape.iter().try_fold(1_usize, |count, &len| count.checked_mul(len));
    let wanted = count.and_then(|count| count.checked_mul(header.cell_bytes()?));
    let cells = &bytes[header.end..];
    if wanted != Some(cells.len()) {
        let shape = &header.shape;
        let len = cells.len();
        return Err(format!("{len} bytes of numbers do not make up its shape {shape:?}"));
    }
    let cells = header.cells(cells)?;
    Ok(Npy { shape: header.shape, cells })
}

struct Header {
    /// Byte order, kind, and bytes (for text: letters) of a cell.
    little: bool,
    kind: u8,
    size: usize,
    shape: Vec<usize>,
    /// Where the cells begin.
    end: usize,
}

impl Header {
    fn read(bytes: &[u8]) -> Result<Self, String> {
        const SHORT: &str = "it is no `.npy`, or cut short";
        let [0x93, b'N', b'U', b'M', b'P', b'Y', version, _, rest @ ..] = bytes else {
            return Err(SHORT.to_owned());
        };
        let (start, len) = match (version, rest) {
            (1, [a, b, ..]) => (10, usize::from(u16::from_le_bytes([*a, *b]))),
            (2 | 3, [a, b, c, d, ..]) => (12, u32::from_le_bytes([*a, *b, *c, *d]) as usize),
            _ => return Err(SHORT.to_owned()),
        };
        let text = bytes.get(start..start + len).and_then(|text| str::from_utf8(text).ok());
        let text = text.ok_or(SHORT)?;
        let value = |key: &str| {
            let quoted = text.find(&format!("'{key}'")).ok_or(format!("its header has no `{key}`"));
            let after = &text[quoted? + key.len() + 2..];
            let after = after.trim_start().strip_prefix(':').ok_or(SHORT.to_owned())?;
            Ok::<&str, String>(after.trim_start())
        };
        if value("fortran_order")?.starts_with("True") {
            let remedy = "save `numpy.ascontiguousarray(…)` of it";
            return Err(format!("its first dimension is the fastest; {remedy}"));
        }
        let descr = value("descr")?.strip_prefix('\'').and_then(|text| text.split_once('\''));
        let (descr, _) = descr.ok_or("it has cells of several numbers, which are not read here")?;
        if descr.ends_with('O') {
            return Err("it holds Python objects; save numbers or text instead".to_owned());
        }
        let [order, kind, size @ ..] = descr.as_bytes() else {
            return Err(format!("its type `{descr}` is not read here"));
        };
        let size = str::from_utf8(size).ok().and_then(|size| size.parse().ok());
        let size = size.ok_or(format!("its type `{descr}` is not read here"))?;
        let shape = value("shape")?.strip_prefix('(').and_then(|text| text.split_once(')'));
        let (shape, _) = shape.ok_or(SHORT)?;
        let lens = shape.split(',').map(str::trim).filter(|len| !len.is_empty());
        let shape: Result<Vec<usize>, _> = lens.map(str::parse).collect();
        let shape = shape.map_err(|_| "its shape is none")?;
        if shape.len() > DIMENSIONS_MAX {
            return Err(format!("it has more than {DIMENSIONS_MAX} dimensions"));
        }
        Ok(Self { little: *order != b'>', kind: *kind, size, shape, end: start + len })
    }

    fn cell_bytes(&self) -> Option<usize> {
        if self.kind == b'U' { self.size.checked_mul(4) } else { Some(self.size) }
    }

    fn cells(&self, bytes: &[u8]) -> Result<Cells, String> {
        macro_rules! numbers {
            ($number:ty, $into:ty) => {{
                let each = bytes.chunks_exact(size_of::<$number>()).map(|cell| {
                    let cell = cell.try_into().expect("as long as a number");
                    let little = <$number>::from_le_bytes(cell);
                    (if self.little { little } else { <$number>::from_be_bytes(cell) }) as $into
                });
                each.collect()
            }};
        }
        Ok(match (self.kind, self.size) {
            (b'f', 4) => Cells::Floats(numbers!(f32, f32)),
            (b'f', 8) => Cells::Floats(numbers!(f64, f32)),
            (b'i', 1) => Cells::Whole(numbers!(i8, i64)),
            (b'i', 2) => Cells::Whole(numbers!(i16, i64)),
            (b'i', 4) => Cells::Whole(numbers!(i32, i64)),
            (b'i', 8) => Cells::Whole(numbers!(i64, i64)),
            (b'u' | b'b', 1) => Cells::Whole(numbers!(u8, i64)),
            (b'u', 2) => Cells::Whole(numbers!(u16, i64)),
            (b'u', 4) => Cells::Whole(numbers!(u32, i64)),
            (b'u', 8) => Cells::Whole(numbers!(u64, i64)),
            (b'S', size @ 1..) => Cells::Texts(bytes.chunks_exact(size).map(ascii).collect()),
            (b'U', size @ 1..) => {
                let texts = bytes.chunks_exact(4 * size).map(|text| {
                    let letters = text.chunks_exact(4).map(|letter| {
                        let letter = letter.try_into().expect("four bytes");
                        let little = u32::from_le_bytes(letter);
                        let code = if self.little { little } else { u32::from_be_bytes(letter) };
                        char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
                    });
                    letters.collect::<String>().trim_end_matches('\0').to_owned()
                });
                Cells::Texts(texts.collect())
            }
            (kind, size) => {
                let bits = 8 * size;
                let (kind, remedy) = (char::from(kind), "save it as float32 or int64");
                return Err(format!("cells of type `{kind}` with {bits} bits; {remedy}"));
            }
        })
    }
}

fn ascii(text: &[u8]) -> String {
    String::from_utf8_lossy(text).trim_end_matches('\0').to_owned()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An `.npy` with this in its header.
    pub(in crate::tools) fn npy(descr: &str, shape: &str, cells: &[u8]) -> Vec<u8> {
        let header =
            format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(cells);
        bytes
    }

    fn said(bytes: &[u8]) -> String {
        read_npy(bytes).unwrap_err()
    }

    #[test]
    fn numbers_and_texts_of_both_byte_orders() {
        let floats: Vec<u8> = [1.5_f32, -2.0].iter().flat_map(|x| x.to_le_bytes()).collect();
        let read = read_npy(&npy("<f4", "(2,)", &floats)).expect("an array");
        assert_eq!(read, Npy { shape: vec![2], cells: Cells::Floats(vec![1.5, -2.0]) });
        let doubles: Vec<u8> = [1.5_f64, -2.0].iter().flat_map(|x| x.to_be_bytes()).collect();
        let read = read_npy(&npy(">f8", "(1, 2)", &doubles)).expect("an array");
        assert_eq!(read, Npy { shape: vec![1, 2], cells: Cells::Floats(vec![1.5, -2.0]) });
        let read = read_npy(&npy("|i1", "(3,)", &[1, 255, 0])).expect("an array");
        assert_eq!(read.cells, Cells::Whole(vec![1, -1, 0]));
        let letters: Vec<u8> =
            ['j', 'a', 'ü', '\0'].iter().flat_map(|&x| (x as u32).to_le_bytes()).collect();
        let read = read_npy(&npy("<U2", "(2,)", &letters)).expect("an array");
        assert_eq!(read.cells, Cells::Texts(vec!["ja".to_owned(), "ü".to_owned()]));
        let read = read_npy(&npy("<f4", "()", &1_f32.to_le_bytes())).expect("an array");
        assert_eq!(read.shape, [0_usize; 0]);
    }

    #[test]
    fn hostile_headers_are_refused_and_say_why() {
        let huge = "(18446744073709551615, 18446744073709551615)";
        assert!(said(&npy("<f4", huge, &[])).contains("do not make up its shape"));
        assert!(said(&npy("<f4", "(3,)", &[0; 8])).contains("8 bytes of numbers"));
        assert!(said(&npy("<f4", "(-3,)", &[0; 8])).contains("shape is none"));
        assert!(
            said(&npy("<f2", "(4,)", &[0; 8])).contains("`f` with 16 bits; save it as float32")
        );
        assert!(said(&npy("|O", "(0,)", &[])).contains("Python objects"));
        assert!(said(b"\x93NUMPY\x02\x00\xff\xff\xff\xff").contains("cut short"));
        assert!(said(b"PK").contains("no `.npy`"));
        let deep = format!("({}", "(".repeat(60_000));
        assert!(!said(&npy("<f4", &deep, &[])).is_empty());
        assert!(read_npz(b"PK\x03\x04 and no more").unwrap_err().contains("no `.npz`"));
    }

    #[test]
    fn arrays_of_a_zip_file_are_found_stored_or_deflated() {
        use std::io::Write;
        use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

        for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
            let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
            let options = SimpleFileOptions::default().compression_method(method);
            for (name, cells) in [("x.npy", vec![7_u8; 1_000]), ("readme.txt", vec![])] {
                zip.start_file(name, options).expect("a name");
                zip.write_all(&npy("|u1", &format!("({},)", cells.len()), &cells)).expect("room");
            }
            let bytes = zip.finish().expect("room").into_inner();
            let arrays = read_npz(&bytes).expect("arrays");
            assert_eq!(arrays.len(), 1, "what is no array is passed over");
            assert_eq!(arrays[0].1.cells, Cells::Whole(vec![7; 1_000]));
            // Damaged in the middle: its check sum tells, or the array does.
            let mut damaged = bytes.clone();
            damaged[60] ^= 0x55;
            assert!(read_npz(&damaged).is_err(), "{method}");
        }
    }

    #[test]
    fn every_beginning_of_an_array_is_refused() {
        let whole = npy("<f4", "(2, 2)", &[0; 16]);
        for end in 0..whole.len() {
            assert!(read_npy(&whole[..end]).is_err(), "{end} bytes");
        }
    }
}
