//! A model that has something to say about whatever it hears, and never stops.

use std::{fs, path::Path};

use afferent_suite::data;

/// Words of the vocabulary of an English model; what comes behind them ends a text or is a moment.
const WORDS: usize = 50_256;
const ALL: usize = 51_864;
/// Numbers of a word.
const STATE: usize = 64;
/// Positions of a text.
const POSITIONS: usize = 448;
/// -60 of 16 bits.
const FAR: [u8; 2] = 0xd380_u16.to_le_bytes();

/// Writes the random model, changed: what ends a text is never likely, and what is likely differs more from place to
/// place. As it is it has little to say. Says whether there are data.
pub(crate) fn write(to: &Path) -> bool {
    let Some(data) = data::folder() else { return false };
    let mut bytes = fs::read(data.join("derived-models/ggml-micro-random.en.bin")).expect("there");
    let behind = |name: &str| {
        let at = bytes.windows(name.len()).position(|it| it == name.as_bytes());
        at.expect("it has one") + name.len()
    };
    let (words, bias, places) = (
        behind("decoder.token_embedding.weight"),
        behind("decoder.ln.bias"),
        behind("decoder.positional_embedding"),
    );
    // The first number of a word says whether it is none, and is always asked for.
    for (at, word) in bytes[words..words + 2 * ALL * STATE].chunks_exact_mut(2 * STATE).enumerate()
    {
        if at < WORDS {
            word[..2].fill(0);
        } else {
            word.fill(0);
            word[..2].copy_from_slice(&FAR);
        }
    }
    bytes[bias..bias + 4].copy_from_slice(&30_f32.to_le_bytes());
    for number in bytes[places..places + 4 * POSITIONS * STATE].chunks_exact_mut(4) {
        let was = f32::from_le_bytes([number[0], number[1], number[2], number[3]]);
        number.copy_from_slice(&(50.0 * was).to_le_bytes());
    }
    fs::write(to, bytes).expect("room for a file");
    true
}
