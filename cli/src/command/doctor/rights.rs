//! What this user may: open files, keep a processor, hear microphones and read serial lines.

use super::{
    Finding, Verdict,
    ground::{Ground, is_ours},
};

const AREA: &str = "rights";
/// A thousand sessions with a file or socket each, and some more.
const FILES: u64 = 4_096;
/// Milliseconds that a USB serial chip may hold bytes back.
const LATENCY_MS: u64 = 1;

pub(super) fn look(ground: &Ground) -> Vec<Finding> {
    let mut findings = limits(ground);
    findings.extend(cards(ground));
    findings.extend(serial(ground));
    findings
}

/// The softer of both bounds in a line of `/proc/self/limits`; `None` is without one.
fn limit(ground: &Ground, name: &str) -> Option<Option<u64>> {
    let text = ground.text("/proc/self/limits")?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let soft = line.split_whitespace().next()?;
    if soft == "unlimited" { Some(None) } else { soft.parse().ok().map(Some) }
}

fn limits(ground: &Ground) -> Vec<Finding> {
    let files = limit(ground, "Max open files").map(|most| {
        let told = most.map_or_else(|| "any number of".to_owned(), |most| most.to_string());
        let finding = Finding::good(AREA, "files", format!("{told} files may be open at once"));
        match most.is_some_and(|most| most < FILES) {
            true => finding.but(
                Verdict::Note,
                "many sessions, or a server, need more: `ulimit -n 65536` before it, or LimitNOFILE= of its service",
            ),
            false => finding,
        }
    });
    let realtime = limit(ground, "Max realtime priority").map(|most| match most {
        Some(0) => Finding::good(AREA, "realtime", "threads may not ask for real-time priority").but(
            Verdict::Note,
            "under load sound may be cut: a line `@audio - rtprio 20` in /etc/security/limits.d/afferent.conf, or \
             LimitRTPRIO=20 of its service",
        ),
        _ => Finding::good(AREA, "realtime", "threads may ask for real-time priority"),
    });
    files.into_iter().chain(realtime).collect()
}

fn cards(ground: &Ground) -> Option<Finding> {
    let names = ground.names("/dev/snd");
    let cards: Vec<_> = names.iter().filter(|name| name.starts_with("control")).collect();
    let (closed, all) = (
        cards.iter().filter(|name| !is_ours(&ground.path(&format!("/dev/snd/{name}")))).count(),
        cards.len(),
    );
    match (all, closed) {
        (0, _) => None,
        (all, 0) => Some(Finding::good(
            AREA,
            "sound",
            format!("{} may be used", engine::counted(all, "sound card")),
        )),
        (all, closed) => Some(
            Finding::good(
                AREA,
                "sound",
                format!("{closed} of {} may not be used", engine::counted(all, "sound card")),
            )
            .but(Verdict::Bad, "`sudo usermod -aG audio $USER`, then log in anew"),
        ),
    }
}

fn serial(ground: &Ground) -> Vec<Finding> {
    let is_serial = |name: &&String| name.starts_with("ttyUSB") || name.starts_with("ttyACM");
    let names = ground.names("/dev");
    let lines: Vec<&String> = names.iter().filter(is_serial).collect();
    let mut findings = Vec::new();
    for name in lines {
        let finding = Finding::good(AREA, "serial", format!("/dev/{name} may be used"));
        findings.push(match is_ours(&ground.path(&format!("/dev/{name}"))) {
            true => finding,
            false => Finding::good(AREA, "serial", format!("/dev/{name} may not be used")).but(
                Verdict::Bad,
                "`sudo usermod -aG dialout $USER` (on Arch the group is `uucp`), then log in anew",
            ),
        });
        let timer = format!("/sys/bus/usb-serial/devices/{name}/latency_timer");
        if let Some(held_ms) = ground.number(&timer).filter(|held_ms| *held_ms > LATENCY_MS) {
            let told = format!("the chip of /dev/{name} holds bytes back for {held_ms} ms");
            findings.push(
                Finding::good(AREA, "latency_timer", told).but(
                    Verdict::Bad,
                    format!("samples come in lumps: `echo 1 | sudo tee {timer}`"),
                ),
            );
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn limits_and_serial_lines_are_judged() {
        let folder = tempfile::tempdir().expect("a folder");
        let put = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("a file has a folder")).expect("created");
            fs::write(path, text).expect("written");
        };
        put(
            "proc/self/limits",
            "Limit                     Soft Limit           Hard Limit           Units\n\
             Max open files            1024                 4096                 files\n\
             Max realtime priority     0                    0                    \n",
        );
        put("dev/ttyUSB0", "");
        put("dev/null", "");
        put("sys/bus/usb-serial/devices/ttyUSB0/latency_timer", "16\n");
        put("dev/snd/controlC0", "");
        let findings = look(&Ground::at(folder.path()));
        let found: Vec<_> = findings.iter().map(|it| (it.name, it.verdict)).collect();
        let want = [
            ("files", Verdict::Note),
            ("realtime", Verdict::Note),
            ("sound", Verdict::Good),
            ("serial", Verdict::Good),
            ("latency_timer", Verdict::Bad),
        ];
        assert_eq!(found, want);
        assert!(findings[4].told.contains("16 ms"), "{findings:?}");
    }

    #[test]
    fn what_is_not_there_is_not_told() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(look(&Ground::at(folder.path())), []);
    }
}
