use engine::{EventWriter, Field, Frame, Rate, Unit};

use std::fs::File;

use super::*;
use crate::files::mcap::{
    Disk, Schema, Writer,
    message::put_reached,
    write::{Channel, Moment},
};

const FRAMES: u64 = 400;

fn signal() -> Format {
    let rate = Rate::new(1_000.0).expect("a rate");
    Format::signal(1, Unit::MILLIVOLT, rate, 1_000)
}

fn events() -> Format {
    Format::event(vec![Field::i64("number")], 3.5)
}

fn output<'a>(node: &'a str, format: &'a Format) -> engine::Output<'a> {
    engine::Output {
        node,
        kind: "ecg",
        port: "out",
        number: 0,
        format,
        is_source: true,
        is_taken: true,
    }
}

fn moment(n: u64) -> Moment {
    Moment { log_ns: n, publish_ns: n }
}

/// A recording of frames and events by turns, a chunk for every 50 of them.
fn record(to: File, end: bool) {
    let formats = [signal(), events()];
    let recorded = [
        Recorded::new(0, &output("a", &formats[0]), false),
        Recorded::new(1, &output("b", &formats[1]), true),
    ];
    let mut schemas = vec![Schema::of_reached()];
    let mut channels = Vec::new();
    for (n, output) in recorded.iter().enumerate() {
        schemas.push(Schema::of(&output.label, &output.format));
        for (role, schema) in [(Role::Frames, n + 1), (Role::Reached, 0)] {
            let topic = format!("/{}/{role:?}", output.label);
            channels.push(Channel { topic, schema, metadata: output.metadata(role) });
        }
    }
    let about = (ABOUT.to_owned(), BTreeMap::new());
    let mut writer = Writer::begin(Disk(to), &schemas, &channels, &[about]).expect("room");
    for n in 0..FRAMES {
        let time = Timestamp::from_nanos(n as i64);
        let samples = Frame::signal(time, 1, &[n as f32; 25]);
        let event = EventWriter::new(formats[1].as_event().expect("events")).i64(0, n as i64);
        let event = Frame::new(engine::Header::at(time), event.finish());
        for (channel, format, frame) in [(0, &formats[0], samples), (2, &formats[1], event)] {
            let put =
                |out: &mut Vec<u8>| assert!(Codec::new(format).put(out, &frame, n, n % 3, None));
            writer.message(channel, n as u32, moment(n), 1, put).expect("room");
        }
        let reached = |out: &mut Vec<u8>| put_reached(out, time, 0);
        writer.message(1, n as u32, moment(n), 0, reached).expect("room");
        if n % 50 == 49 {
            writer.flush().expect("room");
        }
    }
    if end {
        let texts = BTreeMap::from([("missed at the end of 1:b".to_owned(), "7".to_owned())]);
        writer.finish(|_| (AT_END.to_owned(), texts.clone())).expect("room");
    }
}

fn file(name: &str, bytes: &[u8]) -> tempfile::TempPath {
    let mut file = tempfile::Builder::new().prefix(name).tempfile().expect("a file");
    io::Write::write_all(&mut file, bytes).expect("room");
    file.into_temp_path()
}

fn whole() -> Vec<u8> {
    let path = file("whole", &[]);
    record(File::create(&path).expect("it is ours"), true);
    std::fs::read(&path).expect("it is ours")
}

/// Numbers of the frames of both outputs.
fn played(recording: &Recording) -> [Vec<u64>; 2] {
    let mut found = [Vec::new(), Vec::new()];
    let mut player = recording.play(&[0, 1]).expect("it was opened before");
    while let Some((output, item)) = player.read_next().expect("it was looked through before") {
        match item {
            Item::Frame(told) => {
                let number = told.frame.header.time.nanos() as u64;
                assert_eq!(told.missed, number % 3);
                if output == 0 {
                    assert_eq!(told.frame.samples(), [number as f32; 25]);
                }
                found[output].push(number);
            }
            Item::Reached(reached, missed) => {
                assert_eq!((output, missed), (0, 0));
                assert_eq!(found[0].last(), Some(&(reached.nanos() as u64)));
            }
        }
    }
    found
}

#[test]
fn all_that_was_recorded_is_there_and_comes_back_in_its_order() {
    let path = file("all", &whole());
    let recording = Recording::open(&path).expect("it is whole");

    assert_eq!(recording.end, End::Whole);
    let [a, b] = &recording.outputs[..] else { panic!("{:?}", recording.outputs) };
    assert_eq!((a.session, &*a.label, a.is_live, &a.format), (0, "a", false, &signal()));
    assert_eq!((b.session, &*b.label, b.is_live, &b.format), (1, "b", true, &events()));
    let missed = (0..FRAMES).map(|n| n % 3).sum::<u64>();
    assert_eq!((a.counts.frames, a.counts.missed), (FRAMES, missed));
    assert_eq!((b.counts.frames, b.counts.missed), (FRAMES, missed + 7));
    let last = Timestamp::from_nanos(FRAMES as i64 - 1);
    assert_eq!(a.counts.span, Some((Timestamp::ZERO, last)));
    let all: Vec<u64> = (0..FRAMES).collect();
    assert_eq!(played(&recording), [all.clone(), all]);
}

#[test]
fn wherever_a_recording_is_cut_it_is_read_up_to_there() {
    let bytes = whole();
    let (mut before, mut refused) = (0, 0);
    let ends = bytes.len() - 8;
    for cut in (0..bytes.len()).step_by(97).chain(ends - 300..=bytes.len()) {
        let path = file("cut", &bytes[..cut]);
        let recording = match Recording::open(&path) {
            Ok(recording) => recording,
            Err(error) => {
                refused += 1;
                assert!(cut < 4_000, "{error} at {cut}");
                continue;
            }
        };
        if recording.outputs.len() < 2 {
            assert!(cut < 4_000, "{cut}");
            continue;
        }
        assert_eq!(recording.end == End::Whole, cut == bytes.len(), "{cut} of {}", bytes.len());
        let [a, b] = played(&recording);
        assert!(a.iter().copied().eq(0..a.len() as u64) && b.iter().copied().eq(0..b.len() as u64));
        assert!(a.len() - b.len() <= 1);
        if cut < ends - 300 {
            assert!(a.len() >= before, "less of more at {cut}");
            before = a.len();
        }
    }
    assert!(refused > 0 && before as u64 == FRAMES);
}

#[test]
fn of_what_is_damaged_the_chunks_before_are_used_and_nothing_else() {
    let bytes = whole();
    let mut damaged = 0;
    for at in (0..bytes.len()).step_by(211) {
        let mut changed = bytes.clone();
        changed[at] ^= 0x10;
        let path = file("damaged", &changed);
        let Ok(recording) = Recording::open(&path) else { continue };
        damaged += usize::from(matches!(recording.end, End::Damaged(_)));
        // Names and units of what is recorded are under no check.
        let is_known = |output: &Recorded, format: &Format| output.format == *format;
        let [a, b] = &recording.outputs[..] else { continue };
        if !(is_known(a, &signal()) && is_known(b, &events())) {
            continue;
        }
        let [a, b] = played(&recording);
        if recording.end != End::Whole {
            assert!(a.len() % 50 == 0 && a.len() == b.len(), "{at}: {} and {}", a.len(), b.len());
        }
        assert!(a.iter().copied().eq(0..a.len() as u64), "{at}");
    }
    assert!(damaged > 100, "{damaged}");
}

#[test]
fn what_is_no_recording_is_said_to_be_none() {
    let told = |bytes: &[u8]| match Recording::open(&file("none", bytes)) {
        Ok(_) => panic!("it is none"),
        Err(error) => error.to_string(),
    };
    assert_eq!(told(b""), "it is no MCAP file");
    assert_eq!(told(b"RIFF....WAVEfmt "), "it is no MCAP file");
    let mut other = Vec::new();
    let mut writer = mcap::Writer::new(io::Cursor::new(&mut other)).expect("begins");
    writer.finish().expect("ends");
    drop(writer);
    assert!(told(&other).contains("`afferent record` has not written"));
    let missing = Recording::open(Path::new("/nowhere/at.mcap"));
    assert!(matches!(missing, Err(ReadError::Io(_))));
}
