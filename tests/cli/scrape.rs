//! `--metrics`: what Prometheus gets.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
};

use crate::program::{Folder, HEART, end_of, start};

pub(crate) fn get(address: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").expect("it is heard");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the answer is text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
    body.to_owned()
}

/// The value of a series, by its name and labels.
pub(crate) fn value(page: &str, series: &str) -> f64 {
    let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in\n{page}")).parse().expect("a number")
}

#[test]
fn every_frame_is_accounted_for_while_it_runs() {
    let folder = Folder::with(&[("heart.toml", HEART)]);
    let mut child = start(&folder, &["run", "heart.toml", "--metrics", "127.0.0.1:0"]);
    let mut said = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut line = String::new();
    said.read_line(&mut line).expect("stderr is text");
    let address = line.trim().strip_prefix("metrics at http://").expect("it says where");
    let address = address.strip_suffix("/metrics").expect("it says where");
    // A line on stdout says that beats arrive.
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe"));
    lines.read_line(&mut String::new()).expect("lines are text");

    let page = get(address);
    let again = get(address);
    child.kill().expect("it runs");
    end_of(&mut child);

    let edge = |name: &str| value(&page, &format!("{name}{{graph=\"heart\",edge=\"ecg->clean\"}}"));
    let dropped: f64 = page
        .lines()
        .filter(|line| line.starts_with("afferent_edge_dropped_frames_total"))
        .filter(|line| line.contains("edge=\"ecg->clean\""))
        .map(|line| line.rsplit_once(' ').expect("a value").1.parse::<f64>().expect("a number"))
        .sum();
    let (entered, left) =
        (edge("afferent_edge_in_frames_total"), edge("afferent_edge_out_frames_total"));
    assert!(entered > 0.0);
    assert_eq!(entered, left + dropped + edge("afferent_edge_in_flight_frames"));
    assert_eq!(value(&page, "afferent_sessions_open{graph=\"heart\"}"), 1.0);
    assert_eq!(value(&page, "afferent_deadline_seconds{graph=\"heart\",node=\"out\"}"), 0.5);
    assert_eq!(value(&page, "afferent_source_nominal_hz{graph=\"heart\",node=\"ecg\"}"), 250.0);
    let source = |name: &str| {
        value(&page, &format!("afferent_source_{name}{{graph=\"heart\",node=\"ecg\"}}"))
    };
    assert!(source("samples_total") >= source("frames_total"));
    // At the pace of the content, but a busy machine may be behind.
    let measured_hz = source("measured_hz");
    assert!(0.0 < measured_hz && measured_hz < 500.0, "{measured_hz}");
    let latency = |part: &str, labels: &str| {
        let name = format!("afferent_sink_latency_seconds{part}");
        value(&page, &format!("{name}{{graph=\"heart\",node=\"out\"{labels}}}"))
    };
    assert!(latency("_count", "") > 0.0 && latency("_sum", "") > 0.0);
    assert_eq!(latency("_bucket", ",le=\"+Inf\""), latency("_count", ""));
    assert!(latency("_bucket", ",le=\"0.00001\"") <= latency("_bucket", ",le=\"10\""));
    let stage = |name: &str, labels: &str| {
        value(&page, &format!("afferent_stage_{name}{{graph=\"heart\",stage=\"0\"{labels}}}"))
    };
    assert_eq!(stage("state", ",state=\"running\""), 1.0);
    assert_eq!(stage("state", ",state=\"trouble\""), 0.0);
    assert_eq!(stage("restarts_total", ""), 0.0);
    assert!(!page.contains("session=\""), "sessions are no label");
    let in_all = "afferent_source_frames_total{graph=\"heart\",node=\"ecg\"}";
    assert!(value(&again, in_all) >= value(&page, in_all), "counters never go back");
}
