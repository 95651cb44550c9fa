//! `speech_like`: what is like speech, with known utterances.
//!
//! Voiced syllables with the formants of five vowels, in utterances between pauses, over white noise; see
//! [`crate::math::synthetic`]. No word is said.
//!
//! | port    | carries                                                               |
//! |---------|-----------------------------------------------------------------------|
//! | `out`   | one channel, full scale being 1.0                                     |
//! | `truth` | an event where an utterance begins, with its `start_s` and `end_s`    |

use engine::{
    Body, Channel, Code, EventWriter, Field, Format, Kind, Outline, Param, Port, Rate,
    SignalFormat, Unit,
};

use super::synthetic::{Synthetic, Told};
use crate::math::synthetic::{Speech, SpeechParameters, Utterance};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "speech_like",
    summary: "What is like speech, with known utterances.",
    doc: "Pulses of vocal folds around pitch_hz (Rosenberg 1971), which falls along an utterance, pass \
          four resonances (Klatt 1980) that glide between five vowels (Peterson and Barney 1952), and \
          swell and fade syllables_hz times a second. Utterances and pauses last between a half and three \
          halves of speech_s and pause_s each; it begins with a pause. Utterances have a root mean square of level_dbfs, each a few dB \
          more or less (a full-scale square wave has 0), and white noise lies snr_db below that level all the time, 200 being none. \
          The port `truth` tells each utterance where it begins: start_s is its first sample, end_s \
          the first behind it. Sample n is the same whatever the frame length; the same seed gives the \
          same signal; session n of a run uses seed + n. Without `seconds` it never ends; then, an utterance's end may lie behind it. \
          Cost: about 100 ns a sample of speech, 20 of pause.",
    example: "seconds = 20.0",
    outputs: &[Port::signal("out"), Port::event("truth")],
    params: &[
        &RATE_HZ,
        &SECONDS,
        &LEVEL_DBFS,
        &SNR_DB,
        &SPEECH_S,
        &PAUSE_S,
        &PITCH_HZ,
        &SYLLABLES_HZ,
        &SEED,
    ],
    plan: |node| {
        let rate = Rate::new(node.get(&RATE_HZ)?).expect("within range");
        let channels = vec![Channel { name: "mono".to_owned(), unit: Unit::UNKNOWN }];
        let frame_len = node.frame_len(rate, crate::FRAME_MS);
        let signal = Format::Signal(SignalFormat { channels, rate, frame_len }.into());
        let truth = Format::event(vec![Field::f64("start_s"), Field::f64("end_s")], 5.0);
        let mut outline = Outline::of([signal, truth]);
        outline.duration_ns = node.get_optional(&SECONDS)?.map(|seconds| (seconds * 1e9) as i64);
        let (level, snr) = (node.get(&LEVEL_DBFS)?, node.get(&SNR_DB)?);
        if level - snr > 0.0 {
            let message = format!("noise {snr:?} dB below {level:?} dB is louder than full scale");
            let problem = node.problem(Code::OutOfRange, SNR_DB.name(), message);
            return Err(problem
                .hint(format!("choose at least {level:?}, or a lower level"))
                .into());
        }
        Ok(outline)
    },
    build: |node| {
        let (level_db, snr_db) = (node.get(&LEVEL_DBFS)?, node.get(&SNR_DB)?);
        let of_db = |db: f64| 10f64.powf(db / 20.0);
        let parameters = SpeechParameters {
            level: of_db(level_db),
            noise: if snr_db < NO_NOISE_DB { of_db(level_db - snr_db) } else { 0.0 },
            speech_s: node.get(&SPEECH_S)?,
            pause_s: node.get(&PAUSE_S)?,
            pitch_hz: node.get(&PITCH_HZ)?,
            syllables_hz: node.get(&SYLLABLES_HZ)?,
            // People differ: sessions of one run are not copies of one.
            seed: node.get(&SEED)? as u64 + u64::from(node.session()),
        };
        let model = Speech::new(parameters, node.get(&RATE_HZ)?);
        Ok(Body::source(Synthetic::new(node, model, node.get_optional(&SECONDS)?)))
    },
    ..Kind::BASE
};

/// From here on there is no noise.
const NO_NOISE_DB: f64 = 200.0;

const RATE_HZ: Param<f64> =
    Param::with_default("rate_hz", 16_000.0, "Samples per second.").within(8_000.0, 192_000.0);
const SECONDS: Param<f64> =
    Param::optional("seconds", "Length; without it it never ends.").within(0.001, 1e7);
const LEVEL_DBFS: Param<f64> =
    Param::with_default("level_dbfs", -23.0, "Root mean square of speech, below full scale.")
        .within(-120.0, -12.0);
const SNR_DB: Param<f64> =
    Param::with_default("snr_db", 30.0, "How far the noise lies below speech; 200 is none.")
        .within(-40.0, 200.0);
const SPEECH_S: Param<f64> =
    Param::with_default("speech_s", 2.0, "Mean length of an utterance.").within(0.2, 1_000.0);
const PAUSE_S: Param<f64> =
    Param::with_default("pause_s", 1.5, "Mean length of a pause.").within(0.2, 1e5);
const PITCH_HZ: Param<f64> =
    Param::with_default("pitch_hz", 120.0, "Mean pitch.").within(50.0, 500.0);
const SYLLABLES_HZ: Param<f64> =
    Param::with_default("syllables_hz", 4.0, "Syllables per second.").within(1.0, 10.0);
const SEED: Param<i64> =
    Param::with_default("seed", 1, "The same seed gives the same signal.").within(0.0, 9e15);

impl Told for Speech {
    fn describe(truth: &Utterance, event: EventWriter) -> EventWriter {
        event.f64(0, truth.start_s).f64(1, truth.end_s)
    }
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use super::*;

    /// The samples, and where utterances begin and end, in samples.
    fn heard(params: &str) -> (Vec<f32>, Vec<[usize; 2]>) {
        let mut speech = Bench::build(&KIND, 0.0, params).unwrap_or_else(|p| panic!("{p}"));
        assert!(speech.pull(usize::MAX - 1), "it ends");
        let seen = speech.take();
        let samples = seen.iter().filter(|seen| seen.port == 0);
        let samples = samples.flat_map(|seen| seen.frame.samples().to_vec()).collect();
        let rate = seen[0].format.rate().expect("a signal").hz();
        let told = seen.iter().filter(|seen| seen.port == 1).map(|seen| {
            let at = |field| (seen.number(field).expect("there") * rate).round() as usize;
            assert_eq!(seen.time().nanos(), (at("start_s") as f64 / rate * 1e9).round() as i64);
            [at("start_s"), at("end_s")]
        });
        (samples, told.collect())
    }

    fn rms(samples: &[f32]) -> f64 {
        let power: f64 = samples.iter().map(|&sample| f64::from(sample).powi(2)).sum();
        (power / samples.len() as f64).sqrt()
    }

    fn db(ratio: f64) -> f64 {
        20.0 * ratio.log10()
    }

    #[test]
    fn there_is_sound_exactly_where_the_truth_says_so() {
        let (samples, told) = heard("seconds = 60.0\nsnr_db = 200.0");
        // Cycles of 3.5 s on average.
        assert!((12..=24).contains(&told.len()), "{told:?}");
        let mut silent_from = 0;
        for &[start, end] in &told {
            assert!(samples[silent_from..start].iter().all(|&sample| sample == 0.0));
            // Within a period of the vocal folds of either end, 10 ms.
            let end = end.min(samples.len());
            let (head, tail) = (&samples[start..][..160], &samples[end - 160..end]);
            assert!(rms(head) > 0.0 && (end == samples.len() || rms(tail) > 0.0));
            silent_from = end;
        }
    }

    #[test]
    fn levels_are_those_that_were_asked_for() {
        let (samples, told) =
            heard("seconds = 300.0\nlevel_dbfs = -30.0\nsnr_db = 20.0\npause_s = 1.0");
        let whole = told.iter().filter(|[_, end]| *end < samples.len());
        let spoken: Vec<f32> =
            whole.flat_map(|&[start, end]| samples[start..end].to_vec()).collect();
        // Each of some hundred utterances is a dB or three off, their mean a tenth of that.
        assert!((db(rms(&spoken)) + 30.0).abs() < 1.0, "{} dB", db(rms(&spoken)));
        // Before the first utterance there is noise alone: of n samples its level is known to
        // 20 log10(1 + 1 / sqrt(2 n)), 0.06 dB at 8 000; four of that.
        let noise = db(rms(&samples[..told[0][0]]));
        assert!((noise + 50.0).abs() < 0.25, "{noise} dB");
        assert!(samples.iter().all(|sample| sample.abs() < 1.0));
    }

    #[test]
    fn it_has_a_voice_and_syllables() {
        // One long utterance at a pitch that hardly falls any more after three seconds.
        let (samples, told) = heard(
            "seconds = 40.0\nsnr_db = 200.0\nspeech_s = 60.0\npause_s = 0.2\nrate_hz = 8000.0",
        );
        let voice = &samples[told[0][0] + 24_000..];
        let voice = &voice[..voice.len().min(64_000)];
        // 100 Hz is a period of 80 samples: pitch between 0.675 and 1.15 of 120 Hz is one of 58 to 99.
        let likeness = |lag: usize| -> f64 {
            let pairs = voice.iter().zip(&voice[lag..]);
            pairs.map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>()
        };
        let best = (40..160).max_by(|&a, &b| likeness(a).total_cmp(&likeness(b))).expect("some");
        assert!((58..=99).contains(&best), "a period of {best} samples");

        // Its loudness comes and goes four times a second: 32 syllables in 8 s, give or take a tenth.
        let loudness: Vec<f64> = voice.chunks(200).map(rms).collect();
        let mean = loudness.iter().sum::<f64>() / loudness.len() as f64;
        let rises = loudness.windows(2).filter(|pair| pair[0] < mean && pair[1] >= mean).count();
        let per_second = rises as f64 / (voice.len() as f64 / 8_000.0);
        assert!((3.0..=5.0).contains(&per_second), "{per_second} syllables a second");
    }

    #[test]
    fn frames_leave_no_trace_and_seeds_differ() {
        let of = |more: &str| heard(&format!("seconds = 7.0\n{more}"));
        assert_eq!(of("frame_ms = 1.0"), of("frame_ms = 313.0"));
        assert_ne!(of("seed = 1").1, of("seed = 2").1);
    }
}
