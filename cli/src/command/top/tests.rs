//! Screens as text: `screens/*.txt` is what they show. AFFERENT_WRITE_SCREENS=1 writes them anew, to be
//! read before they are kept.

use std::path::PathBuf;

use ratatui::{Terminal, backend::TestBackend};

use super::{
    pages::Page,
    screen,
    state::{Key, State, Wish},
};
use crate::{
    drawing::Looks,
    local::message::{
        EdgeLook, EdgeShape, EnteredLook, FaultLook, Hello, LatencyLook, LegLook, LimitLook,
        LinkLook, Look, NodeLook, NodeShape, ParamShape, PartsLook, PortShape, ServiceLook, Shape,
        SinkLook, SinkTimeLook, StageLook, StageShape, TimeLook, WayLook, WorkLook,
    },
};

const PLAIN: Looks = Looks { has_colours: false, has_unicode: true };

fn shown(state: &mut State, (columns, rows): (u16, u16), looks: Looks) -> String {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).expect("memory");
    terminal.draw(|frame| screen::draw(frame, state, looks)).expect("memory");
    screen::text_of(terminal.backend().buffer())
}

/// Compares with what is kept.
fn assert_shows(name: &str, shown: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let path = path.join(format!("src/command/top/screens/{name}.txt"));
    if std::env::var_os("AFFERENT_WRITE_SCREENS").is_some() {
        std::fs::write(&path, shown).expect("there is room");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == shown, "{name}:\n{shown}\nand not\n{kept}");
}

fn node(name: &str, kind: &str, stage: Option<usize>) -> NodeShape {
    let format =
        if kind == "qrs" { "events {rr_ms, heart_rate_bpm}" } else { "1 ch mV @ 250 Hz × 5" };
    let port =
        PortShape { name: "out".to_owned(), label: name.to_owned(), format: format.to_owned() };
    NodeShape {
        name: name.to_owned(),
        kind: kind.to_owned(),
        summary: format!("What `{kind}` does."),
        is_source: kind == "ecg",
        is_sink: kind == "jsonl",
        stage,
        rate_hz: (kind == "ecg").then_some(250.0),
        on_fault: "restart".to_owned(),
        outputs: if kind == "jsonl" { Vec::new() } else { vec![port] },
        ..NodeShape::default()
    }
}

fn edge(from: &str, to: &str, capacity: Option<usize>) -> EdgeShape {
    EdgeShape {
        from: from.to_owned(),
        producer: from.to_owned(),
        consumer: to.to_owned(),
        port: "in".to_owned(),
        format: "1 ch mV @ 250 Hz × 5".to_owned(),
        capacity,
        on_full: capacity.map(|_| "drop_oldest".to_owned()),
    }
}

fn shape() -> Shape {
    let mut clean = node("clean", "bandpass", Some(0));
    clean.delay_ms = 45.0;
    let param = |name: &str, value: &str, is_written| ParamShape {
        name: name.to_owned(),
        value: value.to_owned(),
        is_written,
        ..ParamShape::default()
    };
    clean.params = vec![param("low_hz", "5.0", true), param("order", "2", false)];
    let stage = StageShape {
        name: "0".to_owned(),
        nodes: ["ecg", "clean", "beats"].map(str::to_owned).to_vec(),
    };
    Shape {
        cores: 1,
        speed: Some(1.0),
        duration_s: Some(120.0),
        nodes: vec![
            node("ecg", "ecg", Some(0)),
            clean,
            node("beats", "qrs", Some(0)),
            node("out", "jsonl", None),
        ],
        edges: vec![
            edge("ecg", "clean", None),
            edge("clean", "beats", None),
            edge("beats", "out", Some(64)),
        ],
        stages: vec![stage],
        reasons: ["full", "late", "poison"].map(str::to_owned).to_vec(),
        states: ["running", "trouble", "paused", "done"].map(str::to_owned).to_vec(),
    }
}

fn look(at_s: u64) -> Look {
    let entered = EnteredLook { frames: 50 * at_s, samples: 250 * at_s, gaps: 0 };
    let edge = |each: u64| EdgeLook {
        sent: each * at_s,
        taken: each * at_s,
        in_flight: 0,
        dropped: vec![0, 0, 0],
    };
    let latency = LatencyLook {
        p50_ns: Some(61_000),
        p99_ns: Some(92_000),
        max_ns: Some(410_000),
        steps: vec![(61_000, 9 * at_s), (92_000, at_s), (410_000, 1)],
    };
    let timed = |each: u64, ns: u64| {
        let (frames, timed) = (each * at_s, 64 + at_s);
        let work = WorkLook { frames, timed, timed_ns: timed * ns, timed_frames: timed };
        NodeLook { mean_ns: Some(ns as f64), work: Some(work), ..NodeLook::default() }
    };
    Look {
        at_s: at_s as f64,
        sessions_open: 1,
        sessions_opened: 1,
        nodes: vec![
            NodeLook { entered: Some(entered), ..timed(50, 2_100) },
            timed(50, 640),
            timed(50, 12_000),
            NodeLook::default(),
        ],
        edges: vec![edge(50), edge(50), edge(1)],
        stages: vec![StageLook { restarts: 0, states: vec![1, 0, 0, 0], latency: latency.clone() }],
        sinks: vec![SinkLook {
            node: "out".to_owned(),
            frames: at_s,
            deadline_ns: Some(100_000_000),
            latency,
        }],
        cores: vec![String::new()],
        time: Some(Box::new(time(at_s))),
        ..Look::default()
    }
}

/// A latency of 61 µs, of which `beats` has most, and a slower one that has waited.
fn time(at_s: u64) -> TimeLook {
    let parts = |ring_ns, turn_ns, computing_ns, moving_ns| PartsLook {
        waiting_ns: ring_ns + turn_ns,
        computing_ns,
        moving_ns,
        ring_ns,
        turn_ns,
        ..PartsLook::default()
    };
    let way = |beats: PartsLook, out: PartsLook| {
        let clean = parts(0.0, 0.0, 2_000.0, 100.0);
        let sum = |of: fn(&PartsLook) -> f64| of(&beats) + of(&out) + of(&clean);
        let parts = PartsLook {
            waiting_ns: sum(|of| of.waiting_ns),
            computing_ns: sum(|of| of.computing_ns),
            moving_ns: sum(|of| of.moving_ns),
            ring_ns: sum(|of| of.ring_ns),
            turn_ns: sum(|of| of.turn_ns),
            ..PartsLook::default()
        };
        let leg = |(node, parts): (&str, PartsLook)| LegLook {
            node: node.to_owned(),
            share: parts.all() / sum(PartsLook::all),
            parts,
        };
        let nodes = [("beats", beats), ("out", out), ("clean", clean)].map(leg).to_vec();
        WayLook { latency_ns: sum(PartsLook::all), parts, nodes, ..WayLook::default() }
    };
    let sink = SinkTimeLook {
        node: "out".to_owned(),
        frames: 250,
        age_s: None,
        mean: way(parts(0.0, 4_000.0, 33_000.0, 900.0), parts(9_000.0, 0.0, 2_000.0, 10_000.0)),
        slowest: way(
            parts(0.0, 4_000.0, 33_000.0, 900.0),
            parts(310_000.0, 0.0, 9_000.0, 51_000.0),
        ),
    };
    let said = "nothing: every source keeps its pace and no core is short of time";
    let limit =
        LimitLook { cause: "nothing".to_owned(), said: said.to_owned(), ..LimitLook::default() };
    TimeLook {
        span_s: (at_s as f64).min(5.0),
        limit: Some(limit),
        sinks: vec![sink],
        broken: 0,
        lost: 0,
    }
}

fn state() -> State {
    let hello = Hello {
        protocol: 1,
        version: "0.1.0".to_owned(),
        pid: 4711,
        graph: "biofeedback".to_owned(),
        file: "graphs/biofeedback.toml".to_owned(),
        host: None,
        running_s: 20.0,
    };
    let mut state = State::new(hello, shape());
    (10..=25).for_each(|at_s| state.see(look(at_s)));
    state
}

/// The same in trouble of every sort.
fn troubled() -> State {
    let mut state = state();
    for at_s in 26..=36 {
        let mut look = look(at_s);
        let stands_still = look_at_25();
        look.nodes[0].entered = stands_still.nodes[0].entered.clone();
        look.nodes[0].work = stands_still.nodes[0].work;
        look.nodes[1].restarts = 3;
        look.nodes[1].poison = 3;
        look.nodes[1].fault =
            Some(FaultLook { what: "a sample is not finite".to_owned(), at_s: 30.0 });
        look.edges[2].in_flight = 60;
        look.edges[2].dropped = vec![(at_s - 25) * 40, 2, 0];
        look.stages[0].states = vec![0, 1, 0, 0];
        look.sinks[0].latency.max_ns = Some(700_000_000);
        look.sinks[0].latency.steps.push((700_000_000, at_s));
        look.cores = vec!["`clean` at work for 350 ms".to_owned()];
        look.links = vec![LinkLook {
            peer: "cloud".to_owned(),
            was_up: true,
            for_s: 12.0,
            rtt_ns: 21_000_000,
            queued: 512,
            sent: 9_000,
            trouble: Some("timed out".to_owned()),
            ..LinkLook::default()
        }];
        let time = look.time.as_mut().expect("just made");
        time.limit = Some(LimitLook {
            cause: "sink".to_owned(),
            node: Some("out".to_owned()),
            edge: Some(["beats", "out"].map(str::to_owned)),
            said: "sink `out`: `beats` → `out` is full: `out` has no room for more".to_owned(),
            change: "what `[node.out]` writes to takes no more: write less, or where the newest is enough \
                     `on_full = \"latest\"`"
                .to_owned(),
        });
        (time.broken, time.sinks[0].frames, time.sinks[0].age_s) = (3, 0, Some(11.0));
        look.services = vec![ServiceLook {
            what: "model".to_owned(),
            name: "net".to_owned(),
            remark: "asked 120 times, 8 at once".to_owned(),
        }];
        state.see(look);
    }
    state
}

#[test]
fn what_parts_do_not_account_for_is_said_and_stays_empty() {
    let mut state = state();
    let mut look = look(26);
    // As long again as all parts of it.
    look.time.as_mut().expect("just made").sinks[0].mean.latency_ns *= 2.0;
    state.see(look);
    state.press(Key::Letter('8'), 80, 20);
    let shown = shown(&mut state, (80, 24), PLAIN);

    let lines: Vec<&str> = shown.lines().collect();
    let at = lines.iter().position(|line| line.starts_with("  mean")).expect("it is told");
    assert!(lines[at].contains("122 µs") && lines[at].contains("30 % computing"), "{shown}");
    assert_eq!(lines[at + 1].trim().chars().count(), 38, "half of the bar: {shown}");
    assert_eq!(lines[at + 2], "  61 µs of it not accounted for", "{shown}");
    assert!(!lines[at + 3..].iter().any(|line| line.contains("accounted")), "{shown}");
}

fn look_at_25() -> Look {
    look(25)
}

#[test]
fn screens_are_what_they_were() {
    for (size, name) in [((60, 15), "small"), ((80, 24), "usual"), ((140, 45), "large")] {
        assert_shows(&format!("well-{name}"), &shown(&mut state(), size, PLAIN));
        assert_shows(&format!("troubled-{name}"), &shown(&mut troubled(), size, PLAIN));
        let mut state = state();
        state.press(Key::Letter('8'), 80, 20);
        assert_shows(&format!("time-{name}"), &shown(&mut state, size, PLAIN));
    }
    let mut state = troubled();
    for page in Page::ALL {
        let digit = char::from(b'1' + page as u8);
        assert_eq!(state.press(Key::Letter(digit), 80, 20), Wish::Stay);
        let name = page.word().to_lowercase();
        assert_shows(&format!("page-{name}"), &shown(&mut state, (80, 24), PLAIN));
    }
    state.press(Key::Letter('2'), 80, 20);
    state.press(Key::Down, 80, 20);
    state.press(Key::Enter, 80, 20);
    assert_shows("inside-clean", &shown(&mut state, (80, 30), PLAIN));
    state.press(Key::Letter('?'), 80, 20);
    assert_shows("help", &shown(&mut state, (80, 30), PLAIN));
}

#[test]
fn nothing_but_ascii_and_no_colour_where_there_is_none() {
    let bare = Looks { has_colours: false, has_unicode: false };
    for page in '1'..='8' {
        let mut state = troubled();
        state.press(Key::Letter(page), 80, 20);
        let text = shown(&mut state, (80, 24), bare);
        // The foot of a page names the key `?`; elsewhere it would stand for a letter that is not known.
        let (page, foot) = text.trim_end().rsplit_once('\n').expect("lines");
        assert!(foot.contains("? help") && page.is_ascii() && !page.contains('?'), "{text}");
    }
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).expect("memory");
    terminal.draw(|frame| screen::draw(frame, &mut troubled(), bare)).expect("memory");
    let buffer = terminal.backend().buffer();
    assert!(buffer.content.iter().all(|cell| cell.fg == ratatui::style::Color::Reset));
}

#[test]
fn every_size_is_drawn() {
    for columns in 0..100 {
        for rows in [0, 1, 7, 8, 15, 24] {
            for keys in ["", "2", "3", "7", "8", "2\n", "?"] {
                let mut state = troubled();
                for key in keys.chars() {
                    let key = if key == '\n' { Key::Enter } else { Key::Letter(key) };
                    state.press(key, usize::from(columns), usize::from(rows));
                }
                shown(&mut state, (columns, rows), PLAIN);
            }
        }
    }
}

#[test]
fn keys_choose_look_in_and_come_back() {
    let mut state = state();
    state.press(Key::Letter('2'), 80, 20);
    let reversed = |state: &mut State| {
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).expect("memory");
        terminal.draw(|frame| screen::draw(frame, state, PLAIN)).expect("memory");
        let buffer = terminal.backend().buffer().clone();
        let is_reversed =
            |y: &u16| buffer[(0, *y)].modifier.contains(ratatui::style::Modifier::REVERSED);
        let row = (2..23).find(is_reversed).map(usize::from);
        row.map(|y| screen::text_of(&buffer).lines().nth(y).unwrap_or_default().to_owned())
    };
    assert!(reversed(&mut state).expect("one is chosen").starts_with("ecg "));
    state.press(Key::Letter('j'), 80, 20);
    assert!(reversed(&mut state).expect("one is chosen").starts_with("clean "));
    for _ in 0..9 {
        state.press(Key::Down, 80, 20);
    }
    assert!(reversed(&mut state).expect("one is chosen").starts_with("out "), "no further");
    state.press(Key::Letter('k'), 80, 20);
    state.press(Key::Enter, 80, 20);
    assert_eq!(state.inside, Some(2));
    state.press(Key::Back, 80, 20);
    assert_eq!(state.inside, None);

    state.press(Key::Letter('s'), 80, 20);
    assert_eq!(state.order(), "core");
    assert!(shown(&mut state, (80, 24), PLAIN).lines().nth(3).expect("a row").starts_with("beats"));

    state.press(Key::Letter('/'), 80, 20);
    for letter in "BAND".chars() {
        state.press(Key::Letter(letter), 80, 20);
    }
    state.press(Key::Enter, 80, 20);
    let text = shown(&mut state, (80, 24), PLAIN);
    assert!(text.contains("clean") && !text.contains("beats"), "{text}");
    state.press(Key::Back, 80, 20);
    assert!(shown(&mut state, (80, 24), PLAIN).contains("beats"));
    assert_eq!(state.press(Key::Letter('q'), 80, 20), Wish::Quit);
}

#[test]
fn what_is_frozen_stands_still_and_goes_on_where_it_is() {
    let mut state = state();
    let before = shown(&mut state, (80, 24), PLAIN);
    state.press(Key::Letter('p'), 80, 20);
    (26..60).for_each(|at_s| state.see(look(at_s)));
    let frozen = shown(&mut state, (80, 24), PLAIN);
    assert!(frozen.contains("FROZEN"));
    assert_eq!(
        frozen.lines().take(20).collect::<Vec<_>>(),
        before.lines().take(20).collect::<Vec<_>>()
    );
    state.press(Key::Letter('p'), 80, 20);
    assert!(shown(&mut state, (80, 24), PLAIN).contains("0:59 / 2:00"));
}

#[test]
fn one_that_is_stopped_is_told_until_it_goes_on() {
    let mut state = state();
    state.is_silent = true;
    let text = shown(&mut state, (80, 24), PLAIN);
    assert!(text.starts_with("biofeedback  does not answer; it may be stopped"), "{text}");
    state.is_silent = false;
    assert!(shown(&mut state, (80, 24), PLAIN).starts_with("biofeedback  running"));
}

#[test]
fn how_it_ended_stays_to_be_read() {
    let mut state = state();
    state.ended = Some("failed after 0:25: node `clean`: a sample is not finite".to_owned());
    let text = shown(&mut state, (80, 24), PLAIN);
    assert!(
        text.starts_with("biofeedback  failed after 0:25: node `clean`: a sample is"),
        "{text}"
    );
    assert!(text.contains("bandpass"), "the last figures stay: {text}");
}
