//! What is written and drawn of frames.

use std::time::Duration;

use engine::{
    Buffer, Channel, Dimension, Element, EventWriter, Field, Format, Frame, Gap, Header, Rate,
    SignalFormat, TensorFormat, Timestamp, Unit,
};
use ratatui::{Terminal, backend::TestBackend};

use super::{
    Tally,
    plot::{Plotted, Pressed, Strips},
    write::{Form, Writer},
};
use crate::{
    drawing::Looks,
    local::{Came, message::TapFrame},
};

fn signal() -> Format {
    let channel = |name: &str, unit| Channel { name: name.to_owned(), unit };
    let channels = vec![channel("MLII", Unit::MILLIVOLT), channel("x", Unit::UNKNOWN)];
    let rate = Rate::new(4.0).expect("valid");
    Format::Signal(SignalFormat { channels, rate, frame_len: 2 }.into())
}

fn came(frame: Frame, missed: u64) -> Came {
    let told = TapFrame {
        seq: frame.header.seq,
        t_ns: frame.header.time.nanos(),
        gap: frame.header.gap.get().map(|gap| gap.word().to_owned()),
        missed,
        count: frame.buffer().count(),
        bytes: frame.buffer().bytes_len(),
        data: String::new(),
    };
    Came { told, frame: Some(frame) }
}

fn samples(t_s: f64, samples: &[f32]) -> Frame {
    Frame::signal(Timestamp::from_nanos((t_s * 1e9) as i64), 2, samples)
}

fn written(form: Form, format: &Format, all: &[Came]) -> String {
    let mut text = Vec::new();
    let mut writer = Writer::new(&mut text, form, "node", format);
    for came in all {
        writer.write(came).expect("memory");
    }
    writer.flush().expect("memory");
    drop(writer);
    String::from_utf8(text).expect("text")
}

/// Two frames, a third behind a gap and eleven that were missed.
fn with_gaps() -> Vec<Came> {
    let mut late = samples(10.0, &[0.5, f32::NAN, 3.0, 4.0]);
    late.header.gap = Gap::Source.into();
    vec![
        came(samples(0.0, &[0.1, 0.2, 1.0, 2.0]), 0),
        came(samples(0.5, &[0.3, 0.4, 1.5, 2.5]), 0),
        came(late, 11),
    ]
}

#[test]
fn a_signal_is_a_row_per_sample_with_gaps_marked() {
    assert_eq!(
        written(Form::Csv, &signal(), &with_gaps()),
        "t_s,MLII (mV),x\n0,0.1,1\n0.25,0.2,2\n0.5,0.3,1.5\n0.75,0.4,2.5\n\
         # 11 frames missed here: this tap could not keep up\n\
         # gap before 10 s: source\n10,0.5,3\n10.25,,4\n"
    );
    let rows = written(Form::Rows, &signal(), &with_gaps()[..1]);
    assert_eq!(
        rows,
        "           t_s     MLII (mV)             x\n      0.000000           0.1             1\n\
         \x20     0.250000           0.2             2\n"
    );
    let json = written(Form::Json, &signal(), &with_gaps());
    assert_eq!(
        json.lines().skip(2).collect::<Vec<_>>(),
        [
            r#"{"node":"node","missed":11}"#,
            r#"{"node":"node","t_s":10.0,"gap":"source"}"#,
            r#"{"node":"node","t_s":10,"rate_hz":4,"samples":{"MLII":[0.5,null],"x":[3,4]}}"#,
        ]
    );
}

fn events() -> Format {
    Format::event(vec![Field::f64("rr_ms"), Field::bool("is_odd"), Field::text("label", 9)], 5.0)
}

fn event(t_s: i64, rr_ms: f64) -> Came {
    let format = events();
    let event = EventWriter::new(format.as_event().expect("events")).f64(0, rr_ms).text(2, "a, b");
    let header = Header::at(Timestamp::from_nanos(t_s * 1_000_000_000));
    came(Frame::new(header, event.finish()), 0)
}

#[test]
fn an_event_is_an_object_or_a_row_of_its_fields() {
    let all = [event(1, 812.5), event(2, 790.0)];
    let json = "{\"node\":\"node\",\"t_s\":1,\"rr_ms\":812.5,\"label\":\"a, b\"}\n";
    assert!(written(Form::Json, &events(), &all).starts_with(json));
    assert_eq!(
        written(Form::Rows, &events(), &all),
        "     1.000 s  node  rr 812.5 ms  label a, b\n     2.000 s  node  rr 790 ms  label a, b\n"
    );
    assert_eq!(
        written(Form::Csv, &events(), &all),
        "t_s,rr_ms,is_odd,label\n1,812.5,,\"a, b\"\n2,790,,\"a, b\"\n"
    );
}

#[test]
fn a_tensor_is_summarised_and_told_in_full_as_json() {
    let shape = vec![Dimension::Open { max: 9 }, Dimension::Fixed(2)];
    let format = Format::Tensor(TensorFormat { element: Element::F32, shape }.into());
    let buffer = Buffer::of_floats(&[1.0, 2.0, f32::NAN, 6.0], 2);
    let all = [came(Frame::new(Header::at(Timestamp::ZERO), buffer), 0)];
    assert_eq!(written(Form::Rows, &format, &all), "     0.000 s  node  2 × 2 3 (1 to 6)\n");
    let full = written(Form::Json, &format, &all);
    // Where and when first, as of events.
    assert_eq!(
        full,
        "{\"node\":\"node\",\"t_s\":0.0,\"shape\":[2,2],\"min\":1.0,\"mean\":3.0,\"max\":6.0,\
         \"values\":[1.0,2.0,null,6.0]}\n"
    );
    assert_eq!(written(Form::Csv, &format, &all), "t_s,numbers,min,mean,max\n0,4,1,3,6\n");
}

#[test]
fn what_was_missed_is_counted_in_the_end() {
    let mut tally = Tally::default();
    with_gaps().iter().for_each(|came| tally.count(came));
    tally.lasted = Duration::from_millis(1_250);
    assert_eq!(
        tally.text("clean", 0),
        "`clean`: 3 frames in 1.2 s, 1 gap (1 source), 11 missed as this tap could not keep up"
    );
    assert_eq!(
        Tally::default().text("clean", 3),
        "`clean` of session 3: 0 frames in 0.0 s, none missed"
    );
}

fn drawn(strips: &Strips, size: (u16, u16), looks: Looks) -> String {
    seen(&mut Plotted::new(strips.clone(), 5.0), size, Duration::ZERO, looks)
}

fn seen(plotted: &mut Plotted, (columns, rows): (u16, u16), now: Duration, looks: Looks) -> String {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).expect("memory");
    terminal.draw(|frame| plotted.draw(frame, ("clean", 0), now, looks)).expect("memory");
    let buffer = terminal.backend().buffer();
    let row = |y| (0..columns).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    (0..rows).map(|y| format!("{}\n", row(y).trim_end())).collect()
}

/// Ten seconds of a slow sine and a ramp.
fn waves() -> Strips {
    let mut strips = Strips::new(&signal());
    for n in 0..20 {
        let at = |k: usize| (f64::from(n) * 0.5 + k as f64 * 0.25) as f32;
        let values = [at(0).sin(), at(1).sin(), at(0), at(1)];
        strips.add(&came(samples(f64::from(n) * 0.5, &values), 0), Duration::ZERO);
    }
    strips
}

#[test]
fn channels_stand_one_below_the_other_with_their_units() {
    let unicode = Looks { has_colours: false, has_unicode: true };
    let text = drawn(&waves(), (80, 24), unicode);
    let named = |name: &str| text.lines().position(|line| line.starts_with(name));
    assert!(named("MLII   -0.3195 mV   from -0.9") < named("x   9.75   from 4"), "{text}");
    assert!(text.contains("-5 s") && text.contains("now"), "{text}");
    let dots = text.chars().filter(|letter| ('\u{2801}'..='\u{28ff}').contains(letter)).count();
    assert!(dots > 60, "{text}");
    // Only the last five seconds are shown, of which the ramp has 4.75 to 9.75.
    assert!(!text.contains("from 0 to"), "{text}");

    let bare = Looks { has_colours: false, has_unicode: false };
    assert!(drawn(&waves(), (80, 24), bare).is_ascii());
    for size in [(0, 0), (29, 8), (30, 8), (33, 9), (200, 60)] {
        drawn(&waves(), size, unicode);
    }
}

#[test]
fn a_fast_signal_keeps_its_extremes() {
    let rate = Rate::new(10_000.0).expect("valid");
    let format = Format::signal(1, Unit::UNKNOWN, rate, 1_000);
    let mut strips = Strips::new(&format);
    let mut values = vec![0.0; 1_000];
    (values[503], values[504]) = (7.0, -7.0);
    let frame = Frame::signal(Timestamp::ZERO, 1, &values);
    strips.add(&came(frame, 0), Duration::ZERO);
    let points = &strips.all[0].points;
    assert!(points.len() <= 110, "{}", points.len());
    for wanted in [(0.0503, 7.0), (0.0504, -7.0)] {
        assert!(points.contains(&wanted), "{wanted:?}");
    }
}

#[test]
fn events_are_strips_of_their_numbers() {
    let mut strips = Strips::new(&events());
    (1..9).for_each(|t_s| strips.add(&event(t_s, 800.0 + t_s as f64), Duration::ZERO));
    let text = drawn(&strips, (80, 20), Looks { has_colours: false, has_unicode: true });
    assert!(text.contains("rr_ms   808   from 80"), "{text}");
}

/// Events of eight numbers and of what they are called.
fn many() -> (Format, Vec<Came>) {
    let names = ["intervals", "removed", "mean_ms", "sdnn_ms", "rmssd_ms", "pnn50_pct", "lf", "hf"];
    let mut fields: Vec<Field> = names.map(Field::f64).to_vec();
    fields.push(Field::text("label", 9));
    let format = Format::event(fields, 5.0);
    let event = |t_s: i64| {
        let mut event = EventWriter::new(format.as_event().expect("events"));
        for n in 0..names.len() {
            event = event.f64(n, t_s as f64 + n as f64);
        }
        let label = if t_s == 3 { "late\x1b[2J" } else { "N" };
        let header = Header::at(Timestamp::from_nanos(t_s * 1_000_000_000));
        came(Frame::new(header, event.text(8, label).finish()), 0)
    };
    let all = (1..=4).map(event).collect();
    (format, all)
}

#[test]
fn strips_that_have_no_room_are_told_and_can_be_gone_to() {
    let (format, all) = many();
    let mut plotted = Plotted::new(Strips::new(&format), 5.0);
    all.iter().for_each(|came| plotted.take(came, Duration::ZERO));
    let looks = Looks { has_colours: false, has_unicode: true };
    let size = (80, 14);
    let mut look = |pressed: Option<Pressed>| {
        pressed.into_iter().for_each(|pressed| plotted.press(pressed, Duration::ZERO));
        seen(&mut plotted, size, Duration::ZERO, looks)
    };

    let text = look(None);
    assert!(text.starts_with("clean   4 frames\n") && text.contains("\nremoved "), "{text}");
    assert!(!text.contains("mean_ms") && text.contains("7 more below   ↑ ↓ others"), "{text}");
    let text = look(Some(Pressed::Down));
    assert!(text.contains("\nmean_ms ") && text.contains("1 above, 6 below"), "{text}");
    // The last ones fill the screen, and further down there is nothing.
    let text = look(Some(Pressed::End));
    assert!(
        text.contains("\nlf ") && text.contains("\nhf ") && text.contains("6 more above"),
        "{text}"
    );
    assert!(text.contains("\nlabel   N\n"), "{text}");
    assert_eq!(look(Some(Pressed::Down)), text);
    assert_ne!(look(Some(Pressed::Up)), text, "and up at once");

    let whole = seen(&mut plotted, (80, 60), Duration::ZERO, looks);
    assert!(
        whole.contains("\nintervals ") && whole.contains("\nlabel ") && !whole.contains("others")
    );
    // Words stand where they were said, the newest at the edge.
    let row = whole.lines().skip_while(|line| !line.starts_with("label")).nth(1).expect("words");
    assert!(row.contains("N ") && row.contains("late [2J") && row.ends_with('N'), "{row}");
}

#[test]
fn at_any_width_the_way_out_is_told() {
    let (format, all) = many();
    let mut plotted = Plotted::new(Strips::new(&format), 5.0);
    let looks = Looks { has_colours: false, has_unicode: true };
    let text = seen(&mut plotted, (80, 14), Duration::ZERO, looks);
    let said: Vec<&str> = text.lines().skip(1).filter(|line| !line.is_empty()).collect();
    assert_eq!(said[0].trim(), "nothing has come by yet", "{text}");
    plotted.take(&all[0], Duration::ZERO);
    plotted.press(Pressed::Freeze, Duration::ZERO);
    for columns in 30..120 {
        let text = seen(&mut plotted, (columns, 14), Duration::ZERO, looks);
        let foot = text.lines().last().expect("a foot");
        assert!(foot.starts_with("FROZEN") && foot.ends_with("q quit"), "{columns}: {foot}");
        assert!(text.starts_with("clean   1 frame\n"), "{text}");
    }
}

#[test]
fn what_is_frozen_stands_still_and_misses_nothing() {
    let second = Duration::from_secs;
    let looks = Looks { has_colours: false, has_unicode: true };
    let (format, all) = many();
    let mut plotted = Plotted::new(Strips::new(&format), 5.0);
    plotted.take(&all[0], second(1));
    plotted.take(&all[1], second(2));
    plotted.press(Pressed::Freeze, second(2));
    let before = seen(&mut plotted, (80, 30), second(2), looks);
    plotted.take(&all[2], second(3));
    plotted.take(&all[3], second(4));

    assert!(before.contains("FROZEN") && before.contains("2 frames"), "{before}");
    assert_eq!(seen(&mut plotted, (80, 30), second(9), looks), before);
    plotted.press(Pressed::Freeze, second(4));
    let after = seen(&mut plotted, (80, 30), second(4), looks);
    // What came while it stood still is there: the numbers are those of all four.
    assert!(after.contains("4 frames") && after.contains("intervals   4   from 1 to 4"), "{after}");
}
