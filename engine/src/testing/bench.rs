//! [`Bench`]: one kind, driven by hand.

use std::sync::Arc;

use crate::{
    event::{EventReader, EventWriter, FieldValue},
    fault::Fault,
    files::Files,
    format::{EventFormat, Format, SignalFormat, Unit},
    frame::{Frame, Header},
    graph::{Spanned, Value},
    kind::Kind,
    plan::Plan,
    service::Services,
    stage::{SlotBody, Turn, build_body},
    time::{Grid, Rate, Timestamp},
};

use super::{
    files::MemoryFiles,
    inside::{Inside, NODE, Place, plan},
    refused::Refused,
};

/// One kind in a stage of its own, with rings whose other ends the test holds. Everything that a
/// runtime does for a body happens here too: times, delays, bounds, timers, joins, gaps.
///
/// ```
/// # use engine::{Body, Kind, Map, Port, testing::Bench};
/// # #[derive(Clone)]
/// # struct Twice;
/// # impl Map for Twice {
/// #     fn map(&mut self, input: &[f32], output: &mut [f32]) {
/// #         input.iter().zip(output).for_each(|(x, y)| *y = 2.0 * x);
/// #     }
/// #     fn reset(&mut self) {}
/// # }
/// # static TWICE: Kind = Kind {
/// #     name: "twice",
/// #     inputs: &[Port::signal("in")],
/// #     outputs: &[Port::like("out", "in")],
/// #     build: |_| Ok(Body::map(Twice)),
/// #     ..Kind::BASE
/// # };
/// let mut twice = Bench::build(&TWICE, 1_000.0, "").expect("valid");
/// assert_eq!(twice.feed(&[1.0, 2.0]), [2.0, 4.0]);
/// ```
pub struct Bench {
    plan: Arc<Plan>,
    node: usize,
    inside: Inside,
    /// Where the samples of each input lie, and the number its next frame carries.
    lines: Vec<(Option<Grid>, u64)>,
    seen: Vec<Seen>,
}

/// A frame that came out.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Number of the output port.
    pub port: usize,
    /// What the port carries.
    pub format: Format,
    /// The frame.
    pub frame: Frame,
}

impl Seen {
    /// When it happened.
    pub fn time(&self) -> Timestamp {
        self.frame.header.time
    }

    /// A number field of an event; whole numbers are converted.
    pub fn number(&self, field: &str) -> Option<f64> {
        let event = EventReader::new(self.format.as_event()?, &self.frame);
        event.f64(event.index(field)?)
    }

    /// A text field of an event.
    pub fn text(&self, field: &str) -> Option<&str> {
        let event = EventReader::new(self.format.as_event()?, &self.frame);
        match event.field(event.index(field)?)? {
            FieldValue::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl Bench {
    /// The kind with parameters as in a graph file, fed by one channel of `rate_hz` per input port
    /// that must be fed; sources are fed by nothing.
    ///
    /// # Errors
    /// As planning or building the node fails.
    pub fn build(kind: &'static Kind, rate_hz: f64, params: &str) -> Result<Self, Refused> {
        let ports = kind.inputs.iter().filter(|port| !port.optional);
        let inputs: Vec<_> = ports.map(|port| (port.name, Self::channels(1, rate_hz))).collect();
        Self::with(kind, &inputs, params)
    }

    /// The same, fed by streams of these formats at these ports.
    ///
    /// # Errors
    /// As planning or building the node fails.
    pub fn with(
        kind: &'static Kind,
        inputs: &[(&str, Format)],
        params: &str,
    ) -> Result<Self, Refused> {
        Self::in_world(kind, inputs, params, Arc::new(MemoryFiles::new()), Services::default())
    }

    /// The same, with these files and services.
    ///
    /// # Errors
    /// As planning or building the node fails.
    pub fn in_world(
        kind: &'static Kind,
        inputs: &[(&str, Format)],
        params: &str,
        files: Arc<dyn Files>,
        services: Services,
    ) -> Result<Self, Refused> {
        let plan = plan(kind, inputs, params, files, services)?;
        let node = plan.nodes.iter().position(|node| node.name == NODE).expect("it was planned");
        let inside = Inside::build(&plan, node)?;
        let lines = Self::lines(&plan, node);
        Ok(Self { plan, node, inside, lines, seen: Vec::new() })
    }

    /// A signal format for benches: `channels` channels without unit, frames of any length.
    ///
    /// # Panics
    /// If there is no such rate.
    pub fn channels(channels: usize, rate_hz: f64) -> Format {
        let rate = Rate::new(rate_hz).expect("a rate above zero");
        Format::signal(channels, Unit::UNKNOWN, rate, 1 << 16)
    }

    /// An event without fields, for kinds that take events for their time alone.
    pub fn event_at(time: Timestamp) -> Frame {
        let format = EventFormat { fields: Vec::new(), rate_max: 1.0 };
        Frame::new(Header::at(time), EventWriter::new(&format).finish())
    }

    fn lines(plan: &Plan, node: usize) -> Vec<(Option<Grid>, u64)> {
        let inputs = plan.nodes[node].inputs.iter();
        let grid = |format: &Format| format.as_signal().map(|signal| Grid::new(signal.rate));
        inputs.map(|input| (grid(&input.format), 0)).collect()
    }

    /// The format of an output port.
    pub fn output(&self, port: usize) -> &Format {
        &self.plan.nodes[self.node].outputs[port]
    }

    /// By how much outputs are moved back in time.
    pub fn delay_ns(&self) -> i64 {
        self.plan.nodes[self.node].delay_ns
    }

    /// How far before the newest input an output may be stamped.
    pub fn look_back_ns(&self) -> i64 {
        self.plan.nodes[self.node].look_back_ns
    }

    /// How far it mostly looks back, where it says so.
    pub fn look_back_usual_ns(&self) -> Option<i64> {
        self.plan.nodes[self.node].look_back_usual_ns
    }

    /// How long a source says that it delivers.
    pub fn duration_ns(&self) -> Option<i64> {
        self.plan.nodes[self.node].duration_ns
    }

    /// What helps against what planning warned of.
    pub fn hints(&self) -> Vec<String> {
        self.plan.warnings().iter().filter_map(|warning| warning.hint.clone()).collect()
    }

    /// What planning warned of.
    pub fn warnings(&self) -> Vec<String> {
        self.plan.warnings().iter().map(|warning| warning.message.clone()).collect()
    }

    /// Feeds the next samples of the first input, plane after plane, as one frame, and gives the
    /// samples of the first output that follow from it, all frames joined, plane after plane.
    ///
    /// # Panics
    /// If the first input is no signal, or the body fails.
    pub fn feed(&mut self, samples: &[f32]) -> Vec<f32> {
        let before = self.seen.len();
        self.push_samples(0, samples);
        self.run();
        self.samples_since(before)
    }

    /// Puts the next samples of an input into its ring, without running.
    ///
    /// # Panics
    /// If the input is no signal.
    pub fn push_samples(&mut self, line: usize, samples: &[f32]) {
        let channels = self.signal(line).channels.len();
        let time = match &self.lines[line].0 {
            Some(grid) if grid.end() > Timestamp::MIN => grid.end(),
            _ => Timestamp::ZERO,
        };
        self.push(line, Frame::signal(time, channels, samples));
    }

    /// Puts a frame into an input's ring and raises the bound to its end, or, for events, to its
    /// time, without running.
    pub fn push(&mut self, line: usize, frame: Frame) {
        let (grid, seq) = &mut self.lines[line];
        let mut frame = frame;
        frame.header.seq = *seq;
        *seq += 1;
        let bound = match grid {
            Some(grid) => {
                grid.enter(frame.header.time, frame.len());
                grid.end()
            }
            None => frame.header.time,
        };
        match &mut self.inside.place {
            Place::Sink(sink) => told(sink.take(line, &frame)),
            _ => {
                let feed = &mut self.inside.feeds[line];
                assert!(feed.push(frame).is_ok(), "run the bench before feeding so much");
                feed.publish(bound);
            }
        }
    }

    /// Promises that nothing older than `bound` will come by an input.
    pub fn promise(&mut self, line: usize, bound: Timestamp) {
        self.inside.feeds[line].publish(bound);
    }

    /// Runs until there is nothing to do; for sources, until `frames` more came out or it ended.
    ///
    /// # Panics
    /// If the body fails.
    pub fn pull(&mut self, frames: usize) -> bool {
        let wanted = self.seen.len().saturating_add(frames);
        loop {
            let turn = self.turn();
            if turn == Turn::Done || self.seen.len() >= wanted {
                return turn == Turn::Done;
            }
            assert!(turn == Turn::More, "the source waits for something");
        }
    }

    /// Runs until there is nothing to do.
    ///
    /// # Panics
    /// If the body fails.
    pub fn run(&mut self) {
        while self.turn() == Turn::More {}
    }

    fn turn(&mut self) -> Turn {
        let turn = match &mut self.inside.place {
            Place::Stage(stage) => {
                let turn = stage.turn(Timestamp::ZERO);
                if let Some(trouble) = stage.trouble_mut() {
                    panic!("the body failed: {}", trouble.fault);
                }
                turn
            }
            Place::Sink(sink) => {
                told(sink.idle());
                Turn::Idle
            }
            Place::Nowhere => unreachable!("only `reset` takes the body away"),
        };
        let edges = self.plan.nodes[self.node].out_edges.iter().enumerate();
        let ports = edges.flat_map(|(port, edges)| edges.iter().map(move |_| port));
        for (port, tap) in ports.zip(&mut self.inside.taps) {
            while let Some(frame) = tap.pop() {
                let format = self.plan.nodes[self.node].outputs[port].clone();
                self.seen.push(Seen { port, format, frame });
            }
            tap.release();
        }
        turn
    }

    /// Ends all inputs, and gives the samples of the first output that follow.
    ///
    /// # Panics
    /// If the body fails.
    pub fn flush(&mut self) -> Vec<f32> {
        let before = self.seen.len();
        for feed in &mut self.inside.feeds {
            feed.publish(Timestamp::MAX);
        }
        if let Place::Sink(sink) = &mut self.inside.place {
            told(sink.finish());
        }
        self.run();
        self.samples_since(before)
    }

    /// Asks the body once more to send what is left, which a runtime never does.
    ///
    /// # Panics
    /// If the inputs have not ended, the kind waits, or the body fails.
    pub fn flush_again(&mut self) {
        let Place::Stage(stage) = &mut self.inside.place else { panic!("only stages flush") };
        assert!(stage.slots[0].flushed, "flush once first");
        stage.slots[0].flushed = false;
        stage.drain();
        self.run();
    }

    /// Puts a fresh body in the place of the old one, with a state it saved, as after a fault: what
    /// it sends next follows a gap.
    ///
    /// # Errors
    /// If the fresh body refuses the state.
    ///
    /// # Panics
    /// If the body cannot be built again, or the kind waits.
    pub fn restart(&mut self, state: &[u8]) -> Result<(), Fault> {
        let body = build_body(&self.plan, self.node, 0);
        let body = body.unwrap_or_else(|error| panic!("cannot be built again: {error}"));
        let Place::Stage(stage) = &mut self.inside.place else { panic!("only stages restart") };
        stage.put(0, SlotBody::of(body));
        if state.is_empty() { Ok(()) } else { stage.slots[0].load(state) }
    }

    /// Everything that came out and was not taken before, in the order in which it came.
    pub fn take(&mut self) -> Vec<Seen> {
        std::mem::take(&mut self.seen)
    }

    /// What the body has to say at the end.
    pub fn remark(&self) -> Option<String> {
        let stage = match &self.inside.place {
            Place::Stage(stage) => stage,
            Place::Sink(sink) => return sink.remark(),
            Place::Nowhere => return None,
        };
        stage.remarks().into_iter().map(|(_, remark)| remark).next()
    }

    /// What [`Bench::take`] would take.
    pub fn seen(&self) -> &[Seen] {
        &self.seen
    }

    /// Forgets what came out, keeping the memory.
    pub fn clear(&mut self) {
        self.seen.clear();
    }

    /// How far an output is: nothing older will come.
    ///
    /// # Panics
    /// If the kind waits.
    pub fn bound(&self, port: usize) -> Timestamp {
        match &self.inside.place {
            Place::Stage(stage) => stage.slots[0].out_bounds[port],
            _ => panic!("only stages keep bounds"),
        }
    }

    /// Resets the body and begins again, as if nothing had been fed.
    ///
    /// # Panics
    /// If the body has failed or cannot begin again.
    pub fn reset(&mut self) {
        let nowhere = Inside { place: Place::Nowhere, feeds: Vec::new(), taps: Vec::new() };
        let body = std::mem::replace(&mut self.inside, nowhere).into_fresh_body();
        let body = body.unwrap_or_else(|fault| panic!("cannot begin again: {fault}"));
        self.inside = Inside::around(&self.plan, self.node, body);
        self.lines = Self::lines(&self.plan, self.node);
        self.seen.clear();
    }

    /// The state of the body; empty if it has none worth saving.
    pub fn save(&self) -> Vec<u8> {
        let mut state = Vec::new();
        if let Place::Stage(stage) = &self.inside.place {
            stage.slots[0].save(&mut state);
        }
        state
    }

    /// Gives the body a saved state.
    ///
    /// # Errors
    /// If the body refuses it.
    pub fn load(&mut self, state: &[u8]) -> Result<(), Fault> {
        match &mut self.inside.place {
            Place::Stage(stage) => stage.slots[0].load(state),
            _ => Err(Fault::new("this kind saves no state")),
        }
    }

    /// Changes a live parameter.
    ///
    /// # Errors
    /// What is wrong with the value, or what the body says against it.
    pub fn set(&mut self, param: &str, value: impl Into<Value>) -> Result<(), String> {
        let value = Spanned::from(value.into());
        self.plan.check_live(self.node, param, &value)?;
        let mut params = self.plan.nodes[self.node].params.clone();
        params.set(param, value);
        let view = self.plan.view(self.node, &params, 0);
        match &mut self.inside.place {
            Place::Stage(stage) => {
                stage.slots[0].retune(&view).map_err(|fault| fault.to_string())?;
            }
            _ => return Err("only bodies on data cores can be retuned".to_owned()),
        }
        Ok(())
    }

    /// Events stamped older than the node's own bound: must be none.
    pub fn late(&self) -> u64 {
        match &self.inside.place {
            Place::Stage(stage) => stage.slots[0].counts.late.value(),
            _ => 0,
        }
    }

    fn signal(&self, line: usize) -> &SignalFormat {
        self.plan.nodes[self.node].inputs[line].format.as_signal().expect("a signal input")
    }

    fn samples_since(&self, before: usize) -> Vec<f32> {
        let Some(signal) = self.plan.nodes[self.node].outputs.first().and_then(Format::as_signal)
        else {
            return Vec::new();
        };
        let frames = || self.seen[before..].iter().filter(|seen| seen.port == 0);
        let planes = (0..signal.channels.len()).flat_map(|channel| {
            frames().flat_map(move |seen| seen.frame.channel(channel).iter().copied())
        });
        planes.collect()
    }
}

fn told(result: Result<(), Fault>) {
    result.unwrap_or_else(|fault| panic!("the body failed: {fault}"));
}
