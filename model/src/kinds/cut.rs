//! From what flows along an edge to the numbers a model takes: windows, order, scale.

use engine::{Buffer, Frame, GapNotice, Io};

/// In which order channels and samples of a question lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// One channel after the other, as in a frame.
    ChannelsFirst,
    /// All channels of a moment, moment after moment.
    ChannelsLast,
}

/// What is done to the numbers of a question.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scale {
    /// Nothing.
    None,
    /// Each channel to mean 0 and standard deviation 1; a channel that does not move to 0.
    Zscore,
    /// Each channel to 0 … 1; a channel that does not move to 0.
    Range,
    /// Each channel to a largest magnitude of 1; a channel of zeros stays.
    Peak,
    /// Each channel less its mean, over its deviation; the last of the lists holds for all further ones.
    Given { mean: Vec<f64>, std: Vec<f64> },
}

impl Scale {
    /// Scales the samples of one channel.
    pub(crate) fn apply(&self, channel: usize, samples: &mut [f32]) {
        let (offset, factor) = match self {
            Self::None => return,
            Self::Zscore => {
                let count = samples.len().max(1) as f64;
                let mean = samples.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
                let square = |&x: &f32| (f64::from(x) - mean).powi(2);
                (mean, inverse((samples.iter().map(square).sum::<f64>() / count).sqrt()))
            }
            Self::Range => {
                let low = samples.iter().copied().fold(f32::INFINITY, f32::min);
                let high = samples.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                (f64::from(low), inverse(f64::from(high) - f64::from(low)))
            }
            Self::Peak => {
                let peak = samples.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
                (0.0, inverse(f64::from(peak)))
            }
            Self::Given { mean, std } => {
                let of = |list: &[f64], none: f64| {
                    list.get(channel).or(list.last()).copied().unwrap_or(none)
                };
                (of(mean, 0.0), inverse(of(std, 1.0)))
            }
        };
        for sample in samples {
            *sample = ((f64::from(*sample) - offset) * factor) as f32;
        }
    }
}

/// 1 / x, and 0 where there is nothing to divide by.
fn inverse(x: f64) -> f64 {
    if x.is_finite() && x > 0.0 { 1.0 / x } else { 0.0 }
}

/// Makes questions of planes of samples.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) channels: usize,
    pub(super) layout: Layout,
    pub(super) scale: Scale,
    /// Whether the planes of a picture go from blue to red.
    pub(super) is_bgr: bool,
}

impl Order {
    /// The numbers of a question, from planes one after the other.
    pub(super) fn question(&self, planes: &[f32]) -> Buffer {
        let len = planes.len() / self.channels.max(1);
        let mut buffer = Buffer::with_bytes(4 * planes.len(), len);
        let numbers = buffer.floats_mut().expect("fresh");
        numbers.copy_from_slice(planes);
        if self.scale != Scale::None {
            for (channel, samples) in numbers.chunks_exact_mut(len.max(1)).enumerate() {
                self.scale.apply(channel, samples);
            }
        }
        if self.layout == Layout::ChannelsLast && self.channels > 1 {
            let planar = numbers.to_vec();
            for (at, number) in numbers.iter_mut().enumerate() {
                *number = planar[at % self.channels * len + at / self.channels];
            }
        }
        buffer
    }

    /// A question with zeros behind what there is, up to so many samples of each channel. It counts the samples
    /// there are.
    fn padded(&self, question: Buffer, len: usize) -> Buffer {
        let have = question.floats().len() / self.channels.max(1);
        if have >= len {
            return question;
        }
        let mut padded = Buffer::with_bytes(4 * self.channels * len, have);
        let numbers = padded.floats_mut().expect("fresh");
        numbers.fill(0.0);
        match self.layout {
            Layout::ChannelsLast => {
                numbers[..question.floats().len()].copy_from_slice(question.floats());
            }
            Layout::ChannelsFirst => {
                let channels = question.floats().chunks_exact(have.max(1));
                for (channel, into) in channels.zip(numbers.chunks_exact_mut(len)) {
                    into[..have].copy_from_slice(channel);
                }
            }
        }
        padded
    }

    /// The numbers of a picture's question, from bytes of interleaved channels: 0 … 255 becomes 0 … 1
    /// before it is scaled.
    pub(super) fn picture(&self, bytes: &[u8]) -> Buffer {
        let len = bytes.len() / self.channels.max(1);
        let mut planes = vec![0.0; bytes.len()];
        for (at, &byte) in bytes.iter().enumerate() {
            let channel = at % self.channels;
            let plane = if self.is_bgr { self.channels - 1 - channel } else { channel };
            planes[plane * len + at / self.channels] = f32::from(byte) / 255.0;
        }
        self.question(&planes)
    }
}

/// Pieces of a signal, each `len` samples of every channel, a new one every `hop`.
#[derive(Clone, Debug)]
pub(super) struct Pieces {
    len: usize,
    hop: usize,
    /// Samples between two questions about one piece that grows; the whole piece where it does not.
    step: usize,
    /// What may still be needed, per channel.
    held: Vec<Vec<f32>>,
    /// Samples to leave out before the next piece.
    skip: usize,
}

impl Pieces {
    pub(super) fn new(channels: usize, len: usize, hop: usize) -> Self {
        let held = vec![Vec::new(); channels];
        Self { len, hop, step: len, held, skip: 0 }
    }

    /// The same; pieces are asked about as they grow, each time by so many samples, with zeros in place of
    /// what is still to come. Pieces must not overlap.
    pub(super) fn growing(mut self, step: usize) -> Self {
        self.step = step.min(self.len);
        self
    }

    /// Samples of a whole piece.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn gap(&mut self, _: &GapNotice) {
        self.held.iter_mut().for_each(Vec::clear);
        self.skip = 0;
    }

    /// Sends a question for every piece that the frame completes, at the moment of its first sample.
    pub(super) fn process(&mut self, io: &mut Io<'_>, order: &Order) {
        let frame = io.take();
        let mut at = 0;
        while at < frame.len() {
            let skipped = self.skip.min(frame.len() - at);
            self.skip -= skipped;
            at += skipped;
            let have = self.held[0].len();
            let asked_at = (have / self.step * self.step + self.step).min(self.len);
            let taken = (asked_at - have).min(frame.len() - at);
            for (channel, held) in self.held.iter_mut().enumerate() {
                held.extend_from_slice(&frame.channel(channel)[at..at + taken]);
            }
            at += taken;
            if have + taken == asked_at {
                let question = order.padded(order.question(&self.held.concat()), self.len);
                io.send_buffer(0, io.time_of(at as i64 - asked_at as i64), question);
            }
            if have + taken == self.len {
                let gone = self.hop.min(self.len);
                self.held.iter_mut().for_each(|held| drop(held.drain(..gone)));
                self.skip = self.hop - gone;
            }
        }
    }
}

/// What a call makes its questions of.
#[derive(Clone, Debug)]
pub(super) enum Cut {
    /// Pieces of a signal.
    Pieces(Pieces),
    /// Tensors, of which so many numbers from the first on.
    Tensor { numbers: usize },
    /// Whole pictures.
    Picture,
}

impl Cut {
    pub(super) fn process(&mut self, io: &mut Io<'_>, order: &Order) {
        let whole = |frame: &Frame, question: Buffer| Frame::new(frame.header, question);
        let question = match self {
            Self::Pieces(pieces) => return pieces.process(io, order),
            Self::Tensor { numbers } => {
                let planes = io.frame().buffer().floats();
                whole(io.frame(), order.question(&planes[..planes.len().min(*numbers)]))
            }
            Self::Picture => whole(io.frame(), order.picture(io.frame().buffer().bytes())),
        };
        io.send(0, question);
    }

    pub(super) fn gap(&mut self, gap: &GapNotice) {
        if let Self::Pieces(pieces) = self {
            pieces.gap(gap);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(layout: Layout, scale: Scale) -> Order {
        Order { channels: 2, layout, scale, is_bgr: false }
    }

    #[test]
    fn channels_last_lie_moment_by_moment() {
        let planes = [1.0, 2.0, 3.0, 10.0, 20.0, 30.0];
        let question = order(Layout::ChannelsLast, Scale::None).question(&planes);
        assert_eq!(question.floats(), [1.0, 10.0, 2.0, 20.0, 3.0, 30.0]);
    }

    #[test]
    fn each_channel_is_scaled_by_itself() {
        let planes = [1.0, 2.0, 3.0, 7.0, 7.0, 7.0];
        let question = |scale| order(Layout::ChannelsFirst, scale).question(&planes);

        let zscore = 1.5_f32.sqrt();
        let got = question(Scale::Zscore);
        let want = [-zscore, 0.0, zscore, 0.0, 0.0, 0.0];
        // One rounding of a single-precision number.
        assert!(got.floats().iter().zip(want).all(|(got, want)| (got - want).abs() < 1e-6));
        assert_eq!(question(Scale::Range).floats(), [0.0, 0.5, 1.0, 0.0, 0.0, 0.0]);
        assert_eq!(question(Scale::Peak).floats()[2..4], [1.0, 1.0]);
        let given = Scale::Given { mean: vec![1.0, 7.0], std: vec![2.0] };
        assert_eq!(question(given).floats(), [0.0, 0.5, 1.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn a_picture_becomes_planes_of_zero_to_one() {
        let question = order(Layout::ChannelsFirst, Scale::None).picture(&[0, 255, 51, 0]);
        assert_eq!(question.floats(), [0.0, 0.2, 1.0, 0.0]);
        let turned = Order { is_bgr: true, ..order(Layout::ChannelsFirst, Scale::None) };
        assert_eq!(turned.picture(&[0, 255, 51, 0]).floats(), [1.0, 0.0, 0.0, 0.2]);
    }
}
