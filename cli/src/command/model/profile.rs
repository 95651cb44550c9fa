//! `afferent model profile`.

use std::{
    env,
    process::{Command, Stdio},
};

use model::tools::{Profile, ProfileOptions, profile as measure, save};

use crate::exit::{Exit, Failure, print};

use super::{
    arguments::{ProfileArguments, SubjectArguments},
    failure, options, table, watched,
};

pub(super) fn profile(asked: &ProfileArguments) -> Result<Exit, Failure> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let mut workers: Vec<usize> = match &asked.threads {
        Some(threads) => threads.iter().map(|&count| usize::from(count)).collect(),
        None => vec![1, processors],
    };
    workers.sort_unstable();
    workers.dedup();
    let options = ProfileOptions {
        batches: asked.batch.iter().map(|&count| usize::from(count)).collect(),
        workers,
        backends: asked.backend.clone(),
        against: asked.against.clone(),
        seconds: asked.seconds,
        ..options(&asked.subject)
    };
    let weigh = |backend: &str| weighed(&asked.subject, backend);
    let profile = watched(|watch| measure(&options, &weigh, watch))?;
    if asked.json {
        print(&json(&profile))?;
    } else {
        print(&table::profile(&profile))?;
    }
    if asked.save {
        let path = save(&profile, &asked.subject.file).map_err(failure)?;
        if !asked.json {
            print(&format!("\nwritten: {}\n", path.display()))?;
        }
    }
    Ok(Exit::Done)
}

/// One line.
pub(super) fn json(profile: &Profile) -> String {
    format!("{}\n", profile.to_json())
}

/// What a model takes of memory, told by a process that does nothing else.
fn weighed(asked: &SubjectArguments, backend: &str) -> Option<u64> {
    let mut command = Command::new(env::current_exe().ok()?);
    command.args(["model", "weigh", "--backend", backend]);
    for (name, value) in &asked.fixed {
        command.arg("--fixed").arg(format!("{name}={value}"));
    }
    for (name, lens) in &asked.shape {
        let lens: Vec<String> = lens.iter().map(usize::to_string).collect();
        command.arg("--shape").arg(format!("{name}={}", lens.join(",")));
    }
    if let Some(data) = &asked.data {
        command.arg("--data").arg(data);
    }
    let output = command
        .arg("--")
        .arg(&asked.file)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
