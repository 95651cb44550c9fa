//! The end: what is open is answered, and nothing new is taken.

use std::net::TcpStream;

use engine::Gap;

use super::{oracle, serve, until};
use crate::LIMIT;

#[test]
fn a_drained_graph_answers_what_is_open_and_takes_nothing_more() {
    let serving = serve(&oracle("within_ms = 60_000.0", ""));
    let (address, _) = serving.at("ask");

    std::thread::scope(|scope| {
        let ask = |n: usize| {
            let serving = &serving;
            scope.spawn(move || serving.ask_floats("ask", &[300.0, n as f32, 0.0, 0.0]))
        };
        let open: Vec<_> = (0..8).map(ask).collect();
        let asked = || serving.running.report().edge("ask", "picky").expect("an edge").frames.sent;
        until(|| asked() == 8);
        serving.running.drain();
        for (n, waits) in open.into_iter().enumerate() {
            let said = waits.join().expect("it asks");
            assert_eq!((said.status, said.floats()[1]), (200, 2.0 * n as f32), "{}", said.text());
        }
    });
    serving.drain();
    until(|| TcpStream::connect(address).is_err());
    let answered = serving.running.report().edge("oracle", "answer").expect("an edge").frames;
    assert_eq!((answered.sent, answered.taken), (8, 8));
}

#[test]
fn what_is_still_open_when_a_graph_is_stopped_is_told() {
    let serving = serve(&oracle("within_ms = 600_000.0", ""));

    std::thread::scope(|scope| {
        let waits = scope.spawn(|| serving.ask_floats("ask", &[-2.0, 0.0, 0.0, 0.0]));
        let asked = || serving.running.report().edge("ask", "picky").expect("an edge").frames.sent;
        until(|| asked() == 1);
        serving.running.stop();
        let said = waits.join().expect("it asks");
        assert_eq!(said.status, 503, "{}", said.text());
        assert!(said.text().contains("the graph ended without an answer"), "{}", said.text());
    });
    serving.running.wait_for(LIMIT).expect("ends");
    let report = serving.running.report();
    assert!(report.is_balanced(), "{:?}", report.edges);
    let closed = Gap::ALL.iter().position(|gap| *gap == Gap::Closed).expect("one");
    let dropped: u64 = report.edges.iter().map(|edge| edge.frames.dropped[closed]).sum();
    assert_eq!(dropped, 1, "{:?}", report.edges);
}

#[test]
fn a_paused_graph_says_so() {
    let serving = serve(&oracle("", ""));

    serving.running.pause(0).expect("a session");
    let mut said = serving.ask_floats("ask", &[0.0; 4]);
    // Sources hear of a pause a moment later.
    until(|| serving.ask_floats("ask", &[0.0; 4]).status == 503 || said.status == 503);
    said = serving.ask_floats("ask", &[0.0; 4]);
    assert!(said.text().contains("the graph is paused"), "{}", said.text());
    serving.running.resume(0).expect("a session");
    until(|| serving.ask_floats("ask", &[0.0; 4]).status == 200);
    serving.drain();
}
