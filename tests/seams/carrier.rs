//! One graph on two hosts: the same output as on one.

use std::sync::Arc;

use afferent_suite::kinds::tally;
use engine::{PlanOptions, testing::LoopbackCarrier};

use crate::{finish, options, start, try_plan};

/// A heart on the edge, its beats in the cloud; a join that needs both hosts, and events and a
/// picked channel that go across.
fn graph(key: &str) -> String {
    format!(
        r#"
        [graph]
        name = "hosts"
        [host.edge]
        [host.cloud]
        [node.ecg]
        op = "ecg"
        seconds = 30.0
        on = "edge"
        [node.clean]
        op = "bandpass"
        from = "ecg"
        low_hz = 5.0
        high_hz = 15.0
        [node.beats]
        op = "qrs"
        from = "clean[ECG]"
        on = "cloud"
        [node.hrv]
        op = "hrv"
        from = "beats"
        window_s = 10.0
        [node.sum]
        op = "sum"
        from = {{ in = "ecg", other = "clean" }}
        on = "cloud"
        [node.out]
        op = "tally"
        from = ["beats", "hrv", "ecg.truth", "sum"]
        on = "cloud"
        key = "{key}"
        "#
    )
}

type Taken = (usize, i64, Option<engine::Gap>, Vec<u8>);

fn taken(key: &str) -> Vec<Taken> {
    let frames = tally(key).into_iter().map(|(line, frame)| {
        (line, frame.header.time.nanos(), frame.header.gap.get(), frame.buffer().bytes().to_vec())
    });
    frames.collect()
}

#[test]
fn a_graph_on_two_hosts_gives_what_it_gives_on_one() {
    let whole = try_plan(&graph("whole"), &options()).unwrap_or_else(|why| panic!("{why}"));
    finish(&start(&whole, 1));
    let want = taken("whole");
    assert!(want.len() > 1_500, "{} frames", want.len());

    let carrier = Arc::new(LoopbackCarrier::default());
    let on = |host: &str| {
        let (host, carrier) = (Some(host.to_owned()), Some(carrier.clone() as _));
        let options = PlanOptions { host, carrier, ..options() };
        try_plan(&graph("split"), &options).unwrap_or_else(|why| panic!("{why}"))
    };
    let (edge, cloud) = (on("edge"), on("cloud"));
    assert!(!edge.node_names().any(|name| name == "beats"));
    assert!(!cloud.node_names().any(|name| name == "clean"));
    let (edge, cloud) = (start(&edge, 1), start(&cloud, 1));
    finish(&edge);
    finish(&cloud);

    let got = taken("split");
    let differs = got.iter().zip(&want).position(|(got, want)| got != want);
    assert_eq!(differs.map(|n| (&got[n], &want[n])), None);
    assert_eq!(got.len(), want.len());
}

fn refused(text: &str, host: &str) -> String {
    let options = PlanOptions { host: Some(host.to_owned()), ..options() };
    try_plan(text, &options).err().map(|problems| problems.to_string()).unwrap_or_default()
}

#[test]
fn what_is_wrong_with_hosts_is_told() {
    let told = refused(&graph("x"), "cluod");
    assert!(told.contains("error[unknown-host]: there is no host `cluod`"), "{told}");
    assert!(told.contains("did you mean `cloud`?"), "{told}");

    let told = refused(&graph("x"), "cloud");
    assert!(told.contains("error[no-carrier]"), "{told}");

    let told = refused(&graph("x").replacen("on = \"edge\"", "", 1), "edge");
    assert!(told.contains("error[no-host]: where `ecg` runs is not said"), "{told}");

    let told = refused(&graph("x").replacen("on = \"edge\"", "on = \"egde\"", 1), "edge");
    assert!(told.contains("error[unknown-host]: there is no host `egde`"), "{told}");
    assert!(told.contains("on = \"egde\""), "{told}");
}

#[test]
fn both_hosts_name_the_same_cut_edges_in_one_order() {
    let cut = |host: &str| {
        let carrier = Some(Arc::new(LoopbackCarrier::default()) as _);
        let options = PlanOptions { host: Some(host.to_owned()), carrier, ..options() };
        try_plan(&graph("x"), &options).unwrap_or_else(|why| panic!("{why}")).cut_edges()
    };

    let (edge, cloud) = (cut("edge"), cut("cloud"));
    assert_eq!(edge, cloud);
    let names: Vec<String> = edge.iter().map(engine::CutEdge::name).collect();
    let want = ["clean -> beats", "ecg.truth -> out#2", "ecg -> sum", "clean -> sum#1"];
    assert_eq!(names, want);
    assert!(edge.iter().all(|edge| edge.hosts == ["edge", "cloud"] && !edge.behind_device));
    // What `beats` and `hrv` make of it is behind by what a detector looks back.
    assert!(edge[0].lag_ns > 1_000_000_000, "{}", edge[0].lag_ns);
}

#[test]
fn the_whole_says_who_runs_what() {
    let whole = try_plan(&graph("x"), &options()).unwrap_or_else(|why| panic!("{why}"));

    let homes = whole.homes().unwrap_or_else(|why| panic!("{why}"));
    let nodes: Vec<(&str, String)> =
        homes.iter().map(|(host, nodes)| (&host[..], nodes.join(" "))).collect();
    assert_eq!(nodes, [("edge", "ecg clean".into()), ("cloud", "beats hrv sum out".into())]);
}
