//! `denoise`: speech with less of the noise around it.
//!
//! RNNoise (Valin 2018): a recurrent net decides about 22 bands of every 10 ms how much of each is speech,
//! and a comb filter takes the noise between its harmonics. It was trained on 48 000 samples per second, in
//! blocks of 480; other rates are brought there and back by [`crate::math::resampling`].
//!
//! | port  | carries                                 |
//! |-------|-----------------------------------------|
//! | `in`  | any signal, full scale being 1.0        |
//! | `out` | the same with less noise                |
//!
//! Blocks are counted from the first sample, or from the first behind a gap, so frames leave no trace.
//! **Delay**: 480 samples at 48 kHz, 10 ms, and that of two resamplers at other rates; a block must fill, so outputs
//! come up to 10 ms later than that. **Ends**: the output spans what the input does. **NaN**: what is no finite number
//! counts as silence. **State**: is not saved. **Cost**: some 60 µs for 10 ms of a channel. **Source**: Valin,
//! *A Hybrid DSP/Deep Learning Approach to Real-Time Full-Band Speech Enhancement*, MMSP 2018.

use std::{
    convert::Infallible,
    sync::{Arc, OnceLock},
};

use engine::{Body, Code, Diagnostic, Fault, Io, Kind, Node, Operator, Outline, Port};
use nnnoiseless::{DenoiseState, RnnModel};

use crate::{
    designs::Designs,
    kernels::polyphase::Polyphase,
    math::resampling::{Bank, Shape, Steps, TooLong},
};

/// The catalog entry.
pub static KIND: Kind = Kind {
    name: "denoise",
    summary: "Speech with less of the noise around it.",
    doc: "RNNoise (Valin 2018): a small recurrent net decides for 22 bands of every 10 ms how much of each \
          is speech, and a comb filter takes the noise between the harmonics of a voice. Inside are \
          48 000 samples per second in blocks of 480, counted from the first sample or from the first behind a \
          gap; other rates are resampled there and back, as by `resample`. Every channel by itself. \
          Delay: 10 ms, and at other rates that of two resamplers, subtracted from the times by the runtime; a \
          block must fill, which takes up to 10 ms more. The output spans what the input does. NaN: what is no \
          finite number counts as silence. The state is not saved. Cost: about 60 us for 10 ms of a channel. \
          Source: Valin, A Hybrid DSP/Deep Learning Approach to Real-Time Full-Band Speech Enhancement, MMSP \
          2018.",
    inputs: &[Port::signal("in")],
    outputs: &[Port::like("out", "in")],
    plan: |node| {
        let delay_ns = Rates::of(node)?.map_or(0.0, |rates| rates.delay_s() * 1e9);
        let outline =
            Outline::like_ports(node)?.delayed((delay_ns + BLOCK_NS as f64).round() as i64);
        let period_ns = node.signal("in").rate.period_ns();
        // A block must fill, and a sample of the input before a resampler gives one.
        Ok(outline.looking_back(BLOCK_NS + (2.0 * period_ns).ceil() as i64))
    },
    build: |node| {
        let channels = node.signal("in").channels.len();
        let rates = Rates::of(node)?;
        let delay_s = rates.as_ref().map_or(0.0, Rates::delay_s);
        Ok(Body::operator(Denoise {
            voices: (0..channels).map(|_| fresh()).collect(),
            there_and_back: rates
                .map(|rates| [rates.there, rates.back].map(|bank| Polyphase::new(bank, channels))),
            delay_ns: (delay_s * 1e9 + BLOCK_NS as f64).round() as i64,
            channels,
            filling: vec![0.0; channels * BLOCK],
            filled: 0,
            is_first: true,
            wide: Vec::new(),
            clean: Vec::new(),
            taken: 0,
            given: 0,
            last: 0,
        }))
    },
    ..Kind::BASE
};

/// What the net was trained on.
const RATE_HZ: f64 = 48_000.0;
const BLOCK: usize = DenoiseState::FRAME_SIZE;
const BLOCK_NS: i64 = 10_000_000;
/// Full scale of 16 bits, which is what the net expects.
const FULL: f32 = 32_768.0;
/// What is louder is cut: nobody speaks so, and the net remembers.
const LOUDEST: f32 = 4.0;

/// A voice that has heard nothing; the net's weights are there once.
fn fresh() -> Box<DenoiseState<'static>> {
    static MODEL: OnceLock<RnnModel> = OnceLock::new();
    DenoiseState::with_model(MODEL.get_or_init(RnnModel::default))
}

/// The filters that lead to the net's rate and back.
struct Rates {
    there: Bank,
    back: Bank,
    rate_hz: f64,
}

impl Rates {
    /// Nothing if the rate is the net's.
    fn of(node: &Node<'_>) -> Result<Option<Self>, Diagnostic> {
        let rate_hz = node.rate_hz("in");
        if rate_hz == RATE_HZ {
            return Ok(None);
        }
        let (there, back) = (bank(node, rate_hz, RATE_HZ)?, bank(node, RATE_HZ, rate_hz)?);
        Ok(Some(Self { there, back, rate_hz }))
    }

    fn delay_s(&self) -> f64 {
        self.there.steps().delay() / self.rate_hz + self.back.steps().delay() / RATE_HZ
    }
}

fn bank(node: &Node<'_>, from_hz: f64, to_hz: f64) -> Result<Bank, Diagnostic> {
    static DESIGNED: Designs<(u64, u64), f32> = Designs::new();

    let steps = Steps::new(from_hz, to_hz, Shape::SCIPY).map_err(|TooLong| {
        let message = format!("a rate of {:?} is too far from 48000.0", node.rate_hz("in"));
        let problem = node.problem(Code::OutOfRange, "from", message);
        problem.hint("put a `resample` to 16000.0 or 48000.0 before it")
    })?;
    let key = (from_hz.to_bits(), to_hz.to_bits());
    let Ok(taps): Result<Arc<[f32]>, _> =
        DESIGNED.find_or(key, || Ok::<_, Infallible>(steps.design()));
    Ok(Bank::new(steps, taps))
}

struct Denoise {
    voices: Vec<Box<DenoiseState<'static>>>,
    there_and_back: Option<[Polyphase; 2]>,
    delay_ns: i64,
    channels: usize,
    /// The block that fills, a plane for each channel.
    filling: Vec<f32>,
    filled: usize,
    /// The first block comes out as what was before it: nothing.
    is_first: bool,
    /// What came at the net's rate, and what came of it, plane after plane.
    wide: Vec<f32>,
    clean: Vec<f32>,
    /// Samples taken and given since the first.
    taken: u64,
    given: u64,
    /// Length of the last frame.
    last: usize,
}

impl Denoise {
    /// Takes planes at the node's rate and sends what follows from them, but no more in all than
    /// `most` samples. `at` is where the planes begin, in samples from the first of the last frame.
    fn hear(&mut self, io: &mut Io<'_>, planes: &[f32], at: i64, most: u64) {
        let len = planes.len() / self.channels;
        let quiet = |sample: &f32| {
            if sample.is_finite() { sample.clamp(-LOUDEST, LOUDEST) } else { 0.0 }
        };
        let mut wide = std::mem::take(&mut self.wide);
        wide.clear();
        wide.extend(planes.iter().map(quiet));
        if let Some([there, _]) = &mut self.there_and_back {
            let narrow = wide.len();
            wide.resize(narrow + there.output_len(len) * self.channels, 0.0);
            let (narrow, wide) = wide.split_at_mut(narrow);
            there.run(narrow, wide);
        }
        let from = if self.there_and_back.is_some() { planes.len() } else { 0 };
        self.clean_blocks(&wide[from..]);
        self.wide = wide;

        let clean_len = self.clean.len() / self.channels;
        let count = match &self.there_and_back {
            Some([_, back]) => back.output_len(clean_len),
            None => clean_len,
        };
        let first = self.given as i64 - self.taken as i64 + at;
        self.taken += len as u64;
        let wanted = (count as u64).min(most.saturating_sub(self.given)) as usize;
        let mut output = io.signal(0, count);
        let samples = output.floats_mut().expect("a fresh buffer has one holder");
        match &mut self.there_and_back {
            Some([_, back]) => back.run(&self.clean, samples),
            None => samples.copy_from_slice(&self.clean),
        }
        self.given += count as u64;
        if wanted == 0 {
            return;
        }
        if wanted < count {
            let all = output;
            output = io.signal(0, wanted);
            let samples = output.floats_mut().expect("a fresh buffer has one holder");
            let planes = all.floats().chunks_exact(count).zip(samples.chunks_exact_mut(wanted));
            planes.for_each(|(all, some)| some.copy_from_slice(&all[..wanted]));
        }
        // The runtime takes the delay off again.
        let time = io.time_of(first).plus_nanos(self.delay_ns);
        io.send_buffer(0, time, output);
    }

    /// Fills blocks with planes at the net's rate, and puts what comes of them into `clean`.
    fn clean_blocks(&mut self, planes: &[f32]) {
        let len = planes.len() / self.channels;
        let blocks = (self.filled + len) / BLOCK;
        let kept = blocks - usize::from(self.is_first && blocks > 0);
        self.clean.clear();
        self.clean.resize(kept * BLOCK * self.channels, 0.0);
        let (mut at, mut block) = (0, 0);
        while at < len {
            let some = (len - at).min(BLOCK - self.filled);
            for channel in 0..self.channels {
                let from = &planes[channel * len + at..][..some];
                let to = &mut self.filling[channel * BLOCK + self.filled..][..some];
                to.iter_mut().zip(from).for_each(|(to, from)| *to = from * FULL);
            }
            (at, self.filled) = (at + some, self.filled + some);
            if self.filled < BLOCK {
                break;
            }
            self.filled = 0;
            let is_first = std::mem::take(&mut self.is_first);
            for (channel, voice) in self.voices.iter_mut().enumerate() {
                let mut out = [0.0; BLOCK];
                voice.process_frame(&mut out, &self.filling[channel * BLOCK..][..BLOCK]);
                if !is_first {
                    let to = &mut self.clean[(channel * kept + block) * BLOCK..][..BLOCK];
                    to.iter_mut().zip(&out).for_each(|(to, from)| *to = from / FULL);
                }
            }
            block += usize::from(!is_first);
        }
    }
}

impl Operator for Denoise {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let frame = io.take();
        self.last = frame.len();
        self.hear(io, frame.samples(), 0, u64::MAX);
        Ok(())
    }

    // A gap is told as it is by default: what was inside is lost with what is missing.

    fn flush(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let (most, mut at) = (self.taken, self.last as i64);
        let len = io.input_format(0).as_signal().map_or(1, |signal| signal.frame_len);
        let zeros = vec![0.0; len * self.channels];
        while self.given < most {
            self.hear(io, &zeros, at, most);
            at += len as i64;
        }
        (self.taken, self.given) = (0, 0);
        Ok(())
    }

    fn reset(&mut self) {
        self.voices.iter_mut().for_each(|voice| **voice = *fresh());
        if let Some(both) = &mut self.there_and_back {
            both.iter_mut().for_each(Polyphase::reset);
        }
        (self.filled, self.is_first) = (0, true);
        (self.taken, self.given) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use engine::{Timestamp, testing::Bench};

    use super::*;
    use crate::{math::random::Random, source};

    /// What a voice says for some seconds, and the same with noise so far below it.
    fn voice(rate_hz: f64, seconds: f64, snr_db: f64) -> [Vec<f32>; 2] {
        [200.0, snr_db].map(|snr_db| {
            let params = format!(
                "rate_hz = {rate_hz:?}\nseconds = {seconds:?}\nsnr_db = {snr_db:?}\npause_s = 1.0"
            );
            let kind = &source::speech_like::KIND;
            let mut speech = Bench::build(kind, 0.0, &params).expect("valid");
            assert!(speech.pull(usize::MAX - 1));
            let seen = speech.take();
            let samples = seen.iter().filter(|seen| seen.port == 0);
            samples.flat_map(|seen| seen.frame.samples().to_vec()).collect()
        })
    }

    fn cleaned(rate_hz: f64, samples: &[f32], frame_len: usize) -> Vec<f32> {
        let input = [("in", Bench::channels(1, rate_hz))];
        let mut denoise = Bench::with(&KIND, &input, "").unwrap_or_else(|p| panic!("{p}"));
        let mut out = Vec::new();
        for frame in samples.chunks(frame_len) {
            out.extend(denoise.feed(frame));
        }
        out.extend(denoise.flush());
        let seen = denoise.take();
        assert_eq!(seen[0].time(), Timestamp::ZERO, "what comes out begins where the input did");
        out
    }

    fn power(samples: impl Iterator<Item = f32>) -> f64 {
        samples.map(|sample| f64::from(sample).powi(2)).sum()
    }

    #[test]
    fn noise_is_taken_from_between_what_is_said() {
        for rate_hz in [48_000.0, 16_000.0] {
            let [said, noisy] = voice(rate_hz, 8.0, 10.0);
            let clean = cleaned(rate_hz, &noisy, 960);
            assert_eq!(clean.len(), noisy.len());
            // In the pauses there is noise alone; the net needs a second to know it.
            let second = rate_hz as usize;
            let in_pauses = |samples: &[f32]| {
                let pairs = samples.iter().zip(&said).skip(second);
                power(pairs.filter(|(_, said)| **said == 0.0).map(|(&sample, _)| sample))
            };
            let left_db = 10.0 * (in_pauses(&clean) / in_pauses(&noisy)).log10();
            assert!(left_db < -10.0, "{rate_hz} Hz: noise is down by {left_db} dB");
            // The voice is there: no sample more than a twentieth of its samples late, as a shift by
            // half a period of 120 Hz would turn it round.
            let likeness = |late: i64| -> f64 {
                let at = |n: usize| clean.get((n as i64 + late) as usize).copied().unwrap_or(0.0);
                (second..said.len() - second).map(|n| f64::from(said[n] * at(n))).sum()
            };
            let best = (-40..=40).max_by(|&a, &b| likeness(a).total_cmp(&likeness(b)));
            assert!(best.is_some_and(|late| late.abs() <= 2), "{rate_hz} Hz: {best:?}");
            assert!(likeness(0) > 0.5 * power(said[second..].iter().copied()));
        }
    }

    #[test]
    fn frames_leave_no_trace() {
        for rate_hz in [48_000.0, 44_100.0, 16_000.0] {
            let [_, noisy] = voice(rate_hz, 2.5, 20.0);
            let whole = cleaned(rate_hz, &noisy, 960);
            for frame_len in [1, 313, 5_000] {
                assert!(cleaned(rate_hz, &noisy, frame_len) == whole, "{rate_hz} Hz, {frame_len}");
            }
        }
    }

    #[test]
    fn what_is_no_number_or_far_too_loud_spoils_nothing() {
        let [_, noisy] = voice(48_000.0, 6.0, 20.0);
        let mut spoilt = noisy.clone();
        let mut random = Random::new(5);
        for sample in &mut spoilt[48_000..60_000] {
            *sample = [f32::NAN, f32::INFINITY, 1e38][random.below(3) as usize];
        }
        let out = cleaned(48_000.0, &spoilt, 960);
        assert!(out.iter().all(|sample| sample.is_finite()));
        let tail = 48_000 * 4;
        let loud = power(out[tail..].iter().copied()) / power(noisy[tail..].iter().copied());
        assert!(loud > 0.3 && loud < 3.0, "four seconds on it is as loud as the voice: {loud}");
    }
}
