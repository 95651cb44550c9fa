//! `complementary`: what drifts and what trembles make one that does neither.
//!
//! A rate (a gyroscope) is summed up, which is smooth but drifts; a measurement of the thing itself
//! (the direction of gravity) pulls it back, which trembles but does not drift:
//!
//! ```text
//! y' = y + ω dt                         the rate, trusted above 1 / (2π τ)
//! y  = y' + a (x − y')                  the measurement, trusted below
//! a  = 1 − exp(−quality · dt / τ)
//! ```
//!
//! | port      | carries                                                                      |
//! |-----------|------------------------------------------------------------------------------|
//! | `rate`    | what it changes by in a second, in the same unit; the same channels           |
//! | `in`      | the measurement                                                              |
//! | `quality` | how good the measurement is, 0 to 1; none: as good as can be                  |
//! | `out`     | both together, at the moments of `rate`, of which no sample is left out       |
//!
//! Together the two paths pass everything: what both agree on comes out as it is. With `turn`, such as
//! 360 for degrees, differences are taken the short way round and what comes out lies in ±turn / 2.
//!
//! **Delay**: none at any frequency where `in` is as fast as `rate`. Where it is slower its samples stand until
//! the next: on the way it lies behind by half its period, and what moves evenly is told by so much too
//! little; [`regrid`](crate::rate::regrid) in front of it, to the rate of `rate`, mends that. **Missing**: where the measurement is NaN, older than
//! `max_age_ms` or of quality 0, the rate goes on alone for `bridge_s`, then NaN comes out; where the
//! rate is missing, it is taken as 0. A **gap** forgets. **Cost**: some 20 ns a sample and channel.

use engine::{
    AlignSpec, Body, Code, Diagnostic, Diagnostics, Fault, Format, Grid, Io, Kind, Node, Operator,
    Outline, Param, Policy, Port, Rate,
};

use super::voices::{MAX_AGE_MS, sample};
use crate::{bodies::load, math::state::State};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "complementary",
    summary: "One of what drifts and what trembles: a rate, and a measurement that pulls it back.",
    doc: "y' = y + rate dt, then y = y' + a (in - y') with a = 1 - exp(-quality dt / time_constant_s), \
          for every channel, at the moments of `rate`, with the latest sample of the others: the rate counts for what is faster than 1 / (2 pi time_constant_s), the measurement \
          for what is slower, and what both agree on comes out unchanged. With `turn` (360 for \
          degrees) differences go the short way round and the result lies within half a turn of 0. \
          Delay: none; where `in` is slower than `rate` its samples stand until the next, half its period \
          behind on average, unless `regrid` brings it to the same rate. Where the measurement is NaN, older than max_age_ms or of quality 0, the rate goes \
          on alone for bridge_s, then NaN comes out; a missing rate is 0. A gap forgets. Cost: about 20 ns \
          a sample and channel. Source: Higgins 1975, A comparison of complementary and Kalman \
          filtering.",
    example: "time_constant_s = 0.5",
    inputs: &[
        Port::signal("rate").fed_by(&["imu[gyr_y]"]),
        Port::signal("in").fed_by(&["orientation.euler[pitch_deg]"]),
        Port::signal("quality").optional(),
    ],
    outputs: &[Port::like("out", "in")],
    params: &[&TIME_CONSTANT_S, &TURN, &BRIDGE_S, &MAX_AGE_MS],
    policy: Policy::Hold,
    plan,
    build: |node| {
        let line = |port: &str| node.inputs().iter().position(|input| input.port == port);
        let lines = [line("in"), line("rate")].map(|line| line.expect("the ports must be fed"));
        let first = node.inputs()[0].format.rate().expect("the ports take signals");
        Ok(Body::operator(Complementary {
            grid: Grid::new(first),
            lines,
            quality: line("quality"),
            tau_s: node.get(&TIME_CONSTANT_S)?,
            turn: node.get_optional(&TURN)?,
            bridge_ns: (node.get(&BRIDGE_S)? * 1e9).round() as i64,
            now: None,
            states: vec![FRESH; node.signal("in").channels.len()],
        }))
    },
    ..Kind::BASE
};

const TIME_CONSTANT_S: Param<f64> =
    Param::required("time_constant_s", "Slower than this the measurement counts, faster the rate.")
        .within(1e-6, 1e6);
const TURN: Param<f64> =
    Param::optional("turn", "After so much it is the same again, such as 360.0 for degrees.")
        .within(1e-9, 1e9);
const BRIDGE_S: Param<f64> =
    Param::with_default("bridge_s", 1.0, "How long the rate goes on without a measurement.")
        .within(0.0, 1e6);

fn plan(node: &Node<'_>) -> Result<Outline, Diagnostics> {
    let (signal, rate) = (node.signal("in"), node.signal("rate"));
    let quality = node.inputs().iter().find(|input| input.port == "quality");
    let others = [Some(rate), quality.and_then(|input| input.format.as_signal())];
    for other in others.into_iter().flatten() {
        let (have, want) = (other.channels.len(), signal.channels.len());
        if have != want {
            let message =
                format!("`{}` has {want} channels to measure and {have} beside them", node.name());
            let place = &node.inputs()[0].place;
            let problem = Diagnostic::error(Code::FormatMismatch, message).at(place);
            return Err(problem.hint("pick as many channels of each").into());
        }
    }
    let first = node.inputs()[0].format.as_signal().expect("the port takes signals");
    let mut out = signal.clone();
    (out.rate, out.frame_len) = (first.rate, first.frame_len);
    let mut outline = Outline::of([Format::Signal(out.into())]);
    outline.align = Some(align(node)?);
    Ok(outline)
}

fn align(node: &Node<'_>) -> Result<AlignSpec, Diagnostic> {
    let periods = node.inputs().iter().filter_map(|input| input.format.rate());
    let longest_ns = periods.map(Rate::period_ns).fold(0.0, f64::max);
    let reach_ns = node.get_optional(&MAX_AGE_MS)?.map_or(2.0 * longest_ns, |ms| 1e6 * ms);
    Ok(node.join(Policy::Hold, Some(reach_ns.round() as i64)))
}

#[derive(Clone, Copy)]
struct Follower {
    y: f64,
    /// When it was measured last.
    measured: Option<i64>,
}

const FRESH: Follower = Follower { y: 0.0, measured: None };

struct Complementary {
    /// Of the frames that were joined: others may have come in since.
    grid: Grid,
    /// Of the measurement and of the rate.
    lines: [usize; 2],
    quality: Option<usize>,
    tau_s: f64,
    turn: Option<f64>,
    bridge_ns: i64,
    now: Option<i64>,
    states: Vec<Follower>,
}

impl Complementary {
    /// The same, within half a turn of 0.
    fn wrapped(&self, y: f64) -> f64 {
        self.turn.map_or(y, |turn| y - turn * (y / turn).round())
    }

    /// What comes out of one channel `dt_s` after it came out last.
    fn step(&mut self, channel: usize, now: i64, dt_s: f64, said: [f32; 3]) -> f64 {
        let [x, rate, quality] = said.map(f64::from);
        let mut state = self.states[channel];
        if rate.is_finite() {
            state.y += rate * dt_s;
        }
        let is_measured = x.is_finite() && quality > 0.0;
        if is_measured && state.measured.is_none() {
            state.y = x;
        } else if is_measured {
            let gain = 1.0 - (-quality.min(1.0) * dt_s / self.tau_s).exp();
            state.y += gain * self.wrapped(x - state.y);
        }
        if is_measured {
            state.measured = Some(now);
        }
        state.y = self.wrapped(state.y);
        // A decaying tail must not become endless subnormals.
        if state.y.abs() < f64::from(f32::MIN_POSITIVE) {
            state.y = 0.0;
        }
        let is_bridged = state.measured.is_some_and(|at| now - at <= self.bridge_ns);
        if !(is_bridged && state.y.is_finite()) {
            // The next measurement begins anew.
            state = FRESH;
        }
        self.states[channel] = state;
        if state.measured.is_some() { state.y } else { f64::NAN }
    }
}

impl Operator for Complementary {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let (len, time) = (io.frame().len(), io.frame().header.time);
        self.grid.enter(time, len);
        let mut out = io.signal(0, len);
        let planes = out.floats_mut().expect("a fresh buffer has one holder");
        for n in 0..len {
            let now = self.grid.time_of(n as i64).nanos();
            let before = self.now.replace(now).unwrap_or(now);
            let dt_s = now.saturating_sub(before).max(0) as f64 / 1e9;
            for channel in 0..self.states.len() {
                let [x, rate] = self.lines.map(|line| sample(io, line, channel, n));
                let quality = self.quality.map_or(1.0, |line| sample(io, line, channel, n));
                let y = self.step(channel, now, dt_s, [x, rate, quality]);
                planes[channel * len + n] = y as f32;
            }
        }
        io.send_buffer(0, time, out);
        Ok(())
    }

    fn reset(&mut self) {
        self.states.fill(FRESH);
        self.now = None;
        self.grid = Grid::new(self.grid.rate());
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(1);
        let (mut now, mut state) = (self.now, State::Save(into));
        state.time(&mut now).expect("only loading can fail");
        for Follower { mut y, mut measured } in self.states.iter().copied() {
            state.f64(&mut y).expect("only loading can fail");
            state.time(&mut measured).expect("only loading can fail");
        }
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        self.reset();
        load("is no state of `complementary`", 1, from, |state| {
            state.time(&mut self.now)?;
            self.states.iter_mut().try_for_each(|follower| {
                state.f64(&mut follower.y)?;
                state.time(&mut follower.measured)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use super::*;

    fn bench(params: &str) -> Bench {
        let one = Bench::channels(1, 100.0);
        let ports = [("rate", one.clone()), ("in", one.clone()), ("quality", one)];
        Bench::with(&KIND, &ports, params).unwrap_or_else(|problem| panic!("{problem}"))
    }

    fn fused(params: &str, x: &[f32], rate: &[f32], quality: &[f32]) -> Vec<f32> {
        let mut bench = bench(params);
        for (line, samples) in [rate, x, quality].into_iter().enumerate() {
            bench.push_samples(line, samples);
        }
        bench.flush()
    }

    #[test]
    fn what_both_agree_on_comes_out_as_it_is() {
        let x: Vec<f32> = (0..500).map(|n| 0.25 * n as f32).collect();
        let out = fused("time_constant_s = 0.3", &x, &[25.0; 500], &[1.0; 500]);
        // Sums of f64 at 500 steps, told as f32: half a unit in the last of 24 bits.
        for (got, want) in out.iter().zip(&x) {
            assert!((got - want).abs() <= want.abs() * 2f32.powi(-23), "{got} is not {want}");
        }
    }

    #[test]
    fn a_rate_that_is_off_is_pulled_back_as_the_closed_form_says() {
        let out = fused("time_constant_s = 0.5", &[0.0; 2_000], &[2.0; 2_000], &[1.0; 2_000]);
        // y ← (y + ω dt) e, with e = exp(−dt / τ): in the end ω dt e / (1 − e).
        let (dt, e) = (0.01, (-0.01f64 / 0.5).exp());
        for (n, got) in out.iter().enumerate() {
            let want = 2.0 * dt * e * (1.0 - e.powi(n as i32)) / (1.0 - e);
            // f32 near 1: half a unit is 6e-8; one sample late would be 2e-2 at first.
            assert!((f64::from(*got) - want).abs() < 1e-7, "n = {n}: {got} is not {want}");
        }
    }

    #[test]
    fn every_sample_of_the_rate_counts_however_slow_the_measurement_is() {
        let ports = [("rate", Bench::channels(1, 100.0)), ("in", Bench::channels(1, 10.0))];
        let mut bench = Bench::with(&KIND, &ports, "time_constant_s = 1e6").expect("valid");
        // A turn of 1 a second for the first half of each tenth of one.
        let rate: Vec<f32> = (0..200).map(|n| if n % 10 < 5 { 1.0 } else { 0.0 }).collect();
        bench.push_samples(0, &rate);
        bench.push_samples(1, &[0.0; 20]);
        let out = bench.flush();
        assert_eq!(out.len(), 200);
        // A hundred of them, less the first, before which nothing was; pulled back by a millionth a second.
        assert!((out[199] - 0.99).abs() < 1e-5, "{}", out[199]);
    }

    #[test]
    fn the_short_way_round_is_taken() {
        let out =
            fused("time_constant_s = 0.01\nturn = 360.0", &[179.0, -179.0], &[0.0; 2], &[1.0; 2]);
        let want = 179.0 + 2.0 * (1.0 - (-1.0f32).exp()) - 360.0;
        assert!((out[1] - want).abs() < 1e-4, "{} is not {want}", out[1]);
    }

    #[test]
    fn the_rate_bridges_what_is_missing_for_a_while() {
        let nan = f32::NAN;
        let x = [5.0, nan, 9.0, nan, nan, 7.0];
        let quality = [1.0, 1.0, 0.0, 1.0, 1.0, 1.0];
        let out = fused("time_constant_s = 0.5\nbridge_s = 0.03", &x, &[100.0; 6], &quality);
        assert_eq!(out[..4], [5.0, 6.0, 7.0, 8.0]);
        assert!(out[4].is_nan(), "40 ms behind the last measurement");
        assert_eq!(out[5], 7.0);
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let one = Bench::channels(1, 100.0);
        let ports = [("rate", Bench::channels(2, 100.0)), ("in", one)];
        let refused = Bench::with(&KIND, &ports, "time_constant_s = 1.0").err().expect("refused");
        assert!(refused.to_string().contains("1 channels to measure and 2 beside them"));
    }
}
