//! Which running graph `top` and `tap` look into.

use crate::{
    exit::{Exit, Failure},
    local::{Client, Found, Trouble, find},
};

/// Whoever looks on comes after the graph, on a machine that has too much to do, too: reading a hundred thousand
/// frames a second takes a whole core.
pub(super) fn stand_back() {
    // Where that is not possible it is as urgent as everybody else.
    let _ = rustix::process::nice(19);
}

/// The processes that are meant: by number, by the graph's name, by its file, or all.
pub(super) fn meant(asked: Option<&str>) -> Vec<Found> {
    let (mut found, _) = find();
    let Some(asked) = asked else { return found };
    found.retain(|found| is_meant(found, asked));
    found
}

fn is_meant(found: &Found, asked: &str) -> bool {
    let hello = &found.hello;
    let file = std::path::Path::new(&hello.file);
    let named = file.file_name().is_some_and(|name| name == asked)
        || file.file_stem().is_some_and(|stem| stem == asked);
    hello.pid.to_string() == asked || hello.graph == asked || hello.file == asked || named
}

/// Connects to the only process that is meant; a failure says what there is instead.
pub(super) fn only(asked: Option<&str>, command: &str) -> Result<Client, Failure> {
    match &meant(asked)[..] {
        [only] => only.attach().map_err(|trouble| failure(&trouble)),
        [] => Err(none(asked)),
        several => {
            let (message, hint) = choices(several, command);
            Err(Failure::new(Exit::Usage, &message, &hint))
        }
    }
}

/// Nobody runs what is meant.
pub(super) fn none(asked: Option<&str>) -> Failure {
    let (all, closed) = find();
    let is_meant = |pid: u32| asked.is_none_or(|asked| asked == pid.to_string());
    if let Some((pid, trouble)) = closed.iter().find(|(pid, _)| is_meant(*pid)) {
        let message = format!("cannot look into process {pid}: {}", words(trouble));
        return Failure::new(Exit::Io, &message, hint(trouble));
    }
    let start = "start one: `afferent run graphs/biofeedback.toml`, in another terminal";
    match (asked, &all[..]) {
        (None, _) => Failure::new(Exit::Usage, "no graph of yours runs on this machine", start),
        (Some(asked), []) => {
            let message =
                format!("no graph `{asked}` runs on this machine, nor any other of yours");
            Failure::new(Exit::Usage, &message, start)
        }
        (Some(asked), all) => {
            let message = format!("no graph `{asked}` runs on this machine");
            Failure::new(Exit::Usage, &message, &format!("these do:\n{}", listed(all)))
        }
    }
}

fn choices(several: &[Found], command: &str) -> (String, String) {
    let pid = several[0].hello.pid;
    let message = format!("{} graphs run on this machine", several.len());
    (message, format!("name one, such as `{command} {pid}`:\n{}", listed(several)))
}

/// A line for each process.
fn listed(all: &[Found]) -> String {
    let line = |found: &Found| {
        let hello = &found.hello;
        let host = hello.host.as_ref().map_or(String::new(), |host| format!(" as `{host}`"));
        format!("      {:>7}  {}{host}  {}", hello.pid, hello.graph, hello.file)
    };
    all.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// In words why somebody who was there is not heard.
pub(super) fn words(trouble: &Trouble) -> String {
    match trouble {
        Trouble::Ended(end) => ended(end),
        Trouble::Gone => {
            "the process is gone without a word: it was killed, or it crashed".to_owned()
        }
        Trouble::Silent => "the process is there and does not answer; it may be stopped".to_owned(),
        Trouble::Refused(refused) => refused.message.clone(),
        Trouble::Foreign(version) => format!(
            "the process is afferent {version}, which this one ({}) does not understand",
            env!("CARGO_PKG_VERSION")
        ),
        Trouble::Io(error) => error.to_string(),
    }
}

fn ended(end: &crate::local::message::End) -> String {
    let after = crate::status::clock(end.after_s);
    match &end.fault {
        Some(fault) => format!("{} after {after}: {fault}", end.how),
        None => format!("{} after {after}", end.how),
    }
}

pub(super) fn failure(trouble: &Trouble) -> Failure {
    // One that has ended by itself is as if nobody had been there.
    match trouble {
        Trouble::Ended(_) => {
            Failure::new(Exit::Usage, &format!("the run has ended: {}", words(trouble)), "")
        }
        _ => Failure::new(Exit::Io, &words(trouble), hint(trouble)),
    }
}

const fn hint(trouble: &Trouble) -> &'static str {
    match trouble {
        Trouble::Foreign(_) => "look with the program that runs it",
        _ => "",
    }
}
