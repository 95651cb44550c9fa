//! Lets `top` and `tap` look into a run, where the system has local sockets for that.

use std::sync::Arc;

use engine::{Outcome, Plan, Report, Running};
use link::host::Links;

use crate::{status::Screen, summary::Ending};

use super::live::Live;

/// The local socket of a run, if it has one.
pub(super) struct Looks {
    #[cfg(unix)]
    server: Option<crate::local::Server>,
}

impl Looks {
    /// Makes the socket, unless nobody is to look in; where there can be none, that is told once.
    #[cfg(unix)]
    pub(super) fn start(
        live: &Live<'_>,
        plan: &Arc<Plan>,
        running: &Arc<Running>,
        links: Option<Links>,
        screen: &Screen,
    ) -> Self {
        use crate::local::{About, Server};

        if live.asked.no_attach {
            return Self { server: None };
        }
        let about = About {
            file: live.file.display().to_string(),
            host: live.host.map(str::to_owned),
            cores: live.cores,
            speed: live.asked.speed.0,
        };
        let server = Server::start(about, plan, running, links);
        let told = |why: &String| {
            screen.say(&format!("note: `afferent top` cannot look in: {why}"));
        };
        Self { server: server.inspect_err(told).ok() }
    }

    /// There is none here.
    #[cfg(not(unix))]
    pub(super) fn start(
        _: &Live<'_>,
        _: &Arc<Plan>,
        _: &Arc<Running>,
        _: Option<Links>,
        _: &Screen,
    ) -> Self {
        Self {}
    }

    /// The run was asked to end.
    pub(super) fn drains(&self) {
        #[cfg(unix)]
        if let Some(server) = &self.server {
            server.drains();
        }
    }

    /// Tells whoever looks in how the run has ended.
    #[cfg_attr(not(unix), expect(unused_variables, reason = "nobody looks in"))]
    pub(super) fn end(self, ending: Ending, report: &Report, outcome: &Outcome) {
        #[cfg(unix)]
        if let Some(server) = self.server {
            let fault = outcome.fault.as_ref();
            let fault = fault.map(|(node, fault, _)| format!("node `{node}`: {fault}"));
            server.end(ending.word(), report.lasted_ns as f64 / 1e9, fault);
        }
    }
}
