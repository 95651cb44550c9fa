//! Links over real sockets of one host, where they work and where a relay makes them bad.

mod support;

use std::{future::poll_fn, time::Duration};

use link::{
    driver::{Calls, Connection, Ended, Event, Settings, turn_away},
    session::{SessionConfig, StreamKey, Timing},
    testing::{Relay, Way, Weather},
    wire::{ByeReason, Hello, Message, NEWEST, OLDEST, put_preamble},
};
use support::{
    BACK, BULK, EVENTS, Host, LONG, MS, SENSOR, Trust, bulk, called, client, config, dial, dialer,
    drain, event, found, host, pace, send, server, signal, trust,
};
use tokio::task::JoinHandle;

/// Two hosts, the first of which calls the second by a network of such weathers.
fn hosts(
    trust: &Trust,
    weathers: [Weather; 2],
    seed: u64,
    change: fn(SessionConfig) -> SessionConfig,
) -> (Host, Host, Relay) {
    let endpoint = server(trust);
    let address = endpoint.local_addr().expect("bound");
    let ways = [0, 1].map(|n| Way::new(weathers[n], seed * 2 + n as u64));
    let relay = Relay::start(address, ways).expect("a port");
    let cloud = host(change(config(1, 11)), Settings::default(), called(&endpoint));
    let calls = dialer(trust, relay.address());
    let edge = host(change(config(0, 10)), Settings::default(), calls);
    (edge, cloud, relay)
}

async fn ends(host: Host) -> Ended {
    host.ended.await.expect("no panic")
}

async fn both_are_done(edge: Host, cloud: Host) {
    for host in [edge, cloud] {
        let ended = ends(host).await;
        assert_eq!((ended.reason, ended.left), (ByeReason::Done, 0), "{}", ended.text);
    }
}

#[tokio::test]
async fn everything_arrives_and_both_sides_end() {
    let trust = trust();
    let endpoint = server(&trust);
    let address = endpoint.local_addr().expect("bound");
    let mut cloud = host(config(1, 11), Settings::default(), called(&endpoint));
    let mut edge = host(config(0, 10), Settings::default(), dialer(&trust, address));

    tokio::spawn(send(edge.outlet(SENSOR), 100, signal));
    tokio::spawn(send(edge.outlet(EVENTS), 5_000, event));
    tokio::spawn(send(edge.outlet(BULK), 1, bulk));
    tokio::spawn(send(cloud.outlet(BACK), 300, event));
    let work = async {
        let (sensor, events, bulk, back) = tokio::join!(
            drain(cloud.inlet(SENSOR)),
            drain(cloud.inlet(EVENTS)),
            drain(cloud.inlet(BULK)),
            drain(edge.inlet(BACK)),
        );
        assert_eq!(sensor.0.len() as u64 + sensor.1, 100);
        assert!(sensor.0.is_sorted());
        assert_eq!(events, ((0..5_000).collect(), 0));
        assert_eq!(bulk, (vec![0], 0));
        assert_eq!(back, ((0..300).collect(), 0));
        both_are_done(edge, cloud).await;
    };
    tokio::time::timeout(LONG, work).await.expect("it ends");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_network_loses_nothing_durable_and_nothing_without_a_word() {
    let weather = Weather {
        jitter_ns: 3 * MS,
        loss: 0.08,
        burst: 2.5,
        reorder: 0.05,
        duplicate: 0.05,
        corrupt: 0.02,
        bytes_per_s: 1.5e6,
        queue_bytes: 40e3,
        ..Weather::calm(8 * MS)
    };
    let slow_back = Weather { bytes_per_s: 0.3e6, ..weather };
    for seed in 0..3 {
        let (mut edge, mut cloud, relay) = hosts(&trust(), [weather, slow_back], seed, |c| c);
        tokio::spawn(pace(edge.outlet(SENSOR), 300, 4, signal));
        tokio::spawn(send(edge.outlet(EVENTS), 3_000, event));
        tokio::spawn(pace(edge.outlet(BULK), 5, 150, bulk));
        tokio::spawn(send(cloud.outlet(BACK), 500, event));
        let work = async {
            let (sensor, events, bulk, back) = tokio::join!(
                drain(cloud.inlet(SENSOR)),
                drain(cloud.inlet(EVENTS)),
                drain(cloud.inlet(BULK)),
                drain(edge.inlet(BACK)),
            );
            assert_eq!(events, ((0..3_000).collect(), 0), "seed {seed}");
            assert_eq!(back, ((0..500).collect(), 0), "seed {seed}");
            for ((numbers, missing), sent) in [(sensor, 300), (bulk, 5)] {
                assert_eq!(numbers.len() as u64 + missing, sent, "seed {seed}: {numbers:?}");
                assert!(numbers.is_sorted_by(|a, b| a < b), "seed {seed}: {numbers:?}");
            }
            let status = edge.ports.handle.status();
            let sent = status.edges[usize::from(SENSOR)].sent.expect("it sends");
            assert!(sent.is_balanced() && sent.behind_bulk == 0, "seed {seed}: {sent:?}");
            both_are_done(edge, cloud).await;
        };
        tokio::time::timeout(LONG, work).await.expect("it ends");
        let [there, _] = relay.packets();
        assert!(there[1] > 0, "the network was bad: {there:?}");
    }
}

/// Gives connections up soon, so that a test need not wait.
fn impatient(mut config: SessionConfig) -> SessionConfig {
    let timing = Timing::default();
    config.timing = Timing { doubt_ns: 200 * MS, silence_ns: 500 * MS, ..timing };
    config
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_costs_durable_edges_nothing() {
    let (mut edge, mut cloud, relay) = hosts(&trust(), [Weather::calm(5 * MS); 2], 1, impatient);
    tokio::spawn(pace(edge.outlet(EVENTS), 400, 10, event));
    tokio::spawn(pace(cloud.outlet(BACK), 400, 10, event));
    drop((edge.outlet(SENSOR), edge.outlet(BULK)));
    let (status_there, status_here) = (cloud.ports.handle.clone(), edge.ports.handle.clone());
    let work = async {
        let weather = async {
            let is_up = |wanted| {
                let handles = [status_there.clone(), status_here.clone()];
                move || handles.iter().all(|handle| handle.status().is_up == wanted)
            };
            until(is_up(true)).await;
            relay.set_out(true);
            until(is_up(false)).await;
            relay.set_out(false);
            until(is_up(true)).await;
        };
        let (events, back, ()) =
            tokio::join!(drain(cloud.inlet(EVENTS)), drain(edge.inlet(BACK)), weather);
        assert_eq!(events, ((0..400).collect(), 0));
        assert_eq!(back, ((0..400).collect(), 0));
        both_are_done(edge, cloud).await;
        assert!(status_here.status().totals.connections >= 2);
    };
    tokio::time::timeout(LONG, work).await.expect("it ends");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_that_outlasts_the_calls_is_called_on_through_and_ends_soon_after_it() {
    /// Many times what it takes, as machines may be busy.
    const SOON: Duration = Duration::from_secs(10);
    let (mut edge, mut cloud, relay) = hosts(&trust(), [Weather::calm(5 * MS); 2], 1, impatient);
    let mut outlet = edge.outlet(EVENTS);
    drop((edge.outlet(SENSOR), edge.outlet(BULK), cloud.outlet(BACK)));
    let (there, here) = (cloud.ports.handle.clone(), edge.ports.handle.clone());
    let are_up = |wanted| {
        let handles = [there.clone(), here.clone()];
        move || handles.iter().all(|handle| handle.status().is_up == wanted)
    };
    let work = async {
        until(are_up(true)).await;
        relay.set_out(true);
        until(are_up(false)).await;
        outlet.try_send(event(0)).expect("there is room");
        // Calls end without an answer, which is told, and others are made in their place: more of them
        // than may go on at once.
        let is_told = || here.status().trouble.is_some_and(|why| why.ends_with("does not answer"));
        until(is_told).await;
        let made = here.status().totals.calls;
        until(|| here.status().totals.calls > made + 20).await;
        let [[before, _], _] = relay.packets();
        until(|| relay.packets()[0][0] > before + 2).await;
        relay.set_out(false);
        tokio::time::timeout(SOON, until(are_up(true))).await.expect("it goes on");
        outlet.try_send(event(1)).expect("there is room");
        outlet.end();
        let (events, _) = tokio::join!(drain(cloud.inlet(EVENTS)), drain(edge.inlet(BACK)));
        assert_eq!(events, (vec![0, 1], 0));
        both_are_done(edge, cloud).await;
    };
    tokio::time::timeout(LONG, work).await.expect("it ends");
}

#[tokio::test]
async fn who_is_turned_away_hears_why_and_may_call_again() {
    let trust = trust();
    let endpoint = server(&trust);
    let address = endpoint.local_addr().expect("bound");
    let mut listener = endpoint.listener();
    let refuses = tokio::spawn(async move {
        while let Some(arrival) = listener.accept().await {
            turn_away(arrival.connection, ByeReason::Busy, "all seats are taken".to_owned()).await;
        }
    });
    let edge = host(config(0, 10), Settings::default(), dialer(&trust, address));
    let here = edge.ports.handle.clone();
    let work = async {
        until(|| here.status().refused.is_some()).await;
        let why = (ByeReason::Busy, "all seats are taken".to_owned());
        assert_eq!(here.status().refused, Some(why));
        assert!(!edge.ended.is_finished(), "there may be a seat later");
        until(|| here.status().totals.connections >= 2).await;
        here.stop();
        assert_eq!(ends(edge).await.reason, ByeReason::Stopped);
    };
    tokio::time::timeout(LONG, work).await.expect("it ends");
    refuses.abort();
}

/// A connection on which who calls has greeted, and who counts sevens on it on the other side: until
/// there are so many, when he gives the connection back, or it is down.
async fn counted(
    trust: &Trust,
    most: usize,
) -> (Box<dyn Connection>, JoinHandle<(usize, Option<Box<dyn Connection>>)>) {
    let endpoint = server(trust);
    let mut calls = dialer(trust, endpoint.local_addr().expect("bound"));
    let mut listener = endpoint.listener();
    let counts = tokio::spawn(async move {
        let mut there = listener.accept().await.expect("somebody calls").connection;
        let mut count = 0;
        while count < most {
            let came = poll_fn(|context| {
                there.poll_event(context).map(|event| match event {
                    Event::Stream { bytes, .. } => {
                        Some(bytes.iter().filter(|byte| **byte == 7).count())
                    }
                    Event::Down(_) => None,
                    _ => Some(0),
                })
            });
            let Some(came) = came.await else { return (count, None) };
            count += came;
        }
        (count, Some(there))
    });
    calls.call();
    let called = poll_fn(|context| calls.poll_connection(context)).await;
    let mut here = called.expect("somebody listens");
    let mut hello = Vec::new();
    put_preamble(&mut hello, OLDEST);
    let (graph, session) = ([1; 16], [2; 16]);
    let (newest, oldest, life, edges) = (NEWEST, OLDEST, 1, Vec::new());
    let hello_of = Hello { newest, oldest, graph, session, life, edges };
    Message::Hello(Box::new(hello_of)).put(&mut hello, 0);
    assert!(!hello.contains(&7));
    here.stream(StreamKey::Control, hello.into(), 2, false);
    (here, counts)
}

#[tokio::test]
async fn what_waits_for_the_other_side_is_flushed_though_nobody_asks_for_events() {
    /// More than the other side takes before somebody reads it.
    const BYTES: usize = 40 << 20;
    let work = async {
        let (mut here, counts) = counted(&trust(), BYTES).await;
        here.stream(StreamKey::Edge(0), vec![7; BYTES].into(), 1, true);
        poll_fn(|context| here.poll_flushed(context)).await;
        assert_eq!(counts.await.expect("no panic").0, BYTES);
    };
    tokio::time::timeout(LONG, work).await.expect("all is taken");
}

#[tokio::test]
async fn a_farewell_behind_many_frames_is_heard() {
    const FRAMES: u64 = 300;
    const BYTES: usize = 1_100;
    /// So long that the frames are there before it.
    const FAREWELL: usize = 100_000;
    let work = async {
        let (mut here, counts) = counted(&trust(), usize::MAX).await;
        for place in 0..FRAMES {
            let stream = StreamKey::Frame { edge: 0, place };
            here.stream(stream, vec![7; BYTES].into(), 1, true);
        }
        here.stream(StreamKey::Control, vec![7; FAREWELL].into(), 0, false);
        poll_fn(|context| here.poll_flushed(context)).await;
        here.close();
        let bytes = FRAMES as usize * BYTES + FAREWELL;
        assert_eq!(counts.await.expect("no panic").0, bytes);
    };
    tokio::time::timeout(LONG, work).await.expect("all is taken");
}

/// Looks every few milliseconds.
async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn many_sessions_share_an_endpoint_on_each_side_and_leave_no_task_behind() {
    const SESSIONS: usize = 40;
    let named = |side, number: usize| {
        let mut config = config(side, number as u64 + 1);
        config.session[15] = number as u8;
        config
    };
    let trust = trust();
    let (there, here) = (server(&trust), client());
    let address = there.local_addr().expect("bound");
    let found = found(&there, SESSIONS);
    let metrics = tokio::runtime::Handle::current().metrics();
    let before = metrics.num_alive_tasks();
    let work = async {
        let mut runs = tokio::task::JoinSet::new();
        for (number, calls) in found.into_iter().enumerate() {
            let mut cloud = host(named(1, number), Settings::default(), calls);
            let mut edge =
                host(named(0, number), Settings::default(), dial(&here, &trust, address));
            runs.spawn(async move {
                tokio::spawn(send(edge.outlet(EVENTS), 200, event));
                tokio::spawn(send(cloud.outlet(BACK), 100, event));
                drop((edge.outlet(SENSOR), edge.outlet(BULK)));
                let (events, back) =
                    tokio::join!(drain(cloud.inlet(EVENTS)), drain(edge.inlet(BACK)));
                assert_eq!(events, ((0..200).collect(), 0));
                assert_eq!(back, ((0..100).collect(), 0));
                both_are_done(edge, cloud).await;
            });
        }
        while let Some(run) = runs.join_next().await {
            run.expect("no panic");
        }
        // QUIC's own tasks linger until nothing of a connection can be under way any more, and for some
        // seconds where a call was given up because another was answered first.
        until(|| metrics.num_alive_tasks() <= before).await;
    };
    tokio::time::timeout(LONG, work).await.expect("it ends");
}

#[tokio::test]
async fn hosts_with_different_graphs_part_and_say_why() {
    let trust = trust();
    let endpoint = server(&trust);
    let address = endpoint.local_addr().expect("bound");
    let mut other = config(1, 11);
    other.graph = [9; 16];
    let cloud = host(other, Settings::default(), called(&endpoint));
    let edge = host(config(0, 10), Settings::default(), dialer(&trust, address));
    let work = async {
        for host in [edge, cloud] {
            let ended = ends(host).await;
            assert_eq!(ended.reason, ByeReason::Graph);
            assert!(ended.text.contains("different graphs"), "{}", ended.text);
        }
    };
    tokio::time::timeout(LONG, work).await.expect("it ends");
}

#[tokio::test]
async fn who_is_stopped_tells_the_other_side() {
    let trust = trust();
    let endpoint = server(&trust);
    let address = endpoint.local_addr().expect("bound");
    let cloud = host(config(1, 11), Settings::default(), called(&endpoint));
    let edge = host(config(0, 10), Settings::default(), dialer(&trust, address));
    let there = cloud.ports.handle.clone();
    let work = async {
        until(|| there.status().is_up).await;
        edge.ports.handle.stop();
        assert_eq!(ends(edge).await.reason, ByeReason::Stopped);
        until(|| there.status().refused.is_some()).await;
        assert_eq!(there.status().refused.map(|(reason, _)| reason), Some(ByeReason::Stopped));
        // It may come back; who waits for it goes on until it is stopped itself.
        assert!(!cloud.ended.is_finished());
        there.stop();
        assert_eq!(ends(cloud).await.reason, ByeReason::Stopped);
    };
    tokio::time::timeout(LONG, work).await.expect("it ends");
}
