//! What can be asked of `afferent spool`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct SpoolArguments {
    #[command(subcommand)]
    pub(super) what: What,
}

const EXAMPLES: &str = "\
A spool keeps on disk what an edge between two hosts has sent and the other side has not yet
acknowledged. DIR is the folder of one, or one above several.

Examples:
  afferent spool inspect /var/lib/afferent            what waits there, and what is damaged
  afferent spool inspect spool --json | jq .damage    the same, for programs
  afferent spool drain spool > events.jsonl           what waits, without the other host
  afferent spool drain spool --csv --out ecg.csv      the same, as a table
  afferent spool repair spool                         after a crash of the disk";

#[derive(Debug, Subcommand)]
pub(super) enum What {
    /// Tell what is in a spool: segments, frames, times, bytes, damage
    ///
    /// Changes nothing, and may be asked while a graph runs. Ends with 1 if something is damaged.
    Inspect(InspectArguments),
    /// Leave out what is damaged, so that the rest can be sent
    ///
    /// Torn tails are cut, and what cannot be read is told to the other side as a gap. The folder as
    /// it was is kept beside it, as DIR.backup-1. Not while a graph has it open. A graph does the
    /// same by itself when it opens a spool, but for rewriting files.
    Repair(RepairArguments),
    /// Write what waits in a spool to a file or stdout
    ///
    /// Frames that the other side has not acknowledged, in their order; nothing is taken out. Times
    /// are seconds since 1970 (UTC) where the edge comes from a device, and those of the recording
    /// where it comes from one. Gaps are told on stderr.
    Drain(DrainArguments),
}

#[derive(Debug, Args)]
pub(super) struct InspectArguments {
    /// The folder
    #[arg(value_name = "DIR")]
    pub(super) dir: PathBuf,

    /// One JSON object per spool
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct RepairArguments {
    /// The folder
    #[arg(value_name = "DIR")]
    pub(super) dir: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct DrainArguments {
    /// The folder
    #[arg(value_name = "DIR")]
    pub(super) dir: PathBuf,

    /// Rows of a table instead of JSON lines: signals and events
    #[arg(long)]
    pub(super) csv: bool,

    /// To this file, which must not be there yet [default: stdout]
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,

    /// What is acknowledged and still there, too
    #[arg(long)]
    pub(super) all: bool,
}
