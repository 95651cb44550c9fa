//! [`Machine`]: on what something was measured.

use std::{env::consts, fs};

use serde::{Deserialize, Serialize};

/// On what something was measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The name of the processor, or its architecture where the system does not tell.
    pub processor: String,
    /// Processors this process may use.
    pub processors: usize,
    /// The system and its architecture.
    pub system: String,
}

impl Machine {
    /// This one.
    pub fn this() -> Self {
        Self {
            processor: processor().unwrap_or_else(|| consts::ARCH.to_owned()),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            system: format!("{} {}", consts::OS, consts::ARCH),
        }
    }
}

/// Linux tells it per processor; the first will do.
fn processor() -> Option<String> {
    let told = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = told.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// Bytes of memory this process has; none where the system does not tell.
pub(super) fn memory_bytes() -> Option<u64> {
    let told = fs::read_to_string("/proc/self/status").ok()?;
    let line = told.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}
