//! What a ggml file of Whisper says of itself, read before whisper.cpp is let near it: that trusts what it reads.
//!
//! | part | content, little-endian |
//! |---|---|
//! | magic | `0x67676d6c` |
//! | sizes | eleven i32: vocabulary, audio and text dimensions, mel bands, type of the weights |
//! | mel filters | i32 bands, i32 bins, that many f32 |
//! | vocabulary | i32 count, then i32 length and bytes each |
//! | weights | i32 dimensions, i32 length of the name, i32 type; lengths; name; data: up to the end |

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use xxhash_rust::xxh3::Xxh3;

/// What every such file begins with.
pub const MAGIC: [u8; 4] = 0x6767_6d6c_u32.to_le_bytes();

/// Names of the sizes, in the order of the file, and the largest that make sense.
const SIZES: [(&str, i32, i32); 11] = [
    // whisper.cpp writes at the places of its special words without a look: English models have the fewest.
    ("n_vocab", 51_864, 52_000),
    ("n_audio_ctx", 64, 1_500),
    ("n_audio_state", 1, 8_192),
    ("n_audio_head", 1, 256),
    ("n_audio_layer", 1, 256),
    ("n_text_ctx", 8, 4_096),
    ("n_text_state", 1, 8_192),
    ("n_text_head", 1, 256),
    ("n_text_layer", 1, 256),
    ("n_mels", 1, 256),
    ("ftype", 0, 10_000),
];
const BLOCKS: &[(i32, u64, u64)] = &[
    // Type, numbers in a block, bytes of a block.
    (0, 1, 4),
    (1, 1, 2),
    (2, 32, 18),
    (3, 32, 20),
    (6, 32, 22),
    (7, 32, 24),
    (8, 32, 34),
    (10, 256, 84),
    (11, 256, 110),
    (12, 256, 144),
    (13, 256, 176),
    (14, 256, 210),
];

/// A model, as its file describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFile {
    /// The sizes in the order of the file.
    sizes: [i32; 11],
    /// Length of the file in bytes.
    pub bytes: u64,
    /// How many weights there are; none in files that are for tests alone.
    pub tensors: usize,
    /// Hash of all of it.
    pub content: u64,
}

impl ModelFile {
    /// Whether a file that begins like this is a ggml model.
    pub fn is_one(head: &[u8]) -> bool {
        head.starts_with(&MAGIC)
    }

    /// Bytes that one decoding takes beside the weights, about: the states that whisper.cpp allocates, by which a
    /// tiny model's are 146 MB and a base one's 169 MB.
    pub fn state_bytes(&self) -> u64 {
        let [vocab, audio_ctx, audio_state, _, _, text_ctx, text_state, _, text_layer, ..] =
            self.sizes.map(|size| size as u64);
        let pair = 2 * 2;
        let cross = pair * text_layer * audio_ctx * text_state;
        let own = 3 * pair * text_layer * text_ctx * text_state;
        let encoder = 4 * audio_ctx * (6 * audio_state + audio_ctx);
        let logits = 4 * text_ctx * vocab;
        cross + own + encoder + logits
    }

    /// Reads all of a file.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence fragment.
    pub fn read(file: impl Read + Seek) -> Result<Self, String> {
        let told = |error: io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof => "it ends too early".to_owned(),
            _ => error.to_string(),
        };
        let mut file = Hashed::of(file).map_err(told)?;
        let mut magic = [0; 4];
        file.read_exact(&mut magic).map_err(told)?;
        if magic != MAGIC {
            return Err("it is no ggml file".to_owned());
        }
        let mut sizes = [0; 11];
        for (size, (name, least, most)) in sizes.iter_mut().zip(SIZES) {
            *size = file.int().map_err(told)?;
            if !(least..=most).contains(size) {
                return Err(format!("{name} = {size}, which no speech model has"));
            }
        }
        let [_, _, audio_state, audio_head, _, _, text_state, text_head, _, n_mels, _] = sizes;
        if audio_state % audio_head != 0 || text_state % text_head != 0 {
            return Err("its attention heads do not divide its states".to_owned());
        }
        let (bands, bins) = (file.int().map_err(told)?, file.int().map_err(told)?);
        if bands != n_mels || bins != 201 {
            return Err(format!("mel filters of {bands} bands and {bins} bins"));
        }
        file.skip(4 * bands as u64 * bins as u64).map_err(told)?;
        let words = file.int().map_err(told)?;
        if !(1..=sizes[0]).contains(&words) {
            return Err(format!("a vocabulary of {words} words, not {}", sizes[0]));
        }
        let mut has_blank = false;
        for _ in 0..words {
            let len = file.int().map_err(told)?;
            if !(0..=4_096).contains(&len) {
                return Err(format!("a word of {len} bytes"));
            }
            let mut first = [0];
            let begins = (len as usize).min(1);
            file.read_exact(&mut first[..begins]).map_err(told)?;
            has_blank |= len == 1 && first == *b" ";
            file.skip(len as u64 - begins as u64).map_err(told)?;
        }
        // whisper.cpp looks for it without asking whether it is there.
        if !has_blank {
            return Err("a vocabulary without a blank".to_owned());
        }
        let mut tensors = 0;
        while file.left > 0 {
            let (dimensions, name, kind) =
                (file.int().map_err(told)?, file.int().map_err(told)?, file.int().map_err(told)?);
            if !(1..=4).contains(&dimensions) || !(1..=256).contains(&name) {
                return Err(format!("weights with {dimensions} dimensions"));
            }
            let mut numbers = 1_u64;
            for _ in 0..dimensions {
                let len = file.int().map_err(told)?;
                if len < 1 {
                    return Err(format!("weights of length {len}"));
                }
                numbers = numbers.checked_mul(len as u64).ok_or("weights without end")?;
            }
            let known = BLOCKS.iter().find(|(known, ..)| *known == kind);
            let (_, block, bytes) =
                known.ok_or_else(|| format!("weights of the unknown type {kind}"))?;
            let len = numbers.div_ceil(*block).checked_mul(*bytes).ok_or("weights without end")?;
            file.skip(name as u64).and_then(|()| file.skip(len)).map_err(told)?;
            tensors += 1;
        }
        Ok(Self { sizes, bytes: file.len, tensors, content: file.hash.digest() })
    }
}

/// A file that is hashed as it is read.
struct Hashed<F> {
    file: io::BufReader<F>,
    hash: Xxh3,
    len: u64,
    left: u64,
}

impl<F: Read + Seek> Hashed<F> {
    fn of(mut file: F) -> io::Result<Self> {
        let len = file.seek(SeekFrom::End(0))?;
        file.rewind()?;
        let file = io::BufReader::with_capacity(1 << 18, file);
        Ok(Self { file, hash: Xxh3::new(), len, left: len })
    }

    fn int(&mut self) -> io::Result<i32> {
        let mut bytes = [0; 4];
        self.read_exact(&mut bytes)?;
        Ok(i32::from_le_bytes(bytes))
    }

    fn read_exact(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        self.file.read_exact(bytes)?;
        self.hash.update(bytes);
        self.left = self.left.saturating_sub(bytes.len() as u64);
        Ok(())
    }

    fn skip(&mut self, mut len: u64) -> io::Result<()> {
        if len > self.left {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut piece = [0; 1 << 14];
        while len > 0 {
            let part = len.min(piece.len() as u64) as usize;
            self.read_exact(&mut piece[..part])?;
            len -= part as u64;
        }
        Ok(())
    }
}

/// The mel filters of a file that [`ModelFile::read`] has found to be whole: how many bands, and of each 201 weights of a
/// spectrum of 400 samples.
///
/// # Errors
/// If it cannot be read.
pub fn mel_filters(mut file: impl Read + Seek) -> io::Result<(usize, Vec<f32>)> {
    file.seek(SeekFrom::Start(4 + 4 * SIZES.len() as u64))?;
    let mut sizes = [0; 8];
    file.read_exact(&mut sizes)?;
    let size = |at: usize| i32::from_le_bytes([0, 1, 2, 3].map(|byte| sizes[at + byte]));
    let (bands, bins) = (size(0), size(4));
    if !(1..=256).contains(&bands) || bins != 201 {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut bytes = vec![0; 4 * bands as usize * 201];
    file.read_exact(&mut bytes)?;
    let weights =
        bytes.chunks_exact(4).map(|four| f32::from_le_bytes([0, 1, 2, 3].map(|at| four[at])));
    Ok((bands as usize, weights.collect()))
}

/// Bytes of memory that this process may still take, where the system says so: what is free on the machine, or what the
/// control groups that it runs in leave, if that is less. What holds pages of files counts as free.
pub fn memory_free() -> Option<u64> {
    memory_free_below(Path::new("/"))
}

fn memory_free_below(root: &Path) -> Option<u64> {
    let read = |path: PathBuf| fs::read_to_string(path).ok();
    let machine = read(root.join("proc/meminfo")).and_then(|all| {
        let line = all.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kib << 10)
    });
    let groups = read(root.join("proc/self/cgroup")).unwrap_or_default();
    let mut least = machine;
    for line in groups.lines() {
        // Number, controllers, path: without controllers it is one of version 2.
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (mount, names) = match controllers {
            "" => ("sys/fs/cgroup", ["memory.max", "memory.current", "inactive_file"]),
            _ if controllers.split(',').any(|it| it == "memory") => (
                "sys/fs/cgroup/memory",
                ["memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"],
            ),
            _ => continue,
        };
        let mount = root.join(mount);
        let group = mount.join(path.trim_start_matches('/'));
        // The limits of all groups around it hold as well. Inside a container the path may be that outside, and
        // its own group is where they are mounted.
        for folder in group.ancestors().take_while(|folder| folder.starts_with(&mount)) {
            least = least.into_iter().chain(group_free(folder, names)).min();
        }
    }
    least
}

/// What a group leaves, if it has a limit.
fn group_free(folder: &Path, [limit, used, files]: [&str; 3]) -> Option<u64> {
    let number =
        |name| -> Option<u64> { fs::read_to_string(folder.join(name)).ok()?.trim().parse().ok() };
    let (limit, used) = (number(limit)?, number(used)?);
    let all = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
    let files = all.lines().find_map(|line| line.strip_prefix(files)?.trim().parse::<u64>().ok());
    Some(limit.saturating_sub(used.saturating_sub(files.unwrap_or(0))))
}

/// The memory that models of several sections need together.
#[derive(Debug, Default)]
pub struct Needs {
    /// Of each model that was planned: what its states will take, by its content.
    states: BTreeMap<u64, u64>,
}

impl Needs {
    /// Adds a section's models. Says what all need that is not taken yet: their own weights, as those of other sections
    /// are loaded by now, and everybody's states, which workers make when they need them.
    pub fn add(&mut self, models: &[ModelFile], states: usize) -> u64 {
        let mut weights = 0_u64;
        for model in models {
            let states = (states as u64).saturating_mul(model.state_bytes());
            if self.states.insert(model.content, states).is_none() {
                weights = weights.saturating_add(model.bytes);
            }
        }
        self.states.values().fold(weights, |sum, states| sum.saturating_add(*states))
    }

    /// Takes them out again: they will not be loaded.
    pub fn remove(&mut self, models: &[ModelFile]) {
        for model in models {
            self.states.remove(&model.content);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn whole() -> Vec<u8> {
        let mut file = MAGIC.to_vec();
        let mut int = |n: i32| file.extend(n.to_le_bytes());
        for size in [51_864, 64, 8, 2, 1, 8, 8, 2, 1, 2, 1] {
            int(size);
        }
        int(2);
        int(201);
        file.extend(vec![0; 4 * 2 * 201]);
        file.extend(3_i32.to_le_bytes());
        for word in ["a", " ", ""] {
            file.extend((word.len() as i32).to_le_bytes());
            file.extend(word.as_bytes());
        }
        for n in [2, 4, 1, 8, 3] {
            file.extend(i32::to_le_bytes(n));
        }
        file.extend(b"name");
        file.extend(vec![0; 2 * 24]);
        file
    }

    fn read(file: &[u8]) -> Result<ModelFile, String> {
        ModelFile::read(Cursor::new(file))
    }

    #[test]
    fn a_whole_file_is_told_by_all_its_bytes() {
        let file = whole();
        let known = read(&file).unwrap();
        assert_eq!((known.tensors, known.bytes), (1, file.len() as u64));
        let mut other = file.clone();
        *other.last_mut().unwrap() ^= 1;
        assert_ne!(read(&other).unwrap().content, known.content);
    }

    #[test]
    fn whatever_is_cut_or_damaged_is_refused_or_read_to_its_end() {
        let file = whole();
        for len in 0..file.len() {
            // Without any weights it is one of those for tests.
            let is_empty = len == file.len() - 20 - 4 - 48;
            assert_eq!(read(&file[..len]).is_ok(), is_empty, "{len}");
        }
        for at in 0..file.len() {
            for bits in [0x80, 0x7f, 0xff] {
                let mut damaged = file.clone();
                damaged[at] ^= bits;
                drop(read(&damaged));
            }
        }
        let mut small = file.clone();
        small[4..8].copy_from_slice(&51_863_i32.to_le_bytes());
        assert!(read(&small).unwrap_err().contains("n_vocab"));
        let mut dense = file.clone();
        let blank = file.iter().position(|byte| *byte == b' ').unwrap();
        dense[blank] = b'_';
        assert!(read(&dense).unwrap_err().contains("without a blank"));
        assert!(read(b"not a model at all, but longer").unwrap_err().contains("no ggml file"));
        let mut huge = file;
        huge[12..16].copy_from_slice(&i32::MAX.to_le_bytes());
        assert!(read(&huge).unwrap_err().contains("n_audio_state"));
    }

    #[test]
    fn memory_is_what_the_machine_and_every_group_around_leave() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let free = || memory_free_below(root.path());
        assert_eq!(free(), None);
        write("proc/meminfo", "MemTotal: 9000 kB\nMemAvailable:    8000 kB\n");
        assert_eq!(free(), Some(8_000 << 10));
        write("proc/self/cgroup", "5:devices:/\n0::/a/b\n");
        assert_eq!(free(), Some(8_000 << 10), "no such group");
        write("sys/fs/cgroup/a/b/memory.max", "max\n");
        write("sys/fs/cgroup/a/b/memory.current", "1000000\n");
        assert_eq!(free(), Some(8_000 << 10), "no limit");
        // A limit around it; what holds pages of files can be had.
        write("sys/fs/cgroup/a/memory.max", "3000000\n");
        write("sys/fs/cgroup/a/memory.current", "2000000\n");
        write("sys/fs/cgroup/a/memory.stat", "anon 1\ninactive_file 500000\n");
        assert_eq!(free(), Some(1_500_000));
        // As version 1 says it.
        write("proc/self/cgroup", "4:cpu,memory:/c\n0::/a/b\n");
        write("sys/fs/cgroup/memory/c/memory.limit_in_bytes", "900000\n");
        write("sys/fs/cgroup/memory/c/memory.usage_in_bytes", "1000000\n");
        write("sys/fs/cgroup/memory/c/memory.stat", "total_inactive_file 200000\n");
        assert_eq!(free(), Some(100_000));
        // What has taken more than it may leaves nothing.
        write("sys/fs/cgroup/memory/c/memory.stat", "");
        assert_eq!(free(), Some(0));
    }

    #[test]
    fn sections_need_memory_together_and_a_model_once() {
        let small = read(&whole()).unwrap();
        let mut other = whole();
        *other.last_mut().unwrap() ^= 1;
        let other = read(&other).unwrap();
        let (weights, states) = (small.bytes, 3 * small.state_bytes());
        let mut needs = Needs::default();
        assert_eq!(needs.add(std::slice::from_ref(&small), 3), weights + states);
        // Its weights are loaded by now; its states are not.
        assert_eq!(needs.add(std::slice::from_ref(&other), 3), weights + 2 * states);
        assert_eq!(needs.add(&[small.clone(), other.clone()], 3), 2 * states);
        needs.remove(&[other]);
        assert_eq!(needs.add(&[small], 3), states);
    }
}
