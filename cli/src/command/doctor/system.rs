//! What the system says of itself: processors, clock, memory, network, disk.

use std::path::Path;

use super::{Finding, Verdict, ground::Ground};

/// Socket buffers that a fast link fills between two looks, in bytes.
const SOCKET_BYTES: u64 = 2_500_000;
/// Less is soon full of recordings, in bytes.
const DISK_BYTES: u64 = 2 << 30;
/// Less is soon full of frames and models, in kilobytes.
const MEMORY_KB: u64 = 512 << 10;

pub(super) fn look(ground: &Ground) -> Vec<Finding> {
    let mut findings = vec![processors(ground)];
    findings.extend(quota(ground));
    findings.extend(governor(ground));
    findings.extend(clock_source(ground));
    findings.push(sync(ground));
    findings.extend(memory(ground));
    findings.extend(sockets(ground));
    findings.extend(disks());
    findings
}

fn processors(ground: &Ground) -> Finding {
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    let name = ground.text("/proc/cpuinfo").and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(format!(", {}", line.split_once(':')?.1.trim()))
    });
    let told = format!("{}{}", engine::counted(count, "processor"), name.unwrap_or_default());
    let finding = Finding::good("processor", "processors", told);
    match count {
        1 => finding.but(
            Verdict::Note,
            "one runs every graph; with two, models and sinks are not in the way of data",
        ),
        _ => finding,
    }
}

/// A part of the processors that a control group leaves us: ours, or one around it.
fn quota(ground: &Ground) -> Option<Finding> {
    let own = ground.text("/proc/self/cgroup").unwrap_or_default();
    let own = own.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/");
    let groups = Path::new(own.trim_start_matches('/')).ancestors();
    let shares = groups.filter_map(|group| {
        let text = ground.text(&format!("/sys/fs/cgroup/{}/cpu.max", group.display()))?;
        let (most, period) = text.split_once(' ')?;
        Some(most.parse::<f64>().ok()? / period.parse::<f64>().ok()?)
    });
    let share = shares.reduce(f64::min)?;
    // What the standard library counts has the quota in it.
    let allowed = allowed_processors(ground)?;
    (share < f64::from(allowed)).then(|| {
        let told = format!("a control group leaves us {share:.1} processors of {allowed}");
        Finding::good("processor", "quota", told).but(
            Verdict::Note,
            "once it is used up everything stands still for some milliseconds: raise `cpu.max`, or choose `--cores` below it",
        )
    })
}

/// Processors that we may run on: `0-3,8`.
fn allowed_processors(ground: &Ground) -> Option<u32> {
    let text = ground.text("/proc/self/status")?;
    let list = text.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    let count = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(last.parse::<u32>().ok()?.checked_sub(first.parse().ok()?)? + 1)
    };
    list.trim().split(',').map(count).sum()
}

fn governor(ground: &Ground) -> Option<Finding> {
    let folder = "/sys/devices/system/cpu/cpu0/cpufreq";
    let governor = ground.text(&format!("{folder}/scaling_governor"))?;
    let driver = ground.text(&format!("{folder}/scaling_driver")).unwrap_or_default();
    let finding = Finding::good("processor", "governor", format!("governor {governor} ({driver})"));
    // These drivers' powersave is what others call on demand.
    let is_slow = governor == "powersave" && !driver.contains("pstate");
    Some(match (governor.as_str(), is_slow) {
        (_, true) => finding.but(Verdict::Bad, "processors stay slow: `sudo cpupower frequency-set -g performance`"),
        ("performance", _) => finding,
        _ => finding.but(
            Verdict::Note,
            "a graph that mostly waits wakes up on a slow processor: `sudo cpupower frequency-set -g performance` where tens of microseconds count",
        ),
    })
}

fn clock_source(ground: &Ground) -> Option<Finding> {
    let source = ground.text("/sys/devices/system/clocksource/clocksource0/current_clocksource")?;
    let finding = Finding::good("time", "source", format!("clock source {source}"));
    Some(match source.as_str() {
        "hpet" | "acpi_pm" | "jiffies" => finding.but(
            Verdict::Bad,
            "reading it takes a microsecond: see whether the kernel offers `tsc` in available_clocksource",
        ),
        _ => finding,
    })
}

fn sync(ground: &Ground) -> Finding {
    let known = [
        ("/run/systemd/timesync/synchronized", "systemd-timesyncd"),
        ("/run/chrony/chronyd.pid", "chrony"),
        ("/run/ntpd.pid", "ntpd"),
        ("/var/run/ptp4l", "ptp4l"),
    ];
    match known.into_iter().find(|(path, _)| ground.has(path)) {
        Some((_, who)) => Finding::good("time", "sync", format!("the clock is kept by {who}")),
        None => Finding::good("time", "sync", "nobody says that the clock of this machine is kept").but(
            Verdict::Note,
            "recordings of several machines are told apart by it (links between hosts align clocks themselves): `timedatectl set-ntp true`, or chrony",
        ),
    }
}

fn memory(ground: &Ground) -> Option<Finding> {
    let free_kb = ground.number_after("/proc/meminfo", "MemAvailable")?;
    let told = format!("{} MB of memory are free", free_kb >> 10);
    let finding = Finding::good("memory", "free", told);
    Some(match free_kb < MEMORY_KB {
        true => finding.but(Verdict::Bad, "end something, or take smaller models"),
        false => finding,
    })
}

fn sockets(ground: &Ground) -> Vec<Finding> {
    let one = |name: &'static str, what: &str| {
        let most = ground.number(&format!("/proc/sys/net/core/{name}"))?;
        let told = format!("a socket may {what} {} kB ahead", most >> 10);
        let finding = Finding::good("network", name, told);
        Some(match most < SOCKET_BYTES {
            true => finding.but(
                Verdict::Note,
                format!(
                    "links that carry a lot lose packets: `sudo sysctl -w net.core.{name}=7500000`"
                ),
            ),
            false => finding,
        })
    };
    [one("rmem_max", "receive"), one("wmem_max", "send")].into_iter().flatten().collect()
}

/// Where graphs that name no folder write.
fn disks() -> Vec<Finding> {
    let here = std::env::current_dir().unwrap_or_else(|_| Path::new(".").to_owned());
    free_bytes(&here)
        .map(|free| {
            let told = format!("{:.1} GB are free in {}", free as f64 / 1e9, here.display());
            let finding = Finding::good("disk", "free", told);
            match free < DISK_BYTES {
                true => finding.but(Verdict::Bad, "recordings and spools will soon find no room"),
                false => finding,
            }
        })
        .into_iter()
        .collect()
}

#[cfg(unix)]
fn free_bytes(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(not(unix))]
fn free_bytes(_: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("a file has a folder")).expect("created");
            fs::write(path, text).expect("written");
        }
        folder
    }

    fn found(files: &[(&str, &str)]) -> Vec<(&'static str, Verdict)> {
        let folder = machine(files);
        let findings = look(&Ground::at(folder.path()));
        findings.iter().map(|finding| (finding.name, finding.verdict)).collect()
    }

    #[test]
    fn a_machine_that_tells_nothing_is_not_judged() {
        let found = found(&[]);
        assert!(found.iter().all(|(_, verdict)| *verdict != Verdict::Bad), "{found:?}");
        assert!(found.contains(&("sync", Verdict::Note)), "{found:?}");
    }

    #[test]
    fn what_makes_a_graph_slow_is_bad() {
        let cpufreq = "sys/devices/system/cpu/cpu0/cpufreq";
        let clock = "sys/devices/system/clocksource/clocksource0/current_clocksource";
        let found = found(&[
            (&format!("{cpufreq}/scaling_governor"), "powersave\n"),
            (&format!("{cpufreq}/scaling_driver"), "acpi-cpufreq\n"),
            (clock, "hpet\n"),
            ("proc/meminfo", "MemTotal:  900000 kB\nMemAvailable:   1000 kB\n"),
            ("proc/sys/net/core/rmem_max", "212992\n"),
            ("proc/sys/net/core/wmem_max", "7500000\n"),
            ("run/chrony/chronyd.pid", "1\n"),
        ]);
        for bad in ["governor", "source"] {
            assert!(found.contains(&(bad, Verdict::Bad)), "{bad}: {found:?}");
        }
        assert_eq!(
            found.iter().filter(|(name, v)| *name == "free" && *v == Verdict::Bad).count(),
            1
        );
        assert!(found.contains(&("rmem_max", Verdict::Note)), "{found:?}");
        assert!(found.contains(&("wmem_max", Verdict::Good)), "{found:?}");
        assert!(found.contains(&("sync", Verdict::Good)), "{found:?}");
    }

    #[test]
    fn a_part_of_a_processor_is_told() {
        let found = |own, most| {
            let group = format!("sys/fs/cgroup{own}/cpu.max");
            found(&[
                (&group, most),
                ("proc/self/cgroup", "0::/system.slice/heart.service\n"),
                ("proc/self/status", "Name:\tafferent\nCpus_allowed_list:\t0-3,8\n"),
            ])
        };
        for group in ["", "/system.slice", "/system.slice/heart.service"] {
            assert!(found(group, "400000 100000").contains(&("quota", Verdict::Note)), "{group}");
        }
        for (group, most) in [("", "500000 100000"), ("", "max 100000"), ("/other", "10000 100000")]
        {
            assert!(found(group, most).iter().all(|(name, _)| *name != "quota"), "{group} {most}");
        }
    }
}
