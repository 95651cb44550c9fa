//! Heart-rate variability of a sliding window of five minutes, per new beat: brought up to date against
//! computed afresh from the intervals of the window, all values told after every beat.
//!
//! What is computed afresh are the definitions, written down once more and plainly. Both ways must
//! agree: to 1e-6, LF/HF to 1 %.

mod support;

use std::{f64::consts::TAU, hint::black_box};

use operators::math::{
    hrv::{BANDS_HZ, Hrv, HrvParameters, LombScargle, Measures, Nonlinear, TimeDomain},
    random::Random,
};
use support::{Bench, seconds};

const WINDOW_S: f64 = 300.0;
const RR_MAX_MS: f64 = 2_000.0;

/// One way to a group of measures: values after each beat, and seconds a beat.
type Told = (Vec<f64>, f64);

fn main() {
    let bench = Bench::start("hrv");
    let beats = beats();
    let (warm, all) = (500, bench.scale(2_500, 520));
    // So many windows are computed afresh, evenly among those told.
    let afresh = bench.scale(40, 2);

    let mut total: Option<[support::Spread; 2]> = None;
    for (group, updated, computed) in [
        (
            "time domain",
            updated_time as fn(&[Beat], usize) -> Told,
            time as fn(&[Beat]) -> Vec<f64>,
        ),
        ("frequency domain", updated_frequency, frequency),
        ("nonlinear", updated_nonlinear, nonlinear),
    ] {
        let name = |way: &str| format!("{group}, {way}");
        let [update, compute] = bench.interleaved([
            (&name("updated"), &mut || updated(&beats[..all], warm)),
            (&name("computed afresh"), &mut || computed_afresh(&beats[..all], afresh, computed)),
        ]);
        for (update, compute) in update.0.iter().zip(&compute.0) {
            assert_same(group, &update.0, &compute.0);
        }
        let costs = [update, compute].map(|runs| runs.of(|told| told.1));
        for (variant, cost) in [("updated", &costs[0]), ("computed afresh", &costs[1])] {
            let params = [("group", group), ("variant", variant), ("window_s", "300")];
            bench.report("hrv", &params, &[("us_per_beat", &cost.times(1e6))]);
        }
        let promise = format!("{group}, computed afresh over updated");
        bench.verdict_least(&promise, &costs[1].over(&costs[0]), 100.0);
        total = Some(match total {
            None => costs,
            Some([update, compute]) => [update.plus(&costs[0]), compute.plus(&costs[1])],
        });
    }
    if let Some([update, compute]) = total {
        bench.verdict_least(
            "all together, computed afresh over updated",
            &compute.over(&update),
            100.0,
        );
    }
}

/// The end of an interval, and how long it is.
#[derive(Clone, Copy)]
struct Beat {
    time_ns: i64,
    rr_ns: i64,
}

/// A heart at 70 beats a minute that breathes.
fn beats() -> Vec<Beat> {
    let mut random = Random::new(1);
    let mut time_ns = 0;
    let mut beat = || {
        let wave = |hz: f64| (TAU * hz * time_ns as f64 / 1e9).sin();
        let rr_ms = 850.0 + 40.0 * wave(0.1) + 30.0 * wave(0.25) + 15.0 * random.normals().0;
        let rr_ns = (rr_ms * 1e6) as i64;
        time_ns += rr_ns;
        Beat { time_ns, rr_ns }
    };
    (0..2_500).map(|_| beat()).collect()
}

/// The intervals in the window that ends with the last.
fn window(beats: &[Beat]) -> &[Beat] {
    let start_ns = beats[beats.len() - 1].time_ns - (WINDOW_S * 1e9) as i64;
    &beats[beats.partition_point(|beat| beat.time_ns <= start_ns)..]
}

fn computed_afresh(beats: &[Beat], count: usize, group: fn(&[Beat]) -> Vec<f64>) -> Told {
    let mut values = Vec::new();
    let took_s = seconds(|| {
        for n in 1..=count {
            let end = 500 + (beats.len() - 500) * n / count;
            values = black_box(group(window(&beats[..end])));
        }
    });
    (values, took_s / count as f64)
}

/// Takes all beats, and tells the values after each behind the first few.
fn updated<M: Measures>(
    beats: &[Beat],
    warm: usize,
    measures: impl Fn(usize) -> M,
    tell: impl Fn(&mut Hrv<M>) -> Vec<f64>,
    skim: impl Fn(&mut Hrv<M>) -> f64,
) -> Told {
    let parameters =
        HrvParameters { window_s: WINDOW_S, rr_max_ms: RR_MAX_MS, ..HrvParameters::default() };
    let mut hrv = Hrv::with(parameters, measures).expect("valid");
    let (first, rest) = beats.split_at(warm);
    hrv.push(first[0].time_ns - first[0].rr_ns, true);
    first.iter().for_each(|beat| _ = hrv.push(beat.time_ns, true));
    let took_s = seconds(|| {
        for beat in rest {
            hrv.push(beat.time_ns, true);
            black_box(skim(&mut hrv));
        }
    });
    (tell(&mut hrv), took_s / rest.len() as f64)
}

fn updated_time(beats: &[Beat], warm: usize) -> Told {
    let tell = |hrv: &mut Hrv<TimeDomain>| {
        let (sums, time) = (hrv.values().expect("full"), hrv.time_values().expect("full"));
        vec![
            sums.mean_ms,
            sums.sdnn_ms.expect("many"),
            sums.rmssd_ms.expect("many"),
            sums.pnn50_pct.expect("many"),
            time.sdsd_ms.expect("many"),
            time.pnn20_pct.expect("many"),
            time.median_ms,
            time.mad_ms,
            time.iqr_ms,
            time.prc20_ms,
            time.prc80_ms,
            time.hti,
            time.tinn_ms,
            time.sdann_ms[0].expect("five"),
            time.sdnni_ms[0].expect("five"),
        ]
    };
    let skim = |hrv: &mut Hrv<TimeDomain>| {
        let (sums, time) = (black_box(hrv.values()), black_box(hrv.time_values()));
        sums.map_or(0.0, |sums| sums.mean_ms) + time.map_or(0.0, |time| time.tinn_ms)
    };
    updated(beats, warm, |capacity| TimeDomain::new(capacity, RR_MAX_MS), tell, skim)
}

fn updated_frequency(beats: &[Beat], warm: usize) -> Told {
    let tell = |hrv: &mut Hrv<LombScargle>| {
        let bands = hrv.measures_mut().bands().expect("full");
        vec![bands.bands_ms2[1], bands.lf_ms2(), bands.hf_ms2(), bands.lf_ms2() / bands.hf_ms2()]
    };
    let skim = |hrv: &mut Hrv<LombScargle>| {
        black_box(hrv.measures_mut().bands()).map_or(0.0, |bands| bands.total_ms2())
    };
    updated(beats, warm, |capacity| LombScargle::new(capacity, WINDOW_S), tell, skim)
}

fn updated_nonlinear(beats: &[Beat], warm: usize) -> Told {
    let tell = |hrv: &mut Hrv<Nonlinear>| {
        let values = hrv.nonlinear_values();
        let ellipse = values.poincare.expect("many");
        let alpha1 = values.dfa_alpha1.expect("many");
        vec![ellipse.sd1_ms, ellipse.sd2_ms, alpha1, values.sample_entropy.expect("some")]
    };
    let skim =
        |hrv: &mut Hrv<Nonlinear>| black_box(hrv.nonlinear_values()).sample_entropy.unwrap_or(0.0);
    updated(beats, warm, Nonlinear::new, tell, skim)
}

#[track_caller]
fn assert_same(group: &str, updated: &[f64], computed: &[f64]) {
    assert_eq!(updated.len(), computed.len(), "{group}");
    for (n, (a, b)) in updated.iter().zip(computed).enumerate() {
        // The promise: 1e-6, and 1 % of LF/HF and what it is made of.
        let share = if group == "frequency domain" { 0.01 } else { 1e-6 };
        assert!((a - b).abs() <= share * b.abs(), "{group}, value {n}: {a} is not {b}");
    }
}

fn intervals_ms(window: &[Beat]) -> Vec<f64> {
    window.iter().map(|beat| beat.rr_ns as f64 / 1e6).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Standard deviation that divides by one less.
fn deviation(values: &[f64]) -> f64 {
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    (squares / (values.len() - 1) as f64).sqrt()
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    let rank = share * (sorted.len() - 1) as f64;
    let below = rank as usize;
    let high = sorted[(below + 1).min(sorted.len() - 1)];
    sorted[below] + (rank - below as f64) * (high - sorted[below])
}

fn time(window: &[Beat]) -> Vec<f64> {
    let rr = intervals_ms(window);
    let d: Vec<f64> = rr.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let above = |ms: f64| d.iter().filter(|d| d.abs() > ms).count() as f64 * 100.0 / d.len() as f64;
    let ranked = sorted(&rr);
    let median = quantile(&ranked, 0.5);
    let distances: Vec<f64> = rr.iter().map(|rr| (rr - median).abs()).collect();
    let (hti, tinn) = triangle(&ranked);
    let parts = minutes(window);
    let means: Vec<f64> = parts.iter().map(|part| mean(part)).collect();
    let deviations: Vec<f64> = parts.iter().map(|part| deviation(part)).collect();
    vec![
        mean(&rr),
        deviation(&rr),
        mean(&d.iter().map(|d| d * d).collect::<Vec<f64>>()).sqrt(),
        above(50.0),
        deviation(&d),
        above(20.0),
        median,
        1.4826 * quantile(&sorted(&distances), 0.5),
        quantile(&ranked, 0.75) - quantile(&ranked, 0.25),
        quantile(&ranked, 0.2),
        quantile(&ranked, 0.8),
        hti,
        tinn,
        deviation(&means),
        mean(&deviations),
    ]
}

/// Triangular index, and the width of the triangle that fits best of all.
fn triangle(ranked: &[f64]) -> (f64, f64) {
    let size = 1_000.0 / 128.0;
    let (least, most) = (ranked[0], ranked[ranked.len() - 1]);
    let mut bins = vec![0.0; (most / size) as usize + 1];
    ranked.iter().for_each(|rr| bins[(rr / size) as usize] += 1.0);
    let highest = bins.iter().copied().fold(0.0, f64::max);
    let peak = bins.iter().position(|height| *height == highest).expect("some");
    let (mut best, mut width) = (f64::INFINITY, 0.0);
    for n in (least / size) as usize + 1..peak {
        for m in (peak + 1..).take_while(|m| *m as f64 * size < most) {
            let error: f64 = (n..=m)
                .map(|bin| {
                    let line = if bin <= peak {
                        (bin - n) as f64 / (peak - n) as f64
                    } else {
                        (m - bin) as f64 / (m - peak) as f64
                    };
                    (bins[bin] - highest * line).powi(2)
                })
                .sum();
            if error < best {
                (best, width) = (error, (m - n) as f64 * size);
            }
        }
    }
    (ranked.len() as f64 / highest, width)
}

fn minutes(window: &[Beat]) -> Vec<Vec<f64>> {
    let start_ns = window[0].time_ns - window[0].rr_ns;
    let last_ns = window[window.len() - 1].time_ns - start_ns;
    let count = (last_ns as f64 / 60e9).round() as i64;
    let of = |n: i64| {
        let is_in = |beat: &&Beat| (beat.time_ns - start_ns) / 60_000_000_000 == n;
        window.iter().filter(is_in).map(|beat| beat.rr_ns as f64 / 1e6).collect()
    };
    (0..count).map(of).collect()
}

/// Lomb–Scargle at the same frequencies, with a mean of its own.
fn frequency(window: &[Beat]) -> Vec<f64> {
    let rr = intervals_ms(window);
    let start_ns = window[0].time_ns;
    let t: Vec<f64> = window.iter().map(|b| (b.time_ns - start_ns) as f64 / 1e9).collect();
    let (n, mean) = (rr.len() as f64, mean(&rr));
    let step_hz = 1.0 / (5.0 * WINDOW_S);
    let density: Vec<f64> = (20..=750)
        .map(|k| {
            let [mut c, mut s, mut cc, mut cs, mut yc, mut ys] = [0.0; 6];
            for (t, rr) in t.iter().zip(&rr) {
                let (sin, cos) = (TAU * f64::from(k) * step_hz * t).sin_cos();
                c += cos / n;
                s += sin / n;
                cc += cos * cos / n;
                cs += cos * sin / n;
                yc += (rr - mean) * cos / n;
                ys += (rr - mean) * sin / n;
            }
            let (ss, cc, cs) = (1.0 - cc - s * s, cc - c * c, cs - c * s);
            let power = ss * yc * yc + cc * ys * ys - 2.0 * cs * yc * ys;
            power / (cc * ss - cs * cs) * t[t.len() - 1]
        })
        .collect();
    let band = |number: usize| {
        let (_, low_hz, high_hz) = BANDS_HZ[number];
        let hz = |n: usize| (n + 20) as f64 * step_hz + 1e-12;
        let inside = |n: &usize| (low_hz..high_hz).contains(&hz(*n));
        let inside: Vec<f64> = (0..density.len()).filter(inside).map(|n| density[n]).collect();
        inside.windows(2).map(|pair| 0.5 * (pair[0] + pair[1]) * step_hz).sum::<f64>()
    };
    vec![band(1), band(2), band(3), band(2) / band(3)]
}

fn nonlinear(window: &[Beat]) -> Vec<f64> {
    let rr = intervals_ms(window);
    let across: Vec<f64> = rr.windows(2).map(|p| (p[0] - p[1]) / 2.0_f64.sqrt()).collect();
    let along: Vec<f64> = rr.windows(2).map(|p| (p[0] + p[1]) / 2.0_f64.sqrt()).collect();
    vec![deviation(&across), deviation(&along), alpha1(&rr), sample_entropy(&rr)]
}

fn alpha1(rr: &[f64]) -> f64 {
    let mean_rr = mean(rr);
    let mut level = 0.0;
    let profile: Vec<f64> = rr
        .iter()
        .map(|rr| {
            level += rr - mean_rr;
            level
        })
        .collect();
    let points = (4..=11_usize).map(|width| {
        let middle = (width - 1) as f64 / 2.0;
        let starts = (0..rr.len() - width).step_by(width / 2);
        let rests: Vec<f64> = starts
            .map(|start| {
                let segment = &profile[start..start + width];
                let level = mean(segment);
                let x = |i: usize| i as f64 - middle;
                let (mut xy, mut xx) = (0.0, 0.0);
                for (i, y) in segment.iter().enumerate() {
                    xy += x(i) * y;
                    xx += x(i) * x(i);
                }
                let line = |i: usize| level + xy / xx * x(i);
                let off = segment.iter().enumerate().map(|(i, y)| (y - line(i)).powi(2));
                off.sum::<f64>() / width as f64
            })
            .collect();
        ((width as f64).ln(), 0.5 * mean(&rests).ln())
    });
    let points: Vec<(f64, f64)> = points.collect();
    let x = mean(&points.iter().map(|p| p.0).collect::<Vec<f64>>());
    let y = mean(&points.iter().map(|p| p.1).collect::<Vec<f64>>());
    let slope: f64 = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum();
    slope / points.iter().map(|p| (p.0 - x).powi(2)).sum::<f64>()
}

fn sample_entropy(rr: &[f64]) -> f64 {
    let reach = 0.2 * deviation(rr);
    let (mut longer, mut shorter) = (0_u32, 0_u32);
    for b in 0..rr.len() - 2 {
        for a in 0..b {
            let is_alike = |n: usize| (rr[a + n] - rr[b + n]).abs() <= reach;
            if is_alike(0) && is_alike(1) {
                shorter += 1;
                longer += u32::from(is_alike(2));
            }
        }
    }
    (f64::from(shorter) / f64::from(longer)).ln()
}
