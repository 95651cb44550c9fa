//! Orientations per second on one core, beside imufusion on the same samples.
//!
//! Gyroscope, accelerometer and magnetometer of a synthetic body at 100 Hz, and of a recording where there
//! is one (`AFFERENT_DATA`, else `../shared/data`), by the filter that is imufusion's. `RIVALS` names
//! programs, with `;` between them, that run beside it in every repetition: see `peers/README.md`. What
//! they find must be within a tenth of a degree, as it must be of what the kind in a graph finds.

mod support;

use std::{fs, hint::black_box, path::PathBuf, process::Command, time::Instant};

use afferent_suite::data;
use operators::math::{
    imusyn::{Activity, Imu, ImuParameters},
    orientation::{Convention, Fusion, FusionParameters, Quaternion, Reading, product},
};
use support::Bench;

const RATE_HZ: f64 = 100.0;
const RECORDING: &str = "xioTechnologies+Fusion/Examples/Python/sensor_data.csv";

fn main() {
    let bench = Bench::start("orientation");
    let programs = std::env::var("RIVALS").unwrap_or_default();
    let programs: Vec<&str> = programs.split(';').filter(|name| !name.is_empty()).collect();
    let synthetic = ("synthetic", synthetic());
    for (name, rows) in
        [Some(synthetic), recording().map(|rows| ("recording", rows))].into_iter().flatten()
    {
        let passes = bench.scale(3_000_000, 20_000) / rows.len() + 1;
        let ours = Rival::new(&rows, passes);
        let truth = ours.own().1;
        let report = |variant: &str, seconds: &support::Spread| {
            bench.report(
                "orientation",
                &[("variant", variant), ("samples", name)],
                &[("ns_per_sample", &seconds.times(1e9)), ("samples_per_s", &seconds.inverse())],
            );
        };
        if programs.is_empty() {
            let [own] = bench.interleaved([(name, &mut || ours.own().0)]);
            report("afferent", &own.of(|seconds| *seconds));
        }
        for program in &programs {
            let [own, other] = bench.interleaved([
                (name, &mut || ours.own().0),
                (name, &mut || ours.other(program, &truth)),
            ]);
            let (own, other) = (own.of(|seconds| *seconds), other.of(|seconds| *seconds));
            report("afferent", &own);
            report(program, &other);
            let promise = format!("orientation, {name}, times the speed of {program}");
            bench.verdict_least(&promise, &other.over(&own), 1.0);
        }
    }
}

/// A sample of all sensors: deg/s, g, µT.
type Row = [f32; 9];

fn synthetic() -> Vec<Row> {
    let parameters = ImuParameters {
        routine: Activity::NAMED.map(|(_, activity)| activity).into(),
        each_s: 12.0,
        cadence_spm: 110.0,
        amplitude_g: 0.25,
        gyroscope_noise_dps: 0.1,
        gyroscope_offset_dps: 0.3,
        accelerometer_noise_g: 0.005,
        magnetometer_noise_ut: 0.3,
        magnetometer: true,
        seed: 1,
    };
    let mut body = Imu::new(parameters, RATE_HZ);
    let row = |_| {
        let (mut row, mut truth) = ([0.0; 9], [0.0; 4]);
        body.fill(&mut row, &mut truth);
        row
    };
    (0..12_000).map(row).collect()
}

fn recording() -> Option<Vec<Row>> {
    let text = fs::read_to_string(data::folder()?.join(RECORDING)).ok()?;
    let row = |line: &str| {
        let numbers = line.split(',').skip(1).map(|number| number.trim().parse().ok());
        numbers.collect::<Option<Vec<f32>>>()?.try_into().ok()
    };
    Some(text.lines().skip(1).filter_map(row).collect())
}

/// What the filter and its rivals are given.
struct Rival {
    readings: Vec<Reading>,
    passes: usize,
    file: PathBuf,
    found: PathBuf,
}

impl Rival {
    fn new(rows: &[Row], passes: usize) -> Self {
        let name = |what: &str| {
            std::env::temp_dir().join(format!("afferent-orientation-{}.{what}", std::process::id()))
        };
        let (file, found) = (name("f32"), name("q32"));
        let bytes: Vec<u8> =
            rows.iter().flatten().flat_map(|number| number.to_le_bytes()).collect();
        fs::write(&file, bytes).expect("room for a file");
        let reading = |row: &Row| {
            let [gx, gy, gz, ax, ay, az, mx, my, mz] = row.map(f64::from);
            Reading {
                gyroscope_rad_s: [gx, gy, gz].map(f64::to_radians),
                acceleration: [ax, ay, az],
                magnetic: [mx, my, mz],
            }
        };
        Self { readings: rows.iter().map(reading).collect(), passes, file, found }
    }

    /// Seconds a sample, and the last pass.
    fn own(&self) -> (f64, Vec<Quaternion>) {
        let parameters = FusionParameters {
            rate_hz: RATE_HZ,
            convention: Convention::Nwu,
            gain: 0.5,
            gyroscope_range_rad_s: 2_000f64.to_radians(),
            acceleration_rejection_rad: 10f64.to_radians(),
            magnetic_rejection_rad: 10f64.to_radians(),
            rejection_timeout_s: 5.0,
        };
        let mut found = vec![[0.0; 4]; self.readings.len()];
        let began = Instant::now();
        for _ in 0..self.passes {
            let mut fusion = Fusion::new(parameters);
            for (reading, q) in black_box(&self.readings).iter().zip(&mut found) {
                *q = fusion.push(reading);
            }
        }
        let seconds = began.elapsed().as_secs_f64();
        (seconds / (self.passes * self.readings.len()) as f64, found)
    }

    /// Seconds a sample of another program, which must find the same.
    fn other(&self, program: &str, truth: &[Quaternion]) -> f64 {
        let mut words = program.split_whitespace();
        let output = Command::new(words.next().expect("a program"))
            .args(words)
            .args([&self.file, &self.found])
            .arg(self.passes.to_string())
            .output()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        let told = String::from_utf8_lossy(&output.stdout);
        let why = String::from_utf8_lossy(&output.stderr);
        let seconds = told.trim().parse().unwrap_or_else(|_| panic!("{program}: {told}{why}"));
        let bytes = fs::read(&self.found).expect("it writes what it finds");
        let (numbers, []) = bytes.as_chunks::<4>() else { panic!("{program}: no whole numbers") };
        let numbers: Vec<f64> =
            numbers.iter().map(|number| f64::from(f32::from_le_bytes(*number))).collect();
        assert_eq!(numbers.len(), 4 * truth.len(), "{program}: a quaternion a sample");
        let apart = |(q, truth): (&[f64], &Quaternion)| {
            let length = q.iter().map(|part| part * part).sum::<f64>().sqrt();
            let [w, x, y, z] = *truth;
            let turn = product([w, -x, -y, -z], std::array::from_fn(|part| q[part] / length));
            2.0 * (turn[1].hypot(turn[2]).hypot(turn[3])).atan2(turn[0].abs()).to_degrees()
        };
        let farthest = numbers.chunks_exact(4).zip(truth).map(apart).fold(0.0, f64::max);
        assert!(farthest < 0.1, "{program} is {farthest}° off");
        seconds
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
        let _ = fs::remove_file(&self.found);
    }
}
