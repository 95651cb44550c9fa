//! Links over real sockets of one host.

mod support;

use link::{
    driver::{Outlet, Settings},
    wire::ByeReason,
};
use support::{
    BACK, BULK, EVENTS, LONG, SENSOR, bulk, called, config, dialer, drain, event, host, server,
    signal, trust,
};

/// Hands frames in as fast as there is room.
async fn send(mut outlet: Outlet, count: u64, make: fn(u64) -> engine::Frame) {
    for number in 0..count {
        std::future::poll_fn(|context| outlet.poll_room(context)).await;
        outlet.try_send(make(number)).expect("there is room");
    }
}

#[tokio::test]
async fn everything_arrives_and_both_sides_end() {
    let trust = trust();
    let endpoint = server(&trust);
    let address = endpoint.local_addr().expect("bound");
    let mut cloud = host(config(1, 11), Settings::default(), called(&endpoint));
    let mut edge = host(config(0, 10), Settings::default(), dialer(&trust, address));

    let outlet =
        |host: &mut support::Host, n: u16| host.ports.outlets[usize::from(n)].take().expect("sent");
    let inlet = |host: &mut support::Host, n: u16| {
        host.ports.inlets[usize::from(n)].take().expect("received")
    };
    tokio::spawn(send(outlet(&mut edge, SENSOR), 100, signal));
    tokio::spawn(send(outlet(&mut edge, EVENTS), 5_000, event));
    tokio::spawn(send(outlet(&mut edge, BULK), 1, bulk));
    tokio::spawn(send(outlet(&mut cloud, BACK), 300, event));
    let work = async {
        let (sensor, events, bulk, back) = tokio::join!(
            drain(inlet(&mut cloud, SENSOR)),
            drain(inlet(&mut cloud, EVENTS)),
            drain(inlet(&mut cloud, BULK)),
            drain(inlet(&mut edge, BACK)),
        );
        assert_eq!(sensor.0.len() as u64 + sensor.1, 100);
        assert!(sensor.0.is_sorted());
        assert_eq!(events, ((0..5_000).collect(), 0));
        assert_eq!(bulk, (vec![0], 0));
        assert_eq!(back, ((0..300).collect(), 0));
        for ended in [edge.ended, cloud.ended] {
            let ended = ended.await.expect("no panic");
            assert_eq!((ended.reason, ended.left), (ByeReason::Done, 0), "{}", ended.text);
        }
    };
    tokio::time::timeout(LONG, work).await.expect("it ends");
}
