//! Lets others look into a run: `top` and `tap`, where the system has local sockets for that, and browsers.

use std::sync::Arc;

use engine::{Outcome, Plan, Report, Running};
use link::host::Links;

use crate::{
    exit::{Exit, Failure},
    followers::Followers,
    interrupt::Wish,
    local::About,
    status::Screen,
    summary::Ending,
    web::{Opened, Web},
};

use super::live::Live;

/// The local socket and the page of a run, if it has them.
pub(super) struct Looks {
    #[cfg(unix)]
    server: Option<crate::local::Server>,
    web: Option<Web>,
}

impl Looks {
    /// Makes the socket, unless nobody is to look in, and serves the page where one is wanted.
    pub(super) fn start(
        live: &Live<'_>,
        page: Option<Opened>,
        plan: &Arc<Plan>,
        running: &Arc<Running>,
        links: Option<Links>,
        screen: &Screen,
    ) -> Result<Self, Failure> {
        let about = About {
            file: live.file.display().to_string(),
            host: live.host.map(str::to_owned),
            cores: live.cores,
            speed: live.asked.speed.0,
        };
        let followers = Followers::of(running, live.asked.profile.is_some());
        let web = page.map(|page| {
            let url = page.url.clone();
            let web = Web::start(page, about.clone(), running, links.clone(), &followers);
            let web = web.map_err(|why| Failure::new(Exit::Io, &why, ""))?;
            screen.say(&format!("the page is at {url}"));
            Ok(web)
        });
        let web = web.transpose()?;
        #[cfg(not(unix))]
        let _ = (plan, about);
        Ok(Self {
            #[cfg(unix)]
            server: socket(live, about, plan, running, links, &followers, screen),
            web,
        })
    }

    /// The run was asked to end.
    pub(super) fn drains(&self) {
        #[cfg(unix)]
        if let Some(server) = &self.server {
            server.drains();
        }
        if let Some(web) = &self.web {
            web.drains();
        }
    }

    /// What somebody on the page wants of the run, told once.
    pub(super) fn wish(&self) -> Option<Wish> {
        self.web.as_ref()?.wish()
    }

    /// Tells whoever looks in how the run has ended.
    pub(super) fn end(self, ending: Ending, report: &Report, outcome: &Outcome) {
        let fault = outcome.fault.as_ref();
        let fault = fault.map(|(node, fault, _)| format!("node `{node}`: {fault}"));
        let after_s = report.lasted_ns as f64 / 1e9;
        if let Some(web) = self.web {
            web.end(ending.word(), after_s, fault.clone());
        }
        #[cfg(unix)]
        if let Some(server) = self.server {
            server.end(ending.word(), after_s, fault);
        }
    }
}

/// The socket; where there can be none, that is told once.
#[cfg(unix)]
fn socket(
    live: &Live<'_>,
    about: About,
    plan: &Arc<Plan>,
    running: &Arc<Running>,
    links: Option<Links>,
    followers: &Arc<Followers>,
    screen: &Screen,
) -> Option<crate::local::Server> {
    if live.asked.no_attach {
        return None;
    }
    let server = crate::local::Server::start(about, plan, running, links, followers);
    let told = |why: &String| {
        screen.say(&format!("note: `afferent top` cannot look in: {why}"));
    };
    server.inspect_err(told).ok()
}
