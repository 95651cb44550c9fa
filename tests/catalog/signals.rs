//! Laws 4 and 6: silence, NaN, and where a delta comes out.

use engine::{
    EventReader, FieldValue,
    testing::{Bench, Seen},
};

use crate::{
    recordings::{RATE_HZ, heart},
    subject::{Subject, operators},
};

/// Operators whose every input is a signal.
fn of_signals() -> impl Iterator<Item = Subject> {
    operators().filter(|subject| subject.inputs.iter().all(|(_, f)| f.as_signal().is_some()))
}

/// Feeds all inputs `samples`, seconds long at any rate, taking every n-th where it is lower.
fn feed(subject: &Subject, bench: &mut Bench, samples: &[f32]) {
    for part in samples.chunks(RATE_HZ as usize) {
        for line in 0..subject.inputs.len() {
            let rate_hz = subject.rate_hz(line).expect("signals only");
            let len = (part.len() as f64 * rate_hz / RATE_HZ) as usize;
            let every = (RATE_HZ / rate_hz) as usize;
            let part: Vec<f32> = (0..len).map(|n| part[n * every]).collect();
            bench.push_samples(line, &part);
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
        feed(&subject, &mut bench, &heart().0[..1_000]);
        feed(&subject, &mut bench, &vec![0.0; 100 * RATE_HZ as usize]);
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
            let mut samples = heart().0[..2_000].to_vec();
            samples[1_000] = bad;
            samples[1_500..1_600].fill(bad);
            feed(&subject, &mut bench, &samples);
            feed(&subject, &mut bench, &heart().0[2_000..7_500]);
            bench.take();
            feed(&subject, &mut bench, &heart().0[7_500..]);

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
fn a_delta_comes_out_where_it_was() {
    let of_signals = of_signals().filter(|s| s.kind.outputs[0].shape != engine::Shape::Event);
    for subject in of_signals {
        let mut bench = subject.bench();
        let mut samples = vec![0.0; 20 * RATE_HZ as usize];
        samples[10 * RATE_HZ as usize] = 1.0;
        feed(&subject, &mut bench, &samples);
        bench.flush();

        // Where the energy of the response lies, and how wide it is.
        let (mut energy, mut first, mut second, mut period_s) = (0.0, 0.0, 0.0, 0.0);
        for seen in bench.take().iter().filter(|seen| seen.port == 0) {
            period_s = 1.0 / seen.format.rate().expect("a signal").hz();
            for (n, sample) in seen.frame.channel(0).iter().enumerate() {
                let time_s = seen.time().secs_f64() + n as f64 * period_s - 10.0;
                let power = f64::from(*sample) * f64::from(*sample);
                energy += power;
                first += power * time_s;
                second += power * time_s * time_s;
            }
        }
        let (centre_s, square_s2) = (first / energy, second / energy);
        let width_s = (square_s2 - centre_s * centre_s).max(0.0).sqrt();
        // A delay belongs to one frequency; that of the others spreads by no more than the
        // response is wide. A delay not subtracted is off by several widths.
        assert!(
            centre_s.abs() <= width_s + 0.5 * period_s,
            "{}: a delta comes out {centre_s} s late, {width_s} s wide",
            subject.name(),
        );
    }
}
