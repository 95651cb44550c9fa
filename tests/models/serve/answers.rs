//! Questions that get their answers.

use std::io::{BufReader, Write};

use afferent_suite::kinds::{tallied, tally};

use super::{bytes, connect, hear, oracle, request, serve, serve_in};
use crate::run_plan;

#[test]
fn numbers_in_memory_and_in_json_mean_the_same() {
    let serving = serve(&oracle("", ""));

    let said = serving.ask_floats("ask", &[0.0, 1.5, -2.5, 4.0]);
    assert_eq!((said.status, said.floats()), (200, vec![0.0, 3.0, -5.0, 8.0]));
    assert!(said.head.contains("afferent-shape: 4\r\n"), "{}", said.head);

    for body in ["{\"values\":[0,1.5,-2.5,4]}", " [0, 1.5, -2.5, 4.0]\n"] {
        let said = serving.ask("ask", body.as_bytes(), &[]);
        assert_eq!(said.status, 200, "{}", said.text());
        assert!(said.head.contains("content-type: application/json"), "{}", said.head);
        assert!(said.text().contains("\"values\":[0.0,3.0,-5.0,8.0]"), "{}", said.text());
    }
    serving.drain();
}

#[test]
fn events_and_pieces_of_signals_are_asked_about() {
    let serving = serve(
        r#"
        [graph]
        name = "two"
        [node.text]
        op = "http"
        fields = ["text: text", "level: number", "wave: numbers"]
        port = 0
        [node.piece]
        op = "http"
        channels = ["a", "b"]
        rate_hz = 100.0
        samples_max = 50
        port = 0
        path = "/deep/piece"
        [node.answer]
        op = "http"
        from = ["text", "piece"]
        "#,
    );

    let said = serving.ask("text", br#"{"text":"h\u00e9","wave":[1,2.5],"more":1}"#, &[]);
    assert_eq!(said.status, 200, "{}", said.text());
    assert!(said.text().contains(r#""text":"hé","wave":[1.0,2.5]}"#), "{}", said.text());

    let question = br#"{"samples":{"b":[4,5,null],"a":[1,2,3]}}"#;
    let said = serving.ask("piece", question, &[]);
    assert_eq!(said.status, 200, "{}", said.text());
    assert!(said.text().contains(r#""samples":{"a":[1.0,2.0,3.0],"b":[4.0,5.0,null]}"#));

    let said = serving.ask_floats("piece", &[1.0, 2.0, 3.0, 4.0]);
    assert_eq!((said.status, said.floats()), (200, vec![1.0, 2.0, 3.0, 4.0]));
    assert!(said.head.contains("afferent-shape: 2,2\r\n"), "{}", said.head);
    assert_eq!(serving.at("text").0, serving.at("piece").0, "they share a listener");
    serving.drain();
}

#[test]
fn pieces_of_a_signal_know_nothing_of_each_other() {
    let serving = serve(
        r#"
        [graph]
        name = "smooth"
        [node.ask]
        op = "http"
        channels = ["a"]
        rate_hz = 100.0
        port = 0
        [node.smooth]
        op = "smooth"
        from = "ask"
        cutoff_hz = 1.0
        [node.answer]
        op = "http"
        from = "smooth"
        "#,
    );
    let piece: Vec<f32> = (0..30).map(|n| n as f32).collect();

    let first = serving.ask_floats("ask", &piece).floats();
    assert!(first[29] > 1.0 && first[29] < 29.0, "{first:?}");
    for _ in 0..3 {
        assert_eq!(serving.ask_floats("ask", &piece).floats(), first);
    }
    serving.drain();
}

/// 32 callers at once, each keeping its connection: every answer is that of its own question.
fn nobody_gets_the_answer_of_another(sessions: u32) {
    let serving = serve_in(&oracle("within_ms = 60_000.0", ""), sessions);
    let (address, path) = serving.at("ask");
    std::thread::scope(|scope| {
        for caller in 0..32 {
            let path = &path;
            scope.spawn(move || {
                let mut stream = connect(address);
                let mut heard = BufReader::new(stream.try_clone().expect("a socket"));
                for n in 0..60 {
                    // Some take a while, so that answers overtake questions of others.
                    let delay = if (caller + n) % 7 == 0 { (n % 5) as f32 } else { 0.0 };
                    let question = [delay, caller as f32, n as f32, (caller * 1_000 + n) as f32];
                    let raw = "content-type: application/octet-stream";
                    let headers = [raw, "accept: application/octet-stream"];
                    let sent = request("POST", path, &bytes(&question), &headers);
                    stream.write_all(&sent).expect("it hears");
                    let said = hear(&mut heard).expect("an answer");
                    assert_eq!(said.status, 200, "{}", said.text());
                    assert_eq!(said.floats(), question.map(|x| 2.0 * x));
                }
            });
        }
    });
    serving.drain();
    let taken = serving.running.report().edge("oracle", "answer").expect("an edge").frames.taken;
    assert_eq!(taken, 32 * 60);
}

#[test]
fn nobody_gets_the_answer_of_another_in_one_session() {
    nobody_gets_the_answer_of_another(1);
}

#[test]
fn nobody_gets_the_answer_of_another_over_two_sessions() {
    nobody_gets_the_answer_of_another(2);
}

#[test]
fn a_graph_asks_a_graph() {
    let serving = serve(
        r#"
        [graph]
        name = "asked"
        [node.piece]
        op = "http"
        channels = ["0"]
        rate_hz = 1_000.0
        port = 0
        [node.event]
        op = "http"
        fields = ["rate_hz: number", "t_s: number"]
        port = 0
        [node.smooth]
        op = "oracle"
        from = "piece"
        [node.answer]
        op = "http"
        from = ["smooth", "event"]
        "#,
    );
    let url = |node: &str| {
        let (address, path) = serving.at(node);
        format!("http://{address}{path}")
    };

    for (name, send) in [("asks_raw", "raw"), ("asks_json", "json")] {
        // A signal in, as many samples out; the first of them says how long the oracle takes.
        let params = format!(
            "op = \"http_call\"\nurl = {:?}\nsend = \"{send}\"\nin_flight = 2\nwithin_ms = 60_000.0",
            url("piece")
        );
        let plan = crate::try_plan(&crate::graph(name, "", &params).replace("= 400", "= 40"));
        run_plan(&plan.unwrap_or_else(|problems| panic!("{problems}")), 1);
        let (samples, _) = tallied(name);
        assert_eq!(samples, (0..40).map(|n| 2.0 * n as f32).collect::<Vec<_>>());
    }

    let params =
        format!("op = \"http_call\"\nurl = {:?}\nfields = [\"rate_hz: number\"]", url("event"));
    let plan = crate::try_plan(&crate::graph("asks_event", "", &params));
    run_plan(&plan.unwrap_or_else(|problems| panic!("{problems}")), 1);
    let frames = tally("asks_event");
    assert_eq!(frames.len(), 40);
    let format = engine::EventFormat { fields: vec![engine::Field::f64("rate_hz")], rate_max: 1.0 };
    assert_eq!(engine::EventReader::new(&format, &frames[39].1).f64(0), Some(1_000.0));
    serving.drain();
}
