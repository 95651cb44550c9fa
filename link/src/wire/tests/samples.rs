//! One frame of every format, and one message of every kind.

use std::sync::Arc;

use engine::{
    Dimension, Element, EventWriter, Field, FieldKind, Format, Frame, Gap, Header, ImageFormat,
    Pixel, Rate, TensorFormat, Timestamp, Unit, describe,
};

use crate::wire::{ByeReason, Hello, HelloEdge, Message};

fn rate(hz: f64) -> Rate {
    Rate::new(hz).expect("possible")
}

fn header(seq: u64) -> Header {
    Header {
        seq,
        time: Timestamp::from_nanos(-1_500_000_000),
        entered: Timestamp::from_nanos(77),
        tag: 0xfeed_0000_0000_0001,
        uncertainty_ns: 40_000,
        epoch: 3,
        source: 2,
        gap: Gap::Late.into(),
    }
}

pub(super) fn signal() -> (Format, Frame) {
    let format = Format::signal(2, Unit::MILLIVOLT, rate(250.0), 4);
    let samples = [0.005, 0.01, -0.005, 0.0, 1.0, f32::NAN, 3.5, -2.0];
    let mut frame = Frame::signal(Timestamp::ZERO, 2, &samples);
    frame.header = header(41);
    (format, frame)
}

pub(super) fn event() -> (Format, Frame) {
    let fields = vec![
        Field::f64("rr_ms"),
        Field::text("label", 12),
        Field { name: "wave", kind: FieldKind::Floats { max: 3 } },
        Field::bool("ectopic"),
    ];
    let format = Format::event(fields, 4.0);
    let event = EventWriter::new(format.as_event().expect("an event"))
        .f64(0, 812.5)
        .text(1, "normal")
        .floats(2, &[1.0, 2.0])
        .duration_ns(5);
    (format, Frame::new(header(7), event.finish()))
}

pub(super) fn tensor() -> (Format, Frame) {
    let shape = vec![Dimension::Open { max: 4 }, Dimension::Fixed(2)];
    let format = Format::Tensor(Arc::new(TensorFormat { element: Element::F32, shape }));
    let buffer = engine::Buffer::of_floats(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3);
    (format, Frame::new(header(8), buffer))
}

pub(super) fn picture() -> (Format, Frame) {
    let image = ImageFormat { width: 3, height: 2, pixel: Pixel::Rgb8, rate: rate(30.0) };
    let mut buffer = engine::Buffer::with_bytes(18, 1);
    for (n, byte) in buffer.bytes_mut().expect("fresh").iter_mut().enumerate() {
        *byte = n as u8;
    }
    (Format::Image(Arc::new(image)), Frame::new(header(9), buffer))
}

pub(super) fn all() -> [(Format, Frame); 4] {
    [signal(), event(), tensor(), picture()]
}

pub(super) fn hello() -> Hello {
    let (format, _) = signal();
    let edge = HelloEdge {
        name: "ecg -> beats".to_owned(),
        receives: true,
        durable: true,
        next: 12,
        count: None,
        format: describe(&format),
    };
    Hello { newest: 2, oldest: 1, graph: [7; 16], session: [9; 16], life: 5, edges: vec![edge] }
}

pub(super) fn messages() -> Vec<Message> {
    let time = Timestamp::from_nanos;
    vec![
        Message::Hello(Box::new(hello())),
        Message::Ready,
        Message::Credit { frames: 256, bytes: 1 << 20 },
        Message::Ack { next: 10, bound: Timestamp::MIN },
        Message::Gap { from: 3, to: 5, reason: Gap::Full },
        Message::Bound { next: 11, bound: time(-4) },
        Message::End { next: 12 },
        Message::Probe { id: 1, sent: time(100) },
        Message::Answer { id: 1, sent: time(100), received: time(-5), replied: time(-4) },
        Message::Ping,
        Message::Bye { reason: ByeReason::Stopped, text: "bye".to_owned() },
    ]
}
