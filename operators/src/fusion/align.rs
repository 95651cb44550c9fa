//! `align`: bring signals of different rates to the moments of one.
//!
//! To every sample of the first input belongs one of each other input: the nearest in time, the
//! latest that is not after it, or what lies straight between the two around it. All channels come
//! out side by side, at the first input's rate.
//!
//! ```text
//! in 0   ●───●───●───●───●───●      hold:     d₀ d₀ d₁ d₁ d₁ d₂
//! in 1   d₀───── d₁──────── d₂      nearest:  d₀ d₁ d₁ d₁ d₂ d₂
//!                                    linear:   on the line through d₀, d₁, d₂
//! ```
//!
//! | port  | carries                                                |
//! |-------|--------------------------------------------------------|
//! | `in`  | signals, any number, of any rates                      |
//! | `out` | all their channels, at the moments of the first input  |
//!
//! A sample without a partner in reach has NaN in its place. Delay: none; what comes out waits
//! until the others' bounds say that nothing nearer can come. NaN passes as it is. Cost: a copy
//! of every sample.

use std::collections::HashSet;

use engine::{
    Body, Channel, Code, Diagnostic, Diagnostics, Fault, Format, Io, Kind, Node, Operator, Outline,
    Param, Policy, Port, SignalFormat,
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "align",
    summary: "Bring signals of different rates to the moments of the first.",
    doc: "To every sample of the first input, the sample of each other input that is nearest in \
          time (policy = \"nearest\"), the latest that is not after it (\"hold\"), or what lies \
          straight between the two around it (\"linear\"). All channels \
          come out side by side at the first input's rate. `tolerance_ms` limits how far a \
          nearest partner, or each of the two, may be (unless written, half the longest period of the others, or all of it), \
          `max_age_ms` how old a held one (unless written, without limit); a sample without a \
          partner is NaN. No delay, but what comes out waits until nothing nearer can come; \
          `max_wait_ms` on the node limits that, in event time. NaN passes as it is. Cost: a copy.",
    example: "policy = \"hold\"",
    inputs: &[Port::signal("in").variadic().fed_by(&["ecg", "respiration"])],
    outputs: &[Port::signal("out")],
    params: &[&POLICY, &TOLERANCE_MS, &MAX_AGE_MS],
    policy: Policy::Nearest,
    plan,
    build: |_| Ok(Body::operator(Align)),
    ..Kind::BASE
};

const POLICY: Param<&str> =
    Param::with_default("policy", "nearest", "Which sample of another input is the partner.")
        .one_of(&["nearest", "hold", "linear"]);
const TOLERANCE_MS: Param<f64> =
    Param::optional("tolerance_ms", "Farthest nearest partner, or of the two around it.")
        .within(0.0, 1e9);
const MAX_AGE_MS: Param<f64> =
    Param::optional("max_age_ms", "Oldest held partner.").within(0.0, 1e9);

fn plan(node: &Node<'_>) -> Result<Outline, Diagnostics> {
    let hold = node.get(&POLICY)? == "hold";
    let (written, idle) =
        if hold { (&MAX_AGE_MS, &TOLERANCE_MS) } else { (&TOLERANCE_MS, &MAX_AGE_MS) };
    if node.get_optional(idle)?.is_some() {
        let other = if hold { "nearest" } else { "hold" };
        let message = format!("`{}` belongs to policy = {other:?}", idle.name());
        let hint = format!("write `{}`, or change `policy`", written.name());
        return Err(node.problem(Code::NoEffect, idle.name(), message).hint(hint).into());
    }
    let reach_ns = node.get_optional(written)?.map(|ms| (ms * 1e6).round() as i64);
    let policy = match node.get(&POLICY)? {
        "hold" => Policy::Hold,
        "linear" => Policy::Linear,
        _ => Policy::Nearest,
    };
    let first = node.signal("in");
    let format = SignalFormat { channels: channels(node)?, ..first.clone() };
    let mut outline = Outline::of([Format::Signal(format.into())]);
    outline.align = Some(node.join(policy, reach_ns));
    Ok(outline)
}

/// Side by side no more than this: each costs memory in every frame that waits.
const CHANNELS_MAX: usize = 4_096;

/// All channels; those whose name occurs twice carry their input's in front.
fn channels(node: &Node<'_>) -> Result<Vec<Channel>, Diagnostic> {
    let all = || {
        node.inputs().iter().flat_map(|input| {
            let signal = input.format.as_signal().expect("the port takes signals");
            signal.channels.iter().map(|channel| (input.label.as_str(), channel))
        })
    };
    let count = all().count();
    if count > CHANNELS_MAX {
        let message = format!("`{}` would have {count} channels", node.name());
        let problem = Diagnostic::error(Code::OutOfRange, message).at(&node.inputs()[0].place);
        return Err(
            problem.hint(format!("pick channels; at most {CHANNELS_MAX} stand side by side"))
        );
    }
    let mut known = HashSet::new();
    let doubles: HashSet<&str> = all()
        .map(|(_, channel)| channel.name.as_str())
        .filter(|&name| !known.insert(name))
        .collect();
    let named = all().map(|(label, channel)| match doubles.contains(channel.name.as_str()) {
        true => Channel { name: format!("{label}.{}", channel.name), unit: channel.unit },
        false => channel.clone(),
    });
    let mut named: Vec<Channel> = named.collect();
    // One output may enter twice.
    crate::files::make_unique(named.iter_mut().map(|channel| &mut channel.name));
    Ok(named)
}

/// The runtime aligns; this lays the frames of one moment side by side.
struct Align;

impl Operator for Align {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let time = io.frame().header.time;
        let mut output = io.signal(0, io.frame().len());
        let mut rest = output.floats_mut().expect("a fresh buffer has one holder");
        let mut line = 0;
        while !rest.is_empty() {
            let frame = if line == 0 { Some(io.frame()) } else { io.aligned(line) };
            let samples = frame.expect("every input has a frame, of NaN if need be").samples();
            let (here, behind) = rest.split_at_mut(samples.len());
            here.copy_from_slice(samples);
            rest = behind;
            line += 1;
        }
        io.send_buffer(0, time, output);
        Ok(())
    }

    fn reset(&mut self) {}
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use super::*;

    /// Six samples at 1 kHz; three of another signal at 0, 2.1 and 4.6 ms, as drawn above.
    fn joined(params: &str, others: &[(f64, f32)]) -> Vec<f32> {
        let inputs = [("in", Bench::channels(1, 1_000.0)), ("in", Bench::channels(1, 400.0))];
        let mut align = Bench::with(&KIND, &inputs, params).expect("valid");
        align.push_samples(0, &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        for &(ms, value) in others {
            let time = engine::Timestamp::from_nanos((ms * 1e6) as i64);
            align.push(1, engine::Frame::signal(time, 1, &[value]));
        }
        let output = align.flush();
        assert_eq!(output[..6], [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        output[6..].to_vec()
    }

    const OTHERS: [(f64, f32); 3] = [(0.0, 10.0), (2.1, 11.0), (4.6, 12.0)];
    const LOST: f32 = -1.0;

    fn shown(samples: Vec<f32>) -> Vec<f32> {
        samples.into_iter().map(|x| if x.is_nan() { LOST } else { x }).collect()
    }

    #[test]
    fn partners_are_the_nearest_or_the_latest() {
        // 5.0 is 0.4 from 4.6; 4.0 is 0.6 from it and 1.9 from 2.1; 1.0 is 1.0 from 0 and 1.1 on.
        let nearest = joined("", &OTHERS);
        assert_eq!(nearest, [10.0, 10.0, 11.0, 11.0, 12.0, 12.0]);
        let hold = joined("policy = \"hold\"", &OTHERS);
        assert_eq!(hold, [10.0, 10.0, 10.0, 11.0, 11.0, 12.0]);
    }

    #[test]
    fn a_linear_partner_lies_between_the_two_around_it() {
        let linear = joined("policy = \"linear\"", &OTHERS);
        // Slopes of 1 in 2.1 ms and 1 in 2.5 ms; behind 4.6 ms there is nothing to draw to.
        let want = [10.0, 10.0 + 1.0 / 2.1, 10.0 + 2.0 / 2.1, 11.0 + 0.9 / 2.5, 11.0 + 1.9 / 2.5];
        for (got, want) in linear.iter().zip(want) {
            assert!((got - want as f32).abs() < 1e-6, "{got} is not {want}");
        }
        assert!(linear[5].is_nan());
    }

    #[test]
    fn who_is_too_far_or_too_old_is_no_partner() {
        let nearest = shown(joined("tolerance_ms = 0.5", &OTHERS));
        assert_eq!(nearest, [10.0, LOST, 11.0, LOST, LOST, 12.0]);
        let hold = shown(joined("policy = \"hold\"\nmax_age_ms = 1.0", &OTHERS));
        assert_eq!(hold, [10.0, 10.0, LOST, 11.0, LOST, 12.0]);
        assert_eq!(shown(joined("policy = \"hold\"", &[])), [LOST; 6]);
    }

    #[test]
    fn channels_of_one_name_are_told_apart_by_where_they_come_from() {
        let two = Bench::channels(2, 100.0);
        let align = Bench::with(&KIND, &[("in", two.clone()), ("in", two)], "").expect("valid");
        let names: Vec<_> =
            align.output(0).as_signal().expect("a signal").channels.iter().collect();
        let names: Vec<_> = names.iter().map(|channel| channel.name.as_str()).collect();
        assert_eq!(names, ["in0.0", "in0.1", "in1.0", "in1.1"]);
    }

    #[test]
    fn channels_beyond_all_bounds_are_refused_at_once() {
        let many = Bench::channels(CHANNELS_MAX / 2 + 1, 100.0);
        let refused = Bench::with(&KIND, &[("in", many.clone()), ("in", many)], "").err();
        let problem = refused.expect("refused").to_string();
        assert!(problem.contains("`bench` would have 4098 channels"), "{problem}");
        let half = Bench::channels(CHANNELS_MAX / 2, 100.0);
        assert!(Bench::with(&KIND, &[("in", half.clone()), ("in", half)], "").is_ok());
    }

    #[test]
    fn a_limit_of_the_other_policy_is_refused() {
        let one = Bench::channels(1, 100.0);
        let inputs = [("in", one.clone()), ("in", one)];
        let problem = Bench::with(&KIND, &inputs, "max_age_ms = 5.0").err().expect("refused");
        assert!(problem.to_string().contains("`max_age_ms` belongs to policy = \"hold\""));
    }
}
