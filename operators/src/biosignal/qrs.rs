//! `qrs`: heart beats in an electrocardiogram.
//!
//! Causal, one pass; see [`crate::math::qrs`] for the method. Looks at the first channel unless
//! `from` picks one (`from = "ecg[V5]"`).
//!
//! | port  | carries                                                       |
//! |-------|---------------------------------------------------------------|
//! | `in`  | an ECG, as recorded or behind any `bandpass`; any unit        |
//! | `out` | one event per beat, stamped with the R peak of the recording  |
//!
//! What a `bandpass` in front did to the form of a beat is undone, whatever its band and order.
//!
//! **Losses.** A NaN is taken as the last good sample, but 0.3 s of them are a gap: what follows is
//! learnt anew, and the first beat behind it has no `rr_ms`, nor has one more than 3 s after the
//! last. Where nothing has moved for 1.5 s the lead is off, at a rail or flat: beats are told again
//! 0.3 s after it is on, which is how long its step looks like one, and the first has no `rr_ms`. At the end a remark says for how long.
//!
//! **Delay.** From the R peak to its event 0.22 s, 0.5 s for a small beat, which may be the P wave of a
//! larger one, and up to 3 s while it learns; besides what filters in front delay.
//!
//! **Bounds.** In principle a beat may be found 4.7 s late (`look_back`), and who merges beats with
//! something else would wait that long. But no beat is ever found before one already told, so with
//! each beat goes the promise that nothing comes up to 0.1 s behind it: a merge passes beats on at
//! once, and what is timed by beats (`hrv`) is at most one beat and half a second late.

use engine::{
    Body, Code, Diagnostic, Fault, Field, Format, GapNotice, Io, Kind, Node, Operator, Outline,
    Param, Port, Rate, Timestamp,
};

use crate::bodies::Seam;
use crate::math::qrs::{Beat, Qrs, RATES_HZ};

mod design;

use design::detector;

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "qrs",
    summary: "Find heart beats in an ECG.",
    doc: "Causal detector in one pass: envelope of slope and curvature, candidates judged by a \
          logarithm of odds from their level, noise, form and distance, with search-back. Takes the \
          ECG as recorded or behind `bandpass`, of any band and order, whose shape it inverts \
          (`input = \"auto\"`); a band that leaves little of a QRS complex is warned of. \
          `input = \"raw\"` inverts nothing; `input = \"filtered\"` takes a recording that was \
          band-passed before, from 5 to 15 Hz with order 2. t_s is the R peak itself; its event comes \
          0.22 s later, of small beats 0.5 s, of the first three seconds, which are for learning, after \
          those; what filters in front delay comes on top. \
          30 to 220 beats a minute; in plain noise below 5. After a gap, or 0.3 s of NaN, learning \
          begins anew. The first beat after that, or after 3 s without one, has no rr_ms; shorter \
          NaN count as the last good sample. 1.5 s without any change are a lead that fell off: the next beat \
          has no rr_ms, and a remark tells of it (`ecg_quality` tells when). The amplitude is R's height in the recording, before \
          `bandpass`, over its mean from 100 to 60 ms earlier, to about 5 %. Cost: about 20 ns a \
          sample, 5 KiB. Source: Pan and Tompkins 1985, Hamilton 2002, and operators::math::qrs.",
    example: "input = \"auto\"",
    inputs: &[Port::signal("in")],
    outputs: &[Port::event("out")],
    params: &[&INPUT],
    plan: |node| {
        let rate_hz = node.rate_hz("in");
        if rate_hz < RATE_HZ_MIN {
            let message = format!("{rate_hz} samples per second are too few to find beats in");
            return Err(node
                .problem(Code::OutOfRange, "input", message)
                .hint(format!("bring a signal of at least {RATE_HZ_MIN} Hz"))
                .into());
        }
        if rate_hz >= RATES_HZ[1] {
            let message = format!("{rate_hz} samples per second are too many to find beats in");
            return Err(node
                .problem(Code::OutOfRange, "input", message)
                .hint("put a `decimate` in front: 250 to 4000 samples per second are plenty")
                .into());
        }
        let amplitude = match node.signal("in").channels[0].unit.name() {
            "uV" => "amplitude_uv",
            "mV" => "amplitude_mv",
            "V" => "amplitude_v",
            _ => "amplitude",
        };
        let fields = vec![
            Field::f64("rr_ms"),
            Field::f64("heart_rate_bpm"),
            Field::f64(amplitude),
            Field::bool("searched_back"),
        ];
        let mut outline = Outline::of([Format::event(fields, crate::BEATS_PER_SECOND_MAX)])
            .looking_back(LOOK_BACK_NS)
            .looking_back_mostly(220_000_000);
        outline.warnings.extend(of_another_channel(node));
        if detector(node)?.lost() > LOST_MAX {
            let input = &node.inputs()[0];
            let message = format!("`{}` carries little of a QRS complex", input.label);
            let warning = Diagnostic::warning(Code::OutOfRange, message).at(&input.place);
            let hint =
                "let the `bandpass` in front keep 5 to 15 Hz: beats may be missed or misplaced";
            outline.warnings.push(warning.hint(hint));
        }
        Ok(outline)
    },
    build: |node| {
        let rate = node.signal("in").rate;
        Ok(Body::operator(Detector {
            qrs: detector(node)?,
            rate,
            missing_max: (GAP_S * rate.hz()).ceil() as u64,
            flat_max: (FLAT_S * rate.hz()).ceil() as u64,
            held: f32::NAN,
            unmoved: 0,
            ignored_until: 0,
            taken: 0,
            origin: 0,
            missing: 0,
            seam: Seam::NONE,
            last: None,
            tally: Tally::default(),
        }))
    },
    ..Kind::BASE
};

const INPUT: Param<&str> = Param::with_default("input", "auto", "What the ECG has been through.")
    .one_of(&["auto", "filtered", "raw"]);

/// Below, a QRS complex has no form left.
const RATE_HZ_MIN: f64 = 100.0;
/// Silence is noticed 3.2 to 4.2 s after a beat, and what is judged anew then may lie 0.2 s behind
/// it; judging takes 0.6 s at most. Learning at the start takes three seconds.
const LOOK_BACK_NS: i64 = 4_700_000_000;
/// No beat follows another sooner; the detector's own refractory time is longer by what its
/// choice of the R peak may shift.
const REFRACTORY_NS: i64 = 100_000_000;

/// So much of what a detector looks at may be lost in front: a tenth is taken by edges of order 6.
const LOST_MAX: f32 = 0.3;
/// Shorter holes of NaN are bridged: no complex is longer, and no beat is lost unseen.
const GAP_S: f64 = 0.3;
/// So long not even the slowest heart without any noise stands still between its waves.
const FLAT_S: f64 = 1.5;
/// The step when a lead is on again looks like a beat for so long.
const STEP_S: f64 = 0.3;
/// Longer is no interval between beats, but one of them was not heard.
const RR_NS_MAX: i64 = 3_000_000_000;

/// That the first of several channels does not look like an ECG, and another does.
fn of_another_channel(node: &Node<'_>) -> Option<Diagnostic> {
    let channels = &node.signal("in").channels;
    let first = channels.first()?;
    let other = channels.iter().find(|channel| is_lead(&channel.name))?;
    if is_lead(&first.name) {
        return None;
    }
    let (input, count) = (&node.inputs()[0], channels.len());
    let message = format!(
        "`{}` looks for beats in `{}`, the first of {count} channels, and `{}` is called like an ECG",
        node.name(),
        first.name,
        other.name
    );
    let hint = format!("pick the ECG: `from = \"{}[{}]\"`", input.label, other.name);
    Some(Diagnostic::warning(Code::NoEffect, message).at(&input.place).hint(hint))
}

/// Whether a channel has the name of an ECG, or of one of its leads.
fn is_lead(name: &str) -> bool {
    const LEADS: &[&str] = &["i", "ii", "iii", "avr", "avl", "avf", "mli", "mlii", "mliii"];
    let name = name.trim().to_lowercase();
    let is_chest = |prefix: &str| {
        name.strip_prefix(prefix).is_some_and(|rest| {
            !rest.is_empty() && rest.len() <= 2 && rest.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    name.contains("ecg")
        || name.contains("ekg")
        || LEADS.contains(&name.as_str())
        || is_chest("v")
        || is_chest("mv")
}

struct Detector {
    qrs: Qrs,
    rate: Rate,
    /// So many NaN in a row are a gap.
    missing_max: u64,
    /// So many equal samples are a lead that is off.
    flat_max: u64,
    /// The last sample, and how many have been equal to it.
    held: f32,
    unmoved: u64,
    /// Beats before this sample are the step of a lead that was off.
    ignored_until: u64,
    /// Samples taken since the detector was fresh.
    taken: u64,
    /// Where the first of them lies, from the first sample of the frame taken last.
    origin: i64,
    /// NaN in a row.
    missing: u64,
    /// Where that frame ended.
    seam: Seam,
    last: Option<Timestamp>,
    tally: Tally,
}

/// What to tell at the end.
#[derive(Clone, Copy, Default)]
struct Tally {
    samples: u64,
    missing: u64,
    beats: u64,
    /// While the lead was off.
    flat: u64,
}

impl Detector {
    fn tell(&mut self, beat: &Beat, time: Timestamp, io: &mut Io<'_>) {
        let rr_ns = self.last.map(|last| time.since(last));
        let rr_ms =
            rr_ns.filter(|rr_ns| (1..=RR_NS_MAX).contains(rr_ns)).map(|rr_ns| rr_ns as f64 / 1e6);
        self.last = Some(time);
        // After a long silence the detector may find what nobody waits for any more.
        let age = beat.decided as i64 + 1 - beat.sample as i64;
        if self.rate.span_ns(age) > LOOK_BACK_NS {
            return;
        }
        let event = io
            .event_for(0)
            .f64_or_absent(0, rr_ms)
            .f64_or_absent(1, rr_ms.map(|rr_ms| rounded(60_000.0 / rr_ms)))
            .f64(2, rounded(f64::from(beat.amplitude)))
            .bool(3, beat.searched_back);
        io.send_event(0, time, event);
        self.tally.beats += 1;
        io.promise(0, time.plus_nanos(REFRACTORY_NS));
    }

    /// When R was, by the grid of the input: to the same bits however it is cut into frames.
    fn time(&self, beat: &Beat, io: &Io<'_>) -> Timestamp {
        io.time_between(self.origin + beat.sample as i64, f64::from(beat.offset_samples))
    }

    fn take(&mut self, n: usize, io: &mut Io<'_>) {
        let sample = io.frame().channel(0)[n];
        self.missing = if sample.is_nan() { self.missing + 1 } else { 0 };
        self.tally.samples += 1;
        self.tally.missing += u64::from(sample.is_nan());
        let was_off = self.unmoved + 1 >= self.flat_max;
        self.unmoved = if sample == self.held { self.unmoved + 1 } else { 0 };
        self.held = sample;
        if was_off && self.unmoved == 0 {
            self.ignored_until = self.taken + (STEP_S * self.rate.hz()).ceil() as u64;
        }
        if self.unmoved + 1 >= self.flat_max {
            let is_new = self.unmoved + 1 == self.flat_max;
            self.tally.flat += if is_new { self.flat_max } else { 1 };
            self.last = None;
        }
        if self.missing >= self.missing_max {
            if self.taken > 0 {
                self.drain(io);
                self.forget();
            }
            self.origin = n as i64 + 1;
            return;
        }
        self.taken += 1;
        if let Some(beat) = self.qrs.push(sample).filter(|beat| beat.sample >= self.ignored_until) {
            self.tell(&beat, self.time(&beat, io), io);
        }
    }

    /// Says what is left of what was taken.
    fn drain(&mut self, io: &mut Io<'_>) {
        while let Some(beat) = self.qrs.flush() {
            self.tell(&beat, self.time(&beat, io), io);
        }
    }

    /// Samples are missing between the last frame and what comes: says what is left of those
    /// before, and begins anew.
    fn begin_anew(&mut self, io: &mut Io<'_>) {
        while let Some(beat) = self.qrs.flush() {
            // The grid is that of what follows already.
            let back_ns = self.rate.span_ns(self.taken as i64 - beat.sample as i64);
            let part_ns = f64::from(beat.offset_samples) * self.rate.period_ns();
            self.tell(&beat, self.seam.end.plus_nanos(part_ns.round() as i64 - back_ns), io);
        }
        self.forget();
        self.missing = 0;
        (self.held, self.unmoved) = (f32::NAN, 0);
    }

    fn forget(&mut self) {
        self.qrs.reset();
        (self.taken, self.origin, self.last, self.ignored_until) = (0, 0, None, 0);
    }
}

/// Six digits that count: nobody reads more of a derived number, and lines stay short.
fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let scale = 10_f64.powi(5 - value.abs().log10().floor() as i32);
    (value * scale).round() / scale
}

impl Operator for Detector {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        if !self.seam.is_followed(io) {
            self.begin_anew(io);
        }
        self.seam.advance(io);
        self.origin = -(self.taken as i64);
        for n in 0..io.frame().len() {
            self.take(n, io);
        }
        Ok(())
    }

    fn flush(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        self.drain(io);
        Ok(())
    }

    fn gap(&mut self, _: &GapNotice, io: &mut Io<'_>) -> Result<(), Fault> {
        self.begin_anew(io);
        Ok(())
    }

    fn remark(&self) -> Option<String> {
        let Tally { samples, missing, beats, flat } = self.tally;
        let seconds = |samples: u64| samples as f64 / self.rate.hz();
        // Before, the detector is still learning.
        if beats == 0 && seconds(samples) < 5.0 {
            return None;
        }
        if beats > 0 {
            return (flat > 0).then(|| format!("the lead was off for {:.1} s", seconds(flat)));
        }
        let mut remark = format!("no heart beat in {:.1} s of signal", seconds(samples));
        if missing > 0 {
            remark += &format!(", of which {:.1} s are no numbers", seconds(missing));
        }
        if flat > 0 {
            remark += &format!("; the lead was off for {:.1} s", seconds(flat));
        }
        Some(remark)
    }

    fn reset(&mut self) {
        self.forget();
        (self.missing, self.seam) = (0, Seam::NONE);
        (self.held, self.unmoved) = (f32::NAN, 0);
    }

    fn save(&self, into: &mut Vec<u8>) {
        into.push(4);
        let Tally { samples, missing, beats, flat } = self.tally;
        into.extend_from_slice(&self.held.to_le_bytes());
        for count in [samples, missing, beats, flat, self.unmoved, self.ignored_until] {
            into.extend_from_slice(&count.to_le_bytes());
        }
        into.extend_from_slice(&self.taken.to_le_bytes());
        into.extend_from_slice(&self.missing.to_le_bytes());
        into.extend_from_slice(&self.seam.end.nanos().to_le_bytes());
        into.extend_from_slice(&self.last.unwrap_or(Timestamp::MIN).nanos().to_le_bytes());
        self.qrs.save(into);
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        self.reset();
        let wrong = || Fault::new("is no state of `qrs`");
        let state = from.strip_prefix(&[4]).ok_or_else(wrong)?;
        let (held, state) = state.split_first_chunk().ok_or_else(wrong)?;
        let (samples, state) = state.split_first_chunk().ok_or_else(wrong)?;
        let (unheard, state) = state.split_first_chunk().ok_or_else(wrong)?;
        let (beats, state) = state.split_first_chunk().ok_or_else(wrong)?;
        let (flat, state) = state.split_first_chunk().ok_or_else(wrong)?;
        let (unmoved, state) = state.split_first_chunk().ok_or_else(wrong)?;
        let (ignored, state) = state.split_first_chunk().ok_or_else(wrong)?;
        let (taken, state) = state.split_first_chunk().ok_or_else(wrong)?;
        let (missing, state) = state.split_first_chunk().ok_or_else(wrong)?;
        let (end, state) = state.split_first_chunk().ok_or_else(wrong)?;
        let (last, state) = state.split_first_chunk().ok_or_else(wrong)?;
        self.qrs.load(state).map_err(|error| wrong().because(error))?;
        self.tally = Tally {
            samples: u64::from_le_bytes(*samples),
            missing: u64::from_le_bytes(*unheard),
            beats: u64::from_le_bytes(*beats),
            flat: u64::from_le_bytes(*flat),
        };
        self.held = f32::from_le_bytes(*held);
        self.unmoved = u64::from_le_bytes(*unmoved);
        self.ignored_until = u64::from_le_bytes(*ignored);
        self.taken = u64::from_le_bytes(*taken);
        self.missing = u64::from_le_bytes(*missing);
        self.seam = Seam::loaded(Timestamp::from_nanos(i64::from_le_bytes(*end)));
        let last = Timestamp::from_nanos(i64::from_le_bytes(*last));
        self.last = Some(last).filter(|&last| last > Timestamp::MIN);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
