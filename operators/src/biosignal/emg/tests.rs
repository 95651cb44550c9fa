use engine::testing::{Bench, Seen};

use super::*;
use crate::source::muscle;

fn muscle(params: &str) -> (Vec<f32>, Vec<Seen>) {
    let params = format!("seconds = 60.0\n{params}");
    let mut source = Bench::build(&muscle::KIND, 0.0, &params).expect("valid");
    while !source.pull(10_000) {}
    let (samples, truth): (Vec<Seen>, Vec<Seen>) =
        source.take().into_iter().partition(|seen| seen.port == 0);
    (samples.iter().flat_map(|seen| seen.frame.samples().to_vec()).collect(), truth)
}

#[test]
fn work_is_told_where_it_begins_and_ends() {
    let (samples, truth) = muscle("");
    let mut emg = Bench::build(&KIND, 1_000.0, "").expect("valid");
    samples.chunks(20).for_each(|frame| drop(emg.feed(frame)));
    emg.flush();
    let seen = emg.take();
    let events: Vec<&Seen> = seen.iter().filter(|seen| seen.port == 0).collect();

    // Rest is known after its first second and a quarter.
    for truth in truth.iter().filter(|truth| truth.time().secs_f64() > 1.3) {
        let cue = truth.text("cue").expect("told");
        let same = events.iter().filter(|seen| seen.text("cue") == Some(cue));
        let off = same.map(|seen| truth.time().since(seen.time()).abs()).min().expect("some");
        // Half of the ramp, and what a low-pass of 8 Hz takes to or from a tenth of the height.
        assert!(off < 80_000_000, "{cue} at {} s: {off} ns off", truth.time().secs_f64());
    }
    let ends = events.iter().filter(|seen| seen.text("cue") == Some("offset"));
    for end in ends {
        let rms = end.number("amplitude").expect("told");
        // The mean of what is rectified is 0.8 of the root mean square, 0.2 mV; the largest of an
        // envelope that wavers by a quarter of it.
        assert!((0.14..0.35).contains(&rms), "{rms}");
        assert!((0.4..1.7).contains(&end.number("duration_s").expect("told")));
    }
    assert_eq!(emg.late(), 0);
}

#[test]
fn the_envelope_lies_where_the_work_is() {
    // A muscle that works from 10 to 20 s, as a tone of 97 Hz: the mean of what is rectified is
    // 2/π.
    let tone = |n: usize| (n as f64 * std::f64::consts::TAU * 0.097).sin() as f32;
    let samples: Vec<f32> =
        (0..30_000).map(|n| if (10_000..20_000).contains(&n) { tone(n) } else { 0.0 }).collect();
    let mut emg = Bench::build(&KIND, 1_000.0, "").expect("valid");
    emg.feed(&samples);
    emg.flush();
    let mut half_ns = Vec::new();
    for seen in emg.take().iter().filter(|seen| seen.port == 1) {
        let rate = seen.format.rate().expect("a signal");
        let envelope = seen.frame.samples();
        assert_eq!(envelope.len(), 30_000);
        for (n, pair) in envelope.windows(2).enumerate() {
            if (pair[0] < 1.0 / std::f32::consts::PI) != (pair[1] < 1.0 / std::f32::consts::PI) {
                half_ns.push(seen.time().nanos() + rate.span_ns(n as i64 + 1));
            }
        }
        let level = envelope[15_000];
        // It ripples at 194 Hz, of which (8 / 194)² are left.
        assert!((level - 2.0 / std::f32::consts::PI).abs() < 2e-3, "{level}");
    }
    // The step response of Butterworth's second order is at its half 1.43 / (2π · 8 Hz) = 28.5 ms
    // after the step, of which 28.1 are subtracted; a cycle of the tone is 5 ms.
    assert_eq!(half_ns.len(), 2);
    for (half_ns, edge_s) in half_ns.iter().zip([10, 20]) {
        let off_ms = (half_ns - edge_s * 1_000_000_000) as f64 / 1e6;
        assert!(off_ms.abs() < 5.0, "{off_ms} ms");
    }
}

#[test]
fn a_flat_line_ends_work_and_is_no_rest() {
    let (mut samples, _) = muscle("work_s = 4.0\nrest_s = 4.0");
    samples[30_000..32_000].fill(0.25);
    let mut emg = Bench::build(&KIND, 1_000.0, "").expect("valid");
    emg.feed(&samples);
    emg.flush();
    let seen = emg.take();
    let events: Vec<&Seen> = seen.iter().filter(|seen| seen.port == 0).collect();
    let cues: Vec<&str> = events.iter().filter_map(|seen| seen.text("cue")).collect();
    assert!(cues.chunks(2).all(|pair| pair.first() == Some(&"onset")), "{cues:?}");
    assert!(cues.chunks(2).all(|pair| pair.get(1).is_none_or(|cue| *cue == "offset")));
    let within = |seen: &&&Seen| (30.5..32.9).contains(&seen.time().secs_f64());
    assert_eq!(
        events.iter().filter(within).count(),
        0,
        "nothing in the gap, nor before rest is known"
    );
}

#[test]
fn frequencies_above_half_the_rate_are_explained() {
    let problem = Bench::build(&KIND, 100.0, "low_hz = 60.0").err().expect("refused").to_string();
    assert!(problem.contains("`low_hz` = 60.0"), "{problem}");
}
