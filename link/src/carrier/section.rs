//! `[host.NAME]` in a graph file: where a host listens, and how long it waits for one that is gone.

use std::{path::PathBuf, time::Duration};

use engine::{
    AnyParam, Code, Diagnostic, Diagnostics, GraphSpec, Param, ParamType, Params, SectionSpec,
    Spanned, Value, path_from,
};

use crate::spool::WhenFull;

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
pub static PARAMS: &[&dyn AnyParam] = &[&ADDRESS, &RESUME_S, &SPOOL, &SPOOL_MB, &WHEN_FULL, &SET];

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

const SPOOL: Param<&str> = Param::optional(
    "spool",
    "Folder for what a restart of this host must not forget. Of a host that calls: what its edges that lose \
     nothing send, until the other host has it, so that an outage, or the end of this process, loses nothing \
     that fits; `afferent spool` looks into it. Of a host that is called: how far its sinks are with what \
     such edges bring, some 8 kB for each caller's edge, so that the process after this one goes on there.",
);
const SPOOL_MB: Param<f64> = Param::with_default(
    "spool_mb",
    256.0,
    "Most bytes of each edge that is kept in it, in millions; of hosts that call.",
)
.within(0.5, 1e6);
const WHEN_FULL: Param<&str> = Param::with_default(
    "when_full",
    "evict_oldest",
    "What happens when so many are there: the oldest go, the graph waits, or what is new is dropped.",
)
.one_of(&["evict_oldest", "block", "drop_newest"]);

const SET: Param<Changes> = Param::optional(
    "set",
    "What is different on this host, as `--set` would have it there: `{ \"kind.model\" = \"large\" }`. For calls \
     that may move, and what differs from machine to machine, such as paths.",
);

/// The type of `set`: the engine reads what is in it.
#[derive(Clone, Copy, Debug)]
struct Changes;

impl ParamType for Changes {
    const TYPE: &'static str = "a table such as `{ \"node.param\" = 1.0 }`";
    type Read<'a> = &'a [(Spanned<String>, Spanned<Value>)];

    fn read(value: &Value) -> Option<Self::Read<'_>> {
        if let Value::Table(entries) = value { Some(entries) } else { None }
    }

    fn default_read<'a>(_: Self) -> Self::Read<'a> {
        &[]
    }

    fn show(self) -> String {
        "{}".to_owned()
    }

    fn numbers(_: &Value) -> Vec<f64> {
        Vec::new()
    }
}

/// A host as its section describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Host {
    /// The `NAME`.
    pub name: String,
    /// `HOST:PORT`, at least one where it listens.
    pub addresses: Vec<String>,
    /// How long the session of one that is gone is kept.
    pub resume: Duration,
    /// Where what it sends and may not lose waits on disk.
    pub spool: Option<SpoolAt>,
}

/// A host's spool.
#[derive(Clone, Debug, PartialEq)]
pub struct SpoolAt {
    /// Its folder.
    pub folder: PathBuf,
    /// Most bytes of each edge.
    pub bytes_max: u64,
    /// What happens then.
    pub when_full: WhenFull,
}

/// The hosts of a graph. Relative paths start from the folder of its file.
///
/// # Errors
/// Everything that is wrong with their sections, at its place.
pub fn hosts(spec: &GraphSpec, graph_file: Option<&str>) -> Result<Vec<Host>, Diagnostics> {
    let (mut hosts, mut problems) = (Vec::new(), Vec::new());
    for section in &spec.hosts {
        match host(section, graph_file) {
            Ok(host) => hosts.push(host),
            Err(Diagnostics(wrong)) => problems.extend(wrong),
        }
    }
    if problems.is_empty() { Ok(hosts) } else { Err(Diagnostics(problems)) }
}

fn host(section: &SectionSpec, graph_file: Option<&str>) -> Result<Host, Diagnostics> {
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
    let spool = spool(section, &params, graph_file)?;
    Ok(Host { name: section.name.value.clone(), addresses, resume, spool })
}

fn spool(
    section: &SectionSpec,
    params: &Params,
    graph_file: Option<&str>,
) -> Result<Option<SpoolAt>, Diagnostics> {
    let Some(folder) = params.read_optional(&SPOOL)? else {
        let written = [SPOOL_MB.name(), WHEN_FULL.name()].into_iter();
        let idle =
            written.filter_map(|name| Some((name, section.param(name)?))).map(|(name, at)| {
                let message = format!("`{name}` is written, and there is no `spool`");
                let problem = Diagnostic::error(Code::NoEffect, message).at(&at.place);
                let hint = "name a folder: `spool = \"spool\"`, or leave the key out";
                problem.of(format!("host `{}`", section.name.value)).hint(hint)
            });
        let idle: Vec<_> = idle.collect();
        return if idle.is_empty() { Ok(None) } else { Err(Diagnostics(idle)) };
    };
    let place = section.param(SPOOL.name()).and_then(|written| written.place.clone());
    let named = params.read(&WHEN_FULL)?;
    let when_full = WhenFull::NAMES.iter().find(|(name, _)| *name == named);
    Ok(Some(SpoolAt {
        folder: path_from(folder, &place, graph_file).into(),
        bytes_max: (1e6 * params.read(&SPOOL_MB)?) as u64,
        when_full: when_full.map_or_else(WhenFull::default, |(_, when_full)| *when_full),
    }))
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
        hosts(&spec, Some("g.toml")).map_err(|problems| problems.to_string())
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
        assert_eq!((&hosts[0].spool, &hosts[1].spool), (&None, &None));
    }

    #[test]
    fn a_spool_has_a_size_and_says_what_happens_then() {
        let hosts = read("[host.edge]\nspool = \"kept\"\nspool_mb = 2\nwhen_full = \"block\"")
            .expect("nothing is wrong");
        let folder = PathBuf::from("kept");
        let spool = SpoolAt { folder, bytes_max: 2_000_000, when_full: WhenFull::Block };
        assert_eq!(hosts[0].spool, Some(spool));

        let told = read("[host.edge]\nspool_mb = 2\nwhen_full = \"sometimes\"").expect_err("wrong");
        assert!(told.contains("`when_full` = \"sometimes\" is none of its words"), "{told}");
        let told = read("[host.edge]\nspool_mb = 2").expect_err("wrong");
        assert!(told.contains("`spool_mb` is written, and there is no `spool`"), "{told}");
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
