//! `[host.NAME]` in a graph file: where a host listens, and how long it waits for one that is gone.

use std::time::Duration;

use engine::{AnyParam, Code, Diagnostic, Diagnostics, GraphSpec, Param, SectionSpec, Value};

/// What a section is, for the manual.
pub const DOC: &str = "A host that runs some of the nodes: those that name it (`on = \"NAME\"`), and those behind \
    them that name none. `afferent run GRAPH --host NAME` runs its part, `afferent serve GRAPH --host NAME` \
    does for everybody who calls, a session each; without `--host` all nodes run in one process. Every \
    edge between two hosts travels over QUIC: one that may drop as datagrams with a deadline, a large frame as \
    a stream of its own, one that blocks as a stream from which nothing is lost. The host without an \
    `address` calls the one that has one. `afferent check GRAPH --host NAME` says how each edge travels.";
/// Sections, for the manual.
pub const EXAMPLE: &str = "[host.edge]\n\n[host.cloud]\naddress = [\"127.0.0.1:24433\"]\n\n\
    [node.classes]\nop = \"classify\"\nfrom = \"beats\"\non = \"cloud\"";

/// The parameters of a section, in the order of the manual.
pub static PARAMS: &[&dyn AnyParam] = &[&ADDRESS, &RESUME_S];

const ADDRESS: Param<&[&str]> = Param::optional(
    "address",
    "Where it is reached: `HOST:PORT`, the first that answers counts. It listens at the port of the \
     first on this machine alone, unless `--listen` says otherwise.",
);
const RESUME_S: Param<f64> = Param::with_default(
    "resume_s",
    60.0,
    "How long it keeps the session of a host that has called and is gone: one that is back within that goes on \
     where it was.",
)
.within(1.0, 86_400.0);

/// A host as its section describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Host {
    /// The `NAME`.
    pub name: String,
    /// `HOST:PORT`, at least one where it listens.
    pub addresses: Vec<String>,
    /// How long the session of one that is gone is kept.
    pub resume: Duration,
}

/// The hosts of a graph.
///
/// # Errors
/// Everything that is wrong with their sections, at its place.
pub fn hosts(spec: &GraphSpec) -> Result<Vec<Host>, Diagnostics> {
    let (mut hosts, mut problems) = (Vec::new(), Vec::new());
    for section in &spec.hosts {
        match host(section) {
            Ok(host) => hosts.push(host),
            Err(Diagnostics(wrong)) => problems.extend(wrong),
        }
    }
    if problems.is_empty() { Ok(hosts) } else { Err(Diagnostics(problems)) }
}

fn host(section: &SectionSpec) -> Result<Host, Diagnostics> {
    let params = section.checked_as("host", PARAMS)?;
    let mut problems = Vec::new();
    let mut addresses = Vec::new();
    let written = section.param(ADDRESS.name());
    if let Some(Value::List(items)) = written.map(|written| &written.value) {
        for item in items {
            let text = item.value.as_text().unwrap_or_default();
            match port_of(text) {
                Some(_) => addresses.push(text.to_owned()),
                None => {
                    let message = format!("`address` has {text:?}, which is no HOST:PORT");
                    let problem = Diagnostic::error(Code::OutOfRange, message).at(&item.place);
                    let hint =
                        "write such as \"127.0.0.1:24433\", \"[::1]:24433\" or \"box.local:24433\"";
                    problems.push(problem.of(format!("host `{}`", section.name.value)).hint(hint));
                }
            }
        }
    }
    if !problems.is_empty() {
        return Err(Diagnostics(problems));
    }
    let resume = Duration::from_secs_f64(params.read(&RESUME_S)?);
    Ok(Host { name: section.name.value.clone(), addresses, resume })
}

/// The port of `HOST:PORT`, if it is one.
pub(crate) fn port_of(address: &str) -> Option<u16> {
    let (host, port) = address.rsplit_once(':')?;
    let is_v6 = host.starts_with('[') && host.ends_with(']');
    let is_host = !host.is_empty() && (is_v6 || !host.contains([':', '/', ' ']));
    port.parse().ok().filter(|&port: &u16| is_host && port > 0)
}

#[cfg(test)]
mod tests {
    use engine::SourceText;

    use super::*;

    fn read(text: &str) -> Result<Vec<Host>, String> {
        let spec = GraphSpec::parse(&SourceText::new("g.toml", text)).expect("TOML");
        hosts(&spec).map_err(|problems| problems.to_string())
    }

    #[test]
    fn what_is_not_written_has_its_default() {
        let hosts =
            read("[host.edge]\n[host.cloud]\naddress = [\"a.b:1\", \"[::1]:2\"]\nresume_s = 5")
                .expect("nothing is wrong");

        assert_eq!((&hosts[0].name[..], hosts[0].addresses.len()), ("edge", 0));
        assert_eq!(hosts[0].resume, Duration::from_secs(60));
        assert_eq!(hosts[1].addresses, ["a.b:1", "[::1]:2"]);
        assert_eq!(hosts[1].resume, Duration::from_secs(5));
    }

    #[test]
    fn everything_wrong_is_told_at_its_place() {
        let told = read(
            "[host.edge]\nadress = [\"a:1\"]\n[host.cloud]\naddress = [\"a\", \"b:0\", \":7\"]\n\
             [host.fog]\naddress = \"a:1\"\nresume_s = 0.0",
        )
        .expect_err("much is wrong");

        assert!(told.contains("a host has no parameter `adress`"), "{told}");
        assert!(told.contains("did you mean `address`?"), "{told}");
        assert!(told.contains("g.toml:2:1"), "{told}");
        for wrong in ["\"a\"", "\"b:0\"", "\":7\""] {
            assert!(
                told.contains(&format!("`address` has {wrong}, which is no HOST:PORT")),
                "{told}"
            );
        }
        assert!(told.contains("`address` is text but takes a list of texts"), "{told}");
        assert!(told.contains("`resume_s` = 0.0 is outside 1.0 to 86400.0"), "{told}");
    }
}
