//! Two hosts and a network between them that is gone for five seconds.
//!
//! ```sh
//! cargo run --release --example outage
//! ```
//!
//! Runs a heart on an edge and what a cloud makes of it, both in this process, joined over QUIC through a
//! relay that loses one packet in a hundred and takes 40 ms each way. Prints a row every second: beats that
//! the edge told, beats that the cloud told, frames that wait on the edge. While the network is gone
//! the edge goes on; when it is back, the cloud catches up, and nothing is missing.

use std::{
    error::Error,
    io,
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use engine::{Catalog, Disk, GraphSpec, Plan, PlanOptions, RunOptions, SourceText};
use link::{
    carrier::{LinkCarrier, graph_hash, hosts},
    host::{Dialing, Keys, Part, ServeSettings, Serving},
    quic,
    testing::{Relay, Way, Weather},
};
use operators::lines::{self, Line, Lines};

const SECONDS: u64 = 12;
const GONE: std::ops::Range<u64> = 3..8;

fn graph(address: &str) -> String {
    format!(
        r#"
        [host.edge]
        [host.cloud]
        address = ["{address}"]
        [node.ecg]
        op = "ecg"
        on = "edge"
        seconds = {SECONDS}.0
        [node.clean]
        op = "bandpass"
        from = "ecg"
        low_hz = 5.0
        high_hz = 15.0
        [node.beats]
        op = "qrs"
        from = "clean"
        [node.near]
        op = "jsonl"
        from = "beats"
        [node.found]
        op = "qrs"
        from = {{ node = "clean", capacity_ms = 30_000 }}
        on = "cloud"
        [node.far]
        op = "jsonl"
        from = "found"
        "#
    )
}

/// Counts lines by the node they are from.
#[derive(Default)]
struct Count {
    near: AtomicU64,
    far: AtomicU64,
}

impl Lines for Count {
    fn line(&self, line: &Line<'_>) -> io::Result<()> {
        let count = if line.node == "beats" { &self.near } else { &self.far };
        count.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn idle(&self) -> io::Result<()> {
        Ok(())
    }
}

/// One host's part of the graph.
fn part(text: &str, host: &str) -> Result<(Arc<Plan>, Part, LinkCarrier), Box<dyn Error>> {
    let spec = GraphSpec::parse(&SourceText::new("outage.toml", text))?;
    let carrier = LinkCarrier::default();
    let mut options = PlanOptions::new(Arc::new(Disk));
    options.host = Some(host.to_owned());
    options.carrier = Some(Arc::new(carrier.clone()));
    let plan = spec.plan(&Catalog::new(&[operators::CATALOG]), &options)?;
    let part = Part::new(&plan, host, &hosts(&spec, None)?, graph_hash("outage"))?;
    Ok((Arc::new(plan), part, carrier))
}

fn main() -> Result<(), Box<dyn Error>> {
    let home = std::env::temp_dir().join(format!("afferent-outage-{}", std::process::id()));
    let count = Arc::new(Count::default());
    lines::set(count.clone());
    let tell = Arc::new(|news: &link::host::News| println!("        {news}"));
    let options = RunOptions { sessions: 0, ..RunOptions::default() };

    let (plan, cloud, carrier) = part(&graph("127.0.0.1:1"), "cloud")?;
    let listen = (Ipv4Addr::LOCALHOST, 0).into();
    let settings = ServeSettings { listen, sessions_max: 1, quic: quic::Settings::default() };
    let far = plan.start(&options)?;
    let serving =
        Serving::start(cloud, &Keys::open_in(&home)?, &settings, &far, &carrier, tell.clone())?;

    let weather = Weather { loss: 0.01, ..Weather::calm(40_000_000) };
    let ways = [1, 2].map(|seed| Way::new(weather, seed));
    let relay = Relay::start(serving.address(), ways)?;

    let (plan, edge, carrier) = part(&graph(&relay.address().to_string()), "edge")?;
    let near = plan.start(&options)?;
    let dialing = Dialing::start(&edge, Keys::open_in(&home)?, &near, &carrier, 1, tell)?;

    println!("   s  network  beats here  in the cloud  waiting");
    let begun = Instant::now();
    for second in 1.. {
        let next = begun + Duration::from_secs(second);
        if near.wait_for(next.saturating_duration_since(Instant::now())).is_some() {
            break;
        }
        let is_out = GONE.contains(&second);
        relay.set_out(is_out);
        let network = if is_out { "gone" } else { "there" };
        let [here, there] = [&count.near, &count.far].map(|lines| lines.load(Ordering::Relaxed));
        let waiting: u64 = dialing.links().open().iter().map(|link| link.queued()).sum();
        println!("{second:4}  {network:7}  {here:10}  {there:12}  {waiting:7}");
    }
    let left = dialing.close(false, || false);
    far.drain();
    far.wait();
    serving.close();
    let [here, there] = [&count.near, &count.far].map(|lines| lines.load(Ordering::Relaxed));
    println!("{here} beats here, {there} in the cloud, {} frames left behind", left.frames);
    std::fs::remove_dir_all(home)?;
    Ok(())
}
