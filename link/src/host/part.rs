//! [`Part`]: what one host has to do with the others.

use engine::{Code, Diagnostic, Diagnostics, Plan};

use crate::{
    carrier::{EdgePlan, Host, edge_plans},
    session::{SessionConfig, Timing},
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
        Ok(Self { here: hosts[own].clone(), graph, peers })
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
