//! Columns of recordings, and the numbers that other tools gave.

use std::{fs, path::Path};

use engine::testing::{Bench, Seen};

/// A column of a text file behind `skip` lines; NaN where a cell is no number.
pub(crate) fn column(path: &Path, column: usize, skip: usize) -> Vec<f32> {
    let text =
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let cell = |line: &str| {
        let cell = line.split(',').nth(column).unwrap_or_default();
        cell.trim().parse().unwrap_or(f32::NAN)
    };
    text.lines().skip(skip).map(cell).collect()
}

/// What stands behind `keys`, one inside the other, in a JSON text: numbers, one or a list.
pub(crate) fn numbers(text: &str, keys: &[&str]) -> Vec<f64> {
    let inside = keys.iter().fold(text, |text, key| {
        let name = format!("\"{key}\":");
        let at = text.find(&name).unwrap_or_else(|| panic!("no {key} in {keys:?}"));
        &text[at + name.len()..]
    });
    let inside = inside.trim_start();
    let list = match inside.strip_prefix('[') {
        Some(list) => &list[..list.find(']').expect("a list ends")],
        None => &inside[..inside.find([',', '}', '\n']).expect("a number ends")],
    };
    list.split(',').map(|number| number.trim().parse().expect("a number")).collect()
}

/// Everything a bench says to a signal fed in frames of about 20 ms, its end included.
pub(crate) fn heard(bench: &mut Bench, samples: &[f32], rate_hz: f64) -> Vec<Seen> {
    for frame in samples.chunks((0.02 * rate_hz).ceil() as usize) {
        bench.push_samples(0, frame);
        bench.run();
    }
    bench.flush();
    assert_eq!(bench.late(), 0, "the declared look-back is too short");
    bench.take()
}

/// Times of what came by the first port, in seconds.
pub(crate) fn times(seen: &[Seen]) -> Vec<f64> {
    seen.iter().filter(|seen| seen.port == 0).map(|seen| seen.time().secs_f64()).collect()
}
