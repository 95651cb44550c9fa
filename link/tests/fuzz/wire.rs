//! Every reader of `link::wire`.

use std::sync::Arc;

use engine::{
    Dimension, Element, EventWriter, Field, FieldKind, Format, Frame, Gap, Header, ImageFormat,
    Pixel, Rate, TensorFormat, Timestamp, Unit, describe,
};
use link::wire::{
    Assembler, ByeReason, CONTROL_MAX, Datagram, FrameWriter, Hello, HelloEdge, Message, NEWEST,
    OLDEST, longest, put_preamble, read_frame, read_preamble,
};

use crate::{fuzz, shape};

fn rate() -> Rate {
    Rate::new(250.0).expect("possible")
}

/// A frame of every format.
fn frames() -> Vec<(Format, Frame)> {
    let header = Header { seq: 5, tag: 3, gap: Gap::Late.into(), ..Header::at(Timestamp::ZERO) };
    let samples: Vec<f32> = (0..64).map(|n| (n % 7) as f32 / 200.0).collect();
    let signal = Format::signal(2, Unit::MILLIVOLT, rate(), 32);
    let fields = vec![
        Field::f64("rr_ms"),
        Field::text("label", 12),
        Field { name: "wave", kind: FieldKind::Floats { max: 3 } },
    ];
    let event = Format::event(fields, 4.0);
    let written = EventWriter::new(event.as_event().expect("an event"))
        .f64(0, 812.5)
        .text(1, "normal")
        .floats(2, &[1.0, 2.0])
        .finish();
    let shape = vec![Dimension::Open { max: 4 }, Dimension::Fixed(2)];
    let tensor = Format::Tensor(Arc::new(TensorFormat { element: Element::F32, shape }));
    let image = ImageFormat { width: 3, height: 2, pixel: Pixel::Rgb8, rate: rate() };
    vec![
        (signal, Frame::signal(Timestamp::ZERO, 2, &samples)),
        (event, Frame::new(header, written)),
        (tensor, Frame::new(header, engine::Buffer::of_floats(&[1.0; 6], 3))),
        (Format::Image(Arc::new(image)), Frame::new(header, engine::Buffer::with_bytes(18, 1))),
    ]
}

fn messages() -> Vec<Message> {
    let time = Timestamp::from_nanos;
    let edges = frames().into_iter().enumerate().map(|(n, (format, _))| HelloEdge {
        name: format!("edge_{n} -> sink"),
        receives: n % 2 == 0,
        durable: n % 3 == 0,
        next: n as u64,
        count: (n % 4 > 0).then_some(n as u64 * 77),
        format: describe(&format),
    });
    let (graph, session) = ([7; 16], [9; 16]);
    let hello =
        Hello { newest: NEWEST, oldest: OLDEST, graph, session, life: 5, edges: edges.collect() };
    vec![
        Message::Hello(Box::new(hello)),
        Message::Ready,
        Message::Credit { frames: 256, bytes: 1 << 20 },
        Message::Ack { next: 10, bound: Timestamp::MIN },
        Message::Gap { from: 3, to: 5, reason: Gap::Full },
        Message::Bound { next: 11, bound: time(-4) },
        Message::End { next: 12 },
        Message::Flush { epoch: 2 },
        Message::Probe { id: 1, sent: time(100) },
        Message::Answer { id: 1, sent: time(100), received: time(-5), replied: time(-4) },
        Message::Ping,
        Message::Bye { reason: ByeReason::Stopped, text: "bye".to_owned() },
    ]
}

/// Records behind a preamble, as datagrams and streams have them: each by itself, and all.
fn whole() -> Vec<Vec<u8>> {
    let mut inputs = Vec::new();
    for version in OLDEST..=NEWEST {
        let mut all = Vec::new();
        put_preamble(&mut all, version);
        for (edge, (format, frame)) in frames().iter().enumerate() {
            let mut one = Vec::new();
            put_preamble(&mut one, version);
            let mut writer = FrameWriter::new(format, version, true);
            writer.put(&mut one, edge as u16, 1, frame);
            all.extend_from_slice(&one[4..]);
            inputs.push(one);
        }
        for message in messages() {
            let mut one = Vec::new();
            put_preamble(&mut one, version);
            message.put(&mut one, 0);
            all.extend_from_slice(&one[4..]);
            inputs.push(one);
        }
        inputs.push(all);
    }
    inputs
}

#[test]
fn datagrams() {
    // A list of records grows to twice its length; the smallest has 8 bytes and takes 32 read.
    fuzz(
        100_000,
        &whole(),
        |len| 4_096 + 16 * len,
        |bytes| {
            let preamble = bytes.first_chunk().map(|head| read_preamble(*head));
            let records = Datagram::open(bytes).map(|datagram| {
                assert!((OLDEST..=NEWEST).contains(&datagram.version));
                let kinds =
                    datagram.map(|record| record.map(|record| (record.kind, record.edge < 4)));
                kinds.collect::<Vec<_>>()
            });
            shape(&(preamble, records))
        },
    );
}

#[test]
fn messages_of_records() {
    // Texts of a hello become strings of their own: one of no letters takes 2 bytes here and 24 there,
    // and lists grow to twice their length.
    fuzz(
        100_000,
        &whole(),
        |len| 8_192 + 64 * len,
        |bytes| {
            let mut outcomes = Vec::new();
            for record in Datagram::open(bytes).into_iter().flatten().flatten() {
                let read = Message::read(record.kind, record.body);
                if let Ok(Some(message)) = &read {
                    let mut again = Vec::new();
                    message.put(&mut again, record.edge);
                    // What was read is written the same; flags without meaning are not written.
                    assert!(matches!(message, Message::Hello(_)) || again.ends_with(record.body));
                }
                outcomes.push(read.map(|message| message.map(|message| shape(&message))));
                outcomes.truncate(16);
            }
            shape(&outcomes)
        },
    );
}

#[test]
fn streams_in_pieces() {
    fuzz(
        100_000,
        &whole(),
        |len| 8_192 + 4 * len,
        |bytes| {
            let mut assembler = Assembler::default();
            let (mut records, mut failed) = (0_u64, None);
            // Pieces of a length that the input itself tells.
            let piece = 1 + bytes.iter().map(|byte| usize::from(*byte)).sum::<usize>() % 40;
            'stream: for piece in bytes.chunks(piece) {
                assembler.push(piece);
                loop {
                    match assembler.next(CONTROL_MAX) {
                        Ok(Some((version, record))) => {
                            assert!((OLDEST..=NEWEST).contains(&version));
                            assert!(record.body.len() <= bytes.len());
                            records += 1;
                        }
                        Ok(None) => break,
                        Err(error) => {
                            failed = Some(error);
                            break 'stream;
                        }
                    }
                }
                assert!(assembler.held() <= bytes.len());
            }
            shape(&failed).wrapping_add(records)
        },
    );
}

#[test]
fn frames_of_every_format() {
    let formats: Vec<Format> = frames().into_iter().map(|(format, _)| format).collect();
    let largest = formats.iter().filter_map(longest).max().expect("some");
    let mut bodies = Vec::new();
    for input in whole() {
        let records = Datagram::open(&input).expect("whole");
        bodies.extend(records.map(|record| record.expect("whole").body.to_vec()));
    }
    // Buffers come from a pool, in powers of two and at least a page.
    fuzz(
        100_000,
        &bodies,
        |len| 16_384 + 4 * (largest + len),
        |body| {
            let mut outcomes = Vec::new();
            for version in OLDEST..=NEWEST {
                for format in &formats {
                    let read = read_frame(version, body, format).map(|(_, frame)| {
                        assert!(frame.buffer().bytes_len() <= longest(format).expect("has one"));
                        frame.len() % 4
                    });
                    outcomes.push(read);
                }
            }
            shape(&outcomes)
        },
    );
}
