//! Recordings of sound, as tests and benches of voices want them: 16-bit PCM, one channel, 16 kHz.

use std::{fs, path::Path, sync::Arc};

use engine::{
    Body, BuildError, Fault, Flow, Format, Io, Kind, Outline, Param, Port, Rate, Source, Timestamp,
    Unit,
};

/// Samples of a recording, −1 to 1: of a WAV file, or of bare samples.
///
/// # Panics
/// If it is none of that kind.
pub fn read(path: &Path) -> Vec<f32> {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let is_bare = path.extension().is_some_and(|extension| extension == "raw");
    let data = if is_bare { &bytes[..] } else { data_of(&bytes) };
    data.as_chunks().0.iter().map(|&pair| f32::from(i16::from_le_bytes(pair)) / 32_768.0).collect()
}

/// What lies in the chunk `data` of a WAV file.
fn data_of(bytes: &[u8]) -> &[u8] {
    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four"));
    let mut at = 12;
    loop {
        let len = number(at + 4) as usize;
        match &bytes[at..at + 4] {
            b"fmt " => {
                // One channel, its rate.
                assert_eq!((number(at + 8) >> 16, number(at + 12)), (1, 16_000));
            }
            b"data" => return &bytes[at + 8..(at + 8 + len).min(bytes.len())],
            _ => {}
        }
        at += 8 + len + len % 2;
    }
}

/// Plays a recording.
pub static SOUND: Kind = Kind {
    name: "sound",
    outputs: &[Port::signal("out")],
    params: &[&FILE],
    plan: |node| {
        let rate = Rate::new(16_000.0).expect("a rate");
        Ok(Outline::of([Format::signal(1, Unit::UNKNOWN, rate, node.frame_len(rate, 10.0))]))
    },
    build: |node| {
        let samples = read(Path::new(node.get(&FILE).map_err(BuildError::from)?)).into();
        let frame_len = node.output(0).as_signal().expect("planned so").frame_len;
        Ok(Body::source(Sound { samples, frame_len, at: 0 }))
    },
    ..Kind::BASE
};

const FILE: Param<&str> = Param::required("file", "Where it lies.");

struct Sound {
    samples: Arc<[f32]>,
    frame_len: usize,
    at: usize,
}

impl Source for Sound {
    fn next(&mut self, io: &mut Io<'_>) -> Result<Flow, Fault> {
        let len = self.frame_len.min(self.samples.len() - self.at);
        if len == 0 {
            return Ok(Flow::End);
        }
        let mut buffer = io.signal(0, len);
        let part = &self.samples[self.at..self.at + len];
        buffer.floats_mut().expect("fresh").copy_from_slice(part);
        // 62.5 µs a sample.
        io.send_buffer(0, Timestamp::from_nanos(self.at as i64 * 62_500), buffer);
        self.at += len;
        Ok(Flow::More)
    }

    fn reset(&mut self) -> Result<(), Fault> {
        self.at = 0;
        Ok(())
    }
}
