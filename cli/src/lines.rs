//! Where the lines of sinks go: to stdout, or into the status line.
//!
//! Sinks that print (`jsonl`, `print`) hand whole lines to `operators::lines`, which writes them
//! to stdout unless told otherwise: `operators::lines::divert(Box<dyn Fn(&str) -> io::Result<()> +
//! Send + Sync>)` before anything starts. Each call gets one or more whole lines.

use std::sync::{Arc, Mutex};

use crate::status::{Screen, Vitals};

/// On a terminal lines feed the status line instead of racing past, unless they are asked for.
pub(crate) fn show_on(_screen: &Arc<Screen>, _vitals: &Arc<Mutex<Vitals>>, _json: bool) {}
