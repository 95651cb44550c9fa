//! The runtimes that control and I/O wait on.

use std::collections::BTreeMap;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::plan::{Home, Plan};

/// Sinks of a graph that get a thread each; more of them share.
pub(super) const SINK_RUNTIMES_MAX: usize = 16;
/// Bodies that may be built, or dropped, at the same time.
const BUILDS_MAX: usize = 8;

/// Runtimes for what waits: one for live sources, which wait without blocking, and one
/// for each sink, which may block. So a sink on a full pipe holds up no device, nor another sink.
pub(super) fn io_runtimes(plan: &Plan) -> (Vec<Runtime>, [BTreeMap<usize, Handle>; 2]) {
    let waits = plan.nodes.iter().enumerate().filter(|(_, node)| node.home == Home::Io);
    let (sinks, others): (Vec<_>, Vec<_>) = waits.partition(|(_, node)| node.kind.is_sink());
    let mut runtimes: Vec<_> = others.first().map(|_| runtime("afferent-io")).into_iter().collect();
    let io = others.iter().map(|(node, _)| (*node, runtimes[0].handle().clone())).collect();
    let first = runtimes.len();
    let here = |(at, (node, _)): (usize, &(usize, _))| {
        let at = first + at % SINK_RUNTIMES_MAX;
        if at == runtimes.len() {
            runtimes.push(runtime("afferent-sink"));
        }
        (*node, runtimes[at].handle().clone())
    };
    let sinks = sinks.iter().enumerate().map(here).collect();
    (runtimes, [io, sinks])
}

/// A runtime of one thread: control and I/O wait far more than they work.
pub(super) fn runtime(name: &str) -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(BUILDS_MAX)
        .thread_name(name)
        .thread_stack_size(512 << 10)
        .enable_time()
        .build()
        .expect("the system has a thread to spare")
}
