//! What bodies cost on this machine, so that a limit can be planted with a known size.

use super::{planted::Planted, told};

/// A kind that can be made to take most of a core.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heavy {
    pub(crate) op: &'static str,
    /// With SIZE where the number of samples stands that its cost goes by, SIZE_S where they stand as seconds, EVERY_S where they
    /// stay.
    keys: &'static str,
    size: u32,
    /// So many are enough to measure it.
    samples: f64,
    /// Nanoseconds a sample of one channel.
    pub(crate) ns: f64,
    /// Whether what comes out is a signal of the same rate.
    pub(crate) goes_on: bool,
}

impl Heavy {
    /// What its keys are at a rate.
    pub(crate) fn keys(&self, rate_hz: f64) -> String {
        self.sized(self.size, rate_hz)
    }

    /// What its keys have to be for a fourth of the work, or about that: a window lasts a millisecond at least.
    pub(crate) fn lighter(&self, rate_hz: f64) -> (String, String) {
        let least = if self.keys.contains("SIZE_S") { (1.1e-3 * rate_hz) as u32 } else { 0 };
        (self.keys(rate_hz), self.sized((self.size / 4).max(least) | 1, rate_hz))
    }

    fn sized(&self, size: u32, rate_hz: f64) -> String {
        let seconds = |samples: u32| format!("{:.7}", f64::from(samples) / rate_hz);
        let keys = self.keys.replace("EVERY_S", &seconds(self.size));
        let keys = keys.replace("SIZE_S", &seconds(size));
        keys.replace("SIZE", &size.to_string())
    }

    /// Nanoseconds for each of its taps, of a filter.
    pub(crate) fn tap_ns(&self) -> f64 {
        self.ns / f64::from(self.size)
    }
}

/// Everything that was measured.
#[derive(Clone, Debug)]
pub(crate) struct Costs {
    pub(crate) heavy: Vec<Heavy>,
    /// Nanoseconds for a number that `jsonl` writes.
    pub(crate) number_ns: f64,
    /// Nanoseconds for a moment of an EEG.
    pub(crate) eeg_ns: f64,
}

const fn heavy(op: &'static str, keys: &'static str, size: u32, goes_on: bool) -> Heavy {
    let samples = if goes_on { 2e6 } else { 1e5 };
    Heavy { op, keys, size, samples, ns: 0.0, goes_on }
}

/// The first is a filter whose cost is that of its taps.
const HEAVY: [Heavy; 4] = [
    heavy("fir", "high_hz = 1000.0\ntaps = SIZE", 8_191, true),
    heavy("median", "window_s = SIZE_S", 5_001, true),
    heavy("stft", "window_samples = SIZE\nhop_samples = 8", 2_049, false),
    heavy("entropy", "method = \"sample\"\nwindow_s = SIZE_S\nevery_s = EVERY_S", 3_001, false),
];

impl Costs {
    /// Runs each alone.
    pub(crate) fn measure() -> Self {
        let heavy = HEAVY.into_iter().map(|heavy| Heavy { ns: ns_of(&heavy), ..heavy }).collect();
        let number_ns = alone(
            "sine",
            "rate_hz = 100000.0\nseconds = 50.0",
            "jsonl",
            "file = \"/dev/null\"",
            5e6,
        );
        let eeg = "channels = 4\nmains_uv = 5.0\nrate_hz = 1000.0\nseconds = 500.0";
        let eeg_ns = alone("eeg", eeg, "null", "", 5e5);
        let this = Self { heavy, number_ns, eeg_ns };
        let each: Vec<String> =
            this.heavy.iter().map(|heavy| format!("{} {:.0}", heavy.op, heavy.ns)).collect();
        println!(
            "  ns a sample: {}; a number written {:.0}; a moment of an EEG {:.0}",
            each.join(", "),
            this.number_ns,
            this.eeg_ns
        );
        this
    }
}

fn ns_of(heavy: &Heavy) -> f64 {
    let mut graph = Planted::new("compute", "alone");
    let samples = heavy.samples;
    let keys = format!("rate_hz = 100000.0\nseconds = {}", samples / 1e5);
    graph.put("source", "sine", "", &keys);
    graph.put("heavy", heavy.op, "\"source\"", &heavy.keys(1e5));
    graph.put("out", "null", "\"heavy\"", "");
    best_ms(&mut graph) * 1e6 / samples
}

fn alone(op: &str, keys: &str, sink: &str, sink_keys: &str, samples: f64) -> f64 {
    let mut graph = Planted::new("source", "alone");
    graph.put("source", op, "", keys);
    graph.put("out", sink, "\"source\"", sink_keys);
    best_ms(&mut graph) * 1e6 / samples
}

/// Processor time of the best of a few runs in milliseconds: others use the machine, too.
fn best_ms(graph: &mut Planted) -> f64 {
    graph.words(&["--speed", "max"]);
    let once = || {
        let before_ms = of_children_ms();
        let _ = told::run(graph);
        of_children_ms() - before_ms
    };
    (0..3).map(|_| once()).fold(f64::INFINITY, f64::min)
}

/// Processor time of processes that were started here and have ended.
fn of_children_ms() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name, in brackets, may hold anything; cutime and cstime are 13 numbers on, in hundredths of a second.
    let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace().skip(13).take(2);
    fields.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() * 10.0
}
