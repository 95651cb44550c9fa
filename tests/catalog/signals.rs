//! Laws 4 and 6: silence, NaN, and where a delta comes out.

use std::f64::consts::TAU;

use engine::{
    EventReader, FieldValue,
    testing::{Bench, Seen},
};
use operators::math::random::Random;

use crate::{
    known::{self, Delta},
    recordings::{RATE_HZ, heart},
    subject::{Subject, operators},
};

/// Operators whose every input is a signal.
fn of_signals() -> impl Iterator<Item = Subject> {
    operators().filter(|subject| subject.inputs.iter().all(|(_, f)| f.as_signal().is_some()))
}

/// Feeds all inputs `samples`, seconds long at any rate, taking every n-th where it is lower.
fn feed(subject: &Subject, bench: &mut Bench, samples: &[f32]) {
    for part in samples.chunks(subject.second()) {
        for line in 0..subject.inputs.len() {
            let rate_hz = subject.rate_hz(line).expect("signals only");
            let share = subject.second() as f64 / rate_hz;
            let len = (part.len() as f64 / share) as usize;
            let every = share as usize;
            let part: Vec<f32> = (0..len).map(|n| part[n * every]).collect();
            bench.push_samples(line, &subject.planes(&part));
        }
        bench.run();
    }
}

fn numbers(seen: &Seen) -> Vec<f64> {
    let Some(format) = seen.format.as_event() else {
        return seen.frame.samples().iter().map(|&sample| f64::from(sample)).collect();
    };
    let event = EventReader::new(format, &seen.frame);
    let fields = (0..format.fields.len()).filter_map(|field| match event.field(field)? {
        FieldValue::F64(number) => Some(number),
        _ => None,
    });
    fields.collect()
}

#[test]
fn silence_gives_neither_nan_nor_endless_subnormals() {
    for subject in of_signals() {
        let mut bench = subject.bench();
        feed(&subject, &mut bench, &subject.content()[..1_000]);
        feed(&subject, &mut bench, &vec![0.0; 100 * subject.second()]);
        bench.take();
        // What is left of a decaying state must have come to rest by now.
        feed(&subject, &mut bench, &[0.0; 1_000]);

        for seen in bench.take() {
            let silent = |number: &f64| *number == 0.0 || (*number as f32).is_normal();
            let odd = numbers(&seen).into_iter().find(|number| !silent(number));
            assert_eq!(odd, None, "{} port {} in silence", subject.name(), seen.port);
        }
    }
}

#[test]
fn what_is_not_finite_does_not_poison_for_ever() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX] {
        for subject in of_signals() {
            let mut bench = subject.bench();
            let mut samples = subject.content()[..2_000].to_vec();
            samples[1_000] = bad;
            samples[1_500..1_600].fill(bad);
            feed(&subject, &mut bench, &samples);
            feed(&subject, &mut bench, &subject.content()[2_000..7_500]);
            bench.take();
            feed(&subject, &mut bench, &subject.content()[7_500..]);

            let seen = bench.take();
            assert!(!seen.is_empty(), "{} fell silent after {bad}", subject.name());
            for seen in seen {
                let odd = numbers(&seen).into_iter().find(|number| !number.is_finite());
                assert_eq!(odd, None, "{} after {bad}", subject.name());
            }
        }
    }
}

#[test]
fn half_of_all_decisions_take_as_long_as_is_usual() {
    let mut told = 0;
    for subject in of_signals() {
        let mut bench = subject.bench();
        let Some(usual_ns) = bench.look_back_usual_ns() else { continue };
        let rate = subject.inputs[0].1.rate().expect("a signal");
        let mut took_ns = Vec::new();
        for (n, sample) in subject.content().iter().enumerate() {
            bench.push_samples(0, &subject.planes(&[*sample]));
            bench.run();
            let now_ns = rate.span_ns(n as i64 + 1) - bench.delay_ns();
            took_ns.extend(bench.take().iter().map(|seen| now_ns - seen.time().nanos()));
        }
        took_ns.sort_unstable();

        let name = subject.name();
        let (middle_ns, most_ns) = (took_ns[took_ns.len() / 2], bench.look_back_ns());
        // It is told with two digits, and decided at one sample or the next.
        let off_ns = (middle_ns - usual_ns).abs();
        assert!(off_ns <= usual_ns / 20 + rate.span_ns(1), "{name}: {middle_ns} ns");
        assert!(took_ns.last() <= Some(&most_ns) && usual_ns < most_ns, "{name}: {took_ns:?}");
        told += 1;
    }
    assert!(told > 0, "some kind tells what is usual");
}

/// What no sensor means: not finite, far too large, far too small.
const ODD: [f32; 12] = [
    f32::NAN,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::MAX,
    f32::MIN,
    1e38,
    -1e38,
    1e20,
    f32::MIN_POSITIVE,
    1e-42,
    -0.0,
    1e10,
];

/// Ten seconds of content in which samples and stretches at random are of that, or all of it in
/// turn.
fn broken(subject: &Subject, seed: u64, odd: &[f32]) -> Vec<f32> {
    let mut random = Random::new(seed);
    let mut samples = subject.content()[..10 * subject.second()].to_vec();
    for _ in 0..20 {
        let from = random.below(samples.len() as u64) as usize;
        let len = 1 << random.below(10);
        let kinds = 1 + random.below(odd.len() as u64);
        let first = random.below(odd.len() as u64);
        for sample in samples.iter_mut().skip(from).take(len) {
            *sample = odd[((first + random.below(kinds)) % odd.len() as u64) as usize];
        }
    }
    samples
}

#[test]
fn whatever_came_is_forgotten() {
    for subject in of_signals().filter(|it| !known::never_forgets(it.name())) {
        let second = subject.second();
        let until = (10 + known::forgets_s(subject.name())) * second;
        let content = subject.content().iter().copied().cycle();
        let good: Vec<f32> = content.take(until + 10 * second).collect();
        let rest = |first: &[f32]| {
            let mut bench = subject.bench();
            feed(&subject, &mut bench, first);
            feed(&subject, &mut bench, &good[first.len()..until]);
            bench.take();
            feed(&subject, &mut bench, &good[until..]);
            bench.take()
        };
        let want = rest(&good[..10 * second]);
        for seed in 0..20 {
            let mut first = broken(&subject, seed, &ODD);
            let learnt = known::learns_s(subject.name()) * second;
            first[..learnt].copy_from_slice(&good[..learnt]);
            let got = rest(&first);
            let place = format!("{}, seed {seed}", subject.name());
            assert_eq!(got.len(), want.len(), "{place}: frames or events");
            for (got, want) in got.iter().zip(&want) {
                let is_event = want.format.as_event().is_some();
                // Of events the moment, which no form or level that was learnt moves by a sample.
                let off_ns = got.time().since(want.time()).abs();
                assert!(off_ns < if is_event { 4_000_000 } else { 1 }, "{place}: {off_ns} ns off");
                if is_event {
                    continue;
                }
                let left = known::left(subject.name());
                for (got, want) in got.frame.samples().iter().zip(want.frame.samples()) {
                    assert!((got - want).abs() <= left, "{place}: {got} is not {want}");
                }
            }
        }
    }
}

/// Feeds 20 seconds and gives what comes out of the first channel of the first port: nanoseconds
/// after the tenth second, and sample.
fn response(subject: &Subject, samples: &[f32]) -> Vec<(f64, f64)> {
    let mut bench = subject.bench();
    feed(subject, &mut bench, samples);
    bench.flush();
    let mut response = Vec::new();
    for seen in bench.take().iter().filter(|seen| seen.port == 0) {
        let rate = seen.format.rate().expect("a signal");
        for (n, sample) in seen.frame.channel(0).iter().enumerate() {
            let ns = seen.time().nanos() + rate.span_ns(n as i64) - 10_000_000_000;
            response.push((ns as f64, f64::from(*sample)));
        }
    }
    response
}

/// Zeros, and a one after ten seconds.
fn one() -> Vec<f32> {
    let mut samples = vec![0.0; 20 * RATE_HZ as usize];
    samples[10 * RATE_HZ as usize] = 1.0;
    samples
}

/// Where the energy lies: a response that is symmetric lies around its middle.
fn middle_ns(response: &[(f64, f64)]) -> f64 {
    let energy: f64 = response.iter().map(|(_, x)| x * x).sum();
    response.iter().map(|(ns, x)| ns * x * x).sum::<f64>() / energy
}

/// −dφ/dω of H(ω) = Σ h(t) exp(−iωt) is the real part of Σ t h(t) exp(−iωt) / H(ω).
fn group_delay_ns(response: &[(f64, f64)], hz: f64) -> f64 {
    let (mut h, mut th) = ([0.0; 2], [0.0; 2]);
    for (ns, x) in response {
        let (sin, cos) = (TAU * hz * ns * 1e-9).sin_cos();
        for (part, turn) in [cos, -sin].into_iter().enumerate() {
            h[part] += x * turn;
            th[part] += ns * x * turn;
        }
    }
    (th[0] * h[0] + th[1] * h[1]) / (h[0] * h[0] + h[1] * h[1])
}

#[test]
fn a_delta_comes_out_where_it_was() {
    use engine::Shape::{Event, Tensor};
    let of_signals = of_signals().filter(|s| !matches!(s.kind.outputs[0].shape, Event | Tensor));
    for subject in of_signals {
        let (late_ns, allowed_ns) = match known::delta(subject.name()) {
            // Times are whole nanoseconds.
            Delta::Around => (middle_ns(&response(&subject, &one())), 1.0),
            Delta::NearNs(most_ns) => (middle_ns(&response(&subject, &one())), most_ns),
            Delta::LaterNs(later_ns) => (middle_ns(&response(&subject, &one())) - later_ns, 1.0),
            // Rounding of samples to f32 moves the delay of a recursive filter by less than 6e-8 of
            // its length of some 0.1 s; of one sample it is 4 ms.
            Delta::AtHz(hz) => (group_delay_ns(&response(&subject, &one()), hz), 100.0),
            Delta::Gone => {
                let response = response(&subject, &one());
                (response.iter().fold(0.0, |most: f64, (_, x)| most.max(x.abs())), 0.0)
            }
            Delta::AsRamp => (lateness_of_ramp_ns(&subject), 1e4),
            Delta::WithinS(before_s, after_s) => {
                let (first_ns, last_ns) = changed_ns(&subject);
                let early_ns = first_ns + before_s * 1e9;
                (early_ns.min(0.0) + (last_ns - after_s * 1e9).max(0.0), 1.0)
            }
        };
        let name = subject.name();
        assert!(late_ns.abs() <= allowed_ns, "{name}: a delta is {late_ns} ns late; see `known`");
    }
}

/// By how much a ramp of one a second comes out later than it was, at most, from its fifth second to
/// its fifteenth. Samples near 20 are rounded to 1e-6, which is 1 µs here.
fn lateness_of_ramp_ns(subject: &Subject) -> f64 {
    let ramp: Vec<f32> = (0..20 * RATE_HZ as usize).map(|n| n as f32 / RATE_HZ as f32).collect();
    let response = response(subject, &ramp);
    let inside = response.iter().filter(|(ns, _)| ns.abs() < 5e9);
    let late = inside.map(|(ns, x)| ns - (x - 10.0) * 1e9);
    late.fold(f64::NAN, |most: f64, ns| if most.abs() >= ns.abs() { most } else { ns })
}

/// When outputs first and last differ by more than rounding because of one sample of a heart that
/// is moved, up or down.
fn changed_ns(subject: &Subject) -> (f64, f64) {
    let heart = &heart().0[..20 * RATE_HZ as usize];
    let without = response(subject, heart);
    // What is not known either way does not differ.
    let is_near = |a: f64, b: f64| (a - b).abs() <= 1e-6 * a.abs() || (a.is_nan() && b.is_nan());
    let differs = |(a, b): &(&(f64, f64), &(f64, f64))| !is_near(a.1, b.1);
    let (mut first, mut last) = (f64::INFINITY, f64::NEG_INFINITY);
    for move_by in [1.0, -1.0] {
        let mut touched = heart.to_vec();
        touched[10 * RATE_HZ as usize] += move_by;
        let with = response(subject, &touched);
        assert_eq!(without.len(), with.len(), "{}: samples", subject.name());
        for (at, _) in without.iter().zip(&with).filter(differs) {
            (first, last) = (first.min(at.0), last.max(at.0));
        }
    }
    assert!(first <= last, "{} sees no delta", subject.name());
    (first, last)
}
