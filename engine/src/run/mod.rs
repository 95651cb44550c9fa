//! Running a plan: cores with their threads, actors that control, and the handle a program holds.
//!
//! ```text
//! program ── Running ──▶ Supervisor ──▶ stage actors ──command ring──▶ cells on cores
//!                          ▲    ├────▶ source actors (I/O runtime)
//!               events ────┘    └────▶ sink actors (a runtime per sink, for it may block)
//! ```

mod actors;
mod control;
mod door;
mod error;
mod following;
mod glance;
mod leaving;
mod manual;
mod opened;
mod parts;
mod patience;
mod reload;
mod replace;
mod report;
mod running;
mod runtimes;
mod shared;
mod supervisor;
mod threads;
mod watchdog;

pub use door::Opener;
pub use error::ControlError;
pub use manual::ManualRun;
pub use reload::{ReloadError, ReloadReport, Renewed, RolledBack};
pub use report::{EdgeReport, Entered, LastFault, NodeReport, Report, SinkReport, StageReport};
#[cfg(all(test, not(loom)))]
pub(crate) use report::{NodeTotals, frames_of};
pub use running::{Looking, Outcome, RunOptions, Running, Snapshot};
pub(crate) use shared::Shared;
pub(crate) use supervisor::{Happened, Supervisor, What};
pub use watchdog::{Health, on_giving_up};

#[cfg(all(test, not(loom)))]
mod tests;
