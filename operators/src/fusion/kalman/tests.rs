use engine::{EventWriter, Frame, Header, testing::Bench};

use super::*;

fn events(fields: Vec<Field>) -> Format {
    Format::event(fields, 10.0)
}

/// Estimates behind heart rates at these moments with these qualities.
fn follow(params: &str, measured: &[(f64, Option<f64>, f64)]) -> Vec<[Option<f64>; 3]> {
    let format = events(vec![Field::f64("rate_bpm"), Field::f64("quality")]);
    let params = format!("field = \"rate_bpm\"\n{params}");
    let mut bench = Bench::with(&KIND, &[("in", format.clone())], &params).expect("valid");
    for &(at_s, value, quality) in measured {
        let event = EventWriter::new(format.as_event().expect("events"));
        let event = event.f64_or_absent(0, value).f64(1, quality).finish();
        bench.push(0, Frame::new(Header::at(Timestamp::from_secs_f64(at_s)), event));
    }
    bench.flush();
    let seen = bench.take();
    let told = |field| seen.iter().map(move |seen| seen.number(field));
    let rows = told("value").zip(told("velocity")).zip(told("deviation"));
    rows.map(|((x, v), deviation)| [x, v, deviation]).collect()
}

#[test]
fn measurements_count_by_their_quality_and_time_makes_uncertain() {
    let told = follow(
        "noise = 2.0\nprocess = 1.0",
        &[
            (0.0, Some(60.0), 1.0),
            (5.0, Some(69.0), 0.5),
            (14.0, None, 1.0),
            (14.0, Some(1e6), 0.0),
        ],
    );
    // Variances: 4; then 4 + 5 = 9 against 4 / 0.5 = 8, so 60 + 9 · 9 / 17 and 72 / 17; then nine more.
    let near = |got: Option<f64>, want: f64| assert!((got.expect("told") - want).abs() < 1e-12);
    near(told[0][0], 60.0);
    near(told[0][2], 2.0);
    near(told[1][0], 60.0 + 81.0 / 17.0);
    near(told[1][2], (72.0_f64 / 17.0).sqrt());
    near(told[2][2], (72.0_f64 / 17.0 + 9.0).sqrt());
    assert_eq!(told[3], told[2], "of quality 0 is no measurement");
    assert_eq!(told[0][1], None, "a level has no velocity");
}

#[test]
fn a_velocity_is_found_at_irregular_times() {
    let at = |n: u32| f64::from(n) * 0.7 + if n.is_multiple_of(3) { 0.2 } else { 0.0 };
    let measured: Vec<_> = (0..60).map(|n| (at(n), Some(50.0 + 1.5 * at(n)), 1.0)).collect();
    let told = follow("model = \"velocity\"\nnoise = 1.0\nprocess = 0.01", &measured);
    let [x, v, _] = told[59];
    // Exact lines are followed exactly, but for the vague beginning: a velocity of 1.5 was worth
    // (1.5 / 1e4)² of a measurement.
    assert!((x.expect("told") - (50.0 + 1.5 * at(59))).abs() < 1e-6);
    assert!((v.expect("told") - 1.5).abs() < 1e-6);
}

#[test]
fn what_surprises_is_left_out_and_what_is_too_uncertain_is_not_told() {
    let told = follow(
        "noise = 1.0\nprocess = 1.0\nsurprise_max_ratio = 4.0\ndeviation_max = 3.0",
        &[(0.0, Some(60.0), 1.0), (1.0, Some(90.0), 1.0), (7.0, None, 1.0), (9.0, None, 1.0)],
    );
    assert_eq!(told[1][0], Some(60.0));
    assert!(told[2][0].is_some(), "√(1 + 7) is below 3");
    assert_eq!(told[3], [None; 3], "√(1 + 9) is above it");
}

#[test]
fn who_is_surprised_again_and_again_was_wrong() {
    let mut measured = vec![(0.0, Some(200.0), 1.0)];
    measured.extend((1..=12).map(|n| (f64::from(n), Some(60.0), 1.0)));
    let told = follow("noise = 1.0\nprocess = 0.0\nsurprise_max_ratio = 4.0", &measured);
    assert!(told[..=10].iter().all(|told| told[0] == Some(200.0)), "{told:?}");
    assert_eq!([told[11][0], told[12][0]], [Some(60.0); 2]);
}

#[test]
fn signals_update_one_estimate_and_one_that_is_bad_has_no_say() {
    let one = Bench::channels(1, 100.0);
    let ports = [("in", one.clone()), ("in", one.clone()), ("quality", one.clone())];
    let ports = [&ports[..], &[("quality", one)]].concat();
    let params = "noise = 1.0\nprocess = 0.0";
    let mut bench = Bench::with(&KIND, &ports, params).expect("valid");
    let names: Vec<_> = bench
        .output(0)
        .as_signal()
        .expect("a signal")
        .channels
        .iter()
        .map(|c| c.name.clone())
        .collect();
    assert_eq!(names, ["0", "0.deviation"]);
    bench.push_samples(0, &[10.0, f32::NAN]);
    bench.push_samples(1, &[13.0, 1e6]);
    bench.push_samples(2, &[1.0, 1.0]);
    bench.push_samples(3, &[0.5, 0.0]);
    let out = bench.flush();
    // (10 · 1 + 13 · 0.5) / 1.5, of variance 1 / 1.5, which nothing changes any more.
    let deviation = (1.0f32 / 1.5).sqrt();
    assert_eq!(out, [11.0, 11.0, deviation, deviation]);
}

#[test]
fn what_cannot_be_followed_is_told() {
    let refused = |format: Format, params: &str| {
        Bench::with(&KIND, &[("in", format)], params).err().expect("refused").to_string()
    };
    let params = "noise = 1.0\nprocess = 1.0";
    let problem = refused(events(vec![Field::f64("x")]), params);
    assert!(problem.contains("`field` is missing"), "{problem}");
    let problem = refused(events(vec![Field::f64("x")]), &format!("{params}\nfield = \"y\""));
    assert!(problem.contains("has no number `y`"), "{problem}");
    let problem = refused(Bench::channels(1, 10.0), &format!("{params}\nfield = \"y\""));
    assert!(problem.contains("signals have no fields"), "{problem}");
}

#[test]
fn a_slow_signal_counts_once_for_each_of_its_samples() {
    let ports = [("in", Bench::channels(1, 100.0)), ("in", Bench::channels(1, 1.0))];
    let mut bench = Bench::with(&KIND, &ports, "noise = 1.0\nprocess = 0.0").expect("valid");
    bench.push_samples(0, &[0.0; 200]);
    bench.push_samples(1, &[10.0, 10.0]);
    bench.flush();
    let out: Vec<f32> =
        bench.take().iter().flat_map(|seen| seen.frame.channel(0).to_vec()).collect();
    // Two hundred measurements of 0 and two of 10, all of one variance.
    assert!((f64::from(out[199]) - 20.0 / 202.0).abs() < 1e-6, "{}", out[199]);
}

#[test]
fn a_slow_outlier_surprises_once_however_long_it_is_held() {
    let ports = [("in", Bench::channels(1, 100.0)), ("in", Bench::channels(1, 1.0))];
    let params = "noise = 1.0\nprocess = 0.0\nsurprise_max_ratio = 4.0";
    let mut bench = Bench::with(&KIND, &ports, params).expect("valid");
    let mut fast = vec![0.0; 100];
    fast.extend([f32::NAN; 200]);
    bench.push_samples(0, &fast);
    bench.push_samples(1, &[0.0, 30.0, 1e4]);
    bench.flush();
    let out: Vec<f32> =
        bench.take().iter().flat_map(|seen| seen.frame.channel(0).to_vec()).collect();
    assert!(out.iter().all(|x| *x == 0.0), "{:?}", out.iter().find(|x| **x != 0.0));
}
