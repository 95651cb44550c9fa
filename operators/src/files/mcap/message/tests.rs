use std::sync::Arc;

use engine::{Dimension, Element, Field, Rate, TensorFormat, Unit};

use super::*;

fn header() -> Header {
    Header {
        seq: 77,
        entered: Timestamp::from_nanos(-3),
        tag: u64::MAX,
        uncertainty_ns: 12_345,
        epoch: 2,
        source: 3,
        gap: Gap::Paused.into(),
        ..Header::at(Timestamp::from_nanos(-1_234_567_890_123))
    }
}

fn formats() -> Vec<(Format, Buffer)> {
    let rate = Rate::new(250.0).expect("a rate");
    let odd = [f32::NAN, f32::from_bits(0x7f80_0001), -0.0, f32::INFINITY, 1e-45, 0.1];
    let signal = Format::signal(2, Unit::MILLIVOLT, rate, 10);
    let fields = vec![
        Field::f64("rr_ms"),
        Field::i64("beat"),
        Field::bool("ectopic"),
        Field::text("label", 9),
        Field { name: "raw", kind: FieldKind::Bytes { max: 9 } },
        Field { name: "wave", kind: FieldKind::Floats { max: 9 } },
        Field::f64("absent"),
    ];
    let event = Format::event(fields, 5.0);
    let whole = EventWriter::new(event.as_event().expect("it is one"))
        .f64(0, f64::from_bits(0x7ff0_0000_0000_0001))
        .i64(1, i64::MIN)
        .bool(2, false)
        .text(3, "")
        .bytes(4, &[0, 255])
        .floats(5, &odd)
        .duration_ns(-5)
        .finish();
    let tensor = |element| {
        let shape = vec![Dimension::Open { max: 9 }];
        Format::Tensor(Arc::new(TensorFormat { element, shape }))
    };
    let image = ImageFormat { width: 3, height: 2, pixel: Pixel::Rgb8, rate };
    let bytes = |count: u8| raw(&(0..count).collect::<Vec<u8>>(), 1).expect("short");
    vec![
        (signal.clone(), Buffer::of_floats(&odd, 3)),
        (signal, Buffer::of_floats(&[], 0)),
        (event, whole),
        (tensor(Element::F32), Buffer::of_floats(&odd, 6)),
        (tensor(Element::I64), bytes(16)),
        (tensor(Element::U8), bytes(5)),
        (Format::Image(Arc::new(image)), bytes(18)),
    ]
}

#[test]
fn every_bit_of_a_frame_comes_back() {
    for (format, buffer) in formats() {
        let codec = Codec::new(&format);
        let frame = Frame::new(header(), buffer);
        for (missed, reached) in [(0, None), (9, Some(Timestamp::from_nanos(-7)))] {
            let mut message = Vec::new();
            assert!(codec.put(&mut message, &frame, 5_000_000_001, missed, reached));
            let told = codec.read(&message).expect("it was written so");
            assert_eq!((told.missed, told.reached), (missed, reached));
            assert_eq!(told.frame.header, frame.header);
            let (ours, theirs) = (frame.buffer(), told.frame.buffer());
            assert_eq!((ours.bytes(), ours.count()), (theirs.bytes(), theirs.count()), "{format}");
        }
    }
}

#[test]
fn what_is_cut_or_changed_is_refused_or_another_frame_of_the_format() {
    for (format, buffer) in formats() {
        let codec = Codec::new(&format);
        let frame = Frame::new(header(), buffer);
        let mut message = Vec::new();
        assert!(codec.put(&mut message, &frame, 0, 1, None));
        for cut in 0..message.len() {
            let told = codec.read(&message[..cut]);
            assert!(told.is_none_or(|told| codec.fits(&told.frame)), "{format} cut at {cut}");
        }
        for at in 0..message.len() {
            for bit in 0..8 {
                let mut changed = message.clone();
                changed[at] ^= 1 << bit;
                let told = codec.read(&changed);
                assert!(told.is_none_or(|told| codec.fits(&told.frame)), "{format} at {at}");
            }
        }
    }
}

#[test]
fn how_far_an_output_is_comes_back() {
    for reached in [Timestamp::MAX, Timestamp::ZERO, Timestamp::from_nanos(-5)] {
        let mut message = Vec::new();
        put_reached(&mut message, reached, 3);
        assert_eq!(read_reached(&message), Some((reached, 3)));
    }
    assert_eq!(read_reached(&[]), None);
}

#[test]
fn a_frame_that_is_none_of_the_format_is_not_written() {
    let (format, _) = formats().remove(0);
    let frame = Frame::new(header(), Buffer::of_floats(&[1.0; 5], 3));
    let mut message = Vec::new();
    assert!(!Codec::new(&format).put(&mut message, &frame, 0, 0, None) && message.is_empty());
}
