//! WFDB records as the tests of detectors want them: a lead, and where people saw beats.

use std::{fs, path::Path};

use operators::files::wfdb::{Annotations, Header, Recording};

/// One lead of a record.
pub struct Lead {
    /// Samples per second.
    pub rate_hz: f64,
    /// In the unit of the header; NaN where the recorder lost one.
    pub samples: Vec<f32>,
    /// Sample of every annotated beat, and of what class it is (as `N` or `V`).
    pub beats: Vec<(usize, &'static str)>,
}

impl Lead {
    /// Reads a channel of the record at `path`, which has no ending, and its `.atr`.
    ///
    /// # Panics
    /// If there is no such record.
    pub fn read(path: &Path, channel: usize) -> Self {
        let bytes = |ending: &str| {
            let file = path.with_extension(ending);
            fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
        };
        let header = Header::parse(&bytes("hea"), "record").expect("a header");
        let folder = path.parent().expect("a record is in a folder");
        let mut recording =
            Recording::open(&header, &[channel], |file| fs::File::open(folder.join(file)))
                .expect("its signal");
        let mut samples = vec![0.0; recording.samples() as usize];
        let count = samples.len();
        assert_eq!(recording.read(&mut samples, count).expect("samples"), count);

        let annotations = bytes("atr");
        let beats = Annotations::new(&annotations, "record")
            .map(|annotation| annotation.expect("an annotation"))
            .filter(|annotation| annotation.is_beat())
            .map(|annotation| (annotation.sample as usize, annotation.mnemonic()));
        Self { rate_hz: recording.rate_hz(), samples, beats: beats.collect() }
    }
}
