//! A link over a bad network: the relay stands between the two hosts.

use std::{
    sync::{Arc, Mutex, mpsc},
    time::{Duration, Instant},
};

use engine::{Frame, Timestamp};
use link::{
    driver::{Inlet, Outlet, Ports},
    session::{Delivery, Priority, Sent},
    testing::{Relay, Way, Weather},
};

use super::ours::{edge, inlet, next, outlet, run};

const MS: i64 = 1_000_000;
/// Samples of a sensor's frame, 256 bytes.
const SENSOR: usize = 64;
/// Samples of a frame of bulk, 64 KiB.
const BULK: usize = 16 << 10;

/// What came of a scene.
#[derive(Clone, Debug)]
pub(crate) struct Crowded {
    /// Share of the sensor's frames that were delivered.
    pub(crate) sensor_share: f64,
    /// Ages of sensors' frames, p99 in milliseconds.
    pub(crate) sensor_p99_ms: f64,
    /// Ages of control frames, p95 and p99 in milliseconds.
    pub(crate) control_ms: [f64; 2],
    /// Bits of bulk a second.
    pub(crate) bulk_bits: f64,
    /// Frames that waited behind bulk in our queues.
    pub(crate) behind_bulk: u64,
}

/// Time since both sides began.
#[derive(Clone, Copy)]
struct Epoch(Instant);

impl Epoch {
    fn now(self) -> Timestamp {
        Timestamp::from_nanos(self.0.elapsed().as_nanos() as i64)
    }
}

fn stamped(epoch: Epoch, number: u64, content: &[f32]) -> Frame {
    let mut frame = Frame::signal(epoch.now(), 1, content);
    frame.header.tag = number;
    frame
}

/// Ages of all frames until the end, in milliseconds, and their numbers.
async fn ages(mut inlet: Inlet, epoch: Epoch) -> Vec<(u64, f64)> {
    let mut ages = Vec::new();
    while let Some(frame) = next(&mut inlet).await {
        ages.push((frame.header.tag, epoch.now().since(frame.header.time) as f64 / 1e6));
        inlet.consumed(1);
    }
    ages
}

/// Hands in a frame each `period`, until `until`; how many.
async fn paced(mut to: Outlet, epoch: Epoch, period: Duration, until: Timestamp) -> u64 {
    let content = vec![7.0; SENSOR];
    let mut ticks = tokio::time::interval(period);
    let mut number = 0;
    while epoch.now() < until {
        ticks.tick().await;
        drop(to.try_send(stamped(epoch, number, &content)));
        number += 1;
    }
    number
}

fn p(ages: &[(u64, f64)], share: f64) -> f64 {
    let mut sorted: Vec<f64> = ages.iter().map(|(_, age)| *age).collect();
    sorted.sort_by(f64::total_cmp);
    super::support::quantile(&sorted, share)
}

/// 20 Mbit/s with a queue of 20 ms, 80 ms there and back, 1 % loss, and bulk that fills it; beside it a
/// sensor of 256 bytes at 100 Hz that may be lost, and control frames at 50 Hz that may not.
pub(crate) fn crowded(span: Duration, seed: u64) -> Crowded {
    let bytes_per_s = 20e6 / 8.0;
    let weather = Weather {
        loss: 0.01,
        bytes_per_s,
        queue_bytes: bytes_per_s * 0.020,
        ..Weather::calm(40 * MS)
    };
    let droppable = Delivery::Droppable { deadline_ns: 300 * MS };
    let edges = [
        edge(0, SENSOR, droppable, Priority::Sensor),
        edge(0, SENSOR, Delivery::Durable, Priority::Sensor),
        edge(0, BULK, Delivery::Durable, Priority::Bulk),
    ];
    let epoch = Epoch(Instant::now());
    let (tell, hear) = mpsc::channel();
    let serve = async move |mut ports: Ports| {
        let all = tokio::join!(
            ages(inlet(&mut ports, 0), epoch),
            ages(inlet(&mut ports, 1), epoch),
            ages(inlet(&mut ports, 2), epoch),
        );
        tell.send(all).expect("somebody waits");
    };
    let relay = Arc::new(Mutex::new(None));
    let kept = relay.clone();
    let via = move |target| {
        let ways = [0, 1].map(|n| Way::new(weather, seed * 2 + n));
        let relay = Relay::start(target, ways).expect("a port");
        let address = relay.address();
        *kept.lock().expect("no panic") = Some(relay);
        address
    };
    // Time for the two to meet, and for the window to grow.
    let settle = Duration::from_secs(2).min(span);
    let (sent, counts) = run(&edges, via, serve, async move |mut ports| {
        let until = epoch.now() + settle + span;
        let handle = ports.handle.clone();
        let (to, control, mut bulk) =
            (outlet(&mut ports, 0), outlet(&mut ports, 1), outlet(&mut ports, 2));
        let fill = async {
            let content = vec![7.0; BULK];
            let mut number = 0;
            while epoch.now() < until {
                let room = std::future::poll_fn(|context| bulk.poll_room(context));
                let waits = tokio::time::timeout(Duration::from_millis(20), room).await;
                // A second of it, so that it never runs out and soon ends.
                if waits.is_ok() && bulk.queued() < 40 {
                    drop(bulk.try_send(stamped(epoch, number, &content)));
                    number += 1;
                } else {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
            let status = handle.status();
            bulk.end();
            [0, 1].map(|edge: usize| status.edges[edge].sent.unwrap_or_default())
        };
        let (sensor, _, counts) = tokio::join!(
            paced(to, epoch, Duration::from_millis(10), until),
            paced(control, epoch, Duration::from_millis(20), until),
            fill,
        );
        (sensor, counts)
    });
    drop(relay);
    let (mut sensor, mut control, bulk) = hear.recv().expect("it was measured");
    let settled = |hz: u64| hz * settle.as_secs();
    sensor.retain(|(number, _)| *number >= settled(100));
    control.retain(|(number, _)| *number >= settled(50));
    let behind: u64 = counts.iter().map(|sent: &Sent| sent.behind_bulk).sum();
    let whole = (settle + span).as_secs_f64();
    Crowded {
        sensor_share: sensor.len() as f64 / (sent - settled(100)) as f64,
        sensor_p99_ms: p(&sensor, 0.99),
        control_ms: [p(&control, 0.95), p(&control, 0.99)],
        bulk_bits: bulk.len() as f64 * BULK as f64 * 32.0 / whole,
        behind_bulk: behind,
    }
}

/// Milliseconds from the moment a network of this round trip heals after an outage of `span` until the
/// first frame that could not come before arrives, there and back.
pub(crate) fn healed(rtt_ms: i64, span: Duration, seed: u64) -> [f64; 2] {
    let edges = [
        edge(0, SENSOR, Delivery::Durable, Priority::Sensor),
        edge(1, SENSOR, Delivery::Durable, Priority::Sensor),
    ];
    let epoch = Epoch(Instant::now());
    let relay: Arc<Mutex<Option<Relay>>> = Arc::default();
    let (kept, switch) = (relay.clone(), relay.clone());
    let via = move |target| {
        let weather = Weather::calm(rtt_ms * MS / 2);
        let ways = [0, 1].map(|n| Way::new(weather, seed * 2 + n));
        let relay = Relay::start(target, ways).expect("a port");
        let address = relay.address();
        *kept.lock().expect("no panic") = Some(relay);
        address
    };
    let arrivals = async move |mut inlet: Inlet| {
        let mut at = Vec::new();
        while let Some(frame) = next(&mut inlet).await {
            assert_eq!(frame.header.tag, at.len() as u64, "none is lost, none comes twice");
            at.push(epoch.now());
            inlet.consumed(1);
        }
        at
    };
    let send = move |to, before: Duration| {
        paced(to, epoch, Duration::from_millis(20), epoch.now() + before + span + before)
    };
    let before = Duration::from_secs(2);
    let (tell, hear) = mpsc::channel();
    let serve = async move |mut ports: Ports| {
        let to = outlet(&mut ports, 1);
        let (at, _) = tokio::join!(arrivals(inlet(&mut ports, 0)), send(to, before));
        tell.send(at).expect("somebody waits");
    };
    let (back, healed_at) = run(&edges, via, serve, async move |mut ports| {
        let to = outlet(&mut ports, 0);
        let cut = async {
            let set_out = |is_out| {
                let relay = switch.lock().expect("no panic");
                relay.as_ref().expect("it runs").set_out(is_out);
            };
            tokio::time::sleep(before).await;
            set_out(true);
            tokio::time::sleep(span).await;
            set_out(false);
            epoch.now()
        };
        let (at, _, healed_at) =
            tokio::join!(arrivals(inlet(&mut ports, 1)), send(to, before), cut);
        (at, healed_at)
    });
    drop(relay);
    let there = hear.recv().expect("it was measured");
    [there, back].map(|at| {
        let first = at.iter().find(|&&at| at > healed_at).expect("they come again");
        first.since(healed_at) as f64 / 1e6
    })
}
