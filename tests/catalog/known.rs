//! What the laws have to be told of single kinds: a line each, in the order of the catalogue. What
//! stands here must stand in the kind's docs.

/// Where a delta, a single one among zeros, comes out of an operator on signals.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Delta {
    /// Around its own moment: every frequency is delayed alike. All kinds without a line here.
    Around,
    /// Around its own moment, to within so many nanoseconds: what passes of it is decided band by band.
    NearNs(f64),
    /// Where it was, by the group delay at this frequency.
    AtHz(f64),
    /// So many nanoseconds later, as it is meant to.
    LaterNs(f64),
    /// Nowhere, but a ramp comes out as the same ramp: the kind picks or sorts samples.
    AsRamp,
    /// Nowhere: what is so short does not count.
    Gone,
    /// In another quantity: what it changes in the features of a heart lies between so many seconds
    /// before and after it.
    WithinS(f64, f64),
}

const DELTAS: &[(&str, Delta)] = &[
    ("lowpass", Delta::AtHz(0.0)),
    // Half the rate.
    ("highpass", Delta::AtHz(125.0)),
    // The geometric middle of the example's band, 5 to 15 Hz.
    ("bandpass", Delta::AtHz(8.660_254_037_844_386)),
    ("bandstop", Delta::AtHz(0.0)),
    ("notch", Delta::AtHz(0.0)),
    ("smooth", Delta::AtHz(0.0)),
    ("median", Delta::AsRamp),
    // Its window.
    ("detrend", Delta::WithinS(0.0, 2.0)),
    ("delay", Delta::LaterNs(1e8)),
    // A filter of 1 s with a lag of 0.09 s.
    ("rhythm", Delta::WithinS(0.09, 0.91)),
    // exp(-2 · 8 s) is 1e-7.
    ("orientation", Delta::WithinS(0.0, 8.0)),
    // exp(-2π 0.3 Hz · cos 45° · 10 s) is 2e-6.
    ("gravity", Delta::WithinS(0.0, 10.0)),
    // Sixteen time constants of 50 ms: exp(-16) is 1e-7.
    ("envelope", Delta::WithinS(0.0, 0.8)),
    ("zero_crossings", Delta::WithinS(0.25, 0.25)),
    ("percentile", Delta::AsRamp),
    ("zscore", Delta::WithinS(0.0, 2.0)),
    // Half of each one's window.
    ("log_mel", Delta::WithinS(0.512, 0.512)),
    ("mfcc", Delta::WithinS(0.512, 0.512)),
    ("flatness", Delta::WithinS(0.5, 0.5)),
    // A filter of 0.5 s with a lag of 0.09 s.
    ("analytic", Delta::WithinS(0.09, 0.41)),
    ("baseline", Delta::WithinS(0.0, 0.0)),
    // Half of the net's block of 10 ms.
    ("denoise", Delta::NearNs(5e6)),
    ("dwell", Delta::Gone),
    // The other input's sample stands for 10 ms.
    ("weighted", Delta::WithinS(0.0, 0.012)),
    // Sixteen time constants of 0.5 s: exp(-16) is 1e-7.
    ("complementary", Delta::WithinS(0.0, 8.0)),
];

/// Seconds of good signal after which nothing is left of what came before, where that takes longer
/// than 20: 100 time constants of what a kind keeps at its example, as 1e38 may have to fall below
/// 1e-6.
const FORGETS_S: &[(&str, usize)] = &[
    // Eight half breaths and 30 s.
    ("breath", 60),
    // 1 / (2π · 0.05 Hz · cos 45°) = 4.5 s, of at most 60 µS.
    ("eda", 100),
    // 1 / (2π · 0.5 Hz · cos 45°) = 0.45 s.
    ("highpass", 50),
    // 30 / (π · 50 Hz) = 0.19 s.
    ("notch", 25),
    // What eight taps of a heart explain of itself is learnt to 1e-6 by then.
    ("nlms", 100),
    ("complementary", 60),
    // exp(-2 t) of half a turn.
    ("orientation", 30),
    // 1 / (2π · 0.3 Hz · cos 45°) = 0.75 s.
    ("gravity", 75),
];

/// Kinds that need several channels of certain units: of each its unit and what lifts its samples, so
/// that the channels do not all show the same.
type Channels = &'static [(&'static str, f32)];
const CHANNELS: &[(&str, Channels)] = &[
    ("eda", &[("uS", 0.0)]),
    ("orientation", SENSORS),
    ("gravity", ACC),
    ("steps", ACC),
    ("posture", ACC),
];
const ACC: Channels = &[("g", 0.0), ("g", 0.0), ("g", 1.0)];
const SENSORS: Channels = &[
    ("deg/s", 0.0),
    ("deg/s", 0.0),
    ("deg/s", 0.0),
    ("g", 0.0),
    ("g", 0.0),
    ("g", 1.0),
    ("uT", 20.0),
    ("uT", 0.5),
    ("uT", -30.0),
];

/// Seconds from which a kind learns, at its example, what it keeps for ever: they must be good.
const LEARNS_S: &[(&str, usize)] = &[("baseline", 2)];

/// Kinds whose state cannot be taken out of what computes for them: after a restart they begin anew.
const UNSAVED: &[&str] = &["denoise"];

/// Recurrent nets: what they say depends a little on all that ever came, and how soon they forget is
/// theirs to say: what the net of `speech` says of quiet sound hangs on its past for good (on 21 recordings by 0.2
/// between one that has heard all and one that began in the middle). Their own tests show that nothing spoils them.
const RECURRENT: &[&str] = &["denoise", "speech"];

/// Kinds whose outputs come from the clock of event time, not from a frame.
const BY_TIMER: &[&str] =
    &["hrv", "hrv_frequency", "hrv_nonlinear", "pacer", "dwell", "resonance", "evidence", "index"];

/// Sinks that say something about each frame.
const PER_FRAME: &[&str] = &["jsonl", "print", "collect"];

pub(crate) fn delta(kind: &str) -> Delta {
    find(DELTAS, kind).unwrap_or(Delta::Around)
}

pub(crate) fn forgets_s(kind: &str) -> usize {
    find(FORGETS_S, kind).unwrap_or(20)
}

/// Unit and lift of each channel of a kind's signals; one channel of millivolts unless it needs others.
pub(crate) fn channels(kind: &str) -> Channels {
    find(CHANNELS, kind).unwrap_or(&[("mV", 0.0)])
}

pub(crate) fn is_unsaved(kind: &str) -> bool {
    UNSAVED.contains(&kind)
}

pub(crate) fn is_recurrent(kind: &str) -> bool {
    RECURRENT.contains(&kind)
}

pub(crate) fn learns_s(kind: &str) -> usize {
    find(LEARNS_S, kind).unwrap_or(0)
}

/// Kinds that make a signal of events, from the first of them to the last.
pub(crate) fn is_between_events(kind: &str) -> bool {
    kind == "interpolate"
}

pub(crate) fn is_by_timer(kind: &str) -> bool {
    BY_TIMER.contains(&kind)
}

pub(crate) fn is_per_frame(kind: &str) -> bool {
    PER_FRAME.contains(&kind)
}

fn find<T: Copy>(table: &[(&str, T)], kind: &str) -> Option<T> {
    table.iter().find(|(name, _)| *name == kind).map(|(_, known)| *known)
}

#[test]
fn every_line_is_about_a_kind() {
    let deltas = DELTAS.iter().map(|(kind, _)| kind);
    let told = deltas
        .chain(FORGETS_S.iter().chain(LEARNS_S).map(|(kind, _)| kind))
        .chain(CHANNELS.iter().map(|(kind, _)| kind))
        .chain(BY_TIMER)
        .chain(PER_FRAME)
        .chain(UNSAVED)
        .chain(RECURRENT);
    for kind in told {
        let known = crate::subject::every_kind().any(|known| known.name == *kind);
        assert!(known, "{kind} is no kind");
    }
}
