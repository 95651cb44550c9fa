//! Orientation, steps and posture of bodies.

use afferent_suite::data::folder;
use engine::{
    Channel, Format, Rate, SignalFormat, Unit,
    testing::{Bench, Seen},
};
use operators::{
    math::orientation::{Quaternion, product},
    motion::{orientation, posture, steps},
    source::imu,
};

use crate::tables::column;

/// A signal of channels with these units, three of each.
fn sensors(units: &[&str], rate_hz: f64) -> Format {
    let three = |unit: &&str| {
        ["x", "y", "z"].map(|axis| Channel { name: axis.to_owned(), unit: Unit::named(unit) })
    };
    let channels = units.iter().flat_map(three).collect();
    let rate = Rate::new(rate_hz).expect("a rate");
    Format::Signal(SignalFormat { channels, rate, frame_len: 1 << 16 }.into())
}

/// What comes of planes that are fed at once.
fn heard(bench: &mut Bench, planes: &[f32]) -> Vec<Seen> {
    bench.push_samples(0, planes);
    bench.run();
    bench.flush();
    assert_eq!(bench.late(), 0, "the declared look-back is too short");
    bench.take()
}

/// The channels that come by a port, all frames joined.
fn channels<const N: usize>(seen: &[Seen], port: usize) -> [Vec<f32>; N] {
    std::array::from_fn(|channel| {
        let frames = seen.iter().filter(|seen| seen.port == port);
        frames.flat_map(|seen| seen.frame.channel(channel).to_vec()).collect()
    })
}

fn apart_deg(a: Quaternion, b: Quaternion) -> f64 {
    let [w, x, y, z] = product([a[0], -a[1], -a[2], -a[3]], b);
    2.0 * x.hypot(y).hypot(z).atan2(w.abs()).to_degrees()
}

#[test]
fn a_recording_is_turned_as_imufusion_turns_it() {
    let Some(data) = folder() else { return };
    let path = data.join("xioTechnologies+Fusion/Examples/Python/sensor_data.csv");
    let planes: Vec<Vec<f32>> = (1..10).map(|number| column(&path, number, 1)).collect();
    let golden = include_str!("../golden/orientation_recording.json");
    let rejecting = "gyroscope_range_dps = 2000.0\nacceleration_rejection_deg = 10.0\n\
                     magnetic_rejection_deg = 10.0\nrejection_timeout_s = 5.0";
    println!("case                    quaternions  farthest from imufusion's");
    for (name, axes, params) in
        [("six axes", 6, ""), ("nine axes", 9, ""), ("nine axes, rejecting", 9, rejecting)]
    {
        let case =
            golden.lines().find(|line| line.contains(&format!("\"{name}\","))).expect("a case");
        let (_, numbers) = case.split_once("quaternions").expect("quaternions");
        let numbers = numbers.split(['[', ']', ',', ' ', '"', ':', '}']);
        let numbers: Vec<f64> = numbers.filter_map(|number| number.parse().ok()).collect();
        let (golden, []) = numbers.as_chunks::<4>() else { panic!("four each") };

        let units = &["deg/s", "g", "uT"][..axes / 3];
        let mut bench = Bench::with(&orientation::KIND, &[("in", sensors(units, 100.0))], params)
            .expect("valid");
        let found = channels::<4>(&heard(&mut bench, &planes[..axes].concat()), 0);
        let farthest = golden.iter().enumerate().map(|(n, golden)| {
            let q = std::array::from_fn(|part| f64::from(found[part][500 * n + 499]));
            apart_deg(q, *golden)
        });
        let farthest = farthest.fold(0.0, f64::max);
        println!("{name:22}  {:11}  {farthest:.5}°", golden.len());
        assert!(golden.len() == 27 && farthest < 0.1, "{name}: {farthest}°");
    }
}

/// Seconds of every step in planes of an accelerometer.
fn steps_in(planes: &[Vec<f32>], unit: &str, rate_hz: f64, params: &str) -> Vec<Seen> {
    let inputs = [("in", sensors(&[unit], rate_hz))];
    let mut bench = Bench::with(&steps::KIND, &inputs, params).expect("valid");
    heard(&mut bench, &planes.concat())
}

#[test]
fn every_stride_of_a_foot_has_two_steps() {
    let Some(data) = folder() else { return };
    let folder = data.join("mad-lab-fau+gaitmap/example_data");
    let borders =
        std::fs::read_to_string(folder.join("stride_borders_sample.csv")).expect("borders");
    println!("foot   strides  with two steps  median cadence, steps a minute");
    // Columns come in pairs of left and right: three of the accelerometer, then the gyroscope.
    for (foot, first) in [("left", 0), ("right", 1)] {
        let planes: Vec<Vec<f32>> = (0..3)
            .map(|axis| column(&folder.join("imu_sample.csv"), 1 + first + 2 * axis, 2))
            .collect();
        let seen = steps_in(&planes, "m/s2", 204.8, "");
        let times: Vec<f64> = seen.iter().map(|seen| seen.time().secs_f64()).collect();
        let strides: Vec<[f64; 2]> = borders
            .lines()
            .filter(|line| line.split(',').nth(1) == Some(foot))
            .map(|line| {
                let cell = |n: usize| line.split(',').nth(n)?.parse::<f64>().ok();
                [cell(2), cell(3)].map(|sample| sample.expect("a sample") / 204.8)
            })
            .collect();
        let has_two = |[from, to]: &&[f64; 2]| {
            times.iter().filter(|at| (*from..*to).contains(*at)).count() == 2
        };
        let two = strides.iter().filter(has_two).count();
        let mut cadences: Vec<f64> =
            seen.iter().filter_map(|seen| seen.number("cadence_spm")).collect();
        cadences.sort_by(f64::total_cmp);
        let median = cadences[cadences.len() / 2];
        println!("{foot:5}  {:7}  {two:14}  {median:.1}", strides.len());
        // A step at a border may fall to the stride beside.
        assert!(two as f64 >= 0.9 * strides.len() as f64, "{foot}: {two} of {}", strides.len());
        let stride_s = (strides[10][1] - strides[0][0]) / 11.0;
        assert!((median / (120.0 / stride_s) - 1.0).abs() < 0.05, "{foot}: {median}");
    }
}

#[test]
fn a_walk_has_the_cadence_of_its_spectrum() {
    let Some(data) = folder() else { return };
    let path = data.join("PIA-Group+BioSPPy/examples/acc.txt");
    let text = std::fs::read_to_string(&path).expect("a recording");
    let axis = |axis: usize| -> Vec<f32> {
        let rows = text.lines().filter(|line| !line.starts_with('#'));
        rows.map(|line| line.split_whitespace().nth(axis).expect("three").parse().expect("one"))
            .collect()
    };
    // Its header says m/s², but at rest it shows 1.
    let seen = steps_in(&[axis(0), axis(1), axis(2)], "g", 100.0, "");
    let mut cadences: Vec<f64> =
        seen.iter().filter_map(|seen| seen.number("cadence_spm")).collect();
    cadences.sort_by(f64::total_cmp);
    let median = cadences[cadences.len() / 2];
    println!("biosppy acc: {} steps in 20 s, median cadence {median:.1} a minute", seen.len());
    // SciPy's Welch spectrum (10 s) of the length has its peak at 1.9 Hz, to 0.05: 114 ± 3 a minute, and
    // 38 steps in 20 s, of which the first and last may be lost.
    assert!((median - 114.0).abs() <= 3.0 && (35..=39).contains(&seen.len()));
}

/// Everything from a body that does its whole routine twice.
fn body() -> (Vec<Seen>, Vec<f32>) {
    let params = "seconds = 200.0\nroutine = \"stand walk lean sit lie\"\neach_s = 20.0";
    let mut imu = Bench::build(&imu::KIND, 0.0, params).expect("valid");
    while !imu.pull(1_000) {}
    let seen = imu.take();
    let planes = channels::<9>(&seen, 0).concat();
    (seen, planes)
}

#[test]
fn the_truth_about_a_synthetic_body_is_found() {
    let (seen, planes) = body();
    let inputs = [("in", sensors(&["deg/s", "g", "uT"], 100.0))];
    let truth = channels::<4>(&seen, 1);
    println!("method    mean error  largest (5 s on)");
    for (method, mean_deg, largest_deg) in
        [("fusion", 2.5, 10.0), ("madgwick", 2.5, 10.0), ("mahony", 2.5, 10.0)]
    {
        let params = format!("method = {method:?}");
        let mut bench = Bench::with(&orientation::KIND, &inputs, &params).expect("valid");
        let found = channels::<4>(&heard(&mut bench, &planes), 0);
        let at = |q: &[Vec<f32>; 4], n: usize| std::array::from_fn(|part| f64::from(q[part][n]));
        let errors: Vec<f64> =
            (500..truth[0].len()).map(|n| apart_deg(at(&found, n), at(&truth, n))).collect();
        let mean = errors.iter().sum::<f64>() / errors.len() as f64;
        let largest = errors.iter().copied().fold(0.0, f64::max);
        println!("{method:8}  {mean:9.2}°  {largest:6.2}°");
        // While it walks the accelerometer tilts by up to atan(0.14) = 8°, which the filters average over
        // seconds; lying, a yaw of 1° error in the field is 1° of all.
        assert!(mean < mean_deg && largest < largest_deg, "{method}: {mean}° {largest}°");
    }
}

#[test]
fn the_steps_of_a_synthetic_body_are_counted() {
    let (seen, planes) = body();
    let truth: Vec<f64> =
        seen.iter().filter(|seen| seen.port == 2).map(|seen| seen.time().secs_f64()).collect();
    let inputs = [("in", sensors(&["deg/s", "g", "uT"], 100.0))];
    let mut bench = Bench::with(&steps::KIND, &inputs, "").expect("valid");
    let found: Vec<f64> =
        heard(&mut bench, &planes).iter().map(|seen| seen.time().secs_f64()).collect();
    let near = |at: f64, of: &[f64]| of.iter().any(|other| (other - at).abs() < 0.15);
    let missed = truth.iter().filter(|at| !near(**at, &found)).count();
    let invented = found.iter().filter(|at| !near(**at, &truth)).count();
    println!("{} steps: {missed} missed, {invented} invented", truth.len());
    // Walking fades in and out over two seconds, in which a step of each end may count or not.
    assert!(truth.len() > 70 && missed <= 4 && invented <= 8);
}

#[test]
fn the_postures_of_a_synthetic_body_are_told() {
    let (seen, planes) = body();
    let word = |seen: &Seen| seen.text("posture").expect("present").to_owned();
    let truth: Vec<(f64, String)> = seen
        .iter()
        .filter(|seen| seen.port == 3)
        .map(|seen| (seen.time().secs_f64(), word(seen)))
        .collect();
    let inputs = [("in", sensors(&["deg/s", "g", "uT"], 100.0))];
    let mut bench = Bench::with(&posture::KIND, &inputs, "").expect("valid");
    let told = heard(&mut bench, &planes);
    let now = |events: &[(f64, String)], at: f64| {
        events.iter().rev().find(|(from, _)| *from <= at).map(|(_, word)| word.clone())
    };
    let found: Vec<(f64, String)> =
        told.iter().map(|seen| (seen.time().secs_f64(), word(seen))).collect();
    let moments = (10..1_990).map(|n| f64::from(n) / 10.0);
    let (mut right, mut all) = (0, 0);
    for at in moments {
        // A change takes two seconds, in which the body moves, until the mean has followed.
        if truth.iter().any(|(from, _)| (from - 1.5..from + 3.0).contains(&at)) {
            continue;
        }
        all += 1;
        right += usize::from(now(&found, at) == now(&truth, at));
    }
    println!("{right} of {all} moments right: {found:?}");
    assert!(right as f64 >= 0.98 * f64::from(all), "{right} of {all}");
}
