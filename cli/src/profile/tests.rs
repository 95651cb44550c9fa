use engine::{Load, NodeLoad, Parts, Role, SinkTime};

use super::{svg, text};

fn node(name: &str, stage: Option<usize>, calls: u64, mean_ns: f64) -> NodeLoad {
    NodeLoad {
        name: name.to_owned(),
        role: if stage.is_some() { Role::Operator } else { Role::WaitingSink },
        stage,
        core: stage.map(|_| 0),
        model: None,
        is_written: true,
        is_in_named_stage: false,
        keys: Vec::new(),
        joins: false,
        calls,
        mean_ns,
        pace: None,
        is_gone: false,
    }
}

fn load() -> Load {
    let mut time = engine::Attribution::default();
    let waits = Parts { waiting: [400.0, 0.0, 0.0, 0.0], computing: 500.0, moving: 100.0 };
    let names = ["clean", "a<b", "out"];
    time.nodes = names.iter().map(|name| (*name).to_owned()).collect();
    time.sinks = vec![SinkTime {
        node: 2,
        name: "out".to_owned(),
        journeys: 1,
        latency_ns: 1_000,
        nodes: [(1, waits)].into(),
        ..SinkTime::default()
    }];
    Load {
        lasted_ns: 1_000_000_000,
        is_fast: true,
        sessions: 1,
        nodes: vec![
            node("clean", Some(0), 1_000, 100_000.0),
            node("a<b", Some(0), 1_000, 700_000.0),
            node("out", None, 1_000, 10.0),
        ],
        cores: vec![0.95],
        time,
        ..Load::default()
    }
}

#[test]
fn the_picture_has_every_node_by_its_share_and_no_bare_brackets() {
    let picture = svg("graph", &load());

    for title in [
        "clean: 10 % of a core, 1000 calls × 100 µs",
        "a&lt;b: 70 % of a core",
        "runtime: 15 % of a core",
    ] {
        assert!(picture.contains(title), "{title}\n{picture}");
    }
    assert!(!picture.contains("a<b"));
    assert!(picture.contains("a&lt;b: waiting (ring) 0.40 µs, 40.0 %"), "{picture}");
}

#[test]
fn the_words_say_where_the_time_went_and_what_to_change() {
    let told = text(&load());

    assert!(told.contains("40 % waiting (ring 40 %), 50 % computing, 10 % moving"), "{told}");
    assert!(told.contains("limit    compute `a<b`"), "{told}");
    assert!(told.contains("change: less work per frame in `[node.a<b]` (700.0 µs now)"), "{told}");
}

#[test]
fn what_parts_do_not_account_for_is_said() {
    let mut load = load();
    load.time.sinks[0].latency_ns = 1_250_000;
    load.time.sinks[0].nodes[0].1.computing = 850_000.0;
    let told = text(&load);
    assert!(told.contains("`out` 1.2 ms on the mean of 1 frame: 0 % waiting, 68 %"), "{told}");
    assert!(told.contains("moving; 400 µs of it not accounted for; most at `a<b` 68 %"), "{told}");
    assert!(svg("graph", &load).contains("400 µs of it not accounted for"));

    load.time.sinks[0].nodes[0].1.computing = 1_300_000.0;
    let told = text(&load);
    assert!(told.contains("; 50 µs more than was measured;"), "{told}");
}

#[test]
fn what_was_measured_to_be_more_than_there_is_stays_on_the_page() {
    let mut load = load();
    load.nodes[0].calls *= 40;
    let picture = svg("graph", &load);

    assert!(picture.contains("clean: 400 % of a core"), "{picture}");
    for rect in picture.split("<rect ").skip(1) {
        let rect = format!(" {}", rect.split('>').next().unwrap_or(rect));
        let number = |key: &str| {
            let from = rect.split_once(&format!("{key}=\"")).map(|(_, rest)| rest);
            from.and_then(|rest| rest.split('"').next()?.parse::<f64>().ok()).unwrap_or(0.0)
        };
        assert!(number(" x") + number("width") <= 1_000.5, "{rect}");
    }
}

#[test]
fn nodes_that_take_next_to_nothing_are_one_box() {
    let mut load = load();
    load.nodes.extend((0..40).map(|n| node(&format!("tiny{n}"), Some(0), 10, 10.0)));
    let picture = svg("graph", &load);

    assert!(picture.contains("tiny0, tiny1") && picture.contains("and 32 more"), "{picture}");
    assert!(!picture.contains(">tiny30"), "{picture}");
}
