//! [`Alone`]: speech heard by the net in the program.

use std::sync::Arc;

use engine::{
    BuildError, EventFormat, Fault, Format, GapNotice, Io, Node, Operator, Rate, Timestamp,
};

use crate::speech::{
    Chunk,
    detector::CHUNK,
    ear::Ear,
    listener::{Listener, Rules, Told},
    state::State,
};

use super::{OUT, PROBABILITY, TURNS, look_back_ns, params::rules, payload, tally::Tally};

const VERSION: u8 = 1;

/// Hears by itself.
pub(super) struct Alone {
    rules: Rules,
    formats: [Arc<EventFormat>; 2],
    rate: Rate,
    look_back_ns: i64,
    ear: Ear,
    listener: Listener,
    chunk: Box<[f32; CHUNK]>,
    filled: usize,
    /// The moment behind the last sample, and whether it is that of a saved state.
    end_ns: Option<i64>,
    is_loaded: bool,
    tally: Tally,
}

impl Alone {
    pub(super) fn of(node: &Node<'_>) -> Result<Self, BuildError> {
        let rules = rules(node)?;
        let rate = node.signal("in").rate;
        Ok(Self {
            formats: formats(node),
            rate,
            look_back_ns: look_back_ns(&rules, rate, CHUNK),
            rules,
            ear: Ear::default(),
            listener: Listener::NEW,
            chunk: Box::new([0.0; CHUNK]),
            filled: 0,
            end_ns: None,
            is_loaded: false,
            tally: Tally::default(),
        })
    }

    /// Hears the chunk, which is full.
    fn hear(&mut self, start_ns: i64, end_ns: i64, io: &mut Io<'_>) {
        let probability = self.ear.hear(&self.chunk);
        self.filled = 0;
        let mut value = io.signal(PROBABILITY, 1);
        value.floats_mut().expect("fresh")[0] = probability;
        io.send_buffer(PROBABILITY, Timestamp::from_nanos(start_ns), value);
        let Self { listener, rules, formats, .. } = self;
        let chunk = Chunk { start_ns, end_ns, probability };
        listener.hear(chunk, rules, |told| send(formats, told, io));
    }

    /// Content is missing up to a moment.
    fn miss(&mut self, until_ns: i64, io: &mut Io<'_>) {
        (self.filled, self.end_ns, self.is_loaded) = (0, None, false);
        self.ear.reset();
        let Self { listener, rules, formats, look_back_ns, .. } = self;
        let oldest_ns = until_ns.saturating_sub(*look_back_ns);
        listener.gap(until_ns, oldest_ns, rules, |told| send(formats, told, io));
    }

    /// Whether a frame that begins then goes on from the last: beside the grid of the rate by a second at most, after a
    /// state was taken up by no more than a sample.
    fn goes_on(&self, start_ns: i64) -> bool {
        let Some(end_ns) = self.end_ns else { return true };
        let beside_ns = if self.is_loaded { 1.5 * self.rate.period_ns() } else { 1e9 };
        ((start_ns - end_ns).abs() as f64) <= beside_ns
    }

    /// Nothing older will come by any port.
    fn promise(&self, io: &mut Io<'_>) {
        let Some(until_ns) = self.listener.until_ns() else { return };
        let until = Timestamp::from_nanos(until_ns);
        io.promise(TURNS, until);
        io.promise(PROBABILITY, until);
        let segments_ns = self.listener.segments_from_ns().unwrap_or(until_ns);
        io.promise(OUT, Timestamp::from_nanos(segments_ns));
    }

    fn take_up(&mut self, state: &mut State<'_>) -> Result<(), Fault> {
        let mut version = VERSION;
        state.u8(&mut version)?;
        state.demand(version == VERSION)?;
        self.listener.visit(state)?;
        self.ear.load(state)?;
        let mut filled = self.filled as i64;
        state.i64(&mut filled)?;
        state.demand((0..CHUNK as i64).contains(&filled))?;
        self.filled = filled as usize;
        state.f32s(&mut self.chunk[..])?;
        state.time(&mut self.end_ns)?;
        state.demand(self.chunk.iter().all(|x| x.abs() <= 1.0))
    }
}

/// Formats of the ports for events.
pub(super) fn formats(node: &Node<'_>) -> [Arc<EventFormat>; 2] {
    [OUT, TURNS].map(|port| match node.output(port) {
        Format::Event(format) => format.clone(),
        _ => unreachable!("planned as events"),
    })
}

fn send(formats: &[Arc<EventFormat>; 2], told: Told, io: &mut Io<'_>) {
    let (port, at_ns, buffer) = payload(&[&formats[0], &formats[1]], told);
    io.send_buffer(port, Timestamp::from_nanos(at_ns), buffer);
}

impl Operator for Alone {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let frame = io.take();
        let start_ns = io.time_of(0).nanos();
        if !self.goes_on(start_ns) {
            self.miss(start_ns, io);
        }
        self.is_loaded = false;
        let samples = frame.channel(0);
        let mut at = 0;
        while at < samples.len() {
            let space = &mut self.chunk[self.filled..];
            let some = space.len().min(samples.len() - at);
            self.tally.hear(&samples[at..at + some], &mut space[..some]);
            (self.filled, at) = (self.filled + some, at + some);
            if self.filled == CHUNK {
                let span = [at as i64 - CHUNK as i64, at as i64];
                let [start, end] = span.map(|at| io.time_of(at).nanos());
                self.hear(start, end, io);
            }
        }
        self.end_ns = Some(io.end().nanos());
        self.promise(io);
        Ok(())
    }

    fn gap(&mut self, gap: &GapNotice, io: &mut Io<'_>) -> Result<(), Fault> {
        self.miss(gap.until.nanos(), io);
        Ok(())
    }

    fn flush(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let Some(end_ns) = self.end_ns.take() else { return Ok(()) };
        if self.filled > 0 {
            let start_ns = end_ns - self.rate.span_ns(self.filled as i64);
            self.chunk[self.filled..].fill(0.0);
            self.hear(start_ns, end_ns, io);
        }
        let Self { listener, rules, formats, .. } = self;
        listener.end(end_ns, rules, |told| send(formats, told, io));
        Ok(())
    }

    fn retune(&mut self, node: &Node<'_>) -> Result<(), Fault> {
        self.rules = rules(node).map_err(|problem| Fault::new(problem.message))?;
        Ok(())
    }

    fn remark(&self) -> Option<String> {
        self.tally.remark(self.rate, self.listener.has_heard())
    }

    fn reset(&mut self) {
        self.ear.reset();
        self.tally.forget(self.listener.has_heard());
        self.listener = Listener::NEW;
        (self.filled, self.end_ns, self.is_loaded) = (0, None, false);
        self.chunk.fill(0.0);
    }

    fn save(&self, into: &mut Vec<u8>) {
        let mut listener = self.listener;
        let mut state = State::Save(into);
        // Saving never fails.
        let _ = state.u8(&mut { VERSION }).and_then(|()| listener.visit(&mut state));
        self.ear.save(into);
        into.extend_from_slice(&(self.filled as i64).to_le_bytes());
        for sample in &self.chunk[..] {
            into.extend_from_slice(&sample.to_le_bytes());
        }
        let _ = State::Save(into).time(&mut { self.end_ns });
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        let mut state = State::Load(from);
        self.take_up(&mut state)?;
        state.end()?;
        self.is_loaded = true;
        Ok(())
    }
}
