//! `ecg_quality`: how much an electrocardiogram can be believed, and whether its lead is on.
//!
//! ```text
//! quality = (1 − missing) (1 − flat) (1 − clipped) · clarity
//! ```
//!
//! `missing`, `flat` (runs of equal samples of 0.2 s and longer) and `clipped` are shares of the last
//! `window_s`, as in `quality`. `clarity` says how far QRS complexes stand out of everything else: it is 1
//! where other peaks of the detector of `qrs` have less than a tenth of a beat's level, 0 where they have
//! four tenths; 0 also where complexes stand no more above what lies between them than in plain noise, in
//! the first 3 s, and after 3.2 s without a beat ([`crate::math::qrs::Qrs::clarity`]).
//!
//! The kurtosis of Li, Mark and Clifford (2008) is not in it: electrode motion has 4 to 6 and clean
//! records of the MIT-BIH begin at 5; nor do other rates of power in bands part them. Their agreement
//! of two detectors would cost another detector; what the one doubts says as much.
//!
//! | port      | carries                                                                       |
//! |-----------|-------------------------------------------------------------------------------|
//! | `in`      | an ECG as recorded, its first channel, any unit: filters hide what is looked for |
//! | `out`     | every `every_s` an event with the quality and its parts                       |
//! | `quality` | the quality at the input's rate: a weight for fusion                          |
//! | `lead`    | an event when the lead is on at the beginning, falls off, and is on again     |
//!
//! **Lead.** It is off once nothing has moved for `lead_off_s`, at a rail or elsewhere, or all samples were
//! missing; the event is stamped with the moment that began. It is on again once it has moved for as long.
//!
//! **Delay**: none; a value is about what ends with its sample. **NaN** lowers the quality. **Gap**: all
//! begins anew, also what is known of the lead, but one that was off stays off until it moves. **Cost**: about 60 ns a sample.

use engine::{
    Body, Channel, Fault, Field, Format, GapNotice, Io, Kind, Node, Operator, Outline, Param, Port,
    SignalFormat, Unit,
};

use super::watch::check_rate;
use crate::{
    bodies::{Counted, load},
    math::{
        lead::{Change, Lead},
        qrs::{Qrs, RATES_HZ},
        signal_quality::{Quality, Rails},
        state::{State, StateError},
    },
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "ecg_quality",
    summary: "How much an ECG can be believed, and whether its lead is on.",
    doc: "quality = (1 - missing) (1 - flat) (1 - clipped) clarity. The first are shares of the last window_s: \
          samples not finite, in runs of equal ones for 0.2 s and longer, at or beyond rail_low or rail_high (unless \
          written, none). clarity is how far QRS complexes stand out: 1 where other peaks have less than a tenth \
          of a beat's level, 0 where they have four tenths, in plain noise, in the first 3 s and after 3.2 s without \
          a beat. On five records of the MIT-BIH it is 0.99 on average, with electrode motion at 12, 6 and 0 dB 0.9, 0.6 and 0.2, in plain noise and hum 0, in muscle noise and movement without a heart 0.2. \
          `quality` carries it at the input's rate, as a weight for fusion. `lead` tells when the lead falls off, which \
          is when nothing has moved for lead_off_s, or all was missing (lead_on false, stamped with where that \
          began; reason is flat, rail or missing), and when it has moved for as long, at the beginning and again. Take the ECG as recorded: \
          filters hide what is looked for. Delay: none. NaN lowers the quality; after a gap all begins anew. Cost: \
          about 60 ns a sample. Source: Li, Mark, Clifford 2008 for the shares; operators::math::qrs for clarity.",
    example: "window_s = 2.0",
    inputs: &[Port::signal("in")],
    outputs: &[Port::event("out"), Port::signal("quality"), Port::event("lead")],
    params: &[&WINDOW_S, &EVERY_S, &LEAD_OFF_S, &RAIL_LOW, &RAIL_HIGH],
    plan: |node| {
        check_rate(node, "in", [100.0, RATES_HZ[1] - 1.0], "beats")?;
        let fields = vec![
            Field::f64("quality"),
            Field::f64("clarity"),
            Field::f64("missing_share"),
            Field::f64("flat_share"),
            Field::f64("clipped_share"),
            Field::bool("lead_on"),
        ];
        let events = Format::event(fields, 1.0 / node.get(&EVERY_S)?);
        let input = node.signal("in");
        let channel = Channel { name: input.channels[0].name.clone(), unit: Unit::named("1") };
        let weight = SignalFormat { channels: vec![channel], ..input.clone() };
        let lead = vec![Field::bool("lead_on"), Field::text("reason", 8)];
        let leads = Format::event(lead, 2.0 / node.get(&LEAD_OFF_S)?);
        let look_back_s = node.get(&LEAD_OFF_S)?;
        Ok(Outline::of([events, Format::Signal(weight.into()), leads])
            .looking_back((look_back_s * 1e9) as i64 + 1))
    },
    build: |node| {
        let rate_hz = node.rate_hz("in");
        let samples = |seconds: f64| (seconds * rate_hz).round().max(1.0) as u64;
        let window = samples(node.get(&WINDOW_S)?) as usize;
        Ok(Body::operator(Judge {
            qrs: Qrs::raw(rate_hz),
            quality: Quality::new(window, samples(FLAT_S), None),
            lead: Lead::new(samples(node.get(&LEAD_OFF_S)?)),
            rails: rails(node)?,
            every: samples(node.get(&EVERY_S)?),
            until: samples(node.get(&EVERY_S)?),
            clear_every: samples(CLEAR_EVERY_S),
            clear_until: 1,
            clarity: 0.0,
            rate_hz,
            counted: Counted::NONE,
        }))
    },
    ..Kind::BASE
};

const WINDOW_S: Param<f64> =
    Param::with_default("window_s", 2.0, "Length of the sliding window.").within(0.1, 600.0);
const EVERY_S: Param<f64> =
    Param::with_default("every_s", 1.0, "Time between two events.").within(0.1, 86_400.0);
const LEAD_OFF_S: Param<f64> =
    Param::with_default("lead_off_s", 1.0, "Unmoved for so long, the lead is off.")
        .within(0.1, 60.0);
const RAIL_LOW: Param<f64> =
    Param::optional("rail_low", "Samples at it or below are clipped.").within(-1e30, 1e30);
const RAIL_HIGH: Param<f64> =
    Param::optional("rail_high", "Samples at it or above are clipped.").within(-1e30, 1e30);

/// Between two beats an ECG lies still for less.
const FLAT_S: f64 = 0.2;
/// Levels of beats and of noise change with beats.
const CLEAR_EVERY_S: f64 = 0.1;

fn rails(node: &Node<'_>) -> Result<Rails, engine::Diagnostic> {
    Ok(Rails {
        low: node.get_optional(&RAIL_LOW)?.unwrap_or(f64::NEG_INFINITY) as f32,
        high: node.get_optional(&RAIL_HIGH)?.unwrap_or(f64::INFINITY) as f32,
        flat_band: 0.0,
    })
}

struct Judge {
    qrs: Qrs,
    quality: Quality,
    lead: Lead,
    rails: Rails,
    /// Samples between two events, and until the next one.
    every: u64,
    until: u64,
    /// The same for looks at the clarity.
    clear_every: u64,
    clear_until: u64,
    clarity: f64,
    rate_hz: f64,
    counted: Counted,
}

impl Judge {
    fn take(&mut self, n: usize, io: &mut Io<'_>) -> f32 {
        let sample = io.frame().channel(0)[n];
        // What the detector is not told of it holds as the last good sample.
        let _ = self.qrs.push(sample);
        let parts = self.quality.push(sample, self.rails);
        let is_clipped = sample <= self.rails.low || sample >= self.rails.high;
        if let Some(change) = self.lead.push(sample, is_clipped) {
            let Change { is_on, samples_ago, reason } = change;
            let event = io.event_for(2).bool(0, is_on).text(1, reason);
            io.send_event(2, io.time_of(n as i64 - samples_ago as i64), event);
        }
        self.clear_until -= 1;
        if self.clear_until == 0 {
            self.clear_until = self.clear_every;
            self.clarity = f64::from(self.qrs.clarity());
        }
        let quality = parts.quality() * self.clarity;
        self.until -= 1;
        if self.until == 0 {
            self.until = self.every;
            let event = io
                .event_for(0)
                .f64(0, quality)
                .f64(1, self.clarity)
                .f64(2, parts.missing)
                .f64(3, parts.flat)
                .f64(4, parts.clipped)
                .bool(5, self.lead.is_on());
            io.send_event(0, io.time_of(n as i64), event);
        }
        quality as f32
    }

    fn forget(&mut self) {
        self.qrs.reset();
        self.quality.reset();
        self.lead.gap();
        (self.until, self.clear_until, self.clarity) = (self.every, 1, 0.0);
    }

    fn visit(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        self.counted.load(state)?;
        self.quality.load(state)?;
        self.lead.visit(state)?;
        state.u64(&mut self.until)?;
        state.u64(&mut self.clear_until)?;
        state.f64(&mut self.clarity)?;
        state.demand((1..=self.every).contains(&self.until))?;
        state.demand((1..=self.clear_every).contains(&self.clear_until))?;
        self.qrs.visit(state)
    }
}

impl Operator for Judge {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        if !self.counted.enter(io) {
            self.forget();
        }
        let (len, time) = (io.frame().len(), io.frame().header.time);
        let mut output = io.signal(1, len);
        let weights = output.floats_mut().expect("a fresh buffer has one holder");
        for (n, weight) in weights.iter_mut().enumerate() {
            *weight = self.take(n, io);
        }
        io.send_buffer(1, time, output);
        self.counted.leave(io);
        Ok(())
    }

    fn gap(&mut self, _: &GapNotice, _: &mut Io<'_>) -> Result<(), Fault> {
        self.forget();
        self.counted = Counted::NONE;
        Ok(())
    }

    fn remark(&self) -> Option<String> {
        let off_s = self.lead.samples_off() as f64 / self.rate_hz;
        (self.lead.samples_off() > 0).then(|| format!("the lead was off for {off_s:.1} s"))
    }

    fn reset(&mut self) {
        self.forget();
        self.lead.reset();
        self.counted = Counted::NONE;
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(1);
        self.counted.save(into);
        self.quality.save(into);
        let mut lead = self.lead;
        let (mut until, mut clear_until, mut clarity) =
            (self.until, self.clear_until, self.clarity);
        let state = &mut State::Save(into);
        let saved = lead.visit(state).and_then(|()| state.u64(&mut until));
        let saved = saved.and_then(|()| state.u64(&mut clear_until));
        saved.and_then(|()| state.f64(&mut clarity)).expect("only loading can fail");
        self.qrs.clone().visit(&mut State::Save(into)).expect("only loading can fail");
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        load("is no state of `ecg_quality`", 1, from, |state| self.visit(state))
    }
}

#[cfg(test)]
mod tests;
