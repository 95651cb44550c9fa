//! Samples per second through a chain of equal operators, at every frame length, on one core and two.

use engine::RunOptions;

use super::{
    Bench,
    graph::{Chain, at_max, halves, planned, run_to_end, uncut},
    kinds::ends::ran,
};

/// A chain to be measured.
pub(crate) struct Throughput {
    /// The program.
    pub(crate) name: &'static str,
    /// What the rivals call it.
    pub(crate) measurement: &'static str,
    /// `op` and parameters of every operator.
    pub(crate) node: String,
    /// How many of them.
    pub(crate) count: usize,
    /// Samples of a repetition.
    pub(crate) samples: usize,
    /// Looks at the last sample, the source's being ones.
    pub(crate) check: fn(f32),
}

impl Throughput {
    /// Measures and reports.
    pub(crate) fn measure(&self) {
        let bench = Bench::start(self.name);
        for frame_len in [1_024, 2_048, 4_096, 16_384] {
            let frames = bench.scale(self.samples, 50_000) / frame_len + 1;
            let rate =
                |options| (frames * frame_len) as f64 / self.run(frames, frame_len, &options);
            let name = |cores: &str| format!("{cores}, {frame_len}");
            let [one, two] = bench.interleaved([
                (&name("one core"), &mut || rate(at_max(1))),
                (&name("two cores"), &mut || rate(at_max(2))),
            ]);
            for (variant, rates) in [("one core", one), ("two cores", two)] {
                bench.report(
                    self.measurement,
                    &[
                        ("variant", variant),
                        ("stages", &self.count.to_string()),
                        ("frame_len", &frame_len.to_string()),
                    ],
                    &[("samples_per_s", &rates.of(|&rate| rate))],
                );
            }
        }
    }

    fn run(&self, frames: usize, frame_len: usize, options: &RunOptions) -> f64 {
        let chain = Chain {
            source: &format!(
                "op = \"bench_same\"\nrate_hz = 1e6\nframes = {frames}\nframe_len = {frame_len}"
            ),
            node: &self.node,
            count: self.count,
            sink: "op = \"bench_final\"",
            stage: if options.cores == 1 { uncut } else { halves },
        };
        run_to_end(&planned(&chain.text(), options.cores), options);
        let ran = ran();
        assert_eq!(ran.samples, (frames * frame_len) as u64);
        (self.check)(ran.last);
        ran.seconds
    }
}
