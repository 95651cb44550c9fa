//! [`Fit`]: what an answer from outside must look like.

use engine::{Answer, Buffer, Dimension, Element, Format, Pixel};

/// What answers look like, so that one from outside that does not is refused: whoever reads it later
/// takes its shape for granted.
#[derive(Clone, Debug)]
pub struct Fit {
    formats: Vec<Format>,
}

impl Fit {
    /// Answers with these formats, one for each port.
    pub fn of(formats: Vec<Format>) -> Self {
        Self { formats }
    }

    /// Whether this can be such an answer.
    pub fn takes(&self, answer: &Answer) -> bool {
        answer.payloads().iter().all(|(port, buffer)| {
            self.formats.get(*port).is_some_and(|format| fits(format, buffer))
        })
    }
}

fn fits(format: &Format, buffer: &Buffer) -> bool {
    let (bytes, count) = (buffer.bytes_len(), buffer.count());
    match format {
        // Present, duration, a slot for each field; what they point at is checked where it is read.
        Format::Event(event) => {
            event.fields.len() <= 64
                && bytes >= 16 + 8 * event.fields.len()
                && bytes.is_multiple_of(8)
        }
        Format::Signal(signal) => {
            count > 0 && Some(bytes) == (4 * signal.channels.len()).checked_mul(count)
        }
        Format::Tensor(tensor) => {
            let each = match tensor.element {
                Element::F32 => 4,
                Element::I64 => 8,
                Element::U8 => 1,
            };
            let known = tensor.shape.iter().try_fold(each, |known: usize, len| match len {
                Dimension::Fixed(len) => known.checked_mul(*len),
                Dimension::Open { .. } => Some(known),
            });
            let is_open = tensor.shape.iter().any(|len| matches!(len, Dimension::Open { .. }));
            let is_whole = |known: usize| match is_open {
                true => known > 0 && bytes.is_multiple_of(known),
                false => known == bytes,
            };
            known.is_some_and(is_whole) && count > 0 && (bytes / each).is_multiple_of(count)
        }
        Format::Image(image) => {
            let each = match image.pixel {
                Pixel::Gray8 => 1,
                Pixel::Rgb8 => 3,
            };
            bytes == image.width * image.height * each
        }
    }
}

#[cfg(test)]
mod tests {
    use engine::{Field, TensorFormat};

    use super::*;

    #[test]
    fn an_answer_of_another_shape_does_not_fit() {
        let shape = vec![Dimension::Fixed(2), Dimension::Fixed(3)];
        let tensor = Format::Tensor(TensorFormat { element: Element::F32, shape }.into());
        let event = Format::event(vec![Field::f64("a"), Field::text("b", 8)], 1.0);
        let fit = Fit::of(vec![tensor, event]);
        let takes = |port, bytes, count| {
            fit.takes(&Answer::nothing().and(port, Buffer::with_bytes(bytes, count)))
        };
        assert!(takes(0, 24, 3) && takes(0, 24, 6) && takes(1, 32, 1) && takes(1, 48, 1));
        assert!(fit.takes(&Answer::nothing()));
        for (port, bytes, count) in
            [(0, 20, 3), (0, 28, 7), (0, 24, 0), (0, 24, 5), (1, 24, 1), (1, 33, 1), (2, 24, 3)]
        {
            assert!(!takes(port, bytes, count), "{port} {bytes} {count}");
        }
    }
}
