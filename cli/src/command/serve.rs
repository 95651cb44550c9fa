//! `afferent serve`: one host's part of a graph, for all hosts that call.

use std::{
    io::{Write, stderr},
    net::{Ipv4Addr, SocketAddr},
};

use link::host::{Part, Role};

use crate::{
    arguments::{Listen, ServeArguments},
    exit::{Exit, Failure},
    graph::{Graph, OnHost},
    hosts::Linked,
};

use super::{live::Live, run::cores};

/// Opens a session for everybody who calls, until somebody interrupts.
pub(crate) fn serve(asked: &ServeArguments) -> Result<Exit, Failure> {
    let graph = Graph::load_on(&asked.graph, Some(&asked.host))?;
    let cores = cores(asked.live.cores, asked.sessions_max, &graph);
    let OnHost { plan, part, carrier } = graph.plan_on(&asked.host, cores, Vec::new())?;
    let file = asked.graph.file.display();
    check_role(&part, &file.to_string())?;
    let listen = listen(asked, &part)?;
    let (file, set, host) = (&*asked.graph.file, &*asked.graph.set, Some(&*asked.host));
    let live = Live {
        plan,
        asked: &asked.live,
        cores,
        tells_session: true,
        file,
        set,
        host,
        record: None,
        watch: None,
        follows: None,
    };
    live.run(0, |running, tell| {
        let sessions_max = asked.sessions_max as usize;
        Linked::serve(part, running, &carrier, (listen, sessions_max), tell).map(Some)
    })
}

/// Refuses a host that nobody calls, that several call, or that calls itself.
fn check_role(part: &Part, file: &str) -> Result<(), Failure> {
    let here = &part.here.name;
    let usage = |message: &str, hint: &str| Err(Failure::new(Exit::Usage, message, hint));
    let callers: Vec<&str> = part.callers().map(|peer| &peer.host.name[..]).collect();
    let called = part.peers.iter().find(|peer| peer.role == Role::Calls);
    match (&callers[..], called) {
        ([_], None) => Ok(()),
        ([], None) => usage(
            &format!("`{here}` shares no edge with another host, so nobody calls it"),
            &format!("run it: `afferent run {file} --host {here}`"),
        ),
        ([], Some(called)) => usage(
            &format!("`{here}` calls `{}`, and nobody calls it", called.host.name),
            &format!("run it: `afferent run {file} --host {here}`"),
        ),
        ([_], Some(called)) => usage(
            &format!("`{here}` is called, and would have to call `{}` as well", called.host.name),
            "a host that is called shares edges with its caller alone: move nodes to one of the two",
        ),
        ([first, second, ..], _) => usage(
            &format!("`{here}` is called by `{first}` and by `{second}`"),
            "a session has one caller: name the same host in `on` for both",
        ),
    }
}

/// Where it listens: as asked, else at its own port on this machine.
fn listen(asked: &ServeArguments, part: &Part) -> Result<SocketAddr, Failure> {
    let first = part.here.addresses.first().map_or("", String::as_str);
    let own = first.rsplit_once(':').and_then(|(name, port)| Some((name, port.parse().ok()?)));
    let unsaid = |example: &str| {
        let message = format!("where `{}` listens is not said", asked.host);
        Failure::new(Exit::Usage, &message, &format!("say so: `--listen {example}`"))
    };
    if let Some(Listen { ip, port }) = asked.listen {
        let port = port.or_else(|| own.map(|(_, port)| port));
        let port = port.ok_or_else(|| unsaid(&SocketAddr::new(ip, 24_433).to_string()))?;
        return Ok((ip, port).into());
    }
    if let Ok(address) = first.parse::<SocketAddr>()
        && address.ip().is_loopback()
    {
        return Ok(address);
    }
    let (name, port) = own.ok_or_else(|| unsaid("127.0.0.1:24433"))?;
    if name != "localhost" {
        // Where stderr is closed there is nobody to tell.
        let _ = writeln!(
            stderr(),
            "note: `{}` is to be reached at {first}, and listens on this machine alone; `--listen 0.0.0.0` lets \
             other machines call",
            asked.host
        );
    }
    Ok((Ipv4Addr::LOCALHOST, port).into())
}
