//! `--metrics ADDRESS`: what a run counts, for Prometheus.
//!
//! ```text
//! Running::report ──figures──▶ `metrics` facade ──Recorder──▶ text ──server──▶ GET /metrics
//! ```
//!
//! Figures are taken when they are asked for, so that a run nobody scrapes pays nothing; rates are
//! those between two scrapes. The recorder is ours: `metrics-exporter-prometheus` brings 25 crates,
//! among them clocks, random numbers and sketches, to print two hundred numbers that are counted
//! already.

mod figures;
mod latency;
mod links;
mod rates;
mod recorder;
mod server;
mod services;

use std::{
    io::ErrorKind,
    net::{TcpListener, ToSocketAddrs},
    sync::{Arc, Mutex, PoisonError},
};

use engine::{Plan, Running};
use link::host::Links;

use crate::{
    exit::{Exit, Failure},
    status::Screen,
};

use rates::Rates;
use recorder::Recorder;
pub(crate) use server::Server;

/// Takes the address, so that a wrong one is told before anything starts.
pub(crate) fn listen(address: &str) -> Result<TcpListener, Failure> {
    let addresses = address.to_socket_addrs().map_err(|error| {
        let message = format!("`--metrics {address}` is no address: {error}");
        Failure::new(Exit::Usage, &message, "write host and port, such as `127.0.0.1:9100`")
    })?;
    TcpListener::bind(&addresses.collect::<Vec<_>>()[..]).map_err(|error| {
        let message = format!("cannot listen on `{address}`: {error}");
        let hint = match error.kind() {
            ErrorKind::AddrNotAvailable => {
                "this machine has no such address; write `127.0.0.1:PORT`"
            }
            ErrorKind::PermissionDenied => "ports below 1024 are for the system; choose another",
            _ => "choose another port, or 0 for one that is free",
        };
        Failure::new(Exit::Io, &message, hint)
    })
}

/// Serves the figures of a run until the server is dropped, and tells where.
pub(crate) fn serve(
    listener: TcpListener,
    plan: &Arc<Plan>,
    running: &Arc<Running>,
    links: Option<Links>,
    screen: &Screen,
) -> Server {
    let (plan, running) = (plan.clone(), running.clone());
    let rates = Mutex::new(Rates::default());
    let figures = move || {
        let recorder = Recorder::default();
        let report = running.glance();
        let rates = rates.lock().unwrap_or_else(PoisonError::into_inner).look(&report);
        metrics::with_local_recorder(&recorder, || {
            figures::publish(&plan, &report, &rates, &running.health());
            if let Some(links) = &links {
                links::publish(&plan, links);
            }
        });
        recorder.render()
    };
    let server = Server::start(listener, Arc::new(figures));
    screen.say(&format!("metrics at http://{}/metrics", server.address()));
    server
}
