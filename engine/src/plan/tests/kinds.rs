//! Small kinds to plan with.

use crate::{
    format::{Channel, Field, Format, SignalFormat, Unit},
    graph::Diagnostics,
    kind::{Catalog, Kind, Node, Outline, Placement, Policy, Port, Used},
    param::Param,
    time::Rate,
};

use std::sync::Arc;

pub(super) fn catalog() -> Catalog {
    Catalog::new(&[&[
        &ADD, &ASK, &COPY, &DETECT, &EAT, &FILE, &HEAVY, &JOIN, &LATE, &LOW, &MERGE, &MIC, &SINE,
        &TABLE, &TICK,
    ]])
}

/// A source with a signal and, on its second port, events.
static SINE: Kind = Kind {
    name: "sine",
    outputs: &[Port::signal("out"), Port::event("truth")],
    params: &[&RATE_HZ, &CHANNELS, &UNIT, &SECONDS],
    plan: plan_sine,
    ..Kind::BASE
};

const RATE_HZ: Param<f64> =
    Param::with_default("rate_hz", 250.0, "Samples per second.").within(1.0, 1e6);
const CHANNELS: Param<&str> = Param::with_default("channels", "0", "Names, with blanks between.");
const UNIT: Param<&str> = Param::with_default("unit", "mV", "Unit of all channels.");
const SECONDS: Param<f64> = Param::optional("seconds", "How long it plays.").within(0.0, 1e6);

fn plan_sine(node: &Node<'_>) -> Result<Outline, Diagnostics> {
    let rate = Rate::new(node.get(&RATE_HZ)?).expect("in range");
    let unit = Unit::named(node.get(&UNIT)?);
    let names = node.get(&CHANNELS)?.split(' ');
    let signal = SignalFormat {
        channels: names.map(|name| Channel { name: name.to_owned(), unit }).collect(),
        rate,
        frame_len: node.frame_len(rate, 40.0),
    };
    let seconds = node.get_optional(&SECONDS)?;
    Ok(Outline {
        duration_ns: seconds.map(|seconds| (seconds * 1e9) as i64),
        ..Outline::of([Format::Signal(Arc::new(signal)), events()])
    })
}

fn events() -> Format {
    Format::event(vec![Field::f64("rr_ms")], 10.0)
}

/// A live source.
static MIC: Kind = Kind {
    name: "mic",
    outputs: &[Port::signal("out")],
    placement: Placement::Waits,
    live: true,
    plan: |_| {
        Ok(Outline::of([Format::signal(1, Unit::UNKNOWN, Rate::new(16e3).expect("ok"), 160)]))
    },
    ..Kind::BASE
};

static COPY: Kind = Kind {
    name: "copy",
    inputs: &[Port::any("in")],
    outputs: &[Port::like("out", "in")],
    ..Kind::BASE
};

/// Heavy enough for a stage of its own.
static HEAVY: Kind = Kind { name: "heavy", placement: Placement::Own, ..COPY };

/// An operator that waits, as calls do.
static ASK: Kind = Kind {
    name: "ask",
    params: &[&ANSWER_MS],
    placement: Placement::Waits,
    plan: |node| {
        let answer_ns = (node.get(&ANSWER_MS)? * 1e6) as i64;
        Ok(Outline::like_ports(node)?.answering_after(answer_ns))
    },
    ..COPY
};

const ANSWER_MS: Param<f64> =
    Param::with_default("answer_ms", 0.0, "How long an answer takes.").within(0.0, 1e9);

/// An operator with timers.
static TICK: Kind = Kind { name: "tick", timers: true, ..COPY };

/// Delays by construction, and may look back.
static LATE: Kind = Kind {
    name: "late",
    inputs: &[Port::signal("in")],
    outputs: &[Port::like("out", "in")],
    params: &[&DELAY_MS, &LOOK_BACK_MS],
    plan: |node| {
        let nanos = |ms: f64| (ms * 1e6) as i64;
        let look_back_ns = nanos(node.get(&LOOK_BACK_MS)?);
        Ok(Outline::like_ports(node)?
            .delayed(nanos(node.get(&DELAY_MS)?))
            .looking_back(look_back_ns))
    },
    ..Kind::BASE
};

const DELAY_MS: Param<f64> = Param::required("delay_ms", "How late it is.").within(0.0, 1e9);
const LOOK_BACK_MS: Param<f64> =
    Param::with_default("look_back_ms", 0.0, "How far it looks back.").within(0.0, 1e9);

static LOW: Kind = Kind {
    name: "low",
    inputs: &[Port::signal("in")],
    outputs: &[Port::like("out", "in")],
    params: &[&CUTOFF_HZ, &SHAPE],
    plan: |node| {
        node.check_below_nyquist(&CUTOFF_HZ, node.get(&CUTOFF_HZ)?, "in")?;
        Outline::like_ports(node)
    },
    ..Kind::BASE
};

const CUTOFF_HZ: Param<f64> =
    Param::required("cutoff_hz", "Frequency at which power is halved.").within(1e-3, 1e9);
const SHAPE: Param<&str> =
    Param::with_default("shape", "round", "How steep it is.").one_of(&["round", "steep"]);

static DETECT: Kind = Kind {
    name: "detect",
    inputs: &[Port::signal("in")],
    outputs: &[Port::event("out")],
    plan: |_| Ok(Outline::of([events()]).looking_back(250_000_000).looking_back_mostly(90_000_000)),
    ..Kind::BASE
};

/// Joins one signal to another.
static JOIN: Kind = Kind {
    name: "join",
    inputs: &[Port::any("base"), Port::any("other")],
    outputs: &[Port::like("out", "base")],
    params: &[&BY, &TOLERANCE_MS],
    policy: Policy::Nearest,
    plan: |node| {
        let policy = match node.get(&BY)? {
            "exact" => Policy::Exact,
            "hold" => Policy::Hold,
            _ => Policy::Nearest,
        };
        let tolerance_ns = node.get_optional(&TOLERANCE_MS)?.map(|ms| (ms * 1e6) as i64);
        let align = Some(node.join(policy, tolerance_ns));
        Ok(Outline { align, ..Outline::like_ports(node)? })
    },
    ..Kind::BASE
};

const BY: Param<&str> =
    Param::with_default("by", "nearest", "The rule.").one_of(&["exact", "hold", "nearest"]);
const TOLERANCE_MS: Param<f64> = Param::optional("tolerance_ms", "Farthest partner.");

/// Adds signals of one rate and unit.
static ADD: Kind = Kind {
    name: "add",
    inputs: &[Port::signal("in").variadic()],
    outputs: &[Port::like("out", "in")],
    policy: Policy::Exact,
    plan: |node| {
        node.check_equal_units()?;
        Outline::like_ports(node)
    },
    ..Kind::BASE
};

static MERGE: Kind = Kind {
    name: "merge",
    inputs: &[Port::any("in").variadic(), Port::event("marks").optional().fed_by(&["detect"])],
    outputs: &[Port::like("out", "in")],
    ..Kind::BASE
};

/// A sink for signals alone.
static TABLE: Kind = Kind {
    name: "table",
    inputs: &[Port::signal("in").others_by(&["eat", "print"])],
    ..Kind::BASE
};

/// A sink on the data core.
static EAT: Kind = Kind { name: "eat", inputs: &[Port::any("in").variadic()], ..Kind::BASE };

/// Reads without a `from`, writes with one.
static FILE: Kind = Kind {
    name: "file",
    outputs: &[Port::signal("out")],
    params: &[&PATH],
    plan: plan_file,
    when_fed: Some(&FILE_OUT),
    ..Kind::BASE
};

const PATH: Param<&str> = Param::required("file", "The recording.");

static FILE_OUT: Kind = Kind {
    name: "file",
    inputs: &[Port::any("in").variadic()],
    params: &[&PATH],
    placement: Placement::Waits,
    plan: |node| Ok(Outline::default().using("file", Used::Written(node.path(&PATH)?))),
    ..Kind::BASE
};

fn plan_file(node: &Node<'_>) -> Result<Outline, Diagnostics> {
    let path = node.path(&PATH)?;
    match node.files().open(&path) {
        Ok(_) => {
            Ok(Outline::of([Format::signal(1, Unit::UNKNOWN, Rate::new(100.0).expect("ok"), 4)]))
        }
        Err(error) => {
            // A code of its own is the business of real kinds.
            let message = format!("`{path}` cannot be read: {error}");
            Err(node.problem(crate::graph::Code::OutOfRange, "file", message).into())
        }
    }
}
