//! Bodies that die in any call but that with a frame.

use engine::{
    Body, BuildError, Fault, GapNotice, Io, Kind, Node, Operator, Param, Policy, Timestamp,
};

use super::{IN, OUT, TWO, gates, is_first};

const DIES_IN: Param<&str> = Param::with_default("dies_in", "", "The call to die in, once.");
const KNOB: Param<f64> = Param::with_default("knob", 0.0, "Something.").within(0.0, 9.0).live();

/// Passes frames on; dies once, in the first session, in the call that `dies_in` names.
pub(super) static FRAIL: Kind = Kind {
    name: "frail",
    inputs: IN,
    outputs: OUT,
    params: &[&DIES_IN, &KNOB],
    timers: true,
    build: frail,
    ..Kind::BASE
};

/// As `frail`, and adds the held second input.
pub(super) static FRAIL_SUM: Kind =
    Kind { name: "frail_sum", inputs: TWO, policy: Policy::Hold, ..FRAIL };

fn frail(node: &Node<'_>) -> Result<Body, BuildError> {
    let dies_in = if node.session() == 0 { node.get(&DIES_IN)? } else { "" };
    Ok(Body::operator(Frail {
        name: node.name().to_owned(),
        dies_in: dies_in.to_owned(),
        due: Timestamp::from_nanos(TICK_NS),
    }))
}

const TICK_NS: i64 = 25_000_000;

struct Frail {
    name: String,
    dies_in: String,
    due: Timestamp,
}

impl Frail {
    fn called(&self, call: &str) {
        let dies = self.dies_in == call && is_first(format!("{} in {call}", self.name));
        assert!(!dies, "on purpose");
    }
}

impl Operator for Frail {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let Some(other) = io.aligned(1) else {
            let frame = io.take();
            io.send(0, frame);
            return Ok(());
        };
        let mut buffer = io.signal(0, io.frame().len());
        let inputs = io.frame().samples().iter().zip(other.samples());
        let samples = buffer.floats_mut().expect("fresh").iter_mut();
        samples.zip(inputs).for_each(|(y, (x, held))| *y = x + held);
        io.send_buffer(0, io.frame().header.time, buffer);
        Ok(())
    }

    fn due(&self) -> Option<Timestamp> {
        (self.dies_in == "due").then_some(self.due)
    }

    fn on_due(&mut self, due: Timestamp, _: &mut Io<'_>) -> Result<(), Fault> {
        // Not the first time: others have been fired by then.
        if due.nanos() >= 10 * TICK_NS {
            self.called("due");
        }
        self.due = due.plus_nanos(TICK_NS);
        Ok(())
    }

    fn gap(&mut self, notice: &GapNotice, _: &mut Io<'_>) -> Result<(), Fault> {
        gates().told.entry(self.name.clone()).or_default().push(notice.reason);
        self.called("gap");
        Ok(())
    }

    fn retune(&mut self, _: &Node<'_>) -> Result<(), Fault> {
        self.called("retune");
        Ok(())
    }

    fn reset(&mut self) {}

    fn save(&self, into: &mut Vec<u8>) {
        self.called("save");
        into.push(1);
    }

    fn load(&mut self, _: &[u8]) -> Result<(), Fault> {
        self.called("load");
        Ok(())
    }
}
