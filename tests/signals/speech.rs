//! What speech models were trained on, beside what the operators compute.

use std::io::{Cursor, Read};

use afferent_suite::data::folder;
use operators::math::mel::{MelBank, Scale};

/// A two-dimensional array of an `.npz` file: rows, columns and numbers.
fn array(npz: &[u8], name: &str) -> (usize, usize, Vec<f32>) {
    let mut archive = zip::ZipArchive::new(Cursor::new(npz)).expect("an archive");
    let mut bytes = Vec::new();
    let mut file = archive.by_name(&format!("{name}.npy")).expect("the array is there");
    file.read_to_end(&mut bytes).expect("readable");
    // The magic, a version, the length of the header, the header.
    let header_len = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = std::str::from_utf8(&bytes[10..10 + header_len]).expect("text");
    assert!(header.contains("'<f4'") && header.contains("'fortran_order': False"), "{header}");
    let shape = header.split('(').nth(1).and_then(|rest| rest.split(')').next()).expect("a shape");
    let shape: Vec<usize> = shape.split(',').filter_map(|part| part.trim().parse().ok()).collect();
    let numbers = bytes[10 + header_len..].as_chunks().0;
    (shape[0], shape[1], numbers.iter().map(|&number| f32::from_le_bytes(number)).collect())
}

#[test]
fn mel_bands_are_those_whisper_was_trained_on() {
    let Some(folder) = folder() else { return };
    let path = folder.join("openai+whisper/whisper/assets/mel_filters.npz");
    let npz = std::fs::read(path).expect("the data has it");
    for bands in [80, 128] {
        let (rows, bins, reference) = array(&npz, &format!("mel_{bands}"));
        assert_eq!((rows, bins), (bands, 201));
        // 400 samples at 16 kHz: bins 40 Hz apart, to 8 kHz.
        let bank = MelBank::new(Scale::Slaney, bands, (0.0, 8_000.0), (bins, 40.0), true);
        let mut worst = 0.0f64;
        for bin in 0..bins {
            let mut spectrum = vec![0.0; bins];
            spectrum[bin] = 1.0;
            let mut weights = vec![0.0; bands];
            bank.apply(&spectrum, &mut weights);
            for (band, weight) in weights.iter().enumerate() {
                worst = worst.max((weight - f64::from(reference[band * bins + bin])).abs());
            }
        }
        println!("{bands} bands: no weight is off by more than {worst:.1e}");
        // Weights are below 2^-5, and librosa rounds to the 24 bits of f32 twice: the triangle, then its
        // product with the norm. A band one bin off would be off by 1e-2.
        assert!(worst <= (-29f64).exp2(), "{bands} bands: {worst}");
    }
}
