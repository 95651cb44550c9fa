//! `decimate`: fewer samples per second.
//!
//! A low-pass filter against aliases, of which every `factor`-th output is computed:
//!
//! ```text
//! y[m] = h[0] · x[mM] + h[1] · x[mM−1] + … + h[N−1] · x[mM−N+1],    M = factor,  N = 20 M + 1
//! ```
//!
//! The filter is a Hamming-windowed one with its edge at 0.8 of half the new rate: up to 0.6 of
//! that everything passes within 0.1 dB; what lies above the new half rate, and would come back as
//! an alias, is down by 50 dB or more.
//!
//! | port  | carries                         |
//! |-------|---------------------------------|
//! | `in`  | any signal                      |
//! | `out` | the same at `rate / factor`     |
//!
//! **Delay**: `(N − 1) / 2 = 10 M` samples of the input; the runtime subtracts it from the times.
//! Sample m of the output is at input sample mM, wherever frames end; after a gap counting begins
//! anew, and the delay's length before it is lost. The output spans what the input does: beyond
//! both of its ends there are zeros. **NaN** reaches the 20 or 21 outputs it is part of and no other. **Cost**: N
//! multiplications an output sample and channel.

use std::sync::Arc;

use engine::{Body, Diagnostic, Format, Kind, Node, Outline, Param, Port, Rate, SignalFormat};

use crate::{
    designs::{Designs, refused},
    filter::span::Spanned,
    kernels::decimate::Decimate,
    math::{band::Band, fir_design, window::Window},
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "decimate",
    summary: "Fewer samples per second, without aliases.",
    doc: "Keeps every M-th output of a low-pass filter, M = `factor`: N = 20 M + 1 taps under a \
          Hamming window, edge at 0.8 of half the new rate. Up to 0.6 of half the new rate \
          everything passes within 0.1 dB; what would come back as an alias is down by 50 dB. \
          Output sample m lies at input sample m M. Delay: 10 M input samples, subtracted from \
          the times by the runtime; the output spans what the input does, beyond which there are \
          zeros. NaN: reaches the 21 outputs it is part of at most. Cost: N \
          multiplications an output sample and channel. Source: Oppenheim and Schafer, \
          Discrete-Time Signal Processing, sections 4.6 and 7.5.",
    example: "factor = 4",
    inputs: &[Port::signal("in")],
    outputs: &[Port::signal("out")],
    params: &[&FACTOR],
    plan: |node| {
        let signal = node.signal("in");
        let factor = node.get(&FACTOR)? as usize;
        let taps = taps(node, factor)?;
        let rate = Rate::new(signal.rate.hz() / factor as f64).ok_or_else(|| {
            let message = format!("`factor` = {factor} leaves less than a sample in 11 days");
            node.problem(engine::Code::OutOfRange, FACTOR.name(), message)
                .hint("choose a smaller factor")
        })?;
        let frame_len = signal.frame_len.div_ceil(factor);
        let format = SignalFormat { channels: signal.channels.clone(), rate, frame_len };
        let delay_s = 0.5 * (taps.len() - 1) as f64 / signal.rate.hz();
        Ok(Outline::of([Format::Signal(format.into())]).delayed((delay_s * 1e9).round() as i64))
    },
    build: |node| {
        let signal = node.signal("in");
        let factor = node.get(&FACTOR)? as usize;
        let taps = taps(node, factor)?;
        let delay = 0.5 * (taps.len() - 1) as f64;
        let kernel = Decimate::new(taps, factor, signal.channels.len());
        Ok(Body::operator(Spanned::new(kernel, delay)))
    },
    ..Kind::BASE
};

const FACTOR: Param<i64> =
    Param::required("factor", "How many samples become one.").within(1.0, 1_000.0);

/// Taps on each side of the middle one, per sample that is skipped.
const SIDE: usize = 10;
/// Edge of the filter in units of half the new rate. A Hamming window's transition is 3.3 / N of
/// the rate wide, which is 0.33 of half the new rate, so it ends at 0.97.
const EDGE: f64 = 0.8;

fn taps(node: &Node<'_>, factor: usize) -> Result<Arc<[f32]>, Diagnostic> {
    // The taps know nothing of the rate: half of it is 1 here.
    const RATE_HZ: f64 = 2.0;
    static DESIGNED: Designs<usize, f32> = Designs::new();
    if factor == 1 {
        return DESIGNED.find_or(1, || Ok(vec![1.0]));
    }
    DESIGNED
        .find_or(factor, || {
            let edge = Band::LowPass { cutoff_hz: EDGE / factor as f64 };
            let taps = fir_design::design(2 * SIDE * factor + 1, edge, Window::Hamming, RATE_HZ)?;
            Ok(taps.into_iter().map(|tap| tap as f32).collect())
        })
        .map_err(|error| refused(node, FACTOR.name(), error))
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use engine::{
        Frame, Gap, Header, Timestamp,
        testing::{Bench, Seen},
    };

    use super::*;

    fn bench(factor: usize) -> Bench {
        Bench::build(&KIND, 1_000.0, &format!("factor = {factor}")).expect("valid")
    }

    /// Time in milliseconds and value of every sample.
    fn samples(seen: &[Seen]) -> Vec<(f64, f32)> {
        let signal = seen[0].format.as_signal().expect("a signal");
        let sample = |seen: &Seen, n: usize| {
            let ns = seen.time().nanos() + signal.rate.span_ns(n as i64);
            (ns as f64 / 1e6, seen.frame.samples()[n])
        };
        seen.iter().flat_map(|seen| (0..seen.frame.len()).map(|n| sample(seen, n))).collect()
    }

    #[test]
    fn an_impulse_comes_out_at_its_own_instant() {
        for factor in [2, 5, 8] {
            let mut decimate = bench(factor);
            let mut impulse = vec![0.0; 60 * factor];
            impulse[30 * factor] = 1.0;
            decimate.feed(&impulse);
            decimate.flush();
            let seen = decimate.take();
            assert_eq!(seen[0].format.rate().expect("a rate").hz(), 1_000.0 / factor as f64);

            let out = samples(&seen);
            let top = out.iter().max_by(|a, b| a.1.total_cmp(&b.1)).expect("not empty");
            assert_eq!(top.0, (30 * factor) as f64, "factor {factor}");
            assert_eq!((out[0].0, out.len()), (0.0, 60), "all that the input spans, and no more");
        }
    }

    #[test]
    fn frame_borders_leave_no_trace() {
        let input: Vec<f32> = (0..500).map(|n| (n as f32 * 0.05).sin()).collect();
        let mut decimate = bench(7);
        decimate.feed(&input);
        let whole = samples(&decimate.take());
        for len in [1, 3, 7, 100] {
            decimate.reset();
            for part in input.chunks(len) {
                decimate.feed(part);
            }
            let seen = decimate.take();
            assert!(seen.iter().all(|seen| !seen.frame.is_empty()), "no frame without samples");
            assert_eq!(samples(&seen), whole, "frames of {len}");
        }
    }

    #[test]
    fn what_would_be_an_alias_is_gone_and_the_rest_stays() {
        let loudest = |hz: f64| {
            let tone: Vec<f32> =
                (0..4_000).map(|n| (TAU * hz * n as f64 / 1e3).sin() as f32).collect();
            let output = bench(4).feed(&tone);
            output[40..].iter().fold(0.0f32, |top, y| top.max(y.abs()))
        };
        // Half the new rate is 125 Hz: 0.6 of it within 0.1 dB, and 50 dB less from 125 Hz on. The
        // top of a tone may lie between samples, by cos(π · 60 / 250) for one at 60 Hz at worst.
        assert!((0.72..=1.012).contains(&loudest(60.0)));
        for hz in [126.0, 170.0, 190.0, 250.0, 499.0] {
            assert!(loudest(hz) < 10f32.powf(-50.0 / 20.0), "{hz} Hz comes back as an alias");
        }
        // Gain one at zero: 81 taps are rounded to 24 bits.
        let constant = bench(4).feed(&[1.0; 800]);
        assert!((constant[140] - 1.0).abs() < 1e-6);
    }

    #[test]
    fn after_a_gap_counting_begins_anew() {
        let mut decimate = bench(10);
        decimate.feed(&[1.0; 113]);
        let first = decimate.take();
        let time = Timestamp::from_nanos(300_000_000);
        let (_, buffer) = Frame::signal(time, 1, &[1.0; 115]).into_parts();
        let header = Header { gap: Gap::Source.into(), ..Header::at(time) };
        decimate.push(0, Frame::new(header, buffer));
        decimate.run();
        let seen = decimate.take();

        // Ten outputs about times in the gap are left out; the filter begins at rest.
        assert_eq!((seen[0].time(), seen[0].frame.len()), (time, 2));
        assert_eq!(seen[0].frame.header.gap, Some(Gap::Source));
        assert_eq!(seen[0].frame.samples(), first[0].frame.samples());
    }

    #[test]
    fn factor_one_changes_nothing() {
        let mut decimate = bench(1);
        assert_eq!(decimate.feed(&[1.0, 2.0, 3.0]), [1.0, 2.0, 3.0]);
        assert_eq!(decimate.delay_ns(), 0);
    }
}
