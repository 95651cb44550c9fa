//! Bodies that hang, in a body or while they are built, until a test lets them go; and one with a
//! knob and a memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use engine::{Body, Fault, Frame, Io, Kind, Node, Operator, Param, Placement, Port, Sink};

pub(crate) static KINDS: &[&Kind] = &[&STUCK, &BRITTLE, &SLOW, &CLOGGED, &GAIN, &KEPT, &LINGERS];

/// Gates by name: how many wait there, and which are open.
#[derive(Default)]
struct Gates {
    waiting: BTreeMap<String, usize>,
    open: BTreeSet<String>,
}

static GATES: Mutex<Gates> = Mutex::new(Gates { waiting: BTreeMap::new(), open: BTreeSet::new() });
static MOVED: Condvar = Condvar::new();

fn gates() -> MutexGuard<'static, Gates> {
    GATES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits at a gate until it is open.
fn hang(gate: &str) {
    let mut gates = gates();
    *gates.waiting.entry(gate.to_owned()).or_default() += 1;
    MOVED.notify_all();
    while !gates.open.contains(gate) {
        gates = MOVED.wait(gates).unwrap_or_else(PoisonError::into_inner);
    }
}

/// Waits until a body hangs at a gate.
pub(crate) fn wait_for_one_at(gate: &str) {
    let is_empty = |gates: &mut Gates| !gates.waiting.contains_key(gate);
    let (_gates, limit) = MOVED
        .wait_timeout_while(gates(), Duration::from_secs(60), is_empty)
        .unwrap_or_else(PoisonError::into_inner);
    assert!(!limit.timed_out(), "nobody came to `{gate}`");
}

/// Lets go who hangs at a gate, now and later.
pub(crate) fn open(gate: &str) {
    gates().open.insert(gate.to_owned());
    MOVED.notify_all();
}

/// Counts by name, for bodies that fail a few times.
static COUNTS: Mutex<BTreeMap<String, i64>> = Mutex::new(BTreeMap::new());

fn count(name: &str) -> i64 {
    let mut counts = COUNTS.lock().unwrap_or_else(PoisonError::into_inner);
    let count = counts.entry(name.to_owned()).or_default();
    *count += 1;
    *count
}

const AT: Param<i64> =
    Param::with_default("at", 1_000_000_000, "The first sample of the frame to fail on.")
        .within(0.0, 1e9);
const ONLY: Param<i64> =
    Param::with_default("only", -1, "The one session to do so in.").within(-1.0, 1e6);
const FIRST: Param<i64> =
    Param::with_default("first", 2, "The first build to fail.").within(1.0, 1e9);
const LAST: Param<i64> = Param::with_default("last", 0, "The last build to fail.").within(0.0, 1e9);
const FACTOR: Param<f64> =
    Param::with_default("factor", 1.0, "What samples are multiplied by.").within(0.0, 100.0).live();

const OFFSET: Param<f64> =
    Param::with_default("offset", 0.0, "What is added to them then.").within(0.0, 100.0).live();
const BUILDS: Param<&str> =
    Param::with_default("builds", "", "How builds after the first go.").one_of(&["", "slowly"]);

const IN: &[Port] = &[Port::signal("in")];
const OUT: &[Port] = &[Port::like("out", "in")];

/// Hangs once a session on the frame that begins with `at`, until its gate (the node's name) opens.
static STUCK: Kind = Kind {
    name: "stuck",
    inputs: IN,
    outputs: OUT,
    params: &[&AT, &ONLY],
    build: |node| Ok(Body::operator(Fails::new(node, How::Hang)?)),
    ..Kind::BASE
};

/// Dies once a session on the frame that begins with `at`; some of its builds panic.
static BRITTLE: Kind = Kind {
    name: "brittle",
    inputs: IN,
    outputs: OUT,
    params: &[&AT, &ONLY, &FIRST, &LAST],
    build: |node| {
        let number = count(&format!("builds of {}", node.name()));
        assert!(!(node.get(&FIRST)?..=node.get(&LAST)?).contains(&number), "build {number} dies");
        Ok(Body::operator(Fails::new(node, How::Die)?))
    },
    ..Kind::BASE
};

/// Passes frames on; its second build hangs at the gate called like the node.
static SLOW: Kind = Kind {
    name: "slow",
    inputs: IN,
    outputs: OUT,
    params: &[&AT, &ONLY],
    build: |node| {
        if count(&format!("builds of {}", node.name())) > 1 {
            hang(node.name());
        }
        Ok(Body::operator(Fails::new(node, How::Die)?))
    },
    ..Kind::BASE
};

#[derive(Clone, Copy)]
enum How {
    Hang,
    Die,
}

struct Fails {
    name: String,
    key: String,
    at: f32,
    how: How,
}

impl Fails {
    fn new(node: &Node<'_>, how: How) -> Result<Self, engine::BuildError> {
        let key = format!("{}/{}", node.name(), node.session());
        let only = node.get(&ONLY)?;
        let here = only < 0 || only == i64::from(node.session());
        let at = if here { node.get(&AT)? as f32 } else { -1.0 };
        Ok(Self { name: node.name().to_owned(), key, at, how })
    }
}

/// A panic without the hook: where that prints a backtrace, on a busy machine, the watchdog may
/// rightly take the body for one that hangs.
fn die() -> ! {
    std::panic::resume_unwind(Box::new("on purpose"))
}

impl Operator for Fails {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        if io.frame().samples()[0] == self.at && count(&self.key) == 1 {
            match self.how {
                How::Hang => hang(&self.name),
                How::Die => die(),
            }
        }
        let frame = io.take();
        io.send(0, frame);
        Ok(())
    }

    fn reset(&mut self) {}
}

/// A sink that takes nothing before its gate (the node's name) opens.
static CLOGGED: Kind = Kind {
    name: "clogged",
    inputs: &[Port::any("in").variadic()],
    placement: Placement::Waits,
    build: |node| Ok(Body::sink(Clogged(node.name().to_owned()))),
    ..Kind::BASE
};

struct Clogged(String);

impl Sink for Clogged {
    fn take(&mut self, _: usize, _: &Frame) -> Result<(), Fault> {
        hang(&self.0);
        Ok(())
    }
}

/// Sends for each frame how many samples came by now, times `factor`, and `offset`; dies on the
/// frame that begins with `at`, and may be built anew only when its gate opens. The count is its
/// state.
static GAIN: Kind = Kind {
    name: "gain",
    inputs: IN,
    outputs: OUT,
    params: &[&AT, &FACTOR, &OFFSET, &BUILDS],
    build: |node| {
        let key = format!("{}/{}", node.name(), node.session());
        if count(&format!("builds of {}", node.name())) > 1 && node.get(&BUILDS)? == "slowly" {
            hang(node.name());
        }
        Ok(Body::operator(Gain {
            key,
            at: node.get(&AT)? as f32,
            factor: node.get(&FACTOR)?,
            offset: node.get(&OFFSET)?,
            count: 0,
        }))
    },
    ..Kind::BASE
};

struct Gain {
    key: String,
    at: f32,
    factor: f64,
    offset: f64,
    count: i64,
}

impl Operator for Gain {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        if io.frame().samples()[0] == self.at && count(&self.key) == 1 {
            die();
        }
        self.count += io.frame().len() as i64;
        let value = (self.count as f64 * self.factor + self.offset) as f32;
        let mut buffer = io.signal(0, io.frame().len());
        buffer.floats_mut().expect("fresh").fill(value);
        io.send_buffer(0, io.frame().header.time, buffer);
        Ok(())
    }

    fn gap(&mut self, _: &engine::GapNotice, _: &mut Io<'_>) -> Result<(), Fault> {
        Ok(())
    }

    fn retune(&mut self, node: &Node<'_>) -> Result<(), Fault> {
        self.factor = node.get(&FACTOR).map_err(|problem| Fault::new(problem.message))?;
        self.offset = node.get(&OFFSET).map_err(|problem| Fault::new(problem.message))?;
        Ok(())
    }

    fn reset(&mut self) {
        self.count = 0;
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(1);
        into.extend_from_slice(&self.count.to_le_bytes());
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        let state = from.strip_prefix(&[1]).and_then(|rest| rest.try_into().ok());
        self.count = i64::from_le_bytes(state.ok_or(Fault::new("not a state of this kind"))?);
        Ok(())
    }
}

/// Passes frames on; it is known how many of its bodies there are.
static KEPT: Kind = Kind {
    name: "kept",
    inputs: IN,
    outputs: OUT,
    build: |node| Ok(Body::operator(Kept::new(format!("{}/{}", node.name(), node.session())))),
    ..Kind::BASE
};

/// Bodies of `kept` by node and session.
static BODIES: Mutex<BTreeMap<String, i64>> = Mutex::new(BTreeMap::new());

/// How many bodies of a node there are, in one session.
pub(crate) fn bodies(key: &str) -> i64 {
    BODIES.lock().unwrap_or_else(PoisonError::into_inner).get(key).copied().unwrap_or(0)
}

struct Kept(String);

impl Kept {
    fn new(key: String) -> Self {
        let mut bodies = BODIES.lock().unwrap_or_else(PoisonError::into_inner);
        *bodies.entry(key.clone()).or_default() += 1;
        Self(key)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let mut bodies = BODIES.lock().unwrap_or_else(PoisonError::into_inner);
        *bodies.entry(self.0.clone()).or_default() -= 1;
    }
}

impl Operator for Kept {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let frame = io.take();
        io.send(0, frame);
        Ok(())
    }

    fn reset(&mut self) {}
}

/// Passes frames on; its bodies hang while they are dropped until its gate (the node's name) opens.
static LINGERS: Kind = Kind {
    name: "lingers",
    inputs: IN,
    outputs: OUT,
    params: &[&ONLY],
    build: |node| {
        let only = node.get(&ONLY)?;
        let here = only < 0 || only == i64::from(node.session());
        Ok(Body::operator(Lingers(here.then(|| node.name().to_owned()))))
    },
    ..Kind::BASE
};

struct Lingers(Option<String>);

impl Drop for Lingers {
    fn drop(&mut self) {
        self.0.iter().for_each(|gate| hang(gate));
    }
}

impl Operator for Lingers {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let frame = io.take();
        io.send(0, frame);
        Ok(())
    }

    fn reset(&mut self) {}
}
