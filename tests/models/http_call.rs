//! `http_call` against a real server on this machine.

use std::{
    sync::{Mutex, atomic::Ordering},
    time::Duration,
};

use afferent_suite::kinds::{tallied, tally};
use engine::{EventFormat, EventReader, Field, FieldValue, Frame, Gap};

use crate::{
    edge, run,
    server::{Request, serve, wait},
    try_plan,
};

/// Each frame is asked about.
fn graph(name: &str, url: &str, params: &str) -> String {
    crate::graph(name, "", &format!("op = \"http_call\"\nurl = {url:?}\n{params}"))
}

fn twice(request: &Request) -> Vec<u8> {
    let floats = request.body.chunks_exact(4);
    let floats = floats.map(|raw| 2.0 * f32::from_le_bytes(raw.try_into().expect("four bytes")));
    floats.flat_map(f32::to_le_bytes).collect()
}

/// `label` and `score` of the event in a frame.
fn read(frame: &Frame) -> (Option<String>, Option<f64>) {
    let format = EventFormat {
        fields: vec![Field::text("label", 1 << 10), Field::f64("score")],
        rate_max: 1.0,
    };
    let event = EventReader::new(&format, frame);
    let label = match event.field(0) {
        Some(FieldValue::Text(text)) => Some(text.to_owned()),
        _ => None,
    };
    (label, event.f64(1))
}

#[test]
fn raw_questions_come_back_in_order_as_a_signal() {
    // Every third answer takes longer than those behind it.
    let (url, asked) = serve(|request| {
        if request.number % 3 == 0 {
            wait(Duration::from_millis(5));
        }
        assert_eq!(request.header("afferent-type"), Some("f32"));
        assert_eq!(request.header("afferent-shape"), Some("1,10"));
        assert_eq!(request.header("authorization"), None);
        Some((200, twice(request)))
    });
    let (running, _) = run(&graph("in_order", &url, "send = \"raw\"\nin_flight = 8"));

    let (samples, headers) = tallied("in_order");
    assert_eq!(samples, (0..400).map(|n| 2.0 * n as f32).collect::<Vec<_>>());
    let times: Vec<i64> = headers.iter().map(|(time, _)| *time).collect();
    assert_eq!(times, (0..40).map(|n| n * 10_000_000).collect::<Vec<i64>>());
    assert_eq!(asked.load(Ordering::SeqCst), 40);
    assert_eq!(edge(&running, "count", "ask").frames.taken, 40);
}

#[test]
fn json_answers_become_events() {
    let (url, _) = serve(|request| {
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(request.header("x-more"), Some("yes"));
        let body = String::from_utf8(request.body.clone()).expect("JSON is UTF-8");
        let first = body.split("\"0\":[").nth(1).and_then(|rest| rest.split(',').next());
        let score = first.expect("channel 0").to_owned();
        Some((200, format!("{{\"label\":\"n{score}\",\"score\":{score},\"t\":[1]}}").into_bytes()))
    });
    let params = "fields = [\"label: text\", \"score: number\"]\nheaders = [\"x-more: yes\"]";
    run(&graph("events", &url, params));

    let frames = tally("events");
    assert_eq!(frames.len(), 40);
    assert_eq!(read(&frames[3].1), (Some("n30.0".to_owned()), Some(30.0)));
    assert_eq!(frames[3].1.header.time.nanos(), 30_000_000);
}

#[test]
fn what_fails_is_asked_again_and_told_with_its_reason() {
    let (url, asked) = serve(|request| match request.number {
        // Every question fails once, two of them three times.
        number if number < 40 && number % 2 == 0 => Some((503, b"busy".to_vec())),
        _ => Some((200, twice(request))),
    });
    let (running, _) = run(&graph("again", &url, "send = \"raw\"\nin_flight = 1\nretries = 3"));
    assert_eq!(tally("again").len(), 40);
    assert_eq!(asked.load(Ordering::SeqCst), 60);
    assert_eq!(running.report().node("ask").expect("a node").restarts, 0);

    let (url, _) = serve(|request| match request.number {
        7 => Some((503, b"busy".to_vec())),
        _ => Some((200, twice(request))),
    });
    let (running, _) = run(&graph("told", &url, "send = \"raw\"\nin_flight = 1"));
    let frames = tally("told");
    assert_eq!(frames.len(), 39);
    assert_eq!(frames[7].1.header.gap.get(), Some(Gap::Poison));
    assert_eq!(edge(&running, "count", "ask").frames.dropped_in_all(), 1);
    let told = format!("{:?}", running.report().remarks);
    assert!(told.contains("1 question was not answered; the last one: `http://127."), "{told}");
    assert!(told.contains("answered 503 Service Unavailable: busy"), "{told}");
}

#[test]
fn what_has_no_answer_gets_the_fallback() {
    let said = [
        ("hangs_up", None),
        ("no_json", Some((200, b"<html>".to_vec()))),
        ("wrong_type", Some((200, b"{\"label\":3}".to_vec()))),
        ("redirected", Some((302, Vec::new()))),
        ("endless", Some((200, vec![b' '; 2 << 20]))),
    ];
    for (name, said) in said {
        let (url, _) = serve(move |_| said.clone());
        let params = "fields = [\"label: text\", \"score\"]\n\
                      fallback = '{\"label\": \"unknown\"}'\nin_flight = 4";
        let (running, _) = run(&graph(name, &url, params));

        let frames = tally(name);
        assert_eq!(frames.len(), 40, "{name}");
        assert!(frames.iter().all(|(_, frame)| frame.header.gap.is_none()), "{name}");
        assert_eq!(read(&frames[0].1), (Some("unknown".to_owned()), None), "{name}");
        assert_eq!(edge(&running, "count", "ask").frames.dropped_in_all(), 0, "{name}");
    }
}

#[test]
fn nobody_there_is_no_end_of_the_run() {
    // A port that nobody listens on: bound, and free again.
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/", port.local_addr().expect("bound"));
    drop(port);
    let (running, _) = run(&graph("nobody", &url, "send = \"raw\"\nfallback = \"-1\""));

    let (samples, _) = tallied("nobody");
    assert_eq!(samples, vec![-1.0; 400]);
    let told = format!("{:?}", running.report().remarks);
    assert!(told.contains("40 questions were not answered; the last one: cannot ask"), "{told}");
    assert!(told.contains("refused"), "{told}");
}

#[test]
fn what_takes_too_long_is_late() {
    let (url, _) = serve(|request| {
        if request.number % 2 == 1 {
            wait(Duration::from_secs(4));
        }
        Some((200, twice(request)))
    });
    let (running, _) =
        run(&graph("late", &url, "send = \"raw\"\nwithin_ms = 1_000.0\nin_flight = 40"));

    let frames = edge(&running, "count", "ask").frames;
    assert_eq!((frames.sent, frames.taken + frames.dropped[1]), (40, 40));
    assert!((15..=25).contains(&frames.dropped[1]), "{frames:?}");
    assert!(format!("{:?}", running.report().remarks).contains("not answered in time"));
}

#[test]
fn the_same_question_is_asked_once() {
    let (url, asked) = serve(|request| Some((200, twice(request))));
    let text = |params: &str| {
        format!(
            r#"
            [graph]
            name = "asks"
            [cache.answers]
            entries = 100
            [node.sine]
            op = "sine"
            seconds = 2.0
            rate_hz = 100.0
            amplitude = 0.0
            offset = 3.0
            frame_ms = 100.0
            [node.ask]
            op = "http_call"
            from = "sine"
            url = "{url}"
            send = "raw"
            in_flight = 1
            {params}
            [node.same]
            op = "tally"
            from = "ask"
            "#
        )
    };
    let (running, _) = run(&text("cache = \"answers\""));

    let (samples, _) = tallied("same");
    assert_eq!(samples, vec![6.0; 200]);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let told = running.report().services[0].1.clone();
    assert!(told.starts_with("20 questions, 95.0 % not asked: 19 in memory"), "{told}");
    run(&text("skip_unchanged = 0.0"));
    assert_eq!(tallied("same").0, vec![6.0; 200]);
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    run(&text(""));
    assert_eq!(asked.load(Ordering::SeqCst), 22);
}

#[test]
fn a_slow_service_is_asked_once_by_many_sessions() {
    let (url, asked) = serve(|request| {
        wait(Duration::from_millis(100));
        Some((200, twice(request)))
    });
    let text = graph("flocked", &url, "send = \"raw\"\ncache = \"answers\"\nin_flight = 40");
    let text = text.replace("[node.count]", "[cache.answers]\n[node.count]");
    crate::run_plan(&try_plan(&text).expect("a plan"), 8);

    assert_eq!(tallied("flocked").0.len(), 8 * 400);
    assert_eq!(asked.load(Ordering::SeqCst), 40);
}

#[test]
fn a_token_is_read_from_where_the_graph_says() {
    static SEEN: Mutex<Option<String>> = Mutex::new(None);
    let (url, _) = serve(|request| {
        *SEEN.lock().expect("sound") = request.header("authorization").map(str::to_owned);
        Some((200, twice(request)))
    });
    // A variable that is set in every test process, whatever it holds.
    run(&graph("token", &url, "send = \"raw\"\ntoken_env = \"CARGO_PKG_NAME\""));
    let want = format!("Bearer {}", std::env::var("CARGO_PKG_NAME").expect("set by cargo"));
    assert_eq!(*SEEN.lock().expect("sound"), Some(want));
}

#[test]
fn a_wrong_call_is_refused_with_place_and_remedy() {
    let said = |params: &str| {
        let text = graph("wrong", "http://127.0.0.1:1/", params);
        try_plan(&text).map(|_| ()).unwrap_err().to_string()
    };
    assert!(said("fields = [\"label: string\"]").contains("none of number, integer, text"));
    assert!(said("fields = [\"a\"]\nshape = [2.0]").contains("two sorts of answers"));
    assert!(said("shape = [0.5]").contains("shape"));
    assert!(said("fields = [\"a\"]\nfallback = \"{\"").contains("`fallback` is no JSON"));
    assert!(said("fields = [\"a\"]\nfallback = '{\"a\":\"x\"}'").contains("does not fit"));
    assert!(said("headers = [\"nothing\"]").contains("is no header"));
    assert!(said("cache = \"answers\"").contains("the graph has no `[cache.answers]`"));
    let text = graph("wrong", "127.0.0.1:1/", "");
    let said = try_plan(&text).map(|_| ()).unwrap_err().to_string();
    assert!(said.contains("is no address") || said.contains("neither http"), "{said}");
}
