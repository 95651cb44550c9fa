//! Which channels of a signal are which sensor.

use engine::{Code, Diagnostic, Node, Param, SignalFormat, Unit};

use crate::math::state::{State, StateError};

/// The three axes of a sensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Triad {
    /// Numbers of the channels of x, y and z.
    pub(crate) channels: [usize; 3],
    /// What makes rad/s or g of its samples; 1 where the unit is neither known nor told.
    pub(crate) scale: f64,
}

/// The sensors in a signal, as far as they are there.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Sensors {
    pub(crate) gyroscope: Option<Triad>,
    pub(crate) accelerometer: Option<Triad>,
    pub(crate) magnetometer: Option<Triad>,
}

/// Units in which triads are scaled, in the order in which triads without units are expected.
const UNITS: [&str; 3] = ["rad/s", "g", "uT"];
const NAMES: [&str; 3] = ["gyroscope", "accelerometer", "magnetometer"];

/// Finds triads by the units of channels; those without a unit by their names (`acc_x`, `GyroY`, `mz`) or,
/// where these tell nothing, stand for what is missing: three of them are the accelerometer, six or nine
/// gyroscope, accelerometer and magnetometer in this order.
/// `assumed` are the units of gyroscope and accelerometer where channels have none.
///
/// # Errors
/// Where that does not work out.
pub(crate) fn find(node: &Node<'_>, port: &str, assumed: [&str; 2]) -> Result<Sensors, Diagnostic> {
    let format = node.signal(port);
    triads(format, assumed).ok_or_else(|| {
        let input = node.inputs().iter().find(|input| input.port == port).expect("it is fed");
        let units: Vec<_> = format.channels.iter().map(|c| c.unit.to_string()).collect();
        let message = format!(
            "`{}` has {} channels ({}), which are no gyroscope, accelerometer and magnetometer",
            input.label,
            units.len(),
            units.join(", ")
        );
        Diagnostic::error(Code::FormatMismatch, message).at(&input.place).of_node(node.name()).hint(
            "pick three channels of each: `from = \"x[gx,gy,gz,ax,ay,az]\"`, in this order where they \
             have no unit",
        )
    })
}

fn triads(format: &SignalFormat, assumed: [&str; 2]) -> Option<Sensors> {
    let mut found: [Vec<usize>; 3] = Default::default();
    let mut unknown = Vec::new();
    for (number, channel) in format.channels.iter().enumerate() {
        let is_of = |unit: &str| channel.unit.factor_to(Unit::named(unit)).is_some();
        match UNITS.iter().position(|unit| is_of(unit)) {
            Some(sensor) => found[sensor].push(number),
            None if channel.unit == Unit::UNKNOWN => unknown.push(number),
            None => return None,
        }
    }
    if unknown.iter().all(|&number| by_name(&format.channels[number].name).is_some()) {
        for number in unknown.drain(..) {
            found[by_name(&format.channels[number].name).expect("asked before")].push(number);
        }
    }
    let (triples, []) = unknown.as_chunks::<3>() else { return None };
    let missing = [0, 1, 2].into_iter().filter(|&sensor| found[sensor].is_empty());
    let missing: Vec<usize> = match triples.len() {
        // Who brings one sensor brings the accelerometer, if that is not there yet.
        1 if found[1].is_empty() => vec![1],
        _ => missing.collect(),
    };
    if triples.len() > missing.len() {
        return None;
    }
    for (sensor, triple) in missing.into_iter().zip(triples) {
        found[sensor].extend(triple);
    }
    let mut sensors = [None; 3];
    for (sensor, channels) in found.iter().enumerate().filter(|(_, found)| !found.is_empty()) {
        let channels: [usize; 3] = channels.as_slice().try_into().ok()?;
        let unit = |number: usize| match format.channels[number].unit {
            Unit::UNKNOWN => Unit::named(assumed.get(sensor).unwrap_or(&UNITS[sensor])),
            unit => unit,
        };
        let unit = (unit(channels[0]) == unit(channels[1])
            && unit(channels[1]) == unit(channels[2]))
        .then(|| unit(channels[0]))?;
        let scale = unit.factor_to(Unit::named(UNITS[sensor])).unwrap_or(1.0);
        sensors[sensor] = Some(Triad { channels, scale });
    }
    let [gyroscope, accelerometer, magnetometer] = sensors;
    Some(Sensors { gyroscope, accelerometer, magnetometer })
}

/// The sensor that a channel without a unit is called after, such as `acc_x`, `GyroY` or `mz`.
fn by_name(name: &str) -> Option<usize> {
    const WORDS: [&[&str]; 3] =
        [&["gyr", "gx", "gy", "gz"], &["acc", "ax", "ay", "az"], &["mag", "mx", "my", "mz"]];
    let name = name.to_ascii_lowercase();
    let is_called = |word: &str| match word.len() {
        2 => name == *word,
        _ => name.contains(word),
    };
    WORDS.iter().position(|words| words.iter().any(|word| is_called(word)))
}

/// A sensor that a kind cannot do without.
///
/// # Errors
/// If it is not there.
pub(crate) fn demand(
    node: &Node<'_>,
    port: &str,
    sensor: Option<Triad>,
    number: usize,
) -> Result<Triad, Diagnostic> {
    sensor.ok_or_else(|| {
        let input = node.inputs().iter().find(|input| input.port == port).expect("it is fed");
        let message = format!("`{}` has no {}", input.label, NAMES[number]);
        let hint = format!("bring three channels in `{}` or without a unit", UNITS[number]);
        Diagnostic::error(Code::FormatMismatch, message)
            .at(&input.place)
            .of_node(node.name())
            .hint(hint)
    })
}

pub(crate) const ACCELEROMETER_UNIT: Param<&str> = Param::with_default(
    "accelerometer_unit",
    "g",
    "Unit of an accelerometer whose channels have none.",
)
.one_of(&["g", "m/s2"]);

/// An accelerometer in g; what is no number is the last good sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Accelerometer {
    triad: Triad,
    last: Option<[f64; 3]>,
    /// Samples since that was seen.
    missing: u64,
}

impl Accelerometer {
    /// The accelerometer in what enters `port`.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) fn find(node: &Node<'_>, port: &str) -> Result<Self, Diagnostic> {
        let unit = node.get(&ACCELEROMETER_UNIT)?;
        let sensors = find(node, port, ["deg/s", unit])?;
        Ok(Self { triad: demand(node, port, sensors.accelerometer, 1)?, last: None, missing: 0 })
    }

    /// Its samples at one moment, in g; `None` before the first good one.
    pub(crate) fn at(&mut self, planes: &[f32], len: usize, n: usize) -> Option<[f64; 3]> {
        let seen = at(&self.triad, planes, len, n);
        self.missing = self.missing.saturating_add(1);
        if is_finite(seen) {
            self.last = Some(seen.map(|part| part.clamp(-LARGEST_G, LARGEST_G)));
            self.missing = 0;
        }
        self.last
    }

    /// So many samples were none in a row.
    pub(crate) fn missing(&self) -> u64 {
        self.missing
    }

    /// Its three axes.
    pub(crate) fn triad(&self) -> &Triad {
        &self.triad
    }

    pub(crate) fn reset(&mut self) {
        (self.last, self.missing) = (None, 0);
    }

    pub(crate) fn visit(&mut self, state: &mut State<'_>) -> Result<(), StateError> {
        state.optional(&mut self.last, |state, last| {
            last.iter_mut().try_for_each(|part| state.f64(part))
        })?;
        state.u64(&mut self.missing)
    }
}

/// No sensor measures more; what is larger would ring in filters for long.
const LARGEST_G: f64 = 1e4;

/// Whether all three are: a sum of finite samples of f32 is finite in f64, and of others is not.
#[inline(always)]
pub(crate) fn is_finite([x, y, z]: [f64; 3]) -> bool {
    (x + y + z).is_finite()
}

/// The samples of a triad at one moment, scaled; `planes` are planes of `len` samples.
#[inline(always)]
pub(crate) fn at(triad: &Triad, planes: &[f32], len: usize, n: usize) -> [f64; 3] {
    triad.channels.map(|channel| f64::from(planes[channel * len + n]) * triad.scale)
}

#[cfg(test)]
mod tests {
    use engine::{Channel, Rate};

    use super::*;

    fn signal(units: &[&str]) -> SignalFormat {
        let channel = |unit: &&str| Channel { name: String::new(), unit: Unit::named(unit) };
        let rate = Rate::new(100.0).expect("a rate");
        SignalFormat { channels: units.iter().map(channel).collect(), rate, frame_len: 1 }
    }

    fn channels(units: &[&str]) -> Option<[Option<[usize; 3]>; 3]> {
        let Sensors { gyroscope, accelerometer, magnetometer } =
            triads(&signal(units), ["deg/s", "g"])?;
        let sensors = [gyroscope, accelerometer, magnetometer];
        Some(sensors.map(|triad| triad.map(|triad| triad.channels)))
    }

    #[test]
    fn sensors_are_known_by_unit_or_by_order() {
        let (first, second, third) = (Some([0, 1, 2]), Some([3, 4, 5]), Some([6, 7, 8]));
        assert_eq!(channels(&[""; 3]), Some([None, first, None]));
        assert_eq!(channels(&[""; 6]), Some([first, second, None]));
        assert_eq!(channels(&[""; 9]), Some([first, second, third]));
        assert_eq!(channels(&["g", "g", "g", "", "", ""]), Some([second, first, None]));
        let mixed = ["m/s2", "m/s2", "m/s2", "uT", "uT", "uT", "deg/s", "deg/s", "deg/s"];
        assert_eq!(channels(&mixed), Some([third, first, second]));
        for wrong in [&["g"; 2][..], &["g"; 6], &["mV"; 3], &[""; 12], &["g", "g", "m/s2"]] {
            assert_eq!(channels(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn channels_without_a_unit_are_known_by_name() {
        let named = |names: &[&str]| {
            let mut format = signal(&vec![""; names.len()]);
            for (channel, name) in format.channels.iter_mut().zip(names) {
                (*name).clone_into(&mut channel.name);
            }
            let sensors = triads(&format, ["deg/s", "g"]).expect("sensors");
            let all = [sensors.gyroscope, sensors.accelerometer, sensors.magnetometer];
            all.map(|triad| triad.map(|triad| triad.channels))
        };
        let acc_first = ["acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z"];
        assert_eq!(named(&acc_first), [Some([3, 4, 5]), Some([0, 1, 2]), None]);
        assert_eq!(named(&["ax", "ay", "az"]), [None, Some([0, 1, 2]), None]);
        let odd = ["mx", "my", "mz", "GyroX", "GyroY", "GyroZ", "AccX", "AccY", "AccZ"];
        assert_eq!(named(&odd), [Some([3, 4, 5]), Some([6, 7, 8]), Some([0, 1, 2])]);
        assert_eq!(named(&["x", "y", "z"]), [None, Some([0, 1, 2]), None], "nothing to go by");
    }

    #[test]
    fn samples_are_scaled_by_their_unit() {
        let scale = |units: &[&str], assumed: [&str; 2]| {
            let sensors = triads(&signal(units), assumed).expect("sensors");
            sensors.gyroscope.or(sensors.accelerometer).expect("one").scale
        };
        assert_eq!(scale(&["rad/s"; 3], ["deg/s", "g"]), 1.0);
        assert_eq!(scale(&["deg/s"; 3], ["rad/s", "g"]), std::f64::consts::PI / 180.0);
        assert_eq!(scale(&["m/s2"; 3], ["deg/s", "g"]), 1.0 / 9.806_65);
        assert_eq!(scale(&[""; 3], ["deg/s", "m/s2"]), 1.0 / 9.806_65);
        assert_eq!(scale(&[""; 6], ["rad/s", "m/s2"]), 1.0);
    }
}
