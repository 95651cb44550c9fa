//! [`Part`]: what one host has to do with the others.

use engine::{Code, Diagnostic, Diagnostics, Plan};

use crate::{
    carrier::{EdgePlan, Host, SpoolAt, edge_plans},
    session::{Delivery, SessionConfig, Timing},
};

/// One host's view of a graph on several.
#[derive(Clone, Debug)]
pub struct Part {
    /// This host.
    pub here: Host,
    /// The graph's hash.
    pub graph: [u8; 16],
    /// The hosts it shares edges with, in the order of the file.
    pub peers: Vec<Peer>,
    /// What is written for this host and changes nothing.
    pub warnings: Vec<Diagnostic>,
}

/// A host that shares edges with this one.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The other host.
    pub host: Host,
    /// The edges between the two, in an order both agree on.
    pub edges: Vec<EdgePlan>,
    /// Who calls whom.
    pub role: Role,
}

/// Who calls whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// This host calls the other.
    Calls,
    /// This host is called.
    IsCalled,
}

impl Part {
    /// What `here` has to do with the others of `hosts`, by the edges that its part of the plan cuts.
    ///
    /// # Errors
    /// Two hosts that share an edge and have no address.
    pub fn new(
        plan: &Plan,
        here: &str,
        hosts: &[Host],
        graph: [u8; 16],
    ) -> Result<Self, Diagnostics> {
        let at = |name: &str| hosts.iter().position(|host| host.name == name);
        let own = at(here).expect("only hosts of the graph are planned for");
        let cut = plan.cut_edges();
        let mut peers = Vec::new();
        for (number, host) in hosts.iter().enumerate().filter(|(number, _)| *number != own) {
            let shared: Vec<_> =
                cut.iter().filter(|edge| edge.hosts.contains(&host.name)).cloned().collect();
            if shared.is_empty() {
                continue;
            }
            let role = match [&hosts[own], host].map(|host| host.addresses.is_empty()) {
                [true, true] => return Err(no_address(plan, here, host, &shared[0].name()).into()),
                [true, false] => Role::Calls,
                [false, true] => Role::IsCalled,
                [false, false] if own < number => Role::Calls,
                [false, false] => Role::IsCalled,
            };
            peers.push(Peer { host: host.clone(), edges: edge_plans(&shared, here), role });
        }
        let here = hosts[own].clone();
        let warnings = idle_spool(plan, &here, &peers).into_iter().collect();
        Ok(Self { here, graph, peers, warnings })
    }

    /// The edges that this host's spool keeps (where it calls), or whose progress it notes (where it is called).
    pub fn kept(&self) -> impl Iterator<Item = &EdgePlan> {
        kept(self.here.spool.as_ref(), &self.peers)
    }

    /// The hosts that call this one.
    pub fn callers(&self) -> impl Iterator<Item = &Peer> {
        self.peers.iter().filter(|peer| peer.role == Role::IsCalled)
    }

    /// The session's configuration on the link to `peer`.
    pub(super) fn session(&self, peer: &Peer, session: [u8; 16], life: u64) -> SessionConfig {
        SessionConfig {
            graph: self.graph,
            session,
            life,
            calls: peer.role == Role::Calls,
            edges: peer.edges.iter().map(|edge| edge.config.clone()).collect(),
            timing: Timing::default(),
        }
    }
}

fn kept<'a>(
    spool: Option<&SpoolAt>,
    peers: &'a [Peer],
) -> impl Iterator<Item = &'a EdgePlan> + use<'a> {
    let peers = if spool.is_some() { peers } else { &[] };
    peers.iter().flat_map(|peer| {
        let is_called = peer.role == Role::IsCalled;
        peer.edges.iter().filter(move |edge| {
            edge.config.delivery == Delivery::Durable && edge.config.receives == is_called
        })
    })
}

/// A spool in which nothing will ever lie, since all that crosses may be lost.
fn idle_spool(plan: &Plan, here: &Host, peers: &[Peer]) -> Option<Diagnostic> {
    if here.spool.is_none() || kept(here.spool.as_ref(), peers).next().is_some() {
        return None;
    }
    let name = &here.name;
    let calls = peers.iter().any(|peer| peer.role == Role::Calls);
    let crosses = peers
        .iter()
        .flat_map(|peer| &peer.edges)
        .find(|edge| edge.edge.call.is_none() && edge.config.receives != calls);
    let verb = if calls { "sends" } else { "is sent" };
    let (message, hint) = match crosses {
        Some(edge) => {
            let message = format!(
                "`spool` keeps nothing: all that `{name}` {verb} may be dropped, such as `{}`",
                edge.config.name
            );
            let reader = &edge.edge.to.0;
            let hint = format!(
                "let nothing of it be lost, `on_full = \"block\"` at `{reader}`, or leave `spool` out"
            );
            (message, hint)
        }
        None => {
            let message = format!("`spool` keeps nothing: `{name}` {verb} no frames by any edge");
            (message, "leave `spool` out".to_owned())
        }
    };
    let section = plan.spec().hosts.iter().find(|section| section.name.value == *name);
    let place = section.and_then(|section| section.param("spool")?.place.clone());
    let origin = format!("host `{name}`");
    Some(Diagnostic::warning(Code::NoEffect, message).at(&place).of(origin).hint(hint))
}

fn no_address(plan: &Plan, here: &str, other: &Host, edge: &str) -> Diagnostic {
    let section = plan.spec().hosts.iter().find(|section| section.name.value == other.name);
    let place = section.and_then(|section| section.name.place.clone());
    let message = format!(
        "`{here}` and `{}` share the edge `{edge}`, and neither has an address",
        other.name
    );
    Diagnostic::error(Code::NoAddress, message).at(&place).hint(
        "give one of them such as `address = [\"127.0.0.1:24433\"]`: the other calls it there",
    )
}
